/*
 * Asking the daemon: HTTP over its control socket, or to the URL of its read-only
 * door.  A driver; one question at a time, with a timeout and a ceiling.
 */
#ifndef CLI_CLI_CLIENT_H
#define CLI_CLI_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CLI_CLIENT_DEFAULT_SOCKET "/run/rollcall/control.sock"
#define CLI_CLIENT_CONNECT_MS     2000L
#define CLI_CLIENT_ANSWER_MS      30000L
#define CLI_CLIENT_ANSWER_MAX     ((size_t)256 << 20)
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
/* Appends segment so that it stays one segment of a path, or one value of a query. */
void cli_client_put_segment(struct buf *out, struct str segment);

#endif
