/* io/http.h by a script, on the fake loop: answers in the order of the requests, which
 * are kept. */
#ifndef FAKE_HTTP_H
#define FAKE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/http.h"

#define FAKE_HTTP_SENT_MAX 64

struct loop;

struct fake_http_answer {
	int status; /* 0: no answer, but this: */
	enum err_code code;
	const char *body;
	int64_t delay_ms;       /* 0: at once */
	int64_t retry_after_ms; /* 0 and less: not said */
};

struct fake_http_sent {
	int64_t at_ms;
	char method[8], url[160], body[2048], token[64], authorization[512];
	bool no_proxy;
	int64_t timeout_ms;
};

struct fake_http {
	struct http base;
	struct loop *loop;
	const struct fake_http_answer *script;
	size_t n_script, n_sent; /* the last answer is given again and again */
	int open;
	struct fake_http_sent sent[FAKE_HTTP_SENT_MAX];
};

void fake_http_open(struct fake_http *h, struct loop *l, const struct fake_http_answer *script, size_t n);

#endif
