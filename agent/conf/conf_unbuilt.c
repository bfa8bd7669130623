/* What is not part of this version yet: see conf_unbuilt.h.  Whoever builds a
 * feature deletes its line. */
#include "config.h"

#include "conf/conf_unbuilt.h"

#include "conf/conf_scalar.h"

/* When a key asks for what is not there. */
enum asks {
	ASKS_WRITTEN, /* whenever it stands there */
	ASKS_ON,      /* unless it says off, nothing, or "" */
};

static const struct feature {
	/* Goes through lists: each of their items is looked at.  "policy" is `defaults`,
	 * then each of `backends`. */
	const char *path;
	enum asks when;
	const char *instead; /* what happens now */
} features[] = {
	{ "ecs.events", ASKS_ON, "ignored: ECS is polled" },
};

static bool
is_off(struct str text)
{
	bool on = true;
	int64_t ms;

	if (conf_scalar_duration(text, &ms, NULL) == ERR_OK)
		return ms == 0;
	return text.len == 0 || (conf_scalar_bool(text, &on, NULL) == ERR_OK && !on);
}

static bool
is_on(const struct conf_yaml_node *node)
{
	switch (node->kind) {
	case CONF_YAML_SCALAR:
		return !is_off(node->text);
	case CONF_YAML_LIST:
	case CONF_YAML_MAP:
		for (const struct conf_yaml_node *child = node->first; child != NULL; child = child->next)
			if (is_on(child))
				return true;
		return false;
	case CONF_YAML_NULL:
	case CONF_YAML_BAD:
		break;
	}
	return false;
}

static bool
asks(const struct conf_yaml_node *node, enum asks when)
{
	switch (when) {
	case ASKS_WRITTEN:
		return true;
	case ASKS_ON:
		return is_on(node);
	}
	return false;
}

/* The first node at path, or in a list there, that asks. */
static const struct conf_yaml_node *
find(const struct conf_yaml_node *node, struct str path, enum asks when)
{
	const struct conf_yaml_node *hit = NULL;
	struct str rest = path, key;

	if (node->kind == CONF_YAML_LIST && path.ptr != NULL) {
		for (const struct conf_yaml_node *child = node->first; child != NULL && hit == NULL;
		     child = child->next)
			hit = find(child, path, when);
		return hit;
	}
	if (!str_next(&rest, '.', &key))
		return asks(node, when) ? node : NULL;
	for (const struct conf_yaml_node *child = node->first; child != NULL; child = child->next)
		if (str_eq(child->key, key))
			return find(child, rest, when);
	return NULL;
}

static const struct conf_yaml_node *
find_policy(const struct conf_yaml_node *root, struct str key, enum asks when)
{
	static const char *const sections[] = { "defaults", "backends" };
	const struct conf_yaml_node *hit = NULL;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && hit == NULL; i++) {
		const struct conf_yaml_node *section = conf_yaml_get(root, sections[i]);

		if (section != NULL)
			hit = find(section, key, when);
	}
	return hit;
}

void
conf_unbuilt_warn(struct conf_report *r, const struct conf_yaml_node *root)
{
	static const char policy[] = "policy.";

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const struct feature *f = &features[i];
		struct str path = str_from_cstr(f->path);
		bool of_policy = str_has_prefix(path, str_from_cstr(policy));
		const struct conf_yaml_node *node;

		if (of_policy)
			path = str_skip(path, sizeof(policy) - 1);
		node = of_policy ? find_policy(root, path, f->when) : find(root, path, f->when);
		if (node != NULL)
			conf_report_warning(r, node->where, "`" STR_FMT "`: not part of this version yet; %s",
			    STR_ARG(path), f->instead);
	}
}
