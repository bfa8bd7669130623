/*
 * The acts of the control interface (design.md, section 9): a POST in, an order out;
 * and what became of that order in, an answer out.  Pure: who carries the order out
 * stands between the two.
 *
 *   POST /v1/servers/B/S/drain    ?for=5m
 *   POST /v1/servers/B/S/ready
 *   POST /v1/servers/B/S/weight   ?weight=N|auto  ?for=5m
 *   POST /v1/pause, /v1/resume    ?backend=B, ?for=5m with pause
 *   POST /v1/refresh              every cluster is read again, now
 *   POST /v1/log                  ?level=error|warn|info|debug
 *   POST /v1/reload               ?force=1
 *
 * Answered with {"done": "...", "until": null or a time, "server": {...}}, or with
 * "backends": [...] in place of "server", each as GET shows it; refresh and log with "done"
 * alone; reload with "done" and "plan", a refused one with "error" and "plan".  State and weight
 * are what the order makes of them, though HAProxy is told only a moment later.
 *
 * A parameter that an act does not know, one given twice, or a value that is none is
 * refused: a mistyped `for` must not become a hold without end.
 */
#ifndef CONTROL_CONTROL_ORDER_H
#define CONTROL_CONTROL_ORDER_H

#include "control/control_path.h"
#include "control/control_view.h"
#include "sync/reconcile.h"

enum control_order_verdict {
	CONTROL_ORDER_NONE,    /* not the path of an act: control_view_answer's */
	CONTROL_ORDER_REFUSED, /* answered */
	CONTROL_ORDER_TAKEN    /* to be carried out, and then answered by control_order_answer */
};

enum control_order_kind {
	CONTROL_ORDER_SYNC, /* the reconciler's */
	CONTROL_ORDER_REFRESH,
	CONTROL_ORDER_LOG,
	CONTROL_ORDER_RELOAD
};

struct control_order {
	enum control_order_kind kind;
	struct reconcile_order what; /* SYNC; its texts are in path and query */
	enum log_level level;        /* LOG */
	bool force;                  /* RELOAD */
	struct control_path path;
	struct control_query query;
};

/* What became of an order. */
struct control_outcome {
	struct buf said; /* one printable sentence: what is so from now on */
	struct buf plan; /* RELOAD: as /v1/plan shows it; empty: none was made */
};

/* ret and ret_answer are set as the verdict says; ret is not to be copied. */
enum control_order_verdict control_order_take(
    const struct control_request *rq, struct control_order *ret, struct control_response *ret_answer);

struct control_done {
	const struct control_order *order;
	const struct control_outcome *outcome;
};

/* The answer, to be made by control_view_go_on with what is known after the order; done and what it points to must
 * outlive that.  code, e: as reconcile_order gives them. */
void control_order_start(
    const struct control_done *done, enum err_code code, const struct err *e, struct control_making *ret);

#endif
