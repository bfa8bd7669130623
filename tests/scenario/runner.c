/*
 * Plays scenarios (*.scn beside this file, the language is in README.md) on a clock of
 * its own: the real caller, watcher, ledger, planner, guard and reconciler between an
 * AWS that answers as the scenario says, and the model of HAProxy (plan_apply).  No
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

#include "aws/aws_caller.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_watch.h"
#include "fake_loop.h"
#include "sync/reconcile.h"

#define TASKS_MAX 16
#define SLOTS     16
#define ACCOUNT   "123456789012"
#define FOREIGN   "999999999999"
#define CALL_MS   20
#define SLOW_MS   10000
#define SKEW_MS   INT64_C(300000) /* AWS refuses signatures that are older */

/* ---- the truth ---- */

struct task {
	bool exists, stopped, forgotten, unhealthy;
	unsigned address; /* 10.0.0.N */
	unsigned version;
	int64_t started_ms;
	int64_t ended_ms, left_ms; /* when it ended, and when its server took no calls any more; -1: not yet */
};

struct trouble {
	char action[40], kind[48]; /* action "*": any; kind empty: none */
};

struct play {
	struct loop *loop;
	struct clk clk;
	int64_t began_ms;
	struct task tasks[TASKS_MAX];
	size_t n_tasks;
	struct trouble fault;
	bool haproxy_away, is_planted;
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
	struct reconcile *r;
	struct reconcile_actions todo;
	struct actual *haproxy;
	struct loop_timer *wake;
	bool under_way;
};

static void __attribute__((format(printf, 2, 3))) fail(struct play *p, const char *fmt, ...)
{
	va_list ap;

	if (p->failed[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(p->failed, sizeof(p->failed), fmt, ap);
	va_end(ap);
}

static int64_t
now_ms(const struct play *p)
{
	return clk_mono_ms(&p->clk) - p->began_ms;
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
	(void)p;
	buf_printf(out, "arn:aws:ecs:eu-west-1:%s:task/main/%032zx", foreign ? FOREIGN : ACCOUNT, i + 1);
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
	    "\"subnet-1\"}]}],\"containers\":[{\"name\":\"app\",\"networkInterfaces\":[{\"privateIpv4Address\":\"10.0."
	    "0.%u\""
	    "}]}]}",
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
		char id[40];

		(void)snprintf(id, sizeof(id), "%032zx", i + 1);
		if (strstr(asked.ptr, id) == NULL)
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

static struct actual *
make_haproxy(void)
{
	struct arena *a = arena_new((size_t)1 << 20);
	struct actual *h = ARENA_NEW(a, struct actual);
	struct actual_backend *b = ARENA_NEW(a, struct actual_backend);
	struct actual_server *s = ARENA_ARRAY(a, struct actual_server, SLOTS);

	for (unsigned i = 0; i < SLOTS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "rc_%u", i + 1);
		s[i] = (struct actual_server){ .admin = ACTUAL_MAINT,
			.check = ACTUAL_CHECK_PENDING,
			.weight = 1,
			.is_ours = true,
			.is_slot = true,
			.slot = i + 1,
			.address = STR(""),
			.status = STR("MAINT"),
			.last_check = STR("") };
		if (!arena_str(a, str_from_cstr(name), &s[i].name))
			abort();
	}
	*b = (struct actual_backend){
		.name = STR("grpc"), .exists = true, .servers = s, .n_servers = SLOTS, .n_slots = SLOTS
	};
	*h = (struct actual){ .version = STR("2.6.12"),
		.major = 2,
		.minor = 6,
		.pid = 100,
		.start_time_s = 1,
		.backends = b,
		.n_backends = 1,
		.arena = a };
	return h;
}

static struct actual *
advance(struct play *p, const struct plan *plan)
{
	static const struct plan nothing;
	struct actual *after = NULL;
	struct err e = ERR_INIT;

	if (plan_apply(plan != NULL ? plan : &nothing, p->haproxy, &after, &e) != ERR_OK) {
		fail(p, "HAProxy refuses: %s", e.msg);
		return NULL;
	}
	return after;
}

static struct task *
task_at(struct play *p, const struct actual_server *s)
{
	struct task *found = NULL;

	for (size_t i = 0; i < p->n_tasks; i++) {
		char address[16];

		(void)snprintf(address, sizeof(address), "10.0.0.%u", p->tasks[i].address);
		if (str_eq(s->address, str_from_cstr(address)) && (found == NULL || p->tasks[i].ended_ms < 0))
			found = &p->tasks[i];
	}
	return found;
}

static bool
takes_calls(const struct actual_server *s)
{
	return s->address.len > 0 && s->admin == ACTUAL_READY && s->up && s->weight > 0;
}

static bool
is_served_at(const struct actual *a, struct str address)
{
	const struct actual_backend *b = &a->backends[0];

	for (size_t i = 0; i < b->n_servers; i++)
		if (str_eq(b->servers[i].address, address) && b->servers[i].admin == ACTUAL_READY)
			return true;
	return false;
}

/* Whom did this take away, and had that task ended? */
static void
judge(struct play *p, const struct actual *before, const struct actual *after)
{
	const struct actual_backend *b = &before->backends[0], *now = &after->backends[0];
	size_t ready = 0;

	for (size_t i = 0; i < b->n_servers; i++) {
		struct task *t = takes_calls(&b->servers[i]) ? task_at(p, &b->servers[i]) : NULL;

		if (t == NULL || is_served_at(after, b->servers[i].address))
			continue;
		if (t->ended_ms < 0 && t->unhealthy)
			p->withheld++;
		else if (t->ended_ms < 0)
			p->unproven++;
		else if (t->left_ms < 0)
			t->left_ms = now_ms(p);
	}
	for (size_t i = 0; i < now->n_servers; i++)
		ready += takes_calls(&now->servers[i]) ? 1 : 0;
	if (p->has_begun && ready < p->least_ready)
		p->least_ready = ready;
}

static size_t
count_ready(const struct play *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->haproxy->backends[0].n_servers; i++)
		n += takes_calls(&p->haproxy->backends[0].servers[i]) ? 1 : 0;
	return n;
}

/* ---- the reconciler's driver ---- */

static void feed(struct play *p, struct reconcile_event ev);

static void
carry_out(struct play *p)
{
	struct err away = ERR_INIT;
	struct hap_exec_report report = { .pid = p->haproxy->pid, .start_time_s = p->haproxy->start_time_s };
	const struct hap_text_info info = { .pid = p->haproxy->pid, .start_time_s = p->haproxy->start_time_s };
	const bool read = p->todo.read;
	const struct plan *execute = p->todo.execute;
	struct actual *after;

	err_fill(&away, ERR_IO, 0, "the scenario says: HAProxy is away");
	p->under_way = false;
	if (execute != NULL) {
		after = p->haproxy_away ? NULL : advance(p, execute);
		if (after == NULL) {
			report.err = away;
		} else {
			judge(p, p->haproxy, after);
			actual_free(p->haproxy);
			p->haproxy = after;
			report.done = execute->n_steps;
		}
		feed(p, (struct reconcile_event){ .kind = RECONCILE_EXECUTED, .report = &report });
	} else if (p->haproxy_away) {
		feed(p, (struct reconcile_event){
			    .kind = read ? RECONCILE_READ_FAILED : RECONCILE_PROBE_FAILED, .err = &away });
	} else if (read) {
		after = advance(p, NULL); /* checks that were pending pass */
		if (after == NULL)
			return;
		actual_free(p->haproxy);
		p->haproxy = after;
		after = advance(p, NULL);
		after->read_mono_ms = clk_mono_ms(&p->clk);
		feed(p, (struct reconcile_event){ .kind = RECONCILE_ACTUAL, .actual = after });
	} else {
		feed(p, (struct reconcile_event){ .kind = RECONCILE_PROBED, .info = &info });
	}
}

static void
feed(struct play *p, struct reconcile_event ev)
{
	ev.mono_ms = clk_mono_ms(&p->clk);
	ev.wall_ms = clk_wall_ms(&p->clk);
	reconcile_feed(p->r, &ev, &p->todo);
	if (p->todo.save_applied != NULL)
		(void)reconcile_saved(p->r, RECONCILE_APPLIED, ev.mono_ms, NULL);
	if (p->todo.save_overlay != NULL)
		(void)reconcile_saved(p->r, RECONCILE_OVERLAY, ev.mono_ms, NULL);
	p->under_way = p->todo.read || p->todo.probe || p->todo.execute != NULL || p->under_way;
	loop_timer_arm(p->wake, p->todo.wake_in_ms);
	if (p->todo.seek)
		ecs_watch_seek(p->watch);
}

static void
settle(struct play *p)
{
	for (int i = 0; p->under_way && p->failed[0] == '\0'; i++) {
		if (i == 1000)
			fail(p, "it spins");
		carry_out(p);
	}
}

static void
on_wake(void *arg)
{
	feed(arg, (struct reconcile_event){ .kind = RECONCILE_TICK });
	settle(arg);
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
	struct roster *planted = p->is_planted && r->clusters[0].facts != NULL ? plant(r) : NULL;

	feed(p, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = planted != NULL ? planted : r });
	settle(p);
	roster_unref(planted);
}

static bool
is_held(void *arg, const struct roster_task *t)
{
	const struct play *p = arg;

	return reconcile_holds(p->r, t->arn);
}

static const struct ecs_sought *
list_sought(void *arg)
{
	const struct play *p = arg;

	return reconcile_sought(p->r);
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
begin(struct play *p)
{
	static const struct env env = { .get = no_variable };
	static const char yaml[] =
	    "ecs: {region: eu-west-1, clusters: [main], access_key_id: A, secret_access_key: B}\n"
	    "backends: [{name: grpc, match: {service: rng}, port: 50051}]\n";
	struct conf_notes notes = { .n = 0 };
	struct err e = ERR_INIT;
	bool ok;

	*p = (struct play){ .rnd = prng_make(7), .least_ready = SIZE_MAX };
	p->conf_arena = arena_new((size_t)4 << 20);
	ok = loop_new(&p->loop, &e) == ERR_OK &&
	     conf_parse(p->conf_arena, str_from_cstr(yaml), &env, &p->conf, &notes, &e) == ERR_OK;
	assert(ok);
	p->clk = loop_clk(p->loop);
	p->began_ms = clk_mono_ms(&p->clk);
	p->emptied = without_entry(p);
	p->http = (struct http){ .send = http_send, .cancel = http_cancel };
	p->keys =
	    (struct creds_source){ .get = keys_get, .cancel = keys_cancel, .expire = keys_expire, .view = keys_view };
	p->haproxy = make_haproxy();
	p->bucket = bucket_make(p->conf->sources[0].rate_limit_milli, p->began_ms);
}

static void
watch(struct play *p)
{
	const struct ecs_watch_listener listener = {
		.published = on_published, .is_held = is_held, .sought = list_sought, .arg = p
	};
	const struct ecs_watch_callers callers = { .ecs = p->caller, .ec2 = p->caller, .ssm = p->caller };
	struct err e = ERR_INIT;
	bool ok = ecs_watch_new(p->loop, p->conf, &callers, &p->rnd, listener, &p->watch, &e) == ERR_OK;

	assert(ok);
	(void)ok;
	on_wake(p);
	ecs_watch_start(p->watch);
}

/* rollcalld is killed, and comes back with its files. */
static void
restart(struct play *p)
{
	const struct reconcile_view v = reconcile_view(p->r);
	struct reconcile_config config = { .conf = p->conf };
	struct buf applied = buf_make(APPLIED_TEXT_MAX), overlay = buf_make(OVERLAY_TEXT_MAX);
	struct err e = ERR_INIT;
	bool ok = (v.applied == NULL || (applied_write(v.applied, &applied, &e) == ERR_OK &&
					    applied_read(buf_str(&applied), &config.applied, &e) == ERR_OK)) &&
		  overlay_write(v.overlay, &overlay, &e) == ERR_OK &&
		  overlay_read(buf_str(&overlay), &config.overlay, &e) == ERR_OK;

	ecs_watch_close(p->watch);
	reconcile_free(p->r);
	p->under_way = false;
	ok = ok && reconcile_new(&config, &p->r, &e) == ERR_OK;
	assert(ok);
	(void)ok;
	buf_free(&applied);
	buf_free(&overlay);
	watch(p);
}

static void
start(struct play *p)
{
	const struct reconcile_config config = { .conf = p->conf };
	const struct aws_caller_service to = { .of = &aws_service_ecs,
		.at = { .region = STR("eu-west-1") },
		.connect_timeout_ms = 3000,
		.timeout_ms = 15000,
		.max_in_flight = 8,
		.max_response = ECS_ANSWER_MAX };
	struct err e = ERR_INIT;
	bool ok;

	ok = loop_timer_new(p->loop, tell_key, p, &p->key_timer, &e) == ERR_OK &&
	     loop_timer_new(p->loop, on_wake, p, &p->wake, &e) == ERR_OK &&
	     reconcile_new(&config, &p->r, &e) == ERR_OK &&
	     aws_caller_new(p->loop, &p->http, &p->keys, &p->bucket, &p->rnd, &to, &p->caller, &e) == ERR_OK;
	assert(ok);
	(void)ok;
	watch(p);
}

static void
end(struct play *p)
{
	ecs_watch_close(p->watch);
	aws_caller_close(p->caller);
	fake_loop_pass(p->loop, 60000); /* what was cancelled is told */
	loop_timer_close(p->key_timer);
	loop_timer_close(p->wake);
	reconcile_free(p->r);
	actual_free(p->haproxy);
	arena_free(p->conf_arena);
	loop_free(p->loop);
}

static void
pass_to(struct play *p, int64_t at_ms)
{
	while (now_ms(p) < at_ms && p->failed[0] == '\0') {
		int64_t left = at_ms - now_ms(p);

		fake_loop_pass(p->loop, left < 100 ? left : 100);
	}
}

/* ---- the language ---- */

static void
add_task(struct play *p, unsigned address)
{
	struct task *t = &p->tasks[p->n_tasks++];

	assert(p->n_tasks <= TASKS_MAX);
	*t = (struct task){
		.exists = true, .address = address, .version = 3, .started_ms = now_ms(p), .ended_ms = -1, .left_ms = -1
	};
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
		} else {
			t->unhealthy = strcmp(what, "unhealthy") == 0;
		}
	}
}

static bool
is_frozen(const struct play *p)
{
	const struct plan *plan = reconcile_view(p->r).plan;

	return plan != NULL && plan->backends[0].is_frozen;
}

static void
expect(struct play *p, const char *what, const char *arg)
{
	size_t n = arg[0] != '\0' ? strtoul(arg, NULL, 10) : 0;

	if (strcmp(what, "ready") == 0 && count_ready(p) != n)
		fail(p, "%zu are ready, not %zu", count_ready(p), n);
	else if (strcmp(what, "gone") == 0 && (n == 0 || n > p->n_tasks || p->tasks[n - 1].left_ms < 0))
		fail(p, "task %zu has not left", n);
	else if (strcmp(what, "frozen") == 0 && !is_frozen(p))
		fail(p, "the backend is not frozen");
	else if (strcmp(what, "thawed") == 0 && is_frozen(p))
		fail(p, "the backend is frozen");
	else if (strcmp(what, "caught") == 0 && p->unproven == 0)
		fail(p, "the planted defect was not caught");
}

static void
release(struct play *p)
{
	const struct reconcile_order o = { .kind = RECONCILE_RELEASE_BACKEND, .backend = STR("grpc") };
	struct buf said = buf_make(512);
	struct err e = ERR_INIT;

	if (reconcile_order(p->r, &o, clk_wall_ms(&p->clk), &said, &e) != ERR_OK)
		fail(p, "release: %s", e.msg);
	buf_free(&said);
	on_wake(p);
}

static void
set_fault(struct play *p, const char *action, const char *kind)
{
	(void)snprintf(p->fault.action, sizeof(p->fault.action), "%s", action);
	(void)snprintf(p->fault.kind, sizeof(p->fault.kind), "%s", kind);
}

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
		act(p, w + 2);
	} else if (strcmp(w[0], "tasks") == 0) {
		for (unsigned i = 1; i <= strtoul(w[1], NULL, 10); i++)
			add_task(p, i);
	} else if (strcmp(w[0], "start") == 0) {
		start(p);
	} else if (strcmp(w[0], "run") == 0) {
		add_task(p, (unsigned)strtoul(w[1], NULL, 10));
	} else if (strcmp(w[0], "stop") == 0 || strcmp(w[0], "forget") == 0 || strcmp(w[0], "unhealthy") == 0 ||
		   strcmp(w[0], "healthy") == 0) {
		for_tasks(p, w[1], w[0]);
	} else if (strcmp(w[0], "fault") == 0) {
		set_fault(p, w[1], w[2]);
	} else if (strcmp(w[0], "well") == 0) {
		set_fault(p, "", "");
	} else if (strcmp(w[0], "clock") == 0) {
		fake_loop_shift_wall(p->loop, strtol(w[1], NULL, 10) * 1000);
	} else if (strcmp(w[0], "haproxy") == 0) {
		p->haproxy_away = strcmp(w[1], "away") == 0;
	} else if (strcmp(w[0], "release") == 0) {
		release(p);
	} else if (strcmp(w[0], "restart") == 0) {
		if (strcmp(w[1], "emptied") == 0)
			p->conf = p->emptied;
		restart(p);
	} else if (strcmp(w[0], "plant") == 0) {
		p->is_planted = true;
	} else if (strcmp(w[0], "expect") == 0) {
		expect(p, w[1], w[2]);
	} else if (w[0][0] != '\0') {
		fail(p, "what is `%s`?", w[0]);
	}
}

/* ---- files ---- */

#define WORDS_MAX 8
#define NAMES_MAX 32

struct each { /* `each NAME value value ...` */
	char name[32];
	char *values[NAMES_MAX];
	size_t n;
};

struct script {
	char name[64], text[16384], about[120];
	struct each each[2];
	size_t n_each;
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
	if (n > 0 && words[0][0] != '#' && strcmp(words[0], "each") != 0)
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

static bool
read_script(const char *path, struct script *s)
{
	FILE *f = fopen(path, "r");
	const char *slash = strrchr(path, '/');
	char line[1024];
	size_t n;

	*s = (struct script){ .n_each = 0 };
	if (f == NULL)
		return false;
	n = fread(s->text, 1, sizeof(s->text) - 1, f);
	s->text[n] = '\0';
	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "each ", 5) == 0)
			read_each(s, line);
		if (line[0] == '#' && s->about[0] == '\0')
			(void)snprintf(s->about, sizeof(s->about), "%.110s", line + 2);
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

static bool
play_case(const struct script *s, const size_t *at, unsigned number, bool is_table, struct tally *t)
{
	static struct play p; /* large */
	char what[160] = "";
	bool ok;

	for (size_t i = 0; i < s->n_each; i++)
		(void)snprintf(what + strlen(what), sizeof(what) - strlen(what), " %s", s->each[i].values[at[i]]);
	begin(&p);
	play_text(&p, s, at);
	if (p.unproven > 0 && !p.is_planted)
		fail(&p, "%zu unproven removals", p.unproven);
	ok = p.failed[0] == '\0';
	if (!is_table || !ok)
		(void)printf(
		    "%s %u - %s%s%s%s\n", ok ? "ok" : "not ok", number, s->name, what, ok ? "" : ": ", p.failed);
	add(t, &p);
	end(&p);
	return ok;
}

static bool
play_script(const struct script *s, unsigned *number, bool is_table)
{
	struct tally t = { .least_ready = SIZE_MAX };
	size_t n0 = s->n_each > 0 ? s->each[0].n : 1, n1 = s->n_each > 1 ? s->each[1].n : 1;
	bool ok = true;

	for (size_t i = 0; i < n0; i++)
		for (size_t k = 0; k < n1; k++) {
			const size_t at[2] = { i, k };

			ok = play_case(s, at, ++*number, is_table, &t) && ok;
		}
	if (is_table)
		print_row(s, &t);
	return ok;
}

int
main(int argc, char **argv)
{
	static struct script s;
	bool is_table = argc > 1 && strcmp(argv[1], "--table") == 0, ok = true;
	unsigned number = 0;

	for (int i = is_table ? 2 : 1; i < argc; i++) {
		if (!read_script(argv[i], &s)) {
			(void)printf("Bail out! cannot read %s\n", argv[i]);
			return 2;
		}
		ok = play_script(&s, &number, is_table) && ok;
		for (size_t k = 0; k < s.n_each; k++)
			for (size_t v = 0; v < s.each[k].n; v++)
				free(s.each[k].values[v]);
	}
	if (!is_table)
		(void)printf("1..%u\n", number);
	return ok ? 0 : 1;
}
