/* What no candidate explains: see plan_orphan.h. */
#include "config.h"

#include "plan/plan_orphan.h"

#include <stdlib.h>

#include "ecs/arn.h"
#include "plan/desired_port.h"
#include "plan/desired_settle.h"
#include "plan/desired_verdict.h"
#include "plan/plan_address.h"

struct by_id {
	struct str id;
	const struct roster_task *task;
};

#define PLACES_MAX 64 /* of a container on a machine's address; a range may hold more than anybody serves */

struct by_address {
	struct plan_address key; /* port 0: any of that address */
	const struct roster_task *task;
};

struct plan_orphan_index {
	const struct roster *roster;
	struct by_id *ids;
	size_t n_ids;
	struct by_address *addresses;
	size_t n_addresses;
};

/* ---- the index ---- */

static int
id_cmp(const void *a, const void *b)
{
	const struct by_id *x = a, *y = b;

	return str_cmp(x->id, y->id);
}

static int
address_cmp(const void *a, const void *b)
{
	const struct by_address *x = a, *y = b;

	return plan_address_cmp(&x->key, &y->key);
}

static void
add_address(struct plan_orphan_index *x, const struct roster_task *t, struct str text)
{
	struct by_address *to = &x->addresses[x->n_addresses];

	if (!plan_address_parse(text, 1, &to->key))
		return;
	to->key.port = 0;
	to->task = t;
	x->n_addresses++;
}

/* Tasks share the address of a machine: there, each has its own ports only. */
static size_t
places_on_host(const struct roster_task *t, const struct roster_container *c, struct plan_address *ret)
{
	return taskdef_is_on_host(t->definition) ? desired_port_places(t, c, ret, PLACES_MAX) : 0;
}

static void
add_places(struct plan_orphan_index *x, const struct roster_task *t, const struct roster_container *c)
{
	struct plan_address keys[PLACES_MAX];
	const size_t n = places_on_host(t, c, keys);

	add_address(x, t, c->ipv4);
	add_address(x, t, c->ipv6);
	for (size_t i = 0; i < n; i++)
		x->addresses[x->n_addresses++] = (struct by_address){ .key = keys[i], .task = t };
}

static size_t
count_places(const struct roster_task *t)
{
	struct plan_address keys[PLACES_MAX];
	size_t n = 0;

	for (size_t i = 0; desired_verdict_is_holder(t) && i < t->n_containers; i++)
		n += 2 + places_on_host(t, &t->containers[i], keys);
	return n;
}

static void
add_task(struct plan_orphan_index *x, const struct roster_task *t)
{
	x->ids[x->n_ids++] = (struct by_id){ .id = t->id, .task = t };
	for (size_t i = 0; desired_verdict_is_holder(t) && i < t->n_containers; i++)
		add_places(x, t, &t->containers[i]);
}

struct plan_orphan_index *
plan_orphan_index_new(struct arena *a, const struct roster *roster)
{
	struct plan_orphan_index *x = ARENA_NEW(a, struct plan_orphan_index);
	size_t n_tasks = 0, n_places = 0;

	for (size_t i = 0; i < roster->n_clusters; i++) {
		const struct roster_facts *f = roster->clusters[i].facts;

		n_tasks += f != NULL ? f->n_tasks : 0;
		for (size_t k = 0; f != NULL && k < f->n_tasks; k++)
			n_places += count_places(&f->tasks[k]);
	}
	if (x == NULL)
		return NULL;
	x->roster = roster;
	x->ids = ARENA_ARRAY(a, struct by_id, n_tasks);
	x->addresses = ARENA_ARRAY(a, struct by_address, n_places);
	if (x->ids == NULL || x->addresses == NULL)
		return NULL;
	for (size_t i = 0; i < roster->n_clusters; i++)
		for (size_t k = 0; roster->clusters[i].facts != NULL && k < roster->clusters[i].facts->n_tasks; k++)
			add_task(x, &roster->clusters[i].facts->tasks[k]);
	if (x->n_ids > 0)
		qsort(x->ids, x->n_ids, sizeof(*x->ids), id_cmp);
	if (x->n_addresses > 0)
		qsort(x->addresses, x->n_addresses, sizeof(*x->addresses), address_cmp);
	return x;
}

static const struct by_id *
first_of_id(const struct plan_orphan_index *x, struct str id)
{
	size_t low = 0, high = x->n_ids;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (str_cmp(x->ids[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < x->n_ids && str_eq(x->ids[low].id, id) ? &x->ids[low] : NULL;
}

/* Of two copies of one task: the one that proves its end. */
static const struct roster_task *
better_copy(const struct roster_task *a, const struct roster_task *b)
{
	if (desired_verdict_is_over(a) != desired_verdict_is_over(b))
		return desired_verdict_is_over(a) ? a : b;
	return b->last_status > a->last_status ? b : a;
}

/* arn empty: any.  Two tasks of one id, which another account may have, are none. */
static const struct roster_task *
find_task(const struct plan_orphan_index *x, struct str id, struct str arn)
{
	const struct by_id *at = first_of_id(x, id);
	const struct roster_task *found = NULL;

	for (; at != NULL && at < x->ids + x->n_ids && str_eq(at->id, id); at++) {
		if (arn.len > 0 && !str_eq(at->task->arn, arn))
			continue;
		if (found != NULL && !str_eq(found->arn, at->task->arn))
			return NULL;
		found = found != NULL ? better_copy(found, at->task) : at->task;
	}
	return found;
}

/* The newest of those that are indexed so, and of found; *several: it is not the only one. */
static const struct roster_task *
newest_at(
    const struct plan_orphan_index *x, const struct plan_address *at, const struct roster_task *found, bool *several)
{
	const struct by_address key = { .key = *at };
	const struct by_address *hit = NULL;
	size_t i;

	if (x->n_addresses > 0)
		hit = bsearch(&key, x->addresses, x->n_addresses, sizeof(key), address_cmp);
	if (hit == NULL)
		return found;
	for (i = (size_t)(hit - x->addresses); i > 0 && address_cmp(&x->addresses[i - 1], &key) == 0;)
		i--;
	for (; i < x->n_addresses && address_cmp(&x->addresses[i], &key) == 0; i++) {
		const struct roster_task *t = x->addresses[i].task;

		*several = *several || (found != NULL && !str_eq(found->arn, t->arn));
		if (found == NULL || desired_task_age_cmp(t, found) > 0)
			found = t;
	}
	return found;
}

/* The task that runs at this address; *ret_several: more than one does. */
static const struct roster_task *
find_at(const struct plan_orphan_index *x, const struct plan_address *at, bool *ret_several)
{
	struct plan_address whole = *at;

	*ret_several = false;
	if (at->family == PLAN_ADDRESS_NONE)
		return NULL;
	whole.port = 0;
	return newest_at(x, at, newest_at(x, &whole, NULL, ret_several), ret_several);
}

/* ---- whose it was ---- */

/* "rc_ID_CONTAINER_PORT", its own port: else somebody else made it. */
static bool
is_named_by_us(const struct actual_server *s, struct str *ret_id)
{
	struct str rest = str_skip(s->name, 3), port = str_after_last(s->name, '_'); /* "rc_" */
	uint64_t number;
	size_t end;

	if (s->is_slot || !str_find(rest, '_', &end) || end == 0 || end + 1 >= rest.len - port.len)
		return false;
	*ret_id = str_first(rest, end);
	return str_to_u64(port, UINT16_MAX, &number) && number == s->port;
}

/* ---- evidence ---- */

/* The end of a task that had the address before proves nothing about the one that may
 * serve there now, unless it can be held by one task only. */
static enum evidence
weigh_end(const struct plan_orphan_index *x, const struct plan_bound *s, const struct roster_task *t, enum evidence ev)
{
	bool several;
	const struct roster_task *holder = find_at(x, &s->key, &several);

	if (holder == NULL || str_eq(holder->arn, t->arn))
		return ev;
	return !several && !holder->is_remembered && desired_settle_same_network(holder, t) &&
		       desired_task_age_cmp(holder, t) > 0
		   ? EVIDENCE_REPLACED
		   : EVIDENCE_NONE;
}

/* A container that no backend has: because nobody wants it, or because something of it
 * is not known? */
static bool
is_left_out(enum reason r)
{
	return r == REASON_NOT_SELECTED || r == REASON_DISABLED || r == REASON_CONSTRAINT;
}

/* The configuration keeps its labels' claim on the backend out, whatever becomes of the task. */
static bool
is_refused(const struct desired_endpoint *row)
{
	return row->port == 0 && (row->reason == REASON_NAME_CONFLICT || row->reason == REASON_HOST_NOT_ALLOWED ||
				     row->reason == REASON_UNHONOURED || row->reason == REASON_NO_ROUTE ||
				     row->reason == REASON_NO_BACKEND || row->reason == REASON_DISABLED);
}

static bool
is_in_doubt(const struct desired_endpoint *row, struct str backend, uint16_t port)
{
	if (row->backend.len == 0)
		return !is_left_out(row->reason);
	return !is_refused(row) && str_eq(row->backend, backend) &&
	       (!row->exposed || row->port == 0 || row->port == port);
}

static bool
is_place_of(const struct roster_task *t, const struct roster_container *c, const struct plan_address *at)
{
	struct plan_address keys[PLACES_MAX];
	const size_t n = places_on_host(t, c, keys);

	for (size_t i = 0; i < n; i++)
		if (plan_address_cmp(&keys[i], at) == 0)
			return true;
	return false;
}

static bool
has_address(const struct roster_task *t, const struct plan_address *at)
{
	struct plan_address mine;

	for (size_t i = 0; i < t->n_containers; i++)
		if ((plan_address_parse(t->containers[i].ipv4, at->port, &mine) && plan_address_cmp(&mine, at) == 0) ||
		    (plan_address_parse(t->containers[i].ipv6, at->port, &mine) && plan_address_cmp(&mine, at) == 0) ||
		    is_place_of(t, &t->containers[i], at))
			return true;
	return false;
}

/* Is it known for sure that nothing exposes this task here?  Not while it is not listed,
 * its definition is not read, its answer does not tell the server's address, or its
 * port in this backend is in doubt. */
static bool
is_unexposed(const struct desired *d, const struct roster_task *t, struct str backend, const struct plan_address *at)
{
	size_t n = 0;
	const struct desired_endpoint *rows = desired_endpoints_of(d, t, &n);

	if (t->definition == NULL || !t->listed || n == 0 || !has_address(t, at))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_in_doubt(&rows[i], backend, at->port))
			return false;
	return true;
}

static enum evidence
weigh_copy(const struct plan_orphan_index *x, const struct desired *d, struct str backend, const struct plan_bound *s,
    const struct roster_task *t)
{
	const struct desired_verdict v = desired_verdict_of(t, false);

	if (!v.is_candidate)
		return EVIDENCE_NONE;
	if (evidence_is_proven(v.evidence))
		return weigh_end(x, s, t, v.evidence);
	if (v.evidence == EVIDENCE_MISSING || v.evidence == EVIDENCE_NONE)
		return v.evidence;
	return is_unexposed(d, t, backend, &s->key) ? EVIDENCE_UNEXPOSED : EVIDENCE_NONE;
}

/* One cluster may be read through two sources: what is proven by either is true; of
 * the rest only what both say. */
static enum evidence
weigh(const struct plan_orphan_index *x, const struct desired *d, struct str backend, const struct plan_bound *s,
    const struct roster_task *t)
{
	const struct by_id *at = first_of_id(x, t->id);
	enum evidence all = weigh_copy(x, d, backend, s, t);

	if (desired_verdict_is_over(t))
		return all;
	for (; at != NULL && at < x->ids + x->n_ids && str_eq(at->id, t->id); at++)
		if (str_eq(at->task->arn, t->arn) && weigh_copy(x, d, backend, s, at->task) != all)
			return EVIDENCE_NONE;
	return all;
}

/* The region of a cluster that has not told its ARN may be any. */
static bool
is_named_as(const struct roster_cluster *c, const struct arn *task, struct str task_cluster)
{
	struct arn told;
	struct str name;

	if (!str_eq(arn_cluster_name(c->name), task_cluster))
		return false;
	return !arn_parse_cluster(c->arn, &told, &name) || str_eq(told.region, task->region);
}

/* Keys of another account answer for a cluster of the same name, and know none of these
 * tasks: that says nothing of them.  Nor does a cluster that has not told whose it is. */
static bool
is_of_other_account(const struct roster *roster, const struct applied_server *known)
{
	struct arn task;
	struct str cluster, id;
	bool is_named = false;

	if (known == NULL || !arn_parse_task(known->task_arn, &task, &cluster, &id))
		return false;
	for (size_t i = 0; i < roster->n_clusters; i++) {
		const struct roster_cluster *c = &roster->clusters[i];

		if (!is_named_as(c, &task, cluster))
			continue;
		if (str_eq(c->account, task.account))
			return false;
		is_named = true;
	}
	return is_named;
}

static const struct roster_task *
find_its_task(const struct plan_orphan_index *x, const struct plan_bound *s, struct str id)
{
	struct str arn = s->applied != NULL ? s->applied->task_arn : STR("");

	if (id.len > 0)
		return find_task(x, id, STR(""));
	return arn.len > 0 ? find_task(x, str_after_last(arn, '/'), arn) : NULL;
}

struct plan_orphan
plan_orphan_of(
    const struct plan_orphan_index *x, const struct desired *d, struct str backend, const struct plan_bound *s)
{
	struct plan_orphan ret = { .evidence = EVIDENCE_NONE };
	struct str id = STR("");
	bool several = false;

	if (!s->server->is_slot && !is_named_by_us(s->server, &id))
		return ret;
	ret.task = find_its_task(x, s, id);
	if (ret.task == NULL && s->server->is_slot)
		ret.task = find_at(x, &s->key, &several);
	if (ret.task != NULL && !several)
		ret.evidence = weigh(x, d, backend, s, ret.task);
	ret.is_unexplained = ret.task == NULL && s->key.family != PLAN_ADDRESS_NONE;
	ret.is_of_other_account = ret.is_unexplained && is_of_other_account(x->roster, s->applied);
	return ret;
}
