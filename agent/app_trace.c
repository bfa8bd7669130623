/* Tracing in the daemon: see app_trace.h. */
#include "config.h"

#include "app_trace.h"

#include <stdlib.h>

#include "base/log.h"
#include "hap/hap_link.h"

#define SAMPLE_ALL  1000000u
#define COMMAND_MAX 80

struct app_trace {
	const struct conf *conf;
	const struct app_sync *sync;
	struct clk clk;
	struct trace_export *export;
	struct http_header *headers;
	struct hap_link *link; /* for the ratio, and nothing else */
	unsigned sample_ppm;
	uint64_t pid, start_time_s; /* the process that was told */
	bool is_asking;
	struct fault sample_fault;
};

/* ---- who is behind a server ---- */

static const struct desired_server *
find_desired(const struct plan_backend *b, struct str server)
{
	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (str_eq(b->servers[i].actual->name, server))
			return b->servers[i].desired;
	return NULL;
}

/* Between a start and the first look at HAProxy there is no plan: then whom it was for last. */
static void
resolve_applied(const struct reconcile_view *v, struct str backend, struct str server, struct trace_otlp_task *ret)
{
	const struct applied_server *s = applied_find(v->applied, backend, server);
	const struct roster_cluster *cluster = NULL;
	const struct roster_task *task = s != NULL ? roster_find(v->roster, s->task_arn, &cluster) : NULL;

	if (s == NULL)
		return;
	ret->arn = s->task_arn;
	ret->container = s->container;
	if (task == NULL)
		return;
	ret->cluster = cluster->arn;
	ret->service = task->group;
}

static void
resolve(void *arg, struct str backend, struct str server, struct trace_otlp_task *ret)
{
	const struct app_trace *t = arg;
	const struct reconcile_view v = reconcile_view(app_sync_reconcile(t->sync));
	const struct desired_server *d = v.plan != NULL ? find_desired(plan_find(v.plan, backend), server) : NULL;

	if (v.plan == NULL)
		resolve_applied(&v, backend, server, ret);
	if (d == NULL)
		return;
	ret->arn = d->task->arn;
	ret->cluster = d->cluster->arn;
	ret->service = d->task->group;
	ret->container = d->container;
}

/* ---- the ratio, which each new process of HAProxy is told ---- */

/* 2.6 says that the mode is experimental; what counts is the second reply, which is
 * empty if it worked. */
static void
on_told(void *arg, const struct str *replies, size_t n, const struct err *e)
{
	struct app_trace *t = arg;
	struct err why = ERR_INIT;

	t->is_asking = false;
	if (e != NULL)
		why = *e;
	else if (n < 2 || str_trim(replies[1]).len > 0)
		err_fill(&why, ERR_REFUSED, 0, "HAProxy does not take proc.rollcall_sample");
	if (why.code == ERR_OK)
		(void)fault_clear(&t->sample_fault);
	else if (fault_raise(&t->sample_fault, clk_mono_ms(&t->clk), &why))
		log_warn("trace", "%s; new traces are sampled as HAProxy's configuration says", why.msg);
}

static void
tell_ratio(struct app_trace *t, const struct actual *a)
{
	struct buf command = buf_make(COMMAND_MAX);
	struct str commands[2] = { STR("experimental-mode on") };
	struct err e = ERR_INIT;

	buf_printf(&command, "set var proc.rollcall_sample int(%u)", t->sample_ppm);
	commands[1] = buf_str(&command);
	t->pid = a->pid;
	t->start_time_s = a->start_time_s;
	t->is_asking = t->link->ask(t->link, commands, 2, NULL, on_told, t, &e) == ERR_OK;
	buf_free(&command);
}

void
app_trace_passed(struct app_trace *t, const struct reconcile_view *v)
{
	if (t == NULL || !t->conf->haproxy.apply || t->is_asking || v->actual == NULL)
		return;
	if (v->actual->pid == t->pid && v->actual->start_time_s == t->start_time_s && !t->sample_fault.on)
		return;
	tell_ratio(t, v->actual);
}

/* ---- life ---- */

bool
app_trace_view(const struct app_trace *t, struct trace_export_view *ret)
{
	if (t == NULL)
		return false;
	*ret = trace_export_view(t->export);
	return true;
}

static enum err_code
open_export(
    struct app_trace *t, struct loop *l, const struct env *env, struct http *http, struct prng *rnd, struct err *e)
{
	const struct conf_pairs *pairs = &t->conf->tracing_headers;
	struct trace_export_config config = {
		.log_listen = t->conf->tracing_log_listen,
		.endpoint = t->conf->tracing_endpoint,
		.n_headers = pairs->n,
		.env = env,
		.http = http,
		.rnd = rnd,
		.resolve = resolve,
		.arg = t,
	};

	t->headers = calloc(pairs->n + 1, sizeof(*t->headers));
	if (t->headers == NULL)
		return err_set(e, ERR_NOMEM, "tracing: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < pairs->n; i++)
		t->headers[i] = (struct http_header){ .name = pairs->items[i].name, .value = pairs->items[i].value };
	config.headers = t->headers;
	return trace_export_new(l, &config, &t->export, e);
}

enum err_code
app_trace_new(struct loop *l, const struct conf *conf, const struct env *env, struct http *http, struct prng *rnd,
    const struct app_sync *sync, struct app_trace **ret, struct err *e)
{
	struct app_trace *t;
	enum err_code code;

	*ret = NULL;
	if (!conf->has_tracing)
		return ERR_OK;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return err_set(e, ERR_NOMEM, "tracing: %s", err_text(ERR_NOMEM));
	t->conf = conf;
	t->sync = sync;
	t->clk = loop_clk(l);
	/* The configuration's, unless it leaves the ratio as it is. */
	t->sample_ppm =
	    conf->tracing_sample_ppm != SAMPLE_ALL ? conf->tracing_sample_ppm : trace_otlp_sample_ppm(env, SAMPLE_ALL);
	code = hap_link_socket_new(l, conf->haproxy.socket, &hap_link_default_limits, &t->link, e);
	if (code == ERR_OK)
		code = open_export(t, l, env, http, rnd, e);
	if (code != ERR_OK) {
		app_trace_close(t);
		return code;
	}
	*ret = t;
	return ERR_OK;
}

void
app_trace_inherit(struct app_trace *t, struct app_trace *before)
{
	if (t != NULL && before != NULL)
		trace_export_inherit(t->export, before->export);
}

void
app_trace_start(struct app_trace *t)
{
	if (t != NULL)
		trace_export_start(t->export);
}

void
app_trace_close(struct app_trace *t)
{
	if (t == NULL)
		return;
	trace_export_close(t->export);
	if (t->link != NULL)
		t->link->close(t->link);
	free(t->headers);
	free(t);
}
