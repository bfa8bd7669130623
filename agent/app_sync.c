/* Drives the reconciler: see app_sync.h. */
#include "config.h"

#include "app_sync.h"

#include <stdlib.h>

struct app_sync {
	struct clk clk;
	const struct conf *conf;
	struct reconcile *reconcile;
	struct hap_exec *exec;
	struct loop_timer *wake;
	struct str *backend_names;
	const struct plan *running; /* under way; null: none */
	struct reconcile_actions todo;
};

static void on_read(void *arg, struct actual *actual, const struct err *e);
static void on_run(void *arg, const struct hap_exec_report *report);
static void on_probe(void *arg, const struct hap_text_info *info, const struct err *e);

static enum err_code
ask(struct app_sync *s, const struct reconcile_actions *todo, struct err *e)
{
	if (todo->read)
		return hap_exec_read(s->exec, s->backend_names, s->conf->n_backends, on_read, s, e);
	if (todo->execute != NULL) {
		s->running = todo->execute;
		return hap_exec_run(s->exec, todo->execute, on_run, s, e);
	}
	if (todo->probe)
		return hap_exec_probe(s->exec, on_probe, s, e);
	return ERR_OK;
}

static void
feed(struct app_sync *s, struct reconcile_event ev)
{
	struct reconcile_actions *todo = &s->todo;
	struct err e = ERR_INIT;

	ev.mono_ms = clk_mono_ms(&s->clk);
	ev.wall_ms = clk_wall_ms(&s->clk);
	reconcile_feed(s->reconcile, &ev, todo);
	for (size_t i = 0; i < todo->n_notes; i++)
		log_at(todo->notes[i].level, "sync", "%s", todo->notes[i].text);
	loop_timer_arm(s->wake, todo->wake_in_ms);
	if (ask(s, todo, &e) == ERR_OK)
		return;
	/* It could not even be asked: the same as no answer, and not asked again at once. */
	feed(s, (struct reconcile_event){ .kind = RECONCILE_READ_FAILED, .err = &e });
}

static void
on_wake(void *arg)
{
	feed(arg, (struct reconcile_event){ .kind = RECONCILE_TICK });
}

static void
on_read(void *arg, struct actual *actual, const struct err *e)
{
	if (actual != NULL)
		feed(arg, (struct reconcile_event){ .kind = RECONCILE_ACTUAL, .actual = actual });
	else
		feed(arg, (struct reconcile_event){ .kind = RECONCILE_READ_FAILED, .err = e });
}

static void
on_probe(void *arg, const struct hap_text_info *info, const struct err *e)
{
	if (info != NULL)
		feed(arg, (struct reconcile_event){ .kind = RECONCILE_PROBED, .info = info });
	else
		feed(arg, (struct reconcile_event){ .kind = RECONCILE_PROBE_FAILED, .err = e });
}

/* ---- each change of a server is a line in the log ---- */

static const char *
what_happens(const struct plan_step *st)
{
	switch (st->kind) {
	case PLAN_JOIN:
		return "joins; it takes no call before its first passed check";
	case PLAN_READY:
		return "takes calls";
	case PLAN_MAINT:
		return st->is_vacant ? "has no address: closed, as it would fail each of its calls"
				     : "drains: no new call, what is in flight goes on";
	case PLAN_SHUTDOWN:
		return "its last streams are shut";
	case PLAN_ADDRESS:
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
		return NULL;
	}
	return NULL;
}

static bool
was_refused(const struct hap_exec_report *report, const struct plan_step *st)
{
	for (size_t i = 0; i < report->n_refusals; i++)
		if (report->refusals[i].step == st)
			return true;
	return false;
}

/* The report lists no more than the first refusals: is each of them in it? */
static bool
lists_all_refusals(const struct hap_exec_report *report)
{
	return report->refused + report->gone == report->n_refusals;
}

static void
log_step(const struct plan_step *st)
{
	const char *what = what_happens(st);
	const struct desired_server *d = st->why;

	if (what == NULL)
		return;
	if (d == NULL)
		log_info("sync", STR_FMT "/" STR_FMT ": %s", STR_ARG(st->backend), STR_ARG(st->server), what);
	else
		log_info("sync",
		    STR_FMT "/" STR_FMT ": %s; task " STR_FMT " of " STR_FMT " at " STR_FMT ":%u, evidence %s",
		    STR_ARG(st->backend), STR_ARG(st->server), what, STR_ARG(d->task->id), STR_ARG(d->task->group),
		    STR_ARG(d->address), d->port, evidence_name(st->evidence));
}

static void
log_steps(const struct plan *p, const struct hap_exec_report *report)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (!was_refused(report, &p->steps[i]))
			log_step(&p->steps[i]);
}

/* The plan was made for the process that was read; between the two it may have been
 * replaced, and the next read tells what the new one lacks. */
static bool
went_to_another(const struct app_sync *s, const struct hap_exec_report *report)
{
	const struct actual *planned_for = reconcile_view(s->reconcile).actual;

	return report->pid != 0 &&
	       (planned_for->pid != report->pid || planned_for->start_time_s != report->start_time_s);
}

static void
on_run(void *arg, const struct hap_exec_report *report)
{
	struct app_sync *s = arg;
	const struct plan *p = MOVE(s->running);

	if (report->err.code == ERR_OK && went_to_another(s, report))
		log_info("sync",
		    "HAProxy was replaced while it was told of %zu changes; it is read back and told again",
		    p->n_steps);
	else if (report->err.code == ERR_OK && lists_all_refusals(report))
		log_steps(p, report);
	else if (report->err.code == ERR_OK) /* else the reconciler says what is wrong */
		log_info("sync", "HAProxy carried out %zu of %zu commands", report->done, p->n_steps);
	feed(s, (struct reconcile_event){ .kind = RECONCILE_EXECUTED, .report = report });
}

/* ---- life ---- */

enum err_code
app_sync_new(struct loop *l, const struct conf *conf, struct hap_exec *exec, struct app_sync **ret, struct err *e)
{
	struct app_sync *s = calloc(1, sizeof(*s));
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "driving HAProxy");
	s->clk = loop_clk(l);
	s->conf = conf;
	s->backend_names = calloc(conf->n_backends + 1, sizeof(*s->backend_names));
	code =
	    s->backend_names != NULL ? reconcile_new(conf, &s->reconcile, e) : err_set(e, ERR_NOMEM, "backend names");
	if (code == ERR_OK)
		code = loop_timer_new(l, on_wake, s, &s->wake, e);
	if (code != ERR_OK) {
		app_sync_close(s);
		return code;
	}
	for (size_t i = 0; i < conf->n_backends; i++)
		s->backend_names[i] = conf->backends[i].name;
	s->exec = exec;
	*ret = s;
	return ERR_OK;
}

void
app_sync_start(struct app_sync *s)
{
	feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
}

void
app_sync_roster(struct app_sync *s, struct roster *r)
{
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = r });
}

const struct reconcile *
app_sync_reconcile(const struct app_sync *s)
{
	return s->reconcile;
}

void
app_sync_close(struct app_sync *s)
{
	if (s == NULL)
		return;
	loop_timer_close(s->wake);
	hap_exec_close(s->exec);
	reconcile_free(s->reconcile);
	free(s->backend_names);
	free(s);
}
