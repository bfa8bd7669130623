/*
 * The roster: what AWS has told us of each task, and when, in one value.
 *
 * It holds facts, not conclusions: a task that an answer did not mention is
 * still in it, with what was last said of it.  Who may serve, and what is
 * evidence enough to take a server away, is decided in plan/.
 *
 * A cluster's facts are frozen and counted; a roster is a frozen list of
 * clusters.  Whoever needs either for longer than a call takes a reference.
 */
#ifndef ECS_ROSTER_H
#define ECS_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "ecs/taskdef.h"

#define ROSTER_ENDED_KEPT_MS INT64_C(3600000) /* ended tasks stay explainable for 1 h */
#define ROSTER_SERVICES_MAX  ((size_t)1000)   /* whose age is asked for, of all clusters together */

/* The life of a task as ECS names it, in its order; UNKNOWN: a word we do not know. */
#define ROSTER_STATUSES(X)                  \
	X(UNKNOWN, "UNKNOWN")               \
	X(PROVISIONING, "PROVISIONING")     \
	X(PENDING, "PENDING")               \
	X(ACTIVATING, "ACTIVATING")         \
	X(RUNNING, "RUNNING")               \
	X(DEACTIVATING, "DEACTIVATING")     \
	X(STOPPING, "STOPPING")             \
	X(DEPROVISIONING, "DEPROVISIONING") \
	X(STOPPED, "STOPPED")               \
	X(DELETED, "DELETED")

enum roster_status {
#define X(name, text) ROSTER_##name,
	ROSTER_STATUSES(X)
#undef X
};

enum roster_health { ROSTER_HEALTH_UNKNOWN, ROSTER_HEALTHY, ROSTER_UNHEALTHY };

/* Ports of the container as the outside reaches them on its machine: the first of each
 * side, and how many follow one another on both (1: a single port). */
struct roster_binding {
	uint16_t container_port, host_port, n;
	bool tcp;
	bool on_ipv6; /* bound to an IPv6 address of the machine only */
};

struct roster_container {
	struct str name;
	struct str ipv4, ipv6; /* of its network interface; checked numeric addresses, or empty */
	const struct roster_binding *bindings;
	size_t n_bindings;
};

struct roster_task {
	struct str arn, id; /* id: the last part of the ARN, 1..64 of [A-Za-z0-9-] */
	struct str group;   /* "service:NAME", "family:NAME", or anything */
	struct str service; /* NAME of "service:NAME", else empty */
	struct str family;  /* of the definition */
	unsigned revision;  /* likewise */
	struct str definition_arn;
	struct taskdef *definition;                     /* null: not read yet */
	enum roster_status last_status, desired_status; /* desired is RUNNING, STOPPED or UNKNOWN */
	enum roster_health health;
	struct str zone, stop_code, stopped_reason, subnet, container_instance_arn;
	struct str host_ipv4, host_ipv6; /* of its machine; empty: not known, or not asked for (awsvpc) */
	int64_t created_ms, started_ms, stopping_ms, stopped_ms; /* Unix time; 0: not said */
	uint64_t version;
	const struct roster_container *containers;
	size_t n_containers;

	/* In the last complete list of its cluster; of a task that we met in a list
	 * which then broke off: in that one. */
	bool listed;
	/* Known from an earlier run only, which had it running (roster_file.h): it may serve, and
	 * proves nothing about anybody, itself included.  Then it is not listed. */
	bool is_remembered;
	/* That it ends was told by an event (ecs_told.h), and no answer has confirmed it yet. */
	bool is_by_event;
	/* ECS denied an end that an event had told: of this task no event alone is believed any more. */
	bool is_contradicted;
	/* Passes in a row that called it MISSING while their list was complete, did not
	 * have it, and was provably of this account and cluster. */
	unsigned missing;
	int64_t described_wall_ms; /* when AWS said this of it (the same said again does not count) */
	int64_t ended_wall_ms;     /* when we learnt that it is over; 0: it is not */
};

struct roster_facts {                    /* of one cluster */
	const struct roster_task *tasks; /* sorted by ARN */
	size_t n_tasks;
	struct arena *arena; /* owns all but the definitions */
	unsigned refs;
};

struct roster_service { /* one whose age was asked for: several claim one route */
	struct str name;
	int64_t created_ms; /* Unix time; 0: AWS does not tell it, denied or otherwise */
};

struct roster_cluster {
	struct str source;       /* conf_source.name */
	struct str name;         /* as configured, or as found by "*" */
	struct str arn, account; /* empty until an answer told */
	uint64_t sweeps;         /* complete full sweeps so far */
	bool was_read;           /* by a full sweep, once; at worst a task or its definition failed for good */
	/* Full sweeps are answered, and leave tasks out time and again, for whom nobody need wait
	 * (what they may have asked for stays, until was_read). */
	bool is_read_in_part;
	int64_t complete_wall_ms; /* end of the last one; 0: none yet */
	int64_t complete_mono_ms;
	int64_t complete_before_mono_ms; /* of the one before it; 0: none */
	int64_t remembered_wall_ms;      /* its facts are an earlier run's, and AWS said them then; 0: they are ours */
	struct fault fault;              /* why it is not fresh */
	bool fault_is_permanent;         /* denied, no such cluster: waiting will not mend it */
	struct roster_facts *facts;      /* null: nothing known yet */
	const struct roster_service *services; /* sorted by name; those that are not here were not answered for yet */
	size_t n_services;
};

struct roster_self { /* rollcall's own task, if it runs as one; all empty: not known, or none */
	struct str task_arn, region;
	struct str cluster; /* name or ARN */
	struct str service; /* may be empty: the roster may know it */
};

struct roster {
	struct roster_self self;
	const struct roster_cluster *clusters; /* in the order of the configuration */
	size_t n_clusters;
	struct arena *arena;
	unsigned refs;
};

struct roster_facts *roster_facts_ref(struct roster_facts *f);
void roster_facts_unref(struct roster_facts *f); /* null is fine */
CLEANUP_DEFINE(struct roster_facts, roster_facts_unref);
/* A frozen copy of tasks (sorted here, deep, definitions referenced), in at most limit bytes. */
NODISCARD enum err_code roster_facts_make(
    const struct roster_task *tasks, size_t n, size_t limit, struct roster_facts **ret, struct err *e);
/* Or null; a null f holds nothing. */
const struct roster_task *roster_facts_find(const struct roster_facts *f, struct str arn);
/* Equal in all that AWS says of it.  Not compared is what we make of it: definition,
 * the machine's addresses, listed, is_remembered, is_by_event, is_contradicted, missing, described_wall_ms,
 * ended_wall_ms. */
bool roster_task_same(const struct roster_task *a, const struct roster_task *b);
/* It was told to stop, or does so, or is over: there is no way back. */
bool roster_task_is_ending(const struct roster_task *t);
/* Deep, into a; the definition is not referenced.  False: the arena refused. */
NODISCARD bool roster_task_copy(struct arena *a, const struct roster_task *t, struct roster_task *ret);

/* Of each cluster its tasks are known, or will not be soon: nobody need wait for the rest. */
bool roster_is_known(const struct roster *r);
const struct roster_service *roster_service_find(const struct roster_cluster *c, struct str name); /* or null */
bool roster_services_same(const struct roster_service *a, size_t n_a, const struct roster_service *b, size_t n_b);
/* Deep, into a.  False: the arena refused. */
NODISCARD bool roster_services_copy(
    struct arena *a, const struct roster_service *from, size_t n, const struct roster_service **ret);

/* A frozen copy of the list; takes a reference on each cluster's facts. */
NODISCARD enum err_code roster_make(
    const struct roster_cluster *clusters, size_t n, struct roster **ret, struct err *e);
/* The task with this ARN, in whatever cluster (*ret_cluster, unless ret_cluster is null); or null, as for a null r. */
const struct roster_task *roster_find(
    const struct roster *r, struct str task_arn, const struct roster_cluster **ret_cluster);
/* Of a roster that nobody else has yet; copied. */
NODISCARD bool roster_set_self(struct roster *r, const struct roster_self *self);
NODISCARD bool roster_self_copy(struct arena *a, const struct roster_self *from, struct roster_self *ret);
struct roster *roster_ref(struct roster *r);
void roster_unref(struct roster *r); /* null is fine */
CLEANUP_DEFINE(struct roster, roster_unref);

const char *roster_status_name(enum roster_status s);
const char *roster_health_name(enum roster_health h); /* "HEALTHY" */

#endif
