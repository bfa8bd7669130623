/* Which credentials are used: the SDKs' order, role chains, and what is refused. */
#include "config.h"

#include <stdlib.h>

#include "aws/creds_container.h"
#include "aws/creds_recipe.h"
#include "unit.h"

#define VARIABLES_MAX 6
#define ROLE          "arn:aws:iam::123456789012:role/"

struct variable {
	const char *name, *value;
};

struct situation {
	struct creds_recipe_config config;
	struct variable env[VARIABLES_MAX];
	const char *shared_config, *credentials;
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

/* ret lives in *ret_arena. */
static enum err_code
make(const struct situation *s, struct arena **ret_arena, struct creds_recipe *ret, struct err *e)
{
	struct variable env[VARIABLES_MAX];
	const struct env get = { .get = get_variable, .arg = env };
	struct aws_profiles *profiles;

	memcpy(env, s->env, sizeof(env));
	*ret_arena = arena_new(AWS_PROFILES_ARENA_MAX);
	assert_int_equal(aws_profiles_new(*ret_arena, &profiles, NULL), ERR_OK);
	if (s->shared_config != NULL)
		assert_int_equal(
		    aws_profiles_add(profiles, AWS_PROFILES_CONFIG, str_from_cstr(s->shared_config), NULL), ERR_OK);
	if (s->credentials != NULL)
		assert_int_equal(
		    aws_profiles_add(profiles, AWS_PROFILES_CREDENTIALS, str_from_cstr(s->credentials), NULL), ERR_OK);
	return creds_recipe_make(*ret_arena, &s->config, &get, profiles, ret, e);
}

#define ENV_KEY                              \
	{ "AWS_ACCESS_KEY_ID", "ENV" },      \
	{                                    \
		"AWS_SECRET_ACCESS_KEY", "E" \
	}
#define KEY_A "[a]\naws_access_key_id = A\naws_secret_access_key = S\n"

static void
the_first_that_has_credentials_is_taken(void **state)
{
	static const struct {
		struct situation given;
		enum creds_recipe_kind kind;
		const char *name, *id;
	} rows[] = {
		{ { .config = { .access_key_id = { "CONF", 4 }, .secret_access_key = { "S", 1 } }, .env = { ENV_KEY } },
		    CREDS_RECIPE_KEY, "configuration", "CONF" },
		{ { .env = { ENV_KEY, { "AWS_PROFILE", "none" } } }, CREDS_RECIPE_KEY, "environment", "ENV" },
		{ { .env = { ENV_KEY }, .config = { .profile = { "a", 1 } }, .credentials = KEY_A }, CREDS_RECIPE_KEY,
		    "profile a", "A" },
		{ { .env = { { "AWS_PROFILE", "a" } }, .credentials = KEY_A }, CREDS_RECIPE_KEY, "profile a", "A" },
		{ { .credentials = "[default]\naws_access_key_id = D\naws_secret_access_key = S\n" }, CREDS_RECIPE_KEY,
		    "profile default", "D" },
		{ { .shared_config = "[default]\naws_access_key_id = D\naws_secret_access_key = S\n" },
		    CREDS_RECIPE_KEY, "profile default", "D" },
		{ { .env = { { "AWS_WEB_IDENTITY_TOKEN_FILE", "/t" }, { "AWS_ROLE_ARN", ROLE "web" } },
		      .credentials = "[default]\naws_access_key_id = D\naws_secret_access_key = S\n" },
		    CREDS_RECIPE_WEB_IDENTITY, "role " ROLE "web by web identity", "" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "web\nweb_identity_token_file = /t\n" },
		    CREDS_RECIPE_WEB_IDENTITY, "role " ROLE "web by web identity", "" },
		{ { .env = { { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x" } } }, CREDS_RECIPE_CONTAINER,
		    "container", "" },
		{ { .env = { { "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/" },
			{ "AWS_EC2_METADATA_DISABLED", "true" } } },
		    CREDS_RECIPE_CONTAINER, "container", "" },
		{ { .shared_config = "[default]\nregion = eu-west-1\n" }, CREDS_RECIPE_INSTANCE, "instance", "" },
		{ { .env = { { "AWS_EC2_METADATA_DISABLED", "false" } } }, CREDS_RECIPE_INSTANCE, "instance", "" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = a\n",
		      .credentials = KEY_A,
		      .env = { { "AWS_WEB_IDENTITY_TOKEN_FILE", "/t" }, { "AWS_ROLE_ARN", ROLE "web" } } },
		    CREDS_RECIPE_KEY, "role " ROLE "r by profile a", "A" },
		{ { .config = { .role_arn = { ROLE "far", sizeof(ROLE "far") - 1 } }, .env = { ENV_KEY } },
		    CREDS_RECIPE_KEY, "role " ROLE "far by environment", "ENV" },
		/* A profile of the configuration is meant, whatever the environment has. */
		{ { .config = { .profile = { "a", 1 } },
		      .credentials = KEY_A,
		      .env = { { "AWS_WEB_IDENTITY_TOKEN_FILE", "/t" }, { "AWS_ROLE_ARN", ROLE "web" } } },
		    CREDS_RECIPE_KEY, "profile a", "A" },
		{ { .env = { { "AWS_DEFAULT_PROFILE", "a" } }, .credentials = KEY_A }, CREDS_RECIPE_KEY, "profile a",
		    "A" },
		{ { .env = { { "AWS_PROFILE", "a" }, { "AWS_DEFAULT_PROFILE", "b" } }, .credentials = KEY_A },
		    CREDS_RECIPE_KEY, "profile a", "A" },
		{ { .config = { .profile = { "a", 1 } },
		      .credentials = KEY_A,
		      .shared_config = "[profile a]\ncredential_process = /bin/x\n" },
		    CREDS_RECIPE_KEY, "profile a", "A" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a;
		struct creds_recipe r;
		struct err e = ERR_INIT;

		CHECK_ROW(make(&rows[i].given, &a, &r, &e) == ERR_OK, i, e.msg);
		CHECK_ROW(r.kind == rows[i].kind, i, r.name);
		assert_string_equal(r.name, rows[i].name);
		assert_str(r.key.access_key_id, rows[i].id);
		arena_wipe(a);
	}
}

static void
roles_are_assumed_from_the_far_end_of_the_chain(void **state)
{
	const struct situation given = {
		.config = { .profile = STR("c"), .role_arn = STR(ROLE "top"), .external_id = STR("x-1") },
		.shared_config = "[profile c]\nrole_arn = " ROLE "c\nsource_profile = b\nrole_session_name = me\n"
				 "external_id = x-c\nduration_seconds = 3600\n"
				 "[profile b]\nrole_arn = " ROLE "b\nsource_profile = a\n",
		.credentials = KEY_A,
	};
	struct arena *a;
	struct creds_recipe r;

	(void)state;
	assert_int_equal(make(&given, &a, &r, NULL), ERR_OK);
	assert_int_equal(r.n_roles, 3);
	assert_str(r.roles[0].arn, ROLE "b");
	assert_str(r.roles[0].session_name, "rollcall");
	assert_int_equal(r.roles[0].duration_s, 0);
	assert_str(r.roles[1].arn, ROLE "c");
	assert_str(r.roles[1].session_name, "me");
	assert_str(r.roles[1].external_id, "x-c");
	assert_int_equal(r.roles[1].duration_s, 3600);
	assert_str(r.roles[2].arn, ROLE "top");
	assert_str(r.roles[2].external_id, "x-1");
	assert_string_equal(r.base_name, "profile a");
	assert_string_equal(r.name, "role " ROLE "top by role " ROLE "c by role " ROLE "b by profile a");
	arena_wipe(a);
}

static void
a_role_may_come_from_any_source_of_credentials(void **state)
{
	static const struct {
		struct situation given;
		enum creds_recipe_kind kind;
	} rows[] = {
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\ncredential_source = Ec2InstanceMetadata\n" },
		    CREDS_RECIPE_INSTANCE },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\ncredential_source = EcsContainer\n",
		      .env = { { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x" } } },
		    CREDS_RECIPE_CONTAINER },
		{ { .config = { .profile = { "p", 1 } },
		      .shared_config = "[profile p]\nrole_arn = " ROLE "r\ncredential_source = Environment\n",
		      .env = { ENV_KEY } },
		    CREDS_RECIPE_KEY },
		/* Its own key. */
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = default\n"
				     "aws_access_key_id = A\naws_secret_access_key = S\n" },
		    CREDS_RECIPE_KEY },
		/* A key beats the role of a profile that another names. */
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = b\n"
				     "[profile b]\nrole_arn = " ROLE "b\nsource_profile = default\n"
				     "aws_access_key_id = A\naws_secret_access_key = S\n" },
		    CREDS_RECIPE_KEY },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = w\n"
				     "[profile w]\nrole_arn = " ROLE "w\nweb_identity_token_file = /t\n" },
		    CREDS_RECIPE_WEB_IDENTITY },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a;
		struct creds_recipe r;
		struct err e = ERR_INIT;

		CHECK_ROW(make(&rows[i].given, &a, &r, &e) == ERR_OK, i, e.msg);
		CHECK_ROW(r.kind == rows[i].kind && r.n_roles == 1, i, r.name);
		assert_str(r.roles[0].arn, ROLE "r");
		arena_wipe(a);
	}
}

static void
what_cannot_be_used_says_what_and_why(void **state)
{
	static const struct {
		struct situation given;
		const char *wanted;
	} rows[] = {
		{ { .env = { { "AWS_ACCESS_KEY_ID", "X" } } },
		    "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not" },
		{ { .env = { { "AWS_SECRET_ACCESS_KEY", "X" } } },
		    "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not" },
		{ { .config = { .profile = { "x", 1 } } },
		    "profile `x`: no such profile in the shared config and credentials files" },
		{ { .env = { { "AWS_PROFILE", "x\n" } } },
		    "profile `(not printable)`: no such profile in the shared config and credentials files" },
		{ { .env = { { "AWS_EC2_METADATA_DISABLED", "True" } } },
		    "no AWS key: not in the configuration, AWS_ACCESS_KEY_ID or a profile; no web identity, no "
		    "container endpoint, and AWS_EC2_METADATA_DISABLED is set" },
		{ { .credentials = "[default]\naws_access_key_id = A\n" },
		    "profile `default`: aws_access_key_id without aws_secret_access_key" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\n" },
		    "profile `default`: role_arn needs source_profile or credential_source beside it" },
		{ { .shared_config =
			  "[default]\nrole_arn = " ROLE "r\nsource_profile = a\ncredential_source = Environment\n" },
		    "profile `default`: source_profile and credential_source are both given: it takes one of them" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = a\n" },
		    "profile `a`: no such profile, and a source_profile names it" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = a\n[profile a]\nregion = x\n" },
		    "profile `a`: it has no key, and a source_profile names it" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = default\n" },
		    "profile `default`: it is its own source_profile, and has no key of its own" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\nsource_profile = a\n"
				     "[profile a]\nrole_arn = " ROLE "a\nsource_profile = default\n" },
		    "profile `a`: its source_profile leads back to it" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\ncredential_source = Environment\n" },
		    "profile `default`: credential_source is Environment, and AWS_ACCESS_KEY_ID is not set" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\ncredential_source = EcsContainer\n" },
		    "profile `default`: credential_source is EcsContainer, and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI "
		    "is not set" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE "r\ncredential_source = Moon\n" },
		    "profile `default`: its credential_source is none of Environment, EcsContainer, "
		    "Ec2InstanceMetadata" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE
				     "r\ncredential_source = Ec2InstanceMetadata\nmfa_serial = m\n" },
		    "profile `default`: it has mfa_serial: a daemon has no one to ask for a code; use another role" },
		{ { .shared_config = "[default]\nrole_arn = nonsense\ncredential_source = Ec2InstanceMetadata\n" },
		    "profile `default`: its role_arn is no ARN" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE
				     "r\ncredential_source = Ec2InstanceMetadata\nrole_session_name = a b\n" },
		    "profile `default`: its role_session_name is not 2 to 64 of a-z A-Z 0-9 _ + = , . @ -" },
		{ { .shared_config = "[default]\nrole_arn = " ROLE
				     "r\ncredential_source = Ec2InstanceMetadata\nduration_seconds = 60\n" },
		    "profile `default`: its duration_seconds is not from 900 to 43200" },
		{ { .shared_config = "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n" },
		    "profile `default`: it signs in by SSO, which a daemon cannot; use a role or a key" },
		{ { .shared_config = "[default]\ncredential_process = /bin/x\n" },
		    "profile `default`: it has credential_process: not part of this version; use a role, a key, or "
		    "another profile" },
		{ { .env = { { "AWS_WEB_IDENTITY_TOKEN_FILE", "/t" } } },
		    "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not" },
		{ { .env = { { "AWS_WEB_IDENTITY_TOKEN_FILE", "/t" }, { "AWS_ROLE_ARN", "x" } } },
		    "AWS_ROLE_ARN holds no ARN" },
		{ { .shared_config = "[default]\nweb_identity_token_file = /t\n" },
		    "profile `default`: web_identity_token_file needs role_arn beside it" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a;
		struct creds_recipe r;
		struct err e = ERR_INIT;

		CHECK_ROW(make(&rows[i].given, &a, &r, &e) == ERR_CONF, i, rows[i].wanted);
		assert_string_equal(e.msg, rows[i].wanted);
		arena_wipe(a);
	}
}

static void
a_chain_of_roles_has_a_limit(void **state)
{
	struct situation given = {
		.config = { .profile = STR("p1") },
		.shared_config = "[profile p1]\nrole_arn=" ROLE "1\nsource_profile=p2\n"
				 "[profile p2]\nrole_arn=" ROLE "2\nsource_profile=p3\n"
				 "[profile p3]\nrole_arn=" ROLE "3\nsource_profile=p4\n"
				 "[profile p4]\nrole_arn=" ROLE "4\nsource_profile=p5\n"
				 "[profile p5]\nrole_arn=" ROLE "5\nsource_profile=p6\n"
				 "[profile p6]\nrole_arn=" ROLE "6\nsource_profile=a\n",
		.credentials = KEY_A,
	};
	struct arena *a;
	struct creds_recipe r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(make(&given, &a, &r, &e), ERR_CONF);
	assert_string_equal(e.msg, "profile `p6`: more than 5 roles, one assumed by another");
	arena_wipe(a);
	given.config.profile = STR("p2");
	assert_int_equal(make(&given, &a, &r, &e), ERR_OK);
	assert_int_equal(r.n_roles, CREDS_RECIPE_ROLES_MAX);
	arena_wipe(a);
	given.config.role_arn = STR(ROLE "one more");
	assert_int_equal(make(&given, &a, &r, &e), ERR_CONF);
	assert_string_equal(e.msg, "more than 5 roles, one assumed by another");
	arena_wipe(a);
}

/* Its limits, to the last second and character. */
static void
of_a_role_all_is_taken_that_sts_takes(void **state)
{
	static const struct {
		size_t arn_len, session_len;
		const char *duration_s;
		bool is_taken;
	} rows[] = {
		{ 60, 8, "900", true },
		{ 60, 8, "899", false },
		{ 60, 8, "43200", true },
		{ 60, 8, "43201", false },
		{ 60, 2, "900", true },
		{ 60, 1, "900", false },
		{ 60, 64, "900", true },
		{ 60, 65, "900", false },
		{ 2048, 8, "900", true },
		{ 2049, 8, "900", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[4000], arn[3000], session[100] = "";
		const struct situation given = { .shared_config = text };
		struct arena *a;
		struct creds_recipe r;

		memset(arn, 'a', sizeof(arn));
		memcpy(arn, ROLE, strlen(ROLE));
		memset(session, 'a', rows[i].session_len);
		(void)snprintf(text, sizeof(text),
		    "[default]\nrole_arn = %.*s\nrole_session_name = %s\nduration_seconds = %s\n"
		    "credential_source = Ec2InstanceMetadata\n",
		    (int)rows[i].arn_len, arn, session, rows[i].duration_s);
		CHECK_ROW((make(&given, &a, &r, NULL) == ERR_OK) == rows[i].is_taken, i, rows[i].duration_s);
		arena_wipe(a);
	}
}

static void
files_matter_only_where_they_are_looked_at(void **state)
{
	static const struct {
		struct situation given;
		bool needed;
	} rows[] = {
		{ { .config = { .access_key_id = { "A", 1 } } }, false },
		{ { .env = { ENV_KEY } }, false },
		{ { .env = { ENV_KEY }, .config = { .profile = { "a", 1 } } }, true },
		{ { .credentials = "" }, true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct variable variables[VARIABLES_MAX];
		const struct env env = { .get = get_variable, .arg = variables };

		memcpy(variables, rows[i].given.env, sizeof(variables));
		assert_int_equal(creds_recipe_needs_profiles(&rows[i].given.config, &env), rows[i].needed);
	}
}

/* ---- the container endpoint ---- */

static void
the_container_endpoint_is_asked_only_where_no_key_can_leak(void **state)
{
	static const struct {
		const char *relative, *full, *wanted; /* null: refused */
	} rows[] = {
		{ "/v2/credentials/x", NULL, "http://169.254.170.2/v2/credentials/x" },
		{ "/v2/x", "http://evil.example/", "http://169.254.170.2/v2/x" },
		{ "v2/x", NULL, NULL },
		{ "/a b", NULL, NULL },
		{ "@evil.example/", NULL, NULL },
		{ NULL, "http://127.0.0.1:8080/x?y=z", "http://127.0.0.1:8080/x?y=z" },
		{ NULL, "http://127.9.9.9/x", "http://127.9.9.9/x" },
		{ NULL, "http://localhost/x", "http://localhost/x" },
		{ NULL, "http://[::1]:80/x", "http://[::1]:80/x" },
		{ NULL, "http://169.254.170.2/x", "http://169.254.170.2/x" },
		{ NULL, "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials" },
		{ NULL, "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials" },
		{ NULL, "https://anywhere.example/x", "https://anywhere.example/x" },
		{ NULL, "http://169.254.169.254/x", NULL },
		{ NULL, "http://10.0.0.1/x", NULL },
		{ NULL, "http://127.0.0.1.evil.example/x", NULL },
		{ NULL, "http://127.0.0.1@evil.example/x", NULL },
		{ NULL, "http://127.0.0.1:80@evil.example/x", NULL },
		{ NULL, "http://localhost\\.evil.example/x", NULL },
		{ NULL, "http://evil.example#127.0.0.1/", NULL },
		{ NULL, "http://localhost.evil.example/x", NULL },
		{ NULL, "http://[fd00:ec2::24]/x", NULL },
		{ NULL, "http://", NULL },
		{ NULL, "ftp://localhost/", NULL },
		{ NULL, "localhost", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct variable variables[VARIABLES_MAX] = {
			{ "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", rows[i].relative },
			{ "AWS_CONTAINER_CREDENTIALS_FULL_URI", rows[i].full },
		};
		const struct env env = { .get = get_variable, .arg = variables };
		struct buf url = buf_make(CREDS_CONTAINER_URL_MAX);
		enum err_code code = creds_container_url(&env, &url, NULL);

		CHECK_ROW((code == ERR_OK) == (rows[i].wanted != NULL), i, rows[i].full);
		if (code == ERR_OK)
			assert_str(buf_str(&url), rows[i].wanted);
		buf_free(&url);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_has_credentials_is_taken),
		cmocka_unit_test(roles_are_assumed_from_the_far_end_of_the_chain),
		cmocka_unit_test(a_role_may_come_from_any_source_of_credentials),
		cmocka_unit_test(what_cannot_be_used_says_what_and_why),
		cmocka_unit_test(a_chain_of_roles_has_a_limit),
		cmocka_unit_test(of_a_role_all_is_taken_that_sts_takes),
		cmocka_unit_test(files_matter_only_where_they_are_looked_at),
		cmocka_unit_test(the_container_endpoint_is_asked_only_where_no_key_can_leak),
	};

	return cmocka_run_group_tests_name("creds_recipe", tests, NULL, NULL);
}
