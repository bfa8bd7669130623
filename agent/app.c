/* The composition root: see app.h. */
#include "config.h"

#include "app.h"

#include <stdio.h>
#include <stdlib.h>

#include "app_cas.h"
#include "app_door.h"
#include "app_events.h"
#include "app_managed.h"
#include "app_meter.h"
#include "app_outlier.h"
#include "app_state.h"
#include "app_sync.h"
#include "aws/aws_caller.h"
#include "control/control_server.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_watch.h"
#include "io/http_curl.h"

/* ECS answers a batch of 100 tasks well within this, or not at all. */
#define AWS_CONNECT_TIMEOUT_MS 3000
#define AWS_TIMEOUT_MS         15000
/* Of one service and source.  A cluster has at most ECS_WATCH_CLUSTER_IN_FLIGHT of them, so
 * that those that get no answer leave places for others. */
#define AWS_IN_FLIGHT_MAX 128

struct app_source {
	struct bucket bucket;   /* `rate_limit`: of ECS */
	struct bucket machines; /* as much again, of EC2 and of Systems Manager */
	struct creds_source *keys;
	struct aws_caller *ecs, *ec2, *ssm;
};

struct app {
	struct app_config config;
	const struct conf *conf;
	struct loop *loop;
	struct clk clk;
	int64_t started_mono_ms;
	struct prng rnd;
	struct app_state *state;
	struct app_cas *cas;
	struct http *http;
	struct app_source *sources;
	struct ecs_watch_callers *callers; /* of sources[i], as the watch wants them */
	struct ecs_watch *watch;
	struct app_managed *managed; /* null: nothing is */
	struct app_sync *sync;
	struct app_outlier *outlier;
	struct control_server *control;
	struct app_door *door; /* null: none is asked for */
	struct app_events *events;
	struct app_meter *meter;
	struct spop_server_view spop;
	struct aws_caller_figures *figures;
	unsigned *budgets; /* used, in percent */
	struct control_stretch *stretches;
	struct control_problem *problems;
	struct arena *names;        /* of problems */
	struct str *backend_places; /* "backend NAME" */
};

/* ---- what the control interface shows ---- */

static size_t
list_managed_problems(const struct app *a, struct control_problem *ret)
{
	const struct managed_view v = app_managed_view(a->managed);
	const struct fault *faults[MANAGED_N_FAULTS] = { v.file_fault, v.reload_fault };
	size_t n = 0;

	for (size_t i = 0; i < MANAGED_N_FAULTS; i++)
		if (faults[i] != NULL && faults[i]->on)
			ret[n++] = (struct control_problem){
				.where = STR("haproxy.managed"),
				.message = str_from_cstr(faults[i]->err.msg),
			};
	return n;
}

static size_t
list_spoe_problems(const struct app *a, struct control_problem *ret)
{
	struct spop_server_view v;

	if (!app_outlier_spop(a->outlier, &v) || !v.bind_fault->on)
		return 0;
	*ret = (struct control_problem){ .where = STR("spoe.listen"), .message = str_from_cstr(v.bind_fault->err.msg) };
	return 1;
}

static size_t
list_problems(struct app *a, const struct reconcile_view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < a->conf->n_backends; i++) {
		const struct fault *f = &v->backend_faults[i];

		if (f->on)
			a->problems[n++] = (struct control_problem){
				.where = a->backend_places[i],
				.message = str_from_cstr(f->err.msg),
			};
	}
	for (size_t i = 0; i < RECONCILE_N_FILES; i++)
		if (v->state_faults[i].on)
			a->problems[n++] = (struct control_problem){
				.where = STR("state_dir"),
				.message = str_from_cstr(v->state_faults[i].err.msg),
			};
	n += list_managed_problems(a, a->problems + n);
	if (app_door_fault(a->door) != NULL && app_door_fault(a->door)->on)
		a->problems[n++] = (struct control_problem){
			.where = STR("control.listen"),
			.message = str_from_cstr(app_door_fault(a->door)->err.msg),
		};
	n += list_spoe_problems(a, a->problems + n);
	if (v->run_fault->on)
		a->problems[n++] = (struct control_problem){
			.where = STR("HAProxy"),
			.message = str_from_cstr(v->run_fault->err.msg),
		};
	return n;
}

static struct control_stretch
stretch_of(const struct app *a, size_t source)
{
	struct ecs_watch_pace pace;
	bool is_stretched = ecs_watch_stretched(a->watch, source, &pace);

	return (struct control_stretch){
		.is_stretched = is_stretched, .watch_ms = pace.watch_ms, .refresh_ms = pace.refresh_ms
	};
}

static void
tell_facts(void *arg, struct control_facts *ret)
{
	struct app *a = arg;
	const struct reconcile_view v = reconcile_view(app_sync_reconcile(a->sync));

	for (size_t i = 0; i < a->conf->n_sources; i++) {
		a->figures[i] = aws_caller_figures(a->sources[i].ecs);
		a->budgets[i] = bucket_used_percent(&a->sources[i].bucket, clk_mono_ms(&a->clk));
		a->stretches[i] = stretch_of(a, i);
	}
	*ret = (struct control_facts){
		.wall_ms = clk_wall_ms(&a->clk),
		.mono_ms = clk_mono_ms(&a->clk),
		.started_mono_ms = a->started_mono_ms,
		.conf = a->conf,
		.config_path = str_from_cstr(a->config.name),
		.config_loaded_wall_ms = a->config.loaded_wall_ms,
		.roster = v.roster,
		.figures = a->figures,
		.budget_used_percent = a->budgets,
		.stretches = a->stretches,
		.desired = v.desired,
		.actual = v.actual,
		.plan = v.plan,
		.overlay = v.overlay,
		.connected = v.connected,
		.in_step = v.in_step,
		.ready = v.ready,
		.last_sync_wall_ms = v.last_sync_wall_ms,
		.haproxy_fault = *v.haproxy_fault,
		.outlier = app_outlier_detector(a->outlier),
		.spop = app_outlier_spop(a->outlier, &a->spop) ? &a->spop : NULL,
		.problems = a->problems,
		.n_problems = list_problems(a, &v),
		.events = app_events_list(a->events),
		.counts = app_events_counts(a->events),
	};
	ret->process.events = app_events_count(a->events);
	app_meter_read(a->meter, &ret->process);
}

/* ---- what an operator asks for ---- */

static void
refresh(struct app *a, struct buf *said)
{
	ecs_watch_poke(a->watch);
	buf_put(said, STR("every cluster is read again, now"));
	app_events_tell(a->events, LOG_INFO, "order", STR(""), STR("an operator's order: every cluster is read again"));
}

static void
set_log_level(struct app *a, enum log_level level, struct buf *said)
{
	log_set_level(level);
	buf_printf(said, "the log has level %s until the next start", log_level_name(level));
	app_events_tell(a->events, LOG_INFO, "order", STR(""), buf_str(said));
}

static enum err_code
act(void *arg, const struct control_order *order, struct buf *said, struct err *e)
{
	struct app *a = arg;

	switch (order->kind) {
	case CONTROL_ORDER_SYNC:
		if (order->what.kind == RECONCILE_EJECT_SERVER || order->what.kind == RECONCILE_UNEJECT_SERVER)
			return app_outlier_order(a->outlier, &order->what, said, e);
		return app_sync_order(a->sync, &order->what, said, e);
	case CONTROL_ORDER_REFRESH:
		refresh(a, said);
		return ERR_OK;
	case CONTROL_ORDER_LOG:
		set_log_level(a, order->level, said);
		return ERR_OK;
	}
	return err_set(e, ERR_ARG, "no such order");
}

static void
on_event(void *arg)
{
	const struct app *a = arg;

	control_server_wake(a->control);
	app_door_wake(a->door);
}

/* ---- what comes from ECS goes to the reconciler ---- */

static void
on_roster(void *arg, struct roster *r)
{
	struct app *a = arg;

	app_sync_roster(a->sync, r);
}

static bool
is_held(void *arg, const struct roster_task *task)
{
	const struct app *a = arg;

	return reconcile_holds(app_sync_reconcile(a->sync), task->arn);
}

static const struct ecs_sought *
list_sought(void *arg)
{
	const struct app *a = arg;

	return reconcile_sought(app_sync_reconcile(a->sync));
}

static void
on_seek(void *arg)
{
	const struct app *a = arg;

	ecs_watch_seek(a->watch);
}

/* ---- making the rooms ---- */

/* The configuration's, else the variables that the SDKs read; *ret_from is what to
 * blame for where it leads. */
static struct str
endpoint_of(const struct app *a, const struct conf_source *s, const struct aws_service *of, const char **ret_from)
{
	const char *const names[] = { of->endpoint_env, "AWS_ENDPOINT_URL" };

	*ret_from = s->endpoint.len > 0 ? "its `endpoint`" : "its `region`";
	for (size_t i = 0; s->endpoint.len == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		struct str text = str_from_cstr(env_get(a->config.env, names[i]));

		if (text.len == 0)
			continue;
		*ret_from = names[i];
		return text;
	}
	return s->endpoint;
}

static enum err_code
make_caller(struct app *a, size_t i, const struct aws_service *of, struct aws_caller **ret, struct err *e)
{
	const struct conf_source *s = &a->conf->sources[i];
	struct app_source *made = &a->sources[i];
	const char *from;
	const struct aws_caller_service to = {
		.of = of,
		.region = s->region,
		.endpoint = endpoint_of(a, s, of, &from),
		.connect_timeout_ms = AWS_CONNECT_TIMEOUT_MS,
		.timeout_ms = AWS_TIMEOUT_MS,
		.max_in_flight = AWS_IN_FLIGHT_MAX,
		.max_response = ECS_ANSWER_MAX,
	};
	struct bucket *bucket = of == &aws_service_ecs ? &made->bucket : &made->machines;
	enum err_code code = aws_caller_new(a->loop, a->http, made->keys, bucket, &a->rnd, &to, ret, e);

	return code == ERR_CONF ? err_wrap(e, code, "ecs source `" STR_FMT "`, %s", STR_ARG(s->name), from) : code;
}

static enum err_code
make_source(struct app *a, size_t i, struct err *e)
{
	const struct conf_source *s = &a->conf->sources[i];
	struct app_source *made = &a->sources[i];
	const struct creds_source_config keys = {
		.access_key_id = s->access_key_id,
		.secret_access_key = s->secret_access_key,
		.session_token = s->session_token,
	};
	enum err_code code;

	made->bucket = made->machines = bucket_make(s->rate_limit_milli, clk_mono_ms(&a->clk));
	code = creds_source_new(a->loop, &keys, a->config.env, &made->keys, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_ecs, &made->ecs, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_ec2, &made->ec2, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_ssm, &made->ssm, e);
	a->callers[i] = (struct ecs_watch_callers){ .ecs = made->ecs, .ec2 = made->ec2, .ssm = made->ssm };
	return code;
}

static enum err_code
make_ecs(struct app *a, struct err *e)
{
	const struct ecs_watch_listener to = {
		.published = on_roster,
		.is_held = is_held,
		.sought = list_sought,
		.arg = a,
	};
	enum err_code code = http_curl_new(a->loop, &a->http, e);

	for (size_t i = 0; code == ERR_OK && i < a->conf->n_sources; i++)
		code = make_source(a, i, e);
	if (code == ERR_OK)
		code = ecs_watch_new(a->loop, a->conf, a->callers, &a->rnd, to, &a->watch, e);
	return code;
}

static void
on_passed(void *arg, const struct reconcile_view *v)
{
	const struct app *a = arg;

	app_managed_passed(a->managed, v);
	if (app_cas_refresh(a->cas))
		app_sync_use_cas(a->sync, app_cas_now(a->cas));
	app_outlier_passed(a->outlier, v);
}

static bool
looks_for_outliers(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_backends; i++)
		if (conf->backends[i].policy.outlier.mode != CONF_OUTLIER_OFF)
			return true;
	return false;
}

static enum err_code
make_haproxy(struct app *a, struct err *e)
{
	struct hap_link *link = NULL;
	struct hap_exec *exec = NULL;
	struct app_sync_config with = {
		.conf = a->conf,
		.state = a->state,
		.events = a->events,
		.cas = app_cas_now(a->cas),
		.may_add_backends = managed_may_add(a->conf),
		.calm_ms = looks_for_outliers(a->conf) ? OUTLIER_EVERY_MS : 0,
		.passed = on_passed,
		.seek = on_seek,
		.arg = a,
	};
	enum err_code code = hap_link_socket_new(a->loop, a->conf->haproxy.socket, &hap_link_default_limits, &link, e);

	if (code != ERR_OK)
		return code;
	code = hap_exec_new(link, &a->clk, &exec, e);
	if (code != ERR_OK) {
		link->close(link);
		return code;
	}
	with.exec = exec;
	code = app_sync_new(a->loop, &with, &a->sync, e);
	if (code != ERR_OK)
		hap_exec_close(exec);
	return code;
}

static enum err_code
make_rooms(struct app *a, struct err *e)
{
	const struct control_server_daemon control = { .facts = tell_facts, .act = act, .arg = a };
	enum err_code code = app_state_open(a->conf->state_dir, &a->state, e);

	if (code == ERR_OK)
		code = app_events_new(&a->clk, on_event, a, &a->events, e);
	if (code == ERR_OK)
		code = app_meter_new(a->loop, &a->meter, e);
	if (code == ERR_OK)
		code = app_cas_new(a->conf, &a->cas, e);
	if (code == ERR_OK)
		code = app_managed_new(a->loop, a->conf, &a->managed, e);
	if (code == ERR_OK)
		code = make_haproxy(a, e);
	if (code == ERR_OK)
		code = app_outlier_new(a->loop, a->conf, a->state, a->sync, &a->outlier, e);
	if (code == ERR_OK)
		code = make_ecs(a, e);
	if (code == ERR_OK)
		code = control_server_new(a->loop, &a->conf->control, &control, &a->control, e);
	if (code == ERR_OK)
		code = app_door_new(a->loop, a->conf, &control, &a->door, e);
	return code;
}

static bool
name_places(struct app *a)
{
	const struct conf *conf = a->conf;

	a->names = arena_new(CONF_ARENA_MAX);
	a->backend_places = calloc(conf->n_backends + 1, sizeof(*a->backend_places));
	for (size_t i = 0; a->names != NULL && a->backend_places != NULL && i < conf->n_backends; i++) {
		char place[160];

		(void)snprintf(place, sizeof(place), "backend " STR_FMT, STR_ARG(conf->backends[i].name));
		if (!arena_str(a->names, str_from_cstr(place), &a->backend_places[i]))
			return false;
	}
	return a->names != NULL && a->backend_places != NULL;
}

static bool
make_tables(struct app *a)
{
	a->sources = calloc(a->conf->n_sources, sizeof(*a->sources));
	a->callers = calloc(a->conf->n_sources, sizeof(*a->callers));
	a->figures = calloc(a->conf->n_sources, sizeof(*a->figures));
	a->budgets = calloc(a->conf->n_sources, sizeof(*a->budgets));
	a->stretches = calloc(a->conf->n_sources, sizeof(*a->stretches));
	a->problems = calloc(a->conf->n_backends + 3 + RECONCILE_N_FILES + MANAGED_N_FAULTS, sizeof(*a->problems));
	return a->sources != NULL && a->callers != NULL && a->figures != NULL && a->budgets != NULL &&
	       a->stretches != NULL && a->problems != NULL && name_places(a);
}

enum err_code
app_new(struct loop *l, const struct app_config *config, struct app **ret, struct err *e)
{
	struct app *a = calloc(1, sizeof(*a));
	enum err_code code;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "starting");
	a->config = *config;
	a->conf = config->conf;
	a->loop = l;
	a->clk = loop_clk(l);
	a->started_mono_ms = clk_mono_ms(&a->clk);
	a->rnd = prng_make(config->seed);
	code = make_tables(a) ? make_rooms(a, e) : err_set(e, ERR_NOMEM, "starting: %s", err_text(ERR_NOMEM));
	if (code != ERR_OK) {
		app_close(a);
		return code;
	}
	*ret = a;
	return ERR_OK;
}

void
app_start(struct app *a)
{
	app_sync_start(a->sync);
	ecs_watch_start(a->watch);
}

void
app_stop(struct app *a, loop_fn *done, void *arg)
{
	if (a->conf->haproxy.apply)
		app_outlier_save(a->outlier);
	app_sync_stop(a->sync, done, arg);
}

static void
close_source(struct app_source *s)
{
	aws_caller_close(s->ecs);
	aws_caller_close(s->ec2);
	aws_caller_close(s->ssm);
	if (s->keys != NULL)
		s->keys->close(s->keys);
}

/* In reverse order of making; each tolerates not having been made. */
void
app_close(struct app *a)
{
	if (a == NULL)
		return;
	app_door_close(a->door);
	control_server_close(a->control);
	ecs_watch_close(a->watch);
	for (size_t i = 0; a->sources != NULL && i < a->conf->n_sources; i++)
		close_source(&a->sources[i]);
	if (a->http != NULL)
		a->http->close(a->http);
	app_outlier_close(a->outlier);
	app_sync_close(a->sync);
	app_managed_close(a->managed);
	app_cas_free(a->cas);
	app_meter_close(a->meter);
	app_events_close(a->events);
	app_state_close(a->state);
	free(a->backend_places);
	arena_free(a->names);
	free(a->problems);
	free(a->stretches);
	free(a->budgets);
	free(a->figures);
	free(a->callers);
	free(a->sources);
	free(a);
}
