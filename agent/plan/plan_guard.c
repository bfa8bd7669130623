/*
 * No removal without evidence: see plan.h.  What takes calls away from a server goes
 * on only with proof; the rest of what the evidence could carry (a limit on what is
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
	return st->why != NULL && evidence_is_proven(st->evidence);
}

/* ---- make before break ---- */

struct tally {          /* of one backend */
	size_t up;      /* take calls now, after the removals so far */
	size_t target;  /* take calls and should, or will */
	size_t coming;  /* of these: once their check has passed */
	size_t waiting; /* of these: once a slot is free */
	size_t at_most; /* to keep, whatever target asks for */
	bool makes_room;
};

static bool
should_serve(const struct plan_server *s)
{
	return s->desired != NULL && s->desired->want == DESIRED_SERVE && s->evidence != EVIDENCE_REPLACED;
}

static void
count_server(struct tally *t, const struct plan_server *s)
{
	bool is_coming = s->state == PLAN_STATE_JOINING && should_serve(s) && s->actual->check != ACTUAL_CHECK_FAILED;

	t->up += s->state == PLAN_STATE_UP ? 1 : 0;
	t->coming += is_coming ? 1 : 0;
	t->target += is_coming || (s->state == PLAN_STATE_UP && should_serve(s)) ? 1 : 0;
	/* One that nothing explains stays where it is. */
	t->makes_room = t->makes_room || (s->state == PLAN_STATE_DRAINING && s->desired != NULL);
}

/* Those who wait for a slot get one only from those who leave: while no slot is on
 * its way to be free, one has to go. */
static void
count_waiting(struct tally *t, size_t n_unplaced)
{
	t->waiting = n_unplaced;
	t->target += n_unplaced;
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
		struct tally *t = p->steps[i].kind == PLAN_ADDRESS ? tally_of(p, tallies, p->steps[i].backend) : NULL;

		if (t != NULL) {
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
			count_server(&tallies[i], &p->backends[i].servers[j]);
	count_entering(p, tallies); /* they hold no address yet */
	for (size_t i = 0; i < p->n_backends; i++)
		count_waiting(&tallies[i], p->backends[i].n_unplaced);
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

/* Counts a removal that goes on: the next one finds one fewer. */
static bool
may_go_now(const struct plan *p, const struct plan_step *st, struct tally *tallies)
{
	struct tally *t = tally_of(p, tallies, st->backend);

	if (t == NULL || !st->takes_calls)
		return true;
	if (st->evidence == EVIDENCE_STOPPING && t->coming + t->waiting > 0 &&
	    t->up <= least_to_keep(p, st->backend, t))
		return false;
	t->up -= t->up > 0 ? 1 : 0;
	return true;
}

/* ---- what is held ---- */

static const char *
why_held(enum evidence ev)
{
	switch (ev) {
	case EVIDENCE_MISSING:
		return "is called MISSING by AWS; kept until there is proof that it is gone";
	case EVIDENCE_UNHEALTHY:
		return "is called UNHEALTHY by ECS; kept, HAProxy's own checks decide, until ECS stops it";
	case EVIDENCE_UNEXPOSED:
		return "is not exposed any more; kept";
	case EVIDENCE_STOPPING:
		return "is stopping; kept in service until a task that joins has passed its check";
	case EVIDENCE_NONE:
	case EVIDENCE_RUNNING:
	case EVIDENCE_STOPPED:
	case EVIDENCE_REPLACED:
		break;
	}
	return "may still run; kept";
}

static bool
hold(struct arena *a, const struct plan_step *st, struct plan_held *ret)
{
	struct str task = st->why != NULL ? st->why->task->id : STR("unknown");

	*ret = (struct plan_held){ .backend = st->backend, .server = st->server, .evidence = st->evidence };
	return plan_say(a, &ret->message, "task " STR_FMT " %s", STR_ARG(task), why_held(st->evidence));
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
