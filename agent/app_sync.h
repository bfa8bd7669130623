/*
 * Drives the reconciler (sync/reconcile.h): turns its actions into calls on
 * HAProxy and their outcomes into events.  Wiring; it decides nothing.
 */
#ifndef APP_SYNC_H
#define APP_SYNC_H

#include "app_events.h"
#include "app_state.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "hap/hap_ca.h"
#include "hap/hap_exec.h"
#include "io/loop.h"
#include "sync/reconcile.h"

struct app_sync;

struct app_sync_config { /* all but before and exec must outlive it */
	const struct conf *conf;
	const struct app_sync *before; /* whose memory is taken over; null: what state holds */
	const struct app_state *state;
	struct app_events *events; /* gets what happens, and logs it */
	const struct hap_cas *cas; /* null: none; until app_sync_use_cas */
	struct hap_exec *exec;     /* taken over with ERR_OK */
	bool may_add_backends;
	int64_t calm_ms;        /* reconcile_config */
	const struct str *made; /* backends that an earlier run made for labels; only for the call */
	size_t n_made;
	void (*passed)(void *arg, const struct reconcile_view *v); /* after each read-back; null: nobody asks */
	void (*seek)(void *arg);                                   /* see reconcile_actions; not from app_sync_new */
	void (*contest)(void *arg);                                /* likewise */
	bool (*is_routed)(void *arg, struct str backend);          /* see reconcile_config; not from app_sync_new */
	struct str (*leads_to)(void *arg, const struct desired_route *place); /* likewise */
	void *arg;
};

/* Reads what the state directory holds; a damaged file is set aside and said. */
NODISCARD enum err_code app_sync_new(
    struct loop *l, const struct app_sync_config *config, struct app_sync **ret, struct err *e);
void app_sync_start(struct app_sync *s);
void app_sync_roster(struct app_sync *s, struct roster *r); /* referenced */
/* An operator's order (reconcile_order), carried out at once. */
NODISCARD enum err_code app_sync_order(
    struct app_sync *s, const struct reconcile_order *o, struct buf *ret_said, struct err *e);
/* From the next plan on; what was used before is borrowed until then. */
void app_sync_use_cas(struct app_sync *s, const struct hap_cas *cas);
/* Who is to be ejected from now on (reconcile_eject). */
NODISCARD enum err_code app_sync_eject(struct app_sync *s, const struct plan_ejections *all, struct err *e);
/* Changes nothing in HAProxy any more, but to put back who is ejected; then calls done,
 * once, unless s is closed before. */
void app_sync_stop(struct app_sync *s, loop_fn *done, void *arg);
const struct reconcile *app_sync_reconcile(const struct app_sync *s);
void app_sync_close(struct app_sync *s); /* null is fine */

#endif
