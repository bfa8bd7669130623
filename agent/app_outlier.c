/* Outlier detection in the daemon: see app_outlier.h. */
#include "config.h"

#include "app_outlier.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

#define OUTLIER_FILE  "outlier.json"
#define SAVE_EVERY_MS (OUTLIER_RESUME_MS / 3) /* its age tells whether it may be resumed */

struct app_outlier {
	struct clk clk;
	const struct conf *conf;
	const struct app_state *state;
	struct app_sync *sync;
	struct outlier *detector;
	struct spop_server *spop; /* null: not configured */
	struct outlier_notes notes;
	int64_t saved_ms;
	bool has_file; /* with somebody in it */
	struct fault save_fault;
};

static void
on_message(void *arg, const struct spop_message *m)
{
	struct app_outlier *a = arg;

	outlier_message(a->detector, m);
}

/* ---- the file ---- */

void
app_outlier_save(struct app_outlier *a)
{
	struct buf text = buf_make(OUTLIER_TEXT_MAX);
	struct plan_ejections now;
	struct err e = ERR_INIT;
	enum err_code code = outlier_write(a->detector, clk_wall_ms(&a->clk), &text, &e);

	if (code == ERR_OK)
		code = app_state_write(a->state, OUTLIER_FILE, buf_str(&text), &e);
	buf_free(&text);
	outlier_ejections(a->detector, &now);
	a->saved_ms = clk_mono_ms(&a->clk);
	a->has_file = now.n > 0;
	if (code != ERR_OK && fault_raise(&a->save_fault, a->saved_ms, &e))
		log_warn("outlier", "%s; after a restart who is ejected now takes calls again", e.msg);
	else if (code == ERR_OK)
		(void)fault_clear(&a->save_fault);
}

static void
resume(struct app_outlier *a)
{
	struct buf text = buf_make(OUTLIER_TEXT_MAX);
	struct err e = ERR_INIT;
	size_t n = 0;
	enum err_code code = app_state_read(a->state, OUTLIER_FILE, &text, &e);

	if (code == ERR_OK && text.len > 0)
		code = outlier_resume(a->detector, buf_str(&text), clk_mono_ms(&a->clk), clk_wall_ms(&a->clk), &n, &e);
	if (code == ERR_PARSE && a->conf->haproxy.apply)
		(void)!app_state_set_aside(a->state, OUTLIER_FILE, NULL);
	if (code != ERR_OK)
		log_warn("outlier", "state_dir: %s cannot be used (%s): nobody is ejected", OUTLIER_FILE, e.msg);
	else if (n > 0 && a->conf->haproxy.apply)
		log_info("outlier", "%zu server(s) ejected again, as before the restart", n);
	buf_free(&text);
}

/* ---- a pass ---- */

static void
log_note(const struct outlier_note *n)
{
	const char *who = n->is_observed ? " (only observed)" : "";

	if (!n->is_ejection)
		log_info("outlier", STR_FMT "/" STR_FMT ": its ejection is over%s", STR_ARG(n->backend),
		    STR_ARG(n->server), who);
	else
		log_warn("outlier", STR_FMT "/" STR_FMT ": an outlier%s for %" PRId64 " s: %s", STR_ARG(n->backend),
		    STR_ARG(n->server), who, n->for_ms / 1000, n->because);
}

static void
tell_sync(struct app_outlier *a)
{
	struct plan_ejections now;
	struct err e = ERR_INIT;

	outlier_ejections(a->detector, &now);
	if (app_sync_eject(a->sync, &now, &e) != ERR_OK)
		log_warn("outlier", "%s; tried again with the next change", e.msg);
}

void
app_outlier_passed(struct app_outlier *a, const struct reconcile_view *v)
{
	int64_t now_ms = clk_mono_ms(&a->clk);
	bool changed;

	if (v->plan == NULL || v->actual == NULL || v->actual->stopping)
		return;
	changed = outlier_pass(a->detector, v->actual, v->plan, now_ms, clk_wall_ms(&a->clk), &a->notes);
	for (size_t i = 0; i < a->notes.n; i++)
		log_note(&a->notes.items[i]);
	if (changed)
		tell_sync(a);
	if (a->conf->haproxy.apply && (changed || (a->has_file && now_ms - a->saved_ms >= SAVE_EVERY_MS)))
		app_outlier_save(a);
}

enum err_code
app_outlier_order(struct app_outlier *a, const struct reconcile_order *o, struct buf *ret_said, struct err *e)
{
	const struct reconcile_view v = reconcile_view(app_sync_reconcile(a->sync));
	int64_t now_ms = clk_mono_ms(&a->clk);
	enum err_code code = ERR_OK;

	if (!a->conf->haproxy.apply)
		return err_set(e, ERR_REFUSED, "haproxy.apply is false: rollcall only watches, and changes nothing");
	if (v.plan == NULL)
		return err_set(e, ERR_REFUSED, "what HAProxy holds is not known yet: try again in a moment");
	if (o->kind == RECONCILE_EJECT_SERVER)
		code = outlier_eject(
		    a->detector, v.plan, o->backend, o->server, now_ms, clk_wall_ms(&a->clk), o->for_ms, ret_said, e);
	else
		outlier_uneject(a->detector, o->backend, o->server, now_ms, ret_said);
	if (code != ERR_OK)
		return code;
	app_outlier_save(a);
	tell_sync(a);
	return ERR_OK;
}

/* ---- what is shown ---- */

const struct outlier *
app_outlier_detector(const struct app_outlier *a)
{
	return a->detector;
}

bool
app_outlier_spop(const struct app_outlier *a, struct spop_server_view *ret)
{
	if (a->spop == NULL)
		return false;
	*ret = spop_server_view(a->spop);
	return true;
}

/* ---- life ---- */

static struct listener_at
place_of(const struct conf_listen *where)
{
	return (struct listener_at){
		.address = where->address, .mode = where->mode, .group = where->group, .key = "spoe.listen"
	};
}

static enum err_code
make_spop(struct app_outlier *a, struct loop *l, struct err *e)
{
	const struct listener_at at = place_of(&a->conf->spoe);

	return a->conf->has_spoe ? spop_server_new(l, &at, &a->spop, e) : ERR_OK;
}

enum err_code
app_outlier_new(struct loop *l, const struct conf *conf, const struct app_state *state, struct app_sync *sync,
    struct app_outlier **ret, struct err *e)
{
	struct app_outlier *a = calloc(1, sizeof(*a));
	enum err_code code;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "outlier detection");
	a->clk = loop_clk(l);
	a->conf = conf;
	a->state = state;
	a->sync = sync;
	code = outlier_new(&a->detector, e);
	if (code == ERR_OK)
		code = make_spop(a, l, e);
	if (code != ERR_OK) {
		app_outlier_close(a);
		return code;
	}
	/* Where nothing is told, too: a plan must not put back whom the daemon beside it ejected. */
	resume(a);
	tell_sync(a);
	*ret = a;
	return ERR_OK;
}

void
app_outlier_inherit(struct app_outlier *a, struct app_outlier *before)
{
	const struct listener_at at = place_of(&a->conf->spoe);
	struct spop_server *fresh = a->spop;

	if (fresh == NULL || before->spop == NULL || !spop_server_is_at(before->spop, &at))
		return;
	a->spop = before->spop;
	before->spop = fresh;
	spop_server_hear(a->spop, on_message, a);
}

void
app_outlier_start(struct app_outlier *a)
{
	if (a->spop == NULL)
		return;
	spop_server_hear(a->spop, on_message, a);
	spop_server_listen(a->spop);
}

void
app_outlier_close(struct app_outlier *a)
{
	if (a == NULL)
		return;
	spop_server_close(a->spop);
	outlier_free(a->detector);
	free(a);
}
