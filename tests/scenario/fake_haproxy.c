/* A HAProxy of text: see fake_haproxy.h. */
#include "config.h"

#include "fake_haproxy.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define SERVERS_MAX   64
#define SLOTS         10
#define WORDS_MAX     64
#define COLUMNS_MAX   512
#define TEXT_MAX      ((size_t)1 << 20)
#define ANSWER_MS     1
#define HANG_MS       5000 /* hap_link's own limit for a peer that is silent */
#define CHECK_MS      2000 /* `inter` of the slots */
#define FORMER_MAX    SERVERS_MAX
#define ADMIN_MAINT   1u
#define ADMIN_CONFIG  4u
#define ADMIN_DRAIN   8u
#define STATE_CONFIG  2u /* of a check or an agent: its line has it */
#define STATE_ENABLED 4u
#define STATE_PAUSED  8u
#define STATE_AGENT   16u

enum check_result { CHECK_NONE, CHECK_PASSED, CHECK_FAILED };

struct server {
	char name[128], address[48];
	unsigned id, port, weight, maxconn;
	unsigned admin; /* as srv_admin_state */
	bool is_ours, is_slot;
	bool has_check, check_on, starts_down;
	bool was_out;   /* of maintenance, once: then its checks pause there */
	bool is_proven; /* a check of this address has passed */
	unsigned rise, fall, health;
	int64_t inter_ms, fast_ms, next_check_ms, changed_ms;
	enum check_result last;
	bool has_agent, agent_on, agent_down;
	unsigned streams;
};

struct batch {
	struct batch *next;
	struct str *commands; /* borrow text */
	size_t n;
	char *text;
	hap_link_gate_fn *gate;
	hap_link_done_fn *done;
	void *arg;
	enum fake_haproxy_manner manner; /* once it is its turn */
};

struct link {
	struct hap_link base;
	struct fake_haproxy *h;
	struct loop_timer *timer;
	struct batch *queue;
	struct link *next;
};

struct replies;

struct fake_haproxy {
	struct loop *loop;
	struct clk clk;
	struct fake_haproxy_world world;
	const struct replies *replies;
	bool has_slots, has_init_state, names_both; /* 2.6 speaks of address and port, 3.x of what changed */
	unsigned pid;
	int64_t start_time_s;
	enum fake_haproxy_manner manner;
	bool breaks_next, slips_next;
	size_t n_batches;
	struct server servers[SERVERS_MAX];
	size_t n_servers;
	char former[FORMER_MAX][48]; /* addresses that took calls under the process before */
	size_t n_former;
	char broken[160];
};

static void __attribute__((format(printf, 2, 3))) note_broken(struct fake_haproxy *h, const char *fmt, ...)
{
	va_list ap;

	if (h->broken[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(h->broken, sizeof(h->broken), fmt, ap);
	va_end(ap);
}

/* ---- what was recorded ---- */

#define RECORDED(X)                                   \
	X(ADDED, "judge_add")                         \
	X(ADDED_ALREADY, "judge_add_again")           \
	X(ADD_NO_BACKEND, "judge_add_no_backend")     \
	X(ADD_INIT_STATE, "judge_add_init_state")     \
	X(ADD_BAD_KEYWORD, "judge_add_bad_keyword")   \
	X(DELETED, "judge_del")                       \
	X(DELETE_GONE, "judge_del_again")             \
	X(DELETE_READY, "judge_del_ready")            \
	X(DELETE_BUSY, "judge_del_sessions")          \
	X(DELETE_USED, "judge_del_referenced")        \
	X(HEALTH_ON, "judge_health")                  \
	X(HEALTH_NO_CHECK, "judge_health_no_check")   \
	X(AGENT_ON, "judge_agent_enable")             \
	X(AGENT_NONE, "judge_agent_up_no_agent")      \
	X(AGENT_UP, "judge_agent_up")                 \
	X(AGENT_DOWN, "judge_agent_down")             \
	X(WEIGHED, "judge_weight")                    \
	X(WEIGHED_OVER, "judge_weight_over")          \
	X(LIMITED, "judge_maxconn")                   \
	X(STATE_READY, "judge_ready")                 \
	X(STATE_DRAIN, "judge_drain")                 \
	X(STATE_MAINT, "judge_maint")                 \
	X(STATE_WORD, "judge_state_word")             \
	X(GATED, "judge_gate")                        \
	X(SHUT, "judge_shutdown")                     \
	X(NO_SERVER, "judge_no_server")               \
	X(NO_BACKEND, "judge_no_backend")             \
	X(UNKNOWN_COMMAND, "judge_unknown_command")   \
	X(UNKNOWN_SERVERS, "backend_unknown.servers") \
	X(UNKNOWN_STAT, "backend_unknown.stat")       \
	X(INFO, "info")                               \
	X(SERVERS, "backend_fresh.servers")           \
	X(STAT, "backend_fresh.stat")

enum recorded {
#define X(name, file) REPLY_##name,
	RECORDED(X)
#undef X
	    N_REPLIES
};

static const char *const reply_files[N_REPLIES] = {
#define X(name, file) [REPLY_##name] = (file),
	RECORDED(X)
#undef X
};

/* Columns of `show stat` whose cells are ours to fill; the others are as recorded. */
#define CELLS(X)                        \
	X(PXNAME, "pxname")             \
	X(SVNAME, "svname")             \
	X(SCUR, "scur")                 \
	X(SLIM, "slim")                 \
	X(STATUS, "status")             \
	X(WEIGHT, "weight")             \
	X(CHECK_STATUS, "check_status") \
	X(CHECK_RISE, "check_rise")     \
	X(CHECK_FALL, "check_fall")     \
	X(CHECK_HEALTH, "check_health") \
	X(AGENT_STATUS, "agent_status") \
	X(AGENT_RISE, "agent_rise")     \
	X(AGENT_FALL, "agent_fall")     \
	X(AGENT_HEALTH, "agent_health")

enum cell {
#define X(name, text) CELL_##name,
	CELLS(X)
#undef X
	    N_CELLS
};

static const char *const cell_names[N_CELLS] = {
#define X(name, text) [CELL_##name] = (text),
	CELLS(X)
#undef X
};

/* A recorded row, cut where our cells go: text, cell, text, cell ... text. */
struct row_form {
	struct str before[COLUMNS_MAX];
	enum cell cell[COLUMNS_MAX];
	size_t n;
	struct str tail;
	char text[16384];
};

/* Lines of `show info` that are ours to fill. */
static const char *const info_lines[] = { "Pid: ", "Stopping: ", "Start_time_sec: " };
#define N_INFO_LINES (sizeof(info_lines) / sizeof(info_lines[0]))

struct replies { /* of one version */
	char version[8];
	struct str text[N_REPLIES];
	struct str info[N_INFO_LINES + 1]; /* what stands before, between and behind them */
	struct str stat_header, servers_header;
	struct row_form server, backend;
	struct replies *next;
};

static struct str
read_recorded(const char *vectors, const char *version, const char *name)
{
	char path[512];
	struct buf b = buf_make(TEXT_MAX);
	char chunk[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s/%s.txt", vectors, version, name);
	f = fopen(path, "r");
	if (f == NULL) {
		(void)printf("Bail out! cannot read %s\n", path);
		exit(2);
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(&b, str_of(chunk, n));
	(void)fclose(f);
	return buf_str(&b); /* for as long as we run */
}

static size_t
cell_of(struct str column)
{
	size_t c = 0;

	while (c < N_CELLS && !str_eq(column, str_from_cstr(cell_names[c])))
		c++;
	return c;
}

/* None of the recorded rows has a quoted cell. */
static void
cut_row(struct row_form *f, struct str header, struct str row)
{
	struct str column, value;
	size_t from = 0, len = 0;

	header = str_skip(header, 2); /* "# " */
	while (str_next(&header, ',', &column) && str_next(&row, ',', &value)) {
		size_t c = cell_of(column);

		assert(len + value.len + 1 < sizeof(f->text) && f->n < COLUMNS_MAX);
		if (c < N_CELLS) {
			f->before[f->n] = str_of(f->text + from, len - from);
			f->cell[f->n++] = (enum cell)c;
			from = len;
		} else {
			memcpy(f->text + len, value.ptr, value.len);
			len += value.len;
		}
		f->text[len++] = ',';
	}
	f->tail = str_of(f->text + from, len - from - 1);
}

static void
cut_stat(struct replies *r)
{
	struct str rest = r->text[REPLY_STAT], line;

	if (!str_next(&rest, '\n', &r->stat_header))
		abort();
	while (str_next(&rest, '\n', &line)) {
		if (r->server.n == 0)
			cut_row(&r->server, r->stat_header, line);
		if (str_has_prefix(line, STR("slots,BACKEND,")))
			cut_row(&r->backend, r->stat_header, line);
	}
	assert(r->server.n == N_CELLS && r->backend.n == N_CELLS);
}

static void
cut_servers(struct replies *r)
{
	struct str rest = r->text[REPLY_SERVERS], line;

	if (!str_next(&rest, '\n', &line) || !str_next(&rest, '\n', &line))
		abort();
	r->servers_header =
	    str_of(r->text[REPLY_SERVERS].ptr, (size_t)(line.ptr - r->text[REPLY_SERVERS].ptr) + line.len + 1);
}

static void
cut_info(struct replies *r)
{
	struct str rest = r->text[REPLY_INFO], line;
	const char *from = rest.ptr;
	size_t n = 0;

	while (str_next(&rest, '\n', &line)) {
		if (n == N_INFO_LINES || !str_has_prefix(line, str_from_cstr(info_lines[n])))
			continue;
		r->info[n] = str_of(from, (size_t)(line.ptr - from) + strlen(info_lines[n]));
		from = line.ptr + line.len;
		n++;
	}
	assert(n == N_INFO_LINES);
	r->info[n] = str_of(from, r->text[REPLY_INFO].len - (size_t)(from - r->text[REPLY_INFO].ptr));
}

static const struct replies *
replies_of(const char *vectors, const char *version)
{
	static struct replies *known;
	struct replies *r = known;

	while (r != NULL && strcmp(r->version, version) != 0)
		r = r->next;
	if (r != NULL)
		return r;
	r = calloc(1, sizeof(*r));
	assert(r != NULL);
	(void)snprintf(r->version, sizeof(r->version), "%s", version);
	for (size_t i = 0; i < N_REPLIES; i++)
		r->text[i] = read_recorded(vectors, version, reply_files[i]);
	cut_info(r);
	cut_stat(r);
	cut_servers(r);
	r->next = known;
	known = r;
	return r;
}

/* ---- servers ---- */

static int64_t
now_ms(const struct fake_haproxy *h)
{
	return clk_mono_ms(&h->clk);
}

static bool
is_in_maint(const struct server *s)
{
	return (s->admin & ADMIN_MAINT) != 0;
}

static bool
is_paused(const struct server *s)
{
	return is_in_maint(s) && (s->is_slot || s->was_out);
}

static bool
is_checked(const struct server *s)
{
	return s->has_check && s->check_on;
}

static bool
is_up(const struct server *s)
{
	return !is_in_maint(s) && !s->agent_down && (!is_checked(s) || s->health >= s->rise);
}

static bool
takes_calls(const struct server *s)
{
	return s->address[0] != '\0' && (s->admin & (ADMIN_MAINT | ADMIN_DRAIN)) == 0 && is_up(s) && s->weight > 0;
}

static struct server *
find(struct fake_haproxy *h, struct str name)
{
	for (size_t i = 0; i < h->n_servers; i++)
		if (str_eq(str_from_cstr(h->servers[i].name), name))
			return &h->servers[i];
	return NULL;
}

static struct server *
add_server(struct fake_haproxy *h, struct str name)
{
	struct server *s = &h->servers[h->n_servers++];
	unsigned id = 1;

	assert(h->n_servers <= SERVERS_MAX && name.len < sizeof(s->name));
	for (size_t i = 0; i + 1 < h->n_servers; i++) /* the lowest that is free */
		if (h->servers[i].id == id) {
			id++;
			i = (size_t)-1;
		}
	*s = (struct server){ .id = id, .weight = 1, .rise = 2, .fall = 3, .inter_ms = CHECK_MS, .fast_ms = CHECK_MS };
	memcpy(s->name, name.ptr, name.len);
	s->is_ours = str_has_prefix(name, STR("rc_"));
	s->changed_ms = now_ms(h);
	return s;
}

/* ---- checks ---- */

static void
run_check(struct fake_haproxy *h, struct server *s)
{
	const unsigned full = s->rise + s->fall - 1;
	const bool was_up = s->health >= s->rise;

	if (h->world.passes(h->world.arg, s->address)) {
		s->last = CHECK_PASSED;
		s->is_proven = true;
		s->health += s->health < full ? 1 : 0;
		if (s->health >= s->rise)
			s->health = full;
	} else {
		s->last = CHECK_FAILED;
		s->health = s->health > s->rise ? s->health - 1 : 0;
	}
	if (was_up != (s->health >= s->rise))
		s->changed_ms = s->next_check_ms;
}

/* All checks that were due since the last time. */
static void
advance(struct fake_haproxy *h)
{
	for (size_t i = 0; i < h->n_servers; i++) {
		struct server *s = &h->servers[i];

		while (is_checked(s) && !is_paused(s) && s->next_check_ms <= now_ms(h)) {
			run_check(h, s);
			s->next_check_ms += s->health == s->rise + s->fall - 1 ? s->inter_ms : s->fast_ms;
		}
	}
}

/* It begins one short of its first success: what the last check said stays, and is stale. */
static void
leave_maint(struct fake_haproxy *h, struct server *s)
{
	s->was_out = true;
	s->health = s->starts_down ? s->rise - 1 : s->rise;
	s->next_check_ms = now_ms(h) + s->fast_ms;
}

static void
set_admin(struct fake_haproxy *h, struct server *s, unsigned bits)
{
	const bool was_in_maint = is_in_maint(s);

	s->admin = (s->admin & ADMIN_CONFIG) | bits;
	if (was_in_maint && !is_in_maint(s))
		leave_maint(h, s);
	if (!was_in_maint && is_in_maint(s))
		s->health = 0;
	s->changed_ms = now_ms(h);
}

/* ---- a process ---- */

static void
add_slot(struct fake_haproxy *h, unsigned number)
{
	char name[16];
	struct server *s;

	(void)snprintf(name, sizeof(name), "rc_%u", number);
	s = add_server(h, str_from_cstr(name));
	s->is_slot = s->has_check = s->check_on = true;
	s->admin = ADMIN_MAINT | ADMIN_CONFIG;
}

/* What haproxy.cfg says. */
static void
configure(struct fake_haproxy *h)
{
	struct server *s;

	h->n_servers = 0;
	s = add_server(h, STR("legacy"));
	(void)snprintf(s->address, sizeof(s->address), "10.0.9.9");
	s->port = FAKE_HAPROXY_PORT;
	for (unsigned i = 1; h->has_slots && i <= SLOTS; i++)
		add_slot(h, i);
}

/* Servers that a file names: what was set at run time holds, and checks begin anew. */
static void
begin_anew(struct fake_haproxy *h)
{
	for (size_t i = 0; i < h->n_servers; i++) {
		struct server *s = &h->servers[i];

		s->streams = 0;
		s->starts_down = false;
		s->last = CHECK_NONE;
		s->agent_down = false;
		s->changed_ms = now_ms(h);
		if (!is_in_maint(s))
			leave_maint(h, s);
	}
}

static void
remember_former(struct fake_haproxy *h)
{
	h->n_former = 0;
	for (size_t i = 0; i < h->n_servers; i++)
		if (takes_calls(&h->servers[i]))
			(void)snprintf(h->former[h->n_former++], sizeof(h->former[0]), "%s", h->servers[i].address);
}

void
fake_haproxy_restart(struct fake_haproxy *h, bool keeps)
{
	advance(h);
	remember_former(h);
	h->pid++;
	h->start_time_s = clk_wall_ms(&h->clk) / 1000;
	if (keeps)
		begin_anew(h);
	else
		configure(h);
}

static bool
served_before(const struct fake_haproxy *h, const char *address)
{
	for (size_t i = 0; i < h->n_former; i++)
		if (strcmp(h->former[i], address) == 0)
			return true;
	return false;
}

/* ---- commands ---- */

static struct str
reply(const struct fake_haproxy *h, enum recorded which)
{
	return h->replies->text[which];
}

static void
say(const struct fake_haproxy *h, enum recorded which, struct buf *out)
{
	buf_put(out, reply(h, which));
}

/* "grpc/rc_1" */
static bool
split_place(struct str place, struct str *ret_server)
{
	struct str backend;

	return str_next(&place, '/', &backend) && str_eq(backend, STR(FAKE_HAPROXY_BACKEND)) &&
	       (*ret_server = place).len > 0;
}

static unsigned
number(struct str word)
{
	uint64_t n = 0;

	return str_to_u64(word, UINT32_MAX, &n) ? (unsigned)n : UINT32_MAX;
}

/* "200ms" */
static int64_t
milliseconds(struct str word)
{
	return str_has_suffix(word, STR("ms")) ? (int64_t)number(str_first(word, word.len - 2)) : CHECK_MS;
}

static bool
is(const struct str *w, size_t i, const char *word)
{
	return str_eq(w[i], str_from_cstr(word));
}

/* The words behind the address; false: this version has one of them not. */
static bool
read_settings(const struct fake_haproxy *h, struct server *s, const struct str *w, size_t n)
{
	for (size_t i = 4; i < n; i++) {
		if (is(w, i, "check"))
			s->has_check = true;
		else if (is(w, i, "agent-check"))
			s->has_agent = true;
		else if (is(w, i, "weight"))
			s->weight = number(w[++i]);
		else if (is(w, i, "maxconn"))
			s->maxconn = number(w[++i]);
		else if (is(w, i, "inter"))
			s->inter_ms = milliseconds(w[++i]);
		else if (is(w, i, "fastinter"))
			s->fast_ms = milliseconds(w[++i]);
		else if (is(w, i, "rise"))
			s->rise = number(w[++i]);
		else if (is(w, i, "fall"))
			s->fall = number(w[++i]);
		else if (is(w, i, "init-state") && h->has_init_state)
			s->starts_down = is(w, ++i, "down");
		else if (is(w, i, "proto") || is(w, i, "downinter") || is(w, i, "agent-addr") ||
			 is(w, i, "agent-port") || is(w, i, "agent-inter"))
			i++;
		else
			return false;
	}
	return true;
}

/* add server B/S ADDRESS:PORT ... */
static void
do_add(struct fake_haproxy *h, const struct str *w, size_t n, struct buf *out)
{
	struct str name, port = str_after_last(w[3], ':');
	struct server *s;

	if (!split_place(w[2], &name)) {
		say(h, REPLY_ADD_NO_BACKEND, out);
		return;
	}
	if (find(h, name) != NULL) {
		say(h, REPLY_ADDED_ALREADY, out);
		return;
	}
	s = add_server(h, name);
	if (!s->is_ours || h->has_slots)
		note_broken(h, "`add server` of a name that is not ours, or beside slots: " STR_FMT, STR_ARG(name));
	if (!read_settings(h, s, w, n)) {
		h->n_servers--;
		say(h, REPLY_ADD_BAD_KEYWORD, out);
		return;
	}
	(void)snprintf(s->address, sizeof(s->address), STR_FMT, STR_ARG(str_first(w[3], w[3].len - port.len - 1)));
	s->port = number(port);
	s->admin = ADMIN_MAINT;
	say(h, REPLY_ADDED, out);
}

static void
do_del(struct fake_haproxy *h, struct server *s, struct buf *out)
{
	if (s->is_slot)
		note_broken(h, "`del server` of a slot: %s", s->name);
	if (!is_in_maint(s)) {
		say(h, REPLY_DELETE_READY, out);
	} else if (s->streams > 0) {
		say(h, REPLY_DELETE_BUSY, out);
	} else {
		size_t at = (size_t)(s - h->servers);

		memmove(s, s + 1, (--h->n_servers - at) * sizeof(*s));
		say(h, REPLY_DELETED, out);
	}
}

static void
put_address_reply(
    const struct fake_haproxy *h, const struct server *was, struct str address, unsigned port, struct buf *out)
{
	const char *from = was->address[0] != '\0' ? was->address : "0.0.0.0";
	const bool moves = !str_eq(str_from_cstr(from), address), other_port = was->port != port;

	buf_put(out, STR("[4]: "));
	if (moves)
		buf_printf(out, "IP changed from '%s' to '" STR_FMT "'", from, STR_ARG(address));
	else if (h->names_both)
		buf_put(out, STR("no need to change the addr"));
	if ((moves && other_port) || h->names_both)
		buf_put(out, STR(", "));
	if (other_port)
		buf_printf(out, "port changed from '%s%u' to '%u'", was->port == 0 ? "+" : "", was->port, port);
	else if (h->names_both)
		buf_put(out, STR("no need to change the port"));
	if (!moves && !other_port && !h->names_both)
		buf_put(out, STR("nothing changed\n"));
	else
		buf_put(out, STR(" by 'stats socket command'\n"));
}

static void
set_address(struct fake_haproxy *h, struct server *s, struct str address, unsigned port, struct buf *out)
{
	if (!s->is_slot || !is_in_maint(s) || s->streams > 0)
		note_broken(h, "an address for %s, which serves, is no slot, or has streams", s->name);
	put_address_reply(h, s, address, port, out);
	if (!str_eq(str_from_cstr(s->address), address))
		s->is_proven = false;
	(void)snprintf(s->address, sizeof(s->address), STR_FMT, STR_ARG(address));
	s->port = port;
}

static void
set_state(struct fake_haproxy *h, struct server *s, struct str state, struct buf *out)
{
	if (str_eq(state, STR("ready"))) {
		if (s->address[0] == '\0')
			note_broken(h, "%s is to take calls, and has no address", s->name);
		set_admin(h, s, 0);
		say(h, REPLY_STATE_READY, out);
	} else if (str_eq(state, STR("drain"))) {
		set_admin(h, s, ADMIN_DRAIN);
		say(h, REPLY_STATE_DRAIN, out);
	} else if (str_eq(state, STR("maint"))) {
		set_admin(h, s, ADMIN_MAINT);
		say(h, REPLY_STATE_MAINT, out);
	} else {
		say(h, REPLY_STATE_WORD, out);
	}
}

static void
set_weight(struct fake_haproxy *h, struct server *s, unsigned weight, struct buf *out)
{
	if (weight > 256) {
		say(h, REPLY_WEIGHED_OVER, out);
		return;
	}
	s->weight = weight;
	say(h, REPLY_WEIGHED, out);
}

static void
set_agent(struct fake_haproxy *h, struct server *s, bool down, struct buf *out)
{
	if (!s->agent_on) {
		say(h, REPLY_AGENT_NONE, out);
		return;
	}
	s->agent_down = down;
	say(h, down ? REPLY_AGENT_DOWN : REPLY_AGENT_UP, out);
}

/* set server B/S WHAT ... */
static void
do_set(struct fake_haproxy *h, struct server *s, const struct str *w, size_t n, struct buf *out)
{
	if (n == 7 && is(w, 3, "addr") && is(w, 5, "port")) {
		set_address(h, s, w[4], number(w[6]), out);
	} else if (n == 5 && is(w, 3, "state")) {
		set_state(h, s, w[4], out);
	} else if (n == 5 && is(w, 3, "weight")) {
		set_weight(h, s, number(w[4]), out);
	} else if (n == 5 && is(w, 3, "agent")) {
		set_agent(h, s, is(w, 4, "down"), out);
	} else if (n == 5 && is(w, 3, "health") && is(w, 4, "down")) {
		s->health = 0;
		say(h, REPLY_GATED, out);
	} else {
		say(h, REPLY_UNKNOWN_COMMAND, out);
	}
}

static void
do_enable(struct fake_haproxy *h, struct server *s, bool is_agent, struct buf *out)
{
	if (is_agent && s->has_agent) {
		s->agent_on = true;
		say(h, REPLY_AGENT_ON, out);
	} else if (!is_agent && s->has_check) {
		s->next_check_ms = s->check_on ? s->next_check_ms : now_ms(h) + s->fast_ms;
		s->check_on = true;
		say(h, REPLY_HEALTH_ON, out);
	} else {
		say(h, is_agent ? REPLY_AGENT_NONE : REPLY_HEALTH_NO_CHECK, out);
	}
}

static void
do_shutdown(struct fake_haproxy *h, struct server *s, struct buf *out)
{
	if (s->streams > 0)
		h->world.shut(h->world.arg, s->address);
	s->streams = 0;
	say(h, REPLY_SHUT, out);
}

/* Where a command names its server; 0: it names none. */
static size_t
place_in(const struct str *w, size_t n)
{
	if (n >= 3 && (is(w, 0, "del") || is(w, 0, "set") || is(w, 0, "enable")) && !is(w, 1, "maxconn"))
		return 2;
	if (n >= 4 && ((is(w, 0, "set") && is(w, 1, "maxconn")) || (is(w, 0, "shutdown") && is(w, 1, "sessions"))))
		return 3;
	return 0;
}

static bool
changes_something(struct str command)
{
	return !str_has_prefix(command, STR("show "));
}

static void
do_to_server(struct fake_haproxy *h, struct server *s, const struct str *w, size_t n, struct buf *out)
{
	const bool took_calls = takes_calls(s);
	const char *touched = s->name;

	if (!s->is_ours)
		note_broken(h, "a command for %s, which is not ours", touched);
	if (is(w, 0, "del")) {
		do_del(h, s, out);
		return;
	}
	if (is(w, 0, "enable")) {
		do_enable(h, s, is(w, 1, "agent"), out);
	} else if (is(w, 0, "shutdown")) {
		do_shutdown(h, s, out);
	} else if (is(w, 1, "maxconn")) {
		s->maxconn = number(w[4]);
		say(h, REPLY_LIMITED, out);
	} else {
		do_set(h, s, w, n, out);
	}
	if (!took_calls && takes_calls(s) && is_checked(s) && !s->is_proven && !served_before(h, s->address))
		note_broken(h, "%s takes calls, and no check of %s has passed", s->name, s->address);
}

static void show_info(const struct fake_haproxy *h, struct buf *out);
static void show_servers(const struct fake_haproxy *h, struct buf *out);
static void show_stat(const struct fake_haproxy *h, struct buf *out);

static void
do_show(struct fake_haproxy *h, const struct str *w, size_t n, struct buf *out)
{
	if (n == 2 && is(w, 1, "info"))
		show_info(h, out);
	else if (n == 4 && is(w, 1, "servers") && is(w, 3, FAKE_HAPROXY_BACKEND))
		show_servers(h, out);
	else if (n == 4 && is(w, 1, "servers"))
		say(h, REPLY_UNKNOWN_SERVERS, out);
	else if (n == 5 && is(w, 1, "stat") && is(w, 2, FAKE_HAPROXY_BACKEND))
		show_stat(h, out);
	else if (n == 5 && is(w, 1, "stat"))
		say(h, REPLY_UNKNOWN_STAT, out);
	else
		say(h, REPLY_UNKNOWN_COMMAND, out);
}

static void
carry_out(struct fake_haproxy *h, struct str command, struct buf *out)
{
	struct str w[WORDS_MAX], name;
	struct server *s = NULL;
	size_t n = 0, at;

	for (size_t i = 0; i < WORDS_MAX; i++)
		w[i] = STR("");
	while (n < WORDS_MAX - 2 && str_next(&command, ' ', &w[n]))
		n++;
	at = place_in(w, n);
	if (at > 0 && split_place(w[at], &name))
		s = find(h, name);
	if (is(w, 0, "show"))
		do_show(h, w, n, out);
	else if (is(w, 0, "add") && is(w, 1, "server") && n > 3)
		do_add(h, w, n, out);
	else if (s != NULL)
		do_to_server(h, s, w, n, out);
	else if (at > 0)
		say(h, is(w, 0, "del") ? REPLY_DELETE_GONE : REPLY_NO_SERVER, out);
	else
		say(h, REPLY_UNKNOWN_COMMAND, out);
}

/* ---- what it shows ---- */

static void
put_number(uint64_t n, struct buf *out)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_put(out, str_of(digits + at, sizeof(digits) - at));
}

static void
show_info(const struct fake_haproxy *h, struct buf *out)
{
	const uint64_t values[N_INFO_LINES] = { h->pid, h->manner == FAKE_HAPROXY_STOPS, (uint64_t)h->start_time_s };

	for (size_t i = 0; i < N_INFO_LINES; i++) {
		buf_put(out, h->replies->info[i]);
		put_number(values[i], out);
	}
	buf_put(out, h->replies->info[N_INFO_LINES]);
}

static unsigned
check_state(const struct server *s)
{
	return (s->has_check ? STATE_CONFIG : 0) | (is_checked(s) ? STATE_ENABLED : 0) |
	       (is_checked(s) && is_paused(s) ? STATE_PAUSED : 0);
}

static unsigned
agent_state(const struct server *s)
{
	return s->has_agent ? STATE_AGENT | STATE_CONFIG | (s->agent_on ? STATE_ENABLED : 0) : 0;
}

static void
show_servers(const struct fake_haproxy *h, struct buf *out)
{
	static const unsigned status[] = { 1, 6, 8 }, result[] = { 0, 3, 2 };

	buf_put(out, h->replies->servers_header);
	for (size_t i = 0; i < h->n_servers; i++) {
		const struct server *s = &h->servers[i];

		buf_printf(out,
		    "3 " FAKE_HAPROXY_BACKEND " %u %s %s %d %u %u 1 %" PRId64 " %u %u %u %u %u 0 0 - %u - 0 0 - - 0\n",
		    s->id, s->name, s->address[0] != '\0' ? s->address : "0.0.0.0", is_up(s) ? 2 : 0, s->admin,
		    s->weight, (now_ms(h) - s->changed_ms) / 1000, status[s->last], result[s->last], s->health,
		    check_state(s), agent_state(s), s->port);
	}
}

static void
put_status(const struct server *s, struct buf *out)
{
	const char *word = (s->admin & ADMIN_DRAIN) != 0 ? "DRAIN" : "UP";

	if (is_in_maint(s))
		buf_put(out, STR("MAINT"));
	else if (s->agent_down)
		buf_put(out, STR("DOWN (agent)"));
	else if (!is_checked(s))
		buf_put(out, (s->admin & ADMIN_DRAIN) != 0 ? STR("DRAIN") : STR("no check"));
	else if (s->health >= s->rise + s->fall - 1)
		buf_put(out, str_from_cstr(word));
	else if (s->health >= s->rise)
		buf_printf(out, "%s %u/%u", word, s->health - s->rise + 1, s->fall);
	else if (s->health > 0)
		buf_printf(out, "DOWN %u/%u", s->health, s->rise);
	else
		buf_put(out, STR("DOWN"));
}

static void
put_check_cell(const struct server *s, enum cell c, struct buf *out)
{
	if (!is_checked(s) || is_paused(s))
		return;
	if (c == CELL_CHECK_STATUS)
		buf_put(out, s->last == CHECK_NONE ? STR("INI") : s->last == CHECK_PASSED ? STR("L4OK") : STR("L4CON"));
	else
		put_number(c == CELL_CHECK_RISE ? s->rise : c == CELL_CHECK_FALL ? s->fall : s->health, out);
}

static void
put_agent_cell(const struct server *s, enum cell c, struct buf *out)
{
	if (!s->agent_on)
		return;
	if (c == CELL_AGENT_STATUS)
		buf_put(out, STR("INI"));
	else
		buf_put(out, c == CELL_AGENT_HEALTH && s->agent_down ? STR("0") : STR("1"));
}

static void
put_cell(const struct server *s, enum cell c, struct buf *out)
{
	switch (c) {
	case CELL_PXNAME:
		buf_put(out, STR(FAKE_HAPROXY_BACKEND));
		break;
	case CELL_SVNAME:
		buf_put(out, str_from_cstr(s->name));
		break;
	case CELL_SCUR:
		put_number(s->streams, out);
		break;
	case CELL_SLIM:
		if (s->maxconn > 0)
			put_number(s->maxconn, out);
		break;
	case CELL_STATUS:
		put_status(s, out);
		break;
	case CELL_WEIGHT:
		put_number(s->weight, out);
		break;
	case CELL_CHECK_STATUS:
	case CELL_CHECK_RISE:
	case CELL_CHECK_FALL:
	case CELL_CHECK_HEALTH:
		put_check_cell(s, c, out);
		break;
	case CELL_AGENT_STATUS:
	case CELL_AGENT_RISE:
	case CELL_AGENT_FALL:
	case CELL_AGENT_HEALTH:
		put_agent_cell(s, c, out);
		break;
	case N_CELLS:
		break;
	}
}

static void
show_stat(const struct fake_haproxy *h, struct buf *out)
{
	const struct row_form *f = &h->replies->server;
	static const struct server of_backend = { .name = "BACKEND", .weight = 1, .rise = 1 };

	buf_put(out, h->replies->stat_header);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i <= h->n_servers; i++) {
		const struct server *s = i < h->n_servers ? &h->servers[i] : &of_backend;

		if (i == h->n_servers)
			f = &h->replies->backend;
		for (size_t k = 0; k < f->n; k++) {
			buf_put(out, f->before[k]);
			put_cell(s, f->cell[k], out);
		}
		buf_put(out, f->tail);
		buf_put_u8(out, '\n');
	}
}

/* ---- batches ---- */

struct outcome {
	struct buf text;
	size_t *ends;
	struct str *replies;
	size_t n;        /* carried out */
	bool is_refused; /* by the gate */
};

static void
outcome_free(struct outcome *o)
{
	buf_free(&o->text);
	free(o->ends);
	free(o->replies);
}

static bool
batch_changes(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (changes_something(b->commands[i]))
			return true;
	return false;
}

static struct outcome
run_batch(struct fake_haproxy *h, const struct batch *b, size_t n)
{
	const bool changes = batch_changes(b);
	struct outcome o = { .text = buf_make((size_t)8 << 20),
		.ends = calloc(b->n + 1, sizeof(*o.ends)),
		.replies = calloc(b->n + 1, sizeof(*o.replies)) };

	assert(o.ends != NULL && o.replies != NULL);
	h->n_batches++;
	advance(h);
	if (changes)
		h->world.before(h->world.arg);
	while (o.n < n && !o.is_refused) {
		carry_out(h, b->commands[o.n], &o.text);
		o.ends[o.n++] = o.text.len;
		if (o.n == 1 && b->gate != NULL)
			o.is_refused = !b->gate(b->arg, buf_str(&o.text));
	}
	if (changes)
		h->world.after(h->world.arg);
	for (size_t i = 0, at = 0; i < o.n; at = o.ends[i++])
		o.replies[i] = str_of(o.text.ptr != NULL ? o.text.ptr + at : (const uint8_t *)"", o.ends[i] - at);
	return o;
}

static void
batch_free(struct batch *b)
{
	free(b->commands);
	free(b->text);
	free(b);
}

static void
arm(struct link *l)
{
	struct batch *b = l->queue;

	if (b == NULL)
		return;
	b->manner = l->h->manner;
	loop_timer_arm(l->timer, b->manner == FAKE_HAPROXY_HANGS ? HANG_MS : ANSWER_MS);
}

static void
fail_batch(struct batch *b, const struct outcome *o, size_t n_told)
{
	struct err e = ERR_INIT;

	if (b->manner == FAKE_HAPROXY_IS_AWAY)
		err_fill(&e, ERR_IO, 0, "HAProxy's socket: connection refused");
	else if (b->manner == FAKE_HAPROXY_HANGS)
		err_fill(&e, ERR_TIMEOUT, 0, "HAProxy's socket: no answer");
	else
		err_fill(&e, ERR_CLOSED, 0, "HAProxy's socket: it closed the connection");
	b->done(b->arg, o->replies, n_told, &e);
}

static void
tell(struct fake_haproxy *h, struct batch *b)
{
	const bool breaks = b->manner == FAKE_HAPROXY_BREAKS && b->n > 1;
	const bool is_silent = b->manner == FAKE_HAPROXY_IS_AWAY || b->manner == FAKE_HAPROXY_HANGS;
	struct outcome o;

	o = run_batch(h, b, is_silent ? 0 : breaks ? b->n / 2 + 1 : b->n);
	if (is_silent)
		fail_batch(b, &o, 0);
	else if (breaks && !o.is_refused)
		fail_batch(b, &o, o.n - 1);
	else
		b->done(b->arg, o.replies, o.n, NULL);
	outcome_free(&o);
	batch_free(b);
}

/* The daemon dies of it: nobody is told. */
static void
break_off(struct fake_haproxy *h, const struct batch *b)
{
	struct outcome o;

	h->breaks_next = false;
	o = run_batch(h, b, b->n / 2 + 1);
	outcome_free(&o);
	h->world.broke(h->world.arg);
}

static void
on_turn(void *arg)
{
	struct link *l = arg;
	struct batch *b = l->queue;
	struct fake_haproxy *h = l->h;

	if (h->breaks_next && batch_changes(b)) {
		break_off(h, b);
		return;
	}
	if (h->slips_next && batch_changes(b)) {
		h->slips_next = false;
		h->world.slipped(h->world.arg);
	}
	l->queue = b->next;
	arm(l);
	tell(h, b); /* l may be closed by it */
}

static enum err_code
link_ask(struct hap_link *base, const struct str *commands, size_t n, hap_link_gate_fn *gate, hap_link_done_fn *done,
    void *arg, struct err *e)
{
	struct link *l = (struct link *)base;
	struct batch *b = calloc(1, sizeof(*b)), **at = &l->queue;
	size_t size = 0, used = 0;

	(void)e;
	for (size_t i = 0; i < n; i++)
		size += commands[i].len;
	assert(b != NULL && size <= hap_link_default_limits.max_commands);
	*b = (struct batch){ .n = n, .gate = gate, .done = done, .arg = arg };
	b->commands = calloc(n + 1, sizeof(*b->commands));
	b->text = malloc(size + 1);
	assert(b->commands != NULL && b->text != NULL);
	for (size_t i = 0; i < n; i++) {
		assert(commands[i].len > 0 && memchr(commands[i].ptr, ';', commands[i].len) == NULL &&
		       memchr(commands[i].ptr, '\n', commands[i].len) == NULL);
		memcpy(b->text + used, commands[i].ptr, commands[i].len);
		b->commands[i] = str_of(b->text + used, commands[i].len);
		used += commands[i].len;
	}
	while (*at != NULL)
		at = &(*at)->next;
	*at = b;
	if (l->queue == b)
		arm(l);
	return ERR_OK;
}

static void
link_close(struct hap_link *base)
{
	struct link *l = (struct link *)base;

	for (struct batch *b = l->queue, *next; b != NULL; b = next) {
		next = b->next;
		batch_free(b);
	}
	loop_timer_close(l->timer);
	free(l);
}

struct hap_link *
fake_haproxy_link(struct fake_haproxy *h)
{
	struct link *l = calloc(1, sizeof(*l));

	assert(l != NULL);
	*l = (struct link){ .base = { .address = "fake", .ask = link_ask, .close = link_close }, .h = h };
	if (loop_timer_new(h->loop, on_turn, l, &l->timer, NULL) != ERR_OK)
		abort();
	return &l->base;
}

/* ---- life ---- */

struct fake_haproxy *
fake_haproxy_new(struct loop *l, const char *version, const char *vectors, const struct fake_haproxy_world *world)
{
	struct fake_haproxy *h = calloc(1, sizeof(*h));

	assert(h != NULL);
	*h = (struct fake_haproxy){
		.loop = l, .clk = loop_clk(l), .world = *world, .replies = replies_of(vectors, version), .pid = 100
	};
	h->has_slots = h->names_both = strcmp(version, "2.6") == 0;
	h->has_init_state = strcmp(version, "3.2") >= 0;
	h->start_time_s = clk_wall_ms(&h->clk) / 1000 - 3600;
	configure(h);
	return h;
}

void
fake_haproxy_free(struct fake_haproxy *h)
{
	free(h);
}

void
fake_haproxy_behave(struct fake_haproxy *h, enum fake_haproxy_manner m)
{
	h->manner = m;
}

void
fake_haproxy_break_next(struct fake_haproxy *h)
{
	h->breaks_next = true;
}

void
fake_haproxy_slip_next(struct fake_haproxy *h)
{
	h->slips_next = true;
}

void
fake_haproxy_set_streams(struct fake_haproxy *h, const char *address, unsigned n)
{
	for (size_t i = 0; i < h->n_servers; i++)
		if (strcmp(h->servers[i].address, address) == 0)
			h->servers[i].streams = n;
}

size_t
fake_haproxy_batches(const struct fake_haproxy *h)
{
	return h->n_batches;
}

size_t
fake_haproxy_count(const struct fake_haproxy *h)
{
	return h->n_servers;
}

struct fake_haproxy_server
fake_haproxy_at(const struct fake_haproxy *h, size_t i)
{
	const struct server *s = &h->servers[i];

	return (struct fake_haproxy_server){ .name = s->name,
		.address = s->address,
		.is_ours = s->is_ours,
		.takes_calls = takes_calls(s),
		.streams = s->streams };
}

const char *
fake_haproxy_broken(const struct fake_haproxy *h)
{
	return h->broken[0] != '\0' ? h->broken : NULL;
}
