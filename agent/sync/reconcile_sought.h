/*
 * Whom HAProxy serves and the roster does not know: asked of ECS by name, as nothing
 * else tells of their end (design.md, section 6).  Pure; a part of reconcile.c.
 *
 * Before there is a roster these are all whom HAProxy serves, or served when the last
 * daemon wrote: the first sweep leaves out those that it lists.  A server's task is the
 * one that applied.json tells; else the id in its name, if it has one.
 */
#ifndef SYNC_RECONCILE_SOUGHT_H
#define SYNC_RECONCILE_SOUGHT_H

#include <stdbool.h>

#include "base/err.h"
#include "ecs/ecs_sought.h"
#include "ecs/roster.h"
#include "plan/actual.h"
#include "plan/applied.h"
#include "plan/plan.h"

struct reconcile_served { /* each may be null: not known yet, or never */
	const struct roster *roster;
	const struct plan *plan; /* made from roster and actual */
	const struct actual *actual;
	const struct applied *applied, *former; /* of this process, and of the one before */
};

/* *sought is replaced; on failure it is as it was.  *ret_is_new: it has somebody whom it
 * had not. */
NODISCARD enum err_code reconcile_sought_renew(
    struct ecs_sought *sought, const struct reconcile_served *served, bool *ret_is_new, struct err *e);
/* Is this task (by ARN) among those whom a server without a candidate stands for? */
bool reconcile_sought_serves(const struct reconcile_served *served, struct str task_arn);

#endif
