/*
 * HAProxy as the planner believes it to be: see plan.h.  What HAProxy would refuse,
 * or what would break a law of the plan, is an error here, so that a test, a
 * scenario or the fuzzer stops at it.
 */
#include "config.h"

#include <stdlib.h>

#include "plan/plan.h"

struct model {
	struct arena *arena; /* of the result */
	struct actual *actual;
	struct actual_backend *backends;
	struct actual_server **servers; /* by backend */
};

/* ---- a copy to work on ---- */

static bool
copy_server(struct arena *a, const struct actual_server *from, struct actual_server *to)
{
	*to = *from;
	return arena_str(a, from->name, &to->name) && arena_str(a, from->address, &to->address) &&
	       arena_str(a, from->status, &to->status) && arena_str(a, from->last_check, &to->last_check);
}

static bool
copy_backend(struct model *m, const struct actual_backend *from, size_t at)
{
	struct actual_server *servers = ARENA_ARRAY(m->arena, struct actual_server, from->n_servers);

	if (servers == NULL || !arena_str(m->arena, from->name, &m->backends[at].name))
		return false;
	for (size_t i = 0; i < from->n_servers; i++)
		if (!copy_server(m->arena, &from->servers[i], &servers[i]))
			return false;
	m->servers[at] = servers;
	m->backends[at].exists = from->exists;
	m->backends[at].small_weights = from->small_weights;
	m->backends[at].servers = servers;
	m->backends[at].n_servers = from->n_servers;
	m->backends[at].n_slots = from->n_slots;
	return true;
}

static bool
copy_all(struct model *m, const struct actual *from)
{
	m->actual = ARENA_NEW(m->arena, struct actual);
	m->backends = ARENA_ARRAY(m->arena, struct actual_backend, from->n_backends);
	m->servers = ARENA_ARRAY(m->arena, struct actual_server *, from->n_backends);
	if (m->actual == NULL || m->backends == NULL || m->servers == NULL)
		return false;
	*m->actual = *from;
	for (size_t i = 0; i < from->n_backends; i++)
		if (!copy_backend(m, &from->backends[i], i))
			return false;
	m->actual->backends = m->backends;
	return arena_str(m->arena, from->version, &m->actual->version);
}

/* ---- what HAProxy does by itself ---- */

static void
settle(struct actual_server *s)
{
	switch (s->admin) {
	case ACTUAL_MAINT:
		s->up = false;
		s->status = STR("MAINT");
		break;
	case ACTUAL_DRAIN:
		s->status = s->check == ACTUAL_CHECK_PENDING ? STR("DRAIN 1/2") : STR("DRAIN");
		s->up = s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED;
		break;
	case ACTUAL_READY:
		s->up = s->check != ACTUAL_CHECK_FAILED;
		s->status = !s->up ? STR("DOWN") : s->check == ACTUAL_UNCHECKED ? STR("no check") : STR("UP");
		break;
	}
}

/* Checks never run on a slot in maintenance (facts/haproxy.md, section 12). */
static void
let_checks_pass(struct model *m)
{
	for (size_t b = 0; b < m->actual->n_backends; b++) {
		for (size_t i = 0; i < m->backends[b].n_servers; i++) {
			struct actual_server *s = &m->servers[b][i];

			if (s->admin == ACTUAL_MAINT || s->check != ACTUAL_CHECK_PENDING)
				continue;
			s->check = ACTUAL_CHECK_PASSED;
			settle(s);
		}
	}
}

/* ---- steps ---- */

static enum err_code
refuse(const struct plan_step *st, const char *why, struct err *e)
{
	return err_set(e, ERR_REFUSED, "%s " STR_FMT "/" STR_FMT ": %s", plan_step_name(st->kind), STR_ARG(st->backend),
	    STR_ARG(st->server), why);
}

static enum err_code
set_address(struct model *m, const struct plan_step *st, struct actual_server *s, struct err *e)
{
	if (s->admin != ACTUAL_MAINT)
		return refuse(st, "it is not in maintenance", e);
	if (s->sessions > 0)
		return refuse(st, "it has sessions: new calls would go to the old address", e);
	if (st->port == 0 || st->address.len == 0)
		return refuse(st, "no address", e);
	if (!arena_str(m->arena, st->address, &s->address))
		return err_set(e, ERR_NOMEM, "apply a plan: %s", err_text(ERR_NOMEM));
	s->port = st->port;
	return ERR_OK;
}

static void
set_admin(struct actual_server *s, enum actual_admin admin)
{
	/* Checks start anew with maintenance behind them. */
	if (s->admin == ACTUAL_MAINT && admin != ACTUAL_MAINT && s->check != ACTUAL_UNCHECKED)
		s->check = ACTUAL_CHECK_PENDING;
	s->admin = admin;
	s->changed_s = 0;
	settle(s);
}

static enum err_code
apply_step(struct model *m, const struct plan_step *st, struct actual_server *s, struct err *e)
{
	switch (st->kind) {
	case PLAN_ADDRESS:
		return set_address(m, st, s, e);
	case PLAN_WEIGHT:
		if (st->value > DESIRED_WEIGHT_MAX)
			return refuse(st, "a weight over 256", e);
		s->weight = st->value;
		break;
	case PLAN_MAXCONN:
		s->maxconn = st->value;
		break;
	case PLAN_JOIN:
		set_admin(s, ACTUAL_DRAIN);
		break;
	case PLAN_READY:
		if (s->address.len == 0)
			return refuse(st, "it has no address", e);
		set_admin(s, ACTUAL_READY);
		break;
	case PLAN_MAINT:
		set_admin(s, ACTUAL_MAINT);
		break;
	case PLAN_SHUTDOWN:
		s->sessions = 0;
		break;
	}
	return ERR_OK;
}

/* ---- finding the server of a step ---- */

struct entry {
	struct str backend;
	struct actual_server *server;
};

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server->name, y->server->name);
}

static size_t
count_servers(const struct actual *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_backends; i++)
		n += a->backends[i].n_servers;
	return n;
}

static struct entry *
make_index(const struct model *m, struct arena *scratch, size_t n)
{
	struct entry *entries = ARENA_ARRAY(scratch, struct entry, n);
	size_t k = 0;

	if (entries == NULL)
		return NULL;
	for (size_t b = 0; b < m->actual->n_backends; b++)
		for (size_t i = 0; i < m->backends[b].n_servers; i++)
			entries[k++] = (struct entry){ .backend = m->backends[b].name, .server = &m->servers[b][i] };
	if (n > 0)
		qsort(entries, n, sizeof(*entries), by_name);
	return entries;
}

static enum err_code
apply_all(struct model *m, const struct plan *p, const struct entry *index, size_t n, struct err *e)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];
		struct actual_server named = { .name = st->server };
		const struct entry key = { .backend = st->backend, .server = &named }, *hit = NULL;
		enum err_code code;

		if (n > 0)
			hit = bsearch(&key, index, n, sizeof(key), by_name);
		if (hit == NULL)
			return refuse(st, "no such server", e);
		if (!hit->server->is_ours)
			return refuse(st, "it is not ours", e);
		code = apply_step(m, st, hit->server, e);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

enum err_code
plan_apply(const struct plan *p, const struct actual *to, struct actual **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ACTUAL_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(ACTUAL_ARENA_MAX);
	struct model m = { .arena = a };
	size_t n = count_servers(to);
	const struct entry *index = NULL;
	enum err_code code;

	if (a != NULL && scratch != NULL && copy_all(&m, to))
		index = make_index(&m, scratch, n);
	if (index == NULL)
		return err_set(e, ERR_NOMEM, "apply a plan: %s", err_text(ERR_NOMEM));
	let_checks_pass(&m);
	code = apply_all(&m, p, index, n, e);
	if (code != ERR_OK)
		return code;
	m.actual->arena = MOVE(a);
	*ret = m.actual;
	return ERR_OK;
}
