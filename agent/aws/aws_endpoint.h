/*
 * Where a service is: the URL to send to, and the Host and path that are signed
 * with it.  Pure.
 */
#ifndef AWS_AWS_ENDPOINT_H
#define AWS_AWS_ENDPOINT_H

#include <stdbool.h>

#include "aws/aws_service.h"
#include "base/cleanup.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

#define AWS_ENDPOINT_URL_MAX  512
#define AWS_ENDPOINT_HOST_MAX 300 /* with a port */

struct aws_endpoint {
	char url[AWS_ENDPOINT_URL_MAX];   /* "https://ecs.eu-west-1.amazonaws.com/" */
	char host[AWS_ENDPOINT_HOST_MAX]; /* as HTTP writes it: with a port only if it is not the scheme's */
	char path[AWS_ENDPOINT_URL_MAX];  /* "/", or "/prefix/" of an overriding URL */
};

/* What configuration and environment say of where a source's services are; borrowed. */
struct aws_endpoint_choice {
	struct str region;
	struct str override;  /* base URL, or empty */
	bool fips, dualstack; /* say nothing where there is an override */
};

/* configured beats AWS_ENDPOINT_URL_SERVICE, which beats AWS_ENDPOINT_URL;
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT
 * are honoured.  *ret_from is what to blame for where it leads. */
struct aws_endpoint_choice aws_endpoint_choose(const struct aws_service *of, struct str region, struct str configured,
    const struct env *env, const char **ret_from);
NODISCARD enum err_code aws_endpoint_of(
    const struct aws_service *of, const struct aws_endpoint_choice *choice, struct aws_endpoint *ret, struct err *e);

/* override is a base URL (http or https, no user, query or fragment), or empty for
 * SERVICE.REGION.SUFFIX of the region's partition.  ERR_CONF: the override or the region is
 * none; ERR_ARG: the service is none.  The same of aws_endpoint_of. */
NODISCARD enum err_code aws_endpoint_make(
    struct str service, struct str region, struct str override, struct aws_endpoint *ret, struct err *e);
const char *aws_endpoint_partition(struct str region); /* as ARNs name it: "aws" for what we don't know */

#endif
