/* The servers of one backend, one stage further: see plan_servers.h. */
#include "config.h"

#include "plan/plan_servers.h"

#include "plan/plan_eject.h"
#include "plan/plan_enter.h"
#include "plan/plan_leave.h"

/* ---- how the backend stands ---- */

static void
count(struct plan_pass *p)
{
	for (size_t i = 0; i < p->bound.n_servers; i++) {
		const struct plan_bound *s = &p->bound.servers[i];

		if (!plan_pass_is_staying(s) || plan_pass_held_admin(plan_pass_hold(p, s)) != OVERLAY_FREE)
			continue;
		if (plan_pass_takes_calls(s))
			p->n_up++;
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
decide(struct plan_pass *p, const struct plan_bound *s)
{
	const struct overlay_hold *h = plan_pass_hold(p, s);

	if (s->stands_for == NULL)
		plan_leave_unknown(p, s);
	else if (plan_pass_is_leaving(s) && plan_pass_held_admin(h) == OVERLAY_FREE)
		leave(p, s, h);
	else if (plan_pass_should_serve(s))
		serve(p, s, h);
	else
		keep(p, s, h);
	plan_eject(p, s);
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
		.evidence = s->stands_for != NULL ? plan_pass_evidence(s) : plan_leave_unknown_evidence(p, s),
	};
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

		if (plan_pass_has_address(s) && !plan_enter_is_free(s))
			show(p, s, &servers[ret->n_servers++], ret);
	}
	ret->servers = servers;
	return true;
}

bool
plan_servers(struct plan_pass *p, struct plan_backend *ret)
{
	if (!plan_bind(p->draft->scratch, p->desired, p->actual, &p->bound))
		return false;
	for (size_t i = 0; i < p->bound.n_servers; i++)
		p->bound.servers[i].applied = plan_pass_find_applied(p, &p->bound.servers[i]);
	count(p);
	if (!plan_enter_place(p, ret))
		return false;
	for (size_t i = 0; i < p->bound.n_servers; i++)
		decide(p, &p->bound.servers[i]);
	return show_all(p, ret);
}
