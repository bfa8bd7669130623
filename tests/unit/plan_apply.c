/*
 * HAProxy as the planner believes it to be: see plan_apply.h.  What HAProxy would refuse,
 * or what would break a law of the plan, is an error here, so that a test, a
 * scenario or the fuzzer stops at it.  How checks go is in actual.h.
 */
#include "config.h"

#include "plan_apply.h"

#include <stdlib.h>

struct entry { /* a server, or one that a step adds */
	struct str backend;
	struct actual_server *server;
	size_t of; /* which backend */
	bool is_there;
	bool is_new;      /* added by this plan */
	bool starts_down; /* likewise, with init-state down */
	bool has_check;   /* likewise, with `check` */
};

struct model {
	struct arena *arena; /* of the result */
	struct arena *scratch;
	struct actual *actual;
	struct actual_backend *backends;
	struct actual_server **servers; /* by backend, with room for those that are added */
	struct entry *entries;          /* sorted by backend and name, one of each */
	size_t n_entries;
	struct str *cas;
};

/* ---- a copy to work on ---- */

static size_t
count_adds(const struct plan *p, struct str backend)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n += p->steps[i].kind == PLAN_ADD && str_eq(p->steps[i].backend, backend) ? 1 : 0;
	return n;
}

static bool
copy_server(struct arena *a, const struct actual_server *from, struct actual_server *to)
{
	*to = *from;
	return arena_str(a, from->name, &to->name) && arena_str(a, from->address, &to->address) &&
	       arena_str(a, from->status, &to->status) && arena_str(a, from->last_check, &to->last_check);
}

static bool
copy_backend(struct model *m, const struct plan *p, const struct actual_backend *from, size_t at)
{
	size_t room = from->n_servers + count_adds(p, from->name);
	struct actual_server *servers = ARENA_ARRAY(m->arena, struct actual_server, room);

	m->backends[at] = *from;
	if (servers == NULL || !arena_str(m->arena, from->name, &m->backends[at].name))
		return false;
	for (size_t i = 0; i < from->n_servers; i++)
		if (!copy_server(m->arena, &from->servers[i], &servers[i]))
			return false;
	m->servers[at] = servers;
	m->backends[at].servers = servers;
	return true;
}

static bool
copy_cas(struct model *m, const struct plan *p, const struct actual *from)
{
	m->cas = ARENA_ARRAY(m->arena, struct str, from->n_cas + p->n_steps);
	if (m->cas == NULL)
		return false;
	for (size_t i = 0; i < from->n_cas; i++)
		if (!arena_str(m->arena, from->cas[i], &m->cas[i]))
			return false;
	m->actual->cas = m->cas;
	return true;
}

static bool
copy_all(struct model *m, const struct plan *p, const struct actual *from)
{
	m->actual = ARENA_NEW(m->arena, struct actual);
	m->backends = ARENA_ARRAY(m->arena, struct actual_backend, from->n_backends);
	m->servers = ARENA_ARRAY(m->arena, struct actual_server *, from->n_backends);
	if (m->actual == NULL || m->backends == NULL || m->servers == NULL)
		return false;
	*m->actual = *from;
	for (size_t i = 0; i < from->n_backends; i++)
		if (!copy_backend(m, p, &from->backends[i], i))
			return false;
	m->actual->backends = m->backends;
	return copy_cas(m, p, from) && arena_str(m->arena, from->version, &m->actual->version);
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
		s->up = (s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED) && !s->agent_down;
		break;
	case ACTUAL_READY:
		s->up = s->check != ACTUAL_CHECK_FAILED && !s->agent_down;
		s->status = !s->up ? STR("DOWN") : s->check == ACTUAL_UNCHECKED ? STR("no check") : STR("UP");
		break;
	}
}

/* Checks never run on a slot in maintenance (facts/haproxy.md, section 12), nor on
 * another server that has been out of it before. */
static bool
is_checking(const struct actual_server *s)
{
	if (s->check != ACTUAL_CHECK_PENDING)
		return false;
	return s->admin != ACTUAL_MAINT || (!s->is_slot && s->last_check.len > 0);
}

static void
let_checks_pass(struct model *m)
{
	for (size_t b = 0; b < m->actual->n_backends; b++) {
		for (size_t i = 0; i < m->backends[b].n_servers; i++) {
			struct actual_server *s = &m->servers[b][i];

			if (!is_checking(s))
				continue;
			s->check = ACTUAL_CHECK_PASSED;
			s->last_check = STR("L4OK");
			settle(s);
		}
	}
}

static void
set_admin(struct actual_server *s, enum actual_admin admin)
{
	/* Checks start anew with maintenance behind them, and pause in it. */
	if ((s->admin == ACTUAL_MAINT) != (admin == ACTUAL_MAINT) && s->check != ACTUAL_UNCHECKED) {
		s->check = ACTUAL_CHECK_PENDING;
		s->last_check = admin == ACTUAL_MAINT ? STR("") : STR("INI");
	}
	s->admin = admin;
	s->changed_s = 0;
	settle(s);
}

/* ---- finding the server of a step ---- */

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server->name, y->server->name);
}

/* Those that are there come first. */
static int
by_name_and_life(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = by_name(a, b);

	return order != 0 ? order : (int)y->is_there - (int)x->is_there;
}

static size_t
backend_at(const struct model *m, struct str name)
{
	size_t i = 0;

	while (i < m->actual->n_backends && !str_eq(m->backends[i].name, name))
		i++;
	return i;
}

static void
enter_servers(struct model *m)
{
	for (size_t b = 0; b < m->actual->n_backends; b++)
		for (size_t i = 0; i < m->backends[b].n_servers; i++)
			m->entries[m->n_entries++] = (struct entry){
				.backend = m->backends[b].name, .server = &m->servers[b][i], .of = b, .is_there = true
			};
}

static bool
enter_adds(struct model *m, const struct plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];
		size_t b = st->kind == PLAN_ADD ? backend_at(m, st->backend) : m->actual->n_backends;
		struct actual_server *s;

		if (b == m->actual->n_backends)
			continue;
		s = &m->servers[b][m->backends[b].n_servers++];
		if (!arena_str(m->arena, st->server, &s->name))
			return false;
		m->entries[m->n_entries++] = (struct entry){ .backend = m->backends[b].name, .server = s, .of = b };
	}
	return true;
}

static bool
make_index(struct model *m, const struct plan *p)
{
	size_t n = p->n_steps, kept = 0;

	for (size_t i = 0; i < m->actual->n_backends; i++)
		n += m->backends[i].n_servers;
	m->entries = ARENA_ARRAY(m->scratch, struct entry, n);
	if (m->entries == NULL)
		return false;
	enter_servers(m);
	if (!enter_adds(m, p))
		return false;
	if (m->n_entries > 0)
		qsort(m->entries, m->n_entries, sizeof(*m->entries), by_name_and_life);
	for (size_t i = 0; i < m->n_entries; i++)
		if (kept == 0 || by_name(&m->entries[kept - 1], &m->entries[i]) != 0)
			m->entries[kept++] = m->entries[i];
	m->n_entries = kept;
	return true;
}

static struct entry *
find(const struct model *m, const struct plan_step *st)
{
	struct actual_server named = { .name = st->server };
	const struct entry key = { .backend = st->backend, .server = &named };

	return m->n_entries > 0 ? bsearch(&key, m->entries, m->n_entries, sizeof(key), by_name) : NULL;
}

/* ---- steps ---- */

static enum err_code
refuse(const struct plan_step *st, const char *why, struct err *e)
{
	return err_set(e, ERR_REFUSED, "%s " STR_FMT "/" STR_FMT ": %s", plan_step_name(st->kind), STR_ARG(st->backend),
	    STR_ARG(st->server), why);
}

static enum err_code
no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "apply a plan: %s", err_text(ERR_NOMEM));
}

static enum err_code
set_address(struct model *m, const struct plan_step *st, struct actual_server *s, struct err *e)
{
	if (!s->is_slot)
		return refuse(st, "it is named after its task", e);
	if (s->admin != ACTUAL_MAINT)
		return refuse(st, "it is not in maintenance", e);
	if (s->sessions > 0)
		return refuse(st, "it has sessions: new calls would go to the old address", e);
	if (st->port == 0 || st->address.len == 0)
		return refuse(st, "no address", e);
	if (!arena_str(m->arena, st->address, &s->address))
		return no_memory(e);
	s->port = st->port;
	return ERR_OK;
}

static bool
is_loaded(const struct model *m, struct str name)
{
	for (size_t i = 0; i < m->actual->n_cas; i++)
		if (str_eq(m->cas[i], name))
			return true;
	return false;
}

static const char *
why_not_add(const struct model *m, const struct plan_step *st, const struct entry *at)
{
	const struct conf_policy *policy = st->policy;
	unsigned number;

	if (!actual_is_at_least(m->actual, 3, 0))
		return "servers cannot be added before HAProxy 3.0";
	if (at->is_there)
		return "already exists a server with the same name in backend";
	if (!m->backends[at->of].exists)
		return "no such backend";
	if (!actual_is_ours(st->server) || actual_slot_number(st->server, &number))
		return "that is no name of a server that is added";
	if (st->port == 0 || st->address.len == 0 || policy == NULL || st->value > DESIRED_WEIGHT_MAX)
		return "no address, nothing else that its line could say, or a weight over 256";
	if (st->starts_down && (!actual_is_at_least(m->actual, 3, 2) || policy->check.type == CONF_CHECK_OFF))
		return "init-state down is for checked servers of 3.2 and later";
	if (policy->tls && policy->tls_verify == CONF_TLS_VERIFY_REQUIRED && policy->tls_ca_file.len > 0 &&
	    (st->ca == NULL || !is_loaded(m, st->ca->name)))
		return "its CA is not loaded";
	return NULL;
}

static enum err_code
add_server(struct model *m, const struct plan_step *st, struct entry *at, struct err *e)
{
	const char *why = why_not_add(m, st, at);
	struct str name = at->server->name;

	if (why != NULL)
		return refuse(st, why, e);
	*at->server = (struct actual_server){
		.name = name,
		.port = st->port,
		.weight = st->value,
		.maxconn = st->policy->maxconn,
		.admin = ACTUAL_MAINT,
		.check = ACTUAL_UNCHECKED,
		.status = STR("MAINT"),
		.last_check = STR(""),
		.is_ours = true,
		.has_agent_line = conf_policy_has_agent(st->policy),
	};
	if (!arena_str(m->arena, st->address, &at->server->address))
		return no_memory(e);
	at->is_there = true;
	at->is_new = true;
	at->starts_down = st->starts_down;
	at->has_check = st->policy->check.type != CONF_CHECK_OFF;
	return ERR_OK;
}

static enum err_code
begin_checks(const struct plan_step *st, struct entry *at, struct err *e)
{
	struct actual_server *s = at->server;

	if (s->is_slot || s->admin != ACTUAL_MAINT)
		return refuse(st, "checks begin in maintenance, and on servers that were added", e);
	if (at->is_new && !at->has_check)
		return refuse(st, "health check was not configured on this server", e);
	if (s->check == ACTUAL_UNCHECKED) {
		s->check = ACTUAL_CHECK_PENDING;
		s->last_check = STR("INI");
	}
	return ERR_OK;
}

static enum err_code
enable_agent(const struct plan_step *st, struct actual_server *s, struct err *e)
{
	if (!s->has_agent_line || s->admin != ACTUAL_MAINT)
		return refuse(st, "agents are enabled in maintenance, and where there is an agent-check", e);
	s->has_agent = true;
	s->agent_down = false;
	return ERR_OK;
}

static enum err_code
set_agent(const struct plan_step *st, struct actual_server *s, bool down, struct err *e)
{
	if (!s->has_agent)
		return refuse(st, "agent checks are not enabled on this server", e);
	s->agent_down = down;
	settle(s);
	return ERR_OK;
}

static enum err_code
make_ready(const struct plan_step *st, struct entry *at, struct err *e)
{
	if (at->server->address.len == 0)
		return refuse(st, "it has no address", e);
	set_admin(at->server, ACTUAL_READY);
	if (at->starts_down) {
		at->server->up = false;
		at->server->status = STR("DOWN 1/2");
	}
	return ERR_OK;
}

static enum err_code delete (const struct plan_step *st, struct entry *at, struct err *e) {
	const struct actual_server *s = at->server;

	if (s->is_slot) return refuse(st, "a slot is there to stay", e);
	if (s->admin != ACTUAL_MAINT) return refuse(st, "only servers in maintenance mode can be deleted", e);
	if (s->sessions > 0 || s->queued > 0) return refuse(st, "server still has connections attached to it", e);
	at->is_there = false;
	return ERR_OK;
}

static enum err_code
leave_ready(const struct plan_step *st, struct actual_server *s, bool wants_ready, struct err *e)
{
	if ((s->admin == ACTUAL_READY) != wants_ready)
		return refuse(st, "that is not how it stands", e);
	set_admin(s, ACTUAL_DRAIN);
	return ERR_OK;
}

/* Of one that HAProxy does not check it would never be lifted again. */
static enum err_code
gate(const struct plan_step *st, struct actual_server *s, struct err *e)
{
	if (s->admin != ACTUAL_DRAIN || s->check == ACTUAL_UNCHECKED)
		return refuse(st, "it would stay down", e);
	s->up = false;
	s->check = ACTUAL_CHECK_PENDING;
	return ERR_OK;
}

static enum err_code
set_weight(const struct plan_step *st, struct actual_server *s, struct err *e)
{
	if (st->value > DESIRED_WEIGHT_MAX)
		return refuse(st, "a weight over 256", e);
	s->weight = st->value;
	return ERR_OK;
}

static enum err_code
apply_to_server(struct model *m, const struct plan_step *st, struct entry *at, struct err *e)
{
	switch (st->kind) {
	case PLAN_ADDRESS:
		return set_address(m, st, at->server, e);
	case PLAN_WEIGHT:
		return set_weight(st, at->server, e);
	case PLAN_CHECK:
		return begin_checks(st, at, e);
	case PLAN_AGENT:
		return enable_agent(st, at->server, e);
	case PLAN_EJECT:
	case PLAN_UNEJECT:
		return set_agent(st, at->server, st->kind == PLAN_EJECT, e);
	case PLAN_READY:
		return make_ready(st, at, e);
	case PLAN_JOIN:
		return leave_ready(st, at->server, false, e);
	case PLAN_GATE:
		return gate(st, at->server, e);
	case PLAN_DRAIN:
		return leave_ready(st, at->server, true, e);
	case PLAN_DELETE:
		return delete (st, at, e);
	case PLAN_MAXCONN:
		at->server->maxconn = st->value;
		break;
	case PLAN_MAINT:
		set_admin(at->server, ACTUAL_MAINT);
		break;
	case PLAN_SHUTDOWN:
		at->server->sessions = 0;
		break;
	case PLAN_BACKEND:
	case PLAN_PUBLISH:
	case PLAN_UNPUBLISH:
	case PLAN_UNMAKE:
	case PLAN_CA:
	case PLAN_ADD: /* not here */
		break;
	}
	return ERR_OK;
}

static enum err_code
load_ca(struct model *m, const struct plan_step *st, struct err *e)
{
	if (st->ca == NULL || st->ca->name.len == 0 || is_loaded(m, st->ca->name))
		return refuse(st, "it has no name, or is there already", e);
	return arena_str(m->arena, st->ca->name, &m->cas[m->actual->n_cas++]) ? ERR_OK : no_memory(e);
}

static enum err_code
make_backend(struct model *m, const struct plan_step *st, struct err *e)
{
	size_t at = backend_at(m, st->backend);
	struct actual_backend *b;

	if (at == m->actual->n_backends)
		return refuse(st, "nobody asked for it", e);
	b = &m->backends[at];
	if (!actual_is_at_least(m->actual, 3, 4))
		return refuse(st, "backends cannot be added before HAProxy 3.4", e);
	if (st->kind == PLAN_BACKEND && (b->exists || st->defaults.len == 0))
		return refuse(st, "it is there already, or of no named defaults", e);
	if (st->kind == PLAN_PUBLISH && (!b->exists || !b->is_unpublished))
		return refuse(st, "it is not there, or published already", e);
	if (st->kind == PLAN_UNPUBLISH && (!b->exists || b->is_unpublished))
		return refuse(st, "it is not there, or not published", e);
	if (st->kind == PLAN_UNMAKE && (!b->exists || !b->is_unpublished || b->n_servers > 0))
		return refuse(st, "it is not there, is published, or has servers", e);
	b->exists = st->kind != PLAN_UNMAKE;
	b->is_unpublished = st->kind == PLAN_BACKEND || st->kind == PLAN_UNPUBLISH;
	return ERR_OK;
}

static enum err_code
apply_step(struct model *m, const struct plan_step *st, struct err *e)
{
	struct entry *at;

	if (st->kind == PLAN_CA)
		return load_ca(m, st, e);
	if (plan_step_is_of_backend(st->kind))
		return make_backend(m, st, e);
	at = find(m, st);
	if (st->kind == PLAN_ADD && at != NULL)
		return add_server(m, st, at, e);
	if (at == NULL || !at->is_there)
		return refuse(st, "no such server", e);
	if (!at->server->is_ours)
		return refuse(st, "it is not ours", e);
	return apply_to_server(m, st, at, e);
}

/* ---- the result ---- */

/* Leaves out what was deleted, or never added: an empty name marks it. */
static void
compact(struct model *m)
{
	for (size_t i = 0; i < m->n_entries; i++)
		if (!m->entries[i].is_there)
			m->entries[i].server->name = STR("");
	for (size_t b = 0; b < m->actual->n_backends; b++) {
		size_t kept = 0;

		for (size_t i = 0; i < m->backends[b].n_servers; i++)
			if (m->servers[b][i].name.len > 0)
				m->servers[b][kept++] = m->servers[b][i];
		m->backends[b].n_servers = kept;
	}
}

enum err_code
plan_apply(const struct plan *p, const struct actual *to, struct actual **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ACTUAL_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(ACTUAL_ARENA_MAX);
	struct model m = { .arena = a, .scratch = scratch };

	if (a == NULL || scratch == NULL || !copy_all(&m, p, to))
		return no_memory(e);
	let_checks_pass(&m);
	if (!make_index(&m, p))
		return no_memory(e);
	for (size_t i = 0; i < p->n_steps; i++) {
		enum err_code code = apply_step(&m, &p->steps[i], e);

		if (code != ERR_OK)
			return code;
	}
	compact(&m);
	m.actual->arena = MOVE(a);
	*ret = m.actual;
	return ERR_OK;
}
