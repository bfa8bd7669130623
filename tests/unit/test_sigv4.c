/*
 * Signatures: the published vectors, read from where ROLLCALL_VECTORS says (they
 * are not ours to ship), and cases of our own for what the vectors leave out.
 */
#include "config.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>

#include "aws/aws_request.h"
#include "aws/sigv4.h"

#define VECTORS_EXPECTED 38
#define TEXT_MAX         ((size_t)1 << 20)
#define DATE             INT64_C(1440938160000) /* 2015-08-30T12:36:00Z */

static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static void
check_text(const char *what, struct str got, struct str wanted)
{
	if (!str_eq(got, wanted))
		fail_msg("%s:\n got \"%.*s\"\n not \"%.*s\"", what, STR_ARG(got), STR_ARG(wanted));
}

/* --- the published vectors --- */

struct vector {
	char dir[800];
	struct buf request;
	json_t *context;
	struct sigv4_header headers[SIGV4_HEADERS_MAX];
	char names[SIGV4_HEADERS_MAX][64];
	char body_hash[65];
	struct sigv4_request rq;
	struct sigv4_key key;
	struct sigv4_scope scope;
};

static void
read_text(const char *dir, const char *name, struct buf *out)
{
	char path[900], chunk[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("cannot read %s", path);
	*out = buf_make(TEXT_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(out, str_of(chunk, n));
	(void)fclose(f);
}

static void
add_header(struct vector *v, struct str name, struct str value)
{
	size_t n = v->rq.n_headers++;

	assert_true(n < SIGV4_HEADERS_MAX && name.len < sizeof(v->names[0]));
	for (size_t i = 0; i < name.len; i++)
		v->names[n][i] =
		    (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] - 'A' + 'a' : name.ptr[i]);
	v->headers[n] = (struct sigv4_header){ str_of(v->names[n], name.len), value };
}

static void
take_header_line(struct vector *v, struct str line)
{
	size_t colon;

	/* A folded line belongs to the value before it, line end and all. */
	if (line.ptr[0] == ' ') {
		struct sigv4_header *last = &v->headers[v->rq.n_headers - 1];

		last->value.len = (size_t)(line.ptr + line.len - last->value.ptr);
		return;
	}
	assert_true(str_find(line, ':', &colon));
	add_header(v, str_first(line, colon), str_skip(line, colon + 1));
}

static void
take_request(struct vector *v)
{
	struct str rest = buf_str(&v->request), line, target;
	size_t at;

	assert_true(str_next(&rest, '\n', &line));
	assert_true(str_find(line, ' ', &at));
	v->rq.method = str_first(line, at);
	target = str_skip(line, at + 1);
	assert_true(str_has_suffix(target, STR(" HTTP/1.1")));
	target.len -= strlen(" HTTP/1.1");
	at = target.len;
	(void)str_find(target, '?', &at);
	v->rq.path = str_first(target, at);
	v->rq.query = str_skip(target, at + 1);
	while (str_next(&rest, '\n', &line) && line.len > 0)
		take_header_line(v, line);
	v->rq.body = rest;
}

static struct str
member(const json_t *object, const char *name)
{
	return str_from_cstr(json_string_value(json_object_get(object, name)));
}

static void
hash_body(struct vector *v)
{
	uint8_t hash[32];

	assert_int_equal(EVP_Digest(v->rq.body.ptr, v->rq.body.len, hash, NULL, EVP_sha256(), NULL), 1);
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(v->body_hash + 2 * i, 3, "%02x", hash[i]);
}

static void
take_context(struct vector *v)
{
	const json_t *keys = json_object_get(v->context, "credentials");

	check_text("timestamp", member(v->context, "timestamp"), STR("2015-08-30T12:36:00Z"));
	v->key = (struct sigv4_key){ member(keys, "access_key_id"), member(keys, "secret_access_key"),
		member(keys, "token") };
	v->scope = (struct sigv4_scope){ member(v->context, "region"), member(v->context, "service"), DATE };
	v->rq.path_as_is = !json_is_true(json_object_get(v->context, "normalize"));
	add_header(v, STR("x-amz-date"), STR("20150830T123600Z"));
	if (v->key.session_token.len > 0 && !json_is_true(json_object_get(v->context, "omit_session_token")))
		add_header(v, STR("x-amz-security-token"), v->key.session_token);
	if (json_is_true(json_object_get(v->context, "sign_body"))) {
		hash_body(v);
		add_header(v, STR("x-amz-content-sha256"), str_from_cstr(v->body_hash));
	}
}

static void
check_against(const struct vector *v, const char *name, struct str got)
{
	struct buf wanted;

	read_text(v->dir, name, &wanted);
	check_text(v->dir, got, buf_str(&wanted));
	buf_free(&wanted);
}

/* The published request holds the header among others. */
static void
check_authorization(const struct vector *v, struct str got)
{
	struct buf text;
	struct str rest, line;
	bool seen = false;

	read_text(v->dir, "header-signed-request.txt", &text);
	rest = buf_str(&text);
	while (str_next(&rest, '\n', &line)) {
		if (!str_has_prefix(line, STR("Authorization:")))
			continue;
		seen = true;
		check_text(v->dir, got, str_skip(line, strlen("Authorization:")));
	}
	buf_free(&text);
	assert_true(seen);
}

static void
check_stages(const struct vector *v)
{
	struct buf canonical = buf_make(TEXT_MAX), to_sign = buf_make(TEXT_MAX), done = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;

	assert_int_equal(sigv4_canonical_request(&v->rq, &canonical, &e), ERR_OK);
	check_against(v, "header-canonical-request.txt", buf_str(&canonical));
	assert_int_equal(sigv4_string_to_sign(buf_str(&canonical), &v->scope, &to_sign, &e), ERR_OK);
	check_against(v, "header-string-to-sign.txt", buf_str(&to_sign));
	assert_int_equal(sigv4_authorization(&v->rq, buf_str(&to_sign), &v->key, &v->scope, &done, &e), ERR_OK);
	check_authorization(v, buf_str(&done));
	check_against(v, "header-signature.txt", str_after_last(buf_str(&done), '='));
	buf_free(&canonical);
	buf_free(&to_sign);
	buf_free(&done);
}

static void
check_vector(const char *root, const char *name)
{
	static struct vector v;
	struct buf context;

	v = (struct vector){ .rq.headers = v.headers };
	(void)snprintf(v.dir, sizeof(v.dir), "%s/%s", root, name);
	read_text(v.dir, "context.json", &context);
	v.context = json_loadb((const char *)context.ptr, context.len, 0, NULL);
	buf_free(&context);
	assert_non_null(v.context);
	read_text(v.dir, "request.txt", &v.request);
	take_request(&v);
	take_context(&v);
	check_stages(&v);
	json_decref(v.context);
	buf_free(&v.request);
}

static void
find_vectors(char *ret, size_t size)
{
	const char *given = getenv("ROLLCALL_VECTORS"), *top = getenv("top_srcdir");

	if (given != NULL)
		(void)snprintf(ret, size, "%s/sigv4", given);
	else
		(void)snprintf(ret, size, "%s/../shared/vectors/sigv4", top != NULL ? top : ".");
}

static void
each_published_vector_gives_the_published_texts(void **state)
{
	char root[500];
	DIR *dir;
	const struct dirent *entry;
	int seen = 0;

	(void)state;
	find_vectors(root, sizeof(root));
	dir = opendir(root);
	if (dir == NULL) {
		print_message("no vectors in %s: set ROLLCALL_VECTORS to run this\n", root);
		skip();
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, "get-", 4) != 0 && strncmp(entry->d_name, "post-", 5) != 0)
			continue;
		check_vector(root, entry->d_name);
		seen++;
	}
	(void)closedir(dir);
	assert_int_equal(seen, VECTORS_EXPECTED);
}

/* --- our own --- */

/* The line-th line (from 0) of the canonical form of a GET. */
static void
check_line(const struct sigv4_request *rq, int line, const char *wanted)
{
	struct buf out = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;
	struct str rest, got = STR("");

	assert_int_equal(sigv4_canonical_request(rq, &out, &e), ERR_OK);
	rest = buf_str(&out);
	while (line-- >= 0)
		assert_true(str_next(&rest, '\n', &got));
	check_text(wanted, got, str_from_cstr(wanted));
	buf_free(&out);
}

static void
a_path_is_normalised_and_escaped_once_more(void **state)
{
	static const struct {
		const char *path, *wanted, *wanted_as_is;
	} cases[] = {
		{ "", "/", "/" },
		{ "/", "/", "/" },
		{ "//", "/", "//" },
		{ "/a", "/a", "/a" },
		{ "/a/", "/a/", "/a/" },
		{ "/a//b", "/a/b", "/a//b" },
		{ "/a/./b", "/a/b", "/a/./b" },
		{ "/a/../b", "/b", "/a/../b" },
		{ "/../../b", "/b", "/../../b" },
		{ "/a/b/..", "/a/", "/a/b/.." },
		{ "/a/.", "/a/", "/a/." },
		{ "/a%20b", "/a%2520b", "/a%2520b" },
		{ "/a b", "/a%20b", "/a%20b" },
		{ "/a%2fb", "/a%252fb", "/a%252fb" },
		{ "/~a-b_c.d", "/~a-b_c.d", "/~a-b_c.d" },
		{ "/a:b=c", "/a%3Ab%3Dc", "/a%3Ab%3Dc" },
		{ "/...", "/...", "/..." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigv4_request rq = { .method = STR("GET"), .path = str_from_cstr(cases[i].path) };

		check_line(&rq, 1, cases[i].wanted);
		rq.path_as_is = true;
		check_line(&rq, 1, cases[i].wanted_as_is);
	}
}

static const struct {
	const char *query, *wanted;
} queries[] = {
	{ "", "" },
	{ "a", "a=" },
	{ "a=", "a=" },
	{ "b=2&a=1", "a=1&b=2" },
	{ "a=2&a=1", "a=1&a=2" },
	{ "a-b=1&a=2", "a=2&a-b=1" },
	{ "a=b=c", "a=b%3Dc" },
	{ "&&a=1&", "a=1" },
	{ "=", "=" },
	{ "=v", "=v" },
	{ "a=%2f%3a", "a=%2F%3A" },
	{ "a=/:", "a=%2F%3A" },
	{ "a=%zz&b=%4", "a=%25zz&b=%254" },
	{ "a=b+c", "a=b%2Bc" },
	{ "a=%41%7e", "a=A~" },
	{ "InstanceId.10=x&InstanceId.2=y", "InstanceId.10=x&InstanceId.2=y" },
};

static void
a_query_is_decoded_sorted_and_encoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct sigv4_request rq = { .method = STR("GET"), .query = str_from_cstr(queries[i].query) };

		check_line(&rq, 2, queries[i].wanted);
		rq.query = str_from_cstr(queries[i].wanted); /* a fixed point */
		check_line(&rq, 2, queries[i].wanted);
	}
}

static void
headers_are_sorted_merged_and_trimmed(void **state)
{
	const struct sigv4_header headers[] = {
		{ STR("x-amz-target2"), STR("z") },
		{ STR("host"), STR("h") },
		{ STR("x-amz-target"), STR(" a \t b ") },
		{ STR("x-empty"), STR("  ") },
		{ STR("host"), STR("i\r\n  j") },
	};
	const struct sigv4_request rq = { .method = STR("GET"), .headers = headers, .n_headers = 5 };

	(void)state;
	check_line(&rq, 3, "host:h,i j");
	check_line(&rq, 4, "x-amz-target:a b");
	check_line(&rq, 5, "x-amz-target2:z");
	check_line(&rq, 6, "x-empty:");
	check_line(&rq, 7, "");
	check_line(&rq, 8, "host;x-amz-target;x-amz-target2;x-empty");
}

static void
what_cannot_be_signed_is_refused(void **state)
{
	const struct sigv4_header upper = { STR("Host"), STR("h") }, empty = { STR(""), STR("h") },
				  line = { STR("a\nb"), STR("h") };
	const struct sigv4_request cases[] = {
		{ .method = STR("") },
		{ .method = STR("get") },
		{ .method = STR("GET\n") },
		{ .method = STR("GET"), .path = STR("a") },
		{ .method = STR("GET"), .headers = &upper, .n_headers = 1 },
		{ .method = STR("GET"), .headers = &empty, .n_headers = 1 },
		{ .method = STR("GET"), .headers = &line, .n_headers = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = buf_make(TEXT_MAX);
		struct err e = ERR_INIT;

		assert_int_equal(sigv4_canonical_request(&cases[i], &out, &e), ERR_ARG);
		assert_int_equal(e.code, ERR_ARG);
		buf_free(&out);
	}
}

static void
a_scope_that_could_break_out_of_its_field_is_refused(void **state)
{
	const struct sigv4_scope cases[] = {
		{ .region = STR(""), .service = STR("ecs") },
		{ .region = STR("eu/west"), .service = STR("ecs") },
		{ .region = STR("eu-west-1\n"), .service = STR("ecs") },
		{ .region = STR("eu-west-1"), .service = STR("a b") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = buf_make(TEXT_MAX);

		assert_int_equal(sigv4_string_to_sign(STR("x"), &cases[i], &out, NULL), ERR_ARG);
		buf_free(&out);
	}
}

static void
too_many_headers_or_parameters_are_refused(void **state)
{
	static struct sigv4_header many[SIGV4_HEADERS_MAX + 1];
	struct sigv4_request rq = { .method = STR("GET"), .headers = many, .n_headers = SIGV4_HEADERS_MAX + 1 };
	struct buf out = buf_make(TEXT_MAX), query = buf_make(TEXT_MAX);

	(void)state;
	for (size_t i = 0; i < SIGV4_HEADERS_MAX + 1; i++)
		many[i] = (struct sigv4_header){ STR("x"), STR("y") };
	assert_int_equal(sigv4_canonical_request(&rq, &out, NULL), ERR_LIMIT);
	rq.n_headers = SIGV4_HEADERS_MAX;
	buf_reset(&out);
	assert_int_equal(sigv4_canonical_request(&rq, &out, NULL), ERR_OK);
	for (int i = 0; i < SIGV4_PARAMS_MAX; i++)
		buf_put(&query, STR("a=b&"));
	rq.query = buf_str(&query);
	assert_int_equal(sigv4_canonical_request(&rq, &out, NULL), ERR_OK);
	buf_put(&query, STR("a"));
	rq.query = buf_str(&query);
	assert_int_equal(sigv4_canonical_request(&rq, &out, NULL), ERR_LIMIT);
	buf_free(&out);
	buf_free(&query);
}

static void
a_buffer_that_is_too_small_is_told(void **state)
{
	const struct sigv4_request rq = { .method = STR("GET") };
	struct buf out = buf_make(10);

	(void)state;
	assert_int_equal(sigv4_canonical_request(&rq, &out, NULL), ERR_LIMIT);
	buf_free(&out);
}

static void
a_date_is_written_as_aws_wants_it(void **state)
{
	static const struct {
		int64_t wall_ms;
		const char *wanted;
	} cases[] = {
		{ 0, "19700101T000000Z" },
		{ -1, "19700101T000000Z" },
		{ DATE, "20150830T123600Z" },
		{ DATE + 999, "20150830T123600Z" },
		{ INT64_C(1795401646000), "20261123T024046Z" },
		{ INT64_MAX, "99991231T235959Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char got[SIGV4_DATE_SIZE];

		sigv4_amz_date(cases[i].wall_ms, got);
		assert_string_equal(got, cases[i].wanted);
	}
}

static struct str
header_of(const struct aws_request *r, struct str name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_eq(r->headers[i].name, name))
			return r->headers[i].value;
	return str_of(NULL, 0);
}

/* Signatures by botocore 1.43.11 of the same two requests. */
static void
a_call_of_ecs_is_signed_as_botocore_signs_it(void **state)
{
	static const struct {
		const char *endpoint, *token, *signed_headers, *signature;
	} cases[] = {
		{ "", "", "content-type;host;x-amz-date;x-amz-target",
		    "266a80931c669f80b0a1f7e4f6915ded24fb59f47a857a7feb6b64b389dd64a4" },
		{ "http://127.0.0.1:4566/aws",
		    "SESSIONTOKEN/+==", "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
		    "34491b7bc57aa5d6c2ccb8de5d144df26586060281a27712041bc9dea2ccd404" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_endpoint to;
		struct aws_request_facts facts = {
			.to = &to,
			.content_type = STR("application/x-amz-json-1.1"),
			.target = STR("AmazonEC2ContainerServiceV20141113.ListTasks"),
			.body = STR("{\"cluster\":\"main\"}"),
			.key = { STR("AKIDEXAMPLE"), str_from_cstr(secret), str_from_cstr(cases[i].token) },
			.scope = { STR("eu-west-1"), STR("ecs"), INT64_C(1795401646000) },
		};
		struct aws_request r;
		char wanted[512];

		assert_int_equal(
		    aws_endpoint_make(STR("ecs"), STR("eu-west-1"), str_from_cstr(cases[i].endpoint), &to, NULL),
		    ERR_OK);
		assert_int_equal(aws_request_make(&facts, &r, NULL), ERR_OK);
		(void)snprintf(wanted, sizeof(wanted),
		    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-west-1/ecs/aws4_request, SignedHeaders=%s, "
		    "Signature=%s",
		    cases[i].signed_headers, cases[i].signature);
		check_text("authorization", header_of(&r, STR("authorization")), str_from_cstr(wanted));
		check_text("token", header_of(&r, STR("x-amz-security-token")), str_from_cstr(cases[i].token));
		check_text("date", header_of(&r, STR("x-amz-date")), STR("20261123T024046Z"));
		assert_null(header_of(&r, STR("host")).ptr); /* the transport's to send */
		aws_request_free(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_published_vector_gives_the_published_texts),
		cmocka_unit_test(a_path_is_normalised_and_escaped_once_more),
		cmocka_unit_test(a_query_is_decoded_sorted_and_encoded),
		cmocka_unit_test(headers_are_sorted_merged_and_trimmed),
		cmocka_unit_test(what_cannot_be_signed_is_refused),
		cmocka_unit_test(a_scope_that_could_break_out_of_its_field_is_refused),
		cmocka_unit_test(too_many_headers_or_parameters_are_refused),
		cmocka_unit_test(a_buffer_that_is_too_small_is_told),
		cmocka_unit_test(a_date_is_written_as_aws_wants_it),
		cmocka_unit_test(a_call_of_ecs_is_signed_as_botocore_signs_it),
	};

	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
