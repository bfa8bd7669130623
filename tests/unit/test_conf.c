/* The configuration from its text: defaults, every key, and every fault with its place. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/conf.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* What most texts have in front: one line, so that the rest begins on line 2. */
#define ECS "ecs: {region: eu-west-1}\n"

struct parsed {
	struct arena *arena;
	const struct conf *conf;
	struct conf_notes faults;
	enum err_code code;
	struct err e;
};

static const char *
get_var(void *arg, const char *name)
{
	const char *const **place = arg, *const *vars = place != NULL ? *place : NULL;

	for (; vars != NULL && vars[0] != NULL; vars += 2)
		if (strcmp(vars[0], name) == 0)
			return vars[1];
	return NULL;
}

static struct parsed
parse_bytes(struct str text, const char *const *vars)
{
	struct env env = { .get = get_var, .arg = &vars };
	struct parsed p = { .arena = arena_new(CONF_ARENA_MAX), .e = ERR_INIT };

	assert_non_null(p.arena);
	p.code = conf_parse(p.arena, text, &env, &p.conf, &p.faults, &p.e);
	assert_int_equal(p.code == ERR_OK, p.conf != NULL);
	assert_int_equal(p.code == ERR_CONF, p.faults.n > 0);
	return p;
}

static struct parsed
parse_with(const char *text, const char *const *vars)
{
	return parse_bytes(str_from_cstr(text), vars);
}

static struct parsed
parse(const char *text)
{
	return parse_with(text, NULL);
}

static struct parsed
parse_ok(const char *text)
{
	struct parsed p = parse(text);

	if (p.code != ERR_OK)
		fail_msg("refused: %s\n%s", p.e.msg, text);
	return p;
}

static void
end(struct parsed *p)
{
	arena_wipe(p->arena);
}

/* "LINE:COLUMN: text", a line each. */
static void
render(const struct conf_notes *notes, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < notes->n && len < size; i++) {
		const struct conf_note *note = &notes->notes[i];
		int n = snprintf(ret + len, size - len, "%s%u:%u: " STR_FMT, i > 0 ? "\n" : "", note->where.line,
		    note->where.column, STR_ARG(note->text));

		assert_true(n > 0);
		len += (size_t)n;
	}
}

struct fault_case {
	const char *text;
	const char *faults; /* all of them */
};

static void
assert_faults(const struct fault_case *cases, size_t n)
{
	char got[4096];

	for (size_t i = 0; i < n; i++) {
		struct parsed p = parse(cases[i].text);

		render(&p.faults, got, sizeof(got));
		if (strcmp(got, cases[i].faults) != 0)
			fail_msg("text:\n%s\nwanted:\n%s\ngot:\n%s", cases[i].text, cases[i].faults, got);
		end(&p);
	}
}

static void
assert_warnings(const struct fault_case *cases, size_t n)
{
	char got[4096];

	for (size_t i = 0; i < n; i++) {
		struct parsed p = parse_ok(cases[i].text);

		render(&p.conf->warnings, got, sizeof(got));
		if (strcmp(got, cases[i].faults) != 0)
			fail_msg("text:\n%s\nwanted:\n%s\ngot:\n%s", cases[i].text, cases[i].faults, got);
		end(&p);
	}
}

static void
assert_str(struct str got, const char *wanted)
{
	if (!str_eq(got, str_from_cstr(wanted)))
		fail_msg("wanted `%s`, got `" STR_FMT "`", wanted, STR_ARG(got));
}

static void
assert_list(struct conf_list got, size_t n, const char *const *wanted)
{
	assert_int_equal(got.n, n);
	for (size_t i = 0; i < n; i++)
		assert_str(got.items[i], wanted[i]);
}

/* ---- values ---- */

static const char minimal[] = "ecs:\n"
			      "  region: eu-west-1\n"
			      "  clusters: [main]\n"
			      "haproxy:\n"
			      "  socket: /run/haproxy/admin.sock\n"
			      "backends:\n"
			      "  - name: grpc                       # a backend of your haproxy.cfg\n"
			      "    match: {service: rng-service}\n";

static void
the_minimal_configuration_is_taken_without_a_word(void **state)
{
	struct parsed p = parse_ok(minimal);
	const struct conf *c = p.conf;

	(void)state;
	assert_int_equal(c->warnings.n, 0);
	assert_int_equal(c->n_sources, 1);
	assert_str(c->sources[0].region, "eu-west-1");
	assert_list(c->sources[0].clusters, 1, (const char *const[]){ "main" });
	assert_int_equal(c->n_backends, 1);
	assert_str(c->backends[0].name, "grpc");
	assert_int_equal(c->backends[0].where.line, 7);
	assert_int_equal(c->backends[0].where.column, 5);
	assert_str(c->backends[0].match.source, "*");
	assert_str(c->backends[0].match.cluster, "*");
	assert_str(c->backends[0].match.service, "rng-service");
	assert_str(c->backends[0].match.container, "*");
	end(&p);
}

static void
a_source_has_its_defaults(void **state)
{
	struct parsed p = parse_ok(ECS);
	const struct conf_source *s = &p.conf->sources[0];

	(void)state;
	assert_int_equal(s->where.line, 1);
	assert_int_equal(s->where.column, 6);
	assert_str(s->name, "eu-west-1");
	assert_int_equal(s->clusters.n, 0);
	assert_list(s->services, 1, (const char *const[]){ "*" });
	assert_false(s->expose_by_default);
	assert_str(s->constraints, "");
	assert_list(s->labels, 2, (const char *const[]){ "rollcall", "traefik" });
	assert_false(s->require_healthy);
	assert_int_equal(s->watch_ms, 2000);
	assert_int_equal(s->refresh_ms, 15000);
	assert_int_equal(s->rate_limit_milli, 2000);
	assert_str(s->endpoint, "");
	assert_str(s->access_key_id, "");
	assert_str(s->secret_access_key, "");
	assert_str(s->session_token, "");
	assert_str(s->profile, "");
	assert_str(s->role_arn, "");
	assert_str(s->external_id, "");
	assert_str(s->events_queue, "");
	assert_str(s->events_topic, "");
	end(&p);
}

static void
haproxy_and_the_doors_have_their_defaults(void **state)
{
	struct parsed p = parse_ok(ECS);
	const struct conf *c = p.conf;

	(void)state;
	assert_str(c->haproxy.socket, "/run/haproxy/admin.sock");
	assert_str(c->haproxy.master_socket, "");
	assert_true(c->haproxy.apply);
	assert_int_equal(c->haproxy.managed_mode, CONF_MANAGED_AUTO);
	assert_str(c->haproxy.managed_dir, "/var/lib/rollcall/haproxy");
	assert_str(c->haproxy.managed_defaults, "rollcall");
	assert_str(c->haproxy.default_rule, "");
	assert_int_equal(c->haproxy.entrypoints.n, 1);
	assert_str(c->haproxy.entrypoints.items[0].name, "default");
	assert_str(c->haproxy.entrypoints.items[0].value, "routes.map");
	assert_list(c->haproxy.allow_hosts, 1, (const char *const[]){ "*" });
	assert_int_equal(c->haproxy.allow_backends.n, 0);
	assert_int_equal(c->haproxy.allow_unhonoured.n, 0);
	assert_int_equal(c->n_backends, 0);
	assert_false(c->has_spoe);
	assert_false(c->has_tracing);
	assert_str(c->control.address, "/run/rollcall/control.sock");
	assert_int_equal(c->control.mode, 0660);
	assert_str(c->control.group, "");
	assert_str(c->control_readonly, "");
	assert_str(c->state_dir, "/var/lib/rollcall");
	assert_int_equal(c->log_level, LOG_INFO);
	assert_int_equal(c->log_format, CONF_LOG_AUTO);
	assert_int_equal(c->warnings.n, 0);
	end(&p);
}

static void
a_policy_has_its_defaults(void **state)
{
	struct parsed p = parse_ok(ECS);
	const struct conf_policy *d = &p.conf->defaults;

	(void)state;
	assert_int_equal(d->set, 0);
	assert_int_equal(d->proto, CONF_PROTO_H2);
	assert_false(d->tls);
	assert_int_equal(d->tls_verify, CONF_TLS_VERIFY_REQUIRED);
	assert_str(d->tls_ca_file, "");
	assert_str(d->tls_sni, "");
	assert_int_equal(d->weight, 100);
	assert_false(conf_policy_has(d, CONF_POLICY_SHARE));
	assert_false(d->share_latest);
	assert_int_equal(d->maxconn, 0);
	assert_int_equal(d->slowstart_ms, 0);
	assert_int_equal(d->balance, CONF_BALANCE_ROUNDROBIN);
	assert_int_equal(d->check.type, CONF_CHECK_INHERIT);
	assert_str(d->check.service, "");
	assert_str(d->check.path, "");
	assert_int_equal(d->check.inter_ms, 2000);
	assert_int_equal(d->check.timeout_ms, 1000);
	assert_int_equal(d->check.rise, 2);
	assert_int_equal(d->check.fall, 3);
	assert_int_equal(d->observe, CONF_OBSERVE_OFF);
	assert_int_equal(d->observe_error_limit, 10);
	assert_int_equal(d->observe_on_error, CONF_ON_ERROR_FASTINTER);
	assert_int_equal(d->drain_timeout_ms, CONF_DRAIN_AUTO);
	assert_int_equal(d->removal_limit_percent, 50);
	assert_int_equal(d->outlier.mode, CONF_OUTLIER_ENFORCE);
	assert_str(d->outlier.agent, "127.0.0.1:4320");
	assert_int_equal(d->outlier.consecutive_errors, 5);
	assert_int_equal(d->outlier.failure_threshold_percent, 50);
	assert_int_equal(d->outlier.failure_volume, 20);
	assert_int_equal(d->outlier.failure_min_hosts, 2);
	assert_int_equal(d->outlier.interval_ms, 10000);
	assert_int_equal(d->outlier.base_ejection_ms, 30000);
	assert_int_equal(d->outlier.max_ejection_ms, 300000);
	assert_int_equal(d->outlier.max_ejection_percent, 33);
	assert_int_equal(d->outlier.panic_threshold_percent, 50);
	end(&p);
}

static void
a_source_takes_every_key(void **state)
{
	struct parsed p = parse_ok("ecs:\n"
				   "  name: west\n"
				   "  region: eu-west-1\n"
				   "  clusters: [main, \"arn:aws:ecs:eu-west-1:123456789012:cluster/side\", '*']\n"
				   "  services: [\"api-*\", \"family:batch\"]\n"
				   "  expose_by_default: on\n"
				   "  constraints: \"Label(`a`,`b`) && !Label(`c`,`d`)\"\n"
				   "  labels: [traefik]\n"
				   "  require_healthy: yes\n"
				   "  watch: 500ms\n"
				   "  refresh: 1m\n"
				   "  rate_limit: 0.5\n"
				   "  endpoint: http://127.0.0.1:4566/aws\n"
				   "  access_key_id: AKIDEXAMPLE\n"
				   "  secret_access_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"
				   "  session_token: IQoJb3JpZ2luX2VjE==\n"
				   "  role_arn: arn:aws:iam::123456789012:role/rollcall\n"
				   "  external_id: me/you\n"
				   "  events: {topic: \"arn:aws:sns:eu-west-1:123456789012:tasks\"}\n");
	const struct conf_source *s = &p.conf->sources[0];

	(void)state;
	assert_str(s->name, "west");
	assert_list(
	    s->clusters, 3, (const char *const[]){ "main", "arn:aws:ecs:eu-west-1:123456789012:cluster/side", "*" });
	assert_list(s->services, 2, (const char *const[]){ "api-*", "family:batch" });
	assert_true(s->expose_by_default);
	assert_str(s->constraints, "Label(`a`,`b`) && !Label(`c`,`d`)");
	assert_list(s->labels, 1, (const char *const[]){ "traefik" });
	assert_true(s->require_healthy);
	assert_int_equal(s->watch_ms, 500);
	assert_int_equal(s->refresh_ms, 60000);
	assert_int_equal(s->rate_limit_milli, 500);
	assert_str(s->endpoint, "http://127.0.0.1:4566/aws");
	assert_str(s->access_key_id, "AKIDEXAMPLE");
	assert_str(s->secret_access_key, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
	assert_str(s->session_token, "IQoJb3JpZ2luX2VjE==");
	assert_str(s->role_arn, "arn:aws:iam::123456789012:role/rollcall");
	assert_str(s->external_id, "me/you");
	assert_str(s->events_topic, "arn:aws:sns:eu-west-1:123456789012:tasks");
	end(&p);
}

static void
sources_may_be_several(void **state)
{
	struct parsed p = parse_ok("ecs:\n"
				   "  - region: eu-west-1\n"
				   "  - {region: eu-west-1, name: other, profile: other account}\n"
				   "  - region: us-gov-west-1\n"
				   "    events: {queue: \"https://sqs.us-gov-west-1.amazonaws.com/1/q\"}\n");

	(void)state;
	assert_int_equal(p.conf->n_sources, 3);
	assert_str(p.conf->sources[0].name, "eu-west-1");
	assert_str(p.conf->sources[1].name, "other");
	assert_str(p.conf->sources[1].profile, "other account");
	assert_str(p.conf->sources[2].name, "us-gov-west-1");
	assert_str(p.conf->sources[2].events_queue, "https://sqs.us-gov-west-1.amazonaws.com/1/q");
	end(&p);
}

static void
a_region_left_out_comes_from_the_environment(void **state)
{
	static const char *const both[] = { "AWS_DEFAULT_REGION", "eu-north-1", "AWS_REGION", "eu-west-2", NULL };
	static const char *const second[] = { "AWS_REGION", "", "AWS_DEFAULT_REGION", "eu-north-1", NULL };
	static const char *const bad[] = { "AWS_REGION", "No Such Region", NULL };
	struct parsed p;

	(void)state;
	p = parse_with("backends: []\n", both);
	assert_int_equal(p.code, ERR_OK);
	assert_str(p.conf->sources[0].region, "eu-west-2");
	assert_str(p.conf->sources[0].name, "eu-west-2");
	end(&p);
	p = parse_with("ecs: {clusters: [main]}\n", second);
	assert_int_equal(p.code, ERR_OK);
	assert_str(p.conf->sources[0].region, "eu-north-1");
	end(&p);
	p = parse_with("ecs:\n  region: \"\"\n", both);
	assert_int_equal(p.code, ERR_OK);
	assert_str(p.conf->sources[0].region, "eu-west-2");
	end(&p);
	p = parse_with("ecs:\n", bad);
	assert_string_equal(p.e.msg, "line 1, column 1: `AWS_REGION` does not hold a region such as eu-west-1");
	end(&p);
}

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

/* What the profile says, or the machine. */
static const char *
get_region(void *arg, struct str profile)
{
	return str_eq(profile, STR("far")) ? "ap-south-1" : arg;
}

static void
a_region_that_no_variable_names_is_the_profile_s_or_the_machine_s(void **state)
{
	char here[] = "eu-west-3", bad[] = "No Such Region";
	struct env env = { .get = no_variable, .region = get_region, .arg = here };
	struct arena *a = arena_new(CONF_ARENA_MAX);
	const struct conf *conf;
	struct conf_notes faults;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    conf_parse(a, STR("ecs: [{profile: far}, {clusters: [main]}]\n"), &env, &conf, &faults, &e), ERR_OK);
	assert_str(conf->sources[0].region, "ap-south-1");
	assert_str(conf->sources[1].region, "eu-west-3");
	assert_str(conf->sources[1].name, "eu-west-3");
	env.arg = bad;
	assert_int_equal(conf_parse(a, STR("ecs:\n"), &env, &conf, &faults, &e), ERR_CONF);
	assert_non_null(strstr(e.msg, "`region of the profile` does not hold a region such as eu-west-1"));
	env.arg = NULL;
	assert_int_equal(conf_parse(a, STR("ecs:\n"), &env, &conf, &faults, &e), ERR_CONF);
	assert_non_null(strstr(e.msg, "no region: give `region`"));
	arena_wipe(a);
}

static const char *
no_region_is_asked_for(void *arg, struct str profile)
{
	(void)arg;
	(void)profile;
	fail_msg("a region was looked for");
	return NULL;
}

/* Also where entries name sources by the regions that they would have. */
static void
who_needs_no_region_may_be_without(void **state)
{
	const struct env env = { .get = no_variable, .region = no_region_is_asked_for, .needs_no_region = true };
	struct arena *a = arena_new(CONF_ARENA_MAX);
	const struct conf *conf;
	struct conf_notes faults;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(conf_parse(a, STR("{}\n"), &env, &conf, &faults, &e), ERR_OK);
	assert_int_equal(conf->n_sources, 1);
	assert_str(conf->sources[0].region, "");
	assert_int_equal(conf_parse(a,
			     STR("ecs: [{profile: a}, {profile: b}, {region: eu-west-1}]\n"
				 "backends: [{name: grpc, match: {source: eu-west-3}}]\n"),
			     &env, &conf, &faults, &e),
	    ERR_OK);
	assert_str(conf->sources[2].name, "eu-west-1");
	assert_int_equal(conf_parse(a, STR("ecs: {region: No Such Region}\n"), &env, &conf, &faults, &e), ERR_CONF);
	arena_wipe(a);
}

static void
haproxy_takes_every_key(void **state)
{
	struct parsed p = parse_ok(ECS "haproxy:\n"
				       "  socket: 10.0.0.7:9999\n"
				       "  master_socket: /run/haproxy/master.sock\n"
				       "  apply: no\n"
				       "  managed:\n"
				       "    mode: reload\n"
				       "    dir: /srv/haproxy\n"
				       "    defaults: grpc-defaults\n"
				       "    default_rule: \"Host(`{service}.example.com`)\"\n"
				       "    entrypoints: {web: web.map, admin: /etc/haproxy/admin.map}\n"
				       "    allow_hosts: [\"*.example.com\"]\n"
				       "    allow_backends: [shared]\n"
				       "    allow_unhonoured: [traefik.http.middlewares.x.compress]\n");
	const struct conf_haproxy *h = &p.conf->haproxy;

	(void)state;
	assert_str(h->socket, "10.0.0.7:9999");
	assert_str(h->master_socket, "/run/haproxy/master.sock");
	assert_false(h->apply);
	assert_int_equal(h->managed_mode, CONF_MANAGED_RELOAD);
	assert_str(h->managed_dir, "/srv/haproxy");
	assert_str(h->managed_defaults, "grpc-defaults");
	assert_str(h->default_rule, "Host(`{service}.example.com`)");
	assert_int_equal(h->entrypoints.n, 2);
	assert_str(h->entrypoints.items[1].name, "admin");
	assert_str(h->entrypoints.items[1].value, "/etc/haproxy/admin.map");
	assert_list(h->allow_hosts, 1, (const char *const[]){ "*.example.com" });
	assert_list(h->allow_backends, 1, (const char *const[]){ "shared" });
	assert_list(h->allow_unhonoured, 1, (const char *const[]){ "traefik.http.middlewares.x.compress" });
	end(&p);
}

static void
defaults_take_every_key(void **state)
{
	struct parsed p =
	    parse_ok(ECS "defaults:\n"
			 "  proto: h1\n"
			 "  tls: on\n"
			 "  tls_verify: none\n"
			 "  tls_ca_file: /etc/ssl/ca.pem\n"
			 "  tls_sni: api.internal\n"
			 "  weight: 0\n"
			 "  share: {percent: 10, revision: latest}\n"
			 "  maxconn: 32\n"
			 "  slowstart: 10s\n"
			 "  balance: leastconn\n"
			 "  check: {type: grpc, service: acme.v1.Rng, inter: 500ms, timeout: 400ms, rise: 1, fall: 2}\n"
			 "  observe: {mode: layer4, error_limit: 3, on_error: mark-down}\n"
			 "  drain_timeout: 90s\n"
			 "  removal_limit: 25%\n"
			 "  outlier:\n"
			 "    mode: observe\n"
			 "    agent: \"[::1]:99\"\n"
			 "    consecutive_errors: 7\n"
			 "    failure_percentage: {threshold: 60%, volume: 30, min_hosts: 4}\n"
			 "    interval: 5s\n"
			 "    base_ejection_time: 10s\n"
			 "    max_ejection_time: 20s\n"
			 "    max_ejection_percent: 10\n"
			 "    panic_threshold: 60\n");
	const struct conf_policy *d = &p.conf->defaults;

	(void)state;
	assert_int_equal(d->set, (1U << CONF_N_POLICY_KEYS) - 1);
	assert_int_equal(d->proto, CONF_PROTO_H1);
	assert_true(d->tls);
	assert_int_equal(d->tls_verify, CONF_TLS_VERIFY_NONE);
	assert_str(d->tls_ca_file, "/etc/ssl/ca.pem");
	assert_str(d->tls_sni, "api.internal");
	assert_int_equal(d->weight, 0);
	assert_int_equal(d->share_percent, 10);
	assert_true(d->share_latest);
	assert_int_equal(d->maxconn, 32);
	assert_int_equal(d->slowstart_ms, 10000);
	assert_int_equal(d->balance, CONF_BALANCE_LEASTCONN);
	assert_int_equal(d->check.type, CONF_CHECK_GRPC);
	assert_str(d->check.service, "acme.v1.Rng");
	assert_int_equal(d->check.inter_ms, 500);
	assert_int_equal(d->check.timeout_ms, 400);
	assert_int_equal(d->check.rise, 1);
	assert_int_equal(d->check.fall, 2);
	assert_int_equal(d->observe, CONF_OBSERVE_LAYER4);
	assert_int_equal(d->observe_error_limit, 3);
	assert_int_equal(d->observe_on_error, CONF_ON_ERROR_MARK_DOWN);
	assert_int_equal(d->drain_timeout_ms, 90000);
	assert_int_equal(d->removal_limit_percent, 25);
	assert_int_equal(d->outlier.mode, CONF_OUTLIER_OBSERVE);
	assert_str(d->outlier.agent, "[::1]:99");
	assert_int_equal(d->outlier.consecutive_errors, 7);
	assert_int_equal(d->outlier.failure_threshold_percent, 60);
	assert_int_equal(d->outlier.failure_volume, 30);
	assert_int_equal(d->outlier.failure_min_hosts, 4);
	assert_int_equal(d->outlier.interval_ms, 5000);
	assert_int_equal(d->outlier.base_ejection_ms, 10000);
	assert_int_equal(d->outlier.max_ejection_ms, 20000);
	assert_int_equal(d->outlier.max_ejection_percent, 10);
	assert_int_equal(d->outlier.panic_threshold_percent, 60);
	end(&p);
}

static void
the_other_sections_take_every_key(void **state)
{
	struct parsed p = parse_ok(ECS "spoe: {listen: abns@rollcall-spoe, mode: 0600, group: haproxy}\n"
				       "tracing:\n"
				       "  log_listen: \"[::1]:514\"\n"
				       "  endpoint: https://otlp.example.com/v1/traces\n"
				       "  sample: 0.125\n"
				       "  headers: {Authorization: Bearer abc, x-team: \"\"}\n"
				       "control: {socket: /tmp/c.sock, mode: \"0666\", group: ops, listen: abns@page}\n"
				       "state_dir: /srv/state\n"
				       "log: {level: debug, format: json}\n");
	const struct conf *c = p.conf;

	(void)state;
	assert_true(c->has_spoe);
	assert_str(c->spoe.address, "abns@rollcall-spoe");
	assert_int_equal(c->spoe.mode, 0600);
	assert_str(c->spoe.group, "haproxy");
	assert_true(c->has_tracing);
	assert_str(c->tracing_log_listen, "[::1]:514");
	assert_str(c->tracing_endpoint, "https://otlp.example.com/v1/traces");
	assert_int_equal(c->tracing_sample_ppm, 125000);
	assert_int_equal(c->tracing_headers.n, 2);
	assert_str(c->tracing_headers.items[0].name, "Authorization");
	assert_str(c->tracing_headers.items[0].value, "Bearer abc");
	assert_str(c->control.address, "/tmp/c.sock");
	assert_int_equal(c->control.mode, 0666);
	assert_str(c->control.group, "ops");
	assert_str(c->control_readonly, "abns@page");
	assert_str(c->state_dir, "/srv/state");
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_int_equal(c->log_format, CONF_LOG_JSON);
	end(&p);
}

static void
spoe_and_tracing_are_on_once_their_keys_stand_there(void **state)
{
	struct parsed p = parse_ok(ECS "spoe:\ntracing: {}\n");

	(void)state;
	assert_true(p.conf->has_spoe);
	assert_str(p.conf->spoe.address, "/run/rollcall/spoe.sock");
	assert_int_equal(p.conf->spoe.mode, 0660);
	assert_true(p.conf->has_tracing);
	assert_str(p.conf->tracing_log_listen, "127.0.0.1:4319");
	assert_str(p.conf->tracing_endpoint, "");
	assert_int_equal(p.conf->tracing_sample_ppm, 1000000);
	assert_int_equal(p.conf->tracing_headers.n, 0);
	end(&p);
}

static void
a_backend_takes_every_key_of_its_own(void **state)
{
	struct parsed p = parse_ok(ECS "haproxy: {managed: {entrypoints: {default: a.map, web: b.map}}}\n"
				       "backends:\n"
				       "  - name: Api_v1.grpc:a-b\n"
				       "    match: {source: eu-*, cluster: main, service: \"api?\", container: app}\n"
				       "    managed: true\n"
				       "    port: 50051\n"
				       "    rule: \"Host(`a.example.com`)\"\n"
				       "    entrypoints: [web]\n"
				       "    priority: 7\n"
				       "  - {name: x, match: {service: x}}\n");
	const struct conf_backend *b = &p.conf->backends[0];

	(void)state;
	assert_str(b->name, "Api_v1.grpc:a-b");
	assert_str(b->match.source, "eu-*");
	assert_str(b->match.cluster, "main");
	assert_str(b->match.service, "api?");
	assert_str(b->match.container, "app");
	assert_true(b->managed);
	assert_int_equal(b->port, 50051);
	assert_str(b->rule, "Host(`a.example.com`)");
	assert_list(b->entrypoints, 1, (const char *const[]){ "web" });
	assert_int_equal(b->priority, 7);
	b = &p.conf->backends[1];
	assert_false(b->managed);
	assert_int_equal(b->port, 0);
	assert_str(b->rule, "");
	assert_int_equal(b->entrypoints.n, 0);
	assert_int_equal(b->priority, 0);
	assert_ptr_equal(conf_backend_by_name(p.conf, STR("x")), b);
	assert_null(conf_backend_by_name(p.conf, STR("y")));
	end(&p);
}

static void
an_entry_lies_over_the_defaults_wherever_they_stand(void **state)
{
	struct parsed p = parse_ok(ECS "backends:\n"
				       "  - name: a\n"
				       "    match: {service: a}\n"
				       "    weight: 7\n"
				       "    check: {fall: 9}\n"
				       "    maxconn: ~\n"
				       "    drain_timeout: auto\n"
				       "    share: ~\n"
				       "  - {name: b, match: {service: b}}\n"
				       "defaults: {weight: 3, maxconn: 5, share: 20, check: {inter: 5s}, proto: h1,\n"
				       "  drain_timeout: 9s}\n");
	const struct conf_backend *a = &p.conf->backends[0], *b = &p.conf->backends[1];

	(void)state;
	assert_int_equal(a->policy.weight, 7);
	assert_int_equal(a->policy.check.fall, 9);
	assert_int_equal(a->policy.check.inter_ms, 5000);
	assert_int_equal(a->policy.maxconn, 0);
	assert_false(conf_policy_has(&a->policy, CONF_POLICY_MAXCONN));
	assert_false(conf_policy_has(&a->policy, CONF_POLICY_SHARE));
	assert_true(conf_policy_has(&a->policy, CONF_POLICY_PROTO));
	assert_int_equal(a->policy.proto, CONF_PROTO_H1);
	assert_int_equal(
	    a->own, (1U << CONF_POLICY_WEIGHT) | (1U << CONF_POLICY_CHECK) | (1U << CONF_POLICY_DRAIN_TIMEOUT));
	assert_int_equal(a->policy.drain_timeout_ms, CONF_DRAIN_AUTO);
	assert_int_equal(b->policy.drain_timeout_ms, 9000);
	assert_int_equal(b->policy.weight, 3);
	assert_int_equal(b->policy.maxconn, 5);
	assert_true(conf_policy_has(&b->policy, CONF_POLICY_SHARE));
	assert_int_equal(b->policy.share_percent, 20);
	assert_int_equal(b->own, 0);
	end(&p);
}

static void
a_share_of_an_entry_forgets_the_revision_of_the_defaults(void **state)
{
	struct parsed p = parse_ok(ECS "defaults: {share: {percent: 10, revision: latest}}\n"
				       "backends: [{name: a, match: {service: a}, share: 20%}]\n");

	(void)state;
	assert_int_equal(p.conf->backends[0].policy.share_percent, 20);
	assert_false(p.conf->backends[0].policy.share_latest);
	end(&p);
}

static void
an_overlay_takes_the_keys_that_are_set_and_no_others(void **state)
{
	struct parsed under = parse_ok(ECS "defaults: {weight: 3, proto: h1}\n");
	struct parsed over =
	    parse_ok(ECS "defaults: {tls: on, tls_verify: none, tls_ca_file: /a, tls_sni: b, weight: 9,\n"
			 "  share: {percent: 4, revision: latest}, maxconn: 8, slowstart: 1s, balance: random,\n"
			 "  check: {type: off}, observe: {mode: layer7, error_limit: 7, on_error: mark-down},\n"
			 "  drain_timeout: 3s, removal_limit: 9, outlier: {mode: off}}\n");
	struct conf_policy p = under.conf->defaults;

	(void)state;
	conf_policy_overlay(&p, &over.conf->defaults);
	assert_int_equal(p.proto, CONF_PROTO_H1); /* not set in over */
	assert_true(p.tls);
	assert_int_equal(p.tls_verify, CONF_TLS_VERIFY_NONE);
	assert_str(p.tls_ca_file, "/a");
	assert_str(p.tls_sni, "b");
	assert_int_equal(p.weight, 9);
	assert_int_equal(p.share_percent, 4);
	assert_true(p.share_latest);
	assert_int_equal(p.maxconn, 8);
	assert_int_equal(p.slowstart_ms, 1000);
	assert_int_equal(p.balance, CONF_BALANCE_RANDOM);
	assert_int_equal(p.check.type, CONF_CHECK_OFF);
	assert_int_equal(p.observe, CONF_OBSERVE_LAYER7);
	assert_int_equal(p.observe_error_limit, 7);
	assert_int_equal(p.observe_on_error, CONF_ON_ERROR_MARK_DOWN);
	assert_int_equal(p.drain_timeout_ms, 3000);
	assert_int_equal(p.removal_limit_percent, 9);
	assert_int_equal(p.outlier.mode, CONF_OUTLIER_OFF);
	assert_int_equal(p.set, (1U << CONF_N_POLICY_KEYS) - 1);
	end(&under);
	end(&over);
}

static void
each_policy_key_has_the_name_it_is_written_with(void **state)
{
	(void)state;
	assert_string_equal(conf_policy_key_name(CONF_POLICY_PROTO), "proto");
	assert_string_equal(conf_policy_key_name(CONF_POLICY_OUTLIER), "outlier");
}

static void
observe_may_be_switched_off_again(void **state)
{
	struct parsed p = parse_ok(ECS "defaults: {observe: {error_limit: 5}}\n"
				       "backends: [{name: a, match: {service: a}, observe: off}]\n");

	(void)state;
	assert_int_equal(p.conf->defaults.observe, CONF_OBSERVE_LAYER7);
	assert_int_equal(p.conf->backends[0].policy.observe, CONF_OBSERVE_OFF);
	end(&p);
}

static void
the_hash_tells_texts_apart(void **state)
{
	struct parsed a = parse_ok(ECS), b = parse_ok(ECS), c = parse_ok(ECS "\n");

	(void)state;
	assert_int_equal(a.conf->hash.len, 16);
	assert_true(str_eq(a.conf->hash, b.conf->hash));
	assert_false(str_eq(a.conf->hash, c.conf->hash));
	end(&a);
	end(&b);
	end(&c);
}

static void
variables_fill_values_and_never_become_yaml(void **state)
{
	static const char *const vars[] = { "REGION", "eu-west-1", "LIST", "[a, b]", "ON", "on", "EMPTY", "", "NULL",
		"~", NULL };
	struct parsed p = parse_with("ecs: {region: \"${REGION}\", name: '${REGION}-$$', constraints: \"${LIST}\",\n"
				     "  require_healthy: \"${ON}\", endpoint: \"${EMPTY}\"}\n",
	    vars);

	(void)state;
	assert_string_equal(p.e.msg,
	    "line 1, column 34: `name`: `${REGION}-$$` is not a name of at most 64 characters of A-Z a-z 0-9 _ . -");
	end(&p);
	p = parse_with("ecs: {region: \"${REGION}\", name: '${REGION}-1', constraints: \"${LIST} $ $$\",\n"
		       "  require_healthy: \"${ON}\", endpoint: \"${EMPTY}\", profile: \"${NULL}\"}\n",
	    vars);
	assert_int_equal(p.code, ERR_OK);
	assert_str(p.conf->sources[0].region, "eu-west-1");
	assert_str(p.conf->sources[0].name, "eu-west-1-1");
	assert_str(p.conf->sources[0].constraints, "[a, b] $ $");
	assert_true(p.conf->sources[0].require_healthy);
	assert_str(p.conf->sources[0].endpoint, "");
	assert_str(p.conf->sources[0].profile, "~");
	end(&p);
}

static void
a_block_scalar_ends_without_its_line_break(void **state)
{
	struct parsed p = parse_ok("ecs:\n"
				   "  region: eu-west-1\n"
				   "  constraints: >\n"
				   "    Label(`a`,`b`)\n"
				   "    || Label(`c`,`d`)\n");

	(void)state;
	assert_str(p.conf->sources[0].constraints, "Label(`a`,`b`) || Label(`c`,`d`)");
	end(&p);
}

/* ---- faults: the text itself ---- */

static void
an_unknown_key_is_named_with_a_suggestion(void **state)
{
	static const struct fault_case cases[] = {
		{ "ecs:\n  region: eu-west-1\n  cluster: [main]\n",
		    "3:3: unknown key `cluster`, did you mean `clusters`?" },
		{ ECS "backend: []\n", "2:1: unknown key `backend`, did you mean `backends`?" },
		{ ECS "Log: {}\n", "2:1: unknown key `Log`, did you mean `log`?" },
		{ ECS "haproxy: {managed: {allowed_hosts: []}}\n",
		    "2:21: unknown key `allowed_hosts`, did you mean `allow_hosts`?" },
		{ ECS "backends:\n  - name: a\n    match: {services: a}\n",
		    "4:13: unknown key `services`, did you mean `service`?" },
		{ ECS "backends:\n  - name: a\n    match: {service: a}\n    drain-timeout: 3s\n",
		    "5:5: unknown key `drain-timeout`, did you mean `drain_timeout`?" },
		{ ECS "defaults: {outlier: {failure_percentage: {thresholds: 1}}}\n",
		    "2:43: unknown key `thresholds`, did you mean `threshold`?" },
		{ ECS "log: {colour: true}\n", "2:7: unknown key `colour`; known here: level, format" },
		{ ECS "1: 2\n",
		    "2:1: unknown key `1`; known here: ecs, haproxy, defaults, backends, spoe, tracing, control, "
		    "state_dir, log" },
		{ ECS "log: {<<: {}}\n", "2:7: unknown key `...`; known here: level, format" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
what_is_no_yaml_is_said_in_plain_words(void **state)
{
	static const struct fault_case cases[] = {
		{ "ecs:\n\tregion: eu-west-1\n", "2:1: a tab indents here; YAML takes only blanks for that" },
		{ "ecs:\n  region: eu-west-1\n\tclusters: [a]\n",
		    "3:1: a tab indents here; YAML takes only blanks for that" },
		{ "ecs:\n  region:eu-west-1\n  clusters: [main]\n",
		    "3:11: a `:` is not expected here: the indentation is wrong, the value needs quotes, or a blank is "
		    "missing after the `:` above" },
		{ "ecs:\n  region: a: b\n",
		    "2:12: a `:` is not expected here: the indentation is wrong, the value needs quotes, or a blank is "
		    "missing after the `:` above" },
		{ "ecs:\n  region: a\n  cluster\n  watch: 1s\n",
		    "3:3: a `:` is missing after the key, or the blank after the `:`" },
		{ "ecs: {region: ${REGION}, watch: 1s}\n",
		    "1:16: between { } or [ ] a text with `${...}` needs quotes" },
		{ "ecs:\n  clusters: [a, ${B}]\n", "2:18: between { } or [ ] a text with `${...}` needs quotes" },
		{ "ecs:\n    region: a\n  clusters: []\n", "3:3: the indentation does not fit the lines above" },
		{ "ecs: {region: a\n", "1:6: the `{` here is not closed, or a comma is missing in it" },
		{ "ecs: [a\n", "1:6: the `[` here is not closed, or a comma is missing in it" },
		{ "ecs: [[", "1:8: a value is missing here" },
		{ "ecs: [,]\n", "1:7: a value is missing here" },
		{ "%FOO\nlog: {}\n", "1:5: not YAML: found unknown directive name" },
		{ "ecs: \"a\n", "1:6: the quote that begins here is not closed" },
		{ "state_dir: @x\n", "1:12: a text that begins with `@` needs quotes" },
		{ "state_dir: `x`\n", "1:12: a text that begins with ``` needs quotes" },
		{ "state_dir: %x\n", "1:12: a text that begins with `%` needs quotes" },
		{ "state_dir: \"\\q\"\n", "1:13: no such escape in a double-quoted text; `\\\\` stands for `\\`" },

		{ ECS "log: !x y\n", "2:6: tags (`!`) are not taken here: a text that begins with `!` needs quotes" },
		{ "log: !a!b y\n", "1:6: tags (`!`) are not taken here: a text that begins with `!` needs quotes" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
yaml_that_a_configuration_has_no_use_for_is_refused(void **state)
{
	static const char anchors[] = "anchors (`&`) and aliases (`*`) are not taken here: write the value out; a text "
				      "that begins with `&` or `*` needs quotes";
	char aliases[512];
	const struct fault_case cases[] = {
		{ ECS "defaults: &d {weight: 1}\nbackends: [*d]\n", aliases },
		{ ECS "log: {level: info, level: warn}\n", "2:20: `level` stands twice in one map, first on line 2" },
		{ ECS "log: {}\n" ECS, "3:1: `ecs` stands twice in one map, first on line 1" },
		{ ECS "---\n" ECS, "2:1: a second document begins here; a configuration is one" },
		{ ECS "...\n---\n", "3:1: a second document begins here; a configuration is one" },
		{ ECS "{a: b}: c\n", "2:1: a key is one word, not a list or a map" },
		{ ECS "? [a, b]\n: c\n", "2:3: a key is one word, not a list or a map" },
		{ "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
		    "1:19: lists and maps stand in one another more than 16 deep" },
		{ "state_dir: \"/a\\nb\"\n",
		    "1:1: no region: give `region` in `ecs`, or set AWS_REGION in the environment\n"
		    "1:12: a value is one line of UTF-8 text, without control characters" },
		{ ECS "state_dir: \"/a\\0b\"\n",
		    "2:12: a value is one line of UTF-8 text, without control characters" },
		{ ECS "state_dir: |\n  /a\n  b\n",
		    "2:12: a value is one line of UTF-8 text, without control characters" },
	};

	(void)state;
	(void)snprintf(aliases, sizeof(aliases), "2:11: %s\n3:12: %s", anchors, anchors);
	assert_faults(cases, N(cases));
}

static void
bytes_that_no_text_holds_are_refused_with_their_place(void **state)
{
	static const struct {
		struct str text;
		const char *faults;
	} cases[] = {
		{ { "a: b\n c\0d", 9 }, "2:3: a NUL byte in the text" },
		{ { "a: \xff", 4 }, "1:4: the text is not UTF-8" },
		{ { "\xc3\xa4: \xc3", 5 }, "1:4: the text is not UTF-8" },
		{ { "a\x01", 2 }, "1:2: a control character in the text" },
		{ { "a\xc2\x9b", 3 }, "1:2: a control character in the text" },
		{ { "a\xef\xbb\xbf", 4 }, "1:2: a byte order mark in the midst of the text" },
		{ { "a\xef\xbf\xbf", 4 }, "1:2: a character in the text that is none" },
		{ { "\xff\xfe"
		    "a\0",
		      4 },
		    "1:1: the text is not UTF-8" },
	};
	char got[512];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct parsed p = parse_bytes(cases[i].text, NULL);

		render(&p.faults, got, sizeof(got));
		assert_string_equal(got, cases[i].faults);
		end(&p);
	}
}

static void
a_byte_order_mark_and_windows_line_ends_do_no_harm(void **state)
{
	struct parsed p = parse_ok("\xef\xbb\xbf"
				   "ecs:\r\n  region: eu-west-1\r\n  clusters:\r\n  - main\r\n");

	(void)state;
	assert_list(p.conf->sources[0].clusters, 1, (const char *const[]){ "main" });
	end(&p);
}

static void
an_empty_text_says_what_is_needed(void **state)
{
	static const char *const texts[] = { "", "\n\n", "# nothing yet\n", "---\n", "~\n", "null" };

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		struct parsed p = parse(texts[i]);

		assert_int_equal(p.faults.n, 1);
		assert_int_equal(p.faults.notes[0].where.line, 1);
		assert_int_equal(p.faults.notes[0].where.column, 1);
		assert_true(str_has_prefix(p.faults.notes[0].text, STR("nothing is configured here: `ecs`, ")));
		end(&p);
	}
}

static void
a_text_that_is_no_map_is_refused(void **state)
{
	static const struct fault_case cases[] = {
		{ "hello\n", "1:1: a configuration is a map of sections, such as `ecs:`, `haproxy:` and `backends:`" },
		{ "- ecs\n", "1:1: a configuration is a map of sections, such as `ecs:`, `haproxy:` and `backends:`" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
without_a_region_nothing_can_be_asked(void **state)
{
	static const struct fault_case cases[] = {
		{ "{}\n", "1:1: no region: give `region` in `ecs`, or set AWS_REGION in the environment" },
		{ "haproxy: {}\necs:\n  clusters: [a]\n",
		    "3:3: no region: give `region` in `ecs`, or set AWS_REGION in the environment" },
		{ "ecs: [{region: eu-west-1}, {name: b}]\n",
		    "1:28: no region: give `region` in `ecs`, or set AWS_REGION in the environment" },
		/* What is wrong with a region hides nothing else, and is not also missing. */
		{ "ecs: {region: EU, watch: 1m}\n",
		    "1:15: `region`: `EU` is not a region such as eu-west-1\n"
		    "1:26: `watch` is longer than `refresh`: the short look would come after the full one" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

/* ---- faults: values ---- */

static void
a_value_of_the_wrong_kind_is_refused(void **state)
{
	static const struct fault_case cases[] = {
		{ "ecs: here\n", "1:6: `ecs` must be a map: `key: value`, with a blank after the `:`" },
		{ ECS "haproxy: [a]\n", "2:10: `haproxy` must be a map: `key: value`, with a blank after the `:`" },
		{ ECS "backends: {name: a}\n",
		    "2:11: `backends` must be a list: a line with `- name: NAME` begins each backend" },
		{ ECS "backends: [a]\n", "2:12: `backends` must be a map: `key: value`, with a blank after the `:`" },
		{ ECS "backends:\n  -\n", "3:4: an item of `backends` is empty" },
		{ "ecs:\n- \n", "2:2: an item of `ecs` is empty" },
		{ "ecs: []\n", "1:6: `ecs` lists 0 sources: from 1 to 100 are taken" },
		{ "ecs: {region: [a]}\n", "1:15: `region` must be one value, not a list or a map" },
		{ "ecs: {region: a-1, clusters: main}\n",
		    "1:30: `clusters` must be a list: [...], or a line with `-` for each item" },
		{ "ecs:\n  region: a-1\n  services:\n",
		    "3:3: `services` has no value: give it one, or leave the key out" },
		{ "ecs:\n  region: a-1\n  clusters: [a, ~, [b]]\n",
		    "3:17: `clusters` has no value: give it one, or leave the key out\n"
		    "3:20: `clusters` must be one value, not a list or a map" },
		{ ECS "defaults:\n  weight:\n  check: {inter: ~}\n",
		    "3:3: `weight` has no value: give it one, or leave the key out\n"
		    "4:11: `inter` has no value: give it one, or leave the key out" },
		{ ECS "defaults: {check: off}\n",
		    "2:19: `check` must be a map: `key: value`, with a blank after the `:`" },
		{ ECS "defaults: {observe: layer7}\n",
		    "2:21: `observe` must be off, or {mode: layer7, error_limit: 10, on_error: fastinter}" },
		{ ECS "defaults: {share: [10]}\n",
		    "2:19: `share` must be a percentage, or {percent: 10, revision: latest}" },
		{ ECS "defaults: {share: {revision: latest}}\n", "2:19: `share` needs `percent`" },
		{ ECS "defaults: {share: {percent: 10, revision: 7}}\n", "2:43: `revision`: `7` is not `latest`" },
		{ ECS "haproxy: {managed: {entrypoints: [a]}}\n",
		    "2:34: `entrypoints` must be a map of names and values" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
a_duration_wants_a_unit_and_a_range(void **state)
{
	static const struct fault_case cases[] = {
		{ "ecs:\n  region: a-1\n  watch: 2\n", "3:10: `watch`: `2` needs a unit: ms, s, m or h" },
		{ "ecs:\n  region: a-1\n  watch: soon\n",
		    "3:10: `watch`: `soon` is not a duration: a whole number and ms, s, m or h, such as 500ms or 2s" },
		{ "ecs:\n  region: a-1\n  watch: 1ms\n", "3:10: `watch`: `1ms` is not from 10ms to 24h" },
		{ "ecs:\n  region: a-1\n  refresh: 25h\n", "3:12: `refresh`: `25h` is not from 10ms to 24h" },
		{ ECS "defaults: {slowstart: 0}\n", "2:23: `slowstart`: `0` needs a unit: ms, s, m or h" },
		{ ECS "defaults: {drain_timeout: never}\n",
		    "2:27: `drain_timeout`: `never` is not a duration: a whole number and ms, s, m or h, such as 500ms "
		    "or 2s" },
		{ ECS "defaults: {outlier: {interval: 1ms, base_ejection_time: 10}}\n",
		    "2:32: `interval`: `1ms` is not from 100ms to 1h\n"
		    "2:57: `base_ejection_time`: `10` needs a unit: ms, s, m or h" },
		{ ECS "defaults: {outlier: {base_ejection_time: 999ms, max_ejection_time: 25h}}\n",
		    "2:42: `base_ejection_time`: `999ms` is not from 1s to 24h\n"
		    "2:68: `max_ejection_time`: `25h` is not from 1s to 24h" },
		{ ECS "defaults: {check: {inter: 9ms, timeout: 61m}}\n",
		    "2:27: `inter`: `9ms` is not from 10ms to 1h\n"
		    "2:41: `timeout`: `61m` is not from 10ms to 1h" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
numbers_and_words_are_told_what_is_allowed(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "defaults:\n  proto: http2\n", "3:10: `proto`: `http2` is not one of h2, h1" },
		{ ECS "log: {level: warning}\n", "2:14: `level`: `warning` is not one of error, warn, info, debug" },
		{ ECS "log: {level: inf}\n",
		    "2:14: `level`: `inf` is not one of error, warn, info, debug; did you mean `info`?" },
		{ ECS "log: {format: yaml}\n", "2:15: `format`: `yaml` is not one of auto, text, json" },
		{ ECS "defaults: {balance: round-robin}\n",
		    "2:21: `balance`: `round-robin` is not one of roundrobin, leastconn, random; did you mean "
		    "`roundrobin`?" },
		{ ECS "defaults: {check: {type: ping}}\n",
		    "2:26: `type`: `ping` is not one of inherit, off, tcp, http, grpc" },
		{ ECS "defaults: {tls_verify: optional}\n",
		    "2:24: `tls_verify`: `optional` is not one of required, none" },
		{ ECS "defaults: {outlier: {mode: on}}\n", "2:28: `mode`: `on` is not one of enforce, observe, off" },
		{ ECS "defaults: {observe: {on_error: mark_down}}\n",
		    "2:32: `on_error`: `mark_down` is not one of fastinter, fail-check, sudden-death, mark-down; did "
		    "you mean `mark-down`?" },
		{ ECS "haproxy: {managed: {mode: on}}\n",
		    "2:27: `mode`: `on` is not one of auto, off, runtime, reload" },
		{ ECS "haproxy: {apply: maybe}\n",
		    "2:18: `apply`: `maybe` is neither true (yes, on) nor false (no, off)" },
		{ ECS "backends: [{name: a, match: {service: a}, managed: on, priority: 0}]\n",
		    "2:66: `priority`: `0` is not a whole number from 1 to 2147483647" },
		{ ECS "defaults: {weight: 1000001}\n",
		    "2:20: `weight`: `1000001` is not a whole number from 0 to 1000000" },
		{ ECS "defaults: {maxconn: -1}\n", "2:21: `maxconn`: `-1` is not a whole number from 0 to 10000000" },
		{ ECS "defaults: {removal_limit: 101%}\n",
		    "2:27: `removal_limit`: `101%` is not a whole percentage from 0% to 100%" },
		{ ECS "defaults: {share: much}\n", "2:19: `share`: `much` is not a whole percentage from 0% to 100%" },
		{ ECS "defaults: {check: {rise: 0}}\n", "2:26: `rise`: `0` is not a whole number from 1 to 1000" },
		{ ECS "backends: [{name: a, match: {service: a}, port: 65536}]\n",
		    "2:49: `port`: `65536` is not a whole number from 1 to 65535" },
		{ "ecs: {region: a-1, rate_limit: 0}\n",
		    "1:32: `rate_limit`: `0` is not a number from 0.001 to 1000000 with at most 3 decimals" },
		{ ECS "tracing: {sample: 1.5}\n",
		    "2:19: `sample`: `1.5` is not a number from 0 to 1 with at most 6 decimals" },
		{ ECS "control: {mode: rw}\n", "2:17: `mode`: `rw` is not a file mode in octal, such as 0660" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
names_keep_to_their_characters(void **state)
{
	static const struct fault_case cases[] = {
		{ "ecs: {region: eu_west_1}\n", "1:15: `region`: `eu_west_1` is not a region such as eu-west-1" },
		{ "ecs: {region: a-1, name: \"a b\"}\n",
		    "1:26: `name`: `a...` is not a name of at most 64 characters of A-Z a-z 0-9 _ . -" },
		{ "ecs: {region: a-1, clusters: [\"prod-*\"]}\n",
		    "1:31: `clusters`: `prod-*` is not a cluster's name, its ARN "
		    "(arn:aws:ecs:REGION:ACCOUNT:cluster/NAME), or * alone for all" },
		{ "ecs: {region: a-1, clusters: [\"arn:aws:ecs:a-1:123456789012:service/x\"]}\n",
		    "1:31: `clusters`: `arn:aws:ecs:a-1:123456789012:service/x` is not a cluster's name, its ARN "
		    "(arn:aws:ecs:REGION:ACCOUNT:cluster/NAME), or * alone for all" },
		{ "ecs: {region: a-1, clusters: [a, b, a]}\n", "1:30: `clusters` names `a` twice" },
		{ "ecs: {region: a-1, services: [\"a b\"]}\n",
		    "1:31: `services`: `a...` is not the name of a service (of tasks without one: family:NAME), or a "
		    "pattern with * and ?" },
		{ "ecs: {region: a-1, labels: [docker]}\n",
		    "1:29: `labels`: `docker` is not one of rollcall, traefik" },
		{ "ecs: {region: a-1, endpoint: localhost}\n",
		    "1:30: `endpoint`: `localhost` is not a URL: http:// or https://, a host, and perhaps a port and a "
		    "path" },
		{ "ecs: {region: a-1, role_arn: admin}\n",
		    "1:30: `role_arn`: `admin` is not the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME" },
		{ ECS "haproxy: {managed: {dir: here}}\n",
		    "2:26: `dir`: `here` is not a path that begins with / and has no blanks" },
		{ ECS "haproxy: {managed: {entrypoints: {\"a b\": x.map, b: ../x.map}}}\n",
		    "2:35: `entrypoints`: `a...` is not the name of an entrypoint: at most 64 characters of A-Z a-z "
		    "0-9 _ . -\n"
		    "2:52: `entrypoints`: `../x.map` is not a file name (in managed.dir) or a path" },
		{ ECS "haproxy: {managed: {allow_backends: [\"*\"]}}\n",
		    "2:38: `allow_backends`: `*` is not the name of a backend: at most 120 characters of A-Z a-z 0-9 _ "
		    ". : -" },
		{ ECS "backends: [{name: \"a;b\", match: {service: a}}]\n",
		    "2:19: `name`: `a;b` is not the name of a backend: at most 120 characters of A-Z a-z 0-9 _ . : -" },
		{ ECS "backends: [{name: \"\", match: {service: \"\"}}]\n",
		    "2:19: `name` is empty: it wants the name of a backend: at most 120 characters of A-Z a-z 0-9 _ . "
		    ": -\n"
		    "2:40: `service` is empty: it wants the name of a service (of tasks without one: family:NAME), or "
		    "a pattern with * and ?" },
		{ ECS "tracing: {headers: {Host: a, x.y: b}}\n",
		    "2:21: `headers`: `Host` is not the name of a header (A-Z a-z 0-9 - _) that may be set: Host, "
		    "Content-Length and Transfer-Encoding may not\n"
		    "2:30: `headers`: `x.y` is not the name of a header (A-Z a-z 0-9 - _) that may be set: Host, "
		    "Content-Length and Transfer-Encoding may not" },
		{ ECS "defaults: {tls_sni: \"str(x)\"}\n", "2:21: `tls_sni`: `str(x)` is not a host name" },
		{ ECS "defaults: {check: {type: http, path: health}}\n",
		    "2:38: `path`: `health` is not a path that begins with / and has only letters, digits and "
		    "-_.:/~?@!&*+,;=%()" },
		{ ECS "defaults: {check: {type: grpc, service: \"a/b\"}}\n",
		    "2:41: `service`: `a/b` is not the name of a gRPC service, such as acme.v1.Orders" },
		{ ECS "control: {group: \"a b\"}\n", "2:18: `group`: `a...` is not the name or number of a group" },
		{ ECS "state_dir: \"\"\n",
		    "2:12: `state_dir` is empty: it wants a path that begins with / and has no blanks" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
what_listens_is_local(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "haproxy: {socket: admin.sock}\n",
		    "2:19: `socket`: `admin.sock` is not the address of HAProxy's socket: a path that begins with /, "
		    "or HOST:PORT" },
		{ ECS "haproxy: {socket: \"\"}\n",
		    "2:19: `socket`: `` is not the address of HAProxy's socket: a path that begins with /, or "
		    "HOST:PORT" },
		{ ECS "spoe: {listen: \"0.0.0.0:12345\"}\n",
		    "2:16: `listen`: `0.0.0.0:12345` is not where to listen: a path that begins with /, abns@NAME, or "
		    "127.0.0.1:PORT" },
		{ ECS "control: {listen: \"10.0.0.1:80\"}\n",
		    "2:19: `listen`: `10.0.0.1:80` is not where to listen: a path that begins with /, abns@NAME, or "
		    "127.0.0.1:PORT" },
		{ ECS "control: {socket: \"127.0.0.1:80\"}\n",
		    "2:19: `socket`: `127.0.0.1:80` is not the path of a socket: one that begins with / and has at "
		    "most 107 characters" },
		{ ECS "tracing: {log_listen: \"0.0.0.0:514\"}\n",
		    "2:23: `log_listen`: `0.0.0.0:514` is not where to listen for log lines: 127.0.0.1:PORT or "
		    "[::1]:PORT" },
		{ ECS "defaults: {outlier: {agent: here}}\n",
		    "2:29: `agent`: `here` is not an address of this machine, 127.0.0.1:PORT or [::1]:PORT: nobody "
		    "need listen there" },
		{ ECS "control: {socket: /a, listen: /a}\nspoe: {listen: /a}\n",
		    "2:31: `control.listen` is where `control.socket` is already\n"
		    "3:16: `spoe.listen` is where `control` listens already" },
		{ ECS "spoe: {listen: /run/rollcall/control.sock}\n",
		    "2:16: `spoe.listen` is where `control` listens already" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

/* ---- faults: keys together ---- */

static void
a_backend_says_its_name_and_which_service_it_serves(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "backends:\n  - name: grpc\n",
		    "3:5: backend `grpc` needs a `match` that says which service it serves: {service: NAME}" },
		{ ECS "backends:\n  - name: grpc\n    match:\n",
		    "3:5: backend `grpc` needs a `match` that says which service it serves: {service: NAME}" },
		{ ECS "backends:\n  - match: {service: a}\n",
		    "3:5: a backend needs a `name`: that of a backend in haproxy.cfg" },
		{ ECS "backends: [{}]\n",
		    "2:12: a backend needs a `name`: that of a backend in haproxy.cfg\n"
		    "2:12: a backend needs a `match` that says which service it serves: {service: NAME}" },
		{ ECS "backends:\n  - name: grpc\n    match: {}\n",
		    "4:12: `match` names nothing: {service: NAME}, or {service: \"*\"} if every task is meant" },
		/* An unknown key does not hide what is missing. */
		{ ECS "backends:\n  - name: grpc\n    matches: {service: a}\n",
		    "3:5: backend `grpc` needs a `match` that says which service it serves: {service: NAME}\n"
		    "4:5: unknown key `matches`, did you mean `match`?" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
two_things_do_not_share_a_name(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "backends:\n"
		      "  - {name: a, match: {service: a}}\n"
		      "  - {name: b, match: {service: b}}\n"
		      "  - {name: a, match: {service: c}}\n",
		    "5:5: backend `a` has an entry already, on line 3: one entry says all of a backend" },
		{ "ecs:\n  - region: eu-west-1\n  - region: eu-west-1\n    clusters: [b]\n",
		    "3:5: two `ecs` sources are called `eu-west-1`, the other on line 2: give each a `name`" },
		{ "ecs:\n  - {region: eu-west-1, name: a}\n  - {region: eu-west-2, name: a}\n",
		    "3:5: two `ecs` sources are called `a`, the other on line 2: give each a `name`" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
a_match_names_a_source_that_is_there(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "backends: [{name: a, match: {source: eu-wets-1, service: a}}]\n",
		    "2:12: backend `a`: no `ecs` source is called `eu-wets-1`, did you mean `eu-west-1`?" },
		{ ECS "backends: [{name: a, match: {source: us-*, service: a}}]\n",
		    "2:12: backend `a`: no `ecs` source is called `us-*` (a source without `name` is called by its "
		    "region)" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
routes_are_for_managed_backends(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "backends:\n"
		      "  - name: a\n"
		      "    match: {service: a}\n"
		      "    rule: Host(`a`)\n"
		      "    entrypoints: [default]\n"
		      "    priority: 1\n",
		    "5:11: `rule` needs `managed: true`: calls reach a backend of haproxy.cfg as haproxy.cfg says\n"
		    "6:18: `entrypoints` needs `managed: true`: calls reach a backend of haproxy.cfg as haproxy.cfg "
		    "says\n"
		    "7:15: `priority` needs `managed: true`: calls reach a backend of haproxy.cfg as haproxy.cfg "
		    "says" },
		{ ECS "backends: [{name: a, match: {service: a}, managed: perhaps, rule: Host(`a`)}]\n",
		    "2:52: `managed`: `perhaps` is neither true (yes, on) nor false (no, off)" },
		{ ECS "backends: [{name: a, match: {service: a}, managed: true, entrypoints: [defaults]}]\n",
		    "2:12: backend `a`: there is no entrypoint `defaults`, did you mean `default`?" },
		{ ECS "haproxy: {managed: {entrypoints: {web: w.map}}}\n"
		      "backends: [{name: a, match: {service: a}, managed: true, rule: Host(`a`)}]\n",
		    "3:12: backend `a`: there is no entrypoint `default`; haproxy.managed.entrypoints names them" },
		{ ECS "haproxy: {managed: {mode: off}}\n"
		      "backends: [{name: a, match: {service: a}, managed: true}]\n",
		    "3:12: backend `a` is managed, and haproxy.managed.mode is off" },
		{ ECS "haproxy:\n  managed: {mode: reload}\n",
		    "3:19: `mode: reload` needs `haproxy.master_socket`: HAProxy is asked there to reload" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

/* Who asks for a full look more often than that wants no fewer short ones. */
static void
watch_is_never_slower_than_refresh_by_itself(void **state)
{
	struct parsed p = parse("ecs: {region: a-1, refresh: 1s}\n");

	(void)state;
	assert_int_equal(p.code, ERR_OK);
	assert_int_equal(p.conf->sources[0].refresh_ms, 1000);
	assert_int_equal(p.conf->sources[0].watch_ms, 1000);
	end(&p);
}

static void
keys_that_need_another_are_told(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "backends:\n"
		      "  - name: a\n"
		      "    match: {service: a}\n"
		      "    tls_verify: none\n"
		      "    tls_sni: a.example.com\n",
		    "5:17: `tls_verify` needs `tls: on`\n6:14: `tls_sni` needs `tls: on`" },
		{ ECS "defaults: {outlier: {max_ejection_time: 10s}}\n",
		    "2:41: `max_ejection_time` (10s) is shorter than `base_ejection_time` (30s)" },
		{ ECS "defaults: {outlier: {base_ejection_time: 10m}}\n",
		    "2:42: `max_ejection_time` (5m) is shorter than `base_ejection_time` (10m)" },
		{ ECS "defaults: {outlier: {base_ejection_time: 5, max_ejection_time: 10s}}\n",
		    "2:42: `base_ejection_time`: `5` needs a unit: ms, s, m or h" },
		{ "ecs: {region: a-1, watch: 20s}\n",
		    "1:27: `watch` is longer than `refresh`: the short look would come after the full one" },
		{ "ecs: {region: a-1, refresh: 1s, watch: 2s}\n",
		    "1:40: `watch` is longer than `refresh`: the short look would come after the full one" },
		{ "ecs: {region: a-1, events: {queue: \"https://q\", topic: \"arn:aws:sns:a-1:123456789012:t\"}}\n",
		    "1:56: `queue` and `topic` are both given: events come from a queue, or from a topic to which a "
		    "queue is subscribed" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
a_key_pair_is_whole_or_not_there(void **state)
{
	static const struct fault_case cases[] = {
		{ "ecs: {region: a-1, access_key_id: AKID}\n",
		    "1:35: `access_key_id` needs `secret_access_key` beside it" },
		{ "ecs: {region: a-1, secret_access_key: hush}\n",
		    "1:39: `secret_access_key` needs `access_key_id` beside it" },
		{ "ecs: {region: a-1, session_token: hush}\n",
		    "1:35: `session_token` needs `access_key_id` and `secret_access_key` beside it" },
		{ "ecs: {region: a-1, access_key_id: AKID, secret_access_key: hush, profile: p}\n",
		    "1:75: `profile` and `access_key_id` are both given: one key is enough" },
		{ "ecs: {region: a-1, external_id: x}\n", "1:33: `external_id` says nothing without `role_arn`" },
		{ "ecs: {region: a-1, access_key_id: \"\", secret_access_key: \"a b\"}\n",
		    "1:58: `secret_access_key`: what is given is not a key: it holds a blank or a character that keys "
		    "don't\n"
		    "1:58: `secret_access_key` needs `access_key_id` beside it" },
	};

	(void)state;
	assert_faults(cases, N(cases));
}

static void
all_faults_are_told_in_the_order_of_the_text(void **state)
{
	static const struct fault_case cases[] = {
		{ "log: {level: loud}\n"
		  "backends:\n"
		  "  - name: a\n"
		  "defaults: {weight: heavy}\n"
		  "haproxy: {sockt: x}\n"
		  "ecs: {region: \"${NOPE}\", watch: 3}\n",
		    "1:14: `level`: `loud` is not one of error, warn, info, debug\n"
		    "3:5: backend `a` needs a `match` that says which service it serves: {service: NAME}\n"
		    "4:20: `weight`: `heavy` is not a whole number from 0 to 1000000\n"
		    "5:11: unknown key `sockt`, did you mean `socket`?\n"
		    "6:15: the variable `NOPE` is not defined (`$$` stands for a `$`)\n"
		    "6:33: `watch`: `3` needs a unit: ms, s, m or h" },
	};
	struct parsed p = parse(cases[0].text);

	(void)state;
	assert_string_equal(p.e.msg,
	    "6 faults, the first in line 1, column 14: `level`: `loud` is not one of error, warn, info, debug");
	end(&p);
	assert_faults(cases, N(cases));
}

static void
faults_are_told_up_to_a_limit_the_first_ones(void **state)
{
	struct buf text = buf_make(100000);
	struct parsed p;

	(void)state;
	buf_put(&text, STR("backends:\n"));
	for (int i = 0; i < 300; i++)
		buf_put(&text, STR("  - {}\n"));
	buf_put(&text, STR("ecs: {nope: 1}\n"));
	p = parse_bytes(buf_str(&text), NULL);
	assert_int_equal(p.faults.n, CONF_NOTES_MAX);
	assert_int_equal(p.faults.notes[0].where.line, 2);
	assert_int_equal(p.faults.notes[CONF_NOTES_MAX - 1].where.line, 1 + CONF_NOTES_MAX / 2);
	assert_non_null(strstr(p.e.msg, "602 faults, the first in line 2"));
	end(&p);
	buf_free(&text);
}

/* ---- limits ---- */

/* item, n times, between before and after. */
static struct parsed
parse_many(const char *before, const char *item, size_t n, const char *after)
{
	struct buf text = buf_make(CONF_TEXT_MAX * 2);
	struct parsed p;

	buf_put(&text, str_from_cstr(before));
	for (size_t i = 0; i < n; i++)
		buf_put(&text, str_from_cstr(item));
	buf_put(&text, str_from_cstr(after));
	assert_int_equal(buf_failed(&text, NULL), ERR_OK);
	p = parse_bytes(buf_str(&text), NULL);
	buf_free(&text);
	return p;
}

static void
assert_many_refused(const char *before, const char *item, size_t n, const char *why)
{
	struct parsed p = parse_many(before, item, n, "");

	assert_int_equal(p.faults.n, 1);
	assert_str(p.faults.notes[0].text, why);
	end(&p);
}

static void
large_texts_are_refused_with_the_limit(void **state)
{
	struct buf keys = buf_make(100000);
	struct parsed p;

	(void)state;
	p = parse_many(ECS, " ", CONF_TEXT_MAX - sizeof(ECS) + 1, "");
	assert_int_equal(p.code, ERR_OK);
	end(&p);
	assert_many_refused("", "#", CONF_TEXT_MAX + 1, "the text is longer than 1048576 bytes");
	assert_many_refused("a: [", "b,", 10001, "more than 10000 items in one list");
	assert_many_refused("a: [[], ", "[a,b,c,d,e,f,g,h,i],", 9000, "more than 65536 values in one file");
	p = parse_many("ecs: [", "{region: a-1},", 101, "]\nbackends: [{name: a, match: {service: a}}]\n");
	assert_int_equal(p.faults.n, 1);
	assert_str(p.faults.notes[0].text, "`ecs` lists 101 sources: from 1 to 100 are taken");
	end(&p);
	for (int i = 0; i <= 1000; i++)
		buf_printf(&keys, "k%d: 1\n", i);
	p = parse_bytes(buf_str(&keys), NULL);
	assert_int_equal(p.faults.n, 1);
	assert_str(p.faults.notes[0].text, "more than 1000 keys in one map");
	end(&p);
	buf_free(&keys);
}

static void
an_arena_that_is_too_small_is_out_of_memory_not_a_fault(void **state)
{
	struct env env = { .get = get_var };
	const struct conf *c = NULL;
	enum err_code code = ERR_NOMEM;

	(void)state;
	for (size_t limit = 0; code == ERR_NOMEM && limit < CONF_ARENA_MAX; limit += 48) {
		CLEANUP(arena_wipe_at) struct arena *a = arena_new(limit);
		struct conf_notes faults;
		struct err e = ERR_INIT;

		code = conf_parse(a, str_from_cstr(minimal), &env, &c, &faults, &e);
		assert_int_equal(code, c == NULL ? ERR_NOMEM : ERR_OK);
		assert_int_equal(faults.n, 0);
	}
	assert_int_equal(code, ERR_OK);
}

/* ---- secrets ---- */

static void
no_message_holds_a_key(void **state)
{
	static const char *const vars[] = { "SECRET", "hush hush", "TOKEN", "h\nush", "REGION", "hush_hush", NULL };
	static const char *const texts[] = {
		"ecs: {region: a-1, access_key_id: \"hush hush\", secret_access_key: 'hush \xc3\xa4'}\n",
		"ecs: {region: a-1, access_key_id: \"${SECRET}\", secret_access_key: x, session_token: \"${TOKEN}\"}\n",
		"ecs: {region: \"${REGION}\"}\n",
		"ecs: {region: a-1, name: \"${SECRET}\", clusters: [\"${SECRET}\"], watch: \"${SECRET}\"}\n",
		"ecs: {region: a-1, secret_access_key:hush}\n",
		"ecs: {region: a-1, secret_access_key=hush}\n",
		"ecs:\n  region: a-1\n  secret_access_key:hush\n",
		"ecs:\n  region: a-1\n    secret_access_key:hush\n",
		"ecs:\n  region: a-1\n    secret_access_key: hush\n",
		"ecs:\n  - \"secret_access_key:hush\"\n",
		"ecs: secret_access_key:hush\n",
		"ecs: {region: a-1, secret_access_key: [hush], access_key_id: {hush hush: hush}}\n",
		"ecs: {region: a-1, secret_access_key: &hush hush, access_key_id: *hush}\n",
		"ecs: {region: a-1, secret_access_key: \"hush\n",
		"ecs: {region: a-1, access_key_id: x, secret_access_key: 'hush\x22hush'}\n",
		"tracing: {headers: {a: \"hush \xc3\xa4\"}}\n",
		"tracing: {endpoint: \"https://me hush@host\"}\n",
	};
	char got[4096];

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		struct parsed p = parse_with(texts[i], vars);

		if (p.code != ERR_CONF)
			fail_msg("taken: %s", texts[i]);
		render(&p.faults, got, sizeof(got));
		if (strstr(got, "hush") != NULL || strstr(p.e.msg, "hush") != NULL)
			fail_msg("text: %s\nsays: %s\n%s", texts[i], got, p.e.msg);
		end(&p);
	}
}

/* ---- warnings ---- */

static void
what_is_not_built_yet_is_taken_with_a_warning(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "spoe:\n", "" },
		{ ECS "tracing: {}\n", "" },
		{ ECS "control: {listen: abns@x}\n", "" },
		{ ECS "control: {listen: \"\"}\n", "" },
		{ "ecs: {region: a-1, profile: p}\n", "" },
		{ "ecs: {region: a-1, role_arn: \"arn:aws:iam::123456789012:role/x\", external_id: y}\n", "" },
		{ "ecs: {region: a-1, events: {queue: \"https://q\"}}\n", "" },
		{ "ecs: {region: a-1, events: {queue: \"\"}, constraints: \"\", expose_by_default: false}\n", "" },
		{ "ecs: {region: a-1, constraints: x, expose_by_default: yes, labels: []}\n", "" },
		{ ECS "haproxy: {master_socket: /a, apply: off, managed: {mode: auto, dir: /d, defaults: x, "
		      "default_rule: \"\"}}\n",
		    "" },
		{ ECS "haproxy: {managed: {default_rule: x, allow_hosts: [a], allow_backends: [], allow_unhonoured: "
		      "[]}}\n",
		    "" },
		{ ECS "haproxy: {master_socket: \"\", apply: on, socket: \"127.0.0.1:99\"}\n", "" },
		{ ECS
		    "defaults: {tls: on, share: 5, slowstart: 5s, observe: {mode: layer7}, outlier: {mode: enforce}}\n"
		    "backends: [{name: a, match: {service: a}, tls: on}]\n",
		    "" },
		{ ECS "defaults: {tls: off, share: ~, slowstart: 0s, observe: off}\n", "" },
		{ ECS
		    "backends:\n"
		    "  - {name: a, match: {service: a}}\n"
		    "  - {name: b, match: {service: b}, managed: true, slowstart: 1s, balance: random, check: {type: "
		    "tcp}}\n"
		    "  - {name: c, match: {service: c}, managed: true, rule: x, entrypoints: [default], priority: 7}\n",
		    "" },
		{ ECS "backends: [{name: a, match: {service: a}, weight: 1, maxconn: 1, proto: h1, port: 1,\n"
		      "  drain_timeout: 1s, removal_limit: 1, check: {type: off}}]\n"
		      "defaults: {check: {inter: 1s}}\n",
		    "" },
	};

	(void)state;
	assert_warnings(cases, N(cases));
}

static void
what_has_no_effect_is_named(void **state)
{
	static const struct fault_case cases[] = {
		{ ECS "backends:\n  - name: a\n    match: {service: a}\n    balance: random\n    check: {type: tcp}\n",
		    "5:14: `balance` has no effect on `a`: a backend that is not managed has it from haproxy.cfg\n"
		    "6:19: the check's type has no effect on `a`: a backend that is not managed has it from "
		    "haproxy.cfg (inherit and off do work)" },
		{ ECS "defaults: {balance: random, check: {type: grpc}}\nbackends: [{name: a, match: {service: a}}]\n",
		    "2:21: `balance` has no effect on backends that are not managed: they have it from haproxy.cfg\n"
		    "2:43: the check's type has no effect on backends that are not managed: they have it from "
		    "haproxy.cfg (inherit and off do work)" },
		{ ECS "defaults: {balance: random, check: {type: grpc}}\n", "" },
		{ ECS "backends: [{name: a, match: {service: a}, check: {service: x, path: /x}}]\n",
		    "2:60: `service` says nothing here: only a check of type grpc asks for a service\n"
		    "2:69: `path` says nothing here: only a check of type http asks for a path" },
		{ "ecs: {region: a-1, clusters: [\"arn:aws:ecs:a-2:123456789012:cluster/x\"]}\n",
		    "1:30: the ARN of a cluster here is of the region a-2, and `region` is a-1" },
	};

	(void)state;
	assert_warnings(cases, N(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_minimal_configuration_is_taken_without_a_word),
		cmocka_unit_test(a_source_has_its_defaults),
		cmocka_unit_test(haproxy_and_the_doors_have_their_defaults),
		cmocka_unit_test(a_policy_has_its_defaults),
		cmocka_unit_test(a_source_takes_every_key),
		cmocka_unit_test(sources_may_be_several),
		cmocka_unit_test(a_region_left_out_comes_from_the_environment),
		cmocka_unit_test(a_region_that_no_variable_names_is_the_profile_s_or_the_machine_s),
		cmocka_unit_test(who_needs_no_region_may_be_without),
		cmocka_unit_test(haproxy_takes_every_key),
		cmocka_unit_test(defaults_take_every_key),
		cmocka_unit_test(the_other_sections_take_every_key),
		cmocka_unit_test(spoe_and_tracing_are_on_once_their_keys_stand_there),
		cmocka_unit_test(a_backend_takes_every_key_of_its_own),
		cmocka_unit_test(an_entry_lies_over_the_defaults_wherever_they_stand),
		cmocka_unit_test(a_share_of_an_entry_forgets_the_revision_of_the_defaults),
		cmocka_unit_test(an_overlay_takes_the_keys_that_are_set_and_no_others),
		cmocka_unit_test(each_policy_key_has_the_name_it_is_written_with),
		cmocka_unit_test(observe_may_be_switched_off_again),
		cmocka_unit_test(the_hash_tells_texts_apart),
		cmocka_unit_test(variables_fill_values_and_never_become_yaml),
		cmocka_unit_test(a_block_scalar_ends_without_its_line_break),
		cmocka_unit_test(an_unknown_key_is_named_with_a_suggestion),
		cmocka_unit_test(what_is_no_yaml_is_said_in_plain_words),
		cmocka_unit_test(yaml_that_a_configuration_has_no_use_for_is_refused),
		cmocka_unit_test(bytes_that_no_text_holds_are_refused_with_their_place),
		cmocka_unit_test(a_byte_order_mark_and_windows_line_ends_do_no_harm),
		cmocka_unit_test(an_empty_text_says_what_is_needed),
		cmocka_unit_test(a_text_that_is_no_map_is_refused),
		cmocka_unit_test(without_a_region_nothing_can_be_asked),
		cmocka_unit_test(a_value_of_the_wrong_kind_is_refused),
		cmocka_unit_test(a_duration_wants_a_unit_and_a_range),
		cmocka_unit_test(numbers_and_words_are_told_what_is_allowed),
		cmocka_unit_test(names_keep_to_their_characters),
		cmocka_unit_test(what_listens_is_local),
		cmocka_unit_test(a_backend_says_its_name_and_which_service_it_serves),
		cmocka_unit_test(two_things_do_not_share_a_name),
		cmocka_unit_test(a_match_names_a_source_that_is_there),
		cmocka_unit_test(routes_are_for_managed_backends),
		cmocka_unit_test(watch_is_never_slower_than_refresh_by_itself),
		cmocka_unit_test(keys_that_need_another_are_told),
		cmocka_unit_test(a_key_pair_is_whole_or_not_there),
		cmocka_unit_test(all_faults_are_told_in_the_order_of_the_text),
		cmocka_unit_test(faults_are_told_up_to_a_limit_the_first_ones),
		cmocka_unit_test(large_texts_are_refused_with_the_limit),
		cmocka_unit_test(an_arena_that_is_too_small_is_out_of_memory_not_a_fault),
		cmocka_unit_test(no_message_holds_a_key),
		cmocka_unit_test(what_is_not_built_yet_is_taken_with_a_warning),
		cmocka_unit_test(what_has_no_effect_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
