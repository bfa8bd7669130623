/*
 * What HAProxy may say, read and judged.  The first byte selects who reads the rest:
 * `show info`, the two tables of a backend (split at the first NUL), a reply to a
 * step, or names and an address for a command.
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
	REQUIRE(s->admin == ACTUAL_MAINT || !s->admin_by_config);
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
	rc = hap_text_parse_backend(a, STR("slots"), servers, stat, &b, &e);
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

static void
try_judge(struct str input)
{
	static const enum plan_step_kind kinds[] = { PLAN_ADDRESS, PLAN_WEIGHT, PLAN_MAXCONN, PLAN_JOIN, PLAN_READY,
		PLAN_MAINT, PLAN_SHUTDOWN };
	struct plan_step st = { .backend = STR("slots"), .server = STR("rc_1"), .address = STR(ADDRESS), .port = PORT };
	struct err e = ERR_INIT;
	struct str text;
	enum hap_text_verdict verdict;

	if (input.len == 0)
		return;
	st.kind = kinds[(unsigned char)input.ptr[0] % (sizeof(kinds) / sizeof(kinds[0]))];
	text = str_trim(str_skip(input, 1));
	verdict = hap_text_judge(&st, str_skip(input, 1), &e);
	if (verdict != HAP_TEXT_DONE) {
		check_error(e.code, &e);
		REQUIRE(e.code != ERR_OK);
		return;
	}
	REQUIRE(e.code == ERR_OK);
	if (st.kind != PLAN_ADDRESS)
		REQUIRE(text.len == 0);
	else if (has_oracle(str_skip(text, 5)))
		REQUIRE(is_known_address_reply(text));
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
	st.kind = (enum plan_step_kind)((unsigned char)input.ptr[0] % (PLAN_SHUTDOWN + 1));
	st.port = (unsigned char)input.ptr[1];
	st.value = (unsigned)st.port * 3;
	(void)str_next(&rest, '\0', &st.backend);
	(void)str_next(&rest, '\0', &st.server);
	(void)str_next(&rest, '\0', &st.address);
	check_command(hap_text_step(&st, &out, &e), &out, &e);
	buf_reset(&out);
	e = ERR_INIT;
	check_command(hap_text_ask_stat(st.backend, &out, &e), &out, &e);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct str rest;

	REQUIRE(a != NULL);
	if (size > 0) {
		rest = str_of(data + 1, size - 1);
		switch (data[0] % 4) {
		case 0:
			try_info(a, rest);
			break;
		case 1:
			try_backend(a, rest);
			break;
		case 2:
			try_judge(rest);
			break;
		default:
			try_step(rest);
			break;
		}
	}
	arena_free(a);
	return 0;
}
