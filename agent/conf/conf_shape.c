/* Shapes of texts: see conf_shape.h. */
#include "config.h"

#include "conf/conf_shape.h"

#include <strings.h>

#define ALPHA "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool
consists_of(struct str s, size_t max, const char *chars)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || strchr(chars, s.ptr[i]) == NULL)
			return false;
	return s.len > 0 && s.len <= max;
}

/* Printable ASCII without blanks, quotes and backslash: nobody needs to quote it. */
static bool
is_plain(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= 0x20 || s.ptr[i] > 0x7e || strchr("\"'\\", s.ptr[i]) != NULL)
			return false;
	return s.len > 0 && s.len <= max;
}

static bool
is_source_name(struct str s)
{
	return consists_of(s, 64, ALPHA DIGIT "_.-");
}

static bool
is_source_glob(struct str s)
{
	return consists_of(s, 64, ALPHA DIGIT "_.-*?");
}

static bool
is_region(struct str s)
{
	return consists_of(s, 32, "abcdefghijklmnopqrstuvwxyz" DIGIT "-") && s.ptr[0] != '-' && s.ptr[s.len - 1] != '-';
}

static bool
is_partition(struct str s)
{
	return str_eq(s, STR("aws")) || (str_has_prefix(s, STR("aws-")) && is_region(s));
}

static bool
is_account(struct str s)
{
	return s.len == 12 && consists_of(s, 12, DIGIT);
}

struct arn {
	struct str partition, service, region, account, resource;
};

static bool
take_arn(struct str s, struct arn *ret)
{
	struct str scheme;

	if (!str_next(&s, ':', &scheme) || !str_eq(scheme, STR("arn")) || !str_next(&s, ':', &ret->partition) ||
	    !str_next(&s, ':', &ret->service) || !str_next(&s, ':', &ret->region) ||
	    !str_next(&s, ':', &ret->account) || s.ptr == NULL)
		return false;
	ret->resource = s;
	return is_partition(ret->partition) && is_account(ret->account);
}

static bool
is_cluster_name(struct str s)
{
	return consists_of(s, 255, ALPHA DIGIT "_-");
}

static bool
take_cluster_arn(struct str s, struct arn *ret)
{
	static const char kind[] = "cluster/";

	return take_arn(s, ret) && str_eq(ret->service, STR("ecs")) && is_region(ret->region) &&
	       str_has_prefix(ret->resource, str_from_cstr(kind)) &&
	       is_cluster_name(str_skip(ret->resource, sizeof(kind) - 1));
}

static bool
is_cluster(struct str s)
{
	struct arn arn;

	return str_eq(s, STR("*")) || is_cluster_name(s) || take_cluster_arn(s, &arn);
}

struct str
conf_shape_arn_region(struct str arn)
{
	struct arn parts;

	return take_cluster_arn(arn, &parts) ? parts.region : str_of(NULL, 0);
}

static bool
is_cluster_glob(struct str s)
{
	return consists_of(s, 320, ALPHA DIGIT "_-:/*?");
}

static bool
is_service_glob(struct str s)
{
	return consists_of(s, 263, ALPHA DIGIT "_-:*?");
}

static bool
is_container_glob(struct str s)
{
	return consists_of(s, 255, ALPHA DIGIT "_-*?");
}

/* No user:password@, no query, no fragment. */
static bool
is_url(struct str s)
{
	struct str rest, host;
	size_t at;

	if (str_has_prefix(s, STR("https://")))
		rest = str_skip(s, 8);
	else if (str_has_prefix(s, STR("http://")))
		rest = str_skip(s, 7);
	else
		return false;
	host = str_find(rest, '/', &at) ? str_first(rest, at) : rest;
	return is_plain(rest, 1000) && host.len > 0 && host.ptr[0] != ':' && !str_find(rest, '@', &at) &&
	       !str_find(rest, '?', &at) && !str_find(rest, '#', &at);
}

static bool
is_secret(struct str s)
{
	return is_plain(s, 8192);
}

static bool
is_profile(struct str s)
{
	return str_is_printable(s) && s.len <= 200;
}

static bool
is_role_arn(struct str s)
{
	struct arn arn;

	return is_plain(s, 2048) && take_arn(s, &arn) && str_eq(arn.service, STR("iam")) &&
	       str_has_prefix(arn.resource, STR("role/")) && arn.resource.len > 5;
}

static bool
is_topic_arn(struct str s)
{
	struct arn arn;

	return is_plain(s, 512) && take_arn(s, &arn) && str_eq(arn.service, STR("sns")) && is_region(arn.region) &&
	       consists_of(arn.resource, 256, ALPHA DIGIT "_-.");
}

static bool
is_external_id(struct str s)
{
	return consists_of(s, 1224, ALPHA DIGIT "+=,.@:/_-");
}

static bool
is_path(struct str s)
{
	return is_plain(s, 1000) && s.ptr[0] == '/';
}

/* A file of managed.dir, or one by its whole path. */
static bool
is_map_file(struct str s)
{
	return is_path(s) || (consists_of(s, 200, ALPHA DIGIT "_.-") && s.ptr[0] != '.');
}

static bool
is_proxy(struct str s)
{
	return consists_of(s, 120, ALPHA DIGIT "_.:-");
}

static bool
is_entrypoint(struct str s)
{
	return consists_of(s, 64, ALPHA DIGIT "_.-");
}

static bool
is_host(struct str s)
{
	return consists_of(s, 253, ALPHA DIGIT "_.-");
}

static bool
is_host_glob(struct str s)
{
	return consists_of(s, 253, ALPHA DIGIT "_.-*?");
}

static bool
is_label(struct str s)
{
	return is_plain(s, 500);
}

static bool
is_expression(struct str s)
{
	return str_is_printable(s) && s.len <= 4096;
}

static bool
is_grpc_service(struct str s)
{
	return consists_of(s, 200, ALPHA DIGIT "_.");
}

/* Ends in HAProxy's file, where # would begin a comment. */
static bool
is_url_path(struct str s)
{
	return consists_of(s, 1000, ALPHA DIGIT "-_.:/~?@!&*+,;=%()") && s.ptr[0] == '/';
}

static bool
is_group(struct str s)
{
	return consists_of(s, 32, ALPHA DIGIT "_.-") && s.ptr[0] != '-';
}

/* As io/http.h takes it: what libcurl writes itself is not to be said twice. */
static bool
is_header_name(struct str s)
{
	static const char *const not_ours[] = { "host", "content-length", "transfer-encoding" };

	for (size_t i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
		if (s.len == strlen(not_ours[i]) && strncasecmp(s.ptr, not_ours[i], s.len) == 0)
			return false;
	return consists_of(s, 200, ALPHA DIGIT "-_");
}

static bool
is_header_value(struct str s)
{
	return str_is_printable(s) && s.len <= 8192;
}

const struct conf_shape conf_shape_source_name = {
	.is = is_source_name,
	.wants = "a name of at most 64 characters of A-Z a-z 0-9 _ . -",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_source_glob = {
	.is = is_source_glob,
	.wants = "the name of an `ecs` source, or a pattern with * and ?",
};
const struct conf_shape conf_shape_region = {
	.is = is_region,
	.wants = "a region such as eu-west-1",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_cluster = {
	.is = is_cluster,
	.wants = "a cluster's name, its ARN (arn:aws:ecs:REGION:ACCOUNT:cluster/NAME), or * alone for all",
};
const struct conf_shape conf_shape_cluster_glob = {
	.is = is_cluster_glob,
	.wants = "a cluster's name or ARN, or a pattern with * and ?",
};
const struct conf_shape conf_shape_service_glob = {
	.is = is_service_glob,
	.wants = "the name of a service (of tasks without one: family:NAME), or a pattern with * and ?",
};
const struct conf_shape conf_shape_container_glob = {
	.is = is_container_glob,
	.wants = "the name of a container, or a pattern with * and ?",
};
const struct conf_shape conf_shape_url = {
	.is = is_url,
	.wants = "a URL: http:// or https://, a host, and perhaps a port and a path",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_secret = {
	.is = is_secret,
	.wants = "a key: it holds a blank or a character that keys don't",
	.may_be_empty = true,
	.secret = true,
};
const struct conf_shape conf_shape_profile = {
	.is = is_profile,
	.wants = "the name of a profile",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_role_arn = {
	.is = is_role_arn,
	.wants = "the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_topic_arn = {
	.is = is_topic_arn,
	.wants = "the ARN of a topic: arn:aws:sns:REGION:ACCOUNT:NAME",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_external_id = {
	.is = is_external_id,
	.wants = "an external id: characters of A-Z a-z 0-9 + = , . @ : / _ -",
	.may_be_empty = true,
	.secret = true,
};
const struct conf_shape conf_shape_path = {
	.is = is_path,
	.wants = "a path that begins with / and has no blanks",
};
const struct conf_shape conf_shape_optional_path = {
	.is = is_path,
	.wants = "a path that begins with / and has no blanks",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_map_file = {
	.is = is_map_file,
	.wants = "a file name (in managed.dir) or a path",
};
const struct conf_shape conf_shape_proxy = {
	.is = is_proxy,
	.wants = "a name that HAProxy takes: at most 120 characters of A-Z a-z 0-9 _ . : -",
};
const struct conf_shape conf_shape_backend = {
	.is = is_proxy,
	.wants = "the name of a backend: at most 120 characters of A-Z a-z 0-9 _ . : -",
};
const struct conf_shape conf_shape_entrypoint = {
	.is = is_entrypoint,
	.wants = "the name of an entrypoint: at most 64 characters of A-Z a-z 0-9 _ . -",
};
const struct conf_shape conf_shape_host = {
	.is = is_host,
	.wants = "a host name",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_host_glob = {
	.is = is_host_glob,
	.wants = "a host name, or a pattern with * and ?",
};
const struct conf_shape conf_shape_label = {
	.is = is_label,
	.wants = "the name of a label",
};
const struct conf_shape conf_shape_expression = {
	.is = is_expression,
	.wants = "at most 4096 printable ASCII characters",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_grpc_service = {
	.is = is_grpc_service,
	.wants = "the name of a gRPC service, such as acme.v1.Orders",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_url_path = {
	.is = is_url_path,
	.wants = "a path that begins with / and has only letters, digits and -_.:/~?@!&*+,;=%()",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_group = {
	.is = is_group,
	.wants = "the name or number of a group",
	.may_be_empty = true,
};
const struct conf_shape conf_shape_header_name = {
	.is = is_header_name,
	.wants = "the name of a header (A-Z a-z 0-9 - _) that may be set: Host, Content-Length and "
		 "Transfer-Encoding may not",
};
const struct conf_shape conf_shape_header_value = {
	.is = is_header_value,
	.wants = "a header's value: printable ASCII on one line",
	.may_be_empty = true,
	.secret = true,
};
