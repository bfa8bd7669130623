/*
 * One POST to an AWS service: the headers to send, signed for one moment.  Pure.
 * Every attempt of a call is a request of its own.
 */
#ifndef AWS_AWS_REQUEST_H
#define AWS_AWS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "aws/aws_endpoint.h"
#include "aws/sigv4.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "io/http.h"

#define AWS_REQUEST_HEADERS 6

struct aws_request_facts {
	const struct aws_endpoint *to;
	struct str content_type;
	struct str target; /* X-Amz-Target; empty: none (the query services) */
	struct str body;
	struct sigv4_key key; /* all empty: the request goes unsigned (sts:AssumeRoleWithWebIdentity) */
	struct sigv4_scope scope;
};

struct aws_request {
	struct http_header headers[AWS_REQUEST_HEADERS]; /* borrow from the facts and from below */
	size_t n_headers;
	char date[SIGV4_DATE_SIZE];
	struct buf authorization;
};

/* On success ret borrows from facts, and must not move until it is freed. */
NODISCARD enum err_code aws_request_make(const struct aws_request_facts *facts, struct aws_request *ret, struct err *e);
void aws_request_free(struct aws_request *r);

#endif
