/*
 * Asking the daemon: HTTP over its control socket, or to the URL of its read-only
 * door.  A driver; one question at a time, with a timeout and a ceiling.
 */
#ifndef CLI_CLI_CLIENT_H
#define CLI_CLI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CLI_CLIENT_DEFAULT_SOCKET "/run/rollcall/control.sock"
#define CLI_CLIENT_CONNECT_MS     2000L
#define CLI_CLIENT_ANSWER_MS      30000L
#define CLI_CLIENT_ANSWER_MAX     ((size_t)256 << 20)
#define CLI_CLIENT_SILENCE_S      60L /* of a stream: it says something every 15 s */
#define CLI_CLIENT_LINE_MAX       ((size_t)65536)
#define CLI_CLIENT_URL_MAX        ((size_t)8192)

struct cli_client {
	const char *where; /* path, abns@NAME or http://HOST:PORT */
};

struct cli_client_answer {
	long status;
	struct buf body; /* the caller's to free */
};

/*
 * GETs path, which is percent-encoded already.  ERR_CLOSED, ERR_TIMEOUT: nobody
 * answers there, and e says why and what to check; every other error is about the
 * answer, or about `where` itself (ERR_ARG).
 */
NODISCARD enum err_code cli_client_get(
    const struct cli_client *c, struct str path, struct cli_client_answer *ret, struct err *e);
/* The same with POST and no body. */
NODISCARD enum err_code cli_client_post(
    const struct cli_client *c, struct str path, struct cli_client_answer *ret, struct err *e);
/* Each line of the stream behind path (text/event-stream), until the daemon hangs up
 * (ERR_OK) or on_line returns false (ERR_CANCELLED); an empty line about once a second, too.
 * last_id: 0, or the last event seen. */
typedef bool cli_client_line_fn(void *arg, struct str line);
NODISCARD enum err_code cli_client_follow(const struct cli_client *c, struct str path, uint64_t last_id,
    cli_client_line_fn *on_line, void *arg, struct err *e);
/* Appends segment so that it stays one segment of a path, or one value of a query. */
void cli_client_put_segment(struct buf *out, struct str segment);

#endif
