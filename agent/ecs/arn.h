/*
 * Amazon Resource Names, taken apart: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
 * Pure.  What is parsed borrows the text; false leaves every ret alone.
 */
#ifndef ECS_ARN_H
#define ECS_ARN_H

#include <stdbool.h>

#include "base/str.h"

#define ARN_MAX 2048

struct arn {
	struct str partition, service, region, account, resource;
};

/* Any ARN of printable characters without blanks. */
bool arn_parse(struct str text, struct arn *ret);
/* The others want an ARN of ECS that names its region and account. */
/* "task/CLUSTER/ID" or, in old accounts, "task/ID" (then *ret_cluster is empty). */
bool arn_parse_task(struct str text, struct arn *ret, struct str *ret_cluster, struct str *ret_id);
/* "task-definition/FAMILY:REVISION" */
bool arn_parse_definition(struct str text, struct str *ret_family, unsigned *ret_revision);
/* "cluster/NAME" */
bool arn_parse_cluster(struct str text, struct arn *ret, struct str *ret_name);
/* The NAME of a cluster's ARN; anything else is taken for the name itself. */
struct str arn_cluster_name(struct str text);
/* As ECS names clusters, families, services and containers: 1..255 of [A-Za-z0-9_-]. */
bool arn_is_name(struct str s);
/* An id that DescribeTasks takes in the place of an ARN: one of another length makes
 * it refuse the whole call. */
bool arn_is_task_id(struct str s);

#endif
