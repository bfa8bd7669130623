/*
 * HAProxy's runtime API as text: commands out, replies in.  Pure.
 *
 * Every reply wording that means success is listed in hap_text.c, by version
 * (facts/haproxy.md, sections 2 to 5 and 12); text that is not known is REFUSED,
 * never DONE.  Replies come as hap_link hands them out: without the prompt, with
 * the "[4]: " that `set severity-output number` puts before some of them, with or
 * without newlines at the end.
 *
 * hap_text.c writes commands and judges replies to them; hap_text_replies.c reads
 * the tables that `show` answers.
 */
#ifndef HAP_HAP_TEXT_H
#define HAP_HAP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/actual.h"
#include "plan/plan.h"

#define HAP_TEXT_COMMAND_MAX 15000 /* 2.6 hangs on more than 15360 bytes */
#define HAP_TEXT_NAME_MAX    255   /* of a backend or a server */

/* With `fall 1` HAProxy shows the full health count before it has checked at all.
 * There a server counts as passed only after it has drained for so long without a
 * failed check (and its last check passed). */
#define HAP_TEXT_FALL_1_WAIT_S 10

enum hap_text_verdict {
	HAP_TEXT_DONE,
	HAP_TEXT_GONE,   /* the server or the backend is not there (any more) */
	HAP_TEXT_RETRY,  /* not now: still busy */
	HAP_TEXT_REFUSED /* anything else */
};

/* `show info`: which process answers. */
struct hap_text_info {
	struct str version; /* lives in the arena */
	unsigned major, minor;
	uint64_t pid, start_time_s;
	bool stopping;
};

/* One of HAProxy's own names for a backend or server: [A-Za-z0-9_.:-]. */
bool hap_text_name_ok(struct str name);

/* Refuses, with ERR_ARG, a name or address that would need quoting: nothing from
 * outside reaches the socket but what HAProxy's own name rules allow.  Appends one
 * command without its newline; nothing on failure. */
NODISCARD enum err_code hap_text_step(const struct plan_step *st, struct buf *out, struct err *e);
/* What a reply to this step means; e says it in HAProxy's words unless DONE. */
enum hap_text_verdict hap_text_judge(const struct plan_step *st, struct str reply, struct err *e);
/* "show servers state NAME", "show stat NAME 6 -1"; refuses names as above. */
NODISCARD enum err_code hap_text_ask_servers(struct str backend, struct buf *out, struct err *e);
NODISCARD enum err_code hap_text_ask_stat(struct str backend, struct buf *out, struct err *e);

NODISCARD enum err_code hap_text_parse_info(
    struct arena *a, struct str reply, struct hap_text_info *ret, struct err *e);
/* `show stat NAME` means a frontend of that name, if there is one too, and then
 * shows no line of the backend.  True: that is what happened; ask again with
 * *ret_id, the backend's number (borrows servers_reply), in place of the name. */
bool hap_text_is_shadowed(struct str servers_reply, struct str stat_reply, struct str *ret_id);
/* Both replies about one backend as one value in a.  A backend that HAProxy does
 * not know is exists = false, not an error.  The two are not one moment: a server
 * that is in only one of them is left out of the result; that all of them are is
 * an error. */
NODISCARD enum err_code hap_text_parse_backend(struct arena *a, struct str name, struct str servers_reply,
    struct str stat_reply, struct actual_backend *ret, struct err *e);

#endif
