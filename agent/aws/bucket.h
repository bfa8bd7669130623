/*
 * A token bucket: how many calls may go now, and when the next may.  Pure.
 * One per source, so that all of rollcalld's calls to an account stay within
 * `rate_limit` (design.md, section 3).
 */
#ifndef AWS_BUCKET_H
#define AWS_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_BURST     20
#define BUCKET_WINDOW_MS INT64_C(60000)
#define BUCKET_NEVER_MS  INT64_C(3600000) /* the wait for a bucket without a rate: look again then */

struct bucket {
	unsigned rate_milli; /* tokens per 1000 s */
	int64_t level_micro; /* millionths of a token: rate_milli per ms */
	int64_t at_ms;
	/* Tokens taken in the window of BUCKET_WINDOW_MS that began at window_ms, and in the
	 * one before it. */
	int64_t window_ms;
	unsigned taken, taken_before;
};

struct bucket bucket_make(unsigned rate_milli, int64_t mono_ms); /* full */
bool bucket_take(struct bucket *b, int64_t mono_ms);
/* 0 if a token is there now. */
int64_t bucket_wait_ms(const struct bucket *b, int64_t mono_ms);
/* Of what the rate alone allows, over about the last BUCKET_WINDOW_MS; a burst may
 * take it over 100.  0 where there is no rate. */
unsigned bucket_used_percent(const struct bucket *b, int64_t mono_ms);

#endif
