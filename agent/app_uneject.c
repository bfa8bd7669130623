/* Puts back whatever is ejected: see app_uneject.h. */
#include "config.h"

#include "app_uneject.h"

#include <stdio.h>
#include <stdlib.h>

#include "app_state.h"
#include "base/log.h"
#include "hap/hap_link.h"
#include "plan/applied.h"

struct app_uneject {
	struct hap_exec *exec;
	struct loop_timer *timer;
	struct str *names;
	struct actual *actual;
	struct plan *plan;
	app_uneject_fn *done;
	void *arg;
};

static void
finish(struct app_uneject *u, size_t n, const struct err *e)
{
	app_uneject_fn *done = MOVE(u->done);

	loop_timer_disarm(u->timer);
	if (done != NULL)
		done(u->arg, n, e);
}

static void
on_timer(void *arg)
{
	struct err e = ERR_INIT;

	err_fill(&e, ERR_TIMEOUT, 0, "HAProxy does not answer within %d s", (int)(APP_UNEJECT_MS / 1000));
	finish(arg, 0, &e);
}

static void
on_run(void *arg, const struct hap_exec_report *report)
{
	struct app_uneject *u = arg;
	struct err e = report->err;

	if (e.code == ERR_OK && report->is_other)
		err_fill(&e, ERR_REMOTE, 0, "HAProxy was restarted meanwhile: nothing is ejected there");
	else if (e.code == ERR_OK && report->refused > 0)
		e = report->refusals[0].err;
	finish(u, report->done, e.code != ERR_OK ? &e : NULL);
}

static void
on_read(void *arg, struct actual *actual, const struct err *failed)
{
	struct app_uneject *u = arg;
	struct err e = ERR_INIT;
	enum err_code code;

	u->actual = actual;
	if (actual == NULL) {
		finish(u, 0, failed);
		return;
	}
	code = plan_uneject_all(actual, &u->plan, &e);
	if (code == ERR_OK && u->plan->n_steps == 0) {
		finish(u, 0, NULL);
		return;
	}
	if (code == ERR_OK)
		code = hap_exec_run(u->exec, u->plan, actual, on_run, u, &e);
	if (code != ERR_OK)
		finish(u, 0, &e);
}

static enum err_code
begin(struct app_uneject *u, struct loop *l, struct app_uneject_of of, struct err *e)
{
	struct hap_exec_want want = { .n = of.n };
	enum err_code code = loop_timer_new(l, on_timer, u, &u->timer, e);

	u->names = calloc(of.n + 1, sizeof(*u->names));
	if (code == ERR_OK && u->names == NULL)
		code = err_set(e, ERR_NOMEM, "putting back: %s", err_text(ERR_NOMEM));
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < of.n; i++)
		u->names[i] = of.backends[i];
	want.backends = u->names;
	loop_timer_arm(u->timer, APP_UNEJECT_MS);
	return hap_exec_read(u->exec, &want, on_read, u, e);
}

enum err_code
app_uneject_new(struct loop *l, struct hap_exec *x, struct app_uneject_of of, app_uneject_fn *done, void *arg,
    struct app_uneject **ret, struct err *e)
{
	struct app_uneject *u = calloc(1, sizeof(*u));
	enum err_code code;

	if (u == NULL)
		return err_set(e, ERR_NOMEM, "putting back: %s", err_text(ERR_NOMEM));
	u->exec = x;
	u->done = done;
	u->arg = arg;
	code = begin(u, l, of, e);
	if (code != ERR_OK) {
		app_uneject_close(u);
		return code;
	}
	*ret = u;
	return ERR_OK;
}

void
app_uneject_close(struct app_uneject *u)
{
	if (u == NULL)
		return;
	loop_timer_close(u->timer);
	plan_free(u->plan);
	actual_free(u->actual);
	free(u->names);
	free(u);
}

/* ---- `rollcalld --uneject` ---- */

struct alone {
	struct hap_exec *exec;
	struct app_uneject *work;
	struct err err;
};

static void
on_done(void *arg, size_t n, const struct err *e)
{
	struct alone *a = arg;

	if (e != NULL)
		a->err = *e;
	else
		(void)printf("%zu server(s) put back\n", n);
	hap_exec_close(MOVE(a->exec));
	app_uneject_close(MOVE(a->work));
}

/* Of the last daemon; null: there is no such file, or nothing can be made of it. */
static struct applied *
read_applied(const struct conf *conf)
{
	struct buf text = buf_make(APPLIED_TEXT_MAX);
	struct applied *applied = NULL;
	struct app_state *state = NULL;
	struct err e = ERR_INIT;
	enum err_code code = app_state_look(conf->state_dir, &state, &e);

	if (code == ERR_OK)
		code = app_state_read(state, APP_STATE_APPLIED, &text, &e);
	if (code == ERR_OK && text.len > 0)
		code = applied_read(buf_str(&text), &applied, &e);
	if (code != ERR_OK)
		log_warn("main", "state_dir: %s cannot be used (%s): backends that only labels name are not looked at",
		    APP_STATE_APPLIED, e.msg);
	app_state_close(state);
	buf_free(&text);
	return applied;
}

/* conf's, and those made for labels.  An array of its own. */
static struct str *
list_backends(const struct conf *conf, const struct applied *applied, size_t *ret_n)
{
	size_t n_servers = applied != NULL ? applied->n_servers : 0, n = conf->n_backends;
	struct str *names = calloc(n + n_servers + 1, sizeof(*names));

	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		names[i] = conf->backends[i].name;
	for (size_t i = 0; i < n_servers; i++) { /* sorted by backend */
		struct str name = applied->servers[i].backend;

		if (conf_backend_by_name(conf, name) == NULL &&
		    (i == 0 || !str_eq(applied->servers[i - 1].backend, name)))
			names[n++] = name;
	}
	*ret_n = n;
	return names;
}

static enum err_code
start(struct alone *a, struct loop *l, const struct clk *clk, const struct conf *conf, struct app_uneject_of of,
    struct err *e)
{
	struct hap_link *link = NULL;
	enum err_code code = hap_link_socket_new(l, conf->haproxy.socket, &hap_link_default_limits, &link, e);

	if (code != ERR_OK)
		return code;
	code = hap_exec_new(link, clk, &a->exec, e);
	if (code != ERR_OK) {
		link->close(link);
		return code;
	}
	code = app_uneject_new(l, a->exec, of, on_done, a, &a->work, e);
	if (code != ERR_OK)
		hap_exec_close(MOVE(a->exec));
	return code;
}

static enum err_code
run(const struct conf *conf, struct app_uneject_of of, struct err *e)
{
	struct alone a = { .err = ERR_INIT };
	struct loop *l = NULL;
	struct clk clk;
	enum err_code code = loop_new(&l, e);

	if (code != ERR_OK)
		return code;
	clk = loop_clk(l);
	code = start(&a, l, &clk, conf, of, e);
	loop_run(l);
	loop_free(l);
	if (code == ERR_OK && a.err.code != ERR_OK) {
		code = a.err.code;
		if (e != NULL)
			*e = a.err;
	}
	return code;
}

enum err_code
app_uneject_run(const struct conf *conf, struct err *e)
{
	struct applied *applied = read_applied(conf);
	struct app_uneject_of of = { .n = 0 };
	struct str *names = list_backends(conf, applied, &of.n);
	enum err_code code;

	of.backends = names;
	code = names != NULL ? run(conf, of, e) : err_set(e, ERR_NOMEM, "putting back: %s", err_text(ERR_NOMEM));
	free(names);
	applied_free(applied);
	return code;
}
