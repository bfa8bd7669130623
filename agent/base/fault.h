/*
 * A condition that lasts: said once when it begins, again when its text changes
 * (by more than numbers, and names that hold digits) or every FAULT_REMIND_MS with
 * a count, and once when it is over.  The status views show what is in here, the
 * text of the last time.  A plain value; zeroed means no fault.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define FAULT_REMIND_MS INT64_C(600000)

struct fault {
	bool on;
	struct err err;
	uint64_t count;    /* times raised since it began */
	int64_t since_ms;  /* monotonic */
	int64_t spoken_ms; /* monotonic: when a caller was last told to log it */
};

/* True: log it now (count tells how often it has happened). */
bool fault_raise(struct fault *f, int64_t mono_ms, const struct err *e);
/* True: it was on, and is over now; its fields still tell what it was. */
bool fault_clear(struct fault *f);

#endif
