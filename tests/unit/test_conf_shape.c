/* What each kind of text in rollcall.yaml may hold, at its limits and around them. */
#include "config.h"

#include "conf/conf_shape.h"
#include "unit.h"

#define ARN "arn:aws:iam::123456789012:role/"

struct row {
	const struct conf_shape *shape;
	const char *text;
	bool is;
};

static const struct row rows[] = {
	{ &conf_shape_source_name, "eu-1_a.b", true },
	{ &conf_shape_source_name, "", false },
	{ &conf_shape_source_name, "a b", false },
	{ &conf_shape_source_glob, "eu-*", true },
	{ &conf_shape_source_glob, "eu/*", false },
	{ &conf_shape_region, "eu-west-1", true },
	{ &conf_shape_region, "", false },
	{ &conf_shape_region, "-eu", false },
	{ &conf_shape_region, "eu-", false },
	{ &conf_shape_region, "EU-WEST-1", false },
	{ &conf_shape_region, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
	{ &conf_shape_region, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	{ &conf_shape_cluster, "*", true },
	{ &conf_shape_cluster, "main", true },
	{ &conf_shape_cluster, "", false },
	{ &conf_shape_cluster, "main*", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:123456789012:cluster/main", true },
	{ &conf_shape_cluster, "arn:aws-cn:ecs:eu-west-1:123456789012:cluster/main", true },
	{ &conf_shape_cluster, "arn:aws-:ecs:eu-west-1:123456789012:cluster/main", false },
	{ &conf_shape_cluster, "arn:gcp:ecs:eu-west-1:123456789012:cluster/main", false },
	{ &conf_shape_cluster, "urn:aws:ecs:eu-west-1:123456789012:cluster/main", false },
	{ &conf_shape_cluster, "arn:aws:ec2:eu-west-1:123456789012:cluster/main", false },
	{ &conf_shape_cluster, "arn:aws:ecs::123456789012:cluster/main", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:12345678901:cluster/main", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:12345678901x:cluster/main", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:123456789012:service/main", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:123456789012:cluster/", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:123456789012:cluster/a/b", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1:123456789012", false },
	{ &conf_shape_cluster, "arn:aws:ecs:eu-west-1", false },
	{ &conf_shape_cluster, "arn:aws:ecs", false },
	{ &conf_shape_cluster, "arn:aws", false },
	{ &conf_shape_cluster, "arn:", false },
	{ &conf_shape_cluster_glob, "arn:aws:ecs:*:*:cluster/m?in", true },
	{ &conf_shape_cluster_glob, "a b", false },
	{ &conf_shape_service_glob, "family:web-*", true },
	{ &conf_shape_service_glob, "web/api", false },
	{ &conf_shape_container_glob, "app-?", true },
	{ &conf_shape_container_glob, "a:b", false },
	{ &conf_shape_url, "http://127.0.0.1:4318", true },
	{ &conf_shape_url, "https://a.example/b/c", true },
	{ &conf_shape_url, "ftp://a.example", false },
	{ &conf_shape_url, "http://", false },
	{ &conf_shape_url, "http:///x", false },
	{ &conf_shape_url, "http://:80/x", false },
	{ &conf_shape_url, "http://me@a.example", false },
	{ &conf_shape_url, "http://a.example/?x", false },
	{ &conf_shape_url, "http://a.example/#x", false },
	{ &conf_shape_url, "http://a b", false },
	{ &conf_shape_url, "http://a\"b", false },
	{ &conf_shape_secret, "s3cr+t/", true },
	{ &conf_shape_secret, "", false },
	{ &conf_shape_secret, "a'b", false },
	{ &conf_shape_secret, "a\\b", false },
	{ &conf_shape_secret, "\x7f", false },
	{ &conf_shape_profile, "my profile", true },
	{ &conf_shape_profile, "my\tprofile", false },
	{ &conf_shape_role_arn, ARN "reader", true },
	{ &conf_shape_role_arn, ARN "path/reader", true },
	{ &conf_shape_role_arn, ARN, false },
	{ &conf_shape_role_arn, "arn:aws:iam::123456789012:user/reader", false },
	{ &conf_shape_role_arn, "arn:aws:sts::123456789012:role/reader", false },
	{ &conf_shape_role_arn, "reader", false },
	{ &conf_shape_role_arn, ARN "a b", false },
	{ &conf_shape_topic_arn, "arn:aws:sns:eu-west-1:123456789012:ecs-events", true },
	{ &conf_shape_topic_arn, "arn:aws:sqs:eu-west-1:123456789012:ecs-events", false },
	{ &conf_shape_topic_arn, "arn:aws:sns::123456789012:ecs-events", false },
	{ &conf_shape_topic_arn, "arn:aws:sns:eu-west-1:123456789012:", false },
	{ &conf_shape_topic_arn, "arn:aws:sns:eu-west-1:123456789012:a/b", false },
	{ &conf_shape_topic_arn, "ecs-events", false },
	{ &conf_shape_topic_arn, "arn:aws:sns:eu-west-1:123456789012:a b", false },
	{ &conf_shape_external_id, "a+b=c,d.e@f:g/h_i-j", true },
	{ &conf_shape_external_id, "a b", false },
	{ &conf_shape_path, "/run/haproxy/admin.sock", true },
	{ &conf_shape_path, "run/haproxy", false },
	{ &conf_shape_path, "", false },
	{ &conf_shape_path, "/a b", false },
	{ &conf_shape_map_file, "routes.map", true },
	{ &conf_shape_map_file, "/etc/routes.map", true },
	{ &conf_shape_map_file, ".routes", false },
	{ &conf_shape_map_file, "a/b", false },
	{ &conf_shape_map_file, "", false },
	{ &conf_shape_backend, "web_1.a:b-c", true },
	{ &conf_shape_backend, "web;x", false },
	{ &conf_shape_entrypoint, "default", true },
	{ &conf_shape_entrypoint, "a:b", false },
	{ &conf_shape_host, "a.example", true },
	{ &conf_shape_host, "*.example", false },
	{ &conf_shape_host_glob, "*.example", true },
	{ &conf_shape_label, "traefik.http.routers.*.rule", true },
	{ &conf_shape_label, "a b", false },
	{ &conf_shape_expression, "Label(`a`, `b`)", true },
	{ &conf_shape_expression, "a\nb", false },
	{ &conf_shape_grpc_service, "acme.v1.Orders", true },
	{ &conf_shape_grpc_service, "acme/Orders", false },
	{ &conf_shape_url_path, "/ready?x=1", true },
	{ &conf_shape_url_path, "ready", false },
	{ &conf_shape_url_path, "/a#b", false },
	{ &conf_shape_url_path, "", false },
	{ &conf_shape_group, "haproxy", true },
	{ &conf_shape_group, "-g", false },
	{ &conf_shape_group, "", false },
	{ &conf_shape_header_name, "X-Api-Key", true },
	{ &conf_shape_header_name, "Host", false },
	{ &conf_shape_header_name, "content-LENGTH", false },
	{ &conf_shape_header_name, "Transfer-Encoding", false },
	{ &conf_shape_header_name, "a:b", false },
	{ &conf_shape_header_value, "Bearer x", true },
	{ &conf_shape_header_value, "a\r\nb", false },
};

static void
a_text_has_its_shape_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_ROW(rows[i].shape->is(str_from_cstr(rows[i].text)) == rows[i].is, i, rows[i].text);
}

/* A NUL is in no text: it would end one early for whoever takes it for a C string. */
static void
no_text_holds_a_nul(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[100];
		size_t len = strlen(rows[i].text);

		memcpy(text, rows[i].text, len + 1);
		CHECK_ROW(!rows[i].shape->is(str_of(text, len + 1)), i, rows[i].text);
	}
}

static void
each_text_has_a_longest(void **state)
{
	static const struct {
		const struct conf_shape *shape;
		const char *begins;
		size_t longest;
	} lengths[] = {
		{ &conf_shape_cluster, "", 255 },
		{ &conf_shape_cluster_glob, "", 320 },
		{ &conf_shape_service_glob, "", 263 },
		{ &conf_shape_container_glob, "", 255 },
		{ &conf_shape_url, "http://", 1007 },
		{ &conf_shape_secret, "", 8192 },
		{ &conf_shape_profile, "", 200 },
		{ &conf_shape_role_arn, ARN, 2048 },
		{ &conf_shape_topic_arn, "arn:aws:sns:eu-west-1:123456789012:", 35 + 256 },
		{ &conf_shape_external_id, "", 1224 },
		{ &conf_shape_path, "/", 1000 },
		{ &conf_shape_map_file, "", 200 },
		{ &conf_shape_backend, "", 120 },
		{ &conf_shape_entrypoint, "", 64 },
		{ &conf_shape_host, "", 253 },
		{ &conf_shape_label, "", 500 },
		{ &conf_shape_expression, "", 4096 },
		{ &conf_shape_grpc_service, "", 200 },
		{ &conf_shape_url_path, "/", 1000 },
		{ &conf_shape_group, "", 32 },
		{ &conf_shape_header_name, "", 200 },
		{ &conf_shape_header_value, "", 8192 },
	};
	static char text[10000];

	(void)state;
	for (size_t i = 0; i < N_OF(lengths); i++) {
		memset(text, 'a', sizeof(text));
		memcpy(text, lengths[i].begins, strlen(lengths[i].begins));
		CHECK_ROW(lengths[i].shape->is(str_of(text, lengths[i].longest)), i, lengths[i].shape->wants);
		CHECK_ROW(!lengths[i].shape->is(str_of(text, lengths[i].longest + 1)), i, lengths[i].shape->wants);
	}
}

static void
a_clusters_arn_tells_its_region(void **state)
{
	(void)state;
	assert_str(conf_shape_arn_region(STR("arn:aws:ecs:eu-west-1:123456789012:cluster/main")), "eu-west-1");
	assert_int_equal(conf_shape_arn_region(STR("main")).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_has_its_shape_or_not),
		cmocka_unit_test(no_text_holds_a_nul),
		cmocka_unit_test(each_text_has_a_longest),
		cmocka_unit_test(a_clusters_arn_tells_its_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
