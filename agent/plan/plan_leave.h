/* How a server leaves: for good, to come back with other settings, or by a hold. */
#ifndef PLAN_PLAN_LEAVE_H
#define PLAN_PLAN_LEAVE_H

#include <stdbool.h>

#include "plan/plan_pass.h"

/* On the evidence of the candidate that it stands for. */
void plan_leave(struct plan_pass *p, const struct plan_bound *s);
/* One that no candidate explains: on plan_leave_unknown_evidence, else on what is known of
 * its task (plan_orphan.h). */
void plan_leave_unknown(struct plan_pass *p, const struct plan_bound *s);
/* What its removal had begun on; else that its task, by what was applied, is over: one that
 * has stopped may have lost the address that it would be known by.  NONE: nothing. */
enum evidence plan_leave_unknown_evidence(const struct plan_pass *p, const struct plan_bound *s);
/* True: it is on its way out, to be added anew.  False: not now, it serves on as it is. */
NODISCARD bool plan_leave_renew(struct plan_pass *p, const struct plan_bound *s);

#endif
