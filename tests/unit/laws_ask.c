/* Plain questions: see laws_ask.h. */
#include "config.h"

#include "laws_ask.h"

#include <arpa/inet.h>

static bool
bytes_of(struct str text, unsigned char ret[17])
{
	char copy[64];

	memset(ret, 0, 17);
	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	ret[16] = 4;
	if (inet_pton(AF_INET, copy, ret) == 1)
		return true;
	ret[16] = 6;
	return inet_pton(AF_INET6, copy, ret) == 1;
}

bool
laws_same_place(struct str a, uint16_t port_a, struct str b, uint16_t port_b)
{
	unsigned char x[17], y[17];

	return port_a == port_b && bytes_of(a, x) && bytes_of(b, y) && memcmp(x, y, sizeof(x)) == 0;
}

bool
laws_is_at(const struct desired_server *d, const struct actual_server *s)
{
	return laws_same_place(d->address, d->port, s->address, s->port);
}

bool
laws_is_newer(const struct roster_task *a, const struct roster_task *b)
{
	int64_t x = a->started_ms ? a->started_ms : a->created_ms, y = b->started_ms ? b->started_ms : b->created_ms;

	if (x != y)
		return x > y;
	if (a->created_ms != b->created_ms)
		return a->created_ms > b->created_ms;
	return str_cmp(a->arn, b->arn) > 0;
}

bool
laws_takes_calls(const struct actual_server *s)
{
	return s->admin == ACTUAL_READY && s->up && s->weight > 0 && s->address.len > 0;
}

const struct actual_server *
laws_server(const struct actual *a, struct str backend, struct str name)
{
	const struct actual_backend *b = actual_find(a, backend);

	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (str_eq(b->servers[i].name, name))
			return &b->servers[i];
	return NULL;
}

static const struct desired_server *
best_at(const struct desired_backend *b, const struct actual_server *s)
{
	const struct desired_server *best = NULL;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *d = &b->servers[i];
		if (!laws_is_at(d, s))
			continue;
		if (best == NULL || d->want < best->want ||
		    (d->want == best->want && laws_is_newer(d->task, best->task)))
			best = d;
	}
	return best;
}

static const struct desired_server *
named(const struct desired_backend *b, const struct actual_server *s)
{
	const struct desired_server *best = NULL;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *d = &b->servers[i];

		if (!str_eq(d->name, s->name))
			continue;
		if (laws_is_at(d, s))
			return d;
		if (best == NULL || d->want < best->want)
			best = d;
	}
	return best;
}

static const struct applied_server *
applied_to(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	const struct applied *a = r->rules->applied;

	for (size_t i = 0; a != NULL && i < a->n_servers; i++)
		if (str_eq(a->servers[i].backend, backend) && str_eq(a->servers[i].server, s->name) &&
		    laws_same_place(a->servers[i].address, a->servers[i].port, s->address, s->port))
			return &a->servers[i];
	return NULL;
}

/* What the roster says of the end of this task; NONE: it has not ended, or is not in it. */
static enum evidence
end_of(const struct laws_round *r, struct str arn)
{
	const struct roster *roster = r->desired->roster;

	for (size_t i = 0; i < roster->n_clusters; i++)
		for (size_t j = 0; roster->clusters[i].facts != NULL && j < roster->clusters[i].facts->n_tasks; j++) {
			const struct roster_task *t = &roster->clusters[i].facts->tasks[j];

			if (!str_eq(t->arn, arn))
				continue;
			if (t->last_status >= ROSTER_DEPROVISIONING)
				return EVIDENCE_STOPPED;
			if (t->desired_status == ROSTER_STOPPED || t->last_status >= ROSTER_DEACTIVATING)
				return EVIDENCE_STOPPING;
			return EVIDENCE_NONE; /* the first that has it tells, if two sources do */
		}
	return EVIDENCE_NONE;
}

struct laws_who
laws_who(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	const struct desired_backend *b = desired_find(r->desired, backend);
	const struct applied_server *known = applied_to(r, backend, s);
	struct laws_who who = { .candidate = NULL };

	if (b == NULL)
		return who;
	who.candidate = s->is_slot ? best_at(b, s) : named(b, s);
	who.is_moved = who.candidate != NULL && !laws_is_at(who.candidate, s);
	if (who.candidate == NULL && !s->is_slot) {
		who.candidate = best_at(b, s);
		who.is_replaced = who.candidate != NULL && who.candidate->want == DESIRED_SERVE;
		if (!who.is_replaced)
			who.candidate = NULL;
	}
	if (who.candidate != NULL)
		who.evidence = who.is_replaced ? EVIDENCE_REPLACED : who.candidate->evidence;
	else if (known != NULL && known->intent == APPLIED_DRAINING && evidence_is_proven(known->evidence) &&
		 (s->admin == ACTUAL_MAINT || !known->is_confirmed))
		who.evidence = known->evidence;
	else if (known != NULL)
		who.evidence = end_of(r, known->task_arn);
	who.is_begun = who.candidate == NULL && who.evidence != EVIDENCE_NONE;
	return who;
}

static bool
goes_for_another(const struct plan *p, struct str backend, struct str server)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == PLAN_MAINT && !p->steps[i].by_operator &&
		    str_eq(p->steps[i].backend, backend) && str_eq(p->steps[i].server, server))
			return true;
	return false;
}

bool
laws_has_better(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	const struct actual_backend *b = actual_find(r->before, backend);
	const struct laws_who who = laws_who(r, backend, s);

	for (size_t i = 0; who.candidate != NULL && i < b->n_servers; i++) {
		const struct actual_server *o = &b->servers[i];
		const struct laws_who other = laws_who(r, backend, o);

		if (o != s && o->is_ours && other.candidate == who.candidate && !other.is_moved && !other.is_replaced &&
		    !goes_for_another(r->plan, backend, o->name) && (!laws_takes_calls(s) || laws_takes_calls(o)))
			return true;
	}
	return false;
}

bool
laws_is_at_least(const struct actual *a, unsigned major, unsigned minor)
{
	return a->major * 100 + a->minor >= major * 100 + minor;
}

enum plan_strategy
laws_strategy(const struct actual *a, const struct actual_backend *b)
{
	if (b == NULL || !b->exists)
		return PLAN_STRATEGY_NONE;
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].is_slot)
			return PLAN_STRATEGY_SLOTS;
	return laws_is_at_least(a, 3, 0) ? PLAN_STRATEGY_DYNAMIC : PLAN_STRATEGY_NONE;
}

bool
laws_has_step(const struct plan *p, struct str backend, struct str server, enum plan_step_kind kind)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == kind && str_eq(p->steps[i].backend, backend) &&
		    str_eq(p->steps[i].server, server))
			return true;
	return false;
}

const struct overlay_hold *
laws_hold(const struct laws_round *r, struct str backend, const struct desired_server *d)
{
	for (size_t i = 0; r->rules->overlay != NULL && i < overlay_count(r->rules->overlay); i++) {
		const struct overlay_hold *h = overlay_at(r->rules->overlay, i);

		if (str_eq(h->key.backend, backend) && str_eq(h->key.task_arn, d->task->arn) &&
		    str_eq(h->key.container, d->container) && h->key.port == d->port)
			return h;
	}
	return NULL;
}

enum overlay_admin
laws_held(const struct laws_round *r, struct str backend, const struct desired_server *d)
{
	const struct overlay_hold *h = d != NULL ? laws_hold(r, backend, d) : NULL;

	return h != NULL ? h->admin : OVERLAY_FREE;
}

bool
laws_is_paused(const struct laws_round *r, struct str backend)
{
	for (size_t i = 0; r->rules->overlay != NULL && i < overlay_count_pauses(r->rules->overlay); i++) {
		const struct overlay_pause *p = overlay_pause_at(r->rules->overlay, i);

		if (p->backend.len == 0 || str_eq(p->backend, backend))
			return true;
	}
	return false;
}

static bool
has_served(const struct applied *a, struct str backend, const struct desired_server *d, bool must_serve)
{
	for (size_t i = 0; a != NULL && i < a->n_servers; i++) {
		const struct applied_server *s = &a->servers[i];

		if (str_eq(s->backend, backend) && str_eq(s->task_arn, d->task->arn) &&
		    str_eq(s->container, d->container) && s->port == d->port &&
		    (must_serve
			    ? s->intent == APPLIED_SERVING && laws_same_place(s->address, s->port, d->address, d->port)
			    : s->intent != APPLIED_JOINING))
			return true;
	}
	return false;
}

bool
laws_is_trusted(const struct laws_round *r, struct str backend, const struct desired_server *d)
{
	return has_served(r->rules->former, backend, d, true);
}

bool
laws_comes_back(const struct laws_round *r, struct str backend, const struct desired_server *d)
{
	const struct applied *now = applied_is_of(r->rules->applied, r->before) ? r->rules->applied : NULL;

	return r->rules->brings_back && d->want != DESIRED_SERVE && !evidence_is_proven(d->evidence) &&
	       laws_is_trusted(r, backend, d) && !has_served(now, backend, d, false);
}

bool
laws_is_stale(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	const struct laws_who who = laws_who(r, backend, s);
	const struct applied_server *known = applied_to(r, backend, s);

	if (s->is_slot || who.candidate == NULL || who.candidate->want != DESIRED_SERVE || who.is_replaced)
		return false;
	return who.is_moved || (known != NULL && known->spec != 0 && known->spec != who.candidate->spec);
}

bool
laws_is_vacant_maint(const struct plan_step *st)
{
	return st->kind == PLAN_MAINT && st->is_vacant;
}

bool
laws_is_removal(const struct plan_step *st)
{
	bool takes =
	    st->kind == PLAN_DRAIN || st->kind == PLAN_MAINT || st->kind == PLAN_SHUTDOWN || st->kind == PLAN_DELETE;

	return takes && !laws_is_vacant_maint(st) && !st->by_operator && !st->is_respec;
}
