/*
 * One SPOP 2.0 connection without its socket: bytes in, bytes out (facts/spoe.md,
 * section 1).
 *
 * Handshake, health check, frame limits, disconnect with a status: all here, driven
 * the same way by the server, the unit tests and the fuzzer.  Nothing is ever
 * answered with variables: an ACK goes out for each NOTIFY, before anybody looks at
 * what it says.
 */
#ifndef SPOP_SPOP_SESSION_H
#define SPOP_SPOP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "spop/spop_wire.h"

#define SPOP_SESSION_FRAME_MAX   (UINT32_C(128) << 10) /* HAProxy's is tune.bufsize - 4: 16380 */
#define SPOP_SESSION_FRAME_MIN   UINT32_C(256)         /* SPOE.txt, 3.2.4: what both sides must be able to take */
#define SPOP_SESSION_PENDING_MAX ((size_t)256 << 10)   /* answers that wait to be sent */

/* name, SPOP status, what to do about it in HAProxy's configuration */
#define SPOP_REASONS(X)                                                                                             \
	X(TOO_BIG, "too_big", 3, "set tune.bufsize below 128k, or cut the args of the spoe-message with bytes()")   \
	X(TOO_SHORT, "too_short", 4, "is the server of that backend really meant for rollcalld?")                   \
	X(NO_HELLO, "no_hello", 4, "the backend of the spoe-agent needs `mode spop` (3.1 and later) or `mode tcp`") \
	X(HELLO_TWICE, "hello_twice", 4, "is the server of that backend really meant for rollcalld?")               \
	X(VERSION, "version", 8, "SPOP 2.0 is what HAProxy 2.6 to 3.4 speak")                                       \
	X(NO_VERSION, "no_version", 5, "SPOP 2.0 is what HAProxy 2.6 to 3.4 speak")                                 \
	X(NO_FRAME_SIZE, "no_max_frame_size", 6, "SPOP 2.0 is what HAProxy 2.6 to 3.4 speak")                       \
	X(FRAME_SIZE, "bad_max_frame_size", 9,                                                                      \
	    "raise tune.bufsize, or max-frame-size of the spoe-agent, to 256 or more")                              \
	X(NO_CAPABILITIES, "no_capabilities", 7, "SPOP 2.0 is what HAProxy 2.6 to 3.4 speak")                       \
	X(FRAGMENTED, "fragmented", 10, "remove `option send-frag-payload` from the spoe-agent")                    \
	X(MALFORMED, "malformed", 4, "is the server of that backend really meant for rollcalld?")                   \
	X(UNKNOWN_TYPE, "unknown_type", 0, "the frame is skipped, as SPOP asks")

enum spop_reason {
#define X(name, text, status, hint) SPOP_##name,
	SPOP_REASONS(X)
#undef X
	/* must stay last */
	SPOP_N_REASONS
};

/* Over all connections, since the start. */
struct spop_counts {
	uint64_t frames; /* whole ones, of every kind */
	uint64_t hellos, health_checks, notifies, messages;
	uint64_t disconnects; /* with an error, said by HAProxy */
	uint64_t refused[SPOP_N_REASONS];
};

/* Frames that were refused, and connections that HAProxy ended with an error. */
uint64_t spop_session_errors(const struct spop_counts *c);

struct spop_message {
	struct str name; /* as all here: borrowed for the length of the call */
	struct str args; /* n_args times a name and a value; they have been read once, and are well formed */
	unsigned n_args;
};

/* Each may be null.  Called from within feed, after the answer was appended. */
struct spop_listener {
	void (*message)(void *arg, const struct spop_message *m);
	void (*refused)(void *arg, enum spop_reason why, const struct err *e);
	/* HAProxy hangs up, and says why; status 0 is no error. */
	void (*disconnected)(void *arg, uint64_t status, struct str text);
	void *arg;
};

struct spop_session;

/* counts and to->arg must outlive it. */
NODISCARD enum err_code spop_session_new(
    const struct spop_listener *to, struct spop_counts *counts, struct spop_session **ret, struct err *e);
/* Any split of the bytes gives the same answers.  False: send what is pending, then
 * close; further bytes are ignored. */
NODISCARD bool spop_session_feed(struct spop_session *s, struct str bytes);
struct str spop_session_pending(const struct spop_session *s); /* borrowed until the next call */
void spop_session_sent(struct spop_session *s, size_t n);
bool spop_session_is_idle(const struct spop_session *s); /* no frame has begun, nothing is pending */
/* We go: the DISCONNECT is pending then. */
void spop_session_say_goodbye(struct spop_session *s);
void spop_session_free(struct spop_session *s); /* null is fine */

/* The next name and value of a message; false: that was all. */
bool spop_session_next_arg(struct str *args, struct str *ret_name, struct spop_wire_value *ret_value);

const char *spop_reason_name(enum spop_reason why);
const char *spop_reason_hint(enum spop_reason why);

#endif
