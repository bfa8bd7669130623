/*
 * What AWS answers about machines: ECS's container instances (JSON), EC2's instances
 * (XML), Systems Manager's (JSON).  Pure, and strict, as ecs_answer.h.
 */
#ifndef ECS_ECS_ANSWER_HOST_H
#define ECS_ECS_ANSWER_HOST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/ecs_answer.h"

struct ecs_answer_instance { /* a container instance */
	struct str arn;
	struct str id; /* "i-..." or "mi-..."; empty: not said */
};

struct ecs_answer_instances {
	const struct ecs_answer_instance *instances;
	size_t n;
	const struct ecs_answer_failure *failures;
	size_t n_failures;
};

struct ecs_answer_address { /* of a machine */
	struct str id;
	struct str ipv4, ipv6; /* as inet_ntop writes them; may be empty: it has none (any more) */
	struct str refused;    /* what it says of itself that no server can have; then both are empty */
};

struct ecs_answer_addresses {
	const struct ecs_answer_address *addresses;
	size_t n;
	struct str next_token; /* empty: the last page */
};

/* Everything in *ret lives in a. */
NODISCARD enum err_code ecs_answer_container_instances(
    struct arena *a, struct str json, struct ecs_answer_instances *ret, struct err *e);
/* EC2 DescribeInstances. */
NODISCARD enum err_code ecs_answer_ec2_instances(
    struct arena *a, struct str xml, struct ecs_answer_addresses *ret, struct err *e);
/* SSM DescribeInstanceInformation. */
NODISCARD enum err_code ecs_answer_ssm_instances(
    struct arena *a, struct str json, struct ecs_answer_addresses *ret, struct err *e);

#endif
