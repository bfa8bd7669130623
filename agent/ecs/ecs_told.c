/* What events do to the facts: see ecs_told.h. */
#include "config.h"

#include "ecs/ecs_told.h"

#include <stdlib.h>

#include "ecs/arn.h"
#include "ecs/ecs_ledger.h"

static bool
is_over(const struct roster_task *t)
{
	return t->last_status == ROSTER_STOPPED || t->last_status == ROSTER_DELETED;
}

bool
ecs_told_is_of(const struct ecs_event *event, struct str account, struct str cluster_arn)
{
	struct str name;
	struct arn arn;

	return cluster_arn.len > 0 && str_eq(event->cluster_arn, cluster_arn) &&
	       arn_parse_cluster(event->cluster_arn, &arn, &name) && str_eq(arn.account, account);
}

/* A task without a version is not counted; then only what it says can be compared. */
static bool
is_older(const struct roster_task *known, const struct roster_task *told)
{
	return known->version != 0 && told->version != 0 && told->version < known->version;
}

/* It gets on with its life: there is no way back. */
static bool
advances(const struct roster_task *known, const struct roster_task *told)
{
	return told->last_status > known->last_status ||
	       (told->desired_status == ROSTER_STOPPED && known->desired_status != ROSTER_STOPPED);
}

enum ecs_told_verdict
ecs_told_judge(const struct roster_facts *facts, const struct roster_task *told)
{
	const struct roster_task *known = roster_facts_find(facts, told->arn);

	/* Who ends before we knew it will not be served; if HAProxy serves it, it is sought. */
	if (known == NULL)
		return roster_task_is_ending(told) ? ECS_TOLD_NOTHING : ECS_TOLD_ASK;
	if ((known->ended_wall_ms != 0 && roster_task_is_ending(known)) || is_older(known, told))
		return ECS_TOLD_NOTHING; /* one that is merely MISSING may turn out to have ended, or to run */
	/* A task keeps its definition for life: this is not what it claims to be. */
	if (!str_eq(known->definition_arn, told->definition_arn))
		return ECS_TOLD_ASK;
	if (roster_task_is_ending(told) && !advances(known, told))
		return ECS_TOLD_NOTHING;
	if (roster_task_is_ending(told))
		return known->is_contradicted ? ECS_TOLD_ASK : ECS_TOLD_END;
	return told->version > known->version || advances(known, told) ? ECS_TOLD_ASK : ECS_TOLD_NOTHING;
}

static void
end_task(struct roster_task *t, const struct roster_task *told, int64_t wall_ms)
{
	if (told->last_status > t->last_status)
		t->last_status = told->last_status;
	if (told->desired_status == ROSTER_STOPPED)
		t->desired_status = ROSTER_STOPPED;
	if (told->version > t->version)
		t->version = told->version;
	if (told->stop_code.len > 0)
		t->stop_code = told->stop_code;
	if (told->stopped_reason.len > 0)
		t->stopped_reason = told->stopped_reason;
	if (told->stopping_ms != 0)
		t->stopping_ms = told->stopping_ms;
	if (told->stopped_ms != 0)
		t->stopped_ms = told->stopped_ms;
	t->missing = 0;
	t->described_wall_ms = wall_ms;
	t->is_by_event = true;
	t->ended_wall_ms = is_over(t) ? wall_ms : 0;
}

enum err_code
ecs_told_apply(struct roster_facts *facts, const struct roster_task *ends, size_t n, int64_t wall_ms,
    struct roster_facts **ret, struct err *e)
{
	struct roster_facts now = { .n_tasks = facts->n_tasks };
	struct roster_task *tasks = calloc(facts->n_tasks + 1, sizeof(*tasks));
	size_t n_news = 0;
	enum err_code code = ERR_OK;

	if (tasks == NULL)
		return err_set(e, ERR_NOMEM, "note what events tell: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < facts->n_tasks; i++)
		tasks[i] = facts->tasks[i];
	now.tasks = tasks;
	for (size_t i = 0; i < n; i++) {
		const struct roster_task *known = roster_facts_find(&now, ends[i].arn);

		if (ecs_told_judge(&now, &ends[i]) != ECS_TOLD_END)
			continue;
		end_task(&tasks[known - tasks], &ends[i], wall_ms);
		n_news++;
	}
	if (n_news > 0)
		code = roster_facts_make(tasks, facts->n_tasks, ECS_LEDGER_FACTS_MAX, ret, e);
	else
		*ret = roster_facts_ref(facts);
	free(tasks);
	return code;
}
