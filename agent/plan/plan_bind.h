/*
 * Which candidate each slot stands for: the desired one with that address:port
 * (design.md, section 4).  A slot's name says nothing of its task.
 */
#ifndef PLAN_PLAN_BIND_H
#define PLAN_PLAN_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "plan/actual.h"
#include "plan/desired.h"
#include "plan/plan_address.h"

struct plan_slot {
	const struct actual_server *server;
	struct plan_address key;                 /* NONE: it holds no address that a task can have */
	const struct desired_server *stands_for; /* or null */
	bool is_second;                          /* a better slot stands for the same candidate */
};

struct plan_binding {
	struct plan_slot *slots; /* by number, then name */
	size_t n_slots;
	bool *is_held; /* by candidate: a slot holds its address:port */
};

/* Everything in *ret lives in a.  False: the arena refuses. */
NODISCARD bool plan_bind(struct arena *a, const struct desired_backend *desired, const struct actual_backend *actual,
    struct plan_binding *ret);

#endif
