/*
 * Time as a dependency: nothing reads a clock that it was not handed.  The daemon's
 * comes from io/loop.h (one reading per wake-up), a test's is a number.
 *
 * Wall time decides, too, where it is written down or comes from elsewhere: until when a
 * hold, a pause or an ejection lasts, how old a roster is, how long a route stays.  It may
 * jump: who decides by it says what then happens.
 */
#ifndef BASE_CLK_H
#define BASE_CLK_H

#include <stdint.h>

struct clk {
	int64_t (*mono_ms)(void *arg); /* never goes back; for timeouts and backoff */
	int64_t (*wall_ms)(void *arg); /* Unix time: for signatures, what is shown, and what outlives a process */
	void *arg;
};

static inline int64_t
clk_mono_ms(const struct clk *c)
{
	return c->mono_ms(c->arg);
}

static inline int64_t
clk_wall_ms(const struct clk *c)
{
	return c->wall_ms(c->arg);
}

#endif
