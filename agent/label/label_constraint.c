/* Constraints: see label_constraint.h. */
#include "config.h"

#include "label/label_constraint.h"

#include <regex.h>
#include <stdlib.h>

#include "label/label_expr.h"
#include "label/label_text.h"

#define REGEXES_MAX 32
#define ARENA_MAX   ((size_t)1 << 20)

struct label_constraint {
	struct arena *arena;
	struct str text;
	const struct label_expr *tree; /* null: all are admitted */
	const struct label_expr *calls[REGEXES_MAX];
	regex_t regexes[REGEXES_MAX]; /* of calls */
	size_t n_regexes;
};

static bool
is_regex(const struct label_expr *call)
{
	return str_eq(call->name, STR("LabelRegex"));
}

static enum err_code
add_regex(struct label_constraint *c, const struct label_expr *call, struct err *e)
{
	const char *text = arena_strdup(c->arena, call->args[1]);
	char said[120];
	int rc;

	if (text == NULL)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	if (c->n_regexes == REGEXES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d regular expressions", REGEXES_MAX);
	rc = regcomp(&c->regexes[c->n_regexes], text, REG_EXTENDED | REG_NOSUB);
	if (rc == REG_ESPACE)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	if (rc != 0) {
		(void)regerror(rc, &c->regexes[c->n_regexes], said, sizeof(said));
		return err_set(e, ERR_PARSE, "`%s`: %s", label_text_quote(call->args[1]).text, said);
	}
	c->calls[c->n_regexes++] = call;
	return ERR_OK;
}

static enum err_code
check(struct label_constraint *c, const struct label_expr *x, struct err *e)
{
	enum err_code code;

	if (x->kind != LABEL_EXPR_CALL) {
		code = check(c, x->left, e);
		return code == ERR_OK && x->kind != LABEL_EXPR_NOT ? check(c, x->right, e) : code;
	}
	if (!is_regex(x) && !str_eq(x->name, STR("Label")))
		return err_set(e, ERR_PARSE, "`%s`: there are Label(`name`,`value`) and LabelRegex(`name`,`regex`)",
		    label_text_quote(x->name).text);
	if (x->n_args != 2)
		return err_set(
		    e, ERR_PARSE, "`" STR_FMT "` wants two texts: a label's name, and its value", STR_ARG(x->name));
	return is_regex(x) ? add_regex(c, x, e) : ERR_OK;
}

enum err_code
label_constraint_make(struct str text, struct label_constraint **ret, struct err *e)
{
	struct label_constraint *c = calloc(1, sizeof(*c));
	enum err_code code;

	if (c == NULL || (c->arena = arena_new(ARENA_MAX)) == NULL || !arena_str(c->arena, text, &c->text)) {
		label_constraint_free(c);
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	}
	code = str_trim(text).len > 0 ? label_expr_parse(c->arena, c->text, &c->tree, e) : ERR_OK;
	if (code == ERR_OK && c->tree != NULL)
		code = check(c, c->tree, e);
	if (code != ERR_OK) {
		label_constraint_free(c);
		return code;
	}
	*ret = c;
	return ERR_OK;
}

void
label_constraint_free(struct label_constraint *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n_regexes; i++)
		regfree(&c->regexes[i]);
	arena_free(c->arena);
	free(c);
}

/* ---- what it says of labels ---- */

struct asked {
	const struct label_constraint *constraint;
	const struct taskdef_label *labels;
	size_t n;
	bool is_unreadable; /* a value can't be looked at */
};

static bool
matches_regex(const struct asked *a, const struct label_expr *call, struct str value)
{
	char text[LABEL_CONSTRAINT_VALUE_MAX + 1];

	if (value.len > 0)
		memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	for (size_t i = 0; i < a->constraint->n_regexes; i++)
		if (a->constraint->calls[i] == call)
			return regexec(&a->constraint->regexes[i], text, 0, NULL, 0) == 0;
	return false;
}

static bool
holds_call(struct asked *a, const struct label_expr *call)
{
	for (size_t i = 0; i < a->n; i++) {
		struct str value = a->labels[i].value;

		if (!str_eq(a->labels[i].name, call->args[0]))
			continue;
		if (value.len > LABEL_CONSTRAINT_VALUE_MAX || str_find(value, '\0', &(size_t){ 0 })) {
			a->is_unreadable = true;
			return false;
		}
		return is_regex(call) ? matches_regex(a, call, value) : str_eq(value, call->args[1]);
	}
	return false;
}

/* Both sides are always looked at: what can't be read decides, wherever it stands. */
static bool
holds(struct asked *a, const struct label_expr *x)
{
	bool left, right;

	if (x->kind == LABEL_EXPR_CALL)
		return holds_call(a, x);
	left = holds(a, x->left);
	if (x->kind == LABEL_EXPR_NOT)
		return !left;
	right = holds(a, x->right);
	return x->kind == LABEL_EXPR_AND ? left && right : left || right;
}

bool
label_constraint_admits(const struct label_constraint *c, const struct taskdef_label *labels, size_t n)
{
	struct asked a = { .constraint = c, .labels = labels, .n = n };

	if (c->tree == NULL)
		return true;
	return holds(&a, c->tree) && !a.is_unreadable;
}
