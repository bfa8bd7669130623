/* io/listener: each kind of address, as HAProxy connects to it. */
#include "config.h"

#include "io/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { CANNOT = 77 }; /* exit status */

int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);

/* What somebody puts in the place of the socket as soon as it is bound; null: nobody does. */
static const char *planted;

int
__wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	int status = __real_bind(fd, address, len);

	if (planted != NULL) {
		const char *path = ((const struct sockaddr_un *)(const void *)address)->sun_path;

		assert_int_equal(unlink(path), 0);
		assert_int_equal(symlink(planted, path), 0);
	}
	return status;
}

static struct listener_at
at(const char *address)
{
	return (struct listener_at){
		.address = str_from_cstr(address), .mode = 0640, .group = STR(""), .key = "spoe.listen"
	};
}

static void
each_kind_of_address_is_read(void **state)
{
	static const struct {
		const char *text;
		int family;
		unsigned port;
	} rows[] = {
		{ "/run/x.sock", AF_UNIX, 0 },
		{ "abns@rollcall-spoe", AF_UNIX, 0 },
		{ "127.0.0.1:4317", AF_INET, 4317 },
		{ "[::1]:4317", AF_INET6, 4317 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct listener_at where = at(rows[i].text);
		struct listener_address a;

		CHECK_ROW(listener_parse(&where, &a, NULL) == ERR_OK, i, rows[i].text);
		CHECK_ROW(a.any.sa_family == rows[i].family, i, rows[i].text);
		if (a.any.sa_family == AF_INET)
			assert_int_equal(ntohs(((const struct sockaddr_in *)&a.any)->sin_port), rows[i].port);
	}
}

static void
what_is_no_address_is_refused_by_the_name_of_its_key(void **state)
{
	static const char *const rows[] = { "", "x", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", "host:80", ":80",
		"abns@", "[::1:80", "999.0.0.1:80" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct listener_at where = at(rows[i]);
		struct listener_address a;
		struct err e = ERR_INIT;

		CHECK_ROW(listener_parse(&where, &a, &e) == ERR_CONF, i, rows[i]);
		CHECK_ROW(strstr(e.msg, "spoe.listen: ") != NULL, i, e.msg);
	}
}

static void
a_path_or_a_name_fits_into_its_address_or_is_refused(void **state)
{
	static const struct {
		const char *prefix;
		size_t longest;
	} rows[] = { { "/", 107 }, { "abns@", 5 + 107 } };
	char text[200];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (size_t more = 0; more < 2; more++) {
			struct listener_at where = at("");
			struct listener_address a;

			memset(text, 'a', sizeof(text));
			memcpy(text, rows[i].prefix, strlen(rows[i].prefix));
			where.address = str_of(text, rows[i].longest + more);
			CHECK_ROW(
			    listener_parse(&where, &a, NULL) == (more > 0 ? ERR_CONF : ERR_OK), i, rows[i].prefix);
		}
}

/* As HAProxy 2.6 to 3.4 connects to abns@NAME: all of sun_path counts. */
static void
an_abstract_name_is_padded(void **state)
{
	char text[60];
	struct sockaddr_un peer = { .sun_family = AF_UNIX };
	struct listener_at where;
	struct listener l, second;
	int fd;

	(void)state;
	(void)snprintf(text, sizeof(text), "abns@rollcall-test-%ld", (long)getpid());
	where = at(text);
	assert_int_equal(listener_open(&where, &l, NULL), ERR_OK);
	assert_int_equal(listener_open(&where, &second, NULL), ERR_IO);
	memcpy(peer.sun_path + 1, text + 5, strlen(text) - 5);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
	(void)close(fd);
	listener_unlink(&l);
	(void)close(l.fd);
}

static void
a_tcp_port_can_be_bound_and_is_refused_while_it_is_taken(void **state)
{
	struct listener_at where = at("127.0.0.1:0");
	struct sockaddr_in got;
	socklen_t len = sizeof(got);
	struct listener l, second;
	char text[32];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(listener_open(&where, &l, NULL), ERR_OK);
	assert_int_equal(getsockname(l.fd, (struct sockaddr *)&got, &len), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)ntohs(got.sin_port));
	where = at(text);
	assert_int_equal(listener_open(&where, &second, &e), ERR_IO);
	assert_non_null(strstr(e.msg, text));
	(void)close(l.fd);
}

static void
a_path_has_its_mode_and_a_numbered_group_and_goes_with_us(void **state)
{
	char directory[] = "/tmp/rollcall-listener-XXXXXX", path[64], group[16];
	struct listener_at where;
	struct listener l;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/new/x.sock", directory);
	(void)snprintf(group, sizeof(group), "%lu", (unsigned long)getgid());
	where = at(path);
	where.group = str_from_cstr(group);
	assert_int_equal(listener_open(&where, &l, NULL), ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, getgid());
	listener_unlink(&l);
	(void)close(l.fd);
	assert_int_not_equal(stat(path, &st), 0);
	(void)snprintf(path, sizeof(path), "%s/new", directory);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void
what_cannot_have_its_group_leaves_nothing_behind(void **state)
{
	char directory[] = "/tmp/rollcall-listener-XXXXXX", path[64];
	struct listener_at where;
	struct err e = ERR_INIT;
	struct listener l;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/x.sock", directory);
	where = at(path);
	where.group = STR("no group has this name");
	assert_int_equal(listener_open(&where, &l, &e), ERR_CONF);
	assert_string_equal(e.msg, "spoe.listen, its group: there is no group `no group has this name`");
	assert_int_not_equal(lstat(path, &st), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void
another_that_listens_keeps_its_place_even_if_it_is_busy(void **state)
{
	char directory[] = "/tmp/rollcall-listener-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct listener_at where;
	struct err e = ERR_INIT;
	struct listener l;
	int theirs, waiting[2];

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/x.sock", directory);
	where = at(address.sun_path);
	theirs = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(theirs, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(theirs, 0), 0);
	for (size_t i = 0; i < N_OF(waiting); i++)
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody accepts the first, and there is no room for a second. */
	assert_int_equal(connect(waiting[0], (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(connect(waiting[1], (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(listener_open(&where, &l, &e), ERR_REFUSED);
	assert_non_null(strstr(e.msg, "another rollcalld is listening on"));
	assert_int_equal(unlink(address.sun_path), 0);
	assert_int_equal(rmdir(directory), 0);
	for (size_t i = 0; i < N_OF(waiting); i++)
		(void)close(waiting[i]);
	(void)close(theirs);
}

/* In a user namespace without any group; that of PrivateUsers= has two.  What is said goes to `out`. */
static int
open_without_groups(const struct listener_at *where, int out)
{
	struct listener l;
	struct err e = ERR_INIT;

	if (unshare(CLONE_NEWUSER) != 0)
		return CANNOT;
	if (listener_open(where, &l, &e) != ERR_IO)
		return EXIT_FAILURE;
	return write(out, e.msg, strlen(e.msg)) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void
a_group_that_the_user_namespace_does_not_have_is_said(void **state)
{
	char directory[] = "/tmp/rollcall-listener-XXXXXX", path[64], said[512] = "";
	struct listener_at where;
	int pipes[2], status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/x.sock", directory);
	where = at(path);
	where.group = STR("1");
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0)
		_exit(open_without_groups(&where, pipes[1]));
	(void)close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(pipes[0], said, sizeof(said) - 1) >= 0);
	(void)close(pipes[0]);
	assert_int_equal(rmdir(directory), 0); /* no socket was left */
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip(); /* the kernel gives us no user namespace */
	assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
	assert_non_null(strstr(said, "to the group 1: there is no such group in this user namespace"));
	assert_null(strstr(said, "must be in it"));
}

/* Who may write to the directory must not choose whose mode we set. */
static void
a_link_in_the_place_of_the_socket_is_not_followed(void **state)
{
	char directory[] = "/tmp/rollcall-listener-XXXXXX", path[64], victim[64];
	struct listener_at where;
	struct listener l;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/x.sock", directory);
	(void)snprintf(victim, sizeof(victim), "%s/victim", directory);
	fd = open(victim, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	where = at(path);
	where.mode = 0666;
	planted = victim;
	assert_int_equal(listener_open(&where, &l, NULL), ERR_REFUSED);
	planted = NULL;
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(lstat(path, &st), 0); /* theirs: left alone */
	assert_int_equal(listener_open(&where, &l, NULL), ERR_CONF);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(victim), 0);
	assert_int_equal(rmdir(directory), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_address_is_read),
		cmocka_unit_test(what_is_no_address_is_refused_by_the_name_of_its_key),
		cmocka_unit_test(a_path_or_a_name_fits_into_its_address_or_is_refused),
		cmocka_unit_test(an_abstract_name_is_padded),
		cmocka_unit_test(a_tcp_port_can_be_bound_and_is_refused_while_it_is_taken),
		cmocka_unit_test(a_path_has_its_mode_and_a_numbered_group_and_goes_with_us),
		cmocka_unit_test(what_cannot_have_its_group_leaves_nothing_behind),
		cmocka_unit_test(another_that_listens_keeps_its_place_even_if_it_is_busy),
		cmocka_unit_test(a_group_that_the_user_namespace_does_not_have_is_said),
		cmocka_unit_test(a_link_in_the_place_of_the_socket_is_not_followed),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
