/*
 * One backend with slots, one stage further: see plan_slots.h.
 *
 * A slot enters as MAINT, gets address and weight, joins (state drain: HAProxy
 * checks it, no call goes there) and is ready once its check passed.  It leaves by
 * MAINT, which keeps what is in flight; its streams are shut when the task has
 * stopped or the drain timeout is over; without sessions it is free.  A slot is
 * never given an address while it has sessions: HAProxy 2.6 would send new calls
 * to the old one (facts/haproxy.md, section 3).
 */
#include "config.h"

#include "plan/plan_slots.h"

#include <stdlib.h>

#include "plan/plan_bind.h"
#include "plan/weights.h"

#define SMALL_WEIGHT_MAX 16u

/* What is at hand while one backend is planned. */
struct pass {
	struct plan_draft *draft;
	const struct desired_backend *desired;
	const struct actual_backend *actual;
	struct plan_binding bound;
	struct plan_slot **free_slots; /* best first */
	size_t n_free, n_taken;
};

/* ---- steps ---- */

static struct plan_step
step_on(const struct pass *p, enum plan_step_kind kind, const struct actual_server *s, const struct desired_server *why)
{
	return (struct plan_step){
		.kind = kind,
		.backend = p->desired->name,
		.server = s->name,
		.evidence = why->evidence,
		.why = why,
	};
}

static void
add(struct pass *p, enum plan_phase phase, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why)
{
	plan_draft_step(p->draft, phase, step_on(p, kind, s, why));
}

static void
add_value(struct pass *p, enum plan_phase phase, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why, unsigned value)
{
	struct plan_step step = step_on(p, kind, s, why);

	step.value = value;
	plan_draft_step(p->draft, phase, step);
}

static void
add_removal(struct pass *p, enum plan_phase phase, enum plan_step_kind kind, const struct plan_slot *slot)
{
	struct plan_step step = step_on(p, kind, slot->server, slot->stands_for);

	if (slot->is_second)
		step.evidence = EVIDENCE_REPLACED;
	step.takes_calls = kind == PLAN_MAINT && slot->server->admin == ACTUAL_READY && slot->server->up;
	plan_draft_step(p->draft, phase, step);
}

/* Candidates are scaled to 256; where each point costs, to 16. */
static unsigned
weight_for(const struct pass *p, const struct desired_server *d)
{
	unsigned pair[2] = { d->weight, DESIRED_WEIGHT_MAX };

	if (!p->actual->small_weights)
		return d->weight;
	weights_scale(pair, 2, SMALL_WEIGHT_MAX);
	return pair[0];
}

/* ---- slots that stand for a candidate ---- */

static bool
is_leaving(const struct plan_slot *slot)
{
	return slot->stands_for != NULL && (slot->is_second || slot->stands_for->want == DESIRED_LEAVE);
}

/* Holds its slot, even if nothing runs there at the moment. */
static bool
is_staying(const struct plan_slot *slot)
{
	return slot->stands_for != NULL && !is_leaving(slot);
}

/* A server that enters is told everything: what its slot had before is another task's. */
static void
join(struct pass *p, const struct actual_server *s, const struct desired_server *d)
{
	add_value(p, PLAN_PHASE_ENTER, PLAN_WEIGHT, s, d, weight_for(p, d));
	if (d->maxconn != 0)
		add_value(p, PLAN_PHASE_ENTER, PLAN_MAXCONN, s, d, d->maxconn);
	add(p, PLAN_PHASE_ENTER, PLAN_JOIN, s, d);
}

static void
tune(struct pass *p, enum plan_phase phase, const struct actual_server *s, const struct desired_server *d)
{
	unsigned weight = weight_for(p, d);

	if (s->weight != weight)
		add_value(p, phase, PLAN_WEIGHT, s, d, weight);
	if (d->maxconn != 0 && s->maxconn != d->maxconn)
		add_value(p, phase, PLAN_MAXCONN, s, d, d->maxconn);
}

static void
serve(struct pass *p, const struct actual_server *s, const struct desired_server *d)
{
	switch (s->admin) {
	case ACTUAL_READY:
		tune(p, PLAN_PHASE_TUNE, s, d);
		break;
	case ACTUAL_DRAIN:
		tune(p, PLAN_PHASE_ENTER, s, d);
		if (s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED)
			add(p, PLAN_PHASE_READY, PLAN_READY, s, d);
		break;
	case ACTUAL_MAINT:
		join(p, s, d);
		break;
	}
}

static int64_t
later(int64_t at_ms, int64_t by_ms)
{
	if (by_ms <= 0)
		return at_ms;
	return at_ms > INT64_MAX - by_ms ? INT64_MAX : at_ms + by_ms;
}

/* When the streams of a slot in maintenance may be shut, as far as the drain goes. */
static int64_t
drained_at(const struct desired_server *d, const struct plan_memory_entry *m)
{
	if (d->evidence == EVIDENCE_STOPPED)
		return m->drain_since_ms; /* nobody is there to end them */
	return later(m->drain_since_ms, d->drain_timeout_ms);
}

static void
shut_when_due(struct pass *p, const struct plan_slot *slot)
{
	struct plan_memory_entry m = plan_draft_recall(p->draft, p->desired->name, slot->server);
	int64_t due_ms = drained_at(slot->stands_for, &m), now_ms = p->draft->now_ms;

	if (m.was_shut && later(m.shut_ms, PLAN_SHUTDOWN_REPEAT_MS) > due_ms)
		due_ms = later(m.shut_ms, PLAN_SHUTDOWN_REPEAT_MS);
	if (due_ms <= now_ms) {
		add_removal(p, PLAN_PHASE_SHUTDOWN, PLAN_SHUTDOWN, slot);
		m.was_shut = true;
		m.shut_ms = now_ms;
		due_ms = later(now_ms, PLAN_SHUTDOWN_REPEAT_MS);
	}
	plan_draft_remember(p->draft, m);
	plan_draft_wake(p->draft, due_ms);
}

/* Streams of a second slot run to a task that stays. */
static bool
may_shut(const struct plan_slot *slot)
{
	return !slot->is_second && !slot->stands_for->streams_run_on;
}

static void
leave(struct pass *p, const struct plan_slot *slot)
{
	if (slot->server->admin != ACTUAL_MAINT)
		add_removal(p, PLAN_PHASE_MAINT, PLAN_MAINT, slot);
	else if (slot->server->sessions > 0 && may_shut(slot))
		shut_when_due(p, slot);
}

static void
decide(struct pass *p, const struct plan_slot *slot)
{
	if (is_leaving(slot))
		leave(p, slot);
	else if (is_staying(slot) && slot->stands_for->want == DESIRED_SERVE)
		serve(p, slot->server, slot->stands_for);
}

/* ---- free slots ---- */

static bool
has_address(const struct plan_slot *slot)
{
	return slot->server->address.len > 0;
}

/* A check that is still under way was begun to the old address, but its result
 * would be taken for the next one's: such a slot waits.
 *
 * A slot out of maintenance is free only if it never had an address: it must go
 * to maintenance first, and takes nobody's calls away by that. */
static bool
is_free(const struct plan_slot *slot)
{
	if (slot->server->sessions > 0 || slot->server->check_running || is_staying(slot))
		return false;
	return slot->server->admin == ACTUAL_MAINT || !has_address(slot);
}

static int
cost(const struct plan_slot *slot)
{
	if (slot->server->admin != ACTUAL_MAINT)
		return 2;
	return has_address(slot) ? 1 : 0;
}

/* Pointers into one array, which is by number. */
static int
by_cost(const void *a, const void *b)
{
	const struct plan_slot *x = *(struct plan_slot *const *)a, *y = *(struct plan_slot *const *)b;
	int order = cost(x) - cost(y);

	return order != 0 ? order : (x > y) - (x < y);
}

static bool
list_free(struct pass *p)
{
	p->free_slots = ARENA_ARRAY(p->draft->scratch, struct plan_slot *, p->bound.n_slots);
	if (p->free_slots == NULL)
		return false;
	for (size_t i = 0; i < p->bound.n_slots; i++)
		if (is_free(&p->bound.slots[i]))
			p->free_slots[p->n_free++] = &p->bound.slots[i];
	if (p->n_free > 0)
		qsort(p->free_slots, p->n_free, sizeof(struct plan_slot *), by_cost);
	return true;
}

static void
close_vacant(struct pass *p, const struct plan_slot *slot)
{
	const struct plan_step maint = {
		.kind = PLAN_MAINT,
		.backend = p->desired->name,
		.server = slot->server->name,
		.is_vacant = true,
	};

	if (slot->server->admin != ACTUAL_MAINT)
		plan_draft_step(p->draft, PLAN_PHASE_ENTER, maint);
}

/* A slot without an address that is out of maintenance (`disabled` was forgotten, or
 * a command meant for the process before this one came late) would take calls, and
 * fail each of them. */
static void
close_rest(struct pass *p)
{
	for (size_t i = p->n_taken; i < p->n_free; i++)
		close_vacant(p, p->free_slots[i]);
}

static void
enter(struct pass *p, const struct plan_slot *slot, const struct desired_server *d)
{
	struct plan_step address = step_on(p, PLAN_ADDRESS, slot->server, d);

	close_vacant(p, slot);
	address.address = d->address;
	address.port = d->port;
	plan_draft_step(p->draft, PLAN_PHASE_ENTER, address);
	join(p, slot->server, d);
}

static bool
place(struct pass *p, struct plan_backend *ret)
{
	const struct desired_server **unplaced =
	    ARENA_ARRAY(p->draft->arena, const struct desired_server *, p->desired->n_serve);

	if (unplaced == NULL)
		return false;
	for (size_t i = 0; i < p->desired->n_servers; i++) {
		const struct desired_server *d = &p->desired->servers[i];

		if (d->want != DESIRED_SERVE || p->bound.is_held[i])
			continue;
		if (p->n_taken < p->n_free)
			enter(p, p->free_slots[p->n_taken++], d);
		else
			unplaced[ret->n_unplaced++] = d;
	}
	close_rest(p);
	ret->unplaced = unplaced;
	ret->n_free_slots = p->n_free - p->n_taken;
	return true;
}

/* ---- what views show ---- */

static enum plan_state
state_of(const struct plan_slot *slot)
{
	const struct actual_server *s = slot->server;
	bool serves = is_staying(slot) && slot->stands_for->want == DESIRED_SERVE;

	switch (s->admin) {
	case ACTUAL_READY:
		return s->up ? PLAN_STATE_UP : PLAN_STATE_DOWN;
	case ACTUAL_DRAIN:
		return is_staying(slot) ? PLAN_STATE_JOINING : PLAN_STATE_DRAINING;
	case ACTUAL_MAINT:
		break;
	}
	return serves ? PLAN_STATE_JOINING : PLAN_STATE_DRAINING;
}

static enum evidence
evidence_of(const struct plan_slot *slot)
{
	if (slot->stands_for == NULL)
		return EVIDENCE_NONE;
	return slot->is_second ? EVIDENCE_REPLACED : slot->stands_for->evidence;
}

static bool
show(const struct pass *p, struct plan_backend *ret)
{
	struct plan_server *servers = ARENA_ARRAY(p->draft->arena, struct plan_server, p->bound.n_slots);

	if (servers == NULL)
		return false;
	for (size_t i = 0; i < p->bound.n_slots; i++) {
		const struct plan_slot *slot = &p->bound.slots[i];
		struct plan_server *v = &servers[ret->n_servers];

		if (!has_address(slot) || is_free(slot))
			continue;
		*v = (struct plan_server){
			.backend = p->desired->name,
			.actual = slot->server,
			.desired = slot->stands_for,
			.state = state_of(slot),
			.evidence = evidence_of(slot),
		};
		ret->n_joining += v->state == PLAN_STATE_JOINING ? 1 : 0;
		ret->n_draining += v->state == PLAN_STATE_DRAINING && slot->server->sessions > 0 ? 1 : 0;
		ret->n_servers++;
	}
	ret->servers = servers;
	return true;
}

bool
plan_slots(struct plan_draft *d, const struct desired_backend *desired, const struct actual_backend *actual,
    struct plan_backend *ret)
{
	struct pass p = { .draft = d, .desired = desired, .actual = actual };

	if (!plan_bind(d->scratch, desired, actual, &p.bound) || !list_free(&p) || !place(&p, ret))
		return false;
	for (size_t i = 0; i < p.bound.n_slots; i++)
		decide(&p, &p.bound.slots[i]);
	return show(&p, ret);
}
