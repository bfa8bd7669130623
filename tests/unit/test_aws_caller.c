/*
 * The caller against a scripted transport, in virtual time: what goes over the
 * wire, what is tried again and when, what comes out.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/aws_caller.h"
#include "fake_loop.h"

#define CALLS_MAX 64

/* --- a transport that answers by script --- */

struct answer {
	enum err_code code; /* not OK: a transport fault */
	int status;
	const char *body;
	int64_t date_ms, retry_after_ms, delay_ms;
	bool never, refuse; /* until cancelled; from inside send */
};

struct http_call {
	struct fake_http *http;
	struct loop_timer *timer;
	const struct answer *answer;
	bool cancelled;
	http_done_fn *done;
	void *arg;
};

struct sent {
	int64_t at_ms;
	char url[128], date[32], target[128], body[128], token[32], credential[64], type[64];
};

struct fake_http {
	struct http base;
	struct loop *loop;
	const struct answer *script;
	size_t n_script, n_sent;
	int open, most_open;
	struct sent sent[CALLS_MAX];
};

static void
copy(char *ret, size_t size, struct str s)
{
	(void)snprintf(ret, size, "%.*s", STR_ARG(s));
}

static void
record(struct sent *s, const struct http_request *rq)
{
	copy(s->url, sizeof(s->url), rq->url);
	copy(s->body, sizeof(s->body), rq->body);
	for (size_t i = 0; i < rq->n_headers; i++) {
		const struct http_header *h = &rq->headers[i];

		if (str_eq(h->name, STR("x-amz-date")))
			copy(s->date, sizeof(s->date), h->value);
		else if (str_eq(h->name, STR("x-amz-target")))
			copy(s->target, sizeof(s->target), h->value);
		else if (str_eq(h->name, STR("content-type")))
			copy(s->type, sizeof(s->type), h->value);
		else if (str_eq(h->name, STR("x-amz-security-token")))
			copy(s->token, sizeof(s->token), h->value);
		else if (str_eq(h->name, STR("authorization")))
			copy(s->credential, sizeof(s->credential),
			    str_skip(h->value, strlen("AWS4-HMAC-SHA256 Credential=")));
	}
}

static void
on_due(void *arg)
{
	struct http_call *call = arg;
	struct err e = ERR_INIT;
	struct http_response rs = { .err = &e, .retry_after_ms = -1 };

	call->http->open--;
	if (call->cancelled || call->answer->code != ERR_OK) {
		rs.code = call->cancelled ? ERR_CANCELLED : call->answer->code;
		err_fill(&e, rs.code, 0, "scripted %s", err_text(rs.code));
	} else {
		rs.status = call->answer->status;
		rs.body = str_from_cstr(call->answer->body);
		rs.date_wall_ms = call->answer->date_ms;
		rs.retry_after_ms = call->answer->retry_after_ms > 0 ? call->answer->retry_after_ms : -1;
	}
	call->done(call->arg, &rs);
	loop_timer_close(call->timer);
	free(call);
}

static enum err_code
fake_send(struct http *base, const struct http_request *rq, http_done_fn *done, void *arg, struct http_call **ret,
    struct err *e)
{
	struct fake_http *h = (struct fake_http *)base;
	struct http_call *call;
	const struct answer *answer;

	assert_true(h->n_sent < CALLS_MAX && h->n_script > 0);
	answer = &h->script[h->n_sent < h->n_script ? h->n_sent : h->n_script - 1];
	h->sent[h->n_sent].at_ms = clk_mono_ms(&(struct clk){ loop_clk(h->loop).mono_ms, NULL, h->loop });
	record(&h->sent[h->n_sent++], rq);
	if (answer->refuse)
		return err_set(e, answer->code, "scripted refusal");
	call = calloc(1, sizeof(*call));
	assert_non_null(call);
	*call = (struct http_call){ .http = h, .answer = answer, .done = done, .arg = arg };
	assert_int_equal(loop_timer_new(h->loop, on_due, call, &call->timer, NULL), ERR_OK);
	if (!answer->never)
		loop_timer_arm(call->timer, answer->delay_ms > 0 ? answer->delay_ms : 10);
	h->open++;
	h->most_open = h->open > h->most_open ? h->open : h->most_open;
	*ret = call;
	return ERR_OK;
}

static void
fake_cancel(struct http *base, struct http_call *call)
{
	(void)base;
	call->cancelled = true;
	loop_timer_arm(call->timer, 0);
}

/* --- keys by script --- */

struct fake_keys {
	struct creds_source base;
	struct loop_timer *timer;
	creds_source_done_fn *done;
	void *arg;
	int asked, expired, given;
	bool missing, never;
	enum err_code why;
	int64_t ends_ms;
};

static void
tell_key(void *arg)
{
	struct fake_keys *k = arg;
	struct err e = ERR_INIT;
	struct creds *key = NULL;
	char id[16];
	creds_source_done_fn *done = k->done;

	k->done = NULL;
	if (k->missing) {
		err_fill(&e, k->why, 0, "scripted lack of keys");
		done(k->arg, NULL, &e);
		return;
	}
	(void)snprintf(id, sizeof(id), "KEY%d", 1 + k->expired);
	assert_int_equal(
	    creds_new(&(struct sigv4_key){ str_from_cstr(id), STR("SECRET"), str_from_cstr(k->expired > 0 ? id : "") },
		"script", k->ends_ms, &key, NULL),
	    ERR_OK);
	k->given++;
	done(k->arg, key, NULL);
	creds_unref(key);
}

static enum err_code
keys_get(struct creds_source *base, creds_source_done_fn *done, void *arg, struct err *e)
{
	struct fake_keys *k = (struct fake_keys *)base;

	(void)e;
	assert_null(k->done); /* the caller asks once at a time */
	k->asked++;
	k->done = done;
	k->arg = arg;
	if (!k->never)
		loop_timer_arm(k->timer, 0);
	return ERR_OK;
}

static void
keys_cancel(struct creds_source *base, void *arg)
{
	struct fake_keys *k = (struct fake_keys *)base;

	assert_ptr_equal(k->arg, arg);
	k->done = NULL;
	loop_timer_disarm(k->timer);
}

static void
keys_expire(struct creds_source *base)
{
	((struct fake_keys *)base)->expired++;
}

static struct creds_source_view
keys_view(const struct creds_source *base)
{
	return (struct creds_source_view){
		.name = "script",
		.expires_wall_ms = ((const struct fake_keys *)base)->ends_ms,
	};
}

/* --- one caller and what it told --- */

struct told {
	int n;
	int64_t at_ms;
	bool failed;
	char body[64];
	struct aws_error failure;
	struct room *room;
	struct aws_call *call;
};

struct room {
	struct loop *loop;
	struct fake_http http;
	struct fake_keys keys;
	struct bucket bucket;
	struct prng rnd;
	struct aws_caller *caller;
	struct told told[CALLS_MAX];
	int n_told;
	bool close_when_told, send_when_told;
	int cancel_when_told; /* index of another call, or -1 */
};

static int64_t
now(const struct room *r)
{
	struct clk clk = loop_clk(r->loop);

	return clk_mono_ms(&clk);
}

static void
open_room_of(struct room *r, const struct aws_service *of, bool signed_, const struct answer *script, size_t n_script)
{
	struct aws_caller_service to = {
		.of = of,
		.at = { .region = STR("eu-west-1") },
		.connect_timeout_ms = 3000,
		.timeout_ms = 10000,
		.max_in_flight = 4,
		.max_response = 1 << 20,
	};

	memset(r, 0, sizeof(*r));
	r->rnd = prng_make(3);
	r->cancel_when_told = -1;
	assert_int_equal(loop_new(&r->loop, NULL), ERR_OK);
	r->http.base = (struct http){ .send = fake_send, .cancel = fake_cancel };
	r->http.loop = r->loop;
	r->http.script = script;
	r->http.n_script = n_script;
	r->keys.base =
	    (struct creds_source){ .get = keys_get, .cancel = keys_cancel, .expire = keys_expire, .view = keys_view };
	r->keys.ends_ms = INT64_MAX;
	assert_int_equal(loop_timer_new(r->loop, tell_key, &r->keys, &r->keys.timer, NULL), ERR_OK);
	r->bucket = bucket_make(2000, now(r));
	assert_int_equal(aws_caller_new(r->loop, &r->http.base, signed_ ? &r->keys.base : NULL, &r->bucket, &r->rnd,
			     &to, &r->caller, NULL),
	    ERR_OK);
}

static void
open_room(struct room *r, const struct answer *script, size_t n_script)
{
	open_room_of(r, &aws_service_ecs, true, script, n_script);
}

static void
close_room(struct room *r)
{
	aws_caller_close(r->caller);
	loop_run(r->loop);
	assert_int_equal(r->http.open, 0);
	loop_timer_close(r->keys.timer);
	loop_free(r->loop);
}

static void send_one(struct room *r, int i);

static void
on_done(void *arg, struct str body, const struct aws_error *failure)
{
	struct told *t = arg;
	struct room *r = t->room;

	t->n++;
	t->at_ms = now(r);
	t->failed = failure != NULL;
	if (failure != NULL)
		t->failure = *failure;
	else
		copy(t->body, sizeof(t->body), body);
	r->n_told++;
	if (r->cancel_when_told >= 0) {
		aws_caller_cancel(r->caller, r->told[r->cancel_when_told].call);
		r->cancel_when_told = -1;
	}
	if (r->send_when_told) {
		r->send_when_told = false;
		send_one(r, 50);
	}
	if (r->close_when_told) {
		r->close_when_told = false;
		aws_caller_close(MOVE(r->caller));
	}
}

static void
send_one(struct room *r, int i)
{
	struct told *t = &r->told[i];
	size_t sent = r->http.n_sent;

	t->room = r;
	assert_int_equal(
	    aws_caller_send(r->caller, "ListTasks", STR("{\"cluster\":\"main\"}"), on_done, t, &t->call, NULL), ERR_OK);
	assert_int_equal(t->n, 0);
	assert_int_equal(r->http.n_sent, sent);
}

static const struct answer ok = { .status = 200, .body = "{\"taskArns\":[]}" };
#define THROTTLE                                                                                            \
	{                                                                                                   \
		.status = 400, .body = "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}" \
	}
#define STALE                                                                   \
	{                                                                       \
		.status = 400, .body = "{\"__type\":\"ExpiredTokenException\"}" \
	}
#define SKEWED(date)                                                                                                   \
	{                                                                                                              \
		.status = 400, .date_ms = (date),                                                                      \
		.body = "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: is now earlier\"}" \
	}
#define OK_ANSWER                           \
	{                                   \
		.status = 200, .body = "{}" \
	}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
a_call_is_signed_sent_and_told_once(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r, &ok, 1);
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.told[0].n, 1);
	assert_false(r.told[0].failed);
	assert_string_equal(r.told[0].body, "{\"taskArns\":[]}");
	assert_string_equal(r.http.sent[0].url, "https://ecs.eu-west-1.amazonaws.com/");
	assert_string_equal(r.http.sent[0].target, "AmazonEC2ContainerServiceV20141113.ListTasks");
	assert_string_equal(r.http.sent[0].type, "application/x-amz-json-1.1");
	assert_string_equal(r.http.sent[0].body, "{\"cluster\":\"main\"}");
	assert_string_equal(r.http.sent[0].date, "20261123T024046Z");
	assert_string_equal(r.http.sent[0].token, "");
	assert_memory_equal(r.http.sent[0].credential, "KEY1/20261123/eu-west-1/ecs/aws4_request", 40);
	close_room(&r);
}

/* Each service by its own protocol (facts/ecs.md, section 2). */
static void
every_service_is_spoken_to_in_its_own_way(void **state)
{
	static const struct {
		const struct aws_service *of;
		const char *url, *target, *type, *scope;
	} cases[] = {
		{ &aws_service_ec2, "https://ec2.eu-west-1.amazonaws.com/", "",
		    "application/x-www-form-urlencoded; charset=utf-8", "KEY1/20261123/eu-west-1/ec2/aws4_request" },
		{ &aws_service_ssm, "https://ssm.eu-west-1.amazonaws.com/", "AmazonSSM.ListTasks",
		    "application/x-amz-json-1.1", "KEY1/20261123/eu-west-1/ssm/aws4_request" },
		{ &aws_service_sqs, "https://sqs.eu-west-1.amazonaws.com/", "AmazonSQS.ListTasks",
		    "application/x-amz-json-1.0", "KEY1/20261123/eu-west-1/sqs/aws4_request" },
		{ &aws_service_sns, "https://sns.eu-west-1.amazonaws.com/", "",
		    "application/x-www-form-urlencoded; charset=utf-8", "KEY1/20261123/eu-west-1/sns/aws4_request" },
		{ &aws_service_sts, "https://sts.eu-west-1.amazonaws.com/", "",
		    "application/x-www-form-urlencoded; charset=utf-8", "KEY1/20261123/eu-west-1/sts/aws4_request" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct room r;

		open_room_of(&r, cases[i].of, true, &ok, 1);
		send_one(&r, 0);
		loop_run(r.loop);
		assert_false(r.told[0].failed);
		assert_string_equal(r.http.sent[0].url, cases[i].url);
		assert_string_equal(r.http.sent[0].target, cases[i].target);
		assert_string_equal(r.http.sent[0].type, cases[i].type);
		assert_memory_equal(r.http.sent[0].credential, cases[i].scope, strlen(cases[i].scope));
		close_room(&r);
	}
}

static void
errors_of_query_services_are_xml(void **state)
{
	static const struct answer script[] = {
		{ .status = 503,
		    .body = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>" },
		{ .status = 401,
		    .body = "<Response><Errors><Error><Code>AuthFailure</Code></Error></Errors></Response>" },
		{ .status = 403,
		    .body = "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>" },
	};
	static struct room r;

	(void)state;
	open_room_of(&r, &aws_service_ec2, true, script, COUNT(script));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 3);
	assert_int_equal(r.keys.expired, 1);
	assert_int_equal(aws_caller_figures(r.caller).throttles, 1);
	assert_int_equal(r.told[0].failure.class_, AWS_ERROR_DENIED);
	close_room(&r);
}

static void
without_a_source_of_keys_calls_go_unsigned(void **state)
{
	static const struct answer script[] = {
		{ .status = 400,
		    .body = "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>" },
		{ .status = 400,
		    .body = "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>" },
	};
	static struct room r;

	(void)state;
	open_room_of(&r, &aws_service_sts, false, script, COUNT(script));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 2);
	assert_string_equal(r.http.sent[0].credential, "");
	assert_string_equal(r.http.sent[0].token, "");
	assert_int_equal(r.told[0].failure.class_, AWS_ERROR_STALE_KEY);
	assert_int_equal(r.keys.asked + r.keys.expired, 0);
	close_room(&r);
}

static void
calls_beyond_the_burst_wait_for_the_bucket(void **state)
{
	static struct room r;
	int64_t begin;

	(void)state;
	open_room(&r, &ok, 1);
	begin = now(&r);
	for (int i = 0; i < 30; i++)
		send_one(&r, i);
	loop_run(r.loop);
	assert_int_equal(r.n_told, 30);
	for (int i = 0; i < 30; i++) {
		int64_t after = r.http.sent[i].at_ms - begin;

		assert_true(i < BUCKET_BURST ? after <= 50 : after >= INT64_C(500) * (i - BUCKET_BURST + 1));
		assert_true(after <= 50 + (i < BUCKET_BURST ? 0 : INT64_C(500) * (i - BUCKET_BURST + 1)));
	}
	assert_int_equal(r.http.most_open, 4); /* max_in_flight */
	close_room(&r);
}

/* Else it would wait for all of them at each attempt. */
static void
a_call_that_is_tried_again_goes_before_those_that_never_were(void **state)
{
	static const struct answer script[] = { STALE, OK_ANSWER };
	static struct room r;
	int64_t begin;

	(void)state;
	open_room(&r, script, COUNT(script));
	begin = now(&r);
	for (int i = 0; i < BUCKET_BURST + 10; i++)
		send_one(&r, i);
	loop_run(r.loop);
	assert_int_equal(r.n_told, BUCKET_BURST + 10);
	assert_in_range(r.told[0].at_ms - begin, 0, 50);
	assert_in_range(r.told[BUCKET_BURST + 9].at_ms - begin, 5000, 6000);
	close_room(&r);
}

static void
what_passes_is_tried_again_with_jitter_and_a_fresh_signature(void **state)
{
	static const struct answer scripts[][3] = {
		{ THROTTLE, { .code = ERR_TIMEOUT }, OK_ANSWER },
		{ THROTTLE, { .status = 400, .body = "{\"__type\":\"ServerException\"}" }, OK_ANSWER },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct aws_caller_figures f;
		static struct room r;

		open_room(&r, scripts[i], COUNT(scripts[i]));
		send_one(&r, 0);
		loop_run(r.loop);
		f = aws_caller_figures(r.caller);
		assert_int_equal(r.told[0].n, 1);
		assert_false(r.told[0].failed);
		assert_int_equal(f.calls, 3);
		assert_int_equal(f.throttles, 1);
		assert_int_equal(f.failures, 0);
		assert_in_range(r.http.sent[1].at_ms - r.http.sent[0].at_ms, 10, 1010);
		assert_in_range(r.http.sent[2].at_ms - r.http.sent[1].at_ms, 10, 2010);
		close_room(&r);
	}
}

static void
after_its_attempts_a_call_ends_with_the_last_failure(void **state)
{
	static const struct answer script[] = { { .code = ERR_IO }, THROTTLE };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.told[0].n, 1);
	assert_int_equal(r.http.n_sent, AWS_CALLER_ATTEMPTS);
	assert_int_equal(r.told[0].failure.class_, AWS_ERROR_THROTTLED);
	assert_string_equal(r.told[0].failure.err.msg, "ThrottlingException: Rate exceeded");
	assert_int_equal(aws_caller_figures(r.caller).failures, 1);
	assert_int_equal(aws_caller_figures(r.caller).throttles, 2);
	close_room(&r);
}

static void
a_transport_fault_keeps_its_own_words(void **state)
{
	static const struct answer script[] = { { .code = ERR_IO } }, cut[] = { { .code = ERR_LIMIT } },
				   gone[] = { { .code = ERR_CANCELLED } },
				   refused[] = { { .code = ERR_IO, .refuse = true } };
	static const struct {
		const struct answer *script;
		size_t sent;
		const char *words;
	} cases[] = {
		{ script, AWS_CALLER_ATTEMPTS, "scripted input/output error" },
		{ cut, 1, "scripted over a limit" },
		{ gone, 1, "scripted cancelled" },
		{ refused, AWS_CALLER_ATTEMPTS, "scripted refusal" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct room r;

		open_room(&r, cases[i].script, 1);
		send_one(&r, 0);
		loop_run(r.loop);
		assert_int_equal(r.told[0].n, 1);
		assert_int_equal(r.http.n_sent, cases[i].sent);
		assert_int_equal(r.told[0].failure.class_, AWS_ERROR_TRANSIENT);
		assert_string_equal(r.told[0].failure.err.msg, cases[i].words);
		close_room(&r);
	}
}

static void
retry_after_is_honoured_up_to_a_limit(void **state)
{
	static const struct answer patient[] = { { .status = 503, .retry_after_ms = 7000 }, OK_ANSWER };
	static const struct answer just[] = { { .status = 503, .retry_after_ms = AWS_CALLER_WAIT_MAX_MS }, OK_ANSWER };
	static const struct answer too_long[] = { { .status = 503, .retry_after_ms = 600000 }, OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, patient, COUNT(patient));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_false(r.told[0].failed);
	assert_int_equal(r.http.sent[1].at_ms - r.http.sent[0].at_ms, 7010);
	close_room(&r);

	open_room(&r, just, COUNT(just));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_false(r.told[0].failed);
	assert_int_equal(r.http.sent[1].at_ms - r.http.sent[0].at_ms, AWS_CALLER_WAIT_MAX_MS + 10);
	close_room(&r);

	open_room(&r, too_long, COUNT(too_long));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 1);
	assert_true(r.told[0].failed);
	assert_int_equal(r.told[0].failure.retry_after_ms, 600000);
	close_room(&r);
}

static void
what_does_not_pass_is_not_tried_again(void **state)
{
	static const struct {
		struct answer answer;
		enum aws_error_class class_;
	} cases[] = {
		{ { .status = 400, .body = "{\"__type\":\"AccessDeniedException\"}" }, AWS_ERROR_DENIED },
		{ { .status = 400, .body = "{\"__type\":\"InvalidSignatureException\"}" }, AWS_ERROR_DENIED },
		{ { .status = 400, .body = "{\"__type\":\"ClusterNotFoundException\"}" }, AWS_ERROR_NOT_FOUND },
		{ { .status = 400, .body = "{\"__type\":\"InvalidParameterException\"}" }, AWS_ERROR_INVALID },
		{ { .status = 302 }, AWS_ERROR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct room r;

		open_room(&r, &cases[i].answer, 1);
		send_one(&r, 0);
		loop_run(r.loop);
		assert_int_equal(r.told[0].n, 1);
		assert_int_equal(r.http.n_sent, 1);
		assert_int_equal(r.told[0].failure.class_, cases[i].class_);
		close_room(&r);
	}
}

static void
a_stale_key_is_renewed_once_and_the_call_tried_once_more(void **state)
{
	static const struct answer script[] = { STALE, OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.told[0].n, 1);
	assert_false(r.told[0].failed);
	assert_int_equal(r.keys.expired, 1);
	assert_memory_equal(r.http.sent[0].credential, "KEY1/", 5);
	assert_memory_equal(r.http.sent[1].credential, "KEY2/", 5);
	assert_string_equal(r.http.sent[1].token, "KEY2");
	close_room(&r);
}

static void
a_key_that_stays_stale_ends_the_call(void **state)
{
	static const struct answer script[] = { STALE };
	static struct room r;

	(void)state;
	open_room(&r, script, 1);
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 2);
	assert_int_equal(r.told[0].n, 1);
	assert_int_equal(r.told[0].failure.class_, AWS_ERROR_DENIED); /* nobody will mend it but an operator */
	assert_string_equal(r.told[0].failure.err.msg,
	    "AWS refuses the key from script (replace it): ExpiredTokenException (status 400)");
	close_room(&r);
	open_room(&r, script, 1);
	r.keys.ends_ms = FAKE_LOOP_WALL_MS + 3600000;
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.told[0].failure.class_, AWS_ERROR_STALE_KEY); /* another comes by itself */
	assert_string_equal(r.told[0].failure.err.msg,
	    "AWS refuses the key from script, and no other has come: ExpiredTokenException (status 400)");
	close_room(&r);
}

static void
calls_that_find_the_same_key_stale_renew_it_once(void **state)
{
	static const struct answer script[] = { STALE, STALE, STALE, OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	for (int i = 0; i < 3; i++)
		send_one(&r, i);
	loop_run(r.loop);
	assert_int_equal(r.n_told, 3);
	assert_int_equal(r.keys.expired, 1);
	assert_int_equal(r.http.n_sent, 6);
	close_room(&r);
}

static void
a_late_answer_about_an_old_key_does_not_spoil_the_new_one(void **state)
{
	static const struct answer script[] = { STALE,
		{ .status = 400, .body = "{\"__type\":\"ExpiredTokenException\"}", .delay_ms = 100 }, OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	send_one(&r, 1);
	loop_run(r.loop);
	assert_int_equal(r.n_told, 2);
	assert_false(r.told[1].failed);
	assert_int_equal(r.keys.expired, 1);
	close_room(&r);
}

static void
a_skewed_clock_is_corrected_from_date_and_stays_corrected(void **state)
{
	static const struct answer script[] = { SKEWED(FAKE_LOOP_WALL_MS + 1800000), OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	loop_run(r.loop);
	assert_false(r.told[0].failed);
	assert_string_equal(r.http.sent[0].date, "20261123T024046Z");
	assert_string_equal(r.http.sent[1].date, "20261123T031046Z");
	assert_in_range(aws_caller_figures(r.caller).skew_ms, 1799000, 1801000);
	send_one(&r, 1);
	loop_run(r.loop);
	assert_string_equal(r.http.sent[2].date, "20261123T031046Z");
	assert_int_equal(r.http.n_sent, 3);
	close_room(&r);
}

/* Date counts seconds, and both were on their way: one correction is enough for both. */
static void
a_second_within_what_date_can_tell_corrects_nothing(void **state)
{
	static const struct answer script[] = { SKEWED(FAKE_LOOP_WALL_MS + 1800000),
		SKEWED(FAKE_LOOP_WALL_MS + 1801000), OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	send_one(&r, 1);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 4);
	assert_false(r.told[0].failed || r.told[1].failed);
	assert_in_range(aws_caller_figures(r.caller).skew_ms, 1799000, 1800000);
	close_room(&r);
}

static void
a_clock_that_comes_right_by_itself_is_corrected_back(void **state)
{
	static const struct answer script[] = { SKEWED(FAKE_LOOP_WALL_MS - 3600000), OK_ANSWER,
		SKEWED(FAKE_LOOP_WALL_MS - 3600000), OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	loop_run(r.loop);
	fake_loop_shift_wall(r.loop, -3600000);
	send_one(&r, 1);
	loop_run(r.loop);
	assert_int_equal(r.n_told, 2);
	assert_false(r.told[1].failed);
	assert_in_range(aws_caller_figures(r.caller).skew_ms + 1000, 0, 2000);
	close_room(&r);
}

static void
skew_is_corrected_once_for_a_call_and_never_without_a_date(void **state)
{
	static const struct answer stubborn[] = { SKEWED(FAKE_LOOP_WALL_MS + 1800000) }, dateless[] = { SKEWED(0) };
	static struct room r;

	(void)state;
	open_room(&r, stubborn, 1);
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 2);
	assert_int_equal(r.told[0].failure.class_, AWS_ERROR_SKEW);
	close_room(&r);
	open_room(&r, dateless, 1);
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.http.n_sent, 1);
	assert_int_equal(r.told[0].n, 1);
	close_room(&r);
}

static void
without_a_key_nothing_is_sent_and_all_are_told(void **state)
{
	static const struct {
		enum err_code why;
		enum aws_error_class class_;
	} cases[] = { { ERR_CONF, AWS_ERROR_DENIED }, { ERR_TIMEOUT, AWS_ERROR_TRANSIENT } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct room r;

		open_room(&r, &ok, 1);
		r.keys.missing = true;
		r.keys.why = cases[i].why;
		send_one(&r, 0);
		send_one(&r, 1);
		loop_run(r.loop);
		assert_int_equal(r.n_told, 2);
		assert_int_equal(r.http.n_sent, 0);
		assert_int_equal(r.keys.asked, 1);
		assert_int_equal(r.told[1].failure.class_, cases[i].class_);
		assert_string_equal(r.told[1].failure.err.msg, "scripted lack of keys");
		r.keys.missing = false;
		send_one(&r, 2);
		loop_run(r.loop);
		assert_false(r.told[2].failed);
		close_room(&r);
	}
}

static void
a_key_is_asked_for_again_now_and_then_and_near_its_end(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r, &ok, 1);
	r.keys.ends_ms = FAKE_LOOP_WALL_MS + 300000;
	for (int i = 0; i < 3; i++) {
		send_one(&r, i);
		fake_loop_pass(r.loop, 10000);
	}
	assert_int_equal(r.keys.asked, 1);
	fake_loop_pass(r.loop, 10000);
	send_one(&r, 3);
	fake_loop_pass(r.loop, 215000); /* 45 s left */
	assert_int_equal(r.keys.asked, 2);
	for (int i = 4; i < 8; i++) {
		send_one(&r, i);
		fake_loop_pass(r.loop, 500);
	}
	assert_int_equal(r.keys.asked, 4);
	assert_int_equal(r.n_told, 8);
	close_room(&r);
}

static void
an_old_key_serves_until_its_end_while_no_new_one_comes(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r, &ok, 1);
	r.keys.ends_ms = FAKE_LOOP_WALL_MS + 100000;
	send_one(&r, 0);
	fake_loop_pass(r.loop, 90000);
	r.keys.missing = true;
	r.keys.why = ERR_TIMEOUT;
	send_one(&r, 1);
	fake_loop_pass(r.loop, 5000);
	assert_false(r.told[1].failed);
	assert_int_equal(r.told[1].n, 1);
	fake_loop_pass(r.loop, 10000);
	send_one(&r, 2);
	fake_loop_pass(r.loop, 1000);
	assert_int_equal(r.told[2].n, 1);
	assert_true(r.told[2].failed);
	close_room(&r);
}

static void
a_cancelled_call_is_not_told_wherever_it_is(void **state)
{
	static const struct answer script[] = { { .never = true }, THROTTLE, OK_ANSWER };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	for (int i = 0; i < 30; i++) /* 0 in flight, 1 about to be retried, the last waiting for the bucket */
		send_one(&r, i);
	fake_loop_pass(r.loop, 11);
	aws_caller_cancel(r.caller, r.told[0].call);
	aws_caller_cancel(r.caller, r.told[1].call);
	aws_caller_cancel(r.caller, r.told[29].call);
	loop_run(r.loop);
	assert_int_equal(r.n_told, 27);
	assert_int_equal(r.told[0].n + r.told[1].n + r.told[29].n, 0);
	assert_int_equal(aws_caller_figures(r.caller).waiting, 0);
	assert_int_equal(aws_caller_figures(r.caller).in_flight, 0);
	close_room(&r);
}

static void
whoever_is_told_may_send_and_cancel(void **state)
{
	static const struct answer script[] = { OK_ANSWER, { .never = true } };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	send_one(&r, 0);
	send_one(&r, 1);
	r.cancel_when_told = 1;
	loop_run(r.loop);
	assert_int_equal(r.n_told, 1);
	r.http.script = &ok;
	r.http.n_script = 1;
	r.send_when_told = true;
	send_one(&r, 2);
	loop_run(r.loop);
	assert_int_equal(r.told[50].n, 1);
	close_room(&r);
}

static void
close_is_silent_wherever_the_calls_are(void **state)
{
	static const struct answer script[] = { { .never = true }, THROTTLE, { .never = true } };
	static struct room r;

	(void)state;
	open_room(&r, script, COUNT(script));
	for (int i = 0; i < 10; i++)
		send_one(&r, i);
	fake_loop_pass(r.loop, 15);
	assert_int_equal(r.http.n_sent, 5);
	close_room(&r);
	assert_int_equal(r.n_told, 0);
}

static void
close_is_silent_while_a_key_is_asked_for(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r, &ok, 1);
	r.keys.never = true;
	send_one(&r, 0);
	loop_run(r.loop);
	assert_int_equal(r.keys.asked, 1);
	close_room(&r);
	assert_null(r.keys.done);
	assert_int_equal(r.n_told, 0);
}

static void
whoever_is_told_may_close(void **state)
{
	static const struct answer good[] = { OK_ANSWER }, bad[] = { { .status = 302 } },
				   refused[] = { { .code = ERR_LIMIT, .refuse = true } };
	static const struct answer *const scripts[] = { good, bad, refused };

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		static struct room r;

		open_room(&r, scripts[i], 1);
		r.close_when_told = true;
		for (int k = 0; k < 6; k++)
			send_one(&r, k);
		loop_run(r.loop);
		assert_int_equal(r.n_told, 1);
		close_room(&r);
	}
}

static void
whoever_is_told_of_missing_keys_may_close(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r, &ok, 1);
	r.keys.missing = true;
	r.keys.why = ERR_CONF;
	r.close_when_told = true;
	send_one(&r, 0);
	send_one(&r, 1);
	loop_run(r.loop);
	assert_int_equal(r.n_told, 1);
	close_room(&r);
}

static void
the_queue_and_a_body_have_limits(void **state)
{
	static const struct answer script[] = { { .never = true } };
	static char body[AWS_CALLER_BODY_MAX + 1];
	struct aws_call *call;
	static struct room r;
	struct err e = ERR_INIT;

	(void)state;
	open_room(&r, script, 1);
	assert_int_equal(
	    aws_caller_send(r.caller, "ListTasks", str_of(body, sizeof(body)), on_done, NULL, &call, &e), ERR_LIMIT);
	for (int i = 0; i < AWS_CALLER_QUEUE_MAX; i++)
		assert_int_equal(aws_caller_send(r.caller, "ListTasks", STR("{}"), on_done, NULL, &call, NULL), ERR_OK);
	assert_int_equal(aws_caller_send(r.caller, "ListTasks", STR("{}"), on_done, NULL, &call, &e), ERR_LIMIT);
	close_room(&r);
}

static void
a_service_without_limits_or_place_is_refused(void **state)
{
	const struct aws_caller_service cases[] = {
		{ &aws_service_ecs, { .region = STR("eu-west-1"), .override = STR("") }, 1, 1, 0, 1 },
		{ &aws_service_ecs, { .region = STR("eu-west-1"), .override = STR("") }, 0, 1, 1, 1 },
		{ &aws_service_ecs, { .region = STR("eu-west-1"), .override = STR("") }, 1, 0, 1, 1 },
		{ &aws_service_ecs, { .region = STR("no region"), .override = STR("") }, 1, 1, 1, 1 },
		{ &aws_service_ecs, { .region = STR("eu-west-1"), .override = STR("ftp://x") }, 1, 1, 1, 1 },
	};
	static struct room r;

	(void)state;
	open_room(&r, &ok, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct aws_caller *c;

		assert_int_not_equal(
		    aws_caller_new(r.loop, &r.http.base, &r.keys.base, &r.bucket, &r.rnd, &cases[i], &c, NULL), ERR_OK);
	}
	close_room(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_signed_sent_and_told_once),
		cmocka_unit_test(every_service_is_spoken_to_in_its_own_way),
		cmocka_unit_test(errors_of_query_services_are_xml),
		cmocka_unit_test(without_a_source_of_keys_calls_go_unsigned),
		cmocka_unit_test(calls_beyond_the_burst_wait_for_the_bucket),
		cmocka_unit_test(a_call_that_is_tried_again_goes_before_those_that_never_were),
		cmocka_unit_test(what_passes_is_tried_again_with_jitter_and_a_fresh_signature),
		cmocka_unit_test(after_its_attempts_a_call_ends_with_the_last_failure),
		cmocka_unit_test(a_transport_fault_keeps_its_own_words),
		cmocka_unit_test(retry_after_is_honoured_up_to_a_limit),
		cmocka_unit_test(what_does_not_pass_is_not_tried_again),
		cmocka_unit_test(a_stale_key_is_renewed_once_and_the_call_tried_once_more),
		cmocka_unit_test(a_key_that_stays_stale_ends_the_call),
		cmocka_unit_test(calls_that_find_the_same_key_stale_renew_it_once),
		cmocka_unit_test(a_late_answer_about_an_old_key_does_not_spoil_the_new_one),
		cmocka_unit_test(a_skewed_clock_is_corrected_from_date_and_stays_corrected),
		cmocka_unit_test(a_second_within_what_date_can_tell_corrects_nothing),
		cmocka_unit_test(a_clock_that_comes_right_by_itself_is_corrected_back),
		cmocka_unit_test(skew_is_corrected_once_for_a_call_and_never_without_a_date),
		cmocka_unit_test(without_a_key_nothing_is_sent_and_all_are_told),
		cmocka_unit_test(a_key_is_asked_for_again_now_and_then_and_near_its_end),
		cmocka_unit_test(an_old_key_serves_until_its_end_while_no_new_one_comes),
		cmocka_unit_test(a_cancelled_call_is_not_told_wherever_it_is),
		cmocka_unit_test(whoever_is_told_may_send_and_cancel),
		cmocka_unit_test(close_is_silent_wherever_the_calls_are),
		cmocka_unit_test(close_is_silent_while_a_key_is_asked_for),
		cmocka_unit_test(whoever_is_told_may_close),
		cmocka_unit_test(whoever_is_told_of_missing_keys_may_close),
		cmocka_unit_test(the_queue_and_a_body_have_limits),
		cmocka_unit_test(a_service_without_limits_or_place_is_refused),
	};

	return cmocka_run_group_tests_name("aws_caller", tests, NULL, NULL);
}
