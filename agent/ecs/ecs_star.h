/*
 * The clusters of an account, for `clusters: ["*"]` (a driver): ListClusters, page after
 * page, every `refresh`.  A list counts only when it is whole; one that fails is tried
 * again after a full-jitter backoff, and says nothing about any cluster.
 */
#ifndef ECS_ECS_STAR_H
#define ECS_ECS_STAR_H

#include "aws/aws_caller.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/roster.h"

struct ecs_star;
struct loop;

struct ecs_star_start { /* all borrowed for its life */
	struct loop *loop;
	const struct conf_source *source;
	struct aws_caller *caller;
	struct prng *rnd;
	/* A whole list: ARNs of clusters, sorted, each once; borrowed for the call. */
	void (*listed)(void *arg, const struct str *arns, size_t n);
	void (*changed)(void *arg); /* what ecs_star_view shows is not what it was */
	void *arg;
};

NODISCARD enum err_code ecs_star_new(const struct ecs_star_start *start, struct ecs_star **ret, struct err *e);
void ecs_star_poke(struct ecs_star *s); /* list now */
/* As a cluster without tasks, called "*": how often it was listed, and what is wrong. */
struct roster_cluster ecs_star_view(const struct ecs_star *s);
void ecs_star_close(struct ecs_star *s); /* null is fine */

#endif
