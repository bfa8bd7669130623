/* Drives the reconciler: see app_sync.h. */
#include "config.h"

#include "app_sync.h"

#include <stdlib.h>

#include "app_uneject.h"

#define APPLIED_FILE APP_STATE_APPLIED
#define OVERLAY_FILE "overlay.json"
/* Mostly the plan is carried out long before. */
#define PASSED_LATEST_MS 100

struct app_sync {
	struct clk clk;
	const struct conf *conf;
	const struct app_state *state;
	const struct hap_cas *cas;
	struct reconcile *reconcile;
	struct hap_exec *exec;
	struct loop_timer *wake, *latest;
	bool owes_passed;          /* a pass was made, and not told of yet */
	struct str *backend_names; /* of the last read */
	size_t n_backend_names;
	const struct plan *running; /* under way; null: none */
	int64_t began_ms;           /* monotonic: likewise */
	struct app_events *events;
	struct loop *loop;
	bool is_started, is_stopping;
	struct app_uneject *uneject; /* under way */
	loop_fn *stopped;
	void *stopped_arg;
	void (*passed)(void *arg, const struct reconcile_view *v);
	void (*seek)(void *arg);
	void (*contest)(void *arg);
	void *arg;
	struct reconcile_actions todo;
};

static void on_read(void *arg, struct actual *actual, const struct err *e);
static void on_run(void *arg, const struct hap_exec_report *report);
static void on_probe(void *arg, const struct hap_text_info *info, const struct err *e);

/* The configuration's, and those that labels ask for. */
static enum err_code
list_backends(struct app_sync *s, struct err *e)
{
	const struct desired *d = reconcile_wanted(s->reconcile);
	size_t n = d != NULL ? d->n_backends : s->conf->n_backends;
	struct str *names = calloc(n + 1, sizeof(*names));

	if (names == NULL)
		return err_set(e, ERR_NOMEM, "the names of backends");
	for (size_t i = 0; i < n; i++)
		names[i] = d != NULL ? d->backends[i].name : s->conf->backends[i].name;
	free(s->backend_names);
	s->backend_names = names;
	s->n_backend_names = n;
	return ERR_OK;
}

static enum err_code
ask_read(struct app_sync *s, struct err *e)
{
	struct hap_exec_want want = { .cas = s->cas != NULL && s->cas->n > 0 };
	enum err_code code = list_backends(s, e);

	want.backends = s->backend_names;
	want.n = s->n_backend_names;
	return code == ERR_OK ? hap_exec_read(s->exec, &want, on_read, s, e) : code;
}

static enum err_code
ask_run(struct app_sync *s, const struct plan *p, struct err *e)
{
	enum err_code code;

	s->running = p;
	s->began_ms = clk_mono_ms(&s->clk);
	code = hap_exec_run(s->exec, p, reconcile_view(s->reconcile).actual, on_run, s, e);
	if (code != ERR_OK)
		s->running = NULL;
	return code;
}

static enum err_code
ask(struct app_sync *s, const struct reconcile_actions *todo, struct err *e)
{
	if (todo->read)
		return ask_read(s, e);
	if (todo->execute != NULL)
		return ask_run(s, todo->execute, e);
	if (todo->probe)
		return hap_exec_probe(s->exec, on_probe, s, e);
	return ERR_OK;
}

/* ---- the files ---- */

static void
save(struct app_sync *s, enum reconcile_file file, const char *name, const struct buf *text, struct err *e)
{
	enum err_code code = e->code;

	if (code == ERR_OK && file == RECONCILE_APPLIED)
		code = app_state_write_in_turn(s->state, name, buf_str(text), e);
	else if (code == ERR_OK)
		code = app_state_write(s->state, name, buf_str(text), e);
	if (!reconcile_saved(s->reconcile, file, clk_mono_ms(&s->clk), e))
		return;
	if (code != ERR_OK)
		log_warn("sync", "%s; work goes on, and after a restart rollcalld knows what was written last", e->msg);
	else
		log_info("sync", "state_dir: %s is written again", name);
}

/* Before a command is sent that they tell of.  Holds first: a hand that applied.json
 * took for granted already would never be found again. */
static void
save_all(struct app_sync *s, const struct reconcile_actions *todo)
{
	struct buf applied = buf_make(APPLIED_TEXT_MAX), overlay = buf_make(OVERLAY_TEXT_MAX);
	struct err a = ERR_INIT, o = ERR_INIT;

	if (todo->save_overlay != NULL) {
		o.code = overlay_write(todo->save_overlay, &overlay, &o);
		save(s, RECONCILE_OVERLAY, OVERLAY_FILE, &overlay, &o);
	}
	if (todo->save_applied != NULL) {
		a.code = applied_write(todo->save_applied, &applied, &a);
		save(s, RECONCILE_APPLIED, APPLIED_FILE, &applied, &a);
	}
	buf_free(&applied);
	buf_free(&overlay);
}

static void
tell_note(struct app_sync *s, const struct reconcile_note *note)
{
	app_events_tell(s->events, note->level, "notice", note->backend, str_from_cstr(note->text));
}

static void
feed(struct app_sync *s, struct reconcile_event ev)
{
	struct reconcile_actions *todo = &s->todo;
	struct err e = ERR_INIT;

	if (s->is_stopping) {
		if (ev.kind == RECONCILE_ACTUAL)
			actual_free(ev.actual);
		return;
	}
	ev.mono_ms = clk_mono_ms(&s->clk);
	ev.wall_ms = clk_wall_ms(&s->clk);
	reconcile_feed(s->reconcile, &ev, todo);
	/* What the log promises must outlive a crash: written first. */
	save_all(s, todo);
	for (size_t i = 0; i < todo->n_notes; i++)
		tell_note(s, &todo->notes[i]);
	loop_timer_arm(s->wake, todo->wake_in_ms);
	if (todo->seek)
		s->seek(s->arg);
	if (todo->contest)
		s->contest(s->arg);
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
tell_passed(struct app_sync *s)
{
	const struct reconcile_view v = reconcile_view(s->reconcile);

	s->owes_passed = false;
	app_events_passed(s->events, &v);
	if (s->passed != NULL)
		s->passed(s->arg, &v);
}

/* HAProxy takes its time over the plan. */
static void
on_latest(void *arg)
{
	struct app_sync *s = arg;

	if (s->owes_passed)
		tell_passed(s);
}

static void
on_read(void *arg, struct actual *actual, const struct err *e)
{
	struct app_sync *s = arg;

	if (actual == NULL) {
		feed(s, (struct reconcile_event){ .kind = RECONCILE_READ_FAILED, .err = e });
		return;
	}
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ACTUAL, .actual = actual });
	if (s->is_stopping)
		return;
	s->owes_passed = true;
	/* Commands are not kept waiting by those who only want to know of them. */
	if (s->running != NULL)
		loop_timer_arm(s->latest, PASSED_LATEST_MS);
	else
		tell_passed(s);
}

static void
on_probe(void *arg, const struct hap_text_info *info, const struct err *e)
{
	if (info != NULL)
		feed(arg, (struct reconcile_event){ .kind = RECONCILE_PROBED, .info = info });
	else
		feed(arg, (struct reconcile_event){ .kind = RECONCILE_PROBE_FAILED, .err = e });
}

static void
on_run(void *arg, const struct hap_exec_report *report)
{
	struct app_sync *s = arg;
	const struct plan *p = MOVE(s->running);

	if (s->owes_passed && !s->is_stopping)
		tell_passed(s);
	app_events_ran(s->events, p, report, clk_mono_ms(&s->clk) - s->began_ms);
	feed(s, (struct reconcile_event){ .kind = RECONCILE_EXECUTED, .report = report });
}

/* ---- life ---- */

/* A file that cannot be read, or made sense of, is worth a line, and no more: then we
 * know as little as on the first day. */
static void
blame_file(const struct app_sync *s, const char *name, const struct err *why)
{
	struct err e = ERR_INIT;

	if (why->code == ERR_PARSE && app_state_set_aside(s->state, name, &e) == ERR_OK)
		log_warn(
		    "sync", "state_dir: %s is damaged (%s): kept as %s.damaged, and begun anew", name, why->msg, name);
	else
		log_warn("sync", "state_dir: %s cannot be used (%s): begun anew", name, why->msg);
}

static struct applied *
read_applied(const struct app_sync *s)
{
	struct buf text = buf_make(APPLIED_TEXT_MAX);
	struct applied *applied = NULL;
	struct err e = ERR_INIT;
	enum err_code code = app_state_read(s->state, APPLIED_FILE, &text, &e);

	if (code == ERR_OK && text.len > 0)
		code = applied_read(buf_str(&text), &applied, &e);
	if (code != ERR_OK)
		blame_file(s, APPLIED_FILE, &e);
	buf_free(&text);
	return applied;
}

static struct overlay *
read_overlay(const struct app_sync *s)
{
	struct buf text = buf_make(OVERLAY_TEXT_MAX);
	struct overlay *overlay = NULL;
	struct err e = ERR_INIT;
	enum err_code code = app_state_read(s->state, OVERLAY_FILE, &text, &e);

	if (code == ERR_OK && text.len > 0)
		code = overlay_read(buf_str(&text), &overlay, &e);
	if (code != ERR_OK)
		blame_file(s, OVERLAY_FILE, &e);
	buf_free(&text);
	return overlay;
}

/* By way of their texts: so they are read as strictly as from a file. */
static enum err_code
take_over(const struct app_sync *before, struct applied **ret_applied, struct overlay **ret_overlay, struct err *e)
{
	const struct reconcile_view v = reconcile_view(before->reconcile);
	struct buf text = buf_make(APPLIED_TEXT_MAX);
	enum err_code code = overlay_copy(v.overlay, ret_overlay, e);

	if (code == ERR_OK && v.applied != NULL) {
		code = applied_write(v.applied, &text, e);
		if (code == ERR_OK)
			code = applied_read(buf_str(&text), ret_applied, e);
	}
	buf_free(&text);
	if (code != ERR_OK) {
		overlay_free(*ret_overlay);
		*ret_overlay = NULL;
	}
	return code;
}

static enum err_code
remember(const struct app_sync *s, const struct app_sync *before, struct applied **ret_applied,
    struct overlay **ret_overlay, struct err *e)
{
	enum err_code code = ERR_OK;

	*ret_applied = NULL;
	*ret_overlay = NULL;
	if (before != NULL)
		code = take_over(before, ret_applied, ret_overlay, e);
	if (code == ERR_OK && *ret_applied == NULL)
		*ret_applied = read_applied(s);
	if (before == NULL)
		*ret_overlay = read_overlay(s);
	return code;
}

static enum err_code
make_reconcile(struct app_sync *s, const struct app_sync_config *config, struct err *e)
{
	struct reconcile_config with = {
		.conf = config->conf,
		.cas = config->cas != NULL ? config->cas->items : NULL,
		.n_cas = config->cas != NULL ? config->cas->n : 0,
		.may_add_backends = config->may_add_backends,
		.calm_ms = config->calm_ms,
		.defaults = config->conf->haproxy.managed_defaults,
		.made = config->made,
		.n_made = config->n_made,
		.is_routed = config->is_routed,
		.leads_to = config->leads_to,
		.routes_arg = config->arg,
	};
	enum err_code code = remember(s, config->before, &with.applied, &with.overlay, e);

	if (config->before != NULL && str_eq(config->before->conf->haproxy.socket, config->conf->haproxy.socket))
		with.before = config->before->reconcile;
	if (code == ERR_OK)
		code = reconcile_new(&with, &s->reconcile, e);

	if (code != ERR_OK) {
		applied_free(with.applied);
		overlay_free(with.overlay);
	}
	return code;
}

enum err_code
app_sync_new(struct loop *l, const struct app_sync_config *config, struct app_sync **ret, struct err *e)
{
	struct app_sync *s = calloc(1, sizeof(*s));
	const struct conf *conf = config->conf;
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "driving HAProxy");
	s->clk = loop_clk(l);
	s->loop = l;
	s->conf = conf;
	s->state = config->state;
	s->cas = config->cas;
	s->events = config->events;
	code = make_reconcile(s, config, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_wake, s, &s->wake, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_latest, s, &s->latest, e);
	if (code != ERR_OK) {
		app_sync_close(s);
		return code;
	}
	s->exec = config->exec;
	s->passed = config->passed;
	s->seek = config->seek;
	s->contest = config->contest;
	s->arg = config->arg;
	*ret = s;
	return ERR_OK;
}

void
app_sync_start(struct app_sync *s)
{
	s->is_started = true;
	feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
}

enum err_code
app_sync_eject(struct app_sync *s, const struct plan_ejections *all, struct err *e)
{
	enum err_code code = reconcile_eject(s->reconcile, all, e);

	if (code == ERR_OK && s->is_started)
		feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
	return code;
}

static void
on_unejected(void *arg, size_t n, const struct err *e)
{
	struct app_sync *s = arg;

	if (e != NULL)
		log_warn("sync", "who is ejected could not be put back (%s): `rollcalld --uneject` does it", e->msg);
	else if (n > 0)
		log_info("sync", "%zu ejected server(s) are put back for the time without rollcalld", n);
	s->stopped(s->stopped_arg);
}

/* Who is ejected may not have been read back yet: whoever can be counts. */
static bool
may_have_ejected(const struct reconcile_view *v)
{
	for (size_t i = 0; v->connected && v->actual != NULL && i < v->actual->n_backends; i++)
		for (size_t j = 0; j < v->actual->backends[i].n_servers; j++)
			if (v->actual->backends[i].servers[j].is_ours && v->actual->backends[i].servers[j].has_agent)
				return true;
	return false;
}

/* All that were read: the configuration's, and those that labels asked for. */
static enum err_code
put_back(struct app_sync *s, const struct actual *actual, struct err *e)
{
	struct str *names = calloc(actual->n_backends + 1, sizeof(*names));
	const struct app_uneject_of of = { .backends = names, .n = actual->n_backends };
	enum err_code code;

	if (names == NULL)
		return err_set(e, ERR_NOMEM, "putting back: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < of.n; i++)
		names[i] = actual->backends[i].name;
	code = app_uneject_new(s->loop, s->exec, of, on_unejected, s, &s->uneject, e);
	free(names);
	return code;
}

void
app_sync_stop(struct app_sync *s, loop_fn *done, void *arg)
{
	const struct reconcile_view v = reconcile_view(s->reconcile);
	struct err e = ERR_INIT;

	if (s->owes_passed) /* what the plan under way did is told by it */
		app_events_passed(s->events, &v);
	s->is_stopping = true;
	s->stopped = done;
	s->stopped_arg = arg;
	loop_timer_disarm(s->wake);
	loop_timer_disarm(s->latest);
	if (!s->conf->haproxy.apply || !may_have_ejected(&v))
		done(arg);
	else if (put_back(s, v.actual, &e) != ERR_OK)
		on_unejected(s, 0, &e);
}

void
app_sync_roster(struct app_sync *s, struct roster *r)
{
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = r });
}

enum err_code
app_sync_order(struct app_sync *s, const struct reconcile_order *o, struct buf *ret_said, struct err *e)
{
	enum err_code code = reconcile_order(s->reconcile, o, clk_wall_ms(&s->clk), ret_said, e);

	if (code == ERR_OK)
		feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
	return code;
}

void
app_sync_use_cas(struct app_sync *s, const struct hap_cas *cas)
{
	s->cas = cas;
	reconcile_use_cas(s->reconcile, cas->items, cas->n);
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
	loop_timer_close(s->latest);
	hap_exec_close(s->exec);
	app_uneject_close(s->uneject);
	reconcile_free(s->reconcile);
	free(s->backend_names);
	free(s);
}
