/*
 * How long whoever reads ECS for one source waits after failures in a row: full jitter from the
 * source's `watch` on, at most ten times its `refresh`, or 60 s if that is more.  Pure.
 */
#ifndef ECS_ECS_BACKOFF_H
#define ECS_ECS_BACKOFF_H

#include <stdint.h>

#include "base/prng.h"
#include "conf/conf.h"

int64_t ecs_backoff_cap_ms(const struct conf_source *s);
/* least_ms: full jitter may say "at once".  failures: before this one. */
int64_t ecs_backoff_ms(const struct conf_source *s, unsigned failures, int64_t least_ms, struct prng *rnd);

#endif
