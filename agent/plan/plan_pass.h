/*
 * What is at hand while one backend is planned, and the questions that all parts of
 * it ask: plan_servers (who is who, what is shown), plan_enter, plan_leave.
 */
#ifndef PLAN_PLAN_PASS_H
#define PLAN_PLAN_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/plan.h"
#include "plan/plan_bind.h"
#include "plan/plan_draft.h"

struct plan_pass {
	struct plan_draft *draft;
	const struct desired_backend *desired;
	const struct actual_backend *actual;
	enum plan_strategy strategy;
	bool is_paused, is_stopping;
	struct plan_binding bound;
	/* A server takes calls whose task is not known (yet): weights, which are in proportion to
	 * one another, would be those of a part.  Filled by plan_servers. */
	bool has_unknown;
	size_t n_put_off;   /* steps that the pause keeps back */
	size_t n_unweighed; /* servers that keep another weight than they should have, as has_unknown */
	/* Of those that stay: who takes calls, who is about to, who comes back with other settings. */
	size_t n_up, n_joining, n_renewing;
	/* Of health (plan_health.h): how many must take calls, whatever ECS calls them; of those that
	 * it took out, how many come back, and how many of them wait for their check already. */
	size_t n_needed, n_back, n_back_gated;
};

/* ---- who is who ---- */

bool plan_pass_is_leaving(const struct plan_bound *s);
/* Has its place, even if nothing runs there at the moment. */
bool plan_pass_is_staying(const struct plan_bound *s);
bool plan_pass_should_serve(const struct plan_bound *s); /* stays, and is wanted to serve */
bool plan_pass_takes_calls(const struct plan_bound *s);  /* of weight 0, a server takes none */
bool plan_pass_has_address(const struct plan_bound *s);
enum evidence plan_pass_evidence(const struct plan_bound *s);
/* Null: nobody's hand is on it, or it goes whatever the hand says. */
const struct overlay_hold *plan_pass_hold(const struct plan_pass *p, const struct plan_bound *s);
const struct overlay_hold *plan_pass_hold_on(const struct plan_pass *p, const struct desired_server *d);
enum overlay_admin plan_pass_held_admin(const struct overlay_hold *h); /* h may be null */
/* Of this process; null: nothing is known of it.  Looked up once: s->applied. */
const struct applied_server *plan_pass_find_applied(const struct plan_pass *p, const struct plan_bound *s);
/* The CA that servers of these settings are verified by; null: none, or (*ret_is_missing)
 * one that could not be read. */
const struct plan_ca *plan_pass_ca(const struct plan_pass *p, const struct conf_policy *policy, bool *ret_is_missing);
/* The settings of a server as a number, what its CA holds among them. */
uint64_t plan_pass_spec(const struct desired_server *d, const struct plan_ca *ca);
/* Was added with other settings, or at another address, than its candidate has now. */
bool plan_pass_is_stale(const struct plan_pass *p, const struct plan_bound *s);
/* Stale, and to be deleted and added anew: where that is possible. */
bool plan_pass_renews(const struct plan_pass *p, const struct plan_bound *s);
/* Is on its way to serve: enters, or awaits a check. */
bool plan_pass_is_joining(const struct plan_pass *p, const struct plan_bound *s);
/* It served under the process before this one, and has not served under this one yet. */
bool plan_pass_is_trusted(const struct plan_pass *p, const struct desired_server *d);

/* Likewise, and it is only to stay, or to leave on what proves nothing: that HAProxy was reloaded
 * is no evidence.  It serves as it did, and whoever speaks against it is heard after that. */
bool plan_pass_comes_back(const struct plan_pass *p, const struct desired_server *d);

bool plan_pass_is_closed(const struct plan_pass *p); /* nobody enters */
bool plan_pass_is_at_least(const struct plan_pass *p, unsigned major, unsigned minor);

/* ---- steps ---- */

struct plan_step plan_pass_step(const struct plan_pass *p, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why);
/* False: not now (paused, or HAProxy is going down). */
bool plan_pass_emit(struct plan_pass *p, enum plan_phase phase, struct plan_step step);
void plan_pass_add(struct plan_pass *p, enum plan_phase phase, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why);
/* What a hold says, else what the candidate does: only what differs. */
void plan_pass_tune(struct plan_pass *p, enum plan_phase phase, const struct actual_server *s,
    const struct desired_server *d, const struct overlay_hold *h);
unsigned plan_pass_weight(const struct plan_pass *p, const struct desired_server *d, const struct overlay_hold *h);

#endif
