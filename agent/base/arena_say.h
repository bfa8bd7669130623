/* Sentences for the operator, in an arena: they quote names from outside, and stay printable. */
#ifndef BASE_ARENA_SAY_H
#define BASE_ARENA_SAY_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"

#define ARENA_SAY_MAX 400 /* longer ones are cut */

/* Every byte that is not printable ASCII becomes '?'.  False: the arena refuses. */
NODISCARD bool arena_say(struct arena *a, struct str *ret, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
