/*
 * What the reconciler asks of HAProxy, over one link: read back, carry out,
 * who are you.  Decides nothing; requests are carried out in the order in which
 * they came.
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

/*
 * done + gone + retry + refused + unsent = the steps of the plan.  A step that is
 * not fit to be sent (hap_text_step) is refused without asking HAProxy; the others
 * are sent all the same.  A step may be several commands (a CA): its verdict is that
 * of the first that was not carried out.  What is to be deleted and is gone already is counted as
 * gone, and is no refusal.
 */
struct hap_exec_report {
	uint64_t pid, start_time_s; /* the process that carried it out; 0: it did not say */
	bool stopping;              /* it is on its way out: an old worker */
	bool is_other;              /* not the process that the plan was made for: it was told nothing, all is unsent */
	size_t done, gone, retry, refused;
	size_t unsent;                                           /* no answer came: carried out or not */
	struct hap_exec_refusal refusals[HAP_EXEC_REFUSALS_MAX]; /* the first ones: GONE, REFUSED */
	size_t n_refusals;
	struct err err; /* code OK, or what cut the batch short */
};

/* What a read asks for. */
struct hap_exec_want {
	const struct str *backends; /* each must be one of HAProxy's names (ERR_ARG) */
	size_t n;
	bool cas; /* actual->cas, too */
};

/* actual is the caller's to free; null on failure.  e is null on success. */
typedef void hap_exec_read_fn(void *arg, struct actual *actual, const struct err *e);
/* The report is borrowed for the length of the callback. */
typedef void hap_exec_run_fn(void *arg, const struct hap_exec_report *report);
/* info is borrowed for the length of the callback; null on failure. */
typedef void hap_exec_probe_fn(void *arg, const struct hap_text_info *info, const struct err *e);

/* Owns the link once it returns ERR_OK. */
NODISCARD enum err_code hap_exec_new(struct hap_link *k, const struct clk *clk, struct hap_exec **ret, struct err *e);
/* All three: io/http.h's contract. */
/* Copies the names. */
NODISCARD enum err_code hap_exec_read(
    struct hap_exec *x, const struct hap_exec_want *want, hap_exec_read_fn *done, void *arg, struct err *e);
/* Borrows p until done; made_for only during the call.  The batch begins with `show info`; its steps are sent only once
 * that has named the process that `made_for` was read from. */
NODISCARD enum err_code hap_exec_run(struct hap_exec *x, const struct plan *p, const struct actual *made_for,
    hap_exec_run_fn *done, void *arg, struct err *e);
NODISCARD enum err_code hap_exec_probe(struct hap_exec *x, hap_exec_probe_fn *done, void *arg, struct err *e);
void hap_exec_close(struct hap_exec *x); /* no callback comes after; null is fine; fine inside a callback */

#endif
