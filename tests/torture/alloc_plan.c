/* From labels to commands without memory, and what is kept beside a plan: holds, ejections, maps, backends.cfg. */
#include "config.h"

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf/conf_policy.h"
#include "conf/conf_retire.h"
#include "ecs/ecs_hosting.h"
#include "hap/hap_map.h"
#include "hap/hap_render.h"
#include "outlier/outlier.h"
#include "plan/applied.h"
#include "plan/overlay.h"
#include "sync/managed.h"
#include "sync/routes.h"
#include "worlds.h"

#define WALL_MS INT64_C(1000000000)
#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* ---- labels ---- */

#define LABELS 5

struct labelled {
	struct world *w;
	struct taskdef_label labels[3][LABELS];
	struct plan_rules rules;
	struct actual *actual;
	struct roster *roster;
	size_t n_routes, n_exposed, n_steps; /* with all the memory it wants */
};

static void
label(struct labelled *l, struct taskdef *d, size_t row, const char *const *texts)
{
	struct taskdef_container *c = world_publishes(l->w, d, "app", "50051 9000");
	size_t n = 0, at;

	for (; n < LABELS && texts[n] != NULL; n++) {
		const struct str one = str_from_cstr(texts[n]);

		(void)str_find(one, '=', &at);
		l->labels[row][n] = (struct taskdef_label){ str_first(one, at), str_skip(one, at + 1) };
	}
	c->labels = l->labels[row];
	c->n_labels = n;
}

static void
run_task(struct labelled *l, const char *id, const char *service, struct taskdef *d, const char *ipv4)
{
	struct roster_task *t = world_task(l->w, id, ROSTER_RUNNING, ipv4);

	t->definition = d;
	t->family = d->family;
	t->service = str_from_cstr(service);
	t->started_ms = t->created_ms = WALL_MS - 1000;
}

static void
tell_labels(struct labelled *l)
{
	static const char *const own[LABELS] = { "rollcall.rule=Host(`a`) || PathPrefix(`/x`)", "rollcall.port=50051",
		"rollcall.weight=7", "rollcall.share=10% latest", "stage=prod" };
	static const char *const traefik[LABELS] = { "traefik.enable=true",
		"traefik.http.routers.r.rule=HostRegexp(`^b\\.c$`)", "traefik.http.routers.r.priority=9",
		"traefik.http.services.s.loadbalancer.server.port=9000", "stage=prod" };
	static const char *const named[LABELS] = { "rollcall.endpoints.one.port=9000",
		"rollcall.endpoints.one.rule=Host(`d`)", "rollcall.endpoints.two.port=50051",
		"rollcall.endpoints.two.backend=fixed", "stage=prod" };
	struct taskdef *d[3];

	for (size_t i = 0; i < 3; i++)
		d[i] = world_definition(l->w, i == 0 ? "own" : i == 1 ? "traefik" : "named");
	label(l, d[0], 0, own);
	label(l, d[1], 1, traefik);
	label(l, d[2], 2, named);
	run_task(l, "aaaa", "one", d[0], "10.0.0.1");
	run_task(l, "bbbb", "one", d[0], "10.0.0.2");
	run_task(l, "cccc", "two", d[1], "10.0.0.3");
	run_task(l, "dddd", "three", d[2], "10.0.0.4");
}

static void
tell_configuration(struct world *w)
{
	static const struct str both[] = { { "rollcall", 8 }, { "traefik", 7 } }, any[] = { { "*", 1 } };
	static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };
	struct conf *conf = world_first_conf(w);
	struct conf_source *source = world_first_source(w);
	struct conf_backend *fixed = world_entry(w, "fixed", "three", 0);

	conf->haproxy.entrypoints = (struct conf_pairs){ entrypoints, 1 };
	conf->haproxy.allow_hosts = conf->haproxy.allow_backends = (struct conf_list){ any, 1 };
	conf->haproxy.default_rule = STR("Host(`{service}.example`)");
	conf->defaults = conf_policy_builtin();
	fixed->rule = STR("Host(`fixed`)");
	fixed->policy = conf_policy_builtin();
	source->labels = (struct conf_list){ both, 2 };
	source->constraints = STR("Label(`stage`,`prod`) && !LabelRegex(`team`,`^x$`)");
	source->expose_by_default = true;
}

/* 3.2, with one server that stays, one that is held, and one whose task is gone. */
static void
tell_haproxy(struct world *w)
{
	const struct overlay_key key = { STR("fixed"), STR("arn:aws:ecs:eu-west-1:123456789012:task/main/dddd"),
		STR("app"), 50051 };
	struct actual_backend *one = world_backend(w, "fixed");

	world_version(w, 3, 2);
	(void)world_server(w, one, "rc_dddd_app_50051", ACTUAL_READY, "10.0.0.4:50051");
	(void)world_server(w, one, "rc_gone_app_50051", ACTUAL_READY, "10.0.0.9:50051");
	world_applied_for(w, world_applied(w, "fixed", "rc_dddd_app_50051", "10.0.0.4:50051"), "dddd");
	(void)world_former(w, "fixed", "rc_gone_app_50051", "10.0.0.9:50051");
	if (overlay_set_admin(world_overlay(w), &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, WALL_MS, 0, NULL) != ERR_OK)
		abort();
}

static enum err_code derive_and_plan(struct labelled *l, size_t *ret_routes, size_t *ret_exposed, size_t *ret_steps);

static void *
set_up_labels(void)
{
	struct labelled *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->w = world_new();
	tell_configuration(l->w);
	tell_labels(l);
	tell_haproxy(l->w);
	l->roster = world_roster(l->w);
	l->actual = world_actual(l->w);
	l->rules = world_all_rules(l->w);
	l->rules.now_ms = 1000;
	if (derive_and_plan(l, &l->n_routes, &l->n_exposed, &l->n_steps) != ERR_OK || l->n_routes < 3)
		abort();
	return l;
}

static void
tear_down_labels(void *arg)
{
	struct labelled *l = arg;

	world_free(l->w);
	free(l);
}

/* What was applied, before and after that plan. */
static enum err_code
follow(const struct labelled *l, const struct plan *p)
{
	CLEANUP(applied_free_at) struct applied *seen = NULL;
	CLEANUP(applied_free_at) struct applied *next = NULL;
	struct applied_findings findings;
	enum err_code code = applied_observe(l->rules.applied, l->actual, WALL_MS, &seen, &findings, NULL);

	if (code == ERR_OK)
		code = applied_expect(seen, l->rules.former, l->actual, p, WALL_MS, &next, NULL);
	return code;
}

static enum err_code
derive_and_plan(struct labelled *l, size_t *ret_routes, size_t *ret_exposed, size_t *ret_steps)
{
	static const struct desired_held held[] = { { { "old", 3 }, true }, { { "one", 3 }, true } };
	static const struct str foreign[] = { { "theirs", 6 } };
	const struct desired_context in = { .conf = world_conf(l->w),
		.now_wall_ms = WALL_MS,
		.held = held,
		.n_held = N_OF(held),
		.foreign = foreign,
		.n_foreign = N_OF(foreign) };
	const struct plan_memory none = { 0 };
	CLEANUP(desired_free_at) struct desired *d = NULL;
	CLEANUP(plan_free_at) struct plan *p = NULL;
	CLEANUP(plan_free_at) struct plan *back = NULL;
	enum err_code code = desired_derive_in(&in, l->roster, &d, NULL);

	if (code != ERR_OK)
		return code;
	*ret_routes = d->n_routes;
	*ret_exposed = 0;
	for (size_t i = 0; i < d->n_endpoints; i++)
		*ret_exposed += d->endpoints[i].exposed;
	code = plan_diff(&l->rules, d, l->actual, &none, &p, NULL);
	if (code == ERR_OK)
		code = plan_guard(&l->rules, p, NULL);
	*ret_steps = code == ERR_OK ? p->n_steps : 0;
	if (code == ERR_OK)
		code = follow(l, p);
	if (code == ERR_OK)
		code = plan_uneject_all(l->actual, &back, NULL);
	return code;
}

/* A plan that was made is the one that memory would have made. */
static enum err_code
plan_of_labels(void *arg)
{
	struct labelled *l = arg;
	size_t n_routes, n_exposed, n_steps;
	enum err_code code = derive_and_plan(l, &n_routes, &n_exposed, &n_steps);

	if (code == ERR_OK && (n_routes != l->n_routes || n_exposed != l->n_exposed || n_steps != l->n_steps))
		return ERR_CANCELLED;
	return code == ERR_OK || code == ERR_NOMEM ? code : ERR_CANCELLED;
}

/* ---- an operator's hand ---- */

static enum err_code
hold(struct overlay *o)
{
	static const struct overlay_key a = { { "web", 3 }, { "arn:a", 5 }, { "app", 3 }, 1 };
	static const struct overlay_key b = { { "web", 3 }, { "arn:b", 5 }, { "app", 3 }, 1 };
	const struct overlay_leave leave = { STR("web"), STR("rc_1"), STR("10.0.0.1"), 1, WALL_MS, false };
	const struct overlay_leave other = { STR("web"), STR("rc_2"), STR("10.0.0.2"), 1, WALL_MS, false };
	enum err_code code = overlay_set_admin(o, &a, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, WALL_MS, WALL_MS + 9, NULL);

	if (code == ERR_OK)
		code = overlay_set_weight(o, &b, 7, OVERLAY_BY_HAPROXY, WALL_MS, 0, NULL);
	if (code == ERR_OK)
		code = overlay_pause(o, STR("web"), WALL_MS, WALL_MS + 5, NULL);
	if (code == ERR_OK)
		code = overlay_pause(o, STR(""), WALL_MS, 0, NULL);
	if (code == ERR_OK)
		code = overlay_note_leave(o, &leave, WALL_MS, NULL);
	if (code == ERR_OK)
		code = overlay_release(o, &other, WALL_MS, NULL);
	if (code == ERR_OK)
		overlay_clear_weight(o, &b);
	return code;
}

/* What could not be taken down leaves what was there before as it was. */
static enum err_code
operate(void *arg)
{
	CLEANUP(overlay_free_at) struct overlay *o = NULL;
	CLEANUP(overlay_free_at) struct overlay *copy = NULL;
	struct buf out = buf_make(OVERLAY_TEXT_MAX);
	enum err_code code = overlay_new(&o, NULL);
	int64_t next;

	(void)arg;
	if (code != ERR_OK)
		return code;
	code = hold(o);
	if (code == ERR_OK)
		code = overlay_copy(o, &copy, NULL);
	if (code == ERR_OK)
		code = overlay_write(copy, &out, NULL);
	buf_free(&out);
	torture_pause(true);
	if (hold(o) != ERR_OK || overlay_count(o) != 1 || overlay_count_pauses(o) != 2 || overlay_count_leaves(o) != 2)
		code = ERR_CANCELLED;
	torture_pause(false);
	(void)overlay_prune(o, NULL, WALL_MS + 10, &next);
	return code;
}

/* ---- ejections ---- */

#define CALLED 3

struct calling {
	struct world *w;
	struct actual *actual[3];
	struct plan *plans[3];
};

static void
call(struct calling *c, struct actual_server *const servers[CALLED], size_t round)
{
	servers[0]->failures += round == 0 ? 0 : 12;
	servers[1]->answers += 100;
	servers[2]->answers += 100;
	c->actual[round] = world_actual(c->w);
	c->plans[round] = world_plan(c->w, (int64_t)(round + 1) * 1000, NULL);
}

static void *
set_up_calls(void)
{
	static const char *const ids[CALLED] = { "aaaa", "bbbb", "cccc" };
	struct calling *c = calloc(1, sizeof(*c));
	struct actual_server *servers[CALLED];
	struct conf_policy *policy;
	struct actual_backend *b;

	if (c == NULL)
		return NULL;
	c->w = world_new();
	policy = &world_entry(c->w, "grpc", "rng", 50051)->policy;
	*policy = conf_policy_builtin();
	policy->outlier.max_ejection_percent = 100;
	policy->outlier.panic_threshold_percent = 0;
	b = world_backend(c->w, "grpc");
	for (size_t i = 0; i < CALLED; i++) {
		char at[32], name[8];

		(void)snprintf(at, sizeof(at), "10.0.0.%zu", i + 1);
		(void)world_task(c->w, ids[i], ROSTER_RUNNING, at);
		(void)snprintf(at, sizeof(at), "10.0.0.%zu:50051", i + 1);
		(void)snprintf(name, sizeof(name), "rc_%zu", i + 1);
		servers[i] = world_server(c->w, b, name, ACTUAL_READY, at);
		servers[i]->has_agent_line = servers[i]->has_agent = true;
	}
	for (size_t i = 0; i < N_OF(c->plans); i++)
		call(c, servers, i);
	return c;
}

static void
tear_down_calls(void *arg)
{
	struct calling *c = arg;

	world_free(c->w);
	free(c);
}

/* Whom SPOE tells of, whom an operator ejects, and what is left of it in a file. */
static enum err_code
eject_by_hand(struct outlier *o, const struct plan *p)
{
	CLEANUP(outlier_free_at) struct outlier *again = NULL;
	struct buf said = buf_make(1000), text = buf_make(OUTLIER_TEXT_MAX);
	size_t n = 0;
	enum err_code code = outlier_eject(o, p, STR("grpc"), STR("rc_2"), 3000, WALL_MS, 5000, &said, NULL);

	if (code == ERR_OK)
		code = outlier_write(o, WALL_MS, &text, NULL);
	if (code == ERR_OK)
		code = outlier_new(&again, NULL);
	if (code == ERR_OK)
		code = outlier_resume(again, buf_str(&text), 9000, WALL_MS + 1, &n, NULL);
	if (code == ERR_OK)
		outlier_uneject(o, STR("grpc"), STR("rc_2"), 3500, &said);
	buf_free(&said);
	buf_free(&text);
	return code;
}

static enum err_code
judge_calls(void *arg)
{
	static struct outlier_notes notes;
	const struct calling *c = arg;
	CLEANUP(outlier_free_at) struct outlier *o = NULL;
	struct plan_ejections all;
	enum err_code code = outlier_new(&o, NULL);

	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < N_OF(c->plans); i++) {
		(void)outlier_pass(o, c->actual[i], c->plans[i], (int64_t)(i + 1) * 1000, WALL_MS, &notes);
		outlier_answer(o, STR("grpc"), STR("rc_1"), 14, 200);
	}
	code = eject_by_hand(o, c->plans[2]);
	outlier_ejections(o, &all);
	for (size_t i = 0; i < all.n; i++) /* they borrow from what is there */
		if (outlier_find(o, &all.items[i].key) == NULL)
			code = ERR_CANCELLED;
	return code;
}

/* ---- route maps, and backends.cfg ---- */

struct making {
	struct conf conf;
	struct conf_pair entrypoint;
	struct conf_backend entries[2];
	struct roster roster;
	struct roster_cluster cluster;
	struct desired desired;
	struct desired_backend backends[2];
	struct desired_server wanted;
	struct desired_route route;
	struct actual actual;
	struct actual_backend in_haproxy[2];
	struct actual_server server;
	struct plan plan;
	struct plan_backend planned[2];
	struct plan_server shown;
};

static void
fill_making(struct making *m)
{
	m->entrypoint = (struct conf_pair){ STR("default"), STR("routes.map") };
	m->conf.haproxy = (struct conf_haproxy){ .apply = true,
		.entrypoints = { &m->entrypoint, 1 },
		.managed_mode = CONF_MANAGED_AUTO,
		.master_socket = STR("/run/master.sock"),
		.managed_dir = STR("/var/lib/rollcall/haproxy"),
		.managed_defaults = STR("rollcall") };
	m->conf.backends = m->entries;
	m->conf.n_backends = 2;
	m->cluster.was_read = true;
	m->roster = (struct roster){ .clusters = &m->cluster, .n_clusters = 1 };
	m->desired = (struct desired){
		.roster = &m->roster, .backends = m->backends, .n_backends = 2, .routes = &m->route, .n_routes = 1
	};
	m->actual =
	    (struct actual){ .major = 3, .pid = 7, .start_time_s = 5, .backends = m->in_haproxy, .n_backends = 2 };
	m->plan = (struct plan){ .backends = m->planned, .n_backends = 2 };
}

static void *
set_up_making(void)
{
	static const char *const names[] = { "web", "api" };
	struct making *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	fill_making(m);
	for (size_t i = 0; i < 2; i++) {
		const struct str name = str_from_cstr(names[i]);

		m->entries[i] = (struct conf_backend){ .name = name, .managed = true, .policy = conf_policy_builtin() };
		m->backends[i] = (struct desired_backend){ .conf = &m->entries[i], .name = name };
		m->in_haproxy[i] = (struct actual_backend){ .name = name, .exists = i == 0 };
		m->planned[i] =
		    (struct plan_backend){ .name = name, .exists = i == 0, .strategy = PLAN_STRATEGY_DYNAMIC };
	}
	m->route = (struct desired_route){
		.entrypoint = STR("default"), .host = STR("web"), .path = STR("/"), .backend = STR("web")
	};
	m->wanted = (struct desired_server){ .name = STR("rc_a_app_1"),
		.address = STR("10.0.0.1"),
		.port = 1,
		.want = DESIRED_SERVE,
		.weight = 9,
		.policy = &m->entries[0].policy };
	m->server = (struct actual_server){ .name = STR("rc_a_app_1"),
		.address = STR("10.0.0.1"),
		.port = 1,
		.weight = 9,
		.admin = ACTUAL_READY,
		.is_ours = true };
	m->shown = (struct plan_server){
		.backend = STR("web"), .actual = &m->server, .desired = &m->wanted, .state = PLAN_STATE_UP
	};
	m->backends[0].servers = &m->wanted;
	m->backends[0].n_servers = m->backends[0].n_serve = 1;
	m->in_haproxy[0].servers = &m->server;
	m->planned[0].servers = &m->shown;
	m->in_haproxy[0].n_servers = m->planned[0].n_servers = 1;
	return m;
}

/* A pass, and what it asks for; *holds: HAProxy's map leads to web.  True: and that is known. */
static bool
pass_routes(struct routes *r, const struct making *m, int64_t now_ms, bool *holds)
{
	static const struct hap_map_line line = { { "web/", 4 }, { "web", 3 } };
	static struct routes_actions todo;
	const struct reconcile_view v = { .desired = &m->desired, .plan = &m->plan, .actual = &m->actual };

	routes_feed(r, &(struct routes_event){ .kind = ROUTES_PASSED, .mono_ms = now_ms, .view = &v }, &todo);
	while (todo.show || todo.swap) {
		const struct hap_map held = { &line, *holds ? 1 : 0 };
		struct routes_event ev = { .kind = todo.show ? ROUTES_SHOWN : ROUTES_SWAPPED, .mono_ms = now_ms };

		if (todo.show) {
			ev.map = &held;
			ev.pid = 7;
			ev.start_time_s = 5;
		} else {
			*holds = hap_map_find(todo.map, line.key) != NULL;
		}
		routes_feed(r, &ev, &todo);
	}
	routes_feed(r, &(struct routes_event){ .kind = ROUTES_WRITTEN, .mono_ms = now_ms }, &todo);
	return routes_live(r, 0) != NULL && hap_map_find(routes_live(r, 0), line.key) != NULL;
}

static enum err_code
map_routes(void *arg)
{
	static const struct str text = { "old/ web\nweb/ web\n", 18 };
	const struct making *m = arg;
	struct routes *r = NULL;
	enum err_code code = routes_new(&m->conf, &text, &r, NULL);
	bool leads = false, holds = false;

	if (code != ERR_OK)
		return code;
	for (int64_t i = 1; i < 3; i++)
		(void)pass_routes(r, m, i * 1000, &holds);
	torture_pause(true); /* there is memory again: so must there be routes, in time */
	for (int64_t i = 1; i < 30; i++)
		leads = pass_routes(r, m, i * 10000, &holds);
	torture_pause(false);
	routes_free(r);
	return leads ? ERR_OK : ERR_CANCELLED;
}

/* A pass of managed backends, whose writes and reloads go well; true: a file was written. */
static bool
pass_managed(struct managed *m, const struct making *of, int64_t now_ms)
{
	static struct managed_actions todo;
	const struct reconcile_view v = { .desired = &of->desired, .plan = &of->plan, .actual = &of->actual };
	const struct err ok = ERR_INIT;
	bool was_written = false;

	managed_feed(m, &(struct managed_event){ .kind = MANAGED_PASSED, .mono_ms = now_ms, .view = &v }, &todo);
	while (todo.write || todo.reload) {
		const struct managed_event ev = {
			.kind = todo.write ? MANAGED_WRITTEN : MANAGED_RELOADED, .mono_ms = now_ms, .err = &ok
		};

		was_written = was_written || (todo.write && todo.files.has_text);
		managed_feed(m, &ev, &todo);
	}
	return was_written;
}

static enum err_code
name_made(const struct managed *m)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)1 << 20);
	const struct str *names;
	size_t n;

	return a != NULL ? managed_names(m, a, &names, &n, NULL) : ERR_NOMEM;
}

static enum err_code
manage(void *arg)
{
	const struct managed_found found = { STR("backend old from rollcall\n\tmode http\n"), true, STR("# good\n") };
	const struct making *of = arg;
	struct managed *m = NULL;
	enum err_code code = managed_new(&of->conf, &found, &m, NULL);
	bool was_written = false;

	if (code != ERR_OK)
		return code;
	for (int64_t i = 1; i < 4; i++)
		was_written = pass_managed(m, of, i * 1000) || was_written;
	code = name_made(m);
	torture_pause(true); /* likewise */
	for (int64_t i = 1; i < 30; i++)
		was_written = pass_managed(m, of, i * 10000) || was_written;
	torture_pause(false);
	managed_free(m);
	return was_written ? code : ERR_CANCELLED;
}

static bool
is_used(void *arg, struct str backend)
{
	(void)arg;
	return str_eq(backend, STR("api"));
}

/* A configuration without the backends that are there. */
static enum err_code
retire(void *arg)
{
	const struct making *m = arg;
	CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)1 << 20);
	struct conf fresh = m->conf;
	const struct conf *both = NULL;

	fresh.n_backends = 0;
	if (a == NULL || !conf_retire(a, &fresh, &m->conf, is_used, NULL, &both))
		return ERR_NOMEM;
	return both->n_backends == 1 && both->backends[0].retired ? ERR_OK : ERR_CANCELLED;
}

/* ---- machines ---- */

#define CI "arn:aws:ecs:eu-west-1:123456789012:container-instance/main/"

static const char instances[] = "{\"containerInstances\":[{\"containerInstanceArn\":\"" CI
				"a\",\"ec2InstanceId\":\"i-01\"},{\"containerInstanceArn\":\"" CI
				"b\",\"ec2InstanceId\":\"mi-02\"}],\"failures\":[]}";
static const char machines[] =
    "<?xml version=\"1.0\"?><DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
    "<instanceId>i-01</instanceId><privateIpAddress>10.0.0.1</privateIpAddress></item></instancesSet>"
    "</item></reservationSet></DescribeInstancesResponse>";
static const char managed_machines[] =
    "{\"InstanceInformationList\":[{\"InstanceId\":\"mi-02\",\"IPAddress\":\"192.168.1.7\"}]}";

static const char *
answer_of(const struct ecs_hosting_ask *ask)
{
	if (ask->to == &aws_service_ecs)
		return instances;
	return ask->to == &aws_service_ec2 ? machines : managed_machines;
}

static enum err_code
ask_hosts(struct ecs_hosts *hosts, struct ecs_hosting *h)
{
	struct buf body = buf_make((size_t)1 << 20);
	struct ecs_hosting_ask ask;
	enum err_code code = ecs_hosting_want(h, STR(CI "a"), NULL);

	if (code == ERR_OK)
		code = ecs_hosting_want(h, STR(CI "b"), NULL);
	if (code == ERR_OK)
		code = ecs_hosting_begin(h, NULL);
	while (code == ERR_OK && ecs_hosting_next(h, &ask, &body)) {
		code = ecs_hosting_answer(h, ask.call, str_from_cstr(answer_of(&ask)), NULL);
		buf_reset(&body);
	}
	buf_free(&body);
	if (code == ERR_OK)
		code = ecs_hosting_fault(h).code;
	if (code == ERR_OK && ecs_hosts_find(hosts, STR(CI "b"))->ipv4.len == 0)
		code = ERR_CANCELLED;
	return code;
}

static enum err_code
find_hosts(void *arg)
{
	struct ecs_hosts *hosts = ecs_hosts_new(10);
	struct ecs_hosting *h = NULL;
	enum err_code code = ERR_NOMEM;

	(void)arg;
	if (hosts == NULL)
		return code;
	code = ecs_hosting_new(hosts, STR("main"), 1000, &h, NULL);
	if (code == ERR_OK)
		code = ask_hosts(hosts, h);
	ecs_hosting_free(h);
	ecs_hosts_free(hosts);
	return code;
}

static const struct torture_scenario scenarios[] = {
	{ "a plan of labels", set_up_labels, plan_of_labels, tear_down_labels },
	{ "an operator's hand", NULL, operate, NULL },
	{ "ejections", set_up_calls, judge_calls, tear_down_calls },
	{ "route maps", set_up_making, map_routes, free },
	{ "managed backends", set_up_making, manage, free },
	{ "retired backends", set_up_making, retire, free },
	{ "machines", NULL, find_hosts, NULL },
};

const struct torture_part torture_plan = { scenarios, N_OF(scenarios) };
