/* Which entries take a container: see desired_select.h. */
#include "config.h"

#include "plan/desired_select.h"

#include "ecs/arn.h"

const struct conf_source *
desired_select_source(const struct conf *conf, const struct roster_cluster *c)
{
	for (size_t i = 0; i < conf->n_sources; i++)
		if (str_eq(conf->sources[i].name, c->source))
			return &conf->sources[i];
	return NULL;
}

/* A cluster may be configured by name or by ARN, and a pattern may be either. */
static bool
takes_cluster(struct str pattern, const struct roster_cluster *c)
{
	struct str full = c->arn.len > 0 ? c->arn : c->name;

	return str_glob(pattern, arn_cluster_name(full)) || str_glob(pattern, full);
}

void
desired_select_by_cluster(const struct conf *conf, const struct roster_cluster *c, struct desired_select *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < conf->n_backends; i++) {
		const struct conf_backend *b = &conf->backends[i];

		if (str_glob(b->match.source, c->source) && takes_cluster(b->match.cluster, c))
			ret->entries[ret->n++] = b;
	}
}

void
desired_select_by_service(const struct desired_select *of, struct str service, struct desired_select *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < of->n; i++)
		if (str_glob(of->entries[i]->match.service, service))
			ret->entries[ret->n++] = of->entries[i];
}

bool
desired_select_service_name(struct arena *a, const struct roster_task *t, struct str *ret)
{
	static const char prefix[] = { 'f', 'a', 'm', 'i', 'l', 'y', ':' };
	char *name;

	if (t->service.len > 0) {
		*ret = t->service;
		return true;
	}
	name = arena_alloc(a, sizeof(prefix) + t->family.len, 1);
	if (name == NULL)
		return false;
	memcpy(name, prefix, sizeof(prefix));
	if (t->family.len > 0)
		memcpy(name + sizeof(prefix), t->family.ptr, t->family.len);
	*ret = str_of(name, sizeof(prefix) + t->family.len);
	return true;
}

bool
desired_select_admits(const struct conf_source *s, struct str service)
{
	for (size_t i = 0; i < s->services.n; i++)
		if (str_glob(s->services.items[i], service))
			return true;
	return false;
}
