/*
 * Claims by labels: see desired_label.h.
 *
 * Three steps: units are collected from the roster; each makes its claims alone; then
 * names are settled between them, in the order of configuration, service, container.
 */
#include "config.h"

#include "plan/desired_label.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena_say.h"
#include "ecs/arn.h"
#include "label/label_constraint.h"
#include "label/label_text.h"
#include "plan/desired_port.h"
#include "plan/desired_select.h"
#include "plan/desired_verdict.h"

/* ---- the table of units ---- */

struct key {
	const struct roster_cluster *cluster;
	const struct taskdef *definition;
	struct str service, container;
};

static size_t
hash_of(const struct key *k)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)k->definition ^ ((uintptr_t)k->cluster << 7);

	for (size_t i = 0; i < k->service.len; i++)
		h = (h ^ (unsigned char)k->service.ptr[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < k->container.len; i++)
		h = (h ^ (unsigned char)k->container.ptr[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 29);
}

static bool
is_unit(const struct desired_unit *u, const struct key *k)
{
	return u->cluster == k->cluster && u->definition == k->definition && str_eq(u->service, k->service) &&
	       str_eq(u->container->name, k->container);
}

static struct desired_unit **
slot_of(const struct desired_labels *l, const struct key *k)
{
	size_t i = hash_of(k) & (l->n_slots - 1);

	while (l->table[i] != NULL && !is_unit(l->table[i], k))
		i = (i + 1) & (l->n_slots - 1);
	return &l->table[i];
}

static size_t
count_containers(const struct roster *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_clusters; i++)
		for (size_t t = 0; r->clusters[i].facts != NULL && t < r->clusters[i].facts->n_tasks; t++)
			n += r->clusters[i].facts->tasks[t].n_containers;
	return n;
}

static bool
make_table(struct desired_labels *l)
{
	size_t n = count_containers(l->roster);

	for (l->n_slots = 64; l->n_slots < 2 * n; l->n_slots *= 2)
		;
	l->table = ARENA_ARRAY(l->arena, struct desired_unit *, l->n_slots); /* views ask it, too */
	return l->table != NULL;
}

const struct desired_unit *
desired_labels_find(
    const struct desired_labels *l, const struct roster_cluster *c, const struct roster_task *t, struct str container)
{
	struct key key = { .cluster = c, .definition = t->definition, .container = container };
	char family[300];

	if (t->definition == NULL)
		return NULL;
	key.service = t->service;
	if (t->service.len == 0) {
		if (t->family.len > sizeof(family) - 7)
			return NULL;
		memcpy(family, "family:", 7);
		if (t->family.len > 0)
			memcpy(family + 7, t->family.ptr, t->family.len);
		key.service = str_of(family, 7 + t->family.len);
	}
	return *slot_of(l, &key);
}

/* ---- one unit, alone ---- */

struct maker { /* what the units of one cluster have in common */
	struct desired_labels *labels;
	const struct roster_cluster *cluster;
	const struct conf_source *source;
	struct label_constraint *constraint; /* null: none */
	struct desired_select by_cluster, by_service;
	struct label_rules rules;
};

/* The first entry that takes this container, as desired_derive.c will find: a container that is
 * only a sidecar of an entry's port is not taken. */
static bool
find_entry(struct maker *m, struct desired_unit *u, const struct roster_task *t)
{
	struct desired_port port;

	m->by_service.n = 0;
	if (u->is_admitted)
		desired_select_by_service(&m->by_cluster, u->service, &m->by_service);
	for (size_t i = 0; i < m->by_service.n && u->entry == NULL; i++) {
		const struct conf_backend *b = m->by_service.entries[i];

		if (!str_glob(b->match.container, u->container->name))
			continue;
		if (!desired_port_choose(m->labels->scratch, b, t, u->container->name, &port))
			return false;
		if (port.reason != REASON_NOT_SELECTED)
			u->entry = b;
	}
	return true;
}

static bool
is_in(const struct conf_list *list, struct str s)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_glob(list->items[i], s))
			return true;
	return false;
}

static bool
is_foreign(const struct desired_labels *l, struct str name)
{
	for (size_t i = 0; i < l->context->n_foreign; i++)
		if (str_eq(l->context->foreign[i], name))
			return true;
	return false;
}

static bool PRINTF_LIKE(4, 5)
    exclude(struct desired_labels *l, struct desired_claim *c, enum reason reason, const char *fmt, ...)
{
	char text[ARENA_SAY_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->reason = reason;
	return arena_say(l->arena, &c->message, "%s", text);
}

void
desired_label_policy(
    const struct label_endpoint *endpoint, bool is_traefik, const struct conf_backend *entry, struct conf_policy *ret)
{
	uint32_t own = entry != NULL ? entry->own : 0;
	const uint32_t proto = UINT32_C(1) << CONF_POLICY_PROTO, weight = UINT32_C(1) << CONF_POLICY_WEIGHT;

	if (is_traefik && (own & proto) == 0) { /* Traefik's own defaults */
		ret->proto = CONF_PROTO_H1;
		ret->set |= proto;
	}
	if (is_traefik && entry == NULL && (ret->set & weight) == 0)
		ret->weight = 1;
	label_settings_overlay(&endpoint->settings, own, ret);
}

/* ---- routers ---- */

static bool
has_rule(const struct label_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_routers; i++)
		if (ep->routers[i].label.len > 0)
			return true;
	return false;
}

static bool
default_rule(struct desired_labels *l, const struct desired_unit *u, struct str *ret)
{
	struct str rule = l->context->conf->haproxy.default_rule;

	*ret = STR("");
	if (rule.len > 0)
		return desired_default_rule(l->arena, rule, u, ret);
	return u->set->is_traefik ? desired_traefik_rule(l->arena, u, ret) : true;
}

/* An endpoint without a rule has the default one, if there is one. */
static bool
find_routers(struct maker *m, const struct desired_unit *u, struct desired_claim *c)
{
	struct label_router *router;
	struct str rule;

	c->routers = c->endpoint->routers;
	c->n_routers = c->endpoint->n_routers;
	if (has_rule(c->endpoint) || c->endpoint->settings.backend.len > 0)
		return true;
	c->n_routers = 0;
	if (!default_rule(m->labels, u, &rule))
		return false;
	if (rule.len == 0)
		return true;
	router = ARENA_NEW(m->labels->arena, struct label_router);
	if (router == NULL || !label_router_of_rule(m->labels->arena, &m->rules, rule, router))
		return false;
	if (c->endpoint->n_routers > 0) { /* what it says of entrypoints and priority holds */
		const struct label_router *said = &c->endpoint->routers[0];

		router->entrypoints = said->entrypoints;
		router->n_entrypoints = said->n_entrypoints;
		router->priority = said->priority;
		if (said->refusal.is_refused)
			router->refusal = said->refusal;
	}
	c->routers = router;
	c->n_routers = 1;
	return true;
}

static bool
host_is_allowed(const struct desired_labels *l, struct str host)
{
	return is_in(&l->context->conf->haproxy.allow_hosts, host);
}

/* The first host that may not be claimed; empty: all may. */
static struct str
host_not_allowed(const struct desired_labels *l, const struct label_router *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!host_is_allowed(l, r->places[i].host))
			return r->places[i].host;
	return STR("");
}

/* Of its routers none can be made: the reason is the first one's. */
static bool
judge_routers(struct maker *m, struct desired_claim *c)
{
	struct desired_labels *l = m->labels;
	size_t n_places = 0;

	for (size_t i = 0; i < c->n_routers; i++) {
		const struct label_router *r = &c->routers[i];

		n_places += r->n * r->n_entrypoints;
		if (!r->refusal.is_refused && host_not_allowed(l, r).len == 0 && n_places <= DESIRED_ROUTES_MAX)
			return true;
	}
	for (size_t i = 0; i < c->n_routers; i++) {
		const struct label_router *r = &c->routers[i];

		if (r->refusal.is_refused)
			return exclude(l, c, r->refusal.is_bad ? REASON_BAD_LABEL : REASON_UNHONOURED, STR_FMT,
			    STR_ARG(r->refusal.message));
		if (host_not_allowed(l, r).len > 0)
			return exclude(l, c, REASON_HOST_NOT_ALLOWED,
			    "labels may not claim host `" STR_FMT "`: haproxy.managed.allow_hosts does not have it",
			    STR_ARG(host_not_allowed(l, r)));
	}
	return n_places == 0 || exclude(l, c, REASON_BAD_LABEL, "it asks for more than %d routes", DESIRED_ROUTES_MAX);
}

/* ---- names ---- */

static bool
name_backend(struct maker *m, const struct desired_unit *u, struct desired_claim *c)
{
	struct desired_labels *l = m->labels;
	const struct conf_haproxy *h = &l->context->conf->haproxy;
	struct str wanted = c->endpoint->settings.backend;
	bool is_declared;

	c->backend = wanted;
	if (wanted.len == 0 && u->entry != NULL) {
		c->backend = u->entry->name;
		c->is_joined = true;
		return true;
	}
	if (wanted.len == 0 && !desired_backend_name(l->arena, arn_cluster_name(u->cluster->name), u->service,
				   u->container->name, c->endpoint->name, &c->backend))
		return false;
	is_declared = conf_backend_by_name(l->context->conf, c->backend) != NULL;
	if (wanted.len > 0 && is_in(&h->allow_backends, wanted)) {
		c->is_joined = true;
		return true;
	}
	if (str_eq(c->backend, h->managed_defaults))
		return exclude(l, c, REASON_NAME_CONFLICT,
		    "`" STR_FMT "` is the name of HAProxy's `defaults` section for managed backends",
		    STR_ARG(c->backend));
	if (is_declared || is_foreign(l, c->backend))
		return exclude(l, c, REASON_NAME_CONFLICT,
		    "backend `" STR_FMT "` is declared elsewhere: labels may join it only if "
		    "haproxy.managed.allow_backends names it",
		    STR_ARG(c->backend));
	if (h->managed_mode == CONF_MANAGED_OFF)
		return exclude(l, c, REASON_NO_BACKEND,
		    "labels ask for backend `" STR_FMT "`, and haproxy.managed.mode is off", STR_ARG(c->backend));
	return true;
}

/* ---- claims ---- */

static bool
asks(const struct desired_unit *u, const struct label_endpoint *ep)
{
	return has_rule(ep) || ep->settings.backend.len > 0 || ep->refusal.is_refused ||
	       u->set->enable == LABEL_ENABLE_YES || (u->source != NULL && u->source->expose_by_default);
}

static bool
judge_claim(struct maker *m, const struct desired_unit *u, struct desired_claim *c)
{
	struct desired_labels *l = m->labels;
	const struct label_refusal *refusal = &c->endpoint->refusal;

	if (c->endpoint->is_disabled)
		return exclude(l, c, REASON_DISABLED, "a label of the endpoint says enable=false");
	if (refusal->is_refused)
		return exclude(
		    l, c, refusal->is_bad ? REASON_BAD_LABEL : REASON_UNHONOURED, STR_FMT, STR_ARG(refusal->message));
	if (!find_routers(m, u, c) || !name_backend(m, u, c))
		return false;
	if (c->reason != REASON_NONE)
		return true;
	if (!judge_routers(m, c))
		return false;
	if (c->reason != REASON_NONE || c->n_routers > 0 || c->endpoint->settings.backend.len > 0)
		return true;
	if (u->set->enable != LABEL_ENABLE_YES)
		return exclude(l, c, REASON_NO_ROUTE,
		    "it is exposed without a rule: give it the label rollcall.rule, or set "
		    "haproxy.managed.default_rule");
	c->shown = REASON_NO_ROUTE;
	return arena_say(l->arena, &c->message,
	    "no call is led to backend `" STR_FMT
	    "`: give it the label rollcall.rule, or set haproxy.managed.default_rule",
	    STR_ARG(c->backend));
}

/* An entry takes it: labels add routes to the entry's backend, and other backends by name. */
static bool
is_wanted(const struct desired_unit *u, const struct label_endpoint *ep)
{
	if (u->entry != NULL)
		return has_rule(ep) || ep->settings.backend.len > 0;
	return asks(u, ep);
}

static bool
make_claims(struct maker *m, struct desired_unit *u)
{
	const struct conf_policy *defaults = &m->labels->context->conf->defaults;

	u->claims = ARENA_ARRAY(m->labels->arena, struct desired_claim, u->set->n_endpoints);
	if (u->claims == NULL)
		return false;
	if (u->set->enable == LABEL_ENABLE_NO || u->is_constrained || !u->is_admitted)
		return true;
	for (size_t i = 0; i < u->set->n_endpoints; i++) {
		struct desired_claim *c = &u->claims[u->n_claims];

		if (!is_wanted(u, &u->set->endpoints[i]))
			continue;
		*c = (struct desired_claim){
			.endpoint = &u->set->endpoints[i], .policy = *defaults, .message = STR("")
		};
		desired_label_policy(c->endpoint, u->set->is_traefik, NULL, &c->policy);
		u->n_claims++;
		if (!judge_claim(m, u, c))
			return false;
	}
	return true;
}

/* ---- which tasks stand behind it ---- */

static bool
has_run(const struct roster_task *t)
{
	return t->started_ms != 0 || t->last_status == ROSTER_RUNNING;
}

static int
created_cmp(const struct roster_task *a, const struct roster_task *b)
{
	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms ? -1 : 1;
	return str_cmp(a->arn, b->arn);
}

static void
count_task(struct desired_labels *l, struct desired_unit *u, const struct roster_task *t)
{
	bool runs = desired_verdict_is_holder(t), is_gone = desired_verdict_is_over(t) && t->ended_wall_ms != 0;
	int64_t end_ms = is_gone ? t->ended_wall_ms + DESIRED_GRACE_MS : INT64_MAX;

	if (u->newest == NULL || (runs && !u->newest_runs) ||
	    (runs == u->newest_runs && created_cmp(u->newest, t) < 0)) {
		u->newest = t;
		u->newest_runs = runs;
	}
	if (!has_run(t) || end_ms <= l->context->now_wall_ms)
		return;
	u->is_exposing = true;
	if (u->until_ms < end_ms)
		u->until_ms = end_ms;
}

/* ---- collecting ---- */

static bool
make_unit(struct maker *m, const struct roster_task *t, const struct key *k, struct desired_unit **ret)
{
	struct desired_labels *l = m->labels;
	struct desired_unit *u = ARENA_NEW(l->arena, struct desired_unit), **place;

	if (u == NULL || (place = plan_list_add(&l->units)) == NULL)
		return false;
	*place = *ret = u;
	*u = (struct desired_unit){
		.cluster = m->cluster,
		.source = m->source,
		.definition = t->definition,
		.container = taskdef_container(t->definition, k->container),
		.service = k->service,
		.is_admitted = m->source != NULL && desired_select_admits(m->source, k->service),
	};
	if (!label_read(l->arena, &m->rules, u->container->labels, u->container->n_labels, &u->set))
		return false;
	if (m->constraint != NULL)
		u->is_constrained =
		    !label_constraint_admits(m->constraint, u->container->labels, u->container->n_labels);
	return find_entry(m, u, t) && make_claims(m, u);
}

static bool
collect_task(struct maker *m, const struct roster_task *t)
{
	struct key key = { .cluster = m->cluster, .definition = t->definition };
	struct desired_unit **slot;

	if (t->definition == NULL || t->n_containers == 0)
		return true;
	if (!desired_select_service_name(m->labels->arena, t, &key.service))
		return false;
	for (size_t i = 0; i < t->n_containers; i++) {
		key.container = t->containers[i].name;
		if (taskdef_container(t->definition, key.container) == NULL)
			continue;
		slot = slot_of(m->labels, &key);
		if (*slot == NULL && !make_unit(m, t, &key, slot))
			return false;
		count_task(m->labels, *slot, t);
	}
	return true;
}

/* A constraint that is none was a fault of the configuration; here it keeps all out.  One for which
 * there is no memory keeps nobody out: nothing is derived. */
static bool
open_constraint(struct maker *m)
{
	static const struct str nobody = { "Label(`rollcall.nothing`,`is admitted`)", 39 };
	enum err_code code;

	if (m->source == NULL || m->source->constraints.len == 0)
		return true;
	code = label_constraint_make(m->source->constraints, &m->constraint, NULL);
	if (code != ERR_OK && code != ERR_NOMEM)
		code = label_constraint_make(nobody, &m->constraint, NULL);
	return code == ERR_OK;
}

static bool
collect_cluster(struct desired_labels *l, const struct roster_cluster *c)
{
	const struct conf *conf = l->context->conf;
	struct maker m = {
		.labels = l,
		.cluster = c,
		.source = desired_select_source(conf, c),
		.by_cluster.entries = ARENA_ARRAY(l->scratch, const struct conf_backend *, conf->n_backends),
		.by_service.entries = ARENA_ARRAY(l->scratch, const struct conf_backend *, conf->n_backends),
		.rules = { .allow_unhonoured = conf->haproxy.allow_unhonoured,
		    .entrypoints = conf->haproxy.entrypoints },
	};
	bool ok = m.by_cluster.entries != NULL && m.by_service.entries != NULL && open_constraint(&m);

	if (m.source != NULL)
		m.rules.dialects = m.source->labels;
	if (ok)
		desired_select_by_cluster(conf, c, &m.by_cluster);
	for (size_t i = 0; ok && c->facts != NULL && i < c->facts->n_tasks; i++)
		ok = collect_task(&m, &c->facts->tasks[i]);
	label_constraint_free(m.constraint);
	return ok;
}

/* ---- names, between all ---- */

struct name_claim {
	struct desired_unit *unit;
	struct desired_claim *claim;
};

/* By configuration, service, container, endpoint: whoever comes first has the name. */
static int
identity_cmp(const struct name_claim *a, const struct name_claim *b)
{
	int order = (a->unit->cluster > b->unit->cluster) - (a->unit->cluster < b->unit->cluster);

	if (order == 0)
		order = str_cmp(a->unit->service, b->unit->service);
	if (order == 0)
		order = str_cmp(a->unit->container->name, b->unit->container->name);
	return order != 0 ? order : str_cmp(a->claim->endpoint->name, b->claim->endpoint->name);
}

static bool
is_chosen(const struct name_claim *n)
{
	return n->claim->endpoint->settings.backend.len > 0;
}

/* Who has the name of itself before those whose labels chose it: no label takes the backend of
 * another from it.  Among one's own the newest task first. */
static int
by_name(const void *a, const void *b)
{
	const struct name_claim *x = a, *y = b;
	int order = str_cmp(x->claim->backend, y->claim->backend);

	if (order == 0)
		order = is_chosen(x) - is_chosen(y);
	if (order == 0)
		order = identity_cmp(x, y);
	if (order == 0 && x->unit->newest_runs != y->unit->newest_runs)
		order = x->unit->newest_runs ? -1 : 1;
	return order != 0 ? order : created_cmp(y->unit->newest, x->unit->newest);
}

/* May b have the backend that a has? */
static bool
may_share(const struct name_claim *a, const struct name_claim *b)
{
	if (identity_cmp(a, b) == 0)
		return true;
	return a->unit->cluster == b->unit->cluster && is_chosen(b);
}

static bool
refuse_name(struct desired_labels *l, const struct name_claim *owner, const struct name_claim *n)
{
	n->claim->reason = REASON_NAME_CONFLICT;
	return arena_say(l->arena, &n->claim->message,
	    "backend `" STR_FMT "` is that of container `" STR_FMT "` of `" STR_FMT "` in cluster `" STR_FMT
	    "`: give one of them another name with the label rollcall.backend",
	    STR_ARG(n->claim->backend), STR_ARG(owner->unit->container->name), STR_ARG(owner->unit->service),
	    STR_ARG(arn_cluster_name(owner->unit->cluster->name)));
}

/* What is said of the backend as such is said by the most recently created task that runs. */
static void
speak_for(struct conf_backend *made, const struct name_claim *n, const struct desired_unit **speaker)
{
	const struct desired_unit *u = n->unit;

	if (*speaker != NULL &&
	    ((*speaker)->newest_runs > u->newest_runs ||
		((*speaker)->newest_runs == u->newest_runs && created_cmp((*speaker)->newest, u->newest) >= 0)))
		return;
	*speaker = u;
	made->policy = n->claim->policy;
}

/* But for this: its calls reach any service that has joined, so each must say that they may be
 * executed twice.  For one service its newest task that runs does. */
static bool
all_are_idempotent(const struct name_claim *owner, const struct name_claim *list, size_t n)
{
	const struct name_claim *word = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!list[i].unit->is_exposing || !may_share(owner, &list[i]) ||
		    (word != NULL && identity_cmp(word, &list[i]) == 0))
			continue;
		word = &list[i];
		if (!word->claim->endpoint->settings.is_idempotent)
			return false;
	}
	return true;
}

/* The first whose task has run: a revision that never does takes no name. */
static const struct name_claim *
owner_of(const struct name_claim *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].unit->is_exposing)
			return &list[i];
	return &list[0];
}

static bool
settle_name(struct desired_labels *l, const struct name_claim *list, size_t n)
{
	struct conf_backend made = {
		.name = list[0].claim->backend,
		.match = { STR("*"), STR("*"), STR("*"), STR("*") },
		.managed = true,
		.rule = STR(""),
	};
	const struct name_claim *owner = owner_of(list, n);
	const struct desired_unit *speaker = NULL;

	for (size_t i = 0; i < n; i++) {
		if (may_share(owner, &list[i])) {
			if (list[i].unit->is_exposing)
				speak_for(&made, &list[i], &speaker);
		} else if (!refuse_name(l, owner, &list[i])) {
			return false;
		}
	}
	made.retries_idempotent = all_are_idempotent(owner, list, n);
	if (speaker != NULL)
		l->made[l->n_made++] = made;
	return true;
}

static size_t
list_names(struct desired_labels *l, struct name_claim *ret)
{
	struct desired_unit **units = l->units.items;
	size_t n = 0;

	for (size_t i = 0; i < l->units.n; i++)
		for (size_t k = 0; k < units[i]->n_claims; k++) {
			struct desired_claim *c = &units[i]->claims[k];

			if (c->reason != REASON_NONE || c->is_joined)
				continue;
			if (ret != NULL)
				ret[n] = (struct name_claim){ units[i], c };
			n++;
		}
	return n;
}

static bool
settle_names(struct desired_labels *l)
{
	size_t n = list_names(l, NULL), end;
	struct name_claim *list = ARENA_ARRAY(l->scratch, struct name_claim, n + 1);

	l->made = ARENA_ARRAY(l->arena, struct conf_backend, n + 1);
	if (list == NULL || l->made == NULL)
		return false;
	(void)list_names(l, list);
	if (n > 0)
		qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && str_eq(list[end].claim->backend, list[i].claim->backend);)
			end++;
		if (!settle_name(l, list + i, end - i))
			return false;
	}
	return true;
}

static int
by_identity(const void *a, const void *b)
{
	const struct name_claim *x = a, *y = b;
	int order = identity_cmp(x, y);

	return order != 0 ? order : created_cmp(x->unit->newest, y->unit->newest);
}

static void
add_also(struct desired_claim *c, struct str backend)
{
	for (size_t i = 0; i < c->n_also; i++)
		if (str_eq(c->also[i], backend))
			return;
	if (c->n_also < DESIRED_ALSO_MAX && !str_eq(c->backend, backend))
		c->also[c->n_also++] = backend;
}

/* Within an endpoint, from the oldest revision on. */
static bool
join_the_old(struct desired_labels *l)
{
	size_t n = list_names(l, NULL), first = 0;
	struct name_claim *list = ARENA_ARRAY(l->scratch, struct name_claim, n + 1);

	if (list == NULL)
		return false;
	(void)list_names(l, list);
	if (n > 0)
		qsort(list, n, sizeof(*list), by_identity);
	for (size_t i = 0; i < n; i++) {
		if (identity_cmp(&list[first], &list[i]) != 0)
			first = i;
		for (size_t k = first; k < i; k++)
			if (list[k].unit->is_exposing)
				add_also(list[i].claim, list[k].claim->backend);
	}
	return true;
}

static int
by_backend(const void *a, const void *b)
{
	const struct conf_backend *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

/* Backends of haproxy.cfg that no entry names, and labels may join. */
static bool
list_joined(struct desired_labels *l)
{
	const struct conf *conf = l->context->conf;
	struct desired_unit **units = l->units.items;

	l->joined =
	    ARENA_ARRAY(l->arena, struct conf_backend, conf->haproxy.allow_backends.n * LABEL_ENDPOINTS_MAX + 1);
	if (l->joined == NULL)
		return false;
	for (size_t i = 0; i < l->units.n; i++)
		for (size_t k = 0; k < units[i]->n_claims; k++) {
			const struct desired_claim *c = &units[i]->claims[k];
			struct conf_backend b = { .name = c->backend, .policy = conf->defaults, .rule = STR("") };

			if (c->reason != REASON_NONE || !c->is_joined || !units[i]->is_exposing ||
			    conf_backend_by_name(conf, b.name) != NULL ||
			    l->n_joined == conf->haproxy.allow_backends.n * LABEL_ENDPOINTS_MAX)
				continue;
			if (bsearch(&b, l->joined, l->n_joined, sizeof(b), by_backend) != NULL)
				continue;
			l->joined[l->n_joined++] = b;
			qsort(l->joined, l->n_joined, sizeof(b), by_backend);
		}
	return true;
}

static void
count_fates(struct desired_labels *l)
{
	struct desired_unit **units = l->units.items;

	for (size_t i = 0; i < l->units.n; i++)
		for (enum label_fate fate = 0; units[i]->newest_runs && fate < LABEL_N_FATES; fate++)
			l->counts[fate] += units[i]->set->counts[fate];
}

bool
desired_labels_make(struct desired_labels *l)
{
	l->units = PLAN_LIST_OF(struct desired_unit *);
	l->next_wall_ms = INT64_MAX;
	if (!make_table(l))
		return false;
	for (size_t i = 0; i < l->roster->n_clusters; i++)
		if (!collect_cluster(l, &l->roster->clusters[i]))
			return false;
	count_fates(l);
	return settle_names(l) && join_the_old(l) && list_joined(l) && desired_routes_settle(l);
}

void
desired_labels_free(struct desired_labels *l)
{
	plan_list_free(&l->units);
}
