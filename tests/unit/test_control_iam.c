/* The IAM policy of a configuration: what is in it, and that nothing else is. */
#include "config.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/arena.h"
#include "control/control_iam.h"

#include "unit.h"

#define HAPROXY   "haproxy: {socket: /run/h.sock}\n"
#define ARN_OF(x) "arn:aws:ecs:eu-west-1:" x

static const char *
no_env(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static json_t *
policy_of(const char *yaml)
{
	const struct env env = { .get = no_env };
	struct arena *a = arena_new(CONF_ARENA_MAX);
	struct buf out = buf_make((size_t)1 << 20);
	struct conf_notes faults = { 0 };
	const struct conf *conf = NULL;
	json_t *policy;

	assert_int_equal(conf_parse(a, str_from_cstr(yaml), &env, &conf, &faults, NULL), ERR_OK);
	control_iam_print(conf, &out);
	assert_int_equal(buf_failed(&out, NULL), ERR_OK);
	assert_int_equal(out.ptr[out.len - 1], '\n');
	policy = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(policy);
	assert_string_equal(json_string_value(json_object_get(policy, "Version")), "2012-10-17");
	buf_free(&out);
	arena_free(a);
	return policy;
}

/* The statement as its own text: keys in IAM's usual order. */
static void
assert_statement(const json_t *policy, size_t at, const char *want)
{
	char *text = json_dumps(json_array_get(json_object_get(policy, "Statement"), at), JSON_COMPACT);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static size_t
count(const json_t *policy)
{
	return json_array_size(json_object_get(policy, "Statement"));
}

static const char *
sid_at(const json_t *policy, size_t at)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(policy, "Statement"), at), "Sid"));
}

static void
a_cluster_by_name_and_nothing_else(void **state)
{
	json_t *p = policy_of("ecs: {region: eu-west-1, clusters: [prod]}\n" HAPROXY);

	(void)state;
	assert_int_equal(count(p), 8);
	assert_statement(p, 0,
	    "{\"Sid\":\"ListTasks\",\"Effect\":\"Allow\",\"Action\":[\"ecs:ListTasks\"],\"Resource\":\"*\","
	    "\"Condition\":{\"ArnEquals\":{\"ecs:cluster\":[\"" ARN_OF("*:cluster/prod") "\"]}}}");
	assert_statement(p, 1,
	    "{\"Sid\":\"DescribeTasks\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeTasks\"],"
	    "\"Resource\":[\"" ARN_OF("*:task/prod/*") "\"]}");
	assert_statement(p, 2,
	    "{\"Sid\":\"DescribeClusters\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeClusters\"],"
	    "\"Resource\":[\"" ARN_OF("*:cluster/prod") "\"]}");
	assert_statement(p, 3,
	    "{\"Sid\":\"DescribeTaskDefinition\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeTaskDefinition\"],"
	    "\"Resource\":\"*\"}");
	assert_statement(p, 4,
	    "{\"Sid\":\"RoutesByLabelsOnly\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeServices\"],"
	    "\"Resource\":[\"" ARN_OF("*:service/prod/*") "\"]}");
	assert_statement(p, 5,
	    "{\"Sid\":\"BridgeHostOrAnywhereOnly\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeContainerInstances\"]"
	    ","
	    "\"Resource\":[\"" ARN_OF("*:container-instance/prod/*") "\"]}");
	assert_statement(p, 6,
	    "{\"Sid\":\"BridgeOrHostOnly\",\"Effect\":\"Allow\",\"Action\":[\"ec2:DescribeInstances\"],"
	    "\"Resource\":\"*\"}");
	assert_statement(p, 7,
	    "{\"Sid\":\"EcsAnywhereOnly\",\"Effect\":\"Allow\",\"Action\":[\"ssm:DescribeInstanceInformation\"],"
	    "\"Resource\":\"*\"}");
	json_decref(p);
}

static void
accounts_are_told_by_the_cluster_or_the_role(void **state)
{
	json_t *p = policy_of("ecs: {region: eu-west-1, clusters: [prod, \"" ARN_OF(
	    "111111111111:cluster/far") "\"],\n"
					"  role_arn: \"arn:aws:iam::222222222222:role/read\"}\n" HAPROXY);

	(void)state;
	assert_int_equal(count(p), 9);
	assert_statement(p, 0,
	    "{\"Sid\":\"AssumeRole\",\"Effect\":\"Allow\",\"Action\":[\"sts:AssumeRole\"],"
	    "\"Resource\":\"arn:aws:iam::222222222222:role/read\"}");
	assert_statement(p, 2,
	    "{\"Sid\":\"DescribeTasks\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeTasks\"],\"Resource\":["
	    "\"" ARN_OF("222222222222:task/prod/*") "\",\"" ARN_OF("111111111111:task/far/*") "\"]}");
	json_decref(p);
}

static void
clusters_are_listed_for_the_star_only(void **state)
{
	json_t *star = policy_of("ecs: {region: eu-west-1, clusters: [\"*\"]}\n" HAPROXY);
	json_t *own = policy_of("ecs: {region: eu-west-1}\n" HAPROXY);

	(void)state;
	assert_int_equal(count(star), 9);
	assert_statement(star, 0,
	    "{\"Sid\":\"ListClusters\",\"Effect\":\"Allow\",\"Action\":[\"ecs:ListClusters\"],\"Resource\":\"*\"}");
	assert_statement(star, 2,
	    "{\"Sid\":\"DescribeTasks\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeTasks\"],"
	    "\"Resource\":[\"" ARN_OF("*:task/*") "\"]}");
	assert_int_equal(count(own), 8);
	assert_statement(own, 2,
	    "{\"Sid\":\"DescribeClusters\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeClusters\"],"
	    "\"Resource\":[\"" ARN_OF("*:cluster/*") "\"]}");
	json_decref(star);
	json_decref(own);
}

static void
partitions_are_those_of_the_region(void **state)
{
	json_t *p =
	    policy_of("ecs:\n  - {region: cn-north-1, clusters: [a]}\n  - {region: us-gov-west-1, clusters: [a]}\n"
		      "  - {region: us-east-1, clusters: [a]}\n" HAPROXY);

	(void)state;
	assert_int_equal(count(p), 24);
	assert_statement(p, 1,
	    "{\"Sid\":\"DescribeTasksCnNorth1\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeTasks\"],"
	    "\"Resource\":[\"arn:aws-cn:ecs:cn-north-1:*:task/a/*\"]}");
	assert_statement(p, 9,
	    "{\"Sid\":\"DescribeTasksUsGovWest1\",\"Effect\":\"Allow\",\"Action\":[\"ecs:DescribeTasks\"],"
	    "\"Resource\":[\"arn:aws-us-gov:ecs:us-gov-west-1:*:task/a/*\"]}");
	assert_string_equal(sid_at(p, 17), "DescribeTasksUsEast1");
	json_decref(p);
}

static void
sids_differ_though_names_do_not_enough(void **state)
{
	json_t *p = policy_of("ecs:\n  - {name: a-b, region: eu-west-1, clusters: [a]}\n"
			      "  - {name: a_b, region: eu-west-1, clusters: [b]}\n" HAPROXY);

	(void)state;
	assert_string_equal(sid_at(p, 0), "ListTasksSource1");
	assert_string_equal(sid_at(p, 8), "ListTasksSource2");
	json_decref(p);
}

static void
who_reads_no_labels_asks_for_no_service(void **state)
{
	json_t *p = policy_of("ecs: {region: eu-west-1, clusters: [prod], labels: []}\n" HAPROXY);

	(void)state;
	assert_int_equal(count(p), 7);
	for (size_t i = 0; i < count(p); i++)
		assert_string_not_equal(sid_at(p, i), "RoutesByLabelsOnly");
	json_decref(p);
}

static void
queues_and_topics_are_asked_for_with_events_only(void **state)
{
	json_t *p =
	    policy_of("ecs: {region: eu-west-1, clusters: [a],\n"
		      "  events: {queue: \"https://sqs.eu-west-1.amazonaws.com/123456789012/told\"}}\n" HAPROXY);
	json_t *topic = policy_of("ecs: {region: eu-west-1, clusters: [a],\n"
				  "  events: {topic: \"arn:aws:sns:eu-west-1:123456789012:told\"}}\n" HAPROXY);

	(void)state;
	assert_int_equal(count(p), 9);
	assert_statement(p, 8,
	    "{\"Sid\":\"Events\",\"Effect\":\"Allow\",\"Action\":[\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\","
	    "\"sqs:GetQueueAttributes\"],\"Resource\":\"arn:aws:sqs:eu-west-1:123456789012:told\"}");
	assert_int_equal(count(topic), 10);
	assert_statement(topic, 8,
	    "{\"Sid\":\"EventsTopic\",\"Effect\":\"Allow\",\"Action\":[\"sns:Subscribe\",\"sns:Unsubscribe\"],"
	    "\"Resource\":\"arn:aws:sns:eu-west-1:123456789012:told\"}");
	assert_string_equal(sid_at(topic, 9), "EventsOwnQueue");
	json_decref(p);
	json_decref(topic);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_by_name_and_nothing_else),
		cmocka_unit_test(accounts_are_told_by_the_cluster_or_the_role),
		cmocka_unit_test(clusters_are_listed_for_the_star_only),
		cmocka_unit_test(partitions_are_those_of_the_region),
		cmocka_unit_test(sids_differ_though_names_do_not_enough),
		cmocka_unit_test(who_reads_no_labels_asks_for_no_service),
		cmocka_unit_test(queues_and_topics_are_asked_for_with_events_only),
	};

	return cmocka_run_group_tests_name("control_iam", tests, NULL, NULL);
}
