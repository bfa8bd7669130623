/* app_state: files that are read and written whole, whatever stands in their place. */
#include "config.h"

#include "app_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define NAME   "applied.json"
#define BESIDE NAME ".new"
#define LARGE  ((size_t)100000)

struct stage {
	char dir[40];
	struct app_state *state;
	char *text; /* of LARGE bytes, and a NUL */
};

/* What happens between two pieces of a file that is read. */
static void (*in_between)(struct stage *s);
static struct stage *in_between_of;

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);

ssize_t
__wrap_read(int fd, void *to, size_t n)
{
	ssize_t got = __real_read(fd, to, n);
	void (*happens)(struct stage * s) = in_between;

	in_between = NULL;
	if (happens != NULL)
		happens(in_between_of);
	return got;
}

static int
set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/rollcall-state-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(app_state_open(str_from_cstr(s->dir), &s->state, NULL), ERR_OK);
	s->text = calloc(1, LARGE + 1);
	assert_non_null(s->text);
	*state = s;
	return 0;
}

static const char *
path_of(const struct stage *s, const char *name)
{
	static char path[80];

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return path;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { NAME, BESIDE, "lock", "other", "link", "pipe" };
	struct stage *s = *state;

	app_state_close(s->state);
	for (size_t i = 0; i < N_OF(names); i++)
		if (unlink(path_of(s, names[i])) != 0)
			(void)rmdir(path_of(s, names[i]));
	assert_int_equal(rmdir(s->dir), 0);
	free(s->text);
	free(s);
	return 0;
}

static struct str
text_of(struct stage *s, char letter, size_t n)
{
	memset(s->text, letter, n);
	return str_of(s->text, n);
}

static bool
holds(const struct stage *s, const char *name, char letter, size_t n)
{
	struct buf text = buf_make(2 * LARGE);
	bool is_so = app_state_read(s->state, name, &text, NULL) == ERR_OK && text.len == n;

	for (size_t i = 0; is_so && i < n; i++)
		is_so = text.ptr[i] == (uint8_t)letter;
	buf_free(&text);
	return is_so;
}

static void
write_in_turn(struct stage *s, char letter, size_t n)
{
	assert_int_equal(app_state_write_in_turn(s->state, NAME, text_of(s, letter, n), NULL), ERR_OK);
	assert_true(holds(s, NAME, letter, n));
}

static mode_t
mode_of(const struct stage *s, const char *name)
{
	struct stat info;

	assert_int_equal(lstat(path_of(s, name), &info), 0);
	return info.st_mode;
}

static void
two_files_take_turns(void **state)
{
	struct stage *s = *state;

	write_in_turn(s, 'a', LARGE);
	assert_int_equal(access(path_of(s, BESIDE), F_OK), -1);
	write_in_turn(s, 'b', LARGE / 2);
	assert_true(holds(s, BESIDE, 'a', LARGE));
	write_in_turn(s, 'c', 10); /* in the place of a longer one */
	assert_true(holds(s, BESIDE, 'b', LARGE / 2));
	assert_int_equal(app_state_write(s->state, NAME, text_of(s, 'd', 20), NULL), ERR_OK);
	assert_true(holds(s, NAME, 'd', 20));
	assert_int_equal(access(path_of(s, BESIDE), F_OK), -1);
}

/* ---- what else may stand in their places ---- */

static void
put(const struct stage *s, const char *name, mode_t mode)
{
	int fd = open(path_of(s, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, "kept", 4) == 4 && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void
put_file_for_all(const struct stage *s)
{
	put(s, BESIDE, 0666);
}

static void
put_symbolic_link(const struct stage *s)
{
	put(s, "other", 0600);
	assert_int_equal(symlink("other", path_of(s, BESIDE)), 0);
}

static void
put_hard_link(const struct stage *s)
{
	char other[80];

	put(s, "other", 0600);
	(void)snprintf(other, sizeof(other), "%s", path_of(s, "other"));
	assert_int_equal(link(other, path_of(s, BESIDE)), 0);
}

static void
put_pipe(const struct stage *s)
{
	assert_int_equal(mkfifo(path_of(s, BESIDE), 0600), 0);
}

static void
what_is_not_the_version_before_is_replaced(void **state)
{
	static void (*const obstacles[])(const struct stage *s) = {
		put_file_for_all,
		put_symbolic_link,
		put_hard_link,
		put_pipe,
	};
	struct stage *s = *state;

	for (size_t i = 0; i < N_OF(obstacles); i++) {
		write_in_turn(s, 'a', 10);
		(void)unlink(path_of(s, BESIDE));
		obstacles[i](s);
		write_in_turn(s, 'b', 10);
		CHECK_ROW(S_ISREG(mode_of(s, NAME)) && (mode_of(s, NAME) & 07777 & ~(mode_t)0640) == 0, i, "mode");
		if (access(path_of(s, "other"), F_OK) != 0)
			continue;
		{
			struct buf other = buf_make(100);

			assert_int_equal(app_state_read(s->state, "other", &other, NULL), ERR_OK);
			CHECK_ROW(str_eq(buf_str(&other), STR("kept")), i, "another's file");
			buf_free(&other);
			assert_int_equal(unlink(path_of(s, "other")), 0);
		}
	}
}

static void
a_directory_in_either_place_is_an_error_each_time(void **state)
{
	static const char *const names[] = { NAME, BESIDE };
	struct stage *s = *state;

	for (size_t i = 0; i < N_OF(names); i++) {
		assert_int_equal(mkdir(path_of(s, names[i]), 0700), 0);
		for (int k = 0; k < 2; k++) {
			struct err e = ERR_INIT;

			CHECK_ROW(app_state_write_in_turn(s->state, NAME, STR("x"), &e) == ERR_IO, i, e.msg);
			CHECK_ROW(S_ISDIR(mode_of(s, names[i])), i, names[i]);
			CHECK_ROW(i != 0 || access(path_of(s, BESIDE), F_OK) == -1, i, "half of it is left");
		}
		assert_int_equal(rmdir(path_of(s, names[i])), 0);
		write_in_turn(s, 'a', 10);
		assert_int_equal(unlink(path_of(s, NAME)), 0);
		(void)unlink(path_of(s, BESIDE));
	}
}

static void
a_symbolic_link_is_replaced_and_what_it_leads_to_stays(void **state)
{
	struct stage *s = *state;

	put(s, "other", 0600);
	assert_int_equal(symlink("other", path_of(s, NAME)), 0);
	write_in_turn(s, 'a', 10);
	write_in_turn(s, 'b', 10);
	assert_true(S_ISREG(mode_of(s, NAME)));
	assert_false(holds(s, "other", 'a', 10) || holds(s, "other", 'b', 10));
}

/* ---- a reader beside the daemon ---- */

static void
write_once(struct stage *s)
{
	assert_int_equal(app_state_write_in_turn(s->state, NAME, text_of(s, 'b', LARGE), NULL), ERR_OK);
}

static void
write_twice(struct stage *s)
{
	write_once(s);
	assert_int_equal(app_state_write_in_turn(s->state, NAME, text_of(s, 'c', LARGE), NULL), ERR_OK);
}

/* The clock of a file system goes in steps, of some milliseconds. */
static void
make_older(const struct stage *s, const char *name)
{
	const struct timespec then[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	assert_int_equal(utimensat(AT_FDCWD, path_of(s, name), then, 0), 0);
}

/* In the same step of the clock: it is another file. */
static void
write_in_no_time(struct stage *s)
{
	write_once(s);
	make_older(s, NAME);
}

static void
who_reads_while_it_is_written_finds_one_version_whole(void **state)
{
	static const struct {
		void (*happens)(struct stage *s);
		char found;
	} rows[] = { { write_once, 'b' }, { write_twice, 'c' }, { write_in_no_time, 'b' } };
	struct stage *s = *state;

	for (size_t i = 0; i < N_OF(rows); i++) {
		write_in_turn(s, 'z', LARGE);
		write_in_turn(s, 'a', LARGE);
		make_older(s, NAME);
		make_older(s, BESIDE);
		in_between_of = s;
		in_between = rows[i].happens;
		CHECK_ROW(holds(s, NAME, rows[i].found, LARGE), i, "torn, or not the newest");
		assert_null(in_between);
	}
}

static void
who_only_looks_writes_nothing(void **state)
{
	struct stage *s = *state;
	struct app_state *looker = NULL;

	write_in_turn(s, 'a', 10);
	assert_int_equal(app_state_look(str_from_cstr(s->dir), &looker, NULL), ERR_OK);
	assert_int_equal(app_state_write_in_turn(looker, NAME, STR("x"), NULL), ERR_REFUSED);
	app_state_close(looker);
	assert_true(holds(s, NAME, 'a', 10));
}

/* A pipe would be waited for, and a link leads to who knows what. */
static void
what_is_no_file_is_not_read(void **state)
{
	struct stage *s = *state;
	static const char *const names[] = { "pipe", "link", "." };
	struct buf text = buf_make(1000);

	assert_int_equal(mkfifo(path_of(s, "pipe"), 0600), 0);
	put(s, "other", 0600);
	assert_int_equal(symlink("other", path_of(s, "link")), 0);
	for (size_t i = 0; i < N_OF(names); i++) {
		CHECK_ROW(app_state_read(s->state, names[i], &text, NULL) != ERR_OK, i, names[i]);
		CHECK_ROW(text.len == 0, i, names[i]);
	}
	assert_int_equal(app_state_read(s->state, "nothing", &text, NULL), ERR_OK);
	assert_int_equal(text.len, 0);
	buf_free(&text);
}

/* ---- the lock ---- */

static void
one_daemon_at_a_time_has_a_directory(void **state)
{
	struct stage *s = *state;
	struct app_state *second = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(app_state_open(str_from_cstr(s->dir), &second, &e), ERR_REFUSED);
	assert_non_null(strstr(e.msg, "in use by another rollcalld"));
	app_state_close(s->state);
	assert_int_equal(app_state_open(str_from_cstr(s->dir), &s->state, NULL), ERR_OK);
}

/* A link in its place would have us make a file elsewhere. */
static void
a_link_is_no_lock(void **state)
{
	struct stage *s = *state;

	app_state_close(s->state);
	s->state = NULL;
	assert_int_equal(unlink(path_of(s, "lock")), 0);
	assert_int_equal(symlink("other", path_of(s, "lock")), 0);
	assert_int_equal(app_state_open(str_from_cstr(s->dir), &s->state, NULL), ERR_IO);
	assert_int_equal(access(path_of(s, "other"), F_OK), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_files_take_turns),
		TEST(what_is_not_the_version_before_is_replaced),
		TEST(a_directory_in_either_place_is_an_error_each_time),
		TEST(a_symbolic_link_is_replaced_and_what_it_leads_to_stays),
		TEST(who_reads_while_it_is_written_finds_one_version_whole),
		TEST(who_only_looks_writes_nothing),
		TEST(what_is_no_file_is_not_read),
		TEST(one_daemon_at_a_time_has_a_directory),
		TEST(a_link_is_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
