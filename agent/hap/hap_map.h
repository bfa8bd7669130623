/*
 * Route maps: one per entrypoint, read by its frontend (haproxy/haproxy.cfg).  Pure.
 *
 * A line is KEY BACKEND.  KEY is HOST/PATH, or `*` and the path for any host; HAProxy takes the
 * longest key that the call's host and path begin with.  The frontend asks with a `?` behind
 * the path, which no path holds: a key that ends so is of that path alone.
 */
#ifndef HAP_HAP_MAP_H
#define HAP_HAP_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/desired.h"

#define HAP_MAP_MAX     ((size_t)16 << 20) /* bytes of a file, or of what HAProxy shows */
#define HAP_MAP_KEY_MAX 800

struct hap_map_line {
	struct str key, backend;
};

struct hap_map {
	const struct hap_map_line *lines; /* sorted by key, none twice */
	size_t n;
};

/* Sorts, and of equal keys keeps the first, as HAProxy does. */
size_t hap_map_sort(struct hap_map_line *lines, size_t n);
const struct hap_map_line *hap_map_find(const struct hap_map *m, struct str key); /* or null */
bool hap_map_same(const struct hap_map *a, const struct hap_map *b);
/* What HAProxy would find for this call: host first, then `*`; null: nothing. */
const struct hap_map_line *hap_map_lookup(const struct hap_map *m, struct str host, struct str path);

/* HOST/PATH of a route, with its `?`.  ERR_ARG: it would need quoting. */
NODISCARD enum err_code hap_map_key(struct arena *a, const struct desired_route *r, struct str *ret, struct err *e);

/* The file.  Any bytes are read; what is no line of two words is passed over. */
void hap_map_put_file(const struct hap_map *m, struct buf *out);
NODISCARD enum err_code hap_map_read_file(struct arena *a, struct str text, struct hap_map *ret, struct err *e);

/* ---- the runtime API: facts/haproxy.md, section 7 ---- */

/* path: of the file, printable and without blanks (ERR_ARG). */
NODISCARD enum err_code hap_map_ask(struct str path, struct buf *out, struct err *e);
/* ERR_REMOTE: HAProxy has no such map. */
NODISCARD enum err_code hap_map_parse(
    struct arena *a, struct str reply, struct str path, struct hap_map *ret, struct err *e);
NODISCARD enum err_code hap_map_prepare(struct str path, struct buf *out, struct err *e);
NODISCARD enum err_code hap_map_parse_version(struct str reply, unsigned *ret, struct err *e);
/* One `add map` with a payload, from line `from` on; *ret_next is the first line that it does not hold. */
NODISCARD enum err_code hap_map_add(const struct hap_map *m, size_t from, struct str path, unsigned version,
    size_t *ret_next, struct buf *out, struct err *e);
void hap_map_commit(struct str path, unsigned version, struct buf *out);
void hap_map_drop(struct str path, unsigned version, struct buf *out); /* what was prepared, and is not committed */
/* Does it say nothing, as success does?  2.6 and 3.0 show the payload's prompts. */
NODISCARD enum err_code hap_map_judge(struct str reply, struct err *e);

#endif
