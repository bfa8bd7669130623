/* Prometheus's text format: see control_metric.h. */
#include "config.h"

#include "control/control_metric.h"

#include <inttypes.h>

#include "base/utf8.h"

#define REPLACEMENT STR("\xef\xbf\xbd")

void
control_metric_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static size_t
plain_run(struct str s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= 0x20 && s.ptr[n] < 0x7f && s.ptr[n] != '"' && s.ptr[n] != '\\')
		n++;
	return n;
}

static void
put_special(struct buf *out, struct str c, bool is_well_formed)
{
	if (!is_well_formed)
		buf_put(out, REPLACEMENT);
	else if (c.ptr[0] == '\n')
		buf_put(out, STR("\\n"));
	else if (utf8_is_control(c)) /* there is no escape for it */
		buf_put(out, REPLACEMENT);
	else if (c.ptr[0] == '"' || c.ptr[0] == '\\')
		buf_printf(out, "\\%c", c.ptr[0]);
	else
		buf_put(out, c);
}

static void
put_value(struct buf *out, struct str text)
{
	while (text.len > 0) {
		const size_t run = plain_run(text);
		struct str c;

		buf_put(out, str_first(text, run));
		text = str_skip(text, run);
		if (text.len > 0) {
			bool is_well_formed = utf8_take(&text, &c);

			put_special(out, c, is_well_formed);
		}
	}
}

static void
put_name(struct buf *out, const char *name, const struct control_metric_label *labels, size_t n)
{
	buf_put(out, str_from_cstr(name));
	for (size_t i = 0; i < n; i++) {
		buf_put(out, i == 0 ? STR("{") : STR(","));
		buf_put(out, str_from_cstr(labels[i].name));
		buf_put(out, STR("=\""));
		put_value(out, labels[i].value);
		buf_put_u8(out, '"');
	}
	buf_put(out, n > 0 ? STR("} ") : STR(" "));
}

void
control_metric_whole(
    struct buf *out, const char *name, const struct control_metric_label *labels, size_t n, uint64_t value)
{
	put_name(out, name, labels, n);
	buf_printf(out, "%" PRIu64 "\n", value);
}

void
control_metric_milli(
    struct buf *out, const char *name, const struct control_metric_label *labels, size_t n, int64_t milli)
{
	const uint64_t magnitude = milli < 0 ? -(uint64_t)milli : (uint64_t)milli;

	put_name(out, name, labels, n);
	buf_printf(out, "%s%" PRIu64 ".%03" PRIu64 "\n", milli < 0 ? "-" : "", magnitude / 1000, magnitude % 1000);
}
