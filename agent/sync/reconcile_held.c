/* Backends that hold servers of ours: see reconcile_held.h. */
#include "config.h"

#include "sync/reconcile_held.h"

#include <stdlib.h>

/* Servers stand by backend. */
static bool
begins_backend(const struct applied *a, size_t i)
{
	return i == 0 || !str_eq(a->servers[i].backend, a->servers[i - 1].backend);
}

static size_t
count_backends(const struct applied *a)
{
	size_t n = 0;

	for (size_t i = 0; a != NULL && i < a->n_servers; i++)
		n += begins_backend(a, i) ? 1 : 0;
	return n;
}

static int
by_name(const void *a, const void *b)
{
	const struct desired_held *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static void
list_applied(const struct applied *a, const struct name_set *made, struct desired_held *items, size_t *n)
{
	for (size_t i = 0; a != NULL && i < a->n_servers; i++) {
		struct str name = a->servers[i].backend;

		if (begins_backend(a, i))
			items[(*n)++] = (struct desired_held){ name, made != NULL && name_set_has(made, name) };
	}
}

bool
reconcile_held_list(
    struct arena *arena, const struct applied *a, const struct name_set *made, struct reconcile_held *ret)
{
	size_t n_made = made != NULL ? made->n : 0, n = 0, n_applied;
	struct desired_held *items = ARENA_ARRAY(arena, struct desired_held, count_backends(a) + n_made + 1);

	*ret = (struct reconcile_held){ .items = items };
	if (items == NULL)
		return false;
	list_applied(a, made, items, &n);
	n_applied = n;
	for (size_t i = 0; i < n_made; i++) {
		const struct desired_held held = { made->names[i], true };

		if (bsearch(&held, items, n_applied, sizeof(held), by_name) == NULL)
			items[n++] = held;
	}
	qsort(items, n, sizeof(*items), by_name);
	ret->n = n;
	return true;
}
