/* Followers of events: see control_stream.h. */
#include "config.h"

#include "control/control_stream.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20) /* of a chunk and the event that ends it */

struct control_stream {
	struct control_streams *home;
	struct control_stream *next, *prev;
	struct MHD_Connection *c;
	const struct control_events *events;
	struct control_events_query which;
	struct buf text; /* what is to be sent, from `sent` on */
	size_t sent;
	bool sleeps, beat;
	char backend[]; /* of which */
};

static void
fill(struct control_stream *s)
{
	buf_free(&s->text);
	s->sent = 0;
	control_events_stream(s->events, &s->which, CONTROL_STREAM_CHUNK, &s->text);
	if (s->text.len == 0 && s->beat)
		buf_put(&s->text, STR(": still here\n\n"));
	s->beat = false;
}

/* libmicrohttpd wants up to max bytes; 0 and asleep: none now. */
static ssize_t
on_wanted(void *arg, uint64_t position, char *out, size_t max)
{
	struct control_stream *s = arg;
	struct str rest;

	(void)position;
	if (s->sent == s->text.len)
		fill(s);
	if (buf_failed(&s->text, NULL) != ERR_OK)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	rest = str_first(str_skip(buf_str(&s->text), s->sent), max);
	if (rest.len == 0) {
		s->sleeps = true;
		MHD_suspend_connection(s->c);
		return 0;
	}
	memcpy(out, rest.ptr, rest.len);
	s->sent += rest.len;
	return (ssize_t)rest.len;
}

static void
on_over(void *arg)
{
	struct control_stream *s = arg;

	*(s->prev != NULL ? &s->prev->next : &s->home->first) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->home->n--;
	buf_free(&s->text);
	free(s);
}

static void
enlist(struct control_stream *s, struct control_streams *to)
{
	s->home = to;
	s->next = to->first;
	if (s->next != NULL)
		s->next->prev = s;
	to->first = s;
	to->n++;
}

struct MHD_Response *
control_stream_new(struct control_streams *to, struct MHD_Connection *c, const struct control_events *events,
    const struct control_events_query *which)
{
	struct control_stream *s = calloc(1, sizeof(*s) + which->backend.len + 1);
	struct MHD_Response *r;

	if (s == NULL)
		return NULL;
	s->c = c;
	s->events = events;
	s->which = *which;
	if (which->backend.len > 0)
		memcpy(s->backend, which->backend.ptr, which->backend.len);
	s->which.backend = str_of(s->backend, which->backend.len);
	s->text = buf_make(TEXT_MAX);
	s->beat = true; /* so that the head goes out at once */
	enlist(s, to);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CONTROL_STREAM_CHUNK, on_wanted, s, on_over);
	if (r == NULL)
		on_over(s);
	return r;
}

void
control_streams_wake(struct control_streams *to, bool beat)
{
	for (struct control_stream *s = to->first; s != NULL; s = s->next) {
		s->beat = s->beat || beat;
		if (!s->sleeps)
			continue;
		s->sleeps = false;
		MHD_resume_connection(s->c);
	}
}
