/*
 * What happened, most recent last: the last CONTROL_EVENTS_MAX events, each with a
 * number that grows, also over restarts (it begins with the time of the start).  Pure.
 *
 * GET /v1/events answers with an array of them, or, to whoever accepts
 * text/event-stream, with the same objects one by one as they come.
 *
 *   kind      server: a server's state; shutdown: its last streams were shut
 *             backend: made, published, frozen, thawed, paused, resumed
 *             haproxy: not reached, answers again, another process
 *             order: what an operator asked for;  config: loaded, or refused
 *             notice: anything else that the log says of the work
 *   from, to  of a server, as `state`; from "": was not there, to "gone": is not any more
 */
#ifndef CONTROL_CONTROL_EVENTS_H
#define CONTROL_CONTROL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CONTROL_EVENTS_MAX      1000
#define CONTROL_EVENTS_TEXT_MAX 1024 /* bytes of each text of an event; a longer one is cut */

struct control_event {
	uint64_t id;
	int64_t at_wall_ms;
	const char *kind, *from, *to, *evidence; /* words of ours, static; null is "" */
	struct str backend, server, task;        /* task: its id */
	struct str message;                      /* one sentence, and the line in the log */
};

/* Which events are asked for; zeroed: all. */
struct control_events_query {
	uint64_t after_id; /* only newer ones */
	int64_t since_wall_ms;
	struct str backend; /* empty: any */
};

struct control_events;

NODISCARD enum err_code control_events_new(int64_t started_wall_ms, struct control_events **ret, struct err *e);
void control_events_free(struct control_events *r); /* null is fine */
/* Copies the texts; id is given here.  Null: no memory, the event is lost. */
const struct control_event *control_events_add(struct control_events *r, const struct control_event *draft);
uint64_t control_events_last_id(const struct control_events *r); /* of the newest, or what it would follow */
/* The oldest that fits q; null: none. */
const struct control_event *control_events_next(const struct control_events *r, const struct control_events_query *q);

struct control_json;

/* The oldest that fits q, into an array; q->after_id moves on.  False: none does. */
bool control_events_put_next(struct control_json *w, const struct control_events *r, struct control_events_query *q);
/* As text/event-stream, oldest first, until out holds `enough` bytes or there are no more;
 * q->after_id moves on. */
void control_events_stream(
    const struct control_events *r, struct control_events_query *q, size_t enough, struct buf *out);

#endif
