/* The last events: see control_events.h. */
#include "config.h"

#include "control/control_events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_json.h"

struct control_events {
	struct control_event *ring[CONTROL_EVENTS_MAX]; /* by number modulo its size; null: none yet */
	uint64_t last_id;
	size_t n;
};

enum err_code
control_events_new(int64_t started_wall_ms, struct control_events **ret, struct err *e)
{
	struct control_events *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(e, ERR_NOMEM, "the list of events");
	/* One in a millisecond on the average, and the next start begins above. */
	r->last_id = started_wall_ms > 0 ? (uint64_t)started_wall_ms : 0;
	*ret = r;
	return ERR_OK;
}

void
control_events_free(struct control_events *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < CONTROL_EVENTS_MAX; i++)
		free(r->ring[i]);
	free(r);
}

static struct str
take_text(char **at, struct str s)
{
	struct str copy = str_of(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return copy;
}

/* One block: the event and its texts. */
static struct control_event *
copy_event(const struct control_event *draft)
{
	const struct str backend = str_first(draft->backend, CONTROL_EVENTS_TEXT_MAX);
	const struct str server = str_first(draft->server, CONTROL_EVENTS_TEXT_MAX);
	const struct str task = str_first(draft->task, CONTROL_EVENTS_TEXT_MAX);
	const struct str message = str_first(draft->message, CONTROL_EVENTS_TEXT_MAX);
	struct control_event *ev = malloc(sizeof(*ev) + backend.len + server.len + task.len + message.len);
	char *at;

	if (ev == NULL)
		return NULL;
	at = (char *)(ev + 1);
	*ev = *draft;
	ev->backend = take_text(&at, backend);
	ev->server = take_text(&at, server);
	ev->task = take_text(&at, task);
	ev->message = take_text(&at, message);
	return ev;
}

const struct control_event *
control_events_add(struct control_events *r, const struct control_event *draft)
{
	struct control_event *ev = copy_event(draft);
	struct control_event **place;

	if (ev == NULL)
		return NULL;
	ev->id = ++r->last_id;
	place = &r->ring[ev->id % CONTROL_EVENTS_MAX];
	free(*place);
	*place = ev;
	if (r->n < CONTROL_EVENTS_MAX)
		r->n++;
	return ev;
}

uint64_t
control_events_last_id(const struct control_events *r)
{
	return r->last_id;
}

static bool
fits(const struct control_event *ev, const struct control_events_query *q)
{
	return ev->at_wall_ms >= q->since_wall_ms && (q->backend.len == 0 || str_eq(ev->backend, q->backend));
}

const struct control_event *
control_events_next(const struct control_events *r, const struct control_events_query *q)
{
	uint64_t id = r->last_id - r->n;

	if (q->after_id > id)
		id = q->after_id;
	while (id < r->last_id) {
		const struct control_event *ev = r->ring[++id % CONTROL_EVENTS_MAX];

		if (fits(ev, q))
			return ev;
	}
	return NULL;
}

static void
put_event(struct control_json *w, const struct control_event *ev)
{
	control_json_object(w, NULL);
	control_json_number(w, "id", (int64_t)ev->id);
	control_json_time(w, "at", ev->at_wall_ms);
	control_json_word(w, "kind", ev->kind);
	control_json_text(w, "backend", ev->backend);
	control_json_text(w, "server", ev->server);
	control_json_text(w, "task", ev->task);
	control_json_word(w, "from", ev->from);
	control_json_word(w, "to", ev->to);
	control_json_word(w, "evidence", ev->evidence);
	control_json_text(w, "message", ev->message);
	control_json_object_end(w);
}

bool
control_events_put_next(struct control_json *w, const struct control_events *r, struct control_events_query *q)
{
	const struct control_event *ev = r != NULL ? control_events_next(r, q) : NULL;

	if (ev == NULL)
		return false;
	put_event(w, ev);
	q->after_id = ev->id;
	return true;
}

void
control_events_stream(const struct control_events *r, struct control_events_query *q, size_t enough, struct buf *out)
{
	const struct control_event *ev;

	while (out->len < enough && (ev = control_events_next(r, q)) != NULL) {
		struct control_json w = control_json_make(out);

		buf_printf(out, "id: %" PRIu64 "\ndata: ", ev->id);
		put_event(&w, ev);
		buf_put(out, STR("\n\n"));
		q->after_id = ev->id;
	}
}
