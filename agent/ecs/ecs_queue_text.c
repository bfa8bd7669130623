/* Calls to SQS and SNS, and their answers: see ecs_queue_text.h.  SQS speaks JSON 1.0 with
 * upper-case members, SNS forms and XML (facts/ecs.md, section 2). */
#include "config.h"

#include "ecs/ecs_queue_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aws/aws_query.h"
#include "aws/aws_xml.h"
#include "ecs/arn.h"
#include "ecs/ecs_body.h"
#include "ecs/ecs_event.h"
#include "ecs/ecs_json.h"

#define HOST_KEPT   ((size_t)48)
#define POLICY_MAX  ((size_t)8192)
#define RECEIPT_MAX ((size_t)4096)

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "read an answer of the queue: %s", err_text(ERR_NOMEM));
}

/* ---- the name ---- */

static bool
is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* FNV-1a: to tell apart, not to protect. */
static void
hash(uint32_t *h, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		*h = (*h ^ (unsigned char)s.ptr[i]) * 16777619U;
	*h = (*h ^ 0xffU) * 16777619U;
}

void
ecs_queue_text_name(
    char ret[ECS_QUEUE_NAME_MAX + 1], struct str host, struct str state_dir, struct str source, struct str topic)
{
	char kept[HOST_KEPT + 1];
	uint32_t h = 2166136261U;
	size_t n = 0;

	for (; n < host.len && n < HOST_KEPT; n++)
		kept[n] = is_name_char(host.ptr[n]) ? host.ptr[n] : '-';
	kept[n] = '\0';
	hash(&h, host);
	hash(&h, state_dir);
	hash(&h, source);
	hash(&h, topic);
	(void)snprintf(ret, ECS_QUEUE_NAME_MAX + 1, "rollcall-%s-%08" PRIx32, kept, h);
}

/* ---- bodies ---- */

static void
put_member(struct buf *b, bool is_first, const char *name, struct str value)
{
	buf_printf(b, "%s\"%s\":", is_first ? "" : ",", name);
	ecs_body_text(b, value);
}

void
ecs_queue_text_create(struct buf *b, struct str name)
{
	buf_put_u8(b, '{');
	put_member(b, true, "QueueName", name);
	buf_put_u8(b, '}');
}

void
ecs_queue_text_url(struct buf *b, struct str url)
{
	buf_put_u8(b, '{');
	put_member(b, true, "QueueUrl", url);
	buf_put_u8(b, '}');
}

void
ecs_queue_text_ask_arn(struct buf *b, struct str url)
{
	buf_put_u8(b, '{');
	put_member(b, true, "QueueUrl", url);
	buf_put(b, STR(",\"AttributeNames\":[\"QueueArn\"]}"));
}

static void
put_policy(struct buf *b, struct str arn, struct str topic)
{
	buf_put(b, STR("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
		       "\"sns.amazonaws.com\"},\"Action\":\"sqs:SendMessage\","));
	put_member(b, true, "Resource", arn);
	buf_put(b, STR(",\"Condition\":{\"ArnEquals\":{"));
	put_member(b, true, "aws:SourceArn", topic);
	buf_put(b, STR("}}}]}"));
}

void
ecs_queue_text_settle(struct buf *b, struct str url, struct str arn, struct str topic)
{
	struct buf policy = buf_make(POLICY_MAX);

	put_policy(&policy, arn, topic);
	if (buf_failed(&policy, NULL) != ERR_OK)
		b->failed = policy.failed;
	buf_put_u8(b, '{');
	put_member(b, true, "QueueUrl", url);
	buf_printf(b, ",\"Attributes\":{\"MessageRetentionPeriod\":\"%d\",\"ReceiveMessageWaitTimeSeconds\":\"%d\"",
	    ECS_QUEUE_RETENTION_S, ECS_QUEUE_WAIT_S);
	put_member(b, false, "Policy", buf_str(&policy));
	buf_put(b, STR("}}"));
	buf_free(&policy);
}

void
ecs_queue_text_receive(struct buf *b, struct str url, int wait_s)
{
	buf_put_u8(b, '{');
	put_member(b, true, "QueueUrl", url);
	buf_printf(b, ",\"MaxNumberOfMessages\":%d,\"WaitTimeSeconds\":%d,\"VisibilityTimeout\":%d}", ECS_QUEUE_BATCH,
	    wait_s, ECS_QUEUE_VISIBILITY_S);
}

void
ecs_queue_text_delete(struct buf *b, struct str url, const struct ecs_queue_message *messages, size_t n)
{
	buf_put_u8(b, '{');
	put_member(b, true, "QueueUrl", url);
	buf_put(b, STR(",\"Entries\":["));
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s{\"Id\":\"%zu\"", i > 0 ? "," : "", i);
		put_member(b, false, "ReceiptHandle", messages[i].receipt);
		buf_put_u8(b, '}');
	}
	buf_put(b, STR("]}"));
}

void
ecs_queue_text_subscribe(struct buf *b, struct str topic, struct str arn)
{
	aws_query_begin(b, &aws_service_sns, "Subscribe");
	aws_query_put(b, "TopicArn", topic);
	aws_query_put(b, "Protocol", STR("sqs"));
	aws_query_put(b, "Endpoint", arn);
	aws_query_put(b, "Attributes.entry.1.key", STR("RawMessageDelivery"));
	aws_query_put(b, "Attributes.entry.1.value", STR("true"));
	aws_query_put(b, "ReturnSubscriptionArn", STR("true"));
}

void
ecs_queue_text_unsubscribe(struct buf *b, struct str subscription)
{
	aws_query_begin(b, &aws_service_sns, "Unsubscribe");
	aws_query_put(b, "SubscriptionArn", subscription);
}

/* ---- answers ---- */

static enum err_code
read_word(const struct ecs_json *o, const char *key, size_t max, struct arena *a, struct str *ret, struct err *e)
{
	struct str word = STR("");
	enum err_code code = ecs_json_word(o, key, max, &word, e);

	if (code == ERR_OK && word.len == 0)
		code = ecs_json_refuse(o, key, e, "missing");
	if (code != ERR_OK)
		return code;
	return arena_str(a, word, ret) ? ERR_OK : out_of_memory(e);
}

enum err_code
ecs_queue_text_read_url(struct arena *a, struct str json, struct str *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_QUEUE_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	return read_word(&root, "QueueUrl", ECS_QUEUE_URL_MAX, a, ret, e);
}

enum err_code
ecs_queue_text_read_arn(struct arena *a, struct str json, struct str *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root, attributes;
	struct str text = STR("");
	struct arn arn;
	enum err_code code = ecs_json_load(json, ECS_QUEUE_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = ecs_json_object(&root, "Attributes", &attributes, e);
	if (code == ERR_OK && attributes.value == NULL)
		code = ecs_json_refuse(&attributes, NULL, e, "missing");
	if (code == ERR_OK)
		code = read_word(&attributes, "QueueArn", ARN_MAX, a, &text, e);
	if (code == ERR_OK && !(arn_parse(text, &arn) && str_eq(arn.service, STR("sqs"))))
		code = ecs_json_refuse(&attributes, "QueueArn", e, "not the ARN of a queue");
	if (code == ERR_OK)
		*ret = text;
	return code;
}

static enum err_code
read_message(struct arena *a, const struct ecs_json *o, struct ecs_queue_message *ret, struct err *e)
{
	struct str body = STR("");
	enum err_code code = read_word(o, "ReceiptHandle", RECEIPT_MAX, a, &ret->receipt, e);

	if (code == ERR_OK)
		code = ecs_json_str(o, "Body", ECS_EVENT_MAX, &body, e);
	if (code != ERR_OK)
		return code;
	return arena_str(a, body, &ret->body) ? ERR_OK : out_of_memory(e);
}

enum err_code
ecs_queue_text_read_messages(
    struct arena *a, struct str json, struct ecs_queue_message ret[ECS_QUEUE_BATCH], size_t *ret_n, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root, list, item;
	size_t n = 0;
	enum err_code code = ecs_json_load(json, ECS_QUEUE_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = ecs_json_list(&root, "Messages", ECS_QUEUE_BATCH, &list, &n, e);
	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_message(a, &item, &ret[i], e);
	}
	if (code == ERR_OK)
		*ret_n = n;
	return code;
}

struct subscription {
	struct arena *arena;
	struct str arn;
};

static enum err_code
on_element(void *arg, struct str path, struct str text, struct err *e)
{
	struct subscription *s = arg;

	if (!str_eq(path, STR("SubscribeResponse/SubscribeResult/SubscriptionArn")))
		return ERR_OK;
	return arena_str(s->arena, text, &s->arn) ? ERR_OK : out_of_memory(e);
}

enum err_code
ecs_queue_text_read_subscription(struct arena *a, struct str xml, struct str *ret, struct err *e)
{
	struct subscription s = { .arena = a, .arn = STR("") };
	struct arn arn;
	enum err_code code = aws_xml_read(xml, on_element, &s, e);

	if (code != ERR_OK)
		return code;
	if (s.arn.len > ARN_MAX || !arn_parse(s.arn, &arn) || !str_eq(arn.service, STR("sns")))
		return err_set(e, ERR_PARSE, "SubscriptionArn: not the ARN of a subscription");
	*ret = s.arn;
	return ERR_OK;
}

enum err_code
ecs_queue_text_read_deleted(struct str json, size_t *ret_failed, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root, list;
	enum err_code code = ecs_json_load(json, ECS_QUEUE_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	return ecs_json_list(&root, "Failed", ECS_QUEUE_BATCH, &list, ret_failed, e);
}
