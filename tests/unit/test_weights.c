/* Weights in proportion. */
#include "config.h"

#include "plan/weights.h"
#include "unit.h"

#define MANY 5

static void
the_largest_becomes_the_largest_and_the_others_follow(void **state)
{
	static const struct {
		unsigned in[MANY];
		size_t n;
		unsigned largest;
		unsigned out[MANY];
	} cases[] = {
		{ { 100 }, 1, 256, { 256 } },
		{ { 100, 100, 100 }, 3, 256, { 256, 256, 256 } },
		{ { 100, 50, 25 }, 3, 256, { 256, 128, 64 } },
		{ { 1, 3, 2 }, 3, 256, { 85, 256, 171 } },
		{ { 256, 128, 8, 7, 0 }, 5, 16, { 16, 8, 1, 1, 0 } },
		{ { 1000000, 1, 0 }, 3, 256, { 256, 1, 0 } },
		{ { 4294967295u, 2147483648u }, 2, 256, { 256, 128 } },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		unsigned weights[MANY];

		memcpy(weights, cases[i].in, sizeof(weights));
		weights_scale(weights, cases[i].n, cases[i].largest);
		for (size_t k = 0; k < cases[i].n; k++)
			assert_int_equal(weights[k], cases[i].out[k]);
	}
}

static void
nothing_and_nothing_but_zeros_stay_as_they_are(void **state)
{
	unsigned zeros[] = { 0, 0 };

	(void)state;
	weights_scale(NULL, 0, 256);
	weights_scale(zeros, 2, 256);
	assert_int_equal(zeros[0], 0);
	assert_int_equal(zeros[1], 0);
}

static void
a_weight_above_0_never_becomes_0_and_none_exceeds_the_largest(void **state)
{
	(void)state;
	for (unsigned large = 1; large < 3000; large += 7) {
		for (unsigned small = 1; small <= large; small += 13) {
			unsigned weights[] = { large, small };

			weights_scale(weights, 2, 256);
			assert_int_equal(weights[0], 256);
			assert_in_range(weights[1], 1, 256);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_becomes_the_largest_and_the_others_follow),
		cmocka_unit_test(nothing_and_nothing_but_zeros_stay_as_they_are),
		cmocka_unit_test(a_weight_above_0_never_becomes_0_and_none_exceeds_the_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
