/* plan_eject and the guard: who is ejected in HAProxy, who is put back, who stays. */
#include "config.h"

#include "plan/plan.h"
#include "unit.h"
#include "worlds.h"

struct story {
	struct world *w;
	struct actual_server *servers[4];
	struct plan_ejection items[4];
	struct plan_ejections all;
};

static void
begin(struct story *t, unsigned n)
{
	struct actual_backend *b;
	struct conf_backend *entry;

	memset(t, 0, sizeof(*t));
	t->w = world_new();
	entry = world_entry(t->w, "grpc", "rng", 50051);
	entry->policy.outlier.agent = STR("127.0.0.1:4320");
	entry->policy.outlier.panic_threshold_percent = 50;
	b = world_backend(t->w, "grpc");
	for (unsigned i = 0; i < n; i++) {
		char id[16], name[16], ip[32], at[32];

		(void)snprintf(id, sizeof(id), "task%u", i);
		(void)snprintf(name, sizeof(name), "rc_%u", i + 1);
		(void)snprintf(ip, sizeof(ip), "10.0.0.%u", i + 1);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i + 1);
		(void)world_task(t->w, id, ROSTER_RUNNING, ip);
		t->servers[i] = world_server(t->w, b, name, ACTUAL_READY, at);
		t->servers[i]->has_agent_line = t->servers[i]->has_agent = true;
	}
	world_rules(t->w)->ejections = &t->all;
}

static void
end(struct story *t)
{
	world_free(t->w);
}

/* The first n tasks are to be ejected. */
static void
ask_for(struct story *t, size_t n)
{
	const struct desired *d = world_desired(t->w);

	for (size_t i = 0; i < n; i++)
		t->items[i] = (struct plan_ejection){ .key = overlay_key_of(STR("grpc"), &d->backends[0].servers[i]),
			.because = STR("it fails") };
	t->all = (struct plan_ejections){ .items = t->items, .n = n };
}

static struct plan *
plan(struct story *t)
{
	struct plan *p = world_plan(t->w, 1000, NULL);

	assert_int_equal(plan_guard(&(struct plan_rules){ .now_ms = 1000 }, p, NULL), ERR_OK);
	return p;
}

static unsigned
count(const struct plan *p, enum plan_step_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n += p->steps[i].kind == kind;
	return n;
}

static void
who_is_named_is_ejected_with_its_reason(void **state)
{
	static struct story t;
	struct plan *p;

	(void)state;
	begin(&t, 3);
	ask_for(&t, 1);
	p = plan(&t);
	assert_int_equal(count(p, PLAN_EJECT), 1);
	assert_str(p->steps[0].because, "it fails");
	end(&t);
}

static void
who_is_not_named_any_more_is_put_back(void **state)
{
	static struct story t;
	struct plan *p;

	(void)state;
	begin(&t, 3);
	t.servers[1]->agent_down = true;
	t.servers[1]->up = false;
	p = plan(&t);
	assert_int_equal(p->n_steps, 1);
	assert_int_equal(p->steps[0].kind, PLAN_UNEJECT);
	assert_str(p->steps[0].server, "rc_2");
	assert_int_equal(p->backends[0].servers[1].state, PLAN_STATE_EJECTED);
	end(&t);
}

static void
never_the_last_nor_below_the_threshold(void **state)
{
	static struct story t;

	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		struct plan *p;

		begin(&t, n);
		ask_for(&t, n);
		p = plan(&t);
		assert_int_equal(count(p, PLAN_EJECT), n / 2);
		assert_int_equal(p->n_held, n - n / 2);
		end(&t);
	}
}

static void
a_freed_slot_is_put_back_for_the_next_task(void **state)
{
	static struct story t;
	struct actual_server *slot;

	(void)state;
	begin(&t, 2);
	slot = world_server(t.w, world_backend(t.w, "other"), "rc_9", ACTUAL_MAINT, "");
	(void)world_entry(t.w, "other", "none", 50051);
	slot->has_agent_line = slot->has_agent = slot->agent_down = true;
	assert_int_equal(count(plan(&t), PLAN_UNEJECT), 1);
	end(&t);
}

static void
without_an_agent_nobody_is_ejected(void **state)
{
	static struct story t;
	struct plan *p;

	(void)state;
	begin(&t, 3);
	for (int i = 0; i < 3; i++)
		t.servers[i]->has_agent = t.servers[i]->has_agent_line = false;
	ask_for(&t, 1);
	p = plan(&t);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(p->backends[0].n_without_agent, 3);
	end(&t);
}

static void
all_are_put_back_in_the_end(void **state)
{
	static struct story t;
	struct plan *p;

	(void)state;
	begin(&t, 3);
	t.servers[0]->agent_down = t.servers[2]->agent_down = true;
	assert_int_equal(plan_uneject_all(world_actual(t.w), &p, NULL), ERR_OK);
	assert_int_equal(p->n_steps, 2);
	assert_int_equal(count(p, PLAN_UNEJECT), 2);
	plan_free(p);
	end(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_named_is_ejected_with_its_reason),
		cmocka_unit_test(who_is_not_named_any_more_is_put_back),
		cmocka_unit_test(never_the_last_nor_below_the_threshold),
		cmocka_unit_test(a_freed_slot_is_put_back_for_the_next_task),
		cmocka_unit_test(without_an_agent_nobody_is_ejected),
		cmocka_unit_test(all_are_put_back_in_the_end),
	};

	return cmocka_run_group_tests_name("plan_eject", tests, NULL, NULL);
}
