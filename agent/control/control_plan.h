/* View: what would be told to HAProxy now, and what is kept against the evidence.  Pure. */
#ifndef CONTROL_CONTROL_PLAN_H
#define CONTROL_CONTROL_PLAN_H

#include "control/control_view.h"

/* Each command as it is sent, and why; held: servers that leave only once there is more
 * evidence, by backend and reason. */
void control_plan_put(const struct plan *p, const struct actual *actual, struct buf *out);
bool control_plan_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret);
/* The same as lines, for `rollcalld --plan`: the commands, and what goes with them behind #. */
void control_plan_print(const struct plan *p, const struct actual *actual, struct buf *out);

#endif
