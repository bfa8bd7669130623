/* Puts back whatever is ejected: see app_uneject.h. */
#include "config.h"

#include "app_uneject.h"

#include <stdio.h>
#include <stdlib.h>

#include "hap/hap_link.h"

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
begin(struct app_uneject *u, struct loop *l, const struct conf *conf, struct err *e)
{
	struct hap_exec_want want = { .n = conf->n_backends };
	enum err_code code = loop_timer_new(l, on_timer, u, &u->timer, e);

	u->names = calloc(conf->n_backends + 1, sizeof(*u->names));
	if (code == ERR_OK && u->names == NULL)
		code = err_set(e, ERR_NOMEM, "putting back: %s", err_text(ERR_NOMEM));
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < conf->n_backends; i++)
		u->names[i] = conf->backends[i].name;
	want.backends = u->names;
	loop_timer_arm(u->timer, APP_UNEJECT_MS);
	return hap_exec_read(u->exec, &want, on_read, u, e);
}

enum err_code
app_uneject_new(struct loop *l, struct hap_exec *x, const struct conf *conf, app_uneject_fn *done, void *arg,
    struct app_uneject **ret, struct err *e)
{
	struct app_uneject *u = calloc(1, sizeof(*u));
	enum err_code code;

	if (u == NULL)
		return err_set(e, ERR_NOMEM, "putting back: %s", err_text(ERR_NOMEM));
	u->exec = x;
	u->done = done;
	u->arg = arg;
	code = begin(u, l, conf, e);
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

static enum err_code
start(struct alone *a, struct loop *l, const struct clk *clk, const struct conf *conf, struct err *e)
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
	code = app_uneject_new(l, a->exec, conf, on_done, a, &a->work, e);
	if (code != ERR_OK)
		hap_exec_close(MOVE(a->exec));
	return code;
}

enum err_code
app_uneject_run(const struct conf *conf, struct err *e)
{
	struct alone a = { .err = ERR_INIT };
	struct loop *l = NULL;
	struct clk clk;
	enum err_code code = loop_new(&l, e);

	if (code != ERR_OK)
		return code;
	clk = loop_clk(l);
	code = start(&a, l, &clk, conf, e);
	loop_run(l);
	loop_free(l);
	if (code == ERR_OK && a.err.code != ERR_OK) {
		code = a.err.code;
		if (e != NULL)
			*e = a.err;
	}
	return code;
}
