/*
 * A TCP port that somebody else connects to, and where nobody is to answer: bound, and
 * never listened on, so that every connect is refused and no other program can take it.
 * Where another has it already, that one is knocked at.  A driver.
 */
#ifndef IO_PORT_HOLD_H
#define IO_PORT_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define PORT_HOLD_KNOCK_MS INT64_C(500) /* who has not taken a connect by then does not answer */

struct port_hold;

/* After each look.  False: nobody answers there, be it that we have it, that somebody else has it and
 * does not listen, or that it is no address of this machine. */
typedef void port_hold_fn(void *arg, bool is_answered);

struct port_hold_config {
	struct str address; /* HOST:PORT with a numeric host */
	const char *key;    /* what the configuration calls it, for messages */
	int64_t look_ms;    /* how often, until it is ours; the first time at once, from the loop */
	port_hold_fn *fn;
	void *arg;
};

NODISCARD enum err_code port_hold_new(
    struct loop *l, const struct port_hold_config *config, struct port_hold **ret, struct err *e);
bool port_hold_is_ours(const struct port_hold *h);
void port_hold_close(struct port_hold *h); /* null is fine; fn is never called after */

#endif
