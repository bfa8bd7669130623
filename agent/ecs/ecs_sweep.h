/*
 * One pass over one cluster as a state machine without I/O: it says which calls
 * to make, is fed their answers, and ends with new facts (design.md, section 4).
 *
 * WATCH lists, and describes only the tasks that are of interest; FULL describes
 * all of them, those first that have vanished or are ending; NAMED lists nothing, and
 * describes those whose ids it is given.  The first two ask about the tasks
 * that are sought: HAProxy serves them, but they are neither known nor listed (any
 * more).  A task that is told to stop vanishes from the list at once: a daemon that comes
 * back would otherwise never hear of its end.  Paging, batching to the API's limits and
 * partial failures are decided here and nowhere else.  Nothing is ever taken out of the
 * facts because an answer was missing, short, or did not mention it: a task is over when
 * AWS says so of that task.
 */
#ifndef ECS_ECS_SWEEP_H
#define ECS_ECS_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws_service.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/ecs_hosts.h"
#include "ecs/ecs_sought.h"
#include "ecs/roster.h"
#include "ecs/taskdef_cache.h"

#define ECS_SWEEP_PAGES_MAX 1000
/* A service that fails so many calls running, for no fault of the call, is not
 * asked the rest of that phase: a dead endpoint must not cost a pass of timeouts. */
#define ECS_SWEEP_FAILURES_MAX 3
/* One task with a text that no JSON reader takes spoils the answer of its batch: the
 * batch is asked for again in halves, so often in one pass. */
#define ECS_SWEEP_HALVINGS_MAX 16

enum ecs_sweep_kind { ECS_SWEEP_WATCH, ECS_SWEEP_FULL, ECS_SWEEP_NAMED };

struct ecs_sweep_start { /* strings are copied */
	enum ecs_sweep_kind kind;
	struct str cluster;                /* name or ARN, as configured */
	struct str account, cluster_arn;   /* of earlier answers, or empty; another one's answer fails the sweep */
	struct roster_facts *before;       /* or null; referenced */
	struct taskdef_cache *definitions; /* borrowed; filled */
	/* Likewise; null: tasks of bridge and host networks get no address. */
	struct ecs_hosts *hosts;
	int64_t mono_ms; /* now, for hosts */
	bool require_healthy;
	/* FULL may be spread over several passes, so that the list is looked at in between:
	 * at most so many batches of tasks that WATCH would not ask for (0: no bound), of
	 * those whose ARN comes after this one (copied; empty: from the first). */
	size_t rest_max;
	struct str rest_after;
	/* Does HAProxy still hold this (ending) task?  Null: yes, where that means to
	 * ask about it; no, where it means to keep it beyond its time. */
	bool (*is_held)(void *arg, const struct roster_task *task);
	void *arg;
	const struct ecs_sought *named; /* for NAMED, borrowed */
	/* Asked once the list has ended; what it returns is copied.  Either may be null: none. */
	const struct ecs_sought *(*sought)(void *arg);
	void *sought_arg;
};

struct ecs_sweep_ask {
	unsigned id; /* never 0; give it back with the answer */
	const struct aws_service *to;
	const char *action; /* "ListTasks" */
	struct str body;    /* as the service wants it; borrowed until the answer */
};

struct ecs_sweep_result {
	bool complete; /* every page and batch was answered, whole */
	bool answered; /* at worst a task in an answer was malformed, or a definition not to be had */
	/* Tasks that were asked for are neither described nor MISSING, or more than one could not
	 * be read: of their services nothing can be said. */
	bool left_out;
	struct roster_facts *facts; /* a reference for the caller; `before` itself if nothing changed; may be null */
	struct str account, cluster_arn; /* as answers told; borrow the sweep; may be empty */
	struct str rest_after; /* where the next part of this FULL goes on; empty: it was the last; borrows the sweep */
	struct err err;        /* the first failure, if not complete */
};

struct ecs_sweep;

NODISCARD enum err_code ecs_sweep_new(const struct ecs_sweep_start *start, struct ecs_sweep **ret, struct err *e);
/* True and *ret set while there is a call that may be made now. */
bool ecs_sweep_next(struct ecs_sweep *s, struct ecs_sweep_ask *ret);
/* Something malformed in an answer is counted here, and returned for the log. */
enum err_code ecs_sweep_answer(struct ecs_sweep *s, unsigned id, struct str json, int64_t wall_ms, struct err *e);
/* The call failed for good; what it covers stays as it was known, and the sweep goes on. */
void ecs_sweep_failed(struct ecs_sweep *s, unsigned id, const struct err *why);
bool ecs_sweep_finished(const struct ecs_sweep *s);
/* Once for each pass, in the middle of it: all that vanished or was ending has been
 * asked for, and something of it is news; so has all that is new, since who leaves may
 * have to wait for who joins.  What is known so far is then worth telling: *ret as in the
 * result. */
bool ecs_sweep_has_news(struct ecs_sweep *s);
NODISCARD enum err_code ecs_sweep_news(struct ecs_sweep *s, int64_t wall_ms, struct roster_facts **ret, struct err *e);
/* Once finished. */
NODISCARD enum err_code ecs_sweep_result(
    struct ecs_sweep *s, int64_t wall_ms, struct ecs_sweep_result *ret, struct err *e);
void ecs_sweep_free(struct ecs_sweep *s); /* null is fine */

#endif
