/*
 * Why a task gets no traffic: the words that users read in `why`, in events and in the
 * API (design.md, section 9).
 */
#ifndef PLAN_REASON_H
#define PLAN_REASON_H

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
