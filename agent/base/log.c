/* Logging: see log.h. */
#include "config.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/rfc3339.h"
#include "base/utf8.h"

static struct {
	log_sink_fn *sink;
	void *arg;
	enum log_level max;
} the_log;

void
log_open(log_sink_fn *sink, void *arg, enum log_level max)
{
	the_log.sink = sink;
	the_log.arg = arg;
	the_log.max = max;
}

void
log_set_level(enum log_level max)
{
	the_log.max = max;
}

void
log_at(enum log_level level, const char *room, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;
	int wanted;

	if (the_log.sink == NULL || level > the_log.max)
		return;
	va_start(ap, fmt);
	wanted = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (wanted < 0)
		return;
	the_log.sink(
	    the_log.arg, &(struct log_record){
			     .level = level,
			     .room = room,
			     .line = str_of(line, (size_t)wanted < sizeof(line) ? (size_t)wanted : sizeof(line) - 1),
			 });
}

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

bool
log_level_parse(struct str name, enum log_level *ret)
{
	for (enum log_level l = LOG_ERROR; l <= LOG_DEBUG; l++) {
		if (str_eq(name, str_from_cstr(level_names[l]))) {
			*ret = l;
			return true;
		}
	}
	return false;
}

/* Of a well-formed character: U+0000..001F, 007F and, in two bytes, 0080..009F,
 * which terminals may obey, too. */
static bool
is_control(struct str c, unsigned *ret_code_point)
{
	*ret_code_point = (unsigned char)c.ptr[c.len - 1];
	if (c.len == 2 && (unsigned char)c.ptr[0] == 0xc2)
		return *ret_code_point < 0xa0;
	return c.len == 1 && (*ret_code_point < 0x20 || *ret_code_point == 0x7f);
}

static void
put_json_char(struct str c, struct buf *out)
{
	unsigned code_point;

	if (c.ptr[0] == '"' || c.ptr[0] == '\\')
		buf_printf(out, "\\%c", c.ptr[0]);
	else if (c.ptr[0] == '\n')
		buf_put(out, STR("\\n"));
	else if (is_control(c, &code_point))
		buf_printf(out, "\\u%04x", code_point);
	else
		buf_put(out, c);
}

static void
put_json_string(struct str s, struct buf *out)
{
	struct str c;

	buf_put_u8(out, '"');
	while (s.len > 0) {
		if (utf8_take(&s, &c))
			put_json_char(c, out);
		else
			buf_put(out, STR("\\ufffd"));
	}
	buf_put_u8(out, '"');
}

static void
put_plain(struct str s, struct buf *out)
{
	struct str c;
	unsigned code_point;

	while (s.len > 0) {
		if (utf8_take(&s, &c) && !is_control(c, &code_point))
			buf_put(out, c);
		else
			buf_put_u8(out, '?');
	}
}

void
log_format_line(enum log_format format, int64_t wall_ms, const struct log_record *r, struct buf *out)
{
	char at[RFC3339_SIZE];

	rfc3339_put(wall_ms, at);
	switch (format) {
	case LOG_JSON:
		buf_printf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"room\":\"%s\",\"message\":", at,
		    log_level_name(r->level), r->room);
		put_json_string(r->line, out);
		buf_put(out, STR("}\n"));
		break;
	case LOG_TEXT:
		buf_printf(out, "%s %-5s %s: ", at, log_level_name(r->level), r->room);
		put_plain(r->line, out);
		buf_put(out, STR("\n"));
		break;
	}
}
