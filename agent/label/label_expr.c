/* Rules and constraints as trees: see label_expr.h. */
#include "config.h"

#include "label/label_expr.h"

#include "label/label_text.h"

struct parser {
	struct arena *arena;
	struct str text;
	size_t at;
	size_t n_nodes;
	unsigned depth;
	struct err *e;
};

static enum err_code parse_or(struct parser *p, const struct label_expr **ret);

/* ---- pieces ---- */

static void
skip_blanks(struct parser *p)
{
	while (p->at < p->text.len && (p->text.ptr[p->at] == ' ' || p->text.ptr[p->at] == '\t'))
		p->at++;
}

static bool
take(struct parser *p, struct str token)
{
	skip_blanks(p);
	if (!str_has_prefix(str_skip(p->text, p->at), token))
		return false;
	p->at += token.len;
	return true;
}

static enum err_code
expected(struct parser *p, const char *what)
{
	struct str rest = str_skip(p->text, p->at);

	if (rest.len == 0)
		return err_set(p->e, ERR_PARSE, "%s is missing at the end", what);
	return err_set(p->e, ERR_PARSE, "%s is missing at character %zu, before `%s`", what, p->at + 1,
	    label_text_quote(rest).text);
}

static enum err_code
make(struct parser *p, struct label_expr node, const struct label_expr **ret)
{
	struct label_expr *made;

	if (p->n_nodes++ == LABEL_EXPR_NODES_MAX)
		return err_set(p->e, ERR_LIMIT, "more than %d parts", LABEL_EXPR_NODES_MAX);
	made = ARENA_NEW(p->arena, struct label_expr);
	if (made == NULL)
		return err_set(p->e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	*made = node;
	*ret = made;
	return ERR_OK;
}

static enum err_code
take_name(struct parser *p, struct str *ret)
{
	size_t from;

	skip_blanks(p);
	from = p->at;
	while (p->at < p->text.len && label_text_is_alnum(p->text.ptr[p->at]))
		p->at++;
	*ret = str_of(p->text.ptr + from, p->at - from);
	return ret->len > 0 ? ERR_OK : expected(p, "the name of a matcher");
}

/* `...` or "...": what stands between, as it stands.  A backslash would ask for an escape in
 * the latter, which no name, host or path needs. */
static enum err_code
take_string(struct parser *p, struct str *ret)
{
	struct str rest;
	char quote;
	size_t len;

	skip_blanks(p);
	rest = str_skip(p->text, p->at);
	if (rest.len == 0 || (rest.ptr[0] != '`' && rest.ptr[0] != '"'))
		return expected(p, "a text in backticks");
	quote = rest.ptr[0];
	rest = str_skip(rest, 1);
	if (!str_find(rest, quote, &len))
		return err_set(p->e, ERR_PARSE, "the text that begins at character %zu has no end", p->at + 1);
	*ret = str_first(rest, len);
	if (quote == '"' && str_find(*ret, '\\', &(size_t){ 0 }))
		return err_set(p->e, ERR_PARSE, "a backslash between double quotes: use backticks");
	p->at += len + 2;
	return ERR_OK;
}

static enum err_code
keep_args(struct parser *p, const struct str *args, size_t n, struct label_expr *node)
{
	struct str *kept = ARENA_ARRAY(p->arena, struct str, n + 1);

	if (kept == NULL)
		return err_set(p->e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < n; i++)
		kept[i] = args[i];
	node->args = kept;
	node->n_args = n;
	return ERR_OK;
}

/* ---- the grammar ---- */

static enum err_code
parse_call(struct parser *p, const struct label_expr **ret)
{
	struct label_expr node = { .kind = LABEL_EXPR_CALL };
	struct str args[LABEL_EXPR_ARGS_MAX];
	enum err_code code = take_name(p, &node.name);
	size_t n = 0;

	if (code != ERR_OK)
		return code;
	if (!take(p, STR("(")))
		return expected(p, "`(`");
	while (code == ERR_OK && !take(p, STR(")"))) {
		if (n > 0 && !take(p, STR(",")))
			return expected(p, "`,` or `)`");
		if (n == LABEL_EXPR_ARGS_MAX)
			return err_set(p->e, ERR_LIMIT, "more than %d texts in one matcher", LABEL_EXPR_ARGS_MAX);
		code = take_string(p, &args[n++]);
	}
	if (code == ERR_OK)
		code = keep_args(p, args, n, &node);
	return code == ERR_OK ? make(p, node, ret) : code;
}

static enum err_code
parse_unary(struct parser *p, const struct label_expr **ret)
{
	struct label_expr node = { .kind = LABEL_EXPR_NOT };
	enum err_code code;

	if (p->depth == LABEL_EXPR_DEPTH_MAX)
		return err_set(p->e, ERR_LIMIT, "more than %d levels deep", LABEL_EXPR_DEPTH_MAX);
	p->depth++;
	if (take(p, STR("!"))) {
		code = parse_unary(p, &node.left);
		if (code == ERR_OK)
			code = make(p, node, ret);
	} else if (take(p, STR("("))) {
		code = parse_or(p, ret);
		if (code == ERR_OK && !take(p, STR(")")))
			code = expected(p, "`)`");
	} else {
		code = parse_call(p, ret);
	}
	p->depth--;
	return code;
}

static enum err_code
parse_and(struct parser *p, const struct label_expr **ret)
{
	enum err_code code = parse_unary(p, ret);

	while (code == ERR_OK && take(p, STR("&&"))) {
		struct label_expr node = { .kind = LABEL_EXPR_AND, .left = *ret };

		code = parse_unary(p, &node.right);
		if (code == ERR_OK)
			code = make(p, node, ret);
	}
	return code;
}

static enum err_code
parse_or(struct parser *p, const struct label_expr **ret)
{
	enum err_code code = parse_and(p, ret);

	while (code == ERR_OK && take(p, STR("||"))) {
		struct label_expr node = { .kind = LABEL_EXPR_OR, .left = *ret };

		code = parse_and(p, &node.right);
		if (code == ERR_OK)
			code = make(p, node, ret);
	}
	return code;
}

static enum err_code
check_text(struct str text, struct err *e)
{
	if (text.len > LABEL_EXPR_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "%zu bytes: at most %d are read", text.len, LABEL_EXPR_TEXT_MAX);
	if (!str_is_printable(text))
		return err_set(e, ERR_PARSE, "it holds a byte that is not printable ASCII");
	return ERR_OK;
}

enum err_code
label_expr_parse(struct arena *a, struct str text, const struct label_expr **ret, struct err *e)
{
	struct parser p = { .arena = a, .text = text, .e = e };
	const struct label_expr *tree = NULL;
	enum err_code code = check_text(text, e);

	if (code == ERR_OK)
		code = parse_or(&p, &tree);
	skip_blanks(&p);
	if (code == ERR_OK && p.at < text.len)
		code = expected(&p, "`&&` or `||`");
	if (code == ERR_OK)
		*ret = tree;
	return code;
}

/* ---- Traefik v1 ---- */

static enum err_code
parse_v1_call(struct parser *p, struct str text, const struct label_expr **ret)
{
	struct label_expr node = { .kind = LABEL_EXPR_CALL };
	struct str args[LABEL_EXPR_ARGS_MAX], rest, arg;
	enum err_code code;
	size_t n = 0, at;

	if (!str_find(text, ':', &at))
		return err_set(p->e, ERR_PARSE, "`:` is missing after `%s`", label_text_quote(text).text);
	node.name = str_trim(str_first(text, at));
	for (size_t i = 0; i < node.name.len; i++)
		if (!label_text_is_alnum(node.name.ptr[i]))
			return err_set(p->e, ERR_PARSE, "`%s` is no matcher", label_text_quote(node.name).text);
	rest = str_skip(text, at + 1);
	while (str_next(&rest, ',', &arg)) {
		if (n == LABEL_EXPR_ARGS_MAX)
			return err_set(p->e, ERR_LIMIT, "more than %d texts in one matcher", LABEL_EXPR_ARGS_MAX);
		args[n++] = str_trim(arg);
	}
	code = keep_args(p, args, n, &node);
	return code == ERR_OK ? make(p, node, ret) : code;
}

enum err_code
label_expr_parse_v1(struct arena *a, struct str text, const struct label_expr **ret, struct err *e)
{
	struct parser p = { .arena = a, .text = text, .e = e };
	const struct label_expr *tree = NULL;
	struct str rest = text, part;
	enum err_code code = check_text(text, e);

	while (code == ERR_OK && str_next(&rest, ';', &part)) {
		struct label_expr node = { .kind = LABEL_EXPR_AND, .left = tree };

		if (str_trim(part).len == 0)
			continue;
		code = parse_v1_call(&p, part, &node.right);
		if (code == ERR_OK && tree == NULL)
			tree = node.right;
		else if (code == ERR_OK)
			code = make(&p, node, &tree);
	}
	if (code == ERR_OK && tree == NULL)
		return err_set(e, ERR_PARSE, "it is empty");
	if (code == ERR_OK)
		*ret = tree;
	return code;
}
