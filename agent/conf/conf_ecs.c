/* Sources of tasks: see conf_ecs.h. */
#include "config.h"

#include "conf/conf_ecs.h"

#define IN(field) offsetof(struct conf_source, field)

#define DAY_MS      INT64_C(86400000)
#define SOURCES_MAX 100

static const struct conf_span poll_time = { 10, DAY_MS };
static const struct conf_decimals any_rate = { .decimals = 3, .min = 1, .max = 1000000000 };

static bool
is_dialect(struct str s)
{
	return str_eq(s, STR("rollcall")) || str_eq(s, STR("traefik"));
}

static const struct conf_shape dialect = { .is = is_dialect, .wants = "one of rollcall, traefik" };

static void
check_events(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	(void)obj;
	if (conf_decode_has(map, "queue") && conf_decode_has(map, "topic"))
		conf_report_fault(&d->report, conf_decode_where(map, "topic"),
		    "`queue` and `topic` are both given: events come from a queue, or from a topic to which a queue is "
		    "subscribed");
}

static const struct conf_key events_keys[] = {
	{ "queue", conf_decode_text, IN(events_queue), &conf_shape_url },
	{ "topic", conf_decode_text, IN(events_topic), &conf_shape_topic_arn },
};
static const struct conf_map events_map = { .keys = events_keys, .n = CONF_N(events_keys), .check = check_events };

static const struct conf_key source_keys[] = {
	{ "name", conf_decode_text, IN(name), &conf_shape_source_name },
	{ "region", conf_decode_text, IN(region), &conf_shape_region },
	{ "clusters", conf_decode_list, IN(clusters), &conf_shape_cluster },
	{ "services", conf_decode_list, IN(services), &conf_shape_service_glob },
	{ "expose_by_default", conf_decode_bool, IN(expose_by_default), NULL },
	{ "constraints", conf_decode_text, IN(constraints), &conf_shape_expression },
	{ "labels", conf_decode_list, IN(labels), &dialect },
	{ "require_healthy", conf_decode_bool, IN(require_healthy), NULL },
	{ "watch", conf_decode_duration, IN(watch_ms), &poll_time },
	{ "refresh", conf_decode_duration, IN(refresh_ms), &poll_time },
	{ "rate_limit", conf_decode_decimal, IN(rate_limit_milli), &any_rate },
	{ "endpoint", conf_decode_text, IN(endpoint), &conf_shape_url },
	{ "access_key_id", conf_decode_text, IN(access_key_id), &conf_shape_secret },
	{ "secret_access_key", conf_decode_text, IN(secret_access_key), &conf_shape_secret },
	{ "session_token", conf_decode_text, IN(session_token), &conf_shape_secret },
	{ "profile", conf_decode_text, IN(profile), &conf_shape_profile },
	{ "role_arn", conf_decode_text, IN(role_arn), &conf_shape_role_arn },
	{ "external_id", conf_decode_text, IN(external_id), &conf_shape_external_id },
	{ "events", conf_decode_map, 0, &events_map },
};

/* One of them given, and what it cannot be given with or without. */
static void
check_keys(struct conf_decode *d, const struct conf_yaml_node *map)
{
	struct conf_report *r = &d->report;
	bool id = conf_decode_has(map, "access_key_id"), secret = conf_decode_has(map, "secret_access_key");

	if (id && !secret)
		conf_report_fault(
		    r, conf_decode_where(map, "access_key_id"), "`access_key_id` needs `secret_access_key` beside it");
	if (secret && !id)
		conf_report_fault(r, conf_decode_where(map, "secret_access_key"),
		    "`secret_access_key` needs `access_key_id` beside it");
	if (conf_decode_has(map, "session_token") && !id && !secret)
		conf_report_fault(r, conf_decode_where(map, "session_token"),
		    "`session_token` needs `access_key_id` and `secret_access_key` beside it");
	if ((id || secret) && conf_decode_has(map, "profile"))
		conf_report_fault(r, conf_decode_where(map, "profile"),
		    "`profile` and `access_key_id` are both given: one key is enough");
	if (conf_decode_has(map, "external_id") && !conf_decode_has(map, "role_arn"))
		conf_report_fault(
		    r, conf_decode_where(map, "external_id"), "`external_id` says nothing without `role_arn`");
}

static bool
is_earlier(struct conf_list list, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (str_eq(list.items[i], list.items[at]))
			return true;
	return false;
}

static void
check_clusters(struct conf_decode *d, const struct conf_yaml_node *map, const struct conf_source *s)
{
	struct conf_where at = conf_decode_where(map, "clusters");

	for (size_t i = 0; i < s->clusters.n; i++) {
		struct str cluster = s->clusters.items[i], region = conf_shape_arn_region(cluster);

		if (is_earlier(s->clusters, i))
			conf_report_fault(
			    &d->report, at, "`clusters` names `%s` twice", conf_report_quote(cluster).text);
		if (region.len > 0 && s->region.len > 0 && !str_eq(region, s->region))
			conf_report_warning(&d->report, at,
			    "the ARN of a cluster here is of the region " STR_FMT ", and `region` is " STR_FMT,
			    STR_ARG(region), STR_ARG(s->region));
	}
}

/* False: what is called `from` holds another thing than a region, and that is said. */
static bool
take_region(struct conf_decode *d, struct conf_source *s, const char *text, const char *from)
{
	struct str value = str_from_cstr(text);

	if (value.len == 0)
		return true;
	if (!conf_shape_region.is(value)) {
		conf_report_fault(&d->report, s->where, "`%s` does not hold %s", from, conf_shape_region.wants);
		return false;
	}
	if (!arena_str(d->arena, value, &s->region))
		d->report.starved = true;
	return !d->report.starved;
}

/* The text leaves the region out: the environment may know it, or the machine. */
static void
resolve_region(struct conf_decode *d, struct conf_source *s)
{
	static const char *const names[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };

	for (size_t i = 0; i < CONF_N(names) && s->region.len == 0; i++)
		if (!take_region(d, s, env_get(d->env, names[i]), names[i]))
			return;
	if (s->region.len == 0 && d->env->region != NULL &&
	    !take_region(d, s, d->env->region(d->env->arg, s->profile), "region of the profile"))
		return;
	if (s->region.len == 0)
		conf_report_fault(
		    &d->report, s->where, "no region: give `region` in `ecs`, or set AWS_REGION in the environment");
}

/* The sources are named by their regions unless they have names. */
static void
complete(struct conf_decode *d, struct conf_source *s)
{
	if (s->region.len == 0 && !d->env->needs_no_region)
		resolve_region(d, s);
	if (s->name.len == 0)
		s->name = s->region;
}

static void
check_source(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	struct conf_source *s = obj;

	s->constraints_where = conf_decode_where(map, "constraints");
	if (!conf_decode_has(map, "watch") && s->watch_ms > s->refresh_ms)
		s->watch_ms = s->refresh_ms;
	if (conf_decode_sound(d, map, "region"))
		complete(d, s);
	check_keys(d, map);
	check_clusters(d, map, s);
	if (s->watch_ms > s->refresh_ms && conf_decode_sound(d, map, "watch") && conf_decode_sound(d, map, "refresh"))
		conf_report_fault(&d->report, conf_decode_where(map, "watch"),
		    "`watch` is longer than `refresh`: the short look would come after the full one");
}

static const struct conf_map source_map = { .keys = source_keys, .n = CONF_N(source_keys), .check = check_source };
static const struct conf_key source_key = { .name = "ecs", .arg = &source_map };

static struct conf_source
source_builtin(struct conf_where at)
{
	static const struct str any[] = { { "*", 1 } };
	static const struct str dialects[] = { { "rollcall", 8 }, { "traefik", 7 } };

	return (struct conf_source){
		.where = at,
		.services = { any, CONF_N(any) },
		.labels = { dialects, CONF_N(dialects) },
		.watch_ms = 2000,
		.refresh_ms = 15000,
		.rate_limit_milli = 2000,
	};
}

/* Two sources of one name are told apart by nothing. */
static void
check_names(struct conf_decode *d, const struct conf *c)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		for (size_t j = 0; j < i && c->sources[i].name.len > 0; j++) {
			if (!str_eq(c->sources[i].name, c->sources[j].name))
				continue;
			conf_report_fault(&d->report, c->sources[i].where,
			    "two `ecs` sources are called `" STR_FMT "`, the other on line %u: give each a `name`",
			    STR_ARG(c->sources[i].name), c->sources[j].where.line);
			break;
		}
	}
}

/* value null: the section is absent. */
static void
decode_source(struct conf_decode *d, const struct conf_yaml_node *value, struct conf_source *ret)
{
	struct conf_where nowhere = { 1, 1 };

	*ret = source_builtin(value != NULL ? value->where : nowhere);
	if (value != NULL && value->kind != CONF_YAML_NULL)
		conf_decode_map(d, &source_key, value, ret);
	else
		complete(d, ret);
}

static struct conf_source *
new_sources(struct conf_decode *d, struct conf *c, size_t n)
{
	struct conf_source *sources = ARENA_ARRAY(d->arena, struct conf_source, n);

	c->sources = sources;
	c->n_sources = sources != NULL ? n : 0;
	if (sources == NULL)
		d->report.starved = true;
	return sources;
}

static void
decode_list(struct conf_decode *d, const struct conf_yaml_node *list, struct conf *c)
{
	struct conf_source *sources;
	size_t i = 0;

	if (list->n == 0 || list->n > SOURCES_MAX) {
		conf_report_fault(
		    &d->report, list->where, "`ecs` lists %zu sources: from 1 to %d are taken", list->n, SOURCES_MAX);
		return;
	}
	sources = new_sources(d, c, list->n);
	if (sources == NULL)
		return;
	for (const struct conf_yaml_node *child = list->first; child != NULL; child = child->next) {
		if (child->kind == CONF_YAML_NULL)
			conf_report_fault(&d->report, child->where, "an item of `ecs` is empty");
		else
			decode_source(d, child, &sources[i]);
		i++;
	}
	check_names(d, c);
}

void
conf_ecs_decode(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct conf_source *source;

	(void)key;
	if (value->kind == CONF_YAML_LIST) {
		decode_list(d, value, ret);
		return;
	}
	source = new_sources(d, ret, 1);
	if (source != NULL)
		decode_source(d, value, source);
}

void
conf_ecs_absent(struct conf_decode *d, struct conf *c)
{
	struct conf_source *source = new_sources(d, c, 1);

	if (source != NULL)
		decode_source(d, NULL, source);
}
