/*
 * The link to HAProxy's socket against a fake HAProxy on the same loop, which
 * answers as it should, or in each of the ways in which a peer may go wrong.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include <uv.h>

#include "base/buf.h"
#include "hap/hap_link.h"
#include "io/loop.h"

#define TEXT_MAX ((size_t)1 << 20)

/* In tests whose peer goes by how many commands one read brings (tests/torture/short_io.c). */
#ifdef SPARES_ACCEPTED
#define NEED_WHOLE_WRITES() skip()
#else
#define NEED_WHOLE_WRITES() (void)0
#endif

/* ---- a HAProxy that does as it is told ---- */

enum manner {
	ANSWERS,
	ANSWERS_IN_TWO,       /* fake.split bytes, and the rest later */
	ANSWERS_BYTE_BY_BYTE, /* one every few milliseconds, or fake.split of them */
	ANSWERS_HALF,         /* and then says nothing more */
	CLOSES_EARLY,         /* after fake.split bytes */
	RESETS,
	ADDS_A_REPLY,
	ADDS_TEXT,
	FLOODS,
	ANSWERS_AT_LENGTH, /* a reply of fake.split bytes */
	ANSWERS_TWICE,     /* the first command, before the second has come */
	IS_SILENT,
	NEVER_READS,
	READS_SLOWLY, /* and answers when it has read fake.split commands */
	IS_HTTP,
	IS_MASTER,
	REFUSES_SEVERITY,
};

struct fake {
	uv_loop_t *uv;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} listener;
	bool is_tcp, listening;
	enum manner manner;
	size_t split;
	int n_connections;
	size_t n_lines; /* of the last connection */
	struct fake_peer *peers;
	char path[64];
};

struct fake_peer {
	struct fake *fake;
	struct fake_peer *next;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} uv;
	uv_timer_t later;
	int n_open;
	struct buf in;
	struct buf out;
	size_t sent;
	size_t n_lines;
	bool in_payload;
	char chunk[4096];
};

struct fake_write {
	uv_write_t req;
	char bytes[];
};

static void
on_peer_closed(uv_handle_t *handle)
{
	struct fake_peer *p = handle->data;

	if (--p->n_open > 0)
		return;
	buf_free(&p->in);
	buf_free(&p->out);
	free(p);
}

static void
peer_close(struct fake_peer *p)
{
	struct fake_peer **at = &p->fake->peers;

	if (uv_is_closing(&p->uv.handle))
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	uv_close(&p->uv.handle, on_peer_closed);
	uv_close((uv_handle_t *)&p->later, on_peer_closed);
}

static void
on_fake_written(uv_write_t *req, int status)
{
	(void)status;
	free(req->data);
}

static void
peer_write(struct fake_peer *p, struct str s)
{
	struct fake_write *w = malloc(sizeof(*w) + s.len);
	uv_buf_t bytes;

	assert_non_null(w);
	memcpy(w->bytes, s.ptr, s.len);
	w->req.data = w;
	bytes = uv_buf_init(w->bytes, (unsigned)s.len);
	if (uv_write(&w->req, &p->uv.stream, &bytes, 1, on_fake_written) != 0)
		free(w);
}

/* What comes next of out, at most n bytes. */
static void
peer_send(struct fake_peer *p, size_t n)
{
	struct str part = str_first(str_skip(buf_str(&p->out), p->sent), n);

	p->sent += part.len;
	if (part.len > 0)
		peer_write(p, part);
}

static void on_peer_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret);
static void on_peer_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *chunk);

static void
on_later(uv_timer_t *timer)
{
	struct fake_peer *p = timer->data;

	if (p->fake->manner == READS_SLOWLY)
		(void)uv_read_start(&p->uv.stream, on_peer_alloc, on_peer_read);
	else if (p->fake->manner == FLOODS)
		peer_write(p, STR("and so on and so on and so on and so on and so on and so on and so on and so on "));
	else
		peer_send(p, p->fake->manner == ANSWERS_BYTE_BY_BYTE ? 1 : TEXT_MAX);
}

static void
peer_flush(struct fake_peer *p)
{
	switch (p->fake->manner) {
	case ANSWERS_IN_TWO:
		if (p->sent == 0)
			peer_send(p, p->fake->split);
		(void)uv_timer_start(&p->later, on_later, 1, 0);
		return;
	case ANSWERS_BYTE_BY_BYTE:
		(void)uv_timer_start(&p->later, on_later, 1, p->fake->split > 0 ? p->fake->split : 2);
		return;
	case ANSWERS_HALF:
		peer_send(p, p->out.len - 3);
		return;
	case CLOSES_EARLY:
		peer_send(p, p->fake->split);
		if (p->out.len >= p->fake->split)
			peer_close(p);
		return;
	case RESETS:
		(void)uv_tcp_close_reset(&p->uv.tcp, on_peer_closed);
		uv_close((uv_handle_t *)&p->later, on_peer_closed);
		p->fake->peers = p->next;
		return;
	case FLOODS:
		peer_send(p, TEXT_MAX);
		(void)uv_timer_start(&p->later, on_later, 1, 1);
		return;
	case READS_SLOWLY:
		(void)uv_read_stop(&p->uv.stream);
		(void)uv_timer_start(&p->later, on_later, 8, 0);
		if (p->n_lines == 2 + p->fake->split)
			peer_send(p, TEXT_MAX);
		return;
	case ANSWERS:
	case ADDS_A_REPLY:
	case ADDS_TEXT:
	case ANSWERS_AT_LENGTH:
	case ANSWERS_TWICE:
	case IS_SILENT:
	case NEVER_READS:
	case IS_HTTP:
	case IS_MASTER:
	case REFUSES_SEVERITY:
		peer_send(p, TEXT_MAX);
		return;
	}
}

/* HAProxy 2.6: what it was asked for, a newline, and the prompt. */
static void
peer_answer(struct fake_peer *p, struct str line)
{
	enum manner m = p->fake->manner;
	size_t n = p->in_payload ? p->n_lines : ++p->n_lines;

	if (p->in_payload && line.len > 0) {
		buf_put(&p->out, STR("+ "));
		return;
	}
	if (!p->in_payload && str_has_suffix(line, STR(" <<"))) {
		p->in_payload = true;
		buf_put(&p->out, STR("+ "));
		return;
	}
	p->in_payload = false;
	p->fake->n_lines = n;

	if (m == IS_SILENT || (m == FLOODS && n > 2))
		return;
	if (m == IS_HTTP) {
		buf_put(&p->out, n == 1 ? STR("HTTP/1.1 400 Bad request\r\nConnection: close\r\n\r\n") : STR(""));
		return;
	}
	if (m == IS_MASTER && n <= 2) {
		buf_put(&p->out, STR("master> Unknown command: `prompt`\n\nmaster> "));
		return;
	}
	if (m == REFUSES_SEVERITY && n == 2)
		buf_put(&p->out, STR("[6]: Unknown command\n"));
	if (n > 2 && str_has_prefix(line, STR("show")))
		buf_printf(&p->out, "answer to " STR_FMT "\n", STR_ARG(line));
	if (n > 2 && m == ANSWERS_AT_LENGTH)
		for (size_t i = 0; i < p->fake->split; i++)
			buf_put_u8(&p->out, 'x');
	buf_put(&p->out, STR("\n> "));
	if (m == ANSWERS_TWICE && n == 3)
		buf_put(&p->out, STR("unasked\n> "));
	if (m == ADDS_A_REPLY && n == 3)
		buf_put(&p->out, STR("unasked\n> "));
	if (m == ADDS_TEXT && n == 3)
		buf_put(&p->out, STR("unasked"));
}

static void
on_peer_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct fake_peer *p = handle->data;

	(void)suggested;
	*ret = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void
on_peer_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *chunk)
{
	struct fake_peer *p = stream->data;
	struct str line;
	size_t at;

	if (nread < 0) {
		peer_close(p);
		return;
	}
	buf_put(&p->in, str_of(chunk->base, (size_t)nread));
	while (str_find(buf_str(&p->in), '\n', &at)) {
		line = str_first(buf_str(&p->in), at);
		peer_answer(p, line);
		buf_drop_front(&p->in, at + 1);
	}
	peer_flush(p);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct fake *f = listener->data;
	struct fake_peer *p = calloc(1, sizeof(*p));

	assert_int_equal(status, 0);
	assert_non_null(p);
	p->fake = f;
	p->in = buf_make(TEXT_MAX);
	p->out = buf_make(TEXT_MAX);
	p->n_open = 2;
	f->n_connections++;
	if (f->is_tcp)
		assert_int_equal(uv_tcp_init(f->uv, &p->uv.tcp), 0);
	else
		assert_int_equal(uv_pipe_init(f->uv, &p->uv.pipe, 0), 0);
	assert_int_equal(uv_timer_init(f->uv, &p->later), 0);
	p->uv.handle.data = p;
	p->later.data = p;
	p->next = f->peers;
	f->peers = p;
	assert_int_equal(uv_accept(listener, &p->uv.stream), 0);
	if (f->manner != NEVER_READS)
		assert_int_equal(uv_read_start(&p->uv.stream, on_peer_alloc, on_peer_read), 0);
}

static void
fake_close(struct fake *f)
{
	while (f->peers != NULL)
		peer_close(f->peers);
	if (f->listening)
		uv_close(&f->listener.handle, NULL);
	f->listening = false;
}

static void
fake_listen_unix(struct fake *f)
{
	assert_int_equal(uv_pipe_init(f->uv, &f->listener.pipe, 0), 0);
	assert_int_equal(uv_pipe_bind(&f->listener.pipe, f->path), 0);
	assert_int_equal(uv_listen(&f->listener.stream, 10, on_connection), 0);
	f->listener.handle.data = f;
	f->listening = true;
}

/* The port, or 0: no such address on this machine. */
static int
fake_listen_tcp(struct fake *f, const char *host)
{
	struct sockaddr_storage a = { 0 };
	int len = sizeof(a);

	f->is_tcp = true;
	if (uv_ip4_addr(host, 0, (struct sockaddr_in *)&a) != 0)
		assert_int_equal(uv_ip6_addr(host, 0, (struct sockaddr_in6 *)&a), 0);
	assert_int_equal(uv_tcp_init(f->uv, &f->listener.tcp), 0);
	f->listener.handle.data = f;
	f->listening = true;
	if (uv_tcp_bind(&f->listener.tcp, (const struct sockaddr *)&a, 0) != 0 ||
	    uv_listen(&f->listener.stream, 10, on_connection) != 0)
		return 0;
	assert_int_equal(uv_tcp_getsockname(&f->listener.tcp, (struct sockaddr *)&a, &len), 0);
	return ntohs(
	    a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}

/* ---- a link to it ---- */

#define ANSWERS_MAX 4

struct answer {
	size_t n;
	struct err e;   /* code OK: all were answered */
	char text[400]; /* the replies, each in brackets, without blanks around them */
};

struct world {
	struct loop *loop;
	char dir[32];
	struct fake fake;
	struct hap_link_limits limits;
	struct hap_link *link;
	struct answer answers[ANSWERS_MAX];
	size_t n_answers, n_expected; /* after which everything is closed */
	bool asks_again;
	bool gate_says;
	int n_gated;
	char gated[60];
};

static void
world_open(struct world *w, enum manner manner)
{
	memset(w, 0, sizeof(*w));
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/hap_link.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(loop_new(&w->loop, NULL), ERR_OK);
	(void)snprintf(w->fake.path, sizeof(w->fake.path), "%s/sock", w->dir);
	w->fake.uv = loop_uv(w->loop);
	w->fake.manner = manner;
	w->limits = hap_link_default_limits;
	w->n_expected = 1;
}

static void
world_connect(struct world *w, const char *address)
{
	struct err e = ERR_INIT;

	if (hap_link_socket_new(w->loop, str_from_cstr(address), &w->limits, &w->link, &e) != ERR_OK)
		fail_msg("%s", e.msg);
}

static void
world_serve(struct world *w)
{
	fake_listen_unix(&w->fake);
	world_connect(w, w->fake.path);
}

static void
world_stop(struct world *w)
{
	if (w->link != NULL)
		w->link->close(w->link);
	w->link = NULL;
	fake_close(&w->fake);
}

static void
world_close(struct world *w)
{
	loop_run(w->loop);
	world_stop(w);
	loop_run(w->loop);
	loop_free(w->loop);
	(void)unlink(w->fake.path);
	assert_int_equal(rmdir(w->dir), 0);
}

static void
on_done(void *arg, const struct str *replies, size_t n, const struct err *e)
{
	struct world *w = arg;
	struct answer *a = &w->answers[w->n_answers++];
	size_t at = 0;

	assert_true(w->n_answers <= ANSWERS_MAX);
	a->n = n;
	if (e != NULL)
		a->e = *e;
	for (size_t i = 0; i < n; i++) {
		int len = snprintf(
		    a->text + at, sizeof(a->text) - at, "[" STR_FMT "]", STR_ARG(str_first(str_trim(replies[i]), 60)));

		at = at + (size_t)len < sizeof(a->text) ? at + (size_t)len : sizeof(a->text) - 1;
	}
	if (w->n_answers == w->n_expected)
		world_stop(w);
}

static void
ask(struct world *w, const char *one, const char *two)
{
	const struct str commands[] = { str_from_cstr(one), str_from_cstr(two) };
	struct err e = ERR_INIT;

	if (w->link->ask(w->link, commands, two != NULL ? 2 : 1, NULL, on_done, w, &e) != ERR_OK)
		fail_msg("%s", e.msg);
}

/* One batch of two against a peer of such manners; how it ended. */
static struct answer
talk_to(enum manner manner, size_t split, const struct hap_link_limits *limits)
{
	struct world w;

	world_open(&w, manner);
	if (limits != NULL)
		w.limits = *limits;
	w.fake.split = split;
	world_serve(&w);
	ask(&w, "show info", "set weight");
	world_close(&w);
	assert_int_equal(w.n_answers, 1);
	return w.answers[0];
}

static void
assert_said(const struct answer *a, enum err_code code, size_t n, const char *words)
{
	if (a->e.code != code || a->n != n || strstr(a->e.msg, words) == NULL)
		fail_msg("%s after %zu: %s (and not %s after %zu: %s)", err_name(a->e.code), a->n, a->e.msg,
		    err_name(code), n, words);
}

/* ---- as it should be ---- */

static void
replies_come_in_the_order_of_the_commands(void **state)
{
	struct answer a = talk_to(ANSWERS, 0, NULL);

	(void)state;
	assert_said(&a, ERR_OK, 2, "");
	assert_string_equal(a.text, "[answer to show info][]");
}

static void
each_batch_has_a_connection_of_its_own(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	world_serve(&w);
	w.n_expected = 3;
	ask(&w, "show a", NULL);
	ask(&w, "show b", "show c");
	ask(&w, "show d", NULL);
	assert_int_equal(w.n_answers, 0); /* never from inside the call */
	world_close(&w);
	assert_int_equal(w.fake.n_connections, 3);
	assert_string_equal(w.answers[0].text, "[answer to show a]");
	assert_string_equal(w.answers[1].text, "[answer to show b][answer to show c]");
	assert_string_equal(w.answers[2].text, "[answer to show d]");
}

static void
a_batch_of_no_commands_is_answered(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	world_serve(&w);
	assert_int_equal(w.link->ask(w.link, NULL, 0, NULL, on_done, &w, NULL), ERR_OK);
	world_close(&w);
	assert_said(&w.answers[0], ERR_OK, 0, "");
}

static void
a_thousand_commands_are_pipelined(void **state)
{
	struct str *commands = calloc(1000, sizeof(*commands));
	struct world w;

	(void)state;
	assert_non_null(commands);
	for (size_t i = 0; i < 1000; i++)
		commands[i] = STR("show something of a certain length, so that it takes more than one piece");
	world_open(&w, ANSWERS);
	world_serve(&w);
	assert_int_equal(w.link->ask(w.link, commands, 1000, NULL, on_done, &w, NULL), ERR_OK);
	free(commands); /* copied */
	world_close(&w);
	assert_said(&w.answers[0], ERR_OK, 1000, "");
}

static void
an_answer_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t split = 1; split < strlen("\n> \n> answer to show info\n\n> \n> "); split++) {
		struct answer a = talk_to(ANSWERS_IN_TWO, split, NULL);

		assert_said(&a, ERR_OK, 2, "");
		assert_string_equal(a.text, "[answer to show info][]");
	}
}

static void
an_answer_may_come_byte_by_byte(void **state)
{
	struct answer a = talk_to(ANSWERS_BYTE_BY_BYTE, 0, NULL);

	(void)state;
	assert_said(&a, ERR_OK, 2, "");
	assert_string_equal(a.text, "[answer to show info][]");
}

static void
what_only_looks_like_a_prompt_is_text(void **state)
{
	static const enum manner manners[] = { ANSWERS, ANSWERS_BYTE_BY_BYTE };

	(void)state;
	for (size_t i = 0; i < N_OF(manners); i++) {
		struct world w;

		world_open(&w, manners[i]);
		world_serve(&w);
		ask(&w, "show >> > a> >", "show >");
		world_close(&w);
		assert_int_equal(w.n_answers, 1);
		assert_said(&w.answers[0], ERR_OK, 2, "");
		assert_string_equal(w.answers[0].text, "[answer to show >> > a> >][answer to show >]");
	}
}

static void
host_and_port_are_an_address(void **state)
{
	static const struct {
		const char *bind, *connect;
	} rows[] = { { "127.0.0.1", "127.0.0.1" }, { "127.0.0.1", "localhost" }, { "::1", "[::1]" }, { "::1", "::1" } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world w;
		char address[64];
		int port;

		world_open(&w, ANSWERS);
		port = fake_listen_tcp(&w.fake, rows[i].bind);
		if (port == 0) {
			world_stop(&w);
			world_close(&w);
			continue; /* no IPv6 here */
		}
		(void)snprintf(address, sizeof(address), "%s:%d", rows[i].connect, port);
		world_connect(&w, address);
		ask(&w, "show info", NULL);
		world_close(&w);
		assert_said(&w.answers[0], ERR_OK, 1, "");
	}
}

/* ---- no connection ---- */

static void
a_socket_that_is_not_there_is_told_with_what_to_do(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	world_connect(&w, "/nonexistent/admin.sock");
	ask(&w, "show info", NULL);
	assert_int_equal(w.n_answers, 0);
	world_close(&w);
	assert_said(&w.answers[0], ERR_IO, 0, "");
	assert_int_equal(w.answers[0].e.sys, ENOENT);
	assert_string_equal(w.answers[0].e.msg,
	    "cannot connect to HAProxy's socket /nonexistent/admin.sock: No such file or directory: is it running, "
	    "with "
	    "`stats socket /nonexistent/admin.sock mode 660 level admin` in its global section?");
}

static void
a_socket_that_nobody_listens_on_is_told(void **state)
{
	struct world w;
	uv_pipe_t stale;

	(void)state;
	world_open(&w, ANSWERS);
	assert_int_equal(uv_pipe_init(loop_uv(w.loop), &stale, 0), 0);
	assert_int_equal(uv_pipe_bind(&stale, w.fake.path), 0);
	world_connect(&w, w.fake.path);
	ask(&w, "show info", NULL);
	loop_run(w.loop);
	uv_close((uv_handle_t *)&stale, NULL);
	world_close(&w);
	assert_said(&w.answers[0], ERR_IO, 0, "Connection refused: is it running, with");
}

static void
a_socket_of_another_group_is_told(void **state)
{
	struct world w;

	(void)state;
	if (geteuid() == 0)
		skip(); /* for whom nothing is forbidden */
	world_open(&w, ANSWERS);
	world_serve(&w);
	assert_int_equal(chmod(w.fake.path, 0), 0);
	ask(&w, "show info", NULL);
	world_close(&w);
	assert_said(&w.answers[0], ERR_IO, 0, "Permission denied: rollcalld must be in its group");
}

static void
a_refused_port_is_told(void **state)
{
	struct world w;
	char address[64];
	int port;

	(void)state;
	world_open(&w, ANSWERS);
	port = fake_listen_tcp(&w.fake, "127.0.0.1");
	fake_close(&w.fake);
	loop_run(w.loop);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	world_connect(&w, address);
	ask(&w, "show info", NULL);
	world_close(&w);
	assert_said(&w.answers[0], ERR_IO, 0, "Connection refused");
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const addresses[] = { "", "admin.sock", "localhost", "localhost:", "localhost:0",
		"localhost:65536", "example.com:9999", "127.0.0.1:9x", "[::1:9999x", ":9999", "/run/\n", "1.2.3:80" };
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	for (size_t i = 0; i < N_OF(addresses); i++) {
		struct err e = ERR_INIT;

		CHECK_ROW(hap_link_socket_new(w.loop, str_from_cstr(addresses[i]), &w.limits, &w.link, &e) == ERR_CONF,
		    i, addresses[i]);
		CHECK_ROW(e.msg[0] != '\0', i, addresses[i]);
	}
	world_close(&w);
}

static void
a_path_longer_than_the_system_takes_is_refused(void **state)
{
	char path[109];
	struct world w;

	(void)state;
	memset(path, '/', sizeof(path));
	world_open(&w, ANSWERS);
	assert_int_equal(hap_link_socket_new(w.loop, str_of(path, 108), &w.limits, &w.link, NULL), ERR_CONF);
	assert_int_equal(hap_link_socket_new(w.loop, str_of(path, 107), &w.limits, &w.link, NULL), ERR_OK);
	world_close(&w);
}

/* ---- a peer that goes wrong ---- */

static void
a_peer_that_closes_early_is_told_with_what_it_answered(void **state)
{
	static const struct {
		size_t after, n;
	} rows[] = { { 1, 0 }, { 3, 0 }, { 6, 0 }, { 20, 0 }, { 29, 1 } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct answer a = talk_to(CLOSES_EARLY, rows[i].after, NULL);

		assert_said(&a, ERR_CLOSED, rows[i].n, "closed by HAProxy after");
	}
}

static void
a_reset_is_an_error(void **state)
{
	struct world w;
	char address[64];

	(void)state;
	world_open(&w, RESETS);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%d", fake_listen_tcp(&w.fake, "127.0.0.1"));
	world_connect(&w, address);
	ask(&w, "show info", NULL);
	world_close(&w);
	assert_said(&w.answers[0], ERR_IO, 0, "connection reset by peer after 0 of 1 replies");
}

static void
more_than_was_asked_spoils_the_whole_answer(void **state)
{
	struct answer a = talk_to(ADDS_A_REPLY, 0, NULL);

	(void)state;
	NEED_WHOLE_WRITES();
	assert_said(&a, ERR_PARSE, 0, "more replies than commands");
	a = talk_to(ADDS_TEXT, 0, NULL);
	assert_string_equal(a.text, "[answer to show info][unasked]"); /* for the judge to refuse */
}

static void
a_stranger_is_recognised(void **state)
{
	struct answer a = talk_to(IS_HTTP, 0, NULL);

	(void)state;
	assert_said(&a, ERR_PARSE, 0, "does not speak HAProxy's runtime API: it says `HTTP/1.1 400 Bad request`");
	a = talk_to(IS_MASTER, 0, NULL);
	assert_said(&a, ERR_CONF, 0, "is HAProxy's master socket: name a `stats socket`");
	a = talk_to(REFUSES_SEVERITY, 0, NULL);
	assert_said(&a, ERR_PARSE, 0, "it says `[6]: Unknown command`");
}

/* ---- the gate ---- */

static bool
gate(void *arg, struct str reply)
{
	struct world *w = arg;

	w->n_gated++;
	(void)snprintf(w->gated, sizeof(w->gated), STR_FMT, STR_ARG(str_trim(reply)));
	return w->gate_says;
}

static void
world_ask_gated(struct world *w, enum manner manner, size_t split, bool says)
{
	const struct str commands[] = { STR("show info"), STR("show a"), STR("show b") };

	world_open(w, manner);
	w->fake.split = split;
	w->gate_says = says;
	world_serve(w);
	assert_int_equal(w->link->ask(w->link, commands, N_OF(commands), gate, on_done, w, NULL), ERR_OK);
	world_close(w);
	assert_int_equal(w->n_answers, 1);
}

static void
a_gate_lets_the_rest_pass(void **state)
{
	struct world w;

	(void)state;
	for (size_t split = 1; split < 30; split++) {
		world_ask_gated(&w, split == 29 ? ANSWERS_BYTE_BY_BYTE : ANSWERS_IN_TWO, split % 29, true);
		assert_int_equal(w.n_gated, 1);
		assert_string_equal(w.gated, "answer to show info");
		assert_said(&w.answers[0], ERR_OK, 3, "");
		assert_string_equal(w.answers[0].text, "[answer to show info][answer to show a][answer to show b]");
		assert_int_equal(w.fake.n_connections, 1);
	}
}

static void
a_gate_ends_a_batch_after_its_first_reply(void **state)
{
	struct world w;

	(void)state;
	world_ask_gated(&w, ANSWERS, 0, false);
	assert_said(&w.answers[0], ERR_OK, 1, "");
	assert_string_equal(w.answers[0].text, "[answer to show info]");
	assert_int_equal(w.fake.n_lines, 3); /* the greeting's two, and one */
}

static void
a_reply_that_comes_before_its_command_spoils_all(void **state)
{
	struct world w;

	(void)state;
	world_ask_gated(&w, ANSWERS_TWICE, 0, true);
	assert_int_equal(w.n_gated, 0);
	assert_said(&w.answers[0], ERR_PARSE, 0, "more replies than commands");
	assert_int_equal(w.fake.n_lines, 3);
	world_ask_gated(&w, ADDS_TEXT, 0, true); /* its beginning */
	assert_int_equal(w.n_gated, 0);
	assert_said(&w.answers[0], ERR_PARSE, 0, "more replies than commands");
	assert_int_equal(w.fake.n_lines, 3);
}

static void
a_gate_is_not_asked_about_a_fault(void **state)
{
	struct world w;

	(void)state;
	world_ask_gated(&w, CLOSES_EARLY, 1, true);
	assert_int_equal(w.n_gated, 0);
	assert_said(&w.answers[0], ERR_CLOSED, 0, "");
}

/* ---- payloads ---- */

static void
a_payload_has_one_reply(void **state)
{
	const struct str commands[] = { STR("set ca <<\nshow x\n> \nprompt\n"), STR("show a") };
	struct world w;

	(void)state;
	for (size_t split = 1; split < 24; split++) {
		world_open(&w, ANSWERS_IN_TWO);
		w.fake.split = split;
		world_serve(&w);
		assert_int_equal(w.link->ask(w.link, commands, N_OF(commands), NULL, on_done, &w, NULL), ERR_OK);
		world_close(&w);
		assert_said(&w.answers[0], ERR_OK, 2, "");
		assert_string_equal(w.answers[0].text, "[+ + + +][answer to show a]");
	}
}

static void
a_payload_that_could_end_early_is_refused(void **state)
{
	static const char *const commands[] = { "set ca <<", "set ca <<\n\n", "set ca <<\na\n\nshow info\n",
		"set ca <<\na\n \nb\n", "set ca <<\na", "set ca <<\na\nb", "set ca\na\n", "set ca<<\na\n",
		"set ca <<\na\tb\n", "set ca <<\na\r\n", "set; ca <<\na\n", "\na\n", "<<\na\n" };
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	world_connect(&w, w.fake.path);
	for (size_t i = 0; i < N_OF(commands); i++) {
		struct str c = str_from_cstr(commands[i]);

		CHECK_ROW(w.link->ask(w.link, &c, 1, NULL, on_done, &w, NULL) == ERR_ARG, i, commands[i]);
	}
	world_close(&w);
	assert_int_equal(w.n_answers, 0);
}

/* ---- limits ---- */

static void
silence_ends_a_batch(void **state)
{
	struct hap_link_limits limits = hap_link_default_limits;
	struct answer a;

	(void)state;
	NEED_WHOLE_WRITES();
	limits.idle_timeout_ms = 30;
	a = talk_to(IS_SILENT, 0, &limits);
	assert_said(&a, ERR_TIMEOUT, 0, "no answer within 30 ms, after 0 of 2 replies");
	a = talk_to(ANSWERS_HALF, 0, &limits);
	assert_said(&a, ERR_TIMEOUT, 1, "no answer within 30 ms, after 1 of 2 replies");
	assert_string_equal(a.text, "[answer to show info]");
}

#define MANY 20000

/* More than the buffers of a socket hold. */
static void
ask_much(struct world *w, enum manner manner, int64_t idle_timeout_ms)
{
	struct str *commands = calloc(MANY, sizeof(*commands));

	assert_non_null(commands);
	for (size_t i = 0; i < MANY; i++)
		commands[i] = STR("more than the buffers of a socket hold, all of these together");
	world_open(w, manner);
	w->fake.split = MANY;
	w->limits.idle_timeout_ms = idle_timeout_ms;
	world_serve(w);
	assert_int_equal(w->link->ask(w->link, commands, MANY, NULL, on_done, w, NULL), ERR_OK);
	free(commands);
	world_close(w);
}

static void
a_peer_that_reads_nothing_ends_a_batch(void **state)
{
	struct world w;

	(void)state;
	ask_much(&w, NEVER_READS, 30);
	assert_said(&w.answers[0], ERR_TIMEOUT, 0, "no answer within 30 ms");
}

static void
a_peer_that_still_reads_is_waited_for(void **state)
{
	struct world w;

	(void)state;
	NEED_WHOLE_WRITES();
	ask_much(&w, READS_SLOWLY, 1000); /* all of it takes longer */
	assert_said(&w.answers[0], ERR_OK, MANY, "");
}

static void
a_batch_does_not_last_for_ever(void **state)
{
	struct hap_link_limits limits = hap_link_default_limits;
	struct answer a;

	(void)state;
	limits.total_timeout_ms = 20;
	limits.command_timeout_ms = 1;
	a = talk_to(ANSWERS_BYTE_BY_BYTE, 0, &limits);
	assert_said(&a, ERR_TIMEOUT, 0, "not all within 22 ms");
}

static void
a_batch_may_take_as_long_as_what_was_asked_and_answered(void **state)
{
	struct hap_link_limits limits = hap_link_default_limits;
	struct answer a;

	(void)state;
	limits.total_timeout_ms = 20;
	limits.command_timeout_ms = 5000;
	a = talk_to(ANSWERS_BYTE_BY_BYTE, 0, &limits);
	assert_said(&a, ERR_OK, 2, "");
	limits.total_timeout_ms = 700; /* for the first byte; all of them take longer */
	limits.command_timeout_ms = 0;
	limits.kib_timeout_ms = 1000 * 1024; /* a byte earns a second */
	a = talk_to(ANSWERS_BYTE_BY_BYTE, 30, &limits);
	assert_said(&a, ERR_OK, 2, "");
}

static void
a_flood_is_cut_off(void **state)
{
	struct hap_link_limits limits = hap_link_default_limits;
	struct answer a;

	(void)state;
	NEED_WHOLE_WRITES();
	limits.max_first_reply = limits.max_reply = 1000;
	a = talk_to(FLOODS, 0, &limits);
	assert_said(&a, ERR_LIMIT, 0, "a reply over 1000 bytes");
	a = talk_to(ANSWERS_AT_LENGTH, 1001, &limits);
	assert_said(&a, ERR_LIMIT, 0, "a reply over 1000 bytes");
	limits.max_first_reply = 1100;
	a = talk_to(ANSWERS_AT_LENGTH, 1001, &limits);
	assert_said(&a, ERR_LIMIT, 1, "a reply over 1000 bytes");
	a = talk_to(ANSWERS_AT_LENGTH, 900, &limits);
	assert_said(&a, ERR_OK, 2, "");
	limits.max_replies = 1000;
	a = talk_to(ANSWERS_AT_LENGTH, 900, &limits);
	assert_said(&a, ERR_LIMIT, 0, "the replies of a batch over 1000 bytes");
}

static void
commands_have_limits(void **state)
{
	struct world w;
	struct str two[] = { STR("0123456789"), STR("0123456789") };
	struct err e = ERR_INIT;

	(void)state;
	world_open(&w, ANSWERS);
	w.limits.max_command = 10;
	w.limits.max_commands = strlen("prompt\nset severity-output number\n") + 21;
	world_connect(&w, w.fake.path);
	assert_int_equal(w.link->ask(w.link, &STR("0123456789a"), 1, NULL, on_done, &w, &e), ERR_LIMIT);
	assert_int_equal(w.link->ask(w.link, two, 2, NULL, on_done, &w, &e), ERR_LIMIT);
	assert_int_equal(w.link->ask(w.link, two, 1, NULL, on_done, &w, &e), ERR_OK);
	world_close(&w);
	assert_int_equal(w.n_answers, 1);
}

static void
a_command_that_is_not_one_plain_line_is_refused(void **state)
{
	static const char *const commands[] = { "", " ", "a;b", "a\nb", "a\n", "a\tb", "a\x1b", "caf\xc3\xa9" };
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	world_connect(&w, w.fake.path);
	for (size_t i = 0; i < N_OF(commands); i++) {
		struct str c = str_from_cstr(commands[i]);

		CHECK_ROW(w.link->ask(w.link, &c, 1, NULL, on_done, &w, NULL) == ERR_ARG, i, commands[i]);
	}
	world_close(&w);
	assert_int_equal(w.n_answers, 0);
}

static void
a_full_queue_refuses(void **state)
{
	struct world w;
	struct str command = STR("show info");
	struct err e = ERR_INIT;

	(void)state;
	world_open(&w, ANSWERS);
	w.limits.max_queue = 2;
	w.n_expected = 2;
	world_serve(&w);
	ask(&w, "show a", NULL);
	ask(&w, "show b", NULL);
	assert_int_equal(w.link->ask(w.link, &command, 1, NULL, on_done, &w, &e), ERR_LIMIT);
	world_close(&w);
	assert_int_equal(w.n_answers, 2);
}

/* ---- closing ---- */

static void
a_closed_link_calls_nobody(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, ANSWERS);
	world_serve(&w);
	ask(&w, "show a", NULL);
	ask(&w, "show b", NULL);
	world_stop(&w);
	world_close(&w);
	assert_int_equal(w.n_answers, 0);
}

static void
on_stop_timer(void *arg)
{
	world_stop(arg);
}

static void
a_link_may_be_closed_at_any_moment(void **state)
{
	(void)state;
	for (int in_ms = 0; in_ms < 20; in_ms++) {
		struct world w;
		struct loop_timer *t;

		world_open(&w, ANSWERS_BYTE_BY_BYTE);
		world_serve(&w);
		ask(&w, "show a", NULL);
		ask(&w, "show b", NULL);
		assert_int_equal(loop_timer_new(w.loop, on_stop_timer, &w, &t, NULL), ERR_OK);
		loop_timer_arm(t, in_ms);
		loop_run(w.loop);
		loop_timer_close(t);
		world_close(&w);
		assert_int_equal(w.n_answers, 0);
	}
}

static void
on_done_ask_again(void *arg, const struct str *replies, size_t n, const struct err *e)
{
	struct world *w = arg;

	if (w->n_answers == 0)
		ask(w, "show again", NULL);
	on_done(arg, replies, n, e);
}

static void
one_may_ask_from_inside_an_answer(void **state)
{
	struct world w;
	struct str command = STR("show first");

	(void)state;
	world_open(&w, ANSWERS);
	world_serve(&w);
	w.n_expected = 2;
	assert_int_equal(w.link->ask(w.link, &command, 1, NULL, on_done_ask_again, &w, NULL), ERR_OK);
	world_close(&w);
	assert_string_equal(w.answers[0].text, "[answer to show first]");
	assert_string_equal(w.answers[1].text, "[answer to show again]");
}

static void
a_fault_does_not_hold_up_the_next_batch(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, CLOSES_EARLY);
	w.fake.split = 1;
	world_serve(&w);
	w.n_expected = 2;
	ask(&w, "show a", NULL);
	ask(&w, "show b", NULL);
	world_close(&w);
	assert_int_equal(w.fake.n_connections, 2);
	assert_said(&w.answers[1], ERR_CLOSED, 0, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_come_in_the_order_of_the_commands),
		cmocka_unit_test(each_batch_has_a_connection_of_its_own),
		cmocka_unit_test(a_batch_of_no_commands_is_answered),
		cmocka_unit_test(a_thousand_commands_are_pipelined),
		cmocka_unit_test(an_answer_may_be_cut_anywhere),
		cmocka_unit_test(an_answer_may_come_byte_by_byte),
		cmocka_unit_test(what_only_looks_like_a_prompt_is_text),
		cmocka_unit_test(host_and_port_are_an_address),
		cmocka_unit_test(a_socket_that_is_not_there_is_told_with_what_to_do),
		cmocka_unit_test(a_socket_that_nobody_listens_on_is_told),
		cmocka_unit_test(a_socket_of_another_group_is_told),
		cmocka_unit_test(a_refused_port_is_told),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_path_longer_than_the_system_takes_is_refused),
		cmocka_unit_test(a_peer_that_closes_early_is_told_with_what_it_answered),
		cmocka_unit_test(a_reset_is_an_error),
		cmocka_unit_test(more_than_was_asked_spoils_the_whole_answer),
		cmocka_unit_test(a_stranger_is_recognised),
		cmocka_unit_test(a_gate_lets_the_rest_pass),
		cmocka_unit_test(a_gate_ends_a_batch_after_its_first_reply),
		cmocka_unit_test(a_reply_that_comes_before_its_command_spoils_all),
		cmocka_unit_test(a_gate_is_not_asked_about_a_fault),
		cmocka_unit_test(a_payload_has_one_reply),
		cmocka_unit_test(a_payload_that_could_end_early_is_refused),
		cmocka_unit_test(silence_ends_a_batch),
		cmocka_unit_test(a_peer_that_reads_nothing_ends_a_batch),
		cmocka_unit_test(a_peer_that_still_reads_is_waited_for),
		cmocka_unit_test(a_batch_does_not_last_for_ever),
		cmocka_unit_test(a_batch_may_take_as_long_as_what_was_asked_and_answered),
		cmocka_unit_test(a_flood_is_cut_off),
		cmocka_unit_test(commands_have_limits),
		cmocka_unit_test(a_command_that_is_not_one_plain_line_is_refused),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(a_closed_link_calls_nobody),
		cmocka_unit_test(a_link_may_be_closed_at_any_moment),
		cmocka_unit_test(one_may_ask_from_inside_an_answer),
		cmocka_unit_test(a_fault_does_not_hold_up_the_next_batch),
	};

	/* A peer that is gone must not end us. */
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
