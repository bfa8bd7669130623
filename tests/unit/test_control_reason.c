/* Why each thing stands as it stands: commands, servers, backends, tasks, and what is not ready. */
#include "config.h"

#include <jansson.h>

#include "control/control_plan.h"

#include "control_story.h"
#include "unit.h"

#define MAX 20

static json_t *
get(const struct control_facts *f, const char *path, int status)
{
	const struct control_request rq = { .method = STR("GET"), .path = str_from_cstr(path) };
	struct control_response answer;
	json_t *json;

	control_view_answer(f, &rq, &answer);
	assert_int_equal(answer.status, status);
	json = json_loadb((const char *)answer.body.ptr, answer.body.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	buf_free(&answer.body);
	return json;
}

static const char *
text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

/* ---- commands ---- */

static void
a_command_is_printed_with_its_evidence_and_reason(void **state)
{
	static const struct {
		struct plan_step step;
		const char *line;
	} rows[] = {
		{ { .kind = PLAN_BACKEND, .defaults = { "d", 1 } },
		    "# none: HAProxy does not have this managed backend" },
		{ { .kind = PLAN_PUBLISH }, "publish backend b  # none: the backend is not open for calls yet" },
		{ { .kind = PLAN_UNPUBLISH },
		    "unpublish backend b  # none: nothing asks for this managed backend any more" },
		{ { .kind = PLAN_UNMAKE }, "del backend b  # none: nothing asks for this managed backend any more" },
		{ { .kind = PLAN_ADDRESS, .address = { "10.0.0.1", 8 }, .port = 1 },
		    "set server b/rc_1 addr 10.0.0.1 port 1  # none: a task that should serve has no server" },
		{ { .kind = PLAN_CHECK },
		    "enable health b/rc_1  # none: HAProxy is to check it before it takes a call" },
		{ { .kind = PLAN_AGENT }, "# none: only with its agent can it be ejected" },
		{ { .kind = PLAN_EJECT },
		    "set server b/rc_1 agent down  # none: its calls fail, or an operator asked for it" },
		{ { .kind = PLAN_UNEJECT }, "set server b/rc_1 agent up  # none: its ejection is over" },
		{ { .kind = PLAN_WEIGHT, .value = 5 },
		    "set server b/rc_1 weight 5  # none: its weight is another now" },
		{ { .kind = PLAN_MAXCONN, .value = 5 }, "# none: its limit of requests is another now" },
		{ { .kind = PLAN_JOIN },
		    "set server b/rc_1 state drain  # none: it takes no call before its first passed check" },
		{ { .kind = PLAN_GATE }, "# none: it takes no call before its first passed check" },
		{ { .kind = PLAN_READY }, "set server b/rc_1 state ready  # none: it is fit to take calls" },
		{ { .kind = PLAN_DRAIN, .by_operator = true },
		    "set server b/rc_1 state drain  # none: an operator asked for it" },
		{ { .kind = PLAN_MAINT, .is_vacant = true },
		    "# none: the slot has no address, and would fail each of its calls" },
		{ { .kind = PLAN_MAINT, .by_operator = true }, "# none: an operator asked for it" },
		{ { .kind = PLAN_MAINT, .is_respec = true }, "# none: it comes back with the settings" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_STOPPED }, "# stopped: its task has stopped" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_STOPPING }, "# stopping: its task is stopping" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_REPLACED },
		    "# replaced: its address belongs to a newer task" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_MISSING },
		    "# missing: ECS does not know its task any more" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_UNHEALTHY }, "# unhealthy: ECS calls its task UNHEALTHY" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_UNEXPOSED },
		    "# unexposed: the configuration does not expose" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_RUNNING }, "# running: it leaves" },
		{ { .kind = PLAN_SHUTDOWN }, "shutdown sessions server b/rc_1  # none: its drain_timeout is over" },
		{ { .kind = PLAN_DELETE }, "del server b/rc_1  # none: it has left, and has no streams any more" },
	};
	const struct actual actual = { .major = 3, .minor = 4 };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_step step = rows[i].step;
		const struct plan plan = { .steps = &step, .n_steps = 1 };
		struct buf out = buf_make(10000);

		step.backend = STR("b");
		step.server = plan_step_is_of_backend(step.kind) ? STR("") : STR("rc_1");
		control_plan_print(&plan, &actual, &out);
		buf_put_u8(&out, '\0');
		if (strstr((const char *)out.ptr, rows[i].line) == NULL)
			fail_msg("row %zu: \"%s\" is not in \"%s\"", i, rows[i].line, (const char *)out.ptr);
		buf_free(&out);
	}
}

static void
what_is_kept_or_cannot_be_sent_is_printed_too(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct plan_held held = { STR("b"), STR("rc_1"), EVIDENCE_MISSING, STR("one at a time") };
	struct plan_step step = { .kind = PLAN_READY, .backend = STR("b;c"), .server = STR("rc_1") };
	struct plan plan = { .held = &held, .n_held = 1 };
	const struct actual actual = { .major = 3 };
	struct buf out = buf_make(10000);

	(void)state;
	control_plan_print(&plan, &actual, &out);
	assert_str(buf_str(&out), "# kept: b/rc_1: one at a time\n# nothing to do: HAProxy holds what it should\n");
	buf_reset(&out);
	plan.n_held = 0;
	plan.steps = &step;
	plan.n_steps = 1;
	step.why = &s->facts.desired->backends[0].servers[0];
	control_plan_print(&plan, &actual, &out);
	buf_put_u8(&out, '\0');
	assert_non_null(strstr((const char *)out.ptr, "(not sent: "));
	assert_non_null(strstr(
	    (const char *)out.ptr, "; task " CONTROL_STORY_ID("aaaa0001") " of service:rng at 10.0.0.1:50051\n"));
	buf_free(&out);
}

/* ---- servers and backends: one of each, to be changed ---- */

struct one {
	struct control_story *s;
	struct control_facts f;
	struct conf_backend conf;
	struct desired desired;
	struct desired_backend wanted;
	struct actual_server actual;
	struct plan_server server;
	struct plan_backend backend;
	struct plan plan;
	struct overlay_hold hold;
	struct overlay *overlay;
	struct desired_share shares[2];
};

static struct one *
one_new(void)
{
	struct one *o = test_calloc(1, sizeof(*o));
	const struct control_facts *f;

	o->s = control_story_new();
	f = &o->s->facts;
	o->f = *f;
	o->conf = *f->desired->backends[0].conf;
	o->wanted = f->desired->backends[0];
	o->wanted.conf = &o->conf;
	o->desired = *f->desired;
	o->desired.backends = &o->wanted;
	o->desired.n_backends = 1;
	o->backend = *plan_find(f->plan, STR("grpc"));
	o->server = o->backend.servers[0];
	o->actual = *o->server.actual;
	o->server.actual = &o->actual;
	o->server.state = PLAN_STATE_UP;
	o->backend.servers = &o->server;
	o->backend.n_servers = 1;
	o->plan = (struct plan){ .backends = &o->backend, .n_backends = 1 };
	o->f.desired = &o->desired;
	o->f.plan = &o->plan;
	return o;
}

static void
one_free(struct one *o)
{
	control_story_free(o->s);
	overlay_free(o->overlay);
	test_free(o);
}

static struct overlay_key
key_of(const struct one *o)
{
	return overlay_key_of(STR("grpc"), o->server.desired);
}

static void
take_hand(struct one *o)
{
	assert_int_equal(overlay_new(&o->overlay, NULL), ERR_OK);
	o->f.overlay = o->overlay;
}

static void
as_it_is(struct one *o)
{
	(void)o;
}

static void
unheard_of(struct one *o)
{
	o->server.evidence = EVIDENCE_NONE;
}

static void
unexplained(struct one *o)
{
	unheard_of(o);
	o->server.desired = NULL;
}

static void
forsaken(struct one *o)
{
	unexplained(o);
	o->conf.retired = true;
	o->wanted.n_servers = 0;
	o->desired.labels_are_known = true;
}

static void
stale(struct one *o)
{
	o->server.is_stale = true;
}

static void
missing(struct one *o)
{
	o->server.evidence = EVIDENCE_MISSING;
}

static void
joining(struct one *o)
{
	o->server.state = PLAN_STATE_JOINING;
}

static void
down(struct one *o)
{
	o->server.state = PLAN_STATE_DOWN;
	o->actual.status = STR("DOWN");
}

static void
down_by_its_check(struct one *o)
{
	down(o);
	o->actual.last_check = STR("L4CON");
}

static void
draining(struct one *o)
{
	o->server.state = PLAN_STATE_DRAINING;
	o->server.evidence = EVIDENCE_STOPPED;
}

static void
ejected(struct one *o)
{
	o->server.state = PLAN_STATE_EJECTED;
}

static void
held_by_nobody_known(struct one *o)
{
	o->server.state = PLAN_STATE_HELD;
	o->actual.admin = ACTUAL_MAINT;
}

/* By the plan; what operators have asked for since is empty. */
static void
let_go(struct one *o)
{
	o->hold = (struct overlay_hold){ .key = key_of(o), .admin = OVERLAY_DRAIN, .has_weight = true, .weight = 7 };
	o->server.hold = &o->hold;
	o->server.state = PLAN_STATE_HELD;
	take_hand(o);
}

static void
let_go_while_it_drains(struct one *o)
{
	let_go(o);
	o->actual.admin = ACTUAL_DRAIN;
}

static void
let_go_while_it_is_down(struct one *o)
{
	let_go(o);
	o->actual.up = false;
	o->actual.status = STR("DOWN");
}

static void
held_since(struct one *o)
{
	const struct overlay_key key = key_of(o);

	take_hand(o);
	assert_int_equal(
	    overlay_set_weight(o->overlay, &key, 9, OVERLAY_BY_ROLLCALL, CONTROL_STORY_WALL_MS, 0, NULL), ERR_OK);
}

static void
held_as_planned(struct one *o)
{
	let_go(o);
	overlay_free(o->overlay);
	held_since(o);
	o->hold.weight = 9;
	o->actual.weight = 9;
}

static void
a_server_says_why_it_is_where_it_is(void **state)
{
	static const struct {
		void (*change)(struct one *o);
		const char *shown, *reason;
		int weight; /* -1: HAProxy's */
	} rows[] = {
		{ as_it_is, "ready", "", -1 },
		{ stale, "ready", "was added with other settings", -1 },
		{ unheard_of, "ready", "nothing has been heard of its task lately: kept", -1 },
		{ unexplained, "ready", "no task that is known explains it", -1 },
		{ forsaken, "ready", "no entry and no label asks for this backend any more: kept", -1 },
		{ missing, "ready", "ECS does not know its task any more", -1 },
		{ joining, "joining", "takes calls once HAProxy's health check has passed", -1 },
		{ down, "down", "HAProxy calls it DOWN", -1 },
		{ down_by_its_check, "down", "HAProxy's health check fails: L4CON", -1 },
		{ draining, "draining", "its task has stopped", -1 },
		{ ejected, "ejected", "ejected, and about to be put back", -1 },
		{ held_by_nobody_known, "held", "somebody set it to maint in HAProxy", -1 },
		{ let_go, "ready", "", 256 },
		{ let_go_while_it_drains, "joining", "takes calls once", 256 },
		{ let_go_while_it_is_down, "down", "HAProxy calls it DOWN", 256 },
		{ held_since, "held", "weight 9", 9 },
		{ held_as_planned, "held", "weight 9", 9 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct one *o = one_new();
		json_t *all, *server;

		rows[i].change(o);
		all = get(&o->f, "/v1/backends", 200);
		server = json_array_get(json_object_get(json_array_get(all, 0), "servers"), 0);
		CHECK_ROW(strcmp(text_at(server, "state"), rows[i].shown) == 0, i, text_at(server, "state"));
		CHECK_ROW(strstr(text_at(server, "reason"), rows[i].reason) != NULL, i, text_at(server, "reason"));
		CHECK_ROW((rows[i].reason[0] == '\0') == (text_at(server, "reason")[0] == '\0'), i, rows[i].shown);
		if (rows[i].weight >= 0)
			CHECK_ROW(
			    json_integer_value(json_object_get(server, "weight")) == rows[i].weight, i, rows[i].shown);
		json_decref(all);
		one_free(o);
	}
}

/* What a backend says of itself, as one line of "name=value". */
static void
check_head(size_t row, const struct control_facts *f, const char *want)
{
	json_t *all = get(f, "/v1/backends", 200), *b = json_array_get(all, 0);
	json_t *outlier = json_object_get(b, "outlier");
	char got[300];

	(void)snprintf(got, sizeof(got), "%s %s%s%s%s %s/%d %.20s", text_at(b, "kind"), text_at(b, "strategy"),
	    json_is_true(json_object_get(b, "frozen")) ? " frozen" : "",
	    json_is_true(json_object_get(b, "retired")) ? " retired" : "",
	    json_is_true(json_object_get(b, "paused")) ? " paused" : "", text_at(outlier, "mode"),
	    (int)json_integer_value(json_object_get(outlier, "without_agent_check")), text_at(b, "message"));
	if (strcmp(got, want) != 0)
		fail_msg("row %zu: \"%s\" instead of \"%s\"", row, got, want);
	json_decref(all);
}

static void
managed(struct one *o)
{
	o->conf.managed = true;
}

static void
frozen(struct one *o)
{
	o->backend.is_frozen = true;
}

static void
forsaken_and_frozen(struct one *o)
{
	forsaken(o);
	frozen(o);
}

static void
unplanned(struct one *o)
{
	o->f.plan = NULL;
}

static void
underived_and_retired(struct one *o)
{
	o->conf.retired = true;
	o->s->conf.backends = &o->conf;
	o->s->conf.n_backends = 1;
	o->f.desired = NULL;
}

static void
enforced_in_vain(struct one *o)
{
	o->conf.policy.outlier.mode = CONF_OUTLIER_ENFORCE;
	o->backend.n_without_agent = 2;
}

static void
observed(struct one *o)
{
	enforced_in_vain(o);
	o->conf.policy.outlier.mode = CONF_OUTLIER_OBSERVE;
}

static void
not_watched(struct one *o)
{
	enforced_in_vain(o);
	o->conf.policy.outlier.mode = CONF_OUTLIER_OFF;
}

static void
paused_by_the_plan(struct one *o)
{
	o->backend.is_paused = true;
}

static void
paused_no_more(struct one *o)
{
	paused_by_the_plan(o);
	take_hand(o);
}

static void
paused_since(struct one *o)
{
	take_hand(o);
	assert_int_equal(overlay_pause(o->overlay, STR("grpc"), CONTROL_STORY_WALL_MS, 0, NULL), ERR_OK);
}

static void
a_backend_says_what_it_is(void **state)
{
	static const struct {
		void (*change)(struct one *o);
		const char *want;
	} rows[] = {
		{ as_it_is, "declared slots enforce/0 " },
		{ managed, "managed slots enforce/0 " },
		{ frozen, "declared slots frozen enforce/0 " },
		{ forsaken, "declared slots retired enforce/0 no entry and no labe" },
		{ forsaken_and_frozen, "declared slots frozen retired enforce/0 no entry and no labe" },
		{ unplanned, "declared  enforce/0 " },
		{ underived_and_retired, "declared slots retired enforce/0 no entry and no labe" },
		{ enforced_in_vain, "declared slots observe/2 " },
		{ observed, "declared slots observe/2 " },
		{ not_watched, "declared slots off/0 " },
		{ paused_by_the_plan, "declared slots paused enforce/0 " },
		{ paused_no_more, "declared slots enforce/0 " },
		{ paused_since, "declared slots paused enforce/0 " },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct one *o = one_new();

		o->conf.policy.outlier.mode = CONF_OUTLIER_ENFORCE;
		o->backend.n_without_agent = 0;
		rows[i].change(o);
		check_head(i, &o->f, rows[i].want);
		one_free(o);
	}
}

static void
a_retired_backend_goes_with_its_last_server(void **state)
{
	struct one *o = one_new();
	json_t *all;

	(void)state;
	underived_and_retired(o);
	o->backend.n_servers = 0;
	all = get(&o->f, "/v1/backends", 200);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	one_free(o);
}

static void
shares_are_shown_with_what_they_come_to(void **state)
{
	struct one *o = one_new();
	json_t *all, *shares;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		o->shares[i] = (struct desired_share){ .cluster = &o->s->roster->clusters[0],
			.service = STR("rng"),
			.percent = 10,
			.reached_milli = 9091 };
	o->shares[1].revision = 7;
	o->wanted.shares = o->shares;
	o->wanted.n_shares = 2;
	all = get(&o->f, "/v1/backends", 200);
	shares = json_object_get(json_array_get(all, 0), "shares");
	assert_int_equal(json_array_size(shares), 2);
	assert_true(json_is_null(json_object_get(json_array_get(shares, 0), "revision")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(shares, 1), "revision")), 7);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(shares, 1), "reached_millipercent")), 9091);
	json_decref(all);
	one_free(o);
}

/* ---- tasks ---- */

/* The endpoint of aaaa0001, as its task's document has it. */
static json_t *
endpoint_of(const json_t *task)
{
	json_t *container = json_array_get(json_object_get(task, "containers"), 0);

	return json_array_get(json_object_get(container, "endpoints"), 0);
}

static void
an_unexposed_task_names_the_servers_that_are_still_its(void **state)
{
	static const struct {
		const char *server, *backend;
		bool is_slot;
		size_t n;
	} rows[] = {
		{ "rc_1", "grpc", true, 1 }, { "rc_" CONTROL_STORY_ID("aaaa0001") "_app_50051", "grpc", false, 1 },
		{ "rc_" CONTROL_STORY_ID("aaaa0001") "_side_50051", "grpc", false, 0 },
		{ "rc_" CONTROL_STORY_ID("aaaa0001"), "grpc", false, 0 },
		{ "rc_1", "web", true, 0 }, /* of another backend than the endpoint's */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct one *o = one_new();
		const struct roster_task *task = o->server.desired->task;
		struct desired_endpoint *endpoints = test_calloc(o->desired.n_endpoints, sizeof(*endpoints));
		json_t *document;

		memcpy(endpoints, o->desired.endpoints, o->desired.n_endpoints * sizeof(*endpoints));
		for (size_t k = 0; k < o->desired.n_endpoints; k++)
			endpoints[k].exposed = false;
		o->desired.endpoints = endpoints;
		o->server.task = task;
		o->server.desired = NULL;
		o->actual.name = str_from_cstr(rows[i].server);
		o->actual.is_slot = rows[i].is_slot;
		o->backend.name = str_from_cstr(rows[i].backend);
		document = get(&o->f, "/v1/tasks/" CONTROL_STORY_ID("aaaa0001"), 200);
		CHECK_ROW(
		    json_array_size(json_object_get(endpoint_of(document), "servers")) == rows[i].n, i, rows[i].server);
		json_decref(document);
		test_free(endpoints);
		one_free(o);
	}
}

static void
an_endpoint_names_the_routes_of_its_service_and_of_the_configuration(void **state)
{
	static const struct desired_route routes[] = {
		{ .host = { "a", 1 }, .path = { "/", 1 }, .backend = { "grpc", 4 }, .service = { "rng", 3 } },
		{ .host = { "b", 1 },
		    .path = { "/x", 2 },
		    .is_exact = true,
		    .backend = { "grpc", 4 },
		    .service = { "rng", 3 } },
		{ .host = { "c", 1 }, .path = { "/", 1 }, .backend = { "grpc", 4 }, .service = { "shop", 4 } },
		{ .host = { "d", 1 }, .path = { "/", 1 }, .backend = { "web", 3 }, .service = { "rng", 3 } },
		{ .host = { "e", 1 }, .path = { "/", 1 }, .backend = { "grpc", 4 }, .source_label = { "backends", 8 } },
	};
	static const char *const want[] = { "a/", "b/x?", "e/" };
	struct one *o = one_new();
	json_t *document, *shown;

	(void)state;
	o->desired.routes = routes;
	o->desired.n_routes = N_OF(routes);
	document = get(&o->f, "/v1/tasks/" CONTROL_STORY_ID("aaaa0001"), 200);
	shown = json_object_get(endpoint_of(document), "routes");
	assert_int_equal(json_array_size(shown), N_OF(want));
	for (size_t i = 0; i < N_OF(want); i++)
		assert_string_equal(json_string_value(json_array_get(shown, i)), want[i]);
	json_decref(document);
	one_free(o);
}

/* Of a prefix that many share, the first are named. */
static void
an_ambiguous_prefix_names_no_more_than_it_may(void **state)
{
	struct world *w = world_new();
	char ids[MAX][40];
	struct control_facts f = { .wall_ms = CONTROL_STORY_WALL_MS };
	json_t *document;
	const char *message;

	(void)state;
	for (unsigned i = 0; i < MAX; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "aaaaaaaa%024u", i);
		(void)world_task(w, ids[i], ROSTER_RUNNING, "10.0.0.1");
	}
	f.roster = world_roster(w);
	document = get(&f, "/v1/tasks/aaaaaaaa", 409);
	message = text_at(json_object_get(document, "error"), "message");
	assert_non_null(strstr(message, "`aaaaaaaa` stands for 20 tasks: "));
	assert_non_null(strstr(message, " and 10 more"));
	json_decref(document);
	world_free(w);
}

/* ---- what is known of the world around: queues, budgets, SPOE, traces ---- */

struct surroundings {
	struct control_story *s;
	struct fault fault, bind;
	struct ecs_queue_view queue;
	unsigned used;
	struct control_stretch stretch;
	struct spop_counts spop_counts;
	struct spop_server_view spop;
	struct trace_export_counts trace_counts;
	struct trace_export_view trace;
	struct outlier *outlier;
	struct roster roster;
	struct roster_cluster cluster;
};

static struct surroundings *
surroundings_new(void)
{
	struct surroundings *r = test_calloc(1, sizeof(*r));

	r->s = control_story_new();
	r->queue = (struct ecs_queue_view){ .url = STR("https://q"),
		.is_listening = true,
		.messages = 9,
		.events = 5,
		.foreign = 2,
		.poison = 1,
		.fault = &r->fault };
	r->used = 37;
	r->stretch = (struct control_stretch){ .is_stretched = true, .watch_ms = 7000, .refresh_ms = 61000 };
	r->spop_counts = (struct spop_counts){ .frames = 8, .notifies = 6, .disconnects = 1 };
	r->spop_counts.refused[SPOP_TOO_BIG] = 3;
	r->spop = (struct spop_server_view){
		.bind_fault = &r->bind, .counts = &r->spop_counts, .connections = 2, .turned_away = 1, .stalled = 3
	};
	r->trace_counts = (struct trace_export_counts){ .received = 20, .exported = 11, .dropped_full = 4 };
	r->trace = (struct trace_export_view){ .counts = &r->trace_counts, .queued = 5 };
	assert_int_equal(outlier_new(&r->outlier, NULL), ERR_OK);
	r->roster = *r->s->roster;
	r->cluster = r->s->roster->clusters[0];
	r->cluster.complete_wall_ms = CONTROL_STORY_WALL_MS;
	r->cluster.complete_mono_ms = r->s->facts.mono_ms - 1500;
	r->roster.clusters = &r->cluster;
	r->roster.n_clusters = 1;
	return r;
}

/* All that was not known in the story. */
static void
make_known(struct surroundings *r)
{
	struct control_facts *f = &r->s->facts;

	f->queues = &r->queue;
	f->budget_used_percent = &r->used;
	f->stretches = &r->stretch;
	f->spop = &r->spop;
	f->trace = &r->trace;
	f->outlier = r->outlier;
	f->roster = &r->roster;
}

static void
surroundings_free(struct surroundings *r)
{
	control_story_free(r->s);
	outlier_free(r->outlier);
	test_free(r);
}

static bool
counts(const struct control_facts *f, const char *line)
{
	const struct control_request rq = { .method = STR("GET"), .path = STR("/metrics") };
	struct control_response answer;
	bool found;

	control_view_answer(f, &rq, &answer);
	buf_put_u8(&answer.body, '\0');
	found = strstr((const char *)answer.body.ptr, line) != NULL;
	buf_free(&answer.body);
	return found;
}

/* What is not known has no sample: a 0 would be a lie. */
static void
metrics_tell_of_what_is_known_and_of_nothing_else(void **state)
{
	static const char *const lines[] = {
		"\nrollcall_aws_budget_used_ratio{source=\"eu\"} 0.370\n",
		"\nrollcall_ecs_events_listening{source=\"eu\"} 1\n",
		"\nrollcall_ecs_events_messages_total{source=\"eu\"} 9\n",
		"\nrollcall_ecs_events_total{source=\"eu\"} 5\n",
		"\nrollcall_ecs_events_dropped_total{source=\"eu\"} 1\n",
		"\nrollcall_cluster_age_seconds{source=\"eu\",cluster=\"main\"} 1.500\n",
		"\nrollcall_spoe_listening 1\n",
		"\nrollcall_spoe_connections 2\n",
		"\nrollcall_spoe_connections_refused_total 4\n",
		"\nrollcall_spoe_refused_frames_total{reason=\"too_big\"} 3\n",
		"\nrollcall_trace_spans_received_total 20\n",
		"\nrollcall_trace_spans_queued 5\n",
		"\nrollcall_trace_spans_lost_total{reason=\"queue_full\"} 4\n",
		"\nrollcall_outlier_ejections_total{cause=\"operator\"} 0\n",
	};
	struct surroundings *r = surroundings_new();

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++)
		CHECK_ROW(!counts(&r->s->facts, lines[i]), i, lines[i]);
	make_known(r);
	for (size_t i = 0; i < N_OF(lines); i++)
		CHECK_ROW(counts(&r->s->facts, lines[i]), i, lines[i]);
	r->bind.on = true;
	r->queue.fault = NULL; /* this source has no events */
	assert_true(counts(&r->s->facts, "\nrollcall_spoe_listening 0\n"));
	assert_false(counts(&r->s->facts, "rollcall_ecs_events_total{"));
	surroundings_free(r);
}

static void
status_tells_of_what_is_known_and_of_nothing_else(void **state)
{
	struct surroundings *r = surroundings_new();
	json_t *status, *source;

	(void)state;
	status = get(&r->s->facts, "/v1/status", 200);
	source = json_array_get(json_object_get(status, "sources"), 0);
	assert_true(json_is_null(json_object_get(source, "budget_used_percent")));
	assert_true(json_is_null(json_object_get(source, "stretched")));
	assert_true(json_is_null(json_object_get(source, "events")));
	json_decref(status);
	make_known(r);
	(void)err_set(&r->fault.err, ERR_AUTH, "denied");
	r->fault.on = true;
	status = get(&r->s->facts, "/v1/status", 200);
	source = json_array_get(json_object_get(status, "sources"), 0);
	assert_int_equal(json_integer_value(json_object_get(source, "budget_used_percent")), 37);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(source, "stretched"), "watch_ms")), 7000);
	assert_string_equal(text_at(json_object_get(source, "events"), "queue"), "https://q");
	assert_string_equal(text_at(json_object_get(source, "events"), "error"), "denied");
	assert_int_equal(
	    json_integer_value(json_object_get(json_array_get(json_object_get(source, "clusters"), 0), "age_ms")),
	    1500);
	json_decref(status);
	r->stretch.is_stretched = false;
	r->queue.fault = NULL;
	status = get(&r->s->facts, "/v1/status", 200);
	source = json_array_get(json_object_get(status, "sources"), 0);
	assert_true(json_is_null(json_object_get(source, "stretched")));
	assert_true(json_is_null(json_object_get(source, "events")));
	json_decref(status);
	surroundings_free(r);
}

/* Before anything was read there is what the configuration names, by name; of another source's
 * clusters a source says nothing. */
static void
status_names_the_clusters_of_a_source(void **state)
{
	static const struct str names[] = { { "arn:aws:ecs:eu-west-1:1:cluster/one", 35 }, { "*", 1 } };
	struct surroundings *r = surroundings_new();
	struct conf_source source = r->s->conf.sources[0];
	json_t *status, *clusters;

	(void)state;
	source.clusters = (struct conf_list){ names, 2 };
	r->s->conf.sources = &source;
	make_known(r);
	r->cluster.source = STR("us");
	status = get(&r->s->facts, "/v1/status", 200);
	clusters = json_object_get(json_array_get(json_object_get(status, "sources"), 0), "clusters");
	assert_int_equal(json_array_size(clusters), 1);
	assert_string_equal(text_at(json_array_get(clusters, 0), "name"), "one");
	assert_true(json_is_null(json_object_get(json_array_get(clusters, 0), "tasks")));
	json_decref(status);
	surroundings_free(r);
}

static void
status_names_the_backends_that_are_frozen(void **state)
{
	struct one *o = one_new();
	json_t *status, *list;

	(void)state;
	frozen(o);
	status = get(&o->f, "/v1/status", 200);
	list = json_object_get(status, "frozen");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_array_get(list, 0)), "grpc");
	json_decref(status);
	one_free(o);
}

/* ---- not ready ---- */

static void
unready_names_what_it_waits_for(void **state)
{
	struct roster_cluster clusters[7];
	struct roster roster = { .clusters = clusters, .n_clusters = 1 };
	struct control_facts f = { .roster = &roster, .connected = true, .in_step = true };
	static const struct {
		size_t n;
		bool was_read, fails, connected, in_step, haproxy_fails;
		const char *says;
	} rows[] = {
		{ 1, false, false, true, true, false, "cluster main of eu has not been read whole yet" },
		{ 1, false, true, true, true, false, "has not been read whole yet (denied)" },
		{ 7, false, false, true, true, false, "nor have 2 other clusters" },
		{ 1, true, false, false, false, false, "HAProxy at  has not answered yet" },
		{ 1, true, false, false, false, true, "HAProxy at  is not reached (refused)" },
		{ 1, true, false, true, false, false, "HAProxy is not in step yet" },
		{ 1, true, false, true, true, false, "starting" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		json_t *document;
		const char *message;

		for (size_t k = 0; k < 7; k++) {
			clusters[k] = (struct roster_cluster){
				.source = STR("eu"), .name = STR("main"), .was_read = rows[i].was_read
			};
			clusters[k].fault.on = rows[i].fails;
			(void)err_set(&clusters[k].fault.err, ERR_AUTH, "denied");
		}
		roster.n_clusters = rows[i].n;
		f.connected = rows[i].connected;
		f.in_step = rows[i].in_step;
		f.haproxy_fault.on = rows[i].haproxy_fails;
		(void)err_set(&f.haproxy_fault.err, ERR_IO, "refused");
		document = get(&f, "/ready", 503);
		message = text_at(json_object_get(document, "error"), "message");
		CHECK_ROW(strstr(message, rows[i].says) != NULL, i, message);
		json_decref(document);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_printed_with_its_evidence_and_reason),
		cmocka_unit_test(what_is_kept_or_cannot_be_sent_is_printed_too),
		cmocka_unit_test(a_server_says_why_it_is_where_it_is),
		cmocka_unit_test(a_backend_says_what_it_is),
		cmocka_unit_test(a_retired_backend_goes_with_its_last_server),
		cmocka_unit_test(shares_are_shown_with_what_they_come_to),
		cmocka_unit_test(an_unexposed_task_names_the_servers_that_are_still_its),
		cmocka_unit_test(an_endpoint_names_the_routes_of_its_service_and_of_the_configuration),
		cmocka_unit_test(an_ambiguous_prefix_names_no_more_than_it_may),
		cmocka_unit_test(metrics_tell_of_what_is_known_and_of_nothing_else),
		cmocka_unit_test(status_tells_of_what_is_known_and_of_nothing_else),
		cmocka_unit_test(status_names_the_clusters_of_a_source),
		cmocka_unit_test(status_names_the_backends_that_are_frozen),
		cmocka_unit_test(unready_names_what_it_waits_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
