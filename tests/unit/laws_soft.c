/*
 * The laws of what is no proof (design.md, section 6): what is only reported, and
 * health.  Slow, plain, and written anew: see laws.h.
 */
#include "config.h"

#include <stdio.h>

#include "laws_ask.h"

/* ---- who is nobody's ---- */

static bool
is_over(const struct roster_task *t)
{
	return t->desired_status == ROSTER_STOPPED || t->last_status >= ROSTER_DEACTIVATING;
}

static bool
has_stopped(const struct roster_task *t)
{
	return t->last_status >= ROSTER_DEPROVISIONING;
}

static bool
runs(const struct roster_task *t)
{
	return t->last_status == ROSTER_RUNNING && t->desired_status == ROSTER_RUNNING && t->missing < 2;
}

static bool
is_of_name(const struct roster_task *t, const struct actual_server *s)
{
	char start[128], end[16];
	int n = snprintf(start, sizeof(start), "rc_" STR_FMT "_", STR_ARG(t->id));
	struct str tail;

	(void)snprintf(end, sizeof(end), "_%u", (unsigned)s->port);
	tail = str_from_cstr(end);
	return n > 0 && str_has_prefix(s->name, str_from_cstr(start)) && s->name.len > (size_t)n + tail.len &&
	       str_eq(str_skip(s->name, s->name.len - tail.len), tail);
}

static bool
is_ours(const struct actual_server *s)
{
	struct str rest = str_skip(s->name, 3);
	char end[16];
	size_t at;

	(void)snprintf(end, sizeof(end), "_%u", (unsigned)s->port);
	return s->is_slot || (str_find(rest, '_', &at) && at > 0 && rest.len > at + 1 + strlen(end) &&
				 str_eq(str_skip(rest, rest.len - strlen(end)), str_from_cstr(end)));
}

static bool
is_at_address(const struct roster_task *t, const struct actual_server *s)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (laws_same_place(t->containers[i].ipv4, 1, s->address, 1) ||
		    laws_same_place(t->containers[i].ipv6, 1, s->address, 1))
			return true;
	return false;
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

struct found {
	const struct roster_task *task; /* of several copies: one that is over */
	size_t n_arns;
};

static void
add(struct found *f, const struct roster_task *t)
{
	bool other = f->task != NULL && !str_eq(f->task->arn, t->arn);

	f->n_arns += f->task == NULL || other ? 1 : 0;
	if (f->task == NULL || (is_over(t) && !is_over(f->task)) ||
	    (is_over(t) == is_over(f->task) && t->last_status > f->task->last_status))
		f->task = t;
}

typedef bool is_it_fn(
    const struct laws_round *r, struct str backend, const struct roster_task *t, const struct actual_server *s);

static struct found
find(const struct laws_round *r, struct str backend, const struct actual_server *s, is_it_fn *is_it)
{
	const struct roster *roster = r->desired->roster;
	struct found f = { .n_arns = 0 };

	for (size_t i = 0; i < roster->n_clusters; i++)
		for (size_t k = 0; roster->clusters[i].facts != NULL && k < roster->clusters[i].facts->n_tasks; k++)
			if (is_it(r, backend, &roster->clusters[i].facts->tasks[k], s))
				add(&f, &roster->clusters[i].facts->tasks[k]);
	return f;
}

static bool
by_name(const struct laws_round *r, struct str backend, const struct roster_task *t, const struct actual_server *s)
{
	(void)r;
	(void)backend;
	return is_of_name(t, s);
}

static bool
by_applied(const struct laws_round *r, struct str backend, const struct roster_task *t, const struct actual_server *s)
{
	const struct applied_server *known = applied_to(r, backend, s);

	return known != NULL && known->task_arn.len > 0 && str_eq(known->task_arn, t->arn);
}

static bool
by_address(const struct laws_round *r, struct str backend, const struct roster_task *t, const struct actual_server *s)
{
	(void)r;
	(void)backend;
	return runs(t) && is_at_address(t, s);
}

static bool
is_exposed_or_in_doubt(
    const struct laws_round *r, struct str backend, const struct roster_task *t, const struct actual_server *s)
{
	bool is_any = false;

	for (size_t i = 0; i < r->desired->n_endpoints; i++) {
		const struct desired_endpoint *ep = &r->desired->endpoints[i];
		bool out = ep->reason == REASON_NOT_SELECTED || ep->reason == REASON_DISABLED ||
			   ep->reason == REASON_CONSTRAINT;

		is_any = is_any || ep->task == t;
		if (ep->task != t)
			continue;
		if (ep->backend.len == 0 && !out)
			return true;
		if (str_eq(ep->backend, backend) && (!ep->exposed || ep->port == 0 || ep->port == s->port))
			return true;
	}
	return !is_any || t->definition == NULL || !t->listed || !is_at_address(t, s);
}

static bool
same_network(const struct roster_task *a, const struct roster_task *b)
{
	return (a->subnet.len > 0 && str_eq(a->subnet, b->subnet)) ||
	       (a->container_instance_arn.len > 0 && str_eq(a->container_instance_arn, b->container_instance_arn));
}

/* The end of a task whose address others have by now. */
static enum evidence
of_the_end(const struct laws_round *r, const struct roster_task *t, const struct actual_server *s)
{
	const struct roster *roster = r->desired->roster;
	const struct roster_task *newest = NULL;
	bool several = false;

	for (size_t i = 0; i < roster->n_clusters; i++)
		for (size_t k = 0; roster->clusters[i].facts != NULL && k < roster->clusters[i].facts->n_tasks; k++) {
			const struct roster_task *o = &roster->clusters[i].facts->tasks[k];

			if (!runs(o) || !is_at_address(o, s))
				continue;
			several = several || (newest != NULL && !str_eq(newest->arn, o->arn));
			if (newest == NULL || laws_is_newer(o, newest))
				newest = o;
		}
	if (newest == NULL || str_eq(newest->arn, t->arn))
		return has_stopped(t) ? EVIDENCE_STOPPED : EVIDENCE_STOPPING;
	return !several && same_network(newest, t) && laws_is_newer(newest, t) ? EVIDENCE_REPLACED : EVIDENCE_NONE;
}

static bool
is_unexplained_for_long(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	int64_t since_ms = r->rules->now_ms;

	for (size_t i = 0; i < r->memory->n_unexplained; i++) {
		const struct plan_memory_entry *m = &r->memory->unexplained[i];

		if (str_eq(m->backend, backend) && str_eq(m->server, s->name) && str_eq(m->address, s->address) &&
		    m->port == s->port)
			since_ms = m->drain_since_ms;
	}
	return r->rules->swept_twice_ms > 0 && since_ms <= r->rules->swept_twice_ms;
}

static enum evidence
of_a_copy(const struct laws_round *r, struct str backend, const struct actual_server *s, const struct roster_task *t)
{
	if (is_over(t))
		return of_the_end(r, t, s);
	if (t->last_status == ROSTER_PROVISIONING || t->last_status == ROSTER_PENDING ||
	    t->last_status == ROSTER_ACTIVATING)
		return EVIDENCE_NONE;
	if (t->missing >= 2)
		return EVIDENCE_MISSING;
	if (t->last_status != ROSTER_RUNNING || t->desired_status != ROSTER_RUNNING)
		return EVIDENCE_NONE;
	return is_exposed_or_in_doubt(r, backend, t, s) ? EVIDENCE_NONE : EVIDENCE_UNEXPOSED;
}

enum evidence
laws_orphan(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	const struct roster *roster = r->desired->roster;
	struct found f = find(r, backend, s, s->is_slot ? by_applied : by_name);
	enum evidence ev;

	if (!is_ours(s) || s->address.len == 0)
		return EVIDENCE_NONE;
	if (!s->is_slot && f.n_arns > 1)
		return is_unexplained_for_long(r, backend, s) ? EVIDENCE_MISSING : EVIDENCE_NONE;
	if (f.task == NULL && s->is_slot) {
		f = find(r, backend, s, by_address);
		if (f.n_arns > 1)
			return EVIDENCE_NONE;
	}
	if (f.task == NULL)
		return is_unexplained_for_long(r, backend, s) ? EVIDENCE_MISSING : EVIDENCE_NONE;
	ev = of_a_copy(r, backend, s, f.task);
	for (size_t i = 0; i < roster->n_clusters && !is_over(f.task); i++)
		for (size_t k = 0; roster->clusters[i].facts != NULL && k < roster->clusters[i].facts->n_tasks; k++) {
			const struct roster_task *t = &roster->clusters[i].facts->tasks[k];

			if (str_eq(t->arn, f.task->arn) && of_a_copy(r, backend, s, t) != ev)
				return EVIDENCE_NONE;
		}
	return ev;
}

/* ---- the limit ---- */

static const struct overlay_leave *
leave_of(const struct laws_round *r, struct str backend, struct str server, struct str address, uint16_t port)
{
	for (size_t i = 0; r->rules->overlay != NULL && i < overlay_count_leaves(r->rules->overlay); i++) {
		const struct overlay_leave *l = overlay_leave_at(r->rules->overlay, i);

		if (str_eq(l->backend, backend) && str_eq(l->server, server) && str_eq(l->address, address) &&
		    l->port == port)
			return l;
	}
	return NULL;
}

static bool
is_released(const struct laws_round *r, struct str backend, const struct actual_server *s)
{
	const struct overlay_leave *l = leave_of(r, backend, s->name, s->address, s->port);

	return l != NULL && l->is_released;
}

static bool
goes(const struct plan *p, struct str backend, const struct actual_server *s)
{
	return laws_has_step(p, backend, s->name, PLAN_MAINT) || laws_has_step(p, backend, s->name, PLAN_DRAIN);
}

static enum evidence
evidence_of(const struct plan_server *v)
{
	return v->evidence;
}

static bool
is_soft_case(const struct plan_server *v)
{
	bool held = v->hold != NULL && v->hold->admin != OVERLAY_FREE;

	return !held && (v->desired == NULL || v->desired->want == DESIRED_LEAVE);
}

static bool
is_reported(enum evidence ev)
{
	return ev == EVIDENCE_MISSING || ev == EVIDENCE_UNEXPOSED;
}

static const struct actual_server *
now_at(const struct plan_backend *b, const struct overlay_leave *l)
{
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct actual_server *s = b->servers[i].actual;

		if (str_eq(s->name, l->server) && str_eq(s->address, l->address) && s->port == l->port)
			return s;
	}
	return NULL;
}

static bool
is_over_limit(const struct laws_round *r, const struct plan_backend *b)
{
	size_t n = 0, reported = 0;
	bool is_any;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *v = &b->servers[i];

		if (v->actual->admin != ACTUAL_READY || v->state == PLAN_STATE_JOINING ||
		    evidence_is_proven(evidence_of(v)) || is_released(r, b->name, v->actual))
			continue;
		n++;
		reported += is_soft_case(v) && is_reported(evidence_of(v)) ? 1 : 0;
	}
	is_any = reported > 0;
	for (size_t i = 0; r->rules->overlay != NULL && i < overlay_count_leaves(r->rules->overlay); i++) {
		const struct overlay_leave *l = overlay_leave_at(r->rules->overlay, i);
		const struct actual_server *s = now_at(b, l);

		if (l->is_released || !str_eq(l->backend, b->name) || (s != NULL && s->admin == ACTUAL_READY))
			continue;
		n++;
		reported++;
	}
	if (desired_find(r->desired, b->name)->conf->retired && is_any)
		reported = n; /* it is asked for by nobody */
	return reported * 100 > n * desired_find(r->desired, b->name)->conf->policy.removal_limit_percent;
}

static size_t
count_staying(const struct laws_round *r, const struct plan_backend *b, bool steady_only)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *v = &b->servers[i];
		bool steady = v->desired != NULL && evidence_of(v) != EVIDENCE_REPLACED &&
			      (v->hold == NULL || v->hold->admin == OVERLAY_FREE) &&
			      (v->desired->want != DESIRED_LEAVE || evidence_of(v) == EVIDENCE_UNHEALTHY);
		bool lasting = !evidence_is_proven(evidence_of(v)); /* else it only waits for another */

		if (laws_takes_calls(v->actual) && !goes(r->plan, b->name, v->actual) &&
		    (steady_only ? steady : lasting))
			n++;
	}
	return n;
}

/* How many health must leave in service: a share of those that have their place. */
static size_t
count_needed(const struct laws_round *r, const struct plan_backend *b)
{
	unsigned percent = desired_find(r->desired, b->name)->conf->policy.outlier.panic_threshold_percent;
	size_t n = 0, share;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *v = &b->servers[i];
		bool out = v->desired == NULL || evidence_of(v) == EVIDENCE_REPLACED || v->hold != NULL;

		if (out || v->state == PLAN_STATE_JOINING)
			continue;
		n += v->desired->want != DESIRED_LEAVE && laws_takes_calls(v->actual) ? 1 : 0;
	}
	share = (n * percent + 99) / 100; /* at least: those that are down or unhealthy only add to it */
	return share > 0 ? share : 1;
}

static const char *
check_reported(const struct laws_round *r, const struct plan_backend *b, const struct plan_server *v)
{
	bool went = goes(r->plan, b->name, v->actual), released = is_released(r, b->name, v->actual);
	size_t others = count_staying(r, b, false);

	if (went && is_over_limit(r, b) && !released)
		return "more than removal_limit are reported, and one goes";
	if (went && others == 0 &&
	    !(released && (evidence_of(v) == EVIDENCE_UNEXPOSED || desired_find(r->desired, b->name)->conf->retired)))
		return "the last goes on what is only reported";
	if (!went && (!is_over_limit(r, b) || released) && others > 1 && !laws_is_paused(r, b->name))
		return "what is reported is within the limit, and held";
	return NULL;
}

static const char *
check_health(const struct laws_round *r, const struct plan_backend *b, const struct plan_server *v)
{
	if (goes(r->plan, b->name, v->actual) && count_staying(r, b, true) < count_needed(r, b))
		return "health takes more than its share, or the last";
	return NULL;
}

const char *
laws_check_soft(const struct laws_round *r)
{
	for (size_t i = 0; i < r->plan->n_backends; i++) {
		const struct plan_backend *b = &r->plan->backends[i];

		if (!b->exists)
			continue;
		for (size_t k = 0; k < b->n_servers; k++) {
			const struct plan_server *v = &b->servers[k];
			const char *broken = NULL;

			if (v->actual->admin != ACTUAL_READY || v->state == PLAN_STATE_JOINING || !is_soft_case(v))
				continue;
			if (is_reported(evidence_of(v)))
				broken = check_reported(r, b, v);
			else if (evidence_of(v) == EVIDENCE_UNHEALTHY)
				broken = check_health(r, b, v);
			if (broken != NULL)
				return broken;
		}
	}
	return NULL;
}

bool
laws_is_short(const struct laws_round *r, struct str backend)
{
	const struct plan_backend *b = plan_find(r->plan, backend);
	unsigned percent = desired_find(r->desired, backend)->conf->policy.outlier.panic_threshold_percent;
	size_t n = 0, up = 0, share;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *v = &b->servers[i];
		bool held = v->hold != NULL && v->hold->admin != OVERLAY_FREE;
		bool health = evidence_of(v) == EVIDENCE_UNHEALTHY;

		if (v->desired == NULL || evidence_of(v) == EVIDENCE_REPLACED || held ||
		    (v->desired->want == DESIRED_LEAVE && !health))
			continue;
		n++; /* at most: who joins does not count */
		up += laws_takes_calls(v->actual) ? 1 : 0;
	}
	share = (n * percent + 99) / 100;
	return up < (share > 0 ? share : 1);
}
