/*
 * The second, read-only door of the control interface (control.listen): opened at the
 * start, and again and again if that fails.  Wiring.
 */
#ifndef APP_DOOR_H
#define APP_DOOR_H

#include "base/err.h"
#include "base/fault.h"
#include "conf/conf.h"
#include "control/control_server.h"
#include "io/loop.h"

#define APP_DOOR_RETRY_MS INT64_C(5000)

struct app_door;

/* *ret null with ERR_OK: none is asked for.  daemon's act is not used. */
NODISCARD enum err_code app_door_new(struct loop *l, const struct conf *conf,
    const struct control_server_daemon *daemon, struct app_door **ret, struct err *e);
void app_door_wake(struct app_door *d);                       /* as control_server_wake; null is fine */
const struct fault *app_door_fault(const struct app_door *d); /* null if d is */
void app_door_close(struct app_door *d);                      /* null is fine */

#endif
