/*
 * The model of HAProxy that unit tests, the fuzzer and the torture of allocations play plans
 * against: what actual would be after these steps.  Checks that were pending before have
 * passed by then, those of servers that the steps let join are pending; sessions stay until
 * they are shut.
 */
#ifndef PLAN_APPLY_H
#define PLAN_APPLY_H

#include "base/cleanup.h"
#include "base/err.h"
#include "plan/actual.h"
#include "plan/plan.h"

/* ERR_REFUSED: a step that HAProxy, or one of the laws of plan.h, does not allow. */
NODISCARD enum err_code plan_apply(const struct plan *p, const struct actual *to, struct actual **ret, struct err *e);

#endif
