/* No removal without evidence, and the model of HAProxy that tests believe in. */
#include "config.h"

#include "plan/plan.h"
#include "plan_apply.h"
#include "unit.h"
#include "worlds.h"

#define A "10.0.0.1:50051"

static const struct plan_rules rules = { .now_ms = 0 };

static struct actual_backend *
grpc(struct world *w)
{
	(void)world_entry(w, "grpc", "*", 50051);
	return world_backend(w, "grpc");
}

/* ---- the guard ---- */

static void
only_proof_takes_a_server_away(void **state)
{
	static const struct {
		enum evidence evidence;
		bool goes;
		const char *message;
	} cases[] = {
		{ EVIDENCE_STOPPING, true, "" },
		{ EVIDENCE_STOPPED, true, "" },
		{ EVIDENCE_REPLACED, true, "" },
		{ EVIDENCE_NONE, false, "task a may still run; kept" },
		{ EVIDENCE_RUNNING, false, "task a may still run; kept" },
	};
	static const enum plan_step_kind removals[] = { PLAN_MAINT, PLAN_SHUTDOWN };
	const struct roster_task task = { .id = STR("a") };
	const struct desired_server why = { .task = &task };

	(void)state;
	for (size_t i = 0; i < N_OF(cases) * 2; i++) {
		struct arena *a CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
		const struct plan_step step = { .kind = removals[i % 2],
			.backend = STR("grpc"),
			.server = STR("rc_1"),
			.evidence = cases[i / 2].evidence,
			.why = &why };
		struct plan p = { .steps = &step, .n_steps = 1, .arena = a };

		assert_int_equal(plan_guard(&rules, &p, NULL), ERR_OK);
		assert_int_equal(p.n_steps, cases[i / 2].goes ? 1 : 0);
		assert_int_equal(p.n_held, cases[i / 2].goes ? 0 : 1);
		if (p.n_held == 1) {
			assert_str(p.held[0].message, cases[i / 2].message);
			assert_str(p.held[0].server, "rc_1");
			assert_int_equal(p.held[0].evidence, cases[i / 2].evidence);
		}
	}
}

static void
a_removal_that_no_candidate_explains_is_held_whatever_it_says(void **state)
{
	const struct plan_step step = { .kind = PLAN_MAINT, .evidence = EVIDENCE_STOPPED };
	struct arena *a CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct plan p = { .steps = &step, .n_steps = 1, .arena = a };

	(void)state;
	assert_int_equal(plan_guard(&rules, &p, NULL), ERR_OK);
	assert_int_equal(p.n_steps, 0);
	assert_str(p.held[0].message, "task unknown may still run; kept");
}

static void
what_adds_goes_on_and_keeps_its_order(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = grpc(w);
	struct plan *p;

	(void)state;
	(void)world_server(w, b, "rc_1", ACTUAL_READY, "");
	(void)world_server(w, b, "rc_2", ACTUAL_READY, A);
	(void)world_server(w, b, "rc_3", ACTUAL_READY, "10.0.0.3:50051");
	world_server(w, b, "rc_4", ACTUAL_DRAIN, "10.0.0.4:50051")->check = ACTUAL_CHECK_PASSED;
	world_task(w, "a", ROSTER_RUNNING, "10.0.0.1")->health = ROSTER_UNHEALTHY;
	(void)world_task(w, "c", ROSTER_STOPPED, "10.0.0.3");
	(void)world_task(w, "d", ROSTER_RUNNING, "10.0.0.4");
	(void)world_task(w, "e", ROSTER_RUNNING, "10.0.0.5");
	p = world_plan(w, 0, NULL);
	assert_int_equal(plan_guard(&rules, p, NULL), ERR_OK);
	assert_string_equal(world_steps(w, p),
	    "rc_1: maint (vacant); rc_1: address 10.0.0.5:50051; rc_1: weight 256; rc_1: join; rc_4: ready; "
	    "rc_3: maint (stopped)");
	assert_int_equal(p->n_held, 1);
	assert_str(p->held[0].server, "rc_2");
	assert_int_equal(plan_guard(&rules, p, NULL), ERR_OK); /* again: nothing more to hold */
	assert_int_equal(p->n_held, 1);
	assert_int_equal(p->n_steps, 6);
}

/* ---- make before break ---- */

/* A deploy of two tasks that came all at once: a and b stop, c and d begin. */
static struct world *
world_of_a_deploy(struct actual_server **ret_c, enum roster_status ends)
{
	struct world *w = world_new();
	struct actual_backend *b = grpc(w);

	(void)world_server(w, b, "rc_1", ACTUAL_READY, "10.0.0.1:50051");
	(void)world_server(w, b, "rc_2", ACTUAL_READY, "10.0.0.2:50051");
	*ret_c = world_server(w, b, "rc_3", ACTUAL_DRAIN, "10.0.0.3:50051");
	(*ret_c)->check = ACTUAL_CHECK_PENDING;
	world_server(w, b, "rc_4", ACTUAL_DRAIN, "10.0.0.4:50051")->check = ACTUAL_CHECK_PENDING;
	(void)world_task(w, "a", ends, "10.0.0.1");
	(void)world_task(w, "b", ends, "10.0.0.2");
	(void)world_task(w, "c", ROSTER_RUNNING, "10.0.0.3");
	(void)world_task(w, "d", ROSTER_RUNNING, "10.0.0.4");
	return w;
}

static const char *
guarded(struct world *w)
{
	struct plan *p = world_plan(w, 0, NULL);

	assert_int_equal(plan_guard(&rules, p, NULL), ERR_OK);
	return world_steps(w, p);
}

static void
the_last_that_serve_wait_for_those_that_join(void **state)
{
	struct actual_server *c;
	struct world *w CLEANUP(world_free_at) = world_of_a_deploy(&c, ROSTER_STOPPING);

	(void)state;
	assert_string_equal(guarded(w), "rc_1: maint (stopping)");
}

static void
they_go_once_one_has_joined(void **state)
{
	struct actual_server *c;
	struct world *w CLEANUP(world_free_at) = world_of_a_deploy(&c, ROSTER_STOPPING);

	(void)state;
	c->admin = ACTUAL_READY;
	c->up = true;
	c->check = ACTUAL_CHECK_PASSED;
	assert_string_equal(guarded(w), "rc_1: maint (stopping); rc_2: maint (stopping)");
}

static void
a_task_that_is_gone_does_not_wait(void **state)
{
	struct actual_server *c;
	struct world *w CLEANUP(world_free_at) = world_of_a_deploy(&c, ROSTER_STOPPED);

	(void)state;
	assert_string_equal(guarded(w), "rc_1: maint (stopped); rc_2: maint (stopped)");
}

static void
nobody_waits_for_a_task_whose_check_fails(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = grpc(w);

	(void)state;
	(void)world_server(w, b, "rc_1", ACTUAL_READY, "10.0.0.1:50051");
	world_server(w, b, "rc_2", ACTUAL_DRAIN, "10.0.0.2:50051")->check = ACTUAL_CHECK_FAILED;
	(void)world_task(w, "a", ROSTER_STOPPING, "10.0.0.1");
	(void)world_task(w, "b", ROSTER_RUNNING, "10.0.0.2");
	assert_string_equal(guarded(w), "rc_1: maint (stopping)");
}

static struct overlay_key
key_of(const struct roster_task *t)
{
	return (
	    struct overlay_key){ .backend = STR("grpc"), .task_arn = t->arn, .container = STR("app"), .port = 50051 };
}

static void
nobody_waits_for_a_task_that_an_operator_keeps_out(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = grpc(w);
	struct overlay_key key;

	(void)state;
	(void)world_server(w, b, "rc_1", ACTUAL_READY, A);
	(void)world_server(w, b, "rc_2", ACTUAL_MAINT, "");
	(void)world_task(w, "a", ROSTER_STOPPING, "10.0.0.1");
	key = key_of(world_task(w, "b", ROSTER_RUNNING, "10.0.0.2"));
	assert_int_equal(
	    overlay_set_admin(world_overlay(w), &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
	assert_string_equal(
	    guarded(w), "rc_2: address 10.0.0.2:50051; rc_2: weight 256; rc_2: join; rc_1: maint (stopping)");
}

/* A hand on its weight hides whether it joins. */
static void
one_whose_weight_is_held_is_waited_for_if_it_comes(void **state)
{
	static const struct {
		const char *what;
		enum actual_admin admin;
		enum actual_check check;
		unsigned weight;
		bool is_awaited;
	} cases[] = {
		{ "joins", ACTUAL_DRAIN, ACTUAL_CHECK_PENDING, 10, true },
		{ "joins, and gets no call", ACTUAL_DRAIN, ACTUAL_CHECK_PENDING, 0, false },
		{ "is down", ACTUAL_READY, ACTUAL_CHECK_PASSED, 10, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct actual_backend *b = grpc(w);
		struct actual_server *s;
		struct overlay_key key;

		(void)world_server(w, b, "rc_1", ACTUAL_READY, A);
		s = world_server(w, b, "rc_2", cases[i].admin, "10.0.0.2:50051");
		s->up = false;
		s->check = cases[i].check;
		s->weight = cases[i].weight;
		(void)world_task(w, "a", ROSTER_STOPPING, "10.0.0.1");
		key = key_of(world_task(w, "b", ROSTER_RUNNING, "10.0.0.2"));
		assert_int_equal(
		    overlay_set_weight(world_overlay(w), &key, cases[i].weight, OVERLAY_BY_ROLLCALL, 1, 0, NULL),
		    ERR_OK);
		CHECK_ROW(
		    strcmp(guarded(w), cases[i].is_awaited ? "" : "rc_1: maint (stopping)") == 0, i, cases[i].what);
	}
}

/* Those that join stay where they are until it is resumed. */
static void
nobody_waits_in_a_paused_backend(void **state)
{
	struct actual_server *c;
	struct world *w CLEANUP(world_free_at) = world_of_a_deploy(&c, ROSTER_STOPPING);

	(void)state;
	assert_int_equal(overlay_pause(world_overlay(w), STR("grpc"), 1, 0, NULL), ERR_OK);
	assert_string_equal(guarded(w), "rc_1: maint (stopping); rc_2: maint (stopping)");
}

/* Four that stop, in slots 1 to 4; as many begin. */
static struct actual_backend *
four_for_four(struct world *w, unsigned keep_percent)
{
	struct conf_backend *entry = world_entry(w, "grpc", "rng", 0);
	struct actual_backend *b = world_backend(w, "grpc");

	entry->policy.outlier.panic_threshold_percent = keep_percent;
	for (unsigned i = 1; i <= 4; i++) {
		char name[16], at[32], address[16], old[2] = { (char)('a' + i), '\0' },
						    new[2] = { (char)('p' + i), '\0' };

		(void)snprintf(name, sizeof(name), "rc_%u", i);
		(void)snprintf(address, sizeof(address), "10.0.0.%u", i);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i);
		(void)world_server(w, b, name, ACTUAL_READY, at);
		(void)world_task(w, old, ROSTER_STOPPING, address);
		(void)snprintf(address, sizeof(address), "10.0.1.%u", i);
		(void)world_task(w, new, ROSTER_RUNNING, address);
	}
	return b;
}

static void
the_share_to_keep_is_the_panic_threshold(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct plan *p;

	(void)state;
	world_slots(w, four_for_four(w, 50), 8);
	p = world_plan(w, 0, NULL);
	assert_int_equal(plan_guard(&rules, p, NULL), ERR_OK);
	assert_int_equal(p->n_held, 2); /* of four that are to serve, two stay */
	assert_non_null(strstr(p->held[0].message.ptr, "is stopping; kept in service until a task that joins"));
}

/* Every slot is taken: those who begin can only have the places of those who end. */
static void
where_slots_are_used_up_some_serve_on_while_others_make_room(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();

	(void)state;
	(void)four_for_four(w, 50);
	assert_string_equal(guarded(w), "rc_1: maint (stopping); rc_2: maint (stopping)");
}

static void
one_makes_room_even_if_all_should_stay(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();

	(void)state;
	(void)four_for_four(w, 100);
	assert_string_equal(guarded(w), "rc_1: maint (stopping)");
}

static void
a_slot_that_still_drains_makes_room_enough(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = four_for_four(w, 100);

	(void)state;
	world_server(w, b, "rc_5", ACTUAL_MAINT, "10.0.0.5:50051")->sessions = 1;
	(void)world_task(w, "z", ROSTER_STOPPING, "10.0.0.5");
	assert_string_equal(guarded(w), "");
}

static void
tasks_that_wait_for_more_slots_keep_nobody_in_service(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct conf_backend *entry = world_entry(w, "grpc", "*", 50051);
	struct actual_backend *b = world_backend(w, "grpc");

	(void)state;
	entry->policy.outlier.panic_threshold_percent = 50;
	for (unsigned i = 1; i <= 10; i++) {
		char id[16], name[16], ip[32], at[32];

		(void)snprintf(id, sizeof(id), "task%u", i);
		(void)snprintf(name, sizeof(name), "rc_%u", i);
		(void)snprintf(ip, sizeof(ip), "10.0.0.%u", i);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i);
		(void)world_task(w, id, i > 2 && i <= 4 ? ROSTER_STOPPING : ROSTER_RUNNING, ip);
		if (i <= 4)
			(void)world_server(w, b, name, ACTUAL_READY, at);
	}
	assert_string_equal(guarded(w), "rc_3: maint (stopping); rc_4: maint (stopping)");
}

/* HAProxy's checks took rc_1 out already: nobody calls it, so nothing is lost by its
 * going, and there are as many as before. */
static void
a_server_that_is_down_does_not_count(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = grpc(w);

	(void)state;
	world_server(w, b, "rc_1", ACTUAL_READY, "10.0.0.1:50051")->up = false;
	(void)world_server(w, b, "rc_2", ACTUAL_READY, "10.0.0.2:50051");
	(void)world_server(w, b, "rc_3", ACTUAL_READY, "10.0.0.3:50051");
	world_server(w, b, "rc_4", ACTUAL_DRAIN, "10.0.0.4:50051")->check = ACTUAL_CHECK_PENDING;
	(void)world_task(w, "a", ROSTER_STOPPING, "10.0.0.1");
	(void)world_task(w, "b", ROSTER_STOPPING, "10.0.0.2");
	(void)world_task(w, "c", ROSTER_STOPPING, "10.0.0.3");
	(void)world_task(w, "d", ROSTER_RUNNING, "10.0.0.4");
	assert_string_equal(guarded(w), "rc_1: maint (stopping); rc_2: maint (stopping)");
}

/* The planner begins no such renewal; the guard would not let it pass. */
static void
the_last_that_takes_calls_does_not_go_for_other_settings(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = grpc(w);
	struct plan_step step = { .kind = PLAN_MAINT, .backend = STR("grpc"), .is_respec = true, .takes_calls = true };
	struct plan *p;

	(void)state;
	world_version(w, 3, 0);
	(void)world_server(w, b, "rc_a_app_50051", ACTUAL_READY, A);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	for (size_t n = 1; n <= 2; n++) {
		p = world_plan(w, 0, NULL);
		step.server = p->backends[0].servers[0].actual->name;
		step.why = p->backends[0].servers[0].desired;
		p->steps = &step;
		p->n_steps = 1;
		assert_int_equal(plan_guard(&rules, p, NULL), ERR_OK);
		assert_int_equal(p->n_steps, n - 1);
		(void)world_server(w, b, "rc_b_app_50051", ACTUAL_READY, "10.0.0.2:50051");
		(void)world_task(w, "b", ROSTER_RUNNING, "10.0.0.2");
	}
}

/* ---- the model ---- */

static enum err_code
apply(struct world *w, const struct actual *to, struct plan_step step, struct actual **ret)
{
	const struct plan p = { .steps = &step, .n_steps = 1 };

	(void)w;
	step.backend = STR("grpc");
	return plan_apply(&p, to, ret, NULL);
}

static void
the_model_refuses_what_breaks_a_law(void **state)
{
	const struct {
		const char *what;
		struct plan_step step;
		enum err_code code;
	} cases[] = {
#define AT .address = STR("10.0.0.9"), .port = 1
		{ "free", { .kind = PLAN_ADDRESS, .server = STR("rc_1"), AT }, ERR_OK },
		{ "busy", { .kind = PLAN_ADDRESS, .server = STR("rc_2"), AT }, ERR_REFUSED },
		{ "serving", { .kind = PLAN_ADDRESS, .server = STR("rc_3"), AT }, ERR_REFUSED },
		{ "no port", { .kind = PLAN_ADDRESS, .server = STR("rc_1"), .address = STR("10.0.0.9") }, ERR_REFUSED },
		{ "not there", { .kind = PLAN_READY, .server = STR("rc_9") }, ERR_REFUSED },
		{ "not ours", { .kind = PLAN_MAINT, .server = STR("mine") }, ERR_REFUSED },
		{ "nothing to serve", { .kind = PLAN_READY, .server = STR("rc_1") }, ERR_REFUSED },
		{ "heavy", { .kind = PLAN_WEIGHT, .server = STR("rc_3"), .value = 257 }, ERR_REFUSED },
		{ "heaviest", { .kind = PLAN_WEIGHT, .server = STR("rc_3"), .value = 256 }, ERR_OK },
#undef AT
	};
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual_backend *b = grpc(w);
	const struct actual *to;

	(void)state;
	(void)world_server(w, b, "rc_1", ACTUAL_MAINT, "");
	world_server(w, b, "rc_2", ACTUAL_MAINT, A)->sessions = 1;
	(void)world_server(w, b, "rc_3", ACTUAL_READY, A);
	(void)world_server(w, b, "mine", ACTUAL_READY, A);
	to = world_actual(w);
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct actual *after CLEANUP(actual_free_at) = NULL;

		CHECK_ROW(apply(w, to, cases[i].step, &after) == cases[i].code, i, cases[i].what);
	}
}

static void
a_check_passes_one_application_after_it_began(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual *joined CLEANUP(actual_free_at) = NULL;
	struct actual *passed CLEANUP(actual_free_at) = NULL;
	struct actual_backend *b = grpc(w);

	(void)state;
	world_server(w, b, "rc_1", ACTUAL_MAINT, A)->check = ACTUAL_CHECK_PASSED; /* of its last task */
	assert_int_equal(
	    apply(w, world_actual(w), (struct plan_step){ .kind = PLAN_JOIN, .server = STR("rc_1") }, &joined), ERR_OK);
	assert_int_equal(joined->backends[0].servers[0].check, ACTUAL_CHECK_PENDING);
	assert_str(joined->backends[0].servers[0].status, "DRAIN 1/2");
	assert_int_equal(
	    apply(w, joined, (struct plan_step){ .kind = PLAN_READY, .server = STR("rc_1") }, &passed), ERR_OK);
	assert_int_equal(passed->backends[0].servers[0].check, ACTUAL_CHECK_PASSED);
	assert_true(passed->backends[0].servers[0].up);
	assert_str(passed->backends[0].servers[0].status, "UP");
}

static void
maintenance_keeps_sessions_and_shutdown_ends_them(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct actual *maint CLEANUP(actual_free_at) = NULL;
	struct actual *shut CLEANUP(actual_free_at) = NULL;
	struct actual_backend *b = grpc(w);

	(void)state;
	world_server(w, b, "rc_1", ACTUAL_READY, A)->sessions = 4;
	assert_int_equal(
	    apply(w, world_actual(w), (struct plan_step){ .kind = PLAN_MAINT, .server = STR("rc_1") }, &maint), ERR_OK);
	assert_int_equal(maint->backends[0].servers[0].sessions, 4);
	assert_int_equal(maint->backends[0].servers[0].admin, ACTUAL_MAINT);
	assert_int_equal(
	    apply(w, maint, (struct plan_step){ .kind = PLAN_SHUTDOWN, .server = STR("rc_1") }, &shut), ERR_OK);
	assert_int_equal(shut->backends[0].servers[0].sessions, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_proof_takes_a_server_away),
		cmocka_unit_test(a_removal_that_no_candidate_explains_is_held_whatever_it_says),
		cmocka_unit_test(what_adds_goes_on_and_keeps_its_order),
		cmocka_unit_test(the_last_that_serve_wait_for_those_that_join),
		cmocka_unit_test(they_go_once_one_has_joined),
		cmocka_unit_test(a_task_that_is_gone_does_not_wait),
		cmocka_unit_test(nobody_waits_for_a_task_whose_check_fails),
		cmocka_unit_test(nobody_waits_for_a_task_that_an_operator_keeps_out),
		cmocka_unit_test(one_whose_weight_is_held_is_waited_for_if_it_comes),
		cmocka_unit_test(nobody_waits_in_a_paused_backend),
		cmocka_unit_test(the_share_to_keep_is_the_panic_threshold),
		cmocka_unit_test(where_slots_are_used_up_some_serve_on_while_others_make_room),
		cmocka_unit_test(one_makes_room_even_if_all_should_stay),
		cmocka_unit_test(a_slot_that_still_drains_makes_room_enough),
		cmocka_unit_test(tasks_that_wait_for_more_slots_keep_nobody_in_service),
		cmocka_unit_test(a_server_that_is_down_does_not_count),
		cmocka_unit_test(the_last_that_takes_calls_does_not_go_for_other_settings),
		cmocka_unit_test(the_model_refuses_what_breaks_a_law),
		cmocka_unit_test(a_check_passes_one_application_after_it_began),
		cmocka_unit_test(maintenance_keeps_sessions_and_shutdown_ends_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
