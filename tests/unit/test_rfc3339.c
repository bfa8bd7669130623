/* base/rfc3339: times as text, at both ends of what can be written. */
#include "config.h"

#include "base/rfc3339.h"
#include "unit.h"

static void
times_are_written_in_utc_with_milliseconds(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000, "1969-12-31T23:59:59.000Z" },
		{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
		{ INT64_C(1795401646123), "2026-11-23T02:40:46.123Z" },
		{ INT64_C(4107542399999), "2100-02-28T23:59:59.999Z" },
		{ INT64_C(4107542400000), "2100-03-01T00:00:00.000Z" }, /* no leap year */
		{ INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z" },
		{ INT64_C(-62135596800001), "0001-01-01T00:00:00.000Z" },
		{ INT64_MIN, "0001-01-01T00:00:00.000Z" },
		{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
		{ INT64_C(253402300800000), "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[RFC3339_SIZE];

		rfc3339_put(rows[i].ms, text);
		assert_string_equal(text, rows[i].want);
	}
}

static void
a_time_is_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t wall_ms;
	} rows[] = {
		{ "2026-11-23T02:40:46.123Z", true, INT64_C(1795401646123) },
		{ "2026-11-23T02:40:46.123456789Z", true, INT64_C(1795401646123) },
		{ "2026-11-23T02:40:46.1Z", true, INT64_C(1795401646100) },
		{ "2026-11-23T02:40:46Z", true, INT64_C(1795401646000) },
		{ "1970-01-01T00:00:00.000Z", true, 0 },
		{ "2026-11-23T02:40:46.Z", false, 0 },
		{ "2026-11-23T02:40:46.123", false, 0 },
		{ "2026-11-23T02:40:46.123Z ", false, 0 },
		{ "2026-11-23 02:40:46.123Z", false, 0 },
		{ "2026-11-23T02:40:46.12xZ", false, 0 },
		{ "2026-11-23T02:40:46.1234567890Z", false, 0 },
		{ "2026-1x-23T02:40:46.123Z", false, 0 },
		{ "2026-13-23T02:40:46.123Z", false, 0 },
		{ "2026-11-00T02:40:46.123Z", false, 0 },
		{ "2026-11-32T02:40:46.123Z", false, 0 },
		{ "2026-11-23T02:60:46.123Z", false, 0 },
		{ "2026-11-23T02:40:60Z", true, INT64_C(1795401660000) }, /* a leap second */
		{ "2026-11-23T02:40:61Z", false, 0 },
		{ "2026-11-23T24:40:46.123Z", false, 0 },
		{ "0000-11-23T02:40:46.123Z", false, 0 },
		{ "Z", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int64_t got = 0;

		CHECK_ROW(rfc3339_parse(str_from_cstr(rows[i].text), &got) == rows[i].ok, i, rows[i].text);
		CHECK_ROW(got == rows[i].wall_ms, i, rows[i].text);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
		cmocka_unit_test(a_time_is_read_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
