/*
 * The SPOE agent's door: see spop_server.h.
 *
 * One write for all that one read has brought: HAProxy 3.4.0 fails on a frame that
 * comes in pieces (facts/spoe.md, section 1.4).  While an answer waits for room
 * nothing is read, so that a peer that only talks fills no memory.
 */
#include "config.h"

#include "spop/spop_server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "base/arena.h"
#include "base/log.h"

#define READ_MAX  ((size_t)64 << 10)
#define SWEEP_MS  INT64_C(2500)
#define PLACE_MAX ((size_t)64 << 10) /* of the texts of a place */

struct connection {
	uv_poll_t poll; /* its close callback frees us */
	int fd;
	struct spop_server *server;
	struct spop_session *session;
	struct connection *next, **at; /* in server->connections */
	bool is_writing;               /* an answer waits for room */
	int64_t waits_since_ms;        /* for the peer to go on; 0: it does not */
};

struct spop_server {
	uv_poll_t poll; /* of the listener; its close callback frees us */
	bool has_poll;
	struct loop *loop;
	struct clk clk;
	struct loop_timer *timer; /* the next attempt to listen, or the next sweep */
	struct listener_at at;    /* its texts are in place */
	struct arena *place;
	spop_server_message_fn *message;
	void *arg;
	struct listener listener; /* fd -1: not listening */
	struct connection *connections;
	unsigned n_connections;
	struct spop_counts counts;
	uint64_t turned_away, stalled;
	struct err last_error;
	int64_t last_error_wall_ms;
	struct fault bind_fault, accept_fault, crowd_fault, stall_fault, hangup_fault, refused_faults[SPOP_N_REASONS];
	char bytes[READ_MAX];
};

/* ---- what the operator reads ---- */

/* True: log it now. */
static bool
note_error(struct spop_server *s, struct fault *f, const struct err *e)
{
	s->last_error = *e;
	s->last_error_wall_ms = clk_wall_ms(&s->clk);
	return fault_raise(f, clk_mono_ms(&s->clk), e);
}

static void
on_refused(void *arg, enum spop_reason why, const struct err *e)
{
	struct spop_server *s = arg;
	struct fault *f = &s->refused_faults[why];

	if (note_error(s, f, e))
		log_warn("spop",
		    "a frame of HAProxy is refused (%" PRIu64 " so far): %s; in HAProxy's configuration: %s", f->count,
		    e->msg, spop_reason_hint(why));
}

/* What HAProxy says when it gives up on us, and the setting behind it. */
static const char *
hint_of(uint64_t status)
{
	switch (status) {
	case 3:
		return "bound the args of its spoe-message with bytes(), or raise tune.bufsize";
	case 10:
		return "the frame did not fit: bound the args of its spoe-message with bytes()";
	default:
		return "is the file of `filter spoe` the one that rollcall ships?";
	}
}

/* 0 is no error; 2 is `timeout idle` (before 3.1), which is as it should be. */
static void
on_disconnected(void *arg, uint64_t status, struct str text)
{
	struct spop_server *s = arg;
	struct err e = ERR_INIT;

	if (status == 0 || status == 2)
		return;
	err_fill(&e, ERR_REMOTE, 0, "HAProxy hangs up on the SPOE agent with status %" PRIu64 " (" STR_FMT ")", status,
	    STR_ARG(str_is_printable(text) ? str_first(text, 80) : STR("unprintable")));
	if (note_error(s, &s->hangup_fault, &e))
		log_warn("spop", "%s; %s", e.msg, hint_of(status));
}

static void
tell_turned_away(struct spop_server *s)
{
	struct err e = ERR_INIT;

	s->turned_away++;
	err_fill(&e, ERR_LIMIT, 0, "more than %d connections to the SPOE agent", SPOP_SERVER_CONNECTIONS_MAX);
	if (note_error(s, &s->crowd_fault, &e))
		log_warn("spop",
		    "%s: what comes is turned away (%" PRIu64 " so far), HAProxy's streams go on without us; is it "
		    "HAProxy that connects to spoe.listen?",
		    e.msg, s->turned_away);
}

static void
tell_stalled(struct spop_server *s)
{
	struct err e = ERR_INIT;

	s->stalled++;
	err_fill(&e, ERR_TIMEOUT, 0, "a connection to the SPOE agent stood still for %d seconds within a frame",
	    (int)(SPOP_SERVER_STALL_MS / 1000));
	if (note_error(s, &s->stall_fault, &e))
		log_warn("spop", "%s, and is closed (%" PRIu64 " so far)", e.msg, s->stalled);
}

/* ---- a connection ---- */

static void
on_message(void *arg, const struct spop_message *m)
{
	const struct spop_server *s = arg;

	if (s->message != NULL)
		s->message(s->arg, m);
}

static void
free_connection(uv_handle_t *poll)
{
	struct connection *c = poll->data;

	spop_session_free(c->session);
	free(c);
}

static void
close_connection(struct connection *c)
{
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	c->server->n_connections--;
	(void)uv_poll_stop(&c->poll); /* before its descriptor is somebody else's */
	(void)close(c->fd);
	uv_close((uv_handle_t *)&c->poll, free_connection);
}

/* False: it is gone. */
static bool
send_pending(struct connection *c)
{
	struct str out = spop_session_pending(c->session);
	ssize_t n;

	if (out.len == 0)
		return true;
	n = send(c->fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	spop_session_sent(c->session, (size_t)n);
	return true;
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void
watch(struct connection *c)
{
	bool waits_for_room = spop_session_pending(c->session).len > 0;
	bool is_idle = spop_session_is_idle(c->session);

	if (is_idle)
		c->waits_since_ms = 0;
	else if (c->waits_since_ms == 0)
		c->waits_since_ms = clk_mono_ms(&c->server->clk);
	if (waits_for_room == c->is_writing)
		return;
	c->is_writing = waits_for_room;
	/* Fails only for a handle that is closing. */
	(void)uv_poll_start(&c->poll, waits_for_room ? UV_WRITABLE : UV_READABLE, on_connection);
}

/* 1: something came; 0: nothing now; -1: it is over, or broken. */
static int
read_some(struct connection *c)
{
	struct spop_server *s = c->server;
	ssize_t n = recv(c->fd, s->bytes, sizeof(s->bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	if (spop_session_feed(c->session, str_of(s->bytes, (size_t)n)))
		return send_pending(c) ? 1 : -1;
	(void)send_pending(c); /* why it is over, or a health check's answer */
	return -1;
}

static void
on_connection(uv_poll_t *poll, int status, int events)
{
	struct connection *c = poll->data;
	bool goes_on = status == 0;

	if (goes_on && c->is_writing)
		goes_on = send_pending(c);
	else if (goes_on && (events & UV_READABLE) != 0)
		goes_on = read_some(c) >= 0;
	if (goes_on)
		watch(c);
	else
		close_connection(c);
}

static struct connection *
new_connection(struct spop_server *s, int fd)
{
	const struct spop_listener to = {
		.message = on_message, .refused = on_refused, .disconnected = on_disconnected, .arg = s
	};
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL || spop_session_new(&to, &s->counts, &c->session, NULL) != ERR_OK) {
		free(c);
		return NULL;
	}
	if (uv_poll_init(loop_uv(s->loop), &c->poll, fd) != 0) {
		spop_session_free(c->session);
		free(c);
		return NULL;
	}
	c->poll.data = c;
	c->fd = fd;
	c->server = s;
	return c;
}

static void
take_connection(struct spop_server *s, int fd)
{
	struct connection *c = NULL;

	if (s->n_connections < SPOP_SERVER_CONNECTIONS_MAX)
		c = new_connection(s, fd);
	if (c == NULL) {
		tell_turned_away(s);
		(void)close(fd);
		return;
	}
	c->at = &s->connections;
	c->next = s->connections;
	if (c->next != NULL)
		c->next->at = &c->next;
	s->connections = c;
	s->n_connections++;
	c->waits_since_ms = clk_mono_ms(&s->clk); /* for its HELLO */
	(void)uv_poll_start(&c->poll, UV_READABLE, on_connection);
}

/* ---- listening ---- */

/* Without descriptors to spare, the listener would wake us for ever: the sweep
 * watches it again. */
static void
pause_accepting(struct spop_server *s, int problem)
{
	struct err e = ERR_INIT;

	(void)err_sys(&e, problem, "cannot take a connection of HAProxy");
	if (note_error(s, &s->accept_fault, &e))
		log_warn("spop", "%s; tried again in some seconds, its streams go on without us", e.msg);
	(void)uv_poll_stop(&s->poll);
}

static void
on_listener(uv_poll_t *poll, int status, int events)
{
	struct spop_server *s = poll->data;
	int fd;

	(void)status;
	(void)events;
	fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		(void)fault_clear(&s->accept_fault);
		take_connection(s, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		pause_accepting(s, errno);
	}
}

static void
try_to_listen(struct spop_server *s)
{
	struct err e = ERR_INIT;
	enum err_code code = listener_open(&s->at, &s->listener, &e);

	if (code == ERR_OK && uv_poll_init(loop_uv(s->loop), &s->poll, s->listener.fd) != 0) {
		code = err_set(&e, ERR_IO, "cannot watch " STR_FMT, STR_ARG(s->at.address));
		listener_unlink(&s->listener);
		(void)close(s->listener.fd);
	}
	if (code != ERR_OK) {
		s->listener.fd = -1;
		if (note_error(s, &s->bind_fault, &e))
			log_warn("spop",
			    "spoe.listen: %s; tried again every %d seconds, nothing is ejected for what HAProxy "
			    "would tell there meanwhile",
			    e.msg, (int)(SPOP_SERVER_RETRY_MS / 1000));
		return;
	}
	s->has_poll = true;
	s->poll.data = s;
	(void)uv_poll_start(&s->poll, UV_READABLE, on_listener);
	(void)fault_clear(&s->bind_fault);
	log_info("spop", "listening for HAProxy's SPOE on " STR_FMT, STR_ARG(s->at.address));
}

/* ---- time ---- */

static void
close_stalled(struct spop_server *s)
{
	int64_t now_ms = clk_mono_ms(&s->clk);

	for (struct connection *c = s->connections, *next; c != NULL; c = next) {
		next = c->next;
		if (c->waits_since_ms == 0 || now_ms - c->waits_since_ms < SPOP_SERVER_STALL_MS)
			continue;
		tell_stalled(s);
		close_connection(c);
	}
}

static void
on_timer(void *arg)
{
	struct spop_server *s = arg;

	if (s->listener.fd < 0) {
		try_to_listen(s);
	} else {
		close_stalled(s);
		(void)uv_poll_start(&s->poll, UV_READABLE, on_listener); /* again, if it was paused */
	}
	loop_timer_arm(s->timer, s->listener.fd < 0 ? SPOP_SERVER_RETRY_MS : SWEEP_MS);
}

/* ---- life ---- */

static void
free_all(struct spop_server *s)
{
	arena_free(s->place);
	free(s);
}

static enum err_code
prepare(struct spop_server *s, const struct listener_at *at, struct err *e)
{
	s->at = *at;
	s->place = arena_new(PLACE_MAX);
	if (s->place == NULL || !arena_str(s->place, at->address, &s->at.address) ||
	    !arena_str(s->place, at->group, &s->at.group))
		return err_set(e, ERR_NOMEM, "no memory for the SPOE agent");
	return loop_timer_new(s->loop, on_timer, s, &s->timer, e);
}

enum err_code
spop_server_new(struct loop *l, const struct listener_at *at, struct spop_server **ret, struct err *e)
{
	struct spop_server *s = calloc(1, sizeof(*s));
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the SPOE agent");
	s->loop = l;
	s->clk = loop_clk(l);
	s->listener.fd = -1;
	code = prepare(s, at, e);
	if (code != ERR_OK) {
		free_all(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void
spop_server_hear(struct spop_server *s, spop_server_message_fn *message, void *arg)
{
	s->message = message;
	s->arg = arg;
}

void
spop_server_listen(struct spop_server *s)
{
	if (s->listener.fd < 0)
		on_timer(s);
}

bool
spop_server_is_at(const struct spop_server *s, const struct listener_at *at)
{
	return str_eq(s->at.address, at->address) && s->at.mode == at->mode && str_eq(s->at.group, at->group);
}

struct spop_server_view
spop_server_view(const struct spop_server *s)
{
	return (struct spop_server_view){
		.bind_fault = &s->bind_fault,
		.counts = &s->counts,
		.connections = s->n_connections,
		.turned_away = s->turned_away,
		.stalled = s->stalled,
		.last_error = &s->last_error,
		.last_error_wall_ms = s->last_error_wall_ms,
	};
}

static void
free_server(uv_handle_t *poll)
{
	free_all(poll->data);
}

static void
part_from(struct connection *c)
{
	if (!c->is_writing && read_some(c) < 0) {
		close_connection(c);
		return;
	}
	spop_session_say_goodbye(c->session);
	(void)send_pending(c);
	close_connection(c);
}

void
spop_server_close(struct spop_server *s)
{
	if (s == NULL)
		return;
	loop_timer_close(s->timer);
	if (s->listener.fd >= 0) {
		listener_unlink(&s->listener);
		(void)uv_poll_stop(&s->poll);
		(void)close(s->listener.fd);
	}
	while (s->connections != NULL)
		part_from(s->connections);
	if (s->has_poll)
		uv_close((uv_handle_t *)&s->poll, free_server);
	else
		free_all(s);
}
