/*
 * What label values may hold, by whitelist: hosts, paths, names, whole numbers.  Whatever
 * passes here ends in HAProxy's map files and commands as it stands.  Pure.
 */
#ifndef LABEL_LABEL_TEXT_H
#define LABEL_LABEL_TEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define LABEL_TEXT_VALUE_MAX 8192 /* longer ones are refused unread */
#define LABEL_TEXT_PATH_MAX  500
#define LABEL_TEXT_NAME_MAX  120 /* of a backend */

/* A piece of text from outside, fit for a message: printable, and short. */
struct label_text_quote {
	char text[48];
};
struct label_text_quote label_text_quote(struct str s);

bool label_text_is_alnum(char c);
/* ASCII letters are the same in either case. */
bool label_text_same(struct str a, struct str b);
bool label_text_has_prefix(struct str s, struct str prefix);

/* A name of at most 253 letters, digits, `-`, `_`, no label of it empty; an IPv4 address; or an
 * IPv6 one, with or without brackets.  *ret is what HAProxy's `host_only,lower` makes of it in a call.
 * ERR_PARSE: it is none; ERR_NOMEM: the arena refuses. */
NODISCARD enum err_code label_text_host(struct arena *a, struct str s, struct str *ret);
bool label_text_path_ok(struct str s); /* begins with /; letters, digits and -._~/:@+=,!()* */
bool label_text_name_ok(struct str s); /* [A-Za-z0-9_.:-]{1,120} */

#endif
