/* Timers in virtual time, and libuv's loop for who has sockets: see fake_loop.h.  Signals
 * never come. */
#include "config.h"

#include "fake_loop.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#define TIMERS_MAX 64

struct loop_timer {
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	bool armed;
	int64_t due_ms;
	uint64_t order; /* of arming: the first armed of one time is the first to run */
};

struct loop_signal {
	struct loop *loop;
};

struct loop {
	int64_t now_ms, wall_offset_ms;
	uint64_t order;
	struct loop_timer *timers[TIMERS_MAX];
	int n_signals;
	uv_loop_t uv;
	bool has_uv;
};

enum err_code
loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a fake loop");
	l->now_ms = 1000;
	l->wall_offset_ms = FAKE_LOOP_WALL_MS - l->now_ms;
	*ret = l;
	return ERR_OK;
}

static struct loop_timer *
next_timer(const struct loop *l)
{
	struct loop_timer *next = NULL;

	for (int i = 0; i < TIMERS_MAX; i++) {
		struct loop_timer *t = l->timers[i];

		if (t == NULL || !t->armed)
			continue;
		if (next == NULL || t->due_ms < next->due_ms || (t->due_ms == next->due_ms && t->order < next->order))
			next = t;
	}
	return next;
}

static void
fire(struct loop *l, struct loop_timer *t)
{
	if (t->due_ms > l->now_ms)
		l->now_ms = t->due_ms;
	t->armed = false;
	t->fn(t->arg);
}

bool
fake_loop_step(struct loop *l)
{
	struct loop_timer *t = next_timer(l);

	if (t != NULL)
		fire(l, t);
	return t != NULL;
}

void
fake_loop_pass(struct loop *l, int64_t in_ms)
{
	int64_t end_ms = l->now_ms + in_ms;
	struct loop_timer *t;

	while ((t = next_timer(l)) != NULL && t->due_ms <= end_ms)
		fire(l, t);
	l->now_ms = end_ms;
}

void
fake_loop_shift_wall(struct loop *l, int64_t by_ms)
{
	l->wall_offset_ms += by_ms;
}

void
loop_run(struct loop *l)
{
	while (fake_loop_step(l))
		;
	if (l->has_uv)
		(void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	for (int i = 0; i < TIMERS_MAX; i++)
		if (l->timers[i] != NULL)
			abort();
	if (l->n_signals != 0)
		abort();
	if (l->has_uv && uv_loop_close(&l->uv) != 0)
		abort();
	free(l);
}

static int64_t
mono_ms(void *arg)
{
	const struct loop *l = arg;

	return l->now_ms;
}

static int64_t
wall_ms(void *arg)
{
	const struct loop *l = arg;

	return l->now_ms + l->wall_offset_ms;
}

struct clk
loop_clk(struct loop *l)
{
	return (struct clk){ .mono_ms = mono_ms, .wall_ms = wall_ms, .arg = l };
}

/* Made for who asks: most do not. */
void *
loop_uv(struct loop *l)
{
	if (!l->has_uv && uv_loop_init(&l->uv) != 0)
		abort();
	l->has_uv = true;
	return &l->uv;
}

enum err_code
loop_timer_new(struct loop *l, loop_fn *fn, void *arg, struct loop_timer **ret, struct err *e)
{
	for (int i = 0; i < TIMERS_MAX; i++) {
		if (l->timers[i] != NULL)
			continue;
		l->timers[i] = calloc(1, sizeof(*l->timers[i]));
		if (l->timers[i] == NULL)
			return err_set(e, ERR_NOMEM, "no memory for a fake timer");
		*l->timers[i] = (struct loop_timer){ .loop = l, .fn = fn, .arg = arg };
		*ret = l->timers[i];
		return ERR_OK;
	}
	return err_set(e, ERR_LIMIT, "more than %d fake timers", TIMERS_MAX);
}

void
loop_timer_arm(struct loop_timer *t, int64_t in_ms)
{
	t->armed = true;
	t->due_ms = t->loop->now_ms + (in_ms > 0 ? in_ms : 0);
	t->order = ++t->loop->order;
}

void
loop_timer_disarm(struct loop_timer *t)
{
	t->armed = false;
}

void
loop_timer_close(struct loop_timer *t)
{
	if (t == NULL)
		return;
	for (int i = 0; i < TIMERS_MAX; i++)
		if (t->loop->timers[i] == t)
			t->loop->timers[i] = NULL;
	free(t);
}

enum err_code
loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *arg, struct loop_signal **ret, struct err *e)
{
	struct loop_signal *s = calloc(1, sizeof(*s));

	(void)signum;
	(void)fn;
	(void)arg;
	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a fake signal");
	s->loop = l;
	l->n_signals++;
	*ret = s;
	return ERR_OK;
}

void
loop_signal_close(struct loop_signal *s)
{
	if (s == NULL)
		return;
	s->loop->n_signals--;
	free(s);
}
