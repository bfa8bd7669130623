/*
 * The loop: a thin coat over libuv, so that the rest of the agent sees timers and
 * signals as objects with one function each.
 *
 * Every object here owns one handle and is freed in that handle's close callback;
 * closing is all that its owner does.
 */
#include "config.h"

#include "io/loop.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <uv.h>

struct loop {
	uv_loop_t uv;
	bool wall_known;
	uint64_t wall_read_at; /* uv_now when wall_ms was read */
	int64_t wall_ms;
};

struct loop_timer {
	uv_timer_t uv;
	loop_fn *fn;
	void *arg;
};

struct loop_signal {
	uv_signal_t uv;
	loop_fn *fn;
	void *arg;
};

static enum err_code
set_uv_error(struct err *e, int status, const char *what)
{
	return err_set(e, status == UV_ENOMEM ? ERR_NOMEM : ERR_IO, "%s: %s", what, uv_strerror(status));
}

enum err_code
loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	int status;

	if (l == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the event loop");
	status = uv_loop_init(&l->uv);
	if (status != 0) {
		free(l);
		return set_uv_error(e, status, "cannot start the event loop");
	}
	*ret = l;
	return ERR_OK;
}

void
loop_run(struct loop *l)
{
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

static void
name_open_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	(void)fprintf(stderr, "loop_free: a %s handle is %s\n", uv_handle_type_name(uv_handle_get_type(handle)),
	    uv_is_closing(handle) ? "closing" : "open");
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	/* Handles closed after the last run still wait for their close callbacks. */
	(void)uv_run(&l->uv, UV_RUN_NOWAIT);
	if (uv_loop_close(&l->uv) != 0) {
		uv_walk(&l->uv, name_open_handle, NULL);
		abort();
	}
	free(l);
}

static int64_t
mono_ms(void *arg)
{
	struct loop *l = arg;

	return (int64_t)uv_now(&l->uv);
}

/* Read once for each value of uv_now, which libuv renews once per wake-up. */
static int64_t
wall_ms(void *arg)
{
	struct loop *l = arg;
	uint64_t now = uv_now(&l->uv);
	struct timespec ts;

	if (l->wall_known && l->wall_read_at == now)
		return l->wall_ms;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	l->wall_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	l->wall_read_at = now;
	l->wall_known = true;
	return l->wall_ms;
}

struct clk
loop_clk(struct loop *l)
{
	return (struct clk){ .mono_ms = mono_ms, .wall_ms = wall_ms, .arg = l };
}

void *
loop_uv(struct loop *l)
{
	return &l->uv;
}

static void
free_handle_data(uv_handle_t *handle)
{
	free(handle->data);
}

enum err_code
loop_timer_new(struct loop *l, loop_fn *fn, void *arg, struct loop_timer **ret, struct err *e)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a timer");
	(void)uv_timer_init(&l->uv, &t->uv); /* cannot fail */
	t->uv.data = t;
	t->fn = fn;
	t->arg = arg;
	*ret = t;
	return ERR_OK;
}

static void
on_timer(uv_timer_t *uv)
{
	struct loop_timer *t = uv->data;

	t->fn(t->arg);
}

void
loop_timer_arm(struct loop_timer *t, int64_t in_ms)
{
	/* Fails only for a closing timer, which nobody may still hold. */
	(void)uv_timer_start(&t->uv, on_timer, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

void
loop_timer_disarm(struct loop_timer *t)
{
	(void)uv_timer_stop(&t->uv);
}

void
loop_timer_close(struct loop_timer *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->uv, free_handle_data);
}

static void
on_signal(uv_signal_t *uv, int signum)
{
	struct loop_signal *s = uv->data;

	(void)signum;
	s->fn(s->arg);
}

enum err_code
loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *arg, struct loop_signal **ret, struct err *e)
{
	struct loop_signal *s = calloc(1, sizeof(*s));
	int status;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a signal handler");
	status = uv_signal_init(&l->uv, &s->uv);
	if (status != 0) {
		free(s); /* no handle yet */
		return set_uv_error(e, status, "cannot watch signals");
	}
	s->uv.data = s;
	s->fn = fn;
	s->arg = arg;
	status = uv_signal_start(&s->uv, on_signal, signum);
	if (status != 0) {
		loop_signal_close(s);
		return set_uv_error(e, status, "cannot watch a signal");
	}
	*ret = s;
	return ERR_OK;
}

void
loop_signal_close(struct loop_signal *s)
{
	if (s != NULL)
		uv_close((uv_handle_t *)&s->uv, free_handle_data);
}
