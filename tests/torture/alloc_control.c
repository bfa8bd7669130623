/* Operators without memory: orders, what has changed, events, answers, and the command that shows them. */
#include "config.h"

#include "alloc.h"

#include <stdlib.h>

#include <jansson.h>

#include "aws/creds_recipe.h"
#include "cli/cli_report.h"
#include "cli/cli_show.h"
#include "cli/cli_why.h"
#include "control/control_events.h"
#include "control/control_order.h"
#include "control/control_track.h"
#include "control_story.h"
#include "plan_apply.h"
#include "sync/reconcile.h"

#define TEXT_MAX ((size_t)1 << 20)
#define WALL_MS  CONTROL_STORY_WALL_MS
#define N_OF(a)  (sizeof(a) / sizeof((a)[0]))

/* ---- orders ---- */

static const struct reconcile_order orders[] = {
	{ .kind = RECONCILE_DRAIN_SERVER, .backend = { "grpc", 4 }, .server = { "rc_1", 4 }, .for_ms = 60000 },
	{ .kind = RECONCILE_WEIGH_SERVER, .backend = { "grpc", 4 }, .server = { "rc_2", 4 }, .weight = 7 },
	{ .kind = RECONCILE_WEIGH_SERVER, .backend = { "grpc", 4 }, .server = { "rc_2", 4 }, .weight_is_auto = true },
	{ .kind = RECONCILE_READY_SERVER, .backend = { "grpc", 4 }, .server = { "rc_1", 4 } },
	{ .kind = RECONCILE_PAUSE_BACKEND, .backend = { "web", 3 }, .for_ms = 1000 },
	{ .kind = RECONCILE_RESUME_BACKEND, .backend = { "web", 3 } },
	{ .kind = RECONCILE_PAUSE_BACKEND, .backend = { "", 0 } },
	{ .kind = RECONCILE_RELEASE_BACKEND, .backend = { "grpc", 4 } },
};

static struct actual *
read_back(const struct control_story *s)
{
	const struct plan nothing = { 0 };
	struct actual *copy = NULL;
	const bool was = torture_pause(true);
	enum err_code code = plan_apply(&nothing, s->facts.actual, &copy, NULL);

	(void)torture_pause(was);
	return code == ERR_OK ? copy : NULL;
}

static void
pass(struct reconcile *r, const struct control_story *s, int64_t at_ms)
{
	static struct reconcile_actions todo;
	struct reconcile_event ev = { .kind = RECONCILE_ACTUAL, .mono_ms = at_ms, .actual = read_back(s) };
	struct hap_exec_report report = { 0 };

	reconcile_feed(r, &ev, &todo);
	if (todo.execute != NULL) {
		ev = (struct reconcile_event){ .kind = RECONCILE_EXECUTED, .mono_ms = at_ms, .report = &report };
		reconcile_feed(r, &ev, &todo);
	}
}

/* An order that was not taken down changed nothing: said again, with memory, it is. */
static enum err_code
give_orders(struct reconcile *r)
{
	struct buf said = buf_make(TEXT_MAX);
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < N_OF(orders); i++) {
		enum err_code now = reconcile_order(r, &orders[i], WALL_MS, &said, NULL);

		if (now != ERR_OK && now != ERR_NOMEM)
			code = ERR_CANCELLED;
		(void)torture_pause(true);
		buf_reset(&said);
		if (reconcile_order(r, &orders[i], WALL_MS, &said, NULL) != ERR_OK || said.len == 0)
			code = ERR_CANCELLED;
		(void)torture_pause(false);
	}
	buf_free(&said);
	return code;
}

static enum err_code
order_all(void *arg)
{
	static struct reconcile_actions todo;
	const struct control_story *s = arg;
	const struct reconcile_event roster = { .kind = RECONCILE_ROSTER, .roster = s->roster };
	const struct plan_ejection ejected = { { STR("grpc"), STR("arn:a"), STR("app"), 50051 }, STR("12 errors") };
	struct conf conf = s->conf;
	struct reconcile *r = NULL;
	enum err_code code;

	conf.haproxy.apply = true;
	code = reconcile_new(&(struct reconcile_config){ .conf = &conf }, &r, NULL);
	if (code != ERR_OK)
		return code;
	(void)torture_pause(true);
	reconcile_feed(r, &roster, &todo);
	pass(r, s, 1000);
	(void)torture_pause(false);
	code = give_orders(r);
	if (code == ERR_OK)
		code = reconcile_eject(r, &(struct plan_ejections){ &ejected, 1 }, NULL);
	pass(r, s, 2000);
	(void)torture_pause(true); /* there is memory again: the holds are kept */
	pass(r, s, 3000);
	if (overlay_find_pause(reconcile_view(r).overlay, STR("grpc")) == NULL)
		code = ERR_CANCELLED;
	(void)torture_pause(false);
	reconcile_free(r);
	return code;
}

/* ---- what has changed ---- */

static void
count(void *arg, enum log_level level, const struct control_event *ev)
{
	size_t *n = arg;

	(void)level;
	*n += ev->message.len > 0 ? 1 : 0;
}

static enum err_code
track(void *arg)
{
	const struct control_story *s = arg;
	const struct reconcile_view full = {
		.desired = s->facts.desired, .actual = s->facts.actual, .plan = s->facts.plan
	};
	struct plan emptied = *s->facts.plan;
	const struct reconcile_view none = { .desired = full.desired, .actual = full.actual, .plan = &emptied };
	struct hap_exec_report report = { .done = s->facts.plan->n_steps };
	struct control_track *t = NULL;
	size_t n = 0;
	const struct control_track_sink to = { .add = count, .arg = &n };
	enum err_code code = control_track_new(&t, NULL);

	if (code != ERR_OK)
		return code;
	emptied.n_backends = 0;
	control_track_passed(t, &full, WALL_MS, &to);
	control_track_ran(t, s->facts.plan, &report, 5, WALL_MS, &to);
	control_track_passed(t, &none, WALL_MS, &to);
	control_track_passed(t, &full, WALL_MS, &to);
	(void)torture_pause(true); /* there is memory again: changes are told */
	n = 0;
	control_track_passed(t, &full, WALL_MS, &to);
	control_track_passed(t, &none, WALL_MS, &to);
	(void)torture_pause(false);
	control_track_free(t);
	return n > 0 ? ERR_OK : ERR_CANCELLED;
}

static enum err_code
note_events(void *arg)
{
	const struct control_event draft = { .kind = "server", .backend = STR("grpc"), .message = STR("it is up") };
	struct control_events_query all = { .after_id = 0 };
	struct control_events *r = NULL;
	struct buf out = buf_make(TEXT_MAX);
	size_t n = 0;
	enum err_code code = control_events_new(WALL_MS, &r, NULL);

	(void)arg;
	if (code != ERR_OK)
		return code;
	for (int i = 0; i < 5; i++)
		n += control_events_add(r, &draft) != NULL ? 1 : 0;
	control_events_stream(r, &all, TEXT_MAX, &out);
	code = buf_failed(&out, NULL);
	buf_free(&out);
	all = (struct control_events_query){ .after_id = 0 };
	for (const struct control_event *ev; (ev = control_events_next(r, &all)) != NULL; n--)
		all.after_id = ev->id;
	control_events_free(r);
	return n == 0 ? code : ERR_CANCELLED; /* those that were taken are there, and no other */
}

/* ---- answers to orders ---- */

static enum err_code
answer_orders(void *arg)
{
	static const char *const paths[] = { "/v1/servers/grpc/rc_1/drain", "/v1/pause", "/v1/backends/grpc/release",
		"/v1/refresh", "/v1/reload", "/v1/servers/grpc/rc_1/weight" };
	static struct control_order order;
	static struct control_making m;
	const struct control_story *s = arg;
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < N_OF(paths); i++) {
		const struct control_request rq = { .method = STR("POST"),
			.path = str_from_cstr(paths[i]),
			.query = i == 5 ? STR("weight=7") : STR("") };
		struct control_response rs = { 0 };
		struct control_outcome outcome = { buf_make(TEXT_MAX), buf_make(TEXT_MAX) };

		if (control_order_take(&rq, &order, &rs) != CONTROL_ORDER_TAKEN)
			return ERR_CANCELLED;
		buf_put(&outcome.said, STR("so it is"));
		buf_put(&outcome.plan, STR("{}"));
		control_order_start(&(struct control_done){ &order, &outcome }, ERR_OK, NULL, &m);
		control_view_make(&s->facts, &m, &rs);
		if (rs.status != 200 && rs.status != 202 && rs.status != 503)
			code = ERR_CANCELLED;
		buf_free(&rs.body);
		buf_free(&outcome.said);
		buf_free(&outcome.plan);
	}
	return code;
}

/* ---- the command ---- */

typedef enum err_code report_fn(
    const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e);

/* A text is whole, or is none. */
static enum err_code
report(report_fn *fn, const json_t *document)
{
	const struct cli_text_style style = { .width = 60, .colour = true, .wall_ms = WALL_MS };
	struct buf out = buf_make(TEXT_MAX);
	enum err_code code = fn(document, &style, &out, NULL);

	if (code == ERR_OK && out.failed != ERR_OK)
		code = ERR_CANCELLED;
	buf_free(&out);
	return code;
}

static json_t *
ask(const struct control_story *s, const char *path)
{
	const struct control_request rq = { .method = STR("GET"), .path = str_from_cstr(path) };
	struct control_response answer = { 0 };
	json_t *document;

	control_view_answer(&s->facts, &rq, &answer);
	document = json_loadb((const char *)answer.body.ptr, answer.body.len, 0, NULL);
	buf_free(&answer.body);
	return document;
}

static enum err_code
why(const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	return cli_why_task(document, NULL, style, out, e);
}

static enum err_code
show_all(void *arg)
{
	static const struct {
		report_fn *fn;
		const char *path;
	} rows[] = {
		{ cli_show_status, "/v1/status" },
		{ cli_show_backends, "/v1/backends" },
		{ cli_report_plan, "/v1/plan" },
		{ cli_report_doctor, "/v1/doctor" },
		{ cli_report_events, "/v1/events" },
		{ why, "/v1/tasks/aaaa0002" },
	};
	const struct control_story *s = arg;
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < N_OF(rows); i++) {
		json_t *document;
		enum err_code now;

		(void)torture_pause(true);
		document = ask(s, rows[i].path);
		(void)torture_pause(false);
		now = document != NULL ? report(rows[i].fn, document) : ERR_CANCELLED;
		json_decref(document);
		if (now != ERR_OK && now != ERR_NOMEM)
			return now;
		code = code == ERR_OK ? now : code;
	}
	return code;
}

/* ---- keys ---- */

static const char *
get_variable(void *arg, const char *name)
{
	(void)arg;
	if (str_eq(str_from_cstr(name), STR("AWS_ACCESS_KEY_ID")))
		return "AKID";
	return str_eq(str_from_cstr(name), STR("AWS_SECRET_ACCESS_KEY")) ? "secret" : NULL;
}

static enum err_code
make_recipe(void *arg)
{
	const struct creds_recipe_config config = { .role_arn = STR("arn:aws:iam::123456789012:role/reader"),
		.external_id = STR("x") };
	const struct env env = { .get = get_variable };
	CLEANUP(arena_wipe_at) struct arena *a = arena_new(AWS_PROFILES_ARENA_MAX);
	struct aws_profiles *p;
	struct creds_recipe recipe;
	enum err_code code;

	(void)arg;
	if (a == NULL)
		return ERR_NOMEM;
	code = aws_profiles_new(a, &p, NULL);
	if (code == ERR_OK)
		code = creds_recipe_make(a, &config, &env, p, &recipe, NULL);
	return code == ERR_OK && recipe.n_roles != 1 ? ERR_CANCELLED : code;
}

static const struct torture_scenario scenarios[] = {
	{ "orders", torture_story_set_up, order_all, torture_story_tear_down },
	{ "changes", torture_story_set_up, track, torture_story_tear_down },
	{ "events", NULL, note_events, NULL },
	{ "answers to orders", torture_story_set_up, answer_orders, torture_story_tear_down },
	{ "texts of the command", torture_story_set_up, show_all, torture_story_tear_down },
	{ "a recipe for keys", NULL, make_recipe, NULL },
};

const struct torture_part torture_control = { scenarios, N_OF(scenarios) };
