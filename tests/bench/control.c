/*
 * How long an answer holds the loop (the control interface; design.md, section 9): N tasks, each with a
 * server in one of 50 backends, and N routes; every path is asked for.  RESULTS.md, beside this file, has figures.
 *
 *   tests/bench/control [--rounds N] [SERVERS...]
 *
 * The time is this thread's CPU time, so that what else runs on the machine does not
 * count; figures are medians of the rounds: of the whole answer, and of its longest slice.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/control_view.h"
#include "plan/plan.h"
#include "worlds.h"

#define N_BACKENDS 50
#define ROUNDS_MAX 100

static double
cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- the world ---- */

enum situation { SERVING, EMPTY, NO_SLOTS };

static void
add_backends(struct world *w, struct actual_backend *ret[N_BACKENDS])
{
	for (unsigned i = 0; i < N_BACKENDS; i++) {
		char name[32], service[32];

		(void)snprintf(name, sizeof(name), "grpc-%u", i);
		(void)snprintf(service, sizeof(service), "service-%u", i);
		(void)world_entry(w, name, service, 0);
		ret[i] = world_backend(w, name);
	}
}

static void
add_server(struct world *w, struct actual_backend *b, unsigned i, const char *address, enum situation is)
{
	char at[32], server[16];

	(void)snprintf(at, sizeof(at), "%s:50051", address);
	(void)snprintf(server, sizeof(server), "rc_%u", i / N_BACKENDS + 1);
	if (is == SERVING)
		(void)world_server(w, b, server, ACTUAL_READY, at);
	else if (is == EMPTY)
		(void)world_server(w, b, server, ACTUAL_MAINT, "");
}

static void
add_task(struct world *w, unsigned i, const char *address)
{
	char id[40], group[40];
	struct roster_task *t;

	(void)snprintf(id, sizeof(id), "%08x4f1c43b2a0d9e87761c5b3d4", i);
	(void)snprintf(group, sizeof(group), "service:service-%u", i % N_BACKENDS);
	t = world_task(w, id, ROSTER_RUNNING, address);
	t->group = world_str(w, group);
	t->service = str_skip(t->group, strlen("service:"));
	t->zone = STR("eu-west-1a");
}

/* As many routes, each with a line in HAProxy's map. */
static struct hap_map
make_routes(struct world *w, unsigned n)
{
	struct hap_map_line *lines = calloc(n + 1, sizeof(*lines));

	if (lines == NULL)
		abort();
	for (unsigned i = 0; i < n; i++) {
		char key[64];

		(void)snprintf(key, sizeof(key), "service-%05u.example.com/rng.Rng/", i);
		lines[i] = (struct hap_map_line){ .key = world_str(w, key), .backend = STR("grpc-1") };
	}
	return (struct hap_map){ .lines = lines, .n = n };
}

struct scene {
	struct world *w;
	struct hap_map routes;
	struct control_route_map map;
	struct control_events *events;
	struct plan *plan;
	struct control_facts facts;
};

static void
tell_facts(struct scene *s)
{
	const struct plan_rules rules = { .now_ms = 500000 };
	const struct plan_memory memory = { .n = 0 };

	s->facts = (struct control_facts){
		.wall_ms = INT64_C(1795401646123),
		.mono_ms = 500000,
		.conf = world_conf(s->w),
		.connected = true,
		.ready = true,
		.desired = world_desired(s->w),
		.actual = world_actual(s->w),
		.route_maps = &s->map,
		.n_route_maps = 1,
		.events = s->events,
	};
	s->facts.roster = s->facts.desired->roster;
	if (plan_diff(&rules, s->facts.desired, s->facts.actual, &memory, &s->plan, NULL) != ERR_OK)
		abort();
	s->facts.plan = s->plan;
}

static void
add_events(struct control_events *to)
{
	for (unsigned i = 0; i < CONTROL_EVENTS_MAX; i++)
		if (control_events_add(to,
			&(struct control_event){ .kind = "notice",
			    .backend = STR("grpc-1"),
			    .message = STR(
				"joining backend grpc-1 as rc_17: takes calls once its check has passed") }) == NULL)
			abort();
}

static void
scene_make(struct scene *s, unsigned n, enum situation is)
{
	struct actual_backend *backends[N_BACKENDS];

	s->w = world_new();
	add_backends(s->w, backends);
	for (unsigned i = 0; i < n; i++) {
		char address[24];

		(void)snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		add_task(s->w, i, address);
		add_server(s->w, backends[i % N_BACKENDS], i, address, is);
	}
	s->routes = make_routes(s->w, n);
	s->map = (struct control_route_map){ .entrypoint = STR("default"), .live = &s->routes };
	if (control_events_new(1, &s->events, NULL) != ERR_OK)
		abort();
	add_events(s->events);
	tell_facts(s);
}

static void
scene_free(struct scene *s)
{
	control_events_free(s->events);
	plan_free(s->plan);
	free((void *)(uintptr_t)s->routes.lines);
	world_free(s->w);
}

/* ---- what it costs ---- */

struct cost {
	double whole_ms, longest_ms;
	size_t bytes, slices;
};

static struct cost
ask_once(const struct scene *s, const char *path)
{
	const struct control_request rq = { .method = STR("GET"), .path = str_from_cstr(path) };
	static struct control_making m;
	struct cost c = { 0 };
	bool is_whole = false;

	for (control_view_start(&rq, &m); !is_whole; c.slices++) {
		double before = cpu_ms(), took;

		is_whole = control_view_go_on(&s->facts, &m);
		took = cpu_ms() - before;
		c.whole_ms += took;
		c.longest_ms = took > c.longest_ms ? took : c.longest_ms;
	}
	c.bytes = m.answer.body.len;
	control_view_drop(&m);
	return c;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct cost
ask(const struct scene *s, const char *path, size_t rounds)
{
	double whole[ROUNDS_MAX], longest[ROUNDS_MAX];
	struct cost c = { 0 };

	for (size_t i = 0; i < rounds; i++) {
		c = ask_once(s, path);
		whole[i] = c.whole_ms;
		longest[i] = c.longest_ms;
	}
	qsort(whole, rounds, sizeof(whole[0]), by_value);
	qsort(longest, rounds, sizeof(longest[0]), by_value);
	c.whole_ms = whole[rounds / 2];
	c.longest_ms = longest[rounds / 2];
	return c;
}

static void
show(const struct scene *s, const char *of, const char *path, size_t rounds)
{
	struct cost c = ask(s, path, rounds);

	(void)printf("| %s | %s | %zu | %.1f ms | %zu | %.1f ms |\n", of, path, c.bytes / 1024, c.whole_ms, c.slices,
	    c.longest_ms);
}

static void
show_all(unsigned n, size_t rounds)
{
	static const char *const paths[] = { "/metrics", "/v1/status", "/v1/backends", "/v1/backends/grpc-1",
		"/v1/tasks/00000007", "/v1/excluded", "/v1/routes", "/v1/doctor", "/v1/plan", "/v1/events", "/" };
	struct scene s;

	scene_make(&s, n, SERVING);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		show(&s, "all serve", paths[i], rounds);
	scene_free(&s);
	scene_make(&s, n, EMPTY);
	show(&s, "HAProxy was just started", "/v1/plan", rounds);
	show(&s, "HAProxy was just started", "/metrics", rounds);
	scene_free(&s);
	scene_make(&s, n, NO_SLOTS);
	show(&s, "no slots", "/v1/status", rounds);
	show(&s, "no slots", "/v1/doctor", rounds);
	show(&s, "no slots", "/metrics", rounds);
	scene_free(&s);
}

static unsigned long
number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || n == 0 || n > max) {
		(void)fprintf(stderr, "control: `%s` is no number from 1 to %lu\n", text, max);
		exit(2);
	}
	return n;
}

int
main(int argc, char **argv)
{
	size_t rounds = 9;
	int at = 1;

	if (argc > 2 && strcmp(argv[1], "--rounds") == 0) {
		rounds = number(argv[2], ROUNDS_MAX);
		at = 3;
	}
	(void)printf(
	    "| situation | path | KiB | CPU | slices | the longest |\n| --- | --- | ---: | ---: | ---: | ---: |\n");
	if (at == argc)
		show_all(10000, rounds);
	for (; at < argc; at++)
		show_all((unsigned)number(argv[at], 100000), rounds);
	return 0;
}
