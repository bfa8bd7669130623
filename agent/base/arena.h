/*
 * struct arena: memory for things that live and die together.
 *
 * One arena per snapshot (a catalogue, a plan, one HAProxy read-back).  There is
 * no per-object free.  An arena refuses to grow past its limit; callers see NULL
 * and give up the snapshot, never the daemon.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

struct arena; /* opaque */

NODISCARD struct arena *arena_new(size_t limit);
void arena_free(struct arena *a); /* null is fine */
void arena_wipe(struct arena *a); /* arena_free for secrets */
CLEANUP_DEFINE(struct arena, arena_free);
CLEANUP_DEFINE(struct arena, arena_wipe);

NODISCARD void *arena_alloc(struct arena *a, size_t n, size_t size); /* zeroed */
/* Copies s and appends a NUL; null if the arena refuses. */
NODISCARD const char *arena_strdup(struct arena *a, struct str s);
NODISCARD bool arena_str(struct arena *a, struct str s, struct str *ret); /* the same, as a str */

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), (n), sizeof(type)))

#endif
