/*
 * Entering: see plan_enter.h.
 *
 * A slot enters as MAINT, gets address and weight, joins (state drain: HAProxy checks
 * it, no call goes there) and is ready once its check passed.  It is never given an
 * address while it has sessions: HAProxy 2.6 would send new calls to the old one
 * (facts/haproxy.md, section 3).
 *
 * A server that is added needs no such detour: its checks run in maintenance (3.0),
 * or it begins as down (3.2).  One that has been out of maintenance before is gated
 * like a slot, whatever it was added with, for that cannot be read back.  The two are
 * told apart by the check's last word, which HAProxy shows only while checks run
 * (measured on 2.6, 3.0, 3.2 and 3.4): "INI" and then a result in the first case,
 * nothing in the second.
 *
 * Nobody waits at the gate who served under the process before this one; and whoever did
 * comes back, be it that its task may not enter anew, as long as nothing is proven.
 */
#include "config.h"

#include "plan/plan_enter.h"

#include <stdlib.h>

/* ---- the gate ---- */

static bool
is_checked(const struct desired_server *d)
{
	return d->policy->check.type != CONF_CHECK_OFF;
}

static bool
has_passed(const struct actual_server *s)
{
	return s->check == ACTUAL_CHECK_PASSED || s->check == ACTUAL_UNCHECKED;
}

static bool
needs_no_gate(const struct plan_pass *p, const struct actual_server *s, const struct desired_server *d)
{
	return s->check != ACTUAL_CHECK_FAILED && plan_pass_is_trusted(p, d);
}

/* ---- one that is there ---- */

static void
tell(struct plan_pass *p, enum plan_step_kind kind, unsigned value, const struct actual_server *s,
    const struct desired_server *d)
{
	struct plan_step step = plan_pass_step(p, kind, s, d);

	step.value = value;
	(void)plan_pass_emit(p, PLAN_PHASE_ENTER, step);
}

/* A server that enters is told everything: what its slot had before is another task's. */
static void
tell_all(
    struct plan_pass *p, const struct actual_server *s, const struct desired_server *d, const struct overlay_hold *h)
{
	tell(p, PLAN_WEIGHT, plan_pass_weight(p, d, h), s, d);
	if (d->maxconn != 0)
		tell(p, PLAN_MAXCONN, d->maxconn, s, d);
}

static void
join_slot(
    struct plan_pass *p, const struct actual_server *s, const struct desired_server *d, const struct overlay_hold *h)
{
	enum overlay_admin held = plan_pass_held_admin(h);

	tell_all(p, s, d, h);
	if (held == OVERLAY_MAINT)
		return;
	plan_pass_add(
	    p, PLAN_PHASE_ENTER, held == OVERLAY_FREE && needs_no_gate(p, s, d) ? PLAN_READY : PLAN_JOIN, s, d);
}

/* Checked in maintenance: never so before it was added by hand, or on 2.6, where what
 * has a name stands in the file. */
static bool
begins_checks(const struct plan_pass *p, const struct actual_server *s, const struct desired_server *d)
{
	return s->check == ACTUAL_UNCHECKED && is_checked(d) && plan_pass_is_at_least(p, 3, 0);
}

static bool
is_checked_in_maintenance(const struct actual_server *s)
{
	return s->check == ACTUAL_CHECK_FAILED || s->last_check.len > 0 || s->check_running;
}

static void
join_named(
    struct plan_pass *p, const struct actual_server *s, const struct desired_server *d, const struct overlay_hold *h)
{
	bool is_held = plan_pass_held_admin(h) == OVERLAY_DRAIN, begins = begins_checks(p, s, d);

	plan_pass_tune(p, PLAN_PHASE_ENTER, s, d, h);
	if (begins)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_CHECK, s, d);
	if (s->has_agent_line && !s->has_agent)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_AGENT, s, d);
	if (is_held)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_JOIN, s, d);
	else if (needs_no_gate(p, s, d))
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_READY, s, d);
	else if (!begins && has_passed(s))
		plan_pass_add(p, PLAN_PHASE_READY, PLAN_READY, s, d);
	else if (!begins && !is_checked_in_maintenance(s))
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_JOIN, s, d);
}

static void
go_on_from_maint(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	if (plan_pass_held_admin(h) == OVERLAY_MAINT)
		plan_pass_tune(p, PLAN_PHASE_ENTER, s->server, s->stands_for, h);
	else if (s->server->is_slot)
		join_slot(p, s->server, s->stands_for, h);
	else
		join_named(p, s->server, s->stands_for, h);
}

/* With `fall 1` a server that has just joined looks as if it had passed its check: it is
 * told to be down, and what lifts it up from there is a check of its own. */
static bool
is_gated(struct plan_pass *p, const struct plan_bound *s)
{
	struct plan_memory_entry m;

	if (!s->server->shows_full_at_once)
		return true;
	m = plan_draft_recall(p->draft, p->desired->name, s->server);
	m.is_gated = m.is_gated || !s->server->up;
	plan_draft_remember(p->draft, m);
	if (!m.is_gated)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_GATE, s->server, s->stands_for);
	return m.is_gated;
}

static void
go_on_from_drain(struct plan_pass *p, const struct plan_bound *s, const struct overlay_hold *h)
{
	const struct desired_server *d = s->stands_for;

	plan_pass_tune(p, PLAN_PHASE_ENTER, s->server, d, h);
	if (plan_pass_held_admin(h) != OVERLAY_FREE)
		return;
	if (needs_no_gate(p, s->server, d) || (is_gated(p, s) && has_passed(s->server)))
		plan_pass_add(p, PLAN_PHASE_READY, PLAN_READY, s->server, d);
}

void
plan_enter_go_on(struct plan_pass *p, const struct plan_bound *s)
{
	const struct overlay_hold *h = plan_pass_hold(p, s);

	/* Nobody is called anew at an address that is not its task's. */
	if (s->is_moved && s->server->admin != ACTUAL_READY)
		return;
	switch (s->server->admin) {
	case ACTUAL_READY:
		plan_pass_tune(p, PLAN_PHASE_TUNE, s->server, s->stands_for, h);
		break;
	case ACTUAL_DRAIN:
		go_on_from_drain(p, s, h);
		break;
	case ACTUAL_MAINT:
		go_on_from_maint(p, s, h);
		break;
	}
}

/* ---- free slots ---- */

/* A check that is still under way was begun to the old address, but its result
 * would be taken for the next one's: such a slot waits.
 *
 * A slot out of maintenance is free only if it never had an address: it must go
 * to maintenance first, and takes nobody's calls away by that. */
bool
plan_enter_is_free(const struct plan_bound *s)
{
	if (!s->server->is_slot || s->server->sessions > 0 || s->server->check_running || plan_pass_is_staying(s))
		return false;
	return s->server->admin == ACTUAL_MAINT || !plan_pass_has_address(s);
}

static int
cost(const struct plan_bound *s)
{
	if (s->stands_for != NULL && plan_pass_evidence(s) == EVIDENCE_UNHEALTHY)
		return 3; /* it may come back */
	if (s->server->admin != ACTUAL_MAINT)
		return 2;
	return plan_pass_has_address(s) ? 1 : 0;
}

/* Pointers into one array, which is by number. */
static int
by_cost(const void *a, const void *b)
{
	const struct plan_bound *x = *(const struct plan_bound *const *)a, *y = *(const struct plan_bound *const *)b;
	int order = cost(x) - cost(y);

	return order != 0 ? order : (x > y) - (x < y);
}

/* Best first; null: out of memory. */
static const struct plan_bound **
list_free(const struct plan_pass *p, size_t *ret_n)
{
	const struct plan_bound **slots = ARENA_ARRAY(p->draft->scratch, const struct plan_bound *, p->bound.n_slots);

	*ret_n = 0;
	if (slots == NULL)
		return NULL;
	for (size_t i = 0; i < p->bound.n_slots; i++)
		if (plan_enter_is_free(&p->bound.servers[i]))
			slots[(*ret_n)++] = &p->bound.servers[i];
	if (*ret_n > 0)
		qsort(slots, *ret_n, sizeof(*slots), by_cost);
	return slots;
}

static void
close_vacant(struct plan_pass *p, const struct plan_bound *s)
{
	struct plan_step maint = plan_pass_step(p, PLAN_MAINT, s->server, NULL);

	maint.is_vacant = true;
	if (s->server->admin != ACTUAL_MAINT)
		(void)plan_pass_emit(p, PLAN_PHASE_ENTER, maint);
}

static void
take_slot(struct plan_pass *p, const struct plan_bound *s, const struct desired_server *d)
{
	const struct overlay_hold *h = plan_pass_hold_on(p, d);
	struct plan_step address = plan_pass_step(p, PLAN_ADDRESS, s->server, d);

	p->bound.servers[s - p->bound.servers].is_given = true;
	close_vacant(p, s);
	address.address = d->address;
	address.port = d->port;
	address.by_operator = plan_pass_held_admin(h) != OVERLAY_FREE;
	(void)plan_pass_emit(p, PLAN_PHASE_ENTER, address);
	join_slot(p, s->server, d, h);
}

/* ---- servers that are added ---- */

static bool
is_loaded(const struct actual *a, struct str name)
{
	for (size_t i = 0; i < a->n_cas; i++)
		if (str_eq(a->cas[i], name))
			return true;
	return false;
}

/* Loaded by the first that needs it. */
static void
provide_ca(struct plan_pass *p, const struct plan_ca *ca)
{
	const struct plan_rules *rules = p->draft->rules;
	const struct plan_step step = { .kind = PLAN_CA, .ca = ca };

	if (ca == NULL || is_loaded(p->draft->actual, ca->name))
		return;
	for (size_t i = 0; i < rules->n_cas; i++) /* two paths may name one content */
		if (p->draft->is_ca_loading[i] && str_eq(rules->cas[i].name, ca->name))
			return;
	if (plan_pass_emit(p, PLAN_PHASE_CA, step))
		p->draft->is_ca_loading[ca - rules->cas] = true;
}

static void
add_server(struct plan_pass *p, const struct desired_server *d, const struct plan_ca *ca)
{
	const struct overlay_hold *h = plan_pass_hold_on(p, d);
	enum overlay_admin held = plan_pass_held_admin(h);
	const struct actual_server named = { .name = d->name };
	bool is_gated = is_checked(d) && !plan_pass_is_trusted(p, d), starts_down = plan_pass_is_at_least(p, 3, 2);
	struct plan_step add = plan_pass_step(p, PLAN_ADD, &named, d);

	add.address = d->address;
	add.port = d->port;
	add.value = plan_pass_weight(p, d, h);
	add.policy = d->policy;
	add.ca = ca;
	add.spec = plan_pass_spec(d, ca);
	add.starts_down = is_gated && starts_down;
	add.by_operator = held != OVERLAY_FREE;
	(void)plan_pass_emit(p, PLAN_PHASE_ENTER, add);
	if (held == OVERLAY_MAINT)
		return;
	if (is_checked(d))
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_CHECK, &named, d);
	if (conf_policy_has_agent(d->policy))
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_AGENT, &named, d);
	if (held == OVERLAY_DRAIN)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_JOIN, &named, d);
	else if (!is_gated || starts_down)
		plan_pass_add(p, PLAN_PHASE_ENTER, PLAN_READY, &named, d);
}

/* False: it has no place. */
static bool
try_add(struct plan_pass *p, const struct desired_server *d, struct str *last_name, struct plan_backend *ret)
{
	const struct plan_ca *ca;
	bool is_missing;

	/* One task id in two clusters: the name is taken. */
	if (str_eq(d->name, *last_name) || plan_bind_find_named(&p->bound, d->name) != NULL)
		return false;
	ca = plan_pass_ca(p, d->policy, &is_missing);
	if (is_missing) {
		ret->missing_ca = d->policy->tls_ca_file;
		return false;
	}
	provide_ca(p, ca);
	add_server(p, d, ca);
	*last_name = d->name;
	return true;
}

/* ---- places ---- */

struct places {
	const struct plan_bound **free_slots;
	size_t n_free, n_taken;
	struct str last_name;
};

static bool
give_place(struct plan_pass *p, struct places *at, const struct desired_server *d, struct plan_backend *ret)
{
	if (plan_pass_is_closed(p)) {
		p->n_put_off++;
		return false;
	}
	switch (p->strategy) {
	case PLAN_STRATEGY_NONE:
		return false;
	case PLAN_STRATEGY_DYNAMIC:
		return try_add(p, d, &at->last_name, ret);
	case PLAN_STRATEGY_SLOTS:
		break;
	}
	if (at->n_taken == at->n_free)
		return false;
	take_slot(p, at->free_slots[at->n_taken++], d);
	return true;
}

/* A slot without an address that is out of maintenance (`disabled` was forgotten, or
 * a command meant for the process before this one came late) would take calls, and
 * fail each of them. */
static void
close_rest(struct plan_pass *p, const struct places *at)
{
	for (size_t i = at->n_taken; i < at->n_free; i++)
		close_vacant(p, at->free_slots[i]);
}

/* One name is one server: whoever should serve has it, or the first that comes back. */
static bool
is_name_taken(const struct plan_pass *p, size_t i)
{
	const struct desired_server *all = p->desired->servers;
	size_t k = i;

	while (k > 0 && str_eq(all[k - 1].name, all[i].name))
		k--;
	for (; k < p->desired->n_servers && str_eq(all[k].name, all[i].name); k++)
		if (all[k].want == DESIRED_SERVE || (k < i && plan_pass_comes_back(p, &all[k])))
			return true;
	return false;
}

/* They have what places are left, and no claim on one. */
static void
bring_back(struct plan_pass *p, struct places *at, struct plan_backend *ret)
{
	for (size_t i = 0; i < p->desired->n_servers; i++) {
		const struct desired_server *d = &p->desired->servers[i];

		if (!p->bound.is_held[i] && p->bound.is_best[i] && plan_pass_comes_back(p, d) && !is_name_taken(p, i))
			(void)give_place(p, at, d, ret);
	}
}

bool
plan_enter_place(struct plan_pass *p, struct plan_backend *ret)
{
	const struct desired_server **unplaced =
	    ARENA_ARRAY(p->draft->arena, const struct desired_server *, p->desired->n_serve);
	struct places at = { .last_name = STR("") };

	at.free_slots = list_free(p, &at.n_free);
	if (unplaced == NULL || at.free_slots == NULL)
		return false;
	for (size_t i = 0; i < p->desired->n_servers; i++) {
		const struct desired_server *d = &p->desired->servers[i];

		if (d->want != DESIRED_SERVE || p->bound.is_held[i])
			continue;
		if (give_place(p, &at, d, ret))
			p->n_joining += plan_pass_held_admin(plan_pass_hold_on(p, d)) == OVERLAY_FREE ? 1 : 0;
		else
			unplaced[ret->n_unplaced++] = d;
	}
	bring_back(p, &at, ret);
	close_rest(p, &at);
	ret->unplaced = unplaced;
	ret->n_free_slots = at.n_free - at.n_taken;
	return true;
}
