/*
 * What HAProxy holds, as it was read back.  A value; made by hap/ from replies,
 * by plan_apply in tests.  Only servers whose name begins with "rc_" are ours.
 */
#ifndef PLAN_ACTUAL_H
#define PLAN_ACTUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define ACTUAL_ARENA_MAX ((size_t)128 << 20)

enum actual_admin { ACTUAL_READY, ACTUAL_DRAIN, ACTUAL_MAINT };

/* How health checks stand for a server; UNCHECKED: HAProxy does not check it. */
enum actual_check { ACTUAL_UNCHECKED, ACTUAL_CHECK_PENDING, ACTUAL_CHECK_PASSED, ACTUAL_CHECK_FAILED };

struct actual_server {
	struct str name;
	struct str address; /* empty: none (0.0.0.0, or not an IP address) */
	uint16_t port;      /* 0: none */
	unsigned weight;    /* as set, 0..256 */
	unsigned maxconn;   /* 0: no limit */
	enum actual_admin admin;
	bool admin_by_config; /* maintenance that only the configuration file asked for ("disabled") */
	bool up;              /* the operational state lets it serve, admin aside */
	enum actual_check check;
	bool check_running; /* one is under way: its result may come after the next command */
	uint32_t sessions;  /* streams in flight */
	uint32_t queued;
	uint32_t changed_s;    /* seconds since the operational state changed */
	struct str status;     /* as HAProxy shows it: "UP", "DRAIN 2/4" ... */
	struct str last_check; /* "L4CON", or empty */
	bool is_ours;          /* rc_... */
	bool is_slot;          /* rc_<digits> */
	unsigned slot;         /* its number */
};

struct actual_backend {
	struct str name;
	bool exists;
	bool small_weights; /* balance random or a hash: each point of weight costs (facts/haproxy.md, section 5) */
	const struct actual_server *servers; /* as HAProxy lists them */
	size_t n_servers;
	size_t n_slots;
};

struct actual {
	struct str version; /* "2.6.12-1+deb12u4" */
	unsigned major, minor;
	uint64_t pid, start_time_s; /* together: which process */
	bool stopping;
	int64_t read_mono_ms;
	const struct actual_backend *backends; /* those that were asked for, in that order */
	size_t n_backends;
	struct arena *arena; /* owns all of it, this struct included */
};

void actual_free(struct actual *a); /* null is fine */
CLEANUP_DEFINE(struct actual, actual_free);
const struct actual_backend *actual_find(const struct actual *a, struct str backend); /* or null */
bool actual_is_ours(struct str name);
/* "rc_17": 17.  At most 6 digits. */
bool actual_slot_number(struct str name, unsigned *ret);
const char *actual_admin_name(enum actual_admin a); /* HAProxy's word: "ready", "drain", "maint" */

#endif
