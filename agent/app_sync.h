/*
 * Drives the reconciler (sync/reconcile.h): turns its actions into calls on
 * HAProxy and their outcomes into events.  Wiring; it decides nothing.
 */
#ifndef APP_SYNC_H
#define APP_SYNC_H

#include "base/err.h"
#include "conf/conf.h"
#include "hap/hap_exec.h"
#include "io/loop.h"
#include "sync/reconcile.h"

struct app_sync;

/* Owns exec from success on. */
NODISCARD enum err_code app_sync_new(
    struct loop *l, const struct conf *conf, struct hap_exec *exec, struct app_sync **ret, struct err *e);
void app_sync_start(struct app_sync *s);
void app_sync_roster(struct app_sync *s, struct roster *r); /* referenced */
const struct reconcile *app_sync_reconcile(const struct app_sync *s);
void app_sync_close(struct app_sync *s); /* null is fine */

#endif
