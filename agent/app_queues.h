/*
 * The events queues of a configuration: one for each source that has `events`, joined to
 * the watch.  Wiring; it decides nothing.
 */
#ifndef APP_QUEUES_H
#define APP_QUEUES_H

#include <stdbool.h>

#include "aws/creds_source.h"
#include "base/env.h"
#include "base/prng.h"
#include "conf/conf.h"
#include "ecs/ecs_queue.h"
#include "ecs/ecs_watch.h"
#include "io/http.h"
#include "io/loop.h"

struct app_queues;

struct app_queues_config { /* all borrowed */
	struct loop *loop;
	const struct conf *conf;
	const struct env *env;
	struct http *http;
	struct prng *rnd;
	struct ecs_watch *watch;
	struct creds_source *(*keys_of)(void *arg, size_t source);
	void *arg;
};

/* *ret is null where no source has events. */
NODISCARD enum err_code app_queues_new(const struct app_queues_config *config, struct app_queues **ret, struct err *e);
void app_queues_start(struct app_queues *q); /* null is fine, here and below */
/* False: that source has no events. */
bool app_queues_view(const struct app_queues *q, size_t source, struct ecs_queue_view *ret);
/* Queues of our own are deleted; done comes within ECS_QUEUE_STOP_MS, at once if there are none. */
void app_queues_stop(struct app_queues *q, loop_fn *done, void *arg);
void app_queues_close(struct app_queues *q);

#endif
