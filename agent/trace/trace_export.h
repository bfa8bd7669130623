/*
 * Log lines in (UDP), spans out (OTLP/HTTP).  A driver.
 *
 * Everything is bounded: a queue of TRACE_EXPORT_QUEUE_MAX spans, of which the newest
 * is dropped when it is full, and one batch under way.  What is lost anywhere is
 * counted; a place that can't be bound is a fault that is shown and tried again.
 */
#ifndef TRACE_TRACE_EXPORT_H
#define TRACE_TRACE_EXPORT_H

#include "base/env.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/prng.h"
#include "io/http.h"
#include "io/loop.h"
#include "trace/trace_otlp.h"

#define TRACE_EXPORT_QUEUE_MAX   2048
#define TRACE_EXPORT_BATCH_MAX   512
#define TRACE_EXPORT_EVERY_MS    INT64_C(5000) /* unless OTEL_BSP_SCHEDULE_DELAY says otherwise */
#define TRACE_EXPORT_TRIES_MAX   6
#define TRACE_EXPORT_WAIT_MAX_MS INT64_C(60000) /* also of a Retry-After */

struct trace_export;

struct trace_export_config { /* all must outlive it */
	struct str log_listen, endpoint;
	const struct http_header *headers;
	size_t n_headers;
	const struct env *env;
	struct http *http;
	struct prng *rnd;
	/* Who was behind that server; leaves *ret alone if it is not known. */
	void (*resolve)(void *arg, struct str backend, struct str server, struct trace_otlp_task *ret);
	void *arg;
};

/* In spans, since the start. */
struct trace_export_counts {
	uint64_t received, exported;
	uint64_t malformed;      /* lines that are no spans */
	uint64_t lost_by_kernel; /* datagrams: the socket's buffer was full */
	uint64_t dropped_full;   /* the queue was full */
	uint64_t dropped_failed; /* the collector refused them, or was not reached for too long */
	uint64_t rejected;       /* by a collector that took the rest of their batch */
	uint64_t retries;        /* of batches */
};

struct trace_export_view {
	const struct trace_export_counts *counts;
	const struct fault *bind_fault, *export_fault;
	size_t queued;
};

/* Listens from trace_export_start on. */
NODISCARD enum err_code trace_export_new(
    struct loop *l, const struct trace_export_config *config, struct trace_export **ret, struct err *e);
/* Before x is started, and before is closed: what waits there is sent by x, its counts go
 * on, and no line is lost if both listen at the same place. */
void trace_export_inherit(struct trace_export *x, struct trace_export *before);
void trace_export_start(struct trace_export *x);
struct trace_export_view trace_export_view(const struct trace_export *x);
/* What waits is lost.  The http must be closed after it; null is fine. */
void trace_export_close(struct trace_export *x);

#endif
