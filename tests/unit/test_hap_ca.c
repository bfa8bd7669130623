/* CA files as they are found on disk, and PEM on its way to HAProxy's socket. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "base/buf.h"
#include "hap/hap_ca.h"
#include "hap/hap_pem.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "-----END CERTIFICATE-----\n"
#define ONE   BEGIN "MIIB\n" END

/* ---- PEM ---- */

static void
certificates_and_nothing_else_may_leave(void **state)
{
	static const struct {
		const char *pem;
		enum err_code code;
	} rows[] = {
		{ ONE, ERR_OK },
		{ ONE ONE, ERR_OK },
		{ BEGIN "ab+/==\nMIIB\n" END, ERR_OK },
		{ "", ERR_PARSE },
		{ "\n", ERR_PARSE },
		{ ONE "\n", ERR_PARSE },
		{ ONE "\nshow info\n", ERR_PARSE },
		{ ONE "show info\n", ERR_PARSE },
		{ ONE "\n" ONE, ERR_PARSE },
		{ "# comment\n" ONE, ERR_PARSE },
		{ BEGIN "\n" END, ERR_PARSE },
		{ BEGIN END, ERR_PARSE },
		{ BEGIN "MIIB\n\nMIIB\n" END, ERR_PARSE },
		{ BEGIN "MI IB\n" END, ERR_PARSE },
		{ BEGIN "MIIB;\n" END, ERR_PARSE },
		{ BEGIN "MIIB\r\n" END, ERR_PARSE },
		{ BEGIN "MIIB\n-----END CERTIFICATE-----", ERR_PARSE },
		{ BEGIN "MIIB\n", ERR_PARSE },
		{ "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", ERR_PARSE },
		{ BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" END,
		    ERR_PARSE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct err e = ERR_INIT;
		size_t n = 0;

		CHECK_ROW(hap_pem_check(str_from_cstr(rows[i].pem), &n, &e) == rows[i].code, i, rows[i].pem);
		CHECK_ROW((n == 1) == (rows[i].code == ERR_OK), i, "pieces");
	}
}

static void
put_certificate(struct buf *out, size_t n_lines)
{
	buf_put(out, STR(BEGIN));
	for (size_t i = 0; i < n_lines; i++)
		buf_put(out, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"));
	buf_put(out, STR(END));
}

static void
a_bundle_goes_in_pieces_of_whole_certificates(void **state)
{
	struct buf bundle = buf_make(HAP_PEM_MAX), again = buf_make(HAP_PEM_MAX);
	struct str rest, piece;
	size_t n_expected, n = 0;

	(void)state;
	for (int i = 0; i < 60; i++)
		put_certificate(&bundle, 20);
	assert_int_equal(hap_pem_check(buf_str(&bundle), &n_expected, NULL), ERR_OK);
	rest = buf_str(&bundle);
	while (hap_pem_next(&rest, &piece)) {
		assert_true(piece.len <= HAP_PEM_PIECE_MAX);
		assert_true(str_has_prefix(piece, STR(BEGIN)) && str_has_suffix(piece, STR(END)));
		buf_put(&again, piece);
		n++;
	}
	assert_true(n == n_expected && n > 6);
	assert_true(str_eq(buf_str(&again), buf_str(&bundle)));
	buf_free(&bundle);
	buf_free(&again);
}

static void
what_is_too_large_is_told(void **state)
{
	struct buf one = buf_make((size_t)2 * HAP_PEM_MAX);
	struct err e = ERR_INIT;
	size_t n;

	(void)state;
	put_certificate(&one, 2);
	put_certificate(&one, 200);
	assert_int_equal(hap_pem_check(buf_str(&one), &n, &e), ERR_LIMIT);
	assert_string_equal(e.msg, "a certificate of more than 12000 bytes");
	while (one.len <= HAP_PEM_MAX)
		put_certificate(&one, 100);
	assert_int_equal(hap_pem_check(buf_str(&one), &n, &e), ERR_LIMIT);
	assert_non_null(strstr(e.msg, "at most 524288 are taken"));
	buf_free(&one);
}

static void
a_certificate_may_fill_a_piece_to_the_last_byte(void **state)
{
	struct buf one = buf_make(HAP_PEM_MAX), more = buf_make(HAP_PEM_MAX);
	size_t n = 0;

	(void)state;
	buf_put(&one, STR(BEGIN));
	while (one.len + 76 < HAP_PEM_PIECE_MAX - strlen(END))
		buf_put(&one, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"));
	buf_put(&more, buf_str(&one));
	for (size_t i = one.len + 1; i < HAP_PEM_PIECE_MAX - strlen(END); i++) {
		buf_put_u8(&one, 'A');
		buf_put_u8(&more, 'A');
	}
	buf_put(&one, STR("\n" END));
	buf_put(&more, STR("A\n" END));
	assert_int_equal(one.len, HAP_PEM_PIECE_MAX);
	assert_int_equal(hap_pem_check(buf_str(&one), &n, NULL), ERR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(hap_pem_check(buf_str(&more), &n, NULL), ERR_LIMIT);
	buf_free(&one);
	buf_free(&more);
}

/* ---- files ---- */

struct dir {
	char path[32], file[64];
};

static void
dir_open(struct dir *d, struct str content)
{
	FILE *f;

	(void)snprintf(d->path, sizeof(d->path), "/tmp/hap_ca.XXXXXX");
	assert_non_null(mkdtemp(d->path));
	(void)snprintf(d->file, sizeof(d->file), "%s/ca.pem", d->path);
	assert_non_null(f = fopen(d->file, "we"));
	assert_int_equal(fwrite(content.ptr, 1, content.len, f), content.len);
	assert_int_equal(fclose(f), 0);
}

static void
dir_close(struct dir *d)
{
	(void)unlink(d->file);
	assert_int_equal(rmdir(d->path), 0);
}

/* A real one, of tests/vectors/hap. */
static struct buf
certificate(void)
{
	struct buf b = buf_make(HAP_PEM_MAX);
	const char *dir = getenv("ROLLCALL_SRCDIR");
	char path[512], chunk[4096];
	size_t n;
	FILE *f;

	if (dir == NULL)
		dir = getenv("top_srcdir");
	(void)snprintf(path, sizeof(path), "%s/tests/vectors/hap/ca.pem", dir != NULL ? dir : ".");
	if ((f = fopen(path, "re")) == NULL)
		fail_msg("%s: cannot open it", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(&b, str_of(chunk, n));
	(void)fclose(f);
	return b;
}

static struct hap_cas *
read_one(struct str content)
{
	struct hap_cas *cas;
	struct dir d;
	struct str path;

	dir_open(&d, content);
	path = str_from_cstr(d.file);
	assert_int_equal(hap_ca_read(&path, 1, NULL, &cas, NULL), ERR_OK);
	dir_close(&d);
	return cas;
}

static void
only_certificates_are_kept_of_a_file(void **state)
{
	struct buf cert = certificate(), file = buf_make(HAP_CA_FILE_MAX);
	struct hap_cas *cas, *bare;
	size_t n;

	(void)state;
	buf_put(&file, STR("# a comment\n\nshow info\n"));
	buf_put(&file, buf_str(&cert));
	buf_put(&file, STR("\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\nshow stat\n"));
	cas = read_one(buf_str(&file));
	bare = read_one(buf_str(&cert));
	assert_int_equal(cas->n, 1);
	assert_int_equal(cas->n_faults, 0);
	assert_int_equal(hap_pem_check(cas->items[0].pem, &n, NULL), ERR_OK);
	assert_true(str_eq(cas->items[0].pem, bare->items[0].pem));
	/* The name follows the content, not the file. */
	assert_true(str_eq(cas->items[0].name, bare->items[0].name));
	assert_int_equal(cas->items[0].name.len, strlen("rollcall-0123456789abcdef.pem"));
	assert_false(str_eq(cas->items[0].path, bare->items[0].path));
	hap_ca_free(cas);
	hap_ca_free(bare);
	buf_free(&cert);
	buf_free(&file);
}

static void
another_content_is_another_name(void **state)
{
	struct buf cert = certificate(), two = buf_make(HAP_CA_FILE_MAX);
	struct hap_cas *a, *b;

	(void)state;
	buf_put(&two, buf_str(&cert));
	buf_put(&two, buf_str(&cert));
	a = read_one(buf_str(&cert));
	b = read_one(buf_str(&two));
	assert_int_equal(b->n, 1);
	assert_false(str_eq(a->items[0].name, b->items[0].name));
	hap_ca_free(a);
	hap_ca_free(b);
	buf_free(&cert);
	buf_free(&two);
}

static void
a_file_without_a_good_certificate_is_a_fault(void **state)
{
	static const struct {
		const char *content, *words;
	} rows[] = {
		{ "", "holds no certificate" },
		{ "hello\n", "holds no certificate" },
		{ ONE, "that cannot be read" },
		{ BEGIN "MIIB\n", "that cannot be read" },
		{ BEGIN "\n\n" END, "that cannot be read" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct hap_cas *cas = read_one(str_from_cstr(rows[i].content));

		CHECK_ROW(cas->n == 0 && cas->n_faults == 1, i, rows[i].content);
		CHECK_ROW(strstr(cas->faults[0].err.msg, rows[i].words) != NULL, i, cas->faults[0].err.msg);
		hap_ca_free(cas);
	}
}

/* One good certificate does not make up for a bad one: the bundle would be another. */
static void
a_bundle_is_taken_whole_or_not_at_all(void **state)
{
	struct buf file = certificate();
	struct hap_cas *cas;

	(void)state;
	buf_put(&file, STR(BEGIN "AAAA\n" END));
	cas = read_one(buf_str(&file));
	assert_int_equal(cas->n, 0);
	assert_int_equal(cas->n_faults, 1);
	hap_ca_free(cas);
	buf_free(&file);
}

static void
each_path_is_read_once_and_one_fault_spares_the_rest(void **state)
{
	struct buf cert = certificate();
	struct dir d;
	struct hap_cas *cas;

	(void)state;
	dir_open(&d, buf_str(&cert));
	{
		const struct str paths[] = { STR("/nonexistent/ca.pem"), STR(""), str_from_cstr(d.file), STR("/tmp"),
			str_from_cstr(d.file), STR("/nonexistent/ca.pem") };

		assert_int_equal(hap_ca_read(paths, N_OF(paths), NULL, &cas, NULL), ERR_OK);
	}
	assert_int_equal(cas->n, 1);
	assert_str(cas->items[0].path, d.file);
	assert_int_equal(cas->n_faults, 2);
	assert_str(cas->faults[0].path, "/nonexistent/ca.pem");
	assert_non_null(strstr(cas->faults[0].err.msg, "cannot be opened"));
	assert_string_equal(cas->faults[1].err.msg, "is not a file");
	hap_ca_free(cas);
	hap_ca_free(NULL);
	dir_close(&d);
	buf_free(&cert);
}

static void
write_file(const char *path, struct str content)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		fail_msg("%s: cannot open it", path);
	assert_int_equal(fwrite(content.ptr, 1, content.len, f), content.len);
	assert_int_equal(fclose(f), 0);
}

static void
a_file_that_has_changed_is_noticed_once_it_rests(void **state)
{
	struct buf cert = certificate();
	struct hap_cas *cas, *fresh;
	struct dir d;
	struct str path;

	(void)state;
	dir_open(&d, STR("hello\n"));
	path = str_from_cstr(d.file);
	assert_int_equal(hap_ca_read(&path, 1, NULL, &cas, NULL), ERR_OK);
	assert_int_equal(cas->n, 0);
	assert_false(hap_ca_is_outdated(cas));
	write_file(d.file, buf_str(&cert));
	assert_false(hap_ca_is_outdated(cas)); /* somebody may be writing it */
	assert_true(hap_ca_is_outdated(cas));
	assert_int_equal(hap_ca_read(&path, 1, cas, &fresh, NULL), ERR_OK);
	assert_int_equal(fresh->n, 1);
	assert_false(hap_ca_is_outdated(fresh));
	hap_ca_free(cas);
	hap_ca_free(fresh);
	dir_close(&d);
	buf_free(&cert);
}

/* As one of the same length that is copied over it with its times. */
static void
a_content_of_the_same_size_and_time_is_noticed(void **state)
{
	struct buf cert = certificate();
	struct stat before, after;
	struct hap_cas *cas;
	struct dir d;
	struct str path;

	(void)state;
	dir_open(&d, buf_str(&cert));
	path = str_from_cstr(d.file);
	assert_int_equal(stat(d.file, &before), 0);
	assert_int_equal(hap_ca_read(&path, 1, NULL, &cas, NULL), ERR_OK);
	do { /* until the clock of files, which ticks every few milliseconds, has moved on */
		write_file(d.file, buf_str(&cert));
		assert_int_equal(
		    utimensat(AT_FDCWD, d.file, (struct timespec[]){ before.st_atim, before.st_mtim }, 0), 0);
		assert_int_equal(stat(d.file, &after), 0);
	} while (memcmp(&after.st_ctim, &before.st_ctim, sizeof(before.st_ctim)) == 0);
	assert_false(hap_ca_is_outdated(cas));
	assert_true(hap_ca_is_outdated(cas));
	hap_ca_free(cas);
	dir_close(&d);
	buf_free(&cert);
}

static void
what_a_file_held_stays_while_it_cannot_be_read(void **state)
{
	struct buf cert = certificate();
	struct hap_cas *cas, *fresh;
	struct dir d;
	struct str path;

	(void)state;
	dir_open(&d, buf_str(&cert));
	path = str_from_cstr(d.file);
	assert_int_equal(hap_ca_read(&path, 1, NULL, &cas, NULL), ERR_OK);
	write_file(d.file, STR("half of a certif"));
	assert_false(hap_ca_is_outdated(cas));
	assert_true(hap_ca_is_outdated(cas));
	assert_int_equal(hap_ca_read(&path, 1, cas, &fresh, NULL), ERR_OK);
	assert_int_equal(fresh->n_faults, 1);
	assert_int_equal(fresh->n, 1);
	assert_true(str_eq(fresh->items[0].name, cas->items[0].name));
	assert_true(str_eq(fresh->items[0].pem, cas->items[0].pem));
	hap_ca_free(cas);
	assert_ptr_equal(hap_ca_find(fresh, path), &fresh->items[0]);
	/* Its fault is said once: nothing has changed since. */
	assert_false(hap_ca_is_outdated(fresh));
	assert_false(hap_ca_is_outdated(fresh));
	assert_int_equal(unlink(d.file), 0);
	assert_false(hap_ca_is_outdated(fresh));
	assert_true(hap_ca_is_outdated(fresh));
	write_file(d.file, buf_str(&cert));
	hap_ca_free(fresh);
	dir_close(&d);
	buf_free(&cert);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_and_nothing_else_may_leave),
		cmocka_unit_test(a_bundle_goes_in_pieces_of_whole_certificates),
		cmocka_unit_test(what_is_too_large_is_told),
		cmocka_unit_test(a_certificate_may_fill_a_piece_to_the_last_byte),
		cmocka_unit_test(only_certificates_are_kept_of_a_file),
		cmocka_unit_test(another_content_is_another_name),
		cmocka_unit_test(a_file_without_a_good_certificate_is_a_fault),
		cmocka_unit_test(a_bundle_is_taken_whole_or_not_at_all),
		cmocka_unit_test(each_path_is_read_once_and_one_fault_spares_the_rest),
		cmocka_unit_test(a_file_that_has_changed_is_noticed_once_it_rests),
		cmocka_unit_test(a_content_of_the_same_size_and_time_is_noticed),
		cmocka_unit_test(what_a_file_held_stays_while_it_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
