/* One look: see app_once.h. */
#include "config.h"

#include "app_once.h"

#include <stdio.h>

#include "app.h"
#include "control/control_doctor.h"
#include "control/control_plan.h"

#define LOOK_MS  INT64_C(100)
#define TEXT_MAX ((size_t)64 << 20)
#define PROBE_MS INT64_C(15000)

struct once {
	struct loop *loop;
	struct clk clk;
	int64_t started_mono_ms, until_ms;
	struct conf conf; /* a shadow of the configuration's */
	struct app_state *state;
	struct app_events *events;
	struct app *app;
	struct loop_timer *look;
	void (*print)(struct once *o);
	struct err *e;
	enum err_code code;
	bool was_probed;
	bool faults_will_do; /* what can't be read is worth a look, too */
};

static bool
knows_clusters(const struct roster *r, bool faults_will_do)
{
	for (size_t i = 0; r != NULL && i < r->n_clusters; i++) {
		const struct roster_cluster *c = &r->clusters[i];

		if (!c->was_read && !c->fault_is_permanent && !(faults_will_do && c->fault.on))
			return false;
	}
	return r != NULL;
}

static bool
has_seen_enough(const struct once *o)
{
	const struct reconcile_view v = app_view(o->app);

	if (!knows_clusters(v.roster, o->faults_will_do))
		return false;
	return v.plan != NULL || (o->faults_will_do && v.haproxy_fault->on);
}

/* ---- what is printed ---- */

static void
print(const struct buf *out)
{
	(void)fwrite(out->ptr, 1, out->len, stdout);
}

static void
blame(const struct once *o, const struct reconcile_view *v, struct err *e)
{
	err_fill(e, ERR_TIMEOUT, 0, "no plan within %d s", (int)(APP_ONCE_WAIT_MS / 1000));
	if (v->haproxy_fault->on)
		err_fill(e, ERR_CLOSED, 0, "no plan: HAProxy at " STR_FMT ": %s", STR_ARG(o->conf.haproxy.socket),
		    v->haproxy_fault->err.msg);
	for (size_t i = 0; v->roster != NULL && i < v->roster->n_clusters; i++)
		if (v->roster->clusters[i].fault.on)
			err_fill(e, ERR_REMOTE, 0, "no plan: cluster " STR_FMT ": %s",
			    STR_ARG(v->roster->clusters[i].name), v->roster->clusters[i].fault.err.msg);
}

static void
print_plan(struct once *o)
{
	const struct reconcile_view v = app_view(o->app);
	struct buf out = buf_make(TEXT_MAX);

	if (v.plan == NULL || !knows_clusters(v.roster, false)) {
		blame(o, &v, o->e);
		o->code = o->e->code;
		return;
	}
	control_plan_print(v.plan, v.actual, &out);
	print(&out);
	buf_free(&out);
}

static void
print_doctor(struct once *o)
{
	struct control_facts facts = { .started_mono_ms = o->started_mono_ms, .config_path = STR("the configuration") };
	struct buf out = buf_make(TEXT_MAX);

	app_tell(o->app, NULL, 0, &facts);
	if (!control_doctor_print(&facts, &out))
		o->code = err_set(o->e, ERR_REFUSED, "something is wrong");
	print(&out);
	buf_free(&out);
}

/* ---- life ---- */

static void
close_all(struct once *o)
{
	loop_timer_close(o->look);
	app_close(o->app);
	app_events_close(o->events);
	app_state_close(o->state);
}

static void
on_look(void *arg)
{
	struct once *o = arg;

	if (!o->was_probed && !has_seen_enough(o) && clk_mono_ms(&o->clk) < o->until_ms) {
		loop_timer_arm(o->look, LOOK_MS);
		return;
	}
	if (o->faults_will_do && !o->was_probed) {
		o->was_probed = true;
		app_examine(o->app);
		o->until_ms = clk_mono_ms(&o->clk) + PROBE_MS;
	}
	if (app_is_examining(o->app) && clk_mono_ms(&o->clk) < o->until_ms) {
		loop_timer_arm(o->look, LOOK_MS);
		return;
	}
	o->print(o);
	close_all(o);
}

static void
ignore_event(void *arg)
{
	(void)arg;
}

static void
ignore_pass(void *arg, const struct reconcile_view *v)
{
	(void)arg;
	(void)v;
}

static enum err_code
make(struct once *o, const struct env *env, uint64_t seed, struct err *e)
{
	struct app_config with = { .conf = &o->conf, .env = env, .seed = seed, .passed = ignore_pass, .arg = o };
	enum err_code code = app_state_look(o->conf.state_dir, &o->state, e);

	if (code == ERR_OK)
		code = app_events_new(&o->clk, ignore_event, o, &o->events, e);
	with.state = o->state;
	with.events = o->events;
	if (code == ERR_OK)
		code = app_new(o->loop, &with, &o->app, e);
	if (code == ERR_OK)
		code = loop_timer_new(o->loop, on_look, o, &o->look, e);
	return code;
}

/* Nobody may mistake us for the daemon: nothing is told, nothing listens. */
static struct conf
shadow_of(const struct conf *conf)
{
	struct conf shadow = *conf;

	shadow.haproxy.apply = false;
	shadow.has_spoe = false;
	shadow.has_tracing = false;
	return shadow;
}

static enum err_code
look_once(struct once *o, const struct env *env, uint64_t seed, struct err *e)
{
	enum err_code code = loop_new(&o->loop, e);

	if (code != ERR_OK)
		return code;
	o->clk = loop_clk(o->loop);
	o->started_mono_ms = clk_mono_ms(&o->clk);
	o->until_ms = o->started_mono_ms + APP_ONCE_WAIT_MS;
	o->e = e;
	code = make(o, env, seed, e);
	if (code == ERR_OK) {
		app_start(o->app);
		loop_timer_arm(o->look, LOOK_MS);
	} else {
		close_all(o);
	}
	loop_run(o->loop);
	loop_free(o->loop);
	return code != ERR_OK ? code : o->code;
}

enum err_code
app_once_plan(const struct conf *conf, const struct env *env, uint64_t seed, struct err *e)
{
	struct once o = { .conf = shadow_of(conf), .print = print_plan };

	return look_once(&o, env, seed, e);
}

enum err_code
app_once_doctor(const struct conf *conf, const struct env *env, uint64_t seed, struct err *e)
{
	struct once o = { .conf = shadow_of(conf), .print = print_doctor, .faults_will_do = true };

	return look_once(&o, env, seed, e);
}
