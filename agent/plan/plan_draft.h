/*
 * A plan in the making: steps by phase, what to remember, when to look again.
 *
 * Adding never fails by itself; plan_draft_freeze tells if anything was lost.
 */
#ifndef PLAN_PLAN_DRAFT_H
#define PLAN_PLAN_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "plan/plan.h"
#include "plan/plan_list.h"
#include "plan/plan_orphan.h"

/* The order of steps in the plan. */
enum plan_phase {
	PLAN_PHASE_BACKEND,
	PLAN_PHASE_CA,
	PLAN_PHASE_ENTER,
	PLAN_PHASE_READY,
	PLAN_PHASE_TUNE,
	PLAN_PHASE_MAINT, /* and DRAIN */
	PLAN_PHASE_SHUTDOWN,
	PLAN_PHASE_DELETE,
	PLAN_PHASE_UNMAKE,
	/* must stay last */
	PLAN_N_PHASES
};

struct plan_draft {
	const struct plan_rules *rules;
	const struct roster *roster; /* that of desired */
	const struct actual *actual;
	const struct plan_memory *before;
	struct arena *arena;   /* the plan's */
	struct arena *scratch; /* of this call */
	struct plan_list steps[PLAN_N_PHASES];
	struct plan_list memory, unexplained;
	struct plan_list held;
	bool *is_ca_loading; /* by rules->cas: a step of this plan loads it */
	const struct desired *desired;
	struct plan_orphan_index *tasks; /* made when the first server is met that no candidate explains */
	int64_t next_ms;
};

/* Borrows all of it.  False: out of memory; d may be freed then, too. */
NODISCARD bool plan_draft_start(struct plan_draft *d, const struct plan_rules *rules, const struct actual *actual,
    const struct plan_memory *before, struct arena *arena, struct arena *scratch);
void plan_draft_free(struct plan_draft *d);
void plan_draft_step(struct plan_draft *d, enum plan_phase phase, struct plan_step step);
/* What was remembered of this server at this address, in maintenance or still serving;
 * or a new entry as of now. */
struct plan_memory_entry plan_draft_recall(
    const struct plan_draft *d, struct str backend, const struct actual_server *s);
/* Since when no known task explains this server, as remembered; from now on it is. */
int64_t plan_draft_unexplained_since(struct plan_draft *d, struct str backend, const struct actual_server *s);
void plan_draft_remember(struct plan_draft *d, struct plan_memory_entry entry);
void plan_draft_hold(struct plan_draft *d, struct plan_held held);
void plan_draft_wake(struct plan_draft *d, int64_t at_ms);
/* Fills steps, held, memory and next_ms of *p.  False: memory ran out here or before. */
NODISCARD bool plan_draft_freeze(struct plan_draft *d, struct plan *p);

#endif
