/* base/buf: a ceiling from birth, a failure that sticks, and nothing left behind. */
#include "config.h"

#include "base/buf.h"
#include "unit.h"

#define LIMIT ((size_t)100)

static void
put_times(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_put_u8(b, 'x');
}

static void
a_new_buffer_owns_nothing(void **state)
{
	struct buf b = buf_make(LIMIT);

	(void)state;
	assert_null(b.ptr);
	assert_int_equal(buf_str(&b).len, 0);
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	buf_drop_front(&b, 5);
	buf_reset(&b);
	buf_wipe(&b);
	buf_free(&b);
}

static void
what_is_put_is_there_in_order(void **state)
{
	struct buf b = buf_make(LIMIT);

	(void)state;
	buf_put(&b, STR("add "));
	buf_put(&b, STR(""));
	buf_put(&b, str_of(NULL, 0));
	buf_put_u8(&b, '#');
	buf_printf(&b, "%d/%s", 17, "x");
	buf_put(&b, STR("\0!"));
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	assert_true(str_eq(buf_str(&b), STR("add #17/x\0!")));
	buf_free(&b);
}

static void
it_holds_exactly_its_limit(void **state)
{
	struct buf b = buf_make(LIMIT);

	(void)state;
	put_times(&b, LIMIT);
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	assert_int_equal(b.len, LIMIT);
	assert_true(b.cap <= LIMIT);
	buf_put_u8(&b, 'y');
	assert_int_equal(buf_failed(&b, NULL), ERR_LIMIT);
	assert_int_equal(b.len, LIMIT);
	buf_free(&b);
}

static void
memory_never_exceeds_the_limit_whatever_it_is(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 300; limit++) {
		struct buf b = buf_make(limit);

		put_times(&b, limit + 1);
		assert_int_equal(b.len, limit);
		assert_true(b.cap <= limit);
		assert_int_equal(buf_failed(&b, NULL), ERR_LIMIT);
		buf_free(&b);
	}
}

static void
a_failure_sticks_and_leaves_the_contents_as_they_were(void **state)
{
	volatile size_t endless = SIZE_MAX; /* which no compiler need find out */
	struct buf b = buf_make(LIMIT);
	struct err e = ERR_INIT;

	(void)state;
	buf_put(&b, STR("kept"));
	buf_put(&b, str_of("", endless)); /* the length is looked at before the bytes */
	buf_put(&b, STR("refused although it would fit"));
	buf_printf(&b, "%s", "this one, too");
	assert_str(buf_str(&b), "kept");
	assert_int_equal(buf_failed(&b, &e), ERR_LIMIT);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.msg, "a buffer of at most 100 bytes: over a limit");
	buf_free(&b);
}

static void
what_is_expected_is_no_promise(void **state)
{
	struct buf b = buf_make(LIMIT);
	const uint8_t *at;

	(void)state;
	buf_expect(&b, LIMIT / 2);
	at = b.ptr;
	assert_true(b.cap >= LIMIT / 2 && b.len == 0);
	put_times(&b, LIMIT / 2);
	assert_ptr_equal(b.ptr, at);
	buf_expect(&b, LIMIT); /* over the limit: as if nothing was said */
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	assert_int_equal(b.len, LIMIT / 2);
	put_times(&b, LIMIT);
	assert_int_equal(buf_failed(&b, NULL), ERR_LIMIT);
	buf_expect(&b, 0);
	assert_int_equal(buf_failed(&b, NULL), ERR_LIMIT); /* which it still is */
	buf_free(&b);
}

static void
a_reset_or_freed_buffer_works_again(void **state)
{
	struct buf b = buf_make(LIMIT);

	(void)state;
	put_times(&b, LIMIT + 1);
	buf_reset(&b);
	buf_put(&b, STR("again"));
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	assert_str(buf_str(&b), "again");
	put_times(&b, LIMIT + 1);
	buf_free(&b);
	assert_null(b.ptr);
	assert_int_equal(b.limit, LIMIT);
	buf_put(&b, STR("and again"));
	assert_str(buf_str(&b), "and again");
	buf_wipe(&b);
	assert_null(b.ptr);
}

/* vsnprintf ends with a NUL, and that must have room, too. */
static void
formatted_text_needs_room_for_its_end(void **state)
{
	struct buf b = buf_make(10);

	(void)state;
	buf_printf(&b, "%s", "123456789");
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	assert_int_equal(b.len, 9);
	buf_put_u8(&b, '0');
	assert_str(buf_str(&b), "1234567890");
	buf_reset(&b);
	buf_printf(&b, "%s", "1234567890");
	assert_int_equal(buf_failed(&b, NULL), ERR_LIMIT);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
formatted_text_may_be_empty_or_long(void **state)
{
	struct buf b = buf_make(5000);

	(void)state;
	buf_printf(&b, "%s", "");
	assert_int_equal(b.len, 0);
	buf_printf(&b, "%04000d", 7);
	assert_int_equal(b.len, 4000);
	assert_int_equal(b.ptr[3999], '7');
	assert_int_equal(buf_failed(&b, NULL), ERR_OK);
	buf_free(&b);
}

static void
dropping_the_front_keeps_the_rest(void **state)
{
	struct buf b = buf_make(LIMIT);

	(void)state;
	buf_put(&b, STR("abcdef"));
	buf_drop_front(&b, 0);
	assert_str(buf_str(&b), "abcdef");
	buf_drop_front(&b, 2);
	assert_str(buf_str(&b), "cdef");
	buf_drop_front(&b, 4);
	assert_str(buf_str(&b), "");
	buf_put(&b, STR("gh"));
	assert_str(buf_str(&b), "gh");
	buf_drop_front(&b, SIZE_MAX);
	assert_str(buf_str(&b), "");
	buf_free(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_buffer_owns_nothing),
		cmocka_unit_test(what_is_put_is_there_in_order),
		cmocka_unit_test(it_holds_exactly_its_limit),
		cmocka_unit_test(memory_never_exceeds_the_limit_whatever_it_is),
		cmocka_unit_test(a_failure_sticks_and_leaves_the_contents_as_they_were),
		cmocka_unit_test(what_is_expected_is_no_promise),
		cmocka_unit_test(a_reset_or_freed_buffer_works_again),
		cmocka_unit_test(formatted_text_needs_room_for_its_end),
		cmocka_unit_test(formatted_text_may_be_empty_or_long),
		cmocka_unit_test(dropping_the_front_keeps_the_rest),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
