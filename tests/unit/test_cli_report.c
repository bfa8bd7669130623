/* What the daemon says of plans, routes, events and faults, as text; and its metrics as JSON. */
#include "config.h"

#include <jansson.h>

#include "cli/cli_json.h"
#include "cli/cli_report.h"
#include "cli/cli_show.h"
#include "unit.h"

typedef enum err_code report_fn(
    const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e);

static const struct cli_text_style SCRIPT = { .width = 0 }, TERMINAL = { .colour = true };

static json_t *
parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	return document;
}

static void
assert_shown_with(const struct cli_text_style *style, report_fn *report, const char *document, const char *want)
{
	CLEANUP(cli_json_free_at) json_t *json = parse(document);
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);

	assert_int_equal(report(json, style, &out, NULL), ERR_OK);
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

static void
assert_shown(report_fn *report, const char *document, const char *want)
{
	assert_shown_with(&SCRIPT, report, document, want);
}

static void
a_plan_tells_its_commands_and_what_it_keeps(void **state)
{
	(void)state;
	assert_shown(cli_report_plan, "{\"commands\":[],\"held\":[]}", "nothing to do: HAProxy holds what it should\n");
	assert_shown(cli_report_plan,
	    "{\"commands\":[{\"command\":\"set server grpc/rc_1 state drain\",\"evidence\":\"stopped\",\"reason\":"
	    "\"leaves\"},"
	    "{\"command\":\"enable server grpc/rc_2\",\"evidence\":\"\",\"reason\":\"joins\"}],\"held\":["
	    "{\"backend\":\"grpc\",\"servers\":[\"rc_3\",\"rc_4\\u001b\"],\"reason\":\"panic_threshold\"}]}",
	    "COMMAND                           EVIDENCE  REASON\n"
	    "set server grpc/rc_1 state drain  stopped   leaves\n"
	    "enable server grpc/rc_2           -         joins\n"
	    "kept in grpc: rc_3, rc_4?: panic_threshold\n");
}

static void
a_route_tells_who_takes_its_calls_or_why_nobody_does(void **state)
{
	(void)state;
	assert_shown(
	    cli_report_route, "{\"backend\":\"\",\"reason\":\"no route leads there\"}", "no route leads there\n");
	assert_shown(cli_report_route,
	    "{\"backend\":\"grpc\",\"key\":\"a.example/\",\"entrypoint\":\"default\",\"servers\":[\"rc_1\",\"rc_2\"]}",
	    "backend grpc, by a.example/ of entrypoint default\n"
	    "  servers that take its calls: rc_1, rc_2\n");
	assert_shown(cli_report_route,
	    "{\"backend\":\"grpc\",\"key\":\"*\",\"entrypoint\":\"default\",\"servers\":[],\"reason\":\"none is up\"}",
	    "backend grpc, by * of entrypoint default\n"
	    "  none is up\n");
	assert_shown(cli_report_route,
	    "{\"backend\":\"grpc\",\"key\":\"x/\",\"entrypoint\":\"default\",\"servers\":[\"rc_1\"],\"service\":\"b\","
	    "\"source_label\":\"rollcall.rule\",\"priority\":5,\"others\":[{\"cluster\":\"main\",\"service\":\"a\","
	    "\"backend\":\"main-a-app\",\"priority\":0,\"lost_by\":\"a higher priority\"}]}",
	    "backend grpc, by x/ of entrypoint default\n"
	    "  asked for by b: rollcall.rule, priority 5\n"
	    "  servers that take its calls: rc_1\n"
	    "  not had by a of cluster main, which asks for it, too: backend main-a-app, priority 0; decided by a "
	    "higher priority\n");
}

/* Seconds are enough to read; a time that is none, and an event without a server, are shown as they are. */
static void
events_are_a_line_each(void **state)
{
	(void)state;
	assert_shown(cli_report_events, "[]", "no events\n");
	assert_shown(cli_report_events,
	    "[{\"at\":\"2026-11-23T02:40:46.123Z\",\"kind\":\"server\",\"backend\":\"grpc\",\"server\":\"rc_1\",\"to\":"
	    "\"ready\",\"message\":\"its check passed\"},"
	    "{\"at\":\"2026-11-23T02:40:46Z\",\"kind\":\"backend\",\"backend\":\"grpc\",\"message\":\"is frozen\"},"
	    "{\"at\":\"soon\",\"kind\":\"configuration\",\"message\":\"was loaded\"},"
	    "{\"kind\":\"haproxy\",\"message\":\"is \\u001b new\"}]",
	    "2026-11-23T02:40:46Z  grpc/rc_1  ready  its check passed\n"
	    "2026-11-23T02:40:46Z  grpc  is frozen\n"
	    "soon  configuration  was loaded\n"
	    "-  haproxy  is ? new\n");
}

static const char findings[] =
    "[{\"check\":\"clock\",\"result\":\"ok\",\"message\":\"right\",\"fix\":\"\"},"
    "{\"check\":\"spoe\",\"result\":\"warning\",\"message\":\"idle\",\"fix\":\"look\"},"
    "{\"check\":\"events\",\"result\":\"fault\",\"message\":\"denied\",\"fix\":\"allow it\"}]";

static void
the_doctor_says_below_a_finding_what_mends_it(void **state)
{
	(void)state;
	assert_shown(cli_report_doctor, "[]", "nothing was looked at\n");
	assert_shown(cli_report_doctor, findings,
	    "ok       clock: right\n"
	    "warning  spoe: idle\n"
	    "           look\n"
	    "fault    events: denied\n"
	    "           allow it\n");
	assert_shown_with(&TERMINAL, cli_report_doctor, findings,
	    "\x1b[32mok\x1b[0m       clock: right\n"
	    "\x1b[33mwarning\x1b[0m  spoe: idle\n"
	    "           look\n"
	    "\x1b[1;31mfault\x1b[0m    events: denied\n"
	    "           allow it\n");
}

static void
what_does_not_fit_is_a_failure_and_no_half_text(void **state)
{
	static report_fn *const reports[] = { cli_report_plan, cli_report_route, cli_report_events, cli_report_doctor };

	(void)state;
	for (size_t i = 0; i < N_OF(reports); i++) {
		CLEANUP(cli_json_free_at) json_t *nothing = json_array();
		struct buf out = buf_make(0);
		struct err e = ERR_INIT;

		assert_int_equal(reports[i](nothing, &SCRIPT, &out, &e), ERR_LIMIT);
		assert_int_equal(e.code, ERR_LIMIT);
		buf_free(&out);
	}
}

static void
metrics_become_json(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "[]" },
		{ "# HELP a of it\n\n# TYPE a gauge\n", "[]" },
		{ "a 12\nb -3\n",
		    "[{\"name\":\"a\",\"labels\":{},\"value\":12},{\"name\":\"b\",\"labels\":{},\"value\":-3}]" },
		{ "a{} 1.500", "[{\"name\":\"a\",\"labels\":{},\"value\":1.5}]" },
		{ "a{x=\"\"} -0.250\n", "[{\"name\":\"a\",\"labels\":{\"x\":\"\"},\"value\":-0.25}]" },
		{ "a{x=\"1\",y=\"q\\\"\\\\\\n}\"} 7\n",
		    "[{\"name\":\"a\",\"labels\":{\"x\":\"1\",\"y\":\"q\\\"\\\\\\n}\"},\"value\":7}]" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		CLEANUP(cli_json_free_at) json_t *got = cli_report_metrics(str_from_cstr(rows[i].text));
		CLEANUP(cli_json_free_at) json_t *want = parse(rows[i].want);

		CHECK_ROW(got != NULL && json_equal(got, want), i, rows[i].text);
	}
}

static void
a_line_that_is_no_sample_is_refused(void **state)
{
	static const char *const rows[] = { "a", "a b", "a 1.5", "a 1.5000", "a 1.x00", "a -", "a NaN", "a{", "a{ 1",
		"a{x} 1", "a{x=1} 1", "a{x=\"1} 1", "a{x=\"1\\", "a{x=\"1\" 1", "a{x=\"\xff\"} 1", "a{x=\"1\"} ",
		"\xff 1", "a 9223372036854775808" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_ROW(cli_report_metrics(str_from_cstr(rows[i])) == NULL, i, rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_tells_its_commands_and_what_it_keeps),
		cmocka_unit_test(a_route_tells_who_takes_its_calls_or_why_nobody_does),
		cmocka_unit_test(events_are_a_line_each),
		cmocka_unit_test(the_doctor_says_below_a_finding_what_mends_it),
		cmocka_unit_test(what_does_not_fit_is_a_failure_and_no_half_text),
		cmocka_unit_test(metrics_become_json),
		cmocka_unit_test(a_line_that_is_no_sample_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
