/* Facts and rosters as frozen values. */
#include "config.h"

#include "ecs/roster.h"
#include "unit.h"

#define LIMIT ((size_t)1 << 20)

static const struct roster_binding BINDINGS[] = { { .container_port = 80, .host_port = 32768, .tcp = true } };
/* STR is no constant expression. */
#define TEXT(lit)                    \
	{                            \
		lit, sizeof(lit) - 1 \
	}
static const struct roster_container CONTAINERS[] = {
	{ .name = TEXT("web"), .ipv4 = TEXT("10.0.0.1"), .ipv6 = TEXT(""), .bindings = BINDINGS, .n_bindings = 1 },
	{ .name = TEXT("sidecar"), .ipv4 = TEXT("10.0.0.1"), .ipv6 = TEXT("fd00::1") },
};

static struct roster_task
task(const char *arn)
{
	struct str text = str_from_cstr(arn), group = STR("service:shop");

	return (struct roster_task){
		.arn = text,
		.id = str_after_last(text, '/'),
		.group = group,
		.service = str_skip(group, 8),
		.definition_arn = STR("arn:aws:ecs:r:1:task-definition/shop:7"),
		.family = STR("shop"), /* not a part of what is above */
		.revision = 7,
		.last_status = ROSTER_RUNNING,
		.desired_status = ROSTER_RUNNING,
		.version = 3,
		.containers = CONTAINERS,
		.n_containers = 2,
	};
}

static struct taskdef *
definition(void)
{
	struct arena *a = arena_new(TASKDEF_ARENA_MAX);
	struct taskdef *d = ARENA_NEW(a, struct taskdef);

	assert_non_null(d);
	d->arena = a;
	d->refs = 1;
	return d;
}

static void
facts_are_sorted_and_found_by_arn(void **state)
{
	struct roster_task tasks[] = { task("arn:c/c"), task("arn:a/a"), task("arn:b/b") };
	struct roster_facts *f;

	(void)state;
	assert_int_equal(roster_facts_make(tasks, 3, LIMIT, &f, NULL), ERR_OK);
	assert_int_equal(f->n_tasks, 3);
	assert_memory_equal(f->tasks[0].arn.ptr, "arn:a/a", 7);
	assert_memory_equal(f->tasks[2].arn.ptr, "arn:c/c", 7);
	assert_ptr_equal(roster_facts_find(f, STR("arn:b/b")), &f->tasks[1]);
	assert_null(roster_facts_find(f, STR("arn:b")));
	assert_null(roster_facts_find(NULL, STR("arn:b/b")));
	roster_facts_unref(f);
}

static void
facts_are_a_deep_copy(void **state)
{
	char arn[] = "arn:aws:ecs:r:1:task/c/0123456789abcdef";
	struct roster_task t = task(arn), was;
	struct roster_facts *f;

	(void)state;
	assert_int_equal(roster_facts_make(&t, 1, LIMIT, &f, NULL), ERR_OK);
	assert_true(roster_task_same(&t, &f->tasks[0]));
	was = task("arn:aws:ecs:r:1:task/c/0123456789abcdef");
	memset(arn, 'x', sizeof(arn) - 1);
	assert_true(roster_task_same(&was, &f->tasks[0]));
	/* The id is part of the ARN, not another copy. */
	assert_ptr_equal(f->tasks[0].id.ptr, f->tasks[0].arn.ptr + 23);
	assert_ptr_equal(f->tasks[0].service.ptr, f->tasks[0].group.ptr + 8);
	assert_ptr_not_equal(f->tasks[0].containers, CONTAINERS);
	roster_facts_unref(f);
}

static void
the_same_task_twice_is_refused(void **state)
{
	struct roster_task tasks[] = { task("arn:a/a"), task("arn:b/b"), task("arn:a/a") };
	struct roster_facts *f = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(roster_facts_make(tasks, 3, LIMIT, &f, &e), ERR_ARG);
	assert_null(f);
	assert_non_null(strstr(e.msg, "arn:a/a"));
}

static void
more_than_the_limit_is_refused_and_leaks_nothing(void **state)
{
	struct taskdef *d = definition();
	struct roster_task t = task("arn:a/a");
	struct roster_facts *f = NULL;

	(void)state;
	t.definition = d;
	for (size_t limit = 0; limit < 2000; limit += 16)
		if (roster_facts_make(&t, 1, limit, &f, NULL) == ERR_OK) {
			roster_facts_unref(f);
			break;
		}
	assert_non_null(f);
	assert_int_equal(d->refs, 1);
	taskdef_unref(d);
}

static void
facts_hold_their_definitions(void **state)
{
	struct taskdef *d = definition();
	struct roster_task tasks[] = { task("arn:a/a"), task("arn:b/b") };
	struct roster_facts *f;

	(void)state;
	tasks[0].definition = d;
	tasks[1].definition = d;
	assert_int_equal(roster_facts_make(tasks, 2, LIMIT, &f, NULL), ERR_OK);
	assert_int_equal(d->refs, 3);
	(void)roster_facts_ref(f);
	roster_facts_unref(f);
	assert_int_equal(d->refs, 3);
	roster_facts_unref(f);
	assert_int_equal(d->refs, 1);
	taskdef_unref(d);
}

static void
a_roster_is_known_when_no_cluster_is_waited_for(void **state)
{
	struct roster_cluster clusters[2] = { { .was_read = true }, { .was_read = false } };
	const struct roster r = { .clusters = clusters, .n_clusters = 2 };

	(void)state;
	assert_false(roster_is_known(&r));
	clusters[1] = (struct roster_cluster){ .is_read_in_part = true };
	assert_true(roster_is_known(&r));
	clusters[1] = (struct roster_cluster){ .fault_is_permanent = true };
	assert_true(roster_is_known(&r));
	clusters[1] = (struct roster_cluster){ .remembered_wall_ms = 1 };
	assert_true(roster_is_known(&r));
}

static void
the_age_of_services_is_copied_found_and_compared(void **state)
{
	char name[] = "b";
	struct roster_service services[] = { { STR("a"), 100 }, { STR(""), 0 }, { STR("c"), 300 } };
	struct roster_cluster cluster = { .source = STR("eu"), .services = services, .n_services = 3 };
	const struct roster_cluster *c;
	struct roster *r;

	(void)state;
	services[1].name = str_from_cstr(name);
	assert_int_equal(roster_make(&cluster, 1, &r, NULL), ERR_OK);
	name[0] = 'x';
	c = &r->clusters[0];
	assert_int_equal(roster_service_find(c, STR("a"))->created_ms, 100);
	assert_int_equal(roster_service_find(c, STR("b"))->created_ms, 0);
	assert_null(roster_service_find(c, STR("x")));
	assert_null(roster_service_find(&(struct roster_cluster){ .n_services = 0 }, STR("a")));
	assert_false(roster_services_same(c->services, 3, services, 3));
	name[0] = 'b';
	assert_true(roster_services_same(c->services, 3, services, 3));
	assert_false(roster_services_same(c->services, 3, services, 2));
	services[2].created_ms++;
	assert_false(roster_services_same(c->services, 3, services, 3));
	roster_unref(r);
}

static void
whatever_aws_says_makes_a_difference_and_our_notes_do_not(void **state)
{
	struct roster_binding bindings[] = { { .container_port = 80, .host_port = 32769, .tcp = true } };
	struct roster_container containers[] = { CONTAINERS[0], CONTAINERS[1] };
	struct roster_task a = task("arn:a/a"), b = a;

	(void)state;
	b.listed = true;
	b.missing = 1;
	b.described_wall_ms = 5;
	b.ended_wall_ms = 6;
	assert_true(roster_task_same(&a, &b));

#define DIFFERS(change)                                 \
	do {                                            \
		b = a;                                  \
		change;                                 \
		assert_false(roster_task_same(&a, &b)); \
	} while (0)
	DIFFERS(b.last_status = ROSTER_STOPPING);
	DIFFERS(b.desired_status = ROSTER_STOPPED);
	DIFFERS(b.health = ROSTER_UNHEALTHY);
	DIFFERS(b.version = 4);
	DIFFERS(b.revision = 8);
	DIFFERS(b.arn = STR("arn:b/b"));
	DIFFERS(b.group = STR("service:shoq"));
	DIFFERS(b.service = STR("shoq"));
	DIFFERS(b.definition_arn = STR("x"));
	DIFFERS(b.family = STR("x"));
	DIFFERS(b.zone = STR("x"));
	DIFFERS(b.stop_code = STR("x"));
	DIFFERS(b.stopped_reason = STR("x"));
	DIFFERS(b.subnet = STR("x"));
	DIFFERS(b.container_instance_arn = STR("x"));
	DIFFERS(b.created_ms = 1);
	DIFFERS(b.started_ms = 1);
	DIFFERS(b.stopping_ms = 1);
	DIFFERS(b.stopped_ms = 1);
	DIFFERS(b.n_containers = 1);
	b.containers = containers;
	DIFFERS((b.containers = containers, containers[1].ipv4 = STR("10.0.0.2")));
	containers[1] = CONTAINERS[1];
	DIFFERS((b.containers = containers, containers[1].ipv6 = STR("fd00::2")));
	containers[1] = CONTAINERS[1];
	DIFFERS((b.containers = containers, containers[0].name = STR("weB")));
	containers[0] = CONTAINERS[0];
	DIFFERS((b.containers = containers, containers[0].bindings = bindings));
#undef DIFFERS
}

static void
a_roster_holds_the_facts_of_its_clusters(void **state)
{
	char name[] = "prod";
	struct roster_task t = task("arn:a/a");
	struct roster_facts *f;
	struct roster *r;

	(void)state;
	assert_int_equal(roster_facts_make(&t, 1, LIMIT, &f, NULL), ERR_OK);
	{
		struct roster_cluster clusters[] = {
			{ .source = STR("eu"), .name = str_from_cstr(name), .facts = f, .sweeps = 4 },
			{ .source = STR("us"), .name = STR("other") },
		};

		assert_int_equal(roster_make(clusters, 2, &r, NULL), ERR_OK);
	}
	name[0] = 'X';
	assert_int_equal(f->refs, 2);
	assert_memory_equal(r->clusters[0].name.ptr, "prod", 4);
	assert_int_equal(r->clusters[0].sweeps, 4);
	assert_null(r->clusters[1].facts);
	assert_ptr_equal(roster_ref(r), r);
	roster_unref(r);
	assert_int_equal(f->refs, 2);
	roster_unref(r);
	assert_int_equal(f->refs, 1);
	roster_facts_unref(f);
	roster_unref(NULL);
	roster_facts_unref(NULL);
}

static void
empty_facts_and_an_empty_roster_are_values_too(void **state)
{
	struct roster_facts *f;
	struct roster *r;

	(void)state;
	assert_int_equal(roster_facts_make(NULL, 0, LIMIT, &f, NULL), ERR_OK);
	assert_int_equal(f->n_tasks, 0);
	assert_null(roster_facts_find(f, STR("arn:a/a")));
	assert_int_equal(roster_make(NULL, 0, &r, NULL), ERR_OK);
	assert_int_equal(r->n_clusters, 0);
	roster_facts_unref(f);
	roster_unref(r);
}

static void
states_go_by_the_names_of_ecs(void **state)
{
	(void)state;
	assert_string_equal(roster_status_name(ROSTER_DEPROVISIONING), "DEPROVISIONING");
	assert_string_equal(roster_status_name(ROSTER_UNKNOWN), "UNKNOWN");
	assert_string_equal(roster_health_name(ROSTER_HEALTHY), "HEALTHY");
	assert_string_equal(roster_health_name(ROSTER_UNHEALTHY), "UNHEALTHY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_sorted_and_found_by_arn),
		cmocka_unit_test(facts_are_a_deep_copy),
		cmocka_unit_test(the_same_task_twice_is_refused),
		cmocka_unit_test(more_than_the_limit_is_refused_and_leaks_nothing),
		cmocka_unit_test(facts_hold_their_definitions),
		cmocka_unit_test(a_roster_is_known_when_no_cluster_is_waited_for),
		cmocka_unit_test(the_age_of_services_is_copied_found_and_compared),
		cmocka_unit_test(whatever_aws_says_makes_a_difference_and_our_notes_do_not),
		cmocka_unit_test(a_roster_holds_the_facts_of_its_clusters),
		cmocka_unit_test(empty_facts_and_an_empty_roster_are_values_too),
		cmocka_unit_test(states_go_by_the_names_of_ecs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
