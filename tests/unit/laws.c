/*
 * The laws, as checks: see laws.h.
 *
 * Each check returns null or names the law that was broken.  They are slow and
 * plain: every question is answered by looking at everything.
 */
#include "config.h"

#include "laws.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

#define ROUNDS_MAX   60
#define QUIET_ROUNDS 8
#define ROUND_MS     INT64_C(10000)

struct round {
	const struct desired *desired;
	const struct actual *before;
	struct plan *plan;
	const struct plan_memory *memory;
	int64_t now_ms;
	struct laws_tally *tally;
};

/* ---- plain questions ---- */

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

static bool
same_place(struct str a, uint16_t port_a, struct str b, uint16_t port_b)
{
	unsigned char x[17], y[17];

	return port_a == port_b && bytes_of(a, x) && bytes_of(b, y) && memcmp(x, y, sizeof(x)) == 0;
}

static bool
is_at(const struct desired_server *d, const struct actual_server *s)
{
	return same_place(d->address, d->port, s->address, s->port);
}

static bool
is_newer(const struct roster_task *a, const struct roster_task *b)
{
	int64_t x = a->started_ms ? a->started_ms : a->created_ms, y = b->started_ms ? b->started_ms : b->created_ms;

	if (x != y)
		return x > y;
	if (a->created_ms != b->created_ms)
		return a->created_ms > b->created_ms;
	return str_cmp(a->arn, b->arn) > 0;
}

/* The candidate that a server at this place should stand for. */
static const struct desired_server *
best_at(const struct desired_backend *b, struct str address, uint16_t port)
{
	const struct desired_server *best = NULL;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *d = &b->servers[i];
		if (!same_place(d->address, d->port, address, port))
			continue;
		if (best == NULL || d->want < best->want || (d->want == best->want && is_newer(d->task, best->task)))
			best = d;
	}
	return best;
}

static const struct actual_server *
server_of(const struct actual *a, const struct plan_step *st)
{
	const struct actual_backend *b = actual_find(a, st->backend);

	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (str_eq(b->servers[i].name, st->server))
			return &b->servers[i];
	return NULL;
}

static bool
is_vacant_maint(const struct plan_step *st)
{
	return st->kind == PLAN_MAINT && st->is_vacant;
}

static bool
is_removal(const struct plan_step *st)
{
	return (st->kind == PLAN_MAINT || st->kind == PLAN_SHUTDOWN) && !is_vacant_maint(st);
}

static bool
has_step(const struct plan *p, struct str backend, struct str server, enum plan_step_kind kind)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == kind && str_eq(p->steps[i].backend, backend) &&
		    str_eq(p->steps[i].server, server))
			return true;
	return false;
}

/* ---- laws of desired ---- */

static bool
is_proven_of(const struct desired_backend *b, const struct desired_server *d)
{
	const struct roster_task *t = d->task;

	if (d->evidence != EVIDENCE_REPLACED)
		return t->desired_status == ROSTER_STOPPED || t->last_status >= ROSTER_DEACTIVATING;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct roster_task *o = b->servers[i].task;
		bool near =
		    (t->subnet.len > 0 && str_eq(t->subnet, o->subnet)) ||
		    (t->container_instance_arn.len > 0 && str_eq(t->container_instance_arn, o->container_instance_arn));

		if (near && !str_eq(o->arn, t->arn) && is_newer(o, t) && o->last_status == ROSTER_RUNNING &&
		    o->desired_status == ROSTER_RUNNING && o->missing < 2 &&
		    same_place(d->address, d->port, b->servers[i].address, b->servers[i].port))
			return true;
	}
	return false;
}

static const char *
check_name(struct str name)
{
	if (name.len > 100)
		return "a name is longer than 100";
	for (size_t i = 0; i < name.len; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-", name.ptr[i]) == NULL)
			return "a name holds what HAProxy does not allow";
	return NULL;
}

static const char *
check_candidate(const struct desired_backend *b, const struct desired_server *d)
{
	const struct roster_task *t = d->task;
	bool runs = t->last_status == ROSTER_RUNNING && t->desired_status == ROSTER_RUNNING;

	if (d->want == DESIRED_SERVE && (!runs || t->health == ROSTER_UNHEALTHY || !t->listed || t->missing > 0))
		return "a task serves that is not known to run well";
	if (d->want == DESIRED_SERVE && t->definition == NULL)
		return "a task serves whose definition is not known";
	if (evidence_is_proven(d->evidence) && !is_proven_of(b, d))
		return "what is called proven is not";
	if (d->want != DESIRED_LEAVE && d->evidence != EVIDENCE_RUNNING && d->evidence != EVIDENCE_NONE)
		return "evidence for leaving, but it stays";
	if (d->weight > 256 || (d->weight > 0 && d->want != DESIRED_SERVE))
		return "a weight out of range";
	return check_name(d->name);
}

static const char *
check_backend(const struct desired_backend *b)
{
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *d = &b->servers[i];
		const char *broken = check_candidate(b, d);

		if (broken != NULL)
			return broken;
		if (i > 0 && str_cmp(b->servers[i - 1].name, d->name) > 0)
			return "candidates are not sorted";
		for (size_t k = 0; k < i; k++)
			if (d->want == DESIRED_SERVE && b->servers[k].want == DESIRED_SERVE &&
			    same_place(d->address, d->port, b->servers[k].address, b->servers[k].port))
				return "two serve at one address";
	}
	return NULL;
}

static size_t
count_rows(const struct desired *d, const struct roster_cluster *c, const struct roster_task *t)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_endpoints; i++)
		n += d->endpoints[i].cluster == c && d->endpoints[i].task == t ? 1 : 0;
	return n;
}

static const char *
check_endpoints(const struct desired *d)
{
	for (size_t i = 0; i < d->n_endpoints; i++) {
		const struct desired_endpoint *ep = &d->endpoints[i];

		if (ep->exposed != (ep->reason == REASON_NONE) || ep->exposed != (ep->message.len == 0))
			return "an endpoint is exposed and has a reason, or neither";
		if (!str_is_printable(ep->message))
			return "a message is not printable";
	}
	for (size_t c = 0; c < d->roster->n_clusters; c++) {
		const struct roster_cluster *of = &d->roster->clusters[c];

		for (size_t i = 0; i < of->facts->n_tasks; i++) {
			const struct roster_task *t = &of->facts->tasks[i];
			size_t n, rows = count_rows(d, of, t);
			const struct desired_endpoint *first = desired_endpoints_of(d, t, &n);

			if (n != rows || n < t->n_containers || n == 0 || first->task != t)
				return "a task's endpoints are not found";
		}
	}
	return NULL;
}

static const char *
check_desired(const struct desired *d)
{
	for (size_t i = 0; i < d->n_backends; i++) {
		const char *broken = check_backend(&d->backends[i]);

		if (broken != NULL)
			return broken;
	}
	return check_endpoints(d);
}

/* ---- laws of a plan, before the guard ---- */

/* A second slot leaves only beside one that is no worse and stays. */
static bool
has_better_beside(const struct round *r, const struct plan_step *st, const struct actual_server *s)
{
	const struct actual_backend *b = actual_find(r->before, st->backend);

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct actual_server *o = &b->servers[i];

		if (o != s && o->is_slot && same_place(o->address, o->port, s->address, s->port) &&
		    !has_step(r->plan, st->backend, o->name, PLAN_MAINT) &&
		    (s->admin != ACTUAL_READY || o->admin == ACTUAL_READY) &&
		    (s->admin != ACTUAL_READY || !s->up || o->up))
			return true;
	}
	return false;
}

static bool
is_drained(const struct round *r, const struct plan_step *st, const struct desired_server *d)
{
	if (d->evidence == EVIDENCE_STOPPED || d->drain_timeout_ms == 0)
		return true;
	for (size_t i = 0; i < r->memory->n; i++) {
		const struct plan_memory_entry *m = &r->memory->entries[i];

		if (str_eq(m->backend, st->backend) && str_eq(m->server, st->server) &&
		    r->now_ms - m->drain_since_ms >= d->drain_timeout_ms)
			return true;
	}
	return false;
}

/* Does a task run at this place that the backend would take, if its port were known? */
static bool
has_shadow(const struct round *r, const struct plan_step *st, const struct actual_server *s)
{
	for (size_t i = 0; i < r->desired->n_endpoints; i++) {
		const struct desired_endpoint *ep = &r->desired->endpoints[i];

		if (!str_eq(ep->backend, st->backend) || ep->port != 0 || ep->task->last_status > ROSTER_RUNNING ||
		    (ep->task->last_status != ROSTER_RUNNING && ep->task->last_status != ROSTER_UNKNOWN) ||
		    ep->task->desired_status == ROSTER_STOPPED)
			continue;
		for (size_t k = 0; k < ep->task->n_containers; k++)
			if (str_eq(ep->task->containers[k].name, ep->container) &&
			    same_place(ep->task->containers[k].ipv4, 1, s->address, 1))
				return true;
	}
	return false;
}

static const char *
check_removal(const struct round *r, const struct plan_step *st, const struct actual_server *s)
{
	const struct desired_server *d = best_at(desired_find(r->desired, st->backend), s->address, s->port);

	if (d == NULL || st->why == NULL)
		return "a removal that no candidate explains";
	if (!is_at(st->why, s))
		return "a removal for a candidate elsewhere";
	if (st->kind == PLAN_MAINT && s->admin == ACTUAL_MAINT)
		return "maintenance of what is in maintenance";
	if (d->want != DESIRED_LEAVE && st->kind == PLAN_SHUTDOWN)
		return "streams are shut of a task that stays";
	if (d->want != DESIRED_LEAVE && (st->evidence != EVIDENCE_REPLACED || !has_better_beside(r, st, s)))
		return "a removal of what should stay";
	if (d->want == DESIRED_LEAVE && st->evidence != d->evidence)
		return "a removal on evidence that its candidate does not carry";
	if ((st->evidence == EVIDENCE_STOPPING || st->evidence == EVIDENCE_STOPPED) && has_shadow(r, st, s))
		return "a removal on the end of a task whose address another may have by now";
	if (st->kind == PLAN_SHUTDOWN && (s->admin != ACTUAL_MAINT || s->sessions == 0 || d->streams_run_on))
		return "streams are shut that are not there, or run on";
	if (st->kind == PLAN_SHUTDOWN && !is_drained(r, st, d))
		return "streams are shut before their time";
	return NULL;
}

static bool
is_in_maint(const struct round *r, size_t at, const struct actual_server *s)
{
	for (size_t i = 0; i < at; i++)
		if (is_vacant_maint(&r->plan->steps[i]) && server_of(r->before, &r->plan->steps[i]) == s)
			return s->address.len == 0;
	return s->admin == ACTUAL_MAINT;
}

static const char *
check_address(const struct round *r, size_t at, const struct actual_server *s)
{
	const struct plan_step *st = &r->plan->steps[at];
	const struct actual_backend *b = actual_find(r->before, st->backend);
	const struct desired_server *d = best_at(desired_find(r->desired, st->backend), s->address, s->port);

	if (s->sessions > 0 || !is_in_maint(r, at, s))
		return "an address for a slot that is in use";
	if (d != NULL && d->want != DESIRED_LEAVE && !has_better_beside(r, st, s))
		return "an address for a slot that its task still needs";
	if (st->why == NULL || st->why->want != DESIRED_SERVE ||
	    !same_place(st->why->address, st->why->port, st->address, st->port))
		return "an address that should not serve";
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].is_slot && is_at(st->why, &b->servers[i]))
			return "a second slot for one address";
	for (size_t i = 0; i < at; i++)
		if (r->plan->steps[i].kind == PLAN_ADDRESS && str_eq(r->plan->steps[i].backend, st->backend) &&
		    (r->plan->steps[i].why == st->why || str_eq(r->plan->steps[i].server, st->server)))
			return "two places for one, or one for two";
	return has_step(r->plan, st->backend, st->server, PLAN_JOIN) ? NULL : "an address, but it does not join";
}

static int
phase_of(const struct plan_step *st, const struct actual_server *s)
{
	switch (st->kind) {
	case PLAN_ADDRESS:
	case PLAN_JOIN:
		return 0;
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
		return s->admin == ACTUAL_READY && s->address.len > 0 ? 2 : 0;
	case PLAN_READY:
		return 1;
	case PLAN_MAINT:
		return st->is_vacant ? 0 : 3;
	case PLAN_SHUTDOWN:
		break;
	}
	return 4;
}

static const char *
check_step(const struct round *r, size_t at)
{
	const struct plan_step *st = &r->plan->steps[at];
	const struct actual_server *s = server_of(r->before, st);

	if (s == NULL || desired_find(r->desired, st->backend) == NULL || !actual_find(r->before, st->backend)->exists)
		return "a step for what is not there, or was not asked for";
	if (!s->is_ours || !s->is_slot)
		return "a step for a server that is not ours";
	if (at > 0 && phase_of(st, s) < phase_of(&st[-1], server_of(r->before, &st[-1])))
		return "steps out of order";
	if (st->kind == PLAN_ADDRESS)
		return check_address(r, at, s);
	if (is_vacant_maint(st) && (s->address.len > 0 || s->sessions > 0))
		return "a slot is called vacant that is not";
	if (st->kind == PLAN_READY &&
	    (s->admin != ACTUAL_DRAIN || s->check == ACTUAL_CHECK_PENDING || s->check == ACTUAL_CHECK_FAILED ||
		best_at(desired_find(r->desired, st->backend), s->address, s->port)->want != DESIRED_SERVE))
		return "ready before its check passed, or though it should not serve";
	return is_removal(st) ? check_removal(r, st, s) : NULL;
}

static const char *
check_views(const struct round *r)
{
	for (size_t i = 0; i < r->plan->n_backends; i++) {
		const struct plan_backend *b = &r->plan->backends[i];

		if (b->n_unplaced > 0 && b->n_free_slots > 0)
			return "no place for a task beside a free slot";
		for (size_t k = 0; k < b->n_servers; k++)
			if (!b->servers[k].actual->is_ours || b->servers[k].actual->address.len == 0)
				return "a server is shown that is none of ours";
		r->tally->unplaced += b->n_unplaced;
	}
	return NULL;
}

static const char *
check_plan(const struct round *r)
{
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		const char *broken = check_step(r, i);

		if (broken != NULL)
			return broken;
	}
	return check_views(r);
}

/* ---- laws of the guard ---- */

/* Is somebody about to serve in this backend, who does not yet? */
static bool
is_somebody_coming(const struct plan *asked, struct str backend)
{
	const struct plan_backend *b = plan_find(asked, backend);

	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].state == PLAN_STATE_JOINING)
			return true;
	for (size_t i = 0; i < asked->n_steps; i++)
		if (asked->steps[i].kind == PLAN_ADDRESS && str_eq(asked->steps[i].backend, backend))
			return true;
	return false;
}

static bool
may_wait(const struct plan *asked, const struct plan_step *st)
{
	return st->kind == PLAN_MAINT && st->evidence == EVIDENCE_STOPPING && is_somebody_coming(asked, st->backend);
}

static const char *
check_guard(const struct round *r, const struct plan *asked)
{
	size_t k = 0;

	for (size_t i = 0; i < asked->n_steps; i++) {
		const struct plan_step *st = &asked->steps[i];
		bool goes = k < r->plan->n_steps && memcmp(st, &r->plan->steps[k], sizeof(*st)) == 0;

		if (goes && is_removal(st) && !evidence_is_proven(st->evidence))
			return "a removal without proof";
		if (!goes && !is_removal(st))
			return "an addition was held";
		if (!goes && evidence_is_proven(st->evidence) && !may_wait(asked, st))
			return "a proven removal was held";
		k += goes ? 1 : 0;
	}
	if (k != r->plan->n_steps || r->plan->n_held != asked->n_steps - k)
		return "the guard made steps up, or lost some";
	return NULL;
}

/* ---- laws of what comes of it ---- */

/* Does somebody serve at this place? */
static bool
is_served(const struct actual_backend *b, struct str address, uint16_t port)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i].admin == ACTUAL_READY &&
		    same_place(b->servers[i].address, b->servers[i].port, address, port))
			return true;
	return false;
}

static const char *
check_kept(const struct round *r, const struct actual *after)
{
	for (size_t i = 0; i < r->before->n_backends; i++) {
		const struct actual_backend *b = &r->before->backends[i];
		const struct desired_backend *wanted = desired_find(r->desired, b->name);

		for (size_t k = 0; k < b->n_servers; k++) {
			const struct actual_server *s = &b->servers[k], *now = &after->backends[i].servers[k];
			const struct desired_server *d = wanted != NULL ? best_at(wanted, s->address, s->port) : NULL;

			if (s->admin != ACTUAL_READY || s->address.len == 0)
				continue;
			if (d == NULL && (now->admin != ACTUAL_READY || !str_eq(s->address, now->address)))
				return "what nothing explains was taken away";
			if (d != NULL && !evidence_is_proven(d->evidence) &&
			    !is_served(&after->backends[i], s->address, s->port))
				return "a place went out of service without proof";
		}
	}
	return NULL;
}

static const char *
check_served(const struct plan_backend *p, const struct actual_backend *b, const struct desired_server *d)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_unplaced; i++)
		n += p->unplaced[i] == d ? 1 : 0;
	for (size_t i = 0; b != NULL && b->exists && b->n_slots > 0 && i < b->n_servers; i++) {
		const struct actual_server *s = &b->servers[i];
		unsigned weight = b->small_weights && d->weight > 0 ? (d->weight * 16 + 128) / 256 : d->weight;

		if (!s->is_slot || !is_at(d, s) || s->admin == ACTUAL_MAINT)
			continue;
		n++;
		if (s->admin == ACTUAL_DRAIN && s->check != ACTUAL_CHECK_FAILED)
			return "in the end, a task does not serve";
		if (s->weight != (weight > 0 || d->weight == 0 ? weight : 1) ||
		    (d->maxconn > 0 && s->maxconn != d->maxconn))
			return "in the end, a weight or a limit is wrong";
	}
	return n == 1 ? NULL : "in the end, a task is not in exactly one place";
}

static const char *
check_end(const struct round *r)
{
	for (size_t i = 0; i < r->desired->n_backends; i++) {
		const struct desired_backend *d = &r->desired->backends[i];
		const struct actual_backend *b = actual_find(r->before, d->name);

		for (size_t k = 0; k < d->n_servers; k++) {
			const char *broken = NULL;

			if (d->servers[k].want == DESIRED_SERVE)
				broken = check_served(&r->plan->backends[i], b, &d->servers[k]);
			if (broken != NULL)
				return broken;
		}
		for (size_t k = 0; b != NULL && b->exists && k < b->n_servers; k++) {
			const struct desired_server *best = best_at(d, b->servers[k].address, b->servers[k].port);

			if (b->servers[k].is_slot && b->servers[k].admin == ACTUAL_READY && best != NULL &&
			    best->want == DESIRED_LEAVE && evidence_is_proven(best->evidence))
				return "in the end, a task that ended serves";
		}
	}
	return NULL;
}

/* ---- one round, and all of them ---- */

static void
count_steps(const struct round *r)
{
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		const struct plan_step *st = &r->plan->steps[i];

		r->tally->adds += st->kind == PLAN_ADDRESS ? 1 : 0;
		r->tally->removals += is_removal(st) ? 1 : 0;
		r->tally->shutdowns += st->kind == PLAN_SHUTDOWN ? 1 : 0;
		r->tally->replaced += is_removal(st) && st->evidence == EVIDENCE_REPLACED ? 1 : 0;
	}
	r->tally->held += r->plan->n_held;
	r->tally->rounds++;
}

static const char *
check_round(struct round *r, struct actual **ret_after)
{
	const struct plan_rules rules = { .now_ms = r->now_ms };
	const char *broken;
	struct plan asked;

	if (plan_diff(&rules, r->desired, r->before, r->memory, &r->plan, NULL) != ERR_OK)
		return "a plan could not be made";
	broken = check_plan(r);
	if (broken != NULL)
		return broken;
	asked = *r->plan;
	if (plan_guard(&rules, r->plan, NULL) != ERR_OK)
		return "a plan could not be guarded";
	broken = check_guard(r, &asked);
	if (broken != NULL)
		return broken;
	count_steps(r);
	if (plan_apply(r->plan, r->before, ret_after, NULL) != ERR_OK)
		return "HAProxy refuses a step";
	return check_kept(r, *ret_after);
}

/* A quiet round may wait for a check or a timeout; after so many nothing moves any
 * more, and every plan is empty. */
static const char *
check_settled(struct round *r, size_t *quiet)
{
	*quiet = r->plan->n_steps == 0 ? *quiet + 1 : 0;
	return *quiet == QUIET_ROUNDS ? check_end(r) : NULL;
}

static const char *
check_rounds(struct round *r, struct actual *actual)
{
	struct plan *last CLEANUP(plan_free_at) = NULL; /* owns the memory */
	struct actual *now CLEANUP(actual_free_at) = actual;
	const struct plan_memory none = { .n = 0 };
	size_t quiet = 0;

	r->memory = &none;
	for (size_t i = 0; i < ROUNDS_MAX && quiet < QUIET_ROUNDS; i++) {
		struct actual *after = NULL;
		const char *broken;

		r->before = now;
		r->plan = NULL;
		broken = check_round(r, &after);
		if (broken == NULL)
			broken = check_settled(r, &quiet);
		plan_free(last);
		last = r->plan;
		r->memory = last != NULL ? &last->memory : &none;
		if (after != NULL) {
			actual_free(now);
			now = after;
		}
		if (broken != NULL)
			return broken;
		r->now_ms += ROUND_MS;
	}
	return quiet >= QUIET_ROUNDS ? NULL : "it never comes to rest";
}

/* A copy for the rounds to own. */
static struct actual *
start_from(struct world *w)
{
	const struct plan nothing = { .n_steps = 0 };
	struct actual *copy = NULL;
	enum err_code code = plan_apply(&nothing, world_actual(w), &copy, NULL);

	assert(code == ERR_OK);
	(void)code;
	return copy;
}

const char *
laws_check(struct world *w, struct laws_tally *tally)
{
	struct round r = { .desired = world_desired(w), .tally = tally };
	const char *broken = check_desired(r.desired);

	tally->worlds++;
	return broken != NULL ? broken : check_rounds(&r, start_from(w));
}
