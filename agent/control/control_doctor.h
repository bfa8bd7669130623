/*
 * View: /v1/doctor: what is looked at when something does not work, check by check, each
 * with what was found and, unless it is ok, what mends it.  Pure.
 *
 * A check is a function from the facts to findings, and one line of `checks`.
 */
#ifndef CONTROL_CONTROL_DOCTOR_H
#define CONTROL_CONTROL_DOCTOR_H

#include "control/control_view.h"

void control_doctor_show(const struct control_facts *f, struct str arg, struct control_response *ret);
/* The same as lines for a terminal, for `rollcalld --doctor`.  True: no fault is among them. */
bool control_doctor_print(const struct control_facts *f, struct buf *out);

#endif
