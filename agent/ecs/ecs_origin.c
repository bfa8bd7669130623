/* Which account and cluster answers come from: see ecs_origin.h. */
#include "config.h"

#include "ecs/ecs_origin.h"

#include "ecs/arn.h"

static enum err_code
learn(struct arena *a, struct str told, struct str *known, struct err *e)
{
	if (known->len > 0 || told.len == 0)
		return ERR_OK;
	if (!arena_str(a, told, known))
		return err_set(e, ERR_NOMEM, "remember the account: %s", err_text(ERR_NOMEM));
	return ERR_OK;
}

static enum err_code
agree(struct str told, struct str known, const char *what, struct err *e)
{
	if (told.len == 0 || known.len == 0 || str_eq(told, known))
		return ERR_OK;
	return err_set(e, ERR_REFUSED, "an answer of %s " STR_FMT ", not " STR_FMT, what, STR_ARG(str_first(told, 64)),
	    STR_ARG(str_first(known, 64)));
}

/* Old accounts have task ARNs without a cluster; then told.cluster is empty. */
static enum err_code
accept(struct ecs_origin *o, struct arena *a, const struct arn *told, struct str cluster, struct err *e)
{
	enum err_code code = agree(told->account, o->account, "account", e);

	if (code == ERR_OK)
		code = agree(told->region, o->region, "region", e);
	if (code == ERR_OK)
		code = agree(told->partition, o->partition, "partition", e);
	if (code == ERR_OK)
		code = agree(cluster, o->cluster, "cluster", e);
	if (code == ERR_OK)
		code = learn(a, told->account, &o->account, e);
	if (code == ERR_OK)
		code = learn(a, told->region, &o->region, e);
	if (code == ERR_OK)
		code = learn(a, told->partition, &o->partition, e);
	return code == ERR_OK ? learn(a, cluster, &o->cluster, e) : code;
}

bool
ecs_origin_has(const struct ecs_origin *o, struct str task_arn)
{
	struct str cluster, id;
	struct arn arn;

	return arn_parse_task(task_arn, &arn, &cluster, &id) && str_eq(arn.account, o->account) &&
	       str_eq(arn.region, o->region) && str_eq(arn.partition, o->partition) &&
	       (cluster.len == 0 || str_eq(cluster, o->cluster));
}

enum err_code
ecs_origin_accept_task(struct ecs_origin *o, struct arena *a, struct str text, struct err *e)
{
	struct str cluster, id;
	struct arn arn;
	enum err_code code;

	if (!arn_parse_task(text, &arn, &cluster, &id))
		return err_set(e, ERR_REFUSED, "an answer about what is not a task");
	code = accept(o, a, &arn, cluster, e);
	o->proved = o->proved || code == ERR_OK;
	return code;
}

enum err_code
ecs_origin_accept_cluster(struct ecs_origin *o, struct arena *a, struct str text, struct err *e)
{
	struct str name;
	struct arn arn;
	enum err_code code;

	if (!arn_parse_cluster(text, &arn, &name))
		return err_set(e, ERR_REFUSED, "an answer about what is not a cluster");
	code = accept(o, a, &arn, name, e);
	o->proved = o->proved || code == ERR_OK;
	return code;
}

enum err_code
ecs_origin_make(struct arena *a, struct str cluster, struct str account, struct str cluster_arn, struct ecs_origin *ret,
    struct err *e)
{
	struct ecs_origin o = { .cluster = STR("") };
	struct str name = arn_cluster_name(cluster);
	enum err_code code = learn(a, account, &o.account, e);

	/* A name that is none is ECS's to refuse, not ours to compare with. */
	if (code == ERR_OK && arn_is_name(name))
		code = learn(a, name, &o.cluster, e);
	if (code == ERR_OK && !str_eq(name, cluster))
		code = ecs_origin_accept_cluster(&o, a, cluster, e);
	if (code == ERR_OK && cluster_arn.len > 0)
		code = ecs_origin_accept_cluster(&o, a, cluster_arn, e);
	o.proved = false;
	if (code == ERR_OK)
		*ret = o;
	return code;
}
