/*
 * The events queue of one source (a driver): received by long polls, handed on, deleted.
 *
 * It is the queue of `events.queue`, or one of our own that is made, subscribed to
 * `events.topic`, and deleted on a clean stop; what a daemon that died left under our name
 * is taken over.  A message that is no event (poison) is counted and deleted as well.  When the
 * queue cannot be had, nothing else changes: it is tried again after a full-jitter
 * backoff, the fault is in the view, and sweeps go on as if there were no events.
 */
#ifndef ECS_ECS_QUEUE_H
#define ECS_ECS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws_caller.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/prng.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/ecs_event.h"

/* A long poll has to last, and is on a connection of its own. */
#define ECS_QUEUE_TIMEOUT_MS INT64_C(30000)
#define ECS_QUEUE_STOP_MS    INT64_C(3000) /* what we wait for the queue's end on a clean stop */

struct ecs_queue;
struct loop;

enum ecs_queue_told {
	ECS_QUEUE_TAKEN,   /* of a cluster that is watched */
	ECS_QUEUE_FOREIGN, /* of another one */
};

struct ecs_queue_start { /* all borrowed for its life */
	struct loop *loop;
	const struct conf_source *source;
	struct aws_caller *sqs, *sns; /* sns: only for a topic */
	struct prng *rnd;
	const char *name; /* of a queue of our own */
	/* An event of a task; borrowed for the call. */
	enum ecs_queue_told (*told)(void *arg, const struct ecs_event *event);
	void (*told_all)(void *arg);                     /* after the events of one answer */
	void (*listening)(void *arg, bool is_listening); /* whether it is has changed */
	void *arg;
};

struct ecs_queue_view { /* borrows the queue */
	struct str url, topic;
	bool is_own, is_listening;
	uint64_t messages, events, foreign, poison; /* received; of tasks; of those of other clusters; dropped */
	uint64_t deleted;
	int64_t last_wall_ms; /* when the last event came; 0: none has */
	const struct fault *fault;
};

NODISCARD enum err_code ecs_queue_new(const struct ecs_queue_start *start, struct ecs_queue **ret, struct err *e);
void ecs_queue_begin(struct ecs_queue *q);
struct ecs_queue_view ecs_queue_view(const struct ecs_queue *q);
/* A clean stop: a queue of our own and its subscription are deleted.  done comes later, from the
 * loop, once, within ECS_QUEUE_STOP_MS. */
void ecs_queue_stop(struct ecs_queue *q, void (*done)(void *arg), void *arg);
void ecs_queue_close(struct ecs_queue *q); /* deletes nothing in AWS; null is fine */

#endif
