/* The metadata service of an EC2 instance: see imds.h. */
#include "config.h"

#include "aws/imds.h"

#include <stdlib.h>
#include <string.h>

#include "aws/aws_endpoint.h"
#include "aws/metadata.h"
#include "base/buf.h"

#define TOKEN_PATH     "/latest/api/token"
#define TOKEN_TTL      "21600"
#define TOKEN_MAX      ((size_t)1024)
#define URL_MAX        ((size_t)1024)
#define NAME_MAX_BYTES 128 /* of what a listing names; a role's has at most 64 */
#define TIMEOUT_MS     INT64_C(1000)
#define TIMEOUT_MAX_S  60
#define ATTEMPTS_MAX   10
#define PAUSE_MS       INT64_C(1000)

static const char hop_limit[] =
    "(within a container the instance needs HttpPutResponseHopLimit 2, or the task its own role)";

struct imds {
	struct loop *loop;
	struct http *http;
	const char *path;
	char base[AWS_ENDPOINT_URL_MAX]; /* without a "/" at its end */
	int64_t timeout_ms;
	unsigned attempts;
	bool may_fall_back, put_was_lost;
	struct buf token, name;
	struct metadata_call *call;
	imds_done_fn *done;
	void *arg;
};

bool
imds_is_disabled(const struct env *env)
{
	return env_is_true(env, "AWS_EC2_METADATA_DISABLED");
}

static void
destroy(struct imds *m)
{
	metadata_cancel(m->call);
	buf_wipe(&m->token);
	buf_free(&m->name);
	free(m);
}

static void
end(struct imds *m, struct str body, const struct err *failure)
{
	m->done(m->arg, body, failure);
	destroy(m);
}

static void
end_failed(struct imds *m, const struct err *why)
{
	struct err e = *why;

	err_prefix(&e, "instance metadata");
	end(m, STR(""), &e);
}

static enum err_code
send(struct imds *m, const char *method, const char *path, struct str name, const struct http_header *header,
    http_done_fn *done, struct err *e)
{
	struct buf url = buf_make(URL_MAX);
	struct metadata_ask ask = {
		.method = str_from_cstr(method),
		.timeout_ms = m->timeout_ms,
		.attempts = m->attempts,
		.pause_ms = PAUSE_MS,
	};
	enum err_code code;

	buf_printf(&url, "%s%s", m->base, path);
	buf_put(&url, name);
	code = buf_failed(&url, e);
	ask.url = buf_str(&url);
	if (header != NULL)
		ask.headers[ask.n_headers++] = *header;
	if (code == ERR_OK)
		code = metadata_send(m->loop, m->http, &ask, done, m, &m->call, e);
	buf_free(&url);
	return code;
}

static void on_listing(void *arg, const struct http_response *rs);
static void on_document(void *arg, const struct http_response *rs);

static enum err_code
send_get(struct imds *m, struct str name, http_done_fn *done, struct err *e)
{
	const struct http_header token = { STR("x-aws-ec2-metadata-token"), buf_str(&m->token) };

	return send(m, "GET", m->path, name, m->token.len > 0 ? &token : NULL, done, e);
}

static void
ask_first(struct imds *m)
{
	bool lists = str_has_suffix(str_from_cstr(m->path), STR("/"));
	struct err e = ERR_INIT;

	if (send_get(m, STR(""), lists ? on_listing : on_document, &e) != ERR_OK)
		end_failed(m, &e);
}

/* ---- answers ---- */

static void
fail_get(struct imds *m, const struct http_response *rs)
{
	struct err e = ERR_INIT;

	if (rs->code != ERR_OK && m->put_was_lost)
		err_fill(&e, rs->code, 0, "%s %s", rs->err->msg, hop_limit);
	else if (rs->code != ERR_OK)
		e = *rs->err;
	else if (rs->status == 401 && m->put_was_lost)
		err_fill(
		    &e, ERR_TIMEOUT, 0, "it wants a token, and the request for one was not answered %s", hop_limit);
	else if (rs->status == 404 && strcmp(m->path, IMDS_CREDENTIALS) == 0)
		err_fill(&e, ERR_CONF, 0, "the instance has no IAM role (no instance profile)");
	else
		err_fill(&e, rs->status >= 500 || rs->status == 429 ? ERR_REMOTE : ERR_REFUSED, 0, "status %d for %s",
		    rs->status, m->path);
	end_failed(m, &e);
}

static void
on_document(void *arg, const struct http_response *rs)
{
	struct imds *m = arg;

	m->call = NULL;
	if (rs->code != ERR_OK || rs->status != 200)
		fail_get(m, rs);
	else
		end(m, rs->body, NULL);
}

/* Of a role: what may stand in its name, and so in a path, unquoted. */
static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			c == '+' || c == '=' || c == ',' || c == '.' || c == '@' || c == '-'))
			return false;
	}
	return s.len > 0 && s.len <= NAME_MAX_BYTES;
}

static void
on_listing(void *arg, const struct http_response *rs)
{
	struct imds *m = arg;
	struct str rest = rs->body, line = STR("");
	struct err e = ERR_INIT;

	m->call = NULL;
	if (rs->code != ERR_OK || rs->status != 200) {
		fail_get(m, rs);
		return;
	}
	(void)str_next(&rest, '\n', &line);
	buf_put(&m->name, str_trim(line));
	if (is_name(buf_str(&m->name)))
		e.code = send_get(m, buf_str(&m->name), on_document, &e);
	else
		err_fill(&e, ERR_PARSE, 0, "a listing that names no role");
	if (e.code != ERR_OK)
		end_failed(m, &e);
}

/* ---- the token ---- */

static bool
is_version_1(const struct http_response *rs)
{
	if (rs->code != ERR_OK)
		return err_is_transient(rs->code);
	return rs->status == 403 || rs->status == 404 || rs->status == 405;
}

static void
fail_token(struct imds *m, const struct http_response *rs)
{
	struct err e = ERR_INIT;

	if (rs->code != ERR_OK)
		err_fill(&e, rs->code, 0, "%s %s", rs->err->msg, hop_limit);
	else
		err_fill(&e, rs->status >= 500 ? ERR_REMOTE : ERR_REFUSED, 0, "status %d for a token", rs->status);
	end_failed(m, &e);
}

static void
on_token(void *arg, const struct http_response *rs)
{
	struct imds *m = arg;
	struct str token = str_trim(rs->body);

	m->call = NULL;
	if (rs->code == ERR_OK && rs->status == 200 && str_is_printable(token) && token.len <= TOKEN_MAX) {
		buf_put(&m->token, token);
		ask_first(m);
	} else if (is_version_1(rs) && m->may_fall_back) {
		m->put_was_lost = rs->code != ERR_OK;
		ask_first(m);
	} else {
		fail_token(m, rs);
	}
}

/* ---- the beginning ---- */

static int64_t
number_of(const struct env *env, const char *name, uint64_t max, int64_t usual)
{
	uint64_t n;

	return str_to_u64(env_str(env, name), max, &n) && n > 0 ? (int64_t)n : usual;
}

static enum err_code
read_env(struct imds *m, const struct env *env, struct err *e)
{
	struct str url = env_str(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct str mode = env_str(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	struct aws_endpoint at;
	enum err_code code;

	if (url.len == 0)
		url = str_eq(mode, STR("IPv6")) || str_eq(mode, STR("ipv6")) ? STR("http://[fd00:ec2::254]")
									     : STR("http://169.254.169.254");
	code = aws_endpoint_make(STR("imds"), STR("none"), url, &at, e);
	if (code != ERR_OK)
		return err_wrap(e, code, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	memcpy(m->base, at.url, strlen(at.url)); /* it ends in "/": that becomes the NUL */
	m->base[strlen(at.url) - 1] = '\0';
	m->timeout_ms = TIMEOUT_MS * number_of(env, "AWS_METADATA_SERVICE_TIMEOUT", TIMEOUT_MAX_S, 1);
	m->attempts = (unsigned)number_of(env, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", ATTEMPTS_MAX, 1);
	m->may_fall_back = !env_is_true(env, "AWS_EC2_METADATA_V1_DISABLED");
	return ERR_OK;
}

enum err_code
imds_get(struct loop *l, struct http *h, const struct env *env, const char *path, imds_done_fn *done, void *arg,
    struct imds **ret, struct err *e)
{
	static const struct http_header ttl = { { "x-aws-ec2-metadata-token-ttl-seconds", 36 },
		{ TOKEN_TTL, sizeof(TOKEN_TTL) - 1 } };
	struct imds *m = calloc(1, sizeof(*m));
	enum err_code code;

	if (m == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a request");
	m->loop = l;
	m->http = h;
	m->path = path;
	m->done = done;
	m->arg = arg;
	m->token = buf_make(TOKEN_MAX);
	m->name = buf_make(METADATA_ANSWER_MAX);
	code = read_env(m, env, e);
	if (code == ERR_OK)
		code = send(m, "PUT", TOKEN_PATH, STR(""), &ttl, on_token, e);
	if (code != ERR_OK) {
		destroy(m);
		return code;
	}
	*ret = m;
	return ERR_OK;
}

void
imds_cancel(struct imds *m)
{
	if (m != NULL)
		destroy(m);
}
