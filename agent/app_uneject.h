/*
 * Puts back whatever of ours is ejected in HAProxy: what rollcalld does when it is
 * stopped, and `rollcalld --uneject` when it can't any more.  Wiring.
 */
#ifndef APP_UNEJECT_H
#define APP_UNEJECT_H

#include "base/err.h"
#include "conf/conf.h"
#include "hap/hap_exec.h"
#include "io/loop.h"

#define APP_UNEJECT_MS INT64_C(3000) /* how long HAProxy may take */

struct app_uneject;

/* n were put back; e null: all that were ejected. */
typedef void app_uneject_fn(void *arg, size_t n, const struct err *e);

struct app_uneject_of {             /* the backends to look at */
	const struct str *backends; /* texts borrowed */
	size_t n;
};

/* Calls done once, later, unless it is closed before; x must outlive it. */
NODISCARD enum err_code app_uneject_new(struct loop *l, struct hap_exec *x, struct app_uneject_of of,
    app_uneject_fn *done, void *arg, struct app_uneject **ret, struct err *e);
void app_uneject_close(struct app_uneject *u); /* null is fine; close x first, if it is still under way */

/* With a loop and a connection of its own: the backends of conf, and those that rollcalld has
 * worked on by what state_dir says; prints what it did. */
NODISCARD enum err_code app_uneject_run(const struct conf *conf, struct err *e);

#endif
