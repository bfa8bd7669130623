/*
 * The control interface's door: see control_server.h.
 *
 * libmicrohttpd has an epoll descriptor of its own for all its sockets; when that
 * is readable, MHD_run does what there is to do and returns.  Each request makes
 * one struct upload, which lives until libmicrohttpd says that it is over; it keeps
 * the query as it was sent, which nothing else tells.
 */
#include "config.h"

#include "control/control_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>
#include <uv.h>

#include "base/log.h"
#include "control/control_guests.h"
#include "control/control_host.h"
#include "control/control_stream.h"
#include "io/listener.h"
#include "io/loop.h"

#define TICK_MS       1000
#define SLICE_MS      1  /* not 0: sockets and other timers have their turn */
#define DISCARD_TIMES 16 /* the limit of a body: a longer one, unannounced, is hung up on */

struct control_server {
	uv_poll_t poll; /* of libmicrohttpd's epoll descriptor; its close callback frees us */
	struct MHD_Daemon *mhd;
	struct loop_timer *timer; /* libmicrohttpd's */
	struct loop_timer *tick, *wake, *beat;
	struct clk clk;
	struct control_guests guests;
	struct control_streams streams;
	struct upload *first, *last; /* answers in the making: the first is next */
	struct loop_timer *slice;
	size_t held; /* bytes of answers that are made, or in the making, and not read yet */
	struct listener socket;
	struct control_server_limits limits;
	struct control_server_daemon daemon;
};

static void run(struct control_server *s);

/*
 * A request, from its first line to the end of its answer.  An answer that is not made in its first
 * slice waits its turn in a list, its connection asleep meanwhile: each turn of the loop makes one
 * slice of one of them.
 */
struct upload {
	bool begun;    /* its head has been looked at */
	bool answers;  /* making is under way, or over */
	bool is_whole; /* and over */
	bool is_order; /* it was carried out, and that is told */
	size_t bytes;  /* of the body, so far */
	size_t held;   /* bytes of its answer, whose buffer may be libmicrohttpd's by now */
	struct MHD_Connection *c;
	struct control_making making;
	struct control_order order; /* what making tells of, of an order */
	struct control_outcome outcome;
	struct control_done done;
	struct upload *next, *prev; /* in the list of those that wait */
	bool waits;
	char query[]; /* as sent, without the question mark */
};

/* ---- one request ---- */

static int64_t
in_s(const struct control_server *s, unsigned seconds)
{
	return clk_mono_ms(&s->clk) + (int64_t)seconds * 1000;
}

/* The body is its, once it is made. */
static struct MHD_Response *
make_response(struct control_response *answer)
{
	static char nothing[1];
	struct MHD_Response *r;

	if (answer->body.len == 0)
		return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
	r = MHD_create_response_from_buffer(answer->body.len, answer->body.ptr, MHD_RESPMEM_MUST_FREE);
	if (r != NULL)
		answer->body = buf_make(0);
	return r;
}

static enum MHD_Result
add_headers(struct MHD_Response *r, const struct control_response *answer)
{
	if (MHD_add_response_header(r, "Content-Type", answer->content_type) != MHD_YES ||
	    MHD_add_response_header(r, "Cache-Control", "no-store") != MHD_YES ||
	    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") != MHD_YES)
		return MHD_NO;
	if (answer->policy[0] != '\0' &&
	    MHD_add_response_header(r, "Content-Security-Policy", answer->policy) != MHD_YES)
		return MHD_NO;
	return answer->allow != NULL ? MHD_add_response_header(r, "Allow", answer->allow) : MHD_YES;
}

/* Consumes the answer's body.  MHD_NO hangs up. */
static enum MHD_Result
send_answer(const struct control_server *s, struct MHD_Connection *c, struct control_response *answer)
{
	struct MHD_Response *r = make_response(answer);
	enum MHD_Result result;

	buf_free(&answer->body);
	if (r == NULL)
		return MHD_NO;
	control_guests_set_deadline(c, in_s(s, s->limits.answer_s));
	result = add_headers(r, answer);
	if (result == MHD_YES)
		result = MHD_queue_response(c, (unsigned)answer->status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result
refuse_body(const struct control_server *s, struct MHD_Connection *c)
{
	struct buf message = buf_make(CONTROL_VIEW_MESSAGE_MAX);
	struct control_response answer;

	buf_printf(&message, "the body of a request may have %zu bytes at most", s->limits.body);
	control_view_error(413, "too_large", buf_str(&message), &answer);
	buf_free(&message);
	return send_answer(s, c, &answer);
}

/* ---- answers, in slices ---- */

static void
enlist(struct control_server *s, struct upload *u)
{
	u->waits = true;
	u->next = NULL;
	u->prev = s->last;
	*(s->last != NULL ? &s->last->next : &s->first) = u;
	s->last = u;
	loop_timer_arm(s->slice, SLICE_MS);
}

static void
delist(struct control_server *s, struct upload *u)
{
	if (!u->waits)
		return;
	u->waits = false;
	*(u->prev != NULL ? &u->prev->next : &s->first) = u->next;
	*(u->next != NULL ? &u->next->prev : &s->last) = u->prev;
}

static void
hold(struct control_server *s, struct upload *u, size_t n)
{
	s->held += n - u->held;
	u->held = n;
}

/* Clients that ask and do not read are not to use up the memory that the daemon may have.  A short
 * answer is given all the same: somebody may only want to know that we live. */
static bool
is_without_room(const struct control_server *s, const struct upload *u)
{
	return s->held > s->limits.answers && s->held > u->held &&
	       u->held > s->limits.answers / s->limits.connections && !u->is_order;
}

static void
refuse_for_room(struct upload *u)
{
	control_view_drop(&u->making);
	control_view_error(503, "too_many",
	    STR("answers that others have not read yet hold too much memory: try again later"), &u->making.answer);
	u->is_whole = true;
}

static void
make_slice(struct control_server *s, struct upload *u)
{
	struct control_facts facts = { 0 };

	s->daemon.facts(s->daemon.arg, &facts);
	u->is_whole = control_view_go_on(&facts, &u->making);
	hold(s, u, u->making.answer.body.len);
	if (is_without_room(s, u)) {
		refuse_for_room(u);
		hold(s, u, u->making.answer.body.len);
	}
}

/* The connection is woken when the answer is whole, and we are asked for it again then. */
static void
on_slice(void *arg)
{
	struct control_server *s = arg;
	struct upload *u = s->first;

	if (u == NULL)
		return;
	delist(s, u);
	make_slice(s, u);
	if (!u->is_whole) {
		enlist(s, u);
		return;
	}
	MHD_resume_connection(u->c);
	run(s);
	if (s->first != NULL)
		loop_timer_arm(s->slice, SLICE_MS);
}

/* While others wait, all that is new waits behind them. */
static enum MHD_Result
make_answer(struct control_server *s, struct upload *u)
{
	u->answers = true;
	if (s->first == NULL)
		make_slice(s, u);
	if (u->is_whole)
		return send_answer(s, u->c, &u->making.answer);
	enlist(s, u);
	MHD_suspend_connection(u->c);
	return MHD_YES;
}

/* A connection that was woken because we close has no answer. */
static enum MHD_Result
give_answer(const struct control_server *s, struct upload *u)
{
	return u->is_whole ? send_answer(s, u->c, &u->making.answer) : MHD_NO;
}

static void
carry_out(const struct control_server *s, struct upload *u)
{
	struct err e = ERR_INIT;
	enum err_code code;

	u->outcome = (struct control_outcome){
		.said = buf_make(CONTROL_VIEW_MESSAGE_MAX),
		.plan = buf_make(CONTROL_VIEW_BODY_MAX / 2),
	};
	code = s->daemon.act(s->daemon.arg, &u->order, &u->outcome, &e);
	u->done = (struct control_done){ .order = &u->order, .outcome = &u->outcome };
	control_order_start(&u->done, code, &e, &u->making);
	u->is_order = true;
}

static void
look(const struct control_server *s, const struct control_request *rq)
{
	if (s->daemon.look != NULL && str_eq(rq->path, STR("/v1/doctor")))
		s->daemon.look(s->daemon.arg);
}

/* ---- followers of events ---- */

static bool
wants_stream(const struct control_request *rq, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");

	return str_eq(rq->path, STR("/v1/events")) && str_eq(rq->method, STR("GET")) && accept != NULL &&
	       strstr(accept, CONTROL_STREAM_TYPE) != NULL;
}

/* A browser that comes back says what it has seen. */
static void
go_on(struct MHD_Connection *c, struct control_events_query *which)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID");

	if (text != NULL && !str_to_u64(str_from_cstr(text), INT64_MAX, &which->after_id))
		log_debug("control", "a Last-Event-ID that is no number was passed over");
}

static enum MHD_Result
send_stream(struct MHD_Connection *c, struct MHD_Response *r)
{
	enum MHD_Result result = MHD_NO;

	if (r == NULL)
		return MHD_NO;
	if (MHD_add_response_header(r, "Content-Type", CONTROL_STREAM_TYPE) == MHD_YES &&
	    MHD_add_response_header(r, "Cache-Control", "no-store") == MHD_YES)
		result = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	if (result == MHD_YES)
		control_guests_set_deadline(c, 0);
	return result;
}

/* Without ?since= or Last-Event-ID: from now on. */
static bool
prepare_stream(const struct control_facts *f, const struct control_request *rq, struct control_query *q,
    struct MHD_Connection *c, struct control_events_query *ret, struct control_response *ret_refusal)
{
	if (!control_path_parse_query(rq->query, q)) {
		control_view_error(400, "bad_parameter", STR("the query is not as it must be"), ret_refusal);
		return false;
	}
	if (!control_view_events_query(f, q, ret, ret_refusal))
		return false;
	go_on(c, ret);
	if (ret->after_id == 0 && ret->since_wall_ms == 0)
		ret->after_id = control_events_last_id(f->events);
	return true;
}

static enum MHD_Result
follow(struct control_server *s, struct MHD_Connection *c, const struct control_request *rq)
{
	struct control_facts facts = { 0 };
	struct control_events_query which;
	struct control_response answer;
	struct control_query q;

	s->daemon.facts(s->daemon.arg, &facts);
	if (s->streams.n >= s->limits.streams || facts.events == NULL) {
		control_view_error(
		    503, "too_many", STR("too many already follow the events: try again later"), &answer);
		return send_answer(s, c, &answer);
	}
	if (!prepare_stream(&facts, rq, &q, c, &which, &answer))
		return send_answer(s, c, &answer);
	return send_stream(c, control_stream_new(&s->streams, c, facts.events, &which));
}

static void
on_wake(void *arg)
{
	struct control_server *s = arg;

	control_streams_wake(&s->streams, false);
	run(s);
}

static void
on_beat(void *arg)
{
	struct control_server *s = arg;

	loop_timer_arm(s->beat, CONTROL_SERVER_BEAT_MS);
	control_streams_wake(&s->streams, true);
	run(s);
}

void
control_server_wake(struct control_server *s)
{
	if (s != NULL && s->streams.n > 0)
		loop_timer_arm(s->wake, 0);
}

/* ---- any request ---- */

static enum MHD_Result
refuse_order(const struct control_server *s, struct MHD_Connection *c)
{
	struct control_response answer;

	control_view_error(405, "method_not_allowed",
	    STR("this door is read-only: GET and HEAD; orders go to control.socket"), &answer);
	answer.allow = "GET, HEAD";
	return send_answer(s, c, &answer);
}

/* What comes in by a file or an abstract name is no browser's, or HAProxy's to look at.  HTTP/1.0
 * has no Host, and every browser sends one. */
static bool
is_misdirected(const struct control_server *s, struct MHD_Connection *c, struct str path)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");

	if (s->socket.address.any.sa_family == AF_UNIX || host == NULL)
		return false;
	return !control_host_admits(str_trim(str_from_cstr(host)), path);
}

static enum MHD_Result
refuse_name(const struct control_server *s, struct MHD_Connection *c)
{
	struct control_response answer;

	control_view_error(421, "misdirected",
	    STR("this door answers to its address and to localhost, and by other names only /metrics, /live and "
		"/ready: ask it by its address; a proxy in front of it has to set Host to localhost"),
	    &answer);
	return send_answer(s, c, &answer);
}

static enum MHD_Result
answer_request(struct control_server *s, struct upload *u, const struct control_request *rq)
{
	if (is_misdirected(s, u->c, rq->path))
		return refuse_name(s, u->c);
	if (s->daemon.act == NULL && !str_eq(rq->method, STR("GET")) && !str_eq(rq->method, STR("HEAD")))
		return refuse_order(s, u->c);
	if (wants_stream(rq, u->c))
		return follow(s, u->c, rq);
	switch (control_order_take(rq, &u->order, &u->making.answer)) {
	case CONTROL_ORDER_NONE:
		look(s, rq);
		control_view_start(rq, &u->making);
		break;
	case CONTROL_ORDER_TAKEN:
		carry_out(s, u);
		break;
	case CONTROL_ORDER_REFUSED:
		break;
	}
	return make_answer(s, u);
}

/* A length that is no number has been refused by libmicrohttpd. */
static bool
announces_too_much(const struct control_server *s, struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	uint64_t bytes;

	return text != NULL && !str_to_u64(str_from_cstr(text), s->limits.body, &bytes);
}

/* The first that we hear of a request.  What is returned is its *state. */
static void *
on_target(void *arg, const char *target, struct MHD_Connection *c)
{
	struct str whole = str_from_cstr(target), query = STR("");
	struct upload *u;
	size_t at;

	(void)arg;
	if (str_find(whole, '?', &at))
		query = str_skip(whole, at + 1);
	u = calloc(1, sizeof(*u) + query.len + 1);
	if (u == NULL)
		return NULL;
	u->c = c;
	memcpy(u->query, query.ptr, query.len);
	return u;
}

static enum MHD_Result
begin_request(const struct control_server *s, struct MHD_Connection *c, struct upload *u)
{
	u->begun = true;
	return announces_too_much(s, c) ? refuse_body(s, c) : MHD_YES;
}

/* An answer can't be given before the body has been read, so that too long a one
 * is read and dropped, up to a point. */
static enum MHD_Result
take_body(const struct control_server *s, struct upload *u, size_t *size)
{
	u->bytes += *size;
	*size = 0;
	return u->bytes / DISCARD_TIMES <= s->limits.body ? MHD_YES : MHD_NO;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method, const char *version,
    const char *body, size_t *body_size, void **state)
{
	struct control_server *s = arg;
	struct upload *u = *state;

	(void)version;
	(void)body;
	if (u == NULL)
		return MHD_NO;
	if (u->answers)
		return give_answer(s, u);
	if (!u->begun)
		return begin_request(s, c, u);
	if (*body_size > 0)
		return take_body(s, u, body_size);
	if (u->bytes > s->limits.body)
		return refuse_body(s, c);
	return answer_request(s, u,
	    &(struct control_request){
		.method = str_from_cstr(method), .path = str_from_cstr(path), .query = str_from_cstr(u->query) });
}

static void
on_request_over(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
	struct control_server *s = arg;
	struct upload *u = *state;

	(void)how;
	control_guests_set_deadline(c, in_s(s, s->limits.request_s));
	if (u == NULL)
		return;
	delist(s, u);
	hold(s, u, 0);
	control_view_drop(&u->making);
	buf_free(&u->outcome.said);
	buf_free(&u->outcome.plan);
	free(u);
	*state = NULL;
}

static void
on_guest(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct control_server *s = arg;

	control_guests_notice(&s->guests, c, context, code, in_s(s, s->limits.request_s));
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		loop_timer_arm(s->tick, TICK_MS);
}

/* The router decodes, after it has taken the path apart. */
static size_t
leave_encoded(void *arg, struct MHD_Connection *c, char *text)
{
	(void)arg;
	(void)c;
	return str_from_cstr(text).len;
}

__attribute__((format(printf, 2, 0))) static void
on_message(void *arg, const char *fmt, va_list ap)
{
	char text[256] = "";

	(void)arg;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	log_debug("control", "libmicrohttpd: " STR_FMT, STR_ARG(str_trim(str_from_cstr(text))));
}

/* ---- the loop ---- */

static bool
is_full(const struct control_server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL && info->num_connections >= s->limits.connections;
}

/* At its limit libmicrohttpd stops watching its listener, and it watches it again
 * only when it is run: nothing else would wake us for those who wait to connect. */
static void
run(struct control_server *s)
{
	unsigned long long wait_ms;
	bool was_full = is_full(s);

	(void)MHD_run(s->mhd);
	if (was_full && !is_full(s))
		(void)MHD_run(s->mhd);
	if (MHD_get_timeout(s->mhd, &wait_ms) == MHD_YES)
		loop_timer_arm(s->timer, wait_ms < INT32_MAX ? (int64_t)wait_ms : INT32_MAX);
	else
		loop_timer_disarm(s->timer);
}

static void
on_timer(void *arg)
{
	run(arg);
}

/* Whoever was hung up on makes the descriptor readable. */
static void
on_tick(void *arg)
{
	struct control_server *s = arg;

	if (control_guests_check(&s->guests, clk_mono_ms(&s->clk)))
		loop_timer_arm(s->tick, TICK_MS);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static void
free_server(uv_handle_t *poll)
{
	free(poll->data);
}

static enum err_code
start_mhd(struct control_server *s, struct err *e)
{
	const struct MHD_OptionItem options[] = {
		{ MHD_OPTION_LISTEN_SOCKET, s->socket.fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, s->limits.connections, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, s->limits.idle_s, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)s->limits.head, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	s->mhd =
	    MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
		MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_request_over, s, MHD_OPTION_NOTIFY_CONNECTION,
		on_guest, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_END);
	if (s->mhd == NULL)
		return err_set(e, ERR_NOMEM, "cannot start the HTTP server of the control socket");
	return ERR_OK;
}

/* On success the poll handle is open, and only its close callback may free s. */
static enum err_code
watch_mhd(struct control_server *s, struct loop *l, struct err *e)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	int status;

	if (info == NULL)
		return err_set(e, ERR_IO, "libmicrohttpd was built without epoll");
	status = uv_poll_init(loop_uv(l), &s->poll, info->epoll_fd);
	if (status != 0)
		return err_set(e, ERR_IO, "cannot watch the control socket: %s", uv_strerror(status));
	s->poll.data = s;
	/* Fails only for a handle that is closing. */
	(void)uv_poll_start(&s->poll, UV_READABLE, on_readable);
	return ERR_OK;
}

static enum err_code
make_timers(struct control_server *s, struct loop *l, struct err *e)
{
	enum err_code code = loop_timer_new(l, on_timer, s, &s->timer, e);

	if (code == ERR_OK)
		code = loop_timer_new(l, on_tick, s, &s->tick, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_wake, s, &s->wake, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_beat, s, &s->beat, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_slice, s, &s->slice, e);
	return code;
}

static void
close_timers(struct control_server *s)
{
	loop_timer_close(s->timer);
	loop_timer_close(s->tick);
	loop_timer_close(s->wake);
	loop_timer_close(s->beat);
	loop_timer_close(s->slice);
}

static enum err_code
start(struct control_server *s, struct loop *l, struct err *e)
{
	enum err_code code = start_mhd(s, e);

	if (code != ERR_OK) {
		(void)close(s->socket.fd);
		return code;
	}
	code = make_timers(s, l, e);
	if (code == ERR_OK)
		code = watch_mhd(s, l, e);
	if (code != ERR_OK) {
		close_timers(s);
		MHD_stop_daemon(s->mhd); /* closes the listener, too */
		return code;
	}
	loop_timer_arm(s->beat, CONTROL_SERVER_BEAT_MS);
	return ERR_OK;
}

enum err_code
control_server_new_within(struct loop *l, const struct control_server_limits *limits, const struct conf_listen *where,
    const struct control_server_daemon *daemon, struct control_server **ret, struct err *e)
{
	const struct listener_at at = {
		.address = where->address,
		.mode = where->mode,
		.group = where->group,
		.key = daemon->act != NULL ? "control.socket" : "control.listen",
	};
	struct control_server *s = calloc(1, sizeof(*s));
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the control socket");
	s->limits = *limits;
	s->daemon = *daemon;
	s->clk = loop_clk(l);
	code = listener_open(&at, &s->socket, e);
	if (code != ERR_OK) {
		free(s);
		return code;
	}
	code = start(s, l, e);
	if (code != ERR_OK) {
		listener_unlink(&s->socket);
		free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

enum err_code
control_server_new(struct loop *l, const struct conf_listen *where, const struct control_server_daemon *daemon,
    struct control_server **ret, struct err *e)
{
	const struct control_server_limits limits = {
		.connections = CONTROL_SERVER_CONNECTIONS_MAX,
		.streams = CONTROL_SERVER_STREAMS_MAX,
		.idle_s = CONTROL_SERVER_IDLE_S,
		.request_s = CONTROL_SERVER_REQUEST_S,
		.answer_s = CONTROL_SERVER_ANSWER_S,
		.head = CONTROL_SERVER_HEAD_MAX,
		.body = CONTROL_SERVER_BODY_MAX,
		.answers = CONTROL_SERVER_ANSWERS_MAX,
	};

	return control_server_new_within(l, &limits, where, daemon, ret, e);
}

void
control_server_close(struct control_server *s)
{
	if (s == NULL)
		return;
	listener_unlink(&s->socket);
	close_timers(s);
	/* None may sleep when libmicrohttpd stops. */
	control_streams_wake(&s->streams, false);
	for (const struct upload *u = s->first; u != NULL; u = u->next)
		MHD_resume_connection(u->c);
	/* The handle first: it watches a descriptor that libmicrohttpd closes. */
	uv_close((uv_handle_t *)&s->poll, free_server);
	MHD_stop_daemon(s->mhd);
}
