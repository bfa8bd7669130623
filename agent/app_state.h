/* The state directory: made if it is missing, and locked, so that no two daemons
 * work on one state. */
#ifndef APP_STATE_H
#define APP_STATE_H

#include "base/err.h"
#include "base/str.h"

struct app_state;

NODISCARD enum err_code app_state_open(struct str dir, struct app_state **ret, struct err *e);
void app_state_close(struct app_state *s); /* null is fine */

#endif
