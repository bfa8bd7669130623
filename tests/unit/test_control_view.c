/* The control interface without its socket: paths, fields, reasons, hostile text. */
#include "config.h"

#include <stdlib.h>

#include <jansson.h>

#include "control/control_metric.h"
#include "control/control_page.h"
#include "control/control_path.h"

#include "control_story.h"
#include "unit.h"

#define NOTHING (&(const struct control_facts){ .wall_ms = CONTROL_STORY_WALL_MS })

struct view {
	int status;
	json_t *json;
	char allow[32], type[32];
};

static struct view
ask(const struct control_facts *f, const char *method, struct str path)
{
	const struct control_request rq = { .method = str_from_cstr(method), .path = path };
	struct control_response answer;
	struct view v = { 0 };

	control_view_answer(f, &rq, &answer);
	v.status = answer.status;
	v.json = json_loadb((const char *)answer.body.ptr, answer.body.len, JSON_REJECT_DUPLICATES, NULL);
	(void)snprintf(v.allow, sizeof(v.allow), "%s", answer.allow != NULL ? answer.allow : "");
	(void)snprintf(v.type, sizeof(v.type), "%s", answer.content_type);
	buf_free(&answer.body);
	assert_non_null(v.json);
	return v;
}

static struct view
get(const struct control_facts *f, const char *path)
{
	return ask(f, "GET", str_from_cstr(path));
}

static const char *
text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text == NULL)
		fail_msg("no text `%s`", name);
	return text;
}

static const char *
error_at(const struct view *v, const char *name)
{
	return text_at(json_object_get(v->json, "error"), name);
}

/* "a b c": the names of an object's members, in their order. */
static void
assert_members(json_t *object, const char *want)
{
	char got[512] = "";
	size_t at = 0;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		int n = snprintf(got + at, sizeof(got) - at, "%s%s", at > 0 ? " " : "", name);

		at += (size_t)n;
		assert_true(at < sizeof(got));
	}
	assert_string_equal(got, want);
}

/* ---- paths ---- */

static void
a_path_leads_to_its_view_or_to_an_error(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *code;
	} rows[] = {
		{ "GET", "/live", 200, NULL },
		{ "HEAD", "/live", 200, NULL },
		{ "GET", "/ready", 200, NULL },
		{ "GET", "/v1/status", 200, NULL },
		{ "HEAD", "/v1/status", 200, NULL },
		{ "GET", "/v1/backends", 200, NULL },
		{ "GET", "/v1/backends/grpc", 200, NULL },
		{ "GET", "/v1/backends/%67rpc", 200, NULL },
		{ "GET", "/v1/%73tatus", 200, NULL },
		{ "GET", "/v1/tasks/aaaa0001", 200, NULL },
		{ "GET", "/v1/tasks/" CONTROL_STORY_ID("aaaa0001"), 200, NULL },
		{ "GET", "/v1/tasks/arn%3Aaws%3aecs:eu-west-1:123456789012:task%2Fmain%2f" CONTROL_STORY_ID("aaaa0001"),
		    200, NULL },
		{ "GET", "/v1/plan", 200, NULL },
		{ "HEAD", "/v1/plan", 200, NULL },
		{ "GET", "/v1/doctor", 200, NULL },
		{ "GET", "/v1/routes", 200, NULL },
		{ "GET", "/v1/events", 200, NULL },
		{ "GET", "/v1/route", 400, "bad_parameter" },
		{ "GET", "", 400, "bad_path" },
		{ "GET", "live", 400, "bad_path" },
		{ "GET", "*", 400, "bad_path" },
		{ "GET", "/v1/backends/%", 400, "bad_path" },
		{ "GET", "/v1/backends/%6", 400, "bad_path" },
		{ "GET", "/v1/backends/%6g", 400, "bad_path" },
		{ "GET", "/v1/backends/%zz", 400, "bad_path" },
		{ "GET", "/v1/backends/a%00b", 400, "bad_path" },
		{ "GET", "/nowhere/%0", 400, "bad_path" },
		{ "GET", "/v1/excluded", 200, NULL },
		{ "POST", "/", 405, "method_not_allowed" },
		{ "GET", "/live/", 404, "not_found" },
		{ "GET", "//live", 404, "not_found" },
		{ "GET", "/LIVE", 404, "not_found" },
		{ "GET", "/v1", 404, "not_found" },
		{ "GET", "/v1/status/x", 404, "not_found" },
		{ "GET", "/v1/backends/", 404, "not_found" },
		{ "GET", "/v1/backends/grpc/servers", 404, "not_found" },
		{ "GET", "/v1/backends/nobody", 404, "not_found" },
		{ "GET", "/v1/backends/*", 404, "not_found" },
		{ "GET", "/v1/backends/%ff", 404, "not_found" },
		{ "GET", "/v1/backends/g%72pc%20", 404, "not_found" },
		{ "GET", "/v1%2fstatus", 404, "not_found" },
		{ "GET", "/a/b/c/d/e/f/g/h/i/j", 404, "not_found" },
		{ "POST", "/nowhere", 404, "not_found" },
		{ "POST", "/v1/status", 405, "method_not_allowed" },
		{ "DELETE", "/v1/backends/grpc", 405, "method_not_allowed" },
		{ "PUT", "/v1/backends/nobody", 405, "method_not_allowed" },
		{ "get", "/live", 405, "method_not_allowed" },
		{ "", "/live", 405, "method_not_allowed" },
	};
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct view v = ask(&s->facts, rows[i].method, str_from_cstr(rows[i].path));

		CHECK_ROW(v.status == rows[i].status, i, rows[i].path);
		CHECK_ROW(rows[i].code == NULL || strcmp(error_at(&v, "code"), rows[i].code) == 0, i, rows[i].path);
		assert_string_equal(v.allow, v.status == 405 ? "GET, HEAD" : "");
		assert_string_equal(v.type, "application/json");
		json_decref(v.json);
	}
}

static void
a_path_over_the_limit_is_refused_and_one_at_it_is_not(void **state)
{
	char path[CONTROL_PATH_MAX + 1];
	struct view v;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	v = ask(NOTHING, "GET", str_of(path, sizeof(path)));
	assert_int_equal(v.status, 400);
	json_decref(v.json);
	v = ask(NOTHING, "GET", str_of(path, sizeof(path) - 1));
	assert_int_equal(v.status, 404);
	json_decref(v.json);
}

static void
every_path_answers_while_nothing_is_known(void **state)
{
	static const struct {
		const char *path;
		int status;
	} rows[] = {
		{ "/live", 200 },
		{ "/ready", 503 },
		{ "/v1/status", 200 },
		{ "/v1/backends", 200 },
		{ "/v1/backends/grpc", 404 },
		{ "/v1/tasks/aaaa0001", 404 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct view v = get(NOTHING, rows[i].path);

		CHECK_ROW(v.status == rows[i].status, i, rows[i].path);
		json_decref(v.json);
	}
}

/* ---- fields ---- */

static void
check_status_fields(const struct control_facts *f)
{
	struct view v = get(f, "/v1/status");
	json_t *source = json_array_get(json_object_get(v.json, "sources"), 0);

	assert_members(v.json,
	    "version uptime_ms config sources haproxy spoe backends servers holds pauses frozen digest problems");
	assert_members(json_object_get(v.json, "config"), "path hash loaded_at refused");
	assert_members(
	    json_object_get(v.json, "haproxy"), "address version pid connected in_step last_sync_at last_error");
	assert_members(json_object_get(v.json, "servers"), "joining ready down draining ejected held");
	if (source != NULL) {
		assert_members(source,
		    "name region account credentials credentials_expire_at credentials_error clusters calls throttles "
		    "budget_used_percent stretched events");
		assert_members(json_array_get(json_object_get(source, "clusters"), 0),
		    "name arn complete_at age_ms tasks from_disk error");
	}
	json_decref(v.json);
}

static void
status_tells_of_the_spoe_agent_where_there_is_one(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct spop_counts counts = {
		.frames = 9, .notifies = 7, .disconnects = 1, .refused = { [SPOP_TOO_BIG] = 2 }
	};
	const struct fault well = { .on = false };
	const struct err last = { .code = ERR_PARSE, .msg = "a frame of 5 bytes" };
	struct spop_server_view spop = { .bind_fault = &well,
		.counts = &counts,
		.connections = 3,
		.turned_away = 4,
		.stalled = 1,
		.last_error = &last };
	struct view v = get(&s->facts, "/v1/status");
	json_t *spoe;

	(void)state;
	assert_true(json_is_null(json_object_get(v.json, "spoe")));
	json_decref(v.json);
	s->conf.spoe.address = STR("abns@spoe");
	s->facts.spop = &spop;
	v = get(&s->facts, "/v1/status");
	spoe = json_object_get(v.json, "spoe");
	assert_members(spoe, "address listening connections frames notifies dropped errors last_error last_error_at");
	assert_int_equal(json_integer_value(json_object_get(spoe, "frames")), 9);
	assert_int_equal(json_integer_value(json_object_get(spoe, "dropped")), 5);
	assert_int_equal(json_integer_value(json_object_get(spoe, "errors")), 3);
	assert_true(json_is_null(json_object_get(spoe, "last_error")));
	json_decref(v.json);
	spop.last_error_wall_ms = CONTROL_STORY_WALL_MS;
	v = get(&s->facts, "/v1/status");
	spoe = json_object_get(v.json, "spoe");
	assert_string_equal(json_string_value(json_object_get(spoe, "last_error")), "a frame of 5 bytes");
	json_decref(v.json);
}

static void
status_has_all_its_fields_whatever_is_known(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct control_facts early = { .conf = &s->conf };

	(void)state;
	check_status_fields(&s->facts);
	check_status_fields(&early);
	check_status_fields(NOTHING);
}

static void
a_server_has_all_its_fields_with_and_without_a_task(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/backends/web2");
	json_t *servers = json_object_get(v.json, "servers"), *stray = json_array_get(servers, 1);

	(void)state;
	assert_members(v.json, "name kind strategy frozen retired message outlier paused paused_until shares servers");
	assert_int_equal(json_array_size(servers), 2);
	for (size_t i = 0; i < 2; i++)
		assert_members(json_array_get(servers, i),
		    "name backend task task_arn source cluster service family revision container zone address port "
		    "state weight sessions calls since evidence reason ejection");
	assert_string_equal(text_at(stray, "task"), "");
	assert_true(json_is_null(json_object_get(stray, "revision")));
	assert_string_equal(text_at(stray, "evidence"), "none");
	assert_true(strlen(text_at(stray, "reason")) > 0);
	json_decref(v.json);
}

static void
a_task_has_all_its_fields(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/tasks/aaaa0001");
	json_t *container = json_array_get(json_object_get(v.json, "containers"), 0);

	(void)state;
	assert_members(v.json, "task task_arn cluster service revision last_status desired_status health containers");
	assert_members(container, "name labels held_by ignored_labels endpoints");
	assert_members(json_array_get(json_object_get(container, "endpoints"), 0),
	    "name backend port exposed reason message routes servers");
	json_decref(v.json);
}

static void
a_server_is_told_with_its_task_and_its_time(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/backends/grpc");
	const json_t *server = json_array_get(json_object_get(v.json, "servers"), 0);

	(void)state;
	assert_string_equal(text_at(server, "name"), "rc_1");
	assert_string_equal(text_at(server, "task_arn"), CONTROL_STORY_ARN("aaaa0001"));
	assert_string_equal(text_at(server, "zone"), "eu-west-1a");
	assert_string_equal(text_at(server, "state"), "ready");
	/* Read 500 ms ago, changed 180 s before that, in whole seconds. */
	assert_string_equal(text_at(server, "since"), "2026-11-23T02:37:45.000Z");
	assert_int_equal(json_integer_value(json_object_get(server, "sessions")), 2);
	assert_int_equal(json_integer_value(json_object_get(server, "port")), 50051);
	json_decref(v.json);
}

/* ---- status ---- */

static void
status_counts_servers_by_state(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/status");
	const json_t *servers = json_object_get(v.json, "servers");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(servers, "ready")), 4);
	assert_int_equal(json_integer_value(json_object_get(servers, "joining")), 1);
	assert_int_equal(json_integer_value(json_object_get(servers, "draining")), 1);
	assert_int_equal(json_integer_value(json_object_get(v.json, "backends")), 4);
	assert_int_equal(json_integer_value(json_object_get(v.json, "uptime_ms")), 490000);
	json_decref(v.json);
}

/* As an outside check would compute it from /v1/backends. */
static uint64_t
fnv1a(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

static void
the_digest_is_fnv1a_of_the_sorted_lines(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/status");
	char want[32];

	(void)state;
	(void)snprintf(want, sizeof(want), "%016llx",
	    (unsigned long long)fnv1a("grpc rc_1 10.0.0.1 50051 ready 256\n"
				      "grpc rc_2 10.0.0.2 50051 joining 256\n"
				      "grpc rc_3 10.0.0.3 50051 draining 256\n"
				      "web rc_1 fd00::7 50051 ready 256\n"
				      "web2 rc_1 fd00::7 50051 ready 256\n"
				      "web2 rc_2 10.9.9.9 50051 ready 256\n"));
	assert_string_equal(text_at(v.json, "digest"), want);
	json_decref(v.json);
}

static void
status_says_of_keys_where_from_until_when_and_what_is_wrong(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct fault renewal = { .on = true, .err = { .code = ERR_AUTH, .msg = "role far: AccessDenied: no" } };
	json_t *source, *problem;
	struct view v;

	(void)state;
	s->keys = (struct creds_source_view){ "role far by environment", INT64_C(1795401646000), &renewal };
	v = get(&s->facts, "/v1/status");
	source = json_array_get(json_object_get(v.json, "sources"), 0);
	assert_string_equal(text_at(source, "credentials"), "role far by environment");
	assert_string_equal(text_at(source, "credentials_expire_at"), "2026-11-23T02:40:46.000Z");
	assert_string_equal(text_at(source, "credentials_error"), "role far: AccessDenied: no");
	problem = json_array_get(json_object_get(v.json, "problems"), 0);
	assert_memory_equal(text_at(problem, "where"), "credentials of ", 15);
	assert_string_equal(text_at(problem, "message"), "role far: AccessDenied: no");
	json_decref(v.json);
}

static void
status_lists_what_is_wrong_and_where(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct roster_cluster cluster = { .source = STR("eu"), .name = STR("main"), .fault = { .on = true } };
	struct roster roster = { .clusters = &cluster, .n_clusters = 1 };
	static const char *const where[] = { "configuration", "HAProxy", "cluster main of eu", "backend absent" };
	const json_t *problems, *clusters;
	struct view v;

	(void)state;
	(void)snprintf(cluster.fault.err.msg, sizeof(cluster.fault.err.msg), "denied");
	s->facts.roster = &roster;
	s->facts.config_refused = STR("line 3");
	s->facts.haproxy_fault.on = true;
	v = get(&s->facts, "/v1/status");
	problems = json_object_get(v.json, "problems");
	assert_int_equal(json_array_size(problems), N_OF(where));
	for (size_t i = 0; i < N_OF(where); i++) {
		assert_members(json_array_get(problems, i), "where message");
		assert_string_equal(text_at(json_array_get(problems, i), "where"), where[i]);
	}
	assert_string_equal(text_at(json_object_get(v.json, "config"), "refused"), "line 3");
	clusters = json_object_get(json_array_get(json_object_get(v.json, "sources"), 0), "clusters");
	assert_string_equal(text_at(json_array_get(clusters, 0), "error"), "denied");
	json_decref(v.json);
}

static void
unready_says_what_is_missing(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct roster_cluster clusters[3] = {
		{ .source = STR("eu"), .name = STR("main"), .was_read = true },
		{ .source = STR("eu"), .name = STR("slow"), .fault = { .on = true } },
		{ .source = STR("eu"), .name = STR("denied"), .fault = { .on = true }, .fault_is_permanent = true },
	};
	struct roster roster = { .clusters = clusters, .n_clusters = 3 };
	struct view v;

	(void)state;
	(void)snprintf(clusters[1].fault.err.msg, sizeof(clusters[1].fault.err.msg), "timed out");
	(void)snprintf(s->facts.haproxy_fault.err.msg, sizeof(s->facts.haproxy_fault.err.msg), "no such file");
	s->facts.haproxy_fault.on = true;
	s->facts.roster = &roster;
	s->facts.ready = s->facts.connected = false;
	v = get(&s->facts, "/ready");
	assert_int_equal(v.status, 503);
	assert_string_equal(error_at(&v, "code"), "not_ready");
	assert_string_equal(error_at(&v, "message"),
	    "cluster slow of eu has not been read whole yet (timed out); "
	    "HAProxy at /run/haproxy/admin.sock is not reached (no such file)");
	json_decref(v.json);
}

/* ---- tasks ---- */

static void
an_id_that_begins_several_is_ambiguous_and_lists_them(void **state)
{
	CLEANUP(world_free_at) struct world *w = world_new();
	struct control_facts f = { .wall_ms = 1 };
	struct view v;

	(void)state;
	(void)world_task(w, "abcdef01aaaa", ROSTER_RUNNING, "10.0.0.1");
	(void)world_task(w, "abcdef01bbbb", ROSTER_STOPPED, "10.0.0.2");
	(void)world_task(w, "abcdef01", ROSTER_RUNNING, "10.0.0.3");
	f.roster = world_roster(w);
	v = get(&f, "/v1/tasks/abcdef01"); /* a whole id */
	assert_int_equal(v.status, 200);
	json_decref(v.json);
	v = get(&f, "/v1/tasks/abcdef01b"); /* an ended task */
	assert_int_equal(v.status, 200);
	assert_string_equal(text_at(v.json, "last_status"), "STOPPED");
	json_decref(v.json);
	(void)world_task(w, "abcdef02aaaa", ROSTER_RUNNING, "10.0.0.1");
	(void)world_task(w, "abcdef02bbbb", ROSTER_RUNNING, "10.0.0.2");
	f.roster = world_roster(w);
	v = get(&f, "/v1/tasks/abcdef02");
	assert_int_equal(v.status, 409);
	assert_string_equal(error_at(&v, "code"), "ambiguous");
	assert_string_equal(error_at(&v, "message"), "`abcdef02` stands for 2 tasks: abcdef02aaaa, abcdef02bbbb");
	json_decref(v.json);
}

/* The one endpoint of the task's one container. */
static const json_t *
endpoint_of(const struct view *v)
{
	json_t *container = json_array_get(json_object_get(v->json, "containers"), 0);

	return json_array_get(json_object_get(container, "endpoints"), 0);
}

static void
an_endpoint_says_where_it_serves_or_why_not(void **state)
{
	static const struct {
		const char *id;
		bool exposed;
		const char *reason, *server, *message;
	} rows[] = {
		{ "aaaa0001", true, "", "grpc/rc_1", "" },
		{ "aaaa0002", true, "", "grpc/rc_2", "" },
		{ "bbbb0001", false, "stopping", "grpc/rc_3", "STOPPING" },
		{ "cccc0001", true, "no_slot", NULL, "backend `grpc` of HAProxy has no free slot (3 of 3 in use)" },
		{ "cccc0002", false, "not_selected", NULL, "family:batch" },
		{ "dddd0001", true, "no_backend", NULL, "HAProxy has no backend `absent`" },
		{ "eeee0001", false, "not_running", NULL, "PENDING" },
		{ "ffff0001", true, "", "web/rc_1", "" },
	};
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char path[64];
		struct view v;
		const json_t *e, *servers;
		const char *server;

		(void)snprintf(path, sizeof(path), "/v1/tasks/%s", rows[i].id);
		v = get(&s->facts, path);
		e = endpoint_of(&v);
		servers = json_object_get(e, "servers");
		server = json_string_value(json_array_get(servers, 0));
		CHECK_ROW(json_is_true(json_object_get(e, "exposed")) == rows[i].exposed, i, rows[i].id);
		CHECK_ROW(strcmp(text_at(e, "reason"), rows[i].reason) == 0, i, rows[i].id);
		CHECK_ROW(strstr(text_at(e, "message"), rows[i].message) != NULL, i, text_at(e, "message"));
		CHECK_ROW((server != NULL) == (rows[i].server != NULL), i, rows[i].id);
		CHECK_ROW(server == NULL || strcmp(server, rows[i].server) == 0, i, server);
		json_decref(v.json);
	}
}

static void
an_endpoint_waits_while_haproxy_has_not_been_read(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v;

	(void)state;
	s->facts.plan = NULL;
	s->facts.actual = NULL;
	s->facts.connected = false;
	v = get(&s->facts, "/v1/tasks/aaaa0001");
	assert_string_equal(text_at(endpoint_of(&v), "reason"), "no_slot");
	assert_string_equal(text_at(endpoint_of(&v), "message"), "HAProxy has not answered yet");
	json_decref(v.json);
}

static void
a_backend_without_slots_is_told_what_to_add(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	CLEANUP(world_free_at) struct world *w = world_new();
	struct view v;

	(void)state;
	(void)world_entry(w, "grpc", "rng", 0);
	(void)world_backend(w, "grpc");
	(void)world_task(w, "abcdef01", ROSTER_RUNNING, "10.0.0.1");
	s->facts.plan = world_plan(w, 1, NULL);
	s->facts.actual = world_actual(w);
	s->facts.desired = world_desired(w);
	s->facts.roster = world_roster(w);
	v = get(&s->facts, "/v1/tasks/abcdef01");
	assert_string_equal(text_at(endpoint_of(&v), "reason"), "no_slot");
	assert_non_null(strstr(text_at(endpoint_of(&v), "message"), "server-template rc_ 1-20"));
	json_decref(v.json);
}

static void
a_service_is_named_as_match_names_it(void **state)
{
	static const struct {
		const char *path, *service;
	} rows[] = {
		{ "/v1/tasks/aaaa0001", "rng" },
		{ "/v1/tasks/cccc0002", "family:batch" },
	};
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct view v = get(&s->facts, rows[i].path);

		assert_string_equal(text_at(v.json, "service"), rows[i].service);
		json_decref(v.json);
	}
}

static void
text_from_outside_stays_text(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/tasks/aaaa0002");
	json_t *labels = json_object_get(json_array_get(json_object_get(v.json, "containers"), 0), "labels");

	(void)state;
	assert_members(labels, "note owner");
	assert_string_equal(text_at(labels, "note"), "\xef\xbf\xbd\"<b>\n\x1b[31m");
	json_decref(v.json);
	v = get(&s->facts, "/v1/tasks/%ff%22%5c%01.......");
	assert_int_equal(v.status, 404);
	assert_non_null(strstr(error_at(&v, "message"), "\xef\xbf\xbd\"\\\x01"));
	json_decref(v.json);
}

/* ---- how servers stand ---- */

static void
check_server(const struct control_story *s, size_t i, const struct plan_server *server, const char *reason)
{
	const struct plan_backend backend = { .name = STR("grpc"), .exists = true, .servers = server, .n_servers = 1 };
	const struct plan_held held = { .backend = STR("grpc"), .server = STR("rc_2"), .message = STR("kept") };
	const struct plan plan = { .backends = &backend, .n_backends = 1, .held = &held, .n_held = 1 };
	struct control_facts f = s->facts;
	const char *got;
	struct view v;

	f.plan = &plan;
	v = get(&f, "/v1/backends/grpc");
	got = text_at(json_array_get(json_object_get(v.json, "servers"), 0), "reason");
	CHECK_ROW(reason[0] != '\0' ? strstr(got, reason) != NULL : got[0] == '\0', i, got);
	json_decref(v.json);
}

static void
a_server_says_why_it_stands_as_it_stands(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct desired_server *d = s->facts.plan->backends[0].servers[0].desired;
	const struct actual_server plain = { .name = STR("rc_1"), .status = STR("DOWN"), .admin = ACTUAL_MAINT };
	const struct actual_server failing = { .name = STR("rc_1"), .last_check = STR("L4CON") };
	const struct actual_server held = { .name = STR("rc_2") };
	const struct {
		const struct actual_server *actual;
		enum plan_state state;
		enum evidence evidence;
		const char *reason;
	} rows[] = {
		{ &plain, PLAN_STATE_UP, EVIDENCE_RUNNING, "" },
		{ &plain, PLAN_STATE_UP, EVIDENCE_NONE, "nothing has been heard" },
		{ &plain, PLAN_STATE_UP, EVIDENCE_UNHEALTHY, "UNHEALTHY" },
		{ &plain, PLAN_STATE_JOINING, EVIDENCE_RUNNING, "health check" },
		{ &plain, PLAN_STATE_DOWN, EVIDENCE_RUNNING, "DOWN" },
		{ &failing, PLAN_STATE_DOWN, EVIDENCE_RUNNING, "L4CON" },
		{ &plain, PLAN_STATE_DRAINING, EVIDENCE_STOPPED, "has stopped" },
		{ &plain, PLAN_STATE_DRAINING, EVIDENCE_REPLACED, "newer task" },
		{ &plain, PLAN_STATE_DRAINING, EVIDENCE_MISSING, "does not know" },
		{ &plain, PLAN_STATE_DRAINING, EVIDENCE_UNEXPOSED, "expose" },
		{ &plain, PLAN_STATE_DRAINING, EVIDENCE_NONE, "leaves" },
		{ &plain, PLAN_STATE_EJECTED, EVIDENCE_RUNNING, "ejected" },
		{ &plain, PLAN_STATE_HELD, EVIDENCE_RUNNING, "maint" },
		{ &held, PLAN_STATE_UP, EVIDENCE_MISSING, "kept" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct plan_server server = { .backend = STR("grpc"),
			.actual = rows[i].actual,
			.desired = d,
			.state = rows[i].state,
			.evidence = rows[i].evidence };

		check_server(s, i, &server, rows[i].reason);
	}
}

static void
ten_thousand_servers_are_one_document(void **state)
{
	enum { MANY = 10000 };
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct plan_server *servers = calloc(MANY, sizeof(*servers));
	struct plan_backend backend = { .name = STR("grpc"), .exists = true, .servers = servers, .n_servers = MANY };
	const struct plan plan = { .backends = &backend, .n_backends = 1 };
	struct view v;

	(void)state;
	assert_non_null(servers);
	for (size_t i = 0; i < MANY; i++)
		servers[i] = s->facts.plan->backends[0].servers[i % 3];
	s->facts.plan = &plan;
	v = get(&s->facts, "/v1/backends/grpc");
	assert_int_equal(json_array_size(json_object_get(v.json, "servers")), MANY);
	json_decref(v.json);
	free(servers);
}

static void
all_that_take_no_calls_are_listed_with_the_reason(void **state)
{
	static const struct {
		const char *task, *reason, *message;
	} rows[] = {
		{ CONTROL_STORY_ID("cccc0001"), "no_slot", "no free slot (3 of 3 in use)" },
		{ CONTROL_STORY_ID("dddd0001"), "no_backend", "HAProxy has no backend `absent`" },
		{ CONTROL_STORY_ID("cccc0002"), "not_selected", "no backends entry matches" },
		{ CONTROL_STORY_ID("eeee0001"), "not_running", "PENDING" },
	};
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v = get(&s->facts, "/v1/excluded");

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		size_t n = 0;

		for (size_t k = 0; k < json_array_size(v.json); k++) {
			const json_t *one = json_array_get(v.json, k);

			if (strcmp(text_at(one, "task"), rows[i].task) != 0)
				continue;
			CHECK_ROW(strcmp(text_at(one, "reason"), rows[i].reason) == 0, i, text_at(one, "reason"));
			CHECK_ROW(strstr(text_at(one, "message"), rows[i].message) != NULL, i, text_at(one, "message"));
			n++;
		}
		CHECK_ROW(n == 1, i, rows[i].task);
	}
	json_decref(v.json);
}

/* ---- in slices ---- */

#define CROWD 3000

/* One backend with so many servers of which no more is known. */
struct crowd {
	struct conf_backend entry;
	struct conf conf;
	char names[CROWD][16];
	struct actual_server actual[CROWD];
	struct plan_server servers[CROWD];
	struct plan_backend backend;
	struct plan_step steps[CROWD];
	struct plan_held held[CROWD];
	struct plan plan;
	struct actual haproxy;
	struct hap_map_line lines[CROWD];
	struct hap_map live;
	struct control_route_map map;
	struct control_facts facts;
};

static struct crowd *
crowd_new(void)
{
	struct crowd *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->entry.name = c->backend.name = STR("grpc");
	c->conf = (struct conf){ .backends = &c->entry, .n_backends = 1 };
	for (unsigned i = 0; i < CROWD; i++) {
		(void)snprintf(c->names[i], sizeof(c->names[i]), "rc_%04u", i);
		c->actual[i] = (struct actual_server){ .name = str_from_cstr(c->names[i]) };
		c->servers[i] =
		    (struct plan_server){ .backend = STR("grpc"), .actual = &c->actual[i], .state = PLAN_STATE_UP };
	}
	for (unsigned i = 0; i < CROWD; i++) {
		const struct str name = c->actual[i].name;

		c->steps[i] =
		    (struct plan_step){ .kind = PLAN_WEIGHT, .backend = STR("grpc"), .server = name, .value = 5 };
		/* Groups of two. */
		c->held[i] = (struct plan_held){ .backend = STR("grpc"),
			.server = name,
			.evidence = i % 4 < 2 ? EVIDENCE_MISSING : EVIDENCE_UNHEALTHY,
			.message = STR("one removal at a time") };
		c->lines[i] = (struct hap_map_line){ name, STR("grpc") };
	}
	c->backend.servers = c->servers;
	c->backend.n_servers = CROWD;
	c->plan = (struct plan){ .backends = &c->backend,
		.n_backends = 1,
		.steps = c->steps,
		.n_steps = CROWD,
		.held = c->held,
		.n_held = CROWD };
	c->haproxy = (struct actual){ .major = 3 };
	c->live = (struct hap_map){ c->lines, CROWD };
	c->map = (struct control_route_map){ STR("default"), &c->live };
	c->facts = (struct control_facts){
		.conf = &c->conf, .plan = &c->plan, .actual = &c->haproxy, .route_maps = &c->map, .n_route_maps = 1
	};
	return c;
}

static void
start(struct control_making *m, const char *path)
{
	control_view_start(&(struct control_request){ .method = STR("GET"), .path = str_from_cstr(path) }, m);
}

static void
a_long_answer_is_made_in_slices(void **state)
{
	static const struct {
		const char *path;
		size_t least, most;
	} rows[] = {
		{ "/v1/backends", 3, 30 },
		{ "/v1/backends/grpc", 3, 30 },
		{ "/metrics", 2, 30 },
		{ "/v1/plan", 3, 30 },
		{ "/v1/routes", 2, 30 },
		{ "/v1/status", 1, 30 },
		{ "/live", 1, 1 },
		{ "/v1/backends/none", 1, 1 },
		{ "/nowhere", 1, 1 },
	};
	static struct control_making m;
	struct crowd *c = crowd_new();

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct control_response whole;
		size_t n = 1, before = 0;

		start(&m, rows[i].path);
		for (; !control_view_go_on(&c->facts, &m); n++) {
			assert_in_range(m.answer.body.len - before, 1, CONTROL_SLICE_SIZE + 4096);
			before = m.answer.body.len;
		}
		CHECK_ROW(n >= rows[i].least && n <= rows[i].most, i, rows[i].path);
		control_view_answer(&c->facts,
		    &(struct control_request){ .method = STR("GET"), .path = str_from_cstr(rows[i].path) }, &whole);
		CHECK_ROW(str_eq(buf_str(&whole.body), buf_str(&m.answer.body)), i, rows[i].path);
		buf_free(&whole.body);
		control_view_drop(&m);
	}
	free(c);
}

static void
an_answer_tells_of_one_moment_and_comes_to_an_end(void **state)
{
	static struct control_making m;
	struct crowd *c = crowd_new();
	json_t *all, *servers;
	size_t n = 1;

	(void)state;
	start(&m, "/v1/backends");
	while (!control_view_go_on(&c->facts, &m)) {
		assert_in_range(++n, 1, CONTROL_VIEW_RESTARTS_MAX + 1);
		c->facts.version++;
		c->backend.n_servers--;
	}
	assert_int_equal(n, CONTROL_VIEW_RESTARTS_MAX + 1);
	all = json_loadb((const char *)m.answer.body.ptr, m.answer.body.len, JSON_REJECT_DUPLICATES, NULL);
	servers = json_object_get(json_array_get(all, 0), "servers");
	assert_int_equal(json_array_size(servers), CROWD - CONTROL_VIEW_RESTARTS_MAX);
	assert_string_equal(text_at(json_array_get(servers, 0), "name"), "rc_0000");
	json_decref(all);
	control_view_drop(&m);
	free(c);
}

static void
an_answer_in_the_making_may_be_dropped(void **state)
{
	static struct control_making m;
	struct crowd *c = crowd_new();

	(void)state;
	start(&m, "/v1/backends");
	assert_false(control_view_go_on(&c->facts, &m));
	control_view_drop(&m);
	control_view_drop(&m);
	free(c);
}

/* ---- plan, routes, events, doctor, metrics ---- */

static struct view
get_with(const struct control_facts *f, const char *path, const char *query)
{
	const struct control_request rq = {
		.method = STR("GET"), .path = str_from_cstr(path), .query = str_from_cstr(query)
	};
	struct control_response answer;
	struct view v = { 0 };

	control_view_answer(f, &rq, &answer);
	v.status = answer.status;
	v.json = json_loadb((const char *)answer.body.ptr, answer.body.len, JSON_REJECT_DUPLICATES, NULL);
	buf_free(&answer.body);
	assert_non_null(v.json);
	return v;
}

static void
the_plan_shows_each_command_as_it_is_sent_and_why(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct plan_step steps[] = {
		{ .kind = PLAN_MAINT, .backend = STR("grpc"), .server = STR("rc_3"), .evidence = EVIDENCE_STOPPING },
		{ .kind = PLAN_WEIGHT, .backend = STR("grpc"), .server = STR("a;b"), .value = 5 },
	};
	const struct plan_held held[] = {
		{ .backend = STR("grpc"), .server = STR("rc_1"), .evidence = EVIDENCE_MISSING, .message = STR("one") },
		{ .backend = STR("grpc"), .server = STR("rc_2"), .evidence = EVIDENCE_MISSING, .message = STR("two") },
		{ .backend = STR("web"), .server = STR("rc_1"), .evidence = EVIDENCE_MISSING, .message = STR("three") },
	};
	const struct plan plan = { .steps = steps, .n_steps = 2, .held = held, .n_held = 3 };
	struct view v;
	json_t *commands, *kept;

	(void)state;
	s->facts.plan = &plan;
	v = get(&s->facts, "/v1/plan");
	assert_members(v.json, "commands held");
	commands = json_object_get(v.json, "commands");
	assert_int_equal(json_array_size(commands), 2);
	assert_members(json_array_get(commands, 0), "command backend server evidence reason");
	assert_string_equal(text_at(json_array_get(commands, 0), "command"), "set server grpc/rc_3 state maint");
	assert_string_equal(text_at(json_array_get(commands, 0), "evidence"), "stopping");
	assert_non_null(strstr(text_at(json_array_get(commands, 0), "reason"), "its task is stopping"));
	assert_non_null(strstr(text_at(json_array_get(commands, 1), "command"), "(not sent:"));
	kept = json_object_get(v.json, "held");
	assert_int_equal(json_array_size(kept), 2);
	assert_members(json_array_get(kept, 0), "backend servers reason");
	assert_int_equal(json_array_size(json_object_get(json_array_get(kept, 0), "servers")), 2);
	assert_string_equal(text_at(json_array_get(kept, 1), "reason"), "three");
	json_decref(v.json);
	s->facts.plan = NULL;
	v = get(&s->facts, "/v1/plan");
	assert_int_equal(v.status, 503);
	json_decref(v.json);
}

static void
a_call_takes_the_longest_route_of_its_host_then_of_any(void **state)
{
	const struct hap_map_line lines[] = {
		{ STR("*/"), STR("absent") },
		{ STR("a.example/"), STR("grpc") },
		{ STR("a.example/x"), STR("web") },
		{ STR("a.example/x?"), STR("web2") },
	};
	const struct hap_map_line tls_lines[] = {
		{ STR("[fd00::1]/"), STR("web2") },
		{ STR("b.example/"), STR("web2") },
		{ STR("d.example/"), STR("idle") },
	};
	const struct hap_map live = { lines, N_OF(lines) }, tls_live = { tls_lines, N_OF(tls_lines) };
	const struct control_route_map maps[] = {
		{ STR("none"), NULL },
		{ STR("default"), &live },
		{ STR("tls"), &tls_live },
	};
	const struct desired_route asked = {
		.entrypoint = STR("default"),
		.host = STR("a.example"),
		.path = STR("/x"),
		.service = STR("shop"),
		.source_label = STR("rollcall.rule"),
		.priority = 2,
	};
	const struct desired_route of_other_place = {
		.entrypoint = STR("tls"), .host = STR("a.example"), .path = STR("/x")
	};
	const struct desired_rival rivals[] = {
		{ .won = &of_other_place, .service = STR("stall") },
		{ &asked, STR("main"), STR("kiosk"), STR("main-kiosk-app"), 1, STR("a higher priority") },
	};
	static const struct {
		const char *query, *key, *backend, *server, *reason;
	} rows[] = {
		{ "host=a.example&path=/rng.Rng/Get", "a.example/", "grpc", "grpc/rc_1", "" },
		{ "host=A.Example:8443&path=/x/y", "a.example/x", "web", "web/rc_1", "" },
		{ "host=a.example&path=/x", "a.example/x?", "web2", "web2/rc_1", "" },
		{ "host=c.example", "*/", "absent", NULL, "has no backend `absent`" },
		{ "host=b.example&entrypoint=tls", "b.example/", "web2", "web2/rc_1", "" },
		{ "host=b.example&entrypoint=tls&path=", "b.example/", "web2", "web2/rc_1", "" },
		{ "host=a.example&entrypoint=", "a.example/", "grpc", "grpc/rc_1", "" },
		{ "host=[FD00::1]:443&entrypoint=tls", "[fd00::1]/", "web2", "web2/rc_1", "" },
		{ "host=[fd00::1]&entrypoint=tls", "[fd00::1]/", "web2", "web2/rc_1", "" },
		{ "host=[fd00::1&entrypoint=tls", "", "", NULL, "on entrypoint `tls`" },
		{ "host=a.example&entrypoint=nowhere", "", "", NULL, "on entrypoint `nowhere`" },
		{ "host=d.example&entrypoint=tls", "d.example/", "idle", NULL,
		    "no server of backend `idle` takes calls" },
		{ "host=b.example&entrypoint=none&path=%2Fz", "", "", NULL, "`b.example/z` on entrypoint `none`" },
	};
	struct desired desired;
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct plan plan = *s->facts.plan;
	struct plan_backend backends[8];
	struct plan_server idle;

	(void)state;
	desired = *s->facts.desired;
	desired.routes = &asked;
	desired.n_routes = 1;
	desired.rivals = rivals;
	desired.n_rivals = N_OF(rivals);
	memcpy(backends, plan.backends, plan.n_backends * sizeof(backends[0]));
	idle = s->facts.plan->backends[0].servers[0];
	idle.state = PLAN_STATE_DRAINING;
	backends[plan.n_backends++] =
	    (struct plan_backend){ .name = STR("idle"), .exists = true, .servers = &idle, .n_servers = 1 };
	plan.backends = backends;
	s->facts.plan = &plan;
	s->facts.desired = &desired;
	s->facts.route_maps = maps;
	s->facts.n_route_maps = N_OF(maps);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct view v = get_with(&s->facts, "/v1/route", rows[i].query);

		assert_members(v.json, "entrypoint key backend servers reason service source_label priority others");
		CHECK_ROW(strcmp(text_at(v.json, "key"), rows[i].key) == 0, i, text_at(v.json, "key"));
		CHECK_ROW(strcmp(text_at(v.json, "backend"), rows[i].backend) == 0, i, text_at(v.json, "backend"));
		CHECK_ROW(strstr(text_at(v.json, "reason"), rows[i].reason) != NULL, i, text_at(v.json, "reason"));
		if (rows[i].server != NULL)
			assert_string_equal(
			    json_string_value(json_array_get(json_object_get(v.json, "servers"), 0)), rows[i].server);
		else
			assert_int_equal(json_array_size(json_object_get(v.json, "servers")), 0);
		json_decref(v.json);
	}
	{
		struct view v = get_with(&s->facts, "/v1/route", "host=a.example&path=/x/y");
		const json_t *others = json_object_get(v.json, "others");

		assert_string_equal(text_at(v.json, "service"), "shop");
		assert_string_equal(text_at(v.json, "source_label"), "rollcall.rule");
		assert_int_equal(json_integer_value(json_object_get(v.json, "priority")), 2);
		assert_int_equal(json_array_size(others), 1);
		assert_members(json_array_get(others, 0), "cluster service backend priority lost_by");
		assert_string_equal(text_at(json_array_get(others, 0), "service"), "kiosk");
		assert_string_equal(text_at(json_array_get(others, 0), "lost_by"), "a higher priority");
		json_decref(v.json);
	}
	{
		struct view v = get(&s->facts, "/v1/routes");

		assert_int_equal(json_array_size(v.json), N_OF(lines) + N_OF(tls_lines));
		assert_members(json_array_get(v.json, 0), "entrypoint host path backend service source_label priority");
		assert_string_equal(text_at(json_array_get(v.json, 1), "service"), "");
		assert_string_equal(text_at(json_array_get(v.json, 2), "service"), "shop");
		assert_string_equal(text_at(json_array_get(v.json, 2), "source_label"), "rollcall.rule");
		json_decref(v.json);
	}
}

static void
events_are_asked_for_by_number_time_or_age(void **state)
{
	static const struct {
		const char *query;
		int status;
		size_t n;
	} rows[] = {
		{ "", 200, 2 },
		{ "since=5m", 200, 1 },
		{ "since=2026-11-23T02:40:46Z", 200, 1 },
		{ "since=0", 200, 2 },
		{ "backend=grpc", 200, 1 },
		{ "backend=grpc&since=1s", 200, 1 },
		{ "since=yesterday", 400, 0 },
		{ "since=", 400, 0 },
		{ "since=%zz", 400, 0 },
	};
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct control_events *events = NULL;

	(void)state;
	assert_int_equal(control_events_new(1000, &events, NULL), ERR_OK);
	assert_non_null(control_events_add(
	    events, &(struct control_event){ .kind = "notice", .at_wall_ms = CONTROL_STORY_WALL_MS - 3600000 }));
	assert_non_null(control_events_add(events,
	    &(struct control_event){ .kind = "server", .at_wall_ms = CONTROL_STORY_WALL_MS, .backend = STR("grpc") }));
	s->facts.events = events;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct view v = get_with(&s->facts, "/v1/events", rows[i].query);

		CHECK_ROW(v.status == rows[i].status, i, rows[i].query);
		if (v.status == 200)
			CHECK_ROW(json_array_size(v.json) == rows[i].n, i, rows[i].query);
		json_decref(v.json);
	}
	control_events_free(events);
}

/* Is there a finding of this check, with this result, that says so? */
static bool
finds(const json_t *findings, const char *check, const char *result, const char *says)
{
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *one = json_array_get(findings, i);

		if (strcmp(text_at(one, "check"), check) == 0 && strcmp(text_at(one, "result"), result) == 0 &&
		    strstr(text_at(one, "message"), says) != NULL)
			return (strcmp(result, "ok") == 0) == (text_at(one, "fix")[0] == '\0');
	}
	return false;
}

/* Whoever uses labels has no entry to correct, and no section to add. */
static void
the_doctor_says_how_a_managed_backend_comes_about(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct conf_backend *absent = desired_find(s->facts.desired, STR("absent"))->conf;
	struct view v;
	const char *fix = "";

	(void)state;
	((struct conf_backend *)(uintptr_t)absent)->managed = true;
	v = get(&s->facts, "/v1/doctor");
	for (size_t i = 0; i < json_array_size(v.json); i++)
		if (strcmp(text_at(json_array_get(v.json, i), "message"), "HAProxy has no backend `absent`") == 0)
			fix = text_at(json_array_get(v.json, i), "fix");
	assert_non_null(strstr(fix, "haproxy.master_socket"));
	json_decref(v.json);
}

static void
the_doctor_finds_what_is_wrong_and_says_what_mends_it(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct view v;

	(void)state;
	v = get(&s->facts, "/v1/doctor");
	assert_members(json_array_get(v.json, 0), "check result message fix");
	assert_true(finds(v.json, "haproxy_socket", "ok", "/run/haproxy/admin.sock"));
	assert_true(finds(v.json, "backends", "fault", "HAProxy has no backend `absent`"));
	assert_true(finds(v.json, "backends", "fault", "no free slot"));
	assert_true(finds(v.json, "credentials", "ok", "keys from environment"));
	assert_true(finds(v.json, "clock", "ok", "0.000 s"));
	assert_true(finds(v.json, "problems", "fault", "backend absent"));
	json_decref(v.json);
	s->facts.connected = false;
	s->keys = (struct creds_source_view){ .name = NULL };
	s->figures.skew_ms = -250000;
	s->facts.config_refused = STR("line 3");
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "haproxy_socket", "fault", "is not reached"));
	assert_true(finds(v.json, "credentials", "fault", "no AWS keys"));
	assert_true(finds(v.json, "clock", "fault", "250.000 s behind"));
	assert_true(finds(v.json, "configuration", "fault", "refused: line 3"));
	json_decref(v.json);
}

/* What HAProxy's configuration lacks for us, as far as it shows, and what does not show. */
static void
the_doctor_tells_what_haproxy_lacks_and_what_he_cannot_see(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct spop_counts none = { .hellos = 0 }, some = { .hellos = 1 };
	const struct fault well = { .on = false };
	struct spop_server_view spop = { .bind_fault = &well, .counts = &none };
	struct actual actual = *s->facts.actual;
	struct view v;

	(void)state;
	actual.major = 2;
	actual.minor = 6;
	s->facts.actual = &actual;
	s->conf.has_spoe = true;
	s->conf.spoe.address = STR("/run/rollcall/spoe.sock");
	s->facts.spop = &spop;
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "spoe", "warning", "no HAProxy has connected to SPOE at /run/rollcall/spoe.sock"));
	assert_true(finds(v.json, "haproxy_unseen", "ok", "cannot be seen from here"));
	assert_true(finds(v.json, "haproxy_unseen", "ok", "`tune.h2.max-concurrent-streams 1000`"));
	assert_true(finds(v.json, "backends", "warning", "`grpc`: 2 of its servers have no agent-check"));
	json_decref(v.json);
	actual.major = 3;
	spop.counts = &some;
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "spoe", "ok", "HAProxy finds SPOE"));
	assert_true(finds(v.json, "haproxy_unseen", "ok", "`tune.h2.fe.max-concurrent-streams 1000`"));
	json_decref(v.json);
}

static void
the_doctor_tells_each_action_that_was_tried(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct control_probe probes[] = {
		{ .service = "sts",
		    .action = "GetCallerIdentity",
		    .result = CONTROL_PROBE_ALLOWED,
		    .said = "arn:aws:iam::1:user/x, account 1" },
		{ .service = "ecs",
		    .action = "ListTasks",
		    .cluster = STR("main"),
		    .result = CONTROL_PROBE_ALLOWED,
		    .at_mono_ms = s->facts.mono_ms - 3000 },
		{ .service = "ecs",
		    .action = "DescribeTasks",
		    .cluster = STR("main"),
		    .result = CONTROL_PROBE_DENIED,
		    .said = "AccessDeniedException: no" },
		{ .service = "ecs",
		    .action = "DescribeClusters",
		    .cluster = STR("main"),
		    .is_spare = true,
		    .result = CONTROL_PROBE_DENIED },
		{ .service = "ec2", .action = "DescribeInstances", .result = CONTROL_PROBE_FAILED, .said = "too slow" },
		{ .service = "ecs", .action = "ListClusters" },
	};
	struct view v = get(&s->facts, "/v1/doctor");

	(void)state;
	assert_true(finds(v.json, "permissions", "warning", "no action of AWS was tried yet"));
	json_decref(v.json);
	s->facts.probes = probes;
	s->facts.n_probes = N_OF(probes);
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "identity", "ok", "we are arn:aws:iam::1:user/x, account 1"));
	assert_true(finds(v.json, "permissions", "ok", "ecs:ListTasks in `main` is allowed (tried 3 s ago)"));
	assert_true(finds(v.json, "permissions", "fault", "ecs:DescribeTasks in `main` is denied"));
	assert_true(finds(v.json, "permissions", "fault", "AccessDeniedException: no"));
	assert_true(finds(v.json, "permissions", "warning", "ecs:DescribeClusters in `main` is denied"));
	assert_true(finds(v.json, "permissions", "warning", "ec2:DescribeInstances could not be tried"));
	assert_true(finds(v.json, "permissions", "warning", "ecs:ListClusters is being tried"));
	assert_true(finds(v.json, "permissions", "warning", "ecs:DescribeTaskDefinition was not tried"));
	json_decref(v.json);
}

/* The story's only cluster, to be changed. */
struct own_cluster {
	struct roster roster;
	struct roster_cluster cluster;
	struct roster_facts facts;
	struct roster_task tasks[20];
};

static void
take_cluster(struct control_story *s, struct own_cluster *own)
{
	own->roster = *s->roster;
	own->cluster = s->roster->clusters[0];
	own->facts = *own->cluster.facts;
	assert_true(own->facts.n_tasks <= N_OF(own->tasks));
	memcpy(own->tasks, own->facts.tasks, own->facts.n_tasks * sizeof(own->tasks[0]));
	own->facts.tasks = own->tasks;
	own->cluster.facts = &own->facts;
	own->roster.clusters = &own->cluster;
	own->roster.n_clusters = 1;
	s->facts.roster = &own->roster;
}

static void
the_doctor_knows_accounts_empty_clusters_and_network_modes(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct own_cluster own;
	struct view v;

	(void)state;
	take_cluster(s, &own);
	own.cluster.account = STR("123456789012");
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "identity", "ok", "AWS account 123456789012 in eu-west-1"));
	assert_true(finds(v.json, "networks", "ok", "tasks are reached on their own interface"));
	json_decref(v.json);
	own.cluster.account = STR("");
	for (size_t i = 0; i < own.facts.n_tasks; i++)
		own.tasks[i].definition->network = TASKDEF_BRIDGE;
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "identity", "warning", "no answer has told its AWS account"));
	assert_true(finds(v.json, "networks", "warning", "bridge or host tasks are not known"));
	json_decref(v.json);
	for (size_t i = 0; i < own.facts.n_tasks; i++)
		own.tasks[i].host_ipv4 = STR("10.0.0.9");
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "networks", "ok", "bridge or host tasks are known"));
	json_decref(v.json);
	own.cluster.complete_wall_ms = CONTROL_STORY_WALL_MS;
	own.cluster.complete_mono_ms = s->facts.mono_ms;
	own.cluster.source = s->source.name;
	own.facts.n_tasks = 0;
	v = get(&s->facts, "/v1/doctor");
	assert_true(finds(v.json, "clusters", "warning", "is read, and no task is in it"));
	json_decref(v.json);
}

static void
metrics_count_what_the_views_show(void **state)
{
	static const char *const lines[] = {
		"# TYPE rollcall_build_info gauge\n",
		"\nrollcall_build_info{version=\"",
		"\nrollcall_aws_calls_total{source=\"",
		"\nrollcall_backend_servers{backend=\"grpc\",state=\"ready\"} 1\n",
		"\nrollcall_backend_servers{backend=\"grpc\",state=\"joining\"} 1\n",
		"\nrollcall_excluded_endpoints{reason=\"not_selected\"} 1\n",
		"\nrollcall_excluded_endpoints{reason=\"no_backend\"} 1\n",
		"\nrollcall_excluded_endpoints{reason=\"no_slot\"} 1\n",
		"\nrollcall_server_info{backend=\"grpc\",server=\"rc_1\",task=\"" CONTROL_STORY_ID("aaaa0001") "\",",
		"\nrollcall_servers_removed_total{evidence=\"stopping\"} 0\n",
		"\nrollcall_loop_lag_seconds 0.000\n",
		"\nrollcall_ready 1\n",
		"\nrollcall_backend_frozen{backend=\"grpc\"} 0\n",
		"\nrollcall_freezes_total 0\n",
	};
	const struct control_request rq = { .method = STR("GET"), .path = STR("/metrics") };
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct control_response answer;

	(void)state;
	control_view_answer(&s->facts, &rq, &answer);
	assert_string_equal(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
	buf_put_u8(&answer.body, '\0');
	for (size_t i = 0; i < N_OF(lines); i++)
		CHECK_ROW(strstr((const char *)answer.body.ptr, lines[i]) != NULL, i, lines[i]);
	buf_free(&answer.body);
}

static void
the_page_runs_nothing_but_its_own_script(void **state)
{
	const struct control_request rq = { .method = STR("GET"), .path = STR("/") };
	struct control_response answer;
	char text[300];

	(void)state;
	control_view_answer(NOTHING, &rq, &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.content_type, "text/html; charset=utf-8");
	assert_int_equal(answer.body.len, control_page_bytes_size);
	assert_int_equal(
	    sscanf(answer.policy, "default-src 'none'; script-src 'sha256-%43[A-Za-z0-9+/]='; %50s", text, text + 100),
	    2);
	buf_put_u8(&answer.body, '\0');
	/* Nothing from elsewhere, no handler in an attribute, and text never becomes markup. */
	assert_null(strstr((const char *)answer.body.ptr, "http"));
	assert_null(strstr((const char *)answer.body.ptr, "innerHTML"));
	assert_null(strstr((const char *)answer.body.ptr, " onload"));
	assert_null(strstr((const char *)answer.body.ptr, " style="));
	buf_free(&answer.body);
}

static void
a_label_of_a_metric_is_escaped(void **state)
{
	const struct control_metric_label label = { "name", STR("a\"b\\c\nd\xff\x1b\xc2\x9b\xc2\xa0") };
	struct buf out = buf_make(1024);

	(void)state;
	control_metric_whole(&out, "m", &label, 1, 3);
	control_metric_milli(&out, "m", NULL, 0, -1500);
	assert_str(
	    buf_str(&out), "m{name=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc2\xa0\"} 3\nm -1.500\n");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_leads_to_its_view_or_to_an_error),
		cmocka_unit_test(a_path_over_the_limit_is_refused_and_one_at_it_is_not),
		cmocka_unit_test(every_path_answers_while_nothing_is_known),
		cmocka_unit_test(status_tells_of_the_spoe_agent_where_there_is_one),
		cmocka_unit_test(status_has_all_its_fields_whatever_is_known),
		cmocka_unit_test(a_server_has_all_its_fields_with_and_without_a_task),
		cmocka_unit_test(a_task_has_all_its_fields),
		cmocka_unit_test(a_server_is_told_with_its_task_and_its_time),
		cmocka_unit_test(status_counts_servers_by_state),
		cmocka_unit_test(the_digest_is_fnv1a_of_the_sorted_lines),
		cmocka_unit_test(status_says_of_keys_where_from_until_when_and_what_is_wrong),
		cmocka_unit_test(status_lists_what_is_wrong_and_where),
		cmocka_unit_test(unready_says_what_is_missing),
		cmocka_unit_test(an_id_that_begins_several_is_ambiguous_and_lists_them),
		cmocka_unit_test(an_endpoint_says_where_it_serves_or_why_not),
		cmocka_unit_test(an_endpoint_waits_while_haproxy_has_not_been_read),
		cmocka_unit_test(a_backend_without_slots_is_told_what_to_add),
		cmocka_unit_test(a_service_is_named_as_match_names_it),
		cmocka_unit_test(text_from_outside_stays_text),
		cmocka_unit_test(a_server_says_why_it_stands_as_it_stands),
		cmocka_unit_test(ten_thousand_servers_are_one_document),
		cmocka_unit_test(the_plan_shows_each_command_as_it_is_sent_and_why),
		cmocka_unit_test(all_that_take_no_calls_are_listed_with_the_reason),
		cmocka_unit_test(a_long_answer_is_made_in_slices),
		cmocka_unit_test(an_answer_tells_of_one_moment_and_comes_to_an_end),
		cmocka_unit_test(an_answer_in_the_making_may_be_dropped),
		cmocka_unit_test(a_call_takes_the_longest_route_of_its_host_then_of_any),
		cmocka_unit_test(events_are_asked_for_by_number_time_or_age),
		cmocka_unit_test(the_doctor_says_how_a_managed_backend_comes_about),
		cmocka_unit_test(the_doctor_finds_what_is_wrong_and_says_what_mends_it),
		cmocka_unit_test(the_doctor_tells_what_haproxy_lacks_and_what_he_cannot_see),
		cmocka_unit_test(the_doctor_tells_each_action_that_was_tried),
		cmocka_unit_test(the_doctor_knows_accounts_empty_clusters_and_network_modes),
		cmocka_unit_test(metrics_count_what_the_views_show),
		cmocka_unit_test(the_page_runs_nothing_but_its_own_script),
		cmocka_unit_test(a_label_of_a_metric_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
