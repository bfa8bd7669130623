/*
 * What the reconciler remembers beyond what HAProxy tells: what was applied, and the
 * operator's hand (design.md, sections 2 and 6), from pass to pass, and which of it is
 * to be written.  A part of reconcile.c.
 */
#ifndef SYNC_RECONCILE_STATE_H
#define SYNC_RECONCILE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "sync/reconcile.h"

struct reconcile_state {
	struct applied *applied; /* of the process that was read last; null: nothing of it */
	struct applied *former;  /* of the one before; null: none known */
	struct applied *written; /* as the file has it; may be one of the above */
	int64_t written_wall_ms;
	struct overlay *overlay;
	struct overlay *planned;                     /* a copy: the plan at hand borrows from it */
	bool overlay_is_new;                         /* to be written at once */
	bool overlay_is_unsaved, applied_is_unsaved; /* to be written again at the next pass */
	bool planned_is_old;
	int64_t next_end_wall_ms; /* when a hold is over; INT64_MAX: none */
	struct fault faults[RECONCILE_N_FILES];
};

NODISCARD enum err_code reconcile_state_init(
    struct reconcile_state *s, const struct reconcile_config *config, struct err *e);
void reconcile_state_free(struct reconcile_state *s);

/* HAProxy was read back.  The findings live until the next call. */
NODISCARD enum err_code reconcile_state_observe(struct reconcile_state *s, const struct actual *actual,
    int64_t now_wall_ms, struct applied_findings *ret, struct err *e);
/* Somebody's hand on a server becomes a hold, or ends one.  said gets what happened. */
NODISCARD enum err_code reconcile_state_respect(
    struct reconcile_state *s, const struct applied_finding *f, int64_t now_wall_ms, struct buf *said, struct err *e);
/* Ends what is over, and fills in what a plan is made with. */
NODISCARD enum err_code reconcile_state_rules(struct reconcile_state *s, const struct roster *roster,
    int64_t now_wall_ms, struct plan_rules *rules, struct err *e);
/* The plan is about to be carried out, or asks for nothing. */
NODISCARD enum err_code reconcile_state_expect(
    struct reconcile_state *s, const struct actual *actual, const struct plan *p, int64_t now_wall_ms, struct err *e);
/* Notes who leaves in p on what is only reported: before it is carried out. */
NODISCARD enum err_code reconcile_state_note_leaves(
    struct reconcile_state *s, const struct plan *p, int64_t now_wall_ms, struct err *e);
/* Since when servers drain, or wait to, by a daemon before this one; entries live in a.  None if
 * the arena refuses: then they drain a little longer. */
struct plan_memory reconcile_state_drains(
    const struct reconcile_state *s, struct arena *a, int64_t now_wall_ms, int64_t now_ms);
/* What is to be written now. */
void reconcile_state_save(struct reconcile_state *s, bool is_pass, int64_t now_wall_ms, struct reconcile_actions *out);

/* The body of reconcile_order; plan and actual may be null. */
NODISCARD enum err_code reconcile_state_order(struct reconcile_state *s, const struct conf *conf,
    const struct actual *actual, const struct plan *plan, const struct reconcile_order *o, int64_t now_wall_ms,
    struct buf *ret_said, struct err *e);

#endif
