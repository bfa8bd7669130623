/* One stage of a backend whose servers are added and deleted at run time. */
#include "config.h"

#include "plan/plan.h"
#include "unit.h"
#include "worlds.h"

#define A  "10.0.0.1:50051"
#define B  "10.0.0.2:50051"
#define C  "10.0.0.3:50051"
#define RC "rc_a_app_50051"

/* A world with one entry, its backend in HAProxy 3.0, and the task "a" at A. */
struct scene {
	struct world *w;
	struct conf_backend *entry;
	struct actual_backend *b;
	struct roster_task *task;
};

static struct scene
scene_new(unsigned minor)
{
	struct scene s = { .w = world_new() };

	world_version(s.w, 3, minor);
	s.entry = world_entry(s.w, "grpc", "*", 50051);
	s.b = world_backend(s.w, "grpc");
	s.task = world_task(s.w, "a", ROSTER_RUNNING, "10.0.0.1");
	return s;
}

static void
scene_end_at(struct scene *s)
{
	world_free(s->w);
}

static struct actual_server *
there(struct scene *s, const char *name, enum actual_admin admin, const char *at)
{
	return world_server(s->w, s->b, name, admin, at);
}

static void
check_steps(struct scene *s, const char *want)
{
	assert_string_equal(world_steps(s->w, world_plan(s->w, 0, NULL)), want);
}

static struct overlay_key
key_of(const char *id, uint16_t port, char arn[128])
{
	(void)snprintf(arn, 128, "arn:aws:ecs:eu-west-1:123456789012:task/main/%s", id);
	return (struct overlay_key){
		.backend = STR("grpc"), .task_arn = str_from_cstr(arn), .container = STR("app"), .port = port
	};
}

static void
hold(struct scene *s, enum overlay_admin admin)
{
	char arn[128];
	struct overlay_key key = key_of("a", 50051, arn);

	assert_int_equal(overlay_set_admin(world_overlay(s->w), &key, admin, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
}

/* ---- entering ---- */

static void
a_server_is_added_as_its_version_can_gate_it(void **state)
{
	static const struct {
		unsigned minor;
		enum conf_check_type check;
		const char *steps;
	} cases[] = {
		{ 0, CONF_CHECK_INHERIT, RC ": add " A " 256; " RC ": check" },
		{ 1, CONF_CHECK_INHERIT, RC ": add " A " 256; " RC ": check" },
		{ 2, CONF_CHECK_INHERIT, RC ": add " A " 256 down; " RC ": check; " RC ": ready" },
		{ 4, CONF_CHECK_GRPC, RC ": add " A " 256 down; " RC ": check; " RC ": ready" },
		{ 0, CONF_CHECK_OFF, RC ": add " A " 256; " RC ": ready" },
		{ 4, CONF_CHECK_OFF, RC ": add " A " 256; " RC ": ready" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(cases[i].minor);

		s.entry->policy.check.type = cases[i].check;
		check_steps(&s, cases[i].steps);
	}
}

static void
a_server_goes_on_from_how_it_stands(void **state)
{
	static const struct {
		enum actual_admin admin;
		enum actual_check check;
		const char *last, *steps;
	} cases[] = {
		{ ACTUAL_MAINT, ACTUAL_UNCHECKED, "", RC ": check" },
		{ ACTUAL_MAINT, ACTUAL_CHECK_PENDING, "INI", "" },
		{ ACTUAL_MAINT, ACTUAL_CHECK_FAILED, "L4CON", "" },
		{ ACTUAL_MAINT, ACTUAL_CHECK_PASSED, "L4OK", RC ": ready" },
		{ ACTUAL_MAINT, ACTUAL_CHECK_PENDING, "", RC ": join" }, /* it has been out before */
		{ ACTUAL_DRAIN, ACTUAL_CHECK_PENDING, "L4OK", "" },
		{ ACTUAL_DRAIN, ACTUAL_CHECK_PASSED, "L4OK", RC ": ready" },
		{ ACTUAL_READY, ACTUAL_CHECK_FAILED, "L4CON", "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases) * 2; i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(i % 2 == 0 ? 0 : 4);
		struct actual_server *v = there(&s, RC, cases[i / 2].admin, A);

		v->check = cases[i / 2].check;
		v->last_check = str_from_cstr(cases[i / 2].last);
		check_steps(&s, cases[i / 2].steps);
	}
}

/* Its check runs in maintenance, and has not told anything yet. */
static void
a_server_whose_first_check_is_under_way_is_waited_for(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct actual_server *v = there(&s, RC, ACTUAL_MAINT, A);

	(void)state;
	v->check = ACTUAL_CHECK_PENDING;
	v->check_running = true;
	check_steps(&s, "");
}

static void
one_that_is_ejected_before_its_first_check_does_not_join(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(2);
	struct actual_server *v = there(&s, RC, ACTUAL_READY, A);

	(void)state;
	v->up = false;
	v->check = ACTUAL_CHECK_PENDING;
	assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].servers[0].state, PLAN_STATE_JOINING);
	v->has_agent_line = v->has_agent = v->agent_down = true;
	assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].servers[0].state, PLAN_STATE_EJECTED);
}

/* With `fall 1` the full count is there from the beginning, beside a check of long ago. */
static void
a_count_that_was_full_at_once_proves_nothing(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct actual_server *v = there(&s, RC, ACTUAL_DRAIN, A);
	struct plan_memory memory;
	struct plan *p;

	(void)state;
	v->shows_full_at_once = true;
	v->check = ACTUAL_CHECK_PASSED;
	v->up = true;
	p = world_plan(s.w, 0, NULL);
	assert_string_equal(world_steps(s.w, p), RC ": gate");
	memory = p->memory;
	p = world_plan(s.w, 0, &memory); /* the command did not get there */
	assert_string_equal(world_steps(s.w, p), RC ": gate");
	v->up = false;
	v->check = ACTUAL_CHECK_PENDING;
	p = world_plan(s.w, 0, &memory);
	assert_string_equal(world_steps(s.w, p), "");
	memory = p->memory;
	v->up = true;
	v->check = ACTUAL_CHECK_PASSED;
	p = world_plan(s.w, 0, &memory);
	assert_string_equal(world_steps(s.w, p), RC ": ready");
}

static void
who_served_under_the_process_before_needs_no_gate(void **state)
{
	static const struct {
		enum applied_intent intent;
		const char *at, *steps;
	} cases[] = {
		{ APPLIED_SERVING, A, RC ": add " A " 256; " RC ": check; " RC ": ready" },
		{ APPLIED_SERVING, B, RC ": add " A " 256 down; " RC ": check; " RC ": ready" },
		{ APPLIED_DRAINING, A, RC ": add " A " 256 down; " RC ": check; " RC ": ready" },
		{ APPLIED_JOINING, A, RC ": add " A " 256 down; " RC ": check; " RC ": ready" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(4);
		struct applied_server *then = world_former(s.w, "grpc", RC, cases[i].at);

		world_applied_for(s.w, then, "a");
		then->intent = cases[i].intent;
		check_steps(&s, cases[i].steps);
	}
}

static void
a_slot_is_trusted_likewise(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);

	(void)state;
	world_slots(s.w, s.b, 1);
	world_applied_for(s.w, world_former(s.w, "grpc", "rc_9", A), "a");
	check_steps(&s, "rc_1: address " A "; rc_1: weight 256; rc_1: ready");
}

static void
who_fails_its_check_is_trusted_no_more(void **state)
{
	static const struct {
		enum actual_admin admin;
		enum actual_check check;
		const char *steps;
	} cases[] = {
		{ ACTUAL_MAINT, ACTUAL_CHECK_PENDING, "rc_1: weight 256; rc_1: ready" },
		{ ACTUAL_MAINT, ACTUAL_CHECK_FAILED, "rc_1: weight 256; rc_1: join" },
		{ ACTUAL_DRAIN, ACTUAL_CHECK_PENDING, "rc_1: ready" },
		{ ACTUAL_DRAIN, ACTUAL_CHECK_FAILED, "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(0);

		there(&s, "rc_1", cases[i].admin, A)->check = cases[i].check;
		world_applied_for(s.w, world_former(s.w, "grpc", "rc_1", A), "a");
		check_steps(&s, cases[i].steps);
	}
}

static void
forget(struct roster_task *t)
{
	t->listed = false;
	t->missing = 2;
}

static void
unlist(struct roster_task *t)
{
	t->listed = false;
}

static void
stop(struct roster_task *t)
{
	t->last_status = t->desired_status = ROSTER_STOPPED;
}

static void
a_reload_is_no_evidence_against_who_served(void **state)
{
	static const struct {
		void (*happens)(struct roster_task *t);
		enum applied_intent intent;
		bool is_first; /* plan of this process */
		const char *steps;
	} cases[] = {
		{ unlist, APPLIED_SERVING, true, RC ": add " A " 77; " RC ": check; " RC ": ready" },
		{ forget, APPLIED_SERVING, true, RC ": add " A " 77; " RC ": check; " RC ": ready" },
		{ forget, APPLIED_DRAINING, true, "" },
		{ forget, APPLIED_SERVING, false, "" },
		{ stop, APPLIED_SERVING, true, "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(4);
		struct applied_server *then = world_former(s.w, "grpc", RC, A);

		cases[i].happens(s.task);
		world_applied_for(s.w, then, "a");
		then->intent = cases[i].intent;
		then->auto_weight = 77;
		world_rules(s.w)->brings_back = cases[i].is_first;
		check_steps(&s, cases[i].steps);
	}
}

static void
one_name_is_given_once(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(4);
	const struct plan *p;

	(void)state;
	(void)world_cluster(s.w, "eu", "blue");
	(void)world_task(s.w, "a", ROSTER_RUNNING, "10.0.0.2");
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 3);
	assert_int_equal(p->backends[0].n_unplaced, 1);
	(void)there(&s, RC, ACTUAL_READY, B);
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_str(p->backends[0].unplaced[0]->address, "10.0.0.1");
}

static void
a_ca_is_loaded_once_before_the_first_that_names_it(void **state)
{
	static const struct plan_ca cas[] = { { .path = { "/ca.pem", 7 }, .name = { "ca-1", 4 }, .pem = { "x", 1 } } };
	static const struct str loaded[] = { { "ca-1", 4 } };
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	const struct plan *p;

	(void)state;
	s.entry->policy.tls = true;
	s.entry->policy.tls_ca_file = STR("/ca.pem");
	(void)world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->backends[0].n_unplaced, 2);
	assert_str(p->backends[0].missing_ca, "/ca.pem");
	world_rules(s.w)->cas = cas;
	world_rules(s.w)->n_cas = 1;
	check_steps(
	    &s, "ca-1: ca; " RC ": add " A " 256; " RC ": check; rc_b_app_50051: add " B " 256; rc_b_app_50051: check");
	world_haproxy(s.w)->cas = loaded;
	world_haproxy(s.w)->n_cas = 1;
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 4);
	assert_ptr_equal(p->steps[0].ca, &cas[0]);
}

/* ---- leaving ---- */

static void
a_server_leaves_by_maintenance_and_is_deleted_without_streams(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct actual_server *v = there(&s, RC, ACTUAL_READY, A);

	(void)state;
	s.task->last_status = ROSTER_STOPPING;
	s.task->desired_status = ROSTER_STOPPED;
	v->sessions = 2;
	check_steps(&s, RC ": maint (stopping)");
	v->admin = ACTUAL_MAINT;
	v->up = false;
	check_steps(&s, "");
	s.task->last_status = ROSTER_STOPPED;
	check_steps(&s, RC ": shutdown (stopped)");
	v->sessions = 0;
	v->queued = 1;
	check_steps(&s, "");
	v->queued = 0;
	check_steps(&s, RC ": delete (stopped)");
}

static void
a_server_of_a_forgotten_name_is_replaced_by_who_has_its_address(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct actual_server *v = there(&s, "rc_gone_app_50051", ACTUAL_READY, A);
	struct plan *p;

	(void)state;
	p = world_plan(s.w, 0, NULL);
	assert_string_equal(
	    world_steps(s.w, p), RC ": add " A " 256; " RC ": check; rc_gone_app_50051: maint (replaced)");
	assert_int_equal(plan_guard(world_rules(s.w), p, NULL), ERR_OK);
	assert_string_equal(world_steps(s.w, p), RC ": add " A " 256; " RC ": check"); /* the last one waits */
	(void)there(&s, RC, ACTUAL_READY, A);
	v->admin = ACTUAL_MAINT;
	v->sessions = 1;
	assert_int_equal(world_plan(s.w, INT64_C(1000000000), NULL)->n_steps, 0); /* its streams run on */
}

/* Nobody runs where its streams go. */
static void
a_server_at_an_old_address_loses_its_streams_once_another_serves(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct plan_memory memory;
	struct plan *p;

	(void)state;
	(void)there(&s, "rc_1", ACTUAL_READY, A);
	there(&s, RC, ACTUAL_MAINT, C)->sessions = 2;
	p = world_plan(s.w, 0, NULL);
	assert_string_equal(world_steps(s.w, p), "");
	memory = p->memory;
	assert_string_equal(world_steps(s.w, world_plan(s.w, 30000, &memory)), RC ": shutdown (replaced)");
}

static void
what_nothing_explains_is_left_alone_but_for_what_had_begun(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct actual_server *v = there(&s, "rc_gone_app_50051", ACTUAL_READY, C);
	struct applied_server *known;

	(void)state;
	(void)there(&s, RC, ACTUAL_READY, A);
	check_steps(&s, "");
	known = world_applied(s.w, "grpc", "rc_gone_app_50051", C);
	check_steps(&s, "");
	known->intent = APPLIED_DRAINING;
	known->evidence = EVIDENCE_UNHEALTHY;
	known->is_confirmed = false;
	check_steps(&s, "");
	known->evidence = EVIDENCE_STOPPING;
	check_steps(&s, "rc_gone_app_50051: maint (stopping)");
	known->is_confirmed = true; /* it was in maintenance: somebody else brought it back */
	check_steps(&s, "");
	v->admin = ACTUAL_MAINT;
	check_steps(&s, "rc_gone_app_50051: delete (stopping)");
}

/* ---- other settings ---- */

static struct applied_server *
stale(struct scene *s, const char *server, const char *at)
{
	struct applied_server *known = world_applied(s->w, "grpc", server, at);

	known->spec = 1;
	return known;
}

static void
other_settings_are_taken_up_one_at_a_time(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(4);
	struct actual_server *a = there(&s, RC, ACTUAL_READY, A), *b = there(&s, "rc_b_app_50051", ACTUAL_READY, B);

	(void)state;
	(void)world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
	(void)stale(&s, RC, A);
	(void)stale(&s, "rc_b_app_50051", B);
	check_steps(&s, RC ": maint (settings)");
	a->admin = ACTUAL_MAINT;
	a->up = false;
	a->sessions = 1;
	check_steps(&s, ""); /* drains; the other one waits */
	a->sessions = 0;
	check_steps(&s, RC ": delete (settings)");
	b->up = false; /* HAProxy's checks took it out: nothing is lost */
	b->check = ACTUAL_CHECK_FAILED;
	check_steps(&s, "rc_b_app_50051: maint (settings); " RC ": delete (settings)");
}

static void
of_three_with_other_settings_one_goes(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(4);

	(void)state;
	(void)world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
	(void)world_task(s.w, "c", ROSTER_RUNNING, "10.0.0.3");
	(void)there(&s, RC, ACTUAL_READY, A);
	(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
	(void)there(&s, "rc_c_app_50051", ACTUAL_READY, C);
	(void)stale(&s, RC, A);
	(void)stale(&s, "rc_b_app_50051", B);
	(void)stale(&s, "rc_c_app_50051", C);
	check_steps(&s, RC ": maint (settings)");
}

static void
a_ca_that_holds_something_else_is_another_setting(void **state)
{
	static const struct plan_ca was[] = { { .path = { "/ca.pem", 7 }, .name = { "ca-1", 4 }, .pem = { "x", 1 } } };
	static const struct plan_ca now[] = { { .path = { "/ca.pem", 7 }, .name = { "ca-2", 4 }, .pem = { "y", 1 } } };
	struct scene s CLEANUP(scene_end_at) = scene_new(4);
	uint64_t spec;

	(void)state;
	s.entry->policy.tls = true;
	s.entry->policy.tls_ca_file = STR("/ca.pem");
	world_rules(s.w)->cas = was;
	world_rules(s.w)->n_cas = 1;
	spec = world_plan(s.w, 0, NULL)->steps[1].spec;
	(void)there(&s, RC, ACTUAL_READY, A);
	(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
	(void)world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
	stale(&s, RC, A)->spec = spec;
	stale(&s, "rc_b_app_50051", B)->spec = spec;
	check_steps(&s, "");
	world_rules(s.w)->cas = now;
	check_steps(&s, RC ": maint (settings)");
	world_rules(s.w)->n_cas = 0; /* it could not be read: nobody could come back */
	check_steps(&s, "");
}

static void
the_only_one_that_serves_keeps_its_settings(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(4);
	const struct plan *p;

	(void)state;
	(void)there(&s, RC, ACTUAL_READY, A);
	(void)stale(&s, RC, A);
	p = world_plan(s.w, 0, NULL);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->n_held, 1);
	assert_str(p->held[0].message, "task a has other settings now; kept as it is until another one serves");
	assert_true(p->backends[0].servers[0].is_stale);
}

static void
nobody_is_renewed_while_another_joins(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct actual_server *c;

	(void)state;
	(void)there(&s, RC, ACTUAL_READY, A);
	(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
	c = there(&s, "rc_c_app_50051", ACTUAL_MAINT, C);
	c->last_check = STR("INI");
	(void)world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
	(void)world_task(s.w, "c", ROSTER_RUNNING, "10.0.0.3");
	(void)stale(&s, RC, A);
	check_steps(&s, "");
	c->check = ACTUAL_CHECK_FAILED; /* who knows when it will */
	check_steps(&s, RC ": maint (settings)");
}

/* By its labels, or by an operator, and be it the one that has other settings: nobody would take calls. */
static void
nobody_is_renewed_beside_one_that_loses_its_weight(void **state)
{
	char arn[128];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(4);
		struct overlay_key key = key_of(i == 0 ? "b" : "a", 50051, arn);
		const char *tuned = i == 0 ? "rc_b_app_50051: weight 0" : RC ": weight 0";

		(void)there(&s, RC, ACTUAL_READY, A);
		(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
		(void)world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
		(void)stale(&s, RC, A);
		check_steps(&s, RC ": maint (settings)");
		assert_int_equal(
		    overlay_set_weight(world_overlay(s.w), &key, 0, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
		check_steps(&s, tuned);
	}
}

/* ---- the operator's hand ---- */

static void
a_hold_keeps_a_server_from_serving(void **state)
{
	static const struct {
		enum overlay_admin hold;
		bool is_there;
		enum actual_admin admin;
		const char *steps;
	} cases[] = {
		{ OVERLAY_DRAIN, true, ACTUAL_READY, RC ": drain (operator)" },
		{ OVERLAY_DRAIN, true, ACTUAL_DRAIN, "" },
		{ OVERLAY_DRAIN, true, ACTUAL_MAINT, RC ": join" },
		{ OVERLAY_DRAIN, false, ACTUAL_MAINT, RC ": add " A " 256 down; " RC ": check; " RC ": join" },
		{ OVERLAY_MAINT, true, ACTUAL_READY, RC ": maint (operator)" },
		{ OVERLAY_MAINT, true, ACTUAL_DRAIN, RC ": maint (operator)" },
		{ OVERLAY_MAINT, true, ACTUAL_MAINT, "" },
		{ OVERLAY_MAINT, false, ACTUAL_MAINT, RC ": add " A " 256 down" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(4);
		struct plan *p;

		if (cases[i].is_there)
			there(&s, RC, cases[i].admin, A)->check = ACTUAL_CHECK_PASSED;
		hold(&s, cases[i].hold);
		p = world_plan(s.w, 0, NULL);
		assert_int_equal(plan_guard(world_rules(s.w), p, NULL), ERR_OK);
		assert_string_equal(world_steps(s.w, p), cases[i].steps);
		if (cases[i].is_there)
			assert_int_equal(p->backends[0].servers[0].state, PLAN_STATE_HELD);
	}
}

static void
a_hold_stops_no_removal_on_proof(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);

	(void)state;
	(void)there(&s, RC, ACTUAL_DRAIN, A);
	hold(&s, OVERLAY_DRAIN);
	s.task->last_status = ROSTER_STOPPED;
	check_steps(&s, RC ": maint (stopped)");
}

static void
a_weight_of_the_operators_is_taken_as_it_is(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	char arn[128];
	struct overlay_key key = key_of("a", 50051, arn);

	(void)state;
	s.b->small_weights = true;
	(void)there(&s, RC, ACTUAL_READY, A);
	assert_int_equal(overlay_set_weight(world_overlay(s.w), &key, 77, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
	check_steps(&s, RC ": weight 77");
}

static void
a_paused_backend_is_touched_on_proof_only(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	const struct plan *p;

	(void)state;
	(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
	there(&s, "rc_c_app_50051", ACTUAL_READY, C)->weight = 1;
	(void)world_task(s.w, "b", ROSTER_STOPPED, "10.0.0.2");
	(void)world_task(s.w, "c", ROSTER_RUNNING, "10.0.0.3");
	assert_int_equal(overlay_pause(world_overlay(s.w), STR("grpc"), 1, 0, NULL), ERR_OK);
	p = world_plan(s.w, 0, NULL);
	assert_string_equal(world_steps(s.w, p), "rc_b_app_50051: maint (stopped)");
	assert_true(p->backends[0].is_paused);
	assert_int_equal(p->n_held, 1);
	assert_str(p->held[0].message, "the backend is paused by an operator: 2 changes wait until it is resumed");
}

/* ---- all of HAProxy ---- */

static void
a_haproxy_that_goes_down_gets_maintenance_only(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(4);

	(void)state;
	(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
	there(&s, "rc_c_app_50051", ACTUAL_READY, C)->weight = 1;
	(void)world_task(s.w, "b", ROSTER_STOPPED, "10.0.0.2");
	(void)world_task(s.w, "c", ROSTER_RUNNING, "10.0.0.3");
	world_haproxy(s.w)->stopping = true;
	check_steps(&s, "rc_b_app_50051: maint (stopped)");
}

static void
a_managed_backend_is_made_where_its_defaults_say_all(void **state)
{
	static const struct {
		unsigned minor;
		bool managed, may;
		bool says_balance;
		enum conf_check_type check;
		int64_t check_timeout_ms;
		bool is_made;
	} cases[] = {
		{ 4, true, true, false, CONF_CHECK_INHERIT, 1000, true },
		{ 4, true, true, false, CONF_CHECK_INHERIT, 999, false },
		{ 4, true, true, false, CONF_CHECK_OFF, 999, true },
		{ 4, true, true, false, CONF_CHECK_GRPC, 1000, false },
		{ 4, true, true, true, CONF_CHECK_INHERIT, 1000, false }, /* the defaults may say otherwise */
		{ 4, true, false, false, CONF_CHECK_INHERIT, 1000, false },
		{ 4, false, true, false, CONF_CHECK_INHERIT, 1000, false },
		{ 2, true, true, false, CONF_CHECK_INHERIT, 1000, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(cases[i].minor);

		s.b->exists = false;
		s.entry->managed = cases[i].managed;
		s.entry->policy.set = cases[i].says_balance ? UINT32_C(1) << CONF_POLICY_BALANCE : 0;
		s.entry->policy.check.timeout_ms = cases[i].check_timeout_ms;
		s.entry->policy.check.type = cases[i].check;
		world_rules(s.w)->may_add_backends = cases[i].may;
		world_rules(s.w)->defaults = STR("rollcall");
		check_steps(&s, cases[i].is_made ? "grpc: backend; grpc: publish" : "");
	}
}

static void
a_retired_backend_is_not_made_again(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(4);

	(void)state;
	s.entry->managed = true;
	s.entry->retired = true;
	world_rules(s.w)->may_add_backends = true;
	world_rules(s.w)->defaults = STR("rollcall");
	s.task->desired_status = ROSTER_STOPPED;
	s.b->exists = false;
	check_steps(&s, "");
	s.b->exists = true;
	s.b->is_unpublished = true;
	check_steps(&s, "");
}

static enum plan_fate
fate_at(void *arg, struct str backend)
{
	assert_true(str_eq(backend, STR("grpc")));
	return *(enum plan_fate *)arg;
}

static void
a_retired_backend_goes_after_its_servers_and_its_routes(void **state)
{
	static const struct {
		unsigned minor;
		enum plan_fate fate;
		bool may, unpublished, has_server;
		const char *steps;
		bool is_over;
	} cases[] = {
		{ 4, PLAN_FATE_GOES, true, false, false, "grpc: unpublish; grpc: delete backend", false },
		{ 4, PLAN_FATE_GOES, true, true, false, "grpc: delete backend", false },
		{ 4, PLAN_FATE_GOES, true, false, true, "", false },
		{ 4, PLAN_FATE_WAITS, true, false, false, "", false },
		{ 4, PLAN_FATE_WAITS, true, true, false, "", false },
		{ 4, PLAN_FATE_REMAINS, true, false, false, "", false },
		{ 4, PLAN_FATE_REMAINS, true, true, false, "grpc: publish", false },
		{ 4, PLAN_FATE_GOES, false, false, false, "", true },
		{ 2, PLAN_FATE_GOES, true, false, false, "", true },
		{ 2, PLAN_FATE_GOES, true, false, true, "", false },
		{ 2, PLAN_FATE_WAITS, true, false, false, "", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(cases[i].minor);
		enum plan_fate fate = cases[i].fate;

		s.entry->managed = true;
		s.entry->retired = true;
		s.entry->match.service = STR("");
		s.b->is_unpublished = cases[i].unpublished;
		if (cases[i].has_server)
			(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
		world_rules(s.w)->may_add_backends = cases[i].may;
		world_rules(s.w)->fate_of = fate_at;
		world_rules(s.w)->fate_arg = &fate;
		check_steps(&s, cases[i].steps);
		assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].is_over, cases[i].is_over);
	}
}

static void
keys_that_cannot_take_effect_are_named(void **state)
{
	const uint32_t check = UINT32_C(1) << CONF_POLICY_CHECK, proto = UINT32_C(1) << CONF_POLICY_PROTO;
	struct scene s CLEANUP(scene_end_at) = scene_new(4);

	(void)state;
	s.entry->policy.set = check | proto | UINT32_C(1) << CONF_POLICY_WEIGHT;
	assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].unheeded, 0);
	s.entry->policy.check.type = CONF_CHECK_HTTP;
	assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].unheeded, check);
	world_slots(s.w, s.b, 1);
	assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].unheeded, check | proto);
	s.entry->managed = true;
	assert_int_equal(world_plan(s.w, 0, NULL)->backends[0].unheeded, 0);
}

static struct plan *
guarded(struct scene *s, int64_t now_ms, const struct plan_memory *memory)
{
	struct plan *p = world_plan(s->w, now_ms, memory);

	assert_int_equal(plan_guard(world_rules(s->w), p, NULL), ERR_OK);
	return p;
}

/* The guard keeps the last one that takes calls only so long: as its streams may run, but
 * no shorter than ECS's own 30 s, and no longer than five minutes. */
static void
a_task_that_stops_waits_for_others_no_longer_than_it_may(void **state)
{
	static const struct {
		int64_t drain_ms, wait_ms;
	} cases[] = { { CONF_DRAIN_AUTO, 30000 }, { 5000, 30000 }, { 60000, 60000 }, { 600000, 300000 } };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct scene s CLEANUP(scene_end_at) = scene_new(0);
		struct plan_memory memory;
		struct plan *p;

		s.entry->policy.drain_timeout_ms = cases[i].drain_ms;
		(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
		there(&s, RC, ACTUAL_MAINT, A)->last_check = STR("INI");
		(void)world_task(s.w, "b", ROSTER_STOPPING, "10.0.0.2");
		p = guarded(&s, 1000, NULL);
		assert_string_equal(world_steps(s.w, p), "");
		assert_int_equal(p->next_ms, 1000 + cases[i].wait_ms);
		memory = p->memory;
		p = guarded(&s, 1000 + cases[i].wait_ms, &memory);
		assert_string_equal(world_steps(s.w, p), "rc_b_app_50051: maint (stopping)");
	}
}

static void
the_wait_begins_when_the_task_stops_whatever_was_said_of_it_before(void **state)
{
	struct scene s CLEANUP(scene_end_at) = scene_new(0);
	struct roster_task *b = world_task(s.w, "b", ROSTER_RUNNING, "10.0.0.2");
	struct plan_memory memory;
	struct plan *p;

	(void)state;
	(void)there(&s, "rc_b_app_50051", ACTUAL_READY, B);
	there(&s, RC, ACTUAL_MAINT, A)->last_check = STR("INI");
	b->health = ROSTER_UNHEALTHY;
	p = guarded(&s, 1000, NULL);
	assert_string_equal(world_steps(s.w, p), ""); /* the last one */
	b->last_status = ROSTER_STOPPING;
	b->desired_status = ROSTER_STOPPED;
	memory = p->memory;
	p = guarded(&s, 31000, &memory);
	assert_string_equal(world_steps(s.w, p), "");
	assert_int_equal(p->next_ms, 61000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_is_added_as_its_version_can_gate_it),
		cmocka_unit_test(a_server_goes_on_from_how_it_stands),
		cmocka_unit_test(a_server_whose_first_check_is_under_way_is_waited_for),
		cmocka_unit_test(one_that_is_ejected_before_its_first_check_does_not_join),
		cmocka_unit_test(a_count_that_was_full_at_once_proves_nothing),
		cmocka_unit_test(who_served_under_the_process_before_needs_no_gate),
		cmocka_unit_test(a_slot_is_trusted_likewise),
		cmocka_unit_test(who_fails_its_check_is_trusted_no_more),
		cmocka_unit_test(a_reload_is_no_evidence_against_who_served),
		cmocka_unit_test(one_name_is_given_once),
		cmocka_unit_test(a_ca_is_loaded_once_before_the_first_that_names_it),
		cmocka_unit_test(a_server_leaves_by_maintenance_and_is_deleted_without_streams),
		cmocka_unit_test(a_server_of_a_forgotten_name_is_replaced_by_who_has_its_address),
		cmocka_unit_test(a_server_at_an_old_address_loses_its_streams_once_another_serves),
		cmocka_unit_test(what_nothing_explains_is_left_alone_but_for_what_had_begun),
		cmocka_unit_test(other_settings_are_taken_up_one_at_a_time),
		cmocka_unit_test(of_three_with_other_settings_one_goes),
		cmocka_unit_test(a_ca_that_holds_something_else_is_another_setting),
		cmocka_unit_test(the_only_one_that_serves_keeps_its_settings),
		cmocka_unit_test(nobody_is_renewed_while_another_joins),
		cmocka_unit_test(nobody_is_renewed_beside_one_that_loses_its_weight),
		cmocka_unit_test(a_hold_keeps_a_server_from_serving),
		cmocka_unit_test(a_hold_stops_no_removal_on_proof),
		cmocka_unit_test(a_weight_of_the_operators_is_taken_as_it_is),
		cmocka_unit_test(a_paused_backend_is_touched_on_proof_only),
		cmocka_unit_test(a_haproxy_that_goes_down_gets_maintenance_only),
		cmocka_unit_test(a_managed_backend_is_made_where_its_defaults_say_all),
		cmocka_unit_test(a_retired_backend_is_not_made_again),
		cmocka_unit_test(a_retired_backend_goes_after_its_servers_and_its_routes),
		cmocka_unit_test(keys_that_cannot_take_effect_are_named),
		cmocka_unit_test(a_task_that_stops_waits_for_others_no_longer_than_it_may),
		cmocka_unit_test(the_wait_begins_when_the_task_stops_whatever_was_said_of_it_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
