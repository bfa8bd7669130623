/* The servers of one backend, one stage further: see plan_servers.h. */
#include "config.h"

#include "plan/plan_servers.h"

#include "plan/plan_eject.h"
#include "plan/plan_enter.h"
#include "plan/plan_health.h"
#include "plan/plan_leave.h"

/* ---- how the backend stands ---- */

/* Not one that this very plan gives no weight any more. */
static bool
goes_on_taking_calls(const struct plan_pass *p, const struct plan_bound *s)
{
	const struct overlay_hold *h = plan_pass_hold(p, s);
	const bool is_weighed = s->stands_for->want == DESIRED_SERVE || (h != NULL && h->has_weight);

	return plan_pass_takes_calls(s) && (!is_weighed || plan_pass_weight(p, s->stands_for, h) > 0);
}

static void
count(struct plan_pass *p)
{
	for (size_t i = 0; i < p->bound.n_servers; i++) {
		const struct plan_bound *s = &p->bound.servers[i];

		if (!plan_pass_is_staying(s) || plan_pass_held_admin(plan_pass_hold(p, s)) != OVERLAY_FREE)
			continue;
		if (plan_pass_takes_calls(s))
			p->n_up += goes_on_taking_calls(p, s) ? 1 : 0;
		else if (plan_pass_renews(p, s))
			p->n_renewing++;
		else if (plan_pass_should_serve(s) && plan_pass_is_joining(p, s) &&
			 s->server->check != ACTUAL_CHECK_FAILED)
			p->n_joining++;
	}
}

/* ---- what becomes of each ---- */

/* The operator's hand, as far as it takes calls away. */
static void
obey(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	enum overlay_admin held = plan_pass_held_admin(h);
	struct plan_step step =
	    plan_pass_step(p, held == OVERLAY_DRAIN ? PLAN_DRAIN : PLAN_MAINT, s->server, s->stands_for);

	step.by_operator = true;
	step.takes_calls = plan_pass_takes_calls(s);
	if ((held == OVERLAY_DRAIN && s->server->admin == ACTUAL_READY) ||
	    (held == OVERLAY_MAINT && s->server->admin != ACTUAL_MAINT))
		(void)plan_pass_emit(p, PLAN_PHASE_MAINT, step);
}

/* Neither enters nor leaves by itself. */
static void
keep(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	if (h == NULL)
		return;
	plan_pass_tune(p, PLAN_PHASE_TUNE, s->server, s->stands_for, h);
	obey(p, s, h);
}

static void
serve(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	if (plan_pass_renews(p, s) && plan_leave_renew(p, s))
		return;
	plan_enter_go_on(p, s);
	obey(p, s, h);
}

/* What evidence does not carry stays, and the hand on its weight with it. */
static void
leave(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	plan_leave(p, s);
	keep(p, s, h);
}

static void
take_out_for_health(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	plan_health(p, s);
	keep(p, s, h);
}

/* Begun by a plan that was cut off. */
static bool
is_coming_back(const struct plan_pass *p, const struct plan_bound *s)
{
	return s->server->admin != ACTUAL_READY && !s->is_second && !s->is_replaced && !s->is_moved &&
	       plan_pass_comes_back(p, s->stands_for);
}

static void
decide(struct plan_pass *p, const struct plan_bound *s)
{
	const struct overlay_hold *h = plan_pass_hold(p, s);

	if (s->stands_for == NULL)
		plan_leave_unknown(p, s);
	else if (is_coming_back(p, s))
		serve(p, s, h);
	else if (plan_health_is_case(p, s))
		take_out_for_health(p, s, h);
	else if (plan_pass_is_leaving(s) && plan_pass_held_admin(h) == OVERLAY_FREE)
		leave(p, s, h);
	else if (plan_pass_should_serve(s))
		serve(p, s, h);
	else
		keep(p, s, h);
}

/* ---- what views show ---- */

static enum plan_state
state_of(const struct plan_pass *p, const struct plan_bound *s)
{
	if (plan_pass_is_joining(p, s))
		return PLAN_STATE_JOINING;
	if (s->server->agent_down && s->server->admin == ACTUAL_READY)
		return PLAN_STATE_EJECTED;
	if (s->server->admin != ACTUAL_READY)
		return PLAN_STATE_DRAINING;
	return s->server->up ? PLAN_STATE_UP : PLAN_STATE_DOWN;
}

static void
show(const struct plan_pass *p, const struct plan_bound *s, struct plan_server *ret, struct plan_backend *b)
{
	const struct overlay_hold *h = plan_pass_hold(p, s);
	enum plan_state state = state_of(p, s);
	bool is_joining = state == PLAN_STATE_JOINING && plan_pass_held_admin(h) == OVERLAY_FREE;

	*ret = (struct plan_server){
		.backend = p->desired->name,
		.actual = s->server,
		.desired = s->stands_for,
		.state = h != NULL ? PLAN_STATE_HELD : state,
		.hold = h,
		.is_joining = is_joining,
		.is_stale = plan_pass_is_stale(p, s),
		.evidence = plan_pass_evidence(s),
	};
	if (s->stands_for == NULL) {
		ret->evidence = plan_leave_unknown_evidence(p, s);
		ret->is_orphan = ret->evidence == EVIDENCE_NONE;
		ret->task = s->orphan_task;
		if (ret->is_orphan)
			ret->evidence = s->orphan_evidence;
	}
	b->n_joining += is_joining ? 1 : 0;
	b->n_without_agent += plan_pass_should_serve(s) && !s->server->has_agent ? 1 : 0;
	b->n_draining += state == PLAN_STATE_DRAINING && s->server->sessions > 0 ? 1 : 0;
}

static bool
show_all(const struct plan_pass *p, struct plan_backend *ret)
{
	struct plan_server *servers = ARENA_ARRAY(p->draft->arena, struct plan_server, p->bound.n_servers);

	if (servers == NULL)
		return false;
	for (size_t i = 0; i < p->bound.n_servers; i++) {
		const struct plan_bound *s = &p->bound.servers[i];

		if (plan_pass_has_address(s) && (!plan_enter_is_free(s) || plan_health_is_case(p, s)))
			show(p, s, &servers[ret->n_servers++], ret);
	}
	ret->servers = servers;
	return true;
}

/* ---- who is nobody's ---- */

static bool
ask_tasks(struct plan_draft *d)
{
	if (d->tasks == NULL)
		d->tasks = plan_orphan_index_new(d->scratch, d->desired->roster);
	return d->tasks != NULL;
}

/* After a start clusters are read one by one, and definitions after tasks. */
static bool
is_unknown(const struct plan_bound *s, const struct plan_orphan *found)
{
	return s->server->admin == ACTUAL_READY && s->orphan_evidence == EVIDENCE_NONE &&
	       (found->task != NULL ? found->task->definition == NULL : found->is_unexplained);
}

static void
explain(struct plan_pass *p, struct plan_bound *s)
{
	const struct plan_rules *rules = p->draft->rules;
	const struct plan_orphan found = plan_orphan_of(p->draft->tasks, p->draft->desired, p->desired->name, s);
	int64_t since_ms;

	s->orphan_evidence = found.evidence;
	s->orphan_task = found.task;
	if (found.is_unexplained) {
		since_ms = plan_draft_unexplained_since(p->draft, p->desired->name, s->server);
		if (rules->swept_twice_ms > 0 && since_ms <= rules->swept_twice_ms && !found.is_of_other_account)
			s->orphan_evidence = EVIDENCE_MISSING;
	}
	p->has_unknown = p->has_unknown || is_unknown(s, &found);
}

/* Free slots keep the address of their last task, and are nobody's. */
static bool
explain_all(struct plan_pass *p)
{
	for (size_t i = 0; i < p->bound.n_servers; i++) {
		struct plan_bound *s = &p->bound.servers[i];

		s->applied = plan_pass_find_applied(p, s);
		if (s->stands_for != NULL || !plan_pass_has_address(s) || plan_enter_is_free(s))
			continue;
		if (!ask_tasks(p->draft))
			return false;
		explain(p, s);
	}
	return true;
}

bool
plan_servers(struct plan_pass *p, struct plan_backend *ret)
{
	if (!plan_bind(p->draft->scratch, p->desired, p->actual, &p->bound) || !explain_all(p))
		return false;
	count(p);
	plan_health_count(p);
	ret->n_needed = p->n_needed;
	if (!plan_enter_place(p, ret))
		return false;
	for (size_t i = 0; i < p->bound.n_servers; i++) {
		const struct plan_bound *s = &p->bound.servers[i];

		if (!s->is_given) /* what it is told is the next task's */
			decide(p, s);
		plan_eject(p, s);
	}
	return show_all(p, ret);
}
