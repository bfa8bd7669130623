/* ARNs, taken apart. */
#include "config.h"

#include "ecs/arn.h"
#include "unit.h"

static void
an_arn_has_five_fields_and_a_resource_with_colons(void **state)
{
	struct arn a;

	(void)state;
	assert_true(arn_parse(STR("arn:aws:sqs:eu-west-1:123456789012:queue:with:colons"), &a));
	assert_str(a.partition, "aws");
	assert_str(a.service, "sqs");
	assert_str(a.region, "eu-west-1");
	assert_str(a.account, "123456789012");
	assert_str(a.resource, "queue:with:colons");
	assert_true(arn_parse(STR("arn:aws:iam::123456789012:role/x"), &a));
	assert_str(a.region, "");
}

static void
what_is_no_arn_is_refused_and_leaves_ret_alone(void **state)
{
	static const char *const bad[] = { "", "arn", "arn:aws:ecs:eu-west-1:1", "urn:aws:ecs:r:1:task/a/b",
		"arn::ecs:r:1:x", "arn:aws::r:1:x", "arn:aws:ecs:r:1:", "arn:aws:ecs:r:1:task/a b",
		"arn:aws:ecs:r:1:task/a\n", "arn:aws:ecs:r:1:t\xc3\xa4sk" };
	struct arn a = { .service = STR("before") };

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(arn_parse(str_from_cstr(bad[i]), &a));
	assert_str(a.service, "before");
}

static void
an_arn_longer_than_the_limit_is_refused(void **state)
{
	char text[ARN_MAX + 1];
	struct arn a;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "arn:aws:ecs:r:1:", 16);
	assert_true(arn_parse(str_of(text, ARN_MAX), &a));
	assert_false(arn_parse(str_of(text, ARN_MAX + 1), &a));
}

static void
a_task_has_a_cluster_except_in_old_accounts(void **state)
{
	static const struct {
		const char *text, *cluster, *id;
	} cases[] = {
		{ "arn:aws:ecs:us-east-1:123456789012:task/MyCluster/4d590253bb114126b7afa7b58eea9221", "MyCluster",
		    "4d590253bb114126b7afa7b58eea9221" },
		{ "arn:aws-cn:ecs:cn-north-1:123456789012:task/0cc43cdb-3bee-4407-9c26-c0e6ea5bee84", "",
		    "0cc43cdb-3bee-4407-9c26-c0e6ea5bee84" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str cluster, id;
		struct arn a;

		assert_true(arn_parse_task(str_from_cstr(cases[i].text), &a, &cluster, &id));
		assert_str(cluster, cases[i].cluster);
		assert_str(id, cases[i].id);
		assert_str(a.account, "123456789012");
	}
}

static void
what_is_no_task_is_refused(void **state)
{
	static const char *const bad[] = { "arn:aws:ecs:r:1:task/", "arn:aws:ecs:r:1:task/c/",
		"arn:aws:ecs:r:1:task//id", "arn:aws:ecs:r:1:task/c/id/more", "arn:aws:ecs:r:1:task/c/id;x",
		"arn:aws:ecs:r:1:task/c.d/id", "arn:aws:ecs::1:task/c/id", "arn:aws:ecs:r::task/c/id",
		"arn:aws:ec2:r:1:task/c/id", "arn:aws:ecs:r:1:cluster/c", "arn:aws:ecs:r:1:tasks/c/id",
		"arn:aws:ecs:r:1:task/c/12345678901234567890123456789012345678901234567890123456789012345" };

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct str cluster, id;
		struct arn a;

		assert_false(arn_parse_task(str_from_cstr(bad[i]), &a, &cluster, &id));
	}
}

static void
a_definition_is_a_family_and_a_revision(void **state)
{
	static const char *const bad[] = { "arn:aws:ecs:r:1:task-definition/web",
		"arn:aws:ecs:r:1:task-definition/web:", "arn:aws:ecs:r:1:task-definition/web:0",
		"arn:aws:ecs:r:1:task-definition/web:-1", "arn:aws:ecs:r:1:task-definition/web:4294967296",
		"arn:aws:ecs:r:1:task-definition/:1", "arn:aws:ecs:r:1:task-definition/w b:1",
		"arn:aws:ecs:r:1:task-definition/web:1:2", "web:1" };
	struct str family;
	unsigned revision;

	(void)state;
	assert_true(arn_parse_definition(STR("arn:aws:ecs:r:1:task-definition/hello_world:8"), &family, &revision));
	assert_str(family, "hello_world");
	assert_int_equal(revision, 8);
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(arn_parse_definition(str_from_cstr(bad[i]), &family, &revision));
}

static void
a_cluster_goes_by_its_name_or_its_arn(void **state)
{
	(void)state;
	assert_str(arn_cluster_name(STR("prod")), "prod");
	assert_str(arn_cluster_name(STR("arn:aws:ecs:eu-west-1:123456789012:cluster/prod")), "prod");
	assert_str(arn_cluster_name(STR("arn:aws:ecs:eu-west-1:123456789012:task/prod/x")),
	    "arn:aws:ecs:eu-west-1:123456789012:task/prod/x");
	assert_str(arn_cluster_name(STR("")), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arn_has_five_fields_and_a_resource_with_colons),
		cmocka_unit_test(what_is_no_arn_is_refused_and_leaves_ret_alone),
		cmocka_unit_test(an_arn_longer_than_the_limit_is_refused),
		cmocka_unit_test(a_task_has_a_cluster_except_in_old_accounts),
		cmocka_unit_test(what_is_no_task_is_refused),
		cmocka_unit_test(a_definition_is_a_family_and_a_revision),
		cmocka_unit_test(a_cluster_goes_by_its_name_or_its_arn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
