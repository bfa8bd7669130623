/* Documents as text: see cli_report.h. */
#include "config.h"

#include "cli/cli_report.h"

#include <inttypes.h>

#include "base/rfc3339.h"
#include "cli/cli_json.h"
#include "cli/cli_show.h"
#include "cli/cli_table.h"

static struct str
or_dash(struct str s)
{
	return s.len > 0 ? s : STR("-");
}

static void
put_list(struct buf *out, const json_t *texts)
{
	for (size_t i = 0; i < json_array_size(texts); i++) {
		buf_put(out, i > 0 ? STR(", ") : STR(""));
		cli_text_put(out, cli_json_item_text(json_array_get(texts, i)));
	}
}

/* ---- plan ---- */

static enum err_code
put_commands(const json_t *commands, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	static const struct cli_table_column columns[] = {
		{ .title = "COMMAND", .yields = true },
		{ .title = "EVIDENCE" },
		{ .title = "REASON", .yields = true, .drops = true },
	};
	CLEANUP(cli_table_free_at)
	struct cli_table *t = cli_table_new(columns, sizeof(columns) / sizeof(columns[0]));

	if (t == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a table");
	for (size_t i = 0; i < json_array_size(commands); i++) {
		const json_t *c = json_array_get(commands, i);

		cli_table_cell(t, CLI_TEXT_PLAIN, cli_json_text(c, "command"));
		cli_table_cell(t, CLI_TEXT_PLAIN, or_dash(cli_json_text(c, "evidence")));
		cli_table_cell(t, CLI_TEXT_PLAIN, cli_json_text(c, "reason"));
	}
	return cli_table_render(t, style, out, e);
}

static void
put_held(struct buf *out, const json_t *held, const struct cli_text_style *style)
{
	for (size_t i = 0; i < json_array_size(held); i++) {
		const json_t *h = json_array_get(held, i);

		cli_text_put_toned(out, style, CLI_TEXT_WARN, STR("kept"));
		buf_put(out, STR(" in "));
		cli_text_put(out, cli_json_text(h, "backend"));
		buf_put(out, STR(": "));
		put_list(out, json_object_get(h, "servers"));
		buf_put(out, STR(": "));
		cli_text_put(out, cli_json_text(h, "reason"));
		buf_put_u8(out, '\n');
	}
}

enum err_code
cli_report_plan(const json_t *plan, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	const json_t *commands = json_object_get(plan, "commands"), *held = json_object_get(plan, "held");
	enum err_code code = ERR_OK;

	if (json_array_size(commands) == 0)
		buf_put(out, STR("nothing to do: HAProxy holds what it should\n"));
	else
		code = put_commands(commands, style, out, e);
	put_held(out, held, style);
	return code == ERR_OK ? buf_failed(out, e) : code;
}

/* ---- route ---- */

static void
put_priority(struct buf *out, const json_t *claim)
{
	buf_printf(out, "priority %lld", (long long)json_integer_value(json_object_get(claim, "priority")));
}

/* A line of the map may be there that no label and no entry asks for any more. */
static void
put_asker(struct buf *out, const json_t *route)
{
	const struct str label = cli_json_text(route, "source_label");

	if (label.len == 0)
		return;
	buf_put(out, STR("  asked for by "));
	cli_text_put(out, cli_json_text(route, "service"));
	buf_put(out, STR(": "));
	cli_text_put(out, label);
	buf_put(out, STR(", "));
	put_priority(out, route);
	buf_put_u8(out, '\n');
}

static void
put_others(struct buf *out, const json_t *others)
{
	for (size_t i = 0; i < json_array_size(others); i++) {
		const json_t *o = json_array_get(others, i);

		buf_put(out, STR("  not had by "));
		cli_text_put(out, cli_json_text(o, "service"));
		buf_put(out, STR(" of cluster "));
		cli_text_put(out, cli_json_text(o, "cluster"));
		buf_put(out, STR(", which asks for it, too: backend "));
		cli_text_put(out, cli_json_text(o, "backend"));
		buf_put(out, STR(", "));
		put_priority(out, o);
		buf_put(out, STR("; decided by "));
		cli_text_put(out, cli_json_text(o, "lost_by"));
		buf_put_u8(out, '\n');
	}
}

enum err_code
cli_report_route(const json_t *route, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	const struct str backend = cli_json_text(route, "backend"), reason = cli_json_text(route, "reason");
	const json_t *servers = json_object_get(route, "servers");

	if (backend.len == 0) {
		cli_text_put(out, reason);
		buf_put_u8(out, '\n');
		return buf_failed(out, e);
	}
	buf_put(out, STR("backend "));
	cli_text_put_toned(out, style, CLI_TEXT_TITLE, backend);
	buf_put(out, STR(", by "));
	cli_text_put(out, cli_json_text(route, "key"));
	buf_put(out, STR(" of entrypoint "));
	cli_text_put(out, cli_json_text(route, "entrypoint"));
	buf_put_u8(out, '\n');
	put_asker(out, route);
	if (json_array_size(servers) > 0) {
		buf_put(out, STR("  servers that take its calls: "));
		put_list(out, servers);
	} else {
		buf_put(out, STR("  "));
		cli_text_put_toned(out, style, CLI_TEXT_BAD, reason);
	}
	buf_put_u8(out, '\n');
	put_others(out, json_object_get(route, "others"));
	return buf_failed(out, e);
}

/* ---- events ---- */

static void
put_time(const json_t *event, struct buf *out)
{
	struct str at = cli_json_text(event, "at");
	int64_t wall_ms;

	/* Milliseconds are for sorting, not for reading. */
	if (rfc3339_parse(at, &wall_ms) && at.len > 20) {
		cli_text_put(out, str_first(at, 19));
		buf_put_u8(out, 'Z');
	} else {
		cli_text_put(out, or_dash(at));
	}
}

void
cli_report_event(const json_t *event, const struct cli_text_style *style, struct buf *out)
{
	const struct str backend = cli_json_text(event, "backend"), server = cli_json_text(event, "server"),
			 to = cli_json_text(event, "to");

	put_time(event, out);
	buf_put(out, STR("  "));
	if (backend.len > 0) {
		cli_text_put(out, backend);
		buf_put(out, server.len > 0 ? STR("/") : STR(""));
		cli_text_put(out, server);
	} else {
		cli_text_put(out, cli_json_text(event, "kind"));
	}
	buf_put(out, STR("  "));
	if (to.len > 0) {
		cli_text_put_toned(out, style, cli_show_tone(to), to);
		buf_put(out, STR("  "));
	}
	cli_text_put(out, cli_json_text(event, "message"));
	buf_put_u8(out, '\n');
}

enum err_code
cli_report_events(const json_t *events, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	if (json_array_size(events) == 0)
		buf_put(out, STR("no events\n"));
	for (size_t i = 0; i < json_array_size(events); i++)
		cli_report_event(json_array_get(events, i), style, out);
	return buf_failed(out, e);
}

/* ---- doctor ---- */

static enum cli_text_tone
tone_of(struct str result)
{
	if (str_eq(result, STR("ok")))
		return CLI_TEXT_GOOD;
	return str_eq(result, STR("warning")) ? CLI_TEXT_WARN : CLI_TEXT_BAD;
}

enum err_code
cli_report_doctor(const json_t *findings, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	static const size_t widest = sizeof("warning") - 1;

	if (json_array_size(findings) == 0)
		buf_put(out, STR("nothing was looked at\n"));
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		const struct str result = cli_json_text(f, "result"), fix = cli_json_text(f, "fix");

		cli_text_put_toned(out, style, tone_of(result), result);
		for (size_t n = result.len; n < widest + 2; n++)
			buf_put_u8(out, ' ');
		cli_text_put(out, cli_json_text(f, "check"));
		buf_put(out, STR(": "));
		cli_text_put(out, cli_json_text(f, "message"));
		buf_put_u8(out, '\n');
		if (fix.len > 0) {
			buf_put(out, STR("           "));
			cli_text_put(out, fix);
			buf_put_u8(out, '\n');
		}
	}
	return buf_failed(out, e);
}

/* ---- metrics ---- */

/* Takes `name="value",` off the front of *rest. */
static bool
take_label(struct str *rest, json_t *labels)
{
	struct buf value = buf_make(1 << 16);
	struct str name, s;
	bool ended = false;

	if (!str_next(rest, '=', &name) || !str_has_prefix(*rest, STR("\"")))
		return false;
	for (s = str_skip(*rest, 1); s.len > 0 && !ended; s = str_skip(s, 1)) {
		if (s.ptr[0] == '"') {
			ended = true;
		} else if (s.ptr[0] == '\\' && s.len > 1) {
			s = str_skip(s, 1);
			buf_put_u8(&value, s.ptr[0] == 'n' ? '\n' : (uint8_t)s.ptr[0]);
		} else {
			buf_put_u8(&value, (uint8_t)s.ptr[0]);
		}
	}
	if (ended)
		ended = json_object_setn_new(labels, name.ptr, name.len,
			    json_stringn(value.len > 0 ? (const char *)value.ptr : "", value.len)) == 0;
	buf_free(&value);
	*rest = str_has_prefix(s, STR(",")) ? str_skip(s, 1) : s;
	return ended;
}

/* As control_metric writes them: 12, 1.500, -1.500. */
static json_t *
number_of(struct str text)
{
	const bool is_negative = str_has_prefix(text, STR("-"));
	struct str fraction = str_skip(text, is_negative ? 1 : 0), whole;
	uint64_t units, milli = 0;

	if (!str_next(&fraction, '.', &whole) || !str_to_u64(whole, INT64_MAX, &units))
		return NULL;
	if (fraction.len == 0)
		return json_integer(is_negative ? -(json_int_t)units : (json_int_t)units);
	if (fraction.len != 3 || !str_to_u64(fraction, 999, &milli))
		return NULL;
	return json_real((is_negative ? -1.0 : 1.0) * ((double)units + (double)milli / 1000));
}

static json_t *
sample_of(struct str line)
{
	json_t *labels = json_object();
	struct str name = line, rest;
	size_t end = 0;
	bool ok = labels != NULL;

	while (end < line.len && line.ptr[end] != '{' && line.ptr[end] != ' ')
		end++;
	name = str_first(line, end);
	rest = str_skip(line, end);
	if (str_has_prefix(rest, STR("{"))) {
		rest = str_skip(rest, 1);
		while (ok && !str_has_prefix(rest, STR("}")))
			ok = rest.len > 0 && take_label(&rest, labels);
		rest = str_skip(rest, 1);
	}
	return json_pack("{s:s%, s:o, s:o}", "name", name.ptr, name.len, "labels", labels, "value",
	    ok ? number_of(str_trim(rest)) : NULL);
}

json_t *
cli_report_metrics(struct str text)
{
	json_t *all = json_array();
	struct str line;

	while (all != NULL && str_next(&text, '\n', &line)) {
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (json_array_append_new(all, sample_of(line)) != 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}
