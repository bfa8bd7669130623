/* Derived before HAProxy is read: see reconcile_ahead.h. */
#include "config.h"

#include "sync/reconcile_ahead.h"

static bool
keep_held(struct reconcile_ahead *a, const struct desired_context *in)
{
	struct desired_held *items = ARENA_ARRAY(a->arena, struct desired_held, in->n_held);

	if (items == NULL)
		return false;
	for (size_t i = 0; i < in->n_held; i++) {
		items[i] = in->held[i];
		if (!arena_str(a->arena, items[i].name, &items[i].name))
			return false;
	}
	a->held = (struct reconcile_held){ .items = items, .n = in->n_held };
	return true;
}

void
reconcile_ahead_derive(struct reconcile_ahead *a, const struct desired_context *in, struct roster *roster)
{
	reconcile_ahead_drop(a);
	a->arena = arena_new(APPLIED_ARENA_MAX);
	if (a->arena == NULL || !keep_held(a, in) || desired_derive_in(in, roster, &a->desired, NULL) != ERR_OK)
		reconcile_ahead_drop(a);
}

/* What was read back may tell that a server of ours was the last of its backend. */
static bool
is_held_alike(const struct reconcile_ahead *a, const struct desired_context *in)
{
	if (a->held.n != in->n_held)
		return false;
	for (size_t i = 0; i < in->n_held; i++)
		if (!str_eq(a->held.items[i].name, in->held[i].name) ||
		    a->held.items[i].is_managed != in->held[i].is_managed)
			return false;
	return true;
}

struct desired *
reconcile_ahead_take(struct reconcile_ahead *a, const struct desired_context *in)
{
	struct desired *made = NULL;

	if (a->desired != NULL && in->now_wall_ms < a->desired->next_wall_ms && is_held_alike(a, in))
		made = MOVE(a->desired);
	reconcile_ahead_drop(a);
	return made;
}

void
reconcile_ahead_drop(struct reconcile_ahead *a)
{
	desired_free(a->desired);
	arena_free(a->arena);
	*a = (struct reconcile_ahead){ .desired = NULL };
}
