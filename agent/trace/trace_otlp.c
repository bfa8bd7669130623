/* OTLP/HTTP JSON: see trace_otlp.h. */
#include "config.h"

#include "trace/trace_otlp.h"

#include <inttypes.h>

#include "base/utf8.h"

#define TRACES_PATH "/v1/traces"
#define PPM         1000000u

/* ---- JSON ---- */

static void
put_escaped(struct buf *out, struct str s)
{
	struct str c;

	while (s.len > 0) {
		if (!utf8_take(&s, &c))
			buf_put(out, STR("\xef\xbf\xbd")); /* U+FFFD */
		else if (c.len == 1 && (c.ptr[0] == '"' || c.ptr[0] == '\\'))
			buf_printf(out, "\\%c", c.ptr[0]);
		else if (c.len == 1 && (uint8_t)c.ptr[0] < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)(uint8_t)c.ptr[0]);
		else
			buf_put(out, c);
	}
}

/* An attribute; a comma first, but for the first one. */
static void
begin_attribute(struct buf *out, struct str key)
{
	if (out->len > 0 && out->ptr[out->len - 1] != '[')
		buf_put_u8(out, ',');
	buf_put(out, STR("{\"key\":\""));
	put_escaped(out, key);
	buf_put(out, STR("\",\"value\":{"));
}

static void
put_text(struct buf *out, struct str key, struct str value)
{
	if (value.len == 0)
		return;
	begin_attribute(out, key);
	buf_put(out, STR("\"stringValue\":\""));
	put_escaped(out, value);
	buf_put(out, STR("\"}}"));
}

/* 64-bit integers are texts in OTLP's JSON. */
static void
put_number(struct buf *out, struct str key, int64_t value)
{
	begin_attribute(out, key);
	buf_printf(out, "\"intValue\":\"%" PRId64 "\"}}", value);
}

/* ---- a span ---- */

static struct str
method_of(const struct trace_span *s)
{
	struct str path = trace_span_str(&s->path);

	return str_has_prefix(path, STR("/")) ? str_skip(path, 1) : path;
}

/* The first letter of HAProxy's termination state. */
static bool
was_given_up_by_client(const struct trace_span *s)
{
	return s->status == 0 && s->termination[0] == 'C';
}

/* Of a server, which HAProxy is to its callers: what they do themselves is no error. */
static bool
has_failed(const struct trace_span *s)
{
	switch (s->grpc_status) {
	case 2:  /* UNKNOWN */
	case 4:  /* DEADLINE_EXCEEDED */
	case 12: /* UNIMPLEMENTED */
	case 13: /* INTERNAL */
	case 14: /* UNAVAILABLE */
	case 15: /* DATA_LOSS */
		return true;
	default:
		return (s->status == 0 && !was_given_up_by_client(s)) || s->status >= 500;
	}
}

static void
put_error_type(struct buf *out, const struct trace_span *s)
{
	char text[16];

	if (s->grpc_status > 0)
		put_text(out, STR("error.type"), str_from_cstr(trace_span_grpc_name(s->grpc_status)));
	else if (s->status == 0)
		put_text(
		    out, STR("error.type"), was_given_up_by_client(s) ? STR("cancelled") : STR("connection_reset"));
	else if (s->status >= 500) {
		struct buf number = buf_make(sizeof(text));

		buf_printf(&number, "%d", s->status);
		put_text(out, STR("error.type"), buf_str(&number));
		buf_free(&number);
	}
}

/* A status that was not seen may have been in trailers: it is left out, not called OK. */
static void
put_rpc(struct buf *out, const struct trace_span *s)
{
	put_text(out, STR("rpc.system.name"), STR("grpc"));
	put_text(out, STR("rpc.method"), method_of(s));
	if (s->grpc_status >= 0)
		put_text(out, STR("rpc.response.status_code"), str_from_cstr(trace_span_grpc_name(s->grpc_status)));
	else
		put_text(out, STR("haproxy.grpc_status_source"), STR("unknown"));
}

static void
put_http(struct buf *out, const struct trace_span *s)
{
	put_text(out, STR("http.request.method"), trace_span_str(&s->method));
	put_text(out, STR("url.path"), trace_span_str(&s->path));
}

static void
put_timer(struct buf *out, struct str key, int64_t ms)
{
	if (ms >= 0)
		put_number(out, key, ms);
}

static void
put_attributes(struct buf *out, const struct trace_span *s, const struct trace_otlp_task *task)
{
	if (s->is_grpc)
		put_rpc(out, s);
	else
		put_http(out, s);
	if (s->status > 0)
		put_number(out, STR("http.response.status_code"), s->status);
	put_error_type(out, s);
	put_text(out, STR("client.address"), trace_span_str(&s->client));
	if (s->client_port > 0)
		put_number(out, STR("client.port"), s->client_port);
	put_text(out, STR("network.peer.address"), trace_span_str(&s->peer));
	if (s->peer.len > 0 && s->peer_port > 0)
		put_number(out, STR("network.peer.port"), s->peer_port);
	put_text(out, STR("haproxy.backend"), trace_span_str(&s->backend));
	put_text(out, STR("haproxy.server"), trace_span_str(&s->server));
	put_text(out, STR("haproxy.termination_state"), str_from_cstr(s->termination));
	put_timer(out, STR("haproxy.time.queue_ms"), s->queue_ms);
	put_timer(out, STR("haproxy.time.connect_ms"), s->connect_ms);
	put_timer(out, STR("haproxy.time.response_ms"), s->response_ms);
	put_text(out, STR("aws.ecs.task.arn"), task->arn);
	put_text(out, STR("aws.ecs.cluster.arn"), task->cluster);
	put_text(out, STR("aws.ecs.service"), task->service);
	put_text(out, STR("aws.ecs.container.name"), task->container);
}

void
trace_otlp_put_span(const struct trace_span *s, const struct trace_otlp_task *task, struct buf *out)
{
	struct str name = s->is_grpc ? method_of(s) : trace_span_str(&s->method);

	buf_put(out, STR("{\"traceId\":\""));
	buf_put(out, str_of(s->trace_id, sizeof(s->trace_id)));
	buf_put(out, STR("\",\"spanId\":\""));
	buf_put(out, str_of(s->span_id, sizeof(s->span_id)));
	if (s->has_parent) {
		buf_put(out, STR("\",\"parentSpanId\":\""));
		buf_put(out, str_of(s->parent_id, sizeof(s->parent_id)));
	}
	buf_put(out, STR("\",\"name\":\""));
	put_escaped(out, name.len > 0 ? name : STR("grpc"));
	/* Kind 2 is SERVER; flags: W3C's, and that the parent is known to be remote. */
	buf_printf(out, "\",\"kind\":2,\"flags\":%u", (s->flags & 0xff) | (s->has_parent ? 0x300u : 0u));
	buf_printf(out, ",\"startTimeUnixNano\":\"%" PRIu64 "000\",\"endTimeUnixNano\":\"%" PRIu64 "000\"", s->start_us,
	    s->end_us);
	buf_put(out, STR(",\"attributes\":["));
	put_attributes(out, s, task);
	buf_put(out, has_failed(s) ? STR("],\"status\":{\"code\":2}}") : STR("],\"status\":{}}"));
}

/* ---- around it ---- */

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
put_decoded(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_of(s.ptr[i + 1]) : -1;
		int low = high >= 0 ? hex_of(s.ptr[i + 2]) : -1;

		buf_put_u8(
		    out, low >= 0 ? (uint8_t)(((unsigned)high << 4 | (unsigned)low) & 0xffu) : (uint8_t)s.ptr[i]);
		i += low >= 0 ? 2 : 0;
	}
}

void
trace_otlp_each_pair(struct str list, void (*take)(void *arg, struct str name, struct str value), void *arg)
{
	struct str pair;

	while (str_next(&list, ',', &pair)) {
		struct buf value = buf_make(TRACE_OTLP_RESOURCE_MAX);
		size_t at;

		if (str_find(pair, '=', &at) && str_trim(str_first(pair, at)).len > 0) {
			put_decoded(&value, str_trim(str_skip(pair, at + 1)));
			take(arg, str_trim(str_first(pair, at)), buf_str(&value));
		}
		buf_free(&value);
	}
}

struct resource {
	struct buf *out;
	bool has_name;
};

static void
take_attribute(void *arg, struct str name, struct str value)
{
	struct resource *r = arg;
	bool is_name = str_eq(name, STR("service.name"));

	if (is_name && r->has_name)
		return;
	r->has_name = r->has_name || (is_name && value.len > 0);
	put_text(r->out, name, value);
}

void
trace_otlp_put_resource(const struct env *env, struct buf *out)
{
	struct str name = str_from_cstr(env_get(env, "OTEL_SERVICE_NAME"));
	struct buf attributes = buf_make(TRACE_OTLP_RESOURCE_MAX);
	struct resource r = { .out = &attributes, .has_name = name.len > 0 };

	buf_put_u8(&attributes, '[');
	put_text(&attributes, STR("service.name"), name);
	trace_otlp_each_pair(str_from_cstr(env_get(env, "OTEL_RESOURCE_ATTRIBUTES")), take_attribute, &r);
	if (!r.has_name)
		put_text(&attributes, STR("service.name"), STR("haproxy"));
	if (buf_failed(&attributes, NULL) == ERR_OK)
		buf_put(out, str_skip(buf_str(&attributes), 1));
	buf_free(&attributes);
}

void
trace_otlp_put_request(struct str resource, struct str items, struct buf *out)
{
	buf_put(out, STR("{\"resourceSpans\":[{\"resource\":{\"attributes\":["));
	buf_put(out, resource);
	buf_put(out, STR("]},\"scopeSpans\":[{\"scope\":{\"name\":\"rollcall\",\"version\":\"" PACKAGE_VERSION
			 "\"},\"spans\":["));
	buf_put(out, items);
	buf_put(out, STR("]}]}]}"));
}

static void
put_base(struct str base, struct buf *out)
{
	while (str_has_suffix(base, STR("/")))
		base = str_first(base, base.len - 1);
	buf_put(out, base);
	buf_put(out, STR(TRACES_PATH));
}

struct str
trace_otlp_shown_url(struct str url)
{
	size_t at;

	if (str_find(url, '@', &at))
		return STR("(not shown: it holds a user or a key)");
	if (str_find(url, '#', &at))
		url = str_first(url, at);
	return str_find(url, '?', &at) ? str_first(url, at) : url;
}

void
trace_otlp_put_url(struct str configured, const struct env *env, struct buf *out)
{
	struct str traces = str_from_cstr(env_get(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"));
	struct str base = str_from_cstr(env_get(env, "OTEL_EXPORTER_OTLP_ENDPOINT"));

	if (str_has_suffix(configured, STR(TRACES_PATH)))
		buf_put(out, configured);
	else if (configured.len > 0)
		put_base(configured, out);
	else if (traces.len > 0)
		buf_put(out, traces);
	else
		put_base(base.len > 0 ? base : STR("http://127.0.0.1:4318"), out);
}

/* "0.25": digits and at most one point. */
static bool
read_ratio(struct str s, unsigned *ret_ppm)
{
	uint64_t value = 0, scale = PPM;
	bool behind = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '.' && !behind) {
			behind = true;
			continue;
		}
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || value > PPM)
			return false;
		if (behind && scale == 1)
			continue;
		value = value * 10 + (uint64_t)(s.ptr[i] - '0');
		scale /= behind ? 10 : 1;
	}
	if (s.len == 0 || value * scale > PPM)
		return false;
	*ret_ppm = (unsigned)(value * scale);
	return true;
}

unsigned
trace_otlp_sample_ppm(const struct env *env, unsigned otherwise)
{
	struct str sampler = str_from_cstr(env_get(env, "OTEL_TRACES_SAMPLER"));
	unsigned ppm;

	if (str_eq(sampler, STR("always_off")) || str_eq(sampler, STR("parentbased_always_off")))
		return 0;
	if (str_has_suffix(sampler, STR("traceidratio")) &&
	    read_ratio(str_trim(str_from_cstr(env_get(env, "OTEL_TRACES_SAMPLER_ARG"))), &ppm))
		return ppm;
	return otherwise;
}

int64_t
trace_otlp_every_ms(const struct env *env, int64_t otherwise)
{
	struct str text = str_trim(str_from_cstr(env_get(env, "OTEL_BSP_SCHEDULE_DELAY")));
	uint64_t ms;

	return str_to_u64(text, TRACE_OTLP_EVERY_MAX_MS, &ms) && ms > 0 ? (int64_t)ms : otherwise;
}
