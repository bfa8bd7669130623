/*
 * One HTTP exchange: see http_transfer.h.
 *
 * libcurl does a lot that we did not ask for: it follows its environment, adds
 * headers, resolves dot segments, speaks twenty protocols.  What is signed must be
 * sent as it was signed, so all of that is turned off here, in one place.
 */
#include "config.h"

#include "io/http_transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX           8192
#define RETRY_AFTER_MAX_S UINT64_C(86400)
#define TIMEOUT_MAX_MS    INT64_C(3600000)

/* libcurl keeps connections to itself; it must not keep cookies, credentials or
 * a thread that we would have to wait for. */
static const struct {
	CURLoption option;
	long value;
} always[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_QUICK_EXIT, 1 }, /* a hanging resolver thread would stop the whole loop */
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_FOLLOWLOCATION, 0 }, /* never carry a signature to another host */
	{ CURLOPT_UNRESTRICTED_AUTH, 0 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
	{ CURLOPT_PATH_AS_IS, 1 },               /* the path was signed as it stands */
	{ CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 }, /* a proxy's Date is not the service's */
	{ CURLOPT_TCP_KEEPALIVE, 1 },
	{ CURLOPT_NOPROGRESS, 1 },
};

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;

	buf_put(&t->body, str_of(data, size * n));
	return t->body.failed == ERR_OK ? size * n : 0;
}

static bool
is_name(struct str s, struct str name)
{
	return s.len == name.len && (s.len == 0 || curl_strnequal(s.ptr, name.ptr, s.len) != 0);
}

static void
take_date(struct http_transfer *t, struct str value)
{
	char text[64];
	time_t at;

	if (value.len >= sizeof(text))
		return;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	at = curl_getdate(text, NULL);
	t->date_wall_ms = at > 0 ? (int64_t)at * 1000 : 0;
}

static void
take_error_type(struct http_transfer *t, struct str value)
{
	if (value.len < sizeof(t->error_type) && str_is_printable(value)) {
		memcpy(t->error_type, value.ptr, value.len);
		t->error_type[value.len] = '\0';
	}
}

static void
take_header(struct http_transfer *t, struct str name, struct str value)
{
	uint64_t n;

	if (is_name(name, STR("date")) && value.len > 0)
		take_date(t, value);
	else if (is_name(name, STR("x-amzn-errortype")) && value.len > 0)
		take_error_type(t, value);
	else if (is_name(name, STR("retry-after")) && str_to_u64(value, RETRY_AFTER_MAX_S, &n))
		t->retry_after_ms = (int64_t)n * 1000;
	else if (is_name(name, STR("x-amz-retry-after")) && str_to_u64(value, RETRY_AFTER_MAX_S * 1000, &n))
		t->retry_after_ms = (int64_t)n;
}

static void
forget_head(struct http_transfer *t)
{
	t->error_type[0] = '\0';
	t->date_wall_ms = 0;
	t->retry_after_ms = -1;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	struct str line = str_of(data, size * n);
	size_t colon;

	if (line.len > HTTP_TRANSFER_HEAD_MAX - t->head_bytes) {
		t->head_too_large = true;
		return 0;
	}
	t->head_bytes += line.len;
	/* An interim answer (1xx) comes before the real one: only the last head counts. */
	if (str_has_prefix(line, STR("HTTP/")))
		forget_head(t);
	else if (str_find(line, ':', &colon))
		take_header(t, str_first(line, colon), str_trim(str_skip(line, colon + 1)));
	return line.len;
}

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			c == '_'))
			return false;
	}
	return s.len > 0;
}

enum err_code
http_transfer_check_header(const struct http_header *h, struct err *e)
{
	if (!is_token(h->name))
		return err_set(e, ERR_ARG, "a request header without a proper name");
	/* libcurl writes these itself; two that disagree are request smuggling. */
	if (is_name(h->name, STR("host")) || is_name(h->name, STR("content-length")) ||
	    is_name(h->name, STR("transfer-encoding")))
		return err_set(e, ERR_ARG, "the request header %.*s is not ours to set", STR_ARG(h->name));
	for (size_t i = 0; i < h->value.len; i++)
		if ((unsigned char)h->value.ptr[i] < 0x20 || h->value.ptr[i] == 0x7f)
			return err_set(e, ERR_ARG, "a control character in the request header %.*s", STR_ARG(h->name));
	return ERR_OK;
}

static enum err_code
check_request(const struct http_request *rq, struct err *e)
{
	enum err_code rc;

	if (!is_token(rq->method))
		return err_set(e, ERR_ARG, "a request without a proper method");
	if (rq->url.len > URL_MAX || !str_is_printable(rq->url) || memchr(rq->url.ptr, ' ', rq->url.len) != NULL)
		return err_set(e, ERR_ARG, "a URL that is too long, or holds a space or a control character");
	if (rq->timeout_ms <= 0 || rq->connect_timeout_ms <= 0 || rq->timeout_ms > TIMEOUT_MAX_MS ||
	    rq->connect_timeout_ms > TIMEOUT_MAX_MS)
		return err_set(e, ERR_ARG, "a request without usable timeouts");
	if (rq->n_headers > HTTP_TRANSFER_HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d request headers", HTTP_TRANSFER_HEADERS_MAX);
	for (size_t i = 0; i < rq->n_headers; i++) {
		rc = http_transfer_check_header(&rq->headers[i], e);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err_code
read_where(CURLU *parts, struct http_transfer *t, struct err *e)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	enum err_code rc = ERR_OK;

	if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		rc = err_set(e, ERR_ARG, "a URL without a host, or of a scheme without ports");
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		rc = err_set(e, ERR_ARG, "a URL that is neither http nor https");
	else
		(void)snprintf(t->where, sizeof(t->where), "%s:%s", host, port);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return rc;
}

static enum err_code
check_url(struct http_transfer *t, const char *url, struct err *e)
{
	CURLU *parts = curl_url();
	CURLUcode bad;
	enum err_code rc;

	if (parts == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a URL");
	bad = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);
	if (bad != CURLUE_OK)
		rc = err_set(e, ERR_ARG, "not a usable URL: %s", curl_url_strerror(bad));
	else
		rc = read_where(parts, t, e);
	curl_url_cleanup(parts);
	return rc;
}

static bool
names(const struct http_request *rq, struct str name)
{
	for (size_t i = 0; i < rq->n_headers; i++)
		if (is_name(rq->headers[i].name, name))
			return true;
	return false;
}

/* libcurl's way to send an empty header is "name;", and to send none "name:". */
static void
put_lines(struct buf *out, const struct http_request *rq, size_t at[], size_t *ret_n)
{
	const struct str unwanted[] = { STR("accept"), STR("expect"), STR("content-type"), STR("user-agent") };
	size_t n = 0;

	for (size_t i = 0; i < rq->n_headers; i++) {
		const struct http_header *h = &rq->headers[i];

		at[n++] = out->len;
		buf_put(out, h->name);
		buf_put(out, h->value.len > 0 ? STR(": ") : STR(";"));
		buf_put(out, h->value);
		buf_put_u8(out, 0);
	}
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
		if (names(rq, unwanted[i]))
			continue;
		at[n++] = out->len;
		buf_put(out, unwanted[i]);
		buf_put(out, STR(":"));
		buf_put_u8(out, 0);
	}
	*ret_n = n;
}

static enum err_code
link_lines(struct http_transfer *t, const size_t at[], size_t n, struct err *e)
{
	t->lines = calloc(n, sizeof(*t->lines));
	if (t->lines == NULL)
		return err_set(e, ERR_NOMEM, "no memory for request headers");
	for (size_t i = 0; i < n; i++) {
		t->lines[i].data = (char *)t->sent.ptr + at[i];
		t->lines[i].next = i + 1 < n ? &t->lines[i + 1] : NULL;
	}
	return ERR_OK;
}

/* Where things stand in t->sent, whose memory moves until all is in it. */
struct places {
	size_t url, method, body, body_len;
};

static enum err_code
copy_request(struct http_transfer *t, const struct http_request *rq, struct places *ret, struct err *e)
{
	size_t at[HTTP_TRANSFER_HEADERS_MAX + 8], n;
	struct places p = { .body_len = rq->body.len };
	enum err_code rc;

	p.url = t->sent.len;
	buf_put(&t->sent, rq->url);
	buf_put_u8(&t->sent, 0);
	p.method = t->sent.len;
	buf_put(&t->sent, rq->method);
	buf_put_u8(&t->sent, 0);
	put_lines(&t->sent, rq, at, &n);
	p.body = t->sent.len;
	buf_put(&t->sent, rq->body);
	buf_put_u8(&t->sent, 0); /* so that an empty body is somewhere, too */
	rc = buf_failed(&t->sent, e);
	if (rc != ERR_OK)
		return err_wrap(e, rc, "a request");
	*ret = p;
	return link_lines(t, at, n, e);
}

static const char *
in_sent(const struct http_transfer *t, size_t at)
{
	return (const char *)t->sent.ptr + at;
}

static CURLcode
set_method(const struct http_transfer *t, const struct places *p)
{
	const char *method = in_sent(t, p->method);
	CURLcode rc;

	if (strcmp(method, "GET") == 0 && p->body_len == 0)
		return curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
	rc = curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, in_sent(t, p->body));
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body_len);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
	return rc;
}

static CURLcode
set_limits(const struct http_transfer *t, const struct http_request *rq)
{
	CURLcode rc = curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)rq->timeout_ms);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)rq->connect_timeout_ms);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (rc == CURLE_OK && rq->no_proxy)
		rc = curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	for (size_t i = 0; rc == CURLE_OK && i < sizeof(always) / sizeof(always[0]); i++)
		rc = curl_easy_setopt(t->easy, always[i].option, always[i].value);
	return rc;
}

static CURLcode
set_sinks(struct http_transfer *t, void *owner)
{
	CURLcode rc = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_text);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_PRIVATE, owner);
	return rc;
}

static enum err_code
set_up(struct http_transfer *t, const struct http_request *rq, const char *ca_file, void *owner, struct err *e)
{
	struct places p;
	enum err_code rc = copy_request(t, rq, &p, e);
	CURLcode bad;

	if (rc == ERR_OK)
		rc = check_url(t, in_sent(t, p.url), e);
	if (rc != ERR_OK)
		return rc;
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a request");
	bad = curl_easy_setopt(t->easy, CURLOPT_URL, in_sent(t, p.url));
	if (bad == CURLE_OK)
		bad = curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
	if (bad == CURLE_OK)
		bad = set_method(t, &p);
	if (bad == CURLE_OK)
		bad = set_limits(t, rq);
	if (bad == CURLE_OK)
		bad = set_sinks(t, owner);
	if (bad == CURLE_OK && ca_file != NULL && ca_file[0] != '\0')
		bad = curl_easy_setopt(t->easy, CURLOPT_CAINFO, ca_file);
	/* All of them, or nothing is sent: each of these options keeps a promise. */
	if (bad != CURLE_OK)
		return err_set(e, ERR_NOMEM, "libcurl refuses an option: %s", curl_easy_strerror(bad));
	return ERR_OK;
}

enum err_code
http_transfer_open(
    struct http_transfer *t, const struct http_request *rq, const char *ca_file, void *owner, struct err *e)
{
	enum err_code rc = check_request(rq, e);

	if (rc != ERR_OK)
		return rc;
	*t = (struct http_transfer){
		.sent = buf_make(HTTP_TRANSFER_SENT_MAX),
		.body = buf_make(rq->max_response),
		.connect_timeout_ms = rq->connect_timeout_ms,
		.timeout_ms = rq->timeout_ms,
	};
	forget_head(t);
	rc = set_up(t, rq, ca_file, owner, e);
	if (rc != ERR_OK)
		http_transfer_close(t);
	return rc;
}

void
http_transfer_close(struct http_transfer *t)
{
	curl_easy_cleanup(t->easy); /* null is fine */
	free(t->lines);
	buf_wipe(&t->sent);
	buf_wipe(&t->body); /* an answer may be a key */
	*t = (struct http_transfer){ .easy = NULL };
}

/* libcurl may quote a URL, and the proxy's holds a password as often as not. */
static const char *
curl_words(const struct http_transfer *t, CURLcode result)
{
	bool is_fit =
	    t->curl_text[0] != '\0' && strchr(t->curl_text, '@') == NULL && strstr(t->curl_text, "://") == NULL;

	return is_fit ? t->curl_text : curl_easy_strerror(result);
}

/* What libcurl says of a URL that it does not understand, under one code or another. */
static bool
is_bad_proxy(const struct http_transfer *t)
{
	return str_has_prefix(str_from_cstr(t->curl_text), STR("Unsupported proxy"));
}

/* libcurl's words name whom it tried to reach: not our peer means a proxy. */
static bool
tried_another(const struct http_transfer *t)
{
	struct str host = str_from_cstr(t->where);

	host.len -= str_after_last(host, ':').len + 1;
	if (str_has_prefix(host, STR("[")))
		host = str_of(host.ptr + 1, host.len - 2);
	return t->curl_text[0] != '\0' && memmem(t->curl_text, strlen(t->curl_text), host.ptr, host.len) == NULL;
}

static enum err_code
say_no_connection(const struct http_transfer *t, CURLcode result, struct err *e)
{
	long os_errno = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (os_errno == 0 || tried_another(t))
		return err_set(e, ERR_IO, "could not connect to %s: %s", t->where, curl_words(t, result));
	return err_sys(e, (int)os_errno, "could not connect to %s", t->where);
}

static enum err_code
say_timeout(const struct http_transfer *t, struct err *e)
{
	int64_t within_ms = t->connect_timeout_ms < t->timeout_ms ? t->connect_timeout_ms : t->timeout_ms;
	curl_off_t ready_us = 0;
	const char *address = NULL, *what = "could not connect to";

	(void)curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
	(void)curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &address);
	if (ready_us > 0)
		return err_set(
		    e, ERR_TIMEOUT, "no complete answer from %s within %lld ms", t->where, (long long)t->timeout_ms);
	if (str_has_prefix(str_from_cstr(t->curl_text), STR("Resolving")))
		what = "could not resolve the name of";
	else if (address != NULL && address[0] != '\0')
		what = "no TLS connection to";
	return err_set(e, ERR_TIMEOUT, "%s %s within %lld ms", what, t->where, (long long)within_ms);
}

static enum err_code
say_too_large(const struct http_transfer *t, struct err *e)
{
	if (t->head_too_large)
		return err_set(
		    e, ERR_LIMIT, "the headers of %s are longer than %zu bytes", t->where, HTTP_TRANSFER_HEAD_MAX);
	if (t->body.failed == ERR_NOMEM)
		return err_set(e, ERR_NOMEM, "no memory for the answer of %s", t->where);
	return err_set(e, ERR_LIMIT, "the answer of %s is longer than %zu bytes", t->where, t->body.limit);
}

static enum err_code
say_failure(const struct http_transfer *t, CURLcode result, struct err *e)
{
	const char *words = curl_words(t, result);

	if (is_bad_proxy(t))
		return err_set(e, ERR_IO,
		    "no way to %s: what https_proxy, http_proxy or all_proxy of the environment names is no proxy "
		    "that can be used",
		    t->where);
	/* Of libcurl's hundred codes these need words of their own; an if-chain, since
	 * a switch over CURLcode would have to name them all. */
	if (result == CURLE_COULDNT_CONNECT)
		return say_no_connection(t, result, e);
	if (result == CURLE_OPERATION_TIMEDOUT)
		return say_timeout(t, e);
	if (result == CURLE_WRITE_ERROR || result == CURLE_FILESIZE_EXCEEDED)
		return say_too_large(t, e);
	if (result == CURLE_COULDNT_RESOLVE_HOST)
		return err_set(e, ERR_IO, "could not resolve the name of %s", t->where);
	if (result == CURLE_COULDNT_RESOLVE_PROXY)
		return err_set(e, ERR_IO, "could not resolve the proxy on the way to %s: %s", t->where, words);
	if (result == CURLE_GOT_NOTHING)
		return err_set(e, ERR_CLOSED, "%s closed the connection without an answer", t->where);
	if (result == CURLE_PARTIAL_FILE)
		return err_set(e, ERR_CLOSED, "%s closed the connection within its answer", t->where);
	if (result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR)
		return err_set(e, ERR_CLOSED, "lost the connection to %s: %s", t->where, words);
	if (result == CURLE_WEIRD_SERVER_REPLY || result == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(e, ERR_PARSE, "%s does not speak HTTP: %s", t->where, words);
	if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR)
		return err_set(e, ERR_IO, "no TLS with %s: %s", t->where, words);
	if (result == CURLE_SSL_CACERT_BADFILE)
		return err_set(
		    e, ERR_CONF, "no TLS with %s: AWS_CA_BUNDLE names no file of CAs that can be read", t->where);
	if (result == CURLE_OUT_OF_MEMORY)
		return err_set(e, ERR_NOMEM, "no memory for a request to %s", t->where);
	return err_set(e, ERR_IO, "a request to %s failed: %s", t->where, words);
}

void
http_transfer_result(struct http_transfer *t, CURLcode result, struct http_response *ret, struct err *e)
{
	long status = 0;

	if (result != CURLE_OK) {
		*ret = (struct http_response){ .code = say_failure(t, result, e), .err = e, .retry_after_ms = -1 };
		return;
	}
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	*ret = (struct http_response){
		.code = ERR_OK,
		.err = e,
		.status = (int)status,
		.body = buf_str(&t->body),
		.error_type = str_from_cstr(t->error_type),
		.date_wall_ms = t->date_wall_ms,
		.retry_after_ms = t->retry_after_ms,
	};
}
