/*
 * A server of ours that no candidate explains: what is known of its task otherwise.
 *
 * The configuration or a label no longer exposes it, or a daemon before this one gave
 * it to a task that the roster does not have.  A server that was added bears its
 * task's id; of a slot applied.json may know the task, else its address tells.
 *
 *   its task has ended                     stopping, stopped, or replaced: proven
 *   AWS calls it MISSING, or no known
 *   task explains it (see below)           missing: reported
 *   its task runs, and nothing exposes it
 *   in this backend                        unexposed: reported
 *   else                                   none: it stays
 *
 * That no known task explains it counts after two complete sweeps of every cluster
 * since it was first seen so (plan_rules.swept_twice_ms); not while answers for a cluster
 * of its name come from another account than its task's.  Pure.
 */
#ifndef PLAN_PLAN_ORPHAN_H
#define PLAN_PLAN_ORPHAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "plan/desired.h"
#include "plan/evidence.h"
#include "plan/plan_bind.h"

struct plan_orphan {
	enum evidence evidence;
	const struct roster_task *task; /* null: not known */
	bool is_unexplained;            /* no known task has to do with it */
	/* But its task, by applied.json, is of a cluster whose name we read in another account. */
	bool is_of_other_account;
};

/* The tasks of a roster by id, and those that run by address. */
struct plan_orphan_index;

/* Lives in a; null: the arena refuses. */
struct plan_orphan_index *plan_orphan_index_new(struct arena *a, const struct roster *roster);
struct plan_orphan plan_orphan_of(
    const struct plan_orphan_index *x, const struct desired *d, struct str backend, const struct plan_bound *s);

#endif
