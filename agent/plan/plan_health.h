/*
 * Servers whose task ECS calls UNHEALTHY (design.md, section 6): they are taken out of
 * service, keep streams and place, and come back when it is healthy again.
 *
 * Health alone never takes more than a share: panic_threshold % of those that have
 * their place in the backend stay in service, and one at least.  Whoever HAProxy's
 * checks or an ejection took out counts as out.  If too few are left, as many as are
 * needed come back, through HAProxy's check.
 */
#ifndef PLAN_PLAN_HEALTH_H
#define PLAN_PLAN_HEALTH_H

#include <stdbool.h>

#include "plan/plan_pass.h"

/* Out, or to go out, for no other reason, and in nobody's hand. */
bool plan_health_is_case(const struct plan_pass *p, const struct plan_bound *s);
/* Before any server is planned: how many are needed, and how many must come back. */
void plan_health_count(struct plan_pass *p);
void plan_health(struct plan_pass *p, const struct plan_bound *s);

#endif
