/*
 * A span, as HAProxy's log line tells it (haproxy/tracing.cfg): one JSON object of at
 * most TRACE_SPAN_LINE_MAX bytes.  Pure; the line is hostile.
 */
#ifndef TRACE_TRACE_SPAN_H
#define TRACE_TRACE_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define TRACE_SPAN_LINE_MAX ((size_t)4096)
#define TRACE_SPAN_TEXT_MAX ((size_t)256)

struct trace_span_text {
	size_t len;
	char bytes[TRACE_SPAN_TEXT_MAX];
};

struct trace_span {
	char trace_id[32], span_id[16], parent_id[16]; /* lower-case hexadecimal */
	bool has_parent;
	unsigned flags;            /* W3C: bit 0 is sampled */
	uint64_t start_us, end_us; /* Unix time */
	bool is_grpc;
	struct trace_span_text method, path, backend, server; /* server "<NOSRV>": none was chosen */
	int status;                                           /* HTTP; 0: none came */
	int grpc_status;                                      /* -1: not seen: it may have been in trailers */
	char termination[5];                                  /* HAProxy's state, "----" */
	int64_t queue_ms, connect_ms, response_ms;            /* -1: never reached */
	struct trace_span_text client, peer;                  /* addresses; empty: not known */
	uint16_t client_port, peer_port;
};

/* ERR_PARSE: not such a line. */
NODISCARD enum err_code trace_span_read(struct str line, struct trace_span *ret, struct err *e);
struct str trace_span_str(const struct trace_span_text *t);
/* "UNAVAILABLE"; null: no such status. */
const char *trace_span_grpc_name(int status);

#endif
