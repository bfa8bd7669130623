/*
 * One look at ECS and HAProxy without being the daemon: what would be told, or what is
 * wrong, on standard output.  Nothing is changed, a daemon may run beside it.
 */
#ifndef APP_ONCE_H
#define APP_ONCE_H

#include "base/env.h"
#include "base/err.h"
#include "conf/conf.h"

#define APP_ONCE_WAIT_MS INT64_C(30000)

typedef enum err_code app_once_fn(const struct conf *conf, const struct env *env, uint64_t seed, struct err *e);

/* --plan.  An error: no plan came about in time; e says what is missing. */
app_once_fn app_once_plan;
/* --doctor.  An error: there is a fault among what was found. */
app_once_fn app_once_doctor;

#endif
