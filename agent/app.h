/*
 * The composition root: the rooms that work by one configuration.  It makes them, joins
 * them, and closes them in reverse order; it decides nothing.  What outlives a
 * configuration is app_host's.
 */
#ifndef APP_H
#define APP_H

#include "app_events.h"
#include "app_roster.h"
#include "app_state.h"
#include "base/env.h"
#include "base/err.h"
#include "base/fault.h"
#include "conf/conf.h"
#include "control/control_view.h"
#include "io/loop.h"
#include "sync/reconcile.h"

#define APP_MORE_PROBLEMS_MAX 2

struct app;

struct app_config {
	const struct conf *conf;
	const struct env *env;
	uint64_t seed;
	struct app_state *state;
	struct app_events *events;
	struct app_roster *roster;
	bool listens;             /* to the events queues; one who only looks takes nothing from them */
	const struct app *before; /* whose memory is taken over, before it is closed; null: state_dir's */
	void (*passed)(void *arg, const struct reconcile_view *v); /* after each read-back */
	void *arg;
};

/* All of config but before is borrowed and must outlive the app.  An error: nothing was
 * started. */
NODISCARD enum err_code app_new(struct loop *l, const struct app_config *config, struct app **ret, struct err *e);
/* Before start, and before `before` is closed: its open sockets, and what waits in them,
 * are a's where both configurations have the same place for them; files that it is writing are
 * written before a's. */
void app_inherit(struct app *a, struct app *before);
void app_start(struct app *a);
/* Puts HAProxy in order for the time without us (nobody stays ejected), deletes what is ours in
 * AWS, then calls done: at once, or within APP_UNEJECT_MS and ECS_QUEUE_STOP_MS. */
void app_stop(struct app *a, loop_fn *done, void *arg);
/* Fills in all that the rooms know, and leaves the rest of ret alone.  more: faults of
 * somebody else's to be listed with theirs, at most APP_MORE_PROBLEMS_MAX. */
void app_tell(struct app *a, const struct control_problem *more, size_t n_more, struct control_facts *ret);
struct reconcile_view app_view(const struct app *a);
NODISCARD enum err_code app_order(struct app *a, const struct reconcile_order *order, struct buf *said, struct err *e);
void app_recall(struct app *a);  /* app_roster's time has come */
void app_refresh(struct app *a); /* every cluster is read again */
/* The actions that the doctor tells of are tried, unless they were just now. */
void app_examine(struct app *a);
bool app_is_examining(const struct app *a); /* that is under way */
void app_close(struct app *a);              /* begins an orderly end; the loop runs out by itself; null is fine */

#endif
