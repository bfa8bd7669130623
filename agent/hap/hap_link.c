/*
 * The real hap_link: a unix or TCP socket under libuv.  See hap_link.h.
 *
 * struct hap_link_socket is what the caller holds: the address, the queue, the
 * timers.  Each batch that is under way has a struct talk, which owns the
 * connection and all its bytes.  When the batch is over, or the link is closed, the
 * talk is cut loose (its link is null from then on) and frees itself in the close
 * callback of its socket, so that replies live through the callback of the caller
 * even if that closes the link.
 */
#include "config.h"

#include "hap/hap_link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <uv.h>

#include "base/buf.h"
#include "io/loop.h"

#define GREETING     "prompt\nset severity-output number\n"
#define N_GREETING   2 /* commands in it: their replies are ours */
#define PROMPT       "\n> "
#define PROMPT_LEN   (sizeof(PROMPT) - 1)
#define CHUNK_SIZE   65536
#define SHOWN_MAX    60 /* bytes of the peer's words in an error */
#define STRANGER_MIN 8  /* bytes of a greeting, to judge by */

const struct hap_link_limits hap_link_default_limits = {
	.connect_timeout_ms = 2000,
	.idle_timeout_ms = 5000,
	.total_timeout_ms = 5000,
	.command_timeout_ms = 10, /* `set weight` among 5000 with balance random: 3 */
	.kib_timeout_ms = 1,
	.max_command = 15000, /* 2.6 hangs on more than 15360 bytes */
	.max_commands = (size_t)8 << 20,
	.max_first_reply = (size_t)64 << 10,
	.max_reply = (size_t)32 << 20, /* `show stat` of 100,000 servers */
	.max_replies = (size_t)64 << 20,
	.max_queue = 16,
};

struct batch {
	struct batch *next;
	struct buf out; /* GREETING and the commands */
	size_t n;       /* commands */
	size_t gate_at; /* of out: so much is sent before the gate is asked; all, where there is none */
	hap_link_gate_fn *gate;
	hap_link_done_fn *done;
	void *arg;
	struct str *replies; /* n */
	size_t *ends;        /* N_GREETING + n: where in talk.in each prompt was */
};

struct talk {
	struct hap_link_socket *link; /* null once it is over */
	struct batch *batch;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} uv;
	uv_connect_t connect;
	uv_write_t write, write_rest;
	bool connected;
	bool gate_asked;
	size_t unwritten; /* when the idle timer was last armed */
	struct buf in;
	size_t scanned; /* of in: no prompt begins before */
	size_t n_ends;
	char chunk[CHUNK_SIZE];
};

struct hap_link_socket {
	struct hap_link link;
	struct loop *loop;
	struct clk clk;
	struct hap_link_limits limits;
	char *address; /* link.address */
	bool is_path;
	struct sockaddr_storage tcp;
	struct loop_timer *kick;  /* begins the next batch, from the loop */
	struct loop_timer *idle;  /* of the talk under way; first for its connect */
	struct loop_timer *total; /* of the talk under way */
	int64_t began_ms;         /* likewise */
	struct talk *talk;        /* or null */
	struct batch *first, **last;
	size_t n_waiting;
	size_t longest; /* replies to a batch so far: memory that is not filled costs nothing */
};

static void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	buf_free(&b->out);
	free(b->replies);
	free(b->ends);
	free(b);
}

static void
on_talk_closed(uv_handle_t *handle)
{
	struct talk *t = handle->data;

	buf_free(&t->in);
	batch_free(t->batch);
	free(t);
}

/* From here on no callback of libuv finds a link behind it. */
static void
talk_cut_loose(struct talk *t)
{
	struct hap_link_socket *k = t->link;

	k->talk = NULL;
	t->link = NULL;
	loop_timer_disarm(k->idle);
	loop_timer_disarm(k->total);
	uv_close(&t->uv.handle, on_talk_closed);
}

static struct str
reply_at(const struct talk *t, size_t i)
{
	size_t begin = i == 0 ? 0 : t->batch->ends[i - 1] + PROMPT_LEN;

	return str_of(t->in.ptr + begin, t->batch->ends[i] - begin);
}

/* Last of all: the callback may close the link, or ask again. */
static void
talk_end(struct talk *t, size_t n_answered, const struct err *e)
{
	struct batch *b = t->batch;
	struct hap_link_socket *k = t->link;

	for (size_t i = 0; i < n_answered; i++)
		b->replies[i] = reply_at(t, N_GREETING + i);
	k->longest = t->in.len > k->longest ? t->in.len : k->longest;
	talk_cut_loose(t);
	if (k->first != NULL)
		loop_timer_arm(k->kick, 0);
	b->done(b->arg, b->replies, n_answered, e);
}

static size_t
n_answered(const struct talk *t)
{
	return t->n_ends > N_GREETING ? t->n_ends - N_GREETING : 0;
}

static void
talk_fail(struct talk *t, const struct err *e)
{
	talk_end(t, n_answered(t), e);
}

/* There are answers, but they are not to be trusted. */
static void
talk_fail_all(struct talk *t, const struct err *e)
{
	talk_end(t, 0, e);
}

/* The first line of the peer's words, fit for an error. */
static void
shown(struct str s, char ret[SHOWN_MAX + 1])
{
	struct str line = str_trim(s);
	size_t at;

	if (str_find(line, '\n', &at))
		line = str_trim(str_first(line, at));
	line = str_first(line, SHOWN_MAX);
	for (size_t i = 0; i < line.len; i++) {
		ret[i] = '?';
		if (str_is_printable(str_of(line.ptr + i, 1)) && line.ptr[i] != '`') /* which ends the quotation */
			ret[i] = line.ptr[i];
	}
	ret[line.len] = '\0';
}

/* A peer that greets with anything but a bare prompt is something else: HAProxy's
 * master socket, a proxy, a stranger. */
static void
fail_as_stranger(struct talk *t, struct str said)
{
	struct err e = ERR_INIT;
	char text[SHOWN_MAX + 1];

	if (str_has_prefix(str_trim(said), STR("master"))) {
		(void)err_set(&e, ERR_CONF,
		    "%s is HAProxy's master socket: name a `stats socket` of its global section instead",
		    t->link->address);
	} else {
		shown(said, text);
		(void)err_set(
		    &e, ERR_PARSE, "%s does not speak HAProxy's runtime API: it says `%s`", t->link->address, text);
	}
	talk_fail_all(t, &e);
}

static void
fail_as_too_large(struct talk *t, const char *what, size_t limit)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, ERR_LIMIT, "HAProxy's socket %s: %s over %zu bytes", t->link->address, what, limit);
	talk_fail(t, &e);
}

static void
fail_as_closed(struct talk *t, enum err_code code, const char *how)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, code, "HAProxy's socket %s: %s after %zu of %zu replies", t->link->address, how,
	    n_answered(t), t->batch->n);
	talk_fail(t, &e);
}

/* What has come of the reply that is not complete yet. */
static size_t
unfinished(const struct talk *t)
{
	return t->in.len - (t->n_ends == 0 ? 0 : t->batch->ends[t->n_ends - 1] + PROMPT_LEN);
}

/* Of the reply that is not complete yet.  Who is no HAProxy is found out cheaply. */
static size_t
reply_limit(const struct talk *t)
{
	const struct hap_link_limits *limits = &t->link->limits;

	return t->n_ends <= N_GREETING ? limits->max_first_reply : limits->max_reply;
}

/* Like memmem, and several times as fast: there is hardly a `>` in what HAProxy shows. */
static const uint8_t *
find_prompt(const uint8_t *from, size_t n)
{
	for (size_t at = 1; n >= PROMPT_LEN && at + 1 < n;) {
		const uint8_t *hit = memchr(from + at, PROMPT[1], n - 1 - at);

		if (hit == NULL)
			return NULL;
		if (memcmp(hit - 1, PROMPT, PROMPT_LEN) == 0)
			return hit - 1;
		at = (size_t)(hit - from) + 1;
	}
	return NULL;
}

/* Notes the prompts in what has arrived since the last time.  False: a reply is
 * over the limit. */
static bool
find_prompts(struct talk *t)
{
	size_t n_wanted = N_GREETING + t->batch->n;

	while (t->n_ends < n_wanted) {
		const uint8_t *from = t->in.ptr + t->scanned;
		const uint8_t *hit = find_prompt(from, t->in.len - t->scanned);

		if (hit == NULL) {
			if (t->in.len - t->scanned >= PROMPT_LEN)
				t->scanned = t->in.len - (PROMPT_LEN - 1);
			return unfinished(t) <= reply_limit(t);
		}
		t->batch->ends[t->n_ends] = t->scanned + (size_t)(hit - from);
		t->scanned += (size_t)(hit - from) + PROMPT_LEN;
		if (reply_at(t, t->n_ends).len > reply_limit(t))
			return false;
		t->n_ends++;
	}
	return true;
}

/* Our own two commands must be answered with nothing. */
static bool
is_stranger(const struct talk *t, struct str *ret_said)
{
	for (size_t i = 0; i < N_GREETING && i < t->n_ends; i++) {
		*ret_said = reply_at(t, i);
		if (str_trim(*ret_said).len > 0)
			return true;
	}
	*ret_said = buf_str(&t->in);
	/* Half a word tells nothing yet. */
	return t->n_ends == 0 && t->in.len >= STRANGER_MIN && t->in.ptr[0] != '\n';
}

static enum err_code write_part(struct talk *t, uv_write_t *req, size_t from, size_t to);

static void
fail_as_out_of_step(struct talk *t)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, ERR_PARSE,
	    "HAProxy's socket %s: more replies than commands: not known which belongs to which", t->link->address);
	talk_fail_all(t, &e);
}

/* True: the batch ends here. */
static bool
is_stopped_by_gate(struct talk *t)
{
	const struct batch *b = t->batch;

	if (b->gate == NULL || t->gate_asked || n_answered(t) == 0)
		return false;
	t->gate_asked = true;
	if (n_answered(t) > 1 || t->in.len > t->scanned) {
		fail_as_out_of_step(t);
		return true;
	}
	if (!b->gate(b->arg, reply_at(t, N_GREETING))) {
		talk_end(t, 1, NULL);
		return true;
	}
	return b->gate_at < b->out.len && write_part(t, &t->write_rest, b->gate_at, b->out.len) != ERR_OK;
}

static void
talk_check(struct talk *t)
{
	struct str said;
	bool fits = find_prompts(t);

	if (is_stranger(t, &said)) {
		fail_as_stranger(t, said);
	} else if (!fits) {
		fail_as_too_large(t, "a reply", reply_limit(t));
	} else if (is_stopped_by_gate(t)) {
		return;
	} else if (t->n_ends == N_GREETING + t->batch->n) {
		if (t->in.len == t->scanned) {
			talk_end(t, t->batch->n, NULL);
			return;
		}
		fail_as_out_of_step(t);
	}
}

static void
arm_idle(struct talk *t)
{
	t->unwritten = uv_stream_get_write_queue_size(&t->uv.stream);
	loop_timer_arm(t->link->idle, t->link->limits.idle_timeout_ms);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct talk *t = handle->data;

	(void)suggested;
	*ret = uv_buf_init(t->chunk, sizeof(t->chunk));
}

static void
on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *chunk)
{
	struct talk *t = stream->data;

	if (t->link == NULL || nread == 0)
		return;
	if (nread == UV_EOF) {
		fail_as_closed(t, ERR_CLOSED, "closed by HAProxy");
		return;
	}
	if (nread < 0) {
		fail_as_closed(t, ERR_IO, uv_strerror((int)nread));
		return;
	}
	arm_idle(t);
	buf_put(&t->in, str_of(chunk->base, (size_t)nread));
	if (buf_failed(&t->in, NULL) == ERR_LIMIT)
		fail_as_too_large(t, "the replies of a batch", t->link->limits.max_replies);
	else if (buf_failed(&t->in, NULL) != ERR_OK)
		fail_as_closed(t, ERR_NOMEM, "no memory for more");
	else
		talk_check(t);
}

/* What goes wrong with writing shows on the reading side, after the replies that
 * came before. */
static void
on_written(uv_write_t *req, int status)
{
	(void)req;
	(void)status;
}

/* In words that tell an operator what to look at. */
static enum err_code
describe_connect_error(const struct hap_link_socket *k, int errnum, struct err *e)
{
	char text[80];
	const char *said = strerror_r(errnum, text, sizeof(text)); /* the GNU form */

	if (k->is_path && (errnum == EACCES || errnum == EPERM))
		return err_set(e, ERR_IO,
		    "cannot connect to HAProxy's socket %s: %s: rollcalld must be in its group (often haproxy), and "
		    "its "
		    "`stats socket` line needs `mode 660`",
		    k->address, said);
	if (k->is_path && errnum == EAGAIN)
		return err_set(
		    e, ERR_IO, "cannot connect to HAProxy's socket %s: too many others wait there", k->address);
	if (k->is_path)
		return err_set(e, ERR_IO,
		    "cannot connect to HAProxy's socket %s: %s: is it running, with `stats socket %s mode 660 level "
		    "admin` in its global section?",
		    k->address, said, k->address);
	return err_set(e, ERR_IO,
	    "cannot connect to HAProxy's socket %s: %s: is it running, with a `stats socket` there in its global "
	    "section?",
	    k->address, said);
}

static void
fail_to_connect(struct talk *t, int status)
{
	struct err e = ERR_INIT;

	(void)describe_connect_error(t->link, -status, &e); /* libuv on Unix: the negated errno */
	e.sys = -status;
	talk_fail(t, &e);
}

/* These bytes of what the batch says; on failure the talk is over. */
static enum err_code
write_part(struct talk *t, uv_write_t *req, size_t from, size_t to)
{
	/* uv_buf_t is for reading, too, and so is not const; uv_write only reads it. */
	uv_buf_t bytes = uv_buf_init((char *)t->batch->out.ptr + from, (unsigned)(to - from));
	int status = uv_write(req, &t->uv.stream, &bytes, 1, on_written);

	if (status == 0) {
		arm_idle(t);
		return ERR_OK;
	}
	fail_as_closed(t, ERR_IO, uv_strerror(status));
	return ERR_IO;
}

static void
on_connected(uv_connect_t *req, int status)
{
	struct talk *t = req->handle->data;

	if (t->link == NULL)
		return;
	if (status != 0) {
		fail_to_connect(t, status);
		return;
	}
	t->connected = true;
	if (write_part(t, &t->write, 0, t->batch->gate_at) != ERR_OK)
		return;
	status = uv_read_start(&t->uv.stream, on_alloc, on_read);
	if (status != 0)
		fail_as_closed(t, ERR_IO, uv_strerror(status));
}

static void
fail_as_late(struct talk *t, const char *what, int64_t limit_ms)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, ERR_TIMEOUT, "HAProxy's socket %s: %s within %" PRId64 " ms, after %zu of %zu replies",
	    t->link->address, what, limit_ms, n_answered(t), t->batch->n);
	talk_fail(t, &e);
}

static void
on_idle(void *arg)
{
	struct hap_link_socket *k = arg;
	struct talk *t = k->talk;

	if (t == NULL)
		return;
	if (!t->connected)
		fail_as_late(t, "no connection", k->limits.connect_timeout_ms);
	else if (uv_stream_get_write_queue_size(&t->uv.stream) != t->unwritten)
		arm_idle(t); /* it reads our commands still */
	else
		fail_as_late(t, "no answer", k->limits.idle_timeout_ms);
}

/* What the batch at hand may take: a peer that trickles earns next to nothing. */
static int64_t
allowed_ms(const struct talk *t)
{
	const struct hap_link_limits *limits = &t->link->limits;

	return limits->total_timeout_ms + (int64_t)t->batch->n * limits->command_timeout_ms +
	       (int64_t)t->in.len * limits->kib_timeout_ms / 1024;
}

static void
on_total(void *arg)
{
	struct hap_link_socket *k = arg;
	int64_t allowed, taken = clk_mono_ms(&k->clk) - k->began_ms;

	if (k->talk == NULL)
		return;
	allowed = allowed_ms(k->talk);
	if (taken < allowed)
		loop_timer_arm(k->total, allowed - taken);
	else
		fail_as_late(k->talk, "not all", allowed);
}

static int
talk_connect(struct talk *t)
{
	struct hap_link_socket *k = t->link;

	if (!k->is_path)
		return uv_tcp_connect(&t->connect, &t->uv.tcp, (const struct sockaddr *)&k->tcp, on_connected);
	uv_pipe_connect(&t->connect, &t->uv.pipe, k->address, on_connected);
	return 0;
}

static int
talk_open_handle(struct talk *t)
{
	uv_loop_t *uv = loop_uv(t->link->loop);
	int status = t->link->is_path ? uv_pipe_init(uv, &t->uv.pipe, 0) : uv_tcp_init(uv, &t->uv.tcp);

	t->uv.handle.data = t;
	return status;
}

/* A batch that could not even begin. */
static void
batch_fail(struct hap_link_socket *k, struct batch *b, enum err_code code)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, code, "HAProxy's socket %s: %s", k->address, err_text(code));
	if (k->first != NULL)
		loop_timer_arm(k->kick, 0);
	b->done(b->arg, b->replies, 0, &e);
	batch_free(b);
}

static struct batch *
take_first(struct hap_link_socket *k)
{
	struct batch *b = k->first;

	k->first = b->next;
	if (k->first == NULL)
		k->last = &k->first;
	k->n_waiting--;
	b->next = NULL;
	return b;
}

static void
on_kick(void *arg)
{
	struct hap_link_socket *k = arg;
	struct batch *b;
	struct talk *t;
	int status;

	if (k->talk != NULL || k->first == NULL)
		return;
	b = take_first(k);
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		batch_fail(k, b, ERR_NOMEM);
		return;
	}
	t->link = k;
	t->batch = b;
	t->in = buf_make(k->limits.max_replies);
	buf_expect(&t->in, k->longest);
	if (talk_open_handle(t) != 0) { /* no handle: nothing to close */
		free(t);
		batch_fail(k, b, ERR_IO);
		return;
	}
	k->talk = t;
	loop_timer_arm(k->idle, k->limits.connect_timeout_ms);
	k->began_ms = clk_mono_ms(&k->clk);
	loop_timer_arm(k->total, allowed_ms(t));
	if ((status = talk_connect(t)) != 0)
		fail_to_connect(t, status);
}

static bool
is_plain_line(struct str s)
{
	return str_trim(s).len > 0 && str_is_printable(s) && memchr(s.ptr, ';', s.len) == NULL;
}

/* One line, or "... <<" and a payload of lines that HAProxy cannot take for its end. */
static bool
is_command(struct str s)
{
	struct str rest = s, line;
	bool has_payload = str_find(s, '\n', &(size_t){ 0 });

	if (!has_payload)
		return is_plain_line(s) && !str_has_suffix(s, STR("<<"));
	if (!str_next(&rest, '\n', &line) || !is_plain_line(line) || !str_has_suffix(line, STR(" <<")))
		return false;
	while (str_next(&rest, '\n', &line)) {
		if (rest.ptr == NULL)
			return line.len == 0; /* after the last newline */
		if (str_trim(line).len == 0 || !str_is_printable(line))
			return false;
	}
	return false;
}

static enum err_code
check_commands(const struct hap_link_socket *k, const struct str *commands, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (commands[i].len > k->limits.max_command)
			return err_set(e, ERR_LIMIT, "a command of %zu bytes: HAProxy takes %zu", commands[i].len,
			    k->limits.max_command);
		if (!is_command(commands[i]))
			return err_set(e, ERR_ARG, "command %zu is not one plain line", i + 1);
	}
	return ERR_OK;
}

static enum err_code
batch_fill(struct batch *b, const struct str *commands, size_t n, struct err *e)
{
	b->replies = calloc(n > 0 ? n : 1, sizeof(*b->replies));
	b->ends = calloc(N_GREETING + n, sizeof(*b->ends));
	if (b->replies == NULL || b->ends == NULL)
		return err_set(e, ERR_NOMEM, "no memory for commands to HAProxy");
	b->n = n;
	buf_put(&b->out, STR(GREETING));
	for (size_t i = 0; i < n; i++) {
		buf_put(&b->out, commands[i]);
		buf_put_u8(&b->out, '\n'); /* of a payload: the empty line that ends it */
		if (i == 0 && b->gate != NULL)
			b->gate_at = b->out.len;
	}
	if (b->gate_at == 0)
		b->gate_at = b->out.len;
	return buf_failed(&b->out, e);
}

static enum err_code
socket_ask(struct hap_link *link, const struct str *commands, size_t n, hap_link_gate_fn *gate, hap_link_done_fn *done,
    void *arg, struct err *e)
{
	struct hap_link_socket *k = (struct hap_link_socket *)link;
	struct batch *b;
	enum err_code rc;

	if (k->n_waiting >= k->limits.max_queue)
		return err_set(e, ERR_LIMIT, "%zu batches wait for HAProxy already", k->n_waiting);
	if ((rc = check_commands(k, commands, n, e)) != ERR_OK)
		return rc;
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return err_set(e, ERR_NOMEM, "no memory for commands to HAProxy");
	b->out = buf_make(k->limits.max_commands);
	b->gate = gate;
	if ((rc = batch_fill(b, commands, n, e)) != ERR_OK) {
		batch_free(b);
		return rc;
	}
	b->done = done;
	b->arg = arg;
	*k->last = b;
	k->last = &b->next;
	k->n_waiting++;
	if (k->talk == NULL)
		loop_timer_arm(k->kick, 0);
	return ERR_OK;
}

static void
socket_free(struct hap_link_socket *k)
{
	loop_timer_close(k->kick);
	loop_timer_close(k->idle);
	loop_timer_close(k->total);
	free(k->address);
	free(k);
}

static void
socket_close(struct hap_link *link)
{
	struct hap_link_socket *k = (struct hap_link_socket *)link;

	if (k->talk != NULL)
		talk_cut_loose(k->talk);
	while (k->first != NULL)
		batch_free(take_first(k));
	socket_free(k);
}

/* "[::1]:9999", "127.0.0.1:9999", "localhost:9999": the host without brackets. */
static bool
split_host_port(struct str address, struct str *ret_host, uint64_t *ret_port)
{
	struct str port = str_after_last(address, ':');
	struct str host;

	if (port.len == address.len || !str_to_u64(port, UINT16_MAX, ret_port) || *ret_port == 0)
		return false;
	host = str_first(address, address.len - port.len - 1);
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_of(host.ptr + 1, host.len - 2);
	*ret_host = str_eq(host, STR("localhost")) ? STR("127.0.0.1") : host;
	return true;
}

bool
hap_link_tcp_address(struct str address, struct sockaddr_storage *ret)
{
	struct str host;
	uint64_t port;
	char cstr[INET6_ADDRSTRLEN];

	if (!split_host_port(address, &host, &port) || host.len >= sizeof(cstr))
		return false;
	memcpy(cstr, host.ptr, host.len);
	cstr[host.len] = '\0';
	return uv_ip4_addr(cstr, (int)port, (struct sockaddr_in *)ret) == 0 ||
	       uv_ip6_addr(cstr, (int)port, (struct sockaddr_in6 *)ret) == 0;
}

static enum err_code
set_address(struct hap_link_socket *k, struct str address, struct err *e)
{
	const struct sockaddr_un *un = NULL;

	if (address.len == 0 || !str_is_printable(address))
		return err_set(e, ERR_CONF, "HAProxy's socket: not a path or HOST:PORT");
	k->address = strndup(address.ptr, address.len);
	if (k->address == NULL)
		return err_set(e, ERR_NOMEM, "no memory for HAProxy's socket");
	k->link.address = k->address;
	k->is_path = memchr(address.ptr, '/', address.len) != NULL;
	/* libuv cuts a longer one off, and would connect to another file. */
	if (k->is_path && address.len >= sizeof(un->sun_path))
		return err_set(e, ERR_CONF, "HAProxy's socket: a path of %zu bytes: the system takes %zu", address.len,
		    sizeof(un->sun_path) - 1);
	if (!k->is_path && !hap_link_tcp_address(address, &k->tcp))
		return err_set(e, ERR_CONF,
		    "HAProxy's socket `%s`: not a path (/run/haproxy/admin.sock), 127.0.0.1:PORT or [::1]:PORT",
		    k->address);
	return ERR_OK;
}

static enum err_code
socket_open(struct hap_link_socket *k, struct str address, struct err *e)
{
	enum err_code rc = set_address(k, address, e);

	if (rc == ERR_OK)
		rc = loop_timer_new(k->loop, on_kick, k, &k->kick, e);
	if (rc == ERR_OK)
		rc = loop_timer_new(k->loop, on_idle, k, &k->idle, e);
	if (rc == ERR_OK)
		rc = loop_timer_new(k->loop, on_total, k, &k->total, e);
	return rc;
}

enum err_code
hap_link_socket_new(
    struct loop *l, struct str address, const struct hap_link_limits *limits, struct hap_link **ret, struct err *e)
{
	struct hap_link_socket *k = calloc(1, sizeof(*k));
	enum err_code rc;

	if (k == NULL)
		return err_set(e, ERR_NOMEM, "no memory for HAProxy's socket");
	k->link = (struct hap_link){ .ask = socket_ask, .close = socket_close };
	k->loop = l;
	k->clk = loop_clk(l);
	k->limits = *limits;
	k->last = &k->first;
	if ((rc = socket_open(k, address, e)) != ERR_OK) {
		socket_free(k);
		return rc;
	}
	*ret = &k->link;
	return ERR_OK;
}
