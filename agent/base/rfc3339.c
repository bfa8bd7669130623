/* Times as text: see rfc3339.h. */
#include "config.h"

#include "base/rfc3339.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_1_MS    INT64_C(-62135596800000)
#define YEAR_9999_MS INT64_C(253402300799999)

void
rfc3339_put(int64_t wall_ms, char ret[RFC3339_SIZE])
{
	int64_t ms = wall_ms < YEAR_1_MS ? YEAR_1_MS : wall_ms > YEAR_9999_MS ? YEAR_9999_MS : wall_ms;
	int64_t part = (ms % 1000 + 1000) % 1000;
	time_t seconds = (time_t)((ms - part) / 1000);
	struct tm tm = { 0 };
	char text[96]; /* as wide as the format could be by its types alone */

	(void)gmtime_r(&seconds, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)part);
	memcpy(ret, text, RFC3339_SIZE - 1);
	ret[RFC3339_SIZE - 1] = '\0';
}

/* The whole number at text[at..at+n], within min..max. */
static bool
take_number(struct str text, size_t at, size_t n, int min, int max, int *ret)
{
	uint64_t value;

	if (!str_to_u64(str_first(str_skip(text, at), n), (uint64_t)max, &value) || (int)value < min)
		return false;
	*ret = (int)value;
	return true;
}

/* ".123", or nothing: thousandths; more digits are dropped. */
static bool
take_fraction(struct str text, int *ret_ms)
{
	int ms = 0;

	if (text.len == 0) {
		*ret_ms = 0;
		return true;
	}
	if (text.ptr[0] != '.' || text.len < 2 || text.len > 10)
		return false;
	for (size_t i = 1; i < (text.len > 4 ? text.len : 4); i++) {
		const char c = i < text.len ? text.ptr[i] : '0';

		if (c < '0' || c > '9')
			return false;
		if (i <= 3)
			ms = ms * 10 + (c - '0');
	}
	*ret_ms = ms;
	return true;
}

bool
rfc3339_parse(struct str s, int64_t *ret_wall_ms)
{
	static const char form[] = "0000-00-00T00:00:00";
	struct tm tm = { 0 };
	int ms;

	if (s.len < sizeof(form) || s.ptr[s.len - 1] != 'Z')
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] != '0' && s.ptr[i] != form[i])
			return false;
	if (!take_number(s, 0, 4, 1, 9999, &tm.tm_year) || !take_number(s, 5, 2, 1, 12, &tm.tm_mon) ||
	    !take_number(s, 8, 2, 1, 31, &tm.tm_mday) || !take_number(s, 11, 2, 0, 23, &tm.tm_hour) ||
	    !take_number(s, 14, 2, 0, 59, &tm.tm_min) || !take_number(s, 17, 2, 0, 60, &tm.tm_sec) ||
	    !take_fraction(str_first(str_skip(s, sizeof(form) - 1), s.len - sizeof(form)), &ms))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret_wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}
