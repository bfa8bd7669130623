/* The sections that open doors: `spoe`, `tracing` and `control`. */
#ifndef CONF_CONF_LISTEN_H
#define CONF_CONF_LISTEN_H

#include "conf/conf.h"
#include "conf/conf_decode.h"

/* Each fills its members of a struct conf. */
conf_decode_fn conf_listen_decode_spoe;    /* a null, too, is the section */
conf_decode_fn conf_listen_decode_tracing; /* likewise */
conf_decode_fn conf_listen_decode_control;

/* The defaults of what is there without its section. */
void conf_listen_builtin(struct conf *c);

#endif
