/* The laws of what is desired: see laws.h. */
#include "config.h"

#include "laws_ask.h"

static bool
is_proven_of(const struct desired_backend *b, const struct desired_server *d)
{
	const struct roster_task *t = d->task;

	if (d->evidence != EVIDENCE_REPLACED)
		return t->desired_status == ROSTER_STOPPED || t->last_status >= ROSTER_DEACTIVATING;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct roster_task *o = b->servers[i].task;
		bool near =
		    (t->subnet.len > 0 && str_eq(t->subnet, o->subnet)) ||
		    (t->container_instance_arn.len > 0 && str_eq(t->container_instance_arn, o->container_instance_arn));

		if (near && !str_eq(o->arn, t->arn) && laws_is_newer(o, t) && o->last_status == ROSTER_RUNNING &&
		    o->desired_status == ROSTER_RUNNING && o->missing < 2 &&
		    laws_same_place(d->address, d->port, b->servers[i].address, b->servers[i].port))
			return true;
	}
	return false;
}

static const char *
check_name(struct str name)
{
	if (name.len > 100)
		return "a name is longer than 100";
	for (size_t i = 0; i < name.len; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-", name.ptr[i]) == NULL)
			return "a name holds what HAProxy does not allow";
	return NULL;
}

static const char *
check_candidate(const struct desired_backend *b, const struct desired_server *d)
{
	const struct roster_task *t = d->task;
	bool runs = t->last_status == ROSTER_RUNNING && t->desired_status == ROSTER_RUNNING;

	if (d->want == DESIRED_SERVE && (!runs || t->health == ROSTER_UNHEALTHY || !t->listed || t->missing > 0))
		return "a task serves that is not known to run well";
	if (d->want == DESIRED_SERVE && t->definition == NULL)
		return "a task serves whose definition is not known";
	if (evidence_is_proven(d->evidence) && !is_proven_of(b, d))
		return "what is called proven is not";
	if (d->want != DESIRED_LEAVE && d->evidence != EVIDENCE_RUNNING && d->evidence != EVIDENCE_NONE)
		return "evidence for leaving, but it stays";
	if (d->policy == NULL || d->spec == 0 || d->spec != desired_spec(d->policy))
		return "a candidate without its settings";
	if (d->weight > 256 || (d->weight > 0 && d->want != DESIRED_SERVE))
		return "a weight out of range";
	return check_name(d->name);
}

static const char *
check_backend(const struct desired_backend *b)
{
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct desired_server *d = &b->servers[i];
		const char *broken = check_candidate(b, d);

		if (broken != NULL)
			return broken;
		if (i > 0 && str_cmp(b->servers[i - 1].name, d->name) > 0)
			return "candidates are not sorted";
		for (size_t k = 0; k < i; k++)
			if (d->want == DESIRED_SERVE && b->servers[k].want == DESIRED_SERVE &&
			    laws_same_place(d->address, d->port, b->servers[k].address, b->servers[k].port))
				return "two serve at one address";
	}
	return NULL;
}

static size_t
count_rows(const struct desired *d, const struct roster_cluster *c, const struct roster_task *t)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_endpoints; i++)
		n += d->endpoints[i].cluster == c && d->endpoints[i].task == t ? 1 : 0;
	return n;
}

static const char *
check_endpoints(const struct desired *d)
{
	for (size_t i = 0; i < d->n_endpoints; i++) {
		const struct desired_endpoint *ep = &d->endpoints[i];

		if (ep->exposed != (ep->reason == REASON_NONE) || ep->exposed != (ep->message.len == 0))
			return "an endpoint is exposed and has a reason, or neither";
		if (!str_is_printable(ep->message))
			return "a message is not printable";
	}
	for (size_t c = 0; c < d->roster->n_clusters; c++) {
		const struct roster_cluster *of = &d->roster->clusters[c];

		for (size_t i = 0; i < of->facts->n_tasks; i++) {
			const struct roster_task *t = &of->facts->tasks[i];
			size_t n, rows = count_rows(d, of, t);
			const struct desired_endpoint *first = desired_endpoints_of(d, t, &n);

			if (n != rows || n < t->n_containers || n == 0 || first->task != t)
				return "a task's endpoints are not found";
		}
	}
	return NULL;
}

const char *
laws_check_desired(const struct desired *d)
{
	for (size_t i = 0; i < d->n_backends; i++) {
		const char *broken = check_backend(&d->backends[i]);

		if (broken == NULL && d->backends[i].conf->retired && d->backends[i].n_servers > 0)
			broken = "somebody enters a backend that nobody asks for";
		if (broken != NULL)
			return broken;
	}
	return check_endpoints(d);
}
