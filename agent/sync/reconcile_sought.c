/* Whom HAProxy serves and nobody knows: see reconcile_sought.h. */
#include "config.h"

#include "sync/reconcile_sought.h"

#include <stdlib.h>

#include "plan/desired.h"

struct list {
	struct ecs_sought_task *items;
	size_t n;
};

static struct ecs_sought_task
by_arn(struct str arn)
{
	return (struct ecs_sought_task){ .id = str_after_last(arn, '/'), .arn = arn };
}

/* ---- whose server it is ---- */

static const struct applied_server *
recall(const struct applied *a, struct str backend, const struct actual_server *s)
{
	const struct applied_server *known = applied_find(a, backend, s->name);

	return known != NULL && known->task_arn.len > 0 && known->port == s->port && str_eq(known->address, s->address)
		   ? known
		   : NULL;
}

/* False: nothing tells. */
static bool
task_of(const struct reconcile_served *served, struct str backend, const struct actual_server *s,
    struct ecs_sought_task *ret)
{
	const struct applied_server *known = recall(served->applied, backend, s);

	if (known == NULL)
		known = recall(served->former, backend, s);
	*ret = (struct ecs_sought_task){ .arn = STR("") };
	if (known != NULL)
		*ret = by_arn(known->task_arn);
	return known != NULL || desired_server_id(s->name, &ret->id);
}

/* ---- whom to ask about ---- */

static void
list_applied(struct list *l, const struct applied *a)
{
	for (size_t i = 0; a != NULL && i < a->n_servers; i++)
		if (a->servers[i].task_arn.len > 0)
			l->items[l->n++] = by_arn(a->servers[i].task_arn);
}

static void
list_actual(struct list *l, const struct reconcile_served *served)
{
	for (size_t i = 0; served->actual != NULL && i < served->actual->n_backends; i++) {
		const struct actual_backend *b = &served->actual->backends[i];

		for (size_t j = 0; j < b->n_servers; j++)
			l->n +=
			    b->servers[j].is_ours && task_of(served, b->name, &b->servers[j], &l->items[l->n]) ? 1 : 0;
	}
}

static void
list_planned(struct list *l, const struct reconcile_served *served)
{
	for (size_t i = 0; i < served->plan->n_backends; i++) {
		const struct plan_backend *b = &served->plan->backends[i];

		for (size_t j = 0; j < b->n_servers; j++)
			l->n += b->servers[j].desired == NULL &&
					task_of(served, b->name, b->servers[j].actual, &l->items[l->n])
				    ? 1
				    : 0;
	}
}

static size_t
count_at_most(const struct reconcile_served *served)
{
	size_t n = 0;

	for (size_t i = 0; served->plan != NULL && i < served->plan->n_backends; i++)
		n += served->plan->backends[i].n_servers;
	if (served->plan != NULL)
		return n;
	for (size_t i = 0; served->actual != NULL && i < served->actual->n_backends; i++)
		n += served->actual->backends[i].n_servers;
	n += served->applied != NULL ? served->applied->n_servers : 0;
	n += served->former != NULL ? served->former->n_servers : 0;
	return n;
}

static enum err_code
list_served(const struct reconcile_served *served, struct ecs_sought *ret, struct err *e)
{
	struct list l = { .items = calloc(count_at_most(served) + 1, sizeof(*l.items)) };
	enum err_code code;

	if (l.items == NULL)
		return err_set(e, ERR_NOMEM, "list whom HAProxy serves: %s", err_text(ERR_NOMEM));
	if (served->plan != NULL) {
		list_planned(&l, served);
	} else {
		list_applied(&l, served->applied);
		list_applied(&l, served->former);
		list_actual(&l, served);
	}
	code = ecs_sought_make(l.items, l.n, ret, e);
	free(l.items);
	return code;
}

/* ---- whom the roster does not know ---- */

struct known {
	const struct ecs_sought *all;
	bool *by_index;
};

static bool
is_unknown(const void *arg, const struct ecs_sought_task *t)
{
	const struct known *k = arg;

	return !k->by_index[ecs_sought_find(k->all, t->id) - k->all->tasks];
}

static void
mark_known(struct known *k, const struct roster *roster)
{
	for (size_t i = 0; roster != NULL && i < roster->n_clusters; i++) {
		const struct roster_facts *f = roster->clusters[i].facts;

		for (size_t j = 0; f != NULL && j < f->n_tasks; j++) {
			const struct ecs_sought_task *t = ecs_sought_find(k->all, f->tasks[j].id);

			if (t != NULL && !f->tasks[j].is_remembered) /* by an earlier run: to be asked about */
				k->by_index[t - k->all->tasks] = true;
		}
	}
}

static enum err_code
leave_out_known(const struct ecs_sought *all, const struct roster *roster, struct ecs_sought *ret, struct err *e)
{
	struct known k = { .all = all, .by_index = calloc(all->n + 1, sizeof(bool)) };
	enum err_code code;

	if (k.by_index == NULL)
		return err_set(e, ERR_NOMEM, "list whom HAProxy serves: %s", err_text(ERR_NOMEM));
	if (all->n > 0)
		mark_known(&k, roster);
	code = ecs_sought_pick(all, is_unknown, &k, ret, e);
	free(k.by_index);
	return code;
}

enum err_code
reconcile_sought_renew(
    struct ecs_sought *sought, const struct reconcile_served *served, bool *ret_is_new, struct err *e)
{
	struct ecs_sought all = { .n = 0 }, unknown = { .n = 0 };
	enum err_code code = list_served(served, &all, e);

	if (code == ERR_OK)
		code = leave_out_known(&all, served->roster, &unknown, e);
	ecs_sought_free(&all);
	if (code != ERR_OK)
		return code;
	*ret_is_new = false;
	for (size_t i = 0; i < unknown.n && !*ret_is_new; i++)
		*ret_is_new = ecs_sought_find(sought, unknown.tasks[i].id) == NULL;
	ecs_sought_free(sought);
	*sought = unknown;
	return ERR_OK;
}

bool
reconcile_sought_serves(const struct reconcile_served *served, struct str task_arn)
{
	for (size_t i = 0; served->plan != NULL && i < served->plan->n_backends; i++) {
		const struct plan_backend *b = &served->plan->backends[i];

		for (size_t j = 0; j < b->n_servers; j++) {
			struct ecs_sought_task t;

			if (b->servers[j].desired == NULL && task_of(served, b->name, b->servers[j].actual, &t) &&
			    str_eq(t.id, str_after_last(task_arn, '/')))
				return true;
		}
	}
	return false;
}
