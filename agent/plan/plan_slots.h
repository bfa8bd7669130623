/* Plans a backend with slots: see plan.h for the stages and plan_bind.h for who is who. */
#ifndef PLAN_PLAN_SLOTS_H
#define PLAN_PLAN_SLOTS_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "plan/plan.h"
#include "plan/plan_draft.h"

/* Adds the steps of one backend to d and fills *ret but for its name, exists and
 * strategy.  False: out of memory. */
NODISCARD bool plan_slots(struct plan_draft *d, const struct desired_backend *desired,
    const struct actual_backend *actual, struct plan_backend *ret);

#endif
