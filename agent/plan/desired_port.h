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
#include "plan/evidence.h"
#include "plan/plan_address.h"

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
/* False, and *ret is zeroed: ECS names no address for it. */
bool desired_port_reach(const struct roster_container *c, uint16_t port, struct plan_address *ret);
NODISCARD bool desired_port_say_unreachable(
    struct arena *a, const struct roster_task *t, struct str container, struct str *ret);

#endif
