/*
 * Signatures of any request.  The bytes are fields that end with a NUL: a byte of
 * flags and the number of headers, then method, path, query, region, service,
 * secret, an endpoint, each header's name and value; the rest is the body.
 * Laws: what is signed has one form whatever the order of the headers, its query
 * is a fixed point, it can't be broken into other lines, and an endpoint that is
 * taken is taken again as it was written.
 */
#include "config.h"

#include <stdlib.h>

#include "aws/aws_endpoint.h"
#include "aws/sigv4.h"
#include "fuzz.h"

struct input {
	struct sigv4_header headers[SIGV4_HEADERS_MAX + 2], reversed[SIGV4_HEADERS_MAX + 2];
	struct sigv4_request rq;
	struct sigv4_key key;
	struct sigv4_scope scope;
	struct str endpoint;
};

static struct str
field(struct str *rest)
{
	struct str s = str_of(NULL, 0);

	(void)str_next(rest, '\0', &s);
	return s;
}

static void
take_input(struct str rest, struct input *in)
{
	uint8_t flags = (uint8_t)rest.ptr[0];
	size_t n = (flags >> 1) % (SIGV4_HEADERS_MAX + 2);

	rest = str_skip(rest, 1);
	*in = (struct input){ .rq = { .path_as_is = (flags & 1) != 0, .headers = in->headers, .n_headers = n } };
	in->rq.method = field(&rest);
	in->rq.path = field(&rest);
	in->rq.query = field(&rest);
	in->scope.region = field(&rest);
	in->scope.service = field(&rest);
	in->scope.wall_ms = (int64_t)rest.len * INT64_C(86400000001) * (flags - 100);
	in->key = (struct sigv4_key){ STR("AKID"), field(&rest), STR("") };
	in->endpoint = field(&rest);
	for (size_t i = 0; i < n; i++) {
		in->headers[i] = (struct sigv4_header){ .name = field(&rest) };
		in->headers[i].value = field(&rest);
		in->reversed[n - 1 - i] = in->headers[i];
	}
	in->rq.body = rest;
}

static bool
names_differ(const struct sigv4_request *rq)
{
	for (size_t i = 0; i < rq->n_headers; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(rq->headers[i].name, rq->headers[k].name))
				return false;
	return true;
}

static struct str
line_of(struct str text, int n)
{
	struct str line = str_of(NULL, 0);

	while (n-- >= 0)
		REQUIRE(str_next(&text, '\n', &line));
	return line;
}

/* Method, path, query, the headers, an empty line, their names, the hash. */
static void
check_lines(const struct sigv4_request *rq, struct str canonical)
{
	struct str names, name, rest = canonical, line;
	int lines = 0, n_names = 0;

	while (str_next(&rest, '\n', &line))
		lines++;
	REQUIRE(str_eq(line_of(canonical, 0), rq->method));
	REQUIRE(str_has_prefix(line_of(canonical, 1), STR("/")));
	REQUIRE(line_of(canonical, lines - 1).len == 64);
	names = line_of(canonical, lines - 2);
	while (names.len > 0 && str_next(&names, ';', &name)) {
		struct str header = line_of(canonical, 3 + n_names++);

		REQUIRE(str_has_prefix(header, name) && header.ptr[name.len] == ':');
	}
	REQUIRE(lines == 3 + n_names + 3);
}

static void
check_query(struct str canonical)
{
	struct sigv4_request again = { .method = STR("GET"), .query = line_of(canonical, 2) };
	struct buf out = buf_make(SIGV4_TEXT_MAX);

	if (sigv4_canonical_request(&again, &out, NULL) == ERR_OK)
		REQUIRE(str_eq(line_of(buf_str(&out), 2), again.query));
	buf_free(&out);
}

static void
check_order(const struct input *in, struct str canonical)
{
	struct sigv4_request reversed = in->rq;
	struct buf out = buf_make(SIGV4_TEXT_MAX);

	reversed.headers = in->reversed;
	REQUIRE(sigv4_canonical_request(&reversed, &out, NULL) == ERR_OK);
	if (names_differ(&in->rq))
		REQUIRE(str_eq(buf_str(&out), canonical));
	buf_free(&out);
}

static void
check_signature(const struct input *in, struct str canonical)
{
	struct buf to_sign = buf_make(SIGV4_TEXT_MAX), out = buf_make(SIGV4_TEXT_MAX);
	struct str line = str_of(NULL, 0), rest;
	int lines = 0;

	if (sigv4_string_to_sign(canonical, &in->scope, &to_sign, NULL) == ERR_OK) {
		rest = buf_str(&to_sign);
		while (str_next(&rest, '\n', &line))
			lines++;
		REQUIRE(lines == 4 && line.len == 64);
		if (sigv4_authorization(&in->rq, buf_str(&to_sign), &in->key, &in->scope, &out, NULL) == ERR_OK) {
			REQUIRE(str_after_last(buf_str(&out), '=').len == 64);
			REQUIRE(str_is_printable(buf_str(&out)));
		}
	}
	buf_wipe(&to_sign);
	buf_wipe(&out);
}

static void
check_endpoint(struct str override, struct str region)
{
	struct aws_endpoint made, again;

	if (aws_endpoint_make(STR("ecs"), region, override, &made, NULL) != ERR_OK)
		return;
	REQUIRE(made.host[0] != '\0' && made.path[0] == '/');
	REQUIRE(str_is_printable(str_from_cstr(made.url)));
	REQUIRE(str_has_suffix(str_from_cstr(made.url), str_from_cstr(made.path)));
	if (strlen(made.url) + 1 == sizeof(made.url))
		return; /* full: with one more slash it would not fit */
	REQUIRE(aws_endpoint_make(STR("ecs"), region, str_from_cstr(made.url), &again, NULL) == ERR_OK);
	REQUIRE(strcmp(made.url, again.url) == 0 && strcmp(made.host, again.host) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input in;
	struct buf out = buf_make(SIGV4_TEXT_MAX);

	if (size == 0)
		return 0;
	take_input(str_of(data, size), &in);
	check_endpoint(in.endpoint, in.scope.region);
	if (sigv4_canonical_request(&in.rq, &out, NULL) == ERR_OK) {
		check_lines(&in.rq, buf_str(&out));
		check_query(buf_str(&out));
		check_order(&in, buf_str(&out));
		check_signature(&in, buf_str(&out));
	}
	buf_free(&out);
	return 0;
}
