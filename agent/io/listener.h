/*
 * Local listening sockets, wherever a configuration says `listen`: a path with its
 * directory, its stale predecessor, its mode and group, and its end; an abstract
 * name; a TCP port.  A driver.
 */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/str.h"

#define LISTENER_BACKLOG 64

/* Where a socket is bound, and what the configuration calls it ("control.socket"). */
struct listener_at {
	struct str address; /* PATH that begins with /, abns@NAME, or HOST:PORT with a numeric host */
	unsigned mode;      /* of a path */
	struct str group;   /* of a path: name or number; empty: as created */
	const char *key;    /* for messages */
};

struct listener_address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage room;
	};
	socklen_t len;
};

struct listener {
	int fd; /* whoever takes it closes it */
	struct listener_address address;
	dev_t dev; /* with ino: the file that we made, and no later one of that name; of a path */
	ino_t ino;
};

/*
 * abns@NAME is bound as HAProxy connects to it: the name, padded with NULs to all of
 * sun_path (measured with 2.6 to 3.4; abstract names are compared with their length).
 */
NODISCARD enum err_code listener_parse(const struct listener_at *at, struct listener_address *ret, struct err *e);
/*
 * Makes a missing directory around a path (the last one only), replaces a stale
 * socket after having knocked at it, and refuses one that answers, or a path that
 * is no socket.  Nobody can connect before mode and group are set.
 */
NODISCARD enum err_code listener_open(const struct listener_at *at, struct listener *ret, struct err *e);
/* Removes the file, unless somebody has put another in its place.  Nothing for
 * what has none. */
void listener_unlink(const struct listener *l);

#endif
