/*
 * libcurl's multi interface on our loop.
 *
 * libcurl asks for readiness of its sockets and for one timer; we tell it what
 * happened.  It is never entered from inside one of its own callbacks, and no
 * `done` is called while it is at work: ended calls are first put aside, then
 * told.  What is cancelled is told from a timer, so never from inside cancel or
 * close; the object itself goes when the last call after close has been told.
 */
#include "config.h"

#include "io/http_curl.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <curl/curl.h>
#include <uv.h>

#include "io/http_transfer.h"
#include "io/loop.h"

#define ACTIVE_MAX  256  /* in flight at once, over all users; more wait for a place ... */
#define WAITING_MAX 4096 /* ... and so many of them */
#define IDLE_MAX    16L  /* connections kept open for the next call */

TAILQ_HEAD(call_list, http_call);

struct http_call {
	TAILQ_ENTRY(http_call) link; /* in `waiting`, `active` or `ended` */
	struct http_transfer transfer;
	http_done_fn *done;
	void *arg;
	bool active; /* libcurl has it */
	bool ended;
	bool cancelled;
	CURLcode result;
};

struct http_curl {
	struct http base; /* first: the interface is a pointer to it */
	uv_loop_t *uv;
	const char *ca_file;
	CURLM *multi;
	struct loop_timer *wake;  /* libcurl's */
	struct loop_timer *later; /* tells what was cancelled */
	struct call_list waiting, active, ended;
	unsigned n_waiting, n_active;
	bool closing;
};

/* One socket of libcurl's, watched. */
struct watch {
	uv_poll_t poll;
	struct http_curl *http;
	curl_socket_t fd;
	int events;
};

static void
free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

/* uv_close stops watching at once, as it must: libcurl closes the descriptor right
 * after, and its number may come back with the next connection. */
static void
close_watch(struct watch *w)
{
	(void)curl_multi_assign(w->http->multi, w->fd, NULL);
	uv_close((uv_handle_t *)&w->poll, free_watch);
}

/* Among those that are to be told. */
static void
put_aside(struct http_curl *h, struct http_call *call)
{
	if (call->active) {
		(void)curl_multi_remove_handle(h->multi, call->transfer.easy);
		TAILQ_REMOVE(&h->active, call, link);
		h->n_active--;
	} else {
		TAILQ_REMOVE(&h->waiting, call, link);
		h->n_waiting--;
	}
	call->active = false;
	call->ended = true;
	TAILQ_INSERT_TAIL(&h->ended, call, link);
}

/* From the queue to libcurl; its timeouts count from here. */
static void
start_waiting(struct http_curl *h)
{
	struct http_call *call;

	while (h->n_active < ACTIVE_MAX && (call = TAILQ_FIRST(&h->waiting)) != NULL) {
		if (curl_multi_add_handle(h->multi, call->transfer.easy) != CURLM_OK) {
			call->result = CURLE_OUT_OF_MEMORY;
			put_aside(h, call);
			loop_timer_arm(h->later, 0);
			continue;
		}
		TAILQ_REMOVE(&h->waiting, call, link);
		h->n_waiting--;
		TAILQ_INSERT_TAIL(&h->active, call, link);
		h->n_active++;
		call->active = true;
	}
}

/* Moves the calls that libcurl has ended from active to ended.  A message dies
 * when its handle is removed, so it is copied first. */
static void
collect(struct http_curl *h)
{
	const CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURL *easy = msg->easy_handle;
		CURLcode result = msg->data.result;
		struct http_call *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
		call->result = result;
		put_aside(h, call);
	}
}

static void
tell(struct http_call *call)
{
	struct err e = ERR_INIT;
	struct http_response rs;

	if (call->cancelled)
		rs = (struct http_response){ .code = err_set(&e, ERR_CANCELLED, "a request to %s was cancelled",
						 call->transfer.where),
			.err = &e,
			.retry_after_ms = -1 };
	else
		http_transfer_result(&call->transfer, call->result, &rs, &e);
	call->done(call->arg, &rs);
}

/* `done` may send, cancel or close; what it cancels is told in the same round. */
static void
deliver(struct http_curl *h)
{
	struct http_call *call;

	while ((call = TAILQ_FIRST(&h->ended)) != NULL) {
		TAILQ_REMOVE(&h->ended, call, link);
		tell(call);
		http_transfer_close(&call->transfer);
		free(call);
	}
	start_waiting(h);
}

static void
act(struct http_curl *h, curl_socket_t fd, int flags)
{
	int running;

	(void)curl_multi_socket_action(h->multi, fd, flags, &running);
	collect(h);
	deliver(h);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int flags = 0;

	/* A status below 0 is POLLERR.  No flags then, and libcurl looks for itself and
	 * finds "Connection reset by peer"; told of an error it says just that. */
	if ((events & UV_READABLE) != 0)
		flags |= CURL_CSELECT_IN;
	if ((events & UV_WRITABLE) != 0)
		flags |= CURL_CSELECT_OUT;
	act(w->http, w->fd, flags);
	/* libuv has stopped watching, and libcurl won't ask for what it believes it has.
	 * A closed watch is still there, its close callback has not run. */
	if (status < 0 && !uv_is_closing((uv_handle_t *)poll))
		(void)uv_poll_start(poll, w->events, on_poll);
}

static struct watch *
open_watch(struct http_curl *h, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (uv_poll_init_socket(h->uv, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->http = h;
	w->fd = fd;
	(void)curl_multi_assign(h->multi, fd, w);
	return w;
}

/* Always 0: a failure here would kill the whole multi handle.  A socket that we
 * can't watch costs its call no more than its timeout. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_curl *h = arg;
	struct watch *w = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			close_watch(w);
		return 0;
	}
	if (w == NULL)
		w = open_watch(h, fd);
	if (w == NULL)
		return 0;
	w->events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
	(void)uv_poll_start(&w->poll, w->events, on_poll);
	return 0;
}

/* 0 means "as soon as you are out of here": libcurl must not be entered again now. */
static int
on_timer_wanted(CURLM *multi, long in_ms, void *arg)
{
	struct http_curl *h = arg;

	(void)multi;
	if (in_ms < 0)
		loop_timer_disarm(h->wake);
	else
		loop_timer_arm(h->wake, in_ms);
	return 0;
}

static void
on_wake(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* Closes the connections that were kept, which still calls on_socket. */
static void
destroy(struct http_curl *h)
{
	(void)curl_multi_cleanup(h->multi);
	loop_timer_close(h->wake);
	loop_timer_close(h->later);
	curl_global_cleanup();
	free(h);
}

static void
on_later(void *arg)
{
	struct http_curl *h = arg;

	deliver(h);
	if (h->closing)
		destroy(h);
}

static enum err_code
http_curl_send(struct http *base, const struct http_request *rq, http_done_fn *done, void *arg, struct http_call **ret,
    struct err *e)
{
	struct http_curl *h = (struct http_curl *)base;
	struct http_call *call;
	enum err_code rc;

	if (h->closing)
		return err_set(e, ERR_CANCELLED, "the HTTP client is closing");
	if (h->n_waiting >= WAITING_MAX)
		return err_set(
		    e, ERR_LIMIT, "more than %d requests wait for one of %d places", WAITING_MAX, ACTIVE_MAX);
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a request");
	call->done = done;
	call->arg = arg;
	rc = http_transfer_open(&call->transfer, rq, h->ca_file, call, e);
	if (rc != ERR_OK) {
		free(call);
		return rc;
	}
	TAILQ_INSERT_TAIL(&h->waiting, call, link);
	h->n_waiting++;
	start_waiting(h);
	*ret = call;
	return ERR_OK;
}

static void
http_curl_cancel(struct http *base, struct http_call *call)
{
	struct http_curl *h = (struct http_curl *)base;

	call->cancelled = true;
	if (call->ended)
		return; /* about to be told anyway */
	put_aside(h, call);
	loop_timer_arm(h->later, 0); /* which also gives its place to another */
}

static void
http_curl_close(struct http *base)
{
	struct http_curl *h = (struct http_curl *)base;
	struct http_call *call;

	h->closing = true;
	while ((call = TAILQ_FIRST(&h->waiting)) != NULL || (call = TAILQ_FIRST(&h->active)) != NULL)
		http_curl_cancel(base, call);
	/* What has ended but was not told yet is no longer wanted either. */
	TAILQ_FOREACH(call, &h->ended, link)
	call->cancelled = true;
	loop_timer_arm(h->later, 0);
}

static enum err_code
set_multi(struct http_curl *h, struct err *e)
{
	CURLMcode bad = curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);

	if (bad == CURLM_OK)
		bad = curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	if (bad == CURLM_OK)
		bad = curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	if (bad == CURLM_OK)
		bad = curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	if (bad == CURLM_OK)
		bad = curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_MAX);
	if (bad != CURLM_OK)
		return err_set(e, ERR_NOMEM, "libcurl refuses an option: %s", curl_multi_strerror(bad));
	return ERR_OK;
}

static enum err_code
open_parts(struct http_curl *h, struct loop *l, struct err *e)
{
	enum err_code rc = loop_timer_new(l, on_wake, h, &h->wake, e);

	if (rc == ERR_OK)
		rc = loop_timer_new(l, on_later, h, &h->later, e);
	if (rc != ERR_OK)
		return rc;
	h->multi = curl_multi_init();
	if (h->multi == NULL)
		return err_set(e, ERR_NOMEM, "no memory for libcurl");
	return set_multi(h, e);
}

enum err_code
http_curl_new(struct loop *l, const char *ca_file, struct http **ret, struct err *e)
{
	struct http_curl *h;
	enum err_code rc;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_NOMEM, "libcurl does not start");
	h = calloc(1, sizeof(*h));
	if (h == NULL) {
		curl_global_cleanup();
		return err_set(e, ERR_NOMEM, "no memory for the HTTP client");
	}
	h->base = (struct http){ .send = http_curl_send, .cancel = http_curl_cancel, .close = http_curl_close };
	h->uv = loop_uv(l);
	h->ca_file = ca_file;
	TAILQ_INIT(&h->waiting);
	TAILQ_INIT(&h->active);
	TAILQ_INIT(&h->ended);
	rc = open_parts(h, l, e);
	if (rc != ERR_OK) {
		destroy(h); /* takes what is half built */
		return rc;
	}
	*ret = &h->base;
	return ERR_OK;
}
