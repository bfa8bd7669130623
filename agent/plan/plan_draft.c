/* A plan in the making: see plan_draft.h. */
#include "config.h"

#include "plan/plan_draft.h"

#include <stdlib.h>

bool
plan_draft_start(struct plan_draft *d, const struct plan_rules *rules, const struct actual *actual,
    const struct plan_memory *before, struct arena *arena, struct arena *scratch)
{
	*d = (struct plan_draft){
		.rules = rules,
		.actual = actual,
		.before = before,
		.arena = arena,
		.scratch = scratch,
		.memory = PLAN_LIST_OF(struct plan_memory_entry),
		.unexplained = PLAN_LIST_OF(struct plan_memory_entry),
		.held = PLAN_LIST_OF(struct plan_held),
		.is_ca_loading = ARENA_ARRAY(scratch, bool, rules->n_cas),
		.next_ms = INT64_MAX,
	};
	for (size_t i = 0; i < PLAN_N_PHASES; i++)
		d->steps[i] = PLAN_LIST_OF(struct plan_step);
	return d->is_ca_loading != NULL;
}

void
plan_draft_free(struct plan_draft *d)
{
	for (size_t i = 0; i < PLAN_N_PHASES; i++)
		plan_list_free(&d->steps[i]);
	plan_list_free(&d->memory);
	plan_list_free(&d->unexplained);
	plan_list_free(&d->held);
}

void
plan_draft_step(struct plan_draft *d, enum plan_phase phase, struct plan_step step)
{
	struct plan_step *to = plan_list_add(&d->steps[phase]);

	if (to != NULL)
		*to = step;
}

void
plan_draft_hold(struct plan_draft *d, struct plan_held held)
{
	struct plan_held *to = plan_list_add(&d->held);

	if (to != NULL)
		*to = held;
}

/* ---- what is remembered ---- */

static int
by_server(const void *a, const void *b)
{
	const struct plan_memory_entry *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server, y->server);
}

static const struct plan_memory_entry *
find_memory(const struct plan_memory *m, struct str backend, const struct actual_server *s)
{
	const struct plan_memory_entry key = { .backend = backend, .server = s->name }, *was = NULL;

	if (m->n > 0)
		was = bsearch(&key, m->entries, m->n, sizeof(key), by_server);
	return was != NULL && was->port == s->port && str_eq(was->address, s->address) ? was : NULL;
}

bool
plan_memory_waits(const struct plan_memory *m, struct str backend, const struct actual_server *s)
{
	const struct plan_memory_entry *was = find_memory(m, backend, s);

	return was != NULL && was->is_serving && s->admin != ACTUAL_MAINT;
}

struct plan_memory_entry
plan_draft_recall(const struct plan_draft *d, struct str backend, const struct actual_server *s)
{
	const struct plan_memory_entry anew = { .backend = backend,
		.server = s->name,
		.address = s->address,
		.port = s->port,
		.drain_since_ms = d->rules->now_ms,
		.is_serving = s->admin != ACTUAL_MAINT };
	const struct plan_memory_entry *was = find_memory(d->before, backend, s);

	return was != NULL && was->is_serving == anew.is_serving ? *was : anew;
}

int64_t
plan_draft_unexplained_since(struct plan_draft *d, struct str backend, const struct actual_server *s)
{
	struct plan_memory_entry entry = { .backend = backend,
		.server = s->name,
		.address = s->address,
		.port = s->port,
		.drain_since_ms = d->rules->now_ms };
	const struct plan_memory_entry *was = NULL;
	struct plan_memory_entry *to = plan_list_add(&d->unexplained);

	if (d->before->n_unexplained > 0)
		was = bsearch(&entry, d->before->unexplained, d->before->n_unexplained, sizeof(entry), by_server);
	if (was != NULL && was->port == s->port && str_eq(was->address, s->address))
		entry.drain_since_ms = was->drain_since_ms;
	if (to != NULL)
		*to = entry;
	return entry.drain_since_ms;
}

void
plan_draft_remember(struct plan_draft *d, struct plan_memory_entry entry)
{
	struct plan_memory_entry *to = plan_list_add(&d->memory);

	if (to != NULL)
		*to = entry;
}

void
plan_draft_wake(struct plan_draft *d, int64_t at_ms)
{
	if (at_ms < d->next_ms)
		d->next_ms = at_ms;
}

/* ---- the result ---- */

static bool
freeze_steps(struct plan_draft *d, struct plan *p)
{
	struct plan_step *steps;
	size_t n = 0;

	for (size_t i = 0; i < PLAN_N_PHASES; i++) {
		if (d->steps[i].failed)
			return false;
		n += d->steps[i].n;
	}
	steps = ARENA_ARRAY(d->arena, struct plan_step, n);
	if (steps == NULL)
		return false;
	p->steps = steps;
	p->n_steps = n;
	for (size_t i = 0; i < PLAN_N_PHASES; i++) {
		if (d->steps[i].n > 0)
			memcpy(steps, d->steps[i].items, d->steps[i].n * sizeof(*steps));
		steps += d->steps[i].n;
	}
	return true;
}

static bool
freeze_entry(struct arena *a, struct plan_memory_entry *m)
{
	return arena_str(a, m->backend, &m->backend) && arena_str(a, m->server, &m->server) &&
	       arena_str(a, m->address, &m->address);
}

/* The texts are copied: memory outlives the read-back it was made from. */
static bool
freeze_entries(struct arena *a, const struct plan_list *list, const struct plan_memory_entry **ret, size_t *ret_n)
{
	size_t n = list->n;
	struct plan_memory_entry *entries = ARENA_ARRAY(a, struct plan_memory_entry, n);

	if (list->failed || entries == NULL)
		return false;
	if (n > 0) {
		memcpy(entries, list->items, n * sizeof(*entries));
		qsort(entries, n, sizeof(*entries), by_server);
	}
	for (size_t i = 0; i < n; i++)
		if (!freeze_entry(a, &entries[i]))
			return false;
	*ret = entries;
	*ret_n = n;
	return true;
}

static bool
freeze_memory(struct plan_draft *d, struct plan *p)
{
	struct plan_memory *m = &p->memory;

	return freeze_entries(d->arena, &d->memory, &m->entries, &m->n) &&
	       freeze_entries(d->arena, &d->unexplained, &m->unexplained, &m->n_unexplained);
}

static bool
freeze_held(struct plan_draft *d, struct plan *p)
{
	struct plan_held *held = ARENA_ARRAY(d->arena, struct plan_held, d->held.n);

	if (d->held.failed || held == NULL)
		return false;
	if (d->held.n > 0)
		memcpy(held, d->held.items, d->held.n * sizeof(*held));
	p->held = held;
	p->n_held = d->held.n;
	return true;
}

bool
plan_draft_freeze(struct plan_draft *d, struct plan *p)
{
	p->next_ms = d->next_ms;
	return freeze_steps(d, p) && freeze_held(d, p) && freeze_memory(d, p);
}
