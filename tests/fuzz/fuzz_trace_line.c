/*
 * A log line of anything at all.  Laws: what is read is bounded; its span is JSON, and
 * of at most TRACE_OTLP_SPAN_MAX bytes, or not written.
 */
#include "config.h"

#include <jansson.h>

#include "fuzz.h"
#include "trace/trace_otlp.h"
#include "trace/trace_span.h"

static void
check_span(const struct trace_span *s)
{
	const struct trace_otlp_task task = {
		.arn = STR("a"), .cluster = STR("b"), .service = STR("c"), .container = STR("d")
	};
	struct buf text = buf_make(TRACE_OTLP_SPAN_MAX);
	json_t *doc;

	REQUIRE(s->path.len <= TRACE_SPAN_TEXT_MAX && s->backend.len <= TRACE_SPAN_TEXT_MAX);
	REQUIRE(s->start_us <= s->end_us && s->grpc_status >= -1 && s->grpc_status <= 16);
	trace_otlp_put_span(s, &task, &text);
	if (buf_failed(&text, NULL) == ERR_OK) {
		doc = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		REQUIRE(json_is_object(doc));
		json_decref(doc);
	}
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_span s;
	struct err e = ERR_INIT;

	if (trace_span_read(str_of(data, size), &s, &e) == ERR_OK)
		check_span(&s);
	else
		REQUIRE(e.code == ERR_PARSE && str_is_printable(str_from_cstr(e.msg)));
	return 0;
}
