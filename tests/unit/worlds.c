/* Small worlds for the tests of plan/: see worlds.h. */
#include "config.h"

#include "worlds.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define WORLD_ARENA_MAX ((size_t)512 << 20)
#define FACTS_MAX       ((size_t)256 << 20)
#define CONTAINERS_MAX  8

struct list {
	void **items;
	size_t n, cap;
};

struct world_cluster {
	struct roster_cluster value;
	struct list tasks;
};

struct world_backend {
	struct actual_backend value;
	struct list servers;
};

struct world_process {
	struct list servers; /* what was applied to it */
};

struct world {
	struct arena *arena;
	struct conf conf;
	struct conf_source sources[WORLD_PARTS_MAX];
	struct conf_backend entries[WORLD_PARTS_MAX];
	struct world_cluster clusters[WORLD_PARTS_MAX];
	size_t n_clusters;
	struct world_backend backends[WORLD_PARTS_MAX];
	size_t n_backends;
	struct taskdef *definitions[WORLD_PARTS_MAX];
	size_t n_definitions;
	struct taskdef *usual;
	struct actual haproxy;
	struct plan_rules rules;
	struct overlay *overlay;
	struct world_process now, before;
	struct list rosters, desireds, actuals, plans, applieds;
};

static void *
take(struct world *w, size_t n, size_t size)
{
	void *p = arena_alloc(w->arena, n, size);

	assert(p != NULL);
	return p;
}

static void
append(struct world *w, struct list *l, void *item)
{
	if (l->n == l->cap) {
		void **bigger = take(w, l->cap * 2 + 8, sizeof(*bigger));

		if (l->n > 0)
			memcpy(bigger, l->items, l->n * sizeof(*bigger));
		l->items = bigger;
		l->cap = l->cap * 2 + 8;
	}
	l->items[l->n++] = item;
}

struct str
world_str(struct world *w, const char *text)
{
	struct str s;
	bool ok = arena_str(w->arena, str_from_cstr(text), &s);

	assert(ok);
	(void)ok;
	return s;
}

static struct str
join(struct world *w, const char *a, const char *b)
{
	size_t n = strlen(a) + strlen(b) + 1;
	char *text = take(w, n, 1);

	(void)snprintf(text, n, "%s%s", a, b);
	return str_from_cstr(text);
}

struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert(w != NULL);
	w->arena = arena_new(WORLD_ARENA_MAX);
	assert(w->arena != NULL);
	w->conf.sources = w->sources;
	w->conf.backends = w->entries;
	w->conf.haproxy.apply = true;
	w->haproxy = (struct actual){ .version = STR("2.6.12"), .major = 2, .minor = 6, .pid = 7, .start_time_s = 7 };
	(void)world_source(w, "eu");
	(void)world_cluster(w, "eu", "main");
	w->usual = world_definition(w, "rng");
	(void)world_publishes(w, w->usual, "app", "50051");
	return w;
}

void
world_free(struct world *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->plans.n; i++)
		plan_free(w->plans.items[i]);
	for (size_t i = 0; i < w->applieds.n; i++)
		applied_free(w->applieds.items[i]);
	overlay_free(w->overlay);
	for (size_t i = 0; i < w->actuals.n; i++)
		actual_free(w->actuals.items[i]);
	for (size_t i = 0; i < w->desireds.n; i++)
		desired_free(w->desireds.items[i]);
	for (size_t i = 0; i < w->rosters.n; i++)
		roster_unref(w->rosters.items[i]);
	for (size_t i = 0; i < w->n_definitions; i++)
		taskdef_unref(w->definitions[i]);
	arena_free(w->arena);
	free(w);
}

/* ---- the configuration ---- */

struct conf_source *
world_source(struct world *w, const char *name)
{
	static const struct str any[] = { { .ptr = "*", .len = 1 } };
	struct conf_source *s = &w->sources[w->conf.n_sources++];

	assert(w->conf.n_sources <= WORLD_PARTS_MAX);
	s->name = world_str(w, name);
	s->services = (struct conf_list){ .items = any, .n = 1 };
	return s;
}

struct conf_source *
world_first_source(struct world *w)
{
	return &w->sources[0];
}

struct conf *
world_first_conf(struct world *w)
{
	return &w->conf;
}

struct conf_backend *
world_entry(struct world *w, const char *backend, const char *service, uint16_t port)
{
	struct conf_backend *b = &w->entries[w->conf.n_backends++];

	assert(w->conf.n_backends <= WORLD_PARTS_MAX);
	b->name = world_str(w, backend);
	b->match = (struct conf_match){
		.source = STR("*"), .cluster = STR("*"), .service = world_str(w, service), .container = STR("*")
	};
	b->port = port;
	b->policy.weight = 100;
	b->policy.drain_timeout_ms = CONF_DRAIN_AUTO;
	b->policy.check.timeout_ms = CONF_CHECK_TIMEOUT_MS;
	b->policy.removal_limit_percent = 50;
	return b;
}

/* ---- the roster ---- */

struct roster_cluster *
world_cluster(struct world *w, const char *source, const char *name)
{
	struct roster_cluster *c = &w->clusters[w->n_clusters++].value;

	assert(w->n_clusters <= WORLD_PARTS_MAX);
	c->source = world_str(w, source);
	c->name = world_str(w, name);
	c->arn = join(w, "arn:aws:ecs:eu-west-1:123456789012:cluster/", name);
	c->account = STR("123456789012");
	c->sweeps = 1;
	c->was_read = true;
	return c;
}

struct roster_cluster *
world_first_cluster(struct world *w)
{
	return &w->clusters[0].value;
}

struct taskdef *
world_definition(struct world *w, const char *family)
{
	struct arena *a = arena_new(TASKDEF_ARENA_MAX);
	struct taskdef *d;

	assert(a != NULL && w->n_definitions < WORLD_PARTS_MAX);
	d = ARENA_NEW(a, struct taskdef);
	assert(d != NULL);
	d->family = world_str(w, family);
	d->revision = 1;
	d->containers = take(w, CONTAINERS_MAX, sizeof(*d->containers));
	d->arena = a;
	d->refs = 1;
	w->definitions[w->n_definitions++] = d;
	return d;
}

static void
publish(struct taskdef_container *c, struct taskdef_port *ports, struct str word)
{
	bool udp = str_has_suffix(word, STR("/udp"));
	uint64_t port = 0;
	bool ok = str_to_u64(str_first(word, word.len - (udp ? 4 : 0)), UINT16_MAX, &port);

	assert(ok);
	(void)ok;
	ports[c->n_ports++] = (struct taskdef_port){ .container_port = (uint16_t)port, .n = 1, .tcp = !udp };
}

struct taskdef_container *
world_publishes(struct world *w, struct taskdef *d, const char *container, const char *ports)
{
	struct taskdef_container *containers = take(w, d->n_containers + 1, sizeof(*containers)), *c;
	struct str rest = str_from_cstr(ports), word;
	struct taskdef_port *list = take(w, rest.len + 1, sizeof(*list));

	if (d->n_containers > 0)
		memcpy(containers, d->containers, d->n_containers * sizeof(*containers));
	c = &containers[d->n_containers++];
	d->containers = containers;
	*c = (struct taskdef_container){
		.name = world_str(w, container), .essential = true, .stop_timeout_ms = -1, .ports = list
	};
	while (str_next(&rest, ' ', &word))
		if (word.len > 0)
			publish(c, list, word);
	return c;
}

struct roster_task *
world_bare_task(struct world *w, const char *id, enum roster_status status)
{
	struct roster_task *t = take(w, 1, sizeof(*t));
	struct str arn = join(w, "arn:aws:ecs:eu-west-1:123456789012:task/main/", id);

	t->arn = arn;
	t->id = str_skip(arn, arn.len - strlen(id));
	t->group = STR("service:rng");
	t->service = STR("rng");
	t->family = STR("rng");
	t->revision = 1;
	t->definition = w->usual;
	t->last_status = status;
	t->desired_status = status <= ROSTER_RUNNING ? ROSTER_RUNNING : ROSTER_STOPPED;
	t->subnet = STR("net-1");
	t->created_ms = 1000;
	t->started_ms = 2000;
	t->containers = take(w, CONTAINERS_MAX, sizeof(struct roster_container));
	t->listed = t->desired_status == ROSTER_RUNNING;
	append(w, &w->clusters[w->n_clusters - 1].tasks, t);
	return t;
}

struct roster_container *
world_container(struct world *w, struct roster_task *t, const char *name, const char *ipv4)
{
	struct roster_container *all = take(w, t->n_containers + 1, sizeof(*all)), *c;

	if (t->n_containers > 0)
		memcpy(all, t->containers, t->n_containers * sizeof(*all));
	c = &all[t->n_containers++];
	t->containers = all;
	c->name = world_str(w, name);
	c->ipv4 = world_str(w, ipv4);
	c->ipv6 = STR("");
	return c;
}

struct roster_task *
world_task(struct world *w, const char *id, enum roster_status status, const char *ipv4)
{
	struct roster_task *t = world_bare_task(w, id, status);

	(void)world_container(w, t, "app", ipv4);
	return t;
}

/* ---- HAProxy ---- */

struct actual_backend *
world_backend(struct world *w, const char *name)
{
	struct actual_backend *b = &w->backends[w->n_backends++].value;

	assert(w->n_backends <= WORLD_PARTS_MAX);
	b->name = world_str(w, name);
	b->exists = true;
	return b;
}

/* "10.0.0.1:50051", "fd00::1:50051": the port comes after the last colon. */
static void
place_at(struct world *w, struct actual_server *s, const char *at)
{
	struct str text = world_str(w, at), port = str_after_last(text, ':');
	uint64_t number = 0;
	bool ok;

	if (text.len == 0)
		return;
	ok = str_to_u64(port, UINT16_MAX, &number);
	assert(ok);
	(void)ok;
	s->address = str_first(text, text.len - port.len - 1);
	s->port = (uint16_t)number;
}

struct actual_server *
world_server(struct world *w, struct actual_backend *b, const char *name, enum actual_admin admin, const char *at)
{
	struct world_backend *of = (struct world_backend *)(void *)b; /* its first member */
	struct actual_server *s = take(w, 1, sizeof(*s));

	s->name = world_str(w, name);
	s->address = STR("");
	place_at(w, s, at);
	s->weight = 256;
	s->admin = admin;
	s->up = admin == ACTUAL_READY;
	s->check = admin == ACTUAL_READY ? ACTUAL_CHECK_PASSED : ACTUAL_CHECK_PENDING;
	s->status = STR("");
	s->last_check = STR("");
	s->is_ours = actual_is_ours(s->name);
	s->is_slot = actual_slot_number(s->name, &s->slot);
	b->n_slots += s->is_slot ? 1 : 0;
	append(w, &of->servers, s);
	return s;
}

void
world_slots(struct world *w, struct actual_backend *b, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "rc_%u", i);
		(void)world_server(w, b, name, ACTUAL_MAINT, "");
	}
}

void
world_empty(struct world *w, struct actual_backend *b)
{
	struct world_backend *of = (struct world_backend *)(void *)b; /* its first member */

	(void)w;
	of->servers.n = 0;
	b->n_slots = 0;
}

struct actual *
world_haproxy(struct world *w)
{
	return &w->haproxy;
}

void
world_version(struct world *w, unsigned major, unsigned minor)
{
	w->haproxy.major = major;
	w->haproxy.minor = minor;
}

/* ---- the rest of what a plan is made from ---- */

struct plan_rules *
world_rules(struct world *w)
{
	return &w->rules;
}

struct overlay *
world_overlay(struct world *w)
{
	enum err_code code = w->overlay == NULL ? overlay_new(&w->overlay, NULL) : ERR_OK;

	assert(code == ERR_OK);
	(void)code;
	w->rules.overlay = w->overlay;
	return w->overlay;
}

static struct applied_server *
apply_server(struct world *w, struct world_process *to, const char *backend, const char *server, const char *at)
{
	struct applied_server *s = take(w, 1, sizeof(*s));
	struct actual_server there = { .port = 0 };

	place_at(w, &there, at);
	*s = (struct applied_server){
		.backend = world_str(w, backend),
		.server = world_str(w, server),
		.task_arn = STR(""),
		.container = STR(""),
		.address = there.address,
		.port = there.port,
		.is_confirmed = true,
		.was_admin = ACTUAL_READY,
		.was_weight = 256,
		.weight = 256,
		.auto_weight = 256,
		.intent = APPLIED_SERVING,
	};
	append(w, &to->servers, s);
	return s;
}

struct applied_server *
world_applied(struct world *w, const char *backend, const char *server, const char *at)
{
	return apply_server(w, &w->now, backend, server, at);
}

struct applied_server *
world_former(struct world *w, const char *backend, const char *server, const char *at)
{
	return apply_server(w, &w->before, backend, server, at);
}

void
world_applied_for(struct world *w, struct applied_server *s, const char *task_id)
{
	s->task_arn = join(w, "arn:aws:ecs:eu-west-1:123456789012:task/main/", task_id);
	s->container = STR("app");
}

static int
by_server(const void *a, const void *b)
{
	const struct applied_server *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server, y->server);
}

/* Null: nothing was said of it. */
static const struct applied *
make_applied(struct world *w, const struct world_process *p, uint64_t pid)
{
	struct arena *a = p->servers.n > 0 ? arena_new(APPLIED_ARENA_MAX) : NULL;
	struct applied_server *servers;
	struct applied *made;
	bool ok;

	if (a == NULL)
		return NULL;
	made = ARENA_NEW(a, struct applied);
	servers = ARENA_ARRAY(a, struct applied_server, p->servers.n);
	assert(made != NULL && servers != NULL);
	for (size_t i = 0; i < p->servers.n; i++)
		servers[i] = *(const struct applied_server *)p->servers.items[i];
	qsort(servers, p->servers.n, sizeof(*servers), by_server);
	*made = (struct applied){ .pid = pid, .start_time_s = pid, .servers = servers, .arena = a };
	made->n_servers = p->servers.n;
	ok = applied_index(made);
	assert(ok);
	(void)ok;
	append(w, &w->applieds, made);
	return made;
}

/* ---- the values ---- */

const struct conf *
world_conf(struct world *w)
{
	return &w->conf;
}

static struct roster_facts *
make_facts(struct world *w, const struct world_cluster *c)
{
	struct roster_task *tasks = take(w, c->tasks.n, sizeof(*tasks));
	struct roster_facts *facts = NULL;
	enum err_code code;

	for (size_t i = 0; i < c->tasks.n; i++)
		tasks[i] = *(const struct roster_task *)c->tasks.items[i];
	code = roster_facts_make(tasks, c->tasks.n, FACTS_MAX, &facts, NULL);
	assert(code == ERR_OK);
	(void)code;
	return facts;
}

struct roster *
world_roster(struct world *w)
{
	struct roster_cluster *clusters = take(w, w->n_clusters, sizeof(*clusters));
	struct roster *r = NULL;
	enum err_code code;

	for (size_t i = 0; i < w->n_clusters; i++) {
		clusters[i] = w->clusters[i].value;
		clusters[i].facts = make_facts(w, &w->clusters[i]);
	}
	code = roster_make(clusters, w->n_clusters, &r, NULL);
	assert(code == ERR_OK);
	(void)code;
	for (size_t i = 0; i < w->n_clusters; i++)
		roster_facts_unref(clusters[i].facts);
	append(w, &w->rosters, r);
	return r;
}

struct desired *
world_desired(struct world *w)
{
	struct desired *d = NULL;
	enum err_code code = desired_derive(&w->conf, world_roster(w), &d, NULL);

	assert(code == ERR_OK);
	(void)code;
	append(w, &w->desireds, d);
	return d;
}

static void
fill_backend(struct arena *a, const struct world_backend *from, struct actual_backend *to)
{
	struct actual_server *servers = ARENA_ARRAY(a, struct actual_server, from->servers.n);

	assert(servers != NULL);
	for (size_t i = 0; i < from->servers.n; i++)
		servers[i] = *(const struct actual_server *)from->servers.items[i];
	*to = from->value;
	to->servers = servers;
	to->n_servers = from->servers.n;
}

struct actual *
world_actual(struct world *w)
{
	struct arena *a = arena_new(ACTUAL_ARENA_MAX);
	struct actual_backend *backends;
	struct actual *actual;

	assert(a != NULL);
	actual = ARENA_NEW(a, struct actual);
	backends = ARENA_ARRAY(a, struct actual_backend, w->n_backends);
	assert(actual != NULL && backends != NULL);
	for (size_t i = 0; i < w->n_backends; i++)
		fill_backend(a, &w->backends[i], &backends[i]);
	*actual = w->haproxy;
	actual->backends = backends;
	actual->n_backends = w->n_backends;
	actual->arena = a;
	append(w, &w->actuals, actual);
	return actual;
}

struct plan_rules
world_all_rules(struct world *w)
{
	struct plan_rules rules = w->rules;

	if (rules.applied == NULL)
		rules.applied = make_applied(w, &w->now, w->haproxy.pid);
	if (rules.former == NULL)
		rules.former = make_applied(w, &w->before, w->haproxy.pid - 1);
	return rules;
}

struct plan *
world_plan(struct world *w, int64_t now_ms, const struct plan_memory *memory)
{
	const struct plan_memory none = { .n = 0 };
	struct plan_rules rules = world_all_rules(w);
	struct plan *p = NULL;
	enum err_code code;

	rules.now_ms = now_ms;
	code = plan_diff(&rules, world_desired(w), world_actual(w), memory != NULL ? memory : &none, &p, NULL);
	assert(code == ERR_OK);
	(void)code;
	append(w, &w->plans, p);
	return p;
}

static const char *
reason_of(const struct plan_step *st)
{
	if (st->is_vacant)
		return "vacant";
	if (st->by_operator)
		return "operator";
	return st->is_respec ? "settings" : evidence_name(st->evidence);
}

static void
put_step(struct buf *out, const struct plan_step *st)
{
	struct str of = st->kind == PLAN_CA ? st->ca->name : st->server.len > 0 ? st->server : st->backend;

	buf_printf(out, "%s" STR_FMT ": %s", out->len > 0 ? "; " : "", STR_ARG(of), plan_step_name(st->kind));
	if (st->kind == PLAN_ADDRESS || st->kind == PLAN_ADD)
		buf_printf(out, " " STR_FMT ":%u", STR_ARG(st->address), (unsigned)st->port);
	if (st->kind == PLAN_WEIGHT || st->kind == PLAN_MAXCONN || st->kind == PLAN_ADD)
		buf_printf(out, " %u", st->value);
	if (st->kind == PLAN_ADD && st->starts_down)
		buf_printf(out, " down");
	if (plan_step_removes(st->kind))
		buf_printf(out, " (%s)", reason_of(st));
}

const char *
world_steps(struct world *w, const struct plan *p)
{
	struct buf out = buf_make((size_t)1 << 20);
	const char *text;

	for (size_t i = 0; i < p->n_steps; i++)
		put_step(&out, &p->steps[i]);
	text = arena_strdup(w->arena, buf_str(&out));
	assert(text != NULL);
	buf_free(&out);
	return text;
}
