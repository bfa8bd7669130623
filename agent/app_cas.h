/*
 * The CA files of a configuration as long as the daemon runs: read at the start, and
 * again when one of them has changed.  Wiring of hap/hap_ca.h.
 */
#ifndef APP_CAS_H
#define APP_CAS_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "conf/conf.h"
#include "hap/hap_ca.h"

struct app_cas;

/* What cannot be read is logged, and no fault.  conf must outlive it. */
NODISCARD enum err_code app_cas_new(const struct conf *conf, struct app_cas **ret, struct err *e);
const struct hap_cas *app_cas_now(const struct app_cas *c);
/*
 * For after each plan that was made: looks at the files.  True: app_cas_now is another
 * value from here on.  The one before it lives until the next call, by which time no
 * plan may borrow from it any more.
 */
bool app_cas_refresh(struct app_cas *c);
void app_cas_free(struct app_cas *c); /* null is fine */

#endif
