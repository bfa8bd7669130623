/* A span as HAProxy's log line tells it: see trace_span.h. */
#include "config.h"

#include "trace/trace_span.h"

#include <jansson.h>

#define GRPC_STATUS_MAX 16

static const char *const grpc_names[GRPC_STATUS_MAX + 1] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED" };

const char *
trace_span_grpc_name(int status)
{
	return status >= 0 && status <= GRPC_STATUS_MAX ? grpc_names[status] : NULL;
}

struct str
trace_span_str(const struct trace_span_text *t)
{
	return str_of(t->bytes, t->len);
}

static struct str
text_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR("");
}

static void
take_text(const json_t *o, const char *key, struct trace_span_text *ret)
{
	struct str s = str_first(text_of(o, key), sizeof(ret->bytes));

	/* Cut between characters: what begins with 10xxxxxx goes on. */
	if (s.len == sizeof(ret->bytes) && text_of(o, key).len > s.len)
		while (s.len > 0 && ((uint8_t)s.ptr[s.len] & 0xc0) == 0x80)
			s.len--;
	if (s.len > 0)
		memcpy(ret->bytes, s.ptr, s.len);
	ret->len = s.len;
}

static bool
is_hex(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
			return false;
	return true;
}

static bool
is_zero(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '0')
			return false;
	return true;
}

static bool
take_id(const json_t *o, const char *key, char *ret, size_t n)
{
	struct str s = text_of(o, key);

	if (s.len != n || !is_hex(s) || is_zero(s))
		return false;
	memcpy(ret, s.ptr, n);
	return true;
}

static bool
take_flags(const json_t *o, unsigned *ret)
{
	struct str s = text_of(o, "f");

	if (s.len != 2 || !is_hex(s))
		return false;
	for (size_t i = 0; i < 2; i++)
		*ret = *ret << 4 | (unsigned)(s.ptr[i] <= '9' ? s.ptr[i] - '0' : s.ptr[i] - 'a' + 10);
	return true;
}

static int64_t
number_of(const json_t *o, const char *key, int64_t min, int64_t max, int64_t otherwise)
{
	const json_t *v = json_object_get(o, key);
	int64_t n = json_is_integer(v) ? json_integer_value(v) : otherwise;

	return n >= min && n <= max ? n : otherwise;
}

/* The header as it came: "14", and nothing that is no number of 0 to 16. */
static int
grpc_status_of(const json_t *o)
{
	uint64_t n;

	return str_to_u64(text_of(o, "gs"), GRPC_STATUS_MAX, &n) ? (int)n : -1;
}

static uint16_t
port_of(const json_t *o, const char *key)
{
	uint64_t n;

	if (str_to_u64(text_of(o, key), UINT16_MAX, &n))
		return (uint16_t)n;
	return (uint16_t)number_of(o, key, 0, UINT16_MAX, 0);
}

static bool
take_ids(const json_t *o, struct trace_span *s)
{
	struct str parent = text_of(o, "p");

	s->has_parent = parent.len > 0 && !str_eq(parent, STR("-"));
	return take_id(o, "t", s->trace_id, sizeof(s->trace_id)) && take_id(o, "s", s->span_id, sizeof(s->span_id)) &&
	       (!s->has_parent || take_id(o, "p", s->parent_id, sizeof(s->parent_id))) && take_flags(o, &s->flags);
}

/* Two clocks' readings: an end before the start is the same moment. */
static bool
take_times(const json_t *o, struct trace_span *s)
{
	int64_t start = number_of(o, "a", 1, INT64_C(253402300799999999), 0);
	int64_t end = number_of(o, "z", 1, INT64_C(253402300799999999), 0);

	s->start_us = (uint64_t)start;
	s->end_us = (uint64_t)(end > start ? end : start);
	return start > 0 && end > 0;
}

static void
take_rest(const json_t *o, struct trace_span *s)
{
	struct str ts = text_of(o, "ts");

	s->is_grpc = str_eq(text_of(o, "g"), STR("1"));
	take_text(o, "m", &s->method);
	take_text(o, "u", &s->path);
	take_text(o, "b", &s->backend);
	take_text(o, "v", &s->server);
	take_text(o, "ci", &s->client);
	take_text(o, "si", &s->peer);
	if (trace_span_str(&s->peer).len == 1) /* "-" */
		s->peer.len = 0;
	s->client_port = port_of(o, "cp");
	s->peer_port = port_of(o, "sp");
	s->status = (int)number_of(o, "st", 100, 999, 0);
	s->grpc_status = grpc_status_of(o);
	ts = str_first(ts, sizeof(s->termination) - 1);
	if (str_is_printable(ts) && ts.len > 0)
		memcpy(s->termination, ts.ptr, ts.len);
	s->queue_ms = number_of(o, "tw", -1, INT32_MAX, -1);
	s->connect_ms = number_of(o, "tc", -1, INT32_MAX, -1);
	s->response_ms = number_of(o, "tr", -1, INT32_MAX, -1);
}

enum err_code
trace_span_read(struct str line, struct trace_span *ret, struct err *e)
{
	struct trace_span s = { .flags = 0 };
	json_t *o;
	bool ok;

	line = str_trim(line);
	if (line.len == 0 || line.len > TRACE_SPAN_LINE_MAX)
		return err_set(e, ERR_PARSE, "a log line of %zu bytes", line.len);
	o = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(
		    e, ERR_PARSE, "a log line that is no JSON object: was it cut at the `len` of its `log` line?");
	}
	ok = take_ids(o, &s) && take_times(o, &s);
	if (ok)
		take_rest(o, &s);
	json_decref(o);
	if (!ok)
		return err_set(e, ERR_PARSE, "a log line without the ids and times of haproxy/tracing.cfg");
	*ret = s;
	return ERR_OK;
}
