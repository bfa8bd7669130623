/* What HAProxy holds: which servers are ours. */
#include "config.h"

#include "plan/actual.h"
#include "unit.h"

static void
ours_are_the_names_with_our_prefix_and_slots_those_with_a_number(void **state)
{
	static const struct {
		const char *name;
		bool is_ours, is_slot;
		unsigned number;
	} cases[] = {
		{ "rc_1", true, true, 1 },
		{ "rc_017", true, true, 17 },
		{ "rc_999999", true, true, 999999 },
		{ "rc_1000000", true, false, 0 },
		{ "rc_", true, false, 0 },
		{ "rc_1a", true, false, 0 },
		{ "rc_-1", true, false, 0 },
		{ "rc_0123456789abcdef_app_50051", true, false, 0 },
		{ "rc1", false, false, 0 },
		{ "RC_1", false, false, 0 },
		{ "src_1", false, false, 0 },
		{ "", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str name = str_from_cstr(cases[i].name);
		unsigned number = 0;

		CHECK_ROW(actual_is_ours(name) == cases[i].is_ours, i, cases[i].name);
		CHECK_ROW(actual_slot_number(name, &number) == cases[i].is_slot, i, cases[i].name);
		CHECK_ROW(number == cases[i].number, i, cases[i].name);
	}
}

static void
a_backend_is_found_by_its_whole_name(void **state)
{
	const struct actual_backend backends[] = { { .name = STR("web") }, { .name = STR("webs") } };
	const struct actual a = { .backends = backends, .n_backends = 2 };

	(void)state;
	assert_ptr_equal(actual_find(&a, STR("webs")), &backends[1]);
	assert_null(actual_find(&a, STR("we")));
	actual_free(NULL);
}

static void
admin_states_have_the_names_that_haproxy_knows(void **state)
{
	(void)state;
	assert_string_equal(actual_admin_name(ACTUAL_READY), "ready");
	assert_string_equal(actual_admin_name(ACTUAL_DRAIN), "drain");
	assert_string_equal(actual_admin_name(ACTUAL_MAINT), "maint");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_are_the_names_with_our_prefix_and_slots_those_with_a_number),
		cmocka_unit_test(a_backend_is_found_by_its_whole_name),
		cmocka_unit_test(admin_states_have_the_names_that_haproxy_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
