/* What the parts of a plan ask of one backend: see plan_pass.h. */
#include "config.h"

#include "plan/plan_pass.h"

#include "plan/weights.h"

/* ---- who is who ---- */

bool
plan_pass_is_leaving(const struct plan_bound *s)
{
	if (s->stands_for == NULL)
		return false;
	return s->is_second || s->is_replaced || s->stands_for->want == DESIRED_LEAVE;
}

bool
plan_pass_is_staying(const struct plan_bound *s)
{
	return s->stands_for != NULL && !plan_pass_is_leaving(s);
}

bool
plan_pass_should_serve(const struct plan_bound *s)
{
	return plan_pass_is_staying(s) && s->stands_for->want == DESIRED_SERVE;
}

bool
plan_pass_takes_calls(const struct plan_bound *s)
{
	return s->server->admin == ACTUAL_READY && s->server->up && s->server->weight > 0 && plan_pass_has_address(s);
}

bool
plan_pass_has_address(const struct plan_bound *s)
{
	return s->server->address.len > 0;
}

enum evidence
plan_pass_evidence(const struct plan_bound *s)
{
	if (s->stands_for == NULL)
		return EVIDENCE_NONE;
	return s->is_second || s->is_replaced ? EVIDENCE_REPLACED : s->stands_for->evidence;
}

const struct overlay_hold *
plan_pass_hold_on(const struct plan_pass *p, const struct desired_server *d)
{
	struct overlay_key key;

	if (p->draft->rules->overlay == NULL)
		return NULL;
	key = overlay_key_of(p->desired->name, d);
	return overlay_find(p->draft->rules->overlay, &key);
}

const struct overlay_hold *
plan_pass_hold(const struct plan_pass *p, const struct plan_bound *s)
{
	if (s->stands_for == NULL || evidence_is_proven(plan_pass_evidence(s)))
		return NULL;
	return plan_pass_hold_on(p, s->stands_for);
}

enum overlay_admin
plan_pass_held_admin(const struct overlay_hold *h)
{
	return h != NULL ? h->admin : OVERLAY_FREE;
}

static bool
is_at(struct str address, uint16_t port, const struct plan_address *key)
{
	struct plan_address at;

	return plan_address_parse(address, port, &at) && plan_address_cmp(&at, key) == 0;
}

const struct applied_server *
plan_pass_find_applied(const struct plan_pass *p, const struct plan_bound *s)
{
	const struct applied_server *known;

	if (!applied_is_of(p->draft->rules->applied, p->draft->actual))
		return NULL;
	known = applied_find(p->draft->rules->applied, p->desired->name, s->server->name);
	return known != NULL && is_at(known->address, known->port, &s->key) ? known : NULL;
}

static bool
needs_ca(const struct conf_policy *policy)
{
	return policy->tls && policy->tls_verify == CONF_TLS_VERIFY_REQUIRED && policy->tls_ca_file.len > 0;
}

const struct plan_ca *
plan_pass_ca(const struct plan_pass *p, const struct conf_policy *policy, bool *ret_is_missing)
{
	const struct plan_rules *rules = p->draft->rules;

	*ret_is_missing = needs_ca(policy);
	for (size_t i = 0; *ret_is_missing && i < rules->n_cas; i++)
		if (str_eq(rules->cas[i].path, policy->tls_ca_file)) {
			*ret_is_missing = false;
			return &rules->cas[i];
		}
	return NULL;
}

/* The name of a CA is made of what it holds. */
uint64_t
plan_pass_spec(const struct desired_server *d, const struct plan_ca *ca)
{
	uint64_t spec = d->spec;

	for (size_t i = 0; ca != NULL && i < ca->name.len; i++)
		spec = (spec ^ (unsigned char)ca->name.ptr[i]) * UINT64_C(0x100000001b3);
	return spec != 0 ? spec : 1;
}

/* What a slot was made with is its line's in the file, and nobody's to change.  And what
 * could not come back, for want of its CA, stays as it is. */
bool
plan_pass_is_stale(const struct plan_pass *p, const struct plan_bound *s)
{
	const struct applied_server *known = s->applied;
	const struct plan_ca *ca;
	bool is_missing;

	if (s->server->is_slot || !plan_pass_should_serve(s))
		return false;
	if (s->is_moved)
		return true;
	ca = plan_pass_ca(p, s->stands_for->policy, &is_missing);
	return known != NULL && known->spec != 0 && !is_missing && known->spec != plan_pass_spec(s->stands_for, ca);
}

bool
plan_pass_renews(const struct plan_pass *p, const struct plan_bound *s)
{
	return p->strategy == PLAN_STRATEGY_DYNAMIC && plan_pass_is_stale(p, s) &&
	       plan_pass_held_admin(plan_pass_hold(p, s)) == OVERLAY_FREE;
}

/* READY and down: a server with init-state down whose first check is awaited, or one
 * that served, and that HAProxy's checks took out. */
static bool
awaits_first_check(const struct plan_bound *s)
{
	const struct applied_server *known = s->applied;

	if (s->server->is_slot || s->server->up || s->server->agent_down)
		return false;
	return known != NULL ? known->intent == APPLIED_JOINING : s->server->check == ACTUAL_CHECK_PENDING;
}

bool
plan_pass_is_joining(const struct plan_pass *p, const struct plan_bound *s)
{
	switch (s->server->admin) {
	case ACTUAL_READY:
		return awaits_first_check(s);
	case ACTUAL_DRAIN:
		return plan_pass_is_staying(s);
	case ACTUAL_MAINT:
		break;
	}
	return plan_pass_should_serve(s) && !plan_pass_renews(p, s);
}

static bool
has_served_here(const struct plan_pass *p, const struct overlay_key *key)
{
	const struct applied_server *known = NULL;

	if (applied_is_of(p->draft->rules->applied, p->draft->actual))
		known = applied_find_task(p->draft->rules->applied, key);
	return known != NULL && known->intent != APPLIED_JOINING;
}

/* A task that served here, and went, comes back through its gate. */
static const struct applied_server *
find_former(const struct plan_pass *p, const struct desired_server *d)
{
	const struct applied_server *before;
	struct plan_address key;
	struct overlay_key who;

	if (p->draft->rules->former == NULL || !plan_address_parse(d->address, d->port, &key))
		return NULL;
	who = overlay_key_of(p->desired->name, d);
	before = applied_find_task(p->draft->rules->former, &who);
	if (before == NULL || before->intent != APPLIED_SERVING || !is_at(before->address, before->port, &key))
		return NULL;
	return has_served_here(p, &who) ? NULL : before;
}

bool
plan_pass_is_trusted(const struct plan_pass *p, const struct desired_server *d)
{
	return find_former(p, d) != NULL;
}

bool
plan_pass_comes_back(const struct plan_pass *p, const struct desired_server *d)
{
	return p->draft->rules->brings_back && d->want != DESIRED_SERVE && !evidence_is_proven(d->evidence) &&
	       plan_pass_is_trusted(p, d);
}

bool
plan_pass_is_closed(const struct plan_pass *p)
{
	return p->is_paused || p->is_stopping;
}

bool
plan_pass_is_at_least(const struct plan_pass *p, unsigned major, unsigned minor)
{
	return actual_is_at_least(p->draft->actual, major, minor);
}

/* ---- steps ---- */

struct plan_step
plan_pass_step(const struct plan_pass *p, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why)
{
	return (struct plan_step){
		.kind = kind,
		.backend = p->desired->name,
		.server = s != NULL ? s->name : STR(""),
		.evidence = why != NULL ? why->evidence : EVIDENCE_NONE,
		.why = why,
	};
}

static bool
is_proven_removal(const struct plan_step *st)
{
	return plan_step_removes(st->kind) && !st->by_operator && !st->is_respec && !st->is_vacant &&
	       evidence_is_proven(st->evidence);
}

bool
plan_pass_emit(struct plan_pass *p, enum plan_phase phase, struct plan_step step)
{
	if (p->is_stopping && (step.kind != PLAN_MAINT || step.is_respec))
		return false;
	if (p->is_paused && !is_proven_removal(&step)) {
		p->n_put_off++;
		return false;
	}
	plan_draft_step(p->draft, phase, step);
	return true;
}

void
plan_pass_add(struct plan_pass *p, enum plan_phase phase, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why)
{
	(void)plan_pass_emit(p, phase, plan_pass_step(p, kind, s, why));
}

unsigned
plan_pass_weight(const struct plan_pass *p, const struct desired_server *d, const struct overlay_hold *h)
{
	const struct applied_server *before;

	if (h != NULL && h->has_weight)
		return h->weight;
	before = d->want != DESIRED_SERVE ? find_former(p, d) : NULL; /* it has none of its own any more */
	return before != NULL ? before->auto_weight : weights_of_server(d->weight, p->actual->small_weights);
}

static void
add_value(struct plan_pass *p, enum plan_phase phase, enum plan_step_kind kind, const struct actual_server *s,
    const struct desired_server *why, unsigned value)
{
	struct plan_step step = plan_pass_step(p, kind, s, why);

	step.value = value;
	(void)plan_pass_emit(p, phase, step);
}

/* What serves keeps the weight that it has until all are known; an operator's goes first. */
static bool
may_weigh(const struct plan_pass *p, const struct actual_server *s, const struct overlay_hold *h)
{
	return (h != NULL && h->has_weight) || s->admin != ACTUAL_READY || !p->has_unknown;
}

/* One that is only kept has no weight of its own; a hold may give it one. */
void
plan_pass_tune(struct plan_pass *p, enum plan_phase phase, const struct actual_server *s,
    const struct desired_server *d, const struct overlay_hold *h)
{
	bool is_wanted = d->want == DESIRED_SERVE;
	unsigned weight = plan_pass_weight(p, d, h);

	bool is_due = (is_wanted || (h != NULL && h->has_weight)) && s->weight != weight;

	if (is_due && may_weigh(p, s, h))
		add_value(p, phase, PLAN_WEIGHT, s, d, weight);
	else if (is_due)
		p->n_unweighed++;
	if (is_wanted && d->maxconn != 0 && s->maxconn != d->maxconn)
		add_value(p, phase, PLAN_MAXCONN, s, d, d->maxconn);
}
