/* The key of a source, end to end on a scripted transport in virtual time: where it is
 * fetched, when it is renewed, who is told what. */
#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/creds_fetch.h"
#include "aws/creds_recipe.h"
#include "aws/creds_source.h"
#include "aws/imds.h"
#include "fake_http.h"
#include "fake_loop.h"
#include "unit.h"

#define VARIABLES_MAX 8
#define ROLE          "arn:aws:iam::123456789012:role/"
#define MINUTE_MS     INT64_C(60000)

struct variable {
	const char *name, *value;
};

struct room {
	struct loop *loop;
	struct fake_http *http; /* large */
	struct prng rnd;
	struct variable variables[VARIABLES_MAX];
	struct env env;
	struct creds_fetch_world world;
	struct creds_recipe_config config;
	struct creds_fetch_place at;
	struct creds_source *source;
	int told;
	char id[64], from[200];
	struct err err;
	bool close_when_told, ask_when_told, expire_when_told;
};

static const char *
get_variable(void *arg, const char *name)
{
	const struct variable *v = arg;

	for (size_t i = 0; i < VARIABLES_MAX && v[i].name != NULL; i++)
		if (strcmp(v[i].name, name) == 0)
			return v[i].value;
	return NULL;
}

static void
on_key(void *arg, struct creds *key, const struct err *e)
{
	struct room *r = arg;

	r->told++;
	r->err = key != NULL ? ERR_INIT : *e;
	r->id[0] = '\0';
	if (key != NULL) {
		struct str id = creds_key(key).access_key_id;

		(void)snprintf(r->id, sizeof(r->id), STR_FMT, STR_ARG(id));
		(void)snprintf(r->from, sizeof(r->from), "%s", creds_source_name(key));
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

/* r has its variables and configuration. */
static void
open_room(struct room *r, const struct fake_http_answer *script, size_t n)
{
	assert_int_equal(loop_new(&r->loop, NULL), ERR_OK);
	r->http = malloc(sizeof(*r->http));
	assert_non_null(r->http);
	fake_http_open(r->http, r->loop, script, n);
	r->rnd = prng_make(7);
	r->env = (struct env){ .get = get_variable, .arg = r->variables };
	r->world =
	    (struct creds_fetch_world){ .loop = r->loop, .http = &r->http->base, .rnd = &r->rnd, .env = &r->env };
	r->at = (struct creds_fetch_place){ .region = STR("eu-west-1") };
	assert_int_equal(creds_source_new(&r->world, STR("main"), &r->config, &r->at, &r->source, NULL), ERR_OK);
}

static void
ask(struct room *r)
{
	int before = r->told;

	assert_int_equal(r->source->get(r->source, on_key, r, NULL), ERR_OK);
	assert_int_equal(r->told, before); /* never from inside */
	loop_run(r->loop);
	assert_int_equal(r->told, before + 1);
}

static void
close_room(struct room *r)
{
	r->source->close(r->source);
	loop_run(r->loop);
	assert_int_equal(r->http->open, 0);
	loop_free(r->loop);
	free(r->http);
}

/* Until minutes after FAKE_LOOP_WALL_MS. */
#define DOCUMENT(id, time)                                                                                            \
	"{\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"2026-11-23T" time "Z" \
	"\""                                                                                                          \
	"}"
#define STS_ANSWER(action, id, time)                                                                                   \
	"<" action "Response><" action "Result><Credentials><AccessKeyId>" id                                          \
	"</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>2026-11-23T" time \
	"Z</Expiration></Credentials></" action "Result></" action "Response>"

#define CONTAINER                                                 \
	{                                                         \
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x" \
	}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* ---- keys that are simply there ---- */

static void
the_configured_key_goes_before_the_environment(void **state)
{
	struct room r = {
		.config = { .access_key_id = STR("CONF"), .secret_access_key = STR("S"), .session_token = STR("T") },
		.variables = { { "AWS_ACCESS_KEY_ID", "ENV" }, { "AWS_SECRET_ACCESS_KEY", "E" } },
	};
	struct creds_source_view v;

	(void)state;
	open_room(&r, NULL, 0);
	ask(&r);
	assert_string_equal(r.id, "CONF");
	assert_string_equal(r.from, "configuration");
	v = r.source->view(r.source);
	assert_string_equal(v.name, "configuration");
	assert_true(v.expires_wall_ms == INT64_MAX);
	assert_false(v.renewal->on);
	close_room(&r);
}

static void
the_environment_is_read_again_once_a_key_has_expired(void **state)
{
	struct room r = { .variables = { { "AWS_ACCESS_KEY_ID", "ONE" }, { "AWS_SECRET_ACCESS_KEY", "E" } } };

	(void)state;
	open_room(&r, NULL, 0);
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_string_equal(r.from, "environment");
	r.variables[0].value = "TWO";
	fake_loop_pass(r.loop, CREDS_SOURCE_STALE_MS);
	ask(&r);
	assert_string_equal(r.id, "ONE");
	r.source->expire(r.source);
	r.source->expire(r.source);
	ask(&r);
	assert_string_equal(r.id, "TWO");
	close_room(&r);
}

static void
a_missing_or_bad_key_says_what_is_missing(void **state)
{
	static const struct {
		struct creds_recipe_config config;
		struct variable variables[2];
		const char *wanted;
	} rows[] = {
		{ .variables = { { "AWS_ACCESS_KEY_ID", "ID" } },
		    .wanted = "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not" },
		{ .variables = { { "AWS_ACCESS_KEY_ID", "ID" }, { "AWS_SECRET_ACCESS_KEY", "SECRET\n" } },
		    .wanted = "environment: the secret access key holds a blank, a line end or another byte that no "
			      "key has (byte 7 of 7)" },
		{ .config = { .access_key_id = { "ID", 2 } },
		    .wanted = "configuration: the secret access key is empty" },
		{ .config = { .profile = { "nobody", 6 } },
		    .wanted = "profile `nobody`: no such profile in the shared config and credentials files" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct room r = { .config = rows[i].config };

		memcpy(r.variables, rows[i].variables, sizeof(rows[i].variables));
		open_room(&r, NULL, 0);
		ask(&r);
		assert_int_equal(r.err.code, ERR_CONF);
		assert_string_equal(r.err.msg, rows[i].wanted);
		assert_string_equal(r.source->view(r.source).renewal->err.msg, rows[i].wanted);
		assert_true(r.source->view(r.source).expires_wall_ms == 0);
		close_room(&r);
	}
}

/* ---- who is told ---- */

static void
all_who_wait_are_told_once(void **state)
{
	struct room r = {
		.config = { .access_key_id = STR("CONF"), .secret_access_key = STR("S") },
		.ask_when_told = true,
		.expire_when_told = true,
	};
	struct err e = ERR_INIT;

	(void)state;
	open_room(&r, NULL, 0);
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
	struct room r = { .config = { .access_key_id = STR("CONF"), .secret_access_key = STR("S") } };
	struct room other = { .told = 0 };

	(void)state;
	open_room(&r, NULL, 0);
	assert_int_equal(r.source->get(r.source, on_key, &other, NULL), ERR_OK);
	r.source->cancel(r.source, &other);
	ask(&r);
	assert_int_equal(other.told, 0);
	close_room(&r);
}

static void
a_source_may_be_closed_by_whom_it_tells(void **state)
{
	struct room r = {
		.config = { .access_key_id = STR("CONF"), .secret_access_key = STR("S") },
		.close_when_told = true,
	};

	(void)state;
	open_room(&r, NULL, 0);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	loop_run(r.loop);
	assert_int_equal(r.told, 1);
	loop_free(r.loop);
	free(r.http);
}

static void
a_source_may_be_closed_while_it_fetches(void **state)
{
	static const struct fake_http_answer never[] = { { .code = ERR_TIMEOUT, .delay_ms = 1000000 } };
	static const struct variable chains[][2] = {
		{ CONTAINER }, { { NULL, NULL } }, /* the instance */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(chains); i++) {
		struct room r = { .told = 0 };

		memcpy(r.variables, chains[i], sizeof(chains[i]));
		open_room(&r, never, 1);
		assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
		fake_loop_pass(r.loop, 500);
		assert_int_equal(r.http->open, 1);
		close_room(&r);
		assert_int_equal(r.told, 0);
	}
}

/* ---- the container endpoint ---- */

static void
a_container_is_asked_directly_and_with_patience(void **state)
{
	static const struct fake_http_answer script[] = { { .code = ERR_IO }, { .status = 500, .body = "" },
		{ .status = 200, .body = DOCUMENT("ONE", "08:40:46") } };
	static const struct fake_http_answer busy[] = { { .status = 429, .body = "" },
		{ .status = 200, .body = DOCUMENT("ONE", "08:40:46") } };
	struct room r = { .variables = { CONTAINER, { "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc" } } };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_string_equal(r.from, "container");
	assert_int_equal(r.http->n_sent, 3);
	assert_string_equal(r.http->sent[2].url, "http://169.254.170.2/v2/x");
	assert_string_equal(r.http->sent[2].authorization, "Basic abc");
	assert_true(r.http->sent[2].no_proxy);
	assert_int_equal(r.http->sent[2].timeout_ms, 2000);
	assert_int_equal(r.http->sent[2].at_ms - r.http->sent[0].at_ms, 2000);
	close_room(&r);
	open_room(&r, busy, N_OF(busy));
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_int_equal(r.http->n_sent, 2);
	close_room(&r);
}

static void
a_container_that_has_no_key_is_told_with_its_reason(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 400,
	    .body = "{\"code\":\"X\",\"message\":\"no role\"}" } };
	struct room r = { .variables = { CONTAINER } };
	struct room bad = { .variables = { CONTAINER, { "AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nX: b" } } };

	(void)state;
	open_room(&r, script, 1);
	ask(&r);
	assert_int_equal(r.err.code, ERR_REFUSED);
	assert_string_equal(r.err.msg, "container credentials: status 400");
	assert_string_equal(r.source->view(r.source).name, "container");
	close_room(&r);
	open_room(&bad, script, 1);
	ask(&bad);
	assert_int_equal(bad.err.code, ERR_CONF);
	assert_int_equal(bad.http->n_sent, 0);
	close_room(&bad);
}

static void
while_there_is_no_key_it_is_looked_for_once_a_second(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 400, .body = "" } };
	struct room r = { .variables = { CONTAINER } };

	(void)state;
	open_room(&r, script, 1);
	for (int i = 0; i < 10; i++)
		ask(&r);
	assert_int_equal(r.http->n_sent, 1);
	assert_string_equal(r.err.msg, "container credentials: status 400");
	fake_loop_pass(r.loop, CREDS_SOURCE_URGENT_MS);
	ask(&r);
	assert_int_equal(r.http->n_sent, 2);
	close_room(&r);
}

/* As in a pod of EKS, which has it renewed. */
static void
the_file_of_a_container_s_authorization_goes_before_the_variable(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = DOCUMENT("ONE", "08:40:46") } };
	char path[] = "/tmp/rollcall-token-XXXXXX";
	int fd = mkstemp(path);
	struct room r = { .variables = { CONTAINER, { "AWS_CONTAINER_AUTHORIZATION_TOKEN", "of the variable" },
			      { "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path } } };

	(void)state;
	assert_int_equal(write(fd, "of the file\n", 12), 12);
	(void)close(fd);
	open_room(&r, script, 1);
	ask(&r);
	assert_string_equal(r.http->sent[0].authorization, "of the file");
	close_room(&r);
	(void)unlink(path);
	open_room(&r, script, 1);
	ask(&r);
	assert_non_null(strstr(r.err.msg, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: cannot open"));
	assert_int_equal(r.http->n_sent, 0);
	close_room(&r);
}

/* ---- the instance ---- */

static void
an_instance_is_asked_by_version_2(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = "TOKEN==\n" },
		{ .status = 200, .body = "my-role\nanother" }, { .status = 200, .body = DOCUMENT("ONE", "08:40:46") } };
	struct room r = { .told = 0 };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_string_equal(r.from, "instance");
	assert_string_equal(r.http->sent[0].method, "PUT");
	assert_string_equal(r.http->sent[0].url, "http://169.254.169.254/latest/api/token");
	assert_string_equal(r.http->sent[1].method, "GET");
	assert_string_equal(r.http->sent[1].url, "http://169.254.169.254/latest/meta-data/iam/security-credentials/");
	assert_string_equal(
	    r.http->sent[2].url, "http://169.254.169.254/latest/meta-data/iam/security-credentials/my-role");
	for (int i = 0; i < 3; i++) {
		assert_true(r.http->sent[i].no_proxy);
		assert_int_equal(r.http->sent[i].timeout_ms, 1000);
		assert_string_equal(r.http->sent[i].token, i > 0 ? "TOKEN==" : "");
	}
	close_room(&r);
}

static void
an_instance_without_tokens_is_asked_by_version_1_if_that_is_allowed(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 404, .body = "" },
		{ .status = 200, .body = "my-role" }, { .status = 200, .body = DOCUMENT("ONE", "08:40:46") } };
	static const int statuses[] = { 403, 405 };
	struct room r = { .variables = { { "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9/x/" },
			      { "AWS_METADATA_SERVICE_TIMEOUT", "3" } } };
	struct room never = { .variables = { { "AWS_EC2_METADATA_V1_DISABLED", "true" } } };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_string_equal(r.http->sent[0].url, "http://127.0.0.1:9/x/latest/api/token");
	assert_string_equal(r.http->sent[2].token, "");
	assert_int_equal(r.http->sent[2].timeout_ms, 3000);
	close_room(&r);
	for (size_t i = 0; i < N_OF(statuses); i++) {
		const struct fake_http_answer other[] = { { .status = statuses[i], .body = "" }, script[1], script[2] };

		open_room(&r, other, N_OF(other));
		ask(&r);
		assert_string_equal(r.id, "ONE");
		close_room(&r);
	}
	open_room(&never, script, N_OF(script));
	ask(&never);
	assert_string_equal(never.err.msg, "instance metadata: status 404 for a token");
	assert_int_equal(never.http->n_sent, 1);
	close_room(&never);
}

static void
what_an_instance_lacks_is_told_with_what_to_do(void **state)
{
	static const struct {
		struct fake_http_answer script[3];
		enum err_code code;
		const char *wanted;
	} rows[] = {
		{ { { .code = ERR_TIMEOUT }, { .code = ERR_TIMEOUT } }, ERR_TIMEOUT,
		    "instance metadata: scripted timed out (within a container the instance needs "
		    "HttpPutResponseHopLimit 2, or the task its own role)" },
		{ { { .code = ERR_TIMEOUT }, { .status = 401, .body = "" } }, ERR_TIMEOUT,
		    "instance metadata: it wants a token, and the request for one was not answered (within a container "
		    "the instance needs HttpPutResponseHopLimit 2, or the task its own role)" },
		{ { { .status = 400, .body = "" } }, ERR_REFUSED, "instance metadata: status 400 for a token" },
		{ { { .status = 200, .body = "T" }, { .status = 404, .body = "" } }, ERR_CONF,
		    "instance metadata: the instance has no IAM role (no instance profile)" },
		{ { { .status = 200, .body = "T" }, { .status = 200, .body = "<html>" } }, ERR_PARSE,
		    "instance metadata: a listing that names no role" },
		{ { { .status = 200, .body = "T" }, { .status = 200, .body = "../x" } }, ERR_PARSE,
		    "instance metadata: a listing that names no role" },
		{ { { .status = 200, .body = "T" }, { .status = 200, .body = "" } }, ERR_PARSE,
		    "instance metadata: a listing that names no role" },
		{ { { .status = 200, .body = "T\x01" } }, ERR_REFUSED, "instance metadata: status 200 for a token" },
		{ { { .status = 200, .body = "T" }, { .status = 200, .body = "r" },
		      { .status = 200, .body = "{\"Code\":\"Failed\",\"Message\":\"m\"}" } },
		    ERR_REFUSED, "instance metadata: no key: Failed: m" },
		{ { { .status = 200, .body = "T" }, { .status = 200, .body = "r" }, { .status = 503, .body = "" } },
		    ERR_REMOTE, "instance metadata: status 503 for /latest/meta-data/iam/security-credentials/" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct room r = { .told = 0 };

		open_room(&r, rows[i].script, N_OF(rows[i].script));
		ask(&r);
		CHECK_ROW(r.err.code == rows[i].code, i, r.err.msg);
		assert_string_equal(r.err.msg, rows[i].wanted);
		close_room(&r);
	}
}

static void
an_instance_s_key_whose_end_is_over_is_used_on(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = "T" },
		{ .status = 200, .body = "r" }, { .status = 200, .body = DOCUMENT("OLD", "02:00:00") } };
	struct room r = { .told = 0 };
	int64_t left;

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_string_equal(r.id, "OLD");
	left = r.source->view(r.source).expires_wall_ms - FAKE_LOOP_WALL_MS;
	assert_in_range(left, 17 * MINUTE_MS, 26 * MINUTE_MS);
	close_room(&r);
}

/* ---- roles ---- */

static void
a_role_is_assumed_with_the_key_before_it(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200,
	    .body = STS_ANSWER("AssumeRole", "ROLEKEY", "03:40:46") } };
	struct room r = {
		.config = { .role_arn = STR(ROLE "far"), .external_id = STR("a b") },
		.variables = { { "AWS_ACCESS_KEY_ID", "ENV" }, { "AWS_SECRET_ACCESS_KEY", "E" } },
	};

	(void)state;
	open_room(&r, script, 1);
	ask(&r);
	assert_string_equal(r.id, "ROLEKEY");
	assert_string_equal(r.from, "role " ROLE "far by environment");
	assert_string_equal(r.http->sent[0].url, "https://sts.eu-west-1.amazonaws.com/");
	assert_string_equal(r.http->sent[0].body,
	    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Ffar"
	    "&RoleSessionName=rollcall&ExternalId=a%20b");
	assert_memory_equal(
	    r.http->sent[0].authorization, "AWS4-HMAC-SHA256 Credential=ENV/20261123/eu-west-1/sts/aws4_request,", 68);
	assert_false(r.http->sent[0].no_proxy);
	close_room(&r);
}

static void
a_role_that_may_not_be_assumed_is_named(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 403,
	    .body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/x is not "
		    "authorized to perform: sts:AssumeRole on resource: y</Message></Error></ErrorResponse>" } };
	struct room r = {
		.config = { .role_arn = STR(ROLE "far") },
		.variables = { { "AWS_ACCESS_KEY_ID", "ENV" }, { "AWS_SECRET_ACCESS_KEY", "E" } },
	};

	(void)state;
	open_room(&r, script, 1);
	ask(&r);
	assert_int_equal(r.err.code, ERR_AUTH);
	assert_string_equal(r.err.msg,
	    "role far: AccessDenied: User: arn:aws:iam::1:user/x is not authorized to perform: sts:AssumeRole on "
	    "resource: y");
	assert_string_equal(r.source->view(r.source).name, "role " ROLE "far by environment");
	close_room(&r);
}

static void
a_web_identity_is_sent_unsigned_and_read_each_time(void **state)
{
	static const struct fake_http_answer script[] = {
		{ .status = 200, .body = STS_ANSWER("AssumeRoleWithWebIdentity", "WEB1", "03:40:46") },
		{ .status = 200, .body = STS_ANSWER("AssumeRoleWithWebIdentity", "WEB2", "04:40:46") },
	};
	char path[] = "/tmp/rollcall-token-XXXXXX";
	int fd = mkstemp(path);
	struct room r = { .variables = { { "AWS_WEB_IDENTITY_TOKEN_FILE", path }, { "AWS_ROLE_ARN", ROLE "web" },
			      { "AWS_ROLE_SESSION_NAME", "me" } } };

	(void)state;
	assert_int_equal(write(fd, "eyJ.one\n", 8), 8);
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_string_equal(r.id, "WEB1");
	assert_string_equal(r.from, "role " ROLE "web by web identity");
	assert_string_equal(r.http->sent[0].authorization, "");
	assert_string_equal(r.http->sent[0].body,
	    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
	    "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fweb&RoleSessionName=me&WebIdentityToken=eyJ.one");
	assert_int_equal(pwrite(fd, "eyJ.two\n", 8, 0), 8);
	fake_loop_pass(r.loop, 59 * MINUTE_MS);
	ask(&r);
	assert_string_equal(r.id, "WEB2");
	assert_non_null(strstr(r.http->sent[1].body, "eyJ.two"));
	close_room(&r);
	(void)close(fd);
	(void)unlink(path);
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_non_null(strstr(r.err.msg, "the web identity token: cannot open /tmp/rollcall-token-"));
	close_room(&r);
	write_file(path, "eyJ\n");
	open_room(&r, script, N_OF(script));
	ask(&r);
	assert_string_equal(r.err.msg, "the file of the web identity token holds no token");
	assert_int_equal(r.http->n_sent, 0);
	close_room(&r);
	(void)unlink(path);
}

static void
a_role_is_assumed_for_as_long_as_its_profile_says(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200,
	    .body = STS_ANSWER("AssumeRole", "ROLEKEY", "03:40:46") } };
	char path[] = "/tmp/rollcall-config-XXXXXX";
	int fd = mkstemp(path);
	struct room r = { .variables = { { "AWS_CONFIG_FILE", path }, { "AWS_PROFILE", "p" },
			      { "AWS_EC2_METADATA_DISABLED", "true" } } };

	(void)state;
	(void)close(fd);
	write_file(path, "[profile p]\nrole_arn = " ROLE "far\nsource_profile = q\nduration_seconds = 3600\n"
			 "[profile q]\naws_access_key_id = Q\naws_secret_access_key = S\n");
	open_room(&r, script, 1);
	ask(&r);
	assert_string_equal(r.id, "ROLEKEY");
	assert_non_null(strstr(r.http->sent[0].body, "&RoleSessionName=rollcall&DurationSeconds=3600"));
	close_room(&r);
	(void)unlink(path);
}

/* ---- renewal ---- */

/* An hour's key: from 15 minutes before its end it is renewed while it is told on. */
static void
a_key_is_renewed_ahead_without_anybody_waiting(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = DOCUMENT("ONE", "03:40:46") },
		{ .status = 200, .body = DOCUMENT("TWO", "04:40:46"), .delay_ms = 1500 } };
	struct room r = { .variables = { CONTAINER } };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	fake_loop_pass(r.loop, 44 * MINUTE_MS);
	ask(&r);
	assert_int_equal(r.http->n_sent, 1);
	fake_loop_pass(r.loop, 4 * MINUTE_MS + 30000); /* 11.5 minutes left: the jitter is at most 3 */
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	fake_loop_pass(r.loop, 100);
	assert_string_equal(r.id, "ONE");  /* at once */
	assert_int_equal(r.http->open, 1); /* while the new one is on its way */
	loop_run(r.loop);
	ask(&r);
	assert_string_equal(r.id, "TWO");
	assert_int_equal(r.http->n_sent, 2);
	close_room(&r);
}

static void
near_its_end_a_key_is_waited_for_and_the_old_one_serves_if_none_comes(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = DOCUMENT("ONE", "03:40:46") },
		{ .status = 400, .body = "", .delay_ms = 1000 }, { .status = 400, .body = "", .delay_ms = 1000 },
		{ .status = 200, .body = DOCUMENT("TWO", "05:40:46") } };
	struct room r = { .variables = { CONTAINER } };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	fake_loop_pass(r.loop, 52 * MINUTE_MS);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	fake_loop_pass(r.loop, 500);
	assert_int_equal(r.told, 1); /* it is waited for */
	loop_run(r.loop);
	assert_string_equal(r.id, "ONE");
	assert_true(r.source->view(r.source).renewal->on);
	ask(&r); /* within the floor: no other try */
	assert_int_equal(r.http->n_sent, 2);
	fake_loop_pass(r.loop, 10 * MINUTE_MS); /* its end is over */
	ask(&r);
	assert_string_equal(r.id, "");
	assert_string_equal(r.err.msg, "container credentials: status 400");
	fake_loop_pass(r.loop, 2000);
	ask(&r);
	assert_string_equal(r.id, "TWO");
	assert_false(r.source->view(r.source).renewal->on);
	close_room(&r);
}

static void
a_key_that_lives_shortly_is_renewed_at_half_its_life(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = DOCUMENT("ONE", "02:44:46") },
		{ .status = 200, .body = DOCUMENT("TWO", "03:40:46"), .delay_ms = 1500 } };
	struct room r = { .variables = { CONTAINER } };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	fake_loop_pass(r.loop, 90000);
	ask(&r);
	assert_int_equal(r.http->n_sent, 1);
	fake_loop_pass(r.loop, 60000);
	assert_int_equal(r.source->get(r.source, on_key, &r, NULL), ERR_OK);
	fake_loop_pass(r.loop, 100);
	assert_int_equal(r.told, 3); /* only the last quarter is waited in */
	assert_int_equal(r.http->n_sent, 2);
	loop_run(r.loop);
	close_room(&r);
}

/* Our clock is an hour ahead: by it each key is over when it comes.  AWS is the judge. */
static void
a_key_that_our_clock_calls_over_is_used_and_not_fetched_all_the_time(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = DOCUMENT("ONE", "02:30:00") } };
	struct room r = { .variables = { CONTAINER } };

	(void)state;
	open_room(&r, script, 1);
	for (int i = 0; i < 20; i++) {
		ask(&r);
		assert_string_equal(r.id, "ONE");
		fake_loop_pass(r.loop, 1000);
	}
	assert_int_equal(r.http->n_sent, 1);
	fake_loop_pass(r.loop, CREDS_SOURCE_FLOOR_MS);
	ask(&r);
	assert_int_equal(r.http->n_sent, 2);
	close_room(&r);
}

static void
a_key_that_aws_refuses_is_fetched_again_now_and_then(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = DOCUMENT("ONE", "08:40:46") },
		{ .status = 400, .body = "" }, { .status = 200, .body = DOCUMENT("TWO", "08:40:46") } };
	struct room r = { .variables = { CONTAINER } };

	(void)state;
	open_room(&r, script, N_OF(script));
	ask(&r);
	fake_loop_pass(r.loop, MINUTE_MS);
	r.source->expire(r.source);
	ask(&r);
	assert_string_equal(r.err.msg, "container credentials: status 400");
	fake_loop_pass(r.loop, CREDS_SOURCE_URGENT_MS);
	ask(&r);
	assert_string_equal(r.id, "TWO");
	r.source->expire(r.source);
	ask(&r); /* too soon */
	assert_string_equal(r.id, "TWO");
	assert_int_equal(r.http->n_sent, 3);
	fake_loop_pass(r.loop, CREDS_SOURCE_STALE_MS);
	ask(&r);
	assert_int_equal(r.http->n_sent, 4);
	close_room(&r);
}

/* ---- files ---- */

static void
a_credentials_file_that_changes_is_read_again(void **state)
{
	char path[] = "/tmp/rollcall-creds-XXXXXX";
	int fd = mkstemp(path);
	struct room r = { .variables = { { "AWS_SHARED_CREDENTIALS_FILE", path }, { "AWS_CONFIG_FILE", "/nonexistent" },
			      { "AWS_PROFILE", "p" } } };

	(void)state;
	(void)close(fd);
	write_file(path, "[p]\naws_access_key_id = ONE\naws_secret_access_key = S\n");
	open_room(&r, NULL, 0);
	ask(&r);
	assert_string_equal(r.id, "ONE");
	assert_string_equal(r.from, "profile p");
	write_file(path, "[p]\naws_access_key_id = THREE\naws_secret_access_key = S\n");
	fake_loop_pass(r.loop, CREDS_SOURCE_FLOOR_MS);
	ask(&r);
	assert_string_equal(r.id, "THREE");
	write_file(path, "[p]\nnonsense\n");
	fake_loop_pass(r.loop, CREDS_SOURCE_FLOOR_MS);
	ask(&r); /* the old one still works, for all we know */
	assert_string_equal(r.id, "THREE");
	assert_non_null(strstr(r.source->view(r.source).renewal->err.msg, "line 2: neither a section"));
	close_room(&r);
	(void)unlink(path);
}

static void
a_path_that_is_no_file_is_refused(void **state)
{
	struct room r = { .variables = { { "AWS_SHARED_CREDENTIALS_FILE", "/dev/zero" }, { "AWS_PROFILE", "p" } } };

	(void)state;
	open_room(&r, NULL, 0);
	ask(&r);
	assert_string_equal(r.err.msg, "/dev/zero is no file");
	close_room(&r);
}

static void
a_file_that_is_not_there_holds_nothing(void **state)
{
	struct room r = { .variables = { { "AWS_CONFIG_FILE", "/dev/null/x" },
			      { "AWS_SHARED_CREDENTIALS_FILE", "/nonexistent" },
			      { "AWS_EC2_METADATA_DISABLED", "true" } } };

	(void)state;
	open_room(&r, NULL, 0);
	ask(&r);
	assert_non_null(strstr(r.err.msg, "no AWS key: not in the configuration"));
	close_room(&r);
}

static void
a_file_that_was_named_and_may_not_be_read_is_told(void **state)
{
	char path[] = "/tmp/rollcall-creds-XXXXXX";
	int fd = mkstemp(path);
	struct room r = { .variables = { { "AWS_SHARED_CREDENTIALS_FILE", path }, { "AWS_CONFIG_FILE", "/nonexistent" },
			      { "AWS_EC2_METADATA_DISABLED", "true" } } };

	(void)state;
	assert_int_equal(fchmod(fd, 0), 0);
	(void)close(fd);
	open_room(&r, NULL, 0);
	ask(&r);
	close_room(&r);
	(void)unlink(path);
	if (geteuid() == 0)
		skip();
	assert_non_null(strstr(r.err.msg, "cannot open /tmp/rollcall-creds-"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_configured_key_goes_before_the_environment),
		cmocka_unit_test(the_environment_is_read_again_once_a_key_has_expired),
		cmocka_unit_test(a_missing_or_bad_key_says_what_is_missing),
		cmocka_unit_test(all_who_wait_are_told_once),
		cmocka_unit_test(who_cancels_is_not_told),
		cmocka_unit_test(a_source_may_be_closed_by_whom_it_tells),
		cmocka_unit_test(a_source_may_be_closed_while_it_fetches),
		cmocka_unit_test(a_container_is_asked_directly_and_with_patience),
		cmocka_unit_test(a_container_that_has_no_key_is_told_with_its_reason),
		cmocka_unit_test(while_there_is_no_key_it_is_looked_for_once_a_second),
		cmocka_unit_test(the_file_of_a_container_s_authorization_goes_before_the_variable),
		cmocka_unit_test(an_instance_is_asked_by_version_2),
		cmocka_unit_test(an_instance_without_tokens_is_asked_by_version_1_if_that_is_allowed),
		cmocka_unit_test(what_an_instance_lacks_is_told_with_what_to_do),
		cmocka_unit_test(an_instance_s_key_whose_end_is_over_is_used_on),
		cmocka_unit_test(a_role_is_assumed_with_the_key_before_it),
		cmocka_unit_test(a_role_that_may_not_be_assumed_is_named),
		cmocka_unit_test(a_web_identity_is_sent_unsigned_and_read_each_time),
		cmocka_unit_test(a_role_is_assumed_for_as_long_as_its_profile_says),
		cmocka_unit_test(a_key_is_renewed_ahead_without_anybody_waiting),
		cmocka_unit_test(near_its_end_a_key_is_waited_for_and_the_old_one_serves_if_none_comes),
		cmocka_unit_test(a_key_that_lives_shortly_is_renewed_at_half_its_life),
		cmocka_unit_test(a_key_that_our_clock_calls_over_is_used_and_not_fetched_all_the_time),
		cmocka_unit_test(a_key_that_aws_refuses_is_fetched_again_now_and_then),
		cmocka_unit_test(a_credentials_file_that_changes_is_read_again),
		cmocka_unit_test(a_path_that_is_no_file_is_refused),
		cmocka_unit_test(a_file_that_is_not_there_holds_nothing),
		cmocka_unit_test(a_file_that_was_named_and_may_not_be_read_is_told),
	};

	return cmocka_run_group_tests_name("creds_source", tests, NULL, NULL);
}
