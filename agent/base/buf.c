/* Growable bytes with a ceiling: see buf.h. */
#include "config.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

struct buf
buf_make(size_t limit)
{
	return (struct buf){ .limit = limit };
}

void
buf_free(struct buf *b)
{
	free(b->ptr);
	*b = buf_make(b->limit);
}

void
buf_wipe(struct buf *b)
{
	if (b->ptr != NULL)
		explicit_bzero(b->ptr, b->cap);
	buf_free(b);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = ERR_OK;
}

/*
 * Room for n more bytes.  Copies by hand instead of realloc, and wipes what it
 * leaves: a buffer may hold a secret, and realloc leaves the old bytes behind.
 */
static bool
reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap;
	uint8_t *bigger;

	if (b->failed != ERR_OK)
		return false;
	if (n > b->limit - b->len) {
		b->failed = ERR_LIMIT;
		return false;
	}
	if (n <= b->cap - b->len)
		return true;
	while (cap - b->len < n) {
		cap = cap == 0 ? FIRST_CAP : cap;
		cap = cap > b->limit / 2 ? b->limit : cap * 2;
	}
	bigger = malloc(cap);
	if (bigger == NULL) {
		b->failed = ERR_NOMEM;
		return false;
	}
	if (b->ptr != NULL) {
		memcpy(bigger, b->ptr, b->len);
		explicit_bzero(b->ptr, b->len);
		free(b->ptr);
	}
	b->ptr = bigger;
	b->cap = cap;
	return true;
}

void
buf_expect(struct buf *b, size_t n)
{
	const enum err_code before = b->failed;

	if (n <= b->limit - b->len)
		(void)reserve(b, n);
	b->failed = before;
}

void
buf_put_more(struct buf *b, struct str s)
{
	if (s.len == 0 || !reserve(b, s.len))
		return;
	memcpy(b->ptr + b->len, s.ptr, s.len);
	b->len += s.len;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	/* Mostly it fits, and need not be made twice. */
	size_t room = b->failed == ERR_OK ? b->cap - b->len : 0;
	va_list ap, again;
	int wanted;

	va_start(ap, fmt);
	va_copy(again, ap);
	wanted = vsnprintf(room > 0 ? (char *)b->ptr + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (wanted < 0) {
		b->failed = b->failed == ERR_OK ? ERR_ARG : b->failed;
		va_end(again);
		return;
	}
	/* vsnprintf ends with a NUL, for which there must be room, too. */
	if ((size_t)wanted < room) {
		b->len += (size_t)wanted;
	} else if (reserve(b, (size_t)wanted + 1)) {
		(void)vsnprintf((char *)b->ptr + b->len, (size_t)wanted + 1, fmt, again);
		b->len += (size_t)wanted;
	}
	va_end(again);
}

void
buf_drop_front(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->ptr, b->ptr + n, b->len - n);
	b->len -= n;
}

struct str
buf_str(const struct buf *b)
{
	return str_of(b->ptr, b->len);
}

enum err_code
buf_failed(const struct buf *b, struct err *e)
{
	if (b->failed == ERR_OK)
		return ERR_OK;
	return err_set(e, b->failed, "a buffer of at most %zu bytes: %s", b->limit, err_text(b->failed));
}
