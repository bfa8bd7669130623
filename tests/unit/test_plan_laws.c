/* The laws of the plan, on thousands of small worlds: see laws.h. */
#include "config.h"

#include <stdlib.h>

#include "laws.h"
#include "unit.h"

#define WORLDS 4000

/* LAWS_SEED and LAWS_WORLDS choose others; LAWS_TRACE tells what happens in them. */
static uint64_t
chosen(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	uint64_t number;

	if (text == NULL || !str_to_u64(str_from_cstr(text), UINT64_MAX, &number))
		return otherwise;
	return number;
}

static const char *
check_world(uint64_t seed, struct laws_tally *tally)
{
	struct laws_dice dice = { .rnd = prng_make(seed) };
	struct world *w CLEANUP(world_free_at) = laws_world(&dice);

	return laws_check(w, &dice, tally);
}

static void
the_laws_hold_in_any_world(void **state)
{
	uint64_t seed = chosen("LAWS_SEED", 20261123), n = chosen("LAWS_WORLDS", WORLDS);
	struct laws_tally tally = { .is_traced = getenv("LAWS_TRACE") != NULL };

	(void)state;
	print_message("# seeds %llu to %llu\n", (unsigned long long)seed, (unsigned long long)(seed + n - 1));
	for (uint64_t i = 0; i < n; i++) {
		const char *broken = check_world(seed + i, &tally);

		if (broken != NULL)
			fail_msg("LAWS_SEED=%llu LAWS_WORLDS=1: %s", (unsigned long long)(seed + i), broken);
	}
	print_message(
	    "# %zu worlds, %zu rounds: %zu entered, %zu left (%zu replaced, %zu shut), %zu held, %zu without a "
	    "place\n",
	    tally.worlds, tally.rounds, tally.adds, tally.removals, tally.replaced, tally.shutdowns, tally.held,
	    tally.unplaced);
	print_message(
	    "# %zu deleted, %zu renewed, %zu by hand, %zu trusted, %zu backends, %zu CAs; %zu crashes, %zu reloads\n",
	    tally.deletes, tally.renewals, tally.obeyed, tally.trusted, tally.backends, tally.cas, tally.crashes,
	    tally.reloads);
	print_message("# %zu reported, %zu of nobody's servers, %zu for health, %zu back; %zu frozen\n", tally.reported,
	    tally.orphans, tally.unhealthy, tally.back, tally.frozen);
	if (n < WORLDS)
		return;
	assert_true(tally.reported > 100 && tally.orphans > 100 && tally.unhealthy > 20);
	assert_true(tally.back > 20 && tally.frozen > 100);
	/* The worlds are such that everything happens. */
	assert_true(tally.adds > 100 && tally.removals > 100 && tally.shutdowns > 20);
	assert_true(tally.replaced > 20 && tally.held > 20 && tally.unplaced > 100);
	assert_true(tally.deletes > 100 && tally.renewals > 20 && tally.obeyed > 20 && tally.trusted > 20);
	assert_true(tally.backends > 20 && tally.cas > 20 && tally.crashes > 100 && tally.reloads > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_laws_hold_in_any_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
