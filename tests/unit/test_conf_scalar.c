/* The languages of single values: conf_scalar, conf_suggest, conf_expand. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "conf/conf_expand.h"
#include "conf/conf_scalar.h"
#include "conf/conf_suggest.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void
assert_says(const struct err *e, const char *text)
{
	assert_int_equal(e->code, ERR_CONF);
	assert_string_equal(e->msg, text);
}

static void
a_duration_is_a_whole_number_and_a_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "500ms", 500 },
		{ "2s", 2000 },
		{ "5m", 300000 },
		{ "1h", 3600000 },
		{ "0s", 0 },
		{ "007s", 7000 },
		{ "8760h", INT64_C(31536000000) },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		int64_t ms = -1;

		assert_int_equal(conf_scalar_duration(str_from_cstr(cases[i].text), &ms, NULL), ERR_OK);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
a_number_without_a_unit_is_no_duration(void **state)
{
	static const char *const cases[] = { "2", "0", "99999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct err e = ERR_INIT;
		int64_t ms = -1;

		assert_int_equal(conf_scalar_duration(str_from_cstr(cases[i]), &ms, &e), ERR_CONF);
		assert_says(&e, "needs a unit: ms, s, m or h");
		assert_int_equal(ms, -1);
	}
}

static void
other_texts_are_no_durations(void **state)
{
	static const char *const cases[] = { "", "s", "2 s", "1.5s", "-2s", "+2s", "2S", "2d", "1m30s", " 2s", "2s " };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct err e = ERR_INIT;
		int64_t ms;

		assert_int_equal(conf_scalar_duration(str_from_cstr(cases[i]), &ms, &e), ERR_CONF);
		assert_says(&e, "is not a duration: a whole number and ms, s, m or h, such as 500ms or 2s");
	}
}

static void
a_duration_over_a_year_is_refused_and_does_not_overflow(void **state)
{
	static const char *const cases[] = { "8761h", "18446744073709551615h", "18446744073709551616ms", "31536001s" };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct err e = ERR_INIT;
		int64_t ms;

		assert_int_equal(conf_scalar_duration(str_from_cstr(cases[i]), &ms, &e), ERR_CONF);
		assert_says(&e, "is longer than a year");
	}
}

static void
durations_are_shown_in_the_largest_unit_that_is_whole(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 1500, "1500ms" },
		{ 2000, "2s" },
		{ 90000, "90s" },
		{ 300000, "5m" },
		{ 3600000, "1h" },
		{ 86400000, "24h" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char text[CONF_SCALAR_DURATION_SIZE];
		int64_t back = -1;

		conf_scalar_put_duration(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(conf_scalar_duration(str_from_cstr(text), &back, NULL), ERR_OK);
		assert_int_equal(back, cases[i].ms);
	}
}

static void
yes_and_no_have_six_spellings_in_any_letter_case(void **state)
{
	static const struct {
		const char *text;
		bool value;
	} cases[] = {
		{ "true", true },
		{ "yes", true },
		{ "on", true },
		{ "True", true },
		{ "YES", true },
		{ "false", false },
		{ "no", false },
		{ "off", false },
		{ "Off", false },
	};
	static const char *const others[] = { "", "1", "0", "y", "tru", "truee", "enabled" };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		bool value = !cases[i].value;

		assert_int_equal(conf_scalar_bool(str_from_cstr(cases[i].text), &value, NULL), ERR_OK);
		assert_int_equal(value, cases[i].value);
	}
	for (size_t i = 0; i < N(others); i++) {
		bool value;

		assert_int_equal(conf_scalar_bool(str_from_cstr(others[i]), &value, &e), ERR_CONF);
		assert_says(&e, "is neither true (yes, on) nor false (no, off)");
	}
}

static void
whole_numbers_keep_within_their_range(void **state)
{
	static const char *const refused[] = { "", "0", "11", "5.0", "0x5", "-1", "+5", " 5", "5 ", "4294967301" };
	struct err e = ERR_INIT;
	unsigned value = 0;

	(void)state;
	assert_int_equal(conf_scalar_whole(STR("1"), 1, 10, &value, NULL), ERR_OK);
	assert_int_equal(value, 1);
	assert_int_equal(conf_scalar_whole(STR("10"), 1, 10, &value, NULL), ERR_OK);
	assert_int_equal(value, 10);
	for (size_t i = 0; i < N(refused); i++) {
		assert_int_equal(conf_scalar_whole(str_from_cstr(refused[i]), 1, 10, &value, &e), ERR_CONF);
		assert_says(&e, "is not a whole number from 1 to 10");
		assert_int_equal(value, 10);
	}
}

static void
a_percentage_may_have_its_sign(void **state)
{
	static const char *const refused[] = { "", "%", "101", "101%", "50 %", "5%%", "-1%", "2.5%" };
	struct err e = ERR_INIT;
	unsigned value = 0;

	(void)state;
	assert_int_equal(conf_scalar_percent(STR("50%"), &value, NULL), ERR_OK);
	assert_int_equal(value, 50);
	assert_int_equal(conf_scalar_percent(STR("33"), &value, NULL), ERR_OK);
	assert_int_equal(value, 33);
	assert_int_equal(conf_scalar_percent(STR("100%"), &value, NULL), ERR_OK);
	assert_int_equal(conf_scalar_percent(STR("0"), &value, NULL), ERR_OK);
	for (size_t i = 0; i < N(refused); i++) {
		assert_int_equal(conf_scalar_percent(str_from_cstr(refused[i]), &value, &e), ERR_CONF);
		assert_says(&e, "is not a whole percentage from 0% to 100%");
	}
}

static void
a_decimal_is_scaled_to_a_whole_number(void **state)
{
	static const struct {
		const char *text;
		unsigned value;
	} cases[] = {
		{ "2", 2000 },
		{ "0.5", 500 },
		{ "1.25", 1250 },
		{ "0.001", 1 },
		{ "10.000", 10000 },
	};
	static const char *const refused[] = { "", ".", ".5", "1.", "0", "0.000", "10.001", "1.2345", "1,5", "1e3",
		"-1", "4294967297", "99999999999999999999" };
	struct err e = ERR_INIT;
	unsigned value;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(conf_scalar_decimal(str_from_cstr(cases[i].text), 3, 1, 10000, &value, NULL), ERR_OK);
		assert_int_equal(value, cases[i].value);
	}
	for (size_t i = 0; i < N(refused); i++) {
		assert_int_equal(conf_scalar_decimal(str_from_cstr(refused[i]), 3, 1, 10000, &value, &e), ERR_CONF);
		assert_says(&e, "is not a number from 0.001 to 10 with at most 3 decimals");
	}
}

static void
a_mode_is_octal_and_holds_permissions_only(void **state)
{
	static const char *const refused[] = { "", "0", "66", "0668", "1660", "06600", "rw-rw----", "0o660", "-660" };
	struct err e = ERR_INIT;
	unsigned mode = 0;

	(void)state;
	assert_int_equal(conf_scalar_mode(STR("0660"), &mode, NULL), ERR_OK);
	assert_int_equal(mode, 0660);
	assert_int_equal(conf_scalar_mode(STR("600"), &mode, NULL), ERR_OK);
	assert_int_equal(mode, 0600);
	for (size_t i = 0; i < N(refused); i++) {
		assert_int_equal(conf_scalar_mode(str_from_cstr(refused[i]), &mode, &e), ERR_CONF);
		assert_says(&e, "is not a file mode in octal, such as 0660");
	}
}

static void
addresses_are_paths_abstract_names_or_hosts_with_ports(void **state)
{
	static const struct {
		const char *text, *rest; /* rest: the name, or the host */
		enum conf_scalar_address_kind kind;
		uint16_t port;
	} cases[] = {
		{ "/run/a.sock", "/run/a.sock", CONF_SCALAR_PATH, 0 },
		{ "abns@rollcall-spoe", "rollcall-spoe", CONF_SCALAR_ABNS, 0 },
		{ "127.0.0.1:4320", "127.0.0.1", CONF_SCALAR_LOOPBACK, 4320 },
		{ "127.9.8.7:1", "127.9.8.7", CONF_SCALAR_LOOPBACK, 1 },
		{ "[::1]:80", "::1", CONF_SCALAR_LOOPBACK, 80 },
		{ "[2001:db8::5]:65535", "2001:db8::5", CONF_SCALAR_TCP, 65535 },
		{ "10.0.0.1:9999", "10.0.0.1", CONF_SCALAR_TCP, 9999 },
		{ "haproxy.internal:9999", "haproxy.internal", CONF_SCALAR_TCP, 9999 },
		{ "127.0.0.1.example.com:80", "127.0.0.1.example.com", CONF_SCALAR_TCP, 80 },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct conf_scalar_address got;
		struct str rest;

		assert_true(conf_scalar_address(str_from_cstr(cases[i].text), &got));
		assert_int_equal(got.kind, cases[i].kind);
		rest = got.name.len > 0 ? got.name : got.host;
		assert_true(str_eq(rest, str_from_cstr(cases[i].rest)));
		assert_int_equal(got.port, cases[i].port);
	}
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const cases[] = { "", "/", "/run/", "run/a.sock", "abns@", "localhost", ":80",
		"host:", "host:0", "host:65536", "host:8o", "127.0.0.1", "127.0.0.256:80", "1.2.3:80", "::1:80",
		"[::1]", "[::1:80", "[::1]80", "[]:80", "[127.0.0.1]:80", "[fe80::1%eth0]:80", "a b:80", "*:80" };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct conf_scalar_address got;

		assert_false(conf_scalar_address(str_from_cstr(cases[i]), &got));
	}
}

static void
a_socket_path_fits_into_its_address(void **state)
{
	char path[109];
	struct conf_scalar_address got;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	assert_true(conf_scalar_address(str_of(path, 107), &got));
	assert_false(conf_scalar_address(str_of(path, 108), &got));
}

static void
a_host_has_no_more_than_a_name_may(void **state)
{
	char host[253 + 1 + sizeof(":80")];
	struct conf_scalar_address got;

	(void)state;
	memset(host, 'a', sizeof(host));
	memcpy(host + 253, ":80", 3);
	assert_true(conf_scalar_address(str_of(host, 256), &got));
	memcpy(host + 253, "a:80", 4);
	assert_false(conf_scalar_address(str_of(host, 257), &got));
}

static struct str
suggest(const char *word)
{
	static const char *const known[] = { "clusters", "services", "region", "watch", "refresh", "rate_limit",
		"tls" };
	struct conf_suggest s = conf_suggest_make(str_from_cstr(word));

	for (size_t i = 0; i < N(known); i++)
		conf_suggest_offer(&s, str_from_cstr(known[i]));
	return s.best;
}

static void
a_near_word_is_suggested_and_a_far_one_is_not(void **state)
{
	static const struct {
		const char *word, *best;
	} cases[] = {
		{ "cluster", "clusters" },
		{ "clutsers", "clusters" },
		{ "Region", "region" },
		{ "rate-limit", "rate_limit" },
		{ "rateLimit", "rate_limit" },
		{ "wacth", "watch" },
		{ "tsl", "tls" },
		{ "abc", "" },
		{ "namespace", "" },
		{ "", "" },
		{ "clusters_and_a_great_deal_more_than_any_key_has", "" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct str best = suggest(cases[i].word);

		if (!str_eq(best, str_from_cstr(cases[i].best)))
			fail_msg("`%s`: suggests `" STR_FMT "`", cases[i].word, STR_ARG(best));
	}
}

static const char *
get_var(void *arg, const char *name)
{
	const char *big = arg;

	if (strcmp(name, "NAME") == 0)
		return "main";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	if (strcmp(name, "TRICK") == 0)
		return "${NAME}$$[a, b]: #";
	return strcmp(name, "BIG") == 0 ? big : NULL;
}

static void
variables_are_expanded_once(void **state)
{
	static const struct {
		const char *raw, *text;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "${NAME}", "main" },
		{ "a-${NAME}-${NAME}", "a-main-main" },
		{ "x${EMPTY}y", "xy" },
		{ "$$", "$" },
		{ "$${NAME}", "${NAME}" },
		{ "$$$${NAME}", "$${NAME}" },
		{ "$$${NAME}", "$main" },
		{ "$NAME $ 5$", "$NAME $ 5$" },
		{ "^a$|b", "^a$|b" },
		{ "${NAME", "${NAME" },
		{ "${TRICK}", "${NAME}$$[a, b]: #" },
	};
	CLEANUP(arena_free_at) struct arena *a = arena_new(10000);
	struct env env = { .get = get_var };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct str text;

		assert_int_equal(conf_expand(a, str_from_cstr(cases[i].raw), &env, &text, NULL), ERR_OK);
		if (!str_eq(text, str_from_cstr(cases[i].text)))
			fail_msg("%s: " STR_FMT, cases[i].raw, STR_ARG(text));
	}
}

static void
what_is_no_defined_variable_is_a_fault(void **state)
{
	static const struct {
		const char *raw, *says;
	} cases[] = {
		{ "${NOPE}", "the variable `NOPE` is not defined (`$$` stands for a `$`)" },
		{ "${}", "what stands in `${...}` is not the name of a variable" },
		{ "${NAME:-x}", "what stands in `${...}` is not the name of a variable" },
		{ "${A=B}", "what stands in `${...}` is not the name of a variable" },
		{ "${ NAME }", "what stands in `${...}` is not the name of a variable" },
		/* A key in place of a variable's name must not be told. */
		{ "${AKIAIOSFODNN7EXAMPLE}", "the variable in `${...}` is not defined" },
	};
	CLEANUP(arena_free_at) struct arena *a = arena_new(10000);
	struct env env = { .get = get_var };

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct err e = ERR_INIT;
		struct str text;

		assert_int_equal(conf_expand(a, str_from_cstr(cases[i].raw), &env, &text, &e), ERR_CONF);
		assert_says(&e, cases[i].says);
	}
}

static void
the_name_of_a_variable_has_a_limit(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(10000);
	struct env env = { .get = get_var };
	struct err e = ERR_INIT;
	struct str text;
	char raw[200];

	(void)state;
	(void)snprintf(raw, sizeof(raw), "${X_%0126d}", 0);
	assert_int_equal(conf_expand(a, str_from_cstr(raw), &env, &text, &e), ERR_CONF);
	assert_non_null(strstr(e.msg, "is not defined"));
	(void)snprintf(raw, sizeof(raw), "${X_%0127d}", 0);
	assert_int_equal(conf_expand(a, str_from_cstr(raw), &env, &text, &e), ERR_CONF);
	assert_says(&e, "what stands in `${...}` is not the name of a variable");
}

static void
what_variables_hold_has_a_limit(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(1000000);
	char *big = calloc(1, CONF_EXPAND_MAX + 1);
	struct env env = { .get = get_var, .arg = big };
	struct err e = ERR_INIT;
	struct str text;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', CONF_EXPAND_MAX);
	assert_int_equal(conf_expand(a, STR("${BIG}"), &env, &text, NULL), ERR_OK);
	assert_int_equal(conf_expand(a, STR("${BIG}y"), &env, &text, &e), ERR_CONF);
	assert_says(&e, "a value is at most 65536 bytes long");
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_is_a_whole_number_and_a_unit),
		cmocka_unit_test(a_number_without_a_unit_is_no_duration),
		cmocka_unit_test(other_texts_are_no_durations),
		cmocka_unit_test(a_duration_over_a_year_is_refused_and_does_not_overflow),
		cmocka_unit_test(durations_are_shown_in_the_largest_unit_that_is_whole),
		cmocka_unit_test(yes_and_no_have_six_spellings_in_any_letter_case),
		cmocka_unit_test(whole_numbers_keep_within_their_range),
		cmocka_unit_test(a_percentage_may_have_its_sign),
		cmocka_unit_test(a_decimal_is_scaled_to_a_whole_number),
		cmocka_unit_test(a_mode_is_octal_and_holds_permissions_only),
		cmocka_unit_test(addresses_are_paths_abstract_names_or_hosts_with_ports),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_socket_path_fits_into_its_address),
		cmocka_unit_test(a_host_has_no_more_than_a_name_may),
		cmocka_unit_test(a_near_word_is_suggested_and_a_far_one_is_not),
		cmocka_unit_test(variables_are_expanded_once),
		cmocka_unit_test(what_is_no_defined_variable_is_a_fault),
		cmocka_unit_test(the_name_of_a_variable_has_a_limit),
		cmocka_unit_test(what_variables_hold_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
