/*
 * Routes, settled: see desired_label.h.
 *
 * One place of an entrypoint's map leads to one backend.  A managed entry of the configuration
 * has it before any label.  Within a service the most recently created task that runs
 * decides; between services the higher priority, then the name.
 */
#include "config.h"

#include <stdlib.h>

#include "ecs/arn.h"
#include "plan/desired_label.h"
#include "plan/plan_say.h"

struct route_claim {
	struct desired_route route;
	const struct desired_unit *unit; /* null: an entry's */
	struct desired_claim *claim;
};

struct routes {
	struct desired_labels *labels;
	struct plan_list claims;
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
	return plan_say(r->labels->arena, &c->message,
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

/* Of one place: an entry, then by priority and name of the service, then the newest task. */
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

/* Each service's word on a place is its first claim's; a group is of one place. */
static const struct route_claim *
winner_of(const struct route_claim *group, size_t n)
{
	const struct route_claim *best = &group[0];

	if (best->unit == NULL)
		return best;
	for (size_t i = 1; i < n; i++)
		if (!is_one_service(group[i - 1].unit, group[i].unit) && group[i].route.priority > best->route.priority)
			best = &group[i];
	return best;
}

/* Whoever is served, and has not one route left, is told why. */
static bool
blame_losers(struct desired_labels *l, const struct route_claim *group, size_t n, const struct route_claim *won)
{
	for (size_t i = 0; i < n; i++) {
		struct desired_claim *c = group[i].claim;

		if (c == NULL || str_eq(group[i].route.backend, won->route.backend)) {
			if (c != NULL)
				c->wins++;
			continue;
		}
		if (c->loses++ > 0)
			continue;
		if (!plan_say(l->arena, &c->lost_to,
			"`" STR_FMT STR_FMT "` on entrypoint `" STR_FMT "` leads to backend `" STR_FMT "` of `" STR_FMT
			"`, by %s",
			STR_ARG(won->route.host), STR_ARG(won->route.path), STR_ARG(won->route.entrypoint),
			STR_ARG(won->route.backend), STR_ARG(won->route.service),
			won->unit == NULL                               ? "the configuration"
			: is_one_service(won->unit, group[i].unit)      ? "the labels of a newer task"
			: won->route.priority > group[i].route.priority ? "a higher priority"
									: "the order of names"))
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
		const struct route_claim *won;

		for (end = i + 1; end < n && desired_route_cmp(&claims[i].route, &claims[end].route) == 0;)
			end++;
		won = winner_of(claims + i, end - i);
		l->routes[l->n_routes++] = won->route;
		if (!blame_losers(l, claims + i, end - i, won))
			return false;
	}
	mark_losers(l);
	return true;
}

bool
desired_routes_settle(struct desired_labels *l)
{
	struct routes r = { .labels = l, .claims = PLAN_LIST_OF(struct route_claim) };
	const struct conf *conf = l->context->conf;
	bool ok = collect_units(&r);

	for (size_t i = 0; ok && i < conf->n_backends; i++)
		ok = collect_entry(&r, &conf->backends[i]);
	ok = ok && settle(&r);
	plan_list_free(&r.claims);
	return ok;
}
