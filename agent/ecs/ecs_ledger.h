/*
 * What one pass over a cluster has learnt, held against what was known before
 * it.  Pure; the half of the sweep that weighs evidence, as ecs_sweep.c is the
 * half that asks.
 *
 * An entry stands for every task that was known or is listed, or is sought: somebody
 * still serves it, so that it is to be asked about.  Nothing changes a task's facts but
 * an answer that names it, and only a complete list says of a task that it is not
 * listed.
 */
#ifndef ECS_ECS_LEDGER_H
#define ECS_ECS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "ecs/ecs_hosts.h"
#include "ecs/ecs_origin.h"
#include "ecs/ecs_sought.h"
#include "ecs/roster.h"

#define ECS_LEDGER_FACTS_MAX ((size_t)512 << 20)

struct ecs_ledger_entry {
	struct str arn;                   /* of one that is sought: its id */
	const struct roster_task *before; /* as known; null: it is new */
	const struct roster_task *now;    /* news of it; null: none, or it was told what is known */
	struct taskdef *definition; /* read in this pass, for a task that had none; borrowed until the facts are made */
	int64_t described_wall_ms;  /* if described */
	unsigned asked;             /* id of the call that asks for it; 0: none */
	bool listed;                /* by this pass */
	bool sought;                /* neither known nor listed */
	bool described, missing;    /* what the answer to that call said */
};

struct ecs_ledger;

/* before: null, or referenced. */
NODISCARD enum err_code ecs_ledger_new(struct roster_facts *before, struct ecs_ledger **ret, struct err *e);
void ecs_ledger_free(struct ecs_ledger *l); /* null is fine */

/* A page of the list.  The same ARN twice is once. */
NODISCARD enum err_code ecs_ledger_list(struct ecs_ledger *l, const struct str *arns, size_t n, struct err *e);
/* No page comes any more; whole: all were seen.  From here on there are entries, sorted by
 * ARN, and behind them those that are sought (null: nobody) and have none of these. */
NODISCARD enum err_code ecs_ledger_settle(
    struct ecs_ledger *l, bool whole, const struct ecs_sought *sought, struct err *e);
size_t ecs_ledger_count(const struct ecs_ledger *l);
struct ecs_ledger_entry *ecs_ledger_entry(struct ecs_ledger *l, size_t i);
struct ecs_ledger_entry *ecs_ledger_find(struct ecs_ledger *l, struct str arn); /* or null; a sought one by its id */

/* The latest that is known of it; null: only that it is listed. */
const struct roster_task *ecs_ledger_task(const struct ecs_ledger_entry *entry);
/* Not over, as far as we know, and a complete list does not have it. */
bool ecs_ledger_is_vanished(const struct ecs_ledger *l, const struct ecs_ledger_entry *entry);
/* AWS describes it as t, whose version is not lower than what is known (else it is old news, and passed over). */
NODISCARD enum err_code ecs_ledger_describe(
    struct ecs_ledger *l, struct ecs_ledger_entry *entry, const struct roster_task *t, int64_t wall_ms, struct err *e);

struct ecs_ledger_close {
	/* A full pass, all of it answered: MISSING counts of those whom origin has, if answers
	 * were provably of it. */
	bool counts_missing;
	const struct ecs_origin *origin;
	int64_t wall_ms;
	struct ecs_hosts *hosts; /* whose addresses tasks of bridge and host get; may be null */
	/* Ended tasks that it holds are kept beyond ROSTER_ENDED_KEPT_MS; may be null. */
	bool (*is_held)(void *arg, const struct roster_task *task);
	void *arg;
};

/* New facts, or another reference of those before, if nothing changed.  Null if
 * nothing is known and no list was complete. */
NODISCARD enum err_code ecs_ledger_facts(
    struct ecs_ledger *l, const struct ecs_ledger_close *close, struct roster_facts **ret, struct err *e);

#endif
