/*
 * Those who follow events (text/event-stream): each is a response of libmicrohttpd's that
 * is suspended while there is nothing to say.  A part of control_server.c; a driver.
 *
 * A follower that reads too slowly misses what the ring of events has dropped, and
 * nothing else: of each no more than CONTROL_STREAM_CHUNK is held for long.
 */
#ifndef CONTROL_CONTROL_STREAM_H
#define CONTROL_CONTROL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

#include "control/control_events.h"

#define CONTROL_STREAM_CHUNK ((size_t)32768)
#define CONTROL_STREAM_TYPE  "text/event-stream"

struct control_stream;

struct control_streams { /* zeroed: none */
	struct control_stream *first;
	size_t n;
};

/* A response for c; events must outlive it, which.backend is copied.  Null: no memory. */
struct MHD_Response *control_stream_new(struct control_streams *to, struct MHD_Connection *c,
    const struct control_events *events, const struct control_events_query *which);
/* Resumes who sleeps; with beat each says at least a comment.  libmicrohttpd is to be run
 * after that. */
void control_streams_wake(struct control_streams *to, bool beat);

#endif
