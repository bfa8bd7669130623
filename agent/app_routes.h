/*
 * Drives the route maps (sync/routes.h): its actions become files, and commands on HAProxy's
 * socket; their outcomes become events.  Wiring; it decides nothing.
 */
#ifndef APP_ROUTES_H
#define APP_ROUTES_H

#include "app_events.h"
#include "base/err.h"
#include "conf/conf.h"
#include "control/control_view.h"
#include "hap/hap_link.h"
#include "io/loop.h"
#include "sync/routes.h"

struct app_routes;

/* conf, link and events must outlive it. */
NODISCARD enum err_code app_routes_new(struct loop *l, const struct conf *conf, struct hap_link *link,
    struct app_events *events, struct app_routes **ret, struct err *e);
/* HAProxy was read back and a plan made.  r may be null. */
void app_routes_passed(struct app_routes *r, const struct reconcile_view *v);
/* What HAProxy holds, by entrypoint; borrowed until the version is another.  r may be null. */
const struct control_route_map *app_routes_maps(struct app_routes *r, size_t *ret_n);
uint64_t app_routes_version(const struct app_routes *r);
bool app_routes_lead_to(const struct app_routes *r, struct str backend);                 /* routes_lead_to */
struct str app_routes_at(const struct app_routes *r, const struct desired_route *place); /* routes_at; r may be null */
const struct fault *app_routes_fault(const struct app_routes *r);                        /* the first; null: none */
/* Before `before` is closed: what it is writing comes first.  Either may be null. */
void app_routes_inherit(struct app_routes *r, struct app_routes *before);
void app_routes_close(struct app_routes *r); /* null is fine */

#endif
