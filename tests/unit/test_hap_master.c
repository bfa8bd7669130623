/*
 * A reload through HAProxy's master socket: what each version answers (recorded from
 * 2.6.12, 3.0.11 and 3.4.7), and the driver against a master that a thread plays on a
 * unix socket: one that loads, refuses, executes itself anew, hangs, or is none.
 */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

#include "hap/hap_master.h"
#include "hap/hap_master_text.h"
#include "io/loop.h"

#define PROC(reloads, failed)                                                                                   \
	"#<PID>          <type>          <reloads>       <uptime>        <version>      \n"                     \
	"10774           master          " reloads " [failed: " failed "]   0d00h00m07s     2.6.12-1+deb12u4\n" \
	"# workers\n10785           worker          1               0d00h00m01s     2.6.12-1+deb12u4\n"         \
	"# programs\n\n"
#define LOADED                                                                                         \
	"Success=1\n--\n[NOTICE]   (10792) : New worker (10797) forked\n[NOTICE]   (10792) : Loading " \
	"success.\n\n"
#define REFUSED                                                                             \
	"Success=0\n--\n[NOTICE]   (10823) : haproxy version is 3.4.7-1\n"                  \
	"[ALERT]    (10823) : config : [/b.cfg:7] : 'server m1/x' : unknown keyword 'y'.\n" \
	"[ALERT]    (10823) : config : Fatal errors found in configuration.\n"              \
	"[WARNING]  (10823) : Loading failure!\n\n"

/* ---- the texts ---- */

static void
the_count_of_reloads_is_read_from_show_proc(void **state)
{
	struct hap_master_proc p;

	(void)state;
	assert_true(hap_master_text_proc(STR(PROC("4", "1")), &p));
	assert_int_equal(p.reloads, 4);
	assert_int_equal(p.failed, 1);
	assert_true(hap_master_text_proc(STR("master> " PROC("0", "0")), &p));
}

static void
anything_else_is_no_answer_to_show_proc(void **state)
{
	static const char *const texts[] = { "", "\n", "Unknown command", "1 master", "1 master 4 [failed: x] 1 2",
		"1 master -4 [failed: 1] 1 2", "1 worker 4 [failed: 1] 1 2", "1 master 4 [failed: 1",
		"1 master 4 failed: 1]", "1 master 99999999999999999999 [failed: 1] 1 2" };
	struct hap_master_proc p;

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++)
		CHECK_ROW(!hap_master_text_proc(str_from_cstr(texts[i]), &p), i, texts[i]);
}

static void
the_verdict_has_haproxys_words(void **state)
{
	static const struct {
		const char *reply;
		enum hap_master_verdict verdict;
		const char *words;
	} cases[] = {
		{ LOADED, HAP_MASTER_LOADED, "" },
		{ "master> " LOADED, HAP_MASTER_LOADED, "" },
		{ REFUSED, HAP_MASTER_FAILED, "[/b.cfg:7] : 'server m1/x' : unknown keyword 'y'." },
		{ "Success=0\n--\n", HAP_MASTER_FAILED, "does not say why" },
		{ "Success=0\n--\n[WARNING]  (1) : Loading failure!\n", HAP_MASTER_FAILED, "Loading failure!" },
		{ "Success=0\n--\n[ALERT] (1) : a\tb\x1b[31m\xff\n", HAP_MASTER_FAILED, "a?b?[31m?" },
		{ "", HAP_MASTER_SILENT, "" },
		{ "master> ", HAP_MASTER_SILENT, "" },
		{ "Permission denied\n\n", HAP_MASTER_STRANGE, "`Permission denied`" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct err e = ERR_INIT;

		CHECK_ROW(
		    hap_master_text_reload(str_from_cstr(cases[i].reply), &e) == cases[i].verdict, i, cases[i].reply);
		CHECK_ROW(strstr(e.msg, cases[i].words) != NULL, i, e.msg);
	}
}

static void
a_long_reason_is_cut(void **state)
{
	char reply[5000] = "Success=0\n--\n[ALERT]    (1) : config : ";
	struct err e = ERR_INIT;

	(void)state;
	memset(reply + strlen(reply), 'a', sizeof(reply) - strlen(reply) - 1);
	assert_int_equal(hap_master_text_reload(str_from_cstr(reply), &e), HAP_MASTER_FAILED);
	assert_in_range(strlen(e.msg), 100, 199);
}

/* ---- the driver ---- */

/* What each connection in turn is answered; null: hung up on at once; "hang": not at all. */
struct master {
	int fd;
	char path[108];
	pthread_t thread;
	const char *const *answers;
	size_t n;
	char heard[400];
};

static void
answer(struct master *m, int fd, const char *text)
{
	size_t len = strlen(m->heard);
	ssize_t n;

	do { /* a line may come in pieces */
		n = read(fd, m->heard + len, sizeof(m->heard) - len - 1);
		len += n > 0 ? (size_t)n : 0;
		m->heard[len] = '\0';
	} while (n > 0 && m->heard[len - 1] != '\n');
	if (strcmp(text, "hang") == 0)
		(void)poll(&(struct pollfd){ .fd = fd }, 1, 5000); /* until the other side hangs up */
	else
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void *
play(void *arg)
{
	struct master *m = arg;

	for (size_t i = 0; i < m->n; i++) {
		int fd = accept(m->fd, NULL, NULL);

		if (fd < 0)
			break;
		if (m->answers[i] != NULL)
			answer(m, fd, m->answers[i]);
		(void)close(fd);
	}
	(void)close(m->fd);
	return NULL;
}

static struct master
begin(const char *const *answers, size_t n)
{
	struct master m = { .answers = answers, .n = n };
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	(void)snprintf(m.path, sizeof(m.path), "/tmp/rc-master-%ld", (long)getpid());
	(void)unlink(m.path);
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", m.path);
	m.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(m.fd >= 0 && bind(m.fd, (struct sockaddr *)&to, sizeof(to)) == 0 && listen(m.fd, 8) == 0);
	return m;
}

struct outcome {
	unsigned calls;
	struct err err;
	struct hap_master *to_close; /* within the callback; null: not */
};

static void
on_done(void *arg, const struct err *e)
{
	struct outcome *o = arg;

	o->calls++;
	o->err = *e;
	hap_master_close(o->to_close);
}

static const struct hap_master_limits quick = {
	.connect_timeout_ms = 1000, .reload_timeout_ms = 400, .poll_ms = 5, .max_reply = 4096
};

/* Runs one reload against these answers. */
static struct outcome
reload(const char *const *answers, size_t n, char *ret_heard)
{
	struct master m = begin(answers, n);
	struct outcome o = { 0 };
	struct loop *l = NULL;
	struct hap_master *master = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(pthread_create(&m.thread, NULL, play, &m), 0);
	assert_int_equal(loop_new(&l, &e), ERR_OK);
	assert_int_equal(hap_master_new(l, str_from_cstr(m.path), &quick, &master, &e), ERR_OK);
	o.to_close = master;
	assert_int_equal(hap_master_reload(master, on_done, &o, &e), ERR_OK);
	assert_int_equal(hap_master_reload(master, on_done, &o, &e), ERR_LIMIT);
	loop_run(l);
	loop_free(l);
	(void)shutdown(m.fd, SHUT_RDWR);
	(void)pthread_join(m.thread, NULL);
	(void)unlink(m.path);
	assert_int_equal(o.calls, 1);
	if (ret_heard != NULL)
		(void)snprintf(ret_heard, sizeof(m.heard), "%s", m.heard);
	return o;
}

static void
a_reload_that_is_answered_is_over(void **state)
{
	static const char *const answers[] = { PROC("0", "0"), LOADED };
	char heard[400];

	(void)state;
	assert_int_equal(reload(answers, 2, heard).err.code, ERR_OK);
	assert_string_equal(heard, "show proc\nreload\n");
}

static void
a_refusal_says_why(void **state)
{
	static const char *const answers[] = { PROC("0", "0"), REFUSED };
	struct outcome o;

	(void)state;
	o = reload(answers, 2, NULL);
	assert_int_equal(o.err.code, ERR_REFUSED);
	assert_non_null(strstr(o.err.msg, "unknown keyword"));
}

static void
on_2_6_the_count_tells_once_the_master_is_back(void **state)
{
	static const char *const well[] = { PROC("3", "0"), "", NULL, NULL, PROC("3", "0"), "", PROC("4", "0") };
	static const char *const ill[] = { PROC("3", "0"), "", NULL, PROC("4", "1") };

	(void)state;
	assert_int_equal(reload(well, N_OF(well), NULL).err.code, ERR_OK);
	assert_int_equal(reload(ill, N_OF(ill), NULL).err.code, ERR_REFUSED);
}

static void
a_count_that_never_grows_ends_with_the_time(void **state)
{
	static const char *const answers[] = { PROC("3", "0"), "", PROC("3", "0") };

	(void)state;
	assert_int_equal(reload(answers, N_OF(answers), NULL).err.code, ERR_TIMEOUT);
}

static void
a_master_that_hangs_ends_with_the_time(void **state)
{
	static const char *const before[] = { "hang" };
	static const char *const then[] = { PROC("3", "0"), "hang" };

	(void)state;
	assert_int_equal(reload(before, 1, NULL).err.code, ERR_TIMEOUT);
	assert_int_equal(reload(then, 2, NULL).err.code, ERR_TIMEOUT);
}

static void
a_socket_that_is_no_masters_is_never_told_to_reload(void **state)
{
	static const char *const answers[] = { "Unknown command: 'show proc'\n\n", LOADED };
	char heard[400];
	struct outcome o;

	(void)state;
	o = reload(answers, 2, heard);
	assert_int_equal(o.err.code, ERR_CONF);
	assert_string_equal(heard, "show proc\n");
}

static void
too_many_words_are_too_many(void **state)
{
	static char flood[8000];
	const char *const answers[] = { flood };

	(void)state;
	memset(flood, 'a', sizeof(flood) - 1);
	assert_int_equal(reload(answers, 1, NULL).err.code, ERR_LIMIT);
}

static void
nobody_there_is_said_with_what_to_look_at(void **state)
{
	struct outcome o = { 0 };
	struct loop *l = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(loop_new(&l, &e), ERR_OK);
	assert_int_equal(hap_master_new(l, STR("/nowhere/master.sock"), &quick, &o.to_close, &e), ERR_OK);
	assert_int_equal(hap_master_reload(o.to_close, on_done, &o, &e), ERR_OK);
	loop_run(l);
	loop_free(l);
	assert_int_equal(o.err.code, ERR_IO);
	assert_non_null(strstr(o.err.msg, "-W -S"));
}

static void
an_address_is_a_path_or_a_number_and_a_port(void **state)
{
	static const char *const good[] = { "/run/m.sock", "127.0.0.1:9999", "[::1]:9999", "localhost:1" };
	static const char long_path[] =
	    "/a/path/that/is/longer/than/a/unix/socket/path/may/be/which/is/one/hundred/and/seven/characters/and/"
	    "not/one/more";
	const char *const bad[] = { "", "m.sock", "example.com:99", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
		long_path };
	struct loop *l = NULL;
	struct hap_master *m = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(loop_new(&l, &e), ERR_OK);
	for (size_t i = 0; i < N_OF(good); i++) {
		CHECK_ROW(hap_master_new(l, str_from_cstr(good[i]), &quick, &m, &e) == ERR_OK, i, good[i]);
		hap_master_close(m);
	}
	for (size_t i = 0; i < N_OF(bad); i++)
		CHECK_ROW(hap_master_new(l, str_from_cstr(bad[i]), &quick, &m, &e) == ERR_CONF, i, bad[i]);
	hap_master_close(NULL);
	loop_run(l);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_of_reloads_is_read_from_show_proc),
		cmocka_unit_test(anything_else_is_no_answer_to_show_proc),
		cmocka_unit_test(the_verdict_has_haproxys_words),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(a_reload_that_is_answered_is_over),
		cmocka_unit_test(a_refusal_says_why),
		cmocka_unit_test(on_2_6_the_count_tells_once_the_master_is_back),
		cmocka_unit_test(a_count_that_never_grows_ends_with_the_time),
		cmocka_unit_test(a_master_that_hangs_ends_with_the_time),
		cmocka_unit_test(a_socket_that_is_no_masters_is_never_told_to_reload),
		cmocka_unit_test(too_many_words_are_too_many),
		cmocka_unit_test(nobody_there_is_said_with_what_to_look_at),
		cmocka_unit_test(an_address_is_a_path_or_a_number_and_a_port),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as rollcalld has it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
