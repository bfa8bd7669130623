/* One signed POST: see aws_request.h. */
#include "config.h"

#include "aws/aws_request.h"

#define AUTHORIZATION_MAX ((size_t)4096)
#define TO_SIGN_MAX       ((size_t)1024)

/* What is under the signature; all that is sent but the user agent, which proxies
 * like to rewrite. */
static size_t
list_signed(const struct aws_request_facts *facts, struct str date, struct sigv4_header ret[AWS_REQUEST_HEADERS])
{
	size_t n = 0;

	ret[n++] = (struct sigv4_header){ STR("host"), str_from_cstr(facts->to->host) };
	ret[n++] = (struct sigv4_header){ STR("content-type"), facts->content_type };
	ret[n++] = (struct sigv4_header){ STR("x-amz-date"), date };
	if (facts->target.len > 0)
		ret[n++] = (struct sigv4_header){ STR("x-amz-target"), facts->target };
	if (facts->key.session_token.len > 0)
		ret[n++] = (struct sigv4_header){ STR("x-amz-security-token"), facts->key.session_token };
	return n;
}

static enum err_code
sign(const struct aws_request_facts *facts, const struct sigv4_request *rq, struct buf *out, struct err *e)
{
	struct buf canonical = buf_make(SIGV4_TEXT_MAX), to_sign = buf_make(TO_SIGN_MAX);
	enum err_code rc = sigv4_canonical_request(rq, &canonical, e);

	if (rc == ERR_OK)
		rc = sigv4_string_to_sign(buf_str(&canonical), &facts->scope, &to_sign, e);
	if (rc == ERR_OK)
		rc = sigv4_authorization(rq, buf_str(&to_sign), &facts->key, &facts->scope, out, e);
	buf_wipe(&canonical); /* the session token stands in it */
	buf_wipe(&to_sign);
	return rc;
}

/* Host is libcurl's to send: it writes the very text that was signed. */
static void
list_sent(const struct sigv4_header signed_[], size_t n, struct aws_request *ret)
{
	ret->n_headers = 0;
	for (size_t i = 1; i < n; i++)
		ret->headers[ret->n_headers++] = (struct http_header){ signed_[i].name, signed_[i].value };
	if (ret->authorization.len > 0)
		ret->headers[ret->n_headers++] =
		    (struct http_header){ STR("authorization"), buf_str(&ret->authorization) };
	ret->headers[ret->n_headers++] = (struct http_header){ STR("user-agent"), STR("rollcall/" PACKAGE_VERSION) };
}

enum err_code
aws_request_make(const struct aws_request_facts *facts, struct aws_request *ret, struct err *e)
{
	struct sigv4_header signed_[AWS_REQUEST_HEADERS];
	struct sigv4_request rq = {
		.method = STR("POST"),
		.path = str_from_cstr(facts->to->path),
		.headers = signed_,
		.body = facts->body,
	};
	enum err_code rc = ERR_OK;

	sigv4_amz_date(facts->scope.wall_ms, ret->date);
	rq.n_headers = list_signed(facts, str_from_cstr(ret->date), signed_);
	ret->authorization = buf_make(AUTHORIZATION_MAX);
	if (facts->key.access_key_id.len > 0)
		rc = sign(facts, &rq, &ret->authorization, e);
	if (rc != ERR_OK) {
		aws_request_free(ret);
		return rc;
	}
	list_sent(signed_, rq.n_headers, ret);
	return ERR_OK;
}

void
aws_request_free(struct aws_request *r)
{
	buf_wipe(&r->authorization);
}
