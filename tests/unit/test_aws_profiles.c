/* The shared files of the SDKs: what they mean, and what is refused. */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>

#include "aws/aws_profiles.h"
#include "base/buf.h"
#include "unit.h"

struct room {
	struct arena *arena;
	struct aws_profiles *profiles;
	struct err err;
};

static void
open_room(struct room *r)
{
	r->arena = arena_new(AWS_PROFILES_ARENA_MAX);
	r->err = ERR_INIT;
	assert_non_null(r->arena);
	assert_int_equal(aws_profiles_new(r->arena, &r->profiles, NULL), ERR_OK);
}

static enum err_code
add(struct room *r, enum aws_profiles_file file, const char *text)
{
	return aws_profiles_add(r->profiles, file, str_from_cstr(text), &r->err);
}

static void
close_room(struct room *r)
{
	arena_wipe(r->arena);
}

static struct str
get(const struct room *r, const char *profile, const char *key)
{
	return aws_profiles_get(r->profiles, str_from_cstr(profile), key);
}

static void
each_file_has_its_own_way_to_name_profiles(void **state)
{
	struct room r;

	(void)state;
	open_room(&r);
	assert_int_equal(add(&r, AWS_PROFILES_CONFIG,
			     "[default]\nregion = eu-west-1\n[profile prod]\nregion=us-east-1\n"
			     "[profile \"quoted name\"]\nregion = q\n[bare]\nregion = no\n"
			     "[sso-session s]\nsso_region = x\n[services y]\necs =\n  endpoint_url = http://z\n"),
	    ERR_OK);
	assert_int_equal(add(&r, AWS_PROFILES_CREDENTIALS,
			     "\xef\xbb\xbf[default]\r\naws_access_key_id = A\r\n[prod]\naws_access_key_id=B\n"),
	    ERR_OK);
	assert_str(get(&r, "default", "region"), "eu-west-1");
	assert_str(get(&r, "default", "aws_access_key_id"), "A");
	assert_str(get(&r, "prod", "region"), "us-east-1");
	assert_str(get(&r, "prod", "aws_access_key_id"), "B");
	assert_str(get(&r, "quoted name", "region"), "q");
	assert_false(aws_profiles_has(r.profiles, STR("bare")));
	assert_false(aws_profiles_has(r.profiles, STR("s")));
	assert_false(aws_profiles_has(r.profiles, STR("sso-session s")));
	assert_false(aws_profiles_has(r.profiles, STR("")));
	close_room(&r);
}

static void
the_credentials_file_beats_the_config_file_and_later_beats_earlier(void **state)
{
	struct room r;

	(void)state;
	open_room(&r);
	assert_int_equal(add(&r, AWS_PROFILES_CONFIG,
			     "[profile a]\nkey = config\nonly = here\nkey = later\n[profile a]\nmore = 1\n"),
	    ERR_OK);
	assert_str(get(&r, "a", "key"), "later");
	assert_int_equal(add(&r, AWS_PROFILES_CREDENTIALS, "[a]\nkey = credentials\n"), ERR_OK);
	assert_str(get(&r, "a", "key"), "credentials");
	assert_str(get(&r, "a", "only"), "here");
	assert_str(get(&r, "a", "more"), "1");
	assert_str(aws_profiles_get_of(r.profiles, AWS_PROFILES_CONFIG, STR("a"), "key"), "later");
	assert_str(aws_profiles_get_of(r.profiles, AWS_PROFILES_CREDENTIALS, STR("a"), "only"), "");
	close_room(&r);
}

static void
profile_default_beats_default_wherever_it_stands(void **state)
{
	static const char *const texts[] = { "[default]\na = 1\nb = 1\n[profile default]\na = 2\n",
		"[profile default]\na = 2\n[default]\na = 1\nb = 1\n" };

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct room r;

		open_room(&r);
		assert_int_equal(add(&r, AWS_PROFILES_CONFIG, texts[i]), ERR_OK);
		assert_str(get(&r, "default", "a"), "2");
		assert_str(get(&r, "default", "b"), "");
		close_room(&r);
	}
}

static void
names_comments_blanks_and_continuations_are_read_as_the_sdks_do(void **state)
{
	struct room r;

	(void)state;
	open_room(&r);
	assert_int_equal(add(&r, AWS_PROFILES_CREDENTIALS,
			     "# comment\n; another\n\n  \n[p] # of the section\nNAME=v\nspaced  =  a b \t\n"
			     "hash = a#b # comment\nsemi = a;b\t; comment\nequal = a=b=c\nempty =\n  sub = x\n"
			     "long = one\n  two \n\tthree\nlast = 1"),
	    ERR_OK);
	assert_str(get(&r, "p", "name"), "v");
	assert_str(get(&r, "p", "spaced"), "a b");
	assert_str(get(&r, "p", "hash"), "a#b");
	assert_str(get(&r, "p", "semi"), "a;b");
	assert_str(get(&r, "p", "equal"), "a=b=c");
	assert_str(get(&r, "p", "empty"), "");
	assert_str(get(&r, "p", "sub"), "");
	assert_str(get(&r, "p", "long"), "one\ntwo\nthree");
	assert_str(get(&r, "p", "last"), "1");
	close_room(&r);
}

static void
what_is_malformed_is_refused_by_line_and_never_quoted(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "S3CRET = x\n[a]\n", "line 1: a property before the first section" },
		{ "[a]\n\nS3CRET\n", "line 3: neither a section, nor a property with its \"=\", nor a comment" },
		{ "[a\nb = S3CRET\n", "line 1: a section without its \"]\"" },
		{ "[a] S3CRET\n", "line 1: something stands behind the \"]\" of a section" },
		{ "[a]\n= S3CRET\n", "line 2: a property without a name" },
		{ "[a]\n  S3CRET\n", "line 2: an indented line without a property above it" },
		{ "[a]\nb = 1\n[a]\n  S3CRET\n", "line 4: an indented line without a property above it" },
		{ "[a]\nb =\n  S3CRET\n", "line 3: neither a section, nor a property with its \"=\", nor a comment" },
		{ "[a]\nb =\n  =S3CRET\n", "line 3: a property without a name" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct room r;

		open_room(&r);
		assert_int_equal(add(&r, AWS_PROFILES_CREDENTIALS, rows[i].text), ERR_PARSE);
		assert_string_equal(r.err.msg, rows[i].wanted);
		close_room(&r);
	}
}

static void
numbers_of_profiles_and_properties_and_bytes_have_limits(void **state)
{
	struct buf text = buf_make(1 << 20);
	struct room r;

	(void)state;
	open_room(&r);
	buf_put(&text, STR("[a]\n"));
	for (int i = 0; i < AWS_PROFILES_PROPERTIES_MAX; i++)
		buf_printf(&text, "p%d=1\n", i);
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CONFIG, buf_str(&text), NULL), ERR_OK);
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CREDENTIALS, buf_str(&text), NULL), ERR_OK);
	buf_put(&text, STR("one=more\n"));
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CREDENTIALS, buf_str(&text), NULL), ERR_LIMIT);
	close_room(&r);
	open_room(&r);
	buf_reset(&text);
	for (int i = 0; i < AWS_PROFILES_MAX; i++)
		buf_printf(&text, "[a%d]\n", i);
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CREDENTIALS, buf_str(&text), NULL), ERR_OK);
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CREDENTIALS, STR("[b]\n"), NULL), ERR_LIMIT);
	close_room(&r);
	open_room(&r);
	buf_reset(&text);
	buf_put_u8(&text, '#');
	while (text.len < AWS_PROFILES_TEXT_MAX)
		buf_put_u8(&text, 'x');
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CREDENTIALS, buf_str(&text), NULL), ERR_OK);
	buf_put_u8(&text, 'x');
	assert_int_equal(aws_profiles_add(r.profiles, AWS_PROFILES_CREDENTIALS, buf_str(&text), NULL), ERR_LIMIT);
	close_room(&r);
	buf_free(&text);
}

/* ---- aws-c-auth's corpus, where it is ---- */

/* What its names say: these are refused. */
static bool
should_be_refused(const char *name)
{
	static const char *const names[] = { "early_property", "illegal_continuation", "missing_",
		"continuation_reseton" };

	for (size_t i = 0; i < N_OF(names); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void
read_corpus_file(const char *directory, const char *name, enum aws_profiles_file as)
{
	static char text[65536];
	char path[1024];
	struct room r;
	size_t n;
	FILE *f;
	enum err_code code;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	open_room(&r);
	code = aws_profiles_add(r.profiles, as, str_of(text, n), &r.err);
	assert_true(code == ERR_OK || code == ERR_PARSE);
	if (strspn(name, "0123456789abcdef") != strlen(name)) /* what a fuzzer found has no name */
		CHECK_ROW((code == ERR_PARSE) == should_be_refused(name), as, name);
	close_room(&r);
}

static int
read_corpus(const char *which, enum aws_profiles_file as)
{
	const char *given = getenv("ROLLCALL_VECTORS"), *top = getenv("top_srcdir");
	char directory[512];
	const struct dirent *entry;
	DIR *dir;
	int n = 0;

	if (given != NULL)
		(void)snprintf(directory, sizeof(directory), "%s/aws/aws-profile-corpus/%s", given, which);
	else
		(void)snprintf(directory, sizeof(directory), "%s/../shared/vectors/aws/aws-profile-corpus/%s",
		    top != NULL ? top : ".", which);
	dir = opendir(directory);
	if (dir == NULL) {
		print_message("no %s: set ROLLCALL_VECTORS to run this\n", directory);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		read_corpus_file(directory, entry->d_name, as);
		n++;
	}
	(void)closedir(dir);
	return n;
}

static void
every_file_of_the_published_corpus_is_read_or_refused(void **state)
{
	int n = read_corpus("parse_config_profile", AWS_PROFILES_CONFIG) +
		read_corpus("parse_credentials_profile", AWS_PROFILES_CREDENTIALS);

	(void)state;
	if (n == 0)
		skip();
	assert_true(n >= 80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_has_its_own_way_to_name_profiles),
		cmocka_unit_test(the_credentials_file_beats_the_config_file_and_later_beats_earlier),
		cmocka_unit_test(profile_default_beats_default_wherever_it_stands),
		cmocka_unit_test(names_comments_blanks_and_continuations_are_read_as_the_sdks_do),
		cmocka_unit_test(what_is_malformed_is_refused_by_line_and_never_quoted),
		cmocka_unit_test(numbers_of_profiles_and_properties_and_bytes_have_limits),
		cmocka_unit_test(every_file_of_the_published_corpus_is_read_or_refused),
	};

	return cmocka_run_group_tests_name("aws_profiles", tests, NULL, NULL);
}
