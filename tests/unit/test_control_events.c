/* The list of events: its length, its numbers, what is asked of it, hostile text. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include <jansson.h>

#include "control/control_events.h"
#include "control/control_json.h"
#include "unit.h"

#define START_MS INT64_C(1795401646123)

static struct control_events *
make(void)
{
	struct control_events *r = NULL;

	assert_int_equal(control_events_new(START_MS, &r, NULL), ERR_OK);
	return r;
}

static uint64_t
add(struct control_events *r, int64_t at_ms, const char *backend, struct str message)
{
	const struct control_event draft = {
		.at_wall_ms = at_ms,
		.kind = "server",
		.from = "joining",
		.to = "ready",
		.evidence = "running",
		.backend = str_from_cstr(backend),
		.server = STR("rc_1"),
		.task = STR("aaaa"),
		.message = message,
	};
	const struct control_event *ev = control_events_add(r, &draft);

	assert_non_null(ev);
	return ev->id;
}

static json_t *
list(const struct control_events *r, struct control_events_query q)
{
	struct buf out = buf_make(1 << 22);
	struct control_json w = control_json_make(&out);
	json_t *all;

	control_json_array(&w, NULL);
	while (control_events_put_next(&w, r, &q))
		;
	control_json_array_end(&w);
	assert_int_equal(buf_failed(&out, NULL), ERR_OK);
	all = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(all);
	buf_free(&out);
	return all;
}

static size_t
count(const struct control_events *r, struct control_events_query q)
{
	json_t *all = list(r, q);
	size_t n = json_array_size(all);

	json_decref(all);
	return n;
}

static void
the_last_thousand_are_kept_and_numbered_on(void **state)
{
	struct control_events *r = make();
	uint64_t first = 0;

	(void)state;
	assert_int_equal(count(r, (struct control_events_query){ 0 }), 0);
	for (size_t i = 0; i < CONTROL_EVENTS_MAX + 5; i++) {
		uint64_t id = add(r, START_MS + (int64_t)i, "grpc", STR("takes calls"));

		if (i == 0)
			first = id;
		assert_int_equal(id, first + i);
	}
	assert_true(first > (uint64_t)START_MS);
	assert_int_equal(count(r, (struct control_events_query){ 0 }), CONTROL_EVENTS_MAX);
	assert_int_equal(control_events_next(r, &(struct control_events_query){ 0 })->id, first + 5);
	assert_null(control_events_next(r, &(struct control_events_query){ .after_id = control_events_last_id(r) }));
	assert_null(control_events_next(r, &(struct control_events_query){ .after_id = UINT64_MAX }));
	control_events_free(r);
}

static void
they_are_asked_for_by_number_time_and_backend(void **state)
{
	struct control_events *r = make();
	uint64_t second;

	(void)state;
	(void)add(r, START_MS, "grpc", STR("one"));
	second = add(r, START_MS + 1000, "web", STR("two"));
	(void)add(r, START_MS + 2000, "grpc", STR("three"));
	assert_int_equal(count(r, (struct control_events_query){ .after_id = second }), 1);
	assert_int_equal(count(r, (struct control_events_query){ .since_wall_ms = START_MS + 1000 }), 2);
	assert_int_equal(count(r, (struct control_events_query){ .backend = STR("grpc") }), 2);
	assert_int_equal(count(r, (struct control_events_query){ .backend = STR("gr") }), 0);
	assert_int_equal(count(r, (struct control_events_query){ .backend = STR("web"), .after_id = second }), 0);
	control_events_free(r);
}

static void
an_event_has_all_its_fields(void **state)
{
	static const char *const names[] = { "id", "at", "kind", "backend", "server", "task", "from", "to", "evidence",
		"message" };
	struct control_events *r = make();
	json_t *all, *ev;

	(void)state;
	assert_non_null(control_events_add(r, &(struct control_event){ .kind = "notice", .at_wall_ms = START_MS }));
	all = list(r, (struct control_events_query){ 0 });
	ev = json_array_get(all, 0);
	assert_int_equal(json_object_size(ev), N_OF(names));
	for (size_t i = 0; i < N_OF(names); i++)
		CHECK_ROW(json_object_get(ev, names[i]) != NULL, i, names[i]);
	assert_string_equal(json_string_value(json_object_get(ev, "from")), "");
	assert_string_equal(json_string_value(json_object_get(ev, "at")), "2026-11-23T02:40:46.123Z");
	json_decref(all);
	control_events_free(r);
}

/* A newline in a text would end the event: it comes escaped. */
static void
a_stream_has_one_object_a_line_and_moves_on(void **state)
{
	struct control_events *r = make();
	struct control_events_query q = { 0 };
	struct buf out = buf_make(1 << 20);
	char want[64];
	uint64_t id;

	(void)state;
	id = add(r, START_MS, "grpc", STR("a\n\ndata: b\r\xff\x7f\xc2\x9b\xc2\xa0"));
	(void)add(r, START_MS, "grpc", STR("second"));
	control_events_stream(r, &q, 1, &out);
	(void)snprintf(want, sizeof(want), "id: %" PRIu64 "\ndata: {\"id\":%" PRIu64 ",", id, id);
	assert_true(str_has_prefix(buf_str(&out), str_from_cstr(want)));
	assert_non_null(
	    strstr((const char *)out.ptr, "a\\n\\ndata: b\\u000d\xef\xbf\xbd\\u007f\\u009b\xc2\xa0\"}\n\n"));
	assert_int_equal(q.after_id, id);
	buf_reset(&out);
	control_events_stream(r, &q, 1, &out);
	assert_int_equal(q.after_id, id + 1);
	buf_reset(&out);
	control_events_stream(r, &q, 1, &out);
	assert_int_equal(out.len, 0);
	buf_free(&out);
	control_events_free(r);
}

static void
a_text_over_the_limit_is_cut(void **state)
{
	static char text[CONTROL_EVENTS_TEXT_MAX + 1];
	struct control_events *r = make();

	(void)state;
	memset(text, 'x', sizeof(text));
	(void)add(r, START_MS, "grpc", str_of(text, sizeof(text)));
	assert_int_equal(
	    control_events_next(r, &(struct control_events_query){ 0 })->message.len, CONTROL_EVENTS_TEXT_MAX);
	control_events_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_thousand_are_kept_and_numbered_on),
		cmocka_unit_test(they_are_asked_for_by_number_time_and_backend),
		cmocka_unit_test(an_event_has_all_its_fields),
		cmocka_unit_test(a_stream_has_one_object_a_line_and_moves_on),
		cmocka_unit_test(a_text_over_the_limit_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
