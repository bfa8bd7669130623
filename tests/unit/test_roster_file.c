/* ecs/roster_file: the last roster as text, and back. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "ecs/roster_file.h"
#include "unit.h"
#include "worlds.h"

#define READ_MS INT64_C(1795401000000)
#define NOW_MS  INT64_C(1795401646000)
#define FIRST   "11111111111111111111111111111111"
#define SECOND  "22222222222222222222222222222222"
#define ARN     "arn:aws:ecs:eu-west-1:123456789012:"

static int
set_up(void **state)
{
	*state = world_new();
	return 0;
}

static int
tear_down(void **state)
{
	world_free(*state);
	return 0;
}

/* As ECS would tell it: its definition has an ARN. */
static void
identify(struct roster_task *t, struct taskdef *d)
{
	t->definition = d;
	t->definition_arn = d->arn = STR(ARN "task-definition/rng:1");
}

static struct roster_task *
task(struct world *w, const char *id, const char *ipv4)
{
	struct roster_task *t = world_task(w, id, ROSTER_RUNNING, ipv4);

	identify(t, t->definition);
	t->described_wall_ms = READ_MS;
	t->created_ms = INT64_C(1795400000123);
	t->started_ms = INT64_C(1795400001999);
	return t;
}

/* It ends after the other one: dependsOn. */
static void
hold(struct taskdef *d, const char *held, const char *by)
{
	struct taskdef_container *c = (struct taskdef_container *)(uintptr_t)taskdef_container(d, str_from_cstr(held));

	c->held_by = taskdef_container(d, str_from_cstr(by));
}

/* All that the text of a file can hold. */
static void
fill(struct world *w)
{
	static const struct taskdef_label labels[] = {
		{ { "", 0 }, { "an empty name", 13 } },
		{ { "odd", 3 }, { "\"quoted\" \\ \n\t\x01 \xc3\xa9", 17 } },
		{ { "rollcall.enable", 15 }, { "true", 4 } },
	};
	static const struct roster_binding bindings[] = {
		{ .container_port = 50051, .host_port = 32768, .n = 1, .tcp = true },
		{ .container_port = 9000, .host_port = 33000, .n = 10, .on_ipv6 = true },
	};
	struct taskdef *d = world_definition(w, "rng");
	struct taskdef_container *c = world_publishes(w, d, "app", "50051 9000/udp");
	struct roster_task *t = world_bare_task(w, FIRST, ROSTER_RUNNING);
	struct roster_container *app = world_container(w, t, "app", "10.0.0.1");

	identify(t, d);
	c->labels = labels;
	c->n_labels = N_OF(labels);
	c->stop_timeout_ms = 20000;
	c->has_health_check = true;
	(void)world_publishes(w, d, "side", "");
	(void)world_publishes(w, d, "late", "");
	hold(d, "side", "app");
	hold(d, "late", "app");
	app->ipv6 = STR("fd00::1");
	app->bindings = bindings;
	app->n_bindings = N_OF(bindings);
	t->described_wall_ms = READ_MS;
	t->created_ms = INT64_C(1795400000123);
	t->started_ms = INT64_C(1795400001999);
	t->health = ROSTER_HEALTHY;
	t->zone = STR("eu-west-1a");
	t->version = 7;
	t->host_ipv4 = STR("10.0.0.9");
	t->container_instance_arn = STR(ARN "container-instance/main/abc");
	identify(task(w, SECOND, "10.0.0.2"), d);
}

static void
write_roster(struct world *w, struct buf *out)
{
	const struct roster *r = world_roster(w);
	const struct roster_cluster *c = &r->clusters[0];
	const struct roster_file_cluster list[] = { {
	    .source = c->source,
	    .name = c->name,
	    .arn = c->arn,
	    .account = c->account,
	    .read_wall_ms = READ_MS,
	    .facts = c->facts,
	    .services = c->services,
	    .n_services = c->n_services,
	} };

	*out = buf_make(ROSTER_FILE_TEXT_MAX);
	assert_int_equal(roster_file_write(list, 1, NOW_MS, out, NULL), ERR_OK);
}

static struct roster_file *
read_back(struct str text)
{
	struct roster_file *f = NULL;
	struct err e = ERR_INIT;

	if (roster_file_read(text, &f, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	return f;
}

static void
what_is_written_is_read_back(void **state)
{
	struct world *w = *state;
	const struct roster_task *t, *was;
	struct roster_file *f;
	struct buf text, again = buf_make(ROSTER_FILE_TEXT_MAX);

	fill(w);
	write_roster(w, &text);
	f = read_back(buf_str(&text));
	assert_int_equal(f->saved_wall_ms, NOW_MS);
	assert_int_equal(f->n_clusters, 1);
	assert_str(f->clusters[0].source, "eu");
	assert_str(f->clusters[0].name, "main");
	assert_str(f->clusters[0].account, "123456789012");
	assert_int_equal(f->clusters[0].read_wall_ms, READ_MS);
	assert_int_equal(f->clusters[0].facts->n_tasks, 2);
	t = &f->clusters[0].facts->tasks[0];
	was = &world_roster(w)->clusters[0].facts->tasks[0];
	assert_true(roster_task_same(t, was));
	assert_true(t->is_remembered && !t->listed);
	assert_int_equal(t->described_wall_ms, READ_MS);
	assert_str(t->host_ipv4, "10.0.0.9");
	assert_non_null(t->definition);
	assert_ptr_equal(t->definition, f->clusters[0].facts->tasks[1].definition);
	assert_int_equal(t->definition->containers[0].n_labels, 3);
	assert_true(
	    str_eq(t->definition->containers[0].labels[1].value, was->definition->containers[0].labels[1].value));
	assert_int_equal(t->definition->containers[0].stop_timeout_ms, 20000);
	assert_true(t->definition->containers[0].has_health_check);
	assert_null(t->definition->containers[0].held_by);
	assert_ptr_equal(t->definition->containers[1].held_by, &t->definition->containers[0]);
	assert_ptr_equal(t->definition->containers[2].held_by, &t->definition->containers[0]);
	assert_int_equal(roster_file_write(f->clusters, 1, NOW_MS, &again, NULL), ERR_OK);
	assert_true(str_eq(buf_str(&again), buf_str(&text)));
	roster_file_free(f);
	buf_free(&text);
	buf_free(&again);
}

/* So that a restart does not move a route that several services claim. */
static void
the_age_of_services_is_read_back_where_it_was_told(void **state)
{
	static const struct roster_service services[] = { { { "a", 1 }, 1700000000123 }, { { "b", 1 }, 0 },
		{ { "c-d_E", 5 }, 1500000000001 } };
	struct world *w = *state;
	struct roster_cluster *cluster = world_first_cluster(w);
	struct roster_file *f;
	struct buf text;

	cluster->services = services;
	cluster->n_services = N_OF(services);
	write_roster(w, &text);
	f = read_back(buf_str(&text));
	assert_int_equal(f->clusters[0].n_services, 2);
	assert_str(f->clusters[0].services[0].name, "a");
	assert_int_equal(f->clusters[0].services[0].created_ms, INT64_C(1700000000123));
	assert_str(f->clusters[0].services[1].name, "c-d_E");
	assert_int_equal(f->clusters[0].services[1].created_ms, INT64_C(1500000000001));
	roster_file_free(f);
	buf_free(&text);
}

static void
no_more_services_are_written_than_are_read(void **state)
{
	enum { MANY = 1200 };
	static char names[MANY][8];
	static struct roster_service services[MANY];
	const struct roster_file_cluster clusters[] = {
		{ .source = STR("eu"), .name = STR("a"), .services = services, .n_services = 700 },
		{ .source = STR("eu"), .name = STR("b"), .services = services + 700, .n_services = 500 },
	};
	struct buf text = buf_make(ROSTER_FILE_TEXT_MAX);
	struct roster_file *f;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%04d", i);
		services[i] = (struct roster_service){ str_from_cstr(names[i]), 1000 + i };
	}
	assert_int_equal(roster_file_write(clusters, 2, NOW_MS, &text, NULL), ERR_OK);
	f = read_back(buf_str(&text));
	assert_int_equal(f->clusters[0].n_services, 700);
	assert_int_equal(f->clusters[1].n_services, ROSTER_SERVICES_MAX - 700);
	assert_str(f->clusters[1].services[0].name, "s0700");
	roster_file_free(f);
	buf_free(&text);
}

static void
it_exposes_the_same_servers(void **state)
{
	struct world *w = *state;
	struct desired *before, *after;
	struct roster_cluster c;
	struct roster_file *f;
	struct roster *r;
	struct buf text;

	(void)world_entry(w, "grpc", "rng", 50051);
	fill(w);
	before = world_desired(w);
	write_roster(w, &text);
	f = read_back(buf_str(&text));
	c = world_roster(w)->clusters[0];
	c.facts = f->clusters[0].facts;
	assert_int_equal(roster_make(&c, 1, &r, NULL), ERR_OK);
	assert_int_equal(desired_derive(world_conf(w), r, &after, NULL), ERR_OK);
	assert_int_equal(before->backends[0].n_serve, 2);
	assert_int_equal(after->backends[0].n_serve, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct desired_server *x = &before->backends[0].servers[i], *y = &after->backends[0].servers[i];

		assert_true(str_eq(x->name, y->name) && str_eq(x->address, y->address) && x->port == y->port);
		assert_true(x->weight == y->weight && x->spec == y->spec && y->want == DESIRED_SERVE);
		assert_int_equal(x->drain_timeout_ms, y->drain_timeout_ms);
	}
	desired_free(after);
	roster_unref(r);
	roster_file_free(f);
	buf_free(&text);
}

static void
only_who_may_serve_is_in_it(void **state)
{
	struct world *w = *state;
	struct roster_file *f;
	struct buf text;

	(void)task(w, FIRST, "10.0.0.1");
	task(w, SECOND, "10.0.0.2")->missing = 1;
	task(w, "33333333333333333333333333333333", "10.0.0.3")->listed = false;
	task(w, "44444444444444444444444444444444", "10.0.0.4")->health = ROSTER_UNHEALTHY;
	task(w, "55555555555555555555555555555555", "10.0.0.5")->desired_status = ROSTER_STOPPED;
	task(w, "66666666666666666666666666666666", "10.0.0.6")->last_status = ROSTER_PENDING;
	write_roster(w, &text);
	f = read_back(buf_str(&text));
	assert_int_equal(f->clusters[0].facts->n_tasks, 1);
	assert_str(f->clusters[0].facts->tasks[0].id, FIRST);
	roster_file_free(f);
	buf_free(&text);
}

/* Whatever byte is changed or missing. */
static void
any_damage_is_found(void **state)
{
	struct world *w = *state;
	struct buf text;

	fill(w);
	write_roster(w, &text);
	for (size_t i = 0; i < text.len; i++) {
		struct roster_file *f = NULL;
		uint8_t was = text.ptr[i];
		enum err_code code;

		if (roster_file_read(str_first(buf_str(&text), i), &f, NULL) == ERR_OK)
			fail_msg("its first %zu bytes are taken for it", i);
		text.ptr[i] ^= 1;
		code = roster_file_read(buf_str(&text), &f, NULL);
		text.ptr[i] = was;
		if (code == ERR_OK && i > 60) /* the header's own number: its time may be another */
			fail_msg("byte %zu is another, and it is taken for whole", i);
		if (code == ERR_OK)
			roster_file_free(f);
	}
	buf_free(&text);
}

/* ---- what is well formed, and wrong ---- */

#define CLUSTER(more) "{\"source\":\"eu\",\"cluster\":\"main\",\"account\":\"123456789012\"" more "}\n"
#define DEFINITION                                                                                               \
	"{\"taskDefinition\":{\"taskDefinitionArn\":\"" ARN "task-definition/rng:1\",\"containerDefinitions\":[" \
	"{\"name\":\"app\"}]}}\n"
#define TASK_OF(arn, status, health, more)                                                                           \
	"{\"task\":{\"taskArn\":\"" arn "\",\"taskDefinitionArn\":\"" ARN                                            \
	"task-definition/rng:1\",\"lastStatus\":\"" status                                                           \
	"\",\"desiredStatus\":\"RUNNING\",\"healthStatus\":\"" health "\",\"containers\":[{\"name\":\"app\"}]}" more \
	"}\n"
#define TASK(more) TASK_OF(ARN "task/main/" FIRST, "RUNNING", "HEALTHY", more)

static enum err_code
read_body(const char *body, struct roster_file **ret, struct err *e)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = buf_make(ROSTER_FILE_TEXT_MAX);
	enum err_code code;
	unsigned n = 0;

	assert_int_equal(EVP_Digest(body, strlen(body), digest, &n, EVP_sha256(), NULL), 1);
	buf_put(&text, STR("{\"rollcall_roster\":1,\"saved_ms\":1,\"sha256\":\""));
	for (unsigned i = 0; i < n; i++)
		buf_printf(&text, "%02x", digest[i]);
	buf_printf(&text, "\"}\n%s", body);
	code = roster_file_read(buf_str(&text), ret, e);
	buf_free(&text);
	return code;
}

static void
what_rollcalld_would_not_write_is_refused_whole(void **state)
{
	static const struct {
		const char *body, *says; /* null: it is read */
	} rows[] = {
		{ "", NULL },
		{ CLUSTER(""), NULL },
		{ CLUSTER("") DEFINITION TASK(""), NULL },
		{ CLUSTER("") TASK(",\"host_ipv4\":\"10.0.0.1\",\"host_ipv6\":\"fd00::1\""), NULL },
		{ CLUSTER("") "{\"source\":\"us\",\"cluster\":\"main\"}\n", NULL },
		{ CLUSTER("") "{\"source\":\"eu\",\"cluster\":\"other\"}\n", NULL },
		{ CLUSTER("") CLUSTER(""), "a cluster twice" },
		{ CLUSTER(",\"arn\":\"" ARN "service/main\""), "not the ARN of a cluster" },
		{ CLUSTER(",\"arn\":7"), "arn" },
		{ CLUSTER(",\"read_ms\":-1"), "read_ms" },
		{ "{\"source\":\"\",\"cluster\":\"main\"}\n", "not a source's name" },
		{ "{\"source\":\"a\\nb\",\"cluster\":\"main\"}\n", "not a source's name" },
		{ "{\"source\":7,\"cluster\":\"main\"}\n", "source" },
		{ "{\"source\":\"eu\",\"cluster\":\"a/b/c\"}\n", "not a cluster's name" },
		{ "{\"source\":\"eu\",\"cluster\":7}\n", "cluster" },
		{ "{\"source\":\"eu\"}\n", "not a cluster's name" },
		{ "{\"source\":\"eu\",\"cluster\":\"main\",\"account\":7}\n", "account" },
		{ TASK(""), "of no cluster" },
		{ CLUSTER("") TASK("") TASK(""), "twice" },
		{ CLUSTER("") DEFINITION DEFINITION, "a task definition twice" },
		{ CLUSTER("") "{\"taskDefinition\":{}}\n", "line 3" },
		{ CLUSTER("") TASK_OF("arn:aws:ecs:eu-west-1:999999999999:task/main/" FIRST, "RUNNING", "HEALTHY", ""),
		    "not of this cluster" },
		{ CLUSTER("") TASK_OF(ARN "task/other/" FIRST, "RUNNING", "HEALTHY", ""), "not of this cluster" },
		{ CLUSTER("") TASK_OF(ARN "task/" FIRST, "RUNNING", "HEALTHY", ""), NULL }, /* of the old form */
		{ CLUSTER("") TASK_OF(ARN "task/main/" FIRST, "STOPPED", "HEALTHY", ""), "not a task that may serve" },
		{ CLUSTER("") TASK_OF(ARN "task/main/" FIRST, "RUNNING", "UNHEALTHY", ""),
		    "not a task that may serve" },
		{ CLUSTER("") TASK(",\"host_ipv4\":\"fd00::1\""), "not an address" },
		{ CLUSTER("") TASK(",\"host_ipv6\":\"10.0.0.1\""), "not an address" },
		{ CLUSTER("") TASK(",\"host_ipv4\":7"), "not an address" },
		{ CLUSTER("") TASK(",\"described_ms\":\"x\""), "described_ms" },
		{ CLUSTER("") "{\"task\":7}\n", "task" },
		{ CLUSTER("") "{\n", "line 3" },
		{ CLUSTER("") "[]\n", "line 3" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct roster_file *f = NULL;
		struct err e = ERR_INIT;
		enum err_code code = read_body(rows[i].body, &f, &e);

		CHECK_ROW(code == (rows[i].says == NULL ? ERR_OK : ERR_PARSE), i, e.msg);
		CHECK_ROW(rows[i].says == NULL || strstr(e.msg, rows[i].says) != NULL, i, e.msg);
		CHECK_ROW((f != NULL) == (code == ERR_OK), i, e.msg);
		roster_file_free(f);
	}
}

static void
another_version_is_no_damage(void **state)
{
	struct roster_file *f = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(roster_file_read(STR("{\"rollcall_roster\":2,\"anything\":{}}\n{}\n"), &f, &e), ERR_REFUSED);
	assert_non_null(strstr(e.msg, "version 2"));
	assert_int_equal(roster_file_read(STR("{\"other\":1}\n"), &f, NULL), ERR_PARSE);
	assert_int_equal(roster_file_read(STR(""), &f, NULL), ERR_PARSE);
	assert_null(f);
}

/* ---- what it may, and may not, do ---- */

static struct roster_task *
remembered(struct world *w, const char *id, const char *ipv4)
{
	struct roster_task *t = task(w, id, ipv4);

	t->is_remembered = true;
	t->listed = false;
	return t;
}

static const struct desired_server *
server(const struct desired *d, const char *id)
{
	for (size_t i = 0; i < d->backends[0].n_servers; i++)
		if (str_eq(d->backends[0].servers[i].task->id, str_from_cstr(id)))
			return &d->backends[0].servers[i];
	fail_msg("no server of %s", id);
	return NULL;
}

static void
what_is_remembered_makes_way_for_what_is_known(void **state)
{
	struct world *w = *state;
	struct desired *d;

	(void)world_entry(w, "grpc", "rng", 50051);
	(void)task(w, FIRST, "10.0.0.1");
	remembered(w, SECOND, "10.0.0.1")->started_ms += 1000; /* newer, in the same network */
	d = world_desired(w);
	assert_int_equal(server(d, FIRST)->want, DESIRED_SERVE);
	assert_int_equal(server(d, FIRST)->evidence, EVIDENCE_RUNNING);
	assert_int_equal(server(d, SECOND)->want, DESIRED_KEEP);
}

static void
of_two_that_are_remembered_neither_is_replaced(void **state)
{
	struct world *w = *state;
	struct desired *d;

	(void)world_entry(w, "grpc", "rng", 50051);
	(void)remembered(w, FIRST, "10.0.0.1");
	remembered(w, SECOND, "10.0.0.1")->started_ms += 1000;
	d = world_desired(w);
	assert_int_equal(server(d, FIRST)->want, DESIRED_KEEP);
	assert_int_equal(server(d, FIRST)->evidence, EVIDENCE_RUNNING);
	assert_int_equal(server(d, SECOND)->want, DESIRED_SERVE);
}

/* Nobody exposes it any more: of a listed task that is evidence, of a remembered one it is not. */
static void
nobody_leaves_because_of_what_is_remembered(void **state)
{
	struct world *w = *state;
	struct actual_backend *b = world_backend(w, "grpc");
	struct plan *p;

	(void)world_entry(w, "grpc", "other", 50051);
	(void)remembered(w, FIRST, "10.0.0.1");
	(void)world_server(w, b, "rc_" FIRST "_app_50051", ACTUAL_READY, "10.0.0.1:50051");
	p = world_plan(w, 1000, NULL);
	assert_string_equal(world_steps(w, p), "");
	assert_int_equal(p->backends[0].servers[0].evidence, EVIDENCE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(what_is_written_is_read_back),
		TEST(the_age_of_services_is_read_back_where_it_was_told),
		TEST(no_more_services_are_written_than_are_read),
		TEST(it_exposes_the_same_servers),
		TEST(only_who_may_serve_is_in_it),
		TEST(any_damage_is_found),
		TEST(what_rollcalld_would_not_write_is_refused_whole),
		TEST(another_version_is_no_damage),
		TEST(what_is_remembered_makes_way_for_what_is_known),
		TEST(of_two_that_are_remembered_neither_is_replaced),
		TEST(nobody_leaves_because_of_what_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
