/* Errors as values: see err.h. */
#include "config.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As much of ": " and text as there is room for after the first `at` bytes. */
static void
append(struct err *e, size_t at, const char *text)
{
	const char *const parts[] = { ": ", text };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strnlen(parts[i], sizeof(e->msg) - 1 - at);

		memcpy(e->msg + at, parts[i], n);
		at += n;
	}
	e->msg[at] = '\0';
}

/* What snprintf says it wanted to write, cut to what is there. */
static size_t
written(int wanted, size_t room)
{
	if (wanted < 0)
		return 0;
	return (size_t)wanted < room ? (size_t)wanted : room - 1;
}

void
err_fill(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
{
	char text[80];
	va_list ap;
	size_t len;

	if (e == NULL)
		return;
	e->code = code;
	e->sys = errnum;
	va_start(ap, fmt);
	len = written(vsnprintf(e->msg, sizeof(e->msg), fmt, ap), sizeof(e->msg));
	va_end(ap);
	/* The GNU form: thread-safe, and may return a constant instead of text. */
	if (errnum != 0)
		append(e, len, strerror_r(errnum, text, sizeof(text)));
}

void
err_prefix(struct err *e, const char *fmt, ...)
{
	char was[sizeof(e->msg)];
	va_list ap;
	size_t len;

	if (e == NULL)
		return;
	memcpy(was, e->msg, sizeof(was));
	va_start(ap, fmt);
	len = written(vsnprintf(e->msg, sizeof(e->msg), fmt, ap), sizeof(e->msg));
	va_end(ap);
	append(e, len, was);
}

const char *
err_name(enum err_code code)
{
	static const char *const names[ERR_N_CODES] = {
#define X(name, transient, text) [ERR_##name] = #name,
		ERR_CODES(X)
#undef X
	};

	return names[code];
}

const char *
err_text(enum err_code code)
{
	static const char *const texts[ERR_N_CODES] = {
#define X(name, transient, text) [ERR_##name] = (text),
		ERR_CODES(X)
#undef X
	};

	return texts[code];
}

bool
err_is_transient(enum err_code code)
{
	static const bool transient_codes[ERR_N_CODES] = {
#define X(name, transient, text) [ERR_##name] = (transient),
		ERR_CODES(X)
#undef X
	};

	return transient_codes[code];
}
