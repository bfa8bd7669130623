/*
 * Which `backends` entries take a task's container: globs on the source, the
 * cluster, the service and the container (design.md, section 3).
 */
#ifndef PLAN_DESIRED_SELECT_H
#define PLAN_DESIRED_SELECT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/roster.h"

struct desired_select {
	const struct conf_backend **entries; /* room for conf->n_backends */
	size_t n;
};

/* The source that a cluster was read through; null if the configuration has it no more. */
const struct conf_source *desired_select_source(const struct conf *conf, const struct roster_cluster *c);
/* Of all entries, those that may take tasks of this cluster. */
void desired_select_by_cluster(const struct conf *conf, const struct roster_cluster *c, struct desired_select *ret);
/* Of these, those that may take tasks of this service. */
void desired_select_by_service(const struct desired_select *of, struct str service, struct desired_select *ret);
/* What `service:` is matched against: the service, or "family:NAME" of a standalone task. */
NODISCARD bool desired_select_service_name(struct arena *a, const struct roster_task *t, struct str *ret);
/* Do the source's `services` let this service in? */
bool desired_select_admits(const struct conf_source *s, struct str service);

#endif
