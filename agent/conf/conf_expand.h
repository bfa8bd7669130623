/*
 * `${VAR}` in a value.  `$$` is `$`; any other `$` is itself.  What comes out is
 * the value: it is not looked at again, neither for variables nor as YAML.
 */
#ifndef CONF_CONF_EXPAND_H
#define CONF_CONF_EXPAND_H

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

#define CONF_EXPAND_MAX ((size_t)64 * 1024) /* bytes of one value */

/* *ret is raw itself if there is no `$` in it, else in a.  ERR_CONF: the value is
 * wrong, e says how (it may name a variable, never what a variable holds). */
NODISCARD enum err_code conf_expand(
    struct arena *a, struct str raw, const struct env *env, struct str *ret, struct err *e);

#endif
