/* A configuration with what an earlier one still has to take down.  Pure. */
#ifndef CONF_CONF_RETIRE_H
#define CONF_CONF_RETIRE_H

#include "conf/conf.h"

/*
 * A backend that no entry names any more: by its name and policy, which it borrows.  It
 * takes no task, for no service has an empty name, which is all that it matches.
 */
struct conf_backend conf_retired(struct str name, const struct conf_policy *policy, bool managed);

/*
 * fresh, with those backends of before behind its own that it does not name and that are
 * in use: they take no task any more, so that their servers leave.  *ret lives in a, and
 * borrows from fresh alone.  False: the arena refuses.
 */
NODISCARD bool conf_retire(struct arena *a, const struct conf *fresh, const struct conf *before,
    bool (*is_in_use)(void *arg, struct str backend), void *arg, const struct conf **ret);

#endif
