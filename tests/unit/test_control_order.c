/* What a POST asks for, what is refused before anybody acts, and what is answered. */
#include "config.h"

#include <stdlib.h>

#include <jansson.h>

#include "control/control_order.h"

#include "control_story.h"
#include "unit.h"

#define SERVER    "/v1/servers/grpc/rc_1"
#define MINUTE_MS 60000

static enum control_order_verdict
take(const char *method, const char *path, struct str query, struct control_order *ret, struct control_response *answer)
{
	const struct control_request rq = {
		.method = str_from_cstr(method),
		.path = str_from_cstr(path),
		.query = query,
	};

	return control_order_take(&rq, ret, answer);
}

static void
an_act_becomes_its_order(void **state)
{
	static const struct {
		const char *path, *query;
		struct reconcile_order want;
	} rows[] = {
		{ SERVER "/drain", "", { .kind = RECONCILE_DRAIN_SERVER, .server = { "rc_1", 4 } } },
		{ SERVER "/drain", "for=5m",
		    { .kind = RECONCILE_DRAIN_SERVER, .server = { "rc_1", 4 }, .for_ms = (int64_t)5 * MINUTE_MS } },
		{ SERVER "/drain", "&f%6fr=%35m&",
		    { .kind = RECONCILE_DRAIN_SERVER, .server = { "rc_1", 4 }, .for_ms = (int64_t)5 * MINUTE_MS } },
		{ "/v1/servers/%67rpc/rc%5F1/ready", "", { .kind = RECONCILE_READY_SERVER, .server = { "rc_1", 4 } } },
		{ SERVER "/weight", "weight=0", { .kind = RECONCILE_WEIGH_SERVER, .server = { "rc_1", 4 } } },
		{ SERVER "/weight", "for=500ms&weight=256",
		    { .kind = RECONCILE_WEIGH_SERVER, .server = { "rc_1", 4 }, .weight = 256, .for_ms = 500 } },
		{ SERVER "/weight", "weight=auto",
		    { .kind = RECONCILE_WEIGH_SERVER, .server = { "rc_1", 4 }, .weight_is_auto = true } },
		{ "/v1/pause", "backend=grpc&for=1h",
		    { .kind = RECONCILE_PAUSE_BACKEND, .for_ms = (int64_t)60 * MINUTE_MS } },
		{ "/v1/resume", "backend=grpc", { .kind = RECONCILE_RESUME_BACKEND } },
		{ SERVER "/eject", "for=5m",
		    { .kind = RECONCILE_EJECT_SERVER, .server = { "rc_1", 4 }, .for_ms = (int64_t)5 * MINUTE_MS } },
		{ SERVER "/uneject", "", { .kind = RECONCILE_UNEJECT_SERVER, .server = { "rc_1", 4 } } },
		{ "/v1/backends/grpc/release", "", { .kind = RECONCILE_RELEASE_BACKEND } },
	};
	struct control_response answer;
	struct control_order o;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct reconcile_order *want = &rows[i].want;

		CHECK_ROW(take("POST", rows[i].path, str_from_cstr(rows[i].query), &o, &answer) == CONTROL_ORDER_TAKEN,
		    i, rows[i].path);
		CHECK_ROW(o.what.kind == want->kind, i, rows[i].path);
		CHECK_ROW(str_eq(o.what.backend, STR("grpc")), i, rows[i].path);
		CHECK_ROW(str_eq(o.what.server, want->server), i, rows[i].path);
		CHECK_ROW(
		    o.what.weight == want->weight && o.what.weight_is_auto == want->weight_is_auto, i, rows[i].query);
		CHECK_ROW(o.what.for_ms == want->for_ms, i, rows[i].query);
	}
}

/* Orders to the daemon itself. */
static void
a_level_and_a_force_are_taken_as_they_are_written(void **state)
{
	static const struct {
		const char *path, *query;
		enum control_order_kind kind;
		enum log_level level;
		bool force;
	} rows[] = {
		{ "/v1/log", "level=error", CONTROL_ORDER_LOG, LOG_ERROR, false },
		{ "/v1/log", "level=debug", CONTROL_ORDER_LOG, LOG_DEBUG, false },
		{ "/v1/reload", "", CONTROL_ORDER_RELOAD, LOG_ERROR, false },
		{ "/v1/reload", "force=1", CONTROL_ORDER_RELOAD, LOG_ERROR, true },
		{ "/v1/reload", "force=0", CONTROL_ORDER_RELOAD, LOG_ERROR, false },
		{ "/v1/reload", "force=true", CONTROL_ORDER_RELOAD, LOG_ERROR, true },
		{ "/v1/reload", "", CONTROL_ORDER_RELOAD, LOG_ERROR, false },
		{ "/v1/reload", "force=off", CONTROL_ORDER_RELOAD, LOG_ERROR, false },
		{ "/v1/refresh", "", CONTROL_ORDER_REFRESH, LOG_ERROR, false },
	};
	struct control_response answer;
	struct control_order o;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		CHECK_ROW(take("POST", rows[i].path, str_from_cstr(rows[i].query), &o, &answer) == CONTROL_ORDER_TAKEN,
		    i, rows[i].query);
		CHECK_ROW(o.kind == rows[i].kind && o.force == rows[i].force, i, rows[i].query);
		CHECK_ROW(o.kind != CONTROL_ORDER_LOG || o.level == rows[i].level, i, rows[i].query);
	}
}

static void
without_a_backend_all_are_meant(void **state)
{
	struct control_response answer;
	struct control_order o;

	(void)state;
	assert_int_equal(take("POST", "/v1/pause", STR(""), &o, &answer), CONTROL_ORDER_TAKEN);
	assert_int_equal(o.what.backend.len, 0);
	assert_int_equal(o.what.server.len, 0);
}

static void
what_is_no_act_is_left_to_the_views(void **state)
{
	static const char *const rows[] = { "/live", "/v1/status", "/v1/backends/grpc", "/v1/servers",
		"/v1/servers/grpc", SERVER, SERVER "/", SERVER "/kill", SERVER "/drain/", SERVER "/drain/x",
		"/v1/servers//rc_1/drain", "/v1/servers/grpc//drain", "/v1/servers/grpc%2Frc_1/drain", "/v1/pause/",
		"/V1/pause", "v1/pause", "", "/v1/pa%use" };
	struct control_response answer;
	struct control_order o;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_ROW(take("POST", rows[i], STR(""), &o, &answer) == CONTROL_ORDER_NONE, i, rows[i]);
}

static void
assert_error(struct control_response *answer, size_t row, int status, const char *code, const char *says)
{
	json_t *json = json_loadb((const char *)answer->body.ptr, answer->body.len, 0, NULL), *error;

	error = json_object_get(json, "error");
	CHECK_ROW(answer->status == status, row, says);
	CHECK_ROW(strcmp(json_string_value(json_object_get(error, "code")), code) == 0, row, says);
	CHECK_ROW(strstr(json_string_value(json_object_get(error, "message")), says) != NULL, row,
	    json_string_value(json_object_get(error, "message")));
	json_decref(json);
	buf_free(&answer->body);
}

static void
what_cannot_be_meant_is_refused_before_anybody_acts(void **state)
{
	static const struct {
		const char *method, *path, *query;
		int status;
		const char *code, *says;
	} rows[] = {
		{ "GET", SERVER "/drain", "", 405, "method_not_allowed", "POST only" },
		{ "HEAD", "/v1/pause", "", 405, "method_not_allowed", "POST only" },
		{ "OPTIONS", "/v1/resume", "", 405, "method_not_allowed", "POST only" },
		{ "post", SERVER "/ready", "", 405, "method_not_allowed", "POST only" },
		{ "POST", SERVER "/drain", "For=5m", 400, "bad_parameter", "no parameter `For`" },
		{ "POST", SERVER "/drain", "fro=5m", 400, "bad_parameter", "no parameter `fro`" },
		{ "POST", SERVER "/drain", "for=5m&for=5m", 400, "bad_parameter", "`for` stands there twice" },
		{ "POST", SERVER "/drain", "for", 400, "bad_parameter", "for ``" },
		{ "POST", SERVER "/drain", "for=", 400, "bad_parameter", "for ``" },
		{ "POST", SERVER "/drain", "for=5", 400, "bad_parameter", "needs a unit" },
		{ "POST", SERVER "/drain", "for=-5m", 400, "bad_parameter", "is not a duration" },
		{ "POST", SERVER "/drain", "for=0s", 400, "bad_parameter", "no time at all" },
		{ "POST", SERVER "/drain", "for=9000h", 400, "bad_parameter", "longer than a year" },
		{ "POST", SERVER "/drain", "for=5m%00", 400, "bad_parameter", "percent-encoded" },
		{ "POST", SERVER "/drain", "for=5%m", 400, "bad_parameter", "percent-encoded" },
		{ "POST", SERVER "/drain", "weight=5", 400, "bad_parameter", "no parameter `weight`" },
		{ "POST", SERVER "/drain", "a&b&c&d&e&f&g&h&i", 400, "bad_parameter", "too many" },
		{ "POST", SERVER "/ready", "for=5m", 400, "bad_parameter", "no parameter `for`" },
		{ "POST", SERVER "/weight", "", 400, "bad_parameter", "which weight?" },
		{ "POST", SERVER "/weight", "for=5m", 400, "bad_parameter", "which weight?" },
		{ "POST", SERVER "/weight", "weight=257", 400, "bad_parameter", "from 0 to 256" },
		{ "POST", SERVER "/weight", "weight=-1", 400, "bad_parameter", "from 0 to 256" },
		{ "POST", SERVER "/weight", "weight=1.5", 400, "bad_parameter", "from 0 to 256" },
		{ "POST", SERVER "/weight", "weight=", 400, "bad_parameter", "from 0 to 256" },
		{ "POST", SERVER "/weight", "weight=AUTO", 400, "bad_parameter", "from 0 to 256" },
		{ "POST", SERVER "/weight", "weight=auto&for=5m", 400, "bad_parameter", "does not go with" },
		{ "POST", "/v1/pause", "backend=", 400, "bad_parameter", "leave it out" },
		{ "POST", "/v1/pause", "backend=g%20%3b", 404, "not_found", "no backend has such a name: `g ;`" },
		{ "POST", "/v1/resume", "for=5m", 400, "bad_parameter", "no parameter `for`" },
		{ "POST", "/v1/servers/a%2Fb/rc_1/drain", "", 404, "not_found", "no backend has such a name: `a/b`" },
		{ "POST", "/v1/servers/grpc/rc_1%0Ashow%20info/drain", "", 404, "not_found",
		    "no server has such a name" },
		{ "POST", "/v1/refresh", "for=5m", 400, "bad_parameter", "no parameter `for`" },
		{ "GET", "/v1/refresh", "", 405, "method_not_allowed", "POST only" },
		{ "POST", "/v1/reload", "force=2", 400, "bad_parameter", "force `2` is not 1 or 0" },
		{ "POST", "/v1/reload", "force=", 400, "bad_parameter", "force `` is not 1 or 0" },
		{ "POST", "/v1/log", "level=info&level=info", 400, "bad_parameter", "stands there twice" },
		{ "POST", "/v1/log", "", 400, "bad_parameter", "which level?" },
		{ "POST", "/v1/log", "level=loud", 400, "bad_parameter", "error, warn, info or debug" },
		{ "GET", SERVER "/eject", "", 405, "method_not_allowed", "POST only" },
		{ "GET", "/v1/backends/grpc/release", "", 405, "method_not_allowed", "POST only" },
		{ "POST", "/v1/backends/grpc/release", "for=5m", 400, "bad_parameter", "no parameter `for`" },
		{ "POST", "/v1/backends/g%20c/release", "", 404, "not_found", "no backend has such a name" },
	};
	struct control_response answer;
	struct control_order o;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		enum control_order_verdict got =
		    take(rows[i].method, rows[i].path, str_from_cstr(rows[i].query), &o, &answer);

		CHECK_ROW(got == CONTROL_ORDER_REFUSED, i, rows[i].path);
		CHECK_ROW((rows[i].status == 405) == (answer.allow != NULL && strcmp(answer.allow, "POST") == 0), i,
		    rows[i].path);
		assert_error(&answer, i, rows[i].status, rows[i].code, rows[i].says);
	}
}

static void
a_query_over_the_limit_is_refused_and_one_at_it_is_not(void **state)
{
	static char query[CONTROL_PATH_QUERY_MAX + 1];
	struct control_response answer;
	struct control_order o;

	(void)state;
	memset(query, '&', sizeof(query));
	assert_int_equal(take("POST", "/v1/pause", str_of(query, sizeof(query) - 1), &o, &answer), CONTROL_ORDER_TAKEN);
	assert_int_equal(take("POST", "/v1/pause", str_of(query, sizeof(query)), &o, &answer), CONTROL_ORDER_REFUSED);
	assert_error(&answer, 0, 400, "bad_parameter", "too long");
}

static void
a_name_over_the_limit_is_nobodys(void **state)
{
	struct control_response answer;
	struct control_order o;
	char path[400];

	(void)state;
	for (int n = 255; n <= 256; n++) {
		(void)snprintf(path, sizeof(path), "/v1/servers/grpc/%0*d/ready", n, 0);
		assert_int_equal(
		    take("POST", path, STR(""), &o, &answer), n == 255 ? CONTROL_ORDER_TAKEN : CONTROL_ORDER_REFUSED);
	}
	assert_error(&answer, 0, 404, "not_found", "no server has such a name");
}

static json_t *
answer_to(const struct control_facts *f, const char *path, const char *query)
{
	struct control_outcome outcome = { .said = buf_make(64) };
	struct control_response answer;
	static struct control_making m;
	struct control_order o;
	json_t *json;

	buf_put(&outcome.said, STR("so it is"));
	assert_int_equal(take("POST", path, str_from_cstr(query), &o, &answer), CONTROL_ORDER_TAKEN);
	control_order_start(&(struct control_done){ &o, &outcome }, ERR_OK, NULL, &m);
	control_view_make(f, &m, &answer);
	buf_free(&outcome.said);
	assert_int_equal(answer.status, 200);
	json = json_loadb((const char *)answer.body.ptr, answer.body.len, JSON_REJECT_DUPLICATES, NULL);
	buf_free(&answer.body);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "done")), "so it is");
	return json;
}

static json_t *
shown(const struct control_facts *f, const char *path)
{
	const struct control_request rq = { .method = STR("GET"), .path = str_from_cstr(path) };
	struct control_response answer;
	json_t *json;

	control_view_answer(f, &rq, &answer);
	json = json_loadb((const char *)answer.body.ptr, answer.body.len, 0, NULL);
	buf_free(&answer.body);
	return json;
}

static void
the_answer_shows_what_get_shows(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	json_t *backend = shown(&s->facts, "/v1/backends/grpc"), *answer;

	(void)state;
	answer = answer_to(&s->facts, SERVER "/drain", "for=5m");
	assert_string_equal(json_string_value(json_object_get(answer, "until")), "2026-11-23T02:45:46.123Z");
	assert_true(
	    json_equal(json_object_get(answer, "server"), json_array_get(json_object_get(backend, "servers"), 0)));
	json_decref(answer);
	answer = answer_to(&s->facts, "/v1/pause", "backend=grpc");
	assert_true(json_is_null(json_object_get(answer, "until")));
	assert_int_equal(json_array_size(json_object_get(answer, "backends")), 1);
	assert_true(json_equal(json_array_get(json_object_get(answer, "backends"), 0), backend));
	json_decref(answer);
	answer = answer_to(&s->facts, "/v1/resume", "");
	assert_int_equal(json_array_size(json_object_get(answer, "backends")), 4);
	json_decref(answer);
	answer = answer_to(&s->facts, "/v1/refresh", ""); /* of no server, and for no time */
	assert_int_equal(json_object_size(answer), 1);
	json_decref(answer);
	answer = answer_to(&s->facts, "/v1/servers/grpc/rc_77/ready", "");
	assert_true(json_is_null(json_object_get(answer, "server")));
	json_decref(answer);
	json_decref(backend);
}

static void
a_refusal_has_the_status_of_its_kind(void **state)
{
	static const struct {
		enum err_code code;
		int status;
		const char *name;
	} rows[] = {
		{ ERR_ARG, 404, "not_found" },
		{ ERR_REFUSED, 409, "refused" },
		{ ERR_LIMIT, 409, "too_many" },
		{ ERR_NOMEM, 503, "unavailable" },
	};
	struct control_response answer;
	static struct control_making m;
	struct control_order o;

	(void)state;
	assert_int_equal(take("POST", SERVER "/drain", STR(""), &o, &answer), CONTROL_ORDER_TAKEN);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct err e = ERR_INIT;
		enum err_code code = err_set(&e, rows[i].code, "because of %zu", i);

		control_order_start(
		    &(struct control_done){ &o, &(struct control_outcome){ .said = { 0 } } }, code, &e, &m);
		control_view_make(&(struct control_facts){ 0 }, &m, &answer);
		assert_error(&answer, i, rows[i].status, rows[i].name, "because of");
	}
}

static const char *
reason_in(json_t *backends, size_t backend, size_t server)
{
	json_t *servers = json_object_get(json_array_get(backends, backend), "servers");

	return json_string_value(json_object_get(json_array_get(servers, server), "reason"));
}

static void
views_tell_the_operators_hand(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct overlay *o = NULL;
	const struct overlay_key key = { .backend = STR("grpc"),
		.task_arn = str_from_cstr(CONTROL_STORY_ARN("aaaa0001")),
		.container = STR("app"),
		.port = 50051 };
	json_t *json;

	(void)state;
	assert_int_equal(overlay_new(&o, NULL), ERR_OK);
	assert_int_equal(overlay_set_weight(o, &key, 7, OVERLAY_BY_ROLLCALL, CONTROL_STORY_WALL_MS, 0, NULL), ERR_OK);
	assert_int_equal(
	    overlay_pause(o, STR("web"), CONTROL_STORY_WALL_MS, CONTROL_STORY_WALL_MS + MINUTE_MS, NULL), ERR_OK);
	s->facts.overlay = o;
	json = shown(&s->facts, "/v1/backends");
	assert_non_null(strstr(reason_in(json, 0, 0), "weight 7"));
	assert_null(strstr(reason_in(json, 0, 1), "weight"));
	assert_true(json_is_false(json_object_get(json_array_get(json, 0), "paused")));
	assert_true(json_is_null(json_object_get(json_array_get(json, 0), "paused_until")));
	assert_true(json_is_true(json_object_get(json_array_get(json, 2), "paused")));
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(json, 2), "paused_until")), "2026-11-23T02:41:46.123Z");
	json_decref(json);
	json = shown(&s->facts, "/v1/status");
	assert_int_equal(json_integer_value(json_object_get(json, "holds")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "pauses")), 1);
	json_decref(json);
	overlay_free(o);
}

static json_t *
server_in(json_t *backends)
{
	return json_array_get(json_object_get(json_array_get(backends, 0), "servers"), 0);
}

/* The plan is of before the order: grpc/rc_1 is ready, with its weight of 256. */
static void
a_view_shows_what_an_order_makes_of_a_server(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	const struct overlay_key key = { .backend = STR("grpc"),
		.task_arn = str_from_cstr(CONTROL_STORY_ARN("aaaa0001")),
		.container = STR("app"),
		.port = 50051 };
	const int64_t now = CONTROL_STORY_WALL_MS;
	struct overlay *o = NULL;
	json_t *json;

	(void)state;
	assert_int_equal(overlay_new(&o, NULL), ERR_OK);
	s->facts.overlay = o;
	assert_int_equal(overlay_set_weight(o, &key, 7, OVERLAY_BY_ROLLCALL, now, 0, NULL), ERR_OK);
	json = shown(&s->facts, "/v1/backends");
	assert_string_equal(json_string_value(json_object_get(server_in(json), "state")), "held");
	assert_int_equal(json_integer_value(json_object_get(server_in(json), "weight")), 7);
	json_decref(json);
	overlay_clear(o, &key);
	assert_int_equal(overlay_set_admin(o, &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, now, 0, NULL), ERR_OK);
	json = answer_to(&s->facts, SERVER "/drain", "");
	assert_string_equal(json_string_value(json_object_get(json_object_get(json, "server"), "state")), "held");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "server"), "weight")), 256);
	json_decref(json);
	overlay_clear(o, &key);
	json = shown(&s->facts, "/v1/backends");
	assert_string_equal(json_string_value(json_object_get(server_in(json), "state")), "ready");
	json_decref(json);
	overlay_free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_act_becomes_its_order),
		cmocka_unit_test(a_level_and_a_force_are_taken_as_they_are_written),
		cmocka_unit_test(without_a_backend_all_are_meant),
		cmocka_unit_test(what_is_no_act_is_left_to_the_views),
		cmocka_unit_test(what_cannot_be_meant_is_refused_before_anybody_acts),
		cmocka_unit_test(a_query_over_the_limit_is_refused_and_one_at_it_is_not),
		cmocka_unit_test(a_name_over_the_limit_is_nobodys),
		cmocka_unit_test(the_answer_shows_what_get_shows),
		cmocka_unit_test(a_refusal_has_the_status_of_its_kind),
		cmocka_unit_test(views_tell_the_operators_hand),
		cmocka_unit_test(a_view_shows_what_an_order_makes_of_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
