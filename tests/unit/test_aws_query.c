/* Bodies of calls to query services. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aws/aws_query.h"

static void
assert_body(const struct buf *body, const char *want)
{
	assert_int_equal(buf_failed(body, NULL), ERR_OK);
	assert_int_equal(body->len, strlen(want));
	assert_memory_equal(body->ptr, want, body->len);
}

static void
a_body_begins_with_action_and_version(void **state)
{
	struct buf body = buf_make(1000);

	(void)state;
	aws_query_begin(&body, &aws_service_sts, "GetCallerIdentity");
	assert_body(&body, "Action=GetCallerIdentity&Version=2011-06-15");
	buf_free(&body);
}

static void
values_are_encoded_whatever_they_hold(void **state)
{
	struct buf body = buf_make(1000);

	(void)state;
	aws_query_begin(&body, &aws_service_ec2, "DescribeInstances");
	aws_query_put(&body, "Filter.1.Name", STR("instance-id"));
	aws_query_put_nth(&body, "Filter.1.Value", 1, STR("i-0~a_b.c"));
	aws_query_put_nth(&body, "Filter.1.Value", 2, STR(" &=+/%\n\0\xff"));
	aws_query_put(&body, "Empty", STR(""));
	assert_body(&body, "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=instance-id"
			   "&Filter.1.Value.1=i-0~a_b.c&Filter.1.Value.2=%20%26%3D%2B%2F%25%0A%00%FF&Empty=");
	buf_free(&body);
}

static void
a_body_over_its_limit_is_an_error(void **state)
{
	struct buf body = buf_make(60);

	(void)state;
	aws_query_begin(&body, &aws_service_ec2, "DescribeInstances");
	aws_query_put(&body, "Name", STR("a value that has no room any more"));
	assert_int_equal(buf_failed(&body, NULL), ERR_LIMIT);
	buf_free(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_begins_with_action_and_version),
		cmocka_unit_test(values_are_encoded_whatever_they_hold),
		cmocka_unit_test(a_body_over_its_limit_is_an_error),
	};

	return cmocka_run_group_tests_name("aws_query", tests, NULL, NULL);
}
