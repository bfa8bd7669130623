/*
 * backends.cfg as text: what each key of an entry adds, the same bytes for the same
 * input, and nothing in it that HAProxy would not read as it stands.  Each text below
 * was taken by HAProxy 2.6, 3.0, 3.2 and 3.4; with RENDER_TO in the environment they
 * are written there, for whoever wants to ask another version.
 */
#include "config.h"

#include <stdlib.h>

#include "unit.h"

#include "conf/conf_policy.h"
#include "hap/hap_render.h"
#include "hap/hap_server_line.h"

#define AGENT " agent-check agent-addr 127.0.0.1 agent-port 4320 agent-inter 900ms"

#define TEXT_MAX ((size_t)1 << 20)
#define HEADER                                     \
	"# Written by rollcall: edits are lost.\n" \
	"# HAProxy reads it beside haproxy.cfg, after it: haproxy -f haproxy.cfg -f backends.cfg\n"

struct page {
	struct conf_backend conf[3];
	struct hap_render_server servers[3];
	struct hap_render_backend backends[3];
	struct hap_render_file file;
};

/* One backend "web" with two servers; policies to be changed before it is rendered. */
static struct page *
page(void)
{
	struct page *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	for (size_t i = 0; i < 3; i++) {
		p->conf[i] =
		    (struct conf_backend){ .name = STR("web"), .managed = true, .policy = conf_policy_builtin() };
		p->backends[i] = (struct hap_render_backend){ .conf = &p->conf[i] };
	}
	p->servers[0] = (struct hap_render_server){ STR("rc_aa_app_50051"), STR("10.0.0.1"), 50051, &p->conf[0].policy,
		100, false, false };
	p->servers[1] = (struct hap_render_server){ STR("rc_bb_app_50051"), STR("fd00::2"), 50051, &p->conf[0].policy,
		256, false, false };
	p->backends[0].servers = p->servers;
	p->backends[0].n_servers = 2;
	p->file = (struct hap_render_file){ STR("rollcall"), 3, 0, p->backends, 1, NULL, 0 };
	return p;
}

static void
keep(struct str text, const char *name)
{
	const char *dir = getenv("RENDER_TO");
	char path[500];
	FILE *f;

	if (dir == NULL)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s.cfg", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	(void)fprintf(f, STR_FMT, STR_ARG(text));
	assert_int_equal(fclose(f), 0);
}

static void
assert_page(struct page *p, const char *name, const char *text)
{
	struct buf out = buf_make(TEXT_MAX), again = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;

	if (hap_render(&p->file, &out, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	assert_str(buf_str(&out), text);
	assert_int_equal(hap_render(&p->file, &again, &e), ERR_OK);
	assert_true(str_eq(buf_str(&out), buf_str(&again)));
	keep(buf_str(&out), name);
	buf_free(&out);
	buf_free(&again);
	free(p);
}

static void
assert_refused(struct page *p, enum err_code code, const char *words)
{
	struct buf out = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;

	buf_put(&out, STR("before"));
	assert_int_equal(hap_render(&p->file, &out, &e), code);
	if (strstr(e.msg, words) == NULL)
		fail_msg("%s (and not %s)", e.msg, words);
	assert_str(buf_str(&out), "before");
	buf_free(&out);
	free(p);
}

static void
no_backend_is_a_file_that_haproxy_reads(void **state)
{
	struct page *p = page();

	(void)state;
	p->file.n_backends = 0;
	assert_page(p, "none", HEADER);
}

/* The words are those of `add server`: a reload changes nothing of a server. */
static void
a_plain_entry_has_the_settings_of_the_defaults_section(void **state)
{
	struct page *p = page();
	struct hap_server_line words = { .policy = &p->conf[0].policy, .weight = 100, .ca_file = STR(""), .major = 3 };
	struct buf want = buf_make(TEXT_MAX);

	(void)state;
	buf_put(&want, STR(HEADER "\nbackend web from rollcall\n\tmode http\n\tserver rc_aa_app_50051 10.0.0.1:50051"));
	assert_int_equal(hap_server_line_put(&words, &want, NULL), ERR_OK);
	buf_put(&want, STR("\n\tserver rc_bb_app_50051 [fd00::2]:50051"));
	words.weight = 256;
	assert_int_equal(hap_server_line_put(&words, &want, NULL), ERR_OK);
	buf_put(&want, STR("\n"));
	buf_put_u8(&want, '\0');
	assert_non_null(strstr((const char *)want.ptr, " check "));
	assert_page(p, "plain", (const char *)want.ptr);
	buf_free(&want);
}

static void
before_3_0_empty_slots_stand_behind_the_servers(void **state)
{
	struct page *p = page();

	(void)state;
	p->file.major = 2;
	p->file.minor = 6;
	p->backends[0].n_servers = 1;
	p->backends[0].n_slots = 20;
	p->conf[0].policy.check.type = CONF_CHECK_OFF;
	assert_page(p, "slots",
	    HEADER "\nbackend web from rollcall\n"
		   "\tmode http\n"
		   "\tserver rc_aa_app_50051 10.0.0.1:50051 weight 100 proto h2" AGENT "\n"
		   "\tserver-template rc_ 1-20 0.0.0.0:0 disabled weight 1 proto h2" AGENT "\n");
}

static void
what_an_operator_holds_is_held_from_the_start(void **state)
{
	struct page *p = page();

	(void)state;
	p->conf[0].policy.check.type = CONF_CHECK_OFF;
	p->servers[0].is_disabled = true;
	p->servers[1].weight = 0;
	assert_page(p, "held",
	    HEADER "\nbackend web from rollcall\n"
		   "\tmode http\n"
		   "\tserver rc_aa_app_50051 10.0.0.1:50051 weight 100 proto h2" AGENT " disabled\n"
		   "\tserver rc_bb_app_50051 [fd00::2]:50051 weight 0 proto h2" AGENT "\n");
}

static void
a_server_that_is_down_stays_down_where_haproxy_can(void **state)
{
	static const struct {
		unsigned major, minor;
		bool has;
	} cases[] = { { 2, 6, false }, { 3, 0, false }, { 3, 2, true }, { 3, 4, true }, { 4, 0, true } };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct page *p = page();
		struct buf out = buf_make(TEXT_MAX);

		p->file.major = cases[i].major;
		p->file.minor = cases[i].minor;
		p->servers[1].is_down = true;
		assert_int_equal(hap_render(&p->file, &out, NULL), ERR_OK);
		buf_put_u8(&out, '\0');
		CHECK_ROW((strstr((const char *)out.ptr, "init-state down") != NULL) == cases[i].has, i, "init-state");
		buf_reset(&out);
		p->servers[1].is_disabled = true; /* whoever makes it ready has its own way */
		assert_int_equal(hap_render(&p->file, &out, NULL), ERR_OK);
		buf_put_u8(&out, '\0');
		CHECK_ROW(strstr((const char *)out.ptr, "init-state") == NULL, i, "disabled");
		buf_free(&out);
		free(p);
	}
}

static void
balance_and_check_types_are_lines_of_the_section(void **state)
{
	struct page *p = page();

	(void)state;
	p->file.n_backends = 3;
	p->backends[0].n_servers = 0;
	for (size_t i = 0; i < 3; i++)
		p->conf[i].policy.set |= UINT32_C(1) << CONF_POLICY_BALANCE;
	p->conf[0].policy.check.type = CONF_CHECK_TCP;
	p->conf[1].name = STR("web.h:2");
	p->conf[1].policy.balance = CONF_BALANCE_LEASTCONN;
	p->conf[1].policy.check.type = CONF_CHECK_HTTP;
	p->conf[1].policy.check.path = STR("/ready?deep=1&x=%20");
	p->conf[2].name = STR("random");
	p->conf[2].policy.balance = CONF_BALANCE_RANDOM;
	p->conf[2].policy.check.timeout_ms = 250;
	assert_page(p, "settings",
	    HEADER "\nbackend web from rollcall\n"
		   "\tmode http\n"
		   "\tbalance roundrobin\n"
		   "\toption tcp-check\n"
		   "\ttcp-check connect default\n"
		   "\ttimeout check 1000ms\n"
		   "\nbackend web.h:2 from rollcall\n"
		   "\tmode http\n"
		   "\tbalance leastconn\n"
		   "\toption httpchk\n"
		   "\thttp-check send meth GET uri /ready?deep=1&x=%20 ver HTTP/1.1 hdr Host localhost\n"
		   "\ttimeout check 1000ms\n"
		   "\nbackend random from rollcall\n"
		   "\tmode http\n"
		   "\tbalance random\n"
		   "\ttimeout check 250ms\n");
}

static void
a_grpc_check_is_the_raw_exchange_of_its_service(void **state)
{
	struct page *p = page();
	struct buf out = buf_make(TEXT_MAX);

	(void)state;
	p->conf[0].policy.check.type = CONF_CHECK_GRPC;
	p->conf[0].policy.check.service = STR("acme.v1.Orders");
	assert_int_equal(hap_render(&p->file, &out, NULL), ERR_OK);
	keep(buf_str(&out), "grpc");
	buf_put_u8(&out, '\0');
	assert_non_null(strstr((const char *)out.ptr, "\n\toption tcp-check\n"));
	assert_non_null(strstr((const char *)out.ptr, "\n\ttcp-check send-binary 505249"));
	assert_non_null(strstr((const char *)out.ptr, "\n\ttcp-check expect binary "));
	assert_null(strstr((const char *)out.ptr, "check-proto"));
	buf_free(&out);
	free(p);
}

static void
what_would_need_quoting_is_refused_by_name(void **state)
{
	static const char *const bad[] = { "a b", "a\"", "a'", "a#", "a\\", "a\n", "a\x7f", "a\xc3\xa9", "", "a/b" };
	char long_path[1001];
	struct page *p;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		p = page();
		p->conf[0].name = str_from_cstr(bad[i]);
		assert_refused(p, ERR_ARG, "not a name");
		p = page();
		p->file.defaults = str_from_cstr(bad[i]);
		assert_refused(p, ERR_ARG, "haproxy.managed.defaults");
		p = page();
		p->servers[1].name = str_from_cstr(bad[i]);
		assert_refused(p, ERR_ARG, "backend `web`");
		p = page();
		p->servers[1].address = str_from_cstr(bad[i]);
		assert_refused(p, ERR_ARG, "backend `web`");
		if (i >= 8)
			continue;
		p = page();
		p->conf[0].policy.check.type = CONF_CHECK_HTTP;
		p->conf[0].policy.check.path = str_from_cstr(bad[i]);
		assert_refused(p, ERR_ARG, "check.path");
	}
	p = page();
	p->servers[0].port = 0;
	assert_refused(p, ERR_ARG, "backend `web`");
	p = page();
	p->servers[0].weight = 257;
	assert_refused(p, ERR_ARG, "weight 257");
	memset(long_path, '/', sizeof(long_path));
	p = page();
	p->conf[0].policy.check.type = CONF_CHECK_HTTP;
	p->conf[0].policy.check.path = str_of(long_path, sizeof(long_path));
	assert_refused(p, ERR_ARG, "check.path");
	p = page();
	p->conf[0].policy.check.type = CONF_CHECK_HTTP;
	p->conf[0].policy.check.path = STR("healthz");
	assert_refused(p, ERR_ARG, "check.path");
	p = page();
	p->backends[0].n_servers = 0; /* whose lines would be refused for it, too */
	p->conf[0].policy.check.type = CONF_CHECK_HTTP;
	p->conf[0].policy.tls_sni = STR("a b");
	assert_refused(p, ERR_ARG, "tls_sni is no host name");
}

static struct hap_render_outline
outline(struct arena *a, struct str text)
{
	struct hap_render_outline o;

	assert_int_equal(hap_render_outline(a, text, &o, NULL), ERR_OK);
	return o;
}

static void
an_outline_tells_settings_from_servers(void **state)
{
	struct arena *a = arena_new(TEXT_MAX);
	struct buf texts[4];
	struct hap_render_outline o[4];
	struct page *p;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		p = page();
		p->file.major = 2;
		p->backends[0].n_slots = i == 1 ? 40 : 20;
		if (i == 2)
			p->backends[0].n_servers = 0;
		if (i == 3)
			p->conf[0].policy.set = UINT32_C(1) << CONF_POLICY_BALANCE;
		texts[i] = buf_make(TEXT_MAX);
		assert_int_equal(hap_render(&p->file, &texts[i], NULL), ERR_OK);
		o[i] = outline(a, buf_str(&texts[i]));
		assert_int_equal(o[i].n_sections, 1);
		assert_str(o[i].sections[0].name, "web");
		free(p);
	}
	assert_int_equal(o[0].sections[0].n_slots, 20);
	assert_int_equal(o[1].sections[0].n_slots, 40);
	assert_int_equal(o[0].sections[0].n_servers, 2);
	assert_int_equal(o[2].sections[0].n_servers, 0);
	assert_true(o[0].sections[0].settings == o[1].sections[0].settings);
	assert_true(o[0].sections[0].settings == o[2].sections[0].settings);
	assert_true(o[0].sections[0].settings != o[3].sections[0].settings);
	assert_true(hap_render_names(&o[0], hap_render_find(&o[0], STR("web")), STR("rc_bb_app_50051")));
	assert_false(hap_render_names(&o[0], hap_render_find(&o[0], STR("web")), STR("rc_bb_app_5005")));
	assert_false(hap_render_names(&o[2], hap_render_find(&o[2], STR("web")), STR("rc_bb_app_50051")));
	assert_null(hap_render_find(&o[0], STR("we")));
	for (size_t i = 0; i < 4; i++)
		buf_free(&texts[i]);
	arena_free(a);
}

static void
what_haproxy_has_until_its_next_reload_is_a_remark(void **state)
{
	static const struct str left[] = { { "old", 3 }, { "older", 5 } };
	struct arena *a = arena_new(HAP_RENDER_MAX);
	struct buf text = buf_make(HAP_RENDER_MAX);
	struct hap_render_outline o;
	struct page *p = page();

	(void)state;
	p->file.left = left;
	p->file.n_left = 2;
	assert_int_equal(hap_render(&p->file, &text, NULL), ERR_OK);
	assert_true(str_has_prefix(buf_str(&text), STR(HEADER "# gone with HAProxy's next reload: old\n")));
	o = outline(a, buf_str(&text));
	assert_int_equal(o.n_sections, 1);
	assert_int_equal(o.n_left, 2);
	assert_true(hap_render_is_left(&o, STR("older")));
	assert_false(hap_render_is_left(&o, STR("web")));
	buf_free(&text);
	arena_free(a);
	free(p);
}

static void
an_outline_of_anything_is_an_outline(void **state)
{
	struct arena *a = arena_new(TEXT_MAX);
	struct hap_render_outline o;

	(void)state;
	assert_int_equal(outline(a, STR("")).n_sections, 0);
	assert_int_equal(outline(a, STR("server x\nserver-template rc_ 1-\n\n#")).n_sections, 0);
	o = outline(
	    a, STR("backend\nbackend a\nserver x 1\n  server y\nserver-template rc_ 1-7x\nbackend b from c\nserver z"));
	assert_int_equal(o.n_sections, 2);
	assert_int_equal(o.sections[0].n_servers, 2);
	assert_int_equal(o.sections[0].n_slots, 0);
	assert_str(o.sections[1].name, "b");
	assert_true(hap_render_names(&o, &o.sections[1], STR("z")));
	assert_false(hap_render_names(&o, &o.sections[1], STR("x")));
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_backend_is_a_file_that_haproxy_reads),
		cmocka_unit_test(a_plain_entry_has_the_settings_of_the_defaults_section),
		cmocka_unit_test(before_3_0_empty_slots_stand_behind_the_servers),
		cmocka_unit_test(what_an_operator_holds_is_held_from_the_start),
		cmocka_unit_test(a_server_that_is_down_stays_down_where_haproxy_can),
		cmocka_unit_test(balance_and_check_types_are_lines_of_the_section),
		cmocka_unit_test(a_grpc_check_is_the_raw_exchange_of_its_service),
		cmocka_unit_test(what_would_need_quoting_is_refused_by_name),
		cmocka_unit_test(an_outline_tells_settings_from_servers),
		cmocka_unit_test(what_haproxy_has_until_its_next_reload_is_a_remark),
		cmocka_unit_test(an_outline_of_anything_is_an_outline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
