/* The laws of a plan, before the guard: see laws.h. */
#include "config.h"

#include "laws_ask.h"

/* A task that is forgotten has what ECS gives one by default. */
#define FORGOTTEN_DRAIN_MS INT64_C(30000)

struct step { /* with all that is asked about it */
	const struct laws_round *r;
	const struct plan_step *st;
	size_t at;
	const struct actual_server *s; /* null: none of this name, or it is added by this plan */
	bool is_added;                 /* by an earlier step */
	struct laws_who who;           /* of s */
};

static bool
is_drained(const struct laws_round *r, const struct plan_step *st, int64_t drain_timeout_ms)
{
	if (st->evidence == EVIDENCE_STOPPED || drain_timeout_ms == 0)
		return true;
	for (size_t i = 0; i < r->memory->n; i++) {
		const struct plan_memory_entry *m = &r->memory->entries[i];

		if (str_eq(m->backend, st->backend) && str_eq(m->server, st->server) &&
		    r->rules->now_ms - m->drain_since_ms >= drain_timeout_ms)
			return true;
	}
	return false;
}

/* Does a task run at this place that the backend would take, if its port were known? */
static bool
has_shadow(const struct laws_round *r, const struct plan_step *st, const struct actual_server *s)
{
	for (size_t i = 0; i < r->desired->n_endpoints; i++) {
		const struct desired_endpoint *ep = &r->desired->endpoints[i];

		if (!str_eq(ep->backend, st->backend) || ep->port != 0 || ep->task->last_status > ROSTER_RUNNING ||
		    (ep->task->last_status != ROSTER_RUNNING && ep->task->last_status != ROSTER_UNKNOWN) ||
		    ep->task->desired_status == ROSTER_STOPPED)
			continue;
		for (size_t k = 0; k < ep->task->n_containers; k++)
			if (str_eq(ep->task->containers[k].name, ep->container) &&
			    laws_same_place(ep->task->containers[k].ipv4, 1, s->address, 1))
				return true;
	}
	return false;
}

static bool
is_wanted(const struct step *x)
{
	const struct desired_server *d = x->st->why;

	return d != NULL && (d->want == DESIRED_SERVE || laws_comes_back(x->r, x->st->backend, d));
}

static bool
is_checked(const struct desired_server *d)
{
	return d->policy->check.type != CONF_CHECK_OFF;
}

/* ---- leaving ---- */

static int64_t
drain_of_nobodys(const struct step *x)
{
	int64_t ms = desired_find(x->r->desired, x->st->backend)->conf->policy.drain_timeout_ms;

	return x->st->is_orphan && ms != CONF_DRAIN_AUTO ? ms : FORGOTTEN_DRAIN_MS;
}

static const char *
check_streams(const struct step *x)
{
	const struct actual_server *s = x->s;
	const struct desired_server *d = x->who.candidate;
	bool runs_on = x->st->evidence == EVIDENCE_REPLACED ? !x->who.is_moved : d != NULL && d->streams_run_on;

	if (s->admin != ACTUAL_MAINT)
		return "streams are shut, or it is deleted, out of maintenance";
	if (x->st->kind == PLAN_DELETE)
		return s->is_slot || s->sessions > 0 || s->queued > 0 ? "a slot, or one in use, is deleted" : NULL;
	if (s->sessions == 0 || runs_on)
		return "streams are shut that are not there, or run on";
	if (!is_drained(x->r, x->st, d != NULL ? d->drain_timeout_ms : drain_of_nobodys(x)))
		return "streams are shut before their time";
	return NULL;
}

/* One that no task explains goes on only as it began, or by what is known of its task. */
static const char *
check_begun(const struct step *x)
{
	if (!x->who.is_begun && x->st->is_orphan && x->st->why == NULL && x->st->evidence != EVIDENCE_NONE) {
		if (x->st->evidence != laws_orphan(x->r, x->st->backend, x->s))
			return "a removal of nobody's server on evidence that is not there";
		return x->st->kind == PLAN_MAINT ? NULL : check_streams(x);
	}
	if (!x->who.is_begun || !x->st->is_begun || x->st->why != NULL)
		return "a removal that no candidate explains";
	if (x->st->evidence != x->who.evidence)
		return "a removal on other evidence than it began with";
	return x->st->kind == PLAN_MAINT ? NULL : check_streams(x);
}

static const char *
check_removal(const struct step *x)
{
	const struct plan_step *st = x->st;
	const struct desired_server *d = x->who.candidate;
	bool stays = d != NULL && (d->want != DESIRED_LEAVE || x->who.is_replaced);

	if (d == NULL)
		return check_begun(x);
	if (st->why != d)
		return "a removal for another candidate";
	if (st->kind == PLAN_MAINT && x->s->admin == ACTUAL_MAINT)
		return "maintenance of what is in maintenance";
	if (stays &&
	    (st->evidence != EVIDENCE_REPLACED || (!x->who.is_replaced && !laws_has_better(x->r, st->backend, x->s))))
		return "a removal of what should stay";
	if (!stays && st->evidence != d->evidence)
		return "a removal on evidence that its candidate does not carry";
	if ((st->evidence == EVIDENCE_STOPPING || st->evidence == EVIDENCE_STOPPED) && !x->who.is_moved &&
	    has_shadow(x->r, st, x->s))
		return "a removal on the end of a task whose address another may have by now";
	return st->kind == PLAN_MAINT ? NULL : check_streams(x);
}

/* Somebody else in this backend takes calls, stays, and is not taken out by this plan;
 * nobody is on the way there. */
static bool
is_covered(const struct step *x)
{
	const struct plan_backend *b = plan_find(x->r->plan, x->st->backend);
	bool is_another = false;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *v = &b->servers[i];
		bool goes = laws_has_step(x->r->plan, x->st->backend, v->actual->name, PLAN_MAINT) ||
			    laws_has_step(x->r->plan, x->st->backend, v->actual->name, PLAN_DRAIN);

		if (v->actual == x->s)
			continue;
		if (v->is_stale && v->hold == NULL && (v->actual->admin == ACTUAL_MAINT || goes))
			return false; /* another is renewed already */
		is_another = is_another || (laws_takes_calls(v->actual) && v->desired != NULL && !goes);
	}
	return is_another;
}

static const char *
check_respec(const struct step *x)
{
	const struct plan_step *st = x->st;

	if (st->kind == PLAN_DRAIN || x->s->is_slot)
		return "other settings by a drain, or of a slot";
	if (x->who.candidate == NULL) /* nobody explains it any more: only what is over may be tidied up */
		return st->kind == PLAN_DELETE ? check_streams(x) : "a renewal that no candidate explains";
	if (!laws_is_stale(x->r, st->backend, x->s) || st->why != x->who.candidate || st->why->want != DESIRED_SERVE)
		return "a renewal of what has its settings, or should not serve";
	if (laws_held(x->r, st->backend, st->why) != OVERLAY_FREE)
		return "a renewal against a hold";
	if (laws_strategy(x->r->before, actual_find(x->r->before, st->backend)) != PLAN_STRATEGY_DYNAMIC)
		return "a renewal where nothing can be added";
	if (st->kind == PLAN_MAINT && laws_takes_calls(x->s) && !is_covered(x))
		return "a renewal beside another, or of the last that takes calls";
	return st->kind == PLAN_MAINT ? NULL : check_streams(x);
}

static const char *
check_obeyed(const struct step *x)
{
	enum overlay_admin held = laws_held(x->r, x->st->backend, x->who.candidate);

	if (x->st->why != x->who.candidate || evidence_is_proven(x->who.evidence))
		return "an operator's step for what nobody holds";
	if (x->st->kind == PLAN_DRAIN)
		return held != OVERLAY_DRAIN || x->s->admin != ACTUAL_READY ? "a drain that nobody asked for" : NULL;
	return held != OVERLAY_MAINT || x->s->admin == ACTUAL_MAINT ? "a maintenance that nobody asked for" : NULL;
}

/* ---- entering ---- */

static bool
is_in_maint(const struct step *x)
{
	for (size_t i = 0; i < x->at; i++) {
		const struct plan_step *st = &x->r->plan->steps[i];

		if (laws_is_vacant_maint(st) && laws_server(x->r->before, st->backend, st->server) == x->s)
			return x->s->address.len == 0;
	}
	return x->s->admin == ACTUAL_MAINT;
}

/* It has no server yet, and gets one place. */
static const char *
check_place(const struct step *x)
{
	const struct plan_step *st = x->st;
	const struct actual_backend *b = actual_find(x->r->before, st->backend);

	if (!is_wanted(x) || !laws_same_place(st->why->address, st->why->port, st->address, st->port))
		return "an address that should not serve";
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct laws_who who = laws_who(x->r, st->backend, &b->servers[i]);

		if (b->servers[i].is_ours && who.candidate == st->why && !who.is_moved && !who.is_replaced)
			return "a second server for one address";
	}
	for (size_t i = 0; i < x->at; i++) {
		const struct plan_step *o = &x->r->plan->steps[i];

		if (o->kind == st->kind && str_eq(o->backend, st->backend) &&
		    (o->why == st->why || str_eq(o->server, st->server)))
			return "two places for one, or one for two";
	}
	if (st->by_operator != (laws_held(x->r, st->backend, st->why) != OVERLAY_FREE))
		return "a hold that is not there, or is overlooked";
	return NULL;
}

static const char *
check_address(const struct step *x)
{
	const struct plan_step *st = x->st;
	bool is_held = st->by_operator && laws_held(x->r, st->backend, st->why) == OVERLAY_MAINT;

	if (x->s == NULL || !x->s->is_slot || x->s->sessions > 0 || !is_in_maint(x))
		return "an address for a slot that is in use";
	if (x->who.candidate != NULL && x->who.candidate->want != DESIRED_LEAVE &&
	    !laws_has_better(x->r, st->backend, x->s))
		return "an address for a slot that its task still needs";
	if (!is_held && !laws_has_step(x->r->plan, st->backend, st->server, PLAN_JOIN) &&
	    !laws_has_step(x->r->plan, st->backend, st->server, PLAN_READY))
		return "an address, but it does not join";
	return check_place(x);
}

static const char *
check_add(const struct step *x)
{
	const struct plan_step *st = x->st;
	bool is_gated = is_checked(st->why) && !laws_is_trusted(x->r, st->backend, st->why);

	if (x->s != NULL || x->is_added || !str_eq(st->server, st->why->name) || st->policy != st->why->policy)
		return "added twice, or by another name or with other settings than its own";
	if (laws_strategy(x->r->before, actual_find(x->r->before, st->backend)) != PLAN_STRATEGY_DYNAMIC)
		return "added where slots are, or where nothing can be added";
	if (is_gated && !st->starts_down && laws_is_at_least(x->r->before, 3, 2))
		return "added up, though it can begin down";
	return check_place(x);
}

/* ---- the gate ---- */

static bool
has_passed(const struct step *x)
{
	const struct actual_server *s = x->s;

	if (s->admin == ACTUAL_MAINT && s->is_slot)
		return false; /* what it shows is another's */
	if (s->admin == ACTUAL_MAINT && s->check == ACTUAL_UNCHECKED)
		return !is_checked(x->st->why) || !laws_is_at_least(x->r->before, 3, 0);
	return s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED;
}

static const struct plan_step *
find_add(const struct step *x)
{
	for (size_t i = 0; i < x->at; i++)
		if (x->r->plan->steps[i].kind == PLAN_ADD && str_eq(x->r->plan->steps[i].server, x->st->server) &&
		    str_eq(x->r->plan->steps[i].backend, x->st->backend))
			return &x->r->plan->steps[i];
	return NULL;
}

/* Taken out for its health, and let in again: too few are left. */
static bool
is_needed(const struct step *x)
{
	return x->s != NULL && x->st->why != NULL && x->st->why == x->who.candidate &&
	       x->who.evidence == EVIDENCE_UNHEALTHY && laws_held(x->r, x->st->backend, x->st->why) == OVERLAY_FREE &&
	       laws_is_short(x->r, x->st->backend);
}

static const char *
check_ready(const struct step *x)
{
	const struct plan_step *st = x->st, *add = find_add(x);

	if (x->who.is_moved)
		return "ready at an address that is not its task's";
	if (is_needed(x) && !laws_comes_back(x->r, st->backend, st->why))
		return has_passed(x) ? NULL : "ready before its check passed";
	if (!is_wanted(x) || laws_held(x->r, st->backend, st->why) != OVERLAY_FREE)
		return "ready, though it should not serve, or is held";
	if (laws_is_trusted(x->r, st->backend, st->why))
		return NULL;
	if (add != NULL)
		return add->starts_down || !is_checked(st->why) ? NULL : "ready as soon as it is added";
	if (x->s->admin == ACTUAL_READY || !has_passed(x))
		return "ready before its check passed";
	return NULL;
}

static const char *
check_join(const struct step *x)
{
	if (!is_needed(x) && (!is_wanted(x) || laws_held(x->r, x->st->backend, x->st->why) == OVERLAY_MAINT))
		return "joins, though it should not, or is held";
	if (x->s != NULL && !is_in_maint(x))
		return "joins from out of maintenance";
	return NULL;
}

/* ---- backends, CAs ---- */

static const char *
check_backend_step(const struct laws_round *r, const struct plan_step *st)
{
	const struct desired_backend *d = desired_find(r->desired, st->backend);
	const struct actual_backend *b = actual_find(r->before, st->backend);
	bool exists = b != NULL && b->exists;

	if (!d->conf->managed || !laws_is_at_least(r->before, 3, 4))
		return "a backend is made that is declared, or cannot be made";
	if (st->kind == PLAN_UNPUBLISH || st->kind == PLAN_UNMAKE)
		return exists && d->conf->retired && b->n_servers == 0 && d->n_serve == 0
			   ? NULL
			   : "a backend goes that is asked for, or has servers";
	if (st->kind == PLAN_BACKEND && (exists || !r->rules->may_add_backends))
		return "a backend is made that is there, or must not be";
	if (st->kind == PLAN_PUBLISH &&
	    (exists ? !b->is_unpublished : !laws_has_step(r->plan, st->backend, STR(""), PLAN_BACKEND)))
		return "a backend is published that is, or is not there";
	return NULL;
}

static int
phase_of(const struct plan_step *st, const struct actual_server *s)
{
	switch (st->kind) {
	case PLAN_BACKEND:
	case PLAN_PUBLISH:
	case PLAN_UNPUBLISH: /* these come last, and are looked at before the order is */
	case PLAN_UNMAKE:
		return 0;
	case PLAN_CA:
		return 1;
	case PLAN_ADD:
	case PLAN_CHECK:
	case PLAN_AGENT:
	case PLAN_ADDRESS:
	case PLAN_JOIN:
	case PLAN_GATE:
		return 2;
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
		return s == NULL || (s->admin == ACTUAL_READY && s->address.len > 0) ? 4 : 2;
	case PLAN_READY: /* of one that is trusted, with the rest of it */
	case PLAN_UNEJECT:
		return 3;
	case PLAN_DRAIN:
	case PLAN_EJECT:
		return 5;
	case PLAN_MAINT:
		return st->is_vacant ? 2 : 5;
	case PLAN_SHUTDOWN:
		return 6;
	case PLAN_DELETE:
		break;
	}
	return 7;
}

/* ---- all of it ---- */

/* What is told to a slot that has an address by now, and is not for the task that it was given to. */
static bool
is_for_who_was_there(const struct step *x)
{
	for (size_t i = 0; i < x->at; i++) {
		const struct plan_step *before = &x->r->plan->steps[i];

		if (before->kind == PLAN_ADDRESS && str_eq(before->server, x->st->server) &&
		    str_eq(before->backend, x->st->backend))
			return before->why != x->st->why && x->st->kind != PLAN_UNEJECT;
	}
	return false;
}

static bool
is_out_of_order(const struct step *x, int *phase)
{
	int here = phase_of(x->st, x->s), was = *phase;

	/* A READY may stand with the server that enters; a hold's weight in any phase before 5. */
	if (here == 3 && was <= 2) {
		*phase = 2;
		return false;
	}
	if ((here == 2 || here == 4) && was <= 4) {
		*phase = was > here ? was : here;
		return here < was && x->st->kind != PLAN_WEIGHT && x->st->kind != PLAN_MAXCONN;
	}
	*phase = here;
	return here < was;
}

static const char *
check_kind(const struct step *x)
{
	switch (x->st->kind) {
	case PLAN_ADD:
		return check_add(x);
	case PLAN_ADDRESS:
		return check_address(x);
	case PLAN_READY:
		return check_ready(x);
	case PLAN_JOIN:
		return check_join(x);
	case PLAN_GATE:
		return x->s->admin == ACTUAL_DRAIN ? NULL : "a gate for what does not drain";
	case PLAN_CHECK:
	case PLAN_AGENT:
		return is_wanted(x) ? NULL : "checks of what should not serve";
	case PLAN_UNEJECT:
		return x->s->agent_down ? NULL : "what is not ejected is put back";
	case PLAN_EJECT:
		return x->st->why != NULL && x->st->takes_calls ? NULL : "an ejection of what takes no calls";
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
		return x->st->why != NULL ? NULL : "a weight for what nobody explains";
	case PLAN_DRAIN:
	case PLAN_MAINT:
	case PLAN_SHUTDOWN:
	case PLAN_DELETE:
	case PLAN_BACKEND:
	case PLAN_PUBLISH:
	case PLAN_UNPUBLISH:
	case PLAN_UNMAKE:
	case PLAN_CA:
		break;
	}
	if (laws_is_vacant_maint(x->st))
		return x->s->address.len > 0 || x->s->sessions > 0 ? "a slot is called vacant that is not" : NULL;
	if (x->st->is_respec)
		return check_respec(x);
	return x->st->by_operator ? check_obeyed(x) : check_removal(x);
}

static const char *
check_closed(const struct laws_round *r, const struct plan_step *st)
{
	if (r->before->stopping && (st->kind != PLAN_MAINT || st->is_respec))
		return "HAProxy is going down, and gets more than maintenance";
	if (st->kind != PLAN_CA && laws_is_paused(r, st->backend) &&
	    (!laws_is_removal(st) || !evidence_is_proven(st->evidence)))
		return "a paused backend is touched without proof";
	return NULL;
}

static const char *
check_step(const struct laws_round *r, size_t at, int *phase)
{
	struct step x = { .r = r, .st = &r->plan->steps[at], .at = at };
	const char *broken = check_closed(r, x.st);

	if (broken != NULL || x.st->kind == PLAN_CA)
		return broken;
	if (desired_find(r->desired, x.st->backend) == NULL)
		return "a step for a backend that was not asked for";
	if (plan_step_is_of_backend(x.st->kind))
		return check_backend_step(r, x.st);
	if (actual_find(r->before, x.st->backend) == NULL || !actual_find(r->before, x.st->backend)->exists)
		return "a step for a backend that is not there";
	x.s = laws_server(r->before, x.st->backend, x.st->server);
	x.is_added = find_add(&x) != NULL;
	if (x.s == NULL && !x.is_added && x.st->kind != PLAN_ADD)
		return "a step for what is not there";
	if (x.s != NULL && !x.s->is_ours)
		return "a step for a server that is not ours";
	if (x.s != NULL)
		x.who = laws_who(r, x.st->backend, x.s);
	if (is_out_of_order(&x, phase))
		return "steps out of order";
	if (is_for_who_was_there(&x))
		return "a slot that is given away is told what is another task's";
	return check_kind(&x);
}

static const char *
check_views(const struct laws_round *r)
{
	for (size_t i = 0; i < r->plan->n_backends; i++) {
		const struct plan_backend *b = &r->plan->backends[i];

		if (b->n_unplaced > 0 && b->n_free_slots > 0 && !b->is_closed)
			return "no place for a task beside a free slot";
		if (b->is_paused != laws_is_paused(r, b->name))
			return "a pause is not shown, or made up";
		for (size_t k = 0; k < b->n_servers; k++) {
			const struct plan_server *v = &b->servers[k];

			if (!v->actual->is_ours || v->actual->address.len == 0)
				return "a server is shown that is none of ours";
			if ((v->state == PLAN_STATE_HELD) != (v->hold != NULL))
				return "held by nobody, or not shown as held";
		}
		r->tally->unplaced += b->n_unplaced;
	}
	return NULL;
}

const char *
laws_check_plan(const struct laws_round *r)
{
	int phase = 0;

	for (size_t i = 0; i < r->plan->n_steps; i++) {
		const char *broken = check_step(r, i, &phase);

		if (broken != NULL)
			return broken;
	}
	return check_views(r);
}
