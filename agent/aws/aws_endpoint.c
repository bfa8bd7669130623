/*
 * Where a service is: see aws_endpoint.h.  What is put together here is sent and
 * signed as it stands, so the URL is taken apart by whitelist and written anew.
 */
#include "config.h"

#include "aws/aws_endpoint.h"

#include <stdint.h>
#include <stdio.h>

#define NAME_MAX_LEN 63 /* of a region or service: one label of a host name */

/* botocore's partitions, by the names of their regions; the first is for what we don't know. */
static const struct partition {
	const char *prefix, *name, *suffix, *dualstack_suffix;
} partitions[] = {
	{ "", "aws", "amazonaws.com", "api.aws" },
	{ "cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn" },
	{ "us-gov-", "aws-us-gov", "amazonaws.com", "api.aws" },
	{ "eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu" },
	{ "us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud" },
};

static const struct partition *
partition_of(struct str region)
{
	for (size_t i = 1; i < sizeof(partitions) / sizeof(partitions[0]); i++)
		if (str_has_prefix(region, str_from_cstr(partitions[i].prefix)))
			return &partitions[i];
	return &partitions[0];
}

const char *
aws_endpoint_partition(struct str region)
{
	return partition_of(region)->name;
}

static bool
is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool
is_label(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_label_char(s.ptr[i]))
			return false;
	return s.len > 0 && s.len <= NAME_MAX_LEN && s.ptr[0] != '-';
}

/* Names, IPv4, and what stands between the brackets of IPv6. */
static bool
is_host(struct str s, bool bracketed)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!is_label_char(c) && c != '.' && !(c >= 'A' && c <= 'Z') && !(bracketed ? c == ':' : c == '_'))
			return false;
	}
	return s.len > 0 && s.len <= 253;
}

static bool
is_path(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!is_label_char(c) && !(c >= 'A' && c <= 'Z') && c != '/' && c != '.' && c != '_' && c != '~' &&
		    c != '%')
			return false;
	}
	return true;
}

struct authority {
	struct str host; /* with its brackets */
	uint64_t port;   /* 0: the scheme's */
};

static bool
take_authority(struct str s, struct authority *ret)
{
	struct str port;
	size_t end;

	if (str_has_prefix(s, STR("["))) {
		if (!str_find(s, ']', &end) || !is_host(str_of(s.ptr + 1, end - 1), true))
			return false;
		ret->host = str_first(s, end + 1);
		port = str_skip(s, end + 1);
	} else {
		end = s.len;
		(void)str_find(s, ':', &end);
		ret->host = str_first(s, end);
		port = str_skip(s, end);
		if (!is_host(ret->host, false))
			return false;
	}
	ret->port = 0;
	if (port.len == 0)
		return true;
	return port.ptr[0] == ':' && str_to_u64(str_skip(port, 1), 65535, &ret->port) && ret->port > 0;
}

static bool
take_scheme(struct str *s, const char **ret_scheme, uint64_t *ret_port)
{
	if (str_has_prefix(*s, STR("https://"))) {
		*ret_scheme = "https";
		*ret_port = 443;
	} else if (str_has_prefix(*s, STR("http://"))) {
		*ret_scheme = "http";
		*ret_port = 80;
	} else {
		return false;
	}
	*s = str_skip(*s, *ret_port == 443 ? 8 : 7);
	return true;
}

/* libcurl sends host names in lower case, and so must the signature. */
static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

static enum err_code
write_out(const char *scheme, const struct authority *at, struct str prefix, struct aws_endpoint *ret, struct err *e)
{
	char port[8] = "";
	int n;

	if (at->port != 0)
		(void)snprintf(port, sizeof(port), ":%u", (unsigned)at->port);
	while (str_has_suffix(prefix, STR("/")))
		prefix.len--;
	(void)snprintf(ret->host, sizeof(ret->host), STR_FMT "%s", STR_ARG(at->host), port);
	lower(ret->host);
	(void)snprintf(ret->path, sizeof(ret->path), STR_FMT "/", STR_ARG(prefix));
	n = snprintf(ret->url, sizeof(ret->url), "%s://%s" STR_FMT "/", scheme, ret->host, STR_ARG(prefix));
	if (n < 0 || (size_t)n >= sizeof(ret->url))
		return err_set(e, ERR_CONF, "endpoint: longer than %d bytes", AWS_ENDPOINT_URL_MAX - 1);
	return ERR_OK;
}

static enum err_code
from_url(struct str url, struct aws_endpoint *ret, struct err *e)
{
	struct aws_endpoint made = { .url = "" };
	struct authority at;
	const char *scheme;
	struct str rest = url, prefix;
	uint64_t usual_port;
	size_t slash = SIZE_MAX;
	enum err_code rc;

	/* The text is not quoted back: a user or password may stand in it. */
	if (url.len >= AWS_ENDPOINT_URL_MAX || !take_scheme(&rest, &scheme, &usual_port))
		return err_set(e, ERR_CONF, "endpoint: not an http:// or https:// URL of less than %d bytes",
		    AWS_ENDPOINT_URL_MAX);
	(void)str_find(rest, '/', &slash);
	prefix = str_skip(rest, slash);
	if (!take_authority(str_first(rest, slash), &at))
		return err_set(e, ERR_CONF, "endpoint: not HOST or HOST:PORT after %s://", scheme);
	if (!is_path(prefix))
		return err_set(e, ERR_CONF, "endpoint: only a plain path may follow the host, no query or fragment");
	if (at.port == usual_port)
		at.port = 0;
	rc = write_out(scheme, &at, prefix, &made, e);
	if (rc == ERR_OK)
		*ret = made;
	return rc;
}

/* In GovCloud the plain names are the FIPS ones, for all but ECS (botocore's rules). */
static bool
has_plain_fips(struct str service, struct str region)
{
	return str_has_prefix(region, STR("us-gov-")) && !str_eq(service, STR("ecs"));
}

static enum err_code
from_region(struct str service, const struct aws_endpoint_choice *c, struct aws_endpoint *ret, struct err *e)
{
	const struct partition *in = partition_of(c->region);
	bool marked = c->fips && (c->dualstack || !has_plain_fips(service, c->region));
	char url[AWS_ENDPOINT_URL_MAX];

	if (!is_label(c->region))
		return err_set(e, ERR_CONF, "\"%.*s\" is not the name of an AWS region",
		    (int)str_first(c->region, NAME_MAX_LEN).len, c->region.len > 0 ? c->region.ptr : "");
	if (!is_label(service))
		return err_set(e, ERR_ARG, "not the name of an AWS service");
	(void)snprintf(url, sizeof(url), "https://" STR_FMT "%s." STR_FMT ".%s", STR_ARG(service),
	    marked ? "-fips" : "", STR_ARG(c->region), c->dualstack ? in->dualstack_suffix : in->suffix);
	return from_url(str_from_cstr(url), ret, e);
}

enum err_code
aws_endpoint_make(struct str service, struct str region, struct str override, struct aws_endpoint *ret, struct err *e)
{
	const struct aws_endpoint_choice plain = { .region = region };

	return override.len > 0 ? from_url(override, ret, e) : from_region(service, &plain, ret, e);
}

enum err_code
aws_endpoint_of(
    const struct aws_service *of, const struct aws_endpoint_choice *choice, struct aws_endpoint *ret, struct err *e)
{
	if (choice->override.len > 0)
		return from_url(choice->override, ret, e);
	return from_region(str_from_cstr(of->name), choice, ret, e);
}

struct aws_endpoint_choice
aws_endpoint_choose(const struct aws_service *of, struct str region, struct str configured, const struct env *env,
    const char **ret_from)
{
	const char *const names[] = { of->endpoint_env, "AWS_ENDPOINT_URL" };
	struct aws_endpoint_choice c = {
		.region = region,
		.override = configured,
		.fips = env_is_true(env, "AWS_USE_FIPS_ENDPOINT"),
		.dualstack = env_is_true(env, "AWS_USE_DUALSTACK_ENDPOINT"),
	};

	*ret_from = configured.len > 0 ? "its `endpoint`" : "its `region`";
	if (env_is_true(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return c;
	for (size_t i = 0; c.override.len == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		c.override = env_str(env, names[i]);
		if (c.override.len > 0)
			*ret_from = names[i];
	}
	return c;
}
