/* Worlds made of bytes: see laws.h.  Small, so that everything collides. */
#include "config.h"

#include "laws.h"

#include <assert.h>
#include <stdio.h>

/* One roll to a statement, or in an order that C knows: else each compiler makes another world of the
 * same bytes, and what one finds the other does not play again. */
#define SERVERS_MAX    14
#define PICK(d, array) ((array)[roll((d), sizeof(array) / sizeof((array)[0]))])

static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "" };
static const char *const addresses6[] = { "", "", "fd00::1", "FD00:0:0:0:0:0:0:1", "fd00::2", "::", "x" };
static const char *const places[] = { "", "", "", "10.0.0.1:50051", "10.0.0.2:50051", "10.0.0.3:50051", "10.0.0.4:8080",
	"10.0.0.1:8080", "10.0.0.5:50051", "fd00::1:50051", "10.9.9.9:1" };
static const char *const services[] = { "a", "b", "c" };
static const char *const networks[] = { "", "net-1", "net-2" };
static const char *const backends[] = { "grpc", "web", "grpc" };

unsigned
laws_roll(struct laws_dice *d, size_t n)
{
	uint8_t byte = 0;

	if (d->bytes == NULL)
		return prng_next(&d->rnd) % (uint32_t)n;
	if (d->n > 0) {
		byte = *d->bytes++;
		d->n--;
	}
	return byte % (unsigned)n;
}

static unsigned
roll(struct laws_dice *d, size_t n)
{
	return laws_roll(d, n);
}

static bool
one_in(struct laws_dice *d, unsigned n)
{
	return roll(d, n) == n - 1;
}

struct names { /* of one backend */
	char items[SERVERS_MAX][128];
	size_t n;
	bool only_named, is_mixed;
};

/* ---- configuration ---- */

static void
make_entry(struct world *w, struct laws_dice *d)
{
	static const char *const wanted[] = { "*", "*", "a", "b", "family:rng" };
	static const uint16_t ports[] = { 50051, 0, 8080 };
	static const unsigned weights[] = { 100, 1, 0, 1000000, 7 };
	static const unsigned limits[] = { 50, 50, 100, 20 };
	static const int64_t drains[] = { CONF_DRAIN_AUTO, 0, 20000, INT64_MAX };
	const char *name = PICK(d, backends), *service = PICK(d, wanted);
	struct conf_backend *b = world_entry(w, name, service, PICK(d, ports));

	b->policy.weight = PICK(d, weights);
	b->policy.maxconn = one_in(d, 3) ? 7 : 0;
	b->policy.drain_timeout_ms = PICK(d, drains);
	b->policy.check.type = one_in(d, 4) ? CONF_CHECK_OFF : CONF_CHECK_INHERIT;
	b->policy.slowstart_ms = one_in(d, 4) ? 1000 : 0;
	b->policy.removal_limit_percent = PICK(d, limits);
	b->policy.outlier.panic_threshold_percent = one_in(d, 2) ? 50 : 0;
	b->managed = one_in(d, 2);
	if (one_in(d, 5)) {
		b->policy.tls = true;
		b->policy.tls_ca_file = one_in(d, 3) ? STR("/absent.pem") : STR("/ca.pem");
	}
	if (one_in(d, 4))
		b->match.container = STR("app");
	if (one_in(d, 6))
		b->match.cluster = STR("main");
}

/* What nobody asks for any more, and servers of ours are in. */
static void
make_retired(struct world *w, struct laws_dice *d)
{
	struct conf_backend *b;

	if (one_in(d, 2))
		return;
	b = world_entry(w, "unasked", "", 0);
	b->retired = true;
	b->managed = one_in(d, 2);
	b->policy.drain_timeout_ms = one_in(d, 2) ? CONF_DRAIN_AUTO : 20000;
}

/* ---- roster ---- */

static struct taskdef *
make_definition(struct world *w, struct laws_dice *d)
{
	static const char *const ports[] = { "50051", "8080", "50051 8080", "", "50051/udp 8080" };
	static const int64_t timeouts[] = { -1, 0, 10000 };
	struct taskdef *def = world_definition(w, "x");
	struct taskdef_container *c = world_publishes(w, def, "app", PICK(d, ports));

	c->stop_timeout_ms = PICK(d, timeouts);
	if (one_in(d, 2)) {
		bool is_essential = one_in(d, 2);

		world_publishes(w, def, "log", PICK(d, ports))->essential = is_essential;
	}
	return def;
}

static void
make_status(struct laws_dice *d, struct roster_task *t)
{
	static const enum roster_status statuses[] = { ROSTER_RUNNING, ROSTER_RUNNING, ROSTER_RUNNING, ROSTER_RUNNING,
		ROSTER_STOPPED, ROSTER_DEACTIVATING, ROSTER_STOPPING, ROSTER_DEPROVISIONING, ROSTER_PENDING,
		ROSTER_UNKNOWN, ROSTER_DELETED };

	t->last_status = PICK(d, statuses);
	t->desired_status = t->last_status <= ROSTER_RUNNING ? ROSTER_RUNNING : ROSTER_STOPPED;
	if (one_in(d, 6))
		t->desired_status = ROSTER_STOPPED;
	if (one_in(d, 12))
		t->desired_status = ROSTER_UNKNOWN;
	t->health = one_in(d, 5) ? ROSTER_UNHEALTHY : one_in(d, 3) ? ROSTER_HEALTHY : ROSTER_HEALTH_UNKNOWN;
	t->listed = !one_in(d, 6);
	t->missing = one_in(d, 6) ? roll(d, 4) : 0;
}

static void
make_task(struct world *w, struct laws_dice *d, struct taskdef *const *definitions, size_t n, unsigned number)
{
	static const char *const names[] = { "app", "app", "app", "log", "x y\n;" };
	struct roster_task *t;
	char id[48];

	(void)snprintf(id, sizeof(id), "%08x%s", number, one_in(d, 3) ? "-1111-2222" : "aaaabbbbccccddddeeeeffff");
	t = world_bare_task(w, id, ROSTER_RUNNING);
	make_status(d, t);
	t->service = one_in(d, 8) ? STR("") : str_from_cstr(PICK(d, services));
	t->definition = one_in(d, 10) ? NULL : definitions[roll(d, n)];
	t->subnet = str_from_cstr(PICK(d, networks));
	t->container_instance_arn = one_in(d, 6) ? STR("arn:i") : STR("");
	t->started_ms = (int64_t)roll(d, 5);
	t->created_ms = (int64_t)roll(d, 4);
	t->described_wall_ms = (int64_t)roll(d, 3);
	for (unsigned i = roll(d, 3); i < 3; i++) {
		const char *name = PICK(d, names);
		struct roster_container *c = world_container(w, t, name, PICK(d, addresses));

		c->ipv6 = str_from_cstr(PICK(d, addresses6));
	}
}

static void
make_roster(struct world *w, struct laws_dice *d)
{
	struct taskdef *definitions[3];
	unsigned n_tasks = roll(d, 14), number = 0;

	for (size_t i = 0; i < 3; i++)
		definitions[i] = make_definition(w, d);
	world_first_source(w)->require_healthy = one_in(d, 4);
	for (unsigned i = 0; i < n_tasks; i++) {
		if (one_in(d, 12)) { /* another cluster, or the same through another source: then its tasks again */
			(void)world_source(w, "us");
			(void)world_cluster(w, "us", one_in(d, 2) ? "main" : "blue");
			number = one_in(d, 2) ? 0 : number;
		}
		make_task(w, d, definitions, 3, number++);
	}
}

/* ---- HAProxy ---- */

/* A name that one of the candidates bears, or somebody like them. */
static void
name_server(struct world *w, struct laws_dice *d, const struct desired *known, const struct actual_backend *b,
    unsigned number, char name[128], char at[96])
{
	const struct desired_backend *of = desired_find(known, b->name);
	const struct desired_server *s;

	(void)w;
	(void)snprintf(name, 128, one_in(d, 2) ? "mine%u" : "rc_abc%u_app_50051", number);
	if (of == NULL || of->n_servers == 0 || one_in(d, 8))
		return;
	s = &of->servers[roll(d, of->n_servers)];
	(void)snprintf(name, 128, STR_FMT, STR_ARG(s->name));
	if (!one_in(d, 8))
		(void)snprintf(at, 96, STR_FMT ":%u", STR_ARG(s->address), (unsigned)s->port);
}

/* What a server is called once is not called so again. */
static bool
is_taken(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->items[i], name) == 0)
			return true;
	return false;
}

static void
make_server(struct world *w, struct laws_dice *d, const struct desired *known, struct actual_backend *b,
    unsigned number, struct names *names)
{
	static const enum actual_admin admins[] = { ACTUAL_MAINT, ACTUAL_READY, ACTUAL_DRAIN };
	static const enum actual_check checks[] = { ACTUAL_CHECK_PASSED, ACTUAL_CHECK_PENDING, ACTUAL_CHECK_FAILED,
		ACTUAL_UNCHECKED };
	static const unsigned weights[] = { 256, 1, 16, 0 };
	struct actual_server *s;
	char name[128], at[96];

	(void)snprintf(name, sizeof(name), one_in(d, 12) ? "rc_0%u" : "rc_%u", number);
	(void)snprintf(at, sizeof(at), "%s", PICK(d, places));
	if (names->only_named || one_in(d, names->is_mixed ? 3 : 15))
		name_server(w, d, known, b, number, name, at);
	if (is_taken(names, name))
		return;
	(void)snprintf(names->items[names->n++], 128, "%s", name);
	s = world_server(w, b, name, PICK(d, admins), at);
	s->check = PICK(d, checks);
	s->up = s->admin == ACTUAL_READY && !one_in(d, 4);
	s->sessions = one_in(d, 3) ? 1 + roll(d, 3) : 0;
	s->weight = PICK(d, weights);
	s->maxconn = one_in(d, 4) ? 9 : 0;
	if (s->admin == ACTUAL_MAINT && !s->is_slot && (s->check == ACTUAL_CHECK_PASSED || one_in(d, 3)))
		s->last_check = STR("INI");
}

static void
make_backend(struct world *w, struct laws_dice *d, const struct desired *known, const char *name)
{
	struct actual_backend *b = world_backend(w, name);
	struct names names = { .n = 0 };
	unsigned n = roll(d, SERVERS_MAX);

	b->small_weights = one_in(d, 4);
	names.only_named = one_in(d, 2);
	names.is_mixed = one_in(d, 2);
	for (unsigned i = 1; i <= n; i++)
		make_server(w, d, known, b, i, &names);
	b->is_unpublished = one_in(d, 6) && world_haproxy(w)->major == 3 && world_haproxy(w)->minor == 4;
	if (one_in(d, 6)) {
		b->exists = false;
		b->is_unpublished = false;
		b->n_slots = 0;
	}
	if (!b->exists)
		world_empty(w, b);
}

/* ---- hands, and what was done before ---- */

static void
make_hold(struct world *w, struct laws_dice *d, const struct desired *known)
{
	const struct desired_backend *b = &known->backends[roll(d, known->n_backends)];
	const struct desired_server *s = b->n_servers > 0 ? &b->servers[roll(d, b->n_servers)] : NULL;
	enum err_code code = ERR_OK;
	struct overlay_key key;

	if (s == NULL)
		return;
	key = overlay_key_of(b->name, s);
	if (one_in(d, 3))
		code =
		    overlay_set_weight(world_overlay(w), &key, one_in(d, 2) ? 0 : 77, OVERLAY_BY_ROLLCALL, 1, 0, NULL);
	else
		code = overlay_set_admin(world_overlay(w), &key, one_in(d, 2) ? OVERLAY_DRAIN : OVERLAY_MAINT,
		    OVERLAY_BY_HAPROXY, 1, 0, NULL);
	(void)code; /* a container of any name cannot be held */
}

static void
release_some(struct world *w, struct laws_dice *d)
{
	const struct actual *a = world_actual(w);

	for (size_t i = 0; i < a->n_backends; i++)
		for (size_t k = 0; k < a->backends[i].n_servers; k++) {
			const struct actual_server *s = &a->backends[i].servers[k];
			const struct overlay_leave leave = { a->backends[i].name, s->name, s->address, s->port, 0,
				false };
			enum err_code code;

			if (!s->is_ours || s->address.len == 0 || one_in(d, 2))
				continue;
			code = one_in(d, 2) ? overlay_release(world_overlay(w), &leave, 1, NULL)
					    : overlay_note_leave(world_overlay(w), &leave, 1, NULL);
			assert(code == ERR_OK);
			(void)code;
		}
}

static void
make_hands(struct world *w, struct laws_dice *d, const struct desired *known)
{
	unsigned n = one_in(d, 2) ? roll(d, 4) : 0;

	while (n-- > 0 && known->n_backends > 0)
		make_hold(w, d, known);
	if (one_in(d, 4))
		release_some(w, d);
	if (one_in(d, 10)) {
		enum err_code code = overlay_pause(world_overlay(w), one_in(d, 3) ? STR("") : STR("grpc"), 1, 0, NULL);

		assert(code == ERR_OK);
		(void)code;
	}
}

static void
note_server(struct world *w, struct laws_dice *d, const struct desired *known_tasks, const struct actual_backend *b,
    const struct actual_server *s)
{
	static const enum applied_intent intents[] = { APPLIED_SERVING, APPLIED_JOINING, APPLIED_DRAINING,
		APPLIED_RENEWING };
	static const enum evidence evidences[] = { EVIDENCE_STOPPING, EVIDENCE_STOPPED, EVIDENCE_REPLACED,
		EVIDENCE_UNHEALTHY };
	char backend[32], name[128], at[96];
	struct applied_server *known;

	(void)snprintf(backend, sizeof(backend), STR_FMT, STR_ARG(b->name));
	(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(s->name));
	(void)snprintf(at, sizeof(at), STR_FMT ":%u", STR_ARG(s->address), (unsigned)s->port);
	known = world_applied(w, backend, name, at);
	known->intent = PICK(d, intents);
	known->evidence = known->intent == APPLIED_DRAINING ? PICK(d, evidences) : EVIDENCE_NONE;
	known->spec = s->is_slot || one_in(d, 2) ? 0 : 1 + roll(d, 3); /* no real one: stale */
	known->was_admin = known->admin = s->admin;
	known->was_weight = known->weight = s->weight;
	known->is_confirmed = one_in(d, 2);
	if (known_tasks->n_endpoints > 0 && one_in(d, 2)) /* one of the roster, be it the one at its address or not */
		known->task_arn = known_tasks->endpoints[roll(d, known_tasks->n_endpoints)].task->arn;
	if (!known->is_confirmed && known->intent == APPLIED_DRAINING)
		known->admin = ACTUAL_MAINT; /* asked, and not seen */
}

static void
make_applied(struct world *w, struct laws_dice *d, const struct desired *known, const struct actual *actual)
{
	for (size_t i = 0; i < actual->n_backends; i++)
		for (size_t k = 0; k < actual->backends[i].n_servers; k++)
			if (actual->backends[i].servers[k].is_ours && actual->backends[i].servers[k].address.len > 0 &&
			    !one_in(d, 3))
				note_server(w, d, known, &actual->backends[i], &actual->backends[i].servers[k]);
}

static void
make_former(struct world *w, struct laws_dice *d, const struct desired *known)
{
	for (size_t i = 0; i < known->n_backends; i++)
		for (size_t k = 0; k < known->backends[i].n_servers; k++) {
			const struct desired_server *s = &known->backends[i].servers[k];
			struct applied_server *then;
			char backend[32], name[128], at[96];

			if (one_in(d, 2))
				continue;
			(void)snprintf(backend, sizeof(backend), STR_FMT, STR_ARG(known->backends[i].name));
			(void)snprintf(name, sizeof(name), STR_FMT "%zu", STR_ARG(s->name), k);
			(void)snprintf(at, sizeof(at), STR_FMT ":%u", STR_ARG(s->address), (unsigned)s->port);
			then = world_former(w, backend, name, one_in(d, 6) ? "10.0.0.9:50051" : at);
			then->task_arn = s->task->arn;
			then->container = s->container;
			then->port = s->port;
			then->intent = one_in(d, 4) ? APPLIED_DRAINING : APPLIED_SERVING;
		}
}

static void
make_rules(struct world *w, struct laws_dice *d)
{
	static const unsigned versions[][2] = { { 2, 6 }, { 3, 0 }, { 3, 1 }, { 3, 2 }, { 3, 4 } };
	static const struct plan_ca cas[] = {
		{ .path = { "/other.pem", 10 }, .name = { "rollcall-1", 10 }, .pem = { "x", 1 } },
		{ .path = { "/ca.pem", 7 }, .name = { "rollcall-2", 10 }, .pem = { "y", 1 } },
	};
	size_t v = roll(d, sizeof(versions) / sizeof(versions[0]));

	world_version(w, versions[v][0], versions[v][1]);
	world_haproxy(w)->stopping = one_in(d, 16);
	world_rules(w)->cas = cas;
	world_rules(w)->n_cas = 2;
	world_rules(w)->may_add_backends = !one_in(d, 4);
	world_rules(w)->defaults = STR("rollcall");
}

struct world *
laws_world(struct laws_dice *d)
{
	struct world *w = world_new();
	unsigned n_entries = 1 + roll(d, 3);
	const struct desired *known;

	make_rules(w, d);
	for (unsigned i = 0; i < n_entries; i++)
		make_entry(w, d);
	make_retired(w, d);
	make_roster(w, d);
	known = world_desired(w);
	make_backend(w, d, known, "grpc");
	make_backend(w, d, known, "web");
	make_backend(w, d, known, "unasked");
	make_hands(w, d, known);
	if (one_in(d, 2))
		make_applied(w, d, known, world_actual(w));
	if (one_in(d, 3)) {
		make_former(w, d, known);
		world_rules(w)->brings_back = true;
	}
	return w;
}
