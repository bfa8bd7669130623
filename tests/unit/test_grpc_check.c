/* The bytes of the gRPC health check, read back by a reader of their own: HTTP/2
 * frames (RFC 9113), HPACK literals (RFC 7541), a protobuf string. */
#include "config.h"

#include "hap/grpc_check.h"
#include "unit.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct frame {
	unsigned type, flags, stream;
	struct str payload;
};

static uint8_t
byte_at(struct str s, size_t i)
{
	assert_true(i < s.len);
	return (uint8_t)s.ptr[i];
}

static uint8_t
take(struct str *s)
{
	uint8_t byte = byte_at(*s, 0);

	*s = str_skip(*s, 1);
	return byte;
}

static struct str
take_bytes(struct str *s, size_t n)
{
	struct str bytes = str_first(*s, n);

	assert_int_equal(bytes.len, n);
	*s = str_skip(*s, n);
	return bytes;
}

static size_t
take_number(struct str *s, int bytes)
{
	size_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | take(s);
	return n;
}

static struct frame
take_frame(struct str *s)
{
	size_t len = take_number(s, 3);
	struct frame f = { 0 };

	f.type = take(s);
	f.flags = take(s);
	f.stream = (unsigned)take_number(s, 4);
	f.payload = take_bytes(s, len);
	return f;
}

/* RFC 7541, section 5.1. */
static size_t
take_integer(struct str *s, unsigned bits)
{
	size_t max = ((size_t)1 << bits) - 1, n = take(s) & max, shift = 0;
	uint8_t byte;

	if (n < max)
		return n;
	do {
		byte = take(s);
		n += (size_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return n;
}

static struct str
take_string(struct str *s)
{
	assert_false(byte_at(*s, 0) & 0x80); /* Huffman */
	return take_bytes(s, take_integer(s, 7));
}

/* Its text as "NAME: VALUE" lines; only what a request of ours may use. */
static void
read_headers(struct str block, struct buf *ret)
{
	static const struct {
		size_t index;
		const char *text;
	} known[] = { { 1, ":authority" }, { 3, ":method: POST" }, { 4, ":path" }, { 6, ":scheme: http" },
		{ 31, "content-type" }, { 58, "user-agent" } };

	while (block.len > 0) {
		bool is_whole = byte_at(block, 0) & 0x80;
		size_t index = take_integer(&block, is_whole ? 7 : 4);

		if (index == 0)
			buf_put(ret, take_string(&block));
		for (size_t i = 0; i < N_OF(known); i++)
			if (known[i].index == index)
				buf_put(ret, str_from_cstr(known[i].text));
		if (!is_whole) {
			buf_put(ret, STR(": "));
			buf_put(ret, take_string(&block));
		}
		buf_put(ret, STR("\n"));
	}
}

static void
assert_message_names(struct str message, struct str service)
{
	size_t len;

	assert_int_equal(take(&message), 0); /* not compressed */
	len = take_number(&message, 4);
	assert_int_equal(len, message.len);
	if (service.len == 0) {
		assert_int_equal(message.len, 0);
		return;
	}
	assert_int_equal(take(&message), 0x0a);
	if (service.len < 128) {
		assert_int_equal(take(&message), service.len);
	} else {
		assert_int_equal(take(&message), 0x80 | (service.len & 0x7f));
		assert_int_equal(take(&message), service.len >> 7);
	}
	assert_true(str_eq(message, service));
}

static void
assert_request_asks_for(struct str service)
{
	struct buf out = buf_make(GRPC_CHECK_TEXT_MAX), headers = buf_make(GRPC_CHECK_TEXT_MAX);
	struct frame f;
	struct str rest;

	assert_int_equal(grpc_check_request(service, &out, NULL), ERR_OK);
	rest = buf_str(&out);
	assert_str(take_bytes(&rest, sizeof(PREFACE) - 1), PREFACE);

	f = take_frame(&rest);
	assert_true(f.type == 4 && f.flags == 0 && f.stream == 0 && f.payload.len == 0);

	f = take_frame(&rest);
	assert_true(f.type == 1 && f.flags == 4 && f.stream == 1); /* HEADERS: all of them, no end of the stream */
	read_headers(f.payload, &headers);
	assert_str(buf_str(&headers),
	    ":method: POST\n:scheme: http\n:path: /grpc.health.v1.Health/Check\n:authority: localhost\n"
	    "content-type: application/grpc\nuser-agent: haproxy-grpc-check\nte: trailers\n");

	f = take_frame(&rest);
	assert_true(f.type == 0 && f.flags == 1 && f.stream == 1); /* DATA, the end */
	assert_message_names(f.payload, service);
	assert_int_equal(rest.len, 0);
	buf_free(&headers);
	buf_free(&out);
}

static void
the_request_is_http2_that_asks_for_the_service(void **state)
{
	static const char *const names[] = { "", "A", "rng.Rng", "my.package_2.Service", "live-ness", "_a._b" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++)
		assert_request_asks_for(str_from_cstr(names[i]));
}

static void
any_length_up_to_the_limit_is_framed_right_and_fits_a_line(void **state)
{
	char name[GRPC_CHECK_SERVICE_MAX];
	struct buf out = buf_make(GRPC_CHECK_TEXT_MAX);
	struct str text, line;

	(void)state;
	memset(name, 'n', sizeof(name));
	for (size_t len = 1; len <= sizeof(name); len++)
		assert_request_asks_for(str_of(name, len));
	assert_int_equal(grpc_check_section(str_of(name, sizeof(name)), &out, NULL), ERR_OK);
	text = buf_str(&out);
	while (str_next(&text, '\n', &line))
		assert_true(line.len < 2048);
	buf_free(&out);
}

static void
what_is_no_service_is_refused_with_a_message(void **state)
{
	static const char *const names[] = { ".", "a.", ".a", "a..b", "a b", "a\nb", "a/b", "/rng.Rng/Next", "1a",
		"a.1", "-a", "h\xc3\xa9", "a;b", "a#b", "a\"", "a\\", "a`" };
	char longer[GRPC_CHECK_SERVICE_MAX + 1];

	(void)state;
	memset(longer, 'a', sizeof(longer));
	for (size_t i = 0; i <= N_OF(names); i++) {
		struct str name = i < N_OF(names) ? str_from_cstr(names[i]) : str_of(longer, sizeof(longer));
		struct buf out = buf_make(GRPC_CHECK_TEXT_MAX);
		struct err e = ERR_INIT;

		CHECK_ROW(grpc_check_request(name, &out, &e) == ERR_ARG && e.msg[0] != '\0', i, name.ptr);
		CHECK_ROW(grpc_check_lines(name, &out, &e) == ERR_ARG, i, name.ptr);
		CHECK_ROW(grpc_check_section(name, &out, &e) == ERR_ARG, i, name.ptr);
		CHECK_ROW(out.len == 0, i, name.ptr);
		buf_free(&out);
	}
	assert_int_equal(grpc_check_service_ok(str_of("a\0b", 3), NULL), ERR_ARG);
}

static void
the_lines_are_what_haproxy_takes(void **state)
{
	struct buf out = buf_make(GRPC_CHECK_TEXT_MAX);

	(void)state;
	assert_int_equal(grpc_check_lines(STR(""), &out, NULL), ERR_OK);
	assert_str(buf_str(&out), "timeout check 1s\n"
				  "option tcp-check\n"
				  "tcp-check connect default\n"
				  "tcp-check send-binary "
				  "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a" /* the preface */
				  "000000040000000000"                               /* SETTINGS */
				  "000060010400000001"                               /* HEADERS */
				  "8386"
				  "041c2f677270632e6865616c74682e76312e4865616c74682f436865636b"
				  "01096c6f63616c686f7374"
				  "0f10106170706c69636174696f6e2f67727063"
				  "0f2b12686170726f78792d677270632d636865636b"
				  "0002746508747261696c657273"
				  "000005000100000001" /* DATA */
				  "0000000000\n"
				  "tcp-check expect binary 00000000020801\n");
	buf_free(&out);
}

static void
the_section_says_what_it_checks_and_is_indented(void **state)
{
	struct buf out = buf_make(GRPC_CHECK_TEXT_MAX), lines = buf_make(GRPC_CHECK_TEXT_MAX);
	struct str text, line, rest;

	(void)state;
	assert_int_equal(grpc_check_section(STR("rng.Rng"), &out, NULL), ERR_OK);
	assert_int_equal(grpc_check_lines(STR("rng.Rng"), &lines, NULL), ERR_OK);
	assert_true(str_has_prefix(buf_str(&out), STR("    # grpc.health.v1, of `rng.Rng`")));
	text = buf_str(&out);
	rest = buf_str(&lines);
	while (str_next(&text, '\n', &line) && line.len > 0) {
		struct str want;

		assert_true(str_has_prefix(line, STR("    ")));
		if (line.ptr[4] == '#')
			continue;
		assert_true(str_next(&rest, '\n', &want) && str_eq(str_skip(line, 4), want));
	}
	assert_int_equal(rest.len, 0);
	buf_free(&lines);
	buf_free(&out);
}

static void
a_full_buffer_is_an_error(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 200; limit += 7) {
		struct buf out = buf_make(limit);

		assert_int_not_equal(grpc_check_lines(STR("rng.Rng"), &out, NULL), ERR_OK);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_http2_that_asks_for_the_service),
		cmocka_unit_test(any_length_up_to_the_limit_is_framed_right_and_fits_a_line),
		cmocka_unit_test(what_is_no_service_is_refused_with_a_message),
		cmocka_unit_test(the_lines_are_what_haproxy_takes),
		cmocka_unit_test(the_section_says_what_it_checks_and_is_indented),
		cmocka_unit_test(a_full_buffer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
