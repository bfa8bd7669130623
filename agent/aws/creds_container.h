/*
 * Where the container credentials endpoint is, and whether it may be asked (ECS task
 * roles, EKS pod identity; facts/ecs.md, section 3, "Container credentials").  Pure.
 */
#ifndef AWS_CREDS_CONTAINER_H
#define AWS_CREDS_CONTAINER_H

#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"

#define CREDS_CONTAINER_URL_MAX ((size_t)4096)

/* The URL of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, else ..._FULL_URI.  ERR_CONF: plain
 * http to a host that is neither this machine nor AWS's link-local one would show the
 * key to the network. */
NODISCARD enum err_code creds_container_url(const struct env *env, struct buf *out, struct err *e);

#endif
