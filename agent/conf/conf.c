/*
 * The whole of a configuration: see conf.h.
 *
 * Text becomes a tree (conf_yaml), the tree a struct by tables of keys
 * (conf_decode; a file for each section), and then what the sections say of each
 * other is looked at (conf_check).  Whoever finds something wrong reports it
 * (conf_report) and goes on.
 */
#include "config.h"

#include "conf/conf.h"

#include <inttypes.h>
#include <stdio.h>

#include "conf/conf_backend.h"
#include "conf/conf_check.h"
#include "conf/conf_decode.h"
#include "conf/conf_ecs.h"
#include "conf/conf_haproxy.h"
#include "conf/conf_listen.h"
#include "conf/conf_policy.h"

#define HASH_SIZE 17

static const struct conf_choice level_items[] = {
	{ "error", LOG_ERROR },
	{ "warn", LOG_WARN },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
};
static const struct conf_choices levels = { level_items, CONF_N(level_items) };

static const struct conf_choice format_items[] = {
	{ "auto", CONF_LOG_AUTO },
	{ "text", CONF_LOG_TEXT },
	{ "json", CONF_LOG_JSON },
};
static const struct conf_choices formats = { format_items, CONF_N(format_items) };

static const struct conf_key log_keys[] = {
	{ "level", conf_decode_choice, offsetof(struct conf, log_level), &levels },
	{ "format", conf_decode_choice, offsetof(struct conf, log_format), &formats },
};
static const struct conf_map log_map = { .keys = log_keys, .n = CONF_N(log_keys) };

static void
decode_defaults(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_key section = { .name = key->name, .arg = &conf_policy_map };

	conf_decode_map(d, &section, value, ret);
	(void)conf_policy_note_keys(ret, value);
}

static const struct conf_key root_keys[] = {
	{ "ecs", conf_ecs_decode, 0, NULL },
	{ "haproxy", conf_decode_map, offsetof(struct conf, haproxy), &conf_haproxy_map },
	{ "defaults", decode_defaults, offsetof(struct conf, defaults), NULL },
	{ "backends", conf_backend_decode, 0, NULL }, /* over the defaults, hence after them */
	{ "spoe", conf_listen_decode_spoe, 0, NULL },
	{ "tracing", conf_listen_decode_tracing, 0, NULL },
	{ "control", conf_listen_decode_control, 0, NULL },
	{ "state_dir", conf_decode_text, offsetof(struct conf, state_dir), &conf_shape_path },
	{ "log", conf_decode_map, 0, &log_map },
};

static void
check_root(struct conf_decode *d, const struct conf_yaml_node *root, void *obj)
{
	if (conf_yaml_get(root, "ecs") == NULL)
		conf_ecs_absent(d, obj);
	conf_check_all(d, root, obj);
}

static const struct conf_map root_map = { .keys = root_keys, .n = CONF_N(root_keys), .check = check_root };
static const struct conf_key root_key = { .name = "rollcall.yaml", .arg = &root_map };

static struct conf
builtin(void)
{
	struct conf c = {
		.haproxy = conf_haproxy_builtin(),
		.defaults = conf_policy_builtin(),
		.state_dir = STR("/var/lib/rollcall"),
		.log_level = LOG_INFO,
		.log_format = CONF_LOG_AUTO,
	};

	conf_listen_builtin(&c);
	return c;
}

static void
decode_root(struct conf_decode *d, const struct conf_yaml_node *root, struct conf *c)
{
	if (root->kind == CONF_YAML_MAP)
		conf_decode_map(d, &root_key, root, c);
	else if (root->kind != CONF_YAML_BAD)
		conf_report_fault(&d->report, root->where,
		    "a configuration is a map of sections, such as `ecs:`, `haproxy:` and `backends:`");
}

/* FNV-1a: tells one text from another, and is no secret's guard. */
static bool
put_hash(struct arena *a, struct str text, struct str *ret)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	char hex[HASH_SIZE];

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
	(void)snprintf(hex, sizeof(hex), "%016" PRIx64, hash);
	return arena_str(a, str_from_cstr(hex), ret);
}

static enum err_code
refuse(const struct conf_report *r, struct conf_notes *reterr_faults, struct err *e)
{
	const struct conf_note *first = &r->faults.notes[0];

	*reterr_faults = conf_report_notes(&r->faults);
	if (r->faults.total == 1)
		return err_set(e, ERR_CONF, "line %u, column %u: " STR_FMT, first->where.line, first->where.column,
		    STR_ARG(first->text));
	return err_set(e, ERR_CONF, "%zu faults, the first in line %u, column %u: " STR_FMT, r->faults.total,
	    first->where.line, first->where.column, STR_ARG(first->text));
}

enum err_code
conf_parse(struct arena *a, struct str yaml, const struct env *env, const struct conf **ret,
    struct conf_notes *reterr_faults, struct err *e)
{
	struct conf_decode d = { .arena = a, .env = env, .report = { .arena = a } };
	struct conf *c = ARENA_NEW(a, struct conf);
	const struct conf_yaml_node *root;
	enum err_code code;

	*reterr_faults = (struct conf_notes){ 0 };
	if (c == NULL)
		return err_set(e, ERR_NOMEM, "read the configuration: out of memory");
	*c = builtin();
	code = conf_yaml_parse(a, yaml, env, &d.report, &root, e);
	if (code != ERR_OK)
		return code;
	if (root != NULL)
		decode_root(&d, root, c);
	if (d.report.starved || !put_hash(a, yaml, &c->hash))
		return err_set(e, ERR_NOMEM, "read the configuration: out of memory, or of the room it may take");
	if (d.report.faults.n > 0)
		return refuse(&d.report, reterr_faults, e);
	c->warnings = conf_report_notes(&d.report.warnings);
	*ret = c;
	return ERR_OK;
}
