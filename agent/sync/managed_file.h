/* What backends.cfg should say: from a plan, and from what it says already.  Pure. */
#ifndef SYNC_MANAGED_FILE_H
#define SYNC_MANAGED_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "hap/hap_render.h"
#include "sync/reconcile.h"

/*
 * Named are the servers that serve (up, down by their checks, ejected, held), and
 * those that should and were named in the file before: what joins for the first time takes no
 * unchecked call.  What leaves is not named.  before: of the text that stands there; its
 * sections that nobody asks for any more stay while a cluster was never read, whose labels
 * may have made them.  A backend that HAProxy is to make at run time is named once it has done so;
 * one that is retired is not named once nothing is left of it (plan_backend.is_over).
 */
NODISCARD enum err_code managed_file_render(const struct conf *conf, const struct reconcile_view *v,
    const struct hap_render_outline *before, struct buf *out, struct err *e);

/* Of all that managed_file_render reads of v, and of what tells whether HAProxy has it:
 * the same number, the same answer. */
uint64_t managed_file_mark(const struct reconcile_view *v);

#endif
