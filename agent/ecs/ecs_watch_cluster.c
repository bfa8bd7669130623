/* The schedule of one cluster: see ecs_watch_cluster.h. */
#include "config.h"

#include "ecs/ecs_watch_cluster.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "ecs/arn.h"
#include "ecs/ecs_ages.h"
#include "ecs/ecs_backoff.h"
#include "ecs/ecs_body.h"
#include "ecs/ecs_sweep.h"
#include "ecs/ecs_told.h"
#include "io/loop.h"

#define ROOM           "ecs"
#define BACKOFF_MIN_MS INT64_C(200) /* full jitter may say "at once" */
#define JITTER_PERCENT 10
#define GATHER_MS      INT64_C(20) /* what is told within this is asked about in one call */
#define TOLD_MAX       ((size_t)64 << 20)
/* So many full sweeps that leave tasks out, and it is no accident. */
#define LEFT_OUT_BELIEVED 3

struct flight {
	struct ecs_watch_cluster *cluster;
	struct aws_call *call; /* null: free */
	struct aws_caller *caller;
	unsigned id;
	bool is_aside; /* not about the cluster itself: of a definition, or a machine */
};

struct ecs_watch_cluster {
	struct ecs_watch_cluster_start start;
	struct clk clk;
	struct loop_timer *timer;

	struct ecs_sweep *sweep; /* null: none runs */
	enum ecs_sweep_kind kind;
	struct flight flights[ECS_WATCH_CLUSTER_IN_FLIGHT];
	bool met_failure;      /* in this pass ... */
	bool is_permanent;     /* ... and waiting does not mend the first ... */
	bool is_passing;       /* ... but one of the others */
	int64_t asked_wait_ms; /* how long the service wants to be left alone; 0: it did not say */

	bool full_next; /* asked for, or owed after a failure */
	bool in_one;    /* the next FULL is not to come in parts: somebody waits for it */
	int64_t full_due_ms, watch_due_ms;
	unsigned failures;     /* passes in a row */
	struct buf rest_after; /* where the next part of FULL goes on; empty: at its beginning */
	bool parts_whole;      /* of the parts so far */
	unsigned n_left_out;   /* FULLs before the first whole one that left tasks out */

	int64_t began_ms, full_began_ms; /* monotonic; of the pass that runs or ran last, and its FULL; 0: none */
	struct ecs_watch_pace pace;

	bool seek_next;                /* WATCH as soon as may be */
	struct ecs_sought asked;       /* about, by the passes so far */
	struct ecs_sought sought, due; /* by this one: in all, and to be asked about */

	/* Ends that events told: since then no pass has begun. */
	struct arena *told_arena; /* null: none */
	struct roster_task *told; /* grows */
	size_t n_told, cap_told;
	bool told_news;
	struct arena *names_arena; /* likewise, of whom to ask about */
	struct ecs_sought_task *names;
	size_t n_names;
	int64_t names_due_ms, named_began_ms;
	struct ecs_sought named;     /* by the pass that runs */
	bool is_listening, is_heard; /* see ECS_WATCH_CLUSTER_REST_X */
	int64_t rested_ms;           /* by which WATCH was put off on purpose */
	struct ecs_ages *ages;       /* apart from all passes */

	struct roster_cluster known;
	struct buf account, arn; /* behind those of known */
	bool fault_of_full;      /* so that only FULL can disprove it */
};

static void run_due(void *arg);
static struct roster_facts *with_told(const struct ecs_watch_cluster *c, struct roster_facts *facts);
static void forget_told(struct ecs_watch_cluster *c);

/* ---- text ---- */

static struct str
shown_name(const struct ecs_watch_cluster *c)
{
	return str_first(c->known.name, 100);
}

/* Keeps a copy of what answers told; what does not fit into memory is told again. */
static void
learn(struct buf *copy, struct str *known, struct str told)
{
	if (known->len > 0)
		return; /* whoever tells another thing is refused by the sweep */
	buf_put(copy, told);
	*known = buf_str(copy);
}

/* ---- making and ending ---- */

static void
take_over(struct ecs_watch_cluster *c, const struct roster_cluster *before)
{
	learn(&c->account, &c->known.account, before->account);
	learn(&c->arn, &c->known.arn, before->arn);
	c->known.facts = before->facts != NULL ? roster_facts_ref(before->facts) : NULL;
}

static enum err_code
make_ages(struct ecs_watch_cluster *c, struct err *e)
{
	const struct ecs_ages_start start = {
		.loop = c->start.loop,
		.source = c->start.source,
		.of = &c->known,
		.name = c->start.name,
		.caller = c->start.callers.ecs,
		.rnd = c->start.rnd,
		.before = c->start.services,
		.n_before = c->start.n_services,
		.contest = c->start.contest,
		.contest_arg = c->start.held_arg,
		.changed = c->start.changed,
		.arg = c->start.arg,
	};

	c->start.services = NULL;
	return ecs_ages_new(&start, &c->ages, e);
}

enum err_code
ecs_watch_cluster_new(const struct ecs_watch_cluster_start *start, struct ecs_watch_cluster **ret, struct err *e)
{
	struct ecs_watch_cluster *c = calloc(1, sizeof(*c));
	enum err_code code;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "watch a cluster: %s", err_text(ERR_NOMEM));
	c->start = *start;
	c->clk = loop_clk(start->loop);
	c->account = buf_make(ARN_MAX);
	c->arn = buf_make(ARN_MAX);
	c->rest_after = buf_make(ARN_MAX);
	c->known.source = start->source->name;
	c->known.name = start->shown;
	if (start->before != NULL)
		take_over(c, start->before);
	c->start.before = NULL;
	for (size_t i = 0; i < ECS_WATCH_CLUSTER_IN_FLIGHT; i++)
		c->flights[i].cluster = c;
	code = loop_timer_new(start->loop, run_due, c, &c->timer, e);
	if (code == ERR_OK)
		code = make_ages(c, e);
	if (code != ERR_OK) {
		ecs_watch_cluster_close(c);
		return code;
	}
	*ret = c;
	return ERR_OK;
}

void
ecs_watch_cluster_close(struct ecs_watch_cluster *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < ECS_WATCH_CLUSTER_IN_FLIGHT; i++)
		if (c->flights[i].call != NULL)
			aws_caller_cancel(c->flights[i].caller, c->flights[i].call);
	loop_timer_close(c->timer);
	ecs_ages_close(c->ages);
	ecs_sweep_free(c->sweep);
	ecs_sought_free(&c->asked);
	ecs_sought_free(&c->sought);
	ecs_sought_free(&c->due);
	roster_facts_unref(c->known.facts);
	arena_free(c->told_arena);
	free(c->told);
	arena_free(c->names_arena);
	free(c->names);
	ecs_sought_free(&c->named);
	buf_free(&c->account);
	buf_free(&c->arn);
	buf_free(&c->rest_after);
	free(c);
}

/* A pass that has lasted longer than the last two were apart says more than these. */
struct ecs_watch_pace
ecs_watch_cluster_pace(const struct ecs_watch_cluster *c)
{
	int64_t now = clk_mono_ms(&c->clk);
	struct ecs_watch_pace pace = c->pace;

	if (pace.watch_ms != 0 && c->sweep != NULL && now - c->began_ms > pace.watch_ms)
		pace.watch_ms = now - c->began_ms;
	if (pace.refresh_ms != 0 && c->rest_after.len > 0 && now - c->full_began_ms > pace.refresh_ms)
		pace.refresh_ms = now - c->full_began_ms;
	return pace;
}

struct roster_cluster
ecs_watch_cluster_view(const struct ecs_watch_cluster *c)
{
	struct roster_cluster view = c->known;

	view.services = ecs_ages_view(c->ages, &view.n_services);
	return view;
}

void
ecs_watch_cluster_contest(struct ecs_watch_cluster *c)
{
	ecs_ages_renew(c->ages);
}

const struct fault *
ecs_watch_cluster_contest_fault(const struct ecs_watch_cluster *c)
{
	return ecs_ages_fault(c->ages);
}

/* ---- the schedule ---- */

static int64_t
jittered(struct ecs_watch_cluster *c, int64_t ms)
{
	int64_t span = ms * JITTER_PERCENT / 100;

	return ms - span + (int64_t)((uint64_t)prng_next(c->start.rnd) * (uint64_t)(2 * span + 1) >> 32);
}

static int64_t
backoff_ms(struct ecs_watch_cluster *c)
{
	const int64_t cap = ecs_backoff_cap_ms(c->start.source);
	const int64_t wait = ecs_backoff_ms(c->start.source, c->failures, BACKOFF_MIN_MS, c->start.rnd);

	if (wait < c->asked_wait_ms)
		return c->asked_wait_ms < cap ? c->asked_wait_ms : cap;
	return wait;
}

static int64_t
until_due_ms(const struct ecs_watch_cluster *c)
{
	int64_t due = c->full_due_ms < c->watch_due_ms ? c->full_due_ms : c->watch_due_ms;
	int64_t wait;

	if (c->n_names > 0 && c->failures == 0 && c->names_due_ms < due)
		due = c->names_due_ms;
	wait = due - clk_mono_ms(&c->clk);
	return wait > 0 ? wait : 0;
}

/* Somebody whom only looks bring in: events tell no health. */
static bool
is_awaited(const struct ecs_watch_cluster *c, const struct roster_task *t)
{
	return t->desired_status == ROSTER_RUNNING && t->ended_wall_ms == 0 &&
	       (t->last_status < ROSTER_RUNNING || (c->start.source->require_healthy && t->health != ROSTER_HEALTHY));
}

static bool
may_rest(const struct ecs_watch_cluster *c)
{
	const struct roster_facts *f = c->known.facts;

	if (!c->is_listening || !c->is_heard || f == NULL)
		return false;
	for (size_t i = 0; i < f->n_tasks; i++)
		if (is_awaited(c, &f->tasks[i]))
			return false;
	return true;
}

static int64_t
watch_pause_ms(const struct ecs_watch_cluster *c)
{
	const struct conf_source *s = c->start.source;
	int64_t rest = s->watch_ms * ECS_WATCH_CLUSTER_REST_X;

	if (!may_rest(c))
		return s->watch_ms;
	return rest < s->refresh_ms ? rest : s->refresh_ms > s->watch_ms ? s->refresh_ms : s->watch_ms;
}

/* After a pass, which failed or not: when are the next ones due? */
static void
schedule(struct ecs_watch_cluster *c, bool failed)
{
	int64_t now = clk_mono_ms(&c->clk);

	if (failed) {
		c->full_due_ms = now + backoff_ms(c);
		c->watch_due_ms = c->full_due_ms;
		c->full_next = true;
		c->failures++;
	} else if (c->kind == ECS_SWEEP_NAMED) {
		c->failures = 0; /* and the others are due as they were */
	} else {
		c->watch_due_ms = now + c->start.source->watch_ms;
		if (c->kind == ECS_SWEEP_FULL)
			c->full_due_ms =
			    c->rest_after.len > 0 ? c->watch_due_ms : now + jittered(c, c->start.source->refresh_ms);
		c->failures = 0;
	}
	loop_timer_arm(c->timer, until_due_ms(c));
}

/* Once it is known what the pass has found. */
static void
rest_or_look(struct ecs_watch_cluster *c)
{
	if (c->failures > 0 || c->kind == ECS_SWEEP_NAMED)
		return;
	c->rested_ms = watch_pause_ms(c) - c->start.source->watch_ms;
	c->watch_due_ms = clk_mono_ms(&c->clk) + watch_pause_ms(c);
	loop_timer_arm(c->timer, until_due_ms(c));
}

void
ecs_watch_cluster_seek(struct ecs_watch_cluster *c)
{
	if (c->failures > 0)
		return;
	c->seek_next = true;
	if (c->sweep == NULL)
		loop_timer_arm(c->timer, 0);
}

void
ecs_watch_cluster_poke(struct ecs_watch_cluster *c)
{
	c->full_next = c->in_one = true;
	c->full_due_ms = clk_mono_ms(&c->clk);
	if (c->sweep == NULL)
		loop_timer_arm(c->timer, 0);
}

/* ---- what events tell ---- */

void
ecs_watch_cluster_listening(struct ecs_watch_cluster *c, bool is_listening)
{
	c->is_listening = is_listening;
	c->is_heard = c->is_heard && is_listening;
	/* Whoever rested looks again. */
	if (!is_listening && c->failures == 0 && c->watch_due_ms > clk_mono_ms(&c->clk) + c->start.source->watch_ms) {
		c->watch_due_ms = clk_mono_ms(&c->clk) + c->start.source->watch_ms;
		if (c->sweep == NULL)
			loop_timer_arm(c->timer, until_due_ms(c));
	}
}

static struct arena *
arena_of(struct arena **a)
{
	if (*a == NULL)
		*a = arena_new(TOLD_MAX);
	return *a;
}

static bool
note_end(struct ecs_watch_cluster *c, const struct roster_task *t)
{
	struct arena *a = arena_of(&c->told_arena);

	if (a == NULL)
		return false;
	if (c->n_told == c->cap_told) {
		size_t cap = c->cap_told == 0 ? 64 : c->cap_told * 2;
		struct roster_task *bigger = reallocarray(c->told, cap, sizeof(*bigger));

		if (bigger == NULL)
			return false;
		c->told = bigger;
		c->cap_told = cap;
	}
	if (!roster_task_copy(a, t, &c->told[c->n_told]))
		return false;
	c->n_told++;
	c->told_news = true;
	return true;
}

static bool
is_named(const struct ecs_watch_cluster *c, struct str id)
{
	for (size_t i = 0; i < c->n_names; i++)
		if (str_eq(c->names[i].id, id))
			return true;
	return false;
}

/* At most half of what the rate limit allows. */
static int64_t
named_apart_ms(const struct ecs_watch_cluster *c)
{
	unsigned rate = c->start.source->rate_limit_milli > 0 ? c->start.source->rate_limit_milli : 1;

	return (int64_t)2 * 1000000 / rate * *c->start.n_sharing;
}

static bool
note_name(struct ecs_watch_cluster *c, struct str id)
{
	struct arena *a = arena_of(&c->names_arena);
	int64_t now = clk_mono_ms(&c->clk);

	if (is_named(c, id))
		return true;
	if (c->names == NULL)
		c->names = calloc(ECS_WATCH_CLUSTER_NAMED_MAX, sizeof(*c->names));
	if (a == NULL || c->names == NULL || c->n_names == ECS_WATCH_CLUSTER_NAMED_MAX)
		return false;
	c->names[c->n_names] = (struct ecs_sought_task){ .arn = STR("") };
	if (!arena_str(a, id, &c->names[c->n_names].id))
		return false;
	if (c->n_names++ > 0)
		return true;
	c->names_due_ms = now + GATHER_MS;
	if (c->named_began_ms != 0 && c->names_due_ms < c->named_began_ms + named_apart_ms(c))
		c->names_due_ms = c->named_began_ms + named_apart_ms(c);
	if (c->sweep == NULL)
		loop_timer_arm(c->timer, until_due_ms(c));
	return true;
}

bool
ecs_watch_cluster_told(struct ecs_watch_cluster *c, const struct ecs_event *event)
{
	bool is_noted = true;

	if (!ecs_told_is_of(event, c->known.account, c->known.arn))
		return false;
	c->is_heard = true;
	switch (ecs_told_judge(c->known.facts, &event->task)) {
	case ECS_TOLD_NOTHING:
		break;
	case ECS_TOLD_END:
		is_noted = note_end(c, &event->task);
		break;
	case ECS_TOLD_ASK:
		is_noted = note_name(c, event->task.id);
		break;
	}
	if (!is_noted)
		ecs_watch_cluster_seek(c); /* too much at once: the list tells */
	return true;
}

bool
ecs_watch_cluster_take_told(struct ecs_watch_cluster *c)
{
	const struct roster_facts *before = c->known.facts;

	if (!c->told_news)
		return false;
	c->told_news = false;
	c->known.facts = with_told(c, c->known.facts);
	if (c->sweep == NULL)
		forget_told(c);
	return c->known.facts != before;
}

/* ---- who is sought ---- */

/* Not asked about yet (or FULL asks again), and nothing says that it is of another cluster. */
static bool
is_to_be_asked(const void *arg, const struct ecs_sought_task *t)
{
	const struct ecs_watch_cluster *c = arg;
	const struct str region = c->start.source->region;
	struct str cluster, id;
	struct arn arn;

	if (c->kind == ECS_SWEEP_WATCH && ecs_sought_find(&c->asked, t->id) != NULL)
		return false;
	if (!arn_parse_task(t->arn, &arn, &cluster, &id))
		return true;
	if ((region.len > 0 && !str_eq(arn.region, region)) ||
	    (c->known.account.len > 0 && !str_eq(arn.account, c->known.account)))
		return false;
	return cluster.len == 0 || str_eq(cluster, arn_cluster_name(c->start.name));
}

/* Out of memory: nobody is asked about in this pass. */
static const struct ecs_sought *
list_sought(void *arg)
{
	struct ecs_watch_cluster *c = arg;
	const struct ecs_sought *all = c->start.sought != NULL ? c->start.sought(c->start.held_arg) : NULL;

	ecs_sought_free(&c->sought);
	ecs_sought_free(&c->due);
	if (all == NULL || ecs_sought_make(all->tasks, all->n, &c->sought, NULL) != ERR_OK ||
	    ecs_sought_pick(all, is_to_be_asked, c, &c->due, NULL) != ERR_OK)
		return NULL;
	return &c->due;
}

static void
note_asked(struct ecs_watch_cluster *c)
{
	ecs_sought_free(&c->asked);
	c->asked = c->sought;
	c->sought = (struct ecs_sought){ .n = 0 };
}

/* ---- the end of a pass ---- */

static void
tell_fault(const struct ecs_watch_cluster *c, bool failed)
{
	log_warn(ROOM, "cluster `" STR_FMT "` of " STR_FMT ": %s; %s, next try in %" PRId64 " s",
	    STR_ARG(shown_name(c)), STR_ARG(c->known.source), c->known.fault.err.msg,
	    c->known.facts == NULL ? "no task of it is known"
	    : failed               ? "keeping the last known tasks"
				   : "keeping what was last known of the tasks concerned",
	    (until_due_ms(c) + 999) / 1000);
}

static bool
clear_fault(struct ecs_watch_cluster *c)
{
	/* The others do not ask all that a FULL pass had trouble with. */
	if (c->kind != ECS_SWEEP_FULL && c->fault_of_full)
		return false;
	c->fault_of_full = false;
	c->known.fault_is_permanent = false;
	if (!fault_clear(&c->known.fault))
		return false;
	log_info(ROOM,
	    "cluster `" STR_FMT "` of " STR_FMT ": all of it was read again, after %" PRIu64
	    " passes that were not whole",
	    STR_ARG(shown_name(c)), STR_ARG(c->known.source), c->known.fault.count);
	return true;
}

/* True: what others see of it is another fault than before. */
static bool
raise_fault(struct ecs_watch_cluster *c, const struct err *why, bool failed)
{
	bool was_permanent = c->known.fault_is_permanent;
	bool was_on = c->known.fault.on;
	bool speak = fault_raise(&c->known.fault, clk_mono_ms(&c->clk), why);

	c->fault_of_full = c->kind == ECS_SWEEP_FULL || (was_on && c->fault_of_full);
	c->known.fault_is_permanent = c->is_permanent;
	if (speak)
		tell_fault(c, failed);
	return speak || was_permanent != c->known.fault_is_permanent;
}

/* facts with what events have told meanwhile; takes the reference.  Without memory, and so
 * without them, the next pass finds the same. */
static struct roster_facts *
with_told(const struct ecs_watch_cluster *c, struct roster_facts *facts)
{
	struct roster_facts *now;

	if (facts == NULL || c->n_told == 0 ||
	    ecs_told_apply(facts, c->told, c->n_told, clk_wall_ms(&c->clk), &now, NULL) != ERR_OK)
		return facts;
	roster_facts_unref(facts);
	return now;
}

static void
forget_told(struct ecs_watch_cluster *c)
{
	arena_free(MOVE(c->told_arena));
	c->n_told = 0;
	c->told_news = false;
}

/* Has a pass found an end of which no event came? */
static bool
found_untold_end(const struct roster_facts *before, const struct roster_facts *now)
{
	for (size_t i = 0; before != NULL && now != NULL && now != before && i < now->n_tasks; i++) {
		const struct roster_task *t = &now->tasks[i], *was;

		if (t->is_by_event || !roster_task_is_ending(t))
			continue;
		was = roster_facts_find(before, t->arn);
		if (was != NULL && !roster_task_is_ending(was))
			return true;
	}
	return false;
}

static void
use_facts(struct ecs_watch_cluster *c, struct roster_facts *facts)
{
	facts = with_told(c, facts);
	if (c->is_heard && found_untold_end(c->known.facts, facts))
		c->is_heard = false;
	roster_facts_unref(c->known.facts);
	c->known.facts = facts;
}

/* What is left out of an answer may be all that a service has, and waiting may not mend it; where
 * nobody at all was told of, it is waited for.  True: that is new. */
static bool
note_read(struct ecs_watch_cluster *c, bool left_out)
{
	if (!left_out) {
		c->known.was_read = true;
		c->known.is_read_in_part = false;
		return false;
	}
	if (c->known.was_read || c->known.is_read_in_part || c->known.facts == NULL || c->known.facts->n_tasks == 0 ||
	    ++c->n_left_out < LEFT_OUT_BELIEVED)
		return false;
	c->known.is_read_in_part = true;
	return true;
}

/* True: others see something new. */
static bool
take_result(struct ecs_watch_cluster *c, const struct ecs_sweep_result *r)
{
	const struct roster_facts *before = c->known.facts;
	bool news;

	use_facts(c, r->facts);
	news = c->known.facts != before;
	forget_told(c);
	learn(&c->account, &c->known.account, r->account);
	learn(&c->arn, &c->known.arn, r->cluster_arn);
	/* A definition that can be had a moment later is waited for: without it tasks that
	 * should serve do not enter, and whoever is told that we are ready counts on them. */
	if (c->kind == ECS_SWEEP_FULL && r->answered && !c->is_passing)
		news = note_read(c, r->left_out) || news;
	if (c->kind == ECS_SWEEP_FULL && !r->complete)
		c->parts_whole = false;
	if (!r->complete)
		return raise_fault(c, &r->err, !r->answered) || news;
	if (c->kind == ECS_SWEEP_FULL && (r->rest_after.len > 0 || !c->parts_whole))
		return news; /* whether all of it can be read is known after its last part */
	if (c->kind == ECS_SWEEP_FULL) {
		c->known.sweeps++;
		c->known.complete_wall_ms = clk_wall_ms(&c->clk);
		c->known.complete_before_mono_ms = c->known.complete_mono_ms;
		c->known.complete_mono_ms = clk_mono_ms(&c->clk);
		news = true;
	}
	return clear_fault(c) || news;
}

/* How far FULL has come. */
static void
note_part(struct ecs_watch_cluster *c, struct str rest_after)
{
	bool was_part = c->rest_after.len > 0;

	if (c->kind != ECS_SWEEP_FULL)
		return;
	buf_reset(&c->rest_after);
	buf_put(&c->rest_after, rest_after);
	if (!was_part)
		c->parts_whole = true;
}

static void
end_pass(struct ecs_watch_cluster *c)
{
	struct ecs_sweep_result result;
	struct err why = ERR_INIT;
	bool news;

	if (ecs_sweep_result(c->sweep, clk_wall_ms(&c->clk), &result, &why) == ERR_OK) {
		note_part(c, result.rest_after);
		if (result.answered && c->kind != ECS_SWEEP_NAMED)
			note_asked(c);
		schedule(c, !result.answered);
		news = take_result(c, &result);
		rest_or_look(c);
	} else {
		schedule(c, true);
		news = raise_fault(c, &why, true);
	}
	ecs_sweep_free(c->sweep);
	c->sweep = NULL;
	ecs_sought_free(&c->named);
	if ((c->full_next || c->seek_next) && c->failures == 0)
		loop_timer_arm(c->timer, 0); /* poked meanwhile */
	if (news)
		c->start.changed(c->start.arg);
}

/* ---- calls ---- */

static void pump(struct ecs_watch_cluster *c);

/* Is the cluster itself out of reach for good?  One definition or machine that is not
 * found is not. */
static void
note_failure(struct ecs_watch_cluster *c, const struct flight *f, enum aws_error_class class_, int64_t asked_wait_ms)
{
	if (c->asked_wait_ms < asked_wait_ms)
		c->asked_wait_ms = asked_wait_ms;
	if (class_ != AWS_ERROR_DENIED && class_ != AWS_ERROR_NOT_FOUND && class_ != AWS_ERROR_INVALID)
		c->is_passing = true;
	if (c->met_failure)
		return;
	c->met_failure = true;
	c->is_permanent = class_ == AWS_ERROR_DENIED || (class_ == AWS_ERROR_NOT_FOUND && !f->is_aside);
}

/* What has ended does not wait for the end of the pass. */
static void
tell_news(struct ecs_watch_cluster *c)
{
	struct roster_facts *facts;

	/* Without memory for it now, the end of the pass tells it. */
	if (!ecs_sweep_has_news(c->sweep) || ecs_sweep_news(c->sweep, clk_wall_ms(&c->clk), &facts, NULL) != ERR_OK)
		return;
	use_facts(c, facts);
	c->start.changed(c->start.arg);
}

static void
answered(void *arg, struct str body, const struct aws_error *failure)
{
	struct flight *f = arg;
	struct ecs_watch_cluster *c = f->cluster;
	struct err why = ERR_INIT;

	f->call = NULL;
	if (failure != NULL) {
		note_failure(c, f, failure->class_, failure->retry_after_ms);
		ecs_sweep_failed(c->sweep, f->id, &failure->err);
	} else if (ecs_sweep_answer(c->sweep, f->id, body, clk_wall_ms(&c->clk), &why) != ERR_OK) {
		log_debug(ROOM, "cluster `" STR_FMT "` of " STR_FMT ": %s", STR_ARG(shown_name(c)),
		    STR_ARG(c->known.source), why.msg);
	}
	tell_news(c);
	pump(c);
}

static struct flight *
free_flight(struct ecs_watch_cluster *c)
{
	for (size_t i = 0; i < ECS_WATCH_CLUSTER_IN_FLIGHT; i++)
		if (c->flights[i].call == NULL)
			return &c->flights[i];
	return NULL;
}

static struct aws_caller *
caller_of(const struct ecs_watch_cluster *c, const struct aws_service *to)
{
	const struct ecs_watch_callers *callers = &c->start.callers;

	return to == &aws_service_ec2 ? callers->ec2 : to == &aws_service_ssm ? callers->ssm : callers->ecs;
}

static void
pump(struct ecs_watch_cluster *c)
{
	struct ecs_sweep_ask ask;
	struct flight *f;

	while ((f = free_flight(c)) != NULL && ecs_sweep_next(c->sweep, &ask)) {
		struct err why = ERR_INIT;

		f->id = ask.id;
		f->caller = caller_of(c, ask.to);
		f->is_aside = strcmp(ask.action, "ListTasks") != 0 && strcmp(ask.action, "DescribeTasks") != 0;
		if (aws_caller_send(f->caller, ask.action, ask.body, answered, f, &f->call, &why) == ERR_OK)
			continue;
		f->call = NULL;
		note_failure(c, f, AWS_ERROR_TRANSIENT, 0);
		ecs_sweep_failed(c->sweep, ask.id, &why);
	}
	if (ecs_sweep_finished(c->sweep))
		end_pass(c);
}

/* ---- the beginning of a pass ---- */

/* Calls that the rate limit allows within `watch`, of those that share it. */
static size_t
calls_in_watch(const struct ecs_watch_cluster *c)
{
	const struct conf_source *source = c->start.source;

	return (size_t)(source->watch_ms * source->rate_limit_milli / 1000000 / *c->start.n_sharing);
}

/*
 * In how large parts a FULL comes: whole, if burst or rate allow it at once.  Else a
 * part is at most half of what the list costs, so that looks are held up by no more
 * than that, and FULL still gets on.
 */
static size_t
part_of_full(const struct ecs_watch_cluster *c)
{
	size_t n_tasks = c->known.facts != NULL ? c->known.facts->n_tasks : 0;
	size_t pages = (n_tasks + ECS_BODY_TASKS_MAX - 1) / ECS_BODY_TASKS_MAX;
	size_t in_watch = calls_in_watch(c), half = (pages + 1) / 2;

	if (c->in_one || c->known.sweeps == 0 || 2 * pages <= BUCKET_BURST / *c->start.n_sharing ||
	    2 * pages <= in_watch)
		return 0;
	return half > in_watch ? half : in_watch;
}

static void
note_beginning(struct ecs_watch_cluster *c)
{
	int64_t now = clk_mono_ms(&c->clk);

	if (c->kind == ECS_SWEEP_NAMED)
		return;
	if (c->began_ms != 0 && c->failures == 0)
		c->pace.watch_ms = now - c->began_ms > c->rested_ms ? now - c->began_ms - c->rested_ms : 0;
	c->began_ms = now;
	if (c->kind != ECS_SWEEP_FULL || c->rest_after.len > 0)
		return;
	if (c->full_began_ms != 0 && c->failures == 0)
		c->pace.refresh_ms = now - c->full_began_ms;
	c->full_began_ms = now;
}

static enum err_code
begin_pass(struct ecs_watch_cluster *c, struct err *e)
{
	const struct ecs_sweep_start start = {
		.kind = c->kind,
		.cluster = c->start.name,
		.account = c->known.account,
		.cluster_arn = c->known.arn,
		.before = c->known.facts,
		.definitions = c->start.definitions,
		.hosts = c->start.hosts,
		.named = &c->named,
		.mono_ms = clk_mono_ms(&c->clk),
		.require_healthy = c->start.source->require_healthy,
		.rest_max = part_of_full(c),
		.rest_after = buf_str(&c->rest_after),
		.is_held = c->start.is_held,
		.arg = c->start.held_arg,
		.sought = list_sought,
		.sought_arg = c,
	};

	if (c->kind == ECS_SWEEP_FULL)
		c->in_one = false;
	c->met_failure = false;
	c->is_permanent = false;
	c->is_passing = false;
	c->asked_wait_ms = 0;
	return ecs_sweep_new(&start, &c->sweep, e);
}

static enum ecs_sweep_kind
next_kind(const struct ecs_watch_cluster *c)
{
	int64_t now = clk_mono_ms(&c->clk);

	if (c->full_next || now >= c->full_due_ms)
		return ECS_SWEEP_FULL;
	if (c->n_names > 0 && c->failures == 0 && !c->seek_next && now < c->watch_due_ms && now >= c->names_due_ms)
		return ECS_SWEEP_NAMED;
	return ECS_SWEEP_WATCH;
}

/* False: nobody is to be asked about after all. */
static bool
take_names(struct ecs_watch_cluster *c)
{
	enum err_code code = ecs_sought_make(c->names, c->n_names, &c->named, NULL);

	c->n_names = 0;
	arena_free(MOVE(c->names_arena));
	c->named_began_ms = clk_mono_ms(&c->clk);
	return code == ERR_OK && c->named.n > 0;
}

static void
run_due(void *arg)
{
	struct ecs_watch_cluster *c = arg;
	struct err why = ERR_INIT;

	assert(c->sweep == NULL);
	c->kind = next_kind(c);
	if (c->kind == ECS_SWEEP_NAMED && !take_names(c)) {
		loop_timer_arm(c->timer, until_due_ms(c));
		return;
	}
	if (c->kind != ECS_SWEEP_NAMED)
		c->full_next = c->seek_next = false;
	if (c->in_one && c->kind == ECS_SWEEP_FULL)
		buf_reset(&c->rest_after);
	note_beginning(c);
	if (begin_pass(c, &why) == ERR_OK) {
		pump(c);
		return;
	}
	schedule(c, true);
	if (raise_fault(c, &why, true))
		c->start.changed(c->start.arg);
}
