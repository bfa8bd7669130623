/* hap/hap_files: files that HAProxy starts from, and in which order they are written. */
#include "config.h"

#include "hap/hap_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/loop.h"
#include "unit.h"

#define LARGE ((size_t)4 << 20) /* takes longer than a small one */
#define NAME  "backends.cfg"

struct stage {
	struct loop *loop;
	char dir[40], path[64];
	char told[32]; /* who was told of an end, in that order */
	enum err_code code;
};

struct teller {
	struct stage *s;
	char who;
};

static void
stage_init(struct stage *s)
{
	*s = (struct stage){ .code = ERR_OK };
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/rollcall-files-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(s->path, sizeof(s->path), "%s/" NAME, s->dir);
	assert_int_equal(loop_new(&s->loop, NULL), ERR_OK);
}

static struct hap_files *
files(struct stage *s)
{
	struct hap_files *f = NULL;

	assert_int_equal(hap_files_new(s->loop, str_from_cstr(s->dir), &f, NULL), ERR_OK);
	return f;
}

static void
on_done(void *arg, const struct err *e)
{
	struct teller *t = arg;

	t->s->told[strlen(t->s->told)] = t->who;
	if (e->code != ERR_OK)
		t->s->code = e->code;
}

static void
put(struct hap_files *f, struct str text, struct teller *t)
{
	const struct hap_files_change change = { .name = NAME, .text = text };

	assert_int_equal(hap_files_write(f, &change, 1, on_done, t, NULL), ERR_OK);
}

static void
ends_with(struct stage *s, const char *text, const char *told)
{
	struct buf found = buf_make(2 * LARGE);
	bool is_there = false;

	loop_run(s->loop);
	loop_free(s->loop);
	assert_int_equal(hap_files_get(s->path, &found, &is_there, NULL), ERR_OK);
	assert_true(is_there);
	assert_str(buf_str(&found), text);
	assert_string_equal(s->told, told);
	assert_int_equal(s->code, ERR_OK);
	buf_free(&found);
	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(rmdir(s->dir), 0);
}

/* Another configuration is taken in the middle of a write, three times over. */
static void
what_follows_is_written_last(void **state)
{
	char *large = malloc(LARGE);
	struct stage s;
	struct teller a = { &s, 'a' }, b = { &s, 'b' }, c = { &s, 'c' };
	struct hap_files *one, *two, *three;

	(void)state;
	assert_non_null(large);
	memset(large, 'x', LARGE);
	stage_init(&s);
	one = files(&s);
	put(one, str_of(large, LARGE), &a);
	two = files(&s);
	assert_true(hap_files_follow(two, one));
	hap_files_close(one);
	put(two, str_of(large, LARGE / 2), &b);
	three = files(&s);
	assert_true(hap_files_follow(three, two));
	put(three, STR("the last"), &c);
	hap_files_close(two);
	ends_with(&s, "the last", "c");
	hap_files_close(three);
	free(large);
}

static void
one_that_wrote_nothing_passes_its_place_on(void **state)
{
	char *large = malloc(LARGE);
	struct stage s;
	struct teller a = { &s, 'a' }, c = { &s, 'c' };
	struct hap_files *one, *two, *three;

	(void)state;
	assert_non_null(large);
	memset(large, 'x', LARGE);
	stage_init(&s);
	one = files(&s);
	put(one, str_of(large, LARGE), &a);
	two = files(&s);
	assert_true(hap_files_follow(two, one));
	three = files(&s);
	assert_true(hap_files_follow(three, two));
	hap_files_close(two);
	put(three, STR("the last"), &c);
	ends_with(&s, "the last", "ac");
	hap_files_close(one);
	hap_files_close(three);
	free(large);
}

static void
where_nothing_is_written_nobody_waits(void **state)
{
	struct stage s;
	struct teller b = { &s, 'b' };
	struct hap_files *one, *two;

	(void)state;
	stage_init(&s);
	one = files(&s);
	two = files(&s);
	assert_false(hap_files_follow(two, one));
	hap_files_close(one);
	put(two, STR("at once"), &b);
	ends_with(&s, "at once", "b");
	hap_files_close(two);
}

/* The one ahead ends before the follower has anything to say. */
static void
a_follower_that_comes_late_writes_at_once(void **state)
{
	struct stage s;
	struct teller a = { &s, 'a' }, b = { &s, 'b' };
	struct hap_files *one, *two;

	(void)state;
	stage_init(&s);
	one = files(&s);
	put(one, STR("first"), &a);
	two = files(&s);
	assert_true(hap_files_follow(two, one));
	loop_run(s.loop);
	hap_files_close(one);
	put(two, STR("second"), &b);
	ends_with(&s, "second", "ab");
	hap_files_close(two);
}

/* The only entry of the directory: nothing is left beside it. */
static void
assert_alone(const struct stage *s, const char *name)
{
	DIR *dir = opendir(s->dir);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			assert_string_equal(entry->d_name, name);
	(void)closedir(dir);
}

static void
a_file_is_for_all_to_read_and_a_failure_leaves_nothing(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	struct stage s;

	(void)state;
	stage_init(&s);
	assert_int_equal(hap_files_put(s.path, STR("text"), NULL), ERR_OK);
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(unlink(s.path), 0);
	assert_int_equal(mkdir(s.path, 0700), 0);
	assert_int_equal(hap_files_put(s.path, STR("text"), &e), ERR_IO);
	assert_non_null(strstr(e.msg, s.path));
	assert_alone(&s, NAME);
	assert_int_equal(rmdir(s.path), 0);
	assert_int_equal(rmdir(s.dir), 0);
	loop_free(s.loop);
}

/* backends.cfg comes after the files that it names. */
static void
what_comes_after_a_failure_is_not_written(void **state)
{
	const struct hap_files_change changes[] = { { .name = "none", .is_removed = true },
		{ .name = "no/such", .text = STR("x") }, { .name = NAME, .text = STR("x") } };
	struct stage s;
	struct teller a = { &s, 'a' };
	struct hap_files *f;

	(void)state;
	stage_init(&s);
	f = files(&s);
	assert_int_equal(hap_files_write(f, changes, 1, on_done, &a, NULL), ERR_OK);
	assert_int_equal(hap_files_write(f, changes, 1, on_done, &a, NULL), ERR_LIMIT);
	loop_run(s.loop);
	assert_int_equal(s.code, ERR_OK); /* there was none to remove */
	assert_int_equal(hap_files_write(f, changes, N_OF(changes), on_done, &a, NULL), ERR_OK);
	loop_run(s.loop);
	assert_string_equal(s.told, "aa");
	assert_int_equal(s.code, ERR_IO);
	assert_int_equal(rmdir(s.dir), 0);
	hap_files_close(f);
	loop_free(s.loop);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_is_written_last),
		cmocka_unit_test(one_that_wrote_nothing_passes_its_place_on),
		cmocka_unit_test(where_nothing_is_written_nobody_waits),
		cmocka_unit_test(a_follower_that_comes_late_writes_at_once),
		cmocka_unit_test(a_file_is_for_all_to_read_and_a_failure_leaves_nothing),
		cmocka_unit_test(what_comes_after_a_failure_is_not_written),
	};

	return cmocka_run_group_tests_name("hap_files", tests, NULL, NULL);
}
