/*
 * A rule as places in the map of an entrypoint: which hosts, which paths.  Pure.
 *
 * HAProxy finds a route by host and by the longest prefix of the path, so that is what a
 * rule can be made of: Host, Path, PathPrefix, joined by && and ||.  Any other matcher
 * restricts (a method, a header, a client's address) or can't be told as a prefix (a
 * regular expression); its rule is not honoured, as leaving it out would let in what
 * the owner keeps out.
 */
#ifndef LABEL_LABEL_RULE_H
#define LABEL_LABEL_RULE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define LABEL_PLACES_MAX 256 /* of one rule */

struct label_place {
	struct str host; /* lower case, as HAProxy sees it; "*": any */
	struct str path; /* begins with / */
	bool is_exact;   /* this path alone, not what begins with it */
};

int label_place_cmp(const struct label_place *a, const struct label_place *b);

struct label_rule {
	const struct label_place *places; /* sorted, none twice */
	size_t n;
	struct str unhonoured; /* the matcher that can't be honoured; empty: all can.  Then places has none */
};

/*
 * pass_over: what can't be honoured is left out, as the operator allows; where nothing
 * would be left that restricts, the alternative is dropped.
 * ERR_PARSE, ERR_LIMIT: the rule is none, or asks for too much, and e says what.
 */
/* Of either syntax, told apart by what follows the first name.  Borrows from text. */
NODISCARD enum err_code label_rule_parse(
    struct arena *a, struct arena *scratch, struct str text, bool pass_over, struct label_rule *ret, struct err *e);

#endif
