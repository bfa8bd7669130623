/*
 * The watcher on a loop of virtual time, with a small ECS behind the caller: when
 * it asks, what it publishes, how it behaves in trouble.
 */
#include "config.h"

#include <stdlib.h>

#include "base/log.h"
#include "ecs/ecs_backoff.h"
#include "ecs/ecs_watch.h"
#include "ecs/ecs_watch_cluster.h"
#include "fake_ecs.h"
#include "fake_loop.h"
#include "io/http.h"
#include "unit.h"

#define ANSWER_MS 20 /* how long a call takes */

/* ---- the caller, at link time ---- */

struct aws_call {
	struct aws_caller *caller;
	struct aws_call *next;
	const char *action;
	struct buf body;
	aws_caller_done_fn *done;
	void *arg;
};

struct aws_caller {
	struct fake_ecs ecs;
	struct loop_timer *timer; /* while calls are under way: answers all of them */
	struct aws_call *calls;   /* the first asked is the last */
	unsigned n_open, most_open, n_cancelled;
	enum aws_error_class class_; /* of failures */
	int64_t retry_after_ms;      /* likewise */
	bool refuse;                 /* in send */
};

static void
free_call(struct aws_call *call)
{
	buf_free(&call->body);
	free(call);
}

enum err_code
aws_caller_send(struct aws_caller *c, const char *action, struct str body, aws_caller_done_fn *done, void *arg,
    struct aws_call **ret, struct err *e)
{
	struct aws_call *call;

	if (c->refuse)
		return err_set(e, ERR_LIMIT, "too many calls");
	call = calloc(1, sizeof(*call));
	assert_non_null(call);
	*call = (struct aws_call){ .caller = c, .next = c->calls, .action = action, .done = done, .arg = arg };
	call->body = buf_make(body.len);
	buf_put(&call->body, body);
	c->calls = call;
	c->n_open++;
	c->most_open = c->n_open > c->most_open ? c->n_open : c->most_open;
	loop_timer_arm(c->timer, ANSWER_MS);
	*ret = call;
	return ERR_OK;
}

void
aws_caller_cancel(struct aws_caller *c, struct aws_call *call)
{
	struct aws_call **at = &c->calls;

	while (*at != call) {
		assert_non_null(*at);
		at = &(*at)->next;
	}
	*at = call->next;
	c->n_open--;
	c->n_cancelled++;
	free_call(call);
}

static void
answer(struct aws_caller *c, const struct aws_call *call)
{
	struct aws_error failure = { .class_ = c->class_, .retry_after_ms = c->retry_after_ms };
	struct buf out = buf_make((size_t)8 << 20);

	if (fake_ecs_answer(&c->ecs, call->action, buf_str(&call->body), &out, &failure.err) == ERR_OK)
		call->done(call->arg, buf_str(&out), NULL);
	else
		call->done(call->arg, STR(""), &failure);
	buf_free(&out);
}

static void
answer_all(void *arg)
{
	struct aws_caller *c = arg;
	struct aws_call *calls = c->calls;

	c->calls = NULL;
	c->n_open = 0;
	while (calls != NULL) {
		struct aws_call *next = calls->next;

		answer(c, calls);
		free_call(calls);
		calls = next;
	}
}

/* ---- the stage ---- */

struct stage {
	struct loop *loop;
	struct clk clk;
	struct aws_caller callers[2];
	struct conf conf;
	struct conf_source sources[2];
	struct prng rnd;
	struct ecs_watch *watch;
	struct ecs_sought sought;
	bool contest_is_known;
	struct ecs_contest contest;
	struct ecs_contest_service contested[30];
	bool contest_is_a_part;
	const struct roster_service *services; /* of an earlier run */
	size_t n_services;
	struct roster *last;
	unsigned published, warned, informed;
	char line[512]; /* the last warning */
};

static void
on_log(void *arg, const struct log_record *r)
{
	struct stage *s = arg;

	if (r->level == LOG_INFO)
		s->informed++;
	if (r->level != LOG_WARN)
		return;
	s->warned++;
	(void)snprintf(s->line, sizeof(s->line), STR_FMT, STR_ARG(r->line));
}

static void
on_published(void *arg, struct roster *r)
{
	struct stage *s = arg;

	roster_unref(s->last);
	s->last = roster_ref(r);
	s->published++;
}

static const struct str prod[] = { { "prod", 4 } };
static const struct str two[] = { { "prod", 4 }, { "test", 4 } };
static const struct str star[] = { { "*", 1 } };
static const struct str arn[] = { { FAKE_ECS_PREFIX "cluster/prod", sizeof(FAKE_ECS_PREFIX "cluster/prod") - 1 } };

static struct conf_source
source(const char *name, const struct str *clusters, size_t n)
{
	return (struct conf_source){ .name = str_from_cstr(name),
		.region = str_from_cstr(name),
		.clusters = { .items = clusters, .n = n },
		.watch_ms = 2000,
		.refresh_ms = 15000,
		.rate_limit_milli = 2000 };
}

static void
stage_init(struct stage *s, size_t n_tasks)
{
	*s = (struct stage){ .rnd = prng_make(7) };
	assert_int_equal(loop_new(&s->loop, NULL), ERR_OK);
	s->clk = loop_clk(s->loop);
	s->conf.sources = s->sources;
	s->conf.n_sources = 1;
	s->sources[0] = source("eu-west-1", prod, 1);
	s->sources[1] = source("us-east-1", prod, 1);
	for (size_t i = 0; i < N_OF(s->callers); i++) {
		fake_ecs_init(&s->callers[i].ecs, n_tasks);
		assert_int_equal(
		    loop_timer_new(s->loop, answer_all, &s->callers[i], &s->callers[i].timer, NULL), ERR_OK);
	}
	log_open(on_log, s, LOG_INFO);
}

static const struct ecs_sought *
list_sought(void *arg)
{
	struct stage *s = arg;

	return &s->sought;
}

static const struct ecs_contest *
list_contest(void *arg)
{
	const struct stage *s = arg;

	return s->contest_is_known ? &s->contest : NULL;
}

static const struct roster_service *
recall_services(void *arg, struct str source, struct str cluster, size_t *ret_n)
{
	const struct stage *s = arg;

	*ret_n = str_eq(source, STR("eu-west-1")) && str_eq(cluster, STR("prod")) ? s->n_services : 0;
	return s->services;
}

static void
stage_start(struct stage *s)
{
	const struct ecs_watch_callers callers[] = { { .ecs = &s->callers[0] }, { .ecs = &s->callers[1] } };
	const struct ecs_watch_listener to = {
		.published = on_published,
		.sought = list_sought,
		.contest = list_contest,
		.services = recall_services,
		.arg = s,
	};

	assert_int_equal(ecs_watch_new(s->loop, &s->conf, callers, &s->rnd, to, &s->watch, NULL), ERR_OK);
	ecs_watch_start(s->watch);
	assert_int_equal(s->published, 0);
}

static void
stage_done(struct stage *s)
{
	ecs_watch_close(s->watch);
	ecs_sought_free(&s->sought);
	for (size_t i = 0; i < N_OF(s->callers); i++) {
		assert_null(s->callers[i].calls);
		loop_timer_close(s->callers[i].timer);
		fake_ecs_free(&s->callers[i].ecs);
	}
	roster_unref(s->last);
	log_open(NULL, NULL, LOG_ERROR);
	loop_free(s->loop);
}

static struct fake_ecs *
ecs(struct stage *s)
{
	return &s->callers[0].ecs;
}

static void
fault(struct stage *s, const char *action, enum fake_fault_kind kind, enum aws_error_class class_)
{
	ecs(s)->faults[0] = (struct fake_fault){ .action = action, .kind = kind };
	s->callers[0].class_ = class_;
}

/* ---- events ---- */

static struct roster_task
told_task(const struct fake_task *t, char *arn_text, enum roster_status last, enum roster_status desired)
{
	fake_ecs_arn(t, arn_text);
	return (struct roster_task){
		.arn = str_from_cstr(arn_text),
		.id = str_from_cstr(t->id),
		.definition_arn = STR(FAKE_ECS_PREFIX "task-definition/shop:1"),
		.last_status = last,
		.desired_status = desired,
	};
}

/* The event that ECS sends when task i is like that; false: nobody wants it. */
static bool
tell(struct stage *s, size_t i, enum roster_status last, enum roster_status desired, unsigned version)
{
	const struct fake_task *t = &ecs(s)->tasks[i];
	char arn_text[128];
	struct ecs_event event = { .is_of_task = true, .cluster_arn = STR(FAKE_ECS_PREFIX "cluster/prod") };

	event.task = told_task(t, arn_text, last, desired);
	event.task.version = version;
	return ecs_watch_told(s->watch, 0, &event);
}

static const struct roster_task *
last_of(const struct stage *s, size_t i)
{
	char arn_text[128];

	fake_ecs_arn(&s->callers[0].ecs.tasks[i], arn_text);
	return roster_find(s->last, str_from_cstr(arn_text), NULL);
}

static void
begin_with_events(struct stage *s, size_t n)
{
	stage_init(s, n);
	stage_start(s);
	fake_loop_pass(s->loop, 1000);
	ecs_watch_listening(s->watch, 0, true);
	ecs(s)->lists = ecs(s)->describes = 0;
	ecs(s)->described = 0;
	s->published = 0;
}

static void
an_end_that_is_told_is_published_at_once_and_without_a_call(void **state)
{
	struct stage s;

	(void)state;
	begin_with_events(&s, 50);
	assert_true(tell(&s, 7, ROSTER_RUNNING, ROSTER_STOPPED, 4));
	ecs_watch_take_told(s.watch, 0);
	assert_int_equal(s.published, 1);
	assert_int_equal(last_of(&s, 7)->desired_status, ROSTER_STOPPED);
	assert_int_equal(ecs(&s)->lists + ecs(&s)->describes, 0);
	assert_true(tell(&s, 7, ROSTER_RUNNING, ROSTER_STOPPED, 4)); /* twice is once */
	ecs_watch_take_told(s.watch, 0);
	assert_int_equal(s.published, 1);
	stage_done(&s);
}

static void
an_event_of_another_cluster_is_nobodys(void **state)
{
	struct ecs_event event = { .is_of_task = true, .cluster_arn = STR(FAKE_ECS_PREFIX "cluster/other") };
	struct stage s;
	char arn_text[128];

	(void)state;
	begin_with_events(&s, 3);
	event.task = told_task(&ecs(&s)->tasks[0], arn_text, ROSTER_STOPPED, ROSTER_STOPPED);
	assert_false(ecs_watch_told(s.watch, 0, &event));
	event.cluster_arn = STR("arn:aws:ecs:eu-west-1:999999999999:cluster/prod");
	assert_false(ecs_watch_told(s.watch, 0, &event));
	ecs_watch_take_told(s.watch, 0);
	assert_int_equal(s.published, 0);
	stage_done(&s);
}

/* The pass that runs has its answers from before; they must not bring it back. */
static void
an_end_that_is_told_during_a_pass_outlives_it(void **state)
{
	struct stage s;

	(void)state;
	begin_with_events(&s, 50);
	ecs_watch_poke(s.watch);
	fake_loop_pass(s.loop, ANSWER_MS / 2); /* the list is under way */
	assert_true(s.callers[0].n_open > 0);
	assert_true(tell(&s, 7, ROSTER_RUNNING, ROSTER_STOPPED, 4));
	ecs_watch_take_told(s.watch, 0);
	assert_int_equal(last_of(&s, 7)->desired_status, ROSTER_STOPPED);
	fake_loop_pass(s.loop, 20 * ANSWER_MS);
	assert_int_equal(last_of(&s, 7)->desired_status, ROSTER_STOPPED);
	stage_done(&s);
}

static void
a_thousand_starts_are_asked_about_in_ten_calls_and_no_list(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 1000);
	for (size_t i = 1; i < 1000; i++) /* the first tells which cluster it is */
		ecs(&s)->tasks[i].forgotten = true;
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	ecs(&s)->lists = ecs(&s)->describes = 0;
	ecs(&s)->described = 0;
	for (size_t i = 1; i < 1000; i++) {
		ecs(&s)->tasks[i].forgotten = false;
		assert_true(tell(&s, i, ROSTER_RUNNING, ROSTER_RUNNING, 3));
		if (i % 10 == 9)
			ecs_watch_take_told(s.watch, 0);
	}
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->lists, 0);
	assert_int_equal(ecs(&s)->describes, 10);
	assert_int_equal(ecs(&s)->described, 999);
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 1000);
	assert_true(last_of(&s, 999)->listed);
	stage_done(&s);
}

static void
starts_one_by_one_use_half_of_the_rate_limit(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 2; n++) { /* clusters that share it */
		struct stage s;

		stage_init(&s, 20);
		s.sources[0].clusters = (struct conf_list){ .items = two, .n = n };
		stage_start(&s);
		fake_loop_pass(s.loop, 1000);
		ecs_watch_listening(s.watch, 0, true);
		s.sources[0].watch_ms = s.sources[0].refresh_ms = 3600000;
		ecs_watch_poke(s.watch);
		fake_loop_pass(s.loop, 1000);
		ecs(&s)->describes = 0;
		for (unsigned i = 0; i < 100; i++) { /* 10 s */
			assert_true(tell(&s, i % 20, ROSTER_RUNNING, ROSTER_RUNNING, 100 + i));
			fake_loop_pass(s.loop, 100);
		}
		assert_in_range(ecs(&s)->describes, n == 1 ? 9 : 4, n == 1 ? 11 : 6);
		stage_done(&s);
	}
}

static void
the_list_rests_while_events_tell_all_and_refresh_does_not(void **state)
{
	struct ecs_watch_pace pace;
	struct stage s;

	(void)state;
	begin_with_events(&s, 20);
	fake_loop_pass(s.loop, 60000);
	assert_in_range(ecs(&s)->lists, 25, 36); /* nothing was told yet: as ever */
	assert_true(tell(&s, 0, ROSTER_RUNNING, ROSTER_STOPPED, 4));
	ecs(&s)->tasks[0].desired = "STOPPED";
	ecs(&s)->tasks[0].version = 4;
	ecs_watch_take_told(s.watch, 0);
	fake_loop_pass(s.loop, 15000);
	ecs(&s)->lists = 0;
	fake_loop_pass(s.loop, 60000);
	assert_in_range(ecs(&s)->lists, 7, 10);
	assert_false(ecs_watch_stretched(s.watch, 0, &pace)); /* to rest is no want of calls */
	ecs(&s)->tasks[1].desired = "STOPPED";                /* and nothing is told of it */
	ecs(&s)->tasks[1].version = 4;
	fake_loop_pass(s.loop, 15000);
	assert_int_equal(last_of(&s, 1)->desired_status, ROSTER_STOPPED);
	ecs(&s)->lists = 0;
	fake_loop_pass(s.loop, 60000);
	assert_in_range(ecs(&s)->lists, 25, 36);
	stage_done(&s);
}

static void
the_list_is_looked_at_again_once_the_queue_is_lost(void **state)
{
	struct stage s;

	(void)state;
	begin_with_events(&s, 20);
	assert_true(tell(&s, 0, ROSTER_RUNNING, ROSTER_RUNNING, 4));
	fake_loop_pass(s.loop, 7000);
	ecs_watch_listening(s.watch, 0, false);
	ecs(&s)->lists = 0;
	fake_loop_pass(s.loop, 2200);
	assert_int_equal(ecs(&s)->lists, 1);
	ecs_watch_listening(s.watch, 0, true);
	ecs(&s)->lists = 0;
	fake_loop_pass(s.loop, 60000);
	assert_in_range(ecs(&s)->lists, 25, 36); /* nothing was told since */
	stage_done(&s);
}

/* ---- schedules ---- */

static void
the_first_pass_is_full_and_published(void **state)
{
	const struct roster_cluster *c;
	struct stage s;

	(void)state;
	stage_init(&s, 250);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	assert_int_equal(s.published, 1);
	assert_int_equal(s.last->n_clusters, 1);
	c = &s.last->clusters[0];
	assert_str(c->source, "eu-west-1");
	assert_str(c->name, "prod");
	assert_str(c->account, FAKE_ECS_ACCOUNT);
	assert_str(c->arn, FAKE_ECS_PREFIX "cluster/prod");
	assert_int_equal(c->facts->n_tasks, 250);
	assert_int_equal(c->sweeps, 1);
	assert_int_equal(c->complete_wall_ms, FAKE_LOOP_WALL_MS + 5 * ANSWER_MS);
	assert_int_equal(c->complete_mono_ms, clk_mono_ms(&s.clk) - 1000 + 5 * ANSWER_MS);
	assert_false(c->fault.on);
	assert_int_equal(s.callers[0].most_open, 3);
	stage_done(&s);
}

/* The list takes 50 calls here, all others of FULL together 50 more. */
static void
an_end_is_told_before_the_pass_is_over_and_full_comes_in_parts(void **state)
{
	const struct roster_cluster *c;
	struct ecs_watch_pace pace;
	struct stage s;
	uint64_t sweeps;

	(void)state;
	stage_init(&s, 4950);
	stage_start(&s);
	fake_loop_pass(s.loop, 10000);
	assert_false(ecs_watch_stretched(s.watch, 0, &pace));
	c = &s.last->clusters[0];
	assert_int_equal(c->sweeps, 1);
	/* The first after it, 15 s later, is a part of 25 batches; so is the next. */
	ecs(&s)->describes = 0;
	s.published = 0;
	while (ecs(&s)->describes < 25)
		fake_loop_pass(s.loop, ANSWER_MS);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->describes, 25);
	assert_int_equal(s.last->clusters[0].sweeps, 1);
	ecs(&s)->tasks[4000].desired = ecs(&s)->tasks[4000].last = "STOPPED";
	ecs(&s)->tasks[4000].version++;
	while (ecs(&s)->describes < 26)
		fake_loop_pass(s.loop, ANSWER_MS / 2);
	assert_int_equal(s.published, 1); /* while the other 25 are still asked for */
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->describes, 51);
	sweeps = s.last->clusters[0].sweeps;
	assert_int_equal(sweeps, 2);
	/* Somebody who asks for a refresh gets all of it at once. */
	fake_loop_pass(s.loop, 1000);
	ecs(&s)->describes = 0;
	ecs_watch_poke(s.watch);
	fake_loop_pass(s.loop, 2400);
	assert_int_equal(ecs(&s)->describes, 50);
	assert_int_equal(s.last->clusters[0].sweeps, sweeps + 1);
	stage_done(&s);
}

static void
pass_first_part(struct stage *s)
{
	stage_init(s, 4950);
	stage_start(s);
	fake_loop_pass(s->loop, 10000);
	assert_int_equal(s->last->clusters[0].sweeps, 1);
	ecs(s)->faults[0] = (struct fake_fault){ .action = "DescribeTasks", .nth = 3, .kind = FAKE_MANGLE };
	ecs(s)->describes = 0;
	while (ecs(s)->describes < 25)
		fake_loop_pass(s->loop, ANSWER_MS);
	fake_loop_pass(s->loop, 500);
	assert_int_equal(ecs(s)->describes, 25);
}

static void
a_sweep_is_whole_if_each_part_of_it_is(void **state)
{
	struct stage s;

	(void)state;
	pass_first_part(&s); /* in which a task was malformed */
	while (ecs(&s)->describes < 50)
		fake_loop_pass(s.loop, ANSWER_MS);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(s.last->clusters[0].sweeps, 1);
	while (ecs(&s)->describes < 100)
		fake_loop_pass(s.loop, ANSWER_MS);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(s.last->clusters[0].sweeps, 2);
	stage_done(&s);
}

static void
who_asks_for_a_refresh_between_two_parts_gets_all_of_it(void **state)
{
	struct stage s;

	(void)state;
	pass_first_part(&s);
	ecs(&s)->describes = 3; /* past the fault */
	ecs_watch_poke(s.watch);
	fake_loop_pass(s.loop, 2400);
	assert_int_equal(ecs(&s)->describes, 3 + 50);
	assert_int_equal(s.last->clusters[0].sweeps, 2);
	stage_done(&s);
}

static void
watch_runs_every_two_seconds_and_refresh_every_fifteen(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 30);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	ecs(&s)->lists = ecs(&s)->describes = 0;
	fake_loop_pass(s.loop, 600000);
	/* From end to start: a pass lasts a call or two; refresh has 10 % jitter. */
	assert_in_range(ecs(&s)->describes, 36, 44);
	assert_in_range(ecs(&s)->lists, 290, 345);
	assert_int_equal(s.published, 1 + ecs(&s)->describes); /* for its new time only */
	assert_int_equal(s.last->clusters[0].sweeps, s.published);
	stage_done(&s);
}

static void
what_happens_is_published_after_the_next_watch(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	ecs(&s)->tasks[1].desired = "STOPPED";
	ecs(&s)->tasks[1].version++;
	fake_loop_pass(s.loop, 1500);
	assert_int_equal(s.published, 2);
	assert_int_equal(s.last->clusters[0].sweeps, 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(s.last->clusters[0].facts->tasks[i].desired_status,
		    s.last->clusters[0].facts->tasks[i].listed ? ROSTER_RUNNING : ROSTER_STOPPED);
	stage_done(&s);
}

static void
a_poke_brings_a_full_pass_now_or_after_the_one_that_runs(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	stage_start(&s);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->describes, 1);
	ecs_watch_poke(s.watch);
	fake_loop_pass(s.loop, 10); /* it runs */
	ecs_watch_poke(s.watch);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->describes, 3);
	assert_int_equal(s.last->clusters[0].sweeps, 3);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->describes, 3);
	stage_done(&s);
}

static void
seek(struct stage *s, const char *id, const char *of)
{
	const struct ecs_sought_task task = { .id = str_from_cstr(id), .arn = str_from_cstr(of) };

	ecs_sought_free(&s->sought);
	assert_int_equal(ecs_sought_make(&task, 1, &s->sought, NULL), ERR_OK);
	ecs_watch_seek(s->watch);
}

static void
who_is_sought_is_asked_about_at_once_and_then_with_full_passes_only(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	stage_start(&s);
	fake_loop_pass(s.loop, 500);
	ecs(&s)->lists = 0;
	ecs(&s)->described = 0;
	seek(&s, "f0000000000000000000000000000000", "");
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->lists, 1);
	assert_int_equal(ecs(&s)->described, 1);
	fake_loop_pass(s.loop, 60000);
	assert_in_range(ecs(&s)->lists, 20, 40);
	/* FULL asks about the three as well. */
	assert_in_range(ecs(&s)->described, 1 + 3 * 4, 1 + 5 * 4);
	stage_done(&s);
}

static void
who_is_sought_while_a_pass_runs_is_asked_about_by_the_next_at_once(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	stage_start(&s);
	fake_loop_pass(s.loop, ANSWER_MS + 5); /* the list has ended */
	seek(&s, "f0000000000000000000000000000000", "");
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->lists, 2);
	assert_int_equal(ecs(&s)->described, 4);
	stage_done(&s);
}

static void
a_task_is_asked_about_only_where_its_arn_may_be(void **state)
{
	static const struct {
		const char *arn;
		bool asked;
	} cases[] = {
		{ "", true },
		{ FAKE_ECS_PREFIX "task/prod/f0000000000000000000000000000000", true },
		{ FAKE_ECS_PREFIX "task/f0000000000000000000000000000000", true },
		{ FAKE_ECS_PREFIX "task/test/f0000000000000000000000000000000", false },
		{ "arn:aws:ecs:eu-west-2:" FAKE_ECS_ACCOUNT ":task/prod/f0000000000000000000000000000000", false },
		{ "arn:aws:ecs:eu-west-1:999999999999:task/prod/f0000000000000000000000000000000", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct stage s;

		stage_init(&s, 3);
		stage_start(&s);
		fake_loop_pass(s.loop, 500);
		ecs(&s)->described = 0;
		seek(&s, "f0000000000000000000000000000000", cases[i].arn);
		fake_loop_pass(s.loop, 500);
		assert_int_equal(ecs(&s)->described, cases[i].asked ? 1 : 0);
		stage_done(&s);
	}
}

static void
not_more_calls_are_under_way_than_the_limit(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3000);
	stage_start(&s);
	fake_loop_pass(s.loop, 5000);
	assert_int_equal(s.callers[0].most_open, ECS_WATCH_CLUSTER_IN_FLIGHT);
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 3000);
	stage_done(&s);
}

/* ---- clusters ---- */

static void
without_a_name_the_cluster_is_default(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 0);
	s.sources[0] = source("eu-west-1", NULL, 0);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	assert_int_equal(s.last->n_clusters, 1);
	assert_str(s.last->clusters[0].name, "default");
	assert_int_equal(s.last->clusters[0].sweeps, 1);
	stage_done(&s);
}

static void
an_arn_is_shown_as_given(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 2);
	s.sources[0] = source("eu-west-1", arn, 1);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	assert_str(s.last->clusters[0].name, FAKE_ECS_PREFIX "cluster/prod");
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 2);
	stage_done(&s);
}

static const struct roster_cluster *
cluster(const struct stage *s, const char *name)
{
	for (size_t i = 0; i < s->last->n_clusters; i++)
		if (str_eq(s->last->clusters[i].name, str_from_cstr(name)))
			return &s->last->clusters[i];
	return NULL;
}

static void
a_star_watches_what_is_listed(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.sources[0] = source("eu-west-1", star, 1);
	ecs(&s)->clusters[0] = "prod";
	ecs(&s)->clusters[1] = "empty-1";
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	assert_int_equal(s.last->n_clusters, 2); /* the list itself is not shown while it is well */
	assert_int_equal(cluster(&s, "prod")->facts->n_tasks, 5);
	assert_int_equal(cluster(&s, "empty-1")->facts->n_tasks, 0);
	assert_true(cluster(&s, "prod")->was_read && cluster(&s, "empty-1")->was_read);
	/* One that appears is watched; one that had no tasks goes with its name. */
	ecs(&s)->clusters[1] = "empty-2";
	fake_loop_pass(s.loop, 20000);
	assert_int_equal(s.last->n_clusters, 2);
	assert_null(cluster(&s, "empty-1"));
	assert_true(cluster(&s, "empty-2")->was_read);
	/* That a list lacks one that has tasks is no evidence. */
	ecs(&s)->clusters[0] = "empty-2";
	ecs(&s)->clusters[1] = NULL;
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(s.last->n_clusters, 2);
	assert_int_equal(cluster(&s, "prod")->facts->n_tasks, 5);
	assert_true(cluster(&s, "prod")->facts->tasks[0].listed);
	ecs(&s)->clusters[0] = NULL;
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(s.last->n_clusters, 1);
	stage_done(&s);
}

static void
a_star_that_cannot_be_listed_says_so_and_keeps_what_it_knows(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.sources[0] = source("eu-west-1", star, 1);
	ecs(&s)->clusters[0] = "prod";
	fault(&s, "ListClusters", FAKE_DENIED, AWS_ERROR_DENIED);
	stage_start(&s);
	fake_loop_pass(s.loop, 10000);
	assert_int_equal(s.last->n_clusters, 1);
	assert_str(s.last->clusters[0].name, "*");
	assert_true(s.last->clusters[0].fault.on && s.last->clusters[0].fault_is_permanent);
	assert_int_equal(s.warned, 1);
	fault(&s, "ListClusters", FAKE_NONE, AWS_ERROR_DENIED);
	fake_loop_pass(s.loop, 160000);
	assert_int_equal(s.last->n_clusters, 1);
	assert_int_equal(cluster(&s, "prod")->facts->n_tasks, 5);
	fault(&s, "ListClusters", FAKE_CUT, AWS_ERROR_TRANSIENT);
	fake_loop_pass(s.loop, 160000);
	assert_int_equal(cluster(&s, "prod")->facts->n_tasks, 5);
	assert_true(cluster(&s, "*")->fault.on && !cluster(&s, "*")->fault_is_permanent);
	stage_done(&s);
}

static void
a_star_beside_a_name_watches_it_once(void **state)
{
	static const struct str both[] = { { "prod", 4 }, { "*", 1 } };
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.sources[0] = source("eu-west-1", both, 2);
	ecs(&s)->clusters[0] = "prod";
	stage_start(&s);
	fake_loop_pass(s.loop, 30000);
	assert_int_equal(s.last->n_clusters, 1);
	stage_done(&s);
}

/* ---- which service is older ---- */

static struct fake_service services[] = { { "a", 1700000000500 }, { "b", 1600000000000 } };

/* Names by blanks, sorted; each contests a route in cluster prod. */
static void
contest(struct stage *s, const char *names)
{
	struct str rest = str_from_cstr(names), name;

	s->contest = (struct ecs_contest){ .services = s->contested, .is_whole = !s->contest_is_a_part };
	while (rest.len > 0 && str_next(&rest, ' ', &name))
		s->contested[s->contest.n++] = (struct ecs_contest_service){ STR("eu-west-1"), STR("prod"), name };
	s->contest_is_known = true;
	ecs_watch_contest(s->watch);
}

static void
begin_with_services(struct stage *s)
{
	stage_init(s, 3);
	ecs(s)->services = services;
	ecs(s)->n_services = N_OF(services);
	stage_start(s);
	fake_loop_pass(s->loop, 1000);
	s->published = 0;
}

/* "b=1600000000000", or what is said of it. */
static void
check_ages(const struct stage *s, const char *want)
{
	const struct roster_cluster *c = cluster(s, "prod");
	struct buf out = buf_make(2000);

	for (size_t i = 0; i < c->n_services; i++)
		buf_printf(&out, "%s" STR_FMT "=%lld", i > 0 ? " " : "", STR_ARG(c->services[i].name),
		    (long long)c->services[i].created_ms);
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

static void
the_age_is_asked_of_services_in_a_contest_alone(void **state)
{
	struct stage s;

	(void)state;
	begin_with_services(&s);
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(ecs(&s)->service_describes, 0);
	contest(&s, "");
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(ecs(&s)->service_describes, 0);
	s.published = 0;
	contest(&s, "a b");
	fake_loop_pass(s.loop, ANSWER_MS + 1);
	assert_true(s.published >= 1);
	check_ages(&s, "a=1700000000500 b=1600000000000");
	assert_int_equal(ecs(&s)->service_describes, 1);
	assert_int_equal(ecs(&s)->described_services, 2);
	contest(&s, "a b"); /* as every plan says */
	fake_loop_pass(s.loop, 3000000);
	assert_int_equal(ecs(&s)->service_describes, 1);
	contest(&s, "a b zebra");
	fake_loop_pass(s.loop, 1000);
	assert_int_equal(ecs(&s)->described_services, 3);
	check_ages(&s, "a=1700000000500 b=1600000000000 zebra=0"); /* MISSING: AWS does not tell */
	contest(&s, "");
	fake_loop_pass(s.loop, 60000);
	check_ages(&s, "");
	assert_int_equal(s.warned, 0);
	stage_done(&s);
}

/* Deleted, and made again under its name. */
static void
an_age_is_asked_again_after_an_hour(void **state)
{
	struct fake_service again[] = { { "a", 1700000000500 }, { "b", 1600000000000 } };
	struct stage s;

	(void)state;
	begin_with_services(&s);
	ecs(&s)->services = again;
	contest(&s, "a b");
	fake_loop_pass(s.loop, 60000);
	again[1].created_ms = 1750000000000;
	fake_loop_pass(s.loop, 3500000);
	check_ages(&s, "a=1700000000500 b=1600000000000");
	fake_loop_pass(s.loop, 60000);
	check_ages(&s, "a=1700000000500 b=1750000000000");
	assert_int_equal(ecs(&s)->service_describes, 2);
	stage_done(&s);
}

static void
ten_services_are_asked_about_in_a_call_and_one_call_at_a_time(void **state)
{
	struct stage s;

	(void)state;
	begin_with_services(&s);
	contest(&s, "c00 c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20");
	s.callers[0].most_open = 0;
	fake_loop_pass(s.loop, 500);
	assert_int_equal(ecs(&s)->service_describes, 3);
	assert_int_equal(ecs(&s)->described_services, 21);
	assert_int_equal(s.callers[0].most_open, 1);
	assert_int_equal(cluster(&s, "prod")->n_services, 21);
	stage_done(&s);
}

/* Then nothing is told, and what is decided by it stays as it is. */
static void
an_age_that_cannot_be_had_now_is_not_told(void **state)
{
	static const enum fake_fault_kind kinds[] = { FAKE_UNREACHABLE, FAKE_CUT, FAKE_EMPTY, FAKE_NOTHING,
		FAKE_FOREIGN, FAKE_ELSEWHERE };

	(void)state;
	for (size_t i = 0; i < N_OF(kinds); i++) {
		struct stage s;

		begin_with_services(&s);
		fault(&s, "DescribeServices", kinds[i], AWS_ERROR_TRANSIENT);
		contest(&s, "a b");
		fake_loop_pass(s.loop, 300000);
		check_ages(&s, "");
		assert_int_equal(s.warned, 1);
		assert_non_null(strstr(s.line, "whoever has the route keeps it"));
		assert_non_null(ecs_watch_contest_fault(s.watch));
		assert_false(cluster(&s, "prod")->fault.on); /* its tasks are read as ever */
		assert_in_range(ecs(&s)->service_describes, 3, 60);
		fault(&s, "DescribeServices", FAKE_NONE, AWS_ERROR_TRANSIENT);
		fake_loop_pass(s.loop, 160000);
		check_ages(&s, "a=1700000000500 b=1600000000000");
		assert_null(ecs_watch_contest_fault(s.watch));
		assert_int_equal(s.informed, 1);
		stage_done(&s);
	}
}

/* The answer to the last of so many is there. */
static void
wait_for_describes(struct stage *s, unsigned n)
{
	for (int64_t ms = 0; ecs(s)->service_describes < n; ms += 10) {
		assert_true(ms < 600000);
		fake_loop_pass(s->loop, 10);
	}
	fake_loop_pass(s->loop, 1);
	assert_int_equal(ecs(s)->service_describes, n);
}

static void
where_the_age_is_denied_that_is_told_and_what_was_known_stays(void **state)
{
	struct stage s;

	(void)state;
	begin_with_services(&s);
	contest(&s, "b");
	fake_loop_pass(s.loop, 1000);
	fault(&s, "DescribeServices", FAKE_DENIED, AWS_ERROR_DENIED);
	contest(&s, "a b");
	wait_for_describes(&s, 3);
	check_ages(&s, "b=1600000000000"); /* rights may only be late */
	assert_int_equal(s.warned, 1);
	assert_non_null(strstr(s.line, "whoever has the route keeps it"));
	wait_for_describes(&s, 4);
	check_ages(&s, "a=0 b=1600000000000");
	assert_int_equal(s.warned, 2);
	fake_loop_pass(s.loop, 300000);
	check_ages(&s, "a=0 b=1600000000000");
	assert_int_equal(s.warned, 2);
	assert_non_null(strstr(s.line, "the order of names decides"));
	assert_non_null(strstr(s.line, "AccessDeniedException: DescribeServices"));
	assert_in_range(ecs(&s)->service_describes, 3, 60);
	fault(&s, "DescribeServices", FAKE_NONE, AWS_ERROR_DENIED);
	fake_loop_pass(s.loop, 160000);
	check_ages(&s, "a=1700000000500 b=1600000000000");
	fault(&s, "DescribeServices", FAKE_DENIED, AWS_ERROR_DENIED);
	fake_loop_pass(s.loop, 3600000);
	check_ages(&s, "a=1700000000500 b=1600000000000");
	assert_non_null(ecs_watch_contest_fault(s.watch));
	contest(&s, "");
	assert_null(ecs_watch_contest_fault(s.watch)); /* nobody asks any more */
	stage_done(&s);
}

static void
what_an_earlier_run_was_told_holds_until_it_is_asked_again(void **state)
{
	static const struct roster_service known[] = { { { "a", 1 }, 0 }, { { "b", 1 }, 5000 }, { { "c", 1 }, 6000 } };
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	ecs(&s)->services = services;
	ecs(&s)->n_services = N_OF(services);
	s.services = known;
	s.n_services = N_OF(known);
	stage_start(&s);
	fake_loop_pass(s.loop, 60000);
	check_ages(&s, "b=5000 c=6000");
	assert_int_equal(ecs(&s)->service_describes, 0);
	contest(&s, "a b");
	fake_loop_pass(s.loop, 1000);
	check_ages(&s, "a=1700000000500 b=1600000000000");
	assert_int_equal(ecs(&s)->service_describes, 1);
	stage_done(&s);
}

/* Clusters, and what is in them, are read one after the other: the first contest is not all. */
static void
what_an_earlier_run_was_told_is_kept_until_all_is_read(void **state)
{
	static const struct roster_service known[] = { { { "a", 1 }, 4000 }, { { "c", 1 }, 6000 },
		{ { "e", 1 }, 7000 } };
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	ecs(&s)->services = services;
	ecs(&s)->n_services = N_OF(services);
	s.services = known;
	s.n_services = N_OF(known);
	stage_start(&s);
	fault(&s, "DescribeServices", FAKE_UNREACHABLE, AWS_ERROR_TRANSIENT);
	s.contest_is_a_part = true;
	contest(&s, "");
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(ecs(&s)->service_describes, 0);
	contest(&s, "b d");
	fake_loop_pass(s.loop, 60000);
	check_ages(&s, "a=4000 c=6000 e=7000");
	contest(&s, "c");
	fake_loop_pass(s.loop, 60000);
	contest(&s, "");
	fake_loop_pass(s.loop, 60000);
	contest(&s, "b c");
	fake_loop_pass(s.loop, 60000);
	check_ages(&s, "a=4000 c=6000 e=7000");
	fault(&s, "DescribeServices", FAKE_NONE, AWS_ERROR_TRANSIENT);
	ecs(&s)->described_services = 0;
	fake_loop_pass(s.loop, 200000);
	check_ages(&s, "a=4000 b=1600000000000 c=6000 e=7000");
	assert_in_range(ecs(&s)->described_services, 2, 8); /* c, of which AWS does not know, every minute */
	s.contest_is_a_part = false;
	contest(&s, "b c");
	fake_loop_pass(s.loop, 60000);
	check_ages(&s, "b=1600000000000 c=6000");
	stage_done(&s);
}

/* What fails then is of no more interest, and would be told for ever. */
static void
a_contest_may_end_while_a_call_is_under_way(void **state)
{
	struct stage s;

	(void)state;
	begin_with_services(&s);
	fault(&s, "DescribeServices", FAKE_UNREACHABLE, AWS_ERROR_TRANSIENT);
	contest(&s, "a b");
	fake_loop_pass(s.loop, ANSWER_MS / 2);
	assert_int_equal(s.callers[0].n_open, 1);
	contest(&s, "");
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(ecs(&s)->service_describes, 1);
	assert_null(ecs_watch_contest_fault(s.watch));
	assert_int_equal(s.warned, 0);
	fault(&s, "DescribeServices", FAKE_NONE, AWS_ERROR_TRANSIENT);
	contest(&s, "a b");
	fake_loop_pass(s.loop, 1000);
	check_ages(&s, "a=1700000000500 b=1600000000000");
	stage_done(&s);
}

/* The answer is to what was asked, and not to what is asked by then. */
static void
a_contest_may_change_while_a_call_is_under_way(void **state)
{
	struct stage s;

	(void)state;
	begin_with_services(&s);
	contest(&s, "a b");
	fake_loop_pass(s.loop, ANSWER_MS / 2);
	assert_int_equal(s.callers[0].n_open, 1);
	contest(&s, "b d");
	fake_loop_pass(s.loop, ANSWER_MS);
	check_ages(&s, "b=1600000000000");
	fake_loop_pass(s.loop, ANSWER_MS * 2);
	check_ages(&s, "b=1600000000000 d=0");
	contest(&s, "a d");
	fake_loop_pass(s.loop, ANSWER_MS / 2);
	assert_int_equal(s.callers[0].n_open, 1);
	stage_done(&s); /* cancels it */
	assert_int_equal(s.callers[0].n_cancelled, 1);
}

/* ---- another configuration ---- */

/* A new watch by the same sources, with what the one before knew; AWS does not answer it. */
static void
stage_restart_unanswered(struct stage *s, const struct conf *before)
{
	const struct ecs_watch_callers callers[] = { { .ecs = &s->callers[0] }, { .ecs = &s->callers[1] } };
	struct roster *known = roster_ref(s->last);
	const struct ecs_watch_listener to = {
		.published = on_published,
		.sought = list_sought,
		.arg = s,
		.before = { .roster = known, .conf = before },
	};

	ecs_watch_close(s->watch);
	fault(s, "ListClusters", FAKE_UNREACHABLE, AWS_ERROR_TRANSIENT);
	ecs(s)->faults[1] = (struct fake_fault){ .action = "ListTasks", .kind = FAKE_UNREACHABLE };
	s->published = 0;
	assert_int_equal(ecs_watch_new(s->loop, &s->conf, callers, &s->rnd, to, &s->watch, NULL), ERR_OK);
	roster_unref(known);
	ecs_watch_start(s->watch);
}

static void
another_watch_of_the_same_place_begins_with_what_was_known(void **state)
{
	static const struct conf_list places[] = { { .items = prod, .n = 1 }, { .items = star, .n = 1 }, { .n = 0 } };

	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		const struct roster_facts *known;
		struct conf_source sources[1];
		struct conf before;
		struct stage s;
		bool has_tasks = places[i].n > 0; /* "default" has none */

		stage_init(&s, 5);
		s.sources[0] = source("eu-west-1", places[i].items, places[i].n);
		ecs(&s)->clusters[0] = "prod";
		stage_start(&s);
		fake_loop_pass(s.loop, 1000);
		known = s.last->clusters[0].facts;
		sources[0] = s.sources[0];
		before = s.conf;
		before.sources = sources;
		s.sources[0].refresh_ms = 20000;
		stage_restart_unanswered(&s, &before);
		assert_int_equal(s.published, 1);
		for (size_t look = 0; look < 2; look++) {
			const struct roster_cluster *c = &s.last->clusters[0];

			assert_str(c->name, places[i].n > 0 ? "prod" : "default");
			assert_ptr_equal(c->facts, known);
			assert_int_equal(c->facts->n_tasks, has_tasks ? 5 : 0);
			assert_str(c->account, has_tasks ? FAKE_ECS_ACCOUNT : "");
			assert_false(c->was_read);
			assert_int_equal(c->sweeps, 0);
			assert_int_equal(c->complete_wall_ms, 0);
			fake_loop_pass(s.loop, 5000);
		}
		stage_done(&s);
	}
}

static void
what_another_place_said_is_forgotten(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct conf_source sources[1];
		struct conf before;
		struct stage s;

		stage_init(&s, 5);
		stage_start(&s);
		fake_loop_pass(s.loop, 1000);
		sources[0] = s.sources[0];
		before = s.conf;
		before.sources = sources;
		if (i == 0)
			s.sources[0].endpoint = STR("http://127.0.0.1:9999");
		else if (i == 1)
			s.sources[0].role_arn = STR("arn:aws:iam::999999999999:role/other");
		else if (i == 2)
			s.sources[0].region = STR("eu-west-2");
		else
			s.sources[0].clusters.items = &two[1];
		stage_restart_unanswered(&s, &before);
		fake_loop_pass(s.loop, 5000);
		assert_null(s.last->clusters[0].facts);
		assert_int_equal(s.last->clusters[0].account.len, 0);
		stage_done(&s);
	}
}

/* ---- our own cluster ---- */

struct metadata { /* an endpoint that answers at once, or not at all */
	struct http base;
	struct loop_timer *timer;
	const char *answer; /* null: refused */
	http_done_fn *done;
	void *arg;
	unsigned asked;
};

static enum err_code
metadata_send(
    struct http *h, const struct http_request *rq, http_done_fn *done, void *arg, struct http_call **ret, struct err *e)
{
	struct metadata *m = (struct metadata *)h;

	(void)e;
	assert_str(rq->url, "http://169.254.170.2/v4/0123/task");
	assert_true(rq->no_proxy);
	m->done = done;
	m->arg = arg;
	m->asked++;
	*ret = (struct http_call *)m;
	loop_timer_arm(m->timer, 1);
	return ERR_OK;
}

static void
metadata_cancel(struct http *h, struct http_call *call)
{
	(void)call;
	loop_timer_arm(((struct metadata *)h)->timer, 0);
}

static void
metadata_answer(void *arg)
{
	struct metadata *m = arg;
	struct err e = { .code = ERR_IO, .msg = "refused" };
	struct http_response rs = { .code = m->answer == NULL ? ERR_IO : ERR_OK, .err = &e, .status = 200 };

	rs.body = str_from_cstr(m->answer);
	m->done(m->arg, &rs);
}

static void
stage_start_as_task(struct stage *s, struct metadata *m, const char *answer)
{
	const struct ecs_watch_callers callers[] = { { .ecs = &s->callers[0] }, { .ecs = &s->callers[1] } };
	const struct ecs_watch_listener to = {
		.published = on_published,
		.arg = s,
		.metadata_uri = STR("http://169.254.170.2/v4/0123"),
		.http = &m->base,
	};

	*m = (struct metadata){ .base = { .send = metadata_send, .cancel = metadata_cancel }, .answer = answer };
	assert_int_equal(loop_timer_new(s->loop, metadata_answer, m, &m->timer, NULL), ERR_OK);
	assert_int_equal(ecs_watch_new(s->loop, &s->conf, callers, &s->rnd, to, &s->watch, NULL), ERR_OK);
	ecs_watch_start(s->watch);
}

#define OWN_TASK FAKE_ECS_PREFIX "task/prod/0123456789abcdef0123456789abcdef"

static void
without_a_name_the_cluster_is_our_own(void **state)
{
	struct metadata m;
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.conf.n_sources = 2;
	s.sources[0] = source("eu-west-1", NULL, 0);
	s.sources[1] = source("us-east-1", NULL, 0);
	stage_start_as_task(&s, &m,
	    "{\"Cluster\":\"" FAKE_ECS_PREFIX "cluster/prod\",\"TaskARN\":\"" OWN_TASK
	    "\",\"ServiceName\":\"proxy\",\"Family\":\"proxy\"}");
	fake_loop_pass(s.loop, 1000);
	assert_int_equal(s.last->n_clusters, 2);
	assert_str(s.last->clusters[0].name, "prod");
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 5);
	assert_str(s.last->clusters[1].name, "default"); /* we are not in that region */
	assert_str(s.last->self.task_arn, OWN_TASK);
	assert_str(s.last->self.service, "proxy");
	assert_int_equal(m.asked, 1);
	loop_timer_close(m.timer);
	stage_done(&s);
}

static void
who_we_are_is_asked_once_in_a_process(void **state)
{
	struct ecs_watch_listener to = { .published = on_published,
		.metadata_uri = STR("http://169.254.170.2/v4/0123") };
	struct metadata m;
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.sources[0] = source("eu-west-1", NULL, 0);
	stage_start_as_task(&s, &m, "{\"Cluster\":\"prod\",\"TaskARN\":\"" OWN_TASK "\"}");
	fake_loop_pass(s.loop, 1000);
	to.arg = &s;
	to.http = &m.base;
	to.before = (struct ecs_watch_before){ .roster = s.last, .conf = &s.conf };
	ecs_watch_close(s.watch);
	s.published = 0;
	assert_int_equal(ecs_watch_new(s.loop, &s.conf, (const struct ecs_watch_callers[]){ { .ecs = &s.callers[0] } },
			     &s.rnd, to, &s.watch, NULL),
	    ERR_OK);
	ecs_watch_start(s.watch);
	assert_int_equal(s.published, 1);
	assert_int_equal(m.asked, 1);
	assert_str(s.last->self.task_arn, OWN_TASK);
	assert_str(s.last->clusters[0].name, "prod");
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 5);
	loop_timer_close(m.timer);
	stage_done(&s);
}

static void
while_we_do_not_know_who_we_are_only_our_own_cluster_waits(void **state)
{
	struct metadata m;
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.conf.n_sources = 2;
	s.sources[1] = source("us-east-1", NULL, 0);
	stage_start_as_task(&s, &m, NULL);
	fake_loop_pass(s.loop, 500);
	assert_int_equal(s.published, 0); /* nobody serves before we know whom to keep out */
	fake_loop_pass(s.loop, 5000);
	assert_int_equal(s.last->n_clusters, 2);
	assert_true(s.last->clusters[0].was_read);
	assert_true(s.last->clusters[1].fault.on && !s.last->clusters[1].was_read);
	assert_int_equal(s.warned, 1);
	m.answer = "{\"TaskARN\":7}";
	fake_loop_pass(s.loop, 60000);
	assert_true(s.last->clusters[1].fault.on);
	m.answer = "{\"Cluster\":\"prod\",\"TaskARN\":\"" OWN_TASK "\"}";
	fake_loop_pass(s.loop, 61000);
	assert_str(s.last->clusters[1].name, "default");
	assert_true(s.last->clusters[1].was_read);
	assert_str(s.last->self.cluster, "prod");
	loop_timer_close(m.timer);
	stage_done(&s);
}

static void
one_cluster_in_trouble_does_not_hold_up_another(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	s.conf.n_sources = 2;
	s.sources[0] = source("eu-west-1", two, 2); /* the second is another's: foreign answers */
	stage_start(&s);
	fault(&s, "ListTasks", FAKE_UNREACHABLE, AWS_ERROR_TRANSIENT);
	fake_loop_pass(s.loop, 60000);
	assert_int_equal(s.last->n_clusters, 3);
	assert_str(s.last->clusters[1].name, "test");
	assert_str(s.last->clusters[2].source, "us-east-1");
	assert_null(s.last->clusters[0].facts);
	assert_true(s.last->clusters[0].fault.on);
	assert_true(s.last->clusters[1].fault.on);
	assert_false(s.last->clusters[2].fault.on);
	assert_true(s.last->clusters[2].sweeps >= 3);
	assert_in_range(s.callers[1].ecs.lists, 25, 36);
	stage_done(&s);
}

/* ---- trouble ---- */

static void
in_an_outage_the_last_facts_stay_and_it_backs_off(void **state)
{
	struct roster_facts *facts;
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	facts = roster_facts_ref(s.last->clusters[0].facts);
	fault(&s, "ListTasks", FAKE_UNREACHABLE, AWS_ERROR_TRANSIENT);
	ecs(&s)->lists = 0;
	fake_loop_pass(s.loop, 3600000);
	assert_int_equal(s.warned, 6); /* once, and a reminder every ten minutes */
	assert_non_null(
	    strstr(s.line, "cluster `prod` of eu-west-1: ServerException: ListTasks; keeping the last known"));
	assert_in_range(ecs(&s)->lists, 30, 80); /* the cap is 150 s, and full jitter halves it */
	assert_ptr_equal(s.last->clusters[0].facts, facts);
	assert_int_equal(s.last->clusters[0].sweeps, 1);
	assert_true(s.last->clusters[0].fault.on);
	assert_false(s.last->clusters[0].fault_is_permanent);

	fault(&s, "ListTasks", FAKE_NONE, AWS_ERROR_TRANSIENT);
	fake_loop_pass(s.loop, 150200);
	assert_false(s.last->clusters[0].fault.on);
	assert_true(s.last->clusters[0].sweeps > 1);
	assert_int_equal(s.informed, 1);
	assert_ptr_equal(s.last->clusters[0].facts, facts);
	roster_facts_unref(facts);
	stage_done(&s);
}

static void
what_waiting_does_not_mend_is_called_permanent(void **state)
{
	static const struct {
		const char *action;
		enum aws_error_class class_;
		bool is_permanent;
	} cases[] = {
		{ "ListTasks", AWS_ERROR_DENIED, true },
		{ "ListTasks", AWS_ERROR_NOT_FOUND, true },
		{ "ListTasks", AWS_ERROR_THROTTLED, false },
		{ "ListTasks", AWS_ERROR_TRANSIENT, false },
		{ "DescribeTasks", AWS_ERROR_DENIED, true },
		{ "DescribeTaskDefinition", AWS_ERROR_DENIED, true },
		{ "DescribeTaskDefinition", AWS_ERROR_NOT_FOUND, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct stage s;

		stage_init(&s, 3);
		fault(&s, cases[i].action, FAKE_DENIED, cases[i].class_);
		stage_start(&s);
		fake_loop_pass(s.loop, 300000);
		CHECK_ROW(s.last->clusters[0].fault.on, i, cases[i].action);
		CHECK_ROW(s.last->clusters[0].fault_is_permanent == cases[i].is_permanent, i, cases[i].action);
		CHECK_ROW(s.warned == 1, i, cases[i].action);
		fault(&s, cases[i].action, FAKE_NONE, cases[i].class_);
		fake_loop_pass(s.loop, 300000);
		CHECK_ROW(!s.last->clusters[0].fault.on && !s.last->clusters[0].fault_is_permanent, i, cases[i].action);
		stage_done(&s);
	}
}

static void
a_malformed_task_is_a_fault_but_no_reason_to_ask_less_often(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	fault(&s, "DescribeTasks", FAKE_MANGLE, AWS_ERROR_TRANSIENT);
	ecs(&s)->lists = 0;
	fake_loop_pass(s.loop, 60000);
	assert_in_range(ecs(&s)->lists, 25, 36);
	/* WATCH passes that describe nothing in between do not end it. */
	assert_int_equal(s.warned, 1);
	assert_int_equal(s.informed, 0);
	assert_true(s.last->clusters[0].fault.on);
	assert_false(s.last->clusters[0].fault_is_permanent);
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 5);
	fault(&s, "DescribeTasks", FAKE_NONE, AWS_ERROR_TRANSIENT);
	fake_loop_pass(s.loop, 17000);
	assert_false(s.last->clusters[0].fault.on);
	assert_int_equal(s.informed, 1);
	stage_done(&s);
}

static void
a_definition_that_cannot_be_read_does_not_slow_the_watch(void **state)
{
	static const struct {
		enum aws_error_class class_;
		const char *name;
		bool was_read; /* nothing to wait for: ready, with a fault */
	} cases[] = {
		{ AWS_ERROR_DENIED, "denied", true },
		{ AWS_ERROR_NOT_FOUND, "not found", true },
		{ AWS_ERROR_INVALID, "invalid", true },
		{ AWS_ERROR_TRANSIENT, "transient", false },
		{ AWS_ERROR_THROTTLED, "throttled", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct stage s;

		stage_init(&s, 5);
		fault(&s, "DescribeTaskDefinition", FAKE_DENIED, cases[i].class_);
		stage_start(&s);
		fake_loop_pass(s.loop, 60000);
		CHECK_ROW(ecs(&s)->lists >= 25, i, cases[i].name);
		CHECK_ROW(s.warned == 1, i, cases[i].name);
		CHECK_ROW(s.last->clusters[0].fault.on, i, cases[i].name);
		CHECK_ROW(s.last->clusters[0].was_read == cases[i].was_read, i, cases[i].name);
		fault(&s, "DescribeTaskDefinition", FAKE_NONE, cases[i].class_);
		fake_loop_pass(s.loop, 10000);
		CHECK_ROW(!s.last->clusters[0].fault.on, i, cases[i].name);
		CHECK_ROW(s.last->clusters[0].was_read, i, cases[i].name);
		stage_done(&s);
	}
}

static void
a_cluster_is_read_when_no_task_was_left_out(void **state)
{
	static const struct {
		enum fake_fault_kind kind;
		bool was_read, in_part;
	} cases[] = {
		{ FAKE_OMIT, false, true }, /* again and again: nobody need wait for it */
		{ FAKE_NOTHING, false, false },
		{ FAKE_TROUBLE, false, true },
		{ FAKE_MANGLE, true, false }, /* one task, which costs nobody else */
		{ FAKE_MISSING, true, false },
		{ FAKE_STRANGER, true, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct stage s;

		stage_init(&s, 5);
		fault(&s, "DescribeTasks", cases[i].kind, AWS_ERROR_TRANSIENT);
		stage_start(&s);
		fake_loop_pass(s.loop, 10000);
		CHECK_ROW(!s.last->clusters[0].is_read_in_part, i, "");
		fake_loop_pass(s.loop, 80000);
		CHECK_ROW(s.last->clusters[0].was_read == cases[i].was_read, i, "");
		CHECK_ROW(s.last->clusters[0].is_read_in_part == cases[i].in_part, i, "in part");
		fault(&s, "DescribeTasks", FAKE_NONE, AWS_ERROR_TRANSIENT);
		fake_loop_pass(s.loop, 20000);
		CHECK_ROW(s.last->clusters[0].was_read && !s.last->clusters[0].is_read_in_part, i, "");
		stage_done(&s);
	}
}

static void
calls_that_cannot_even_be_sent_are_failures(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	s.callers[0].refuse = true;
	stage_start(&s);
	fake_loop_pass(s.loop, 60000);
	assert_true(s.last->clusters[0].fault.on);
	assert_int_equal(s.warned, 1);
	s.callers[0].refuse = false;
	fake_loop_pass(s.loop, 151000);
	assert_false(s.last->clusters[0].fault.on);
	assert_int_equal(s.last->clusters[0].facts->n_tasks, 5);
	stage_done(&s);
}

/* Full jitter may say "at once". */
static void
a_pause_after_a_failure_has_its_least_and_its_most(void **state)
{
	const struct conf_source s = source("eu-west-1", prod, 1);
	struct prng rnd = prng_make(7);

	(void)state;
	for (unsigned failures = 0; failures < 100; failures++)
		for (unsigned i = 0; i < 100; i++)
			assert_in_range(ecs_backoff_ms(&s, failures, 200, &rnd), 200, 10 * s.refresh_ms);
}

static void
nobody_is_sought_while_a_cluster_fails(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 3);
	fault(&s, "ListTasks", FAKE_UNREACHABLE, AWS_ERROR_TRANSIENT);
	stage_start(&s);
	fake_loop_pass(s.loop, 60000);
	ecs(&s)->lists = 0;
	for (int i = 0; i < 100; i++) {
		ecs_watch_seek(s.watch);
		fake_loop_pass(s.loop, 100);
	}
	assert_in_range(ecs(&s)->lists, 0, 5);
	stage_done(&s);
}

static void
a_service_that_asks_for_time_gets_it(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	fault(&s, "ListTasks", FAKE_UNREACHABLE, AWS_ERROR_THROTTLED);
	s.callers[0].retry_after_ms = 100000;
	stage_start(&s);
	fake_loop_pass(s.loop, 100000);
	assert_int_equal(ecs(&s)->lists, 1);
	s.callers[0].retry_after_ms = INT64_C(86400000); /* but not all day */
	fake_loop_pass(s.loop, 151000);
	assert_in_range(ecs(&s)->lists, 2, 3);
	fake_loop_pass(s.loop, 1500000);
	assert_in_range(ecs(&s)->lists, 11, 13);
	stage_done(&s);
}

static void
foreign_answers_change_nothing(void **state)
{
	struct roster_facts *facts;
	struct stage s;

	(void)state;
	stage_init(&s, 5);
	stage_start(&s);
	fake_loop_pass(s.loop, 1000);
	facts = roster_facts_ref(s.last->clusters[0].facts);
	fault(&s, "ListTasks", FAKE_FOREIGN, AWS_ERROR_TRANSIENT);
	fake_loop_pass(s.loop, 600000);
	assert_ptr_equal(s.last->clusters[0].facts, facts);
	assert_str(s.last->clusters[0].account, FAKE_ECS_ACCOUNT);
	assert_non_null(strstr(s.line, "account 999999999999"));
	roster_facts_unref(facts);
	stage_done(&s);
}

/* ---- closing ---- */

static void
closing_cancels_what_is_under_way(void **state)
{
	struct stage s;

	(void)state;
	for (int64_t after_ms = 0; after_ms < 5 * ANSWER_MS; after_ms += 7) {
		unsigned open;

		stage_init(&s, 250);
		stage_start(&s);
		fake_loop_pass(s.loop, after_ms);
		open = s.callers[0].n_open;
		ecs_watch_close(s.watch);
		s.watch = NULL;
		assert_int_equal(s.callers[0].n_cancelled, open);
		fake_loop_pass(s.loop, 60000);
		assert_int_equal(s.published, 0);
		stage_done(&s);
	}
	ecs_watch_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_that_is_told_is_published_at_once_and_without_a_call),
		cmocka_unit_test(an_event_of_another_cluster_is_nobodys),
		cmocka_unit_test(an_end_that_is_told_during_a_pass_outlives_it),
		cmocka_unit_test(a_thousand_starts_are_asked_about_in_ten_calls_and_no_list),
		cmocka_unit_test(starts_one_by_one_use_half_of_the_rate_limit),
		cmocka_unit_test(the_list_rests_while_events_tell_all_and_refresh_does_not),
		cmocka_unit_test(the_list_is_looked_at_again_once_the_queue_is_lost),
		cmocka_unit_test(the_first_pass_is_full_and_published),
		cmocka_unit_test(an_end_is_told_before_the_pass_is_over_and_full_comes_in_parts),
		cmocka_unit_test(a_sweep_is_whole_if_each_part_of_it_is),
		cmocka_unit_test(who_asks_for_a_refresh_between_two_parts_gets_all_of_it),
		cmocka_unit_test(watch_runs_every_two_seconds_and_refresh_every_fifteen),
		cmocka_unit_test(what_happens_is_published_after_the_next_watch),
		cmocka_unit_test(a_poke_brings_a_full_pass_now_or_after_the_one_that_runs),
		cmocka_unit_test(who_is_sought_is_asked_about_at_once_and_then_with_full_passes_only),
		cmocka_unit_test(who_is_sought_while_a_pass_runs_is_asked_about_by_the_next_at_once),
		cmocka_unit_test(a_task_is_asked_about_only_where_its_arn_may_be),
		cmocka_unit_test(not_more_calls_are_under_way_than_the_limit),
		cmocka_unit_test(without_a_name_the_cluster_is_default),
		cmocka_unit_test(an_arn_is_shown_as_given),
		cmocka_unit_test(a_star_watches_what_is_listed),
		cmocka_unit_test(a_star_that_cannot_be_listed_says_so_and_keeps_what_it_knows),
		cmocka_unit_test(a_star_beside_a_name_watches_it_once),
		cmocka_unit_test(without_a_name_the_cluster_is_our_own),
		cmocka_unit_test(while_we_do_not_know_who_we_are_only_our_own_cluster_waits),
		cmocka_unit_test(one_cluster_in_trouble_does_not_hold_up_another),
		cmocka_unit_test(in_an_outage_the_last_facts_stay_and_it_backs_off),
		cmocka_unit_test(what_waiting_does_not_mend_is_called_permanent),
		cmocka_unit_test(a_malformed_task_is_a_fault_but_no_reason_to_ask_less_often),
		cmocka_unit_test(a_definition_that_cannot_be_read_does_not_slow_the_watch),
		cmocka_unit_test(a_cluster_is_read_when_no_task_was_left_out),
		cmocka_unit_test(calls_that_cannot_even_be_sent_are_failures),
		cmocka_unit_test(a_service_that_asks_for_time_gets_it),
		cmocka_unit_test(a_pause_after_a_failure_has_its_least_and_its_most),
		cmocka_unit_test(nobody_is_sought_while_a_cluster_fails),
		cmocka_unit_test(foreign_answers_change_nothing),
		cmocka_unit_test(closing_cancels_what_is_under_way),
		cmocka_unit_test(the_age_is_asked_of_services_in_a_contest_alone),
		cmocka_unit_test(an_age_is_asked_again_after_an_hour),
		cmocka_unit_test(ten_services_are_asked_about_in_a_call_and_one_call_at_a_time),
		cmocka_unit_test(an_age_that_cannot_be_had_now_is_not_told),
		cmocka_unit_test(where_the_age_is_denied_that_is_told_and_what_was_known_stays),
		cmocka_unit_test(what_an_earlier_run_was_told_holds_until_it_is_asked_again),
		cmocka_unit_test(what_an_earlier_run_was_told_is_kept_until_all_is_read),
		cmocka_unit_test(a_contest_may_end_while_a_call_is_under_way),
		cmocka_unit_test(a_contest_may_change_while_a_call_is_under_way),
		cmocka_unit_test(another_watch_of_the_same_place_begins_with_what_was_known),
		cmocka_unit_test(what_another_place_said_is_forgotten),
		cmocka_unit_test(who_we_are_is_asked_once_in_a_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
