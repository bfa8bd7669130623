/*
 * The tables that HAProxy's `show` commands answer, read into values: the second
 * half of hap_text.h.
 *
 * `show servers state` tells what was set (address, port, weight, administrative
 * state) and by position; `show stat` tells how it goes (sessions, checks, limits)
 * in columns that grow with every version, by name.  Neither has all that is
 * needed.  Everything here takes bytes from a socket: sizes are bounded by the
 * caller's arena and by the reply itself, numbers are read whole.
 */
#include "config.h"

#include "hap/hap_text.h"

#include <arpa/inet.h>
#include <string.h>

/* srv_admin_state: why a server takes no new calls.  4, "by the configuration",
 * stays on a slot that was made ready, and means nothing by itself. */
#define ADMIN_MAINT_BITS 0x63u
#define ADMIN_DRAIN_BITS 0x18u
#define CHECK_RUNNING    0x01u /* srv_check_state: one is under way */
#define CHECK_CONFIGURED 0x02u /* srv_check_state: the server has `check` */
#define CHECK_ENABLED    0x04u /* ... and nobody has disabled it */
#define OP_STARTING      1u
#define OP_RUNNING       2u
#define WEIGHT_MAX       256u

/* In the order of the reply; checked against its header. */
#define SERVER_FIELDS(X)                         \
	X(BE_ID, "be_id")                        \
	X(BE_NAME, "be_name")                    \
	X(ID, "srv_id")                          \
	X(NAME, "srv_name")                      \
	X(ADDR, "srv_addr")                      \
	X(OP_STATE, "srv_op_state")              \
	X(ADMIN_STATE, "srv_admin_state")        \
	X(UWEIGHT, "srv_uweight")                \
	X(IWEIGHT, "srv_iweight")                \
	X(CHANGED, "srv_time_since_last_change") \
	X(CHECK_STATUS, "srv_check_status")      \
	X(CHECK_RESULT, "srv_check_result")      \
	X(CHECK_HEALTH, "srv_check_health")      \
	X(CHECK_STATE, "srv_check_state")        \
	X(AGENT_STATE, "srv_agent_state")        \
	X(BK_F_ID, "bk_f_forced_id")             \
	X(SRV_F_ID, "srv_f_forced_id")           \
	X(FQDN, "srv_fqdn")                      \
	X(PORT, "srv_port")                      \
	X(SRVRECORD, "srvrecord")                \
	X(USE_SSL, "srv_use_ssl")                \
	X(CHECK_PORT, "srv_check_port")          \
	X(CHECK_ADDR, "srv_check_addr")          \
	X(AGENT_ADDR, "srv_agent_addr")          \
	X(AGENT_PORT, "srv_agent_port")

enum server_field {
#define X(name, text) SERVER_##name,
	SERVER_FIELDS(X)
#undef X
	    N_SERVER_FIELDS
};

static const char *const server_field_names[N_SERVER_FIELDS] = {
#define X(name, text) [SERVER_##name] = (text),
	SERVER_FIELDS(X)
#undef X
};

/* Those of `show stat` that we read, and those that may be missing: what they tell is
 * not known then. */
#define STAT_COLUMNS_OPTIONAL(X)        \
	X(AGENT_HEALTH, "agent_health") \
	X(ECON, "econ")                 \
	X(ERESP, "eresp")               \
	X(HRSP_1XX, "hrsp_1xx")         \
	X(HRSP_2XX, "hrsp_2xx")         \
	X(HRSP_3XX, "hrsp_3xx")         \
	X(HRSP_4XX, "hrsp_4xx")         \
	X(HRSP_5XX, "hrsp_5xx")         \
	X(HRSP_OTHER, "hrsp_other")
#define STAT_COLUMNS(X)                 \
	X(PXNAME, "pxname")             \
	X(SVNAME, "svname")             \
	X(QCUR, "qcur")                 \
	X(SCUR, "scur")                 \
	X(SLIM, "slim")                 \
	X(STATUS, "status")             \
	X(TYPE, "type")                 \
	X(CHECK_STATUS, "check_status") \
	X(CHECK_RISE, "check_rise")     \
	X(CHECK_FALL, "check_fall")     \
	X(CHECK_HEALTH, "check_health") \
	X(ALGO, "algo")                 \
	STAT_COLUMNS_OPTIONAL(X)

enum stat_column {
#define X(name, text) STAT_##name,
	STAT_COLUMNS(X)
#undef X
	    N_STAT_COLUMNS,
	N_STAT_COLUMNS_NEEDED = STAT_AGENT_HEALTH
};

/* With their lengths: each of HAProxy's columns (214 in 3.4) is held against all of them. */
static const struct str stat_column_names[N_STAT_COLUMNS] = {
#define X(name, text) [STAT_##name] = { .ptr = "" text, .len = sizeof(text) - 1 },
	STAT_COLUMNS(X)
#undef X
};

/* Where a line of `show stat` has what we read, in the order of the line. */
struct stat_cell {
	size_t at;      /* the column of the reply, from 0 */
	uint8_t column; /* enum stat_column */
};

struct hap_text_layout {
	struct str header; /* without its line's end */
	struct stat_cell cells[N_STAT_COLUMNS];
	size_t n_cells;
};

/* A server while both tables are read. */
struct row {
	struct actual_server *server;
	bool is_checked;
	bool is_in_stat;
};

struct reading {
	struct arena *arena;
	struct str backend;
	struct actual_server *servers;
	struct row *rows;
	size_t n, cap;
	size_t next; /* `show stat` lists servers in the same order: look here first */
	size_t n_in_stat;
	bool small_weights, is_unpublished;
	const struct hap_text_layout *layout;
};

static enum err_code
no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "no memory for HAProxy's answer");
}

/* Consecutive servers often say the same ("MAINT"): one copy for all of them. */
static bool
share_str(struct arena *a, struct str s, const struct str *earlier, struct str *ret)
{
	if (earlier != NULL && str_eq(*earlier, s)) {
		*ret = *earlier;
		return true;
	}
	return arena_str(a, s, ret);
}

static bool
read_unsigned(struct str s, unsigned max, unsigned *ret)
{
	uint64_t value;

	if (!str_to_u64(s, max, &value))
		return false;
	*ret = (unsigned)value;
	return true;
}

/* ---- show info ---- */

static bool
read_version(struct str version, struct hap_text_info *info)
{
	struct str rest = version, major, minor;
	size_t digits = 0;

	if (!str_next(&rest, '.', &major) || rest.ptr == NULL)
		return false;
	while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
		digits++;
	minor = str_first(rest, digits);
	return read_unsigned(major, UINT16_MAX, &info->major) && read_unsigned(minor, UINT16_MAX, &info->minor);
}

/* What `show info` must tell; the rest of its lines are ignored. */
enum { INFO_VERSION = 1, INFO_PID = 2, INFO_START = 4, INFO_STOPPING = 8, INFO_ALL = 15 };

static unsigned
read_info_line(struct str line, struct hap_text_info *info)
{
	struct str value;
	size_t colon;
	uint64_t stopping;

	if (!str_find(line, ':', &colon))
		return 0;
	value = str_trim(str_skip(line, colon + 1));
	line = str_first(line, colon);
	if (str_eq(line, STR("Version")) && str_is_printable(value) && read_version(value, info)) {
		info->version = value;
		return INFO_VERSION;
	}
	if (str_eq(line, STR("Pid")) && str_to_u64(value, UINT32_MAX, &info->pid))
		return INFO_PID;
	if (str_eq(line, STR("Start_time_sec")) && str_to_u64(value, INT64_MAX, &info->start_time_s))
		return INFO_START;
	if (str_eq(line, STR("Stopping")) && str_to_u64(value, 1, &stopping)) {
		info->stopping = stopping == 1;
		return INFO_STOPPING;
	}
	return 0;
}

enum err_code
hap_text_parse_info(struct arena *a, struct str reply, struct hap_text_info *ret, struct err *e)
{
	struct hap_text_info info = { 0 };
	struct str line;
	unsigned seen = 0;

	while (str_next(&reply, '\n', &line))
		seen |= read_info_line(line, &info);
	if (seen != INFO_ALL)
		return err_set(e, ERR_PARSE, "`show info` does not tell %s: is this HAProxy's runtime API?",
		    (seen & INFO_VERSION) == 0 ? "a version"
		    : (seen & INFO_PID) == 0   ? "its Pid"
		    : (seen & INFO_START) == 0 ? "its Start_time_sec"
					       : "whether it is Stopping");
	if (!arena_str(a, info.version, &info.version))
		return no_memory(e);
	*ret = info;
	return ERR_OK;
}

/* ---- show servers state ---- */

/* "a b c": how many fields, at most max of them in ret. */
static size_t
split_fields(struct str line, struct str *ret, size_t max)
{
	struct str field;
	size_t n = 0;

	while (n < max && str_next(&line, ' ', &field))
		ret[n++] = field;
	return n;
}

static enum err_code
check_servers_header(struct str line, struct err *e)
{
	struct str fields[N_SERVER_FIELDS];
	size_t n;

	if (!str_has_prefix(line, STR("# ")))
		return err_set(e, ERR_PARSE, "`show servers state`: no header line");
	n = split_fields(str_skip(line, 2), fields, N_SERVER_FIELDS);
	for (size_t i = 0; i < N_SERVER_FIELDS; i++)
		if (i >= n || !str_eq(fields[i], str_from_cstr(server_field_names[i])))
			return err_set(e, ERR_PARSE, "`show servers state`: column %zu is not %s as in format 1", i + 1,
			    server_field_names[i]);
	return ERR_OK;
}

/* Lines that may be rows: of 25 fields at least, each of one character. */
static size_t
count_rows(struct str table)
{
	struct str line;
	size_t n = 0;

	while (str_next(&table, '\n', &line))
		n += line.len >= 2 * N_SERVER_FIELDS - 1 ? 1 : 0;
	return n;
}

static enum actual_admin
admin_of(unsigned bits)
{
	if ((bits & ADMIN_MAINT_BITS) != 0)
		return ACTUAL_MAINT;
	return (bits & ADMIN_DRAIN_BITS) != 0 ? ACTUAL_DRAIN : ACTUAL_READY;
}

/* "-" (a name not resolved yet, a unix socket), 0.0.0.0 and :: are no address. */
static struct str
address_of(struct str said)
{
	static const unsigned char zeros[sizeof(struct in6_addr)];
	unsigned char bytes[sizeof(struct in6_addr)] = { 0 };
	char cstr[INET6_ADDRSTRLEN];

	if (said.len == 0 || said.len >= sizeof(cstr) || !str_is_printable(said))
		return str_of("", 0);
	memcpy(cstr, said.ptr, said.len);
	cstr[said.len] = '\0';
	if (inet_pton(AF_INET, cstr, bytes) != 1 && inet_pton(AF_INET6, cstr, bytes) != 1)
		return str_of("", 0);
	return memcmp(bytes, zeros, sizeof(zeros)) == 0 ? str_of("", 0) : said;
}

/* An age: a clock that was set back may make it negative, which is no reason to
 * give up the whole reading. */
static bool
read_age(struct str s, uint32_t *ret)
{
	uint64_t value;

	if (!str_to_u64(str_has_prefix(s, STR("-")) ? str_skip(s, 1) : s, INT64_MAX, &value))
		return false;
	*ret = s.ptr[0] == '-' ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	return true;
}

static enum err_code
bad_field(enum server_field at, struct err *e)
{
	return err_set(e, ERR_PARSE, "`show servers state`: %s is not what it should be", server_field_names[at]);
}

static enum err_code
read_server_numbers(const struct str *fields, struct row *row, struct err *e)
{
	struct actual_server *s = row->server;
	unsigned op, admin, check, agent, port;

	if (!read_unsigned(fields[SERVER_OP_STATE], UINT16_MAX, &op))
		return bad_field(SERVER_OP_STATE, e);
	if (!read_unsigned(fields[SERVER_ADMIN_STATE], UINT16_MAX, &admin))
		return bad_field(SERVER_ADMIN_STATE, e);
	if (!read_unsigned(fields[SERVER_UWEIGHT], WEIGHT_MAX, &s->weight))
		return bad_field(SERVER_UWEIGHT, e);
	if (!read_age(fields[SERVER_CHANGED], &s->changed_s))
		return bad_field(SERVER_CHANGED, e);
	if (!read_unsigned(fields[SERVER_CHECK_STATE], UINT32_MAX, &check))
		return bad_field(SERVER_CHECK_STATE, e);
	if (!read_unsigned(fields[SERVER_AGENT_STATE], UINT32_MAX, &agent))
		return bad_field(SERVER_AGENT_STATE, e);
	if (!read_unsigned(fields[SERVER_PORT], UINT16_MAX, &port))
		return bad_field(SERVER_PORT, e);
	s->admin = admin_of(admin);
	s->up = op == OP_STARTING || op == OP_RUNNING;
	s->port = (uint16_t)port;
	s->check_running = (check & CHECK_RUNNING) != 0;
	s->has_agent_line = (agent & CHECK_CONFIGURED) != 0;
	s->has_agent = s->has_agent_line && (agent & CHECK_ENABLED) != 0;
	row->is_checked = (check & CHECK_CONFIGURED) != 0 && (check & CHECK_ENABLED) != 0;
	return ERR_OK;
}

static enum err_code
read_server(struct reading *rd, const struct str *fields, struct row *row, struct err *e)
{
	struct actual_server *s = row->server;
	enum err_code rc;

	if (!str_eq(fields[SERVER_BE_NAME], rd->backend))
		return bad_field(SERVER_BE_NAME, e);
	if (!hap_text_name_ok(fields[SERVER_NAME]))
		return bad_field(SERVER_NAME, e);
	if ((rc = read_server_numbers(fields, row, e)) != ERR_OK)
		return rc;
	if (!arena_str(rd->arena, fields[SERVER_NAME], &s->name) ||
	    !share_str(rd->arena, address_of(fields[SERVER_ADDR]), rd->n > 0 ? &s[-1].address : NULL, &s->address))
		return no_memory(e);
	s->is_ours = actual_is_ours(s->name);
	s->is_slot = s->is_ours && actual_slot_number(s->name, &s->slot);
	return ERR_OK;
}

static enum err_code
read_servers_row(struct reading *rd, struct str line, struct err *e)
{
	struct str fields[N_SERVER_FIELDS];
	struct row *row;
	enum err_code rc;

	if (split_fields(line, fields, N_SERVER_FIELDS) < N_SERVER_FIELDS || rd->n == rd->cap)
		return err_set(e, ERR_PARSE, "`show servers state`: a line of fewer than %d fields", N_SERVER_FIELDS);
	row = &rd->rows[rd->n];
	row->server = &rd->servers[rd->n];
	if ((rc = read_server(rd, fields, row, e)) == ERR_OK)
		rd->n++;
	return rc;
}

/* The rows of the table, once its first two lines are as they should be. */
static enum err_code
open_servers_table(struct str *table, struct err *e)
{
	struct str line;

	if (!str_next(table, '\n', &line) || !str_eq(line, STR("1")))
		return err_set(e, ERR_PARSE, "`show servers state`: not its format 1");
	if (!str_next(table, '\n', &line))
		return err_set(e, ERR_PARSE, "`show servers state`: no header line");
	return check_servers_header(line, e);
}

static enum err_code
read_servers(struct reading *rd, struct str reply, struct err *e)
{
	struct str line;
	enum err_code rc = open_servers_table(&reply, e);

	if (rc != ERR_OK)
		return rc;
	rd->cap = count_rows(reply);
	rd->servers = ARENA_ARRAY(rd->arena, struct actual_server, rd->cap);
	rd->rows = ARENA_ARRAY(rd->arena, struct row, rd->cap);
	if (rd->servers == NULL || rd->rows == NULL)
		return no_memory(e);
	while (rc == ERR_OK && str_next(&reply, '\n', &line))
		if (line.len > 0)
			rc = read_servers_row(rd, line, e);
	return rc;
}

/* ---- show stat ---- */

/* Where the quote that opens s is closed; s.len: nowhere. */
static size_t
closing_quote(struct str s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] != '"')
			continue;
		if (i + 1 == s.len || s.ptr[i + 1] != '"')
			return i;
		i++; /* doubled: a quote inside */
	}
	return s.len;
}

/*
 * One field off a CSV text, and whether it ends its line.  A quoted one comes
 * without its quotes, doubled ones inside stay doubled: none of the columns that
 * we compare is ever quoted.  False: nothing is left (*rest is null), or a quote is
 * not closed where the field ends.
 */
static bool
csv_next(struct str *rest, struct str *ret, bool *ret_ends_line)
{
	bool quoted = rest->len > 0 && rest->ptr[0] == '"';
	size_t n = quoted ? closing_quote(*rest) + 1 : 0;

	if (rest->ptr == NULL || n > rest->len)
		return false;
	while (!quoted && n < rest->len && rest->ptr[n] != ',' && rest->ptr[n] != '\n')
		n++;
	if (n < rest->len && rest->ptr[n] != ',' && rest->ptr[n] != '\n')
		return false;
	*ret = quoted ? str_of(rest->ptr + 1, n - 2) : str_first(*rest, n);
	*ret_ends_line = n == rest->len || rest->ptr[n] == '\n';
	*rest = n == rest->len ? str_of(NULL, 0) : str_skip(*rest, n + 1);
	return true;
}

static uint8_t
stat_column_of(struct str name)
{
	uint8_t c = 0;

	while (c < N_STAT_COLUMNS && !str_eq(name, stat_column_names[c]))
		c++;
	return c;
}

static enum err_code
read_stat_columns(struct str header, struct hap_text_layout *ret, struct err *e)
{
	struct str field;
	bool ends_line = false, seen[N_STAT_COLUMNS + 1] = { false };

	for (size_t i = 0; !ends_line && csv_next(&header, &field, &ends_line); i++) {
		uint8_t c = stat_column_of(field);

		if (c < N_STAT_COLUMNS && !seen[c])
			ret->cells[ret->n_cells++] = (struct stat_cell){ .at = i, .column = c };
		seen[c] = true;
	}
	for (size_t c = 0; c < N_STAT_COLUMNS_NEEDED; c++)
		if (!seen[c])
			return err_set(e, ERR_PARSE, "`show stat`: no column %s", stat_column_names[c].ptr);
	return ERR_OK;
}

/* *known: null, or of a header that may be the same; what is learnt takes its place. */
static enum err_code
read_stat_header(struct reading *rd, struct hap_text_layout **known, struct str *rest, struct err *e)
{
	struct hap_text_layout *learnt;
	struct str header;
	enum err_code rc;

	if (!str_has_prefix(*rest, STR("# ")) || !str_next(rest, '\n', &header))
		return err_set(e, ERR_PARSE, "`show stat`: no header line");
	rd->layout = *known;
	if (*known != NULL && str_eq(header, (*known)->header))
		return ERR_OK;
	learnt = ARENA_NEW(rd->arena, struct hap_text_layout);
	if (learnt == NULL || !arena_str(rd->arena, header, &learnt->header))
		return no_memory(e);
	rc = read_stat_columns(str_skip(header, 2), learnt, e);
	rd->layout = learnt;
	if (rc == ERR_OK)
		*known = learnt;
	return rc;
}

/* Past n fields of a line that goes on behind them; false: it does not.  Nine of ten fields
 * are skipped, in each line of each look at HAProxy. */
static bool
csv_skip(struct str *rest, size_t n)
{
	struct str quoted;
	bool ends_line = false;

	while (n-- > 0) {
		const char *p = rest->ptr, *end = p + rest->len;

		if (p < end && *p == '"') {
			if (!csv_next(rest, &quoted, &ends_line) || ends_line)
				return false;
			continue;
		}
		while (p < end && *p != ',' && *p != '\n')
			p++;
		if (p == end || *p == '\n')
			return false;
		*rest = str_of(p + 1, (size_t)(end - p) - 1);
	}
	return true;
}

/* To the next line; false: a quote of this one is not closed.  Only in quotes a line goes on
 * behind its end. */
static bool
csv_end_line(struct str *rest)
{
	struct str after = *rest, line, field;
	bool ends_line = false;
	size_t at;

	if (str_next(&after, '\n', &line) && !str_find(line, '"', &at)) {
		*rest = after;
		return true;
	}
	while (!ends_line && csv_next(rest, &field, &ends_line))
		continue;
	return ends_line;
}

/* The cells that we read of one line; false if the line is cut off. */
static bool
read_stat_cells(const struct reading *rd, struct str *rest, struct str *cells)
{
	bool ends_line = false;
	size_t at = 0;

	for (size_t c = N_STAT_COLUMNS_NEEDED; c < N_STAT_COLUMNS; c++)
		cells[c] = STR("");
	for (size_t i = 0; i < rd->layout->n_cells; i++) {
		const struct stat_cell *cell = &rd->layout->cells[i];

		if (ends_line || !csv_skip(rest, cell->at - at) || !csv_next(rest, &cells[cell->column], &ends_line))
			return false;
		at = cell->at + 1;
	}
	return ends_line || csv_end_line(rest);
}

/* "* L4OK": a check runs, and this is what the last one said. */
static struct str
check_status_of(struct str cell)
{
	return str_has_prefix(cell, STR("* ")) ? str_skip(cell, 2) : cell;
}

/* L7OKC, "passed, but wants no new calls", is not among them. */
static bool
is_passed_check(struct str status)
{
	return str_eq(status, STR("L4OK")) || str_eq(status, STR("L6OK")) || str_eq(status, STR("L7OK")) ||
	       str_eq(status, STR("PROCOK"));
}

static bool
is_no_check_yet(struct str status)
{
	return status.len == 0 || str_eq(status, STR("INI")) || str_eq(status, STR("UNK"));
}

/*
 * A server that leaves maintenance begins with health = rise (rise - 1 with
 * init-state down), and the first check that passes makes it rise + fall - 1, the
 * full count; what the last check said may be about an address that a slot had
 * before.  So passed is the full count and a good check.  In maintenance a slot is
 * not checked and shows no counts, nor does a dynamic server that has served; one
 * that was never enabled may be checked, and one good check is all it needs.
 * plan/actual.h has the stages.
 */
static enum actual_check
check_of(const struct row *row, const struct str *cells)
{
	struct actual_server *s = row->server;
	struct str status = check_status_of(cells[STAT_CHECK_STATUS]);
	unsigned rise, fall, health;

	if (!row->is_checked)
		return ACTUAL_UNCHECKED;
	if (!read_unsigned(cells[STAT_CHECK_RISE], UINT16_MAX, &rise) ||
	    !read_unsigned(cells[STAT_CHECK_FALL], UINT16_MAX, &fall) ||
	    !read_unsigned(cells[STAT_CHECK_HEALTH], UINT32_MAX, &health))
		return ACTUAL_CHECK_PENDING;
	s->shows_full_at_once = fall == 1 && s->admin == ACTUAL_DRAIN;
	if (is_no_check_yet(status))
		return ACTUAL_CHECK_PENDING;
	if (!is_passed_check(status))
		return health == 0 ? ACTUAL_CHECK_FAILED : ACTUAL_CHECK_PENDING;
	if (s->admin == ACTUAL_MAINT && !s->is_slot)
		return ACTUAL_CHECK_PASSED;
	if (health + 1 < rise + fall)
		return ACTUAL_CHECK_PENDING;
	return ACTUAL_CHECK_PASSED;
}

static struct row *
find_row(struct reading *rd, struct str name)
{
	for (size_t i = 0; i < rd->n; i++) {
		size_t at = (rd->next + i) % rd->n;

		if (str_eq(rd->rows[at].server->name, name)) {
			rd->next = at + 1;
			return &rd->rows[at];
		}
	}
	return NULL;
}

static enum err_code
bad_cell(enum stat_column at, struct err *e)
{
	return err_set(e, ERR_PARSE, "`show stat`: %s is not what it should be", stat_column_names[at].ptr);
}

/* 0 where HAProxy shows none (a backend in mode tcp). */
static uint64_t
count_in(struct str cell)
{
	uint64_t n;

	return str_to_u64(cell, UINT64_MAX >> 4, &n) ? n : 0;
}

/* Answers as they began: HAProxy counts a server's when its headers are there. */
static void
read_counters(struct actual_server *s, const struct str *cells)
{
	s->answers_5xx = count_in(cells[STAT_HRSP_5XX]);
	s->answers = s->answers_5xx;
	for (size_t c = STAT_HRSP_1XX; c <= STAT_HRSP_OTHER; c++)
		s->answers += c != STAT_HRSP_5XX ? count_in(cells[c]) : 0;
	s->failures = count_in(cells[STAT_ECON]) + count_in(cells[STAT_ERESP]);
	s->agent_down = s->has_agent && str_eq(cells[STAT_AGENT_HEALTH], STR("0"));
}

static enum err_code
read_stat_server(struct reading *rd, const struct str *cells, struct err *e)
{
	struct row *row = find_row(rd, cells[STAT_SVNAME]);
	struct actual_server *s;
	const struct actual_server *earlier;

	if (row == NULL || row->is_in_stat)
		return ERR_OK;
	s = row->server;
	earlier = s > rd->servers ? s - 1 : NULL;
	if (!read_unsigned(cells[STAT_SCUR], UINT32_MAX, &s->sessions))
		return bad_cell(STAT_SCUR, e);
	if (!read_unsigned(cells[STAT_QCUR], UINT32_MAX, &s->queued))
		return bad_cell(STAT_QCUR, e);
	if (cells[STAT_SLIM].len > 0 && !read_unsigned(cells[STAT_SLIM], UINT32_MAX, &s->maxconn))
		return bad_cell(STAT_SLIM, e);
	if (!str_is_printable(cells[STAT_STATUS]) || !str_is_printable(cells[STAT_CHECK_STATUS]))
		return bad_cell(STAT_STATUS, e);
	s->check = check_of(row, cells);
	read_counters(s, cells);
	if (!share_str(rd->arena, cells[STAT_STATUS], earlier != NULL ? &earlier->status : NULL, &s->status) ||
	    !share_str(rd->arena, check_status_of(cells[STAT_CHECK_STATUS]),
		earlier != NULL ? &earlier->last_check : NULL, &s->last_check))
		return no_memory(e);
	row->is_in_stat = true;
	rd->n_in_stat++;
	return ERR_OK;
}

/* "random" has no name of its own here ("unknown"; from 3.3 it is also what a backend
 * without `balance` has), hashes have the name of what they hash.  Below the level
 * `operator` HAProxy shows none. */
static bool
needs_small_weights(struct str algo)
{
	static const char *const others[] = { "", "roundrobin", "static-rr", "leastconn", "first", "none", "sticky" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (str_eq(algo, str_from_cstr(others[i])))
			return false;
	return true;
}

/* "UP (UNPUB)", "DOWN (UNPUB)" */
static void
read_stat_backend(struct reading *rd, const struct str *cells)
{
	rd->small_weights = needs_small_weights(cells[STAT_ALGO]);
	rd->is_unpublished = str_has_suffix(cells[STAT_STATUS], STR(" (UNPUB)"));
}

static enum err_code
read_stat(struct reading *rd, struct hap_text_layout **layout, struct str reply, struct err *e)
{
	struct str cells[N_STAT_COLUMNS];
	enum err_code rc = read_stat_header(rd, layout, &reply, e);

	while (rc == ERR_OK && (reply = str_trim(reply)).len > 0) {
		if (!read_stat_cells(rd, &reply, cells))
			return err_set(e, ERR_PARSE, "`show stat`: a line is cut off");
		if (!str_eq(cells[STAT_PXNAME], rd->backend))
			continue; /* a number was asked for, and is somebody's name */
		if (str_eq(cells[STAT_TYPE], STR("2")))
			rc = read_stat_server(rd, cells, e);
		else if (str_eq(cells[STAT_TYPE], STR("1")))
			read_stat_backend(rd, cells);
	}
	return rc;
}

/* ---- both ---- */

static void
keep_those_in_both(struct reading *rd, struct actual_backend *ret)
{
	for (size_t i = 0; i < rd->n; i++)
		if (rd->rows[i].is_in_stat) {
			rd->servers[ret->n_servers++] = rd->servers[i];
			ret->n_slots += rd->servers[i].is_slot ? 1 : 0;
		}
	ret->servers = rd->servers;
}

static bool
is_refusal(struct str reply, struct str words)
{
	struct str text = str_trim(reply);

	if (str_has_prefix(text, STR("[3]: ")))
		text = str_skip(text, 5);
	return str_eq(text, words);
}

static bool
is_unknown_backend(struct str servers_reply, struct str stat_reply)
{
	return is_refusal(servers_reply, STR("Can't find backend.")) || is_refusal(stat_reply, STR("No such proxy."));
}

static bool
is_bare_table(struct str stat_reply)
{
	struct str text = str_trim(stat_reply);
	size_t at;

	return str_has_prefix(text, STR("# ")) && !str_find(text, '\n', &at);
}

/* No backend, and yet a proxy.  A name that is a number means the proxy of that number. */
static bool
is_frontend(struct str name, struct str servers_reply, struct str stat_reply)
{
	uint64_t number;

	return is_refusal(servers_reply, STR("Can't find backend.")) && is_bare_table(stat_reply) &&
	       !str_to_u64(name, UINT64_MAX, &number);
}

bool
hap_text_is_shadowed(struct str servers_reply, struct str stat_reply, struct str *ret_id)
{
	struct str row = servers_reply, id;
	uint64_t number;

	if (!is_bare_table(stat_reply))
		return false;
	if (open_servers_table(&row, NULL) != ERR_OK || !str_next(&row, ' ', &id) ||
	    !str_to_u64(id, INT32_MAX, &number))
		return false;
	*ret_id = id;
	return true;
}

enum err_code
hap_text_parse_backend(struct arena *a, struct hap_text_layout **layout, struct str name, struct str servers_reply,
    struct str stat_reply, struct actual_backend *ret, struct err *e)
{
	struct reading rd = { .arena = a, .backend = name };
	struct hap_text_layout *alone = NULL;
	struct actual_backend b = { .exists = !is_unknown_backend(servers_reply, stat_reply) };
	enum err_code rc;

	if (!arena_str(a, name, &b.name))
		return no_memory(e);
	if (!b.exists) {
		b.is_frontend = is_frontend(name, servers_reply, stat_reply);
		*ret = b;
		return ERR_OK;
	}
	if ((rc = read_servers(&rd, servers_reply, e)) != ERR_OK ||
	    (rc = read_stat(&rd, layout != NULL ? layout : &alone, stat_reply, e)) != ERR_OK)
		return err_wrap(e, rc, "backend " STR_FMT, STR_ARG(str_first(name, 60)));
	if (rd.n > 0 && rd.n_in_stat == 0)
		return err_set(e, ERR_PARSE,
		    "backend " STR_FMT
		    ": `show stat` shows none of its servers: has something else that name or number?",
		    STR_ARG(str_first(name, 60)));
	keep_those_in_both(&rd, &b);
	b.small_weights = rd.small_weights;
	b.is_unpublished = rd.is_unpublished;
	*ret = b;
	return ERR_OK;
}

/* ---- show ssl ca-file ---- */

/* "NAME - 3 certificate(s)"; the name may hold anything that a path may.  False: not
 * such a line, or none were loaded. */
static bool
read_ca_line(struct str line, struct str *ret_name)
{
	const struct str after = STR(" certificate(s)");
	struct str count;
	uint64_t n;

	if (!str_has_suffix(line, after))
		return false;
	line = str_first(line, line.len - after.len);
	count = str_after_last(line, ' ');
	if (count.len == line.len || !str_to_u64(count, UINT32_MAX, &n) || n == 0)
		return false;
	line = str_first(line, line.len - count.len);
	if (!str_has_suffix(line, STR(" - ")))
		return false;
	*ret_name = str_first(line, line.len - 3);
	return ret_name->len > 0 && str_is_printable(*ret_name);
}

static size_t
count_lines(struct str s)
{
	struct str line;
	size_t n = 0;

	while (str_next(&s, '\n', &line))
		n++;
	return n;
}

/* The table of those that are committed; above it there may be a transaction. */
static bool
open_ca_table(struct str *rest)
{
	struct str line;

	while (str_next(rest, '\n', &line))
		if (str_eq(line, STR("# filename")))
			return true;
	return false;
}

static bool
has_no_tls(struct str reply)
{
	struct str text = str_trim(reply);

	if (str_has_prefix(text, STR("[6]: ")))
		text = str_skip(text, 5);
	return str_has_prefix(text, STR("Unknown command"));
}

enum err_code
hap_text_parse_cas(struct arena *a, struct str reply, const struct str **ret, size_t *ret_n, struct err *e)
{
	struct str rest = reply, line, name, *cas;
	size_t n = 0;

	if (has_no_tls(reply)) {
		*ret = NULL;
		*ret_n = 0;
		return ERR_OK;
	}
	if (!open_ca_table(&rest))
		return err_set(e, ERR_PARSE, "`show ssl ca-file`: no table of files");
	if ((cas = ARENA_ARRAY(a, struct str, count_lines(rest))) == NULL)
		return no_memory(e);
	while (str_next(&rest, '\n', &line)) {
		if (!read_ca_line(line, &name))
			continue;
		if (!arena_str(a, name, &cas[n]))
			return no_memory(e);
		n++;
	}
	*ret = cas;
	*ret_n = n;
	return ERR_OK;
}
