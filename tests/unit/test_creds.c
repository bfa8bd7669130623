/* Keys, and the source of those that are simply there. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aws/creds.h"
#include "aws/creds_source.h"
#include "fake_loop.h"

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

/* --- the source --- */

struct variables {
	const char *id, *secret, *token;
};

static const char *
get_variable(void *arg, const char *name)
{
	const struct variables *v = arg;

	if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
		return v->id;
	if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
		return v->secret;
	return strcmp(name, "AWS_SESSION_TOKEN") == 0 ? v->token : NULL;
}

struct room {
	struct loop *loop;
	struct variables variables;
	struct env env;
	struct creds_source *source;
	int told;
	char id[64], from[64];
	struct err err;
	bool close_when_told, ask_when_told, expire_when_told;
};

static void
on_key(void *arg, struct creds *key, const struct err *e)
{
	struct room *r = arg;

	r->told++;
	if (key != NULL) {
		struct str id = creds_key(key).access_key_id;

		assert_true(id.len < sizeof(r->id));
		memcpy(r->id, id.ptr, id.len);
		r->id[id.len] = '\0';
		assert_true(strlen(creds_source_name(key)) < sizeof(r->from));
		memcpy(r->from, creds_source_name(key), strlen(creds_source_name(key)) + 1);
	} else {
		r->err = *e;
	}
	if (r->ask_when_told) {
		r->ask_when_told = false;
		assert_int_equal(r->source->get(r->source, on_key, r, NULL), ERR_OK);
	}
	if (r->expire_when_told)
		r->source->expire(r->source);
	if (r->close_when_told)
		r->source->close(r->source);
}

static void
open_room(struct room *r, const struct creds_source_config *config)
{
	r->env = (struct env){ get_variable, &r->variables };
	assert_int_equal(loop_new(&r->loop, NULL), ERR_OK);
	assert_int_equal(creds_source_new(r->loop, config, &r->env, &r->source, NULL), ERR_OK);
}

static void
ask(struct room *r)
{
	int before = r->told;

	assert_int_equal(r->source->get(r->source, on_key, r, NULL), ERR_OK);
	assert_int_equal(r->told, before); /* never from inside */
	loop_run(r->loop);
}

static void
close_room(struct room *r)
{
	r->source->close(r->source);
	loop_run(r->loop);
	loop_free(r->loop);
}

static void
the_configured_key_goes_before_the_environment(void **state)
{
	const struct creds_source_config config = { STR("CONF"), STR("S"), STR("T") };
	struct room r = { .variables = { "ENV", "E", NULL } };

	(void)state;
	open_room(&r, &config);
	ask(&r);
	assert_string_equal(r.id, "CONF");
	assert_string_equal(r.from, "configuration");
	close_room(&r);
}

static void
the_environment_is_read_again_once_a_key_has_expired(void **state)
{
	const struct creds_source_config config = { .access_key_id = STR("") };
	struct room r = { .variables = { "ONE", "E", "T" } };

	(void)state;
	open_room(&r, &config);
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_string_equal(r.from, "environment");
	r.variables.id = "TWO";
	ask(&r);
	assert_string_equal(r.id, "ONE");
	r.source->expire(r.source);
	r.source->expire(r.source);
	ask(&r);
	assert_string_equal(r.id, "TWO");
	assert_int_equal(r.told, 3);
	close_room(&r);
}

static void
a_missing_or_half_key_says_what_is_missing(void **state)
{
	static const struct {
		struct creds_source_config config;
		struct variables variables;
		const char *wanted;
	} cases[] = {
		{ .wanted =
			"no AWS key: the configuration has no access_key_id, the environment no AWS_ACCESS_KEY_ID" },
		{ .variables = { "ID", NULL, NULL },
		    .wanted = "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not" },
		{ .variables = { "", "SECRET", NULL },
		    .wanted = "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not" },
		{ .variables = { "ID", "SECRET\n", NULL },
		    .wanted =
			"AWS_* of the environment: the secret access key holds a blank, a line end or another byte "
			"that no key has (byte 7 of 7)" },
		{ .config = { .access_key_id = { "ID", 2 } },
		    .variables = { "ENV", "SECRET", NULL },
		    .wanted =
			"access_key_id and secret_access_key of the configuration: the secret access key is empty" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct room r = { .variables = cases[i].variables };

		open_room(&r, &cases[i].config);
		ask(&r);
		assert_int_equal(r.told, 1);
		assert_int_equal(r.err.code, ERR_CONF);
		assert_string_equal(r.err.msg, cases[i].wanted);
		close_room(&r);
	}
}

static void
all_who_wait_are_told_once(void **state)
{
	const struct creds_source_config config = { STR("CONF"), STR("S"), STR("") };
	struct room r = { .ask_when_told = true, .expire_when_told = true };
	struct err e = ERR_INIT;

	(void)state;
	open_room(&r, &config);
	for (int i = 0; i < CREDS_SOURCE_WAITING_MAX - 1; i++)
		assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	loop_run(r.loop);
	assert_int_equal(r.told, CREDS_SOURCE_WAITING_MAX); /* one asked again */
	for (int i = 0; i < CREDS_SOURCE_WAITING_MAX; i++)
		assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	assert_int_equal(r.source->get(r.source, on_key, &r, &e), ERR_LIMIT);
	close_room(&r);
	assert_int_equal(r.told, CREDS_SOURCE_WAITING_MAX);
}

static void
who_cancels_is_not_told(void **state)
{
	const struct creds_source_config config = { STR("CONF"), STR("S"), STR("") };
	struct room r = { .told = 0 }, other = { .told = 0 };

	(void)state;
	open_room(&r, &config);
	assert_int_equal(r.source->get(r.source, on_key, &other, NULL), ERR_OK);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	r.source->cancel(r.source, &other);
	loop_run(r.loop);
	assert_int_equal(other.told, 0);
	assert_int_equal(r.told, 1);
	close_room(&r);
}

static void
a_source_may_be_closed_by_whom_it_tells(void **state)
{
	const struct creds_source_config config = { STR("CONF"), STR("S"), STR("") };
	struct room r = { .close_when_told = true };

	(void)state;
	open_room(&r, &config);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	loop_run(r.loop);
	assert_int_equal(r.told, 1);
	loop_free(r.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_copied_and_counted),
		cmocka_unit_test(a_key_that_cannot_be_one_is_refused_without_being_told),
		cmocka_unit_test(a_part_at_its_limit_is_taken_and_above_it_is_not),
		cmocka_unit_test(the_configured_key_goes_before_the_environment),
		cmocka_unit_test(the_environment_is_read_again_once_a_key_has_expired),
		cmocka_unit_test(a_missing_or_half_key_says_what_is_missing),
		cmocka_unit_test(all_who_wait_are_told_once),
		cmocka_unit_test(who_cancels_is_not_told),
		cmocka_unit_test(a_source_may_be_closed_by_whom_it_tells),
	};

	return cmocka_run_group_tests_name("creds", tests, NULL, NULL);
}
