/* Views: the backends and the servers that rollcall keeps in them.  Pure. */
#ifndef CONTROL_CONTROL_BACKENDS_H
#define CONTROL_CONTROL_BACKENDS_H

#include "control/control_view.h"

void control_backends_list(const struct control_facts *f, struct str arg, struct control_response *ret);
void control_backends_one(const struct control_facts *f, struct str name, struct control_response *ret);

#endif
