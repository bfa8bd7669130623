/*
 * What a failed AWS call means: see aws_error.h.
 *
 * One table says it.  The texts of errors about signatures are ours: AWS's quote
 * the canonical request, session token and all, and ours say what to do.
 */
#include "config.h"

#include "aws/aws_error.h"

#include <string.h>

#include <jansson.h>

#include "aws/aws_xml.h"

#define ACTION_MAX 64 /* "ecs:DescribeTaskDefinition" is 26 */

struct rule {
	const char *code;
	const char *message_prefix; /* null: any message */
	enum aws_error_class class_;
	const char *words; /* in place of AWS's message; null: AWS's */
};

static const char clock_words[] = "our clock and AWS's are too far apart";
static const char secret_words[] = "the signature does not fit: the secret access key is not that of the access key id";
static const char form_words[] = "AWS does not recognise our signature: something on the way changed the request";

/* The first that fits; facts/ecs.md, section 2, "Errors". */
static const struct rule rules[] = {
	{ "Throttling", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "ThrottlingException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "ThrottledException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "RequestThrottledException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "RequestThrottled", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "TooManyRequestsException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "ProvisionedThroughputExceededException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "TransactionInProgressException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "RequestLimitExceeded", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "BandwidthLimitExceeded", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "LimitExceededException", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "SlowDown", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "PriorRequestNotComplete", NULL, AWS_ERROR_THROTTLED, NULL },
	{ "EC2ThrottledException", NULL, AWS_ERROR_THROTTLED, NULL },

	{ "ServerException", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "InternalFailure", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "InternalError", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "InternalServerError", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "InternalServerException", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "ServiceUnavailable", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "ServiceUnavailableException", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "Unavailable", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "RequestTimeout", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "RequestTimeoutException", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "IDPCommunicationError", NULL, AWS_ERROR_TRANSIENT, NULL },
	{ "IDPCommunicationErrorException", NULL, AWS_ERROR_TRANSIENT, NULL },

	{ "ExpiredTokenException", NULL, AWS_ERROR_STALE_KEY, NULL },
	{ "ExpiredToken", NULL, AWS_ERROR_STALE_KEY, NULL },
	{ "RequestExpired", NULL, AWS_ERROR_STALE_KEY, NULL },
	{ "UnrecognizedClientException", NULL, AWS_ERROR_STALE_KEY, NULL },
	{ "InvalidClientTokenId", NULL, AWS_ERROR_STALE_KEY, NULL },
	{ "AuthFailure", NULL, AWS_ERROR_STALE_KEY, NULL },

	{ "InvalidSignatureException", "Signature expired", AWS_ERROR_SKEW, clock_words },
	{ "InvalidSignatureException", "Signature not yet current", AWS_ERROR_SKEW, clock_words },
	{ "SignatureDoesNotMatch", "Signature expired", AWS_ERROR_SKEW, clock_words },
	{ "SignatureDoesNotMatch", "Signature not yet current", AWS_ERROR_SKEW, clock_words },
	{ "RequestTimeTooSkewed", NULL, AWS_ERROR_SKEW, clock_words },
	{ "RequestInTheFuture", NULL, AWS_ERROR_SKEW, clock_words },

	{ "InvalidSignatureException", NULL, AWS_ERROR_DENIED, secret_words },
	{ "SignatureDoesNotMatch", NULL, AWS_ERROR_DENIED, secret_words },
	{ "IncompleteSignatureException", NULL, AWS_ERROR_DENIED, form_words },
	{ "IncompleteSignature", NULL, AWS_ERROR_DENIED, form_words },
	{ "MissingAuthenticationTokenException", NULL, AWS_ERROR_DENIED, form_words },
	{ "MissingAuthenticationToken", NULL, AWS_ERROR_DENIED, form_words },
	{ "AccessDeniedException", NULL, AWS_ERROR_DENIED, NULL },
	{ "AccessDenied", NULL, AWS_ERROR_DENIED, NULL },
	{ "UnauthorizedOperation", NULL, AWS_ERROR_DENIED, NULL },
	{ "OptInRequired", NULL, AWS_ERROR_DENIED, NULL },
	{ "SubscriptionRequiredException", NULL, AWS_ERROR_DENIED, NULL },
	{ "BlockedException", NULL, AWS_ERROR_DENIED, NULL },
	{ "InvalidIdentityToken", NULL, AWS_ERROR_DENIED, NULL },
	{ "IDPRejectedClaim", NULL, AWS_ERROR_DENIED, NULL },

	{ "ClusterNotFoundException", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "ServiceNotFoundException", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "ResourceNotFoundException", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "ClientException", "Unable to describe task definition", AWS_ERROR_NOT_FOUND, NULL },
	{ "QueueDoesNotExist", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "AWS.SimpleQueueService.NonExistentQueue", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "NotFoundException", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "NotFound", NULL, AWS_ERROR_NOT_FOUND, NULL },
	{ "InvalidInstanceID.NotFound", NULL, AWS_ERROR_NOT_FOUND, NULL },
};

static const struct rule *
find_rule(struct str code, struct str message)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (str_eq(code, str_from_cstr(rules[i].code)) &&
		    str_has_prefix(message, str_from_cstr(rules[i].message_prefix)))
			return &rules[i];
	return NULL;
}

/* Only when no code is known to us. */
static enum aws_error_class
class_of_status(int status)
{
	if (status == 429)
		return AWS_ERROR_THROTTLED;
	return status == 408 || status >= 500 ? AWS_ERROR_TRANSIENT : AWS_ERROR_INVALID;
}

static enum err_code
err_of_class(enum aws_error_class c)
{
	switch (c) {
	case AWS_ERROR_THROTTLED:
		return ERR_THROTTLED;
	case AWS_ERROR_TRANSIENT:
		return ERR_REMOTE;
	case AWS_ERROR_STALE_KEY:
	case AWS_ERROR_SKEW:
	case AWS_ERROR_DENIED:
		return ERR_AUTH;
	case AWS_ERROR_NOT_FOUND:
	case AWS_ERROR_INVALID:
		return ERR_REFUSED;
	}
	return ERR_REFUSED;
}

/* A code is a word of theirs that we show and compare, nothing else. */
static struct str
clean_code(struct str code)
{
	for (size_t i = 0; i < code.len; i++) {
		char c = code.ptr[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
			c == '_' || c == '-'))
			return str_of(NULL, 0);
	}
	return code.len < AWS_ERROR_CODE_MAX ? code : str_of(NULL, 0);
}

/* "com.amazonaws.ecs#ThrottlingException:http://..." is ThrottlingException. */
static struct str
bare_code(struct str s)
{
	size_t colon;

	if (str_find(s, ':', &colon))
		s = str_first(s, colon);
	return clean_code(str_trim(str_after_last(s, '#')));
}

/* The first line: what follows may quote our request. */
static struct str
first_line(struct str s)
{
	size_t end;

	s = str_trim(s);
	if (str_find(s, '\n', &end))
		s = str_first(s, end);
	return str_trim(s);
}

/* A denial begins with who we are, and the names of roles are long: where there is no
 * room for that and the action that was denied, the action it is. */
static struct str
with_action(struct str code, struct str message)
{
	static const char words[] = "not authorized to perform: ";
	const char *at = message.len > 0 ? memmem(message.ptr, message.len, words, sizeof(words) - 1) : NULL;
	size_t before = at != NULL ? (size_t)(at - message.ptr) : 0;

	if (code.len + before + sizeof(words) + ACTION_MAX < sizeof(((struct err *)0)->msg))
		return message;
	return str_skip(message, before);
}

static void
say(int status, struct str code, struct str words, enum err_code as, struct err *ret)
{
	if (code.len > 0 && words.len > 0)
		err_fill(ret, as, 0, STR_FMT ": " STR_FMT, STR_ARG(code), STR_ARG(words));
	else if (code.len > 0)
		err_fill(ret, as, 0, STR_FMT " (status %d)", STR_ARG(code), status);
	else if (words.len > 0)
		err_fill(ret, as, 0, "status %d: " STR_FMT, status, STR_ARG(words));
	else
		err_fill(
		    ret, as, 0, "status %d without an AWS error code: not AWS, or something between us and it", status);
}

/* Whatever a peer sends, the line stays one line and valid UTF-8 where it is cut. */
static void
make_plain(char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
}

void
aws_error_make(int status, struct str code, struct str message, struct aws_error *ret)
{
	struct str known = bare_code(code);
	struct str words = first_line(str_first(with_action(known, message), sizeof(ret->err.msg)));
	const struct rule *rule = find_rule(known, words);

	*ret = (struct aws_error){ .class_ = rule != NULL ? rule->class_ : class_of_status(status) };
	if (rule != NULL && rule->words != NULL)
		words = str_from_cstr(rule->words);
	if (known.len > 0)
		memcpy(ret->code, known.ptr, known.len);
	say(status, known, words, err_of_class(ret->class_), &ret->err);
	make_plain(ret->err.msg);
}

void
aws_error_local(enum aws_error_class c, const struct err *e, struct aws_error *ret)
{
	*ret = (struct aws_error){ .class_ = c, .err = *e };
}

static struct str
member(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return str_of(json_string_value(value), json_string_length(value));
}

void
aws_error_classify(int status, struct str error_type, struct str body, struct aws_error *ret)
{
	json_t *object = NULL;
	struct str code, message;

	if (body.len > 0 && body.len <= AWS_ERROR_BODY_MAX)
		object = json_loadb(body.ptr, body.len, 0, NULL);
	code = member(object, "__type");
	message = member(object, "message");
	if (message.len == 0)
		message = member(object, "Message");
	if (bare_code(code).len == 0)
		code = error_type;
	aws_error_make(status, code, message, ret);
	json_decref(object);
}

struct xml_error {
	char code[AWS_ERROR_CODE_MAX + 1]; /* one more than a code may have: what is cut is no code */
	char message[512];                 /* more than an err holds */
};

static void
keep(struct str text, char *ret, size_t size)
{
	text = str_first(text, size - 1);
	if (text.len > 0)
		memcpy(ret, text.ptr, text.len);
	ret[text.len] = '\0';
}

/* EC2 has a list of errors, and never more than one in it. */
static enum err_code
take_xml(void *arg, struct str path, struct str text, struct err *e)
{
	struct xml_error *x = arg;

	(void)e;
	if (str_eq(path, STR("Response/Errors/Error/Code")) || str_eq(path, STR("ErrorResponse/Error/Code")))
		keep(text, x->code, sizeof(x->code));
	else if (str_eq(path, STR("Response/Errors/Error/Message")) || str_eq(path, STR("ErrorResponse/Error/Message")))
		keep(text, x->message, sizeof(x->message));
	return ERR_OK;
}

void
aws_error_classify_xml(int status, struct str body, struct aws_error *ret)
{
	struct xml_error x = { .code = "" };
	bool whole = body.len <= AWS_ERROR_BODY_MAX && aws_xml_read(body, take_xml, &x, NULL) == ERR_OK;

	(void)whole; /* of a body that is cut off, what was read of it counts */
	aws_error_make(status, str_from_cstr(x.code), str_from_cstr(x.message), ret);
}

int64_t
aws_error_backoff_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms, uint32_t rnd)
{
	uint64_t window = base_ms > 0 ? (uint64_t)base_ms : 0;
	uint64_t cap = cap_ms < 0 ? 0 : cap_ms > INT32_MAX ? INT32_MAX : (uint64_t)cap_ms;

	for (; attempt > 0 && window < cap; attempt--)
		window *= 2;
	if (window > cap)
		window = cap;
	return (int64_t)(((window + 1) * rnd) >> 32);
}
