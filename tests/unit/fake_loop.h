/*
 * io/loop.h with a time of its own: link fake_loop.c instead of io/loop.c, and what
 * waits for minutes is tested in microseconds, the same way each time.  Sockets are real:
 * turn loop_uv's with uv_run for them.
 */
#ifndef FAKE_LOOP_H
#define FAKE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/loop.h"

#define FAKE_LOOP_WALL_MS INT64_C(1795401646000) /* when it begins: 2026-11-23T02:40:46Z */

/* Runs what is due within the next in_ms, and stops there. */
void fake_loop_pass(struct loop *l, int64_t in_ms);
/* Goes to the next armed timer and runs it; false: none is armed. */
bool fake_loop_step(struct loop *l);
void fake_loop_shift_wall(struct loop *l, int64_t by_ms); /* somebody sets the clock */

#endif
