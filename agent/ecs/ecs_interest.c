/* Which tasks a pass asks about: see ecs_interest.h. */
#include "config.h"

#include "ecs/ecs_interest.h"

static bool
is_held(const struct ecs_sweep_start *start, const struct roster_task *t, bool if_unknown)
{
	return start->is_held != NULL ? start->is_held(start->arg, t) : if_unknown;
}

static bool
publishes(const struct taskdef *d)
{
	for (size_t i = 0; i < d->n_containers; i++)
		for (size_t k = 0; k < d->containers[i].n_ports; k++)
			if (d->containers[i].ports[k].tcp)
				return true;
	return false;
}

static bool
is_bound(const struct roster_task *t)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].n_bindings > 0)
			return true;
	return false;
}

/* Its own address; or ports of its machine, which are told some time after it runs. */
static bool
has_address(const struct roster_task *t)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (t->containers[i].ipv4.len > 0 || t->containers[i].ipv6.len > 0)
			return true;
	if (t->definition == NULL)
		return t->container_instance_arn.len > 0;
	if (t->definition->network == TASKDEF_BRIDGE && publishes(t->definition))
		return t->container_instance_arn.len > 0 && is_bound(t);
	return t->container_instance_arn.len > 0 && t->definition->network != TASKDEF_AWSVPC;
}

/* Without a health check in its definition a task is UNKNOWN for ever: there is
 * nothing to wait for. */
static bool
may_become_healthy(const struct roster_task *t)
{
	if (t->health == ROSTER_HEALTHY)
		return false;
	if (t->definition == NULL)
		return true;
	for (size_t i = 0; i < t->definition->n_containers; i++)
		if (t->definition->containers[i].has_health_check)
			return true;
	return false;
}

/* Admitted as far as ECS is concerned: FULL passes will do for this one. */
static bool
is_settled(const struct ecs_sweep_start *start, const struct roster_task *t)
{
	if (t->ended_wall_ms != 0 || t->missing > 0 || t->last_status != ROSTER_RUNNING ||
	    t->desired_status != ROSTER_RUNNING)
		return false;
	return has_address(t) && !(start->require_healthy && may_become_healthy(t));
}

static enum ecs_interest
of_listed(const struct ecs_sweep_start *start, const struct roster_task *t)
{
	if (t != NULL && roster_task_is_ending(t))
		return ECS_INTEREST_ENDING;
	if (t == NULL || !is_settled(start, t))
		return ECS_INTEREST_ENTERING;
	return start->kind == ECS_SWEEP_FULL ? ECS_INTEREST_REST : ECS_INTEREST_NONE;
}

/* Who is sought is named, too. */
static enum ecs_interest
of_named(const struct ecs_sweep_start *start, const struct ecs_ledger_entry *entry)
{
	bool is_named = entry->sought || ecs_sought_find(start->named, str_after_last(entry->arn, '/')) != NULL;

	return is_named ? ECS_INTEREST_ENTERING : ECS_INTEREST_NONE;
}

enum ecs_interest
ecs_interest_describe(
    const struct ecs_sweep_start *start, const struct ecs_ledger *l, const struct ecs_ledger_entry *entry)
{
	const struct roster_task *t = entry->before;

	if (start->kind == ECS_SWEEP_NAMED)
		return of_named(start, entry);
	if (entry->sought)
		return ECS_INTEREST_ENDING;
	if (entry->listed)
		return of_listed(start, t);
	/* Merely MISSING, and served still: proof may come, or it may turn out to be there. */
	if (t->ended_wall_ms != 0 && !(start->kind == ECS_SWEEP_FULL && t->is_by_event))
		return start->kind == ECS_SWEEP_FULL && !roster_task_is_ending(t) && is_held(start, t, false)
			   ? ECS_INTEREST_ENDING
			   : ECS_INTEREST_NONE;
	if (roster_task_is_ending(t) && start->kind == ECS_SWEEP_WATCH && !is_held(start, t, true))
		return ECS_INTEREST_NONE;
	return roster_task_is_ending(t) || ecs_ledger_is_vanished(l, entry) ? ECS_INTEREST_ENDING : ECS_INTEREST_NONE;
}

/* WATCH asks only for what it has just been told of: a definition that cannot be
 * read is tried again with every FULL pass, not every other second. */
bool
ecs_interest_define(const struct ecs_sweep_start *start, const struct ecs_ledger_entry *entry)
{
	const struct roster_task *t = ecs_ledger_task(entry);

	if (t == NULL || t->definition != NULL || t->definition_arn.len == 0)
		return false;
	if (start->kind != ECS_SWEEP_FULL && !entry->described)
		return false;
	/* What is sought is held: without its ports nobody knows which server is meant. */
	return (t->desired_status == ROSTER_RUNNING && t->ended_wall_ms == 0) || entry->sought ||
	       is_held(start, t, false);
}
