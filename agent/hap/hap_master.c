/*
 * A reload through HAProxy's master socket: see hap_master.h.
 *
 * It is a chain of exchanges, each a connection of its own: `show proc`, `reload`,
 * and on 2.6 `show proc` until its count has grown.  A struct exchange owns the
 * connection and its bytes; when it is over it is cut loose (its master is null
 * from then on), and frees itself in the close callback of its socket.
 */
#include "config.h"

#include "hap/hap_master.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <uv.h>

#include "base/buf.h"
#include "hap/hap_link.h"
#include "hap/hap_master_text.h"
#include "io/loop.h"

#define CHUNK_SIZE 4096

const struct hap_master_limits hap_master_default_limits = {
	.connect_timeout_ms = 2000,
	.reload_timeout_ms = 60000,
	.poll_ms = 20,
	.max_reply = (size_t)1 << 20,
};

enum stage { STAGE_IDLE, STAGE_BEFORE, STAGE_RELOAD, STAGE_AFTER };

struct exchange {
	struct hap_master *master; /* null once it is over */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} uv;
	uv_connect_t connect;
	uv_write_t write;
	uv_shutdown_t shutdown;
	char command[16]; /* with its newline */
	struct buf in;
	char chunk[CHUNK_SIZE];
};

struct hap_master {
	struct loop *loop;
	struct hap_master_limits limits;
	char *address;
	bool is_path;
	struct sockaddr_storage tcp;
	struct loop_timer *step, *connect, *total;
	struct exchange *exchange; /* or null */
	enum stage stage;
	struct hap_master_proc before;
	hap_master_done_fn *done;
	void *arg;
};

/* ---- the end of it ---- */

static void
on_closed(uv_handle_t *handle)
{
	struct exchange *x = handle->data;

	buf_free(&x->in);
	free(x);
}

static void
cut_loose(struct exchange *x)
{
	struct hap_master *m = x->master;

	m->exchange = NULL;
	x->master = NULL;
	loop_timer_disarm(m->connect);
	uv_close(&x->uv.handle, on_closed);
}

/* Last of all: the callback may close m, or ask again. */
static void
finish(struct hap_master *m, const struct err *e)
{
	hap_master_done_fn *done = m->done;

	if (m->exchange != NULL)
		cut_loose(m->exchange);
	loop_timer_disarm(m->step);
	loop_timer_disarm(m->total);
	m->stage = STAGE_IDLE;
	m->done = NULL;
	done(m->arg, e);
}

static void
finish_as(struct hap_master *m, enum err_code code, const char *what)
{
	struct err e = ERR_INIT;

	err_fill(&e, code, 0, "HAProxy's master socket %s: %s", m->address, what);
	finish(m, &e);
}

/* ---- the steps ---- */

static void
go_to(struct hap_master *m, enum stage stage, int64_t in_ms)
{
	m->stage = stage;
	loop_timer_arm(m->step, in_ms);
}

static void
judge_reload(struct hap_master *m, struct str reply)
{
	struct err e = ERR_INIT;

	switch (hap_master_text_reload(reply, &e)) {
	case HAP_MASTER_LOADED:
		finish(m, &e);
		return;
	case HAP_MASTER_SILENT:
		go_to(m, STAGE_AFTER, m->limits.poll_ms);
		return;
	case HAP_MASTER_FAILED:
		finish(m, &e);
		return;
	case HAP_MASTER_STRANGE:
		err_prefix(&e, "HAProxy's master socket %s", m->address);
		finish(m, &e);
		return;
	}
}

static void
judge_after(struct hap_master *m, struct str reply)
{
	struct hap_master_proc now;
	struct err e = ERR_INIT;

	if (!hap_master_text_proc(reply, &now) || now.reloads == m->before.reloads) {
		go_to(m, STAGE_AFTER, m->limits.poll_ms); /* not yet: the total time ends it */
		return;
	}
	if (now.failed > 0)
		err_fill(&e, ERR_REFUSED, 0, "HAProxy of this version tells the reason only in its log");
	finish(m, &e);
}

/* The peer has said all. */
static void
on_said(struct hap_master *m)
{
	struct exchange *x = m->exchange;
	struct buf in = x->in;

	x->in = buf_make(0);
	cut_loose(x);
	switch (m->stage) {
	case STAGE_BEFORE:
		if (hap_master_text_proc(buf_str(&in), &m->before))
			go_to(m, STAGE_RELOAD, 0);
		else
			finish_as(m, ERR_CONF, "it is not a master's: name the socket that HAProxy's -S option opens");
		break;
	case STAGE_RELOAD:
		judge_reload(m, buf_str(&in));
		break;
	case STAGE_AFTER:
		judge_after(m, buf_str(&in));
		break;
	case STAGE_IDLE:
		break;
	}
	buf_free(&in);
}

/* Between its two lives a master of 2.6 refuses connections, or drops them. */
static void
on_trouble(struct hap_master *m, int status)
{
	struct err e = ERR_INIT;

	if (m->stage == STAGE_AFTER) {
		cut_loose(m->exchange);
		go_to(m, STAGE_AFTER, m->limits.poll_ms);
		return;
	}
	err_fill(&e, ERR_IO, -status, "HAProxy's master socket %s: %s%s", m->address, uv_strerror(status),
	    m->stage == STAGE_BEFORE ? ": is HAProxy started with -W -S, and may rollcalld use that socket?" : "");
	finish(m, &e);
}

/* ---- one exchange ---- */

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct exchange *x = handle->data;

	(void)suggested;
	*ret = uv_buf_init(x->chunk, sizeof(x->chunk));
}

static void
on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *chunk)
{
	struct exchange *x = stream->data;
	struct hap_master *m = x->master;

	if (m == NULL || nread == 0)
		return;
	if (nread == UV_EOF) {
		on_said(m);
		return;
	}
	/* 2.6 executes itself: what was unread on its side makes a reset of the end. */
	if (nread < 0 && m->stage == STAGE_RELOAD && x->in.len == 0) {
		on_said(m);
		return;
	}
	if (nread < 0) {
		on_trouble(m, (int)nread);
		return;
	}
	buf_put(&x->in, str_of(chunk->base, (size_t)nread));
	if (buf_failed(&x->in, NULL) != ERR_OK)
		finish_as(m, ERR_LIMIT, "it says too much");
}

static void
on_written(uv_write_t *req, int status)
{
	(void)req;
	(void)status; /* shows on the reading side */
}

static void
on_shut(uv_shutdown_t *req, int status)
{
	(void)req;
	(void)status;
}

/* The master goes on talking until our side is shut. */
static void
on_connected(uv_connect_t *req, int status)
{
	struct exchange *x = req->handle->data;
	uv_buf_t bytes;

	if (x->master == NULL)
		return;
	loop_timer_disarm(x->master->connect);
	bytes = uv_buf_init(x->command, (unsigned)strlen(x->command));
	if (status == 0)
		status = uv_write(&x->write, &x->uv.stream, &bytes, 1, on_written);
	if (status == 0)
		status = uv_shutdown(&x->shutdown, &x->uv.stream, on_shut);
	if (status == 0)
		status = uv_read_start(&x->uv.stream, on_alloc, on_read);
	if (status != 0)
		on_trouble(x->master, status);
}

static int
open_handle(struct exchange *x)
{
	uv_loop_t *uv = loop_uv(x->master->loop);
	int status = x->master->is_path ? uv_pipe_init(uv, &x->uv.pipe, 0) : uv_tcp_init(uv, &x->uv.tcp);

	x->uv.handle.data = x;
	return status;
}

static int
connect_handle(struct exchange *x)
{
	const struct hap_master *m = x->master;

	if (!m->is_path)
		return uv_tcp_connect(&x->connect, &x->uv.tcp, (const struct sockaddr *)&m->tcp, on_connected);
	uv_pipe_connect(&x->connect, &x->uv.pipe, m->address, on_connected);
	return 0;
}

static void
begin_exchange(struct hap_master *m)
{
	struct exchange *x = calloc(1, sizeof(*x));
	int status;

	if (x != NULL)
		x->master = m;
	if (x == NULL || open_handle(x) != 0) { /* no handle: nothing to close */
		free(x);
		finish_as(m, ERR_NOMEM, "no memory for another connection");
		return;
	}
	x->in = buf_make(m->limits.max_reply);
	(void)snprintf(x->command, sizeof(x->command), "%s\n", m->stage == STAGE_RELOAD ? "reload" : "show proc");
	m->exchange = x;
	loop_timer_arm(m->connect, m->limits.connect_timeout_ms);
	if ((status = connect_handle(x)) != 0)
		on_trouble(m, status);
}

static void
on_step(void *arg)
{
	struct hap_master *m = arg;

	if (m->stage != STAGE_IDLE && m->exchange == NULL)
		begin_exchange(m);
}

static void
on_connect_late(void *arg)
{
	struct hap_master *m = arg;

	if (m->exchange != NULL)
		on_trouble(m, UV_ETIMEDOUT);
}

static void
on_total_late(void *arg)
{
	struct hap_master *m = arg;
	struct err e = ERR_INIT;

	if (m->stage == STAGE_IDLE)
		return;
	err_fill(&e, ERR_TIMEOUT, 0, "HAProxy's master socket %s: not reloaded within %" PRId64 " ms", m->address,
	    m->limits.reload_timeout_ms);
	finish(m, &e);
}

enum err_code
hap_master_reload(struct hap_master *m, hap_master_done_fn *done, void *arg, struct err *e)
{
	if (m->stage != STAGE_IDLE)
		return err_set(e, ERR_LIMIT, "a reload of HAProxy is under way already");
	m->done = done;
	m->arg = arg;
	loop_timer_arm(m->total, m->limits.reload_timeout_ms);
	go_to(m, STAGE_BEFORE, 0);
	return ERR_OK;
}

/* ---- life ---- */

static enum err_code
set_address(struct hap_master *m, struct str address, struct err *e)
{
	const struct sockaddr_un *un = NULL;

	if (address.len == 0 || !str_is_printable(address))
		return err_set(e, ERR_CONF, "HAProxy's master socket: not a path or HOST:PORT");
	m->is_path = address.ptr[0] == '/';
	if (m->is_path && address.len >= sizeof(un->sun_path))
		return err_set(e, ERR_CONF,
		    "HAProxy's master socket " STR_FMT ": a path of at most %zu bytes is needed", STR_ARG(address),
		    sizeof(un->sun_path) - 1);
	if (!m->is_path && !hap_link_tcp_address(address, &m->tcp))
		return err_set(e, ERR_CONF,
		    "HAProxy's master socket " STR_FMT ": not a path or HOST:PORT with a numeric host",
		    STR_ARG(address));
	m->address = strndup(address.ptr, address.len);
	return m->address != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "HAProxy's master socket");
}

enum err_code
hap_master_new(
    struct loop *l, struct str address, const struct hap_master_limits *limits, struct hap_master **ret, struct err *e)
{
	struct hap_master *m = calloc(1, sizeof(*m));
	enum err_code code;

	if (m == NULL)
		return err_set(e, ERR_NOMEM, "HAProxy's master socket");
	m->loop = l;
	m->limits = *limits;
	code = set_address(m, address, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_step, m, &m->step, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_connect_late, m, &m->connect, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_total_late, m, &m->total, e);
	if (code != ERR_OK) {
		hap_master_close(m);
		return code;
	}
	*ret = m;
	return ERR_OK;
}

void
hap_master_close(struct hap_master *m)
{
	if (m == NULL)
		return;
	if (m->exchange != NULL)
		cut_loose(m->exchange);
	loop_timer_close(m->step);
	loop_timer_close(m->connect);
	loop_timer_close(m->total);
	free(m->address);
	free(m);
}
