/* Who we are: see ecs_self.h. */
#include "config.h"

#include "ecs/ecs_self.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "ecs/arn.h"
#include "ecs/ecs_json.h"
#include "io/loop.h"

#define ROOM       "ecs"
#define URI_MAX    ((size_t)4096)
#define NAME_MAX_  ((size_t)255)
#define TIMEOUT_MS INT64_C(2000) /* it is a link-local address: an answer takes milliseconds */
#define RETRY_MS   INT64_C(1000)
#define LATER_MS   INT64_C(60000)

struct ecs_self {
	struct http *http;
	struct http_call *call; /* null: none is under way */
	struct loop_timer *timer;
	struct buf url;
	ecs_self_told_fn *told;
	void *arg;
	unsigned failures;
	bool closed; /* and waiting for the call's end */
};

/* ---- the answer ---- */

static enum err_code
read_document(const struct ecs_json *o, struct roster_self *who, struct err *e)
{
	struct arn arn;
	struct str cluster, id;
	enum err_code code = ecs_json_word(o, "TaskARN", ARN_MAX, &who->task_arn, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, "Cluster", ARN_MAX, &who->cluster, e);
	if (code == ERR_OK)
		code = ecs_json_word(o, "ServiceName", NAME_MAX_, &who->service, e);
	if (code != ERR_OK)
		return code;
	if (!arn_parse_task(who->task_arn, &arn, &cluster, &id))
		return ecs_json_refuse(o, "TaskARN", e, "not the ARN of a task");
	if (!arn_is_name(arn_cluster_name(who->cluster)))
		return ecs_json_refuse(o, "Cluster", e, "not a cluster");
	if (who->service.len > 0 && !arn_is_name(who->service))
		return ecs_json_refuse(o, "ServiceName", e, "not the name of a service");
	who->region = arn.region;
	return ERR_OK;
}

enum err_code
ecs_self_read(struct arena *a, struct str json, struct roster_self *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct roster_self who = { .task_arn = STR(""), .cluster = STR(""), .service = STR(""), .region = STR("") };
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_SELF_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = read_document(&root, &who, e);
	if (code != ERR_OK)
		return code;
	if (!roster_self_copy(a, &who, ret))
		return err_set(e, ERR_NOMEM, "read the task metadata: %s", err_text(ERR_NOMEM));
	return ERR_OK;
}

/* ---- asking ---- */

static void ask(void *arg);

static void
free_self(struct ecs_self *s)
{
	buf_free(&s->url);
	free(s);
}

static void
try_later(struct ecs_self *s, const struct err *why)
{
	bool is_late = ++s->failures >= ECS_SELF_TRIES;

	loop_timer_arm(s->timer, is_late ? LATER_MS : RETRY_MS);
	if (s->failures == ECS_SELF_TRIES) {
		log_warn(ROOM,
		    "task metadata: %s; our own task and service are not known, and not kept out; tried again every "
		    "%" PRId64 " s",
		    why->msg, LATER_MS / 1000);
		s->told(s->arg, NULL, why);
	}
}

static enum err_code
take(const struct ecs_self *s, const struct http_response *rs, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ECS_SELF_ANSWER_MAX);
	struct roster_self who;
	enum err_code code;

	if (rs->code != ERR_OK)
		return err_set(e, rs->code, "%s", rs->err->msg);
	if (rs->status != 200)
		return err_set(e, ERR_REMOTE, "status %d", rs->status);
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	code = ecs_self_read(a, rs->body, &who, e);
	if (code != ERR_OK)
		return code;
	log_info(ROOM, "we are task " STR_FMT " of cluster " STR_FMT ", which is never served",
	    STR_ARG(str_after_last(who.task_arn, '/')), STR_ARG(arn_cluster_name(who.cluster)));
	s->told(s->arg, &who, NULL);
	return ERR_OK;
}

static void
answered(void *arg, const struct http_response *rs)
{
	struct ecs_self *s = arg;
	struct err why = ERR_INIT;

	s->call = NULL;
	if (s->closed)
		free_self(s);
	else if (take(s, rs, &why) != ERR_OK)
		try_later(s, &why);
}

static void
ask(void *arg)
{
	struct ecs_self *s = arg;
	const struct http_request rq = {
		.method = STR("GET"),
		.url = buf_str(&s->url),
		.body = STR(""),
		.connect_timeout_ms = TIMEOUT_MS,
		.timeout_ms = TIMEOUT_MS,
		.max_response = ECS_SELF_ANSWER_MAX,
		.no_proxy = true,
	};
	struct err why = ERR_INIT;

	if (s->http->send(s->http, &rq, answered, s, &s->call, &why) == ERR_OK)
		return;
	s->call = NULL;
	try_later(s, &why);
}

enum err_code
ecs_self_new(struct loop *l, struct http *h, struct str uri, ecs_self_told_fn *told, void *arg, struct ecs_self **ret,
    struct err *e)
{
	struct ecs_self *s = calloc(1, sizeof(*s));
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "ask for the task metadata: %s", err_text(ERR_NOMEM));
	s->http = h;
	s->told = told;
	s->arg = arg;
	s->url = buf_make(URI_MAX);
	buf_put(&s->url, uri);
	buf_put(&s->url, STR("/task"));
	code = buf_failed(&s->url, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, ask, s, &s->timer, e);
	if (code != ERR_OK) {
		free_self(s);
		return err_wrap(e, code, "ECS_CONTAINER_METADATA_URI_V4");
	}
	loop_timer_arm(s->timer, 0);
	*ret = s;
	return ERR_OK;
}

void
ecs_self_close(struct ecs_self *s)
{
	if (s == NULL)
		return;
	loop_timer_close(s->timer);
	s->closed = true;
	if (s->call != NULL)
		s->http->cancel(s->http, s->call); /* answered comes later, and frees */
	else
		free_self(s);
}
