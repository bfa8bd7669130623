/*
 * Requests to the services that sit beside us: the instance's, the task's, the
 * container endpoint.  A driver on io/http.h: never by a proxy, short timeouts, a few
 * attempts.
 *
 * The contract is io/http.h's: an error means no callback; otherwise exactly one,
 * later, unless it is cancelled.
 */
#ifndef AWS_METADATA_H
#define AWS_METADATA_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "io/http.h"

#define METADATA_HEADERS_MAX 2
#define METADATA_ANSWER_MAX  ((size_t)64 << 10)

struct loop;
struct metadata_call;

struct metadata_ask {
	struct str method, url;
	struct http_header headers[METADATA_HEADERS_MAX];
	size_t n_headers;
	int64_t timeout_ms;
	unsigned attempts; /* of no answer, 429 and 5xx */
	int64_t pause_ms;  /* between them */
};

/* Copies ask; borrows l and h. */
NODISCARD enum err_code metadata_send(struct loop *l, struct http *h, const struct metadata_ask *ask,
    http_done_fn *done, void *arg, struct metadata_call **ret, struct err *e);
void metadata_cancel(struct metadata_call *call); /* done is not called after; null is fine */

#endif
