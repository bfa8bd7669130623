/* Backends: see conf_backend.h. */
#include "config.h"

#include "conf/conf_backend.h"

#include "conf/conf_policy.h"

#define IN(field)       offsetof(struct conf_backend, field)
#define IN_MATCH(field) offsetof(struct conf_match, field)

static const struct conf_range any_priority = { 1, INT32_MAX };

/* A match of nothing but defaults would be one of every task there is. */
static void
check_match(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	(void)obj;
	if (map->n == 0)
		conf_report_fault(&d->report, map->where,
		    "`match` names nothing: {service: NAME}, or {service: \"*\"} if every task is meant");
}

static const struct conf_key match_keys[] = {
	{ "source", conf_decode_text, IN_MATCH(source), &conf_shape_source_glob },
	{ "cluster", conf_decode_text, IN_MATCH(cluster), &conf_shape_cluster_glob },
	{ "service", conf_decode_text, IN_MATCH(service), &conf_shape_service_glob },
	{ "container", conf_decode_text, IN_MATCH(container), &conf_shape_container_glob },
};
static const struct conf_map match_map = { .keys = match_keys, .n = CONF_N(match_keys), .check = check_match };

static const struct conf_key backend_keys[] = {
	{ "name", conf_decode_text, IN(name), &conf_shape_backend },
	{ "match", conf_decode_map, IN(match), &match_map },
	{ "managed", conf_decode_bool, IN(managed), NULL },
	{ "port", conf_decode_port, IN(port), NULL },
	{ "rule", conf_decode_text, IN(rule), &conf_shape_expression },
	{ "entrypoints", conf_decode_list, IN(entrypoints), &conf_shape_entrypoint },
	{ "priority", conf_decode_whole, IN(priority), &any_priority },
};

static void
check_needed(struct conf_decode *d, const struct conf_yaml_node *map, const struct conf_backend *b)
{
	const struct conf_yaml_node *match = conf_yaml_get(map, "match");

	if (conf_yaml_get(map, "name") == NULL)
		conf_report_fault(&d->report, map->where, "a backend needs a `name`: that of a backend in haproxy.cfg");
	if (match != NULL && match->kind != CONF_YAML_NULL)
		return;
	if (b->name.len > 0)
		conf_report_fault(&d->report, map->where,
		    "backend `" STR_FMT "` needs a `match` that says which service it serves: {service: NAME}",
		    STR_ARG(b->name));
	else
		conf_report_fault(&d->report, map->where,
		    "a backend needs a `match` that says which service it serves: {service: NAME}");
}

static void
check_routes(struct conf_decode *d, const struct conf_yaml_node *map, const struct conf_backend *b)
{
	static const char *const routing[] = { "rule", "entrypoints", "priority" };

	if (b->managed || !conf_decode_sound(d, map, "managed"))
		return;
	for (size_t i = 0; i < CONF_N(routing); i++)
		if (conf_decode_has(map, routing[i]))
			conf_report_fault(&d->report, conf_decode_where(map, routing[i]),
			    "`%s` needs `managed: true`: calls reach a backend of haproxy.cfg as haproxy.cfg says",
			    routing[i]);
}

static void
check_tls(struct conf_decode *d, const struct conf_yaml_node *map, const struct conf_backend *b)
{
	static const char *const needing[] = { "tls_verify", "tls_ca_file", "tls_sni" };

	if (b->policy.tls || !conf_decode_sound(d, map, "tls"))
		return;
	for (size_t i = 0; i < CONF_N(needing); i++)
		if (conf_decode_has(map, needing[i]))
			conf_report_fault(
			    &d->report, conf_decode_where(map, needing[i]), "`%s` needs `tls: on`", needing[i]);
}

/* HAProxy takes these of a backend of its own file from that file only. */
static void
check_declared(struct conf_decode *d, const struct conf_yaml_node *map, const struct conf_backend *b)
{
	const struct conf_yaml_node *check = conf_yaml_get(map, "check");

	if (b->managed || !conf_decode_sound(d, map, "managed"))
		return;
	if (conf_decode_has(map, "balance"))
		conf_report_warning(&d->report, conf_decode_where(map, "balance"),
		    "`balance` has no effect on `" STR_FMT "`: a backend that is not managed has it from haproxy.cfg",
		    STR_ARG(b->name));
	if (conf_decode_has(check, "type") && b->policy.check.type > CONF_CHECK_OFF)
		conf_report_warning(&d->report, conf_decode_where(check, "type"),
		    "the check's type has no effect on `" STR_FMT
		    "`: a backend that is not managed has it from haproxy.cfg (inherit and off do work)",
		    STR_ARG(b->name));
}

static void
check_backend(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	struct conf_backend *b = obj;

	b->rule_where = conf_decode_where(map, "rule");
	check_needed(d, map, b);
	check_routes(d, map, b);
	check_tls(d, map, b);
	check_declared(d, map, b);
}

static const struct conf_map backend_map = {
	.keys = backend_keys,
	.n = CONF_N(backend_keys),
	.also = &conf_policy_map,
	.also_offset = IN(policy),
	.check = check_backend,
};
static const struct conf_key backend_key = { .name = "backends", .arg = &backend_map };

static struct conf_backend
backend_builtin(const struct conf_policy *defaults, struct conf_where at)
{
	return (struct conf_backend){
		.where = at,
		.name = STR(""),
		.match = { STR("*"), STR("*"), STR("*"), STR("*") },
		.rule = STR(""),
		.policy = *defaults,
	};
}

static void
decode_backend(struct conf_decode *d, const struct conf_yaml_node *value, struct conf_backend *ret)
{
	if (value->kind == CONF_YAML_NULL) {
		conf_report_fault(&d->report, value->where, "an item of `backends` is empty");
		return;
	}
	conf_decode_map(d, &backend_key, value, ret);
	ret->own = conf_policy_note_keys(&ret->policy, value);
}

void
conf_backend_decode(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct conf_backend *backends;
	struct conf *c = ret;

	if (value->kind == CONF_YAML_NULL)
		return;
	if (value->kind != CONF_YAML_LIST) {
		conf_decode_wrong_kind(d, key, value, "a list: a line with `- name: NAME` begins each backend");
		return;
	}
	backends = ARENA_ARRAY(d->arena, struct conf_backend, value->n);
	if (backends == NULL) {
		d->report.starved = true;
		return;
	}
	c->backends = backends;
	for (const struct conf_yaml_node *child = value->first; child != NULL; child = child->next) {
		struct conf_backend *b = &backends[c->n_backends++];

		*b = backend_builtin(&c->defaults, child->where);
		decode_backend(d, child, b);
	}
}

const struct conf_backend *
conf_backend_by_name(const struct conf *c, struct str name)
{
	for (size_t i = 0; i < c->n_backends; i++)
		if (str_eq(c->backends[i].name, name))
			return &c->backends[i];
	return NULL;
}
