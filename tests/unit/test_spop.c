/*
 * spop/spop_wire and spop/spop_session, against frames that HAProxy 2.6, 3.0 and 3.4
 * sent (tests/vectors/spop) and against what it should never send.
 */
#include "config.h"

#include <stdlib.h>

#include "spop/spop_session.h"
#include "spop/spop_wire.h"
#include "unit.h"

static const char *const versions[] = { "v26", "v30", "v34" };

static size_t
read_vector(const char *version, const char *name, char *ret, size_t size)
{
	const char *dir = getenv("top_srcdir");
	char path[400];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/tests/vectors/spop/%s/%s", dir != NULL ? dir : ".", version, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("no %s", path);
	n = fread(ret, 1, size, f);
	(void)fclose(f);
	return n;
}

/* ---- a session, and what it tells ---- */

struct story {
	struct spop_counts counts;
	struct spop_session *session;
	char told[16384];
	size_t at;
};

static void PRINTF_LIKE(2, 3) tell(struct story *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->at += (size_t)vsnprintf(t->told + t->at, sizeof(t->told) - t->at, fmt, ap);
	va_end(ap);
	assert_true(t->at < sizeof(t->told));
}

static void
on_message(void *arg, const struct spop_message *m)
{
	struct story *t = arg;
	struct str args = m->args, name;
	struct spop_wire_value v;

	tell(t, STR_FMT "(", STR_ARG(m->name));
	while (spop_session_next_arg(&args, &name, &v)) {
		tell(t, STR_FMT "=", STR_ARG(name));
		if (v.type == SPOP_WIRE_STRING)
			tell(t, "'" STR_FMT "' ", STR_ARG(v.text));
		else if (spop_wire_is_integer(&v))
			tell(t, "%lld ", (long long)v.number);
		else if (v.type == SPOP_WIRE_BOOL)
			tell(t, "%s ", v.boolean ? "true" : "false");
		else
			tell(t, "type%d/%zu ", (int)v.type, v.text.len);
	}
	tell(t, ")\n");
}

static void
on_refused(void *arg, enum spop_reason why, const struct err *e)
{
	tell(arg, "refused %s: %s\n", spop_reason_name(why), e->msg);
}

static void
on_disconnected(void *arg, uint64_t status, struct str text)
{
	tell(arg, "disconnected %llu: " STR_FMT "\n", (unsigned long long)status, STR_ARG(text));
}

static void
begin(struct story *t)
{
	const struct spop_listener to = {
		.message = on_message, .refused = on_refused, .disconnected = on_disconnected, .arg = t
	};

	memset(t, 0, sizeof(*t));
	assert_int_equal(spop_session_new(&to, &t->counts, &t->session, NULL), ERR_OK);
}

static void
end(struct story *t)
{
	spop_session_free(t->session);
}

static bool
feed_vector(struct story *t, const char *version, const char *name)
{
	static char bytes[8192];
	size_t n = read_vector(version, name, bytes, sizeof(bytes));

	return spop_session_feed(t->session, str_of(bytes, n));
}

/* Whether it goes on or not. */
static void
feed_all(struct story *t, struct str bytes)
{
	bool goes_on = spop_session_feed(t->session, bytes);

	(void)goes_on;
}

static void
assert_pending_is(struct story *t, const char *version, const char *name)
{
	static char want[8192];
	size_t n = read_vector(version, name, want, sizeof(want));
	struct str got = spop_session_pending(t->session);

	assert_int_equal(got.len, n);
	assert_memory_equal(got.ptr, want, n);
	spop_session_sent(t->session, n);
}

/* ---- wire ---- */

static void
numbers_are_as_haproxy_writes_them(void **state)
{
	static const struct {
		uint64_t number;
		const char *bytes;
		size_t n;
	} rows[] = {
		{ 0, "\x00", 1 },
		{ 239, "\xef", 1 },
		{ 240, "\xf0\x00", 2 },
		{ 2287, "\xff\x7f", 2 },
		{ 2288, "\xf0\x80\x00", 3 },
		{ 264431, "\xff\xff\x7f", 3 },
		{ 264432, "\xf0\x80\x80\x00", 4 },
		{ 16380, "\xfc\xf0\x06", 3 },
		{ UINT64_MAX, "\xff\xf0\xfe\xfe\xfe\xfe\xfe\xfe\xfe\x0e", 10 },
		{ INT64_MAX, "\xff\xf0\xfe\xfe\xfe\xfe\xfe\xfe\xfe\x06", 10 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf out = buf_make(16);
		struct str in = str_of(rows[i].bytes, rows[i].n), cut = str_of(rows[i].bytes, rows[i].n - 1);
		uint64_t number = 7;

		spop_wire_put_varint(&out, rows[i].number);
		assert_int_equal(out.len, rows[i].n);
		assert_memory_equal(out.ptr, rows[i].bytes, rows[i].n);
		assert_int_equal(spop_wire_take_varint(&cut, &number, NULL), ERR_PARSE);
		assert_int_equal(spop_wire_take_varint(&in, &number, NULL), ERR_OK);
		assert_true(number == rows[i].number && in.len == 0);
		buf_free(&out);
	}
}

static void
a_number_without_end_is_refused(void **state)
{
	struct str in = STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	uint64_t number;

	(void)state;
	assert_int_equal(spop_wire_take_varint(&in, &number, NULL), ERR_PARSE);
	assert_int_equal(in.len, 11);
}

static void
every_value_is_written_as_it_was_read(void **state)
{
	static const char *const rows[] = { "\x00", "\x01", "\x11", "\x02\x05", "\x03\x05", "\x04\x05", "\x05\x05",
		"\x06\x7f\x00\x00\x01", "\x08\x02xy", "\x09\x01z" };
	static const size_t sizes[] = { 1, 1, 1, 2, 2, 2, 2, 5, 4, 3 };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct str in = str_of(rows[i], sizes[i]);
		struct buf out = buf_make(64);
		struct spop_wire_value v;

		assert_int_equal(spop_wire_take_value(&in, &v, NULL), ERR_OK);
		spop_wire_put_value(&out, &v);
		assert_true(in.len == 0 && str_eq(buf_str(&out), str_of(rows[i], sizes[i])));
		buf_free(&out);
	}
}

static void
a_head_is_written_as_it_was_read(void **state)
{
	const struct spop_wire_head head = {
		.type = 3, .flags = UINT32_C(0x81020304), .stream_id = 239, .frame_id = UINT64_MAX
	};
	struct spop_wire_head got;
	struct buf out = buf_make(100);
	struct str bytes;

	(void)state;
	spop_wire_put_head(&out, &head);
	bytes = buf_str(&out);
	assert_int_equal(spop_wire_take_head(&bytes, &got, NULL), ERR_OK);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(got.type, head.type);
	assert_int_equal(got.flags, head.flags);
	assert_true(got.stream_id == head.stream_id && got.frame_id == head.frame_id);
	buf_free(&out);
}

/* ---- sessions ---- */

static void
hello_is_answered_to_the_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(versions); i++) {
		static struct story t;

		begin(&t);
		assert_true(feed_vector(&t, versions[i], "03-haproxy-hello.bin"));
		assert_pending_is(&t, versions[i], "02-agent-hello.bin");
		assert_true(spop_session_is_idle(t.session));
		assert_int_equal(t.counts.hellos, 1);
		end(&t);
	}
}

static void
a_health_check_is_answered_and_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(versions); i++) {
		static struct story t;

		begin(&t);
		assert_false(feed_vector(&t, versions[i], "01-haproxy-hello-healthcheck.bin"));
		assert_pending_is(&t, versions[i], "02-agent-hello.bin");
		assert_int_equal(t.counts.health_checks, 1);
		assert_int_equal(t.counts.hellos, 0);
		end(&t);
	}
}

static void
a_message_is_read_and_acknowledged_on_its_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(versions); i++) {
		static struct story t;
		struct str out;
		struct spop_wire_head head;

		begin(&t);
		assert_true(feed_vector(&t, versions[i], "03-haproxy-hello.bin"));
		spop_session_sent(t.session, 1000);
		assert_true(feed_vector(&t, versions[i], "10-notify-resp-trailers-only.bin"));
		assert_non_null(strstr(t.told, "resp(uid='"));
		assert_non_null(strstr(t.told, " gs='14' "));
		assert_non_null(strstr(t.told, " srv='s"));
		out = str_skip(spop_session_pending(t.session), SPOP_WIRE_LENGTH);
		assert_int_equal(spop_wire_take_head(&out, &head, NULL), ERR_OK);
		assert_int_equal(head.type, SPOP_WIRE_ACK);
		assert_int_equal(head.flags, SPOP_WIRE_FIN);
		assert_int_equal(head.frame_id, i < 2 ? 3 : 1); /* facts/spoe.md, section 1.3 */
		assert_true(str_eq(out, STR("\x02\x02\x02\x03"
					    "ack")));
		end(&t);
	}
}

static void
all_kinds_of_values_and_several_messages_are_read(void **state)
{
	static struct story t;

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v26", "03-haproxy-hello.bin"));
	assert_true(feed_vector(&t, "v26", "30-notify-all-types.bin"));
	assert_non_null(strstr(t.told, "=-1 "));
	assert_non_null(strstr(t.told, "=264432 "));
	assert_non_null(strstr(t.told, "=type7/16 "));
	assert_true(feed_vector(&t, "v26", "31-notify-3-messages-ipv6.bin"));
	assert_true(feed_vector(&t, "v26", "32-notify-3kB-binary.bin"));
	assert_int_equal(t.counts.notifies, 3);
	assert_int_equal(t.counts.messages, 5);
	end(&t);
}

static void
any_split_gives_the_same(void **state)
{
	static const size_t chunks[] = { 1, 2, 3, 5, 7, 64, 133, 134, 1000 };
	static char bytes[8192], want[32768];

	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++) {
		size_t n = read_vector(versions[v], "20-stream-haproxy2agent.bin", bytes, sizeof(bytes));
		struct str out;
		static struct story whole;

		begin(&whole);
		feed_all(&whole, str_of(bytes, n));
		out = spop_session_pending(whole.session);
		memcpy(want, out.ptr, out.len);
		assert_true(whole.counts.notifies > 3);
		for (size_t i = 0; i < N_OF(chunks); i++) {
			static struct story t;

			begin(&t);
			for (size_t at = 0; at < n; at += chunks[i])
				feed_all(&t, str_first(str_of(bytes + at, n - at), chunks[i]));
			assert_true(str_eq(spop_session_pending(t.session), str_of(want, out.len)));
			assert_string_equal(t.told, whole.told);
			assert_memory_equal(&t.counts, &whole.counts, sizeof(t.counts));
			end(&t);
		}
		end(&whole);
	}
}

static void
a_disconnect_is_answered_and_told(void **state)
{
	static struct story t;
	struct str out;
	struct spop_wire_head head;

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v26", "03-haproxy-hello.bin"));
	spop_session_sent(t.session, 1000);
	assert_false(feed_vector(&t, "v26", "40-haproxy-disconnect-8-unsupported-version.bin"));
	assert_string_equal(t.told, "disconnected 8: unsupported version\n");
	out = str_skip(spop_session_pending(t.session), SPOP_WIRE_LENGTH);
	assert_int_equal(spop_wire_take_head(&out, &head, NULL), ERR_OK);
	assert_int_equal(head.type, SPOP_WIRE_AGENT_DISCONNECT);
	end(&t);
}

/* length, type, flags, ids, payload */
#define FRAME(length, payload) "\0\0\0" length payload
#define BYTES(text)            text, sizeof(text) - 1
#define HELLO_HEAD             "\x01\0\0\0\x01\0\0"
#define NOTIFY_HEAD            "\x03\0\0\0\x01\x01\x01"

/* One frame waits to be sent, and it is of that type. */
static bool
says_only(const struct story *t, enum spop_wire_frame type)
{
	struct str out = spop_session_pending(t->session);

	return out.len > SPOP_WIRE_LENGTH && out.len - SPOP_WIRE_LENGTH == (uint8_t)out.ptr[3] &&
	       (uint8_t)out.ptr[SPOP_WIRE_LENGTH] == type;
}

static void
what_is_wrong_is_refused_with_its_reason(void **state)
{
	static const struct {
		bool after_hello;
		const char *bytes;
		size_t n;
		enum spop_reason why;
	} rows[] = {
		{ false, BYTES("\x00\x02\x00\x01"), SPOP_TOO_BIG },
		{ false, BYTES("GET / HTTP/1.1\r\n"), SPOP_TOO_BIG },
		{ false, BYTES("\0\0\0\x06"), SPOP_TOO_SHORT },
		{ false, BYTES(FRAME("\x07", NOTIFY_HEAD)), SPOP_NO_HELLO },
		{ false, BYTES(FRAME("\x07", HELLO_HEAD)), SPOP_NO_VERSION },
		{ false,
		    BYTES(FRAME("\x1e", HELLO_HEAD "\x12supported-versions\x08\x02"
						   "3.")),
		    SPOP_VERSION },
		{ false,
		    BYTES(FRAME("\x1f", HELLO_HEAD "\x12supported-versions\x08\x03"
						   "2.0")),
		    SPOP_NO_FRAME_SIZE },
		{ false,
		    BYTES(FRAME("\x30", HELLO_HEAD "\x12supported-versions\x08\x03"
						   "2.0\x0emax-frame-size\x03\x64")),
		    SPOP_FRAME_SIZE },
		{ false,
		    BYTES(FRAME("\x32", HELLO_HEAD "\x12supported-versions\x08\x03"
						   "2.0\x0emax-frame-size\x03\xfc\xf0\x06")),
		    SPOP_NO_CAPABILITIES },
		{ false, BYTES(FRAME("\x09", HELLO_HEAD "\x12s")), SPOP_MALFORMED },
		{ true, BYTES(FRAME("\x07", HELLO_HEAD)), SPOP_HELLO_TWICE },
		{ true, BYTES(FRAME("\x07", "\x03\0\0\0\0\x01\x01")), SPOP_FRAGMENTED },
		{ true, BYTES(FRAME("\x07", "\x03\0\0\0\x02\x01\x01")), SPOP_FRAGMENTED },
		{ true, BYTES(FRAME("\x07", "\x03\x01\0\0\0\x01\x01")), SPOP_FRAGMENTED },
		{ true, BYTES(FRAME("\x07", "\0\0\0\0\x01\x01\x01")), SPOP_FRAGMENTED },
		{ true, BYTES(FRAME("\x08", NOTIFY_HEAD "\x05")), SPOP_MALFORMED },
		{ true, BYTES(FRAME("\x0b", NOTIFY_HEAD "\x01m\x02\x00")), SPOP_MALFORMED },
		{ true, BYTES(FRAME("\x0b", NOTIFY_HEAD "\x01m\x01\x0f")), SPOP_MALFORMED },
		{ true, BYTES(FRAME("\x0c", NOTIFY_HEAD "\x01m\x01\x01\x0a")), SPOP_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		static struct story t;

		begin(&t);
		if (rows[i].after_hello)
			assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
		spop_session_sent(t.session, 1000);
		CHECK_ROW(!spop_session_feed(t.session, str_of(rows[i].bytes, rows[i].n)), i, t.told);
		CHECK_ROW(t.counts.refused[rows[i].why] == 1, i, t.told);
		CHECK_ROW(says_only(&t, SPOP_WIRE_AGENT_DISCONNECT), i, "no DISCONNECT, or more than one");
		CHECK_ROW(spop_reason_hint(rows[i].why)[0] != '\0', i, "no hint");
		assert_false(spop_session_feed(t.session, STR("more")));
		end(&t);
	}
}

/* ---- frames of pairs ---- */

struct pair {
	const char *name; /* null: the last */
	enum spop_wire_type type;
	uint64_t number;
	const char *text;
};

static bool
feed_pairs(struct story *t, enum spop_wire_frame type, const struct pair *pairs)
{
	const struct spop_wire_head head = { .type = (uint8_t)type, .flags = SPOP_WIRE_FIN };
	struct buf payload = buf_make(1000), frame = buf_make(2000);
	bool goes_on;

	spop_wire_put_head(&payload, &head);
	for (; pairs->name != NULL; pairs++) {
		const struct spop_wire_value v = { .type = pairs->type,
			.boolean = pairs->number != 0,
			.number = pairs->number,
			.text = str_from_cstr(pairs->text != NULL ? pairs->text : "") };

		spop_wire_put_string(&payload, str_from_cstr(pairs->name));
		spop_wire_put_value(&payload, &v);
	}
	spop_wire_put_u32(&frame, (uint32_t)payload.len);
	buf_put(&frame, buf_str(&payload));
	goes_on = spop_session_feed(t->session, buf_str(&frame));
	buf_free(&payload);
	buf_free(&frame);
	return goes_on;
}

#define VERSIONS(text)                                          \
	{                                                       \
		"supported-versions", SPOP_WIRE_STRING, 0, text \
	}
#define SIZE(n)                                             \
	{                                                   \
		"max-frame-size", SPOP_WIRE_UINT32, n, NULL \
	}
#define CAPABILITIES                                              \
	{                                                         \
		"capabilities", SPOP_WIRE_STRING, 0, "pipelining" \
	}

/* A value of another type is as none. */
static void
a_hello_has_what_it_must_have_of_the_right_type(void **state)
{
	static const struct {
		struct pair pairs[6];
		int why; /* -1: it is taken */
	} rows[] = {
		{ { VERSIONS("2.0"), SIZE(16380), CAPABILITIES }, -1 },
		{ { VERSIONS("1.0, 2.0"), SIZE(256), CAPABILITIES, { "engine-id", SPOP_WIRE_STRING, 0, "x" } }, -1 },
		{ { VERSIONS("2.0"), { "max-frame-size", SPOP_WIRE_INT64, 4096, NULL }, CAPABILITIES }, -1 },
		{ { VERSIONS("2.0"), SIZE(UINT32_MAX), CAPABILITIES, { "healthcheck", SPOP_WIRE_BOOL, 0, NULL } }, -1 },
		{ { VERSIONS("2.0"), SIZE(4096), CAPABILITIES, { "healthcheck", SPOP_WIRE_INT32, 1, NULL } }, -1 },
		{ { VERSIONS("2.0"), SIZE(255), CAPABILITIES }, SPOP_FRAME_SIZE },
		{ { VERSIONS("2.0"), { "max-frame-size", SPOP_WIRE_UINT64, UINT64_C(1) << 32, NULL }, CAPABILITIES },
		    SPOP_FRAME_SIZE },
		{ { VERSIONS("2.0"), { "max-frame-size", SPOP_WIRE_STRING, 0, "4096" }, CAPABILITIES },
		    SPOP_NO_FRAME_SIZE },
		{ { { "supported-versions", SPOP_WIRE_INT32, 2, NULL }, SIZE(4096), CAPABILITIES }, SPOP_NO_VERSION },
		{ { VERSIONS("1.0,3.0"), SIZE(4096), CAPABILITIES }, SPOP_VERSION },
		{ { VERSIONS(""), SIZE(4096), CAPABILITIES }, SPOP_VERSION },
		{ { VERSIONS("2.0"), SIZE(4096), { "capabilities", SPOP_WIRE_NULL, 0, NULL } }, SPOP_NO_CAPABILITIES },
		{ { VERSIONS("2.0"), SIZE(4096) }, SPOP_NO_CAPABILITIES },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		static struct story t;

		begin(&t);
		CHECK_ROW(feed_pairs(&t, SPOP_WIRE_HAPROXY_HELLO, rows[i].pairs) == (rows[i].why < 0), i, t.told);
		CHECK_ROW((t.counts.hellos == 1) == (rows[i].why < 0), i, t.told);
		if (rows[i].why >= 0)
			CHECK_ROW(t.counts.refused[rows[i].why] == 1, i, t.told);
		end(&t);
	}
}

static void
a_disconnect_says_why_if_it_can_be_read(void **state)
{
	static const struct {
		struct pair pairs[3];
		const char *told;
		unsigned counted;
	} rows[] = {
		{ { { "status-code", SPOP_WIRE_UINT32, 0, NULL }, { "message", SPOP_WIRE_STRING, 0, "bye" } },
		    "disconnected 0: bye\n", 0 },
		{ { { "status-code", SPOP_WIRE_INT32, 3, NULL } }, "disconnected 3: \n", 1 },
		{ { { "status-code", SPOP_WIRE_STRING, 0, "3" }, { "message", SPOP_WIRE_INT32, 7, NULL } },
		    "disconnected 0: \n", 0 },
		{ { { "other", SPOP_WIRE_BOOL, 1, NULL } }, "disconnected 0: \n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		static struct story t;

		begin(&t);
		assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
		CHECK_ROW(!feed_pairs(&t, SPOP_WIRE_HAPROXY_DISCONNECT, rows[i].pairs), i, rows[i].told);
		CHECK_ROW(strcmp(t.told, rows[i].told) == 0, i, t.told);
		CHECK_ROW(t.counts.disconnects == rows[i].counted, i, t.told);
		end(&t);
	}
}

/* Who listens to nothing is told nothing; what is said is counted all the same. */
static void
a_session_needs_nobody_who_listens(void **state)
{
	static const struct spop_listener nobody = { .message = NULL };
	static struct story t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(spop_session_new(&nobody, &t.counts, &t.session, NULL), ERR_OK);
		assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
		assert_true(feed_vector(&t, "v34", "08-notify-resp.bin"));
		if (i == 0)
			assert_false(
			    feed_pairs(&t, SPOP_WIRE_HAPROXY_DISCONNECT, (const struct pair[]){ { .name = NULL } }));
		else
			assert_false(spop_session_feed(t.session, str_of(BYTES(FRAME("\x07", HELLO_HEAD)))));
		end(&t);
	}
	assert_int_equal(t.counts.notifies, 2);
	assert_int_equal(t.counts.refused[SPOP_HELLO_TWICE], 1);
	assert_int_equal(spop_session_errors(&t.counts), 1);
}

static void
an_unknown_frame_is_skipped_and_counted(void **state)
{
	static struct story t;

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
	assert_true(spop_session_feed(t.session, str_of(BYTES(FRAME("\x07", "\x63\0\0\0\x01\0\0")))));
	assert_int_equal(t.counts.refused[SPOP_UNKNOWN_TYPE], 1);
	assert_true(feed_vector(&t, "v34", "08-notify-resp.bin"));
	assert_int_equal(t.counts.notifies, 1);
	end(&t);
}

/* Of a frame with one text that fills it. */
static bool
feed_notify_of(struct story *t, size_t frame_len)
{
	struct buf bytes = buf_make(frame_len + 100), text = buf_make(frame_len);
	const struct spop_wire_head head = {
		.type = SPOP_WIRE_NOTIFY, .flags = SPOP_WIRE_FIN, .stream_id = 1, .frame_id = 1
	};
	bool goes_on;

	spop_wire_put_u32(&bytes, (uint32_t)frame_len);
	spop_wire_put_head(&bytes, &head);
	buf_put(&bytes, STR("\x01m\x01\x01"
			    "a"));
	while (text.len < frame_len - 16) /* the head, those five, a type and a length of four */
		buf_put_u8(&text, 'x');
	spop_wire_put_value(&bytes, &(struct spop_wire_value){ .type = SPOP_WIRE_BINARY, .text = buf_str(&text) });
	assert_int_equal(bytes.len, frame_len + SPOP_WIRE_LENGTH);
	goes_on = spop_session_feed(t->session, buf_str(&bytes));
	buf_free(&bytes);
	buf_free(&text);
	return goes_on;
}

static void
the_largest_frame_is_read_and_one_byte_more_is_refused(void **state)
{
	static struct story t;

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
	assert_true(feed_notify_of(&t, SPOP_SESSION_FRAME_MAX));
	assert_int_equal(t.counts.messages, 1);
	assert_false(feed_notify_of(&t, SPOP_SESSION_FRAME_MAX + 1));
	assert_int_equal(t.counts.refused[SPOP_TOO_BIG], 1);
	end(&t);
}

/* What stands behind the frame that ended it is read by nobody. */
static void
what_comes_after_the_end_is_not_heard(void **state)
{
	static struct story t;
	struct buf bytes = buf_make(100);

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
	spop_session_sent(t.session, 1000);
	buf_put(&bytes, str_of(BYTES(FRAME("\x07", HELLO_HEAD))));
	buf_put(&bytes, str_of(BYTES(FRAME("\x07", NOTIFY_HEAD))));
	assert_false(spop_session_feed(t.session, buf_str(&bytes)));
	assert_int_equal(t.counts.notifies, 0);
	assert_true(says_only(&t, SPOP_WIRE_AGENT_DISCONNECT));
	spop_session_say_goodbye(t.session); /* that was one */
	assert_true(says_only(&t, SPOP_WIRE_AGENT_DISCONNECT));
	buf_free(&bytes);
	end(&t);
}

static void
a_session_is_idle_between_frames_once_its_answers_are_sent(void **state)
{
	static struct story t;

	(void)state;
	begin(&t);
	assert_true(spop_session_is_idle(t.session));
	assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
	assert_false(spop_session_is_idle(t.session));
	spop_session_sent(t.session, spop_session_pending(t.session).len);
	assert_true(spop_session_is_idle(t.session));
	assert_true(spop_session_feed(t.session, STR("\0")));
	assert_false(spop_session_is_idle(t.session));
	end(&t);
}

/* A peer that only talks: the connection goes before memory does. */
static void
answers_that_nobody_reads_are_bounded(void **state)
{
	static struct story t;
	bool goes_on = true;

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
	for (int i = 0; goes_on && i < 1000000; i++)
		goes_on = spop_session_feed(t.session, str_of(BYTES(FRAME("\x07", NOTIFY_HEAD))));
	assert_false(goes_on);
	assert_true(spop_session_pending(t.session).len <= SPOP_SESSION_PENDING_MAX);
	end(&t);
}

static void
goodbye_is_a_disconnect_without_an_error(void **state)
{
	static struct story t;
	struct str out;
	struct spop_wire_head head;

	(void)state;
	begin(&t);
	assert_true(feed_vector(&t, "v34", "03-haproxy-hello.bin"));
	spop_session_sent(t.session, 1000);
	spop_session_say_goodbye(t.session);
	out = str_skip(spop_session_pending(t.session), SPOP_WIRE_LENGTH);
	assert_int_equal(spop_wire_take_head(&out, &head, NULL), ERR_OK);
	assert_int_equal(head.type, SPOP_WIRE_AGENT_DISCONNECT);
	assert_true(str_has_prefix(out, STR("\x0bstatus-code\x03\x00")));
	end(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_as_haproxy_writes_them),
		cmocka_unit_test(a_number_without_end_is_refused),
		cmocka_unit_test(every_value_is_written_as_it_was_read),
		cmocka_unit_test(a_head_is_written_as_it_was_read),
		cmocka_unit_test(hello_is_answered_to_the_byte),
		cmocka_unit_test(a_health_check_is_answered_and_over),
		cmocka_unit_test(a_message_is_read_and_acknowledged_on_its_stream),
		cmocka_unit_test(all_kinds_of_values_and_several_messages_are_read),
		cmocka_unit_test(any_split_gives_the_same),
		cmocka_unit_test(a_disconnect_is_answered_and_told),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_reason),
		cmocka_unit_test(a_hello_has_what_it_must_have_of_the_right_type),
		cmocka_unit_test(a_disconnect_says_why_if_it_can_be_read),
		cmocka_unit_test(a_session_needs_nobody_who_listens),
		cmocka_unit_test(an_unknown_frame_is_skipped_and_counted),
		cmocka_unit_test(the_largest_frame_is_read_and_one_byte_more_is_refused),
		cmocka_unit_test(what_comes_after_the_end_is_not_heard),
		cmocka_unit_test(a_session_is_idle_between_frames_once_its_answers_are_sent),
		cmocka_unit_test(answers_that_nobody_reads_are_bounded),
		cmocka_unit_test(goodbye_is_a_disconnect_without_an_error),
	};

	return cmocka_run_group_tests_name("spop", tests, NULL, NULL);
}
