/* The `ecs` section: one source of tasks, or a list of them. */
#ifndef CONF_CONF_ECS_H
#define CONF_CONF_ECS_H

#include "conf/conf.h"
#include "conf/conf_decode.h"

/* Fills sources and n_sources of a struct conf. */
conf_decode_fn conf_ecs_decode;
/* The same where the text has no such section: one source, of defaults. */
void conf_ecs_absent(struct conf_decode *d, struct conf *c);

#endif
