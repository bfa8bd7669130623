/*
 * struct str: bytes somebody else owns.
 *
 * Passed by value; not NUL-terminated; valid as long as its owner says.  Every
 * function that takes one must work on bytes from the network.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

struct str {
	const char *ptr; /* may be null only when len is 0 */
	size_t len;
};

#define STR(lit)   ((struct str){ .ptr = "" lit, .len = sizeof(lit) - 1 })
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str
str_of(const void *ptr, size_t len)
{
	return (struct str){ .ptr = ptr, .len = len };
}

static inline struct str
str_from_cstr(const char *cstr)
{
	return (struct str){ .ptr = cstr, .len = cstr != NULL ? strlen(cstr) : 0 };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int str_cmp(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
struct str str_skip(struct str s, size_t n);  /* without its first n bytes; empty if it has fewer */
struct str str_first(struct str s, size_t n); /* its first n bytes, or all of it */
bool str_find(struct str s, char c, size_t *ret_at);
struct str str_after_last(struct str s, char c); /* all of s if c is not in it */
/* Splits *rest at the first sep; returns false once *rest is used up ("a,," has
 * three fields, "" has one, a null str none). */
bool str_next(struct str *rest, char sep, struct str *ret_field);
struct str str_trim(struct str s);
/* Whole-string decimal, no sign, no blanks; false leaves *ret alone. */
NODISCARD bool str_to_u64(struct str s, uint64_t max, uint64_t *ret);
/* 2 * n digits, in lower case; no NUL. */
void str_put_hex(const void *bytes, size_t n, char *ret);
bool str_is_printable(struct str s); /* ASCII 0x20..0x7e only */
/* Shell-like: * any run, ? any one byte, everything else itself; whole string. */
bool str_glob(struct str pattern, struct str s);

#endif
