/* Views: is it alive, is it ready, and how do things stand.  Pure. */
#ifndef CONTROL_CONTROL_STATUS_H
#define CONTROL_CONTROL_STATUS_H

#include "control/control_view.h"

void control_status_live(const struct control_facts *f, struct str arg, struct control_response *ret);
void control_status_ready(const struct control_facts *f, struct str arg, struct control_response *ret);
/* Of the first cluster of that source that knows it; empty until one does. */
struct str control_status_account(const struct roster *r, struct str source);
bool control_status_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret);

#endif
