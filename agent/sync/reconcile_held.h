/*
 * Backends that hold servers of ours, as applied.json has it: desired keeps those that nobody
 * asks for any more under the rules of evidence.  A part of reconcile.c.  Pure.
 */
#ifndef SYNC_RECONCILE_HELD_H
#define SYNC_RECONCILE_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "plan/applied.h"
#include "plan/desired.h"
#include "sync/name_set.h"

struct reconcile_held {
	const struct desired_held *items; /* by name; in the arena, the names borrowed */
	size_t n;
};

/* a: null is none; made: the backends that are ours to make, or null, which are held while HAProxy may have
 * them.  False: the arena refuses. */
NODISCARD bool reconcile_held_list(
    struct arena *arena, const struct applied *a, const struct name_set *made, struct reconcile_held *ret);

#endif
