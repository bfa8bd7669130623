/*
 * JSON text, written straight into a buffer.
 *
 * No tree is built: an answer about 10,000 servers costs its own size and one
 * pass.  Text may hold any bytes: it comes out escaped, and what is not UTF-8 (or
 * is a NUL, which many readers refuse) becomes U+FFFD.  What fails is the buffer,
 * and it is asked once, at the end.
 *
 * `name` is the member's name, one of our own literals; null in an array and for
 * the outermost value.
 */
#ifndef CONTROL_CONTROL_JSON_H
#define CONTROL_CONTROL_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

#define CONTROL_JSON_FORMAT_MAX ((size_t)4096) /* of one formatted text; a longer one is cut */

struct control_json {
	struct buf *out;
	bool comma; /* a value stands before the next one */
};

struct control_json control_json_make(struct buf *out);
void control_json_object(struct control_json *w, const char *name);
void control_json_object_end(struct control_json *w);
void control_json_array(struct control_json *w, const char *name);
void control_json_array_end(struct control_json *w);
void control_json_text(struct control_json *w, const char *name, struct str text);
void control_json_word(struct control_json *w, const char *name, const char *word);
void control_json_format(struct control_json *w, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Both from outside. */
void control_json_pair(struct control_json *w, struct str name, struct str text);
void control_json_number(struct control_json *w, const char *name, int64_t value);
void control_json_bool(struct control_json *w, const char *name, bool value);
void control_json_null(struct control_json *w, const char *name);
void control_json_time(struct control_json *w, const char *name, int64_t wall_ms); /* 0: null */

#endif
