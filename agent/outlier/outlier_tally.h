/*
 * What the calls of each server did: counters of `show stat` and events of SPOE,
 * second by second and interval by interval.  A part of outlier.c.
 */
#ifndef OUTLIER_OUTLIER_TALLY_H
#define OUTLIER_OUTLIER_TALLY_H

#include "outlier/outlier.h"

struct outlier_tally;

/* Somebody whose calls failed. */
struct outlier_finding {
	struct overlay_key key; /* as all texts here: borrowed until the next pass */
	struct str server;
	const struct conf_outlier *policy; /* lives as long as the plan of this pass */
	bool has_agent;
	enum outlier_cause cause;
	char because[OUTLIER_REASON_MAX];
};

NODISCARD struct outlier_tally *outlier_tally_new(void); /* null: no memory */
void outlier_tally_free(struct outlier_tally *t);

/* Is this a server that counts: its task is known, it should serve, mode is not off? */
bool outlier_tally_counts(const struct plan_server *s);
/* One failure that `show stat` takes for a success.  False: no such server. */
bool outlier_tally_fail(struct outlier_tally *t, struct str backend, struct str server);
/* Reads the counters.  True: a window of OUTLIER_EVERY_MS is over: look for findings. */
bool outlier_tally_pass(struct outlier_tally *t, const struct actual *actual, const struct plan *p, int64_t mono_ms);
/* The next finding in that backend; false: there is none, and the next call begins anew. */
bool outlier_tally_next(struct outlier_tally *t, struct str backend, struct outlier_finding *ret);
/* An interval of that backend has just ended: its policy; else null. */
const struct conf_outlier *outlier_tally_swept(const struct outlier_tally *t, struct str backend);
/* All findings have been fetched: the next window begins, and intervals that have ended
 * do.  What SPOE tells from now on is of those. */
void outlier_tally_end(struct outlier_tally *t);
/* It returns: what it did before does not count. */
void outlier_tally_begin_anew(struct outlier_tally *t, const struct overlay_key *key);

#endif
