/* What a failed AWS call means: the code decides, and no text of theirs runs wild. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/aws_error.h"
#include "base/buf.h"
#include "base/prng.h"

struct wanted {
	int status;
	enum aws_error_class class_;
	const char *type, *body, *code, *text;
};

static const struct wanted answers[] = {
	{ 400, AWS_ERROR_THROTTLED, "", "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}",
	    "ThrottlingException", "ThrottlingException: Rate exceeded" },
	{ 400, AWS_ERROR_THROTTLED, "",
	    "{\"__type\":\"com.amazonaws.ecs#ThrottlingException\",\"Message\":\"Rate exceeded\"}",
	    "ThrottlingException", "ThrottlingException: Rate exceeded" },
	{ 400, AWS_ERROR_THROTTLED, "ThrottlingException:http://internal.amazon.com/coral/", "{}",
	    "ThrottlingException", "ThrottlingException (status 400)" },
	{ 400, AWS_ERROR_THROTTLED, "a.b#Throttling:http://x/#y", "", "Throttling", "Throttling (status 400)" },
	{ 400, AWS_ERROR_THROTTLED, "AccessDeniedException", "{\"__type\":\"ThrottlingException\"}",
	    "ThrottlingException", "ThrottlingException (status 400)" },
	{ 503, AWS_ERROR_THROTTLED, "", "{\"__type\":\"RequestLimitExceeded\"}", "RequestLimitExceeded",
	    "RequestLimitExceeded (status 503)" },
	{ 429, AWS_ERROR_THROTTLED, "", "", "",
	    "status 429 without an AWS error code: not AWS, or something between us and it" },
	{ 429, AWS_ERROR_THROTTLED, "", "{\"__type\":\"Whatever\"}", "Whatever", "Whatever (status 429)" },
	{ 500, AWS_ERROR_TRANSIENT, "",
	    "{\"__type\":\"ServerException\",\"message\":\"Service Unavailable. Please try again later.\"}",
	    "ServerException", "ServerException: Service Unavailable. Please try again later." },
	{ 500, AWS_ERROR_TRANSIENT, "", "", "",
	    "status 500 without an AWS error code: not AWS, or something between us and it" },
	{ 502, AWS_ERROR_TRANSIENT, "", "<html>Bad Gateway</html>", "",
	    "status 502 without an AWS error code: not AWS, or something between us and it" },
	{ 408, AWS_ERROR_TRANSIENT, "", "", "",
	    "status 408 without an AWS error code: not AWS, or something between us and it" },
	{ 400, AWS_ERROR_TRANSIENT, "", "{\"__type\":\"InternalFailure\"}", "InternalFailure",
	    "InternalFailure (status 400)" },
	{ 500, AWS_ERROR_NOT_FOUND, "", "{\"__type\":\"ClusterNotFoundException\"}", "ClusterNotFoundException",
	    "ClusterNotFoundException (status 500)" },
	{ 400, AWS_ERROR_STALE_KEY, "",
	    "{\"__type\":\"ExpiredTokenException\",\"message\":\"The security token included in the request is "
	    "expired\"}",
	    "ExpiredTokenException", "ExpiredTokenException: The security token included in the request is expired" },
	{ 400, AWS_ERROR_STALE_KEY, "", "{\"__type\":\"UnrecognizedClientException\"}", "UnrecognizedClientException",
	    "UnrecognizedClientException (status 400)" },
	{ 403, AWS_ERROR_STALE_KEY, "", "{\"__type\":\"InvalidClientTokenId\"}", "InvalidClientTokenId",
	    "InvalidClientTokenId (status 403)" },
	{ 400, AWS_ERROR_SKEW, "",
	    "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: 20261123T024046Z is now "
	    "earlier "
	    "than 20261123T030000Z (20261123T030500Z - 5 min.)\"}",
	    "InvalidSignatureException", "InvalidSignatureException: our clock and AWS's are too far apart" },
	{ 400, AWS_ERROR_SKEW, "",
	    "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature not yet current: 20261123T024046Z is "
	    "still later than 20261123T020500Z (20261123T020000Z + 5 min.)\"}",
	    "InvalidSignatureException", "InvalidSignatureException: our clock and AWS's are too far apart" },
	{ 403, AWS_ERROR_SKEW, "", "{\"__type\":\"SignatureDoesNotMatch\",\"message\":\"Signature expired: x\"}",
	    "SignatureDoesNotMatch", "SignatureDoesNotMatch: our clock and AWS's are too far apart" },
	{ 400, AWS_ERROR_DENIED, "",
	    "{\"__type\":\"InvalidSignatureException\",\"message\":\"The request signature we calculated does not "
	    "match "
	    "the signature you provided.\\n\\nThe Canonical String for this request should have "
	    "been\\n'POST\\nx-amz-security-token:TOKEN'\"}",
	    "InvalidSignatureException",
	    "InvalidSignatureException: the signature does not fit: the secret access key is not that of the access "
	    "key "
	    "id" },
	{ 400, AWS_ERROR_DENIED, "",
	    "{\"__type\":\"IncompleteSignatureException\",\"message\":\"Authorization=AWS4-HMAC-SHA256 Credential=x\"}",
	    "IncompleteSignatureException",
	    "IncompleteSignatureException: AWS does not recognise our signature: something on the way changed the "
	    "request" },
	{ 400, AWS_ERROR_DENIED, "",
	    "{\"__type\":\"AccessDeniedException\",\"message\":\"User: arn:aws:iam::1:user/x is not authorized to "
	    "perform: ecs:ListTasks on resource: *\"}",
	    "AccessDeniedException",
	    "AccessDeniedException: User: arn:aws:iam::1:user/x is not authorized to perform: ecs:ListTasks on "
	    "resource: *" },
	{ 400, AWS_ERROR_NOT_FOUND, "", "{\"__type\":\"ClusterNotFoundException\",\"message\":\"Cluster not found.\"}",
	    "ClusterNotFoundException", "ClusterNotFoundException: Cluster not found." },
	{ 400, AWS_ERROR_NOT_FOUND, "",
	    "{\"__type\":\"ClientException\",\"message\":\"Unable to describe task definition.\"}", "ClientException",
	    "ClientException: Unable to describe task definition." },
	{ 400, AWS_ERROR_INVALID, "", "{\"__type\":\"ClientException\",\"message\":\"Revision is missing\"}",
	    "ClientException", "ClientException: Revision is missing" },
	{ 400, AWS_ERROR_INVALID, "",
	    "{\"__type\":\"InvalidParameterException\",\"message\":\"a\\tb\\u001b[31m\\u00e9\"}",
	    "InvalidParameterException", "InvalidParameterException: a?b?[31m??" },
	{ 400, AWS_ERROR_INVALID, "", "{\"__type\":\"UnknownOperationException\",\"message\":\"\"}",
	    "UnknownOperationException", "UnknownOperationException (status 400)" },
	{ 403, AWS_ERROR_INVALID, "", "", "",
	    "status 403 without an AWS error code: not AWS, or something between us and it" },
	{ 301, AWS_ERROR_INVALID, "", "", "",
	    "status 301 without an AWS error code: not AWS, or something between us and it" },
	{ 400, AWS_ERROR_INVALID, "", "{\"message\":\"no code\"}", "", "status 400: no code" },
	{ 400, AWS_ERROR_INVALID, "", "{\"__type\":\"Bad Code\\n\",\"message\":\"x\"}", "", "status 400: x" },
	{ 400, AWS_ERROR_THROTTLED, "ThrottlingException", "{\"__type\":\"Bad Code\",\"message\":\"x\"}",
	    "ThrottlingException", "ThrottlingException: x" },
	{ 400, AWS_ERROR_INVALID, "", "{\"__type\":5,\"message\":[\"x\"]}", "",
	    "status 400 without an AWS error code: not AWS, or something between us and it" },
	{ 400, AWS_ERROR_INVALID, "", "[]", "",
	    "status 400 without an AWS error code: not AWS, or something between us and it" },
	{ 400, AWS_ERROR_INVALID, "", "{\"__type\":\"Throttl", "",
	    "status 400 without an AWS error code: not AWS, or something between us and it" },
	{ 400, AWS_ERROR_INVALID, "", "{\"__type\":\"#\"}", "",
	    "status 400 without an AWS error code: not AWS, or something between us and it" },
	{ 400, AWS_ERROR_INVALID, "throttlingexception", "", "throttlingexception",
	    "throttlingexception (status 400)" },
};

static void
every_answer_gets_its_class_code_and_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct wanted *w = &answers[i];
		struct aws_error got;

		aws_error_classify(w->status, str_from_cstr(w->type), str_from_cstr(w->body), &got);
		assert_string_equal(got.err.msg, w->text);
		assert_string_equal(got.code, w->code);
		assert_int_equal(got.class_, w->class_);
		assert_int_equal(got.retry_after_ms, 0);
	}
}

static void
an_answer_in_xml_means_the_same(void **state)
{
	static const struct wanted cases[] = {
		{ 403, AWS_ERROR_STALE_KEY, NULL,
		    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
		    "<Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message>"
		    "</Error><RequestId>1</RequestId></ErrorResponse>",
		    "ExpiredToken", "ExpiredToken: The security token included in the request is expired" },
		{ 503, AWS_ERROR_THROTTLED, NULL,
		    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>"
		    "<Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors>"
		    "<RequestID>1</RequestID></Response>",
		    "RequestLimitExceeded", "RequestLimitExceeded: Request limit exceeded." },
		{ 401, AWS_ERROR_STALE_KEY, NULL,
		    "<Response><Errors><Error><Code>AuthFailure</Code></Error></Errors></Response>", "AuthFailure",
		    "AuthFailure (status 401)" },
		{ 403, AWS_ERROR_DENIED, NULL,
		    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: a &lt;b&gt; is not</Message>",
		    "AccessDenied", "AccessDenied: User: a <b> is not" },
		{ 502, AWS_ERROR_TRANSIENT, NULL, "<html><body>Bad Gateway</body></html>", "",
		    "status 502 without an AWS error code: not AWS, or something between us and it" },
		{ 400, AWS_ERROR_INVALID, NULL, "<Error><Code>Throttling</Code></Error>", "",
		    "status 400 without an AWS error code: not AWS, or something between us and it" },
		{ 400, AWS_ERROR_INVALID, NULL, "{\"__type\":\"ThrottlingException\"}", "",
		    "status 400 without an AWS error code: not AWS, or something between us and it" },
		{ 400, AWS_ERROR_INVALID, NULL,
		    "<!DOCTYPE x [<!ENTITY a "
		    "\"Throttling\">]><ErrorResponse><Error><Code>&a;</Code></Error></ErrorResponse>",
		    "", "status 400 without an AWS error code: not AWS, or something between us and it" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct wanted *w = &cases[i];
		struct aws_error got;

		aws_error_classify_xml(w->status, str_from_cstr(w->body), &got);
		assert_string_equal(got.err.msg, w->text);
		assert_string_equal(got.code, w->code);
		assert_int_equal(got.class_, w->class_);
	}
}

static void
a_class_says_how_its_error_is_taken(void **state)
{
	static const struct {
		const char *code;
		enum err_code err;
	} cases[] = {
		{ "Throttling", ERR_THROTTLED },
		{ "ServerException", ERR_REMOTE },
		{ "ExpiredToken", ERR_AUTH },
		{ "RequestTimeTooSkewed", ERR_AUTH },
		{ "AccessDenied", ERR_AUTH },
		{ "ClusterNotFoundException", ERR_REFUSED },
		{ "Other", ERR_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_error got;

		aws_error_make(400, str_from_cstr(cases[i].code), STR("m"), &got);
		assert_int_equal(got.err.code, cases[i].err);
	}
}

static void
a_body_that_is_too_large_is_not_read(void **state)
{
	struct buf body = buf_make(AWS_ERROR_BODY_MAX + 100);
	struct aws_error got;

	(void)state;
	buf_put(&body, STR("{\"__type\":\"ThrottlingException\",\"message\":\""));
	while (body.len <= AWS_ERROR_BODY_MAX)
		buf_put_u8(&body, 'x');
	buf_put(&body, STR("\"}"));
	aws_error_classify(400, STR("AccessDeniedException"), buf_str(&body), &got);
	assert_string_equal(got.code, "AccessDeniedException");
	buf_reset(&body);
	buf_put(&body, STR("<ErrorResponse><Error><Code>Throttling</Code><Message>"));
	while (body.len <= AWS_ERROR_BODY_MAX)
		buf_put_u8(&body, 'x');
	aws_error_classify_xml(400, buf_str(&body), &got);
	assert_string_equal(got.code, "");
	aws_error_classify_xml(400, str_first(buf_str(&body), AWS_ERROR_BODY_MAX), &got);
	assert_string_equal(got.code, "Throttling");
	buf_free(&body);
}

static void
a_deep_body_does_no_harm(void **state)
{
	struct buf body = buf_make(AWS_ERROR_BODY_MAX);
	struct aws_error got;

	(void)state;
	for (int i = 0; i < 60000; i++)
		buf_put_u8(&body, '[');
	aws_error_classify(400, STR(""), buf_str(&body), &got);
	assert_int_equal(got.class_, AWS_ERROR_INVALID);
	buf_free(&body);
}

static void
a_long_code_or_message_is_cut_or_dropped(void **state)
{
	char code[AWS_ERROR_CODE_MAX + 1], message[1000];
	struct aws_error got;

	(void)state;
	memset(code, 'C', sizeof(code));
	memset(message, 'm', sizeof(message));
	aws_error_make(400, str_of(code, AWS_ERROR_CODE_MAX), STR(""), &got);
	assert_string_equal(got.code, "");
	aws_error_make(400, str_of(code, AWS_ERROR_CODE_MAX - 1), str_of(message, sizeof(message)), &got);
	assert_int_equal(strlen(got.code), AWS_ERROR_CODE_MAX - 1);
	assert_int_equal(strlen(got.err.msg), sizeof(got.err.msg) - 1);
}

/* The names that CloudFormation gives are as long as IAM allows. */
static void
a_denial_names_its_action_however_long_the_names_before_it(void **state)
{
	struct aws_error got;

	(void)state;
	aws_error_make(400, STR("AccessDeniedException"),
	    STR("User: arn:aws:sts::123456789012:assumed-role/"
		"rollcall-production-eu-west-1-RollcallTaskRole-1ABCDEFGHIJKLMNOP/"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef is not authorized to perform: "
		"ecs:DescribeTaskDefinition on resource: * because no identity-based policy allows it"),
	    &got);
	assert_non_null(strstr(got.err.msg, "ecs:DescribeTaskDefinition on resource: *"));
}

static void
backoff_doubles_up_to_its_cap(void **state)
{
	static const struct {
		unsigned attempt;
		int64_t base_ms, cap_ms, most;
	} cases[] = {
		{ 0, 1000, 20000, 1000 },
		{ 1, 1000, 20000, 2000 },
		{ 4, 1000, 20000, 16000 },
		{ 5, 1000, 20000, 20000 },
		{ 4000000000U, 1000, 20000, 20000 },
		{ 3, 0, 20000, 0 },
		{ 3, 5, 0, 0 },
		{ 3, -5, -1, 0 },
		{ 9, INT64_MAX, INT64_MAX, INT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(aws_error_backoff_ms(cases[i].attempt, cases[i].base_ms, cases[i].cap_ms, UINT32_MAX),
		    cases[i].most);
		assert_int_equal(aws_error_backoff_ms(cases[i].attempt, cases[i].base_ms, cases[i].cap_ms, 0), 0);
	}
}

static void
backoff_uses_the_whole_window(void **state)
{
	struct prng rnd = prng_make(7);
	int64_t low = 0;

	(void)state;
	for (int i = 0; i < 10000; i++)
		low += aws_error_backoff_ms(2, 1000, 20000, prng_next(&rnd)) < 2000;
	assert_in_range(low, 4800, 5200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_gets_its_class_code_and_text),
		cmocka_unit_test(an_answer_in_xml_means_the_same),
		cmocka_unit_test(a_class_says_how_its_error_is_taken),
		cmocka_unit_test(a_body_that_is_too_large_is_not_read),
		cmocka_unit_test(a_deep_body_does_no_harm),
		cmocka_unit_test(a_long_code_or_message_is_cut_or_dropped),
		cmocka_unit_test(a_denial_names_its_action_however_long_the_names_before_it),
		cmocka_unit_test(backoff_doubles_up_to_its_cap),
		cmocka_unit_test(backoff_uses_the_whole_window),
	};

	return cmocka_run_group_tests_name("aws_error", tests, NULL, NULL);
}
