/*
 * Who may be meant by the Host of a request that came in by TCP.  Pure.
 *
 * A web page may have the browser of an operator ask it by a name of the page's own, once
 * that name leads to loopback (DNS rebinding), and then read the answer.  It cannot have the
 * browser say an address or localhost instead.  So only these are answered, and by any
 * name only what health checks and Prometheus ask, which may come through a proxy.
 */
#ifndef CONTROL_CONTROL_HOST_H
#define CONTROL_CONTROL_HOST_H

#include <stdbool.h>

#include "base/str.h"

/* host as sent, with or without a port; path likewise. */
bool control_host_admits(struct str host, struct str path);

#endif
