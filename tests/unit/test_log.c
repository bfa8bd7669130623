/* base/log: one event is one line, whatever bytes are in it. */
#include "config.h"

#include "base/log.h"
#include "base/utf8.h"
#include "unit.h"

/* What the sink was last given. */
struct seen {
	unsigned n;
	enum log_level level;
	char room[16];
	char line[LOG_LINE_MAX + 1];
	size_t len;
};

static void
remember(void *arg, const struct log_record *r)
{
	struct seen *seen = arg;

	seen->n++;
	seen->level = r->level;
	(void)snprintf(seen->room, sizeof(seen->room), "%s", r->room);
	assert_true(r->line.len < sizeof(seen->line));
	memcpy(seen->line, r->line.ptr, r->line.len);
	seen->line[r->line.len] = '\0';
	seen->len = r->line.len;
}

static void
nothing_is_logged_without_a_sink(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	log_open(NULL, NULL, LOG_DEBUG);
	log_error("t", "nobody hears this");
	log_open(remember, &seen, LOG_DEBUG);
	log_error("t", "%s", "heard");
	log_open(NULL, NULL, LOG_DEBUG);
	log_error("t", "nobody again");
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.line, "heard");
	assert_string_equal(seen.room, "t");
}

static void
the_level_is_the_most_that_passes(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	for (enum log_level max = LOG_ERROR; max <= LOG_DEBUG; max++) {
		for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
			log_open(remember, &seen, LOG_ERROR);
			log_set_level(max);
			seen.n = 0;
			log_at(level, "t", "x");
			assert_int_equal(seen.n, level <= max);
			assert_true(seen.n == 0 || seen.level == level);
		}
	}
	log_open(NULL, NULL, LOG_ERROR);
}

static void
a_long_line_is_cut(void **state)
{
	struct seen seen = { 0 };
	static char text[3 * LOG_LINE_MAX];

	(void)state;
	memset(text, 'l', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_open(remember, &seen, LOG_INFO);
	log_info("t", "%s", text);
	log_open(NULL, NULL, LOG_INFO);
	assert_int_equal(seen.len, LOG_LINE_MAX - 1);
}

static void
levels_have_names_and_only_those(void **state)
{
	enum log_level level = LOG_DEBUG;

	(void)state;
	for (enum log_level l = LOG_ERROR; l <= LOG_DEBUG; l++) {
		assert_true(log_level_parse(str_from_cstr(log_level_name(l)), &level));
		assert_int_equal(level, l);
	}
	level = LOG_WARN;
	assert_false(log_level_parse(STR(""), &level));
	assert_false(log_level_parse(STR("INFO"), &level));
	assert_false(log_level_parse(STR("warning"), &level));
	assert_int_equal(level, LOG_WARN);
}

/* ---- lines ---- */

static const char *
formatted(enum log_format format, struct str line)
{
	static char text[LOG_LINE_MAX * 8];
	const struct log_record r = { .level = LOG_WARN, .room = "hap", .line = line };
	struct buf out = buf_make(sizeof(text) - 1);

	log_format_line(format, INT64_C(1795401646123), &r, &out);
	assert_int_equal(buf_failed(&out, NULL), ERR_OK);
	memcpy(text, out.ptr, out.len);
	text[out.len] = '\0';
	buf_free(&out);
	return text;
}

static void
a_text_line_has_time_level_room_and_message(void **state)
{
	(void)state;
	assert_string_equal(formatted(LOG_TEXT, STR("no answer")), "2026-11-23T02:40:46.123Z warn  hap: no answer\n");
}

static void
a_json_line_has_the_same(void **state)
{
	(void)state;
	assert_string_equal(formatted(LOG_JSON, STR("no answer")),
	    "{\"time\":\"2026-11-23T02:40:46.123Z\",\"level\":\"warn\",\"room\":\"hap\",\"message\":\"no answer\"}\n");
}

static void
hostile_bytes_are_shown_harmless(void **state)
{
	static const struct {
		struct str in;
		const char *text, *json;
	} rows[] = {
		{ { "a\nb", 3 }, "a?b", "a\\nb" },
		{ { "a\r\tb", 4 }, "a??b", "a\\u000d\\u0009b" },
		{ { "a\0b", 3 }, "a?b", "a\\u0000b" },
		{ { "\x1b[2J", 4 }, "?[2J", "\\u001b[2J" },
		{ { "\x7f", 1 }, "?", "\\u007f" },
		{ { "say \"hi\\\"", 9 }, "say \"hi\\\"", "say \\\"hi\\\\\\\"" },
		{ { "na\xc3\xafve", 6 }, "na\xc3\xafve", "na\xc3\xafve" },
		{ { "\xc2\x9b"
		    "31m",
		      5 },
		    "?31m", "\\u009b31m" }, /* the one-character form of ESC [ */
		{ { "\xc2\xa0", 2 }, "\xc2\xa0", "\xc2\xa0" },
		{ { "\xff\xfe", 2 }, "??", "\\ufffd\\ufffd" },
		{ { "\xed\xa0\x80", 3 }, "???", "\\ufffd\\ufffd\\ufffd" },
		{ { "cut \xe2\x82", 6 }, "cut ??", "cut \\ufffd\\ufffd" },
		{ { "\",\"level\":\"error", 16 }, "\",\"level\":\"error", "\\\",\\\"level\\\":\\\"error" },
		{ { "%n%s", 4 }, "%n%s", "%n%s" },
		{ { "", 0 }, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char want[200];

		(void)snprintf(want, sizeof(want), "2026-11-23T02:40:46.123Z warn  hap: %s\n", rows[i].text);
		assert_string_equal(formatted(LOG_TEXT, rows[i].in), want);
		(void)snprintf(want, sizeof(want),
		    "{\"time\":\"2026-11-23T02:40:46.123Z\",\"level\":\"warn\",\"room\":\"hap\",\"message\":\"%s\"}\n",
		    rows[i].json);
		assert_string_equal(formatted(LOG_JSON, rows[i].in), want);
	}
}

static void
no_byte_makes_a_second_line_or_breaks_the_encoding(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char bytes[3] = { 'a', (char)c, 'b' };

		for (enum log_format f = LOG_TEXT; f <= LOG_JSON; f++) {
			const char *line = formatted(f, str_of(bytes, sizeof(bytes)));

			assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
			assert_true(utf8_is_valid(str_from_cstr(line)));
		}
	}
}

static void
a_full_line_of_the_worst_bytes_fits_eight_times_its_length(void **state)
{
	char worst[LOG_LINE_MAX];

	(void)state;
	memset(worst, 1, sizeof(worst));
	assert_true(strlen(formatted(LOG_JSON, str_of(worst, sizeof(worst)))) > (size_t)6 * LOG_LINE_MAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_logged_without_a_sink),
		cmocka_unit_test(the_level_is_the_most_that_passes),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(levels_have_names_and_only_those),
		cmocka_unit_test(a_text_line_has_time_level_room_and_message),
		cmocka_unit_test(a_json_line_has_the_same),
		cmocka_unit_test(hostile_bytes_are_shown_harmless),
		cmocka_unit_test(no_byte_makes_a_second_line_or_breaks_the_encoding),
		cmocka_unit_test(a_full_line_of_the_worst_bytes_fits_eight_times_its_length),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
