/*
 * Prometheus's text format, written straight into a buffer.  Pure.
 *
 *	control_metric_family(out, "rollcall_holds", "gauge", "Servers that an operator holds.");
 *	control_metric_whole(out, "rollcall_holds", NULL, 0, n);
 */
#ifndef CONTROL_CONTROL_METRIC_H
#define CONTROL_CONTROL_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct control_metric_label {
	const char *name;
	struct str value; /* any bytes */
};

/* type: "counter" or "gauge".  Once, before the samples of that name. */
void control_metric_family(struct buf *out, const char *name, const char *type, const char *help);
void control_metric_whole(
    struct buf *out, const char *name, const struct control_metric_label *labels, size_t n, uint64_t value);
/* In thousandths of the unit: 1500 is 1.5. */
void control_metric_milli(
    struct buf *out, const char *name, const struct control_metric_label *labels, size_t n, int64_t milli);

#endif
