/* Telling systemd: see notify.h. */
#include "config.h"

#include "io/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define TEXT_MAX        512
#define WATCHDOG_MIN_US UINT64_C(2000) /* less than 1 ms between two is no interval */
#define WATCHDOG_MAX_US (UINT64_C(86400) * 1000000)

struct notify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	struct loop_timer *watchdog; /* null: none is wanted */
	int64_t every_ms;
};

static void
say(const struct notify *n, const char *text)
{
	if (n != NULL)
		(void)sendto(
		    n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&n->to, n->to_len);
}

static void
on_watchdog(void *arg)
{
	struct notify *n = arg;

	say(n, "WATCHDOG=1");
	loop_timer_arm(n->watchdog, n->every_ms);
}

/* A path, or "@name" for an abstract one; systemd does not pad it. */
static bool
set_address(struct notify *n, struct str where)
{
	if (where.len < 2 || where.len >= sizeof(n->to.sun_path) || (where.ptr[0] != '/' && where.ptr[0] != '@'))
		return false;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, where.ptr, where.len);
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + where.len);
	if (where.ptr[0] == '@')
		n->to.sun_path[0] = '\0';
	else
		n->to_len++; /* the NUL */
	return true;
}

static enum err_code
set_watchdog(struct notify *n, struct loop *l, const struct env *env, struct err *e)
{
	const char *of = env_get(env, "WATCHDOG_PID");
	uint64_t pid, us;
	enum err_code code;

	if (of != NULL && of[0] != '\0' &&
	    (!str_to_u64(str_from_cstr(of), INT32_MAX, &pid) || pid != (uint64_t)getpid()))
		return ERR_OK;
	if (!str_to_u64(str_from_cstr(env_get(env, "WATCHDOG_USEC")), WATCHDOG_MAX_US, &us) || us < WATCHDOG_MIN_US)
		return ERR_OK;
	code = loop_timer_new(l, on_watchdog, n, &n->watchdog, e);
	if (code != ERR_OK)
		return code;
	n->every_ms = (int64_t)(us / 2000);
	on_watchdog(n);
	return ERR_OK;
}

enum err_code
notify_new(struct loop *l, const struct env *env, struct notify **ret, struct err *e)
{
	struct notify *n = calloc(1, sizeof(*n));
	enum err_code code;

	*ret = NULL;
	if (n == NULL)
		return err_set(e, ERR_NOMEM, "telling systemd");
	n->fd = -1;
	if (set_address(n, str_from_cstr(env_get(env, "NOTIFY_SOCKET"))))
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0) {
		free(n);
		return ERR_OK;
	}
	code = set_watchdog(n, l, env, e);
	if (code != ERR_OK) {
		notify_close(n);
		return code;
	}
	*ret = n;
	return ERR_OK;
}

void
notify_ready(struct notify *n, const char *status)
{
	char text[TEXT_MAX];

	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
	say(n, text);
}

/* The time is for Type=notify-reload. */
void
notify_reloading(struct notify *n)
{
	struct timespec now;
	char text[TEXT_MAX];

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	say(n, text);
}

void
notify_stopping(struct notify *n)
{
	say(n, "STOPPING=1\nSTATUS=stopping; servers stay in HAProxy as they are");
}

void
notify_close(struct notify *n)
{
	if (n == NULL)
		return;
	loop_timer_close(n->watchdog);
	(void)close(n->fd);
	free(n);
}
