/*
 * Events of the queue: what is read of a message, what is refused, and what an event may
 * do to the facts.  The last test plays a day of them, and ends as if there had been none.
 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/prng.h"
#include "ecs/ecs_event.h"
#include "ecs/ecs_sweep.h"
#include "ecs/ecs_told.h"
#include "fake_ecs.h"
#include "unit.h"

#define T0      INT64_C(1700000000000)
#define CLUSTER FAKE_ECS_PREFIX "cluster/prod"
#define TASK    FAKE_ECS_PREFIX "task/prod/0123456789abcdef0123456789abcdef"

static struct arena *
new_arena(void)
{
	struct arena *a = arena_new((size_t)16 << 20);

	assert_non_null(a);
	return a;
}

/* An event; each text may be another than it should be. */
struct wording {
	const char *source, *type, *account, *region, *cluster, *task, *last, *desired, *more;
	unsigned version;
};

static const struct wording plain = {
	.source = "aws.ecs",
	.type = "ECS Task State Change",
	.account = FAKE_ECS_ACCOUNT,
	.region = "eu-west-1",
	.cluster = CLUSTER,
	.task = TASK,
	.last = "RUNNING",
	.desired = "STOPPED",
	.more = "",
	.version = 5,
};

static void
put_event(struct buf *out, const struct wording *w)
{
	buf_reset(out);
	buf_printf(out,
	    "{\"version\":\"0\",\"id\":\"1\",\"source\":\"%s\",\"detail-type\":\"%s\",\"account\":\"%s\",\"region\":"
	    "\"%s\",\"time\":\"2023-11-14T22:13:20Z\",\"detail\":{\"clusterArn\":\"%s\",\"taskArn\":\"%s\",",
	    w->source, w->type, w->account, w->region, w->cluster, w->task);
	buf_printf(out,
	    "\"taskDefinitionArn\":\"" FAKE_ECS_PREFIX "task-definition/shop:1\",\"group\":\"service:shop\","
	    "\"lastStatus\":\"%s\",\"desiredStatus\":\"%s\",\"version\":%u%s}}",
	    w->last, w->desired, w->version, w->more);
	assert_int_equal(buf_failed(out, NULL), ERR_OK);
}

static enum err_code
read_wording(struct arena *a, const struct wording *w, struct ecs_event *ret, struct err *e)
{
	struct buf text = buf_make(ECS_EVENT_MAX);
	enum err_code code;

	put_event(&text, w);
	code = ecs_event_read(a, buf_str(&text), ret, e);
	buf_free(&text);
	return code;
}

/* ---- reading ---- */

static json_t *
load_documented(void)
{
	const char *given = getenv("ROLLCALL_VECTORS"), *top = getenv("top_srcdir");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s%s/aws/eventbridge-ecs-task-state-change.json",
	    given != NULL ? given
	    : top != NULL ? top
			  : ".",
	    given != NULL ? "" : "/../shared/vectors");
	return json_load_file(path, 0, NULL);
}

static void
check_documented(struct str body)
{
	struct arena *a = new_arena();
	struct ecs_event event;

	assert_int_equal(ecs_event_read(a, body, &event, NULL), ERR_OK);
	assert_true(event.is_of_task);
	assert_int_equal(event.time_ms, INT64_C(1579802278000));
	assert_str(event.cluster_arn, "arn:aws:ecs:us-west-2:111122223333:cluster/FargateCluster");
	assert_str(event.task.id, "c13b4cb40f1f4fe4a2971f76ae5a47ad");
	assert_int_equal(event.task.last_status, ROSTER_RUNNING);
	assert_int_equal(event.task.desired_status, ROSTER_RUNNING);
	assert_int_equal(event.task.version, 4);
	assert_int_equal(event.task.started_ms, INT64_C(1579802278103));
	assert_int_equal(event.task.n_containers, 1);
	assert_str(event.task.containers[0].ipv4, "10.0.0.139");
	assert_str(event.task.subnet, "subnet-abcd1234");
	arena_free(a);
}

static void
the_documented_event_is_read_bare_and_wrapped_by_sns(void **state)
{
	json_t *doc = load_documented(), *wrapped;
	char *text;

	(void)state;
	if (doc == NULL)
		skip();
	text = json_dumps(doc, JSON_COMPACT);
	check_documented(str_from_cstr(text));
	wrapped = json_pack("{s:s, s:s, s:s}", "Type", "Notification", "TopicArn",
	    "arn:aws:sns:us-west-2:111122223333:rollcall", "Message", text);
	free(text);
	text = json_dumps(wrapped, 0);
	check_documented(str_from_cstr(text));
	free(text);
	json_decref(wrapped);
	json_decref(doc);
}

static void
an_address_is_found_in_an_eni_attachment(void **state)
{
	struct arena *a = new_arena();
	struct wording w = plain;
	struct ecs_event event;

	(void)state;
	w.more = ",\"containers\":[{\"name\":\"web\"}],\"attachments\":[{\"type\":\"eni\",\"details\":[{\"name\":"
		 "\"privateIPv4Address\",\"value\":\"10.9.8.7\"}]}]";
	assert_int_equal(read_wording(a, &w, &event, NULL), ERR_OK);
	assert_str(event.task.containers[0].ipv4, "10.9.8.7");
	arena_free(a);
}

static void
what_is_no_task_state_change_is_no_fault(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"{\"source\":\"aws.ec2\",\"detail-type\":\"ECS Task State Change\"}",
		"{\"source\":\"aws.ecs\",\"detail-type\":\"ECS Deployment State Change\",\"detail\":{\"a\":1}}",
		"{\"Type\":\"SubscriptionConfirmation\",\"TopicArn\":\"arn:aws:sns:eu-west-1:1:t\",\"Message\":\"hi\"}",
		"{\"Type\":\"Notification\",\"TopicArn\":\"arn:aws:sns:eu-west-1:1:t\",\"Message\":\"\"}",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bodies); i++) {
		struct arena *a = new_arena();
		struct ecs_event event;
		struct err e = ERR_INIT;

		CHECK_ROW(ecs_event_read(a, str_from_cstr(bodies[i]), &event, &e) == ERR_OK, i, e.msg);
		CHECK_ROW(!event.is_of_task, i, bodies[i]);
		arena_free(a);
	}
}

static void
hostile_bodies_are_refused_with_a_reason(void **state)
{
	static const char *const bodies[] = {
		"",
		"x",
		"[]",
		"{\"source\":7}",
		"{\"source\":\"aws.ecs\",\"detail-type\":\"ECS Task State Change\"}",
		"{\"source\":\"aws.ecs\",\"detail-type\":\"ECS Task State Change\",\"detail\":[]}",
		"{\"source\":\"aws.ecs\",\"detail-type\":\"ECS Task State Change\",\"detail\":{}}",
		"{\"Type\":\"Notification\",\"TopicArn\":\"arn:aws:sns:eu-west-1:1:t\",\"Message\":\"no event\"}",
		"{\"Type\":\"Notification\",\"TopicArn\":\"arn:aws:sns:eu-west-1:1:t\",\"Message\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bodies); i++) {
		struct arena *a = new_arena();
		struct ecs_event event;
		struct err e = ERR_INIT;

		CHECK_ROW(ecs_event_read(a, str_from_cstr(bodies[i]), &event, &e) == ERR_PARSE, i, bodies[i]);
		CHECK_ROW(e.msg[0] != '\0', i, bodies[i]);
		arena_free(a);
	}
}

static void
an_event_that_is_cut_anywhere_is_refused(void **state)
{
	struct buf text = buf_make(ECS_EVENT_MAX);
	struct arena *a = new_arena();
	struct ecs_event event;

	(void)state;
	put_event(&text, &plain);
	for (size_t n = 0; n < text.len; n++)
		assert_int_equal(ecs_event_read(a, str_first(buf_str(&text), n), &event, NULL), ERR_PARSE);
	assert_int_equal(ecs_event_read(a, buf_str(&text), &event, NULL), ERR_OK);
	buf_free(&text);
	arena_free(a);
}

static void
one_that_contradicts_itself_about_where_it_is_from_is_refused(void **state)
{
	struct wording w[6];
	struct ecs_event event;

	(void)state;
	for (size_t i = 0; i < N_OF(w); i++)
		w[i] = plain;
	w[0].account = "999999999999";
	w[1].region = "eu-west-2";
	w[2].cluster = "arn:aws:ecs:eu-west-1:999999999999:cluster/prod";
	w[3].cluster = FAKE_ECS_PREFIX "cluster/other";
	w[4].task = "arn:aws:ecs:eu-west-2:" FAKE_ECS_ACCOUNT ":task/prod/0123456789abcdef0123456789abcdef";
	w[5].cluster = "prod";
	for (size_t i = 0; i < N_OF(w); i++) {
		struct arena *a = new_arena();

		CHECK_ROW(read_wording(a, &w[i], &event, NULL) == ERR_PARSE, i, w[i].cluster);
		arena_free(a);
	}
}

static void
only_the_cluster_that_is_watched_is_meant(void **state)
{
	struct arena *a = new_arena();
	struct ecs_event event;

	(void)state;
	assert_int_equal(read_wording(a, &plain, &event, NULL), ERR_OK);
	assert_true(ecs_told_is_of(&event, STR(FAKE_ECS_ACCOUNT), STR(CLUSTER)));
	assert_false(ecs_told_is_of(&event, STR("999999999999"), STR(CLUSTER)));
	assert_false(ecs_told_is_of(&event, STR(FAKE_ECS_ACCOUNT), STR(FAKE_ECS_PREFIX "cluster/other")));
	assert_false(ecs_told_is_of(&event, STR(""), STR(""))); /* nobody has told yet which it is */
	arena_free(a);
}

/* ---- what it does ---- */

static struct roster_task
task_of(enum roster_status last, enum roster_status desired, uint64_t version)
{
	return (struct roster_task){
		.arn = STR(TASK),
		.id = STR("0123456789abcdef0123456789abcdef"),
		.definition_arn = STR(FAKE_ECS_PREFIX "task-definition/shop:1"),
		.last_status = last,
		.desired_status = desired,
		.version = version,
	};
}

static void
an_event_is_judged_by_version_and_by_the_life_of_a_task(void **state)
{
	static const struct {
		enum roster_status last, desired;
		uint64_t version;
		enum ecs_told_verdict want;
	} rows[] = { /* of a task that is RUNNING in version 4 */
		{ ROSTER_RUNNING, ROSTER_RUNNING, 4, ECS_TOLD_NOTHING },
		{ ROSTER_RUNNING, ROSTER_RUNNING, 5, ECS_TOLD_ASK },
		{ ROSTER_RUNNING, ROSTER_STOPPED, 5, ECS_TOLD_END },
		{ ROSTER_RUNNING, ROSTER_STOPPED, 4, ECS_TOLD_END },
		{ ROSTER_RUNNING, ROSTER_STOPPED, 3, ECS_TOLD_NOTHING }, /* older */
		{ ROSTER_RUNNING, ROSTER_STOPPED, 0, ECS_TOLD_END },
		{ ROSTER_DEACTIVATING, ROSTER_RUNNING, 5, ECS_TOLD_END },
		{ ROSTER_STOPPED, ROSTER_STOPPED, 9, ECS_TOLD_END },
		{ ROSTER_PENDING, ROSTER_RUNNING, 3, ECS_TOLD_NOTHING },
		{ ROSTER_UNKNOWN, ROSTER_UNKNOWN, 9, ECS_TOLD_ASK }
	};
	struct roster_task known = task_of(ROSTER_RUNNING, ROSTER_RUNNING, 4);
	struct roster_facts *facts;

	(void)state;
	assert_int_equal(roster_facts_make(&known, 1, 1 << 20, &facts, NULL), ERR_OK);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct roster_task told = task_of(rows[i].last, rows[i].desired, rows[i].version);

		CHECK_ROW(ecs_told_judge(facts, &told) == rows[i].want, i, "");
		if (rows[i].want != ECS_TOLD_END)
			continue;
		told.definition_arn = STR(FAKE_ECS_PREFIX "task-definition/shop:2");
		CHECK_ROW(ecs_told_judge(facts, &told) == ECS_TOLD_ASK, i, "of another definition");
		told.arn = STR(FAKE_ECS_PREFIX "task/prod/ffffffffffffffffffffffffffffffff");
		CHECK_ROW(ecs_told_judge(facts, &told) == ECS_TOLD_NOTHING, i, "of one that nobody knows");
	}
	roster_facts_unref(facts);
}

static void
an_end_changes_the_status_and_nothing_else(void **state)
{
	const struct roster_container container = { .name = STR("web"), .ipv4 = STR("10.0.0.1") };
	struct roster_task known = task_of(ROSTER_RUNNING, ROSTER_RUNNING, 4), told[2];
	struct roster_facts *facts, *now;
	const struct roster_task *t;

	(void)state;
	known.containers = &container;
	known.n_containers = 1;
	known.listed = true;
	told[0] = task_of(ROSTER_STOPPED, ROSTER_STOPPED, 7);
	told[1] = task_of(ROSTER_RUNNING, ROSTER_STOPPED, 5); /* late */
	told[0].stop_code = STR("SpotInterruption");
	assert_int_equal(roster_facts_make(&known, 1, 1 << 20, &facts, NULL), ERR_OK);
	assert_int_equal(ecs_told_apply(facts, told, 2, T0, &now, NULL), ERR_OK);
	t = &now->tasks[0];
	assert_int_equal(t->last_status, ROSTER_STOPPED);
	assert_int_equal(t->desired_status, ROSTER_STOPPED);
	assert_int_equal(t->version, 7);
	assert_str(t->stop_code, "SpotInterruption");
	assert_int_equal(t->ended_wall_ms, T0);
	assert_int_equal(t->described_wall_ms, T0);
	assert_true(t->is_by_event);
	assert_str(t->containers[0].ipv4, "10.0.0.1");
	assert_int_equal(facts->tasks[0].last_status, ROSTER_RUNNING);
	roster_facts_unref(facts);
	assert_int_equal(ecs_told_apply(now, told, 2, T0, &facts, NULL), ERR_OK);
	assert_ptr_equal(facts, now); /* twice is once */
	roster_facts_unref(facts);
	roster_facts_unref(now);
}

static void
the_end_of_one_that_was_merely_missing_is_proof(void **state)
{
	struct roster_task known = task_of(ROSTER_RUNNING, ROSTER_RUNNING, 4), told;
	struct roster_facts *facts, *stopping, *stopped;

	(void)state;
	known.missing = 2;
	known.ended_wall_ms = T0;
	assert_int_equal(roster_facts_make(&known, 1, 1 << 20, &facts, NULL), ERR_OK);
	told = task_of(ROSTER_RUNNING, ROSTER_RUNNING, 4);
	assert_int_equal(ecs_told_judge(facts, &told), ECS_TOLD_NOTHING);
	told = task_of(ROSTER_RUNNING, ROSTER_RUNNING, 5);
	assert_int_equal(ecs_told_judge(facts, &told), ECS_TOLD_ASK);
	told = task_of(ROSTER_RUNNING, ROSTER_STOPPED, 5);
	assert_int_equal(ecs_told_apply(facts, &told, 1, T0 + 1000, &stopping, NULL), ERR_OK);
	assert_int_equal(stopping->tasks[0].desired_status, ROSTER_STOPPED);
	assert_int_equal(stopping->tasks[0].missing, 0);
	assert_int_equal(stopping->tasks[0].ended_wall_ms, 0);
	told = task_of(ROSTER_STOPPED, ROSTER_STOPPED, 6);
	assert_int_equal(ecs_told_apply(stopping, &told, 1, T0 + 2000, &stopped, NULL), ERR_OK);
	assert_int_equal(stopped->tasks[0].ended_wall_ms, T0 + 2000);
	told.version = 9;
	assert_int_equal(ecs_told_judge(stopped, &told), ECS_TOLD_NOTHING);
	roster_facts_unref(stopped);
	roster_facts_unref(stopping);
	roster_facts_unref(facts);
}

static void
a_late_word_of_a_stop_takes_nothing_back(void **state)
{
	struct roster_task known = task_of(ROSTER_DEACTIVATING, ROSTER_RUNNING, 4);
	struct roster_task told = task_of(ROSTER_RUNNING, ROSTER_STOPPED, 4);
	struct roster_facts *facts, *now;

	(void)state;
	assert_int_equal(roster_facts_make(&known, 1, 1 << 20, &facts, NULL), ERR_OK);
	assert_int_equal(ecs_told_apply(facts, &told, 1, T0, &now, NULL), ERR_OK);
	assert_int_equal(now->tasks[0].desired_status, ROSTER_STOPPED);
	assert_int_equal(now->tasks[0].last_status, ROSTER_DEACTIVATING);
	roster_facts_unref(now);
	roster_facts_unref(facts);
}

/* ---- events and sweeps together ---- */

struct day {
	struct fake_ecs ecs;
	struct taskdef_cache *definitions;
	struct roster_facts *facts;
	struct prng rnd;
	int64_t wall_ms;
	struct ecs_sought_task named[64]; /* ids borrow the tasks of ecs */
	size_t n_named;
	unsigned ends, asks; /* what came of the events */
};

#define DAY_TASKS  3000
#define DAY_EVENTS 10000
#define DAY_WINDOW 40 /* events that may overtake one another */

static void
day_init(struct day *d, size_t n)
{
	*d = (struct day){ .wall_ms = T0, .rnd = prng_make(20231114) };
	fake_ecs_init(&d->ecs, n);
	d->definitions = taskdef_cache_new(TASKDEF_CACHE_MAX);
	assert_non_null(d->definitions);
}

static void
day_done(struct day *d)
{
	roster_facts_unref(d->facts);
	taskdef_cache_free(d->definitions);
	fake_ecs_free(&d->ecs);
}

static unsigned
below(struct day *d, unsigned n)
{
	return (unsigned)((uint64_t)prng_next(&d->rnd) * n >> 32);
}

static void
answer_all(struct day *d, struct ecs_sweep *s)
{
	struct buf out = buf_make((size_t)8 << 20);
	struct ecs_sweep_ask ask;

	while (!ecs_sweep_finished(s)) {
		assert_true(ecs_sweep_next(s, &ask));
		assert_int_equal(fake_ecs_answer(&d->ecs, ask.action, ask.body, &out, NULL), ERR_OK);
		assert_int_equal(ecs_sweep_answer(s, ask.id, buf_str(&out), d->wall_ms, NULL), ERR_OK);
	}
	buf_free(&out);
}

static void
sweep(struct day *d, enum ecs_sweep_kind kind)
{
	struct ecs_sought named = { .n = 0 };
	struct ecs_sweep_start start = {
		.kind = kind,
		.cluster = STR("prod"),
		.account = STR(FAKE_ECS_ACCOUNT),
		.cluster_arn = STR(CLUSTER),
		.before = d->facts,
		.definitions = d->definitions,
		.named = &named,
	};
	struct ecs_sweep_result result;
	struct ecs_sweep *s;

	if (kind == ECS_SWEEP_NAMED)
		assert_int_equal(ecs_sought_make(d->named, d->n_named, &named, NULL), ERR_OK);
	d->wall_ms += 1000;
	assert_int_equal(ecs_sweep_new(&start, &s, NULL), ERR_OK);
	answer_all(d, s);
	assert_int_equal(ecs_sweep_result(s, d->wall_ms, &result, NULL), ERR_OK);
	assert_true(result.complete);
	roster_facts_unref(d->facts);
	d->facts = result.facts;
	ecs_sweep_free(s);
	ecs_sought_free(&named);
	if (kind == ECS_SWEEP_NAMED)
		d->n_named = 0;
}

/* What was so when it was sent. */
struct sent {
	size_t task;
	const char *last, *desired;
	unsigned version;
};

static void
deliver(struct day *d, const struct sent *sent)
{
	struct fake_task *task = &d->ecs.tasks[sent->task];
	struct arena *a = new_arena();
	struct wording w = plain;
	struct roster_facts *now;
	struct ecs_event event;
	char arn[128];

	fake_ecs_arn(task, arn);
	w.task = arn;
	w.last = sent->last;
	w.desired = sent->desired;
	w.version = sent->version;
	assert_int_equal(read_wording(a, &w, &event, NULL), ERR_OK);
	switch (ecs_told_judge(d->facts, &event.task)) {
	case ECS_TOLD_NOTHING:
		break;
	case ECS_TOLD_ASK:
		d->asks++;
		d->named[d->n_named++] = (struct ecs_sought_task){ .id = str_from_cstr(task->id), .arn = STR("") };
		break;
	case ECS_TOLD_END:
		d->ends++;
		assert_int_equal(ecs_told_apply(d->facts, &event.task, 1, d->wall_ms, &now, NULL), ERR_OK);
		roster_facts_unref(d->facts);
		d->facts = now;
		break;
	}
	if (d->n_named == N_OF(d->named))
		sweep(d, ECS_SWEEP_NAMED);
	arena_free(a);
}

/* The next step in the life of a task. */
static void
live(struct fake_task *t)
{
	static const struct {
		const char *last, *desired;
	} life[] = {
		{ "PROVISIONING", "RUNNING" },
		{ "PENDING", "RUNNING" },
		{ "ACTIVATING", "RUNNING" },
		{ "RUNNING", "RUNNING" },
		{ "RUNNING", "STOPPED" },
		{ "STOPPING", "STOPPED" },
		{ "DEPROVISIONING", "STOPPED" },
		{ "STOPPED", "STOPPED" },
	};
	const unsigned at = t->version < N_OF(life) ? t->version : N_OF(life) - 1;

	t->last = life[at].last;
	t->desired = life[at].desired;
	t->has_address = at >= 1;
	t->forgotten = false;
	t->version++;
}

/* Nobody is said to end who does not. */
static void
check_nobody_slandered(const struct day *d)
{
	for (size_t i = 0; i < d->ecs.n_tasks; i++) {
		char arn[128];
		const struct roster_task *t;

		fake_ecs_arn(&d->ecs.tasks[i], arn);
		t = roster_facts_find(d->facts, str_from_cstr(arn));
		if (t != NULL && (t->desired_status == ROSTER_STOPPED || t->ended_wall_ms != 0))
			assert_string_equal(d->ecs.tasks[i].desired, "STOPPED");
	}
}

/* One event in twenty is lost, one in ten comes twice, and all within a window overtake
 * one another. */
static void
play_day(struct day *d)
{
	static struct sent window[DAY_WINDOW];
	size_t first = 0, n_window = 0, n_sent = 0;

	while (n_sent < DAY_EVENTS) {
		size_t i = first + below(d, DAY_TASKS - first < 200 ? (unsigned)(DAY_TASKS - first) : 200);
		struct fake_task *t = &d->ecs.tasks[i];

		while (first + 1 < DAY_TASKS && d->ecs.tasks[first].version >= 8)
			first++;
		live(t);
		for (unsigned copies = below(d, 20) == 0 ? 0 : below(d, 10) == 0 ? 2 : 1; copies > 0; copies--) {
			struct sent *place = &window[below(d, DAY_WINDOW)];

			n_sent++;
			if (n_window++ >= DAY_WINDOW)
				deliver(d, place);
			*place =
			    (struct sent){ .task = i, .last = t->last, .desired = t->desired, .version = t->version };
		}
		if (below(d, 100) == 0)
			sweep(d, ECS_SWEEP_WATCH);
		if (below(d, 700) == 0)
			sweep(d, ECS_SWEEP_FULL);
		if (below(d, 500) == 0)
			check_nobody_slandered(d);
	}
}

static bool
is_over(const struct roster_task *t)
{
	return t->ended_wall_ms != 0 || t->desired_status == ROSTER_STOPPED;
}

static void
check_same_roster(const struct roster_facts *got, const struct roster_facts *want)
{
	for (size_t i = 0; i < want->n_tasks; i++) {
		const struct roster_task *t = roster_facts_find(got, want->tasks[i].arn);

		assert_non_null(t);
		assert_true(roster_task_same(t, &want->tasks[i]));
		assert_int_equal(t->listed, want->tasks[i].listed);
		assert_false(t->is_by_event);
		assert_ptr_not_equal(t->definition, NULL);
	}
	for (size_t i = 0; i < got->n_tasks; i++)
		if (roster_facts_find(want, got->tasks[i].arn) == NULL)
			assert_true(is_over(&got->tasks[i]));
}

static void
a_day_of_events_ends_in_the_roster_of_a_clean_sweep(void **state)
{
	static struct day d, clean;

	(void)state;
	day_init(&d, DAY_TASKS);
	for (size_t i = 0; i < DAY_TASKS; i++) {
		d.ecs.tasks[i].version = 0;
		d.ecs.tasks[i].forgotten = true; /* not run yet */
	}
	sweep(&d, ECS_SWEEP_FULL);
	play_day(&d);
	check_nobody_slandered(&d);
	assert_true(d.ends > 500 && d.asks > 500);
	sweep(&d, ECS_SWEEP_FULL);
	sweep(&d, ECS_SWEEP_FULL);
	day_init(&clean, 0);
	fake_ecs_free(&clean.ecs);
	clean.ecs = d.ecs;
	sweep(&clean, ECS_SWEEP_FULL);
	check_same_roster(d.facts, clean.facts);
	clean.ecs = (struct fake_ecs){ .n_tasks = 0 };
	day_done(&clean);
	day_done(&d);
}

static void
who_is_named_is_asked_about_without_a_list_and_may_serve(void **state)
{
	struct day d;
	char arn[128];

	(void)state;
	day_init(&d, 300);
	d.ecs.tasks[7].forgotten = true;
	sweep(&d, ECS_SWEEP_FULL);
	fake_ecs_arn(&d.ecs.tasks[7], arn);
	assert_null(roster_facts_find(d.facts, str_from_cstr(arn)));
	d.ecs.tasks[7].forgotten = false;
	d.ecs.lists = d.ecs.describes = 0;
	d.ecs.described = 0;
	deliver(&d, &(struct sent){ .task = 7, .last = "RUNNING", .desired = "RUNNING", .version = 3 });
	deliver(&d, &(struct sent){ .task = 8, .last = "RUNNING", .desired = "RUNNING", .version = 9 });
	assert_int_equal(d.n_named, 2);
	sweep(&d, ECS_SWEEP_NAMED);
	assert_int_equal(d.ecs.lists, 0);
	assert_int_equal(d.ecs.describes, 1);
	assert_int_equal(d.ecs.described, 2);
	assert_true(roster_facts_find(d.facts, str_from_cstr(arn))->listed);
	assert_non_null(roster_facts_find(d.facts, str_from_cstr(arn))->definition);
	day_done(&d);
}

static void
an_end_that_ecs_denies_for_a_while_was_none(void **state)
{
	const struct sent forged = { .task = 1, .last = "STOPPED", .desired = "STOPPED", .version = 4000000000 };
	const struct roster_task *t;
	struct day d;
	char arn[128];

	(void)state;
	day_init(&d, 3);
	sweep(&d, ECS_SWEEP_FULL);
	fake_ecs_arn(&d.ecs.tasks[1], arn);
	deliver(&d, &forged);
	sweep(&d, ECS_SWEEP_FULL);
	t = roster_facts_find(d.facts, str_from_cstr(arn));
	assert_int_equal(t->desired_status, ROSTER_STOPPED); /* the replica may lag */
	d.wall_ms += ECS_TOLD_OUTVOTED_MS;
	sweep(&d, ECS_SWEEP_FULL);
	t = roster_facts_find(d.facts, str_from_cstr(arn));
	assert_int_equal(t->desired_status, ROSTER_RUNNING);
	assert_int_equal(t->version, 3);
	assert_int_equal(t->ended_wall_ms, 0);
	assert_false(t->is_by_event);
	deliver(&d, &forged); /* and is not believed again, but asked about */
	assert_int_equal(d.n_named, 1);
	t = roster_facts_find(d.facts, str_from_cstr(arn));
	assert_int_equal(t->desired_status, ROSTER_RUNNING);
	sweep(&d, ECS_SWEEP_FULL);
	deliver(&d, &forged);
	assert_int_equal(roster_facts_find(d.facts, str_from_cstr(arn))->desired_status, ROSTER_RUNNING);
	day_done(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_documented_event_is_read_bare_and_wrapped_by_sns),
		cmocka_unit_test(an_address_is_found_in_an_eni_attachment),
		cmocka_unit_test(what_is_no_task_state_change_is_no_fault),
		cmocka_unit_test(hostile_bodies_are_refused_with_a_reason),
		cmocka_unit_test(an_event_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(one_that_contradicts_itself_about_where_it_is_from_is_refused),
		cmocka_unit_test(only_the_cluster_that_is_watched_is_meant),
		cmocka_unit_test(an_event_is_judged_by_version_and_by_the_life_of_a_task),
		cmocka_unit_test(an_end_changes_the_status_and_nothing_else),
		cmocka_unit_test(the_end_of_one_that_was_merely_missing_is_proof),
		cmocka_unit_test(a_late_word_of_a_stop_takes_nothing_back),
		cmocka_unit_test(a_day_of_events_ends_in_the_roster_of_a_clean_sweep),
		cmocka_unit_test(who_is_named_is_asked_about_without_a_list_and_may_serve),
		cmocka_unit_test(an_end_that_ecs_denies_for_a_while_was_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
