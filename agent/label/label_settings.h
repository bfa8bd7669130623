/* What labels set of an endpoint and its servers, checked.  Pure. */
#ifndef LABEL_LABEL_SETTINGS_H
#define LABEL_LABEL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"

/* Which fields of policy.check somebody wrote. */
enum label_check_field {
	LABEL_CHECK_TYPE = 1,
	LABEL_CHECK_SERVICE = 2,
	LABEL_CHECK_PATH = 4,
	LABEL_CHECK_INTER = 8,
	LABEL_CHECK_TIMEOUT = 16
};

struct label_settings {
	struct conf_policy policy; /* only what policy.set names; of CHECK what check_set names */
	unsigned check_set;
	uint16_t port;      /* a container's port; 0: not said */
	struct str backend; /* empty: not said */
	bool has_retry, is_idempotent;
};

/* rollcall's keys, without `rollcall.`: "port", "check.inter". */
bool label_settings_knows(struct str key);
/* ERR_PARSE: what the value is not; the message is the end of a sentence that begins with the label.
 * key must be known. */
NODISCARD enum err_code label_settings_take(struct label_settings *s, struct str key, struct str value, struct err *e);
/* Traefik's durations are Go's, or whole seconds. */
NODISCARD enum err_code label_settings_take_seconds(
    struct label_settings *s, struct str key, struct str value, struct err *e);
/* Lays over *under what s says, but for the keys that `own` names (bits as in conf_policy.set). */
void label_settings_overlay(const struct label_settings *s, uint32_t own, struct conf_policy *under);

#endif
