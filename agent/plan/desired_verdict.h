/*
 * Should a task serve?  design.md, section 6, as far as it follows from what AWS
 * said of the task itself.
 */
#ifndef PLAN_DESIRED_VERDICT_H
#define PLAN_DESIRED_VERDICT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "ecs/roster.h"
#include "plan/desired.h"
#include "plan/evidence.h"
#include "plan/reason.h"

struct desired_verdict {
	bool is_candidate; /* false: it never served, so it explains no server */
	enum desired_want want;
	enum evidence evidence;
	enum reason reason; /* NONE: nothing speaks against it */
};

struct desired_verdict desired_verdict_of(const struct roster_task *t, bool require_healthy);
/* The newer running task `by` holds its address:port; is_proof: in the same network. */
struct desired_verdict desired_verdict_replaced(struct desired_verdict v, bool is_proof);
/* As far as we know it runs, and so holds its address. */
bool desired_verdict_is_holder(const struct roster_task *t);
bool desired_verdict_is_over(const struct roster_task *t); /* it runs no more, or is about to end: proven */
/* What v's reason means, for this task; by: who holds its address, or null. */
NODISCARD bool desired_verdict_say(struct arena *a, const struct roster_task *t, struct desired_verdict v,
    const struct roster_task *by, struct str *ret);

#endif
