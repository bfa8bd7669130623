/* Timers, signals and the one reading of the clock, on the real loop. */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

struct room {
	struct loop *loop;
	struct loop_timer *timer, *other;
	struct loop_signal *signal;
	int fired, other_fired;
	int64_t at_ms[8];
};

static int64_t
now(const struct room *r)
{
	struct clk clk = loop_clk(r->loop);

	return clk_mono_ms(&clk);
}

static void
on_timer(void *arg)
{
	struct room *r = arg;

	r->at_ms[r->fired++ % 8] = now(r);
}

static void
on_other(void *arg)
{
	struct room *r = arg;

	r->other_fired++;
}

static void
open_room(struct room *r)
{
	assert_int_equal(loop_new(&r->loop, NULL), ERR_OK);
	assert_int_equal(loop_timer_new(r->loop, on_timer, r, &r->timer, NULL), ERR_OK);
	assert_int_equal(loop_timer_new(r->loop, on_other, r, &r->other, NULL), ERR_OK);
}

static void
close_room(struct room *r)
{
	loop_timer_close(r->timer);
	loop_timer_close(r->other);
	loop_run(r->loop);
	loop_free(r->loop);
}

static void
a_timer_fires_once_for_each_arming_and_not_early(void **state)
{
	struct room r = { .fired = 0 };
	int64_t begin;

	(void)state;
	open_room(&r);
	begin = now(&r);
	loop_timer_arm(r.timer, 20);
	loop_run(r.loop);
	assert_int_equal(r.fired, 1);
	assert_true(r.at_ms[0] >= begin + 20);
	loop_run(r.loop);
	assert_int_equal(r.fired, 1);
	loop_timer_arm(r.timer, -5);
	loop_run(r.loop);
	assert_int_equal(r.fired, 2);
	close_room(&r);
}

static void
arming_again_replaces_and_disarming_forgets(void **state)
{
	struct room r = { .fired = 0 };

	(void)state;
	open_room(&r);
	loop_timer_arm(r.timer, 3600000);
	loop_timer_arm(r.timer, 1);
	loop_timer_arm(r.other, 1);
	loop_timer_disarm(r.other);
	loop_timer_disarm(r.other);
	loop_run(r.loop);
	assert_int_equal(r.fired, 1);
	assert_int_equal(r.other_fired, 0);
	close_room(&r);
}

static void
a_closed_timer_never_fires(void **state)
{
	struct room r = { .fired = 0 };

	(void)state;
	open_room(&r);
	loop_timer_arm(r.timer, 0);
	close_room(&r);
	assert_int_equal(r.fired, 0);
	loop_timer_close(NULL);
}

static void
close_itself(void *arg)
{
	struct room *r = arg;

	r->fired++;
	loop_timer_close(r->timer);
}

static void
a_timer_may_close_itself(void **state)
{
	struct room r = { .fired = 0 };

	(void)state;
	assert_int_equal(loop_new(&r.loop, NULL), ERR_OK);
	assert_int_equal(loop_timer_new(r.loop, close_itself, &r, &r.timer, NULL), ERR_OK);
	loop_timer_arm(r.timer, 0);
	loop_run(r.loop);
	assert_int_equal(r.fired, 1);
	loop_free(r.loop);
}

static void
what_was_closed_last_needs_no_further_run(void **state)
{
	struct room r = { .fired = 0 };

	(void)state;
	open_room(&r);
	loop_timer_close(r.timer);
	loop_timer_close(r.other);
	loop_free(r.loop);
}

static void
read_twice(void *arg)
{
	struct room *r = arg;
	struct clk clk = loop_clk(r->loop);
	int64_t mono = clk_mono_ms(&clk), wall = clk_wall_ms(&clk);
	struct timespec wait = { .tv_nsec = 5000000 };

	(void)nanosleep(&wait, NULL); /* the time that passes must not show */
	assert_int_equal(clk_mono_ms(&clk), mono);
	assert_int_equal(clk_wall_ms(&clk), wall);
	assert_in_range(wall / 1000, time(NULL) - 2, time(NULL) + 2);
	r->at_ms[r->fired++] = wall;
}

static void
time_stands_still_within_one_wake_up(void **state)
{
	struct room r = { .fired = 0 };

	(void)state;
	assert_int_equal(loop_new(&r.loop, NULL), ERR_OK);
	assert_int_equal(loop_timer_new(r.loop, read_twice, &r, &r.timer, NULL), ERR_OK);
	loop_timer_arm(r.timer, 0);
	loop_run(r.loop);
	loop_timer_arm(r.timer, 2);
	loop_run(r.loop);
	assert_int_equal(r.fired, 2);
	assert_true(r.at_ms[1] - r.at_ms[0] >= 5); /* and goes on with the next */
	loop_timer_close(r.timer);
	loop_free(r.loop);
}

static void
on_signal(void *arg)
{
	struct room *r = arg;

	r->fired++;
	loop_signal_close(r->signal);
}

static void
a_signal_reaches_its_watcher(void **state)
{
	struct room r = { .fired = 0 };

	(void)state;
	assert_int_equal(loop_new(&r.loop, NULL), ERR_OK);
	assert_int_equal(loop_signal_new(r.loop, SIGUSR1, on_signal, &r, &r.signal, NULL), ERR_OK);
	assert_int_equal(raise(SIGUSR1), 0);
	loop_run(r.loop);
	assert_int_equal(r.fired, 1);
	loop_signal_close(NULL);
	loop_free(r.loop);
}

static void
a_signal_that_cannot_be_caught_is_an_error(void **state)
{
	struct room r = { .fired = 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(loop_new(&r.loop, NULL), ERR_OK);
	assert_int_equal(loop_signal_new(r.loop, SIGKILL, on_signal, &r, &r.signal, &e), ERR_IO);
	assert_string_equal(e.msg, "cannot watch a signal: invalid argument");
	loop_free(r.loop);
}

static void
leak_a_timer(void)
{
	struct room r = { .fired = 0 };

	open_room(&r);
	(void)close(STDERR_FILENO);
	loop_free(r.loop);
}

static void
a_handle_left_open_aborts(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		leak_a_timer();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_for_each_arming_and_not_early),
		cmocka_unit_test(arming_again_replaces_and_disarming_forgets),
		cmocka_unit_test(a_closed_timer_never_fires),
		cmocka_unit_test(a_timer_may_close_itself),
		cmocka_unit_test(what_was_closed_last_needs_no_further_run),
		cmocka_unit_test(time_stands_still_within_one_wake_up),
		cmocka_unit_test(a_signal_reaches_its_watcher),
		cmocka_unit_test(a_signal_that_cannot_be_caught_is_an_error),
		cmocka_unit_test(a_handle_left_open_aborts),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
