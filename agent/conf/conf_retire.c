/* What an earlier configuration leaves to take down: see conf_retire.h. */
#include "config.h"

#include "conf/conf_retire.h"

static bool
copy_policy(struct arena *a, struct conf_policy *p)
{
	return arena_str(a, p->tls_ca_file, &p->tls_ca_file) && arena_str(a, p->tls_sni, &p->tls_sni) &&
	       arena_str(a, p->check.service, &p->check.service) && arena_str(a, p->check.path, &p->check.path) &&
	       arena_str(a, p->outlier.agent, &p->outlier.agent);
}

struct conf_backend
conf_retired(struct str name, const struct conf_policy *policy, bool managed)
{
	return (struct conf_backend){
		.name = name,
		.match = { .source = STR("*"), .cluster = STR("*"), .service = STR(""), .container = STR("*") },
		.managed = managed,
		.retired = true,
		.rule = STR(""),
		.policy = *policy,
	};
}

static bool
retire(struct arena *a, const struct conf_backend *b, struct conf_backend *ret)
{
	*ret = conf_retired(b->name, &b->policy, b->managed);
	ret->where = b->where;
	ret->port = b->port;
	ret->own = b->own;
	ret->retries_idempotent = b->retries_idempotent;
	return arena_str(a, b->name, &ret->name) && copy_policy(a, &ret->policy);
}

bool
conf_retire(struct arena *a, const struct conf *fresh, const struct conf *before,
    bool (*is_in_use)(void *arg, struct str backend), void *arg, const struct conf **ret)
{
	struct conf *both = ARENA_NEW(a, struct conf);
	struct conf_backend *backends = ARENA_ARRAY(a, struct conf_backend, fresh->n_backends + before->n_backends + 1);
	size_t n = fresh->n_backends;

	if (both == NULL || backends == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		backends[i] = fresh->backends[i];
	for (size_t i = 0; i < before->n_backends; i++) {
		const struct conf_backend *b = &before->backends[i];

		if (conf_backend_by_name(fresh, b->name) != NULL || !is_in_use(arg, b->name))
			continue;
		if (!retire(a, b, &backends[n++]))
			return false;
	}
	*both = *fresh;
	both->backends = backends;
	both->n_backends = n;
	*ret = both;
	return true;
}
