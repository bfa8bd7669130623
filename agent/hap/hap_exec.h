/*
 * What the reconciler asks of HAProxy, over one link: read back, carry out,
 * who are you.  Decides nothing; one request at a time.
 */
#ifndef HAP_HAP_EXEC_H
#define HAP_HAP_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clk.h"
#include "base/err.h"
#include "base/str.h"
#include "hap/hap_link.h"
#include "hap/hap_text.h"
#include "plan/actual.h"
#include "plan/plan.h"

#define HAP_EXEC_REFUSALS_MAX 20

struct hap_exec;

struct hap_exec_refusal {
	const struct plan_step *step;
	struct err err;
};

struct hap_exec_report {
	uint64_t pid, start_time_s; /* the process that carried it out */
	bool stopping;              /* it is on its way out: an old worker */
	size_t done, gone, retry, refused, unsent;
	struct hap_exec_refusal refusals[HAP_EXEC_REFUSALS_MAX]; /* the first ones: GONE, REFUSED */
	size_t n_refusals;
	struct err err; /* code OK, or what cut the batch short */
};

/* actual is the caller's to free; null on failure. */
typedef void hap_exec_read_fn(void *arg, struct actual *actual, const struct err *e);
typedef void hap_exec_run_fn(void *arg, const struct hap_exec_report *report);
typedef void hap_exec_probe_fn(void *arg, const struct hap_text_info *info, const struct err *e);

/* Owns the link. */
NODISCARD enum err_code hap_exec_new(struct hap_link *k, const struct clk *clk, struct hap_exec **ret, struct err *e);
/* All three: io/http.h's contract. */
NODISCARD enum err_code hap_exec_read(
    struct hap_exec *x, const struct str *backends, size_t n, hap_exec_read_fn *done, void *arg, struct err *e);
/* Borrows p until done.  The batch begins with `show info`, so that the report
 * tells which process took it. */
NODISCARD enum err_code hap_exec_run(
    struct hap_exec *x, const struct plan *p, hap_exec_run_fn *done, void *arg, struct err *e);
NODISCARD enum err_code hap_exec_probe(struct hap_exec *x, hap_exec_probe_fn *done, void *arg, struct err *e);
void hap_exec_close(struct hap_exec *x); /* no callback comes after; null is fine */

#endif
