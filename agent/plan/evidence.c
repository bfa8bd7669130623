/* The words for evidence, and what each is worth: see evidence.h. */
#include "config.h"

#include "plan/evidence.h"

const char *
evidence_name(enum evidence ev)
{
	static const char *const names[] = {
#define X(name, text, proven) [EVIDENCE_##name] = text,
		EVIDENCE_KINDS(X)
#undef X
	};

	return names[ev];
}

bool
evidence_is_proven(enum evidence ev)
{
	static const bool is_proven[] = {
#define X(name, text, proven) [EVIDENCE_##name] = proven,
		EVIDENCE_KINDS(X)
#undef X
	};

	return is_proven[ev];
}

bool
evidence_is_reported(enum evidence ev)
{
	return ev == EVIDENCE_MISSING || ev == EVIDENCE_UNEXPOSED;
}
