/*
 * Documents as text.  What control_view says of one story goes in, so that the two
 * sides of the control interface are held against each other; odd documents are
 * written out here.
 */
#include "config.h"

#include <jansson.h>

#include "cli/cli_json.h"
#include "cli/cli_show.h"
#include "cli/cli_why.h"
#include "control_story.h"
#include "unit.h"

typedef enum err_code show_fn(
    const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e);

static const struct cli_text_style SCRIPT = { .wall_ms = CONTROL_STORY_WALL_MS };

static json_t *
parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	return document;
}

static json_t *
ask(const struct control_story *s, const char *path)
{
	const struct control_request rq = { .method = STR("GET"), .path = str_from_cstr(path) };
	struct control_response answer;
	json_t *document = NULL;

	control_view_answer(&s->facts, &rq, &answer);
	assert_int_equal(answer.status, 200);
	assert_int_equal(cli_json_parse(buf_str(&answer.body), &document, NULL), ERR_OK);
	buf_free(&answer.body);
	return document;
}

static void
assert_shown(show_fn *show, const json_t *document, const struct cli_text_style *style, const char *want)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);

	assert_int_equal(show(document, style, &out, NULL), ERR_OK);
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

/* ---- status ---- */

static void
status_is_read_from_top_to_bottom(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	CLEANUP(cli_json_free_at) json_t *status = ask(s, "/v1/status");

	(void)state;
	assert_shown(cli_show_status, status, &SCRIPT,
	    "rollcalld " PACKAGE_VERSION ", up 8 min 10 s, 1 problem\n"
	    "  configuration   /etc/rollcall/rollcall.yaml, loaded 8 min 10 s ago\n"
	    "  ecs             eu, account 123456789012, keys from environment, 1234 calls, 1 throttled\n"
	    "    main          not read yet\n"
	    "  haproxy         /run/haproxy/admin.sock, version 2.6.12, pid 4711, not in step (last: 1.0 s ago)\n"
	    "  servers         4 ready, 1 joining, 1 draining in 4 backends\n"
	    "\n"
	    "backend absent: HAProxy has no backend `absent`: add it to haproxy.cfg\n");
}

static void
status_tells_what_is_wrong_where_it_is(void **state)
{
	CLEANUP(cli_json_free_at)
	json_t *status = parse(
	    "{\"version\":\"1\",\"uptime_ms\":5,\"config\":{\"path\":\"f\",\"loaded_at\":null,\"refused\":\"bad\"},"
	    "\"sources\":[{\"name\":\"eu\",\"account\":\"\",\"credentials\":\"\",\"calls\":1,\"throttles\":0,"
	    "\"budget_used_percent\":37,\"stretched\":{\"watch_ms\":7000,\"refresh_ms\":61000},"
	    "\"clusters\":[{\"name\":\"main\",\"age_ms\":1500,\"tasks\":1,\"error\":null},"
	    "{\"name\":\"a-rather-long-name\",\"age_ms\":null,\"tasks\":null,\"error\":\"denied\\u001b\"}]}],"
	    "\"haproxy\":{\"address\":\"s\",\"version\":\"\",\"pid\":null,\"connected\":false,"
	    "\"last_error\":\"refused\"},"
	    "\"spoe\":{\"address\":\"abns@s\",\"listening\":false,\"connections\":1,\"notifies\":7,\"dropped\":2,"
	    "\"errors\":3,\"last_error\":\"a bad\\u001b frame\",\"last_error_at\":null},"
	    "\"backends\":1,\"servers\":{\"ready\":0,\"held\":2},\"frozen\":[\"grpc\",\"web\"],"
	    "\"problems\":[{\"where\":\"w\",\"message\":\"m\"},{\"where\":\"x\",\"message\":\"n\"}]}");

	(void)state;
	assert_shown(cli_show_status, status, &SCRIPT,
	    "rollcalld 1, up 5 ms, 2 problems\n"
	    "  configuration   f, loaded never, a newer one was refused\n"
	    "  ecs             eu, no keys yet, 1 call, 0 throttled, 37 % of rate_limit used, stretched: watch 7.0 s, "
	    "refresh 1 min 1 s\n"
	    "    main          1 task, read 1.5 s ago\n"
	    "    a-rather-long-name not read yet: denied?\n"
	    "  haproxy         s, not reached: refused\n"
	    "  spoe            abns@s, not listening, 1 connection, 7 notified, 2 dropped, 3 errors, the last never: a "
	    "bad? frame\n"
	    "  servers         0 ready, 2 held in 1 backend\n"
	    "  frozen          grpc, web\n"
	    "\n"
	    "w: m\n"
	    "x: n\n");
}

static void
a_document_of_another_version_is_shown_as_far_as_it_goes(void **state)
{
	static const char *const documents[] = { "{}", "[]", "[1]", "{\"sources\":7,\"problems\":[3],\"servers\":[]}",
		"{\"sources\":[null],\"haproxy\":[],\"config\":\"x\",\"version\":2}" };
	static show_fn *const shows[] = { cli_show_status, cli_show_backends, cli_show_servers, cli_why_server };

	(void)state;
	for (size_t i = 0; i < N_OF(documents); i++) {
		CLEANUP(cli_json_free_at) json_t *document = parse(documents[i]);

		for (size_t k = 0; k < N_OF(shows); k++) {
			struct buf out = buf_make(CLI_SHOW_TEXT_MAX);

			assert_int_equal(shows[k](document, &SCRIPT, &out, NULL), ERR_OK);
			assert_true(out.len > 0);
			buf_free(&out);
		}
	}
}

static void
what_is_not_a_document_is_said_to_be_none(void **state)
{
	static const char *const rows[] = { "", "<html>", "{", "\"text\"" };
	json_t *document = NULL;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		CHECK_ROW(cli_json_parse(str_from_cstr(rows[i]), &document, &e) == ERR_PARSE, i, rows[i]);
		CHECK_ROW(strstr(e.msg, "is not rollcalld") != NULL, i, e.msg);
	}
	assert_null(document);
}

/* ---- backends and servers ---- */

static void
backends_count_their_servers_by_state(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	CLEANUP(cli_json_free_at) json_t *backends = ask(s, "/v1/backends");

	(void)state;
	assert_shown(cli_show_backends, backends, &SCRIPT,
	    "BACKEND  KIND      STRATEGY  READY  JOINING  DOWN  DRAINING  EJECTED  HELD\n"
	    "grpc     declared  slots         1        1     0         1        0     0\n"
	    "absent   declared  none          0        0     0         0        0     0\n"
	    "web      declared  slots         1        0     0         0        0     0\n"
	    "web2     declared  slots         2        0     0         0        0     0\n");
}

static void
a_frozen_backend_adds_a_column(void **state)
{
	CLEANUP(cli_json_free_at)
	json_t *backends =
	    parse("[{\"name\":\"a\",\"kind\":\"declared\",\"strategy\":\"\",\"frozen\":true,\"servers\":[]},"
		  "{\"name\":\"b\",\"kind\":\"managed\",\"strategy\":\"slots\",\"frozen\":false,\"servers\":[]}]");

	(void)state;
	assert_shown(cli_show_backends, backends, &SCRIPT,
	    "BACKEND  KIND      STRATEGY  READY  JOINING  DOWN  DRAINING  EJECTED  HELD  FROZEN\n"
	    "a        declared  -             0        0     0         0        0     0  yes\n"
	    "b        managed   slots         0        0     0         0        0     0  no\n");
}

static void
what_is_said_of_a_backend_stands_behind_the_table(void **state)
{
	CLEANUP(cli_json_free_at)
	json_t *backends =
	    parse("[{\"name\":\"a\",\"kind\":\"declared\",\"strategy\":\"\",\"message\":\"nobody asks for it\","
		  "\"servers\":[]},{\"name\":\"b\",\"kind\":\"managed\",\"strategy\":\"slots\",\"message\":\"\","
		  "\"servers\":[]}]");

	(void)state;
	assert_shown(cli_show_backends, backends, &SCRIPT,
	    "BACKEND  KIND      STRATEGY  READY  JOINING  DOWN  DRAINING  EJECTED  HELD\n"
	    "a        declared  -             0        0     0         0        0     0\n"
	    "b        managed   slots         0        0     0         0        0     0\n"
	    "a: nobody asks for it\n");
}

static void
a_paused_backend_adds_a_column(void **state)
{
	CLEANUP(cli_json_free_at)
	json_t *backends =
	    parse("[{\"name\":\"a\",\"kind\":\"declared\",\"strategy\":\"\",\"paused\":true,\"servers\":[]},"
		  "{\"name\":\"b\",\"kind\":\"managed\",\"strategy\":\"slots\",\"paused\":false,\"servers\":[]}]");

	(void)state;
	assert_shown(cli_show_backends, backends, &SCRIPT,
	    "BACKEND  KIND      STRATEGY  READY  JOINING  DOWN  DRAINING  EJECTED  HELD  PAUSED\n"
	    "a        declared  -             0        0     0         0        0     0  yes\n"
	    "b        managed   slots         0        0     0         0        0     0  no\n");
}

static void
servers_are_whole_for_scripts_and_fit_for_people(void **state)
{
	const struct cli_text_style terminal = { .width = 80, .wall_ms = CONTROL_STORY_WALL_MS };
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	CLEANUP(cli_json_free_at) json_t *web2 = ask(s, "/v1/backends/web2");
	const json_t *servers = json_object_get(web2, "servers");

	(void)state;
	assert_shown(cli_show_servers, servers, &SCRIPT,
	    "SERVER     STATE  SINCE                     WEIGHT  STREAMS  ADDRESS          SERVICE  TASK              "
	    "                REASON\n"
	    "web2/rc_1  ready  2026-11-23T02:40:45.000Z     256        0  [fd00::7]:50051  shop     "
	    "ffff0001000000000000000000000000\n"
	    "web2/rc_2  ready  2026-11-23T02:40:45.000Z     256        0  10.9.9.9:50051   -        -                 "
	    "                no task that is known explains it: kept until something proves that its task is gone\n");
	assert_shown(cli_show_servers, servers, &terminal,
	    "SERVER     STATE  SINCE  WEIGHT  STREAMS  ADDRESS          SERVICE  TASK\n"
	    "web2/rc_1  ready  1 s       256        0  [fd00::7]:50051  shop     ffff0001\n"
	    "web2/rc_2  ready  1 s       256        0  10.9.9.9:50051   -        -\n");
}

static void
nothing_to_show_is_said(void **state)
{
	CLEANUP(cli_json_free_at) json_t *none = parse("[]");

	(void)state;
	assert_shown(cli_show_backends, none, &SCRIPT, "no backends: `backends` in the configuration names none\n");
	assert_shown(cli_show_servers, none, &SCRIPT,
	    "no servers: no task has one in HAProxy now (`rollcall why TASK` tells the reason)\n");
}

/* ---- why ---- */

/* What `rollcall why ID` prints. */
static struct buf
explain(const struct control_story *s, const char *id)
{
	char path[64];
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	json_t *task, *backends = ask(s, "/v1/backends");

	(void)snprintf(path, sizeof(path), "/v1/tasks/%s", id);
	task = ask(s, path);
	assert_int_equal(cli_why_task(task, backends, &SCRIPT, &out, NULL), ERR_OK);
	json_decref(task);
	json_decref(backends);
	return out;
}

static void
the_first_line_says_it_all(void **state)
{
	static const struct {
		const char *id, *line;
	} rows[] = {
		{ "aaaa0001", "rng " CONTROL_STORY_ID("aaaa0001") ": in grpc as rc_1, ready\n" },
		{ "aaaa0002", "rng " CONTROL_STORY_ID("aaaa0002") ": in grpc as rc_2, joining\n" },
		{ "bbbb0001", "rng " CONTROL_STORY_ID("bbbb0001") ": in grpc as rc_3, draining\n" },
		{ "cccc0001",
		    "rng " CONTROL_STORY_ID("cccc0001") ": no traffic: no_slot: backend `grpc` of HAProxy "
							"has no free slot (3 of 3 in use): raise the count of its "
							"`server-template rc_ ...` line and reload HAProxy\n" },
		{ "cccc0002", "family:batch " CONTROL_STORY_ID("cccc0002") ": no traffic: not_selected: " },
		{ "dddd0001", "ghost " CONTROL_STORY_ID(
				  "dddd0001") ": no traffic: no_backend: HAProxy has no backend "
					      "`absent`: add it to haproxy.cfg, or correct its name in `backends`\n" },
		{ "eeee0001", "rng " CONTROL_STORY_ID("eeee0001") ": no traffic: not_running: " },
		{ "ffff0001", "shop " CONTROL_STORY_ID("ffff0001") ": in web as rc_1, ready\n"
								   "shop " CONTROL_STORY_ID(
								       "ffff0001") ": in web2 as rc_1, ready\n" },
	};
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf out = explain(s, rows[i].id);

		CHECK_ROW(str_has_prefix(buf_str(&out), str_from_cstr(rows[i].line)), i, rows[i].line);
		buf_free(&out);
	}
}

static void
a_held_server_says_by_whom_and_how_to_end_it(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	CLEANUP(cli_json_free_at) json_t *task = ask(s, "/v1/tasks/aaaa0001");
	CLEANUP(cli_json_free_at) json_t *backends = ask(s, "/v1/backends");
	json_t *server = json_array_get(json_object_get(json_array_get(backends, 0), "servers"), 0);
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);

	(void)state;
	assert_int_equal(json_object_set_new(server, "state", json_string("held")), 0);
	assert_int_equal(json_object_set_new(server, "reason", json_string("drained by\nsomebody")), 0);
	assert_int_equal(cli_why_task(task, backends, &SCRIPT, &out, NULL), ERR_OK);
	assert_true(str_has_prefix(buf_str(&out),
	    STR("rng " CONTROL_STORY_ID(
		"aaaa0001") ": in grpc as rc_1, held\n"
			    "  held            drained by?somebody; `rollcall ready grpc/rc_1` ends that\n")));
	buf_free(&out);
}

static void
status_counts_what_operators_asked_for(void **state)
{
	CLEANUP(cli_json_free_at) json_t *status = parse("{\"holds\": 2, \"pauses\": 1}");
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);

	(void)state;
	assert_int_equal(cli_show_status(status, &SCRIPT, &out, NULL), ERR_OK);
	buf_put_u8(&out, 0);
	assert_non_null(strstr((const char *)out.ptr, "  operator        2 holds, 1 pause\n"));
	buf_free(&out);
}

static void
what_follows_tells_how_it_stands(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct buf out = explain(s, "aaaa0001");

	(void)state;
	assert_str(buf_str(&out),
	    "rng " CONTROL_STORY_ID(
		"aaaa0001") ": in grpc as rc_1, ready\n"
			    "  task            " CONTROL_STORY_ARN(
				"aaaa0001") "\n"
					    "  revision        1, in cluster main\n"
					    "  status          RUNNING, wanted RUNNING, health UNKNOWN\n"
					    "  container       app, port 50051, for backend grpc\n"
					    "    head start    none by ECS: it should serve on for some "
					    "seconds after SIGTERM, or see docs/hold.md\n"
					    "    grpc/rc_1     10.0.0.1:50051, ready for 3 min 1 s, weight 256, 2 "
					    "streams, evidence: running\n");
	buf_free(&out);
}

static void
a_task_without_a_server_has_the_reason_that_tells_most(void **state)
{
#define TASK(status, endpoints)                                                                             \
	"{\"service\":\"s\",\"task\":\"t\",\"last_status\":\"" status "\",\"containers\":[{\"name\":\"c\"," \
	"\"endpoints\":[" endpoints "]}]}"
#define ENDPOINT(backend, reason, message) \
	"{\"backend\":\"" backend "\",\"reason\":\"" reason "\",\"message\":\"" message "\",\"servers\":[]}"
	static const struct {
		const char *document, *line;
	} rows[] = {
		{ TASK("RUNNING", ENDPOINT("", "not_selected", "no entry") "," ENDPOINT("", "no_port", "none")),
		    "s t: no traffic: no_port: none\n" },
		{ TASK("RUNNING", ENDPOINT("", "no_port", "none") "," ENDPOINT("b", "no_slot", "full")),
		    "s t: no traffic: no_slot: full\n" },
		{ TASK("RUNNING", ENDPOINT("b", "no_slot", "HAProxy is not reached")),
		    "s t: no traffic: no_slot: HAProxy is not reached\n" },
		{ TASK("PENDING", ""), "s t: no traffic: not_running: ECS calls it PENDING\n" },
		{ TASK("RUNNING", ""), "s t: no traffic: not_selected: its task definition has not been read yet\n" },
		{ TASK("RUNNING", "{\"backend\":\"b\",\"servers\":[\"b/rc_1\"]}"), "s t: in b as rc_1, gone\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		CLEANUP(cli_json_free_at) json_t *task = parse(rows[i].document);
		struct buf out = buf_make(CLI_SHOW_TEXT_MAX);

		assert_int_equal(cli_why_task(task, NULL, &SCRIPT, &out, NULL), ERR_OK);
		CHECK_ROW(str_has_prefix(buf_str(&out), str_from_cstr(rows[i].line)), i, rows[i].line);
		buf_free(&out);
	}
}

static void
a_server_without_a_task_is_told_as_one(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	CLEANUP(cli_json_free_at) json_t *web2 = ask(s, "/v1/backends/web2");

	(void)state;
	assert_shown(cli_why_server, json_array_get(json_object_get(web2, "servers"), 1), &SCRIPT,
	    "- -: in web2 as rc_2, ready\n"
	    "  because         no task that is known explains it: kept until something proves that its task is gone\n"
	    "  server          10.9.9.9:50051, ready for 1.1 s, weight 256, 0 streams, evidence: none\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_read_from_top_to_bottom),
		cmocka_unit_test(status_tells_what_is_wrong_where_it_is),
		cmocka_unit_test(a_document_of_another_version_is_shown_as_far_as_it_goes),
		cmocka_unit_test(what_is_not_a_document_is_said_to_be_none),
		cmocka_unit_test(backends_count_their_servers_by_state),
		cmocka_unit_test(a_frozen_backend_adds_a_column),
		cmocka_unit_test(what_is_said_of_a_backend_stands_behind_the_table),
		cmocka_unit_test(a_paused_backend_adds_a_column),
		cmocka_unit_test(servers_are_whole_for_scripts_and_fit_for_people),
		cmocka_unit_test(nothing_to_show_is_said),
		cmocka_unit_test(the_first_line_says_it_all),
		cmocka_unit_test(a_held_server_says_by_whom_and_how_to_end_it),
		cmocka_unit_test(status_counts_what_operators_asked_for),
		cmocka_unit_test(what_follows_tells_how_it_stands),
		cmocka_unit_test(a_task_without_a_server_has_the_reason_that_tells_most),
		cmocka_unit_test(a_server_without_a_task_is_told_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
