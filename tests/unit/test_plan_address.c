/* Addresses as bytes. */
#include "config.h"

#include "plan/plan_address.h"
#include "unit.h"

static void
what_is_one_address_compares_equal_however_it_is_written(void **state)
{
	static const struct {
		const char *a, *b, *text;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1", "10.0.0.1" },
		{ "fd00::1", "fd00:0:0:0:0:0:0:1", "fd00::1" },
		{ "FD00:0000::00aB", "fd00::ab", "fd00::ab" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct plan_address a, b;
		char text[PLAN_ADDRESS_TEXT_SIZE];

		assert_true(plan_address_parse(str_from_cstr(cases[i].a), 80, &a));
		assert_true(plan_address_parse(str_from_cstr(cases[i].b), 80, &b));
		assert_int_equal(plan_address_cmp(&a, &b), 0);
		plan_address_text(&b, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void
what_is_no_address_of_a_task_is_refused(void **state)
{
	static const struct str bad[] = {
		{ .ptr = NULL, .len = 0 },
		{ .ptr = "10.0.0", .len = 6 },
		{ .ptr = "10.0.0.1 ", .len = 9 },
		{ .ptr = "10.0.0.1\0x", .len = 10 },
		{ .ptr = "010.0.0.1", .len = 9 },
		{ .ptr = "0.0.0.0", .len = 7 },
		{ .ptr = "::", .len = 2 },
		{ .ptr = "fe80::1%eth0", .len = 12 },
		{ .ptr = "example.com", .len = 11 },
		{ .ptr = "0000:0000:0000:0000:0000:0000:0000:0000:0000:1", .len = 46 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct plan_address a = { .port = 7 };

		CHECK_ROW(!plan_address_parse(bad[i], 80, &a), i, bad[i].ptr);
		assert_int_equal(a.family, PLAN_ADDRESS_NONE);
		assert_int_equal(a.port, 0);
	}
}

static void
port_0_is_refused_and_ports_tell_addresses_apart(void **state)
{
	struct plan_address a, b;

	(void)state;
	assert_false(plan_address_parse(STR("10.0.0.1"), 0, &a));
	assert_true(plan_address_parse(STR("10.0.0.1"), 1, &a));
	assert_true(plan_address_parse(STR("10.0.0.1"), 2, &b));
	assert_true(plan_address_cmp(&a, &b) < 0);
	assert_true(plan_address_parse(STR("::1"), 1, &b));
	assert_true(plan_address_cmp(&a, &b) < 0);
	assert_true(plan_address_cmp(&b, &a) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_one_address_compares_equal_however_it_is_written),
		cmocka_unit_test(what_is_no_address_of_a_task_is_refused),
		cmocka_unit_test(port_0_is_refused_and_ports_tell_addresses_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
