/*
 * Which candidate each server of ours stands for (design.md, section 4).
 *
 * A slot's name says nothing of its task: it stands for the candidate at its
 * address:port.  A named server stands for the candidate of its name, and of several
 * (one task id in two clusters) for the one at its address:port.  A name that no
 * candidate bears is that of a task which is forgotten: if another one serves at its
 * address:port by now, that one has replaced it; else nobody explains it.
 */
#ifndef PLAN_PLAN_BIND_H
#define PLAN_PLAN_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "plan/actual.h"
#include "plan/applied.h"
#include "plan/desired.h"
#include "plan/plan_address.h"

struct plan_bound {
	const struct actual_server *server;
	struct plan_address key;                 /* NONE: it holds no address that a task can have */
	const struct desired_server *stands_for; /* or null */
	bool is_second;                          /* a better server stands for the same candidate */
	bool is_moved;                           /* it bears its candidate's name, but not its address:port */
	const struct applied_server *applied;    /* of this process; null: nothing is known.  Filled by plan_servers */
	bool is_replaced; /* it bears the name of nobody known; stands_for serves at its address:port by now */
	bool is_given;    /* this plan gives the slot to another.  Filled by plan_enter_place */
	/* Nobody explains it, but this is known of it (plan_orphan.h).  Filled by plan_servers. */
	enum evidence orphan_evidence;
	const struct roster_task *orphan_task;
};

struct plan_binding {
	struct plan_bound *servers; /* the slots by number, then those with a name by it */
	size_t n_servers;
	size_t n_slots; /* of these, the first */
	bool *is_held;  /* by candidate: a server stands for it, and has its place */
	bool *is_best;  /* likewise: nobody has a better claim on its address */
};

/* Everything in *ret lives in a.  False: the arena refuses. */
NODISCARD bool plan_bind(struct arena *a, const struct desired_backend *desired, const struct actual_backend *actual,
    struct plan_binding *ret);
/* The server of ours with this name, or null; slots are not looked at. */
const struct plan_bound *plan_bind_find_named(const struct plan_binding *b, struct str name);

#endif
