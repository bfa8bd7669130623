/* Task definitions, remembered up to a number. */
#include "config.h"

#include "ecs/taskdef_cache.h"
#include "unit.h"

static struct taskdef *
definition(unsigned n)
{
	struct arena *a = arena_new(TASKDEF_ARENA_MAX);
	struct taskdef *d;
	char arn[80];

	assert_non_null(a);
	d = ARENA_NEW(a, struct taskdef);
	assert_non_null(d);
	(void)snprintf(arn, sizeof(arn), "arn:aws:ecs:eu-west-1:123456789012:task-definition/f:%u", n);
	assert_true(arena_str(a, str_from_cstr(arn), &d->arn));
	d->revision = n;
	d->arena = a;
	d->refs = 1;
	return d;
}

static void
put(struct taskdef_cache *c, unsigned n)
{
	struct taskdef *d = definition(n);

	assert_int_equal(taskdef_cache_put(c, d, NULL), ERR_OK);
	taskdef_unref(d);
}

static struct taskdef *
get(struct taskdef_cache *c, unsigned n)
{
	char arn[80];

	(void)snprintf(arn, sizeof(arn), "arn:aws:ecs:eu-west-1:123456789012:task-definition/f:%u", n);
	return taskdef_cache_get(c, str_from_cstr(arn));
}

static void
what_was_put_is_found_and_nothing_else(void **state)
{
	struct taskdef_cache *c = taskdef_cache_new(TASKDEF_CACHE_MAX);

	(void)state;
	assert_non_null(c);
	assert_null(get(c, 1));
	put(c, 1);
	put(c, 2);
	assert_int_equal(get(c, 1)->revision, 1);
	assert_int_equal(get(c, 2)->revision, 2);
	assert_null(get(c, 3));
	taskdef_cache_free(c);
}

static void
the_least_recently_used_goes_first(void **state)
{
	struct taskdef_cache *c = taskdef_cache_new(3);

	(void)state;
	put(c, 1);
	put(c, 2);
	put(c, 3);
	assert_non_null(get(c, 1));
	put(c, 4);
	assert_null(get(c, 2));
	assert_non_null(get(c, 1));
	assert_non_null(get(c, 3));
	assert_non_null(get(c, 4));
	taskdef_cache_free(c);
}

static void
putting_it_again_keeps_the_first(void **state)
{
	struct taskdef_cache *c = taskdef_cache_new(2);
	struct taskdef *first;

	(void)state;
	put(c, 1);
	first = get(c, 1);
	put(c, 1);
	assert_ptr_equal(get(c, 1), first);
	assert_int_equal(first->refs, 1);
	taskdef_cache_free(c);
}

static void
a_reference_outlives_the_cache(void **state)
{
	struct taskdef_cache *c = taskdef_cache_new(1);
	struct taskdef *d;

	(void)state;
	put(c, 1);
	d = taskdef_ref(get(c, 1));
	put(c, 2);
	assert_null(get(c, 1));
	taskdef_cache_free(c);
	assert_int_equal(d->revision, 1);
	taskdef_unref(d);
}

static void
thousands_come_and_go(void **state)
{
	struct taskdef_cache *c = taskdef_cache_new(100);

	(void)state;
	for (unsigned n = 1; n <= 5000; n++)
		put(c, n);
	for (unsigned n = 1; n <= 4900; n++)
		assert_null(get(c, n));
	for (unsigned n = 4901; n <= 5000; n++)
		assert_int_equal(get(c, n)->revision, n);
	taskdef_cache_free(c);
}

static void
nothing_may_be_freed(void **state)
{
	(void)state;
	taskdef_cache_free(NULL);
	taskdef_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found_and_nothing_else),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(putting_it_again_keeps_the_first),
		cmocka_unit_test(a_reference_outlives_the_cache),
		cmocka_unit_test(thousands_come_and_go),
		cmocka_unit_test(nothing_may_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
