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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct loop;

struct hap_link_limits {
	int64_t connect_timeout_ms;
	int64_t idle_timeout_ms;    /* no byte either way for so long */
	int64_t total_timeout_ms;   /* of a batch, once it is its turn ... */
	int64_t command_timeout_ms; /* ... so much longer for each command in it ... */
	int64_t kib_timeout_ms;     /* ... and for each KiB of reply that came */
	size_t max_command;         /* bytes of one command */
	size_t max_commands;        /* bytes of all commands of a batch */
	size_t max_first_reply;     /* bytes of the reply to the first one: `show info` */
	size_t max_reply;           /* bytes of any other reply */
	size_t max_replies;         /* bytes of all replies of a batch */
	size_t max_queue;           /* batches waiting behind the one under way */
};

extern const struct hap_link_limits hap_link_default_limits;

/*
 * replies[i] answers commands[i], as HAProxy wrote it but for the prompt and its
 * newline: the severity ("[3]: ") stays, for hap_text_judge to see.  Borrowed for
 * the length of the callback.  e is null when all were answered (n is what was
 * asked).  On a fault e is set, and n < the number asked tells how many were
 * answered before; what comes after may have been carried out or not.
 */
typedef void hap_link_done_fn(void *arg, const struct str *replies, size_t n, const struct err *e);

/* Given the reply to the first command: is the rest to be sent? */
typedef bool hap_link_gate_fn(void *arg, struct str reply);

struct hap_link {
	const char *address; /* as configured; the link's own */
	/*
	 * Copies the commands; each is one line without its newline, and without ';',
	 * which HAProxy would split it at (ERR_ARG).  One with a payload is its line,
	 * which ends in " <<", and lines of payload, each with its newline, and none of
	 * them empty, for that would end it: the link does (ERR_ARG again).  It has one
	 * reply, whose payload prompts ("+ ", 2.6 and 3.0) are the reader's to skip.
	 *
	 * gate may be null.  Otherwise only the first command is sent until it has
	 * answered; if gate says no, that is the end of the batch: done gets this reply
	 * (n is 1), and no error.  It must not close the link.
	 */
	enum err_code (*ask)(struct hap_link *k, const struct str *commands, size_t n, hap_link_gate_fn *gate,
	    hap_link_done_fn *done, void *arg, struct err *e);
	void (*close)(struct hap_link *k); /* frees it; no callback comes after; fine inside one */
};

/* address: a path, or HOST:PORT: a numeric host ("[::1]:9999") or localhost, which
 * is 127.0.0.1.  Nothing is connected yet. */
NODISCARD enum err_code hap_link_socket_new(
    struct loop *l, struct str address, const struct hap_link_limits *limits, struct hap_link **ret, struct err *e);
/* Of such a HOST:PORT, for the master's socket as well. */
NODISCARD bool hap_link_tcp_address(struct str address, struct sockaddr_storage *ret);

#endif
