/* A condition that lasts: see fault.h. */
#include "config.h"

#include "base/fault.h"

#include <string.h>

static bool
has_digit(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] >= '0' && word[i] <= '9')
			return true;
	return false;
}

/* A position, a count or an id differs at every try: words with digits are as good
 * as each other. */
static bool
says_the_same(const char *a, const char *b)
{
	for (;;) {
		size_t n = strcspn(a, " "), m = strcspn(b, " ");
		bool equal = n == m && memcmp(a, b, n) == 0;

		if (!equal && !(has_digit(a, n) && has_digit(b, m)))
			return false;
		if (a[n] == '\0' || b[m] == '\0')
			return a[n] == b[m];
		a += n + 1;
		b += m + 1;
	}
}

bool
fault_raise(struct fault *f, int64_t mono_ms, const struct err *e)
{
	bool same = f->on && f->err.code == e->code && says_the_same(f->err.msg, e->msg);

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
