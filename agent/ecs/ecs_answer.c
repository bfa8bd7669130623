/* Lists and descriptions of tasks: see ecs_answer.h. */
#include "config.h"

#include "ecs/ecs_answer.h"

#include "ecs/arn.h"
#include "ecs/ecs_answer_task.h"
#include "ecs/ecs_json.h"

#define TEXT_MAX ((size_t)4096)

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "read an answer: %s", err_text(ERR_NOMEM));
}

/* ---- pages of a list ---- */

static bool
is_task(struct str text)
{
	struct str cluster, id;
	struct arn arn;

	return arn_parse_task(text, &arn, &cluster, &id);
}

static bool
is_cluster(struct str text)
{
	struct str name;
	struct arn arn;

	return arn_parse_cluster(text, &arn, &name);
}

struct list_kind {
	const char *key;
	bool (*is)(struct str arn);
	const char *unless; /* what is said if one is not */
};

static const struct list_kind list_of_tasks = { "taskArns", is_task, "not only ARNs of tasks" };
static const struct list_kind list_of_clusters = { "clusterArns", is_cluster, "not only ARNs of clusters" };

static enum err_code
read_arns(struct arena *a, const struct list_kind *kind, const struct ecs_json *list, size_t n,
    struct ecs_answer_list *ret, struct err *e)
{
	struct str *arns = ARENA_ARRAY(a, struct str, n);

	if (arns == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < n; i++) {
		struct str arn;
		enum err_code code = ecs_json_item_word(list, i, ARN_MAX, &arn, e);

		if (code != ERR_OK)
			return code;
		if (!kind->is(arn))
			return ecs_json_refuse(list, NULL, e, kind->unless);
		if (!arena_str(a, arn, &arns[i]))
			return out_of_memory(e);
	}
	ret->arns = arns;
	ret->n = n;
	return ERR_OK;
}

/* The list itself must be there: without it, an answer to something else would
 * read as "there are none". */
static enum err_code
read_page(struct arena *a, const struct list_kind *kind, const struct ecs_json *root, struct ecs_answer_list *ret,
    struct err *e)
{
	struct str token = STR("");
	struct ecs_json list;
	size_t n;
	enum err_code code = ecs_json_list(root, kind->key, ECS_ANSWER_LIST_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	if (list.value == NULL)
		return ecs_json_refuse(&list, NULL, e, "missing");
	code = ecs_json_str(root, "nextToken", ECS_ANSWER_TOKEN_MAX, &token, e);
	if (code != ERR_OK)
		return code;
	if (!arena_str(a, token, &ret->next_token))
		return out_of_memory(e);
	return read_arns(a, kind, &list, n, ret, e);
}

static enum err_code
read_list(struct arena *a, const struct list_kind *kind, struct str json, struct ecs_answer_list *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_answer_list page = { .n = 0 };
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = read_page(a, kind, &root, &page, e);
	if (code == ERR_OK)
		*ret = page;
	return code;
}

enum err_code
ecs_answer_list_tasks(struct arena *a, struct str json, struct ecs_answer_list *ret, struct err *e)
{
	return read_list(a, &list_of_tasks, json, ret, e);
}

enum err_code
ecs_answer_list_clusters(struct arena *a, struct str json, struct ecs_answer_list *ret, struct err *e)
{
	return read_list(a, &list_of_clusters, json, ret, e);
}

/* ---- a cluster ---- */

static enum err_code
read_one_cluster(struct arena *a, const struct ecs_json *root, struct str *ret, struct err *e)
{
	struct ecs_json list, item;
	struct str arn = STR("");
	size_t n;
	enum err_code code = ecs_json_list(root, "clusters", ECS_ANSWER_LIST_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	if (list.value == NULL)
		return ecs_json_refuse(&list, NULL, e, "missing");
	if (n > 1)
		return ecs_json_refuse(&list, NULL, e, "more than the one that was asked for");
	if (n == 1)
		code = ecs_json_item(&list, 0, &item, e);
	if (n == 1 && code == ERR_OK)
		code = ecs_json_word(&item, "clusterArn", ARN_MAX, &arn, e);
	if (code != ERR_OK)
		return code;
	return arena_str(a, arn, ret) ? ERR_OK : out_of_memory(e);
}

enum err_code
ecs_answer_describe_cluster(struct arena *a, struct str json, struct str *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	return read_one_cluster(a, &root, ret, e);
}

/* ---- tasks ---- */

struct reading {
	struct arena *a;
	struct roster_task *tasks;
	struct ecs_answer_failure *malformed;
	struct ecs_answer_tasks answer;
};

static enum err_code
note_malformed(struct reading *r, const struct ecs_json *task, const struct err *why, struct err *e)
{
	struct ecs_answer_failure *m = &r->malformed[r->answer.n_malformed];
	struct str arn = STR("");

	/* What is wrong may be the ARN, or that there is no object to hold one. */
	if (!json_is_object(task->value) || ecs_json_word(task, "taskArn", ARN_MAX, &arn, NULL) != ERR_OK)
		arn = STR("");
	m->reason = STR("MALFORMED");
	if (!arena_str(r->a, arn, &m->arn) || !arena_str(r->a, str_from_cstr(why->msg), &m->detail))
		return out_of_memory(e);
	r->answer.n_malformed++;
	return ERR_OK;
}

/* Which cluster it is of, even of a task that is malformed otherwise. */
static enum err_code
read_cluster(struct reading *r, const struct ecs_json *task, struct err *e)
{
	struct str arn = STR("");
	enum err_code code = ecs_json_word(task, "clusterArn", ARN_MAX, &arn, e);

	if (code != ERR_OK || arn.len == 0)
		return code;
	if (!is_cluster(arn))
		return ecs_json_refuse(task, "clusterArn", e, "not the ARN of a cluster");
	if (r->answer.cluster_arn.len == 0 && !arena_str(r->a, arn, &r->answer.cluster_arn))
		return out_of_memory(e);
	if (!str_eq(r->answer.cluster_arn, arn))
		r->answer.several_clusters = true;
	return ERR_OK;
}

static enum err_code
read_task(struct reading *r, const struct ecs_json *list, size_t i, struct err *e)
{
	struct err why = ERR_INIT;
	struct ecs_json item;
	struct roster_task t;
	enum err_code code = ecs_json_item(list, i, &item, &why);

	if (code == ERR_OK)
		code = read_cluster(r, &item, &why);
	if (code == ERR_OK)
		code = ecs_answer_task(r->a, &item, &t, &why);
	if (code == ERR_PARSE)
		return note_malformed(r, &item, &why, e);
	if (code != ERR_OK)
		return err_set(e, code, "%s", why.msg);
	if (!roster_task_copy(r->a, &t, &r->tasks[r->answer.n_tasks]))
		return out_of_memory(e);
	r->answer.n_tasks++;
	return ERR_OK;
}

static enum err_code
read_tasks(struct reading *r, const struct ecs_json *root, struct err *e)
{
	struct ecs_json list;
	size_t n;
	enum err_code code = ecs_json_list(root, "tasks", ECS_ANSWER_LIST_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	if (list.value == NULL)
		return ecs_json_refuse(&list, NULL, e, "missing");
	r->tasks = ARENA_ARRAY(r->a, struct roster_task, n);
	r->malformed = ARENA_ARRAY(r->a, struct ecs_answer_failure, n);
	if (r->tasks == NULL || r->malformed == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < n && code == ERR_OK; i++)
		code = read_task(r, &list, i, e);
	r->answer.tasks = r->tasks;
	r->answer.malformed = r->malformed;
	return code;
}

/* ---- failures ---- */

static enum err_code
read_failure(struct arena *a, const struct ecs_json *o, struct ecs_answer_failure *ret, struct err *e)
{
	struct ecs_answer_failure f = { .arn = STR(""), .reason = STR(""), .detail = STR("") };
	enum err_code code = ecs_json_word(o, "arn", ARN_MAX, &f.arn, e);

	if (code == ERR_OK)
		code = ecs_json_str(o, "reason", TEXT_MAX, &f.reason, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "detail", TEXT_MAX, &f.detail, e);
	if (code != ERR_OK)
		return code;
	if (!arena_str(a, f.arn, &ret->arn) || !arena_str(a, f.reason, &ret->reason) ||
	    !arena_str(a, f.detail, &ret->detail))
		return out_of_memory(e);
	return ERR_OK;
}

static enum err_code
read_failures(
    struct arena *a, const struct ecs_json *root, const struct ecs_answer_failure **ret, size_t *ret_n, struct err *e)
{
	struct ecs_answer_failure *failures;
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(root, "failures", ECS_ANSWER_LIST_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	failures = ARENA_ARRAY(a, struct ecs_answer_failure, n);
	if (failures == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_failure(a, &item, &failures[i], e);
	}
	*ret = failures;
	*ret_n = n;
	return code;
}

enum err_code
ecs_answer_describe_tasks(struct arena *a, struct str json, struct ecs_answer_tasks *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct reading r = { .a = a, .answer = { .cluster_arn = STR("") } };
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = read_tasks(&r, &root, e);
	if (code == ERR_OK)
		code = read_failures(a, &root, &r.answer.failures, &r.answer.n_failures, e);
	if (code == ERR_OK)
		*ret = r.answer;
	return code;
}

/* ---- services ---- */

static enum err_code
read_service(struct arena *a, const struct ecs_json *o, struct ecs_answer_service *ret, struct err *e)
{
	struct ecs_answer_service s = { .name = STR(""), .cluster_arn = STR("") };
	enum err_code code = ecs_json_word(o, "serviceName", ARN_MAX, &s.name, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, "clusterArn", ARN_MAX, &s.cluster_arn, e);
	if (code == ERR_OK)
		code = ecs_json_time(o, "createdAt", &s.created_ms, e);
	if (code != ERR_OK)
		return code;
	if (!arn_is_name(s.name))
		return ecs_json_refuse(o, "serviceName", e, "not the name of a service");
	if (s.cluster_arn.len > 0 && !is_cluster(s.cluster_arn))
		return ecs_json_refuse(o, "clusterArn", e, "not the ARN of a cluster");
	if (!arena_str(a, s.name, &ret->name) || !arena_str(a, s.cluster_arn, &ret->cluster_arn))
		return out_of_memory(e);
	ret->created_ms = s.created_ms > 0 ? s.created_ms : 0;
	return ERR_OK;
}

static enum err_code
read_services(struct arena *a, const struct ecs_json *root, struct ecs_answer_services *ret, struct err *e)
{
	struct ecs_answer_service *services;
	struct ecs_json list, item;
	enum err_code code = ecs_json_list(root, "services", ECS_ANSWER_LIST_MAX, &list, &ret->n, e);

	if (code != ERR_OK)
		return code;
	if (list.value == NULL)
		return ecs_json_refuse(&list, NULL, e, "missing");
	services = ARENA_ARRAY(a, struct ecs_answer_service, ret->n);
	if (services == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < ret->n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_service(a, &item, &services[i], e);
	}
	ret->services = services;
	return code;
}

enum err_code
ecs_answer_describe_services(struct arena *a, struct str json, struct ecs_answer_services *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_answer_services answer = { .n = 0 };
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = read_services(a, &root, &answer, e);
	if (code == ERR_OK)
		code = read_failures(a, &root, &answer.failures, &answer.n_failures, e);
	if (code == ERR_OK)
		*ret = answer;
	return code;
}
