/* The token bucket: never more than it should, never a token lost, never early. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aws/bucket.h"
#include "base/prng.h"

static int
take_all(struct bucket *b, int64_t now)
{
	int n = 0;

	while (bucket_take(b, now))
		n++;
	return n;
}

static void
a_full_bucket_gives_a_burst_and_then_its_rate(void **state)
{
	struct bucket b = bucket_make(2000, 1000);

	(void)state;
	assert_int_equal(bucket_wait_ms(&b, 1000), 0);
	assert_int_equal(take_all(&b, 1000), BUCKET_BURST);
	assert_int_equal(bucket_wait_ms(&b, 1000), 500);
	assert_int_equal(take_all(&b, 1499), 0);
	assert_int_equal(bucket_wait_ms(&b, 1499), 1);
	assert_int_equal(take_all(&b, 1500), 1);
	assert_int_equal(take_all(&b, 3500), 4);
}

static void
what_is_used_is_told_in_percent_of_the_rate(void **state)
{
	struct bucket b = bucket_make(2000, 1000);

	(void)state;
	assert_int_equal(bucket_used_percent(&b, 1000), 0);
	for (int i = 0; i < 60; i++) /* one a second, where two are allowed */
		assert_true(bucket_take(&b, 1000 + i * 1000));
	assert_int_equal(bucket_used_percent(&b, 60999), 50);
	assert_int_equal(bucket_used_percent(&b, 61000), 50);
	assert_int_equal(bucket_used_percent(&b, 91000), 25);
	assert_int_equal(bucket_used_percent(&b, 121000), 0);
	assert_int_equal(bucket_used_percent(&b, 1000000000), 0);
}

static void
without_a_rate_nothing_is_used(void **state)
{
	struct bucket b = bucket_make(0, 0);

	(void)state;
	assert_true(bucket_take(&b, 0));
	assert_int_equal(bucket_used_percent(&b, 0), 0);
}

static void
a_long_rest_fills_it_and_no_more(void **state)
{
	static const int64_t rests[] = { 10000, 3600000, INT64_MAX / 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		struct bucket b = bucket_make(2000, 0);

		assert_int_equal(take_all(&b, 0), BUCKET_BURST);
		assert_int_equal(take_all(&b, rests[i]), BUCKET_BURST);
	}
}

static void
a_clock_that_goes_back_gives_nothing(void **state)
{
	struct bucket b = bucket_make(2000, 5000);

	(void)state;
	(void)take_all(&b, 5000);
	assert_int_equal(take_all(&b, 4000), 0);
	assert_int_equal(take_all(&b, 5499), 0);
	assert_int_equal(take_all(&b, 5500), 1);
	assert_true(bucket_take(&b, 6500)); /* of two */
	assert_true(bucket_take(&b, 4000));
	assert_int_equal(take_all(&b, 6999), 0);
	assert_int_equal(take_all(&b, 7000), 1);
}

static void
the_wait_is_exact_at_any_rate(void **state)
{
	static const unsigned rates[] = { 1, 7, 333, 1000, 2000, 3000, 999999, 4000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct bucket b = bucket_make(rates[i], 0);
		int64_t now = 0;

		for (int k = 0; k < 100; k++) {
			int64_t wait;

			(void)take_all(&b, now);
			wait = bucket_wait_ms(&b, now);
			assert_true(wait > 0);
			assert_false(bucket_take(&b, now + wait - 1));
			assert_true(bucket_take(&b, now + wait));
			now += wait;
		}
	}
}

/* Whenever it is asked: over any stretch no more than burst + rate * time. */
static void
it_never_gives_more_than_its_rate(void **state)
{
	struct prng rnd = prng_make(1);
	struct bucket b = bucket_make(3333, 0);
	int64_t now = 0, taken = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		now += prng_next(&rnd) % 400;
		if (bucket_take(&b, now))
			taken++;
		assert_true(taken * 1000000 <= BUCKET_BURST * INT64_C(1000000) + now * 3333);
	}
	assert_true(taken > 10000);
}

static void
a_rate_of_nothing_gives_the_burst_and_then_nothing(void **state)
{
	struct bucket b = bucket_make(0, 0);

	(void)state;
	assert_int_equal(take_all(&b, 0), BUCKET_BURST);
	assert_int_equal(take_all(&b, 1000000), 0);
	assert_int_equal(bucket_wait_ms(&b, 1000000), BUCKET_NEVER_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_gives_a_burst_and_then_its_rate),
		cmocka_unit_test(what_is_used_is_told_in_percent_of_the_rate),
		cmocka_unit_test(without_a_rate_nothing_is_used),
		cmocka_unit_test(a_long_rest_fills_it_and_no_more),
		cmocka_unit_test(a_clock_that_goes_back_gives_nothing),
		cmocka_unit_test(the_wait_is_exact_at_any_rate),
		cmocka_unit_test(it_never_gives_more_than_its_rate),
		cmocka_unit_test(a_rate_of_nothing_gives_the_burst_and_then_nothing),
	};

	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
