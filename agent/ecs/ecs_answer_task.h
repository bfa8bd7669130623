/* One task of a DescribeTasks answer as a value.  Pure; the larger half of ecs_answer.c. */
#ifndef ECS_ECS_ANSWER_TASK_H
#define ECS_ECS_ANSWER_TASK_H

#include "base/arena.h"
#include "base/err.h"
#include "ecs/ecs_json.h"
#include "ecs/roster.h"

/* *ret lives in a, but for strings that borrow o's document: roster_task_copy what is to stay. */
NODISCARD enum err_code ecs_answer_task(
    struct arena *a, const struct ecs_json *o, struct roster_task *ret, struct err *e);

#endif
