/* Views: is it alive, is it ready, and how do things stand.  Pure. */
#ifndef CONTROL_CONTROL_STATUS_H
#define CONTROL_CONTROL_STATUS_H

#include "control/control_view.h"

void control_status_live(const struct control_facts *f, struct str arg, struct control_response *ret);
void control_status_ready(const struct control_facts *f, struct str arg, struct control_response *ret);
bool control_status_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret);

#endif
