/*
 * What a failed AWS call means, and how long to wait before the next one.  Pure.
 *
 * AWS sends nearly everything as HTTP 400, so the code in the body decides, never
 * the status alone (facts/ecs.md, section 2, "Errors").
 */
#ifndef AWS_AWS_ERROR_H
#define AWS_AWS_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum aws_error_class {
	AWS_ERROR_THROTTLED, /* slow down, then again */
	AWS_ERROR_TRANSIENT, /* again, with backoff */
	AWS_ERROR_STALE_KEY, /* renew the key once and try again */
	AWS_ERROR_SKEW,      /* our clock is off: correct from Date and try again */
	AWS_ERROR_DENIED,    /* IAM says no (the message names the action), or the key doesn't fit its secret */
	AWS_ERROR_NOT_FOUND, /* no such cluster, task definition ... */
	AWS_ERROR_INVALID    /* our request is wrong, or something we do not know */
};

#define AWS_ERROR_CODE_MAX 64
#define AWS_ERROR_BODY_MAX ((size_t)64 << 10) /* a longer one is not read */

struct aws_error {
	enum aws_error_class class_;
	char code[AWS_ERROR_CODE_MAX]; /* "ThrottlingException"; only [A-Za-z0-9._-]; may be empty */
	struct err err;                /* for the log and the status: "ThrottlingException: Rate exceeded" */
	int64_t retry_after_ms;        /* how long the service wants to be left alone; 0: it did not say */
};

/* Any answer of a JSON service that is not a 2xx.  error_type is the x-amzn-errortype header, or empty. */
void aws_error_classify(int status, struct str error_type, struct str body, struct aws_error *ret);
/* The same of a service that answers in XML: Response/Errors/Error (EC2) or ErrorResponse/Error. */
void aws_error_classify_xml(int status, struct str body, struct aws_error *ret);
/* The same for who has read code and message elsewhere. */
void aws_error_make(int status, struct str code, struct str message, struct aws_error *ret);
/* What is no answer of AWS at all: a transport fault, no key, a queue that is full. */
void aws_error_local(enum aws_error_class c, const struct err *e, struct aws_error *ret);
/* Full jitter: uniform in [0, min(cap, base * 2^attempt)]; rnd is uniform in uint32_t. */
int64_t aws_error_backoff_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms, uint32_t rnd);

#endif
