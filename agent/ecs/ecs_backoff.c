/* Waiting after a failure: see ecs_backoff.h. */
#include "config.h"

#include "ecs/ecs_backoff.h"

#include "aws/aws_error.h"

#define CAP_MS INT64_C(60000)
#define CAP_X  10

int64_t
ecs_backoff_cap_ms(const struct conf_source *s)
{
	const int64_t cap = s->refresh_ms * CAP_X;

	return cap < CAP_MS ? CAP_MS : cap;
}

int64_t
ecs_backoff_ms(const struct conf_source *s, unsigned failures, int64_t least_ms, struct prng *rnd)
{
	const int64_t wait = aws_error_backoff_ms(failures, s->watch_ms, ecs_backoff_cap_ms(s), prng_next(rnd));

	return wait < least_ms ? least_ms : wait;
}
