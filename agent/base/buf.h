/*
 * struct buf: a growable byte buffer with a ceiling.
 *
 * The ceiling is given when the buffer is made and there is no way to make one
 * without it: whoever adds a buffer has decided how large a peer may make it.
 * A failed append leaves the contents as they were and poisons the buffer, so a
 * run of appends may be checked once, at the end, with buf_failed().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

struct buf {
	uint8_t *ptr;
	size_t len, cap;
	size_t limit; /* cap never exceeds it */
	enum err_code failed;
};

struct buf buf_make(size_t limit);              /* owns nothing until the first append */
void buf_free(struct buf *b);                   /* leaves it empty and usable */
void buf_wipe(struct buf *b);                   /* buf_free for secrets */
void buf_reset(struct buf *b);                  /* len = 0, keeps the memory */
void buf_expect(struct buf *b, size_t n);       /* so much more will come, likely; never fails, nor does it promise */
void buf_put_more(struct buf *b, struct str s); /* as buf_put, whether there is room yet or not */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(struct buf *b, size_t n);
struct str buf_str(const struct buf *b); /* borrows; dies at the next append */
NODISCARD enum err_code buf_failed(const struct buf *b, struct err *e);

/* Here, for most texts are put together of many small pieces. */
static inline void
buf_put(struct buf *b, struct str s)
{
	if (b->failed != ERR_OK || s.len == 0 || s.len > b->cap - b->len) {
		buf_put_more(b, s);
		return;
	}
	memcpy(b->ptr + b->len, s.ptr, s.len);
	b->len += s.len;
}

static inline void
buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, str_of(&v, 1));
}

#endif
