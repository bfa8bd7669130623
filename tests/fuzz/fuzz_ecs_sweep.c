/*
 * The sweep against an ECS that the bytes drive: tasks come and go, calls fail,
 * answers are cut, changed, foreign, late or lies by omission.
 *
 * Laws, after each pass: a task that was running is not ending, ended or missing
 * unless an answer of this pass named it and said so; nothing that has not ended
 * leaves the facts; versions do not go back.  And at the end, one clean pass knows
 * all there is.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "ecs/ecs_sweep.h"
#include "fuzz.h"

#define TASKS_MAX  120 /* two batches */
#define CALLS_MAX  64
#define PASSES_MAX 12
#define PREFIX     "arn:aws:ecs:r:1:"
#define ID_LEN     32

struct task {
	unsigned stage; /* 0..9: from PROVISIONING to STOPPED; from 4 on desired STOPPED */
	unsigned version;
	bool exists, unlisted, forgotten;
	bool accused; /* an answer of this pass said that it ends, has ended or is MISSING */
};

struct world {
	const uint8_t *data;
	size_t size;
	struct task tasks[TASKS_MAX];
	size_t n_tasks, page_size;
	struct taskdef_cache *definitions;
	struct ecs_hosts *hosts;
	struct roster_facts *facts;
	struct ecs_sought sought;
	int64_t wall_ms;
	bool hold;
	bool flipped; /* something untrue, and well-formed, may have been told */
};

static const struct {
	const char *last, *desired;
} stages[] = {
	{ "PROVISIONING", "RUNNING" },
	{ "PENDING", "RUNNING" },
	{ "ACTIVATING", "RUNNING" },
	{ "RUNNING", "RUNNING" },
	{ "RUNNING", "STOPPED" },
	{ "DEACTIVATING", "STOPPED" },
	{ "STOPPING", "STOPPED" },
	{ "DEPROVISIONING", "STOPPED" },
	{ "STOPPED", "STOPPED" },
	{ "DELETED", "STOPPED" },
};

static uint8_t
take(struct world *w)
{
	uint8_t byte = w->size > 0 ? w->data[0] : 0;

	w->data += w->size > 0;
	w->size -= w->size > 0;
	return byte;
}

/* ---- answers ---- */

enum spoilage {
	SOUND,
	UNREACHABLE,
	DENIED,
	CUT,
	FLIPPED,
	NOTHING,
	EMPTY,
	FOREIGN,
	ELSEWHERE,
	OLD_TOKEN,
	OMITTED,
	TROUBLE,
	MISSING,
	CONTRADICTED,
	N_SPOILAGES
};

struct answering {
	struct world *w;
	struct buf *out;
	enum spoilage fault;
};

static void
put_arn(struct answering *a, size_t i)
{
	buf_printf(a->out, "arn:aws:ecs:r:%s:task/%s/%032zx", a->fault == FOREIGN ? "2" : "1",
	    a->fault == ELSEWHERE ? "d" : "c", i);
}

static bool
is_listed(const struct task *t)
{
	return t->exists && !t->unlisted && !t->forgotten && t->stage < 4;
}

/* The number behind the last sep of the text. */
static size_t
number_after(struct str text, char sep)
{
	char digits[40] = "";
	struct str tail = str_after_last(text, sep);

	memcpy(digits, tail.ptr, tail.len < sizeof(digits) - 1 ? tail.len : sizeof(digits) - 1);
	return strtoul(digits, NULL, 16);
}

static void
answer_list(struct answering *a, struct str body)
{
	size_t at = number_after(body, '@'), from = at, n = 0;

	if (str_eq(str_after_last(body, '@'), body))
		at = from = 0;
	buf_put(a->out, STR("{\"taskArns\":["));
	for (; at < a->w->n_tasks && n < a->w->page_size && a->fault != NOTHING; at++) {
		if (!is_listed(&a->w->tasks[at]))
			continue;
		buf_put(a->out, n++ > 0 ? STR(",\"") : STR("\""));
		put_arn(a, at);
		buf_put_u8(a->out, '"');
	}
	buf_put_u8(a->out, ']');
	if (a->fault == OLD_TOKEN)
		buf_printf(a->out, ",\"nextToken\":\"@%zx\"", from);
	else if (n == a->w->page_size)
		buf_printf(a->out, ",\"nextToken\":\"@%zx\"", at);
	buf_put_u8(a->out, '}');
}

static void
put_task(struct answering *a, size_t i, unsigned stage)
{
	struct task *t = &a->w->tasks[i];

	if (a->out->ptr[a->out->len - 1] != '[')
		buf_put_u8(a->out, ',');
	buf_put(a->out, STR("{\"taskArn\":\""));
	put_arn(a, i);
	buf_printf(a->out,
	    "\",\"taskDefinitionArn\":\"" PREFIX
	    "task-definition/f:%zu\",\"lastStatus\":\"%s\",\"desiredStatus\":\"%s\","
	    "\"version\":%u,\"healthStatus\":\"%s\",\"containerInstanceArn\":\"" PREFIX
	    "container-instance/c/%zx\",\"clusterArn\":\"arn:aws:ecs:r:%s:cluster/%s\"}",
	    i % 3 + 1, stages[stage].last, stages[stage].desired, t->version, i % 2 != 0 ? "HEALTHY" : "UNKNOWN", i % 8,
	    a->fault == FOREIGN ? "2" : "1", a->fault == ELSEWHERE ? "d" : "c");
	t->accused = t->accused || stage >= 4;
}

static void
put_failure(struct buf *failures, size_t i, const char *reason)
{
	buf_printf(failures, "%s{\"arn\":\"" PREFIX "task/c/%032zx\",\"reason\":\"%s\"}", failures->len > 0 ? "," : "",
	    i, reason);
}

static void
put_one(struct answering *a, struct buf *failures, size_t i, enum spoilage fault)
{
	struct task *t = &a->w->tasks[i];

	if (fault == OMITTED)
		return;
	if (!t->exists || t->forgotten || fault == MISSING) {
		put_failure(failures, i, "MISSING");
		t->accused = true;
		return;
	}
	if (fault == TROUBLE) {
		put_failure(failures, i, "TROUBLE");
		return;
	}
	put_task(a, i, t->stage);
	if (fault == CONTRADICTED)
		put_task(a, i, 8);
}

static void
answer_describe(struct answering *a, struct str body)
{
	struct buf failures = buf_make((size_t)1 << 20);
	bool is_first = true;
	struct str part;

	buf_put(a->out, STR("{\"tasks\":["));
	while (str_next(&body, '"', &part)) {
		size_t i = number_after(part, '/');

		if ((!str_has_prefix(part, STR(PREFIX "task/")) && part.len != ID_LEN) || i >= TASKS_MAX)
			continue;
		if (a->fault != NOTHING)
			put_one(a, &failures, i, is_first ? a->fault : SOUND);
		is_first = false;
	}
	buf_put(a->out, STR("],\"failures\":["));
	buf_put(a->out, buf_str(&failures));
	buf_put(a->out, STR("]}"));
	buf_free(&failures);
}

static void
answer_definition(struct answering *a, struct str body)
{
	buf_printf(a->out,
	    "{\"taskDefinition\":{\"taskDefinitionArn\":\"" PREFIX
	    "task-definition/f:%zu\",\"containerDefinitions\":[{\"name\":\"w\",\"healthCheck\":{}}]}}",
	    number_after(body, ':') + (a->fault == OMITTED));
}

/* Who it is, asked of a cluster without tasks where some are MISSING. */
static void
answer_cluster(struct answering *a)
{
	buf_put(a->out, STR("{\"clusters\":["));
	if (a->fault != NOTHING && a->fault != OMITTED)
		buf_printf(a->out, "{\"clusterArn\":\"arn:aws:ecs:r:%s:cluster/%s\"}", a->fault == FOREIGN ? "2" : "1",
		    a->fault == ELSEWHERE ? "d" : "c");
	buf_put(a->out, STR("],\"failures\":[]}"));
}

/* Eight machines: of EC2 those with an even number, the others of ECS Anywhere. */
static void
answer_instances(struct answering *a)
{
	buf_put(a->out, STR("{\"containerInstances\":["));
	for (size_t i = a->fault == OMITTED; i < 8 && a->fault != NOTHING; i++)
		buf_printf(a->out,
		    "%s{\"containerInstanceArn\":\"" PREFIX "container-instance/c/%zx\",\"ec2InstanceId\":\"%s-%zx\"}",
		    a->out->ptr[a->out->len - 1] == '[' ? "" : ",", i, i % 2 == 0 ? "i" : "mi", i);
	buf_put(a->out, STR("]}"));
}

static void
answer_machines(struct answering *a, bool is_ec2)
{
	buf_put(a->out,
	    is_ec2 ? STR("<DescribeInstancesResponse><reservationSet>") : STR("{\"InstanceInformationList\":["));
	for (size_t i = !is_ec2; i < 8 && a->fault != NOTHING; i += 2) {
		if (is_ec2)
			buf_printf(a->out,
			    "<item><instancesSet><item><instanceId>i-%zx</instanceId><privateIpAddress>10.0.0.%zu"
			    "</privateIpAddress></item></instancesSet></item>",
			    i, i + 1);
		else
			buf_printf(a->out, "%s{\"InstanceId\":\"mi-%zx\",\"IPAddress\":\"10.0.0.%zu\"}",
			    i == 1 ? "" : ",", i, i + 1);
	}
	buf_put(a->out, is_ec2 ? STR("</reservationSet></DescribeInstancesResponse>") : STR("]}"));
}

static void
put_answer(struct answering *a, const struct ecs_sweep_ask *ask)
{
	if (a->fault == EMPTY)
		buf_put(a->out, STR("{}"));
	else if (strcmp(ask->action, "ListTasks") == 0)
		answer_list(a, ask->body);
	else if (strcmp(ask->action, "DescribeTasks") == 0)
		answer_describe(a, ask->body);
	else if (strcmp(ask->action, "DescribeClusters") == 0)
		answer_cluster(a);
	else if (strcmp(ask->action, "DescribeTaskDefinition") == 0)
		answer_definition(a, ask->body);
	else if (strcmp(ask->action, "DescribeContainerInstances") == 0)
		answer_instances(a);
	else
		answer_machines(a, ask->to == &aws_service_ec2);
	REQUIRE(buf_failed(a->out, NULL) == ERR_OK);
}

/* A changed byte may turn one task's bad news into another's: then it was said of both. */
static void
spoil(struct answering *a)
{
	size_t at = (size_t)take(a->w) * a->out->len / 256;
	bool bad_news = false;

	if (a->fault == CUT)
		a->out->len = at;
	if (a->fault != FLIPPED)
		return;
	a->w->flipped = true;
	a->out->ptr[at] ^= (uint8_t)(1u << take(a->w) % 8);
	for (size_t i = 0; i < TASKS_MAX; i++)
		bad_news = bad_news || a->w->tasks[i].accused;
	for (size_t i = 0; i < TASKS_MAX; i++)
		a->w->tasks[i].accused = bad_news;
}

static void
answer(struct world *w, struct ecs_sweep *s, const struct ecs_sweep_ask *ask, struct buf *out, bool sound)
{
	uint8_t byte = sound ? 0 : take(w);
	struct answering a = { .w = w, .out = out, .fault = byte < 160 ? SOUND : byte % N_SPOILAGES };
	struct err e = ERR_INIT;

	buf_reset(out);
	if (a.fault == UNREACHABLE || a.fault == DENIED) {
		err_fill(&e, a.fault == DENIED ? ERR_AUTH : ERR_REMOTE, 0, "no");
		ecs_sweep_failed(s, ask->id, &e);
		return;
	}
	put_answer(&a, ask);
	if (a.fault == CUT || a.fault == FLIPPED)
		spoil(&a);
	(void)ecs_sweep_answer(s, ask->id, buf_str(out), w->wall_ms, &e);
}

/* ---- laws ---- */

static bool
is_accused(const struct world *w, const struct roster_task *t)
{
	size_t i = number_after(t->id, '/');

	REQUIRE(i < TASKS_MAX || w->flipped);
	return i >= TASKS_MAX || w->tasks[i].accused;
}

static bool
is_over_or_ending(const struct roster_task *t)
{
	return t->ended_wall_ms != 0 || t->missing > 0 || t->desired_status == ROSTER_STOPPED ||
	       t->last_status >= ROSTER_DEACTIVATING;
}

static void
check_task(const struct world *w, const struct roster_task *before, const struct roster_task *after)
{
	bool accused = is_accused(w, after);

	REQUIRE(!is_over_or_ending(after) || accused || (before != NULL && is_over_or_ending(before)));
	REQUIRE(after->missing <= 2);
	if (before == NULL)
		return;
	REQUIRE(after->missing <= before->missing || (accused && after->missing == before->missing + 1));
	REQUIRE(after->ended_wall_ms == 0 || before->ended_wall_ms != 0 || accused);
	REQUIRE(after->version >= before->version || after->version == 0);
	REQUIRE(before->host_ipv4.len == 0 || after->host_ipv4.len > 0 ||
		!str_eq(before->container_instance_arn, after->container_instance_arn));
	REQUIRE(before->definition == NULL || after->definition != NULL ||
		!str_eq(before->definition_arn, after->definition_arn));
}

static void
check_pass(const struct world *w, const struct roster_facts *before, const struct ecs_sweep_result *result)
{
	const struct roster_facts *after = result->facts;

	REQUIRE(result->complete == (result->err.code == ERR_OK));
	REQUIRE(result->answered || !result->complete);
	REQUIRE(before == NULL || after != NULL);
	REQUIRE(str_eq(result->account, STR("1")) || result->account.len == 0);
	for (size_t i = 0; before != NULL && i < before->n_tasks; i++)
		REQUIRE(before->tasks[i].ended_wall_ms != 0 || roster_facts_find(after, before->tasks[i].arn) != NULL);
	for (size_t i = 0; after != NULL && i < after->n_tasks; i++)
		check_task(w, roster_facts_find(before, after->tasks[i].arn), &after->tasks[i]);
}

/* ---- a pass ---- */

static bool
is_held(void *arg, const struct roster_task *task)
{
	const struct world *w = arg;

	return w->hold && task->version % 2 == 0;
}

/* All that ever was: whoever is sought is asked about, listed or not. */
static const struct ecs_sought *
everybody(void *arg)
{
	struct world *w = arg;
	char ids[TASKS_MAX][ID_LEN + 1];
	struct ecs_sought_task tasks[TASKS_MAX];

	for (size_t i = 0; i < w->n_tasks; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "%032zx", i);
		tasks[i] = (struct ecs_sought_task){ .id = str_of(ids[i], ID_LEN) };
	}
	ecs_sought_free(&w->sought);
	REQUIRE(ecs_sought_make(tasks, w->n_tasks, &w->sought, NULL) == ERR_OK);
	return &w->sought;
}

static void
run_calls(struct world *w, struct ecs_sweep *s, bool backwards, bool sound)
{
	struct ecs_sweep_ask asks[CALLS_MAX];
	struct buf out = buf_make((size_t)1 << 20);

	while (!ecs_sweep_finished(s)) {
		size_t n = 0;

		while (n < CALLS_MAX && ecs_sweep_next(s, &asks[n]))
			n++;
		REQUIRE(n > 0);
		for (size_t i = 0; i < n; i++)
			answer(w, s, &asks[backwards ? n - 1 - i : i], &out, sound);
	}
	buf_free(&out);
}

static bool
run(struct world *w, uint8_t flags, bool sound)
{
	struct ecs_sweep_start start = {
		.kind = (flags & 1) != 0 ? ECS_SWEEP_FULL : ECS_SWEEP_WATCH,
		.cluster = STR("c"),
		.account = STR("1"),
		.before = w->facts,
		.definitions = w->definitions,
		.hosts = (flags & 128) != 0 || sound ? w->hosts : NULL,
		.mono_ms = w->wall_ms,
		.require_healthy = (flags & 2) != 0,
		.is_held = (flags & 4) != 0 ? is_held : NULL,
		.arg = w,
		.sought = (flags & 64) != 0 ? everybody : NULL,
		.sought_arg = w,
	};
	struct ecs_sweep_result result;
	struct ecs_sweep *s;

	for (size_t i = 0; i < TASKS_MAX; i++)
		w->tasks[i].accused = false;
	w->hold = (flags & 8) != 0;
	w->wall_ms += (flags & 16) != 0 ? ROSTER_ENDED_KEPT_MS / 2 : 2000;
	REQUIRE(ecs_sweep_new(&start, &s, NULL) == ERR_OK);
	run_calls(w, s, (flags & 32) != 0, sound);
	REQUIRE(ecs_sweep_result(s, w->wall_ms, &result, NULL) == ERR_OK);
	check_pass(w, w->facts, &result);
	roster_facts_unref(w->facts);
	w->facts = result.facts;
	ecs_sweep_free(s);
	return result.complete;
}

/* ---- the world moves ---- */

static void
move_on(struct world *w, size_t i)
{
	struct task *t = &w->tasks[i];

	if (!t->exists) {
		t->exists = true;
		t->version = 1;
	} else if (t->stage < 9) {
		t->stage++;
		t->version++;
	}
}

static void
disturb(struct world *w, uint8_t op, size_t i)
{
	struct task *t = &w->tasks[i];

	switch (op) {
	case 0:
		t->forgotten = !t->forgotten;
		break;
	case 1:
		t->unlisted = !t->unlisted;
		break;
	case 2:
		t->version -= t->version > 1; /* told by a replica that lags */
		break;
	default:
		move_on(w, i);
		break;
	}
}

static void
begin(struct world *w)
{
	size_t n = take(w);

	/* Few, for speed; but as many as take two batches, too. */
	w->n_tasks = n == 255 ? 120 : n % 12;
	w->page_size = (size_t)take(w) % 100 + 1;
	for (size_t i = 0; i < w->n_tasks; i++)
		w->tasks[i] = (struct task){ .stage = 3, .version = 2, .exists = true };
	w->definitions = taskdef_cache_new(2);
	w->hosts = ecs_hosts_new(3);
	REQUIRE(w->definitions != NULL && w->hosts != NULL);
}

/* With the world at rest and every answer sound, two passes leave nothing unknown. */
static void
check_all_known(struct world *w)
{
	for (size_t i = 0; i < w->n_tasks; i++) {
		const struct roster_task *t;
		char arn[80];

		if (!w->tasks[i].exists || w->tasks[i].forgotten)
			continue;
		(void)snprintf(arn, sizeof(arn), PREFIX "task/c/%032zx", i);
		t = roster_facts_find(w->facts, str_from_cstr(arn));
		/* One that has ended an hour ago may be left out; it is asked about anew, and so known. */
		REQUIRE(t != NULL && t->listed == is_listed(&w->tasks[i]));
		REQUIRE(!t->listed || (t->ended_wall_ms == 0 && t->definition != NULL));
	}
}

static void
end(struct world *w)
{
	bool complete;

	w->wall_ms += ECS_HOSTS_RETRY_CAP_MS; /* a machine that could not be had is asked for again by then */
	(void)run(w, 1 | 64, true);
	complete = run(w, 1 | 64, true);
	if (!w->flipped) {
		REQUIRE(complete);
		check_all_known(w);
	}
	roster_facts_unref(w->facts);
	ecs_sought_free(&w->sought);
	ecs_hosts_free(w->hosts);
	taskdef_cache_free(w->definitions);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .data = data, .size = size, .wall_ms = INT64_C(1700000000000) };
	int passes = 0;

	begin(&w);
	while (w.size > 0 && passes < PASSES_MAX) {
		uint8_t op = take(&w) % 8;

		if (op >= 5) {
			(void)run(&w, take(&w), false);
			passes++;
		} else if (w.n_tasks > 0) {
			disturb(&w, op, (size_t)take(&w) % w.n_tasks);
		}
	}
	end(&w);
	return 0;
}
