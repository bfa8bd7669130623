/*
 * What a policy says of one server, as the words that follow its address: for `add
 * server`, and for the lines of a file that HAProxy reads.  Pure.
 *
 * Everything stands on the line, because `default-server` is not inherited at run
 * time (facts/haproxy.md, section 1).  Left out, because HAProxy's default is what
 * is wanted: pool settings (a dynamic server reuses h2 connections as a static one
 * does), `check-proto` (a check follows `proto h2` or `check-alpn h2` by itself where
 * the backend has an HTTP check, and must not where it has a raw tcp-check), the
 * check's timeout (it is the backend's `timeout check`).
 *
 * TLS: `alpn h2` stands in place of `proto h2`, so that a peer that speaks something
 * else is refused by the handshake.  Without tls_sni no name is sent, and the
 * certificate is held against the CA alone.  3.3 and later would send, and verify,
 * what Host says: `no-sni-auto` makes all versions do the same.  Never weaker than
 * asked: `verify required` with a tls_ca_file that is not loaded is no line.
 *
 * `observe` needs checks: without them a server that it marks down stays down.
 */
#ifndef HAP_HAP_SERVER_LINE_H
#define HAP_HAP_SERVER_LINE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/plan.h"

#define HAP_SERVER_LINE_FASTINTER_MIN_MS 100

struct hap_server_line {
	const struct conf_policy *policy;
	unsigned weight;       /* 0..256 */
	struct str ca_file;    /* as HAProxy knows it; empty: none, which a policy with tls_ca_file forbids */
	bool starts_down;      /* init-state down: from 3.2 */
	unsigned major, minor; /* HAProxy's version */
};

/* Appends " weight 1 proto h2 ...", a blank before each word; nothing on failure
 * (ERR_ARG: a text that would need quoting, a number that HAProxy would bend, a
 * wish that this version cannot meet). */
NODISCARD enum err_code hap_server_line_put(const struct hap_server_line *l, struct buf *out, struct err *e);
/* Fit for `ca-file`, unquoted: a name, a path, "@system-ca". */
bool hap_server_line_ca_ok(struct str ca_file);

#endif
