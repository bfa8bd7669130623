/*
 * Rules: see label_rule.h.
 *
 * A tree becomes a list of alternatives; each is one host (or any) and one path (or any).
 */
#include "config.h"

#include "label/label_rule.h"

#include <stdlib.h>

#include "label/label_expr.h"
#include "label/label_text.h"

struct alternative {
	struct str host, path; /* null: any */
	bool is_exact;
	bool restricts;        /* by something that can be honoured */
	struct str unhonoured; /* empty: all of it can be */
};

struct alternatives {
	struct alternative *items;
	size_t n;
};

struct compiler {
	struct arena *arena;   /* of the result */
	struct arena *scratch; /* of this call */
	struct err *e;
};

int
label_place_cmp(const struct label_place *a, const struct label_place *b)
{
	int order = str_cmp(a->host, b->host);

	if (order == 0)
		order = str_cmp(a->path, b->path);
	return order != 0 ? order : (int)a->is_exact - (int)b->is_exact;
}

static enum err_code
out_of_memory(const struct compiler *c)
{
	return err_set(c->e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

static enum err_code
room(struct compiler *c, size_t n, struct alternatives *ret)
{
	if (n > LABEL_PLACES_MAX)
		return err_set(
		    c->e, ERR_LIMIT, "it stands for %zu routes: at most %d are taken of one rule", n, LABEL_PLACES_MAX);
	*ret = (struct alternatives){ .items = ARENA_ARRAY(c->scratch, struct alternative, n + 1) };
	return ret->items != NULL ? ERR_OK : out_of_memory(c);
}

/* ---- matchers ---- */

enum matcher { MATCH_HOST, MATCH_PATH, MATCH_PREFIX, MATCH_HOST_REGEXP, MATCH_OTHER };

static enum matcher
matcher_of(struct str name)
{
	static const struct {
		const char *name;
		enum matcher matcher;
	} known[] = {
		{ "Host", MATCH_HOST },
		{ "HostHeader", MATCH_HOST },
		{ "Path", MATCH_PATH },
		{ "PathPrefix", MATCH_PREFIX },
		{ "HostRegexp", MATCH_HOST_REGEXP },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (label_text_same(name, str_from_cstr(known[i].name)))
			return known[i].matcher;
	return MATCH_OTHER;
}

static bool
knows(struct str name)
{
	static const char *const others[] = { "HostSNI", "PathRegexp", "PathStrip", "PathStripRegex", "PathPrefixStrip",
		"PathPrefixStripRegex", "AddPrefix", "ReplacePath", "ReplacePathRegex", "Method", "Headers",
		"HeadersRegexp", "Header", "HeaderRegexp", "Query", "QueryRegexp", "ClientIP" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (label_text_same(name, str_from_cstr(others[i])))
			return true;
	return matcher_of(name) != MATCH_OTHER;
}

/* ^a\.example\.com$ is a name; .* and .+, and Traefik v2's {x:.*}, are any. */
enum regexp { REGEXP_ANY, REGEXP_NAME, REGEXP_OTHER };

static bool
is_any(struct str s)
{
	size_t at;

	if (s.len > 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}' && str_find(s, ':', &at))
		s = str_of(s.ptr + at + 1, s.len - at - 2);
	if (s.len > 2 && s.ptr[0] == '^' && s.ptr[s.len - 1] == '$')
		s = str_of(s.ptr + 1, s.len - 2);
	return str_eq(s, STR(".*")) || str_eq(s, STR(".+"));
}

/* The name in ^a\.example\.com$; false: there is more to it.  name has room for s. */
static bool
unescape(struct str s, char *name, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		bool is_dot = s.ptr[i] == '\\' && i + 1 < s.len && s.ptr[i + 1] == '.';

		if (!is_dot && !label_text_is_alnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
		name[n++] = is_dot ? '.' : s.ptr[i];
		i += is_dot ? 1 : 0;
	}
	*ret_n = n;
	return true;
}

static enum err_code
read_regexp(struct compiler *c, struct str s, enum regexp *ret, struct str *ret_name)
{
	enum err_code code;
	char *name;
	size_t n;

	*ret = is_any(s) ? REGEXP_ANY : REGEXP_OTHER;
	if (*ret == REGEXP_ANY || s.len < 3 || s.ptr[0] != '^' || s.ptr[s.len - 1] != '$')
		return ERR_OK;
	s = str_of(s.ptr + 1, s.len - 2);
	name = arena_alloc(c->scratch, s.len, 1);
	if (name == NULL)
		return out_of_memory(c);
	if (!unescape(s, name, &n))
		return ERR_OK;
	code = label_text_host(c->arena, str_of(name, n), ret_name);
	if (code == ERR_NOMEM)
		return out_of_memory(c);
	*ret = code == ERR_OK ? REGEXP_NAME : REGEXP_OTHER;
	return ERR_OK;
}

static enum err_code
fill_regexp(struct compiler *c, const struct label_expr *call, struct str arg, struct alternative *ret)
{
	enum regexp regexp;
	enum err_code code = read_regexp(c, arg, &regexp, &ret->host);

	if (code != ERR_OK)
		return code;
	ret->restricts = regexp == REGEXP_NAME;
	if (regexp == REGEXP_OTHER)
		ret->unhonoured = call->name;
	return ERR_OK;
}

static enum err_code
fill_host(struct compiler *c, struct str arg, struct alternative *ret)
{
	enum err_code code = label_text_host(c->arena, arg, &ret->host);

	if (code == ERR_NOMEM)
		return out_of_memory(c);
	if (code != ERR_OK)
		return err_set(c->e, ERR_PARSE, "`%s` is no host name", label_text_quote(arg).text);
	ret->restricts = true;
	return ERR_OK;
}

static bool
is_template(struct str path)
{
	return str_find(path, '{', &(size_t){ 0 });
}

static enum err_code
fill_path(struct compiler *c, const struct label_expr *call, struct str arg, struct alternative *ret)
{
	if (is_template(arg)) { /* Traefik v1 and v2: /x/{id:[0-9]+} */
		ret->unhonoured = call->name;
		return ERR_OK;
	}
	if (!label_text_path_ok(arg))
		return err_set(c->e, ERR_PARSE,
		    "`%s` is no path: it begins with /, and has at most %d of letters, digits and -._~/:@+=,!()*",
		    label_text_quote(arg).text, LABEL_TEXT_PATH_MAX);
	ret->path = arg;
	ret->is_exact = matcher_of(call->name) == MATCH_PATH;
	ret->restricts = true;
	return ERR_OK;
}

static enum err_code
fill(struct compiler *c, const struct label_expr *call, struct str arg, struct alternative *ret)
{
	switch (matcher_of(call->name)) {
	case MATCH_HOST:
		return fill_host(c, arg, ret);
	case MATCH_PATH:
	case MATCH_PREFIX:
		return fill_path(c, call, arg, ret);
	case MATCH_HOST_REGEXP:
		return fill_regexp(c, call, arg, ret);
	case MATCH_OTHER:
		break;
	}
	ret->unhonoured = call->name;
	return ERR_OK;
}

static enum err_code
compile_call(struct compiler *c, const struct label_expr *call, struct alternatives *ret)
{
	size_t n = matcher_of(call->name) == MATCH_OTHER ? 1 : call->n_args;
	enum err_code code;

	if (!knows(call->name))
		return err_set(c->e, ERR_PARSE, "`%s` is no matcher", label_text_quote(call->name).text);
	if (call->n_args == 0)
		return err_set(c->e, ERR_PARSE, "`%s` names nothing", label_text_quote(call->name).text);
	code = room(c, n, ret);
	for (size_t i = 0; code == ERR_OK && i < n; i++)
		code = fill(c, call, call->args[i], &ret->items[ret->n++]);
	return code;
}

/* ---- both ---- */

static bool
join_hosts(const struct alternative *a, const struct alternative *b, struct alternative *ret)
{
	if (a->host.ptr != NULL && b->host.ptr != NULL && !str_eq(a->host, b->host))
		return false;
	ret->host = a->host.ptr != NULL ? a->host : b->host;
	return true;
}

static bool
covers(const struct alternative *wide, const struct alternative *narrow)
{
	return wide->is_exact ? narrow->is_exact && str_eq(wide->path, narrow->path)
			      : str_has_prefix(narrow->path, wide->path);
}

static bool
join_paths(const struct alternative *a, const struct alternative *b, struct alternative *ret)
{
	const struct alternative *narrow = a;

	if (a->path.ptr == NULL || (b->path.ptr != NULL && covers(a, b)))
		narrow = b;
	else if (b->path.ptr != NULL && !covers(b, a))
		return false;
	ret->path = narrow->path;
	ret->is_exact = narrow->is_exact;
	return true;
}

/* False: no call is both. */
static bool
join(const struct alternative *a, const struct alternative *b, struct alternative *ret)
{
	*ret = (struct alternative){ .restricts = a->restricts || b->restricts };
	ret->unhonoured = a->unhonoured.len > 0 ? a->unhonoured : b->unhonoured;
	return join_hosts(a, b, ret) && join_paths(a, b, ret);
}

static enum err_code compile(struct compiler *c, const struct label_expr *tree, struct alternatives *ret);

static enum err_code
compile_both(struct compiler *c, const struct label_expr *tree, struct alternatives *ret)
{
	struct alternatives left, right;
	enum err_code code = compile(c, tree->left, &left);

	if (code == ERR_OK)
		code = compile(c, tree->right, &right);
	if (code != ERR_OK)
		return code;
	if (tree->kind == LABEL_EXPR_OR) {
		code = room(c, left.n + right.n, ret);
		for (size_t i = 0; code == ERR_OK && i < left.n; i++)
			ret->items[ret->n++] = left.items[i];
		for (size_t i = 0; code == ERR_OK && i < right.n; i++)
			ret->items[ret->n++] = right.items[i];
		return code;
	}
	code = room(c, left.n * right.n, ret);
	for (size_t i = 0; code == ERR_OK && i < left.n; i++)
		for (size_t j = 0; j < right.n; j++)
			if (join(&left.items[i], &right.items[j], &ret->items[ret->n]))
				ret->n++;
	return code;
}

/* A map has no "all but". */
static enum err_code
compile_not(struct compiler *c, const struct label_expr *tree, struct alternatives *ret)
{
	struct alternatives unused;
	enum err_code code = compile(c, tree->left, &unused);

	if (code == ERR_OK)
		code = room(c, 1, ret);
	if (code == ERR_OK)
		ret->items[ret->n++].unhonoured = STR("!");
	return code;
}

static enum err_code
compile(struct compiler *c, const struct label_expr *tree, struct alternatives *ret)
{
	switch (tree->kind) {
	case LABEL_EXPR_CALL:
		return compile_call(c, tree, ret);
	case LABEL_EXPR_AND:
	case LABEL_EXPR_OR:
		return compile_both(c, tree, ret);
	case LABEL_EXPR_NOT:
		return compile_not(c, tree, ret);
	}
	return ERR_OK;
}

/* ---- the result ---- */

static int
cmp_places(const void *a, const void *b)
{
	return label_place_cmp(a, b);
}

static struct str
unhonoured_of(const struct alternatives *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].unhonoured.len > 0)
			return all->items[i].unhonoured;
	return STR("");
}

static enum err_code
keep_places(struct compiler *c, const struct alternatives *all, struct label_rule *ret)
{
	struct label_place *places = ARENA_ARRAY(c->scratch, struct label_place, all->n + 1), *kept;
	size_t n = 0, k = 0;

	if (places == NULL)
		return out_of_memory(c);
	for (size_t i = 0; i < all->n; i++) {
		const struct alternative *from = &all->items[i];

		if (from->unhonoured.len > 0 && !from->restricts)
			continue;
		places[n++] = (struct label_place){
			.host = from->host.ptr != NULL ? from->host : STR("*"),
			.path = from->path.ptr != NULL ? from->path : STR("/"),
			.is_exact = from->path.ptr != NULL && from->is_exact,
		};
	}
	if (n == 0)
		return err_set(c->e, ERR_PARSE, "no call can match it");
	qsort(places, n, sizeof(*places), cmp_places);
	for (size_t i = 1; i < n; i++)
		if (label_place_cmp(&places[k], &places[i]) != 0)
			places[++k] = places[i];
	ret->n = k + 1;
	kept = ARENA_ARRAY(c->arena, struct label_place, ret->n);
	if (kept == NULL)
		return out_of_memory(c);
	memcpy(kept, places, ret->n * sizeof(*kept));
	ret->places = kept;
	return ERR_OK;
}

static enum err_code
read_tree(struct arena *a, struct arena *scratch, const struct label_expr *tree, bool pass_over, struct label_rule *ret,
    struct err *e)
{
	struct compiler c = { .arena = a, .scratch = scratch, .e = e };
	struct label_rule rule = { .unhonoured = STR("") };
	struct alternatives all;
	enum err_code code = compile(&c, tree, &all);

	if (code != ERR_OK)
		return code;
	if (!pass_over)
		rule.unhonoured = unhonoured_of(&all);
	if (rule.unhonoured.len == 0)
		code = keep_places(&c, &all, &rule);
	if (code == ERR_OK)
		*ret = rule;
	return code;
}

/* Traefik v1 has a colon after the first name, the others a parenthesis. */
static bool
is_v1(struct str text)
{
	size_t i = 0;

	text = str_trim(text);
	while (i < text.len && label_text_is_alnum(text.ptr[i]))
		i++;
	return i > 0 && i < text.len && text.ptr[i] == ':';
}

enum err_code
label_rule_parse(
    struct arena *a, struct arena *scratch, struct str text, bool pass_over, struct label_rule *ret, struct err *e)
{
	const struct label_expr *tree = NULL;
	enum err_code code =
	    is_v1(text) ? label_expr_parse_v1(scratch, text, &tree, e) : label_expr_parse(scratch, text, &tree, e);

	return code == ERR_OK ? read_tree(a, scratch, tree, pass_over, ret, e) : code;
}
