/* The keys that `defaults` and each backends entry share. */
#ifndef CONF_CONF_POLICY_H
#define CONF_CONF_POLICY_H

#include <stdint.h>

#include "conf/conf.h"
#include "conf/conf_decode.h"

/* For a struct conf_policy. */
extern const struct conf_map conf_policy_map;

/* What holds where nobody says otherwise. */
struct conf_policy conf_policy_builtin(void);
/* Brings p->set up to date with what map wrote, and returns which keys these are
 * (a key written as null is taken back). */
uint32_t conf_policy_note_keys(struct conf_policy *p, const struct conf_yaml_node *map);

#endif
