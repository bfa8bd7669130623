/*
 * ECS's answers: AWS's own published examples, read from where ROLLCALL_VECTORS
 * says (they are not ours to ship), and JSON of our own for what they leave out.
 */
#include "config.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/buf.h"
#include "ecs/ecs_answer.h"
#include "unit.h"

#define A_TASK "arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef"
#define A_DEF  "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop:7"
#define HEAD   "\"taskArn\":\"" A_TASK "\",\"taskDefinitionArn\":\"" A_DEF "\""

static struct arena *
scratch(void)
{
	struct arena *a = arena_new(ECS_ANSWER_ARENA_MAX);

	assert_non_null(a);
	return a;
}

static enum err_code
describe(struct arena *a, const char *json, struct ecs_answer_tasks *ret, struct err *e)
{
	return ecs_answer_describe_tasks(a, str_from_cstr(json), ret, e);
}

/* ---- published examples ---- */

static const char *
vector_path(const char *name, char *path, size_t size)
{
	const char *given = getenv("ROLLCALL_VECTORS"), *top = getenv("top_srcdir");

	if (given != NULL)
		(void)snprintf(path, size, "%s/aws/%s", given, name);
	else
		(void)snprintf(path, size, "%s/../shared/vectors/aws/%s", top != NULL ? top : ".", name);
	return path;
}

/* The answer in the file, or null if there is no such file.  Free it. */
static char *
read_vector(const char *name)
{
	char path[512];
	json_t *doc = json_load_file(vector_path(name, path, sizeof(path)), 0, NULL);
	json_t *output = json_object_get(doc, "output");
	char *text;

	if (doc == NULL) {
		print_message("no %s: set ROLLCALL_VECTORS to run this\n", path);
		return NULL;
	}
	text = json_dumps(output != NULL ? output : doc, JSON_COMPACT);
	json_decref(doc);
	assert_non_null(text);
	return text;
}

static void
every_published_list_is_read(void **state)
{
	static const struct {
		const char *name;
		size_t n;
	} cases[] = {
		{ "awscli-examples/ecs-list-tasks-0.json", 2 },
		{ "awscli-examples/ecs-list-tasks-1.json", 1 },
		{ "botocore-examples/ecs-ListTasks-0.json", 2 },
		{ "botocore-examples/ecs-ListTasks-1.json", 1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct arena *a = scratch();
		struct ecs_answer_list list;
		struct err e = ERR_INIT;
		char *text = read_vector(cases[i].name);

		if (text == NULL) {
			arena_free(a);
			skip();
		}
		CHECK_ROW(ecs_answer_list_tasks(a, str_from_cstr(text), &list, &e) == ERR_OK, i, e.msg);
		assert_int_equal(list.n, cases[i].n);
		assert_int_equal(list.next_token.len, 0);
		free(text);
		arena_free(a);
	}
}

static void
every_published_description_is_read(void **state)
{
	static const struct {
		const char *name, *address, *subnet, *zone;
		size_t n_tasks, n_bindings;
		int64_t created_ms;
	} cases[] = {
		{ "awscli-examples/ecs-describe-tasks-0.json", "", "", "us-east-1b", 1, 1, INT64_C(1628698886681) },
		{ "awscli-examples/ecs-describe-tasks-1.json", "10.0.1.184", "subnet-0d0eab1bb3EXAMPLE", "us-east-1b",
		    2, 0, INT64_C(1640020400226) },
		{ "botocore-examples/ecs-DescribeTasks-0.json", "", "", "", 1, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct arena *a = scratch();
		struct ecs_answer_tasks answer;
		struct err e = ERR_INIT;
		char *text = read_vector(cases[i].name);

		if (text == NULL) {
			arena_free(a);
			skip();
		}
		CHECK_ROW(describe(a, text, &answer, &e) == ERR_OK, i, e.msg);
		assert_int_equal(answer.n_tasks, cases[i].n_tasks);
		assert_int_equal(answer.n_malformed, 0);
		assert_int_equal(answer.n_failures, 0);
		assert_true(answer.cluster_arn.len > 0);
		assert_false(answer.several_clusters);
		assert_int_equal(answer.tasks[0].last_status, ROSTER_RUNNING);
		assert_int_equal(answer.tasks[0].desired_status, ROSTER_RUNNING);
		assert_int_equal(answer.tasks[0].created_ms, cases[i].created_ms);
		assert_str(answer.tasks[0].zone, cases[i].zone);
		assert_str(answer.tasks[0].subnet, cases[i].subnet);
		assert_int_equal(answer.tasks[0].n_containers, 1);
		assert_str(answer.tasks[0].containers[0].ipv4, cases[i].address);
		assert_int_equal(answer.tasks[0].containers[0].n_bindings, cases[i].n_bindings);
		if (cases[i].n_bindings > 0) {
			assert_int_equal(answer.tasks[0].containers[0].bindings[0].host_port, 80);
			assert_true(answer.tasks[0].containers[0].bindings[0].tcp);
		}
		free(text);
		arena_free(a);
	}
}

static void
every_published_definition_is_read(void **state)
{
	static const char *const names[] = { "awscli-examples/ecs-describe-task-definition-0.json",
		"botocore-examples/ecs-DescribeTaskDefinition-0.json" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		struct err e = ERR_INIT;
		struct taskdef *d = NULL;
		char *text = read_vector(names[i]);

		if (text == NULL)
			skip();
		CHECK_ROW(ecs_answer_task_definition(str_from_cstr(text), &d, &e) == ERR_OK, i, e.msg);
		assert_str(d->family, "hello_world");
		assert_int_equal(d->revision, 8);
		assert_int_equal(d->network, TASKDEF_BRIDGE);
		assert_int_equal(d->n_containers, 2);
		assert_str(d->containers[0].name, "wordpress");
		assert_int_equal(d->containers[0].n_ports, 1);
		assert_int_equal(d->containers[0].ports[0].container_port, 80);
		assert_int_equal(d->containers[0].ports[0].host_port, 80);
		assert_true(d->containers[0].ports[0].tcp);
		assert_int_equal(d->containers[1].n_ports, 0);
		taskdef_unref(d);
		free(text);
	}
}

/* ---- lists ---- */

static void
a_page_has_arns_and_perhaps_a_token(void **state)
{
	struct arena *a = scratch();
	struct ecs_answer_list list;

	(void)state;
	assert_int_equal(
	    ecs_answer_list_tasks(
		a, STR("{\"taskArns\":[\"" A_TASK "\"],\"nextToken\":\"more\",\"new\":{\"x\":[1]}}"), &list, NULL),
	    ERR_OK);
	assert_int_equal(list.n, 1);
	assert_str(list.arns[0], A_TASK);
	assert_str(list.next_token, "more");
	assert_int_equal(ecs_answer_list_tasks(a, STR("{\"taskArns\":[],\"nextToken\":null}"), &list, NULL), ERR_OK);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.next_token.len, 0);
	arena_free(a);
}

static void
what_is_no_list_of_tasks_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
		{ "", "empty" },
		{ "[]", "not an object" },
		{ "{}", "taskArns: missing" },
		{ "{\"taskArns\":null}", "taskArns: missing" },
		{ "{\"taskArns\":{}}", "taskArns: a list" },
		{ "{\"taskArns\":[\"" A_TASK "\",7]}", "taskArns[1]: a string" },
		{ "{\"taskArns\":[null]}", "taskArns[0]" },
		{ "{\"taskArns\":[\"\"]}", "taskArns[0]" },
		{ "{\"taskArns\":[\"" A_DEF "\"]}", "taskArns" },
		{ "{\"taskArns\":[\"" A_TASK " \"]}", "taskArns[0]" },
		{ "{\"taskArns\":[\"" A_TASK "\\u0000\"]}", "not JSON" },
		{ "{\"taskArns\":[],\"nextToken\":5}", "nextToken: a string" },
		{ "{\"taskArns\":[],\"taskArns\":[]}", "not JSON" },
		{ "{\"taskArns\":[]", "not JSON" },
		{ "{\"taskArns\":[]} x", "not JSON" },
		{ "{\"taskArns\":[],\"x\":\"\xff\"}", "not JSON" },
		{ "<html>", "not JSON" },
	};
	struct arena *a = scratch();

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ecs_answer_list list = { .n = 99 };
		struct err e = ERR_INIT;

		CHECK_ROW(
		    ecs_answer_list_tasks(a, str_from_cstr(cases[i].json), &list, &e) == ERR_PARSE, i, cases[i].json);
		CHECK_ROW(strstr(e.msg, cases[i].message) != NULL, i, e.msg);
		assert_int_equal(list.n, 99);
	}
	arena_free(a);
}

static void
depth_size_and_lengths_are_bounded(void **state)
{
	char deep[201], *large = malloc(ECS_ANSWER_MAX + 1);
	struct ecs_answer_list list;
	struct arena *a = scratch();
	struct err e = ERR_INIT;

	(void)state;
	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	deep[200] = '\0';
	assert_int_equal(ecs_answer_list_tasks(a, str_from_cstr(deep), &list, &e), ERR_LIMIT);
	/* Brackets in strings are no depth. */
	assert_int_equal(
	    ecs_answer_list_tasks(a,
		STR("{\"taskArns\":[],\"x\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"), &list, &e),
	    ERR_OK);
	assert_non_null(large);
	memset(large, ' ', ECS_ANSWER_MAX + 1);
	assert_int_equal(ecs_answer_list_tasks(a, str_of(large, ECS_ANSWER_MAX + 1), &list, &e), ERR_LIMIT);
	memcpy(large, "{\"taskArns\":[],\"nextToken\":\"", 28);
	memset(large + 28, 'x', ECS_ANSWER_TOKEN_MAX + 1);
	memcpy(large + 28 + ECS_ANSWER_TOKEN_MAX + 1, "\"}", 2);
	assert_int_equal(ecs_answer_list_tasks(a, str_of(large, 28 + ECS_ANSWER_TOKEN_MAX + 3), &list, &e), ERR_PARSE);
	memmove(large + 28, large + 29, ECS_ANSWER_TOKEN_MAX + 2);
	assert_int_equal(ecs_answer_list_tasks(a, str_of(large, 28 + ECS_ANSWER_TOKEN_MAX + 2), &list, &e), ERR_OK);
	assert_int_equal(list.next_token.len, ECS_ANSWER_TOKEN_MAX);
	free(large);
	arena_free(a);
}

/* ---- tasks ---- */

static void
a_task_of_its_own_network_is_read(void **state)
{
	static const char json[] =
	    "{\"tasks\":[{" HEAD ",\"clusterArn\":\"arn:aws:ecs:eu-west-1:123456789012:cluster/prod\","
	    "\"group\":\"service:shop\",\"lastStatus\":\"DEACTIVATING\",\"desiredStatus\":\"STOPPED\","
	    "\"healthStatus\":\"HEALTHY\",\"version\":5,\"availabilityZone\":\"eu-west-1a\","
	    "\"createdAt\":1563421494.186,\"startedAt\":1563421500,\"stoppingAt\":1563421600.5,"
	    "\"stopCode\":\"ServiceSchedulerInitiated\",\"stoppedReason\":\"Scaling activity\","
	    "\"attachments\":[{\"type\":\"Service Connect\",\"details\":[{\"name\":\"privateIPv4Address\","
	    "\"value\":\"1.1.1.1\"}]},{\"type\":\"AmazonElasticBlockStorage\",\"details\":[]},"
	    "{\"type\":\"ElasticNetworkInterface\",\"details\":[{\"name\":\"subnetId\",\"value\":\"subnet-1\"},"
	    "{\"name\":\"privateIPv4Address\",\"value\":\"10.0.0.9\"}]}],"
	    "\"containers\":[{\"name\":\"web\",\"networkInterfaces\":[{\"privateIpv4Address\":\"10.0.0.1\","
	    "\"ipv6Address\":\"FD00:0:0::0001\"}],\"networkBindings\":[]},{\"name\":\"log\"}]}],\"failures\":[]}";
	struct arena *a = scratch();
	struct ecs_answer_tasks answer;
	const struct roster_task *t;
	struct err e = ERR_INIT;

	(void)state;
	CHECK_ROW(describe(a, json, &answer, &e) == ERR_OK, 0, e.msg);
	assert_int_equal(answer.n_tasks, 1);
	t = &answer.tasks[0];
	assert_str(t->arn, A_TASK);
	assert_str(t->id, "0123456789abcdef0123456789abcdef");
	assert_str(t->service, "shop");
	assert_str(t->family, "shop");
	assert_int_equal(t->revision, 7);
	assert_null(t->definition);
	assert_int_equal(t->last_status, ROSTER_DEACTIVATING);
	assert_int_equal(t->desired_status, ROSTER_STOPPED);
	assert_int_equal(t->health, ROSTER_HEALTHY);
	assert_int_equal(t->version, 5);
	assert_str(t->zone, "eu-west-1a");
	assert_str(t->subnet, "subnet-1");
	assert_str(t->stop_code, "ServiceSchedulerInitiated");
	assert_str(t->stopped_reason, "Scaling activity");
	assert_int_equal(t->created_ms, INT64_C(1563421494186));
	assert_int_equal(t->started_ms, INT64_C(1563421500000));
	assert_int_equal(t->stopping_ms, INT64_C(1563421600500));
	assert_int_equal(t->stopped_ms, 0);
	assert_int_equal(t->n_containers, 2);
	/* What the containers say comes before the attachment, and in one spelling. */
	assert_str(t->containers[0].ipv4, "10.0.0.1");
	assert_str(t->containers[0].ipv6, "fd00::1");
	assert_str(t->containers[1].ipv4, "");
	assert_str(answer.cluster_arn, "arn:aws:ecs:eu-west-1:123456789012:cluster/prod");
	arena_free(a);
}

static void
the_attachment_lends_its_address_where_containers_have_none(void **state)
{
	static const char json[] =
	    "{\"tasks\":[{" HEAD ",\"containers\":[{\"name\":\"a\"},{\"name\":\"b\",\"networkInterfaces\":[]}],"
	    "\"attachments\":[{\"type\":\"ElasticNetworkInterface\",\"details\":["
	    "{\"name\":\"privateIPv4Address\",\"value\":\"10.0.0.9\"}]}]}]}";
	struct arena *a = scratch();
	struct ecs_answer_tasks answer;

	(void)state;
	assert_int_equal(describe(a, json, &answer, NULL), ERR_OK);
	assert_int_equal(answer.n_tasks, 1);
	assert_str(answer.tasks[0].containers[0].ipv4, "10.0.0.9");
	assert_str(answer.tasks[0].containers[1].ipv4, "10.0.0.9");
	arena_free(a);
}

static void
a_task_that_has_nothing_yet_is_fine(void **state)
{
	struct arena *a = scratch();
	struct ecs_answer_tasks answer;

	(void)state;
	assert_int_equal(describe(a,
			     "{\"tasks\":[{" HEAD ",\"lastStatus\":\"PROVISIONING\",\"desiredStatus\":\"RUNNING\","
			     "\"group\":null,\"containers\":[{\"name\":\"web\"}],\"attachments\":[{\"type\":"
			     "\"ElasticNetworkInterface\",\"status\":\"PRECREATED\",\"details\":[]}]}]}",
			     &answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n_tasks, 1);
	assert_int_equal(answer.tasks[0].last_status, ROSTER_PROVISIONING);
	assert_int_equal(answer.tasks[0].containers[0].ipv4.len, 0);
	assert_int_equal(answer.tasks[0].version, 0);
	arena_free(a);
}

static void
words_that_are_not_invented_yet_are_unknown_not_malformed(void **state)
{
	struct arena *a = scratch();
	struct ecs_answer_tasks answer;

	(void)state;
	assert_int_equal(describe(a,
			     "{\"tasks\":[{" HEAD ",\"lastStatus\":\"HIBERNATING\",\"desiredStatus\":\"PENDING\","
			     "\"healthStatus\":\"POORLY\",\"group\":\"service:no such name\",\"mood\":[{}],"
			     "\"attachments\":[{\"type\":\"Umbilical\",\"details\":[{\"name\":\"x\"}]}]}]}",
			     &answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n_tasks, 1);
	assert_int_equal(answer.tasks[0].last_status, ROSTER_UNKNOWN);
	assert_int_equal(answer.tasks[0].desired_status, ROSTER_UNKNOWN);
	assert_int_equal(answer.tasks[0].health, ROSTER_HEALTH_UNKNOWN);
	assert_int_equal(answer.tasks[0].service.len, 0);
	assert_str(answer.tasks[0].group, "service:no such name");
	arena_free(a);
}

static void
bindings_are_ports_and_ranges_of_the_machine(void **state)
{
	static const struct {
		const char *bindings;
		size_t n;
		struct roster_binding last;
	} cases[] = {
		{ "{\"containerPort\":80,\"hostPort\":32768}", 1, { 80, 32768, 1, true, false } },
		{ "{\"containerPort\":53,\"hostPort\":53,\"protocol\":\"udp\"}", 1, { 53, 53, 1, false, false } },
		{ "{\"bindIP\":\"0.0.0.0\",\"containerPort\":80,\"hostPort\":32768,\"protocol\":\"tcp\"},"
		  "{\"bindIP\":\"::\",\"containerPort\":80,\"hostPort\":32769,\"protocol\":\"tcp\"}",
		    2, { 80, 32769, 1, true, true } },
		{ "{\"containerPort\":80},{\"hostPort\":80},{},{\"containerPort\":65535,\"hostPort\":1}", 1,
		    { 65535, 1, 1, true, false } },
		{ "{\"containerPortRange\":\"80-90\",\"hostPortRange\":\"100-110\"}", 1, { 80, 100, 11, true, false } },
		{ "{\"containerPortRange\":\"80\",\"hostPortRange\":\"100\",\"bindIP\":\"::\"}", 1,
		    { 80, 100, 1, true, true } },
		{ "{\"containerPortRange\":\"80-90\",\"hostPortRange\":\"100-105\"}", 1, { 80, 100, 6, true, false } },
		{ "{\"containerPortRange\":\"1-65535\",\"hostPortRange\":\"1-65535\"}", 1,
		    { 1, 1, 65535, true, false } },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct roster_container *c;
		const struct roster_binding *b;
		struct ecs_answer_tasks answer;
		struct arena *a = scratch();
		char json[1024];

		(void)snprintf(json, sizeof(json),
		    "{\"tasks\":[{" HEAD ",\"containers\":[{\"name\":\"web\",\"networkBindings\":[%s]}]}]}",
		    cases[i].bindings);
		assert_int_equal(describe(a, json, &answer, NULL), ERR_OK);
		CHECK_ROW(answer.n_tasks == 1, i, cases[i].bindings);
		c = &answer.tasks[0].containers[0];
		CHECK_ROW(c->n_bindings == cases[i].n, i, cases[i].bindings);
		b = &c->bindings[c->n_bindings - 1];
		CHECK_ROW(b->container_port == cases[i].last.container_port &&
			      b->host_port == cases[i].last.host_port && b->n == cases[i].last.n &&
			      b->tcp == cases[i].last.tcp && b->on_ipv6 == cases[i].last.on_ipv6,
		    i, cases[i].bindings);
		arena_free(a);
	}
}

static void
one_malformed_task_does_not_lose_the_others(void **state)
{
	static const struct {
		const char *task, *detail;
	} cases[] = {
		{ "7", "tasks[1]: an object" },
		{ "{}", "tasks[1].taskArn: not the ARN" },
		{ "{\"taskArn\":7}", "tasks[1].taskArn: a string" },
		{ "{\"taskArn\":\"x\"}", "tasks[1].taskArn: not the ARN" },
		{ "{\"taskArn\":\"" A_TASK "\"}", "tasks[1].taskDefinitionArn" },
		{ "{" HEAD ",\"clusterArn\":\"prod\"}", "tasks[1].clusterArn" },
		{ "{" HEAD ",\"lastStatus\":1}", "tasks[1].lastStatus: a string" },
		{ "{" HEAD ",\"version\":\"1\"}", "tasks[1].version: a whole number" },
		{ "{" HEAD ",\"version\":-1}", "tasks[1].version: out of range" },
		{ "{" HEAD ",\"version\":1.5}", "tasks[1].version: a whole number" },
		{ "{" HEAD ",\"createdAt\":\"yesterday\"}", "tasks[1].createdAt: not a time" },
		{ "{" HEAD ",\"createdAt\":true}", "tasks[1].createdAt: not a time" },
		{ "{" HEAD ",\"createdAt\":1e300}", "tasks[1].createdAt: not a time" },
		{ "{" HEAD ",\"availabilityZone\":\"eu west\"}", "tasks[1].availabilityZone" },
		{ "{" HEAD ",\"containers\":{}}", "tasks[1].containers: a list" },
		{ "{" HEAD ",\"containers\":[[]]}", "tasks[1].containers[0]: an object" },
		{ "{" HEAD ",\"containers\":[{}]}", "tasks[1].containers[0].name" },
		{ "{" HEAD ",\"containers\":[{\"name\":\"a;b\"}]}", "tasks[1].containers[0].name" },
		{ "{" HEAD ",\"containers\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "tasks[1].containers[1].name: two" },
		{ "{" HEAD
		  ",\"containers\":[{\"name\":\"a\",\"networkInterfaces\":[{\"privateIpv4Address\":\"10.0.0\"}]}]}",
		    "tasks[1].containers[0].networkInterfaces[0].privateIpv4Address: not an address" },
		{ "{" HEAD
		  ",\"containers\":[{\"name\":\"a\",\"networkInterfaces\":[{\"privateIpv4Address\":\"0.0.0.0\"}]}]}",
		    "not an address" },
		{ "{" HEAD
		  ",\"containers\":[{\"name\":\"a\",\"networkInterfaces\":[{\"privateIpv4Address\":\"fd00::1\"}]}]}",
		    "not an address" },
		{ "{" HEAD
		  ",\"containers\":[{\"name\":\"a\",\"networkInterfaces\":[{\"ipv6Address\":\"fd00::1%eth0\"}]}]}",
		    "ipv6Address: not an address" },
		{ "{" HEAD
		  ",\"containers\":[{\"name\":\"a\",\"networkBindings\":[{\"containerPort\":0,\"hostPort\":1}]}]}",
		    "networkBindings[0].containerPort: out of range" },
		{ "{" HEAD
		  ",\"containers\":[{\"name\":\"a\",\"networkBindings\":[{\"containerPort\":1,\"hostPort\":65536}]}]}",
		    "networkBindings[0].hostPort: out of range" },
		{ "{" HEAD ",\"containers\":[{\"name\":\"a\",\"networkBindings\":[{\"containerPort\":\"80\"}]}]}",
		    "containerPort: a whole number" },
		{ "{" HEAD ",\"containers\":[{\"name\":\"a\",\"networkBindings\":[{\"hostPortRange\":\"9-8\"}]}]}",
		    "networkBindings[0].hostPortRange: not a range" },
		{ "{" HEAD ",\"containers\":[{\"name\":\"a\",\"networkBindings\":[{\"hostPortRange\":\"8-\"}]}]}",
		    "networkBindings[0].hostPortRange: not a range" },
		{ "{" HEAD ",\"containers\":[{\"name\":\"a\",\"networkBindings\":[{\"hostPortRange\":\"1-65536\"}]}]}",
		    "networkBindings[0].hostPortRange: not a range" },
		{ "{" HEAD ",\"attachments\":[{\"type\":\"ElasticNetworkInterface\",\"details\":[{\"name\":"
		  "\"privateIPv4Address\",\"value\":\"nowhere\"}]}]}",
		    "tasks[1].attachments[0].details[0].value: not an address" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ecs_answer_tasks answer;
		struct arena *a = scratch();
		struct err e = ERR_INIT;
		char json[2048];

		(void)snprintf(json, sizeof(json),
		    "{\"tasks\":[{" HEAD "},%s,{\"taskArn\":\"" A_TASK "ff\",\"taskDefinitionArn\":\"" A_DEF
		    "\"}],\"failures\":[]}",
		    cases[i].task);
		CHECK_ROW(describe(a, json, &answer, &e) == ERR_OK, i, e.msg);
		CHECK_ROW(answer.n_tasks == 2 && answer.n_malformed == 1, i, cases[i].task);
		assert_str(answer.tasks[1].arn, A_TASK "ff");
		CHECK_ROW(
		    strstr(answer.malformed[0].detail.ptr, cases[i].detail) != NULL, i, answer.malformed[0].detail.ptr);
		if (strstr(cases[i].task, HEAD) != NULL)
			assert_str(answer.malformed[0].arn, A_TASK);
		arena_free(a);
	}
}

static void
failures_are_read_and_an_answer_of_something_else_is_refused(void **state)
{
	struct arena *a = scratch();
	struct ecs_answer_tasks answer;

	(void)state;
	assert_int_equal(describe(a,
			     "{\"tasks\":[],\"failures\":[{\"arn\":\"" A_TASK "\",\"reason\":\"MISSING\"},"
			     "{\"reason\":\"TROUBLE\",\"detail\":\"of some kind\"}]}",
			     &answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n_failures, 2);
	assert_str(answer.failures[0].arn, A_TASK);
	assert_str(answer.failures[0].reason, "MISSING");
	assert_str(answer.failures[1].detail, "of some kind");
	assert_int_equal(answer.failures[1].arn.len, 0);
	assert_int_equal(describe(a, "{\"failures\":[]}", &answer, NULL), ERR_PARSE);
	assert_int_equal(describe(a, "{\"tasks\":[],\"failures\":[7]}", &answer, NULL), ERR_PARSE);
	assert_int_equal(describe(a, "{\"tasks\":[],\"failures\":{}}", &answer, NULL), ERR_PARSE);
	arena_free(a);
}

static void
every_published_service_has_an_age(void **state)
{
	static const struct {
		const char *name;
		int64_t created_ms;
	} cases[] = {
		{ "awscli-examples/ecs-describe-services-0.json", INT64_C(1466801808595) },
		{ "botocore-examples/ecs-DescribeServices-0.json", INT64_C(1472487952130) },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct arena *a = scratch();
		char *text = read_vector(cases[i].name);
		struct ecs_answer_services answer;

		if (text != NULL) {
			assert_int_equal(ecs_answer_describe_services(a, str_from_cstr(text), &answer, NULL), ERR_OK);
			assert_int_equal(answer.n, 1);
			assert_int_equal(answer.services[0].created_ms, cases[i].created_ms);
			assert_true(answer.services[0].name.len > 0 && answer.services[0].cluster_arn.len > 0);
			assert_int_equal(answer.n_failures, 0);
		}
		free(text);
		arena_free(a);
	}
}

static void
services_are_read_with_their_age_and_who_is_missing(void **state)
{
	struct arena *a = scratch();
	struct ecs_answer_services answer;

	(void)state;
	assert_int_equal(ecs_answer_describe_services(a,
			     STR("{\"services\":[{\"serviceName\":\"a-b_C\",\"status\":\"ACTIVE\","
				 "\"createdAt\":1466801808.595,\"events\":[{\"message\":\"\\u0001\"}],"
				 "\"clusterArn\":\"arn:aws:ecs:eu-west-1:123456789012:cluster/prod\"},"
				 "{\"serviceName\":\"new\"}],\"failures\":[{\"arn\":"
				 "\"arn:aws:ecs:eu-west-1:123456789012:service/prod/gone\",\"reason\":\"MISSING\"}]}"),
			     &answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n, 2);
	assert_str(answer.services[0].name, "a-b_C");
	assert_str(answer.services[0].cluster_arn, "arn:aws:ecs:eu-west-1:123456789012:cluster/prod");
	assert_int_equal(answer.services[0].created_ms, INT64_C(1466801808595));
	assert_int_equal(answer.services[1].created_ms, 0);
	assert_int_equal(answer.services[1].cluster_arn.len, 0);
	assert_int_equal(answer.n_failures, 1);
	assert_str(answer.failures[0].reason, "MISSING");
	arena_free(a);
}

static void
what_is_no_answer_about_services_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *json, *place;
	} cases[] = {
		{ "{}", "services: missing" },
		{ "{\"services\":{}}", "services:" },
		{ "{\"services\":[7]}", "services[0]" },
		{ "{\"services\":[{}]}", "services[0].serviceName: not the name of a service" },
		{ "{\"services\":[{\"serviceName\":\"a b\"}]}", "services[0].serviceName" },
		{ "{\"services\":[{\"serviceName\":\"a/b\"}]}", "services[0].serviceName" },
		{ "{\"services\":[{\"serviceName\":\"a\",\"createdAt\":\"long ago\"}]}", "services[0].createdAt" },
		{ "{\"services\":[{\"serviceName\":\"a\",\"createdAt\":-1}]}", "services[0].createdAt" },
		{ "{\"services\":[{\"serviceName\":\"a\",\"createdAt\":1e300}]}", "services[0].createdAt" },
		{ "{\"services\":[{\"serviceName\":\"a\",\"clusterArn\":\"prod\"}]}", "services[0].clusterArn" },
		{ "{\"services\":[],\"failures\":7}", "failures:" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct arena *a = scratch();
		struct ecs_answer_services answer;
		struct err e = ERR_INIT;

		assert_int_equal(ecs_answer_describe_services(a, str_from_cstr(cases[i].json), &answer, &e), ERR_PARSE);
		if (strstr(e.msg, cases[i].place) == NULL)
			fail_msg("%s: %s", cases[i].json, e.msg);
		arena_free(a);
	}
}

static void
tasks_of_two_clusters_in_one_answer_are_told(void **state)
{
	struct arena *a = scratch();
	struct ecs_answer_tasks answer;

	(void)state;
	assert_int_equal(describe(a,
			     "{\"tasks\":[{" HEAD ",\"clusterArn\":\"arn:aws:ecs:r:1:cluster/a\"},"
			     "{" HEAD ",\"clusterArn\":\"arn:aws:ecs:r:1:cluster/b\",\"version\":\"malformed, too\"}]}",
			     &answer, NULL),
	    ERR_OK);
	assert_true(answer.several_clusters);
	assert_str(answer.cluster_arn, "arn:aws:ecs:r:1:cluster/a");
	arena_free(a);
}

static void
a_long_reason_is_cut_at_a_character(void **state)
{
	struct ecs_answer_tasks answer;
	struct arena *a = scratch();
	char reason[3001], json[4096];

	(void)state;
	for (size_t i = 0; i < 3000; i += 3)
		memcpy(reason + i, "\xe2\x82\xac", 3);
	reason[3000] = '\0';
	(void)snprintf(json, sizeof(json), "{\"tasks\":[{" HEAD ",\"stoppedReason\":\"%s\"}]}", reason);
	assert_int_equal(describe(a, json, &answer, NULL), ERR_OK);
	assert_int_equal(answer.tasks[0].stopped_reason.len, 1023);
	arena_free(a);
}

static void
times_come_as_numbers_and_as_text(void **state)
{
	static const struct {
		const char *json;
		int64_t ms;
	} cases[] = {
		{ "0", 0 },
		{ "1563421494", INT64_C(1563421494000) },
		{ "1563421494.186", INT64_C(1563421494186) },
		{ "1.7e9", INT64_C(1700000000000) },
		{ "\"1970-01-01T00:00:00Z\"", 0 },
		{ "\"2000-02-29T23:59:59.999Z\"", INT64_C(951868799999) },
		{ "\"2021-08-11T12:21:26.681000-04:00\"", INT64_C(1628698886681) },
		{ "\"2021-08-11T12:21:26+0530\"", INT64_C(1628664686000) },
		{ "\"9999-12-31T23:59:59Z\"", INT64_C(253402300799000) },
		{ "-1", -1 },
		{ "\"2021-13-11T12:21:26Z\"", -1 },
		{ "\"2021-08-11 12:21:26Z\"", -1 },
		{ "\"2021-08-11T12:21:26\"", -1 },
		{ "\"2021-08-11T12:21:26Zz\"", -1 },
		{ "\"2021-08-11T24:21:26Z\"", -1 },
		{ "\"\"", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct ecs_answer_tasks answer;
		struct arena *a = scratch();
		char json[512];

		(void)snprintf(json, sizeof(json), "{\"tasks\":[{" HEAD ",\"createdAt\":%s}]}", cases[i].json);
		assert_int_equal(describe(a, json, &answer, NULL), ERR_OK);
		CHECK_ROW(answer.n_malformed == (cases[i].ms < 0), i, cases[i].json);
		if (cases[i].ms >= 0)
			CHECK_ROW(answer.tasks[0].created_ms == cases[i].ms, i, cases[i].json);
		arena_free(a);
	}
}

/* ---- definitions ---- */

static enum err_code
define(const char *members, struct taskdef **ret, struct err *e)
{
	char json[4096];

	(void)snprintf(json, sizeof(json), "{\"taskDefinition\":{\"taskDefinitionArn\":\"" A_DEF "\"%s}}", members);
	return ecs_answer_task_definition(str_from_cstr(json), ret, e);
}

static void
a_definition_is_read_whole(void **state)
{
	struct err e = ERR_INIT;
	struct taskdef *d;

	(void)state;
	CHECK_ROW(define(",\"networkMode\":\"awsvpc\",\"containerDefinitions\":[{\"name\":\"web\",\"stopTimeout\":120,"
			 "\"essential\":false,\"healthCheck\":{\"command\":[\"CMD\"]},"
			 "\"portMappings\":[{\"containerPort\":50051,\"protocol\":\"tcp\",\"appProtocol\":\"grpc\"},"
			 "{\"containerPort\":53,\"hostPort\":0,\"protocol\":\"udp\"},{\"containerPortRange\":\"1-2\"}],"
			 "\"dockerLabels\":{\"rollcall.port\":\"50051\",\"a\":\"\\n\\\"; drop\",\"b\":\"\"}},"
			 "{\"name\":\"log\"}]",
		      &d, &e) == ERR_OK,
	    0, e.msg);
	assert_int_equal(d->refs, 1);
	assert_str(d->arn, A_DEF);
	assert_str(d->family, "shop");
	assert_int_equal(d->revision, 7);
	assert_int_equal(d->network, TASKDEF_AWSVPC);
	assert_int_equal(d->n_containers, 2);
	assert_false(d->containers[0].essential);
	assert_true(d->containers[0].has_health_check);
	assert_int_equal(d->containers[0].stop_timeout_ms, 120000);
	assert_int_equal(d->containers[0].n_ports, 3);
	assert_int_equal(d->containers[0].ports[0].container_port, 50051);
	assert_int_equal(d->containers[0].ports[0].host_port, 0);
	assert_true(d->containers[0].ports[0].tcp);
	assert_false(d->containers[0].ports[1].tcp);
	assert_int_equal(d->containers[0].n_labels, 3);
	assert_str(d->containers[0].labels[0].name, "a");
	assert_str(d->containers[0].labels[0].value, "\n\"; drop");
	assert_str(d->containers[0].labels[1].value, "");
	assert_str(d->containers[0].labels[2].name, "rollcall.port");
	assert_true(d->containers[1].essential);
	assert_false(d->containers[1].has_health_check);
	assert_int_equal(d->containers[1].stop_timeout_ms, -1);
	assert_ptr_equal(taskdef_container(d, STR("log")), &d->containers[1]);
	assert_null(taskdef_container(d, STR("lo")));
	taskdef_unref(d);
}

static void
the_network_mode_is_bridge_unless_said(void **state)
{
	static const struct {
		const char *members;
		enum taskdef_network network;
	} cases[] = {
		{ "", TASKDEF_BRIDGE },
		{ ",\"networkMode\":null", TASKDEF_BRIDGE },
		{ ",\"networkMode\":\"bridge\"", TASKDEF_BRIDGE },
		{ ",\"networkMode\":\"host\"", TASKDEF_HOST },
		{ ",\"networkMode\":\"awsvpc\"", TASKDEF_AWSVPC },
		{ ",\"networkMode\":\"none\"", TASKDEF_NONE },
		{ ",\"networkMode\":\"telepathy\"", TASKDEF_NONE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char members[100];
		struct taskdef *d;

		(void)snprintf(
		    members, sizeof(members), ",\"containerDefinitions\":[{\"name\":\"a\"}]%s", cases[i].members);
		assert_int_equal(define(members, &d, NULL), ERR_OK);
		CHECK_ROW(d->network == cases[i].network, i, cases[i].members);
		taskdef_unref(d);
	}
}

static void
what_is_no_definition_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *members, *message;
	} cases[] = {
		{ ",\"networkMode\":1", "taskDefinition.networkMode" },
		{ "", "taskDefinition.containerDefinitions: missing" },
		{ ",\"containerDefinitions\":[]", "taskDefinition.containerDefinitions: missing" },
		{ ",\"containerDefinitions\":{}", "taskDefinition.containerDefinitions: a list" },
		{ ",\"containerDefinitions\":[{}]", "containerDefinitions[0].name" },
		{ ",\"containerDefinitions\":[{\"name\":\"a b\"}]", "containerDefinitions[0].name" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\"},{\"name\":\"a\"}]",
		    "containerDefinitions[1].name: two" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"essential\":\"yes\"}]", "essential: true or false" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"stopTimeout\":-1}]", "stopTimeout: out of range" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"healthCheck\":[]}]", "healthCheck: an object" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"dockerLabels\":[]}]", "dockerLabels: an object" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"dockerLabels\":{\"x\":1}}]",
		    "dockerLabels.x: a string" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"dockerLabels\":{\"x\":\"\",\"x\":\"\"}}]", "not JSON" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"portMappings\":[{\"containerPort\":70000}]}]",
		    "portMappings[0].containerPort: out of range" },
		{ ",\"containerDefinitions\":[{\"name\":\"a\",\"portMappings\":[{\"containerPort\":1,\"hostPort\":-1}]}"
		  "]",
		    "portMappings[0].hostPort: out of range" },
	};
	struct taskdef *d = NULL;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct err e = ERR_INIT;

		CHECK_ROW(define(cases[i].members, &d, &e) == ERR_PARSE, i, cases[i].members);
		CHECK_ROW(strstr(e.msg, cases[i].message) != NULL, i, e.msg);
	}
	assert_int_equal(ecs_answer_task_definition(STR("{}"), &d, NULL), ERR_PARSE);
	assert_int_equal(ecs_answer_task_definition(STR("{\"taskDefinition\":{}}"), &d, NULL), ERR_PARSE);
	assert_null(d);
}

static void
too_many_labels_are_refused(void **state)
{
	struct buf b = buf_make((size_t)1 << 20);
	struct taskdef *d = NULL;
	struct err e = ERR_INIT;

	(void)state;
	buf_put(&b, STR("{\"taskDefinition\":{\"taskDefinitionArn\":\"" A_DEF
			"\",\"containerDefinitions\":[{\"name\":\"a\",\"dockerLabels\":{\"x\":\"\""));
	for (int i = 0; i < 1024; i++)
		buf_printf(&b, ",\"%d\":\"\"", i);
	buf_put(&b, STR("}}]}}"));
	assert_int_equal(ecs_answer_task_definition(buf_str(&b), &d, &e), ERR_PARSE);
	assert_non_null(strstr(e.msg, "too many labels"));
	buf_free(&b);
}

/* So that who reads labels says that it is too long, and the others are read. */
static void
of_a_label_without_end_the_beginning_is_kept(void **state)
{
	struct buf b = buf_make((size_t)4 << 20);
	struct taskdef *d = NULL;

	(void)state;
	buf_put(&b, STR("{\"taskDefinition\":{\"taskDefinitionArn\":\"" A_DEF
			"\",\"containerDefinitions\":[{\"name\":\"a\",\"dockerLabels\":{\"x\":\"y"));
	for (size_t i = 0; i < (size_t)1 << 19; i++)
		buf_put(&b, STR("\xc3\xa9"));
	buf_put(&b, STR("\",\"z\":\"1\"}}]}}"));
	assert_int_equal(ecs_answer_task_definition(buf_str(&b), &d, NULL), ERR_OK);
	assert_int_equal(d->containers[0].n_labels, 2);
	assert_int_equal(d->containers[0].labels[0].value.len, TASKDEF_LABEL_KEPT - 1); /* no half of a character */
	assert_str(d->containers[0].labels[1].value, "1");
	taskdef_unref(d);
	buf_free(&b);
}

static void
who_depends_on_a_container_holds_it_at_its_end(void **state)
{
	static const char text[] =
	    "{\"taskDefinition\":{\"taskDefinitionArn\":\"arn:aws:ecs:eu-west-1:123456789012:task-definition/s:1\","
	    "\"containerDefinitions\":[{\"name\":\"app\",\"dependsOn\":[{\"containerName\":\"app\"},{\"containerName\":"
	    "\"nobody\"}]},{\"name\":\"hold\",\"dependsOn\":[{\"containerName\":\"app\",\"condition\":\"START\"}]}]}}";
	struct taskdef *d;

	(void)state;
	assert_int_equal(ecs_answer_task_definition(str_from_cstr(text), &d, NULL), ERR_OK);
	assert_ptr_equal(d->containers[0].held_by, &d->containers[1]);
	assert_null(d->containers[1].held_by);
	taskdef_unref(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_depends_on_a_container_holds_it_at_its_end),
		cmocka_unit_test(every_published_list_is_read),
		cmocka_unit_test(every_published_description_is_read),
		cmocka_unit_test(every_published_definition_is_read),
		cmocka_unit_test(a_page_has_arns_and_perhaps_a_token),
		cmocka_unit_test(what_is_no_list_of_tasks_is_refused_with_its_place),
		cmocka_unit_test(depth_size_and_lengths_are_bounded),
		cmocka_unit_test(a_task_of_its_own_network_is_read),
		cmocka_unit_test(the_attachment_lends_its_address_where_containers_have_none),
		cmocka_unit_test(a_task_that_has_nothing_yet_is_fine),
		cmocka_unit_test(words_that_are_not_invented_yet_are_unknown_not_malformed),
		cmocka_unit_test(bindings_are_ports_and_ranges_of_the_machine),
		cmocka_unit_test(one_malformed_task_does_not_lose_the_others),
		cmocka_unit_test(failures_are_read_and_an_answer_of_something_else_is_refused),
		cmocka_unit_test(every_published_service_has_an_age),
		cmocka_unit_test(services_are_read_with_their_age_and_who_is_missing),
		cmocka_unit_test(what_is_no_answer_about_services_is_refused_with_its_place),
		cmocka_unit_test(tasks_of_two_clusters_in_one_answer_are_told),
		cmocka_unit_test(a_long_reason_is_cut_at_a_character),
		cmocka_unit_test(times_come_as_numbers_and_as_text),
		cmocka_unit_test(a_definition_is_read_whole),
		cmocka_unit_test(the_network_mode_is_bridge_unless_said),
		cmocka_unit_test(what_is_no_definition_is_refused_with_its_place),
		cmocka_unit_test(too_many_labels_are_refused),
		cmocka_unit_test(of_a_label_without_end_the_beginning_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
