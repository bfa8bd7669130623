/*
 * Slots and candidates paired by address:port: see plan_bind.h.
 *
 * Both are sorted by address, the best of each address first, and walked side by
 * side.  Of several candidates at one address the one that serves wins, then one
 * that stays, then the newer task: a slot whose task ended while the next one
 * has its address already is relabelled by this, without a command.
 */
#include "config.h"

#include "plan/plan_bind.h"

#include <stdlib.h>

struct claim { /* of a candidate on an address */
	struct plan_address key;
	const struct desired_server *candidate;
};

/* ---- candidates, best first ---- */

static int
by_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = plan_address_cmp(&x->key, &y->key);

	if (order == 0)
		order = (int)x->candidate->want - (int)y->candidate->want; /* SERVE, KEEP, LEAVE */
	if (order == 0)
		order = -desired_task_age_cmp(x->candidate->task, y->candidate->task);
	return order != 0 ? order : str_cmp(x->candidate->name, y->candidate->name);
}

static struct claim *
list_claims(struct arena *a, const struct desired_backend *b)
{
	struct claim *claims = ARENA_ARRAY(a, struct claim, b->n_servers);

	if (claims == NULL)
		return NULL;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *s = &b->servers[i];

		claims[i].candidate = s;
		(void)plan_address_parse(s->address, s->port, &claims[i].key);
	}
	if (b->n_servers > 0)
		qsort(claims, b->n_servers, sizeof(*claims), by_claim);
	return claims;
}

/* ---- slots, best first ---- */

static int
quality(const struct actual_server *s)
{
	switch (s->admin) {
	case ACTUAL_READY:
		return s->up ? 0 : 1;
	case ACTUAL_DRAIN:
		return s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED ? 2 : 3;
	case ACTUAL_MAINT:
		break;
	}
	return 4;
}

static int
by_number(const void *a, const void *b)
{
	const struct plan_slot *x = a, *y = b;

	if (x->server->slot != y->server->slot)
		return x->server->slot < y->server->slot ? -1 : 1;
	return str_cmp(x->server->name, y->server->name);
}

static int
by_address(const void *a, const void *b)
{
	const struct plan_slot *x = *(struct plan_slot *const *)a, *y = *(struct plan_slot *const *)b;
	int order = plan_address_cmp(&x->key, &y->key);

	if (order == 0)
		order = quality(x->server) - quality(y->server);
	return order != 0 ? order : by_number(x, y);
}

static bool
list_slots(struct arena *a, const struct actual_backend *b, struct plan_binding *ret)
{
	ret->slots = ARENA_ARRAY(a, struct plan_slot, b->n_servers);
	ret->n_slots = 0;
	if (ret->slots == NULL)
		return false;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct actual_server *s = &b->servers[i];
		struct plan_slot *slot = &ret->slots[ret->n_slots];

		if (!s->is_ours || !s->is_slot)
			continue;
		slot->server = s;
		(void)plan_address_parse(s->address, s->port, &slot->key);
		ret->n_slots++;
	}
	if (ret->n_slots > 0)
		qsort(ret->slots, ret->n_slots, sizeof(struct plan_slot), by_number);
	return true;
}

static struct plan_slot **
sort_by_address(struct arena *a, const struct plan_binding *b)
{
	struct plan_slot **sorted = ARENA_ARRAY(a, struct plan_slot *, b->n_slots);

	if (sorted == NULL)
		return NULL;
	for (size_t i = 0; i < b->n_slots; i++)
		sorted[i] = &b->slots[i];
	if (b->n_slots > 0)
		qsort(sorted, b->n_slots, sizeof(struct plan_slot *), by_address);
	return sorted;
}

/* ---- pairs ---- */

/* All slots at one address stand for the best claim on it.  Which of them is the
 * second matters only while the candidate stays: if it leaves, they all do. */
static void
pair(struct plan_slot **slots, size_t n, const struct claim *best)
{
	for (size_t i = 0; i < n; i++) {
		slots[i]->stands_for = best->candidate;
		slots[i]->is_second = i > 0 && best->candidate->want != DESIRED_LEAVE;
	}
}

static size_t
count_slots_at(struct plan_slot *const *slots, size_t n, const struct plan_address *key)
{
	size_t same = 0;

	while (same < n && plan_address_cmp(&slots[same]->key, key) == 0)
		same++;
	return same;
}

static size_t
count_claims_on(const struct claim *claims, size_t n, const struct plan_address *key)
{
	size_t same = 0;

	while (same < n && plan_address_cmp(&claims[same].key, key) == 0)
		same++;
	return same;
}

static void
walk(struct plan_slot **slots, size_t n_slots, const struct claim *claims, size_t n_claims,
    const struct desired_backend *desired, bool *is_held)
{
	size_t s = 0, c = 0;

	/* Those without an address come first, and pair with nothing. */
	while (s < n_slots && slots[s]->key.family == PLAN_ADDRESS_NONE)
		s++;
	while (c < n_claims && claims[c].key.family == PLAN_ADDRESS_NONE)
		c++;
	while (s < n_slots && c < n_claims) {
		const struct plan_address *key = &claims[c].key;
		int order = plan_address_cmp(&slots[s]->key, key);
		size_t same;

		if (order != 0) {
			s += order < 0 ? 1 : 0;
			c += order > 0 ? 1 : 0;
			continue;
		}
		same = count_slots_at(slots + s, n_slots - s, key);
		pair(slots + s, same, &claims[c]);
		s += same;
		for (same = count_claims_on(claims + c, n_claims - c, key); same > 0; same--)
			is_held[claims[c++].candidate - desired->servers] = true;
	}
}

bool
plan_bind(struct arena *a, const struct desired_backend *desired, const struct actual_backend *actual,
    struct plan_binding *ret)
{
	struct claim *claims = list_claims(a, desired);
	struct plan_slot **sorted;

	ret->is_held = ARENA_ARRAY(a, bool, desired->n_servers);
	if (claims == NULL || ret->is_held == NULL || !list_slots(a, actual, ret))
		return false;
	sorted = sort_by_address(a, ret);
	if (sorted == NULL)
		return false;
	walk(sorted, ret->n_slots, claims, desired->n_servers, desired, ret->is_held);
	return true;
}
