/*
 * Randomness as a value: jitter and sampling take numbers from here, so that a
 * test can name the seed.  Seeded once, by the program, from the system.
 * xorshift64*; good enough to spread load, never used for secrets.
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state;
};

static inline struct prng
prng_make(uint64_t seed)
{
	return (struct prng){ .state = seed != 0 ? seed : UINT64_C(0x9e3779b97f4a7c15) };
}

static inline uint32_t
prng_next(struct prng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (uint32_t)((r->state * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

#endif
