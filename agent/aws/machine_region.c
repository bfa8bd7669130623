/* Which AWS region this machine is in: see machine_region.h. */
#include "config.h"

#include "aws/machine_region.h"

#include <stdbool.h>
#include <string.h>

#include "aws/imds.h"
#include "aws/metadata.h"
#include "aws/task_metadata.h"
#include "base/buf.h"
#include "io/http_curl.h"
#include "io/loop.h"

#define TASK_TIMEOUT_MS INT64_C(2000)
#define TASK_ATTEMPTS   2
#define TASK_PAUSE_MS   INT64_C(500)
#define TASK_URL_MAX    ((size_t)2048)

struct search {
	const struct env *env;
	struct loop *loop;
	struct http *http;
	struct metadata_call *task;
	struct imds *instance;
	char region[MACHINE_REGION_SIZE]; /* empty: not found yet */
	struct err why;
};

static void ask_instance(struct search *s);

/* What is asked is over: the loop runs out. */
static void
end(struct search *s)
{
	s->http->close(s->http);
}

static void
on_instance(void *arg, struct str body, const struct err *failure)
{
	struct search *s = arg;
	struct str region = str_trim(body);

	s->instance = NULL;
	if (failure != NULL)
		s->why = *failure;
	else if (region.len == 0 || region.len >= sizeof(s->region) || !str_is_printable(region))
		err_fill(&s->why, ERR_PARSE, 0, "instance metadata: no region");
	else
		memcpy(s->region, region.ptr, region.len); /* the NUL is there */
	end(s);
}

static void
ask_instance(struct search *s)
{
	if (imds_is_disabled(s->env))
		err_fill(&s->why, ERR_CONF, 0, "AWS_EC2_METADATA_DISABLED is set");
	else if (imds_get(s->loop, s->http, s->env, IMDS_REGION, on_instance, s, &s->instance, &s->why) == ERR_OK)
		return;
	end(s);
}

static void
on_task(void *arg, const struct http_response *rs)
{
	struct search *s = arg;

	s->task = NULL;
	if (rs->code == ERR_OK && rs->status == 200 && task_metadata_region(rs->body, s->region, &s->why) == ERR_OK)
		end(s);
	else
		ask_instance(s);
}

static bool
ask_task(struct search *s)
{
	struct str base = env_str(s->env, "ECS_CONTAINER_METADATA_URI_V4");
	struct buf url = buf_make(TASK_URL_MAX);
	struct metadata_ask ask = {
		.method = STR("GET"),
		.timeout_ms = TASK_TIMEOUT_MS,
		.attempts = TASK_ATTEMPTS,
		.pause_ms = TASK_PAUSE_MS,
	};
	bool asked;

	buf_put(&url, base);
	buf_put(&url, STR("/task"));
	ask.url = buf_str(&url);
	asked = base.len > 0 && buf_failed(&url, &s->why) == ERR_OK &&
		metadata_send(s->loop, s->http, &ask, on_task, s, &s->task, &s->why) == ERR_OK;
	buf_free(&url);
	return asked;
}

enum err_code
machine_region_find(const struct env *env, char ret[MACHINE_REGION_SIZE], struct err *e)
{
	struct search s = { .env = env };
	enum err_code code = loop_new(&s.loop, e);

	if (code != ERR_OK)
		return code;
	code = http_curl_new(s.loop, NULL, &s.http, e);
	if (code == ERR_OK && !ask_task(&s))
		ask_instance(&s);
	loop_run(s.loop);
	loop_free(s.loop);
	if (code == ERR_OK && s.region[0] == '\0') {
		code = s.why.code != ERR_OK ? s.why.code : ERR_CONF;
		if (e != NULL)
			*e = s.why;
	}
	if (code == ERR_OK)
		memcpy(ret, s.region, sizeof(s.region));
	return code;
}
