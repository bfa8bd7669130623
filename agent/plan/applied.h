/*
 * What we last asked HAProxy for, server by server (design.md, section 2): kept to
 * tell our own hand from an operator's, to finish what a killed daemon began, and
 * to know what HAProxy does not show (the settings that a server was added with).
 *
 * A value of one HAProxy process (Pid and start time).  Written to
 * state_dir/applied.json before the commands that it tells of are sent: so after a
 * crash each server is as it was before or as it was asked to be, field by field;
 * anything else was someone else's hand.  Pure.
 *
 * The way of it, pass by pass (sync/reconcile.c):
 *   actual is read     applied_observe: what was asked is confirmed; a confirmed
 *                      field that differs now is a finding, and becomes a hold
 *   the plan is made   plan_diff looks up settings, trust and intents here
 *   before it runs     applied_expect: the next value; saved, if it differs
 */
#ifndef PLAN_APPLIED_H
#define PLAN_APPLIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/actual.h"
#include "plan/evidence.h"
#include "plan/overlay.h"

#define APPLIED_ARENA_MAX   ((size_t)64 << 20)
#define APPLIED_TEXT_MAX    ((size_t)64 << 20)
#define APPLIED_SERVERS_MAX ((size_t)100000) /* read from a file */
/* How long after a process was last seen its servers need no new gate in the next. */
#define APPLIED_TRUST_MS INT64_C(60000)
/* The file is written anew after so long even if nothing changed: its age tells
 * whether what it says of the last process may still be trusted. */
#define APPLIED_SEEN_EVERY_MS INT64_C(20000)

#define APPLIED_INTENTS(X)                                                  \
	X(JOINING, "joining")                                               \
	X(SERVING, "serving")   /* was seen ready and up since it joined */ \
	X(DRAINING, "draining") /* leaves on the evidence beside it */      \
	X(RENEWING, "renewing") /* leaves to come back with other settings */

enum applied_intent {
#define X(name, text) APPLIED_##name,
	APPLIED_INTENTS(X)
#undef X
};

struct plan;

struct applied_server {
	struct str backend, server;     /* where */
	struct str task_arn, container; /* for whom; empty: no task that we know */
	struct str address;
	uint16_t port;
	uint64_t spec;     /* desired_spec of what it was added with; 0: not known (a slot, or adopted) */
	bool is_confirmed; /* HAProxy was seen as asked */
	enum actual_admin was_admin, admin; /* before the last command, and asked by it */
	unsigned was_weight, weight;        /* likewise */
	unsigned auto_weight;               /* what it would be without anybody's hand */
	enum applied_intent intent;
	enum evidence evidence;      /* of DRAINING */
	int64_t drain_since_wall_ms; /* 0: it does not drain */
	int64_t wait_since_wall_ms;  /* it is to go, and serves until others do; 0: it does not wait */
};

struct applied {
	uint64_t pid, start_time_s;           /* which process */
	int64_t seen_wall_ms;                 /* when it last answered */
	const struct applied_server *servers; /* sorted by backend, server */
	size_t n_servers;
	const struct applied_server *const *by_task; /* the same, by key */
	struct arena *arena;                         /* owns all of it, this struct included */
};

/* Someone else's hand on one of our servers. */
struct applied_finding {
	struct overlay_key key; /* borrows from the applied that it was found with, as does server */
	struct str server;
	bool has_admin, has_weight;
	enum actual_admin admin; /* as it is now */
	unsigned weight;
	bool weight_is_auto; /* back to what it would be without a hand */
};

struct applied_findings {
	const struct applied_finding *items;
	size_t n;
};

void applied_free(struct applied *a); /* null is fine */
CLEANUP_DEFINE(struct applied, applied_free);
bool applied_is_of(const struct applied *a, const struct actual *actual); /* the same process; a may be null */
/* Of the process before, and seen so lately that its servers need no new gate. */
bool applied_is_trusted(const struct applied *a, int64_t now_wall_ms);
/* Both null if there is none; a may be null. */
const struct applied_server *applied_find(const struct applied *a, struct str backend, struct str server);
const struct applied_server *applied_find_task(const struct applied *a, const struct overlay_key *key);

/*
 * A new value: before, held against what was read back (of the same process).
 * Asked and seen is confirmed; JOINING that is ready and up becomes SERVING;
 * servers that are gone, or have another address, are dropped; those of a backend that
 * was not read stay as they are.  Findings live in *ret.  seen_wall_ms is now.
 */
NODISCARD enum err_code applied_observe(const struct applied *before, const struct actual *actual, int64_t now_wall_ms,
    struct applied **ret, struct applied_findings *ret_findings, struct err *e);
/*
 * A new value: what HAProxy will hold once p has been carried out on actual.  before
 * is what applied_observe made of it, or null (a process that we meet for the first
 * time: what is there is adopted as it is; of a trusted former process, servers at
 * the same address:port keep their spec).  Servers in no plan are not listed.
 */
NODISCARD enum err_code applied_expect(const struct applied *before, const struct applied *former,
    const struct actual *actual, const struct plan *p, int64_t now_wall_ms, struct applied **ret, struct err *e);
/* Worth writing: anything but the confirmation and the time differs. */
bool applied_differs(const struct applied *a, const struct applied *b);

/* Copies what s borrows; the server before it in the list, or null, may lend its texts.  False: the
 * arena refuses. */
NODISCARD bool applied_keep_texts(struct arena *a, struct applied_server *s, const struct applied_server *earlier);
/* Fills by_task once the servers are in place.  Likewise. */
NODISCARD bool applied_index(struct applied *a);
NODISCARD enum err_code applied_write(const struct applied *a, struct buf *out, struct err *e);
/* Hostile text: refused whole (ERR_PARSE), never half read. */
NODISCARD enum err_code applied_read(struct str text, struct applied **ret, struct err *e);

#endif
