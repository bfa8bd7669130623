/*
 * Which account and cluster answers come from.  Pure.
 *
 * Keys can be swapped under us, an endpoint can be somebody else's, and a cluster
 * of the same name exists in many accounts.  The first answer says who speaks;
 * everything after must come from the same.
 */
#ifndef ECS_ECS_ORIGIN_H
#define ECS_ECS_ORIGIN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct ecs_origin { /* strings in an arena of the caller's; empty: not known yet */
	struct str partition, region, account, cluster;
	bool proved; /* something was accepted since it was made: somebody of this origin did answer */
};

/* What is known beforehand: cluster as configured (name or ARN), and what earlier
 * answers told (each may be empty). */
NODISCARD enum err_code ecs_origin_make(struct arena *a, struct str cluster, struct str account, struct str cluster_arn,
    struct ecs_origin *ret, struct err *e);
/* The ARN of a task (or cluster) from an answer: adds what was not known.  ERR_REFUSED: it is from elsewhere. */
NODISCARD enum err_code ecs_origin_accept_task(struct ecs_origin *o, struct arena *a, struct str arn, struct err *e);
/* Is it of the account, region and cluster that the answers came from?  An ARN of the
 * old form does not name its cluster. */
bool ecs_origin_has(const struct ecs_origin *o, struct str task_arn);
NODISCARD enum err_code ecs_origin_accept_cluster(struct ecs_origin *o, struct arena *a, struct str arn, struct err *e);

#endif
