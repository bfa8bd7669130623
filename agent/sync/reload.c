/* What a new configuration would take away: see reload.h. */
#include "config.h"

#include "sync/reload.h"

/* A server for another port of the task is another server: the one there is leaves. */
static bool
is_exposed(const struct desired_backend *b, const struct desired_server *s)
{
	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (b->servers[i].want != DESIRED_LEAVE && b->servers[i].port == s->port &&
		    str_eq(b->servers[i].task->arn, s->task->arn) && str_eq(b->servers[i].address, s->address))
			return true;
	return false;
}

static bool
is_serving(const struct plan_server *s)
{
	return s->state == PLAN_STATE_UP && s->desired != NULL && s->desired->want != DESIRED_LEAVE;
}

struct reload_loss
reload_loss_of(const struct plan *now, size_t i, const struct desired *next, const struct conf *conf)
{
	const struct plan_backend *b = &now->backends[i];
	const struct conf_backend *entry = conf_backend_by_name(conf, b->name);
	const struct desired_backend *exposed = desired_find(next, b->name);
	struct reload_loss loss = {
		.backend = b->name,
		.limit = entry != NULL ? entry->policy.removal_limit_percent : conf->defaults.removal_limit_percent,
	};

	for (size_t j = 0; j < b->n_servers; j++) {
		if (!is_serving(&b->servers[j]))
			continue;
		loss.serving++;
		loss.lost += !is_exposed(exposed, b->servers[j].desired);
	}
	return loss;
}

bool
reload_is_too_much(const struct reload_loss *loss)
{
	return loss->lost * 100 > (size_t)loss->limit * loss->serving;
}

static bool
is_held_back(const struct overlay *o, const struct plan_server *s)
{
	const struct actual_server *a = s->actual;
	const struct overlay_leave *l = overlay_find_leave(o, s->backend, a->name, a->address, a->port);
	bool leaves = s->is_orphan || (s->desired != NULL && s->desired->want == DESIRED_LEAVE);

	return leaves && s->evidence == EVIDENCE_UNEXPOSED && a->admin != ACTUAL_MAINT &&
	       (l == NULL || !l->is_released);
}

bool
reload_holds_back(const struct plan *now, const struct overlay *o, struct str backend)
{
	const struct plan_backend *b = plan_find(now, backend);

	for (size_t i = 0; b != NULL && b->is_frozen && i < b->n_servers; i++)
		if (is_held_back(o, &b->servers[i]))
			return true;
	return false;
}
