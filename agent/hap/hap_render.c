/* backends.cfg: see hap_render.h. */
#include "config.h"

#include "hap/hap_render.h"

#include <inttypes.h>
#include <stdlib.h>

#include "hap/grpc_check.h"
#include "hap/hap_server_line.h"

#define NAME_MAX_LEN  120
#define NAME_CHARS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
#define PATH_CHARS    NAME_CHARS "/~?@!&*+,;=%()"
#define SERVER_WORD   "server "
#define TEMPLATE_WORD "server-template rc_ 1-"
#define LEFT_WORDS    "# gone with HAProxy's next reload: "

static const char header[] =
    "# Written by rollcall: edits are lost.\n"
    "# HAProxy reads it beside haproxy.cfg, after it: haproxy -f haproxy.cfg -f backends.cfg\n";

static bool
consists_of(struct str s, size_t max, const char *chars)
{
	bool may[256] = { false };

	for (; *chars != '\0'; chars++)
		may[(unsigned char)*chars] = true;
	for (size_t i = 0; i < s.len; i++)
		if (!may[(unsigned char)s.ptr[i]])
			return false;
	return s.len > 0 && s.len <= max;
}

static bool
is_name(struct str s)
{
	return consists_of(s, NAME_MAX_LEN, NAME_CHARS);
}

/* ---- lines ---- */

/* Whatever put the line together: HAProxy must read it as it stands. */
static enum err_code
check_line(const struct buf *out, size_t from, struct err *e)
{
	struct str line = str_skip(buf_str(out), from);

	if (line.len > HAP_RENDER_LINE_MAX)
		return err_set(e, ERR_LIMIT, "a line of %zu bytes: HAProxy takes %d", line.len, HAP_RENDER_LINE_MAX);
	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];
		bool is_plain = (c >= 0x20 || c == '\t') && c <= 0x7e;

		if (!is_plain || c == '"' || c == '\'' || c == '\\' || c == '#' || c == '$')
			return err_set(e, ERR_ARG, "a line would need quoting");
	}
	return ERR_OK;
}

static const char *
balance_name(enum conf_balance balance)
{
	switch (balance) {
	case CONF_BALANCE_ROUNDROBIN:
		return "roundrobin";
	case CONF_BALANCE_LEASTCONN:
		return "leastconn";
	case CONF_BALANCE_RANDOM:
		return "random";
	}
	return "";
}

static bool
asks_own_timeout(const struct conf_check *c)
{
	return c->type > CONF_CHECK_OFF || c->timeout_ms != CONF_CHECK_TIMEOUT_MS;
}

/* A Host is what any server of HTTP/2, or 1.1, asks for. */
static enum err_code
put_http_check(const struct conf_policy *p, struct buf *out, struct err *e)
{
	struct str path = p->check.path.len > 0 ? p->check.path : STR("/");
	struct str host = p->tls_sni.len > 0 ? p->tls_sni : STR("localhost");

	if (!consists_of(path, 1000, PATH_CHARS) || path.ptr[0] != '/')
		return err_set(e, ERR_ARG, "check.path holds a character that HAProxy's configuration can't");
	if (!consists_of(host, 253, NAME_CHARS))
		return err_set(e, ERR_ARG, "tls_sni is no host name");
	buf_put(out, STR("\toption httpchk\n"));
	buf_printf(out, "\thttp-check send meth GET uri " STR_FMT " ver HTTP/1.1 hdr Host " STR_FMT "\n", STR_ARG(path),
	    STR_ARG(host));
	return ERR_OK;
}

static enum err_code
put_grpc_check(struct str service, struct buf *out, struct err *e)
{
	struct buf lines = buf_make(GRPC_CHECK_TEXT_MAX);
	enum err_code code = grpc_check_lines(service, &lines, e);
	struct str rest = buf_str(&lines), line;

	while (code == ERR_OK && rest.len > 0 && str_next(&rest, '\n', &line))
		buf_printf(out, "\t" STR_FMT "\n", STR_ARG(line));
	buf_free(&lines);
	return code;
}

/* A ruleset of its own also drops the one that the defaults may have. */
static enum err_code
put_check(const struct conf_policy *p, struct buf *out, struct err *e)
{
	switch (p->check.type) {
	case CONF_CHECK_INHERIT:
	case CONF_CHECK_OFF:
		return ERR_OK;
	case CONF_CHECK_TCP:
		buf_put(out, STR("\toption tcp-check\n\ttcp-check connect default\n"));
		return ERR_OK;
	case CONF_CHECK_HTTP:
		return put_http_check(p, out, e);
	case CONF_CHECK_GRPC:
		return put_grpc_check(p->check.service, out, e);
	}
	return ERR_OK;
}

static enum err_code
put_settings(const struct hap_render_file *f, const struct conf_backend *b, struct buf *out, struct err *e)
{
	const struct conf_policy *p = &b->policy;
	enum err_code code;

	if (!is_name(b->name))
		return err_set(e, ERR_ARG, "not a name that HAProxy takes");
	if (!is_name(f->defaults))
		return err_set(e, ERR_ARG, "haproxy.managed.defaults is not a name that HAProxy takes");
	buf_printf(
	    out, "\nbackend " STR_FMT " from " STR_FMT "\n\tmode http\n", STR_ARG(b->name), STR_ARG(f->defaults));
	if (conf_policy_has(p, CONF_POLICY_BALANCE))
		buf_printf(out, "\tbalance %s\n", balance_name(p->balance));
	if (b->retries_idempotent)
		buf_put(out, STR("\tretry-on conn-failure empty-response\n"));
	code = put_check(p, out, e);
	if (code == ERR_OK && p->check.type != CONF_CHECK_OFF && asks_own_timeout(&p->check))
		buf_printf(out, "\ttimeout check %" PRId64 "ms\n", p->check.timeout_ms);
	return code;
}

static struct hap_server_line
words_of(const struct hap_render_file *f, const struct conf_policy *p, unsigned weight)
{
	return (struct hap_server_line){
		.policy = p,
		.weight = weight,
		.ca_file = p->tls ? p->tls_ca_file : STR(""),
		.major = f->major,
		.minor = f->minor,
	};
}

static bool
has_init_state(const struct hap_render_file *f)
{
	return f->major > 3 || (f->major == 3 && f->minor >= 2);
}

/* An address as inet_ntop writes it. */
static bool
is_address(struct str s)
{
	return consists_of(s, 45, "0123456789abcdef.:");
}

static enum err_code
put_server(const struct hap_render_file *f, const struct hap_render_server *s, struct buf *out, struct err *e)
{
	struct hap_server_line words = words_of(f, s->policy, s->weight);
	bool is_v6 = s->address.len > 0 && str_find(s->address, ':', &(size_t){ 0 });
	size_t from = out->len;
	enum err_code code;

	if (!is_name(s->name) || !is_address(s->address) || s->port == 0)
		return err_set(e, ERR_ARG, "a server whose name or address HAProxy does not take");
	words.starts_down =
	    s->is_down && !s->is_disabled && s->policy->check.type != CONF_CHECK_OFF && has_init_state(f);
	buf_printf(out, "\t" SERVER_WORD STR_FMT " %s" STR_FMT "%s:%u", STR_ARG(s->name), is_v6 ? "[" : "",
	    STR_ARG(s->address), is_v6 ? "]" : "", s->port);
	code = hap_server_line_put(&words, out, e);
	if (code == ERR_OK && s->is_disabled)
		buf_put(out, STR(" disabled"));
	if (code == ERR_OK)
		code = check_line(out, from, e);
	buf_put_u8(out, '\n');
	return code;
}

static enum err_code
put_slots(const struct hap_render_file *f, const struct hap_render_backend *b, struct buf *out, struct err *e)
{
	struct hap_server_line words = words_of(f, &b->conf->policy, 1);
	size_t from = out->len;
	enum err_code code;

	if (b->n_slots == 0)
		return ERR_OK;
	buf_printf(out, "\t" TEMPLATE_WORD "%u 0.0.0.0:0 disabled", b->n_slots);
	code = hap_server_line_put(&words, out, e);
	if (code == ERR_OK)
		code = check_line(out, from, e);
	buf_put_u8(out, '\n');
	return code;
}

static enum err_code
put_backend(const struct hap_render_file *f, const struct hap_render_backend *b, struct buf *out, struct err *e)
{
	enum err_code code = put_settings(f, b->conf, out, e);

	for (size_t i = 0; code == ERR_OK && i < b->n_servers; i++)
		code = put_server(f, &b->servers[i], out, e);
	if (code == ERR_OK)
		code = put_slots(f, b, out, e);
	return code != ERR_OK ? err_wrap(e, code, "backend `" STR_FMT "`", STR_ARG(b->conf->name)) : ERR_OK;
}

enum err_code
hap_render(const struct hap_render_file *f, struct buf *out, struct err *e)
{
	size_t before = out->len;
	enum err_code code = ERR_OK;

	buf_put(out, str_from_cstr(header));
	for (size_t i = 0; i < f->n_left; i++)
		buf_printf(out, LEFT_WORDS STR_FMT "\n", STR_ARG(f->left[i]));
	for (size_t i = 0; code == ERR_OK && i < f->n_backends; i++)
		code = put_backend(f, &f->backends[i], out, e);
	if (code == ERR_OK)
		code = buf_failed(out, e);
	if (code != ERR_OK)
		out->len = before;
	return code;
}

/* ---- a text, read ---- */

static uint64_t
mark(uint64_t hash, struct str line) /* FNV-1a */
{
	for (size_t i = 0; i < line.len; i++)
		hash = (hash ^ (unsigned char)line.ptr[i]) * UINT64_C(0x100000001b3);
	return (hash ^ '\n') * UINT64_C(0x100000001b3);
}

/* The next line of *text with its newline; false: it is used up. */
static bool
next_line(struct str *text, struct str *ret)
{
	size_t at;

	if (text->len == 0)
		return false;
	*ret = str_find(*text, '\n', &at) ? str_first(*text, at + 1) : *text;
	*text = str_skip(*text, ret->len);
	return true;
}

static struct str
first_word(struct str s)
{
	size_t at;

	return str_find(s, ' ', &at) ? str_first(s, at) : s;
}

static bool
take_prefix(struct str line, struct str prefix, struct str *ret_rest)
{
	if (!str_has_prefix(line, prefix))
		return false;
	*ret_rest = str_skip(line, prefix.len);
	return true;
}

static void
count(struct str text, struct hap_render_outline *ret)
{
	struct str line, rest;

	while (next_line(&text, &line)) {
		ret->n_sections += take_prefix(line, STR("backend "), &rest);
		ret->n_servers += take_prefix(str_trim(line), STR(SERVER_WORD), &rest);
		ret->n_left += take_prefix(line, STR(LEFT_WORDS), &rest);
	}
}

static int
cmp_names(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

struct reader {
	struct hap_render_section *sections;
	struct str *servers, *left;
	size_t n_sections, n_servers, n_left;
};

static void
begin_section(struct reader *r, struct str line, struct str rest)
{
	r->sections[r->n_sections++] = (struct hap_render_section){
		.name = first_word(str_trim(rest)),
		.text = str_of(line.ptr, 0),
		.settings = mark(UINT64_C(0xcbf29ce484222325), str_trim(line)),
		.first_server = r->n_servers,
	};
}

static void
read_line(struct reader *r, struct hap_render_section *s, struct str line)
{
	struct str words = str_trim(line), rest;
	uint64_t n;

	s->text.len += line.len;
	if (take_prefix(words, STR(SERVER_WORD), &rest)) {
		r->servers[r->n_servers++] = first_word(rest);
		s->n_servers++;
	} else if (take_prefix(words, STR(TEMPLATE_WORD), &rest)) {
		if (str_to_u64(first_word(rest), 1000000, &n))
			s->n_slots = (unsigned)n;
	} else if (words.len > 0 && words.ptr[0] != '#') {
		s->settings = mark(s->settings, words);
	}
}

static void
read_text(struct reader *r, struct str text)
{
	struct str line, rest;

	while (next_line(&text, &line)) {
		if (take_prefix(line, STR("backend "), &rest)) {
			begin_section(r, line, rest);
			r->sections[r->n_sections - 1].text.len = line.len;
		} else if (take_prefix(line, STR(LEFT_WORDS), &rest)) {
			r->left[r->n_left++] = first_word(str_trim(rest));
		} else if (r->n_sections > 0) {
			read_line(r, &r->sections[r->n_sections - 1], line);
		}
	}
}

enum err_code
hap_render_outline(struct arena *a, struct str text, struct hap_render_outline *ret, struct err *e)
{
	struct hap_render_outline most = { .n_sections = 0 };
	struct reader r = { 0 };

	count(text, &most);
	r.sections = ARENA_ARRAY(a, struct hap_render_section, most.n_sections + 1);
	r.servers = ARENA_ARRAY(a, struct str, most.n_servers + 1);
	r.left = ARENA_ARRAY(a, struct str, most.n_left + 1);
	if (r.sections == NULL || r.servers == NULL || r.left == NULL)
		return err_set(e, ERR_NOMEM, "reading backends.cfg");
	read_text(&r, text);
	for (size_t i = 0; i < r.n_sections; i++)
		qsort(r.servers + r.sections[i].first_server, r.sections[i].n_servers, sizeof(*r.servers), cmp_names);
	*ret = (struct hap_render_outline){ r.sections, r.n_sections, r.servers, r.n_servers, r.left, r.n_left };
	return ERR_OK;
}

const struct hap_render_section *
hap_render_find(const struct hap_render_outline *o, struct str backend)
{
	for (size_t i = 0; i < o->n_sections; i++)
		if (str_eq(o->sections[i].name, backend))
			return &o->sections[i];
	return NULL;
}

bool
hap_render_is_left(const struct hap_render_outline *o, struct str backend)
{
	for (size_t i = 0; i < o->n_left; i++)
		if (str_eq(o->left[i], backend))
			return true;
	return false;
}

bool
hap_render_names(const struct hap_render_outline *o, const struct hap_render_section *s, struct str server)
{
	return bsearch(&server, o->servers + s->first_server, s->n_servers, sizeof(*o->servers), cmp_names) != NULL;
}
