/*
 * The configuration's own texts in the language of labels: constraints and rules.  Pure.
 * Called once a configuration is read, so that what they lack is a fault with a place.
 */
#ifndef LABEL_LABEL_CONF_H
#define LABEL_LABEL_CONF_H

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "conf/conf.h"

/* ERR_CONF: *reterr_faults lists what is wrong, and e tells the first; both live in a. */
NODISCARD enum err_code label_conf_check(
    struct arena *a, const struct conf *conf, struct conf_notes *reterr_faults, struct err *e);

#endif
