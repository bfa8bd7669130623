/*
 * Where the key comes from, and when to ask again.
 *
 * A source is a vtable, and a chain of sources is a source.  The contract of get
 * is io/http.h's: an error means no callback; otherwise exactly one, later.
 */
#ifndef AWS_CREDS_SOURCE_H
#define AWS_CREDS_SOURCE_H

#include "aws/creds.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

#define CREDS_SOURCE_WAITING_MAX 64 /* who may wait for one source at a time */

struct loop;

/* key is null on failure (then e says why) and borrowed otherwise: ref it to keep it. */
typedef void creds_source_done_fn(void *arg, struct creds *key, const struct err *e);

struct creds_source {
	enum err_code (*get)(struct creds_source *s, creds_source_done_fn *done, void *arg, struct err *e);
	void (*cancel)(struct creds_source *s, void *arg); /* what was asked with this arg is not told any more */
	void (*expire)(struct creds_source *s);            /* the service said that the key is no good */
	void (*close)(struct creds_source *s);             /* no callback comes after */
};

/* What one `ecs` source of the configuration says of its keys; borrowed. */
struct creds_source_config {
	struct str access_key_id, secret_access_key, session_token;
};

/* The configured key if there is one, else AWS_ACCESS_KEY_ID and its companions
 * (read when asked, so that `expire` reads them again).  Copies what config says;
 * borrows env. */
NODISCARD enum err_code creds_source_new(struct loop *l, const struct creds_source_config *config,
    const struct env *env, struct creds_source **ret, struct err *e);

#endif
