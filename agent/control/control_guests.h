/*
 * Those who are connected, each with the time by which the request under way, or the
 * reading of its answer, must be over: libmicrohttpd alone only counts the time without a
 * byte.  A part of control_server.c; a driver.
 */
#ifndef CONTROL_CONTROL_GUESTS_H
#define CONTROL_CONTROL_GUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

struct control_guest;

struct control_guests { /* zeroed: none */
	struct control_guest *first;
};

/* libmicrohttpd's notice of a connection; *context becomes the guest.  Without memory it
 * has no deadline of its own. */
void control_guests_notice(struct control_guests *g, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode code, int64_t deadline_ms);
/* Monotonic; 0: none. */
void control_guests_set_deadline(struct MHD_Connection *c, int64_t deadline_ms);
/* Hangs up on those whose time is over.  False: nobody is connected. */
bool control_guests_check(struct control_guests *g, int64_t now_ms);

#endif
