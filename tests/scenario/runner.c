/*
 * Plays scenarios (*.scn beside this file, the language is in README.md) on a clock of
 * its own: the real caller, watcher, ledger, planner, guard and reconciler between an
 * AWS that answers as the scenario says, and a HAProxy of its own (fake_haproxy.h).  No
 * socket, no sleep; an hour takes a moment.
 *
 * It knows the truth, which rollcalld can only infer: which task has really ended.  A
 * server that is taken out while its task has not is an unproven removal.
 *
 *   runner FILE...          TAP
 *   runner --table FILE...  the rows of RESULTS.md
 */
#include "config.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "app_events.h"
#include "app_roster.h"
#include "app_sync.h"
#include "aws/aws_caller.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_watch.h"
#include "fake_haproxy.h"
#include "fake_loop.h"
#include "memory_state.h"

#define TASKS_MAX    64
#define ACCOUNT      "123456789012"
#define FOREIGN      "999999999999"
#define CALL_MS      20
#define SLOW_MS      10000
#define SKEW_MS      INT64_C(300000) /* AWS refuses signatures that are older */
#define SERVING_MAX  64
#define CALM_MS      10000 /* between reads when nothing moves: for speed, rarer than rollcalld's own */
#define STEP_MS      100
#define STEP_BATCHES 40 /* no daemon has so many batches for HAProxy in one step */
#define ID_LEN       32

/* ---- the truth ---- */

struct task {
	bool exists, stopped, forgotten, unhealthy;
	bool is_down; /* HAProxy's checks of it fail */
	char address[16], id[40];
	unsigned version;
	int64_t started_ms;
	int64_t ended_ms, left_ms; /* when it ended, and when its server took no calls any more; -1: not yet */
};

struct trouble {
	char action[40], kind[48]; /* action "*": any; kind empty: none */
};

struct serving {     /* a server of ours that takes calls */
	size_t task; /* whose; SIZE_MAX: nobody's */
};

struct play {
	struct loop *loop;
	struct clk clk;
	int64_t began_ms;
	struct task tasks[TASKS_MAX];
	size_t n_tasks;
	struct trouble fault;
	bool is_planted;
	/* what happened */
	size_t unproven, withheld, least_ready;
	bool has_begun; /* the first all were ready: from then on least_ready counts */
	char failed[200];

	struct http http;
	struct creds_source keys;
	struct loop_timer *key_timer;
	creds_source_done_fn *key_done;
	void *key_arg;

	struct arena *conf_arena;
	const struct conf *conf, *emptied; /* as it began, and without its entry */
	struct bucket bucket;
	struct prng rnd;
	struct aws_caller *caller;
	struct ecs_watch *watch;
	struct app_state *state; /* outlives rollcalld, as do haproxy and all of the above but caller */
	struct app_events *events;
	struct app_roster *roster;
	struct app_sync *sync;
	bool runs, has_stopped;
	struct loop_timer *dies;

	struct fake_haproxy *haproxy;
	struct serving serving[SERVING_MAX]; /* when the batch under way began */
	size_t n_serving;
};

static int64_t
now_ms(const struct play *p)
{
	return clk_mono_ms(&p->clk) - p->began_ms;
}

static void __attribute__((format(printf, 2, 3))) fail(struct play *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (p->failed[0] != '\0')
		return;
	n = snprintf(p->failed, sizeof(p->failed), "after %lld s ", (long long)(now_ms(p) / 1000));
	va_start(ap, fmt);
	(void)vsnprintf(p->failed + n, sizeof(p->failed) - (size_t)n, fmt, ap);
	va_end(ap);
}

/* ---- AWS ---- */

struct http_call {
	struct play *p;
	struct loop_timer *timer;
	http_done_fn *done;
	void *arg;
	enum err_code code;
	int status;
	bool cancelled;
	struct buf body;
};

static bool
is_kind(const struct trouble *f, const char *kind)
{
	return strcmp(f->kind, kind) == 0;
}

static void
put_arn(struct buf *out, const struct play *p, size_t i, bool foreign)
{
	buf_printf(out, "arn:aws:ecs:eu-west-1:%s:task/main/%s", foreign ? FOREIGN : ACCOUNT, p->tasks[i].id);
}

static bool
is_listed(const struct task *t)
{
	return t->exists && !t->stopped && !t->forgotten;
}

/* Two to a page. */
static void
list_tasks(struct play *p, struct str asked, const struct trouble *f, struct buf *out)
{
	const char *token = strstr(asked.ptr, "\"nextToken\":\"t");
	size_t at = token != NULL ? strtoul(token + 14, NULL, 10) : 0, n = 0;
	bool empty = is_kind(f, "nothing") || is_kind(f, "missing") || is_kind(f, "stranger");

	buf_put(out, STR("{\"taskArns\":["));
	for (; at < p->n_tasks && n < 2 && !empty; at++) {
		if (!is_listed(&p->tasks[at]))
			continue;
		buf_put(out, n++ > 0 ? STR(",\"") : STR("\""));
		put_arn(out, p, at, is_kind(f, "foreign"));
		buf_put_u8(out, '"');
	}
	buf_put_u8(out, ']');
	if (is_kind(f, "token"))
		buf_put(out, STR(",\"nextToken\":\"t0\""));
	else if (n == 2)
		buf_printf(out, ",\"nextToken\":\"t%zu\"", at);
	buf_put_u8(out, '}');
}

static void
describe_one(struct play *p, size_t i, bool foreign, struct buf *out)
{
	const struct task *t = &p->tasks[i];
	const char *account = foreign ? FOREIGN : ACCOUNT;

	buf_put(out, STR("{\"taskArn\":\""));
	put_arn(out, p, i, foreign);
	buf_printf(out,
	    "\",\"clusterArn\":\"arn:aws:ecs:eu-west-1:%s:cluster/main\",\"taskDefinitionArn\":\"arn:aws:ecs:eu-west-1:"
	    "%s:task-definition/rng:1\",\"group\":\"service:rng\",\"lastStatus\":\"%s\",\"desiredStatus\":\"%s\","
	    "\"healthStatus\":\"%s\",\"version\":%u,\"createdAt\":%lld.5,\"startedAt\":%lld.5,\"attachments\":[{"
	    "\"type\":\"ElasticNetworkInterface\",\"status\":\"ATTACHED\",\"details\":[{\"name\":\"subnetId\","
	    "\"value\":"
	    "\"subnet-1\"}]}],\"containers\":[{\"name\":\"app\",\"networkInterfaces\":[{\"privateIpv4Address\":\"%s\"}]"
	    "}]}",
	    account, account, t->stopped ? "STOPPED" : "RUNNING", t->stopped ? "STOPPED" : "RUNNING",
	    t->unhealthy ? "UNHEALTHY" : "HEALTHY", t->version, (long long)(1700000000 + t->started_ms / 1000),
	    (long long)(1700000000 + t->started_ms / 1000), t->address);
}

static void
describe_tasks(struct play *p, struct str asked, const struct trouble *f, struct buf *out)
{
	struct buf failures = buf_make((size_t)1 << 16);
	bool all_missing = is_kind(f, "missing") || is_kind(f, "foreign") || is_kind(f, "stranger");
	size_t n = 0;

	buf_put(out, STR("{\"tasks\":["));
	for (size_t i = 0; i < p->n_tasks && !is_kind(f, "nothing"); i++) {
		if (strstr(asked.ptr, p->tasks[i].id) == NULL)
			continue;
		if (all_missing || p->tasks[i].forgotten || !p->tasks[i].exists) {
			buf_put(&failures, failures.len > 0 ? STR(",{\"arn\":\"") : STR("{\"arn\":\""));
			put_arn(&failures, p, i, false);
			buf_put(&failures, STR("\",\"reason\":\"MISSING\"}"));
			continue;
		}
		buf_put(out, n++ > 0 ? STR(",") : STR(""));
		describe_one(p, i, false, out);
	}
	buf_put(out, STR("],\"failures\":["));
	buf_put(out, buf_str(&failures));
	buf_put(out, STR("]}"));
	buf_free(&failures);
}

static void
answer_well(struct play *p, const char *action, struct str asked, const struct trouble *f, struct buf *out)
{
	if (strcmp(action, "ListTasks") == 0)
		list_tasks(p, asked, f, out);
	else if (strcmp(action, "DescribeTasks") == 0)
		describe_tasks(p, asked, f, out);
	else if (strcmp(action, "DescribeClusters") == 0)
		buf_printf(out,
		    "{\"clusters\":[{\"clusterArn\":\"arn:aws:ecs:eu-west-1:%s:cluster/main\"}],\"failures\":[]}",
		    is_kind(f, "foreign") || is_kind(f, "stranger") ? FOREIGN : ACCOUNT);
	else
		buf_put(out, STR("{\"taskDefinition\":{\"taskDefinitionArn\":\"arn:aws:ecs:eu-west-1:" ACCOUNT
				 ":task-definition/"
				 "rng:1\",\"family\":\"rng\",\"networkMode\":\"awsvpc\",\"containerDefinitions\":["
				 "{\"name\":\"app\",\"portMappings\":[{\"containerPort\":50051}]}]}}"));
}

/* A fault of the transport, or the status and body of an answer. */
static void
answer(struct http_call *c, const char *action, struct str asked, const struct trouble *f)
{
	bool is_second = strstr(asked.ptr, "nextToken") != NULL || strcmp(action, "ListTasks") != 0;

	c->status = 200;
	if (is_kind(f, "reset") || is_kind(f, "hang")) {
		c->code = is_kind(f, "reset") ? ERR_CLOSED : ERR_TIMEOUT;
	} else if (is_kind(f, "throttle")) {
		c->status = 400;
		buf_put(&c->body, STR("{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}"));
	} else if (is_kind(f, "5xx") || (is_kind(f, "partial") && is_second)) {
		c->status = 500;
		buf_put(&c->body, STR("{\"__type\":\"ServerException\",\"message\":\"Service Unavailable\"}"));
	} else if (is_kind(f, "html")) {
		c->status = 503;
		buf_put(&c->body, STR("<html><h1>503 Service Temporarily Unavailable</h1></html>"));
	} else if (strncmp(f->kind, "code:", 5) == 0) {
		c->status = 400;
		buf_printf(&c->body,
		    "{\"__type\":\"com.amazonaws.ecs#%s\",\"message\":\"Signature expired: it is now earlier\"}",
		    f->kind + 5);
	} else if (is_kind(f, "types")) {
		buf_put(&c->body,
		    STR("{\"taskArns\":{},\"tasks\":7,\"failures\":\"x\",\"taskDefinition\":[],\"clusters\":1}"));
	} else if (is_kind(f, "empty")) {
		buf_put(&c->body, STR("{}"));
	} else {
		answer_well(c->p, action, asked, f, &c->body);
		if (is_kind(f, "cut"))
			c->body.len /= 2;
	}
}

static void
on_due(void *arg)
{
	struct http_call *c = arg;
	struct err e = ERR_INIT;
	struct http_response rs = { .err = &e, .retry_after_ms = -1, .code = c->cancelled ? ERR_CANCELLED : c->code };

	if (rs.code != ERR_OK) {
		err_fill(&e, rs.code, 0, "the scenario says: %s", err_text(rs.code));
	} else {
		rs.status = c->status;
		rs.body = buf_str(&c->body);
		rs.date_wall_ms = FAKE_LOOP_WALL_MS + now_ms(c->p);
	}
	c->done(c->arg, &rs);
	loop_timer_close(c->timer);
	buf_free(&c->body);
	free(c);
}

static struct str
header(const struct http_request *rq, const char *name)
{
	for (size_t i = 0; i < rq->n_headers; i++)
		if (str_eq(rq->headers[i].name, str_from_cstr(name)))
			return rq->headers[i].value;
	return STR("");
}

/* Minutes and seconds of "20261123T024046Z" are enough to tell ten minutes. */
static bool
is_skewed(const struct play *p, struct str date)
{
	int64_t wall = FAKE_LOOP_WALL_MS + now_ms(p), off;
	int h, m, s;

	if (date.len != 16)
		return true;
	h = (date.ptr[9] - '0') * 10 + date.ptr[10] - '0';
	m = (date.ptr[11] - '0') * 10 + date.ptr[12] - '0';
	s = (date.ptr[13] - '0') * 10 + date.ptr[14] - '0';
	off = ((int64_t)h * 3600 + m * 60 + s) * 1000 - wall % INT64_C(86400000);
	off = off < -INT64_C(43200000)  ? off + INT64_C(86400000)
	      : off > INT64_C(43200000) ? off - INT64_C(86400000)
					: off;
	return off > SKEW_MS || off < -SKEW_MS;
}

static enum err_code
http_send(struct http *base, const struct http_request *rq, http_done_fn *done, void *arg, struct http_call **ret,
    struct err *e)
{
	static const struct trouble none, skewed = { "*", "code:InvalidSignatureException" };
	struct play *p = (struct play *)((char *)base - offsetof(struct play, http));
	struct str target = str_after_last(header(rq, "x-amz-target"), '.');
	struct http_call *c = calloc(1, sizeof(*c));
	static char asked[65536]; /* one call at a time comes through here */
	char action[48];
	const struct trouble *f = &none;
	int64_t takes_ms = CALL_MS;

	assert(c != NULL && rq->body.len < sizeof(asked));
	(void)snprintf(action, sizeof(action), STR_FMT, STR_ARG(target));
	(void)snprintf(asked, sizeof(asked), STR_FMT, STR_ARG(rq->body));
	if (strcmp(p->fault.action, "*") == 0 || strcmp(p->fault.action, action) == 0)
		f = &p->fault;
	if (is_skewed(p, header(rq, "x-amz-date")))
		f = &skewed;
	*c = (struct http_call){ .p = p, .done = done, .arg = arg, .body = buf_make((size_t)1 << 20) };
	answer(c, action, str_from_cstr(asked), f);
	if (is_kind(f, "slow"))
		takes_ms = SLOW_MS;
	if (is_kind(f, "hang"))
		takes_ms = rq->timeout_ms;
	if (loop_timer_new(p->loop, on_due, c, &c->timer, e) != ERR_OK)
		abort();
	loop_timer_arm(c->timer, takes_ms);
	*ret = c;
	return ERR_OK;
}

static void
http_cancel(struct http *base, struct http_call *c)
{
	(void)base;
	c->cancelled = true;
	loop_timer_arm(c->timer, 0);
}

/* ---- keys ---- */

static void
tell_key(void *arg)
{
	struct play *p = arg;
	creds_source_done_fn *done = p->key_done;
	struct creds *key = NULL;

	p->key_done = NULL;
	if (creds_new(&(struct sigv4_key){ STR("AKID"), STR("SECRET"), STR("") }, "scenario", 0, &key, NULL) != ERR_OK)
		abort();
	done(p->key_arg, key, NULL);
	creds_unref(key);
}

static enum err_code
keys_get(struct creds_source *base, creds_source_done_fn *done, void *arg, struct err *e)
{
	struct play *p = (struct play *)((char *)base - offsetof(struct play, keys));

	(void)e;
	p->key_done = done;
	p->key_arg = arg;
	loop_timer_arm(p->key_timer, 0);
	return ERR_OK;
}

static void
keys_cancel(struct creds_source *base, void *arg)
{
	struct play *p = (struct play *)((char *)base - offsetof(struct play, keys));

	(void)arg;
	loop_timer_disarm(p->key_timer);
	p->key_done = NULL;
}

static void
keys_expire(struct creds_source *base)
{
	(void)base;
}

static struct creds_source_view
keys_view(const struct creds_source *base)
{
	(void)base;
	return (struct creds_source_view){ .name = "script", .expires_wall_ms = 1 };
}

/* ---- HAProxy ---- */

/* Of two tasks with one address it is the one that has not ended. */
static struct task *
task_at(struct play *p, const char *address)
{
	struct task *found = NULL;

	for (size_t i = 0; i < p->n_tasks; i++)
		if (strcmp(address, p->tasks[i].address) == 0 && (found == NULL || p->tasks[i].ended_ms < 0))
			found = &p->tasks[i];
	return found;
}

static bool
passes(void *arg, const char *address)
{
	const struct task *t = task_at(arg, address);

	return t == NULL || !t->is_down;
}

/* A server that was added is named after its task; a slot is whoever has its address. */
static size_t
task_of(struct play *p, const struct fake_haproxy_server *s)
{
	const struct task *t;

	for (size_t i = 0; i < p->n_tasks; i++)
		if (strncmp(s->name + strlen("rc_"), p->tasks[i].id, ID_LEN) == 0)
			return i;
	t = task_at(p, s->address);
	return t != NULL ? (size_t)(t - p->tasks) : SIZE_MAX;
}

static size_t
list_serving(struct play *p, struct serving *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < fake_haproxy_count(p->haproxy); i++) {
		const struct fake_haproxy_server s = fake_haproxy_at(p->haproxy, i);

		if (s.is_ours && s.takes_calls)
			ret[n++].task = task_of(p, &s);
	}
	return n;
}

static bool
is_among(const struct serving *list, size_t n, size_t task)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].task == task)
			return true;
	return false;
}

static size_t
count_ready(struct play *p)
{
	struct serving now[SERVING_MAX];

	return list_serving(p, now);
}

static void
before_batch(void *arg)
{
	struct play *p = arg;

	p->n_serving = list_serving(p, p->serving);
}

/* Who took calls before, and does no more; and who ended, and does again. */
static void
compare(struct play *p, bool is_our_doing)
{
	struct serving now[SERVING_MAX];
	const size_t n = list_serving(p, now);

	for (size_t i = 0; i < p->n_serving; i++) {
		const size_t at = p->serving[i].task;
		struct task *t = at != SIZE_MAX ? &p->tasks[at] : NULL;

		if (t == NULL || is_among(now, n, at))
			continue;
		if (t->ended_ms >= 0)
			t->left_ms = t->left_ms < 0 ? now_ms(p) : t->left_ms;
		else if (is_our_doing && t->unhealthy)
			p->withheld++;
		else if (is_our_doing)
			p->unproven++;
	}
	for (size_t i = 0; i < n; i++)
		if (now[i].task != SIZE_MAX)
			p->tasks[now[i].task].left_ms = -1;
	if (p->has_begun && n < p->least_ready)
		p->least_ready = n;
}

static void
after_batch(void *arg)
{
	compare(arg, true);
}

/* Calls that were cut off. */
static void
on_shut(void *arg, const char *address)
{
	struct play *p = arg;
	const struct task *t = task_at(p, address);

	if (t != NULL && t->ended_ms < 0 && !t->unhealthy)
		p->unproven++;
}

/* In the middle of a batch: not from inside it. */
static void
on_broke(void *arg)
{
	struct play *p = arg;

	loop_timer_arm(p->dies, 0);
}

static void
restart_haproxy(struct play *p, bool keeps)
{
	p->n_serving = list_serving(p, p->serving);
	fake_haproxy_restart(p->haproxy, keeps);
	compare(p, false);
}

static void
on_slipped(void *arg)
{
	restart_haproxy(arg, false);
}

/* The planted defect, as other tools have it: whoever is not listed has stopped. */
static struct roster *
plant(const struct roster *r)
{
	struct roster_cluster c = r->clusters[0];
	struct roster_task *tasks = calloc(c.facts->n_tasks + 1, sizeof(*tasks));
	struct roster *planted = NULL;

	assert(tasks != NULL);
	for (size_t i = 0; i < c.facts->n_tasks; i++) {
		tasks[i] = c.facts->tasks[i];
		if (!tasks[i].listed)
			tasks[i].last_status = tasks[i].desired_status = ROSTER_STOPPED;
	}
	if (roster_facts_make(tasks, c.facts->n_tasks, (size_t)1 << 20, &c.facts, NULL) != ERR_OK ||
	    roster_make(&c, 1, &planted, NULL) != ERR_OK)
		abort();
	roster_facts_unref(c.facts);
	free(tasks);
	return planted;
}

static void
on_published(void *arg, struct roster *r)
{
	struct play *p = arg;
	struct roster *all = app_roster_add(p->roster, p->conf, r);
	struct roster *planted = p->is_planted && all->clusters[0].facts != NULL ? plant(all) : NULL;

	app_sync_roster(p->sync, planted != NULL ? planted : all);
	roster_unref(planted);
	roster_unref(all);
}

static bool
is_held(void *arg, const struct roster_task *t)
{
	const struct play *p = arg;

	return reconcile_holds(app_sync_reconcile(p->sync), t->arn);
}

static const struct ecs_sought *
list_sought(void *arg)
{
	const struct play *p = arg;

	return reconcile_sought(app_sync_reconcile(p->sync));
}

static void
on_seek(void *arg)
{
	const struct play *p = arg;

	ecs_watch_seek(p->watch);
}

static void
on_roster_due(void *arg)
{
	const struct play *p = arg;

	ecs_watch_publish(p->watch);
}

static void
on_event(void *arg)
{
	(void)arg;
}

/* ---- rollcalld: what app.c joins ---- */

static void
make_aws(struct play *p)
{
	const struct aws_caller_service to = { .of = &aws_service_ecs,
		.at = { .region = STR("eu-west-1") },
		.connect_timeout_ms = 3000,
		.timeout_ms = 15000,
		.max_in_flight = 8,
		.max_response = ECS_ANSWER_MAX };
	const struct ecs_watch_listener listener = {
		.published = on_published, .is_held = is_held, .sought = list_sought, .arg = p
	};
	struct ecs_watch_callers callers;
	bool ok;

	p->bucket = bucket_make(p->conf->sources[0].rate_limit_milli, clk_mono_ms(&p->clk));
	ok = aws_caller_new(p->loop, &p->http, &p->keys, &p->bucket, &p->rnd, &to, &p->caller, NULL) == ERR_OK;
	assert(ok);
	callers = (struct ecs_watch_callers){ .ecs = p->caller, .ec2 = p->caller, .ssm = p->caller };
	ok = ecs_watch_new(p->loop, p->conf, &callers, &p->rnd, listener, &p->watch, NULL) == ERR_OK;
	assert(ok);
	(void)ok;
}

static void
make_sync(struct play *p)
{
	struct app_sync_config config = {
		.conf = p->conf, .state = p->state, .events = p->events, .calm_ms = CALM_MS, .seek = on_seek, .arg = p
	};
	bool ok = hap_exec_new(fake_haproxy_link(p->haproxy), &p->clk, &config.exec, NULL) == ERR_OK;

	assert(ok);
	ok = app_sync_new(p->loop, &config, &p->sync, NULL) == ERR_OK;
	assert(ok);
	(void)ok;
}

static void
start(struct play *p)
{
	bool ok;

	if (p->runs) {
		fail(p, "rollcalld runs already");
		return;
	}
	ok = app_events_new(&p->clk, on_event, p, &p->events, NULL) == ERR_OK &&
	     app_roster_new(p->loop, p->state, on_roster_due, p, &p->roster, NULL) == ERR_OK;
	assert(ok);
	(void)ok;
	make_sync(p);
	make_aws(p);
	p->runs = true;
	app_sync_start(p->sync);
	ecs_watch_start(p->watch);
}

static void
on_stopped(void *arg)
{
	struct play *p = arg;

	p->has_stopped = true;
}

static void
leave(struct play *p)
{
	ecs_watch_close(p->watch);
	aws_caller_close(p->caller);
	app_sync_close(p->sync);
	app_roster_close(p->roster);
	app_events_close(p->events);
	p->runs = false;
}

/* SIGTERM, and nothing of the sort. */
static void
stop(struct play *p, bool is_told)
{
	if (!p->runs) {
		fail(p, "rollcalld does not run");
		return;
	}
	if (is_told) {
		p->has_stopped = false;
		app_roster_save(p->roster);
		app_sync_stop(p->sync, on_stopped, p);
		while (!p->has_stopped && fake_loop_step(p->loop))
			;
	}
	leave(p);
}

static void
on_dies(void *arg)
{
	struct play *p = arg;

	if (p->runs)
		leave(p);
}

/* ---- a play ---- */

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static const struct conf *
without_entry(struct play *p)
{
	struct conf *emptied = ARENA_NEW(p->conf_arena, struct conf);

	assert(emptied != NULL);
	*emptied = *p->conf;
	emptied->n_backends = 0;
	return emptied;
}

static void
make_world(struct play *p, const char *version)
{
	const struct fake_haproxy_world world = { .passes = passes,
		.before = before_batch,
		.after = after_batch,
		.shut = on_shut,
		.broke = on_broke,
		.slipped = on_slipped,
		.arg = p };
	const char *top = getenv("top_srcdir");
	char vectors[512];

	(void)snprintf(vectors, sizeof(vectors), "%s/tests/vectors/hap", top != NULL ? top : ".");
	p->haproxy = fake_haproxy_new(p->loop, version, vectors, &world);
	p->state = memory_state_new();
	p->http = (struct http){ .send = http_send, .cancel = http_cancel };
	p->keys =
	    (struct creds_source){ .get = keys_get, .cancel = keys_cancel, .expire = keys_expire, .view = keys_view };
}

static void
begin(struct play *p, const char *version)
{
	static const struct env env = { .get = no_variable };
	static const char yaml[] =
	    "ecs: {region: eu-west-1, clusters: [main], access_key_id: A, secret_access_key: B}\n"
	    "backends: [{name: grpc, match: {service: rng}, port: 50051}]\n";
	struct conf_notes notes = { .n = 0 };
	bool ok;

	*p = (struct play){ .rnd = prng_make(7), .least_ready = SIZE_MAX };
	p->conf_arena = arena_new((size_t)4 << 20);
	ok = loop_new(&p->loop, NULL) == ERR_OK &&
	     conf_parse(p->conf_arena, str_from_cstr(yaml), &env, &p->conf, &notes, NULL) == ERR_OK &&
	     loop_timer_new(p->loop, tell_key, p, &p->key_timer, NULL) == ERR_OK &&
	     loop_timer_new(p->loop, on_dies, p, &p->dies, NULL) == ERR_OK;
	assert(ok);
	(void)ok;
	p->clk = loop_clk(p->loop);
	p->began_ms = clk_mono_ms(&p->clk);
	p->emptied = without_entry(p);
	make_world(p, version);
}

static void
end(struct play *p)
{
	if (p->runs)
		leave(p);
	fake_loop_pass(p->loop, 60000); /* what was cancelled is told */
	loop_timer_close(p->key_timer);
	loop_timer_close(p->dies);
	fake_haproxy_free(p->haproxy);
	app_state_close(p->state);
	arena_free(p->conf_arena);
	loop_free(p->loop);
}

static void
pass_to(struct play *p, int64_t at_ms)
{
	while (now_ms(p) < at_ms && p->failed[0] == '\0') {
		const int64_t left = at_ms - now_ms(p);
		const size_t n = fake_haproxy_batches(p->haproxy);

		fake_loop_pass(p->loop, left < STEP_MS ? left : STEP_MS);
		if (fake_haproxy_batches(p->haproxy) - n > STEP_BATCHES)
			fail(p, "it spins");
	}
}

/* ---- the language ---- */

static void
add_task(struct play *p, unsigned address)
{
	struct task *t = &p->tasks[p->n_tasks++];

	assert(p->n_tasks <= TASKS_MAX);
	*t = (struct task){ .exists = true, .version = 3, .started_ms = now_ms(p), .ended_ms = -1, .left_ms = -1 };
	(void)snprintf(t->address, sizeof(t->address), "10.0.0.%u", address);
	(void)snprintf(t->id, sizeof(t->id), "%0*zx", ID_LEN, p->n_tasks);
}

static void
end_task(struct play *p, struct task *t)
{
	t->version++;
	if (t->ended_ms < 0)
		t->ended_ms = now_ms(p);
}

static void
for_tasks(struct play *p, const char *which, const char *what)
{
	bool all = strcmp(which, "all") == 0;
	size_t from = all ? 0 : strtoul(which, NULL, 10) - 1, to = all ? p->n_tasks : from + 1;

	if (to > p->n_tasks) {
		fail(p, "no task %s", which);
		return;
	}
	for (size_t i = from; i < to; i++) {
		struct task *t = &p->tasks[i];

		t->version++;
		if (strcmp(what, "stop") == 0) {
			t->stopped = true;
			end_task(p, t);
		} else if (strcmp(what, "forget") == 0) {
			t->forgotten = true;
			end_task(p, t);
		} else if (strcmp(what, "down") == 0 || strcmp(what, "up") == 0) {
			t->is_down = strcmp(what, "down") == 0;
		} else {
			t->unhealthy = strcmp(what, "unhealthy") == 0;
		}
	}
}

static bool
is_frozen(const struct play *p)
{
	const struct plan *plan = p->runs ? reconcile_view(app_sync_reconcile(p->sync)).plan : NULL;

	return plan != NULL && plan->n_backends > 0 && plan->backends[0].is_frozen;
}

static bool
is_in_step(const struct play *p)
{
	return p->runs && reconcile_view(app_sync_reconcile(p->sync)).in_step;
}

static void
expect(struct play *p, char *const *w)
{
	const char *what = w[1];
	size_t n = w[2][0] != '\0' ? strtoul(w[2], NULL, 10) : 0;

	if (strcmp(what, "ready") == 0 && count_ready(p) != n)
		fail(p, "%zu are ready, not %zu", count_ready(p), n);
	else if (strcmp(what, "gone") == 0 && (n == 0 || n > p->n_tasks || p->tasks[n - 1].left_ms < 0))
		fail(p, "task %zu has not left", n);
	else if (strcmp(what, "frozen") == 0 && !is_frozen(p))
		fail(p, "the backend is not frozen");
	else if (strcmp(what, "thawed") == 0 && is_frozen(p))
		fail(p, "the backend is frozen");
	else if (strcmp(what, "step") == 0 && !is_in_step(p))
		fail(p, "something is left to do");
	else if (strcmp(what, "caught") == 0 && p->unproven == 0)
		fail(p, "the planted defect was not caught");
}

static void
release(struct play *p, char *const *w)
{
	const struct reconcile_order o = { .kind = RECONCILE_RELEASE_BACKEND, .backend = STR(FAKE_HAPROXY_BACKEND) };
	struct buf said = buf_make(512);
	struct err e = ERR_INIT;

	(void)w;
	if (app_sync_order(p->sync, &o, &said, &e) != ERR_OK)
		fail(p, "release: %s", e.msg);
	buf_free(&said);
}

static void
set_fault(struct play *p, char *const *w)
{
	(void)snprintf(p->fault.action, sizeof(p->fault.action), "%s", w[1]);
	(void)snprintf(p->fault.kind, sizeof(p->fault.kind), "%s", w[2]);
}

static void
add_tasks(struct play *p, char *const *w)
{
	for (unsigned i = 1; i <= strtoul(w[1], NULL, 10); i++)
		add_task(p, i);
}

static void
run_task(struct play *p, char *const *w)
{
	add_task(p, (unsigned)strtoul(w[1], NULL, 10));
}

static void
set_clock(struct play *p, char *const *w)
{
	fake_loop_shift_wall(p->loop, strtol(w[1], NULL, 10) * 1000);
}

static void
set_streams(struct play *p, char *const *w)
{
	const size_t i = strtoul(w[1], NULL, 10);

	if (i == 0 || i > p->n_tasks)
		fail(p, "no task %s", w[1]);
	else
		fake_haproxy_set_streams(p->haproxy, p->tasks[i - 1].address, (unsigned)strtoul(w[2], NULL, 10));
}

static void
disturb_haproxy(struct play *p, char *const *w)
{
	static const struct {
		const char *word;
		enum fake_haproxy_manner manner;
	} manners[] = {
		{ "back", FAKE_HAPROXY_ANSWERS },
		{ "away", FAKE_HAPROXY_IS_AWAY },
		{ "hangs", FAKE_HAPROXY_HANGS },
		{ "breaks", FAKE_HAPROXY_BREAKS },
		{ "stops", FAKE_HAPROXY_STOPS },
	};

	if (strcmp(w[1], "restarts") == 0) {
		restart_haproxy(p, strcmp(w[2], "kept") == 0);
		return;
	}
	if (strcmp(w[1], "slips") == 0) {
		fake_haproxy_slip_next(p->haproxy);
		return;
	}
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		if (strcmp(w[1], manners[i].word) == 0) {
			fake_haproxy_behave(p->haproxy, manners[i].manner);
			return;
		}
	fail(p, "haproxy does what? `%s`", w[1]);
}

static void
disturb_rollcalld(struct play *p, char *const *w)
{
	if (strcmp(w[1], "starts") == 0)
		start(p);
	else if (strcmp(w[1], "stops") == 0 || strcmp(w[1], "dies") == 0)
		stop(p, w[1][0] == 's');
	else if (strcmp(w[1], "breaks") == 0)
		fake_haproxy_break_next(p->haproxy);
	else
		fail(p, "rollcalld does what? `%s`", w[1]);
}

/* It dies, and comes back with its files, and perhaps without its entry. */
static void
restart(struct play *p, char *const *w)
{
	if (strcmp(w[1], "emptied") == 0)
		p->conf = p->emptied;
	stop(p, false);
	start(p);
}

static void
disturb_disk(struct play *p, char *const *w)
{
	if (strcmp(w[1], "loses") == 0)
		memory_state_lose(p->state, w[2]);
	else if (strcmp(w[1], "damages") == 0)
		memory_state_damage(p->state, w[2]);
	else if (strcmp(w[1], "full") == 0 || strcmp(w[1], "well") == 0)
		memory_state_fill(p->state, w[1][0] == 'f');
	else
		fail(p, "the disk does what? `%s`", w[1]);
}

static void
start_first(struct play *p, char *const *w)
{
	(void)w;
	start(p);
}

static void
make_well(struct play *p, char *const *w)
{
	(void)w;
	p->fault = (struct trouble){ .kind = "" };
}

static void
plant_defect(struct play *p, char *const *w)
{
	(void)w;
	p->is_planted = true;
}

static void
change_tasks(struct play *p, char *const *w)
{
	for_tasks(p, w[1], w[0]);
}

static const struct {
	const char *word;
	void (*carry_out)(struct play *p, char *const *w);
} orders[] = {
	{ "tasks", add_tasks },
	{ "run", run_task },
	{ "start", start_first },
	{ "plant", plant_defect },
	{ "stop", change_tasks },
	{ "forget", change_tasks },
	{ "unhealthy", change_tasks },
	{ "healthy", change_tasks },
	{ "down", change_tasks },
	{ "up", change_tasks },
	{ "streams", set_streams },
	{ "fault", set_fault },
	{ "well", make_well },
	{ "clock", set_clock },
	{ "haproxy", disturb_haproxy },
	{ "rollcalld", disturb_rollcalld },
	{ "restart", restart },
	{ "disk", disturb_disk },
	{ "release", release },
	{ "expect", expect },
};

/* One line, its words; argv[n] and beyond are empty. */
static void
act(struct play *p, char *const *w)
{
	if (strcmp(w[0], "at") == 0) {
		pass_to(p, (int64_t)strtoul(w[1], NULL, 10) * 1000);
		if (!p->has_begun && count_ready(p) > 0) {
			p->has_begun = true;
			p->least_ready = count_ready(p);
		}
		w += 2;
	}
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(w[0], orders[i].word) == 0) {
			orders[i].carry_out(p, w);
			return;
		}
	if (w[0][0] != '\0')
		fail(p, "what is `%s`?", w[0]);
}

/* ---- files ---- */

#define WORDS_MAX 8
#define NAMES_MAX 32

struct each { /* `each NAME value value ...` */
	char name[32];
	char *values[NAMES_MAX];
	size_t n;
};

#define VERSIONS_MAX 4
static const char *const versions[VERSIONS_MAX] = { "2.6", "3.0", "3.2", "3.4" };

struct script {
	char name[64], text[16384], about[200];
	struct each each[2];
	size_t n_each;
	bool on[VERSIONS_MAX]; /* with which HAProxies */
};

static void
substitute(char *word, size_t size, const struct script *s, const size_t *at)
{
	for (size_t i = 0; i < s->n_each; i++)
		if (word[0] == '$' && strcmp(word + 1, s->each[i].name) == 0)
			(void)snprintf(word, size, "%s", s->each[i].values[at[i]]);
}

static void
play_line(struct play *p, const struct script *s, const size_t *at, const char *line, size_t len)
{
	char words[WORDS_MAX + 4][64] = { "" }, *argv[WORDS_MAX + 4];
	size_t n = 0;

	for (size_t i = 0; i < len && n < WORDS_MAX;) {
		size_t k = i;

		while (k < len && line[k] != ' ')
			k++;
		if (k > i && k - i < sizeof(words[0])) {
			memcpy(words[n], line + i, k - i);
			substitute(words[n++], sizeof(words[0]), s, at);
		}
		i = k + 1;
	}
	for (size_t i = 0; i < WORDS_MAX + 4; i++)
		argv[i] = words[i];
	if (n > 0 && words[0][0] != '#' && strcmp(words[0], "each") != 0 && strcmp(words[0], "on") != 0)
		act(p, argv);
}

static void
play_text(struct play *p, const struct script *s, const size_t *at)
{
	for (const char *line = s->text; *line != '\0' && p->failed[0] == '\0';) {
		size_t len = strcspn(line, "\n");

		play_line(p, s, at, line, len);
		line += len + (line[len] == '\n' ? 1 : 0);
	}
}

static void
read_each(struct script *s, char *line)
{
	struct each *e = &s->each[s->n_each++];
	char *rest = line, *word = strtok_r(rest, " ", &rest);

	assert(s->n_each <= 2);
	word = strtok_r(NULL, " ", &rest);
	(void)snprintf(e->name, sizeof(e->name), "%s", word != NULL ? word : "");
	while ((word = strtok_r(NULL, " ", &rest)) != NULL && e->n < NAMES_MAX)
		e->values[e->n++] = strdup(word);
}

/* `on VERSION ...`; without it: all. */
static void
read_on(struct script *s, const char *line)
{
	for (size_t i = 0; i < VERSIONS_MAX; i++)
		s->on[i] = strstr(line, versions[i]) != NULL;
}

static bool
read_script(const char *path, struct script *s)
{
	FILE *f = fopen(path, "r");
	const char *slash = strrchr(path, '/');
	char line[1024];
	size_t n;

	*s = (struct script){ .on = { true, true, true, true } };
	if (f == NULL)
		return false;
	n = fread(s->text, 1, sizeof(s->text) - 1, f);
	s->text[n] = '\0';
	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "each ", 5) == 0)
			read_each(s, line);
		if (strncmp(line, "on ", 3) == 0)
			read_on(s, line);
		if (line[0] == '#' && s->about[0] == '\0')
			(void)snprintf(s->about, sizeof(s->about), "%.180s", line + 2);
	}
	(void)fclose(f);
	(void)snprintf(s->name, sizeof(s->name), "%.*s", (int)strcspn(slash != NULL ? slash + 1 : path, "."),
	    slash != NULL ? slash + 1 : path);
	return true;
}

/* ---- results ---- */

struct tally {
	size_t cases, unproven, ended, left;
	int64_t soonest_ms, latest_ms;
	size_t least_ready;
	bool is_planted;
};

static void
add(struct tally *t, const struct play *p)
{
	t->cases++;
	t->unproven += p->unproven;
	t->is_planted = t->is_planted || p->is_planted;
	t->least_ready = p->least_ready < t->least_ready ? p->least_ready : t->least_ready;
	for (size_t i = 0; i < p->n_tasks; i++) {
		const int64_t took = p->tasks[i].left_ms - p->tasks[i].ended_ms;

		t->ended += p->tasks[i].ended_ms >= 0 ? 1 : 0;
		if (p->tasks[i].left_ms < 0)
			continue;
		t->left++;
		t->soonest_ms = t->left == 1 || took < t->soonest_ms ? took : t->soonest_ms;
		t->latest_ms = took > t->latest_ms ? took : t->latest_ms;
	}
}

static void
print_row(const struct script *s, const struct tally *t)
{
	char took[64] = "-";

	if (t->left > 0)
		(void)snprintf(
		    took, sizeof(took), "%.1f .. %.1f s", (double)t->soonest_ms / 1000, (double)t->latest_ms / 1000);
	(void)printf("| %s | %s | %zu | %zu%s | %zu of %zu | %s | %zu |\n", s->name, s->about, t->cases, t->unproven,
	    t->is_planted ? " (planted, caught)" : "", t->left, t->ended, took, t->least_ready);
}

struct playing {
	bool is_table;
	unsigned number; /* of cases so far */
	struct tally by_version[VERSIONS_MAX];
};

static bool
play_case(const struct script *s, const size_t *at, size_t version, struct playing *all, struct tally *t)
{
	static struct play p; /* large */
	char what[160];
	bool ok;

	(void)snprintf(what, sizeof(what), " %s", versions[version]);
	for (size_t i = 0; i < s->n_each; i++)
		(void)snprintf(what + strlen(what), sizeof(what) - strlen(what), " %s", s->each[i].values[at[i]]);
	begin(&p, versions[version]);
	play_text(&p, s, at);
	if (p.unproven > 0 && !p.is_planted)
		fail(&p, "%zu unproven removals", p.unproven);
	if (fake_haproxy_broken(p.haproxy) != NULL)
		fail(&p, "%s", fake_haproxy_broken(p.haproxy));
	ok = p.failed[0] == '\0';
	all->number++;
	if (!all->is_table || !ok)
		(void)printf(
		    "%s %u - %s%s%s%s\n", ok ? "ok" : "not ok", all->number, s->name, what, ok ? "" : ": ", p.failed);
	add(t, &p);
	if (!p.is_planted)
		add(&all->by_version[version], &p);
	end(&p);
	return ok;
}

static bool
play_script(const struct script *s, struct playing *all)
{
	struct tally t = { .least_ready = SIZE_MAX };
	size_t n0 = s->n_each > 0 ? s->each[0].n : 1, n1 = s->n_each > 1 ? s->each[1].n : 1;
	bool ok = true;

	for (size_t v = 0; v < VERSIONS_MAX; v++)
		for (size_t i = 0; s->on[v] && i < n0; i++)
			for (size_t k = 0; k < n1; k++) {
				const size_t at[2] = { i, k };

				ok = play_case(s, at, v, all, &t) && ok;
			}
	if (all->is_table)
		print_row(s, &t);
	return ok;
}

static void
print_versions(const struct playing *all)
{
	(void)printf("\n| HAProxy | cases | unproven removals | ended and left | time to removal |\n"
		     "| --- | --- | --- | --- | --- |\n");
	for (size_t v = 0; v < VERSIONS_MAX; v++) {
		const struct tally *t = &all->by_version[v];

		(void)printf("| %s, %s | %zu | %zu | %zu of %zu | %.1f .. %.1f s |\n", versions[v],
		    v == 0 ? "slots" : "servers added", t->cases, t->unproven, t->left, t->ended,
		    (double)t->soonest_ms / 1000, (double)t->latest_ms / 1000);
	}
}

static void
on_log(void *arg, const struct log_record *r)
{
	struct buf line = buf_make(LOG_LINE_MAX * 2);

	(void)arg;
	log_format_line(LOG_TEXT, 0, r, &line);
	(void)printf("# " STR_FMT, STR_ARG(buf_str(&line)));
	buf_free(&line);
}

int
main(int argc, char **argv)
{
	static struct script s;
	struct playing all = { .is_table = argc > 1 && strcmp(argv[1], "--table") == 0 };
	const bool shows_log = argc > 1 && strcmp(argv[1], "--log") == 0;
	bool ok = true;

	if (shows_log)
		log_open(on_log, NULL, LOG_DEBUG);
	for (int i = all.is_table || shows_log ? 2 : 1; i < argc; i++) {
		if (!read_script(argv[i], &s)) {
			(void)printf("Bail out! cannot read %s\n", argv[i]);
			return 2;
		}
		ok = play_script(&s, &all) && ok;
		for (size_t k = 0; k < s.n_each; k++)
			for (size_t v = 0; v < s.each[k].n; v++)
				free(s.each[k].values[v]);
	}
	if (all.is_table)
		print_versions(&all);
	else
		(void)printf("1..%u\n", all.number);
	return ok ? 0 : 1;
}
