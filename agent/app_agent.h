/*
 * The addresses that HAProxy's agent-checks ask (outlier.agent), kept free of anybody who
 * answers: what is said there HAProxy does, and it takes servers out for an operator's hand
 * (facts: `drain`, `maint`, `ready` of an agent are no other's).  Wiring.
 */
#ifndef APP_AGENT_H
#define APP_AGENT_H

#include "base/err.h"
#include "base/fault.h"
#include "conf/conf.h"
#include "io/loop.h"

#define APP_AGENT_MAX     16 /* addresses; more are left to themselves */
#define APP_AGENT_LOOK_MS INT64_C(10000)

struct app_agent;

NODISCARD enum err_code app_agent_new(struct loop *l, struct app_agent **ret, struct err *e);
/* Those of conf from now on; what is held already is not let go of in between. */
void app_agent_keep(struct app_agent *a, const struct conf *conf);
/* Somebody answers at one of them; null: nobody does. */
const struct fault *app_agent_fault(const struct app_agent *a);
void app_agent_close(struct app_agent *a); /* null is fine */

#endif
