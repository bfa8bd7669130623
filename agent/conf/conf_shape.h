/*
 * What texts must look like: names, globs, ARNs, URLs.  A whitelist each, since
 * much of it ends in HAProxy's runtime commands and files, where nothing may need
 * quoting.
 */
#ifndef CONF_CONF_SHAPE_H
#define CONF_CONF_SHAPE_H

#include <stdbool.h>

#include "base/str.h"

struct conf_shape {
	bool (*is)(struct str s);
	const char *wants; /* ends "`KEY`: `VALUE` is not ..." */
	bool may_be_empty; /* "" is the same as leaving the key out */
	bool secret;       /* no message may show the value */
};

extern const struct conf_shape conf_shape_source_name;
extern const struct conf_shape conf_shape_source_glob;
extern const struct conf_shape conf_shape_region;
extern const struct conf_shape conf_shape_cluster;
extern const struct conf_shape conf_shape_cluster_glob;
extern const struct conf_shape conf_shape_service_glob;
extern const struct conf_shape conf_shape_container_glob;
extern const struct conf_shape conf_shape_url;
extern const struct conf_shape conf_shape_secret;
extern const struct conf_shape conf_shape_profile;
extern const struct conf_shape conf_shape_role_arn;
extern const struct conf_shape conf_shape_topic_arn;
extern const struct conf_shape conf_shape_external_id;
extern const struct conf_shape conf_shape_path;
extern const struct conf_shape conf_shape_optional_path;
extern const struct conf_shape conf_shape_map_file;
extern const struct conf_shape conf_shape_proxy; /* a section of haproxy.cfg */
extern const struct conf_shape conf_shape_backend;
extern const struct conf_shape conf_shape_entrypoint;
extern const struct conf_shape conf_shape_host;
extern const struct conf_shape conf_shape_host_glob;
extern const struct conf_shape conf_shape_label;
extern const struct conf_shape conf_shape_expression; /* for the rule and constraint parsers */
extern const struct conf_shape conf_shape_grpc_service;
extern const struct conf_shape conf_shape_url_path;
extern const struct conf_shape conf_shape_group;
extern const struct conf_shape conf_shape_header_name;
extern const struct conf_shape conf_shape_header_value;

/* The region in an ECS cluster's ARN; empty if it is none. */
struct str conf_shape_arn_region(struct str arn);

#endif
