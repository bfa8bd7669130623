/* base/str: borrowed bytes, with everything a peer may put into them. */
#include "config.h"

#include "unit.h"

static const struct str null_str = { NULL, 0 };

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

static void
a_null_string_is_an_empty_one(void **state)
{
	size_t at = 0;

	(void)state;
	assert_true(str_eq(null_str, STR("")));
	assert_int_equal(str_cmp(null_str, STR("")), 0);
	assert_true(str_cmp(null_str, STR("a")) < 0);
	assert_true(str_has_prefix(null_str, STR("")));
	assert_true(str_has_suffix(null_str, STR("")));
	assert_true(str_has_suffix(null_str, null_str));
	assert_false(str_has_prefix(null_str, STR("a")));
	assert_false(str_has_suffix(null_str, STR("a")));
	assert_int_equal(str_skip(null_str, 3).len, 0);
	assert_int_equal(str_first(null_str, 3).len, 0);
	assert_false(str_find(null_str, 'a', &at));
	assert_int_equal(str_after_last(null_str, '/').len, 0);
	assert_int_equal(str_trim(null_str).len, 0);
	assert_true(str_is_printable(null_str));
	assert_true(str_glob(null_str, null_str));
	assert_int_equal(str_from_cstr(NULL).len, 0);
}

static void
equal_means_every_byte_and_the_length(void **state)
{
	(void)state;
	assert_true(str_eq(STR("abc"), STR("abc")));
	assert_false(str_eq(STR("abc"), STR("abd")));
	assert_false(str_eq(STR("abc"), STR("ab")));
	assert_false(str_eq(STR("abc"), STR("abcd")));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
}

static void
order_is_by_unsigned_bytes_then_by_length(void **state)
{
	static const struct {
		struct str a, b;
		int want;
	} rows[] = {
		{ { "", 0 }, { "", 0 }, 0 },
		{ { "", 0 }, { "a", 1 }, -1 },
		{ { "a", 1 }, { "b", 1 }, -1 },
		{ { "ab", 2 }, { "b", 1 }, -1 },
		{ { "b", 1 }, { "ab", 2 }, 1 },
		{ { "a", 1 }, { "a\0", 2 }, -1 },
		{ { "\xff", 1 }, { "a", 1 }, 1 },
		{ { "same", 4 }, { "same", 4 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		CHECK_ROW(sign(str_cmp(rows[i].a, rows[i].b)) == rows[i].want, i, rows[i].a.ptr);
		CHECK_ROW(sign(str_cmp(rows[i].b, rows[i].a)) == -rows[i].want, i, rows[i].b.ptr);
	}
}

static void
prefix_and_suffix_may_be_the_whole_but_no_longer(void **state)
{
	(void)state;
	assert_true(str_has_prefix(STR("rc_17"), STR("rc_")));
	assert_true(str_has_prefix(STR("rc_"), STR("rc_")));
	assert_false(str_has_prefix(STR("rc"), STR("rc_")));
	assert_false(str_has_prefix(STR("src_1"), STR("rc_")));
	assert_true(str_has_suffix(STR("a.yaml"), STR(".yaml")));
	assert_true(str_has_suffix(STR(".yaml"), STR(".yaml")));
	assert_false(str_has_suffix(STR("yaml"), STR(".yaml")));
	assert_false(str_has_suffix(STR("a.yaml "), STR(".yaml")));
}

static void
skip_and_first_never_leave_the_string(void **state)
{
	(void)state;
	assert_str(str_skip(STR("abc"), 0), "abc");
	assert_str(str_skip(STR("abc"), 2), "c");
	assert_str(str_skip(STR("abc"), 3), "");
	assert_str(str_skip(STR("abc"), SIZE_MAX), "");
	assert_str(str_first(STR("abc"), 0), "");
	assert_str(str_first(STR("abc"), 2), "ab");
	assert_str(str_first(STR("abc"), SIZE_MAX), "abc");
}

static void
find_gives_the_first_and_leaves_its_result_alone_otherwise(void **state)
{
	size_t at = 99;

	(void)state;
	assert_false(str_find(STR("abc"), 'x', &at));
	assert_int_equal(at, 99);
	assert_true(str_find(STR("abcb"), 'b', &at));
	assert_int_equal(at, 1);
	assert_true(str_find(STR("ab\0"), '\0', &at));
	assert_int_equal(at, 2);
}

static void
after_last_takes_what_follows_the_last_one(void **state)
{
	(void)state;
	assert_str(str_after_last(STR("a/b/c"), '/'), "c");
	assert_str(str_after_last(STR("a/b/"), '/'), "");
	assert_str(str_after_last(STR("/"), '/'), "");
	assert_str(str_after_last(STR("abc"), '/'), "abc");
	assert_str(str_after_last(STR(""), '/'), "");
}

/* The fields joined with '|', so that a row of a table tells all of them. */
static const char *
fields_of(struct str s, char sep)
{
	static char joined[64];
	struct str field;
	size_t n = 0;

	joined[0] = '\0';
	while (str_next(&s, sep, &field))
		n += (size_t)snprintf(joined + n, sizeof(joined) - n, STR_FMT "|", STR_ARG(field));
	return joined;
}

static void
next_gives_one_more_field_than_there_are_separators(void **state)
{
	(void)state;
	assert_string_equal(fields_of(STR("a,b,c"), ','), "a|b|c|");
	assert_string_equal(fields_of(STR("a,,"), ','), "a|||");
	assert_string_equal(fields_of(STR(",a"), ','), "|a|");
	assert_string_equal(fields_of(STR(","), ','), "||");
	assert_string_equal(fields_of(STR(""), ','), "|");
	assert_string_equal(fields_of(STR("abc"), ','), "abc|");
	assert_string_equal(fields_of(null_str, ','), "");
}

static void
trim_takes_blanks_from_both_ends_only(void **state)
{
	(void)state;
	assert_str(str_trim(STR(" \t\r\na b \n")), "a b");
	assert_str(str_trim(STR("a")), "a");
	assert_str(str_trim(STR(" \n ")), "");
	assert_str(str_trim(STR("\va")), "\va");
	assert_str(str_trim(STR("\xc2\xa0")), "\xc2\xa0");
}

static void
a_number_is_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t want;
	} rows[] = {
		{ "0", 0, true, 0 }, { "1", 0, false, 0 }, { "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 }, { "655350", 65535, false, 0 }, { "0065535", 65535, true, 65535 },
		{ "9", 8, false, 0 }, { "10", 9, false, 0 }, { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 }, { "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 }, { "184467440737095516150", UINT64_MAX, false, 0 },
		{ "", UINT64_MAX, false, 0 }, { "+1", UINT64_MAX, false, 0 }, { "-1", UINT64_MAX, false, 0 },
		{ " 1", UINT64_MAX, false, 0 }, { "1 ", UINT64_MAX, false, 0 }, { "1\n", UINT64_MAX, false, 0 },
		{ "0x10", UINT64_MAX, false, 0 }, { "1e3", UINT64_MAX, false, 0 }, { "1.0", UINT64_MAX, false, 0 },
		{ "\xd9\xa1", UINT64_MAX, false, 0 }, /* an Arabic-Indic digit */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		uint64_t value = 77;
		bool ok = str_to_u64(str_from_cstr(rows[i].text), rows[i].max, &value);

		CHECK_ROW(ok == rows[i].ok, i, rows[i].text);
		CHECK_ROW(value == (ok ? rows[i].want : 77), i, rows[i].text);
	}
	assert_false(str_to_u64(STR("1\0"), UINT64_MAX, &(uint64_t){ 0 }));
}

static void
printable_is_ascii_between_blank_and_tilde(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char byte = (char)c;

		assert_int_equal(str_is_printable(str_of(&byte, 1)), c >= 0x20 && c <= 0x7e);
	}
	assert_false(str_is_printable(STR("abc\n")));
	assert_true(str_is_printable(STR("abc ~")));
}

static void
a_glob_matches_the_whole_string(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool want;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "", false },
		{ "*", "", true },
		{ "*", "anything/at all", true },
		{ "**", "", true },
		{ "***a", "a", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "??", "a", false },
		{ "?*", "", false },
		{ "*?", "a", true },
		{ "abc", "abc", true },
		{ "abc", "abcd", false },
		{ "abc", "xabc", false },
		{ "a*c", "ac", true },
		{ "a*c", "abcbc", true },
		{ "a*c", "abcb", false },
		{ "*.example.com", "a.example.com", true },
		{ "*.example.com", "a.example.com.evil", false },
		{ "*ab", "aab", true },
		{ "*aab*", "aaab", true },
		{ "a*b*c", "a__b__bc", true },
		{ "a*b*c", "a__c__b", false },
		{ "family:*", "family:web", true },
		{ "a*", "*", false },
		{ "*", "*", true },
		{ "[ab]", "a", false }, /* no classes, no escapes: they are themselves */
		{ "[ab]", "[ab]", true },
		{ "\\*", "\\x", true },
		{ "A", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_ROW(str_glob(str_from_cstr(rows[i].pattern), str_from_cstr(rows[i].s)) == rows[i].want, i,
		    rows[i].pattern);
}

/* A matcher that tries every split would not come back from this one. */
static void
a_hostile_glob_costs_no_more_than_its_length_times_the_strings(void **state)
{
	static char s[20000], pattern[2000];

	(void)state;
	memset(s, 'a', sizeof(s));
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	assert_true(str_glob(str_of(pattern, sizeof(pattern)), str_of(s, sizeof(s))));
	pattern[sizeof(pattern) - 1] = 'b';
	assert_false(str_glob(str_of(pattern, sizeof(pattern)), str_of(s, sizeof(s))));
}

static void
bytes_are_two_digits_each(void **state)
{
	char hex[7] = "------";

	(void)state;
	str_put_hex("\x00\x9f\xff", 2, hex);
	assert_string_equal(hex, "009f--");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_null_string_is_an_empty_one),
		cmocka_unit_test(equal_means_every_byte_and_the_length),
		cmocka_unit_test(order_is_by_unsigned_bytes_then_by_length),
		cmocka_unit_test(prefix_and_suffix_may_be_the_whole_but_no_longer),
		cmocka_unit_test(skip_and_first_never_leave_the_string),
		cmocka_unit_test(find_gives_the_first_and_leaves_its_result_alone_otherwise),
		cmocka_unit_test(after_last_takes_what_follows_the_last_one),
		cmocka_unit_test(next_gives_one_more_field_than_there_are_separators),
		cmocka_unit_test(trim_takes_blanks_from_both_ends_only),
		cmocka_unit_test(a_number_is_read_whole_or_not_at_all),
		cmocka_unit_test(bytes_are_two_digits_each),
		cmocka_unit_test(printable_is_ascii_between_blank_and_tilde),
		cmocka_unit_test(a_glob_matches_the_whole_string),
		cmocka_unit_test(a_hostile_glob_costs_no_more_than_its_length_times_the_strings),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
