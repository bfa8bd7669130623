/*
 * "did you mean `clusters`?": the nearest of the words that are allowed, if one is
 * near enough to be meant.  Letter case and `-` for `_` do not count.
 */
#ifndef CONF_CONF_SUGGEST_H
#define CONF_CONF_SUGGEST_H

#include <stddef.h>

#include "base/str.h"

struct conf_suggest {
	struct str word;
	struct str best; /* empty: nothing is near enough */
	size_t distance; /* of best */
};

struct conf_suggest conf_suggest_make(struct str word); /* borrows */
void conf_suggest_offer(struct conf_suggest *s, struct str candidate);

#endif
