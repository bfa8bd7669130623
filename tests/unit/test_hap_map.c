/* Route maps: keys, the file, and what is said to HAProxy of them. */
#include "config.h"

#include "hap/hap_map.h"
#include "hap/hap_text.h"
#include "unit.h"

#define ARENA_MAX ((size_t)8 << 20)

static const struct hap_map_line some[] = {
	{ { "*/", 2 }, { "any", 3 } },
	{ { "*/x/", 4 }, { "any-x", 5 } },
	{ { "[::1]/", 6 }, { "six", 3 } },
	{ { "a.example/", 10 }, { "root", 4 } },
	{ { "a.example/p.S/", 14 }, { "service", 7 } },
	{ { "a.example/p.S/M?", 16 }, { "method", 6 } },
	{ { "b/only?", 7 }, { "only", 4 } },
};
static const struct hap_map map = { some, N_OF(some) };

static void
a_call_takes_the_longest_key_of_its_host_and_then_of_any(void **state)
{
	static const struct {
		const char *host, *path, *backend;
	} rows[] = {
		{ "a.example", "/", "root" },
		{ "A.Example:8443", "/p.S/Other", "service" },
		{ "a.example", "/p.S/M", "method" },
		{ "a.example", "/p.S/More", "service" },
		{ "a.example", "/p.S", "root" },
		{ "a.example", "", "any" }, /* no path: HAProxy finds no key of the host */
		{ "a.exampl", "/", "any" },
		{ "b", "/only", "only" },
		{ "b", "/only/", "any" },
		{ "b", "/x/y", "any-x" },
		{ "[::1]:443", "/x/", "six" },
		{ "", "/x/", "any-x" },
	};
	static const struct hap_map_line stem = { { "b.ex", 4 }, { "stem", 4 } };
	static const struct hap_map of_others = { &stem, 1 };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct hap_map_line *hit =
		    hap_map_lookup(&map, str_from_cstr(rows[i].host), str_from_cstr(rows[i].path));

		if (rows[i].path[0] == '\0')
			CHECK_ROW(hit == NULL, i, rows[i].host);
		else
			CHECK_ROW(hit != NULL && str_eq(hit->backend, str_from_cstr(rows[i].backend)), i, rows[i].path);
	}
	/* Somebody else's line: bytes, to HAProxy. */
	assert_ptr_equal(hap_map_lookup(&of_others, STR("b.example"), STR("/")), &stem);
	assert_null(hap_map_lookup(&of_others, STR("b.e"), STR("/")));
}

static void
a_key_is_host_and_path_and_nothing_that_needs_quoting(void **state)
{
	static const struct {
		const char *host, *path;
		bool is_exact;
		const char *backend, *key; /* null: refused */
	} rows[] = {
		{ "a", "/", false, "b", "a/" },
		{ "*", "/p.S/M", true, "b", "*/p.S/M?" },
		{ "a b", "/", false, "b", NULL },
		{ "a", "/\"", false, "b", NULL },
		{ "a", "/\n", false, "b", NULL },
		{ "a", "/;", false, "b", NULL },
		{ "a", "/\\", false, "b", NULL },
		{ "a", "/\xc3\xa9", false, "b", NULL },
		{ "a", "/", false, "b c", NULL },
		{ "a", "/", false, "", NULL },
	};
	struct arena *a = arena_new(ARENA_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct desired_route route = { .host = str_from_cstr(rows[i].host),
			.path = str_from_cstr(rows[i].path),
			.is_exact = rows[i].is_exact,
			.backend = str_from_cstr(rows[i].backend) };
		struct str key = STR("");
		enum err_code code = hap_map_key(a, &route, &key, NULL);

		CHECK_ROW(code == (rows[i].key != NULL ? ERR_OK : ERR_ARG), i, rows[i].path);
		CHECK_ROW(rows[i].key == NULL || str_eq(key, str_from_cstr(rows[i].key)), i, rows[i].path);
	}
	arena_free(a);
}

static void
a_file_is_read_as_it_was_written(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct buf text = buf_make(HAP_MAP_MAX);
	struct hap_map read;

	(void)state;
	hap_map_put_file(&map, &text);
	assert_int_equal(hap_map_read_file(a, buf_str(&text), &read, NULL), ERR_OK);
	assert_true(hap_map_same(&read, &map));
	buf_free(&text);
	arena_free(a);
}

/* Of a key that stands there twice HAProxy takes the first. */
static void
a_file_that_was_edited_is_read_as_far_as_it_goes(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct hap_map read;

	(void)state;
	assert_int_equal(
	    hap_map_read_file(a, STR("\n# b/ no\nb/\t two  \n\r\nlonely\nb/ three\n  a/ one\nc/ last"), &read, NULL),
	    ERR_OK);
	assert_int_equal(read.n, 3);
	assert_str(read.lines[0].backend, "one");
	assert_str(hap_map_find(&read, STR("b/"))->backend, "two");
	assert_str(read.lines[2].backend, "last");
	assert_null(hap_map_find(&read, STR("lonely")));
	arena_free(a);
}

static void
a_map_that_haproxy_shows_is_read_and_one_that_it_lacks_is_an_error(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct hap_map read;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(hap_map_parse(a, STR("0x55d0 a/ one\n0x55d8 b/? two\n\n"), STR("/m"), &read, NULL), ERR_OK);
	assert_int_equal(read.n, 2);
	assert_str(read.lines[1].key, "b/?");
	assert_int_equal(hap_map_parse(a, STR("\n"), STR("/m"), &read, NULL), ERR_OK);
	assert_int_equal(read.n, 0);
	assert_int_equal(
	    hap_map_parse(a, STR("[3]: Unknown map identifier. Please use #<id> or <file>.\n"), STR("/m"), &read, &e),
	    ERR_REMOTE);
	assert_non_null(strstr(e.msg, "no map /m (Unknown map identifier"));
	arena_free(a);
}

static void
a_version_is_a_number_that_haproxy_says_it_made(void **state)
{
	static const struct {
		const char *reply;
		enum err_code code;
	} rows[] = {
		{ "New version created: 7\n", ERR_OK },
		{ "[6]: New version created: 7\n\n", ERR_OK },
		{ "New version created: \n", ERR_REFUSED },
		{ "New version created: 7 or so\n", ERR_REFUSED },
		{ "New version created: 99999999999\n", ERR_REFUSED },
		{ "[3]: Unknown map identifier.\n", ERR_REFUSED },
		{ "", ERR_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		unsigned version = 0;

		CHECK_ROW(hap_map_parse_version(str_from_cstr(rows[i].reply), &version, NULL) == rows[i].code, i,
		    rows[i].reply);
		CHECK_ROW(version == (rows[i].code == ERR_OK ? 7 : 0), i, rows[i].reply);
	}
}

static void
only_silence_is_success(void **state)
{
	(void)state;
	assert_int_equal(hap_map_judge(STR(""), NULL), ERR_OK);
	assert_int_equal(hap_map_judge(STR("\n"), NULL), ERR_OK);
	assert_int_equal(hap_map_judge(STR("+ + + \n"), NULL), ERR_OK); /* a payload, on 2.6 and 3.0 */
	assert_int_equal(hap_map_judge(STR("+ + [3]: Version number out of range.\n"), NULL), ERR_REFUSED);
	assert_int_equal(hap_map_judge(STR("Unknown command\n"), NULL), ERR_REFUSED);
}

/* Each line in one command, and none longer than HAProxy 2.6 takes. */
static void
thousands_of_lines_are_some_commands(void **state)
{
	static struct hap_map_line lines[5000];
	struct arena *a = arena_new(ARENA_MAX);
	const struct hap_map many = { lines, N_OF(lines) };
	size_t seen = 0, commands = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		char key[40];

		(void)snprintf(key, sizeof(key), "host-%05zu.example.com/", i);
		assert_true(arena_str(a, str_from_cstr(key), &lines[i].key));
		lines[i].backend = STR("main-shop-app");
	}
	for (size_t at = 0, next; at < many.n; at = next, commands++) {
		struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);
		struct str rest, line;

		assert_int_equal(hap_map_add(&many, at, STR("/m"), 3, &next, &out, NULL), ERR_OK);
		rest = buf_str(&out);
		assert_true(str_next(&rest, '\n', &line));
		assert_str(line, "add map @3 /m <<");
		for (size_t i = at; i < next; i++, seen++)
			assert_true(str_next(&rest, '\n', &line) && str_has_prefix(line, lines[i].key));
		assert_true(next > at && out.len < HAP_TEXT_COMMAND_MAX);
		buf_free(&out);
	}
	assert_int_equal(seen, many.n);
	assert_true(commands > 1);
	arena_free(a);
}

static void
no_path_and_no_line_is_sent_that_needs_quoting(void **state)
{
	const struct hap_map_line evil[] = {
		{ STR("a/\nadd acl"), STR("b") },
		{ STR("#a/"), STR("b") },
		{ STR("a/ b"), STR("b") },
		{ STR("a/;"), STR("b") },
		{ STR("a/"), STR("b c") },
		{ STR(""), STR("b") },
	};
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);
	char path[1001];
	size_t next;

	(void)state;
	memset(path, '/', sizeof(path));
	assert_int_equal(hap_map_ask(str_of(path, 1000), &out, NULL), ERR_OK);
	assert_int_equal(hap_map_ask(str_of(path, 1001), &out, NULL), ERR_ARG);
	assert_int_equal(hap_map_ask(STR("/a b"), &out, NULL), ERR_ARG);
	assert_int_equal(hap_map_prepare(STR("/a;b"), &out, NULL), ERR_ARG);
	assert_int_equal(hap_map_ask(STR(""), &out, NULL), ERR_ARG);
	for (size_t i = 0; i < N_OF(evil); i++) {
		const struct hap_map of_evil = { &evil[i], 1 };

		CHECK_ROW(hap_map_add(&of_evil, 0, STR("/m"), 1, &next, &out, NULL) == ERR_ARG, i, evil[i].key.ptr);
	}
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_takes_the_longest_key_of_its_host_and_then_of_any),
		cmocka_unit_test(a_key_is_host_and_path_and_nothing_that_needs_quoting),
		cmocka_unit_test(a_file_is_read_as_it_was_written),
		cmocka_unit_test(a_file_that_was_edited_is_read_as_far_as_it_goes),
		cmocka_unit_test(a_map_that_haproxy_shows_is_read_and_one_that_it_lacks_is_an_error),
		cmocka_unit_test(a_version_is_a_number_that_haproxy_says_it_made),
		cmocka_unit_test(only_silence_is_success),
		cmocka_unit_test(thousands_of_lines_are_some_commands),
		cmocka_unit_test(no_path_and_no_line_is_sent_that_needs_quoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
