/*
 * Runs the sweeps of every cluster of every source on their schedules, and
 * publishes a roster whenever something in it has changed (a driver).
 *
 * Clusters are independent (ecs_watch_cluster.h): one that is denied, mistyped or
 * throttled backs off alone and keeps its last facts, with the fault beside them.
 */
#ifndef ECS_ECS_WATCH_H
#define ECS_ECS_WATCH_H

#include "aws/aws_caller.h"
#include "base/err.h"
#include "base/prng.h"
#include "conf/conf.h"
#include "ecs/ecs_event.h"
#include "ecs/ecs_sought.h"
#include "ecs/ecs_watch_cluster.h"
#include "ecs/roster.h"

struct ecs_watch;
struct http;
struct loop;

/* What a watch of an earlier configuration knew: the tasks of each source that is asked
 * as before, and our own name, hold on, and are published by ecs_watch_start. */
struct ecs_watch_before {
	const struct roster *roster; /* null: nothing */
	const struct conf *conf;
};

struct ecs_watch_listener {
	/* Take a reference to keep it.  Called from inside ecs_watch_start only where
	 * something was known before; not to close the watch from. */
	void (*published)(void *arg, struct roster *r);
	bool (*is_held)(void *arg, const struct roster_task *task); /* see ecs_sweep.h, as for sought */
	const struct ecs_sought *(*sought)(void *arg);
	const struct ecs_contest *(*contest)(void *arg); /* see ecs_ages.h */
	/* What an earlier run was told of this cluster's services; borrowed for the call.  Null: there was none. */
	const struct roster_service *(*services)(void *arg, struct str source, struct str cluster, size_t *ret_n);
	void *arg;
	/* Where we are told who we are, if we are a task of ECS: what ECS_CONTAINER_METADATA_URI_V4
	 * says, and whom to ask by; both borrowed.  Empty: we are none. */
	struct str metadata_uri;
	struct http *http;
	struct ecs_watch_before before; /* only for ecs_watch_new */
};

/* callers[i] is for conf->sources[i], and copied; the callers themselves are borrowed, as
 * are conf and rnd. */
NODISCARD enum err_code ecs_watch_new(struct loop *l, const struct conf *conf, const struct ecs_watch_callers *callers,
    struct prng *rnd, struct ecs_watch_listener to, struct ecs_watch **ret, struct err *e);
void ecs_watch_start(struct ecs_watch *w); /* a full sweep of every cluster, then as scheduled */
void ecs_watch_poke(struct ecs_watch *w); /* a full sweep of every cluster, now; one that runs is followed by another */
void ecs_watch_publish(struct ecs_watch *w); /* what is known now, if the sweeps have begun */
void ecs_watch_seek(struct ecs_watch *w);    /* somebody new is sought: asked about now, in every cluster */
void ecs_watch_contest(struct ecs_watch *w); /* which services contest a route may be another */
/* Of which of these the age is not told, in the first cluster where it is so; null: in none. */
const struct fault *ecs_watch_contest_fault(const struct ecs_watch *w);
/* What comes by the events queue of conf->sources[source] (ecs_watch_cluster.h). */
void ecs_watch_listening(struct ecs_watch *w, size_t source, bool is_listening);
bool ecs_watch_told(struct ecs_watch *w, size_t source, const struct ecs_event *event); /* false: of no cluster of it */
/* After some of these: they are published, at once, or in a storm so that publishing takes no
 * more than a part of the loop's time. */
void ecs_watch_take_told(struct ecs_watch *w, size_t source);
/* True: the rate limit of conf->sources[source] (or a slow AWS) makes its slowest cluster
 * wait noticeably longer than `watch` or `refresh` say: *ret is how long. */
bool ecs_watch_stretched(const struct ecs_watch *w, size_t source, struct ecs_watch_pace *ret);
/* "i-..." of EC2, "mi-..." of ECS Anywhere, by the ARN of its container instance; empty: not known.
 * Borrowed until the next event. */
struct str ecs_watch_machine(const struct ecs_watch *w, struct str container_instance_arn);
void ecs_watch_close(struct ecs_watch *w); /* no callback comes after; null is fine */

#endif
