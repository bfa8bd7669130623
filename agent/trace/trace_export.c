/* Log lines in, spans out: see trace_export.h. */
#include "config.h"

#include "trace/trace_export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <uv.h>
#include <zlib.h>

#include "base/log.h"
#include "io/http_transfer.h"
#include "io/listener.h"

#define LINES_PER_WAKEUP   256
#define RECEIVE_BUFFER     (4 << 20) /* asked for; net.core.rmem_max is the ceiling */
#define BIND_RETRY_MS      INT64_C(5000)
#define BATCH_TEXT_MAX     (TRACE_EXPORT_BATCH_MAX * TRACE_OTLP_SPAN_MAX + TRACE_OTLP_RESOURCE_MAX + 4096)
#define RETRY_FIRST_MS     INT64_C(1000)
#define CONNECT_TIMEOUT_MS 3000
#define TIMEOUT_MS         10000
#define ANSWER_MAX         ((size_t)64 << 10)

struct trace_export {
	uv_poll_t poll; /* of the datagram socket; its close callback frees us */
	bool has_poll, is_closing;
	int fd; /* -1: not bound */
	struct loop *loop;
	struct clk clk;
	struct loop_timer *bind_timer, *send_timer;
	struct trace_export_config config;
	int64_t every_ms; /* between batches that are not full */
	struct buf url, resource, header_texts;
	struct http_header headers[TRACE_OTLP_HEADERS_MAX + 3];
	size_t n_headers;
	struct str queue[TRACE_EXPORT_QUEUE_MAX]; /* a ring of texts on the heap */
	size_t first, n_queued;
	struct buf body; /* the batch under way, compressed */
	size_t n_body;   /* spans in it; 0: none is under way */
	unsigned tries;
	struct http_call *call;
	struct trace_export_counts counts;
	uint64_t kernel_drops; /* as the kernel counted last */
	struct fault bind_fault, export_fault, line_fault;
	char line[TRACE_SPAN_LINE_MAX + 1];
};

static struct str
shown_url(const struct trace_export *x)
{
	return trace_otlp_shown_url(buf_str(&x->url));
}

/* ---- the queue ---- */

static void
push(struct trace_export *x, struct str text)
{
	char *copy = x->n_queued < TRACE_EXPORT_QUEUE_MAX ? malloc(text.len) : NULL;

	if (copy == NULL) {
		x->counts.dropped_full++;
		return;
	}
	memcpy(copy, text.ptr, text.len);
	x->queue[(x->first + x->n_queued++) % TRACE_EXPORT_QUEUE_MAX] = str_of(copy, text.len);
}

static void
drop_first(struct trace_export *x)
{
	free((void *)(uintptr_t)x->queue[x->first].ptr);
	x->first = (x->first + 1) % TRACE_EXPORT_QUEUE_MAX;
	x->n_queued--;
}

/* ---- a batch ---- */

static void send_batch(struct trace_export *x);
static void free_when_quiet(struct trace_export *x);

/* gzip, of a memory that is bounded by what goes in. */
static bool
compress_into(struct str text, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text.ptr, .avail_in = (uInt)text.len };
	unsigned char piece[4096];
	int status = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);

	if (status != Z_OK)
		return false;
	do {
		z.next_out = piece;
		z.avail_out = sizeof(piece);
		status = deflate(&z, Z_FINISH);
		buf_put(out, str_of(piece, sizeof(piece) - z.avail_out));
	} while (status == Z_OK);
	(void)deflateEnd(&z);
	return status == Z_STREAM_END && buf_failed(out, NULL) == ERR_OK;
}

static bool
take_batch(struct trace_export *x)
{
	struct buf items = buf_make(BATCH_TEXT_MAX), text = buf_make(BATCH_TEXT_MAX + TRACE_OTLP_RESOURCE_MAX);
	size_t n = 0;
	bool ok;

	while (x->n_queued > 0 && n < TRACE_EXPORT_BATCH_MAX) {
		if (n++ > 0)
			buf_put_u8(&items, ',');
		buf_put(&items, x->queue[x->first]);
		drop_first(x);
	}
	trace_otlp_put_request(buf_str(&x->resource), buf_str(&items), &text);
	buf_reset(&x->body);
	ok = buf_failed(&items, NULL) == ERR_OK && buf_failed(&text, NULL) == ERR_OK &&
	     compress_into(buf_str(&text), &x->body);
	buf_free(&items);
	buf_free(&text);
	x->n_body = ok ? n : 0;
	x->tries = 0;
	x->counts.dropped_failed += ok ? 0 : n;
	return ok;
}

static void
next_batch(struct trace_export *x)
{
	x->n_body = 0;
	if (x->n_queued >= TRACE_EXPORT_BATCH_MAX)
		send_batch(x);
	else
		loop_timer_arm(x->send_timer, x->every_ms);
}

static void
give_up(struct trace_export *x, const struct err *e)
{
	x->counts.dropped_failed += x->n_body;
	if (fault_raise(&x->export_fault, clk_mono_ms(&x->clk), e))
		log_warn("trace", "%s; %zu spans are lost (%" PRIu64 " so far)", e->msg, x->n_body,
		    x->counts.dropped_failed);
	next_batch(x);
}

static void
try_again(struct trace_export *x, int64_t asked_ms, const struct err *e)
{
	int64_t wait_ms = RETRY_FIRST_MS << (x->tries - 1);

	if (x->tries >= TRACE_EXPORT_TRIES_MAX) {
		give_up(x, e);
		return;
	}
	wait_ms += prng_next(x->config.rnd) % (uint32_t)(wait_ms / 2);
	if (asked_ms > wait_ms)
		wait_ms = asked_ms;
	if (wait_ms > TRACE_EXPORT_WAIT_MAX_MS)
		wait_ms = TRACE_EXPORT_WAIT_MAX_MS;
	x->counts.retries++;
	if (fault_raise(&x->export_fault, clk_mono_ms(&x->clk), e))
		log_warn("trace", "%s; tried again, spans wait meanwhile", e->msg);
	loop_timer_arm(x->send_timer, wait_ms);
}

/* {"partialSuccess":{"rejectedSpans":"3"}}: a number, or one as a text. */
static uint64_t
rejected_in(struct str body)
{
	json_t *doc = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *n = json_object_get(json_object_get(doc, "partialSuccess"), "rejectedSpans");
	uint64_t value = 0;

	if (json_is_integer(n) && json_integer_value(n) > 0)
		value = (uint64_t)json_integer_value(n);
	else if (json_is_string(n) &&
		 !str_to_u64(str_of(json_string_value(n), json_string_length(n)), UINT32_MAX, &value))
		value = 0;
	json_decref(doc);
	return value;
}

static void
succeed(struct trace_export *x, struct str body)
{
	uint64_t rejected = body.len > 0 ? rejected_in(body) : 0;

	if (rejected > x->n_body)
		rejected = x->n_body;
	x->counts.rejected += rejected;
	x->counts.exported += x->n_body - rejected;
	if (fault_clear(&x->export_fault))
		log_info("trace", "the collector takes spans again");
	next_batch(x);
}

/* OTLP/HTTP: these, and connections that fail, may be tried again; nothing else. */
static bool
may_retry(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void
on_answer(void *arg, const struct http_response *rs)
{
	struct trace_export *x = arg;
	struct err e = ERR_INIT;

	x->call = NULL;
	if (x->is_closing) {
		free_when_quiet(x);
		return;
	}
	if (rs->code != ERR_OK) {
		err_fill(&e, rs->code, 0, "the collector at " STR_FMT ": %s", STR_ARG(shown_url(x)), rs->err->msg);
		try_again(x, 0, &e);
		return;
	}
	if (rs->status >= 200 && rs->status < 300) {
		succeed(x, rs->body);
		return;
	}
	err_fill(&e, ERR_REMOTE, 0, "the collector at " STR_FMT " answers with status %d", STR_ARG(shown_url(x)),
	    rs->status);
	if (may_retry(rs->status))
		try_again(x, rs->retry_after_ms, &e);
	else
		give_up(x, &e);
}

static void
send_batch(struct trace_export *x)
{
	struct http_request rq = {
		.method = STR("POST"),
		.url = buf_str(&x->url),
		.headers = x->headers,
		.n_headers = x->n_headers,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.timeout_ms = TIMEOUT_MS,
		.max_response = ANSWER_MAX,
	};
	struct err e = ERR_INIT;

	if (x->call != NULL)
		return;
	if (x->n_body == 0 && !(x->n_queued > 0 && take_batch(x))) {
		loop_timer_arm(x->send_timer, x->every_ms);
		return;
	}
	rq.body = buf_str(&x->body);
	x->tries++;
	if (x->config.http->send(x->config.http, &rq, on_answer, x, &x->call, &e) != ERR_OK) {
		x->call = NULL;
		try_again(x, 0, &e);
	}
}

static void
on_send_timer(void *arg)
{
	send_batch(arg);
}

/* ---- lines ---- */

static void
take_line(struct trace_export *x, struct str line)
{
	struct buf text = buf_make(TRACE_OTLP_SPAN_MAX);
	struct trace_otlp_task task = { .arn = STR(""), .cluster = STR(""), .service = STR(""), .container = STR("") };
	struct trace_span span;
	struct err e = ERR_INIT;

	if (trace_span_read(line, &span, &e) != ERR_OK) {
		x->counts.malformed++;
		if (fault_raise(&x->line_fault, clk_mono_ms(&x->clk), &e))
			log_warn("trace", "tracing.log_listen: %s (%" PRIu64 " so far)", e.msg, x->counts.malformed);
		return;
	}
	x->counts.received++;
	if ((span.flags & 1) == 0)
		return;
	x->config.resolve(x->config.arg, trace_span_str(&span.backend), trace_span_str(&span.server), &task);
	trace_otlp_put_span(&span, &task, &text);
	if (buf_failed(&text, NULL) == ERR_OK)
		push(x, buf_str(&text));
	else
		x->counts.dropped_failed++;
	buf_free(&text);
}

/* SO_RXQ_OVFL: how many datagrams the kernel has dropped so far, a 32-bit count. */
static void
read_drops(struct trace_export *x, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		uint32_t drops;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		x->counts.lost_by_kernel += (uint32_t)(drops - (uint32_t)x->kernel_drops);
		x->kernel_drops = drops;
	}
}

static bool
receive(struct trace_export *x)
{
	char control[CMSG_SPACE(sizeof(uint32_t))];
	struct iovec io = { .iov_base = x->line, .iov_len = sizeof(x->line) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(x->fd, &m, MSG_DONTWAIT);

	if (n < 0)
		return false;
	read_drops(x, &m);
	take_line(x, str_of(x->line, (size_t)n));
	return true;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct trace_export *x = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < LINES_PER_WAKEUP && receive(x); i++)
		;
	if (x->n_body == 0 && x->n_queued >= TRACE_EXPORT_BATCH_MAX)
		send_batch(x);
}

/* ---- listening ---- */

static enum err_code
open_socket(struct trace_export *x, struct err *e)
{
	const struct listener_at at = { .address = x->config.log_listen, .key = "tracing.log_listen" };
	const int on = 1, size = RECEIVE_BUFFER;
	struct listener_address address;
	enum err_code code = listener_parse(&at, &address, e);

	if (code != ERR_OK)
		return code;
	x->fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (x->fd < 0)
		return err_sys(e, errno, "cannot make a socket");
	(void)setsockopt(x->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(x->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	if (bind(x->fd, &address.any, address.len) != 0)
		return err_sys(e, errno, "cannot listen on " STR_FMT, STR_ARG(x->config.log_listen));
	return ERR_OK;
}

static enum err_code
watch_socket(struct trace_export *x, struct err *e)
{
	if (uv_poll_init(loop_uv(x->loop), &x->poll, x->fd) != 0)
		return err_set(e, ERR_IO, "cannot watch " STR_FMT, STR_ARG(x->config.log_listen));
	x->has_poll = true;
	x->poll.data = x;
	(void)uv_poll_start(&x->poll, UV_READABLE, on_readable);
	return ERR_OK;
}

static void
on_bind_timer(void *arg)
{
	struct trace_export *x = arg;
	struct err e = ERR_INIT;
	enum err_code code = x->fd >= 0 ? ERR_OK : open_socket(x, &e); /* or inherited */

	if (code == ERR_OK)
		code = watch_socket(x, &e);
	if (code != ERR_OK) {
		if (x->fd >= 0)
			(void)close(x->fd);
		x->fd = -1;
		if (fault_raise(&x->bind_fault, clk_mono_ms(&x->clk), &e))
			log_warn("trace", "%s; tried again every %d s, there are no spans meanwhile", e.msg,
			    (int)(BIND_RETRY_MS / 1000));
		loop_timer_arm(x->bind_timer, BIND_RETRY_MS);
		return;
	}
	(void)fault_clear(&x->bind_fault);
	log_info("trace", "listening for HAProxy's log lines on " STR_FMT ", spans go to " STR_FMT,
	    STR_ARG(x->config.log_listen), STR_ARG(shown_url(x)));
}

/* ---- life ---- */

static void
add_header(void *arg, struct str name, struct str value)
{
	struct trace_export *x = arg;
	size_t at = x->header_texts.len;

	if (x->n_headers == sizeof(x->headers) / sizeof(x->headers[0]))
		return;
	/* The texts may move until all are there: lengths now, places in the end. */
	buf_put(&x->header_texts, name);
	buf_put(&x->header_texts, value);
	x->headers[x->n_headers++] = (struct http_header){
		.name = str_of((const void *)(uintptr_t)at, name.len),
		.value = str_of((const void *)(uintptr_t)(at + name.len), value.len),
	};
}

/* One that the client would refuse takes no span with it. */
static void
add_from_environment(void *arg, struct str name, struct str value)
{
	const struct http_header h = { .name = name, .value = value };
	struct err e = ERR_INIT;

	if (http_transfer_check_header(&h, &e) == ERR_OK)
		add_header(arg, name, value);
	else
		log_warn("trace", "OTEL_EXPORTER_OTLP_HEADERS: %s: left out", e.msg);
}

/* The configuration's go before those of the environment. */
static enum err_code
make_headers(struct trace_export *x, struct err *e)
{
	const char *const names[] = { "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS" };
	bool is_done = false;

	add_header(x, STR("content-type"), STR("application/json"));
	add_header(x, STR("content-encoding"), STR("gzip"));
	for (size_t i = 0; i < x->config.n_headers; i++)
		add_header(x, x->config.headers[i].name, x->config.headers[i].value);
	for (size_t i = 0; x->config.n_headers == 0 && !is_done && i < 2; i++) {
		struct str list = str_from_cstr(env_get(x->config.env, names[i]));

		is_done = list.len > 0;
		trace_otlp_each_pair(list, add_from_environment, x);
	}
	for (size_t i = 0; i < x->n_headers; i++) {
		struct http_header *h = &x->headers[i];

		h->name.ptr = (const char *)x->header_texts.ptr + (uintptr_t)h->name.ptr;
		h->value.ptr = (const char *)x->header_texts.ptr + (uintptr_t)h->value.ptr;
	}
	return buf_failed(&x->header_texts, e);
}

static enum err_code
prepare(struct trace_export *x, struct err *e)
{
	enum err_code code;

	trace_otlp_put_url(x->config.endpoint, x->config.env, &x->url);
	trace_otlp_put_resource(x->config.env, &x->resource);
	if ((code = buf_failed(&x->url, e)) != ERR_OK || (code = buf_failed(&x->resource, e)) != ERR_OK ||
	    (code = make_headers(x, e)) != ERR_OK)
		return err_wrap(e, code, "tracing");
	code = loop_timer_new(x->loop, on_bind_timer, x, &x->bind_timer, e);
	return code == ERR_OK ? loop_timer_new(x->loop, on_send_timer, x, &x->send_timer, e) : code;
}

enum err_code
trace_export_new(struct loop *l, const struct trace_export_config *config, struct trace_export **ret, struct err *e)
{
	struct trace_export *x = calloc(1, sizeof(*x));
	enum err_code code;

	if (x == NULL)
		return err_set(e, ERR_NOMEM, "no memory for tracing");
	x->fd = -1;
	x->loop = l;
	x->clk = loop_clk(l);
	x->config = *config;
	x->every_ms = trace_otlp_every_ms(config->env, TRACE_EXPORT_EVERY_MS);
	x->url = buf_make(TRACE_OTLP_URL_MAX);
	x->resource = buf_make(TRACE_OTLP_RESOURCE_MAX);
	x->header_texts = buf_make(TRACE_OTLP_RESOURCE_MAX);
	x->body = buf_make(BATCH_TEXT_MAX);
	code = prepare(x, e);
	if (code != ERR_OK) {
		trace_export_close(x);
		return code;
	}
	*ret = x;
	return ERR_OK;
}

static void
inherit_socket(struct trace_export *x, struct trace_export *before)
{
	if (before->fd < 0 || !str_eq(x->config.log_listen, before->config.log_listen))
		return;
	(void)uv_poll_stop(&before->poll); /* a descriptor has one watcher */
	x->fd = before->fd;
	x->kernel_drops = before->kernel_drops;
	before->fd = -1;
}

/* The batch under way is sent anew: its answer would come to nobody. */
static void
inherit_batch(struct trace_export *x, struct trace_export *before)
{
	buf_free(&x->body);
	x->body = before->body;
	x->n_body = before->n_body;
	before->body = buf_make(BATCH_TEXT_MAX);
	before->n_body = 0;
}

void
trace_export_inherit(struct trace_export *x, struct trace_export *before)
{
	inherit_socket(x, before);
	inherit_batch(x, before);
	memcpy(x->queue, before->queue, sizeof(x->queue));
	x->first = before->first;
	x->n_queued = before->n_queued;
	before->n_queued = 0;
	x->counts = before->counts;
}

void
trace_export_start(struct trace_export *x)
{
	on_bind_timer(x);
	loop_timer_arm(x->send_timer, x->every_ms);
}

struct trace_export_view
trace_export_view(const struct trace_export *x)
{
	return (struct trace_export_view){ .counts = &x->counts,
		.bind_fault = &x->bind_fault,
		.export_fault = &x->export_fault,
		.queued = x->n_queued + x->n_body };
}

static void
free_export(struct trace_export *x)
{
	while (x->n_queued > 0)
		drop_first(x);
	buf_free(&x->url);
	buf_free(&x->resource);
	buf_wipe(&x->header_texts);
	buf_free(&x->body);
	free(x);
}

/* Closed, and nobody calls us any more: neither libuv nor the http. */
static void
free_when_quiet(struct trace_export *x)
{
	if (!x->has_poll && x->call == NULL)
		free_export(x);
}

static void
on_poll_closed(uv_handle_t *poll)
{
	struct trace_export *x = poll->data;

	x->has_poll = false;
	free_when_quiet(x);
}

void
trace_export_close(struct trace_export *x)
{
	if (x == NULL)
		return;
	x->is_closing = true;
	loop_timer_close(x->bind_timer);
	loop_timer_close(x->send_timer);
	if (x->fd >= 0) {
		(void)uv_poll_stop(&x->poll);
		(void)close(x->fd);
	}
	if (x->call != NULL)
		x->config.http->cancel(x->config.http, x->call);
	if (x->has_poll)
		uv_close((uv_handle_t *)&x->poll, on_poll_closed);
	else
		free_when_quiet(x);
}
