/*
 * A message of the events queue.  Laws: what is refused has one line that says why; what
 * is accepted is of one account, region and cluster; and what it does to the facts of the
 * task that it names is to end it, and nothing else of anybody.
 */
#include "config.h"

#include "ecs/arn.h"
#include "ecs/ecs_told.h"
#include "fuzz.h"

static void
check_origin(const struct ecs_event *event)
{
	struct str name, named, id;
	struct arn of_cluster, of_task;

	REQUIRE(arn_parse_cluster(event->cluster_arn, &of_cluster, &name) && arn_is_name(name));
	REQUIRE(arn_parse_task(event->task.arn, &of_task, &named, &id) && str_eq(id, event->task.id));
	REQUIRE(str_eq(of_cluster.account, of_task.account) && str_eq(of_cluster.region, of_task.region));
	REQUIRE(named.len == 0 || str_eq(named, name));
	REQUIRE(ecs_told_is_of(event, of_cluster.account, event->cluster_arn));
	REQUIRE(!ecs_told_is_of(event, of_cluster.account, STR("")));
}

/* Two tasks that run: the one it names, and another. */
static void
check_effect(const struct ecs_event *event)
{
	struct roster_task tasks[2] = { event->task, event->task };
	struct roster_facts *before = NULL, *now = NULL;
	const struct roster_task *t;

	for (size_t i = 0; i < 2; i++) {
		tasks[i].last_status = tasks[i].desired_status = ROSTER_RUNNING;
		tasks[i].version = 3;
	}
	tasks[1].arn = STR("arn:aws:ecs:eu-west-1:1:task/other/other");
	if (roster_facts_make(tasks, 2, (size_t)64 << 20, &before, NULL) != ERR_OK)
		return; /* it names the other */
	REQUIRE(ecs_told_apply(before, &event->task, 1, 1, &now, NULL) == ERR_OK);
	REQUIRE((now == before) == (ecs_told_judge(before, &event->task) != ECS_TOLD_END));
	REQUIRE(ecs_told_judge(now, &event->task) != ECS_TOLD_END);
	t = roster_facts_find(now, tasks[1].arn);
	REQUIRE(t != NULL && roster_task_same(t, &tasks[1]) && !t->is_by_event);
	t = roster_facts_find(now, event->task.arn);
	REQUIRE(t != NULL && t->last_status >= ROSTER_RUNNING && t->n_containers == tasks[0].n_containers);
	REQUIRE(now == before || t->desired_status == ROSTER_STOPPED || t->last_status >= ROSTER_DEACTIVATING);
	roster_facts_unref(before);
	roster_facts_unref(now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct ecs_event event;
	struct err e = ERR_INIT;

	REQUIRE(a != NULL);
	if (ecs_event_read(a, str_of(data, size), &event, &e) != ERR_OK) {
		REQUIRE(e.code == ERR_PARSE || e.code == ERR_LIMIT);
		REQUIRE(e.msg[0] != '\0' && strchr(e.msg, '\n') == NULL);
	} else if (event.is_of_task) {
		check_origin(&event);
		check_effect(&event);
	}
	arena_free(a);
	return 0;
}
