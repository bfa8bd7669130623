/* YAML text to nodes: see conf_yaml.h. */
#include "config.h"

#include "conf/conf_yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/utf8.h"
#include "conf/conf_expand.h"
#include "conf/conf_yaml_fault.h"

struct builder {
	yaml_parser_t parser;
	struct arena *arena;
	const struct env *env;
	struct conf_report *report;
	size_t nodes;
	struct str text;
	/* Why nothing more can be read: ERR_CONF, and that is reported, or ERR_NOMEM. */
	enum err_code stopped;
};

static struct conf_where
where_of(yaml_mark_t mark)
{
	return (struct conf_where){ .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1 };
}

static bool
stop(struct builder *b, enum err_code why)
{
	b->stopped = why;
	return false;
}

/* The text holds keys, and so do libyaml's copies of it. */
static void
end_event(yaml_event_t *ev)
{
	if (ev->type == YAML_SCALAR_EVENT)
		explicit_bzero(ev->data.scalar.value, ev->data.scalar.length);
	yaml_event_delete(ev);
}

static void
end_parser(yaml_parser_t *p)
{
	if (p->raw_buffer.start != NULL)
		explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	if (p->buffer.start != NULL)
		explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
	yaml_parser_delete(p);
}

static bool
take_event(struct builder *b, yaml_event_t *ret)
{
	if (yaml_parser_parse(&b->parser, ret) != 0)
		return true;
	if (b->parser.error == YAML_MEMORY_ERROR)
		return stop(b, ERR_NOMEM);
	conf_yaml_fault_syntax(b->report, b->text,
	    &(struct conf_yaml_fault){
		.problem = b->parser.problem,
		.context = b->parser.context,
		.at = where_of(b->parser.problem_mark),
		.context_at = where_of(b->parser.context_mark),
	    });
	return stop(b, ERR_CONF);
}

static bool
new_node(struct builder *b, const yaml_event_t *ev, enum conf_yaml_kind kind, struct conf_yaml_node **ret)
{
	struct conf_where at = where_of(ev->start_mark);
	struct conf_yaml_node *node;

	if (++b->nodes > CONF_YAML_NODES_MAX) {
		conf_report_fault(b->report, at, "more than %zu values in one file", CONF_YAML_NODES_MAX);
		return stop(b, ERR_CONF);
	}
	node = ARENA_NEW(b->arena, struct conf_yaml_node);
	if (node == NULL)
		return stop(b, ERR_NOMEM);
	node->kind = kind;
	node->where = at;
	*ret = node;
	return true;
}

static void
spoil(struct builder *b, struct conf_yaml_node *node, const char *why)
{
	conf_report_fault(b->report, node->where, "%s", why);
	node->kind = CONF_YAML_BAD;
}

static void
refuse_properties(struct builder *b, struct conf_yaml_node *node, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		spoil(b, node,
		    "anchors (`&`) and aliases (`*`) are not taken here: write the value out; a text that begins "
		    "with `&` or `*` needs quotes");
	else if (tag != NULL)
		spoil(b, node, "tags (`!`) are not taken here: a text that begins with `!` needs quotes");
}

static bool
is_null(const yaml_event_t *ev, struct str text)
{
	if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return text.len == 0 || str_eq(text, STR("~")) || str_eq(text, STR("null")) || str_eq(text, STR("Null")) ||
	       str_eq(text, STR("NULL"));
}

static bool
is_one_line_of_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	return utf8_is_valid(s);
}

/* The line break that ends a block scalar belongs to the file, not to the value. */
static struct str
scalar_text(const yaml_event_t *ev)
{
	struct str s = str_of(ev->data.scalar.value, ev->data.scalar.length);

	if (ev->data.scalar.style == YAML_LITERAL_SCALAR_STYLE || ev->data.scalar.style == YAML_FOLDED_SCALAR_STYLE)
		while (str_has_suffix(s, STR("\n")))
			s.len--;
	return s;
}

static bool
expand(struct builder *b, struct conf_yaml_node *node)
{
	struct err why = ERR_INIT;
	enum err_code code = conf_expand(b->arena, node->raw, b->env, &node->text, &why);

	if (code == ERR_NOMEM)
		return stop(b, ERR_NOMEM);
	if (code != ERR_OK)
		spoil(b, node, why.msg);
	else if (!is_one_line_of_text(node->text))
		spoil(b, node, "a value is one line of UTF-8 text, without control characters");
	return true;
}

static bool
read_scalar(struct builder *b, const yaml_event_t *ev, struct conf_yaml_node *node)
{
	struct str text = scalar_text(ev);

	refuse_properties(b, node, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (node->kind == CONF_YAML_BAD)
		return true;
	if (is_null(ev, text)) {
		node->kind = CONF_YAML_NULL;
		return true;
	}
	if (!arena_str(b->arena, text, &node->raw))
		return stop(b, ERR_NOMEM);
	return expand(b, node);
}

static void
append(struct conf_yaml_node *parent, struct conf_yaml_node **last, struct conf_yaml_node *child)
{
	if (*last == NULL)
		parent->first = child;
	else
		(*last)->next = child;
	*last = child;
	parent->n++;
}

static bool read_node(struct builder *b, const yaml_event_t *ev, unsigned depth, struct conf_yaml_node **ret);

static bool
read_list(struct builder *b, struct conf_yaml_node *list, unsigned depth)
{
	struct conf_yaml_node *last = NULL, *child = NULL;

	for (;;) {
		CLEANUP(end_event) yaml_event_t ev = { 0 };

		if (!take_event(b, &ev))
			return false;
		if (ev.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (!read_node(b, &ev, depth, &child))
			return false;
		append(list, &last, child);
		if (list->n > CONF_YAML_LIST_MAX) {
			conf_report_fault(
			    b->report, child->where, "more than %zu items in one list", CONF_YAML_LIST_MAX);
			return stop(b, ERR_CONF);
		}
	}
}

/* A key's text and place; where it can't be a key that is reported, and *ret_ok is false. */
static bool
read_key(struct builder *b, const yaml_event_t *ev, unsigned depth, struct conf_yaml_node *ret, bool *ret_ok)
{
	struct conf_yaml_node *complex = NULL;

	*ret = (struct conf_yaml_node){ .where = where_of(ev->start_mark) };
	*ret_ok = false;
	if (ev->type != YAML_SCALAR_EVENT) {
		if (ev->type != YAML_ALIAS_EVENT)
			conf_report_fault(b->report, ret->where, "a key is one word, not a list or a map");
		return read_node(b, ev, depth, &complex);
	}
	refuse_properties(b, ret, ev->data.scalar.anchor, ev->data.scalar.tag);
	*ret_ok = ret->kind != CONF_YAML_BAD;
	if (!arena_str(b->arena, scalar_text(ev), &ret->text))
		return stop(b, ERR_NOMEM);
	return true;
}

static const struct conf_yaml_node *
find(const struct conf_yaml_node *map, struct str key)
{
	for (const struct conf_yaml_node *child = map->first; child != NULL; child = child->next)
		if (str_eq(child->key, key))
			return child;
	return NULL;
}

static bool
add_entry(struct builder *b, struct conf_yaml_node *map, struct conf_yaml_node **last, const struct conf_yaml_node *key,
    struct conf_yaml_node *value)
{
	const struct conf_yaml_node *twin = find(map, key->text);

	if (twin != NULL) {
		conf_report_fault(b->report, key->where, "`%s` stands twice in one map, first on line %u",
		    conf_report_quote_key(key->text).text, twin->key_where.line);
		return true;
	}
	value->key = key->text;
	value->key_where = key->where;
	if (value->kind == CONF_YAML_NULL)
		value->where = key->where;
	append(map, last, value);
	if (map->n <= CONF_YAML_MAP_MAX)
		return true;
	conf_report_fault(b->report, key->where, "more than %zu keys in one map", CONF_YAML_MAP_MAX);
	return stop(b, ERR_CONF);
}

static bool
read_map(struct builder *b, struct conf_yaml_node *map, unsigned depth)
{
	struct conf_yaml_node *last = NULL, *value = NULL, key;
	bool ok;

	for (;;) {
		CLEANUP(end_event) yaml_event_t key_ev = { 0 };
		CLEANUP(end_event) yaml_event_t value_ev = { 0 };

		if (!take_event(b, &key_ev))
			return false;
		if (key_ev.type == YAML_MAPPING_END_EVENT)
			return true;
		if (!read_key(b, &key_ev, depth, &key, &ok) || !take_event(b, &value_ev) ||
		    !read_node(b, &value_ev, depth, &value))
			return false;
		if (ok && !add_entry(b, map, &last, &key, value))
			return false;
	}
}

static bool
enter(struct builder *b, const struct conf_yaml_node *node, unsigned depth)
{
	if (depth < CONF_YAML_DEPTH_MAX)
		return true;
	conf_report_fault(
	    b->report, node->where, "lists and maps stand in one another more than %d deep", CONF_YAML_DEPTH_MAX);
	return stop(b, ERR_CONF);
}

/* ev is the node's first event, depth the number of lists and maps around it. */
static bool
read_node(struct builder *b, const yaml_event_t *ev, unsigned depth, struct conf_yaml_node **ret)
{
	struct conf_yaml_node *node;

	if (!new_node(b, ev, CONF_YAML_SCALAR, &node))
		return false;
	*ret = node;
	if (ev->type == YAML_SEQUENCE_START_EVENT) {
		node->kind = CONF_YAML_LIST;
		refuse_properties(b, node, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
		return enter(b, node, depth) && read_list(b, node, depth + 1);
	}
	if (ev->type == YAML_MAPPING_START_EVENT) {
		node->kind = CONF_YAML_MAP;
		refuse_properties(b, node, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
		return enter(b, node, depth) && read_map(b, node, depth + 1);
	}
	if (ev->type == YAML_SCALAR_EVENT)
		return read_scalar(b, ev, node);
	/* An alias: between documents no other event comes here. */
	refuse_properties(b, node, ev->data.alias.anchor, NULL);
	return true;
}

/* Takes an event that carries nothing. */
static bool
skip_event(struct builder *b, yaml_event_type_t *ret_type, struct conf_where *ret_at)
{
	CLEANUP(end_event) yaml_event_t ev = { 0 };

	if (!take_event(b, &ev))
		return false;
	*ret_type = ev.type;
	*ret_at = where_of(ev.start_mark);
	return true;
}

static bool
read_document(struct builder *b, struct conf_yaml_node **ret)
{
	CLEANUP(end_event) yaml_event_t ev = { 0 };
	yaml_event_type_t type;
	struct conf_where at;

	if (!take_event(b, &ev) || !read_node(b, &ev, 0, ret))
		return false;
	if (!skip_event(b, &type, &at)) /* the document's end */
		return false;
	if (!skip_event(b, &type, &at) || type == YAML_STREAM_END_EVENT)
		return b->stopped == ERR_OK;
	conf_report_fault(b->report, at, "a second document begins here; a configuration is one");
	return stop(b, ERR_CONF);
}

static bool
read_stream(struct builder *b, struct conf_yaml_node **ret)
{
	yaml_event_type_t type;
	struct conf_where at;

	if (!skip_event(b, &type, &at)) /* the stream's start */
		return false;
	if (!skip_event(b, &type, &at) || type == YAML_STREAM_END_EVENT)
		return b->stopped == ERR_OK; /* nothing but comments */
	return read_document(b, ret);
}

enum err_code
conf_yaml_parse(struct arena *a, struct str text, const struct env *env, struct conf_report *r,
    const struct conf_yaml_node **ret_root, struct err *e)
{
	struct builder b = { .arena = a, .env = env, .report = r, .text = text };
	struct conf_yaml_node *root = NULL;

	*ret_root = NULL;
	if (!conf_yaml_fault_bytes(r, text))
		return ERR_OK;
	if (yaml_parser_initialize(&b.parser) == 0)
		return err_set(e, ERR_NOMEM, "parse the configuration: out of memory");
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	/* libyaml asserts that there is a text, of whatever length. */
	yaml_parser_set_input_string(&b.parser, (const yaml_char_t *)(text.ptr == NULL ? "" : text.ptr), text.len);
	(void)read_stream(&b, &root);
	end_parser(&b.parser);
	if (b.stopped == ERR_NOMEM)
		return err_set(e, ERR_NOMEM, "parse the configuration: out of memory");
	if (b.stopped == ERR_OK && (root == NULL || root->kind == CONF_YAML_NULL))
		conf_report_fault(r, (struct conf_where){ 1, 1 },
		    "nothing is configured here: `ecs`, `haproxy` and `backends` say what to watch, where HAProxy is "
		    "reached, and which services it serves (`{}` takes every default)");
	else if (b.stopped == ERR_OK)
		*ret_root = root;
	return ERR_OK;
}

const struct conf_yaml_node *
conf_yaml_get(const struct conf_yaml_node *map, const char *key)
{
	if (map == NULL || map->kind != CONF_YAML_MAP)
		return NULL;
	return find(map, str_from_cstr(key));
}
