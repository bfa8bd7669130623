/* What sections say of each other: see conf_check.h. */
#include "config.h"

#include "conf/conf_check.h"

#include "conf/conf_suggest.h"

static void
check_backend_names(struct conf_decode *d, const struct conf *c)
{
	for (size_t i = 0; i < c->n_backends; i++) {
		const struct conf_backend *b = &c->backends[i], *first = conf_backend_by_name(c, b->name);

		if (b->name.len > 0 && first != b)
			conf_report_fault(&d->report, b->where,
			    "backend `" STR_FMT "` has an entry already, on line %u: one entry says all of a backend",
			    STR_ARG(b->name), first->where.line);
	}
}

static bool
matches_a_source(const struct conf *c, struct str pattern, struct conf_suggest *near)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		/* A source whose name was refused may have been meant. */
		if (c->sources[i].name.len == 0 || str_glob(pattern, c->sources[i].name))
			return true;
		conf_suggest_offer(near, c->sources[i].name);
	}
	return false;
}

static void
check_matched_sources(struct conf_decode *d, const struct conf *c)
{
	/* Without a source there is a fault already. */
	for (size_t i = 0; i < c->n_backends && c->n_sources > 0; i++) {
		const struct conf_backend *b = &c->backends[i];
		struct conf_suggest near = conf_suggest_make(b->match.source);

		if (matches_a_source(c, b->match.source, &near))
			continue;
		if (near.best.len > 0)
			conf_report_fault(&d->report, b->where,
			    "backend `" STR_FMT "`: no `ecs` source is called `%s`, did you mean `" STR_FMT "`?",
			    STR_ARG(b->name), conf_report_quote(b->match.source).text, STR_ARG(near.best));
		else
			conf_report_fault(&d->report, b->where,
			    "backend `" STR_FMT
			    "`: no `ecs` source is called `%s` (a source without `name` is called by its region)",
			    STR_ARG(b->name), conf_report_quote(b->match.source).text);
	}
}

static bool
is_entrypoint(const struct conf *c, struct str name, struct conf_suggest *near)
{
	for (size_t i = 0; i < c->haproxy.entrypoints.n; i++) {
		if (str_eq(c->haproxy.entrypoints.items[i].name, name))
			return true;
		conf_suggest_offer(near, c->haproxy.entrypoints.items[i].name);
	}
	return false;
}

static void
check_entrypoint(struct conf_decode *d, const struct conf *c, const struct conf_backend *b, struct str name)
{
	struct conf_suggest near = conf_suggest_make(name);

	if (is_entrypoint(c, name, &near))
		return;
	if (near.best.len > 0)
		conf_report_fault(&d->report, b->where,
		    "backend `" STR_FMT "`: there is no entrypoint `" STR_FMT "`, did you mean `" STR_FMT "`?",
		    STR_ARG(b->name), STR_ARG(name), STR_ARG(near.best));
	else
		conf_report_fault(&d->report, b->where,
		    "backend `" STR_FMT "`: there is no entrypoint `" STR_FMT
		    "`; haproxy.managed.entrypoints names them",
		    STR_ARG(b->name), STR_ARG(name));
}

static void
check_managed(struct conf_decode *d, const struct conf *c)
{
	for (size_t i = 0; i < c->n_backends; i++) {
		const struct conf_backend *b = &c->backends[i];

		if (!b->managed)
			continue;
		if (c->haproxy.managed_mode == CONF_MANAGED_OFF)
			conf_report_fault(&d->report, b->where,
			    "backend `" STR_FMT "` is managed, and haproxy.managed.mode is off", STR_ARG(b->name));
		for (size_t j = 0; j < b->entrypoints.n; j++)
			check_entrypoint(d, c, b, b->entrypoints.items[j]);
		if (b->rule.len > 0 && b->entrypoints.n == 0)
			check_entrypoint(d, c, b, STR("default"));
	}
}

static bool
all_have(const struct conf *c, enum conf_policy_key key)
{
	for (size_t i = 0; i < c->n_backends; i++)
		if (!c->backends[i].managed && (c->backends[i].own & (UINT32_C(1) << key)) == 0)
			return false;
	return true;
}

/* The defaults are for managed backends, too; the others get no word of these. */
static void
check_defaults(struct conf_decode *d, const struct conf_yaml_node *defaults, const struct conf *c)
{
	const struct conf_yaml_node *check = conf_yaml_get(defaults, "check");

	if (conf_decode_has(defaults, "balance") && !all_have(c, CONF_POLICY_BALANCE))
		conf_report_warning(&d->report, conf_decode_where(defaults, "balance"),
		    "`balance` has no effect on backends that are not managed: they have it from haproxy.cfg");
	if (conf_decode_has(check, "type") && c->defaults.check.type > CONF_CHECK_OFF &&
	    !all_have(c, CONF_POLICY_CHECK))
		conf_report_warning(&d->report, conf_decode_where(check, "type"),
		    "the check's type has no effect on backends that are not managed: they have it from haproxy.cfg "
		    "(inherit and off do work)");
}

/* Each door has an address of its own. */
static void
check_doors(struct conf_decode *d, const struct conf_yaml_node *root, const struct conf *c)
{
	const struct conf_yaml_node *control = conf_yaml_get(root, "control"), *spoe = conf_yaml_get(root, "spoe");

	if (c->control_readonly.len > 0 && str_eq(c->control_readonly, c->control.address))
		conf_report_fault(&d->report, conf_decode_where(control, "listen"),
		    "`control.listen` is where `control.socket` is already");
	if (!c->has_spoe)
		return;
	if (str_eq(c->spoe.address, c->control.address) || str_eq(c->spoe.address, c->control_readonly))
		conf_report_fault(
		    &d->report, conf_decode_where(spoe, "listen"), "`spoe.listen` is where `control` listens already");
}

void
conf_check_all(struct conf_decode *d, const struct conf_yaml_node *root, const struct conf *c)
{
	const struct conf_yaml_node *haproxy = conf_yaml_get(root, "haproxy"),
				    *managed = conf_yaml_get(haproxy, "managed");

	check_backend_names(d, c);
	check_matched_sources(d, c);
	if (conf_decode_sound(d, managed, "entrypoints") && conf_decode_sound(d, managed, "mode"))
		check_managed(d, c);
	check_defaults(d, conf_yaml_get(root, "defaults"), c);
	check_doors(d, root, c);
}
