/* Constraints and rules of the configuration: see label_conf.h. */
#include "config.h"

#include "label/label_conf.h"

#include "base/arena_say.h"
#include "label/label_constraint.h"
#include "label/label_rule.h"
#include "label/label_text.h"

struct check {
	struct arena *arena;
	struct conf_note *notes; /* room for CONF_NOTES_MAX */
	size_t n;
	bool starved; /* something could not be looked at for want of memory */
};

static void
fault(struct check *c, struct conf_where at, const char *key, const char *why)
{
	struct conf_note *to = &c->notes[c->n];

	if (c->n == CONF_NOTES_MAX)
		return;
	if (!arena_say(c->arena, &to->text, "`%s`: %s", key, why)) {
		c->starved = true;
		return;
	}
	to->where = at;
	c->n++;
}

static void
check_constraints(struct check *c, const struct conf_source *s)
{
	struct label_constraint *made = NULL;
	struct err e = ERR_INIT;
	enum err_code code = label_constraint_make(s->constraints, &made, &e);

	if (code == ERR_NOMEM)
		c->starved = true;
	else if (code != ERR_OK)
		fault(c, s->constraints_where, "constraints", e.msg);
	label_constraint_free(made);
}

static void
check_rule(struct check *c, struct conf_where at, const char *key, struct str text)
{
	CLEANUP(arena_free_at) struct arena *scratch = arena_new((size_t)4 << 20);
	struct label_rule rule = { .unhonoured = STR("") };
	struct err e = ERR_INIT;
	enum err_code code = ERR_NOMEM;

	if (text.len == 0)
		return;
	if (scratch != NULL)
		code = label_rule_parse(scratch, scratch, text, false, &rule, &e);
	if (code == ERR_NOMEM) {
		c->starved = true;
	} else if (code != ERR_OK) {
		fault(c, at, key, e.msg);
	} else if (rule.unhonoured.len > 0) {
		err_fill(&e, ERR_CONF, 0, "%s can't be told as a host and a prefix of the path",
		    label_text_quote(rule.unhonoured).text);
		fault(c, at, key, e.msg);
	}
}

/* {service} and the like become names; here any will do. */
static void
check_default_rule(struct check *c, struct conf_where at, struct str rule)
{
	static const char *const names[] = { "{cluster}", "{service}", "{container}", "{family}", "{name}" };
	char *text = arena_alloc(c->arena, rule.len + 1, 1);
	size_t n = 0;

	if (text == NULL) {
		c->starved = true;
		return;
	}
	for (size_t i = 0; i < rule.len; i++) {
		size_t skip = 0;

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]) && skip == 0; k++)
			if (str_has_prefix(str_skip(rule, i), str_from_cstr(names[k])))
				skip = strlen(names[k]);
		text[n++] = skip > 0 ? 'x' : rule.ptr[i];
		i += skip > 0 ? skip - 1 : 0;
	}
	check_rule(c, at, "default_rule", str_of(text, n));
}

enum err_code
label_conf_check(struct arena *a, const struct conf *conf, struct conf_notes *reterr_faults, struct err *e)
{
	struct check c = { .arena = a, .notes = ARENA_ARRAY(a, struct conf_note, CONF_NOTES_MAX) };

	if (c.notes == NULL)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	check_default_rule(&c, conf->haproxy.default_rule_where, conf->haproxy.default_rule);
	for (size_t i = 0; i < conf->n_sources; i++)
		check_constraints(&c, &conf->sources[i]);
	for (size_t i = 0; i < conf->n_backends; i++)
		check_rule(&c, conf->backends[i].rule_where, "rule", conf->backends[i].rule);
	if (c.starved)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	if (c.n == 0)
		return ERR_OK;
	*reterr_faults = (struct conf_notes){ c.notes, c.n };
	return err_set(e, ERR_CONF, STR_FMT, STR_ARG(c.notes[0].text));
}
