/*
 * The listening unix socket of the control interface: its directory, its stale
 * predecessor, its mode and group, and its end.  A driver.
 */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"
#include "conf/conf.h"

#define CONTROL_SOCKET_BACKLOG 64

struct control_socket {
	int fd; /* whoever takes it closes it */
	struct sockaddr_un address;
	dev_t dev; /* with ino: the file that we made, and no later one of that name */
	ino_t ino;
};

/*
 * Makes a missing directory around the path (the last one only), replaces a stale
 * socket after having knocked at it, and refuses one that answers, or a path that
 * is no socket.  Nobody can connect before mode and group are set.
 */
NODISCARD enum err_code control_socket_open(const struct conf_listen *where, struct control_socket *ret, struct err *e);
/* Removes the file, unless somebody has put another in its place. */
void control_socket_unlink(const struct control_socket *s);

#endif
