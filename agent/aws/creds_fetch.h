/*
 * Carries out a recipe (creds_recipe.h): fetches the first key, then assumes the roles
 * with it, one after the other.  A driver that decides nothing.
 */
#ifndef AWS_CREDS_FETCH_H
#define AWS_CREDS_FETCH_H

#include "aws/creds.h"
#include "aws/creds_recipe.h"
#include "base/env.h"
#include "base/err.h"
#include "base/prng.h"
#include "io/http.h"

struct loop;
struct creds_fetch;

/* What a source of keys works with; borrowed, and outlives it. */
struct creds_fetch_world {
	struct loop *loop;
	struct http *http;
	struct prng *rnd;
	const struct env *env;
};

/* Of STS. */
struct creds_fetch_place {
	struct str region, endpoint; /* endpoint: the configuration's, or empty */
};

/* key is null on failure (then e says why), and borrowed otherwise. */
typedef void creds_fetch_done_fn(void *arg, struct creds *key, const struct err *e);

/* Borrows all until it has ended.  The contract is io/http.h's: an error means no
 * callback, otherwise exactly one, later. */
NODISCARD enum err_code creds_fetch_start(const struct creds_fetch_world *world, const struct creds_fetch_place *at,
    const struct creds_recipe *recipe, creds_fetch_done_fn *done, void *arg, struct creds_fetch **ret, struct err *e);
void creds_fetch_cancel(struct creds_fetch *f); /* done is not called after; not from inside it; null is fine */

#endif
