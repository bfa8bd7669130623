/* UTF-8, one character at a time (RFC 3629): what is well formed, and what is not. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>

#include "base/str.h"

/* Takes the first character off *s, which must not be empty.  False: the first
 * byte begins no well-formed character (overlong, surrogate, cut off, stray) and
 * just that byte was taken. */
bool utf8_take(struct str *s, struct str *ret_char);
/* U+0000..U+001F and U+007F..U+009F.  c: a character that utf8_take gave. */
bool utf8_is_control(struct str c);
bool utf8_is_valid(struct str s);

#endif
