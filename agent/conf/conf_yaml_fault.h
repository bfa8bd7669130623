/*
 * What is wrong with a text before it is a tree, in the operator's terms: bytes
 * that no YAML may hold, and libyaml's own complaints said so that they help.
 */
#ifndef CONF_CONF_YAML_FAULT_H
#define CONF_CONF_YAML_FAULT_H

#include <stdbool.h>

#include "base/str.h"
#include "conf/conf.h"
#include "conf/conf_report.h"

/* What libyaml says: "problem" at one place, "context" (may be null) at another. */
struct conf_yaml_fault {
	const char *problem, *context;
	struct conf_where at, context_at;
};

/* False: the text is too long, not UTF-8 or holds control characters; that is reported. */
bool conf_yaml_fault_bytes(struct conf_report *r, struct str text);
void conf_yaml_fault_syntax(struct conf_report *r, struct str text, const struct conf_yaml_fault *f);

#endif
