/*
 * What the dialects share while a container's labels are read: notes, and endpoints and
 * routers in the making.  Pure; internal to the room.
 */
#ifndef LABEL_LABEL_READER_H
#define LABEL_LABEL_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "label/label.h"

struct label_text_ref { /* a label whose value is read at the end */
	struct str label, value;
};

struct label_router_draft {
	struct str name; /* Traefik v2's; else empty */
	struct label_text_ref rule, entrypoints, service;
	unsigned priority;
	struct label_refusal refusal;
};

struct label_endpoint_draft {
	struct str name;
	struct label_settings settings;
	struct label_refusal refusal;
	bool is_disabled;
	struct label_router_draft *routers;
	size_t n_routers;
};

struct label_reader {
	struct arena *arena;   /* of the result */
	struct arena *scratch; /* of this call */
	const struct label_rules *rules;
	struct label_note *notes;
	size_t n_notes;
	size_t counts[LABEL_N_FATES];
	enum label_enable enable;
	bool starved; /* the arena refused */
};

/* Names are compared without regard to letter case. */
struct label_name {
	struct str full; /* as written */
	struct str rest; /* what is left of it to look at */
};

/* If rest begins with prefix: takes it off. */
bool label_name_skip(struct label_name *n, const char *prefix);
bool label_name_is(const struct label_name *n, const char *key);
/* Takes "PART." off; false: there is no dot, or nothing before it. */
bool label_name_part(struct label_name *n, struct str *ret);

void label_reader_note(struct label_reader *r, struct str label, enum label_fate fate, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The label's value is none: says so, and gives *refusal that word, if it has no other. */
void label_reader_bad(struct label_reader *r, struct str label, const char *why, struct label_refusal *refusal);
/* It restricts, and can't be honoured: *refusal (null: nothing depends on it), unless it may be passed over. */
void label_reader_unhonoured(struct label_reader *r, struct str label, const char *why, struct label_refusal *refusal);
/* True, false and the like; what is neither is a BAD label. */
void label_reader_enable(struct label_reader *r, struct str label, struct str value, bool *ret_disabled);
/* Sets a setting under rollcall's name for it. */
void label_reader_set(
    struct label_reader *r, struct label_endpoint_draft *d, struct str label, const char *key, struct str value);
/* The one router of an endpoint of a dialect that has only one; null: the arena refused. */
struct label_router_draft *label_reader_router(struct label_reader *r, struct label_endpoint_draft *d);
/* A whole number; 0 is as if it were not there. */
void label_reader_priority(struct label_reader *r, struct label_router_draft *d, struct str label, struct str value);
/* Of n drafts (room for max) the one of this name, made if need be; null: there is no room, which is noted. */
struct label_endpoint_draft *label_reader_endpoint(
    struct label_reader *r, struct label_endpoint_draft *drafts, size_t *n, struct str label, struct str name);
/* Reads rule and entrypoints. */
void label_reader_finish_router(struct label_reader *r, const struct label_router_draft *d, struct label_router *ret);
void label_reader_finish(struct label_reader *r, const struct label_endpoint_draft *d, struct label_endpoint *ret);

/* Each adds to drafts (room for LABEL_ENDPOINTS_MAX), and returns how many there are. */
size_t label_rollcall_read(
    struct label_reader *r, const struct taskdef_label *labels, size_t n, struct label_endpoint_draft *drafts);
size_t label_traefik_read(
    struct label_reader *r, const struct taskdef_label *labels, size_t n, struct label_endpoint_draft *drafts);
/* is_other: v2's labels speak of routes, so that v1's do not count. */
size_t label_traefik1_read(struct label_reader *r, const struct taskdef_label *labels, size_t n, bool is_other,
    struct label_endpoint_draft *drafts);
/* Is it one of v2's that make routes or services? */
bool label_traefik_is_http(struct str label);

#endif
