/* Whom a pass over a cluster asks about, and which definitions it reads. */
#include "config.h"

#include "ecs/ecs_interest.h"
#include "unit.h"

static const struct taskdef_port TCP = { .container_port = 80, .n = 1, .tcp = true };
static const struct taskdef_port UDP = { .container_port = 80, .n = 1 };

/* One task that runs, and what is known of it. */
struct one {
	struct taskdef_container defined;
	struct taskdef definition;
	struct roster_container container;
	struct roster_task task;
	struct ecs_ledger_entry entry;
	struct ecs_sweep_start start;
};

static struct one
one_of(enum ecs_sweep_kind kind)
{
	return (struct one){
		.defined = { .name = STR("app"), .ports = &TCP, .n_ports = 1 },
		.container = { .name = STR("app"), .ipv4 = STR("10.0.0.1") },
		.task = { .arn = STR("arn:t/a"),
		    .definition_arn = STR("arn:d"),
		    .last_status = ROSTER_RUNNING,
		    .desired_status = ROSTER_RUNNING,
		    .health = ROSTER_HEALTH_UNKNOWN,
		    .n_containers = 1 },
		.entry = { .arn = STR("arn:t/a"), .listed = true },
		.start = { .kind = kind },
	};
}

static void
link(struct one *o)
{
	o->definition.containers = &o->defined;
	o->definition.n_containers = 1;
	o->task.definition = &o->definition;
	o->task.containers = &o->container;
	o->entry.before = &o->task;
}

static bool
holds(void *arg, const struct roster_task *task)
{
	(void)task;
	return *(bool *)arg;
}

/* ---- those that are listed ---- */

static void
as_it_is(struct one *o)
{
	(void)o;
}

static void
unknown(struct one *o)
{
	o->entry.before = NULL;
}

static void
stopping(struct one *o)
{
	o->task.desired_status = ROSTER_STOPPED;
}

static void
deactivating(struct one *o)
{
	o->task.last_status = ROSTER_DEACTIVATING;
}

static void
pending(struct one *o)
{
	o->task.last_status = ROSTER_PENDING;
}

static void
missing(struct one *o)
{
	o->task.missing = 1;
}

static void
without_address(struct one *o)
{
	o->container.ipv4 = STR("");
}

static void
on_ipv6(struct one *o)
{
	without_address(o);
	o->container.ipv6 = STR("fd00::1");
}

static void
on_a_machine(struct one *o)
{
	without_address(o);
	o->task.container_instance_arn = STR("arn:ci");
	o->definition.network = TASKDEF_HOST;
}

static void
awsvpc_on_a_machine(struct one *o)
{
	on_a_machine(o);
	o->definition.network = TASKDEF_AWSVPC;
}

static void
of_a_bridge_unbound(struct one *o)
{
	on_a_machine(o);
	o->definition.network = TASKDEF_BRIDGE;
}

static void
of_a_bridge_bound(struct one *o)
{
	static const struct roster_binding binding = { .container_port = 80, .host_port = 32768, .n = 1, .tcp = true };

	of_a_bridge_unbound(o);
	o->container.bindings = &binding;
	o->container.n_bindings = 1;
}

static void
of_a_bridge_bound_nowhere(struct one *o)
{
	of_a_bridge_bound(o);
	o->task.container_instance_arn = STR("");
}

/* Nothing of it is published by TCP: there is no port to wait for. */
static void
of_a_bridge_by_udp(struct one *o)
{
	of_a_bridge_unbound(o);
	o->defined.ports = &UDP;
}

static void
of_a_bridge_without_ports(struct one *o)
{
	of_a_bridge_unbound(o);
	o->defined.n_ports = 0;
}

static void
undefined_on_a_machine(struct one *o)
{
	on_a_machine(o);
	o->task.definition = NULL;
}

static void
undefined_nowhere(struct one *o)
{
	without_address(o);
	o->task.definition = NULL;
}

static void
must_be_healthy(struct one *o)
{
	o->start.require_healthy = true;
}

static void
may_become_healthy(struct one *o)
{
	must_be_healthy(o);
	o->defined.has_health_check = true;
}

static void
is_healthy(struct one *o)
{
	may_become_healthy(o);
	o->task.health = ROSTER_HEALTHY;
}

static void
undefined_and_must_be_healthy(struct one *o)
{
	must_be_healthy(o);
	o->task.definition = NULL;
}

static void
who_is_listed_is_asked_about_until_nothing_is_left_to_know(void **state)
{
	static const struct {
		void (*change)(struct one *o);
		enum ecs_interest want; /* of WATCH; REST there is NONE */
	} rows[] = {
		{ as_it_is, ECS_INTEREST_REST },
		{ unknown, ECS_INTEREST_ENTERING },
		{ stopping, ECS_INTEREST_ENDING },
		{ deactivating, ECS_INTEREST_ENDING },
		{ pending, ECS_INTEREST_ENTERING },
		{ missing, ECS_INTEREST_ENTERING },
		{ without_address, ECS_INTEREST_ENTERING },
		{ on_ipv6, ECS_INTEREST_REST },
		{ on_a_machine, ECS_INTEREST_REST },
		{ awsvpc_on_a_machine, ECS_INTEREST_ENTERING },
		{ of_a_bridge_unbound, ECS_INTEREST_ENTERING },
		{ of_a_bridge_bound, ECS_INTEREST_REST },
		{ of_a_bridge_bound_nowhere, ECS_INTEREST_ENTERING },
		{ of_a_bridge_by_udp, ECS_INTEREST_REST },
		{ of_a_bridge_without_ports, ECS_INTEREST_REST },
		{ undefined_on_a_machine, ECS_INTEREST_REST },
		{ undefined_nowhere, ECS_INTEREST_ENTERING },
		{ must_be_healthy, ECS_INTEREST_REST }, /* it has no check: UNKNOWN for ever */
		{ may_become_healthy, ECS_INTEREST_ENTERING },
		{ is_healthy, ECS_INTEREST_REST },
		{ undefined_and_must_be_healthy, ECS_INTEREST_ENTERING },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (int full = 0; full < 2; full++) {
			struct one o = one_of(full ? ECS_SWEEP_FULL : ECS_SWEEP_WATCH);
			enum ecs_interest want =
			    rows[i].want == ECS_INTEREST_REST && !full ? ECS_INTEREST_NONE : rows[i].want;

			link(&o);
			rows[i].change(&o);
			CHECK_ROW(
			    ecs_interest_describe(&o.start, NULL, &o.entry) == want, i, (full ? "FULL" : "WATCH"));
		}
}

static void
who_is_sought_is_asked_for_at_once(void **state)
{
	struct one o = one_of(ECS_SWEEP_WATCH);

	(void)state;
	o.entry = (struct ecs_ledger_entry){ .arn = STR("a"), .sought = true };
	assert_int_equal(ecs_interest_describe(&o.start, NULL, &o.entry), ECS_INTEREST_ENDING);
	o.start.kind = ECS_SWEEP_NAMED;
	assert_int_equal(ecs_interest_describe(&o.start, NULL, &o.entry), ECS_INTEREST_ENTERING);
}

static void
a_pass_for_those_who_were_named_asks_about_no_other(void **state)
{
	static const struct ecs_sought_task named = { .id = { "a", 1 } };
	static const struct ecs_sought list = { .tasks = &named, .n = 1 };
	struct one o = one_of(ECS_SWEEP_NAMED);

	(void)state;
	link(&o);
	o.start.named = &list;
	assert_int_equal(ecs_interest_describe(&o.start, NULL, &o.entry), ECS_INTEREST_ENTERING);
	o.entry.arn = STR("arn:t/b");
	assert_int_equal(ecs_interest_describe(&o.start, NULL, &o.entry), ECS_INTEREST_NONE);
}

/* ---- those that have ended ---- */

static void
who_has_ended_is_asked_about_only_while_somebody_needs_it(void **state)
{
	static const struct {
		enum ecs_sweep_kind kind;
		bool is_ending, is_by_event, is_held;
		enum ecs_interest want;
	} rows[] = {
		{ ECS_SWEEP_WATCH, false, false, true, ECS_INTEREST_NONE },
		{ ECS_SWEEP_FULL, false, false, true, ECS_INTEREST_ENDING }, /* merely MISSING, and served still */
		{ ECS_SWEEP_FULL, false, false, false, ECS_INTEREST_NONE },
		{ ECS_SWEEP_FULL, true, false, true, ECS_INTEREST_NONE },   /* proven */
		{ ECS_SWEEP_FULL, true, true, false, ECS_INTEREST_ENDING }, /* an event alone said so */
		{ ECS_SWEEP_WATCH, true, true, true, ECS_INTEREST_NONE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct one o = one_of(rows[i].kind);
		bool is_held = rows[i].is_held;

		link(&o);
		o.entry.listed = false;
		o.task.ended_wall_ms = 1000;
		o.task.is_by_event = rows[i].is_by_event;
		if (rows[i].is_ending)
			stopping(&o);
		o.start.is_held = holds;
		o.start.arg = &is_held;
		CHECK_ROW(ecs_interest_describe(&o.start, NULL, &o.entry) == rows[i].want, i, "ended");
	}
}

/* ---- definitions ---- */

static void
a_definition_is_read_for_who_runs_or_is_needed(void **state)
{
	static const struct {
		enum ecs_sweep_kind kind;
		bool is_known, is_defined, has_arn, is_described, is_sought, is_stopping, has_ended, is_held, want;
	} rows[] = {
		{ ECS_SWEEP_FULL, true, false, true, false, false, false, false, false, true },
		{ ECS_SWEEP_FULL, false, false, true, false, false, false, false, false, false },
		{ ECS_SWEEP_FULL, true, true, true, false, false, false, false, false, false },
		{ ECS_SWEEP_FULL, true, false, false, false, false, false, false, false, false },
		{ ECS_SWEEP_WATCH, true, false, true, false, false, false, false, false, false },
		{ ECS_SWEEP_WATCH, true, false, true, true, false, false, false, false, true },
		{ ECS_SWEEP_FULL, true, false, true, false, false, true, false, false, false },
		{ ECS_SWEEP_FULL, true, false, true, false, false, true, false, true, true },
		{ ECS_SWEEP_FULL, true, false, true, false, true, true, false, false, true },
		{ ECS_SWEEP_FULL, true, false, true, false, false, false, true, false, false },
		{ ECS_SWEEP_FULL, true, false, true, false, false, false, true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct one o = one_of(rows[i].kind);
		bool is_held = rows[i].is_held;

		link(&o);
		o.task.definition = rows[i].is_defined ? &o.definition : NULL;
		o.task.definition_arn = rows[i].has_arn ? STR("arn:d") : STR("");
		o.task.desired_status = rows[i].is_stopping ? ROSTER_STOPPED : ROSTER_RUNNING;
		o.task.ended_wall_ms = rows[i].has_ended ? 1000 : 0;
		o.entry.before = rows[i].is_known ? &o.task : NULL;
		o.entry.described = rows[i].is_described;
		o.entry.sought = rows[i].is_sought;
		o.start.is_held = holds;
		o.start.arg = &is_held;
		CHECK_ROW(ecs_interest_define(&o.start, &o.entry) == rows[i].want, i, "a definition");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_listed_is_asked_about_until_nothing_is_left_to_know),
		cmocka_unit_test(who_is_sought_is_asked_for_at_once),
		cmocka_unit_test(a_pass_for_those_who_were_named_asks_about_no_other),
		cmocka_unit_test(who_has_ended_is_asked_about_only_while_somebody_needs_it),
		cmocka_unit_test(a_definition_is_read_for_who_runs_or_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
