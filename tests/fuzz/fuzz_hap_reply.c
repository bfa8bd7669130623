/*
 * What HAProxy may say, read and judged.  The first byte selects who reads the rest:
 * `show info`, the two tables of a backend (split at the first NUL), a reply to a
 * step, names and an address for a command, a policy for a server line, a bundle of
 * certificates, or the table of CA files.
 *
 * Laws: what was read is within its bounds; a step is done only if the reply is one
 * of the wordings that this file spells again, in its own way; a command is one
 * plain line; errors are printable.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "fuzz.h"
#include "hap/hap_pem.h"
#include "hap/hap_server_line.h"
#include "hap/hap_text.h"

#define ARENA_MAX ((size_t)8 << 20)
#define ADDRESS   "10.0.0.1"
#define PORT      50051

static void
check_error(enum err_code rc, const struct err *e)
{
	REQUIRE(e->code == rc);
	REQUIRE(e->msg[0] != '\0' && str_is_printable(str_from_cstr(e->msg)));
}

static void
try_info(struct arena *a, struct str reply)
{
	struct hap_text_info info;
	struct err e = ERR_INIT;
	enum err_code rc = hap_text_parse_info(a, reply, &info, &e);

	if (rc != ERR_OK) {
		check_error(rc, &e);
		return;
	}
	REQUIRE(info.version.len > 0 && str_is_printable(info.version));
	REQUIRE(info.major <= UINT16_MAX && info.minor <= UINT16_MAX);
}

static bool
is_address(struct str s)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char cstr[INET6_ADDRSTRLEN];

	if (s.len >= sizeof(cstr))
		return false;
	memcpy(cstr, s.ptr, s.len);
	cstr[s.len] = '\0';
	return inet_pton(AF_INET, cstr, bytes) == 1 || inet_pton(AF_INET6, cstr, bytes) == 1;
}

static void
check_server(const struct actual_server *s)
{
	REQUIRE(hap_text_name_ok(s->name));
	REQUIRE(s->address.len == 0 || is_address(s->address));
	REQUIRE(s->weight <= 256);
	REQUIRE(str_is_printable(s->status) && str_is_printable(s->last_check));
	REQUIRE(s->is_ours == str_has_prefix(s->name, STR("rc_")));
	REQUIRE(s->is_ours || !s->is_slot);
}

static void
try_backend(struct arena *a, struct str both)
{
	struct str stat = both, servers = STR(""), id;
	struct actual_backend b;
	struct err e = ERR_INIT;
	enum err_code rc;
	size_t n_slots = 0;

	(void)str_next(&stat, '\0', &servers);
	if (hap_text_is_shadowed(servers, stat, &id))
		REQUIRE(id.len > 0 && hap_text_name_ok(id));
	rc = hap_text_parse_backend(a, NULL, STR("slots"), servers, stat, &b, &e);
	if (rc != ERR_OK) {
		check_error(rc, &e);
		return;
	}
	REQUIRE(b.exists || b.n_servers == 0);
	for (size_t i = 0; i < b.n_servers; i++) {
		check_server(&b.servers[i]);
		n_slots += b.servers[i].is_slot ? 1 : 0;
	}
	REQUIRE(n_slots == b.n_slots);
}

/* The from-th quoted word of text. */
static struct str
quoted(struct str text, size_t from)
{
	struct str word = STR("");

	for (size_t i = 0; i <= 2 * from + 1; i++)
		if (!str_next(&text, '\'', &word))
			return STR("");
	return word;
}

static bool
is_rebuilt(struct str text, const char *ip, const char *port)
{
	struct buf want = buf_make(1 << 16);
	bool same;

	buf_printf(&want, "%s%s%s by 'stats socket command'", ip, ip[0] != '\0' && port[0] != '\0' ? ", " : "", port);
	same = buf_failed(&want, NULL) == ERR_OK && str_eq(text, buf_str(&want));
	buf_free(&want);
	return same;
}

/* Puts together every sentence that means success, with the old address and port
 * taken from the text, and compares. */
static bool
is_known_address_reply(struct str text)
{
	static char ip[5000], port_1[5000], port_2[5000];
	const char *const ips[] = { "", "no need to change the addr", ip };
	const char *const ports[] = { "", "no need to change the port", port_1, port_2 };

	if (str_has_prefix(text, STR("[4]: ")))
		text = str_skip(text, 5);
	if (str_eq(text, STR("nothing changed")))
		return true;
	if (text.len > 4000)
		return true; /* not for the want of an oracle */
	(void)snprintf(ip, sizeof(ip), "IP changed from '" STR_FMT "' to '%s'", STR_ARG(quoted(text, 0)), ADDRESS);
	(void)snprintf(
	    port_1, sizeof(port_1), "port changed from '" STR_FMT "' to '%d'", STR_ARG(quoted(text, 0)), PORT);
	(void)snprintf(
	    port_2, sizeof(port_2), "port changed from '" STR_FMT "' to '%d'", STR_ARG(quoted(text, 2)), PORT);
	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++)
		for (size_t p = 0; p < sizeof(ports) / sizeof(ports[0]); p++)
			if ((i > 0 || p > 0) && is_rebuilt(text, ips[i], ports[p]))
				return true;
	return false;
}

/* NULs, and other spellings of the address and port, are not in the oracle's power. */
static bool
has_oracle(struct str text)
{
	size_t at;

	return !str_find(text, '\0', &at) && !str_find(text, ':', &at);
}

/* Every sentence that means success, spelled whole. */
static bool
is_known_words(enum plan_step_kind kind, size_t i, struct str text)
{
	static const struct {
		enum plan_step_kind kind;
		size_t i;
		const char *words;
	} known[] = {
		{ PLAN_BACKEND, 0, "New backend registered." },
		{ PLAN_BACKEND, 0, "[6]: New backend registered." },
		{ PLAN_PUBLISH, 0, "Backend published." },
		{ PLAN_PUBLISH, 0, "[6]: Backend published." },
		{ PLAN_UNPUBLISH, 0, "Backend unpublished." },
		{ PLAN_UNPUBLISH, 0, "[6]: Backend unpublished." },
		{ PLAN_UNMAKE, 0, "Backend deleted." },
		{ PLAN_UNMAKE, 0, "[6]: Backend deleted." },
		{ PLAN_ADD, 0, "New server registered." },
		{ PLAN_ADD, 0, "[6]: New server registered." },
		{ PLAN_DELETE, 0, "Server deleted." },
		{ PLAN_DELETE, 0, "[6]: Server deleted." },
		{ PLAN_CA, 0, "New CA file created 'a.pem'!" },
		{ PLAN_CA, 0, "[5]: New CA file created 'a.pem'!" },
		{ PLAN_CA, 0, "CA file 'a.pem' already exists!" },
		{ PLAN_CA, 0, "[3]: CA file 'a.pem' already exists!" },
		{ PLAN_CA, 1, "transaction created for CA a.pem!" },
		{ PLAN_CA, 1, "[5]: transaction created for CA a.pem!" },
		{ PLAN_CA, 1, "transaction updated for CA a.pem!" },
		{ PLAN_CA, 1, "[5]: transaction updated for CA a.pem!" },
	};

	for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
		if (known[k].kind == kind && known[k].i == i && str_eq(text, str_from_cstr(known[k].words)))
			return true;
	if (kind == PLAN_UNMAKE && str_has_suffix(text, STR("\nBackend deleted.")))
		return true;
	return kind == PLAN_CA && i == 2 && str_has_prefix(text, STR("Committing a.pem")) &&
	       str_has_suffix(text, STR("\nSuccess!"));
}

static bool
is_silent(enum plan_step_kind kind)
{
	return kind == PLAN_CHECK || kind == PLAN_AGENT || kind == PLAN_EJECT || kind == PLAN_UNEJECT ||
	       kind == PLAN_WEIGHT || kind == PLAN_MAXCONN || kind == PLAN_JOIN || kind == PLAN_GATE ||
	       kind == PLAN_READY || kind == PLAN_DRAIN || kind == PLAN_MAINT || kind == PLAN_SHUTDOWN;
}

/* The first seven are what the corpus of old is about; a CA has three commands. */
static const struct {
	enum plan_step_kind kind;
	size_t i;
} judged[] = {
	{ PLAN_ADDRESS, 0 },
	{ PLAN_WEIGHT, 0 },
	{ PLAN_MAXCONN, 0 },
	{ PLAN_JOIN, 0 },
	{ PLAN_READY, 0 },
	{ PLAN_MAINT, 0 },
	{ PLAN_SHUTDOWN, 0 },
	{ PLAN_BACKEND, 0 },
	{ PLAN_PUBLISH, 0 },
	{ PLAN_CA, 0 },
	{ PLAN_CA, 1 },
	{ PLAN_CA, 2 },
	{ PLAN_ADD, 0 },
	{ PLAN_CHECK, 0 },
	{ PLAN_DRAIN, 0 },
	{ PLAN_DELETE, 0 },
	{ PLAN_GATE, 0 },
	{ PLAN_AGENT, 0 },
	{ PLAN_AGENT, 1 },
	{ PLAN_EJECT, 0 },
	{ PLAN_UNEJECT, 0 },
	{ PLAN_UNPUBLISH, 0 },
	{ PLAN_UNMAKE, 0 },
};

static void
check_done(const struct plan_step *st, size_t i, struct str text)
{
	if (is_silent(st->kind)) {
		while (str_has_prefix(text, STR("+ ")))
			text = str_skip(text, 2);
		REQUIRE(str_trim(text).len == 0 || str_eq(text, STR("+")));
		return;
	}
	if (st->kind == PLAN_ADDRESS) {
		if (has_oracle(str_skip(text, 5)))
			REQUIRE(is_known_address_reply(text));
		return;
	}
	while (str_has_prefix(text, STR("+ ")))
		text = str_trim(str_skip(text, 2));
	REQUIRE(is_known_words(st->kind, i, text));
}

static void
try_judge(struct str input)
{
	const struct plan_ca ca = { .name = STR("a.pem"),
		.pem = STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") };
	struct plan_step st = {
		.backend = STR("slots"), .server = STR("rc_1"), .address = STR(ADDRESS), .port = PORT, .ca = &ca
	};
	struct err e = ERR_INIT;
	size_t which;

	if (input.len == 0)
		return;
	which = (unsigned char)input.ptr[0] % (sizeof(judged) / sizeof(judged[0]));
	st.kind = judged[which].kind;
	if (hap_text_judge(&st, judged[which].i, str_skip(input, 1), &e) != HAP_TEXT_DONE) {
		check_error(e.code, &e);
		REQUIRE(e.code != ERR_OK);
		return;
	}
	REQUIRE(e.code == ERR_OK);
	check_done(&st, judged[which].i, str_trim(str_skip(input, 1)));
}

static void
check_command(enum err_code rc, const struct buf *out, const struct err *e)
{
	size_t at;

	if (rc != ERR_OK) {
		check_error(rc, e);
		REQUIRE(out->len == 0);
		return;
	}
	REQUIRE(out->len <= HAP_TEXT_COMMAND_MAX && str_is_printable(buf_str(out)));
	REQUIRE(!str_find(buf_str(out), ';', &at) && !str_find(buf_str(out), '\\', &at));
}

static const struct conf_policy plain_policy = { .check = { .inter_ms = 1, .rise = 1, .fall = 1 } };

/* kind, port, and then backend, server and address, NUL between them */
static void
try_step(struct str input)
{
	struct plan_step st = { 0 };
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);
	struct err e = ERR_INIT;
	struct str rest = str_skip(input, 2);

	if (input.len < 2)
		return;
	st.kind = (enum plan_step_kind)((unsigned char)input.ptr[0] % (PLAN_DELETE + 1));
	st.policy = &plain_policy;
	st.port = (unsigned char)input.ptr[1];
	st.value = (unsigned)st.port * 3;
	(void)str_next(&rest, '\0', &st.backend);
	(void)str_next(&rest, '\0', &st.server);
	(void)str_next(&rest, '\0', &st.address);
	st.defaults = st.server;
	check_command(hap_text_step(&st, 0, 2, 6, &out, &e), &out, &e);
	buf_reset(&out);
	e = ERR_INIT;
	check_command(hap_text_ask_stat(st.backend, &out, &e), &out, &e);
	buf_free(&out);
}

/* Two bytes of choices and four of numbers, then SNI and CA, NUL between them. */
static void
try_server_line(struct str input)
{
	const unsigned char *b = (const unsigned char *)input.ptr;
	struct str rest = str_skip(input, 6);
	struct conf_policy p = { 0 };
	struct hap_server_line l = { .policy = &p, .ca_file = STR("") };
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);
	struct err e = ERR_INIT;
	enum err_code rc;

	if (input.len < 6)
		return;
	p.tls = (b[0] & 1) != 0;
	p.tls_verify = (b[0] & 2) != 0 ? CONF_TLS_VERIFY_NONE : CONF_TLS_VERIFY_REQUIRED;
	p.proto = (b[0] & 4) != 0 ? CONF_PROTO_H1 : CONF_PROTO_H2;
	p.check.type = (b[0] & 8) != 0 ? CONF_CHECK_OFF : CONF_CHECK_INHERIT;
	p.observe = (enum conf_observe)((b[0] >> 4) % 3);
	p.observe_on_error = (enum conf_on_error)(b[1] & 3);
	l.starts_down = (b[1] & 4) != 0;
	l.major = 2 + ((b[1] >> 3) & 1);
	l.minor = b[1] >> 4;
	l.weight = b[2] * 2u;
	p.maxconn = b[2] * UINT32_C(16843009);
	p.slowstart_ms = (int64_t)b[3] << 24;
	p.check.inter_ms = (int64_t)b[4] << 24;
	p.check.rise = p.check.fall = p.observe_error_limit = b[5] * 1000u;
	(void)str_next(&rest, '\0', &p.tls_sni);
	(void)str_next(&rest, '\0', &l.ca_file);
	p.tls_ca_file = l.ca_file;
	rc = hap_server_line_put(&l, &out, &e);
	check_command(rc, &out, &e);
	if (rc == ERR_OK && p.tls) /* as trusting as asked, never more */
		REQUIRE(
		    (memmem(out.ptr, out.len, " verify none", 12) != NULL) == (p.tls_verify == CONF_TLS_VERIFY_NONE));
	for (size_t i = 0; rc == ERR_OK && i < out.len; i++)
		REQUIRE(strchr("'\"#$%&|<>[]{}*?!,", out.ptr[i]) == NULL);
	buf_free(&out);
}

/* However it is cut, what leaves is lines of PEM, and all of it. */
static void
try_pem(struct str pem)
{
	struct str rest = pem, piece, line;
	size_t n = 0, total = 0;
	struct err e = ERR_INIT;
	enum err_code rc = hap_pem_check(pem, &n, &e);

	if (rc != ERR_OK) {
		check_error(rc, &e);
		return;
	}
	while (hap_pem_next(&rest, &piece)) {
		REQUIRE(n-- > 0 && piece.len > 0 && piece.len <= HAP_PEM_PIECE_MAX);
		REQUIRE(piece.ptr[piece.len - 1] == '\n');
		total += piece.len;
		piece.len--;
		while (str_next(&piece, '\n', &line))
			REQUIRE(line.len > 0 && str_is_printable(line) && memchr(line.ptr, ';', line.len) == NULL);
	}
	REQUIRE(n == 0 && total == pem.len);
}

static void
try_cas(struct arena *a, struct str reply)
{
	const struct str *cas;
	size_t n;
	struct err e = ERR_INIT;
	enum err_code rc = hap_text_parse_cas(a, reply, &cas, &n, &e);

	if (rc != ERR_OK) {
		check_error(rc, &e);
		return;
	}
	for (size_t i = 0; i < n; i++)
		REQUIRE(cas[i].len > 0 && str_is_printable(cas[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct str rest;

	REQUIRE(a != NULL);
	if (size > 0) {
		rest = str_of(data + 1, size - 1);
		switch (data[0] % 7) {
		case 0:
			try_info(a, rest);
			break;
		case 1:
			try_backend(a, rest);
			break;
		case 2:
			try_judge(rest);
			break;
		case 3:
			try_step(rest);
			break;
		case 4:
			try_server_line(rest);
			break;
		case 5:
			try_pem(rest);
			break;
		default:
			try_cas(a, rest);
			break;
		}
	}
	arena_free(a);
	return 0;
}
