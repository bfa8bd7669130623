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
is_allowed(const struct plan_step *st)
{
	if (!plan_step_removes(st->kind))
		return true;
	if (st->kind == PLAN_MAINT && st->is_vacant)
		return true;
	return st->why != NULL && evidence_is_proven(st->evidence);
}

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
	case EVIDENCE_NONE:
	case EVIDENCE_RUNNING:
	case EVIDENCE_STOPPING:
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

static size_t
count_held(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n += is_allowed(&p->steps[i]) ? 0 : 1;
	return n;
}

static bool
part(const struct plan *p, struct plan_step *steps, struct plan_held *held)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		if (is_allowed(&p->steps[i]))
			*steps++ = p->steps[i];
		else if (!hold(p->arena, &p->steps[i], held++))
			return false;
	}
	return true;
}

enum err_code
plan_guard(const struct plan_rules *rules, struct plan *p, struct err *e)
{
	size_t n = count_held(p);
	struct plan_step *steps = ARENA_ARRAY(p->arena, struct plan_step, p->n_steps - n);
	struct plan_held *held = ARENA_ARRAY(p->arena, struct plan_held, p->n_held + n);

	(void)rules; /* the limits, which come next, count over time */
	if (steps == NULL || held == NULL)
		return err_set(e, ERR_NOMEM, "guard a plan: %s", err_text(ERR_NOMEM));
	if (p->n_held > 0)
		memcpy(held, p->held, p->n_held * sizeof(*held));
	if (!part(p, steps, held + p->n_held))
		return err_set(e, ERR_NOMEM, "guard a plan: %s", err_text(ERR_NOMEM));
	p->steps = steps;
	p->n_steps -= n;
	p->held = held;
	p->n_held += n;
	return ERR_OK;
}
