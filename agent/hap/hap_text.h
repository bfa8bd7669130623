/*
 * HAProxy's runtime API as text: commands out, replies in.  Pure.
 *
 * Every reply wording that means success is listed in hap_text_judge.c, by version
 * (facts/haproxy.md, sections 2 to 5 and 12); text that is not known is REFUSED,
 * never DONE.  Replies come as hap_link hands them out: without the prompt, with
 * the "[4]: " that `set severity-output number` puts before some of them, with or
 * without newlines at the end.
 *
 * hap_text.c writes commands, hap_text_judge.c judges the replies to them, and
 * hap_text_replies.c reads the tables that `show` answers.
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

/* How many commands carry out a step: one; a CA is new, set, add ... commit.  0: it
 * is not fit to be sent, as hap_text_step will tell. */
size_t hap_text_n_commands(const struct plan_step *st);
/*
 * Command number i of a step for HAProxy major.minor; appended without its newline,
 * nothing on failure.  It is one line but for a CA's payload ("... <<", then lines).
 * Refuses, with ERR_ARG, a name or address that would need quoting: nothing from
 * outside reaches the socket but what HAProxy's own name rules allow.  What is refused
 * is so for each of its commands.
 */
NODISCARD enum err_code hap_text_step(
    const struct plan_step *st, size_t i, unsigned major, unsigned minor, struct buf *out, struct err *e);
/* Ends the transaction that the pieces of a CA began, all commands of the step but the last, without `commit`. */
NODISCARD enum err_code hap_text_abort_ca(const struct plan_step *st, struct buf *out, struct err *e);
/* How the refusal of `del backend` begins for one that a line of the configuration names. */
#define HAP_TEXT_BACKEND_IS_NAMED "This proxy cannot be removed at runtime"
/* What a reply to command i of this step means; e says it in HAProxy's words unless DONE. */
enum hap_text_verdict hap_text_judge(const struct plan_step *st, size_t i, struct str reply, struct err *e);
/* "show servers state NAME", "show stat NAME 6 -1"; refuses names as above. */
NODISCARD enum err_code hap_text_ask_servers(struct str backend, struct buf *out, struct err *e);
NODISCARD enum err_code hap_text_ask_stat(struct str backend, struct buf *out, struct err *e);
#define HAP_TEXT_ASK_CAS "show ssl ca-file"

NODISCARD enum err_code hap_text_parse_info(
    struct arena *a, struct str reply, struct hap_text_info *ret, struct err *e);
/* `show stat NAME` means a frontend of that name, if there is one too, and then
 * shows no line of the backend.  True: that is what happened; ask again with
 * *ret_id, the backend's number (borrows servers_reply), in place of the name. */
bool hap_text_is_shadowed(struct str servers_reply, struct str stat_reply, struct str *ret_id);
/* In which columns `show stat` tells what: the same for all backends of one HAProxy. */
struct hap_text_layout;
/* Both replies about one backend as one value in a.  layout: null, or points to null at the first of
 * several backends, and to what was learnt of the one before (in a) at the others.  A backend that HAProxy does
 * not know is exists = false, not an error; then is_frontend tells whether a frontend has the name.  The two are not one moment: a server
 * that is in only one of them is left out of the result; that all of them are is
 * an error. */
NODISCARD enum err_code hap_text_parse_backend(struct arena *a, struct hap_text_layout **layout, struct str name,
    struct str servers_reply, struct str stat_reply, struct actual_backend *ret, struct err *e);
/* The CA files that hold a certificate; one that was only begun (`new`, `set` without
 * `commit`) is not among them.  A HAProxy without TLS has none. */
NODISCARD enum err_code hap_text_parse_cas(
    struct arena *a, struct str reply, const struct str **ret, size_t *ret_n, struct err *e);

/* One numeric IPv4 or IPv6 address, as bytes; false: it is none. */
struct hap_text_address {
	int family;
	unsigned char bytes[16];
};
bool hap_text_address_parse(struct str text, struct hap_text_address *ret);
/* Bytes from outside, fit for one line of an error: up to a newline, and never longer
 * than HAP_TEXT_SAID_MAX. */
#define HAP_TEXT_SAID_MAX 80
void hap_text_escape(struct str s, char ret[HAP_TEXT_SAID_MAX + 1]);

#endif
