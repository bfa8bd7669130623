/* How a server comes into service: a slot that is taken, a server that is added, or
 * one that comes back. */
#ifndef PLAN_PLAN_ENTER_H
#define PLAN_PLAN_ENTER_H

#include <stdbool.h>

#include "plan/plan_pass.h"

/* Holds an address that is its candidate's: goes on from how it stands. */
void plan_enter_go_on(struct plan_pass *p, const struct plan_bound *s);
/* Gives each candidate without a server a place; fills unplaced, n_free_slots and
 * missing_ca.  False: out of memory. */
NODISCARD bool plan_enter_place(struct plan_pass *p, struct plan_backend *ret);
/* Free to be addressed, or to be shown as such. */
bool plan_enter_is_free(const struct plan_bound *s);

#endif
