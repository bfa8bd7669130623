/* What systemd is told, and who is told nothing: a real socket in systemd's place. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/notify.h"
#include "unit.h"

#define WATCHDOG_US "40000" /* said twice in that time */

struct service {
	struct loop *loop;
	int fd;
	char path[64];                                   /* as NOTIFY_SOCKET has it */
	const char *socket, *watchdog_us, *watchdog_pid; /* the environment; null: undefined */
	struct env env;
	struct notify *notify;
};

static const char *
get(void *arg, const char *name)
{
	const struct service *s = arg;

	if (strcmp(name, "NOTIFY_SOCKET") == 0)
		return s->socket;
	if (strcmp(name, "WATCHDOG_USEC") == 0)
		return s->watchdog_us;
	return strcmp(name, "WATCHDOG_PID") == 0 ? s->watchdog_pid : NULL;
}

static void
listen_at(struct service *s, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));

	memcpy(at.sun_path, path, strlen(path));
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->fd, (const struct sockaddr *)(const void *)&at, len), 0);
	s->socket = path;
}

static void
begin(struct service *s, bool is_abstract)
{
	*s = (struct service){ .fd = -1 };
	assert_int_equal(loop_new(&s->loop, NULL), ERR_OK);
	(void)snprintf(
	    s->path, sizeof(s->path), "%s-test-notify-%d", is_abstract ? "@rollcall" : "/tmp/rollcall", (int)getpid());
	listen_at(s, s->path);
}

static void
start(struct service *s)
{
	s->env = (struct env){ .get = get, .arg = s };
	assert_int_equal(notify_new(s->loop, &s->env, &s->notify, NULL), ERR_OK);
}

static void
end(struct service *s)
{
	notify_close(s->notify);
	loop_run(s->loop);
	loop_free(s->loop);
	(void)close(s->fd);
	if (s->path[0] == '/')
		(void)unlink(s->path);
}

/* The next message; empty: none is there. */
static const char *
heard(const struct service *s)
{
	static char text[1024];
	ssize_t n = recv(s->fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
each_state_is_told_by_a_path_or_by_a_name(void **state)
{
	(void)state;
	for (int is_abstract = 0; is_abstract < 2; is_abstract++) {
		struct service s;

		begin(&s, is_abstract != 0);
		start(&s);
		notify_ready(s.notify, "2 backends");
		assert_string_equal(heard(&s), "READY=1\nSTATUS=2 backends");
		notify_reloading(s.notify);
		assert_int_equal(strncmp(heard(&s), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
		notify_stopping(s.notify);
		assert_int_equal(strncmp(heard(&s), "STOPPING=1\n", 11), 0);
		assert_string_equal(heard(&s), ""); /* no watchdog was asked for */
		end(&s);
	}
}

static void
nobody_is_told_where_nobody_can_be(void **state)
{
	static const char *const places[] = { "", "x", "/", "relative/path", "vsock:2:1234" };

	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		struct service s;

		begin(&s, true);
		s.socket = places[i];
		start(&s);
		CHECK_ROW(s.notify == NULL, i, places[i]);
		notify_ready(s.notify, "null is fine");
		notify_reloading(s.notify);
		notify_stopping(s.notify);
		end(&s);
	}
}

static void
a_long_status_is_cut(void **state)
{
	struct service s;
	char status[1000];

	(void)state;
	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	begin(&s, true);
	start(&s);
	notify_ready(s.notify, status);
	assert_int_equal(strlen(heard(&s)), 511);
	end(&s);
}

static void
stop_the_loop(void *arg)
{
	struct service *s = arg;

	notify_close(s->notify);
	s->notify = NULL;
}

static size_t
count_beats(struct service *s)
{
	struct loop_timer *timer;
	size_t n = 0;

	start(s);
	assert_int_equal(loop_timer_new(s->loop, stop_the_loop, s, &timer, NULL), ERR_OK);
	loop_timer_arm(timer, 150);
	loop_run(s->loop);
	loop_timer_close(timer);
	while (strcmp(heard(s), "WATCHDOG=1") == 0)
		n++;
	return n;
}

static void
the_watchdog_is_told_while_the_loop_runs_and_only_if_it_is_ours(void **state)
{
	char own[16];
	const struct {
		const char *us, *pid;
		bool is_told;
	} rows[] = {
		{ WATCHDOG_US, NULL, true },
		{ WATCHDOG_US, own, true },
		{ WATCHDOG_US, "", true },
		{ WATCHDOG_US, "1", false },
		{ WATCHDOG_US, "many", false },
		{ "1999", NULL, false },
		{ "86400000001", NULL, false },
		{ "soon", NULL, false },
	};

	(void)state;
	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct service s;
		size_t n;

		begin(&s, true);
		s.watchdog_us = rows[i].us;
		s.watchdog_pid = rows[i].pid;
		n = count_beats(&s);
		CHECK_ROW(rows[i].is_told ? n >= 2 : n == 0, i, rows[i].us);
		end(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_is_told_by_a_path_or_by_a_name),
		cmocka_unit_test(nobody_is_told_where_nobody_can_be),
		cmocka_unit_test(a_long_status_is_cut),
		cmocka_unit_test(the_watchdog_is_told_while_the_loop_runs_and_only_if_it_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
