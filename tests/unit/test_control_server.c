/*
 * The control interface over a real socket and a real loop.  The clients are bare
 * sockets in the same thread: the loop turns while they wait.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "control/control_server.h"
#include "io/listener.h"
#include "io/loop.h"
#include "unit.h"

#define PATIENCE_MS    10000
#define GET(path)      "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(path)     "POST " path " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
#define GET_LAST(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

struct fixture {
	struct loop *loop;
	struct control_server *server;
	char directory[64], path[96];
	size_t asked; /* times that facts were wanted */
	size_t acted;
	struct control_events *events; /* null: none */
};

static const struct control_server_limits LIMITS = {
	.connections = 4,
	.streams = 2,
	.idle_s = 1,
	.request_s = 20,
	.answer_s = 20,
	.head = 4096,
	.body = 1000,
	.answers = 8000000,
};

static void
know_nothing(void *arg, struct control_facts *ret)
{
	struct fixture *x = arg;

	x->asked++;
	ret->wall_ms = 1795401646123;
	ret->events = x->events;
}

/* Says what was asked, so that the client sees it. */
static enum err_code
act(void *arg, const struct control_order *order, struct control_outcome *ret, struct err *e)
{
	const struct reconcile_order *o = &order->what;
	struct fixture *x = arg;

	x->acted++;
	if (str_eq(o->server, STR("rc_9")))
		return err_set(e, ERR_REFUSED, "rc_9 is a free slot");
	buf_printf(&ret->said, "%d " STR_FMT "/" STR_FMT " %u %lld", (int)o->kind, STR_ARG(o->backend),
	    STR_ARG(o->server), o->weight, (long long)o->for_ms);
	return ERR_OK;
}

static struct conf_listen
listen_at(const struct fixture *x)
{
	return (struct conf_listen){ .address = str_from_cstr(x->path), .mode = 0640 };
}

static void
start_server(struct fixture *x)
{
	struct conf_listen where = listen_at(x);
	struct err e = ERR_INIT;

	if (control_server_new_within(x->loop, &LIMITS, &where,
		&(struct control_server_daemon){ .facts = know_nothing, .act = act, .arg = x }, &x->server,
		&e) != ERR_OK)
		fail_msg("%s", e.msg);
}

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	if (x == NULL || loop_new(&x->loop, NULL) != ERR_OK)
		return -1;
	(void)snprintf(x->directory, sizeof(x->directory), "/tmp/rollcall-test-XXXXXX");
	if (mkdtemp(x->directory) == NULL)
		return -1;
	(void)snprintf(x->path, sizeof(x->path), "%s/run/control.sock", x->directory);
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;
	char run[96];

	control_server_close(x->server);
	loop_run(x->loop); /* ends only if every handle was closed */
	loop_free(x->loop);
	(void)snprintf(run, sizeof(run), "%s/run", x->directory);
	(void)unlink(x->path);
	(void)rmdir(run);
	(void)rmdir(x->directory);
	free(x);
	return 0;
}

/* ---- clients ---- */

struct client {
	int fd;
	char got[65536]; /* the end of it, if it is long */
	size_t len;
	bool closed; /* by the server */
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
turn(const struct fixture *x)
{
	(void)uv_run(loop_uv(x->loop), UV_RUN_NOWAIT);
}

static struct client *
dial(const struct fixture *x)
{
	struct client *c = calloc(1, sizeof(*c));
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	assert_non_null(c);
	memcpy(to.sun_path, x->path, strlen(x->path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c->fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return c;
}

static void
hang_up(struct client *c)
{
	(void)close(c->fd);
	free(c);
}

static void
take(struct client *c)
{
	ssize_t n;

	while ((n = recv(c->fd, c->got + c->len, sizeof(c->got) - 1 - c->len, 0)) > 0) {
		c->len += (size_t)n;
		if (c->len == sizeof(c->got) - 1) {
			c->len /= 2;
			memcpy(c->got, c->got + c->len, c->len);
		}
	}
	c->got[c->len] = '\0';
	if (n == 0 || (n < 0 && errno != EAGAIN))
		c->closed = true;
}

/* False: the server has hung up. */
static bool
say(const struct fixture *x, struct client *c, const char *text, size_t len)
{
	int64_t until = now_ms() + PATIENCE_MS;

	while (len > 0 && now_ms() < until) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		turn(x);
		take(c);
	}
	return len == 0;
}

static size_t
count(const struct client *c, const char *text)
{
	size_t n = 0;

	for (const char *at = c->got; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* Turns the loop until the text has come so often, or the server has hung up. */
static void
wait_for(const struct fixture *x, struct client *c, const char *text, size_t times)
{
	int64_t until = now_ms() + PATIENCE_MS;

	while (!c->closed && count(c, text) < times && now_ms() < until) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };

		turn(x);
		(void)poll(&p, 1, 1);
		take(c);
	}
	if (count(c, text) < times)
		fail_msg("no %zu times \"%s\" in \"%s\"", times, text, c->got);
}

static void
wait_for_end(const struct fixture *x, struct client *c)
{
	int64_t until = now_ms() + PATIENCE_MS;

	while (!c->closed && now_ms() < until) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };

		turn(x);
		(void)poll(&p, 1, 1);
		take(c);
	}
	assert_true(c->closed);
}

/* ---- requests ---- */

static void
requests_are_answered_with_the_headers_that_they_need(void **state)
{
	static const struct {
		const char *request, *status, *text;
	} rows[] = {
		{ GET_LAST("/live"), "HTTP/1.1 200 OK", "Content-Type: application/json" },
		{ GET_LAST("/live"), "HTTP/1.1 200 OK", "{\"live\":true}" },
		{ GET_LAST("/live?x=1"), "HTTP/1.1 200 OK", "{\"live\":true}" },
		{ GET_LAST("/ready"), "HTTP/1.1 503 ", "\"not_ready\"" },
		{ GET_LAST("/nowhere"), "HTTP/1.1 404 ", "\"not_found\"" },
		{ GET_LAST("/v1/tasks/a%2"), "HTTP/1.1 400 ", "\"bad_path\"" },
		{ GET_LAST("/v1/backends/a%2fb"), "HTTP/1.1 404 ", "`a/b`" },
		{ "POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "HTTP/1.1 405 ",
		    "Allow: GET, HEAD" },
		{ "GET /live HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "{\"live\":true}" },
		{ GET_LAST("/live"), "HTTP/1.1 200 OK", "Cache-Control: no-store\r\n" },
		{ GET_LAST("/nowhere"), "HTTP/1.1 404 ", "X-Content-Type-Options: nosniff\r\n" },
		{ GET_LAST("/"), "HTTP/1.1 200 OK", "Content-Security-Policy: default-src 'none'" },
	};
	struct fixture *x = *state;

	start_server(x);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct client *c = dial(x);

		(void)say(x, c, rows[i].request, strlen(rows[i].request));
		wait_for_end(x, c);
		CHECK_ROW(strncmp(c->got, rows[i].status, strlen(rows[i].status)) == 0, i, c->got);
		CHECK_ROW(strstr(c->got, rows[i].text) != NULL, i, c->got);
		hang_up(c);
	}
}

static void
an_order_is_carried_out_once_and_told(void **state)
{
	static const struct {
		const char *request, *status, *text;
		size_t acts;
	} rows[] = {
		{ POST("/v1/servers/grpc/rc_1/drain?for=5m"), "HTTP/1.1 200 ",
		    "{\"done\":\"0 grpc/rc_1 0 300000\",\"until\":\"2026-11-23T02:45:46.123Z\",\"server\":null}", 1 },
		{ POST("/v1/servers/g%72pc/rc_1/weight?weight=%37"), "HTTP/1.1 200 ", "\"2 grpc/rc_1 7 0\"", 1 },
		{ POST("/v1/pause?backend=grpc"), "HTTP/1.1 200 ", "\"done\":\"3 grpc/ 0 0\",\"until\":null", 1 },
		{ POST("/v1/servers/grpc/rc_1/weight?weight=%2537"), "HTTP/1.1 400 ", "bad_parameter", 0 },
		{ POST("/v1/servers/grpc/rc_1/drain?for=5m&for=6m"), "HTTP/1.1 400 ", "twice", 0 },
		{ POST("/v1/servers/grpc/rc_9/drain"), "HTTP/1.1 409 ", "rc_9 is a free slot", 1 },
		{ GET_LAST("/v1/servers/grpc/rc_1/drain"), "HTTP/1.1 405 ", "Allow: POST", 0 },
		{ "POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413 ", "too_large",
		    0 },
	};
	struct fixture *x = *state;

	start_server(x);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct client *c = dial(x);

		x->acted = 0;
		(void)say(x, c, rows[i].request, strlen(rows[i].request));
		wait_for_end(x, c);
		CHECK_ROW(strncmp(c->got, rows[i].status, strlen(rows[i].status)) == 0, i, c->got);
		CHECK_ROW(strstr(c->got, rows[i].text) != NULL, i, c->got);
		CHECK_ROW(x->acted == rows[i].acts, i, rows[i].request);
		hang_up(c);
	}
}

/* How is libmicrohttpd's affair, and changed between its versions. */
static void
what_is_no_http_is_not_answered(void **state)
{
	static const char *const rows[] = { "rubbish\r\n\r\n", "\x16\x03\x01", "GET /live HTTP/9\r\n\r\n",
		"GET /live HTTP/1.1\r\nContent-Length: x\r\n\r\n" };
	struct fixture *x = *state;

	start_server(x);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct client *c = dial(x);

		(void)say(x, c, rows[i], strlen(rows[i]));
		wait_for_end(x, c);
		CHECK_ROW(strstr(c->got, "live") == NULL, i, c->got);
		assert_int_equal(x->asked, 0);
		hang_up(c);
	}
}

static void
head_has_the_length_and_no_body(void **state)
{
	static const char request[] = "HEAD /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct fixture *x = *state;
	struct client *c;

	start_server(x);
	c = dial(x);
	assert_true(say(x, c, request, sizeof(request) - 1));
	wait_for_end(x, c);
	assert_non_null(strstr(c->got, "Content-Length: 13\r\n"));
	assert_string_equal(c->got + c->len - 4, "\r\n\r\n");
	hang_up(c);
}

static void
pipelined_requests_are_answered_in_their_order(void **state)
{
	static const char requests[] = GET("/live") GET("/nowhere") GET("/live") GET("/ready");
	struct fixture *x = *state;
	struct client *c;

	start_server(x);
	c = dial(x);
	assert_true(say(x, c, requests, sizeof(requests) - 1));
	wait_for(x, c, "HTTP/1.1 ", 4);
	wait_for(x, c, "not_ready", 1);
	assert_true(strstr(c->got, "404") < strstr(c->got, "503"));
	assert_int_equal(count(c, "{\"live\":true}"), 2);
	assert_int_equal(x->asked, 4);
	hang_up(c);
}

static void
a_request_may_come_byte_by_byte(void **state)
{
	static const char request[] = GET("/live");
	struct fixture *x = *state;
	struct client *c;

	start_server(x);
	c = dial(x);
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		assert_true(say(x, c, request + i, 1));
	wait_for(x, c, "{\"live\":true}", 1);
	hang_up(c);
}

static void
more_clients_than_the_limit_wait_their_turn(void **state)
{
	enum { CLIENTS = 12 };
	struct fixture *x = *state;
	struct client *c[CLIENTS];

	start_server(x);
	for (size_t i = 0; i < CLIENTS; i++) {
		c[i] = dial(x);
		assert_true(say(x, c[i], GET_LAST("/live"), sizeof(GET_LAST("/live")) - 1));
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		wait_for(x, c[i], "{\"live\":true}", 1);
		hang_up(c[i]);
	}
}

/* ---- limits ---- */

static void
one_client_more_than_the_limit_is_answered_when_another_has_left(void **state)
{
	enum { CLIENTS = 5 }; /* LIMITS.connections, and one more */
	struct fixture *x = *state;
	struct client *c[CLIENTS];

	start_server(x);
	for (size_t i = 0; i < CLIENTS; i++) {
		c[i] = dial(x);
		assert_true(say(x, c[i], GET("/live"), sizeof(GET("/live")) - 1));
		if (i + 1 < CLIENTS)
			wait_for(x, c[i], "{\"live\":true}", 1);
	}
	for (int i = 0; i < 100; i++)
		turn(x);
	take(c[CLIENTS - 1]);
	assert_int_equal(c[CLIENTS - 1]->len, 0);
	hang_up(c[0]);
	wait_for(x, c[CLIENTS - 1], "{\"live\":true}", 1);
	for (size_t i = 1; i < CLIENTS; i++)
		hang_up(c[i]);
}

static void
a_body_over_the_limit_is_a_413(void **state)
{
	static const struct {
		const char *head, *piece;
		size_t pieces;
		const char *end, *status;
	} rows[] = {
		{ "Content-Length: 1001", "", 0, "", "HTTP/1.1 413" },
		{ "Content-Length: 99999999999999999999", "", 0, "", "HTTP/1.1 4" },
		{ "Content-Length: 1000", "0123456789", 100, "", "HTTP/1.1 405" },
		{ "Transfer-Encoding: chunked",
		    "64\r\n0123456789012345678901234567890123456789012345678901234567890123456"
		    "789012345678901234567890123456789\r\n",
		    11, "0\r\n\r\n", "HTTP/1.1 413" },
		{ "Transfer-Encoding: chunked",
		    "64\r\n0123456789012345678901234567890123456789012345678901234567890123456"
		    "789012345678901234567890123456789\r\n",
		    10, "0\r\n\r\n", "HTTP/1.1 405" },
		/* Without end: hung up on. */
		{ "Transfer-Encoding: chunked",
		    "64\r\n0123456789012345678901234567890123456789012345678901234567890123456"
		    "789012345678901234567890123456789\r\n",
		    1000, "", "" },
	};
	struct fixture *x = *state;

	start_server(x);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct client *c = dial(x);
		char head[256];
		size_t taken = 0;

		(void)snprintf(head, sizeof(head), "POST /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n",
		    rows[i].head);
		(void)say(x, c, head, strlen(head));
		while (taken < rows[i].pieces && say(x, c, rows[i].piece, strlen(rows[i].piece)))
			taken++;
		CHECK_ROW(rows[i].status[0] != '\0' || taken < rows[i].pieces, i, "all of it was taken");
		(void)say(x, c, rows[i].end, strlen(rows[i].end));
		wait_for_end(x, c);
		CHECK_ROW(strncmp(c->got, rows[i].status, strlen(rows[i].status)) == 0, i, c->got);
		CHECK_ROW(rows[i].status[0] != '\0' || c->len == 0, i, c->got);
		hang_up(c);
	}
}

static void
a_head_over_the_limit_is_refused(void **state)
{
	static const char *const begins[] = { "GET /", "GET /live HTTP/1.1\r\nHost: x\r\nX: " };
	struct fixture *x = *state;
	char filler[6000]; /* LIMITS.head, and half as much again */

	memset(filler, 'a', sizeof(filler));
	start_server(x);
	for (size_t i = 0; i < N_OF(begins); i++) {
		struct client *c = dial(x);

		(void)say(x, c, begins[i], strlen(begins[i]));
		(void)say(x, c, filler, sizeof(filler));
		(void)say(x, c, "\r\n\r\n", 4);
		wait_for_end(x, c);
		CHECK_ROW(c->len == 0 || strncmp(c->got + 8, " 4", 2) == 0, i, c->got);
		assert_int_equal(x->asked, 0);
		hang_up(c);
	}
}

static void
who_says_nothing_is_hung_up_on(void **state)
{
	static const char *const begins[] = { "", "GET /li", GET("/live") };
	struct fixture *x = *state;

	start_server(x);
	for (size_t i = 0; i < N_OF(begins); i++) {
		struct client *c = dial(x);

		assert_true(say(x, c, begins[i], strlen(begins[i])));
		wait_for_end(x, c);
		hang_up(c);
	}
}

static void
closing_hangs_up_on_those_who_wait(void **state)
{
	struct fixture *x = *state;
	struct client *idle, *half;

	start_server(x);
	idle = dial(x);
	half = dial(x);
	assert_true(say(x, half, "GET /live HT", 12));
	control_server_close(x->server);
	x->server = NULL;
	loop_run(x->loop);
	wait_for_end(x, idle);
	wait_for_end(x, half);
	hang_up(idle);
	hang_up(half);
	assert_int_equal(access(x->path, F_OK), -1);
}

/* Of the waits, all but those are long. */
static void
start_hasty_server(struct fixture *x, unsigned request_s, unsigned answer_s)
{
	struct control_server_limits hasty = LIMITS;
	struct conf_listen where = listen_at(x);

	hasty.idle_s = 60;
	hasty.request_s = request_s;
	hasty.answer_s = answer_s;
	assert_int_equal(
	    control_server_new_within(x->loop, &hasty, &where,
		&(struct control_server_daemon){ .facts = know_nothing, .act = act, .arg = x }, &x->server, NULL),
	    ERR_OK);
}

/* Nor the second of a connection: its time begins with the end of the first. */
static void
a_second_request_that_does_not_come_is_hung_up_on(void **state)
{
	struct fixture *x = *state;
	struct client *c;

	start_hasty_server(x, 2, 60);
	c = dial(x);
	assert_true(say(x, c, GET("/live"), sizeof(GET("/live")) - 1));
	wait_for(x, c, "{\"live\":true}", 1);
	wait_for_end(x, c);
	hang_up(c);
}

/* A byte now and then is no request. */
static void
a_request_that_does_not_end_is_hung_up_on(void **state)
{
	struct fixture *x = *state;
	struct client *c;

	start_hasty_server(x, 1, 20);
	c = dial(x);
	assert_true(say(x, c, "GET /live HTTP/1.1\r\nX: ", 24));
	while (!c->closed && say(x, c, "x", 1))
		(void)poll(NULL, 0, 5);
	wait_for_end(x, c);
	assert_int_equal(c->len, 0);
	hang_up(c);
}

static void
orders_to_a_read_only_door_are_405(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "get" };
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	struct client *c;

	assert_int_equal(control_server_new_within(x->loop, &LIMITS, &where,
			     &(struct control_server_daemon){ .facts = know_nothing, .arg = x }, &x->server, NULL),
	    ERR_OK);
	for (size_t i = 0; i < N_OF(methods); i++) {
		char request[200];

		(void)snprintf(request, sizeof(request),
		    "%s /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", methods[i]);
		c = dial(x);
		assert_true(say(x, c, request, strlen(request)));
		wait_for_end(x, c);
		CHECK_ROW(strstr(c->got, "HTTP/1.1 405") != NULL, i, c->got);
		CHECK_ROW(strstr(c->got, "Allow: GET, HEAD") != NULL, i, c->got);
		hang_up(c);
	}
	c = dial(x);
	assert_true(say(x, c, GET_LAST("/live"), sizeof(GET_LAST("/live")) - 1));
	wait_for_end(x, c);
	assert_non_null(strstr(c->got, "HTTP/1.1 200"));
	hang_up(c);
}

static void
count_look(void *arg)
{
	size_t *looks = arg;

	(*looks)++;
}

static void
know_nothing_either(void *arg, struct control_facts *ret)
{
	(void)arg;
	(void)ret;
}

/* Which costs calls of AWS: for who asks the doctor, and for nobody else. */
static void
only_the_doctor_has_us_look(void **state)
{
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	size_t looks = 0;
	const struct control_server_daemon daemon = { .facts = know_nothing_either, .look = count_look, .arg = &looks };
	struct client *c;

	assert_int_equal(control_server_new_within(x->loop, &LIMITS, &where, &daemon, &x->server, NULL), ERR_OK);
	c = dial(x);
	assert_true(say(x, c, GET("/live"), sizeof(GET("/live")) - 1));
	wait_for(x, c, "HTTP/1.1", 1);
	assert_int_equal(looks, 0);
	assert_true(say(x, c, GET("/v1/doctor"), sizeof(GET("/v1/doctor")) - 1));
	wait_for(x, c, "HTTP/1.1", 2);
	assert_int_equal(looks, 1);
	hang_up(c);
}

/* ---- followers ---- */

#define FOLLOW(more) "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n" more "\r\n"

static void
add_event(struct fixture *x, const char *text)
{
	assert_non_null(control_events_add(
	    x->events, &(struct control_event){ .kind = "notice", .at_wall_ms = 1, .message = str_from_cstr(text) }));
	control_server_wake(x->server);
}

static void
events_are_followed_and_replayed(void **state)
{
	struct fixture *x = *state;
	struct client *now, *before, *third;

	assert_int_equal(control_events_new(1000, &x->events, NULL), ERR_OK);
	start_server(x);
	add_event(x, "before one");
	add_event(x, "before two");
	now = dial(x);
	assert_true(say(x, now, FOLLOW(""), sizeof(FOLLOW("")) - 1));
	wait_for(x, now, "text/event-stream", 1);
	wait_for(x, now, ": still here", 1);
	before = dial(x);
	assert_true(say(x, before, FOLLOW("Last-Event-ID: 1001\r\n"), sizeof(FOLLOW("Last-Event-ID: 1001\r\n")) - 1));
	wait_for(x, before, "before two", 1);
	assert_null(strstr(before->got, "before one"));
	third = dial(x); /* one more than the limit */
	assert_true(say(x, third, FOLLOW(""), sizeof(FOLLOW("")) - 1));
	wait_for(x, third, "HTTP/1.1 503", 1);
	add_event(x, "news");
	wait_for(x, now, "news", 1);
	wait_for(x, before, "news", 1);
	assert_null(strstr(now->got, "before"));
	assert_non_null(strstr(now->got, "id: 1003\ndata: {\"id\":1003,"));
	hang_up(before); /* its end is found out when there is something to say */
	for (size_t i = 0; i < 3; i++)
		add_event(x, "more");
	wait_for(x, now, "more", 3);
	control_server_close(x->server); /* with one who sleeps */
	x->server = NULL;
	loop_run(x->loop);
	wait_for_end(x, now);
	hang_up(now);
	hang_up(third);
	control_events_free(x->events);
}

#define FOLLOW_SINCE(when) "GET /v1/events?since=" when " HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"

/* What was before that time is not told, what came after it is. */
static void
a_follower_may_begin_in_the_past(void **state)
{
	struct fixture *x = *state;
	struct client *c;

	assert_int_equal(control_events_new(1000, &x->events, NULL), ERR_OK);
	start_server(x);
	add_event(x, "of the first millisecond");
	c = dial(x);
	assert_true(
	    say(x, c, FOLLOW_SINCE("1970-01-01T00:00:00.001Z"), sizeof(FOLLOW_SINCE("1970-01-01T00:00:00.001Z")) - 1));
	wait_for(x, c, "of the first millisecond", 1);
	hang_up(c);
	control_server_close(x->server);
	x->server = NULL;
	control_events_free(x->events);
}

/* It is an answer that does not end, and may take its time. */
static void
a_follower_outlives_the_time_of_an_answer(void **state)
{
	struct fixture *x = *state;
	struct client *c;
	int64_t until;

	assert_int_equal(control_events_new(1000, &x->events, NULL), ERR_OK);
	start_hasty_server(x, 1, 1);
	c = dial(x);
	assert_true(say(x, c, FOLLOW(""), sizeof(FOLLOW("")) - 1));
	wait_for(x, c, "text/event-stream", 1);
	for (until = now_ms() + 2500; now_ms() < until; (void)poll(NULL, 0, 5))
		turn(x);
	add_event(x, "news");
	wait_for(x, c, "news", 1);
	hang_up(c);
	control_server_close(x->server);
	x->server = NULL;
	control_events_free(x->events);
}

/* ---- long answers ---- */

/* A million bytes of events. */
static void
add_long_events(struct fixture *x)
{
	char text[CONTROL_EVENTS_TEXT_MAX];

	memset(text, 'x', sizeof(text));
	assert_int_equal(control_events_new(1000, &x->events, NULL), ERR_OK);
	for (size_t i = 0; i < CONTROL_EVENTS_MAX; i++)
		assert_non_null(control_events_add(
		    x->events, &(struct control_event){ .kind = "notice", .message = str_of(text, sizeof(text)) }));
}

static struct client *
ask_for_events(const struct fixture *x)
{
	struct client *c = dial(x);

	assert_true(say(x, c, GET("/v1/events"), sizeof(GET("/v1/events")) - 1));
	return c;
}

static void
others_have_their_turn_while_a_long_answer_is_made(void **state)
{
	struct fixture *x = *state;
	struct client *many[2], *gone, *small;

	start_server(x);
	add_long_events(x);
	for (size_t i = 0; i < N_OF(many); i++)
		many[i] = ask_for_events(x);
	gone = ask_for_events(x);
	small = dial(x);
	assert_true(say(x, small, GET("/live"), sizeof(GET("/live")) - 1));
	hang_up(gone);
	wait_for(x, small, "{\"live\":true}", 1);
	for (size_t i = 0; i < N_OF(many); i++) {
		wait_for(x, many[i], "}]", 1); /* the end */
		assert_true(say(x, many[i], GET("/live"), sizeof(GET("/live")) - 1));
		wait_for(x, many[i], "{\"live\":true}", 1);
		hang_up(many[i]);
	}
	hang_up(small);
	control_server_close(x->server);
	x->server = NULL;
	control_events_free(x->events);
}

/* Until its answer is there, of which nothing is read. */
static void
wait_made(const struct fixture *x, const struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int64_t until = now_ms() + PATIENCE_MS;

	while (poll(&p, 1, 0) == 0 && now_ms() < until)
		turn(x);
	assert_int_equal(p.revents & POLLIN, POLLIN);
}

static void
answers_that_nobody_reads_are_bounded(void **state)
{
	struct control_server_limits narrow = LIMITS;
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	struct client *first, *second, *c;

	narrow.answers = 2500000;
	narrow.idle_s = 60;
	assert_int_equal(control_server_new_within(x->loop, &narrow, &where,
			     &(struct control_server_daemon){ .facts = know_nothing, .arg = x }, &x->server, NULL),
	    ERR_OK);
	add_long_events(x);
	first = ask_for_events(x);
	wait_made(x, first);
	second = ask_for_events(x);
	wait_made(x, second);
	c = ask_for_events(x); /* the third million is too much */
	wait_for(x, c, "HTTP/1.1 503", 1);
	wait_for(x, c, "\"code\":\"too_many\"", 1);
	assert_true(say(x, c, GET("/live"), sizeof(GET("/live")) - 1));
	wait_for(x, c, "{\"live\":true}", 1);
	hang_up(c);
	wait_for(x, first, "}]", 1);
	c = ask_for_events(x);
	wait_for(x, c, "}]", 1);
	hang_up(c);
	hang_up(first);
	hang_up(second);
	control_server_close(x->server);
	x->server = NULL;
	control_events_free(x->events);
}

/* The rest of it is nobody's: it does not fill our memory until he comes back. */
static void
who_does_not_read_his_answer_is_hung_up_on(void **state)
{
	struct fixture *x = *state;
	struct client *c;
	int64_t until;

	start_hasty_server(x, 20, 1);
	add_long_events(x);
	c = ask_for_events(x);
	for (until = now_ms() + 2500; now_ms() < until; (void)poll(NULL, 0, 5))
		turn(x);
	wait_for_end(x, c);
	assert_null(strstr(c->got, "}]"));
	hang_up(c);
	control_server_close(x->server);
	x->server = NULL;
	control_events_free(x->events);
}

static void
closing_drops_the_answers_in_the_making(void **state)
{
	struct fixture *x = *state;
	struct client *c, *second;

	start_server(x);
	add_long_events(x);
	c = ask_for_events(x);
	second = ask_for_events(x);
	for (size_t i = 0; i < 1000 && x->asked < 2; i++)
		turn(x);
	assert_null(strstr(c->got, "HTTP/1.1"));
	control_server_close(x->server);
	x->server = NULL;
	loop_run(x->loop);
	wait_for_end(x, c);
	hang_up(c);
	hang_up(second);
	control_events_free(x->events);
}

/* ---- the socket ---- */

static void
the_directory_is_made_and_the_mode_is_set(void **state)
{
	struct fixture *x = *state;
	struct stat st;

	start_server(x);
	assert_int_equal(stat(x->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void
a_stale_socket_is_replaced(void **state)
{
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	struct listener dead;
	struct client *c;

	assert_int_equal(
	    listener_open(
		&(struct listener_at){ .address = where.address, .mode = 0600, .key = "control.socket" }, &dead, NULL),
	    ERR_OK);
	(void)close(dead.fd); /* as a killed daemon leaves it */
	start_server(x);
	c = dial(x);
	assert_true(say(x, c, GET("/live"), sizeof(GET("/live")) - 1));
	wait_for(x, c, "{\"live\":true}", 1);
	hang_up(c);
}

static void
a_second_daemon_is_refused_and_leaves_the_first_alone(void **state)
{
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	struct control_server *second = NULL;
	struct err e = ERR_INIT;
	struct client *c;

	start_server(x);
	assert_int_equal(
	    control_server_new(x->loop, &where,
		&(struct control_server_daemon){ .facts = know_nothing, .act = act, .arg = x }, &second, &e),
	    ERR_REFUSED);
	assert_non_null(strstr(e.msg, "another rollcalld is listening on"));
	assert_null(second);
	c = dial(x);
	assert_true(say(x, c, GET("/live"), sizeof(GET("/live")) - 1));
	wait_for(x, c, "{\"live\":true}", 1);
	hang_up(c);
}

static void
what_is_no_socket_is_left_where_it_is(void **state)
{
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	struct err e = ERR_INIT;
	FILE *f;

	start_server(x); /* makes the directory */
	control_server_close(x->server);
	x->server = NULL;
	f = fopen(x->path, "w");
	assert_non_null(f);
	(void)fclose(f);
	assert_int_equal(
	    control_server_new(x->loop, &where,
		&(struct control_server_daemon){ .facts = know_nothing, .act = act, .arg = x }, &x->server, &e),
	    ERR_CONF);
	assert_non_null(strstr(e.msg, "is not a socket"));
	assert_int_equal(access(x->path, F_OK), 0);
}

static void
closing_leaves_the_socket_of_a_successor(void **state)
{
	struct fixture *x = *state;
	struct conf_listen where = listen_at(x);
	struct control_server *first;

	start_server(x);
	first = x->server;
	assert_int_equal(unlink(x->path), 0);
	assert_int_equal(
	    control_server_new(x->loop, &where,
		&(struct control_server_daemon){ .facts = know_nothing, .act = act, .arg = x }, &x->server, NULL),
	    ERR_OK);
	control_server_close(first);
	assert_int_equal(access(x->path, F_OK), 0);
}

static void
an_impossible_place_is_named_with_what_to_do(void **state)
{
	static const struct {
		const char *path, *group, *says;
	} rows[] = {
		{ "", "", "control.socket: `` is no path" },
		{ "/tmp/"
		  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		  "01234567",
		    "", "control.socket: a path of" },
		{ "/nonexistent/deeper/control.sock", "", "cannot make the directory /nonexistent/deeper" },
		{ NULL, "no-such-group-here", "there is no group `no-such-group-here`" },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < N_OF(rows); i++) {
		struct conf_listen where = listen_at(x);
		struct err e = ERR_INIT;

		if (rows[i].path != NULL)
			where.address = str_from_cstr(rows[i].path);
		where.group = str_from_cstr(rows[i].group);
		CHECK_ROW(control_server_new(x->loop, &where,
			      &(struct control_server_daemon){ .facts = know_nothing, .act = act, .arg = x },
			      &x->server, &e) != ERR_OK,
		    i, "open");
		CHECK_ROW(strstr(e.msg, rows[i].says) != NULL, i, e.msg);
		assert_int_equal(access(x->path, F_OK), -1);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_answered_with_the_headers_that_they_need),
		TEST(an_order_is_carried_out_once_and_told),
		TEST(what_is_no_http_is_not_answered),
		TEST(head_has_the_length_and_no_body),
		TEST(pipelined_requests_are_answered_in_their_order),
		TEST(a_request_may_come_byte_by_byte),
		TEST(more_clients_than_the_limit_wait_their_turn),
		TEST(one_client_more_than_the_limit_is_answered_when_another_has_left),
		TEST(a_body_over_the_limit_is_a_413),
		TEST(a_second_request_that_does_not_come_is_hung_up_on),
		TEST(only_the_doctor_has_us_look),
		TEST(a_follower_may_begin_in_the_past),
		TEST(a_follower_outlives_the_time_of_an_answer),
		TEST(a_head_over_the_limit_is_refused),
		TEST(who_says_nothing_is_hung_up_on),
		TEST(a_request_that_does_not_end_is_hung_up_on),
		TEST(orders_to_a_read_only_door_are_405),
		TEST(events_are_followed_and_replayed),
		TEST(closing_hangs_up_on_those_who_wait),
		TEST(others_have_their_turn_while_a_long_answer_is_made),
		TEST(answers_that_nobody_reads_are_bounded),
		TEST(who_does_not_read_his_answer_is_hung_up_on),
		TEST(closing_drops_the_answers_in_the_making),
		TEST(the_directory_is_made_and_the_mode_is_set),
		TEST(a_stale_socket_is_replaced),
		TEST(a_second_daemon_is_refused_and_leaves_the_first_alone),
		TEST(what_is_no_socket_is_left_where_it_is),
		TEST(closing_leaves_the_socket_of_a_successor),
		TEST(an_impossible_place_is_named_with_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
