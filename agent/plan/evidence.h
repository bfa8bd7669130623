/*
 * Why a server may go, and why a task gets no traffic: the words that users read
 * in `why`, in events and in the API (design.md, sections 6 and 9).
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

#define REASON_KINDS(X)                         \
	X(NONE, "")                             \
	X(NOT_RUNNING, "not_running")           \
	X(STOPPING, "stopping")                 \
	X(UNHEALTHY, "unhealthy")               \
	X(DISABLED, "disabled")                 \
	X(CONSTRAINT, "constraint")             \
	X(NOT_SELECTED, "not_selected")         \
	X(NO_PORT, "no_port")                   \
	X(SEVERAL_PORTS, "several_ports")       \
	X(NO_ADDRESS, "no_address")             \
	X(NO_ROUTE, "no_route")                 \
	X(NO_BACKEND, "no_backend")             \
	X(NO_SLOT, "no_slot")                   \
	X(BAD_LABEL, "bad_label")               \
	X(UNHONOURED, "unhonoured")             \
	X(NAME_CONFLICT, "name_conflict")       \
	X(ROUTE_CONFLICT, "route_conflict")     \
	X(HOST_NOT_ALLOWED, "host_not_allowed") \
	X(SELF, "self")

enum reason {
#define X(name, text) REASON_##name,
	REASON_KINDS(X)
#undef X
};

const char *reason_name(enum reason r);

#endif
