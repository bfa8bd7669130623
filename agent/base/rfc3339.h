/* Times as text, as the control interface and the logs show them (RFC 3339). */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

#define RFC3339_SIZE 25 /* "2026-11-23T02:40:46.123Z" and a NUL */

/* Unix time in ms, UTC.  Years outside 1..9999 are shown as the nearest there is. */
void rfc3339_put(int64_t wall_ms, char ret[RFC3339_SIZE]);
/* "2026-11-23T02:40:46Z", with or without a fraction (whole ms are kept); UTC only.  False:
 * it is none. */
NODISCARD bool rfc3339_parse(struct str s, int64_t *ret_wall_ms);

#endif
