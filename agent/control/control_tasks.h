/* View: one task, and why it gets traffic or none.  Pure. */
#ifndef CONTROL_CONTROL_TASKS_H
#define CONTROL_CONTROL_TASKS_H

#include "control/control_json.h"
#include "control/control_view.h"

#define CONTROL_TASKS_EXCLUDED_MAX 1000
#define CONTROL_TASKS_PREFIX_MIN   8  /* characters of an id that may stand for it */
#define CONTROL_TASKS_MATCHES_MAX  10 /* named when an id is ambiguous */

/* An array of those containers of tasks that take no calls, with the reasons: the first
 * CONTROL_TASKS_EXCLUDED_MAX. */
void control_tasks_excluded(const struct control_facts *f, struct str arg, struct control_response *ret);
/* id: a task's id, the beginning of one, or its ARN. */
void control_tasks_one(const struct control_facts *f, struct str id, struct control_response *ret);
/* Why s should serve in that backend; null: nothing says so. */
const struct desired_endpoint *control_tasks_exposed(
    const struct desired *d, const struct desired_server *s, struct str backend);
/* The field `service`: its name as `match.service` is compared with. */
void control_tasks_put_service(struct control_json *w, const struct roster_task *task);

#endif
