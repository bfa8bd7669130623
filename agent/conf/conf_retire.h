/* A configuration with what an earlier one still has to take down.  Pure. */
#ifndef CONF_CONF_RETIRE_H
#define CONF_CONF_RETIRE_H

#include "conf/conf.h"

/*
 * fresh, with those backends of before behind its own that it does not name and that are
 * in use: they take no task any more, so that their servers leave.  *ret lives in a, and
 * borrows from fresh alone.  False: the arena refuses.
 */
NODISCARD bool conf_retire(struct arena *a, const struct conf *fresh, const struct conf *before,
    bool (*is_in_use)(void *arg, struct str backend), void *arg, const struct conf **ret);

#endif
