/*
 * The laws of plan/ (plan.h, design.md section 6), checked on worlds made of any
 * bytes: the property test rolls them from a seed, the fuzzer finds its own.  What
 * is checked here is written anew, not taken from plan/.
 */
#ifndef TESTS_UNIT_LAWS_H
#define TESTS_UNIT_LAWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "worlds.h"

struct laws_dice {
	const uint8_t *bytes; /* null: from rnd */
	size_t n;
	struct prng rnd;
};

/* Counts what the worlds of a run were made of, so that a test can tell that it
 * has seen everything. */
struct laws_tally {
	size_t worlds, rounds, adds, removals, shutdowns, held, unplaced, replaced;
	bool is_traced; /* tell each round on standard output */
	size_t reported, orphans, unhealthy, back, frozen;
	size_t deletes, renewals, obeyed, trusted, backends, cas, crashes, reloads;
};

unsigned laws_roll(struct laws_dice *dice, size_t n); /* 0 .. n - 1; bytes that are used up are zeros */
struct world *laws_world(struct laws_dice *dice);
/* Derives, plans and applies until nothing is left to do; on the way plans are cut off,
 * what was done is forgotten, HAProxy is reloaded, as the dice have it.  Null, or the
 * law that was broken; lives as long as w. */
const char *laws_check(struct world *w, struct laws_dice *dice, struct laws_tally *tally);

#endif
