/* Sentences for the operator: see arena_say.h. */
#include "config.h"

#include "base/arena_say.h"

#include <stdarg.h>
#include <stdio.h>

static void
make_printable(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '?';
}

bool
arena_say(struct arena *a, struct str *ret, const char *fmt, ...)
{
	char text[ARENA_SAY_MAX + 1];
	va_list ap;
	int wanted;
	size_t n;

	va_start(ap, fmt);
	wanted = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (wanted < 0)
		return false;
	n = (size_t)wanted < sizeof(text) ? (size_t)wanted : sizeof(text) - 1;
	make_printable(text, n);
	return arena_str(a, str_of(text, n), ret);
}
