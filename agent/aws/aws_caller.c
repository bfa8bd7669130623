/*
 * Calls to one AWS service: see aws_caller.h.
 *
 * A call waits (for its time, a key, a free place, the bucket), is in flight, and
 * ends.  One timer drives what waits; send only queues, so nothing ever ends inside
 * it.  What a `done` does to us is allowed for: each callback of ours keeps the
 * caller alive by a reference, and looks at `closed` after what may have run one.
 */
#include "config.h"

#include "aws/aws_caller.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "aws/aws_endpoint.h"
#include "aws/aws_request.h"
#include "io/loop.h"

#define BACKOFF_BASE_MS INT64_C(1000)
#define KEY_RECHECK_MS  INT64_C(30000) /* the source renews keys on its own; we ask it this often */
#define KEY_MARGIN_MS   INT64_C(60000) /* within this of its end a key is asked for again ... */
#define KEY_URGENT_MS   INT64_C(1000)  /* ... this often */
#define SKEW_STEP_MS    INT64_C(2000)  /* a correction below this corrects nothing: Date counts seconds */
#define TARGET_MAX      ((size_t)256)
#define NAME_SHOWN_MAX  60 /* of where a key is from, in a message */

TAILQ_HEAD(call_list, aws_call);

struct aws_call {
	TAILQ_ENTRY(aws_call) link; /* in `waiting` or in `flying` */
	struct aws_caller *caller;
	struct buf target, body;
	aws_caller_done_fn *done;
	void *arg;
	struct http_call *http; /* null: not in flight */
	int64_t due_ms;         /* monotonic: not before */
	unsigned attempts;      /* that failed in passing */
	unsigned key_gen;       /* of the key that signed the last one */
	bool renewed, corrected, abandoned;
};

struct aws_caller {
	unsigned refs; /* the owner's, one for each call in flight, one for each callback at work */
	bool closed;
	struct clk clk;
	struct http *http;
	struct creds_source *keys;
	struct bucket *bucket;
	struct prng *rnd;
	struct loop_timer *timer;

	struct aws_endpoint endpoint;
	struct buf region;
	const struct aws_service *service;
	int64_t connect_timeout_ms, timeout_ms;
	unsigned max_in_flight;
	size_t max_response;

	struct call_list waiting, flying;
	struct creds *key;
	unsigned key_gen;
	int64_t key_at_ms; /* monotonic: when the source last answered */
	bool asking;
	struct aws_caller_figures figures;
};

static void
release(struct aws_caller *c)
{
	if (--c->refs > 0)
		return;
	creds_unref(c->key);
	buf_free(&c->region);
	free(c);
}

static void
free_call(struct aws_call *call)
{
	buf_free(&call->target);
	buf_wipe(&call->body);
	free(call);
}

static int64_t
aws_wall_ms(const struct aws_caller *c)
{
	return clk_wall_ms(&c->clk) + c->figures.skew_ms;
}

/* The call is on no list any more.  `done` may close the caller: who is on the way
 * to here holds a reference. */
static void
end(struct aws_call *call, struct str body, const struct aws_error *failure)
{
	if (failure != NULL)
		call->caller->figures.failures++;
	call->done(call->arg, body, failure);
	free_call(call);
}

static void
end_failed(struct aws_call *call, enum aws_error_class class_, const struct err *e)
{
	struct aws_error failure;

	aws_error_local(class_, e, &failure);
	end(call, str_of(NULL, 0), &failure);
}

/* Back among those that wait, before those that were never tried. */
static void
wait_again(struct aws_call *call, int64_t in_ms)
{
	struct aws_caller *c = call->caller;

	call->due_ms = clk_mono_ms(&c->clk) + in_ms;
	TAILQ_INSERT_HEAD(&c->waiting, call, link);
	c->figures.waiting++;
	loop_timer_arm(c->timer, 0);
}

/* A failure that may pass: true if the call waits for its next attempt. */
static bool
retry_later(struct aws_call *call, int64_t retry_after_ms)
{
	struct aws_caller *c = call->caller;
	int64_t wait;

	if (++call->attempts >= AWS_CALLER_ATTEMPTS || retry_after_ms > AWS_CALLER_WAIT_MAX_MS)
		return false;
	wait = aws_error_backoff_ms(call->attempts - 1, BACKOFF_BASE_MS, AWS_CALLER_WAIT_MAX_MS, prng_next(c->rnd));
	wait_again(call, wait > retry_after_ms ? wait : retry_after_ms);
	return true;
}

/* Once for each call; and the key only if no other call has renewed it since. */
static bool
retry_with_new_key(struct aws_call *call)
{
	struct aws_caller *c = call->caller;

	if (call->renewed || c->keys == NULL)
		return false;
	call->renewed = true;
	if (call->key_gen == c->key_gen && c->key != NULL) {
		c->keys->expire(c->keys);
		creds_unref(MOVE(c->key));
	}
	wait_again(call, 0);
	return true;
}

/* Once for each call; AWS's clock is the Date of the very answer that complained. */
static bool
retry_with_new_time(struct aws_call *call, int64_t date_wall_ms)
{
	struct aws_caller *c = call->caller;
	int64_t skew;

	if (call->corrected || date_wall_ms == 0)
		return false;
	call->corrected = true;
	skew = date_wall_ms - clk_wall_ms(&c->clk);
	/* Another call may have corrected it while this one was on its way: then this
	 * one only has to be signed anew. */
	if (llabs(skew - c->figures.skew_ms) >= SKEW_STEP_MS)
		c->figures.skew_ms = skew;
	wait_again(call, 0);
	return true;
}

static bool
retry(struct aws_call *call, const struct aws_error *failure, int64_t date_wall_ms)
{
	switch (failure->class_) {
	case AWS_ERROR_THROTTLED:
	case AWS_ERROR_TRANSIENT:
		return retry_later(call, failure->retry_after_ms);
	case AWS_ERROR_STALE_KEY:
		return retry_with_new_key(call);
	case AWS_ERROR_SKEW:
		return retry_with_new_time(call, date_wall_ms);
	case AWS_ERROR_DENIED:
	case AWS_ERROR_NOT_FOUND:
	case AWS_ERROR_INVALID:
		return false;
	}
	return false;
}

static void
classify(const struct aws_caller *c, const struct http_response *rs, struct aws_error *ret)
{
	switch (c->service->protocol) {
	case AWS_SERVICE_JSON:
		aws_error_classify(rs->status, rs->error_type, rs->body, ret);
		return;
	case AWS_SERVICE_QUERY:
		aws_error_classify_xml(rs->status, rs->body, ret);
		return;
	}
}

/* Whoever is woken by it has to know which key it is.  One that has no end is somebody's
 * to replace: waiting does not mend it. */
static void
name_key(const struct aws_caller *c, struct aws_error *failure)
{
	struct creds_source_view keys;
	bool is_static;

	if (failure->class_ != AWS_ERROR_STALE_KEY || c->keys == NULL)
		return;
	keys = c->keys->view(c->keys);
	if (keys.name == NULL)
		return;
	is_static = keys.expires_wall_ms == INT64_MAX;
	if (is_static)
		failure->class_ = AWS_ERROR_DENIED;
	err_prefix(&failure->err, "AWS refuses the key from %.*s%s", NAME_SHOWN_MAX, keys.name,
	    is_static ? " (replace it)" : ", and no other has come");
}

static void
on_refusal(struct aws_call *call, const struct http_response *rs)
{
	struct aws_error failure;

	classify(call->caller, rs, &failure);
	failure.retry_after_ms = rs->retry_after_ms > 0 ? rs->retry_after_ms : 0;
	if (failure.class_ == AWS_ERROR_THROTTLED)
		call->caller->figures.throttles++;
	if (retry(call, &failure, rs->date_wall_ms))
		return;
	name_key(call->caller, &failure);
	end(call, str_of(NULL, 0), &failure);
}

/* No answer at all, or none that could be read. */
static void
on_transport_fault(struct aws_call *call, enum err_code code, const struct err *e)
{
	if (!err_is_transient(code) || !retry_later(call, 0))
		end_failed(call, AWS_ERROR_TRANSIENT, e);
}

static void
on_answer(void *arg, const struct http_response *rs)
{
	struct aws_call *call = arg;
	struct aws_caller *c = call->caller;

	if (call->abandoned) {
		free_call(call);
		release(c);
		return;
	}
	call->http = NULL;
	TAILQ_REMOVE(&c->flying, call, link);
	c->figures.in_flight--;
	if (rs->code != ERR_OK)
		on_transport_fault(call, rs->code, rs->err);
	else if (rs->status >= 200 && rs->status < 300)
		end(call, rs->body, NULL);
	else
		on_refusal(call, rs);
	if (!c->closed)
		loop_timer_arm(c->timer, 0); /* a place is free */
	release(c);
}

static enum err_code
post(struct aws_call *call, const struct aws_request *signed_, struct err *e)
{
	struct aws_caller *c = call->caller;
	struct http_request rq = {
		.method = STR("POST"),
		.url = str_from_cstr(c->endpoint.url),
		.body = buf_str(&call->body),
		.headers = signed_->headers,
		.n_headers = signed_->n_headers,
		.connect_timeout_ms = c->connect_timeout_ms,
		.timeout_ms = c->timeout_ms,
		.max_response = c->max_response,
	};

	return c->http->send(c->http, &rq, on_answer, call, &call->http, e);
}

static enum err_code
sign_and_post(struct aws_call *call, struct err *e)
{
	struct aws_caller *c = call->caller;
	struct aws_request_facts facts = {
		.to = &c->endpoint,
		.content_type = str_from_cstr(c->service->content_type),
		.target = buf_str(&call->target),
		.body = buf_str(&call->body),
		.key = c->key != NULL ? creds_key(c->key) : (struct sigv4_key){ .secret = STR("") },
		.scope = { .region = buf_str(&c->region),
		    .service = str_from_cstr(c->service->name),
		    .wall_ms = aws_wall_ms(c) },
	};
	struct aws_request signed_;
	enum err_code rc = aws_request_make(&facts, &signed_, e);

	if (rc != ERR_OK)
		return err_wrap(e, rc, "cannot sign");
	rc = post(call, &signed_, e);
	aws_request_free(&signed_);
	return rc;
}

/* From the queue to the wire; false if it did not get there. */
static bool
start(struct aws_call *call)
{
	struct aws_caller *c = call->caller;
	struct err e = ERR_INIT;
	enum err_code rc;

	TAILQ_REMOVE(&c->waiting, call, link);
	c->figures.waiting--;
	c->figures.calls++;
	call->key_gen = c->key_gen;
	rc = sign_and_post(call, &e);
	if (rc == ERR_ARG)
		end_failed(call, AWS_ERROR_INVALID, &e);
	else if (rc != ERR_OK)
		on_transport_fault(call, rc, &e);
	if (rc != ERR_OK)
		return false;
	TAILQ_INSERT_TAIL(&c->flying, call, link);
	c->figures.in_flight++;
	c->refs++;
	return true;
}

/* Null: nothing is due; *ret_wait_ms says when something will be, -1 never. */
static struct aws_call *
first_due(struct aws_caller *c, int64_t *ret_wait_ms)
{
	int64_t now = clk_mono_ms(&c->clk), wait = -1;
	struct aws_call *call;

	TAILQ_FOREACH(call, &c->waiting, link)
	{
		if (call->due_ms <= now)
			return call;
		if (wait < 0 || call->due_ms - now < wait)
			wait = call->due_ms - now;
	}
	*ret_wait_ms = wait;
	return NULL;
}

/* Without a key nothing that is due can be sent. */
static void
fail_due(struct aws_caller *c, const struct err *e)
{
	enum aws_error_class class_ = err_is_transient(e->code) ? AWS_ERROR_TRANSIENT : AWS_ERROR_DENIED;
	unsigned left = c->figures.waiting; /* what a done sends meanwhile has its own turn */
	struct aws_call *call;
	int64_t wait;

	while (left-- > 0 && !c->closed && (call = first_due(c, &wait)) != NULL) {
		TAILQ_REMOVE(&c->waiting, call, link);
		c->figures.waiting--;
		end_failed(call, class_, e);
	}
}

static bool
key_is_usable(const struct aws_caller *c, int64_t margin_ms)
{
	int64_t end_ms = c->key != NULL ? creds_expires_ms(c->key) : 0;

	return c->key != NULL && (end_ms == INT64_MAX || aws_wall_ms(c) < end_ms - margin_ms);
}

static void
use_key(struct aws_caller *c, struct creds *key)
{
	creds_ref(key);
	creds_unref(c->key);
	c->key = key;
	c->key_gen++;
	c->key_at_ms = clk_mono_ms(&c->clk);
}

/* An old key that still works is better than none. */
static void
on_no_key(struct aws_caller *c, const struct err *e)
{
	c->key_at_ms = clk_mono_ms(&c->clk);
	if (key_is_usable(c, 0))
		return;
	creds_unref(MOVE(c->key));
	fail_due(c, e);
}

static void
on_key(void *arg, struct creds *key, const struct err *e)
{
	struct aws_caller *c = arg;

	c->asking = false;
	c->refs++;
	if (key != NULL)
		use_key(c, key);
	else
		on_no_key(c, e);
	if (!c->closed)
		loop_timer_arm(c->timer, 0);
	release(c);
}

/* What the source has just given is used, whatever its end: AWS is the judge. */
static bool
key_wants_asking(const struct aws_caller *c)
{
	int64_t age_ms = clk_mono_ms(&c->clk) - c->key_at_ms;

	if (c->keys == NULL)
		return false;
	return c->key == NULL || age_ms >= (key_is_usable(c, KEY_MARGIN_MS) ? KEY_RECHECK_MS : KEY_URGENT_MS);
}

static void
ask_for_key(struct aws_caller *c)
{
	struct err e = ERR_INIT;

	if (c->asking)
		return;
	c->asking = true;
	if (c->keys->get(c->keys, on_key, c, &e) == ERR_OK)
		return;
	c->asking = false;
	on_no_key(c, &e);
	if (!c->closed)
		loop_timer_arm(c->timer, 0);
}

/* Sends one of those that wait.  False: no other can go now, and the timer is set
 * for when one may, unless an answer has to come first. */
static bool
pump_one(struct aws_caller *c)
{
	int64_t wait;
	struct aws_call *call = first_due(c, &wait);

	if (call == NULL) {
		if (wait >= 0)
			loop_timer_arm(c->timer, wait);
		return false;
	}
	if (c->figures.in_flight >= c->max_in_flight)
		return false;
	if (key_wants_asking(c)) {
		ask_for_key(c);
		return false;
	}
	if (!bucket_take(c->bucket, clk_mono_ms(&c->clk))) {
		wait = bucket_wait_ms(c->bucket, clk_mono_ms(&c->clk));
		loop_timer_arm(c->timer, wait);
		return false;
	}
	if (start(call))
		return true;
	/* The transport is in trouble: one failure for each wake-up. */
	if (!c->closed)
		loop_timer_arm(c->timer, 0);
	return false;
}

static void
on_timer(void *arg)
{
	struct aws_caller *c = arg;

	c->refs++;
	while (!c->closed && pump_one(c))
		;
	release(c);
}

static enum err_code
copy_service(struct aws_caller *c, const struct aws_caller_service *to, struct err *e)
{
	if (to->max_in_flight == 0 || to->timeout_ms <= 0 || to->connect_timeout_ms <= 0)
		return err_set(e, ERR_ARG, "a service without limits");
	c->service = to->of;
	c->connect_timeout_ms = to->connect_timeout_ms;
	c->timeout_ms = to->timeout_ms;
	c->max_in_flight = to->max_in_flight;
	c->max_response = to->max_response;
	c->region = buf_make(AWS_ENDPOINT_URL_MAX);
	buf_put(&c->region, to->at.region);
	return buf_failed(&c->region, e);
}

enum err_code
aws_caller_new(struct loop *l, struct http *h, struct creds_source *keys, struct bucket *bucket, struct prng *rnd,
    const struct aws_caller_service *to, struct aws_caller **ret, struct err *e)
{
	struct aws_caller *c = calloc(1, sizeof(*c));
	enum err_code rc;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the %s client", to->of->name);
	c->refs = 1;
	c->clk = loop_clk(l);
	c->http = h;
	c->keys = keys;
	c->bucket = bucket;
	c->rnd = rnd;
	TAILQ_INIT(&c->waiting);
	TAILQ_INIT(&c->flying);
	rc = copy_service(c, to, e);
	if (rc == ERR_OK)
		rc = aws_endpoint_of(to->of, &to->at, &c->endpoint, e);
	if (rc == ERR_OK)
		rc = loop_timer_new(l, on_timer, c, &c->timer, e);
	if (rc != ERR_OK) {
		release(c);
		return rc;
	}
	*ret = c;
	return ERR_OK;
}

static enum err_code
fill_call(struct aws_call *call, const char *action, struct str body, struct err *e)
{
	const char *prefix = call->caller->service->target_prefix;
	enum err_code rc;

	call->target = buf_make(TARGET_MAX);
	call->body = buf_make(AWS_CALLER_BODY_MAX);
	if (prefix != NULL) {
		buf_put(&call->target, str_from_cstr(prefix));
		buf_put(&call->target, str_from_cstr(action));
	}
	buf_put(&call->body, body);
	rc = buf_failed(&call->target, e);
	return rc == ERR_OK ? buf_failed(&call->body, e) : rc;
}

enum err_code
aws_caller_send(struct aws_caller *c, const char *action, struct str body, aws_caller_done_fn *done, void *arg,
    struct aws_call **ret, struct err *e)
{
	struct aws_call *call;
	enum err_code rc;

	if (c->figures.waiting + c->figures.in_flight >= AWS_CALLER_QUEUE_MAX)
		return err_set(e, ERR_LIMIT, "more than %d calls of %s wait", AWS_CALLER_QUEUE_MAX, c->service->name);
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a call of %s", c->service->name);
	call->caller = c;
	call->done = done;
	call->arg = arg;
	rc = fill_call(call, action, body, e);
	if (rc != ERR_OK) {
		free_call(call);
		return err_wrap(e, rc, "%s %s", c->service->name, action);
	}
	TAILQ_INSERT_TAIL(&c->waiting, call, link);
	c->figures.waiting++;
	loop_timer_arm(c->timer, 0);
	*ret = call;
	return ERR_OK;
}

/* The transport still has to call back, with the call's memory. */
static void
abandon(struct aws_call *call)
{
	struct aws_caller *c = call->caller;

	TAILQ_REMOVE(&c->flying, call, link);
	c->figures.in_flight--;
	call->abandoned = true;
	c->http->cancel(c->http, call->http);
}

void
aws_caller_cancel(struct aws_caller *c, struct aws_call *call)
{
	if (call->http != NULL) {
		abandon(call);
		loop_timer_arm(c->timer, 0); /* a place is free */
		return;
	}
	TAILQ_REMOVE(&c->waiting, call, link);
	c->figures.waiting--;
	free_call(call);
}

struct aws_caller_figures
aws_caller_figures(const struct aws_caller *c)
{
	return c->figures;
}

void
aws_caller_close(struct aws_caller *c)
{
	struct aws_call *call;

	if (c == NULL)
		return;
	c->closed = true;
	if (c->asking)
		c->keys->cancel(c->keys, c);
	loop_timer_close(MOVE(c->timer));
	while ((call = TAILQ_FIRST(&c->flying)) != NULL)
		abandon(call);
	while ((call = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, call, link);
		free_call(call);
	}
	release(c);
}
