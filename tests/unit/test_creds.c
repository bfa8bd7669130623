/* Keys as values. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aws/creds.h"

static struct sigv4_key
key_of(const char *id, const char *secret, const char *token)
{
	return (struct sigv4_key){ str_from_cstr(id), str_from_cstr(secret), str_from_cstr(token) };
}

static void
a_key_is_copied_and_counted(void **state)
{
	char id[] = "AKID", secret[] = "SECRET", token[] = "TOKEN";
	struct sigv4_key given = key_of(id, secret, token), got;
	struct creds *c, *again;

	(void)state;
	assert_int_equal(creds_new(&given, "here", 42, &c, NULL), ERR_OK);
	memset(id, 'x', 4);
	memset(secret, 'x', 6);
	memset(token, 'x', 5);
	again = creds_ref(c);
	creds_unref(c);
	got = creds_key(again);
	assert_true(str_eq(got.access_key_id, STR("AKID")));
	assert_true(str_eq(got.secret, STR("SECRET")));
	assert_true(str_eq(got.session_token, STR("TOKEN")));
	assert_string_equal(creds_source_name(again), "here");
	assert_int_equal(creds_expires_ms(again), 42);
	creds_unref(again);
	creds_unref(NULL);
}

static void
a_key_that_cannot_be_one_is_refused_without_being_told(void **state)
{
	static const struct {
		const char *id, *secret, *token, *about;
	} cases[] = {
		{ "", "S3CRET", "", "access key id" },
		{ "AKID", "", "", "secret access key" },
		{ "AKID", "S3CRET\n", "", "secret access key" },
		{ "AKID", " S3CRET", "", "secret access key" },
		{ "AK ID", "S3CRET", "", "access key id" },
		{ "AKID\r\nX: y", "S3CRET", "", "access key id" },
		{ "S3CRET/abc", "AKID", "", "access key id" },
		{ "AKID", "S3CRET", "TOK3N\t", "session token" },
		{ "AKID", "S3CRET", "TOK3N\xff", "session token" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigv4_key key = key_of(cases[i].id, cases[i].secret, cases[i].token);
		struct creds *c = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(creds_new(&key, "here", 0, &c, &e), ERR_CONF);
		assert_null(c);
		assert_non_null(strstr(e.msg, cases[i].about));
		assert_null(strstr(e.msg, "S3CRET"));
		assert_null(strstr(e.msg, "TOK3N"));
	}
}

static void
a_part_at_its_limit_is_taken_and_above_it_is_not(void **state)
{
	static char token[CREDS_PART_MAX + 1];
	struct sigv4_key key = key_of("AKID", "SECRET", "");
	struct creds *c;

	(void)state;
	memset(token, 't', sizeof(token));
	key.session_token = str_of(token, CREDS_PART_MAX);
	assert_int_equal(creds_new(&key, "here", 0, &c, NULL), ERR_OK);
	creds_unref(c);
	key.session_token.len++;
	assert_int_equal(creds_new(&key, "here", 0, &c, NULL), ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_copied_and_counted),
		cmocka_unit_test(a_key_that_cannot_be_one_is_refused_without_being_told),
		cmocka_unit_test(a_part_at_its_limit_is_taken_and_above_it_is_not),
	};

	return cmocka_run_group_tests_name("creds", tests, NULL, NULL);
}
