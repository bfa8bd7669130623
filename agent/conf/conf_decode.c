/* Nodes to values by tables: see conf_decode.h. */
#include "config.h"

#include "conf/conf_decode.h"

#include "base/buf.h"
#include "conf/conf_scalar.h"
#include "conf/conf_suggest.h"

#define ALLOWED_MAX 800 /* bytes of a list of what is allowed */

void
conf_decode_refuse(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, const char *complaint)
{
	conf_report_fault(
	    &d->report, value->where, "`%s`: `%s` %s", key->name, conf_report_quote(value->raw).text, complaint);
}

void
conf_decode_wrong_kind(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, const char *what)
{
	if (value->kind == CONF_YAML_BAD)
		return; /* said already */
	if (value->kind == CONF_YAML_NULL)
		conf_report_fault(
		    &d->report, value->where, "`%s` has no value: give it one, or leave the key out", key->name);
	else
		conf_report_fault(&d->report, value->where, "`%s` must be %s", key->name, what);
}

bool
conf_decode_scalar(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, struct str *ret)
{
	if (value->kind != CONF_YAML_SCALAR) {
		conf_decode_wrong_kind(d, key, value, "one value, not a list or a map");
		return false;
	}
	*ret = value->text;
	return true;
}

struct conf_where
conf_decode_where(const struct conf_yaml_node *map, const char *key)
{
	const struct conf_yaml_node *value = conf_yaml_get(map, key);

	if (value != NULL)
		return value->where;
	return map->where;
}

bool
conf_decode_has(const struct conf_yaml_node *map, const char *key)
{
	const struct conf_yaml_node *value = conf_yaml_get(map, key);

	if (value == NULL || value->kind == CONF_YAML_NULL)
		return false;
	return value->kind != CONF_YAML_SCALAR || value->text.len > 0;
}

bool
conf_decode_sound(const struct conf_decode *d, const struct conf_yaml_node *map, const char *key)
{
	const struct conf_yaml_node *value = conf_yaml_get(map, key);

	return value == NULL || !conf_report_has_fault(&d->report, value->where);
}

/* ---- maps ---- */

static bool
knows(const struct conf_map *map, struct str name)
{
	for (; map != NULL; map = map->also)
		for (size_t i = 0; i < map->n; i++)
			if (str_eq(name, str_from_cstr(map->keys[i].name)))
				return true;
	return false;
}

static void
list_keys(const struct conf_map *map, struct conf_suggest *near, struct buf *all)
{
	for (; map != NULL; map = map->also) {
		for (size_t i = 0; i < map->n; i++) {
			conf_suggest_offer(near, str_from_cstr(map->keys[i].name));
			buf_printf(all, "%s%s", all->len > 0 ? ", " : "", map->keys[i].name);
		}
	}
}

static void
refuse_key(struct conf_decode *d, const struct conf_map *map, const struct conf_yaml_node *child)
{
	CLEANUP(buf_free) struct buf all = buf_make(ALLOWED_MAX);
	struct conf_suggest near = conf_suggest_make(child->key);
	struct conf_report_quote shown = conf_report_quote_key(child->key);

	list_keys(map, &near, &all);
	if (near.best.len > 0)
		conf_report_fault(&d->report, child->key_where, "unknown key `%s`, did you mean `" STR_FMT "`?",
		    shown.text, STR_ARG(near.best));
	else
		conf_report_fault(&d->report, child->key_where, "unknown key `%s`; known here: " STR_FMT, shown.text,
		    STR_ARG(buf_str(&all)));
}

static void
decode_known(struct conf_decode *d, const struct conf_map *map, const struct conf_yaml_node *value, void *obj)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct conf_key *key = &map->keys[i];
		const struct conf_yaml_node *child = conf_yaml_get(value, key->name);

		if (child != NULL)
			key->decode(d, key, child, (unsigned char *)obj + key->offset);
	}
	if (map->also != NULL)
		decode_known(d, map->also, value, (unsigned char *)obj + map->also_offset);
}

void
conf_decode_map(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_map *map = key->arg;

	if (value->kind == CONF_YAML_NULL)
		return;
	if (value->kind != CONF_YAML_MAP) {
		conf_decode_wrong_kind(d, key, value, "a map: `key: value`, with a blank after the `:`");
		return;
	}
	for (const struct conf_yaml_node *child = value->first; child != NULL; child = child->next)
		if (!knows(map, child->key))
			refuse_key(d, map, child);
	decode_known(d, map, value, ret);
	if (map->check != NULL)
		map->check(d, value, ret);
}

/* ---- texts ---- */

static bool
take_text(struct conf_decode *d, const struct conf_key *key, const struct conf_shape *shape,
    const struct conf_yaml_node *value, struct str *ret)
{
	struct str text;

	if (!conf_decode_scalar(d, key, value, &text))
		return false;
	if ((text.len == 0 && shape->may_be_empty) || (text.len > 0 && shape->is(text))) {
		*ret = text;
		return true;
	}
	if (text.len == 0)
		conf_report_fault(&d->report, value->where, "`%s` is empty: it wants %s", key->name, shape->wants);
	else if (shape->secret)
		conf_report_fault(&d->report, value->where, "`%s`: what is given is not %s", key->name, shape->wants);
	else
		conf_report_fault(&d->report, value->where, "`%s`: `%s` is not %s", key->name,
		    conf_report_quote(value->raw).text, shape->wants);
	return false;
}

void
conf_decode_text(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	(void)take_text(d, key, key->arg, value, ret);
}

void
conf_decode_list(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct conf_list *list = ret;
	struct str *items;
	size_t n = 0;

	if (value->kind != CONF_YAML_LIST) {
		conf_decode_wrong_kind(d, key, value, "a list: [...], or a line with `-` for each item");
		return;
	}
	items = ARENA_ARRAY(d->arena, struct str, value->n);
	if (items == NULL) {
		d->report.starved = true;
		return;
	}
	for (const struct conf_yaml_node *child = value->first; child != NULL; child = child->next)
		n += take_text(d, key, key->arg, child, &items[n]);
	*list = (struct conf_list){ .items = items, .n = n };
}

static bool
take_pair(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *child, struct conf_pair *ret)
{
	const struct conf_shape *const *shapes = key->arg;

	if (!shapes[0]->is(child->key)) {
		conf_report_fault(&d->report, child->key_where, "`%s`: `%s` is not %s", key->name,
		    conf_report_quote_key(child->key).text, shapes[0]->wants);
		return false;
	}
	ret->name = child->key;
	return take_text(d, key, shapes[1], child, &ret->value);
}

void
conf_decode_pairs(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct conf_pairs *pairs = ret;
	struct conf_pair *items;
	size_t n = 0;

	if (value->kind != CONF_YAML_MAP) {
		conf_decode_wrong_kind(d, key, value, "a map of names and values");
		return;
	}
	items = ARENA_ARRAY(d->arena, struct conf_pair, value->n);
	if (items == NULL) {
		d->report.starved = true;
		return;
	}
	for (const struct conf_yaml_node *child = value->first; child != NULL; child = child->next)
		n += take_pair(d, key, child, &items[n]);
	*pairs = (struct conf_pairs){ .items = items, .n = n };
}

static bool
takes(const struct conf_address *rule, const struct conf_scalar_address *address)
{
	switch (address->kind) {
	case CONF_SCALAR_PATH:
		return rule->path;
	case CONF_SCALAR_ABNS:
		return rule->abns;
	case CONF_SCALAR_TCP:
		return rule->tcp;
	case CONF_SCALAR_LOOPBACK:
		return rule->tcp || rule->loopback;
	}
	return false;
}

static bool
is_unquoted(struct str s)
{
	size_t at;

	return str_is_printable(s) && !str_find(s, ' ', &at);
}

void
conf_decode_address(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_address *rule = key->arg;
	struct conf_scalar_address address;
	struct str text, *place = ret;

	if (!conf_decode_scalar(d, key, value, &text))
		return;
	if (text.len == 0 ? rule->may_be_empty
			  : is_unquoted(text) && conf_scalar_address(text, &address) && takes(rule, &address))
		*place = text;
	else
		conf_report_fault(&d->report, value->where, "`%s`: `%s` is not %s", key->name,
		    conf_report_quote(value->raw).text, rule->wants);
}

/* ---- numbers and words ---- */

void
conf_decode_bool(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct err e = ERR_INIT;
	struct str text;

	if (conf_decode_scalar(d, key, value, &text) && conf_scalar_bool(text, ret, &e) != ERR_OK)
		conf_decode_refuse(d, key, value, e.msg);
}

static void
refuse_choice(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, struct str text)
{
	CLEANUP(buf_free) struct buf why = buf_make(ALLOWED_MAX);
	const struct conf_choices *choices = key->arg;
	struct conf_suggest near = conf_suggest_make(text);

	buf_put(&why, STR("is not one of "));
	for (size_t i = 0; i < choices->n; i++) {
		conf_suggest_offer(&near, str_from_cstr(choices->items[i].name));
		buf_printf(&why, "%s%s", i > 0 ? ", " : "", choices->items[i].name);
	}
	if (near.best.len > 0)
		buf_printf(&why, "; did you mean `" STR_FMT "`?", STR_ARG(near.best));
	buf_put_u8(&why, '\0');
	conf_decode_refuse(d, key, value, buf_failed(&why, NULL) == ERR_OK ? (const char *)why.ptr : "is not known");
}

/* An enum without negative values is an unsigned to gcc and clang, and is filled as one. */
void
conf_decode_choice(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_choices *choices = key->arg;
	unsigned *place = ret;
	struct str text;

	_Static_assert(sizeof(enum conf_check_type) == sizeof(unsigned), "not with -fshort-enums");
	if (!conf_decode_scalar(d, key, value, &text))
		return;
	for (size_t i = 0; i < choices->n; i++) {
		if (str_eq(text, str_from_cstr(choices->items[i].name))) {
			*place = choices->items[i].value;
			return;
		}
	}
	refuse_choice(d, key, value, text);
}

void
conf_decode_duration(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	char min[CONF_SCALAR_DURATION_SIZE], max[CONF_SCALAR_DURATION_SIZE];
	const struct conf_span *span = key->arg;
	struct err e = ERR_INIT;
	int64_t ms, *place = ret;
	struct str text;

	if (!conf_decode_scalar(d, key, value, &text))
		return;
	if (conf_scalar_duration(text, &ms, &e) != ERR_OK) {
		conf_decode_refuse(d, key, value, e.msg);
	} else if (ms < span->min_ms || ms > span->max_ms) {
		conf_scalar_put_duration(span->min_ms, min);
		conf_scalar_put_duration(span->max_ms, max);
		conf_report_fault(&d->report, value->where, "`%s`: `%s` is not from %s to %s", key->name,
		    conf_report_quote(value->raw).text, min, max);
	} else {
		*place = ms;
	}
}

void
conf_decode_whole(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_range *range = key->arg;
	struct err e = ERR_INIT;
	struct str text;

	if (conf_decode_scalar(d, key, value, &text) &&
	    conf_scalar_whole(text, range->min, range->max, ret, &e) != ERR_OK)
		conf_decode_refuse(d, key, value, e.msg);
}

void
conf_decode_percent(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct err e = ERR_INIT;
	struct str text;

	if (conf_decode_scalar(d, key, value, &text) && conf_scalar_percent(text, ret, &e) != ERR_OK)
		conf_decode_refuse(d, key, value, e.msg);
}

void
conf_decode_decimal(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_decimals *rule = key->arg;
	struct err e = ERR_INIT;
	struct str text;

	if (conf_decode_scalar(d, key, value, &text) &&
	    conf_scalar_decimal(text, rule->decimals, rule->min, rule->max, ret, &e) != ERR_OK)
		conf_decode_refuse(d, key, value, e.msg);
}

void
conf_decode_port(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct err e = ERR_INIT;
	uint16_t *place = ret;
	struct str text;
	unsigned port;

	if (!conf_decode_scalar(d, key, value, &text))
		return;
	if (conf_scalar_whole(text, 1, UINT16_MAX, &port, &e) != ERR_OK)
		conf_decode_refuse(d, key, value, e.msg);
	else
		*place = (uint16_t)port;
}

void
conf_decode_mode(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct err e = ERR_INIT;
	struct str text;

	if (conf_decode_scalar(d, key, value, &text) && conf_scalar_mode(text, ret, &e) != ERR_OK)
		conf_decode_refuse(d, key, value, e.msg);
}
