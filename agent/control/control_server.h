/*
 * libmicrohttpd on our loop: its epoll descriptor is one poll handle, its timeout
 * one timer (style.md, section 3.5).  Bounded connections, request sizes and
 * idle times; one thread.
 *
 * What is not HTTP, or too long in its head, libmicrohttpd refuses by itself, with
 * a page of its own; everything else is answered by control_view, or asked for by control_order.
 */
#ifndef CONTROL_CONTROL_SERVER_H
#define CONTROL_CONTROL_SERVER_H

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "control/control_order.h"
#include "control/control_view.h"

#define CONTROL_SERVER_CONNECTIONS_MAX 64
#define CONTROL_SERVER_STREAMS_MAX     32    /* of these, followers of events */
#define CONTROL_SERVER_BEAT_MS         15000 /* a stream says at least a comment so often: who is gone is noticed */
#define CONTROL_SERVER_IDLE_S          10
#define CONTROL_SERVER_REQUEST_S       20
#define CONTROL_SERVER_ANSWER_S        120
#define CONTROL_SERVER_HEAD_MAX        ((size_t)16384) /* request line and headers, with our own bookkeeping */
#define CONTROL_SERVER_BODY_MAX        ((size_t)65536)
#define CONTROL_SERVER_ANSWERS_MAX     ((size_t)64 << 20)

struct control_server_limits {
	unsigned connections; /* further ones wait in the socket's backlog */
	unsigned streams;     /* of these, followers of events; more are a 503 */
	unsigned idle_s;      /* without a byte in either direction */
	unsigned request_s;   /* from its first byte, or the connection, to the whole of a request */
	unsigned answer_s;    /* until an answer has been read, but for followers */
	size_t head;          /* bytes of request line and headers */
	size_t body;          /* bytes of a request's body; more is a 413 */
	size_t answers;       /* bytes of answers that are not read yet, of all clients; more is a 503, but for a single
			       * one and for short ones (a connection's share) */
};

struct control_server;
struct loop;

/* What stands behind the door. */
struct control_server_daemon {
	/* Fills in what is known now; the values are borrowed until the answer is made,
	 * which is before control returns to the loop.  ret comes zeroed. */
	void (*facts)(void *arg, struct control_facts *ret);
	/* Somebody asks the doctor: what he cannot know without asking AWS is to be found out,
	 * for his next answer.  Null: it is not. */
	void (*look)(void *arg);
	/* Carries out an order; code and e as reconcile_order gives them. */
	/* Null: the door is read-only, and each order a 405. */
	enum err_code (*act)(void *arg, const struct control_order *order, struct control_outcome *ret, struct err *e);
	void *arg;
};

/*
 * Binds `where` (a path): makes a missing directory around it, replaces a stale
 * socket after having knocked at it, and refuses one that answers ("another
 * rollcalld is listening").  Mode and group are set before anybody can connect.
 */
NODISCARD enum err_code control_server_new(struct loop *l, const struct conf_listen *where,
    const struct control_server_daemon *daemon, struct control_server **ret, struct err *e);
/* The same with other limits than those above. */
NODISCARD enum err_code control_server_new_within(struct loop *l, const struct control_server_limits *limits,
    const struct conf_listen *where, const struct control_server_daemon *daemon, struct control_server **ret,
    struct err *e);
/* There may be new events for those who follow: they are sent soon, never from inside
 * this call.  Null is fine. */
void control_server_wake(struct control_server *s);
/* Hangs up on everybody and unlinks the socket; null is fine.  Not from facts or act. */
void control_server_close(struct control_server *s);

#endif
