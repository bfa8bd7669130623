/* A port where nobody is to answer: see port_hold.h. */
#include "config.h"

#include "io/port_hold.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/listener.h"

struct port_hold {
	struct listener_address address;
	struct loop_timer *timer;
	int64_t look_ms;
	port_hold_fn *fn;
	void *arg;
	int fd;    /* bound; -1: it is not ours */
	int knock; /* a connect that is under way; -1: none is */
};

static int
new_socket(const struct port_hold *h)
{
	return socket(h->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void
end(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Without SO_REUSEADDR: with it on both sides another could bind it, too, and listen.  0, or an errno. */
static int
take(struct port_hold *h)
{
	int failed = 0;

	h->fd = new_socket(h);
	if (h->fd < 0)
		return errno;
	if (bind(h->fd, &h->address.any, h->address.len) == 0)
		return 0;
	failed = errno;
	end(&h->fd);
	return failed;
}

/* ---- whoever has it ---- */

/* True: it has ended, and *ret tells how. */
static bool
begin_knock(struct port_hold *h, bool *ret)
{
	*ret = false;
	h->knock = new_socket(h);
	if (h->knock < 0)
		return true;
	if (connect(h->knock, &h->address.any, h->address.len) == 0)
		*ret = true;
	else if (errno == EINPROGRESS)
		return false;
	end(&h->knock);
	return true;
}

static bool
end_knock(struct port_hold *h)
{
	struct pollfd p = { .fd = h->knock, .events = POLLOUT };
	int failed = 0;
	socklen_t size = sizeof(failed);
	bool is_answered =
	    poll(&p, 1, 0) == 1 && getsockopt(h->knock, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0;

	end(&h->knock);
	return is_answered;
}

static void
tell(struct port_hold *h, bool is_answered)
{
	if (h->fd < 0)
		loop_timer_arm(h->timer, h->look_ms);
	h->fn(h->arg, is_answered);
}

static void
on_timer(void *arg)
{
	struct port_hold *h = arg;
	bool is_answered = false;
	int failed;

	if (h->knock >= 0) {
		tell(h, end_knock(h));
		return;
	}
	failed = take(h);
	/* Ours, no address of this machine, or a family that it lacks. */
	if (failed != EADDRINUSE && failed != EACCES)
		tell(h, false);
	else if (begin_knock(h, &is_answered))
		tell(h, is_answered);
	else
		loop_timer_arm(h->timer, PORT_HOLD_KNOCK_MS);
}

/* ---- life ---- */

enum err_code
port_hold_new(struct loop *l, const struct port_hold_config *config, struct port_hold **ret, struct err *e)
{
	const struct listener_at at = { .address = config->address, .key = config->key };
	struct port_hold *h = calloc(1, sizeof(*h));
	enum err_code code;

	if (h == NULL)
		return err_set(e, ERR_NOMEM, "%s", config->key);
	h->look_ms = config->look_ms;
	h->fn = config->fn;
	h->arg = config->arg;
	h->fd = h->knock = -1;
	code = listener_parse(&at, &h->address, e);
	if (code == ERR_OK && h->address.any.sa_family == AF_UNIX)
		code = err_set(e, ERR_CONF, "%s: `" STR_FMT "` is no ADDRESS:PORT", at.key, STR_ARG(at.address));
	if (code == ERR_OK)
		code = loop_timer_new(l, on_timer, h, &h->timer, e);
	if (code != ERR_OK) {
		free(h);
		return code;
	}
	loop_timer_arm(h->timer, 0);
	*ret = h;
	return ERR_OK;
}

bool
port_hold_is_ours(const struct port_hold *h)
{
	return h->fd >= 0;
}

void
port_hold_close(struct port_hold *h)
{
	if (h == NULL)
		return;
	end(&h->fd);
	end(&h->knock);
	loop_timer_close(h->timer);
	free(h);
}
