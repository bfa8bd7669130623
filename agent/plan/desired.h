/*
 * What HAProxy should hold, computed from the roster and the configuration.
 * Pure; the value keeps its roster and is freed whole.
 *
 * A candidate stands for one task's container and port in one backend, whether
 * it should serve, stay as it is, or leave; the evidence says why.  A server in
 * HAProxy that no candidate explains is nobody's to remove (yet).
 *
 * Of the candidates of a backend at one address:port at most one has want SERVE.
 *
 * The parts: desired_select (which entries take a container), desired_label (what its
 * labels claim), desired_route, desired_port (on which port), desired_verdict (should it
 * serve), desired_share (weights), desired_derive (all of it).
 */
#ifndef PLAN_DESIRED_H
#define PLAN_DESIRED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/ecs_contest.h"
#include "ecs/roster.h"
#include "plan/evidence.h"
#include "plan/reason.h"

#define DESIRED_ARENA_MAX  ((size_t)256 << 20)
#define DESIRED_WEIGHT_MAX 256u
#define DESIRED_NAME_MAX   100

enum desired_want {
	DESIRED_SERVE, /* enters if it is not there, and serves */
	DESIRED_KEEP,  /* does not enter; if there, stays as it is */
	DESIRED_LEAVE  /* does not enter; if there, leaves if the guard agrees to the evidence */
};

struct desired_server {
	const struct roster_cluster *cluster;
	const struct roster_task *task;
	struct str container;
	struct str name;    /* of a dynamic server: rc_TASKID_CONTAINER_PORT */
	struct str address; /* numeric IPv4 or IPv6, as inet_ntop writes it */
	uint16_t port;
	enum desired_want want;
	enum evidence evidence;
	bool streams_run_on; /* REPLACED: what is in flight runs on the new task; never shut it */
	unsigned weight;  /* of a SERVE: 1..256 (0 only where the operator's is 0), scaled within its backend; else 0 */
	unsigned maxconn; /* 0: leave it alone */
	int64_t drain_timeout_ms;
	const struct conf_policy *policy; /* all that its line says */
	uint64_t spec;                    /* desired_spec of it */
};

/* The calls that go to a service, or to its latest revision, whatever its task count. */
struct desired_share {
	const struct roster_cluster *cluster;
	struct str service;     /* or the family of tasks without one */
	unsigned revision;      /* 0: all of the service */
	unsigned percent;       /* as asked for */
	unsigned reached_milli; /* thousandths of a percent: what whole weights make of it */
};

struct desired_backend {
	/* Its entry; where labels made it, what the most recently created running task says; of one that
	 * nobody asks for any more the defaults. */
	const struct conf_backend *conf;
	bool is_label_made;
	const struct desired_share *shares;
	size_t n_shares;
	struct str name;
	const struct desired_server *servers; /* sorted by name, then task ARN: a stable order */
	size_t n_servers;
	size_t n_serve; /* of these, want SERVE */
};

/*
 * One container of one task in one backend, for `why`: exposed, or why not.  A
 * container that no entry takes, and a task without containers, has one row, too.
 */
struct desired_endpoint {
	const struct roster_cluster *cluster;
	const struct roster_task *task;
	struct str container;
	struct str backend; /* empty: none claims it */
	uint16_t port;      /* 0: unknown */
	bool exposed;       /* nothing known speaks against its taking calls */
	enum reason reason; /* NONE if exposed */
	struct str message; /* one printable sentence: what it means and what to do; empty if exposed */
	struct str name;    /* of rollcall.endpoints.NAME and the like; or empty */
};

/* One line of an entrypoint's map. */
struct desired_route {
	struct str entrypoint;
	struct str host, path; /* host "*": any */
	bool is_exact;         /* the path alone, not what begins with it */
	struct str backend;
	struct str service;      /* "family:NAME" of standalone tasks; of an entry its glob */
	struct str source_label; /* whose rule it is: a label's name, or "backends" */
	unsigned priority;
	bool is_entrys; /* no label takes it */
	/* Until AWS tells who is older, whoever has the place: so it was decided by where it led.  Else empty, and false. */
	bool is_open;
	struct str led_to; /* empty: to nobody */
};
int desired_route_cmp(const struct desired_route *a, const struct desired_route *b); /* by place */

/* Somebody else who asks for a place, and does not have it: each service with each of its backends once. */
struct desired_rival {
	const struct desired_route *won; /* who has it */
	struct str cluster, service;     /* as of desired_route */
	struct str backend;
	unsigned priority;
	struct str lost_by; /* "a higher priority" */
};

struct desired_labels; /* see desired_label.h */

struct desired {
	const struct desired_backend
	    *backends; /* in the order of the configuration, then those that labels join, those that they made, and
			* those that nobody asks for any more, each by name */
	size_t n_backends;
	const struct desired_endpoint *endpoints; /* by cluster, task ARN, container as the task lists them, entry */
	size_t n_endpoints;
	const struct desired_route *routes; /* sorted by place, one for each */
	size_t n_routes;
	const struct desired_rival *rivals; /* in the order of routes */
	size_t n_rivals;
	struct ecs_contest contest; /* whose age decides, or would if it were known, between claims of a place */
	bool routes_are_cut;        /* labels ask for too many: those that are not among routes are not over */
	bool labels_are_known;      /* those of all tasks that run: every cluster and definition is read */
	const struct desired_labels *labels; /* what labels say, container by container */
	int64_t next_wall_ms;                /* time alone changes it then; INT64_MAX: it does not */
	struct roster *roster;               /* a reference */
	struct arena *arena;
};

/* A backend with servers that rollcall put there (applied.json says so), whoever asks for it now. */
struct desired_held {
	struct str name;
	bool is_managed; /* its section is ours */
};

struct desired_context {
	const struct conf *conf;
	int64_t now_wall_ms;
	/* Those that neither an entry nor a label asks for are there as retired backends: their
	 * servers stay under the rules of evidence.  No two of one name; copied. */
	const struct desired_held *held;
	size_t n_held;
	/* Backends that are in HAProxy and neither ours nor the configuration's: labels may not have them. */
	const struct str *foreign;
	size_t n_foreign;
	/* The backend to which this place leads now, empty if to none: whoever has it keeps it while it is asked
	 * which service is older.  Null: nobody knows. */
	struct str (*leads_to)(void *arg, const struct desired_route *place);
	void *leads_to_arg;
};

/* conf and roster must outlive it (the roster is referenced), as must the names in foreign. */
NODISCARD enum err_code desired_derive_in(
    const struct desired_context *in, struct roster *roster, struct desired **ret, struct err *e);
/* The same at no time in particular, with nothing foreign. */
NODISCARD enum err_code desired_derive(
    const struct conf *conf, struct roster *roster, struct desired **ret, struct err *e);
void desired_free(struct desired *d); /* null is fine */
CLEANUP_DEFINE(struct desired, desired_free);
/* For sure no entry and no label asks for it: it takes nobody, and who is in it leaves by the rules of evidence. */
bool desired_is_forsaken(const struct desired *d, const struct desired_backend *b);
const struct desired_backend *desired_find(const struct desired *d, struct str backend);
/* The first endpoint of this task of d's roster, and how many: they stand together.
 * Null and 0 for any other task. */
const struct desired_endpoint *desired_endpoints_of(
    const struct desired *d, const struct roster_task *task, size_t *ret_n);

/* The order in which tasks took their addresses: by start (else creation), then
 * creation, then ARN; 0 only for one task. */
int desired_task_age_cmp(const struct roster_task *a, const struct roster_task *b);

/* What a server's line says and cannot be changed while it lives (proto, tls, whether and
 * how often it is checked, observe, slowstart, agent-check), as a number that stays the same from run
 * to run; never 0. */
uint64_t desired_spec(const struct conf_policy *policy);

/* design.md, section 4: "rc_" + id + "_" + container (cut) + "_" + port; at most 100
 * bytes of HAProxy's alphabet.  An id holds no "_", so id and port can be read out
 * of it: one task's ports in one backend never share a name. */
NODISCARD enum err_code desired_server_name(
    struct arena *a, struct str task_id, struct str container, uint16_t port, struct str *ret, struct err *e);
/* The task id in such a name; false: it is none, or of a slot. */
bool desired_server_id(struct str name, struct str *ret);

#endif
