/*
 * What was applied, from one pass to the next: see applied.h.
 *
 * A command that was sent may or may not have been carried out: until HAProxy is
 * seen as asked, a field may be as it was or as asked.  From then on it is as asked,
 * or somebody else changed it.
 */
#include "config.h"

#include <stdlib.h>

#include "plan/applied.h"
#include "plan/plan.h"
#include "plan/plan_json.h"
#include "plan/weights.h"

/* ---- HAProxy's servers by name ---- */

struct place {
	struct str backend, server;
	const struct actual_server *actual;
};

struct places {
	struct place *items;
	size_t n;
};

static int
place_cmp(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server, y->server);
}

static void
list_backend(struct places *p, const struct actual_backend *b)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].is_ours)
			p->items[p->n++] = (struct place){
				.backend = b->name,
				.server = b->servers[i].name,
				.actual = &b->servers[i],
			};
}

static bool
list_places(struct arena *scratch, const struct actual *actual, struct places *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < actual->n_backends; i++)
		n += actual->backends[i].n_servers;
	*ret = (struct places){ .items = ARENA_ARRAY(scratch, struct place, n) };
	if (ret->items == NULL)
		return false;
	for (size_t i = 0; i < actual->n_backends; i++)
		list_backend(ret, &actual->backends[i]);
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), place_cmp);
	return true;
}

static const struct place *
find_place(const struct places *p, struct str backend, struct str server)
{
	const struct place key = { .backend = backend, .server = server };

	return p->n > 0 ? bsearch(&key, p->items, p->n, sizeof(key), place_cmp) : NULL;
}

/* The same, for who asks in the order of places; *at is 0 at first. */
static const struct place *
next_place(const struct places *p, size_t *at, const struct applied_server *s)
{
	const struct place key = { .backend = s->backend, .server = s->server };
	int order = -1;

	while (*at < p->n && (order = place_cmp(&p->items[*at], &key)) < 0)
		++*at;
	return *at < p->n && order == 0 ? &p->items[*at] : NULL;
}

/* ---- a value in the making ---- */

static struct applied *
start(struct arena *a, uint64_t pid, uint64_t start_time_s, int64_t now_wall_ms)
{
	struct applied *made = ARENA_NEW(a, struct applied);

	if (made == NULL)
		return NULL;
	made->pid = pid;
	made->start_time_s = start_time_s;
	made->seen_wall_ms = now_wall_ms;
	made->arena = a;
	return made;
}

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "what was applied: out of memory, or over %zu MiB", APPLIED_ARENA_MAX >> 20);
}

/* ---- what was read back ---- */

static bool
admin_is_foreign(const struct applied_server *s, const struct actual_server *now)
{
	return now->admin != s->admin && (s->is_confirmed || now->admin != s->was_admin);
}

static bool
weight_is_foreign(const struct applied_server *s, const struct actual_server *now)
{
	return now->weight != s->weight && (s->is_confirmed || now->weight != s->was_weight);
}

static bool
is_as_asked(const struct applied_server *s, const struct actual_server *now)
{
	return s->admin == now->admin && s->weight == now->weight;
}

/* What is so by another's hand is so from now on: it is found once. */
static void
find_hand(struct applied_server *s, const struct actual_server *now, struct applied_finding *ret)
{
	ret->has_admin = admin_is_foreign(s, now);
	ret->has_weight = weight_is_foreign(s, now);
	if (ret->has_admin) {
		ret->admin = now->admin;
		s->was_admin = s->admin = now->admin;
	}
	if (ret->has_weight) {
		ret->weight = now->weight;
		ret->weight_is_auto = now->weight == s->auto_weight;
		s->was_weight = s->weight = now->weight;
	}
}

static void
observe_server(struct applied_server *s, const struct actual_server *now, struct applied_finding *ret)
{
	find_hand(s, now, ret);
	if (is_as_asked(s, now)) {
		s->was_admin = s->admin;
		s->was_weight = s->weight;
		s->is_confirmed = true;
	}
	if (s->intent == APPLIED_JOINING && now->admin == ACTUAL_READY && now->up)
		s->intent = APPLIED_SERVING;
}

static bool
is_at_its_address(const struct applied_server *s, const struct actual_server *now)
{
	return str_eq(now->address, s->address) && now->port == s->port;
}

/* It is gone, or somebody else's; of a backend that was not read nothing is known. */
static bool
is_over(const struct applied_server *s, const struct actual *actual, const struct place *place)
{
	return place != NULL ? !is_at_its_address(s, place->actual) : actual_find(actual, s->backend) != NULL;
}

static bool
observe_all(const struct applied *before, const struct actual *actual, const struct places *places,
    struct applied *made, struct applied_findings *ret)
{
	struct applied_server *servers = ARENA_ARRAY(made->arena, struct applied_server, before->n_servers);
	struct applied_finding *findings = ARENA_ARRAY(made->arena, struct applied_finding, before->n_servers);

	if (servers == NULL || findings == NULL)
		return false;
	for (size_t i = 0, at = 0; i < before->n_servers; i++) {
		struct applied_server *s = &servers[made->n_servers];
		const struct place *place = next_place(places, &at, &before->servers[i]);
		struct applied_finding found = { .has_admin = false };

		if (is_over(&before->servers[i], actual, place))
			continue;
		*s = before->servers[i];
		if (!applied_keep_texts(made->arena, s, made->n_servers > 0 ? s - 1 : NULL))
			return false;
		if (place != NULL)
			observe_server(s, place->actual, &found);
		made->n_servers++;
		if ((!found.has_admin && !found.has_weight) || s->task_arn.len == 0)
			continue;
		found.key = (struct overlay_key){
			.backend = s->backend, .task_arn = s->task_arn, .container = s->container, .port = s->port
		};
		found.server = s->server;
		findings[ret->n++] = found;
	}
	made->servers = servers;
	ret->items = findings;
	return true;
}

enum err_code
applied_observe(const struct applied *before, const struct actual *actual, int64_t now_wall_ms, struct applied **ret,
    struct applied_findings *ret_findings, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct applied_findings found = { .n = 0 };
	struct applied *made = NULL;
	struct places places;

	if (a != NULL && scratch != NULL)
		made = start(a, before->pid, before->start_time_s, now_wall_ms);
	if (made == NULL || !list_places(scratch, actual, &places) ||
	    !observe_all(before, actual, &places, made, &found) || !applied_index(made))
		return out_of_memory(e);
	(void)MOVE(a);
	*ret = made;
	*ret_findings = found;
	return ERR_OK;
}

/* ---- what is asked next ---- */

struct next {
	struct arena *arena;
	const struct applied *before, *former;
	const struct actual *actual;
	const struct plan_memory *memory;
	struct places places;
	int64_t now_wall_ms;
	struct applied_server *servers; /* those that begin now, then those that are there; sorted in the end */
	size_t n, n_fresh;
};

/* A text that the file could not hold is left out: such a server cannot be held. */
static void
name_task(struct applied_server *s, const struct desired_server *d)
{
	bool is_fit = plan_json_is_word(d->task->arn, PLAN_JSON_ARN_MAX) &&
		      plan_json_is_word(d->container, PLAN_JSON_CONTAINER_MAX);

	s->task_arn = is_fit ? d->task->arn : STR("");
	s->container = is_fit ? d->container : STR("");
}

static enum applied_intent
intent_of(const struct plan_server *v)
{
	if (v->state == PLAN_STATE_DRAINING)
		return APPLIED_DRAINING;
	return v->actual->admin == ACTUAL_READY && v->actual->up ? APPLIED_SERVING : APPLIED_JOINING;
}

/* The server of the process before, at the same address. */
static void
take_over(struct applied_server *s, const struct applied_server *then)
{
	s->spec = then->spec;
	s->task_arn = then->task_arn; /* unless a candidate tells: it may have ended unseen */
	s->container = then->container;
	s->wait_since_wall_ms = then->wait_since_wall_ms;
}

/* Met for the first time: as it is, is as it was asked to be. */
static struct applied_server
adopt(const struct next *x, const struct plan_server *v)
{
	const struct applied_server *then = applied_find(x->former, v->backend, v->actual->name);
	struct applied_server s = {
		.backend = v->backend,
		.server = v->actual->name,
		.address = v->actual->address,
		.port = v->actual->port,
		.is_confirmed = true,
		.intent = intent_of(v),
	};

	s.auto_weight = v->actual->weight;
	if (then != NULL && is_at_its_address(then, v->actual))
		take_over(&s, then);
	if (s.intent == APPLIED_DRAINING)
		s.evidence = v->evidence;
	if (s.intent == APPLIED_DRAINING && v->actual->admin == ACTUAL_MAINT)
		s.drain_since_wall_ms = x->now_wall_ms;
	return s;
}

/* No command of this pass changes it, unless a step says so below. */
static void
leave_as_is(struct applied_server *s, const struct actual_server *now)
{
	/* A command that was cut off may still come to be: what it asks for is no finding. */
	s->was_admin = s->is_confirmed ? now->admin : s->admin;
	s->was_weight = s->is_confirmed ? now->weight : s->weight;
	s->admin = now->admin;
	s->weight = now->weight;
	if (now->admin != ACTUAL_MAINT)
		s->drain_since_wall_ms = 0;
}

static int
server_cmp(const void *a, const void *b)
{
	const struct applied_server *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server, y->server);
}

static struct applied_server *
find_among(struct applied_server *sorted, size_t n, struct str backend, struct str server)
{
	const struct applied_server key = { .backend = backend, .server = server };

	return n > 0 ? bsearch(&key, sorted, n, sizeof(key), server_cmp) : NULL;
}

/* The guard keeps it until others serve: for so long, and no longer after a restart. */
static void
note_wait(const struct next *x, const struct plan_server *v, struct applied_server *s)
{
	if (!plan_memory_waits(x->memory, v->backend, v->actual))
		s->wait_since_wall_ms = 0;
	else if (s->wait_since_wall_ms == 0)
		s->wait_since_wall_ms = x->now_wall_ms;
}

static void
add_shown(struct next *x, const struct plan_server *v, bool small_weights)
{
	const struct applied_server *before = applied_find(x->before, v->backend, v->actual->name);
	struct applied_server *s = &x->servers[x->n];

	if (v->actual->address.len == 0 || find_among(x->servers, x->n_fresh, v->backend, v->actual->name) != NULL)
		return;
	*s = before != NULL && is_at_its_address(before, v->actual) ? *before : adopt(x, v);
	leave_as_is(s, v->actual);
	if (v->desired != NULL)
		name_task(s, v->desired);
	if (v->desired != NULL && v->desired->want == DESIRED_SERVE)
		s->auto_weight = weights_of_server(v->desired->weight, small_weights);
	if (s->intent == APPLIED_DRAINING)
		s->evidence = v->evidence;
	note_wait(x, v, s);
	x->n++;
}

/* One that only comes back has the weight that it had. */
static unsigned
auto_weight_of(const struct next *x, const struct plan_step *st, const struct actual_backend *b)
{
	const struct overlay_key key = overlay_key_of(st->backend, st->why);
	const struct applied_server *before = NULL;

	if (st->why->want != DESIRED_SERVE)
		before = applied_find_task(x->former, &key);
	if (before != NULL)
		return before->auto_weight;
	return b != NULL ? weights_of_server(st->why->weight, b->small_weights) : st->value;
}

/* A server that begins with this step, in maintenance. */
static void
add_fresh(struct next *x, const struct plan_step *st)
{
	const struct actual_backend *b = actual_find(x->actual, st->backend);
	const struct place *place = find_place(&x->places, st->backend, st->server);
	unsigned weight = place != NULL ? place->actual->weight : st->value;
	struct applied_server *s = &x->servers[x->n];

	if (st->why == NULL || (st->kind != PLAN_ADD && st->kind != PLAN_ADDRESS))
		return;
	*s = (struct applied_server){
		.backend = st->backend,
		.server = st->server,
		.address = st->address,
		.port = st->port,
		.spec = st->spec,
		.was_admin = ACTUAL_MAINT,
		.admin = ACTUAL_MAINT,
		.was_weight = weight,
		.weight = st->kind == PLAN_ADD ? st->value : weight,
		.intent = APPLIED_JOINING,
	};
	s->auto_weight = auto_weight_of(x, st, b);
	name_task(s, st->why);
	x->n++;
}

static void
begin_leaving(struct next *x, struct applied_server *s, const struct plan_step *st)
{
	if (st->by_operator)
		return;
	s->intent = st->is_respec ? APPLIED_RENEWING : APPLIED_DRAINING;
	s->evidence = st->is_respec ? EVIDENCE_NONE : st->evidence;
	s->wait_since_wall_ms = 0;
	if (s->drain_since_wall_ms == 0)
		s->drain_since_wall_ms = x->now_wall_ms;
}

/* Null: it begins with this plan, as it was asked to. */
static const struct actual_server *
now_of(const struct next *x, const struct applied_server *s)
{
	const struct place *place = find_place(&x->places, s->backend, s->server);

	return place != NULL && is_at_its_address(s, place->actual) ? place->actual : NULL;
}

static void
ask_weight(const struct next *x, struct applied_server *s, unsigned weight)
{
	const struct actual_server *now = now_of(x, s);

	if (now != NULL)
		s->was_weight = now->weight;
	s->weight = weight;
}

static void
ask_admin(const struct next *x, struct applied_server *s, enum actual_admin admin)
{
	const struct actual_server *now = now_of(x, s);

	if (now != NULL)
		s->was_admin = now->admin;
	s->admin = admin;
	if (admin != ACTUAL_MAINT)
		s->drain_since_wall_ms = 0;
}

/* It enters (again): nobody who is ready is told so. */
static void
begin_entering(struct applied_server *s)
{
	s->intent = APPLIED_JOINING;
	s->evidence = EVIDENCE_NONE;
}

static void
take_step(struct next *x, const struct plan_step *st)
{
	struct applied_server *s = find_among(x->servers, x->n, st->backend, st->server);

	if (s == NULL)
		return;
	switch (st->kind) {
	case PLAN_WEIGHT:
		ask_weight(x, s, st->value);
		break;
	case PLAN_JOIN:
		begin_entering(s);
		ask_admin(x, s, ACTUAL_DRAIN);
		break;
	case PLAN_DRAIN:
		ask_admin(x, s, ACTUAL_DRAIN);
		break;
	case PLAN_READY:
		begin_entering(s);
		ask_admin(x, s, ACTUAL_READY);
		break;
	case PLAN_MAINT:
		begin_leaving(x, s, st);
		ask_admin(x, s, ACTUAL_MAINT);
		break;
	case PLAN_SHUTDOWN:
	case PLAN_DELETE: /* it may not work yet: then all else stays as it is */
		begin_leaving(x, s, st);
		break;
	case PLAN_BACKEND:
	case PLAN_PUBLISH:
	case PLAN_UNPUBLISH:
	case PLAN_UNMAKE:
	case PLAN_CA:
	case PLAN_ADD:
	case PLAN_CHECK:
	case PLAN_GATE:
	case PLAN_AGENT:
	case PLAN_EJECT:
	case PLAN_UNEJECT:
	case PLAN_ADDRESS:
	case PLAN_MAXCONN:
		break;
	}
}

static size_t
count_shown(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_backends; i++)
		n += p->backends[i].n_servers;
	return n;
}

static void
sort(struct next *x)
{
	if (x->n > 0)
		qsort(x->servers, x->n, sizeof(*x->servers), server_cmp);
}

static void
add_backend(struct next *x, const struct plan_backend *b)
{
	const struct actual_backend *actual = actual_find(x->actual, b->name);

	for (size_t i = 0; actual != NULL && i < b->n_servers; i++)
		add_shown(x, &b->servers[i], actual->small_weights);
}

/* Each with texts of its own, and what is left to be seen of it. */
static bool
finish(struct next *x)
{
	for (size_t i = 0, at = 0; i < x->n; i++) {
		struct applied_server *s = &x->servers[i];
		const struct place *place = next_place(&x->places, &at, s);
		bool is_there = place != NULL && is_at_its_address(s, place->actual);

		s->is_confirmed = is_there && s->was_admin == s->admin && s->was_weight == s->weight;
		if (!applied_keep_texts(x->arena, s, i > 0 ? s - 1 : NULL))
			return false;
	}
	return true;
}

static bool
list_next(struct next *x, const struct plan *p)
{
	x->servers = ARENA_ARRAY(x->arena, struct applied_server, count_shown(p) + p->n_steps);
	if (x->servers == NULL)
		return false;
	for (size_t i = 0; i < p->n_steps; i++)
		add_fresh(x, &p->steps[i]);
	sort(x);
	x->n_fresh = x->n;
	for (size_t i = 0; i < p->n_backends; i++)
		add_backend(x, &p->backends[i]);
	sort(x);
	for (size_t i = 0; i < p->n_steps; i++)
		take_step(x, &p->steps[i]);
	return finish(x);
}

enum err_code
applied_expect(const struct applied *before, const struct applied *former, const struct actual *actual,
    const struct plan *p, int64_t now_wall_ms, struct applied **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct next x = {
		.arena = a,
		.before = before,
		.former = former,
		.actual = actual,
		.memory = &p->memory,
		.now_wall_ms = now_wall_ms,
	};
	struct applied *made = NULL;

	if (a != NULL && scratch != NULL)
		made = start(a, actual->pid, actual->start_time_s, now_wall_ms);
	if (made == NULL || !list_places(scratch, actual, &x.places) || !list_next(&x, p))
		return out_of_memory(e);
	made->servers = x.servers;
	made->n_servers = x.n;
	if (!applied_index(made))
		return out_of_memory(e);
	(void)MOVE(a);
	*ret = made;
	return ERR_OK;
}
