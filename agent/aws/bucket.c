/* A token bucket: see bucket.h. */
#include "config.h"

#include "aws/bucket.h"

#define TOKEN_MICRO INT64_C(1000000)
#define FULL_MICRO  (BUCKET_BURST * TOKEN_MICRO)

struct bucket
bucket_make(unsigned rate_milli, int64_t mono_ms)
{
	return (struct bucket){ .rate_milli = rate_milli, .level_micro = FULL_MICRO, .at_ms = mono_ms };
}

/* rate_milli tokens in 1000 s are rate_milli millionths in 1 ms. */
static int64_t
level_at(const struct bucket *b, int64_t mono_ms)
{
	int64_t passed = mono_ms > b->at_ms ? mono_ms - b->at_ms : 0;
	int64_t missing = FULL_MICRO - b->level_micro;

	if (b->rate_milli == 0)
		return b->level_micro;
	/* Divided, not multiplied: the product could be anything after a long sleep. */
	if (passed > missing / b->rate_milli)
		return FULL_MICRO;
	return b->level_micro + passed * b->rate_milli;
}

bool
bucket_take(struct bucket *b, int64_t mono_ms)
{
	int64_t level = level_at(b, mono_ms);

	if (level < TOKEN_MICRO)
		return false;
	b->level_micro = level - TOKEN_MICRO;
	b->at_ms = mono_ms > b->at_ms ? mono_ms : b->at_ms;
	return true;
}

int64_t
bucket_wait_ms(const struct bucket *b, int64_t mono_ms)
{
	int64_t missing = TOKEN_MICRO - level_at(b, mono_ms);

	if (missing <= 0)
		return 0;
	if (b->rate_milli == 0)
		return BUCKET_NEVER_MS;
	return (missing + b->rate_milli - 1) / b->rate_milli;
}
