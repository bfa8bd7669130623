/*
 * Documents as text: see cli_show.h.
 *
 * status is read at three in the morning: what is wrong stands last, where the eye
 * is, and says what to do; messages are never cut.
 */
#include "config.h"

#include "cli/cli_show.h"

#include <inttypes.h>

#include "base/rfc3339.h"
#include "cli/cli_json.h"
#include "cli/cli_table.h"

#define LABEL_WIDTH     18
#define BACKEND_COLUMNS 9 /* and one each for what a backend rarely is */
#define TASK_ID_SHOWN   8 /* characters, on a terminal: enough for `why` */

static const char *const states[] = { "ready", "joining", "down", "draining", "ejected", "held" };

#define N_STATES (sizeof(states) / sizeof(states[0]))

enum cli_text_tone
cli_show_tone(struct str state)
{
	if (str_eq(state, STR("ready")))
		return CLI_TEXT_GOOD;
	if (str_eq(state, STR("joining")) || str_eq(state, STR("draining")))
		return CLI_TEXT_WARN;
	return CLI_TEXT_BAD;
}

static struct str
or_dash(struct str s)
{
	return s.len > 0 ? s : STR("-");
}

/* ---- status ---- */

void
cli_show_put_label(struct buf *out, const char *indent, struct str name)
{
	size_t columns = cli_text_columns(str_from_cstr(indent)) + cli_text_columns(name);

	buf_put(out, str_from_cstr(indent));
	cli_text_put(out, name);
	do
		buf_put_u8(out, ' ');
	while (++columns < LABEL_WIDTH);
}

static void
put_head(struct buf *out, const json_t *status, const struct cli_text_style *style)
{
	size_t problems = json_array_size(json_object_get(status, "problems"));

	buf_put(out, STR("rollcalld "));
	cli_text_put(out, or_dash(cli_json_text(status, "version")));
	buf_put(out, STR(", up "));
	cli_text_put_duration(out, cli_json_count(status, "uptime_ms"));
	buf_put(out, STR(", "));
	if (problems == 0) {
		cli_text_put_toned(out, style, CLI_TEXT_GOOD, STR("no problems"));
	} else {
		struct buf text = buf_make(64);

		cli_text_put_count(&text, (int64_t)problems, "problem");
		cli_text_put_toned(out, style, CLI_TEXT_BAD, buf_str(&text));
		buf_free(&text);
	}
	buf_put_u8(out, '\n');
}

static void
put_config(struct buf *out, const json_t *config, const struct cli_text_style *style)
{
	cli_show_put_label(out, "  ", STR("configuration"));
	cli_text_put(out, or_dash(cli_json_text(config, "path")));
	buf_put(out, STR(", loaded "));
	cli_text_put_ago(out, style, cli_json_text(config, "loaded_at"));
	if (cli_json_text(config, "refused").len > 0)
		cli_text_put_toned(out, style, CLI_TEXT_BAD, STR(", a newer one was refused"));
	buf_put_u8(out, '\n');
}

static void
put_cluster_age(struct buf *out, const json_t *cluster)
{
	int64_t age_ms;

	if (!cli_json_number(cluster, "age_ms", &age_ms)) {
		buf_put(out, STR("not read yet"));
		if (cli_json_bool(cluster, "from_disk"))
			buf_put(out, STR(", tasks of the last run"));
		return;
	}
	cli_text_put_count(out, cli_json_count(cluster, "tasks"), "task");
	buf_put(out, STR(", read "));
	cli_text_put_duration(out, age_ms);
	buf_put(out, STR(" ago"));
}

static void
put_cluster(struct buf *out, const json_t *cluster, const struct cli_text_style *style)
{
	struct str error = cli_json_text(cluster, "error");

	cli_show_put_label(out, "    ", cli_json_text(cluster, "name"));
	put_cluster_age(out, cluster);
	if (error.len > 0) {
		buf_put(out, STR(": "));
		cli_text_put_toned(out, style, CLI_TEXT_BAD, error);
	}
	buf_put_u8(out, '\n');
}

static void
put_stretched(struct buf *out, const json_t *stretched)
{
	int64_t watch_ms, refresh_ms;

	if (!cli_json_number(stretched, "watch_ms", &watch_ms) ||
	    !cli_json_number(stretched, "refresh_ms", &refresh_ms))
		return;
	buf_put(out, STR(", stretched: watch "));
	cli_text_put_duration(out, watch_ms);
	buf_put(out, STR(", refresh "));
	cli_text_put_duration(out, refresh_ms);
}

static void
put_source(struct buf *out, const json_t *source, const struct cli_text_style *style)
{
	const json_t *clusters = json_object_get(source, "clusters");
	struct str credentials = cli_json_text(source, "credentials"), account = cli_json_text(source, "account");
	int64_t budget;

	cli_show_put_label(out, "  ", STR("ecs"));
	cli_text_put(out, cli_json_text(source, "name"));
	if (account.len > 0) {
		buf_put(out, STR(", account "));
		cli_text_put(out, account);
	}
	buf_put(out, credentials.len > 0 ? STR(", keys from ") : STR(", no keys yet"));
	cli_text_put(out, credentials);
	buf_put(out, STR(", "));
	cli_text_put_count(out, cli_json_count(source, "calls"), "call");
	buf_printf(out, ", %" PRId64 " throttled", cli_json_count(source, "throttles"));
	if (cli_json_number(source, "budget_used_percent", &budget))
		buf_printf(out, ", %" PRId64 " %% of rate_limit used", budget);
	put_stretched(out, json_object_get(source, "stretched"));
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < json_array_size(clusters); i++)
		put_cluster(out, json_array_get(clusters, i), style);
}

static void
put_haproxy_state(struct buf *out, const json_t *haproxy, const struct cli_text_style *style)
{
	struct str error = cli_json_text(haproxy, "last_error"), synced = cli_json_text(haproxy, "last_sync_at");

	if (!cli_json_bool(haproxy, "connected")) {
		cli_text_put_toned(out, style, CLI_TEXT_BAD, STR("not reached"));
	} else if (cli_json_bool(haproxy, "in_step")) {
		cli_text_put_toned(out, style, CLI_TEXT_GOOD, STR("in step"));
	} else {
		cli_text_put_toned(out, style, CLI_TEXT_WARN, STR("not in step"));
		buf_put(out, STR(" (last: "));
		cli_text_put_ago(out, style, synced);
		buf_put_u8(out, ')');
	}
	if (error.len > 0) {
		buf_put(out, STR(": "));
		cli_text_put_toned(out, style, CLI_TEXT_BAD, error);
	}
}

static void
put_haproxy(struct buf *out, const json_t *haproxy, const struct cli_text_style *style)
{
	struct str version = cli_json_text(haproxy, "version");
	int64_t pid;

	cli_show_put_label(out, "  ", STR("haproxy"));
	cli_text_put(out, or_dash(cli_json_text(haproxy, "address")));
	buf_put(out, STR(", "));
	if (version.len > 0) {
		buf_put(out, STR("version "));
		cli_text_put(out, version);
		buf_put(out, STR(", "));
	}
	if (cli_json_number(haproxy, "pid", &pid))
		buf_printf(out, "pid %" PRId64 ", ", pid);
	put_haproxy_state(out, haproxy, style);
	buf_put_u8(out, '\n');
}

/* Only where `spoe` is configured. */
static void
put_spoe(struct buf *out, const json_t *spoe, const struct cli_text_style *style)
{
	int64_t errors = cli_json_count(spoe, "errors"), dropped = cli_json_count(spoe, "dropped");
	struct str last = cli_json_text(spoe, "last_error");

	if (!json_is_object(spoe))
		return;
	cli_show_put_label(out, "  ", STR("spoe"));
	cli_text_put(out, or_dash(cli_json_text(spoe, "address")));
	buf_put(out, STR(", "));
	if (!cli_json_bool(spoe, "listening"))
		cli_text_put_toned(out, style, CLI_TEXT_BAD, STR("not listening, "));
	cli_text_put_count(out, cli_json_count(spoe, "connections"), "connection");
	buf_printf(out, ", %" PRId64 " notified, %" PRId64 " dropped, ", cli_json_count(spoe, "notifies"), dropped);
	cli_text_put_count(out, errors, "error");
	if (last.len > 0) {
		buf_put(out, STR(", the last "));
		cli_text_put_ago(out, style, cli_json_text(spoe, "last_error_at"));
		buf_put(out, STR(": "));
		cli_text_put(out, last);
	}
	buf_put_u8(out, '\n');
}

/* "2 ready, 1 joining in 1 backend"; what there is none of isn't named, but ready. */
static void
put_servers(struct buf *out, const json_t *status)
{
	const json_t *servers = json_object_get(status, "servers");

	cli_show_put_label(out, "  ", STR("servers"));
	buf_printf(out, "%" PRId64 " ready", cli_json_count(servers, "ready"));
	for (size_t i = 0; i < N_STATES; i++) {
		int64_t n = cli_json_count(servers, states[i]);

		if (n > 0 && !str_eq(str_from_cstr(states[i]), STR("ready")))
			buf_printf(out, ", %" PRId64 " %s", n, states[i]);
	}
	buf_put(out, STR(" in "));
	cli_text_put_count(out, cli_json_count(status, "backends"), "backend");
	buf_put_u8(out, '\n');
}

/* What operators have asked for; ordinarily nothing. */
static void
put_overrides(struct buf *out, const json_t *status)
{
	int64_t holds = cli_json_count(status, "holds"), pauses = cli_json_count(status, "pauses");

	if (holds == 0 && pauses == 0)
		return;
	cli_show_put_label(out, "  ", STR("operator"));
	cli_text_put_count(out, holds, "hold");
	buf_put(out, STR(", "));
	cli_text_put_count(out, pauses, "pause");
	buf_put_u8(out, '\n');
}

static void
put_frozen(struct buf *out, const json_t *frozen, const struct cli_text_style *style)
{
	if (json_array_size(frozen) == 0)
		return;
	cli_show_put_label(out, "  ", STR("frozen"));
	for (size_t i = 0; i < json_array_size(frozen); i++) {
		buf_put(out, i > 0 ? STR(", ") : STR(""));
		cli_text_put_toned(out, style, CLI_TEXT_BAD, cli_json_item_text(json_array_get(frozen, i)));
	}
	buf_put_u8(out, '\n');
}

static void
put_problems(struct buf *out, const json_t *problems, const struct cli_text_style *style)
{
	if (json_array_size(problems) > 0)
		buf_put_u8(out, '\n');
	for (size_t i = 0; i < json_array_size(problems); i++) {
		const json_t *problem = json_array_get(problems, i);

		cli_text_put_toned(out, style, CLI_TEXT_BAD, cli_json_text(problem, "where"));
		buf_put(out, STR(": "));
		cli_text_put(out, cli_json_text(problem, "message"));
		buf_put_u8(out, '\n');
	}
}

enum err_code
cli_show_status(const json_t *status, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	const json_t *sources = json_object_get(status, "sources");

	put_head(out, status, style);
	put_config(out, json_object_get(status, "config"), style);
	for (size_t i = 0; i < json_array_size(sources); i++)
		put_source(out, json_array_get(sources, i), style);
	put_haproxy(out, json_object_get(status, "haproxy"), style);
	put_spoe(out, json_object_get(status, "spoe"), style);
	put_servers(out, status);
	put_overrides(out, status);
	put_frozen(out, json_object_get(status, "frozen"), style);
	put_problems(out, json_object_get(status, "problems"), style);
	return buf_failed(out, e);
}

/* ---- backends ---- */

static int64_t
count_in_state(const json_t *servers, const char *state)
{
	int64_t n = 0;

	for (size_t i = 0; i < json_array_size(servers); i++)
		n += str_eq(cli_json_text(json_array_get(servers, i), "state"), str_from_cstr(state));
	return n;
}

static bool
any(const json_t *backends, const char *name)
{
	for (size_t i = 0; i < json_array_size(backends); i++)
		if (cli_json_bool(json_array_get(backends, i), name))
			return true;
	return false;
}

static void
add_flag(struct cli_table *t, const json_t *backend, const char *name)
{
	bool on = cli_json_bool(backend, name);

	cli_table_cell(t, on ? CLI_TEXT_BAD : CLI_TEXT_PLAIN, on ? STR("yes") : STR("no"));
}

static void
add_backend(struct cli_table *t, const json_t *backend, bool with_frozen, bool with_paused)
{
	const json_t *servers = json_object_get(backend, "servers");

	cli_table_cell(t, CLI_TEXT_PLAIN, cli_json_text(backend, "name"));
	cli_table_cell(t, CLI_TEXT_PLAIN, or_dash(cli_json_text(backend, "kind")));
	cli_table_cell(t, CLI_TEXT_PLAIN, or_dash(cli_json_text(backend, "strategy")));
	for (size_t i = 0; i < N_STATES; i++)
		cli_table_number(t, count_in_state(servers, states[i]));
	if (with_frozen)
		add_flag(t, backend, "frozen");
	if (with_paused)
		add_flag(t, backend, "paused");
}

/* What the daemon has to say of some of them: behind the table, which has no room for it. */
static void
put_messages(struct buf *out, const json_t *backends)
{
	for (size_t i = 0; i < json_array_size(backends); i++) {
		const json_t *backend = json_array_get(backends, i);
		struct str message = cli_json_text(backend, "message");

		if (message.len == 0)
			continue;
		cli_text_put(out, cli_json_text(backend, "name"));
		buf_put(out, STR(": "));
		cli_text_put(out, message);
		buf_put_u8(out, '\n');
	}
}

enum err_code
cli_show_backends(const json_t *backends, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	struct cli_table_column columns[BACKEND_COLUMNS + 2] = {
		{ .title = "BACKEND", .yields = true },
		{ .title = "KIND", .drops = true },
		{ .title = "STRATEGY", .drops = true },
		{ .title = "READY", .right = true },
		{ .title = "JOINING", .right = true },
		{ .title = "DOWN", .right = true },
		{ .title = "DRAINING", .right = true },
		{ .title = "EJECTED", .right = true, .drops = true },
		{ .title = "HELD", .right = true, .drops = true },
	};
	size_t n_columns = BACKEND_COLUMNS;
	CLEANUP(cli_table_free_at) struct cli_table *t = NULL;
	bool with_frozen = any(backends, "frozen"), with_paused = any(backends, "paused");
	enum err_code code;

	if (json_array_size(backends) == 0) {
		buf_put(out, STR("no backends: `backends` in the configuration names none\n"));
		return buf_failed(out, e);
	}
	if (with_frozen)
		columns[n_columns++] = (struct cli_table_column){ .title = "FROZEN" };
	if (with_paused)
		columns[n_columns++] = (struct cli_table_column){ .title = "PAUSED" };
	t = cli_table_new(columns, n_columns);
	if (t == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a table");
	for (size_t i = 0; i < json_array_size(backends); i++)
		add_backend(t, json_array_get(backends, i), with_frozen, with_paused);
	code = cli_table_render(t, style, out, e);
	if (code != ERR_OK)
		return code;
	put_messages(out, backends);
	return buf_failed(out, e);
}

/* ---- servers ---- */

static void
add_full_name(struct cli_table *t, const json_t *server)
{
	struct buf name = buf_make(CLI_SHOW_TEXT_MAX);

	buf_put(&name, cli_json_text(server, "backend"));
	buf_put_u8(&name, '/');
	buf_put(&name, cli_json_text(server, "name"));
	cli_table_cell(t, CLI_TEXT_PLAIN, buf_str(&name));
	buf_free(&name);
}

void
cli_show_put_address(struct buf *out, const json_t *server)
{
	struct str address = cli_json_text(server, "address");
	size_t at;
	bool is_ipv6 = str_find(address, ':', &at);

	buf_put(out, is_ipv6 ? STR("[") : STR(""));
	cli_text_put(out, address);
	buf_put(out, is_ipv6 ? STR("]") : STR(""));
	buf_printf(out, ":%" PRId64, cli_json_count(server, "port"));
}

static void
add_address(struct cli_table *t, const json_t *server)
{
	struct buf text = buf_make(CLI_SHOW_TEXT_MAX);

	cli_show_put_address(&text, server);
	cli_table_cell(t, CLI_TEXT_PLAIN, buf_str(&text));
	buf_free(&text);
}

/* On a terminal how long, elsewhere since when: scripts like that better. */
static void
add_since(struct cli_table *t, const json_t *server, const struct cli_text_style *style)
{
	struct buf text = buf_make(CLI_SHOW_TEXT_MAX);
	struct str since = cli_json_text(server, "since");
	int64_t then_ms;

	if (style->width > 0 && rfc3339_parse(since, &then_ms))
		cli_text_put_rough_duration(&text, style->wall_ms - then_ms);
	else
		buf_put(&text, or_dash(since));
	cli_table_cell(t, CLI_TEXT_PLAIN, buf_str(&text));
	buf_free(&text);
}

static void
add_server(struct cli_table *t, const json_t *server, const struct cli_text_style *style)
{
	struct str state = cli_json_text(server, "state"), task = cli_json_text(server, "task");

	add_full_name(t, server);
	cli_table_cell(t, cli_show_tone(state), or_dash(state));
	add_since(t, server, style);
	cli_table_number(t, cli_json_count(server, "weight"));
	cli_table_number(t, cli_json_count(server, "sessions"));
	add_address(t, server);
	cli_table_cell(t, CLI_TEXT_PLAIN, or_dash(cli_json_text(server, "service")));
	cli_table_cell(t, CLI_TEXT_PLAIN, or_dash(style->width > 0 ? str_first(task, TASK_ID_SHOWN) : task));
	cli_table_cell(t, CLI_TEXT_PLAIN, cli_json_text(server, "reason"));
}

enum err_code
cli_show_servers(const json_t *servers, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	static const struct cli_table_column columns[] = {
		{ .title = "SERVER", .yields = true },
		{ .title = "STATE" },
		{ .title = "SINCE", .drops = true },
		{ .title = "WEIGHT", .right = true, .drops = true },
		{ .title = "STREAMS", .right = true, .drops = true },
		{ .title = "ADDRESS" },
		{ .title = "SERVICE", .yields = true, .drops = true },
		{ .title = "TASK" },
		{ .title = "REASON", .yields = true, .drops = true },
	};
	CLEANUP(cli_table_free_at) struct cli_table *t = NULL;

	if (json_array_size(servers) == 0) {
		buf_put(
		    out, STR("no servers: no task has one in HAProxy now (`rollcall why TASK` tells the reason)\n"));
		return buf_failed(out, e);
	}
	t = cli_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	if (t == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a table");
	for (size_t i = 0; i < json_array_size(servers); i++)
		add_server(t, json_array_get(servers, i), style);
	return cli_table_render(t, style, out, e);
}
