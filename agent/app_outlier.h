/*
 * Outlier detection in the daemon: SPOE's messages and what HAProxy counts go to
 * outlier/, its ejections to the reconciler and to state_dir/outlier.json.  Wiring.
 */
#ifndef APP_OUTLIER_H
#define APP_OUTLIER_H

#include "app_state.h"
#include "app_sync.h"
#include "outlier/outlier.h"
#include "spop/spop_server.h"

struct app_outlier;

/* All must outlive it. */
NODISCARD enum err_code app_outlier_new(struct loop *l, const struct conf *conf, const struct app_state *state,
    struct app_sync *sync, struct app_outlier **ret, struct err *e);
/* Before start, if another configuration takes over: HAProxy's connections stay, where
 * they may. */
void app_outlier_inherit(struct app_outlier *a, struct app_outlier *before);
void app_outlier_start(struct app_outlier *a);
void app_outlier_passed(struct app_outlier *a, const struct reconcile_view *v); /* HAProxy was read back */
/* RECONCILE_EJECT_SERVER, RECONCILE_UNEJECT_SERVER: as reconcile_order. */
NODISCARD enum err_code app_outlier_order(
    struct app_outlier *a, const struct reconcile_order *o, struct buf *ret_said, struct err *e);
const struct outlier *app_outlier_detector(const struct app_outlier *a);
/* False: `spoe` is not configured. */
bool app_outlier_spop(const struct app_outlier *a, struct spop_server_view *ret);
void app_outlier_save(struct app_outlier *a);  /* before everybody is put back for the end */
void app_outlier_close(struct app_outlier *a); /* null is fine */

#endif
