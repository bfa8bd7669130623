/* JSON text into a buffer: see control_json.h. */
#include "config.h"

#include "control/control_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/rfc3339.h"
#include "base/utf8.h"

#define REPLACEMENT STR("\xef\xbf\xbd")

struct control_json
control_json_make(struct buf *out)
{
	return (struct control_json){ .out = out };
}

/* Bytes that a JSON text may hold as they are. */
static bool
is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f && c != '"' && c != '\\';
}

static size_t
plain_run(struct str s)
{
	size_t n = 0;

	while (n < s.len && is_plain(s.ptr[n]))
		n++;
	return n;
}

static void
put_special(struct buf *out, struct str c, bool well_formed)
{
	unsigned char first = (unsigned char)c.ptr[0];

	if (!well_formed || first == 0)
		buf_put(out, REPLACEMENT);
	else if (first == '\n')
		buf_put(out, STR("\\n"));
	else if (utf8_is_control(c)) /* a terminal may take it for a command */
		buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c.ptr[c.len - 1]);
	else if (first >= 0x80)
		buf_put(out, c);
	else
		buf_printf(out, "\\%c", c.ptr[0]);
}

static void
put_quoted(struct buf *out, struct str text)
{
	buf_put_u8(out, '"');
	while (text.len > 0) {
		size_t run = plain_run(text);
		struct str c;

		buf_put(out, str_first(text, run));
		text = str_skip(text, run);
		if (text.len > 0) {
			bool well_formed = utf8_take(&text, &c);

			put_special(out, c, well_formed);
		}
	}
	buf_put_u8(out, '"');
}

/* What stands before a value: the comma and the name, which has nothing to escape. */
static void
begin(struct control_json *w, const char *name)
{
	if (w->comma)
		buf_put_u8(w->out, ',');
	w->comma = true;
	if (name != NULL) {
		buf_put_u8(w->out, '"');
		buf_put(w->out, str_from_cstr(name));
		buf_put(w->out, STR("\":"));
	}
}

static void
open_with(struct control_json *w, const char *name, char bracket)
{
	begin(w, name);
	buf_put_u8(w->out, (uint8_t)bracket);
	w->comma = false;
}

static void
close_with(struct control_json *w, char bracket)
{
	buf_put_u8(w->out, (uint8_t)bracket);
	w->comma = true;
}

void
control_json_object(struct control_json *w, const char *name)
{
	open_with(w, name, '{');
}

void
control_json_object_end(struct control_json *w)
{
	close_with(w, '}');
}

void
control_json_array(struct control_json *w, const char *name)
{
	open_with(w, name, '[');
}

void
control_json_array_end(struct control_json *w)
{
	close_with(w, ']');
}

void
control_json_text(struct control_json *w, const char *name, struct str text)
{
	begin(w, name);
	put_quoted(w->out, text);
}

void
control_json_word(struct control_json *w, const char *name, const char *word)
{
	control_json_text(w, name, str_from_cstr(word));
}

void
control_json_format(struct control_json *w, const char *name, const char *fmt, ...)
{
	char text[CONTROL_JSON_FORMAT_MAX] = "";
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_json_text(w, name, str_from_cstr(text));
}

void
control_json_pair(struct control_json *w, struct str name, struct str text)
{
	begin(w, NULL);
	put_quoted(w->out, name);
	buf_put_u8(w->out, ':');
	put_quoted(w->out, text);
}

void
control_json_number(struct control_json *w, const char *name, int64_t value)
{
	char text[24] = "";

	begin(w, name);
	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	buf_put(w->out, str_from_cstr(text));
}

void
control_json_bool(struct control_json *w, const char *name, bool value)
{
	begin(w, name);
	buf_put(w->out, value ? STR("true") : STR("false"));
}

void
control_json_null(struct control_json *w, const char *name)
{
	begin(w, name);
	buf_put(w->out, STR("null"));
}

void
control_json_time(struct control_json *w, const char *name, int64_t wall_ms)
{
	char text[RFC3339_SIZE];

	if (wall_ms == 0) {
		control_json_null(w, name);
		return;
	}
	rfc3339_put(wall_ms, text);
	control_json_word(w, name, text);
}
