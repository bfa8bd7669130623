/* Should a task serve: see desired_verdict.h. */
#include "config.h"

#include "plan/desired_verdict.h"

#include "base/arena_say.h"

/* Complete sweeps in a row that must call a task MISSING before it is reported so. */
#define MISSING_ENOUGH 2

static bool
has_stopped(const struct roster_task *t)
{
	switch (t->last_status) {
	case ROSTER_DEPROVISIONING:
	case ROSTER_STOPPED:
	case ROSTER_DELETED:
		return true;
	case ROSTER_UNKNOWN:
	case ROSTER_PROVISIONING:
	case ROSTER_PENDING:
	case ROSTER_ACTIVATING:
	case ROSTER_RUNNING:
	case ROSTER_DEACTIVATING:
	case ROSTER_STOPPING:
		break;
	}
	return false;
}

static bool
is_stopping(const struct roster_task *t)
{
	return t->desired_status == ROSTER_STOPPED || t->last_status == ROSTER_DEACTIVATING ||
	       t->last_status == ROSTER_STOPPING;
}

static bool
is_on_its_way(const struct roster_task *t)
{
	return t->last_status == ROSTER_PROVISIONING || t->last_status == ROSTER_PENDING ||
	       t->last_status == ROSTER_ACTIVATING;
}

static bool
is_running(const struct roster_task *t)
{
	return t->last_status == ROSTER_RUNNING && t->desired_status == ROSTER_RUNNING;
}

bool
desired_verdict_is_over(const struct roster_task *t)
{
	return has_stopped(t) || is_stopping(t);
}

bool
desired_verdict_is_holder(const struct roster_task *t)
{
	return is_running(t) && t->missing < MISSING_ENOUGH;
}

static struct desired_verdict
leave(enum evidence ev, enum reason reason)
{
	return (
	    struct desired_verdict){ .is_candidate = true, .want = DESIRED_LEAVE, .evidence = ev, .reason = reason };
}

static struct desired_verdict
keep(enum evidence ev, enum reason reason)
{
	return (struct desired_verdict){ .is_candidate = true, .want = DESIRED_KEEP, .evidence = ev, .reason = reason };
}

struct desired_verdict
desired_verdict_of(const struct roster_task *t, bool require_healthy)
{
	if (has_stopped(t))
		return leave(EVIDENCE_STOPPED, REASON_STOPPING);
	if (is_stopping(t))
		return leave(EVIDENCE_STOPPING, REASON_STOPPING);
	if (is_on_its_way(t))
		return (struct desired_verdict){ .is_candidate = false, .reason = REASON_NOT_RUNNING };
	if (t->missing >= MISSING_ENOUGH)
		return leave(EVIDENCE_MISSING, REASON_NOT_RUNNING);
	if (!is_running(t))
		return keep(EVIDENCE_NONE, REASON_NOT_RUNNING);
	if (t->health == ROSTER_UNHEALTHY)
		return leave(EVIDENCE_UNHEALTHY, REASON_UNHEALTHY);
	if (require_healthy && t->health != ROSTER_HEALTHY)
		return keep(EVIDENCE_RUNNING, REASON_UNHEALTHY);
	/* What an answer called running stays; it enters while the list has it, too, or as long as
	 * no list could be read since an earlier run had it. */
	if ((!t->listed && !t->is_remembered) || t->missing > 0)
		return keep(EVIDENCE_RUNNING, REASON_NONE);
	return (struct desired_verdict){ .is_candidate = true, .want = DESIRED_SERVE, .evidence = EVIDENCE_RUNNING };
}

/* The same address in another network (two clusters with overlapping address plans)
 * proves nothing: a server there stays, but only the newest task enters. */
struct desired_verdict
desired_verdict_replaced(struct desired_verdict v, bool is_proof)
{
	if (is_proof)
		return leave(EVIDENCE_REPLACED, REASON_NOT_RUNNING);
	if (v.want == DESIRED_SERVE)
		return keep(EVIDENCE_RUNNING, REASON_NOT_RUNNING);
	return v;
}

static bool
say_stopping(struct arena *a, const struct roster_task *t, struct str *ret)
{
	const char *status = roster_status_name(t->last_status);
	struct str why = t->stopped_reason.len > 0 ? t->stopped_reason : t->stop_code;

	if (t->last_status == ROSTER_RUNNING && why.len == 0)
		return arena_say(a, ret, "ECS is stopping the task, which is RUNNING still");
	if (t->last_status == ROSTER_RUNNING)
		return arena_say(a, ret, "ECS is stopping the task, which is RUNNING still: " STR_FMT, STR_ARG(why));
	if (why.len == 0)
		return arena_say(a, ret, "the task is %s", status);
	return arena_say(a, ret, "the task is %s: " STR_FMT, status, STR_ARG(why));
}

static bool
say_not_running(struct arena *a, const struct roster_task *t, struct desired_verdict v, struct str *ret)
{
	if (v.evidence == EVIDENCE_MISSING)
		return arena_say(a, ret, "AWS calls the task MISSING, %u times in a row", t->missing);
	if (is_on_its_way(t))
		return arena_say(
		    a, ret, "the task is %s: it enters once it is RUNNING", roster_status_name(t->last_status));
	return arena_say(a, ret, "AWS calls the task %s, and wants it %s: what serves stays, but it does not enter",
	    roster_status_name(t->last_status), roster_status_name(t->desired_status));
}

static bool
say_unhealthy(struct arena *a, const struct roster_task *t, struct str *ret)
{
	if (t->health == ROSTER_UNHEALTHY)
		return arena_say(a, ret, "ECS calls the task UNHEALTHY: see its containers' health checks");
	return arena_say(a, ret,
	    "ECS has not called the task HEALTHY (it is %s), which require_healthy of its source asks for: "
	    "what serves stays, but it does not enter",
	    roster_health_name(t->health));
}

bool
desired_verdict_say(struct arena *a, const struct roster_task *t, struct desired_verdict v,
    const struct roster_task *by, struct str *ret)
{
	if (by != NULL)
		return arena_say(a, ret, "its address and port are now those of task " STR_FMT, STR_ARG(by->id));
	if (v.reason == REASON_STOPPING)
		return say_stopping(a, t, ret);
	if (v.reason == REASON_UNHEALTHY)
		return say_unhealthy(a, t, ret);
	return say_not_running(a, t, v, ret);
}
