/* Where services are, and which overriding URLs are taken. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aws/aws_endpoint.h"

static void
a_region_leads_to_the_endpoint_of_its_partition(void **state)
{
	static const struct {
		const char *service, *region, *host;
	} cases[] = {
		{ "ecs", "eu-west-1", "ecs.eu-west-1.amazonaws.com" },
		{ "ecs", "us-gov-west-1", "ecs.us-gov-west-1.amazonaws.com" },
		{ "ecs", "cn-north-1", "ecs.cn-north-1.amazonaws.com.cn" },
		{ "sqs", "eusc-de-east-1", "sqs.eusc-de-east-1.amazonaws.eu" },
		{ "ec2", "us-iso-east-1", "ec2.us-iso-east-1.c2s.ic.gov" },
		{ "ec2", "us-isob-east-1", "ec2.us-isob-east-1.sc2s.sgov.gov" },
		{ "sts", "xx-new-9", "sts.xx-new-9.amazonaws.com" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_endpoint at;

		assert_int_equal(aws_endpoint_make(str_from_cstr(cases[i].service), str_from_cstr(cases[i].region),
				     STR(""), &at, NULL),
		    ERR_OK);
		assert_string_equal(at.host, cases[i].host);
		assert_string_equal(at.path, "/");
		assert_memory_equal(at.url, "https://", 8);
		assert_memory_equal(at.url + 8, cases[i].host, strlen(cases[i].host));
		assert_string_equal(at.url + 8 + strlen(cases[i].host), "/");
	}
}

static void
partitions_are_named_as_arns_name_them(void **state)
{
	static const struct {
		const char *region, *partition;
	} cases[] = {
		{ "eu-west-1", "aws" },
		{ "cn-north-1", "aws-cn" },
		{ "us-gov-west-1", "aws-us-gov" },
		{ "us-iso-east-1", "aws-iso" },
		{ "us-isob-east-1", "aws-iso-b" },
		{ "eusc-de-east-1", "aws-eusc" },
		{ "xx-new-9", "aws" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(aws_endpoint_partition(str_from_cstr(cases[i].region)), cases[i].partition);
}

static void
an_override_keeps_its_port_and_path(void **state)
{
	static const struct {
		const char *override, *url, *host, *path;
	} cases[] = {
		{ "http://127.0.0.1:4566", "http://127.0.0.1:4566/", "127.0.0.1:4566", "/" },
		{ "http://127.0.0.1:80/", "http://127.0.0.1/", "127.0.0.1", "/" },
		{ "https://h:443", "https://h/", "h", "/" },
		{ "https://h:80", "https://h:80/", "h:80", "/" },
		{ "http://h:443", "http://h:443/", "h:443", "/" },
		{ "http://h/a/b", "http://h/a/b/", "h", "/a/b/" },
		{ "http://h/a/b/", "http://h/a/b/", "h", "/a/b/" },
		{ "http://h//", "http://h/", "h", "/" },
		{ "https://VPCE-1.Ecs.example", "https://vpce-1.ecs.example/", "vpce-1.ecs.example", "/" },
		{ "http://[::1]:8080/x", "http://[::1]:8080/x/", "[::1]:8080", "/x/" },
		{ "http://[FD00:ec2::254]", "http://[fd00:ec2::254]/", "[fd00:ec2::254]", "/" },
		{ "http://aws_fake:4566", "http://aws_fake:4566/", "aws_fake:4566", "/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_endpoint at;

		assert_int_equal(
		    aws_endpoint_make(STR("ecs"), STR("eu-west-1"), str_from_cstr(cases[i].override), &at, NULL),
		    ERR_OK);
		assert_string_equal(at.url, cases[i].url);
		assert_string_equal(at.host, cases[i].host);
		assert_string_equal(at.path, cases[i].path);
	}
}

static void
an_override_that_is_no_plain_base_url_is_refused(void **state)
{
	static const char *const cases[] = {
		"ecs.example",
		"ftp://h",
		"HTTP://h",
		"http://",
		"http:///x",
		"http://h:",
		"http://h:0",
		"http://h:65536",
		"http://h:8x",
		"http://user:secret@h",
		"http://h/a?b",
		"http://h?b",
		"http://h/#f",
		"http://h/a b",
		"http://h\r\nX: y",
		"http://[::1",
		"http://[::1]x",
		"http://[]",
		"http://::1",
		"http://h/\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_endpoint at = { .url = "untouched" };
		struct err e = ERR_INIT;

		assert_int_equal(
		    aws_endpoint_make(STR("ecs"), STR("eu-west-1"), str_from_cstr(cases[i]), &at, &e), ERR_CONF);
		assert_string_equal(at.url, "untouched");
		assert_null(strstr(e.msg, "secret"));
	}
}

static void
an_override_that_is_too_long_is_refused(void **state)
{
	char url[AWS_ENDPOINT_URL_MAX + 8] = "http://h/";
	struct aws_endpoint at;

	(void)state;
	memset(url + 9, 'a', sizeof(url) - 9);
	for (size_t n = AWS_ENDPOINT_URL_MAX - 3; n < sizeof(url); n++)
		assert_int_equal(aws_endpoint_make(STR("ecs"), STR("r"), str_of(url, n), &at, NULL),
		    n + 1 < AWS_ENDPOINT_URL_MAX ? ERR_OK : ERR_CONF);
	assert_int_equal(
	    aws_endpoint_make(STR("ecs"), STR("r"), str_of(url, AWS_ENDPOINT_URL_MAX - 2), &at, NULL), ERR_OK);
	assert_int_equal(strlen(at.url), AWS_ENDPOINT_URL_MAX - 1);
}

static void
a_region_that_is_no_name_is_refused(void **state)
{
	static const char *const cases[] = { "", "EU-WEST-1", "eu west", "eu/west", "a.b", "-a", "evil.example/" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_endpoint at;

		assert_int_equal(aws_endpoint_make(STR("ecs"), str_from_cstr(cases[i]), STR(""), &at, NULL), ERR_CONF);
	}
}

static void
a_region_is_no_longer_than_a_label_of_a_host(void **state)
{
	struct aws_endpoint at;
	char region[64];

	(void)state;
	memset(region, 'a', sizeof(region));
	assert_int_equal(aws_endpoint_make(STR("ecs"), str_of(region, 63), STR(""), &at, NULL), ERR_OK);
	assert_int_equal(aws_endpoint_make(STR("ecs"), str_of(region, 64), STR(""), &at, NULL), ERR_CONF);
}

/* botocore's own answers (facts/ecs.md, section 2, "Endpoints"). */
static void
fips_and_dualstack_have_names_of_their_own(void **state)
{
	static const struct {
		const struct aws_service *of;
		const char *region;
		bool fips, dualstack;
		const char *host;
	} cases[] = {
		{ &aws_service_ecs, "eu-west-1", true, false, "ecs-fips.eu-west-1.amazonaws.com" },
		{ &aws_service_ecs, "eu-west-1", false, true, "ecs.eu-west-1.api.aws" },
		{ &aws_service_ecs, "eu-west-1", true, true, "ecs-fips.eu-west-1.api.aws" },
		{ &aws_service_ecs, "us-gov-west-1", true, false, "ecs-fips.us-gov-west-1.amazonaws.com" },
		{ &aws_service_sts, "us-gov-west-1", true, false, "sts.us-gov-west-1.amazonaws.com" },
		{ &aws_service_ec2, "us-gov-west-1", true, true, "ec2-fips.us-gov-west-1.api.aws" },
		{ &aws_service_ec2, "cn-north-1", false, true, "ec2.cn-north-1.api.amazonwebservices.com.cn" },
		{ &aws_service_sts, "cn-north-1", true, false, "sts-fips.cn-north-1.amazonaws.com.cn" },
		{ &aws_service_ecs, "eusc-de-east-1", false, true, "ecs.eusc-de-east-1.api.amazonwebservices.eu" },
		{ &aws_service_ecs, "us-iso-east-1", true, true, "ecs-fips.us-iso-east-1.api.aws.ic.gov" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_endpoint_choice choice = {
			.region = str_from_cstr(cases[i].region), .fips = cases[i].fips, .dualstack = cases[i].dualstack
		};
		struct aws_endpoint at;

		assert_int_equal(aws_endpoint_of(cases[i].of, &choice, &at, NULL), ERR_OK);
		assert_string_equal(at.host, cases[i].host);
	}
}

struct variable {
	const char *name, *value;
};

static const char *
get_variable(void *arg, const char *name)
{
	for (const struct variable *v = arg; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static void
an_endpoint_is_the_configuration_s_then_the_service_s_then_anybody_s(void **state)
{
	static const struct {
		struct variable env[4];
		const char *configured, *override, *from;
		bool fips, dualstack;
	} cases[] = {
		{ { { NULL, NULL } }, "", "", "its `region`", false, false },
		{ { { "AWS_ENDPOINT_URL", "http://any" } }, "", "http://any", "AWS_ENDPOINT_URL", false, false },
		{ { { "AWS_ENDPOINT_URL", "http://any" }, { "AWS_ENDPOINT_URL_STS", "http://sts" } }, "", "http://sts",
		    "AWS_ENDPOINT_URL_STS", false, false },
		{ { { "AWS_ENDPOINT_URL_ECS", "http://ecs" } }, "", "", "its `region`", false, false },
		{ { { "AWS_ENDPOINT_URL_STS", "http://sts" } }, "http://mine", "http://mine", "its `endpoint`", false,
		    false },
		{ { { "AWS_ENDPOINT_URL_STS", "http://sts" }, { "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true" } }, "",
		    "", "its `region`", false, false },
		{ { { "AWS_USE_FIPS_ENDPOINT", "TRUE" }, { "AWS_USE_DUALSTACK_ENDPOINT", "true" } }, "", "",
		    "its `region`", true, true },
		{ { { "AWS_USE_FIPS_ENDPOINT", "1" }, { "AWS_USE_DUALSTACK_ENDPOINT", "" } }, "", "", "its `region`",
		    false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct variable variables[4];
		const struct env env = { .get = get_variable, .arg = variables };
		struct aws_endpoint_choice got;
		const char *from;

		memcpy(variables, cases[i].env, sizeof(variables));
		got = aws_endpoint_choose(
		    &aws_service_sts, STR("eu-west-1"), str_from_cstr(cases[i].configured), &env, &from);
		assert_true(str_eq(got.override, str_from_cstr(cases[i].override)));
		assert_string_equal(from, cases[i].from);
		assert_int_equal(got.fips, cases[i].fips);
		assert_int_equal(got.dualstack, cases[i].dualstack);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fips_and_dualstack_have_names_of_their_own),
		cmocka_unit_test(an_endpoint_is_the_configuration_s_then_the_service_s_then_anybody_s),
		cmocka_unit_test(a_region_leads_to_the_endpoint_of_its_partition),
		cmocka_unit_test(partitions_are_named_as_arns_name_them),
		cmocka_unit_test(an_override_keeps_its_port_and_path),
		cmocka_unit_test(an_override_that_is_no_plain_base_url_is_refused),
		cmocka_unit_test(an_override_that_is_too_long_is_refused),
		cmocka_unit_test(a_region_that_is_no_name_is_refused),
		cmocka_unit_test(a_region_is_no_longer_than_a_label_of_a_host),
	};

	return cmocka_run_group_tests_name("aws_endpoint", tests, NULL, NULL);
}
