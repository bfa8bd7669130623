/*
 * Tasks that are served and may not be in the roster: what a sweep asks about beyond
 * what is known and listed.  A value; pure.
 *
 * ListTasks shows nobody who was told to stop, so a daemon that was down meanwhile must
 * ask by name.  It asks by id: DescribeTasks refuses a whole call for one ARN of
 * another cluster, and calls an id that it does not have MISSING.
 */
#ifndef ECS_ECS_SOUGHT_H
#define ECS_ECS_SOUGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define ECS_SOUGHT_ARENA_MAX ((size_t)64 << 20)

struct ecs_sought_task {
	struct str id;
	struct str arn; /* empty: not known, it may be in any cluster */
};

struct ecs_sought {                          /* zeroed: nobody */
	const struct ecs_sought_task *tasks; /* sorted by id, each once */
	size_t n;
	struct arena *arena; /* owns the texts */
};

/* In any order, repeats allowed; what ECS would not take for an id is left out. */
NODISCARD enum err_code ecs_sought_make(
    const struct ecs_sought_task *tasks, size_t n, struct ecs_sought *ret, struct err *e);
/* Those of them that is_wanted. */
NODISCARD enum err_code ecs_sought_pick(const struct ecs_sought *from,
    bool (*is_wanted)(const void *arg, const struct ecs_sought_task *t), const void *arg, struct ecs_sought *ret,
    struct err *e);
void ecs_sought_free(struct ecs_sought *s);                                               /* leaves nobody */
const struct ecs_sought_task *ecs_sought_find(const struct ecs_sought *s, struct str id); /* or null */

#endif
