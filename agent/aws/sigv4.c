/*
 * AWS Signature Version 4: see sigv4.h.
 *
 * The canonical form is what the service rebuilds from the bytes it received; two
 * requests with one canonical form are one request to it.  Path and query are
 * therefore encoded here from what is sent, never taken on trust: the path as it
 * stands (so what was escaped for sending is escaped twice, as all services but S3
 * want it), the query decoded first.
 */
#include "config.h"

#include "aws/sigv4.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HASH_SIZE SHA256_DIGEST_LENGTH
#define KEY_MAX   ((size_t)4096)

static void
put_hex(const uint8_t bytes[HASH_SIZE], struct buf *out)
{
	char hex[2 * HASH_SIZE];

	str_put_hex(bytes, HASH_SIZE, hex);
	buf_put(out, str_of(hex, sizeof(hex)));
}

static enum err_code
put_hash(struct str s, struct buf *out, struct err *e)
{
	uint8_t hash[HASH_SIZE];

	if (EVP_Digest(s.len > 0 ? s.ptr : "", s.len, hash, NULL, EVP_sha256(), NULL) != 1)
		return err_set(e, ERR_IO, "libcrypto has no SHA-256");
	put_hex(hash, out);
	return ERR_OK;
}

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static void
put_encoded(char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t byte = (uint8_t)c;

	if (is_unreserved(c)) {
		buf_put_u8(out, byte);
		return;
	}
	buf_put_u8(out, '%');
	buf_put_u8(out, (uint8_t)digits[byte >> 4]);
	buf_put_u8(out, (uint8_t)digits[byte & 15]);
}

/* One path segment (without its slash) onto out, which holds "" or "/a/b". */
static void
put_segment(struct str segment, struct buf *out)
{
	if (segment.len == 0 || str_eq(segment, STR(".")))
		return;
	if (str_eq(segment, STR(".."))) {
		while (out->len > 0 && out->ptr[--out->len] != '/')
			;
		return;
	}
	buf_put_u8(out, '/');
	for (size_t i = 0; i < segment.len; i++)
		put_encoded(segment.ptr[i], out);
}

/* RFC 3986's dot segments, and doubled slashes beside. */
static bool
put_normalised(struct str path, struct buf *out)
{
	struct buf kept = buf_make(SIGV4_TEXT_MAX);
	struct str rest = path, segment = str_of(NULL, 0);
	bool fits;

	while (str_next(&rest, '/', &segment))
		put_segment(segment, &kept);
	buf_put(out, buf_str(&kept));
	/* "/a/" and "/a/." name a directory, "/a" doesn't. */
	if (kept.len == 0 || segment.len == 0 || str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
		buf_put_u8(out, '/');
	fits = kept.failed == ERR_OK;
	buf_free(&kept);
	return fits;
}

static enum err_code
put_path(const struct sigv4_request *rq, struct buf *out, struct err *e)
{
	if (rq->path.len > 0 && rq->path.ptr[0] != '/')
		return err_set(e, ERR_ARG, "a path that does not begin with a slash");
	if (!rq->path_as_is)
		return put_normalised(rq->path, out) ? ERR_OK : err_set(e, ERR_LIMIT, "a path too long to sign");
	if (rq->path.len == 0)
		buf_put_u8(out, '/');
	for (size_t i = 0; i < rq->path.len; i++) {
		if (rq->path.ptr[i] == '/')
			buf_put_u8(out, '/');
		else
			put_encoded(rq->path.ptr[i], out);
	}
	return ERR_OK;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decoded, then encoded in the one right way; a '%' that begins no escape is
 * itself, and so is '+'. */
static void
put_recoded(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '%' && s.len - i > 2 && hex_value(s.ptr[i + 1]) >= 0 && hex_value(s.ptr[i + 2]) >= 0) {
			put_encoded((char)(hex_value(s.ptr[i + 1]) << 4 | hex_value(s.ptr[i + 2])), out);
			i += 2;
		} else {
			put_encoded(s.ptr[i], out);
		}
	}
}

/* One query parameter, encoded, as places in a buffer that may still move. */
struct param {
	size_t key_at, key_len, value_at, value_len;
};

static struct str
key_of(const struct buf *text, const struct param *p)
{
	return str_first(str_skip(buf_str(text), p->key_at), p->key_len);
}

static struct str
value_of(const struct buf *text, const struct param *p)
{
	return str_first(str_skip(buf_str(text), p->value_at), p->value_len);
}

static int
compare_params(const struct buf *text, const struct param *a, const struct param *b)
{
	int order = str_cmp(key_of(text, a), key_of(text, b));

	return order != 0 ? order : str_cmp(value_of(text, a), value_of(text, b));
}

static struct param
take_param(struct str pair, struct buf *text)
{
	struct param p = { .key_at = text->len };
	size_t eq = pair.len;

	(void)str_find(pair, '=', &eq);
	put_recoded(str_first(pair, eq), text);
	p.key_len = text->len - p.key_at;
	p.value_at = text->len;
	put_recoded(str_skip(pair, eq + 1), text);
	p.value_len = text->len - p.value_at;
	return p;
}

static enum err_code
take_params(struct str query, struct buf *text, struct param params[SIGV4_PARAMS_MAX], size_t *ret_n, struct err *e)
{
	struct str pair;
	size_t n = 0;

	while (str_next(&query, '&', &pair)) {
		if (pair.len == 0)
			continue;
		if (n == SIGV4_PARAMS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d query parameters", SIGV4_PARAMS_MAX);
		params[n++] = take_param(pair, text);
	}
	*ret_n = n;
	return buf_failed(text, e);
}

static void
put_params(const struct buf *text, struct param params[], size_t n, struct buf *out)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k > 0 && compare_params(text, &params[k - 1], &params[k]) > 0; k--) {
			struct param swap = params[k - 1];

			params[k - 1] = params[k];
			params[k] = swap;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_put_u8(out, '&');
		buf_put(out, key_of(text, &params[i]));
		buf_put_u8(out, '=');
		buf_put(out, value_of(text, &params[i]));
	}
}

static enum err_code
put_query(struct str query, struct buf *out, struct err *e)
{
	struct param params[SIGV4_PARAMS_MAX];
	struct buf text = buf_make(SIGV4_TEXT_MAX);
	size_t n;
	enum err_code rc = take_params(query, &text, params, &n, e);

	if (rc == ERR_OK)
		put_params(&text, params, n, out);
	buf_free(&text);
	return rc;
}

static bool
is_header_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_unreserved(s.ptr[i]) || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
			return false;
	return s.len > 0;
}

/* Headers in the order of their names; those of one name keep theirs. */
static enum err_code
sort_headers(const struct sigv4_request *rq, const struct sigv4_header *ret[SIGV4_HEADERS_MAX], struct err *e)
{
	if (rq->n_headers > SIGV4_HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d headers to sign", SIGV4_HEADERS_MAX);
	for (size_t i = 0; i < rq->n_headers; i++) {
		size_t k = i;

		if (!is_header_name(rq->headers[i].name))
			return err_set(e, ERR_ARG, "a header name to sign that is empty or not in lower case");
		for (; k > 0 && str_cmp(ret[k - 1]->name, rq->headers[i].name) > 0; k--)
			ret[k] = ret[k - 1];
		ret[k] = &rq->headers[i];
	}
	return ERR_OK;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Trimmed, each run of blanks as one space, folded lines included. */
static void
put_header_value(struct str value, struct buf *out)
{
	value = str_trim(value);
	for (size_t i = 0; i < value.len; i++) {
		if (!is_blank(value.ptr[i]))
			buf_put_u8(out, (uint8_t)value.ptr[i]);
		else if (!is_blank(value.ptr[i - 1])) /* the first is none: it is trimmed */
			buf_put_u8(out, ' ');
	}
}

static void
put_headers(const struct sigv4_header *const sorted[], size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && str_eq(sorted[i]->name, sorted[i - 1]->name)) {
			buf_put_u8(out, ',');
		} else {
			if (i > 0)
				buf_put_u8(out, '\n');
			buf_put(out, sorted[i]->name);
			buf_put_u8(out, ':');
		}
		put_header_value(sorted[i]->value, out);
	}
	if (n > 0)
		buf_put_u8(out, '\n');
}

static void
put_header_names(const struct sigv4_header *const sorted[], size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && str_eq(sorted[i]->name, sorted[i - 1]->name))
			continue;
		if (i > 0)
			buf_put_u8(out, ';');
		buf_put(out, sorted[i]->name);
	}
}

static bool
is_method(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 'A' || s.ptr[i] > 'Z')
			return false;
	return s.len > 0;
}

enum err_code
sigv4_canonical_request(const struct sigv4_request *rq, struct buf *out, struct err *e)
{
	const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
	enum err_code rc = sort_headers(rq, sorted, e);

	if (rc != ERR_OK)
		return rc;
	if (!is_method(rq->method))
		return err_set(e, ERR_ARG, "a method to sign that is not in upper case");
	buf_put(out, rq->method);
	buf_put_u8(out, '\n');
	rc = put_path(rq, out, e);
	if (rc != ERR_OK)
		return rc;
	buf_put_u8(out, '\n');
	rc = put_query(rq->query, out, e);
	if (rc != ERR_OK)
		return rc;
	buf_put_u8(out, '\n');
	put_headers(sorted, rq->n_headers, out);
	buf_put_u8(out, '\n');
	put_header_names(sorted, rq->n_headers, out);
	buf_put_u8(out, '\n');
	rc = put_hash(rq->body, out, e);
	return rc == ERR_OK ? buf_failed(out, e) : rc;
}

void
sigv4_amz_date(int64_t wall_ms, char ret[SIGV4_DATE_SIZE])
{
	/* What has no four-digit year is shown as the nearest that has. */
	const int64_t last_s = INT64_C(253402300799);
	time_t seconds = (time_t)(wall_ms < 0 ? 0 : wall_ms / 1000 > last_s ? last_s : wall_ms / 1000);
	struct tm tm = { 0 };
	char text[96]; /* as wide as the format could be by its types alone */

	(void)gmtime_r(&seconds, &tm);
	(void)snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(ret, text, SIGV4_DATE_SIZE - 1);
	ret[SIGV4_DATE_SIZE - 1] = '\0';
}

static bool
is_scope_part(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_unreserved(s.ptr[i]))
			return false;
	return s.len > 0;
}

static enum err_code
put_scope(const struct sigv4_scope *sc, struct buf *out, struct err *e)
{
	char date[SIGV4_DATE_SIZE];

	if (!is_scope_part(sc->region) || !is_scope_part(sc->service))
		return err_set(e, ERR_ARG, "a region or service that cannot stand in a signature");
	sigv4_amz_date(sc->wall_ms, date);
	buf_put(out, str_of(date, 8));
	buf_put_u8(out, '/');
	buf_put(out, sc->region);
	buf_put_u8(out, '/');
	buf_put(out, sc->service);
	buf_put(out, STR("/aws4_request"));
	return ERR_OK;
}

enum err_code
sigv4_string_to_sign(struct str canonical, const struct sigv4_scope *sc, struct buf *out, struct err *e)
{
	char date[SIGV4_DATE_SIZE];
	enum err_code rc;

	sigv4_amz_date(sc->wall_ms, date);
	buf_put(out, STR(ALGORITHM "\n"));
	buf_put(out, str_from_cstr(date));
	buf_put_u8(out, '\n');
	rc = put_scope(sc, out, e);
	if (rc != ERR_OK)
		return rc;
	buf_put_u8(out, '\n');
	rc = put_hash(canonical, out, e);
	return rc == ERR_OK ? buf_failed(out, e) : rc;
}

static bool
mac(struct str key, struct str data, uint8_t ret[HASH_SIZE])
{
	return HMAC(EVP_sha256(), key.ptr, (int)key.len, (const uint8_t *)data.ptr, data.len, ret, NULL) != NULL;
}

/* Date, region, service, "aws4_request": each is signed with the result before. */
static bool
derive(struct str secret, const struct sigv4_scope *sc, uint8_t ret[HASH_SIZE])
{
	struct buf first = buf_make(KEY_MAX);
	char date[SIGV4_DATE_SIZE];
	struct str k = str_of(ret, HASH_SIZE);
	bool done;

	sigv4_amz_date(sc->wall_ms, date);
	buf_put(&first, STR("AWS4"));
	buf_put(&first, secret);
	done = first.failed == ERR_OK && mac(buf_str(&first), str_of(date, 8), ret) && mac(k, sc->region, ret) &&
	       mac(k, sc->service, ret) && mac(k, STR("aws4_request"), ret);
	buf_wipe(&first);
	return done;
}

static enum err_code
put_signature(
    struct str to_sign, const struct sigv4_key *key, const struct sigv4_scope *sc, struct buf *out, struct err *e)
{
	uint8_t signing_key[HASH_SIZE], signature[HASH_SIZE];
	bool done = derive(key->secret, sc, signing_key) && mac(str_of(signing_key, HASH_SIZE), to_sign, signature);

	explicit_bzero(signing_key, sizeof(signing_key));
	if (!done)
		return err_set(e, ERR_IO, "libcrypto cannot sign");
	put_hex(signature, out);
	return ERR_OK;
}

enum err_code
sigv4_authorization(const struct sigv4_request *rq, struct str to_sign, const struct sigv4_key *key,
    const struct sigv4_scope *sc, struct buf *out, struct err *e)
{
	const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
	enum err_code rc = sort_headers(rq, sorted, e);

	if (rc != ERR_OK)
		return rc;
	buf_put(out, STR(ALGORITHM " Credential="));
	buf_put(out, key->access_key_id);
	buf_put_u8(out, '/');
	rc = put_scope(sc, out, e);
	if (rc != ERR_OK)
		return rc;
	buf_put(out, STR(", SignedHeaders="));
	put_header_names(sorted, rq->n_headers, out);
	buf_put(out, STR(", Signature="));
	rc = put_signature(to_sign, key, sc, out, e);
	return rc == ERR_OK ? buf_failed(out, e) : rc;
}
