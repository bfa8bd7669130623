/*
 * The CA files of a configuration, read and checked: what servers with TLS are
 * verified by.  A driver.
 *
 * HAProxy never reads a file at run time, and may run where the file is not: its
 * certificates are handed over the socket (PLAN_CA).  Only these are kept of a file,
 * each written anew by OpenSSL: comments, keys and whatever else stands there never
 * leave, and no line of it can end HAProxy's payload early.
 */
#ifndef HAP_HAP_CA_H
#define HAP_HAP_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/plan.h"

#define HAP_CA_FILE_MAX  ((size_t)1 << 20) /* what is read of one file */
#define HAP_CA_ARENA_MAX ((size_t)64 << 20)

struct hap_ca_fault {
	struct str path;
	struct err err; /* "cannot be opened", ... */
};

/* What a file was like, as a number; 0: it is not there. */
struct hap_ca_look {
	struct str path;
	uint64_t read; /* when it was read */
	uint64_t seen; /* when it was last looked at */
};

struct hap_cas {
	const struct plan_ca *items; /* those that could be read, in the order of the paths, each once */
	size_t n;
	const struct hap_ca_fault *faults; /* and those that could not */
	size_t n_faults;
	struct hap_ca_look *looks; /* of all of them */
	size_t n_looks;
	struct arena *arena; /* owns all of it, this struct included */
};

/* Empty paths, and repetitions, are passed over.  One that cannot be read now, and could
 * before, is among both: items has what it held then.  before may be null, and is not
 * borrowed from.  Fails only for want of memory. */
NODISCARD enum err_code hap_ca_read(
    const struct str *paths, size_t n, const struct hap_cas *before, struct hap_cas **ret, struct err *e);
/* Is it worth reading them again?  True: one of them is not what was read, and is as it
 * was when this was last asked: nobody is writing it just now.  Costs a stat() each. */
bool hap_ca_is_outdated(struct hap_cas *cas);
const struct plan_ca *hap_ca_find(const struct hap_cas *cas, struct str path); /* or null; cas may be null */
void hap_ca_free(struct hap_cas *cas);                                         /* null is fine */
CLEANUP_DEFINE(struct hap_cas, hap_ca_free);

#endif
