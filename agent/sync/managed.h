/*
 * Managed backends: what backends.cfg should say, when it is written, and when
 * HAProxy is asked to reload.  A state machine without I/O: events in, actions out;
 * app_managed.c turns the actions into calls.
 *
 * The file follows what serves: after each change at run time it is written, so that a
 * reload by anybody, at any moment, starts warm.  A reload is asked for only where
 * run time cannot do: a backend that HAProxy lacks, other settings of one, slots used
 * up (2.6); never for servers alone.  One that HAProxy refuses puts the last good file back, and
 * its settings are not tried again until something changes, or for long.
 *
 * backends.cfg.good holds the last good text while a reload is due: a daemon that is
 * killed then finds it at its next start.
 */
#ifndef SYNC_MANAGED_H
#define SYNC_MANAGED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "conf/conf.h"
#include "sync/reconcile.h"

#define MANAGED_WRITE_EVERY_MS  INT64_C(250)   /* at most */
#define MANAGED_WRITE_RETRY_MS  INT64_C(5000)  /* after a failure, and growing */
#define MANAGED_RELOAD_WAIT_MS  INT64_C(500)   /* from the first reason to a reload: others may come */
#define MANAGED_RELOAD_EVERY_MS INT64_C(5000)  /* at most */
#define MANAGED_REFUSED_MS      INT64_C(60000) /* before what was refused is tried again, and growing */
#define MANAGED_LAST_MS         INT64_C(1800000)
#define MANAGED_SLOTS_MIN       20u
#define MANAGED_SLOTS_MAX       100000u
#define MANAGED_NOTES_MAX       8

enum managed_event_kind {
	MANAGED_PASSED,   /* HAProxy was read back, and a plan made */
	MANAGED_WRITTEN,  /* the files were, or could not be */
	MANAGED_RELOADED, /* as hap_master_done_fn tells it */
	MANAGED_TICK
};

struct managed_event {
	enum managed_event_kind kind;
	int64_t mono_ms;
	union {
		const struct reconcile_view *view;
		const struct err *err; /* code OK: well */
	};
};

/* Carried out in this order; borrowed until WRITTEN. */
struct managed_files {
	bool keep_good; /* backends.cfg.good = good */
	struct str good;
	bool has_text; /* backends.cfg = text */
	struct str text;
	bool drop_good; /* backends.cfg.good is not needed any more */
};

/* At most one of write and reload, and none while one is under way. */
struct managed_actions {
	bool write, reload;
	struct managed_files files;
	int64_t wake_in_ms; /* when to send a TICK; -1: not for time alone */
	struct reconcile_note notes[MANAGED_NOTES_MAX];
	size_t n_notes;
};

/* What stands in managed.dir at the start; no backends.cfg is as an empty one. */
struct managed_found {
	struct str text;
	bool has_good; /* there is a backends.cfg.good */
	struct str good;
};

#define MANAGED_N_FAULTS 2

struct managed_view {
	const struct fault *file_fault;   /* backends.cfg can't be made, or written */
	const struct fault *reload_fault; /* HAProxy was not reloaded, or in vain */
};

struct managed;

/* conf must outlive it. */
NODISCARD enum err_code managed_new(
    const struct conf *conf, const struct managed_found *found, struct managed **ret, struct err *e);
void managed_feed(struct managed *m, const struct managed_event *ev, struct managed_actions *ret);
struct managed_view managed_view(const struct managed *m);
/* backends.cfg is being written by somebody before us: what was found is old, and it is written anew. */
void managed_distrust(struct managed *m);
void managed_free(struct managed *m); /* null is fine */

/* The backends that backends.cfg names now, and those of its text before that HAProxy still has: borrowed from m. */
NODISCARD enum err_code managed_names(
    const struct managed *m, struct arena *a, const struct str **ret, size_t *ret_n, struct err *e);

/* May there be anything to do for it: a managed backend, or labels that make one; and leave to act. */
bool managed_is_asked_for(const struct conf *conf);
/* May the plan make backends at run time? */
bool managed_may_add(const struct conf *conf);

#endif
