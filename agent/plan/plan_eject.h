/* Ejections: the agent state of one server.  A part of plan_diff. */
#ifndef PLAN_PLAN_EJECT_H
#define PLAN_PLAN_EJECT_H

#include "plan/plan_pass.h"

/* What its agent state should be, for any server of ours. */
void plan_eject(struct plan_pass *p, const struct plan_bound *s);

#endif
