/*
 * What HAProxy holds, as it was read back.  A value; made by hap/ from replies,
 * by plan_apply (tests/unit) in tests.  Only servers whose name begins with "rc_" are ours.
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

/*
 * How health checks stand for a server; UNCHECKED: HAProxy does not check it.
 *
 * What a dynamic server with `check` shows, stage by stage (measured: 2.6, 3.0, 3.2 and
 * 3.4 alike but where said):
 *
 *   added                       MAINT, down, UNCHECKED: its checks are not enabled
 *   CHECK, first result awaited MAINT, down, PENDING (the first check comes within `inter`)
 *   CHECK, and a check passed   MAINT, down, PASSED: one is enough, whatever rise and fall are
 *   CHECK, and it failed        MAINT, down, FAILED; checked on, may pass later
 *   READY without init-state    up at once, whatever was checked before ("UP 1/3", a passed check
 *                               in MAINT counts no more): PENDING, PASSED after one good check,
 *                               down and FAILED after one bad one.  With `fall 1` it shows a full
 *                               count at once: PENDING only until the very first check
 *   READY, init-state down      (3.2 and later) down, PENDING ("DOWN 1/2") until a check passes:
 *                               then up and PASSED; or fails: FAILED
 *   MAINT after READY or DRAIN  down, PENDING: its checks are paused, and CHECK changes nothing:
 *                               no PASSED comes of waiting
 *   DRAIN, READY after that     as a slot: begins anew at "UP 1/3" (DOWN with init-state down,
 *                               every time that it leaves MAINT) beside a result of before, which
 *                               is stale: PENDING until a check has passed since, full count
 *
 * So a dynamic server that comes back from MAINT on 3.0 is gated like a slot, by DRAIN until
 * PASSED.  CHECK after READY or DRAIN breaks HAProxy's counting ("UP -1/3"): CHECK comes
 * first.  Repeated, it does nothing.
 */
enum actual_check { ACTUAL_UNCHECKED, ACTUAL_CHECK_PENDING, ACTUAL_CHECK_PASSED, ACTUAL_CHECK_FAILED };

struct actual_server {
	struct str name;
	struct str address; /* empty: none (0.0.0.0, or not an IP address) */
	uint16_t port;      /* 0: none */
	unsigned weight;    /* as set, 0..256 */
	unsigned maxconn;   /* 0: no limit */
	enum actual_admin admin;
	bool up; /* the operational state lets it serve, admin aside */
	enum actual_check check;
	bool shows_full_at_once; /* `fall 1`: the full count, before it has been checked since it left maintenance */
	bool check_running;      /* one is under way: its result may come after the next command */
	/* What can be ejected (agent-check, HAProxy's): its line has it, and it is enabled, too
	 * (a server that was added has to be told); it is ejected ("DOWN (agent)"), which
	 * outlives maintenance and another address. */
	bool has_agent_line, has_agent, agent_down;
	/* Since HAProxy started, or the server was added: answers that the server began, those
	 * of them with a status of 500 and above, and calls that got none (econ + eresp). */
	uint64_t answers, answers_5xx, failures;
	uint32_t sessions; /* streams in flight */
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
	bool is_frontend;    /* it does not exist, and a frontend has the name: none can be made from 3.3 on */
	bool is_unpublished; /* 3.4: `use_backend` passes it over */
	bool small_weights;  /* balance random or a hash: each point of weight costs (facts/haproxy.md, section 5) */
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
	const struct str *cas; /* names of the CA files that HAProxy has loaded, if they were asked for */
	size_t n_cas;
	const struct actual_backend *backends; /* those that were asked for, in that order */
	size_t n_backends;
	struct arena *arena; /* owns all of it, this struct included */
};

void actual_free(struct actual *a); /* null is fine */
CLEANUP_DEFINE(struct actual, actual_free);
const struct actual_backend *actual_find(const struct actual *a, struct str backend); /* or null */
bool actual_is_at_least(const struct actual *a, unsigned major, unsigned minor);      /* its version */
bool actual_is_ours(struct str name);
/* "rc_17": 17.  At most 6 digits. */
bool actual_slot_number(struct str name, unsigned *ret);
const char *actual_admin_name(enum actual_admin a); /* HAProxy's word: "ready", "drain", "maint" */

#endif
