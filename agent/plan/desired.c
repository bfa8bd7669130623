/* What HAProxy should hold, as a value: see desired.h; made in desired_derive.c. */
#include "config.h"

#include "plan/desired.h"

#include <stdlib.h>

void
desired_free(struct desired *d)
{
	if (d == NULL)
		return;
	roster_unref(d->roster);
	arena_free(d->arena); /* d is in it */
}

/* A label may still join one that no entry names any more, and one that is not read yet may ask for it. */
bool
desired_is_forsaken(const struct desired *d, const struct desired_backend *b)
{
	return b->conf->retired && b->n_servers == 0 && d->labels_are_known;
}

const struct desired_backend *
desired_find(const struct desired *d, struct str backend)
{
	for (size_t i = 0; i < d->n_backends; i++)
		if (str_eq(d->backends[i].name, backend))
			return &d->backends[i];
	return NULL;
}

static const struct roster_cluster *
cluster_of(const struct roster *r, const struct roster_task *task)
{
	uintptr_t at = (uintptr_t)task;

	for (size_t i = 0; i < r->n_clusters; i++) {
		const struct roster_facts *f = r->clusters[i].facts;

		if (f != NULL && at >= (uintptr_t)f->tasks && at < (uintptr_t)(f->tasks + f->n_tasks))
			return &r->clusters[i];
	}
	return NULL;
}

/* Clusters stand in one array, and the tasks of a cluster in one: their places are their order.
 * (Two configured clusters may share their facts, so the task alone does not tell.) */
static int
by_place(const void *key, const void *item)
{
	const struct desired_endpoint *a = key, *b = item;

	if (a->cluster != b->cluster)
		return a->cluster < b->cluster ? -1 : 1;
	return (a->task > b->task) - (a->task < b->task);
}

const struct desired_endpoint *
desired_endpoints_of(const struct desired *d, const struct roster_task *task, size_t *ret_n)
{
	const struct desired_endpoint key = { .cluster = cluster_of(d->roster, task), .task = task };
	const struct desired_endpoint *hit = NULL, *end = d->endpoints + d->n_endpoints, *last;

	*ret_n = 0;
	if (key.cluster != NULL && d->n_endpoints > 0)
		hit = bsearch(&key, d->endpoints, d->n_endpoints, sizeof(key), by_place);
	if (hit == NULL)
		return NULL;
	for (last = hit; last + 1 < end && last[1].task == task && last[1].cluster == key.cluster;)
		last++;
	while (hit > d->endpoints && hit[-1].task == task && hit[-1].cluster == key.cluster)
		hit--;
	*ret_n = (size_t)(last - hit) + 1;
	return hit;
}

static int
number_cmp(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int
desired_task_age_cmp(const struct roster_task *a, const struct roster_task *b)
{
	int64_t start_a = a->started_ms != 0 ? a->started_ms : a->created_ms;
	int64_t start_b = b->started_ms != 0 ? b->started_ms : b->created_ms;
	int order = number_cmp(start_a, start_b);

	if (order == 0)
		order = number_cmp(a->created_ms, b->created_ms);
	return order != 0 ? order : str_cmp(a->arn, b->arn);
}
