/* Task definitions by ARN, bounded: the least recently used goes first.  Pure. */
#ifndef ECS_TASKDEF_CACHE_H
#define ECS_TASKDEF_CACHE_H

#include "base/err.h"
#include "base/str.h"
#include "ecs/taskdef.h"

#define TASKDEF_CACHE_MAX 4096

struct taskdef_cache;

NODISCARD struct taskdef_cache *taskdef_cache_new(size_t max);
void taskdef_cache_free(struct taskdef_cache *c);                           /* null is fine */
struct taskdef *taskdef_cache_get(struct taskdef_cache *c, struct str arn); /* borrowed, or null */
NODISCARD enum err_code taskdef_cache_put(
    struct taskdef_cache *c, struct taskdef *d, struct err *e); /* takes a reference */

#endif
