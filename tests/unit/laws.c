/*
 * The laws, as checks: see laws.h.
 *
 * Each check returns null or names the law that was broken.  They are slow and
 * plain: every question is answered by looking at everything.
 */
#include "config.h"

#include "laws.h"

#include <assert.h>
#include <stdio.h>

#include "laws_ask.h"
#include "plan_apply.h"

#define ROUNDS_MAX   200
#define QUIET_ROUNDS 32 /* longer than a server that is to go may wait for others */
#define ROUND_MS     INT64_C(10000)
#define WALL_MS      INT64_C(1700000000000)
#define STORMY       14 /* rounds in which something may go wrong */

/* ---- laws of the guard ---- */

/* Is somebody about to serve in this backend, who does not yet? */
static bool
is_somebody_coming(const struct plan *asked, struct str backend)
{
	const struct plan_backend *b = plan_find(asked, backend);

	if (b->n_unplaced > 0 && !b->is_closed)
		return true;
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].state == PLAN_STATE_JOINING ||
		    (b->servers[i].state == PLAN_STATE_HELD && !laws_takes_calls(b->servers[i].actual)))
			return true;
	for (size_t i = 0; i < asked->n_steps; i++)
		if ((asked->steps[i].kind == PLAN_ADDRESS || asked->steps[i].kind == PLAN_ADD) &&
		    str_eq(asked->steps[i].backend, backend))
			return true;
	return false;
}

static bool
may_wait(const struct plan *asked, const struct plan_step *st)
{
	if (st->kind != PLAN_MAINT || !st->takes_calls || st->by_operator)
		return false;
	if (st->is_respec)
		return true;
	return (st->evidence == EVIDENCE_STOPPING || st->evidence == EVIDENCE_REPLACED) && !st->is_overdue &&
	       is_somebody_coming(asked, st->backend);
}

/* Evidence of the second kind: laws_check_soft tells what it carries. */
static bool
is_soft(const struct plan_step *st)
{
	return st->evidence == EVIDENCE_MISSING || st->evidence == EVIDENCE_UNEXPOSED ||
	       (st->evidence == EVIDENCE_UNHEALTHY && st->kind == PLAN_MAINT);
}

static const char *
check_one_guarded(const struct plan *asked, const struct plan_step *st, bool goes)
{
	if (goes && laws_is_removal(st) && !evidence_is_proven(st->evidence) && !is_soft(st))
		return "a removal without proof";
	if (!goes && !plan_step_removes(st->kind))
		return "an addition was held";
	if (!goes && (laws_is_vacant_maint(st) || st->by_operator))
		return "the operator's hand was held";
	if (!goes && (st->is_respec || evidence_is_proven(st->evidence)) && !may_wait(asked, st))
		return "a proven removal was held";
	return NULL;
}

static const char *
check_guard(const struct laws_round *r, const struct plan *asked)
{
	size_t k = 0;

	for (size_t i = 0; i < asked->n_steps; i++) {
		const struct plan_step *st = &asked->steps[i];
		bool goes = k < r->plan->n_steps && memcmp(st, &r->plan->steps[k], sizeof(*st)) == 0;
		const char *broken = check_one_guarded(asked, st, goes);

		if (broken != NULL)
			return broken;
		k += goes ? 1 : 0;
	}
	if (k != r->plan->n_steps || r->plan->n_held - asked->n_held != asked->n_steps - k)
		return "the guard made steps up, or lost some";
	return NULL;
}

/* ---- laws of what comes of it ---- */

/* Does somebody serve at this place? */
static bool
is_served(const struct actual_backend *b, struct str address, uint16_t port)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].admin == ACTUAL_READY &&
		    laws_same_place(b->servers[i].address, b->servers[i].port, address, port))
			return true;
	return false;
}

static size_t
count_up(const struct actual_backend *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_servers; i++)
		n += b->servers[i].is_ours && laws_takes_calls(&b->servers[i]) ? 1 : 0;
	return n;
}

static const char *
check_kept(const struct laws_round *r, const struct actual_backend *b, const struct actual_backend *after,
    const struct actual_server *s)
{
	const struct laws_who who = laws_who(r, b->name, s);
	const struct actual_server *now = NULL;
	bool serves_as_before;

	for (size_t i = 0; i < after->n_servers; i++)
		if (str_eq(after->servers[i].name, s->name))
			now = &after->servers[i];
	serves_as_before = now != NULL && now->admin == ACTUAL_READY && str_eq(s->address, now->address);
	if (!s->is_ours && (now == NULL || now->admin != s->admin || now->weight != s->weight))
		return "what is not ours was touched";
	if (!s->is_ours || s->admin != ACTUAL_READY || s->address.len == 0)
		return NULL;
	if (who.candidate == NULL && !who.is_begun && !serves_as_before && laws_orphan(r, b->name, s) == EVIDENCE_NONE)
		return "what nothing explains was taken away";
	if (who.candidate == NULL || evidence_is_proven(who.evidence) || who.evidence == EVIDENCE_MISSING ||
	    who.evidence == EVIDENCE_UNHEALTHY || who.is_moved || laws_is_stale(r, b->name, s) ||
	    laws_held(r, b->name, who.candidate) != OVERLAY_FREE)
		return NULL;
	return is_served(after, s->address, s->port) ? NULL : "a place went out of service without proof";
}

static bool
has_renewal(const struct plan *p, struct str backend)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].is_respec && p->steps[i].takes_calls && str_eq(p->steps[i].backend, backend))
			return true;
	return false;
}

/* One that takes calls now, and has not passed a check since it came. */
static const char *
check_gated(const struct laws_round *r, struct str backend, const struct actual_server *now)
{
	const struct actual_server *before = laws_server(r->before, backend, now->name);
	bool was_at = before != NULL && laws_same_place(before->address, before->port, now->address, now->port);
	struct laws_who who;

	if (!now->is_ours || !laws_takes_calls(now) || now->check != ACTUAL_CHECK_PENDING)
		return NULL;
	if (was_at && before->admin == ACTUAL_READY)
		return NULL;
	if (was_at && (before->check == ACTUAL_CHECK_PASSED || before->check == ACTUAL_UNCHECKED))
		return NULL;
	who = laws_who(r, backend, now);
	if (who.candidate != NULL && laws_is_trusted(r, backend, who.candidate))
		return NULL;
	return "a call before a passed check";
}

static const char *
check_after(const struct laws_round *r, const struct actual *after)
{
	for (size_t i = 0; i < r->before->n_backends; i++) {
		const struct actual_backend *b = &r->before->backends[i], *now = &after->backends[i];
		const char *broken = NULL;

		for (size_t k = 0; broken == NULL && k < b->n_servers; k++)
			broken = check_kept(r, b, now, &b->servers[k]);
		for (size_t k = 0; broken == NULL && k < now->n_servers; k++)
			broken = check_gated(r, b->name, &now->servers[k]);
		if (broken == NULL && has_renewal(r->plan, b->name) && count_up(now) == 0)
			broken = "the last that takes calls went for other settings";
		if (broken != NULL)
			return broken;
	}
	return NULL;
}

/* ---- laws of the end ---- */

static bool
may_be_unplaced(const struct laws_round *r, const struct plan_backend *p, const struct desired_server *d)
{
	const struct actual_backend *b = actual_find(r->before, p->name);
	bool is_named = false;

	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		is_named = is_named || str_eq(b->servers[i].name, d->name);
	return p->strategy != PLAN_STRATEGY_DYNAMIC || is_named ||
	       (p->missing_ca.len > 0 && d->policy->tls && d->policy->tls_ca_file.len > 0);
}

/* Weights are in proportion: none is changed beside a server of which nothing is known. */
static bool
is_known_in_part(const struct laws_round *r, struct str backend)
{
	const struct plan_backend *b = plan_find(r->plan, backend);

	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].desired == NULL && b->servers[i].evidence == EVIDENCE_NONE &&
		    b->servers[i].actual->admin == ACTUAL_READY)
			return true;
	return false;
}

static const char *
check_serving(const struct laws_round *r, const struct actual_backend *b, const struct desired_server *d,
    const struct actual_server *s)
{
	const struct overlay_hold *h = laws_hold(r, b->name, d);
	enum overlay_admin held = laws_held(r, b->name, d);
	unsigned weight = b->small_weights && d->weight > 0 ? (d->weight * 16 + 128) / 256 : d->weight;

	weight = weight > 0 || d->weight == 0 ? weight : 1;
	if (h != NULL && h->has_weight)
		weight = h->weight;
	if (held == OVERLAY_FREE && s->admin != ACTUAL_READY && s->check != ACTUAL_CHECK_FAILED)
		return "in the end, a task does not serve";
	if (held != OVERLAY_FREE && s->admin != (held == OVERLAY_DRAIN ? ACTUAL_DRAIN : ACTUAL_MAINT))
		return "in the end, a hold is not obeyed";
	if ((s->weight != weight && !is_known_in_part(r, b->name)) || (d->maxconn > 0 && s->maxconn != d->maxconn))
		return "in the end, a weight or a limit is wrong";
	return NULL;
}

/* Another one stands for its candidate: a slot that is free for that is not shown. */
static bool
is_second(const struct plan_backend *p, const struct actual_server *s)
{
	for (size_t i = 0; i < p->n_servers; i++)
		if (p->servers[i].actual == s)
			return p->servers[i].evidence == EVIDENCE_REPLACED;
	return s->is_slot;
}

static const char *
check_served(const struct laws_round *r, const struct plan_backend *p, const struct actual_backend *b,
    const struct desired_server *d)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_unplaced; i++) {
		n += p->unplaced[i] == d ? 1 : 0;
		if (p->unplaced[i] == d && !may_be_unplaced(r, p, d))
			return "in the end, a task has no place that it could have";
	}
	for (size_t i = 0; b != NULL && b->exists && i < b->n_servers; i++) {
		const struct actual_server *s = &b->servers[i];
		const struct laws_who who = laws_who(r, b->name, s);
		const char *broken;

		if (!s->is_ours || who.candidate != d || who.is_replaced ||
		    (who.is_moved && p->strategy == PLAN_STRATEGY_SLOTS) ||
		    (s->admin == ACTUAL_MAINT && is_second(p, s) && laws_has_better(r, b->name, s)))
			continue;
		n++;
		if ((who.is_moved && (p->strategy == PLAN_STRATEGY_NONE || laws_held(r, b->name, d) != OVERLAY_FREE)) ||
		    (laws_is_stale(r, b->name, s) && s->sessions > 0)) /* can't be renewed, or waits for its streams */
			continue;
		broken = check_serving(r, b, d, s);
		if (broken != NULL)
			return broken;
	}
	return n == 1 ? NULL : "in the end, a task is not in exactly one place";
}

static const char *
check_gone(const struct laws_round *r, const struct actual_backend *b, const struct actual_server *s)
{
	const struct laws_who who = laws_who(r, b->name, s);

	if (!s->is_ours || !evidence_is_proven(who.evidence) || s->address.len == 0)
		return NULL;
	if (s->admin == ACTUAL_READY)
		return "in the end, a task that ended serves";
	if (!s->is_slot && s->admin == ACTUAL_MAINT && s->sessions == 0 && s->queued == 0 && !r->before->stopping)
		return "in the end, the server of a task that ended is there";
	return NULL;
}

static const char *
check_end(const struct laws_round *r)
{
	for (size_t i = 0; i < r->desired->n_backends; i++) {
		const struct desired_backend *d = &r->desired->backends[i];
		const struct actual_backend *b = actual_find(r->before, d->name);
		const char *broken = NULL;

		for (size_t k = 0; broken == NULL && b != NULL && b->exists && k < b->n_servers; k++)
			broken = check_gone(r, b, &b->servers[k]);
		for (size_t k = 0; broken == NULL && k < d->n_servers && !r->plan->backends[i].is_closed; k++)
			if (d->servers[k].want == DESIRED_SERVE)
				broken = check_served(r, &r->plan->backends[i], b, &d->servers[k]);
		if (broken != NULL)
			return broken;
	}
	return NULL;
}

/* ---- one round ---- */

static void
count_steps(const struct laws_round *r)
{
	struct laws_tally *t = r->tally;

	for (size_t i = 0; i < r->plan->n_steps; i++) {
		const struct plan_step *st = &r->plan->steps[i];

		t->adds += st->kind == PLAN_ADDRESS || st->kind == PLAN_ADD ? 1 : 0;
		t->removals += laws_is_removal(st) ? 1 : 0;
		t->shutdowns += st->kind == PLAN_SHUTDOWN ? 1 : 0;
		t->deletes += st->kind == PLAN_DELETE ? 1 : 0;
		t->replaced += laws_is_removal(st) && st->evidence == EVIDENCE_REPLACED ? 1 : 0;
		t->renewals += st->is_respec && st->kind == PLAN_MAINT ? 1 : 0;
		t->obeyed += st->by_operator && plan_step_removes(st->kind) ? 1 : 0;
		t->backends += st->kind == PLAN_BACKEND ? 1 : 0;
		t->cas += st->kind == PLAN_CA ? 1 : 0;
		t->reported += laws_is_removal(st) && evidence_is_reported(st->evidence) ? 1 : 0;
		t->orphans += laws_is_removal(st) && st->is_orphan ? 1 : 0;
		t->unhealthy += laws_is_removal(st) && st->evidence == EVIDENCE_UNHEALTHY ? 1 : 0;
		t->back += st->kind == PLAN_JOIN && st->evidence == EVIDENCE_UNHEALTHY ? 1 : 0;
		t->trusted += st->kind == PLAN_READY && laws_is_trusted(r, st->backend, st->why) ? 1 : 0;
	}
	for (size_t i = 0; i < r->plan->n_backends; i++)
		t->frozen += r->plan->backends[i].is_frozen ? 1 : 0;
	t->held += r->plan->n_held;
	t->rounds++;
}

/* cut: says how many of the plan's steps are carried out before the daemon is killed; null: all. */
static const char *
check_round(struct laws_round *r, struct laws_dice *cut, struct actual **ret_after)
{
	struct plan asked, done;
	const char *broken;
	struct err e = ERR_INIT;

	if (plan_diff(r->rules, r->desired, r->before, r->memory, &r->plan, NULL) != ERR_OK)
		return "a plan could not be made";
	broken = laws_check_plan(r);
	if (broken != NULL)
		return broken;
	asked = *r->plan;
	if (plan_guard(r->rules, r->plan, NULL) != ERR_OK)
		return "a plan could not be guarded";
	broken = check_guard(r, &asked);
	if (broken == NULL)
		broken = laws_check_soft(r);
	if (broken != NULL)
		return broken;
	count_steps(r);
	done = *r->plan;
	if (cut != NULL)
		done.n_steps = laws_roll(cut, done.n_steps + 1);
	if (plan_apply(&done, r->before, ret_after, &e) != ERR_OK && printf("# %s\n", e.msg) > 0)
		return "HAProxy refuses a step";
	return check_after(r, *ret_after);
}

/* ---- all of them ---- */

/* What goes on from round to round. */
struct story {
	struct world *w;
	struct laws_dice *dice;
	struct laws_round r;
	struct plan_rules rules;
	struct actual *now;
	struct plan *last; /* owns the memory */
	struct applied *applied, *former;
	bool keeps_applied, is_stormy;
	bool is_cut; /* the plan before was */
	size_t quiet;
};

static void
end_story_at(struct story *s)
{
	plan_free(s->last);
	actual_free(s->now);
	applied_free(s->applied);
	applied_free(s->former);
}

/* A quiet round may wait for a check or a timeout; after so many nothing moves any
 * more, and every plan is empty. */
static const char *
check_settled(struct story *s)
{
	s->quiet = s->r.plan->n_steps == 0 ? s->quiet + 1 : 0;
	return s->quiet == QUIET_ROUNDS ? check_end(&s->r) : NULL;
}

/* As the reconciler does: what was read confirms, or shows another's hand; there is none here. */
static const char *
observe(struct story *s)
{
	struct applied_findings findings;
	struct applied *seen = NULL;

	if (!s->keeps_applied || s->rules.applied == NULL)
		return NULL;
	if (applied_observe(s->rules.applied, s->now, WALL_MS + s->rules.now_ms, &seen, &findings, NULL) != ERR_OK)
		return "what was applied could not be told";
	applied_free(s->applied);
	s->applied = seen;
	s->rules.applied = seen;
	return findings.n > 0 ? "our own hand was taken for another's" : NULL;
}

/* As the reconciler does; nobody forgets them here. */
static void
note_leaves(struct story *s)
{
	for (size_t i = 0; i < s->r.plan->n_steps; i++) {
		const struct plan_step *st = &s->r.plan->steps[i];
		struct overlay_leave leave = { .backend = st->backend, .server = st->server };
		enum err_code code;

		if (st->kind != PLAN_MAINT || st->actual == NULL || !evidence_is_reported(st->evidence))
			continue;
		leave.address = st->actual->address;
		leave.port = st->actual->port;
		code = overlay_note_leave(world_overlay(s->w), &leave, 1, NULL);
		assert(code == ERR_OK);
		(void)code;
	}
	s->rules.overlay = world_overlay(s->w);
}

static const char *
expect(struct story *s)
{
	struct applied *next = NULL;

	note_leaves(s);
	if (!s->keeps_applied)
		return NULL;
	if (applied_expect(s->applied, s->rules.former, s->now, s->r.plan, WALL_MS + s->rules.now_ms, &next, NULL) !=
	    ERR_OK)
		return "what is asked could not be noted";
	applied_free(s->applied);
	s->applied = next;
	s->rules.applied = next;
	return NULL;
}

/* A daemon is killed and knows nothing of its drains when it comes back; applied.json
 * is there again, or not. */
static void
forget(struct story *s)
{
	static const struct plan_memory none = { .n = 0 };

	s->r.memory = &none;
	s->r.tally->crashes++;
	if (laws_roll(s->dice, 2) == 1) {
		applied_free(MOVE(s->applied));
		s->rules.applied = NULL;
	}
}

/* A new process: what was added is gone, slots are as the file has them. */
static void
reload(struct story *s)
{
	for (size_t i = 0; i < s->now->n_backends; i++) {
		struct actual_backend *b = (struct actual_backend *)(uintptr_t)&s->now->backends[i];
		struct actual_server *servers = (struct actual_server *)(uintptr_t)b->servers;
		size_t n = 0;

		for (size_t k = 0; k < b->n_servers; k++) {
			if (servers[k].is_ours && !servers[k].is_slot && laws_is_at_least(s->now, 3, 0))
				continue;
			servers[n] = servers[k];
			if (servers[k].is_slot) {
				servers[n].admin = ACTUAL_MAINT;
				servers[n].address = STR("");
				servers[n].port = 0;
				servers[n].up = false;
				servers[n].sessions = 0;
				servers[n].check = ACTUAL_CHECK_PENDING;
			}
			n++;
		}
		b->n_servers = n;
	}
	s->now->pid++;
	s->now->n_cas = 0;
	applied_free(s->former);
	s->former = MOVE(s->applied);
	s->rules.former = s->former;
	s->rules.applied = NULL;
	s->rules.brings_back = true;
	s->r.tally->reloads++;
}

static void
go_on(struct story *s, struct actual *after, size_t round)
{
	plan_free(s->last);
	s->last = s->r.plan;
	s->r.plan = NULL;
	s->r.memory = &s->last->memory;
	actual_free(s->now);
	s->now = after;
	s->rules.now_ms += ROUND_MS;
	s->rules.swept_twice_ms = s->rules.now_ms - 2 * ROUND_MS;
	if (s->is_cut)
		forget(s);
	else
		s->rules.brings_back = false;
	if (s->is_stormy && round < STORMY && laws_roll(s->dice, 12) == 11)
		reload(s);
}

static void
trace(struct story *s, size_t round)
{
	const struct actual *a = s->now;

	(void)printf("# round %zu, HAProxy %u.%u%s%s\n", round, a->major, a->minor, a->stopping ? " stopping" : "",
	    s->is_cut ? ", cut off" : "");
	for (size_t i = 0; i < a->n_backends; i++)
		for (size_t k = 0; a->backends[i].exists && k < a->backends[i].n_servers; k++) {
			const struct actual_server *v = &a->backends[i].servers[k];
			const struct laws_who who = laws_who(&s->r, a->backends[i].name, v);

			(void)printf("#   " STR_FMT "/" STR_FMT " " STR_FMT
				     ":%u %s%s check %d sessions %u: want %d, %s\n",
			    STR_ARG(a->backends[i].name), STR_ARG(v->name), STR_ARG(v->address), (unsigned)v->port,
			    actual_admin_name(v->admin), v->up ? " up" : "", (int)v->check, (unsigned)v->sessions,
			    who.candidate != NULL ? (int)who.candidate->want : -1, evidence_name(who.evidence));
		}
}

static void
trace_plan(struct story *s)
{
	const struct plan *p = s->r.plan;

	if (p == NULL)
		return;
	(void)printf("#   steps: %s\n", world_steps(s->w, p));
	for (size_t i = 0; i < p->n_held; i++)
		(void)printf("#   held: " STR_FMT "/" STR_FMT " " STR_FMT "\n", STR_ARG(p->held[i].backend),
		    STR_ARG(p->held[i].server), STR_ARG(p->held[i].message));
}

static const char *
play_round(struct story *s, size_t round)
{
	const char *broken = observe(s);
	struct actual *after = NULL;

	if (broken != NULL)
		return broken;
	s->is_cut = s->is_stormy && round < STORMY && laws_roll(s->dice, 4) == 3;
	s->r.before = s->now;
	if (s->r.tally->is_traced)
		trace(s, round);
	broken = check_round(&s->r, s->is_cut ? s->dice : NULL, &after);
	if (s->r.tally->is_traced)
		trace_plan(s);
	if (s->is_cut)
		s->quiet = 0;
	else if (broken == NULL)
		broken = check_settled(s);
	if (broken == NULL)
		broken = expect(s);
	if (broken != NULL) {
		plan_free(MOVE(s->r.plan));
		actual_free(after);
		return broken;
	}
	go_on(s, after, round);
	return NULL;
}

/* A copy for the rounds to own. */
static struct actual *
start_from(struct world *w)
{
	const struct plan nothing = { .n_steps = 0 };
	struct actual *copy = NULL;
	enum err_code code = plan_apply(&nothing, world_actual(w), &copy, NULL);

	assert(code == ERR_OK);
	(void)code;
	return copy;
}

const char *
laws_check(struct world *w, struct laws_dice *dice, struct laws_tally *tally)
{
	static const struct plan_memory none = { .n = 0 };
	struct story s CLEANUP(end_story_at) = { .w = w, .dice = dice };
	const char *broken;

	tally->worlds++;
	s.r = (struct laws_round){ .desired = world_desired(w), .tally = tally, .memory = &none, .rules = &s.rules };
	broken = laws_check_desired(s.r.desired);
	if (broken != NULL)
		return broken;
	s.rules = world_all_rules(w);
	s.keeps_applied = s.rules.applied != NULL || laws_roll(dice, 2) == 1;
	s.is_stormy = laws_roll(dice, 2) == 1;
	s.now = start_from(w);
	for (size_t i = 0; i < ROUNDS_MAX && s.quiet < QUIET_ROUNDS; i++) {
		broken = play_round(&s, i);
		if (broken != NULL)
			return broken;
	}
	return s.quiet >= QUIET_ROUNDS ? NULL : "it never comes to rest";
}
