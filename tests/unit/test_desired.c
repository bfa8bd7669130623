/* From roster and configuration to candidates and endpoints. */
#include "config.h"

#include "plan/desired.h"
#include "unit.h"
#include "worlds.h"

#define ID "4d590253bb114126b7afa7b58eea9221"

/* ---- words for the tables ---- */

static const struct desired_server *
find(const struct desired *d, const char *backend, const char *task)
{
	const struct desired_backend *b = desired_find(d, str_from_cstr(backend));

	assert_non_null(b);
	for (size_t i = 0; i < b->n_servers; i++)
		if (str_eq(b->servers[i].task->id, str_from_cstr(task)))
			return &b->servers[i];
	return NULL;
}

static const struct desired_server *
must_find(const struct desired *d, const char *backend, const char *task)
{
	const struct desired_server *s = find(d, backend, task);

	if (s == NULL)
		fail_msg("no candidate of %s in %s", task, backend);
	return s;
}

/* The nth endpoint of a task. */
static const struct desired_endpoint *
endpoint(const struct desired *d, const char *task, size_t nth)
{
	for (size_t i = 0; i < d->n_endpoints; i++)
		if (str_eq(d->endpoints[i].task->id, str_from_cstr(task)) && nth-- == 0)
			return &d->endpoints[i];
	fail_msg("no such endpoint of %s", task);
	return NULL;
}

static void
check_excluded(const struct desired_endpoint *ep, enum reason reason, const char *message)
{
	assert_false(ep->exposed);
	assert_string_equal(reason_name(ep->reason), reason_name(reason));
	assert_str(ep->message, message);
}

/* ---- who serves ---- */

static void
a_running_task_of_a_matching_service_serves(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	const struct desired_endpoint *ep;
	const struct desired_server *s;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "rng", 50051);
	(void)world_task(w, ID, ROSTER_RUNNING, "10.0.0.1");
	d = world_desired(w);
	s = must_find(d, "grpc", ID);
	assert_str(s->name, "rc_" ID "_app_50051");
	assert_str(s->address, "10.0.0.1");
	assert_int_equal(s->port, 50051);
	assert_int_equal(s->want, DESIRED_SERVE);
	assert_int_equal(s->evidence, EVIDENCE_RUNNING);
	assert_int_equal(s->weight, 256);
	assert_int_equal(s->drain_timeout_ms, 30000);
	assert_int_equal(d->backends[0].n_serve, 1);
	ep = endpoint(d, ID, 0);
	assert_true(ep->exposed);
	assert_str(ep->backend, "grpc");
	assert_int_equal(ep->port, 50051);
	assert_int_equal(ep->message.len, 0);
}

static void
what_aws_says_of_a_task_decides_what_becomes_of_it(void **state)
{
	static const struct {
		const char *what;
		enum roster_status last, wanted;
		enum roster_health health;
		bool listed;
		unsigned missing;
		bool require_healthy;
		enum desired_want want;
		enum evidence evidence;
		enum reason reason;
	} cases[] = {
#define R ROSTER_RUNNING
#define S ROSTER_STOPPED
		{ "runs", R, R, 0, true, 0, false, DESIRED_SERVE, EVIDENCE_RUNNING, REASON_NONE },
		{ "is healthy", R, R, ROSTER_HEALTHY, true, 0, true, DESIRED_SERVE, EVIDENCE_RUNNING, REASON_NONE },
		{ "awaits health", R, R, 0, true, 0, true, DESIRED_KEEP, EVIDENCE_RUNNING, REASON_UNHEALTHY },
		{ "is unhealthy", R, R, ROSTER_UNHEALTHY, true, 0, false, DESIRED_LEAVE, EVIDENCE_UNHEALTHY,
		    REASON_UNHEALTHY },
		{ "is not listed", R, R, 0, false, 0, false, DESIRED_KEEP, EVIDENCE_RUNNING, REASON_NONE },
		{ "is missing once", R, R, 0, false, 1, false, DESIRED_KEEP, EVIDENCE_RUNNING, REASON_NONE },
		{ "is missing twice", R, R, 0, false, 2, false, DESIRED_LEAVE, EVIDENCE_MISSING, REASON_NOT_RUNNING },
		{ "is to stop", R, S, 0, true, 0, false, DESIRED_LEAVE, EVIDENCE_STOPPING, REASON_STOPPING },
		{ "is to stop, unhealthy", R, S, ROSTER_UNHEALTHY, false, 2, false, DESIRED_LEAVE, EVIDENCE_STOPPING,
		    REASON_STOPPING },
		{ "is to stop before it ran", ROSTER_PENDING, S, 0, true, 0, false, DESIRED_LEAVE, EVIDENCE_STOPPING,
		    REASON_STOPPING },
		{ "deactivates", ROSTER_DEACTIVATING, R, 0, true, 0, false, DESIRED_LEAVE, EVIDENCE_STOPPING,
		    REASON_STOPPING },
		{ "stops", ROSTER_STOPPING, S, 0, true, 0, false, DESIRED_LEAVE, EVIDENCE_STOPPING, REASON_STOPPING },
		{ "is deprovisioned", ROSTER_DEPROVISIONING, S, 0, true, 0, false, DESIRED_LEAVE, EVIDENCE_STOPPED,
		    REASON_STOPPING },
		{ "has stopped", S, S, 0, false, 2, false, DESIRED_LEAVE, EVIDENCE_STOPPED, REASON_STOPPING },
		{ "is deleted", ROSTER_DELETED, S, 0, false, 0, false, DESIRED_LEAVE, EVIDENCE_STOPPED,
		    REASON_STOPPING },
		{ "is in a state we do not know", ROSTER_UNKNOWN, R, 0, true, 0, false, DESIRED_KEEP, EVIDENCE_NONE,
		    REASON_NOT_RUNNING },
		{ "is wanted we do not know how", R, ROSTER_UNKNOWN, 0, true, 0, false, DESIRED_KEEP, EVIDENCE_NONE,
		    REASON_NOT_RUNNING },
#undef R
#undef S
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = world_task(w, "a", cases[i].last, "10.0.0.1");
		const struct desired_server *s;
		struct desired *d;

		(void)world_entry(w, "grpc", "*", 0);
		t->desired_status = cases[i].wanted;
		t->health = cases[i].health;
		t->listed = cases[i].listed;
		t->missing = cases[i].missing;
		world_first_source(w)->require_healthy = cases[i].require_healthy;
		d = world_desired(w);
		s = must_find(d, "grpc", "a");
		CHECK_ROW(s->want == cases[i].want, i, cases[i].what);
		CHECK_ROW(s->evidence == cases[i].evidence, i, cases[i].what);
		CHECK_ROW(endpoint(d, "a", 0)->reason == cases[i].reason, i, cases[i].what);
		CHECK_ROW(endpoint(d, "a", 0)->exposed == (cases[i].reason == REASON_NONE), i, cases[i].what);
		CHECK_ROW((endpoint(d, "a", 0)->message.len == 0) == endpoint(d, "a", 0)->exposed, i, cases[i].what);
	}
}

static void
a_task_on_its_way_is_no_candidate_yet(void **state)
{
	static const enum roster_status on_the_way[] = { ROSTER_PROVISIONING, ROSTER_PENDING, ROSTER_ACTIVATING };

	(void)state;
	for (size_t i = 0; i < N_OF(on_the_way); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct desired *d;

		(void)world_entry(w, "grpc", "*", 0);
		(void)world_task(w, "a", on_the_way[i], "10.0.0.1");
		d = world_desired(w);
		assert_null(find(d, "grpc", "a"));
		assert_int_equal(endpoint(d, "a", 0)->reason, REASON_NOT_RUNNING);
		assert_str(endpoint(d, "a", 0)->backend, "grpc");
	}
}

static void
a_reason_is_told_in_a_sentence(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	(void)world_task(w, "a", ROSTER_PENDING, "");
	t = world_task(w, "b", ROSTER_STOPPED, "");
	t->stopped_reason = STR("Essential container\nexited");
	t = world_task(w, "c", ROSTER_RUNNING, "10.0.0.3");
	t->desired_status = ROSTER_STOPPED;
	t = world_task(w, "d", ROSTER_RUNNING, "10.0.0.4");
	t->health = ROSTER_UNHEALTHY;
	t = world_task(w, "e", ROSTER_RUNNING, "10.0.0.5");
	t->listed = false;
	t->missing = 2;
	(void)world_task(w, "f", ROSTER_RUNNING, "");
	(void)world_bare_task(w, "g", ROSTER_PROVISIONING);
	d = world_desired(w);
	check_excluded(endpoint(d, "a", 0), REASON_NOT_RUNNING, "the task is PENDING: it enters once it is RUNNING");
	check_excluded(endpoint(d, "b", 0), REASON_STOPPING, "the task is STOPPED: Essential container?exited");
	check_excluded(endpoint(d, "c", 0), REASON_STOPPING, "ECS is stopping the task, which is RUNNING still");
	check_excluded(
	    endpoint(d, "d", 0), REASON_UNHEALTHY, "ECS calls the task UNHEALTHY: see its containers' health checks");
	check_excluded(endpoint(d, "e", 0), REASON_NOT_RUNNING, "AWS calls the task MISSING, 2 times in a row");
	check_excluded(endpoint(d, "f", 0), REASON_NO_ADDRESS,
	    "ECS names no address for container `app`: its network interface is not there (yet)");
	check_excluded(
	    endpoint(d, "g", 0), REASON_NOT_RUNNING, "the task is PROVISIONING: it enters once it is RUNNING");
}

/* ---- which entries take it ---- */

static void
an_entry_takes_what_all_of_its_globs_match(void **state)
{
	static const struct {
		const char *source, *cluster, *service, *container;
		bool takes;
	} cases[] = {
		{ "*", "*", "*", "*", true },
		{ "eu", "main", "rng", "app", true },
		{ "e?", "m*n", "r*", "a*", true },
		{ "*", "arn:aws:ecs:eu-west-1:123456789012:cluster/main", "*", "*", true },
		{ "*", "arn:aws:ecs:*:cluster/main", "*", "*", true },
		{ "us", "*", "*", "*", false },
		{ "*", "mai", "*", "*", false },
		{ "*", "arn:aws:ecs:*:cluster/other", "*", "*", false },
		{ "*", "*", "rn", "*", false },
		{ "*", "*", "family:rng", "*", false },
		{ "*", "*", "*", "log", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct conf_backend *b = world_entry(w, "grpc", cases[i].service, 0);
		struct desired *d;

		b->match.source = str_from_cstr(cases[i].source);
		b->match.cluster = str_from_cstr(cases[i].cluster);
		b->match.container = str_from_cstr(cases[i].container);
		(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
		d = world_desired(w);
		CHECK_ROW((find(d, "grpc", "a") != NULL) == cases[i].takes, i, cases[i].cluster);
		CHECK_ROW((endpoint(d, "a", 0)->reason == REASON_NOT_SELECTED) == !cases[i].takes, i, cases[i].cluster);
	}
}

static void
a_cluster_configured_by_its_arn_matches_by_its_name(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_cluster *c = world_cluster(w, "eu", "blue");
	struct conf_backend *b = world_entry(w, "grpc", "*", 0);

	(void)state;
	c->name = c->arn;
	b->match.cluster = STR("blue");
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	(void)must_find(world_desired(w), "grpc", "a");
}

static void
a_standalone_task_goes_by_its_family(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	struct desired *d;

	(void)state;
	t->service = STR("");
	t->group = STR("my own group");
	(void)world_entry(w, "by-family", "family:rng", 0);
	(void)world_entry(w, "by-name", "rng", 0);
	d = world_desired(w);
	(void)must_find(d, "by-family", "a");
	assert_null(find(d, "by-name", "a"));
}

static void
a_source_lets_in_only_its_services(void **state)
{
	static const struct str wanted[] = { { .ptr = "web*", .len = 4 }, { .ptr = "api", .len = 3 } };
	struct world *w CLEANUP(world_free_at) = world_new();
	struct conf_source *s = world_source(w, "us");
	struct roster_task *t;
	struct desired *d;

	(void)state;
	s->services = (struct conf_list){ .items = wanted, .n = 2 };
	(void)world_cluster(w, "us", "main");
	(void)world_entry(w, "grpc", "*", 0);
	t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	t = world_task(w, "b", ROSTER_RUNNING, "10.0.0.2");
	t->service = STR("web-1");
	d = world_desired(w);
	check_excluded(endpoint(d, "a", 0), REASON_NOT_SELECTED, "`services` of source `us` does not have `rng`");
	assert_true(endpoint(d, "b", 0)->exposed);
}

static void
nobody_is_taken_from_a_source_that_is_not_configured_any_more(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct desired *d;

	(void)state;
	(void)world_cluster(w, "gone", "main");
	(void)world_entry(w, "grpc", "*", 0);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	d = world_desired(w);
	check_excluded(
	    endpoint(d, "a", 0), REASON_NOT_SELECTED, "its source `gone` is not in the configuration any more");
}

static void
several_entries_all_apply_and_a_container_that_none_takes_has_one_row(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	const struct desired_endpoint *first;
	struct roster_task *t;
	struct desired *d;
	size_t n;

	(void)state;
	(void)world_entry(w, "one", "rng", 50051);
	(void)world_entry(w, "two", "r*", 0);
	(void)world_entry(w, "three", "web", 0);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	t = world_task(w, "b", ROSTER_RUNNING, "10.0.0.2");
	t->service = STR("mail");
	d = world_desired(w);
	(void)must_find(d, "one", "a");
	(void)must_find(d, "two", "a");
	assert_null(find(d, "three", "a"));
	first = desired_endpoints_of(d, endpoint(d, "a", 0)->task, &n);
	assert_int_equal(n, 2);
	assert_str(first[0].backend, "one");
	assert_str(first[1].backend, "two");
	first = desired_endpoints_of(d, endpoint(d, "b", 0)->task, &n);
	assert_int_equal(n, 1);
	assert_str(first->backend, "");
	check_excluded(first, REASON_NOT_SELECTED,
	    "no backends entry matches container `app` of `mail` in cluster `main`: add one, or widen its `match`");
	assert_null(desired_endpoints_of(d, t, &n)); /* the world's own, not the roster's */
	assert_int_equal(n, 0);
}

static void
two_entries_of_one_name_make_one_backend_and_a_task_is_in_it_once(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "rng", 0);
	(void)world_entry(w, "other", "none", 0);
	(void)world_entry(w, "grpc", "*", 50051);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	t = world_task(w, "b", ROSTER_RUNNING, "10.0.0.2");
	t->service = STR("web");
	d = world_desired(w);
	assert_int_equal(d->n_backends, 2);
	assert_int_equal(desired_find(d, STR("grpc"))->n_servers, 2);
	assert_true(endpoint(d, "a", 0)->exposed);
	assert_true(endpoint(d, "a", 1)->exposed);
}

/* ---- ports ---- */

static void
a_port_is_the_entrys_or_the_containers_only_one(void **state)
{
	static const struct {
		const char *publishes;
		uint16_t asked, port;
		enum reason reason;
		const char *message;
	} cases[] = {
		{ "50051", 0, 50051, REASON_NONE, "" },
		{ "50051", 50051, 50051, REASON_NONE, "" },
		{ "50051 8080", 8080, 8080, REASON_NONE, "" },
		{ "50051 53/udp", 0, 50051, REASON_NONE, "" },
		{ "50051 50051", 0, 50051, REASON_NONE, "" },
		{ "0 50051", 0, 50051, REASON_NONE, "" },
		{ "", 50051, 50051, REASON_NONE, "" },          /* the only essential one */
		{ "8080", 50051, 50051, REASON_NONE, "" },      /* likewise */
		{ "50051/udp", 50051, 50051, REASON_NONE, "" }, /* likewise */
		{ "", 0, 0, REASON_NO_PORT,
		    "container `app` publishes no TCP port: add it to its portMappings, or say it with `port:` in "
		    "backends entry `grpc`" },
		{ "53/udp", 0, 0, REASON_NO_PORT,
		    "container `app` publishes no TCP port: add it to its portMappings, or say it with `port:` in "
		    "backends entry `grpc`" },
		{ "50051 8080", 0, 0, REASON_SEVERAL_PORTS,
		    "container `app` publishes ports 50051 and 8080: say which with `port:` in backends entry `grpc`" },
		{ "1 2 3", 0, 0, REASON_SEVERAL_PORTS,
		    "container `app` publishes ports 1, 2 and 3: say which with `port:` in backends entry `grpc`" },
		{ "65531 65532 65533 65534 65535 65530 7 8", 0, 0, REASON_SEVERAL_PORTS,
		    "container `app` publishes ports 65531, 65532, 65533, 65534, 65535, 65530 and 2 more: say which "
		    "with `port:` in backends entry `grpc`" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
		const struct desired_endpoint *ep;
		struct desired *d;

		t->definition = world_definition(w, "x");
		(void)world_publishes(w, t->definition, "app", cases[i].publishes);
		(void)world_entry(w, "grpc", "*", cases[i].asked);
		d = world_desired(w);
		ep = endpoint(d, "a", 0);
		CHECK_ROW(ep->reason == cases[i].reason, i, cases[i].publishes);
		CHECK_ROW(ep->port == cases[i].port, i, cases[i].publishes);
		assert_str(ep->message, cases[i].message);
		CHECK_ROW((find(d, "grpc", "a") != NULL) == ep->exposed, i, cases[i].publishes);
	}
}

static void
a_sidecar_without_the_entrys_port_is_no_server(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	struct desired *d;

	(void)state;
	t->definition = world_definition(w, "x");
	(void)world_publishes(w, t->definition, "app", "50051");
	(void)world_publishes(w, t->definition, "log", "2020");
	(void)world_container(w, t, "log", "10.0.0.1");
	(void)world_container(w, t, "guard", "10.0.0.1"); /* put there by AWS: not in the definition */
	(void)world_entry(w, "grpc", "*", 50051);
	(void)world_entry(w, "too", "*", 50051);
	d = world_desired(w);
	assert_int_equal(desired_find(d, STR("grpc"))->n_servers, 1);
	assert_int_equal(d->n_endpoints, 4);
	assert_str(must_find(d, "grpc", "a")->container, "app");
	assert_str(endpoint(d, "a", 2)->container, "log");
	check_excluded(endpoint(d, "a", 2), REASON_NOT_SELECTED,
	    "container `log` does not publish port 50051: backends entry `too` takes the containers that do");
	check_excluded(endpoint(d, "a", 3), REASON_NOT_SELECTED,
	    "container `guard` does not publish port 50051: backends entry `too` takes the containers that do");
}

static void
a_port_that_nobody_publishes_is_the_only_essential_containers(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	struct desired *d;

	(void)state;
	t->definition = world_definition(w, "x");
	(void)world_publishes(w, t->definition, "app", "");
	world_publishes(w, t->definition, "log", "")->essential = false;
	(void)world_container(w, t, "log", "10.0.0.1");
	(void)world_entry(w, "grpc", "*", 50051);
	d = world_desired(w);
	assert_int_equal(desired_find(d, STR("grpc"))->n_servers, 1);
	assert_str(must_find(d, "grpc", "a")->container, "app");
	check_excluded(endpoint(d, "a", 1), REASON_NO_PORT,
	    "no container of the task publishes port 50051 of backends entry `grpc`, and `log` is not its only "
	    "essential one: add the port to the portMappings of the container that listens on it");
}

static void
a_port_that_nobody_publishes_is_nobodys_among_several_essential_ones(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	struct desired *d;

	(void)state;
	t->definition = world_definition(w, "x");
	(void)world_publishes(w, t->definition, "app", "");
	(void)world_publishes(w, t->definition, "log", "");
	(void)world_container(w, t, "log", "10.0.0.1");
	(void)world_entry(w, "grpc", "*", 50051);
	d = world_desired(w);
	assert_int_equal(desired_find(d, STR("grpc"))->n_servers, 0);
	assert_int_equal(endpoint(d, "a", 0)->reason, REASON_NO_PORT);
	assert_int_equal(endpoint(d, "a", 1)->reason, REASON_NO_PORT);
}

static void
two_containers_of_one_task_serve_on_their_own_ports(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_task(w, ID, ROSTER_RUNNING, "10.0.0.1");
	const struct desired_backend *b;

	(void)state;
	t->definition = world_definition(w, "x");
	(void)world_publishes(w, t->definition, "app", "50051");
	(void)world_publishes(w, t->definition, "web", "80");
	(void)world_container(w, t, "web", "10.0.0.1");
	(void)world_entry(w, "grpc", "*", 0);
	b = desired_find(world_desired(w), STR("grpc"));
	assert_int_equal(b->n_servers, 2);
	assert_str(b->servers[0].name, "rc_" ID "_app_50051");
	assert_str(b->servers[1].name, "rc_" ID "_web_80");
}

static void
a_task_whose_definition_is_not_read_does_not_enter_but_its_end_is_believed(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct desired *d;

	(void)state;
	world_task(w, "a", ROSTER_RUNNING, "10.0.0.1")->definition = NULL;
	world_task(w, "b", ROSTER_STOPPED, "10.0.0.2")->definition = NULL;
	(void)world_entry(w, "asked", "*", 50051);
	(void)world_entry(w, "only", "*", 0);
	d = world_desired(w);
	assert_null(find(d, "asked", "a"));
	assert_null(find(d, "only", "a"));
	check_excluded(endpoint(d, "a", 0), REASON_NO_PORT, "its task definition is not read yet");
	assert_int_equal(must_find(d, "asked", "b")->evidence, EVIDENCE_STOPPED);
	assert_null(find(d, "only", "b"));
	check_excluded(endpoint(d, "b", 1), REASON_STOPPING, "the task is STOPPED");
}

/* ---- addresses ---- */

static void
ipv4_comes_before_ipv6_and_ipv6_is_written_as_haproxy_does(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_bare_task(w, "a", ROSTER_RUNNING);
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	world_container(w, t, "app", "10.0.0.1")->ipv6 = STR("fd00::1");
	t = world_bare_task(w, "b", ROSTER_RUNNING);
	world_container(w, t, "app", "")->ipv6 = STR("FD00:0:0:0:0:0:0:0002");
	t = world_bare_task(w, "c", ROSTER_RUNNING);
	world_container(w, t, "app", "0.0.0.0")->ipv6 = STR("fd00::3; shutdown");
	d = world_desired(w);
	assert_str(must_find(d, "grpc", "a")->address, "10.0.0.1");
	assert_str(must_find(d, "grpc", "b")->address, "fd00::2");
	assert_null(find(d, "grpc", "c"));
	assert_int_equal(endpoint(d, "c", 0)->reason, REASON_NO_ADDRESS);
}

#define INSTANCE "arn:aws:ecs:eu-west-1:123456789012:container-instance/main/0123456789abcdef"

/* A task of a machine; its container "app" publishes the ports. */
static struct roster_task *
task_on_host(struct world *w, const char *id, enum taskdef_network network, const char *ports)
{
	struct roster_task *t = world_task(w, id, ROSTER_RUNNING, "");

	t->subnet = STR("");
	t->definition = world_definition(w, id);
	t->definition->network = network;
	(void)world_publishes(w, t->definition, "app", ports);
	t->container_instance_arn = STR(INSTANCE);
	t->host_ipv4 = STR("10.1.0.1");
	return t;
}

static void
bind_ports(struct roster_task *t, const struct roster_binding *bindings, size_t n)
{
	struct roster_container *c = (struct roster_container *)(uintptr_t)&t->containers[0];

	c->bindings = bindings;
	c->n_bindings = n;
}

static void
a_bridge_task_is_reached_by_the_port_of_its_machine(void **state)
{
	static const struct {
		const char *what, *ipv4, *ipv6;
		struct roster_binding bindings[3];
		size_t n;
		const char *address;
		uint16_t port;
	} cases[] = {
		{ "a dynamic port", "10.1.0.1", "", { { 50051, 32768, 1, true, false } }, 1, "10.1.0.1", 32768 },
		{ "two families, two ports", "10.1.0.1", "",
		    { { 50051, 32769, 1, true, true }, { 50051, 32768, 1, true, false } }, 2, "10.1.0.1", 32768 },
		{ "an IPv6 machine", "", "fd00::5",
		    { { 50051, 32769, 1, true, true }, { 50051, 32768, 1, true, false } }, 2, "fd00::5", 32769 },
		{ "IPv4 before IPv6", "10.1.0.1", "fd00::5",
		    { { 50051, 32769, 1, true, true }, { 50051, 32768, 1, true, false } }, 2, "10.1.0.1", 32768 },
		{ "only ::", "10.1.0.1", "", { { 50051, 32769, 1, true, true } }, 1, "10.1.0.1", 32769 },
		{ "in a range", "10.1.0.1", "", { { 50050, 40000, 3, true, false } }, 1, "10.1.0.1", 40001 },
		{ "bound twice", "10.1.0.1", "", { { 50051, 32790, 1, true, false }, { 50051, 32780, 1, true, false } },
		    2, "10.1.0.1", 32780 },
		{ "others beside it", "10.1.0.1", "",
		    { { 50051, 1, 1, false, false }, { 80, 2, 1, true, false }, { 50051, 3, 1, true, false } }, 3,
		    "10.1.0.1", 3 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = task_on_host(w, ID, TASKDEF_BRIDGE, "50051");
		const struct desired_server *s;

		(void)world_entry(w, "grpc", "*", 0);
		t->host_ipv4 = str_from_cstr(cases[i].ipv4);
		t->host_ipv6 = str_from_cstr(cases[i].ipv6);
		bind_ports(t, cases[i].bindings, cases[i].n);
		s = must_find(world_desired(w), "grpc", ID);
		CHECK_ROW(str_eq(s->address, str_from_cstr(cases[i].address)), i, cases[i].what);
		CHECK_ROW(s->port == cases[i].port && s->want == DESIRED_SERVE, i, cases[i].what);
	}
}

static void
a_host_task_is_reached_by_its_own_port(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	const struct desired_server *s;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	(void)task_on_host(w, ID, TASKDEF_HOST, "50051");
	d = world_desired(w);
	s = must_find(d, "grpc", ID);
	assert_str(s->name, "rc_" ID "_app_50051");
	assert_str(s->address, "10.1.0.1");
	assert_int_equal(s->port, 50051);
}

static void
a_task_on_a_machine_that_is_not_reached_says_why(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	static const struct roster_binding udp[] = { { 50051, 32768, 1, false, false } };
	struct roster_task *t;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 50051);
	bind_ports(task_on_host(w, "a", TASKDEF_BRIDGE, "50051"), udp, 1);
	task_on_host(w, "b", TASKDEF_HOST, "50051")->host_ipv4 = STR("");
	t = task_on_host(w, "c", TASKDEF_BRIDGE, "50051");
	t->container_instance_arn = t->host_ipv4 = STR("");
	(void)task_on_host(w, "d", TASKDEF_NONE, "50051");
	d = world_desired(w);
	check_excluded(endpoint(d, "a", 0), REASON_NO_ADDRESS,
	    "ECS names no port of container instance 0123456789abcdef to which port 50051 of container `app` is bound: "
	    "it has just started, or its portMappings lack the port");
	assert_int_equal(endpoint(d, "a", 0)->port, 50051);
	check_excluded(endpoint(d, "b", 0), REASON_NO_ADDRESS,
	    "the address of its container instance 0123456789abcdef is not known: the error of its cluster in "
	    "`rollcall status` says why");
	check_excluded(endpoint(d, "c", 0), REASON_NO_ADDRESS, "the task has no container instance yet");
	check_excluded(endpoint(d, "d", 0), REASON_NO_ADDRESS,
	    "its network mode is none, or one that rollcall does not know: container `app` cannot be reached");
	assert_int_equal(desired_find(d, STR("grpc"))->n_servers, 0);
}

/* By a request for `/;prompt` with orders in its body HAProxy 2.6 to 3.4 would do what a caller says. */
static void
no_task_serves_where_haproxy_takes_orders(void **state)
{
	static const struct {
		const char *socket, *master, *ipv4, *ipv6;
		bool serves;
	} cases[] = {
		{ "/run/haproxy.sock", "", "127.0.0.1", "", true },
		{ "/run/haproxy:50051", "", "127.0.0.1", "", true },
		{ "127.0.0.1:9999", "127.0.0.1:9998", "127.0.0.1", "", true },
		{ "127.0.0.1:50051", "", "127.0.0.1", "", false },
		{ "127.0.0.1:50051", "", "127.255.0.1", "", false },
		{ "127.0.0.1:50051", "", "10.1.0.1", "", true },
		{ "127.0.0.1:9999", "127.0.0.1:50051", "127.0.0.1", "", false },
		{ "[::1]:50051", "", "", "::1", false },
		{ "[::1]:50051", "", "", "fd00::1", true },
		{ "10.1.0.1:50051", "", "10.1.0.1", "", false },
		{ "[fd00::1]:50051", "", "", "fd00::1", false },
		{ "10.1.0.1:50051", "", "10.1.0.2", "", true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = task_on_host(w, ID, TASKDEF_HOST, "50051");
		struct desired *d;

		(void)world_entry(w, "grpc", "*", 0);
		world_first_conf(w)->haproxy.socket = str_from_cstr(cases[i].socket);
		world_first_conf(w)->haproxy.master_socket = str_from_cstr(cases[i].master);
		t->host_ipv4 = str_from_cstr(cases[i].ipv4);
		t->host_ipv6 = str_from_cstr(cases[i].ipv6);
		d = world_desired(w);
		CHECK_ROW((find(d, "grpc", ID) != NULL) == cases[i].serves, i, cases[i].socket);
		CHECK_ROW(cases[i].serves || endpoint(d, ID, 0)->reason == REASON_NO_ADDRESS, i, cases[i].socket);
		CHECK_ROW(cases[i].serves || strstr(endpoint(d, ID, 0)->message.ptr,
						 " port 50051 is a socket of HAProxy's own") != NULL,
		    i, endpoint(d, ID, 0)->message.ptr);
	}
}

/* Tasks of a machine share its address: an end is put in doubt only by one that may have the
 * very port by now. */
static void
a_port_that_is_not_known_puts_only_its_own_places_in_doubt(void **state)
{
	static const struct roster_binding old[] = { { 50051, 32768, 1, true, false } };
	static const struct roster_binding others[] = { { 1, 32770, 1, true, false }, { 2, 32771, 1, true, false } };
	static const struct roster_binding same[] = { { 1, 32768, 1, true, false }, { 2, 32771, 1, true, false } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = task_on_host(w, "old", TASKDEF_BRIDGE, "50051");

		(void)world_entry(w, "grpc", "*", 0);
		t->last_status = t->desired_status = ROSTER_STOPPED;
		bind_ports(t, old, 1);
		bind_ports(task_on_host(w, "new", TASKDEF_BRIDGE, "1 2"), i == 0 ? others : same, 2);
		assert_int_equal(
		    must_find(world_desired(w), "grpc", "old")->evidence, i == 0 ? EVIDENCE_STOPPED : EVIDENCE_NONE);
	}
}

/* By what ECS says to be bound, and by the definition alone. */
static void
a_udp_port_does_not_hold_the_tcp_port_of_its_number(void **state)
{
	static const struct roster_binding bound[2][1] = { { { 50051, 50051, 1, false, false } },
		{ { 50051, 50051, 1, true, false } } };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = task_on_host(w, "old", TASKDEF_HOST, "50051");
		const bool is_tcp = i % 2 == 1, is_bound = i / 2 == 1;

		(void)world_entry(w, "grpc", "*", 0);
		t->last_status = t->desired_status = ROSTER_STOPPED;
		/* Two TCP ports, so that which of them serves is not known. */
		t = task_on_host(w, "new", TASKDEF_HOST, "1 2 50051");
		((struct taskdef_port *)(uintptr_t)t->definition->containers[0].ports)[2].tcp = is_tcp;
		if (is_bound)
			bind_ports(t, bound[is_tcp], 1);
		assert_int_equal(
		    must_find(world_desired(w), "grpc", "old")->evidence, is_tcp ? EVIDENCE_NONE : EVIDENCE_STOPPED);
	}
}

static void
a_port_of_a_machine_belongs_to_the_newest_task_that_runs(void **state)
{
	static const struct roster_binding port[] = { { 50051, 32768, 1, true, false } };
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = task_on_host(w, "old", TASKDEF_BRIDGE, "50051");
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	bind_ports(t, port, 1);
	t = task_on_host(w, "young", TASKDEF_BRIDGE, "50051");
	t->started_ms = t->created_ms = 9000;
	bind_ports(t, port, 1);
	d = world_desired(w);
	assert_int_equal(must_find(d, "grpc", "old")->evidence, EVIDENCE_REPLACED);
	assert_int_equal(must_find(d, "grpc", "young")->want, DESIRED_SERVE);
}

static void
a_range_of_ports_holds_an_entrys_port_and_is_several(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	static const struct roster_binding range[] = { { 50050, 40000, 5, true, false } };
	struct roster_task *t = task_on_host(w, ID, TASKDEF_BRIDGE, "50050");
	struct taskdef_port *p = (struct taskdef_port *)(uintptr_t)t->definition->containers[0].ports;
	struct desired *d;

	(void)state;
	p->n = 5;
	bind_ports(t, range, 1);
	(void)world_entry(w, "grpc", "*", 50052);
	(void)world_entry(w, "any", "*", 0);
	d = world_desired(w);
	assert_int_equal(must_find(d, "grpc", ID)->port, 40002);
	check_excluded(endpoint(d, ID, 1), REASON_SEVERAL_PORTS,
	    "container `app` publishes ports 50050-50054: say which with `port:` in backends entry `any`");
}

static void
our_own_task_and_service_never_serve(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster *r;
	struct roster_task *t;
	struct desired *d;
	struct roster_self self = { .region = STR("eu-west-1"), .service = STR(""), .cluster = STR("main") };

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	t = world_task(w, "own", ROSTER_RUNNING, "10.0.0.1");
	self.task_arn = t->arn;
	t->service = STR("proxy");
	world_task(w, "brother", ROSTER_RUNNING, "10.0.0.2")->service = STR("proxy");
	(void)world_task(w, "other", ROSTER_RUNNING, "10.0.0.3");
	(void)world_cluster(w, "eu", "test");
	world_task(w, "namesake", ROSTER_RUNNING, "10.0.0.4")->service = STR("proxy");
	r = world_roster(w);
	assert_true(roster_set_self(r, &self));
	assert_int_equal(desired_derive(world_conf(w), r, &d, NULL), ERR_OK);
	check_excluded(endpoint(d, "own", 0), REASON_SELF, "it is rollcall's own task, which never serves");
	check_excluded(
	    endpoint(d, "brother", 0), REASON_SELF, "it is a task of rollcall's own service, which never serves");
	assert_null(find(d, "grpc", "own"));
	assert_int_equal(must_find(d, "grpc", "other")->want, DESIRED_SERVE);
	assert_int_equal(must_find(d, "grpc", "namesake")->want, DESIRED_SERVE);
	desired_free(d);
}

static void
an_address_belongs_to_the_newest_task_that_runs(void **state)
{
	static const struct {
		const char *what;
		enum roster_status a_status;
		const char *a_net, *b_net, *a_instance, *b_instance;
		int64_t b_started_ms;
		enum desired_want a_want;
		enum evidence a_evidence;
		enum desired_want b_want;
	} cases[] = {
		{ "ended, same subnet", ROSTER_STOPPED, "n", "n", "", "", 9, DESIRED_LEAVE, EVIDENCE_REPLACED,
		    DESIRED_SERVE },
		{ "ended, same instance", ROSTER_STOPPED, "", "", "i", "i", 9, DESIRED_LEAVE, EVIDENCE_REPLACED,
		    DESIRED_SERVE },
		{ "ended, other subnet", ROSTER_STOPPED, "n", "m", "", "", 9, DESIRED_LEAVE, EVIDENCE_STOPPED,
		    DESIRED_SERVE },
		{ "ended, subnet not known", ROSTER_STOPPING, "", "", "", "", 9, DESIRED_LEAVE, EVIDENCE_STOPPING,
		    DESIRED_SERVE },
		{ "still running, we thought", ROSTER_RUNNING, "n", "n", "", "", 9, DESIRED_LEAVE, EVIDENCE_REPLACED,
		    DESIRED_SERVE },
		{ "running in another subnet", ROSTER_RUNNING, "n", "m", "", "", 9, DESIRED_KEEP, EVIDENCE_RUNNING,
		    DESIRED_SERVE },
		{ "ended after the other began", ROSTER_STOPPED, "n", "n", "", "", 1, DESIRED_LEAVE, EVIDENCE_STOPPED,
		    DESIRED_SERVE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *a = world_task(w, "a", cases[i].a_status, "10.0.0.1");
		struct roster_task *b = world_task(w, "b", ROSTER_RUNNING, "10.0.0.1");
		const struct desired_server *s;
		struct desired *d;

		(void)world_entry(w, "grpc", "*", 0);
		a->started_ms = 5;
		b->started_ms = cases[i].b_started_ms;
		a->subnet = str_from_cstr(cases[i].a_net);
		b->subnet = str_from_cstr(cases[i].b_net);
		a->container_instance_arn = str_from_cstr(cases[i].a_instance);
		b->container_instance_arn = str_from_cstr(cases[i].b_instance);
		d = world_desired(w);
		s = must_find(d, "grpc", "a");
		CHECK_ROW(s->want == cases[i].a_want, i, cases[i].what);
		CHECK_ROW(s->evidence == cases[i].a_evidence, i, cases[i].what);
		CHECK_ROW(s->streams_run_on == (s->evidence == EVIDENCE_REPLACED), i, cases[i].what);
		CHECK_ROW(must_find(d, "grpc", "b")->want == cases[i].b_want, i, cases[i].what);
		CHECK_ROW(!endpoint(d, "a", 0)->exposed, i, cases[i].what);
	}
}

/* It may have gone since. */
static void
a_task_that_is_only_remembered_replaces_nobody(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *a = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	struct roster_task *b = world_task(w, "b", ROSTER_RUNNING, "10.0.0.1");
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	a->is_remembered = b->is_remembered = true;
	b->started_ms = b->created_ms = 9000;
	d = world_desired(w);
	assert_int_equal(must_find(d, "grpc", "a")->want, DESIRED_KEEP);
	assert_int_equal(must_find(d, "grpc", "a")->evidence, EVIDENCE_RUNNING);
	assert_int_equal(must_find(d, "grpc", "b")->want, DESIRED_SERVE);
}

static void
a_replaced_task_is_told_by_whom(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	(void)world_task(w, "a", ROSTER_STOPPED, "10.0.0.1");
	world_task(w, "b", ROSTER_RUNNING, "10.0.0.1")->started_ms = 3000;
	d = world_desired(w);
	check_excluded(endpoint(d, "a", 0), REASON_NOT_RUNNING, "its address and port are now those of task b");
	assert_true(endpoint(d, "b", 0)->exposed);
}

static void
a_task_that_is_missing_holds_no_address(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *b;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	b = world_task(w, "b", ROSTER_RUNNING, "10.0.0.1");
	b->started_ms = 3000;
	b->missing = 2;
	d = world_desired(w);
	assert_int_equal(must_find(d, "grpc", "a")->want, DESIRED_SERVE);
	assert_int_equal(must_find(d, "grpc", "b")->evidence, EVIDENCE_MISSING);
}

/* b runs at the address that a had; only its port is not known (yet). */
static void
the_end_of_a_task_proves_nothing_where_another_may_serve_by_now(void **state)
{
	static const struct {
		const char *what, *publishes;
		uint16_t asked;
		enum roster_status b_status;
		enum evidence evidence;
	} cases[] = {
		{ "b's definition is not read", NULL, 50051, ROSTER_RUNNING, EVIDENCE_NONE },
		{ "nor which port is asked", NULL, 0, ROSTER_RUNNING, EVIDENCE_NONE },
		{ "b publishes several", "50051 8080", 0, ROSTER_RUNNING, EVIDENCE_NONE },
		{ "b publishes none", "", 0, ROSTER_RUNNING, EVIDENCE_NONE },
		{ "b serves on another port", "8080", 0, ROSTER_RUNNING, EVIDENCE_STOPPED },
		{ "b has not run yet", NULL, 50051, ROSTER_PENDING, EVIDENCE_STOPPED },
		{ "b ended, too", NULL, 0, ROSTER_STOPPED, EVIDENCE_STOPPED },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *b;
		struct desired *d;

		(void)world_entry(w, "grpc", "*", cases[i].asked);
		(void)world_task(w, "a", ROSTER_STOPPED, "10.0.0.1");
		b = world_task(w, "b", cases[i].b_status, "10.0.0.1");
		b->definition = cases[i].publishes != NULL ? world_definition(w, "x") : NULL;
		if (b->definition != NULL)
			(void)world_publishes(w, b->definition, "app", cases[i].publishes);
		d = world_desired(w);
		CHECK_ROW(must_find(d, "grpc", "a")->evidence == cases[i].evidence, i, cases[i].what);
		CHECK_ROW(endpoint(d, "a", 0)->reason == REASON_STOPPING, i, cases[i].what);
	}
}

static void
one_cluster_through_two_sources_gives_a_task_once_and_proof_from_either_counts(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t;
	struct desired *d;

	(void)state;
	(void)world_entry(w, "grpc", "*", 0);
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	(void)world_task(w, "b", ROSTER_RUNNING, "10.0.0.2");
	(void)world_source(w, "eu-again");
	(void)world_cluster(w, "eu-again", "main");
	t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	t->described_wall_ms = 5;
	(void)world_task(w, "b", ROSTER_STOPPED, "10.0.0.2");
	d = world_desired(w);
	assert_int_equal(desired_find(d, STR("grpc"))->n_servers, 2);
	assert_int_equal(must_find(d, "grpc", "a")->want, DESIRED_SERVE);
	assert_str(must_find(d, "grpc", "a")->cluster->source, "eu-again");
	assert_int_equal(must_find(d, "grpc", "b")->evidence, EVIDENCE_STOPPED);
	assert_int_equal(d->n_endpoints, 4);
}

/* ---- names, weights, policies ---- */

static void
a_name_has_only_what_haproxy_allows_and_at_most_100_bytes(void **state)
{
	static const char long_id[] = "0123456789012345678901234567890123456789012345678901234567890123";
	static const struct {
		struct str id, container;
		const char *name;
	} cases[] = {
		{ { ID, 32 }, { "app", 3 }, "rc_" ID "_app_50051" },
		{ { "4d590253-bb11-4126-b7af-a7b58eea9221", 36 }, { "app", 3 },
		    "rc_4d590253-bb11-4126-b7af-a7b58eea9221_app_50051" },
		{ { "a", 1 }, { "x y\n\0/z;\xc3\xa4", 10 }, "rc_a_x_y___z____50051" },
		{ { "a", 1 }, { "A.b:c-d_1", 9 }, "rc_a_A.b:c-d_1_50051" },
		{ { "a", 1 }, { "", 0 }, "rc_a__50051" },
		{ { ID, 32 }, { long_id, 64 },
		    "rc_" ID "_0123456789012345678901234567890123456789012345678901234567_50051" },
		{ { long_id, 64 }, { long_id, 64 },
		    "rc_0123456789012345678901234567890123456789012345678901234567890123"
		    "_01234567890123456789012345_50051" },
	};
	struct arena *a CLEANUP(arena_free_at) = arena_new((size_t)1 << 20);

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str name;

		assert_int_equal(desired_server_name(a, cases[i].id, cases[i].container, 50051, &name, NULL), ERR_OK);
		assert_str(name, cases[i].name);
		assert_true(name.len <= DESIRED_NAME_MAX);
	}
}

static void
an_id_that_is_none_makes_no_name(void **state)
{
	static const struct str bad[] = { { "", 0 }, { "a_b", 3 }, { "a b", 3 }, { "a\n", 2 },
		{ "01234567890123456789012345678901234567890123456789012345678901234", 65 } };
	struct arena *a CLEANUP(arena_free_at) = arena_new((size_t)1 << 20);

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err e = ERR_INIT;
		struct str name;

		assert_int_equal(desired_server_name(a, bad[i], STR("app"), 1, &name, &e), ERR_ARG);
		assert_true(e.msg[0] != '\0');
	}
}

static void
an_id_is_read_out_of_a_name(void **state)
{
	static const struct {
		const char *name, *id; /* null: none */
	} cases[] = {
		{ "rc_" ID "_app_50051", ID },
		{ "rc_" ID "__50051", ID },
		{ "rc_01234567-89ab-cdef-0123-456789abcdef_app_1", "01234567-89ab-cdef-0123-456789abcdef" },
		{ "rc_17", NULL },
		{ "rc_", NULL },
		{ "rc_" ID, NULL },
		{ "rc_" ID "0_app_1", NULL },
		{ "rc_0123456789.bcdef0123456789abcdef_app_1", NULL },
		{ "xx_" ID "_app_1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct str id = STR("untouched");

		assert_int_equal(desired_server_id(str_from_cstr(cases[i].name), &id), cases[i].id != NULL);
		assert_str(id, cases[i].id != NULL ? cases[i].id : "untouched");
	}
}

static void
hostile_container_names_are_kept_from_messages_and_names(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct roster_task *t = world_bare_task(w, "a", ROSTER_RUNNING);
	struct desired *d;

	(void)state;
	(void)world_container(w, t, "x;\nshutdown \x1b[31m\xff", "10.0.0.1");
	(void)world_entry(w, "grpc", "*", 0);
	d = world_desired(w);
	assert_int_equal(endpoint(d, "a", 0)->reason, REASON_NO_PORT);
	assert_true(str_is_printable(endpoint(d, "a", 0)->message));
}

static void
the_drain_timeout_is_the_entrys_or_the_definitions_or_30_s(void **state)
{
	static const struct {
		int64_t entry_ms, definition_ms, ms;
	} cases[] = {
		{ CONF_DRAIN_AUTO, -1, 30000 },
		{ CONF_DRAIN_AUTO, 120000, 120000 },
		{ CONF_DRAIN_AUTO, 0, 0 },
		{ 5000, 120000, 5000 },
		{ 0, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w CLEANUP(world_free_at) = world_new();
		struct roster_task *t = world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");

		t->definition = world_definition(w, "x");
		world_publishes(w, t->definition, "app", "80")->stop_timeout_ms = cases[i].definition_ms;
		world_entry(w, "grpc", "*", 0)->policy.drain_timeout_ms = cases[i].entry_ms;
		assert_int_equal(must_find(world_desired(w), "grpc", "a")->drain_timeout_ms, cases[i].ms);
	}
}

static void
weights_are_scaled_over_those_who_serve(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct conf_backend *b = world_entry(w, "grpc", "rng", 0);
	struct desired *d;

	(void)state;
	b->policy.weight = 50;
	b->policy.maxconn = 7;
	world_entry(w, "grpc", "big", 0)->policy.weight = 200;
	world_entry(w, "zero", "*", 0)->policy.weight = 0;
	(void)world_task(w, "a", ROSTER_RUNNING, "10.0.0.1");
	world_task(w, "b", ROSTER_RUNNING, "10.0.0.2")->service = STR("big");
	world_task(w, "c", ROSTER_STOPPED, "10.0.0.3")->service = STR("big");
	d = world_desired(w);
	assert_int_equal(must_find(d, "grpc", "a")->weight, 64);
	assert_int_equal(must_find(d, "grpc", "b")->weight, 256);
	assert_int_equal(must_find(d, "grpc", "c")->weight, 0);
	assert_int_equal(must_find(d, "zero", "a")->weight, 0);
	assert_int_equal(must_find(d, "grpc", "a")->maxconn, 7);
	assert_int_equal(desired_find(d, STR("grpc"))->n_serve, 2);
}

static void
an_empty_world_desires_nothing(void **state)
{
	struct world *w CLEANUP(world_free_at) = world_new();
	struct desired *d;

	(void)state;
	d = world_desired(w);
	assert_int_equal(d->n_backends, 0);
	assert_int_equal(d->n_endpoints, 0);
	assert_null(desired_find(d, STR("grpc")));
	(void)world_entry(w, "grpc", "*", 0);
	d = world_desired(w);
	assert_int_equal(d->n_backends, 1);
	assert_int_equal(d->backends[0].n_servers, 0);
	desired_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_task_of_a_matching_service_serves),
		cmocka_unit_test(what_aws_says_of_a_task_decides_what_becomes_of_it),
		cmocka_unit_test(a_task_on_its_way_is_no_candidate_yet),
		cmocka_unit_test(a_reason_is_told_in_a_sentence),
		cmocka_unit_test(an_entry_takes_what_all_of_its_globs_match),
		cmocka_unit_test(a_cluster_configured_by_its_arn_matches_by_its_name),
		cmocka_unit_test(a_standalone_task_goes_by_its_family),
		cmocka_unit_test(a_source_lets_in_only_its_services),
		cmocka_unit_test(nobody_is_taken_from_a_source_that_is_not_configured_any_more),
		cmocka_unit_test(several_entries_all_apply_and_a_container_that_none_takes_has_one_row),
		cmocka_unit_test(two_entries_of_one_name_make_one_backend_and_a_task_is_in_it_once),
		cmocka_unit_test(a_port_is_the_entrys_or_the_containers_only_one),
		cmocka_unit_test(a_sidecar_without_the_entrys_port_is_no_server),
		cmocka_unit_test(a_port_that_nobody_publishes_is_the_only_essential_containers),
		cmocka_unit_test(a_port_that_nobody_publishes_is_nobodys_among_several_essential_ones),
		cmocka_unit_test(two_containers_of_one_task_serve_on_their_own_ports),
		cmocka_unit_test(a_task_whose_definition_is_not_read_does_not_enter_but_its_end_is_believed),
		cmocka_unit_test(ipv4_comes_before_ipv6_and_ipv6_is_written_as_haproxy_does),
		cmocka_unit_test(a_bridge_task_is_reached_by_the_port_of_its_machine),
		cmocka_unit_test(our_own_task_and_service_never_serve),
		cmocka_unit_test(a_host_task_is_reached_by_its_own_port),
		cmocka_unit_test(a_task_on_a_machine_that_is_not_reached_says_why),
		cmocka_unit_test(a_port_that_is_not_known_puts_only_its_own_places_in_doubt),
		cmocka_unit_test(no_task_serves_where_haproxy_takes_orders),
		cmocka_unit_test(a_udp_port_does_not_hold_the_tcp_port_of_its_number),
		cmocka_unit_test(a_port_of_a_machine_belongs_to_the_newest_task_that_runs),
		cmocka_unit_test(a_range_of_ports_holds_an_entrys_port_and_is_several),
		cmocka_unit_test(an_address_belongs_to_the_newest_task_that_runs),
		cmocka_unit_test(a_task_that_is_only_remembered_replaces_nobody),
		cmocka_unit_test(a_replaced_task_is_told_by_whom),
		cmocka_unit_test(a_task_that_is_missing_holds_no_address),
		cmocka_unit_test(the_end_of_a_task_proves_nothing_where_another_may_serve_by_now),
		cmocka_unit_test(one_cluster_through_two_sources_gives_a_task_once_and_proof_from_either_counts),
		cmocka_unit_test(a_name_has_only_what_haproxy_allows_and_at_most_100_bytes),
		cmocka_unit_test(an_id_that_is_none_makes_no_name),
		cmocka_unit_test(an_id_is_read_out_of_a_name),
		cmocka_unit_test(hostile_container_names_are_kept_from_messages_and_names),
		cmocka_unit_test(the_drain_timeout_is_the_entrys_or_the_definitions_or_30_s),
		cmocka_unit_test(weights_are_scaled_over_those_who_serve),
		cmocka_unit_test(an_empty_world_desires_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
