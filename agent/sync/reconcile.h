/*
 * The reconciler: the daemon's one decision-maker, as a state machine without I/O.
 *
 * Everything that happens is an event; everything to do is an action.  The wiring
 * in app_sync.c turns actions into calls and their outcomes into events, which is
 * why a test can play a day of outages in a millisecond.
 *
 * It is level-triggered: a pass reads HAProxy back, compares, carries out what is
 * missing, and reads back again, until nothing is missing.  A new roster only
 * brings the next pass forward.
 */
#ifndef SYNC_RECONCILE_H
#define SYNC_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ecs/roster.h"
#include "hap/hap_exec.h"
#include "plan/actual.h"
#include "plan/desired.h"
#include "plan/plan.h"

#define RECONCILE_PROBE_MS  INT64_C(250)  /* how soon another HAProxy process is noticed */
#define RECONCILE_CLOSE_MS  INT64_C(250)  /* between reads while servers join or drain */
#define RECONCILE_CALM_MS   INT64_C(2000) /* between reads otherwise */
#define RECONCILE_ROUNDS    3             /* plans in a row before a breath */
#define RECONCILE_BREATH_MS INT64_C(1000) /* if they ask for the same; else RECONCILE_CLOSE_MS */
#define RECONCILE_NOTES_MAX 16

enum reconcile_event_kind {
	RECONCILE_ROSTER,       /* a new one was published */
	RECONCILE_ACTUAL,       /* HAProxy was read back */
	RECONCILE_READ_FAILED,  /* it could not be */
	RECONCILE_EXECUTED,     /* a plan ended, well or not */
	RECONCILE_PROBED,       /* show info was answered */
	RECONCILE_PROBE_FAILED, /* it was not */
	RECONCILE_TICK          /* the wake-up asked for has come (or any other time) */
};

struct reconcile_event {
	enum reconcile_event_kind kind;
	int64_t mono_ms, wall_ms;
	union {
		struct roster *roster; /* referenced */
		struct actual *actual; /* consumed */
		const struct hap_exec_report *report;
		const struct hap_text_info *info;
		const struct err *err;
	};
};

/* Something the operator should read in the log. */
struct reconcile_note {
	enum log_level level;
	char text[512];
};

/* What to do now: at most one of read, execute and probe, and none while one is
 * under way. */
struct reconcile_actions {
	bool read, probe;
	const struct plan *execute; /* stays valid until EXECUTED */
	int64_t wake_in_ms;         /* when to send a TICK; never negative */
	struct reconcile_note notes[RECONCILE_NOTES_MAX];
	size_t n_notes;
};

struct reconcile_view {
	const struct roster *roster;   /* each null until there is one; borrowed until the next event */
	const struct desired *desired; /* what plan was made from, as is actual */
	const struct actual *actual;
	const struct plan *plan;
	bool connected; /* the last thing asked of HAProxy was answered */
	bool in_step;   /* nothing is left to do, and no server waits for its first check */
	bool ready;     /* design.md, section 9; once true it stays */
	int64_t last_sync_wall_ms;
	const struct fault *haproxy_fault;
	const struct fault *run_fault;      /* HAProxy refused a command */
	const struct fault *backend_faults; /* as conf->backends: not there, no slots, slots used up */
};

struct reconcile;

/* conf must outlive it. */
NODISCARD enum err_code reconcile_new(const struct conf *conf, struct reconcile **ret, struct err *e);
void reconcile_feed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *ret);
struct reconcile_view reconcile_view(const struct reconcile *r);
/* Is this task (by ARN) behind a server that HAProxy still holds? */
bool reconcile_holds(const struct reconcile *r, struct str task_arn);
void reconcile_free(struct reconcile *r); /* null is fine */

#endif
