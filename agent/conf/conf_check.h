/* What sections say of each other. */
#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

#include "conf/conf.h"
#include "conf/conf_decode.h"

/* c is decoded from root; what was refused stands there as its default. */
void conf_check_all(struct conf_decode *d, const struct conf_yaml_node *root, const struct conf *c);

#endif
