/*
 * A task definition revision: what its containers publish and carry as labels.
 *
 * A revision never changes, so it is asked for once and shared by counted
 * reference (facts/ecs.md, section 2).
 */
#ifndef ECS_TASKDEF_H
#define ECS_TASKDEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define TASKDEF_ARENA_MAX ((size_t)4 << 20)

enum taskdef_network { TASKDEF_AWSVPC, TASKDEF_BRIDGE, TASKDEF_HOST, TASKDEF_NONE };

struct taskdef_port {
	uint16_t container_port, host_port; /* 0: not given, or chosen at run time */
	uint16_t n;                         /* ports from container_port on: more than 1 for a range */
	bool tcp;
};

#define TASKDEF_LABEL_KEPT ((size_t)16384) /* of a value: more than any reader of labels takes */

struct taskdef_label {
	struct str name, value; /* as the owner wrote them: hostile input */
};

struct taskdef_container {
	struct str name;
	bool essential, has_health_check;
	int64_t stop_timeout_ms; /* -1: not given */
	/* The first container that depends on it: ECS stops that one first, and this one only
	 * when it has ended (docs/hold.md).  Null: none does. */
	const struct taskdef_container *held_by;
	const struct taskdef_port *ports;
	size_t n_ports;
	const struct taskdef_label *labels; /* sorted by name */
	size_t n_labels;
};

struct taskdef {
	struct str arn, family;
	unsigned revision;
	enum taskdef_network network;
	const struct taskdef_container *containers;
	size_t n_containers;
	struct arena *arena; /* owns all of it, this struct included */
	unsigned refs;
};

struct taskdef *taskdef_ref(struct taskdef *d);
void taskdef_unref(struct taskdef *d); /* null is fine */
CLEANUP_DEFINE(struct taskdef, taskdef_unref);
/* Are its tasks reached by an address of their machine?  A null d: that is not known. */
bool taskdef_is_on_host(const struct taskdef *d);
const struct taskdef_container *taskdef_container(const struct taskdef *d, struct str name); /* or null */

#endif
