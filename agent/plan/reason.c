/* The words for why a task gets no traffic: see reason.h. */
#include "config.h"

#include "plan/reason.h"

const char *
reason_name(enum reason r)
{
	static const char *const names[] = {
#define X(name, text) [REASON_##name] = text,
		REASON_KINDS(X)
#undef X
	};

	return names[r];
}
