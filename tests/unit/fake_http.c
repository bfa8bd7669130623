/* io/http.h by a script: see fake_http.h. */
#include "config.h"

#include "fake_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_loop.h"

struct http_call {
	struct fake_http *http;
	struct loop_timer *timer;
	const struct fake_http_answer *answer;
	bool cancelled;
	http_done_fn *done;
	void *arg;
};

static void
copy(char *ret, size_t size, struct str s)
{
	if (s.len >= size)
		abort();
	memcpy(ret, s.ptr != NULL ? s.ptr : "", s.len);
	ret[s.len] = '\0';
}

static void
record(struct fake_http *h, const struct http_request *rq)
{
	struct fake_http_sent *s = &h->sent[h->n_sent++];
	struct clk clk = loop_clk(h->loop);

	memset(s, 0, sizeof(*s));
	s->at_ms = clk_mono_ms(&clk);
	s->no_proxy = rq->no_proxy;
	s->timeout_ms = rq->timeout_ms;
	copy(s->method, sizeof(s->method), rq->method);
	copy(s->url, sizeof(s->url), rq->url);
	copy(s->body, sizeof(s->body), rq->body);
	for (size_t i = 0; i < rq->n_headers; i++) {
		if (str_eq(rq->headers[i].name, STR("x-aws-ec2-metadata-token")))
			copy(s->token, sizeof(s->token), rq->headers[i].value);
		else if (str_eq(rq->headers[i].name, STR("authorization")))
			copy(s->authorization, sizeof(s->authorization), rq->headers[i].value);
	}
}

static void
on_due(void *arg)
{
	struct http_call *call = arg;
	struct err e = ERR_INIT;
	struct http_response rs = { .err = &e, .retry_after_ms = -1 };

	call->http->open--;
	if (call->cancelled || call->answer->status == 0) {
		rs.code = call->cancelled ? ERR_CANCELLED : call->answer->code;
		err_fill(&e, rs.code, 0, "scripted %s", err_text(rs.code));
	} else {
		rs.status = call->answer->status;
		rs.body = str_from_cstr(call->answer->body);
		if (call->answer->retry_after_ms > 0)
			rs.retry_after_ms = call->answer->retry_after_ms;
	}
	call->done(call->arg, &rs);
	loop_timer_close(call->timer);
	free(call);
}

static enum err_code
fake_http_send(struct http *base, const struct http_request *rq, http_done_fn *done, void *arg, struct http_call **ret,
    struct err *e)
{
	struct fake_http *h = (struct fake_http *)base;
	struct http_call *call = calloc(1, sizeof(*call));

	(void)e;
	if (call == NULL || h->n_sent == FAKE_HTTP_SENT_MAX || h->n_script == 0)
		abort();
	*call = (struct http_call){ .http = h, .done = done, .arg = arg };
	call->answer = &h->script[h->n_sent < h->n_script ? h->n_sent : h->n_script - 1];
	record(h, rq);
	if (loop_timer_new(h->loop, on_due, call, &call->timer, NULL) != ERR_OK)
		abort();
	loop_timer_arm(call->timer, call->answer->delay_ms);
	h->open++;
	*ret = call;
	return ERR_OK;
}

static void
fake_http_cancel(struct http *base, struct http_call *call)
{
	(void)base;
	call->cancelled = true;
	loop_timer_arm(call->timer, 0);
}

void
fake_http_open(struct fake_http *h, struct loop *l, const struct fake_http_answer *script, size_t n)
{
	memset(h, 0, sizeof(*h));
	h->base = (struct http){ .send = fake_http_send, .cancel = fake_http_cancel };
	h->loop = l;
	h->script = script;
	h->n_script = n;
}
