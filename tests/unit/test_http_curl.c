/*
 * The HTTP client against a server of our own on 127.0.0.1 that answers by path:
 * well, badly, too much, too late or never.  getaddrinfo is ours, too, so that a
 * name service can hang when a test wants it to.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/http_curl.h"
#include "io/http_transfer.h"
#include "io/loop.h"

#define CONNECTIONS_MAX 64
#define SOME            ((size_t)1 << 20)
#define COUNT(a)        (sizeof(a) / sizeof((a)[0]))

/* --- a name service that can hang --- */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_free = PTHREAD_COND_INITIALIZER;
static bool names_hang;

static void
let_names_hang(bool hang)
{
	(void)pthread_mutex_lock(&names_lock);
	names_hang = hang;
	(void)pthread_cond_broadcast(&names_free);
	(void)pthread_mutex_unlock(&names_lock);
}

int
getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict req,
    struct addrinfo **restrict pai)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

	if (strcmp(name, "hang.test") == 0) {
		(void)pthread_mutex_lock(&names_lock);
		while (names_hang)
			(void)pthread_cond_wait(&names_free, &names_lock);
		(void)pthread_mutex_unlock(&names_lock);
	}
	if (strstr(name, ".test") != NULL)
		return EAI_NONAME;
	memcpy(&real, &symbol, sizeof(real));
	return real(name, service, req, pai);
}

/* --- the server --- */

struct server {
	int fd;
	uint16_t port;
	pthread_t acceptor, connections[CONNECTIONS_MAX];
	int fds[CONNECTIONS_MAX];
	int n; /* written by the acceptor, read after join or by the tests between calls */
	pthread_mutex_t lock;
};

static void
put(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void
put_text(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static void
wait_for_end(int fd)
{
	char c[256];

	while (recv(fd, c, sizeof(c), 0) > 0)
		;
}

static bool
head_is_complete(const struct buf *in, size_t *ret_len)
{
	const char *end = in->len > 0 ? memmem(in->ptr, in->len, "\r\n\r\n", 4) : NULL;

	if (end != NULL)
		*ret_len = (size_t)(end + 4 - (const char *)in->ptr);
	return end != NULL;
}

static size_t
content_length(const struct buf *in, size_t head_len)
{
	struct str rest = str_of(in->ptr, head_len), line;
	uint64_t n = 0;

	while (str_next(&rest, '\n', &line))
		if (str_has_prefix(line, STR("Content-Length: ")))
			n = str_to_u64(str_trim(str_skip(line, 16)), SIZE_MAX / 2, &n) ? n : 0;
	return (size_t)n;
}

/* The next request: its head is in *in, its body is read and dropped but for what
 * fits. */
static bool
take_request(int fd, struct buf *in, size_t *ret_head)
{
	char chunk[4096];
	size_t left;
	ssize_t n;

	while (!head_is_complete(in, ret_head)) {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return false;
		buf_put(in, str_of(chunk, (size_t)n));
	}
	left = content_length(in, *ret_head) + *ret_head;
	while (in->len < left) {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return false;
		buf_put(in, str_of(chunk, (size_t)n));
	}
	return true;
}

static void
answer_echo(int fd, const struct buf *in, size_t head)
{
	char text[256];
	struct str echo = str_of(in->ptr, in->len < 4000 ? in->len : head);

	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nDATE: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Amzn-ErrorType:  Thing \r\nRetry-After: 7\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    echo.len);
	put_text(fd, text);
	put(fd, echo.ptr, echo.len);
}

/* RST, with the descriptor still ours to close. */
static void
reset_connection(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &none, sizeof(none));
}

static void
answer_large(int fd, bool say_so)
{
	char block[1000];

	put_text(fd, say_so ? "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n");
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 100; i++)
		put(fd, block, sizeof(block));
}

static void
answer_long_head(int fd)
{
	put_text(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 2000; i++)
		put_text(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
	put_text(fd, "Content-Length: 0\r\n\r\n");
}

/* False: the connection is done with. */
static bool
answer(int fd, const struct buf *in, size_t head, int nth)
{
	static const struct {
		const char *path, *text;
		bool keep;
	} canned[] = {
		{ "/cut ", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789", false },
		{ "/empty ", "", false },
		{ "/redirect ", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", true },
		{ "/garbage ", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", false },
		{ "/interim ",
		    "HTTP/1.1 100 Continue\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: 1\r\n\r\n"
		    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		    true },
		{ "/gzip ", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b..", true },
		{ "/chunked ",
		    "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		    "Date: yesterday\r\nx-amzn-errortype: \x1b[31m\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		    true },
		{ "/millis ", "HTTP/1.1 429 Slow\r\nx-amz-retry-after: 250\r\nContent-Length: 0\r\n\r\n", true },
		{ "/cookie ", "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n", true },
	};
	struct str line = str_of(in->ptr, head);
	size_t at = line.len;

	(void)str_find(line, ' ', &at);
	line = str_skip(line, at + 1);
	for (size_t i = 0; i < COUNT(canned); i++) {
		if (!str_has_prefix(line, str_from_cstr(canned[i].path)))
			continue;
		put_text(fd, canned[i].text);
		return canned[i].keep;
	}
	if (str_has_prefix(line, STR("/die ")) && nth > 0)
		return false;
	if (str_has_prefix(line, STR("/reset ")) || (str_has_prefix(line, STR("/die-hard ")) && nth > 0))
		reset_connection(fd);
	else if (str_has_prefix(line, STR("/slow ")))
		wait_for_end(fd);
	else if (str_has_prefix(line, STR("/large ")))
		answer_large(fd, true);
	else if (str_has_prefix(line, STR("/larger ")))
		answer_large(fd, false);
	else if (str_has_prefix(line, STR("/head ")))
		answer_long_head(fd);
	else {
		answer_echo(fd, in, head);
		return true;
	}
	return false;
}

static void *
serve(void *arg)
{
	int fd = *(int *)arg;
	struct buf in = buf_make((size_t)8 << 20);
	size_t head;

	for (int nth = 0; take_request(fd, &in, &head); nth++) {
		if (!answer(fd, &in, head, nth))
			break;
		buf_reset(&in);
	}
	(void)shutdown(fd, SHUT_RDWR);
	buf_free(&in);
	return NULL;
}

static void *
accept_all(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		(void)pthread_mutex_lock(&s->lock);
		if (s->n == CONNECTIONS_MAX)
			abort();
		s->fds[s->n] = fd;
		if (pthread_create(&s->connections[s->n], NULL, serve, &s->fds[s->n]) != 0)
			abort();
		s->n++;
		(void)pthread_mutex_unlock(&s->lock);
	}
}

static int
listen_somewhere(int backlog, uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void
open_server(struct server *s)
{
	*s = (struct server){ .lock = PTHREAD_MUTEX_INITIALIZER };
	s->fd = listen_somewhere(64, &s->port);
	assert_int_equal(pthread_create(&s->acceptor, NULL, accept_all, s), 0);
}

static int
connections(struct server *s)
{
	int n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->n;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static void
close_server(struct server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->acceptor, NULL);
	(void)close(s->fd);
	for (int i = 0; i < s->n; i++) {
		(void)shutdown(s->fds[i], SHUT_RDWR);
		(void)pthread_join(s->connections[i], NULL);
		(void)close(s->fds[i]);
	}
}

/* --- the client and what it told --- */

struct told {
	int n;
	enum err_code code;
	char words[200], body[4096], error_type[64];
	int status;
	int64_t date_ms, retry_after_ms;
	struct room *room;
	struct http_call *call;
	struct http_call *cancel_when_told;
	bool close_when_told, cancel_all_when_told;
	struct told *send_when_told;
};

struct room {
	struct loop *loop;
	struct http *http;
	struct server server;
	struct told told[8];
};

static void start(struct room *r, struct told *t, const char *path);

static void
on_done(void *arg, const struct http_response *rs)
{
	struct told *t = arg;

	t->n++;
	t->code = rs->code;
	t->status = rs->status;
	t->date_ms = rs->date_wall_ms;
	t->retry_after_ms = rs->retry_after_ms;
	if (rs->code != ERR_OK) {
		assert_int_equal(rs->err->code, rs->code);
		(void)snprintf(t->words, sizeof(t->words), "%s", rs->err->msg);
	}
	(void)snprintf(t->body, sizeof(t->body), "%.*s", STR_ARG(rs->body));
	(void)snprintf(t->error_type, sizeof(t->error_type), "%.*s", STR_ARG(rs->error_type));
	if (t->cancel_when_told != NULL)
		t->room->http->cancel(t->room->http, t->cancel_when_told);
	if (t->send_when_told != NULL)
		start(t->room, t->send_when_told, "/ok");
	if (t->close_when_told)
		t->room->http->close(MOVE(t->room->http));
}

static struct http_request
request(const char *url)
{
	return (struct http_request){
		.method = STR("POST"),
		.url = str_from_cstr(url),
		.body = STR("{}"),
		.connect_timeout_ms = 5000,
		.timeout_ms = 20000,
		.max_response = 50000,
	};
}

static void
send_request(struct room *r, struct told *t, const struct http_request *rq)
{
	struct err e = ERR_INIT;

	t->room = r;
	if (r->http->send(r->http, rq, on_done, t, &t->call, &e) != ERR_OK)
		fail_msg("send: %s", e.msg);
	assert_int_equal(t->n, 0);
}

static void
url_of(const struct room *r, const char *path, char *ret, size_t size)
{
	(void)snprintf(ret, size, "http://127.0.0.1:%d%s", r->server.port, path);
}

static void
start(struct room *r, struct told *t, const char *path)
{
	char url[200];
	struct http_request rq;

	url_of(r, path, url, sizeof(url));
	rq = request(url);
	send_request(r, t, &rq);
}

static void
open_room(struct room *r)
{
	memset(r, 0, sizeof(*r));
	open_server(&r->server);
	assert_int_equal(loop_new(&r->loop, NULL), ERR_OK);
	assert_int_equal(http_curl_new(r->loop, NULL, &r->http, NULL), ERR_OK);
}

static void
close_room(struct room *r)
{
	if (r->http != NULL)
		r->http->close(r->http);
	loop_run(r->loop);
	loop_free(r->loop);
	close_server(&r->server);
}

static void
a_request_is_sent_as_given_and_its_answer_read(void **state)
{
	const struct http_header headers[] = {
		{ STR("content-type"), STR("application/x-amz-json-1.1") },
		{ STR("x-amz-target"), STR("A.B") },
		{ STR("x-empty"), STR("") },
	};
	static struct room r;
	char url[200], wanted[400];
	struct http_request rq;

	(void)state;
	open_room(&r);
	url_of(&r, "/a/../b%2fc//d?x=1", url, sizeof(url));
	rq = request(url);
	rq.headers = headers;
	rq.n_headers = COUNT(headers);
	send_request(&r, &r.told[0], &rq);
	memset(url, 'x', sizeof(url) - 1); /* all of it was copied */
	loop_run(r.loop);
	(void)snprintf(wanted, sizeof(wanted),
	    "POST /a/../b%%2fc//d?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\ncontent-type: application/x-amz-json-1.1\r\n"
	    "x-amz-target: A.B\r\nx-empty:\r\nContent-Length: 2\r\n\r\n{}",
	    r.server.port);
	assert_int_equal(r.told[0].n, 1);
	assert_int_equal(r.told[0].code, ERR_OK);
	assert_int_equal(r.told[0].status, 200);
	assert_string_equal(r.told[0].body, wanted);
	assert_string_equal(r.told[0].error_type, "Thing");
	assert_int_equal(r.told[0].date_ms, INT64_C(784111777000));
	assert_int_equal(r.told[0].retry_after_ms, 7000);
	close_room(&r);
}

static void
other_methods_are_sent_with_and_without_a_body(void **state)
{
	static const struct {
		const char *method, *body, *wanted;
	} cases[] = {
		{ "GET", "", "GET / HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "PUT", "", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" },
		{ "POST", "", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" },
		{ "DELETE", "x", "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx" },
	};
	static struct room r;
	char url[200], host[64];
	size_t at;

	(void)state;
	open_room(&r);
	url_of(&r, "/", url, sizeof(url));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request rq = request(url);
		struct str rest, line;

		rq.method = str_from_cstr(cases[i].method);
		rq.body = str_from_cstr(cases[i].body);
		send_request(&r, &r.told[i], &rq);
		loop_run(r.loop);
		/* The same but for the host's name. */
		rest = str_from_cstr(r.told[i].body);
		assert_true(str_next(&rest, '\n', &line) && str_next(&rest, '\n', &line));
		(void)snprintf(host, sizeof(host), "Host: 127.0.0.1:%d\r", r.server.port);
		assert_true(str_eq(line, str_from_cstr(host)));
		assert_true(str_find(str_from_cstr(cases[i].wanted), '\n', &at));
		assert_memory_equal(r.told[i].body, cases[i].wanted, at);
		assert_string_equal(rest.ptr, strstr(cases[i].wanted, "Host: h\r\n") + 9);
	}
	close_room(&r);
}

static void
connections_are_kept_and_used_again(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r);
	for (int i = 0; i < 300; i++) {
		start(&r, memset(&r.told[0], 0, sizeof(r.told[0])), "/ok");
		loop_run(r.loop);
		assert_int_equal(r.told[0].code, ERR_OK);
	}
	assert_int_equal(connections(&r.server), 1);
	close_room(&r);
}

static void
a_kept_connection_that_dies_costs_no_call(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r);
	for (int i = 0; i < 6; i++) {
		start(&r, &r.told[i], i < 3 ? "/die" : "/die-hard");
		loop_run(r.loop);
		assert_int_equal(r.told[i].n, 1);
		assert_int_equal(r.told[i].code, ERR_OK);
	}
	assert_int_equal(connections(&r.server), 6);
	close_room(&r);
}

static void
answers_are_taken_as_they_are(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *body;
		int64_t retry_after_ms;
	} cases[] = {
		{ "/redirect", 302, "", -1 },
		{ "/interim", 200, "ok", -1 },
		{ "/gzip", 200, "\x1f\x8b..", -1 },
		{ "/chunked", 400, "ok", -1 },
		{ "/millis", 429, "", 250 },
	};
	static struct room r;

	(void)state;
	open_room(&r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&r, &r.told[i], cases[i].path);
		loop_run(r.loop);
		assert_int_equal(r.told[i].n, 1);
		assert_int_equal(r.told[i].code, ERR_OK);
		assert_int_equal(r.told[i].status, cases[i].status);
		assert_string_equal(r.told[i].body, cases[i].body);
		assert_string_equal(r.told[i].error_type, "");
		assert_int_equal(r.told[i].date_ms, 0);
		assert_int_equal(r.told[i].retry_after_ms, cases[i].retry_after_ms);
	}
	close_room(&r);
}

static void
bad_answers_end_with_what_was_wrong(void **state)
{
	static const struct {
		const char *path;
		enum err_code code;
		const char *words; /* with the port in place of %d */
	} cases[] = {
		{ "/cut", ERR_CLOSED, "127.0.0.1:%d closed the connection within its answer" },
		{ "/empty", ERR_CLOSED, "127.0.0.1:%d closed the connection without an answer" },
		{ "/reset", ERR_CLOSED, "lost the connection to 127.0.0.1:%d: Recv failure: Connection reset by peer" },
		{ "/large", ERR_LIMIT, "the answer of 127.0.0.1:%d is longer than 50000 bytes" },
		{ "/larger", ERR_LIMIT, "the answer of 127.0.0.1:%d is longer than 50000 bytes" },
		{ "/head", ERR_LIMIT, "the headers of 127.0.0.1:%d are longer than 65536 bytes" },
		{ "/garbage", ERR_PARSE, "127.0.0.1:%d does not speak HTTP: Received HTTP/0.9 when not allowed" },
	};
	static struct room r;

	(void)state;
	open_room(&r);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char port[8], wanted[200];
		const char *mark = strstr(cases[i].words, "%d");

		start(&r, &r.told[i], cases[i].path);
		loop_run(r.loop);
		(void)snprintf(port, sizeof(port), "%d", r.server.port);
		(void)snprintf(
		    wanted, sizeof(wanted), "%.*s%s%s", (int)(mark - cases[i].words), cases[i].words, port, mark + 2);
		assert_int_equal(r.told[i].n, 1);
		assert_string_equal(r.told[i].words, wanted);
		assert_int_equal(r.told[i].code, cases[i].code);
	}
	close_room(&r);
}

static void
a_refused_connection_names_whom_and_why(void **state)
{
	static struct room r;
	uint16_t port;
	int fd = listen_somewhere(1, &port);
	char url[64], wanted[100];
	struct http_request rq;

	(void)state;
	(void)close(fd);
	open_room(&r);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	(void)snprintf(wanted, sizeof(wanted), "could not connect to 127.0.0.1:%d: Connection refused", port);
	rq = request(url);
	for (int i = 0; i < 3; i++) {
		send_request(&r, &r.told[i], &rq);
	}
	loop_run(r.loop);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(r.told[i].n, 1);
		assert_int_equal(r.told[i].code, ERR_IO);
		assert_string_equal(r.told[i].words, wanted);
	}
	close_room(&r);
}

static void
a_name_that_does_not_resolve_is_told(void **state)
{
	static struct room r;
	struct http_request rq = request("https://nobody.test/");

	(void)state;
	open_room(&r);
	send_request(&r, &r.told[0], &rq);
	loop_run(r.loop);
	assert_int_equal(r.told[0].code, ERR_IO);
	assert_string_equal(r.told[0].words, "could not resolve the name of nobody.test:443");
	close_room(&r);
}

static void
a_server_without_tls_is_told(void **state)
{
	static struct room r;
	char url[64], at[64];
	struct http_request rq;

	(void)state;
	open_room(&r);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", r.server.port);
	(void)snprintf(at, sizeof(at), "127.0.0.1:%d within 300 ms", r.server.port);
	rq = request(url);
	rq.timeout_ms = 300;
	send_request(&r, &r.told[0], &rq);
	/* The server takes the handshake for the beginning of a head. */
	loop_run(r.loop);
	assert_int_equal(r.told[0].n, 1);
	assert_int_equal(r.told[0].code, ERR_TIMEOUT);
	/* libcurl 8 does not tell any more that the connection itself was made. */
	assert_non_null(strstr(r.told[0].words, at));
	assert_true(strncmp(r.told[0].words, "no TLS connection to ", 21) == 0 ||
		    strncmp(r.told[0].words, "could not connect to ", 21) == 0);
	close_room(&r);
}

static int64_t
ms_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
an_answer_that_does_not_come_times_out(void **state)
{
	static struct room r;
	char url[64], wanted[100];
	struct http_request rq;

	(void)state;
	open_room(&r);
	url_of(&r, "/slow", url, sizeof(url));
	rq = request(url);
	rq.timeout_ms = 200;
	send_request(&r, &r.told[0], &rq);
	loop_run(r.loop);
	(void)snprintf(wanted, sizeof(wanted), "no complete answer from 127.0.0.1:%d within 200 ms", r.server.port);
	assert_int_equal(r.told[0].code, ERR_TIMEOUT);
	assert_string_equal(r.told[0].words, wanted);
	close_room(&r);
}

/* The resolver thread can't be stopped; neither a timeout nor a cancel may wait
 * for it. */
static void
a_hanging_name_service_does_not_stop_the_loop(void **state)
{
	static struct room r;
	struct http_request rq = request("http://hang.test/");
	int64_t begin;

	(void)state;
	let_names_hang(true);
	open_room(&r);
	rq.connect_timeout_ms = 150;
	begin = ms_now();
	send_request(&r, &r.told[0], &rq);
	loop_run(r.loop);
	assert_in_range(ms_now() - begin, 140, 5000);
	assert_int_equal(r.told[0].code, ERR_TIMEOUT);
	assert_string_equal(r.told[0].words, "could not resolve the name of hang.test:80 within 150 ms");
	send_request(&r, &r.told[1], &rq);
	send_request(&r, &r.told[2], &rq);
	r.http->cancel(r.http, r.told[1].call);
	assert_int_equal(r.told[1].n, 0);
	close_room(&r);
	assert_int_equal(r.told[1].code, ERR_CANCELLED);
	assert_int_equal(r.told[2].code, ERR_CANCELLED);
	let_names_hang(false);
}

static void
a_cancelled_call_is_told_later_and_once(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r);
	start(&r, &r.told[0], "/slow");
	start(&r, &r.told[1], "/ok");
	r.told[1].cancel_when_told = r.told[0].call;
	loop_run(r.loop);
	assert_int_equal(r.told[0].n, 1);
	assert_int_equal(r.told[0].code, ERR_CANCELLED);
	assert_int_equal(r.told[1].n, 1);
	assert_int_equal(r.told[1].code, ERR_OK);
	start(&r, &r.told[2], "/ok");
	r.http->cancel(r.http, r.told[2].call);
	r.http->cancel(r.http, r.told[2].call);
	assert_int_equal(r.told[2].n, 0);
	loop_run(r.loop);
	assert_int_equal(r.told[2].n, 1);
	assert_int_equal(r.told[2].code, ERR_CANCELLED);
	close_room(&r);
}

static void
close_cancels_all_that_is_in_flight(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r);
	for (int i = 0; i < 4; i++)
		start(&r, &r.told[i], i < 3 ? "/slow" : "/ok");
	r.told[3].close_when_told = true;
	loop_run(r.loop);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(r.told[i].n, 1);
		assert_int_equal(r.told[i].code, i < 3 ? ERR_CANCELLED : ERR_OK);
	}
	close_room(&r);
}

static void
close_right_after_send_is_clean(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r);
	for (int i = 0; i < 4; i++)
		start(&r, &r.told[i], "/ok");
	close_room(&r);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(r.told[i].n, 1);
		assert_int_equal(r.told[i].code, ERR_CANCELLED);
	}
}

static void
whoever_is_told_may_send(void **state)
{
	static struct room r;

	(void)state;
	open_room(&r);
	r.told[0].send_when_told = &r.told[1];
	r.told[1].send_when_told = &r.told[2];
	start(&r, &r.told[0], "/ok");
	loop_run(r.loop);
	assert_int_equal(r.told[2].code, ERR_OK);
	assert_int_equal(r.told[2].n, 1);
	close_room(&r);
}

static void
the_proxy_of_the_environment_is_used_unless_it_may_not_be(void **state)
{
	static struct room r;
	struct http_request rq = request("http://service.test/x");
	char proxy[64];
	struct http_request direct;
	char url[64];

	(void)state;
	open_room(&r);
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", r.server.port);
	assert_int_equal(setenv("http_proxy", proxy, 1), 0);
	send_request(&r, &r.told[0], &rq);
	rq.no_proxy = true;
	send_request(&r, &r.told[1], &rq);
	loop_run(r.loop);
	assert_int_equal(r.told[0].code, ERR_OK);
	assert_memory_equal(r.told[0].body, "POST http://service.test/x HTTP/1.1", 35);
	assert_string_equal(r.told[1].words, "could not resolve the name of service.test:80");
	/* One that isn't there is named. */
	(void)snprintf(url, sizeof(url), "http://127.0.0.2:%d", r.server.port);
	assert_int_equal(setenv("http_proxy", url, 1), 0);
	direct = request("http://service.test/x");
	send_request(&r, &r.told[2], &direct);
	loop_run(r.loop);
	assert_memory_equal(
	    r.told[2].words, "could not connect to service.test:80: Failed to connect to 127.0.0.2", 68);
	assert_int_equal(unsetenv("http_proxy"), 0);
	close_room(&r);
}

/* libcurl quotes a proxy's URL whole when it cannot use it. */
static void
a_password_in_a_proxy_s_url_is_not_said(void **state)
{
	static const char *const urls[] = {
		"foo://user:hidden@127.0.0.1:3128", /* a scheme that no proxy has */
		"http://user:hidden@127.0.0.1:port",
		"http://user:hidden@[127.0.0.1:3128",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		static struct room r;
		struct http_request rq = request("http://service.test/x");

		open_room(&r);
		assert_int_equal(setenv("http_proxy", urls[i], 1), 0);
		send_request(&r, &r.told[0], &rq);
		loop_run(r.loop);
		assert_int_equal(r.told[0].code, ERR_IO);
		assert_null(strstr(r.told[0].words, "hidden"));
		assert_non_null(strstr(r.told[0].words, "http_proxy"));
		assert_int_equal(unsetenv("http_proxy"), 0);
		close_room(&r);
	}
}

static void
no_cookie_no_expect_and_no_netrc_is_sent(void **state)
{
	static char body[(2 << 20) + 1];
	static struct room r;
	const char *was_home = getenv("HOME");
	char url[64], home[] = "/tmp/rollcall-home-XXXXXX", netrc[64];
	struct http_request rq;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(home));
	(void)snprintf(netrc, sizeof(netrc), "%s/.netrc", home);
	assert_non_null(f = fopen(netrc, "we"));
	(void)fputs("machine 127.0.0.1 login me password secret\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(setenv("HOME", home, 1), 0);
	open_room(&r);
	start(&r, &r.told[0], "/cookie");
	loop_run(r.loop);
	url_of(&r, "/ok", url, sizeof(url));
	rq = request(url);
	memset(body, 'x', sizeof(body));
	rq.body = str_of(body, sizeof(body)); /* libcurl would ask first for a body of this size */
	send_request(&r, &r.told[1], &rq);
	loop_run(r.loop);
	assert_int_equal(r.told[1].code, ERR_OK);
	assert_null(strcasestr(r.told[1].body, "cookie"));
	assert_null(strcasestr(r.told[1].body, "expect"));
	assert_null(strcasestr(r.told[1].body, "accept"));
	assert_null(strcasestr(r.told[1].body, "authorization"));
	close_room(&r);
	assert_int_equal(was_home != NULL ? setenv("HOME", was_home, 1) : unsetenv("HOME"), 0);
	assert_int_equal(unlink(netrc), 0);
	assert_int_equal(rmdir(home), 0);
}

static void
what_must_not_be_sent_is_refused_at_once(void **state)
{
	const struct http_header host = { STR("Host"), STR("x") }, split = { STR("a"), STR("b\r\nc: d") },
				 nameless = { STR("a b"), STR("c") }, length = { STR("content-length"), STR("5") },
				 encoding = { STR("Transfer-Encoding"), STR("chunked") };
	static struct http_header many[HTTP_TRANSFER_HEADERS_MAX + 1];
	static char large[HTTP_TRANSFER_SENT_MAX], url[8193];
	static struct room r;
	struct http_request cases[20];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = (struct http_header){ STR("a"), STR("b") };
	for (size_t i = 0; i < COUNT(cases); i++)
		cases[i] = request("http://127.0.0.1:1/");
	cases[n++].headers = &host;
	cases[n++].headers = &split;
	cases[n++].headers = &nameless;
	cases[n++].headers = &length;
	cases[n++].headers = &encoding;
	for (size_t i = 0; i < n; i++)
		cases[i].n_headers = 1;
	cases[n].headers = many;
	cases[n++].n_headers = COUNT(many);
	cases[n++].timeout_ms = 0;
	cases[n++].timeout_ms = 3600001;
	cases[n++].connect_timeout_ms = -1;
	cases[n++].connect_timeout_ms = 3600001;
	cases[n++].method = STR("GET / HTTP/1.1\r\n");
	cases[n++].url = STR("file:///etc/passwd");
	cases[n++].url = STR("gopher://127.0.0.1/");
	cases[n++].url = STR("http://user:pass@127.0.0.1/");
	cases[n++].url = STR("http://127.0.0.1/a b");
	cases[n++].url = STR("http://127.0.0.1/\0x");
	cases[n++].url = STR("http://");
	cases[n++].url = STR("");
	memset(url, 'a', sizeof(url));
	memcpy(url, "http://127.0.0.1:1/", 19);
	cases[n++].url = str_of(url, sizeof(url));
	cases[n++].body = str_of(large, sizeof(large));
	assert_int_equal(n, COUNT(cases));
	open_room(&r);
	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		enum err_code rc = r.http->send(r.http, &cases[i], on_done, &r.told[0], &r.told[0].call, &e);

		assert_true(rc == ERR_ARG || rc == ERR_LIMIT);
		assert_int_equal(e.code, rc);
		assert_true(e.msg[0] != '\0');
	}
	loop_run(r.loop);
	assert_int_equal(r.told[0].n, 0);
	close_room(&r);
}

static void
count_only(void *arg, const struct http_response *rs)
{
	assert_int_equal(rs->code, ERR_CANCELLED);
	++*(int *)arg;
}

static void
only_so_many_may_wait(void **state)
{
	static struct room r;
	struct http_request rq;
	struct http_call *call;
	struct err e = ERR_INIT;
	uint16_t port;
	int fd = listen_somewhere(512, &port), told = 0, sent = 0; /* nobody accepts */
	char url[64];

	(void)state;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	rq = request(url);
	open_room(&r);
	while (sent < 5000 && r.http->send(r.http, &rq, count_only, &told, &call, &e) == ERR_OK)
		sent++;
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(sent, 256 + 4096);
	close_room(&r);
	assert_int_equal(told, sent);
	(void)close(fd);
}

static void
count_timeouts(void *arg, const struct http_response *rs)
{
	assert_int_equal(rs->code, ERR_TIMEOUT);
	++*(int *)arg;
}

/* Each has its whole timeout from when it gets a place. */
static void
what_finds_no_place_waits_for_one(void **state)
{
	static struct room r;
	struct http_request rq;
	struct http_call *call;
	uint16_t port;
	int fd = listen_somewhere(512, &port), told = 0, cancelled = 0;
	char url[64];

	(void)state;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	rq = request(url);
	rq.timeout_ms = 300;
	open_room(&r);
	for (int i = 0; i < 300; i++)
		assert_int_equal(r.http->send(r.http, &rq, count_timeouts, &told, &call, NULL), ERR_OK);
	assert_int_equal(r.http->send(r.http, &rq, count_only, &cancelled, &call, NULL), ERR_OK);
	r.http->cancel(r.http, call); /* one that waits */
	loop_run(r.loop);
	assert_int_equal(told, 300);
	assert_int_equal(cancelled, 1);
	close_room(&r);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_sent_as_given_and_its_answer_read),
		cmocka_unit_test(other_methods_are_sent_with_and_without_a_body),
		cmocka_unit_test(connections_are_kept_and_used_again),
		cmocka_unit_test(a_kept_connection_that_dies_costs_no_call),
		cmocka_unit_test(answers_are_taken_as_they_are),
		cmocka_unit_test(bad_answers_end_with_what_was_wrong),
		cmocka_unit_test(a_refused_connection_names_whom_and_why),
		cmocka_unit_test(a_name_that_does_not_resolve_is_told),
		cmocka_unit_test(a_server_without_tls_is_told),
		cmocka_unit_test(an_answer_that_does_not_come_times_out),
		cmocka_unit_test(a_hanging_name_service_does_not_stop_the_loop),
		cmocka_unit_test(a_cancelled_call_is_told_later_and_once),
		cmocka_unit_test(close_cancels_all_that_is_in_flight),
		cmocka_unit_test(close_right_after_send_is_clean),
		cmocka_unit_test(whoever_is_told_may_send),
		cmocka_unit_test(the_proxy_of_the_environment_is_used_unless_it_may_not_be),
		cmocka_unit_test(a_password_in_a_proxy_s_url_is_not_said),
		cmocka_unit_test(no_cookie_no_expect_and_no_netrc_is_sent),
		cmocka_unit_test(what_must_not_be_sent_is_refused_at_once),
		cmocka_unit_test(only_so_many_may_wait),
		cmocka_unit_test(what_finds_no_place_waits_for_one),
	};

	/* Nothing of the surroundings: no proxy of the machine that runs this. */
	(void)unsetenv("http_proxy");
	(void)unsetenv("https_proxy");
	(void)unsetenv("all_proxy");
	(void)unsetenv("ALL_PROXY");
	(void)unsetenv("HTTPS_PROXY");
	(void)unsetenv("no_proxy");
	(void)unsetenv("NO_PROXY");
	return cmocka_run_group_tests_name("http_curl", tests, NULL, NULL);
}
