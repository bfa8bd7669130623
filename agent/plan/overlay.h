/*
 * The operator's hand: what people have asked of single servers, or of backends,
 * against what rollcall would do (design.md, section 6).  By `rollcall drain|ready|
 * weight|pause|resume`, or directly on HAProxy's socket, which applied_observe finds.
 *
 * Kept by task (backend, task, container, port), never by server: a slot has
 * another task tomorrow, and a name is gone after a reload.  Ends when it is told
 * to, by --for, or with its task; proven evidence beats it.  Pure; the text form
 * (JSON) is what state_dir/overlay.json holds.
 */
#ifndef PLAN_OVERLAY_H
#define PLAN_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/desired.h"

#define OVERLAY_HOLDS_MAX  10000
#define OVERLAY_PAUSES_MAX 1000
#define OVERLAY_LEAVES_MAX 10000
#define OVERLAY_TEXT_MAX   ((size_t)16 << 20)
/* How long a removal that was merely reported counts against removal_limit (design.md,
 * section 6), and how long a release holds. */
#define OVERLAY_LEAVE_KEPT_MS INT64_C(600000)

enum overlay_admin { OVERLAY_FREE, OVERLAY_DRAIN, OVERLAY_MAINT };
enum overlay_hand { OVERLAY_BY_ROLLCALL, OVERLAY_BY_HAPROXY }; /* our command; HAProxy's own socket */

/* Whom a hold is about.  Borrowed texts. */
struct overlay_key {
	struct str backend, task_arn, container;
	uint16_t port;
};

struct overlay_hold {
	struct overlay_key key;
	enum overlay_admin admin; /* FREE: no say in whether it serves */
	enum overlay_hand admin_by;
	int64_t admin_until_wall_ms; /* 0: until somebody ends it */
	bool has_weight;
	unsigned weight; /* 0..256, HAProxy's */
	enum overlay_hand weight_by;
	int64_t weight_until_wall_ms;
	int64_t since_wall_ms; /* the last change by a hand */
};

struct overlay_pause {
	struct str backend; /* empty: all */
	int64_t since_wall_ms, until_wall_ms;
};

/*
 * A server that left on evidence that is no proof, or that an operator let go in spite
 * of removal_limit (`rollcall release`).  Kept by server and address: what is reported
 * may be a server that no task explains.
 */
struct overlay_leave {
	struct str backend, server, address;
	uint16_t port;
	int64_t at_wall_ms;
	bool is_released; /* may go whatever the limit says, and does not count against it */
};

/* Changes in place; owns all texts. */
struct overlay;

NODISCARD enum err_code overlay_new(struct overlay **ret, struct err *e);
NODISCARD enum err_code overlay_copy(const struct overlay *o, struct overlay **ret, struct err *e);
void overlay_free(struct overlay *o); /* null is fine */
CLEANUP_DEFINE(struct overlay, overlay_free);

bool overlay_key_eq(const struct overlay_key *a, const struct overlay_key *b);
struct overlay_key overlay_key_of(struct str backend, const struct desired_server *d);
/* Null: nobody holds it.  o may be null.  Borrowed until the next change. */
const struct overlay_hold *overlay_find(const struct overlay *o, const struct overlay_key *key);
/* Each names what it changes and leaves the rest of the hold; a hold that says
 * nothing any more is gone (admin FREE, where there is none, makes none).  ERR_LIMIT:
 * too many.  ERR_ARG: a key or a number that the file could not hold. */
NODISCARD enum err_code overlay_set_admin(struct overlay *o, const struct overlay_key *key, enum overlay_admin admin,
    enum overlay_hand by, int64_t now_wall_ms, int64_t until_wall_ms, struct err *e);
NODISCARD enum err_code overlay_set_weight(struct overlay *o, const struct overlay_key *key, unsigned weight,
    enum overlay_hand by, int64_t now_wall_ms, int64_t until_wall_ms, struct err *e);
void overlay_clear_weight(struct overlay *o, const struct overlay_key *key);
void overlay_clear(struct overlay *o, const struct overlay_key *key); /* `ready`: admin and weight */
NODISCARD enum err_code overlay_pause(
    struct overlay *o, struct str backend, int64_t now_wall_ms, int64_t until_wall_ms, struct err *e);
/* Empty: all of them, and the pause of all.  False: there was none. */
bool overlay_resume(struct overlay *o, struct str backend);
/* Paused by its own pause or by the one of all: that pause; else null. */
const struct overlay_pause *overlay_find_pause(const struct overlay *o, struct str backend);

/* A leave keeps the time of its first call; a release begins anew with each, and stays one.
 * ERR_LIMIT: too many.  ERR_ARG: a name or an address that the file could not hold. */
NODISCARD enum err_code overlay_note_leave(
    struct overlay *o, const struct overlay_leave *leave, int64_t now_wall_ms, struct err *e);
NODISCARD enum err_code overlay_release(
    struct overlay *o, const struct overlay_leave *leave, int64_t now_wall_ms, struct err *e);
/* That of this server at this address; null: none.  o may be null. */
const struct overlay_leave *overlay_find_leave(
    const struct overlay *o, struct str backend, struct str server, struct str address, uint16_t port);
size_t overlay_count_leaves(const struct overlay *o);                            /* o may be null, here and below */
const struct overlay_leave *overlay_leave_at(const struct overlay *o, size_t i); /* sorted by backend, server */

/* Ends what is over: by time, or by its task (the roster knows that it has ended, or
 * has read its cluster whole and does not know it).  True: something changed.
 * *ret_next_wall_ms: when the next one is over by time; INT64_MAX: none. */
bool overlay_prune(struct overlay *o, const struct roster *roster, int64_t now_wall_ms, int64_t *ret_next_wall_ms);

size_t overlay_count(const struct overlay *o);
const struct overlay_hold *overlay_at(const struct overlay *o, size_t i); /* sorted by key */
size_t overlay_count_pauses(const struct overlay *o);
const struct overlay_pause *overlay_pause_at(const struct overlay *o, size_t i);

/* One printable line for `why` and views: "drained by rollcall drain until ...";
 * appends nothing that came from outside unchecked. */
void overlay_say(const struct overlay_hold *h, struct buf *out);

NODISCARD enum err_code overlay_write(const struct overlay *o, struct buf *out, struct err *e);
/* Hostile text: refused whole (ERR_PARSE), never half read. */
NODISCARD enum err_code overlay_read(struct str text, struct overlay **ret, struct err *e);

#endif
