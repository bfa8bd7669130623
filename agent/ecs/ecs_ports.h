/* Ranges of ports, as AWS writes them.  Pure. */
#ifndef ECS_ECS_PORTS_H
#define ECS_ECS_PORTS_H

#include <stdint.h>

#include "base/err.h"
#include "ecs/ecs_json.h"

/* The member key of o, a port; else the member range_key, "8080-8090": the first, and how
 * many.  Neither is there: 0 of them. */
NODISCARD enum err_code ecs_ports_read(const struct ecs_json *o, const char *key, const char *range_key,
    uint16_t *ret_first, uint16_t *ret_n, struct err *e);

#endif
