/*
 * From roster and configuration to candidates and endpoints: see desired.h.
 *
 * Four steps: walk over all containers and the entries that take them (drafts of
 * candidates, rows of endpoints); settle who holds an address that several tasks
 * have had; weigh; freeze the result into one arena.
 */
#include "config.h"

#include <stdlib.h>

#include "base/arena_say.h"
#include "conf/conf_retire.h"
#include "ecs/arn.h"
#include "plan/desired.h"
#include "plan/desired_label.h"
#include "plan/desired_port.h"
#include "plan/desired_select.h"
#include "plan/desired_settle.h"
#include "plan/desired_share.h"
#include "plan/desired_verdict.h"
#include "plan/plan_list.h"

#define DRAIN_DEFAULT_MS INT64_C(30000)
#define NO_DRAFT         SIZE_MAX
#define PLACES_MAX       64 /* of a container whose port is not known; a range may hold more than anybody serves */

struct row { /* of an endpoint; exposed, reason and message come from its draft, if it has one */
	struct desired_endpoint endpoint;
	size_t draft;
	enum reason shown; /* it is served, and yet this is to be said; NONE: nothing */
};

/* Everything on the way from the inputs to the result. */
struct derive {
	const struct desired_context *context;
	const struct conf *conf;
	struct roster *roster;
	struct arena *arena;   /* of the result */
	struct arena *scratch; /* of this call */
	struct desired_labels *labels;
	size_t *backend_of; /* by entry: entries of one name share a backend */
	struct desired_backend *backends;
	size_t n_backends, first_made, end_made; /* those between them labels made; nobody asks for those after */
	struct plan_list drafts, rows, shadows;
	struct desired_draft **order;        /* of drafts, sorted */
	struct str own_service, own_cluster; /* rollcall's; may be empty */
};

/* Where the walk stands. */
struct place {
	const struct roster_cluster *cluster;
	const struct conf_source *source;
	struct desired_select by_cluster, by_service;
	const struct roster_task *task;
	struct str service;
	struct desired_verdict verdict;
	size_t first_draft, first_row;   /* of this task, of this container */
	const struct desired_unit *unit; /* of this container; null: its definition is not read */
};

/* What takes a container into a backend: an entry, or its labels. */
struct taker {
	const struct conf_backend *entry;  /* null: labels alone */
	const struct desired_claim *claim; /* null: an entry */
	size_t backend;
	struct str name; /* of the backend */
	const struct conf_policy *policy;
	uint16_t label_port;
	bool is_traefik;
};

static void
free_lists_at(struct derive *dv)
{
	plan_list_free(&dv->drafts);
	plan_list_free(&dv->rows);
	plan_list_free(&dv->shadows);
}

/* ---- backends ---- */

static size_t
backend_index(const struct derive *dv, struct str name)
{
	size_t i = 0;

	while (i < dv->n_backends && !str_eq(dv->backends[i].name, name))
		i++;
	return i;
}

static int
by_backend_name(const void *key, const void *item)
{
	const struct str *name = key;
	const struct desired_backend *b = item;

	return str_cmp(*name, b->name);
}

/* That somebody asks for; n_backends: none has this name. */
static size_t
backend_by_name(const struct derive *dv, struct str name)
{
	const struct desired_backend *made = dv->backends + dv->first_made, *hit = NULL;
	size_t i = 0;

	if (dv->end_made > dv->first_made)
		hit = bsearch(&name, made, dv->end_made - dv->first_made, sizeof(*made), by_backend_name);
	if (hit != NULL)
		return (size_t)(hit - dv->backends);
	while (i < dv->first_made && !str_eq(dv->backends[i].name, name))
		i++;
	return i < dv->first_made ? i : dv->n_backends;
}

static void
add_backend(struct derive *dv, const struct conf_backend *conf, bool is_label_made)
{
	dv->backends[dv->n_backends++] =
	    (struct desired_backend){ .conf = conf, .name = conf->name, .is_label_made = is_label_made };
}

/* Of a name that is asked for nothing is held: what takes it now decides. */
static bool
list_held(struct derive *dv)
{
	const struct desired_context *in = dv->context;
	struct conf_backend *held = ARENA_ARRAY(dv->arena, struct conf_backend, in->n_held);
	struct str name;

	for (size_t i = 0; held != NULL && i < in->n_held; i++) {
		if (backend_by_name(dv, in->held[i].name) < dv->end_made)
			continue;
		if (!arena_str(dv->arena, in->held[i].name, &name))
			return false;
		held[i] = conf_retired(name, &dv->conf->defaults, in->held[i].is_managed);
		add_backend(dv, &held[i], false);
	}
	return held != NULL;
}

static bool
list_backends(struct derive *dv)
{
	const struct conf *conf = dv->conf;
	const struct desired_labels *l = dv->labels;

	dv->backend_of = ARENA_ARRAY(dv->scratch, size_t, conf->n_backends);
	dv->backends = ARENA_ARRAY(
	    dv->arena, struct desired_backend, conf->n_backends + l->n_joined + l->n_made + dv->context->n_held);
	if (dv->backend_of == NULL || dv->backends == NULL)
		return false;
	for (size_t i = 0; i < conf->n_backends; i++) {
		size_t at = backend_index(dv, conf->backends[i].name);

		if (at == dv->n_backends)
			add_backend(dv, &conf->backends[i], false);
		dv->backend_of[i] = at;
	}
	for (size_t i = 0; i < l->n_joined; i++)
		add_backend(dv, &l->joined[i], false);
	dv->first_made = dv->n_backends;
	for (size_t i = 0; i < l->n_made; i++)
		add_backend(dv, &l->made[i], true);
	dv->end_made = dv->n_backends;
	return list_held(dv);
}

static size_t
backend_of(const struct derive *dv, const struct conf_backend *entry)
{
	return dv->backend_of[entry - dv->conf->backends];
}

/* ---- rows ---- */

static const struct taker nobody = { .name = { "", 0 } };

static struct row *
add_row(struct derive *dv, const struct place *at, struct str container, const struct taker *by, uint16_t port)
{
	struct row *r = plan_list_add(&dv->rows);

	if (r == NULL)
		return NULL;
	r->draft = NO_DRAFT;
	r->endpoint = (struct desired_endpoint){
		.cluster = at->cluster,
		.task = at->task,
		.container = container,
		.backend = by->name,
		.port = port,
		.message = STR(""),
		.name = by->claim != NULL ? by->claim->endpoint->name : STR(""),
	};
	if (by->claim != NULL && by->claim->shown != REASON_NONE) {
		r->shown = by->claim->shown;
		r->endpoint.message = by->claim->message;
	}
	return r;
}

static bool
add_excluded(struct derive *dv, const struct place *at, struct str container, const struct taker *by, uint16_t port,
    enum reason reason, struct str message)
{
	struct row *r = add_row(dv, at, container, by, port);

	if (r == NULL)
		return false;
	r->endpoint.reason = reason;
	r->endpoint.message = message;
	return true;
}

/* ---- one container and one entry ---- */

static int64_t
drain_timeout_of(const struct conf_policy *policy, const struct roster_task *t, struct str container)
{
	const struct taskdef_container *c = t->definition != NULL ? taskdef_container(t->definition, container) : NULL;

	if (policy->drain_timeout_ms != CONF_DRAIN_AUTO)
		return policy->drain_timeout_ms;
	return c != NULL && c->stop_timeout_ms >= 0 ? c->stop_timeout_ms : DRAIN_DEFAULT_MS;
}

/* The same task, port and backend: by two containers, or by two entries. */
static size_t
find_draft(const struct derive *dv, const struct place *at, size_t backend, uint16_t port)
{
	const struct desired_draft *drafts = dv->drafts.items;

	for (size_t i = at->first_draft; i < dv->drafts.n; i++)
		if (drafts[i].backend == backend && drafts[i].server.port == port)
			return i;
	return NO_DRAFT;
}

static bool
fill_draft(struct derive *dv, const struct place *at, const struct taker *by, struct str container,
    const struct plan_address *key, struct desired_draft *d)
{
	char text[PLAN_ADDRESS_TEXT_SIZE];
	struct desired_server *s = &d->server;

	plan_address_text(key, text);
	d->key = *key;
	d->backend = by->backend;
	d->raw_weight = by->policy->weight;
	d->verdict = at->verdict;
	s->cluster = at->cluster;
	s->task = at->task;
	s->container = container;
	s->port = key->port;
	s->maxconn = by->policy->maxconn;
	s->drain_timeout_ms = drain_timeout_of(by->policy, at->task, container);
	s->policy = by->policy;
	s->spec = desired_spec(s->policy);
	return arena_str(dv->arena, str_from_cstr(text), &s->address) &&
	       desired_server_name(dv->arena, at->task->id, container, key->port, &s->name, NULL) == ERR_OK;
}

static bool
add_candidate(struct derive *dv, const struct place *at, const struct taker *by, struct str container,
    const struct plan_address *key)
{
	size_t found = find_draft(dv, at, by->backend, key->port);
	struct row *r = add_row(dv, at, container, by, key->port);
	struct desired_draft *d;

	if (r == NULL)
		return false;
	r->draft = found != NO_DRAFT ? found : dv->drafts.n;
	if (found != NO_DRAFT)
		return true;
	d = plan_list_add(&dv->drafts);
	return d != NULL && fill_draft(dv, at, by, container, key, d);
}

/* A task on its way has no address yet, and one that is over may have none any
 * more: then its state is the reason, not the address.  key: the one that may not be; null: none. */
static bool
add_unreachable(struct derive *dv, const struct place *at, const struct taker *by, const struct roster_container *c,
    uint16_t port, const struct plan_address *key)
{
	enum reason reason = at->verdict.reason;
	struct str message;
	bool ok;

	if (reason == REASON_NONE) {
		reason = REASON_NO_ADDRESS;
		ok = key != NULL ? desired_port_say_of_haproxy(dv->arena, key, &message)
				 : desired_port_say_unreachable(dv->arena, at->task, c, port, &message);
	} else {
		ok = desired_verdict_say(dv->arena, at->task, at->verdict, NULL, &message);
	}
	return ok && add_excluded(dv, at, c->name, by, port, reason, message);
}

/* Taken, but the port is not known. */
static bool
add_portless(struct derive *dv, const struct place *at, const struct taker *by, const struct roster_container *c,
    const struct desired_port *port)
{
	struct plan_address keys[PLACES_MAX];
	size_t n = at->verdict.is_candidate ? desired_port_places(at->task, c, keys, PLACES_MAX) : 0;

	for (size_t i = 0; i < n; i++) {
		struct desired_shadow *shadow = plan_list_add(&dv->shadows);

		if (shadow == NULL)
			return false;
		*shadow = (struct desired_shadow){ .backend = by->backend, .key = keys[i] };
	}
	return add_excluded(dv, at, c->name, by, 0, port->reason, port->message);
}

static bool
choose_port(
    struct derive *dv, const struct place *at, const struct taker *by, struct str container, struct desired_port *ret)
{
	if (by->entry == NULL || (by->entry->port == 0 && (by->label_port != 0 || by->is_traefik)))
		return desired_port_choose_by_label(
		    dv->arena, by->label_port, by->is_traefik, at->task, container, ret);
	return desired_port_choose(dv->arena, by->entry, at->task, container, ret);
}

/* What is true of the task for good comes before what passes: several ports are
 * worth knowing while it starts, but not once it ends. */
static bool
consider(struct derive *dv, const struct place *at, const struct taker *by, const struct roster_container *c,
    struct str *reterr_sidecar)
{
	struct plan_address key;
	struct desired_port port;
	bool is_over = at->verdict.reason == REASON_STOPPING;

	if (!choose_port(dv, at, by, c->name, &port))
		return false;
	if (port.reason == REASON_NOT_SELECTED) {
		*reterr_sidecar = port.message;
		return true;
	}
	if (port.reason != REASON_NONE && is_over)
		return add_unreachable(dv, at, by, c, 0, NULL);
	if (port.reason != REASON_NONE)
		return add_portless(dv, at, by, c, &port);
	if (!at->verdict.is_candidate || !desired_port_reach(at->task, c, port.port, &key))
		return add_unreachable(dv, at, by, c, port.port, NULL);
	if (desired_port_is_of_haproxy(&dv->conf->haproxy, &key))
		return add_unreachable(dv, at, by, c, port.port, &key);
	return add_candidate(dv, at, by, c->name, &key);
}

/* ---- the walk ---- */

static bool
say_not_selected(struct derive *dv, const struct place *at, struct str container, struct str *ret)
{
	struct str cluster = at->cluster->name;

	if (at->source == NULL)
		return arena_say(dv->arena, ret, "its source `" STR_FMT "` is not in the configuration any more",
		    STR_ARG(at->cluster->source));
	if (!desired_select_admits(at->source, at->service))
		return arena_say(dv->arena, ret, "`services` of source `" STR_FMT "` does not have `" STR_FMT "`",
		    STR_ARG(at->source->name), STR_ARG(at->service));
	return arena_say(dv->arena, ret,
	    "no backends entry matches container `" STR_FMT "` of `" STR_FMT "` in cluster `" STR_FMT
	    "`: add one, or widen its `match`",
	    STR_ARG(container), STR_ARG(at->service), STR_ARG(cluster));
}

/* ---- labels ---- */

/* The endpoint that is the container as such. */
static const struct label_endpoint *
own_endpoint(const struct place *at)
{
	const struct label_set *set = at->unit != NULL ? at->unit->set : NULL;

	if (set == NULL || set->is_empty || set->endpoints[0].name.len > 0)
		return NULL;
	return &set->endpoints[0];
}

/* Its own keys beat a label, which beats the defaults. */
static bool
taker_of_entry(struct derive *dv, const struct place *at, const struct conf_backend *entry, struct taker *ret)
{
	const struct label_endpoint *ep = own_endpoint(at);
	struct conf_policy *policy;

	*ret = (struct taker){
		.entry = entry, .backend = backend_of(dv, entry), .name = entry->name, .policy = &entry->policy
	};
	if (ep == NULL)
		return true;
	ret->label_port = ep->settings.port;
	ret->is_traefik = at->unit->set->is_traefik;
	if (ep->settings.policy.set == 0 && !ret->is_traefik)
		return true;
	policy = ARENA_NEW(dv->arena, struct conf_policy);
	if (policy == NULL)
		return false;
	*policy = entry->policy;
	desired_label_policy(ep, ret->is_traefik, entry, policy);
	ret->policy = policy;
	return true;
}

static bool
consider_claim(
    struct derive *dv, const struct place *at, const struct desired_claim *claim, const struct roster_container *c)
{
	struct str sidecar;
	struct taker by = {
		.claim = claim,
		.backend = backend_by_name(dv, claim->backend),
		.name = claim->backend,
		.policy = &claim->policy,
		.label_port = claim->endpoint->settings.port,
		.is_traefik = at->unit->set->is_traefik,
	};

	if (claim->reason == REASON_NONE && by.backend < dv->n_backends)
		return consider(dv, at, &by, c, &sidecar);
	if (claim->reason == REASON_NONE || at->verdict.reason == REASON_STOPPING) /* it has not run, or runs no more */
		return add_unreachable(dv, at, &by, c, 0, NULL);
	return add_excluded(dv, at, c->name, &by, 0, claim->reason, claim->message);
}

static bool
consider_also(
    struct derive *dv, const struct place *at, const struct desired_claim *claim, const struct roster_container *c)
{
	struct str sidecar;

	for (size_t i = 0; claim->reason == REASON_NONE && i < claim->n_also; i++) {
		struct taker by = {
			.claim = claim,
			.backend = backend_by_name(dv, claim->also[i]),
			.name = claim->also[i],
			.policy = &claim->policy,
			.label_port = claim->endpoint->settings.port,
			.is_traefik = at->unit->set->is_traefik,
		};

		if (by.backend < dv->n_backends && !consider(dv, at, &by, c, &sidecar))
			return false;
	}
	return true;
}

static bool
walk_entries(struct derive *dv, const struct place *at, const struct roster_container *c, struct str *ret_sidecar)
{
	for (size_t i = 0; i < at->by_service.n; i++) {
		const struct conf_backend *entry = at->by_service.entries[i];
		struct taker by;

		if (!str_glob(entry->match.container, c->name))
			continue;
		if (!taker_of_entry(dv, at, entry, &by) || !consider(dv, at, &by, c, ret_sidecar))
			return false;
	}
	return true;
}

/* An entry's own backend is walked already; labels add routes to it, and other backends. */
static bool
walk_claims(struct derive *dv, const struct place *at, const struct roster_container *c)
{
	const struct desired_unit *u = at->unit;

	for (size_t i = 0; u != NULL && i < u->n_claims; i++) {
		const struct desired_claim *claim = &u->claims[i];

		if (u->entry != NULL && claim->endpoint->settings.backend.len == 0 && claim->reason == REASON_NONE)
			continue;
		if (!consider_claim(dv, at, claim, c) || !consider_also(dv, at, claim, c))
			return false;
	}
	return true;
}

static bool
say_why_not(struct derive *dv, const struct place *at, struct str container, enum reason *ret, struct str *ret_message)
{
	const struct desired_unit *u = at->unit;

	*ret = REASON_NOT_SELECTED;
	if (u == NULL || !u->is_admitted)
		return say_not_selected(dv, at, container, ret_message);
	if (u->set->enable == LABEL_ENABLE_NO) {
		*ret = REASON_DISABLED;
		return arena_say(
		    dv->arena, ret_message, "its labels say enable=false, and no backends entry matches it");
	}
	return say_not_selected(dv, at, container, ret_message);
}

static bool
walk_container(struct derive *dv, struct place *at, const struct roster_container *c)
{
	enum reason reason = REASON_NOT_SELECTED;
	struct str message = STR("");

	at->first_row = dv->rows.n;
	at->unit = desired_labels_find(dv->labels, at->cluster, at->task, c->name);
	if (at->unit != NULL && at->unit->is_constrained)
		return arena_say(dv->arena, &message, "`constraints` of source `" STR_FMT "` keep it out",
			   STR_ARG(at->source->name)) &&
		       add_excluded(dv, at, c->name, &nobody, 0, REASON_CONSTRAINT, message);
	if (!walk_entries(dv, at, c, &message) || !walk_claims(dv, at, c))
		return false;
	if (dv->rows.n > at->first_row)
		return true;
	if (message.len == 0 && !say_why_not(dv, at, c->name, &reason, &message))
		return false;
	return add_excluded(dv, at, c->name, &nobody, 0, reason, message);
}

static bool
walk_bare_task(struct derive *dv, const struct place *at)
{
	enum reason reason = at->verdict.reason;
	struct str message = STR("ECS names no containers of it");

	if (reason == REASON_NONE)
		reason = REASON_NO_ADDRESS;
	else if (!desired_verdict_say(dv->arena, at->task, at->verdict, NULL, &message))
		return false;
	return add_excluded(dv, at, STR(""), &nobody, 0, reason, message);
}

/* ---- rollcall's own task and service, which never serve ---- */

/* Our task may be of a service that only the roster knows. */
static void
find_self(struct derive *dv)
{
	const struct roster_self *self = &dv->roster->self;

	dv->own_service = self->service;
	dv->own_cluster = arn_cluster_name(self->cluster);
	for (size_t i = 0; self->task_arn.len > 0 && i < dv->roster->n_clusters; i++) {
		const struct roster_task *t = roster_facts_find(dv->roster->clusters[i].facts, self->task_arn);

		if (t != NULL && t->service.len > 0)
			dv->own_service = t->service;
	}
}

/* Of the same account and region: all of the ARN but what names the task, and its cluster. */
static bool
is_beside(const struct roster_self *self, const struct roster_task *t)
{
	struct arn own, other;

	return arn_parse(self->task_arn, &own) && arn_parse(t->arn, &other) && str_eq(own.account, other.account) &&
	       str_eq(own.region, other.region) && str_eq(own.partition, other.partition);
}

static bool
is_self(const struct derive *dv, const struct place *at)
{
	const struct roster_self *self = &dv->roster->self;
	struct str cluster = at->cluster->arn.len > 0 ? at->cluster->arn : at->cluster->name;

	if (self->task_arn.len == 0)
		return false;
	if (str_eq(at->task->arn, self->task_arn))
		return true;
	return dv->own_service.len > 0 && str_eq(at->task->service, dv->own_service) &&
	       str_eq(arn_cluster_name(cluster), dv->own_cluster) && is_beside(self, at->task);
}

static bool
walk_self(struct derive *dv, const struct place *at)
{
	const struct roster_task *t = at->task;
	struct str message;

	if (!arena_say(dv->arena, &message, "it is %s, which never serves",
		str_eq(t->arn, dv->roster->self.task_arn) ? "rollcall's own task" : "a task of rollcall's own service"))
		return false;
	for (size_t i = 0; i < t->n_containers; i++)
		if (!add_excluded(dv, at, t->containers[i].name, &nobody, 0, REASON_SELF, message))
			return false;
	return t->n_containers > 0 || add_excluded(dv, at, STR(""), &nobody, 0, REASON_SELF, message);
}

static bool
walk_task(struct derive *dv, struct place *at)
{
	bool require_healthy = at->source != NULL && at->source->require_healthy;

	at->first_draft = dv->drafts.n;
	at->verdict = desired_verdict_of(at->task, require_healthy);
	if (!desired_select_service_name(dv->scratch, at->task, &at->service))
		return false;
	if (is_self(dv, at))
		return walk_self(dv, at);
	at->by_service.n = 0;
	if (at->source != NULL && desired_select_admits(at->source, at->service))
		desired_select_by_service(&at->by_cluster, at->service, &at->by_service);
	if (at->task->n_containers == 0)
		return walk_bare_task(dv, at);
	for (size_t i = 0; i < at->task->n_containers; i++)
		if (!walk_container(dv, at, &at->task->containers[i]))
			return false;
	return true;
}

static bool
walk_cluster(struct derive *dv, struct place *at)
{
	const struct roster_facts *facts = at->cluster->facts;

	at->source = desired_select_source(dv->conf, at->cluster);
	desired_select_by_cluster(dv->conf, at->cluster, &at->by_cluster);
	for (size_t i = 0; facts != NULL && i < facts->n_tasks; i++) {
		at->task = &facts->tasks[i];
		if (!walk_task(dv, at))
			return false;
	}
	return true;
}

static bool
walk(struct derive *dv)
{
	size_t n = dv->conf->n_backends;
	struct place at = {
		.by_cluster.entries = ARENA_ARRAY(dv->scratch, const struct conf_backend *, n),
		.by_service.entries = ARENA_ARRAY(dv->scratch, const struct conf_backend *, n),
	};

	if (at.by_cluster.entries == NULL || at.by_service.entries == NULL)
		return false;
	find_self(dv);
	for (size_t i = 0; i < dv->roster->n_clusters; i++) {
		at.cluster = &dv->roster->clusters[i];
		if (!walk_cluster(dv, &at))
			return false;
	}
	return true;
}

/* ---- who holds an address ---- */

static bool
settle(struct derive *dv)
{
	struct desired_draft *drafts = dv->drafts.items;

	dv->order = ARENA_ARRAY(dv->scratch, struct desired_draft *, dv->drafts.n);
	if (dv->order == NULL)
		return false;
	for (size_t i = 0; i < dv->drafts.n; i++)
		dv->order[i] = &drafts[i];
	desired_settle(dv->order, dv->drafts.n, dv->shadows.items, dv->shadows.n);
	return true;
}

/* ---- weights ---- */

static bool
is_serving(const struct desired_draft *d)
{
	return !d->is_copy && d->verdict.want == DESIRED_SERVE;
}

static bool
weigh(struct derive *dv, struct desired_backend *b, struct desired_draft **group, size_t n)
{
	unsigned *weights = ARENA_ARRAY(dv->scratch, unsigned, n);
	struct desired_draft **serving = ARENA_ARRAY(dv->scratch, struct desired_draft *, n);
	size_t k = 0;

	if (weights == NULL || serving == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_serving(group[i]))
			serving[k++] = group[i];
	if (!desired_share_weigh(dv->arena, dv->scratch, serving, k, weights, &b->shares, &b->n_shares))
		return false;
	for (size_t i = 0; i < k; i++)
		serving[i]->server.weight = weights[i];
	return true;
}

/* ---- the result ---- */

static int
by_name(const void *a, const void *b)
{
	const struct desired_draft *x = *(struct desired_draft *const *)a, *y = *(struct desired_draft *const *)b;
	int order = desired_settle_backend_cmp(x, y);

	if (order == 0)
		order = str_cmp(x->server.name, y->server.name);
	return order != 0 ? order : str_cmp(x->server.task->arn, y->server.task->arn);
}

static void
freeze_server(const struct desired_draft *d, struct desired_server *ret)
{
	*ret = d->server;
	ret->want = d->verdict.want;
	ret->evidence = d->verdict.evidence;
	ret->streams_run_on = d->verdict.evidence == EVIDENCE_REPLACED;
}

static bool
freeze_backend(struct derive *dv, struct desired_backend *b, struct desired_draft **group, size_t n)
{
	struct desired_server *servers = ARENA_ARRAY(dv->arena, struct desired_server, n);

	if (servers == NULL || !weigh(dv, b, group, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (group[i]->is_copy)
			continue;
		freeze_server(group[i], &servers[b->n_servers++]);
		b->n_serve += is_serving(group[i]) ? 1 : 0;
	}
	b->servers = servers;
	return true;
}

static bool
freeze_backends(struct derive *dv)
{
	size_t i = 0;

	if (dv->drafts.n > 0)
		qsort(dv->order, dv->drafts.n, sizeof(struct desired_draft *), by_name);
	for (size_t b = 0; b < dv->n_backends; b++) {
		size_t first = i;

		while (i < dv->drafts.n && dv->order[i]->backend == b)
			i++;
		if (!freeze_backend(dv, &dv->backends[b], dv->order + first, i - first))
			return false;
	}
	return true;
}

static bool
freeze_endpoint(struct derive *dv, const struct row *r, struct desired_endpoint *ret)
{
	const struct desired_draft *drafts = dv->drafts.items, *d;

	*ret = r->endpoint;
	if (r->draft == NO_DRAFT)
		return true;
	d = &drafts[r->draft];
	ret->reason = d->verdict.reason;
	ret->exposed = ret->reason == REASON_NONE && r->shown == REASON_NONE;
	if (ret->reason == REASON_NONE && r->shown != REASON_NONE) {
		ret->reason = r->shown; /* it has its message */
		return true;
	}
	return ret->exposed || desired_verdict_say(dv->arena, ret->task, d->verdict, d->by, &ret->message);
}

static bool
is_read(const struct roster_cluster *c)
{
	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++)
		if (c->facts->tasks[i].definition == NULL && desired_verdict_is_holder(&c->facts->tasks[i]))
			return false;
	return c->was_read;
}

static bool
all_are_read(const struct roster *r)
{
	for (size_t i = 0; i < r->n_clusters; i++)
		if (!is_read(&r->clusters[i]))
			return false;
	return true;
}

static bool
freeze(struct derive *dv, struct desired *d)
{
	const struct row *rows = dv->rows.items;
	struct desired_endpoint *endpoints = ARENA_ARRAY(dv->arena, struct desired_endpoint, dv->rows.n);

	if (endpoints == NULL || !freeze_backends(dv))
		return false;
	for (size_t i = 0; i < dv->rows.n; i++)
		if (!freeze_endpoint(dv, &rows[i], &endpoints[i]))
			return false;
	d->backends = dv->backends;
	d->n_backends = dv->n_backends;
	d->endpoints = endpoints;
	d->n_endpoints = dv->rows.n;
	d->routes = dv->labels->routes;
	d->n_routes = dv->labels->n_routes;
	d->rivals = dv->labels->rivals;
	d->n_rivals = dv->labels->n_rivals;
	d->routes_are_cut = dv->labels->routes_are_cut;
	d->labels = dv->labels;
	d->labels_are_known = all_are_read(dv->roster);
	d->contest = (struct ecs_contest){
		.services = dv->labels->contested, .n = dv->labels->n_contested, .is_whole = d->labels_are_known
	};
	d->next_wall_ms = dv->labels->next_wall_ms;
	return true;
}

/* What outlives the call of it is in the arena; what pointed to the caller's is not to be asked any more. */
static void
close_labels(struct desired_labels *l)
{
	desired_labels_free(l);
	l->context = NULL;
	l->scratch = NULL;
}

static bool
make_labels(struct derive *dv, const struct desired_context *in)
{
	dv->labels = ARENA_NEW(dv->arena, struct desired_labels);
	if (dv->labels == NULL)
		return false;
	dv->labels->context = in;
	dv->labels->roster = dv->roster;
	dv->labels->arena = dv->arena;
	dv->labels->scratch = dv->scratch;
	return desired_labels_make(dv->labels);
}

enum err_code
desired_derive_in(const struct desired_context *in, struct roster *roster, struct desired **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(DESIRED_ARENA_MAX);
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(DESIRED_ARENA_MAX);
	struct derive dv CLEANUP(free_lists_at) = {
		.context = in,
		.conf = in->conf,
		.roster = roster,
		.arena = a,
		.scratch = scratch,
		.drafts = PLAN_LIST_OF(struct desired_draft),
		.rows = PLAN_LIST_OF(struct row),
		.shadows = PLAN_LIST_OF(struct desired_shadow),
	};
	struct desired *d = a != NULL ? ARENA_NEW(a, struct desired) : NULL;
	bool ok = d != NULL && scratch != NULL && make_labels(&dv, in) && list_backends(&dv) && walk(&dv) &&
		  settle(&dv) && freeze(&dv, d);

	if (dv.labels != NULL)
		close_labels(dv.labels);
	if (!ok)
		return err_set(
		    e, ERR_NOMEM, "what should serve: out of memory, or over %zu MiB", DESIRED_ARENA_MAX >> 20);
	d->roster = roster_ref(roster);
	d->arena = MOVE(a);
	*ret = d;
	return ERR_OK;
}

enum err_code
desired_derive(const struct conf *conf, struct roster *roster, struct desired **ret, struct err *e)
{
	const struct desired_context in = { .conf = conf };

	return desired_derive_in(&in, roster, ret, e);
}
