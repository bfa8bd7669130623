/*
 * Where the key comes from, and when to ask again.
 *
 * A source is a vtable.  The contract of get is io/http.h's: an error means no
 * callback; otherwise exactly one, later.
 */
#ifndef AWS_CREDS_SOURCE_H
#define AWS_CREDS_SOURCE_H

#include <stdbool.h>

#include "aws/creds.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"

#define CREDS_SOURCE_WAITING_MAX 64 /* who may wait for one source at a time */

/* A key is renewed from CREDS_SOURCE_ADVISORY_MS before its end, while it is used on; from
 * CREDS_SOURCE_MANDATORY_MS who asks waits for the new one, and is given the old one if none
 * comes.  Of a key that lives shorter, from half and a quarter of its life. */
#define CREDS_SOURCE_ADVISORY_MS  INT64_C(900000)
#define CREDS_SOURCE_MANDATORY_MS INT64_C(600000)
#define CREDS_SOURCE_FLOOR_MS     INT64_C(30000) /* between two tries, while there is a key */
#define CREDS_SOURCE_STALE_MS     INT64_C(5000)  /* ... because AWS does not take it */
#define CREDS_SOURCE_URGENT_MS    INT64_C(1000)  /* while there is none */

/* key is null on failure (then e says why) and borrowed otherwise: ref it to keep it. */
typedef void creds_source_done_fn(void *arg, struct creds *key, const struct err *e);

/* Borrowed until the loop turns. */
struct creds_source_view {
	const char *name;            /* "role ARN by profile NAME"; null: not known yet */
	int64_t expires_wall_ms;     /* 0: there is no key; INT64_MAX: it has no end */
	const struct fault *renewal; /* why there is no key, or no newer one */
};

struct creds_source {
	enum err_code (*get)(struct creds_source *s, creds_source_done_fn *done, void *arg, struct err *e);
	void (*cancel)(struct creds_source *s, void *arg); /* what was asked with this arg is not told any more */
	void (*expire)(struct creds_source *s);            /* the service said that the key is no good */
	struct creds_source_view (*view)(const struct creds_source *s);
	void (*close)(struct creds_source *s); /* no callback comes after */
};

struct creds_fetch_world;
struct creds_recipe_config;
struct creds_fetch_place;

/* The SDKs' chain (creds_recipe.h), for one source of the configuration called `called`.
 * Borrows all of it, which must outlive the source. */
NODISCARD enum err_code creds_source_new(const struct creds_fetch_world *world, struct str called,
    const struct creds_recipe_config *config, const struct creds_fetch_place *at, struct creds_source **ret,
    struct err *e);

#endif
