/*
 * What HAProxy's replies to our commands mean: see hap_text.h.
 *
 * The wordings below were recorded from HAProxy 2.6, 3.0, 3.2 and 3.4
 * (facts/haproxy.md, tests/vectors/hap).  A severity in front is no verdict: a
 * refused address is [4], an unknown command [6], and an empty reply is what most
 * commands answer when they were carried out.
 */
#include "config.h"

#include "hap/hap_text.h"

#include <string.h>

#define SUBJECT_MAX 100

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
	struct hap_text_address a, b;

	return hap_text_address_parse(said, &a) && hap_text_address_parse(asked, &b) && a.family == b.family &&
	       memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
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

/* "[6]: " or nothing before exactly these words. */
static bool
says(struct str text, struct str severity, struct str words)
{
	struct str rest = text;

	(void)take(&rest, severity);
	return str_eq(rest, words);
}

/* Words, NAME in them, and words: "New CA file created 'NAME'!" */
static bool
says_of(struct str text, struct str severity, struct str before, struct str name, struct str after)
{
	struct str rest = text;

	(void)take(&rest, severity);
	return take(&rest, before) && take(&rest, name) && str_eq(rest, after);
}

/* 2.6 and 3.0 prompt for each line of a payload. */
static struct str
without_payload_prompts(struct str text)
{
	while (take(&text, STR("+ ")))
		;
	return text;
}

/* A dot for each server that uses it already. */
static bool
is_committed(struct str text, struct str name)
{
	struct str rest = text;

	if (!take(&rest, STR("Committing ")) || !take(&rest, name))
		return false;
	while (take(&rest, STR(".")))
		;
	return str_eq(rest, STR("\nSuccess!"));
}

static bool
is_ca_done(const struct plan_step *st, size_t i, struct str text)
{
	struct str name = st->ca->name;

	if (i == 0) /* made in an earlier pass, and perhaps not filled then: as good */
		return says_of(text, STR("[5]: "), STR("New CA file created '"), name, STR("'!")) ||
		       says_of(text, STR("[3]: "), STR("CA file '"), name, STR("' already exists!"));
	if (i + 1 == hap_text_n_commands(st))
		return is_committed(text, name);
	return says_of(text, STR("[5]: "), STR("transaction created for CA "), name, STR("!")) ||
	       says_of(text, STR("[5]: "), STR("transaction updated for CA "), name, STR("!"));
}

static bool
is_done(const struct plan_step *st, size_t i, struct str text)
{
	switch (st->kind) {
	case PLAN_ADDRESS:
		return is_address_done(text, st);
	case PLAN_BACKEND:
		return says(text, STR("[6]: "), STR("New backend registered."));
	case PLAN_PUBLISH:
		return says(text, STR("[6]: "), STR("Backend published."));
	case PLAN_UNPUBLISH:
		return says(text, STR("[6]: "), STR("Backend unpublished."));
	case PLAN_UNMAKE:
		return says(text, STR("[6]: "), STR("Backend deleted."));
	case PLAN_CA:
		return is_ca_done(st, i, text);
	case PLAN_ADD:
		return says(text, STR("[6]: "), STR("New server registered."));
	case PLAN_DELETE:
		return says(text, STR("[6]: "), STR("Server deleted."));
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
	case PLAN_CHECK:
	case PLAN_AGENT:
	case PLAN_EJECT:
	case PLAN_UNEJECT:
	case PLAN_JOIN:
	case PLAN_GATE:
	case PLAN_READY:
	case PLAN_DRAIN:
	case PLAN_MAINT:
	case PLAN_SHUTDOWN:
		return text.len == 0;
	}
	return false;
}

/*
 * Refusals whose meaning we know; the first that begins the reply.  One that is no
 * refusal after all (GONE, RETRY) must be the whole of it.
 */
static const struct known {
	const char *text;
	enum hap_text_verdict verdict;
	enum err_code code;
	const char *meaning;
} known_refusals[] = {
	{ "No such server.", HAP_TEXT_GONE, ERR_REFUSED, "it is not there any more" },
	{ "No such backend.", HAP_TEXT_GONE, ERR_REFUSED, "it is not there any more" },
	{ "Server still has connections attached to it, cannot remove it.", HAP_TEXT_RETRY, ERR_REMOTE, "not yet" },
	{ "Only servers in maintenance mode can be deleted.", HAP_TEXT_RETRY, ERR_REMOTE, "not yet" },
	{ "Backend still has attached streams on it.", HAP_TEXT_RETRY, ERR_REMOTE, "not yet" },
	{ "Only a backend without server can be deleted.", HAP_TEXT_RETRY, ERR_REMOTE, "not yet" },
	{ "Backend must be unpublished prior to its deletion.", HAP_TEXT_RETRY, ERR_REMOTE, "not yet" },
	{ HAP_TEXT_BACKEND_IS_NAMED, HAP_TEXT_REFUSED, ERR_REFUSED, "`use_backend` or the like names it" },
	{ "This server cannot be removed at runtime", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "`use-server` or `track` names it in the configuration" },
	{ "Already exists a server with the same name", HAP_TEXT_REFUSED, ERR_REFUSED, "somebody else added it" },
	{ "Permission denied", HAP_TEXT_REFUSED, ERR_AUTH,
	    "the `stats socket` line of its global section needs `level admin`" },
	{ "This command is restricted to experimental mode only", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "HAProxy 2.6 is needed" },
	{ "Backend is using a static LB algorithm", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "its `balance` takes no weights at run time; `hash-type consistent` would" },
	{ "Backend must use a dynamic load balancing", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "its `balance` takes no servers at run time; `hash-type consistent` would" },
	{ "Backend does not support dynamic servers", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "its `balance` takes no servers at run time; `hash-type consistent` would" },
	{ "MUX protocol is not usable for server.", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "`proto: h2` needs `mode http` in its backend" },
	{ "'layer7' can only be used in http proxies", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "`observe: layer7` needs `mode http` in its backend" },
	{ "'ca-file' : unable to load", HAP_TEXT_REFUSED, ERR_REFUSED, "that CA is not loaded" },
	{ "Health check was not configured on this server", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "it was added without `check`" },
	{ "Agent was not configured on this server", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "it was added without `agent-check`" },
	{ "agent checks are not enabled on this server", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "only a server with `agent-check` can be ejected" },
	{ "Cannot find default proxy", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "haproxy.managed.defaults names no `defaults` section of haproxy.cfg" },
	{ "Error during backend creation : name is already used", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "somebody else has that name" },
	{ "The ongoing transaction is about", HAP_TEXT_REFUSED, ERR_REFUSED,
	    "somebody's CA file waits for `commit ssl ca-file`, or `abort`" },
	{ "Invalid payload", HAP_TEXT_REFUSED, ERR_REFUSED, "it reads no certificate there" },
};

static const struct known *
find_known(struct str text)
{
	for (size_t i = 0; i < sizeof(known_refusals) / sizeof(known_refusals[0]); i++) {
		struct str known = str_from_cstr(known_refusals[i].text);

		if (known_refusals[i].verdict == HAP_TEXT_REFUSED ? str_has_prefix(text, known) : str_eq(text, known))
			return &known_refusals[i];
	}
	return NULL;
}

/* "Unknown command" has another cure for each step. */
static const struct known *
find_unknown_command(const struct plan_step *st, struct str text)
{
	static const struct known older = { "", HAP_TEXT_REFUSED, ERR_REFUSED,
		"this HAProxy lacks a command: 2.6 is needed" };
	static const struct known no_backends = { "", HAP_TEXT_REFUSED, ERR_REFUSED,
		"this HAProxy makes no backends at run time: 3.4 does" };
	static const struct known no_tls = { "", HAP_TEXT_REFUSED, ERR_REFUSED, "this HAProxy was built without TLS" };

	if (!str_has_prefix(text, STR("Unknown command")))
		return NULL;
	if (plan_step_is_of_backend(st->kind))
		return &no_backends;
	return st->kind == PLAN_CA ? &no_tls : &older;
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

/* What a step is about: its server, backend or CA. */
static void
put_subject(const struct plan_step *st, struct buf *out)
{
	if (st->kind == PLAN_CA) {
		buf_put(out, str_first(st->ca->name, 40));
		return;
	}
	buf_put(out, str_first(st->backend, 40));
	if (st->server.len > 0)
		buf_printf(out, "/" STR_FMT, STR_ARG(str_first(st->server, 40)));
}

/* 3.4 puts before its answer to `del backend` what it had to tell of servers that left since. */
static struct str
answer_to(const struct plan_step *st, struct str text)
{
	struct str last = str_after_last(text, '\n');

	return st->kind == PLAN_UNMAKE && last.len > 0 ? last : text;
}

enum hap_text_verdict
hap_text_judge(const struct plan_step *st, size_t i, struct str reply, struct err *e)
{
	struct str text = answer_to(st, str_trim(without_payload_prompts(str_trim(reply))));
	struct str words = str_trim(without_severity(text));
	CLEANUP(buf_free) struct buf subject = buf_make(SUBJECT_MAX);
	const struct known *known;
	char said[HAP_TEXT_SAID_MAX + 1];

	if (is_done(st, i, text))
		return HAP_TEXT_DONE;
	known = find_known(words);
	if (known == NULL)
		known = find_unknown_command(st, words);
	hap_text_escape(words, said);
	put_subject(st, &subject);
	(void)err_set(e, known != NULL ? known->code : ERR_REFUSED, "%s " STR_FMT ": HAProxy says `%s`%s%s",
	    plan_step_name(st->kind), STR_ARG(buf_str(&subject)), said, known != NULL ? ": " : "",
	    known != NULL ? known->meaning : "");
	return known != NULL ? known->verdict : HAP_TEXT_REFUSED;
}
