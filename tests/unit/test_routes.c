/* Route maps, by a clock of their own: when a route is there, moves, and goes. */
#include "config.h"

#include <stdlib.h>

#include "sync/routes.h"
#include "unit.h"

#define ROUTES_AT_MOST 4
#define NOTES_MAX      4000
#define TEXT_MAX       60

/* A daemon with one entrypoint, and the HAProxy that it talks to. */
struct stage {
	struct conf conf;
	struct conf_pair pair;
	struct roster roster;
	struct roster_cluster cluster;
	struct desired desired;
	struct desired_route routes[ROUTES_AT_MOST];
	struct plan plan;
	struct plan_backend backends[ROUTES_AT_MOST];
	struct plan_server server;
	struct actual actual;
	struct routes *r;
	struct routes_actions todo;
	int64_t now_ms;

	struct hap_map_line lines[ROUTES_AT_MOST]; /* what HAProxy holds */
	char texts[2 * ROUTES_AT_MOST][TEXT_MAX];
	size_t n_lines;
	uint64_t pid; /* HAProxy's */
	bool lacks_the_map, refuses;
	unsigned shows, swaps, writes;
	char file[500], notes[NOTES_MAX];
};

static struct stage *
begin(const char *file)
{
	static struct stage stage;
	struct stage *s = &stage;
	const struct str text = str_from_cstr(file);

	*s = (struct stage){ .now_ms = 1000, .pid = 7 };
	s->pair = (struct conf_pair){ STR("default"), STR("routes.map") };
	s->conf.haproxy.entrypoints = (struct conf_pairs){ &s->pair, 1 };
	s->conf.haproxy.apply = true;
	s->cluster.was_read = true;
	s->roster.clusters = &s->cluster;
	s->roster.n_clusters = 1;
	s->desired.roster = &s->roster;
	s->desired.routes = s->routes;
	s->plan.backends = s->backends;
	s->server.state = PLAN_STATE_UP;
	assert_int_equal(routes_new(&s->conf, &text, &s->r, NULL), ERR_OK);
	return s;
}

static void
end(struct stage *s)
{
	routes_free(s->r);
}

/* Labels ask for HOST/, which leads to backend. */
static void
wants(struct stage *s, const char *host, const char *backend)
{
	s->routes[s->desired.n_routes++] = (struct desired_route){ .entrypoint = STR("default"),
		.host = str_from_cstr(host),
		.path = STR("/"),
		.backend = str_from_cstr(backend) };
}

static struct plan_backend *
backend(struct stage *s, const char *name, bool serves)
{
	struct plan_backend *b = &s->backends[s->plan.n_backends++];

	*b = (struct plan_backend){
		.name = str_from_cstr(name), .exists = true, .servers = &s->server, .n_servers = serves ? 1 : 0
	};
	return b;
}

/* ---- HAProxy ---- */

static void
feed(struct stage *s, struct routes_event ev)
{
	size_t n = strlen(s->notes);

	ev.mono_ms = s->now_ms;
	routes_feed(s->r, &ev, &s->todo);
	for (size_t i = 0; i < s->todo.n_notes; i++)
		n += (size_t)snprintf(s->notes + n, NOTES_MAX - n, "%s\n", s->todo.notes[i].text);
	assert_true(n < NOTES_MAX);
}

static void
show(struct stage *s)
{
	const struct hap_map map = { s->lines, s->n_lines };
	struct err e = ERR_INIT;

	s->shows++;
	if (s->lacks_the_map)
		err_fill(&e, ERR_REMOTE, 0, "HAProxy has no map");
	feed(s, (struct routes_event){
		    .kind = ROUTES_SHOWN, .err = &e, .map = s->lacks_the_map ? NULL : &map, .pid = s->pid });
}

static void
keep(char to[static TEXT_MAX], struct str from, struct str *ret)
{
	assert_true(from.len < TEXT_MAX);
	(void)snprintf(to, TEXT_MAX, STR_FMT, STR_ARG(from));
	*ret = str_from_cstr(to);
}

static void
hold(struct stage *s, const struct hap_map *map)
{
	assert_true(map->n <= ROUTES_AT_MOST);
	s->n_lines = map->n;
	for (size_t i = 0; i < map->n; i++) {
		keep(s->texts[2 * i], map->lines[i].key, &s->lines[i].key);
		keep(s->texts[2 * i + 1], map->lines[i].backend, &s->lines[i].backend);
	}
}

static void
swap(struct stage *s)
{
	struct err e = ERR_INIT;

	s->swaps++;
	if (s->refuses) {
		err_fill(&e, ERR_REFUSED, 0, "HAProxy refuses routes");
	} else if (s->todo.pid != s->pid) {
		err_fill(&e, ERR_CANCELLED, 0, "another process");
	} else {
		hold(s, s->todo.map);
	}
	feed(s, (struct routes_event){ .kind = ROUTES_SWAPPED, .err = &e });
}

static void
carry_out(struct stage *s)
{
	for (unsigned i = 0; s->todo.show || s->todo.swap || s->todo.write; i++) {
		assert_true(i < 20);
		if (s->todo.write) {
			s->writes++;
			(void)snprintf(s->file, sizeof(s->file), STR_FMT, STR_ARG(s->todo.text));
			s->todo.write = false;
			if (!s->todo.show && !s->todo.swap)
				feed(s, (struct routes_event){ .kind = ROUTES_WRITTEN });
			continue;
		}
		if (s->todo.show)
			show(s);
		else
			swap(s);
	}
}

/* HAProxy is read back, and what follows from it. */
static void
pass(struct stage *s)
{
	const struct reconcile_view v = { .desired = &s->desired, .plan = &s->plan, .actual = &s->actual };

	s->actual.pid = s->pid;
	feed(s, (struct routes_event){ .kind = ROUTES_PASSED, .view = &v });
	carry_out(s);
	feed(s, (struct routes_event){ .kind = ROUTES_WRITTEN });
	carry_out(s);
}

static void
wait_ms(struct stage *s, int64_t ms)
{
	s->now_ms += ms;
	feed(s, (struct routes_event){ .kind = ROUTES_TICK });
	carry_out(s);
}

static bool
leads(const struct stage *s, const char *key, const char *to)
{
	const struct hap_map *live = routes_live(s->r, 0);
	const struct hap_map_line *line = live != NULL ? hap_map_find(live, str_from_cstr(key)) : NULL;

	return to == NULL ? line == NULL : line != NULL && str_eq(line->backend, str_from_cstr(to));
}

/* ---- tests ---- */

static void
a_route_is_there_once_its_backend_serves(void **state)
{
	struct stage *s;
	struct plan_backend *b;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	b = backend(s, "web", false);
	pass(s);
	assert_true(leads(s, "shop/", NULL));
	b->n_servers = 1;
	pass(s);
	assert_true(leads(s, "shop/", "web"));
	assert_non_null(strstr(s->file, "shop/ web\n"));
	assert_non_null(strstr(s->notes, "1 routes, of which 1 new"));
	end(s);
}

static void
a_route_waits_for_its_backend_no_longer_than_it_may(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	(void)backend(s, "web", false);
	pass(s);
	s->now_ms += ROUTES_WAIT_MS - 1;
	pass(s);
	assert_true(leads(s, "shop/", NULL));
	s->now_ms += 1;
	pass(s);
	assert_true(leads(s, "shop/", "web"));
	end(s);
}

static void
a_route_moves_once_the_other_backend_serves_or_the_old_one_does_not(void **state)
{
	struct stage *s;
	struct plan_backend *old, *fresh;

	(void)state;
	for (int by_need = 0; by_need < 2; by_need++) {
		s = begin("");
		wants(s, "shop", "old");
		old = backend(s, "old", true);
		fresh = backend(s, "fresh", false);
		pass(s);
		s->routes[0].backend = STR("fresh");
		pass(s);
		assert_true(leads(s, "shop/", "old"));
		*(by_need ? &old->n_servers : &fresh->n_servers) = by_need ? 0 : 1;
		pass(s);
		assert_true(leads(s, "shop/", "fresh"));
		end(s);
	}
}

/* At a start that is what stands in the file; then what HAProxy has. */
static void
it_is_known_where_a_place_leads_now(void **state)
{
	struct desired_route place = {
		.entrypoint = STR("default"), .host = STR("shop"), .path = STR("/"), .backend = STR("any")
	};
	struct stage *s;

	(void)state;
	s = begin("shop/ old\nshop/? exact\n");
	assert_str(routes_at(s->r, &place), "old");
	place.is_exact = true;
	assert_str(routes_at(s->r, &place), "exact");
	place.is_exact = false;
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	pass(s);
	assert_str(routes_at(s->r, &place), "web");
	place.host = STR("nobody");
	assert_str(routes_at(s->r, &place), "");
	place.host = STR("shop");
	place.entrypoint = STR("elsewhere");
	assert_str(routes_at(s->r, &place), "");
	end(s);
}

/* So that whoever had it has it, when it comes to who had it. */
static void
a_place_that_a_reload_of_haproxy_lost_is_still_whose_it_was(void **state)
{
	const struct desired_route place = {
		.entrypoint = STR("default"), .host = STR("shop"), .path = STR("/"), .backend = STR("any")
	};
	struct stage *s;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	pass(s);
	s->n_lines = 0;
	s->refuses = true;
	wait_ms(s, ROUTES_SHOW_EVERY_MS);
	assert_true(leads(s, "shop/", NULL));
	assert_str(routes_at(s->r, &place), "web");
	end(s);
}

/* The file may be lost, or older than what HAProxy holds. */
static void
what_haproxy_holds_is_read_before_a_route_moves(void **state)
{
	static const char *const files[] = { "", "shop/ fresh\n", "shop/ other\nelse/ old\n" };
	struct stage *s;
	struct plan_backend *fresh;

	(void)state;
	for (size_t i = 0; i < N_OF(files); i++) {
		s = begin(files[i]);
		s->lines[s->n_lines++] = (struct hap_map_line){ STR("shop/"), STR("old") };
		wants(s, "shop", "fresh");
		(void)backend(s, "old", true);
		fresh = backend(s, "fresh", true);
		pass(s);
		assert_true(leads(s, "shop/", "old"));
		assert_int_equal(s->swaps + s->writes, 0);
		fresh->n_servers = 0;
		pass(s);
		assert_true(leads(s, "shop/", "old"));
		assert_non_null(strstr(s->file, "shop/ old\n"));
		fresh->n_servers = 1;
		pass(s);
		assert_true(leads(s, "shop/", "fresh"));
		end(s);
	}
}

static void
nothing_is_taken_out_while_a_cluster_was_never_read(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("shop/ web\n");
	s->cluster.was_read = false;
	s->lines[s->n_lines++] = (struct hap_map_line){ STR("shop/"), STR("web") };
	pass(s);
	pass(s);
	assert_int_equal(s->swaps + s->writes, 0);
	assert_true(leads(s, "shop/", "web"));
	s->cluster.was_read = true;
	s->desired.routes_are_cut = true; /* not all that labels ask for was looked at */
	pass(s);
	assert_int_equal(s->swaps + s->writes, 0);
	s->desired.routes_are_cut = false;
	pass(s);
	assert_true(leads(s, "shop/", NULL));
	assert_null(strstr(s->file, "shop"));
	end(s);
}

/* At a start clusters are read one after the other: who has the better claim may come last. */
static void
nothing_moves_away_from_who_serves_while_a_cluster_is_waited_for(void **state)
{
	struct stage *s;
	struct plan_backend *old;

	(void)state;
	for (int by = 0; by < 3; by++) {
		s = begin("shop/ old\n");
		s->lines[s->n_lines++] = (struct hap_map_line){ STR("shop/"), STR("old") };
		s->cluster.was_read = false;
		wants(s, "shop", "fresh");
		old = backend(s, "old", true);
		(void)backend(s, "fresh", true);
		pass(s);
		assert_true(leads(s, "shop/", "old"));
		assert_int_equal(s->swaps + s->writes, 0);
		if (by == 0)
			s->cluster.fault_is_permanent = true;
		else if (by == 1)
			old->n_servers = 0;
		else
			s->routes[0].is_entrys = true; /* whose place it is whatever labels say */
		pass(s);
		assert_true(leads(s, "shop/", "fresh"));
		end(s);
	}
}

/* The plan is made before the map is read that tells who has the place. */
static void
who_has_a_place_keeps_it_if_it_was_decided_by_that_and_for_another(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("shop/ old\n");
	s->lines[s->n_lines++] = (struct hap_map_line){ STR("shop/"), STR("old") };
	wants(s, "shop", "fresh");
	s->routes[0].is_open = true;
	(void)backend(s, "old", true);
	(void)backend(s, "fresh", true);
	pass(s);
	assert_true(leads(s, "shop/", "old"));
	assert_int_equal(s->swaps + s->writes, 0);
	s->routes[0].led_to = STR("old");
	pass(s);
	assert_true(leads(s, "shop/", "fresh"));
	end(s);
}

static void
somebody_elses_hand_is_put_right(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	pass(s);
	s->lines[0].backend = STR("nowhere");
	wait_ms(s, ROUTES_SHOW_EVERY_MS);
	assert_true(leads(s, "shop/", "web"));
	assert_true(str_eq(s->lines[0].backend, STR("web")));
	end(s);
}

/* A worker that was replaced is told nothing, and the new one is read first. */
static void
another_process_is_read_before_it_is_told_anything(void **state)
{
	struct stage *s;
	unsigned shows;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	pass(s);
	s->pid = 8;
	s->n_lines = 0;
	shows = s->shows;
	pass(s);
	assert_true(s->shows > shows);
	assert_true(leads(s, "shop/", "web"));
	end(s);
}

static void
a_map_that_haproxy_lacks_is_told_once_and_asked_for_ever_more_rarely(void **state)
{
	struct stage *s;
	unsigned shows;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	s->lacks_the_map = true;
	pass(s);
	shows = s->shows;
	pass(s);
	assert_int_equal(s->shows, shows);
	for (int i = 0; i < 60; i++)
		wait_ms(s, 1000);
	assert_true(s->shows > shows && s->shows < shows + 10);
	assert_true(routes_fault(s->r, 0)->on);
	assert_non_null(strstr(s->notes, "must read the map"));
	assert_null(strstr(strstr(s->notes, "must read the map") + 1, "must read the map"));
	s->lacks_the_map = false;
	wait_ms(s, ROUTES_LAST_MS);
	pass(s);
	assert_true(leads(s, "shop/", "web"));
	assert_false(routes_fault(s->r, 0)->on);
	assert_non_null(strstr(s->notes, "its routes are in force"));
	end(s);
}

static void
a_swap_that_is_refused_is_tried_again(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("");
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	s->refuses = true;
	pass(s);
	pass(s);
	assert_int_equal(s->swaps, 1);
	assert_non_null(strstr(s->notes, "HAProxy refuses routes"));
	s->refuses = false;
	wait_ms(s, ROUTES_RETRY_MS);
	wait_ms(s, ROUTES_RETRY_MS);
	assert_true(leads(s, "shop/", "web"));
	end(s);
}

/* Also of an empty map: what stands in the file would be in force again after a reload. */
static void
a_file_that_cannot_be_written_is_written_again_in_time(void **state)
{
	struct stage *s;
	struct err e = ERR_INIT;

	(void)state;
	for (int is_empty = 0; is_empty < 2; is_empty++) {
		s = begin(is_empty ? "shop/ web\n" : "");
		if (!is_empty)
			wants(s, "shop", "web");
		(void)backend(s, "web", true);
		s->actual.pid = s->pid;
		err_fill(&e, ERR_IO, 28, "no space left");
		{
			const struct reconcile_view v = {
				.desired = &s->desired, .plan = &s->plan, .actual = &s->actual
			};

			feed(s, (struct routes_event){ .kind = ROUTES_PASSED, .view = &v });
		}
		assert_true(s->todo.show && !s->todo.write);
		show(s);
		assert_true(s->todo.write);
		feed(s, (struct routes_event){ .kind = ROUTES_WRITTEN, .err = &e });
		assert_true(routes_fault(s->r, 0)->on);
		assert_non_null(strstr(s->notes, "routes change at run time all the same"));
		assert_false(s->todo.write);
		s->now_ms += ROUTES_RETRY_MS;
		feed(s, (struct routes_event){ .kind = ROUTES_TICK });
		assert_true(s->todo.write);
		assert_int_equal(str_has_suffix(s->todo.text, STR("\nshop/ web\n")), !is_empty);
		feed(s, (struct routes_event){ .kind = ROUTES_WRITTEN });
		assert_false(routes_fault(s->r, 0)->on);
		assert_non_null(strstr(s->notes, "its map's file is written again"));
		end(s);
	}
}

/* Not all is known, HAProxy is going down, or rollcall only looks on. */
static void
nothing_is_asked_while_nothing_may_be(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct stage *s = begin("");
		struct reconcile_view v = { .desired = &s->desired, .plan = &s->plan, .actual = &s->actual };

		wants(s, "shop", "web");
		(void)backend(s, "web", true);
		v.desired = i == 0 ? NULL : v.desired;
		v.actual = i == 1 ? NULL : v.actual;
		v.plan = i == 2 ? NULL : v.plan;
		s->actual.stopping = i == 3;
		s->conf.haproxy.apply = i != 4;
		feed(s, (struct routes_event){ .kind = ROUTES_PASSED, .view = &v });
		assert_false(s->todo.show || s->todo.swap || s->todo.write);
		end(s);
	}
}

static void
a_daemon_that_labels_never_asked_anything_of_touches_nothing(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("");
	pass(s);
	wait_ms(s, ROUTES_LAST_MS);
	assert_int_equal(s->shows + s->swaps + s->writes, 0);
	end(s);
}

/* A backend goes after its routes: while one may lead there, it stays. */
static void
a_route_leads_somewhere_until_haproxy_was_seen_without_it(void **state)
{
	struct stage *s;

	(void)state;
	s = begin("shop/ web\n");
	assert_true(routes_lead_to(s->r, STR("web")));
	assert_true(routes_lead_to(s->r, STR("other"))); /* nothing is known yet */
	s->lines[s->n_lines++] = (struct hap_map_line){ STR("shop/"), STR("web") };
	wants(s, "shop", "web");
	(void)backend(s, "web", true);
	pass(s);
	assert_true(routes_lead_to(s->r, STR("web")));
	assert_false(routes_lead_to(s->r, STR("other")));
	s->pid = 8;
	s->lacks_the_map = true;
	pass(s);
	assert_true(routes_lead_to(s->r, STR("other"))); /* it may, in another process */
	s->lacks_the_map = false;
	wait_ms(s, ROUTES_RETRY_MS);
	assert_false(routes_lead_to(s->r, STR("other")));
	s->desired.n_routes = 0;
	s->refuses = true;
	pass(s);
	assert_true(routes_lead_to(s->r, STR("web")));
	s->refuses = false;
	wait_ms(s, ROUTES_RETRY_MS);
	wait_ms(s, ROUTES_RETRY_MS);
	assert_false(routes_lead_to(s->r, STR("web")));
	end(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_is_there_once_its_backend_serves),
		cmocka_unit_test(a_route_waits_for_its_backend_no_longer_than_it_may),
		cmocka_unit_test(a_route_moves_once_the_other_backend_serves_or_the_old_one_does_not),
		cmocka_unit_test(it_is_known_where_a_place_leads_now),
		cmocka_unit_test(a_place_that_a_reload_of_haproxy_lost_is_still_whose_it_was),
		cmocka_unit_test(what_haproxy_holds_is_read_before_a_route_moves),
		cmocka_unit_test(nothing_is_taken_out_while_a_cluster_was_never_read),
		cmocka_unit_test(nothing_moves_away_from_who_serves_while_a_cluster_is_waited_for),
		cmocka_unit_test(who_has_a_place_keeps_it_if_it_was_decided_by_that_and_for_another),
		cmocka_unit_test(somebody_elses_hand_is_put_right),
		cmocka_unit_test(another_process_is_read_before_it_is_told_anything),
		cmocka_unit_test(a_map_that_haproxy_lacks_is_told_once_and_asked_for_ever_more_rarely),
		cmocka_unit_test(a_swap_that_is_refused_is_tried_again),
		cmocka_unit_test(a_file_that_cannot_be_written_is_written_again_in_time),
		cmocka_unit_test(nothing_is_asked_while_nothing_may_be),
		cmocka_unit_test(a_daemon_that_labels_never_asked_anything_of_touches_nothing),
		cmocka_unit_test(a_route_leads_somewhere_until_haproxy_was_seen_without_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
