/* Servers whose task ECS calls UNHEALTHY: see plan_health.h. */
#include "config.h"

#include "plan/plan_health.h"

#include "plan/plan_leave.h"

bool
plan_health_is_case(const struct plan_pass *p, const struct plan_bound *s)
{
	return s->stands_for != NULL && plan_pass_is_leaving(s) && plan_pass_evidence(s) == EVIDENCE_UNHEALTHY &&
	       plan_pass_held_admin(plan_pass_hold(p, s)) == OVERLAY_FREE;
}

/* Nobody is called anew at an address that is not its task's. */
static bool
is_at_home(const struct plan_bound *s)
{
	return plan_pass_has_address(s) && !s->is_moved;
}

static size_t
share_of(size_t n, unsigned percent)
{
	size_t share = (n * percent + 99) / 100;

	return share > 0 ? share : 1;
}

void
plan_health_count(struct plan_pass *p)
{
	size_t n = 0, n_up = 0, n_drained = 0, n_back;

	for (size_t i = 0; i < p->bound.n_servers; i++) {
		const struct plan_bound *s = &p->bound.servers[i];
		bool is_case = plan_health_is_case(p, s) && plan_pass_has_address(s);
		bool has_place = plan_pass_is_staying(s) && plan_pass_has_address(s) && !plan_pass_is_joining(p, s) &&
				 plan_pass_held_admin(plan_pass_hold(p, s)) == OVERLAY_FREE;

		n += is_case || has_place ? 1 : 0;
		n_up += (is_case || has_place) && plan_pass_takes_calls(s) ? 1 : 0;
		n_drained += is_case && s->server->admin == ACTUAL_DRAIN && is_at_home(s) ? 1 : 0;
	}
	p->n_needed = share_of(n, p->desired->conf->policy.outlier.panic_threshold_percent);
	n_back = p->n_needed > n_up ? p->n_needed - n_up : 0;
	p->n_back_gated = n_back < n_drained ? n_back : n_drained;
	p->n_back = n_back - p->n_back_gated;
}

static bool
take(size_t *n)
{
	if (*n == 0)
		return false;
	(*n)--;
	return true;
}

/* Its weight is what it was. */
static void
let_in(struct plan_pass *p, const struct plan_bound *s)
{
	bool has_passed = s->server->check == ACTUAL_CHECK_PASSED || s->server->check == ACTUAL_UNCHECKED;

	if (s->server->admin == ACTUAL_MAINT)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_JOIN, s->server, s->stands_for);
	else if (has_passed)
		plan_pass_add(p, PLAN_PHASE_READY, PLAN_READY, s->server, s->stands_for);
}

void
plan_health(struct plan_pass *p, const struct plan_bound *s)
{
	bool comes_back = false;

	switch (s->server->admin) {
	case ACTUAL_READY:
		break;
	case ACTUAL_DRAIN:
		comes_back = is_at_home(s) && take(&p->n_back_gated);
		break;
	case ACTUAL_MAINT:
		comes_back = is_at_home(s) && take(&p->n_back);
		break;
	}
	if (comes_back)
		let_in(p, s);
	else
		plan_leave(p, s);
}
