/*
 * Asking the daemon: see cli_client.h.
 *
 * Proxies of the environment are for the world outside; they are never asked to
 * reach the daemon beside us.
 */
#include "config.h"

#include "cli/cli_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <curl/curl.h>

#define ABSTRACT STR("abns@")

struct target {
	struct buf url;              /* with its NUL */
	const char *unix_path;       /* or null */
	struct sockaddr_un abstract; /* instead, if its family is set */
};

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void
cli_client_put_segment(struct buf *out, struct str segment)
{
	/* "." and ".." would be taken out of the path on the way. */
	bool dots = str_eq(segment, STR(".")) || str_eq(segment, STR(".."));

	for (size_t i = 0; i < segment.len; i++) {
		if (is_unreserved(segment.ptr[i]) && !dots)
			buf_put_u8(out, (uint8_t)segment.ptr[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)segment.ptr[i]);
	}
}

/* HAProxy pads abstract names with NULs, and rollcalld listens so. */
static bool
set_abstract(struct str name, struct sockaddr_un *ret)
{
	if (name.len == 0 || name.len >= sizeof(ret->sun_path))
		return false;
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path + 1, name.ptr, name.len);
	return true;
}

/* libcurl's own abstract names are not padded, so that its socket is turned to ours. */
static curl_socket_t
open_abstract(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct sockaddr_un *to = arg;

	(void)purpose;
	_Static_assert(sizeof(address->addr) <= sizeof(*to), "curl_sockaddr begins the room for any address");
	memcpy(&address->addr, to, sizeof(*to));
	address->addrlen = sizeof(*to);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static enum err_code
find_target(const char *where, struct str path, struct target *ret, struct err *e)
{
	struct str base = str_from_cstr(where);

	ret->url = buf_make(CLI_CLIENT_URL_MAX);
	ret->unix_path = NULL;
	ret->abstract = (struct sockaddr_un){ 0 };
	if (base.len == 0)
		return err_set(e, ERR_ARG, "an empty name is no socket");
	if (str_has_prefix(base, STR("http://"))) {
		while (str_has_suffix(base, STR("/")))
			base.len--;
		buf_put(&ret->url, base);
	} else if (strstr(where, "://") != NULL) {
		return err_set(e, ERR_ARG, "%s: only http:// URLs are spoken to", where);
	} else {
		buf_put(&ret->url, STR("http://localhost"));
		if (!str_has_prefix(base, ABSTRACT))
			ret->unix_path = where;
		else if (!set_abstract(str_skip(base, ABSTRACT.len), &ret->abstract))
			return err_set(e, ERR_ARG, "%s: an abstract name has 1 to %zu bytes", where,
			    sizeof(ret->abstract.sun_path) - 1);
	}
	buf_put(&ret->url, path);
	buf_put_u8(&ret->url, '\0');
	return buf_failed(&ret->url, e);
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	buf_put(body, str_of(bytes, size * n));
	/* A short count makes libcurl give up. */
	return buf_failed(body, NULL) == ERR_OK ? size * n : 0;
}

/* What is asked, and of whom; the answer goes elsewhere. */
static CURLcode
set_target(CURL *curl, const struct target *to, bool post)
{
	CURLcode bad = CURLE_OK;

#define SET(option, value)                                                       \
	do {                                                                     \
		if (bad == CURLE_OK)                                             \
			bad = curl_easy_setopt(curl, CURLOPT_##option, (value)); \
	} while (0)
	SET(URL, (const char *)to->url.ptr);
	if (to->unix_path != NULL)
		SET(UNIX_SOCKET_PATH, to->unix_path);
	if (to->abstract.sun_family == AF_UNIX) {
		SET(UNIX_SOCKET_PATH, "/abstract"); /* any: open_abstract knows better */
		SET(OPENSOCKETFUNCTION, open_abstract);
		SET(OPENSOCKETDATA, &to->abstract);
	}
	SET(PROTOCOLS_STR, "http");
	if (post) {
		SET(POST, 1L);
		SET(POSTFIELDSIZE, 0L);
		SET(POSTFIELDS, "");
	}
	SET(FOLLOWLOCATION, 0L);
	SET(PATH_AS_IS, 1L);
	SET(PROXY, "");
	SET(NOPROXY, "*");
	SET(NOSIGNAL, 1L);
	SET(CONNECTTIMEOUT_MS, CLI_CLIENT_CONNECT_MS);
	SET(USERAGENT, "rollcall/" PACKAGE_VERSION);
#undef SET
	return bad;
}

static bool
set_options(CURL *curl, const struct target *to, bool post, struct buf *body)
{
	return set_target(curl, to, post) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CLI_CLIENT_ANSWER_MS) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static enum err_code
say_unreachable(CURL *curl, const char *where, CURLcode status, struct err *e)
{
	long errnum = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &errnum);
	if (errnum == EACCES || errnum == EPERM)
		return err_set(e, ERR_CLOSED, "%s: permission denied: be root or in the group of that socket", where);
	if (errnum == ENOENT)
		return err_set(e, ERR_CLOSED, "%s: there is no such socket: is rollcalld running?", where);
	if (errnum == ECONNREFUSED)
		return err_set(e, ERR_CLOSED, "%s: nobody is listening: is rollcalld running?", where);
	return err_set(e, ERR_CLOSED, "%s: %s: is rollcalld running?", where, curl_easy_strerror(status));
}

static enum err_code
judge(CURL *curl, const char *where, CURLcode status, const struct buf *body, struct err *e)
{
	/* The other codes are about what the daemon said, or how it stopped saying it. */
	if (status == CURLE_OK)
		return ERR_OK;
	if (buf_failed(body, e) != ERR_OK)
		return err_wrap(e, body->failed, "%s: the answer is too long", where);
	if (status == CURLE_COULDNT_CONNECT || status == CURLE_COULDNT_RESOLVE_HOST)
		return say_unreachable(curl, where, status, e);
	if (status == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ERR_TIMEOUT,
		    "%s: no answer within %ld s: is rollcalld stuck, or something else there?", where,
		    CLI_CLIENT_ANSWER_MS / 1000);
	if (status == CURLE_URL_MALFORMAT)
		return err_set(e, ERR_ARG, "%s: not a URL", where);
	if (status == CURLE_GOT_NOTHING || status == CURLE_RECV_ERROR || status == CURLE_SEND_ERROR)
		return err_set(e, ERR_CLOSED, "%s: hung up without an answer", where);
	return err_set(e, ERR_REMOTE, "%s: %s", where, curl_easy_strerror(status));
}

static enum err_code
ask(CURL *curl, const char *where, const struct target *to, bool post, struct cli_client_answer *ret, struct err *e)
{
	struct cli_client_answer answer = { .body = buf_make(CLI_CLIENT_ANSWER_MAX) };
	enum err_code code;

	if (!set_options(curl, to, post, &answer.body))
		return err_set(e, ERR_ARG, "%s: libcurl cannot speak to that", where);
	code = judge(curl, where, curl_easy_perform(curl), &answer.body, e);
	if (code != ERR_OK) {
		buf_free(&answer.body);
		return code;
	}
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	*ret = answer;
	return ERR_OK;
}

static enum err_code
request(const struct cli_client *c, struct str path, bool post, struct cli_client_answer *ret, struct err *e)
{
	struct target to;
	enum err_code code = find_target(c->where, path, &to, e);
	CURL *curl = code == ERR_OK ? curl_easy_init() : NULL;

	if (code == ERR_OK && curl == NULL)
		code = err_set(e, ERR_NOMEM, "no memory to ask the daemon");
	if (code == ERR_OK)
		code = ask(curl, c->where, &to, post, ret, e);
	curl_easy_cleanup(curl);
	buf_free(&to.url);
	return code;
}

enum err_code
cli_client_get(const struct cli_client *c, struct str path, struct cli_client_answer *ret, struct err *e)
{
	return request(c, path, false, ret, e);
}

enum err_code
cli_client_post(const struct cli_client *c, struct str path, struct cli_client_answer *ret, struct err *e)
{
	return request(c, path, true, ret, e);
}

/* ---- following ---- */

struct stream {
	struct buf line;
	cli_client_line_fn *on_line;
	void *arg;
	bool stopped;
};

static bool
take_lines(struct stream *s)
{
	struct str line;
	size_t at;

	while (!s->stopped && str_find(buf_str(&s->line), '\n', &at)) {
		line = str_first(buf_str(&s->line), at);
		s->stopped = !s->on_line(s->arg, line);
		buf_drop_front(&s->line, at + 1);
	}
	return !s->stopped;
}

static size_t
on_stream(char *bytes, size_t size, size_t n, void *arg)
{
	struct stream *s = arg;

	buf_put(&s->line, str_of(bytes, size * n));
	return buf_failed(&s->line, NULL) == ERR_OK && take_lines(s) ? size * n : 0;
}

/* About once a second, also while nothing comes.  Not 0: libcurl gives up. */
static int
on_tick(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct stream *s = arg;

	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	s->stopped = s->stopped || !s->on_line(s->arg, STR(""));
	return s->stopped;
}

static struct curl_slist *
stream_headers(uint64_t last_id)
{
	struct curl_slist *accept = curl_slist_append(NULL, "Accept: text/event-stream"), *all;
	char text[64];

	if (accept == NULL || last_id == 0)
		return accept;
	(void)snprintf(text, sizeof(text), "Last-Event-ID: %" PRIu64, last_id);
	all = curl_slist_append(accept, text);
	if (all == NULL)
		curl_slist_free_all(accept);
	return all;
}

static bool
set_stream(CURL *curl, const struct target *to, struct curl_slist *headers, struct stream *s)
{
	return headers != NULL && set_target(curl, to, false) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, CLI_CLIENT_SILENCE_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_stream) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, s) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFODATA, s) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

enum err_code
cli_client_follow(const struct cli_client *c, struct str path, uint64_t last_id, cli_client_line_fn *on_line, void *arg,
    struct err *e)
{
	struct stream s = { .line = buf_make(CLI_CLIENT_LINE_MAX), .on_line = on_line, .arg = arg };
	struct curl_slist *headers = stream_headers(last_id);
	struct target to;
	enum err_code code = find_target(c->where, path, &to, e);
	CURL *curl = code == ERR_OK ? curl_easy_init() : NULL;

	if (code == ERR_OK && (curl == NULL || !set_stream(curl, &to, headers, &s)))
		code = err_set(e, ERR_NOMEM, "no memory to follow the daemon");
	if (code == ERR_OK)
		code = judge(curl, c->where, curl_easy_perform(curl), &s.line, e);
	if (s.stopped)
		code = err_set(e, ERR_CANCELLED, "stopped");
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	buf_free(&to.url);
	buf_free(&s.line);
	return code;
}
