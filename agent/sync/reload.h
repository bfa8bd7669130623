/* What a new configuration would take away (design.md, section 3).  Pure. */
#ifndef SYNC_RELOAD_H
#define SYNC_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "plan/desired.h"
#include "plan/overlay.h"
#include "plan/plan.h"

struct reload_loss {
	struct str backend;
	size_t serving, lost; /* servers that take calls for tasks that may; of these, those no longer exposed */
	unsigned limit;       /* removal_limit, percent */
};

/* Backend i of now: what it would lose if next, derived from the same roster by conf, took
 * over. */
struct reload_loss reload_loss_of(
    const struct plan *now, size_t i, const struct desired *next, const struct conf *conf);
bool reload_is_too_much(const struct reload_loss *loss);

/* How long a forced reload's consent holds: as long as removal_limit looks back. */
#define RELOAD_CONSENT_MS OVERLAY_LEAVE_KEPT_MS

/* Is this backend frozen for servers that a configuration does not expose any more, and that
 * are not released yet?  What AWS reports is no matter of a configuration. */
bool reload_holds_back(const struct plan *now, const struct overlay *o, struct str backend);

#endif
