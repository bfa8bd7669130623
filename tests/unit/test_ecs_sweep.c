/*
 * The sweep against a small ECS: which calls it makes, what it learns, and what
 * it does not take for evidence.
 */
#include "config.h"

#include <stdlib.h>

#include "ecs/ecs_sweep.h"
#include "fake_ecs.h"
#include "unit.h"

#define T0 INT64_C(1700000000000)

/* What a watcher would keep between passes. */
struct world {
	struct fake_ecs ecs;
	struct taskdef_cache *definitions;
	struct roster_facts *facts;
	char account[32], cluster_arn[128];
	const char *cluster;
	bool require_healthy;
	bool (*is_held)(void *arg, const struct roster_task *task);
	struct ecs_sought sought;
	int64_t wall_ms;
	/* of the last pass */
	bool left_out, complete, answered, changed;
	struct err err;
	unsigned most_open;
	unsigned news_at; /* DescribeTasks calls before it had news; 0: it had none */
	unsigned news_defines;
	size_t news_tasks;
	size_t news_ended; /* tasks that were over by those */
	size_t rest_max;
	char rest_after[128];
};

static void
world_init(struct world *w, size_t n)
{
	*w = (struct world){ .cluster = "prod", .wall_ms = T0 };
	fake_ecs_init(&w->ecs, n);
	w->definitions = taskdef_cache_new(TASKDEF_CACHE_MAX);
	assert_non_null(w->definitions);
}

static void
world_done(struct world *w)
{
	ecs_sought_free(&w->sought);
	roster_facts_unref(w->facts);
	taskdef_cache_free(w->definitions);
	fake_ecs_free(&w->ecs);
}

/* Answers in the order of asking, or from the last asked to the first. */
static void
note_news(struct world *w, struct ecs_sweep *s)
{
	struct roster_facts *facts = NULL;

	if (!ecs_sweep_has_news(s))
		return;
	assert_int_equal(w->news_at, 0);
	w->news_at = w->ecs.describes;
	w->news_defines = w->ecs.defines;
	assert_int_equal(ecs_sweep_news(s, w->wall_ms, &facts, NULL), ERR_OK);
	for (size_t i = 0; i < facts->n_tasks; i++)
		w->news_ended += facts->tasks[i].ended_wall_ms != 0;
	w->news_tasks = facts->n_tasks;
	roster_facts_unref(facts);
}

static void
run_calls(struct world *w, struct ecs_sweep *s, bool backwards)
{
	struct ecs_sweep_ask asks[128];
	struct buf out = buf_make((size_t)8 << 20);

	while (!ecs_sweep_finished(s)) {
		unsigned n = 0;

		while (n < N_OF(asks) && ecs_sweep_next(s, &asks[n]))
			n++;
		w->most_open = n > w->most_open ? n : w->most_open;
		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			const struct ecs_sweep_ask *ask = &asks[backwards ? n - 1 - i : i];
			struct err e = ERR_INIT;

			if (fake_ecs_answer(&w->ecs, ask->action, ask->body, &out, &e) != ERR_OK)
				ecs_sweep_failed(s, ask->id, &e);
			else
				(void)ecs_sweep_answer(s, ask->id, buf_str(&out), w->wall_ms, &e);
			note_news(w, s);
		}
	}
	buf_free(&out);
}

static void
keep_text(char *to, size_t size, struct str s)
{
	(void)snprintf(to, size, STR_FMT, STR_ARG(s));
}

static const struct ecs_sought *
sought(void *arg)
{
	struct world *w = arg;

	return &w->sought;
}

static void
run_in_order(struct world *w, enum ecs_sweep_kind kind, bool backwards)
{
	struct ecs_sweep_start start = {
		.kind = kind,
		.cluster = str_from_cstr(w->cluster),
		.account = str_from_cstr(w->account),
		.cluster_arn = str_from_cstr(w->cluster_arn),
		.before = w->facts,
		.definitions = w->definitions,
		.require_healthy = w->require_healthy,
		.rest_max = w->rest_max,
		.rest_after = str_from_cstr(w->rest_after),
		.is_held = w->is_held,
		.arg = w,
		.sought = sought,
		.sought_arg = w,
	};
	struct ecs_sweep_result result;
	struct ecs_sweep *s;

	w->ecs.lists = w->ecs.describes = w->ecs.defines = w->ecs.proofs = 0;
	w->ecs.described = 0;
	w->most_open = w->news_at = 0;
	w->news_ended = 0;
	w->wall_ms += 1000;
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	run_calls(w, s, backwards);
	assert_int_equal(ecs_sweep_result(s, w->wall_ms, &result, NULL), ERR_OK);
	w->complete = result.complete;
	w->answered = result.answered;
	w->left_out = result.left_out;
	w->changed = result.facts != w->facts;
	w->err = result.err;
	assert_int_equal(result.complete, result.err.code == ERR_OK);
	keep_text(w->account, sizeof(w->account), result.account);
	keep_text(w->cluster_arn, sizeof(w->cluster_arn), result.cluster_arn);
	keep_text(w->rest_after, sizeof(w->rest_after), result.rest_after);
	roster_facts_unref(w->facts);
	w->facts = result.facts;
	ecs_sweep_free(s);
}

static void
run(struct world *w, enum ecs_sweep_kind kind)
{
	run_in_order(w, kind, false);
}

static const struct roster_task *
fact(const struct world *w, size_t i)
{
	char arn[128];

	fake_ecs_arn(&w->ecs.tasks[i], arn);
	return roster_facts_find(w->facts, str_from_cstr(arn));
}

static void
fault(struct world *w, const char *action, unsigned nth, enum fake_fault_kind kind)
{
	w->ecs.faults[0] = (struct fake_fault){ .action = action, .nth = nth, .kind = kind };
}

static void
stop(struct world *w, size_t i, const char *last)
{
	w->ecs.tasks[i].desired = "STOPPED";
	w->ecs.tasks[i].last = last;
	w->ecs.tasks[i].version++;
}

static bool
yes(void *arg, const struct roster_task *task)
{
	(void)arg;
	(void)task;
	return true;
}

static bool
no(void *arg, const struct roster_task *task)
{
	(void)arg;
	(void)task;
	return false;
}

/* ---- the calls of a pass ---- */

static void
a_full_pass_lists_describes_and_defines(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 250);
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.complete);
	assert_true(w.answered);
	assert_int_equal(w.ecs.lists, 3);
	assert_int_equal(w.ecs.describes, 3);
	assert_int_equal(w.ecs.defines, 1);
	assert_int_equal(w.most_open, 3); /* batches need not wait for each other */
	assert_int_equal(w.facts->n_tasks, 250);
	assert_string_equal(w.account, FAKE_ECS_ACCOUNT);
	assert_string_equal(w.cluster_arn, FAKE_ECS_PREFIX "cluster/prod");
	for (size_t i = 0; i < 250; i++) {
		const struct roster_task *t = fact(&w, i);

		assert_true(t->listed);
		assert_int_equal(t->last_status, ROSTER_RUNNING);
		assert_int_equal(t->described_wall_ms, T0 + 1000);
		assert_non_null(t->definition);
		assert_ptr_equal(t->definition, fact(&w, 0)->definition);
	}
	world_done(&w);
}

static void
what_has_not_changed_is_the_same_object(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3000);
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.changed);
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.complete);
	assert_false(w.changed);
	assert_int_equal(w.ecs.lists, 31); /* a full last page promises one more */
	assert_int_equal(w.ecs.describes, 30);
	assert_int_equal(w.ecs.defines, 0);
	run(&w, ECS_SWEEP_WATCH);
	assert_false(w.changed);
	assert_int_equal(w.ecs.describes, 0);
	world_done(&w);
}

static void
what_is_ending_is_asked_for_first_and_told_at_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3000);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.news_at, 0); /* what is new waits for its definition */
	stop(&w, 17, "STOPPED");
	stop(&w, 2900, "STOPPED");
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.news_at, 1);
	assert_int_equal(w.news_ended, 2);
	assert_int_equal(w.ecs.describes, 31); /* its call is the one more that the bound allows */
	assert_true(w.complete);
	world_done(&w);
}

/* Whoever leaves may have to wait for who joins: these are told together. */
static void
who_joins_is_told_with_who_ends(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 300);
	w.ecs.tasks[7].unlisted = true;
	run(&w, ECS_SWEEP_FULL);
	stop(&w, 9, "STOPPED");
	w.ecs.tasks[7].unlisted = false;
	w.ecs.tasks[7].definition = 2;
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.news_at, 1);
	assert_int_equal(w.news_defines, 1);
	assert_int_equal(w.news_tasks, 300);
	assert_int_equal(w.ecs.describes, 1 + 3);
	world_done(&w);
}

static void
a_full_pass_may_come_in_parts(void **state)
{
	struct world w;
	size_t described = 0;

	(void)state;
	world_init(&w, 1234);
	run(&w, ECS_SWEEP_FULL);
	w.rest_max = 5;
	for (unsigned i = 0; i < 3; i++) {
		run(&w, ECS_SWEEP_FULL);
		assert_true(w.complete);
		described += w.ecs.described;
		assert_int_equal(w.ecs.describes, i < 2 ? 5 : 3);
		assert_int_equal(w.rest_after[0] != '\0', i < 2);
	}
	assert_int_equal(described, 1234);
	/* What ends between the parts is seen with the next, wherever that stands. */
	run(&w, ECS_SWEEP_FULL);
	stop(&w, 3, "STOPPED");
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 3)->last_status, ROSTER_STOPPED);
	run(&w, ECS_SWEEP_FULL);
	assert_string_equal(w.rest_after, "");
	fault(&w, "DescribeTasks", 2, FAKE_UNREACHABLE);
	run(&w, ECS_SWEEP_FULL);
	assert_string_equal(w.rest_after, ""); /* a part that failed makes it start anew */
	world_done(&w);
}

static void
an_unreadable_task_costs_nobody_else(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 250);
	run(&w, ECS_SWEEP_FULL);
	w.ecs.tasks[130].unreadable = true;
	stop(&w, 131, "STOPPED");
	w.ecs.tasks[131].desired = "RUNNING"; /* still listed: in the same batch */
	for (int again = 0; again < 2; again++) {
		run(&w, ECS_SWEEP_FULL);
		assert_false(w.complete);
		assert_true(w.answered);
		assert_false(w.left_out);
		assert_non_null(strstr(w.err.msg, w.ecs.tasks[130].id));
		assert_int_equal(fact(&w, 131)->last_status, ROSTER_STOPPED);
		assert_int_equal(fact(&w, 130)->last_status, ROSTER_RUNNING);
		assert_in_range(w.ecs.describes, 3 + 2, 3 + 2 * 7);
	}
	w.ecs.tasks[30].unreadable = true;
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.answered);
	assert_true(w.left_out); /* two: nobody knows of how many services */
	w.ecs.tasks[30].unreadable = w.ecs.tasks[130].unreadable = false;
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.complete);
	world_done(&w);
}

/* Then it is one fault in one text, whoever was asked about alone in the end. */
static void
where_no_answer_is_a_document_no_task_is_blamed(void **state)
{
	static const size_t sizes[] = { 1, 2, 41, 250 };

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		struct world w;

		world_init(&w, sizes[i]);
		run(&w, ECS_SWEEP_FULL);
		fault(&w, "DescribeTasks", 0, FAKE_CUT);
		run(&w, ECS_SWEEP_FULL);
		assert_int_equal(w.err.code, ERR_PARSE);
		CHECK_ROW(!w.complete && strstr(w.err.msg, "task ") == NULL, i, w.err.msg);
		world_done(&w);
	}
}

static void
answers_may_come_in_any_order(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 501);
	for (size_t i = 0; i < 501; i++)
		w.ecs.tasks[i].definition = (unsigned)i % 7 + 1;
	run_in_order(&w, ECS_SWEEP_FULL, true);
	assert_true(w.complete);
	assert_int_equal(w.facts->n_tasks, 501);
	assert_int_equal(w.ecs.defines, 7);
	for (size_t i = 0; i < 501; i++)
		assert_int_equal(fact(&w, i)->definition->revision, i % 7 + 1);
	world_done(&w);
}

static void
requests_are_what_ecs_documents(void **state)
{
	struct ecs_sweep_start start = { .kind = ECS_SWEEP_FULL, .cluster = STR("a\"b") };
	struct ecs_sweep_ask ask;
	struct ecs_sweep *s;

	(void)state;
	start.definitions = taskdef_cache_new(1);
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_string_equal(ask.action, "ListTasks");
	assert_str(ask.body, "{\"cluster\":\"a\\u0022b\",\"maxResults\":100}");
	assert_false(ecs_sweep_next(s, &ask));
	assert_int_equal(ecs_sweep_answer(s, ask.id,
			     STR("{\"taskArns\":[\"arn:aws:ecs:r:1:task/x\"],\"nextToken\":\"t\\\"\"}"), T0, NULL),
	    ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_str(ask.body, "{\"cluster\":\"a\\u0022b\",\"maxResults\":100,\"nextToken\":\"t\\u0022\"}");
	assert_int_equal(ecs_sweep_answer(s, ask.id, STR("{\"taskArns\":[]}"), T0, NULL), ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_string_equal(ask.action, "DescribeTasks");
	assert_str(ask.body, "{\"cluster\":\"a\\u0022b\",\"tasks\":[\"arn:aws:ecs:r:1:task/x\"]}");
	assert_false(ecs_sweep_finished(s));
	ecs_sweep_free(s); /* at any time */
	taskdef_cache_free(start.definitions);
}

static void
the_same_task_listed_twice_is_one(void **state)
{
	static const char list[] = "{\"taskArns\":[\"arn:aws:ecs:r:1:task/x\",\"arn:aws:ecs:r:1:task/x\"]}";
	struct ecs_sweep_start start = { .kind = ECS_SWEEP_FULL, .cluster = STR("prod") };
	struct ecs_sweep_ask ask;
	struct ecs_sweep *s;

	(void)state;
	start.definitions = taskdef_cache_new(1);
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_int_equal(ecs_sweep_answer(s, ask.id, str_from_cstr(list), T0, NULL), ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_str(ask.body, "{\"cluster\":\"prod\",\"tasks\":[\"arn:aws:ecs:r:1:task/x\"]}");
	ecs_sweep_free(s);
	taskdef_cache_free(start.definitions);
}

static void
an_empty_cluster_is_a_complete_answer(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 0);
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.complete);
	assert_non_null(w.facts);
	assert_int_equal(w.facts->n_tasks, 0);
	run(&w, ECS_SWEEP_FULL);
	assert_false(w.changed);
	world_done(&w);
}

/* ---- whom WATCH asks about ---- */

static void
watch_describes_what_is_of_interest_and_nothing_else(void **state)
{
	static const struct {
		const char *what, *last, *desired, *health;
		bool no_address, require_healthy;
		bool (*is_held)(void *arg, const struct roster_task *task);
		size_t described;
	} cases[] = {
		{ .what = "settled", .last = "RUNNING", .desired = "RUNNING", .health = "HEALTHY" },
		{ .what = "no health check", .last = "RUNNING", .desired = "RUNNING", .health = "UNKNOWN" },
		{ .what = "unhealthy", .last = "RUNNING", .desired = "RUNNING", .health = "UNHEALTHY" },
		{ .what = "pending", .last = "PENDING", .desired = "RUNNING", .health = "UNKNOWN", .described = 1 },
		{ .what = "a word we do not know", .last = "X", .desired = "RUNNING", .health = "X", .described = 1 },
		{ .what = "no address yet",
		    .last = "RUNNING",
		    .desired = "RUNNING",
		    .health = "UNKNOWN",
		    .no_address = true,
		    .described = 1 },
		{ .what = "awaiting HEALTHY",
		    .last = "RUNNING",
		    .desired = "RUNNING",
		    .health = "UNKNOWN",
		    .require_healthy = true,
		    .described = 1 },
		{ .what = "HEALTHY at last",
		    .last = "RUNNING",
		    .desired = "RUNNING",
		    .health = "HEALTHY",
		    .require_healthy = true },
		{ .what = "ending, perhaps held",
		    .last = "RUNNING",
		    .desired = "STOPPED",
		    .health = "X",
		    .described = 1 },
		{ .what = "ending, held",
		    .last = "STOPPING",
		    .desired = "STOPPED",
		    .health = "X",
		    .is_held = yes,
		    .described = 1 },
		{ .what = "ending, let go", .last = "STOPPING", .desired = "STOPPED", .health = "X", .is_held = no },
		{ .what = "stopped", .last = "STOPPED", .desired = "STOPPED", .health = "X", .is_held = yes },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world w;
		struct fake_task *t;

		world_init(&w, 2);
		run(&w, ECS_SWEEP_FULL); /* known first, so that a stopped one is known at all */
		t = &w.ecs.tasks[0];
		t->last = cases[i].last;
		t->desired = cases[i].desired;
		t->health = cases[i].health;
		t->has_address = !cases[i].no_address;
		t->version++;
		w.require_healthy = cases[i].require_healthy;
		w.is_held = cases[i].is_held;
		run(&w, ECS_SWEEP_FULL);
		run(&w, ECS_SWEEP_WATCH);
		CHECK_ROW(w.complete, i, cases[i].what);
		CHECK_ROW(w.ecs.described == cases[i].described, i, cases[i].what);
		world_done(&w);
	}
}

static void
watch_meets_new_tasks_and_reads_their_definition_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 5);
	w.ecs.tasks[4].unlisted = true;
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.facts->n_tasks, 4);
	w.ecs.tasks[4].unlisted = false;
	w.ecs.tasks[4].definition = 2;
	run(&w, ECS_SWEEP_WATCH);
	assert_true(w.changed);
	assert_int_equal(w.ecs.described, 1);
	assert_int_equal(w.ecs.defines, 1);
	assert_int_equal(w.ecs.defined_last, 2);
	assert_int_equal(fact(&w, 4)->definition->revision, 2);
	assert_int_equal(fact(&w, 0)->definition->revision, 1);
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.described, 0);
	world_done(&w);
}

static void
an_ended_task_keeps_its_last_known_address(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 2);
	run(&w, ECS_SWEEP_FULL);
	assert_true(fact(&w, 1)->containers[0].ipv4.len > 0);
	assert_true(fact(&w, 1)->subnet.len > 0);
	stop(&w, 1, "DEPROVISIONING");
	w.ecs.tasks[1].has_address = false; /* its interface is gone */
	run(&w, ECS_SWEEP_WATCH);
	assert_true(fact(&w, 1)->containers[0].ipv4.len > 0);
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.described, 1);
	assert_false(w.changed);
	stop(&w, 1, "STOPPED");
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(fact(&w, 1)->last_status, ROSTER_STOPPED);
	assert_int_equal(fact(&w, 1)->n_containers, 1);
	assert_true(fact(&w, 1)->containers[0].ipv4.len > 0);
	assert_true(fact(&w, 1)->subnet.len > 0); /* in which another one may have it by now */
	world_done(&w);
}

static void
a_task_that_is_stopped_is_seen_at_the_next_watch(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	run(&w, ECS_SWEEP_FULL);
	stop(&w, 1, "RUNNING"); /* ListTasks drops it at once */
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.described, 1);
	assert_int_equal(fact(&w, 1)->desired_status, ROSTER_STOPPED);
	assert_int_equal(fact(&w, 1)->last_status, ROSTER_RUNNING);
	assert_false(fact(&w, 1)->listed);
	assert_int_equal(fact(&w, 1)->ended_wall_ms, 0);
	stop(&w, 1, "STOPPED");
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(fact(&w, 1)->last_status, ROSTER_STOPPED);
	assert_int_equal(fact(&w, 1)->ended_wall_ms, w.wall_ms);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.described, 2);
	world_done(&w);
}

static void
a_stopped_task_gets_no_definition_unless_it_is_held(void **state)
{
	static const struct {
		bool (*is_held)(void *arg, const struct roster_task *task);
		unsigned defines;
	} cases[] = { { NULL, 0 }, { no, 0 }, { yes, 1 } };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world w;

		world_init(&w, 2);
		w.ecs.tasks[1].definition = 9;
		w.is_held = cases[i].is_held;
		fault(&w, "DescribeTaskDefinition", 0, FAKE_UNREACHABLE);
		run(&w, ECS_SWEEP_FULL);
		fault(&w, "DescribeTaskDefinition", 0, FAKE_NONE);
		stop(&w, 1, "STOPPING");
		w.ecs.tasks[0].forgotten = true;
		run(&w, ECS_SWEEP_WATCH);
		assert_int_equal(w.ecs.defines, cases[i].defines);
		world_done(&w);
	}
}

/* ---- who is served and not known ---- */

static void
seek(struct world *w, const char *const *ids, size_t n)
{
	struct ecs_sought_task *tasks = calloc(n, sizeof(*tasks));

	assert_non_null(tasks);
	for (size_t i = 0; i < n; i++)
		tasks[i] = (struct ecs_sought_task){ .id = str_from_cstr(ids[i]) };
	ecs_sought_free(&w->sought);
	assert_int_equal(ecs_sought_make(tasks, n, &w->sought, NULL), ERR_OK);
	free(tasks);
}

/* They vanished from the list while nobody looked; the first pass hears of their end. */
static void
a_task_that_was_told_to_stop_unseen_is_met_by_its_id(void **state)
{
	const char *ids[3];
	struct world w;

	(void)state;
	world_init(&w, 3);
	for (size_t i = 0; i < 3; i++)
		ids[i] = w.ecs.tasks[i].id;
	w.ecs.tasks[1].definition = 9;
	stop(&w, 1, "RUNNING");
	stop(&w, 2, "STOPPED");
	seek(&w, ids, 3);
	run(&w, ECS_SWEEP_FULL);
	assert_true(w.complete);
	assert_int_equal(w.ecs.describes, 1); /* with those that are listed */
	assert_int_equal(w.ecs.described, 3);
	assert_int_equal(w.facts->n_tasks, 3);
	assert_int_equal(fact(&w, 1)->desired_status, ROSTER_STOPPED);
	assert_int_equal(fact(&w, 1)->ended_wall_ms, 0);
	assert_false(fact(&w, 1)->listed);
	assert_int_equal(fact(&w, 2)->ended_wall_ms, w.wall_ms);
	assert_non_null(fact(&w, 1)->definition); /* whose ports tell which server it is */
	assert_non_null(fact(&w, 2)->definition);
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.described, 1); /* as any that is ending and held */
	world_done(&w);
}

static void
one_that_is_known_or_listed_is_not_sought(void **state)
{
	const char *ids[3];
	struct world w;

	(void)state;
	world_init(&w, 3);
	for (size_t i = 0; i < 3; i++)
		ids[i] = w.ecs.tasks[i].id;
	run(&w, ECS_SWEEP_FULL);
	seek(&w, ids, 3);
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.describes, 0);
	assert_false(w.changed);
	world_done(&w);
}

static void
one_that_nobody_has_heard_of_stays_unknown(void **state)
{
	static const char *const ids[] = { "0123456789abcdef0123456789abcdef", "too-short", "has_an_underscore", "" };
	struct world w;

	(void)state;
	world_init(&w, 1);
	seek(&w, ids, N_OF(ids));
	for (unsigned pass = 0; pass < 3; pass++) {
		run(&w, ECS_SWEEP_FULL);
		assert_true(w.complete);
		assert_int_equal(w.ecs.described, 2); /* ECS would refuse the call for the others */
		assert_int_equal(w.facts->n_tasks, 1);
	}
	world_done(&w);
}

static void
who_is_sought_costs_a_call_for_a_hundred_and_comes_first(void **state)
{
	static char texts[250][33];
	static const char *ids[250];
	struct world w;

	(void)state;
	world_init(&w, 150);
	for (size_t i = 0; i < N_OF(ids); i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "f%031zu", i);
		ids[i] = texts[i];
	}
	seek(&w, ids, N_OF(ids));
	fault(&w, "DescribeTasks", 4, FAKE_UNREACHABLE);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.describes, 4);
	assert_int_equal(w.ecs.described, 400 - 100);
	assert_int_equal(w.facts->n_tasks, 50); /* of the third call; those of the fourth come last */
	world_done(&w);
}

static void
the_end_of_one_that_is_sought_is_proof_whatever_the_list_is(void **state)
{
	const char *ids[1];
	struct world w;

	(void)state;
	world_init(&w, 2);
	ids[0] = w.ecs.tasks[1].id;
	stop(&w, 1, "STOPPING");
	seek(&w, ids, 1);
	fault(&w, "ListTasks", 1, FAKE_DENIED);
	run(&w, ECS_SWEEP_FULL);
	assert_false(w.answered);
	assert_int_equal(w.facts->n_tasks, 1);
	assert_int_equal(fact(&w, 1)->last_status, ROSTER_STOPPING);
	world_done(&w);
}

static void
a_foreign_answer_about_one_that_is_sought_is_not_taken(void **state)
{
	const char *ids[1];
	struct world w;

	(void)state;
	world_init(&w, 2);
	run(&w, ECS_SWEEP_FULL);
	ids[0] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	memcpy(w.ecs.tasks[1].id, ids[0], 33);
	stop(&w, 1, "STOPPED");
	seek(&w, ids, 1);
	fault(&w, "DescribeTasks", 0, FAKE_FOREIGN);
	run(&w, ECS_SWEEP_WATCH);
	assert_false(w.answered);
	assert_false(w.changed);
	world_done(&w);
}

/* ---- what is no evidence ---- */

struct fault_case {
	const char *action;
	unsigned nth;
	enum fake_fault_kind kind;
	bool answered; /* otherwise: a call failed */
	bool left_out; /* and some of the tasks are not told of */
};

static const struct fault_case FAULTS[] = {
	{ "ListTasks", 1, FAKE_UNREACHABLE, false, false },
	{ "ListTasks", 2, FAKE_UNREACHABLE, false, false },
	{ "ListTasks", 3, FAKE_UNREACHABLE, false, false },
	{ "ListTasks", 1, FAKE_DENIED, false, false },
	{ "ListTasks", 1, FAKE_CUT, false, false },
	{ "ListTasks", 2, FAKE_CUT, false, false },
	{ "ListTasks", 1, FAKE_EMPTY, false, false },
	{ "ListTasks", 2, FAKE_EMPTY, false, false },
	{ "ListTasks", 0, FAKE_TOKEN, false, false },
	{ "ListTasks", 2, FAKE_TOKEN, false, false },
	{ "ListTasks", 1, FAKE_FOREIGN, false, false },
	{ "ListTasks", 3, FAKE_FOREIGN, false, false },
	{ "ListTasks", 2, FAKE_ELSEWHERE, false, false },
	{ "DescribeTasks", 1, FAKE_UNREACHABLE, false, false },
	{ "DescribeTasks", 2, FAKE_UNREACHABLE, false, false },
	{ "DescribeTasks", 3, FAKE_DENIED, false, false },
	{ "DescribeTasks", 0, FAKE_DENIED, false, false },
	{ "DescribeTasks", 0, FAKE_CUT, false, false },
	{ "DescribeTasks", 0, FAKE_EMPTY, false, false },
	{ "DescribeTasks", 1, FAKE_FOREIGN, false, false },
	{ "DescribeTasks", 3, FAKE_FOREIGN, false, false },
	{ "DescribeTasks", 2, FAKE_ELSEWHERE, false, false },
	{ "DescribeTasks", 1, FAKE_NOTHING, true, true },
	{ "DescribeTasks", 0, FAKE_NOTHING, true, true },
	{ "DescribeTasks", 2, FAKE_OMIT, true, true },
	{ "DescribeTasks", 2, FAKE_MANGLE, true, false },
	{ "DescribeTasks", 2, FAKE_TROUBLE, true, true },
	{ "DescribeTasks", 2, FAKE_STRANGER, true, false },
	{ "DescribeTasks", 2, FAKE_TWICE, true, false },
};

static bool
all_run(const struct world *w)
{
	for (size_t i = 0; i < w->facts->n_tasks; i++) {
		const struct roster_task *t = &w->facts->tasks[i];

		if (t->last_status != ROSTER_RUNNING || t->desired_status != ROSTER_RUNNING || t->missing != 0 ||
		    t->ended_wall_ms != 0)
			return false;
	}
	return true;
}

static void
no_fault_takes_a_task_away(void **state)
{
	static const enum ecs_sweep_kind kinds[] = { ECS_SWEEP_FULL, ECS_SWEEP_WATCH };

	(void)state;
	for (size_t i = 0; i < N_OF(FAULTS) * 2; i++) {
		const struct fault_case *c = &FAULTS[i / 2];
		enum ecs_sweep_kind kind = kinds[i % 2];
		struct world w;

		world_init(&w, 250);
		run(&w, ECS_SWEEP_FULL);
		fault(&w, c->action, c->nth, c->kind);
		for (int again = 0; again < 3; again++) {
			run(&w, kind);
			/* A watch of settled tasks describes none, and so meets no such fault. */
			CHECK_ROW(w.complete == (kind == ECS_SWEEP_WATCH && w.ecs.describes == 0 && w.ecs.lists == 3 &&
						    strcmp(c->action, "ListTasks") != 0),
			    i / 2, w.err.msg);
			if (!w.complete)
				CHECK_ROW(w.answered == c->answered, i / 2, w.err.msg);
			if (!w.complete && c->answered)
				CHECK_ROW(w.left_out == c->left_out, i / 2, w.err.msg);
			CHECK_ROW(w.facts->n_tasks == 250, i / 2, w.err.msg);
			CHECK_ROW(all_run(&w), i / 2, w.err.msg);
			for (size_t t = 0; t < 250; t++)
				CHECK_ROW(fact(&w, t)->listed, i / 2, w.err.msg);
		}
		fault(&w, c->action, c->nth, FAKE_NONE);
		run(&w, ECS_SWEEP_FULL);
		CHECK_ROW(w.complete && all_run(&w) && w.facts->n_tasks == 250, i / 2, w.err.msg);
		world_done(&w);
	}
}

static void
a_list_that_breaks_off_makes_nothing_vanish(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 250);
	run(&w, ECS_SWEEP_FULL);
	for (size_t i = 100; i < 250; i++)
		w.ecs.tasks[i].forgotten = true; /* asked about, each would be MISSING */
	fault(&w, "ListTasks", 2, FAKE_UNREACHABLE);
	w.ecs.page_size = 100;
	for (int again = 0; again < 5; again++) {
		w.ecs.tasks[100].forgotten = false; /* so that there is a second page */
		run(&w, again % 2 == 0 ? ECS_SWEEP_WATCH : ECS_SWEEP_FULL);
		assert_false(w.complete);
		assert_true(all_run(&w));
		for (size_t i = 0; i < 250; i++)
			assert_true(fact(&w, i)->listed);
	}
	world_done(&w);
}

static void
an_empty_list_alone_is_no_evidence(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 150);
	run(&w, ECS_SWEEP_FULL);
	fault(&w, "ListTasks", 0, FAKE_NOTHING);
	for (int again = 0; again < 3; again++) {
		run(&w, ECS_SWEEP_WATCH);
		assert_true(w.complete);
		assert_int_equal(w.ecs.described, 150); /* DescribeTasks says that they run */
		assert_true(all_run(&w));
		assert_false(fact(&w, 0)->listed);
	}
	world_done(&w);
}

static void
nobody_is_missing_while_nobody_proves_the_account(void **state)
{
	static const enum fake_fault_kind cases[] = { FAKE_FOREIGN, FAKE_ELSEWHERE, FAKE_DENIED, FAKE_UNREACHABLE,
		FAKE_CUT, FAKE_EMPTY, FAKE_NOTHING };
	struct world w;

	(void)state;
	world_init(&w, 20);
	run(&w, ECS_SWEEP_FULL);
	for (size_t i = 0; i < 20; i++)
		w.ecs.tasks[i].forgotten = true; /* the same cluster name in another account looks like this */
	for (size_t i = 0; i < N_OF(cases); i++) {
		memset(w.ecs.faults, 0, sizeof(w.ecs.faults));
		fault(&w, "DescribeClusters", 0, cases[i]);
		for (int again = 0; again < 5; again++) {
			run(&w, ECS_SWEEP_FULL);
			assert_int_equal(w.ecs.proofs, 1);
			assert_false(w.complete);
			assert_true(all_run(&w));
		}
	}
	world_done(&w);
}

/* Its last tasks are long gone, and AWS has forgotten them: MISSING is all that it says. */
static void
a_cluster_without_tasks_says_who_it_is_before_any_is_missing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 20);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.proofs, 0); /* its tasks prove it */
	for (size_t i = 0; i < 20; i++)
		w.ecs.tasks[i].forgotten = true;
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.proofs, 0);
	assert_int_equal(fact(&w, 3)->missing, 0);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.proofs, 1);
	assert_true(w.complete);
	assert_int_equal(fact(&w, 3)->missing, 1);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 3)->missing, 2);
	assert_int_equal(fact(&w, 3)->ended_wall_ms, w.wall_ms);
	world_done(&w);
}

/* After a start: nothing is known, nothing is listed, and somebody is served. */
static void
a_cluster_that_calls_one_that_is_sought_missing_says_who_it_is(void **state)
{
	const char *ids[] = { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct world w;

	(void)state;
	world_init(&w, 0);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.proofs, 0); /* nobody is missed */
	seek(&w, ids, 1);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.proofs, 1);
	assert_true(w.complete);
	assert_string_equal(w.account, FAKE_ECS_ACCOUNT);
	world_done(&w);
}

static void
the_missing_that_are_served_are_asked_about_until_there_is_proof(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	w.is_held = yes;
	run(&w, ECS_SWEEP_FULL);
	w.ecs.tasks[1].forgotten = true;
	run(&w, ECS_SWEEP_FULL);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 1)->missing, 2);
	w.ecs.tasks[1].forgotten = false;
	stop(&w, 1, "STOPPED");
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 1)->last_status, ROSTER_STOPPED);
	world_done(&w);
}

static void
nothing_of_a_foreign_pass_is_taken(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 250);
	run(&w, ECS_SWEEP_FULL);
	stop(&w, 0, "STOPPED");
	stop(&w, 120, "STOPPED");
	stop(&w, 249, "STOPPED");
	fault(&w, "DescribeTasks", 3, FAKE_FOREIGN);
	run(&w, ECS_SWEEP_FULL);
	assert_false(w.complete);
	assert_false(w.changed);
	assert_non_null(strstr(w.err.msg, "account 999999999999"));
	assert_string_equal(w.account, FAKE_ECS_ACCOUNT);
	fault(&w, "DescribeTasks", 3, FAKE_NONE);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 249)->last_status, ROSTER_STOPPED);
	world_done(&w);
}

static void
an_answer_of_two_clusters_is_nobodys(void **state)
{
	static const char list[] = "{\"taskArns\":[\"arn:aws:ecs:r:1:task/x\",\"arn:aws:ecs:r:1:task/y\"]}";
	static const char tasks[] =
	    "{\"tasks\":[{\"taskArn\":\"arn:aws:ecs:r:1:task/x\",\"taskDefinitionArn\":"
	    "\"arn:aws:ecs:r:1:task-definition/f:1\",\"clusterArn\":\"arn:aws:ecs:r:1:cluster/prod\"},"
	    "{\"taskArn\":\"arn:aws:ecs:r:1:task/y\",\"taskDefinitionArn\":"
	    "\"arn:aws:ecs:r:1:task-definition/f:1\",\"clusterArn\":\"arn:aws:ecs:r:1:cluster/test\"}]}";
	struct ecs_sweep_start start = { .kind = ECS_SWEEP_FULL, .cluster = STR("prod") };
	struct ecs_sweep_result result;
	struct ecs_sweep_ask ask;
	struct ecs_sweep *s;

	(void)state;
	start.definitions = taskdef_cache_new(1);
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_int_equal(ecs_sweep_answer(s, ask.id, str_from_cstr(list), T0, NULL), ERR_OK);
	assert_true(ecs_sweep_next(s, &ask));
	assert_int_equal(ecs_sweep_answer(s, ask.id, str_from_cstr(tasks), T0, NULL), ERR_REFUSED);
	assert_true(ecs_sweep_finished(s));
	assert_int_equal(ecs_sweep_result(s, T0, &result, NULL), ERR_OK);
	assert_false(result.complete);
	assert_null(result.facts);
	ecs_sweep_free(s);
	taskdef_cache_free(start.definitions);
}

static void
the_account_and_cluster_of_earlier_passes_hold(void **state)
{
	static const struct {
		const char *account, *cluster_arn, *cluster;
		bool complete;
	} cases[] = {
		{ "", "", "prod", true },
		{ FAKE_ECS_ACCOUNT, FAKE_ECS_PREFIX "cluster/prod", "prod", true },
		{ FAKE_ECS_ACCOUNT, "", FAKE_ECS_PREFIX "cluster/prod", true },
		{ "999999999999", "", "prod", false },
		{ "", "arn:aws:ecs:eu-west-1:999999999999:cluster/prod", "prod", false },
		{ "", "arn:aws:ecs:eu-west-2:" FAKE_ECS_ACCOUNT ":cluster/prod", "prod", false },
		{ "", "", "test", false },
		{ "", "", "arn:aws-cn:ecs:eu-west-1:" FAKE_ECS_ACCOUNT ":cluster/prod", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world w;

		world_init(&w, 3);
		w.cluster = cases[i].cluster;
		(void)snprintf(w.account, sizeof(w.account), "%s", cases[i].account);
		(void)snprintf(w.cluster_arn, sizeof(w.cluster_arn), "%s", cases[i].cluster_arn);
		run(&w, ECS_SWEEP_FULL);
		CHECK_ROW(w.complete == cases[i].complete, i, w.err.msg);
		CHECK_ROW((w.facts != NULL) == cases[i].complete, i, w.err.msg);
		world_done(&w);
	}
}

/* ---- MISSING ---- */

static void
missing_twice_is_the_end_and_once_is_not(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	run(&w, ECS_SWEEP_FULL);
	w.ecs.tasks[1].forgotten = true;
	run(&w, ECS_SWEEP_WATCH); /* two seconds apart they would prove nothing */
	assert_true(w.complete);
	assert_int_equal(fact(&w, 1)->missing, 0);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 1)->missing, 1);
	assert_int_equal(fact(&w, 1)->ended_wall_ms, 0);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 1)->missing, 2);
	assert_int_equal(fact(&w, 1)->ended_wall_ms, w.wall_ms);
	assert_int_equal(fact(&w, 1)->last_status, ROSTER_RUNNING); /* as AWS last said */
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.described, 2);
	assert_false(w.changed);
	world_done(&w);
}

static void
being_described_again_resets_missing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	run(&w, ECS_SWEEP_FULL);
	for (int again = 0; again < 3; again++) {
		w.ecs.tasks[1].forgotten = true;
		run(&w, ECS_SWEEP_FULL);
		assert_int_equal(fact(&w, 1)->missing, 1);
		w.ecs.tasks[1].forgotten = false;
		run(&w, ECS_SWEEP_WATCH);
		assert_int_equal(w.ecs.described, 1);
		assert_int_equal(fact(&w, 1)->missing, 0);
	}
	assert_true(all_run(&w));
	world_done(&w);
}

static void
one_that_was_gone_and_is_listed_again_is_back(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	run(&w, ECS_SWEEP_FULL);
	w.ecs.tasks[1].forgotten = true;
	run(&w, ECS_SWEEP_FULL);
	run(&w, ECS_SWEEP_FULL);
	assert_true(fact(&w, 1)->ended_wall_ms != 0);
	w.ecs.tasks[1].forgotten = false;
	run(&w, ECS_SWEEP_WATCH);
	assert_int_equal(w.ecs.described, 1);
	assert_true(all_run(&w));
	world_done(&w);
}

static void
missing_does_not_count_while_listed_or_while_the_list_is_partial(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 250);
	run(&w, ECS_SWEEP_FULL);
	fault(&w, "DescribeTasks", 1, FAKE_MISSING); /* listed, and called MISSING: which is it? */
	for (int again = 0; again < 3; again++)
		run(&w, ECS_SWEEP_FULL);
	assert_true(all_run(&w));
	stop(&w, 7, "STOPPING"); /* known to end, so it is asked for even if the list is partial */
	fault(&w, "DescribeTasks", 1, FAKE_NONE);
	run(&w, ECS_SWEEP_WATCH);
	w.ecs.tasks[7].forgotten = true;
	fault(&w, "ListTasks", 2, FAKE_CUT);
	for (int again = 0; again < 3; again++) {
		run(&w, ECS_SWEEP_WATCH);
		assert_int_equal(w.ecs.described, 1);
		assert_int_equal(fact(&w, 7)->missing, 0);
	}
	world_done(&w);
}

static void
missing_does_not_count_in_a_pass_of_which_a_call_failed(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 250);
	run(&w, ECS_SWEEP_FULL);
	w.ecs.tasks[7].forgotten = true;
	fault(&w, "DescribeTasks", 2, FAKE_UNREACHABLE); /* the first one asks about who is not listed */
	for (int again = 0; again < 3; again++) {
		run(&w, ECS_SWEEP_FULL);
		assert_false(w.answered);
		assert_int_equal(fact(&w, 7)->missing, 0);
	}
	fault(&w, "DescribeTasks", 2, FAKE_NONE);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(fact(&w, 7)->missing, 1);
	world_done(&w);
}

static void
trouble_with_a_task_is_not_missing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3);
	run(&w, ECS_SWEEP_FULL);
	for (size_t i = 0; i < 3; i++)
		w.ecs.tasks[i].unlisted = true;
	fault(&w, "DescribeTasks", 1, FAKE_TROUBLE);
	for (int again = 0; again < 3; again++) {
		run(&w, ECS_SWEEP_FULL);
		assert_false(w.complete);
		assert_non_null(strstr(w.err.msg, "TROUBLE"));
		assert_true(all_run(&w));
	}
	world_done(&w);
}

/* ---- versions ---- */

static void
old_news_is_passed_over(void **state)
{
	static const struct {
		const char *what, *last, *desired, *health;
		unsigned version;
		bool taken;
	} cases[] = {
		{ "the same again", "STOPPING", "STOPPED", "HEALTHY", 5, false },
		{ "an older version", "RUNNING", "RUNNING", "HEALTHY", 4, false },
		{ "older, with another health", "STOPPING", "STOPPED", "UNHEALTHY", 4, false },
		{ "health does not count versions", "STOPPING", "STOPPED", "UNHEALTHY", 5, true },
		{ "further on in its life", "STOPPED", "STOPPED", "HEALTHY", 5, true },
		{ "back in its life", "RUNNING", "STOPPED", "HEALTHY", 5, false },
		{ "wanted again", "STOPPING", "RUNNING", "HEALTHY", 5, false },
		{ "newer", "RUNNING", "RUNNING", "HEALTHY", 6, true },
		{ "not counted", "STOPPED", "STOPPED", "HEALTHY", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world w;
		struct fake_task *t;

		world_init(&w, 2);
		run(&w, ECS_SWEEP_FULL);
		t = &w.ecs.tasks[0];
		t->last = "STOPPING";
		t->desired = "STOPPED";
		t->version = 5;
		run(&w, ECS_SWEEP_FULL);
		assert_int_equal(fact(&w, 0)->version, 5);
		t->last = cases[i].last;
		t->desired = cases[i].desired;
		t->health = cases[i].health;
		t->version = cases[i].version;
		t->unlisted = true; /* so that nothing but the description can change */
		run(&w, ECS_SWEEP_FULL);
		CHECK_ROW(w.complete, i, cases[i].what);
		CHECK_ROW(w.changed == cases[i].taken, i, cases[i].what);
		CHECK_ROW(!cases[i].taken || fact(&w, 0)->version == cases[i].version, i, cases[i].what);
		world_done(&w);
	}
}

/* ---- the end ---- */

static void
ended_tasks_are_kept_an_hour_and_as_long_as_they_are_held(void **state)
{
	struct world w;
	int64_t ended;

	(void)state;
	world_init(&w, 2);
	run(&w, ECS_SWEEP_FULL);
	stop(&w, 0, "STOPPED");
	run(&w, ECS_SWEEP_FULL);
	ended = fact(&w, 0)->ended_wall_ms;
	assert_int_equal(ended, w.wall_ms);
	w.wall_ms = ended + ROSTER_ENDED_KEPT_MS - 1000;
	run(&w, ECS_SWEEP_WATCH);
	assert_non_null(fact(&w, 0));
	assert_false(w.changed);
	w.is_held = yes;
	run(&w, ECS_SWEEP_WATCH);
	assert_non_null(fact(&w, 0));
	w.is_held = NULL;
	run(&w, ECS_SWEEP_WATCH);
	assert_null(fact(&w, 0));
	assert_true(w.changed);
	assert_non_null(fact(&w, 1));
	world_done(&w);
}

/* ---- definitions ---- */

static void
a_definition_that_cannot_be_read_costs_nobody_else(void **state)
{
	static const struct fault_case cases[] = {
		{ "DescribeTaskDefinition", 1, FAKE_UNREACHABLE, true, false },
		{ "DescribeTaskDefinition", 1, FAKE_DENIED, true, false },
		{ "DescribeTaskDefinition", 1, FAKE_CUT, true, false },
		{ "DescribeTaskDefinition", 1, FAKE_EMPTY, true, false },
		{ "DescribeTaskDefinition", 1, FAKE_MANGLE, true, false },
		{ "DescribeTaskDefinition", 1, FAKE_TWICE, true, false }, /* another one than was asked for */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world w;

		world_init(&w, 2);
		w.ecs.tasks[1].definition = 2;
		fault(&w, cases[i].action, cases[i].nth, cases[i].kind);
		run(&w, ECS_SWEEP_FULL);
		assert_false(w.complete);
		CHECK_ROW(w.answered == cases[i].answered, i, w.err.msg);
		assert_int_equal(w.facts->n_tasks, 2);
		assert_null(fact(&w, 0)->definition);
		assert_int_equal(fact(&w, 1)->definition->revision, 2);
		/* That it is missing is no reason for WATCH to ask; FULL does. */
		fault(&w, cases[i].action, cases[i].nth, FAKE_NONE);
		run(&w, ECS_SWEEP_WATCH);
		assert_true(w.complete);
		assert_int_equal(w.ecs.describes + w.ecs.defines, 0);
		run(&w, ECS_SWEEP_FULL);
		assert_int_equal(w.ecs.defines, 1);
		assert_true(w.complete);
		assert_true(w.changed);
		assert_int_equal(fact(&w, 0)->definition->revision, 1);
		world_done(&w);
	}
}

static void
a_small_cache_does_not_take_definitions_from_tasks(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 30);
	taskdef_cache_free(w.definitions);
	w.definitions = taskdef_cache_new(2);
	for (size_t i = 0; i < 30; i++)
		w.ecs.tasks[i].definition = (unsigned)i + 1;
	run(&w, ECS_SWEEP_FULL);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(fact(&w, i)->definition->revision, i + 1);
	run(&w, ECS_SWEEP_FULL);
	assert_int_equal(w.ecs.defines, 0);
	for (size_t i = 0; i < 30; i++)
		w.ecs.tasks[i].version++;
	run(&w, ECS_SWEEP_FULL); /* news, of the same revision */
	assert_true(w.changed);
	assert_int_equal(w.ecs.defines, 0);
	assert_int_equal(fact(&w, 3)->definition->revision, 4);
	world_done(&w);
}

/* ---- a service that is down ---- */

static void
a_dead_service_is_not_asked_to_the_end(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1000);
	run(&w, ECS_SWEEP_FULL);
	for (size_t i = 0; i < 1000; i++)
		w.ecs.tasks[i].definition = (unsigned)i + 2;
	fault(&w, "DescribeTasks", 0, FAKE_UNREACHABLE);
	{
		struct ecs_sweep_start start = {
			.kind = ECS_SWEEP_FULL, .cluster = STR("prod"), .before = w.facts, .definitions = w.definitions
		};
		struct buf out = buf_make((size_t)8 << 20);
		struct ecs_sweep_ask ask;
		struct ecs_sweep *s;

		assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
		w.ecs.describes = 0;
		while (ecs_sweep_next(s, &ask)) { /* one at a time */
			struct err e = ERR_INIT;

			if (fake_ecs_answer(&w.ecs, ask.action, ask.body, &out, &e) != ERR_OK)
				ecs_sweep_failed(s, ask.id, &e);
			else
				assert_int_equal(ecs_sweep_answer(s, ask.id, buf_str(&out), T0, &e), ERR_OK);
		}
		assert_true(ecs_sweep_finished(s));
		assert_int_equal(w.ecs.describes, ECS_SWEEP_FAILURES_MAX);
		ecs_sweep_free(s);
		buf_free(&out);
	}
	world_done(&w);
}

/* Asks one by one for as many definitions; every nth call for one fails so. */
static unsigned
count_asked(unsigned n_definitions, unsigned nth, enum err_code code)
{
	struct ecs_sweep_start start = { .kind = ECS_SWEEP_FULL, .cluster = STR("prod") };
	struct buf out = buf_make((size_t)8 << 20);
	struct ecs_sweep_ask ask;
	struct ecs_sweep *s;
	struct world w;
	unsigned n = 0;

	world_init(&w, n_definitions);
	for (unsigned i = 0; i < n_definitions; i++)
		w.ecs.tasks[i].definition = i + 1;
	start.definitions = w.definitions;
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	while (ecs_sweep_next(s, &ask)) {
		bool fails = strcmp(ask.action, "DescribeTaskDefinition") == 0 && ++n % nth == 0;
		struct err e = ERR_INIT;

		assert_int_equal(fake_ecs_answer(&w.ecs, ask.action, ask.body, &out, &e), ERR_OK);
		err_fill(&e, code, 0, "no");
		if (fails)
			ecs_sweep_failed(s, ask.id, &e);
		else
			assert_int_equal(ecs_sweep_answer(s, ask.id, buf_str(&out), T0, &e), ERR_OK);
	}
	assert_true(ecs_sweep_finished(s));
	ecs_sweep_free(s);
	buf_free(&out);
	world_done(&w);
	return n;
}

static void
only_failures_in_a_row_that_are_the_services_end_the_asking(void **state)
{
	(void)state;
	assert_int_equal(count_asked(20, 1, ERR_TIMEOUT), ECS_SWEEP_FAILURES_MAX);
	assert_int_equal(count_asked(20, 1, ERR_AUTH), ECS_SWEEP_FAILURES_MAX);
	assert_int_equal(count_asked(20, 1, ERR_REFUSED), 20); /* each for itself */
	assert_int_equal(count_asked(20, 2, ERR_TIMEOUT), 20); /* others are answered in between */
}

static void
endless_pages_end(void **state)
{
	struct ecs_sweep_start start = { .kind = ECS_SWEEP_WATCH, .cluster = STR("prod") };
	struct ecs_sweep_result result;
	struct ecs_sweep_ask ask;
	struct ecs_sweep *s;
	unsigned pages = 0;

	(void)state;
	start.definitions = taskdef_cache_new(1);
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	while (ecs_sweep_next(s, &ask)) {
		char json[80];

		(void)snprintf(json, sizeof(json), "{\"taskArns\":[],\"nextToken\":\"%u\"}", ++pages);
		(void)ecs_sweep_answer(s, ask.id, str_from_cstr(json), T0, NULL);
	}
	assert_int_equal(pages, ECS_SWEEP_PAGES_MAX);
	assert_true(ecs_sweep_finished(s));
	assert_int_equal(ecs_sweep_result(s, T0, &result, NULL), ERR_OK);
	assert_false(result.complete);
	assert_null(result.facts);
	ecs_sweep_free(s);
	taskdef_cache_free(start.definitions);
	ecs_sweep_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_pass_lists_describes_and_defines),
		cmocka_unit_test(what_has_not_changed_is_the_same_object),
		cmocka_unit_test(what_is_ending_is_asked_for_first_and_told_at_once),
		cmocka_unit_test(who_joins_is_told_with_who_ends),
		cmocka_unit_test(a_full_pass_may_come_in_parts),
		cmocka_unit_test(an_unreadable_task_costs_nobody_else),
		cmocka_unit_test(where_no_answer_is_a_document_no_task_is_blamed),
		cmocka_unit_test(answers_may_come_in_any_order),
		cmocka_unit_test(requests_are_what_ecs_documents),
		cmocka_unit_test(the_same_task_listed_twice_is_one),
		cmocka_unit_test(an_empty_cluster_is_a_complete_answer),
		cmocka_unit_test(watch_describes_what_is_of_interest_and_nothing_else),
		cmocka_unit_test(watch_meets_new_tasks_and_reads_their_definition_once),
		cmocka_unit_test(an_ended_task_keeps_its_last_known_address),
		cmocka_unit_test(a_task_that_is_stopped_is_seen_at_the_next_watch),
		cmocka_unit_test(a_stopped_task_gets_no_definition_unless_it_is_held),
		cmocka_unit_test(a_task_that_was_told_to_stop_unseen_is_met_by_its_id),
		cmocka_unit_test(one_that_is_known_or_listed_is_not_sought),
		cmocka_unit_test(one_that_nobody_has_heard_of_stays_unknown),
		cmocka_unit_test(who_is_sought_costs_a_call_for_a_hundred_and_comes_first),
		cmocka_unit_test(the_end_of_one_that_is_sought_is_proof_whatever_the_list_is),
		cmocka_unit_test(a_foreign_answer_about_one_that_is_sought_is_not_taken),
		cmocka_unit_test(no_fault_takes_a_task_away),
		cmocka_unit_test(a_list_that_breaks_off_makes_nothing_vanish),
		cmocka_unit_test(an_empty_list_alone_is_no_evidence),
		cmocka_unit_test(nobody_is_missing_while_nobody_proves_the_account),
		cmocka_unit_test(a_cluster_without_tasks_says_who_it_is_before_any_is_missing),
		cmocka_unit_test(a_cluster_that_calls_one_that_is_sought_missing_says_who_it_is),
		cmocka_unit_test(the_missing_that_are_served_are_asked_about_until_there_is_proof),
		cmocka_unit_test(nothing_of_a_foreign_pass_is_taken),
		cmocka_unit_test(an_answer_of_two_clusters_is_nobodys),
		cmocka_unit_test(the_account_and_cluster_of_earlier_passes_hold),
		cmocka_unit_test(missing_twice_is_the_end_and_once_is_not),
		cmocka_unit_test(being_described_again_resets_missing),
		cmocka_unit_test(one_that_was_gone_and_is_listed_again_is_back),
		cmocka_unit_test(missing_does_not_count_while_listed_or_while_the_list_is_partial),
		cmocka_unit_test(missing_does_not_count_in_a_pass_of_which_a_call_failed),
		cmocka_unit_test(trouble_with_a_task_is_not_missing),
		cmocka_unit_test(old_news_is_passed_over),
		cmocka_unit_test(ended_tasks_are_kept_an_hour_and_as_long_as_they_are_held),
		cmocka_unit_test(a_definition_that_cannot_be_read_costs_nobody_else),
		cmocka_unit_test(a_small_cache_does_not_take_definitions_from_tasks),
		cmocka_unit_test(a_dead_service_is_not_asked_to_the_end),
		cmocka_unit_test(only_failures_in_a_row_that_are_the_services_end_the_asking),
		cmocka_unit_test(endless_pages_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
