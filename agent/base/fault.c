/* A condition that lasts: see fault.h. */
#include "config.h"

#include "base/fault.h"

#include <string.h>

bool
fault_raise(struct fault *f, int64_t mono_ms, const struct err *e)
{
	bool same = f->on && f->err.code == e->code && strcmp(f->err.msg, e->msg) == 0;

	if (!f->on)
		*f = (struct fault){ .on = true, .since_ms = mono_ms };
	f->err = *e;
	f->count++;
	if (same && mono_ms - f->spoken_ms < FAULT_REMIND_MS)
		return false;
	f->spoken_ms = mono_ms;
	return true;
}

bool
fault_clear(struct fault *f)
{
	bool was_on = f->on;

	f->on = false;
	return was_on;
}
