/* A message of the events queue: see ecs_event.h. */
#include "config.h"

#include "ecs/ecs_event.h"

#include "ecs/arn.h"
#include "ecs/ecs_answer_task.h"
#include "ecs/ecs_json.h"

#define WORD_MAX ((size_t)255)

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "read an event: %s", err_text(ERR_NOMEM));
}

struct envelope {
	struct str source, type, account, region;
};

static enum err_code
read_envelope(const struct ecs_json *root, struct envelope *ret, int64_t *ret_time_ms, struct err *e)
{
	enum err_code code = ecs_json_str(root, "source", WORD_MAX, &ret->source, e);

	if (code == ERR_OK)
		code = ecs_json_str(root, "detail-type", WORD_MAX, &ret->type, e);
	if (code == ERR_OK)
		code = ecs_json_str(root, "account", WORD_MAX, &ret->account, e);
	if (code == ERR_OK)
		code = ecs_json_str(root, "region", WORD_MAX, &ret->region, e);
	if (code == ERR_OK)
		code = ecs_json_time(root, "time", ret_time_ms, e);
	return code;
}

static bool
is_of(const struct envelope *from, const struct arn *arn)
{
	return str_eq(from->account, arn->account) && str_eq(from->region, arn->region);
}

/* All three speak of one account and region, and of one cluster as far as they name it. */
static enum err_code
check_origin(const struct ecs_json *detail, const struct envelope *from, const struct ecs_event *event, struct err *e)
{
	struct str named, id, cluster;
	struct arn of_cluster, of_task;

	if (!arn_parse_cluster(event->cluster_arn, &of_cluster, &cluster))
		return ecs_json_refuse(detail, "clusterArn", e, "not the ARN of a cluster");
	if (!is_of(from, &of_cluster))
		return ecs_json_refuse(detail, "clusterArn", e, "not of the event's account and region");
	if (!arn_parse_task(event->task.arn, &of_task, &named, &id) || !is_of(from, &of_task) ||
	    !str_eq(of_task.partition, of_cluster.partition))
		return ecs_json_refuse(detail, "taskArn", e, "not of the event's account and region");
	if (named.len > 0 && !str_eq(named, cluster))
		return ecs_json_refuse(detail, "taskArn", e, "not of the event's cluster");
	return ERR_OK;
}

static enum err_code
read_task(
    struct arena *a, const struct ecs_json *root, const struct envelope *from, struct ecs_event *event, struct err *e)
{
	struct ecs_json detail;
	struct roster_task task;
	enum err_code code = ecs_json_object(root, "detail", &detail, e);

	if (code == ERR_OK && detail.value == NULL)
		code = ecs_json_refuse(&detail, NULL, e, "missing");
	if (code == ERR_OK)
		code = ecs_answer_task(a, &detail, &event->task, e);
	if (code == ERR_OK)
		code = ecs_json_word(&detail, "clusterArn", ARN_MAX, &event->cluster_arn, e);
	if (code == ERR_OK)
		code = check_origin(&detail, from, event, e);
	if (code != ERR_OK)
		return code;
	/* The texts still borrow the document. */
	event->task.health = ROSTER_HEALTH_UNKNOWN;
	if (!roster_task_copy(a, &event->task, &task) || !arena_str(a, event->cluster_arn, &event->cluster_arn))
		return out_of_memory(e);
	event->task = task;
	event->is_of_task = true;
	return ERR_OK;
}

static enum err_code
read_event(struct arena *a, json_t *doc, struct ecs_event *ret, struct err *e)
{
	struct ecs_json root = ecs_json_root(doc);
	struct envelope from = { .source = STR("") };
	struct ecs_event event = { .is_of_task = false };
	enum err_code code = read_envelope(&root, &from, &event.time_ms, e);

	if (code == ERR_OK && str_eq(from.source, STR("aws.ecs")) && str_eq(from.type, STR("ECS Task State Change")))
		code = read_task(a, &root, &from, &event, e);
	if (code == ERR_OK)
		*ret = event;
	return code;
}

/* What SNS delivers unless "raw message delivery" is set: *ret is what it carries; empty:
 * this is none of its notifications. */
static enum err_code
unwrap(json_t *doc, struct str *ret, struct err *e)
{
	struct ecs_json root = ecs_json_root(doc);
	struct str type = STR(""), topic = STR("");
	enum err_code code = ecs_json_str(&root, "Type", WORD_MAX, &type, e);

	if (code == ERR_OK)
		code = ecs_json_str(&root, "TopicArn", ARN_MAX, &topic, e);
	*ret = STR("");
	if (code != ERR_OK || topic.len == 0 || !str_eq(type, STR("Notification")))
		return code;
	return ecs_json_str(&root, "Message", ECS_EVENT_MAX, ret, e);
}

enum err_code
ecs_event_read(struct arena *a, struct str body, struct ecs_event *ret, struct err *e)
{
	json_t *outer CLEANUP(ecs_json_drop_at) = NULL, *inner CLEANUP(ecs_json_drop_at) = NULL;
	struct str message;
	enum err_code code = ecs_json_load(body, ECS_EVENT_MAX, &outer, e);

	if (code == ERR_OK)
		code = unwrap(outer, &message, e);
	if (code == ERR_OK && message.len > 0)
		code = ecs_json_load(message, ECS_EVENT_MAX, &inner, e);
	return code == ERR_OK ? read_event(a, inner != NULL ? inner : outer, ret, e) : code;
}
