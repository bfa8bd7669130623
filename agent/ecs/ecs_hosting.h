/*
 * Asking where the machines of bridge and host tasks are: one pass's worth of calls,
 * without I/O.  ECS is asked for the container instances that are new to us, a hundred
 * a call; then EC2 for its machines and Systems Manager for those of ECS Anywhere.  What
 * is learnt, and what could not be, goes to the table of hosts (ecs_hosts.h).
 */
#ifndef ECS_ECS_HOSTING_H
#define ECS_ECS_HOSTING_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws_service.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/ecs_hosts.h"

#define ECS_HOSTING_PAGES_MAX 20 /* of one batch */

struct ecs_hosting;

struct ecs_hosting_ask {
	size_t call; /* give it back with the answer */
	const struct aws_service *to;
	const char *action;
};

/* Copies cluster (name or ARN); borrows hosts. */
NODISCARD enum err_code ecs_hosting_new(
    struct ecs_hosts *hosts, struct str cluster, int64_t mono_ms, struct ecs_hosting **ret, struct err *e);
void ecs_hosting_free(struct ecs_hosting *h); /* null is fine */
/* A task runs on this container instance; any number of times, before the first ask. */
NODISCARD enum err_code ecs_hosting_want(struct ecs_hosting *h, struct str instance_arn, struct err *e);
/* No more are wanted. */
NODISCARD enum err_code ecs_hosting_begin(struct ecs_hosting *h, struct err *e);
/* True, *ret set and the body appended, if there is a call that may be made now. */
bool ecs_hosting_next(struct ecs_hosting *h, struct ecs_hosting_ask *ret, struct buf *body);
enum err_code ecs_hosting_answer(struct ecs_hosting *h, size_t call, struct str text, struct err *e);
void ecs_hosting_failed(struct ecs_hosting *h, size_t call, const struct err *why);
void ecs_hosting_give_up(struct ecs_hosting *h, const struct err *why); /* no call is made any more */
bool ecs_hosting_has_more(struct ecs_hosting *h);                       /* would ecs_hosting_next say true? */
/* Why the address of a machine that is wanted is not known; OK: all are. */
struct err ecs_hosting_fault(struct ecs_hosting *h);

#endif
