/*
 * The daemon's documents as text: status, backends, servers.  A member that is missing or of
 * another type is shown as if it were empty; ERR_NOMEM, and ERR_LIMIT (out's), are all that
 * can fail.  Pure.
 */
#ifndef CLI_CLI_SHOW_H
#define CLI_CLI_SHOW_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli_text.h"

#define CLI_SHOW_TEXT_MAX ((size_t)512 << 20)

NODISCARD enum err_code cli_show_status(
    const json_t *status, const struct cli_text_style *style, struct buf *out, struct err *e);
/* backends: an array of them. */
NODISCARD enum err_code cli_show_backends(
    const json_t *backends, const struct cli_text_style *style, struct buf *out, struct err *e);
/* servers: an array of them. */
NODISCARD enum err_code cli_show_servers(
    const json_t *servers, const struct cli_text_style *style, struct buf *out, struct err *e);

/* "  name            ": lines that tell one thing each begin so. */
void cli_show_put_label(struct buf *out, const char *indent, struct str name);
void cli_show_put_address(struct buf *out, const json_t *server); /* "10.0.0.1:50051", "[fd00::1]:50051" */
enum cli_text_tone cli_show_tone(struct str state);               /* of a server */

#endif
