/*
 * The region of a source that neither the configuration nor the environment names:
 * from its profile, else from the machine (the `region` of base/env.h).  The machine is
 * asked once, and only before the daemon's loop runs: asking it blocks.
 */
#ifndef APP_REGION_H
#define APP_REGION_H

#include <stdbool.h>

#include "aws/machine_region.h"
#include "base/env.h"

#define APP_REGION_PROFILE_SIZE 128

struct app_region {
	const struct env *env; /* whose `arg` this is */
	bool was_asked;        /* also by app_region_close */
	char machine[MACHINE_REGION_SIZE], profile[APP_REGION_PROFILE_SIZE];
};

/* env->region: arg is the struct app_region. */
const char *app_region_find(void *arg, struct str profile);
void app_region_close(struct app_region *r); /* the machine is not asked any more */

#endif
