/*
 * A conversation with HAProxy's runtime socket: a batch of commands in, as many
 * replies out, on a connection of its own.
 *
 * A connection is opened for each batch and closed after it, because one that
 * stays open stays with the old worker after a reload (facts/haproxy.md, section
 * 6).  It begins with `prompt` and `set severity-output number`; commands are
 * written as fast as the peer reads, replies end in "\n> ".
 *
 * The contract is io/http.h's: an error means no callback; otherwise exactly one,
 * later, from the loop.  Batches run one after the other, in order.
 */
#ifndef HAP_HAP_LINK_H
#define HAP_HAP_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct loop;

struct hap_link_limits {
	int64_t connect_timeout_ms;
	int64_t idle_timeout_ms; /* no byte either way for so long */
	int64_t total_timeout_ms;
	size_t max_reply;   /* bytes of one reply */
	size_t max_replies; /* bytes of all replies of a batch */
	size_t max_queue;   /* batches waiting */
};

extern const struct hap_link_limits hap_link_default_limits;

/* replies[i] answers commands[i], without the prompt and its newline; borrowed for
 * the length of the callback.  On a fault e is set, and n < the number asked tells
 * how many were answered before. */
typedef void hap_link_done_fn(void *arg, const struct str *replies, size_t n, const struct err *e);

struct hap_link {
	/* Copies the commands; each is one line without its newline. */
	enum err_code (*ask)(
	    struct hap_link *k, const struct str *commands, size_t n, hap_link_done_fn *done, void *arg, struct err *e);
	void (*close)(struct hap_link *k); /* no callback comes after */
};

/* address: a path, or HOST:PORT (a numeric host, or a name of the hosts file). */
NODISCARD enum err_code hap_link_socket_new(
    struct loop *l, struct str address, const struct hap_link_limits *limits, struct hap_link **ret, struct err *e);

#endif
