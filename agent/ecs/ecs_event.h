/*
 * One message of the events queue as a value.  Pure, and strict: whoever may write to the
 * queue may write anything.
 *
 * What EventBridge delivers stands there as it is, or wrapped once by SNS (facts/ecs.md,
 * section 3).  The account and region of the envelope, of the task and of its cluster must
 * be the same; whether they are those of a cluster that we watch is for ecs_told.h to say.
 */
#ifndef ECS_ECS_EVENT_H
#define ECS_ECS_EVENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/roster.h"

#define ECS_EVENT_MAX ((size_t)1 << 20) /* bytes; the largest message of SQS */

struct ecs_event {
	/* False: well-formed, but no "ECS Task State Change" of aws.ecs; the rest is not set. */
	bool is_of_task;
	int64_t time_ms; /* Unix time of the change; 0: not said */
	struct str cluster_arn;
	struct roster_task task; /* as in an answer (ecs_answer.h), without health */
};

/* Everything in *ret lives in a.  ERR_PARSE, ERR_LIMIT, ERR_NOMEM. */
NODISCARD enum err_code ecs_event_read(struct arena *a, struct str body, struct ecs_event *ret, struct err *e);

#endif
