/* How rollcalld fares: see app_meter.h. */
#include "config.h"

#include "app_meter.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS INT64_C(1000)
#define MINUTE  60 /* ticks */

struct app_meter {
	struct loop_timer *tick;
	int64_t due_ms;
	int64_t lags_ms[MINUTE];
	size_t at;
};

/* Not the loop's clock: that is read once for each time that it wakes up. */
static int64_t
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
arm(struct app_meter *m)
{
	m->due_ms = now_ms() + TICK_MS;
	loop_timer_arm(m->tick, TICK_MS);
}

static void
on_tick(void *arg)
{
	struct app_meter *m = arg;
	const int64_t late_ms = now_ms() - m->due_ms;

	m->at = (m->at + 1) % MINUTE;
	m->lags_ms[m->at] = late_ms > 0 ? late_ms : 0;
	arm(m);
}

enum err_code
app_meter_new(struct loop *l, struct app_meter **ret, struct err *e)
{
	struct app_meter *m = calloc(1, sizeof(*m));
	enum err_code code;

	if (m == NULL)
		return err_set(e, ERR_NOMEM, "the meter");
	code = loop_timer_new(l, on_tick, m, &m->tick, e);
	if (code != ERR_OK) {
		free(m);
		return code;
	}
	arm(m);
	*ret = m;
	return ERR_OK;
}

static size_t
read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, size - 1);
	(void)close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* proc(5): statm is size, resident and shared, in pages. */
static void
read_memory(struct control_process *ret)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t resident, shared;
	char text[128] = "";
	struct str rest = str_of(text, read_file("/proc/self/statm", text, sizeof(text))), word;

	/* NOLINTNEXTLINE(misc-redundant-expression): the second call has the second word */
	if (!str_next(&rest, ' ', &word) || !str_next(&rest, ' ', &word) || !str_to_u64(word, UINT32_MAX, &resident) ||
	    !str_next(&rest, ' ', &word) || !str_to_u64(word, UINT32_MAX, &shared))
		return;
	ret->resident_bytes = resident * page;
	ret->anonymous_bytes = resident > shared ? (resident - shared) * page : 0;
}

void
app_meter_read(struct app_meter *m, struct control_process *ret)
{
	ret->loop_lag_ms = m->lags_ms[m->at];
	ret->loop_lag_max_ms = 0;
	for (size_t i = 0; i < MINUTE; i++)
		if (m->lags_ms[i] > ret->loop_lag_max_ms)
			ret->loop_lag_max_ms = m->lags_ms[i];
	read_memory(ret);
}

void
app_meter_close(struct app_meter *m)
{
	if (m == NULL)
		return;
	loop_timer_close(m->tick);
	free(m);
}
