/*
 * How old the services of one cluster are that contest a route (a driver): DescribeServices,
 * for these alone, at most ECS_BODY_SERVICES_MAX in a call and one call at a time.
 *
 * A service that is deleted and made anew has another age: so each is asked about again after
 * ECS_AGES_AGAIN_MS, and forgotten once it contests nothing.  A call that fails in passing
 * tells nothing, and is tried again after a full-jitter backoff; where AWS will not tell (it is
 * denied three times in a row, or there is no such service), that is what is told.  What was told once stays known; what an
 * earlier run was told, until it is known whether it still contests something.
 */
#ifndef ECS_ECS_AGES_H
#define ECS_ECS_AGES_H

#include "aws/aws_caller.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/prng.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/ecs_contest.h"
#include "ecs/roster.h"

#define ECS_AGES_AGAIN_MS  INT64_C(3600000)
#define ECS_AGES_UNTOLD_MS INT64_C(60000) /* instead, if AWS knew no such service, which may be new */

struct ecs_ages;
struct loop;

struct ecs_ages_start { /* all borrowed for its life */
	struct loop *loop;
	const struct conf_source *source;
	const struct roster_cluster *of; /* what is known of the cluster by now */
	struct str name;                 /* or ARN, as ECS is asked for it */
	struct aws_caller *caller;
	struct prng *rnd;
	/* What an earlier run, or configuration, was told.  Only for ecs_ages_new. */
	const struct roster_service *before;
	size_t n_before;
	const struct ecs_contest *(*contest)(void *arg); /* null, as its answer may be: not known yet */
	void *contest_arg;
	/* What ecs_ages_view shows, or the fault, is not what it was.  From the loop only. */
	void (*changed)(void *arg);
	void *arg;
};

NODISCARD enum err_code ecs_ages_new(const struct ecs_ages_start *start, struct ecs_ages **ret, struct err *e);
void ecs_ages_renew(struct ecs_ages *a); /* the contest may be another */
/* Sorted by name; borrowed until the next event, or ecs_ages_renew. */
const struct roster_service *ecs_ages_view(const struct ecs_ages *a, size_t *ret_n);
const struct fault *ecs_ages_fault(const struct ecs_ages *a);
void ecs_ages_close(struct ecs_ages *a); /* null is fine */

#endif
