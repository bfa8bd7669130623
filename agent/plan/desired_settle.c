/* Who holds an address: see desired_settle.h. */
#include "config.h"

#include "plan/desired_settle.h"

#include <stdlib.h>

int
desired_settle_backend_cmp(const struct desired_draft *a, const struct desired_draft *b)
{
	return (a->backend > b->backend) - (a->backend < b->backend);
}

static int
by_address(const void *a, const void *b)
{
	const struct desired_draft *x = *(struct desired_draft *const *)a, *y = *(struct desired_draft *const *)b;
	int order = desired_settle_backend_cmp(x, y);

	return order != 0 ? order : plan_address_cmp(&x->key, &y->key);
}

static int
by_task(const void *a, const void *b)
{
	const struct desired_draft *x = *(struct desired_draft *const *)a, *y = *(struct desired_draft *const *)b;

	return str_cmp(x->server.task->arn, y->server.task->arn);
}

static int
by_age(const void *a, const void *b)
{
	const struct desired_draft *x = *(struct desired_draft *const *)a, *y = *(struct desired_draft *const *)b;

	return -desired_task_age_cmp(x->server.task, y->server.task);
}

static bool
same_address(const struct desired_draft *a, const struct desired_draft *b)
{
	return by_address(&a, &b) == 0;
}

static bool
same_task(const struct desired_draft *a, const struct desired_draft *b)
{
	return str_eq(a->server.task->arn, b->server.task->arn);
}

/* Is that an address of the same network, where it can be held by one task only? */
bool
desired_settle_same_network(const struct roster_task *a, const struct roster_task *b)
{
	if (a->subnet.len > 0 && str_eq(a->subnet, b->subnet))
		return true;
	return a->container_instance_arn.len > 0 && str_eq(a->container_instance_arn, b->container_instance_arn);
}

/* One cluster may be read through two sources.  What is proven by either is true;
 * else the later word counts, and an earlier run's not at all. */
static bool
is_better_copy(const struct desired_draft *a, const struct desired_draft *b)
{
	bool proven_a = evidence_is_proven(a->verdict.evidence), proven_b = evidence_is_proven(b->verdict.evidence);

	if (a->server.task->is_remembered != b->server.task->is_remembered)
		return b->server.task->is_remembered;
	if (proven_a != proven_b)
		return proven_a;
	return a->server.task->described_wall_ms > b->server.task->described_wall_ms;
}

static void
settle_copies(struct desired_draft **group, size_t n)
{
	struct desired_draft *best;

	qsort(group, n, sizeof(struct desired_draft *), by_task);
	best = group[0];
	for (size_t i = 1; i < n; i++) {
		struct desired_draft *d = group[i];

		if (!same_task(best, d)) {
			best = d;
		} else if (is_better_copy(d, best)) {
			best->is_copy = true;
			best = d;
		} else {
			d->is_copy = true;
		}
	}
}

/* The newest that runs; one that is only remembered, if it is alone. */
static struct desired_draft *
find_holder(struct desired_draft **group, size_t n)
{
	struct desired_draft *remembered = NULL;

	qsort(group, n, sizeof(struct desired_draft *), by_age);
	for (size_t i = 0; i < n; i++) {
		struct desired_draft *d = group[i];

		if (d->is_copy || !desired_verdict_is_holder(d->server.task))
			continue;
		if (!d->server.task->is_remembered)
			return d;
		if (remembered == NULL)
			remembered = d;
	}
	return remembered;
}

/* What is remembered makes way for what is known, and never the other way round. */
static bool
makes_way(const struct roster_task *t, const struct roster_task *by)
{
	if (t->is_remembered != by->is_remembered)
		return t->is_remembered;
	return desired_task_age_cmp(by, t) > 0;
}

static void
settle_address(struct desired_draft **group, size_t n)
{
	const struct desired_draft *holder;

	if (n == 1)
		return;
	settle_copies(group, n);
	holder = find_holder(group, n);
	for (size_t i = 0; holder != NULL && i < n; i++) {
		struct desired_draft *d = group[i];
		const struct roster_task *by = holder->server.task, *t = d->server.task;
		bool is_proof =
		    !by->is_remembered && desired_task_age_cmp(by, t) > 0 && desired_settle_same_network(by, t);

		if (d->is_copy || !makes_way(t, by))
			continue;
		if (is_proof || d->verdict.want == DESIRED_SERVE)
			d->by = by;
		d->verdict = desired_verdict_replaced(d->verdict, is_proof);
	}
}

/* ---- shadows ---- */

static int
by_place(const void *a, const void *b)
{
	const struct desired_shadow *x = a, *y = b;

	if (x->backend != y->backend)
		return x->backend < y->backend ? -1 : 1;
	return plan_address_cmp(&x->key, &y->key);
}

/* The end of a task that had the address before proves nothing about the one that
 * may serve there now. */
static void
settle_shadow(struct desired_draft *d, const struct desired_shadow *shadows, size_t n)
{
	struct desired_shadow place = { .backend = d->backend, .key = d->key }, whole = place;

	whole.key.port = 0;
	if (n == 0 || (d->verdict.evidence != EVIDENCE_STOPPING && d->verdict.evidence != EVIDENCE_STOPPED))
		return;
	if (bsearch(&place, shadows, n, sizeof(place), by_place) == NULL &&
	    bsearch(&whole, shadows, n, sizeof(whole), by_place) == NULL)
		return;
	d->verdict.want = DESIRED_KEEP;
	d->verdict.evidence = EVIDENCE_NONE;
}

void
desired_settle(struct desired_draft **drafts, size_t n, struct desired_shadow *shadows, size_t n_shadows)
{
	if (n > 0)
		qsort(drafts, n, sizeof(struct desired_draft *), by_address);
	if (n_shadows > 0)
		qsort(shadows, n_shadows, sizeof(*shadows), by_place);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && same_address(drafts[i], drafts[end]);)
			end++;
		settle_address(drafts + i, end - i);
	}
	for (size_t i = 0; i < n; i++)
		settle_shadow(drafts[i], shadows, n_shadows);
}
