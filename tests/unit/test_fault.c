/* base/fault: said once, again when it changes or lasts, and once when it is over. */
#include "config.h"

#include "base/fault.h"
#include "unit.h"

static bool
raise(struct fault *f, int64_t at_ms, enum err_code code, const char *text)
{
	struct err e = ERR_INIT;

	err_fill(&e, code, 0, "%s", text);
	return fault_raise(f, at_ms, &e);
}

static void
it_is_said_once_and_counted(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_true(raise(&f, 1000, ERR_IO, "no answer"));
	assert_true(f.on);
	assert_int_equal(f.since_ms, 1000);
	for (int i = 1; i < 100; i++)
		assert_false(raise(&f, 1000 + i, ERR_IO, "no answer"));
	assert_int_equal(f.count, 100);
	assert_int_equal(f.since_ms, 1000);
	assert_string_equal(f.err.msg, "no answer");
}

static void
one_at_time_zero_is_said_once_too(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_true(raise(&f, 0, ERR_IO, "no answer"));
	assert_false(raise(&f, 1, ERR_IO, "no answer"));
}

static void
it_is_said_again_when_its_text_or_code_changes(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_true(raise(&f, 0, ERR_IO, "refused"));
	assert_true(raise(&f, 1, ERR_IO, "no such file"));
	assert_false(raise(&f, 2, ERR_IO, "no such file"));
	assert_true(raise(&f, 3, ERR_TIMEOUT, "no such file"));
	assert_int_equal(f.count, 4);
	assert_int_equal(f.since_ms, 0);
	assert_int_equal(f.err.code, ERR_TIMEOUT);
}

static void
it_is_not_said_again_when_only_numbers_and_ids_change(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_true(raise(&f, 0, ERR_PARSE, "not JSON: line 1, column 52071: cut off"));
	assert_false(raise(&f, 1, ERR_PARSE, "not JSON: line 1, column 9: cut off"));
	assert_string_equal(f.err.msg, "not JSON: line 1, column 9: cut off");
	assert_true(raise(&f, 2, ERR_PARSE, "not JSON: line 1, column 9: cut off again"));
	assert_true(raise(&f, 3, ERR_PARSE, "not JSON: line 1, column nine: cut off again"));
	assert_true(raise(&f, 4, ERR_PARSE, "DENIED of task/main/4fa0"));
	assert_false(raise(&f, 5, ERR_PARSE, "DENIED of task/main/0c31"));
	assert_true(raise(&f, 6, ERR_PARSE, "DENIED of"));
	assert_true(raise(&f, 7, ERR_PARSE, "DENIED of 1"));
}

static void
it_is_not_said_again_when_only_what_a_peer_said_changes(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_true(raise(&f, 0, ERR_PARSE, "x does not speak it: it says `kdj kd`"));
	assert_false(raise(&f, 1, ERR_PARSE, "x does not speak it: it says `a quite other thing`"));
	assert_string_equal(f.err.msg, "x does not speak it: it says `a quite other thing`");
	assert_false(raise(&f, 2, ERR_PARSE, "x does not speak it: it says `cut o"));
	assert_false(raise(&f, 3, ERR_PARSE, "x does not speak it: it says `"));
	assert_true(raise(&f, 4, ERR_PARSE, "x does not speak it: it says `a`, and more"));
	assert_true(raise(&f, 5, ERR_PARSE, "y does not speak it: it says `a`, and more"));
	/* Elsewhere the quoted name is what it is about. */
	assert_true(raise(&f, 6, ERR_CONF, "backend `a` is not there"));
	assert_true(raise(&f, 7, ERR_CONF, "backend `b` is not there"));
}

static void
one_that_is_another_at_each_try_does_not_fill_the_log(void **state)
{
	static const char *const texts[] = { "refused", "cut off", "too long" };
	struct fault f = { 0 };
	int said = 0;

	(void)state;
	for (int64_t at = 0; at < FAULT_REMIND_MS; at += 1000)
		said += raise(&f, at, ERR_IO, texts[at / 1000 % 3]);
	assert_int_equal(said, FAULT_TEXTS_MAX);
	assert_int_equal(f.count, FAULT_REMIND_MS / 1000);
	for (int64_t at = FAULT_REMIND_MS; at < 2 * FAULT_REMIND_MS; at += 1000)
		said += raise(&f, at, ERR_IO, texts[at / 1000 % 3]);
	assert_int_equal(said, 2 * FAULT_TEXTS_MAX); /* with the reminder they may be said anew */
}

static void
one_that_lasts_is_brought_to_mind_from_time_to_time(void **state)
{
	struct fault f = { 0 };
	int said = 0;

	(void)state;
	for (int64_t at = 0; at <= 3 * FAULT_REMIND_MS; at += 1000)
		said += raise(&f, at, ERR_IO, "no answer");
	assert_int_equal(said, 4);
	assert_int_equal(f.count, 3 * FAULT_REMIND_MS / 1000 + 1);
}

static void
its_end_is_said_once_and_tells_what_it_was(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_false(fault_clear(&f));
	(void)raise(&f, 5, ERR_IO, "no answer");
	(void)raise(&f, 6, ERR_IO, "no answer");
	assert_true(fault_clear(&f));
	assert_false(f.on);
	assert_string_equal(f.err.msg, "no answer");
	assert_int_equal(f.count, 2);
	assert_false(fault_clear(&f));
}

static void
one_that_comes_back_begins_anew(void **state)
{
	struct fault f = { 0 };

	(void)state;
	(void)raise(&f, 5, ERR_IO, "no answer");
	(void)fault_clear(&f);
	assert_true(raise(&f, 7, ERR_IO, "no answer"));
	assert_int_equal(f.count, 1);
	assert_int_equal(f.since_ms, 7);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_said_once_and_counted),
		cmocka_unit_test(one_at_time_zero_is_said_once_too),
		cmocka_unit_test(it_is_said_again_when_its_text_or_code_changes),
		cmocka_unit_test(it_is_not_said_again_when_only_numbers_and_ids_change),
		cmocka_unit_test(it_is_not_said_again_when_only_what_a_peer_said_changes),
		cmocka_unit_test(one_that_is_another_at_each_try_does_not_fill_the_log),
		cmocka_unit_test(one_that_lasts_is_brought_to_mind_from_time_to_time),
		cmocka_unit_test(its_end_is_said_once_and_tells_what_it_was),
		cmocka_unit_test(one_that_comes_back_begins_anew),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
