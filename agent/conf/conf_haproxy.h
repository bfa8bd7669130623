/* The `haproxy` section. */
#ifndef CONF_CONF_HAPROXY_H
#define CONF_CONF_HAPROXY_H

#include "conf/conf.h"
#include "conf/conf_decode.h"

/* For a struct conf_haproxy. */
extern const struct conf_map conf_haproxy_map;

struct conf_haproxy conf_haproxy_builtin(void);

#endif
