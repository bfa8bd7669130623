/* The composition root: see app.h. */
#include "config.h"

#include "app.h"

#include <stdio.h>
#include <stdlib.h>

#include "app_cas.h"
#include "app_managed.h"
#include "app_outlier.h"
#include "app_probe.h"
#include "app_queues.h"
#include "app_routes.h"
#include "app_sync.h"
#include "app_trace.h"
#include "aws/aws_caller.h"
#include "aws/creds_fetch.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_watch.h"
#include "hap/hap_render.h"
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
	struct creds_recipe_config keys_from;
	struct creds_fetch_place sts;
	struct creds_source *keys;
	struct aws_caller *ecs, *ec2, *ssm, *sts_caller;
};

struct app {
	struct app_config config;
	const struct conf *conf;
	struct loop *loop;
	struct clk clk;
	struct prng rnd;
	struct app_cas *cas;
	struct http *http;
	struct creds_fetch_world keys_world;
	struct app_source *sources;
	struct ecs_watch_callers *callers;       /* of sources[i], as the watch wants them */
	struct app_probe_callers *probe_callers; /* likewise, as the doctor does */
	struct app_probe *probe;
	struct ecs_watch *watch;
	struct app_queues *queues;       /* null: no source has events, or nobody listens */
	struct ecs_queue_view *listened; /* what is shown of them; of those without: zeroed */
	loop_fn *stopped;
	void *stopped_arg;
	struct app_managed *managed; /* null: nothing is */
	struct app_routes *routes;
	struct app_sync *sync;
	struct app_outlier *outlier;
	struct app_trace *trace; /* null: not configured */
	struct trace_export_view trace_view;
	struct spop_server_view spop;
	struct aws_caller_figures *figures;
	struct creds_source_view *key_views;
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
list_event_problems(const struct app *a, struct control_problem *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < a->conf->n_sources; i++)
		if (a->listened[i].fault != NULL && a->listened[i].fault->on)
			ret[n++] = (struct control_problem){
				.where = STR("ecs.events"),
				.message = str_from_cstr(a->listened[i].fault->err.msg),
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
list_trace_problems(const struct app *a, struct control_problem *ret)
{
	struct trace_export_view v;
	size_t n = 0;

	if (!app_trace_view(a->trace, &v))
		return 0;
	if (v.bind_fault->on)
		ret[n++] = (struct control_problem){
			.where = STR("tracing.log_listen"),
			.message = str_from_cstr(v.bind_fault->err.msg),
		};
	if (v.export_fault->on)
		ret[n++] = (struct control_problem){
			.where = STR("tracing.endpoint"),
			.message = str_from_cstr(v.export_fault->err.msg),
		};
	return n;
}

static size_t
list_problems(struct app *a, const struct reconcile_view *v, const struct control_problem *more, size_t n_more)
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
	n += list_event_problems(a, a->problems + n);
	n += list_managed_problems(a, a->problems + n);
	n += list_spoe_problems(a, a->problems + n);
	n += list_trace_problems(a, a->problems + n);
	for (size_t i = 0; i < n_more; i++)
		a->problems[n++] = more[i];
	if (app_routes_fault(a->routes) != NULL)
		a->problems[n++] = (struct control_problem){
			.where = STR("routes"),
			.message = str_from_cstr(app_routes_fault(a->routes)->err.msg),
		};
	if (ecs_watch_contest_fault(a->watch) != NULL)
		a->problems[n++] = (struct control_problem){
			.where = STR("routes"),
			.message = str_from_cstr(ecs_watch_contest_fault(a->watch)->err.msg),
		};
	if (v->label_fault->on)
		a->problems[n++] = (struct control_problem){
			.where = STR("labels"),
			.message = str_from_cstr(v->label_fault->err.msg),
		};
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

void
app_tell(struct app *a, const struct control_problem *more, size_t n_more, struct control_facts *ret)
{
	const struct reconcile_view v = app_view(a);

	for (size_t i = 0; i < a->conf->n_sources; i++) {
		a->figures[i] = aws_caller_figures(a->sources[i].ecs);
		a->key_views[i] = a->sources[i].keys->view(a->sources[i].keys);
		a->budgets[i] = bucket_used_percent(&a->sources[i].bucket, clk_mono_ms(&a->clk));
		a->stretches[i] = stretch_of(a, i);
		if (!app_queues_view(a->queues, i, &a->listened[i]))
			a->listened[i] = (struct ecs_queue_view){ .fault = NULL };
	}
	ret->wall_ms = clk_wall_ms(&a->clk);
	ret->mono_ms = clk_mono_ms(&a->clk);
	ret->conf = a->conf;
	ret->roster = v.roster;
	ret->figures = a->figures;
	ret->keys = a->key_views;
	ret->budget_used_percent = a->budgets;
	ret->stretches = a->stretches;
	ret->queues = a->listened;
	ret->desired = v.desired;
	ret->actual = v.actual;
	ret->plan = v.plan;
	ret->overlay = v.overlay;
	ret->connected = v.connected;
	ret->in_step = v.in_step;
	ret->ready = v.ready;
	ret->last_sync_wall_ms = v.last_sync_wall_ms;
	ret->haproxy_fault = *v.haproxy_fault;
	ret->outlier = app_outlier_detector(a->outlier);
	ret->trace = app_trace_view(a->trace, &a->trace_view) ? &a->trace_view : NULL;
	ret->spop = app_outlier_spop(a->outlier, &a->spop) ? &a->spop : NULL;
	ret->problems = a->problems;
	ret->n_problems = list_problems(a, &v, more, n_more);
	ret->probes = app_probe_list(a->probe, &ret->n_probes);
	ret->route_maps = app_routes_maps(a->routes, &ret->n_route_maps);
	ret->version = v.version + app_routes_version(a->routes);
}

/* ---- what an operator asks for ---- */

struct reconcile_view
app_view(const struct app *a)
{
	return reconcile_view(app_sync_reconcile(a->sync));
}

enum err_code
app_order(struct app *a, const struct reconcile_order *order, struct buf *said, struct err *e)
{
	const bool is_outliers = order->kind == RECONCILE_EJECT_SERVER || order->kind == RECONCILE_UNEJECT_SERVER;
	enum err_code code =
	    is_outliers ? app_outlier_order(a->outlier, order, said, e) : app_sync_order(a->sync, order, said, e);

	if (code == ERR_OK)
		app_events_order(a->config.events, app_view(a).plan, order, buf_str(said));
	return code;
}

void
app_recall(struct app *a)
{
	ecs_watch_publish(a->watch);
}

void
app_refresh(struct app *a)
{
	ecs_watch_poke(a->watch);
}

void
app_examine(struct app *a)
{
	app_probe_start(a->probe, app_view(a).roster, a->watch);
}

bool
app_is_examining(const struct app *a)
{
	return app_probe_is_busy(a->probe);
}

/* ---- what comes from ECS goes to the reconciler ---- */

static void
on_roster(void *arg, struct roster *r)
{
	struct app *a = arg;
	struct roster *all = app_roster_add(a->config.roster, a->conf, r);

	app_sync_roster(a->sync, all);
	roster_unref(all);
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

static const struct ecs_contest *
list_contest(void *arg)
{
	const struct app *a = arg;

	return reconcile_contest(app_sync_reconcile(a->sync));
}

static void
on_contest(void *arg)
{
	const struct app *a = arg;

	ecs_watch_contest(a->watch);
}

static const struct roster_service *
recall_services(void *arg, struct str source, struct str cluster, size_t *ret_n)
{
	const struct app *a = arg;

	return app_roster_services(a->config.roster, a->conf, source, cluster, ret_n);
}

/* ---- making the rooms ---- */

static enum err_code
make_caller(struct app *a, size_t i, const struct aws_service *of, struct aws_caller **ret, struct err *e)
{
	const struct conf_source *s = &a->conf->sources[i];
	struct app_source *made = &a->sources[i];
	const char *from;
	const struct aws_caller_service to = {
		.of = of,
		.at = aws_endpoint_choose(of, s->region, s->endpoint, a->config.env, &from),
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
	enum err_code code;

	made->bucket = made->machines = bucket_make(s->rate_limit_milli, clk_mono_ms(&a->clk));
	made->keys_from = (struct creds_recipe_config){
		.access_key_id = s->access_key_id,
		.secret_access_key = s->secret_access_key,
		.session_token = s->session_token,
		.profile = s->profile,
		.role_arn = s->role_arn,
		.external_id = s->external_id,
	};
	made->sts = (struct creds_fetch_place){ .region = s->region, .endpoint = s->endpoint };
	code = creds_source_new(&a->keys_world, s->name, &made->keys_from, &made->sts, &made->keys, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_ecs, &made->ecs, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_ec2, &made->ec2, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_ssm, &made->ssm, e);
	if (code == ERR_OK)
		code = make_caller(a, i, &aws_service_sts, &made->sts_caller, e);
	a->probe_callers[i] =
	    (struct app_probe_callers){ .ecs = made->ecs, .ec2 = made->ec2, .ssm = made->ssm, .sts = made->sts_caller };
	a->callers[i] = (struct ecs_watch_callers){ .ecs = made->ecs, .ec2 = made->ec2, .ssm = made->ssm };
	return code;
}

static enum err_code
watch_ecs(struct app *a, struct err *e)
{
	const struct app *before = a->config.before;
	struct ecs_watch_listener to = {
		.published = on_roster,
		.is_held = is_held,
		.sought = list_sought,
		.contest = list_contest,
		.services = recall_services,
		.arg = a,
		.http = a->http,
		.metadata_uri = str_from_cstr(env_get(a->config.env, "ECS_CONTAINER_METADATA_URI_V4")),
	};

	if (before != NULL)
		to.before = (struct ecs_watch_before){ .roster = app_view(before).roster, .conf = before->conf };
	return ecs_watch_new(a->loop, a->conf, a->callers, &a->rnd, to, &a->watch, e);
}

static struct creds_source *
keys_of(void *arg, size_t source)
{
	const struct app *a = arg;

	return a->sources[source].keys;
}

static enum err_code
listen_to_queues(struct app *a, struct err *e)
{
	const struct app_queues_config with = {
		.loop = a->loop,
		.conf = a->conf,
		.env = a->config.env,
		.http = a->http,
		.rnd = &a->rnd,
		.watch = a->watch,
		.keys_of = keys_of,
		.arg = a,
	};

	return a->config.listens ? app_queues_new(&with, &a->queues, e) : ERR_OK;
}

static enum err_code
make_ecs(struct app *a, struct err *e)
{
	enum err_code code = http_curl_new(a->loop, env_get(a->config.env, "AWS_CA_BUNDLE"), &a->http, e);

	a->keys_world = (struct creds_fetch_world){
		.loop = a->loop,
		.http = a->http,
		.rnd = &a->rnd,
		.env = a->config.env,
	};
	for (size_t i = 0; code == ERR_OK && i < a->conf->n_sources; i++)
		code = make_source(a, i, e);
	if (code == ERR_OK)
		code = app_probe_new(&a->clk, a->conf, a->probe_callers, &a->probe, e);
	if (code == ERR_OK)
		code = watch_ecs(a, e);
	if (code == ERR_OK)
		code = listen_to_queues(a, e);
	return code;
}

static void
on_passed(void *arg, const struct reconcile_view *v)
{
	const struct app *a = arg;

	app_managed_passed(a->managed, v);
	app_routes_passed(a->routes, v);
	a->config.passed(a->config.arg, v);
	if (app_cas_refresh(a->cas))
		app_sync_use_cas(a->sync, app_cas_now(a->cas));
	app_outlier_passed(a->outlier, v);
	app_trace_passed(a->trace, v);
}

static bool
is_routed(void *arg, struct str backend)
{
	const struct app *a = arg;

	return app_routes_lead_to(a->routes, backend);
}

static struct str
leads_to(void *arg, const struct desired_route *place)
{
	const struct app *a = arg;

	return app_routes_at(a->routes, place);
}

/* Backends that labels make have the settings of `defaults`. */
static bool
looks_for_outliers(const struct conf *conf)
{
	if (conf->defaults.outlier.mode != CONF_OUTLIER_OFF)
		return true;
	for (size_t i = 0; i < conf->n_backends; i++)
		if (conf->backends[i].policy.outlier.mode != CONF_OUTLIER_OFF)
			return true;
	return false;
}

static enum err_code
make_haproxy(struct app *a, struct err *e)
{
	CLEANUP(arena_free_at) struct arena *scratch = arena_new(HAP_RENDER_MAX);
	struct hap_link *link = NULL;
	struct hap_exec *exec = NULL;
	struct app_sync_config with = {
		.conf = a->conf,
		.before = a->config.before != NULL ? a->config.before->sync : NULL,
		.state = a->config.state,
		.events = a->config.events,
		.cas = app_cas_now(a->cas),
		.may_add_backends = managed_may_add(a->conf),
		.calm_ms = looks_for_outliers(a->conf) ? OUTLIER_EVERY_MS : 0,
		.passed = on_passed,
		.seek = on_seek,
		.contest = on_contest,
		.is_routed = is_routed,
		.leads_to = leads_to,
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
	code = scratch != NULL ? app_managed_names(a->managed, scratch, &with.made, &with.n_made, e)
			       : err_set(e, ERR_NOMEM, "starting: %s", err_text(ERR_NOMEM));
	if (code == ERR_OK)
		code = app_sync_new(a->loop, &with, &a->sync, e);
	if (code != ERR_OK) {
		hap_exec_close(exec);
		return code;
	}
	return app_routes_new(a->loop, a->conf, link, a->config.events, &a->routes, e);
}

static enum err_code
make_rooms(struct app *a, struct err *e)
{
	enum err_code code = app_cas_new(a->conf, &a->cas, e);

	if (code == ERR_OK)
		code = app_managed_new(a->loop, a->conf, &a->managed, e);
	if (code == ERR_OK)
		code = make_haproxy(a, e);
	/* What the one before knows is in the file, which the next one reads. */
	if (code == ERR_OK && a->config.before != NULL && a->conf->haproxy.apply)
		app_outlier_save(a->config.before->outlier);
	if (code == ERR_OK)
		code = app_outlier_new(a->loop, a->conf, a->config.state, a->sync, &a->outlier, e);
	if (code == ERR_OK)
		code = make_ecs(a, e);
	if (code == ERR_OK)
		code = app_trace_new(a->loop, a->conf, a->config.env, a->http, &a->rnd, a->sync, &a->trace, e);
	a->config.before = NULL;
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
	a->probe_callers = calloc(a->conf->n_sources, sizeof(*a->probe_callers));
	a->figures = calloc(a->conf->n_sources, sizeof(*a->figures));
	a->key_views = calloc(a->conf->n_sources, sizeof(*a->key_views));
	a->budgets = calloc(a->conf->n_sources, sizeof(*a->budgets));
	a->stretches = calloc(a->conf->n_sources, sizeof(*a->stretches));
	a->listened = calloc(a->conf->n_sources, sizeof(*a->listened));
	a->problems = calloc(
	    a->conf->n_backends + a->conf->n_sources + 8 + APP_MORE_PROBLEMS_MAX + RECONCILE_N_FILES + MANAGED_N_FAULTS,
	    sizeof(*a->problems));
	return a->sources != NULL && a->callers != NULL && a->probe_callers != NULL && a->figures != NULL &&
	       a->budgets != NULL && a->key_views != NULL && a->stretches != NULL && a->listened != NULL &&
	       a->problems != NULL && name_places(a);
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
app_inherit(struct app *a, struct app *before)
{
	app_outlier_inherit(a->outlier, before->outlier);
	app_trace_inherit(a->trace, before->trace);
	app_managed_inherit(a->managed, before->managed);
	app_routes_inherit(a->routes, before->routes);
}

void
app_start(struct app *a)
{
	app_outlier_start(a->outlier);
	app_trace_start(a->trace);
	app_sync_start(a->sync);
	ecs_watch_start(a->watch);
	app_queues_start(a->queues);
}

static void
on_sync_stopped(void *arg)
{
	struct app *a = arg;

	app_queues_stop(a->queues, a->stopped, a->stopped_arg);
}

void
app_stop(struct app *a, loop_fn *done, void *arg)
{
	if (a->conf->haproxy.apply)
		app_outlier_save(a->outlier);
	a->stopped = done;
	a->stopped_arg = arg;
	app_sync_stop(a->sync, on_sync_stopped, a);
}

static void
close_source(struct app_source *s)
{
	aws_caller_close(s->ecs);
	aws_caller_close(s->ec2);
	aws_caller_close(s->ssm);
	aws_caller_close(s->sts_caller);
	if (s->keys != NULL)
		s->keys->close(s->keys);
}

/* In reverse order of making; each tolerates not having been made. */
void
app_close(struct app *a)
{
	if (a == NULL)
		return;
	app_queues_close(a->queues);
	ecs_watch_close(a->watch);
	for (size_t i = 0; a->sources != NULL && i < a->conf->n_sources; i++)
		close_source(&a->sources[i]);
	app_probe_close(a->probe);
	app_trace_close(a->trace);
	if (a->http != NULL)
		a->http->close(a->http);
	app_routes_close(a->routes);
	app_outlier_close(a->outlier);
	app_sync_close(a->sync);
	app_managed_close(a->managed);
	app_cas_free(a->cas);
	free(a->backend_places);
	arena_free(a->names);
	free(a->problems);
	free(a->stretches);
	free(a->listened);
	free(a->budgets);
	free(a->key_views);
	free(a->figures);
	free(a->callers);
	free(a->probe_callers);
	free(a->sources);
	free(a);
}
