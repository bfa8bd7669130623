/* Machines: what AWS answers about them, the table of them, and asking for them. */
#include "config.h"

#include <stdlib.h>

#include "ecs/ecs_answer_host.h"
#include "ecs/ecs_hosting.h"
#include "ecs/ecs_hosts.h"
#include "unit.h"

#define CI "arn:aws:ecs:eu-west-1:123456789012:container-instance/main/"
#define XML                                                                       \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeInstancesResponse " \
	"xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"
#define END        "</DescribeInstancesResponse>"
#define SET(items) XML "<requestId>r</requestId><reservationSet>" items "</reservationSet>" END
#define ONE(inner) "<item><reservationId>r-1</reservationId><instancesSet><item>" inner "</item></instancesSet></item>"

static struct arena *
scratch(void)
{
	struct arena *a = arena_new(ECS_ANSWER_ARENA_MAX);

	assert_non_null(a);
	return a;
}

/* ---- answers ---- */

static void
container_instances_are_read(void **state)
{
	struct ecs_answer_instances answer;
	struct arena *a = scratch();

	(void)state;
	assert_int_equal(
	    ecs_answer_container_instances(a,
		STR("{\"containerInstances\":[{\"containerInstanceArn\":\"" CI "a\",\"ec2InstanceId\":\"i-0a1\","
		    "\"status\":\"ACTIVE\"},{\"containerInstanceArn\":\"" CI "b\",\"ec2InstanceId\":\"mi-0b2\"},"
		    "{\"containerInstanceArn\":\"" CI "c\"}],\"failures\":[{\"arn\":\"" CI
		    "d\",\"reason\":\"MISSING\"}]}"),
		&answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n, 3);
	assert_str(answer.instances[0].arn, CI "a");
	assert_str(answer.instances[0].id, "i-0a1");
	assert_str(answer.instances[1].id, "mi-0b2");
	assert_str(answer.instances[2].id, "");
	assert_int_equal(answer.n_failures, 1);
	assert_str(answer.failures[0].reason, "MISSING");
	arena_free(a);
}

static void
ec2_instances_are_read(void **state)
{
	struct ecs_answer_addresses answer;
	struct arena *a = scratch();

	(void)state;
	assert_int_equal(
	    ecs_answer_ec2_instances(a,
		STR(SET(ONE("<instanceId>i-01</instanceId><privateIpAddress>10.0.0.1</privateIpAddress>"
			    "<networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>FD00::1</ipv6Address>"
			    "</item></ipv6AddressesSet><privateIpAddress>10.9.9.9</privateIpAddress></item>"
			    "</networkInterfaceSet>") ONE("<instanceId>i-02</instanceId><privateIpAddress/>"))),
		&answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n, 2);
	assert_str(answer.addresses[0].id, "i-01");
	assert_str(answer.addresses[0].ipv4, "10.0.0.1");
	assert_str(answer.addresses[0].ipv6, "fd00::1");
	assert_str(answer.addresses[1].id, "i-02");
	assert_str(answer.addresses[1].ipv4, "");
	assert_str(answer.next_token, "");
	assert_int_equal(
	    ecs_answer_ec2_instances(a, STR(XML "<reservationSet/><nextToken>t</nextToken>" END), &answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n, 0);
	assert_str(answer.next_token, "t");
	arena_free(a);
}

static void
managed_instances_are_read(void **state)
{
	struct ecs_answer_addresses answer;
	struct arena *a = scratch();

	(void)state;
	assert_int_equal(
	    ecs_answer_ssm_instances(a,
		STR("{\"InstanceInformationList\":[{\"InstanceId\":\"mi-01\",\"IPAddress\":\"192.168.1.7\","
		    "\"PingStatus\":"
		    "\"Online\"},{\"InstanceId\":\"mi-02\",\"IPAddress\":\"fd00::7\"},{\"InstanceId\":\"mi-03\"}],"
		    "\"NextToken\":\"n\"}"),
		&answer, NULL),
	    ERR_OK);
	assert_int_equal(answer.n, 3);
	assert_str(answer.addresses[0].ipv4, "192.168.1.7");
	assert_str(answer.addresses[1].ipv6, "fd00::7");
	assert_str(answer.addresses[2].ipv4, "");
	assert_str(answer.next_token, "n");
	arena_free(a);
}

static void
other_answers_are_refused(void **state)
{
	static const struct {
		unsigned kind;
		const char *text;
	} cases[] = {
		{ 0, "" },
		{ 0, "{}" },
		{ 0, "{\"containerInstances\":{}}" },
		{ 0, "{\"containerInstances\":[7]}" },
		{ 0, "{\"containerInstances\":[{\"containerInstanceArn\":\"x\"}]}" },
		{ 0,
		    "{\"containerInstances\":[{\"containerInstanceArn\":\"" CI "a\",\"ec2InstanceId\":\"i-1&a=b\"}]}" },
		{ 1, "{}" },
		{ 1, "{\"InstanceInformationList\":[{}]}" },
		{ 1, "{\"InstanceInformationList\":[{\"InstanceId\":\"mi-1\",\"IPAddress\":7}]}" },
		{ 2, "" },
		{ 2, "<html><body>Service Unavailable</body></html>" },
		{ 2, XML END },
		{ 2, XML "<reservationSet>" },
		{ 2, SET(ONE("<privateIpAddress>10.0.0.1</privateIpAddress>")) },
		{ 2, SET(ONE("<instanceId>../etc</instanceId>")) },
		{ 2, SET(ONE("<instanceId>i-1</instanceId><privateIpAddress>10.0.0</privateIpAddress>")) },
		{ 2, SET(ONE("<instanceId>i-1</instanceId><privateIpAddress>169.254.1.1</privateIpAddress>")) },
		{ 2, SET(ONE("<instanceId>i-1</instanceId><ipv6Address>fe80::1</ipv6Address>")) },
		{ 2, "<!DOCTYPE a [<!ENTITY b "
		     "\"c\">]><DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str text = str_from_cstr(cases[i].text);
		struct ecs_answer_instances instances;
		struct ecs_answer_addresses addresses;
		struct arena *a = scratch();
		struct err e = ERR_INIT;
		enum err_code code = cases[i].kind == 0   ? ecs_answer_container_instances(a, text, &instances, &e)
				     : cases[i].kind == 1 ? ecs_answer_ssm_instances(a, text, &addresses, &e)
							  : ecs_answer_ec2_instances(a, text, &addresses, &e);

		CHECK_ROW(code == ERR_PARSE && e.msg[0] != '\0', i, cases[i].text);
		arena_free(a);
	}
}

/* ---- the table ---- */

static void
a_table_keeps_what_was_used_last(void **state)
{
	struct ecs_hosts *h = ecs_hosts_new(3);

	(void)state;
	assert_non_null(ecs_hosts_add(h, STR("b")));
	assert_non_null(ecs_hosts_add(h, STR("c")));
	assert_non_null(ecs_hosts_add(h, STR("a")));
	assert_non_null(ecs_hosts_find(h, STR("b")));
	assert_non_null(ecs_hosts_add(h, STR("d")));
	assert_null(ecs_hosts_find(h, STR("c")));
	assert_non_null(ecs_hosts_find(h, STR("a")));
	assert_non_null(ecs_hosts_find(h, STR("b")));
	ecs_hosts_identify(h, STR("c"), STR("i-1")); /* forgotten: nothing happens */
	assert_null(ecs_hosts_find(h, STR("c")));
	ecs_hosts_free(h);
}

static void
what_is_not_known_is_asked_less_and_less_often(void **state)
{
	struct ecs_hosts *h = ecs_hosts_new(3);
	const struct ecs_host *host = ecs_hosts_add(h, STR("a"));
	struct err why = ERR_INIT;
	int64_t before = 0;

	(void)state;
	err_fill(&why, ERR_AUTH, 0, "denied");
	for (unsigned i = 0; i < 12; i++) {
		ecs_hosts_fail(h, STR("a"), &why, 0);
		assert_true(host->due_ms == 2 * before || before == 0 || host->due_ms == ECS_HOSTS_RETRY_CAP_MS);
		before = host->due_ms;
	}
	assert_int_equal(before, ECS_HOSTS_RETRY_CAP_MS);
	assert_string_equal(host->why.msg, "denied");
	ecs_hosts_identify(h, STR("a"), STR("i-1"));
	ecs_hosts_place(h, STR("a"), STR("10.0.0.1"), STR(""), 5);
	assert_int_equal(host->failures, 0);
	assert_true(host->due_ms == INT64_MAX); /* once: a machine of EC2 keeps its address */
	ecs_hosts_identify(h, STR("a"), STR("mi-1"));
	ecs_hosts_place(h, STR("a"), STR("10.0.0.1"), STR(""), 5);
	assert_int_equal(host->due_ms, 5 + ECS_HOSTS_EXTERNAL_MS);
	ecs_hosts_fail(h, STR("a"), &why, 5);
	assert_str(host->ipv4, "10.0.0.1"); /* no answer is no evidence */
	ecs_hosts_free(h);
}

/* ---- asking ---- */

struct asking {
	struct ecs_hosts *hosts;
	struct ecs_hosting *hosting;
	struct ecs_hosting_ask ask;
	struct buf body;
};

static void
asking_init(struct asking *a, struct ecs_hosts *hosts, int64_t mono_ms, const char *const *arns, size_t n)
{
	a->hosts = hosts;
	a->body = buf_make(ECS_HOSTS_MAX * 64);
	assert_int_equal(ecs_hosting_new(hosts, STR("main"), mono_ms, &a->hosting, NULL), ERR_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ecs_hosting_want(a->hosting, str_from_cstr(arns[i]), NULL), ERR_OK);
	assert_int_equal(ecs_hosting_begin(a->hosting, NULL), ERR_OK);
}

static void
asking_done(struct asking *a)
{
	ecs_hosting_free(a->hosting);
	buf_free(&a->body);
}

static bool
next(struct asking *a)
{
	buf_reset(&a->body);
	return ecs_hosting_next(a->hosting, &a->ask, &a->body);
}

static void
take(struct asking *a, const char *text)
{
	assert_int_equal(ecs_hosting_answer(a->hosting, a->ask.call, str_from_cstr(text), NULL), ERR_OK);
}

static void
machines_are_asked_for_once_by_their_kind(void **state)
{
	static const char *const arns[] = { CI "b", CI "a", CI "b", CI "c", CI "b" };
	struct ecs_hosts *hosts = ecs_hosts_new(ECS_HOSTS_MAX);
	struct asking a;

	(void)state;
	asking_init(&a, hosts, 1000, arns, N_OF(arns));
	assert_true(next(&a));
	assert_string_equal(a.ask.action, "DescribeContainerInstances");
	assert_ptr_equal(a.ask.to, &aws_service_ecs);
	assert_str(
	    buf_str(&a.body), "{\"cluster\":\"main\",\"containerInstances\":[\"" CI "a\",\"" CI "b\",\"" CI "c\"]}");
	assert_false(next(&a)); /* until that is answered */
	take(&a, "{\"containerInstances\":[{\"containerInstanceArn\":\"" CI "a\",\"ec2InstanceId\":\"i-01\"},"
		 "{\"containerInstanceArn\":\"" CI "b\",\"ec2InstanceId\":\"mi-02\"}],\"failures\":[{\"arn\":\"" CI
		 "c\",\"reason\":\"MISSING\"}]}");
	assert_true(next(&a));
	assert_string_equal(a.ask.action, "DescribeInstances");
	assert_ptr_equal(a.ask.to, &aws_service_ec2);
	assert_str(buf_str(&a.body),
	    "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=instance-id&Filter.1.Value.1=i-01"
	    "&IncludeManagedResources=true&MaxResults=1000");
	take(&a, XML "<reservationSet/><nextToken>p 2</nextToken>" END); /* an empty page is no end */
	assert_true(next(&a));
	assert_string_equal(a.ask.action, "DescribeInstanceInformation");
	assert_ptr_equal(a.ask.to, &aws_service_ssm);
	assert_str(
	    buf_str(&a.body), "{\"Filters\":[{\"Key\":\"InstanceIds\",\"Values\":[\"mi-02\"]}],\"MaxResults\":50}");
	take(&a, "{\"InstanceInformationList\":[{\"InstanceId\":\"mi-02\",\"IPAddress\":\"192.168.1.7\"}]}");
	assert_true(next(&a));
	assert_non_null(strstr((const char *)a.body.ptr, "&NextToken=p%202"));
	take(&a, SET(ONE("<instanceId>i-01</instanceId><privateIpAddress>10.0.0.1</privateIpAddress>")));
	assert_false(next(&a));
	assert_str(ecs_hosts_find(hosts, STR(CI "a"))->ipv4, "10.0.0.1");
	assert_str(ecs_hosts_find(hosts, STR(CI "b"))->ipv4, "192.168.1.7");
	assert_string_equal(
	    ecs_hosting_fault(a.hosting).msg, "DescribeContainerInstances tells no address of c, where tasks run");
	asking_done(&a);
	/* Only the one that failed is asked for again, once its time has come. */
	asking_init(&a, hosts, 2000, arns, N_OF(arns));
	assert_false(next(&a));
	assert_int_equal(ecs_hosting_fault(a.hosting).code, ERR_REMOTE);
	asking_done(&a);
	asking_init(&a, hosts, 1000 + ECS_HOSTS_RETRY_MS, arns, N_OF(arns));
	assert_true(next(&a));
	assert_str(buf_str(&a.body), "{\"cluster\":\"main\",\"containerInstances\":[\"" CI "c\"]}");
	asking_done(&a);
	ecs_hosts_free(hosts);
}

static void
batches_hold_what_each_service_takes(void **state)
{
	static char texts[260][128];
	static const char *arns[260];
	struct ecs_hosts *hosts = ecs_hosts_new(ECS_HOSTS_MAX);
	unsigned n_ecs = 0, n_ec2 = 0, n_ssm = 0;
	struct err why = ERR_INIT;
	struct asking a;

	(void)state;
	for (size_t i = 0; i < N_OF(arns); i++) {
		char id[32];

		(void)snprintf(texts[i], sizeof(texts[i]), CI "%03zu", i);
		(void)snprintf(id, sizeof(id), "%s-%03zu", i < 150 ? "i" : "mi", i);
		arns[i] = texts[i];
		if (i == 259)
			continue;
		assert_non_null(ecs_hosts_add(hosts, str_from_cstr(arns[i])));
		ecs_hosts_identify(hosts, str_from_cstr(arns[i]), str_from_cstr(id));
	}
	err_fill(&why, ERR_AUTH, 0, "denied");
	asking_init(&a, hosts, 1, arns, N_OF(arns));
	while (next(&a)) {
		n_ecs += a.ask.to == &aws_service_ecs;
		n_ec2 += a.ask.to == &aws_service_ec2;
		n_ssm += a.ask.to == &aws_service_ssm;
		ecs_hosting_failed(a.hosting, a.ask.call, &why);
	}
	assert_int_equal(n_ecs, 1);
	assert_int_equal(n_ec2, 2);
	assert_int_equal(n_ssm, 3);
	assert_string_equal(ecs_hosting_fault(a.hosting).msg, "denied");
	asking_done(&a);
	asking_init(&a, hosts, 1 + ECS_HOSTS_RETRY_MS, arns, N_OF(arns));
	assert_true(next(&a));
	ecs_hosting_failed(a.hosting, a.ask.call, &why);
	assert_true(next(&a));
	ecs_hosting_failed(a.hosting, a.ask.call, &why);
	ecs_hosting_give_up(a.hosting, &why); /* what was not asked for waits, too */
	assert_false(next(&a));
	asking_done(&a);
	asking_init(&a, hosts, 2 + ECS_HOSTS_RETRY_MS, arns, N_OF(arns));
	assert_false(next(&a));
	asking_done(&a);
	ecs_hosts_free(hosts);
}

/* A machine of ECS Anywhere tells Systems Manager its own address. */
static void
a_machine_that_tells_no_address_of_a_server_keeps_no_other_out(void **state)
{
	static const char *const arns[] = { CI "a", CI "b" };
	static const char *const lies[] = { "169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:10.0.0.1", "localhost" };

	(void)state;
	for (size_t i = 0; i < N_OF(lies); i++) {
		struct ecs_hosts *hosts = ecs_hosts_new(ECS_HOSTS_MAX);
		struct asking a;
		char text[256];

		for (size_t k = 0; k < N_OF(arns); k++)
			assert_non_null(ecs_hosts_add(hosts, str_from_cstr(arns[k])));
		ecs_hosts_identify(hosts, STR(CI "a"), STR("mi-1"));
		ecs_hosts_identify(hosts, STR(CI "b"), STR("mi-2"));
		asking_init(&a, hosts, 1, arns, N_OF(arns));
		assert_true(next(&a));
		(void)snprintf(text, sizeof(text),
		    "{\"InstanceInformationList\":[{\"InstanceId\":\"mi-1\",\"IPAddress\":\"%s\"},"
		    "{\"InstanceId\":\"mi-2\",\"IPAddress\":\"192.168.1.7\"}]}",
		    lies[i]);
		take(&a, text);
		assert_str(ecs_hosts_find(hosts, STR(CI "a"))->ipv4, "");
		assert_str(ecs_hosts_find(hosts, STR(CI "a"))->ipv6, "");
		assert_str(ecs_hosts_find(hosts, STR(CI "b"))->ipv4, "192.168.1.7");
		(void)snprintf(text, sizeof(text),
		    "mi-1, where tasks run, says of itself `%s`, which is not an address that a server can have",
		    lies[i]);
		assert_string_equal(ecs_hosting_fault(a.hosting).msg, text);
		asking_done(&a);
		ecs_hosts_free(hosts);
	}
}

static void
endless_pages_of_machines_end(void **state)
{
	static const char *const arns[] = { CI "a" };
	struct ecs_hosts *hosts = ecs_hosts_new(ECS_HOSTS_MAX);
	unsigned n = 0;
	struct asking a;

	(void)state;
	assert_non_null(ecs_hosts_add(hosts, STR(CI "a")));
	ecs_hosts_identify(hosts, STR(CI "a"), STR("i-1"));
	asking_init(&a, hosts, 1, arns, 1);
	while (next(&a)) {
		struct str page = STR(XML "<reservationSet/><nextToken>t</nextToken>" END);

		n++;
		(void)ecs_hosting_answer(a.hosting, a.ask.call, page, NULL);
	}
	assert_int_equal(n, ECS_HOSTING_PAGES_MAX);
	assert_int_equal(ecs_hosting_fault(a.hosting).code, ERR_LIMIT);
	asking_done(&a);
	ecs_hosts_free(hosts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(container_instances_are_read),
		cmocka_unit_test(ec2_instances_are_read),
		cmocka_unit_test(managed_instances_are_read),
		cmocka_unit_test(other_answers_are_refused),
		cmocka_unit_test(a_table_keeps_what_was_used_last),
		cmocka_unit_test(what_is_not_known_is_asked_less_and_less_often),
		cmocka_unit_test(machines_are_asked_for_once_by_their_kind),
		cmocka_unit_test(batches_hold_what_each_service_takes),
		cmocka_unit_test(a_machine_that_tells_no_address_of_a_server_keeps_no_other_out),
		cmocka_unit_test(endless_pages_of_machines_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
