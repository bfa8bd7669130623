/* base/prng: the same seed gives the same numbers, and they are spread. */
#include "config.h"

#include "base/prng.h"
#include "unit.h"

static void
the_seed_decides_the_numbers(void **state)
{
	struct prng a = prng_make(42), b = prng_make(42), c = prng_make(43);
	int differ = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint32_t n = prng_next(&a);

		assert_int_equal(n, prng_next(&b));
		differ += n != prng_next(&c);
	}
	assert_true(differ > 90);
}

static void
seed_zero_does_not_stand_still(void **state)
{
	struct prng r = prng_make(0);
	uint32_t first = prng_next(&r);

	(void)state;
	assert_int_not_equal(r.state, 0);
	assert_int_not_equal(first, prng_next(&r));
}

static void
numbers_fall_evenly_into_ranges(void **state)
{
	struct prng r = prng_make(7);
	int counts[16] = { 0 };

	(void)state;
	for (int i = 0; i < 16000; i++)
		counts[prng_next(&r) >> 28]++;
	for (size_t i = 0; i < N_OF(counts); i++)
		assert_in_range(counts[i], 850, 1150);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seed_decides_the_numbers),
		cmocka_unit_test(seed_zero_does_not_stand_still),
		cmocka_unit_test(numbers_fall_evenly_into_ranges),
	};

	return cmocka_run_group_tests_name("prng", tests, NULL, NULL);
}
