/* The events queue of one source: see ecs_queue.h. */
#include "config.h"

#include "ecs/ecs_queue.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "ecs/arn.h"
#include "ecs/ecs_body.h"
#include "ecs/ecs_queue_text.h"
#include "io/loop.h"

#define ROOM           "events"
#define BACKOFF_MS     INT64_C(1000)
#define BACKOFF_CAP_MS INT64_C(60000)
#define EMPTY_MIN_MS   INT64_C(1000) /* an empty answer that comes sooner is no long poll */
#define ARENA_MAX      ((size_t)32 << 20)
#define DELETES_MAX    16 /* under way; more wait for their visibility to end */

enum step { RESTING, CREATING, NAMING, SETTLING, SUBSCRIBING, RECEIVING, UNSUBSCRIBING, DELETING, STOPPED };

struct deletion {
	struct ecs_queue *queue;
	struct aws_call *call; /* null: free */
	size_t n;
};

struct ecs_queue {
	struct ecs_queue_start start;
	struct clk clk;
	struct loop_timer *timer; /* for the next try; when stopping: for the end of our patience */
	enum step step;
	struct aws_call *call; /* of this step; null: none is under way */
	struct aws_caller *caller;
	struct deletion deletions[DELETES_MAX];
	struct buf body, url, arn, subscription;
	bool was_received; /* since the last failure: it is there, and ours to read */
	int64_t asked_ms;
	unsigned failures; /* in a row */
	struct fault fault, delete_fault;
	struct ecs_queue_view view;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static void go_on(void *arg);

static bool
is_own(const struct ecs_queue *q)
{
	return q->start.source->events_topic.len > 0;
}

enum err_code
ecs_queue_new(const struct ecs_queue_start *start, struct ecs_queue **ret, struct err *e)
{
	struct ecs_queue *q = calloc(1, sizeof(*q));
	enum err_code code;

	if (q == NULL)
		return err_set(e, ERR_NOMEM, "listen for events: %s", err_text(ERR_NOMEM));
	q->start = *start;
	q->clk = loop_clk(start->loop);
	q->body = buf_make(ECS_BODY_MAX);
	q->url = buf_make(ECS_QUEUE_URL_MAX);
	q->arn = buf_make(ARN_MAX);
	q->subscription = buf_make(ARN_MAX);
	for (size_t i = 0; i < DELETES_MAX; i++)
		q->deletions[i].queue = q;
	buf_put(&q->url, start->source->events_queue);
	code = buf_failed(&q->url, e);
	if (code == ERR_OK)
		code = loop_timer_new(start->loop, go_on, q, &q->timer, e);
	if (code != ERR_OK) {
		ecs_queue_close(q);
		return code;
	}
	*ret = q;
	return ERR_OK;
}

static void
cancel_all(struct ecs_queue *q)
{
	if (q->call != NULL)
		aws_caller_cancel(q->caller, q->call);
	q->call = NULL;
	for (size_t i = 0; i < DELETES_MAX; i++) {
		if (q->deletions[i].call != NULL)
			aws_caller_cancel(q->start.sqs, q->deletions[i].call);
		q->deletions[i].call = NULL;
	}
}

void
ecs_queue_close(struct ecs_queue *q)
{
	if (q == NULL)
		return;
	cancel_all(q);
	loop_timer_close(q->timer);
	buf_free(&q->body);
	buf_free(&q->url);
	buf_free(&q->arn);
	buf_free(&q->subscription);
	free(q);
}

struct ecs_queue_view
ecs_queue_view(const struct ecs_queue *q)
{
	struct ecs_queue_view view = q->view;

	view.url = buf_str(&q->url);
	view.topic = q->start.source->events_topic;
	view.is_own = is_own(q);
	view.is_listening = q->was_received;
	view.fault = q->fault.on ? &q->fault : &q->delete_fault;
	return view;
}

/* ---- faults ---- */

static void
set_listening(struct ecs_queue *q, bool is_listening)
{
	if (q->was_received == is_listening)
		return;
	q->was_received = is_listening;
	q->start.listening(q->start.arg, is_listening);
}

static const char *
name_step(enum step step)
{
	static const char *const names[] = {
		[RESTING] = "",
		[CREATING] = "make a queue",
		[NAMING] = "ask for the queue's ARN",
		[SETTLING] = "set the queue's policy",
		[SUBSCRIBING] = "subscribe to the topic",
		[RECEIVING] = "receive from the queue",
		[UNSUBSCRIBING] = "unsubscribe from the topic",
		[DELETING] = "delete the queue",
		[STOPPED] = "",
	};

	return names[step];
}

/* Polling alone goes on.  A queue of our own is made anew if it is gone. */
static void
fail(struct ecs_queue *q, const struct err *why, int64_t asked_wait_ms)
{
	int64_t wait = aws_error_backoff_ms(q->failures++, BACKOFF_MS, BACKOFF_CAP_MS, prng_next(q->start.rnd));
	struct err e = *why;

	wait = wait < BACKOFF_MS ? BACKOFF_MS : wait;
	wait = wait < asked_wait_ms ? asked_wait_ms : wait;
	(void)err_wrap(&e, e.code, "%s", name_step(q->step));
	if (fault_raise(&q->fault, clk_mono_ms(&q->clk), &e))
		log_warn(ROOM, "events of " STR_FMT ": %s; ECS is polled all the same, next try in %" PRId64 " s",
		    STR_ARG(q->start.source->name), e.msg, (wait + 999) / 1000);
	set_listening(q, false);
	q->step = RESTING;
	loop_timer_arm(q->timer, wait);
}

static void
succeed(struct ecs_queue *q)
{
	q->failures = 0;
	if (fault_clear(&q->fault))
		log_info(ROOM, "events of " STR_FMT ": the queue is read again, after %" PRIu64 " tries",
		    STR_ARG(q->start.source->name), q->fault.count);
	else if (!q->was_received)
		log_info(ROOM, "events of " STR_FMT ": listening on " STR_FMT, STR_ARG(q->start.source->name),
		    STR_ARG(buf_str(&q->url)));
	set_listening(q, true);
}

/* ---- the messages of an answer ---- */

static void
take_message(struct ecs_queue *q, struct str body)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ARENA_MAX);
	struct ecs_event event;
	struct err why = ERR_INIT;

	q->view.messages++;
	if (a == NULL)
		return; /* the next sweep knows */
	if (ecs_event_read(a, body, &event, &why) != ERR_OK) {
		q->view.poison++;
		log_debug(ROOM, "events of " STR_FMT ": a message that is no event is dropped: %s",
		    STR_ARG(q->start.source->name), why.msg);
		return;
	}
	if (!event.is_of_task)
		return;
	q->view.events++;
	q->view.last_wall_ms = clk_wall_ms(&q->clk);
	q->view.foreign += q->start.told(q->start.arg, &event) == ECS_QUEUE_FOREIGN;
}

static void
on_deleted(void *arg, struct str body, const struct aws_error *failure)
{
	struct deletion *d = arg;
	struct ecs_queue *q = d->queue;
	size_t n_failed = 0;
	struct err why = ERR_INIT;
	enum err_code code = failure == NULL ? ecs_queue_text_read_deleted(body, &n_failed, &why) : failure->err.code;

	d->call = NULL;
	if (failure != NULL)
		why = failure->err;
	else if (code == ERR_OK && n_failed > 0)
		code = err_set(&why, ERR_REMOTE, "SQS did not delete %zu of %zu messages", n_failed, d->n);
	q->view.deleted += code == ERR_OK ? d->n : 0;
	if (code == ERR_OK)
		(void)fault_clear(&q->delete_fault);
	else if (fault_raise(&q->delete_fault, clk_mono_ms(&q->clk), &why))
		log_warn(ROOM, "events of " STR_FMT ": delete messages: %s; they come again, which does no harm",
		    STR_ARG(q->start.source->name), why.msg);
}

/* Without a free place, or memory, they come again, and are old news. */
static void
delete_messages(struct ecs_queue *q, const struct ecs_queue_message *messages, size_t n)
{
	struct deletion *d = NULL;
	struct buf body = buf_make(ECS_BODY_MAX);

	for (size_t i = 0; i < DELETES_MAX && d == NULL; i++)
		if (q->deletions[i].call == NULL)
			d = &q->deletions[i];
	ecs_queue_text_delete(&body, buf_str(&q->url), messages, n);
	if (d != NULL && buf_failed(&body, NULL) == ERR_OK) {
		d->n = n;
		if (aws_caller_send(
			q->start.sqs, "DeleteMessageBatch", buf_str(&body), on_deleted, d, &d->call, NULL) != ERR_OK)
			d->call = NULL;
	}
	buf_free(&body);
}

static enum err_code
take_messages(struct ecs_queue *q, struct arena *a, struct str json, size_t *ret_n, struct err *e)
{
	struct ecs_queue_message messages[ECS_QUEUE_BATCH];
	enum err_code code = ecs_queue_text_read_messages(a, json, messages, ret_n, e);

	if (code != ERR_OK || *ret_n == 0)
		return code;
	for (size_t i = 0; i < *ret_n; i++)
		take_message(q, messages[i].body);
	q->start.told_all(q->start.arg);
	delete_messages(q, messages, *ret_n);
	return ERR_OK;
}

/* ---- steps ---- */

static enum err_code
keep(struct buf *to, struct str text, struct err *e)
{
	buf_reset(to);
	buf_put(to, text);
	return buf_failed(to, e);
}

/* An answer to what this step asked; the next step is set. */
static enum err_code
take_answer(struct ecs_queue *q, struct arena *a, struct str body, int64_t *ret_wait_ms, struct err *e)
{
	struct str text = STR("");
	size_t n = 0;
	enum err_code code = ERR_OK;

	*ret_wait_ms = 0;
	switch (q->step) {
	case CREATING:
		code = ecs_queue_text_read_url(a, body, &text, e);
		if (code == ERR_OK)
			code = keep(&q->url, text, e);
		q->step = code == ERR_OK ? NAMING : q->step;
		return code;
	case NAMING:
		code = ecs_queue_text_read_arn(a, body, &text, e);
		if (code == ERR_OK)
			code = keep(&q->arn, text, e);
		q->step = code == ERR_OK ? SETTLING : q->step;
		return code;
	case SETTLING:
		q->step = SUBSCRIBING;
		return ERR_OK;
	case SUBSCRIBING:
		code = ecs_queue_text_read_subscription(a, body, &text, e);
		if (code == ERR_OK)
			code = keep(&q->subscription, text, e);
		q->step = code == ERR_OK ? RECEIVING : q->step;
		return code;
	case RECEIVING:
		code = take_messages(q, a, body, &n, e);
		if (code == ERR_OK && n == 0 && q->was_received && clk_mono_ms(&q->clk) - q->asked_ms < EMPTY_MIN_MS)
			*ret_wait_ms = EMPTY_MIN_MS;
		if (code == ERR_OK)
			succeed(q);
		return code;
	case UNSUBSCRIBING:
		q->step = DELETING;
		return ERR_OK;
	case DELETING:
		q->step = STOPPED;
		return ERR_OK;
	case RESTING:
	case STOPPED:
		break;
	}
	return ERR_OK;
}

static bool
is_stopping(const struct ecs_queue *q)
{
	return q->stopped != NULL;
}

static void
end_stop(struct ecs_queue *q)
{
	void (*stopped)(void *arg) = q->stopped;

	loop_timer_disarm(q->timer);
	cancel_all(q);
	q->step = STOPPED;
	q->stopped = NULL;
	stopped(q->stopped_arg);
}

static void ask(struct ecs_queue *q);

static void
answered_stop(struct ecs_queue *q, const struct err *why)
{
	if (why != NULL)
		log_warn(ROOM, "events of " STR_FMT ": %s: %s; it is left behind, and the next start takes it over",
		    STR_ARG(q->start.source->name), name_step(q->step), why->msg);
	q->step = q->step == UNSUBSCRIBING ? DELETING : STOPPED;
	if (q->step == STOPPED)
		end_stop(q);
	else
		ask(q);
}

static void
on_answer(void *arg, struct str body, const struct aws_error *failure)
{
	struct ecs_queue *q = arg;
	struct arena *a CLEANUP(arena_free_at) = NULL;
	struct err why = ERR_INIT;
	int64_t wait_ms = 0;

	q->call = NULL;
	if (is_stopping(q)) {
		answered_stop(q, failure != NULL ? &failure->err : NULL);
		return;
	}
	if (failure != NULL) {
		fail(q, &failure->err, failure->retry_after_ms);
		return;
	}
	a = arena_new(ARENA_MAX);
	if (a == NULL)
		err_fill(&why, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
	if (a == NULL || take_answer(q, a, body, &wait_ms, &why) != ERR_OK)
		fail(q, &why, 0);
	else if (wait_ms > 0)
		loop_timer_arm(q->timer, wait_ms);
	else
		ask(q);
}

static const char *
write_ask(struct ecs_queue *q)
{
	const struct str url = buf_str(&q->url);

	q->caller = q->start.sqs;
	switch (q->step) {
	case CREATING:
		ecs_queue_text_create(&q->body, str_from_cstr(q->start.name));
		return "CreateQueue";
	case NAMING:
		ecs_queue_text_ask_arn(&q->body, url);
		return "GetQueueAttributes";
	case SETTLING:
		ecs_queue_text_settle(&q->body, url, buf_str(&q->arn), q->start.source->events_topic);
		return "SetQueueAttributes";
	case SUBSCRIBING:
		q->caller = q->start.sns;
		ecs_queue_text_subscribe(&q->body, q->start.source->events_topic, buf_str(&q->arn));
		return "Subscribe";
	case RECEIVING:
		/* The first is no long poll: whether the queue is there is to be known at once. */
		ecs_queue_text_receive(&q->body, url, q->was_received ? ECS_QUEUE_WAIT_S : 0);
		return "ReceiveMessage";
	case UNSUBSCRIBING:
		q->caller = q->start.sns;
		ecs_queue_text_unsubscribe(&q->body, buf_str(&q->subscription));
		return "Unsubscribe";
	case DELETING:
		ecs_queue_text_url(&q->body, url);
		return "DeleteQueue";
	case RESTING:
	case STOPPED:
		break;
	}
	return NULL;
}

static void
ask(struct ecs_queue *q)
{
	struct err why = ERR_INIT;
	const char *action;
	enum err_code code;

	assert(q->call == NULL);
	buf_reset(&q->body);
	q->asked_ms = clk_mono_ms(&q->clk);
	action = write_ask(q);
	code = buf_failed(&q->body, &why);
	if (code == ERR_OK)
		code = aws_caller_send(q->caller, action, buf_str(&q->body), on_answer, q, &q->call, &why);
	if (code == ERR_OK)
		return;
	q->call = NULL;
	if (is_stopping(q))
		loop_timer_arm(q->timer, 0);
	else
		fail(q, &why, 0);
}

/* The timer: it is time for the next try, or too late for an orderly end. */
static void
go_on(void *arg)
{
	struct ecs_queue *q = arg;

	if (is_stopping(q)) {
		end_stop(q);
		return;
	}
	if (q->step == RESTING)
		q->step = is_own(q) ? CREATING : RECEIVING;
	ask(q);
}

void
ecs_queue_begin(struct ecs_queue *q)
{
	loop_timer_arm(q->timer, 0);
}

void
ecs_queue_stop(struct ecs_queue *q, void (*done)(void *arg), void *arg)
{
	bool is_made = is_own(q) && q->url.len > 0;

	cancel_all(q);
	loop_timer_disarm(q->timer);
	q->stopped = done;
	q->stopped_arg = arg;
	loop_timer_arm(q->timer, is_made ? ECS_QUEUE_STOP_MS : 0);
	if (!is_made)
		return;
	q->step = q->subscription.len > 0 ? UNSUBSCRIBING : DELETING;
	ask(q);
}
