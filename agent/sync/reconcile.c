/*
 * The reconciler: see reconcile.h.
 *
 * One thing is asked of HAProxy at a time (enum asked).  Between them `next_ms`
 * says when to look again; whatever makes a look worthwhile sooner (a roster,
 * another process, a drain that ends) pulls it forward.
 */
#include "config.h"

#include "sync/name_set.h"
#include "sync/reconcile.h"
#include "sync/reconcile_ahead.h"
#include "sync/reconcile_held.h"
#include "sync/reconcile_sought.h"
#include "sync/reconcile_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rfc3339.h"

#define RETRY_FIRST_MS   INT64_C(250)
#define RETRY_LAST_MS    INT64_C(1000) /* HAProxy is next door: asking is cheap */
#define REFUSED_FIRST_MS INT64_C(1000)
#define REFUSED_LAST_MS  INT64_C(30000) /* the same commands are refused again: no hurry */
#define PROCESSES_KNOWN  4              /* that answered last */
#define TURNS_MIN        3              /* an old worker may answer once more while it hands over */
#define TURNS_OVER_MS    INT64_C(10000) /* so long nobody else has answered */
#define FINDINGS_TOLD    8              /* of one pass, in a line each */

enum asked { ASKED_NOTHING, ASKED_READ, ASKED_EXECUTE, ASKED_PROBE };

struct process {
	uint64_t pid, start_time_s;
};

struct reconcile {
	struct reconcile_config config;
	const struct conf *conf;
	struct reconcile_state state;
	struct roster *roster;
	struct desired *desired;
	struct actual *actual;
	struct plan *plan;
	uint64_t version; /* of these four */
	int64_t plan_ms;  /* when it was made */
	bool plan_ran;    /* it was carried out */
	struct plan_ejections ejections;
	struct arena *ejections_arena;
	bool roster_is_new; /* desired was not derived from it yet */
	struct reconcile_ahead ahead;
	struct ecs_sought sought;

	enum asked asked;
	bool look_now;
	int64_t calm_ms;
	int64_t next_ms, probe_ms;
	unsigned rounds;         /* plans carried out since the last calm moment */
	uint64_t ran_steps;      /* steps_mark of the last of them */
	unsigned failed_reads;   /* in a row */
	unsigned refused_runs;   /* likewise */
	uint64_t refused_steps;  /* what was refused last, in part at least: steps_mark of that plan */
	int64_t refused_till_ms; /* not tried again before */
	uint64_t pid, start_time_s;
	struct process former[PROCESSES_KNOWN]; /* the last first */
	unsigned turns;                         /* how often one of them was back, in a row */
	int64_t met_ms;                         /* when another one answered */
	bool brings_back;                       /* nothing was carried out there since */

	bool connected, in_step, ready;
	int64_t last_sync_wall_ms;
	struct fault haproxy_fault, turns_fault, run_fault, derive_fault, hold_fault;
	struct fault *backend_faults, label_fault;
	/* Label-made backends: those that we, or an earlier run, made, as HAProxy did not have them before;
	 * and those that it has of itself, which labels may not have. */
	struct name_set made, foreign;
	struct name_set named;    /* that this process keeps, as lines of its configuration name them */
	struct name_set forsaken; /* told of: nobody asks for them, and they hold servers of ours */
};

/* ---- whom the roster does not know ---- */

static struct reconcile_served
served(const struct reconcile *r)
{
	return (struct reconcile_served){
		.roster = r->roster,
		.plan = r->plan,
		.actual = r->actual,
		.applied = r->state.applied,
		.former = r->state.former,
	};
}

/* Without memory for it the next pass tries again. */
static bool
seek(struct reconcile *r)
{
	const struct reconcile_served now = served(r);
	bool is_new = false;

	return reconcile_sought_renew(&r->sought, &now, &is_new, NULL) == ERR_OK && is_new;
}

const struct ecs_sought *
reconcile_sought(const struct reconcile *r)
{
	return &r->sought;
}

const struct ecs_contest *
reconcile_contest(const struct reconcile *r)
{
	return r->desired != NULL ? &r->desired->contest : NULL;
}

/* ---- life ---- */

enum err_code
reconcile_new(const struct reconcile_config *config, struct reconcile **ret, struct err *e)
{
	struct reconcile *r = calloc(1, sizeof(*r));
	enum err_code code = ERR_OK;

	if (r != NULL)
		r->backend_faults = calloc(config->conf->n_backends + 1, sizeof(*r->backend_faults));
	if (r == NULL || r->backend_faults == NULL)
		code = err_set(e, ERR_NOMEM, "the reconciler");
	if (code == ERR_OK)
		code = reconcile_state_init(&r->state, config, e);
	if (code != ERR_OK) {
		if (r != NULL)
			free(r->backend_faults);
		free(r);
		return code;
	}
	r->config = *config;
	r->conf = config->conf;
	r->calm_ms = config->calm_ms > 0 ? config->calm_ms : RECONCILE_CALM_MS;
	r->look_now = true;
	for (size_t i = 0; i < config->n_made; i++)
		if (hap_text_name_ok(config->made[i]))                 /* somebody may have edited the file */
			(void)name_set_add(&r->made, config->made[i]); /* full: labels do without the rest */
	for (size_t i = 0; config->before != NULL && i < config->before->made.n; i++)
		(void)name_set_add(&r->made, config->before->made.names[i]);
	r->config.before = NULL;
	(void)seek(r); /* the first sweep asks in any case */
	*ret = r;
	return ERR_OK;
}

void
reconcile_free(struct reconcile *r)
{
	if (r == NULL)
		return;
	plan_free(r->plan);
	actual_free(r->actual);
	desired_free(r->desired);
	reconcile_ahead_drop(&r->ahead);
	roster_unref(r->roster);
	reconcile_state_free(&r->state);
	arena_free(r->ejections_arena);
	ecs_sought_free(&r->sought);
	free(r->backend_faults);
	name_set_free(&r->made);
	name_set_free(&r->foreign);
	name_set_free(&r->named);
	name_set_free(&r->forsaken);
	free(r);
}

struct reconcile_view
reconcile_view(const struct reconcile *r)
{
	return (struct reconcile_view){
		.version = r->version,
		.roster = r->roster,
		.desired = r->desired,
		.actual = r->actual,
		.plan = r->plan,
		.overlay = r->state.overlay,
		.applied = r->state.applied,
		.connected = r->connected,
		.in_step = r->in_step,
		.ready = r->ready,
		.last_sync_wall_ms = r->last_sync_wall_ms,
		.haproxy_fault = &r->haproxy_fault,
		.run_fault = r->turns_fault.on && !r->run_fault.on ? &r->turns_fault : &r->run_fault,
		.state_faults = r->state.faults,
		.backend_faults = r->backend_faults,
		.label_fault = &r->label_fault,
	};
}

static bool
is_held_by(const struct plan_backend *b, struct str task_arn)
{
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *s = &b->servers[i];

		if (s->desired != NULL && str_eq(s->desired->task->arn, task_arn))
			return true;
	}
	return false;
}

const struct desired *
reconcile_wanted(const struct reconcile *r)
{
	return r->ahead.desired != NULL ? r->ahead.desired : r->desired;
}

bool
reconcile_holds(const struct reconcile *r, struct str task_arn)
{
	const struct reconcile_served now = served(r);

	for (size_t i = 0; r->plan != NULL && i < r->plan->n_backends; i++)
		if (is_held_by(&r->plan->backends[i], task_arn))
			return true;
	return reconcile_sought_serves(&now, task_arn);
}

/* ---- what the operator reads ---- */

static void PRINTF_LIKE(3, 4) note(struct reconcile_actions *out, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (out->n_notes == RECONCILE_NOTES_MAX)
		return;
	out->notes[out->n_notes].level = level;
	out->notes[out->n_notes].backend = STR("");
	va_start(ap, fmt);
	(void)vsnprintf(out->notes[out->n_notes].text, sizeof(out->notes[0].text), fmt, ap);
	va_end(ap);
	out->n_notes++;
}

static void
note_fault(struct reconcile_actions *out, struct fault *f, int64_t now_ms, const struct err *e, const char *next)
{
	if (!fault_raise(f, now_ms, e))
		return;
	if (out->n_notes == RECONCILE_NOTES_MAX)
		f->spoken_ms = now_ms - FAULT_REMIND_MS; /* no room: said the next time */
	else if (f->count > 1)
		note(out, LOG_WARN, "%s; %s (%" PRIu64 " times so far)", e->msg, next, f->count);
	else
		note(out, LOG_WARN, "%s; %s", e->msg, next);
}

/* ---- time ---- */

static int64_t
grown(int64_t first, int64_t last, unsigned times)
{
	int64_t ms = first;

	while (times-- > 1 && ms < last)
		ms *= 2;
	return ms < last ? ms : last;
}

/* Chooses what to ask next, if nothing is under way and its time has come. */
static void
choose(struct reconcile *r, int64_t now_ms, struct reconcile_actions *out)
{
	int64_t wake_ms;

	if (r->asked == ASKED_NOTHING && (r->look_now || now_ms >= r->next_ms)) {
		r->look_now = false;
		r->asked = ASKED_READ;
		out->read = true;
	} else if (r->asked == ASKED_NOTHING && r->connected && now_ms >= r->probe_ms) {
		r->asked = ASKED_PROBE;
		out->probe = true;
	}
	wake_ms = r->next_ms < r->probe_ms || !r->connected ? r->next_ms : r->probe_ms;
	out->wake_in_ms = wake_ms > now_ms ? wake_ms - now_ms : RECONCILE_PROBE_MS;
}

static void
look_again_in(struct reconcile *r, int64_t now_ms, int64_t in_ms)
{
	r->next_ms = now_ms + in_ms;
	r->probe_ms = now_ms + RECONCILE_PROBE_MS;
}

/* ---- HAProxy, answering or not ---- */

static void
on_silence(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	r->asked = ASKED_NOTHING;
	r->connected = false;
	r->in_step = false;
	r->failed_reads++;
	note_fault(
	    out, &r->haproxy_fault, ev->mono_ms, ev->err, "trying again every second, no server is changed meanwhile");
	look_again_in(r, ev->mono_ms, grown(RETRY_FIRST_MS, RETRY_LAST_MS, r->failed_reads));
}

static void
on_answer(struct reconcile *r, struct reconcile_actions *out)
{
	r->asked = ASKED_NOTHING;
	r->connected = true;
	r->failed_reads = 0;
	if (fault_clear(&r->haproxy_fault))
		note(out, LOG_INFO, "HAProxy answers again");
}

static bool
is_back(const struct reconcile *r, struct process p)
{
	for (size_t i = 0; i < PROCESSES_KNOWN; i++)
		if (r->former[i].pid == p.pid && r->former[i].start_time_s == p.start_time_s)
			return true;
	return false;
}

/* One that was replaced does not answer again: so two share the address. */
static void
note_change(struct reconcile *r, struct process p, int64_t now_ms, struct reconcile_actions *out)
{
	struct err e = ERR_INIT;

	r->turns = is_back(r, p) ? r->turns + 1 : 0;
	if (r->turns < TURNS_MIN) {
		note(out, LOG_INFO,
		    "HAProxy was reloaded or restarted (process %" PRIu64 ", before %" PRIu64
		    "); reading everything back",
		    p.pid, r->pid);
		return;
	}
	err_fill(&e, ERR_CONF, 0,
	    "several HAProxies (processes %" PRIu64 " and %" PRIu64
	    ") answer in turns at haproxy.socket: each needs a socket, and a rollcalld, of its own",
	    r->pid, p.pid);
	note_fault(out, &r->turns_fault, now_ms, &e, "telling each what it lacks when it answers");
}

static void
note_same(struct reconcile *r, int64_t now_ms, struct reconcile_actions *out)
{
	if (r->turns == 0 || now_ms - r->met_ms < TURNS_OVER_MS)
		return;
	r->turns = 0;
	if (fault_clear(&r->turns_fault))
		note(out, LOG_INFO, "one HAProxy alone answers again");
}

/* True if this is another process than the one that we knew. */
static bool
meet_process(struct reconcile *r, struct process p, int64_t now_ms, struct reconcile_actions *out)
{
	if (r->pid == p.pid && r->start_time_s == p.start_time_s) {
		note_same(r, now_ms, out);
		return false;
	}
	if (r->pid != 0) {
		note_change(r, p, now_ms, out);
		memmove(&r->former[1], &r->former[0], sizeof(r->former) - sizeof(r->former[0]));
		r->former[0] = (struct process){ r->pid, r->start_time_s };
	}
	name_set_free(&r->named);
	r->met_ms = now_ms;
	r->brings_back = true;
	r->pid = p.pid;
	r->start_time_s = p.start_time_s;
	return r->former[0].pid != 0;
}

static void
on_probed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	on_answer(r, out);
	r->probe_ms = ev->mono_ms + RECONCILE_PROBE_MS;
	if (meet_process(r, (struct process){ ev->info->pid, ev->info->start_time_s }, ev->mono_ms, out))
		r->look_now = true;
}

/* ---- a pass ---- */

/* No place for a task, and what makes one. */
static void
blame_places(const struct reconcile *r, const struct plan_backend *b, struct err *ret)
{
	const struct desired_backend *desired = desired_find(r->desired, b->name);
	bool is_managed =
	    desired != NULL && desired->conf->managed; /* sync/managed.c makes it, and says why it can't */

	if (b->is_retired)
		return; /* nobody enters it, and it may be gone from there as well */
	if (!b->exists && !is_managed)
		err_fill(ret, ERR_CONF, 0,
		    "backend `" STR_FMT
		    "` is not in HAProxy's configuration: add it, or correct the name in `backends`",
		    STR_ARG(b->name));
	else if (b->strategy == PLAN_STRATEGY_NONE && !is_managed)
		err_fill(ret, ERR_CONF, 0,
		    "backend `" STR_FMT
		    "` has no slots: add `server-template rc_ 1-20 0.0.0.0:0 check disabled` to it in "
		    "HAProxy's configuration",
		    STR_ARG(b->name));
	else if (b->missing_ca.len > 0)
		err_fill(ret, ERR_CONF, 0,
		    "backend `" STR_FMT "`: tls_ca_file " STR_FMT
		    " could not be read: servers that need it are left out",
		    STR_ARG(b->name), STR_ARG(b->missing_ca));
	else if (b->n_unplaced > 0 && b->strategy == PLAN_STRATEGY_SLOTS && !b->is_closed && !is_managed)
		err_fill(ret, ERR_LIMIT, 0,
		    "backend `" STR_FMT "`: no free slot for %zu task(s), all %zu are in use: raise the count of its "
		    "`server-template rc_` line",
		    STR_ARG(b->name), b->n_unplaced, actual_find(r->actual, b->name)->n_slots);
}

static void
blame_unheeded(const struct plan_backend *b, struct err *ret)
{
	struct buf keys = buf_make(sizeof(ret->msg));

	for (unsigned key = 0; key < CONF_N_POLICY_KEYS; key++)
		if ((b->unheeded & UINT32_C(1) << key) != 0)
			buf_printf(
			    &keys, "%s`%s`", keys.len > 0 ? ", " : "", conf_policy_key_name((enum conf_policy_key)key));
	err_fill(ret, ERR_CONF, 0,
	    "backend `" STR_FMT "`: " STR_FMT " without effect on slots: their server-template or default-server line "
	    "in HAProxy's configuration decides",
	    STR_ARG(b->name), STR_ARG(buf_str(&keys)));
	buf_free(&keys);
}

static void
blame_frozen(const struct plan_backend *b, struct err *ret)
{
	err_fill(ret, ERR_REFUSED, 0,
	    "backend `" STR_FMT
	    "` is frozen: %zu of %zu servers are reported missing or not exposed within 10 minutes, over "
	    "removal_limit (%u %%): `rollcall release` lets them go",
	    STR_ARG(b->name), b->n_reported, b->n_counted, b->removal_limit);
}

static void
blame_paused(const struct reconcile *r, const struct plan_backend *b, struct err *ret)
{
	const struct overlay_pause *pause = overlay_find_pause(r->state.overlay, b->name);
	char until[RFC3339_SIZE] = "";

	if (pause != NULL && pause->until_wall_ms != 0)
		rfc3339_put(pause->until_wall_ms, until);
	err_fill(ret, ERR_CANCELLED, 0,
	    "backend `" STR_FMT "` is paused: only what is proven to end is touched, until %s%s`rollcall resume`",
	    STR_ARG(b->name), until, until[0] != '\0' ? " or " : "");
}

static void
blame(const struct reconcile *r, const struct plan_backend *b, struct err *ret)
{
	blame_places(r, b, ret);
	if (ret->code == ERR_OK && b->is_paused)
		blame_paused(r, b, ret);
	else if (ret->code == ERR_OK && b->is_frozen)
		blame_frozen(b, ret);
	else if (ret->code == ERR_OK && b->unheeded != 0)
		blame_unheeded(b, ret);
}

static void
judge_backend(struct reconcile *r, const struct plan_backend *b, struct fault *f, const struct reconcile_event *ev,
    struct reconcile_actions *out)
{
	const size_t n_notes = out->n_notes;
	const enum err_code was = f->err.code;
	struct err e = ERR_INIT;

	blame(r, b, &e);
	if (e.code != ERR_OK)
		note_fault(out, f, ev->mono_ms, &e, "looking again at every pass");
	else if (fault_clear(f))
		note(out, LOG_INFO, "backend `" STR_FMT "`: %s", STR_ARG(b->name),
		    was == ERR_CANCELLED || was == ERR_REFUSED ? "goes on" : "mended");
	for (size_t n = n_notes; n < out->n_notes; n++)
		out->notes[n].backend = b->name;
}

/* Those of the configuration come first, each with a fault of its own; of the others the first
 * that has one is told. */
static void
judge_backends(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	size_t n = r->conf->n_backends < r->plan->n_backends ? r->conf->n_backends : r->plan->n_backends;
	const struct plan_backend *worst = NULL;

	for (size_t i = 0; i < n; i++)
		judge_backend(r, &r->plan->backends[i], &r->backend_faults[i], ev, out);
	for (size_t i = n; i < r->plan->n_backends && worst == NULL; i++) {
		struct err e = ERR_INIT;

		blame(r, &r->plan->backends[i], &e);
		if (e.code != ERR_OK)
			worst = &r->plan->backends[i];
	}
	if (worst != NULL)
		judge_backend(r, worst, &r->label_fault, ev, out);
	else if (fault_clear(&r->label_fault))
		note(out, LOG_INFO, "the backends of labels: mended");
}

/* Said once: what becomes of them follows from evidence, and that is told as it comes. */
static void
note_forsaken(struct reconcile *r, struct reconcile_actions *out)
{
	for (size_t i = 0; i < r->plan->n_backends && out->n_notes < RECONCILE_NOTES_MAX; i++) {
		const struct plan_backend *b = &r->plan->backends[i];
		const bool is_forsaken = desired_is_forsaken(r->desired, &r->desired->backends[i]) && b->n_servers > 0;

		if (is_forsaken == name_set_has(&r->forsaken, b->name))
			continue;
		if (!is_forsaken) {
			name_set_drop(&r->forsaken, b->name);
			continue;
		}
		if (!name_set_add(&r->forsaken, b->name))
			continue;
		note(out, LOG_WARN,
		    "backend `" STR_FMT "`: no entry of `backends` and no label asks for it any more: of its %zu "
		    "server(s) those leave whose task has ended, and those whose task may run only within "
		    "removal_limit",
		    STR_ARG(b->name), b->n_servers);
		out->notes[out->n_notes - 1].backend = b->name;
	}
}

/* Nobody asks for it, and HAProxy has it no more: it is not looked for any longer. */
static void
forget_gone(struct reconcile *r)
{
	for (size_t i = 0; r->desired->labels_are_known && i < r->plan->n_backends; i++) {
		const struct plan_backend *b = &r->plan->backends[i];

		if (b->exists || !r->desired->backends[i].conf->retired || !name_set_has(&r->made, b->name))
			continue;
		name_set_drop(&r->made, b->name);
		r->roster_is_new = true;
	}
}

/* What was applied under the process before is looked for until a plan was made under this one.
 * False: the arena refuses. */
static bool
derive_with(const struct reconcile *r, int64_t now_wall_ms, struct arena *a, struct desired_context *ret)
{
	const struct applied *known = r->state.applied != NULL ? r->state.applied : r->state.former;
	struct reconcile_held held;

	if (a == NULL || !reconcile_held_list(a, known, &r->made, &held))
		return false;
	*ret = (struct desired_context){
		.conf = r->conf,
		.now_wall_ms = now_wall_ms,
		.held = held.items,
		.n_held = held.n,
		.foreign = r->foreign.names,
		.n_foreign = r->foreign.n,
		.leads_to = r->config.leads_to,
		.leads_to_arg = r->config.routes_arg,
	};
	return true;
}

/* Does a place lead elsewhere by now that is whoever's has it?  Maps are read after it was asked where they lead. */
static bool
was_led_elsewhere(const struct reconcile *r, const struct desired *d)
{
	for (size_t i = 0; r->config.leads_to != NULL && i < d->n_routes; i++) {
		const struct desired_route *route = &d->routes[i];

		if (route->is_open && !str_eq(r->config.leads_to(r->config.routes_arg, route), route->led_to))
			return true;
	}
	return false;
}

static enum err_code
derive_held(struct reconcile *r, int64_t now_wall_ms, struct desired **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct desired_context in;

	if (!derive_with(r, now_wall_ms, a, &in))
		return err_set(e, ERR_NOMEM, "the backends of what was applied: %s", err_text(ERR_NOMEM));
	*ret = reconcile_ahead_take(&r->ahead, &in);
	if (*ret != NULL && was_led_elsewhere(r, *ret))
		desired_free(MOVE(*ret));
	return *ret != NULL ? ERR_OK : desired_derive_in(&in, r->roster, ret, e);
}

static void
derive_ahead(struct reconcile *r, int64_t now_wall_ms)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct desired_context in;

	if (r->roster_is_new && r->roster != NULL && r->ahead.desired == NULL && derive_with(r, now_wall_ms, a, &in))
		reconcile_ahead_derive(&r->ahead, &in, r->roster);
}

/* Time alone may change it, too: routes of tasks that ended a while ago go. */
static bool
derive(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct desired *fresh;
	struct err e = ERR_INIT;

	if (!r->roster_is_new && ev->wall_ms < r->desired->next_wall_ms && !was_led_elsewhere(r, r->desired))
		return true;
	if (derive_held(r, ev->wall_ms, &fresh, &e) != ERR_OK) {
		err_prefix(&e, "deriving what HAProxy should hold");
		note_fault(out, &r->derive_fault, ev->mono_ms, &e, "keeping what it holds");
		return false;
	}
	(void)fault_clear(&r->derive_fault);
	out->contest = fresh->contest.n > 0 || (r->desired != NULL && r->desired->contest.n > 0) || out->contest;
	/* The plan points into the old one. */
	plan_free(MOVE(r->plan));
	desired_free(r->desired);
	r->desired = fresh;
	r->roster_is_new = false;
	return true;
}

/* Since when every cluster was swept whole twice; 0: not yet. */
static int64_t
swept_twice_ms(const struct roster *roster)
{
	int64_t since_ms = roster->n_clusters > 0 ? INT64_MAX : 0;

	for (size_t i = 0; i < roster->n_clusters; i++)
		if (roster->clusters[i].complete_before_mono_ms < since_ms)
			since_ms = roster->clusters[i].complete_before_mono_ms;
	return since_ms;
}

/* A frontend that has the name of a backend keeps HAProxy 3.3 and later from starting. */
static bool
can_be_made(const struct reconcile *r, const struct actual_backend *a)
{
	return !a->exists && !(a->is_frontend && actual_is_at_least(r->actual, 3, 3));
}

/* Whose are the backends that labels ask for?  One that HAProxy did not have before is ours to
 * make; one that it has of itself is somebody else's.  False: one was not asked about yet. */
static bool
tell_apart(struct reconcile *r, bool *ret_found_foreign, struct reconcile_actions *out)
{
	bool all_read = true;

	*ret_found_foreign = false;
	for (size_t i = 0; i < r->desired->n_backends; i++) {
		const struct desired_backend *d = &r->desired->backends[i];
		const struct actual_backend *a = actual_find(r->actual, d->name);

		if (a == NULL)
			all_read = false;
		if (a == NULL || !d->is_label_made || !r->conf->haproxy.apply || name_set_has(&r->made, d->name))
			continue;
		if (can_be_made(r, a)) {
			(void)name_set_add(&r->made, d->name); /* full: foreign once it is there */
		} else if (name_set_add(&r->foreign, d->name)) {
			note(out, LOG_WARN,
			    a->exists ? "labels ask for backend `" STR_FMT
					"`, which HAProxy has of itself: they do not get it, unless "
					"haproxy.managed.allow_backends names it"
				      : "labels ask for backend `" STR_FMT
					"`, and a frontend of HAProxy has that name: they do not get it",
			    STR_ARG(d->name));
			*ret_found_foreign = true;
		}
	}
	return all_read;
}

/* Desired and actual are of the same backends; false: HAProxy is to be read again first. */
static bool
match(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	bool found_foreign = false, all_read;

	if (!derive(r, ev, out))
		return false;
	all_read = tell_apart(r, &found_foreign, out);
	if (found_foreign) {
		r->roster_is_new = true;
		if (!derive(r, ev, out))
			return false;
	}
	if (!all_read)
		r->look_now = true;
	return all_read;
}

/* A line of haproxy.cfg may name a backend that an entry declared, and HAProxy would not start without it:
 * that it lets it go is the only proof that none does. */
static bool
may_be_named(const struct reconcile *r, struct str backend)
{
	const bool proves_it = r->config.may_add_backends && actual_is_at_least(r->actual, 3, 4);
	const bool is_declared = conf_backend_by_name(r->conf, backend) != NULL || !name_set_has(&r->made, backend);

	return is_declared && !proves_it;
}

static enum plan_fate
fate_of(void *arg, struct str backend)
{
	const struct reconcile *r = arg;

	if (name_set_has(&r->named, backend))
		return PLAN_FATE_REMAINS;
	if (!r->desired->labels_are_known && conf_backend_by_name(r->conf, backend) == NULL)
		return PLAN_FATE_WAITS; /* one that is not read yet may ask for it */
	if (r->config.is_routed == NULL || r->config.is_routed(r->config.routes_arg, backend))
		return PLAN_FATE_WAITS;
	return may_be_named(r, backend) ? PLAN_FATE_WAITS : PLAN_FATE_GOES;
}

static bool
make_plan(struct reconcile *r, const struct plan_memory *memory, const struct reconcile_event *ev,
    struct reconcile_actions *out)
{
	const int64_t now_ms = ev->mono_ms;
	struct plan_rules rules = {
		.now_ms = now_ms,
		.ejections = &r->ejections,
		.swept_twice_ms = swept_twice_ms(r->roster),
		.cas = r->config.cas,
		.n_cas = r->config.n_cas,
		.may_add_backends = r->config.may_add_backends,
		.defaults = r->config.defaults,
		.brings_back = r->brings_back,
		.fate_of = fate_of,
		.fate_arg = r,
	};
	struct plan *p = NULL;
	struct err e = ERR_INIT;

	if (reconcile_state_rules(&r->state, r->roster, ev->wall_ms, &rules, &e) != ERR_OK ||
	    plan_diff(&rules, r->desired, r->actual, memory, &p, &e) != ERR_OK || plan_guard(&rules, p, &e) != ERR_OK) {
		plan_free(p);
		err_prefix(&e, "comparing HAProxy with what it should hold");
		note_fault(out, &r->derive_fault, now_ms, &e, "keeping what it holds");
		return false;
	}
	r->plan = p;
	r->plan_ms = now_ms;
	r->plan_ran = false;
	return true;
}

/* ---- what was applied, and whose hand it was ---- */

static void
note_findings(struct reconcile *r, const struct applied_findings *found, const struct reconcile_event *ev,
    struct reconcile_actions *out)
{
	struct buf said = buf_make(sizeof(out->notes[0].text));

	for (size_t i = 0; i < found->n; i++) {
		struct err e = ERR_INIT;

		buf_reset(&said);
		if (reconcile_state_respect(&r->state, &found->items[i], ev->wall_ms, &said, &e) != ERR_OK)
			note_fault(out, &r->hold_fault, ev->mono_ms, &e, "this hand is not respected");
		else if (i < FINDINGS_TOLD)
			note(out, LOG_INFO, STR_FMT, STR_ARG(buf_str(&said)));
	}
	if (found->n > FINDINGS_TOLD)
		note(out, LOG_INFO, "%zu more servers were changed on HAProxy's socket; `rollcall servers` shows them",
		    found->n - FINDINGS_TOLD);
	buf_free(&said);
}

/* A shadow infers nothing: it never asked for what it sees. */
static bool
observe(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct applied_findings found;
	struct err e = ERR_INIT;

	if (!r->conf->haproxy.apply)
		return true;
	if (reconcile_state_observe(&r->state, r->actual, ev->wall_ms, &found, &e) != ERR_OK) {
		note_fault(out, &r->derive_fault, ev->mono_ms, &e, "keeping what HAProxy holds");
		return false;
	}
	note_findings(r, &found, ev, out);
	return true;
}

/* What is not told to HAProxy now is not expected of it either. */
static bool
expect(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct err e = ERR_INIT;

	if (reconcile_state_expect(&r->state, r->actual, r->plan, ev->wall_ms, &e) == ERR_OK)
		return true;
	note_fault(out, &r->derive_fault, ev->mono_ms, &e, "keeping what HAProxy holds");
	look_again_in(r, ev->mono_ms, RECONCILE_CALM_MS);
	return false;
}

/*
 * Since when each server drains: as the plan before remembered it, or, by the first
 * plan of a daemon, as the one before this daemon wrote down.  Streams that a plan
 * would have shut, but that was not carried out, are still to be shut.
 */
static struct plan_memory
recall(const struct reconcile *r, const struct plan *before, const struct reconcile_event *ev, struct arena *a)
{
	struct plan_memory memory = { .n = 0 };
	struct plan_memory_entry *entries;

	if (before == NULL)
		return reconcile_state_drains(&r->state, a, ev->wall_ms, ev->mono_ms);
	memory = before->memory;
	entries = r->plan_ran ? NULL : ARENA_ARRAY(a, struct plan_memory_entry, memory.n);
	if (entries == NULL)
		return memory;
	for (size_t i = 0; i < memory.n; i++) {
		entries[i] = memory.entries[i];
		if (entries[i].was_shut && entries[i].shut_ms == r->plan_ms)
			entries[i].was_shut = false;
	}
	memory.entries = entries;
	return memory;
}

/* Who leaves on what is only reported counts from now on; what cannot be counted stays. */
static bool
note_leaves(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct err e = ERR_INIT;

	if (reconcile_state_note_leaves(&r->state, r->plan, ev->wall_ms, &e) == ERR_OK)
		return true;
	note_fault(out, &r->hold_fault, ev->mono_ms, &e, "nothing is changed");
	look_again_in(r, ev->mono_ms, RECONCILE_CALM_MS);
	return false;
}

static bool
waits_for_check(const struct plan *p)
{
	for (size_t i = 0; i < p->n_backends; i++)
		for (size_t j = 0; j < p->backends[i].n_servers; j++) {
			const struct plan_server *s = &p->backends[i].servers[j];

			if (s->is_joining && s->actual->check == ACTUAL_CHECK_PENDING)
				return true;
		}
	return false;
}

static bool
is_moving(const struct plan *p)
{
	for (size_t i = 0; i < p->n_backends; i++)
		if (p->backends[i].n_joining > 0 || p->backends[i].n_draining > 0)
			return true;
	return false;
}

/* Nothing to carry out now: reads go on, at a pace that fits what is moving. */
static void
look_again_in_time(struct reconcile *r, int64_t now_ms)
{
	look_again_in(r, now_ms, is_moving(r->plan) ? RECONCILE_CLOSE_MS : r->calm_ms);
	if (r->plan->next_ms > now_ms && r->plan->next_ms < r->next_ms)
		r->next_ms = r->plan->next_ms;
}

static void
look_when_a_hold_ends(struct reconcile *r, const struct reconcile_event *ev)
{
	const int64_t in_ms = r->state.next_end_wall_ms - ev->wall_ms;

	if (r->state.next_end_wall_ms != INT64_MAX && in_ms >= 0 && in_ms < r->next_ms - ev->mono_ms)
		r->next_ms = ev->mono_ms + in_ms;
}

static void
settle(struct reconcile *r, const struct reconcile_event *ev)
{
	r->rounds = 0;
	r->in_step = !waits_for_check(r->plan);
	if (r->in_step)
		r->last_sync_wall_ms = ev->wall_ms;
	if (r->in_step && roster_is_known(r->roster))
		r->ready = true;
	look_again_in_time(r, ev->mono_ms);
}

/* What a plan asks for, as a number (FNV-1a): plans that ask the same have the same. */
static uint64_t
steps_mark(const struct plan *p)
{
	uint64_t mark = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];
		const struct str texts[] = { st->backend, st->server, st->address };
		const uint64_t numbers[] = { st->kind, st->port, st->value };

		for (size_t j = 0; j < 3; j++) {
			for (size_t k = 0; k < texts[j].len; k++)
				mark = (mark ^ (unsigned char)texts[j].ptr[k]) * UINT64_C(0x100000001b3);
			mark = (mark ^ (numbers[j] + 256)) * UINT64_C(0x100000001b3);
		}
	}
	return mark;
}

/* May the plan at hand be carried out now?  Commands that are refused again and
 * again, or that are answered well and change nothing, must not spin; and neither
 * may hold up a plan that asks for something else. */
static bool
may_execute(struct reconcile *r, int64_t now_ms)
{
	if (r->refused_runs > 0 && now_ms < r->refused_till_ms && steps_mark(r->plan) == r->refused_steps) {
		r->rounds = 0;
		look_again_in_time(r, now_ms);
		if (r->refused_till_ms < r->next_ms)
			r->next_ms = r->refused_till_ms;
		return false;
	}
	if (r->rounds >= RECONCILE_ROUNDS) {
		r->rounds = 0;
		look_again_in(
		    r, now_ms, steps_mark(r->plan) == r->ran_steps ? RECONCILE_BREATH_MS : RECONCILE_CLOSE_MS);
		return false;
	}
	return true;
}

/* haproxy.apply is false: looked at and planned, never carried out. */
static void
watch_only(struct reconcile *r, const struct reconcile_event *ev)
{
	r->in_step = r->plan->n_steps == 0;
	if (roster_is_known(r->roster))
		r->ready = true;
	look_again_in(r, ev->mono_ms, RECONCILE_CALM_MS);
}

static void
carry_on(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	if (!r->conf->haproxy.apply) {
		watch_only(r, ev);
		return;
	}
	if (r->plan->n_steps == 0) {
		r->refused_runs = 0;
		if (fault_clear(&r->run_fault))
			note(out, LOG_INFO, "HAProxy takes our commands again");
		if (expect(r, ev, out))
			settle(r, ev);
		return;
	}
	r->in_step = false;
	if (!may_execute(r, ev->mono_ms) || !note_leaves(r, ev, out) || !expect(r, ev, out))
		return;
	r->rounds++;
	r->ran_steps = steps_mark(r->plan);
	r->asked = ASKED_EXECUTE;
	out->execute = r->plan;
}

static bool
make_pass(
    struct reconcile *r, const struct plan *before, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct arena *scratch = arena_new(PLAN_ARENA_MAX);
	struct plan_memory memory = { .n = 0 };
	bool planned = false;

	if (scratch != NULL)
		memory = recall(r, before, ev, scratch);
	if (observe(r, ev, out) && r->roster != NULL && match(r, ev, out))
		planned = make_plan(r, &memory, ev, out);
	arena_free(scratch);
	return planned;
}

/* The old plan's memory outlives it by this much: the new plan copies it. */
static void
on_actual(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct plan *old_plan = MOVE(r->plan);
	struct actual *old_actual = r->actual;
	bool planned;

	on_answer(r, out);
	r->version++;
	r->actual = ev->actual;
	(void)meet_process(r, (struct process){ r->actual->pid, r->actual->start_time_s }, ev->mono_ms, out);
	planned = make_pass(r, old_plan, ev, out);
	out->seek = seek(r);
	plan_free(old_plan);
	actual_free(old_actual);
	if (!planned) {
		r->in_step = false;
		look_again_in(r, ev->mono_ms, RECONCILE_CALM_MS);
		return;
	}
	(void)fault_clear(&r->derive_fault);
	judge_backends(r, ev, out);
	note_forsaken(r, out);
	forget_gone(r);
	carry_on(r, ev, out);
	look_when_a_hold_ends(r, ev);
}

/* A name that a frontend or a `defaults` section has: no `show` tells of these. */
static bool
is_taken(const struct reconcile *r, const struct hap_exec_refusal *refusal)
{
	const struct desired_backend *d = desired_find(r->desired, refusal->step->backend);

	return refusal->step->kind == PLAN_BACKEND && d != NULL && d->is_label_made &&
	       strstr(refusal->err.msg, "name is already used") != NULL;
}

/* True: one was; labels are without it from now on. */
static bool
give_names_up(struct reconcile *r, const struct hap_exec_report *report, struct reconcile_actions *out)
{
	bool any = false;

	for (size_t i = 0; i < report->n_refusals; i++) {
		struct str name = report->refusals[i].step->backend;

		if (!is_taken(r, &report->refusals[i]) || !name_set_add(&r->foreign, name))
			continue;
		name_set_drop(&r->made, name);
		note(out, LOG_WARN,
		    "labels ask for backend `" STR_FMT
		    "`, and a frontend or `defaults` section of HAProxy has that name: they do not get it",
		    STR_ARG(name));
		any = true;
	}
	r->roster_is_new = r->roster_is_new || any;
	return any;
}

/* True: a backend that is not asked for any more is named by HAProxy's configuration, and so stays. */
static bool
keep_named(struct reconcile *r, const struct hap_exec_report *report, struct reconcile_actions *out)
{
	bool any = false;

	for (size_t i = 0; i < report->n_refusals; i++) {
		const struct hap_exec_refusal *refusal = &report->refusals[i];

		if (refusal->step->kind != PLAN_UNMAKE || strstr(refusal->err.msg, HAP_TEXT_BACKEND_IS_NAMED) == NULL ||
		    !name_set_add(&r->named, refusal->step->backend))
			continue;
		note(out, LOG_INFO,
		    "backend `" STR_FMT "` is not asked for any more, but named by HAProxy's configuration: it stays, "
		    "without servers",
		    STR_ARG(refusal->step->backend));
		any = true;
	}
	return any;
}

static void
on_refusal(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	const struct err e = ev->report->refusals[0].err;
	const bool gave_up = give_names_up(r, ev->report, out), kept = keep_named(r, ev->report, out);

	if (gave_up || kept)
		return;
	r->refused_runs++;
	r->refused_steps = steps_mark(r->plan);
	r->refused_till_ms = ev->mono_ms + grown(REFUSED_FIRST_MS, REFUSED_LAST_MS, r->refused_runs);
	note_fault(out, &r->run_fault, ev->mono_ms, &e, "trying again, less and less often");
}

static void
on_executed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	const struct hap_exec_report *report = ev->report;

	if (report->err.code != ERR_OK) {
		struct reconcile_event silence = *ev;

		silence.err = &report->err;
		on_silence(r, &silence, out);
		return;
	}
	on_answer(r, out);
	r->plan_ran = !report->is_other;
	r->brings_back = r->brings_back && report->is_other;
	if (report->n_refusals > 0)
		on_refusal(r, ev, out);
	else
		r->refused_runs = 0;
	r->look_now = true;
}

static bool
is_known_alike(const struct roster_cluster *a, const struct roster_cluster *b)
{
	return a->was_read == b->was_read && a->is_read_in_part == b->is_read_in_part &&
	       a->fault_is_permanent == b->fault_is_permanent &&
	       (a->remembered_wall_ms != 0) == (b->remembered_wall_ms != 0);
}

/* The same facts, perhaps at another age: nothing to derive anew.  That these are all there are, or that nobody
 * waits for more, is new: what stayed for the sake of a cluster that was not read may go, and move. */
static bool
tells_the_same(const struct roster *a, const struct roster *b)
{
	if (a == NULL || a->n_clusters != b->n_clusters)
		return false;
	for (size_t i = 0; i < a->n_clusters; i++) {
		const struct roster_cluster *x = &a->clusters[i], *y = &b->clusters[i];

		if (x->facts != y->facts || !is_known_alike(x, y) ||
		    !roster_services_same(x->services, x->n_services, y->services, y->n_services))
			return false;
	}
	return true;
}

static void
on_roster(struct reconcile *r, const struct reconcile_event *ev)
{
	if (!tells_the_same(r->roster, ev->roster)) {
		r->roster_is_new = true;
		r->look_now = true;
	}
	if (!r->ready)
		r->look_now = true;
	r->version++;
	reconcile_ahead_drop(&r->ahead);
	roster_unref(r->roster);
	r->roster = roster_ref(ev->roster);
}

void
reconcile_use_cas(struct reconcile *r, const struct plan_ca *cas, size_t n)
{
	r->config.cas = cas;
	r->config.n_cas = n;
	r->look_now = true;
}

void
reconcile_feed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *ret)
{
	ret->read = false;
	ret->probe = false;
	ret->seek = false;
	ret->contest = false;
	ret->execute = NULL;
	ret->save_applied = NULL;
	ret->save_overlay = NULL;
	ret->n_notes = 0;
	switch (ev->kind) {
	case RECONCILE_ROSTER:
		on_roster(r, ev);
		break;
	case RECONCILE_ACTUAL:
		on_actual(r, ev, ret);
		break;
	case RECONCILE_READ_FAILED:
	case RECONCILE_PROBE_FAILED:
		on_silence(r, ev, ret);
		break;
	case RECONCILE_EXECUTED:
		on_executed(r, ev, ret);
		break;
	case RECONCILE_PROBED:
		on_probed(r, ev, ret);
		break;
	case RECONCILE_TICK:
		break;
	}
	if (r->conf->haproxy.apply)
		reconcile_state_save(&r->state, ev->kind == RECONCILE_ACTUAL, ev->wall_ms, ret);
	choose(r, ev->mono_ms, ret);
	if (ret->read)
		derive_ahead(r, ev->wall_ms);
}

bool
reconcile_saved(struct reconcile *r, enum reconcile_file file, int64_t mono_ms, const struct err *e)
{
	struct fault *f = &r->state.faults[file];

	if (e == NULL || e->code == ERR_OK)
		return fault_clear(f);
	if (file == RECONCILE_APPLIED)
		r->state.applied_is_unsaved = true;
	else
		r->state.overlay_is_unsaved = true;
	return fault_raise(f, mono_ms, e);
}

static bool
copy_ejection(struct arena *a, const struct plan_ejection *from, struct plan_ejection *to)
{
	to->key.port = from->key.port;
	return arena_str(a, from->key.backend, &to->key.backend) &&
	       arena_str(a, from->key.task_arn, &to->key.task_arn) &&
	       arena_str(a, from->key.container, &to->key.container) && arena_str(a, from->because, &to->because);
}

enum err_code
reconcile_eject(struct reconcile *r, const struct plan_ejections *all, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(PLAN_ARENA_MAX);
	struct plan_ejection *items = a != NULL ? ARENA_ARRAY(a, struct plan_ejection, all->n) : NULL;

	if (items == NULL)
		return err_set(e, ERR_NOMEM, "ejections: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < all->n; i++)
		if (!copy_ejection(a, &all->items[i], &items[i]))
			return err_set(e, ERR_NOMEM, "ejections: %s", err_text(ERR_NOMEM));
	arena_free(r->ejections_arena);
	r->ejections_arena = MOVE(a);
	r->ejections = (struct plan_ejections){ .items = items, .n = all->n };
	r->look_now = true;
	return ERR_OK;
}

enum err_code
reconcile_order(
    struct reconcile *r, const struct reconcile_order *o, int64_t now_wall_ms, struct buf *ret_said, struct err *e)
{
	enum err_code code = reconcile_state_order(&r->state, r->conf, r->actual, r->plan, o, now_wall_ms, ret_said, e);

	if (code == ERR_OK)
		r->look_now = true;
	return code;
}
