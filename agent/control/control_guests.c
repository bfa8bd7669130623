/* Who is connected: see control_guests.h. */
#include "config.h"

#include "control/control_guests.h"

#include <stdlib.h>
#include <sys/socket.h>

struct control_guest {
	struct control_guest *next, *prev;
	int fd;
	int64_t deadline_ms;
};

static void
leave(struct control_guests *g, struct control_guest *guest)
{
	if (guest == NULL)
		return;
	*(guest->prev != NULL ? &guest->prev->next : &g->first) = guest->next;
	if (guest->next != NULL)
		guest->next->prev = guest->prev;
	free(guest);
}

static struct control_guest *
enter(struct control_guests *g, struct MHD_Connection *c, int64_t deadline_ms)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct control_guest *guest = info != NULL ? calloc(1, sizeof(*guest)) : NULL;

	if (guest == NULL)
		return NULL;
	guest->fd = info->connect_fd;
	guest->deadline_ms = deadline_ms;
	guest->next = g->first;
	if (guest->next != NULL)
		guest->next->prev = guest;
	g->first = guest;
	return guest;
}

void
control_guests_notice(struct control_guests *g, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode code, int64_t deadline_ms)
{
	switch (code) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		*context = enter(g, c, deadline_ms);
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		leave(g, *context);
		*context = NULL;
		break;
	}
}

void
control_guests_set_deadline(struct MHD_Connection *c, int64_t deadline_ms)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct control_guest *guest = info != NULL ? info->socket_context : NULL;

	if (guest != NULL)
		guest->deadline_ms = deadline_ms;
}

bool
control_guests_check(struct control_guests *g, int64_t now_ms)
{
	for (struct control_guest *guest = g->first; guest != NULL; guest = guest->next) {
		if (guest->deadline_ms == 0 || now_ms < guest->deadline_ms)
			continue;
		/* libmicrohttpd then sees that the peer is gone, and closes it itself. */
		(void)shutdown(guest->fd, SHUT_RDWR);
		guest->deadline_ms = 0;
	}
	return g->first != NULL;
}
