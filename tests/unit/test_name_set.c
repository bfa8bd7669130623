/* Sets of names. */
#include "config.h"

#include "sync/name_set.h"
#include "unit.h"

static void
a_name_is_there_once_whoever_owns_its_bytes(void **state)
{
	struct name_set s = { .n = 0 };
	char bytes[] = "web";

	(void)state;
	assert_false(name_set_has(&s, STR("web")));
	assert_true(name_set_add(&s, str_of(bytes, 3)));
	bytes[0] = 'x';
	assert_true(name_set_add(&s, STR("web")));
	assert_int_equal(s.n, 1);
	assert_true(name_set_has(&s, STR("web")));
	assert_false(name_set_has(&s, STR("we")));
	assert_true(name_set_add(&s, STR("")));
	assert_true(name_set_has(&s, STR("")));
	name_set_drop(&s, STR("nobody"));
	name_set_drop(&s, STR("web"));
	assert_false(name_set_has(&s, STR("web")));
	assert_int_equal(s.n, 1);
	name_set_free(&s);
	assert_int_equal(s.n, 0);
	name_set_free(&s);
}

static void
a_full_set_takes_no_more(void **state)
{
	struct name_set s = { .n = 0 };
	char name[20];

	(void)state;
	for (int i = 0; i < NAME_SET_MAX; i++) {
		(void)snprintf(name, sizeof(name), "b%d", i);
		assert_true(name_set_add(&s, str_from_cstr(name)));
	}
	assert_false(name_set_add(&s, STR("one more")));
	assert_true(name_set_add(&s, STR("b7"))); /* which is there */
	name_set_drop(&s, STR("b7"));
	assert_true(name_set_add(&s, STR("one more")));
	name_set_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_there_once_whoever_owns_its_bytes),
		cmocka_unit_test(a_full_set_takes_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
