/*
 * The loop: the only header that shows libuv to the rest of the agent, and only
 * to rooms that own handles.
 *
 * One loop, one thread, made by main and passed down.  Whoever opens a handle
 * closes it, and frees the memory around it only in that handle's close callback.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdint.h>

#include "base/clk.h"
#include "base/err.h"

struct loop;       /* wraps uv_loop_t */
struct loop_timer; /* one-shot; re-armed by hand */
struct loop_signal;

typedef void loop_fn(void *arg);

NODISCARD enum err_code loop_new(struct loop **ret, struct err *e);
void loop_run(struct loop *l); /* until nothing is active: no armed timer, no signal, no socket, no closing handle */
/* Aborts if a handle is still open: a leak of a handle is a bug, not an event. */
void loop_free(struct loop *l);
/* One reading per wake-up. */
struct clk loop_clk(struct loop *l);
/* The uv_loop_t, for the drivers that own handles of their own kinds. */
void *loop_uv(struct loop *l);

NODISCARD enum err_code loop_timer_new(struct loop *l, loop_fn *fn, void *arg, struct loop_timer **ret, struct err *e);
void loop_timer_arm(struct loop_timer *t, int64_t in_ms); /* again: replaces */
void loop_timer_disarm(struct loop_timer *t);
void loop_timer_close(struct loop_timer *t); /* null is fine; fn is never called after */

NODISCARD enum err_code loop_signal_new(
    struct loop *l, int signum, loop_fn *fn, void *arg, struct loop_signal **ret, struct err *e);
void loop_signal_close(struct loop_signal *s); /* null is fine */

#endif
