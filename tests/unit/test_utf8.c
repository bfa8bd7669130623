/* base/utf8 against RFC 3629, section 4, written down a second time: by value. */
#include "config.h"

#include "base/utf8.h"
#include "unit.h"

/* How UTF-8 writes a code point; 0: it does not. */
static size_t
encode(uint32_t c, unsigned char to[4])
{
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0x80) {
		to[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (unsigned char)(0xc0 | c >> 6);
		to[1] = (unsigned char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (unsigned char)(0xe0 | c >> 12);
		to[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (unsigned char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (unsigned char)(0xf0 | c >> 18);
	to[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (unsigned char)(0x80 | (c & 0x3f));
	return 4;
}

static void
every_code_point_is_taken_whole(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		unsigned char bytes[5];
		size_t n = encode(c, bytes);
		struct str rest = str_of(bytes, n + 1), got;

		if (n == 0)
			continue;
		bytes[n] = 'x';
		if (!utf8_take(&rest, &got) || got.len != n || got.ptr != (const char *)bytes || rest.len != 1)
			fail_msg("U+%04X", (unsigned)c);
	}
}

/* All pairs of first bytes with all that may follow would be 2^32; the second byte
 * alone decides what is overlong, a surrogate or too large, so 2^16 will do. */
static void
nothing_else_is_taken(void **state)
{
	static bool known[256][256];
	unsigned char bytes[4] = { 0 };

	(void)state;
	for (uint32_t c = 0x80; c <= 0x10ffff; c++)
		if (encode(c, bytes) > 1)
			known[bytes[0]][bytes[1]] = true;
	for (unsigned first = 0x80; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			const unsigned char text[4] = { (unsigned char)first, (unsigned char)second, 0x80, 0x80 };
			struct str rest = str_of(text, sizeof(text)), got;

			if (utf8_take(&rest, &got) != known[first][second])
				fail_msg("%02X %02X", first, second);
			if (!known[first][second])
				assert_int_equal(got.len, 1);
		}
	}
}

static void
what_is_malformed_is_refused(void **state)
{
	static const char *const rows[] = {
		"\x80",             /* a continuation on its own */
		"\xbf",             /* likewise */
		"\xc0\x80",         /* NUL in two bytes */
		"\xc1\xbf",         /* overlong */
		"\xe0\x80\xaf",     /* overlong '/' */
		"\xe0\x9f\xbf",     /* overlong */
		"\xf0\x80\x80\xaf", /* overlong '/' */
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xed\xa0\x80",     /* U+D800 */
		"\xed\xbf\xbf",     /* U+DFFF */
		"\xf4\x90\x80\x80", /* U+110000 */
		"\xf5\x80\x80\x80", /* further on */
		"\xfe",             /* never */
		"\xff",             /* never */
		"\xc2",             /* cut off */
		"\xe2\x82",         /* likewise */
		"\xf0\x9f\x98",     /* likewise */
		"\xe2\x28\xa1",     /* the second is no continuation */
		"\xe2\x82\x28",     /* the third is none */
		"\xf0\x9f\x98\x28", /* the fourth is none */
		"ok \xe2\x82\xac \xc3(",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_ROW(!utf8_is_valid(str_from_cstr(rows[i])), i, "malformed");
}

static void
a_malformed_byte_costs_no_more_than_itself(void **state)
{
	struct str rest = STR("\xf0\x9f(a"), got;

	(void)state;
	assert_false(utf8_take(&rest, &got));
	assert_str(got, "\xf0");
	assert_false(utf8_take(&rest, &got));
	assert_str(got, "\x9f");
	assert_true(utf8_take(&rest, &got));
	assert_str(got, "(");
	assert_str(rest, "a");
}

static void
what_is_well_formed_is_valid(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(STR("")));
	assert_true(utf8_is_valid(str_of(NULL, 0)));
	assert_true(utf8_is_valid(STR("a\0b")));
	assert_true(utf8_is_valid(STR("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf")));
	assert_true(utf8_is_valid(STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
}

static void
what_a_terminal_may_obey_is_a_control_character(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x1000; c++) {
		unsigned char bytes[4];
		size_t n = encode(c, bytes);
		bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0);

		if (utf8_is_control(str_of(bytes, n)) != is_control)
			fail_msg("U+%04X", (unsigned)c);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_is_taken_whole),
		cmocka_unit_test(nothing_else_is_taken),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(a_malformed_byte_costs_no_more_than_itself),
		cmocka_unit_test(what_is_well_formed_is_valid),
		cmocka_unit_test(what_a_terminal_may_obey_is_a_control_character),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
