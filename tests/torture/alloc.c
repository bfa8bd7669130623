/*
 * What if there is no memory?  Runs each scenario again and again: the 1st, 2nd,
 * 3rd... request for memory fails (once, then from there on), until a run ends with
 * the failure unused.  Whatever happens, nothing crashes and nothing leaks, and
 * afterwards the same goes well.  Arenas take memory in chunks; their requests are
 * made to fail one by one, too.  Not so those of the libraries: libjansson 2.14, for
 * one, does not look whether its lexer's buffer could grow, and writes on.
 *
 * Linked with -Wl,--wrap for each of the functions below.
 */
#include "config.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "aws/aws_endpoint.h"
#include "aws/aws_request.h"
#include "aws/creds.h"
#include "base/arena.h"
#include "base/buf.h"
#include "cli/cli_show.h"
#include "conf/conf.h"
#include "control_story.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_sweep.h"
#include "fake_ecs.h"
#include "hap/hap_text.h"
#include "plan_apply.h"
#include "sync/reconcile.h"
#include "worlds.h"

#include "alloc.h"

#define WALL_MS  INT64_C(1795401646000)
#define TEXT_MAX ((size_t)1 << 20)

/* ---- memory that runs out ---- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void __real_free(void *p);
void *__real_arena_alloc(struct arena *a, size_t n, size_t size);
const char *__real_arena_strdup(struct arena *a, struct str s);
bool __real_arena_str(struct arena *a, struct str s, struct str *ret);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);
void *__wrap_arena_alloc(struct arena *a, size_t n, size_t size);
const char *__wrap_arena_strdup(struct arena *a, struct str s);
bool __wrap_arena_str(struct arena *a, struct str s, struct str *ret);

static struct {
	unsigned long countdown; /* 0: memory does not run out */
	bool for_good, is_out;
	bool paused; /* the test's own requests */
	long blocks; /* taken and not given back */
} memory;

static bool
fails_now(void)
{
	if (memory.paused || memory.countdown == 0)
		return false;
	if (memory.is_out)
		return memory.for_good;
	memory.is_out = --memory.countdown == 0;
	if (memory.is_out)
		memory.countdown = 1;
	return memory.is_out;
}

static void *
counted(void *p)
{
	memory.blocks += p != NULL ? 1 : 0;
	return p;
}

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : counted(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : counted(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	if (fails_now())
		return NULL;
	return p == NULL ? counted(__real_malloc(n)) : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	if (fails_now())
		return NULL;
	return p == NULL ? counted(__real_reallocarray(NULL, n, size)) : __real_reallocarray(p, n, size);
}

void
__wrap_free(void *p)
{
	memory.blocks -= p != NULL ? 1 : 0;
	__real_free(p);
}

void *
__wrap_arena_alloc(struct arena *a, size_t n, size_t size)
{
	return fails_now() ? NULL : __real_arena_alloc(a, n, size);
}

const char *
__wrap_arena_strdup(struct arena *a, struct str s)
{
	return fails_now() ? NULL : __real_arena_strdup(a, s);
}

bool
__wrap_arena_str(struct arena *a, struct str s, struct str *ret)
{
	return !fails_now() && __real_arena_str(a, s, ret);
}

bool
torture_pause(bool paused)
{
	const bool was = memory.paused;

	memory.paused = paused;
	return was;
}

/* libjansson's are counted, for what it makes may be ours to give back. */
static void *
counted_malloc(size_t n)
{
	return counted(__real_malloc(n));
}

/* ---- configuration ---- */

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static enum err_code
parse_conf(struct str text)
{
	const struct env env = { .get = no_variable };
	CLEANUP(arena_free_at) struct arena *a = arena_new(CONF_ARENA_MAX);
	const struct conf *conf;
	struct conf_notes faults = { 0 };
	struct err e = ERR_INIT;

	if (a == NULL)
		return ERR_NOMEM;
	return conf_parse(a, text, &env, &conf, &faults, &e);
}

static enum err_code
read_conf(void *arg)
{
	(void)arg;
	return parse_conf(
	    STR("ecs: {name: one, region: eu-west-1, clusters: [main, other], services: [rng, 'family:*']}\n"
		"haproxy:\n"
		"  socket: /run/haproxy/admin.sock\n"
		"defaults: {weight: 10, drain_timeout: 5s}\n"
		"backends:\n"
		"  - {name: grpc, match: {service: rng-service, container: app}, port: 50051, weight: 20}\n"
		"  - {name: web, match: {service: 'web-*'}}\n"
		"control: {socket: /run/rollcall/control.sock, mode: \"0660\"}\n"
		"log: {level: debug, format: json}\n"));
}

static enum err_code
read_faulty_conf(void *arg)
{
	enum err_code code = parse_conf(STR("ecs: {region: eu-west-1, cluster: main}\n"
					    "haproxy: {sockt: x, apply: perhaps}\n"
					    "backends:\n"
					    "  - {name: a, match: {service: b}, port: 99999}\n"
					    "  - {name: a, match: {servce: b}}\n"
					    "log: &x {level: *x}\n"));

	(void)arg;
	return code == ERR_CONF || code == ERR_PARSE ? ERR_OK : code;
}

/* ---- ECS ---- */

static const char an_answer[] =
    "{\"tasks\":[{\"taskArn\":\"arn:aws:ecs:eu-west-1:123456789012:task/main/aaaa0001\","
    "\"clusterArn\":\"arn:aws:ecs:eu-west-1:123456789012:cluster/main\",\"group\":\"service:rng\","
    "\"taskDefinitionArn\":\"arn:aws:ecs:eu-west-1:123456789012:task-definition/rng:7\","
    "\"lastStatus\":\"RUNNING\",\"desiredStatus\":\"RUNNING\",\"healthStatus\":\"HEALTHY\",\"version\":3,"
    "\"createdAt\":1795401640.5,\"startedAt\":1795401645,\"availabilityZone\":\"eu-west-1a\","
    "\"attachments\":[{\"type\":\"ElasticNetworkInterface\",\"details\":[{\"name\":\"subnetId\","
    "\"value\":\"subnet-1\"},{\"name\":\"privateIPv4Address\",\"value\":\"10.0.0.1\"}]}],"
    "\"containers\":[{\"name\":\"app\",\"networkInterfaces\":[{\"privateIpv4Address\":\"10.0.0.1\"}],"
    "\"networkBindings\":[{\"containerPort\":50051,\"hostPort\":32768,\"protocol\":\"tcp\"}]}]},"
    "{\"taskArn\":7}],\"failures\":[{\"arn\":\"arn:aws:ecs:eu-west-1:123456789012:task/main/gone\","
    "\"reason\":\"MISSING\"}]}";

static enum err_code
read_tasks(void *arg)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(TEXT_MAX);
	struct ecs_answer_tasks tasks;
	struct err e = ERR_INIT;

	(void)arg;
	if (a == NULL)
		return ERR_NOMEM;
	return ecs_answer_describe_tasks(a, str_from_cstr(an_answer), &tasks, &e);
}

static enum err_code
read_list(void *arg)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(TEXT_MAX);
	struct ecs_answer_list list;
	struct err e = ERR_INIT;

	(void)arg;
	if (a == NULL)
		return ERR_NOMEM;
	return ecs_answer_list_tasks(a,
	    STR("{\"taskArns\":[\"arn:aws:ecs:eu-west-1:123456789012:task/main/aaaa0001\","
		"\"arn:aws:ecs:eu-west-1:123456789012:task/main/aaaa0002\"],\"nextToken\":\"more\"}"),
	    &list, &e);
}

static enum err_code
read_definition(void *arg)
{
	CLEANUP(taskdef_unref_at) struct taskdef *d = NULL;
	struct err e = ERR_INIT;

	(void)arg;
	return ecs_answer_task_definition(
	    STR("{\"taskDefinition\":{\"taskDefinitionArn\":\"arn:aws:ecs:eu-west-1:123456789012:task-definition/"
		"rng:7\",\"family\":\"rng\",\"revision\":7,\"networkMode\":\"awsvpc\",\"containerDefinitions\":[{"
		"\"name\":\"app\",\"essential\":true,\"stopTimeout\":30,\"portMappings\":[{\"containerPort\":50051,"
		"\"hostPort\":50051,\"protocol\":\"tcp\"}],\"dockerLabels\":{\"a\":\"b\",\"c\":\"d\"}}]}}"),
	    &d, &e);
}

struct sweeping {
	struct fake_ecs ecs;
	struct taskdef_cache *definitions;
};

static void *
set_up_sweep(void)
{
	struct sweeping *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	fake_ecs_init(&s->ecs, 12);
	s->ecs.page_size = 5;
	return s;
}

static void
tear_down_sweep(void *arg)
{
	struct sweeping *s = arg;

	fake_ecs_free(&s->ecs);
	free(s);
}

/* The fake's own memory does not run out. */
static void
answer_ask(struct sweeping *s, struct ecs_sweep *sweep, const struct ecs_sweep_ask *ask)
{
	struct buf out = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code;

	memory.paused = true;
	code = fake_ecs_answer(&s->ecs, ask->action, ask->body, &out, &e);
	memory.paused = false;
	if (code != ERR_OK)
		ecs_sweep_failed(sweep, ask->id, &e);
	else
		(void)ecs_sweep_answer(sweep, ask->id, buf_str(&out), WALL_MS, &e);
	buf_free(&out);
}

static enum err_code
run_sweep(struct sweeping *s, struct ecs_sweep *sweep, struct roster_facts **facts)
{
	struct ecs_sweep_ask ask;
	struct ecs_sweep_result result;
	struct err e = ERR_INIT;
	enum err_code code;

	while (ecs_sweep_next(sweep, &ask))
		answer_ask(s, sweep, &ask);
	if (!ecs_sweep_finished(sweep))
		return ERR_CANCELLED;
	code = ecs_sweep_result(sweep, WALL_MS, &result, &e);
	if (code != ERR_OK)
		return code;
	roster_facts_unref(*facts);
	*facts = result.facts;
	return result.complete ? ERR_OK : result.err.code;
}

static enum err_code
sweep_once(struct sweeping *s, struct taskdef_cache *definitions, struct roster_facts **facts)
{
	const struct ecs_sweep_start start = {
		.kind = ECS_SWEEP_FULL,
		.cluster = STR("prod"),
		.before = *facts,
		.definitions = definitions,
	};
	struct ecs_sweep *sweep = NULL;
	struct err e = ERR_INIT;
	enum err_code code = ecs_sweep_new(&start, &sweep, &e);

	if (code != ERR_OK)
		return code;
	code = run_sweep(s, sweep, facts);
	ecs_sweep_free(sweep);
	return code;
}

static enum err_code
sweep(void *arg)
{
	struct sweeping *s = arg;
	struct taskdef_cache *definitions = taskdef_cache_new(4);
	struct roster_facts *facts = NULL;
	enum err_code code = ERR_NOMEM, again = ERR_OK;

	if (definitions == NULL)
		return code;
	code = sweep_once(s, definitions, &facts);
	again = sweep_once(s, definitions, &facts);
	roster_facts_unref(facts);
	taskdef_cache_free(definitions);
	return code != ERR_OK ? code : again;
}

/* ---- a key and a signature ---- */

static enum err_code
sign(void *arg)
{
	const struct sigv4_key key = { .access_key_id = STR("AKID"), .secret = STR("secret") };
	CLEANUP(creds_unref_at) struct creds *creds = NULL;
	struct aws_endpoint to;
	struct aws_request rq;
	struct err e = ERR_INIT;
	enum err_code code = creds_new(&key, "configuration", INT64_MAX, &creds, &e);

	(void)arg;
	if (code == ERR_OK)
		code = aws_endpoint_make(STR("ecs"), STR("eu-west-1"), STR(""), &to, &e);
	if (code != ERR_OK)
		return code;
	code = aws_request_make(
	    &(struct aws_request_facts){
		.to = &to,
		.content_type = STR("application/x-amz-json-1.1"),
		.target = STR("AmazonEC2ContainerServiceV20141113.ListTasks"),
		.body = STR("{}"),
		.key = creds_key(creds),
		.scope = { .region = STR("eu-west-1"), .service = STR("ecs"), .wall_ms = WALL_MS },
	    },
	    &rq, &e);
	if (code == ERR_OK)
		aws_request_free(&rq);
	return code;
}

/* ---- HAProxy's replies ---- */

struct replies {
	struct str info, servers, stat;
	char text[3][16384];
};

static struct str
vector(const char *name, char text[16384])
{
	const char *top = getenv("top_srcdir");
	char path[1024];
	FILE *f;
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/tests/vectors/hap/2.6/%s", top != NULL ? top : ".", name);
	f = fopen(path, "re");
	if (f != NULL) {
		n = fread(text, 1, 16384, f);
		(void)fclose(f);
	}
	return str_of(text, n);
}

static void *
set_up_replies(void)
{
	struct replies *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->info = vector("info.txt", r->text[0]);
	r->servers = vector("backend_ready.servers.txt", r->text[1]);
	r->stat = vector("backend_ready.stat.txt", r->text[2]);
	return r;
}

static enum err_code
read_replies(void *arg)
{
	const struct replies *r = arg;
	CLEANUP(arena_free_at) struct arena *a = arena_new(TEXT_MAX);
	struct hap_text_info info;
	struct actual_backend backend;
	struct err e = ERR_INIT;
	enum err_code code;

	if (a == NULL)
		return ERR_NOMEM;
	code = hap_text_parse_info(a, r->info, &info, &e);
	if (code == ERR_OK)
		code = hap_text_parse_backend(a, NULL, STR("slots"), r->servers, r->stat, &backend, &e);
	return code;
}

/* ---- planning ---- */

void *
torture_story_set_up(void)
{
	return control_story_new();
}

void
torture_story_tear_down(void *arg)
{
	control_story_free(arg);
}

static enum err_code
plan(void *arg)
{
	const struct control_story *s = arg;
	const struct plan_rules rules = { .now_ms = 1000 };
	const struct plan_memory none = { 0 };
	CLEANUP(desired_free_at) struct desired *desired = NULL;
	CLEANUP(plan_free_at) struct plan *p = NULL;
	CLEANUP(actual_free_at) struct actual *after = NULL;
	struct err e = ERR_INIT;
	enum err_code code = desired_derive(&s->conf, s->roster, &desired, &e);

	if (code == ERR_OK)
		code = plan_diff(&rules, desired, s->facts.actual, &none, &p, &e);
	if (code == ERR_OK)
		code = plan_guard(&rules, p, &e);
	if (code == ERR_OK)
		code = plan_apply(p, s->facts.actual, &after, &e);
	return code;
}

/* A copy for the reconciler to keep: HAProxy as it is. */
static struct actual *
read_back(const struct control_story *s)
{
	const struct plan nothing = { 0 };
	struct actual *copy = NULL;
	const bool was_paused = memory.paused;
	enum err_code code;

	memory.paused = true;
	code = plan_apply(&nothing, s->facts.actual, &copy, NULL);
	memory.paused = was_paused;
	return code == ERR_OK ? copy : NULL;
}

static void
pass(struct reconcile *r, const struct control_story *s, int64_t at_ms, struct reconcile_actions *todo)
{
	struct reconcile_event ev = { .kind = RECONCILE_ACTUAL, .mono_ms = at_ms, .actual = read_back(s) };
	struct hap_exec_report report = { 0 };

	reconcile_feed(r, &ev, todo);
	if (todo->execute != NULL) {
		ev = (struct reconcile_event){ .kind = RECONCILE_EXECUTED, .mono_ms = at_ms, .report = &report };
		reconcile_feed(r, &ev, todo);
	}
}

static enum err_code
reconcile(void *arg)
{
	static struct reconcile_actions todo;
	const struct control_story *s = arg;
	struct reconcile_event ev = { .kind = RECONCILE_ROSTER, .roster = s->roster };
	struct reconcile *r = NULL;
	struct err e = ERR_INIT;
	struct conf conf = s->conf;
	enum err_code code;

	conf.haproxy.apply = true; /* what was applied is kept, too */
	code = reconcile_new(&(struct reconcile_config){ .conf = &conf }, &r, &e);
	if (code != ERR_OK)
		return code;
	reconcile_feed(r, &ev, &todo);
	pass(r, s, 1000, &todo);
	pass(r, s, 2000, &todo);
	memory.paused = true; /* there is memory again: so must there be a plan */
	pass(r, s, 3000, &todo);
	pass(r, s, 4000, &todo);
	memory.paused = false;
	code = reconcile_view(r).plan != NULL ? ERR_OK : ERR_CANCELLED;
	reconcile_free(r);
	return code;
}

/* ---- views ---- */

static enum err_code
answer_all(void *arg)
{
	static const char task_path[] = "/v1/tasks/" CONTROL_STORY_ID("aaaa0002");
	static const char *const paths[] = {
		"/live",
		"/ready",
		"/v1/status",
		"/v1/backends",
		"/v1/backends/grpc",
		task_path,
		"/v1/tasks/aaaa",
		"/v1/plan",
		"/v1/doctor",
		"/v1/routes",
		"/v1/events",
		"/metrics",
		"/nowhere",
	};
	const struct control_story *s = arg;
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct control_request rq = { .method = STR("GET"), .path = str_from_cstr(paths[i]) };
		struct control_response rs = { 0 };

		control_view_answer(&s->facts, &rq, &rs);
		if (rs.status == 0)
			code = ERR_CANCELLED;
		buf_free(&rs.body);
	}
	return code;
}

static enum err_code
show(void *arg)
{
	const struct cli_text_style style = { .width = 40, .colour = true, .wall_ms = WALL_MS };
	static const char text[] =
	    "[{\"name\":\"rc_1\",\"backend\":\"grpc\",\"task\":\"aaaa\",\"address\":\"10.0.0.1\",\"port\":1,"
	    "\"state\":\"ready\",\"weight\":256,\"sessions\":3,\"since\":\"2026-11-23T02:40:46.123Z\","
	    "\"evidence\":\"running\",\"reason\":\"\",\"service\":\"a service with a long name\"}]";
	json_t *servers;
	struct buf out = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code;

	(void)arg;
	memory.paused = true;
	servers = json_loads(text, 0, NULL);
	memory.paused = false;
	code = cli_show_servers(servers, &style, &out, &e);
	if (code == ERR_OK)
		code = buf_failed(&out, &e);
	buf_free(&out);
	json_decref(servers);
	return code;
}

/* ---- the mill ---- */

static const struct torture_scenario scenarios[] = {
	{ "a configuration", NULL, read_conf, NULL },
	{ "a configuration full of faults", NULL, read_faulty_conf, NULL },
	{ "a list of tasks", NULL, read_list, NULL },
	{ "descriptions of tasks", NULL, read_tasks, NULL },
	{ "a task definition", NULL, read_definition, NULL },
	{ "two sweeps", set_up_sweep, sweep, tear_down_sweep },
	{ "a signature", NULL, sign, NULL },
	{ "HAProxy's replies", set_up_replies, read_replies, free },
	{ "a plan", torture_story_set_up, plan, torture_story_tear_down },
	{ "the reconciler", torture_story_set_up, reconcile, torture_story_tear_down },
	{ "the control interface", torture_story_set_up, answer_all, torture_story_tear_down },
	{ "a table", NULL, show, NULL },
};

static const struct torture_part first = { scenarios, sizeof(scenarios) / sizeof(scenarios[0]) };

/* With the nth request failing.  False: there are fewer. */
static bool
run(const struct torture_scenario *s, unsigned long nth, bool for_good, const char **ret_wrong)
{
	long before = memory.blocks;
	void *arg = s->set_up != NULL ? s->set_up() : NULL;
	enum err_code code;

	memory.for_good = for_good;
	memory.is_out = false;
	memory.countdown = nth;
	code = s->act(arg);
	memory.countdown = 0;
	if (s->tear_down != NULL)
		s->tear_down(arg);
	if (memory.blocks != before)
		*ret_wrong = "leaks";
	else if (code == ERR_CANCELLED)
		*ret_wrong = "does not recover";
	else if (!memory.is_out && code != ERR_OK)
		*ret_wrong = err_name(code); /* with all the memory it wants */
	return memory.is_out;
}

static unsigned long
mill(const struct torture_scenario *s, bool for_good, const char **ret_wrong)
{
	unsigned long n = 1;

	while (*ret_wrong == NULL && run(s, n, for_good, ret_wrong))
		n++;
	return n;
}

static bool
survives(const struct torture_scenario *s, unsigned number)
{
	const char *wrong = NULL;
	unsigned long requests = mill(s, false, &wrong);

	if (wrong == NULL)
		requests = mill(s, true, &wrong);
	if (wrong == NULL)
		printf("ok %u - %s: survives the failure of each of %lu requests\n", number, s->name, requests - 1);
	else
		printf("not ok %u - %s: %s when request %lu fails\n", number, s->name, wrong, requests);
	(void)fflush(stdout);
	return wrong == NULL;
}

/* ---- texts from outside ---- */

#define FILE_MAX ((size_t)1 << 20)

/* A text is no worse for the want of memory, nor better: it is read as ever, or not at all. */
static const char *
read_without(const struct torture_text *t, struct str text, unsigned long nth, bool for_good, enum err_code with)
{
	long before = memory.blocks;
	enum err_code code;

	memory.for_good = for_good;
	memory.is_out = false;
	memory.countdown = nth;
	code = t->read(text);
	memory.countdown = 0;
	if (memory.blocks != before)
		return "leaks";
	return code == with || (memory.is_out && code == ERR_NOMEM) ? NULL : err_name(code);
}

static bool
mill_text(const struct torture_text *t, const char *file, struct str text)
{
	const enum err_code with = t->read(text);

	for (int for_good = 0; for_good < 2; for_good++) {
		unsigned long n = 1;

		do {
			const char *wrong = read_without(t, text, n, for_good != 0, with);

			if (wrong != NULL) {
				printf(
				    "# %s: %s instead of %s when request %lu fails\n", file, wrong, err_name(with), n);
				return false;
			}
			n++;
		} while (memory.is_out);
	}
	return true;
}

static bool
mill_file(const struct torture_text *t, const char *file)
{
	static char bytes[FILE_MAX];
	FILE *f = fopen(file, "re");
	size_t n;

	if (f == NULL)
		return false;
	n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	return mill_text(t, file, str_of(bytes, n));
}

static bool
reads_all(const struct torture_text *t, unsigned number)
{
	const char *top = getenv("top_srcdir");
	char pattern[1024];
	glob_t files = { .gl_pathc = 0 };
	bool ok;

	(void)snprintf(pattern, sizeof(pattern), "%s/tests/fuzz/corpus/%s/*", top != NULL ? top : ".", t->corpus);
	ok = glob(pattern, 0, NULL, &files) == 0;
	for (size_t i = 0; i < files.gl_pathc; i++)
		ok = mill_file(t, files.gl_pathv[i]) && ok;
	printf("%s %u - %s: %zu texts are read as ever, or not for want of memory\n", ok ? "ok" : "not ok", number,
	    t->corpus, files.gl_pathc);
	(void)fflush(stdout);
	globfree(&files);
	return ok;
}

int
main(void)
{
	const struct torture_part *const parts[] = { &first, &torture_plan, &torture_control };
	const size_t n_parts = sizeof(parts) / sizeof(parts[0]);
	unsigned number = 0;
	bool ok = true;

	json_set_alloc_funcs(counted_malloc, __wrap_free);
	for (size_t i = 0; i < n_parts; i++)
		for (size_t k = 0; k < parts[i]->n; k++)
			ok = survives(&parts[i]->scenarios[k], ++number) && ok;
	for (size_t i = 0; i < torture_n_texts; i++)
		ok = reads_all(&torture_texts[i], ++number) && ok;
	printf("1..%u\n", number);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
