/* Labels of all dialects, told as one line per container. */
#include "config.h"

#include "base/buf.h"
#include "label/label.h"
#include "label/label_conf.h"
#include "label/label_constraint.h"
#include "label/label_expr.h"
#include "label/label_text.h"
#include "unit.h"

#define LABELS_MAX 40

static const struct str both[] = { { "rollcall", 8 }, { "traefik", 7 } };
static const struct conf_pair entrypoints[] = {
	{ { "default", 7 }, { "routes.map", 10 } },
	{ { "web", 3 }, { "web.map", 7 } },
};
static const struct str allowed[] = { { "traefik.http.routers.*.middlewares", 34 },
	{ "rollcall.endpoints.odd.rule", 27 } };

static const struct label_rules plain = {
	.dialects = { both, 2 },
	.entrypoints = { entrypoints, 2 },
};

static void
tell_place(struct buf *out, const struct label_place *p)
{
	buf_printf(out, " " STR_FMT STR_FMT "%s", STR_ARG(p->host), STR_ARG(p->path), p->is_exact ? "?" : "");
}

static void
tell_router(struct buf *out, const struct label_router *r)
{
	buf_put(out, STR(" <"));
	for (size_t i = 0; i < r->n_entrypoints; i++)
		buf_printf(out, "%s" STR_FMT, i > 0 ? "," : "", STR_ARG(r->entrypoints[i]));
	if (r->priority > 0)
		buf_printf(out, " %u", r->priority);
	if (r->refusal.is_refused)
		buf_printf(out, " %s", r->refusal.is_bad ? "bad" : "unhonoured");
	else
		for (size_t i = 0; i < r->n; i++)
			tell_place(out, &r->places[i]);
	buf_put(out, STR(">"));
}

static void
tell_policy(struct buf *out, const struct label_settings *s)
{
	const struct conf_policy *p = &s->policy;

	if (s->port != 0)
		buf_printf(out, " :%u", s->port);
	if (s->backend.len > 0)
		buf_printf(out, " in " STR_FMT, STR_ARG(s->backend));
	if (conf_policy_has(p, CONF_POLICY_PROTO))
		buf_printf(out, " %s", p->proto == CONF_PROTO_H2 ? "h2" : "h1");
	if (conf_policy_has(p, CONF_POLICY_TLS))
		buf_printf(out, " %s", p->tls ? "tls" : "clear");
	if (conf_policy_has(p, CONF_POLICY_WEIGHT))
		buf_printf(out, " weight %u", p->weight);
	if (conf_policy_has(p, CONF_POLICY_SHARE))
		buf_printf(out, " share %u%s", p->share_percent, p->share_latest ? " latest" : "");
	if (conf_policy_has(p, CONF_POLICY_MAXCONN))
		buf_printf(out, " maxconn %u", p->maxconn);
	if (conf_policy_has(p, CONF_POLICY_BALANCE))
		buf_printf(out, " balance %d", (int)p->balance);
	if (conf_policy_has(p, CONF_POLICY_SLOWSTART))
		buf_printf(out, " slowstart %lld", (long long)p->slowstart_ms);
	if (s->has_retry)
		buf_printf(out, " %s", s->is_idempotent ? "idempotent" : "safe");
	if (s->check_set != 0) {
		struct conf_policy under = { .check = { .type = CONF_CHECK_INHERIT, .inter_ms = 2000 } };

		label_settings_overlay(s, 0, &under);
		buf_printf(out, " check %d" STR_FMT STR_FMT " %lld", (int)under.check.type,
		    STR_ARG(under.check.service), STR_ARG(under.check.path), (long long)under.check.inter_ms);
	}
}

static void
tell(struct buf *out, const struct label_set *set)
{
	static const char *const enables[] = { "", "on ", "off " };

	buf_printf(out, "%s%s", enables[set->enable], set->is_traefik ? "traefik " : "");
	for (size_t i = 0; i < set->n_endpoints; i++) {
		const struct label_endpoint *ep = &set->endpoints[i];

		buf_printf(out, "[" STR_FMT "%s", STR_ARG(ep->name), ep->is_disabled ? " off" : "");
		tell_policy(out, &ep->settings);
		if (ep->refusal.is_refused)
			buf_printf(out, " %s", ep->refusal.is_bad ? "bad" : "unhonoured");
		for (size_t k = 0; k < ep->n_routers; k++)
			tell_router(out, &ep->routers[k]);
		buf_put(out, STR("]"));
	}
	for (enum label_fate f = 0; f < LABEL_N_FATES; f++)
		if (set->counts[f] > 0)
			buf_printf(out, " %s %zu", label_fate_name(f), set->counts[f]);
}

/* A label per line. */
static size_t
split(struct str text, struct taskdef_label *labels)
{
	struct str one;
	size_t n = 0, at;

	while (n < LABELS_MAX && str_next(&text, '\n', &one)) {
		assert_true(str_find(one, '=', &at));
		labels[n++] = (struct taskdef_label){ str_first(one, at), str_skip(one, at + 1) };
	}
	return n;
}

static void
check(const struct label_rules *rules, const char *labels, const char *want)
{
	struct arena *a = arena_new((size_t)4 << 20);
	struct taskdef_label list[LABELS_MAX];
	struct buf out = buf_make(100000);
	const struct label_set *set = NULL;

	assert_true(label_read(a, rules, list, split(str_from_cstr(labels), list), &set));
	tell(&out, set);
	if (!str_eq(buf_str(&out), str_from_cstr(want)))
		fail_msg("%s\n gives \"" STR_FMT "\"\n not   \"%s\"", labels, STR_ARG(buf_str(&out)), want);
	buf_free(&out);
	arena_free(a);
}

static void
rollcalls_own_labels(void **state)
{
	(void)state;
	check(&plain, "rollcall.rule=Host(`A.example.COM`)", "[ <default a.example.com/>]");
	check(&plain,
	    "rollcall.backend=grpc\nrollcall.balance=leastconn\nrollcall.check=grpc\nrollcall.check.service=acme.Rng\n"
	    "rollcall.check.inter=500ms\nrollcall.enable=true\nrollcall.entrypoints=web, default\nrollcall.maxconn=7\n"
	    "rollcall.port=50051\nrollcall.priority=9\nrollcall.proto=h2\nrollcall.retry=idempotent\n"
	    "rollcall.rule=PathPrefix(`/acme.Rng/`)\nrollcall.share=10% latest\nrollcall.slowstart=5s\n"
	    "rollcall.tls=on\nrollcall.weight=50",
	    "on [ :50051 in grpc h2 tls weight 50 share 10 latest maxconn 7 balance 1 slowstart 5000 idempotent "
	    "check 4acme.Rng 500 <web,default 9 */acme.Rng/>]");
	check(&plain, "rollcall.check.path=/health", "[ check 3/health 2000]");
	check(&plain, "rollcall.share=10", "[ share 10]");
	check(&plain, "rollcall.priority=2147483647\nrollcall.rule=Host(`a`)", "[ <default 2147483647 a/>]");
	check(&plain, "rollcall.priority=2147483648\nrollcall.rule=Host(`a`)", "[ <default bad>] refused 1");
	check(&plain, "rollcall.enable=no", "off []");
	check(&plain, "rollcall.enable=no\nrollcall.Enable=yes", "off []");
	check(&plain, "rollcall.enable=maybe", "off [] refused 1");
	check(&plain, "rollcall.wieght=5\nsomething=else", "[] ignored 1");
}

static void
each_endpoint_of_a_container_has_its_own_keys(void **state)
{
	(void)state;
	check(&plain,
	    "rollcall.endpoints.admin.port=9000\nrollcall.endpoints.admin.rule=Host(`admin.example.com`)\n"
	    "rollcall.endpoints.grpc.port=50051\nrollcall.endpoints.grpc.proto=h2\n"
	    "rollcall.endpoints.grpc.rule=Host(`grpc.example.com`)\nrollcall.proto=h1",
	    "[admin :9000 h1 <default admin.example.com/>][grpc :50051 h2 <default grpc.example.com/>]");
	check(&plain, "rollcall.endpoints.a.enable=false\nrollcall.endpoints.a.port=1\nrollcall.port=2",
	    "[ :2][a off :1]");
	check(&plain, "rollcall.endpoints.a/b.port=1", "[] refused 1");
	check(&plain, "rollcall.endpoints.a.rule=Host(`a`)\nrollcall.port=2", "[ :2][a <default a/>]");
	check(&plain, "rollcall.endpoints.a.check=off\nrollcall.endpoints.a.port=1", "[a :1 check 1 2000]");
	check(&plain, "rollcall.endpoints.a.port=1\nrollcall.weight=x", "[a :1 bad] refused 1");
	check(&plain, "rollcall.endpoints.aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd.port=1",
	    "[aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd :1]");
	check(&plain, "rollcall.endpoints.aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde.port=1", "[] refused 1");
}

static void
rules_become_hosts_and_prefixes(void **state)
{
	static const struct {
		const char *rule, *want;
	} cases[] = {
		{ "Host(`a`)", " a/" },
		{ "Host(`b`, `a`, `b`)", " a/ b/" },
		{ "Host(\"a\")", " a/" },
		{ "Host(`a`) || Host(`b`)", " a/ b/" },
		{ "Host(`a`) && PathPrefix(`/x`)", " a/x" },
		{ "(Host(`a`) || Host(`b`)) && (PathPrefix(`/x`) || Path(`/y`))", " a/x a/y? b/x b/y?" },
		{ "Path(`/acme.Rng/Get`)", " */acme.Rng/Get?" },
		{ "PathPrefix(`/x`) && PathPrefix(`/x/y`)", " */x/y" },
		{ "PathPrefix(`/x`) && Path(`/x/y`)", " */x/y?" },
		{ "HostRegexp(`.+`) && PathPrefix(`/x`)", " */x" },
		{ "HostRegexp(`{any:.*}`)", " */" },
		{ "HostRegexp(`^a\\.example\\.com$`)", " a.example.com/" },
		{ "Host(`::1`)", " [::1]/" },
		{ "Host(`[2001:DB8:0::1]`)", " [2001:db8::1]/" },
		{ "Host(`127.0.0.1`)", " 127.0.0.1/" },
		{ "Host(`a.`)", " a/" },
		{ "Host:a,b;PathPrefix:/x", " a/x b/x" },
		{ "Host: a ; Path: /y", " a/y?" },
		{ "Host:a;", " a/" },
		{ "host(`a`)", " a/" },
		{ "Method(`POST`) && Host(`a`)", " unhonoured" },
		{ "Host(`a`) || ClientIP(`10.0.0.0/8`)", " unhonoured" },
		{ "!Host(`a`)", " unhonoured" },
		{ "Host(`a`) && !PathPrefix(`/x`)", " unhonoured" },
		{ "HostRegexp(`^[a-z]+\\.example\\.com$`)", " unhonoured" },
		{ "PathPrefix(`/x/{id:[0-9]+}`)", " unhonoured" },
		{ "Host:a;PathPrefixStrip:/x", " unhonoured" },
		{ "Host:a;Headers:x,y", " unhonoured" },
		{ "", " bad" },
		{ "Host()", " bad" },
		{ "Host(`a`", " bad" },
		{ "Host(`a`)) ", " bad" },
		{ "Host(`a`) & Host(`b`)", " bad" },
		{ "Host(`a`) && Host(`b`)", " bad" },
		{ "PathPrefix(`/a`) && PathPrefix(`/b`)", " bad" },
		{ "Hots(`a`)", " bad" },
		{ "Host(`a b`)", " bad" },
		{ "Host(`a;b`)", " bad" },
		{ "Host(`*.a`)", " bad" },
		{ "Host(`a:80`)", " bad" },
		{ "Host(`%[src]`)", " bad" },
		{ "PathPrefix(`x`)", " bad" },
		{ "PathPrefix(`/x y`)", " bad" },
		{ "PathPrefix(`/x?`)", " bad" },
		{ "PathPrefix(`/x#`)", " bad" },
		{ "PathPrefix(`/%[src]`)", " bad" },
		{ "PathPrefix(`/\"'`)", " bad" },
		{ "PathPrefix(`/x\x01`)", " bad" },
		{ "Host(`a`) && Path(`/x`) && Path(`/x`)", " a/x?" },
		{ "Path(`/x`) && PathPrefix(`/x/y`)", " bad" },
		{ "Path(`/x`) && Path(`/y`)", " bad" },
		{ "Path(`/x`) && PathPrefix(`/x`)", " */x?" },
		{ "PathPrefix(`/x`) && Path(`/x`)", " */x?" },
		{ "HostRegexp(\"^a\\.b$\")", " bad" }, /* an escape, which backticks need not */
		{ "Path(`/x/y`) && PathPrefix(`/x`)", " */x/y?" },
		{ "PathPrefix(`/x/y`) && PathPrefix(`/x`)", " */x/y" },
		{ "Host(`a`) && Host(`a`)", " a/" },
		{ "HostRegexp(`^.*$`)", " */" },
		{ "HostRegexp(`{any:^.+$}`)", " */" },
		{ "HostRegexp(`{x}`)", " unhonoured" },
		{ "HostRegexp(`{x:a`)", " unhonoured" },
		{ "HostRegexp(`^a`)", " unhonoured" },
		{ "HostRegexp(`a$`)", " unhonoured" },
		{ "HostRegexp(`^$`)", " unhonoured" },
		{ "HostRegexp(`^a\\`)", " unhonoured" },
		{ "HostRegexp(`^a\\d$`)", " unhonoured" },
		{ "HostRegexp(`^a\\.\\.b$`)", " unhonoured" },
		{ "HostRegexp(`^my-host$`)", " my-host/" },
		{ "HostSNI(`a`)", " unhonoured" },
		{ "Host(\"a\\\"b\")", " bad" },
		{ "Host(a)", " bad" },
		{ "Host(`a)", " bad" },
		{ "Host(`a` `b`)", " bad" },
		{ "Host(`a`,)", " bad" },
		{ "Host (`a`)", " a/" },
		{ "(Host(`a`)", " bad" },
		{ "||", " bad" },
		{ "Host(`a`) ||", " bad" },
		{ "Host:", " bad" },
		{ ":a", " bad" },
		{ ";", " bad" },
		{ "Host:a;;PathPrefix:/x", " a/x" },
		{ "Ho-st:a", " bad" },
		{ "Host:a;x", " bad" },
		{ "Host(`a..b`)", " bad" },
		{ "Host(`.a`)", " bad" },
		{ "Host(`.`)", " bad" },
		{ "Host(`[::1`)", " bad" },
		{ "Host(`[]`)", " bad" },
		{ "Host(`1:2:3`)", " bad" },
		{ "Host(``)", " bad" },
		{ "PathPrefix(``)", " bad" },
	};
	char labels[500], want[600];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		bool is_refused = cases[i].want[1] == 'b' && strcmp(cases[i].want, " bad") == 0;
		bool is_unhonoured = strcmp(cases[i].want, " unhonoured") == 0;

		(void)snprintf(labels, sizeof(labels), "rollcall.rule=%s", cases[i].rule);
		(void)snprintf(want, sizeof(want), "[ <default%s>]%s%s", cases[i].want,
		    is_unhonoured ? " not honoured 1" : "", is_refused ? " refused 1" : "");
		check(&plain, labels, want);
	}
}

static void
the_articles_own_labels(void **state)
{
	(void)state;
	check(&plain,
	    "traefik.backend=rng\ntraefik.enable=true\ntraefik.frontend.entryPoints=web\n"
	    "traefik.frontend.rule=Host:rng.example.com\ntraefik.port=50051\ntraefik.protocol=h2c\ntraefik.weight=3",
	    "on traefik [ :50051 in rng h2 weight 3 <web rng.example.com/>]");
}

static void
traefik_v1(void **state)
{
	(void)state;
	check(&plain,
	    "traefik.admin.frontend.rule=Host:admin\ntraefik.admin.port=9000\ntraefik.api.frontend.rule=Host:api\n"
	    "traefik.api.port=8080\ntraefik.api.protocol=h2c\ntraefik.weight=2",
	    "traefik [admin :9000 weight 2 <default admin/>][api :8080 h2 weight 2 <default api/>]");
	check(&plain,
	    "traefik.backend.healthcheck.interval=10\ntraefik.backend.healthcheck.path=/ok\n"
	    "traefik.backend.loadbalancer.method=wrr\ntraefik.backend.loadbalancer.sticky=true\n"
	    "traefik.backend.maxconn.amount=10\ntraefik.frontend.passHostHeader=true\ntraefik.frontend.rule=Host:a\n"
	    "traefik.tags=x",
	    "traefik [ maxconn 10 balance 0 check 3/ok 10000 <default a/>] ignored 3");
	check(&plain, "traefik.frontend.auth.basic=u:p\ntraefik.frontend.rule=Host:a",
	    "traefik [ <default unhonoured>] not honoured 1");
	check(&plain, "traefik.frontend.entryPoints=nowhere\ntraefik.frontend.rule=Host:a",
	    "traefik [ < unhonoured>] not honoured 1");
}

#define SERVICE(key, value) "traefik.http.services.s.loadbalancer." key "=" value

static void
traefik_v2_and_v3(void **state)
{
	(void)state;
	check(&plain,
	    "traefik.enable=true\ntraefik.http.routers.R.entrypoints=web\ntraefik.http.routers.R.priority=5\n"
	    "traefik.http.routers.R.rule=Host(`a`) && PathPrefix(`/acme.Rng/`)\n"
	    "traefik.http.services.s.loadbalancer.healthcheck.interval=3s\n"
	    "traefik.http.services.s.loadbalancer.healthcheck.mode=grpc\n"
	    "traefik.http.services.s.loadbalancer.passhostheader=true\n"
	    "traefik.http.services.s.loadbalancer.server.port=50051\n"
	    "traefik.http.services.s.loadbalancer.server.scheme=h2c\n"
	    "traefik.http.services.s.loadbalancer.server.weight=2\ntraefik.http.services.s.loadbalancer.strategy=p2c",
	    "on traefik [ :50051 h2 weight 2 balance 2 check 4 3000 <web 5 a/acme.Rng/>]");
	check(&plain,
	    "traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.routers.a.service=one\n"
	    "traefik.http.routers.b.rule=Host(`b`)\ntraefik.http.routers.b.service=two@ecs\n"
	    "traefik.http.services.one.loadbalancer.server.port=1\ntraefik.http.services.two.loadbalancer.server.port="
	    "2",
	    "traefik [one :1 <default a/>][two :2 <default b/>]");
	check(&plain, "traefik.http.routers.a.middlewares=auth\ntraefik.http.routers.a.rule=Host(`a`)",
	    "traefik [ <default unhonoured>] not honoured 1");
	check(&plain, "traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.routers.a.tls.options=strict",
	    "traefik [ <default unhonoured>] not honoured 1");
	check(&plain,
	    "traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.routers.a.tls=true\n"
	    "traefik.http.routers.a.tls.domains[0].main=a",
	    "traefik [ <default a/>] ignored 2");
	check(&plain, "traefik.http.routers.a.newthing=1\ntraefik.http.routers.a.rule=Host(`a`)",
	    "traefik [ <default unhonoured>] not honoured 1");
	check(&plain, "traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.routers.a.service=api@internal",
	    "traefik [ <default unhonoured>] not honoured 1");
	check(&plain,
	    "traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.routers.a.service=other\n" SERVICE("server.port", "1"),
	    "traefik [ :1 <default unhonoured>] not honoured 1");
	check(&plain,
	    "traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.services.one.loadbalancer.server.port=1\n"
	    "traefik.http.services.two.loadbalancer.server.port=2",
	    "traefik [one :1 <default bad>][two :2] refused 1");
	check(&plain, "traefik.frontend.rule=Host:old\ntraefik.http.routers.a.rule=Host(`a`)",
	    "traefik [ <default a/>] ignored 1");
	check(&plain, "traefik.tcp.routers.a.rule=HostSNI(`a`)", "traefik [] ignored 1");
}

/* What Traefik calls a scheme, a protocol, a method or a strategy, in HAProxy's terms. */
static void
traefiks_words_become_haproxys(void **state)
{
	static const struct {
		const char *label, *want;
	} rows[] = {
		{ SERVICE("server.scheme", "h2c"), "traefik [ h2]" },
		{ SERVICE("server.scheme", " HTTP "), "traefik [ h1]" },
		{ SERVICE("server.scheme", "https"), "traefik [ h2 tls]" },
		{ SERVICE("server.scheme", "ftp"), "traefik [ bad] refused 1" },
		{ SERVICE("strategy", "wrr"), "traefik [ balance 0]" },
		{ SERVICE("strategy", "p2c"), "traefik [ balance 2]" },
		{ SERVICE("strategy", "leasttime"), "traefik [ balance 1] ignored 1" },
		{ SERVICE("strategy", "hrw"), "traefik [] ignored 1" },
		{ SERVICE("healthcheck.mode", "http"), "traefik [ check 3 2000]" },
		{ SERVICE("healthcheck.mode", "tcp"), "traefik [ bad] refused 1" },
		{ SERVICE("passhostheader", "true"), "traefik []" },
		{ SERVICE("passhostheader", "false"), "traefik [] ignored 1" },
		{ SERVICE("server.url", "http://x"), "traefik [ unhonoured] not honoured 1" },
		{ SERVICE("sticky.cookie", "true"), "traefik [] ignored 1" },
		{ "traefik.http.services.s.weighted=x", "traefik [ unhonoured] not honoured 1" },
		{ "traefik.http.services.=x", "traefik [] ignored 1" },
		{ "traefik.protocol=h2c", "traefik [ h2]" },
		{ "traefik.protocol=http", "traefik [ h1]" },
		{ "traefik.protocol=https", "traefik [ h2 tls]" },
		{ "traefik.protocol=ftp", "traefik [ bad] refused 1" },
		{ "traefik.backend.loadbalancer.method=wrr", "traefik [ balance 0]" },
		{ "traefik.backend.loadbalancer.method=drr", "traefik [ balance 1] ignored 1" },
		{ "traefik.backend.loadbalancer.method=x", "traefik [ bad] refused 1" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		check(&plain, rows[i].label, rows[i].want);
}

/* A segment of v1 has what its container says, unless it says otherwise; a refusal goes along. */
static void
a_segment_inherits(void **state)
{
	(void)state;
	check(&plain,
	    "traefik.a.frontend.rule=Host:a\ntraefik.frontend.entryPoints=web\ntraefik.port=7\ntraefik.b.port=8\n"
	    "traefik.b.frontend.entryPoints=default\ntraefik.b.frontend.rule=Host:b",
	    "traefik [a :7 <web a/>][b :8 <default b/>]");
	check(&plain, "traefik.a.frontend.rule=Host:a\ntraefik.frontend.auth.basic=x",
	    "traefik [a <default unhonoured>] not honoured 1");
	check(&plain, "traefik.a.port=7\ntraefik.protocol=ftp", "traefik [a :7 bad] refused 1");
	check(&plain, "traefik.a.port=7\ntraefik.a.protocol=gopher\ntraefik.weight=3",
	    "traefik [a :7 weight 3 bad] refused 1");
	check(&plain, "traefik.a.port=7\ntraefik.backend=web", "traefik [ in web][a :7]");
	check(&plain, "traefik.a.port=7\ntraefik.frontend.rule=Host:b", "traefik [ <default b/>][a :7]");
}

static void
what_the_operator_allows_is_passed_over(void **state)
{
	struct label_rules rules = plain;

	(void)state;
	rules.allow_unhonoured = (struct conf_list){ allowed, 2 };
	check(&rules, "traefik.http.routers.a.middlewares=auth\ntraefik.http.routers.a.rule=Host(`a`)",
	    "traefik [ <default a/>] passed over 1");
	check(&rules, "rollcall.endpoints.odd.rule=Host(`a`) && Method(`GET`) || Method(`PUT`)",
	    "[odd <default a/>] passed over 1");
	check(&rules, "rollcall.endpoints.odd.rule=Method(`GET`)", "[odd <default bad>] passed over 1 refused 1");
	/* Nothing is left that would keep it from all calls. */
	check(&rules, "rollcall.endpoints.odd.rule=HostRegexp(`.+`) && Method(`GET`)",
	    "[odd <default bad>] passed over 1 refused 1");
	check(&rules, "rollcall.endpoints.odd.rule=HostRegexp(`^[a-z]+$`)",
	    "[odd <default bad>] passed over 1 refused 1");
	check(&rules, "rollcall.endpoints.Odd.Rule=Host(`a`) && Method(`GET`)", "[Odd <default a/>] passed over 1");
}

static void
without_a_default_entrypoint_each_router_names_its_own(void **state)
{
	struct label_rules rules = plain;

	(void)state;
	rules.entrypoints = (struct conf_pairs){ &entrypoints[1], 1 };
	check(&rules, "rollcall.rule=Host(`a`)", "[ <default unhonoured>]");
	check(&rules, "rollcall.entrypoints=web\nrollcall.rule=Host(`a`)", "[ <web a/>]");
}

static void
rollcalls_labels_beat_traefiks(void **state)
{
	struct label_rules rules = plain;

	(void)state;
	check(&plain, "rollcall.weight=7\ntraefik.frontend.rule=Host:a\ntraefik.port=1\ntraefik.weight=2",
	    "[ :1 weight 7 <default a/>]");
	check(&plain, "rollcall.rule=Host(`b`)\ntraefik.frontend.rule=Host:a", "[ <default b/>] ignored 1");
	check(&plain, "rollcall.port=5\ntraefik.frontend.rule=Host:a", "[ :5] ignored 1");
	check(&plain, "rollcall.backend=b\ntraefik.frontend.rule=Host:a", "[ in b] ignored 1");
	check(&plain, "rollcall.check=off\ntraefik.frontend.rule=Host:a", "[ check 1 2000 <default a/>]");
	check(&plain, "rollcall.weight=x\ntraefik.frontend.rule=Host:a", "[ bad <default a/>] refused 1");
	check(&plain, "rollcall.enable=true\ntraefik.enable=false", "off []");
	check(&plain, "rollcall.enable=false\ntraefik.enable=true", "off []");
	check(&plain, "traefik.enable=false\ntraefik.Enable=true", "off traefik []");
	rules.dialects.n = 1;
	check(&rules, "rollcall.weight=7\ntraefik.frontend.rule=Host:a", "[ weight 7]");
	rules.dialects.n = 0;
	check(&rules, "rollcall.rule=Host(`b`)\ntraefik.frontend.rule=Host:a", "[]");
}

static void
hostile_values_are_refused(void **state)
{
	static const char *const bad[] = { "rollcall.port=0", "rollcall.port=65536", "rollcall.port=80a",
		"rollcall.port=+1", "rollcall.backend=a b", "rollcall.backend=a;b", "rollcall.backend=a\"b",
		"rollcall.backend=%[src]", "rollcall.backend=", "rollcall.proto=h3", "rollcall.tls=perhaps",
		"rollcall.weight=-1", "rollcall.weight=1.5", "rollcall.weight=99999999999999999999",
		"rollcall.share=101", "rollcall.share=10 oldest", "rollcall.balance=first", "rollcall.slowstart=5",
		"rollcall.maxconn=0", "rollcall.check=ping", "rollcall.check.path=/a b", "rollcall.check.path=/a\\r",
		"rollcall.check.service=a/b", "rollcall.check.inter=0ms", "rollcall.drain_timeout=soon",
		"rollcall.retry=always", "rollcall.weight=1\x7f", "rollcall.weight=1000001",
		"rollcall.maxconn=10000001", "rollcall.check.inter=9ms", "rollcall.check.inter=61m",
		"rollcall.check.timeout=9ms", "rollcall.drain_timeout=25h", "rollcall.slowstart=25h" };
	char want[100];

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		(void)snprintf(want, sizeof(want), "[ bad] refused 1");
		check(&plain, bad[i], want);
	}
}

static void
large_values_are_refused_unread(void **state)
{
	static char value[1 << 20];
	struct taskdef_label l = { STR("rollcall.rule"), { value, sizeof(value) } };
	struct arena *a = arena_new((size_t)1 << 20);
	const struct label_set *set = NULL;

	(void)state;
	memset(value, 'a', sizeof(value));
	for (size_t i = 0; i < 2; i++) {
		l.value.len = i > 0 ? sizeof(value) : LABEL_TEXT_VALUE_MAX + 1;
		assert_true(label_read(a, &plain, &l, 1, &set));
		assert_true(set->endpoints[0].routers[0].refusal.is_bad);
		assert_str(set->notes[0].reason, "more than 8192 bytes");
	}
	l.value.len = LABEL_TEXT_VALUE_MAX;
	assert_true(label_read(a, &plain, &l, 1, &set));
	assert_false(str_eq(set->notes[0].reason, STR("more than 8192 bytes")));
	value[5] = '\0';
	l.value.len = 20;
	assert_true(label_read(a, &plain, &l, 1, &set));
	assert_true(set->endpoints[0].routers[0].refusal.is_bad);
	arena_free(a);
}

static void
a_rule_of_too_many_routes_is_refused(void **state)
{
	struct buf text = buf_make(LABEL_TEXT_VALUE_MAX);
	struct taskdef_label l = { .name = STR("rollcall.rule") };
	struct arena *a = arena_new((size_t)1 << 20);
	const struct label_set *set = NULL;

	(void)state;
	for (unsigned side = 0; side < 2; side++) {
		buf_printf(&text, "%s(", side > 0 ? " && " : "");
		for (unsigned i = 0; i < 20; i++)
			buf_printf(&text, "%s%s%u`)", i > 0 ? " || " : "", side > 0 ? "PathPrefix(`/" : "Host(`", i);
		buf_put(&text, STR(")"));
	}
	l.value = buf_str(&text);
	assert_true(label_read(a, &plain, &l, 1, &set));
	assert_true(set->endpoints[0].routers[0].refusal.is_bad);
	assert_str(set->notes[0].reason, "it stands for 400 routes: at most 256 are taken of one rule");
	buf_free(&text);
	arena_free(a);
}

/* TEXT REPEATED n times, between two others. */
static struct str
repeat(struct buf *out, const char *before, const char *text, size_t n, const char *after)
{
	buf_reset(out);
	buf_put(out, str_from_cstr(before));
	for (size_t i = 0; i < n; i++)
		buf_put(out, str_from_cstr(text));
	buf_put(out, str_from_cstr(after));
	return buf_str(out);
}

/* What a rule may have, and with one more it is refused. */
static void
an_expression_has_limits(void **state)
{
	static const struct {
		const char *before, *text, *after;
		size_t n;
		bool is_v1;
	} rows[] = {
		{ "", "(", "A(`a`)", LABEL_EXPR_DEPTH_MAX - 1, false },
		{ "", "!", "A(`a`)", LABEL_EXPR_DEPTH_MAX - 1, false },
		{ "A(`a`", ",`b`", ")", LABEL_EXPR_ARGS_MAX - 1, false },
		{ "A:a", ",b", "", LABEL_EXPR_ARGS_MAX - 1, true },
		{ "A(`a`)", " ", "", LABEL_EXPR_TEXT_MAX - 6, false },
	};
	struct buf text = buf_make(2 * LABEL_EXPR_TEXT_MAX);
	struct arena *a = arena_new((size_t)1 << 20);
	const struct label_expr *tree;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (size_t more = 0; more < 2; more++) {
			struct str s = repeat(&text, rows[i].before, rows[i].text, rows[i].n + more, rows[i].after);
			enum err_code code = rows[i].is_v1 ? label_expr_parse_v1(a, s, &tree, NULL)
							   : label_expr_parse(a, s, &tree, NULL);

			CHECK_ROW((code == ERR_LIMIT) == (more > 0), i, rows[i].text);
		}
	for (size_t more = 0; more < 2; more++) { /* a part is a call, what joins two, or a `!` */
		struct str s = repeat(&text, more > 0 ? "!!" : "!", "A(`a`)||", LABEL_EXPR_NODES_MAX / 2 - 1, "A(`a`)");

		assert_int_equal(label_expr_parse(a, s, &tree, NULL), more > 0 ? ERR_LIMIT : ERR_OK);
	}
	buf_free(&text);
	arena_free(a);
}

/* One label of such a value, and what becomes of it. */
static void
check_value(const char *label, struct str value, bool is_taken)
{
	const struct taskdef_label list[] = { { str_from_cstr(label), value },
		{ STR("rollcall.endpoints.x.rule"), STR("Host(`x`)") } };
	struct arena *a = arena_new((size_t)4 << 20);
	const struct label_set *set = NULL;

	assert_true(label_read(a, &plain, list, 2, &set));
	CHECK_ROW((set->counts[LABEL_BAD] == 0) == is_taken, value.len, label);
	arena_free(a);
}

static void
what_a_rule_holds_has_limits(void **state)
{
	struct buf text = buf_make(2 * LABEL_TEXT_VALUE_MAX), hosts = buf_make(LABEL_TEXT_VALUE_MAX);

	(void)state;
	(void)repeat(&hosts, "Host(`a`", ",`a`", LABEL_EXPR_ARGS_MAX - 1, ")||");
	buf_put_u8(&hosts, '\0');
	for (size_t more = 0; more < 2; more++) {
		check_value("rollcall.rule", repeat(&text, "Host(`", "a", 253 + more, "`)"), more == 0);
		check_value("rollcall.rule", repeat(&text, "PathPrefix(`/", "a", LABEL_TEXT_PATH_MAX - 1 + more, "`)"),
		    more == 0);
		check_value("rollcall.rule",
		    repeat(&text, "", (const char *)hosts.ptr, LABEL_PLACES_MAX / LABEL_EXPR_ARGS_MAX,
			more > 0 ? "Host(`a`)" : "Host(`a`) && Host(`b`)"),
		    more == 0);
		check_value("rollcall.endpoints.x.entrypoints",
		    repeat(&text, "web", ",web", LABEL_ENTRYPOINTS_MAX - 1 + more, ""), more == 0);
	}
	buf_free(&text);
	buf_free(&hosts);
}

static void
a_container_has_so_many_endpoints_and_notes(void **state)
{
	static struct taskdef_label list[LABEL_NOTES_MAX + 1];
	static char names[LABEL_ENDPOINTS_MAX + 1][100], routers[LABEL_ROUTERS_MAX + 1][100];
	struct arena *a = arena_new((size_t)4 << 20);
	const struct label_set *set = NULL;

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "traefik.http.services.s%zu.loadbalancer.server.port", i);
		list[i] = (struct taskdef_label){ str_from_cstr(names[i]), STR("1") };
	}
	assert_true(label_read(a, &plain, list, LABEL_ENDPOINTS_MAX, &set));
	assert_int_equal(set->n_endpoints, LABEL_ENDPOINTS_MAX);
	assert_int_equal(set->counts[LABEL_BAD], 0);
	assert_true(label_read(a, &plain, list, LABEL_ENDPOINTS_MAX + 1, &set));
	assert_int_equal(set->n_endpoints, LABEL_ENDPOINTS_MAX);
	assert_int_equal(set->counts[LABEL_BAD], 1);
	for (size_t i = 0; i < N_OF(routers); i++) {
		(void)snprintf(routers[i], sizeof(routers[i]), "traefik.http.routers.r%zu.rule", i);
		list[i] = (struct taskdef_label){ str_from_cstr(routers[i]), STR("Host(`a`)") };
	}
	for (size_t more = 0; more < 2; more++) {
		assert_true(label_read(a, &plain, list, LABEL_ROUTERS_MAX + more, &set));
		assert_int_equal(set->endpoints[0].n_routers, LABEL_ROUTERS_MAX);
		assert_int_equal(set->counts[LABEL_BAD], more);
	}
	for (size_t i = 0; i < N_OF(list); i++)
		list[i] = (struct taskdef_label){ STR("rollcall.x"), STR("1") };
	assert_true(label_read(a, &plain, list, N_OF(list), &set));
	assert_int_equal(set->n_notes, LABEL_NOTES_MAX); /* the others are counted */
	assert_int_equal(set->counts[LABEL_IGNORED], LABEL_NOTES_MAX + 1);
	arena_free(a);
}

static void
a_deep_expression_is_refused(void **state)
{
	char text[200];
	const struct label_expr *tree;
	struct arena *a = arena_new((size_t)1 << 20);
	struct err e = ERR_INIT;

	(void)state;
	memset(text, '(', sizeof(text));
	assert_int_equal(label_expr_parse(a, str_of(text, sizeof(text)), &tree, &e), ERR_LIMIT);
	memset(text, '!', sizeof(text));
	assert_int_equal(label_expr_parse(a, str_of(text, sizeof(text)), &tree, &e), ERR_LIMIT);
	arena_free(a);
}

/* ---- constraints ---- */

static const struct taskdef_label some[] = {
	{ { "stage", 5 }, { "prod", 4 } },
	{ { "team", 4 }, { "blue", 4 } },
};

static void
constraints(void **state)
{
	static const struct {
		const char *text;
		bool admits;
	} cases[] = {
		{ "", true },
		{ "Label(`stage`,`prod`)", true },
		{ "Label(`stage`,`test`)", false },
		{ "Label(`stage`,`PROD`)", false },
		{ "Label(`absent`,``)", false },
		{ "!Label(`stage`,`prod`)", false },
		{ "!Label(`absent`,`x`)", true },
		{ "Label(`stage`,`prod`) && Label(`team`,`red`)", false },
		{ "Label(`stage`,`prod`) || Label(`team`,`red`)", true },
		{ "!(Label(`stage`,`test`) || Label(`team`,`red`))", true },
		{ "LabelRegex(`team`,`^(blue|green)$`)", true },
		{ "LabelRegex(`team`,`lu`)", true },
		{ "LabelRegex(`team`,`^lu`)", false },
		{ "LabelRegex(`absent`,`.*`)", false },
		{ "LabelRegex(`team`,`red`) || LabelRegex(`stage`,`^p`)", true },
		{ "Label(`absent`,`x`) && Label(`stage`,`prod`)", false },
		{ "Label(`absent`,`x`) || Label(`team`,`red`)", false },
		{ "  ", true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct label_constraint *c = NULL;

		assert_int_equal(label_constraint_make(str_from_cstr(cases[i].text), &c, NULL), ERR_OK);
		CHECK_ROW(label_constraint_admits(c, some, N_OF(some)) == cases[i].admits, i, cases[i].text);
		label_constraint_free(c);
	}
}

static void
what_is_no_constraint_is_refused(void **state)
{
	static const char *const bad[] = { "Label(`a`)", "Label(`a`,`b`,`c`)", "Tag(`a`,`b`)", "LabelRegex(`a`,`(`)",
		"Label(a,b)", "Label(`a`,`b`) Label(`a`,`b`)", "&&", "!" };
	struct label_constraint *c = NULL;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		CHECK_ROW(label_constraint_make(str_from_cstr(bad[i]), &c, &e) != ERR_OK, i, bad[i]);
		assert_true(e.msg[0] != '\0');
	}
	assert_null(c);
}

/* ---- those of rollcall.yaml ---- */

static void
rules_and_constraints_of_the_configuration_are_checked(void **state)
{
	static const struct {
		const char *default_rule, *constraints, *rule;
		const char *says; /* null: nothing is wrong */
		size_t n;
	} rows[] = {
		{ "", "", "", NULL, 0 },
		{ "Host(`{service}.{cluster}.example`)", "Label(`a`,`b`)", "Host(`a`)", NULL, 0 },
		{ "Host(`{container}-{family}.{name}.a`)", "", "", NULL, 0 },
		{ "Host(`{task}`)", "", "", "`default_rule`: `{task}` is no host name", 1 },
		{ "Host(`{service`)", "", "", "`default_rule`: `{service` is no host name", 1 },
		{ "Method(`GET`)", "", "", "`default_rule`: Method can't be told as a host and a prefix of the path",
		    1 },
		{ "", "Tag(`a`,`b`)", "", "`constraints`: `Tag`", 1 },
		{ "", "LabelRegex(`a`,`(`)", "", "`constraints`: `(`", 1 },
		{ "", "", "Hots(`a`)", "`rule`: `Hots` is no matcher", 1 },
		{ "", "", "Host(`a`) && !Path(`/x`)", "`rule`: ! can't be told", 1 },
		{ "x", "x", "x", "`default_rule`: ", 3 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct conf_source source = { .constraints = str_from_cstr(rows[i].constraints),
			.constraints_where = { .line = 2, .column = 1 } };
		const struct conf_backend backend = { .rule = str_from_cstr(rows[i].rule),
			.rule_where = { .line = 3, .column = 1 } };
		const struct conf conf = { .sources = &source,
			.n_sources = 1,
			.backends = &backend,
			.n_backends = 1,
			.haproxy = { .default_rule = str_from_cstr(rows[i].default_rule),
			    .default_rule_where = { .line = 1, .column = 1 } } };
		struct arena *a = arena_new((size_t)1 << 20);
		struct conf_notes faults = { .n = 0 };
		struct err e = ERR_INIT;
		enum err_code code = label_conf_check(a, &conf, &faults, &e);

		CHECK_ROW(code == (rows[i].says == NULL ? ERR_OK : ERR_CONF) && faults.n == rows[i].n, i, e.msg);
		if (rows[i].says != NULL) {
			CHECK_ROW(strstr(e.msg, rows[i].says) == e.msg, i, e.msg);
			CHECK_ROW(str_has_prefix(faults.notes[0].text, str_from_cstr(rows[i].says)), i, e.msg);
		}
		if (faults.n == 1)
			CHECK_ROW(faults.notes[0].where.line == (rows[i].default_rule[0] != '\0'     ? 1
								    : rows[i].constraints[0] != '\0' ? 2
												     : 3),
			    i, e.msg);
		arena_free(a);
	}
}

static void
a_value_that_cannot_be_read_keeps_out(void **state)
{
	static char value[LABEL_CONSTRAINT_VALUE_MAX + 1];
	struct taskdef_label l = { STR("stage"), { value, sizeof(value) } };
	struct label_constraint *c = NULL;

	(void)state;
	memset(value, 'x', sizeof(value));
	assert_int_equal(label_constraint_make(STR("!Label(`stage`,`prod`)"), &c, NULL), ERR_OK);
	assert_false(label_constraint_admits(c, &l, 1));
	l.value.len--;
	assert_true(label_constraint_admits(c, &l, 1));
	label_constraint_free(c);
}

/* Also where the rest would do: who reads only half of them may read it the other way round. */
static void
a_value_that_cannot_be_read_keeps_out_wherever_it_stands(void **state)
{
	static char value[LABEL_CONSTRAINT_VALUE_MAX + 1];
	const struct taskdef_label list[] = { { STR("team"), STR("blue") },
		{ STR("stage"), { value, sizeof(value) } } };
	static const char *const texts[] = { "Label(`team`,`blue`) || Label(`stage`,`x`)",
		"Label(`stage`,`x`) || Label(`team`,`blue`)", "Label(`team`,`blue`) || LabelRegex(`stage`,`x`)" };

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct label_constraint *c = NULL;

		assert_int_equal(label_constraint_make(str_from_cstr(texts[i]), &c, NULL), ERR_OK);
		CHECK_ROW(!label_constraint_admits(c, list, 2), i, texts[i]);
		CHECK_ROW(label_constraint_admits(c, list, 1), i, texts[i]);
		label_constraint_free(c);
	}
}

static void
a_constraint_has_so_many_regular_expressions(void **state)
{
	struct buf text = buf_make(LABEL_EXPR_TEXT_MAX);
	struct label_constraint *c = NULL;

	(void)state;
	assert_int_equal(
	    label_constraint_make(repeat(&text, "LabelRegex(`a`,`b`)", "||LabelRegex(`a`,`b`)", 31, ""), &c, NULL),
	    ERR_OK);
	label_constraint_free(MOVE(c));
	assert_int_equal(
	    label_constraint_make(repeat(&text, "LabelRegex(`a`,`b`)", "||LabelRegex(`a`,`b`)", 32, ""), &c, NULL),
	    ERR_LIMIT);
	assert_null(c);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rollcalls_own_labels),
		cmocka_unit_test(each_endpoint_of_a_container_has_its_own_keys),
		cmocka_unit_test(rules_become_hosts_and_prefixes),
		cmocka_unit_test(the_articles_own_labels),
		cmocka_unit_test(traefik_v1),
		cmocka_unit_test(traefik_v2_and_v3),
		cmocka_unit_test(traefiks_words_become_haproxys),
		cmocka_unit_test(a_segment_inherits),
		cmocka_unit_test(what_the_operator_allows_is_passed_over),
		cmocka_unit_test(without_a_default_entrypoint_each_router_names_its_own),
		cmocka_unit_test(rollcalls_labels_beat_traefiks),
		cmocka_unit_test(hostile_values_are_refused),
		cmocka_unit_test(large_values_are_refused_unread),
		cmocka_unit_test(a_rule_of_too_many_routes_is_refused),
		cmocka_unit_test(an_expression_has_limits),
		cmocka_unit_test(what_a_rule_holds_has_limits),
		cmocka_unit_test(a_container_has_so_many_endpoints_and_notes),
		cmocka_unit_test(a_deep_expression_is_refused),
		cmocka_unit_test(constraints),
		cmocka_unit_test(what_is_no_constraint_is_refused),
		cmocka_unit_test(rules_and_constraints_of_the_configuration_are_checked),
		cmocka_unit_test(a_value_that_cannot_be_read_keeps_out),
		cmocka_unit_test(a_value_that_cannot_be_read_keeps_out_wherever_it_stands),
		cmocka_unit_test(a_constraint_has_so_many_regular_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
