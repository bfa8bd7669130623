/*
 * OTLP/HTTP JSON (opentelemetry-proto 1.x): a span as text, and what is around a
 * batch of them.  Pure.  Names are those of the current rpc.* conventions.
 */
#ifndef TRACE_TRACE_OTLP_H
#define TRACE_TRACE_OTLP_H

#include "base/buf.h"
#include "base/env.h"
#include "trace/trace_span.h"

#define TRACE_OTLP_SPAN_MAX     ((size_t)8 << 10) /* bytes of one span */
#define TRACE_OTLP_RESOURCE_MAX ((size_t)16 << 10)
#define TRACE_OTLP_URL_MAX      ((size_t)2048)
#define TRACE_OTLP_HEADERS_MAX  16
#define TRACE_OTLP_EVERY_MAX_MS INT64_C(600000)

/* What rollcalld knows of the server; empty texts: nothing. */
struct trace_otlp_task {
	struct str arn, cluster, service, container;
};

void trace_otlp_put_span(const struct trace_span *s, const struct trace_otlp_task *task, struct buf *out);
/* OTEL_SERVICE_NAME (else service.name of OTEL_RESOURCE_ATTRIBUTES, else "haproxy") and
 * OTEL_RESOURCE_ATTRIBUTES, as the attributes of a resource. */
void trace_otlp_put_resource(const struct env *env, struct buf *out);
/* A request of spans, which stand in items with commas between them. */
void trace_otlp_put_request(struct str resource, struct str items, struct buf *out);

/* Where to: configured (a base, or a whole path), OTEL_EXPORTER_OTLP_TRACES_ENDPOINT as it
 * is, OTEL_EXPORTER_OTLP_ENDPOINT and http://127.0.0.1:4318 with /v1/traces behind. */
void trace_otlp_put_url(struct str configured, const struct env *env, struct buf *out);
/* The environment's may hold a password or a key: what may be shown of it.  Borrows from url. */
struct str trace_otlp_shown_url(struct str url);
/* "k=v,k2=v2", percent-encoded values: calls take for each; texts live for the call. */
void trace_otlp_each_pair(struct str list, void (*take)(void *arg, struct str name, struct str value), void *arg);
/* The ratio of OTEL_TRACES_SAMPLER_ARG in millionths, where OTEL_TRACES_SAMPLER names a
 * ratio; else otherwise. */
unsigned trace_otlp_sample_ppm(const struct env *env, unsigned otherwise);
/* OTEL_BSP_SCHEDULE_DELAY, how long a span may wait for others: 1 to TRACE_OTLP_EVERY_MAX_MS;
 * else otherwise. */
int64_t trace_otlp_every_ms(const struct env *env, int64_t otherwise);

#endif
