/*
 * The SPOE agent's door: listens for HAProxy's connections and gives each a session.
 * A driver; what a message means is for its listener to say.
 *
 * A place that cannot be bound is a fault that is shown and tried again, never the
 * end of the daemon.  HAProxy goes on without us: its streams wait for `timeout
 * processing` at most.
 */
#ifndef SPOP_SPOP_SERVER_H
#define SPOP_SPOP_SERVER_H

#include "base/err.h"
#include "base/fault.h"
#include "io/listener.h"
#include "io/loop.h"
#include "spop/spop_session.h"

#define SPOP_SERVER_CONNECTIONS_MAX 256            /* HAProxy without pipelining opens one per stream that waits */
#define SPOP_SERVER_RETRY_MS        INT64_C(5000)  /* between tries to listen */
#define SPOP_SERVER_STALL_MS        INT64_C(10000) /* for a HELLO, the rest of a frame, or room to answer */

/* Called for each message; only counts: HAProxy's stream waits meanwhile. */
typedef void spop_server_message_fn(void *arg, const struct spop_message *m);

struct spop_server;

struct spop_server_view {
	const struct fault *bind_fault;
	const struct spop_counts *counts;
	unsigned connections;
	uint64_t turned_away; /* over SPOP_SERVER_CONNECTIONS_MAX */
	uint64_t stalled;     /* closed after SPOP_SERVER_STALL_MS */
	const struct err *last_error;
	int64_t last_error_wall_ms; /* 0: there was none */
};

/* Does not listen yet.  What at says is copied, but its key. */
NODISCARD enum err_code spop_server_new(
    struct loop *l, const struct listener_at *at, struct spop_server **ret, struct err *e);
/* Whom messages are told from now on; may change at any time. */
void spop_server_hear(struct spop_server *s, spop_server_message_fn *message, void *arg);
void spop_server_listen(struct spop_server *s); /* tries until it does; nothing if it does already */
bool spop_server_is_at(const struct spop_server *s, const struct listener_at *at); /* meant to, or does */
struct spop_server_view spop_server_view(const struct spop_server *s);             /* borrowed */
/* Answers what has come in, says DISCONNECT, closes.  Null is fine. */
void spop_server_close(struct spop_server *s);

#endif
