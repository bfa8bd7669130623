/*
 * Traefik v2's and v3's labels: routers and services by name (facts: its docs, "Docker labels";
 * a router without `service` belongs to the only service, or makes one).
 */
#include "config.h"

#include "label/label_reader.h"
#include "label/label_text.h"

struct traefik {
	struct label_reader *reader;
	struct label_endpoint_draft *services; /* room for LABEL_ENDPOINTS_MAX */
	size_t n_services;
	struct label_router_draft *routers; /* room for LABEL_ROUTERS_MAX */
	size_t n_routers;
};

struct meaning {
	const char *key;
	const char *text; /* a setting of rollcall's; or why it is ignored, or not honoured */
};

static const struct meaning *
find(const struct meaning *list, size_t n, const struct label_name *name)
{
	for (size_t i = 0; i < n; i++) {
		struct str key = str_from_cstr(list[i].key);
		bool is_family = key.len > 0 && key.ptr[key.len - 1] == '.';

		if (is_family ? label_text_has_prefix(name->rest, key) : label_text_same(name->rest, key))
			return &list[i];
	}
	return NULL;
}

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* ---- routers ---- */

static const struct meaning router_restricts[] = {
	{ "middlewares", "middlewares are not run: what they do belongs into haproxy.cfg" },
	{ "tls.options", "TLS options are those of haproxy.cfg" },
};

static const struct meaning router_ignored[] = {
	{ "tls", "TLS ends in haproxy.cfg, by entrypoint" },
	{ "tls.certresolver", "certificates are those of haproxy.cfg" },
	{ "tls.domains", "certificates are those of haproxy.cfg" },
	{ "tls.domains.", "certificates are those of haproxy.cfg" },
	{ "tls.domains[", "certificates are those of haproxy.cfg" },
	{ "rulesyntax", "rules of v2 and v3 are both read" },
	{ "observability.", "logs and metrics are HAProxy's" },
};

static struct label_router_draft *
router_of(struct traefik *t, struct str label, struct str name)
{
	for (size_t i = 0; i < t->n_routers; i++)
		if (label_text_same(t->routers[i].name, name))
			return &t->routers[i];
	if (t->n_routers == LABEL_ROUTERS_MAX) {
		label_reader_note(
		    t->reader, label, LABEL_BAD, "more than %d routers of one container", LABEL_ROUTERS_MAX);
		return NULL;
	}
	t->routers[t->n_routers] = (struct label_router_draft){ .name = name };
	return &t->routers[t->n_routers++];
}

static bool
is_domain(const struct label_name *name)
{
	return label_text_has_prefix(name->rest, STR("tls.domains"));
}

static void
read_router(struct traefik *t, struct label_name name, struct str value)
{
	struct label_text_ref ref = { .label = name.full, .value = value };
	struct label_router_draft *d;
	const struct meaning *m;
	struct str router;

	if (!label_name_part(&name, &router)) {
		label_reader_note(t->reader, name.full, LABEL_IGNORED, "it names no router");
		return;
	}
	d = router_of(t, name.full, router);
	if (d == NULL)
		return;
	if (label_name_is(&name, "rule"))
		d->rule = ref;
	else if (label_name_is(&name, "entrypoints"))
		d->entrypoints = ref;
	else if (label_name_is(&name, "service"))
		d->service = ref;
	else if (label_name_is(&name, "priority"))
		label_reader_priority(t->reader, d, name.full, value);
	else if ((m = find(router_restricts, N(router_restricts), &name)) != NULL)
		label_reader_unhonoured(t->reader, name.full, m->text, &d->refusal);
	else if ((m = find(router_ignored, N(router_ignored), &name)) != NULL || is_domain(&name))
		label_reader_note(t->reader, name.full, LABEL_IGNORED, "%s",
		    m != NULL ? m->text : "certificates are those of haproxy.cfg");
	else
		label_reader_unhonoured(
		    t->reader, name.full, "it is not known, and may restrict its router", &d->refusal);
}

/* ---- services ---- */

static const struct meaning service_settings[] = {
	{ "server.port", "port" },
	{ "server.weight", "weight" },
	{ "healthcheck.path", "check.path" },
	{ "healthcheck.interval", "check.inter" },
	{ "healthcheck.timeout", "check.timeout" },
};

static void
read_scheme(struct label_reader *r, struct label_endpoint_draft *d, struct str label, struct str value)
{
	struct str scheme = str_trim(value);

	if (label_text_same(scheme, STR("h2c"))) {
		label_reader_set(r, d, label, "proto", STR("h2"));
	} else if (label_text_same(scheme, STR("http"))) {
		label_reader_set(r, d, label, "proto", STR("h1"));
	} else if (label_text_same(scheme, STR("https"))) {
		label_reader_set(r, d, label, "proto", STR("h2"));
		label_reader_set(r, d, label, "tls", STR("true"));
	} else {
		label_reader_bad(r, label, "it is not one of http, https, h2c", &d->refusal);
	}
}

static void
read_strategy(struct label_reader *r, struct label_endpoint_draft *d, struct str label, struct str value)
{
	struct str strategy = str_trim(value);

	if (label_text_same(strategy, STR("wrr"))) {
		label_reader_set(r, d, label, "balance", STR("roundrobin"));
	} else if (label_text_same(strategy, STR("p2c"))) {
		label_reader_set(r, d, label, "balance", STR("random"));
	} else if (label_text_same(strategy, STR("leasttime"))) {
		label_reader_set(r, d, label, "balance", STR("leastconn"));
		label_reader_note(r, label, LABEL_IGNORED, "taken as leastconn, which is nearest");
	} else {
		label_reader_note(r, label, LABEL_IGNORED, "of strategies there are wrr, p2c and leasttime");
	}
}

static void
read_mode(struct label_reader *r, struct label_endpoint_draft *d, struct str label, struct str value)
{
	struct str mode = str_trim(value);

	if (label_text_same(mode, STR("grpc")) || label_text_same(mode, STR("http")))
		label_reader_set(r, d, label, "check", mode);
	else
		label_reader_bad(r, label, "it is neither http nor grpc", &d->refusal);
}

static void
read_server(struct label_reader *r, struct label_endpoint_draft *d, const struct label_name *name, struct str value)
{
	const struct meaning *m = find(service_settings, N(service_settings), name);

	if (m != NULL)
		label_reader_set(r, d, name->full, m->text, value);
	else if (label_name_is(name, "server.scheme"))
		read_scheme(r, d, name->full, value);
	else if (label_name_is(name, "strategy"))
		read_strategy(r, d, name->full, value);
	else if (label_name_is(name, "healthcheck.mode"))
		read_mode(r, d, name->full, value);
	else if (label_name_is(name, "server.url"))
		label_reader_unhonoured(r, name->full, "calls go to the task itself, not to a URL", &d->refusal);
	else if (label_name_is(name, "passhostheader") && label_text_same(str_trim(value), STR("true")))
		return;
	else
		label_reader_note(r, name->full, LABEL_IGNORED, "HAProxy does it in another way, or not at all");
}

static void
read_service(struct traefik *t, struct label_name name, struct str value)
{
	struct label_endpoint_draft *d;
	struct str service;

	if (!label_name_part(&name, &service)) {
		label_reader_note(t->reader, name.full, LABEL_IGNORED, "it names no service");
		return;
	}
	d = label_reader_endpoint(t->reader, t->services, &t->n_services, name.full, service);
	if (d == NULL)
		return;
	if (label_name_skip(&name, "loadbalancer."))
		read_server(t->reader, d, &name, value);
	else
		label_reader_unhonoured(t->reader, name.full, "only load balancers are made by labels", &d->refusal);
}

/* ---- all of it ---- */

bool
label_traefik_is_http(struct str label)
{
	return label_text_has_prefix(label, STR("traefik.http.routers.")) ||
	       label_text_has_prefix(label, STR("traefik.http.services."));
}

static void
read_one(struct traefik *t, const struct taskdef_label *l)
{
	static const struct meaning others[] = {
		{ "http.middlewares.", "middlewares are not run; a router that names one is kept out" },
		{ "http.", "rollcall has no such label" },
		{ "tcp.", "TCP routers are not served" },
		{ "udp.", "UDP routers are not served" },
		{ "tls.", "certificates are those of haproxy.cfg" },
		{ "docker.", "it is for Traefik's Docker provider" },
		{ "swarm.", "it is for Traefik's Swarm provider" },
		{ "ecs.", "it is for Traefik's own ECS provider" },
	};
	struct label_name name = { .full = l->name, .rest = l->name };
	const struct meaning *m;

	if (!label_name_skip(&name, "traefik."))
		return;
	if (label_name_skip(&name, "http.routers."))
		read_router(t, name, l->value);
	else if (label_name_skip(&name, "http.services."))
		read_service(t, name, l->value);
	else if ((m = find(others, N(others), &name)) != NULL)
		label_reader_note(t->reader, l->name, LABEL_IGNORED, "%s", m->text);
}

/* Its own, or "NAME@ecs"; any other provider's service is not of this container. */
static struct label_endpoint_draft *
service_of(struct traefik *t, struct label_router_draft *d)
{
	struct str name = str_trim(d->service.value);
	bool is_own = true;

	if (d->service.label.len == 0) {
		if (t->n_services == 0)
			(void)label_reader_endpoint(t->reader, t->services, &t->n_services, d->rule.label, STR(""));
		if (t->n_services > 1 && !d->refusal.is_refused)
			label_reader_bad(t->reader, d->rule.label.len > 0 ? d->rule.label : d->name,
			    "there are several services: say which with `.service`", &d->refusal);
		return &t->services[0];
	}
	if (str_has_suffix(name, STR("@ecs")))
		name.len -= 4;
	for (size_t i = 0; i < t->n_services; i++)
		if (label_text_same(t->services[i].name, name))
			return &t->services[i];
	if (t->n_services == 0)
		(void)label_reader_endpoint(t->reader, t->services, &t->n_services, d->service.label, STR(""));
	else
		is_own = false;
	if (!is_own || str_find(name, '@', &(size_t){ 0 }))
		label_reader_unhonoured(t->reader, d->service.label, "this container has no such service", &d->refusal);
	return &t->services[0];
}

size_t
label_traefik_read(
    struct label_reader *r, const struct taskdef_label *labels, size_t n, struct label_endpoint_draft *drafts)
{
	struct traefik t = { .reader = r, .services = drafts };

	t.routers = ARENA_ARRAY(r->scratch, struct label_router_draft, LABEL_ROUTERS_MAX);
	if (t.routers == NULL) {
		r->starved = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		read_one(&t, &labels[i]);
	for (size_t i = 0; i < t.n_routers; i++) {
		struct label_endpoint_draft *d = service_of(&t, &t.routers[i]);

		if (d == NULL)
			continue;
		if (d->routers == NULL)
			d->routers = ARENA_ARRAY(r->scratch, struct label_router_draft, LABEL_ROUTERS_MAX);
		if (d->routers == NULL)
			r->starved = true;
		else
			d->routers[d->n_routers++] = t.routers[i];
	}
	if (t.n_services == 1)
		drafts[0].name = STR(""); /* the container's only one needs no name */
	return t.n_services;
}
