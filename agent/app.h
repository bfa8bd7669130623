/*
 * The composition root: the only file that knows every room.  It makes them, joins
 * them, and closes them in reverse order; it decides nothing.
 */
#ifndef APP_H
#define APP_H

#include "base/env.h"
#include "base/err.h"
#include "conf/conf.h"
#include "io/loop.h"

struct app;

struct app_config {
	const struct conf *conf;
	const char *name; /* of the file, for display */
	int64_t loaded_wall_ms;
	const struct env *env;
	uint64_t seed;
};

/* All of config is borrowed and must outlive the app.  An error: nothing was started. */
NODISCARD enum err_code app_new(struct loop *l, const struct app_config *config, struct app **ret, struct err *e);
void app_start(struct app *a);
/* Puts HAProxy in order for the time without us (nobody stays ejected), then calls done:
 * at once, or within APP_UNEJECT_MS. */
void app_stop(struct app *a, loop_fn *done, void *arg);
void app_close(struct app *a); /* begins an orderly end; the loop runs out by itself; null is fine */

#endif
