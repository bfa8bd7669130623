/*
 * plan/applied: our own hand and other people's.
 *
 * The property at the end plays plans against the model of HAProxy (plan_apply), cut
 * off after any step, with what was applied going through its file each time, and
 * with foreign hands in between: each of them on a confirmed server is found, and
 * never one that was not there.
 */
#include "config.h"

#include <stdlib.h>

#include "base/prng.h"
#include "plan/applied.h"
#include "plan/plan.h"
#include "plan_apply.h"
#include "unit.h"
#include "worlds.h"

#define NOW_MS INT64_C(1795401646000)

/* ---- one world, pass by pass ---- */

struct stage {
	struct world *w;
	struct actual *actual;
	struct applied *applied;
	struct plan *plan; /* the last one */
	struct applied_findings found;
	int64_t now_ms;
};

static struct actual *
copy_of(const struct actual *from)
{
	const struct plan nothing = { .n_steps = 0 };
	struct actual *copy = NULL;

	assert_int_equal(plan_apply(&nothing, from, &copy, NULL), ERR_OK);
	return copy;
}

static void
begin(struct stage *s, unsigned n_slots, unsigned n_tasks)
{
	struct actual_backend *b;

	*s = (struct stage){ .w = world_new(), .now_ms = NOW_MS };
	(void)world_entry(s->w, "grpc", "rng", 0);
	b = world_backend(s->w, "grpc");
	world_slots(s->w, b, n_slots);
	for (unsigned i = 0; i < n_tasks; i++) {
		char id[16], address[16];

		(void)snprintf(id, sizeof(id), "task%u", i);
		(void)snprintf(address, sizeof(address), "10.0.0.%u", i + 1);
		(void)world_task(s->w, id, ROSTER_RUNNING, address);
	}
	s->actual = copy_of(world_actual(s->w));
	s->actual->pid = 100;
	s->actual->start_time_s = 5;
}

static void
end(struct stage *s)
{
	plan_free(s->plan);
	applied_free(s->applied);
	actual_free(s->actual);
	world_free(s->w);
}

static void
set_applied(struct stage *s, struct applied *a)
{
	applied_free(s->applied);
	s->applied = a;
}

/* As after a crash: all that is known is in the file. */
static void
pass_through_file(struct stage *s)
{
	struct buf text = buf_make(APPLIED_TEXT_MAX);
	struct applied *again = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(applied_write(s->applied, &text, NULL), ERR_OK);
	if (applied_read(buf_str(&text), &again, &e) != ERR_OK)
		fail_msg("%s in " STR_FMT, e.msg, STR_ARG(buf_str(&text)));
	assert_false(applied_differs(s->applied, again));
	set_applied(s, again);
	buf_free(&text);
}

static void
look(struct stage *s)
{
	struct applied *seen = NULL;

	s->found = (struct applied_findings){ .n = 0 };
	if (s->applied == NULL)
		return;
	assert_int_equal(applied_observe(s->applied, s->actual, s->now_ms, &seen, &s->found, NULL), ERR_OK);
	set_applied(s, seen);
}

static void
decide(struct stage *s)
{
	const struct plan_rules rules = { .now_ms = s->now_ms, .applied = s->applied };
	const struct plan_memory none = { .n = 0 };
	struct applied *next = NULL;

	plan_free(MOVE(s->plan));
	assert_int_equal(plan_diff(&rules, world_desired(s->w), s->actual, &none, &s->plan, NULL), ERR_OK);
	assert_int_equal(plan_guard(&rules, s->plan, NULL), ERR_OK);
	assert_int_equal(applied_expect(s->applied, NULL, s->actual, s->plan, s->now_ms, &next, NULL), ERR_OK);
	set_applied(s, next);
}

/* Carries out the first n of these steps. */
static void
carry_out(struct stage *s, const struct plan *p, size_t n)
{
	struct plan part = *p;
	struct actual *after = NULL;
	struct err e = ERR_INIT;

	part.n_steps = n;
	if (plan_apply(&part, s->actual, &after, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	actual_free(s->actual);
	s->actual = after;
	s->now_ms += 1000;
}

static void
passes(struct stage *s, unsigned n)
{
	while (n-- > 0) {
		look(s);
		assert_int_equal(s->found.n, 0);
		decide(s);
		carry_out(s, s->plan, s->plan->n_steps);
	}
	look(s);
}

static struct actual_server *
live(struct stage *s, size_t i)
{
	/* The stage owns what plan_apply made. */
	return (struct actual_server *)(uintptr_t)&s->actual->backends[0].servers[i];
}

static struct actual_server *
named(struct stage *s, const char *server)
{
	for (size_t i = 0; i < s->actual->backends[0].n_servers; i++)
		if (str_eq(live(s, i)->name, str_from_cstr(server)))
			return live(s, i);
	fail_msg("no server %s", server);
	return NULL;
}

/* Somebody on HAProxy's socket. */
static void
set_admin_by_hand(struct stage *s, const char *server, enum actual_admin admin)
{
	struct actual_server *on = named(s, server);

	if (on->admin == ACTUAL_MAINT && admin != ACTUAL_MAINT)
		on->check = ACTUAL_CHECK_PENDING;
	on->admin = admin;
	on->up = admin == ACTUAL_READY;
	s->now_ms += 1000;
}

static void
set_weight_by_hand(struct stage *s, const char *server, unsigned weight)
{
	named(s, server)->weight = weight;
	s->now_ms += 1000;
}

static const struct applied_server *
server_of(const struct stage *s, const char *name)
{
	return applied_find(s->applied, STR("grpc"), str_from_cstr(name));
}

/* ---- tests ---- */

static void
a_server_joins_is_confirmed_and_serves(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	look(&s);
	decide(&s);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_JOINING);
	assert_int_equal(server_of(&s, "rc_1")->admin, ACTUAL_DRAIN);
	assert_false(server_of(&s, "rc_1")->is_confirmed);
	assert_null(server_of(&s, "rc_2"));
	passes(&s, 3);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_SERVING);
	assert_int_equal(server_of(&s, "rc_1")->admin, ACTUAL_READY);
	assert_true(server_of(&s, "rc_1")->is_confirmed);
	assert_int_equal(server_of(&s, "rc_1")->auto_weight, 256);
	end(&s);
}

/* Ready and down, as HAProxy has it until the first check has passed. */
static void
a_server_that_is_ready_serves_once_it_is_up(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 2);
	decide(&s);
	carry_out(&s, s.plan, s.plan->n_steps);
	named(&s, "rc_1")->up = false;
	look(&s);
	assert_int_equal(server_of(&s, "rc_1")->admin, ACTUAL_READY);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_JOINING);
	named(&s, "rc_1")->up = true;
	look(&s);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_SERVING);
	end(&s);
}

static void
a_server_is_found_by_its_task(void **state)
{
	struct stage s;
	struct overlay_key key = { .backend = STR("grpc"), .container = STR("app"), .port = 50051 };

	(void)state;
	begin(&s, 4, 3);
	passes(&s, 3);
	key.task_arn = STR("arn:aws:ecs:eu-west-1:123456789012:task/main/task1");
	assert_str(applied_find_task(s.applied, &key)->server, "rc_2");
	key.task_arn = STR("arn:aws:ecs:eu-west-1:123456789012:task/main/task9");
	assert_null(applied_find_task(s.applied, &key));
	assert_null(applied_find_task(NULL, &key));
	assert_null(applied_find(NULL, STR("grpc"), STR("rc_1")));
	end(&s);
}

/* A slot and a server of one's own, say: what one of them has done its task has done. */
static void
of_several_servers_of_a_task_the_one_that_served_is_found(void **state)
{
	static const enum applied_intent intents[][3] = {
		{ APPLIED_JOINING, APPLIED_DRAINING, APPLIED_SERVING },
		{ APPLIED_JOINING, APPLIED_SERVING, APPLIED_RENEWING },
		{ APPLIED_JOINING, APPLIED_JOINING, APPLIED_DRAINING },
		{ APPLIED_JOINING, APPLIED_RENEWING, APPLIED_JOINING },
		{ APPLIED_JOINING, APPLIED_JOINING, APPLIED_JOINING },
	};
	static const char *const found[] = { "rc_3", "rc_2", "rc_3", "rc_2", "rc_1" };
	const struct overlay_key key = { .backend = STR("grpc"), .task_arn = STR("t"), .container = STR("app") };

	(void)state;
	for (size_t i = 0; i < N_OF(found); i++) {
		struct applied_server servers[3];
		struct applied a = { .servers = servers, .n_servers = 3, .arena = arena_new(4096) };

		for (int k = 0; k < 3; k++) {
			static const struct str names[] = { { "rc_1", 4 }, { "rc_2", 4 }, { "rc_3", 4 } };

			servers[k] = (struct applied_server){ .backend = key.backend,
				.server = names[k],
				.task_arn = key.task_arn,
				.container = key.container,
				.intent = intents[i][k] };
		}
		assert_true(applied_index(&a));
		CHECK_ROW(str_eq(applied_find_task(&a, &key)->server, str_from_cstr(found[i])), i, found[i]);
		arena_free(a.arena);
	}
}

static void
somebody_elses_hand_is_found_once(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 3);
	set_admin_by_hand(&s, "rc_1", ACTUAL_DRAIN);
	look(&s);
	assert_int_equal(s.found.n, 1);
	assert_true(s.found.items[0].has_admin && !s.found.items[0].has_weight);
	assert_int_equal(s.found.items[0].admin, ACTUAL_DRAIN);
	assert_str(s.found.items[0].server, "rc_1");
	assert_str(s.found.items[0].key.container, "app");
	look(&s);
	assert_int_equal(s.found.n, 0);
	set_weight_by_hand(&s, "rc_1", 7);
	look(&s);
	assert_true(s.found.n == 1 && s.found.items[0].has_weight && !s.found.items[0].weight_is_auto);
	set_weight_by_hand(&s, "rc_1", 256);
	look(&s);
	assert_true(s.found.n == 1 && s.found.items[0].has_weight && s.found.items[0].weight_is_auto);
	end(&s);
}

static void
a_command_that_was_not_carried_out_is_nobodys_hand(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 2); /* its check has passed */
	decide(&s);
	assert_int_equal(s.plan->steps[0].kind, PLAN_READY);
	pass_through_file(&s); /* killed before it was sent */
	look(&s);
	assert_int_equal(s.found.n, 0);
	assert_false(server_of(&s, "rc_1")->is_confirmed);
	set_admin_by_hand(&s, "rc_1", ACTUAL_MAINT); /* neither as it was nor as asked */
	look(&s);
	assert_int_equal(s.found.n, 1);
	end(&s);
}

/* With these steps only. */
static void
expect(struct stage *s, const struct plan_step *steps, size_t n)
{
	struct plan p = *s->plan;
	struct applied *next = NULL;

	p.steps = steps;
	p.n_steps = n;
	assert_int_equal(applied_expect(s->applied, NULL, s->actual, &p, s->now_ms, &next, NULL), ERR_OK);
	set_applied(s, next);
}

static void
a_command_that_comes_late_is_nobodys_hand(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 2);
	decide(&s);
	assert_int_equal(s.plan->steps[0].kind, PLAN_READY);
	look(&s); /* it is not there yet, and the next plan asks for nothing */
	expect(&s, NULL, 0);
	set_admin_by_hand(&s, "rc_1", ACTUAL_READY);
	look(&s);
	assert_int_equal(s.found.n, 0);
	end(&s);
}

static void
who_is_taken_out_by_an_operator_does_not_leave(void **state)
{
	const struct plan_step maint = {
		.kind = PLAN_MAINT, .backend = STR("grpc"), .server = STR("rc_1"), .by_operator = true
	};
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 4);
	decide(&s);
	expect(&s, &maint, 1);
	assert_int_equal(server_of(&s, "rc_1")->admin, ACTUAL_MAINT);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_SERVING);
	assert_int_equal(server_of(&s, "rc_1")->drain_since_wall_ms, 0);
	end(&s);
}

static void
a_server_at_another_address_is_forgotten(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 3);
	live(&s, 0)->address = STR("10.9.9.9");
	look(&s);
	assert_int_equal(s.found.n, 0);
	assert_null(server_of(&s, "rc_1"));
	end(&s);
}

static void
what_is_met_for_the_first_time_is_taken_over_as_it_is(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 3, 2);
	passes(&s, 3);
	set_weight_by_hand(&s, "rc_2", 9);
	set_applied(&s, NULL);
	look(&s);
	decide(&s);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_SERVING);
	assert_true(server_of(&s, "rc_1")->is_confirmed);
	assert_int_equal(server_of(&s, "rc_1")->spec, 0);
	end(&s);
}

/* HAProxy was reloaded while the daemon was down, and the task vanished meanwhile. */
static void
whose_a_server_is_outlives_a_reload_with_nobody_to_explain_it(void **state)
{
	struct applied *next = NULL, *former;
	struct plan_backend backend;
	struct plan_server unknown;
	struct plan p;
	struct stage s;

	(void)state;
	begin(&s, 3, 1);
	passes(&s, 3);
	decide(&s);
	former = s.applied;
	s.actual->pid++;
	backend = s.plan->backends[0];
	unknown = backend.servers[0];
	unknown.desired = NULL;
	backend.servers = &unknown;
	p = (struct plan){ .backends = &backend, .n_backends = 1 };
	assert_int_equal(applied_expect(NULL, former, s.actual, &p, s.now_ms, &next, NULL), ERR_OK);
	assert_int_equal(next->n_servers, 1);
	assert_true(next->servers[0].task_arn.len > 0);
	assert_true(str_eq(next->servers[0].task_arn, former->servers[0].task_arn));
	assert_true(str_eq(next->servers[0].container, former->servers[0].container));
	applied_free(next);
	end(&s);
}

/* Else each reload would let a task that stops wait anew for others. */
static void
a_wait_for_others_outlives_a_reload(void **state)
{
	const struct plan_memory_entry waits = { .backend = STR("grpc"),
		.server = STR("rc_1"),
		.address = STR("10.0.0.1"),
		.port = 50051,
		.is_serving = true };
	struct applied *first = NULL, *second = NULL;
	struct plan p;
	struct stage s;

	(void)state;
	begin(&s, 2, 1);
	passes(&s, 4);
	decide(&s);
	p = *s.plan;
	p.memory = (struct plan_memory){ .entries = &waits, .n = 1 };
	assert_int_equal(applied_expect(s.applied, NULL, s.actual, &p, NOW_MS, &first, NULL), ERR_OK);
	assert_int_equal(first->servers[0].wait_since_wall_ms, NOW_MS);
	s.actual->pid++;
	assert_int_equal(applied_expect(NULL, first, s.actual, &p, NOW_MS + 20000, &second, NULL), ERR_OK);
	assert_int_equal(second->servers[0].wait_since_wall_ms, NOW_MS);
	applied_free(first);
	applied_free(second);
	end(&s);
}

static void
a_drain_is_remembered_with_its_beginning(void **state)
{
	struct stage s;
	struct roster_task *second;
	int64_t since_ms;

	(void)state;
	begin(&s, 3, 1);
	second = world_task(s.w, "second", ROSTER_RUNNING, "10.0.1.1");
	passes(&s, 3);
	live(&s, 0)->sessions = 3;
	second->desired_status = ROSTER_STOPPED;
	since_ms = s.now_ms;
	look(&s);
	decide(&s);
	assert_int_equal(server_of(&s, "rc_1")->intent, APPLIED_DRAINING);
	assert_int_equal(server_of(&s, "rc_1")->evidence, EVIDENCE_STOPPING);
	assert_int_equal(server_of(&s, "rc_1")->drain_since_wall_ms, since_ms);
	carry_out(&s, s.plan, s.plan->n_steps);
	pass_through_file(&s);
	passes(&s, 2);
	assert_int_equal(server_of(&s, "rc_1")->drain_since_wall_ms, since_ms);
	live(&s, 0)->sessions = 0;
	passes(&s, 1);
	assert_null(server_of(&s, "rc_1"));
	end(&s);
}

static void
trust_in_the_process_before_ends_by_time(void **state)
{
	struct stage s;
	int64_t seen_ms;

	(void)state;
	begin(&s, 1, 1);
	passes(&s, 2);
	seen_ms = s.applied->seen_wall_ms;
	assert_true(applied_is_of(s.applied, s.actual));
	assert_true(applied_is_trusted(s.applied, seen_ms + APPLIED_TRUST_MS));
	assert_false(applied_is_trusted(s.applied, seen_ms + APPLIED_TRUST_MS + 1));
	assert_false(applied_is_trusted(s.applied, seen_ms - 60000)); /* a clock that went astray */
	assert_false(applied_is_trusted(NULL, seen_ms));
	s.actual->start_time_s++;
	assert_false(applied_is_of(s.applied, s.actual));
	assert_false(applied_is_of(NULL, s.actual));
	end(&s);
}

static void
a_damaged_file_is_refused_whole(void **state)
{
#define FILE_OF(server) "{\"rollcall_applied\":1,\"pid\":1,\"start_time_s\":1,\"servers\":[" server "]}"
#define GOOD            "\"backend\":\"g\",\"server\":\"rc_1\",\"address\":\"10.0.0.1\",\"port\":1"
	static const char *const texts[] = {
		"",
		"{}",
		"{\"rollcall_applied\":9,\"pid\":1}",
		"{\"rollcall_applied\":1}",
		"{\"rollcall_applied\":1,\"pid\":-1}",
		FILE_OF("1"),
		FILE_OF("{}"),
		FILE_OF("{" GOOD "},{" GOOD "}"),
		FILE_OF("{" GOOD ",\"weight\":300}"),
		FILE_OF("{" GOOD ",\"spec\":\"xyz\"}"),
		FILE_OF("{" GOOD ",\"spec\":\"11112222333344445\"}"),
		FILE_OF("{" GOOD ",\"intent\":\"later\"}"),
		FILE_OF("{" GOOD ",\"task\":\"a b\"}"),
		FILE_OF("{" GOOD ",\"confirmed\":1}"),
		FILE_OF("{\"backend\":\"g\",\"server\":\"web1\",\"address\":\"10.0.0.1\",\"port\":1}"),
		FILE_OF("{\"backend\":\"g\",\"server\":\"rc_1\",\"address\":\"host\",\"port\":1}"),
		FILE_OF("{\"backend\":\"g\",\"server\":\"rc_1\",\"address\":\"10.0.0.1\"}"),
	};
	struct applied *good = NULL;

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct applied *a = NULL;
		struct err e = ERR_INIT;

		CHECK_ROW(applied_read(str_from_cstr(texts[i]), &a, &e) == ERR_PARSE, i, texts[i]);
		CHECK_ROW(a == NULL && e.code == ERR_PARSE && e.msg[0] != '\0', i, texts[i]);
	}
	assert_int_equal(applied_read(STR(FILE_OF("{" GOOD ",\"colour\":1}")), &good, NULL), ERR_OK);
	assert_int_equal(good->n_servers, 1);
	assert_true(applied_differs(good, NULL));
	assert_false(applied_differs(NULL, NULL));
	applied_free(good);
	applied_free(NULL);
}

/* ---- the property ---- */

enum { SLOTS = 6, TASKS = 8, ROUNDS = 400, WORLDS = 40 };

struct hand {
	bool is_there, on_weight;
	struct str server;
	enum actual_admin admin;
	unsigned weight;
};

static unsigned
roll(struct prng *rnd, unsigned n)
{
	return prng_next(rnd) % n;
}

static void
let_ecs_move(struct prng *rnd, struct roster_task **tasks)
{
	struct roster_task *t = tasks[roll(rnd, TASKS)];

	switch (roll(rnd, 6)) {
	case 0:
		t->desired_status = ROSTER_STOPPED;
		break;
	case 1:
		t->desired_status = t->last_status = ROSTER_STOPPED;
		break;
	case 2:
	case 3:
		t->desired_status = t->last_status = ROSTER_RUNNING;
		break;
	default:
		break;
	}
}

static void
let_streams_move(struct prng *rnd, struct stage *s)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct actual_server *server = live(s, i);

		if (server->admin != ACTUAL_READY)
			server->sessions -= server->sessions > 0 && roll(rnd, 2) == 0 ? 1 : 0;
		else
			server->sessions = roll(rnd, 3);
	}
}

/* Somebody changes a server that is as we asked it to be. */
static struct hand
let_somebody_act(struct prng *rnd, struct stage *s)
{
	const struct applied_server *of;
	struct hand hand = { .is_there = false };
	char name[64];

	if (s->applied->n_servers == 0 || roll(rnd, 3) != 0)
		return hand;
	of = &s->applied->servers[roll(rnd, (unsigned)s->applied->n_servers)];
	if (!of->is_confirmed || of->task_arn.len == 0)
		return hand;
	hand = (struct hand){ .is_there = true, .on_weight = roll(rnd, 2) == 0, .server = of->server };
	hand.admin = (enum actual_admin)((of->admin + 1 + roll(rnd, 2)) % 3);
	hand.weight = (of->weight + 1 + roll(rnd, 255)) % 257;
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(of->server));
	if (hand.on_weight)
		set_weight_by_hand(s, name, hand.weight);
	else
		set_admin_by_hand(s, name, hand.admin);
	return hand;
}

static void
assert_found(const struct stage *s, const struct hand *hand)
{
	assert_int_equal(s->found.n, hand->is_there ? 1 : 0);
	if (!hand->is_there)
		return;
	assert_int_equal(s->found.items[0].has_weight, hand->on_weight);
	assert_int_equal(s->found.items[0].has_admin, !hand->on_weight);
	if (hand->on_weight)
		assert_int_equal(s->found.items[0].weight, hand->weight);
	else
		assert_int_equal(s->found.items[0].admin, hand->admin);
}

static void
play(uint64_t seed, size_t *hands, size_t *cuts)
{
	struct prng rnd = prng_make(seed);
	struct roster_task *tasks[TASKS];
	struct hand hand = { .is_there = false };
	struct stage s;

	begin(&s, SLOTS, 0);
	for (unsigned i = 0; i < TASKS; i++) {
		char id[16], address[16];

		(void)snprintf(id, sizeof(id), "task%u", i);
		(void)snprintf(address, sizeof(address), "10.0.0.%u", i + 1);
		tasks[i] = world_task(s.w, id, ROSTER_RUNNING, address);
	}
	for (int round = 0; round < ROUNDS / (int)(1 + seed % 4); round++) {
		size_t n;

		look(&s);
		assert_found(&s, &hand);
		let_ecs_move(&rnd, tasks);
		let_streams_move(&rnd, &s);
		decide(&s);
		n = roll(&rnd, 2) == 0 ? s.plan->n_steps : roll(&rnd, (unsigned)s.plan->n_steps + 1);
		*cuts += n < s.plan->n_steps;
		carry_out(&s, s.plan, n);
		pass_through_file(&s);
		hand = let_somebody_act(&rnd, &s);
		*hands += hand.is_there;
	}
	end(&s);
}

static void
each_foreign_hand_is_found_and_never_our_own(void **state)
{
	size_t hands = 0, cuts = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++)
		play(seed, &hands, &cuts);
	print_message("%zu foreign hands, %zu plans cut off\n", hands, cuts);
	assert_true(hands > 500 && cuts > 500);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_joins_is_confirmed_and_serves),
		cmocka_unit_test(a_server_that_is_ready_serves_once_it_is_up),
		cmocka_unit_test(a_server_is_found_by_its_task),
		cmocka_unit_test(of_several_servers_of_a_task_the_one_that_served_is_found),
		cmocka_unit_test(somebody_elses_hand_is_found_once),
		cmocka_unit_test(a_command_that_was_not_carried_out_is_nobodys_hand),
		cmocka_unit_test(a_command_that_comes_late_is_nobodys_hand),
		cmocka_unit_test(who_is_taken_out_by_an_operator_does_not_leave),
		cmocka_unit_test(a_server_at_another_address_is_forgotten),
		cmocka_unit_test(what_is_met_for_the_first_time_is_taken_over_as_it_is),
		cmocka_unit_test(whose_a_server_is_outlives_a_reload_with_nobody_to_explain_it),
		cmocka_unit_test(a_wait_for_others_outlives_a_reload),
		cmocka_unit_test(a_drain_is_remembered_with_its_beginning),
		cmocka_unit_test(trust_in_the_process_before_ends_by_time),
		cmocka_unit_test(a_damaged_file_is_refused_whole),
		cmocka_unit_test(each_foreign_hand_is_found_and_never_our_own),
	};

	return cmocka_run_group_tests_name("applied", tests, NULL, NULL);
}
