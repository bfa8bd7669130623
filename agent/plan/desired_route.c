/*
 * Routes, settled: see desired_label.h.
 *
 * One place of an entrypoint's map leads to one backend.  A managed entry of the configuration
 * has it before any label.  Within a service the most recently created task that runs
 * decides; between services the higher priority, then the older one (those of no known age come
 * last), then the name.  How old they are is asked only of those between whom it decides
 * (desired.contest); until AWS has answered, whoever has the place keeps it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena_say.h"
#include "ecs/arn.h"
#include "plan/desired_label.h"

struct route_claim {
	struct desired_route route;
	const struct desired_unit *unit; /* null: an entry's */
	struct desired_claim *claim;
};

struct routes {
	struct desired_labels *labels;
	struct plan_list claims;
	struct plan_list rivals; /* of desired_rival */
};

int
desired_route_cmp(const struct desired_route *a, const struct desired_route *b)
{
	int order = str_cmp(a->entrypoint, b->entrypoint);

	if (order == 0)
		order = str_cmp(a->host, b->host);
	if (order == 0)
		order = str_cmp(a->path, b->path);
	return order != 0 ? order : (int)a->is_exact - (int)b->is_exact;
}

/* ---- collecting ---- */

static bool
add_router(struct routes *r, const struct label_router *router, struct route_claim claim)
{
	for (size_t e = 0; e < router->n_entrypoints; e++)
		for (size_t i = 0; i < router->n; i++) {
			struct route_claim *c = plan_list_add(&r->claims);

			if (c == NULL)
				return false;
			*c = claim;
			c->route.entrypoint = router->entrypoints[e];
			c->route.host = router->places[i].host;
			c->route.path = router->places[i].path;
			c->route.is_exact = router->places[i].is_exact;
			c->route.priority = router->priority;
		}
	return true;
}

static bool
is_allowed(const struct routes *r, const struct label_router *router)
{
	const struct conf_list *hosts = &r->labels->context->conf->haproxy.allow_hosts;

	for (size_t i = 0; i < router->n; i++) {
		bool found = false;

		for (size_t k = 0; k < hosts->n && !found; k++)
			found = str_glob(hosts->items[k], router->places[i].host);
		if (!found)
			return false;
	}
	return true;
}

static bool
cut(struct routes *r, struct desired_claim *c)
{
	r->labels->routes_are_cut = true;
	c->shown = REASON_ROUTE_CONFLICT;
	return arena_say(r->labels->arena, &c->message,
	    "labels ask for more than %d routes in all: routes that are there stay, new ones of this container wait",
	    DESIRED_ROUTES_KEPT);
}

static bool
collect_claim(struct routes *r, const struct desired_unit *u, struct desired_claim *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_routers; i++) {
		const struct label_router *router = &c->routers[i];
		struct route_claim claim = { .unit = u, .claim = c };

		n += router->n * router->n_entrypoints;
		if (router->refusal.is_refused || !is_allowed(r, router))
			continue;
		if (n > DESIRED_ROUTES_MAX)
			return true;
		if (r->claims.n > DESIRED_ROUTES_KEPT)
			return cut(r, c);
		claim.route.backend = c->backend;
		claim.route.service = u->service;
		claim.route.source_label = router->label;
		if (!add_router(r, router, claim))
			return false;
	}
	return true;
}

static bool
collect_units(struct routes *r)
{
	struct desired_unit **units = r->labels->units.items;

	for (size_t i = 0; i < r->labels->units.n; i++) {
		if (!units[i]->is_exposing)
			continue;
		if (units[i]->until_ms < r->labels->next_wall_ms)
			r->labels->next_wall_ms = units[i]->until_ms;
		for (size_t k = 0; k < units[i]->n_claims; k++)
			if (units[i]->claims[k].reason == REASON_NONE &&
			    !collect_claim(r, units[i], &units[i]->claims[k]))
				return false;
	}
	return true;
}

/* A rule that is none was a fault of the configuration. */
static bool
collect_entry(struct routes *r, const struct conf_backend *b)
{
	static const struct str by_default = { "default", 7 };
	struct arena *a = r->labels->arena;
	struct label_rule rule = { .unhonoured = STR("") };
	struct label_router router = { .priority = b->priority };
	struct route_claim claim = { .unit = NULL };

	if (!b->managed || b->rule.len == 0 ||
	    label_rule_parse(a, r->labels->scratch, b->rule, false, &rule, NULL) != ERR_OK)
		return true;
	router.places = rule.places;
	router.n = rule.n;
	router.entrypoints = b->entrypoints.n > 0 ? b->entrypoints.items : &by_default;
	router.n_entrypoints = b->entrypoints.n > 0 ? b->entrypoints.n : 1;
	claim.route.backend = b->name;
	claim.route.service = b->match.service;
	claim.route.source_label = STR("backends");
	claim.route.is_entrys = true;
	return add_router(r, &router, claim);
}

/* ---- settling ---- */

static int
by_age(const struct desired_unit *a, const struct desired_unit *b)
{
	if (a->newest_runs != b->newest_runs)
		return a->newest_runs ? -1 : 1;
	if (a->newest->created_ms != b->newest->created_ms)
		return a->newest->created_ms > b->newest->created_ms ? -1 : 1;
	return str_cmp(b->newest->arn, a->newest->arn);
}

static bool
is_one_service(const struct desired_unit *a, const struct desired_unit *b)
{
	return a->cluster == b->cluster && str_eq(a->service, b->service);
}

/* Of one place: an entry, then by configuration and name of the service, then the newest task. */
static int
by_place(const void *a, const void *b)
{
	const struct route_claim *x = a, *y = b;
	int order = desired_route_cmp(&x->route, &y->route);

	if (order != 0)
		return order;
	if (x->unit == NULL || y->unit == NULL)
		return (x->unit != NULL) - (y->unit != NULL);
	if (x->unit->cluster != y->unit->cluster)
		return x->unit->cluster < y->unit->cluster ? -1 : 1;
	order = str_cmp(x->route.service, y->route.service);
	return order != 0 ? order : by_age(x->unit, y->unit);
}

/* ---- between services ---- */

/* What decides between services of the same priority. */
enum deciding { NAMES, AGE, AGE_UNTOLD, NAMES_UNTOLD, NAMES_SO_FAR, PLACE_SO_FAR };

static const char *const decided_by[] = {
	[NAMES] = "the order of names",
	[AGE] = "its age: the older service has it",
	[AGE_UNTOLD] = "its age: AWS does not tell that of this one (ecs:DescribeServices)",
	[NAMES_UNTOLD] = "the order of names: AWS does not tell which service is older (ecs:DescribeServices)",
	[NAMES_SO_FAR] = "the order of names, until AWS tells which service is older",
	[PLACE_SO_FAR] = "having been there before, until AWS tells which service is older",
};

/* Those who may have a place: each service's word on it is its first claim's. */
struct rivals {
	const struct route_claim *group; /* of one place, and of no entry */
	size_t n;
	unsigned priority;
	bool are_services; /* not tasks without one, which come after all services */
};

struct verdict {
	const struct route_claim *won;
	enum deciding by;
	bool is_open; /* as of desired_route */
	struct str led_to;
};

static bool
is_of_service(const struct desired_unit *u)
{
	return u->newest->service.len > 0;
}

static bool
is_word(const struct route_claim *group, size_t i)
{
	return i == 0 || group[i - 1].unit == NULL || !is_one_service(group[i - 1].unit, group[i].unit);
}

static bool
is_rival(const struct rivals *r, size_t i)
{
	const struct route_claim *c = &r->group[i];

	return is_word(r->group, i) && c->route.priority == r->priority && is_of_service(c->unit) == r->are_services;
}

static struct rivals
find_rivals(const struct route_claim *group, size_t n)
{
	struct rivals r = { .group = group, .n = n, .are_services = true };
	bool any = false;

	for (size_t i = 0; i < n; i++)
		if (is_word(group, i) && group[i].route.priority > r.priority)
			r.priority = group[i].route.priority;
	for (size_t i = 0; i < n && !any; i++)
		any = is_rival(&r, i);
	r.are_services = any;
	return r;
}

/* By configuration and name. */
static const struct route_claim *
first_of(const struct rivals *r)
{
	size_t i = 0;

	while (!is_rival(r, i))
		i++;
	return &r->group[i];
}

static bool
all_lead_alike(const struct rivals *r, struct str backend)
{
	for (size_t i = 0; i < r->n; i++)
		if (is_rival(r, i) && !str_eq(r->group[i].route.backend, backend))
			return false;
	return true;
}

static int
contested_cmp(const struct ecs_contest_service *a, const struct ecs_contest_service *b)
{
	int order = str_cmp(a->source, b->source);

	if (order == 0)
		order = str_cmp(a->cluster, b->cluster);
	return order != 0 ? order : str_cmp(a->service, b->service);
}

/* False: there are too many to ask for. */
static bool
note_contested(struct desired_labels *l, const struct desired_unit *u)
{
	const struct ecs_contest_service s = { u->cluster->source, u->cluster->name, u->service };
	size_t low = 0, high = l->n_contested;

	if (l->contested == NULL)
		l->contested = ARENA_ARRAY(l->arena, struct ecs_contest_service, ROSTER_SERVICES_MAX);
	if (l->contested == NULL)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (contested_cmp(&l->contested[middle], &s) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < l->n_contested && contested_cmp(&l->contested[low], &s) == 0)
		return true;
	if (l->n_contested == ROSTER_SERVICES_MAX)
		return false;
	memmove(&l->contested[low + 1], &l->contested[low], (l->n_contested - low) * sizeof(s));
	l->contested[low] = s;
	l->n_contested++;
	return true;
}

/* Of whom AWS tells no age come last; so one more of these moves nobody else. */
static int64_t
age_of(const struct desired_unit *u)
{
	const struct roster_service *s = roster_service_find(u->cluster, u->service);

	return s != NULL && s->created_ms != 0 ? s->created_ms : INT64_MAX;
}

/* Age decides once all are told that will be. */
static enum deciding
ask_ages(struct desired_labels *l, const struct rivals *r)
{
	bool is_open = false, any = false;

	for (size_t i = 0; i < r->n; i++) {
		const struct desired_unit *u = r->group[i].unit;

		if (!is_rival(r, i))
			continue;
		is_open = (note_contested(l, u) && roster_service_find(u->cluster, u->service) == NULL) || is_open;
		any = age_of(u) != INT64_MAX || any;
	}
	return is_open ? NAMES_SO_FAR : any ? AGE : NAMES_UNTOLD;
}

static const struct route_claim *
oldest_of(const struct rivals *r)
{
	const struct route_claim *best = first_of(r);

	for (size_t i = 0; i < r->n; i++)
		if (is_rival(r, i) && age_of(r->group[i].unit) < age_of(best->unit))
			best = &r->group[i];
	return best;
}

/* Of those who have a place by the labels of whatever revision; null: it is none of them. */
static const struct route_claim *
holder_of(const struct rivals *r, struct str backend)
{
	size_t word = 0;

	for (size_t i = 0; i < r->n; i++) {
		word = is_word(r->group, i) ? i : word;
		if (is_rival(r, word) && str_eq(r->group[i].route.backend, backend))
			return &r->group[word];
	}
	return NULL;
}

/* Until AWS tells, whoever has it keeps it.  False: out of memory. */
static bool
decide_by_place(struct desired_labels *l, const struct rivals *r, struct verdict *v)
{
	const struct desired_context *in = l->context;
	const struct route_claim *holder;

	v->is_open = true;
	if (in->leads_to == NULL)
		return true;
	if (!arena_str(l->arena, in->leads_to(in->leads_to_arg, &r->group[0].route), &v->led_to))
		return false;
	holder = holder_of(r, v->led_to);
	if (holder != NULL) {
		v->won = holder;
		v->by = PLACE_SO_FAR;
	}
	return true;
}

/* A group is of one place.  False: out of memory. */
static bool
decide(struct desired_labels *l, const struct route_claim *group, size_t n, struct verdict *v)
{
	struct rivals r;

	*v = (struct verdict){ .won = &group[0], .by = NAMES };
	if (group[0].unit == NULL)
		return true;
	r = find_rivals(group, n);
	v->won = first_of(&r);
	if (!r.are_services || all_lead_alike(&r, v->won->route.backend))
		return true;
	v->by = ask_ages(l, &r);
	if (v->by == AGE)
		v->won = oldest_of(&r);
	return v->by != NAMES_SO_FAR || decide_by_place(l, &r, v);
}

/* word: the first claim of lost's service. */
static const char *
because(const struct verdict *v, const struct route_claim *word, const struct route_claim *lost)
{
	const struct desired_unit *won = v->won->unit;

	if (won == NULL)
		return "the configuration";
	if (is_one_service(won, lost->unit))
		return "the labels of a newer task";
	if (v->won->route.priority > word->route.priority)
		return "a higher priority";
	if (is_of_service(won) && !is_of_service(lost->unit))
		return "being a service's: tasks without a service come after";
	if (v->by == AGE && age_of(won) == age_of(lost->unit))
		return decided_by[NAMES];
	if (v->by == AGE && age_of(lost->unit) == INT64_MAX)
		return decided_by[AGE_UNTOLD];
	return decided_by[v->by];
}

/* Claims come by service, so what is noted of its other tasks is at the end. */
static bool
is_noted(const struct routes *r, const struct desired_route *won, const struct route_claim *c)
{
	const struct desired_rival *all = r->rivals.items;

	for (size_t i = r->rivals.n; i > 0; i--) {
		const struct desired_rival *o = &all[i - 1];

		if (o->won != won || !str_eq(o->cluster, c->unit->cluster->name) ||
		    !str_eq(o->service, c->route.service))
			return false;
		if (str_eq(o->backend, c->route.backend))
			return true;
	}
	return false;
}

/* False: out of memory. */
static bool
note_rival(struct routes *r, const struct desired_route *won, const struct route_claim *c, const char *lost_by)
{
	struct desired_rival *rival;

	if (is_noted(r, won, c))
		return true;
	rival = plan_list_add(&r->rivals);
	if (rival == NULL)
		return false;
	*rival = (struct desired_rival){
		.won = won,
		.cluster = c->unit->cluster->name,
		.service = c->route.service,
		.backend = c->route.backend,
		.priority = c->route.priority,
		.lost_by = str_from_cstr(lost_by),
	};
	return true;
}

/* Whoever is served, and has not one route left, is told why. */
static bool
blame_losers(struct routes *r, const struct desired_route *won, const struct route_claim *group, size_t n,
    const struct verdict *v)
{
	const struct route_claim *word = group;

	for (size_t i = 0; i < n; i++) {
		struct desired_claim *c = group[i].claim;

		word = is_word(group, i) ? &group[i] : word;
		if (c == NULL || str_eq(group[i].route.backend, won->backend)) {
			if (c != NULL)
				c->wins++;
			continue;
		}
		if (!note_rival(r, won, &group[i], because(v, word, &group[i])))
			return false;
		if (c->loses++ > 0)
			continue;
		if (!arena_say(r->labels->arena, &c->lost_to,
			"`" STR_FMT STR_FMT "` on entrypoint `" STR_FMT "` leads to backend `" STR_FMT "` of `" STR_FMT
			"`, by %s",
			STR_ARG(won->host), STR_ARG(won->path), STR_ARG(won->entrypoint), STR_ARG(won->backend),
			STR_ARG(won->service), because(v, word, &group[i])))
			return false;
	}
	return true;
}

static void
mark_losers(struct desired_labels *l)
{
	struct desired_unit **units = l->units.items;

	for (size_t i = 0; i < l->units.n; i++)
		for (size_t k = 0; k < units[i]->n_claims; k++) {
			struct desired_claim *c = &units[i]->claims[k];

			if (c->loses == 0 || c->wins > 0)
				continue;
			c->shown = REASON_ROUTE_CONFLICT;
			c->message = c->lost_to;
		}
}

/* False: out of memory. */
static bool
keep_rivals(struct routes *r)
{
	struct desired_rival *kept = ARENA_ARRAY(r->labels->arena, struct desired_rival, r->rivals.n);

	if (kept == NULL)
		return false;
	if (r->rivals.n > 0)
		memcpy(kept, r->rivals.items, r->rivals.n * sizeof(*kept));
	r->labels->rivals = kept;
	r->labels->n_rivals = r->rivals.n;
	return true;
}

static bool
settle(struct routes *r)
{
	struct desired_labels *l = r->labels;
	struct route_claim *claims = r->claims.items;
	size_t n = r->claims.n, end;

	l->routes = ARENA_ARRAY(l->arena, struct desired_route, n + 1);
	if (l->routes == NULL)
		return false;
	if (n > 0)
		qsort(claims, n, sizeof(*claims), by_place);
	for (size_t i = 0; i < n; i = end) {
		struct desired_route *route = &l->routes[l->n_routes];
		struct verdict v;

		for (end = i + 1; end < n && desired_route_cmp(&claims[i].route, &claims[end].route) == 0;)
			end++;
		if (!decide(l, claims + i, end - i, &v))
			return false;
		*route = v.won->route;
		route->is_open = v.is_open;
		route->led_to = v.led_to;
		l->n_routes++;
		if (!blame_losers(r, route, claims + i, end - i, &v))
			return false;
	}
	mark_losers(l);
	return keep_rivals(r);
}

bool
desired_routes_settle(struct desired_labels *l)
{
	struct routes r = {
		.labels = l, .claims = PLAN_LIST_OF(struct route_claim), .rivals = PLAN_LIST_OF(struct desired_rival)
	};
	const struct conf *conf = l->context->conf;
	bool ok = collect_units(&r);

	for (size_t i = 0; ok && i < conf->n_backends; i++)
		ok = collect_entry(&r, &conf->backends[i]);
	ok = ok && settle(&r);
	plan_list_free(&r.claims);
	plan_list_free(&r.rivals);
	return ok;
}
