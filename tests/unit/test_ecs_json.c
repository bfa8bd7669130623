/* Members of AWS's JSON: each of its type, or refused with where it stands. */
#include "config.h"

#include "base/buf.h"
#include "ecs/ecs_json.h"
#include "unit.h"

#define TEXT_MAX 10000

static json_t *
load(const char *text)
{
	json_t *doc = NULL;

	if (ecs_json_load(str_from_cstr(text), TEXT_MAX, &doc, NULL) != ERR_OK)
		fail_msg("\"%s\" is no document", text);
	return doc;
}

/* ---- documents ---- */

static void
what_is_no_document_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum err_code code;
	} rows[] = {
		{ "", ERR_PARSE },
		{ "{", ERR_PARSE },
		{ "[]", ERR_PARSE },
		{ "7", ERR_PARSE },
		{ "{\"a\":1,\"a\":2}", ERR_PARSE },
		{ "{\"a\":{\"b\":1,\"b\":2}}", ERR_PARSE },
		{ "{\"a\":\"x\\u0000y\"}", ERR_PARSE },
		{ "{\"a\":[\"x\\u0000y\"]}", ERR_PARSE },
		{ "{\"x\\u0000y\":1}", ERR_PARSE },
		{ "{} {}", ERR_PARSE },
	};
	json_t *doc = NULL;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		CHECK_ROW(
		    ecs_json_load(str_from_cstr(rows[i].text), TEXT_MAX, &doc, &e) == rows[i].code, i, rows[i].text);
		CHECK_ROW(e.code == rows[i].code && e.msg[0] != '\0', i, e.msg);
	}
	assert_int_equal(ecs_json_load(STR("{\"a\":\"b\"}"), 8, &doc, &e), ERR_LIMIT);
}

static void
depth_has_a_limit(void **state)
{
	for (int deep = 0; deep < 2; deep++) {
		struct buf text = buf_make(TEXT_MAX);
		json_t *doc = NULL;

		buf_put(&text, STR("{\"a\":"));
		for (int i = 1; i < ECS_JSON_DEPTH_MAX + deep; i++)
			buf_put_u8(&text, '[');
		for (int i = 1; i < ECS_JSON_DEPTH_MAX + deep; i++)
			buf_put_u8(&text, ']');
		buf_put_u8(&text, '}');
		assert_int_equal(ecs_json_load(buf_str(&text), TEXT_MAX, &doc, NULL) == ERR_OK, deep == 0);
		ecs_json_drop(doc);
		buf_free(&text);
	}
	(void)state;
}

/* ---- members ---- */

enum kind { AN_OBJECT, A_LIST, A_STR, A_WORD, A_NUMBER, A_BOOL, A_TIME, AN_ITEM, AN_ITEM_WORD };

static enum err_code
take(enum kind kind, const struct ecs_json *o, struct err *e)
{
	struct ecs_json member, list;
	struct str text;
	uint64_t number;
	int64_t ms;
	bool yes;
	size_t n;

	switch (kind) {
	case AN_OBJECT:
		return ecs_json_object(o, "m", &member, e);
	case A_LIST:
		return ecs_json_list(o, "m", 2, &list, &n, e);
	case A_STR:
		return ecs_json_str(o, "m", 5, &text, e);
	case A_WORD:
		return ecs_json_word(o, "m", 5, &text, e);
	case A_NUMBER:
		return ecs_json_uint(o, "m", 1, 10, &number, e);
	case A_BOOL:
		return ecs_json_bool(o, "m", &yes, e);
	case A_TIME:
		return ecs_json_time(o, "m", &ms, e);
	case AN_ITEM:
		return ecs_json_list(o, "m", 2, &list, &n, e) == ERR_OK ? ecs_json_item(&list, 0, &member, e)
									: ERR_CANCELLED;
	case AN_ITEM_WORD:
		return ecs_json_list(o, "m", 2, &list, &n, e) == ERR_OK ? ecs_json_item_word(&list, 0, 5, &text, e)
									: ERR_CANCELLED;
	}
	return ERR_CANCELLED;
}

static void
a_member_is_of_its_type_or_refused(void **state)
{
	static const struct {
		enum kind kind;
		const char *text;
		enum err_code code;
	} rows[] = {
		{ AN_OBJECT, "{}", ERR_OK },
		{ AN_OBJECT, "{\"m\":{}}", ERR_OK },
		{ AN_OBJECT, "{\"m\":[]}", ERR_PARSE },
		{ A_LIST, "{}", ERR_OK },
		{ A_LIST, "{\"m\":[1,2]}", ERR_OK },
		{ A_LIST, "{\"m\":[1,2,3]}", ERR_PARSE },
		{ A_LIST, "{\"m\":{}}", ERR_PARSE },
		{ A_STR, "{\"m\":\"a b\\n\"}", ERR_OK },
		{ A_STR, "{\"m\":\"12345\"}", ERR_OK },
		{ A_STR, "{\"m\":\"123456\"}", ERR_PARSE },
		{ A_STR, "{\"m\":7}", ERR_PARSE },
		{ A_WORD, "{\"m\":\"a-b\"}", ERR_OK },
		{ A_WORD, "{\"m\":\"a b\"}", ERR_PARSE },
		{ A_WORD, "{\"m\":\"a\\n\"}", ERR_PARSE },
		{ A_WORD, "{\"m\":\"\xc3\xa9\"}", ERR_PARSE },
		{ A_NUMBER, "{\"m\":1}", ERR_OK },
		{ A_NUMBER, "{\"m\":10}", ERR_OK },
		{ A_NUMBER, "{\"m\":0}", ERR_PARSE },
		{ A_NUMBER, "{\"m\":11}", ERR_PARSE },
		{ A_NUMBER, "{\"m\":-1}", ERR_PARSE },
		{ A_NUMBER, "{\"m\":1.5}", ERR_PARSE },
		{ A_NUMBER, "{\"m\":\"1\"}", ERR_PARSE },
		{ A_BOOL, "{\"m\":true}", ERR_OK },
		{ A_BOOL, "{\"m\":false}", ERR_OK },
		{ A_BOOL, "{\"m\":0}", ERR_PARSE },
		{ A_BOOL, "{\"m\":\"true\"}", ERR_PARSE },
		{ A_TIME, "{\"m\":true}", ERR_PARSE },
		{ A_TIME, "{\"m\":-1}", ERR_PARSE },
		{ A_TIME, "{\"m\":1e300}", ERR_PARSE },
		{ A_TIME, "{\"m\":null}", ERR_OK }, /* as absent */
		{ AN_ITEM, "{\"m\":[{}]}", ERR_OK },
		{ AN_ITEM, "{\"m\":[7]}", ERR_PARSE },
		{ AN_ITEM_WORD, "{\"m\":[\"a\"]}", ERR_OK },
		{ AN_ITEM_WORD, "{\"m\":[\"\"]}", ERR_PARSE },
		{ AN_ITEM_WORD, "{\"m\":[\"123456\"]}", ERR_PARSE },
		{ AN_ITEM_WORD, "{\"m\":[\"a b\"]}", ERR_PARSE },
		{ AN_ITEM_WORD, "{\"m\":[7]}", ERR_PARSE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		json_t *doc = load(rows[i].text);
		struct ecs_json root = ecs_json_root(doc);
		struct err e = ERR_INIT;

		CHECK_ROW(take(rows[i].kind, &root, &e) == rows[i].code, i, rows[i].text);
		CHECK_ROW(e.code == rows[i].code, i, rows[i].text);
		CHECK_ROW(rows[i].code == ERR_OK || strstr(e.msg, "m") != NULL, i, e.msg);
		ecs_json_drop(doc);
	}
}

static void
a_bool_is_what_it_says(void **state)
{
	json_t *doc = load("{\"yes\":true,\"no\":false}");
	struct ecs_json root = ecs_json_root(doc);
	bool yes = false, no = true, left = true;

	(void)state;
	assert_int_equal(ecs_json_bool(&root, "yes", &yes, NULL), ERR_OK);
	assert_int_equal(ecs_json_bool(&root, "no", &no, NULL), ERR_OK);
	assert_int_equal(ecs_json_bool(&root, "absent", &left, NULL), ERR_OK);
	assert_true(yes && !no && left);
	ecs_json_drop(doc);
}

/* ---- times ---- */

static void
a_time_is_read_in_all_its_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "1795401646.123", INT64_C(1795401646123) }, { "0", 0 }, { "\"1970-01-01T00:00:00Z\"", 0 },
		{ "\"2026-11-23T02:40:46Z\"", INT64_C(1795401646000) },
		{ "\"2026-11-23T02:40:46.123456Z\"", INT64_C(1795401646123) },
		{ "\"2026-11-23T02:40:46.5Z\"", INT64_C(1795401646500) },
		{ "\"2026-11-23T02:40:46.Z\"", INT64_C(1795401646000) },
		{ "\"2026-11-23T04:40:46+02:00\"", INT64_C(1795401646000) },
		{ "\"2026-11-22T21:10:46-0530\"", INT64_C(1795401646000) },
		{ "\"2024-02-29T00:00:00Z\"", INT64_C(1709164800000) },
		{ "\"2000-03-01T00:00:00Z\"", INT64_C(951868800000) },
		{ "\"2016-12-31T23:59:60Z\"", INT64_C(1483228800000) }, /* a leap second */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[100];
		json_t *doc;
		struct ecs_json root;
		int64_t ms = -1;

		(void)snprintf(text, sizeof(text), "{\"m\":%s}", rows[i].text);
		doc = load(text);
		root = ecs_json_root(doc);
		CHECK_ROW(ecs_json_time(&root, "m", &ms, NULL) == ERR_OK && ms == rows[i].ms, i, rows[i].text);
		ecs_json_drop(doc);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const rows[] = { "", "2026", "2026-11", "2026-11-23", "2026-11-23T", "2026-11-23T02",
		"2026-11-23T02:40", "2026-11-23T02:40:46", "26-11-23T02:40:46Z", "1969-11-23T02:40:46Z",
		"2026-00-23T02:40:46Z", "2026-13-23T02:40:46Z", "2026-11-00T02:40:46Z", "2026-11-32T02:40:46Z",
		"2026-11-23T24:40:46Z", "2026-11-23T02:60:46Z", "2026-11-23T02:40:61Z", "2026/11/23T02:40:46Z",
		"2026-11/23T02:40:46Z", "2026-11-23 02:40:46Z", "2026-11-23T02-40:46Z", "2026-11-23T02:40-46Z",
		"2026-11-23T02:40:46z", "2026-11-23T02:40:46Zx", "2026-11-23T02:40:46+", "2026-11-23T02:40:46+2",
		"2026-11-23T02:40:46+24:00", "2026-11-23T02:40:46+02:", "2026-11-23T02:40:46+02:60",
		"2026-11-23T02:40:46,5Z", "2026-11-23T02:40:46.5" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[100];
		json_t *doc;
		struct ecs_json root;
		int64_t ms = -1;

		(void)snprintf(text, sizeof(text), "{\"m\":\"%s\"}", rows[i]);
		doc = load(text);
		root = ecs_json_root(doc);
		CHECK_ROW(ecs_json_time(&root, "m", &ms, NULL) == ERR_PARSE && ms == -1, i, rows[i]);
		ecs_json_drop(doc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(a_member_is_of_its_type_or_refused),
		cmocka_unit_test(a_bool_is_what_it_says),
		cmocka_unit_test(a_time_is_read_in_all_its_forms),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
