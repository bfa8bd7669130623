/* The `backends` section: which tasks serve which backend, and how. */
#ifndef CONF_CONF_BACKEND_H
#define CONF_CONF_BACKEND_H

#include "conf/conf.h"
#include "conf/conf_decode.h"

/* Fills backends and n_backends of a struct conf, whose defaults are decoded. */
conf_decode_fn conf_backend_decode;

#endif
