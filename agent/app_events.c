/* Events: see app_events.h. */
#include "config.h"

#include "app_events.h"

#include <stdlib.h>

struct app_events {
	struct clk clk;
	struct control_events *list;
	struct control_track *track;
	uint64_t n;
	void (*woken)(void *arg);
	void *arg;
};

static void
log_event(enum log_level level, const struct control_event *ev)
{
	const bool of_sync = !str_eq(str_from_cstr(ev->kind), STR("config"));
	const char *room = of_sync ? "sync" : "main";

	/* An order names its server itself. */
	if (ev->server.len > 0 && !str_eq(str_from_cstr(ev->kind), STR("order")))
		log_at(level, room, STR_FMT "/" STR_FMT ": " STR_FMT, STR_ARG(ev->backend), STR_ARG(ev->server),
		    STR_ARG(ev->message));
	else if (ev->backend.len > 0 && str_eq(str_from_cstr(ev->kind), STR("backend")))
		log_at(level, room, "backend " STR_FMT ": " STR_FMT, STR_ARG(ev->backend), STR_ARG(ev->message));
	else
		log_at(level, room, STR_FMT, STR_ARG(ev->message));
}

static void
add(void *arg, enum log_level level, const struct control_event *draft)
{
	struct app_events *v = arg;

	v->n++;
	log_event(level, draft);
	if (control_events_add(v->list, draft) != NULL)
		v->woken(v->arg);
}

enum err_code
app_events_new(const struct clk *clk, void (*woken)(void *arg), void *arg, struct app_events **ret, struct err *e)
{
	struct app_events *v = calloc(1, sizeof(*v));
	enum err_code code;

	if (v == NULL)
		return err_set(e, ERR_NOMEM, "events");
	v->clk = *clk;
	v->woken = woken;
	v->arg = arg;
	code = control_events_new(clk_wall_ms(clk), &v->list, e);
	if (code == ERR_OK)
		code = control_track_new(&v->track, e);
	if (code != ERR_OK) {
		app_events_close(v);
		return code;
	}
	*ret = v;
	return ERR_OK;
}

void
app_events_close(struct app_events *v)
{
	if (v == NULL)
		return;
	control_track_free(v->track);
	control_events_free(v->list);
	free(v);
}

void
app_events_tell(struct app_events *v, enum log_level level, const char *kind, struct str backend, struct str text)
{
	const struct control_event draft = {
		.at_wall_ms = clk_wall_ms(&v->clk),
		.kind = kind,
		.backend = backend,
		.message = text,
	};

	add(v, level, &draft);
}

/* Empty: none is known. */
static struct str
task_of(const struct plan *p, struct str backend, struct str server)
{
	const struct plan_backend *b = p != NULL ? plan_find(p, backend) : NULL;

	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (str_eq(b->servers[i].actual->name, server))
			return b->servers[i].desired != NULL ? b->servers[i].desired->task->id : STR("");
	return STR("");
}

void
app_events_order(struct app_events *v, const struct plan *p, const struct reconcile_order *o, struct str said)
{
	struct buf text = buf_make(CONTROL_EVENTS_TEXT_MAX);

	buf_printf(&text, "an operator's order: " STR_FMT, STR_ARG(said));
	add(v, LOG_INFO,
	    &(struct control_event){
		.at_wall_ms = clk_wall_ms(&v->clk),
		.kind = "order",
		.backend = o->backend,
		.server = o->server,
		.task = task_of(p, o->backend, o->server),
		.message = buf_str(&text),
	    });
	buf_free(&text);
}

void
app_events_passed(struct app_events *v, const struct reconcile_view *view)
{
	const struct control_track_sink to = { .add = add, .arg = v };

	control_track_passed(v->track, view, clk_wall_ms(&v->clk), &to);
}

void
app_events_ran(struct app_events *v, const struct plan *p, const struct hap_exec_report *report, int64_t run_ms)
{
	const struct control_track_sink to = { .add = add, .arg = v };

	control_track_ran(v->track, p, report, run_ms, clk_wall_ms(&v->clk), &to);
}

const struct control_events *
app_events_list(const struct app_events *v)
{
	return v->list;
}

const struct control_track_counts *
app_events_counts(const struct app_events *v)
{
	return control_track_counts(v->track);
}

uint64_t
app_events_count(const struct app_events *v)
{
	return v->n;
}
