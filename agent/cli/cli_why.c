/*
 * One task explained: see cli_why.h.
 *
 * The task's document names its servers; how they stand is in the documents of
 * their backends, so that both are looked at together.
 */
#include "config.h"

#include "cli/cli_why.h"

#include <inttypes.h>

#include "cli/cli_json.h"
#include "cli/cli_show.h"

typedef void endpoint_fn(void *arg, const json_t *container, const json_t *endpoint);

static void
each_endpoint(const json_t *task, endpoint_fn *fn, void *arg)
{
	const json_t *containers = json_object_get(task, "containers");

	for (size_t c = 0; c < json_array_size(containers); c++) {
		const json_t *container = json_array_get(containers, c);
		const json_t *endpoints = json_object_get(container, "endpoints");

		for (size_t i = 0; i < json_array_size(endpoints); i++)
			fn(arg, container, json_array_get(endpoints, i));
	}
}

struct str
cli_why_backend(struct str full)
{
	size_t at;

	return str_find(full, '/', &at) ? str_first(full, at) : full;
}

/* full: "BACKEND/NAME".  Null: it went away between two questions. */
static const json_t *
find_server(const json_t *backends, struct str full)
{
	struct str backend = cli_why_backend(full);

	for (size_t b = 0; b < json_array_size(backends); b++) {
		const json_t *candidate = json_array_get(backends, b);
		const json_t *servers = json_object_get(candidate, "servers");

		if (!str_eq(cli_json_text(candidate, "name"), backend))
			continue;
		for (size_t s = 0; s < json_array_size(servers); s++)
			if (str_eq(cli_json_text(json_array_get(servers, s), "name"), str_skip(full, backend.len + 1)))
				return json_array_get(servers, s);
	}
	return NULL;
}

/* ---- the first lines ---- */

struct heading {
	struct buf *out;
	const json_t *task, *backends;
	const struct cli_text_style *style;
	size_t n_servers;
	const json_t *blocked; /* the endpoint that tells most about why there is no traffic */
};

static void
put_who(struct buf *out, const json_t *task)
{
	cli_text_put(out, cli_json_text(task, "service"));
	buf_put_u8(out, ' ');
	cli_text_put(out, cli_json_text(task, "task"));
	buf_put(out, STR(": "));
}

/* Why it stands so; of a hold whose hand it is, and how to end it: nothing that ECS says will. */
static void
put_because(struct buf *out, const json_t *server)
{
	struct str reason = server != NULL ? cli_json_text(server, "reason") : STR("");
	bool is_held = reason.len > 0 && str_eq(cli_json_text(server, "state"), STR("held"));

	if (reason.len == 0)
		return;
	cli_show_put_label(out, "  ", is_held ? STR("held") : STR("because"));
	cli_text_put(out, reason);
	if (!is_held) {
		buf_put_u8(out, '\n');
		return;
	}
	buf_put(out, STR("; `rollcall ready "));
	cli_text_put(out, cli_json_text(server, "backend"));
	buf_put_u8(out, '/');
	cli_text_put(out, cli_json_text(server, "name"));
	buf_put(out, STR("` ends that\n"));
}

static void
put_place(struct heading *h, struct str full)
{
	struct str backend = cli_why_backend(full);
	const json_t *server = find_server(h->backends, full);
	struct str state = server != NULL ? cli_json_text(server, "state") : STR("gone");

	put_who(h->out, h->task);
	buf_put(h->out, STR("in "));
	cli_text_put(h->out, backend);
	buf_put(h->out, STR(" as "));
	cli_text_put(h->out, str_skip(full, backend.len + 1));
	buf_put(h->out, STR(", "));
	cli_text_put_toned(h->out, h->style, cli_show_tone(state), state);
	buf_put_u8(h->out, '\n');
	put_because(h->out, server);
	h->n_servers++;
}

/* An endpoint that some backend claims says more than one that none claims. */
static int
weight_of(const json_t *endpoint)
{
	if (endpoint == NULL)
		return 0;
	if (cli_json_text(endpoint, "backend").len > 0)
		return 3;
	return str_eq(cli_json_text(endpoint, "reason"), STR("not_selected")) ? 1 : 2;
}

static void
head_endpoint(void *arg, const json_t *container, const json_t *endpoint)
{
	struct heading *h = arg;
	const json_t *servers = json_object_get(endpoint, "servers");

	(void)container;
	for (size_t i = 0; i < json_array_size(servers); i++)
		put_place(h, cli_json_item_text(json_array_get(servers, i)));
	if (weight_of(endpoint) > weight_of(h->blocked))
		h->blocked = endpoint;
}

static void
put_reason(struct buf *out, const struct cli_text_style *style, struct str reason, struct str message)
{
	cli_text_put_toned(out, style, CLI_TEXT_BAD, reason);
	buf_put(out, STR(": "));
	cli_text_put(out, message);
}

/* Nothing is said of any of its containers: ECS has not told us enough yet. */
static void
put_unknown_reason(struct heading *h)
{
	struct str status = cli_json_text(h->task, "last_status");

	if (str_eq(status, STR("RUNNING"))) {
		put_reason(h->out, h->style, STR("not_selected"), STR("its task definition has not been read yet"));
		return;
	}
	put_reason(h->out, h->style, STR("not_running"), STR("ECS calls it "));
	cli_text_put(h->out, status);
}

static void
put_no_traffic(struct heading *h)
{
	struct str reason = cli_json_text(h->blocked, "reason");

	put_who(h->out, h->task);
	buf_put(h->out, STR("no traffic: "));
	if (h->blocked == NULL)
		put_unknown_reason(h);
	else
		put_reason(h->out, h->style, reason, cli_json_text(h->blocked, "message"));
	buf_put_u8(h->out, '\n');
}

/* ---- what is below ---- */

static void
put_task(struct buf *out, const json_t *task)
{
	cli_show_put_label(out, "  ", STR("task"));
	cli_text_put(out, cli_json_text(task, "task_arn"));
	buf_put(out, STR("\n"));
	cli_show_put_label(out, "  ", STR("revision"));
	buf_printf(out, "%" PRId64 ", in cluster ", cli_json_count(task, "revision"));
	cli_text_put(out, cli_json_text(task, "cluster"));
	buf_put_u8(out, '\n');
	cli_show_put_label(out, "  ", STR("status"));
	cli_text_put(out, cli_json_text(task, "last_status"));
	buf_put(out, STR(", wanted "));
	cli_text_put(out, cli_json_text(task, "desired_status"));
	buf_put(out, STR(", health "));
	cli_text_put(out, cli_json_text(task, "health"));
	buf_put_u8(out, '\n');
}

static void
put_server(struct buf *out, const json_t *server, const struct cli_text_style *style)
{
	struct str state = cli_json_text(server, "state");

	cli_show_put_address(out, server);
	buf_put(out, STR(", "));
	cli_text_put_toned(out, style, cli_show_tone(state), state);
	cli_text_put_since(out, style, cli_json_text(server, "since"));
	buf_printf(out, ", weight %" PRId64 ", ", cli_json_count(server, "weight"));
	cli_text_put_count(out, cli_json_count(server, "sessions"), "stream");
	buf_put(out, STR(", evidence: "));
	cli_text_put(out, cli_json_text(server, "evidence"));
	buf_put_u8(out, '\n');
}

static void
put_endpoint_head(struct buf *out, const json_t *container, const json_t *endpoint)
{
	struct str name = cli_json_text(endpoint, "name"), backend = cli_json_text(endpoint, "backend");
	int64_t port;

	cli_show_put_label(out, "  ", STR("container"));
	cli_text_put(out, cli_json_text(container, "name"));
	if (name.len > 0) {
		buf_put(out, STR(", endpoint "));
		cli_text_put(out, name);
	}
	if (cli_json_number(endpoint, "port", &port))
		buf_printf(out, ", port %" PRId64, port);
	if (backend.len > 0) {
		buf_put(out, STR(", for backend "));
		cli_text_put(out, backend);
	}
}

struct details {
	struct buf *out;
	const json_t *backends;
	const struct cli_text_style *style;
	const json_t *said; /* the endpoint whose message is in the first line */
};

static void
put_obstacle(const struct details *d, const json_t *endpoint)
{
	struct str reason = cli_json_text(endpoint, "reason"), message = cli_json_text(endpoint, "message");

	if (message.len == 0)
		return;
	buf_put(d->out, STR(": "));
	if (endpoint == d->said)
		cli_text_put_toned(d->out, d->style, CLI_TEXT_BAD, reason);
	else
		put_reason(d->out, d->style, reason, message);
}

/* What gives us time between the news of its end and its SIGTERM. */
static void
put_head_start(struct buf *out, const json_t *container)
{
	struct str held_by = cli_json_text(container, "held_by");

	if (!json_is_string(json_object_get(container, "held_by")))
		return; /* its definition is not known */
	cli_show_put_label(out, "    ", STR("head start"));
	if (held_by.len > 0) {
		buf_put(out, STR("ECS stops it only after container "));
		cli_text_put(out, held_by);
		buf_put_u8(out, '\n');
	} else {
		buf_put(
		    out, STR("none by ECS: it should serve on for some seconds after SIGTERM, or see docs/hold.md\n"));
	}
}

static void
detail_endpoint(void *arg, const json_t *container, const json_t *endpoint)
{
	const struct details *d = arg;
	const json_t *servers = json_object_get(endpoint, "servers");

	put_endpoint_head(d->out, container, endpoint);
	put_obstacle(d, endpoint);
	buf_put_u8(d->out, '\n');
	if (json_array_size(servers) > 0)
		put_head_start(d->out, container);
	for (size_t i = 0; i < json_array_size(servers); i++) {
		struct str full = cli_json_item_text(json_array_get(servers, i));
		const json_t *server = find_server(d->backends, full);

		cli_show_put_label(d->out, "    ", full);
		if (server != NULL)
			put_server(d->out, server, d->style);
		else
			buf_put(d->out, STR("gone by now\n"));
	}
}

static void
put_silent_containers(struct buf *out, const json_t *task)
{
	const json_t *containers = json_object_get(task, "containers");

	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *container = json_array_get(containers, i);

		if (json_array_size(json_object_get(container, "endpoints")) > 0)
			continue;
		cli_show_put_label(out, "  ", STR("container"));
		cli_text_put(out, cli_json_text(container, "name"));
		buf_put(out, STR(", not exposed\n"));
	}
}

enum err_code
cli_why_task(
    const json_t *task, const json_t *backends, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	struct heading h = { .out = out, .task = task, .backends = backends, .style = style };
	struct details d = { .out = out, .backends = backends, .style = style };

	each_endpoint(task, head_endpoint, &h);
	if (h.n_servers == 0) {
		put_no_traffic(&h);
		d.said = h.blocked;
	}
	put_task(out, task);
	each_endpoint(task, detail_endpoint, &d);
	put_silent_containers(out, task);
	return buf_failed(out, e);
}

enum err_code
cli_why_server(const json_t *server, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	struct str state = cli_json_text(server, "state");

	buf_put(out, STR("- -: in "));
	cli_text_put(out, cli_json_text(server, "backend"));
	buf_put(out, STR(" as "));
	cli_text_put(out, cli_json_text(server, "name"));
	buf_put(out, STR(", "));
	cli_text_put_toned(out, style, cli_show_tone(state), state);
	buf_put(out, STR("\n"));
	put_because(out, server);
	cli_show_put_label(out, "  ", STR("server"));
	put_server(out, server, style);
	return buf_failed(out, e);
}
