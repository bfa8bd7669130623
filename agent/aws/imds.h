/*
 * The metadata service of an EC2 instance, version 2 with its fallback to version 1
 * (facts/ecs.md, section 3, "IMDSv2").  A driver.
 *
 * First a PUT for a token; if that is not answered, or with 403, 404 or 405, the GETs go
 * without one.  From within a container a PUT dies on the way where the instance's hop
 * limit is 1, and the message says so.
 */
#ifndef AWS_IMDS_H
#define AWS_IMDS_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"
#include "io/http.h"

#define IMDS_CREDENTIALS "/latest/meta-data/iam/security-credentials/"
#define IMDS_REGION      "/latest/meta-data/placement/region"

struct loop;
struct imds;

/* body is borrowed for the length of the call; failure null: it is meant. */
typedef void imds_done_fn(void *arg, struct str body, const struct err *failure);

bool imds_is_disabled(const struct env *env);
/* GETs path; of one that ends in "/" the first name that is listed there. */
NODISCARD enum err_code imds_get(struct loop *l, struct http *h, const struct env *env, const char *path,
    imds_done_fn *done, void *arg, struct imds **ret, struct err *e);
void imds_cancel(struct imds *m); /* done is not called after; null is fine */

#endif
