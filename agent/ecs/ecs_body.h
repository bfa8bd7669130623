/* The bodies of the calls we make to ECS, as JSON.  Pure. */
#ifndef ECS_ECS_BODY_H
#define ECS_ECS_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

#define ECS_BODY_MAX           ((size_t)256 << 10) /* 100 ARNs of the longest names are a sixth of it */
#define ECS_BODY_PAGE          100                 /* the most that a list gives at once */
#define ECS_BODY_TASKS_MAX     ((size_t)100)       /* the most that DescribeTasks takes ... */
#define ECS_BODY_INSTANCES_MAX ((size_t)100)       /* ... and DescribeContainerInstances */
#define ECS_BODY_SERVICES_MAX  ((size_t)10)        /* the most that DescribeServices takes */
#define ECS_BODY_MANAGED_PAGE  50                  /* the most that Systems Manager gives at once */

/* Tokens are AWS's text and names are the operator's: quoted as JSON wants it. */
void ecs_body_text(struct buf *b, struct str s);

/* An empty token asks for the first page.  Check with buf_failed. */
void ecs_body_list_tasks(struct buf *b, struct str cluster, struct str token);
void ecs_body_cluster(struct buf *b, struct str cluster);
void ecs_body_list_clusters(struct buf *b, struct str token);
void ecs_body_describe_clusters(struct buf *b, struct str cluster);
void ecs_body_task_definition(struct buf *b, struct str arn);

/* begin, then each ARN (is_first for the first), then end. */
void ecs_body_describe_begin(struct buf *b, struct str cluster);
void ecs_body_item(struct buf *b, bool is_first, struct str text);
void ecs_body_describe_end(struct buf *b);
/* DescribeContainerInstances; likewise, with the same end. */
void ecs_body_instances_begin(struct buf *b, struct str cluster);
/* DescribeServices; likewise, its items are names. */
void ecs_body_services_begin(struct buf *b, struct str cluster);
/* Systems Manager's DescribeInstanceInformation; its items are ids. */
void ecs_body_managed_begin(struct buf *b);
void ecs_body_managed_end(struct buf *b, struct str token);

#endif
