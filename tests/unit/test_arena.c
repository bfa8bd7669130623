/* base/arena: one limit for all of it, and no arithmetic that wraps. */
#include "config.h"

#include <stdalign.h>

#include "base/arena.h"
#include "unit.h"

static bool
is_zeroed(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void
what_it_gives_is_zeroed_aligned_and_apart(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);
	unsigned char *before = NULL;
	size_t before_size = 0;

	(void)state;
	assert_non_null(a);
	for (size_t size = 1; size < 600; size += 7) {
		unsigned char *p = arena_alloc(a, 1, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		assert_true(is_zeroed(p, size));
		if (before != NULL)
			assert_true(p >= before + before_size || p + size <= before);
		memset(p, 0xa5, size);
		before = p;
		before_size = size;
	}
}

static void
it_refuses_to_grow_past_its_limit(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(4096);
	size_t given = 0;

	(void)state;
	while (arena_alloc(a, 1, 64) != NULL) {
		given += 64;
		assert_true(given <= 4096);
	}
	/* Chunks double, and the last takes what is left: little is lost. */
	assert_true(given > 4096 - 256);
	assert_null(arena_alloc(a, 1, 4096));
}

static void
one_large_piece_may_take_the_whole_limit(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(1 << 20);

	(void)state;
	assert_null(arena_alloc(a, 1, (1 << 20) + 1));
	assert_non_null(arena_alloc(a, 1, 1 << 20));
	assert_null(arena_alloc(a, 1, 1));
}

static void
a_large_piece_between_small_ones_is_no_harm(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(8 << 20);

	(void)state;
	for (int i = 0; i < 20; i++) {
		char *small = arena_alloc(a, 1, 16);
		char *large = arena_alloc(a, 3, 100000);

		assert_non_null(small);
		assert_non_null(large);
		memset(small, 1, 16);
		memset(large, 2, 300000);
	}
}

static void
a_product_or_sum_that_wraps_is_refused(void **state)
{
	static const size_t pairs[][2] = {
		{ SIZE_MAX, 1 },
		{ SIZE_MAX, 2 },
		{ 1, SIZE_MAX },
		{ 2, SIZE_MAX / 2 + 1 },
		{ SIZE_MAX / 2 + 1, 2 },
		{ SIZE_MAX / 8 + 1, 8 },
		{ (SIZE_MAX >> 32) + 1, (SIZE_MAX >> 32) + 1 },
		{ 1, SIZE_MAX - 15 },
		{ 1, SIZE_MAX - 16 },
		{ 1, SIZE_MAX - 31 },
		{ 1, SIZE_MAX - 32 },
		{ 1, SIZE_MAX - 47 },
	};
	CLEANUP(arena_free_at) struct arena *a = arena_new(SIZE_MAX);

	(void)state;
	for (size_t i = 0; i < N_OF(pairs); i++)
		CHECK_ROW(arena_alloc(a, pairs[i][0], pairs[i][1]) == NULL, i, "wraps");
	assert_non_null(arena_alloc(a, 1, 1));
}

static void
nothing_asked_is_something_given(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(0);

	(void)state;
	assert_non_null(arena_alloc(a, 0, 8));
	assert_non_null(arena_alloc(a, SIZE_MAX, 0));
	assert_null(arena_alloc(a, 1, 1));
}

static void
a_copy_of_a_string_ends_with_a_nul(void **state)
{
	CLEANUP(arena_wipe_at) struct arena *a = arena_new(4096);
	struct str copy = { NULL, 0 };
	const char *text;

	(void)state;
	text = arena_strdup(a, str_of("abcdef", 3));
	assert_non_null(text);
	assert_string_equal(text, "abc");
	text = arena_strdup(a, str_of(NULL, 0));
	assert_non_null(text);
	assert_string_equal(text, "");
	assert_true(arena_str(a, STR("x\0y"), &copy));
	assert_true(str_eq(copy, STR("x\0y")));
	assert_int_equal(copy.ptr[3], '\0');
}

static void
a_copy_that_is_refused_leaves_its_result_alone(void **state)
{
	static const char large[100];
	CLEANUP(arena_free_at) struct arena *a = arena_new(100);
	struct str copy = STR("as it was");

	(void)state;
	assert_null(arena_strdup(a, str_of(large, sizeof(large))));
	assert_false(arena_str(a, str_of(large, sizeof(large)), &copy));
	assert_str(copy, "as it was");
}

static void
freeing_nothing_is_fine(void **state)
{
	(void)state;
	arena_free(NULL);
	arena_wipe(NULL);
}

static void
typed_pieces_come_by_macro(void **state)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(4096);
	int64_t *one = ARENA_NEW(a, int64_t);
	int64_t *ten = ARENA_ARRAY(a, int64_t, 10);

	(void)state;
	assert_non_null(one);
	assert_non_null(ten);
	assert_int_equal(ten[9], 0);
	assert_null(ARENA_ARRAY(a, int64_t, SIZE_MAX / 4));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_gives_is_zeroed_aligned_and_apart),
		cmocka_unit_test(it_refuses_to_grow_past_its_limit),
		cmocka_unit_test(one_large_piece_may_take_the_whole_limit),
		cmocka_unit_test(a_large_piece_between_small_ones_is_no_harm),
		cmocka_unit_test(a_product_or_sum_that_wraps_is_refused),
		cmocka_unit_test(nothing_asked_is_something_given),
		cmocka_unit_test(a_copy_of_a_string_ends_with_a_nul),
		cmocka_unit_test(a_copy_that_is_refused_leaves_its_result_alone),
		cmocka_unit_test(freeing_nothing_is_fine),
		cmocka_unit_test(typed_pieces_come_by_macro),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
