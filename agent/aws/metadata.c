/* Requests to the services beside us: see metadata.h. */
#include "config.h"

#include "aws/metadata.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"
#include "io/loop.h"

#define SENT_MAX ((size_t)32 << 10)

struct metadata_call {
	struct http *http;
	struct loop_timer *timer; /* the pause before another attempt */
	struct buf method, url, names[METADATA_HEADERS_MAX], values[METADATA_HEADERS_MAX];
	size_t n_headers;
	int64_t timeout_ms, pause_ms;
	unsigned left; /* attempts after this one */
	http_done_fn *done;
	void *arg;
	struct http_call *flight; /* null: between two attempts */
	bool abandoned;
};

static void
destroy(struct metadata_call *call)
{
	loop_timer_close(call->timer);
	buf_free(&call->method);
	buf_free(&call->url);
	for (size_t i = 0; i < METADATA_HEADERS_MAX; i++) {
		buf_free(&call->names[i]);
		buf_wipe(&call->values[i]);
	}
	free(call);
}

static bool
is_worth_another(const struct http_response *rs)
{
	return rs->code != ERR_OK ? err_is_transient(rs->code) : rs->status >= 500 || rs->status == 429;
}

static void
on_answer(void *arg, const struct http_response *rs)
{
	struct metadata_call *call = arg;

	call->flight = NULL;
	if (call->abandoned) {
		destroy(call);
		return;
	}
	if (call->left > 0 && is_worth_another(rs)) {
		call->left--;
		loop_timer_arm(call->timer, call->pause_ms);
		return;
	}
	call->done(call->arg, rs);
	destroy(call);
}

static enum err_code
attempt(struct metadata_call *call, struct err *e)
{
	struct http_header headers[METADATA_HEADERS_MAX];
	struct http_request rq = {
		.method = buf_str(&call->method),
		.url = buf_str(&call->url),
		.headers = headers,
		.n_headers = call->n_headers,
		.connect_timeout_ms = call->timeout_ms,
		.timeout_ms = call->timeout_ms,
		.max_response = METADATA_ANSWER_MAX,
		.no_proxy = true,
	};

	for (size_t i = 0; i < call->n_headers; i++)
		headers[i] = (struct http_header){ buf_str(&call->names[i]), buf_str(&call->values[i]) };
	return call->http->send(call->http, &rq, on_answer, call, &call->flight, e);
}

static void
on_timer(void *arg)
{
	struct metadata_call *call = arg;
	struct err e = ERR_INIT;
	struct http_response rs = { .err = &e, .retry_after_ms = -1 };

	rs.code = attempt(call, &e);
	if (rs.code == ERR_OK)
		return;
	call->done(call->arg, &rs);
	destroy(call);
}

static enum err_code
copy(struct metadata_call *call, const struct metadata_ask *ask, struct err *e)
{
	enum err_code code;

	call->method = buf_make(SENT_MAX);
	call->url = buf_make(SENT_MAX);
	buf_put(&call->method, ask->method);
	buf_put(&call->url, ask->url);
	code = buf_failed(&call->method, e);
	if (code == ERR_OK)
		code = buf_failed(&call->url, e);
	for (size_t i = 0; i < ask->n_headers && code == ERR_OK; i++) {
		call->names[i] = buf_make(SENT_MAX);
		call->values[i] = buf_make(SENT_MAX);
		buf_put(&call->names[i], ask->headers[i].name);
		buf_put(&call->values[i], ask->headers[i].value);
		code = buf_failed(&call->names[i], e);
		if (code == ERR_OK)
			code = buf_failed(&call->values[i], e);
	}
	call->n_headers = ask->n_headers;
	return code;
}

enum err_code
metadata_send(struct loop *l, struct http *h, const struct metadata_ask *ask, http_done_fn *done, void *arg,
    struct metadata_call **ret, struct err *e)
{
	struct metadata_call *call = calloc(1, sizeof(*call));
	enum err_code code;

	if (call == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a request");
	call->http = h;
	call->timeout_ms = ask->timeout_ms;
	call->pause_ms = ask->pause_ms;
	call->left = ask->attempts > 0 ? ask->attempts - 1 : 0;
	call->done = done;
	call->arg = arg;
	code = copy(call, ask, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_timer, call, &call->timer, e);
	if (code == ERR_OK)
		code = attempt(call, e);
	if (code != ERR_OK) {
		destroy(call);
		return code;
	}
	*ret = call;
	return ERR_OK;
}

void
metadata_cancel(struct metadata_call *call)
{
	if (call == NULL)
		return;
	if (call->flight == NULL) {
		destroy(call);
		return;
	}
	call->abandoned = true;
	call->http->cancel(call->http, call->flight);
}
