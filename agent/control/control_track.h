/*
 * What changed from pass to pass, as events and counts.  Pure.
 *
 * HAProxy is read back, not remembered: a server's state is compared with that of the
 * pass before, whoever changed it.  What a plan did in between is told by the plan
 * that was carried out, as only it knows on which evidence.
 */
#ifndef CONTROL_CONTROL_TRACK_H
#define CONTROL_CONTROL_TRACK_H

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "control/control_events.h"
#include "hap/hap_exec.h"
#include "plan/plan.h"
#include "sync/reconcile.h"

#define CONTROL_TRACK_ARENA_MAX   ((size_t)64 << 20)
#define CONTROL_TRACK_N_EVIDENCES 8 /* enum evidence */

struct control_track_counts {                         /* since the start */
	uint64_t passes;                              /* HAProxy was read back and compared */
	uint64_t runs;                                /* plans carried out, well or not */
	uint64_t commands;                            /* that HAProxy carried out */
	uint64_t refusals;                            /* commands that it did not */
	int64_t run_ms;                               /* from the first command to the last answer, summed */
	uint64_t failed_runs;                         /* cut short, or HAProxy was replaced meanwhile */
	uint64_t added;                               /* servers that were not there the pass before */
	uint64_t removals[CONTROL_TRACK_N_EVIDENCES]; /* servers taken out of service, by evidence */
	uint64_t freezes;                             /* times that a backend froze */
	uint64_t processes;                           /* other HAProxy processes met: reloads and restarts */
};

struct control_track_sink {
	void (*add)(void *arg, enum log_level level, const struct control_event *draft);
	void *arg;
};

struct control_track;

NODISCARD enum err_code control_track_new(struct control_track **ret, struct err *e);
void control_track_free(struct control_track *t); /* null is fine */
/* After each read-back.  The first tells nothing: what is there was there before us. */
void control_track_passed(
    struct control_track *t, const struct reconcile_view *v, int64_t wall_ms, const struct control_track_sink *to);
/* A plan ended, run_ms after it was begun. */
void control_track_ran(struct control_track *t, const struct plan *p, const struct hap_exec_report *report,
    int64_t run_ms, int64_t wall_ms, const struct control_track_sink *to);
const struct control_track_counts *control_track_counts(const struct control_track *t);

#endif
