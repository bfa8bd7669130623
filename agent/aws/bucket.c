/* A token bucket: see bucket.h. */
#include "config.h"

#include "aws/bucket.h"

#define TOKEN_MICRO INT64_C(1000000)
#define FULL_MICRO  (BUCKET_BURST * TOKEN_MICRO)

struct bucket
bucket_make(unsigned rate_milli, int64_t mono_ms)
{
	return (struct bucket){
		.rate_milli = rate_milli,
		.level_micro = FULL_MICRO,
		.at_ms = mono_ms,
		.window_ms = mono_ms,
	};
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

/* The windows as they are at this time. */
static struct bucket
windows_at(const struct bucket *b, int64_t mono_ms)
{
	struct bucket now = *b;
	int64_t passed = mono_ms > b->window_ms ? (mono_ms - b->window_ms) / BUCKET_WINDOW_MS : 0;

	if (passed > 0) {
		now.taken_before = passed == 1 ? b->taken : 0;
		now.taken = 0;
		now.window_ms = b->window_ms + passed * BUCKET_WINDOW_MS;
	}
	return now;
}

bool
bucket_take(struct bucket *b, int64_t mono_ms)
{
	int64_t level = level_at(b, mono_ms);

	if (level < TOKEN_MICRO)
		return false;
	*b = windows_at(b, mono_ms);
	b->taken++;
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

unsigned
bucket_used_percent(const struct bucket *b, int64_t mono_ms)
{
	const struct bucket now = windows_at(b, mono_ms);
	int64_t into = mono_ms > now.window_ms ? mono_ms - now.window_ms : 0;
	/* The window before counts for as much of it as the last minute still covers. */
	int64_t taken_ms = now.taken_before * (BUCKET_WINDOW_MS - into) + now.taken * BUCKET_WINDOW_MS;
	int64_t allowed_ms = (int64_t)b->rate_milli * BUCKET_WINDOW_MS / 1000 * BUCKET_WINDOW_MS / 1000;

	return allowed_ms > 0 ? (unsigned)(taken_ms * 100 / allowed_ms) : 0;
}
