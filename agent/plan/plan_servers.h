/* Plans the servers of one backend, slots and named ones alike: see plan.h for the
 * stages and plan_bind.h for who is who. */
#ifndef PLAN_PLAN_SERVERS_H
#define PLAN_PLAN_SERVERS_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "plan/plan_pass.h"

/* Adds the steps of p's backend, for which bound and the counts are made here, and
 * fills *ret but for what plan_diff.c knows.  False: out of memory. */
NODISCARD bool plan_servers(struct plan_pass *p, struct plan_backend *ret);

#endif
