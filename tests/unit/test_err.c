/* base/err: an error is a value that always fits, and says why in one line. */
#include "config.h"

#include <errno.h>

#include "base/err.h"
#include "unit.h"

static enum err_code
fails(struct err *e)
{
	return err_set(e, ERR_THROTTLED, "status %d", 400);
}

static enum err_code
fails_above(struct err *e)
{
	enum err_code code = fails(e);

	return err_wrap(e, code, "list tasks of %s", "web");
}

static void
set_and_wrap_have_the_value_of_their_code(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(e.code, ERR_OK);
	assert_int_equal(fails_above(&e), ERR_THROTTLED);
	assert_int_equal(e.code, ERR_THROTTLED);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.msg, "list tasks of web: status 400");
}

static void
nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(fails_above(NULL), ERR_THROTTLED);
	assert_int_equal(err_sys(NULL, ENOENT, "open %s", "x"), ERR_IO);
}

static void
a_system_error_names_its_cause(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_sys(&e, ENOENT, "cannot open %s", "/x"), ERR_IO);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.msg, "cannot open /x: No such file or directory");
}

static void
a_long_message_is_cut_and_ends(void **state)
{
	char text[400];
	struct err e = ERR_INIT;

	(void)state;
	memset(text, 'm', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_fill(&e, ERR_IO, EACCES, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	err_prefix(&e, "%s", "before");
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_memory_equal(e.msg, "before: mmm", 11);
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_int_equal(e.code, ERR_IO);
}

static void
every_code_has_a_name_and_a_text(void **state)
{
	(void)state;
	for (enum err_code c = ERR_OK; c < ERR_N_CODES; c++) {
		assert_non_null(err_name(c));
		assert_non_null(err_text(c));
		assert_true(strlen(err_text(c)) > 0);
	}
	assert_string_equal(err_name(ERR_THROTTLED), "THROTTLED");
	assert_string_equal(err_text(ERR_THROTTLED), "throttled");
}

static void
only_what_time_can_mend_is_transient(void **state)
{
	static const bool want[ERR_N_CODES] = {
		[ERR_NOMEM] = true,
		[ERR_IO] = true,
		[ERR_TIMEOUT] = true,
		[ERR_CLOSED] = true,
		[ERR_THROTTLED] = true,
		[ERR_REMOTE] = true,
	};

	(void)state;
	for (enum err_code c = ERR_OK; c < ERR_N_CODES; c++)
		CHECK_ROW(err_is_transient(c) == want[c], c, err_name(c));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_wrap_have_the_value_of_their_code),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(a_system_error_names_its_cause),
		cmocka_unit_test(a_long_message_is_cut_and_ends),
		cmocka_unit_test(every_code_has_a_name_and_a_text),
		cmocka_unit_test(only_what_time_can_mend_is_transient),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
