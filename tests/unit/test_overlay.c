/* plan/overlay: holds and pauses, how they end, and their file. */
#include "config.h"

#include <stdlib.h>

#include "plan/overlay.h"
#include "unit.h"
#include "worlds.h"

#define NOW_MS INT64_C(1795401646000)
#define ARN    "arn:aws:ecs:eu-west-1:123456789012:task/main/"

static struct overlay_key
key_of(const char *task)
{
	return (struct overlay_key){
		.backend = STR("grpc"), .task_arn = str_from_cstr(task), .container = STR("app"), .port = 50051
	};
}

static struct overlay *
fresh(void)
{
	struct overlay *o = NULL;

	assert_int_equal(overlay_new(&o, NULL), ERR_OK);
	return o;
}

static void
drain(struct overlay *o, const char *task, int64_t until_ms)
{
	const struct overlay_key key = key_of(task);

	assert_int_equal(
	    overlay_set_admin(o, &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, NOW_MS, until_ms, NULL), ERR_OK);
}

static void
weigh(struct overlay *o, const char *task, unsigned weight, int64_t until_ms)
{
	const struct overlay_key key = key_of(task);

	assert_int_equal(overlay_set_weight(o, &key, weight, OVERLAY_BY_HAPROXY, NOW_MS, until_ms, NULL), ERR_OK);
}

static void
assert_said(const struct overlay *o, const char *task, const char *want)
{
	const struct overlay_key key = key_of(task);
	const struct overlay_hold *h = overlay_find(o, &key);
	struct buf said = buf_make(512);

	assert_non_null(h);
	overlay_say(h, &said);
	assert_str(buf_str(&said), want);
	buf_free(&said);
}

static void
a_hold_is_found_by_its_task_and_by_nothing_else(void **state)
{
	struct overlay *o = fresh();
	struct overlay_key key = key_of(ARN "aaaa");

	(void)state;
	assert_null(overlay_find(NULL, &key));
	drain(o, ARN "aaaa", 0);
	assert_non_null(overlay_find(o, &key));
	key.port = 50052;
	assert_null(overlay_find(o, &key));
	key = key_of(ARN "aaaa");
	key.backend = STR("web");
	assert_null(overlay_find(o, &key));
	key = key_of(ARN "aaaa");
	key.container = STR("side");
	assert_null(overlay_find(o, &key));
	overlay_free(o);
}

static void
each_order_changes_what_it_names_and_an_empty_hold_is_gone(void **state)
{
	struct overlay *o = fresh();
	const struct overlay_key key = key_of(ARN "aaaa");

	(void)state;
	drain(o, ARN "aaaa", 0);
	weigh(o, ARN "aaaa", 0, 0);
	assert_said(o, ARN "aaaa", "drained by `rollcall drain`, weight 0 set on HAProxy's socket");
	assert_int_equal(overlay_set_admin(o, &key, OVERLAY_FREE, OVERLAY_BY_HAPROXY, NOW_MS, 0, NULL), ERR_OK);
	assert_said(o, ARN "aaaa", "weight 0 set on HAProxy's socket");
	overlay_clear_weight(o, &key);
	assert_int_equal(overlay_count(o), 0);
	assert_int_equal(overlay_set_admin(o, &key, OVERLAY_FREE, OVERLAY_BY_HAPROXY, NOW_MS, 0, NULL), ERR_OK);
	assert_int_equal(overlay_count(o), 0);
	drain(o, ARN "aaaa", 0);
	overlay_clear(o, &key);
	assert_int_equal(overlay_count(o), 0);
	overlay_free(o);
}

static void
what_the_file_could_not_hold_is_refused(void **state)
{
	struct overlay *o = fresh();
	struct overlay_key key = key_of("");

	(void)state;
	assert_int_equal(overlay_set_admin(o, &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, NOW_MS, 0, NULL), ERR_ARG);
	key = key_of("a\nb");
	assert_int_equal(overlay_set_weight(o, &key, 1, OVERLAY_BY_ROLLCALL, NOW_MS, 0, NULL), ERR_ARG);
	key = key_of(ARN "aaaa");
	assert_int_equal(overlay_set_weight(o, &key, 257, OVERLAY_BY_ROLLCALL, NOW_MS, 0, NULL), ERR_ARG);
	key.backend = STR("a b");
	assert_int_equal(overlay_set_weight(o, &key, 1, OVERLAY_BY_ROLLCALL, NOW_MS, 0, NULL), ERR_ARG);
	key = key_of(ARN "aaaa");
	key.port = 0;
	assert_int_equal(overlay_set_weight(o, &key, 1, OVERLAY_BY_ROLLCALL, NOW_MS, 0, NULL), ERR_ARG);
	assert_int_equal(overlay_pause(o, STR("a b"), NOW_MS, 0, NULL), ERR_ARG);
	assert_int_equal(overlay_count(o) + overlay_count_pauses(o), 0);
	overlay_free(o);
}

static void
holds_and_pauses_have_a_limit(void **state)
{
	struct overlay *o = fresh();
	struct err e = ERR_INIT;
	struct overlay_key key;

	(void)state;
	for (int i = 0; i < OVERLAY_HOLDS_MAX; i++) {
		char task[100];

		(void)snprintf(task, sizeof(task), ARN "%d", (i * 7919) % OVERLAY_HOLDS_MAX);
		drain(o, task, 0);
	}
	assert_int_equal(overlay_count(o), OVERLAY_HOLDS_MAX);
	key = key_of(ARN "more");
	assert_int_equal(overlay_set_admin(o, &key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, NOW_MS, 0, &e), ERR_LIMIT);
	for (int i = 0; i < OVERLAY_PAUSES_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "b%d", i);
		assert_int_equal(overlay_pause(o, str_from_cstr(name), NOW_MS, 0, NULL), ERR_OK);
	}
	assert_int_equal(overlay_pause(o, STR("more"), NOW_MS, 0, NULL), ERR_LIMIT);
	overlay_free(o);
}

static void
a_pause_of_all_covers_each_and_is_ended_for_all(void **state)
{
	struct overlay *o = fresh();

	(void)state;
	assert_null(overlay_find_pause(NULL, STR("grpc")));
	assert_null(overlay_find_pause(o, STR("grpc")));
	assert_int_equal(overlay_pause(o, STR("grpc"), NOW_MS, 0, NULL), ERR_OK);
	assert_non_null(overlay_find_pause(o, STR("grpc")));
	assert_null(overlay_find_pause(o, STR("web")));
	assert_int_equal(overlay_pause(o, STR(""), NOW_MS, 0, NULL), ERR_OK);
	assert_non_null(overlay_find_pause(o, STR("web")));
	assert_true(overlay_resume(o, STR("grpc")));
	assert_false(overlay_resume(o, STR("grpc")));
	assert_non_null(overlay_find_pause(o, STR("grpc"))); /* by the one of all */
	assert_true(overlay_resume(o, STR("")));
	assert_false(overlay_resume(o, STR("")));
	assert_null(overlay_find_pause(o, STR("grpc")));
	overlay_free(o);
}

/* ---- how they end ---- */

static void
time_ends_each_say_by_itself(void **state)
{
	struct overlay *o = fresh();
	int64_t next = 0;

	(void)state;
	drain(o, ARN "aaaa", NOW_MS + 5000);
	weigh(o, ARN "aaaa", 7, NOW_MS + 9000);
	assert_int_equal(overlay_pause(o, STR("grpc"), NOW_MS, NOW_MS + 7000, NULL), ERR_OK);
	assert_false(overlay_prune(o, NULL, NOW_MS + 4999, &next));
	assert_int_equal(next, NOW_MS + 5000);
	assert_true(overlay_prune(o, NULL, NOW_MS + 5000, &next));
	assert_int_equal(next, NOW_MS + 7000);
	assert_said(o, ARN "aaaa", "weight 7 set on HAProxy's socket until 2026-11-23T02:40:55.000Z");
	assert_true(overlay_prune(o, NULL, NOW_MS + 7000, &next));
	assert_int_equal(overlay_count_pauses(o), 0);
	assert_true(overlay_prune(o, NULL, NOW_MS + 9000, &next));
	assert_int_equal(next, INT64_MAX);
	assert_int_equal(overlay_count(o), 0);
	overlay_free(o);
}

static bool
is_kept(struct world *w)
{
	struct overlay *o = fresh();
	int64_t next;
	bool kept;

	drain(o, ARN "aaaa", 0);
	(void)overlay_prune(o, world_roster(w), NOW_MS, &next);
	kept = overlay_count(o) == 1;
	overlay_free(o);
	return kept;
}

static void
a_hold_ends_with_its_task_and_not_before_that_is_known(void **state)
{
	struct world *w = world_new();
	struct roster_cluster *c = world_cluster(w, "eu", "main");
	struct roster_task *t;

	(void)state;
	c->sweeps = 0;
	c->was_read = false;
	c->arn = STR("");
	assert_true(is_kept(w)); /* it was not asked yet */
	c->arn = STR("arn:aws:ecs:eu-west-1:123456789012:cluster/main");
	c->sweeps = 1;
	c->was_read = true;
	assert_true(is_kept(w)); /* one look may have been too early */
	t = world_task(w, "aaaa", ROSTER_RUNNING, "10.0.0.1");
	assert_true(is_kept(w));
	t->desired_status = ROSTER_STOPPED;
	assert_true(is_kept(w));
	t->ended_wall_ms = NOW_MS;
	assert_false(is_kept(w));
	t->desired_status = ROSTER_RUNNING;
	t->missing = 2;
	assert_true(is_kept(w)); /* reported, and no more: it may run on */
	world_free(w);
}

static void
a_task_that_two_complete_sweeps_do_not_know_is_over(void **state)
{
	struct overlay *o = fresh();
	struct world *w = world_new();
	struct roster_cluster *c = world_cluster(w, "eu", "second");
	int64_t next;

	(void)state;
	drain(o, "arn:aws:ecs:eu-west-1:123456789012:task/second/aaaa", 0);
	assert_false(overlay_prune(o, world_roster(w), NOW_MS, &next));
	c->sweeps = 2;
	assert_true(overlay_prune(o, world_roster(w), NOW_MS, &next));
	assert_int_equal(overlay_count(o), 0);
	world_free(w);
	overlay_free(o);
}

static void
a_roster_of_no_cluster_ends_no_hold(void **state)
{
	struct overlay *o = fresh();
	struct roster *r = NULL;
	int64_t next;

	(void)state;
	assert_int_equal(roster_make(NULL, 0, &r, NULL), ERR_OK);
	drain(o, "arn:aws:ecs:eu-west-1:123456789012:task/main/aaaa", 0);
	assert_false(overlay_prune(o, r, NOW_MS, &next));
	assert_int_equal(overlay_count(o), 1);
	roster_unref(r);
	overlay_free(o);
}

static void
clusters_that_cannot_be_its_own_do_not_keep_a_hold(void **state)
{
	struct overlay *o = fresh();
	struct world *w = world_new();
	int64_t next;

	(void)state;
	drain(o, "arn:aws:ecs:eu-west-1:123456789012:task/gone/aaaa", 0);
	drain(o, "arn:aws:ecs:eu-west-1:123456789012:task/bbbb", 0); /* an old one: of any cluster */
	(void)world_cluster(w, "eu", "other");
	assert_true(overlay_prune(o, world_roster(w), NOW_MS, &next));
	assert_int_equal(overlay_count(o), 1);
	assert_str(overlay_at(o, 0)->key.task_arn, "arn:aws:ecs:eu-west-1:123456789012:task/bbbb");
	world_free(w);
	overlay_free(o);
}

/* ---- the file ---- */

static void
write_text(const struct overlay *o, struct buf *text)
{
	*text = buf_make(OVERLAY_TEXT_MAX);
	assert_int_equal(overlay_write(o, text, NULL), ERR_OK);
}

static void
what_is_written_is_read_back(void **state)
{
	struct overlay *o = fresh(), *again = NULL, *copy = NULL;
	struct buf text, second, third;

	(void)state;
	drain(o, ARN "aaaa", NOW_MS + 1);
	weigh(o, ARN "aaaa", 0, 0);
	weigh(o, ARN "bbbb", 256, NOW_MS + 2);
	assert_int_equal(overlay_pause(o, STR(""), NOW_MS, 0, NULL), ERR_OK);
	assert_int_equal(overlay_pause(o, STR("grpc"), NOW_MS, NOW_MS + 3, NULL), ERR_OK);
	write_text(o, &text);
	assert_int_equal(overlay_read(buf_str(&text), &again, NULL), ERR_OK);
	write_text(again, &second);
	assert_true(str_eq(buf_str(&text), buf_str(&second)));
	assert_int_equal(overlay_copy(again, &copy, NULL), ERR_OK);
	overlay_free(again);
	write_text(copy, &third);
	assert_true(str_eq(buf_str(&text), buf_str(&third)));
	assert_said(copy, ARN "aaaa",
	    "drained by `rollcall drain` until 2026-11-23T02:40:46.001Z, weight 0 set on HAProxy's socket");
	overlay_free(copy);
	overlay_free(o);
	buf_free(&text);
	buf_free(&second);
	buf_free(&third);
}

#define HOLD(members) "{\"rollcall_overlay\":1,\"holds\":[{" members "}]}"
#define GOOD          "\"backend\":\"g\",\"task\":\"t\",\"container\":\"c\",\"port\":1"

static void
a_damaged_file_is_refused_whole(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"rollcall_overlay\":2}",
		"{\"rollcall_applied\":1}",
		"{\"rollcall_overlay\":1,\"holds\":{}}",
		"{\"rollcall_overlay\":1,\"holds\":[1]}",
		"{\"rollcall_overlay\":1,\"pauses\":[{\"backend\":\"a b\"}]}",
		"{\"rollcall_overlay\":1,\"leaves\":[{\"backend\":\"g\"}]}",
		"{\"rollcall_overlay\":1,\"leaves\":[{\"backend\":\"g\",\"server\":\"a "
		"b\",\"address\":\"1\",\"port\":1}]}",
		HOLD("\"weight\":1"),
		HOLD(GOOD ",\"weight\":257"),
		HOLD(GOOD ",\"weight\":-1"),
		HOLD(GOOD ",\"weight\":1.5"),
		HOLD(GOOD ",\"admin\":\"down\""),
		HOLD(GOOD ",\"admin\":\"drain\",\"admin_by\":\"me\""),
		HOLD(GOOD ",\"admin\":\"drain\",\"admin_until_ms\":999999999999999999"),
		HOLD("\"backend\":\"g\",\"task\":\"t t\",\"port\":1,\"weight\":1"),
		HOLD("\"backend\":\"g\",\"task\":\"t\",\"port\":65536,\"weight\":1"),
		HOLD("\"backend\":\"../g\",\"task\":\"t\",\"port\":1,\"weight\":1"),
	};

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct overlay *o = NULL;
		struct err e = ERR_INIT;

		CHECK_ROW(overlay_read(str_from_cstr(texts[i]), &o, &e) == ERR_PARSE, i, texts[i]);
		CHECK_ROW(o == NULL && e.code == ERR_PARSE && e.msg[0] != '\0', i, texts[i]);
	}
}

static void
members_that_are_not_known_are_left_alone(void **state)
{
	static const char text[] = HOLD(GOOD ",\"weight\":3,\"colour\":\"red\"");
	struct overlay *o = NULL;

	(void)state;
	assert_int_equal(overlay_read(str_from_cstr(text), &o, NULL), ERR_OK);
	assert_int_equal(overlay_count(o), 1);
	assert_int_equal(overlay_at(o, 0)->weight, 3);
	overlay_free(o);
	overlay_free(NULL);
}

/* ---- who left without proof ---- */

static struct overlay_leave
leave_from(const char *server, const char *address)
{
	return (struct overlay_leave){ .backend = STR("grpc"),
		.server = str_from_cstr(server),
		.address = str_from_cstr(address),
		.port = 50051 };
}

static void
who_left_is_remembered_for_ten_minutes_by_its_place(void **state)
{
	struct overlay *o = fresh();
	struct overlay_leave a = leave_from("rc_1", "10.0.0.1"), b = leave_from("rc_1", "10.0.0.2");
	int64_t next_ms;

	(void)state;
	assert_int_equal(overlay_note_leave(o, &a, NOW_MS, NULL), ERR_OK);
	assert_int_equal(overlay_note_leave(o, &a, NOW_MS + 5000, NULL), ERR_OK); /* the first time counts */
	assert_int_equal(overlay_count_leaves(o), 1);
	assert_non_null(overlay_find_leave(o, a.backend, a.server, a.address, a.port));
	assert_null(overlay_find_leave(o, b.backend, b.server, b.address, b.port));
	assert_null(overlay_find_leave(NULL, a.backend, a.server, a.address, a.port));
	assert_false(overlay_prune(o, NULL, NOW_MS + OVERLAY_LEAVE_KEPT_MS - 1, &next_ms));
	assert_int_equal(next_ms, NOW_MS + OVERLAY_LEAVE_KEPT_MS);
	assert_true(overlay_prune(o, NULL, NOW_MS + OVERLAY_LEAVE_KEPT_MS, &next_ms));
	assert_int_equal(overlay_count_leaves(o), 0);
	overlay_free(o);
}

static void
a_release_begins_its_own_time_and_stays_one(void **state)
{
	struct overlay *o = fresh(), *copy = NULL;
	struct overlay_leave a = leave_from("rc_1", "10.0.0.1");
	int64_t next_ms;

	(void)state;
	assert_int_equal(overlay_note_leave(o, &a, NOW_MS, NULL), ERR_OK);
	assert_int_equal(overlay_release(o, &a, NOW_MS + 60000, NULL), ERR_OK);
	assert_int_equal(overlay_note_leave(o, &a, NOW_MS + 70000, NULL), ERR_OK);
	assert_int_equal(overlay_leave_at(o, 0)->at_wall_ms, NOW_MS + 60000);
	assert_int_equal(overlay_release(o, &a, NOW_MS + 80000, NULL), ERR_OK); /* the operator asks again */
	assert_int_equal(overlay_copy(o, &copy, NULL), ERR_OK);
	assert_true(overlay_leave_at(copy, 0)->is_released);
	assert_int_equal(overlay_leave_at(copy, 0)->at_wall_ms, NOW_MS + 80000);
	/* A clock that was set back ends it, too: nobody knows how old it is. */
	assert_true(overlay_prune(copy, NULL, NOW_MS, &next_ms));
	assert_int_equal(overlay_count_leaves(copy), 0);
	overlay_free(copy);
	overlay_free(o);
}

static void
who_left_is_written_and_read_back(void **state)
{
	struct overlay *o = fresh(), *again = NULL;
	struct overlay_leave a = leave_from("rc_t1_app_50051", "fd00::1"), b = leave_from("rc_1", "10.0.0.1");
	struct buf text = buf_make(OVERLAY_TEXT_MAX);

	(void)state;
	assert_int_equal(overlay_note_leave(o, &a, NOW_MS, NULL), ERR_OK);
	assert_int_equal(overlay_release(o, &b, NOW_MS, NULL), ERR_OK);
	assert_int_equal(overlay_write(o, &text, NULL), ERR_OK);
	assert_int_equal(overlay_read(buf_str(&text), &again, NULL), ERR_OK);
	assert_int_equal(overlay_count_leaves(again), 2);
	assert_str(overlay_leave_at(again, 0)->server, "rc_1");
	assert_true(overlay_leave_at(again, 0)->is_released);
	assert_false(overlay_leave_at(again, 1)->is_released);
	assert_str(overlay_leave_at(again, 1)->address, "fd00::1");
	buf_free(&text);
	overlay_free(again);
	overlay_free(o);
}

static void
so_many_leave_and_no_more(void **state)
{
	struct overlay *o = fresh();
	struct overlay_leave bad = leave_from("a b", "10.0.0.1");
	struct err e = ERR_INIT;
	char name[32];

	(void)state;
	for (int i = 0; i <= OVERLAY_LEAVES_MAX; i++) {
		struct overlay_leave l;

		(void)snprintf(name, sizeof(name), "rc_%d", i);
		l = leave_from(name, "10.0.0.1");
		assert_int_equal(overlay_note_leave(o, &l, NOW_MS, &e), i < OVERLAY_LEAVES_MAX ? ERR_OK : ERR_LIMIT);
	}
	assert_int_equal(overlay_note_leave(o, &bad, NOW_MS, NULL), ERR_ARG);
	overlay_free(o);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hold_is_found_by_its_task_and_by_nothing_else),
		cmocka_unit_test(each_order_changes_what_it_names_and_an_empty_hold_is_gone),
		cmocka_unit_test(what_the_file_could_not_hold_is_refused),
		cmocka_unit_test(holds_and_pauses_have_a_limit),
		cmocka_unit_test(a_pause_of_all_covers_each_and_is_ended_for_all),
		cmocka_unit_test(time_ends_each_say_by_itself),
		cmocka_unit_test(a_hold_ends_with_its_task_and_not_before_that_is_known),
		cmocka_unit_test(a_task_that_two_complete_sweeps_do_not_know_is_over),
		cmocka_unit_test(a_roster_of_no_cluster_ends_no_hold),
		cmocka_unit_test(clusters_that_cannot_be_its_own_do_not_keep_a_hold),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_damaged_file_is_refused_whole),
		cmocka_unit_test(members_that_are_not_known_are_left_alone),
		cmocka_unit_test(who_left_is_remembered_for_ten_minutes_by_its_place),
		cmocka_unit_test(a_release_begins_its_own_time_and_stays_one),
		cmocka_unit_test(who_left_is_written_and_read_back),
		cmocka_unit_test(so_many_leave_and_no_more),
	};

	return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
