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
