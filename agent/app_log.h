/*
 * The log on standard error.  Whoever reads it may be slow or stuck: that costs
 * lines, which are counted and told, and never holds up the loop.
 */
#ifndef APP_LOG_H
#define APP_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "conf/conf.h"

struct app_log {
	enum log_format format;
	bool stuck; /* the last line found no reader */
	unsigned long lost;
};

/* log is zeroed, and must live until app_log_close. */
void app_log_open(struct app_log *log, enum conf_log_format format, enum log_level max);
void app_log_close(void);
int64_t app_log_wall_ms(void); /* Unix time now, for what happens outside the loop */

#endif
