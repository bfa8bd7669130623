/*
 * Drives managed backends (sync/managed.h): its actions become files of managed.dir
 * and reloads by HAProxy's master socket, their outcomes events.  Wiring; it decides
 * nothing.
 */
#ifndef APP_MANAGED_H
#define APP_MANAGED_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "io/loop.h"
#include "sync/managed.h"

struct app_managed;

#define APP_MANAGED_FILE "backends.cfg"
#define APP_MANAGED_GOOD "backends.cfg.good"

/* *ret null with ERR_OK: nothing is managed.  conf must outlive it. */
NODISCARD enum err_code app_managed_new(
    struct loop *l, const struct conf *conf, struct app_managed **ret, struct err *e);
/* HAProxy was read back and a plan made.  a may be null. */
void app_managed_passed(struct app_managed *a, const struct reconcile_view *v);
/* The backends that backends.cfg names: borrowed from a.  None if a is null. */
NODISCARD enum err_code app_managed_names(
    const struct app_managed *a, struct arena *arena, const struct str **ret, size_t *ret_n, struct err *e);
/* Both faults null if a is. */
struct managed_view app_managed_view(const struct app_managed *a);
/* Before `before` is closed: what it is writing comes first.  Either may be null. */
void app_managed_inherit(struct app_managed *a, struct app_managed *before);
void app_managed_close(struct app_managed *a); /* null is fine */

#endif
