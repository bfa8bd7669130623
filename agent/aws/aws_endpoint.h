/*
 * Where a service is: the URL to send to, and the Host and path that are signed
 * with it.  Pure.
 */
#ifndef AWS_AWS_ENDPOINT_H
#define AWS_AWS_ENDPOINT_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define AWS_ENDPOINT_URL_MAX  512
#define AWS_ENDPOINT_HOST_MAX 300 /* with a port */

struct aws_endpoint {
	char url[AWS_ENDPOINT_URL_MAX];   /* "https://ecs.eu-west-1.amazonaws.com/" */
	char host[AWS_ENDPOINT_HOST_MAX]; /* as HTTP writes it: with a port only if it is not the scheme's */
	char path[AWS_ENDPOINT_URL_MAX];  /* "/", or "/prefix/" of an overriding URL */
};

/* override is a base URL (http or https, no user, query or fragment), or empty for
 * SERVICE.REGION.SUFFIX of the region's partition. */
NODISCARD enum err_code aws_endpoint_make(
    struct str service, struct str region, struct str override, struct aws_endpoint *ret, struct err *e);
const char *aws_endpoint_suffix(struct str region); /* "amazonaws.com" for what we don't know */

#endif
