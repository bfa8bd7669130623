/*
 * Which tasks a pass asks about.  Pure: the policy of design.md, section 4, in one
 * page.
 */
#ifndef ECS_ECS_INTEREST_H
#define ECS_ECS_INTEREST_H

#include <stdbool.h>

#include "ecs/ecs_ledger.h"
#include "ecs/ecs_sweep.h"

/* In the order in which it is asked for. */
enum ecs_interest {
	ECS_INTEREST_NONE,
	ECS_INTEREST_ENDING,   /* it vanished from the list, or is known to end: what an operator waits for */
	ECS_INTEREST_ENTERING, /* it is new, or does not serve yet */
	ECS_INTEREST_REST      /* nothing speaks for a change: FULL asks all the same */
};

/* Is it to be described?  l is settled. */
enum ecs_interest ecs_interest_describe(
    const struct ecs_sweep_start *start, const struct ecs_ledger *l, const struct ecs_ledger_entry *entry);
/* Once described: is its definition to be read? */
bool ecs_interest_define(const struct ecs_sweep_start *start, const struct ecs_ledger_entry *entry);

#endif
