/*
 * Ejections: see plan_eject.h, and plan.h for plan_uneject_all.
 *
 * The agent state is rollcall's alone (an operator has drain and maint).  It outlives
 * maintenance and a new address: a slot that is freed is put back before the next
 * task has it (facts/haproxy.md, section 12).
 */
#include "config.h"

#include "plan/plan_eject.h"

#include "plan/plan_enter.h"

static const struct plan_ejection *
find_ejection(const struct plan_pass *p, const struct desired_server *d)
{
	const struct plan_ejections *all = p->draft->rules->ejections;
	struct overlay_key key = overlay_key_of(p->desired->name, d);

	for (size_t i = 0; all != NULL && i < all->n; i++)
		if (overlay_key_eq(&all->items[i].key, &key))
			return &all->items[i];
	return NULL;
}

static void
put_out(struct plan_pass *p, const struct plan_bound *s, const struct plan_ejection *why)
{
	struct plan_step step = plan_pass_step(p, PLAN_EJECT, s->server, s->stands_for);

	step.takes_calls = true;
	/* Without room for a reason it has none. */
	if (!arena_str(p->draft->arena, why->because, &step.because))
		step.because = STR("");
	(void)plan_pass_emit(p, PLAN_PHASE_MAINT, step);
}

void
plan_eject(struct plan_pass *p, const struct plan_bound *s)
{
	const struct plan_ejection *e = NULL;

	if (!s->server->has_agent)
		return;
	if (plan_pass_is_staying(s))
		e = find_ejection(p, s->stands_for);
	if (e == NULL && s->server->agent_down && (plan_pass_is_staying(s) || plan_enter_is_free(s)))
		plan_pass_add(p, PLAN_PHASE_READY, PLAN_UNEJECT, s->server, s->stands_for);
	else if (e != NULL && !s->server->agent_down && plan_pass_takes_calls(s))
		put_out(p, s, e);
}

/* ---- all of them ---- */

static bool
is_ejected(const struct actual_server *s)
{
	return s->is_ours && s->has_agent && s->agent_down;
}

static size_t
count_ejected(const struct actual *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_backends; i++)
		for (size_t j = 0; j < a->backends[i].n_servers; j++)
			n += is_ejected(&a->backends[i].servers[j]) ? 1 : 0;
	return n;
}

static bool
list_ejected(const struct actual *a, struct plan *p)
{
	struct plan_step *steps = ARENA_ARRAY(p->arena, struct plan_step, count_ejected(a));

	if (steps == NULL)
		return false;
	for (size_t i = 0; i < a->n_backends; i++)
		for (size_t j = 0; j < a->backends[i].n_servers; j++) {
			const struct actual_server *s = &a->backends[i].servers[j];
			struct plan_step *st = &steps[p->n_steps];

			if (!is_ejected(s))
				continue;
			st->kind = PLAN_UNEJECT;
			if (!arena_str(p->arena, a->backends[i].name, &st->backend) ||
			    !arena_str(p->arena, s->name, &st->server))
				return false;
			p->n_steps++;
		}
	p->steps = steps;
	return true;
}

enum err_code
plan_uneject_all(const struct actual *actual, struct plan **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct plan *p = a != NULL ? ARENA_NEW(a, struct plan) : NULL;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "a plan: %s", err_text(ERR_NOMEM));
	p->arena = a;
	p->next_ms = INT64_MAX;
	if (!list_ejected(actual, p))
		return err_set(e, ERR_NOMEM, "a plan: %s", err_text(ERR_NOMEM));
	(void)MOVE(a);
	*ret = p;
	return ERR_OK;
}
