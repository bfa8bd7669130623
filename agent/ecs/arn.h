/* Amazon Resource Names, taken apart: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.  Pure. */
#ifndef ECS_ARN_H
#define ECS_ARN_H

#include <stdbool.h>

#include "base/str.h"

#define ARN_MAX 2048

struct arn {
	struct str partition, service, region, account, resource; /* borrow the text */
};

bool arn_parse(struct str text, struct arn *ret);
/* "task/CLUSTER/ID" or, in old accounts, "task/ID" (then *ret_cluster is empty). */
bool arn_parse_task(struct str text, struct arn *ret, struct str *ret_cluster, struct str *ret_id);
/* "task-definition/FAMILY:REVISION" */
bool arn_parse_definition(struct str text, struct str *ret_family, unsigned *ret_revision);
/* "cluster/NAME", or a bare name. */
struct str arn_cluster_name(struct str text);

#endif
