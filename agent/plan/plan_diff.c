/*
 * The plan of all backends: see plan.h.  Each is planned by its strategy; the steps
 * of all of them are then put in the order of their phases.
 */
#include "config.h"

#include "base/arena_say.h"
#include "plan/plan.h"
#include "plan/plan_pass.h"
#include "plan/plan_servers.h"

static enum plan_strategy
strategy_of(const struct actual *a, const struct actual_backend *b)
{
	if (b == NULL || !b->exists)
		return PLAN_STRATEGY_NONE;
	if (b->n_slots > 0)
		return PLAN_STRATEGY_SLOTS;
	return actual_is_at_least(a, 3, 0) ? PLAN_STRATEGY_DYNAMIC : PLAN_STRATEGY_NONE;
}

/* ---- backends that are made at run time ---- */

/* What `add backend` takes from the named defaults must be all that is asked for. */
static bool
may_be_added(const struct plan_pass *p)
{
	const struct plan_rules *rules = p->draft->rules;
	const struct conf_policy *policy = &p->desired->conf->policy;

	if (!p->desired->conf->managed || p->desired->conf->retired || !rules->may_add_backends ||
	    rules->defaults.len == 0 || !actual_is_at_least(p->draft->actual, 3, 4) ||
	    conf_policy_has(policy, CONF_POLICY_BALANCE) || p->desired->conf->retries_idempotent)
		return false;
	return policy->check.type == CONF_CHECK_OFF ||
	       (policy->check.type == CONF_CHECK_INHERIT && policy->check.timeout_ms == CONF_CHECK_TIMEOUT_MS);
}

static void
add_backend_step(struct plan_pass *p, enum plan_step_kind kind)
{
	struct plan_step step = plan_pass_step(p, kind, NULL, NULL);
	bool is_end = kind == PLAN_UNPUBLISH || kind == PLAN_UNMAKE;

	if (kind == PLAN_BACKEND)
		step.defaults = p->draft->rules->defaults;
	(void)plan_pass_emit(p, is_end ? PLAN_PHASE_UNMAKE : PLAN_PHASE_BACKEND, step);
}

/* Of one that is retired, and whose servers have left. */
static enum plan_fate
fate_of(const struct plan_pass *p, const struct plan_backend *b)
{
	const struct plan_rules *rules = p->draft->rules;
	const struct conf_backend *conf = p->desired->conf;

	if (!conf->managed || !conf->retired || b->n_servers > 0 || p->desired->n_serve > 0 || rules->fate_of == NULL)
		return PLAN_FATE_WAITS;
	return rules->fate_of(rules->fate_arg, p->desired->name);
}

static bool
may_unmake(const struct plan_pass *p)
{
	return p->draft->rules->may_add_backends && actual_is_at_least(p->draft->actual, 3, 4);
}

/* A server of somebody else's keeps it, and so does a slot. */
static void
unmake_backend(struct plan_pass *p)
{
	if (!may_unmake(p) || p->actual->n_servers > 0)
		return;
	if (!p->actual->is_unpublished)
		add_backend_step(p, PLAN_UNPUBLISH);
	add_backend_step(p, PLAN_UNMAKE);
}

static void
make_backend(struct plan_pass *p, enum plan_fate fate)
{
	bool exists = p->actual != NULL && p->actual->exists, retired = p->desired->conf->retired;

	if (!exists && may_be_added(p)) {
		add_backend_step(p, PLAN_BACKEND);
		add_backend_step(p, PLAN_PUBLISH);
	} else if (exists && fate == PLAN_FATE_GOES) {
		unmake_backend(p);
	} else if (exists && p->actual->is_unpublished && p->desired->conf->managed &&
		   (!retired || fate == PLAN_FATE_REMAINS)) {
		add_backend_step(p, PLAN_PUBLISH);
	}
}

/* ---- one backend ---- */

static uint32_t
bit(enum conf_policy_key key)
{
	return UINT32_C(1) << key;
}

/* A managed backend has all of it from its file. */
static uint32_t
unheeded_by(const struct plan_pass *p)
{
	const struct conf_policy *policy = &p->desired->conf->policy;
	enum conf_check_type check = policy->check.type;

	if (p->desired->conf->managed || p->desired->conf->retired)
		return 0;
	switch (p->strategy) {
	case PLAN_STRATEGY_SLOTS:
		return policy->set &
		       (bit(CONF_POLICY_PROTO) | bit(CONF_POLICY_TLS) | bit(CONF_POLICY_TLS_VERIFY) |
			   bit(CONF_POLICY_TLS_CA_FILE) | bit(CONF_POLICY_TLS_SNI) | bit(CONF_POLICY_SLOWSTART) |
			   bit(CONF_POLICY_CHECK) | bit(CONF_POLICY_OBSERVE));
	case PLAN_STRATEGY_DYNAMIC:
		if (check == CONF_CHECK_TCP || check == CONF_CHECK_HTTP || check == CONF_CHECK_GRPC)
			return policy->set & bit(CONF_POLICY_CHECK);
		break;
	case PLAN_STRATEGY_NONE:
		break;
	}
	return 0;
}

/* Nothing can be done there: all who should serve are without a place. */
static bool
plan_nothing(struct plan_draft *d, const struct desired_backend *desired, struct plan_backend *ret)
{
	const struct desired_server **unplaced = ARENA_ARRAY(d->arena, const struct desired_server *, desired->n_serve);

	if (unplaced == NULL)
		return false;
	for (size_t i = 0; i < desired->n_servers; i++)
		if (desired->servers[i].want == DESIRED_SERVE)
			unplaced[ret->n_unplaced++] = &desired->servers[i];
	ret->unplaced = unplaced;
	return true;
}

static bool
say_paused(struct plan_pass *p)
{
	struct plan_held held = { .backend = p->desired->name, .server = STR("") };

	if (!p->is_paused || p->n_put_off == 0)
		return true;
	if (!arena_say(p->draft->arena, &held.message,
		"the backend is paused by an operator: %zu changes wait until it is resumed", p->n_put_off))
		return false;
	plan_draft_hold(p->draft, held);
	return true;
}

static bool
say_unweighed(struct plan_pass *p)
{
	struct plan_held held = { .backend = p->desired->name, .server = STR("") };

	if (p->n_unweighed == 0)
		return true;
	if (!arena_say(p->draft->arena, &held.message,
		"%zu %s until the task behind each server is known: a cluster was not read yet, "
		"or a server is explained by no task",
		p->n_unweighed,
		p->n_unweighed == 1 ? "server keeps the weight that it has" : "servers keep the weight that they have"))
		return false;
	plan_draft_hold(p->draft, held);
	return true;
}

static bool
plan_backend(struct plan_draft *d, const struct desired_backend *desired, struct plan_backend *ret)
{
	struct plan_pass p = {
		.draft = d,
		.desired = desired,
		.actual = actual_find(d->actual, desired->name),
		.is_paused = d->rules->overlay != NULL && overlay_find_pause(d->rules->overlay, desired->name) != NULL,
		.is_stopping = d->actual->stopping,
	};
	enum plan_fate fate;
	bool ok;

	p.strategy = strategy_of(d->actual, p.actual);
	ret->name = desired->name;
	ret->keep_percent = desired->conf->policy.outlier.panic_threshold_percent;
	ret->is_retired = desired->conf->retired && desired->n_servers == 0;
	ret->removal_limit = desired->conf->policy.removal_limit_percent;
	ret->exists = p.actual != NULL && p.actual->exists;
	ret->strategy = p.strategy;
	ret->is_paused = p.is_paused;
	ret->is_closed = plan_pass_is_closed(&p);
	ret->unheeded = unheeded_by(&p);
	ok = ret->exists ? plan_servers(&p, ret) : plan_nothing(d, desired, ret);
	fate = fate_of(&p, ret);
	ret->is_over = fate == PLAN_FATE_GOES && !(ret->exists && may_unmake(&p));
	make_backend(&p, fate);
	return ok && say_paused(&p) && say_unweighed(&p);
}

static bool
plan_all(struct plan_draft *d, const struct desired *desired, struct plan *p)
{
	struct plan_backend *backends = ARENA_ARRAY(d->arena, struct plan_backend, desired->n_backends);

	if (backends == NULL)
		return false;
	for (size_t i = 0; i < desired->n_backends; i++)
		if (!plan_backend(d, &desired->backends[i], &backends[i]))
			return false;
	p->backends = backends;
	p->n_backends = desired->n_backends;
	return plan_draft_freeze(d, p);
}

enum err_code
plan_diff(const struct plan_rules *rules, const struct desired *desired, const struct actual *actual,
    const struct plan_memory *memory, struct plan **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct plan *p = a != NULL ? ARENA_NEW(a, struct plan) : NULL;
	struct plan_draft d;
	bool ok;

	if (p == NULL || scratch == NULL)
		return err_set(e, ERR_NOMEM, "a plan: %s", err_text(ERR_NOMEM));
	ok = plan_draft_start(&d, rules, actual, memory, a, scratch);
	d.roster = desired->roster;
	d.desired = desired;
	ok = ok && plan_all(&d, desired, p);
	plan_draft_free(&d);
	if (!ok)
		return err_set(e, ERR_NOMEM, "a plan: out of memory, or over %zu MiB", PLAN_ARENA_MAX >> 20);
	p->arena = MOVE(a);
	*ret = p;
	return ERR_OK;
}
