/* What the dialects share: see label_reader.h. */
#include "config.h"

#include "label/label_reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena_say.h"
#include "conf/conf_scalar.h"
#include "label/label_text.h"

_Static_assert(TASKDEF_LABEL_KEPT > LABEL_TEXT_VALUE_MAX, "what was cut is refused as too long");

#define PRIORITY_MAX 2147483647u
#define SHOWN_MAX    120 /* bytes of a label's name in a note */

/* ---- names ---- */

bool
label_name_skip(struct label_name *n, const char *prefix)
{
	struct str p = str_from_cstr(prefix);

	if (!label_text_has_prefix(n->rest, p))
		return false;
	n->rest = str_skip(n->rest, p.len);
	return true;
}

bool
label_name_is(const struct label_name *n, const char *key)
{
	return label_text_same(n->rest, str_from_cstr(key));
}

bool
label_name_part(struct label_name *n, struct str *ret)
{
	size_t at;

	if (!str_find(n->rest, '.', &at) || at == 0)
		return false;
	*ret = str_first(n->rest, at);
	n->rest = str_skip(n->rest, at + 1);
	return true;
}

/* ---- notes ---- */

void
label_reader_note(struct label_reader *r, struct str label, enum label_fate fate, const char *fmt, ...)
{
	struct label_note *note;
	char text[ARENA_SAY_MAX + 1];
	va_list ap;

	r->counts[fate]++;
	if (r->n_notes == LABEL_NOTES_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note = &r->notes[r->n_notes];
	note->fate = fate;
	if (!arena_say(r->arena, &note->label, STR_FMT, STR_ARG(str_first(label, SHOWN_MAX))) ||
	    !arena_say(r->arena, &note->reason, "%s", text))
		r->starved = true;
	else
		r->n_notes++;
}

static void
refuse(struct label_reader *r, struct label_refusal *refusal, bool is_bad, struct str label, const char *why)
{
	if (refusal == NULL || refusal->is_refused)
		return;
	refusal->is_refused = true;
	refusal->is_bad = is_bad;
	if (!arena_say(
		r->arena, &refusal->message, "label `" STR_FMT "`: %s", STR_ARG(str_first(label, SHOWN_MAX)), why))
		r->starved = true;
}

void
label_reader_bad(struct label_reader *r, struct str label, const char *why, struct label_refusal *refusal)
{
	label_reader_note(r, label, LABEL_BAD, "%s", why);
	refuse(r, refusal, true, label, why);
}

static bool
may_pass_over(const struct label_reader *r, struct str label)
{
	for (size_t i = 0; i < r->rules->allow_unhonoured.n; i++) {
		struct str allowed = r->rules->allow_unhonoured.items[i];

		if (label_text_same(allowed, label) || str_glob(allowed, label))
			return true;
	}
	return false;
}

void
label_reader_unhonoured(struct label_reader *r, struct str label, const char *why, struct label_refusal *refusal)
{
	if (may_pass_over(r, label)) {
		label_reader_note(r, label, LABEL_PASSED_OVER, "%s; allow_unhonoured says to ignore it", why);
		return;
	}
	label_reader_note(r, label, LABEL_UNHONOURED, "%s", why);
	refuse(r, refusal, false, label, why);
}

/* ---- values ---- */

/* False, with a note: not fit to be looked at. */
static bool
is_readable(struct label_reader *r, struct str label, struct str value, struct label_refusal *refusal)
{
	char why[80];

	if (value.len <= LABEL_TEXT_VALUE_MAX && str_is_printable(value))
		return true;
	if (value.len > LABEL_TEXT_VALUE_MAX)
		(void)snprintf(why, sizeof(why), "more than %d bytes", LABEL_TEXT_VALUE_MAX);
	else
		(void)snprintf(why, sizeof(why), "it holds a byte that is not printable ASCII");
	label_reader_bad(r, label, why, refusal);
	return false;
}

void
label_reader_enable(struct label_reader *r, struct str label, struct str value, bool *ret_disabled)
{
	struct err e = ERR_INIT;
	bool on = false;

	if (!is_readable(r, label, value, NULL) || conf_scalar_bool(str_trim(value), &on, &e) != ERR_OK) {
		label_reader_note(r, label, LABEL_BAD, "`%s` is neither true nor false: taken as false",
		    label_text_quote(value).text);
		on = false;
	}
	*ret_disabled = !on;
}

void
label_reader_set(
    struct label_reader *r, struct label_endpoint_draft *d, struct str label, const char *key, struct str value)
{
	struct err e = ERR_INIT;
	bool is_time =
	    str_eq(str_from_cstr(key), STR("check.inter")) || str_eq(str_from_cstr(key), STR("check.timeout"));
	bool is_traefik = label_text_has_prefix(label, STR("traefik."));
	enum err_code code;

	if (!is_readable(r, label, value, &d->refusal))
		return;
	code = is_time && is_traefik ? label_settings_take_seconds(&d->settings, str_from_cstr(key), value, &e)
				     : label_settings_take(&d->settings, str_from_cstr(key), value, &e);
	if (code != ERR_OK)
		label_reader_bad(r, label, e.msg, &d->refusal);
}

void
label_reader_priority(struct label_reader *r, struct label_router_draft *d, struct str label, struct str value)
{
	struct err e = ERR_INIT;
	char why[sizeof(e.msg) + 64];

	if (!is_readable(r, label, value, &d->refusal) ||
	    conf_scalar_whole(str_trim(value), 0, PRIORITY_MAX, &d->priority, &e) == ERR_OK)
		return;
	(void)snprintf(why, sizeof(why), "`%s` %s", label_text_quote(value).text, e.msg);
	label_reader_bad(r, label, why, &d->refusal);
}

struct label_endpoint_draft *
label_reader_endpoint(
    struct label_reader *r, struct label_endpoint_draft *drafts, size_t *n, struct str label, struct str name)
{
	for (size_t i = 0; i < *n; i++)
		if (label_text_same(drafts[i].name, name))
			return &drafts[i];
	if (name.len > 40 || (name.len > 0 && !label_text_name_ok(name))) {
		label_reader_note(r, label, LABEL_BAD, "`%s` is no name: at most 40 of A-Z a-z 0-9 _ . : -",
		    label_text_quote(name).text);
		return NULL;
	}
	if (*n == LABEL_ENDPOINTS_MAX) {
		label_reader_note(r, label, LABEL_BAD, "more than %d endpoints of one container", LABEL_ENDPOINTS_MAX);
		return NULL;
	}
	drafts[*n] = (struct label_endpoint_draft){ .name = name };
	return &drafts[(*n)++];
}

/* ---- routers ---- */

struct label_router_draft *
label_reader_router(struct label_reader *r, struct label_endpoint_draft *d)
{
	if (d->n_routers > 0)
		return &d->routers[0];
	d->routers = ARENA_NEW(r->scratch, struct label_router_draft);
	if (d->routers == NULL) {
		r->starved = true;
		return NULL;
	}
	d->n_routers = 1;
	return d->routers;
}

static bool
is_entrypoint(const struct label_rules *rules, struct str name)
{
	for (size_t i = 0; i < rules->entrypoints.n; i++)
		if (str_eq(rules->entrypoints.items[i].name, name))
			return true;
	return false;
}

static void
blame_entrypoint(struct label_reader *r, struct str label, struct str name, struct label_refusal *refusal)
{
	char why[160];

	(void)snprintf(why, sizeof(why), "there is no entrypoint `%s`: haproxy.managed.entrypoints names them",
	    label_text_quote(name).text);
	if (label.len > 0)
		label_reader_unhonoured(r, label, why, refusal);
	else
		refuse(r, refusal, false, STR("(none)"), why);
}

static void
finish_entrypoints(struct label_reader *r, const struct label_text_ref *from, struct label_router *ret)
{
	struct str *names = ARENA_ARRAY(r->arena, struct str, LABEL_ENTRYPOINTS_MAX + 1);
	struct str rest = from->value, name;

	if (names == NULL) {
		r->starved = true;
		return;
	}
	ret->entrypoints = names;
	if (from->label.len > 0 && !is_readable(r, from->label, from->value, &ret->refusal))
		return;
	while (str_next(&rest, ',', &name)) {
		name = str_trim(name);
		if (name.len == 0)
			continue;
		if (ret->n_entrypoints == LABEL_ENTRYPOINTS_MAX)
			label_reader_bad(r, from->label, "it names too many entrypoints", &ret->refusal);
		else if (is_entrypoint(r->rules, name))
			names[ret->n_entrypoints++] = name;
		else
			blame_entrypoint(r, from->label, name, &ret->refusal);
		if (ret->refusal.is_refused)
			return;
	}
	if (ret->n_entrypoints > 0)
		return;
	names[ret->n_entrypoints++] = STR("default");
	if (!is_entrypoint(r->rules, STR("default")))
		blame_entrypoint(r, from->label, STR("default"), &ret->refusal);
}

static void
finish_rule(struct label_reader *r, struct str label, struct str text, struct label_router *ret)
{
	struct label_rule rule = { .unhonoured = STR("") };
	struct err e = ERR_INIT;
	char why[160];
	bool may_pass = may_pass_over(r, label);
	enum err_code code;

	if (!is_readable(r, label, text, &ret->refusal))
		return;
	code = label_rule_parse(r->arena, r->scratch, text, false, &rule, &e);
	if (code == ERR_OK && rule.unhonoured.len > 0) {
		(void)snprintf(why, sizeof(why), "%s can't be told as a host and a prefix of the path",
		    label_text_quote(rule.unhonoured).text);
		label_reader_unhonoured(r, label, why, &ret->refusal);
		if (may_pass)
			code = label_rule_parse(r->arena, r->scratch, text, true, &rule, &e);
	}
	if (code == ERR_NOMEM)
		r->starved = true;
	else if (code != ERR_OK)
		label_reader_bad(r, label, e.msg, &ret->refusal);
	ret->places = rule.places;
	ret->n = rule.n;
}

void
label_reader_finish_router(struct label_reader *r, const struct label_router_draft *d, struct label_router *ret)
{
	*ret = (struct label_router){ .label = d->rule.label, .priority = d->priority, .refusal = d->refusal };
	finish_entrypoints(r, &d->entrypoints, ret);
	if (d->rule.label.len > 0)
		finish_rule(r, d->rule.label, d->rule.value, ret);
}

void
label_reader_finish(struct label_reader *r, const struct label_endpoint_draft *d, struct label_endpoint *ret)
{
	struct label_router *routers = ARENA_ARRAY(r->arena, struct label_router, d->n_routers + 1);

	if (routers == NULL) {
		r->starved = true;
		return;
	}
	*ret = (struct label_endpoint){
		.name = d->name,
		.settings = d->settings,
		.is_disabled = d->is_disabled,
		.refusal = d->refusal,
		.routers = routers,
	};
	for (size_t i = 0; i < d->n_routers; i++)
		label_reader_finish_router(r, &d->routers[i], &routers[ret->n_routers++]);
}
