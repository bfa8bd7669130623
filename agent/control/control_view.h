/*
 * The control interface without its socket: a request in, an answer out, from
 * plain values (design.md, section 9).  Pure.
 *
 * JSON with stable names; times RFC 3339, durations in ms; errors
 * {"error": {"code": "...", "message": "..."}}.
 *
 * Every field is always there.  What is not known, or is not, is told by its type:
 *   names and words      ""    (account, version, strategy, task, reason ...)
 *   times and numbers    null  (complete_at, age_ms, pid, revision ...)
 *   faults               null  (error, last_error, refused)
 *   lists                []
 * `service` is the name that `services` and `match.service` are compared with:
 * "family:NAME" for a task that no service started.
 *
 * This is what GET and HEAD answer; what POST asks for is control_order's.
 */
#ifndef CONTROL_CONTROL_VIEW_H
#define CONTROL_CONTROL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/aws_caller.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "conf/conf.h"
#include "control/control_events.h"
#include "control/control_path.h"
#include "control/control_slice.h"
#include "ecs/ecs_queue.h"
#include "ecs/roster.h"
#include "hap/hap_map.h"
#include "outlier/outlier.h"
#include "plan/actual.h"
#include "plan/desired.h"
#include "plan/overlay.h"
#include "plan/plan.h"
#include "spop/spop_server.h"
#include "trace/trace_export.h"

#define CONTROL_VIEW_BODY_MAX    ((size_t)256 << 20)
#define CONTROL_VIEW_MESSAGE_MAX ((size_t)4096)

struct control_problem {
	struct str where;   /* "backend grpc" */
	struct str message; /* what is wrong and what to do */
};

struct control_stretch { /* of a source whose rate limit does not suffice */
	bool is_stretched;
	int64_t watch_ms, refresh_ms; /* what they really are */
};

/* The route map of an entrypoint. */
struct control_route_map {
	struct str entrypoint;
	const struct hap_map *live; /* what HAProxy holds; null: not known yet */
};

/* How rollcalld itself fares. */
struct control_process {
	int64_t loop_lag_ms, loop_lag_max_ms; /* the last tick; the latest of the last minute */
	uint64_t resident_bytes, anonymous_bytes;
	uint64_t reloads_applied, reloads_refused;
	uint64_t events; /* since the start */
};

#define CONTROL_PROBE_SAID_SIZE 400

enum control_probe_result { CONTROL_PROBE_WAITING, CONTROL_PROBE_ALLOWED, CONTROL_PROBE_DENIED, CONTROL_PROBE_FAILED };

/* An action of AWS that was tried for the doctor. */
struct control_probe {
	size_t source; /* of conf */
	const char *service, *action;
	struct str cluster; /* empty: it is about none */
	bool is_spare;      /* rollcalld works without it */
	enum control_probe_result result;
	int64_t at_mono_ms;                 /* of the answer */
	char said[CONTROL_PROBE_SAID_SIZE]; /* why not; of GetCallerIdentity: who we are */
};

struct control_track_counts;

/* Everything that may be shown.  Pointers may be null: not known yet. */
struct control_facts {
	/* Grows when roster, desired, actual, plan, conf or a route map is another: what points into
	 * one of them, or counts its parts, then holds no more. */
	uint64_t version;
	int64_t wall_ms, mono_ms, started_mono_ms;
	const struct conf *conf;
	struct str config_path;
	int64_t config_loaded_wall_ms;
	struct str config_refused; /* why the last reload was refused; empty: it was not */
	const struct roster *roster;
	const struct aws_caller_figures *figures; /* one for each source of conf */
	const struct creds_source_view *keys;     /* one for each source of conf; null: not known */
	const unsigned *budget_used_percent;      /* one for each source of conf; null: not measured */
	const struct control_stretch *stretches;  /* likewise */
	const struct ecs_queue_view *queues;      /* likewise; without a fault: no events */
	const struct desired *desired;            /* what the plan was made from */
	const struct actual *actual;              /* likewise */
	const struct plan *plan;
	const struct overlay *overlay;         /* what operators have asked for, be it in the plan already or not */
	const struct outlier *outlier;         /* who is ejected, and why */
	const struct trace_export_view *trace; /* null: `tracing` is not configured */
	const struct spop_server_view *spop;   /* null: `spoe` is not configured */
	bool connected, in_step, ready;
	int64_t last_sync_wall_ms; /* when HAProxy was last seen in step; 0: never */
	struct fault haproxy_fault;
	/* Lasting faults that no field above tells; those of clusters, of HAProxy and
	 * of a refused configuration are shown as problems without being in here. */
	const struct control_problem *problems;
	size_t n_problems;
	const struct control_route_map *route_maps;
	size_t n_route_maps;
	const struct control_events *events;
	const struct control_track_counts *counts;
	struct control_process process;
	const struct control_probe *probes; /* of the doctor */
	size_t n_probes;                    /* 0: nothing was tried yet */
};

struct control_request {
	struct str method, path; /* path as sent: percent-encoded, without the query */
	struct str query;        /* as sent, without the question mark */
};

struct control_response {
	int status;
	const char *content_type;
	const char *allow; /* with 405; else null */
	char policy[400];  /* Content-Security-Policy; empty: none */
	struct buf body;   /* the caller's to free; empty if memory ran out */
};

typedef void control_view_whole(const struct control_facts *f, struct str arg, struct control_response *ret);
/* A view of what may be long.  False: there is more. */
typedef bool control_view_slices(const struct control_facts *f, struct control_slice *s, struct control_response *ret);

struct control_view {
	const char *path;            /* null: of no GET */
	control_view_whole *whole;   /* in one go; it looks at no query */
	control_view_slices *slices; /* or this */
	bool takes_query;
};

/*
 * An answer in the making.  It is made in slices (control_slice.h), between which the loop may turn;
 * if the facts have become others it is begun anew, and after CONTROL_VIEW_RESTARTS_MAX times made in
 * one go, so that each answer tells of one moment, and comes to an end.
 */
#define CONTROL_VIEW_RESTARTS_MAX 3

struct control_making { /* not to be copied */
	struct control_response answer;
	struct control_path path;
	struct control_slice slice;
	const struct control_view *view; /* null: the answer needs no facts, and is there */
	uint64_t version;                /* of the facts that it tells of */
	unsigned n_restarts;
	bool is_begun;
};

/* Looks at the request, of which nothing is needed any more after that. */
void control_view_start(const struct control_request *rq, struct control_making *ret);
/* Makes the next slice.  True: `answer` is complete.  There always is one: a failure to answer is a 503 with an
 * error body.  HEAD has the body of GET: whoever sends it leaves the body out. */
bool control_view_go_on(const struct control_facts *f, struct control_making *m);
void control_view_drop(struct control_making *m); /* and its body; zeroed is fine */
/* All that is left of it at once, for whoever has nothing else to do; ret gets the answer, and m is over. */
void control_view_make(const struct control_facts *f, struct control_making *m, struct control_response *ret);
/* Likewise, from the request on. */
void control_view_answer(const struct control_facts *f, const struct control_request *rq, struct control_response *ret);
/* What /v1/events is asked for; its texts are q's.  False: refused, and answered. */
bool control_view_events_query(const struct control_facts *f, const struct control_query *q,
    struct control_events_query *ret, struct control_response *ret_refusal);
/* The same error body, for faults that the server itself meets (413, 400) and for
 * the views.  ret is overwritten; what its body owned is freed by the caller. */
void control_view_error(int status, const char *code, struct str message, struct control_response *ret);
/* A JSON answer begins with an empty body, which the caller fills; if that failed it
 * ends as a 503. */
void control_view_begin(int status, struct control_response *ret);
void control_view_finish(struct control_response *ret);

#endif
