/*
 * The port on which a container takes the calls of a `backends` entry (design.md,
 * section 4), and the address under which HAProxy reaches it.
 */
#ifndef PLAN_DESIRED_PORT_H
#define PLAN_DESIRED_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/roster.h"
#include "plan/plan_address.h"
#include "plan/reason.h"

struct desired_port {
	/* NONE: port is set.  NOT_SELECTED: another container of the task has the
	 * entry's port, this one is a sidecar. */
	enum reason reason;
	uint16_t port;
	struct str message; /* with every reason but NONE */
};

/* False: the arena refuses. */
NODISCARD bool desired_port_choose(struct arena *a, const struct conf_backend *entry, const struct roster_task *t,
    struct str container, struct desired_port *ret);
/* On which port a container takes calls by its labels: port is theirs, or 0; lowest: of several
 * the lowest is taken, as Traefik does.  False: the arena refuses. */
NODISCARD bool desired_port_choose_by_label(struct arena *a, uint16_t port, bool lowest, const struct roster_task *t,
    struct str container, struct desired_port *ret);
/* Where HAProxy reaches this port of the container: on the task's own interface, or on its
 * machine, where the port may have another number.  False, and *ret is zeroed: that is not
 * known (yet). */
bool desired_port_reach(
    const struct roster_task *t, const struct roster_container *c, uint16_t port, struct plan_address *ret);
/* All places that the container may be reached at, whatever its port is; port 0: any of
 * that address.  At most max. */
size_t desired_port_places(
    const struct roster_task *t, const struct roster_container *c, struct plan_address *ret, size_t max);
/* Is this a socket by which HAProxy takes orders?  A server there would carry its callers' to it. */
bool desired_port_is_of_haproxy(const struct conf_haproxy *h, const struct plan_address *at);
NODISCARD bool desired_port_say_of_haproxy(struct arena *a, const struct plan_address *at, struct str *ret);
/* Why desired_port_reach says false. */
NODISCARD bool desired_port_say_unreachable(
    struct arena *a, const struct roster_task *t, const struct roster_container *c, uint16_t port, struct str *ret);

#endif
