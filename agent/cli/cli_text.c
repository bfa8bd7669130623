/* Text for people: see cli_text.h. */
#include "config.h"

#include "cli/cli_text.h"

#include <inttypes.h>

#include "base/rfc3339.h"
#include "base/utf8.h"

#define ELLIPSIS STR("\xe2\x80\xa6")

struct range {
	uint32_t first, last;
};

/* Characters that take no column, and those that take two: the common ranges of
 * Unicode's tables.  A rare miss shifts a column and does no harm. */
static const struct range narrow_none[] = {
	{ 0x0300, 0x036f },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05bd },
	{ 0x064b, 0x065f },
	{ 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff },
	{ 0x200b, 0x200d },
	{ 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
};
static const struct range wide[] = {
	{ 0x1100, 0x115f },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0xa4cf },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1f64f },
	{ 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1faff },
	{ 0x20000, 0x3fffd },
};
/* What a terminal obeys instead of showing, or what makes text read otherwise
 * than it is: controls, line separators, marks of direction. */
static const struct range unsafe[] = {
	{ 0x00, 0x1f },
	{ 0x7f, 0x9f },
	{ 0x061c, 0x061c },
	{ 0x200e, 0x200f },
	{ 0x2028, 0x202e },
	{ 0x2066, 0x2069 },
	{ 0xfeff, 0xfeff },
};

#define IN(ranges, c) is_in((ranges), sizeof(ranges) / sizeof((ranges)[0]), (c))

static bool
is_in(const struct range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* Of one well-formed character. */
static uint32_t
code_point(struct str c)
{
	uint32_t value = (unsigned char)c.ptr[0];

	if (c.len > 1)
		value &= 0xffu >> (c.len + 1);
	for (size_t i = 1; i < c.len; i++)
		value = value << 6 | ((unsigned char)c.ptr[i] & 0x3fu);
	return value;
}

static size_t
columns_of(struct str c)
{
	uint32_t value = code_point(c);

	if (value < 0x300)
		return 1;
	return IN(narrow_none, value) ? 0 : IN(wide, value) ? 2 : 1;
}

void
cli_text_put(struct buf *out, struct str text)
{
	struct str c;

	while (text.len > 0) {
		bool well_formed = utf8_take(&text, &c);

		if (well_formed && !IN(unsafe, code_point(c)))
			buf_put(out, c);
		else
			buf_put_u8(out, '?');
	}
}

static struct str
start_of(enum cli_text_tone tone)
{
	switch (tone) {
	case CLI_TEXT_PLAIN:
		break;
	case CLI_TEXT_GOOD:
		return STR("\x1b[32m");
	case CLI_TEXT_WARN:
		return STR("\x1b[33m");
	case CLI_TEXT_BAD:
		return STR("\x1b[1;31m");
	case CLI_TEXT_FAINT:
		return STR("\x1b[2m");
	case CLI_TEXT_TITLE:
		return STR("\x1b[1m");
	}
	return STR("");
}

void
cli_text_put_toned(struct buf *out, const struct cli_text_style *style, enum cli_text_tone tone, struct str text)
{
	bool toned = style->colour && tone != CLI_TEXT_PLAIN && text.len > 0;

	if (toned)
		buf_put(out, start_of(tone));
	cli_text_put(out, text);
	if (toned)
		buf_put(out, STR("\x1b[0m"));
}

size_t
cli_text_columns(struct str clean)
{
	size_t columns = 0;
	struct str c;

	while (clean.len > 0)
		columns += utf8_take(&clean, &c) ? columns_of(c) : 1;
	return columns;
}

/* The longest beginning of clean that takes at most so many columns. */
static struct str
beginning(struct str clean, size_t columns, size_t *ret_columns)
{
	struct str rest = clean, c;
	size_t taken = 0;

	while (rest.len > 0) {
		struct str before = rest;
		size_t more = utf8_take(&rest, &c) ? columns_of(c) : 1;

		if (taken + more > columns) {
			rest = before;
			break;
		}
		taken += more;
	}
	*ret_columns = taken;
	return str_first(clean, clean.len - rest.len);
}

void
cli_text_put_cut(struct buf *out, struct str clean, size_t columns, size_t *ret_columns)
{
	size_t whole = cli_text_columns(clean);

	if (whole <= columns) {
		buf_put(out, clean);
		*ret_columns = whole;
		return;
	}
	*ret_columns = 0;
	if (columns == 0)
		return;
	buf_put(out, beginning(clean, columns - 1, ret_columns));
	buf_put(out, ELLIPSIS);
	(*ret_columns)++;
}

struct unit {
	int64_t ms;
	const char *name;
};

static const struct unit units[] = {
	{ INT64_C(86400000), "d" },
	{ INT64_C(3600000), "h" },
	{ INT64_C(60000), "min" },
	{ INT64_C(1000), "s" },
	{ 1, "ms" },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

/* The largest unit of which there is at least one; milliseconds for 0. */
static size_t
unit_of(int64_t ms)
{
	size_t i = 0;

	while (i + 1 < N_UNITS && ms < units[i].ms)
		i++;
	return i;
}

void
cli_text_put_rough_duration(struct buf *out, int64_t ms)
{
	int64_t positive = ms > 0 ? ms : 0;
	const struct unit *u = &units[unit_of(positive)];

	buf_printf(out, "%" PRId64 " %s", positive / u->ms, u->name);
}

void
cli_text_put_duration(struct buf *out, int64_t ms)
{
	int64_t positive = ms > 0 ? ms : 0;
	const struct unit *u = &units[unit_of(positive)];
	int64_t rest = positive % u->ms;

	if (u->ms == 1000 && positive < 10000) {
		buf_printf(out, "%" PRId64 ".%" PRId64 " s", positive / 1000, rest / 100);
		return;
	}
	cli_text_put_rough_duration(out, positive);
	/* A second figure where it says something. */
	if (u->ms > 1000 && rest >= u[1].ms)
		buf_printf(out, " %" PRId64 " %s", rest / u[1].ms, u[1].name);
}

void
cli_text_put_ago(struct buf *out, const struct cli_text_style *style, struct str time)
{
	int64_t then_ms;

	if (!rfc3339_parse(time, &then_ms)) {
		buf_put(out, STR("never"));
	} else if (style->wall_ms == 0) {
		cli_text_put(out, time);
	} else {
		cli_text_put_duration(out, style->wall_ms - then_ms);
		buf_put(out, STR(" ago"));
	}
}

void
cli_text_put_since(struct buf *out, const struct cli_text_style *style, struct str time)
{
	int64_t then_ms;

	if (!rfc3339_parse(time, &then_ms))
		return;
	buf_put(out, style->wall_ms == 0 ? STR(" since ") : STR(" for "));
	if (style->wall_ms == 0)
		cli_text_put(out, time);
	else
		cli_text_put_duration(out, style->wall_ms - then_ms);
}

void
cli_text_put_count(struct buf *out, int64_t n, const char *noun)
{
	buf_printf(out, "%" PRId64 " %s%s", n, noun, n == 1 ? "" : "s");
}
