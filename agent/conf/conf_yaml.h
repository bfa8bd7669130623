/*
 * YAML text to a tree of nodes, each with its place: what libyaml's events say,
 * less everything a configuration has no use for (anchors, aliases, tags, several
 * documents), within limits.  The tree knows nothing of keys and what they mean;
 * conf_decode.h reads it.
 *
 * Nodes are scalars (text, whatever quotes it had), lists and maps.  `${VAR}` is
 * already expanded in values, and never in keys.
 */
#ifndef CONF_CONF_YAML_H
#define CONF_CONF_YAML_H

#include <stddef.h>

#include "base/cleanup.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "conf/conf_report.h"

#define CONF_YAML_DEPTH_MAX 16
#define CONF_YAML_NODES_MAX ((size_t)65536)
#define CONF_YAML_LIST_MAX  ((size_t)10000) /* items of one list */
#define CONF_YAML_MAP_MAX   ((size_t)1000)  /* keys of one map */

enum conf_yaml_kind {
	CONF_YAML_SCALAR,
	CONF_YAML_NULL, /* a plain scalar: nothing, ~ or null */
	CONF_YAML_LIST,
	CONF_YAML_MAP,
	CONF_YAML_BAD, /* is wrong in itself, and that is reported */
};

struct conf_yaml_node {
	enum conf_yaml_kind kind;
	struct conf_where where; /* of a null in a map: its key's */
	struct str text;         /* of a scalar */
	struct str raw;          /* as written: what a message may show */
	struct conf_yaml_node *first, *next;
	size_t n;       /* children */
	struct str key; /* of a map's child */
	struct conf_where key_where;
};

/* *ret_root is null if nothing in the text can be used; then there is a fault.
 * ERR_NOMEM is the only other failure. */
NODISCARD enum err_code conf_yaml_parse(struct arena *a, struct str text, const struct env *env, struct conf_report *r,
    const struct conf_yaml_node **ret_root, struct err *e);

/* Null if map is not a map or has no such key. */
const struct conf_yaml_node *conf_yaml_get(const struct conf_yaml_node *map, const char *key);

#endif
