/* The log on standard error: see app_log.h. */
#include "config.h"

#include "app_log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PIECE   4096 /* PIPE_BUF: a pipe that polls as writable takes this much without blocking */
#define WAIT_MS 20   /* for a reader that is behind */

int64_t
app_log_wall_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whoever reads our log at the other end of a pipe may be stuck, and a write would
 * then wait for it for ever. */
static bool
can_write(int wait_ms)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };
	int n;

	do
		n = poll(&fd, 1, wait_ms);
	while (n < 0 && errno == EINTR);
	return n > 0 && (fd.revents & POLLOUT) != 0;
}

/* A log that cannot be written must not stop the daemon: a lost line is let go. */
static bool
write_line(struct str line, int wait_ms)
{
	while (line.len > 0) {
		ssize_t n;

		if (!can_write(wait_ms))
			return false;
		n = write(STDERR_FILENO, line.ptr, line.len < PIECE ? line.len : PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		line = str_skip(line, (size_t)n);
	}
	return true;
}

static bool
write_record(const struct app_log *log, const struct log_record *r)
{
	struct buf line = buf_make((size_t)LOG_LINE_MAX * 8);
	bool written;

	log_format_line(log->format, app_log_wall_ms(), r, &line);
	/* Once it was waited for in vain: else each line would cost us the wait. */
	written = write_line(buf_str(&line), log->stuck ? 0 : WAIT_MS);
	buf_free(&line);
	return written;
}

static bool
tell_lost(const struct app_log *log)
{
	char text[100];
	struct log_record r = { .level = LOG_WARN, .room = "main" };

	(void)snprintf(text, sizeof(text), "%lu lines of this log were lost: nobody read it", log->lost);
	r.line = str_from_cstr(text);
	return write_record(log, &r);
}

static void
log_to_stderr(void *arg, const struct log_record *r)
{
	struct app_log *log = arg;

	if (log->lost > 0 && tell_lost(log))
		log->lost = 0;
	log->stuck = log->lost > 0 || !write_record(log, r);
	log->lost += log->stuck ? 1 : 0;
}

static enum log_format
choose_format(enum conf_log_format wanted)
{
	switch (wanted) {
	case CONF_LOG_TEXT:
		return LOG_TEXT;
	case CONF_LOG_JSON:
		return LOG_JSON;
	case CONF_LOG_AUTO:
		break;
	}
	return isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
}

void
app_log_open(struct app_log *log, enum conf_log_format format, enum log_level max)
{
	log->format = choose_format(format);
	log_open(log_to_stderr, log, max);
}

void
app_log_close(void)
{
	log_open(NULL, NULL, LOG_ERROR);
}
