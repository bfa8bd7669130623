/* Tasks that are served: see ecs_sought.h. */
#include "config.h"

#include "ecs/ecs_sought.h"

#include <stdlib.h>

#include "ecs/arn.h"

/* Of one id the one that tells more comes first. */
static int
by_id(const void *a, const void *b)
{
	const struct ecs_sought_task *x = a, *y = b;
	int order = str_cmp(x->id, y->id);

	return order != 0 ? order : (x->arn.len == 0) - (y->arn.len == 0);
}

static int
key_cmp(const void *key, const void *item)
{
	const struct str *id = key;
	const struct ecs_sought_task *t = item;

	return str_cmp(*id, t->id);
}

static bool
fill(struct arena *a, const struct ecs_sought_task *tasks, size_t n, struct ecs_sought *ret)
{
	struct ecs_sought_task *list = ARENA_ARRAY(a, struct ecs_sought_task, n);
	size_t n_tasks = 0, n_kept = 0;

	if (list == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (arn_is_task_id(tasks[i].id))
			list[n_tasks++] = tasks[i];
	if (n_tasks > 0)
		qsort(list, n_tasks, sizeof(*list), by_id);
	for (size_t i = 0; i < n_tasks; i++)
		if (n_kept == 0 || !str_eq(list[n_kept - 1].id, list[i].id))
			list[n_kept++] = list[i];
	for (size_t i = 0; i < n_kept; i++)
		if (!arena_str(a, list[i].id, &list[i].id) || !arena_str(a, list[i].arn, &list[i].arn))
			return false;
	*ret = (struct ecs_sought){ .tasks = list, .n = n_kept, .arena = a };
	return true;
}

enum err_code
ecs_sought_make(const struct ecs_sought_task *tasks, size_t n, struct ecs_sought *ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = NULL;

	if (n == 0) {
		*ret = (struct ecs_sought){ .n = 0 };
		return ERR_OK;
	}
	a = arena_new(ECS_SOUGHT_ARENA_MAX);
	if (a == NULL || !fill(a, tasks, n, ret))
		return err_set(e, ERR_NOMEM, "note %zu tasks that are served: %s", n, err_text(ERR_NOMEM));
	(void)MOVE(a);
	return ERR_OK;
}

enum err_code
ecs_sought_pick(const struct ecs_sought *from, bool (*is_wanted)(const void *arg, const struct ecs_sought_task *t),
    const void *arg, struct ecs_sought *ret, struct err *e)
{
	struct ecs_sought_task *picked = calloc(from->n + 1, sizeof(*picked));
	size_t n = 0;
	enum err_code code;

	if (picked == NULL)
		return err_set(e, ERR_NOMEM, "note %zu tasks that are served: %s", from->n, err_text(ERR_NOMEM));
	for (size_t i = 0; i < from->n; i++)
		if (is_wanted(arg, &from->tasks[i]))
			picked[n++] = from->tasks[i];
	code = ecs_sought_make(picked, n, ret, e);
	free(picked);
	return code;
}

void
ecs_sought_free(struct ecs_sought *s)
{
	arena_free(s->arena);
	*s = (struct ecs_sought){ .n = 0 };
}

const struct ecs_sought_task *
ecs_sought_find(const struct ecs_sought *s, struct str id)
{
	return s->n > 0 ? bsearch(&id, s->tasks, s->n, sizeof(*s->tasks), key_cmp) : NULL;
}
