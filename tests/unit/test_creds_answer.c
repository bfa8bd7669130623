/* Answers that hold a key. */
#include "config.h"

#include "aws/creds_answer.h"
#include "aws/task_metadata.h"
#include "base/buf.h"
#include "unit.h"

static void
assert_key(struct creds *c, const char *id, const char *secret, const char *token, int64_t expires_ms)
{
	struct sigv4_key key = creds_key(c);

	assert_str(key.access_key_id, id);
	assert_str(key.secret, secret);
	assert_str(key.session_token, token);
	assert_true(creds_expires_ms(c) == expires_ms);
	assert_string_equal(creds_source_name(c), "here");
	creds_unref(c);
}

static void
documents_of_containers_and_instances_are_read(void **state)
{
	struct creds *c;

	(void)state;
	assert_int_equal(
	    creds_answer_read_json(STR("{\"RoleArn\":\"arn\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\","
				       "\"Token\":\"T\",\"Expiration\":\"2026-11-23T02:40:46Z\"}"),
		"here", &c, NULL),
	    ERR_OK);
	assert_key(c, "A", "S", "T", INT64_C(1795401646000));
	assert_int_equal(creds_answer_read_json(STR("{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"A\","
						    "\"SecretAccessKey\":\"S\",\"Token\":\"T\"}"),
			     "here", &c, NULL),
	    ERR_OK);
	assert_key(c, "A", "S", "T", INT64_MAX);
}

static void
refusals_and_nonsense_in_json_are_told_without_quoting_keys(void **state)
{
	static const struct {
		const char *body;
		enum err_code code;
		const char *wanted;
	} rows[] = {
		{ "", ERR_PARSE, "an answer that is no JSON object" },
		{ "[]", ERR_PARSE, "an answer that is no JSON object" },
		{ "<html>", ERR_PARSE, "an answer that is no JSON object" },
		{ "{}", ERR_PARSE, "an answer without AccessKeyId and SecretAccessKey" },
		{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":5}", ERR_PARSE,
		    "an answer without AccessKeyId and SecretAccessKey" },
		{ "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume the role x.\"}",
		    ERR_REFUSED, "no key: AssumeRoleUnauthorizedAccess: EC2 cannot assume the role x." },
		{ "{\"code\":\"NoRole\",\"message\":\"a\\nb\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S3CRET\"}",
		    ERR_REFUSED, "no key: NoRole: (not printable)" },
		{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S3CRET\",\"Expiration\":\"S3CRET\"}", ERR_PARSE,
		    "an answer with a key whose Expiration is no time" },
		{ "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S3 CRET\"}", ERR_PARSE,
		    "an answer with a key: the secret access key holds a blank, a line end or another byte that no key "
		    "has (byte 3 of 7)" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct creds *c = NULL;
		struct err e = ERR_INIT;

		CHECK_ROW(creds_answer_read_json(str_from_cstr(rows[i].body), "here", &c, &e) == rows[i].code, i,
		    rows[i].body);
		assert_string_equal(e.msg, rows[i].wanted);
		assert_int_equal(e.code, rows[i].code);
		assert_null(c);
	}
}

static void
an_answer_that_is_too_large_is_not_read(void **state)
{
	struct buf body = buf_make(2 * CREDS_ANSWER_MAX);
	struct creds *c = NULL;

	(void)state;
	buf_put(&body, STR("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}"));
	while (body.len < CREDS_ANSWER_MAX)
		buf_put_u8(&body, ' ');
	assert_int_equal(creds_answer_read_json(buf_str(&body), "here", &c, NULL), ERR_OK);
	creds_unref(MOVE(c));
	buf_put_u8(&body, ' ');
	assert_int_equal(creds_answer_read_json(buf_str(&body), "here", &c, NULL), ERR_PARSE);
	assert_null(c);
	buf_free(&body);
}

#define CREDENTIALS                                                                                          \
	"<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S/+</SecretAccessKey><SessionToken>T==</" \
	"SessionToken>"                                                                                      \
	"<Expiration>2026-11-23T02:40:46Z</Expiration></Credentials>"

static void
answers_of_sts_are_read(void **state)
{
	static const char *const rows[] = {
		"<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
		"<SourceIdentity>Alice</SourceIdentity><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>" CREDENTIALS
		"</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>",
		"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>" CREDENTIALS
		"</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct creds *c;

		assert_int_equal(creds_answer_read_sts(str_from_cstr(rows[i]), "here", &c, NULL), ERR_OK);
		assert_key(c, "A", "S/+", "T==", INT64_C(1795401646000));
	}
}

static void
answers_of_sts_without_a_whole_key_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"{}",
		"<AssumeRoleResponse/>",
		"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId>"
		"<SecretAccessKey>S</SecretAccessKey></Credentials></AssumeRoleResult></AssumeRoleResponse>",
		"<AssumeRoleResponse><AssumeRoleResult>" CREDENTIALS,
		"<a>" CREDENTIALS "</a>",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct creds *c = NULL;

		assert_int_equal(creds_answer_read_sts(str_from_cstr(rows[i]), "here", &c, NULL), ERR_PARSE);
		assert_null(c);
	}
}

static void
who_we_are_is_read(void **state)
{
	struct creds_answer_identity who;

	(void)state;
	assert_int_equal(creds_answer_read_identity(
			     STR("<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/x</Arn>"
				 "<UserId>U</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
				 "</GetCallerIdentityResponse>"),
			     &who, NULL),
	    ERR_OK);
	assert_string_equal(who.account, "123456789012");
	assert_string_equal(who.arn, "arn:aws:iam::1:user/x");
	assert_int_equal(creds_answer_read_identity(STR("<GetCallerIdentityResponse/>"), &who, NULL), ERR_PARSE);
	assert_int_equal(
	    creds_answer_read_identity(
		STR("<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/\xc3\xa9</Arn>"
		    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"),
		&who, NULL),
	    ERR_PARSE);
}

static void
the_region_of_our_own_task_is_read(void **state)
{
	static const struct {
		const char *body, *region; /* null: there is none */
	} rows[] = {
		{ "{\"Cluster\":\"main\",\"TaskARN\":\"arn:aws:ecs:eu-west-1:123456789012:task/main/0123\"}",
		    "eu-west-1" },
		{ "{\"Cluster\":\"arn:aws-cn:ecs:cn-north-1:123456789012:cluster/main\"}", "cn-north-1" },
		{ "{\"Cluster\":\"main\"}", NULL },
		{ "{\"TaskARN\":\"arn:aws:ecs::1:task/x\"}", NULL },
		{ "{\"TaskARN\":\"arn:aws:ecs:EU west:1:task/x\"}", NULL },
		{ "{\"TaskARN\":7}", NULL },
		{ "[]", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char region[TASK_METADATA_REGION_SIZE] = "";
		enum err_code code = task_metadata_region(str_from_cstr(rows[i].body), region, NULL);

		CHECK_ROW((code == ERR_OK) == (rows[i].region != NULL), i, rows[i].body);
		assert_string_equal(region, rows[i].region != NULL ? rows[i].region : "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_of_containers_and_instances_are_read),
		cmocka_unit_test(refusals_and_nonsense_in_json_are_told_without_quoting_keys),
		cmocka_unit_test(an_answer_that_is_too_large_is_not_read),
		cmocka_unit_test(answers_of_sts_are_read),
		cmocka_unit_test(answers_of_sts_without_a_whole_key_are_refused),
		cmocka_unit_test(who_we_are_is_read),
		cmocka_unit_test(the_region_of_our_own_task_is_read),
	};

	return cmocka_run_group_tests_name("creds_answer", tests, NULL, NULL);
}
