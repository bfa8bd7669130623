/*
 * /v1/plan: the plan of the last pass.
 *
 * Once it was carried out and read back there is nothing left of it: what stays is what
 * HAProxy refuses, what waits, and, with haproxy.apply: false, all of it.
 */
#include "config.h"

#include "control/control_plan.h"

#include "control/control_backends.h"
#include "control/control_json.h"
#include "hap/hap_text.h"

static const char *
maint_reason(const struct plan_step *st)
{
	if (st->is_vacant)
		return "the slot has no address, and would fail each of its calls";
	if (st->by_operator)
		return "an operator asked for it";
	if (st->is_respec)
		return "it comes back with the settings that the configuration has now";
	return control_backends_leaving_text(st->evidence);
}

static const char *
step_reason(const struct plan_step *st)
{
	switch (st->kind) {
	case PLAN_BACKEND:
		return "HAProxy does not have this managed backend";
	case PLAN_PUBLISH:
		return "the backend is not open for calls yet";
	case PLAN_UNPUBLISH:
	case PLAN_UNMAKE:
		return "nothing asks for this managed backend any more, and it has no server and no route";
	case PLAN_CA:
		return "servers with TLS are to be checked against it";
	case PLAN_ADD:
	case PLAN_ADDRESS:
		return "a task that should serve has no server";
	case PLAN_CHECK:
		return "HAProxy is to check it before it takes a call";
	case PLAN_AGENT:
		return "only with its agent can it be ejected";
	case PLAN_EJECT:
		return "its calls fail, or an operator asked for it";
	case PLAN_UNEJECT:
		return "its ejection is over";
	case PLAN_WEIGHT:
		return "its weight is another now";
	case PLAN_MAXCONN:
		return "its limit of requests is another now";
	case PLAN_JOIN:
	case PLAN_GATE:
		return "it takes no call before its first passed check";
	case PLAN_READY:
		return "it is fit to take calls";
	case PLAN_DRAIN:
		return "an operator asked for it";
	case PLAN_MAINT:
		return maint_reason(st);
	case PLAN_SHUTDOWN:
		return "its drain_timeout is over, or its task is gone: what is still in flight is shut";
	case PLAN_DELETE:
		return "it has left, and has no streams any more";
	}
	return "";
}

static void
say_reason(const struct plan_step *st, struct buf *out)
{
	const struct desired_server *d = st->why;

	buf_put(out, str_from_cstr(step_reason(st)));
	if (d != NULL)
		buf_printf(out, "; task " STR_FMT " of " STR_FMT " at " STR_FMT ":%u", STR_ARG(d->task->id),
		    STR_ARG(d->task->group), STR_ARG(d->address), d->port);
}

static void
put_reason(struct control_json *w, const struct plan_step *st)
{
	struct buf text = buf_make(CONTROL_VIEW_MESSAGE_MAX);

	say_reason(st, &text);
	control_json_text(w, "reason", buf_str(&text));
	buf_free(&text);
}

/* The first line: what follows in a payload is a certificate. */
static void
say_command(const struct plan_step *st, size_t i, const struct actual *actual, struct buf *out)
{
	struct buf text = buf_make(HAP_TEXT_COMMAND_MAX);
	struct err e = ERR_INIT;
	struct str rest, line = STR("");

	if (hap_text_step(st, i, actual->major, actual->minor, &text, &e) == ERR_OK) {
		rest = buf_str(&text);
		(void)str_next(&rest, '\n', &line);
		buf_put(out, line);
	} else {
		buf_printf(out, "(not sent: %s)", e.msg);
	}
	buf_free(&text);
}

static void
put_command(struct control_json *w, const struct plan_step *st, size_t i, const struct actual *actual)
{
	struct buf text = buf_make(HAP_TEXT_COMMAND_MAX);

	say_command(st, i, actual, &text);
	control_json_text(w, "command", buf_str(&text));
	buf_free(&text);
}

static void
put_step(struct control_json *w, const struct plan_step *st, const struct actual *actual)
{
	size_t n = hap_text_n_commands(st);

	for (size_t i = 0; i < (n > 0 ? n : 1); i++) {
		control_json_object(w, NULL);
		put_command(w, st, i, actual);
		control_json_text(w, "backend", st->backend);
		control_json_text(w, "server", st->server);
		control_json_word(w, "evidence", evidence_name(st->evidence));
		put_reason(w, st);
		control_json_object_end(w);
	}
}

static bool
go_together(const struct plan_held *a, const struct plan_held *b)
{
	return str_eq(a->backend, b->backend) && a->evidence == b->evidence;
}

static void
put_held_group(struct control_json *w, const struct plan_held *held, size_t n)
{
	control_json_object(w, NULL);
	control_json_text(w, "backend", held->backend);
	control_json_array(w, "servers");
	for (size_t i = 0; i < n; i++)
		control_json_text(w, NULL, held[i].server);
	control_json_array_end(w);
	if (n == 1)
		control_json_text(w, "reason", held->message);
	else
		control_json_format(w, "reason", STR_FMT " (the first of %zu servers)", STR_ARG(held->message), n);
	control_json_object_end(w);
}

/* Those of one backend and evidence stand side by side, as the guard goes by backend. */
static size_t
count_together(const struct plan *p, size_t first)
{
	size_t n = 1;

	while (first + n < p->n_held && go_together(&p->held[first], &p->held[first + n]))
		n++;
	return n;
}

enum stage { STAGE_COMMANDS, STAGE_HELD };

/* `inner`: how far we are.  False: there are more. */
static bool
put_steps(struct control_slice *s, const struct plan *p, const struct actual *actual)
{
	const size_t n = p != NULL && actual != NULL ? p->n_steps : 0;

	while (s->inner < n && !control_slice_is_full(s))
		put_step(&s->w, &p->steps[s->inner++], actual);
	if (s->inner < n)
		return false;
	control_json_array_end(&s->w);
	control_json_array(&s->w, "held");
	s->inner = 0;
	s->stage = STAGE_HELD;
	return true;
}

static bool
put_held(struct control_slice *s, const struct plan *p)
{
	const size_t n = p != NULL ? p->n_held : 0;

	while (s->inner < n && !control_slice_is_full(s)) {
		const size_t together = count_together(p, s->inner);

		put_held_group(&s->w, &p->held[s->inner], together);
		s->inner += together;
	}
	return s->inner >= n;
}

static bool
put_plan(struct control_slice *s, const struct plan *p, const struct actual *actual)
{
	if (control_slice_begins(s)) {
		control_json_object(&s->w, NULL);
		control_json_array(&s->w, "commands");
	}
	if (s->stage == STAGE_COMMANDS && !put_steps(s, p, actual))
		return false;
	if (!put_held(s, p))
		return false;
	control_json_array_end(&s->w);
	control_json_object_end(&s->w);
	return true;
}

void
control_plan_put(const struct plan *p, const struct actual *actual, struct buf *out)
{
	struct control_slice s = { .w = control_json_make(out), .until = SIZE_MAX };

	(void)put_plan(&s, p, actual);
}

void
control_plan_print(const struct plan *p, const struct actual *actual, struct buf *out)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];
		const size_t n = hap_text_n_commands(st);

		for (size_t j = 0; j < (n > 0 ? n : 1); j++) {
			say_command(st, j, actual, out);
			buf_printf(out, "  # %s: ", evidence_name(st->evidence));
			say_reason(st, out);
			buf_put_u8(out, '\n');
		}
	}
	for (size_t i = 0; i < p->n_held; i++)
		buf_printf(out, "# kept: " STR_FMT "/" STR_FMT ": " STR_FMT "\n", STR_ARG(p->held[i].backend),
		    STR_ARG(p->held[i].server), STR_ARG(p->held[i].message));
	if (p->n_steps == 0)
		buf_put(out, STR("# nothing to do: HAProxy holds what it should\n"));
}

bool
control_plan_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	if (f->plan != NULL)
		return put_plan(s, f->plan, f->actual);
	control_view_error(
	    503, "not_ready", STR("no plan yet: a cluster of ECS and HAProxy must each have been read first"), ret);
	return true;
}
