/* `rollcalld --init`: what HAProxy needs to find before it can start. */
#ifndef APP_INIT_H
#define APP_INIT_H

#include "base/err.h"
#include "conf/conf.h"

/* Makes managed.dir, its map files and backends.cfg where they are missing; overwrites
 * nothing; prints what it made.  The first failure ends it. */
NODISCARD enum err_code app_init(const struct conf *conf, struct err *e);

#endif
