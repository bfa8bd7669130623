/*
 * Commands to HAProxy and its replies, against what was recorded from HAProxy
 * itself (tests/vectors/hap) and against what it should never say.
 */
#include "config.h"

#include <glob.h>
#include <stdlib.h>

#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "hap/hap_text.h"

#define ARENA_MAX ((size_t)1 << 20)
#define FILE_MAX  ((size_t)1 << 20)

static const char *const versions[] = { "2.6", "3.0", "3.2", "3.4" };

/* ---- the vectors ---- */

static const char *
source_dir(void)
{
	const char *dir = getenv("ROLLCALL_SRCDIR");

	if (dir == NULL)
		dir = getenv("top_srcdir");
	return dir != NULL ? dir : ".";
}

/* The caller frees it. */
static struct buf
load_file(const char *path)
{
	struct buf b = buf_make(FILE_MAX);
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		fail_msg("%s: cannot open it", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(&b, str_of(chunk, n));
	(void)fclose(f);
	return b;
}

static struct buf
load(const char *version, const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/tests/vectors/hap/%s/%s", source_dir(), version, name);
	return load_file(path);
}

struct tables {
	struct buf servers, stat;
};

static struct tables
load_tables(const char *version, const char *name)
{
	char file[128];
	struct tables t;

	(void)snprintf(file, sizeof(file), "backend_%s.servers.txt", name);
	t.servers = load(version, file);
	(void)snprintf(file, sizeof(file), "backend_%s.stat.txt", name);
	t.stat = load(version, file);
	return t;
}

static void
tables_free(struct tables *t)
{
	buf_free(&t->servers);
	buf_free(&t->stat);
}

static const struct actual_server *
find_server(const struct actual_backend *b, const char *name)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (str_eq(b->servers[i].name, str_from_cstr(name)))
			return &b->servers[i];
	return NULL;
}

/* ---- commands ---- */

static struct plan_step
step(enum plan_step_kind kind)
{
	return (struct plan_step){ .kind = kind,
		.backend = STR("grpc"),
		.server = STR("rc_1"),
		.address = STR("10.0.0.1"),
		.port = 50051,
		.value = 7 };
}

static void
each_step_is_one_line(void **state)
{
	static const struct {
		enum plan_step_kind kind;
		const char *line;
	} rows[] = {
		{ PLAN_ADDRESS, "set server grpc/rc_1 addr 10.0.0.1 port 50051" },
		{ PLAN_WEIGHT, "set server grpc/rc_1 weight 7" },
		{ PLAN_MAXCONN, "set maxconn server grpc/rc_1 7" },
		{ PLAN_JOIN, "set server grpc/rc_1 state drain" },
		{ PLAN_GATE, "set server grpc/rc_1 health down" },
		{ PLAN_READY, "set server grpc/rc_1 state ready" },
		{ PLAN_MAINT, "set server grpc/rc_1 state maint" },
		{ PLAN_SHUTDOWN, "shutdown sessions server grpc/rc_1" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_step st = step(rows[i].kind);
		struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

		assert_int_equal(hap_text_step(&st, 0, 2, 6, &out, NULL), ERR_OK);
		assert_str(buf_str(&out), rows[i].line);
		buf_free(&out);
	}
}

static void
questions_name_their_backend(void **state)
{
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

	(void)state;
	assert_int_equal(hap_text_ask_servers(STR("a.b:c-d_1"), &out, NULL), ERR_OK);
	assert_str(buf_str(&out), "show servers state a.b:c-d_1");
	buf_reset(&out);
	assert_int_equal(hap_text_ask_stat(STR("grpc"), &out, NULL), ERR_OK);
	assert_str(buf_str(&out), "show stat grpc 6 -1");
	buf_reset(&out);
	assert_int_equal(hap_text_ask_stat(STR("a b"), &out, NULL), ERR_ARG);
	assert_int_equal(hap_text_ask_servers(STR(""), &out, NULL), ERR_ARG);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void
a_name_that_would_need_quoting_is_refused(void **state)
{
	static const char *const names[] = { "", "a b", "a/b", "a;b", "a\nb", "a\\b", "a\tb", "\"a\"", "a,b", "a#",
		"<<", "caf\xc3\xa9", "%", "a*" };
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		struct plan_step as_server = step(PLAN_READY), as_backend = step(PLAN_SHUTDOWN);
		struct err e = ERR_INIT;

		as_server.server = str_from_cstr(names[i]);
		as_backend.backend = str_from_cstr(names[i]);
		CHECK_ROW(hap_text_step(&as_server, 0, 2, 6, &out, &e) == ERR_ARG, i, names[i]);
		CHECK_ROW(hap_text_step(&as_backend, 0, 2, 6, &out, &e) == ERR_ARG, i, names[i]);
		CHECK_ROW(str_is_printable(str_from_cstr(e.msg)), i, e.msg);
		CHECK_ROW(out.len == 0, i, names[i]);
	}
	buf_free(&out);
}

static void
a_name_with_a_nul_or_of_256_bytes_is_refused(void **state)
{
	char name[HAP_TEXT_NAME_MAX + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(hap_text_name_ok(str_of(name, HAP_TEXT_NAME_MAX)));
	assert_false(hap_text_name_ok(str_of(name, HAP_TEXT_NAME_MAX + 1)));
	assert_false(hap_text_name_ok(str_of("a\0b", 3)));
}

static void
an_address_that_is_none_is_refused(void **state)
{
	static const char *const addresses[] = { "", "0.0.0.0", "::", "localhost", "10.0.0.256", "10.0.0.1 port 1",
		"10.0.0.1\nset server a/b state ready", "fe80::1%eth0", "[::1]", "1.2.3", "1.2.3.4.5",
		"::ffff:0:0:0:0:0:0:0", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222:3333:4444", "10.0.0.01x" };
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(addresses); i++) {
		struct plan_step st = step(PLAN_ADDRESS);
		struct err e = ERR_INIT;

		st.address = str_from_cstr(addresses[i]);
		CHECK_ROW(hap_text_step(&st, 0, 2, 6, &out, &e) == ERR_ARG, i, addresses[i]);
		CHECK_ROW(out.len == 0 && str_is_printable(str_from_cstr(e.msg)), i, e.msg);
	}
	buf_free(&out);
}

static void
numbers_that_haproxy_would_bend_are_refused(void **state)
{
	struct plan_step no_port = step(PLAN_ADDRESS), weight = step(PLAN_WEIGHT), maxconn = step(PLAN_MAXCONN);
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

	(void)state;
	no_port.port = 0;
	weight.value = 257;
	maxconn.value = UINT32_MAX; /* "-1", to HAProxy */
	assert_int_equal(hap_text_step(&no_port, 0, 2, 6, &out, NULL), ERR_ARG);
	assert_int_equal(hap_text_step(&weight, 0, 2, 6, &out, NULL), ERR_ARG);
	assert_int_equal(hap_text_step(&maxconn, 0, 2, 6, &out, NULL), ERR_ARG);
	weight.value = 256;
	assert_int_equal(hap_text_step(&weight, 0, 2, 6, &out, NULL), ERR_OK);
	buf_free(&out);
}

static void
a_backend_comes_from_defaults_whose_name_is_one(void **state)
{
	static const char *const names[] = { "", "a b", "x mode tcp", "a;b", "a\nshow info" };
	struct plan_step st = step(PLAN_BACKEND);
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		st.defaults = str_from_cstr(names[i]);
		CHECK_ROW(hap_text_step(&st, 0, 3, 4, &out, NULL) == ERR_ARG && out.len == 0, i, names[i]);
		CHECK_ROW(hap_text_n_commands(&st) == 0, i, names[i]);
	}
	buf_free(&out);
}

static void
a_full_buffer_gets_no_half_command(void **state)
{
	struct plan_step st = step(PLAN_ADDRESS);
	struct buf out = buf_make(30);

	(void)state;
	buf_put(&out, STR("show info"));
	assert_int_equal(hap_text_step(&st, 0, 2, 6, &out, NULL), ERR_LIMIT);
	assert_str(buf_str(&out), "show info");
	buf_free(&out);
}

/* ---- verdicts ---- */

static void
recorded_replies_are_judged(void **state)
{
	static const struct {
		const char *file;
		enum plan_step_kind kind;
		const char *address;
		enum hap_text_verdict verdict;
		enum err_code code;
	} rows[] = {
		{ "judge_address_new.txt", PLAN_ADDRESS, "127.66.0.1", HAP_TEXT_DONE, ERR_OK },
		{ "judge_address_same.txt", PLAN_ADDRESS, "127.66.0.1", HAP_TEXT_DONE, ERR_OK },
		{ "judge_address_ip.txt", PLAN_ADDRESS, "127.66.0.3", HAP_TEXT_DONE, ERR_OK },
		{ "judge_address_new.txt", PLAN_ADDRESS, "127.66.0.3", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_address_wrapped.txt", PLAN_ADDRESS, "127.66.0.3", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_address_bad.txt", PLAN_ADDRESS, "127.66.0.3", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_address_new.txt", PLAN_WEIGHT, "127.66.0.1", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_weight.txt", PLAN_WEIGHT, "", HAP_TEXT_DONE, ERR_OK },
		{ "judge_weight_over.txt", PLAN_WEIGHT, "", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_weight_word.txt", PLAN_WEIGHT, "", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_weight_static.txt", PLAN_WEIGHT, "", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_maxconn.txt", PLAN_MAXCONN, "", HAP_TEXT_DONE, ERR_OK },
		{ "judge_maxconn_word.txt", PLAN_MAXCONN, "", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_drain.txt", PLAN_JOIN, "", HAP_TEXT_DONE, ERR_OK },
		{ "judge_ready.txt", PLAN_READY, "", HAP_TEXT_DONE, ERR_OK },
		{ "judge_maint.txt", PLAN_MAINT, "", HAP_TEXT_DONE, ERR_OK },
		{ "judge_state_word.txt", PLAN_MAINT, "", HAP_TEXT_REFUSED, ERR_REFUSED },
		{ "judge_shutdown.txt", PLAN_SHUTDOWN, "", HAP_TEXT_DONE, ERR_OK },
		{ "judge_no_server.txt", PLAN_READY, "", HAP_TEXT_GONE, ERR_REFUSED },
		{ "judge_no_server_maxconn.txt", PLAN_MAXCONN, "", HAP_TEXT_GONE, ERR_REFUSED },
		{ "judge_no_server_shutdown.txt", PLAN_SHUTDOWN, "", HAP_TEXT_GONE, ERR_REFUSED },
		{ "judge_no_backend.txt", PLAN_READY, "", HAP_TEXT_GONE, ERR_REFUSED },
		{ "judge_no_level.txt", PLAN_READY, "", HAP_TEXT_REFUSED, ERR_AUTH },
		{ "judge_unknown_command.txt", PLAN_READY, "", HAP_TEXT_REFUSED, ERR_REFUSED },
	};

	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++)
		for (size_t i = 0; i < N_OF(rows); i++) {
			struct buf reply = load(versions[v], rows[i].file);
			struct plan_step st = step(rows[i].kind);
			struct err e = ERR_INIT;

			st.address = str_from_cstr(rows[i].address);
			CHECK_ROW(hap_text_judge(&st, 0, buf_str(&reply), &e) == rows[i].verdict, i, rows[i].file);
			CHECK_ROW(e.code == rows[i].code, i, e.msg);
			buf_free(&reply);
		}
}

/* The wordings of 2.6 and of 3.x, and some that are nearly so. */
static void
an_address_was_set_only_if_haproxy_names_it(void **state)
{
	static const struct {
		const char *reply;
		bool done;
	} rows[] = {
		{ "[4]: nothing changed\n", true },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.1', port changed from '+0' to '50051' by 'stats socket "
		  "command'\n",
		    true },
		{ "IP changed from '0.0.0.0' to '10.0.0.1', port changed from '+0' to '50051' by 'stats socket "
		  "command'",
		    true },
		{ "[4]: IP changed from '10.9.9.9' to '10.0.0.1' by 'stats socket command'\n", true },
		{ "[4]: port changed from '1' to '50051' by 'stats socket command'\n", true },
		{ "[4]: no need to change the addr, port changed from '1' to '50051' by 'stats socket command'\n",
		    true },
		{ "[4]: IP changed from 'a' to '10.0.0.1', no need to change the port by 'stats socket command'\n",
		    true },
		{ "", false },
		{ "\n", false },
		{ "nothing", false },
		{ "[3]: nothing changed\n", false },
		{ "[4]: [4]: nothing changed\n", false },
		{ "[4]: nothing changed\n[3]: No such server.\n", false },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.2', port changed from '+0' to '50051' by 'stats socket "
		  "command'",
		    false },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.1', port changed from '+0' to '50052' by 'stats socket "
		  "command'",
		    false },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.1', port changed from '+0' to '50051'", false },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.1', by 'stats socket command'", false },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.1' by 'DNS cache'", false },
		{ "[4]: IP changed from '0.0.0.0' to '10.0.0.1' by 'stats socket command'\n[3]: No such server.",
		    false },
		{ "[4]: IP changed from '0.0.0.0' to 'a00:1::' by 'stats socket command'", false }, /* the same bytes */
		{ "[4]: port changed from '1' to '50051', IP changed from 'a' to '10.0.0.1' by 'stats socket command'",
		    false },
		{ "[4]: port changed from '1' to '+50051' by 'stats socket command'", false },
		{ "[4]: IP changed from '0.0.0.0 to 10.0.0.1 by 'stats socket command'", false },
		{ " by 'stats socket command'", false },
		{ "[4]: Update for the current server address family is only supported through configuration file.",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_step st = step(PLAN_ADDRESS);
		enum hap_text_verdict v = hap_text_judge(&st, 0, str_from_cstr(rows[i].reply), NULL);

		CHECK_ROW(v == (rows[i].done ? HAP_TEXT_DONE : HAP_TEXT_REFUSED), i, rows[i].reply);
	}
}

static void
an_address_is_compared_as_a_number(void **state)
{
	struct plan_step st = step(PLAN_ADDRESS);

	(void)state;
	st.address = STR("2001:db8::1");
	assert_int_equal(hap_text_judge(&st, 0,
			     STR("[4]: IP changed from '::' to '2001:DB8::0001', no need to change the port by 'stats "
				 "socket command'\n"),
			     NULL),
	    HAP_TEXT_DONE);
}

static void
any_word_is_a_refusal_where_silence_means_success(void **state)
{
	static const char *const replies[] = { "[6]: New server registered.\n", "[6]: Done.\n", "Done.", "OK",
		"nothing changed", "[4]: nothing changed", "[6]: Server deleted.", "0", "[6]: ", "1 (initial 1)\n",
		"\x01" };
	static const enum plan_step_kind kinds[] = { PLAN_WEIGHT, PLAN_MAXCONN, PLAN_JOIN, PLAN_READY, PLAN_MAINT,
		PLAN_SHUTDOWN };

	(void)state;
	for (size_t k = 0; k < N_OF(kinds); k++) {
		struct plan_step st = step(kinds[k]);

		assert_int_equal(hap_text_judge(&st, 0, STR("\n"), NULL), HAP_TEXT_DONE);
		for (size_t i = 0; i < N_OF(replies); i++)
			CHECK_ROW(
			    hap_text_judge(&st, 0, str_from_cstr(replies[i]), NULL) == HAP_TEXT_REFUSED, i, replies[i]);
	}
}

static void
a_server_still_in_use_is_for_later(void **state)
{
	struct plan_step st = step(PLAN_MAINT);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    hap_text_judge(&st, 0, STR("[3]: Server still has connections attached to it, cannot remove it.\n"), &e),
	    HAP_TEXT_RETRY);
	assert_true(err_is_transient(e.code));
}

static void
a_refusal_is_told_in_haproxys_words_and_ours(void **state)
{
	struct plan_step st = step(PLAN_WEIGHT);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(hap_text_judge(&st, 0, STR("[3]: Permission denied\n"), &e), HAP_TEXT_REFUSED);
	assert_string_equal(e.msg, "weight grpc/rc_1: HAProxy says `Permission denied`: the `stats socket` line of its "
				   "global section needs `level admin`");
	assert_int_equal(hap_text_judge(&st, 0, STR("[3]: hm\x1b[31m\xff ho\nsecond\n"), &e), HAP_TEXT_REFUSED);
	assert_string_equal(e.msg, "weight grpc/rc_1: HAProxy says `hm\\x1b[31m\\xff ho`");
}

static void
a_long_refusal_is_cut(void **state)
{
	struct plan_step st = step(PLAN_WEIGHT);
	struct err e = ERR_INIT;
	char words[5000];

	(void)state;
	memset(words, '\x01', sizeof(words));
	assert_int_equal(hap_text_judge(&st, 0, str_of(words, sizeof(words)), &e), HAP_TEXT_REFUSED);
	assert_true(strlen(e.msg) < 150);
	assert_true(str_is_printable(str_from_cstr(e.msg)));
}

/* ---- servers that are added, and what comes with them ---- */

static const struct conf_policy checked = { .check = {
						.type = CONF_CHECK_INHERIT, .inter_ms = 2000, .rise = 2, .fall = 3 } };

static void
assert_command(const struct plan_step *st, size_t i, unsigned major, unsigned minor, const char *line)
{
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);
	struct err e = ERR_INIT;

	if (hap_text_step(st, i, major, minor, &out, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	assert_str(buf_str(&out), line);
	buf_free(&out);
}

static void
a_server_is_added_with_everything_on_its_line(void **state)
{
	struct plan_step st = step(PLAN_ADD);
	struct buf out = buf_make(HAP_TEXT_COMMAND_MAX);

	(void)state;
	st.policy = &checked;
	assert_command(&st, 0, 3, 0,
	    "add server grpc/rc_1 10.0.0.1:50051 weight 7 proto h2 check inter 2000ms fastinter 200ms downinter 200ms "
	    "rise 2 fall 3");
	st.address = STR("2001:db8::1");
	st.starts_down = true;
	assert_command(&st, 0, 3, 2,
	    "add server grpc/rc_1 [2001:db8::1]:50051 weight 7 proto h2 check inter 2000ms fastinter 200ms downinter "
	    "200ms rise 2 fall 3 "
	    "init-state down");
	assert_int_equal(hap_text_step(&st, 0, 3, 0, &out, NULL), ERR_ARG);
	st.starts_down = false;
	st.port = 0;
	assert_int_equal(hap_text_step(&st, 0, 3, 2, &out, NULL), ERR_ARG);
	st.port = 1;
	st.address = STR("localhost");
	assert_int_equal(hap_text_step(&st, 0, 3, 2, &out, NULL), ERR_ARG);
	st.address = STR("10.0.0.1");
	st.policy = NULL;
	assert_int_equal(hap_text_step(&st, 0, 3, 2, &out, NULL), ERR_ARG);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void
the_life_of_a_dynamic_server_in_commands(void **state)
{
	static const struct {
		enum plan_step_kind kind;
		const char *line;
	} rows[] = {
		{ PLAN_CHECK, "enable health grpc/rc_1" },
		{ PLAN_DRAIN, "set server grpc/rc_1 state drain" },
		{ PLAN_DELETE, "del server grpc/rc_1" },
		{ PLAN_BACKEND, "add backend grpc from rollcall mode http" },
		{ PLAN_PUBLISH, "publish backend grpc" },
		{ PLAN_UNPUBLISH, "unpublish backend grpc" },
		{ PLAN_UNMAKE, "del backend grpc" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_step st = step(rows[i].kind);

		st.defaults = STR("rollcall");
		if (plan_step_is_of_backend(st.kind))
			st.server = STR("");
		assert_int_equal(hap_text_n_commands(&st), 1);
		assert_command(&st, 0, 3, 4, rows[i].line);
	}
}

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

static void
a_ca_is_made_filled_and_committed(void **state)
{
	const struct plan_ca ca = { .name = STR("a.pem"), .pem = STR(CERTIFICATE) };
	struct plan_step st = { .kind = PLAN_CA, .ca = &ca };

	(void)state;
	assert_int_equal(hap_text_n_commands(&st), 3);
	assert_command(&st, 0, 2, 6, "new ssl ca-file a.pem");
	assert_command(&st, 1, 2, 6, "set ssl ca-file a.pem <<\n" CERTIFICATE);
	assert_command(&st, 2, 2, 6, "commit ssl ca-file a.pem");
}

static void
a_large_ca_goes_in_pieces_where_haproxy_takes_them(void **state)
{
	struct buf pem = buf_make((size_t)1 << 20), out = buf_make(HAP_TEXT_COMMAND_MAX);
	struct plan_ca ca = { .name = STR("a.pem") };
	struct plan_step st = { .kind = PLAN_CA, .ca = &ca };
	struct err e = ERR_INIT;

	(void)state;
	while (pem.len < 20000)
		buf_put(&pem, STR(CERTIFICATE));
	ca.pem = buf_str(&pem);
	assert_int_equal(hap_text_n_commands(&st), 4);
	assert_int_equal(hap_text_step(&st, 1, 3, 0, &out, NULL), ERR_OK);
	assert_true(str_has_prefix(buf_str(&out), STR("set ssl ca-file a.pem <<\n-----BEGIN")));
	buf_reset(&out);
	assert_int_equal(hap_text_step(&st, 2, 3, 0, &out, NULL), ERR_OK);
	assert_true(str_has_prefix(buf_str(&out), STR("add ssl ca-file a.pem <<\n-----BEGIN")));
	buf_reset(&out);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(hap_text_step(&st, i, 2, 6, &out, &e), ERR_LIMIT);
	assert_non_null(strstr(e.msg, "HAProxy 2.6 takes CA files of 12000 bytes"));
	ca.pem = STR(CERTIFICATE "\nshow info\n");
	assert_int_equal(hap_text_n_commands(&st), 0);
	assert_int_equal(hap_text_step(&st, 1, 3, 0, &out, NULL), ERR_PARSE);
	ca.pem = STR(CERTIFICATE);
	ca.name = STR("a b");
	assert_int_equal(hap_text_step(&st, 0, 3, 0, &out, NULL), ERR_ARG);
	assert_int_equal(out.len, 0);
	buf_free(&pem);
	buf_free(&out);
}

/* As HAProxy 2.6, 3.0, 3.2 and 3.4 write them, and nearly so. */
static void
replies_about_dynamic_servers_are_judged(void **state)
{
	static const struct {
		enum plan_step_kind kind;
		const char *reply;
		enum hap_text_verdict verdict;
	} rows[] = {
		{ PLAN_ADD, "[6]: New server registered.\n", HAP_TEXT_DONE },
		{ PLAN_ADD, "[6]: New server registered.", HAP_TEXT_DONE },
		{ PLAN_ADD, "[3]: New server registered.\n", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[6]: New server registered.\n[3]: hm", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[6]: New server registered. ", HAP_TEXT_DONE },
		{ PLAN_ADD, "[6]: New server registered. But", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[6]: Server deleted.", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[3]: No such backend.", HAP_TEXT_GONE },
		{ PLAN_ADD, "[3]: Already exists a server with the same name in backend.\n", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[3]: MUX protocol is not usable for server.\n", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[3]: 'ca-file' : unable to load nope.pem.\n", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[3]: unknown keyword 'init-state'.\n", HAP_TEXT_REFUSED },
		{ PLAN_ADD, "[3]: Backend must use a dynamic load balancing to support dynamic servers.",
		    HAP_TEXT_REFUSED },
		{ PLAN_ADD,
		    "[3]: Backend does not support dynamic servers : backend 'srr' uses a non dynamic load balancing "
		    "method.\n",
		    HAP_TEXT_REFUSED },
		{ PLAN_CHECK, "\n", HAP_TEXT_DONE },
		{ PLAN_CHECK, "[3]: Health check was not configured on this server, cannot enable.\n",
		    HAP_TEXT_REFUSED },
		{ PLAN_CHECK, "[3]: No such server.\n", HAP_TEXT_GONE },
		{ PLAN_DRAIN, "\n", HAP_TEXT_DONE },
		{ PLAN_DRAIN, "[6]: Server deleted.\n", HAP_TEXT_REFUSED },
		{ PLAN_DELETE, "[6]: Server deleted.\n", HAP_TEXT_DONE },
		{ PLAN_DELETE, "[6]: Server deleted.", HAP_TEXT_DONE },
		{ PLAN_DELETE, "", HAP_TEXT_REFUSED },
		{ PLAN_DELETE, "[3]: No such server.\n", HAP_TEXT_GONE },
		{ PLAN_DELETE, "[3]: No such server. And more", HAP_TEXT_REFUSED },
		{ PLAN_DELETE, "[3]: Server still has connections attached to it, cannot remove it.\n",
		    HAP_TEXT_RETRY },
		{ PLAN_DELETE, "[3]: Server still has connections attached to it, cannot remove it.\nhm",
		    HAP_TEXT_REFUSED },
		{ PLAN_DELETE, "[3]: Only servers in maintenance mode can be deleted.\n", HAP_TEXT_RETRY },
		{ PLAN_DELETE,
		    "[3]: This server cannot be removed at runtime due to other configuration elements pointing to "
		    "it.\n",
		    HAP_TEXT_REFUSED },
		{ PLAN_BACKEND, "[6]: New backend registered.\n", HAP_TEXT_DONE },
		{ PLAN_BACKEND, "[3]: Cannot find default proxy 'nope'.\n", HAP_TEXT_REFUSED },
		{ PLAN_BACKEND,
		    "[3]: Error during backend creation : name is already used by other proxy 'frontend f'.\n",
		    HAP_TEXT_REFUSED },
		{ PLAN_PUBLISH, "[6]: Backend published.\n", HAP_TEXT_DONE },
		{ PLAN_PUBLISH, "[3]: No such backend.\n", HAP_TEXT_GONE },
		{ PLAN_PUBLISH, "[6]: Unknown command: 'publish', but maybe one of the following\n", HAP_TEXT_REFUSED },
		{ PLAN_UNPUBLISH, "[6]: Backend unpublished.\n", HAP_TEXT_DONE },
		{ PLAN_UNPUBLISH, "[3]: No such backend.\n", HAP_TEXT_GONE },
		{ PLAN_UNMAKE, "[6]: Backend deleted.\n", HAP_TEXT_DONE },
		{ PLAN_UNMAKE,
		    "[6]: Server a/b is going DOWN for maintenance. 0 active and 0 backup servers left.\n"
		    "backend 'a' has no server available!\nServer deleted.\nBackend deleted.\n",
		    HAP_TEXT_DONE },
		{ PLAN_UNMAKE, "[6]: Server deleted.\n", HAP_TEXT_REFUSED },
		{ PLAN_UNMAKE, "", HAP_TEXT_REFUSED },
		{ PLAN_UNMAKE, "[3]: No such backend.\n", HAP_TEXT_GONE },
		{ PLAN_UNMAKE, "[3]: Backend still has attached streams on it.\n", HAP_TEXT_RETRY },
		{ PLAN_UNMAKE, "[3]: Only a backend without server can be deleted.\n", HAP_TEXT_RETRY },
		{ PLAN_UNMAKE, "[3]: Backend must be unpublished prior to its deletion.\n", HAP_TEXT_RETRY },
		{ PLAN_UNMAKE,
		    "[3]: This proxy cannot be removed at runtime due to other configuration elements pointing to "
		    "it.\n",
		    HAP_TEXT_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_step st = step(rows[i].kind);
		struct err e = ERR_INIT;

		CHECK_ROW(
		    hap_text_judge(&st, 0, str_from_cstr(rows[i].reply), &e) == rows[i].verdict, i, rows[i].reply);
		CHECK_ROW((e.code == ERR_OK) == (rows[i].verdict == HAP_TEXT_DONE), i, e.msg);
	}
}

static void
replies_about_a_ca_are_judged_command_by_command(void **state)
{
	static const struct {
		size_t i;
		const char *reply;
		bool done;
	} rows[] = {
		{ 0, "[5]: New CA file created 'a.pem'!\n", true },
		{ 0, "[3]: CA file 'a.pem' already exists!\n", true },
		{ 0, "[3]: CA file 'b.pem' already exists!\n", false },
		{ 0, "[5]: CA file 'a.pem' already exists!\n", false },
		{ 0, "", false },
		{ 0, "[3]: Permission denied\n", false },
		{ 1, "[5]: transaction created for CA a.pem!\n", true },
		{ 1, "+ + + + [5]: transaction created for CA a.pem!\n", true },
		{ 1, "+ + [5]: transaction updated for CA a.pem!\n", true },
		{ 1, "+ + [5]: transaction created for CA b.pem!\n", false },
		{ 1, "+ + [3]: Invalid payload\nCan't update a.pem!\n", false },
		{ 1, "[3]: The ongoing transaction is about 'p.pem' but you are trying to set 'a.pem'\n", false },
		{ 1, "+ + ", false },
		{ 1, "Committing a.pem\nSuccess!\n", false },
		{ 2, "Committing a.pem\nSuccess!\n", true },
		{ 2, "Committing a.pem...\nSuccess!\n", true },
		{ 2, "Committing b.pem\nSuccess!\n", false },
		{ 2, "Committing a.pem\nFailed!\n", false },
		{ 2, "Committing a.pem\nSuccess!\nbut", false },
		{ 2, "[3]: No ongoing transaction! !\nCan't commit a.pem!\n", false },
	};
	const struct plan_ca ca = { .name = STR("a.pem"), .pem = STR(CERTIFICATE) };
	struct plan_step st = { .kind = PLAN_CA, .ca = &ca };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct err e = ERR_INIT;
		enum hap_text_verdict v = hap_text_judge(&st, rows[i].i, str_from_cstr(rows[i].reply), &e);

		CHECK_ROW(v == (rows[i].done ? HAP_TEXT_DONE : HAP_TEXT_REFUSED), i, rows[i].reply);
		CHECK_ROW(rows[i].done || strstr(e.msg, "ca a.pem: HAProxy says") != NULL, i, e.msg);
	}
}

static bool
is_recorded(const char *version, const char *name)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/tests/vectors/hap/%s/%s", source_dir(), version, name);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	(void)fclose(f);
	return true;
}

/* Backends are made from 3.4 on, a CA in pieces from 3.0. */
static void
recorded_replies_about_dynamic_servers_are_judged(void **state)
{
	static const struct {
		const char *file;
		enum plan_step_kind kind;
		size_t i;
		enum hap_text_verdict verdict;
		const char *since; /* which before is refused; null: all */
	} rows[] = {
		{ "judge_add.txt", PLAN_ADD, 0, HAP_TEXT_DONE, NULL },
		{ "judge_add_again.txt", PLAN_ADD, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_add_bad_keyword.txt", PLAN_ADD, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_add_no_backend.txt", PLAN_ADD, 0, HAP_TEXT_GONE, NULL },
		{ "judge_add_no_ca.txt", PLAN_ADD, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_add_static_rr.txt", PLAN_ADD, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_add_weight_over.txt", PLAN_ADD, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_add_no_level.txt", PLAN_ADD, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_del.txt", PLAN_DELETE, 0, HAP_TEXT_DONE, NULL },
		{ "judge_del_again.txt", PLAN_DELETE, 0, HAP_TEXT_GONE, NULL },
		{ "judge_del_busy.txt", PLAN_DELETE, 0, HAP_TEXT_RETRY, NULL },
		{ "judge_del_drained.txt", PLAN_DELETE, 0, HAP_TEXT_RETRY, NULL },
		{ "judge_del_sessions.txt", PLAN_DELETE, 0, HAP_TEXT_RETRY, NULL },
		{ "judge_del_referenced.txt", PLAN_DELETE, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_health.txt", PLAN_CHECK, 0, HAP_TEXT_DONE, NULL },
		{ "judge_health_no_check.txt", PLAN_CHECK, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_health_no_server.txt", PLAN_CHECK, 0, HAP_TEXT_GONE, NULL },
		{ "judge_gate.txt", PLAN_GATE, 0, HAP_TEXT_DONE, NULL },
		{ "judge_gate_no_server.txt", PLAN_GATE, 0, HAP_TEXT_GONE, NULL },
		{ "judge_ca_new.txt", PLAN_CA, 0, HAP_TEXT_DONE, NULL },
		{ "judge_ca_new_again.txt", PLAN_CA, 0, HAP_TEXT_DONE, NULL },
		{ "judge_ca_no_level.txt", PLAN_CA, 0, HAP_TEXT_REFUSED, NULL },
		{ "judge_ca_set.txt", PLAN_CA, 1, HAP_TEXT_DONE, NULL },
		{ "judge_ca_set_again.txt", PLAN_CA, 1, HAP_TEXT_DONE, NULL },
		{ "judge_ca_set_garbage.txt", PLAN_CA, 1, HAP_TEXT_REFUSED, NULL },
		{ "judge_ca_set_other.txt", PLAN_CA, 1, HAP_TEXT_REFUSED, NULL },
		{ "judge_ca_add.txt", PLAN_CA, 1, HAP_TEXT_DONE, "3.0" },
		{ "judge_ca_commit.txt", PLAN_CA, 2, HAP_TEXT_DONE, NULL },
		{ "judge_ca_commit_none.txt", PLAN_CA, 2, HAP_TEXT_REFUSED, NULL },
		{ "judge_backend_add.txt", PLAN_BACKEND, 0, HAP_TEXT_DONE, "3.4" },
		{ "judge_backend_add_again.txt", PLAN_BACKEND, 0, HAP_TEXT_REFUSED, "3.4" },
		{ "judge_backend_add_no_defaults.txt", PLAN_BACKEND, 0, HAP_TEXT_REFUSED, "3.4" },
		{ "judge_backend_publish.txt", PLAN_PUBLISH, 0, HAP_TEXT_DONE, "3.4" },
		{ "judge_backend_publish_no_backend.txt", PLAN_PUBLISH, 0, HAP_TEXT_GONE, "3.4" },
		{ "judge_backend_unpublish.txt", PLAN_UNPUBLISH, 0, HAP_TEXT_DONE, "3.4" },
		{ "judge_backend_unpublish_again.txt", PLAN_UNPUBLISH, 0, HAP_TEXT_DONE, "3.4" },
		{ "judge_backend_unpublish_no_backend.txt", PLAN_UNPUBLISH, 0, HAP_TEXT_GONE, "3.4" },
		{ "judge_backend_del.txt", PLAN_UNMAKE, 0, HAP_TEXT_DONE, "3.4" },
		{ "judge_backend_del_published.txt", PLAN_UNMAKE, 0, HAP_TEXT_RETRY, "3.4" },
		{ "judge_backend_del_servers.txt", PLAN_UNMAKE, 0, HAP_TEXT_RETRY, "3.4" },
		{ "judge_backend_del_used.txt", PLAN_UNMAKE, 0, HAP_TEXT_REFUSED, "3.4" },
		{ "judge_backend_del_no_backend.txt", PLAN_UNMAKE, 0, HAP_TEXT_GONE, "3.4" },
	};
	const struct plan_ca ca = { .name = STR("rc.pem"), .pem = STR(CERTIFICATE) };

	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++)
		for (size_t i = 0; i < N_OF(rows); i++) {
			bool before = rows[i].since != NULL && strcmp(versions[v], rows[i].since) < 0;
			struct plan_step st = step(rows[i].kind);
			struct buf reply;

			if (before && !is_recorded(versions[v], rows[i].file))
				continue;
			reply = load(versions[v], rows[i].file);
			st.ca = &ca;
			CHECK_ROW(hap_text_judge(&st, rows[i].i, buf_str(&reply), NULL) ==
				      (before ? HAP_TEXT_REFUSED : rows[i].verdict),
			    i, rows[i].file);
			buf_free(&reply);
		}
}

/* Which replies may mean success of a step, by how the name of their file begins. */
static const char *
may_do(enum plan_step_kind kind)
{
	switch (kind) {
	case PLAN_BACKEND:
		return "judge_backend_add";
	case PLAN_PUBLISH:
		return "judge_backend_publish";
	case PLAN_UNPUBLISH:
		return "judge_backend_unpublish";
	case PLAN_UNMAKE:
		return "judge_backend_del";
	case PLAN_CA:
		return "judge_ca_";
	case PLAN_ADD:
		return "judge_add";
	case PLAN_ADDRESS:
		return "judge_address_";
	case PLAN_DELETE:
		return "judge_del";
	case PLAN_CHECK:
	case PLAN_AGENT:
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
	case PLAN_JOIN:
	case PLAN_GATE:
	case PLAN_READY:
	case PLAN_UNEJECT:
	case PLAN_EJECT:
	case PLAN_DRAIN:
	case PLAN_MAINT:
	case PLAN_SHUTDOWN:
		break;
	}
	return "none";
}

static void
expect_success_of_none_but_its_own(const char *path, struct str reply)
{
	const struct plan_ca ca = { .name = STR("rc.pem"), .pem = STR(CERTIFICATE) };
	struct str name = str_after_last(str_from_cstr(path), '/');

	for (unsigned kind = 0; kind <= PLAN_DELETE; kind++)
		for (size_t i = 0; i < (kind == PLAN_CA ? 3 : 1); i++) {
			struct plan_step st = step((enum plan_step_kind)kind);

			st.ca = &ca;
			if (hap_text_judge(&st, i, reply, NULL) == HAP_TEXT_DONE &&
			    !str_has_prefix(name, str_from_cstr(may_do(st.kind))))
				fail_msg("%s is taken for success of %s", path, plan_step_name(st.kind));
		}
}

/* Agents, maps, backends and all that HAProxy says elsewhere, in each place where we listen. */
static void
no_reply_is_taken_for_success_of_another_command(void **state)
{
	char pattern[512];
	size_t n = 0;
	glob_t found;

	(void)state;
	(void)snprintf(pattern, sizeof(pattern), "%s/tests/vectors/hap/*/judge_*.txt", source_dir());
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		struct buf reply = load_file(path);

		if (str_trim(buf_str(&reply)).len > strlen("+ + + ")) { /* silence is what most commands answer */
			expect_success_of_none_but_its_own(path, buf_str(&reply));
			n++;
		}
		buf_free(&reply);
	}
	assert_true(n > 300);
	globfree(&found);
}

static void
recorded_ca_files_are_read(void **state)
{
	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++) {
		struct arena *a = arena_new(ARENA_MAX);
		struct buf loaded = load(versions[v], "judge_ca_show.txt");
		struct buf begun = load(versions[v], "judge_ca_show_transaction.txt");
		const struct str *cas;
		size_t n;

		assert_int_equal(hap_text_parse_cas(a, buf_str(&loaded), &cas, &n, NULL), ERR_OK);
		assert_int_equal(n, 2);
		assert_str(cas[1], "rc.pem");
		/* Begun and not committed: it would verify nothing. */
		assert_int_equal(hap_text_parse_cas(a, buf_str(&begun), &cas, &n, NULL), ERR_OK);
		assert_int_equal(n, 1);
		assert_str(cas[0], "@system-ca");
		buf_free(&loaded);
		buf_free(&begun);
		arena_free(a);
	}
}

/* ---- show info ---- */

static void
info_tells_which_process_answers(void **state)
{
	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++) {
		struct arena *a = arena_new(ARENA_MAX);
		struct buf reply = load(versions[v], "info.txt");
		struct hap_text_info info;

		assert_int_equal(hap_text_parse_info(a, buf_str(&reply), &info, NULL), ERR_OK);
		assert_true(str_has_prefix(info.version, str_from_cstr(versions[v])));
		assert_true(info.pid > 0);
		assert_true(info.start_time_s > 1500000000);
		assert_false(info.stopping);
		buf_free(&reply);
		arena_free(a);
	}
}

static void
info_is_read_by_name(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct hap_text_info info;

	(void)state;
	assert_int_equal(
	    hap_text_parse_info(
		a, STR("Stopping: 1\nFancy: new\nPid: 7\n\nVersion: 3.4-dev12-abc\nStart_time_sec: 9\n"), &info, NULL),
	    ERR_OK);
	assert_str(info.version, "3.4-dev12-abc");
	assert_int_equal(info.major, 3);
	assert_int_equal(info.minor, 4);
	assert_int_equal(info.pid, 7);
	assert_int_equal(info.start_time_s, 9);
	assert_true(info.stopping);
	arena_free(a);
}

static void
info_that_lacks_something_is_an_error(void **state)
{
	static const char *const replies[] = {
		"",
		"Pid: 1\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 2.6\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 2.6\nPid: 1\nStopping: 0\n",
		"Version: 2.6\nPid: 1\nStart_time_sec: 2\n",
		"Version: 2.6\nPid: x\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 2.6\nPid: 1\nStart_time_sec: 2\nStopping: 2\n",
		"Version: two\nPid: 1\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 2.\nPid: 1\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 2\nPid: 1\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 2.6\x1b\nPid: 1\nStart_time_sec: 2\nStopping: 0\n",
		"Version: 99999999999999999999.6\nPid: 1\nStart_time_sec: 2\nStopping: 0\n",
	};
	struct arena *a = arena_new(ARENA_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(replies); i++) {
		struct hap_text_info info;
		struct err e = ERR_INIT;

		CHECK_ROW(hap_text_parse_info(a, str_from_cstr(replies[i]), &info, &e) == ERR_PARSE, i, replies[i]);
		CHECK_ROW(e.msg[0] != '\0', i, replies[i]);
	}
	arena_free(a);
}

/* ---- both tables ---- */

struct expected {
	const char *file, *backend, *server;
	const char *address;
	uint16_t port;
	unsigned weight, maxconn;
	enum actual_admin admin;
	bool up;
	enum actual_check check;
	const char *status, *last_check;
};

static const struct expected expectations[] = {
	{ "fresh", "slots", "rc_1", "", 0, 10, 7, ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING, "MAINT", "" },
	{ "fresh", "slots", "rc_3", "", 0, 10, 7, ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING, "MAINT", "" },
	{ "addressed", "slots", "rc_1", "127.66.0.1", 50051, 10, 7, ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING, "MAINT",
	    "" },
	{ "drain_unchecked", "lazy", "rc_1", "127.66.0.1", 50051, 1, 0, ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING,
	    "DRAIN 1/3", "INI" },
	{ "drain_checked", "slots", "rc_1", "127.66.0.1", 50051, 10, 7, ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED,
	    "DRAIN", "L4OK" },
	{ "drain_checked", "slots", "rc_2", "127.66.0.2", 50051, 10, 7, ACTUAL_DRAIN, false, ACTUAL_CHECK_FAILED,
	    "DOWN", "L4CON" },
	{ "ready", "slots", "rc_1", "127.66.0.1", 50051, 10, 7, ACTUAL_READY, true, ACTUAL_CHECK_PASSED, "UP", "L4OK" },
	{ "ready", "slots", "rc_2", "127.66.0.2", 50051, 10, 7, ACTUAL_READY, false, ACTUAL_CHECK_FAILED, "DOWN",
	    "L4CON" },
	/* Put back, it says the same as a slot that never left maintenance. */
	{ "maint_again", "slots", "rc_1", "127.66.0.1", 50051, 10, 7, ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING,
	    "MAINT", "" },
	/* What is shown is the last check of the address before. */
	{ "reused", "slots", "rc_1", "127.66.0.2", 50051, 10, 7, ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING, "DRAIN 1/3",
	    "L4OK" },
	{ "nocheck", "nocheck", "rc_1", "127.66.0.1", 50051, 1, 0, ACTUAL_READY, true, ACTUAL_UNCHECKED, "no check",
	    "" },
	{ "nocheck", "nocheck", "rc_2", "", 0, 1, 0, ACTUAL_MAINT, false, ACTUAL_UNCHECKED, "MAINT", "" },
	{ "nocheck", "nocheck", "six", "::1", 50051, 1, 0, ACTUAL_READY, true, ACTUAL_UNCHECKED, "no check", "" },
	{ "nocheck", "nocheck", "named", "", 50051, 1, 0, ACTUAL_MAINT, false, ACTUAL_UNCHECKED, "MAINT (resolution)",
	    "" },
	/* The count is full before anything was checked. */
	{ "fall1", "fall1", "rc_1", "127.66.0.1", 50051, 1, 0, ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING, "DRAIN",
	    "INI" },
	{ "by_number", "twin", "rc_1", "127.66.0.1", 50051, 1, 0, ACTUAL_READY, true, ACTUAL_UNCHECKED, "no check",
	    "" },
	{ "dynamic", "dynamic", "rc_d", "127.66.0.1", 50051, 1, 0, ACTUAL_MAINT, false, ACTUAL_CHECK_PASSED, "MAINT",
	    "L4OK" },
};

static void
check_server(const struct actual_server *got, const struct expected *want, size_t row)
{
	CHECK_ROW(got != NULL, row, want->file);
	if (got == NULL)
		return;
	assert_str(got->address, want->address);
	assert_str(got->status, want->status);
	assert_str(got->last_check, want->last_check);
	CHECK_ROW(got->port == want->port, row, "port");
	CHECK_ROW(got->weight == want->weight, row, "weight");
	CHECK_ROW(got->maxconn == want->maxconn, row, "maxconn");
	CHECK_ROW(got->admin == want->admin, row, "admin");
	CHECK_ROW(got->up == want->up, row, "up");
	CHECK_ROW(got->check == want->check, row, "check");
}

static void
recorded_tables_are_read(void **state)
{
	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++)
		for (size_t i = 0; i < N_OF(expectations); i++) {
			const struct expected *want = &expectations[i];
			struct tables t = load_tables(versions[v], want->file);
			struct arena *a = arena_new(ARENA_MAX);
			struct actual_backend b;
			struct err e = ERR_INIT;

			if (hap_text_parse_backend(a, NULL, str_from_cstr(want->backend), buf_str(&t.servers),
				buf_str(&t.stat), &b, &e) != ERR_OK)
				fail_msg("%s: %s", want->file, e.msg);
			assert_true(b.exists);
			check_server(find_server(&b, want->server), want, i);
			tables_free(&t);
			arena_free(a);
		}
}

/* Backend after backend of one HAProxy, and then another one's. */
static void
a_layout_is_learnt_anew_where_the_header_is_another(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct hap_text_layout *layout = NULL, *before = NULL;

	(void)state;
	for (size_t round = 0; round < 2; round++)
		for (size_t v = 0; v < N_OF(versions); v++)
			for (size_t i = 0; i < N_OF(expectations); i++) {
				const struct expected *want = &expectations[i];
				struct tables t = load_tables(versions[v], want->file);
				struct actual_backend b;

				assert_int_equal(hap_text_parse_backend(a, &layout, str_from_cstr(want->backend),
						     buf_str(&t.servers), buf_str(&t.stat), &b, NULL),
				    ERR_OK);
				check_server(find_server(&b, want->server), want, i);
				assert_int_equal(layout == before, i > 0);
				before = layout;
				tables_free(&t);
			}
	arena_free(a);
}

/* The life of a dynamic server, as plan/actual.h tells it. */
static void
each_stage_of_a_dynamic_server_is_told_from_the_next(void **state)
{
	static const struct {
		const char *server;
		enum actual_admin admin;
		bool up;
		enum actual_check check;
		bool is_new; /* from 3.2 */
	} rows[] = {
		{ "rc_added", ACTUAL_MAINT, false, ACTUAL_UNCHECKED, false },
		{ "rc_unchecked", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING, false },
		{ "rc_checked", ACTUAL_MAINT, false, ACTUAL_CHECK_PASSED, false },
		{ "rc_check_failed", ACTUAL_MAINT, false, ACTUAL_CHECK_FAILED, false },
		{ "rc_ready", ACTUAL_READY, true, ACTUAL_CHECK_PASSED, false },
		{ "rc_ready_unchecked", ACTUAL_READY, true, ACTUAL_CHECK_PENDING, false },
		{ "rc_failing", ACTUAL_READY, true, ACTUAL_CHECK_PENDING, false },
		{ "rc_rising", ACTUAL_READY, false, ACTUAL_CHECK_PENDING, false },
		{ "rc_down", ACTUAL_READY, false, ACTUAL_CHECK_FAILED, false },
		{ "rc_drained", ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED, false },
		{ "rc_no_check", ACTUAL_READY, true, ACTUAL_UNCHECKED, false },
		{ "rc_init_down", ACTUAL_READY, false, ACTUAL_CHECK_PENDING, true },
		{ "rc_init_down_checked", ACTUAL_READY, true, ACTUAL_CHECK_PASSED, true },
	};

	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++) {
		struct tables t = load_tables(versions[v], "stages");
		struct arena *a = arena_new(ARENA_MAX);
		struct actual_backend b;

		assert_int_equal(
		    hap_text_parse_backend(a, NULL, STR("stages"), buf_str(&t.servers), buf_str(&t.stat), &b, NULL),
		    ERR_OK);
		for (size_t i = 0; i < N_OF(rows); i++) {
			const struct actual_server *got = find_server(&b, rows[i].server);

			if (rows[i].is_new && strcmp(versions[v], "3.2") < 0)
				continue;
			CHECK_ROW(got != NULL, i, rows[i].server);
			if (got == NULL)
				continue;
			CHECK_ROW(got->is_ours && !got->is_slot, i, rows[i].server);
			CHECK_ROW(got->admin == rows[i].admin && got->up == rows[i].up, i, rows[i].server);
			CHECK_ROW(got->check == rows[i].check, i, rows[i].server);
		}
		tables_free(&t);
		arena_free(a);
	}
}

static void
slots_are_told_from_others(void **state)
{
	struct tables t = load_tables("2.6", "fresh");
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	assert_int_equal(
	    hap_text_parse_backend(a, NULL, STR("slots"), buf_str(&t.servers), buf_str(&t.stat), &b, NULL), ERR_OK);
	tables_free(&t); /* everything is in the arena */
	assert_int_equal(b.n_servers, 4);
	assert_int_equal(b.n_slots, 3);
	assert_str(b.name, "slots");
	assert_true(b.servers[2].is_ours && b.servers[2].is_slot);
	assert_int_equal(b.servers[2].slot, 3);
	assert_str(b.servers[3].name, "legacy");
	assert_false(b.servers[3].is_ours || b.servers[3].is_slot);
	arena_free(a);
}

static void
a_backend_is_unknown_empty_or_wants_small_weights(void **state)
{
	static const struct {
		const char *file, *backend;
		bool exists, small_weights;
		size_t n_servers;
	} rows[] = {
		{ "unknown", "nosuch", false, false, 0 },
		{ "empty", "empty", true, false, 0 },
		{ "fresh", "slots", true, false, 4 },
		{ "random", "random", true, true, 1 },
		{ "hashed", "hashed", true, true, 1 },
	};

	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++)
		for (size_t i = 0; i < N_OF(rows); i++) {
			struct tables t = load_tables(versions[v], rows[i].file);
			struct arena *a = arena_new(ARENA_MAX);
			struct actual_backend b;

			CHECK_ROW(hap_text_parse_backend(a, NULL, str_from_cstr(rows[i].backend), buf_str(&t.servers),
				      buf_str(&t.stat), &b, NULL) == ERR_OK,
			    i, rows[i].file);
			CHECK_ROW(b.exists == rows[i].exists, i, rows[i].file);
			CHECK_ROW(b.small_weights == rows[i].small_weights, i, rows[i].file);
			CHECK_ROW(b.n_servers == rows[i].n_servers, i, rows[i].file);
			assert_str(b.name, rows[i].backend);
			tables_free(&t);
			arena_free(a);
		}
}

/* From 3.3 on it is `balance random`. */
static void
without_a_balance_line_the_version_decides(void **state)
{
	(void)state;
	for (size_t v = 0; v < N_OF(versions); v++) {
		struct tables t = load_tables(versions[v], "unbalanced");
		struct arena *a = arena_new(ARENA_MAX);
		struct actual_backend b;

		assert_int_equal(
		    hap_text_parse_backend(a, NULL, STR("unbalanced"), buf_str(&t.servers), buf_str(&t.stat), &b, NULL),
		    ERR_OK);
		CHECK_ROW(b.small_weights == (strcmp(versions[v], "3.3") >= 0), v, versions[v]);
		tables_free(&t);
		arena_free(a);
	}
}

static void
a_frontend_of_the_same_name_is_noticed(void **state)
{
	struct tables shadowed = load_tables("2.6", "shadowed"), plain = load_tables("2.6", "by_number");
	struct tables empty = load_tables("2.6", "empty"), unknown = load_tables("2.6", "unknown");
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;
	struct str id;

	(void)state;
	assert_true(hap_text_is_shadowed(buf_str(&shadowed.servers), buf_str(&shadowed.stat), &id));
	assert_str(id, "9");
	assert_int_equal(
	    hap_text_parse_backend(a, NULL, STR("twin"), buf_str(&shadowed.servers), buf_str(&shadowed.stat), &b, NULL),
	    ERR_PARSE);
	assert_false(hap_text_is_shadowed(buf_str(&plain.servers), buf_str(&plain.stat), &id));
	assert_false(hap_text_is_shadowed(buf_str(&empty.servers), buf_str(&empty.stat), &id));
	assert_false(hap_text_is_shadowed(buf_str(&unknown.servers), buf_str(&unknown.stat), &id));
	tables_free(&shadowed);
	tables_free(&plain);
	tables_free(&empty);
	tables_free(&unknown);
	arena_free(a);
}

/* ---- tables made by hand ---- */

#define SERVERS_HEADER                                                                                           \
	"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "      \
	"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "         \
	"srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port " \
	"srv_check_addr srv_agent_addr srv_agent_port\n"
#define SERVERS_ROW(name) "3 b 1 " name " 10.0.0.1 2 0 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n"
#define STAT_HEADER \
	"# "        \
	"pxname,svname,qcur,scur,slim,status,type,check_status,check_rise,check_fall,check_health,algo,new_column,\n"
#define STAT_ROW(name) "b," name ",3,5,7,UP,2,L4OK,2,3,4,,,\n"

static enum err_code
parse(struct arena *a, const char *servers, const char *stat, struct actual_backend *ret, struct err *e)
{
	return hap_text_parse_backend(a, NULL, STR("b"), str_from_cstr(servers), str_from_cstr(stat), ret, e);
}

static void
a_server_in_only_one_of_the_tables_is_left_out(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	assert_int_equal(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1") SERVERS_ROW("rc_2") SERVERS_ROW("rc_3"),
			     STAT_HEADER STAT_ROW("rc_3") STAT_ROW("rc_4") STAT_ROW("rc_1") STAT_ROW("rc_1"), &b, NULL),
	    ERR_OK);
	assert_int_equal(b.n_servers, 2);
	assert_int_equal(b.n_slots, 2);
	assert_str(b.servers[0].name, "rc_1");
	assert_str(b.servers[1].name, "rc_3");
	assert_int_equal(b.servers[1].sessions, 5);
	assert_int_equal(b.servers[1].queued, 3);
	assert_int_equal(b.servers[1].maxconn, 7);
	arena_free(a);
}

static void
that_none_is_in_both_is_an_error(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER, &b, &e), ERR_PARSE);
	assert_int_equal(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER STAT_ROW("rc_2"), &b, &e), ERR_PARSE);
	assert_int_equal(
	    parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "x,rc_1,3,5,7,UP,2,L4OK,2,3,4,,,\n", &b, &e),
	    ERR_PARSE);
	assert_int_equal(parse(a, SERVERS_HEADER, STAT_HEADER STAT_ROW("rc_1"), &b, &e), ERR_OK);
	assert_int_equal(b.n_servers, 0);
	arena_free(a);
}

static void
a_backend_that_went_away_in_between_does_not_exist(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	assert_int_equal(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), "[3]: No such proxy.\n", &b, NULL), ERR_OK);
	assert_false(b.exists);
	assert_int_equal(parse(a, "Can't find backend.\n", STAT_HEADER, &b, NULL), ERR_OK);
	assert_false(b.exists);
	arena_free(a);
}

/* Behind the last column that is needed only the end of the line is looked for. */
static void
columns_that_nobody_needs_may_hold_anything(void **state)
{
	static const char *const tails[] = { "", ",", ",,,,,", ",\"a\nb,\"\"c\"", ",x,\"\",y", ",a\"b" };
	static const char *const cut[] = { ",\"a\n", ",\"a\"b", ",x,\"" };
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;
	char stat[512];

	(void)state;
	for (size_t i = 0; i < N_OF(tails); i++) {
		(void)snprintf(
		    stat, sizeof(stat), STAT_HEADER "b,rc_1,3,5,7,UP,2,L4OK,2,3,4,%s\n" STAT_ROW("rc_2"), tails[i]);
		CHECK_ROW(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1") SERVERS_ROW("rc_2"), stat, &b, NULL) == ERR_OK &&
			      b.n_servers == 2 && b.servers[0].sessions == 5 && b.servers[1].sessions == 5,
		    i, tails[i]);
	}
	for (size_t i = 0; i < N_OF(cut); i++) {
		(void)snprintf(stat, sizeof(stat), STAT_HEADER "b,rc_1,3,5,7,UP,2,L4OK,2,3,4,%s", cut[i]);
		CHECK_ROW(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), stat, &b, NULL) == ERR_PARSE, i, cut[i]);
	}
	arena_free(a);
}

static void
a_frontend_without_a_backend_is_told(void **state)
{
	static const struct {
		const char *name, *stat;
		bool is_frontend;
	} rows[] = {
		{ "web", STAT_HEADER, true },
		{ "web", "[3]: No such proxy.\n", false },
		{ "7", STAT_HEADER, false }, /* of a number it is the proxy that has it, whatever its name */
		{ "web", "", false },
	};
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_int_equal(hap_text_parse_backend(a, NULL, str_from_cstr(rows[i].name),
				     STR("[3]: Can't find backend.\n"), str_from_cstr(rows[i].stat), &b, NULL),
		    ERR_OK);
		CHECK_ROW(!b.exists && b.is_frontend == rows[i].is_frontend, i, rows[i].name);
	}
	arena_free(a);
}

static void
columns_are_found_by_name_and_quoted_ones_skipped(void **state)
{
	static const char stat[] =
	    "# algo,desc,svname,check_health,check_fall,check_rise,type,slim,status,check_status,scur,qcur,pxname,\n"
	    ",\"a, \"\"quoted\"\"\none\",rc_1,4,3,2,2,,UP 1/2,* L7OK,1,0,b,\n"
	    "leastconn,\"\",BACKEND,,,,1,,UP,,1,0,b,\n";
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	assert_int_equal(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), stat, &b, NULL), ERR_OK);
	assert_int_equal(b.n_servers, 1);
	assert_int_equal(b.servers[0].maxconn, 0);
	assert_int_equal(b.servers[0].check, ACTUAL_CHECK_PASSED);
	assert_str(b.servers[0].last_check, "L7OK");
	assert_false(b.small_weights);
	arena_free(a);
}

#define STAT_OK STAT_HEADER STAT_ROW("rc_1")

static void
a_table_that_is_not_as_it_should_be_is_an_error(void **state)
{
	static const struct {
		const char *servers, *stat;
	} rows[] = {
		{ "", STAT_OK },
		{ "2\n", STAT_OK },
		{ "1\n", STAT_OK },
		{ "1\n1 b 1 rc_1\n", STAT_OK },
		{ "1\n# be_id be_name srv_name srv_id\n", STAT_OK },
		{ "[3]: Permission denied\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1\n", STAT_OK },
		{ SERVERS_HEADER "3 other 1 rc_1 10.0.0.1 2 0 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 x 0 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 -1 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 0 257 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 0 10 10 5 6 3 4 6 0 0 0 - 65536 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 0 10 10 5s 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 0 10 10 5 6 3 4 0x6 0 0 0 - 80 - 0 0 - - 0\n", STAT_OK },
		{ SERVERS_HEADER SERVERS_ROW("rc/1"), STAT_HEADER STAT_ROW("rc/1") },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), "" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), "pxname,svname\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), "# pxname,svname,qcur,scur\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), "[3]: Permission denied\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,3,5\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,3,5,7,\"UP,2,L4OK,2,3,4,,,\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,3,5,7,\"UP\"x,2,L4OK,2,3,4,,,\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,3,-5,7,UP,2,L4OK,2,3,4,,,\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,x,5,7,UP,2,L4OK,2,3,4,,,\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,3,5,99999999999,UP,2,L4OK,2,3,4,,,\n" },
		{ SERVERS_HEADER SERVERS_ROW("rc_1"), STAT_HEADER "b,rc_1,3,5,7,U\x1bP,2,L4OK,2,3,4,,,\n" },
	};
	struct arena *a = arena_new(ARENA_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct actual_backend b;
		struct err e = ERR_INIT;

		CHECK_ROW(parse(a, rows[i].servers, rows[i].stat, &b, &e) == ERR_PARSE, i, rows[i].servers);
		CHECK_ROW(str_has_prefix(str_from_cstr(e.msg), STR("backend b: ")), i, e.msg);
	}
	arena_free(a);
}

static void
more_columns_than_we_know_are_fine(void **state)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct buf servers = buf_make(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	buf_put(&servers, STR(SERVERS_HEADER));
	servers.len--; /* its newline */
	buf_put(&servers, STR(" srv_fancy\n3 b 1 rc_1 10.0.0.1 2 0 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0 7\n"));
	assert_int_equal(hap_text_parse_backend(a, NULL, STR("b"), buf_str(&servers), STR(STAT_OK), &b, NULL), ERR_OK);
	assert_int_equal(b.n_servers, 1);
	buf_free(&servers);
	arena_free(a);
}

/* What `show servers state` and `show stat` say together, and what it means. */
static void
admin_and_checks_are_derived(void **state)
{
	static const struct {
		const char *op_admin, *changed, *check_state; /* of the one */
		const char *cells; /* status,type,check_status,rise,fall,health of the other */
		enum actual_admin admin;
		bool up;
		enum actual_check check;
	} rows[] = {
		{ "2 0", "9", "6", "UP,2,L4OK,2,3,4", ACTUAL_READY, true, ACTUAL_CHECK_PASSED },
		{ "1 0", "9", "6", "UP,2,L4OK,2,3,4", ACTUAL_READY, true, ACTUAL_CHECK_PASSED },
		{ "2 4", "9", "6", "UP,2,* L4OK,2,3,4", ACTUAL_READY, true, ACTUAL_CHECK_PASSED },
		{ "2 4", "9", "7", "UP,2,L6OK,2,3,4", ACTUAL_READY, true, ACTUAL_CHECK_PASSED },
		{ "2 4", "9", "6", "UP 2/3,2,L4CON,2,3,3", ACTUAL_READY, true, ACTUAL_CHECK_PENDING },
		{ "0 4", "9", "6", "DOWN,2,L7STS,2,3,0", ACTUAL_READY, false, ACTUAL_CHECK_FAILED },
		{ "0 4", "9", "6", "DOWN 1/2,2,L7OK,2,3,1", ACTUAL_READY, false, ACTUAL_CHECK_PENDING },
		{ "2 12", "0", "6", "DRAIN 1/3,2,INI,2,3,2", ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING },
		{ "2 12", "0", "6", "DRAIN 1/3,2,L4OK,2,3,2", ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING },
		{ "2 12", "0", "6", "DRAIN,2,L4OK,2,3,4", ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED },
		{ "2 12", "0", "6", "DRAIN,2,PROCOK,2,3,4", ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED },
		{ "2 12", "0", "6", "DRAIN,2,L4CON,2,3,4", ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING },
		{ "3 12", "0", "6", "NOLB,2,L7OKC,2,3,4", ACTUAL_DRAIN, false, ACTUAL_CHECK_PENDING },
		{ "2 24", "9", "6", "DRAIN,2,L7OK,2,3,4", ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED },
		{ "2 16", "9", "6", "DRAIN,2,L7OK,2,3,4", ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED },
		/* fall 1: the count is full from the beginning */
		{ "2 12", "0", "6", "DRAIN,2,L4OK,2,1,2", ACTUAL_DRAIN, true, ACTUAL_CHECK_PASSED },
		{ "2 12", "-3", "6", "DRAIN,2,INI,2,1,2", ACTUAL_DRAIN, true, ACTUAL_CHECK_PENDING },
		{ "0 12", "0", "6", "DOWN,2,L4OK,2,1,0", ACTUAL_DRAIN, false, ACTUAL_CHECK_PENDING },
		{ "0 12", "0", "6", "DOWN 1/2,2,L4OK,2,1,1", ACTUAL_DRAIN, false, ACTUAL_CHECK_PENDING },
		{ "2 4", "0", "6", "UP,2,L4OK,2,1,2", ACTUAL_READY, true, ACTUAL_CHECK_PASSED },
		/* maintenance, of all kinds */
		{ "0 5", "0", "14", "MAINT,2,,,,", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING },
		{ "0 1", "0", "14", "MAINT,2,,,,", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING },
		{ "0 2", "0", "14", "MAINT (via x/y),2,,,,", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING },
		{ "0 32", "0", "14", "MAINT (resolution),2,,,,", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING },
		{ "0 64", "0", "14", "MAINT,2,,,,", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING },
		{ "0 13", "0", "14", "MAINT,2,,,,", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING },
		{ "0 5", "0", "6", "MAINT,2,L4OK,2,3,1", ACTUAL_MAINT, false, ACTUAL_CHECK_PENDING }, /* a slot */
		/* no checks: none configured, paused, or `disable health` */
		{ "2 0", "0", "0", "no check,2,,,,", ACTUAL_READY, true, ACTUAL_UNCHECKED },
		{ "2 4", "0", "8", "no check,2,,,,", ACTUAL_READY, true, ACTUAL_UNCHECKED },
		{ "2 0", "0", "2", "UP,2,L4OK,2,3,4", ACTUAL_READY, true, ACTUAL_UNCHECKED },
		/* counts that make no sense */
		{ "2 0", "0", "6", "UP -1/3,2,L4OK,2,3,-1", ACTUAL_READY, true, ACTUAL_CHECK_PENDING },
		{ "2 0", "0", "6", "UP,2,L4OK,,3,4", ACTUAL_READY, true, ACTUAL_CHECK_PENDING },
		{ "2 0", "0", "6", "UP,2,UNK,2,3,4", ACTUAL_READY, true, ACTUAL_CHECK_PENDING },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a = arena_new(ARENA_MAX);
		char servers[2000], stat[1000];
		struct actual_backend b;

		(void)snprintf(servers, sizeof(servers),
		    SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 %s 10 10 %s 6 3 4 %s 0 0 0 - 80 - 0 0 - - 0\n",
		    rows[i].op_admin, rows[i].changed, rows[i].check_state);
		(void)snprintf(stat, sizeof(stat), STAT_HEADER "b,rc_1,0,0,,%s,,,\n", rows[i].cells);
		CHECK_ROW(parse(a, servers, stat, &b, NULL) == ERR_OK, i, rows[i].cells);
		CHECK_ROW(b.servers[0].admin == rows[i].admin, i, rows[i].cells);
		CHECK_ROW(b.servers[0].up == rows[i].up, i, rows[i].cells);
		CHECK_ROW(b.servers[0].check == rows[i].check, i, rows[i].cells);
		CHECK_ROW(b.servers[0].shows_full_at_once ==
			      (rows[i].admin == ACTUAL_DRAIN && strstr(rows[i].cells, ",2,1,") != NULL),
		    i, rows[i].cells);
		arena_free(a);
	}
}

static void
an_address_that_is_none_is_empty(void **state)
{
	static const struct {
		const char *said, *address;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "0.0.0.0", "" },
		{ "::", "" },
		{ "-", "" },
		{ "/run/x.sock", "" },
		{ "example.com", "" },
		{ "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222:3333:4444", "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a = arena_new(ARENA_MAX);
		char servers[2000];
		struct actual_backend b;

		(void)snprintf(servers, sizeof(servers),
		    SERVERS_HEADER "3 b 1 rc_1 %s 2 0 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", rows[i].said);
		CHECK_ROW(parse(a, servers, STAT_OK, &b, NULL) == ERR_OK, i, rows[i].said);
		assert_str(b.servers[0].address, rows[i].address);
		arena_free(a);
	}
}

static void
an_age_is_never_negative_nor_more_than_fits(void **state)
{
	static const struct {
		const char *said;
		uint32_t changed_s;
	} rows[] = { { "0", 0 }, { "5", 5 }, { "-3", 0 }, { "4294967295", UINT32_MAX }, { "4294967297", UINT32_MAX } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a = arena_new(ARENA_MAX);
		char servers[2000];
		struct actual_backend b;

		(void)snprintf(servers, sizeof(servers),
		    SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 0 10 10 %s 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", rows[i].said);
		CHECK_ROW(parse(a, servers, STAT_OK, &b, NULL) == ERR_OK, i, rows[i].said);
		CHECK_ROW(b.servers[0].changed_s == rows[i].changed_s, i, rows[i].said);
		arena_free(a);
	}
}

/* Only one that is enabled ejects: what one that is not said last counts for nothing. */
static void
an_agent_is_on_the_line_is_enabled_or_ejects(void **state)
{
	static const struct {
		const char *agent_state, *health;
		bool has_line, is_enabled, is_down;
	} rows[] = {
		{ "0", "", false, false, false },
		{ "4", "0", false, false, false },
		{ "2", "", true, false, false },
		{ "2", "0", true, false, false },
		{ "6", "", true, true, false },
		{ "6", "1", true, true, false },
		{ "6", "0", true, true, true },
		{ "7", "0", true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a = arena_new(ARENA_MAX);
		char servers[2000], stat[1000];
		const struct actual_server *s;
		struct actual_backend b;

		(void)snprintf(servers, sizeof(servers),
		    SERVERS_HEADER "3 b 1 rc_1 10.0.0.1 2 0 10 10 5 6 3 4 7 %s 0 0 - 80 - 0 0 - - 0\n",
		    rows[i].agent_state);
		(void)snprintf(stat, sizeof(stat),
		    "# pxname,svname,qcur,scur,slim,status,type,check_status,check_rise,check_fall,check_health,algo,"
		    "agent_health,\nb,rc_1,0,0,,UP,2,L4OK,2,3,4,,%s,\n",
		    rows[i].health);
		CHECK_ROW(parse(a, servers, stat, &b, NULL) == ERR_OK, i, rows[i].agent_state);
		s = &b.servers[0];
		CHECK_ROW(s->has_agent_line == rows[i].has_line, i, rows[i].agent_state);
		CHECK_ROW(s->has_agent == rows[i].is_enabled, i, rows[i].agent_state);
		CHECK_ROW(s->agent_down == rows[i].is_down, i, rows[i].agent_state);
		CHECK_ROW(s->check_running, i, rows[i].agent_state);
		arena_free(a);
	}
}

static void
calls_are_counted_by_how_they_ended(void **state)
{
	static const char stat[] =
	    "# "
	    "pxname,svname,qcur,scur,slim,status,type,check_status,check_rise,check_fall,check_health,algo,econ,eresp,"
	    "hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,\n"
	    "b,rc_1,0,0,,UP,2,L4OK,2,3,4,,1,20,300,4000,50000,600000,7000000,80000000,\n"
	    "b,rc_2,0,0,,UP,2,L4OK,2,3,4,,,2,,,,,-1,x,\n";
	struct arena *a = arena_new(ARENA_MAX);
	struct actual_backend b;

	(void)state;
	assert_int_equal(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1") SERVERS_ROW("rc_2"), stat, &b, NULL), ERR_OK);
	assert_int_equal(b.servers[0].answers, 87654300);
	assert_int_equal(b.servers[0].answers_5xx, 7000000);
	assert_int_equal(b.servers[0].failures, 21);
	assert_false(b.servers[0].check_running);
	/* What is not shown, or is no number, counts nothing. */
	assert_int_equal(b.servers[1].answers, 0);
	assert_int_equal(b.servers[1].answers_5xx, 0);
	assert_int_equal(b.servers[1].failures, 2);
	arena_free(a);
}

static void
a_backend_that_is_not_published_says_so_in_its_status(void **state)
{
	static const struct {
		const char *status;
		bool is_unpublished;
	} rows[] = { { "UP", false }, { "UP (UNPUB)", true }, { "DOWN (UNPUB)", true }, { "(UNPUB) UP", false } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a = arena_new(ARENA_MAX);
		char stat[1000];
		struct actual_backend b;

		(void)snprintf(stat, sizeof(stat), STAT_OK "b,BACKEND,0,0,,%s,1,,,,,,,\n", rows[i].status);
		CHECK_ROW(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), stat, &b, NULL) == ERR_OK, i, rows[i].status);
		CHECK_ROW(b.is_unpublished == rows[i].is_unpublished, i, rows[i].status);
		arena_free(a);
	}
}

static void
a_balance_with_a_tree_of_weights_is_known_by_its_name(void **state)
{
	static const struct {
		const char *algo;
		bool small;
	} rows[] = { { "roundrobin", false }, { "static-rr", false }, { "leastconn", false }, { "first", false },
		{ "none", false }, { "sticky", false }, { "", false }, { "unknown", true }, { "random", true },
		{ "source", true }, { "uri", true }, { "url_param", true }, { "hdr", true }, { "hash", true },
		{ "log-hash", true }, { "rdp-cookie", true } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct arena *a = arena_new(ARENA_MAX);
		char stat[1000];
		struct actual_backend b;

		(void)snprintf(stat, sizeof(stat), STAT_OK "b,BACKEND,0,0,,UP,1,,,,,%s,,\n", rows[i].algo);
		CHECK_ROW(parse(a, SERVERS_HEADER SERVERS_ROW("rc_1"), stat, &b, NULL) == ERR_OK, i, rows[i].algo);
		CHECK_ROW(b.small_weights == rows[i].small, i, rows[i].algo);
		arena_free(a);
	}
}

/* ---- what may break ---- */

static void
a_table_cut_anywhere_is_read_or_refused(void **state)
{
	struct tables t = load_tables("2.6", "drain_checked");

	(void)state;
	for (size_t cut = 0; cut < t.stat.len; cut++) {
		struct arena *a = arena_new(ARENA_MAX);
		struct actual_backend b;

		(void)!hap_text_parse_backend(
		    a, NULL, STR("slots"), str_first(buf_str(&t.servers), cut), buf_str(&t.stat), &b, NULL);
		(void)!hap_text_parse_backend(
		    a, NULL, STR("slots"), buf_str(&t.servers), str_first(buf_str(&t.stat), cut), &b, NULL);
		arena_free(a);
	}
	tables_free(&t);
}

static void
an_arena_that_is_too_small_is_an_error_and_no_more(void **state)
{
	struct tables t = load_tables("2.6", "ready");
	bool refused = false, read = false;

	(void)state;
	for (size_t limit = 0; limit < 4096; limit += 16) {
		struct arena *a = arena_new(limit);
		struct actual_backend b;
		enum err_code rc =
		    hap_text_parse_backend(a, NULL, STR("slots"), buf_str(&t.servers), buf_str(&t.stat), &b, NULL);

		assert_true(rc == ERR_OK || rc == ERR_NOMEM);
		refused = refused || rc == ERR_NOMEM;
		read = read || rc == ERR_OK;
		arena_free(a);
	}
	assert_true(refused && read);
	tables_free(&t);
}

static void
five_thousand_servers_are_read(void **state)
{
	struct buf servers = buf_make((size_t)8 << 20), stat = buf_make((size_t)8 << 20);
	struct arena *a = arena_new((size_t)8 << 20);
	struct actual_backend b;

	(void)state;
	buf_put(&servers, STR(SERVERS_HEADER));
	buf_put(&stat, STR(STAT_HEADER));
	for (int i = 1; i <= 5000; i++) {
		buf_printf(&servers, "3 b 1 rc_%d 10.0.%d.%d 2 0 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n", i, i / 250,
		    i % 250);
		buf_printf(&stat, "b,rc_%d,3,5,7,UP,2,L4OK,2,3,4,,,\n", i);
	}
	assert_int_equal(
	    hap_text_parse_backend(a, NULL, STR("b"), buf_str(&servers), buf_str(&stat), &b, NULL), ERR_OK);
	assert_int_equal(b.n_servers, 5000);
	assert_int_equal(b.n_slots, 5000);
	assert_int_equal(b.servers[4999].slot, 5000);
	/* All of them say the same: kept once. */
	assert_ptr_equal(b.servers[0].status.ptr, b.servers[4999].status.ptr);
	buf_free(&servers);
	buf_free(&stat);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_one_line),
		cmocka_unit_test(questions_name_their_backend),
		cmocka_unit_test(a_name_that_would_need_quoting_is_refused),
		cmocka_unit_test(a_name_with_a_nul_or_of_256_bytes_is_refused),
		cmocka_unit_test(an_address_that_is_none_is_refused),
		cmocka_unit_test(numbers_that_haproxy_would_bend_are_refused),
		cmocka_unit_test(a_backend_comes_from_defaults_whose_name_is_one),
		cmocka_unit_test(a_full_buffer_gets_no_half_command),
		cmocka_unit_test(recorded_replies_are_judged),
		cmocka_unit_test(an_address_was_set_only_if_haproxy_names_it),
		cmocka_unit_test(an_address_is_compared_as_a_number),
		cmocka_unit_test(any_word_is_a_refusal_where_silence_means_success),
		cmocka_unit_test(a_server_still_in_use_is_for_later),
		cmocka_unit_test(a_refusal_is_told_in_haproxys_words_and_ours),
		cmocka_unit_test(a_long_refusal_is_cut),
		cmocka_unit_test(a_server_is_added_with_everything_on_its_line),
		cmocka_unit_test(the_life_of_a_dynamic_server_in_commands),
		cmocka_unit_test(a_ca_is_made_filled_and_committed),
		cmocka_unit_test(a_large_ca_goes_in_pieces_where_haproxy_takes_them),
		cmocka_unit_test(replies_about_dynamic_servers_are_judged),
		cmocka_unit_test(replies_about_a_ca_are_judged_command_by_command),
		cmocka_unit_test(recorded_replies_about_dynamic_servers_are_judged),
		cmocka_unit_test(no_reply_is_taken_for_success_of_another_command),
		cmocka_unit_test(recorded_ca_files_are_read),
		cmocka_unit_test(info_tells_which_process_answers),
		cmocka_unit_test(info_is_read_by_name),
		cmocka_unit_test(info_that_lacks_something_is_an_error),
		cmocka_unit_test(recorded_tables_are_read),
		cmocka_unit_test(a_layout_is_learnt_anew_where_the_header_is_another),
		cmocka_unit_test(each_stage_of_a_dynamic_server_is_told_from_the_next),
		cmocka_unit_test(slots_are_told_from_others),
		cmocka_unit_test(a_backend_is_unknown_empty_or_wants_small_weights),
		cmocka_unit_test(without_a_balance_line_the_version_decides),
		cmocka_unit_test(a_frontend_of_the_same_name_is_noticed),
		cmocka_unit_test(a_server_in_only_one_of_the_tables_is_left_out),
		cmocka_unit_test(that_none_is_in_both_is_an_error),
		cmocka_unit_test(a_backend_that_went_away_in_between_does_not_exist),
		cmocka_unit_test(columns_that_nobody_needs_may_hold_anything),
		cmocka_unit_test(a_frontend_without_a_backend_is_told),
		cmocka_unit_test(columns_are_found_by_name_and_quoted_ones_skipped),
		cmocka_unit_test(a_table_that_is_not_as_it_should_be_is_an_error),
		cmocka_unit_test(more_columns_than_we_know_are_fine),
		cmocka_unit_test(admin_and_checks_are_derived),
		cmocka_unit_test(an_address_that_is_none_is_empty),
		cmocka_unit_test(an_age_is_never_negative_nor_more_than_fits),
		cmocka_unit_test(an_agent_is_on_the_line_is_enabled_or_ejects),
		cmocka_unit_test(calls_are_counted_by_how_they_ended),
		cmocka_unit_test(a_backend_that_is_not_published_says_so_in_its_status),
		cmocka_unit_test(a_balance_with_a_tree_of_weights_is_known_by_its_name),
		cmocka_unit_test(a_table_cut_anywhere_is_read_or_refused),
		cmocka_unit_test(an_arena_that_is_too_small_is_an_error_and_no_more),
		cmocka_unit_test(five_thousand_servers_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
