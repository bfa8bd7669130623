/* trace/: from a log line to a span of OTLP. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>

#include "trace/trace_otlp.h"
#include "trace/trace_span.h"
#include "unit.h"

#define IDS                                                                                                       \
	"\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b8\",\"p\":\"00f067aa0ba902b7\",\"f\":" \
	"\"01\""
#define TIME "\"a\":1700000000000001,\"z\":1700000000004002"
#define REST                                                                                                           \
	"\"g\":\"1\",\"m\":\"POST\",\"u\":\"/rng.Rng/Next\",\"b\":\"grpc\",\"v\":\"rc_1\",\"st\":200,\"ts\":\"----\"," \
	"\"tw\":0,\"tc\":-1,\"tr\":3,\"ci\":\"10.0.0.9\",\"cp\":4711,\"si\":\"10.0.0.1\",\"sp\":\"50051\""

static const struct trace_otlp_task nobody = {
	.arn = { "", 0 }, .cluster = { "", 0 }, .service = { "", 0 }, .container = { "", 0 }
};

static struct trace_span
read_ok(const char *line)
{
	struct trace_span s;

	assert_int_equal(trace_span_read(str_from_cstr(line), &s, NULL), ERR_OK);
	return s;
}

static json_t *
otlp_of(const struct trace_span *s, const struct trace_otlp_task *task)
{
	struct buf text = buf_make(TRACE_OTLP_SPAN_MAX);
	json_t *doc;

	trace_otlp_put_span(s, task, &text);
	assert_int_equal(buf_failed(&text, NULL), ERR_OK);
	doc = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	buf_free(&text);
	return doc;
}

/* As text, whatever its type; null: not there. */
static const char *
attribute(const json_t *span, const char *key)
{
	size_t i;
	const json_t *item, *value, *list = json_object_get(span, "attributes");

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_string_value(json_object_get(item, "key")), key) != 0)
			continue;
		value = json_object_get(item, "value");
		return json_string_value(json_object_iter_value(json_object_iter((json_t *)(uintptr_t)value)));
	}
	return NULL;
}

static void
a_line_is_a_span(void **state)
{
	struct trace_span s = read_ok("{" IDS "," TIME "," REST ",\"gs\":\"14\"}\n");
	const struct trace_otlp_task task = {
		.arn = STR("arn:task"), .cluster = STR("arn:c"), .service = STR("service:x"), .container = STR("app")
	};
	json_t *span = otlp_of(&s, &task);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(span, "parentSpanId")), "00f067aa0ba902b7");
	assert_string_equal(json_string_value(json_object_get(span, "name")), "rng.Rng/Next");
	assert_string_equal(json_string_value(json_object_get(span, "startTimeUnixNano")), "1700000000000001000");
	assert_string_equal(json_string_value(json_object_get(span, "endTimeUnixNano")), "1700000000004002000");
	assert_int_equal(json_integer_value(json_object_get(span, "kind")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(span, "status"), "code")), 2);
	assert_string_equal(attribute(span, "rpc.response.status_code"), "UNAVAILABLE");
	assert_string_equal(attribute(span, "error.type"), "UNAVAILABLE");
	assert_string_equal(attribute(span, "aws.ecs.task.arn"), "arn:task");
	assert_string_equal(attribute(span, "haproxy.time.response_ms"), "3");
	assert_string_equal(attribute(span, "network.peer.port"), "50051");
	assert_null(attribute(span, "haproxy.time.connect_ms"));
	assert_null(attribute(span, "haproxy.grpc_status_source"));
	json_decref(span);
}

static void
a_status_that_was_not_seen_is_not_called_ok(void **state)
{
	static const char *const rows[] = { "", "-", "x", "17", "999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char line[1000];
		struct trace_span s;
		json_t *span;

		(void)snprintf(line, sizeof(line), "{" IDS "," TIME "," REST ",\"gs\":\"%s\"}", rows[i]);
		s = read_ok(line);
		assert_int_equal(s.grpc_status, -1);
		span = otlp_of(&s, &nobody);
		assert_null(attribute(span, "rpc.response.status_code"));
		assert_null(json_object_get(json_object_get(span, "status"), "code"));
		assert_string_equal(attribute(span, "haproxy.grpc_status_source"), "unknown");
		json_decref(span);
	}
}

static void
only_the_servers_fault_is_an_error(void **state)
{
	static const int errors[] = { 2, 4, 12, 13, 14, 15 };

	(void)state;
	for (int status = 0; status <= 16; status++) {
		char line[1000];
		bool want = false;
		struct trace_span s;
		json_t *span;

		for (size_t i = 0; i < N_OF(errors); i++)
			want = want || errors[i] == status;
		(void)snprintf(line, sizeof(line), "{" IDS "," TIME "," REST ",\"gs\":\"%d\"}", status);
		s = read_ok(line);
		span = otlp_of(&s, &nobody);
		assert_int_equal(json_object_get(json_object_get(span, "status"), "code") != NULL, want);
		assert_string_equal(attribute(span, "rpc.response.status_code"), trace_span_grpc_name(status));
		json_decref(span);
	}
}

static void
who_ended_a_call_without_an_answer_is_told(void **state)
{
	static const struct {
		const char *termination, *type;
		bool is_error;
	} rows[] = { { "SD--", "connection_reset", true }, { "CD--", "cancelled", false },
		{ "", "connection_reset", true }, { "\\u0001", "connection_reset", true } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char line[1000];
		struct trace_span s;
		json_t *span;

		(void)snprintf(line, sizeof(line), "{" IDS "," TIME ",\"g\":\"1\",\"u\":\"/a\",\"st\":0,\"ts\":\"%s\"}",
		    rows[i].termination);
		s = read_ok(line);
		span = otlp_of(&s, &nobody);
		assert_string_equal(attribute(span, "error.type"), rows[i].type);
		assert_int_equal(json_object_get(json_object_get(span, "status"), "code") != NULL, rows[i].is_error);
		json_decref(span);
	}
}

/* Without a grpc-status it is HTTP's that counts. */
static void
an_http_status_of_500_and_above_is_an_error(void **state)
{
	static const struct {
		const char *line, *type; /* null: none */
	} rows[] = {
		{ "{" IDS "," TIME ",\"g\":\"0\",\"m\":\"GET\",\"u\":\"x\",\"st\":503,\"ts\":\"----\"}", "503" },
		{ "{" IDS "," TIME ",\"g\":\"0\",\"m\":\"GET\",\"u\":\"x\",\"st\":499,\"ts\":\"----\"}", NULL },
		{ "{" IDS "," TIME ",\"g\":\"1\",\"u\":\"x\",\"st\":500,\"ts\":\"----\"}", "500" },
		{ "{" IDS "," TIME ",\"g\":\"1\",\"u\":\"x\",\"st\":500,\"gs\":\"0\"}", "500" },
		{ "{" IDS "," TIME ",\"g\":\"1\",\"u\":\"x\",\"st\":1000}", "connection_reset" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct trace_span s = read_ok(rows[i].line);
		json_t *span = otlp_of(&s, &nobody);
		const char *type = attribute(span, "error.type");

		CHECK_ROW((type == NULL) == (rows[i].type == NULL), i, rows[i].line);
		CHECK_ROW(type == NULL || strcmp(type, rows[i].type) == 0, i, type);
		json_decref(span);
	}
}

/* At 256 bytes, and never within a character. */
static void
a_long_text_is_cut_between_characters(void **state)
{
	static const struct {
		const char *ends; /* what the 256th byte is in */
		size_t want;
	} rows[] = { { "a", 256 }, { "\xc3\xa9", 255 }, { "\xf0\x9f\x98\x80", 255 } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char line[1000], path[300];
		struct trace_span s;

		memset(path, 'a', 255);
		(void)snprintf(path + 255, sizeof(path) - 255, "%s and more", rows[i].ends);
		(void)snprintf(line, sizeof(line), "{" IDS "," TIME ",\"u\":\"%s\",\"st\":0}", path);
		s = read_ok(line);
		assert_int_equal(s.path.len, rows[i].want);
		assert_memory_equal(s.path.bytes, path, rows[i].want);
	}
}

static void
numbers_out_of_range_are_not_taken(void **state)
{
	struct trace_span s =
	    read_ok("{" IDS "," TIME ",\"st\":99,\"tw\":-2,\"tc\":2147483648,\"tr\":\"3\",\"cp\":65536,"
		    "\"sp\":443,\"si\":\"-\"}");
	json_t *span;

	(void)state;
	assert_int_equal(s.status, 0);
	assert_int_equal(s.queue_ms, -1);
	assert_int_equal(s.connect_ms, -1);
	assert_int_equal(s.response_ms, -1);
	assert_int_equal(s.client_port, 0);
	assert_int_equal(s.peer_port, 443);
	assert_int_equal(s.peer.len, 0);
	span = otlp_of(&s, &nobody);
	assert_null(attribute(span, "network.peer.address"));
	assert_null(attribute(span, "network.peer.port")); /* of nobody */
	json_decref(span);
	s = read_ok("{" IDS ",\"a\":1700000000000002,\"z\":1700000000000001,\"st\":200}");
	assert_true(s.end_us == s.start_us);
	assert_null(trace_span_grpc_name(-1));
	assert_null(trace_span_grpc_name(17));
}

static void
flags_are_two_hexadecimal_digits(void **state)
{
	struct trace_span s =
	    read_ok("{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b8\",\"f\":\"a9\"," TIME "}");

	(void)state;
	assert_int_equal(s.flags, 0xa9);
	assert_false(s.has_parent);
}

static void
a_root_has_no_parent(void **state)
{
	struct trace_span s =
	    read_ok("{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b8\",\"p\":\"-\","
		    "\"f\":\"01\"," TIME "," REST ",\"gs\":\"\"}");
	json_t *span = otlp_of(&s, &nobody);

	(void)state;
	assert_null(json_object_get(span, "parentSpanId"));
	assert_int_equal(json_integer_value(json_object_get(span, "flags")), 1);
	json_decref(span);
}

static void
what_is_no_span_is_refused(void **state)
{
	static const char *const rows[] = { "", "x", "[]", "{}", "{" IDS "}", "{" TIME "}", "{" IDS "," TIME,
		"{\"t\":\"00000000000000000000000000000000\",\"s\":\"00f067aa0ba902b8\",\"p\":\"\",\"f\":\"01\"," TIME
		"}",
		"{\"t\":\"4BF92F3577B34DA6A3CE929D0E0E4736\",\"s\":\"00f067aa0ba902b8\",\"p\":\"\",\"f\":\"01\"," TIME
		"}",
		"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b8\",\"p\":\"1\",\"f\":\"01\"," TIME
		"}",
		"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b8\",\"p\":\"\",\"f\":\"1\"," TIME
		"}",
		"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b\",\"p\":\"\",\"f\":\"01\"," TIME
		"}",
		"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e473g\",\"s\":\"00f067aa0ba902b8\",\"p\":\"\",\"f\":\"01\"," TIME
		"}",
		"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e473/\",\"s\":\"00f067aa0ba902b8\",\"p\":\"\",\"f\":\"01\"," TIME
		"}",
		"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b8\",\"p\":\"\",\"f\":\"x1\"," TIME
		"}",
		"{" IDS "," TIME ",\"t\":\"4bf92f3577b34da6a3ce929d0e0e4737\"}", /* twice */
		"{" IDS ",\"a\":5,\"z\":0}", "{" IDS ",\"a\":-1,\"z\":5}", "{" IDS ",\"a\":\"1\",\"z\":\"2\"}" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct trace_span s;

		CHECK_ROW(trace_span_read(str_from_cstr(rows[i]), &s, NULL) == ERR_PARSE, i, rows[i]);
	}
}

/* What HAProxy's syslog may carry, and a byte more. */
static void
the_longest_line_is_read_and_one_byte_more_is_not(void **state)
{
	static const char begins[] = "{" IDS "," TIME ",\"x\":\"";
	char line[TRACE_SPAN_LINE_MAX + 2];
	struct trace_span s;

	(void)state;
	for (size_t n = TRACE_SPAN_LINE_MAX; n <= TRACE_SPAN_LINE_MAX + 1; n++) {
		memset(line, 'x', n);
		memcpy(line, begins, sizeof(begins) - 1);
		memcpy(line + n - 2, "\"}", 2);
		assert_int_equal(
		    trace_span_read(str_of(line, n), &s, NULL), n == TRACE_SPAN_LINE_MAX ? ERR_OK : ERR_PARSE);
	}
}

/* 0 ms is a time; a call without a path is named for what it is. */
static void
nothing_is_not_none(void **state)
{
	struct trace_span s = read_ok("{" IDS "," TIME ",\"g\":\"1\",\"st\":200,\"tw\":0,\"tc\":0,\"tr\":-1}");
	json_t *span = otlp_of(&s, &nobody);

	(void)state;
	assert_string_equal(attribute(span, "haproxy.time.queue_ms"), "0");
	assert_string_equal(attribute(span, "haproxy.time.connect_ms"), "0");
	assert_null(attribute(span, "haproxy.time.response_ms"));
	assert_string_equal(json_string_value(json_object_get(span, "name")), "grpc");
	json_decref(span);
}

static void
what_a_caller_writes_is_escaped(void **state)
{
	struct trace_span s = read_ok(
	    "{" IDS "," TIME ",\"g\":\"1\",\"u\":\"/a\\\"b\\\\\\u0001\\u001f\\u00e9\",\"st\":0,\"ts\":\"SD--\"}");
	json_t *span = otlp_of(&s, &nobody);

	(void)state;
	assert_string_equal(attribute(span, "rpc.method"), "a\"b\\\x01\x1f\xc3\xa9");
	assert_string_equal(attribute(span, "error.type"), "connection_reset");
	json_decref(span);
}

/* ---- the environment ---- */

struct variable {
	const char *name, *value;
};

static const char *
get(void *arg, const char *name)
{
	for (const struct variable *v = arg; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static void
the_collectors_place_is_found(void **state)
{
	static const struct {
		const char *configured, *base, *traces, *want;
	} rows[] = {
		{ "", NULL, NULL, "http://127.0.0.1:4318/v1/traces" },
		{ "http://a:1", "http://b:1", "http://c:1/x", "http://a:1/v1/traces" },
		{ "http://a:1/", NULL, NULL, "http://a:1/v1/traces" },
		{ "http://a:1/p/v1/traces", NULL, NULL, "http://a:1/p/v1/traces" },
		{ "", "http://b:1/", NULL, "http://b:1/v1/traces" },
		{ "", "http://b:1", "http://c:1/x", "http://c:1/x" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct variable variables[] = { { "OTEL_EXPORTER_OTLP_ENDPOINT", rows[i].base },
			{ "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", rows[i].traces }, { NULL, NULL } };
		const struct env env = { .get = get, .arg = variables };
		struct buf url = buf_make(200);

		trace_otlp_put_url(str_from_cstr(rows[i].configured), &env, &url);
		assert_str(buf_str(&url), rows[i].want);
		buf_free(&url);
	}
}

static void
no_secret_of_the_collectors_place_is_shown(void **state)
{
	static const char hidden[] = "(not shown: it holds a user or a key)";

	(void)state;
	assert_str(trace_otlp_shown_url(STR("http://a:1/v1/traces")), "http://a:1/v1/traces");
	assert_str(trace_otlp_shown_url(STR("http://a:1/x?key=hush")), "http://a:1/x");
	assert_str(trace_otlp_shown_url(STR("http://a:1/x#hush?y")), "http://a:1/x");
	assert_str(trace_otlp_shown_url(STR("http://me:hu?sh@a:1/x")), hidden);
	assert_str(trace_otlp_shown_url(STR("http://a:1/x?key=hu@sh")), hidden);
}

static void
the_resource_and_the_ratio_come_from_the_environment(void **state)
{
	struct variable variables[] = { { "OTEL_RESOURCE_ATTRIBUTES", "service.name=edge,a=b%2Cc, d = e ,=x,y" },
		{ "OTEL_TRACES_SAMPLER", "parentbased_traceidratio" }, { "OTEL_TRACES_SAMPLER_ARG", "0.25" },
		{ NULL, NULL } };
	static const char *const no_ratios[] = { "", "x", "0.2.5", "-1", "0,5", "99999999999999999999", "1.0000001x" };
	const struct env env = { .get = get, .arg = variables };
	struct buf text = buf_make(1000);

	(void)state;
	trace_otlp_put_resource(&env, &text);
	assert_str(buf_str(&text), "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"edge\"}},"
				   "{\"key\":\"a\",\"value\":{\"stringValue\":\"b,c\"}},"
				   "{\"key\":\"d\",\"value\":{\"stringValue\":\"e\"}}");
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 250000);
	variables[2].value = "1.5";
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 7);
	variables[2].value = "1";
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 1000000);
	variables[2].value = "0.0000009";
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 0);
	variables[1].value = "always_off";
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 0);
	variables[1].value = "parentbased_always_off";
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 0);
	variables[1].value = "always_on";
	assert_int_equal(trace_otlp_sample_ppm(&env, 7), 7);
	variables[1].value = "traceidratio";
	for (size_t i = 0; i < N_OF(no_ratios); i++) {
		variables[2].value = no_ratios[i];
		CHECK_ROW(trace_otlp_sample_ppm(&env, 7) == 7, i, no_ratios[i]);
	}
	buf_free(&text);
}

static void
a_resource_has_one_name(void **state)
{
	static const struct {
		const char *name, *attributes, *want;
	} rows[] = {
		{ NULL, NULL, "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"haproxy\"}}" },
		{ NULL, "service.name=", "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"haproxy\"}}" },
		{ "edge", "service.name=other", "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"edge\"}}" },
		{ NULL, "service.name=a,service.name=b",
		    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"a\"}}" },
		{ "e", "a=%4",
		    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"e\"}},"
		    "{\"key\":\"a\",\"value\":{\"stringValue\":\"%4\"}}" },
		{ "e", "a=%4x%Zz%4F",
		    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"e\"}},"
		    "{\"key\":\"a\",\"value\":{\"stringValue\":\"%4x%ZzO\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct variable variables[] = { { "OTEL_SERVICE_NAME", rows[i].name },
			{ "OTEL_RESOURCE_ATTRIBUTES", rows[i].attributes }, { NULL, NULL } };
		const struct env env = { .get = get, .arg = variables };
		struct buf text = buf_make(1000);

		trace_otlp_put_resource(&env, &text);
		assert_str(buf_str(&text), rows[i].want);
		buf_free(&text);
	}
}

static void
a_delay_that_is_none_is_not_taken(void **state)
{
	struct variable variables[] = { { "OTEL_BSP_SCHEDULE_DELAY", " 250 " }, { NULL, NULL } };
	const struct env env = { .get = get, .arg = variables };
	static const char *const rows[] = { "", "0", "-1", "1.5", "600001", "5s" };

	(void)state;
	assert_int_equal(trace_otlp_every_ms(&env, 7), 250);
	for (size_t i = 0; i < N_OF(rows); i++) {
		variables[0].value = rows[i];
		CHECK_ROW(trace_otlp_every_ms(&env, 7) == 7, i, rows[i]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_span),
		cmocka_unit_test(a_status_that_was_not_seen_is_not_called_ok),
		cmocka_unit_test(only_the_servers_fault_is_an_error),
		cmocka_unit_test(who_ended_a_call_without_an_answer_is_told),
		cmocka_unit_test(a_delay_that_is_none_is_not_taken),
		cmocka_unit_test(an_http_status_of_500_and_above_is_an_error),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(numbers_out_of_range_are_not_taken),
		cmocka_unit_test(flags_are_two_hexadecimal_digits),
		cmocka_unit_test(a_resource_has_one_name),
		cmocka_unit_test(a_root_has_no_parent),
		cmocka_unit_test(what_is_no_span_is_refused),
		cmocka_unit_test(the_longest_line_is_read_and_one_byte_more_is_not),
		cmocka_unit_test(nothing_is_not_none),
		cmocka_unit_test(what_a_caller_writes_is_escaped),
		cmocka_unit_test(the_collectors_place_is_found),
		cmocka_unit_test(no_secret_of_the_collectors_place_is_shown),
		cmocka_unit_test(the_resource_and_the_ratio_come_from_the_environment),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
