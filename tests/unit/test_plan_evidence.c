/* The table of design.md, section 6: each line, and what keeps it back. */
#include "config.h"

#include <stdio.h>

#include "plan/plan.h"
#include "unit.h"
#include "worlds.h"

/* n tasks t1 .. tn serve in slots rc_1 .. rc_n of backend grpc. */
struct scene {
	struct world *w;
	struct conf_backend *entry;
	struct actual_backend *b;
	struct roster_task *tasks[12];
	struct actual_server *servers[12];
	int64_t now_ms;
	const struct plan_memory *memory;
};

static void
end_scene(struct scene *s)
{
	world_free(s->w);
}

static struct scene
scene_of(unsigned n)
{
	struct scene s = { .w = world_new() };

	s.entry = world_entry(s.w, "grpc", "rng", 50051);
	s.entry->policy.removal_limit_percent = 50;
	s.entry->policy.outlier.panic_threshold_percent = 50;
	s.b = world_backend(s.w, "grpc");
	for (unsigned i = 0; i < n; i++) {
		char id[8], name[8], ip[16], at[24];

		(void)snprintf(id, sizeof(id), "t%u", i + 1);
		(void)snprintf(name, sizeof(name), "rc_%u", i + 1);
		(void)snprintf(ip, sizeof(ip), "10.0.0.%u", i + 1);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i + 1);
		s.tasks[i] = world_task(s.w, id, ROSTER_RUNNING, ip);
		s.servers[i] = world_server(s.w, s.b, name, ACTUAL_READY, at);
	}
	return s;
}

static void
forget(struct roster_task *t)
{
	t->missing = 2;
	t->listed = false;
}

static struct plan *
guarded(struct scene *s)
{
	struct plan_rules rules = world_all_rules(s->w);
	struct plan *p = world_plan(s->w, s->now_ms, s->memory);

	rules.now_ms = s->now_ms;
	assert_int_equal(plan_guard(&rules, p, NULL), ERR_OK);
	return p;
}

#define assert_steps(s, text) assert_string_equal(world_steps((s)->w, guarded(s)), text)

static const char *
held(const struct plan *p, const char *server)
{
	for (size_t i = 0; i < p->n_held; i++)
		if (str_eq(p->held[i].server, str_from_cstr(server)))
			return p->held[i].message.ptr;
	return "";
}

#define assert_says(text, part)                                                 \
	do {                                                                    \
		if (strstr((text), (part)) == NULL)                             \
			fail_msg("\"%s\" does not say \"%s\"", (text), (part)); \
	} while (0)

/* ---- missing ---- */

static void
a_missing_task_goes_within_the_limit(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);

	(void)state;
	forget(s.tasks[1]);
	assert_steps(&s, "rc_2: maint (missing)");
}

static void
once_missing_is_no_evidence(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);

	(void)state;
	forget(s.tasks[1]);
	s.tasks[1]->missing = 1;
	assert_steps(&s, "");
}

static void
half_of_a_backend_is_within_a_limit_of_half(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);

	(void)state;
	forget(s.tasks[0]);
	forget(s.tasks[3]);
	assert_steps(&s, "rc_1: maint (missing); rc_4: maint (missing)");
}

static void
beyond_the_limit_none_goes_and_the_backend_is_frozen(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);
	struct plan *p;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		forget(s.tasks[i]);
	(void)world_task(s.w, "t9", ROSTER_RUNNING, "10.0.0.9");
	world_slots(s.w, s.b, 0);
	(void)world_server(s.w, s.b, "rc_9", ACTUAL_MAINT, "");
	p = guarded(&s);
	assert_true(p->backends[0].is_frozen);
	assert_int_equal(p->backends[0].n_reported, 3);
	assert_int_equal(p->backends[0].n_counted, 4);
	assert_says(held(p, "rc_1"), "task t1 is called MISSING by AWS; held: removal_limit: 3 of 4 servers");
	assert_says(held(p, "rc_1"), "`rollcall release grpc`");
	/* Who comes, comes. */
	assert_string_equal(world_steps(s.w, p), "rc_9: address 10.0.0.9:50051; rc_9: weight 256; rc_9: join");
}

static void
a_frozen_backend_lets_go_on_proof(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		forget(s.tasks[i]);
	s.tasks[0]->last_status = ROSTER_STOPPED;
	s.tasks[0]->desired_status = ROSTER_STOPPED;
	assert_steps(&s, "rc_1: maint (stopped)"); /* 2 of the other 3 are too many still */
	s.tasks[1]->last_status = ROSTER_STOPPED;
	s.tasks[1]->desired_status = ROSTER_STOPPED;
	assert_steps(&s, "rc_1: maint (stopped); rc_2: maint (stopped); rc_3: maint (missing)");
}

static struct overlay_leave
leave_of(const struct actual_server *a)
{
	return (
	    struct overlay_leave){ .backend = STR("grpc"), .server = a->name, .address = a->address, .port = a->port };
}

static void
who_left_within_ten_minutes_counts_against_the_limit(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);
	int64_t next_ms;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct overlay_leave leave = leave_of(s.servers[i]);

		forget(s.tasks[i]);
		s.servers[i]->admin = ACTUAL_MAINT;
		assert_int_equal(overlay_note_leave(world_overlay(s.w), &leave, 1000, NULL), ERR_OK);
	}
	forget(s.tasks[2]);
	assert_steps(&s, ""); /* 3 of 4 */
	assert_true(overlay_prune(world_overlay(s.w), NULL, 1000 + OVERLAY_LEAVE_KEPT_MS, &next_ms));
	assert_steps(&s, "rc_3: maint (missing)"); /* 1 of 2 */
}

static void
a_release_lets_go_what_is_reported_but_the_last_of_the_missing(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(3);
	struct plan *p;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct overlay_leave leave = leave_of(s.servers[i]);

		forget(s.tasks[i]);
		assert_int_equal(overlay_release(world_overlay(s.w), &leave, 1000, NULL), ERR_OK);
	}
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "rc_1: maint (missing); rc_2: maint (missing)");
	assert_says(held(p, "rc_3"), "held: never the last");
	assert_false(p->backends[0].is_frozen);
}

static void
the_last_that_takes_calls_is_not_missing(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);
	struct plan *p;

	(void)state;
	forget(s.tasks[0]);
	s.servers[1]->up = false; /* down by HAProxy's checks: it takes none */
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	assert_says(held(p, "rc_1"), "task t1 is called MISSING by AWS; held: never the last");
}

static void
weigh(struct scene *s, const struct roster_task *t, unsigned weight)
{
	struct overlay_key key = { .backend = STR("grpc"), .task_arn = t->arn, .container = STR("app"), .port = 50051 };

	assert_int_equal(
	    overlay_set_weight(world_overlay(s->w), &key, weight, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
}

static void
a_server_of_weight_0_is_no_other_that_takes_calls(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);
	struct plan *p;

	(void)state;
	forget(s.tasks[0]);
	s.servers[1]->weight = 0;
	weigh(&s, s.tasks[1], 0);
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	assert_says(held(p, "rc_1"), "held: never the last");
}

static void
one_that_stops_and_waits_is_no_other_that_takes_calls(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);
	struct overlay_leave leave = leave_of(s.servers[0]);
	struct plan *p;

	(void)state;
	assert_int_equal(overlay_release(world_overlay(s.w), &leave, 1, NULL), ERR_OK);
	forget(s.tasks[0]);
	s.tasks[1]->desired_status = ROSTER_STOPPED;
	for (size_t i = 0; i < 3; i++) { /* of three to come, two are to serve meanwhile */
		static const char *const ids[] = { "t7", "t8", "t9" }, *const ips[] = { "10.0.0.7", "10.0.0.8",
			"10.0.0.9" };
		static const char *const names[] = { "rc_7", "rc_8", "rc_9" };
		static const char *const at[] = { "10.0.0.7:50051", "10.0.0.8:50051", "10.0.0.9:50051" };

		(void)world_task(s.w, ids[i], ROSTER_RUNNING, ips[i]);
		(void)world_server(s.w, s.b, names[i], ACTUAL_DRAIN, at[i]);
	}
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	assert_says(held(p, "rc_2"), "is stopping; kept in service until a task that joins");
	assert_says(held(p, "rc_1"), "held: never the last");
}

static void
streams_of_the_missing_are_shut_when_their_time_is_over(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);
	struct plan *p;

	(void)state;
	forget(s.tasks[0]);
	s.servers[0]->admin = ACTUAL_MAINT;
	s.servers[0]->sessions = 2;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	s.memory = &p->memory;
	s.now_ms = 30000;
	assert_steps(&s, "rc_1: shutdown (missing)");
}

static void
whom_an_operator_drains_is_not_reported_against(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);
	struct overlay_key key = {
		.backend = STR("grpc"), .task_arn = s.tasks[2]->arn, .container = STR("app"), .port = 50051
	};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		forget(s.tasks[i]);
	assert_int_equal(
	    overlay_set_admin(world_overlay(s.w), &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
	assert_steps(&s, "rc_1: maint (missing); rc_2: maint (missing); rc_3: drain (operator)");
}

/* It was taken out by somebody else: nothing says that its streams may go. */
static void
a_frozen_backend_keeps_the_streams_of_who_did_not_leave_within_the_limit(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(5);
	struct overlay_leave leave = leave_of(s.servers[0]);
	struct plan *p;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		forget(s.tasks[i]);
	s.servers[0]->admin = ACTUAL_MAINT;
	s.servers[0]->sessions = 2;
	p = guarded(&s);
	s.memory = &p->memory;
	s.now_ms = 30000;
	assert_steps(&s, "");
	assert_int_equal(overlay_note_leave(world_overlay(s.w), &leave, 1, NULL), ERR_OK);
	assert_steps(&s, "rc_1: shutdown (missing)");
}

/* ---- unhealthy ---- */

static void
an_unhealthy_task_goes_while_its_share_stays(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);
	struct plan *p;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		s.tasks[i]->health = ROSTER_UNHEALTHY;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "rc_1: maint (unhealthy); rc_2: maint (unhealthy)");
	assert_says(held(p, "rc_3"), "task t3 is called UNHEALTHY by ECS; held: panic_threshold: at least 50 %");
}

static void
servers_that_are_down_count_as_out(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);

	(void)state;
	s.servers[2]->up = s.servers[3]->up = false;
	s.tasks[0]->health = ROSTER_UNHEALTHY;
	assert_steps(&s, "");
	s.servers[3]->up = true;
	assert_steps(&s, "rc_1: maint (unhealthy)");
}

static void
the_last_is_never_unhealthy_enough(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);
	struct plan *p;

	(void)state;
	s.entry->policy.outlier.panic_threshold_percent = 0;
	s.tasks[0]->health = s.tasks[1]->health = ROSTER_UNHEALTHY;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "rc_1: maint (unhealthy)");
	assert_says(held(p, "rc_2"), "held: never the last");
}

static void
it_comes_back_when_it_is_healthy_and_keeps_its_streams_meanwhile(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);
	struct plan *p;

	(void)state;
	s.tasks[0]->health = ROSTER_UNHEALTHY;
	s.servers[0]->admin = ACTUAL_MAINT;
	s.servers[0]->sessions = 3;
	p = guarded(&s);
	s.memory = &p->memory;
	s.now_ms = 3600000;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), ""); /* neither shut nor deleted */
	assert_int_equal(p->backends[0].n_servers, 2);
	assert_int_equal(p->backends[0].servers[0].evidence, EVIDENCE_UNHEALTHY);
	s.tasks[0]->health = ROSTER_HEALTHY;
	s.servers[0]->sessions = 0;
	assert_steps(&s, "rc_1: weight 256; rc_1: join");
}

static void
one_without_streams_is_shown_and_its_slot_is_used_last(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);
	struct plan *p;

	(void)state;
	s.tasks[0]->health = ROSTER_UNHEALTHY;
	s.servers[0]->admin = ACTUAL_MAINT;
	(void)world_server(s.w, s.b, "rc_8", ACTUAL_MAINT, "10.0.0.77:50051"); /* of its last task */
	p = guarded(&s);
	assert_int_equal(p->backends[0].n_servers, 2);
	(void)world_task(s.w, "t8", ROSTER_RUNNING, "10.0.0.8");
	assert_steps(&s, "rc_8: address 10.0.0.8:50051; rc_8: weight 256; rc_8: join");
}

/* Neither what would let it in again nor the operator's hand on it is told to the slot that another has. */
static void
who_has_lost_its_slot_says_nothing_there(void **state)
{
	static const bool may_come_back[] = { true, false };

	(void)state;
	for (size_t i = 0; i < N_OF(may_come_back); i++) {
		struct scene s CLEANUP(end_scene) = scene_of(2);

		s.tasks[0]->health = ROSTER_UNHEALTHY;
		s.servers[0]->admin = ACTUAL_MAINT;
		(void)world_task(s.w, "t8", ROSTER_RUNNING, "10.0.0.8");
		if (may_come_back[i]) {
			world_applied_for(s.w, world_former(s.w, "grpc", "rc_1", "10.0.0.1:50051"), "t1");
			world_rules(s.w)->brings_back = true;
		} else {
			weigh(&s, s.tasks[0], 7);
		}
		assert_steps(&s, "rc_1: address 10.0.0.8:50051; rc_1: weight 256; rc_1: join");
	}
}

/* The two that were healthy are down now: those that ECS calls unhealthy are better than none. */
static void
they_are_let_in_again_where_too_few_are_left(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(4);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		s.tasks[i]->health = ROSTER_UNHEALTHY;
		s.servers[i]->admin = ACTUAL_MAINT;
	}
	s.servers[2]->up = s.servers[3]->up = false;
	assert_steps(&s, "rc_1: join; rc_2: join");
	s.servers[0]->admin = ACTUAL_DRAIN;
	s.servers[0]->check = ACTUAL_CHECK_PASSED;
	assert_steps(&s, "rc_2: join; rc_1: ready");
	s.servers[2]->up = s.servers[3]->up = true;
	assert_steps(&s, "rc_1: maint (unhealthy)"); /* not needed after all */
}

static void
the_share_that_stays_is_rounded_up(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(3);
	struct plan *p;

	(void)state;
	s.tasks[0]->health = s.tasks[1]->health = ROSTER_UNHEALTHY;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "rc_1: maint (unhealthy)"); /* half of three are two */
	assert_says(held(p, "rc_2"), "held: panic_threshold");
}

static void
those_that_join_are_no_part_of_what_must_stay(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(3);

	(void)state;
	s.tasks[0]->health = ROSTER_UNHEALTHY;
	(void)world_task(s.w, "t8", ROSTER_RUNNING, "10.0.0.8");
	(void)world_task(s.w, "t9", ROSTER_RUNNING, "10.0.0.9");
	world_server(s.w, s.b, "rc_8", ACTUAL_DRAIN, "10.0.0.8:50051")->check = ACTUAL_CHECK_PENDING;
	world_server(s.w, s.b, "rc_9", ACTUAL_DRAIN, "10.0.0.9:50051")->check = ACTUAL_CHECK_PENDING;
	assert_steps(&s, "rc_1: maint (unhealthy)");
}

static void
one_whose_slot_is_given_to_another_is_not_let_in_there(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of(2);

	(void)state;
	s.tasks[0]->health = ROSTER_UNHEALTHY;
	s.servers[0]->admin = ACTUAL_MAINT;
	s.servers[1]->up = false;
	(void)world_task(s.w, "t8", ROSTER_RUNNING, "10.0.0.8");
	assert_steps(&s, "rc_1: address 10.0.0.8:50051; rc_1: weight 256; rc_1: join");
}

/* ---- unexposed, and nobody's ---- */

static struct actual_server *
named(struct scene *s, const char *name, const char *at)
{
	world_version(s->w, 3, 0);
	return world_server(s->w, s->b, name, ACTUAL_READY, at);
}

static struct scene
scene_of_named(unsigned n)
{
	struct scene s = scene_of(0);

	for (unsigned i = 0; i < n; i++) {
		char id[8], name[32], ip[16], at[24];

		(void)snprintf(id, sizeof(id), "t%u", i + 1);
		(void)snprintf(name, sizeof(name), "rc_t%u_app_50051", i + 1);
		(void)snprintf(ip, sizeof(ip), "10.0.0.%u", i + 1);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i + 1);
		s.tasks[i] = world_task(s.w, id, ROSTER_RUNNING, ip);
		s.servers[i] = named(&s, name, at);
	}
	return s;
}

static void
a_task_that_no_entry_takes_any_more_goes_within_the_limit(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(3);
	struct plan *p;

	(void)state;
	s.tasks[0]->service = STR("other");
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "rc_t1_app_50051: maint (unexposed)");
	assert_int_equal(p->backends[0].servers[0].evidence, EVIDENCE_UNEXPOSED);
	assert_str(p->backends[0].servers[0].task->id, "t1");
	s.tasks[1]->service = STR("other");
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	assert_says(held(p, "rc_t1_app_50051"), "task t1 is not exposed any more; held: removal_limit: 2 of 3");
}

static void
what_is_not_known_for_sure_is_not_unexposed(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(3);

	(void)state;
	s.tasks[0]->service = STR("other");
	s.tasks[0]->definition = NULL; /* not read yet */
	assert_steps(&s, "");
	s.tasks[0]->definition = s.tasks[1]->definition;
	s.tasks[0]->listed = false; /* nor while the list does not have it */
	assert_steps(&s, "");
	s.tasks[0]->listed = true;
	assert_steps(&s, "rc_t1_app_50051: maint (unexposed)");
	s.tasks[0]->n_containers = 0; /* nor if an answer leaves out what it has */
	assert_steps(&s, "");
}

static void
move_to_machine(struct scene *s, size_t i, enum taskdef_network network, const struct roster_binding *bound)
{
	struct roster_task *t = s->tasks[i];
	struct roster_container *c = (struct roster_container *)(uintptr_t)&t->containers[0];

	t->definition = world_definition(s->w, "on-machine");
	t->definition->network = network;
	(void)world_publishes(s->w, t->definition, "app", "50051");
	t->container_instance_arn = STR("arn:aws:ecs:eu-west-1:123456789012:container-instance/main/i1");
	t->host_ipv4 = c->ipv4;
	c->ipv4 = STR("");
	c->bindings = bound;
	c->n_bindings = bound != NULL ? 1 : 0;
}

static void
tasks_on_a_machine_go_as_others_do(void **state)
{
	static const struct roster_binding bound = { 50051, 32768, 1, true, false };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct scene s CLEANUP(end_scene) = scene_of_named(3);
		const bool is_bridge = i == 0;

		move_to_machine(&s, 0, is_bridge ? TASKDEF_BRIDGE : TASKDEF_HOST, is_bridge ? &bound : NULL);
		if (is_bridge) {
			s.servers[0]->name = STR("rc_t1_app_32768");
			s.servers[0]->port = 32768;
		}
		assert_steps(&s, "");
		s.tasks[0]->service = STR("other");
		assert_steps(
		    &s, is_bridge ? "rc_t1_app_32768: maint (unexposed)" : "rc_t1_app_50051: maint (unexposed)");
		s.tasks[0]->host_ipv4 = STR("10.0.0.9"); /* where it is reached is another place than this */
		assert_steps(&s, "");
	}
}

static void
a_slot_of_a_machine_is_of_the_task_that_has_its_port(void **state)
{
	static const struct roster_binding bound = { 50051, 32768, 1, true, false };
	struct scene s CLEANUP(end_scene) = scene_of(3);

	(void)state;
	move_to_machine(&s, 0, TASKDEF_BRIDGE, &bound);
	s.servers[0]->port = 32768;
	assert_steps(&s, "");
	s.tasks[0]->service = STR("other");
	assert_steps(&s, "rc_1: maint (unexposed)");
	s.servers[0]->port = 32769; /* some other's, of the same machine */
	assert_steps(&s, "");
}

static void
a_slot_of_a_machine_is_of_nobody_who_has_the_port_by_udp(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct scene s CLEANUP(end_scene) = scene_of(3);
		const bool is_tcp = i == 0;

		move_to_machine(&s, 0, TASKDEF_HOST, NULL);
		s.tasks[0]->service = STR("other");
		((struct taskdef_port *)(uintptr_t)s.tasks[0]->definition->containers[0].ports)[0].tcp = is_tcp;
		assert_steps(&s, is_tcp ? "rc_1: maint (unexposed)" : "");
	}
}

static void
an_operator_may_let_the_last_of_what_is_not_exposed_go(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(1);
	struct overlay_leave leave = leave_of(s.servers[0]);

	(void)state;
	s.tasks[0]->service = STR("other");
	assert_steps(&s, "");
	assert_int_equal(overlay_release(world_overlay(s.w), &leave, 1, NULL), ERR_OK);
	assert_steps(&s, "rc_t1_app_50051: maint (unexposed)");
}

/* What was released goes in any case: so it goes first, and who is only missing is the last. */
static void
who_is_missing_stays_where_an_operator_let_the_others_go(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(2);
	struct overlay_leave leave = leave_of(s.servers[1]);
	struct plan *p;

	(void)state;
	s.entry->policy.removal_limit_percent = 100;
	forget(s.tasks[0]);
	s.tasks[1]->service = STR("other");
	assert_int_equal(overlay_release(world_overlay(s.w), &leave, 1, NULL), ERR_OK);
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "rc_t2_app_50051: maint (unexposed)");
	assert_says(held(p, "rc_t1_app_50051"), "held: never the last");
}

/* Through two sources one cluster is read twice. */
static void
an_end_that_either_source_tells_is_proof(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct scene s CLEANUP(end_scene) = scene_of_named(2);

		(void)named(&s, "rc_t8_app_50051", "10.0.0.8:50051");
		world_task(s.w, "t8", i == 0 ? ROSTER_STOPPED : ROSTER_RUNNING, "10.0.0.8")->service = STR("other");
		(void)world_source(s.w, "second");
		(void)world_cluster(s.w, "second", "main");
		world_task(s.w, "t8", i == 1 ? ROSTER_STOPPED : ROSTER_RUNNING, "10.0.0.8")->service = STR("other");
		assert_steps(&s, "rc_t8_app_50051: maint (stopped)");
	}
}

/* A newer task of another service has the address by now. */
static void
streams_of_nobodys_server_run_on_with_the_task_that_has_its_address(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(1);
	struct actual_server *old = named(&s, "rc_t8_app_50051", "10.0.0.8:50051");
	struct roster_task *t;
	struct plan *p;

	(void)state;
	world_task(s.w, "t8", ROSTER_STOPPED, "10.0.0.8")->service = STR("other");
	t = world_task(s.w, "t9", ROSTER_RUNNING, "10.0.0.8");
	t->service = STR("other");
	t->created_ms = t->started_ms = 9000;
	t->is_remembered = true; /* of an earlier run: it may have gone since */
	assert_steps(&s, "");
	t->is_remembered = false;
	assert_steps(&s, "rc_t8_app_50051: maint (replaced)");
	old->admin = ACTUAL_MAINT;
	old->sessions = 2;
	p = guarded(&s);
	s.memory = &p->memory;
	s.now_ms = INT64_C(1000000000);
	assert_steps(&s, "");
	old->sessions = 0;
	assert_steps(&s, "rc_t8_app_50051: delete (replaced)");
}

/* After a start clusters are read one by one. */
static void
weights_wait_until_the_task_of_each_server_is_known(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(2);
	struct actual_server *other = named(&s, "rc_t9_app_50051", "10.0.0.9:50051");
	struct overlay_key key = {
		.backend = STR("grpc"), .task_arn = s.tasks[1]->arn, .container = STR("app"), .port = 50051
	};

	(void)state;
	s.servers[0]->weight = s.servers[1]->weight = 28;
	assert_steps(&s, "");
	assert_int_equal(overlay_set_weight(world_overlay(s.w), &key, 7, OVERLAY_BY_ROLLCALL, 1, 0, NULL), ERR_OK);
	assert_steps(&s, "rc_t2_app_50051: weight 7");
	s.servers[1]->weight = 7;
	(void)world_task(s.w, "t9", ROSTER_RUNNING, "10.0.0.9");
	assert_int_equal(other->weight, 256);
	assert_steps(&s, "rc_t1_app_50051: weight 256");
}

static void
the_end_of_a_task_that_no_entry_takes_any_more_is_proof(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(1);

	(void)state;
	s.tasks[0]->service = STR("other");
	s.tasks[0]->last_status = ROSTER_STOPPED;
	s.tasks[0]->desired_status = ROSTER_STOPPED;
	assert_steps(&s, "rc_t1_app_50051: maint (stopped)");
}

static void
a_server_that_no_known_task_explains_waits_for_two_sweeps(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(3);
	struct plan *p;

	(void)state;
	(void)named(&s, "rc_gone_app_50051", "10.0.0.77:50051");
	s.now_ms = 1000;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	s.memory = &p->memory;
	s.now_ms = 60000;
	world_rules(s.w)->swept_twice_ms = 999; /* one of the two began before it was seen */
	assert_steps(&s, "");
	world_rules(s.w)->swept_twice_ms = 1000;
	assert_steps(&s, "rc_gone_app_50051: maint (missing)");
}

static void
keys_of_another_account_explain_nothing(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(3);
	struct roster_cluster *c = world_cluster(s.w, "eu", "second");
	struct applied_server *known = world_applied(s.w, "grpc", "rc_gone_app_50051", "10.0.0.77:50051");
	struct plan *p;

	(void)state;
	(void)named(&s, "rc_gone_app_50051", "10.0.0.77:50051");
	known->task_arn = STR("arn:aws:ecs:eu-west-1:123456789012:task/second/gone");
	p = guarded(&s);
	s.memory = &p->memory;
	world_rules(s.w)->swept_twice_ms = 1;
	c->account = STR("999999999999");
	assert_steps(&s, "");
	c->account = c->arn = STR(""); /* it has not told whose it is */
	assert_steps(&s, "");
	c->account = STR("123456789012");
	assert_steps(&s, "rc_gone_app_50051: maint (missing)");
	c->account = STR("999999999999");
	c->arn = STR(
	    "arn:aws:ecs:us-east-1:999999999999:cluster/second"); /* another cluster: its own is not read any more */
	assert_steps(&s, "rc_gone_app_50051: maint (missing)");
}

static void
a_whole_backend_of_nobodys_servers_stays(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(0);
	struct plan *p;

	(void)state;
	(void)world_task(s.w, "t9", ROSTER_PENDING, "");
	(void)named(&s, "rc_a_app_50051", "10.0.0.77:50051");
	(void)named(&s, "rc_b_app_50051", "10.0.0.78:50051");
	p = guarded(&s);
	s.memory = &p->memory;
	world_rules(s.w)->swept_twice_ms = 1;
	p = guarded(&s);
	assert_string_equal(world_steps(s.w, p), "");
	assert_says(held(p, "rc_a_app_50051"), "the server of no known task; held: removal_limit: 2 of 2");
}

/* Somebody's own server whose name begins as ours do. */
static void
a_name_that_is_not_made_by_us_is_nobodys_business(void **state)
{
	struct scene s CLEANUP(end_scene) = scene_of_named(3);
	struct plan *p;

	(void)state;
	(void)named(&s, "rc_mine", "10.0.0.77:50051");
	(void)named(&s, "rc_mine_app_80", "10.0.0.78:50051"); /* its port is another */
	p = guarded(&s);
	s.memory = &p->memory;
	world_rules(s.w)->swept_twice_ms = 1;
	assert_steps(&s, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_task_goes_within_the_limit),
		cmocka_unit_test(once_missing_is_no_evidence),
		cmocka_unit_test(half_of_a_backend_is_within_a_limit_of_half),
		cmocka_unit_test(beyond_the_limit_none_goes_and_the_backend_is_frozen),
		cmocka_unit_test(a_frozen_backend_lets_go_on_proof),
		cmocka_unit_test(who_left_within_ten_minutes_counts_against_the_limit),
		cmocka_unit_test(a_release_lets_go_what_is_reported_but_the_last_of_the_missing),
		cmocka_unit_test(the_last_that_takes_calls_is_not_missing),
		cmocka_unit_test(a_server_of_weight_0_is_no_other_that_takes_calls),
		cmocka_unit_test(one_that_stops_and_waits_is_no_other_that_takes_calls),
		cmocka_unit_test(streams_of_the_missing_are_shut_when_their_time_is_over),
		cmocka_unit_test(whom_an_operator_drains_is_not_reported_against),
		cmocka_unit_test(a_frozen_backend_keeps_the_streams_of_who_did_not_leave_within_the_limit),
		cmocka_unit_test(an_unhealthy_task_goes_while_its_share_stays),
		cmocka_unit_test(servers_that_are_down_count_as_out),
		cmocka_unit_test(the_last_is_never_unhealthy_enough),
		cmocka_unit_test(it_comes_back_when_it_is_healthy_and_keeps_its_streams_meanwhile),
		cmocka_unit_test(one_without_streams_is_shown_and_its_slot_is_used_last),
		cmocka_unit_test(who_has_lost_its_slot_says_nothing_there),
		cmocka_unit_test(they_are_let_in_again_where_too_few_are_left),
		cmocka_unit_test(the_share_that_stays_is_rounded_up),
		cmocka_unit_test(those_that_join_are_no_part_of_what_must_stay),
		cmocka_unit_test(one_whose_slot_is_given_to_another_is_not_let_in_there),
		cmocka_unit_test(a_task_that_no_entry_takes_any_more_goes_within_the_limit),
		cmocka_unit_test(what_is_not_known_for_sure_is_not_unexposed),
		cmocka_unit_test(weights_wait_until_the_task_of_each_server_is_known),
		cmocka_unit_test(tasks_on_a_machine_go_as_others_do),
		cmocka_unit_test(a_slot_of_a_machine_is_of_the_task_that_has_its_port),
		cmocka_unit_test(a_slot_of_a_machine_is_of_nobody_who_has_the_port_by_udp),
		cmocka_unit_test(an_operator_may_let_the_last_of_what_is_not_exposed_go),
		cmocka_unit_test(streams_of_nobodys_server_run_on_with_the_task_that_has_its_address),
		cmocka_unit_test(an_end_that_either_source_tells_is_proof),
		cmocka_unit_test(who_is_missing_stays_where_an_operator_let_the_others_go),
		cmocka_unit_test(the_end_of_a_task_that_no_entry_takes_any_more_is_proof),
		cmocka_unit_test(a_server_that_no_known_task_explains_waits_for_two_sweeps),
		cmocka_unit_test(keys_of_another_account_explain_nothing),
		cmocka_unit_test(a_whole_backend_of_nobodys_servers_stays),
		cmocka_unit_test(a_name_that_is_not_made_by_us_is_nobodys_business),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
