/* A policy as the words of a server line: see hap_server_line.h. */
#include "config.h"

#include "hap/hap_server_line.h"

#include <inttypes.h>
#include <limits.h>

#define WEIGHT_MAX  256u
#define COUNT_MAX   100000u /* rise, fall, error-limit: far from where rise + fall would wrap */
#define TEXT_MAX    255
#define SAID_MAX    60
#define SYSTEM_CA   "@system-ca"
#define FASTINTER_N 10 /* fastinter and downinter are inter by so much */

static bool
is_of(struct str s, const char *others)
{
	if (s.len == 0 || s.len > TEXT_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return true;
}

/* Between the parentheses of str(). */
static bool
is_host(struct str s)
{
	return is_of(s, "-_.") && s.ptr[0] != '-';
}

bool
hap_server_line_ca_ok(struct str ca_file)
{
	return is_of(ca_file, "-_./@+:") && ca_file.ptr[0] != '-';
}

static bool
is_at_least(const struct hap_server_line *l, unsigned major, unsigned minor)
{
	return l->major > major || (l->major == major && l->minor >= minor);
}

static enum err_code
check_time(const char *what, int64_t ms, int64_t min, struct err *e)
{
	if (ms >= min && ms <= INT_MAX)
		return ERR_OK;
	return err_set(e, ERR_ARG, "%s of %" PRId64 " ms: not within %" PRId64 " and %d", what, ms, min, INT_MAX);
}

static enum err_code
check_count(const char *what, unsigned n, struct err *e)
{
	if (n >= 1 && n <= COUNT_MAX)
		return ERR_OK;
	return err_set(e, ERR_ARG, "%s %u: not within 1 and %u", what, n, COUNT_MAX);
}

static bool
has_checks(const struct hap_server_line *l)
{
	return l->policy->check.type != CONF_CHECK_OFF;
}

static bool
has_observe(const struct hap_server_line *l)
{
	return l->policy->observe != CONF_OBSERVE_OFF && has_checks(l);
}

static enum err_code
check_numbers(const struct hap_server_line *l, struct err *e)
{
	const struct conf_policy *p = l->policy;
	enum err_code rc;

	if (l->weight > WEIGHT_MAX)
		return err_set(e, ERR_ARG, "weight %u: not within 0 and %u", l->weight, WEIGHT_MAX);
	if (p->maxconn > INT_MAX)
		return err_set(e, ERR_ARG, "maxconn %u: not within 0 and %d", p->maxconn, INT_MAX);
	if ((rc = check_time("slowstart", p->slowstart_ms, 0, e)) != ERR_OK)
		return rc;
	if (has_observe(l) && (rc = check_count("error_limit", p->observe_error_limit, e)) != ERR_OK)
		return rc;
	if (!has_checks(l))
		return ERR_OK;
	if ((rc = check_time("check.inter", p->check.inter_ms, 1, e)) != ERR_OK)
		return rc;
	if ((rc = check_count("check.rise", p->check.rise, e)) != ERR_OK)
		return rc;
	return check_count("check.fall", p->check.fall, e);
}

static enum err_code
check_tls(const struct hap_server_line *l, struct err *e)
{
	const struct conf_policy *p = l->policy;

	if (!p->tls)
		return ERR_OK;
	if (p->tls_sni.len > 0 && !is_host(p->tls_sni))
		return err_set(e, ERR_ARG, "tls_sni is no host name");
	if (p->tls_verify == CONF_TLS_VERIFY_NONE)
		return ERR_OK;
	if (p->tls_ca_file.len > 0 && l->ca_file.len == 0)
		return err_set(e, ERR_ARG, "its tls_ca_file is not loaded, and without it nothing would be verified");
	if (l->ca_file.len > 0 && !hap_server_line_ca_ok(l->ca_file))
		return err_set(e, ERR_ARG, "the name of its CA file would need quoting");
	return ERR_OK;
}

/* ADDRESS:PORT of digits, dots, colons and brackets: nothing that needs quoting. */
static enum err_code
check_agent(const struct hap_server_line *l, struct err *e)
{
	struct str address = l->policy->outlier.agent, port = str_after_last(address, ':');
	uint64_t number;

	if (!conf_policy_has_agent(l->policy))
		return ERR_OK;
	for (size_t i = 0; i < address.len; i++)
		if (address.ptr[i] == '\0' || strchr("0123456789abcdefABCDEF.:[]", address.ptr[i]) == NULL)
			return err_set(e, ERR_ARG, "outlier.agent is no ADDRESS:PORT");
	if (port.len + 1 >= address.len || !str_to_u64(port, UINT16_MAX, &number) || number == 0)
		return err_set(e, ERR_ARG, "outlier.agent is no ADDRESS:PORT");
	return ERR_OK;
}

static enum err_code
check_line(const struct hap_server_line *l, struct err *e)
{
	enum err_code rc;

	if ((rc = check_numbers(l, e)) != ERR_OK || (rc = check_tls(l, e)) != ERR_OK ||
	    (rc = check_agent(l, e)) != ERR_OK)
		return rc;
	if (l->starts_down && !is_at_least(l, 3, 2))
		return err_set(e, ERR_ARG, "HAProxy %u.%u has no init-state: 3.2 has", l->major, l->minor);
	if (l->starts_down && !has_checks(l))
		return err_set(e, ERR_ARG, "init-state down without checks: it would stay down");
	return ERR_OK;
}

static void
put_tls(const struct hap_server_line *l, struct buf *out)
{
	const struct conf_policy *p = l->policy;

	buf_put(out, STR(" ssl verify "));
	if (p->tls_verify == CONF_TLS_VERIFY_NONE)
		buf_put(out, STR("none"));
	else
		buf_printf(out, "required ca-file " STR_FMT, STR_ARG(l->ca_file.len > 0 ? l->ca_file : STR(SYSTEM_CA)));
	if (p->tls_sni.len > 0)
		buf_printf(out, " sni str(" STR_FMT ")", STR_ARG(p->tls_sni));
	else if (is_at_least(l, 3, 3))
		buf_put(out, STR(" no-sni-auto"));
	if (p->proto == CONF_PROTO_H2)
		buf_put(out, STR(" alpn h2"));
}

static void
put_check_tls(const struct hap_server_line *l, struct buf *out)
{
	const struct conf_policy *p = l->policy;

	buf_put(out, STR(" check-ssl"));
	if (p->proto == CONF_PROTO_H2)
		buf_put(out, STR(" check-alpn h2"));
	if (p->tls_sni.len > 0)
		buf_printf(out, " check-sni " STR_FMT, STR_ARG(p->tls_sni));
	else if (is_at_least(l, 3, 3))
		buf_put(out, STR(" no-check-sni-auto"));
}

/* HAProxy makes the first check of a server that joins after its fastinter or its
 * downinter, by version: measured with inter 2s on 3.0, 3.2 and 3.4, 2.0 s without
 * them and 0.2 s with 200ms.  A deploy waits for that check with every task. */
static int64_t
fastinter(int64_t inter_ms)
{
	int64_t ms = inter_ms / FASTINTER_N;

	if (ms < HAP_SERVER_LINE_FASTINTER_MIN_MS)
		ms = HAP_SERVER_LINE_FASTINTER_MIN_MS;
	return ms < inter_ms ? ms : inter_ms;
}

static void
put_checks(const struct hap_server_line *l, struct buf *out)
{
	const struct conf_check *c = &l->policy->check;
	int64_t fast_ms = fastinter(c->inter_ms);

	buf_printf(out, " check inter %" PRId64 "ms fastinter %" PRId64 "ms downinter %" PRId64 "ms rise %u fall %u",
	    c->inter_ms, fast_ms, fast_ms, c->rise, c->fall);
	if (l->starts_down)
		buf_put(out, STR(" init-state down"));
	if (l->policy->tls)
		put_check_tls(l, out);
}

static const char *
observe_word(enum conf_observe o)
{
	return o == CONF_OBSERVE_LAYER4 ? "layer4" : "layer7";
}

static const char *
on_error_word(enum conf_on_error o)
{
	switch (o) {
	case CONF_ON_ERROR_FASTINTER:
		return "fastinter";
	case CONF_ON_ERROR_FAIL_CHECK:
		return "fail-check";
	case CONF_ON_ERROR_SUDDEN_DEATH:
		return "sudden-death";
	case CONF_ON_ERROR_MARK_DOWN:
		break;
	}
	return "mark-down";
}

static void
put_observe(const struct hap_server_line *l, struct buf *out)
{
	const struct conf_policy *p = l->policy;

	buf_printf(out, " observe %s error-limit %u on-error %s", observe_word(p->observe), p->observe_error_limit,
	    on_error_word(p->observe_on_error));
}

/* Nobody need listen there: a connection that fails changes nothing (facts/spoe.md,
 * section 5.2).  Not less often than once a second: HAProxy spreads the first checks of all
 * servers in its configuration over the shortest interval that is a second or longer, and
 * with `agent-inter 1h` as that one it checked the last of them after an hour (measured,
 * 2.6 to 3.4). */
static void
put_agent(const struct hap_server_line *l, struct buf *out)
{
	struct str address = l->policy->outlier.agent, port = str_after_last(address, ':');
	struct str host = str_first(address, address.len - port.len - 1);

	if (host.len > 2 && host.ptr[0] == '[')
		host = str_of(host.ptr + 1, host.len - 2);
	buf_printf(out, " agent-check agent-addr " STR_FMT " agent-port " STR_FMT " agent-inter 900ms", STR_ARG(host),
	    STR_ARG(port));
}

enum err_code
hap_server_line_put(const struct hap_server_line *l, struct buf *out, struct err *e)
{
	enum err_code rc = check_line(l, e);
	size_t before = out->len;

	if (rc != ERR_OK)
		return rc;
	buf_printf(out, " weight %u", l->weight);
	if (l->policy->maxconn > 0)
		buf_printf(out, " maxconn %u", l->policy->maxconn);
	if (l->policy->slowstart_ms > 0)
		buf_printf(out, " slowstart %" PRId64 "ms", l->policy->slowstart_ms);
	if (l->policy->tls)
		put_tls(l, out);
	else if (l->policy->proto == CONF_PROTO_H2)
		buf_put(out, STR(" proto h2"));
	if (has_checks(l))
		put_checks(l, out);
	if (has_observe(l))
		put_observe(l, out);
	if (conf_policy_has_agent(l->policy))
		put_agent(l, out);
	if ((rc = buf_failed(out, e)) != ERR_OK)
		out->len = before;
	return rc;
}
