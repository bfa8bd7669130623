/*
 * Events: the list that /v1/events shows, the counts, and the log line that each of them
 * is.  Wiring; what is an event is control_track's to say.
 */
#ifndef APP_EVENTS_H
#define APP_EVENTS_H

#include "base/clk.h"
#include "base/err.h"
#include "base/log.h"
#include "control/control_events.h"
#include "control/control_track.h"

struct app_events;

/* woken: there is something new for those who follow; called often, and to do little. */
NODISCARD enum err_code app_events_new(
    const struct clk *clk, void (*woken)(void *arg), void *arg, struct app_events **ret, struct err *e);
void app_events_close(struct app_events *v); /* null is fine */
/* text is the line in the log, too; backend may be empty. */
void app_events_tell(struct app_events *v, enum log_level level, const char *kind, struct str backend, struct str text);
/* An order that was taken: of a server with the task behind it. */
void app_events_order(struct app_events *v, const struct plan *p, const struct reconcile_order *o, struct str said);
void app_events_passed(struct app_events *v, const struct reconcile_view *view);
void app_events_ran(struct app_events *v, const struct plan *p, const struct hap_exec_report *report, int64_t run_ms);
const struct control_events *app_events_list(const struct app_events *v);
const struct control_track_counts *app_events_counts(const struct app_events *v);
uint64_t app_events_count(const struct app_events *v); /* since the start */

#endif
