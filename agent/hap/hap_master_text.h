/* What HAProxy's master process answers, as values.  Pure; any bytes. */
#ifndef HAP_HAP_MASTER_TEXT_H
#define HAP_HAP_MASTER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct hap_master_proc {
	uint64_t reloads; /* since it was started, failed ones, too */
	uint64_t failed;  /* in a row, up to now */
};

/* The answer to `show proc`; false: it is none. */
bool hap_master_text_proc(struct str reply, struct hap_master_proc *ret);

enum hap_master_verdict {
	HAP_MASTER_LOADED,
	HAP_MASTER_FAILED, /* e has the reason, in HAProxy's words */
	HAP_MASTER_SILENT, /* 2.6: nothing was said */
	HAP_MASTER_STRANGE /* e has what it says instead */
};

/* The answer to `reload`. */
enum hap_master_verdict hap_master_text_reload(struct str reply, struct err *e);

#endif
