/*
 * The language that rules and constraints share: calls such as Host(`a`), joined by
 * && and ||, negated by !, grouped by parentheses.  Pure.
 *
 * Traefik's v1 rules (Host:a,b;PathPrefix:/x) become the same tree.
 */
#ifndef LABEL_LABEL_EXPR_H
#define LABEL_LABEL_EXPR_H

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define LABEL_EXPR_TEXT_MAX  8192
#define LABEL_EXPR_NODES_MAX 500
#define LABEL_EXPR_DEPTH_MAX 40
#define LABEL_EXPR_ARGS_MAX  64 /* of one call */

enum label_expr_kind { LABEL_EXPR_CALL, LABEL_EXPR_AND, LABEL_EXPR_OR, LABEL_EXPR_NOT };

struct label_expr {
	enum label_expr_kind kind;
	const struct label_expr *left, *right; /* NOT: left only */
	struct str name;                       /* of a CALL: letters; args borrow from the text */
	const struct str *args;
	size_t n_args;
};

/* The tree lives in a and borrows from text.  ERR_PARSE and ERR_LIMIT say what is wrong,
 * and where; no message holds more of the text than some printable bytes. */
NODISCARD enum err_code label_expr_parse(
    struct arena *a, struct str text, const struct label_expr **ret, struct err *e);
/* Traefik v1: NAME:arg,arg;NAME:arg */
NODISCARD enum err_code label_expr_parse_v1(
    struct arena *a, struct str text, const struct label_expr **ret, struct err *e);

#endif
