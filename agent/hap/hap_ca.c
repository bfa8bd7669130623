/* CA files, read and checked: see hap_ca.h. */
#include "config.h"

#include "hap/hap_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/fd.h"
#include "hap/hap_pem.h"

#define NAME_DIGITS 16 /* of the digest: bytes / 2 */

/* O_NONBLOCK: a pipe without a writer would hold up the loop; only a plain file is read. */
static enum err_code
read_file(const char *path, struct buf *text, struct err *e)
{
	CLEANUP(fd_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(e, errno, "cannot be opened");
	if (fstat(fd, &st) != 0)
		return err_sys(e, errno, "cannot be read");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CONF, "is not a file");
	return fd_read_all(fd, text, e);
}

static enum err_code
put_certificate(X509 *cert, struct buf *pem, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long n = 0;
	enum err_code rc;

	if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1)
		n = BIO_get_mem_data(bio, &bytes);
	if (n > 0)
		buf_put(pem, str_of(bytes, (size_t)n));
	rc = n > 0 ? buf_failed(pem, e) : err_set(e, ERR_NOMEM, "no memory for a certificate");
	(void)BIO_free(bio);
	return rc;
}

/* A key in the file may be encrypted: nobody is asked for a password. */
static int /* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
no_password(char *buf, int size, int for_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)for_writing;
	(void)arg;
	return -1;
}

static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Its certificates, one after the other; anything else in between is passed over. */
static enum err_code
put_certificates(BIO *bio, struct buf *pem, struct err *e)
{
	enum err_code rc = ERR_OK;
	X509 *cert;

	ERR_clear_error();
	while (rc == ERR_OK && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
		rc = put_certificate(cert, pem, e);
		X509_free(cert);
	}
	if (rc == ERR_OK && !is_end_of_pem())
		rc = err_set(e, ERR_PARSE, "holds a certificate that cannot be read");
	if (rc == ERR_OK && pem->len == 0)
		rc = err_set(e, ERR_PARSE, "holds no certificate (-----BEGIN CERTIFICATE-----)");
	ERR_clear_error();
	return rc;
}

static enum err_code
read_certificates(const char *path, struct buf *pem, struct err *e)
{
	CLEANUP(buf_free) struct buf text = buf_make(HAP_CA_FILE_MAX);
	enum err_code rc = read_file(path, &text, e);
	BIO *bio;

	if (rc != ERR_OK)
		return rc;
	/* text.ptr is null for an empty file. */
	bio = BIO_new_mem_buf(text.len > 0 ? (const void *)text.ptr : "", (int)text.len);
	if (bio == NULL)
		return err_set(e, ERR_NOMEM, "no memory for its certificates");
	rc = put_certificates(bio, pem, e);
	(void)BIO_free(bio);
	return rc;
}

/* "rollcall-0123456789abcdef.pem": another content is another name, so that a file
 * that is changed is loaded beside the old one, which older servers go on with. */
static enum err_code
name_of(struct arena *a, struct str pem, struct str *ret, struct err *e)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[sizeof("rollcall-.pem") + NAME_DIGITS];
	size_t at = sizeof("rollcall-") - 1;

	if (EVP_Digest(pem.ptr, pem.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(e, ERR_NOMEM, "no memory for its name");
	memcpy(text, "rollcall-", at);
	str_put_hex(digest, NAME_DIGITS / 2, text + at);
	memcpy(text + at + NAME_DIGITS, ".pem", sizeof(".pem"));
	if (!arena_str(a, str_from_cstr(text), ret))
		return err_set(e, ERR_NOMEM, "no memory for its name");
	return ERR_OK;
}

static enum err_code
read_ca(struct arena *a, struct str path, struct plan_ca *ret, struct err *e)
{
	CLEANUP(buf_free) struct buf pem = buf_make(HAP_PEM_MAX);
	struct plan_ca ca = { .path = path };
	size_t n_pieces;
	enum err_code rc;

	if (path.len >= PATH_MAX || memchr(path.ptr, '\0', path.len) != NULL)
		return err_set(e, ERR_ARG, "is no path");
	/* A copy in the arena ends in NUL. */
	if ((rc = read_certificates(path.ptr, &pem, e)) != ERR_OK)
		return rc;
	if ((rc = hap_pem_check(buf_str(&pem), &n_pieces, e)) != ERR_OK)
		return rc;
	if (!arena_str(a, buf_str(&pem), &ca.pem))
		return err_set(e, ERR_NOMEM, "no memory for its certificates");
	if ((rc = name_of(a, ca.pem, &ca.name, e)) != ERR_OK)
		return rc;
	*ret = ca;
	return ERR_OK;
}

/* ---- the files as they are ---- */

static uint64_t
mix(uint64_t hash, uint64_t number)
{
	return (hash ^ number) * UINT64_C(0x100000001b3); /* as FNV-1a, by words */
}

/* What changes when a file is written, replaced, or made readable. */
static uint64_t
look_at(const char *path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	struct stat st;

	if (stat(path, &st) != 0)
		return 0;
	hash = mix(mix(hash, (uint64_t)st.st_dev), (uint64_t)st.st_ino);
	hash = mix(mix(hash, (uint64_t)st.st_size), (uint64_t)st.st_mode);
	hash = mix(mix(hash, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
	hash = mix(mix(hash, (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec);
	return hash != 0 ? hash : 1;
}

bool
hap_ca_is_outdated(struct hap_cas *cas)
{
	bool is_outdated = false;

	for (size_t i = 0; i < cas->n_looks; i++) {
		struct hap_ca_look *look = &cas->looks[i];
		const uint64_t now = look_at(look->path.ptr); /* which ends in NUL, in the arena */

		if (now != look->read && now == look->seen)
			is_outdated = true;
		look->seen = now;
	}
	return is_outdated;
}

/* ---- all of them ---- */

static bool
copy_item(struct arena *a, const struct plan_ca *from, struct plan_ca *to)
{
	return arena_str(a, from->path, &to->path) && arena_str(a, from->name, &to->name) &&
	       arena_str(a, from->pem, &to->pem);
}

const struct plan_ca *
hap_ca_find(const struct hap_cas *cas, struct str path)
{
	for (size_t i = 0; cas != NULL && i < cas->n; i++)
		if (str_eq(cas->items[i].path, path))
			return &cas->items[i];
	return NULL;
}

static bool
is_repeated(const struct str *paths, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(paths[k], paths[i]))
			return true;
	return false;
}

static enum err_code
fill(struct hap_cas *cas, const struct str *paths, size_t n, const struct hap_cas *before, struct err *e)
{
	struct plan_ca *items = ARENA_ARRAY(cas->arena, struct plan_ca, n);
	struct hap_ca_fault *faults = ARENA_ARRAY(cas->arena, struct hap_ca_fault, n);

	cas->looks = ARENA_ARRAY(cas->arena, struct hap_ca_look, n);
	if (items == NULL || faults == NULL || cas->looks == NULL)
		return err_set(e, ERR_NOMEM, "no memory for CA files");
	cas->items = items;
	cas->faults = faults;
	for (size_t i = 0; i < n; i++) {
		const struct plan_ca *was = hap_ca_find(before, paths[i]);
		struct err why = ERR_INIT;
		struct str path;
		uint64_t look;

		if (paths[i].len == 0 || is_repeated(paths, i))
			continue;
		if (!arena_str(cas->arena, paths[i], &path))
			return err_set(e, ERR_NOMEM, "no memory for CA files");
		look = look_at(path.ptr);
		cas->looks[cas->n_looks++] = (struct hap_ca_look){ .path = path, .read = look, .seen = look };
		if (read_ca(cas->arena, path, &items[cas->n], &why) == ERR_OK) {
			cas->n++;
			continue;
		}
		faults[cas->n_faults++] = (struct hap_ca_fault){ .path = path, .err = why };
		if (was != NULL && !copy_item(cas->arena, was, &items[cas->n++]))
			return err_set(e, ERR_NOMEM, "no memory for CA files");
	}
	return ERR_OK;
}

enum err_code
hap_ca_read(const struct str *paths, size_t n, const struct hap_cas *before, struct hap_cas **ret, struct err *e)
{
	struct arena *arena = arena_new(HAP_CA_ARENA_MAX);
	struct hap_cas *cas = arena != NULL ? ARENA_NEW(arena, struct hap_cas) : NULL;
	enum err_code rc;

	if (cas == NULL) {
		arena_free(arena);
		return err_set(e, ERR_NOMEM, "no memory for CA files");
	}
	cas->arena = arena;
	if ((rc = fill(cas, paths, n, before, e)) != ERR_OK) {
		arena_free(arena);
		return rc;
	}
	*ret = cas;
	return ERR_OK;
}

void
hap_ca_free(struct hap_cas *cas)
{
	if (cas != NULL)
		arena_free(cas->arena);
}
