/*
 * How rollcalld itself fares: how late its loop is, and how much memory it has.  Reads
 * /proc/self when asked, and has one timer.
 */
#ifndef APP_METER_H
#define APP_METER_H

#include "base/err.h"
#include "control/control_view.h"
#include "io/loop.h"

struct app_meter;

NODISCARD enum err_code app_meter_new(struct loop *l, struct app_meter **ret, struct err *e);
/* Fills in lag and memory; what can't be read is 0. */
void app_meter_read(struct app_meter *m, struct control_process *ret);
void app_meter_close(struct app_meter *m); /* null is fine */

#endif
