/* AWS Signature Version 4.  Pure: bytes, a key and a time in; bytes out. */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SIGV4_DATE_SIZE   17 /* "20261123T024046Z" and a NUL */
#define SIGV4_HEADERS_MAX 32
#define SIGV4_PARAMS_MAX  64
#define SIGV4_TEXT_MAX    ((size_t)64 << 10) /* ample for a canonical request: a ceiling for its buf */

struct sigv4_header {
	struct str name, value; /* name already lower case; value may hold runs of blanks */
};

/* Every header given is signed; host and x-amz-date belong to them. */
struct sigv4_request {
	struct str method, path, query; /* path and query as sent, percent-encoded */
	bool path_as_is;                /* true: dot segments and double slashes are kept (S3) */
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
 * each intermediate text, can test each stage.  ERR_ARG: a method, path, header, region or
 * service that cannot be signed; ERR_LIMIT: too much of it, or more than out may hold;
 * ERR_NOMEM; ERR_IO: libcrypto fails. */
NODISCARD enum err_code sigv4_canonical_request(const struct sigv4_request *rq, struct buf *out, struct err *e);
NODISCARD enum err_code sigv4_string_to_sign(
    struct str canonical, const struct sigv4_scope *sc, struct buf *out, struct err *e);
NODISCARD enum err_code sigv4_authorization(const struct sigv4_request *rq, struct str to_sign,
    const struct sigv4_key *key, const struct sigv4_scope *sc, struct buf *out, struct err *e);
void sigv4_amz_date(int64_t wall_ms, char ret[SIGV4_DATE_SIZE]);

#endif
