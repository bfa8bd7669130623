/* Task definition revisions, shared by counted reference: see taskdef.h. */
#include "config.h"

#include "ecs/taskdef.h"

struct taskdef *
taskdef_ref(struct taskdef *d)
{
	d->refs++;
	return d;
}

void
taskdef_unref(struct taskdef *d)
{
	if (d == NULL || --d->refs > 0)
		return;
	arena_free(d->arena);
}

bool
taskdef_is_on_host(const struct taskdef *d)
{
	return d != NULL && (d->network == TASKDEF_BRIDGE || d->network == TASKDEF_HOST);
}

const struct taskdef_container *
taskdef_container(const struct taskdef *d, struct str name)
{
	for (size_t i = 0; i < d->n_containers; i++)
		if (str_eq(d->containers[i].name, name))
			return &d->containers[i];
	return NULL;
}
