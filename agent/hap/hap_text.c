/* Commands to HAProxy's runtime API: see hap_text.h. */
#include "config.h"

#include "hap/hap_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>

#include "hap/hap_pem.h"
#include "hap/hap_server_line.h"

#define WEIGHT_MAX 256u

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

bool
hap_text_address_parse(struct str text, struct hap_text_address *ret)
{
	char cstr[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(cstr) || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(cstr, text.ptr, text.len);
	cstr[text.len] = '\0';
	*ret = (struct hap_text_address){ .family = AF_INET };
	if (inet_pton(AF_INET, cstr, ret->bytes) == 1)
		return true;
	*ret = (struct hap_text_address){ .family = AF_INET6 };
	return inet_pton(AF_INET6, cstr, ret->bytes) == 1;
}

static bool
address_is_any(const struct hap_text_address *a)
{
	static const unsigned char zeros[sizeof(a->bytes)];

	return memcmp(a->bytes, zeros, sizeof(zeros)) == 0;
}

void
hap_text_escape(struct str s, char ret[HAP_TEXT_SAID_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < s.len && s.ptr[i] != '\n'; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool plain = c >= 0x20 && c <= 0x7e;

		if (at + (plain ? 1 : 4) > HAP_TEXT_SAID_MAX)
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
	char said[HAP_TEXT_SAID_MAX + 1];

	if (hap_text_name_ok(name))
		return ERR_OK;
	hap_text_escape(name, said);
	return err_set(e, ERR_ARG, "%s `%s`: not a name that HAProxy knows (1 to %d of A-Z a-z 0-9 _ . : -)", what,
	    said, HAP_TEXT_NAME_MAX);
}

/* 0.0.0.0 and port 0 are refused as well: HAProxy would take them, and call itself. */
static enum err_code
check_address(const struct plan_step *st, struct err *e)
{
	char said[HAP_TEXT_SAID_MAX + 1];
	struct hap_text_address parsed;

	if (!hap_text_address_parse(st->address, &parsed) || address_is_any(&parsed)) {
		hap_text_escape(st->address, said);
		return err_set(e, ERR_ARG, "`%s` is no IP address to send calls to", said);
	}
	if (st->port == 0)
		return err_set(e, ERR_ARG, "no port to send calls to");
	return ERR_OK;
}

/* Of a CA in HAProxy: no blank, no quote. */
static enum err_code
check_ca(const struct plan_ca *ca, struct err *e)
{
	size_t n_pieces;

	if (ca == NULL || !hap_server_line_ca_ok(ca->name))
		return err_set(e, ERR_ARG, "the name of a CA file would need quoting");
	return hap_pem_check(ca->pem, &n_pieces, e);
}

/* 2.6 has no `add ssl ca-file`: all that it takes is one piece. */
static enum err_code
check_ca_pieces(const struct plan_step *st, unsigned major, unsigned minor, struct err *e)
{
	size_t n;
	enum err_code rc = hap_pem_check(st->ca->pem, &n, e);

	if (rc == ERR_OK && n > 1 && major < 3)
		rc = err_set(e, ERR_LIMIT,
		    "HAProxy %u.%u takes CA files of %d bytes at run time, 3.0 larger ones: leave in this one only "
		    "what "
		    "is needed",
		    major, minor, HAP_PEM_PIECE_MAX);
	return rc;
}

static enum err_code
check_server(const struct plan_step *st, struct err *e)
{
	enum err_code rc = check_name("backend", st->backend, e);

	return rc == ERR_OK ? check_name("server", st->server, e) : rc;
}

static enum err_code
check_value(const char *what, unsigned value, unsigned max, struct err *e)
{
	return value <= max ? ERR_OK : err_set(e, ERR_ARG, "%s %u: not within 0 and %u", what, value, max);
}

static enum err_code
check_add(const struct plan_step *st, struct err *e)
{
	enum err_code rc = check_address(st, e);

	if (rc == ERR_OK && st->policy == NULL)
		rc = err_set(e, ERR_ARG, "no settings to add a server with");
	return rc;
}

static enum err_code
check_step(const struct plan_step *st, struct err *e)
{
	enum err_code rc;

	if (st->kind == PLAN_CA)
		return check_ca(st->ca, e);
	if (plan_step_is_of_backend(st->kind)) {
		rc = check_name("backend", st->backend, e);
		return rc == ERR_OK && st->kind == PLAN_BACKEND ? check_name("defaults", st->defaults, e) : rc;
	}
	if ((rc = check_server(st, e)) != ERR_OK)
		return rc;
	if (st->kind == PLAN_ADDRESS)
		return check_address(st, e);
	if (st->kind == PLAN_ADD)
		return check_add(st, e);
	if (st->kind == PLAN_WEIGHT)
		return check_value("weight", st->value, WEIGHT_MAX, e);
	if (st->kind == PLAN_MAXCONN)
		return check_value("maxconn", st->value, INT_MAX, e);
	return ERR_OK;
}

/* "verb B/S what" */
static void
put_server(const char *verb, const struct plan_step *st, const char *what, struct buf *out)
{
	buf_printf(out, "%s " STR_FMT "/" STR_FMT "%s", verb, STR_ARG(st->backend), STR_ARG(st->server), what);
}

static enum err_code
put_add(const struct plan_step *st, unsigned major, unsigned minor, struct buf *out, struct err *e)
{
	const struct hap_server_line line = { .policy = st->policy,
		.weight = st->value,
		.ca_file = st->ca != NULL ? st->ca->name : STR(""),
		.starts_down = st->starts_down,
		.major = major,
		.minor = minor };
	bool is_six = memchr(st->address.ptr, ':', st->address.len) != NULL;

	put_server("add server", st, is_six ? " [" : " ", out);
	buf_printf(out, STR_FMT "%s:%u", STR_ARG(st->address), is_six ? "]" : "", (unsigned)st->port);
	return hap_server_line_put(&line, out, e);
}

static void
put_ca(const struct plan_step *st, size_t i, struct buf *out)
{
	struct str rest = st->ca->pem, piece;
	size_t n = 0;

	if (i == 0) {
		buf_printf(out, "new ssl ca-file " STR_FMT, STR_ARG(st->ca->name));
		return;
	}
	while (hap_pem_next(&rest, &piece))
		if (++n == i) {
			buf_printf(
			    out, "%s ssl ca-file " STR_FMT " <<\n", n == 1 ? "set" : "add", STR_ARG(st->ca->name));
			buf_put(out, piece);
			return;
		}
	buf_printf(out, "commit ssl ca-file " STR_FMT, STR_ARG(st->ca->name));
}

static enum err_code
put_step(const struct plan_step *st, size_t i, unsigned major, unsigned minor, struct buf *out, struct err *e)
{
	switch (st->kind) {
	case PLAN_BACKEND:
		buf_printf(out, "add backend " STR_FMT " from " STR_FMT " mode http", STR_ARG(st->backend),
		    STR_ARG(st->defaults));
		return ERR_OK;
	case PLAN_PUBLISH:
		buf_printf(out, "publish backend " STR_FMT, STR_ARG(st->backend));
		return ERR_OK;
	case PLAN_UNPUBLISH:
		buf_printf(out, "unpublish backend " STR_FMT, STR_ARG(st->backend));
		return ERR_OK;
	case PLAN_UNMAKE:
		buf_printf(out, "del backend " STR_FMT, STR_ARG(st->backend));
		return ERR_OK;
	case PLAN_CA:
		put_ca(st, i, out);
		return ERR_OK;
	case PLAN_ADD:
		return put_add(st, major, minor, out, e);
	case PLAN_CHECK:
		put_server("enable health", st, "", out);
		return ERR_OK;
	case PLAN_AGENT:
		put_server(i == 0 ? "enable agent" : "set server", st, i == 0 ? "" : " agent up", out);
		return ERR_OK;
	case PLAN_EJECT:
		put_server("set server", st, " agent down", out);
		return ERR_OK;
	case PLAN_UNEJECT:
		put_server("set server", st, " agent up", out);
		return ERR_OK;
	case PLAN_ADDRESS:
		put_server("set server", st, " addr ", out);
		buf_printf(out, STR_FMT " port %u", STR_ARG(st->address), (unsigned)st->port);
		return ERR_OK;
	case PLAN_WEIGHT:
		/* Never a percentage: HAProxy takes it of the initial weight. */
		put_server("set server", st, " weight ", out);
		buf_printf(out, "%u", st->value);
		return ERR_OK;
	case PLAN_MAXCONN:
		put_server("set maxconn server", st, " ", out);
		buf_printf(out, "%u", st->value);
		return ERR_OK;
	case PLAN_JOIN:
	case PLAN_DRAIN:
		put_server("set server", st, " state drain", out);
		return ERR_OK;
	case PLAN_GATE:
		put_server("set server", st, " health down", out);
		return ERR_OK;
	case PLAN_READY:
		put_server("set server", st, " state ready", out);
		return ERR_OK;
	case PLAN_MAINT:
		put_server("set server", st, " state maint", out);
		return ERR_OK;
	case PLAN_SHUTDOWN:
		put_server("shutdown sessions server", st, "", out);
		return ERR_OK;
	case PLAN_DELETE:
		put_server("del server", st, "", out);
		return ERR_OK;
	}
	return err_set(e, ERR_ARG, "no such step");
}

size_t
hap_text_n_commands(const struct plan_step *st)
{
	size_t n_pieces;

	if (check_step(st, NULL) != ERR_OK)
		return 0;
	if (st->kind == PLAN_AGENT)
		return 2;
	if (st->kind != PLAN_CA)
		return 1;
	return hap_pem_check(st->ca->pem, &n_pieces, NULL) == ERR_OK ? 2 + n_pieces : 0;
}

enum err_code
hap_text_step(const struct plan_step *st, size_t i, unsigned major, unsigned minor, struct buf *out, struct err *e)
{
	enum err_code rc = check_step(st, e);
	size_t before = out->len;

	if (rc == ERR_OK && st->kind == PLAN_CA)
		rc = check_ca_pieces(st, major, minor, e);
	if (rc == ERR_OK && (rc = put_step(st, i, major, minor, out, e)) == ERR_OK)
		rc = buf_failed(out, e);
	if (rc != ERR_OK)
		out->len = before;
	return rc;
}

enum err_code
hap_text_abort_ca(const struct plan_step *st, struct buf *out, struct err *e)
{
	enum err_code rc = check_ca(st->ca, e);

	if (rc != ERR_OK)
		return rc;
	buf_printf(out, "abort ssl ca-file " STR_FMT, STR_ARG(st->ca->name));
	return buf_failed(out, e);
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
