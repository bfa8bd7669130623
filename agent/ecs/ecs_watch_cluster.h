/*
 * The schedule of one cluster (a driver): which pass is due when, its calls in
 * flight, what it came to.
 *
 * One pass at a time.  WATCH is due `watch` after the end of any, FULL `refresh`
 * (10 % jitter) after the end of the last FULL; FULL goes first if both are.  Both
 * stretch where `rate_limit` does not allow more: a pass lasts as long as its calls
 * have to wait, and a FULL that would hold up the next look for long comes in parts,
 * one with each look.  What has ended is told in the middle of a pass.  A
 * pass in which a call failed is followed by a FULL one after a full-jitter
 * backoff of at most the larger of 10 x refresh and 60 s.  What was only
 * malformed in a whole answer, or a definition that cannot be read, is a fault, too,
 * but no reason to ask less often.
 *
 * What an event tells of a task's end holds at once (ecs_told.h), and against what a pass
 * finds that had begun before.  Of whom else it tells, that is asked about in a pass of its
 * own, NAMED, which uses at most half of `rate_limit`.  While a queue is read, and every end
 * was told by an event before a pass found it, WATCH rests; FULL never does.
 *
 * Who is sought is asked about by FULL passes, and by WATCH until it was asked once: a
 * server that no task explains must not cost a call every other second for ever.
 */
#ifndef ECS_ECS_WATCH_CLUSTER_H
#define ECS_ECS_WATCH_CLUSTER_H

#include <stdbool.h>

#include "aws/aws_caller.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/ecs_contest.h"
#include "ecs/ecs_event.h"
#include "ecs/ecs_hosts.h"
#include "ecs/roster.h"
#include "ecs/taskdef_cache.h"

/* Calls handed to the caller at once: a cluster that answers nothing must leave places
 * for the others. */
#define ECS_WATCH_CLUSTER_IN_FLIGHT 8

#define ECS_WATCH_CLUSTER_NAMED_MAX 1000 /* told of, and not asked about yet; of more than these the list tells */
/* Between looks at the list, in `watch`, while events tell what it would; at most `refresh`. */
#define ECS_WATCH_CLUSTER_REST_X 5

struct ecs_watch_cluster;
struct loop;

struct ecs_watch_callers { /* of one source */
	struct aws_caller *ecs, *ec2, *ssm;
};

struct ecs_watch_pace {
	int64_t watch_ms, refresh_ms;
};

struct ecs_watch_cluster_start { /* all borrowed for the cluster's life */
	struct loop *loop;
	const struct conf_source *source;
	struct str name;  /* or ARN, as ECS is asked for it */
	struct str shown; /* as it is called in the roster */
	struct ecs_watch_callers callers;
	struct taskdef_cache *definitions;
	struct ecs_hosts *hosts;
	struct prng *rnd;
	const unsigned *n_sharing;                                  /* clusters that share the caller's rate limit */
	bool (*is_held)(void *arg, const struct roster_task *task); /* see ecs_sweep.h */
	const struct ecs_sought *(*sought)(void *arg);              /* likewise */
	const struct ecs_contest *(*contest)(void *arg);            /* see ecs_ages.h */
	void *held_arg;                                             /* of these three */
	const struct roster_service *services; /* of an earlier run: ecs_ages.h; only for ecs_watch_cluster_new */
	size_t n_services;
	/* What is known of it already; null: nothing.  It shows its account, ARN and facts, and
	 * counts as not read yet.  Only for ecs_watch_cluster_new. */
	const struct roster_cluster *before;
	/* What ecs_watch_cluster_view shows is not what it was.  From the loop only. */
	void (*changed)(void *arg);
	void *arg;
};

NODISCARD enum err_code ecs_watch_cluster_new(
    const struct ecs_watch_cluster_start *start, struct ecs_watch_cluster **ret, struct err *e);
/* Somebody new is sought: WATCH now, or after the pass that runs.  While passes fail the
 * next one asks in any case. */
void ecs_watch_cluster_seek(struct ecs_watch_cluster *c);
void ecs_watch_cluster_contest(struct ecs_watch_cluster *c); /* which services contest a route may be another */
/* Which of them are older is not told. */
const struct fault *ecs_watch_cluster_contest_fault(const struct ecs_watch_cluster *c);
void ecs_watch_cluster_poke(struct ecs_watch_cluster *c); /* FULL now, or after the pass that runs */
/* Whether the queue is read that would bring its events. */
void ecs_watch_cluster_listening(struct ecs_watch_cluster *c, bool is_listening);
/* Notes an event; copied.  False: it is another cluster's. */
bool ecs_watch_cluster_told(struct ecs_watch_cluster *c, const struct ecs_event *event);
/* Those that were noted count from now on.  True: ecs_watch_cluster_view shows something new. */
bool ecs_watch_cluster_take_told(struct ecs_watch_cluster *c);
/* Borrows the cluster until its next pass ends, or is told something. */
struct roster_cluster ecs_watch_cluster_view(const struct ecs_watch_cluster *c);
/* How far apart two looks at the list, and two whole FULLs, really are; 0: not known yet. */
struct ecs_watch_pace ecs_watch_cluster_pace(const struct ecs_watch_cluster *c);
void ecs_watch_cluster_close(struct ecs_watch_cluster *c); /* null is fine */

#endif
