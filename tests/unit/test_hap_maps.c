/* Route maps are read and swapped over a link that the test answers by hand. */
#include "config.h"

#include "hap/hap_maps.h"

#include "fake_link.h"
#include "unit.h"

#define INFO       "Name: HAProxy\nVersion: 3.0.5\nPid: 42\nStopping: 0\nStart_time_sec: 1000\n\n"
#define INFO_LATER "Name: HAProxy\nVersion: 3.0.5\nPid: 42\nStopping: 0\nStart_time_sec: 1001\n\n"
#define VERSION_7  "New version created: 7\n"
#define PREPARE    "show info\nprepare map /m\n"
#define FILL       "show info\nadd map @7 /m <<\na/ web\nb/ shop\n\ncommit map @7 /m\n"
#define DROP       "show info\nclear map @7 /m\n"

static const struct hap_map_line lines[] = { { { "a/", 2 }, { "web", 3 } }, { { "b/", 2 }, { "shop", 4 } } };
static const struct hap_map two = { lines, N_OF(lines) };

struct world {
	struct fake_link link;
	struct hap_maps *maps;
	int n_told;
	size_t n_lines;
	uint64_t pid, start_time_s;
	struct err e;
};

static void
world_open(struct world *w)
{
	*w = (struct world){ .n_told = 0 };
	fake_link_open(&w->link);
	assert_int_equal(hap_maps_new(&w->link.link, &w->maps, NULL), ERR_OK);
}

static void
world_close(struct world *w)
{
	hap_maps_close(w->maps);
	fake_link_free(&w->link);
}

static void
on_shown(void *arg, const struct hap_maps_shown *shown, const struct err *e)
{
	struct world *w = arg;

	w->n_told++;
	assert_true((shown == NULL) == (e != NULL));
	w->e = e != NULL ? *e : ERR_INIT;
	if (shown == NULL)
		return;
	w->pid = shown->pid;
	w->start_time_s = shown->start_time_s;
	w->n_lines = shown->map.n;
	assert_str(hap_map_find(&shown->map, STR("a/"))->backend, "web");
}

static void
on_swapped(void *arg, const struct err *e)
{
	struct world *w = arg;

	w->n_told++;
	w->e = *e;
}

static void
swap(struct world *w, const struct hap_map *want)
{
	assert_int_equal(hap_maps_swap(w->maps, STR("/m"), want, 42, 1000, on_swapped, w, NULL), ERR_OK);
	assert_int_equal(w->n_told, 0); /* never from inside the call */
}

static void
a_map_is_shown_with_the_process_that_has_it(void **state)
{
	static const char *const replies[] = { INFO, "0x5581 a/ web\n0x5582 b/ shop\n\n" };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_maps_show(w.maps, STR("/m"), on_shown, &w, NULL), ERR_OK);
	assert_int_equal(w.n_told, 0);
	assert_str(buf_str(&w.link.asked[0].commands), "show info\nshow map /m\n");
	fake_link_answer(&w.link, replies, 2);
	assert_int_equal(w.n_told, 1);
	assert_int_equal(w.e.code, ERR_OK);
	assert_int_equal(w.pid, 42);
	assert_int_equal(w.start_time_s, 1000);
	assert_int_equal(w.n_lines, 2);
	world_close(&w);
}

static void
a_map_that_cannot_be_read_is_an_error_and_never_an_empty_one(void **state)
{
	static const struct {
		const char *replies[2];
		size_t n;
		enum err_code code;
	} rows[] = {
		{ { INFO, "[3]: Unknown map identifier. Please use #<id> or <name>.\n" }, 2, ERR_REMOTE },
		{ { INFO, "[3]: Permission denied\n" }, 2, ERR_REMOTE },
		{ { "hello", "" }, 2, ERR_PARSE },
		{ { INFO, "" }, 1, ERR_CLOSED },
		{ { INFO, "" }, 0, ERR_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world w;

		world_open(&w);
		assert_int_equal(hap_maps_show(w.maps, STR("/m"), on_shown, &w, NULL), ERR_OK);
		fake_link_answer(&w.link, rows[i].replies, rows[i].n);
		CHECK_ROW(w.n_told == 1 && w.e.code == rows[i].code, i, w.e.msg);
		world_close(&w);
	}
}

static void
a_swap_prepares_fills_and_commits(void **state)
{
	static const char *const prepared[] = { INFO, VERSION_7 }, *const filled[] = { INFO, "+ + \n", "\n" };
	struct world w;

	(void)state;
	world_open(&w);
	swap(&w, &two);
	assert_str(buf_str(&w.link.asked[0].commands), PREPARE);
	fake_link_answer(&w.link, prepared, 2);
	assert_int_equal(w.n_told, 0);
	assert_str(buf_str(&w.link.asked[1].commands), FILL);
	fake_link_answer(&w.link, filled, 3);
	assert_int_equal(w.n_told, 1);
	assert_int_equal(w.e.code, ERR_OK);
	assert_int_equal(w.link.n_asked, 2);
	world_close(&w);
}

static void
a_map_may_be_swapped_for_an_empty_one(void **state)
{
	static const char *const prepared[] = { INFO, VERSION_7 };
	struct world w;

	(void)state;
	world_open(&w);
	swap(&w, &(struct hap_map){ .n = 0 });
	fake_link_answer(&w.link, prepared, 2);
	assert_str(buf_str(&w.link.asked[1].commands), "show info\ncommit map @7 /m\n");
	world_close(&w);
}

/* Whichever of the commands it was; how the dropping ends changes nothing. */
static void
what_haproxy_refuses_is_dropped_and_told(void **state)
{
	static const char *const prepared[] = { INFO, VERSION_7 };
	static const struct {
		const char *filled[3], *dropped[2];
		size_t n_dropped;
	} rows[] = {
		{ { INFO, "[3]: no room\n", "\n" }, { INFO, "\n" }, 2 },
		{ { INFO, "\n", "[3]: no room\n" }, { INFO, "[3]: Permission denied\n" }, 2 },
		{ { INFO, "[3]: no room\n", "[3]: no map\n" }, { INFO, "" }, 0 },
		{ { INFO, "[3]: no room\n", "" }, { INFO_LATER, "" }, 2 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world w;

		world_open(&w);
		swap(&w, &two);
		fake_link_answer(&w.link, prepared, 2);
		fake_link_answer(&w.link, rows[i].filled, 3);
		CHECK_ROW(w.n_told == 0, i, w.e.msg);
		assert_str(buf_str(&w.link.asked[2].commands), DROP);
		fake_link_answer(&w.link, rows[i].dropped, rows[i].n_dropped);
		CHECK_ROW(w.n_told == 1 && w.e.code == ERR_REFUSED, i, w.e.msg);
		CHECK_ROW(strstr(w.e.msg, "no room") != NULL, i, w.e.msg);
		world_close(&w);
	}
}

static void
without_a_version_nothing_is_filled(void **state)
{
	static const char *const refused[] = { INFO, "[3]: Unknown map identifier\n" };
	struct world w;

	(void)state;
	world_open(&w);
	swap(&w, &two);
	fake_link_answer(&w.link, refused, 2);
	assert_int_equal(w.n_told, 1);
	assert_int_equal(w.e.code, ERR_REFUSED);
	assert_int_equal(w.link.n_asked, 1);
	world_close(&w);
}

/* Its map is not the one that was looked at. */
static void
another_process_is_told_nothing_more(void **state)
{
	static const char *const prepared[] = { INFO, VERSION_7 };
	static const char *const others[] = { INFO_LATER,
		"Version: 3.0.5\nPid: 43\nStopping: 0\nStart_time_sec: 1000\n", "hello" };

	(void)state;
	for (size_t i = 0; i < 2 * N_OF(others); i++) {
		size_t at = i / N_OF(others); /* the batch that it answers */
		struct world w;

		world_open(&w);
		swap(&w, &two);
		if (at > 0)
			fake_link_answer(&w.link, prepared, 2);
		fake_link_answer(&w.link, &others[i % N_OF(others)], 1);
		CHECK_ROW(w.n_told == 1 && w.e.code == ERR_CANCELLED, i, w.e.msg);
		CHECK_ROW(w.link.n_asked == at + 1, i, "asked on");
		world_close(&w);
	}
}

static void
a_batch_that_was_cut_short_ends_the_swap(void **state)
{
	static const char *const prepared[] = { INFO, VERSION_7 };

	(void)state;
	for (size_t at = 0; at < 2; at++) {
		struct world w;

		world_open(&w);
		swap(&w, &two);
		if (at > 0)
			fake_link_answer(&w.link, prepared, 2);
		fake_link_answer(&w.link, prepared, 1);
		CHECK_ROW(w.n_told == 1 && w.e.code == ERR_CLOSED, at, w.e.msg);
		CHECK_ROW(w.link.n_asked == at + 1, at, "asked on");
		world_close(&w);
	}
}

static void
there_is_one_thing_at_a_time_and_an_error_ends_it(void **state)
{
	static const char *const replies[] = { INFO, "" };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_maps_show(w.maps, STR("/a b"), on_shown, &w, NULL), ERR_ARG);
	assert_int_equal(hap_maps_swap(w.maps, STR("/a;b"), &two, 42, 1000, on_swapped, &w, NULL), ERR_ARG);
	w.link.refuses = ERR_LIMIT;
	assert_int_equal(hap_maps_show(w.maps, STR("/m"), on_shown, &w, NULL), ERR_LIMIT);
	w.link.refuses = ERR_OK;
	swap(&w, &two);
	assert_int_equal(hap_maps_show(w.maps, STR("/m"), on_shown, &w, NULL), ERR_LIMIT);
	fake_link_answer(&w.link, replies, 0);
	assert_int_equal(w.n_told, 1);
	assert_int_equal(hap_maps_show(w.maps, STR("/m"), on_shown, &w, NULL), ERR_OK);
	world_close(&w); /* with one under way, which nobody is told of */
	assert_int_equal(w.n_told, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_is_shown_with_the_process_that_has_it),
		cmocka_unit_test(a_map_that_cannot_be_read_is_an_error_and_never_an_empty_one),
		cmocka_unit_test(a_swap_prepares_fills_and_commits),
		cmocka_unit_test(a_map_may_be_swapped_for_an_empty_one),
		cmocka_unit_test(what_haproxy_refuses_is_dropped_and_told),
		cmocka_unit_test(without_a_version_nothing_is_filled),
		cmocka_unit_test(another_process_is_told_nothing_more),
		cmocka_unit_test(a_batch_that_was_cut_short_ends_the_swap),
		cmocka_unit_test(there_is_one_thing_at_a_time_and_an_error_ends_it),
	};

	return cmocka_run_group_tests_name("hap_maps", tests, NULL, NULL);
}
