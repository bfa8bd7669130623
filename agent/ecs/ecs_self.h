/*
 * Who we are, if we run as a task of ECS ourselves: our task, service and cluster, from
 * the task metadata endpoint, version 4 (facts/ecs.md, section 3).  The answer is read
 * purely; the asking is a driver.
 */
#ifndef ECS_ECS_SELF_H
#define ECS_ECS_SELF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/roster.h"
#include "io/http.h"

#define ECS_SELF_ANSWER_MAX ((size_t)1 << 20)
#define ECS_SELF_TRIES      3 /* before others stop waiting for it; it is tried on, every minute */

struct ecs_self;
struct loop;

/* The document of GET URI/task; *ret lives in a. */
NODISCARD enum err_code ecs_self_read(struct arena *a, struct str json, struct roster_self *ret, struct err *e);

/* who: null: not known (yet), and why; borrowed for the length of the call.  Called after
 * ECS_SELF_TRIES failures, or once with who; never from inside ecs_self_new. */
typedef void ecs_self_told_fn(void *arg, const struct roster_self *who, const struct err *why);

/* uri: what ECS_CONTAINER_METADATA_URI_V4 says; copied.  Borrows h. */
NODISCARD enum err_code ecs_self_new(struct loop *l, struct http *h, struct str uri, ecs_self_told_fn *told, void *arg,
    struct ecs_self **ret, struct err *e);
void ecs_self_close(struct ecs_self *s); /* told is not called after; null is fine */

#endif
