/* A port where nobody is to answer, on the real loop and the real loopback. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/port_hold.h"
#include "unit.h"

struct room {
	struct loop *loop;
	struct sockaddr_in at;
	char address[32];
	struct port_hold *hold, *first;
	int other;     /* somebody else's socket */
	char told[16]; /* a letter for each look: y, somebody answers; n, nobody does */
};

static void
look_up(struct room *r, int fd)
{
	socklen_t size = sizeof(r->at);

	r->at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&r->at, sizeof(r->at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&r->at, &size), 0);
	(void)snprintf(r->address, sizeof(r->address), "127.0.0.1:%u", (unsigned)ntohs(r->at.sin_port));
}

static int
new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	return fd;
}

static void
open_room(struct room *r)
{
	*r = (struct room){ .other = new_socket() };
	assert_int_equal(loop_new(&r->loop, NULL), ERR_OK);
	look_up(r, r->other);
}

static void
close_room(struct room *r)
{
	port_hold_close(r->hold);
	port_hold_close(r->first);
	loop_run(r->loop);
	loop_free(r->loop);
	if (r->other >= 0)
		(void)close(r->other);
}

static void
end_other(struct room *r)
{
	assert_int_equal(close(r->other), 0);
	r->other = -1;
}

static void
hold(struct room *r, port_hold_fn *fn, struct port_hold **ret)
{
	const struct port_hold_config config = {
		.address = str_from_cstr(r->address), .key = "outlier.agent", .look_ms = 2, .fn = fn, .arg = r
	};

	assert_int_equal(port_hold_new(r->loop, &config, ret, NULL), ERR_OK);
}

static void
note(struct room *r, bool is_answered)
{
	size_t n = strlen(r->told);

	assert_true(n + 1 < sizeof(r->told));
	r->told[n] = is_answered ? 'y' : 'n';
}

static void
on_look(void *arg, bool is_answered)
{
	note(arg, is_answered);
}

static void
nobody_can_answer_where_it_is_held(void **state)
{
	struct room r;
	int fd;

	(void)state;
	open_room(&r);
	end_other(&r);
	hold(&r, on_look, &r.hold);
	loop_run(r.loop); /* ends, for there is nothing to look at any more */
	assert_string_equal(r.told, "n");
	assert_true(port_hold_is_ours(r.hold));
	fd = new_socket();
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&r.at, sizeof(r.at)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	(void)close(fd);
	fd = new_socket();
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&r.at, sizeof(r.at)), -1);
	assert_int_equal(errno, EADDRINUSE);
	port_hold_close(r.hold);
	r.hold = NULL;
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&r.at, sizeof(r.at)), 0);
	(void)close(fd);
	close_room(&r);
}

static void
end_him_when_seen_twice(void *arg, bool is_answered)
{
	struct room *r = arg;

	note(r, is_answered);
	if (strcmp(r->told, "yy") == 0)
		end_other(r);
}

static void
who_listens_there_is_found_until_he_goes(void **state)
{
	struct room r;

	(void)state;
	open_room(&r);
	assert_int_equal(listen(r.other, 8), 0);
	hold(&r, end_him_when_seen_twice, &r.hold);
	loop_run(r.loop);
	assert_string_equal(r.told, "yyn");
	assert_true(port_hold_is_ours(r.hold));
	close_room(&r);
}

static void
end_the_first(void *arg, bool is_answered)
{
	struct room *r = arg;

	note(r, is_answered);
	port_hold_close(r->first);
	r->first = NULL;
}

/* As where two daemons run on one machine. */
static void
who_only_holds_it_does_not_answer(void **state)
{
	struct room r;

	(void)state;
	open_room(&r);
	end_other(&r);
	hold(&r, on_look, &r.first);
	loop_run(r.loop);
	hold(&r, end_the_first, &r.hold);
	assert_false(port_hold_is_ours(r.hold));
	loop_run(r.loop);
	assert_string_equal(r.told, "nnn");
	assert_true(port_hold_is_ours(r.hold));
	close_room(&r);
}

static void
close_it(void *arg, bool is_answered)
{
	struct room *r = arg;

	note(r, is_answered);
	port_hold_close(r->hold);
	r->hold = NULL;
}

static void
an_address_of_another_machine_is_left_alone(void **state)
{
	struct room r;

	(void)state;
	open_room(&r);
	(void)snprintf(r.address, sizeof(r.address), "192.0.2.1:4320");
	hold(&r, close_it, &r.hold);
	loop_run(r.loop);
	assert_string_equal(r.told, "n");
	close_room(&r);
}

static void
what_is_no_port_is_refused(void **state)
{
	static const char *const texts[] = { "/run/x.sock", "abns@x", "127.0.0.1", "localhost:4320", "" };
	struct room r;

	(void)state;
	open_room(&r);
	for (size_t i = 0; i < N_OF(texts); i++) {
		const struct port_hold_config config = {
			.address = str_from_cstr(texts[i]), .key = "outlier.agent", .fn = on_look, .arg = &r
		};
		struct err e = ERR_INIT;

		CHECK_ROW(port_hold_new(r.loop, &config, &r.hold, &e) == ERR_CONF, i, "taken");
		CHECK_ROW(strncmp(e.msg, "outlier.agent: ", 15) == 0, i, e.msg);
	}
	close_room(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_can_answer_where_it_is_held),
		cmocka_unit_test(who_listens_there_is_found_until_he_goes),
		cmocka_unit_test(who_only_holds_it_does_not_answer),
		cmocka_unit_test(an_address_of_another_machine_is_left_alone),
		cmocka_unit_test(what_is_no_port_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
