/* The events queues of a configuration: see app_queues.h. */
#include "config.h"

#include "app_queues.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "ecs/ecs_queue_text.h"

#define CONNECT_TIMEOUT_MS 3000
#define IN_FLIGHT_MAX      18 /* the poll, deletions, and the doctor */
/* Ours alone: what is asked of SQS costs ECS's rate_limit nothing.  In a storm it is ten
 * messages, and their deletion, each time. */
#define RATE_MILLI 100000

struct listened { /* one source */
	struct app_queues *all;
	size_t source;
	struct bucket bucket;
	struct aws_caller *sqs, *sns;
	char name[ECS_QUEUE_NAME_MAX + 1];
	struct ecs_queue *queue; /* null: it has no events */
};

struct app_queues {
	struct app_queues_config config;
	struct listened *sources; /* as many as conf has */
	size_t n_stopping;
	loop_fn *stopped;
	void *stopped_arg;
};

static bool
has_events(const struct conf_source *s)
{
	return s->events_queue.len > 0 || s->events_topic.len > 0;
}

static enum ecs_queue_told
on_told(void *arg, const struct ecs_event *event)
{
	const struct listened *l = arg;

	return ecs_watch_told(l->all->config.watch, l->source, event) ? ECS_QUEUE_TAKEN : ECS_QUEUE_FOREIGN;
}

static void
on_told_all(void *arg)
{
	const struct listened *l = arg;

	ecs_watch_take_told(l->all->config.watch, l->source);
}

static void
on_listening(void *arg, bool is_listening)
{
	const struct listened *l = arg;

	ecs_watch_listening(l->all->config.watch, l->source, is_listening);
}

static enum err_code
make_caller(struct listened *l, const struct aws_service *of, struct aws_caller **ret, struct err *e)
{
	const struct app_queues_config *c = &l->all->config;
	const struct conf_source *s = &c->conf->sources[l->source];
	const char *from;
	const struct aws_caller_service to = {
		.of = of,
		.at = aws_endpoint_choose(of, s->region, s->endpoint, c->env, &from),
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.timeout_ms = ECS_QUEUE_TIMEOUT_MS,
		.max_in_flight = IN_FLIGHT_MAX,
		.max_response = ECS_QUEUE_ANSWER_MAX,
	};
	enum err_code code =
	    aws_caller_new(c->loop, c->http, c->keys_of(c->arg, l->source), &l->bucket, c->rnd, &to, ret, e);

	return code == ERR_CONF ? err_wrap(e, code, "ecs source `" STR_FMT "`, %s", STR_ARG(s->name), from) : code;
}

static void
name_queue(struct listened *l)
{
	const struct conf *conf = l->all->config.conf;
	const struct conf_source *s = &conf->sources[l->source];
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	ecs_queue_text_name(l->name, str_from_cstr(host), conf->state_dir, s->name, s->events_topic);
}

static enum err_code
make_source(struct app_queues *q, size_t i, struct err *e)
{
	struct listened *l = &q->sources[i];
	struct ecs_queue_start start = {
		.loop = q->config.loop,
		.source = &q->config.conf->sources[i],
		.rnd = q->config.rnd,
		.name = l->name,
		.told = on_told,
		.told_all = on_told_all,
		.listening = on_listening,
		.arg = l,
	};
	const struct clk clk = loop_clk(q->config.loop);
	enum err_code code;

	l->all = q;
	l->source = i;
	if (!has_events(start.source))
		return ERR_OK;
	name_queue(l);
	l->bucket = bucket_make(RATE_MILLI, clk_mono_ms(&clk));
	code = make_caller(l, &aws_service_sqs, &l->sqs, e);
	if (code == ERR_OK && start.source->events_topic.len > 0)
		code = make_caller(l, &aws_service_sns, &l->sns, e);
	start.sqs = l->sqs;
	start.sns = l->sns;
	return code == ERR_OK ? ecs_queue_new(&start, &l->queue, e) : code;
}

static bool
is_wanted(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_sources; i++)
		if (has_events(&conf->sources[i]))
			return true;
	return false;
}

enum err_code
app_queues_new(const struct app_queues_config *config, struct app_queues **ret, struct err *e)
{
	struct app_queues *q;
	enum err_code code = ERR_OK;

	*ret = NULL;
	if (!is_wanted(config->conf))
		return ERR_OK;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return err_set(e, ERR_NOMEM, "listen for events: %s", err_text(ERR_NOMEM));
	q->config = *config;
	q->sources = calloc(config->conf->n_sources, sizeof(*q->sources));
	if (q->sources == NULL)
		code = err_set(e, ERR_NOMEM, "listen for events: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; code == ERR_OK && i < config->conf->n_sources; i++)
		code = make_source(q, i, e);
	if (code != ERR_OK) {
		app_queues_close(q);
		return code;
	}
	*ret = q;
	return ERR_OK;
}

void
app_queues_start(struct app_queues *q)
{
	for (size_t i = 0; q != NULL && i < q->config.conf->n_sources; i++)
		if (q->sources[i].queue != NULL)
			ecs_queue_begin(q->sources[i].queue);
}

bool
app_queues_view(const struct app_queues *q, size_t source, struct ecs_queue_view *ret)
{
	if (q == NULL || q->sources[source].queue == NULL)
		return false;
	*ret = ecs_queue_view(q->sources[source].queue);
	return true;
}

static void
on_stopped(void *arg)
{
	struct app_queues *q = arg;

	if (--q->n_stopping == 0)
		q->stopped(q->stopped_arg);
}

void
app_queues_stop(struct app_queues *q, loop_fn *done, void *arg)
{
	for (size_t i = 0; q != NULL && i < q->config.conf->n_sources; i++)
		q->n_stopping += q->sources[i].queue != NULL;
	if (q == NULL || q->n_stopping == 0) {
		done(arg);
		return;
	}
	q->stopped = done;
	q->stopped_arg = arg;
	for (size_t i = 0; i < q->config.conf->n_sources; i++)
		if (q->sources[i].queue != NULL)
			ecs_queue_stop(q->sources[i].queue, on_stopped, q);
}

void
app_queues_close(struct app_queues *q)
{
	if (q == NULL)
		return;
	for (size_t i = 0; q->sources != NULL && i < q->config.conf->n_sources; i++) {
		ecs_queue_close(q->sources[i].queue);
		aws_caller_close(q->sources[i].sqs);
		aws_caller_close(q->sources[i].sns);
	}
	free(q->sources);
	free(q);
}
