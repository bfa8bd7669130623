/* Backends that hold servers of ours: see reconcile_held.h. */
#include "config.h"

#include "sync/reconcile_held.h"

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

bool
reconcile_held_list(
    struct arena *arena, const struct applied *a, const struct name_set *made, struct reconcile_held *ret)
{
	struct desired_held *items = ARENA_ARRAY(arena, struct desired_held, count_backends(a));

	*ret = (struct reconcile_held){ .items = items };
	if (items == NULL)
		return false;
	for (size_t i = 0; a != NULL && i < a->n_servers; i++) {
		struct str name = a->servers[i].backend;

		if (begins_backend(a, i))
			items[ret->n++] = (struct desired_held){ name, made != NULL && name_set_has(made, name) };
	}
	return true;
}
