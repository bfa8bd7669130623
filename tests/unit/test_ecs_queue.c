/*
 * What is said to SQS and SNS, what is read of them, and how the driver goes on when they
 * say no: a caller at link time answers in its place.
 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/log.h"
#include "ecs/ecs_queue.h"
#include "ecs/ecs_queue_text.h"
#include "fake_loop.h"
#include "unit.h"

#define URL   "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
#define ARN   "arn:aws:sqs:eu-west-1:123456789012:q"
#define TOPIC "arn:aws:sns:eu-west-1:123456789012:t"

/* ---- texts ---- */

static void
a_name_is_of_our_own_and_one_for_each_daemon(void **state)
{
	char a[ECS_QUEUE_NAME_MAX + 1], b[ECS_QUEUE_NAME_MAX + 1];

	(void)state;
	ecs_queue_text_name(a, STR("ip-10-0-0-1.eu-west-1.compute.internal"), STR("/s"), STR("x"), STR(TOPIC));
	assert_memory_equal(a, "rollcall-ip-10-0-0-1-eu-west-1-compute-internal-", 48);
	ecs_queue_text_name(b, STR("ip-10-0-0-1.eu-west-1.compute.internal"), STR("/s"), STR("x"), STR(TOPIC));
	assert_string_equal(a, b);
	ecs_queue_text_name(b, STR("ip-10-0-0-1.eu-west-1.compute.internal"), STR("/t"), STR("x"), STR(TOPIC));
	assert_string_not_equal(a, b);
	ecs_queue_text_name(a, STR("a very long host name, with characters that no queue may have: \xff\n\"'$%&/()"),
	    STR(""), STR(""), STR(""));
	assert_true(strlen(a) <= ECS_QUEUE_NAME_MAX);
	assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(a));
}

static void
bodies_are_json_and_the_policy_in_it_too(void **state)
{
	const struct ecs_queue_message m[] = { { .receipt = STR("a\"b") }, { .receipt = STR("c") } };
	struct buf b = buf_make(65536);
	json_t *doc, *policy;

	(void)state;
	ecs_queue_text_settle(&b, STR(URL), STR(ARN), STR(TOPIC));
	doc = json_loadb((const char *)b.ptr, b.len, 0, NULL);
	assert_non_null(doc);
	policy = json_loads(json_string_value(json_object_get(json_object_get(doc, "Attributes"), "Policy")), 0, NULL);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(json_object_get(policy, "Statement"), 0), "Resource")),
	    ARN);
	json_decref(policy);
	json_decref(doc);
	buf_reset(&b);
	ecs_queue_text_delete(&b, STR(URL), m, 2);
	doc = json_loadb((const char *)b.ptr, b.len, 0, NULL);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(json_object_get(doc, "Entries"), 0), "ReceiptHandle")),
	    "a\"b");
	json_decref(doc);
	buf_free(&b);
}

static void
answers_that_are_none_are_refused(void **state)
{
	static const char *const messages[] = { "", "[]", "{\"Messages\":{}}", "{\"Messages\":[{}]}",
		"{\"Messages\":[{\"ReceiptHandle\":\"a b\",\"Body\":\"\"}]}",
		"{\"Messages\":[{},{},{},{},{},{},{},{},{},{},{}]}" };
	static const char *const arns[] = { "{}", "{\"Attributes\":{}}", "{\"Attributes\":{\"QueueArn\":\"x\"}}",
		"{\"Attributes\":{\"QueueArn\":\"arn:aws:ecs:eu-west-1:1:q\"}}" };
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < N_OF(messages); i++) {
		struct ecs_queue_message m[ECS_QUEUE_BATCH];
		size_t n;

		CHECK_ROW(
		    ecs_queue_text_read_messages(a, str_from_cstr(messages[i]), m, &n, NULL) != ERR_OK, i, messages[i]);
	}
	for (size_t i = 0; i < N_OF(arns); i++) {
		struct str s;

		CHECK_ROW(ecs_queue_text_read_arn(a, str_from_cstr(arns[i]), &s, NULL) == ERR_PARSE, i, arns[i]);
	}
	arena_free(a);
}

/* ---- the driver ---- */

struct aws_caller {
	const char *action; /* of the call that waits; null: none */
	struct buf body;
	aws_caller_done_fn *done;
	void *arg;
	unsigned n_calls, n_deletes;
};

struct aws_call {
	int unused;
};

static struct aws_call a_call, a_delete;

enum err_code
aws_caller_send(struct aws_caller *c, const char *action, struct str body, aws_caller_done_fn *done, void *arg,
    struct aws_call **ret, struct err *e)
{
	(void)e;
	c->n_calls++;
	if (strcmp(action, "DeleteMessageBatch") == 0) {
		c->n_deletes++;
		*ret = &a_delete;
		return ERR_OK;
	}
	assert_null(c->action);
	c->action = action;
	buf_reset(&c->body);
	buf_put(&c->body, body);
	c->done = done;
	c->arg = arg;
	*ret = &a_call;
	return ERR_OK;
}

void
aws_caller_cancel(struct aws_caller *c, struct aws_call *call)
{
	if (call == &a_call)
		c->action = NULL;
}

static void
answer(struct aws_caller *c, const char *action, const char *body)
{
	assert_non_null(c->action);
	assert_string_equal(c->action, action);
	c->action = NULL;
	c->done(c->arg, str_from_cstr(body), NULL);
}

static void
refuse(struct aws_caller *c, const char *action, enum aws_error_class class_)
{
	struct aws_error failure = { .class_ = class_ };

	assert_non_null(c->action);
	assert_string_equal(c->action, action);
	err_fill(&failure.err, ERR_AUTH, 0, "no");
	c->action = NULL;
	c->done(c->arg, STR(""), &failure);
}

struct stage {
	struct loop *loop;
	struct prng rnd;
	struct conf_source source;
	struct aws_caller sqs, sns;
	struct ecs_queue *queue;
	unsigned n_told, n_batches, n_stopped;
	bool is_listening;
};

static enum ecs_queue_told
on_told(void *arg, const struct ecs_event *event)
{
	struct stage *s = arg;

	(void)event;
	return s->n_told++ % 2 == 0 ? ECS_QUEUE_TAKEN : ECS_QUEUE_FOREIGN;
}

static void
on_told_all(void *arg)
{
	((struct stage *)arg)->n_batches++;
}

static void
on_listening(void *arg, bool is_listening)
{
	((struct stage *)arg)->is_listening = is_listening;
}

static void
on_stopped(void *arg)
{
	((struct stage *)arg)->n_stopped++;
}

static void
stage_init(struct stage *s, bool is_own)
{
	struct ecs_queue_start start = { .name = "rollcall-x", .told = on_told, .told_all = on_told_all };

	*s = (struct stage){ .rnd = prng_make(3) };
	assert_int_equal(loop_new(&s->loop, NULL), ERR_OK);
	s->source.name = STR("eu-west-1");
	s->source.events_queue = is_own ? STR("") : STR(URL);
	s->source.events_topic = is_own ? STR(TOPIC) : STR("");
	s->sqs.body = buf_make(65536);
	s->sns.body = buf_make(65536);
	start.loop = s->loop;
	start.source = &s->source;
	start.sqs = &s->sqs;
	start.sns = &s->sns;
	start.rnd = &s->rnd;
	start.listening = on_listening;
	start.arg = s;
	assert_int_equal(ecs_queue_new(&start, &s->queue, NULL), ERR_OK);
	ecs_queue_begin(s->queue);
	fake_loop_pass(s->loop, 1);
}

static void
stage_done(struct stage *s)
{
	ecs_queue_close(s->queue);
	buf_free(&s->sqs.body);
	buf_free(&s->sns.body);
	loop_free(s->loop);
}

static void
what_is_received_is_told_deleted_and_followed_by_a_long_poll(void **state)
{
	struct ecs_queue_view v;
	struct stage s;

	(void)state;
	stage_init(&s, false);
	answer(&s.sqs, "ReceiveMessage",
	    "{\"Messages\":[{\"ReceiptHandle\":\"1\",\"Body\":\"poison\"},{\"ReceiptHandle\":\"2\",\"Body\":\"{}\"}]}");
	v = ecs_queue_view(s.queue);
	assert_true(s.is_listening && v.is_listening);
	assert_int_equal(v.messages, 2);
	assert_int_equal(v.poison, 1);
	assert_int_equal(v.events, 0);
	assert_int_equal(s.n_batches, 1);
	assert_int_equal(s.sqs.n_deletes, 1);
	buf_put_u8(&s.sqs.body, 0);
	assert_non_null(strstr((const char *)s.sqs.body.ptr, "\"WaitTimeSeconds\":20"));
	stage_done(&s);
}

static void
empty_answers_that_come_at_once_are_no_reason_to_spin(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, false);
	answer(&s.sqs, "ReceiveMessage", "{}");
	for (unsigned i = 0; i < 20; i++) {
		if (s.sqs.action != NULL)
			answer(&s.sqs, "ReceiveMessage", "{}");
		fake_loop_pass(s.loop, 100);
	}
	assert_in_range(s.sqs.n_calls, 3, 4);
	stage_done(&s);
}

static void
a_queue_that_cannot_be_read_is_tried_again_ever_more_seldom(void **state)
{
	struct stage s;
	unsigned n;

	(void)state;
	stage_init(&s, false);
	for (unsigned i = 0; i < 600; i++) {
		if (s.sqs.action != NULL)
			refuse(&s.sqs, "ReceiveMessage", AWS_ERROR_DENIED);
		fake_loop_pass(s.loop, 1000);
	}
	n = s.sqs.n_calls;
	assert_in_range(n, 10, 60);
	assert_false(s.is_listening);
	assert_true(ecs_queue_view(s.queue).fault->on);
	fake_loop_pass(s.loop, 61000);
	answer(&s.sqs, "ReceiveMessage", "{}");
	assert_true(s.is_listening);
	assert_false(ecs_queue_view(s.queue).fault->on);
	stage_done(&s);
}

static void
make_own(struct stage *s)
{
	answer(&s->sqs, "CreateQueue", "{\"QueueUrl\":\"" URL "\"}");
	answer(&s->sqs, "GetQueueAttributes", "{\"Attributes\":{\"QueueArn\":\"" ARN "\"}}");
	answer(&s->sqs, "SetQueueAttributes", "");
	answer(&s->sns, "Subscribe",
	    "<SubscribeResponse><SubscribeResult><SubscriptionArn>" TOPIC
	    ":1</SubscriptionArn></SubscribeResult></SubscribeResponse>");
	answer(&s->sqs, "ReceiveMessage", "{}");
}

static void
a_queue_of_our_own_is_made_and_deleted(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, true);
	make_own(&s);
	assert_true(s.is_listening);
	ecs_queue_stop(s.queue, on_stopped, &s);
	answer(&s.sns, "Unsubscribe", "");
	assert_int_equal(s.n_stopped, 0);
	answer(&s.sqs, "DeleteQueue", "");
	assert_int_equal(s.n_stopped, 1);
	stage_done(&s);
}

static void
a_stop_does_not_wait_for_aws_for_long(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, true);
	make_own(&s);
	ecs_queue_stop(s.queue, on_stopped, &s);
	fake_loop_pass(s.loop, ECS_QUEUE_STOP_MS + 1);
	assert_int_equal(s.n_stopped, 1);
	stage_done(&s);
	stage_init(&s, false);
	ecs_queue_stop(s.queue, on_stopped, &s);
	assert_int_equal(s.n_stopped, 0); /* later, from the loop */
	fake_loop_pass(s.loop, 1);
	assert_int_equal(s.n_stopped, 1);
	stage_done(&s);
}

static void
one_that_is_gone_is_made_anew(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, true);
	make_own(&s);
	if (s.sqs.action == NULL)
		fake_loop_pass(s.loop, 2000);
	refuse(&s.sqs, "ReceiveMessage", AWS_ERROR_NOT_FOUND);
	assert_false(s.is_listening);
	fake_loop_pass(s.loop, 5000);
	make_own(&s);
	assert_true(s.is_listening);
	stage_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_of_our_own_and_one_for_each_daemon),
		cmocka_unit_test(bodies_are_json_and_the_policy_in_it_too),
		cmocka_unit_test(answers_that_are_none_are_refused),
		cmocka_unit_test(what_is_received_is_told_deleted_and_followed_by_a_long_poll),
		cmocka_unit_test(empty_answers_that_come_at_once_are_no_reason_to_spin),
		cmocka_unit_test(a_queue_that_cannot_be_read_is_tried_again_ever_more_seldom),
		cmocka_unit_test(a_queue_of_our_own_is_made_and_deleted),
		cmocka_unit_test(a_stop_does_not_wait_for_aws_for_long),
		cmocka_unit_test(one_that_is_gone_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
