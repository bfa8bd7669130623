/* Worlds made of bytes: see laws.h.  Small, so that everything collides. */
#include "config.h"

#include "laws.h"

#include <stdio.h>

#define PICK(d, array) ((array)[roll((d), sizeof(array) / sizeof((array)[0]))])

static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "" };
static const char *const addresses6[] = { "", "", "fd00::1", "FD00:0:0:0:0:0:0:1", "fd00::2", "::", "x" };
static const char *const places[] = { "", "", "", "10.0.0.1:50051", "10.0.0.2:50051", "10.0.0.3:50051", "10.0.0.4:8080",
	"10.0.0.1:8080", "10.0.0.5:50051", "fd00::1:50051", "10.9.9.9:1" };
static const char *const services[] = { "a", "b", "c" };
static const char *const networks[] = { "", "net-1", "net-2" };
static const char *const backends[] = { "grpc", "web", "grpc" };

/* 0 .. n - 1; bytes that are used up are zeros. */
static unsigned
roll(struct laws_dice *d, size_t n)
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

static bool
one_in(struct laws_dice *d, unsigned n)
{
	return roll(d, n) == n - 1;
}

/* ---- configuration ---- */

static void
make_entry(struct world *w, struct laws_dice *d)
{
	static const char *const wanted[] = { "*", "*", "a", "b", "family:rng" };
	static const uint16_t ports[] = { 50051, 0, 8080 };
	static const unsigned weights[] = { 100, 1, 0, 1000000, 7 };
	static const int64_t drains[] = { CONF_DRAIN_AUTO, 0, 20000, INT64_MAX };
	struct conf_backend *b = world_entry(w, PICK(d, backends), PICK(d, wanted), PICK(d, ports));

	b->policy.weight = PICK(d, weights);
	b->policy.maxconn = one_in(d, 3) ? 7 : 0;
	b->policy.drain_timeout_ms = PICK(d, drains);
	if (one_in(d, 4))
		b->match.container = STR("app");
	if (one_in(d, 6))
		b->match.cluster = STR("main");
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
	if (one_in(d, 2))
		world_publishes(w, def, "log", PICK(d, ports))->essential = one_in(d, 2);
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
		struct roster_container *c = world_container(w, t, PICK(d, names), PICK(d, addresses));

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

static void
make_slot(struct world *w, struct laws_dice *d, struct actual_backend *b, unsigned number)
{
	static const enum actual_admin admins[] = { ACTUAL_MAINT, ACTUAL_READY, ACTUAL_DRAIN };
	static const enum actual_check checks[] = { ACTUAL_CHECK_PASSED, ACTUAL_CHECK_PENDING, ACTUAL_CHECK_FAILED,
		ACTUAL_UNCHECKED };
	static const unsigned weights[] = { 256, 1, 16, 0 };
	struct actual_server *s;
	char name[32];

	(void)snprintf(name, sizeof(name), one_in(d, 12) ? "rc_0%u" : "rc_%u", number);
	if (one_in(d, 15))
		(void)snprintf(name, sizeof(name), one_in(d, 2) ? "mine%u" : "rc_abc%u_app_50051", number);
	s = world_server(w, b, name, PICK(d, admins), PICK(d, places));
	s->check = PICK(d, checks);
	s->up = s->admin == ACTUAL_READY && !one_in(d, 4);
	s->sessions = one_in(d, 3) ? 1 + roll(d, 3) : 0;
	s->weight = PICK(d, weights);
	s->maxconn = one_in(d, 4) ? 9 : 0;
}

static void
make_backend(struct world *w, struct laws_dice *d, const char *name)
{
	struct actual_backend *b = world_backend(w, name);
	unsigned n = roll(d, 14);

	b->small_weights = one_in(d, 4);
	for (unsigned i = 1; i <= n; i++)
		make_slot(w, d, b, i);
	if (one_in(d, 12)) {
		b->exists = false;
		b->n_slots = 0;
	}
}

struct world *
laws_world(struct laws_dice *d)
{
	struct world *w = world_new();
	unsigned n_entries = 1 + roll(d, 3);

	for (unsigned i = 0; i < n_entries; i++)
		make_entry(w, d);
	make_roster(w, d);
	make_backend(w, d, "grpc");
	if (!one_in(d, 6))
		make_backend(w, d, "web");
	make_backend(w, d, "unasked");
	return w;
}
