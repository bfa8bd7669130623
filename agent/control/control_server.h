/*
 * libmicrohttpd on our loop: its epoll descriptor is one poll handle, its timeout
 * one timer (style.md, section 3.5).  Bounded connections, request sizes and
 * idle times; one thread.
 */
#ifndef CONTROL_CONTROL_SERVER_H
#define CONTROL_CONTROL_SERVER_H

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "control/control_view.h"

#define CONTROL_SERVER_CONNECTIONS_MAX 64
#define CONTROL_SERVER_IDLE_S          10
#define CONTROL_SERVER_BODY_MAX        ((size_t)65536) /* of a request; more is a 413 */

struct control_server;
struct loop;

/* Fills in what is known now; the values are borrowed until the answer is made. */
typedef void control_server_facts_fn(void *arg, struct control_facts *ret);

/*
 * Binds `where` (a path): makes a missing directory around it, replaces a stale
 * socket after having knocked at it, and refuses one that answers ("another
 * rollcalld is listening").  Mode and group are set before anybody can connect.
 */
NODISCARD enum err_code control_server_new(struct loop *l, const struct conf_listen *where,
    control_server_facts_fn *facts, void *arg, struct control_server **ret, struct err *e);
void control_server_close(struct control_server *s); /* also unlinks the socket; null is fine */

#endif
