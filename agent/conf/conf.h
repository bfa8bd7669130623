/*
 * Configuration: YAML text in, one immutable value out (design.md, section 3).
 *
 * Parsing is pure: it sees text and a way to look up variables, never a path or
 * the environment, so that the fuzzer, `rollcalld -c` and SIGHUP use the same
 * function.  Every fault is reported, each with its place, not just the first.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

#define CONF_TEXT_MAX  ((size_t)1 << 20)
#define CONF_ARENA_MAX ((size_t)16 << 20)
#define CONF_NOTES_MAX 100 /* faults reported of one file */

/* Where something stands; 1-based.  0: nowhere in the text (a default, the environment). */
struct conf_where {
	unsigned line, column;
};

struct conf_note {
	struct conf_where where;
	struct str text; /* one line, says what to do */
};

struct conf_notes {
	const struct conf_note *notes; /* in the order of the text */
	size_t n;
};

struct conf_list {
	const struct str *items;
	size_t n;
};

struct conf_pair {
	struct str name, value;
};

struct conf_pairs {
	const struct conf_pair *items;
	size_t n;
};

/* ---- defaults, which a label and then a backends entry may overrule ---- */

enum conf_proto { CONF_PROTO_H2, CONF_PROTO_H1 };
enum conf_tls_verify { CONF_TLS_VERIFY_REQUIRED, CONF_TLS_VERIFY_NONE };
enum conf_balance { CONF_BALANCE_ROUNDROBIN, CONF_BALANCE_LEASTCONN, CONF_BALANCE_RANDOM };
enum conf_check_type { CONF_CHECK_INHERIT, CONF_CHECK_OFF, CONF_CHECK_TCP, CONF_CHECK_HTTP, CONF_CHECK_GRPC };
enum conf_observe { CONF_OBSERVE_OFF, CONF_OBSERVE_LAYER4, CONF_OBSERVE_LAYER7 };
enum conf_on_error {
	CONF_ON_ERROR_FASTINTER,
	CONF_ON_ERROR_FAIL_CHECK,
	CONF_ON_ERROR_SUDDEN_DEATH,
	CONF_ON_ERROR_MARK_DOWN
};
enum conf_outlier_mode { CONF_OUTLIER_ENFORCE, CONF_OUTLIER_OBSERVE, CONF_OUTLIER_OFF };

/* The keys of `defaults`; which of them somebody wrote is in conf_policy.set. */
#define CONF_POLICY_KEYS(X)               \
	X(PROTO, "proto")                 \
	X(TLS, "tls")                     \
	X(TLS_VERIFY, "tls_verify")       \
	X(TLS_CA_FILE, "tls_ca_file")     \
	X(TLS_SNI, "tls_sni")             \
	X(WEIGHT, "weight")               \
	X(SHARE, "share")                 \
	X(MAXCONN, "maxconn")             \
	X(SLOWSTART, "slowstart")         \
	X(BALANCE, "balance")             \
	X(CHECK, "check")                 \
	X(OBSERVE, "observe")             \
	X(DRAIN_TIMEOUT, "drain_timeout") \
	X(REMOVAL_LIMIT, "removal_limit") \
	X(OUTLIER, "outlier")

enum conf_policy_key {
#define X(name, text) CONF_POLICY_##name,
	CONF_POLICY_KEYS(X)
#undef X
	/* must stay last */
	CONF_N_POLICY_KEYS
};

#define CONF_DRAIN_AUTO INT64_C(-1)

#define CONF_CHECK_TIMEOUT_MS INT64_C(1000) /* unless somebody says otherwise; and of `defaults` sections, too */

struct conf_check {
	enum conf_check_type type;
	struct str service, path;
	int64_t inter_ms, timeout_ms;
	unsigned rise, fall;
};

struct conf_outlier {
	enum conf_outlier_mode mode;
	struct str agent;
	unsigned consecutive_errors;
	unsigned failure_threshold_percent, failure_volume, failure_min_hosts;
	int64_t interval_ms, base_ejection_ms, max_ejection_ms;
	unsigned max_ejection_percent, panic_threshold_percent;
};

struct conf_policy {
	uint32_t set; /* bit 1 << enum conf_policy_key: written by somebody */
	enum conf_proto proto;
	bool tls;
	enum conf_tls_verify tls_verify;
	struct str tls_ca_file, tls_sni;
	unsigned weight;        /* 0..1000000, of each task, relative */
	unsigned share_percent; /* 0..100; only if SHARE is set */
	bool share_latest;
	unsigned maxconn; /* 0: not set */
	int64_t slowstart_ms;
	enum conf_balance balance;
	struct conf_check check;
	enum conf_observe observe;
	unsigned observe_error_limit;
	enum conf_on_error observe_on_error;
	int64_t drain_timeout_ms; /* or CONF_DRAIN_AUTO */
	unsigned removal_limit_percent;
	struct conf_outlier outlier;
};

/* ---- the sections ---- */

struct conf_source {
	struct conf_where where;
	struct str name;           /* the region if none is given */
	struct str region;         /* neither is ever empty, unless env says needs_no_region */
	struct conf_list clusters; /* names, ARNs, "*"; none: our own cluster, else "default" */
	struct conf_list services; /* globs */
	bool expose_by_default;
	struct str constraints;
	struct conf_where constraints_where;
	struct conf_list labels;
	bool require_healthy;
	int64_t watch_ms, refresh_ms;
	unsigned rate_limit_milli; /* calls per 1000 s: `rate_limit: 2` is 2000 */
	struct str endpoint;
	struct str access_key_id, secret_access_key, session_token;
	struct str profile, role_arn, external_id;
	struct str events_queue, events_topic;
};

enum conf_managed_mode { CONF_MANAGED_AUTO, CONF_MANAGED_OFF, CONF_MANAGED_RUNTIME, CONF_MANAGED_RELOAD };

struct conf_haproxy {
	struct str socket, master_socket; /* path or HOST:PORT */
	bool apply;
	enum conf_managed_mode managed_mode;
	struct str managed_dir, managed_defaults, default_rule;
	struct conf_pairs entrypoints; /* name -> map file */
	struct conf_where default_rule_where;
	struct conf_list allow_hosts, allow_backends, allow_unhonoured;
};

struct conf_match {
	struct str source, cluster, service, container; /* globs; "*" where not given, and never empty */
};

struct conf_backend {
	struct conf_where where;
	struct str name;
	struct conf_match match;
	bool managed;
	bool retired;  /* no entry names it any more: it takes no task, and its servers leave (conf_retire.h) */
	uint16_t port; /* 0: not given */
	struct str rule;
	struct conf_where rule_where;
	struct conf_list entrypoints;
	unsigned priority;         /* 0: not given */
	struct conf_policy policy; /* what defaults and this entry say together */
	uint32_t own;              /* which keys the entry itself wrote: these beat a label, the others do not */
	bool retries_idempotent;   /* every call of it may be executed twice: only a label says so (`retry`) */
};

struct conf_listen {
	struct str address; /* path, abns@NAME or HOST:PORT; empty: no listener */
	unsigned mode;      /* of a path */
	struct str group;   /* of a path; empty: as created */
};

enum conf_log_format { CONF_LOG_AUTO, CONF_LOG_TEXT, CONF_LOG_JSON };

struct conf {
	struct str hash; /* of the text, 16 hexadecimal digits */
	const struct conf_source *sources;
	size_t n_sources;
	struct conf_haproxy haproxy;
	struct conf_policy defaults;
	const struct conf_backend *backends; /* in the order of the text; no two with one name */
	size_t n_backends;
	bool has_spoe;
	struct conf_listen spoe;
	bool has_tracing;
	struct str tracing_log_listen, tracing_endpoint;
	unsigned tracing_sample_ppm; /* of 1,000,000 */
	struct conf_pairs tracing_headers;
	struct conf_listen control;
	struct str control_readonly; /* control.listen; empty: none */
	struct str state_dir;
	enum log_level log_level;
	enum conf_log_format log_format;
	struct conf_notes warnings; /* accepted, but the operator should know */
};

/*
 * Everything in **ret lives in a or is constant; it may hold keys, so that a is
 * ended with arena_wipe.  On failure *reterr_faults lists what is wrong and lives
 * in a, too: at least one, at most CONF_NOTES_MAX with ERR_CONF, none with
 * ERR_NOMEM.  e tells the first.  No message holds a key, or what a variable holds.
 * Regions that the text leaves out are taken from AWS_REGION, then
 * AWS_DEFAULT_REGION, then env's own; with needs_no_region they are not looked for.
 */
NODISCARD enum err_code conf_parse(struct arena *a, struct str yaml, const struct env *env, const struct conf **ret,
    struct conf_notes *reterr_faults, struct err *e);

bool conf_policy_has(const struct conf_policy *p, enum conf_policy_key key);
/* Do the server lines that we write have an agent-check?  What ejects needs one. */
bool conf_policy_has_agent(const struct conf_policy *p);
const char *conf_policy_key_name(enum conf_policy_key key);
/* Lays over *under what over.set names, and adds those keys to under->set. */
void conf_policy_overlay(struct conf_policy *under, const struct conf_policy *over);
const struct conf_backend *conf_backend_by_name(const struct conf *c, struct str name);

#endif
