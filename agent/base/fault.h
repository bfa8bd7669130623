/*
 * A condition that lasts: said once when it begins, again when its text changes
 * or every FAULT_REMIND_MS with a count, and once when it is over.  The status views
 * show what is in here, the text of the last time.  A plain value; zeroed means no
 * fault.
 *
 * What differs at every try is no change of the text: numbers, names that hold
 * digits, and with ERR_PARSE the peer's own words between backquotes.  And a peer that
 * fails in ever other ways is told of FAULT_TEXTS_MAX times, then with the reminders.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define FAULT_REMIND_MS INT64_C(600000)
#define FAULT_TEXTS_MAX 8 /* said between two reminders */

struct fault {
	bool on;
	struct err err;
	uint64_t count;    /* times raised since it began */
	int64_t since_ms;  /* monotonic */
	int64_t spoken_ms; /* monotonic: when a caller was last told to log it */
	uint64_t gist;     /* of what was said then */
	unsigned n_texts;  /* said since the last reminder */
};

/* True: log it now (count tells how often it has happened). */
bool fault_raise(struct fault *f, int64_t mono_ms, const struct err *e);
/* True: it was on, and is over now; its fields still tell what it was. */
bool fault_clear(struct fault *f);

#endif
