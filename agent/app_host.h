/*
 * What outlives a configuration: the lock on state_dir, the events, the doors of the
 * control interface; and the change from one configuration to the next.
 *
 * A new configuration gets a new set of rooms (app.h), which take over what is
 * remembered of HAProxy and of the operator's hand, and read everything else back.
 */
#ifndef APP_HOST_H
#define APP_HOST_H

#include <stdbool.h>

#include "base/env.h"
#include "base/err.h"
#include "conf/conf.h"
#include "io/loop.h"

struct app_host;

struct app_host_config {
	const char *path;    /* as conf_file_load takes it; null: the environment, or the default */
	const char *name;    /* what to call it */
	struct arena *arena; /* of conf; taken over with ERR_OK */
	const struct conf *conf;
	const struct env *env;
	uint64_t seed;
	bool debug; /* -d: the log's level is not the configuration's */
};

/* path, name and env are borrowed.  An error: nothing was started. */
NODISCARD enum err_code app_host_new(
    struct loop *l, const struct app_host_config *config, struct app_host **ret, struct err *e);
void app_host_start(struct app_host *h);
/* SIGHUP: reads the file again and applies it, or says why not; never from inside an order. */
void app_host_reload(struct app_host *h);
/* As app_stop: everybody is put back, then done is called. */
void app_host_stop(struct app_host *h, loop_fn *done, void *arg);
void app_host_close(struct app_host *h); /* begins an orderly end; null is fine */
void app_host_free(struct app_host *h);  /* after that, once the loop has run out; null is fine */

#endif
