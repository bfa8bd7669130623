/*
 * `ecs.constraints`: which containers a source takes, by their labels.  Pure.
 *
 *     Label(`stage`,`prod`) && !LabelRegex(`team`,`^(a|b)$`)
 *
 * Names and values are compared as they stand.  Regular expressions are POSIX extended
 * ones, and need not match the whole value.  A value that is too long to be looked at
 * keeps its container out, whatever the expression says.
 */
#ifndef LABEL_LABEL_CONSTRAINT_H
#define LABEL_LABEL_CONSTRAINT_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/taskdef.h"

#define LABEL_CONSTRAINT_VALUE_MAX 4096

struct label_constraint;

/* An empty text admits all.  ERR_PARSE, ERR_LIMIT: e says what is wrong with it. */
NODISCARD enum err_code label_constraint_make(struct str text, struct label_constraint **ret, struct err *e);
bool label_constraint_admits(const struct label_constraint *c, const struct taskdef_label *labels, size_t n);
void label_constraint_free(struct label_constraint *c); /* null is fine */
CLEANUP_DEFINE(struct label_constraint, label_constraint_free);

#endif
