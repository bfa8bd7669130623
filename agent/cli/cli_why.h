/*
 * `rollcall why`: one task, where it serves, or why it gets no calls.  Pure.
 *
 * The first line is for scripts, one per server:
 *   SERVICE TASK: in BACKEND as SERVER, STATE
 * or, if it has none:
 *   SERVICE TASK: no traffic: REASON: message
 * REASON is one of the control interface, or "joining": nothing is in the way, and
 * no server stands for it yet.
 */
#ifndef CLI_CLI_WHY_H
#define CLI_CLI_WHY_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli_text.h"

/* task: a document of /v1/tasks; backends: an array of those its servers are in. */
NODISCARD enum err_code cli_why_task(
    const json_t *task, const json_t *backends, const struct cli_text_style *style, struct buf *out, struct err *e);
/* Of "BACKEND/NAME", neither of which has a slash. */
struct str cli_why_backend(struct str full);
/* A server that no known task explains. */
NODISCARD enum err_code cli_why_server(
    const json_t *server, const struct cli_text_style *style, struct buf *out, struct err *e);

#endif
