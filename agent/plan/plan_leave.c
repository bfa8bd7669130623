/*
 * Leaving: see plan_leave.h.
 *
 * A server leaves by MAINT, which keeps what is in flight; its streams are shut when
 * the task has stopped or the drain timeout is over; without streams a slot is free,
 * and one with a name is deleted.  HAProxy may still refuse that for a moment (idle
 * connections are closed asynchronously): it is asked again by the next pass.
 */
#include "config.h"

#include "plan/plan_leave.h"

#include "base/arena_say.h"
#include "plan/desired_verdict.h"

/* How long a server that takes calls waits at least until others do, and how long the
 * streams of a task that is forgotten may run: what ECS gives a task by default. */
#define DEFAULT_MS INT64_C(30000)
/* And at most, however long its streams may run. */
#define WAIT_MAX_MS INT64_C(300000)

/* Why a server goes, and what may be done to it. */
struct removal {
	enum evidence evidence;
	const struct desired_server *why; /* null: forgotten */
	const struct roster_task *task;   /* forgotten, but this is known; null: not even that */
	bool is_respec, is_begun, is_orphan;
	bool may_shut;   /* else its streams run on, to a task that stays */
	bool may_return; /* only taken out of service: its streams and its place stay */
	int64_t drain_ms;
};

static int64_t
later(int64_t at_ms, int64_t by_ms)
{
	if (by_ms <= 0)
		return at_ms;
	return at_ms > INT64_MAX - by_ms ? INT64_MAX : at_ms + by_ms;
}

static struct plan_step
removal_step(const struct plan_pass *p, enum plan_step_kind kind, const struct plan_bound *s, const struct removal *r)
{
	struct plan_step step = plan_pass_step(p, kind, s->server, r->why);

	step.actual = s->server;
	step.evidence = r->evidence;
	step.is_respec = r->is_respec;
	step.is_begun = r->is_begun;
	step.is_orphan = r->is_orphan;
	step.task = r->task;
	step.takes_calls = kind == PLAN_MAINT && plan_pass_takes_calls(s);
	return step;
}

/* ---- out of service ---- */

/* The guard may keep one that still takes calls until others do: for so long. */
static bool
has_waited(struct plan_pass *p, const struct plan_bound *s, const struct removal *r)
{
	struct plan_memory_entry m = plan_draft_recall(p->draft, p->desired->name, s->server);
	int64_t wait_ms = r->drain_ms > DEFAULT_MS ? r->drain_ms : DEFAULT_MS;
	int64_t due_ms = later(m.drain_since_ms, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);

	plan_draft_remember(p->draft, m);
	if (due_ms <= p->draft->rules->now_ms)
		return true;
	plan_draft_wake(p->draft, due_ms);
	return false;
}

static void
take_out(struct plan_pass *p, const struct plan_bound *s, const struct removal *r)
{
	struct plan_step step = removal_step(p, PLAN_MAINT, s, r);
	bool may_wait = r->evidence == EVIDENCE_STOPPING || r->evidence == EVIDENCE_REPLACED;

	if (step.takes_calls && may_wait && !r->is_respec)
		step.is_overdue = has_waited(p, s, r);
	(void)plan_pass_emit(p, PLAN_PHASE_MAINT, step);
}

/* ---- streams ---- */

static void
shut_when_due(struct plan_pass *p, const struct plan_bound *s, const struct removal *r)
{
	struct plan_memory_entry m = plan_draft_recall(p->draft, p->desired->name, s->server);
	int64_t now_ms = p->draft->rules->now_ms, due_ms = m.drain_since_ms;

	if (r->evidence != EVIDENCE_STOPPED) /* else nobody is there to end them */
		due_ms = later(due_ms, r->drain_ms);
	if (m.was_shut && later(m.shut_ms, PLAN_SHUTDOWN_REPEAT_MS) > due_ms)
		due_ms = later(m.shut_ms, PLAN_SHUTDOWN_REPEAT_MS);
	if (due_ms <= now_ms && plan_pass_emit(p, PLAN_PHASE_SHUTDOWN, removal_step(p, PLAN_SHUTDOWN, s, r))) {
		m.was_shut = true;
		m.shut_ms = now_ms;
		due_ms = later(now_ms, PLAN_SHUTDOWN_REPEAT_MS);
	}
	plan_draft_remember(p->draft, m);
	if (due_ms > now_ms) /* else it is due, but must not be done now */
		plan_draft_wake(p->draft, due_ms);
}

static void
empty(struct plan_pass *p, const struct plan_bound *s, const struct removal *r)
{
	if (s->server->sessions > 0 && r->may_shut)
		shut_when_due(p, s, r);
	else if (s->server->sessions == 0 && s->server->queued == 0 && !s->server->is_slot)
		(void)plan_pass_emit(p, PLAN_PHASE_DELETE, removal_step(p, PLAN_DELETE, s, r));
}

static void
remove_by(struct plan_pass *p, const struct plan_bound *s, const struct removal *r)
{
	if (s->server->admin != ACTUAL_MAINT)
		take_out(p, s, r);
	else if (!r->may_return)
		empty(p, s, r);
}

/* ---- for good ---- */

void
plan_leave(struct plan_pass *p, const struct plan_bound *s)
{
	bool runs_on = (s->is_second && !s->is_moved) || s->is_replaced || s->stands_for->streams_run_on;
	const struct removal r = {
		.evidence = plan_pass_evidence(s),
		.why = s->stands_for,
		.may_shut = !runs_on,
		.may_return = plan_pass_evidence(s) == EVIDENCE_UNHEALTHY,
		.drain_ms = s->stands_for->drain_timeout_ms,
	};

	remove_by(p, s, &r);
}

/* What was asked and seen, and is not so any more, is someone else's hand. */
static enum evidence
begun_on(const struct plan_bound *s)
{
	const struct applied_server *known = s->applied;

	if (known->intent != APPLIED_DRAINING || !evidence_is_proven(known->evidence))
		return EVIDENCE_NONE;
	return s->server->admin == ACTUAL_MAINT || !known->is_confirmed ? known->evidence : EVIDENCE_NONE;
}

enum evidence
plan_leave_unknown_evidence(const struct plan_pass *p, const struct plan_bound *s)
{
	const struct roster_task *task;
	enum evidence begun;

	if (s->stands_for != NULL || s->applied == NULL)
		return EVIDENCE_NONE;
	begun = begun_on(s);
	if (begun != EVIDENCE_NONE || s->applied->task_arn.len == 0)
		return begun;
	task = roster_find(p->draft->roster, s->applied->task_arn, NULL);
	return task != NULL && desired_verdict_is_over(task) ? desired_verdict_of(task, false).evidence : EVIDENCE_NONE;
}

static bool
was_renewing(const struct plan_bound *s)
{
	const struct applied_server *known = s->applied;

	return known != NULL && known->intent == APPLIED_RENEWING && s->server->admin == ACTUAL_MAINT;
}

/* How long its streams have, as far as the configuration says so without its task. */
static int64_t
drain_ms_of(const struct plan_pass *p)
{
	int64_t ms = p->desired->conf->policy.drain_timeout_ms;

	return ms != CONF_DRAIN_AUTO ? ms : DEFAULT_MS;
}

static void
leave_orphan(struct plan_pass *p, const struct plan_bound *s)
{
	const struct removal r = {
		.evidence = s->orphan_evidence,
		.task = s->orphan_task,
		.is_orphan = true,
		.may_shut = s->orphan_evidence != EVIDENCE_REPLACED,
		.drain_ms = drain_ms_of(p),
	};

	remove_by(p, s, &r);
}

/* A daemon was killed between two commands, and came back to a roster without the
 * task.  A renewal that cannot end so is ended as far as it harms nobody: the server
 * takes no calls and has no streams, and its name is in the way of the new one. */
void
plan_leave_unknown(struct plan_pass *p, const struct plan_bound *s)
{
	struct removal r = { .evidence = plan_leave_unknown_evidence(p, s), .drain_ms = DEFAULT_MS };

	if (r.evidence != EVIDENCE_NONE) {
		r.is_begun = true;
		r.may_shut = r.evidence != EVIDENCE_REPLACED;
		remove_by(p, s, &r);
	} else if (was_renewing(s)) {
		r.is_respec = true;
		empty(p, s, &r);
	} else if (s->orphan_evidence != EVIDENCE_NONE) {
		leave_orphan(p, s);
	}
}

/* ---- to come back ---- */

static void
say_kept(struct plan_pass *p, const struct plan_bound *s)
{
	struct plan_held held = {
		.backend = p->desired->name, .server = s->server->name, .evidence = s->stands_for->evidence
	};

	if (arena_say(p->draft->arena, &held.message,
		"task " STR_FMT " has other settings now; kept as it is until another one serves",
		STR_ARG(s->stands_for->task->id)))
		plan_draft_hold(p->draft, held);
}

/* One at a time, and never the last one. */
static bool
may_begin(const struct plan_pass *p)
{
	return p->n_up >= 2 && p->n_joining == 0 && p->n_renewing == 0;
}

bool
plan_leave_renew(struct plan_pass *p, const struct plan_bound *s)
{
	const struct removal r = {
		.evidence = s->stands_for->evidence,
		.why = s->stands_for,
		.is_respec = true,
		.may_shut = true,
		.drain_ms = s->stands_for->drain_timeout_ms,
	};

	if (plan_pass_takes_calls(s) && !may_begin(p)) {
		if (p->n_up < 2)
			say_kept(p, s);
		return false;
	}
	if (plan_pass_takes_calls(s)) {
		p->n_renewing++;
		p->n_up--;
	}
	remove_by(p, s, &r);
	return true;
}
