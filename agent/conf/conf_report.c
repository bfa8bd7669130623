/* Faults and warnings: see conf_report.h. */
#include "config.h"

#include "conf/conf_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define LINE_MAX_BYTES 1024 /* longer messages are cut */

static bool
is_before(struct conf_where a, struct conf_where b)
{
	return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static bool
is_same_place(struct conf_where a, struct conf_where b)
{
	return a.line == b.line && a.column == b.column;
}

static bool
holds(const struct conf_report_list *list, struct conf_where at, struct str text)
{
	for (size_t i = 0; i < list->n; i++)
		if (is_same_place(list->notes[i].where, at) && str_eq(list->notes[i].text, text))
			return true;
	return false;
}

/* Keeps the list in order; when it is full its last note makes room for an earlier one. */
static void
insert(struct conf_report_list *list, struct conf_note note)
{
	size_t at = list->n;

	while (at > 0 && is_before(note.where, list->notes[at - 1].where))
		at--;
	if (at == CONF_NOTES_MAX)
		return;
	if (list->n < CONF_NOTES_MAX)
		list->n++;
	memmove(&list->notes[at + 1], &list->notes[at], (list->n - 1 - at) * sizeof(note));
	list->notes[at] = note;
}

static void
add(struct conf_report *r, struct conf_report_list *list, struct conf_where at, struct str line)
{
	struct conf_note note = { .where = at };

	if (holds(list, at, line))
		return;
	list->total++;
	if (list->notes == NULL)
		list->notes = ARENA_ARRAY(r->arena, struct conf_note, CONF_NOTES_MAX);
	if (list->notes == NULL || !arena_str(r->arena, line, &note.text)) {
		r->starved = true;
		return;
	}
	insert(list, note);
}

void
conf_report_fault(struct conf_report *r, struct conf_where at, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	add(r, &r->faults, at, str_from_cstr(line));
}

void
conf_report_warning(struct conf_report *r, struct conf_where at, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	add(r, &r->warnings, at, str_from_cstr(line));
}

bool
conf_report_has_fault(const struct conf_report *r, struct conf_where at)
{
	for (size_t i = 0; i < r->faults.n; i++)
		if (is_same_place(r->faults.notes[i].where, at))
			return true;
	return false;
}

struct conf_notes
conf_report_notes(const struct conf_report_list *list)
{
	return (struct conf_notes){ .notes = list->notes, .n = list->n };
}

static bool
is_shown(struct str c)
{
	unsigned char first = (unsigned char)c.ptr[0];

	if (c.len == 2 && first == 0xc2 && (unsigned char)c.ptr[1] < 0xa0)
		return false; /* the control characters of Latin-1 */
	return first > 0x20 && first != 0x7f;
}

static bool
is_of_key(struct str c)
{
	return c.len == 1 &&
	       strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", c.ptr[0]) != NULL;
}

static struct conf_report_quote
quote(struct str s, bool (*keeps)(struct str c))
{
	static const char dots[] = "...";
	struct conf_report_quote ret = { .text = "" };
	size_t n = 0;
	struct str c;

	while (s.len > 0) {
		if (!utf8_take(&s, &c) || !keeps(c) || n + c.len + sizeof(dots) > sizeof(ret.text)) {
			memcpy(ret.text + n, dots, sizeof(dots));
			return ret;
		}
		memcpy(ret.text + n, c.ptr, c.len);
		n += c.len;
	}
	return ret;
}

struct conf_report_quote
conf_report_quote(struct str s)
{
	return quote(s, is_shown);
}

struct conf_report_quote
conf_report_quote_key(struct str s)
{
	return quote(s, is_of_key);
}
