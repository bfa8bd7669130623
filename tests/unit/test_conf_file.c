/* Where the text comes from: a file, a pipe, a variable; and what is said when it doesn't. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_file.h"

#define TEXT "ecs: {region: eu-west-1}\n"

struct place {
	char dir[32];
	char path[64]; /* of a file that need not exist */
	const char *text_variable;
	struct arena *arena;
	const struct conf *conf;
	const char *name;
	struct conf_notes faults;
	struct err e;
};

static const char *
get_var(void *arg, const char *name)
{
	const struct place *p = arg;

	return strcmp(name, "ROLLCALL_CONFIG") == 0 ? p->text_variable : NULL;
}

static enum err_code
load(struct place *p, const char *path)
{
	struct env env = { .get = get_var, .arg = p };

	arena_wipe(p->arena);
	p->arena = arena_new(CONF_ARENA_MAX);
	assert_non_null(p->arena);
	p->e = ERR_INIT;
	p->conf = NULL;
	return conf_file_load(p->arena, path, &env, &p->conf, &p->name, &p->faults, &p->e);
}

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	(void)snprintf(p->dir, sizeof(p->dir), "%s", "/tmp/test_conf_file.XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	(void)snprintf(p->path, sizeof(p->path), "%s/a.yaml", p->dir);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	arena_wipe(p->arena);
	(void)unlink(p->path);
	(void)rmdir(p->dir);
	free(p);
	return 0;
}

static void
write_file(const struct place *p, const char *text, size_t n)
{
	FILE *f = fopen(p->path, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* What is said, less the path in front of it. */
static void
assert_says(const struct place *p, const char *text)
{
	assert_true(str_has_prefix(str_from_cstr(p->e.msg), str_from_cstr(p->path)));
	assert_string_equal(p->e.msg + strlen(p->path), text);
	assert_int_equal(p->faults.n, 0);
	assert_null(p->conf);
}

static void
a_file_is_read_whole(void **state)
{
	struct place *p = *state;

	write_file(p, "# 0123456789012345678901234567890123456789012345678901234567890\n" TEXT "#", 1);
	assert_int_equal(load(p, p->path), ERR_OK);
	assert_ptr_equal(p->name, p->path);
	assert_true(str_eq(p->conf->sources[0].region, STR("eu-west-1")));
}

static void
a_long_file_is_read_whole(void **state)
{
	struct place *p = *state;
	FILE *f;

	write_file(p, "# 0123456789\n", 1000);
	f = fopen(p->path, "a");
	assert_non_null(f);
	assert_true(fputs(TEXT, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(load(p, p->path), ERR_OK);
	assert_int_equal(p->conf->sources[0].where.line, 1001);
}

static void
faults_come_with_the_name_of_the_file(void **state)
{
	struct place *p = *state;

	write_file(p, TEXT "nope: 1\n", 1);
	assert_int_equal(load(p, p->path), ERR_CONF);
	assert_int_equal(p->faults.n, 1);
	assert_int_equal(p->faults.notes[0].where.line, 2);
	assert_non_null(strstr(p->e.msg, ": line 2, column 1: unknown key `nope`"));
	assert_true(str_has_prefix(str_from_cstr(p->e.msg), str_from_cstr(p->path)));
}

/* As an editor leaves it for a moment: a reload in that moment must not end the daemon. */
static void
an_empty_file_configures_nothing(void **state)
{
	struct place *p = *state;

	write_file(p, "", 1);
	assert_int_equal(load(p, p->path), ERR_CONF);
	assert_int_equal(p->faults.n, 1);
	assert_true(str_has_prefix(p->faults.notes[0].text, STR("nothing is configured here: ")));
}

static void
the_variable_holds_the_text_itself(void **state)
{
	struct place *p = *state;

	p->text_variable = TEXT;
	assert_int_equal(load(p, NULL), ERR_OK);
	assert_string_equal(p->name, "ROLLCALL_CONFIG");
	p->text_variable = "nope: 1\n" TEXT;
	assert_int_equal(load(p, NULL), ERR_CONF);
	assert_string_equal(p->name, "ROLLCALL_CONFIG");
	assert_non_null(strstr(p->e.msg, "ROLLCALL_CONFIG: line 1, column 1: "));
}

static void
a_file_that_is_named_beats_the_variable(void **state)
{
	struct place *p = *state;

	p->text_variable = "nope: 1\n";
	write_file(p, TEXT, 1);
	assert_int_equal(load(p, p->path), ERR_OK);
	assert_ptr_equal(p->name, p->path);
}

static void
without_either_the_usual_path_is_read(void **state)
{
	struct place *p = *state;

	if (access("/etc/rollcall/rollcall.yaml", F_OK) == 0)
		skip();
	p->text_variable = "";
	assert_int_equal(load(p, NULL), ERR_IO);
	assert_string_equal(p->name, "/etc/rollcall/rollcall.yaml");
	assert_string_equal(p->e.msg,
	    "/etc/rollcall/rollcall.yaml: neither -f nor ROLLCALL_CONFIG says where the configuration is: cannot be "
	    "opened: No such file or directory");
}

static void
a_file_that_is_not_there_is_said_so(void **state)
{
	struct place *p = *state;

	assert_int_equal(load(p, p->path), ERR_IO);
	assert_says(p, ": cannot be opened: No such file or directory");
	assert_ptr_equal(p->name, p->path);
}

static void
a_file_that_may_not_be_read_is_said_so(void **state)
{
	struct place *p = *state;

	if (geteuid() == 0)
		skip(); /* root may read all files */
	write_file(p, TEXT, 1);
	assert_int_equal(chmod(p->path, 0), 0);
	assert_int_equal(load(p, p->path), ERR_IO);
	assert_says(p, ": cannot be opened: Permission denied");
}

static void
a_directory_is_no_file(void **state)
{
	struct place *p = *state;

	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(load(p, p->path), ERR_CONF);
	assert_says(p, ": is a directory, not a file");
	assert_int_equal(rmdir(p->path), 0);
}

static void
a_device_is_no_file(void **state)
{
	struct place *p = *state;

	assert_int_equal(load(p, "/dev/zero"), ERR_CONF);
	assert_string_equal(p->e.msg, "/dev/zero: is neither a file nor a pipe");
}

static void
a_file_that_is_too_large_is_not_read_to_its_end(void **state)
{
	struct place *p = *state;

	write_file(p, "################\n", CONF_TEXT_MAX / 17 + 1);
	assert_int_equal(load(p, p->path), ERR_LIMIT);
	assert_says(p, ": is larger than 1048576 bytes");
}

/* As in a shell's `-f <(...)`: by its number, the write end closed already. */
static void
a_pipe_will_do(void **state)
{
	struct place *p = *state;
	char path[32];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], TEXT, sizeof(TEXT) - 1), sizeof(TEXT) - 1);
	assert_int_equal(close(fds[1]), 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(load(p, path), ERR_OK);
	assert_true(str_eq(p->conf->sources[0].region, STR("eu-west-1")));
	assert_int_equal(close(fds[0]), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_read_whole),
		TEST(a_long_file_is_read_whole),
		TEST(faults_come_with_the_name_of_the_file),
		TEST(an_empty_file_configures_nothing),
		TEST(the_variable_holds_the_text_itself),
		TEST(a_file_that_is_named_beats_the_variable),
		TEST(without_either_the_usual_path_is_read),
		TEST(a_file_that_is_not_there_is_said_so),
		TEST(a_file_that_may_not_be_read_is_said_so),
		TEST(a_directory_is_no_file),
		TEST(a_device_is_no_file),
		TEST(a_file_that_is_too_large_is_not_read_to_its_end),
		TEST(a_pipe_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
