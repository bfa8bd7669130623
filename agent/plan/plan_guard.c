/*
 * No removal without evidence: see plan.h.  What takes calls away from a server goes
 * on with proof, by the operator's hand, or because the server comes back at once with
 * other settings; the rest of what the evidence could carry (a limit on what is
 * merely reported, a share of the backend for health) is not weighed yet, so it
 * holds.
 */
#include "config.h"

#include "plan/plan.h"
#include "plan/plan_say.h"

static bool
is_proven(const struct plan_step *st)
{
	if (!plan_step_removes(st->kind))
		return true;
	if (st->kind == PLAN_MAINT && st->is_vacant)
		return true;
	if (st->by_operator)
		return st->why != NULL && (st->kind == PLAN_DRAIN || st->kind == PLAN_MAINT);
	if (st->is_respec)
		return st->kind != PLAN_DRAIN;
	if (st->kind == PLAN_EJECT) /* on what its calls did: may_go_now looks at who is left */
		return st->why != NULL;
	return (st->why != NULL || st->is_begun) && evidence_is_proven(st->evidence);
}

/* ---- make before break ---- */

struct tally {          /* of one backend */
	size_t up;      /* take calls now, after the removals so far */
	size_t all;     /* should serve: ejected, down and joining ones, too */
	size_t target;  /* take calls and should, or will */
	size_t coming;  /* of these: once their check has passed */
	size_t waiting; /* of these: once a slot is free */
	size_t at_most; /* to keep, whatever target asks for */
	size_t room;    /* slots that are free once who leaves has left */
	bool makes_room;
};

static bool
should_serve(const struct plan_server *s)
{
	return s->desired != NULL && s->desired->want == DESIRED_SERVE && s->evidence != EVIDENCE_REPLACED;
}

static bool
is_kept_out(const struct plan_server *s)
{
	return s->hold != NULL && s->hold->admin != OVERLAY_FREE;
}

static bool
takes_calls(const struct actual_server *s)
{
	return s->admin == ACTUAL_READY && s->up;
}

/* By what HAProxy does with it: a hold that sets a weight hides the state. */
static bool
is_coming(const struct plan_server *s)
{
	const struct actual_server *a = s->actual;

	if (takes_calls(a) || a->check == ACTUAL_CHECK_FAILED)
		return false;
	if (s->state == PLAN_STATE_HELD)
		return a->admin != ACTUAL_READY || a->check == ACTUAL_CHECK_PENDING;
	return s->state == PLAN_STATE_JOINING;
}

static void
count_server(struct tally *t, const struct plan_server *s, bool is_closed)
{
	bool counts = should_serve(s) && !is_kept_out(s), comes;

	/* Where nobody enters, only a server comes that is ready once its check has passed. */
	comes = counts && is_coming(s) && (!is_closed || s->actual->admin == ACTUAL_READY);
	t->all += should_serve(s) ? 1 : 0;
	t->up += takes_calls(s->actual) ? 1 : 0;
	t->coming += comes ? 1 : 0;
	t->target += comes || (counts && takes_calls(s->actual)) ? 1 : 0;
	/* One that nothing explains stays where it is. */
	if (!s->actual->is_slot || s->desired == NULL || !evidence_is_proven(s->evidence))
		return;
	t->room++;
	t->makes_room = t->makes_room || s->state == PLAN_STATE_DRAINING;
}

/* Those who wait for a slot get one only from those who leave: while no slot is on
 * its way to be free, one has to go. */
static void
count_waiting(struct tally *t, const struct plan_backend *b)
{
	t->waiting = b->is_closed ? 0 : b->n_unplaced;
	if (t->waiting > t->room)
		t->waiting = t->room; /* the others wait for more slots */
	t->target += t->waiting;
	t->at_most = t->up;
	if (t->waiting > 0 && t->coming == 0 && !t->makes_room && t->up > 0)
		t->at_most--;
}

/* Null: not a backend of this plan. */
static struct tally *
tally_of(const struct plan *p, struct tally *tallies, struct str backend)
{
	const struct plan_backend *b = plan_find(p, backend);

	return b != NULL ? &tallies[b - p->backends] : NULL;
}

static void
count_entering(const struct plan *p, struct tally *tallies)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];
		struct tally *t = tally_of(p, tallies, st->backend);

		if (t != NULL && !st->by_operator && (st->kind == PLAN_ADDRESS || st->kind == PLAN_ADD)) {
			t->coming++;
			t->target++;
		}
	}
}

static struct tally *
count_backends(const struct plan *p)
{
	struct tally *tallies = ARENA_ARRAY(p->arena, struct tally, p->n_backends);

	if (tallies == NULL)
		return NULL;
	for (size_t i = 0; i < p->n_backends; i++)
		for (size_t j = 0; j < p->backends[i].n_servers; j++)
			count_server(&tallies[i], &p->backends[i].servers[j], p->backends[i].is_closed);
	count_entering(p, tallies); /* they hold no address yet */
	for (size_t i = 0; i < p->n_backends; i++)
		count_waiting(&tallies[i], &p->backends[i]);
	return tallies;
}

static size_t
least_to_keep(const struct plan *p, struct str backend, const struct tally *t)
{
	size_t share = (t->target * plan_find(p, backend)->keep_percent + 99) / 100;

	if (share == 0)
		share = 1;
	return share < t->at_most ? share : t->at_most;
}

/* Whatever ejections ask for: the panic threshold, of all that should serve. */
static size_t
least_available(const struct plan *p, struct str backend, const struct tally *t)
{
	size_t share = (t->all * plan_find(p, backend)->keep_percent + 99) / 100;

	return share > 0 ? share : 1;
}

/* What a server that still takes calls may wait for: others that join; one that would
 * come back, always for another that serves.  Not a task that is gone, nor the hand
 * of an operator. */
static bool
must_wait(const struct plan *p, const struct plan_step *st, const struct tally *t)
{
	if (st->kind == PLAN_EJECT)
		return t->up <= least_available(p, st->backend, t);
	if (st->is_respec)
		return t->up <= 1;
	if (st->by_operator || st->is_overdue || t->coming + t->waiting == 0)
		return false;
	if (st->evidence != EVIDENCE_STOPPING && st->evidence != EVIDENCE_REPLACED)
		return false;
	return t->up <= least_to_keep(p, st->backend, t);
}

/* Counts a removal that goes on: the next one finds one fewer. */
static bool
may_go_now(const struct plan *p, const struct plan_step *st, struct tally *tallies)
{
	struct tally *t = tally_of(p, tallies, st->backend);

	if (t == NULL || !st->takes_calls)
		return true;
	if (must_wait(p, st, t))
		return false;
	t->up -= t->up > 0 ? 1 : 0;
	return true;
}

/* ---- what is held ---- */

static const char *
why_held(const struct plan_step *st)
{
	if (st->is_respec)
		return "has other settings now; kept as it is until another one serves";
	if (st->kind == PLAN_EJECT)
		return "is an outlier; not ejected, as too few others take calls (panic_threshold)";
	switch (st->evidence) {
	case EVIDENCE_MISSING:
		return "is called MISSING by AWS; kept until there is proof that it is gone";
	case EVIDENCE_UNHEALTHY:
		return "is called UNHEALTHY by ECS; kept, HAProxy's own checks decide, until ECS stops it";
	case EVIDENCE_UNEXPOSED:
		return "is not exposed any more; kept";
	case EVIDENCE_STOPPING:
		return "is stopping; kept in service until a task that joins has passed its check";
	case EVIDENCE_REPLACED:
		return "has a server that another one replaces; kept in service until that has passed its check";
	case EVIDENCE_NONE:
	case EVIDENCE_RUNNING:
	case EVIDENCE_STOPPED:
		break;
	}
	return "may still run; kept";
}

static bool
hold(struct arena *a, const struct plan_step *st, struct plan_held *ret)
{
	struct str task = st->why != NULL ? st->why->task->id : STR("unknown");

	*ret = (struct plan_held){ .backend = st->backend, .server = st->server, .evidence = st->evidence };
	return plan_say(a, &ret->message, "task " STR_FMT " %s", STR_ARG(task), why_held(st));
}

/* Parts the steps, in place as far as those that go on are concerned. */
static bool
part(struct plan *p, struct tally *tallies, struct plan_step *steps, struct plan_held *held)
{
	size_t n_steps = 0, n_held = p->n_held;

	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];

		if (is_proven(st) && may_go_now(p, st, tallies))
			steps[n_steps++] = *st;
		else if (!hold(p->arena, st, &held[n_held++]))
			return false;
	}
	p->steps = steps;
	p->n_steps = n_steps;
	p->held = held;
	p->n_held = n_held;
	return true;
}

enum err_code
plan_guard(const struct plan_rules *rules, struct plan *p, struct err *e)
{
	struct plan_step *steps = ARENA_ARRAY(p->arena, struct plan_step, p->n_steps);
	struct plan_held *held = ARENA_ARRAY(p->arena, struct plan_held, p->n_held + p->n_steps);
	struct tally *tallies = count_backends(p);

	(void)rules; /* the limits, which come next, count over time */
	if (steps == NULL || held == NULL || tallies == NULL)
		return err_set(e, ERR_NOMEM, "guard a plan: %s", err_text(ERR_NOMEM));
	if (p->n_held > 0)
		memcpy(held, p->held, p->n_held * sizeof(*held));
	if (!part(p, tallies, steps, held))
		return err_set(e, ERR_NOMEM, "guard a plan: %s", err_text(ERR_NOMEM));
	return ERR_OK;
}
