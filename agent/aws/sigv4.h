/* AWS Signature Version 4.  Pure: bytes, a key and a time in; bytes out. */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct sigv4_header {
	struct str name, value; /* name already lower case */
};

struct sigv4_request {
	struct str method, path, query; /* path and query as sent, percent-encoded */
	const struct sigv4_header *headers;
	size_t n_headers;
	struct str body;
};

struct sigv4_key {
	struct str access_key_id, secret, session_token; /* token may be empty */
};

struct sigv4_scope {
	struct str region, service;
	int64_t wall_ms;
};

/* The three stages are separate so that the published test vectors, which give
 * each intermediate text, can test each stage. */
NODISCARD enum err_code sigv4_canonical_request(const struct sigv4_request *rq, struct buf *out, struct err *e);
NODISCARD enum err_code sigv4_string_to_sign(
    struct str canonical, const struct sigv4_scope *sc, struct buf *out, struct err *e);
NODISCARD enum err_code sigv4_authorization(const struct sigv4_request *rq, struct str to_sign,
    const struct sigv4_key *key, const struct sigv4_scope *sc, struct buf *out, struct err *e);
void sigv4_amz_date(int64_t wall_ms, char ret[17]); /* 20261123T024046Z */

#endif
