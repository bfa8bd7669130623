/* What labels make of the roster: backends, routes, shares, and reasons. */
#include "config.h"

#include "base/buf.h"
#include "plan/desired.h"
#include "plan/desired_label.h"
#include "unit.h"
#include "worlds.h"

#define LABELS_MAX 12
#define NOW        INT64_C(1000000000)

static const struct str both[] = { { "rollcall", 8 }, { "traefik", 7 } };
static const struct str any[] = { { "*", 1 } };
static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };

static struct world *
new_world(void)
{
	struct world *w = world_new();
	struct conf *conf = world_first_conf(w);

	conf->haproxy.entrypoints = (struct conf_pairs){ entrypoints, 1 };
	conf->haproxy.allow_hosts = (struct conf_list){ any, 1 };
	conf->defaults.weight = 100;
	conf->defaults.drain_timeout_ms = CONF_DRAIN_AUTO;
	world_first_source(w)->labels = (struct conf_list){ both, 2 };
	return w;
}

/* "name=value" each, until null. */
static struct taskdef *
labelled(struct world *w, const char *family, const char *ports, const char *const *labels)
{
	static struct taskdef_label pool[64][LABELS_MAX];
	static size_t used;
	struct taskdef *d = world_definition(w, family);
	struct taskdef_container *c = world_publishes(w, d, "app", ports);
	struct taskdef_label *list = pool[used++ % 64];
	size_t n = 0, at;

	for (; labels[n] != NULL; n++) {
		struct str one = str_from_cstr(labels[n]);

		assert_true(str_find(one, '=', &at));
		list[n] = (struct taskdef_label){ str_first(one, at), str_skip(one, at + 1) };
	}
	c->labels = list;
	c->n_labels = n;
	return d;
}

#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct roster_task *
task(struct world *w, const char *id, const char *service, struct taskdef *d, const char *ipv4)
{
	struct roster_task *t = world_task(w, id, ROSTER_RUNNING, ipv4);

	t->definition = d;
	t->family = d->family;
	t->service = str_from_cstr(service);
	t->started_ms = t->created_ms = NOW - 1000;
	return t;
}

static struct desired *
derive_at(struct world *w, int64_t now_ms)
{
	static struct desired *last;
	const struct desired_context in = { .conf = world_conf(w), .now_wall_ms = now_ms };

	desired_free(last);
	last = NULL;
	if (now_ms >= 0)
		assert_int_equal(desired_derive_in(&in, world_roster(w), &last, NULL), ERR_OK);
	return last;
}

static struct desired *
derive(struct world *w)
{
	return derive_at(w, NOW);
}

static void
forget(struct world *w)
{
	(void)derive_at(w, -1);
	world_free(w);
}

static void
check_routes(const struct desired *d, const char *want)
{
	struct buf out = buf_make(10000);

	for (size_t i = 0; i < d->n_routes; i++) {
		const struct desired_route *r = &d->routes[i];

		buf_printf(&out, "%s" STR_FMT STR_FMT "%s " STR_FMT, i > 0 ? ", " : "", STR_ARG(r->host),
		    STR_ARG(r->path), r->is_exact ? "?" : "", STR_ARG(r->backend));
	}
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

/* "HOST SERVICE>BACKEND PRIORITY by LOST_BY; ..." */
static void
check_rivals(const struct desired *d, const char *want)
{
	struct buf out = buf_make(10000);

	for (size_t i = 0; i < d->n_rivals; i++) {
		const struct desired_rival *r = &d->rivals[i];

		buf_printf(&out, "%s" STR_FMT " " STR_FMT "/" STR_FMT ">" STR_FMT " %u by " STR_FMT, i > 0 ? "; " : "",
		    STR_ARG(r->won->host), STR_ARG(r->cluster), STR_ARG(r->service), STR_ARG(r->backend), r->priority,
		    STR_ARG(r->lost_by));
	}
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

static void
check_endpoint(const struct desired *d, const char *id, const char *reason, const char *backend)
{
	for (size_t i = 0; i < d->n_endpoints; i++) {
		const struct desired_endpoint *ep = &d->endpoints[i];

		if (!str_eq(ep->task->id, str_from_cstr(id)))
			continue;
		assert_string_equal(reason_name(ep->reason), reason);
		assert_str(ep->backend, backend);
		assert_int_equal(ep->exposed, reason[0] == '\0');
		assert_true(ep->exposed || ep->message.len > 0);
		return;
	}
	fail_msg("task %s has no row", id);
}

static void
check_message(const struct desired *d, const char *id, const char *want)
{
	char said[500] = "";

	for (size_t i = 0; i < d->n_endpoints; i++)
		if (str_eq(d->endpoints[i].task->id, str_from_cstr(id)))
			(void)snprintf(said, sizeof(said), STR_FMT, STR_ARG(d->endpoints[i].message));
	if (strstr(said, want) == NULL)
		fail_msg("%s is told: %s", id, said);
}

static const struct desired_server *
server_of(const struct desired *d, const char *backend, const char *id)
{
	const struct desired_backend *b = desired_find(d, str_from_cstr(backend));

	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (str_eq(b->servers[i].task->id, str_from_cstr(id)))
			return &b->servers[i];
	return NULL;
}

static void
a_rule_makes_a_backend_and_a_route(void **state)
{
	struct world *w = new_world();
	const struct desired_server *s;
	struct desired *d;

	(void)state;
	(void)task(w, "t1", "rng",
	    labelled(w, "rng", "50051",
		LABELS("rollcall.balance=leastconn", "rollcall.proto=h1", "rollcall.rule=Host(`a`)")),
	    "10.0.0.1");
	d = derive(w);
	check_routes(d, "a/ main-rng-app");
	check_endpoint(d, "t1", "", "main-rng-app");
	s = server_of(d, "main-rng-app", "t1");
	assert_non_null(s);
	assert_int_equal(s->want, DESIRED_SERVE);
	assert_int_equal(s->policy->proto, CONF_PROTO_H1);
	assert_true(d->backends[0].is_label_made && d->backends[0].conf->managed);
	assert_int_equal(d->backends[0].conf->policy.balance, CONF_BALANCE_LEASTCONN);
	forget(w);
}

static void
traefiks_defaults_hold_where_only_its_labels_speak(void **state)
{
	struct world *w = new_world();
	const struct desired_server *s;
	struct desired *d;

	(void)state;
	(void)task(w, "t1", "Web_Shop", labelled(w, "web", "9000 8080", LABELS("traefik.enable=true")), "10.0.0.1");
	d = derive(w);
	check_routes(d, "service-web-shop-app/ main-Web_Shop-app");
	s = server_of(d, "main-Web_Shop-app", "t1");
	assert_non_null(s);
	assert_int_equal(s->port, 8080);
	assert_int_equal(s->policy->proto, CONF_PROTO_H1);
	forget(w);
}

static void
a_default_rule_is_for_whoever_has_none(void **state)
{
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	world_first_conf(w)->haproxy.default_rule = STR("Host(`{service}-{container}.{cluster}.example.com`)");
	(void)task(w, "t1", "rng", labelled(w, "rng", "1", LABELS("rollcall.enable=true")), "10.0.0.1");
	(void)task(w, "t2", "own", labelled(w, "own", "1", LABELS("rollcall.rule=Host(`own`)")), "10.0.0.2");
	(void)task(w, "t3", "off", labelled(w, "off", "1", LABELS("unrelated=x")), "10.0.0.3");
	d = derive(w);
	check_routes(d, "own/ main-own-app, rng-app.main.example.com/ main-rng-app");
	check_endpoint(d, "t3", "not_selected", "");
	world_first_source(w)->expose_by_default = true;
	d = derive(w);
	check_endpoint(d, "t3", "", "main-off-app");
	forget(w);
}

static void
reasons(void **state)
{
	static const struct str hosts[] = { { "*.ok", 4 } };
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	world_first_conf(w)->haproxy.allow_hosts = (struct conf_list){ hosts, 1 };
	(void)world_entry(w, "declared", "somebody", 0);
	(void)task(w, "disabled", "a",
	    labelled(w, "a", "1", LABELS("rollcall.enable=false", "rollcall.rule=Host(`a.ok`)")), "10.0.0.1");
	(void)task(w, "route", "b", labelled(w, "b", "1", LABELS("rollcall.enable=true")), "10.0.0.2");
	(void)task(w, "label", "c", labelled(w, "c", "1", LABELS("rollcall.port=x", "rollcall.rule=Host(`c.ok`)")),
	    "10.0.0.3");
	(void)task(w, "rule", "d", labelled(w, "d", "1", LABELS("rollcall.rule=Host(")), "10.0.0.4");
	(void)task(w, "unhonoured", "e", labelled(w, "e", "1", LABELS("rollcall.rule=Method(`GET`)")), "10.0.0.5");
	(void)task(w, "host", "f", labelled(w, "f", "1", LABELS("rollcall.rule=Host(`f.evil`)")), "10.0.0.6");
	(void)task(w, "anyhost", "g", labelled(w, "g", "1", LABELS("rollcall.rule=PathPrefix(`/`)")), "10.0.0.7");
	(void)task(w, "join", "h", labelled(w, "h", "1", LABELS("rollcall.backend=declared")), "10.0.0.8");
	(void)task(w, "ports", "i", labelled(w, "i", "1 2", LABELS("rollcall.rule=Host(`i.ok`)")), "10.0.0.9");
	d = derive(w);
	check_endpoint(d, "disabled", "disabled", "");
	check_endpoint(d, "route", "no_route", "main-b-app");
	check_endpoint(d, "label", "bad_label", "");
	check_endpoint(d, "rule", "bad_label", "main-d-app");
	check_endpoint(d, "unhonoured", "unhonoured", "main-e-app");
	check_endpoint(d, "host", "host_not_allowed", "main-f-app");
	check_endpoint(d, "anyhost", "host_not_allowed", "main-g-app");
	check_endpoint(d, "join", "name_conflict", "declared");
	check_endpoint(d, "ports", "several_ports", "main-i-app");
	assert_null(server_of(d, "declared", "join"));
	check_routes(d, "i.ok/ main-i-app");
	forget(w);
}

static void
labels_join_what_the_operator_allows(void **state)
{
	static const struct str allowed[] = { { "declared", 8 }, { "elsewhere", 9 } };
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	world_first_conf(w)->haproxy.allow_backends = (struct conf_list){ allowed, 2 };
	(void)world_entry(w, "declared", "somebody", 0);
	(void)task(w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.backend=declared", "rollcall.rule=Host(`a`)")),
	    "10.0.0.1");
	(void)task(w, "t2", "b", labelled(w, "b", "1", LABELS("rollcall.backend=elsewhere")), "10.0.0.2");
	d = derive(w);
	assert_non_null(server_of(d, "declared", "t1"));
	assert_non_null(server_of(d, "elsewhere", "t2"));
	assert_false(desired_find(d, STR("elsewhere"))->conf->managed);
	check_routes(d, "a/ declared");
	forget(w);
}

static void
what_is_foreign_in_haproxy_is_not_to_be_had(void **state)
{
	static const struct str foreign[] = { { "stats", 5 } };
	struct world *w = new_world();
	struct desired_context in = { .conf = world_conf(w), .now_wall_ms = NOW, .foreign = foreign, .n_foreign = 1 };
	struct desired *d = NULL;

	(void)state;
	(void)task(w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.backend=stats", "rollcall.rule=Host(`a`)")),
	    "10.0.0.1");
	assert_int_equal(desired_derive_in(&in, world_roster(w), &d, NULL), ERR_OK);
	check_endpoint(d, "t1", "name_conflict", "stats");
	check_routes(d, "");
	assert_null(desired_find(d, STR("stats")));
	desired_free(d);
	forget(w);
}

static void
what_is_held_and_nobody_asks_for_is_there_and_takes_nobody(void **state)
{
	static const struct desired_held held[] = { { { "asked", 5 }, false }, { { "declared", 8 }, false },
		{ { "left", 4 }, false }, { { "made", 4 }, true }, { { "never-ran", 9 }, true } };
	struct world *w = new_world();
	struct desired_context in = { .now_wall_ms = NOW, .held = held, .n_held = 5 };
	const struct desired_backend *b;
	struct desired *d = NULL;
	struct roster_task *pending;

	(void)state;
	(void)world_entry(w, "declared", "somebody", 0);
	(void)task(w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.backend=asked", "rollcall.rule=Host(`a`)")),
	    "10.0.0.1");
	pending = task(w, "t2", "b",
	    labelled(w, "b", "1", LABELS("rollcall.backend=never-ran", "rollcall.rule=Host(`b`)")), "10.0.0.2");
	pending->last_status = ROSTER_PENDING;
	pending->started_ms = 0;
	in.conf = world_conf(w);
	assert_int_equal(desired_derive_in(&in, world_roster(w), &d, NULL), ERR_OK);
	assert_int_equal(d->n_backends, 5);
	assert_false(desired_is_forsaken(d, desired_find(d, STR("asked"))));
	assert_true(desired_find(d, STR("asked"))->is_label_made);
	assert_false(desired_is_forsaken(d, desired_find(d, STR("declared"))));
	b = desired_find(d, STR("left"));
	assert_true(desired_is_forsaken(d, b) && !b->conf->managed && !b->is_label_made);
	b = desired_find(d, STR("made"));
	assert_true(desired_is_forsaken(d, b) && b->conf->managed);
	b = desired_find(d, STR("never-ran"));
	assert_true(desired_is_forsaken(d, b));
	assert_int_equal(b->n_servers, 0);
	check_endpoint(d, "t2", "not_running", "never-ran");
	desired_free(d);
	forget(w);
}

static void
the_managed_defaults_section_has_its_name(void **state)
{
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	world_first_conf(w)->haproxy.managed_defaults = STR("base");
	(void)task(w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.backend=base", "rollcall.rule=Host(`a`)")),
	    "10.0.0.1");
	d = derive(w);
	check_endpoint(d, "t1", "name_conflict", "base");
	assert_null(desired_find(d, STR("base")));
	forget(w);
}

static void
a_backend_is_shared_by_name_within_its_cluster_only(void **state)
{
	struct world *w = new_world();
	struct taskdef *d1, *d2;
	struct desired *d;

	(void)state;
	d1 = labelled(w, "a", "1", LABELS("rollcall.backend=shop", "rollcall.rule=Host(`shop`)"));
	d2 = labelled(w, "b", "1", LABELS("rollcall.backend=shop"));
	(void)task(w, "t1", "a", d1, "10.0.0.1");
	(void)task(w, "t2", "b", d2, "10.0.0.2");
	(void)world_cluster(w, "eu", "other");
	(void)task(w, "t3", "a", d1, "10.0.0.3");
	d = derive(w);
	assert_non_null(server_of(d, "shop", "t1"));
	assert_non_null(server_of(d, "shop", "t2"));
	assert_null(server_of(d, "shop", "t3"));
	check_endpoint(d, "t3", "name_conflict", "shop");
	forget(w);
}

static void
no_label_takes_the_backend_of_another(void **state)
{
	struct world *w = new_world();
	struct taskdef *plain, *canary, *thief, *elsewhere;
	struct desired *d;

	(void)state;
	plain = labelled(w, "web", "1", LABELS("rollcall.rule=Host(`web`)"));
	canary = labelled(w, "canary", "1", LABELS("rollcall.backend=main-web-app"));
	elsewhere = labelled(w, "web", "1", LABELS("rollcall.rule=Host(`elsewhere`)"));
	thief = labelled(w, "athief", "1", LABELS("rollcall.backend=other-web-app"));
	(void)task(w, "web", "web", plain, "10.0.0.1");
	(void)task(w, "canary", "canary", canary, "10.0.0.2"); /* sorts before it */
	(void)task(w, "thief", "athief", thief, "10.0.0.3");
	(void)world_cluster(w, "eu", "other");
	(void)task(w, "web2", "web", elsewhere, "10.0.0.4");
	d = derive(w);
	check_endpoint(d, "web", "", "main-web-app");
	check_endpoint(d, "canary", "", "main-web-app");
	assert_non_null(server_of(d, "main-web-app", "web"));
	assert_non_null(server_of(d, "main-web-app", "canary"));
	check_endpoint(d, "web2", "", "other-web-app");
	check_endpoint(d, "thief", "name_conflict", "other-web-app");
	assert_null(server_of(d, "other-web-app", "thief"));
	forget(w);
}

static void
a_call_is_executed_twice_only_where_every_service_of_the_backend_says_so(void **state)
{
	static const struct {
		const char *owner, *canary; /* rollcall.retry; null: it has not joined */
		bool want;
	} rows[] = {
		{ "rollcall.retry=idempotent", NULL, true },
		{ "rollcall.retry=safe", NULL, false },
		{ "rollcall.retry=safe", "rollcall.retry=idempotent", false },
		{ "rollcall.retry=idempotent", "rollcall.retry=safe", false },
		{ "rollcall.retry=idempotent", "rollcall.retry=idempotent", true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world *w = new_world();

		(void)task(w, "t1", "web", labelled(w, "web", "1", LABELS("rollcall.rule=Host(`x`)", rows[i].owner)),
		    "10.0.0.1");
		if (rows[i].canary != NULL) {
			struct taskdef *canary =
			    labelled(w, "canary", "1", LABELS("rollcall.backend=main-web-app", rows[i].canary));

			task(w, "t2", "canary", canary, "10.0.0.2")->created_ms += 1000;
		}
		CHECK_ROW(
		    desired_find(derive(w), STR("main-web-app"))->conf->retries_idempotent == rows[i].want, i, "retry");
		forget(w);
	}
}

static void
who_never_ran_takes_no_name(void **state)
{
	struct world *w = new_world();
	struct taskdef *definition;
	struct roster_task *t;
	struct desired *d;

	(void)state;
	definition = labelled(w, "a", "1", LABELS("rollcall.backend=shop", "rollcall.rule=Host(`shop`)"));
	t = task(w, "never", "a", definition, "10.0.0.1");
	t->last_status = ROSTER_PENDING;
	t->started_ms = 0;
	(void)world_cluster(w, "eu", "other");
	(void)task(w, "runs", "a", definition, "10.0.0.2");
	d = derive(w);
	check_endpoint(d, "runs", "", "shop");
	assert_non_null(server_of(d, "shop", "runs"));
	assert_null(server_of(d, "shop", "never"));
	check_routes(d, "shop/ shop");
	forget(w);
}

static void
two_services_that_claim_one_route(void **state)
{
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	(void)task(w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.rule=Host(`x`)")), "10.0.0.1");
	(void)task(w, "t2", "b",
	    labelled(w, "b", "1", LABELS("rollcall.priority=5", "rollcall.rule=Host(`x`) || Host(`y`)")), "10.0.0.2");
	(void)task(w, "t3", "c", labelled(w, "c", "1", LABELS("rollcall.rule=Host(`x`)")), "10.0.0.3");
	d = derive(w);
	check_routes(d, "x/ main-b-app, y/ main-b-app");
	check_endpoint(d, "t1", "route_conflict", "main-a-app");
	check_endpoint(d, "t2", "", "main-b-app");
	check_endpoint(d, "t3", "route_conflict", "main-c-app");
	check_message(d, "t3", "of `b`, by a higher priority");
	check_rivals(d, "x main/a>main-a-app 0 by a higher priority; x main/c>main-c-app 0 by a higher priority");
	forget(w);
}

/* ---- the older service ---- */

static void
claim(struct world *w, const char *id, const char *service, const char *at)
{
	(void)task(w, id, service, labelled(w, service, "1", LABELS("rollcall.rule=Host(`x`)")), at);
}

/* "CLUSTER/SERVICE" of each, in order. */
static void
check_contest(const struct desired *d, const char *want)
{
	struct buf out = buf_make(10000);

	for (size_t i = 0; i < d->contest.n; i++)
		buf_printf(&out, "%s" STR_FMT "/" STR_FMT, i > 0 ? " " : "", STR_ARG(d->contest.services[i].cluster),
		    STR_ARG(d->contest.services[i].service));
	assert_str(buf_str(&out), want);
	buf_free(&out);
}

static void
set_ages(struct roster_cluster *c, const struct roster_service *services, size_t n)
{
	c->services = services;
	c->n_services = n;
}

static struct str
leads_to(void *arg, const struct desired_route *place)
{
	return str_eq(place->host, STR("x")) ? str_from_cstr(arg) : STR("");
}

/* While the map leads from x there. */
static struct desired *
derive_led(struct world *w, const char *backend)
{
	static struct desired *last;
	const struct desired_context in = { .conf = world_conf(w),
		.now_wall_ms = NOW,
		.leads_to = leads_to,
		.leads_to_arg = (void *)(uintptr_t)backend };

	desired_free(last);
	last = NULL;
	if (backend != NULL)
		assert_int_equal(desired_derive_in(&in, world_roster(w), &last, NULL), ERR_OK);
	return last;
}

static void
the_older_service_has_the_route(void **state)
{
	const struct roster_service ages[] = { { STR("a"), 300 }, { STR("b"), 100 }, { STR("c"), 200 } };
	const struct roster_service alike[] = { { STR("a"), 100 }, { STR("b"), 100 }, { STR("c"), 100 } };
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	claim(w, "t1", "a", "10.0.0.1");
	claim(w, "t2", "b", "10.0.0.2");
	claim(w, "t3", "c", "10.0.0.3");
	set_ages(world_first_cluster(w), ages, 3);
	d = derive(w);
	check_routes(d, "x/ main-b-app");
	check_contest(d, "main/a main/b main/c");
	check_endpoint(d, "t1", "route_conflict", "main-a-app");
	check_message(d, "t1", "of `b`, by its age: the older service has it");
	check_endpoint(d, "t2", "", "main-b-app");
	check_endpoint(d, "t3", "route_conflict", "main-c-app");
	check_rivals(d,
	    "x main/a>main-a-app 0 by its age: the older service has it; x main/c>main-c-app 0 by its age: the older "
	    "service has it");
	set_ages(world_first_cluster(w), alike, 3);
	d = derive(w);
	check_routes(d, "x/ main-a-app");
	check_message(d, "t2", "of `a`, by the order of names");
	forget(w);
}

/* Of one whose age is not known nobody can say that it is younger than the others. */
static void
until_the_age_of_all_is_known_whoever_has_the_route_keeps_it(void **state)
{
	const struct roster_service part[] = { { STR("b"), 100 } };
	const struct roster_service untold[] = { { STR("a"), 0 }, { STR("b"), 100 } };
	const struct roster_service all_untold[] = { { STR("a"), 0 }, { STR("b"), 0 } };
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	claim(w, "t1", "a", "10.0.0.1");
	claim(w, "t2", "b", "10.0.0.2");
	d = derive(w);
	check_routes(d, "x/ main-a-app");
	check_contest(d, "main/a main/b");
	check_message(d, "t2", "by the order of names, until AWS tells");
	d = derive_led(w, "main-b-app");
	check_routes(d, "x/ main-b-app");
	check_contest(d, "main/a main/b");
	check_message(d, "t1", "by having been there before, until AWS tells");
	set_ages(world_first_cluster(w), part, 1);
	check_routes(derive_led(w, "main-b-app"), "x/ main-b-app");
	check_routes(derive_led(w, "somebody-elses"), "x/ main-a-app");
	check_routes(derive(w), "x/ main-a-app");
	/* What will not be told is not waited for, and of no age. */
	set_ages(world_first_cluster(w), untold, 2);
	d = derive_led(w, "main-a-app");
	check_routes(d, "x/ main-b-app");
	check_message(d, "t1", "by its age: AWS does not tell that of this one (ecs:DescribeServices)");
	set_ages(world_first_cluster(w), all_untold, 2);
	d = derive_led(w, "main-b-app");
	check_routes(d, "x/ main-a-app");
	check_message(
	    d, "t2", "by the order of names: AWS does not tell which service is older (ecs:DescribeServices)");
	(void)derive_led(w, NULL);
	forget(w);
}

static void
services_of_several_clusters_are_as_old_as_they_are(void **state)
{
	const struct roster_service here[] = { { STR("a"), 200 } }, there[] = { { STR("a"), 100 } };
	struct world *w = new_world();

	(void)state;
	claim(w, "t1", "a", "10.0.0.1");
	set_ages(world_first_cluster(w), here, 1);
	set_ages(world_cluster(w, "eu", "other"), there, 1);
	claim(w, "t2", "a", "10.0.0.2");
	check_routes(derive(w), "x/ other-a-app");
	check_contest(derive(w), "main/a other/a");
	forget(w);
}

/* A task without a service has no age that lasts. */
static void
tasks_without_a_service_come_after_services(void **state)
{
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	claim(w, "t1", "", "10.0.0.1");
	claim(w, "t2", "z", "10.0.0.2");
	d = derive(w);
	check_routes(d, "x/ main-z-app");
	check_contest(d, "");
	check_message(d, "t1", "by being a service's: tasks without a service come after");
	forget(w);
}

/* Nobody is asked about whose age decides nothing. */
static void
who_does_not_contest_a_route_is_not_asked_about(void **state)
{
	struct world *w = new_world();
	struct conf_backend *entry = world_entry(w, "mine", "nobody", 0);

	(void)state;
	entry->managed = true;
	entry->rule = STR("Host(`entry`)");
	/* One backend, another priority, an entry, another place, a task that never ran. */
	(void)task(
	    w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.backend=s", "rollcall.rule=Host(`x`)")), "10.0.0.1");
	(void)task(
	    w, "t2", "b", labelled(w, "b", "1", LABELS("rollcall.backend=s", "rollcall.rule=Host(`x`)")), "10.0.0.2");
	(void)task(w, "t3", "c", labelled(w, "c", "1", LABELS("rollcall.rule=Host(`y`)")), "10.0.0.3");
	(void)task(
	    w, "t4", "d", labelled(w, "d", "1", LABELS("rollcall.priority=1", "rollcall.rule=Host(`y`)")), "10.0.0.4");
	(void)task(w, "t5", "e", labelled(w, "e", "1", LABELS("rollcall.rule=Host(`entry`)")), "10.0.0.5");
	(void)task(
	    w, "t6", "f", labelled(w, "f", "1", LABELS("rollcall.rule=Host(`entry`) && PathPrefix(`/p`)")), "10.0.0.6");
	task(w, "t7", "g", labelled(w, "g", "1", LABELS("rollcall.rule=Host(`y`)")), "10.0.0.7")->started_ms = 0;
	check_contest(derive(w), "");
	assert_true(derive(w)->routes[0].is_entrys); /* entry/ */
	assert_false(derive(w)->routes[1].is_entrys);
	forget(w);
}

static void
more_contests_than_are_asked_about(void **state)
{
	enum { SERVICES = 1001 };
	static char names[SERVICES][8], at[SERVICES][16];
	struct world *w = new_world();
	struct taskdef *definition = labelled(w, "a", "1", LABELS("rollcall.rule=Host(`x`)"));
	struct desired *d;

	(void)state;
	for (int i = 0; i < SERVICES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%04d", i);
		(void)snprintf(at[i], sizeof(at[i]), "10.0.%d.%d", i / 250, i % 250);
		(void)task(w, names[i], names[i], definition, at[i]);
	}
	d = derive_led(w, "main-s0007-app");
	assert_int_equal(d->contest.n, ROSTER_SERVICES_MAX);
	check_routes(d, "x/ main-s0007-app");
	check_message(d, "s1000", "by having been there before");
	(void)derive_led(w, NULL);
	forget(w);
}

/* Whoever is cut off is told, and its routes are not taken for over. */
static void
more_routes_than_are_kept(void **state)
{
	enum { SERVICES = 42, NAMES = 10 };
	static struct conf_pair many[NAMES];
	static char names[NAMES][8], ids[SERVICES][8], at[SERVICES][16],
	    rule[2000] = "rollcall.rule=", list[200] = "rollcall.entrypoints=";
	struct world *w = new_world();
	struct taskdef *definition;
	struct desired *d;
	size_t n_told = 0;

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "e%d", i);
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i > 0 ? "," : "", names[i]);
		many[i] = (struct conf_pair){ str_from_cstr(names[i]), STR("m.map") };
	}
	for (int i = 0; i < 50; i++)
		(void)snprintf(
		    rule + strlen(rule), sizeof(rule) - strlen(rule), "%sHost(`h%d`)", i > 0 ? " || " : "", i);
	world_first_conf(w)->haproxy.entrypoints = (struct conf_pairs){ many, NAMES };
	definition = labelled(w, "a", "1", LABELS(rule, list));
	for (int i = 0; i < SERVICES; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "t%d", i);
		(void)snprintf(at[i], sizeof(at[i]), "10.0.1.%d", i);
		(void)task(w, ids[i], ids[i], definition, at[i]);
		d = i + 2 >= SERVICES ? derive(w) : NULL;
		if (d != NULL)
			assert_int_equal(d->routes_are_cut, i + 1 == SERVICES);
	}
	for (size_t i = 0; i < d->n_endpoints; i++)
		n_told += str_has_prefix(d->endpoints[i].message, STR("labels ask for more than 20000 routes")) ? 1 : 0;
	assert_int_equal(n_told, 1);
	forget(w);
}

static void
a_rolling_deploy_keeps_the_routes_of_both_revisions(void **state)
{
	struct world *w = new_world();
	struct roster_task *old, *new;
	struct desired *d;

	(void)state;
	old = task(w, "t1", "a",
	    labelled(w, "a", "1", LABELS("rollcall.backend=one", "rollcall.rule=Host(`x`) || Host(`y`)")), "10.0.0.1");
	new = task(w, "t2", "a",
	    labelled(w, "a", "1", LABELS("rollcall.backend=two", "rollcall.rule=Host(`x`) || Host(`z`)")), "10.0.0.2");
	(void)task(
	    w, "t3", "a", labelled(w, "a", "1", LABELS("rollcall.backend=one", "rollcall.rule=Host(`x`)")), "10.0.0.3");
	new->created_ms = old->created_ms + 1;
	d = derive(w);
	check_routes(d, "x/ two, y/ one, z/ two");
	check_rivals(d, "x main/a>one 0 by the labels of a newer task"); /* the service is told once */
	assert_non_null(server_of(d, "one", "t2")); /* so that the end of t1 leaves no call without a server */
	assert_null(server_of(d, "two", "t1"));
	new->last_status = ROSTER_PENDING; /* it does not run yet: it decides nothing */
	new->started_ms = 0;
	d = derive(w);
	check_routes(d, "x/ one, y/ one");
	check_rivals(d, "");
	forget(w);
}

static void
a_route_goes_a_while_after_the_proven_end_of_the_last_task(void **state)
{
	struct world *w = new_world();
	struct roster_task *t;
	struct desired *d;

	(void)state;
	t = task(w, "t1", "a", labelled(w, "a", "1", LABELS("rollcall.rule=Host(`x`)")), "10.0.0.1");
	t->last_status = ROSTER_STOPPED;
	t->desired_status = ROSTER_STOPPED;
	t->ended_wall_ms = NOW - 59000;
	d = derive(w);
	check_routes(d, "x/ main-a-app");
	assert_int_equal(d->next_wall_ms, NOW + 1000);
	assert_non_null(desired_find(d, STR("main-a-app")));
	d = derive_at(w, NOW + 1000);
	check_routes(d, "");
	assert_null(desired_find(d, STR("main-a-app")));
	assert_int_equal(d->next_wall_ms, INT64_MAX);
	t->last_status = ROSTER_RUNNING; /* missing is no proof */
	t->desired_status = ROSTER_RUNNING;
	t->missing = 2;
	d = derive_at(w, NOW + 1000);
	check_routes(d, "x/ main-a-app");
	forget(w);
}

static void
an_entry_beats_labels_which_beat_defaults(void **state)
{
	struct world *w = new_world();
	const struct desired_server *s;
	struct conf_backend *entry;
	struct desired *d;

	(void)state;
	entry = world_entry(w, "grpc", "rng", 0);
	entry->policy.maxconn = 7;
	entry->policy.set = entry->own = UINT32_C(1) << CONF_POLICY_MAXCONN;
	(void)task(w, "t1", "rng",
	    labelled(w, "rng", "1 2",
		LABELS("rollcall.enable=false", "rollcall.maxconn=9", "rollcall.port=2", "rollcall.proto=h1")),
	    "10.0.0.1");
	d = derive(w);
	s = server_of(d, "grpc", "t1");
	assert_non_null(s);
	assert_int_equal(s->port, 2);
	assert_int_equal(s->policy->maxconn, 7);
	assert_int_equal(s->policy->proto, CONF_PROTO_H1);
	assert_int_equal(d->n_backends, 1);
	forget(w);
}

static void
constraints_keep_containers_out(void **state)
{
	struct world *w = new_world();
	struct desired *d;

	(void)state;
	world_first_source(w)->constraints = STR("Label(`stage`,`prod`)");
	(void)world_entry(w, "grpc", "a", 0);
	(void)task(w, "t1", "a", labelled(w, "a", "1", LABELS("stage=test")), "10.0.0.1");
	(void)task(w, "t2", "b", labelled(w, "b", "1", LABELS("rollcall.rule=Host(`b`)", "stage=prod")), "10.0.0.2");
	d = derive(w);
	check_endpoint(d, "t1", "constraint", "");
	check_endpoint(d, "t2", "", "main-b-app");
	forget(w);
}

static void
an_entrys_rule_beats_labels(void **state)
{
	struct world *w = new_world();
	struct conf_backend *entry = world_entry(w, "mine", "a", 0);
	struct desired *d;

	(void)state;
	entry->managed = true;
	entry->rule = STR("Host(`x`) && Path(`/p.S/M`)");
	(void)task(w, "t2", "b",
	    labelled(w, "b", "1", LABELS("rollcall.priority=9", "rollcall.rule=Host(`x`) && Path(`/p.S/M`)")),
	    "10.0.0.2");
	d = derive(w);
	check_routes(d, "x/p.S/M? mine");
	check_endpoint(d, "t2", "route_conflict", "main-b-app");
	forget(w);
}

/* ---- shares ---- */

static unsigned
weight_of(const struct desired *d, const char *backend, const char *id)
{
	const struct desired_server *s = server_of(d, backend, id);

	assert_non_null(s);
	return s->weight;
}

static void
a_share_is_of_the_backend_whatever_the_task_count(void **state)
{
	struct world *w = new_world();
	struct taskdef *big, *small;
	struct desired *d;

	(void)state;
	big = labelled(w, "big", "1", LABELS("rollcall.backend=shop", "rollcall.rule=Host(`shop`)"));
	small = labelled(w, "small", "1", LABELS("rollcall.backend=shop", "rollcall.share=10%"));
	(void)task(w, "b1", "big", big, "10.0.0.1");
	(void)task(w, "b2", "big", big, "10.0.0.2");
	(void)task(w, "b3", "big", big, "10.0.0.3");
	(void)task(w, "s1", "small", small, "10.0.0.4");
	d = derive(w);
	assert_int_equal(weight_of(d, "shop", "b1"), 256);
	assert_int_equal(weight_of(d, "shop", "s1"), 85); /* 85 of 853 */
	assert_int_equal(desired_find(d, STR("shop"))->n_shares, 1);
	assert_int_equal(desired_find(d, STR("shop"))->shares[0].percent, 10);
	assert_int_equal(desired_find(d, STR("shop"))->shares[0].reached_milli, 9964);
	forget(w);
}

static void
a_share_that_no_weight_takes_is_the_rests(void **state)
{
	struct world *w = new_world();
	struct taskdef *rest, *half, *off;
	struct desired *d;

	(void)state;
	rest = labelled(w, "rest", "1", LABELS("rollcall.backend=shop", "rollcall.rule=Host(`shop`)"));
	half = labelled(w, "half", "1", LABELS("rollcall.backend=shop", "rollcall.share=50%"));
	off = labelled(w, "off", "1", LABELS("rollcall.backend=shop", "rollcall.share=40%", "rollcall.weight=0"));
	(void)task(w, "r1", "rest", rest, "10.0.0.1");
	(void)task(w, "h1", "half", half, "10.0.0.2");
	(void)task(w, "o1", "off", off, "10.0.0.3");
	d = derive(w);
	assert_int_equal(weight_of(d, "shop", "r1"), 256);
	assert_int_equal(weight_of(d, "shop", "h1"), 256);
	assert_int_equal(weight_of(d, "shop", "o1"), 0);
	forget(w);
}

static void
shares_of_more_than_all_are_in_proportion(void **state)
{
	struct world *w = new_world();
	struct taskdef *rest, *large, *small;
	struct desired *d;

	(void)state;
	rest = labelled(w, "rest", "1", LABELS("rollcall.backend=shop", "rollcall.rule=Host(`shop`)"));
	large = labelled(w, "large", "1", LABELS("rollcall.backend=shop", "rollcall.share=100%"));
	small = labelled(w, "small", "1", LABELS("rollcall.backend=shop", "rollcall.share=50%"));
	(void)task(w, "r1", "rest", rest, "10.0.0.1");
	(void)task(w, "l1", "large", large, "10.0.0.2");
	(void)task(w, "s1", "small", small, "10.0.0.3");
	d = derive(w);
	assert_int_equal(weight_of(d, "shop", "l1"), 256);
	assert_int_equal(weight_of(d, "shop", "s1"), 128);
	assert_int_equal(weight_of(d, "shop", "r1"), 1); /* nothing is left, but it may be called */
	forget(w);
}

static void
a_share_of_the_latest_revision_is_a_canary(void **state)
{
	struct world *w = new_world();
	struct conf_backend *entry = world_entry(w, "grpc", "a", 0);
	struct taskdef *definition = labelled(w, "a", "1", LABELS("x=y"));
	struct desired *d;

	(void)state;
	entry->policy.weight = 100;
	entry->policy.share_percent = 20;
	entry->policy.share_latest = true;
	entry->policy.set = UINT32_C(1) << CONF_POLICY_SHARE;
	task(w, "old1", "a", definition, "10.0.0.1")->revision = 1;
	task(w, "old2", "a", definition, "10.0.0.2")->revision = 2;
	task(w, "new1", "a", definition, "10.0.0.3")->revision = 3;
	task(w, "new2", "a", definition, "10.0.0.4")->revision = 3;
	d = derive(w);
	assert_int_equal(weight_of(d, "grpc", "old1"), 256);
	assert_int_equal(weight_of(d, "grpc", "old2"), 256);
	assert_int_equal(weight_of(d, "grpc", "new1"), 64);
	assert_int_equal(weight_of(d, "grpc", "new2"), 64);
	assert_int_equal(d->backends[0].shares[0].revision, 3);
	assert_int_equal(d->backends[0].shares[0].reached_milli, 20000);
	entry->policy.share_percent = 100; /* while the new ones join, the old ones still take calls */
	d = derive(w);
	assert_int_equal(weight_of(d, "grpc", "old1"), 1);
	assert_int_equal(weight_of(d, "grpc", "new1"), 256);
	forget(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_makes_a_backend_and_a_route),
		cmocka_unit_test(traefiks_defaults_hold_where_only_its_labels_speak),
		cmocka_unit_test(a_default_rule_is_for_whoever_has_none),
		cmocka_unit_test(reasons),
		cmocka_unit_test(labels_join_what_the_operator_allows),
		cmocka_unit_test(what_is_foreign_in_haproxy_is_not_to_be_had),
		cmocka_unit_test(what_is_held_and_nobody_asks_for_is_there_and_takes_nobody),
		cmocka_unit_test(the_managed_defaults_section_has_its_name),
		cmocka_unit_test(a_backend_is_shared_by_name_within_its_cluster_only),
		cmocka_unit_test(no_label_takes_the_backend_of_another),
		cmocka_unit_test(a_call_is_executed_twice_only_where_every_service_of_the_backend_says_so),
		cmocka_unit_test(who_never_ran_takes_no_name),
		cmocka_unit_test(two_services_that_claim_one_route),
		cmocka_unit_test(the_older_service_has_the_route),
		cmocka_unit_test(until_the_age_of_all_is_known_whoever_has_the_route_keeps_it),
		cmocka_unit_test(services_of_several_clusters_are_as_old_as_they_are),
		cmocka_unit_test(tasks_without_a_service_come_after_services),
		cmocka_unit_test(who_does_not_contest_a_route_is_not_asked_about),
		cmocka_unit_test(more_contests_than_are_asked_about),
		cmocka_unit_test(more_routes_than_are_kept),
		cmocka_unit_test(a_rolling_deploy_keeps_the_routes_of_both_revisions),
		cmocka_unit_test(a_route_goes_a_while_after_the_proven_end_of_the_last_task),
		cmocka_unit_test(an_entry_beats_labels_which_beat_defaults),
		cmocka_unit_test(constraints_keep_containers_out),
		cmocka_unit_test(an_entrys_rule_beats_labels),
		cmocka_unit_test(a_share_is_of_the_backend_whatever_the_task_count),
		cmocka_unit_test(a_share_that_no_weight_takes_is_the_rests),
		cmocka_unit_test(shares_of_more_than_all_are_in_proportion),
		cmocka_unit_test(a_share_of_the_latest_revision_is_a_canary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
