/*
 * Text for people: cleaned of what a terminal would obey, measured in columns,
 * coloured where that was asked for; and times as one says them.  Pure.
 */
#ifndef CLI_CLI_TEXT_H
#define CLI_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* How to show things. */
struct cli_text_style {
	unsigned width; /* columns of the terminal; 0: it is none, cut nothing */
	bool colour;
	int64_t wall_ms; /* now; 0: ages are not shown */
};

enum cli_text_tone { CLI_TEXT_PLAIN, CLI_TEXT_GOOD, CLI_TEXT_WARN, CLI_TEXT_BAD, CLI_TEXT_FAINT, CLI_TEXT_TITLE };

/* Appends text; control characters, bytes that are no UTF-8, and what turns the
 * direction of writing become '?'. */
void cli_text_put(struct buf *out, struct str text);
void cli_text_put_toned(struct buf *out, const struct cli_text_style *style, enum cli_text_tone tone, struct str text);
/* Columns that text takes on a terminal, once it is clean. */
size_t cli_text_columns(struct str clean);
/* As much of clean as fits, with an ellipsis for the rest; *ret_columns: what it takes. */
void cli_text_put_cut(struct buf *out, struct str clean, size_t columns, size_t *ret_columns);

/* "250 ms", "1.2 s", "3 min 5 s", "2 h 3 min", "4 d 2 h" */
void cli_text_put_duration(struct buf *out, int64_t ms);
/* The same in one unit: "3 min". */
void cli_text_put_rough_duration(struct buf *out, int64_t ms);
/* "3 min 5 s ago", or the time itself if now is not known; "never" if text is no time. */
void cli_text_put_ago(struct buf *out, const struct cli_text_style *style, struct str time);
/* " for 3 min 5 s", or " since " and the time; nothing if text is no time. */
void cli_text_put_since(struct buf *out, const struct cli_text_style *style, struct str time);
/* "1 task", "2 tasks" */
void cli_text_put_count(struct buf *out, int64_t n, const char *noun);

#endif
