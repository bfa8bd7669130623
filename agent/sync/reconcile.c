/*
 * The reconciler: see reconcile.h.
 *
 * One thing is asked of HAProxy at a time (enum asked).  Between them `next_ms`
 * says when to look again; whatever makes a look worthwhile sooner (a roster,
 * another process, a drain that ends) pulls it forward.
 */
#include "config.h"

#include "sync/reconcile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_FIRST_MS   INT64_C(250)
#define RETRY_LAST_MS    INT64_C(1000) /* HAProxy is next door: asking is cheap */
#define REFUSED_FIRST_MS INT64_C(1000)
#define REFUSED_LAST_MS  INT64_C(30000) /* the same commands are refused again: no hurry */

enum asked { ASKED_NOTHING, ASKED_READ, ASKED_EXECUTE, ASKED_PROBE };

struct reconcile {
	const struct conf *conf;
	struct roster *roster;
	struct desired *desired;
	struct actual *actual;
	struct plan *plan;
	bool roster_is_new; /* desired was not derived from it yet */

	enum asked asked;
	bool look_now;
	int64_t next_ms, probe_ms;
	unsigned rounds;         /* plans carried out since the last calm moment */
	uint64_t ran_steps;      /* steps_mark of the last of them */
	unsigned failed_reads;   /* in a row */
	unsigned refused_runs;   /* likewise */
	uint64_t refused_steps;  /* what was refused last, in part at least: steps_mark of that plan */
	int64_t refused_till_ms; /* not tried again before */
	uint64_t pid, start_time_s;

	bool connected, in_step, ready;
	int64_t last_sync_wall_ms;
	struct fault haproxy_fault, run_fault, derive_fault;
	struct fault *backend_faults;
};

enum err_code
reconcile_new(const struct conf *conf, struct reconcile **ret, struct err *e)
{
	struct reconcile *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->backend_faults = calloc(conf->n_backends + 1, sizeof(*r->backend_faults));
	if (r == NULL || r->backend_faults == NULL) {
		free(r);
		return err_set(e, ERR_NOMEM, "the reconciler");
	}
	r->conf = conf;
	r->look_now = true;
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
	roster_unref(r->roster);
	free(r->backend_faults);
	free(r);
}

struct reconcile_view
reconcile_view(const struct reconcile *r)
{
	return (struct reconcile_view){
		.roster = r->roster,
		.desired = r->desired,
		.actual = r->actual,
		.plan = r->plan,
		.connected = r->connected,
		.in_step = r->in_step,
		.ready = r->ready,
		.last_sync_wall_ms = r->last_sync_wall_ms,
		.haproxy_fault = &r->haproxy_fault,
		.run_fault = &r->run_fault,
		.backend_faults = r->backend_faults,
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

bool
reconcile_holds(const struct reconcile *r, struct str task_arn)
{
	for (size_t i = 0; r->plan != NULL && i < r->plan->n_backends; i++)
		if (is_held_by(&r->plan->backends[i], task_arn))
			return true;
	return false;
}

/* ---- what the operator reads ---- */

static void PRINTF_LIKE(3, 4) note(struct reconcile_actions *out, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (out->n_notes == RECONCILE_NOTES_MAX)
		return;
	out->notes[out->n_notes].level = level;
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

/* True if this is another process than the one that we knew. */
static bool
meet_process(struct reconcile *r, uint64_t pid, uint64_t start_time_s, struct reconcile_actions *out)
{
	bool other = r->pid != 0 && (r->pid != pid || r->start_time_s != start_time_s);

	if (other)
		note(out, LOG_INFO,
		    "HAProxy was reloaded or restarted (process %" PRIu64 ", before %" PRIu64
		    "); reading everything back",
		    pid, r->pid);
	r->pid = pid;
	r->start_time_s = start_time_s;
	return other;
}

static void
on_probed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	on_answer(r, out);
	r->probe_ms = ev->mono_ms + RECONCILE_PROBE_MS;
	if (meet_process(r, ev->info->pid, ev->info->start_time_s, out))
		r->look_now = true;
}

/* ---- a pass ---- */

static void
raise_backend(struct reconcile *r, size_t i, int64_t now_ms, struct reconcile_actions *out, const struct err *e)
{
	note_fault(out, &r->backend_faults[i], now_ms, e, "looking again at every pass");
}

static void
judge_backend(struct reconcile *r, size_t i, int64_t now_ms, struct reconcile_actions *out)
{
	const struct plan_backend *b = &r->plan->backends[i];
	struct err e = ERR_INIT;

	if (!b->exists)
		err_fill(&e, ERR_CONF, 0,
		    "backend `" STR_FMT
		    "` is not in HAProxy's configuration: add it, or correct the name in `backends`",
		    STR_ARG(b->name));
	else if (b->strategy == PLAN_STRATEGY_NONE)
		err_fill(&e, ERR_CONF, 0,
		    "backend `" STR_FMT
		    "` has no slots: add `server-template rc_ 1-20 0.0.0.0:0 check disabled` to it in "
		    "HAProxy's configuration",
		    STR_ARG(b->name));
	else if (b->n_unplaced > 0)
		err_fill(&e, ERR_LIMIT, 0,
		    "backend `" STR_FMT "`: no free slot for %zu task(s), all %zu are in use: raise the count of its "
		    "`server-template rc_` line",
		    STR_ARG(b->name), b->n_unplaced, actual_find(r->actual, b->name)->n_slots);
	if (e.code != ERR_OK)
		raise_backend(r, i, now_ms, out, &e);
	else if (fault_clear(&r->backend_faults[i]))
		note(out, LOG_INFO, "backend `" STR_FMT "`: mended", STR_ARG(b->name));
}

static bool
derive(struct reconcile *r, int64_t now_ms, struct reconcile_actions *out)
{
	struct desired *fresh;
	struct err e = ERR_INIT;

	if (!r->roster_is_new)
		return true;
	if (desired_derive(r->conf, r->roster, &fresh, &e) != ERR_OK) {
		err_prefix(&e, "deriving what HAProxy should hold");
		note_fault(out, &r->derive_fault, now_ms, &e, "keeping what it holds");
		return false;
	}
	(void)fault_clear(&r->derive_fault);
	/* The plan points into the old one. */
	plan_free(MOVE(r->plan));
	desired_free(r->desired);
	r->desired = fresh;
	r->roster_is_new = false;
	return true;
}

static bool
make_plan(struct reconcile *r, const struct plan_memory *memory, int64_t now_ms, struct reconcile_actions *out)
{
	const struct plan_rules rules = { .now_ms = now_ms };
	struct plan *p = NULL;
	struct err e = ERR_INIT;

	if (plan_diff(&rules, r->desired, r->actual, memory, &p, &e) != ERR_OK || plan_guard(&rules, p, &e) != ERR_OK) {
		plan_free(p);
		err_prefix(&e, "comparing HAProxy with what it should hold");
		note_fault(out, &r->derive_fault, now_ms, &e, "keeping what it holds");
		return false;
	}
	r->plan = p;
	return true;
}

static bool
waits_for_check(const struct plan *p)
{
	for (size_t i = 0; i < p->n_backends; i++)
		for (size_t j = 0; j < p->backends[i].n_servers; j++) {
			const struct plan_server *s = &p->backends[i].servers[j];

			if (s->state == PLAN_STATE_JOINING && s->actual->check == ACTUAL_CHECK_PENDING)
				return true;
		}
	return false;
}

static bool
all_clusters_known(const struct roster *roster)
{
	for (size_t i = 0; i < roster->n_clusters; i++)
		if (!roster->clusters[i].was_read && !roster->clusters[i].fault_is_permanent)
			return false;
	return true;
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
	look_again_in(r, now_ms, is_moving(r->plan) ? RECONCILE_CLOSE_MS : RECONCILE_CALM_MS);
	if (r->plan->next_ms > now_ms && r->plan->next_ms < r->next_ms)
		r->next_ms = r->plan->next_ms;
}

static void
settle(struct reconcile *r, const struct reconcile_event *ev)
{
	r->rounds = 0;
	r->in_step = !waits_for_check(r->plan);
	if (r->in_step)
		r->last_sync_wall_ms = ev->wall_ms;
	if (r->in_step && all_clusters_known(r->roster))
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
	if (all_clusters_known(r->roster))
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
		settle(r, ev);
		return;
	}
	r->in_step = false;
	if (!may_execute(r, ev->mono_ms))
		return;
	r->rounds++;
	r->ran_steps = steps_mark(r->plan);
	r->asked = ASKED_EXECUTE;
	out->execute = r->plan;
}

/* The old plan's memory outlives it by this much: the new plan copies it. */
static void
on_actual(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	struct plan *old_plan = MOVE(r->plan);
	struct actual *old_actual = r->actual;
	const struct plan_memory memory = old_plan != NULL ? old_plan->memory : (struct plan_memory){ 0 };
	bool planned = false;

	on_answer(r, out);
	r->actual = ev->actual;
	(void)meet_process(r, r->actual->pid, r->actual->start_time_s, out);
	if (r->roster != NULL && derive(r, ev->mono_ms, out))
		planned = make_plan(r, &memory, ev->mono_ms, out);
	plan_free(old_plan);
	actual_free(old_actual);
	if (!planned) {
		r->in_step = false;
		look_again_in(r, ev->mono_ms, RECONCILE_CALM_MS);
		return;
	}
	(void)fault_clear(&r->derive_fault);
	for (size_t i = 0; i < r->plan->n_backends; i++)
		judge_backend(r, i, ev->mono_ms, out);
	carry_on(r, ev, out);
}

static void
on_refusal(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *out)
{
	const struct err e = ev->report->refusals[0].err;

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
	if (report->n_refusals > 0)
		on_refusal(r, ev, out);
	else
		r->refused_runs = 0;
	r->look_now = true;
}

/* The same facts, perhaps at another age: nothing to derive anew. */
static bool
tells_the_same(const struct roster *a, const struct roster *b)
{
	if (a == NULL || a->n_clusters != b->n_clusters)
		return false;
	for (size_t i = 0; i < a->n_clusters; i++)
		if (a->clusters[i].facts != b->clusters[i].facts)
			return false;
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
	roster_unref(r->roster);
	r->roster = roster_ref(ev->roster);
}

void
reconcile_feed(struct reconcile *r, const struct reconcile_event *ev, struct reconcile_actions *ret)
{
	ret->read = false;
	ret->probe = false;
	ret->execute = NULL;
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
	choose(r, ev->mono_ms, ret);
}
