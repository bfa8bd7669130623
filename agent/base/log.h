/*
 * Logging: one line per event; what failed, what it means, what happens next.
 *
 * The only process-wide state in the agent is the sink and level below.  Rooms
 * that are pure do not log; drivers and the wiring do.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define LOG_LINE_MAX 2048 /* longer ones are cut */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_record {
	enum log_level level;
	const char *room; /* "ecs", "hap" ... */
	struct str line;  /* may hold bytes from outside: a sink must escape it */
};

typedef void log_sink_fn(void *arg, const struct log_record *r);

/* Until the first call nothing is logged.  A null sink stops logging. */
void log_open(log_sink_fn *sink, void *arg, enum log_level max);
void log_set_level(enum log_level max);
void log_at(enum log_level level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(room, ...) log_at(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...)  log_at(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...)  log_at(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_at(LOG_DEBUG, room, __VA_ARGS__)

const char *log_level_name(enum log_level level);
bool log_level_parse(struct str name, enum log_level *ret);
/* One record as one line with its newline; control bytes and bytes that are not
 * UTF-8 are escaped (JSON) or shown as '?' (text). */
void log_format_line(enum log_format format, int64_t wall_ms, const struct log_record *r, struct buf *out);

#endif
