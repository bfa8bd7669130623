/*
 * The machines that bridge and host tasks run on, by the ARN of their container
 * instance: asked for once, bounded, the least recently used forgotten first.  A value
 * that the sweeps of all clusters share; pure.
 *
 * What could not be learnt is remembered, too, with the reason: it is asked again after
 * a time that doubles with each failure.
 */
#ifndef ECS_ECS_HOSTS_H
#define ECS_ECS_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define ECS_HOSTS_MAX          16384
#define ECS_HOSTS_ID_MAX       64
#define ECS_HOSTS_RETRY_MS     INT64_C(5000)   /* after the first failure */
#define ECS_HOSTS_RETRY_CAP_MS INT64_C(300000) /* and at most */
/* A machine of ECS Anywhere may come back from a reboot with another address. */
#define ECS_HOSTS_EXTERNAL_MS INT64_C(600000)

struct ecs_host {
	struct str arn;        /* of the container instance */
	struct str id;         /* "i-..." of EC2, "mi-..." of ECS Anywhere; empty: not known yet */
	struct str ipv4, ipv6; /* as inet_ntop writes them; both empty: not known (yet) */
	int64_t due_ms;        /* monotonic: not to be asked about before */
	unsigned failures;     /* in a row */
	struct err why;        /* of the last */
};

struct ecs_hosts;

NODISCARD struct ecs_hosts *ecs_hosts_new(size_t max); /* max > 0 */
void ecs_hosts_free(struct ecs_hosts *h);              /* null is fine */
/* Or null; what it returns is the table's, until the next ecs_hosts_add. */
const struct ecs_host *ecs_hosts_find(struct ecs_hosts *h, struct str arn);
/* The one that is there, or a new one of which nothing is known; null: no memory. */
NODISCARD const struct ecs_host *ecs_hosts_add(struct ecs_hosts *h, struct str arn);
/* What was learnt of one that was added and may be forgotten by now. */
void ecs_hosts_identify(struct ecs_hosts *h, struct str arn, struct str id);
void ecs_hosts_place(struct ecs_hosts *h, struct str arn, struct str ipv4, struct str ipv6, int64_t mono_ms);
void ecs_hosts_fail(struct ecs_hosts *h, struct str arn, const struct err *why, int64_t mono_ms);
bool ecs_hosts_is_external(struct str id); /* of ECS Anywhere */

#endif
