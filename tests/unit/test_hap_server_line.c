/*
 * A policy as the words of a server line: what each key adds, what is refused.  Each
 * line below was taken by HAProxy 2.6, 3.0, 3.2 or 3.4, as its version says.
 */
#include "config.h"

#include <limits.h>

#include "unit.h"

#include "base/buf.h"
#include "hap/hap_server_line.h"

#define LINE_MAX_BYTES 2000

static struct conf_policy
plain(void)
{
	return (struct conf_policy){
		.proto = CONF_PROTO_H2,
		.tls_ca_file = STR(""),
		.tls_sni = STR(""),
		.check = { .type = CONF_CHECK_INHERIT, .inter_ms = 2000, .rise = 2, .fall = 3 },
		.observe_error_limit = 10,
	};
}

static struct hap_server_line
line_of(const struct conf_policy *p, unsigned major, unsigned minor)
{
	return (struct hap_server_line){ .policy = p, .weight = 7, .ca_file = STR(""), .major = major, .minor = minor };
}

static void
assert_line(const struct hap_server_line *l, const char *words)
{
	struct buf out = buf_make(LINE_MAX_BYTES);
	struct err e = ERR_INIT;

	if (hap_server_line_put(l, &out, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	assert_str(buf_str(&out), words);
	buf_free(&out);
}

static void
assert_refused(const struct hap_server_line *l, const char *words)
{
	struct buf out = buf_make(LINE_MAX_BYTES);
	struct err e = ERR_INIT;

	buf_put(&out, STR("before"));
	assert_int_equal(hap_server_line_put(l, &out, &e), ERR_ARG);
	if (strstr(e.msg, words) == NULL)
		fail_msg("%s (and not %s)", e.msg, words);
	assert_str(buf_str(&out), "before");
	buf_free(&out);
}

static void
everything_stands_on_the_line(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 0);

	(void)state;
	assert_line(&l, " weight 7 proto h2 check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3");
	p.maxconn = 5;
	p.slowstart_ms = 3000;
	p.proto = CONF_PROTO_H1;
	assert_line(&l,
	    " weight 7 maxconn 5 slowstart 3000ms check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3");
	p.check.type = CONF_CHECK_OFF;
	l.weight = 0;
	assert_line(&l, " weight 0 maxconn 5 slowstart 3000ms");
}

static void
init_state_is_for_those_that_know_it(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 2);

	(void)state;
	l.starts_down = true;
	assert_line(
	    &l, " weight 7 proto h2 check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3 init-state down");
	l.minor = 1;
	assert_refused(&l, "HAProxy 3.1 has no init-state");
	l.minor = 4;
	p.check.type = CONF_CHECK_OFF;
	assert_refused(&l, "it would stay down");
}

static void
tls_says_whom_to_trust(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 0);

	(void)state;
	p.tls = true;
	p.tls_sni = STR("rng.example.com");
	assert_line(&l, " weight 7 ssl verify required ca-file @system-ca sni str(rng.example.com) alpn h2"
			" check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3 check-ssl check-alpn h2 "
			"check-sni rng.example.com");
	p.tls_ca_file = STR("/etc/ca.pem");
	assert_refused(&l, "tls_ca_file is not loaded");
	l.ca_file = STR("rollcall-0123.pem");
	p.proto = CONF_PROTO_H1;
	assert_line(&l,
	    " weight 7 ssl verify required ca-file rollcall-0123.pem sni str(rng.example.com)"
	    " check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3 check-ssl check-sni rng.example.com");
	p.tls_verify = CONF_TLS_VERIFY_NONE;
	p.check.type = CONF_CHECK_OFF;
	assert_line(&l, " weight 7 ssl verify none sni str(rng.example.com)");
}

/* 3.3 and later would take the name, and verify it, from each request's Host. */
static void
without_a_name_no_version_takes_one_from_host(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 4);

	(void)state;
	p.tls = true;
	assert_line(&l, " weight 7 ssl verify required ca-file @system-ca no-sni-auto alpn h2"
			" check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3 check-ssl check-alpn h2 "
			"no-check-sni-auto");
	l.minor = 3;
	assert_line(&l, " weight 7 ssl verify required ca-file @system-ca no-sni-auto alpn h2"
			" check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3 check-ssl check-alpn h2 "
			"no-check-sni-auto");
	l.minor = 2;
	assert_line(&l, " weight 7 ssl verify required ca-file @system-ca alpn h2"
			" check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3 check-ssl check-alpn h2");
}

static void
observe_goes_with_checks_only(void **state)
{
	static const struct {
		enum conf_on_error on_error;
		const char *words;
	} rows[] = {
		{ CONF_ON_ERROR_FASTINTER, " observe layer7 error-limit 10 on-error fastinter" },
		{ CONF_ON_ERROR_FAIL_CHECK, " observe layer7 error-limit 10 on-error fail-check" },
		{ CONF_ON_ERROR_SUDDEN_DEATH, " observe layer7 error-limit 10 on-error sudden-death" },
		{ CONF_ON_ERROR_MARK_DOWN, " observe layer7 error-limit 10 on-error mark-down" },
	};
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 2, 6);

	(void)state;
	p.observe = CONF_OBSERVE_LAYER7;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char words[300];

		p.observe_on_error = rows[i].on_error;
		(void)snprintf(words, sizeof(words),
		    " weight 7 proto h2 check inter 2000ms fastinter 200ms downinter 200ms rise 2 fall 3%s",
		    rows[i].words);
		assert_line(&l, words);
	}
	/* Marked down without checks, it would never come back. */
	p.check.type = CONF_CHECK_OFF;
	assert_line(&l, " weight 7 proto h2");
}

static void
fastinter_is_never_longer_than_inter(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 2, 6);

	(void)state;
	p.observe = CONF_OBSERVE_LAYER4;
	p.check.inter_ms = 50;
	assert_line(&l, " weight 7 proto h2 check inter 50ms fastinter 50ms downinter 50ms rise 2 fall 3 observe layer4"
			" error-limit 10 on-error fastinter");
	p.check.inter_ms = 200;
	assert_line(&l,
	    " weight 7 proto h2 check inter 200ms fastinter 100ms downinter 100ms rise 2 fall 3 observe layer4"
	    " error-limit 10 on-error fastinter");
}

static void
a_text_that_would_need_quoting_is_refused(void **state)
{
	static const char *const texts[] = { "a b", "a)", "a(", "a'b", "a\"b", "a\nb", "a;b", "a\\b", "a#b", "$A",
		"%[b]", "-a", "a,b", "caf\xc3\xa9" };
	char nul[] = { 'a', '\0', 'b' }, longest[256];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 0; i < N_OF(texts) + 2; i++) {
		struct conf_policy p = plain();
		struct hap_server_line sni = line_of(&p, 3, 0), ca = sni;
		struct str text = i < N_OF(texts)    ? str_from_cstr(texts[i])
				  : i == N_OF(texts) ? str_of(nul, sizeof(nul))
						     : str_of(longest, sizeof(longest));

		p.tls = true;
		ca.ca_file = text;
		assert_refused(&ca, "would need quoting");
		assert_false(hap_server_line_ca_ok(text));
		p.tls_sni = text;
		assert_refused(&sni, "tls_sni is no host name");
	}
}

static void
an_agent_is_asked_at_an_address_and_a_port(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":4320",
		"localhost:4320", "127.0.0.1:4320 backup", "127.0.0.1:43;20", "127.0.0.1:+4", "\"127.0.0.1\":4320" };
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 0);

	(void)state;
	p.check.type = CONF_CHECK_OFF;
	p.outlier.mode = CONF_OUTLIER_ENFORCE;
	p.outlier.agent = STR("[::1]:65535");
	assert_line(&l, " weight 7 proto h2 agent-check agent-addr ::1 agent-port 65535 agent-inter 900ms");
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct buf out = buf_make(1000);

		p.outlier.agent = str_from_cstr(bad[i]);
		CHECK_ROW(hap_server_line_put(&l, &out, NULL) == ERR_ARG && out.len == 0, i, bad[i]);
		buf_free(&out);
	}
}

static void
a_number_that_haproxy_would_bend_is_refused(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 0);

	(void)state;
#define REFUSES(field, value, words)       \
	do {                               \
		p = plain();               \
		(field) = (value);         \
		assert_refused(&l, words); \
	} while (0)
	REFUSES(p.maxconn, UINT_MAX, "maxconn");
	REFUSES(p.slowstart_ms, -1, "slowstart");
	REFUSES(p.slowstart_ms, INT64_C(1) << 31, "slowstart");
	REFUSES(p.check.inter_ms, 0, "check.inter");
	REFUSES(p.check.inter_ms, INT64_C(1) << 31, "check.inter");
	REFUSES(p.check.rise, 0, "check.rise");
	REFUSES(p.check.rise, 100001, "check.rise");
	REFUSES(p.check.fall, 0, "check.fall");
#undef REFUSES
	p = plain();
	p.observe = CONF_OBSERVE_LAYER7;
	p.observe_error_limit = 0;
	assert_refused(&l, "error_limit");
	p = plain();
	l.weight = 257;
	assert_refused(&l, "weight 257");
}

static void
a_full_buffer_gets_no_half_line(void **state)
{
	struct conf_policy p = plain();
	struct hap_server_line l = line_of(&p, 3, 0);
	struct buf out = buf_make(30);

	(void)state;
	buf_put(&out, STR("before"));
	assert_int_equal(hap_server_line_put(&l, &out, NULL), ERR_LIMIT);
	assert_str(buf_str(&out), "before");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_stands_on_the_line),
		cmocka_unit_test(init_state_is_for_those_that_know_it),
		cmocka_unit_test(tls_says_whom_to_trust),
		cmocka_unit_test(without_a_name_no_version_takes_one_from_host),
		cmocka_unit_test(observe_goes_with_checks_only),
		cmocka_unit_test(fastinter_is_never_longer_than_inter),
		cmocka_unit_test(a_text_that_would_need_quoting_is_refused),
		cmocka_unit_test(an_agent_is_asked_at_an_address_and_a_port),
		cmocka_unit_test(a_number_that_haproxy_would_bend_is_refused),
		cmocka_unit_test(a_full_buffer_gets_no_half_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
