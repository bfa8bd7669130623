/*
 * Telling systemd how the service stands (sd_notify(3)), without libsystemd: one datagram
 * for each message to the socket that NOTIFY_SOCKET names.  A driver.
 *
 * Nothing depends on it: without that variable, or if a message can't be sent, there is
 * nobody who waits for it.
 */
#ifndef IO_NOTIFY_H
#define IO_NOTIFY_H

#include "base/env.h"
#include "base/err.h"
#include "io/loop.h"

struct notify;

/* *ret null with ERR_OK: nobody wants to be told.  With WATCHDOG_USEC (and WATCHDOG_PID, if
 * set, ours) the loop says WATCHDOG=1 twice in that time. */
NODISCARD enum err_code notify_new(struct loop *l, const struct env *env, struct notify **ret, struct err *e);
void notify_ready(struct notify *n, const char *status); /* each tolerates null */
void notify_reloading(struct notify *n);                 /* ended by notify_ready */
void notify_stopping(struct notify *n);
void notify_close(struct notify *n);

#endif
