/* Files that are read and written whole, up to a limit. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

#define SIZE 5000 /* a piece, and a part of one */

/* A file without a name. */
static int
make_file(void)
{
	char path[] = "/tmp/test_fd.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static struct str
some_text(char text[SIZE])
{
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (char)('a' + i % 23);
	return str_of(text, SIZE);
}

static void
what_was_written_is_read_behind_what_is_there(void **state)
{
	char bytes[SIZE];
	struct str text = some_text(bytes);
	CLEANUP(buf_free) struct buf got = buf_make(SIZE + 1);
	CLEANUP(fd_close_at) int fd = make_file();

	(void)state;
	assert_int_equal(fd_write_all(fd, text, NULL), ERR_OK);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	buf_put(&got, STR("-"));
	assert_int_equal(fd_read_all(fd, &got, NULL), ERR_OK);
	assert_int_equal(got.len, SIZE + 1);
	assert_true(str_eq(str_skip(buf_str(&got), 1), text));
}

static void
one_byte_over_the_limit_is_told_with_the_limit(void **state)
{
	char bytes[SIZE];
	CLEANUP(buf_free) struct buf got = buf_make(SIZE - 1);
	CLEANUP(fd_close_at) int fd = make_file();
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(fd_write_all(fd, some_text(bytes), NULL), ERR_OK);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, &got, &e), ERR_LIMIT);
	assert_string_equal(e.msg, "is larger than 4999 bytes");
}

static void
what_the_system_refuses_is_told_in_its_words(void **state)
{
	CLEANUP(buf_free) struct buf got = buf_make(SIZE);
	CLEANUP(fd_close_at) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e = ERR_INIT;

	(void)state;
	if (full >= 0) {
		assert_int_equal(fd_write_all(full, STR("x"), &e), ERR_IO);
		assert_non_null(strstr(e.msg, "cannot be written: No space left"));
	}
	assert_int_equal(fd_read_all(-1, &got, &e), ERR_IO);
	assert_non_null(strstr(e.msg, "cannot be read: Bad file descriptor"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_behind_what_is_there),
		cmocka_unit_test(one_byte_over_the_limit_is_told_with_the_limit),
		cmocka_unit_test(what_the_system_refuses_is_told_in_its_words),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
