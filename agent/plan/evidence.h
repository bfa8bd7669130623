/*
 * Why a server may go: the words that users read in `why`, in events and in the API
 * (design.md, section 6).
 */
#ifndef PLAN_EVIDENCE_H
#define PLAN_EVIDENCE_H

#include <stdbool.h>

/* name, text, proven: enough to take a server away without a limit */
#define EVIDENCE_KINDS(X)                \
	X(NONE, "none", false)           \
	X(RUNNING, "running", false)     \
	X(STOPPING, "stopping", true)    \
	X(STOPPED, "stopped", true)      \
	X(REPLACED, "replaced", true)    \
	X(MISSING, "missing", false)     \
	X(UNHEALTHY, "unhealthy", false) \
	X(UNEXPOSED, "unexposed", false)

enum evidence {
#define X(name, text, proven) EVIDENCE_##name,
	EVIDENCE_KINDS(X)
#undef X
};

const char *evidence_name(enum evidence ev);
bool evidence_is_proven(enum evidence ev);
/* Carries a removal within removal_limit: what AWS, labels or the configuration do not
 * say any more.  (UNHEALTHY is neither: a share of the backend decides.) */
bool evidence_is_reported(enum evidence ev);

#endif
