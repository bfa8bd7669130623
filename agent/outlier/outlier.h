/*
 * Which servers' calls fail while those of their neighbours succeed (design.md,
 * section 8; Envoy's terms, and its algorithm where nothing else is said).  Pure:
 * counters, events and a clock in, ejections out.
 *
 * A failure is an answer of status 500 and above, a call that got none (econ and
 * eresp), each of them as `show stat` counts it, or a Trailers-Only answer with
 * UNAVAILABLE, INTERNAL, UNKNOWN or DATA_LOSS, as SPOE tells it.  A status >= 500 that
 * SPOE tells is in `show stat`, too, and not counted again.  Everything HAProxy counts
 * beyond is a success: a status in trailers after data is invisible to it.
 *
 * A server is known by its task, like a hold: what it did, and how often it was
 * ejected, outlives a reload of HAProxy and another slot.
 */
#ifndef OUTLIER_OUTLIER_H
#define OUTLIER_OUTLIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "plan/plan.h"
#include "spop/spop_session.h"

#define OUTLIER_SERVERS_MAX 100000
#define OUTLIER_TEXT_MAX    ((size_t)4 << 20)
#define OUTLIER_RESUME_MS   INT64_C(30000) /* what was written longer ago is over */
#define OUTLIER_EVERY_MS    INT64_C(1000)  /* how often counters are to be read */
#define OUTLIER_REASON_MAX  96

#define OUTLIER_CAUSES(X)                           \
	X(CONSECUTIVE_ERRORS, "consecutive_errors") \
	X(FAILURE_PERCENTAGE, "failure_percentage") \
	X(OPERATOR, "operator")

enum outlier_cause {
#define X(name, text) OUTLIER_##name,
	OUTLIER_CAUSES(X)
#undef X
	/* must stay last */
	OUTLIER_N_CAUSES
};

/* One server that is ejected, should be (mode observe), or was. */
struct outlier_ejection {
	struct overlay_key key; /* as all texts here: borrowed until the next call that changes something */
	struct str server;
	enum outlier_cause cause;
	char because[OUTLIER_REASON_MAX];     /* "12 errors and no success within 1 s" */
	bool is_observed;                     /* mode observe, or it has no agent-check: it takes calls */
	unsigned times;                       /* ejections in a row: the next one lasts so many times as long */
	int64_t since_wall_ms, until_wall_ms; /* until 0: an operator's, without an end */
};

/* Something to write to the log. */
struct outlier_note {
	struct str backend, server;
	bool is_ejection; /* else it is over */
	bool is_observed; /* only looked at: mode observe, or no agent-check */
	char because[OUTLIER_REASON_MAX];
	int64_t for_ms; /* of an ejection; 0: no end */
};

#define OUTLIER_NOTES_MAX 32

struct outlier_notes {
	struct outlier_note items[OUTLIER_NOTES_MAX];
	size_t n;
};

struct outlier_counts {
	uint64_t events;         /* failures that SPOE told */
	uint64_t events_ignored; /* of a server or backend that is none of ours, or of a status >= 500 */
	uint64_t events_unread;  /* messages that make no sense */
	uint64_t detected[OUTLIER_N_CAUSES], ejected[OUTLIER_N_CAUSES];
	uint64_t overflow; /* detected, and too many are ejected already, or too few are left */
	uint64_t returned;
};

struct outlier;

NODISCARD enum err_code outlier_new(struct outlier **ret, struct err *e);
void outlier_free(struct outlier *o); /* null is fine */
CLEANUP_DEFINE(struct outlier, outlier_free);

/* HAProxy says that a server answered so.  grpc_status: -1 none. */
void outlier_answer(struct outlier *o, struct str backend, struct str server, int grpc_status, unsigned status);
/* The message of haproxy/rollcall-spoe.cfg: be, srv, st (status) and gs (grpc-status). */
void outlier_message(struct outlier *o, const struct spop_message *m);
/*
 * HAProxy was read back: p is the plan that was made from it.  Counts what its calls
 * did since the time before, decides who is ejected, and who returns.  True: the
 * ejections are others now, or last longer.
 */
bool outlier_pass(struct outlier *o, const struct actual *actual, const struct plan *p, int64_t mono_ms,
    int64_t wall_ms, struct outlier_notes *notes);

/* Whom HAProxy is to eject; those of mode observe are not among them.  In *ret, owned
 * by o until the next change. */
void outlier_ejections(const struct outlier *o, struct plan_ejections *ret);
/* Ejected now, or observed to be an outlier; null: it is neither. */
const struct outlier_ejection *outlier_find(const struct outlier *o, const struct overlay_key *key);
const struct outlier_counts *outlier_counts(const struct outlier *o);

/* The operator's: for_ms 0 is without an end.  ERR_REFUSED: it cannot be
 * ejected (said why); ERR_ARG: no such server. */
NODISCARD enum err_code outlier_eject(struct outlier *o, const struct plan *p, struct str backend, struct str server,
    int64_t mono_ms, int64_t wall_ms, int64_t for_ms, struct buf *said, struct err *e);
/* Returns it at once, and begins its counters anew. */
void outlier_uneject(struct outlier *o, struct str backend, struct str server, int64_t mono_ms, struct buf *said);

/* state_dir/outlier.json. */
NODISCARD enum err_code outlier_write(const struct outlier *o, int64_t wall_ms, struct buf *out, struct err *e);
/* Hostile text: refused whole (ERR_PARSE).  What was written more than OUTLIER_RESUME_MS
 * ago is ignored: *ret_n is how many are ejected again. */
NODISCARD enum err_code outlier_resume(
    struct outlier *o, struct str text, int64_t mono_ms, int64_t wall_ms, size_t *ret_n, struct err *e);

const char *outlier_cause_name(enum outlier_cause c);

#endif
