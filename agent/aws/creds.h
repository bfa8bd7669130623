/*
 * A signing key with an end: a value that is counted, and wiped when the last
 * reference goes.  Pure.
 */
#ifndef AWS_CREDS_H
#define AWS_CREDS_H

#include <stdint.h>

#include "aws/sigv4.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define CREDS_PART_MAX ((size_t)16384) /* a session token is the longest part */

struct creds;

/* Copies.  source says where it is from ("configuration", "role ARN by profile NAME").
 * ERR_CONF: a part is empty, or has bytes that cannot stand in a header; ERR_LIMIT: one is over
 * CREDS_PART_MAX; ERR_NOMEM. */
NODISCARD enum err_code creds_new(
    const struct sigv4_key *key, const char *source, int64_t expires_wall_ms, struct creds **ret, struct err *e);
struct creds *creds_ref(struct creds *c);
void creds_unref(struct creds *c); /* null is fine */
CLEANUP_DEFINE(struct creds, creds_unref);
struct sigv4_key creds_key(const struct creds *c); /* borrows */
const char *creds_source_name(const struct creds *c);
int64_t creds_expires_ms(const struct creds *c); /* wall clock; INT64_MAX: never */

#endif
