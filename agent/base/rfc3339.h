/* Times as text, as the control interface and the logs show them (RFC 3339). */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdint.h>

#define RFC3339_SIZE 25 /* "2026-11-23T02:40:46.123Z" and a NUL */

/* Unix time in ms, UTC.  Years outside 1..9999 are shown as the nearest there is. */
void rfc3339_put(int64_t wall_ms, char ret[RFC3339_SIZE]);

#endif
