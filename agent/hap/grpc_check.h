/*
 * A health check by grpc.health.v1 for stock HAProxy: one call of Health/Check as
 * the bytes that go over the wire, and the tcp-check lines that send them.  Pure.
 *
 * http-check cannot do it: it sends no byte 0 in a body, in any version
 * (facts/haproxy.md, section 8).
 */
#ifndef HAP_GRPC_CHECK_H
#define HAP_GRPC_CHECK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* HAProxy takes lines of 2048 bytes at most; a byte becomes two hex digits. */
#define GRPC_CHECK_SERVICE_MAX 255
#define GRPC_CHECK_TEXT_MAX    ((size_t)4096)

/* Empty: the server as a whole.  Otherwise the names of a package and a service,
 * with dots between: letters, digits and _, and - as in names that are only the
 * health service's own.  ERR_ARG says what is wrong with it. */
NODISCARD enum err_code grpc_check_service_ok(struct str service, struct err *e);
/* Appends the whole request: HTTP/2 preface, SETTINGS, HEADERS, DATA. */
NODISCARD enum err_code grpc_check_request(struct str service, struct buf *out, struct err *e);
/* Appends the lines of a backend, each with its newline and without indent. */
NODISCARD enum err_code grpc_check_lines(struct str service, struct buf *out, struct err *e);
/* The same, indented, below comments on what they prove and what they need. */
NODISCARD enum err_code grpc_check_section(struct str service, struct buf *out, struct err *e);

#endif
