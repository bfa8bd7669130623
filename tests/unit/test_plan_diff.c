/* One stage of bringing slots nearer to what is desired. */
#include "config.h"

#include "plan/plan.h"
#include "unit.h"
#include "worlds.h"

#define A "10.0.0.1:50051"
#define B "10.0.0.2:50051"
#define C "10.0.0.3:50051"

/* A world with one entry and its backend in HAProxy. */
struct scene {
	struct world *w;
	struct actual_backend *b;
};

static struct scene
scene_new(void)
{
	struct scene s = { .w = world_new() };

	(void)world_entry(s.w, "grpc", "*", 50051);
	s.b = world_backend(s.w, "grpc");
	return s;
}

static void
scene_end_at(struct scene *s)
{
	world_free(s->w);
}

static struct roster_task *
runs(struct scene *s, const char *id, const char *ipv4)
{
	return world_task(s->w, id, ROSTER_RUNNING, ipv4);
}

static struct actual_server *
slot(struct scene *s, const char *name, enum actual_admin admin, const char *at)
{
	return world_server(s->w, s->b, name, admin, at);
}

static void
check_steps(struct scene *s, const char *want)
{
	assert_string_equal(world_steps(s->w, world_plan(s->w, 0, NULL)), want);
}

/* ---- entering ---- */

static void
a_new_task_takes_the_lowest_free_slot(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();

	(void)state;
	world_slots(s.w, s.b, 3);
	(void)runs(&s, "a", "10.0.0.1");
	check_steps(&s, "rc_1: address " A "; rc_1: weight 256; rc_1: join");
}

static void
what_the_entry_asks_is_set_before_a_task_joins(void **state)
{
	struct scene s CLEANUP(scene_end_at) = { .w = world_new() };

	(void)state;
	world_entry(s.w, "grpc", "*", 50051)->policy.maxconn = 9;
	s.b = world_backend(s.w, "grpc");
	s.b->small_weights = true;
	world_slots(s.w, s.b, 1);
	(void)runs(&s, "a", "10.0.0.1");
	check_steps(&s, "rc_1: address " A "; rc_1: weight 16; rc_1: maxconn 9; rc_1: join");
}

static void
slots_are_taken_without_address_first_and_those_out_of_maintenance_last(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan *p;

	(void)state;
	(void)slot(&s, "rc_1", ACTUAL_READY, "");
	(void)slot(&s, "rc_2", ACTUAL_MAINT, "10.9.9.9:1");
	(void)slot(&s, "rc_10", ACTUAL_MAINT, "");
	(void)slot(&s, "rc_9", ACTUAL_MAINT, "");
	(void)runs(&s, "a", "10.0.0.1");
	(void)runs(&s, "b", "10.0.0.2");
	(void)runs(&s, "c", "10.0.0.3");
	(void)runs(&s, "d", "10.0.0.4");
	(void)runs(&s, "e", "10.0.0.5");
	p = world_plan(s.w, 0, NULL);
	assert_string_equal(world_steps(s.w, p),
	    "rc_9: address 10.0.0.1:50051; rc_9: weight 256; rc_9: join; "
	    "rc_10: address 10.0.0.2:50051; rc_10: weight 256; rc_10: join; "
	    "rc_2: address 10.0.0.3:50051; rc_2: weight 256; rc_2: join; "
	    "rc_1: maint (vacant); rc_1: address 10.0.0.4:50051; rc_1: weight 256; rc_1: join");
	assert_int_equal(p->backends[0].n_unplaced, 1);
	assert_str(p->backends[0].unplaced[0]->task->id, "e");
	assert_int_equal(p->backends[0].n_free_slots, 0);
}

/* It would take calls: a forgotten `disabled`, or a command that was meant for the
 * process before this one. */
static void
a_slot_without_an_address_does_not_stay_out_of_maintenance(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();

	(void)state;
	(void)slot(&s, "rc_1", ACTUAL_READY, "");
	(void)slot(&s, "rc_2", ACTUAL_DRAIN, "");
	(void)slot(&s, "rc_3", ACTUAL_MAINT, "");
	check_steps(&s, "rc_1: maint (vacant); rc_2: maint (vacant)");
}

static void
a_slot_with_sessions_is_not_free(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan *p;

	(void)state;
	slot(&s, "rc_1", ACTUAL_MAINT, "10.9.9.9:1")->sessions = 1;
	slot(&s, "rc_2", ACTUAL_MAINT, "")->sessions = 1;
	slot(&s, "rc_3", ACTUAL_READY, "")->sessions = 1;
	(void)runs(&s, "a", "10.0.0.1");
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->backends[0].n_unplaced, 1);
}

/* Its result would be taken for the next task's. */
static void
a_slot_is_not_free_while_a_check_of_its_last_task_is_under_way(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct actual_server *v = slot(&s, "rc_1", ACTUAL_MAINT, "10.9.9.9:1");

	(void)state;
	(void)runs(&s, "a", "10.0.0.1");
	v->check_running = true;
	check_steps(&s, "");
	v->check_running = false;
	check_steps(&s, "rc_1: address " A "; rc_1: weight 256; rc_1: join");
}

static void
a_joining_slot_is_ready_once_its_check_has_passed(void **state)
{
	static const struct {
		enum actual_check check;
		const char *steps;
	} cases[] = {
		{ ACTUAL_CHECK_PENDING, "" },
		{ ACTUAL_CHECK_FAILED, "" },
		{ ACTUAL_CHECK_PASSED, "rc_1: ready" },
		{ ACTUAL_UNCHECKED, "rc_1: ready" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new();

		slot(&s, "rc_1", ACTUAL_DRAIN, A)->check = cases[i].check;
		(void)runs(&s, "a", "10.0.0.1");
		check_steps(&s, cases[i].steps);
	}
}

static void
a_joining_slot_gets_its_weight_before_it_is_ready(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct actual_server *v = slot(&s, "rc_1", ACTUAL_DRAIN, A);

	(void)state;
	v->check = ACTUAL_CHECK_PASSED;
	v->weight = 1;
	(void)runs(&s, "a", "10.0.0.1");
	check_steps(&s, "rc_1: weight 256; rc_1: ready");
}

static void
a_slot_in_maintenance_whose_task_should_serve_joins_anew(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();

	(void)state;
	world_slots(s.w, s.b, 1);
	slot(&s, "rc_5", ACTUAL_MAINT, A)->sessions = 3;
	(void)runs(&s, "a", "10.0.0.1");
	check_steps(&s, "rc_5: weight 256; rc_5: join");
}

static void
ipv6_is_the_same_however_haproxy_writes_it(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct roster_task *t = world_bare_task(s.w, "a", ROSTER_RUNNING);

	(void)state;
	world_container(s.w, t, "app", "")->ipv6 = STR("fd00:0:0:0:0:0:0:1");
	(void)slot(&s, "rc_1", ACTUAL_READY, "fd00::1:50051");
	check_steps(&s, "");
}

/* ---- serving ---- */

static void
what_is_as_desired_is_left_alone(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan *p;

	(void)state;
	(void)slot(&s, "rc_1", ACTUAL_READY, A);
	slot(&s, "rc_2", ACTUAL_READY, B)->up = false;
	(void)runs(&s, "a", "10.0.0.1");
	(void)runs(&s, "b", "10.0.0.2");
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->next_ms, INT64_MAX);
	assert_int_equal(p->memory.n, 0);
}

static void
only_differences_of_weight_and_maxconn_are_sent(void **state)
{
	struct scene s CLEANUP(scene_end_at) = { .w = world_new() };

	(void)state;
	world_entry(s.w, "grpc", "*", 50051)->policy.maxconn = 9;
	s.b = world_backend(s.w, "grpc");
	slot(&s, "rc_1", ACTUAL_READY, A)->weight = 10;
	slot(&s, "rc_2", ACTUAL_READY, B)->maxconn = 9;
	(void)runs(&s, "a", "10.0.0.1");
	(void)runs(&s, "b", "10.0.0.2");
	check_steps(&s, "rc_1: weight 256; rc_1: maxconn 9");
}

static void
weights_wait_until_every_server_is_explained_and_that_is_told(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan *p;

	(void)state;
	slot(&s, "rc_1", ACTUAL_READY, A)->weight = 10;
	(void)slot(&s, "rc_2", ACTUAL_READY, B); /* of a cluster that was not read yet, say */
	(void)runs(&s, "a", "10.0.0.1");
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->n_held, 1);
	assert_true(str_has_prefix(p->held[0].message, STR("1 server keeps the weight")));
}

static void
who_does_not_serve_yet_is_weighed_at_once(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct actual_server *v = slot(&s, "rc_1", ACTUAL_DRAIN, A);

	(void)state;
	v->weight = 10;
	v->check = ACTUAL_CHECK_PASSED;
	(void)slot(&s, "rc_2", ACTUAL_READY, B); /* of a cluster that was not read yet */
	(void)runs(&s, "a", "10.0.0.1");
	check_steps(&s, "rc_1: weight 256; rc_1: ready");
}

static void
a_task_that_is_only_kept_changes_nothing(void **state)
{
	static const enum actual_admin admins[] = { ACTUAL_READY, ACTUAL_DRAIN, ACTUAL_MAINT };

	(void)state;
	for (size_t i = 0; i < N_OF(admins); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new();
		const struct plan *p;

		slot(&s, "rc_1", admins[i], A)->weight = 3;
		runs(&s, "a", "10.0.0.1")->listed = false;
		(void)runs(&s, "b", "10.0.0.2");
		p = world_plan(s.w, 0, NULL);
		assert_int_equal(p->n_steps, 0);
		assert_int_equal(p->backends[0].n_unplaced, 1);
		assert_int_equal(p->backends[0].n_servers, 1);
	}
}

static void
a_server_that_nothing_explains_is_left_alone_and_shown(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan_backend *b;
	const struct plan *p;

	(void)state;
	(void)slot(&s, "rc_1", ACTUAL_READY, A);
	(void)slot(&s, "rc_2", ACTUAL_DRAIN, B);
	slot(&s, "rc_3", ACTUAL_MAINT, C)->sessions = 1;
	(void)slot(&s, "rc_4", ACTUAL_MAINT, "10.0.0.4:1"); /* free */
	(void)world_server(s.w, s.b, "mine", ACTUAL_READY, "10.0.0.5:1");
	p = world_plan(s.w, 0, NULL);
	b = plan_find(p, STR("grpc"));
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(b->n_servers, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_null(b->servers[i].desired);
		assert_int_equal(b->servers[i].evidence, EVIDENCE_NONE);
	}
	assert_int_equal(b->servers[0].state, PLAN_STATE_UP);
	assert_int_equal(b->servers[1].state, PLAN_STATE_DRAINING);
	assert_int_equal(b->servers[2].state, PLAN_STATE_DRAINING);
	assert_int_equal(b->n_free_slots, 1);
	assert_int_equal(b->n_draining, 1);
}

/* ---- leaving ---- */

static void
a_task_that_ends_leaves_by_maintenance(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();

	(void)state;
	slot(&s, "rc_1", ACTUAL_READY, A)->sessions = 5;
	(void)slot(&s, "rc_2", ACTUAL_DRAIN, B);
	(void)slot(&s, "rc_3", ACTUAL_READY, C);
	(void)world_task(s.w, "a", ROSTER_STOPPING, "10.0.0.1");
	(void)world_task(s.w, "b", ROSTER_STOPPED, "10.0.0.2");
	runs(&s, "c", "10.0.0.3")->health = ROSTER_UNHEALTHY;
	check_steps(&s, "rc_1: maint (stopping); rc_2: maint (stopped); rc_3: maint (unhealthy)");
}

static void
a_relabelled_slot_gets_no_command(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan *p;

	(void)state;
	slot(&s, "rc_1", ACTUAL_READY, A)->sessions = 5;
	(void)world_task(s.w, "a", ROSTER_STOPPED, "10.0.0.1");
	runs(&s, "b", "10.0.0.1")->started_ms = 3000;
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_str(p->backends[0].servers[0].desired->task->id, "b");
}

static void
of_two_ended_tasks_at_one_address_the_newer_is_the_reason(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();

	(void)state;
	(void)slot(&s, "rc_1", ACTUAL_READY, A);
	(void)world_task(s.w, "a", ROSTER_STOPPED, "10.0.0.1");
	world_task(s.w, "b", ROSTER_STOPPING, "10.0.0.1")->started_ms = 3000;
	check_steps(&s, "rc_1: maint (stopping)");
}

static void
the_better_of_two_slots_of_one_task_stays(void **state)
{
	static const struct {
		enum actual_admin first, second;
		bool first_up;
		const char *steps;
	} cases[] = {
		{ ACTUAL_READY, ACTUAL_READY, true, "rc_2: maint (replaced)" },
		{ ACTUAL_READY, ACTUAL_READY, false, "rc_1: maint (replaced)" },
		{ ACTUAL_DRAIN, ACTUAL_READY, true, "rc_1: maint (replaced)" },
		{ ACTUAL_MAINT, ACTUAL_READY, true, "" },
		{ ACTUAL_READY, ACTUAL_MAINT, true, "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new();
		struct actual_server *v = slot(&s, "rc_1", cases[i].first, A);

		v->up = cases[i].first_up;
		(void)slot(&s, "rc_2", cases[i].second, A);
		(void)runs(&s, "a", "10.0.0.1");
		check_steps(&s, cases[i].steps);
	}
}

static void
the_second_slot_of_a_task_keeps_its_streams_and_is_free_without(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct actual_server *v;
	const struct plan *p;

	(void)state;
	(void)slot(&s, "rc_1", ACTUAL_READY, A);
	v = slot(&s, "rc_2", ACTUAL_MAINT, A);
	v->sessions = 1;
	(void)runs(&s, "a", "10.0.0.1");
	p = world_plan(s.w, INT64_C(1000000000), NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->next_ms, INT64_MAX);
	v->sessions = 0;
	(void)runs(&s, "b", "10.0.0.2");
	check_steps(&s, "rc_2: address " B "; rc_2: weight 256; rc_2: join");
}

/* Streams are shut at 0 s (the task has stopped), or once the drain is over, and
 * again while they are still there. */
static void
streams_are_shut_when_nobody_will_end_them(void **state)
{
	static const struct {
		enum roster_status status;
		int64_t at_s;
		const char *steps;
		int64_t next_s;
	} passes[] = {
		{ ROSTER_STOPPING, 100, "", 130 },
		{ ROSTER_STOPPING, 129, "", 130 },
		{ ROSTER_STOPPING, 130, "rc_1: shutdown (stopping)", 135 },
		{ ROSTER_STOPPING, 134, "", 135 },
		{ ROSTER_STOPPING, 135, "rc_1: shutdown (stopping)", 140 },
		{ ROSTER_STOPPED, 136, "", 140 },
		{ ROSTER_STOPPED, 141, "rc_1: shutdown (stopped)", 146 },
	};
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct roster_task *t = world_task(s.w, "a", ROSTER_STOPPING, "10.0.0.1");
	struct plan_memory memory = { .n = 0 };

	(void)state;
	slot(&s, "rc_1", ACTUAL_MAINT, A)->sessions = 2;
	for (size_t i = 0; i < N_OF(passes); i++) {
		const struct plan *p;

		t->last_status = passes[i].status;
		p = world_plan(s.w, passes[i].at_s * 1000, &memory);
		assert_string_equal(world_steps(s.w, p), passes[i].steps);
		assert_int_equal(p->next_ms, passes[i].next_s * 1000);
		assert_int_equal(p->memory.n, 1);
		memory = p->memory;
	}
}

static void
streams_to_a_stopped_task_are_shut_at_once(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();

	(void)state;
	slot(&s, "rc_1", ACTUAL_MAINT, A)->sessions = 2;
	(void)world_task(s.w, "a", ROSTER_DEPROVISIONING, "10.0.0.1");
	check_steps(&s, "rc_1: shutdown (stopped)");
}

static void
streams_that_run_on_with_the_next_task_are_never_shut(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct plan *p CLEANUP(plan_free_at) = NULL;
	const struct plan_rules rules = { .now_ms = INT64_C(1000000000) };
	const struct plan_memory none = { .n = 0 };
	struct desired_server server;
	struct desired_backend backend;
	struct desired desired;

	(void)state;
	slot(&s, "rc_1", ACTUAL_MAINT, A)->sessions = 2;
	(void)world_task(s.w, "a", ROSTER_STOPPED, "10.0.0.1");
	desired = *world_desired(s.w);
	backend = desired.backends[0];
	server = backend.servers[0];
	server.streams_run_on = true;
	backend.servers = &server;
	desired.backends = &backend;
	assert_int_equal(plan_diff(&rules, &desired, world_actual(s.w), &none, &p, NULL), ERR_OK);
	assert_int_equal(p->n_steps, 0);
}

static void
memory_is_of_one_server_at_one_address(void **state)
{
	const struct plan_memory_entry others[] = {
		{ STR("grpc"), STR("rc_1"), STR("10.0.0.9"), 50051, 1, false, 0, false, false },
		{ STR("grpc"), STR("rc_2"), STR("10.0.0.1"), 50051, 1, false, 0, false, false },
		{ STR("web"), STR("rc_1"), STR("10.0.0.1"), 50051, 1, false, 0, false, false },
	};
	const struct plan_memory memory = { .entries = others, .n = N_OF(others) };
	struct scene s CLEANUP(scene_end_at) = scene_new();
	const struct plan *p;

	(void)state;
	slot(&s, "rc_1", ACTUAL_MAINT, A)->sessions = 2;
	(void)world_task(s.w, "a", ROSTER_STOPPING, "10.0.0.1");
	p = world_plan(s.w, 100000, &memory);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->memory.n, 1);
	assert_int_equal(p->memory.entries[0].drain_since_ms, 100000);
}

static void
a_drain_timeout_beyond_the_end_of_time_never_comes(void **state)
{
	struct scene s CLEANUP(scene_end_at) = { .w = world_new() };
	const struct plan *p;

	(void)state;
	world_entry(s.w, "grpc", "*", 50051)->policy.drain_timeout_ms = INT64_MAX;
	s.b = world_backend(s.w, "grpc");
	slot(&s, "rc_1", ACTUAL_MAINT, A)->sessions = 2;
	(void)world_task(s.w, "a", ROSTER_STOPPING, "10.0.0.1");
	p = world_plan(s.w, 100, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->next_ms, INT64_MAX);
}

/* ---- all of it ---- */

static void
steps_come_in_their_order_over_all_backends(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new();
	struct actual_backend *web;

	(void)state;
	world_entry(s.w, "web", "web", 80);
	web = world_backend(s.w, "web");
	(void)world_server(s.w, web, "rc_1", ACTUAL_MAINT, "");
	slot(&s, "rc_1", ACTUAL_MAINT, A)->sessions = 1;
	(void)slot(&s, "rc_2", ACTUAL_READY, B);
	slot(&s, "rc_3", ACTUAL_READY, C)->weight = 1;
	slot(&s, "rc_4", ACTUAL_DRAIN, "10.0.0.4:50051")->check = ACTUAL_CHECK_PASSED;
	(void)world_task(s.w, "a", ROSTER_STOPPED, "10.0.0.1");
	(void)world_task(s.w, "b", ROSTER_STOPPED, "10.0.0.2");
	(void)runs(&s, "c", "10.0.0.3");
	(void)runs(&s, "d", "10.0.0.4");
	runs(&s, "e", "10.0.0.5")->service = STR("web");
	check_steps(&s, "rc_1: address 10.0.0.5:80; rc_1: weight 256; rc_1: join; rc_4: ready; rc_3: weight 256; "
			"rc_2: maint (stopped); rc_1: shutdown (stopped)");
}

static void
a_backend_that_is_not_there_or_has_no_slots_gets_no_steps(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b;
	const struct plan *p;

	(void)state;
	(void)world_entry(w, "absent", "*", 50051);
	(void)world_entry(w, "unknown", "*", 50051);
	(void)world_entry(w, "bare", "*", 50051);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	(void)world_task(w, "b", ROSTER_STOPPED, "10.0.0.2");
	b = world_backend(w, "absent");
	b->exists = false;
	b = world_backend(w, "bare");
	(void)world_server(w, b, "mine", ACTUAL_READY, A);
	p = world_plan(w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->n_backends, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(p->backends[i].strategy, PLAN_STRATEGY_NONE);
		assert_int_equal(p->backends[i].n_unplaced, 1);
		assert_int_equal(p->backends[i].exists, i == 2);
	}
	assert_null(plan_find(p, STR("other")));
}

static void
a_view_shows_how_each_server_stands(void **state)
{
	static const struct {
		enum roster_status task;
		enum actual_admin admin;
		bool up;
		uint32_t sessions;
		enum plan_state shown;
	} cases[] = {
		{ ROSTER_RUNNING, ACTUAL_READY, true, 0, PLAN_STATE_UP },
		{ ROSTER_RUNNING, ACTUAL_READY, false, 0, PLAN_STATE_DOWN },
		{ ROSTER_RUNNING, ACTUAL_DRAIN, false, 0, PLAN_STATE_JOINING },
		{ ROSTER_RUNNING, ACTUAL_MAINT, false, 0, PLAN_STATE_JOINING },
		{ ROSTER_UNKNOWN, ACTUAL_DRAIN, false, 0, PLAN_STATE_JOINING },
		{ ROSTER_UNKNOWN, ACTUAL_MAINT, false, 0, PLAN_STATE_DRAINING },
		{ ROSTER_STOPPING, ACTUAL_READY, true, 0, PLAN_STATE_UP },
		{ ROSTER_STOPPING, ACTUAL_DRAIN, true, 0, PLAN_STATE_DRAINING },
		{ ROSTER_STOPPING, ACTUAL_MAINT, false, 1, PLAN_STATE_DRAINING },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new();
		struct actual_server *v = slot(&s, "rc_1", cases[i].admin, A);
		const struct plan_backend *b;

		v->up = cases[i].up;
		v->sessions = cases[i].sessions;
		(void)world_task(s.w, "a", cases[i].task, "10.0.0.1");
		b = &world_plan(s.w, 0, NULL)->backends[0];
		assert_int_equal(b->n_servers, 1);
		CHECK_ROW(b->servers[0].state == cases[i].shown, i, plan_state_name(b->servers[0].state));
	}
}

static void
names_are_the_words_of_the_interface(void **state)
{
	(void)state;
	assert_string_equal(plan_state_name(PLAN_STATE_UP), "ready");
	assert_string_equal(plan_strategy_name(PLAN_STRATEGY_SLOTS), "slots");
	assert_string_equal(plan_step_name(PLAN_JOIN), "join");
	assert_string_equal(evidence_name(EVIDENCE_UNEXPOSED), "unexposed");
	assert_string_equal(reason_name(REASON_HOST_NOT_ALLOWED), "host_not_allowed");
	assert_true(plan_step_removes(PLAN_SHUTDOWN));
	assert_false(plan_step_removes(PLAN_JOIN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_task_takes_the_lowest_free_slot),
		cmocka_unit_test(what_the_entry_asks_is_set_before_a_task_joins),
		cmocka_unit_test(slots_are_taken_without_address_first_and_those_out_of_maintenance_last),
		cmocka_unit_test(a_slot_without_an_address_does_not_stay_out_of_maintenance),
		cmocka_unit_test(a_slot_with_sessions_is_not_free),
		cmocka_unit_test(a_slot_is_not_free_while_a_check_of_its_last_task_is_under_way),
		cmocka_unit_test(a_joining_slot_is_ready_once_its_check_has_passed),
		cmocka_unit_test(a_joining_slot_gets_its_weight_before_it_is_ready),
		cmocka_unit_test(a_slot_in_maintenance_whose_task_should_serve_joins_anew),
		cmocka_unit_test(ipv6_is_the_same_however_haproxy_writes_it),
		cmocka_unit_test(what_is_as_desired_is_left_alone),
		cmocka_unit_test(only_differences_of_weight_and_maxconn_are_sent),
		cmocka_unit_test(weights_wait_until_every_server_is_explained_and_that_is_told),
		cmocka_unit_test(who_does_not_serve_yet_is_weighed_at_once),
		cmocka_unit_test(a_task_that_is_only_kept_changes_nothing),
		cmocka_unit_test(a_server_that_nothing_explains_is_left_alone_and_shown),
		cmocka_unit_test(a_task_that_ends_leaves_by_maintenance),
		cmocka_unit_test(a_relabelled_slot_gets_no_command),
		cmocka_unit_test(of_two_ended_tasks_at_one_address_the_newer_is_the_reason),
		cmocka_unit_test(the_better_of_two_slots_of_one_task_stays),
		cmocka_unit_test(the_second_slot_of_a_task_keeps_its_streams_and_is_free_without),
		cmocka_unit_test(streams_are_shut_when_nobody_will_end_them),
		cmocka_unit_test(streams_to_a_stopped_task_are_shut_at_once),
		cmocka_unit_test(streams_that_run_on_with_the_next_task_are_never_shut),
		cmocka_unit_test(memory_is_of_one_server_at_one_address),
		cmocka_unit_test(a_drain_timeout_beyond_the_end_of_time_never_comes),
		cmocka_unit_test(steps_come_in_their_order_over_all_backends),
		cmocka_unit_test(a_backend_that_is_not_there_or_has_no_slots_gets_no_steps),
		cmocka_unit_test(a_view_shows_how_each_server_stands),
		cmocka_unit_test(names_are_the_words_of_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
