/*
 * The plan: an ordered list of single steps that brings actual nearer to desired.
 *
 * A backend is planned by one of two strategies: slots (rc_1, rc_2 ...), which are
 * given to candidates, or servers added and deleted at run time, each named after
 * its task.  A managed backend may hold both kinds: those that its file names, and
 * slots beyond them on HAProxy 2.6.
 *
 * plan_diff is the heart of the agent and is pure.  It is given what should be,
 * what is, and what we remember of our own doing (plan_memory: since when a
 * server drains).  It decides a stage per pass: what is there is read back, and
 * the next pass goes on from that.  Additions come first, so that capacity never
 * dips; a slot is addressed only when nothing runs on it any more.
 *
 * Laws, tested on random states (tests/unit/test_plan_laws.c), over all versions, both
 * strategies, holds, plans that were cut off after any step, and reloads:
 *   - a state that is as desired gives an empty plan;
 *   - plan, apply, read back, again: desired is reached in a few rounds and stays, with
 *     memory of what was done before and without;
 *   - no step touches a server that is not ours, or a backend that is not there;
 *   - a server that serves is touched by a removal only on the evidence that its
 *     candidate carries, by an operator's hold, or to come back with other settings:
 *     then one at a time, and never the last that takes calls;
 *   - what no candidate explains is not touched, but for what had begun on proof, the server of
 *     a task that is over and has lost its address, and what its server says of itself
 *     (plan_orphan.h);
 *   - what is only reported (MISSING, UNEXPOSED) takes servers within removal_limit or by the
 *     operator's release, all of them or none, and never the last that takes calls; health
 *     takes one only while the share of panic_threshold stays;
 *   - nothing is done against a hold, or in a paused backend, without proof;
 *   - a reload of HAProxy takes nobody away who served, and against whom nothing is proven;
 *   - nobody takes a call before a passed check, unless HAProxy does not check it, or it
 *     served under the process before;
 *   - no slot is given an address while it has sessions, or is not in maintenance.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/actual.h"
#include "plan/applied.h"
#include "plan/desired.h"
#include "plan/evidence.h"
#include "plan/overlay.h"

#define PLAN_ARENA_MAX          ((size_t)128 << 20)
#define PLAN_SHUTDOWN_REPEAT_MS INT64_C(5000) /* streams that outlive a shutdown are shut again */

/* name, text, does it take away a server, or its calls, that may be serving? */
#define PLAN_STEP_KINDS(X)               \
	X(BACKEND, "backend", false)     \
	X(PUBLISH, "publish", false)     \
	X(CA, "ca", false)               \
	X(ADD, "add", false)             \
	X(CHECK, "check", false)         \
	X(AGENT, "agent", false)         \
	X(ADDRESS, "address", false)     \
	X(WEIGHT, "weight", false)       \
	X(MAXCONN, "maxconn", false)     \
	X(JOIN, "join", false)           \
	X(GATE, "gate", false)           \
	X(READY, "ready", false)         \
	X(UNEJECT, "uneject", false)     \
	X(EJECT, "eject", true)          \
	X(DRAIN, "drain", true)          \
	X(MAINT, "maint", true)          \
	X(SHUTDOWN, "shutdown", true)    \
	X(DELETE, "delete", true)        \
	X(UNPUBLISH, "unpublish", false) \
	X(UNMAKE, "delete backend", false)

/*
 * BACKEND, PUBLISH: a managed backend of HAProxy 3.4 (add backend, publish backend).
 * CA: a certificate authority for servers with TLS, loaded before the first that names it.
 * ADD: add server, which is in maintenance then; CHECK: its checks begin (enable health).
 * AGENT: its agent is enabled, and up: only then can it be ejected.
 * EJECT, UNEJECT: agent down, agent up (design.md, section 8): no new call, while
 * maintenance, checks and the operator's hand stay what they are.
 * JOIN: state drain, so that HAProxy checks a slot but sends no call.
 * GATE: health down of a server that drains, for one with `fall 1` shows the full count of
 * checks before it was checked at all.
 * DRAIN: state drain of a server that serves: an operator asked for it.
 * DELETE: del server, in maintenance and without sessions.
 * UNPUBLISH, UNMAKE: a managed backend that is retired, that no server is left in and no route
 * leads to, is taken out of HAProxy 3.4 (unpublish backend, del backend); HAProxy refuses while a stream is in it.
 *
 * The life of a dynamic server (facts/haproxy.md, sections 1 and 12):
 *   3.2 and later   ADD (starts_down), CHECK, AGENT, READY at once: DOWN until a check passes
 *   3.0             ADD, CHECK, AGENT; MAINT with a passed check; READY
 *   unchecked, or trusted (ready under the process before): ADD, CHECK if checked, AGENT, READY
 *
 * In this order within a plan: BACKEND, PUBLISH, CA; all of ADD, CHECK, AGENT, ADDRESS, WEIGHT,
 * MAXCONN, JOIN that make servers enter, by server, and the READY that goes with them;
 * READY and UNEJECT; WEIGHT and MAXCONN of servers that serve; DRAIN, MAINT and EJECT; SHUTDOWN; DELETE;
 * UNPUBLISH, UNMAKE.
 * One MAINT comes earlier: that of a vacant slot, be it addressed next or not.
 */
enum plan_step_kind {
#define X(name, text, removes) PLAN_##name,
	PLAN_STEP_KINDS(X)
#undef X
};

/* A CA file of the configuration, read. */
struct plan_ca {
	struct str path; /* as tls_ca_file names it */
	struct str name; /* in HAProxy: made of its content, so that another content is another name */
	struct str pem;  /* printable lines */
};

struct plan_step {
	enum plan_step_kind kind;
	struct str backend, server; /* server: empty where it is about a backend, or a CA; backend: empty for CA */
	struct str address;         /* ADDRESS, ADD */
	uint16_t port;              /* ADDRESS, ADD */
	unsigned value;             /* WEIGHT, MAXCONN; ADD: the weight */
	uint64_t spec;              /* ADD: what applied.json remembers of its settings */
	const struct conf_policy *policy; /* ADD: what its line says */
	struct str defaults;              /* BACKEND: the named defaults section */
	const struct plan_ca *ca;         /* CA; ADD: the one its line names, or null */
	bool starts_down;                 /* ADD: init-state down */
	bool is_respec;                   /* MAINT, SHUTDOWN, DELETE: it comes back at once with other settings */
	bool by_operator; /* DRAIN, MAINT: a hold asks for it; ADDRESS, ADD: a hold keeps it from serving */
	bool is_begun;    /* a removal that no candidate explains any more, but what was applied does */
	bool is_orphan;   /* a removal that no candidate explains, on what its server says itself: plan_orphan.h */
	const struct roster_task *task;     /* is_orphan: its task, if that is known; else null */
	const struct actual_server *actual; /* of who leaves, as it was read; else null */
	bool is_overdue;                    /* MAINT: it has waited for others to join as long as it may */
	struct str because;                 /* EJECT: what its calls did, in words */
	enum evidence evidence;
	const struct desired_server *why; /* the candidate behind it; null: none, the slot is vacant */
	bool is_vacant;                   /* MAINT of a slot that holds no address and no session: nothing leaves */
	bool takes_calls;                 /* MAINT of a server that is ready and up: one fewer to call */
};

/* How a server of ours stands: what views show. */
enum plan_state {
	PLAN_STATE_JOINING,
	PLAN_STATE_UP,
	PLAN_STATE_DOWN,
	PLAN_STATE_DRAINING,
	PLAN_STATE_EJECTED,
	PLAN_STATE_HELD
};
#define PLAN_STATES ((size_t)PLAN_STATE_HELD + 1)

/* One server of ours that holds an address, with the candidate it stands for.  A
 * free slot that still has the address of its last task is not shown. */
struct plan_server {
	struct str backend;
	const struct actual_server *actual;
	const struct desired_server *desired; /* null: no task known explains it */
	enum plan_state state;
	const struct overlay_hold *hold; /* HELD: by whom and how; else null.  Borrowed from the overlay */
	bool is_joining;                 /* is to serve after its check, though a hold of its weight hides JOINING */
	bool is_stale;                   /* was added with other settings than the configuration has now */
	/* The candidate's; REPLACED also for the second server of one candidate; where there
	 * is no candidate what its removal had begun on, or what its server says itself. */
	enum evidence evidence;
	const struct roster_task *task; /* no candidate, but its task is known; else null */
	bool is_orphan;                 /* no candidate, and nothing was begun: evidence is of plan_orphan.h */
};

enum plan_strategy { PLAN_STRATEGY_NONE, PLAN_STRATEGY_SLOTS, PLAN_STRATEGY_DYNAMIC };

struct plan_backend {
	struct str name;
	bool exists;
	enum plan_strategy strategy;
	const struct plan_server *servers; /* in a stable order: slot number, then name */
	size_t n_servers;
	size_t n_free_slots;                          /* left over by this plan */
	const struct desired_server *const *unplaced; /* should serve, and found no slot; in desired's order */
	size_t n_unplaced;
	size_t n_joining, n_draining; /* servers that do, the latter with sessions left: a reason to look again soon */
	unsigned keep_percent;        /* of those that should serve; see plan_guard */
	size_t n_needed;              /* that many must take calls, for all that ECS says of health */
	unsigned removal_limit;       /* percent of those that serve that may go on what is only reported */
	/* Filled by plan_guard: those that are reported against, or went so within ten minutes,
	 * of how many, and whether that is too many: then none of them goes. */
	size_t n_reported, n_counted;
	bool is_frozen;
	bool is_retired;        /* no entry names it any more, nor does a label ask for it, as far as is known */
	size_t n_without_agent; /* servers that should serve, and cannot be ejected */
	bool is_over;   /* retired, nothing is left of it, and HAProxy lacks it, or can't be told: its section goes */
	bool is_paused; /* by the operator: only what is proven to end is touched */
	bool is_closed; /* nobody enters now: it is paused, or HAProxy is going down */
	/* Keys of the configuration that somebody wrote and that its slots cannot take (bits as
	 * in conf_policy.set): their own line in HAProxy's configuration decides. */
	uint32_t unheeded;
	struct str missing_ca; /* tls_ca_file that could not be read: whoever needs it is unplaced; empty: none */
};

/* Removals that the evidence does not carry (yet): kept in service. */
struct plan_held {
	struct str backend;
	struct str server;
	enum evidence evidence;
	struct str message;
};

/* Since when each server that has streams left is in maintenance, or waits to go there
 * until others serve, from pass to pass.  Keyed by backend, server and address:port, so
 * that a reused slot starts anew. */
struct plan_memory_entry {
	struct str backend, server, address;
	uint16_t port;
	int64_t drain_since_ms; /* monotonic: first seen so */
	bool was_shut;
	int64_t shut_ms; /* monotonic: when SHUTDOWN was last in a plan; if was_shut */
	bool is_serving; /* not in maintenance yet: drain_since_ms is when it was first to go */
	bool is_gated;   /* was seen down since it joined: what passed since then is its own */
};

/* Zeroed: nothing is remembered.  Lives in the plan that it came with: keep that
 * plan until the next one is made. */
struct plan_memory {
	const struct plan_memory_entry *entries; /* sorted by backend, server */
	size_t n;
	const struct plan_memory_entry *unexplained; /* likewise: since when no known task explains it */
	size_t n_unexplained;
};

struct plan {
	const struct plan_step *steps; /* in the order to carry out */
	size_t n_steps;
	const struct plan_backend *backends; /* as in desired */
	size_t n_backends;
	const struct plan_held *held;
	size_t n_held;
	struct plan_memory memory; /* for the next pass */
	int64_t next_ms;           /* monotonic: streams are to be shut then; INT64_MAX: none */
	struct arena *arena;       /* owns all of it, this struct included */
};

/* Who is to be ejected, by task like a hold: it outlives a reload of HAProxy. */
struct plan_ejection {
	struct overlay_key key;
	struct str because;
};

struct plan_ejections {
	const struct plan_ejection *items; /* in any order */
	size_t n;
};

enum plan_fate {
	PLAN_FATE_WAITS,  /* a route leads to it, or nobody knows: it stays as it is */
	PLAN_FATE_GOES,   /* UNPUBLISH, UNMAKE */
	PLAN_FATE_REMAINS /* HAProxy's configuration names it: it stays, published */
};

struct plan_rules {
	int64_t now_ms;                /* monotonic */
	int64_t swept_twice_ms;        /* monotonic: every cluster was swept whole twice since then; 0: not yet */
	const struct applied *applied; /* of the process that actual was read from; null: nothing is known */
	const struct applied *former;  /* of the one before, if trusted; null: every server is gated */
	/* No plan was carried out in this process yet: who served under the former one comes back,
	 * be it only to stay, or to leave on what proves nothing. */
	bool brings_back;
	const struct overlay *overlay;          /* null: nobody's hand */
	const struct plan_ejections *ejections; /* null: nobody, and who is gets back */
	const struct plan_ca *cas;
	size_t n_cas;
	bool may_add_backends; /* managed backends are made at run time where HAProxy can */
	struct str defaults;   /* haproxy.managed.defaults, for BACKEND */
	/* What becomes of a managed backend that is retired and empty, where HAProxy can; null: it stays. */
	enum plan_fate (*fate_of)(void *arg, struct str backend);
	void *fate_arg;
};

/* desired and actual must outlive the plan; memory need not (its entries are copied). */
NODISCARD enum err_code plan_diff(const struct plan_rules *rules, const struct desired *desired,
    const struct actual *actual, const struct plan_memory *memory, struct plan **ret, struct err *e);
/* Takes out of the steps what the evidence does not carry, into held; in place, and
 * all or nothing: on failure the plan is as it was, and must not be carried out. */
NODISCARD enum err_code plan_guard(const struct plan_rules *rules, struct plan *p, struct err *e);
/* Puts back whatever of ours is ejected, and does nothing else: for the end of the
 * daemon, and for who cleans up after it. */
NODISCARD enum err_code plan_uneject_all(const struct actual *actual, struct plan **ret, struct err *e);
void plan_free(struct plan *p); /* null is fine */
CLEANUP_DEFINE(struct plan, plan_free);
const struct plan_backend *plan_find(const struct plan *p, struct str backend); /* or null */
bool plan_makes(const struct plan *p, struct str backend);                      /* has a step that adds it */

/* Does the memory say that this server is to go, and serves until others do? */
bool plan_memory_waits(const struct plan_memory *m, struct str backend, const struct actual_server *s);

bool plan_step_is_of_backend(enum plan_step_kind k); /* it is about no server, and no CA */
const char *plan_step_name(enum plan_step_kind k);
bool plan_step_removes(enum plan_step_kind k);
const char *plan_state_name(enum plan_state s);       /* "joining", "ready", "down" ... */
const char *plan_strategy_name(enum plan_strategy s); /* "slots", "dynamic", "none" */

#endif
