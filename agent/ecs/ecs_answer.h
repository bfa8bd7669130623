/*
 * ECS's JSON answers as values.  Pure, and strict: what has the wrong type, or
 * an identifier or address that is not one, is refused with a path to it; what
 * is merely unknown is passed over, since AWS adds members at any time.
 */
#ifndef ECS_ECS_ANSWER_H
#define ECS_ECS_ANSWER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/roster.h"

#define ECS_ANSWER_MAX       ((size_t)8 << 20)  /* bytes of one answer */
#define ECS_ANSWER_ARENA_MAX ((size_t)64 << 20) /* enough for any answer of that size */
#define ECS_ANSWER_LIST_MAX  ((size_t)10000)    /* ARNs of one page, tasks or failures of one answer */
#define ECS_ANSWER_TOKEN_MAX ((size_t)8192)     /* bytes of a nextToken */

struct ecs_answer_list {
	const struct str *arns;
	size_t n;
	struct str next_token; /* empty: the last page */
};

struct ecs_answer_failure {
	struct str arn, reason, detail;
};

struct ecs_answer_tasks {
	const struct roster_task *tasks; /* definition null, listed false */
	size_t n_tasks;
	/* Of the first task (malformed ones count) that names one, else empty. */
	struct str cluster_arn;
	bool several_clusters; /* not all tasks name that one: this is nobody's answer */
	const struct ecs_answer_failure *failures;
	size_t n_failures;
	/* Tasks that were left out because something in them was malformed; each is
	 * named by its ARN (as far as it is one) with what was wrong. */
	const struct ecs_answer_failure *malformed;
	size_t n_malformed;
};

struct ecs_answer_service {
	struct str name;        /* as ECS takes it for one */
	struct str cluster_arn; /* empty: not said */
	int64_t created_ms;     /* Unix time; 0: not said */
};

struct ecs_answer_services {
	const struct ecs_answer_service *services;
	size_t n;
	const struct ecs_answer_failure *failures;
	size_t n_failures;
};

/* Everything in *ret lives in a. */
NODISCARD enum err_code ecs_answer_list_tasks(
    struct arena *a, struct str json, struct ecs_answer_list *ret, struct err *e);
NODISCARD enum err_code ecs_answer_list_clusters(
    struct arena *a, struct str json, struct ecs_answer_list *ret, struct err *e);
NODISCARD enum err_code ecs_answer_describe_tasks(
    struct arena *a, struct str json, struct ecs_answer_tasks *ret, struct err *e);
NODISCARD enum err_code ecs_answer_describe_services(
    struct arena *a, struct str json, struct ecs_answer_services *ret, struct err *e);
/* Of DescribeClusters for one cluster: its ARN; empty: ECS does not know it. */
NODISCARD enum err_code ecs_answer_describe_cluster(struct arena *a, struct str json, struct str *ret, struct err *e);
/* A new definition with one reference, the caller's. */
NODISCARD enum err_code ecs_answer_task_definition(struct str json, struct taskdef **ret, struct err *e);

#endif
