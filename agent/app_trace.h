/*
 * Tracing in the daemon: who is behind a server comes from the plan, HAProxy is told
 * the ratio to sample with, spans go where the configuration says.  Wiring.
 */
#ifndef APP_TRACE_H
#define APP_TRACE_H

#include "app_sync.h"
#include "base/env.h"
#include "base/prng.h"
#include "io/http.h"
#include "trace/trace_export.h"

struct app_trace;

/* *ret null with ERR_OK: tracing is not configured.  All must outlive it. */
NODISCARD enum err_code app_trace_new(struct loop *l, const struct conf *conf, const struct env *env, struct http *http,
    struct prng *rnd, const struct app_sync *sync, struct app_trace **ret, struct err *e);
/* As app_outlier's.  Each may be null. */
void app_trace_inherit(struct app_trace *t, struct app_trace *before);
void app_trace_start(struct app_trace *t);
void app_trace_passed(struct app_trace *t, const struct reconcile_view *v); /* t may be null */
/* False: not configured. */
bool app_trace_view(const struct app_trace *t, struct trace_export_view *ret);
void app_trace_close(struct app_trace *t); /* null is fine; before http and sync */

#endif
