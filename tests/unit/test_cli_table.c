/* Tables that fit, and the text that goes into them. */
#include "config.h"

#include "cli/cli_table.h"
#include "cli/cli_text.h"
#include "unit.h"

#define TEXT_MAX ((size_t)1 << 20)

static const struct cli_table_column COLUMNS[] = {
	{ .title = "SERVER", .yields = true },
	{ .title = "STATE" },
	{ .title = "N", .right = true },
	{ .title = "REASON", .yields = true, .drops = true },
};

static void
assert_table(const struct cli_table *t, struct cli_text_style style, const char *want)
{
	struct buf out = buf_make(TEXT_MAX);

	assert_int_equal(cli_table_render(t, &style, &out, NULL), ERR_OK);
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

static struct cli_table *
make_table(void)
{
	struct cli_table *t = cli_table_new(COLUMNS, N_OF(COLUMNS));

	assert_non_null(t);
	cli_table_cell(t, CLI_TEXT_PLAIN, STR("grpc/rc_1"));
	cli_table_cell(t, CLI_TEXT_GOOD, STR("ready"));
	cli_table_number(t, 256);
	cli_table_cell(t, CLI_TEXT_PLAIN, STR(""));
	cli_table_cell(t, CLI_TEXT_PLAIN, STR("grpc/rc_10"));
	cli_table_cell(t, CLI_TEXT_BAD, STR("down"));
	cli_table_number(t, -1);
	cli_table_cell(t, CLI_TEXT_PLAIN, STR("the check fails"));
	return t;
}

static void
columns_are_as_wide_as_their_widest_cell(void **state)
{
	CLEANUP(cli_table_free_at) struct cli_table *t = make_table();

	(void)state;
	assert_table(t, (struct cli_text_style){ .width = 0 },
	    "SERVER      STATE    N  REASON\n"
	    "grpc/rc_1   ready  256\n"
	    "grpc/rc_10  down    -1  the check fails\n");
}

static void
a_narrow_terminal_narrows_what_yields_and_drops_what_may_go(void **state)
{
	static const struct {
		unsigned width;
		const char *text;
	} rows[] = {
		{ 39, "SERVER      STATE    N  REASON\n"
		      "grpc/rc_1   ready  256\n"
		      "grpc/rc_10  down    -1  the check fails\n" },
		{ 38, "SERVER      STATE    N  REASON\n"
		      "grpc/rc_1   ready  256\n"
		      "grpc/rc_10  down    -1  the check fai…\n" },
		{ 30, "SERVER      STATE    N  REASON\n"
		      "grpc/rc_1   ready  256\n"
		      "grpc/rc_10  down    -1  the c…\n" },
		{ 29, "SERVER      STATE    N\n"
		      "grpc/rc_1   ready  256\n"
		      "grpc/rc_10  down    -1\n" },
		{ 20, "SERVER    STATE    N\n"
		      "grpc/rc…  ready  256\n"
		      "grpc/rc…  down    -1\n" },
		{ 12, "SERVER  STA…\n"
		      "grpc/…  rea…\n"
		      "grpc/…  down\n" },
		{ 1, "…\n…\n…\n" },
	};
	CLEANUP(cli_table_free_at) struct cli_table *t = make_table();

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_table(t, (struct cli_text_style){ .width = rows[i].width }, rows[i].text);
}

static void
no_line_is_wider_than_the_terminal(void **state)
{
	CLEANUP(cli_table_free_at) struct cli_table *t = make_table();

	(void)state;
	for (unsigned width = 1; width < 60; width++) {
		const struct cli_text_style style = { .width = width };
		struct buf out = buf_make(TEXT_MAX);
		struct str rest, line;

		assert_int_equal(cli_table_render(t, &style, &out, NULL), ERR_OK);
		rest = buf_str(&out);
		while (str_next(&rest, '\n', &line)) {
			assert_true(cli_text_columns(line) <= width);
			assert_false(str_has_suffix(line, STR(" ")));
		}
		buf_free(&out);
	}
}

static void
colour_takes_no_room(void **state)
{
	CLEANUP(cli_table_free_at) struct cli_table *t = make_table();

	(void)state;
	assert_table(t, (struct cli_text_style){ .width = 29, .colour = true },
	    "\x1b[1mSERVER\x1b[0m      \x1b[1mSTATE\x1b[0m    \x1b[1mN\x1b[0m\n"
	    "grpc/rc_1   \x1b[32mready\x1b[0m  256\n"
	    "grpc/rc_10  \x1b[1;31mdown\x1b[0m    -1\n");
}

static void
a_table_without_rows_is_its_titles(void **state)
{
	CLEANUP(cli_table_free_at) struct cli_table *t = cli_table_new(COLUMNS, N_OF(COLUMNS));

	(void)state;
	assert_table(t, (struct cli_text_style){ .width = 80 }, "SERVER  STATE  N  REASON\n");
}

static void
many_rows_are_all_there(void **state)
{
	CLEANUP(cli_table_free_at) struct cli_table *t = cli_table_new(COLUMNS, 1);
	struct buf out = buf_make(TEXT_MAX);
	const struct cli_text_style style = { .width = 80 };

	(void)state;
	for (size_t i = 0; i < 10000; i++)
		cli_table_cell(t, CLI_TEXT_PLAIN, STR("x"));
	assert_int_equal(cli_table_render(t, &style, &out, NULL), ERR_OK);
	assert_int_equal(out.len, sizeof("SERVER\n") - 1 + (size_t)2 * 10000);
	buf_free(&out);
}

/* ---- text ---- */

static void
what_a_terminal_would_obey_is_shown_as_a_question_mark(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "plain", "plain" },
		{ "\x1b[31mred", "?[31mred" },
		{ "a\tb\r\nc\x7f", "a?b??c?" },
		{ "\xc2\x9b"
		  "31m",
		    "?31m" },         /* a control of one character, C1 */
		{ "\xff\xc3", "??" }, /* not UTF-8 */
		{ "\xe2\x80\xae"
		  "abc",
		    "?abc" }, /* right to left */
		{ "\xe2\x80\xa8"
		  "x\xe2\x81\xa6y",
		    "?x?y" }, /* a line separator, an isolate */
		{ "gr\xc3\xbc\xc3\x9f"
		  "e \xe6\xbc\xa2",
		    "gr\xc3\xbc\xc3\x9f"
		    "e \xe6\xbc\xa2" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf out = buf_make(TEXT_MAX);

		cli_text_put(&out, str_from_cstr(rows[i].text));
		CHECK_ROW(str_eq(buf_str(&out), str_from_cstr(rows[i].shown)), i, rows[i].shown);
		buf_free(&out);
	}
}

static void
columns_are_those_of_a_terminal(void **state)
{
	static const struct {
		const char *text;
		size_t columns;
	} rows[] = {
		{ "", 0 }, { "abc", 3 },
		{ "gr\xc3\xbc\xc3\x9f"
		  "e",
		    5 },
		{ "e\xcc\x81", 1 },                /* a combining accent */
		{ "\xe6\xbc\xa2\xe5\xad\x97", 4 }, /* two wide ones */
		{ "\xf0\x9f\x9a\x80", 2 },         /* a rocket */
		{ "\xe2\x80\xa6", 1 },             /* the ellipsis */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_ROW(cli_text_columns(str_from_cstr(rows[i].text)) == rows[i].columns, i, rows[i].text);
}

static void
text_is_cut_between_characters(void **state)
{
	static const struct {
		const char *text;
		size_t room;
		const char *cut;
		size_t columns;
	} rows[] = {
		{ "abc", 3, "abc", 3 }, { "abcd", 3, "ab…", 3 }, { "abcd", 1, "…", 1 }, { "abcd", 0, "", 0 },
		{ "\xe6\xbc\xa2\xe5\xad\x97", 3, "\xe6\xbc\xa2…", 3 },
		{ "a\xe6\xbc\xa2\xe5\xad\x97", 3, "a…", 2 }, /* half a wide one is none */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf out = buf_make(TEXT_MAX);
		size_t columns = 99;

		cli_text_put_cut(&out, str_from_cstr(rows[i].text), rows[i].room, &columns);
		CHECK_ROW(str_eq(buf_str(&out), str_from_cstr(rows[i].cut)), i, rows[i].text);
		CHECK_ROW(columns == rows[i].columns, i, rows[i].text);
		buf_free(&out);
	}
}

static void
a_duration_is_said_in_two_units_at_most(void **state)
{
	static const struct {
		int64_t ms;
		const char *text, *rough;
	} rows[] = {
		{ -5, "0 ms", "0 ms" },
		{ 0, "0 ms", "0 ms" },
		{ 999, "999 ms", "999 ms" },
		{ 1000, "1.0 s", "1 s" },
		{ 9999, "9.9 s", "9 s" },
		{ 10000, "10 s", "10 s" },
		{ 59999, "59 s", "59 s" },
		{ 60000, "1 min", "1 min" },
		{ 185000, "3 min 5 s", "3 min" },
		{ 3600000, "1 h", "1 h" },
		{ 7380000, "2 h 3 min", "2 h" },
		{ 86400000, "1 d", "1 d" },
		{ 353000000, "4 d 2 h", "4 d" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf out = buf_make(TEXT_MAX), rough = buf_make(TEXT_MAX);

		cli_text_put_duration(&out, rows[i].ms);
		cli_text_put_rough_duration(&rough, rows[i].ms);
		CHECK_ROW(str_eq(buf_str(&out), str_from_cstr(rows[i].text)), i, rows[i].text);
		CHECK_ROW(str_eq(buf_str(&rough), str_from_cstr(rows[i].rough)), i, rows[i].rough);
		buf_free(&out);
		buf_free(&rough);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(a_narrow_terminal_narrows_what_yields_and_drops_what_may_go),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
		cmocka_unit_test(colour_takes_no_room),
		cmocka_unit_test(a_table_without_rows_is_its_titles),
		cmocka_unit_test(many_rows_are_all_there),
		cmocka_unit_test(what_a_terminal_would_obey_is_shown_as_a_question_mark),
		cmocka_unit_test(columns_are_those_of_a_terminal),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(a_duration_is_said_in_two_units_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
