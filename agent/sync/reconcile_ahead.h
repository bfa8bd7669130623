/*
 * What HAProxy should hold, derived before it is read back: a backend that a new label asks
 * for is among those that are asked about, and need not wait for the look after that.
 * A part of reconcile.c.  Pure.
 */
#ifndef SYNC_RECONCILE_AHEAD_H
#define SYNC_RECONCILE_AHEAD_H

#include "base/arena.h"
#include "plan/desired.h"
#include "sync/reconcile_held.h"

struct reconcile_ahead {
	struct desired *desired;    /* null: nothing was derived ahead */
	struct reconcile_held held; /* with what */
	struct arena *arena;        /* of held */
};

/* In the place of what was there.  What keeps it from being derived keeps it so later, and is told then. */
void reconcile_ahead_derive(struct reconcile_ahead *a, const struct desired_context *in, struct roster *roster);
/* The caller's from now on; null: nothing was derived, or not with what is in `in` now. */
struct desired *reconcile_ahead_take(struct reconcile_ahead *a, const struct desired_context *in);
void reconcile_ahead_drop(struct reconcile_ahead *a);

#endif
