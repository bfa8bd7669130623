/*
 * HAProxy's master socket: a reload, and how it ended.
 *
 * From 3.0 on `reload` is answered once the new worker has loaded, with what it
 * said.  2.6 closes the connection at once, refuses others while it executes
 * itself anew, and tells only by `show proc` that a reload has failed (facts/haproxy.md,
 * section 6): so the count of reloads is read before, and waited for after.
 *
 * The contract is io/http.h's: an error means no callback; otherwise exactly one,
 * later, from the loop.  One reload at a time.
 */
#ifndef HAP_HAP_MASTER_H
#define HAP_HAP_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct loop;
struct hap_master;

struct hap_master_limits {
	int64_t connect_timeout_ms;
	int64_t reload_timeout_ms; /* from the first byte to the verdict: a large configuration takes its time */
	int64_t poll_ms;           /* between looks at `show proc`, on 2.6 */
	size_t max_reply;
};

extern const struct hap_master_limits hap_master_default_limits;

/*
 * code OK: a new worker runs on the files as they were read.  REFUSED: HAProxy read them, or
 * tried to, and the old worker stays; the message has HAProxy's words, printable.
 * Anything else: not known whether it was reloaded.
 */
typedef void hap_master_done_fn(void *arg, const struct err *e);

/* address: as for hap_link_socket_new.  Nothing is connected yet. */
NODISCARD enum err_code hap_master_new(
    struct loop *l, struct str address, const struct hap_master_limits *limits, struct hap_master **ret, struct err *e);
NODISCARD enum err_code hap_master_reload(struct hap_master *m, hap_master_done_fn *done, void *arg, struct err *e);
void hap_master_close(struct hap_master *m); /* no callback comes after; null is fine; fine inside a callback */

#endif
