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

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

struct buf {
	uint8_t *ptr;
	size_t len, cap;
	size_t limit; /* cap never exceeds it */
	enum err_code failed;
};

struct buf buf_make(size_t limit); /* owns nothing until the first append */
void buf_free(struct buf *b);      /* leaves it empty and usable */
void buf_wipe(struct buf *b);      /* buf_free for secrets */
void buf_reset(struct buf *b);     /* len = 0, keeps the memory */
void buf_put(struct buf *b, struct str s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(struct buf *b, size_t n);
struct str buf_str(const struct buf *b); /* borrows; dies at the next append */
NODISCARD enum err_code buf_failed(const struct buf *b, struct err *e);

#endif
