/*
 * What events do to the facts of a cluster.  Pure.
 *
 * An event is a hint, with one exception: one that says of a task we know that it ends is
 * evidence (design.md, section 6), and changes its facts at once: its status, nothing else
 * of it.  For everything else, and everyone else, ECS is asked.  Events come twice, late,
 * in any order or not at all; a task's version and the fact that no task ever goes back in
 * its life put them right.  Should ECS itself, a while later, still say otherwise, then ECS
 * is right (ECS_TOLD_OUTVOTED_MS), and is asked from then on before such an event is believed
 * of this task: whoever may write to the queue may write anything.
 */
#ifndef ECS_ECS_TOLD_H
#define ECS_ECS_TOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "ecs/ecs_event.h"
#include "ecs/roster.h"

/* Answers are read from replicas that lag, and events take a second themselves. */
#define ECS_TOLD_OUTVOTED_MS INT64_C(30000)

enum ecs_told_verdict {
	ECS_TOLD_NOTHING, /* old news, or about nobody we need to know */
	ECS_TOLD_END,     /* a known task ends, or has come further in it */
	ECS_TOLD_ASK,     /* DescribeTasks has more to say of it than we know */
};

/* Is it of this account and cluster (an ARN each; empty: not known yet, so nobody's)? */
bool ecs_told_is_of(const struct ecs_event *event, struct str account, struct str cluster_arn);
/* facts: of its cluster; null: nothing is known. */
enum ecs_told_verdict ecs_told_judge(const struct roster_facts *facts, const struct roster_task *told);
/* The facts with each end that is one still (ECS_TOLD_END), in any order; or another
 * reference of facts, if none is. */
NODISCARD enum err_code ecs_told_apply(struct roster_facts *facts, const struct roster_task *ends, size_t n,
    int64_t wall_ms, struct roster_facts **ret, struct err *e);

#endif
