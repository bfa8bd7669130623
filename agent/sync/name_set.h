/* A small set of names, each copied.  Pure. */
#ifndef SYNC_NAME_SET_H
#define SYNC_NAME_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

#define NAME_SET_MAX 10000

struct name_set {
	struct str *names; /* as they came */
	size_t n, cap;
};

bool name_set_has(const struct name_set *s, struct str name);
/* False: no memory, or full.  A name that is there already is no second one. */
bool name_set_add(struct name_set *s, struct str name);
void name_set_drop(struct name_set *s, struct str name); /* that is not there is fine */
void name_set_free(struct name_set *s);                  /* leaves it empty */

#endif
