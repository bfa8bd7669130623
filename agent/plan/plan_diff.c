/*
 * The plan of all backends: see plan.h.  Each is planned by its strategy; the steps
 * of all of them are then put in the order of their phases.
 */
#include "config.h"

#include "plan/plan.h"
#include "plan/plan_draft.h"
#include "plan/plan_slots.h"

static enum plan_strategy
strategy_of(const struct actual_backend *b)
{
	if (b == NULL || !b->exists || b->n_slots == 0)
		return PLAN_STRATEGY_NONE;
	return PLAN_STRATEGY_SLOTS;
}

/* Nothing can be done there: all who should serve are without a place. */
static bool
plan_nothing(struct plan_draft *d, const struct desired_backend *desired, struct plan_backend *ret)
{
	const struct desired_server **unplaced = ARENA_ARRAY(d->arena, const struct desired_server *, desired->n_serve);

	if (unplaced == NULL)
		return false;
	for (size_t i = 0; i < desired->n_servers; i++)
		if (desired->servers[i].want == DESIRED_SERVE)
			unplaced[ret->n_unplaced++] = &desired->servers[i];
	ret->unplaced = unplaced;
	return true;
}

static bool
plan_backend(struct plan_draft *d, const struct desired_backend *desired, const struct actual_backend *actual,
    struct plan_backend *ret)
{
	ret->name = desired->name;
	ret->keep_percent = desired->conf->policy.outlier.panic_threshold_percent;
	ret->exists = actual != NULL && actual->exists;
	ret->strategy = strategy_of(actual);
	switch (ret->strategy) {
	case PLAN_STRATEGY_SLOTS:
		return plan_slots(d, desired, actual, ret);
	case PLAN_STRATEGY_NONE:
	case PLAN_STRATEGY_DYNAMIC: /* not chosen yet */
		break;
	}
	return plan_nothing(d, desired, ret);
}

static bool
plan_all(struct plan_draft *d, const struct desired *desired, const struct actual *actual, struct plan *p)
{
	struct plan_backend *backends = ARENA_ARRAY(d->arena, struct plan_backend, desired->n_backends);

	if (backends == NULL)
		return false;
	for (size_t i = 0; i < desired->n_backends; i++) {
		const struct desired_backend *b = &desired->backends[i];

		if (!plan_backend(d, b, actual_find(actual, b->name), &backends[i]))
			return false;
	}
	p->backends = backends;
	p->n_backends = desired->n_backends;
	return plan_draft_freeze(d, p);
}

enum err_code
plan_diff(const struct plan_rules *rules, const struct desired *desired, const struct actual *actual,
    const struct plan_memory *memory, struct plan **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct plan *p = a != NULL ? ARENA_NEW(a, struct plan) : NULL;
	struct plan_draft d;
	bool ok;

	if (p == NULL || scratch == NULL)
		return err_set(e, ERR_NOMEM, "a plan: %s", err_text(ERR_NOMEM));
	plan_draft_start(&d, rules, memory, a, scratch);
	ok = plan_all(&d, desired, actual, p);
	plan_draft_free(&d);
	if (!ok)
		return err_set(e, ERR_NOMEM, "a plan: out of memory, or over %zu MiB", PLAN_ARENA_MAX >> 20);
	p->arena = MOVE(a);
	*ret = p;
	return ERR_OK;
}
