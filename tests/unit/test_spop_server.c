/* spop/spop_server: sockets, limits, a place that is taken, and a polite end. */
#include "config.h"

#include "spop/spop_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "fake_loop.h"
#include "unit.h"

static const char hello[] = "\0\0\0\x41\x01\0\0\0\x01\0\0\x12supported-versions\x08\x03"
			    "2.0\x0emax-frame-size\x03\xfc\xf0\x06\x0c"
			    "capabilities\x08\0";
static const char notify[] = "\0\0\0\x0a\x03\0\0\0\x01\x01\x01\x01m\0";

struct fixture {
	struct loop *loop;
	struct spop_server *server;
	char place[64];
	struct listener_at at;
	unsigned messages;
};

static void
on_message(void *arg, const struct spop_message *m)
{
	struct fixture *x = arg;

	assert_str(m->name, "m");
	x->messages++;
}

static void
turn(struct fixture *x)
{
	(void)uv_run(loop_uv(x->loop), UV_RUN_NOWAIT);
}

static int
set_up(void **state)
{
	static int n;
	struct fixture *x = calloc(1, sizeof(*x));

	assert_int_equal(loop_new(&x->loop, NULL), ERR_OK);
	(void)snprintf(x->place, sizeof(x->place), "abns@rollcall-spop-%ld-%d", (long)getpid(), n++);
	x->at = (struct listener_at){
		.address = str_from_cstr(x->place), .group = STR(""), .mode = 0600, .key = "spoe.listen"
	};
	*state = x;
	return 0;
}

static void
start(struct fixture *x)
{
	assert_int_equal(spop_server_new(x->loop, &x->at, &x->server, NULL), ERR_OK);
	spop_server_hear(x->server, on_message, x);
	spop_server_listen(x->server);
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;

	spop_server_close(x->server);
	loop_run(x->loop);
	loop_free(x->loop);
	free(x);
	return 0;
}

static int
dial(struct fixture *x)
{
	struct listener_address a;
	int fd;

	assert_int_equal(listener_parse(&x->at, &a, NULL), ERR_OK);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(fd, &a.any, a.len), 0);
	return fd;
}

static void
say(int fd, const char *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* What comes within some turns of the loop; -1: it was closed. */
static ssize_t
hear(struct fixture *x, int fd, char *ret, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		ssize_t n;

		turn(x);
		n = recv(fd, ret, size, MSG_DONTWAIT);
		if (n > 0)
			return n;
		if (n == 0)
			return -1;
		(void)poll(NULL, 0, 1);
	}
	return 0;
}

/* A connection whose HELLO was answered. */
static int
greet(struct fixture *x)
{
	char bytes[1000];
	int fd = dial(x);

	say(fd, hello, sizeof(hello) - 1);
	assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), 68);
	return fd;
}

static void
hello_and_notify_are_answered_each_in_one_piece(void **state)
{
	struct fixture *x = *state;
	char bytes[1000];
	int fd;

	start(x);
	fd = greet(x);
	for (size_t i = 0; i < sizeof(notify) - 1; i++) { /* a byte at a time */
		say(fd, notify + i, 1);
		turn(x);
	}
	assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), 18);
	assert_int_equal((unsigned char)bytes[4], SPOP_WIRE_ACK);
	assert_int_equal(x->messages, 1);
	assert_int_equal(spop_server_view(x->server).connections, 1);
	(void)close(fd);
	for (int i = 0; i < 1000 && spop_server_view(x->server).connections > 0; i++)
		turn(x);
	assert_int_equal(spop_server_view(x->server).connections, 0);
}

static void
rubbish_is_told_why_and_hung_up_on(void **state)
{
	struct fixture *x = *state;
	char bytes[1000];
	int fd;

	start(x);
	fd = dial(x);
	say(fd, "GET / HTTP/1.1\r\n", 16);
	assert_true(hear(x, fd, bytes, sizeof(bytes)) > 0);
	assert_int_equal((unsigned char)bytes[4], SPOP_WIRE_AGENT_DISCONNECT);
	assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), -1);
	assert_int_equal(spop_server_view(x->server).counts->refused[SPOP_TOO_BIG], 1);
	assert_int_equal(spop_session_errors(spop_server_view(x->server).counts), 1);
	assert_non_null(strstr(spop_server_view(x->server).last_error->msg, "bytes, 131072 are allowed"));
	(void)close(fd);
}

/* Bytes that go in until nothing does any more; they may end within a frame. */
static size_t
talk_without_listening(struct fixture *x, int fd)
{
	const size_t frame = sizeof(notify) - 1;
	size_t sent = 0;

	for (unsigned idle = 0; idle < 20;) {
		size_t at = sent % frame;
		ssize_t n = send(fd, notify + at, frame - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			sent += (size_t)n;
			idle = 0;
			continue;
		}
		turn(x);
		idle++;
	}
	return sent;
}

static void
who_does_not_read_is_not_read_either_until_he_does(void **state)
{
	struct fixture *x = *state;
	static char bytes[64 << 10];
	size_t frames, heard = 0;
	ssize_t n;
	int fd;

	start(x);
	fd = greet(x);
	frames = talk_without_listening(x, fd) / (sizeof(notify) - 1);
	assert_true(x->messages < frames);
	assert_int_equal(spop_server_view(x->server).connections, 1);
	while (heard < frames * 18 && (n = hear(x, fd, bytes, sizeof(bytes))) > 0)
		heard += (size_t)n;
	assert_int_equal(heard, frames * 18);
	assert_int_equal(x->messages, frames);
	(void)close(fd);
}

static void
another_may_hear_from_now_on(void **state)
{
	struct fixture *x = *state;
	struct fixture other = { .messages = 0 };
	struct listener_at elsewhere = x->at;
	char bytes[1000];
	int fd;

	start(x);
	elsewhere.mode = 0660;
	assert_true(spop_server_is_at(x->server, &x->at));
	assert_false(spop_server_is_at(x->server, &elsewhere));
	elsewhere = x->at;
	elsewhere.group = STR("haproxy");
	assert_false(spop_server_is_at(x->server, &elsewhere));
	fd = greet(x);
	spop_server_hear(x->server, on_message, &other);
	spop_server_listen(x->server); /* does already */
	say(fd, notify, sizeof(notify) - 1);
	assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), 18);
	assert_int_equal(x->messages, 0);
	assert_int_equal(other.messages, 1);
	(void)close(fd);
}

static void
one_connection_too_many_is_turned_away(void **state)
{
	struct fixture *x = *state;
	static int fds[SPOP_SERVER_CONNECTIONS_MAX + 1];
	char byte;

	start(x);
	for (size_t i = 0; i < N_OF(fds); i++) {
		fds[i] = dial(x);
		turn(x);
		turn(x);
	}
	assert_int_equal(hear(x, fds[N_OF(fds) - 1], &byte, 1), -1);
	assert_int_equal(spop_server_view(x->server).connections, SPOP_SERVER_CONNECTIONS_MAX);
	assert_int_equal(spop_server_view(x->server).turned_away, 1);
	assert_true(spop_server_view(x->server).last_error_wall_ms > 0);
	assert_non_null(strstr(spop_server_view(x->server).last_error->msg, "more than 256 connections"));
	for (size_t i = 0; i < N_OF(fds); i++)
		(void)close(fds[i]);
}

static void
a_place_that_is_taken_is_a_fault_and_not_the_end(void **state)
{
	struct fixture *x = *state;
	struct listener other;

	assert_int_equal(listener_open(&x->at, &other, NULL), ERR_OK);
	start(x);
	assert_true(spop_server_view(x->server).bind_fault->on);
	(void)close(other.fd);
	fake_loop_pass(x->loop, SPOP_SERVER_RETRY_MS - 1);
	assert_true(spop_server_view(x->server).bind_fault->on);
	fake_loop_pass(x->loop, 1);
	assert_false(spop_server_view(x->server).bind_fault->on);
	(void)close(dial(x));
}

static void
its_path_goes_with_it(void **state)
{
	struct fixture *x = *state;
	char directory[] = "/tmp/rollcall-test-XXXXXX", path[64];

	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/spoe.sock", directory);
	x->at.address = str_from_cstr(path);
	start(x);
	assert_int_equal(access(path, F_OK), 0);
	spop_server_close(x->server);
	x->server = NULL;
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(directory), 0);
}

/* ---- time ---- */

/* Looked for now and then: within a quarter of the limit. */
static void
wait_for_stall(struct fixture *x, int fd, int64_t been_ms)
{
	char byte;

	fake_loop_pass(x->loop, SPOP_SERVER_STALL_MS - been_ms - 1);
	turn(x);
	assert_int_equal(spop_server_view(x->server).connections, 1);
	fake_loop_pass(x->loop, SPOP_SERVER_STALL_MS / 4 + 1);
	assert_int_equal(hear(x, fd, &byte, 1), -1);
	assert_int_equal(spop_server_view(x->server).connections, 0);
	assert_int_equal(spop_server_view(x->server).stalled, 1);
	assert_non_null(strstr(spop_server_view(x->server).last_error->msg, "stood still for 10 seconds"));
	(void)close(fd);
}

static void
who_says_no_hello_is_hung_up_on(void **state)
{
	struct fixture *x = *state;
	int fd;

	start(x);
	fd = dial(x);
	turn(x);
	wait_for_stall(x, fd, 0);
}

/* However often another byte comes. */
static void
who_takes_too_long_over_a_frame_is_hung_up_on(void **state)
{
	struct fixture *x = *state;
	int fd;

	start(x);
	fd = greet(x);
	fake_loop_pass(x->loop, 60000); /* between frames it may be silent */
	assert_int_equal(spop_server_view(x->server).connections, 1);
	for (size_t i = 0; i < 4; i++) {
		say(fd, notify + i, 1);
		turn(x);
		fake_loop_pass(x->loop, 1000);
	}
	wait_for_stall(x, fd, 4000);
}

/* A frame a second is no frame that takes an hour. */
static void
who_ends_his_frames_may_stay(void **state)
{
	struct fixture *x = *state;
	char bytes[1000];
	int fd;

	start(x);
	fd = greet(x);
	for (int i = 0; i < 20; i++) {
		say(fd, notify, 1);
		turn(x);
		fake_loop_pass(x->loop, 1000);
		say(fd, notify + 1, sizeof(notify) - 2);
		assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), 18);
	}
	assert_int_equal(spop_server_view(x->server).connections, 1);
	assert_int_equal(spop_server_view(x->server).stalled, 0);
	(void)close(fd);
}

/* The listener would be readable for ever: it is left alone until the next sweep. */
static void
without_a_descriptor_to_spare_a_connection_waits(void **state)
{
	struct fixture *x = *state;
	struct rlimit was, none;
	int fd;

	start(x);
	fd = dial(x);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn(x);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_non_null(strstr(spop_server_view(x->server).last_error->msg, "cannot take a connection"));
	for (int i = 0; i < 10; i++)
		turn(x);
	assert_int_equal(spop_server_view(x->server).connections, 0);
	fake_loop_pass(x->loop, SPOP_SERVER_RETRY_MS);
	turn(x);
	assert_int_equal(spop_server_view(x->server).connections, 1);
	(void)close(fd);
}

/* ---- HAProxy hangs up ---- */

static void
a_disconnect_is_an_error_unless_nothing_is_wrong(void **state)
{
	static const struct {
		char status;
		const char *says;
	} rows[] = { { 0, "" }, { 2, "" }, { 1, "status 1 ()" }, { 3, "status 3 ()" }, { 10, "status 10 ()" } };
	struct fixture *x = *state;

	start(x);
	for (size_t i = 0; i < N_OF(rows); i++) {
		char frame[] = "\0\0\0\x15\x02\0\0\0\x01\0\0\x0bstatus-code\x03\0", bytes[1000];
		int fd = greet(x);

		frame[sizeof(frame) - 2] = rows[i].status;
		say(fd, frame, sizeof(frame) - 1);
		assert_true(hear(x, fd, bytes, sizeof(bytes)) > 0);
		assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), -1);
		CHECK_ROW(strstr(spop_server_view(x->server).last_error->msg, rows[i].says) != NULL, i,
		    spop_server_view(x->server).last_error->msg);
		CHECK_ROW((spop_server_view(x->server).last_error->msg[0] == '\0') == (rows[i].says[0] == '\0'), i,
		    spop_server_view(x->server).last_error->msg);
		(void)close(fd);
	}
}

static void
what_has_come_in_is_answered_before_goodbye(void **state)
{
	struct fixture *x = *state;
	char bytes[1000];
	ssize_t n;
	int fd;

	start(x);
	fd = greet(x);
	say(fd, notify, sizeof(notify) - 1);
	spop_server_close(x->server);
	x->server = NULL;
	n = hear(x, fd, bytes, 18);
	assert_int_equal(n, 18);
	assert_int_equal((unsigned char)bytes[4], SPOP_WIRE_ACK);
	assert_true(hear(x, fd, bytes, sizeof(bytes)) > 0);
	assert_int_equal((unsigned char)bytes[4], SPOP_WIRE_AGENT_DISCONNECT);
	assert_int_equal(hear(x, fd, bytes, sizeof(bytes)), -1);
	(void)close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_and_notify_are_answered_each_in_one_piece, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rubbish_is_told_why_and_hung_up_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_does_not_read_is_not_read_either_until_he_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_may_hear_from_now_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_connection_too_many_is_turned_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_place_that_is_taken_is_a_fault_and_not_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(its_path_goes_with_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_says_no_hello_is_hung_up_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_takes_too_long_over_a_frame_is_hung_up_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_ends_his_frames_may_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_descriptor_to_spare_a_connection_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_disconnect_is_an_error_unless_nothing_is_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_has_come_in_is_answered_before_goodbye, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("spop_server", tests, NULL, NULL);
}
