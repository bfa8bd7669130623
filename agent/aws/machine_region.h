/*
 * Which AWS region this machine is in, by the metadata of our own ECS task, then of the
 * EC2 instance.  For before there is a loop: it runs one of its own, for a few seconds
 * at most.
 */
#ifndef AWS_MACHINE_REGION_H
#define AWS_MACHINE_REGION_H

#include "base/cleanup.h"
#include "base/env.h"
#include "base/err.h"

#define MACHINE_REGION_SIZE 64

NODISCARD enum err_code machine_region_find(const struct env *env, char ret[MACHINE_REGION_SIZE], struct err *e);

#endif
