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

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ecs/ecs_sought.h"
#include "ecs/roster.h"
#include "hap/hap_exec.h"
#include "plan/actual.h"
#include "plan/applied.h"
#include "plan/desired.h"
#include "plan/overlay.h"
#include "plan/plan.h"

#define RECONCILE_PROBE_MS   INT64_C(250)  /* how soon another HAProxy process is noticed */
#define RECONCILE_CLOSE_MS   INT64_C(250)  /* between reads while servers join or drain */
#define RECONCILE_CALM_MS    INT64_C(2000) /* between reads otherwise */
#define RECONCILE_ROUNDS     3             /* plans in a row before a breath */
#define RECONCILE_BREATH_MS  INT64_C(1000) /* if they ask for the same; else RECONCILE_CLOSE_MS */
#define RECONCILE_NOTES_MAX  16
#define RECONCILE_FOR_MAX_MS (INT64_C(366) * 86400000) /* an order holds no longer, unless it has no end */

enum reconcile_event_kind {
	RECONCILE_ROSTER,       /* a new one was published */
	RECONCILE_ACTUAL,       /* HAProxy was read back */
	RECONCILE_READ_FAILED,  /* it could not be */
	RECONCILE_EXECUTED,     /* a plan ended, well or not */
	RECONCILE_PROBED,       /* show info was answered */
	RECONCILE_PROBE_FAILED, /* it was not */
	RECONCILE_TICK          /* the wake-up asked for has come (or any other time) */
};

enum reconcile_order_kind {
	RECONCILE_DRAIN_SERVER,  /* no new call */
	RECONCILE_READY_SERVER,  /* ends every hold of it, whoever made it */
	RECONCILE_WEIGH_SERVER,  /* or back to what it would be by itself */
	RECONCILE_PAUSE_BACKEND, /* only what is proven to end is touched */
	RECONCILE_RESUME_BACKEND,
	RECONCILE_RELEASE_BACKEND, /* who is reported against now may go, whatever removal_limit says */
	/* Of servers, and not the reconciler's to carry out: app_outlier.h. */
	RECONCILE_EJECT_SERVER,
	RECONCILE_UNEJECT_SERVER
};

/* What an operator asks of us.  Borrowed texts, from outside. */
struct reconcile_order {
	enum reconcile_order_kind kind;
	struct str backend; /* PAUSE, RESUME: empty is all; RELEASE: one */
	struct str server;  /* as the backend lists it */
	bool weight_is_auto;
	unsigned weight;     /* 0..256, HAProxy's */
	int64_t for_ms;      /* how long; 0: until it is ended */
	bool only_unexposed; /* RELEASE: who the configuration lets go, and nobody that AWS reports */
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
	struct str backend; /* that it is about, or empty; borrowed from the plan */
	char text[512];
};

/*
 * What to do now: at most one of read, execute and probe, and none while one is under
 * way.  What is to be saved is written first, and reconcile_saved called: a command
 * is sent only after the file that tells of it was written, or could not be.
 */
struct reconcile_actions {
	const struct applied *save_applied; /* borrowed until the next event, as is the other */
	const struct overlay *save_overlay;
	bool read, probe;
	bool seek;    /* HAProxy serves somebody new whom the roster does not know: ask ECS (reconcile_sought) */
	bool contest; /* those of reconcile_contest may be others */
	const struct plan *execute; /* stays valid until EXECUTED */
	int64_t wake_in_ms;         /* when to send a TICK; never negative */
	struct reconcile_note notes[RECONCILE_NOTES_MAX];
	size_t n_notes;
};

enum reconcile_file { RECONCILE_APPLIED, RECONCILE_OVERLAY };
#define RECONCILE_N_FILES 2

struct reconcile_config {
	const struct conf *conf;   /* must outlive the reconciler, as must what follows */
	const struct plan_ca *cas; /* until reconcile_use_cas */
	size_t n_cas;
	bool may_add_backends;
	int64_t calm_ms; /* between reads when nothing moves; 0: RECONCILE_CALM_MS */
	struct str defaults;
	/* Backends that an earlier run made for labels (backends.cfg names them).  Copied. */
	const struct str *made;
	size_t n_made;
	/* Does a map that HAProxy holds, or may hold, lead there?  A backend goes after its routes only.
	 * Null: nobody knows, and no backend is taken out of HAProxy. */
	bool (*is_routed)(void *arg, struct str backend);
	struct str (*leads_to)(void *arg, const struct desired_route *place); /* see desired_context */
	void *routes_arg;                                                     /* of both */
	/* Of the same HAProxy, whose label-made backends stay ours, written to a file or not; null:
	 * none.  Only for reconcile_new. */
	const struct reconcile *before;
	/* As the files have them; null: none.  Taken over with ERR_OK. */
	struct applied *applied;
	struct overlay *overlay;
};

struct reconcile_view {
	uint64_t version;              /* grows when one of the next four is another */
	const struct roster *roster;   /* each null until there is one; borrowed until the next event */
	const struct desired *desired; /* what plan was made from, as is actual */
	const struct actual *actual;
	const struct plan *plan;
	const struct overlay *overlay; /* never null; newer than the plan if an order came since */
	const struct applied *applied; /* null: nothing of this process */
	bool connected;                /* the last thing asked of HAProxy was answered */
	bool in_step;                  /* nothing is left to do, and no server waits for its first check */
	bool ready;                    /* design.md, section 9; once true it stays */
	int64_t last_sync_wall_ms;
	const struct fault *haproxy_fault;
	const struct fault *run_fault;      /* HAProxy refused a command */
	const struct fault *state_faults;   /* by enum reconcile_file: it could not be written */
	const struct fault *backend_faults; /* as conf->backends: not there, no slots, slots used up */
	const struct fault *label_fault;    /* of a backend that labels made, or would have: the first that has one */
};

struct reconcile;

NODISCARD enum err_code reconcile_new(const struct reconcile_config *config, struct reconcile **ret, struct err *e);
void reconcile_feed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *ret);
/* A file was written (e null or ERR_OK), or could not be: then it is tried again at the
 * next pass.  True: log it now. */
bool reconcile_saved(struct reconcile *r, enum reconcile_file file, int64_t mono_ms, const struct err *e);
/*
 * Takes down what the operator asks; a pass is due then: feed a TICK.  ret_said gets
 * one printable sentence: what is so from now on.  ERR_ARG: no such backend or server,
 * or a number out of range.  ERR_REFUSED: it is there, but cannot be held.  ERR_LIMIT:
 * too many holds.  On failure nothing has changed.
 */
NODISCARD enum err_code reconcile_order(
    struct reconcile *r, const struct reconcile_order *o, int64_t now_wall_ms, struct buf *ret_said, struct err *e);
/* From the next plan on; the one at hand borrows what was used before. */
void reconcile_use_cas(struct reconcile *r, const struct plan_ca *cas, size_t n);
/* Who is to be ejected from now on; copied.  A pass is due then: feed a TICK. */
NODISCARD enum err_code reconcile_eject(struct reconcile *r, const struct plan_ejections *all, struct err *e);
struct reconcile_view reconcile_view(const struct reconcile *r);
/* Whose backends are to be read: of the newest roster, be there a plan for it yet or not.  Null: there is
 * no roster, and it is those of the configuration. */
const struct desired *reconcile_wanted(const struct reconcile *r);
/* Whom HAProxy serves and the roster does not know; changes with events. */
const struct ecs_sought *reconcile_sought(const struct reconcile *r);
/* Whose age is worth asking for; null: not known yet.  Changes with events. */
const struct ecs_contest *reconcile_contest(const struct reconcile *r);
/* Is this task (by ARN) behind a server that HAProxy still holds? */
bool reconcile_holds(const struct reconcile *r, struct str task_arn);
void reconcile_free(struct reconcile *r); /* null is fine */

#endif
