/*
 * Weights within a backend: each task's own, or a share of the calls for a service or
 * for its latest revision, whatever its task count (design.md, sections 3 and 9).
 */
#ifndef PLAN_DESIRED_SHARE_H
#define PLAN_DESIRED_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "plan/desired.h"
#include "plan/desired_settle.h"

/*
 * Of the n drafts that serve in one backend: ret_weights gets n weights, scaled so that the
 * largest is 256.  Who has a share divides it among its tasks by their weights; the others
 * divide what is left, and have at least a little: a share of 100 must not leave
 * calls without a server while its tasks join.  False: no memory.
 */
NODISCARD bool desired_share_weigh(struct arena *a, struct arena *scratch, struct desired_draft *const *serving,
    size_t n, unsigned *ret_weights, const struct desired_share **ret_shares, size_t *ret_n_shares);

#endif
