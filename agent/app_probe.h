/*
 * The doctor's own calls: who are we, and is each action that the configuration needs
 * allowed?  Each is made once, reads only, and counts in rate_limit like all others; its
 * answer is not looked at beyond that.
 */
#ifndef APP_PROBE_H
#define APP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/aws_caller.h"
#include "base/clk.h"
#include "conf/conf.h"
#include "control/control_view.h"
#include "ecs/ecs_watch.h"
#include "ecs/roster.h"

#define APP_PROBE_CLUSTERS_MAX 8              /* of one source that are tried: rate_limit is for the sweeps */
#define APP_PROBE_AGAIN_MS     INT64_C(60000) /* what was found out is good for so long */
#define APP_PROBE_ARENA_MAX    ((size_t)4 << 20)

struct app_probe;

struct app_probe_callers { /* of one source */
	struct aws_caller *ecs, *ec2, *ssm, *sts;
};

/* callers[i] is for conf->sources[i]; all borrowed, and the callers closed before this is. */
NODISCARD enum err_code app_probe_new(const struct clk *clk, const struct conf *conf,
    const struct app_probe_callers *callers, struct app_probe **ret, struct err *e);
/* Begins to try, unless that is under way or was done just now.  Both null are fine; w tells
 * which machines are EC2's. */
void app_probe_start(struct app_probe *p, const struct roster *r, const struct ecs_watch *w);
bool app_probe_is_busy(const struct app_probe *p);
/* Borrowed until the next start; *ret_n 0: nothing was tried yet. */
const struct control_probe *app_probe_list(const struct app_probe *p, size_t *ret_n);
void app_probe_close(struct app_probe *p); /* null is fine */

#endif
