/* Route maps: see hap_map.h. */
#include "config.h"

#include "hap/hap_map.h"

#include <stdlib.h>

#include "hap/hap_text.h"

#define PAYLOAD_MAX 12000 /* of one command: HAP_TEXT_COMMAND_MAX with room for its line */

static const char header[] = "# Written by rollcall: edits are lost.\n";

/* ---- lines ---- */

static bool
is_plain(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= 0x20 || s.ptr[i] > 0x7e || strchr("\"'\\;#", s.ptr[i]) != NULL)
			return false;
	return s.len > 0 && s.len <= max;
}

static int
cmp_lines(const void *a, const void *b)
{
	const struct hap_map_line *x = a, *y = b;

	return str_cmp(x->key, y->key);
}

/* qsort is not stable: of equal keys the one that stood first is found by its place. */
static int
cmp_places(const void *a, const void *b)
{
	int order = cmp_lines(a, b);

	if (order == 0) {
		const struct hap_map_line *x = a, *y = b;

		order = (x->key.ptr > y->key.ptr) - (x->key.ptr < y->key.ptr);
	}
	return order;
}

size_t
hap_map_sort(struct hap_map_line *lines, size_t n)
{
	size_t k = 0;

	if (n == 0)
		return 0;
	qsort(lines, n, sizeof(*lines), cmp_places);
	for (size_t i = 1; i < n; i++)
		if (!str_eq(lines[k].key, lines[i].key))
			lines[++k] = lines[i];
	return k + 1;
}

const struct hap_map_line *
hap_map_find(const struct hap_map *m, struct str key)
{
	const struct hap_map_line want = { .key = key };

	return m->n > 0 ? bsearch(&want, m->lines, m->n, sizeof(want), cmp_lines) : NULL;
}

bool
hap_map_same(const struct hap_map *a, const struct hap_map *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->lines[i].key, b->lines[i].key) || !str_eq(a->lines[i].backend, b->lines[i].backend))
			return false;
	return true;
}

/* As host_only does: what stands before the port. */
static struct str
without_port(struct str host)
{
	size_t at;

	if (host.len > 0 && host.ptr[0] == '[' && str_find(host, ']', &at))
		return str_first(host, at + 1);
	return str_find(host, ':', &at) ? str_first(host, at) : host;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Does what the frontend asks with, HOST PATH `?`, begin with it? */
static bool
leads_to(struct str key, struct str host, struct str path)
{
	struct str rest = str_skip(key, host.len);

	for (size_t i = 0; i < key.len && i < host.len; i++)
		if (key.ptr[i] != lower(host.ptr[i]))
			return false;
	if (rest.len == path.len + 1 && rest.ptr[path.len] == '?')
		rest.len--;
	return str_has_prefix(path, rest);
}

static const struct hap_map_line *
longest(const struct hap_map *m, struct str host, struct str path)
{
	const struct hap_map_line *found = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (leads_to(m->lines[i].key, host, path) && (found == NULL || m->lines[i].key.len > found->key.len))
			found = &m->lines[i];
	return found;
}

const struct hap_map_line *
hap_map_lookup(const struct hap_map *m, struct str host, struct str path)
{
	const struct hap_map_line *found = longest(m, without_port(host), path);

	return found != NULL ? found : longest(m, STR("*"), path);
}

enum err_code
hap_map_key(struct arena *a, const struct desired_route *r, struct str *ret, struct err *e)
{
	size_t len = r->host.len + r->path.len + (r->is_exact ? 1 : 0);
	char *key = arena_alloc(a, len + 1, 1);

	if (key == NULL)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	if (r->host.len > 0)
		memcpy(key, r->host.ptr, r->host.len);
	if (r->path.len > 0)
		memcpy(key + r->host.len, r->path.ptr, r->path.len);
	if (r->is_exact)
		key[len - 1] = '?';
	*ret = str_of(key, len);
	if (!is_plain(*ret, HAP_MAP_KEY_MAX) || !hap_text_name_ok(r->backend))
		return err_set(e, ERR_ARG, "a route that HAProxy's map can't hold");
	return ERR_OK;
}

/* ---- the file ---- */

void
hap_map_put_file(const struct hap_map *m, struct buf *out)
{
	buf_put(out, str_from_cstr(header));
	for (size_t i = 0; i < m->n; i++)
		buf_printf(out, STR_FMT " " STR_FMT "\n", STR_ARG(m->lines[i].key), STR_ARG(m->lines[i].backend));
}

/* Words apart by blanks; a line may have been edited. */
static bool
next_word(struct str *rest, struct str *ret)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t')
		n++;
	*ret = str_first(*rest, n);
	*rest = str_skip(*rest, n);
	return ret->len > 0;
}

static size_t
count_lines(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n' ? 1 : 0;
	return n;
}

/* skip: words before the key, as `show map` has them. */
static enum err_code
read_lines(struct arena *a, struct str text, unsigned skip, struct hap_map *ret, struct err *e)
{
	struct hap_map_line *lines = ARENA_ARRAY(a, struct hap_map_line, count_lines(text));
	struct str copy, line, word;
	size_t n = 0;

	if (lines == NULL || !arena_str(a, text, &copy))
		return err_set(e, ERR_NOMEM, "a route map: %s", err_text(ERR_NOMEM));
	while (str_next(&copy, '\n', &line)) {
		struct hap_map_line *to = &lines[n];
		bool ok = line.len > 0 && line.ptr[0] != '#';

		for (unsigned i = 0; i < skip && ok; i++)
			ok = next_word(&line, &word);
		if (ok && next_word(&line, &to->key) && next_word(&line, &to->backend))
			n++;
	}
	*ret = (struct hap_map){ .lines = lines, .n = hap_map_sort(lines, n) };
	return ERR_OK;
}

enum err_code
hap_map_read_file(struct arena *a, struct str text, struct hap_map *ret, struct err *e)
{
	return read_lines(a, text, 0, ret, e);
}

/* ---- the runtime API ---- */

static enum err_code
check_path(struct str path, struct err *e)
{
	return is_plain(path, 1000) ? ERR_OK : err_set(e, ERR_ARG, "the path of a map would need quoting");
}

enum err_code
hap_map_ask(struct str path, struct buf *out, struct err *e)
{
	enum err_code code = check_path(path, e);

	if (code == ERR_OK)
		buf_printf(out, "show map " STR_FMT, STR_ARG(path));
	return code;
}

static struct str
without_severity(struct str reply)
{
	size_t at;

	reply = str_trim(reply);
	if (reply.len > 3 && reply.ptr[0] == '[' && str_find(reply, ':', &at) && at < 5)
		return str_trim(str_skip(reply, at + 1));
	return reply;
}

enum err_code
hap_map_parse(struct arena *a, struct str reply, struct str path, struct hap_map *ret, struct err *e)
{
	struct str text = without_severity(reply);
	char said[HAP_TEXT_SAID_MAX + 1];

	if (text.len == 0 || str_has_prefix(text, STR("0x")))
		return read_lines(a, text, 1, ret, e);
	hap_text_escape(text, said);
	return err_set(e, ERR_REMOTE, "HAProxy has no map " STR_FMT " (%s)", STR_ARG(path), said);
}

enum err_code
hap_map_prepare(struct str path, struct buf *out, struct err *e)
{
	enum err_code code = check_path(path, e);

	if (code == ERR_OK)
		buf_printf(out, "prepare map " STR_FMT, STR_ARG(path));
	return code;
}

enum err_code
hap_map_parse_version(struct str reply, unsigned *ret, struct err *e)
{
	static const char word[] = "New version created: ";
	struct str text = without_severity(reply);
	char said[HAP_TEXT_SAID_MAX + 1];
	uint64_t version;

	if (str_has_prefix(text, str_from_cstr(word)) &&
	    str_to_u64(str_trim(str_skip(text, sizeof(word) - 1)), UINT32_MAX, &version)) {
		*ret = (unsigned)version;
		return ERR_OK;
	}
	hap_text_escape(text, said);
	return err_set(e, ERR_REFUSED, "HAProxy refuses a new version of a map: %s", said);
}

enum err_code
hap_map_add(const struct hap_map *m, size_t from, struct str path, unsigned version, size_t *ret_next, struct buf *out,
    struct err *e)
{
	size_t begin = out->len, i = from;

	buf_printf(out, "add map @%u " STR_FMT " <<\n", version, STR_ARG(path));
	for (; i < m->n && out->len - begin < PAYLOAD_MAX; i++) {
		if (!is_plain(m->lines[i].key, HAP_MAP_KEY_MAX) || !hap_text_name_ok(m->lines[i].backend))
			return err_set(e, ERR_ARG, "a route that HAProxy's map can't hold");
		buf_printf(out, STR_FMT " " STR_FMT "\n", STR_ARG(m->lines[i].key), STR_ARG(m->lines[i].backend));
	}
	*ret_next = i;
	return buf_failed(out, e);
}

void
hap_map_commit(struct str path, unsigned version, struct buf *out)
{
	buf_printf(out, "commit map @%u " STR_FMT, version, STR_ARG(path));
}

void
hap_map_drop(struct str path, unsigned version, struct buf *out)
{
	buf_printf(out, "clear map @%u " STR_FMT, version, STR_ARG(path));
}

enum err_code
hap_map_judge(struct str reply, struct err *e)
{
	char said[HAP_TEXT_SAID_MAX + 1];
	size_t i = 0;

	while (i < reply.len && (reply.ptr[i] == '+' || reply.ptr[i] == ' ' || reply.ptr[i] == '\n'))
		i++;
	if (i == reply.len)
		return ERR_OK;
	hap_text_escape(without_severity(str_skip(reply, i)), said);
	return err_set(e, ERR_REFUSED, "HAProxy refuses routes: %s", said);
}
