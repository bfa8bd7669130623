/*
 * Errors as values.
 *
 * A fallible function returns enum err_code and, if the caller passed a
 * struct err, says why in one line.  The struct lives on the caller's stack and
 * never allocates, so reporting an error cannot itself fail.  Functions outside
 * main.c, app.c and the drivers return errors; they do not log them.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/cleanup.h"

/* name, is it worth retrying unchanged, text */
#define ERR_CODES(X)                         \
	X(OK, false, "ok")                   \
	X(NOMEM, true, "out of memory")      \
	X(LIMIT, false, "over a limit")      \
	X(ARG, false, "bad argument")        \
	X(CONF, false, "bad configuration")  \
	X(PARSE, false, "malformed input")   \
	X(IO, true, "input/output error")    \
	X(TIMEOUT, true, "timed out")        \
	X(CLOSED, true, "closed by peer")    \
	X(AUTH, false, "not authorised")     \
	X(THROTTLED, true, "throttled")      \
	X(REMOTE, true, "remote failure")    \
	X(REFUSED, false, "refused by peer") \
	X(CANCELLED, false, "cancelled")

enum err_code {
#define X(name, transient, text) ERR_##name,
	ERR_CODES(X)
#undef X
	/* must stay last */
	ERR_N_CODES
};

struct err {
	enum err_code code;
	int sys;       /* errno behind it, or 0 */
	char msg[200]; /* one line, NUL-terminated, no trailing newline */
};

#define ERR_INIT ((struct err){ .code = ERR_OK })

/*
 * Each fills *e, when e is not null, and has the value of its code, so callers
 * write "return err_set(e, ERR_PARSE, ...)".  They are macros over functions that
 * return nothing because the compiler and the analysers then see which code comes
 * back, and know that the caller's error branch is taken.
 */
#define err_set(e, code, ...)   (err_fill((e), (code), 0, __VA_ARGS__), (enum err_code)(code))
#define err_sys(e, errnum, ...) (err_fill((e), ERR_IO, (errnum), __VA_ARGS__), (enum err_code)ERR_IO)
/* Says what the caller was doing: "list tasks of web: status 400".  code is a value
 * at hand, not the call that sets *e: the two are not ordered. */
#define err_wrap(e, code, ...) (err_prefix((e), __VA_ARGS__), (enum err_code)(code))

void err_fill(struct err *e, enum err_code code, int errnum, const char *fmt, ...) PRINTF_LIKE(4, 5);
void err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *err_name(enum err_code code); /* "THROTTLED" */
const char *err_text(enum err_code code); /* "throttled" */
bool err_is_transient(enum err_code code);

#endif
