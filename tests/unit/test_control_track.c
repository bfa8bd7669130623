/* Changes from pass to pass: which are told, with which words, and what is counted. */
#include "config.h"

#include <stdlib.h>

#include "control/control_track.h"
#include "control_story.h"
#include "unit.h"

#define TOLD_MAX 16

struct told {
	char line[160]; /* "kind BACKEND/SERVER FROM>TO EVIDENCE" */
	char message[256];
};

/* HAProxy with one backend and up to four servers, and who listens. */
struct stage {
	struct control_track *track;
	struct control_story *story;
	struct actual actual;
	struct actual_server servers[4];
	struct plan_server shown[4];
	struct plan_backend backend;
	struct plan plan;
	struct reconcile_view view;
	struct told told[TOLD_MAX];
	size_t n;
};

static void
take(void *arg, enum log_level level, const struct control_event *ev)
{
	struct stage *s = arg;
	struct told *t = &s->told[s->n++];

	assert_true(s->n <= TOLD_MAX);
	assert_int_equal(level, LOG_INFO);
	(void)snprintf(t->line, sizeof(t->line), "%s " STR_FMT "/" STR_FMT " %s>%s %s", ev->kind, STR_ARG(ev->backend),
	    STR_ARG(ev->server), ev->from != NULL ? ev->from : "", ev->to != NULL ? ev->to : "",
	    ev->evidence != NULL ? ev->evidence : "");
	(void)snprintf(t->message, sizeof(t->message), STR_FMT, STR_ARG(ev->message));
}

static int
set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (s == NULL || control_track_new(&s->track, NULL) != ERR_OK)
		return -1;
	s->story = control_story_new();
	s->actual = (struct actual){ .pid = 1, .start_time_s = 10 };
	s->backend = (struct plan_backend){ .name = STR("grpc"), .exists = true, .servers = s->shown };
	s->plan = (struct plan){ .backends = &s->backend, .n_backends = 1 };
	s->view = (struct reconcile_view){ .actual = &s->actual, .plan = &s->plan };
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct stage *s = *state;

	control_track_free(s->track);
	control_story_free(s->story);
	free(s);
	return 0;
}

/* The server that stands at this place, be it there or not. */
static void
put(struct stage *s, const char *name, enum plan_state st, enum evidence ev)
{
	const size_t i = s->backend.n_servers++;

	s->servers[i] = (struct actual_server){ .name = str_from_cstr(name),
		.address = STR("10.0.0.1"),
		.port = 50051,
		.status = STR("DOWN"),
		.last_check = STR("L4CON") };
	s->shown[i] = (struct plan_server){ .backend = STR("grpc"),
		.actual = &s->servers[i],
		.desired = &s->story->facts.desired->backends[0].servers[0],
		.state = st,
		.evidence = ev };
}

static void
pass(struct stage *s)
{
	const struct control_track_sink to = { .add = take, .arg = s };

	s->n = 0;
	control_track_passed(s->track, &s->view, CONTROL_STORY_WALL_MS, &to);
}

static void
show_one(struct stage *s, const char *name, enum plan_state st)
{
	s->backend.n_servers = 0;
	put(s, name, st, EVIDENCE_RUNNING);
	pass(s);
}

static void
what_is_there_at_the_start_is_no_news(void **state)
{
	struct stage *s = *state;

	show_one(s, "rc_1", PLAN_STATE_UP);
	assert_int_equal(s->n, 0);
	show_one(s, "rc_1", PLAN_STATE_UP);
	assert_int_equal(s->n, 0);
	assert_int_equal(control_track_counts(s->track)->passes, 2);
	assert_int_equal(control_track_counts(s->track)->added, 0);
}

static void
each_change_of_a_server_is_told_once(void **state)
{
	static const struct {
		enum plan_state state;
		const char *line, *says;
	} rows[] = {
		{ PLAN_STATE_JOINING, "server grpc/rc_1 >joining running", "no call before its first passed check" },
		{ PLAN_STATE_UP, "server grpc/rc_1 joining>ready running", "takes calls; task" },
		{ PLAN_STATE_DOWN, "server grpc/rc_1 ready>down running", "health check fails (L4CON)" },
		{ PLAN_STATE_UP, "server grpc/rc_1 down>ready running", "takes calls again" },
		{ PLAN_STATE_HELD, "server grpc/rc_1 ready>held running", "left to that hand" },
		{ PLAN_STATE_UP, "server grpc/rc_1 held>ready running", "nobody holds it any more" },
		{ PLAN_STATE_EJECTED, "server grpc/rc_1 ready>ejected running", "its calls failed" },
		{ PLAN_STATE_DRAINING, "server grpc/rc_1 ejected>draining running", "no new call" },
	};
	struct stage *s = *state;

	pass(s);
	for (size_t i = 0; i < N_OF(rows); i++) {
		show_one(s, "rc_1", rows[i].state);
		assert_int_equal(s->n, 1);
		CHECK_ROW(strcmp(s->told[0].line, rows[i].line) == 0, i, s->told[0].line);
		CHECK_ROW(strstr(s->told[0].message, rows[i].says) != NULL, i, s->told[0].message);
		show_one(s, "rc_1", rows[i].state);
		assert_int_equal(s->n, 0);
	}
	s->backend.n_servers = 0;
	pass(s);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 draining>gone running");
	assert_non_null(strstr(s->told[0].message, "its slot is free"));
	assert_int_equal(control_track_counts(s->track)->added, 1);
}

/* A drain without streams is over before it is read back: only the plan knows of it. */
static void
what_a_plan_did_is_told_on_its_evidence(void **state)
{
	const struct plan_step steps[] = {
		{ .kind = PLAN_MAINT, .backend = STR("grpc"), .server = STR("rc_1"), .evidence = EVIDENCE_STOPPING },
		{ .kind = PLAN_SHUTDOWN, .backend = STR("grpc"), .server = STR("rc_1"), .evidence = EVIDENCE_STOPPED },
		{ .kind = PLAN_MAINT, .backend = STR("grpc"), .server = STR("rc_2"), .is_vacant = true },
		{ .kind = PLAN_BACKEND, .backend = STR("web") },
		{ .kind = PLAN_WEIGHT, .backend = STR("grpc"), .server = STR("rc_3") },
	};
	const struct plan plan = { .steps = steps, .n_steps = N_OF(steps) };
	struct hap_exec_report report = { .done = N_OF(steps) };
	struct stage *s = *state;
	const struct control_track_sink to = { .add = take, .arg = s };
	const struct control_track_counts *counts = control_track_counts(s->track);

	show_one(s, "rc_1", PLAN_STATE_UP);
	control_track_ran(s->track, &plan, &report, 7, CONTROL_STORY_WALL_MS, &to);
	assert_int_equal(s->n, 4);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 ready>draining stopping");
	assert_non_null(strstr(s->told[0].message, "its task is stopping"));
	assert_string_equal(s->told[1].line, "shutdown grpc/rc_1 > stopped");
	assert_non_null(strstr(s->told[2].message, "has no address"));
	assert_string_equal(s->told[3].line, "backend web/ > ");
	s->backend.n_servers = 0;
	pass(s);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 draining>gone stopping");
	assert_int_equal(counts->removals[EVIDENCE_STOPPING], 1);
	assert_int_equal(counts->runs, 1);
	assert_int_equal(counts->run_ms, 7);
	assert_int_equal(counts->commands, N_OF(steps));
}

/* A plan took rc_1 out, on this evidence. */
static void
ran_maint(struct stage *s, enum evidence ev)
{
	const struct plan_step step = {
		.kind = PLAN_MAINT, .backend = STR("grpc"), .server = STR("rc_1"), .evidence = ev
	};
	const struct plan plan = { .steps = &step, .n_steps = 1 };
	const struct hap_exec_report report = { .done = 1 };
	const struct control_track_sink to = { .add = take, .arg = s };

	control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
}

static void
show_draining(struct stage *s, enum evidence ev)
{
	s->backend.n_servers = 0;
	put(s, "rc_1", PLAN_STATE_DRAINING, ev);
	pass(s);
}

/* One that stops before its first check is seen to leave, and then told to. */
static void
who_is_seen_to_drain_is_not_told_of_again(void **state)
{
	struct stage *s = *state;

	show_one(s, "rc_1", PLAN_STATE_JOINING);
	show_draining(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 joining>draining stopping");
	ran_maint(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 1);
	assert_int_equal(control_track_counts(s->track)->removals[EVIDENCE_STOPPING], 1);
}

/* By the first look nothing is told: then the plan is the first to tell why it goes. */
static void
who_drains_when_a_daemon_starts_is_told_to_leave(void **state)
{
	struct stage *s = *state;

	show_one(s, "rc_1", PLAN_STATE_DRAINING);
	show_draining(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 0);
	ran_maint(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 draining>draining stopping");
	ran_maint(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 1);
}

/* It waits, as what speaks against it proves nothing, and then its task stops. */
static void
who_was_seen_to_drain_is_told_of_what_proves_it(void **state)
{
	struct stage *s = *state;

	show_one(s, "rc_1", PLAN_STATE_JOINING);
	show_draining(s, EVIDENCE_UNEXPOSED);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 joining>draining unexposed");
	show_draining(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 0);
	ran_maint(s, EVIDENCE_STOPPING);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 draining>draining stopping");
}

/* What is done to backends and to servers, in one sentence each; what the next read-back shows is not told twice. */
static void
each_thing_done_is_told_in_its_words(void **state)
{
	static const struct plan_ca ca = { .path = { "/etc/ca.pem", 11 } };
	static const struct {
		struct plan_step step;
		const char *line, *message; /* null: nothing is told */
	} rows[] = {
		{ { .kind = PLAN_BACKEND }, "backend grpc/ > ", "is made" },
		{ { .kind = PLAN_PUBLISH }, "backend grpc/ > ", "is open for calls" },
		{ { .kind = PLAN_UNPUBLISH }, "backend grpc/ > ", "is closed: it has no server and no route" },
		{ { .kind = PLAN_UNMAKE }, "backend grpc/ > ", "is taken out of HAProxy" },
		{ { .kind = PLAN_CA, .ca = &ca }, "haproxy grpc/ > ", "certificate authority /etc/ca.pem is loaded" },
		{ { .kind = PLAN_MAINT, .by_operator = true, .evidence = EVIDENCE_RUNNING },
		    "server grpc/rc_1 ready>held running", "in maintenance: an operator asked for it" },
		{ { .kind = PLAN_MAINT, .is_respec = true, .evidence = EVIDENCE_RUNNING },
		    "server grpc/rc_1 ready>draining running", "drains, to come back with the settings" },
		{ { .kind = PLAN_MAINT, .evidence = EVIDENCE_MISSING }, "server grpc/rc_1 ready>draining missing",
		    "drains: no new call, what is in flight goes on; ECS does not know its task any more" },
		{ { .kind = PLAN_ADD }, NULL, NULL },
		{ { .kind = PLAN_READY }, NULL, NULL },
		{ { .kind = PLAN_EJECT }, NULL, NULL },
		{ { .kind = PLAN_DELETE }, NULL, NULL },
	};
	struct stage *s = *state;
	const struct control_track_sink to = { .add = take, .arg = s };
	uint64_t removals = 0;

	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_step step = rows[i].step;
		const struct plan plan = { .steps = &step, .n_steps = 1 };
		struct hap_exec_report report = { .done = 1 };

		show_one(s, "rc_1", PLAN_STATE_UP);
		step.backend = STR("grpc");
		step.server = plan_step_is_of_backend(step.kind) || step.kind == PLAN_CA ? STR("") : STR("rc_1");
		s->n = 0;
		control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
		CHECK_ROW(s->n == (rows[i].line != NULL ? 1 : 0), i, plan_step_name(step.kind));
		if (rows[i].line != NULL) {
			CHECK_ROW(strcmp(s->told[0].line, rows[i].line) == 0, i, s->told[0].line);
			CHECK_ROW(strstr(s->told[0].message, rows[i].message) != NULL, i, s->told[0].message);
		}
	}
	for (size_t i = 0; i < CONTROL_TRACK_N_EVIDENCES; i++)
		removals += control_track_counts(s->track)->removals[i];
	assert_int_equal(removals, 1); /* neither the operator's nor the one that comes back */
}

static void
what_is_partly_refused_is_told_as_a_whole(void **state)
{
	const struct plan_step steps[] = {
		{ .kind = PLAN_BACKEND, .backend = STR("a") },
		{ .kind = PLAN_BACKEND, .backend = STR("b") },
		{ .kind = PLAN_BACKEND, .backend = STR("c") },
	};
	const struct plan plan = { .steps = steps, .n_steps = N_OF(steps) };
	/* Two of three were refused, and one of them is listed. */
	struct hap_exec_report report = {
		.done = 1, .refused = 2, .n_refusals = 1, .refusals = { { .step = &steps[1] } }
	};
	struct stage *s = *state;
	const struct control_track_sink to = { .add = take, .arg = s };

	control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
	assert_int_equal(s->n, 1);
	assert_non_null(strstr(s->told[0].message, "carried out 1 of 3 commands"));
	report.refused = 1;
	report.done = 2;
	s->n = 0;
	control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
	assert_int_equal(s->n, 2);
	assert_string_equal(s->told[0].line, "backend a/ > ");
	assert_string_equal(s->told[1].line, "backend c/ > ");
}

static void
what_was_refused_is_not_told_as_done(void **state)
{
	const struct plan_step step = { .kind = PLAN_MAINT, .backend = STR("grpc"), .server = STR("rc_1") };
	const struct plan plan = { .steps = &step, .n_steps = 1 };
	struct hap_exec_report report = { .refused = 1, .n_refusals = 1, .refusals = { { .step = &step } } };
	struct stage *s = *state;
	const struct control_track_sink to = { .add = take, .arg = s };

	show_one(s, "rc_1", PLAN_STATE_UP);
	control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
	assert_int_equal(s->n, 0);
	report = (struct hap_exec_report){ .is_other = true, .unsent = 1 };
	control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
	assert_int_equal(s->n, 1);
	assert_non_null(strstr(s->told[0].message, "HAProxy was replaced before it was told of 1 changes"));
	report = (struct hap_exec_report){ .err = { .code = ERR_CLOSED } };
	control_track_ran(s->track, &plan, &report, 0, CONTROL_STORY_WALL_MS, &to);
	assert_int_equal(s->n, 1);
	assert_int_equal(control_track_counts(s->track)->failed_runs, 2);
	assert_int_equal(control_track_counts(s->track)->refusals, 1);
}

static void
another_process_is_counted_and_named(void **state)
{
	struct stage *s = *state;

	show_one(s, "rc_0123_app_50051", PLAN_STATE_UP);
	s->actual.pid = 2;
	s->backend.n_servers = 0;
	pass(s);
	assert_int_equal(s->n, 1);
	assert_non_null(strstr(s->told[0].message, "not in the new process of HAProxy"));
	assert_int_equal(control_track_counts(s->track)->processes, 1);
}

/* A reload, or a cluster that is not read yet: nothing has happened to the server. */
static void
a_task_that_is_not_known_for_a_while_is_no_news(void **state)
{
	struct stage *s = *state;

	show_one(s, "rc_1", PLAN_STATE_UP);
	s->backend.n_servers = 0;
	put(s, "rc_1", PLAN_STATE_UP, EVIDENCE_NONE);
	s->shown[0].desired = NULL;
	pass(s);
	assert_int_equal(s->n, 0);
	show_one(s, "rc_1", PLAN_STATE_UP);
	assert_int_equal(s->n, 0);
	s->backend.n_servers = 0;
	put(s, "rc_1", PLAN_STATE_UP, EVIDENCE_RUNNING);
	s->shown[0].desired = &s->story->facts.desired->backends[0].servers[1];
	pass(s);
	assert_int_equal(s->n, 2);
	assert_string_equal(s->told[0].line, "server grpc/rc_1 ready>gone running");
	assert_string_equal(s->told[1].line, "server grpc/rc_1 >ready running");
}

static void
a_freeze_is_counted_once(void **state)
{
	struct stage *s = *state;

	for (size_t i = 0; i < 4; i++) {
		s->backend.is_frozen = i != 0 && i != 3;
		show_one(s, "rc_1", PLAN_STATE_UP);
	}
	assert_int_equal(control_track_counts(s->track)->freezes, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_there_at_the_start_is_no_news),
		TEST(each_change_of_a_server_is_told_once),
		TEST(what_a_plan_did_is_told_on_its_evidence),
		TEST(who_is_seen_to_drain_is_not_told_of_again),
		TEST(who_drains_when_a_daemon_starts_is_told_to_leave),
		TEST(who_was_seen_to_drain_is_told_of_what_proves_it),
		TEST(each_thing_done_is_told_in_its_words),
		TEST(what_is_partly_refused_is_told_as_a_whole),
		TEST(what_was_refused_is_not_told_as_done),
		TEST(another_process_is_counted_and_named),
		TEST(a_freeze_is_counted_once),
		TEST(a_task_that_is_not_known_for_a_while_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
