/*
 * Servers and candidates paired: see plan_bind.h.
 *
 * Candidates are looked up by address:port in a sorted list, the best claim on each
 * first, and by name in desired's own order.  Of several candidates at one address the
 * one that serves wins, then one that stays, then the newer task: a slot whose task
 * ended while the next one has its address already is relabelled by this, without a
 * command.
 */
#include "config.h"

#include "plan/plan_bind.h"

#include <stdlib.h>

struct claim { /* of a candidate on an address */
	struct plan_address key;
	const struct desired_server *candidate;
};

struct claims {
	const struct desired_backend *desired;
	struct claim *by_address;
	struct plan_address *keys; /* by candidate */
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

static bool
list_claims(struct arena *a, const struct desired_backend *b, struct claims *ret)
{
	ret->desired = b;
	ret->by_address = ARENA_ARRAY(a, struct claim, b->n_servers);
	ret->keys = ARENA_ARRAY(a, struct plan_address, b->n_servers);
	if (ret->by_address == NULL || ret->keys == NULL)
		return false;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *s = &b->servers[i];

		(void)plan_address_parse(s->address, s->port, &ret->keys[i]);
		ret->by_address[i] = (struct claim){ .key = ret->keys[i], .candidate = s };
	}
	if (b->n_servers > 0)
		qsort(ret->by_address, b->n_servers, sizeof(struct claim), by_claim);
	return true;
}

static const struct desired_server *
best_at(const struct claims *c, const struct plan_address *key)
{
	size_t low = 0, high = c->desired->n_servers;

	if (key->family == PLAN_ADDRESS_NONE)
		return NULL;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (plan_address_cmp(&c->by_address[mid].key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == c->desired->n_servers || plan_address_cmp(&c->by_address[low].key, key) != 0)
		return NULL;
	return c->by_address[low].candidate;
}

/* The first candidate of this name, in desired's order; n_servers: none. */
static size_t
first_named(const struct desired_backend *b, struct str name)
{
	size_t low = 0, high = b->n_servers;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (str_cmp(b->servers[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Of the same name: the one at this address, else the one that matters most. */
static const struct desired_server *
best_named(const struct claims *c, struct str name, const struct plan_address *key, bool *ret_is_moved)
{
	const struct desired_backend *b = c->desired;
	const struct desired_server *best = NULL;

	for (size_t i = first_named(b, name); i < b->n_servers && str_eq(b->servers[i].name, name); i++) {
		if (key->family != PLAN_ADDRESS_NONE && plan_address_cmp(&c->keys[i], key) == 0) {
			*ret_is_moved = false;
			return &b->servers[i];
		}
		if (best == NULL || b->servers[i].want < best->want)
			best = &b->servers[i];
	}
	*ret_is_moved = best != NULL;
	return best;
}

/* ---- servers ---- */

static int
by_number(const void *a, const void *b)
{
	const struct actual_server *x = ((const struct plan_bound *)a)->server;
	const struct actual_server *y = ((const struct plan_bound *)b)->server;

	if (x->is_slot != y->is_slot)
		return x->is_slot ? -1 : 1;
	if (x->is_slot && x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static bool
list_servers(struct arena *a, const struct actual_backend *b, struct plan_binding *ret)
{
	ret->servers = ARENA_ARRAY(a, struct plan_bound, b->n_servers);
	if (ret->servers == NULL)
		return false;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct actual_server *s = &b->servers[i];
		struct plan_bound *bound = &ret->servers[ret->n_servers];

		if (!s->is_ours)
			continue;
		bound->server = s;
		(void)plan_address_parse(s->address, s->port, &bound->key);
		ret->n_servers++;
		ret->n_slots += s->is_slot ? 1 : 0;
	}
	if (ret->n_servers > 0)
		qsort(ret->servers, ret->n_servers, sizeof(struct plan_bound), by_number);
	return true;
}

static void
bind_one(const struct claims *c, struct plan_bound *s)
{
	const struct desired_server *there = best_at(c, &s->key);

	if (s->server->is_slot) {
		s->stands_for = there;
		return;
	}
	s->stands_for = best_named(c, s->server->name, &s->key, &s->is_moved);
	if (s->stands_for != NULL || there == NULL || there->want != DESIRED_SERVE)
		return;
	s->stands_for = there;
	s->is_replaced = true;
}

/* ---- several for one ---- */

static bool
takes_calls(const struct plan_bound *s)
{
	return s->server->admin == ACTUAL_READY && s->server->up && s->server->weight > 0;
}

static int
quality(const struct actual_server *s)
{
	switch (s->admin) {
	case ACTUAL_READY:
		return 0;
	case ACTUAL_DRAIN:
		return s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED ? 1 : 2;
	case ACTUAL_MAINT:
		break;
	}
	return 3;
}

/* Pointers into one array, which is in the order of by_number. */
static int
by_candidate(const void *a, const void *b)
{
	const struct plan_bound *x = *(struct plan_bound *const *)a, *y = *(struct plan_bound *const *)b;

	if (x->stands_for != y->stands_for)
		return x->stands_for < y->stands_for ? -1 : 1;
	if (x->is_moved != y->is_moved)
		return x->is_moved ? 1 : -1;
	if (takes_calls(x) != takes_calls(y))
		return takes_calls(x) ? -1 : 1;
	if ((x->server->admin == ACTUAL_READY) != (y->server->admin == ACTUAL_READY))
		return x->server->admin == ACTUAL_READY ? -1 : 1; /* one that is only kept is not brought back */
	if (x->server->is_slot != y->server->is_slot)
		return x->server->is_slot ? 1 : -1;
	if (quality(x->server) != quality(y->server))
		return quality(x->server) - quality(y->server);
	return (x > y) - (x < y);
}

/* Which of them is the second matters only while the candidate stays: if it leaves,
 * they all do.  One at another address serves until one at the right one does. */
static bool
is_second(const struct plan_bound *best, const struct plan_bound *s)
{
	if (s == best || s->stands_for->want == DESIRED_LEAVE)
		return false;
	return !(s->is_moved && takes_calls(s) && !takes_calls(best));
}

static bool
rank(struct arena *a, struct plan_binding *b)
{
	struct plan_bound **sorted = ARENA_ARRAY(a, struct plan_bound *, b->n_servers), *best = NULL;
	size_t n = 0;

	if (sorted == NULL)
		return false;
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].stands_for != NULL && !b->servers[i].is_replaced)
			sorted[n++] = &b->servers[i];
	if (n > 0)
		qsort(sorted, n, sizeof(struct plan_bound *), by_candidate);
	for (size_t i = 0; i < n; i++) {
		if (best == NULL || best->stands_for != sorted[i]->stands_for)
			best = sorted[i];
		sorted[i]->is_second = is_second(best, sorted[i]);
	}
	return true;
}

/* One at another address has the name that its candidate needs, unless that can have a slot. */
static void
note_held(const struct claims *c, struct plan_binding *b)
{
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_bound *s = &b->servers[i];

		if (s->stands_for != NULL && !s->is_replaced && (!s->is_moved || b->n_slots == 0))
			b->is_held[s->stands_for - c->desired->servers] = true;
	}
}

static void
note_best(const struct claims *c, struct plan_binding *b)
{
	for (size_t i = 0; i < c->desired->n_servers; i++)
		b->is_best[c->by_address[i].candidate - c->desired->servers] =
		    i == 0 || plan_address_cmp(&c->by_address[i - 1].key, &c->by_address[i].key) != 0;
}

bool
plan_bind(struct arena *a, const struct desired_backend *desired, const struct actual_backend *actual,
    struct plan_binding *ret)
{
	struct claims claims;

	*ret = (struct plan_binding){
		.is_held = ARENA_ARRAY(a, bool, desired->n_servers),
		.is_best = ARENA_ARRAY(a, bool, desired->n_servers),
	};
	if (ret->is_held == NULL || ret->is_best == NULL || !list_claims(a, desired, &claims) ||
	    !list_servers(a, actual, ret))
		return false;
	for (size_t i = 0; i < ret->n_servers; i++)
		bind_one(&claims, &ret->servers[i]);
	note_held(&claims, ret);
	note_best(&claims, ret);
	return rank(a, ret);
}

static int
by_name(const void *key, const void *item)
{
	const struct str *name = key;
	const struct plan_bound *s = item;

	return str_cmp(*name, s->server->name);
}

const struct plan_bound *
plan_bind_find_named(const struct plan_binding *b, struct str name)
{
	if (b->n_servers == b->n_slots)
		return NULL;
	return bsearch(&name, b->servers + b->n_slots, b->n_servers - b->n_slots, sizeof(*b->servers), by_name);
}
