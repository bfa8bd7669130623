/*
 * One HTTP exchange as a libcurl easy handle: what we ask of libcurl, what we
 * keep of the answer, and what went wrong in an operator's words.  Knows nothing
 * of the loop; io/http_curl.c runs it.
 */
#ifndef IO_HTTP_TRANSFER_H
#define IO_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "io/http.h"

#define HTTP_TRANSFER_SENT_MAX    ((size_t)4 << 20)  /* URL, headers and body of a request together */
#define HTTP_TRANSFER_HEAD_MAX    ((size_t)64 << 10) /* all header lines of an answer, interim ones included */
#define HTTP_TRANSFER_HEADERS_MAX 32                 /* headers of a request */

struct http_transfer {
	CURL *easy;
	struct buf sent; /* all bytes that libcurl points into; wiped, a header may be a secret */
	struct curl_slist *lines;
	struct buf body;
	size_t head_bytes;
	bool head_too_large;
	char error_type[128];
	int64_t date_wall_ms, retry_after_ms;
	int64_t connect_timeout_ms, timeout_ms;
	char where[300]; /* "HOST:PORT" */
	char curl_text[CURL_ERROR_SIZE];
};

/* ERR_ARG: a request with it is refused. */
NODISCARD enum err_code http_transfer_check_header(const struct http_header *h, struct err *e);
/* Copies what rq says, and ca_file (http_curl.h); owner is what CURLINFO_PRIVATE gives back.  On failure
 * there is nothing to close.  t must not move until it is closed. */
NODISCARD enum err_code http_transfer_open(
    struct http_transfer *t, const struct http_request *rq, const char *ca_file, void *owner, struct err *e);
/* Fills ret, which borrows from t and e, for a transfer that libcurl ended with result. */
void http_transfer_result(struct http_transfer *t, CURLcode result, struct http_response *ret, struct err *e);
void http_transfer_close(struct http_transfer *t);

#endif
