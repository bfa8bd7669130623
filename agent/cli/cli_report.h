/*
 * The daemon's documents as text: plan, route, events, doctor; and metrics as JSON.  What can
 * fail is what can in cli_show.h.  Pure.
 */
#ifndef CLI_CLI_REPORT_H
#define CLI_CLI_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli_text.h"

NODISCARD enum err_code cli_report_plan(
    const json_t *plan, const struct cli_text_style *style, struct buf *out, struct err *e);
NODISCARD enum err_code cli_report_route(
    const json_t *route, const struct cli_text_style *style, struct buf *out, struct err *e);
/* events: an array of them. */
NODISCARD enum err_code cli_report_events(
    const json_t *events, const struct cli_text_style *style, struct buf *out, struct err *e);
/* One, and its newline. */
void cli_report_event(const json_t *event, const struct cli_text_style *style, struct buf *out);
/* findings: an array of them. */
NODISCARD enum err_code cli_report_doctor(
    const json_t *findings, const struct cli_text_style *style, struct buf *out, struct err *e);
/* Of Prometheus's text: [{"name", "labels": {}, "value"}].  Null: no memory, or a line that is
 * none. */
json_t *cli_report_metrics(struct str text);

#endif
