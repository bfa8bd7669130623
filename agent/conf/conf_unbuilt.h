/* What the configuration may ask for already, and this version does not do yet. */
#ifndef CONF_CONF_UNBUILT_H
#define CONF_CONF_UNBUILT_H

#include "conf/conf_report.h"
#include "conf/conf_yaml.h"

/* One warning per feature, where it is first asked for. */
void conf_unbuilt_warn(struct conf_report *r, const struct conf_yaml_node *root);

#endif
