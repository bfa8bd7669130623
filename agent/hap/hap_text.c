/*
 * Commands to HAProxy's runtime API, and what its replies to them mean: see
 * hap_text.h.
 *
 * The wordings below were recorded from HAProxy 2.6, 3.0, 3.2 and 3.4
 * (facts/haproxy.md, tests/vectors/hap).  A severity in front is no verdict: a
 * refused address is [4], an unknown command [6], and an empty reply is what most
 * commands answer when they were carried out.
 */
#include "config.h"

#include "hap/hap_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>

#define WEIGHT_MAX 256u
#define SAID_MAX   80 /* bytes of HAProxy's words that fit in an error */

struct address {
	int family;
	unsigned char bytes[sizeof(struct in6_addr)];
};

bool
hap_text_name_ok(struct str name)
{
	if (name.len == 0 || name.len > HAP_TEXT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			c == '.' || c == ':' || c == '-'))
			return false;
	}
	return true;
}

static bool
address_parse(struct str text, struct address *ret)
{
	char cstr[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(cstr) || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(cstr, text.ptr, text.len);
	cstr[text.len] = '\0';
	*ret = (struct address){ .family = AF_INET };
	if (inet_pton(AF_INET, cstr, ret->bytes) == 1)
		return true;
	*ret = (struct address){ .family = AF_INET6 };
	return inet_pton(AF_INET6, cstr, ret->bytes) == 1;
}

static bool
address_is_any(const struct address *a)
{
	static const unsigned char zeros[sizeof(a->bytes)];

	return memcmp(a->bytes, zeros, sizeof(zeros)) == 0;
}

static bool
address_eq(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Bytes from outside, fit for one line of an error: never longer than SAID_MAX. */
static void
escape_line(struct str s, char ret[SAID_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < s.len && s.ptr[i] != '\n'; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool plain = c >= 0x20 && c <= 0x7e;

		if (at + (plain ? 1 : 4) > SAID_MAX)
			break;
		if (plain) {
			ret[at++] = (char)c;
			continue;
		}
		ret[at++] = '\\';
		ret[at++] = 'x';
		ret[at++] = hex[c >> 4];
		ret[at++] = hex[c & 15];
	}
	ret[at] = '\0';
}

static enum err_code
check_name(const char *what, struct str name, struct err *e)
{
	char said[SAID_MAX + 1];

	if (hap_text_name_ok(name))
		return ERR_OK;
	escape_line(name, said);
	return err_set(e, ERR_ARG, "%s `%s`: not a name that HAProxy knows (1 to %d of A-Z a-z 0-9 _ . : -)", what,
	    said, HAP_TEXT_NAME_MAX);
}

/* 0.0.0.0 and port 0 are refused as well: HAProxy would take them, and call itself. */
static enum err_code
check_address(const struct plan_step *st, struct err *e)
{
	char said[SAID_MAX + 1];
	struct address parsed;

	if (!address_parse(st->address, &parsed) || address_is_any(&parsed)) {
		escape_line(st->address, said);
		return err_set(e, ERR_ARG, "`%s` is no IP address to send calls to", said);
	}
	if (st->port == 0)
		return err_set(e, ERR_ARG, "no port to send calls to");
	return ERR_OK;
}

static enum err_code
check_step(const struct plan_step *st, struct err *e)
{
	enum err_code rc;

	if ((rc = check_name("backend", st->backend, e)) != ERR_OK)
		return rc;
	if ((rc = check_name("server", st->server, e)) != ERR_OK)
		return rc;
	if (st->kind == PLAN_ADDRESS)
		return check_address(st, e);
	if (st->kind == PLAN_WEIGHT && st->value > WEIGHT_MAX)
		return err_set(e, ERR_ARG, "weight %u: not within 0 and %u", st->value, WEIGHT_MAX);
	if (st->kind == PLAN_MAXCONN && st->value > INT_MAX)
		return err_set(e, ERR_ARG, "maxconn %u: not within 0 and %d", st->value, INT_MAX);
	return ERR_OK;
}

static void
put_server_command(const struct plan_step *st, const char *what, struct buf *out)
{
	buf_printf(out, "set server " STR_FMT "/" STR_FMT " %s", STR_ARG(st->backend), STR_ARG(st->server), what);
}

static void
put_step(const struct plan_step *st, struct buf *out)
{
	switch (st->kind) {
	case PLAN_ADDRESS:
		put_server_command(st, "addr ", out);
		buf_printf(out, STR_FMT " port %u", STR_ARG(st->address), (unsigned)st->port);
		return;
	case PLAN_WEIGHT:
		/* Never a percentage: HAProxy takes it of the initial weight. */
		put_server_command(st, "weight ", out);
		buf_printf(out, "%u", st->value);
		return;
	case PLAN_MAXCONN:
		buf_printf(out, "set maxconn server " STR_FMT "/" STR_FMT " %u", STR_ARG(st->backend),
		    STR_ARG(st->server), st->value);
		return;
	case PLAN_JOIN:
		put_server_command(st, "state drain", out);
		return;
	case PLAN_READY:
		put_server_command(st, "state ready", out);
		return;
	case PLAN_MAINT:
		put_server_command(st, "state maint", out);
		return;
	case PLAN_SHUTDOWN:
		buf_printf(
		    out, "shutdown sessions server " STR_FMT "/" STR_FMT, STR_ARG(st->backend), STR_ARG(st->server));
		return;
	}
}

enum err_code
hap_text_step(const struct plan_step *st, struct buf *out, struct err *e)
{
	enum err_code rc = check_step(st, e);
	size_t before = out->len;

	if (rc != ERR_OK)
		return rc;
	put_step(st, out);
	if ((rc = buf_failed(out, e)) != ERR_OK)
		out->len = before;
	return rc;
}

static enum err_code
put_question(const char *words, struct str backend, const char *filter, struct buf *out, struct err *e)
{
	enum err_code rc = check_name("backend", backend, e);

	if (rc != ERR_OK)
		return rc;
	buf_printf(out, "%s " STR_FMT "%s", words, STR_ARG(backend), filter);
	return buf_failed(out, e);
}

enum err_code
hap_text_ask_servers(struct str backend, struct buf *out, struct err *e)
{
	return put_question("show servers state", backend, "", out, e);
}

/* 6: of kinds 2 (backend) and 4 (server); -1: every server. */
enum err_code
hap_text_ask_stat(struct str backend, struct buf *out, struct err *e)
{
	return put_question("show stat", backend, " 6 -1", out, e);
}

static bool
take(struct str *s, struct str prefix)
{
	if (!str_has_prefix(*s, prefix))
		return false;
	*s = str_skip(*s, prefix.len);
	return true;
}

/* "'1.2.3.4'" */
static bool
take_quoted(struct str *s, struct str *ret)
{
	size_t at;

	if (!take(s, STR("'")) || !str_find(*s, '\'', &at))
		return false;
	*ret = str_first(*s, at);
	*s = str_skip(*s, at + 1);
	return true;
}

/* "IP changed from 'A' to 'B'": true if B is what was asked for. */
static bool
take_change(struct str *s, struct str words, struct str *ret_to)
{
	struct str from;

	return take(s, words) && take_quoted(s, &from) && take(s, STR(" to ")) && take_quoted(s, ret_to);
}

static bool
is_address(struct str said, struct str asked)
{
	struct address a, b;

	return address_parse(said, &a) && address_parse(asked, &b) && address_eq(&a, &b);
}

static bool
take_ip_clause(struct str *s, const struct plan_step *st)
{
	struct str to;

	if (take(s, STR("no need to change the addr")))
		return true;
	return take_change(s, STR("IP changed from "), &to) && is_address(to, st->address);
}

static bool
take_port_clause(struct str *s, const struct plan_step *st)
{
	struct str to;
	uint64_t port;

	if (take(s, STR("no need to change the port")))
		return true;
	return take_change(s, STR("port changed from "), &to) && str_to_u64(to, UINT16_MAX, &port) && port == st->port;
}

/*
 * 2.6 speaks of both ("no need to change the addr, port changed from '1' to '2'
 * by 'stats socket command'"), 3.x of what changed, or says "nothing changed".
 * What it changed to is compared: 2.6 takes port 99999 and means 34463.
 */
static bool
is_address_done(struct str text, const struct plan_step *st)
{
	struct str rest = text;

	(void)take(&rest, STR("[4]: "));
	if (str_eq(rest, STR("nothing changed")))
		return true;
	if (str_has_prefix(rest, STR("port "))) {
		if (!take_port_clause(&rest, st))
			return false;
	} else {
		if (!take_ip_clause(&rest, st))
			return false;
		if (take(&rest, STR(", ")) && !take_port_clause(&rest, st))
			return false;
	}
	return str_eq(rest, STR(" by 'stats socket command'"));
}

static bool
is_done(const struct plan_step *st, struct str text)
{
	switch (st->kind) {
	case PLAN_ADDRESS:
		return is_address_done(text, st);
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
	case PLAN_JOIN:
	case PLAN_READY:
	case PLAN_MAINT:
	case PLAN_SHUTDOWN:
		return text.len == 0;
	}
	return false;
}

/* Refusals whose meaning we know; the first that begins the reply. */
static const struct known {
	const char *text;
	enum hap_text_verdict verdict;
	enum err_code code;
	const char *meaning;
} known_refusals[] = {
	{ "No such server.", HAP_TEXT_GONE, ERR_REFUSED, "it is not there any more" },
	{ "No such backend.", HAP_TEXT_GONE, ERR_REFUSED, "it is not there any more" },
	{ "Server still has connections attached to it", HAP_TEXT_RETRY, ERR_REMOTE, "not yet" },
	{ "Permission denied", HAP_TEXT_REFUSED, ERR_AUTH,
	    "the `stats socket` line of its global section needs `level admin`" },
	{ "Unknown command", HAP_TEXT_REFUSED, ERR_REFUSED, "this HAProxy lacks a command: 2.6 is needed" },
	{ "Backend is using a static LB algorithm", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "no weights there at run time: `balance roundrobin`, or `hash-type consistent`" },
};

static const struct known *
find_known(struct str text)
{
	for (size_t i = 0; i < sizeof(known_refusals) / sizeof(known_refusals[0]); i++)
		if (str_has_prefix(text, str_from_cstr(known_refusals[i].text)))
			return &known_refusals[i];
	return NULL;
}

/* "[3]: No such server." without its severity. */
static struct str
without_severity(struct str text)
{
	if (text.len >= 5 && text.ptr[0] == '[' && text.ptr[1] >= '0' && text.ptr[1] <= '9' &&
	    str_has_prefix(str_skip(text, 2), STR("]: ")))
		return str_skip(text, 5);
	return text;
}

enum hap_text_verdict
hap_text_judge(const struct plan_step *st, struct str reply, struct err *e)
{
	struct str text = str_trim(reply);
	struct str words = str_trim(without_severity(text));
	const struct known *known;
	char said[SAID_MAX + 1];

	if (is_done(st, text))
		return HAP_TEXT_DONE;
	known = find_known(words);
	escape_line(words, said);
	(void)err_set(e, known != NULL ? known->code : ERR_REFUSED, "%s " STR_FMT "/" STR_FMT ": HAProxy says `%s`%s%s",
	    plan_step_name(st->kind), STR_ARG(str_first(st->backend, 40)), STR_ARG(str_first(st->server, 40)), said,
	    known != NULL ? ": " : "", known != NULL ? known->meaning : "");
	return known != NULL ? known->verdict : HAP_TEXT_REFUSED;
}
