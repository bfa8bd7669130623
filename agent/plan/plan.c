/* The plan as a value: see plan.h. */
#include "config.h"

#include "plan/plan.h"

void
plan_free(struct plan *p)
{
	if (p != NULL)
		arena_free(p->arena); /* p is in it */
}

const struct plan_backend *
plan_find(const struct plan *p, struct str backend)
{
	for (size_t i = 0; i < p->n_backends; i++)
		if (str_eq(p->backends[i].name, backend))
			return &p->backends[i];
	return NULL;
}

bool
plan_makes(const struct plan *p, struct str backend)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == PLAN_BACKEND && str_eq(p->steps[i].backend, backend))
			return true;
	return false;
}

bool
plan_step_is_of_backend(enum plan_step_kind k)
{
	return k == PLAN_BACKEND || k == PLAN_PUBLISH || k == PLAN_UNPUBLISH || k == PLAN_UNMAKE;
}

const char *
plan_step_name(enum plan_step_kind k)
{
	static const char *const names[] = {
#define X(name, text, removes) [PLAN_##name] = text,
		PLAN_STEP_KINDS(X)
#undef X
	};

	return names[k];
}

bool
plan_step_removes(enum plan_step_kind k)
{
	static const bool removes_calls[] = {
#define X(name, text, removes) [PLAN_##name] = removes,
		PLAN_STEP_KINDS(X)
#undef X
	};

	return removes_calls[k];
}

const char *
plan_state_name(enum plan_state s)
{
	static const char *const names[] = {
		[PLAN_STATE_JOINING] = "joining",
		[PLAN_STATE_UP] = "ready",
		[PLAN_STATE_DOWN] = "down",
		[PLAN_STATE_DRAINING] = "draining",
		[PLAN_STATE_EJECTED] = "ejected",
		[PLAN_STATE_HELD] = "held",
	};

	return names[s];
}

const char *
plan_strategy_name(enum plan_strategy s)
{
	static const char *const names[] = {
		[PLAN_STRATEGY_NONE] = "none",
		[PLAN_STRATEGY_SLOTS] = "slots",
		[PLAN_STRATEGY_DYNAMIC] = "dynamic",
	};

	return names[s];
}
