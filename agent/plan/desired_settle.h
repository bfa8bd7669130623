/*
 * Candidates in the making, and the question who holds an address that several
 * tasks have had (design.md, section 6, "replaced").
 */
#ifndef PLAN_DESIRED_SETTLE_H
#define PLAN_DESIRED_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "ecs/roster.h"
#include "plan/desired.h"
#include "plan/desired_verdict.h"
#include "plan/plan_address.h"

struct desired_draft {
	struct desired_server server; /* want, evidence and weight come last, from the verdict */
	struct plan_address key;
	size_t backend;
	unsigned raw_weight;
	struct desired_verdict verdict;
	const struct roster_task *by; /* a newer task that holds its address */
	bool is_copy;                 /* of a task that another draft stands for */
};

/*
 * A running task that a backend's entry takes, but on which port is not known (its
 * definition is not read, or names several): what HAProxy has at its address may
 * well be that task.
 */
struct desired_shadow {
	size_t backend;
	struct plan_address key; /* port 0: any of that address */
};

/* Of one subnet, or on one container instance: there an address is one task's only. */
bool desired_settle_same_network(const struct roster_task *a, const struct roster_task *b);
int desired_settle_backend_cmp(const struct desired_draft *a, const struct desired_draft *b);
/* Sorts both, and gives those drafts their verdict whose address is another's now,
 * or may be. */
void desired_settle(struct desired_draft **drafts, size_t n, struct desired_shadow *shadows, size_t n_shadows);

#endif
