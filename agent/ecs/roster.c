/* What AWS has told us, as frozen and counted values: see roster.h. */
#include "config.h"

#include "ecs/roster.h"

#include <stdlib.h>

#define ROSTER_ARENA_MAX ((size_t)4 << 20) /* names of clusters, and of some services */

/* ---- tasks ---- */

static bool
copy_str(struct arena *a, struct str s, struct str *ret)
{
	if (s.len == 0) {
		*ret = STR("");
		return true;
	}
	return arena_str(a, s, ret);
}

/* Copies part, or finds it in the copy of whole where it lies in whole: the id is
 * part of the ARN, the service part of the group. */
static bool
copy_part(struct arena *a, struct str part, struct str whole, struct str whole_copy, struct str *ret)
{
	uintptr_t p = (uintptr_t)part.ptr, w = (uintptr_t)whole.ptr;

	if (part.len == 0 || p < w || p - w > whole.len || part.len > whole.len - (p - w))
		return copy_str(a, part, ret);
	*ret = str_of(whole_copy.ptr + (p - w), part.len);
	return true;
}

static bool
copy_container(struct arena *a, const struct roster_container *c, struct roster_container *ret)
{
	struct roster_binding *bindings = NULL;

	if (!copy_str(a, c->name, &ret->name) || !copy_str(a, c->ipv4, &ret->ipv4) || !copy_str(a, c->ipv6, &ret->ipv6))
		return false;
	if (c->n_bindings > 0) {
		bindings = ARENA_ARRAY(a, struct roster_binding, c->n_bindings);
		if (bindings == NULL)
			return false;
		memcpy(bindings, c->bindings, c->n_bindings * sizeof(*bindings));
	}
	ret->bindings = bindings;
	ret->n_bindings = c->n_bindings;
	return true;
}

static bool
copy_containers(struct arena *a, const struct roster_task *t, struct roster_task *ret)
{
	struct roster_container *containers;

	ret->containers = NULL;
	if (t->n_containers == 0)
		return true;
	containers = ARENA_ARRAY(a, struct roster_container, t->n_containers);
	if (containers == NULL)
		return false;
	for (size_t i = 0; i < t->n_containers; i++)
		if (!copy_container(a, &t->containers[i], &containers[i]))
			return false;
	ret->containers = containers;
	return true;
}

bool
roster_task_is_ending(const struct roster_task *t)
{
	return t->desired_status == ROSTER_STOPPED || t->last_status >= ROSTER_DEACTIVATING;
}

bool
roster_task_copy(struct arena *a, const struct roster_task *t, struct roster_task *ret)
{
	struct roster_task copy = *t;

	if (!copy_str(a, t->arn, &copy.arn) || !copy_part(a, t->id, t->arn, copy.arn, &copy.id) ||
	    !copy_str(a, t->group, &copy.group) || !copy_part(a, t->service, t->group, copy.group, &copy.service) ||
	    !copy_str(a, t->definition_arn, &copy.definition_arn) ||
	    !copy_part(a, t->family, t->definition_arn, copy.definition_arn, &copy.family) ||
	    !copy_str(a, t->zone, &copy.zone) || !copy_str(a, t->stop_code, &copy.stop_code) ||
	    !copy_str(a, t->stopped_reason, &copy.stopped_reason) || !copy_str(a, t->subnet, &copy.subnet) ||
	    !copy_str(a, t->container_instance_arn, &copy.container_instance_arn) ||
	    !copy_str(a, t->host_ipv4, &copy.host_ipv4) || !copy_str(a, t->host_ipv6, &copy.host_ipv6) ||
	    !copy_containers(a, t, &copy))
		return false;
	*ret = copy;
	return true;
}

static bool
same_bindings(const struct roster_container *a, const struct roster_container *b)
{
	if (a->n_bindings != b->n_bindings)
		return false;
	for (size_t i = 0; i < a->n_bindings; i++)
		if (a->bindings[i].container_port != b->bindings[i].container_port ||
		    a->bindings[i].host_port != b->bindings[i].host_port || a->bindings[i].n != b->bindings[i].n ||
		    a->bindings[i].tcp != b->bindings[i].tcp || a->bindings[i].on_ipv6 != b->bindings[i].on_ipv6)
			return false;
	return true;
}

static bool
same_containers(const struct roster_task *a, const struct roster_task *b)
{
	if (a->n_containers != b->n_containers)
		return false;
	for (size_t i = 0; i < a->n_containers; i++) {
		const struct roster_container *x = &a->containers[i], *y = &b->containers[i];

		if (!str_eq(x->name, y->name) || !str_eq(x->ipv4, y->ipv4) || !str_eq(x->ipv6, y->ipv6) ||
		    !same_bindings(x, y))
			return false;
	}
	return true;
}

static bool
same_texts(const struct roster_task *a, const struct roster_task *b)
{
	return str_eq(a->arn, b->arn) && str_eq(a->id, b->id) && str_eq(a->group, b->group) &&
	       str_eq(a->service, b->service) && str_eq(a->family, b->family) &&
	       str_eq(a->definition_arn, b->definition_arn) && str_eq(a->zone, b->zone) &&
	       str_eq(a->stop_code, b->stop_code) && str_eq(a->stopped_reason, b->stopped_reason) &&
	       str_eq(a->subnet, b->subnet) && str_eq(a->container_instance_arn, b->container_instance_arn);
}

bool
roster_task_same(const struct roster_task *a, const struct roster_task *b)
{
	return a->last_status == b->last_status && a->desired_status == b->desired_status && a->health == b->health &&
	       a->version == b->version && a->revision == b->revision && a->created_ms == b->created_ms &&
	       a->started_ms == b->started_ms && a->stopping_ms == b->stopping_ms && a->stopped_ms == b->stopped_ms &&
	       same_texts(a, b) && same_containers(a, b);
}

/* ---- the facts of a cluster ---- */

struct roster_facts *
roster_facts_ref(struct roster_facts *f)
{
	f->refs++;
	return f;
}

void
roster_facts_unref(struct roster_facts *f)
{
	if (f == NULL || --f->refs > 0)
		return;
	for (size_t i = 0; i < f->n_tasks; i++)
		taskdef_unref(f->tasks[i].definition);
	arena_free(f->arena); /* f is in it */
}

static int
by_arn(const void *a, const void *b)
{
	const struct roster_task *x = a, *y = b;

	return str_cmp(x->arn, y->arn);
}

static enum err_code
no_room(size_t n, size_t limit, struct err *e)
{
	return err_set(e, ERR_NOMEM, "the facts of %zu tasks: out of memory, or over %zu MiB", n, limit >> 20);
}

/* Tasks as given, their own strings in a, in order; definitions not referenced yet. */
static enum err_code
copy_tasks(
    struct arena *a, const struct roster_task *tasks, size_t n, size_t limit, struct roster_task **ret, struct err *e)
{
	struct roster_task *copies = ARENA_ARRAY(a, struct roster_task, n);

	if (copies == NULL)
		return no_room(n, limit, e);
	for (size_t i = 0; i < n; i++)
		if (!roster_task_copy(a, &tasks[i], &copies[i]))
			return no_room(n, limit, e);
	if (n > 0)
		qsort(copies, n, sizeof(*copies), by_arn);
	for (size_t i = 1; i < n; i++)
		if (str_eq(copies[i - 1].arn, copies[i].arn))
			return err_set(e, ERR_ARG, "the facts hold " STR_FMT " twice", STR_ARG(copies[i].arn));
	*ret = copies;
	return ERR_OK;
}

enum err_code
roster_facts_make(const struct roster_task *tasks, size_t n, size_t limit, struct roster_facts **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(limit);
	struct roster_facts *f = a != NULL ? ARENA_NEW(a, struct roster_facts) : NULL;
	struct roster_task *copies = NULL;
	enum err_code code;

	if (f == NULL)
		return no_room(n, limit, e);
	code = copy_tasks(a, tasks, n, limit, &copies, e);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < n; i++)
		if (copies[i].definition != NULL)
			(void)taskdef_ref(copies[i].definition);
	*f = (struct roster_facts){ .tasks = copies, .n_tasks = n, .arena = MOVE(a), .refs = 1 };
	*ret = f;
	return ERR_OK;
}

const struct roster_task *
roster_facts_find(const struct roster_facts *f, struct str arn)
{
	struct roster_task key = { .arn = arn };

	if (f == NULL || f->n_tasks == 0)
		return NULL;
	return bsearch(&key, f->tasks, f->n_tasks, sizeof(key), by_arn);
}

/* ---- services ---- */

static int
by_service_name(const void *a, const void *b)
{
	const struct roster_service *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

const struct roster_service *
roster_service_find(const struct roster_cluster *c, struct str name)
{
	struct roster_service key = { .name = name };

	if (c->n_services == 0)
		return NULL;
	return bsearch(&key, c->services, c->n_services, sizeof(key), by_service_name);
}

bool
roster_services_same(const struct roster_service *a, size_t n_a, const struct roster_service *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (a[i].created_ms != b[i].created_ms || !str_eq(a[i].name, b[i].name))
			return false;
	return true;
}

bool
roster_services_copy(struct arena *a, const struct roster_service *from, size_t n, const struct roster_service **ret)
{
	struct roster_service *copies = NULL;

	if (n > 0) {
		copies = ARENA_ARRAY(a, struct roster_service, n);
		if (copies == NULL)
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		copies[i].created_ms = from[i].created_ms;
		if (!copy_str(a, from[i].name, &copies[i].name))
			return false;
	}
	*ret = copies;
	return true;
}

/* ---- the roster ---- */

const struct roster_task *
roster_find(const struct roster *r, struct str task_arn, const struct roster_cluster **ret_cluster)
{
	for (size_t i = 0; r != NULL && i < r->n_clusters; i++) {
		const struct roster_task *found = roster_facts_find(r->clusters[i].facts, task_arn);

		if (found == NULL)
			continue;
		if (ret_cluster != NULL)
			*ret_cluster = &r->clusters[i];
		return found;
	}
	return NULL;
}

bool
roster_is_known(const struct roster *r)
{
	for (size_t i = 0; i < r->n_clusters; i++)
		if (!r->clusters[i].was_read && !r->clusters[i].is_read_in_part && !r->clusters[i].fault_is_permanent &&
		    r->clusters[i].remembered_wall_ms == 0)
			return false;
	return true;
}

struct roster *
roster_ref(struct roster *r)
{
	r->refs++;
	return r;
}

void
roster_unref(struct roster *r)
{
	if (r == NULL || --r->refs > 0)
		return;
	for (size_t i = 0; i < r->n_clusters; i++)
		roster_facts_unref(r->clusters[i].facts);
	arena_free(r->arena); /* r is in it */
}

static bool
copy_cluster(struct arena *a, const struct roster_cluster *c, struct roster_cluster *ret)
{
	*ret = *c;
	return copy_str(a, c->source, &ret->source) && copy_str(a, c->name, &ret->name) &&
	       copy_str(a, c->arn, &ret->arn) && copy_str(a, c->account, &ret->account) &&
	       roster_services_copy(a, c->services, c->n_services, &ret->services);
}

enum err_code
roster_make(const struct roster_cluster *clusters, size_t n, struct roster **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ROSTER_ARENA_MAX);
	struct roster *r = a != NULL ? ARENA_NEW(a, struct roster) : NULL;
	struct roster_cluster *copies = r != NULL ? ARENA_ARRAY(a, struct roster_cluster, n) : NULL;

	if (copies == NULL)
		return err_set(e, ERR_NOMEM, "a roster of %zu clusters: %s", n, err_text(ERR_NOMEM));
	for (size_t i = 0; i < n; i++)
		if (!copy_cluster(a, &clusters[i], &copies[i]))
			return err_set(e, ERR_NOMEM, "a roster of %zu clusters: %s", n, err_text(ERR_NOMEM));
	for (size_t i = 0; i < n; i++)
		if (copies[i].facts != NULL)
			(void)roster_facts_ref(copies[i].facts);
	*r = (struct roster){ .clusters = copies, .n_clusters = n, .arena = MOVE(a), .refs = 1 };
	*ret = r;
	return ERR_OK;
}

bool
roster_self_copy(struct arena *a, const struct roster_self *from, struct roster_self *ret)
{
	return copy_str(a, from->task_arn, &ret->task_arn) && copy_str(a, from->region, &ret->region) &&
	       copy_str(a, from->cluster, &ret->cluster) && copy_str(a, from->service, &ret->service);
}

bool
roster_set_self(struct roster *r, const struct roster_self *self)
{
	return roster_self_copy(r->arena, self, &r->self);
}

/* ---- names ---- */

const char *
roster_status_name(enum roster_status s)
{
	static const char *const names[] = {
#define X(name, text) [ROSTER_##name] = (text),
		ROSTER_STATUSES(X)
#undef X
	};

	return names[s];
}

const char *
roster_health_name(enum roster_health h)
{
	static const char *const names[] = {
		[ROSTER_HEALTH_UNKNOWN] = "UNKNOWN",
		[ROSTER_HEALTHY] = "HEALTHY",
		[ROSTER_UNHEALTHY] = "UNHEALTHY",
	};

	return names[h];
}
