/*
 * What labels claim: backends by name, and routes (design.md, section 3, "Labels").
 *
 * All tasks of one revision in one service claim the same, so claims are made by unit:
 * a container of a revision in a service.  Names and routes are then settled between
 * all units, in an order that does not depend on which task comes first.
 */
#ifndef PLAN_DESIRED_LABEL_H
#define PLAN_DESIRED_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/roster.h"
#include "label/label.h"
#include "plan/desired.h"
#include "plan/plan_list.h"
#include "plan/reason.h"

#define DESIRED_GRACE_MS    INT64_C(60000) /* from the proven end of the last exposing task */
#define DESIRED_ROUTES_MAX  500            /* of one container of one revision */
#define DESIRED_ALSO_MAX    4
#define DESIRED_ROUTES_KEPT 20000 /* of all */

struct desired_claim { /* one endpoint of a unit */
	const struct label_endpoint *endpoint;
	struct str backend;
	enum reason reason; /* why it is not served; NONE: it is */
	enum reason shown;  /* served, and yet worth a word: NO_ROUTE, ROUTE_CONFLICT; else NONE */
	struct str message; /* with either */
	bool is_joined;     /* to a backend that is declared elsewhere */
	/* Backends that older revisions of the same endpoint are in: its tasks serve there, too, so that a
	 * deploy that changes the name leaves none of them empty. */
	struct str also[DESIRED_ALSO_MAX];
	size_t n_also;
	struct conf_policy policy;
	const struct label_router *routers; /* what its labels, or the default rule, ask for */
	size_t n_routers;
	size_t wins, loses; /* places, against others */
	struct str lost_to; /* the first of these */
};

struct desired_unit {
	const struct roster_cluster *cluster;
	const struct conf_source *source; /* null: not in the configuration any more */
	const struct taskdef *definition;
	const struct taskdef_container *container;
	struct str service; /* or "family:NAME" */
	const struct label_set *set;
	bool is_admitted;                 /* by the source's `services` */
	bool is_constrained;              /* kept out by the source's constraints */
	const struct conf_backend *entry; /* the first that takes it; null: none */
	struct desired_claim *claims;
	size_t n_claims;
	const struct roster_task *newest; /* the most recently created that runs; else the most recently created */
	bool newest_runs;
	bool is_exposing; /* one of its tasks has run, and its end is not proven, or not long ago */
	int64_t until_ms; /* wall: if all have ended, when it exposes no more; else INT64_MAX */
};

struct desired_labels {
	const struct desired_context *context;
	struct roster *roster;
	struct arena *arena;         /* of the result */
	struct arena *scratch;       /* of this call */
	struct desired_unit **table; /* by hash; a power of two */
	size_t n_slots;
	struct plan_list units;    /* pointers, in the order in which they were met */
	struct conf_backend *made; /* label-made backends, sorted by name */
	size_t n_made;
	struct conf_backend *joined; /* declared in haproxy.cfg alone, joined by labels; sorted by name */
	size_t n_joined;
	struct desired_route *routes; /* sorted by entrypoint, host, path */
	size_t n_routes;
	const struct desired_rival *rivals; /* in the order of routes */
	size_t n_rivals;
	struct ecs_contest_service *contested; /* sorted, each once; null: none yet */
	size_t n_contested;
	bool routes_are_cut;          /* there are more than DESIRED_ROUTES_KEPT */
	size_t counts[LABEL_N_FATES]; /* labels that are not simply honoured, of containers whose tasks run */
	int64_t next_wall_ms;
};

/* False: no memory.  What it holds outside the arenas is freed by desired_labels_free. */
NODISCARD bool desired_labels_make(struct desired_labels *l);
void desired_labels_free(struct desired_labels *l);
/* Null: the task's definition is not read, or has no such container. */
const struct desired_unit *desired_labels_find(
    const struct desired_labels *l, const struct roster_cluster *c, const struct roster_task *t, struct str container);
/* What an entry's policy becomes under the labels of a container that it takes: in ret. */
void desired_label_policy(
    const struct label_endpoint *endpoint, bool is_traefik, const struct conf_backend *entry, struct conf_policy *ret);

/* ---- parts ---- */

/* desired_name.c: {cluster}-{service}-{container}[-{NAME}], in HAProxy's alphabet, cut. */
NODISCARD bool desired_backend_name(struct arena *a, struct str cluster, struct str service, struct str container,
    struct str endpoint, struct str *ret);
/* What stands for {cluster}, {service}, {container}, {family} and {name} in default_rule. */
NODISCARD bool desired_default_rule(struct arena *a, struct str rule, const struct desired_unit *u, struct str *ret);
/* Traefik's own: Host(`service-NAME-CONTAINER`). */
NODISCARD bool desired_traefik_rule(struct arena *a, const struct desired_unit *u, struct str *ret);

/* desired_route.c: fills routes, rivals and next_wall_ms, and marks the claims that lost all of theirs. */
NODISCARD bool desired_routes_settle(struct desired_labels *l);

#endif
