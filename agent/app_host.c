/* What outlives a configuration: see app_host.h. */
#include "config.h"

#include "app_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "app_agent.h"
#include "app_door.h"
#include "app_log.h"
#include "app_meter.h"
#include "app_roster.h"
#include "base/log.h"
#include "conf/conf_file.h"
#include "conf/conf_retire.h"
#include "control/control_json.h"
#include "control/control_plan.h"
#include "control/control_server.h"
#include "io/notify.h"
#include "label/label_conf.h"
#include "sync/reconcile_held.h"
#include "sync/reload.h"

#define SAID_MAX     ((size_t)4096)
#define PLAN_MAX     ((size_t)64 << 20)
#define REFUSED_SIZE 512

struct app_host {
	struct app_host_config config;
	struct loop *loop;
	struct clk clk;
	int64_t started_mono_ms, loaded_wall_ms;
	struct prng rnd;
	struct app_state *state;
	struct app_events *events;
	struct app_meter *meter;
	struct app_roster *roster;
	struct notify *notify; /* null: nobody wants to be told */
	struct app *app;
	struct control_server *control;
	struct app_door *door; /* null: none is asked for */
	struct app_agent *agent;
	struct control_problem problems[APP_MORE_PROBLEMS_MAX];
	struct arena *former;       /* of the configuration before: handles that are closing may still look at it */
	char refused[REFUSED_SIZE]; /* why the last file was not taken; empty: it was */
	uint64_t n_applied, n_refused;
	/* Backends that a forced reload takes from: released when they freeze for it, until then.
	 * They live in config.arena. */
	struct str *forced;
	size_t n_forced;
	int64_t forced_until_mono_ms;
	bool was_ready, is_stopping;
};

/* ---- what is shown ---- */

static size_t
list_problems(struct app_host *h)
{
	const struct {
		struct str where;
		const struct fault *fault;
	} all[APP_MORE_PROBLEMS_MAX] = {
		{ .where = STR("control.listen"), .fault = app_door_fault(h->door) },
		{ .where = STR("outlier.agent"), .fault = app_agent_fault(h->agent) },
	};
	size_t n = 0;

	for (size_t i = 0; i < APP_MORE_PROBLEMS_MAX; i++)
		if (all[i].fault != NULL && all[i].fault->on)
			h->problems[n++] = (struct control_problem){ .where = all[i].where,
				.message = str_from_cstr(all[i].fault->err.msg) };
	return n;
}

static void
tell_facts(void *arg, struct control_facts *ret)
{
	struct app_host *h = arg;

	app_tell(h->app, h->problems, list_problems(h), ret);
	h->was_ready = h->was_ready || ret->ready;
	ret->ready = h->was_ready;
	/* Each of its parts only grows, so that the sum tells of each. */
	ret->version += h->n_applied << 40;
	ret->started_mono_ms = h->started_mono_ms;
	ret->config_path = str_from_cstr(h->config.name);
	ret->config_loaded_wall_ms = h->loaded_wall_ms;
	ret->config_refused = str_from_cstr(h->refused);
	ret->events = app_events_list(h->events);
	ret->counts = app_events_counts(h->events);
	ret->process = (struct control_process){
		.events = app_events_count(h->events),
		.reloads_applied = h->n_applied,
		.reloads_refused = h->n_refused,
	};
	app_meter_read(h->meter, &ret->process);
}

static void
look(void *arg)
{
	const struct app_host *h = arg;

	app_examine(h->app);
}

static void
on_event(void *arg)
{
	const struct app_host *h = arg;

	control_server_wake(h->control);
	app_door_wake(h->door);
}

/* --force said so: what that file removes may go.  What AWS reports meanwhile may not. */
static void
release(struct app_host *h, struct str *backend)
{
	const struct reconcile_order order = {
		.kind = RECONCILE_RELEASE_BACKEND,
		.backend = *backend,
		.only_unexposed = true,
	};
	struct buf said = buf_make(SAID_MAX);
	struct err e = ERR_INIT;

	if (app_order(h->app, &order, &said, &e) != ERR_OK) {
		log_warn("main", "backend " STR_FMT " stays frozen: %s", STR_ARG(*backend), e.msg);
		*backend = STR(""); /* said once */
	}
	buf_free(&said);
}

static void
on_passed(void *arg, const struct reconcile_view *v)
{
	struct app_host *h = arg;

	h->was_ready = h->was_ready || v->ready;
	if (v->plan == NULL || clk_mono_ms(&h->clk) >= h->forced_until_mono_ms)
		return;
	for (size_t i = 0; i < h->n_forced; i++)
		if (reload_holds_back(v->plan, v->overlay, h->forced[i])) {
			release(h, &h->forced[i]);
			return; /* v is not what is so any more */
		}
}

/* ---- another configuration ---- */

/* What is read before it is taken. */
struct candidate {
	struct arena *arena;
	const struct conf *conf;
	struct app *app;
	struct desired *desired; /* of the tasks that are known; null: none are */
	struct plan *plan;       /* likewise */
	struct str *forced;      /* backends that lose more than they may */
	size_t n_forced;
};

static void
drop(struct candidate *c)
{
	plan_free(c->plan);
	desired_free(c->desired);
	arena_wipe(c->arena);
}

/* As long as nothing is known of HAProxy, it may hold servers of each. */
static bool
is_in_use(void *arg, struct str backend)
{
	const struct app_host *h = arg;
	const struct reconcile_view v = app_view(h->app);
	const struct plan_backend *b = v.plan != NULL ? plan_find(v.plan, backend) : NULL;

	return v.plan == NULL || (b != NULL && b->n_servers > 0);
}

static enum err_code
read_conf(struct app_host *h, struct candidate *c, struct err *e)
{
	struct conf_notes faults = { 0 };
	const struct conf *fresh;
	const char *name;

	if (conf_file_load(c->arena, h->config.path, h->config.env, &fresh, &name, &faults, e) != ERR_OK ||
	    label_conf_check(c->arena, fresh, &faults, e) != ERR_OK) {
		if (faults.n > 0)
			err_fill(e, ERR_CONF, 0, "%s:%u:%u: " STR_FMT, name, faults.notes[0].where.line,
			    faults.notes[0].where.column, STR_ARG(faults.notes[0].text));
		return ERR_REFUSED;
	}
	for (size_t i = 0; i < fresh->warnings.n; i++)
		log_warn("conf", "%s:%u:%u: " STR_FMT, name, fresh->warnings.notes[i].where.line,
		    fresh->warnings.notes[i].where.column, STR_ARG(fresh->warnings.notes[i].text));
	if (!conf_retire(c->arena, fresh, h->config.conf, is_in_use, h, &c->conf))
		return err_set(e, ERR_NOMEM, "reading %s", name);
	return ERR_OK;
}

/* What would be told to HAProxy, as far as is known: a backend that was not read yet is not
 * there. */
static enum err_code
make_plan(struct app_host *h, struct candidate *c, struct err *e)
{
	const struct reconcile_view v = app_view(h->app);
	const struct plan_memory nothing = { .n = 0 };
	const struct plan_rules rules = {
		.now_ms = clk_mono_ms(&h->clk),
		.applied = v.applied,
		.overlay = v.overlay,
		.defaults = c->conf->haproxy.managed_defaults,
	};
	struct desired_context in = { .conf = c->conf };
	struct reconcile_held held;
	enum err_code code;

	if (v.desired == NULL || v.actual == NULL)
		return ERR_OK;
	if (!reconcile_held_list(c->arena, v.applied, NULL, &held))
		return err_set(e, ERR_NOMEM, "reading the configuration");
	in.held = held.items;
	in.n_held = held.n;
	code = desired_derive_in(&in, v.desired->roster, &c->desired, e);
	if (code == ERR_OK)
		code = plan_diff(&rules, c->desired, v.actual, &nothing, &c->plan, e);
	if (code == ERR_OK)
		code = plan_guard(&rules, c->plan, e);
	return code;
}

/* What a backend would lose is not known before HAProxy was read. */
static enum err_code
refuse_unknown(const struct app_host *h, const struct candidate *c, struct err *e)
{
	for (size_t i = 0; i < c->conf->n_backends; i++) {
		const struct conf_backend *b = &c->conf->backends[i];

		if (b->retired && !conf_backend_by_name(h->config.conf, b->name)->retired)
			return err_set(e, ERR_REFUSED,
			    "it removes backend `" STR_FMT
			    "`, and what HAProxy holds of it is not known yet: try again in a moment, or "
			    "`rollcall reload --force` does it",
			    STR_ARG(b->name));
	}
	return ERR_OK;
}

static enum err_code
weigh_losses(struct app_host *h, bool force, struct candidate *c, struct err *e)
{
	const struct reconcile_view v = app_view(h->app);
	const size_t n = v.plan != NULL && c->desired != NULL ? v.plan->n_backends : 0;

	c->forced = ARENA_ARRAY(c->arena, struct str, n);
	if (c->forced == NULL)
		return err_set(e, ERR_NOMEM, "reading the configuration");
	if (v.plan == NULL && !force)
		return refuse_unknown(h, c, e);
	for (size_t i = 0; i < n; i++) {
		const struct reload_loss loss = reload_loss_of(v.plan, i, c->desired, c->conf);

		if (!reload_is_too_much(&loss))
			continue;
		if (!force)
			return err_set(e, ERR_REFUSED,
			    "it would take %zu of %zu servers from backend `" STR_FMT
			    "`, more than removal_limit (%u %%): `rollcall reload --force` does it",
			    loss.lost, loss.serving, STR_ARG(loss.backend), loss.limit);
		if (!arena_str(c->arena, loss.backend, &c->forced[c->n_forced++]))
			return err_set(e, ERR_NOMEM, "reading the configuration");
	}
	return ERR_OK;
}

/* What is bound for the life of the process. */
static enum err_code
check_fixed(const struct app_host *h, const struct candidate *c, struct err *e)
{
	const struct conf *now = h->config.conf;

	if (!str_eq(now->state_dir, c->conf->state_dir))
		return err_set(e, ERR_REFUSED, "another state_dir needs a restart of rollcalld");
	if (!str_eq(now->control.address, c->conf->control.address) || now->control.mode != c->conf->control.mode ||
	    !str_eq(now->control.group, c->conf->control.group))
		return err_set(e, ERR_REFUSED, "another control.socket, mode or group needs a restart of rollcalld");
	return ERR_OK;
}

static enum err_code
make_app(struct app_host *h, const struct conf *conf, const struct app *before, struct app **ret, struct err *e)
{
	const struct app_config with = {
		.conf = conf,
		.env = h->config.env,
		.seed = (uint64_t)prng_next(&h->rnd) << 32 | prng_next(&h->rnd),
		.state = h->state,
		.events = h->events,
		.listens = true,
		.roster = h->roster,
		.before = before,
		.passed = on_passed,
		.arg = h,
	};

	return app_new(h->loop, &with, ret, e);
}

/* The door belongs to the rooms no more than the socket does, but its place may change. */
static void
move_door(struct app_host *h, const struct conf *conf)
{
	const struct control_server_daemon control = { .facts = tell_facts, .look = look, .arg = h };
	struct err e = ERR_INIT;

	if (str_eq(h->config.conf->control_readonly, conf->control_readonly))
		return;
	app_door_close(h->door);
	h->door = NULL;
	if (app_door_new(h->loop, conf, &control, &h->door, &e) != ERR_OK)
		log_warn("main", "control.listen: %s", e.msg);
}

static void
take(struct app_host *h, struct candidate *c)
{
	struct app *old = h->app;

	move_door(h, c->conf);
	app_agent_keep(h->agent, c->conf);
	if (!h->config.debug && h->config.conf->log_level != c->conf->log_level)
		log_set_level(c->conf->log_level);
	h->app = c->app;
	app_inherit(h->app, old);
	app_close(old);
	arena_wipe(h->former);
	h->former = h->config.arena;
	h->config.arena = MOVE(c->arena);
	h->config.conf = c->conf;
	h->forced = c->forced;
	h->n_forced = c->n_forced;
	h->forced_until_mono_ms = clk_mono_ms(&h->clk) + RELOAD_CONSENT_MS;
	h->loaded_wall_ms = clk_wall_ms(&h->clk);
	app_start(h->app);
}

static void
show_plan(const struct app_host *h, const struct candidate *c, struct buf *out)
{
	control_plan_put(c->plan, app_view(h->app).actual, out);
}

/* Everything that can fail comes before anything changes. */
static enum err_code
consider(struct app_host *h, bool force, struct candidate *c, struct buf *plan, struct err *e)
{
	enum err_code code = read_conf(h, c, e);

	if (code == ERR_OK)
		code = check_fixed(h, c, e);
	if (code == ERR_OK)
		code = make_plan(h, c, e);
	if (code == ERR_OK)
		show_plan(h, c, plan);
	if (code == ERR_OK)
		code = weigh_losses(h, force, c, e);
	if (code == ERR_OK)
		code = make_app(h, c->conf, h->app, &c->app, e);
	return code;
}

static void
tell_refusal(struct app_host *h, const struct err *e)
{
	struct buf text = buf_make(SAID_MAX);

	h->n_refused++;
	(void)snprintf(h->refused, sizeof(h->refused), "%s", e->msg);
	buf_printf(&text, "the new configuration was refused: %s; the one before stays in use", e->msg);
	app_events_tell(h->events, LOG_WARN, "config", STR(""), buf_str(&text));
	buf_free(&text);
}

static void
notify_status(const struct app_host *h)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "%zu backends by %s%s", h->config.conf->n_backends, h->config.name,
	    h->refused[0] != '\0' ? "; a newer configuration was refused" : "");
	notify_ready(h->notify, text);
}

static enum err_code
apply(struct app_host *h, bool force, struct buf *said, struct buf *plan, struct err *e)
{
	struct candidate c = { .arena = arena_new(CONF_ARENA_MAX) };
	enum err_code code =
	    c.arena != NULL ? consider(h, force, &c, plan, e) : err_set(e, ERR_NOMEM, "reading the configuration");

	if (code != ERR_OK) {
		tell_refusal(h, e);
		drop(&c);
		return code;
	}
	take(h, &c);
	h->n_applied++;
	h->refused[0] = '\0';
	buf_printf(said, "%s is applied, configuration " STR_FMT, h->config.name, STR_ARG(h->config.conf->hash));
	app_events_tell(h->events, LOG_INFO, "config", STR(""), buf_str(said));
	drop(&c);
	return ERR_OK;
}

static enum err_code
reload(struct app_host *h, bool force, struct buf *said, struct buf *plan, struct err *e)
{
	enum err_code code;

	if (h->is_stopping)
		return err_set(e, ERR_REFUSED, "rollcalld is stopping");
	notify_reloading(h->notify);
	code = apply(h, force, said, plan, e);
	notify_status(h);
	return code;
}

/* ---- what an operator asks for ---- */

static void
refresh(struct app_host *h, struct buf *said)
{
	app_refresh(h->app);
	buf_put(said, STR("every cluster is read again, now"));
	app_events_tell(h->events, LOG_INFO, "order", STR(""), STR("an operator's order: every cluster is read again"));
}

static void
set_log_level(struct app_host *h, enum log_level level, struct buf *said)
{
	log_set_level(level);
	buf_printf(said, "the log has level %s until the next start", log_level_name(level));
	app_events_tell(h->events, LOG_INFO, "order", STR(""), buf_str(said));
}

static enum err_code
act(void *arg, const struct control_order *order, struct control_outcome *ret, struct err *e)
{
	struct app_host *h = arg;

	switch (order->kind) {
	case CONTROL_ORDER_SYNC:
		return app_order(h->app, &order->what, &ret->said, e);
	case CONTROL_ORDER_REFRESH:
		refresh(h, &ret->said);
		return ERR_OK;
	case CONTROL_ORDER_LOG:
		set_log_level(h, order->level, &ret->said);
		return ERR_OK;
	case CONTROL_ORDER_RELOAD:
		return reload(h, order->force, &ret->said, &ret->plan, e);
	}
	return err_set(e, ERR_ARG, "no such order");
}

void
app_host_reload(struct app_host *h)
{
	struct buf said = buf_make(SAID_MAX), plan = buf_make(PLAN_MAX);
	struct err e = ERR_INIT;

	/* Both outcomes are events. */
	(void)reload(h, false, &said, &plan, &e);
	buf_free(&said);
	buf_free(&plan);
}

/* ---- life ---- */

static void
on_recall(void *arg)
{
	const struct app_host *h = arg;

	app_recall(h->app);
}

static enum err_code
make_rooms(struct app_host *h, struct err *e)
{
	const struct control_server_daemon control = { .facts = tell_facts, .look = look, .act = act, .arg = h };
	enum err_code code = app_state_open(h->config.conf->state_dir, &h->state, e);

	if (code == ERR_OK)
		code = app_events_new(&h->clk, on_event, h, &h->events, e);
	if (code == ERR_OK)
		code = app_meter_new(h->loop, &h->meter, e);
	if (code == ERR_OK)
		code = app_roster_new(h->loop, h->state, on_recall, h, &h->roster, e);
	if (code == ERR_OK)
		code = notify_new(h->loop, h->config.env, &h->notify, e);
	if (code == ERR_OK)
		code = make_app(h, h->config.conf, NULL, &h->app, e);
	if (code == ERR_OK)
		code = control_server_new(h->loop, &h->config.conf->control, &control, &h->control, e);
	if (code == ERR_OK)
		code = app_door_new(h->loop, h->config.conf, &control, &h->door, e);
	if (code == ERR_OK)
		code = app_agent_new(h->loop, &h->agent, e);
	if (code == ERR_OK)
		app_agent_keep(h->agent, h->config.conf);
	return code;
}

enum err_code
app_host_new(struct loop *l, const struct app_host_config *config, struct app_host **ret, struct err *e)
{
	struct app_host *h = calloc(1, sizeof(*h));
	enum err_code code;

	if (h == NULL)
		return err_set(e, ERR_NOMEM, "starting");
	h->config = *config;
	h->config.arena = NULL;
	h->loop = l;
	h->clk = loop_clk(l);
	h->started_mono_ms = clk_mono_ms(&h->clk);
	h->loaded_wall_ms = clk_wall_ms(&h->clk);
	h->rnd = prng_make(config->seed);
	code = make_rooms(h, e);
	if (code != ERR_OK) {
		app_host_close(h);
		app_host_free(h);
		return code;
	}
	h->config.arena = config->arena;
	*ret = h;
	return ERR_OK;
}

void
app_host_start(struct app_host *h)
{
	app_start(h->app);
	notify_status(h);
}

void
app_host_stop(struct app_host *h, loop_fn *done, void *arg)
{
	h->is_stopping = true;
	notify_stopping(h->notify);
	app_roster_save(h->roster);
	app_stop(h->app, done, arg);
}

/* In reverse order of making; each tolerates not having been made. */
void
app_host_close(struct app_host *h)
{
	if (h == NULL)
		return;
	app_agent_close(h->agent);
	app_door_close(h->door);
	control_server_close(h->control);
	app_close(h->app);
	notify_close(h->notify);
	app_roster_close(h->roster);
	app_meter_close(h->meter);
	app_events_close(h->events);
	app_state_close(h->state);
}

void
app_host_free(struct app_host *h)
{
	if (h == NULL)
		return;
	arena_wipe(h->former);
	arena_wipe(h->config.arena);
	free(h);
}
