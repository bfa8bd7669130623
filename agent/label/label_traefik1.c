/*
 * Traefik v1's labels: traefik.KEY, and traefik.SEGMENT.KEY for several ports of one
 * container.
 */
#include "config.h"

#include "label/label_reader.h"
#include "label/label_text.h"

static void
read_protocol(struct label_reader *r, struct label_endpoint_draft *d, struct str label, struct str value)
{
	struct str protocol = str_trim(value);

	if (label_text_same(protocol, STR("h2c"))) {
		label_reader_set(r, d, label, "proto", STR("h2"));
	} else if (label_text_same(protocol, STR("http"))) {
		label_reader_set(r, d, label, "proto", STR("h1"));
	} else if (label_text_same(protocol, STR("https"))) {
		label_reader_set(r, d, label, "proto", STR("h2"));
		label_reader_set(r, d, label, "tls", STR("true"));
	} else {
		label_reader_bad(r, label, "it is not one of http, https, h2c", &d->refusal);
	}
}

static void
read_method(struct label_reader *r, struct label_endpoint_draft *d, struct str label, struct str value)
{
	struct str method = str_trim(value);

	if (label_text_same(method, STR("wrr"))) {
		label_reader_set(r, d, label, "balance", STR("roundrobin"));
	} else if (label_text_same(method, STR("drr"))) {
		label_reader_set(r, d, label, "balance", STR("leastconn"));
		label_reader_note(r, label, LABEL_IGNORED, "taken as leastconn, which is nearest to drr");
	} else {
		label_reader_bad(r, label, "it is neither wrr nor drr", &d->refusal);
	}
}

/* frontend.KEY: what is not known may restrict. */
static void
read_frontend(struct label_reader *r, struct label_endpoint_draft *d, const struct label_name *name, struct str value)
{
	struct label_text_ref ref = { .label = name->full, .value = value };
	struct label_router_draft *router = label_reader_router(r, d);

	if (router == NULL)
		return;
	if (label_name_is(name, "rule"))
		router->rule = ref;
	else if (label_name_is(name, "entrypoints"))
		router->entrypoints = ref;
	else if (label_name_is(name, "priority"))
		label_reader_priority(r, router, name->full, value);
	else if (label_name_is(name, "passhostheader"))
		label_reader_note(r, name->full, LABEL_IGNORED, "HAProxy leaves the host as it is");
	else if (label_text_has_prefix(name->rest, STR("errors.")))
		label_reader_note(r, name->full, LABEL_IGNORED, "error answers are those of haproxy.cfg");
	else
		label_reader_unhonoured(r, name->full, "what it does belongs into haproxy.cfg", &router->refusal);
}

static void
read_backend(struct label_reader *r, struct label_endpoint_draft *d, const struct label_name *name, struct str value)
{
	if (label_name_is(name, "loadbalancer.method"))
		read_method(r, d, name->full, value);
	else if (label_name_is(name, "maxconn.amount"))
		label_reader_set(r, d, name->full, "maxconn", value);
	else if (label_name_is(name, "healthcheck.path"))
		label_reader_set(r, d, name->full, "check.path", value);
	else if (label_name_is(name, "healthcheck.interval"))
		label_reader_set(r, d, name->full, "check.inter", value);
	else if (label_name_is(name, "healthcheck.timeout"))
		label_reader_set(r, d, name->full, "check.timeout", value);
	else
		label_reader_note(r, name->full, LABEL_IGNORED, "HAProxy does it in another way, or not at all");
}

/* False: v1 has no such key. */
static bool
read_key(struct label_reader *r, struct label_endpoint_draft *d, struct label_name name, struct str value)
{
	if (label_name_skip(&name, "frontend."))
		read_frontend(r, d, &name, value);
	else if (label_name_is(&name, "backend"))
		label_reader_set(r, d, name.full, "backend", value);
	else if (label_name_skip(&name, "backend."))
		read_backend(r, d, &name, value);
	else if (label_name_is(&name, "port"))
		label_reader_set(r, d, name.full, "port", value);
	else if (label_name_is(&name, "weight"))
		label_reader_set(r, d, name.full, "weight", value);
	else if (label_name_is(&name, "protocol"))
		read_protocol(r, d, name.full, value);
	else
		return false;
	return true;
}

static bool
is_key(struct label_name name)
{
	return label_name_is(&name, "backend") || label_name_is(&name, "port") || label_name_is(&name, "weight") ||
	       label_name_is(&name, "protocol") || label_name_skip(&name, "frontend.") ||
	       label_name_skip(&name, "backend.");
}

static bool
is_of_others(struct label_name name)
{
	static const char *const families[] = { "http.", "tcp.", "udp.", "tls.", "docker.", "swarm.", "ecs." };

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (label_name_skip(&name, families[i]))
			return true;
	return false;
}

struct traefik1 {
	struct label_reader *reader;
	struct label_endpoint_draft *drafts;
	size_t n;
	bool is_other;
};

static void
read_one(struct traefik1 *t, const struct taskdef_label *l)
{
	struct label_name name = { .full = l->name, .rest = l->name }, inner;
	struct label_endpoint_draft *d = &t->drafts[0];
	struct str segment = STR("");

	if (!label_name_skip(&name, "traefik.") || is_of_others(name) || label_name_is(&name, "enable"))
		return;
	inner = name;
	if (!is_key(name) && label_name_part(&inner, &segment) && is_key(inner)) {
		d = label_reader_endpoint(t->reader, t->drafts, &t->n, l->name, segment);
		name = inner;
	}
	if (d == NULL)
		return;
	if (t->is_other && is_key(name))
		label_reader_note(
		    t->reader, l->name, LABEL_IGNORED, "it is Traefik v1's, and labels of v2 or v3 stand beside it");
	else if (!read_key(t->reader, d, name, l->value))
		label_reader_note(t->reader, l->name, LABEL_IGNORED, "rollcall has no such label");
}

static bool
has_own(const struct label_endpoint_draft *d)
{
	return (d->n_routers > 0 && d->routers[0].rule.label.len > 0) || d->settings.port != 0 ||
	       d->settings.backend.len > 0;
}

/* A segment has what the container says, unless it says otherwise. */
static void
inherit(struct label_endpoint_draft *d, const struct label_endpoint_draft *from)
{
	struct label_settings own = d->settings;

	d->settings = from->settings;
	d->settings.port = own.port != 0 ? own.port : from->settings.port;
	d->settings.backend = own.backend;
	label_settings_overlay(&own, 0, &d->settings.policy);
	d->settings.check_set |= own.check_set;
	if (!d->refusal.is_refused)
		d->refusal = from->refusal;
	if (from->n_routers > 0 && d->n_routers > 0 && !d->routers[0].refusal.is_refused)
		d->routers[0].refusal = from->routers[0].refusal;
	if (from->n_routers > 0 && d->n_routers > 0 && d->routers[0].entrypoints.label.len == 0)
		d->routers[0].entrypoints = from->routers[0].entrypoints;
}

size_t
label_traefik1_read(struct label_reader *r, const struct taskdef_label *labels, size_t n, bool is_other,
    struct label_endpoint_draft *drafts)
{
	struct traefik1 t = { .reader = r, .drafts = drafts, .n = 1, .is_other = is_other };

	drafts[0] = (struct label_endpoint_draft){ .name = STR("") };
	for (size_t i = 0; i < n; i++)
		read_one(&t, &labels[i]);
	for (size_t i = 1; i < t.n; i++)
		inherit(&drafts[i], &drafts[0]);
	if (t.n == 1 || (drafts[0].n_routers > 0 && drafts[0].routers[0].rule.label.len > 0))
		return t.n;
	if (t.n > 1 && has_own(&drafts[0]) && drafts[0].settings.backend.len > 0)
		return t.n;
	for (size_t i = 1; i < t.n; i++)
		drafts[i - 1] = drafts[i];
	return t.n - 1;
}
