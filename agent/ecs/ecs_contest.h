/*
 * Services that claim one route with the same priority: the older one has it, and only
 * of these is the age asked for (ecs_ages.h).  A value.
 */
#ifndef ECS_ECS_CONTEST_H
#define ECS_ECS_CONTEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct ecs_contest_service {
	struct str source, cluster; /* as of roster_cluster */
	struct str service;
};

struct ecs_contest {
	const struct ecs_contest_service *services; /* sorted by source, cluster, service; each once */
	size_t n;                                   /* at most ROSTER_SERVICES_MAX */
	bool is_whole; /* every cluster and definition is read: whoever is not among them contests nothing */
};

#endif
