/*
 * Route maps: what each entrypoint's map should say, when its file is written, and when
 * HAProxy's is swapped.  A state machine without I/O; app_routes.c turns its actions
 * into calls.
 *
 * Level-triggered, like servers: what HAProxy holds is read back, so that a reload or a
 * foreign hand is noticed; before it was read nothing is swapped or written that takes a place from
 * who has it.  A route moves to another backend once that one serves, or the old one does not; a
 * route that is new, and would lead to a backend that does not serve yet, waits a while for it.
 * While a cluster was never read nothing is taken out, and while one is waited for nothing moves
 * away from who serves, unless to an entry of the configuration: its labels may stand behind it.
 */
#ifndef SYNC_ROUTES_H
#define SYNC_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "conf/conf.h"
#include "hap/hap_map.h"
#include "sync/reconcile.h"

#define ROUTES_SHOW_EVERY_MS INT64_C(2000)
#define ROUTES_RETRY_MS      INT64_C(5000) /* after a failure, and growing */
#define ROUTES_LAST_MS       INT64_C(60000)
#define ROUTES_WAIT_MS       INT64_C(30000) /* a new route, for its backend to serve */
#define ROUTES_NOTES_MAX     8

enum routes_event_kind {
	ROUTES_PASSED,  /* HAProxy was read back, and a plan made */
	ROUTES_SHOWN,   /* the map asked for */
	ROUTES_SWAPPED, /* or it could not be */
	ROUTES_WRITTEN, /* likewise */
	ROUTES_TICK
};

struct routes_event {
	enum routes_event_kind kind;
	int64_t mono_ms;
	const struct reconcile_view *view; /* PASSED */
	const struct err *err;             /* others; code OK, or null: well */
	const struct hap_map *map;         /* SHOWN, if well; with the process that showed it */
	uint64_t pid, start_time_s;
};

/* At most one of show and swap, and none while one is under way; likewise write. */
struct routes_actions {
	bool show, swap, write;
	size_t entrypoint, write_entrypoint; /* of conf->haproxy.entrypoints */
	const struct hap_map *map;           /* swap: borrowed until the next event */
	uint64_t pid, start_time_s;          /* swap: for this process alone */
	struct str text;                     /* write: likewise */
	int64_t wake_in_ms;                  /* -1: not for time alone */
	struct reconcile_note notes[ROUTES_NOTES_MAX];
	size_t n_notes;
};

struct routes;

/* texts: of the files at the start, one for each entrypoint; empty: none.  conf must outlive it. */
NODISCARD enum err_code routes_new(
    const struct conf *conf, const struct str *texts, struct routes **ret, struct err *e);
void routes_feed(struct routes *r, const struct routes_event *ev, struct routes_actions *ret);
/* What HAProxy holds, as far as is known; null: not read yet. */
const struct hap_map *routes_live(const struct routes *r, size_t entrypoint);
/* The backend to which HAProxy's map leads there, or is to lead again if HAProxy came up without it; until the map
 * was read, that of its file; empty: none. */
struct str routes_at(const struct routes *r, const struct desired_route *place);
/* Does a map lead there, as HAProxy holds it or is to hold it?  True, too, while one was not read back. */
bool routes_lead_to(const struct routes *r, struct str backend);
const struct fault *routes_fault(const struct routes *r, size_t entrypoint); /* it can't be read, swapped or written */
/* Its file is being written by somebody before us: what was found is old, and it is written anew. */
void routes_distrust(struct routes *r, size_t entrypoint);
void routes_free(struct routes *r); /* null is fine */

#endif
