/*
 * Outgoing HTTP as an interface: libcurl behind it in the daemon, a script
 * behind it in tests.
 *
 * Contract, the same for every implementation: if send returns an error the
 * callback is never called; otherwise it is called exactly once, later, from the
 * loop, never from inside send or cancel.
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct loop;
struct http_call; /* in flight; gone once its callback returns */

struct http_header {
	struct str name, value;
};

struct http_request {
	struct str method, url, body;
	const struct http_header *headers; /* all that is sent besides Host and Content-Length */
	size_t n_headers;
	int64_t connect_timeout_ms, timeout_ms;
	size_t max_response; /* bytes of body; more is ERR_LIMIT */
	bool no_proxy;       /* true: never through a proxy of the environment */
};

struct http_response {
	enum err_code code;    /* ERR_OK: status, headers and body are set */
	const struct err *err; /* what went wrong otherwise */
	int status;
	struct str body;        /* borrowed for the length of the callback, as are all here */
	struct str error_type;  /* x-amzn-errortype, or empty */
	int64_t date_wall_ms;   /* the Date header as Unix time; 0: none */
	int64_t retry_after_ms; /* Retry-After in seconds form; -1: none */
};

typedef void http_done_fn(void *arg, const struct http_response *rs);

struct http {
	enum err_code (*send)(struct http *h, const struct http_request *rq, http_done_fn *done, void *arg,
	    struct http_call **ret, struct err *e);
	void (*cancel)(struct http *h, struct http_call *call); /* done is called, later, with ERR_CANCELLED */
	void (*close)(struct http *h);                          /* what is in flight ends with ERR_CANCELLED */
};

#endif
