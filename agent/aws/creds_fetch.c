/*
 * Carries out a recipe: see creds_fetch.h.
 *
 * One thing is on its way at a time: a key that is already there and told from a timer,
 * a request to the container endpoint or to IMDS, or a call of STS.
 */
#include "config.h"

#include "aws/creds_fetch.h"

#include <stdlib.h>

#include "aws/aws_caller.h"
#include "aws/aws_query.h"
#include "aws/creds_answer.h"
#include "aws/creds_container.h"
#include "aws/creds_files.h"
#include "aws/imds.h"
#include "aws/metadata.h"
#include "base/log.h"
#include "io/loop.h"

#define CONTAINER_TIMEOUT_MS INT64_C(2000)
#define CONTAINER_ATTEMPTS   3
#define CONTAINER_PAUSE_MS   INT64_C(1000)
#define STS_CONNECT_MS       INT64_C(3000)
#define STS_TIMEOUT_MS       INT64_C(10000)
#define STS_RATE_MILLI       10000
#define STS_BODY_MAX         ((size_t)64 << 10)
#define TOKEN_FILE_MAX       ((size_t)20000) /* WebIdentityToken in STS's model */
#define TOKEN_FILE_MIN       4
#define EXTENSION_MS         INT64_C(900000) /* of a key that IMDS gives after its end ... */
#define EXTENSION_JITTER_MS  INT64_C(480000) /* ... and 2 to 10 minutes more */
#define EXTENSION_LEAST_MS   INT64_C(120000)

/* A source of keys for the calls of STS: it has the one key. */
struct held {
	struct creds_source base; /* first: the interface is a pointer to it */
	struct loop_timer *timer;
	struct creds *key;
	creds_source_done_fn *done; /* null: nobody asks */
	void *arg;
};

struct creds_fetch {
	const struct creds_fetch_world *world;
	const struct creds_fetch_place *at;
	const struct creds_recipe *recipe;
	creds_fetch_done_fn *done;
	void *arg;

	struct loop_timer *timer; /* for what needs no answer */
	struct creds *key;        /* so far */
	size_t n_assumed;
	struct metadata_call *container;
	struct imds *instance;
	struct bucket bucket;
	struct held held;
	struct aws_caller *sts;
};

static void run_next(struct creds_fetch *f);

/* ---- the end ---- */

static void
close_sts(struct creds_fetch *f)
{
	aws_caller_close(MOVE(f->sts));
	loop_timer_close(MOVE(f->held.timer));
	creds_unref(MOVE(f->held.key));
	f->held.done = NULL;
}

static void
destroy(struct creds_fetch *f)
{
	close_sts(f);
	metadata_cancel(f->container);
	imds_cancel(f->instance);
	loop_timer_close(f->timer);
	creds_unref(f->key);
	free(f);
}

static void
end_failed(struct creds_fetch *f, const struct err *e)
{
	f->done(f->arg, NULL, e);
	destroy(f);
}

static void
on_timer(void *arg)
{
	struct creds_fetch *f = arg;

	f->done(f->arg, f->key, NULL);
	destroy(f);
}

static void
take_key(struct creds_fetch *f, struct creds *key)
{
	creds_unref(f->key);
	f->key = key;
	run_next(f);
}

/* ---- roles: sts:AssumeRole ---- */

static enum err_code
held_get(struct creds_source *base, creds_source_done_fn *done, void *arg, struct err *e)
{
	struct held *h = (struct held *)base;

	(void)e;
	h->done = done;
	h->arg = arg;
	loop_timer_arm(h->timer, 0);
	return ERR_OK;
}

static void
held_cancel(struct creds_source *base, void *arg)
{
	(void)arg;
	((struct held *)base)->done = NULL;
}

static void
held_expire(struct creds_source *base)
{
	(void)base; /* there is no other */
}

static struct creds_source_view
held_view(const struct creds_source *base)
{
	const struct held *h = (const struct held *)base;

	return (struct creds_source_view){
		.name = creds_source_name(h->key),
		.expires_wall_ms = creds_expires_ms(h->key),
	};
}

static void
on_held_timer(void *arg)
{
	struct held *h = arg;
	creds_source_done_fn *done = h->done;

	h->done = NULL;
	if (done != NULL)
		done(h->arg, h->key, NULL);
}

/* STS's role names in messages: an ARN is too long. */
static struct str
role_name(struct str arn)
{
	return str_first(str_after_last(arn, '/'), 64);
}

static void
on_sts(struct creds_fetch *f, const struct creds_recipe_role *role, const char *name, struct str body,
    const struct aws_error *failure)
{
	struct creds *key = NULL;
	struct err e = ERR_INIT;

	if (failure != NULL)
		e = failure->err;
	else
		e.code = creds_answer_read_sts(body, name, &key, &e);
	close_sts(f);
	if (e.code == ERR_OK) {
		take_key(f, key);
		return;
	}
	err_prefix(&e, "role " STR_FMT, STR_ARG(role_name(role->arn)));
	end_failed(f, &e);
}

static void
on_assumed(void *arg, struct str body, const struct aws_error *failure)
{
	struct creds_fetch *f = arg;

	f->n_assumed++;
	on_sts(f, &f->recipe->roles[f->n_assumed - 1], f->recipe->name, body, failure);
}

static void
on_web_identity(void *arg, struct str body, const struct aws_error *failure)
{
	struct creds_fetch *f = arg;

	on_sts(f, &f->recipe->web_identity, f->recipe->name, body, failure);
}

static void
put_role(struct buf *body, const struct creds_recipe_role *role)
{
	aws_query_put(body, "RoleArn", role->arn);
	aws_query_put(body, "RoleSessionName", role->session_name);
	if (role->external_id.len > 0)
		aws_query_put(body, "ExternalId", role->external_id);
	if (role->duration_s > 0)
		buf_printf(body, "&DurationSeconds=%u", role->duration_s);
}

static enum err_code
open_sts(struct creds_fetch *f, struct err *e)
{
	const struct creds_fetch_world *w = f->world;
	struct clk clk = loop_clk(w->loop);
	const char *from;
	const struct aws_caller_service to = {
		.of = &aws_service_sts,
		.at = aws_endpoint_choose(&aws_service_sts, f->at->region, f->at->endpoint, w->env, &from),
		.connect_timeout_ms = STS_CONNECT_MS,
		.timeout_ms = STS_TIMEOUT_MS,
		.max_in_flight = 1,
		.max_response = CREDS_ANSWER_MAX,
	};
	enum err_code code = ERR_OK;

	f->bucket = bucket_make(STS_RATE_MILLI, clk_mono_ms(&clk));
	f->held.base =
	    (struct creds_source){ .get = held_get, .cancel = held_cancel, .expire = held_expire, .view = held_view };
	if (f->key != NULL) {
		f->held.key = creds_ref(f->key);
		code = loop_timer_new(w->loop, on_held_timer, &f->held, &f->held.timer, e);
	}
	if (code == ERR_OK)
		code = aws_caller_new(
		    w->loop, w->http, f->key != NULL ? &f->held.base : NULL, &f->bucket, w->rnd, &to, &f->sts, e);
	return code == ERR_OK ? code : err_wrap(e, code, "STS, by %s", from);
}

static enum err_code
call_sts(struct creds_fetch *f, const char *action, struct buf *body, aws_caller_done_fn *done, struct err *e)
{
	struct aws_call *call;
	enum err_code code = buf_failed(body, e);

	if (code == ERR_OK)
		code = open_sts(f, e);
	if (code == ERR_OK)
		code = aws_caller_send(f->sts, action, buf_str(body), done, f, &call, e);
	if (code != ERR_OK)
		close_sts(f);
	return code;
}

static enum err_code
assume_next(struct creds_fetch *f, struct err *e)
{
	static const char action[] = "AssumeRole";
	const struct creds_recipe_role *role = &f->recipe->roles[f->n_assumed];
	struct buf body = buf_make(STS_BODY_MAX);
	enum err_code code;

	aws_query_begin(&body, &aws_service_sts, action);
	put_role(&body, role);
	code = call_sts(f, action, &body, on_assumed, e);
	buf_free(&body);
	return code == ERR_OK ? code : err_wrap(e, code, "role " STR_FMT, STR_ARG(role_name(role->arn)));
}

/* The rest of the way, from a key that is there. */
static void
run_next(struct creds_fetch *f)
{
	struct err e = ERR_INIT;

	if (f->n_assumed == f->recipe->n_roles)
		loop_timer_arm(f->timer, 0);
	else if (assume_next(f, &e) != ERR_OK)
		end_failed(f, &e);
}

/* ---- web identity ---- */

static enum err_code
read_token(const struct creds_fetch *f, struct buf *token, struct str *ret, struct err *e)
{
	enum err_code code = creds_files_read(f->world->env, f->recipe->token_file, token, e);

	if (code != ERR_OK)
		return err_wrap(e, code, "the web identity token");
	*ret = str_trim(buf_str(token));
	if (ret->len < TOKEN_FILE_MIN || !str_is_printable(*ret))
		return err_set(e, ERR_CONF, "the file of the web identity token holds no token");
	return ERR_OK;
}

static enum err_code
ask_web_identity(struct creds_fetch *f, struct err *e)
{
	static const char action[] = "AssumeRoleWithWebIdentity";
	struct buf file = buf_make(TOKEN_FILE_MAX), body = buf_make(STS_BODY_MAX);
	struct str token = STR("");
	enum err_code code = read_token(f, &file, &token, e);

	aws_query_begin(&body, &aws_service_sts, action);
	put_role(&body, &f->recipe->web_identity);
	aws_query_put(&body, "WebIdentityToken", token);
	if (code == ERR_OK)
		code = call_sts(f, action, &body, on_web_identity, e);
	buf_wipe(&file);
	buf_wipe(&body);
	return code;
}

/* ---- the container endpoint ---- */

static void
on_container(void *arg, const struct http_response *rs)
{
	struct creds_fetch *f = arg;
	struct creds *key = NULL;
	struct err e = ERR_INIT;

	f->container = NULL;
	if (rs->code != ERR_OK)
		e = *rs->err;
	else if (rs->status != 200)
		err_fill(
		    &e, rs->status >= 500 || rs->status == 429 ? ERR_REMOTE : ERR_REFUSED, 0, "status %d", rs->status);
	else
		e.code = creds_answer_read_json(rs->body, f->recipe->base_name, &key, &e);
	if (e.code == ERR_OK) {
		take_key(f, key);
		return;
	}
	err_prefix(&e, "container credentials");
	end_failed(f, &e);
}

/* The file is preferred, and read each time: EKS rotates it. */
static enum err_code
read_authorization(const struct creds_fetch *f, struct buf *out, struct err *e)
{
	struct str file = env_str(f->world->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), value;
	enum err_code code = ERR_OK;

	if (file.len > 0)
		code = creds_files_read(f->world->env, file, out, e);
	else
		buf_put(out, env_str(f->world->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
	if (code != ERR_OK)
		return err_wrap(e, code, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	value = str_trim(buf_str(out));
	if (!str_is_printable(value))
		return err_set(
		    e, ERR_CONF, "the container authorization token holds a line end or another control byte");
	return buf_failed(out, e);
}

static enum err_code
ask_container(struct creds_fetch *f, struct err *e)
{
	struct buf url = buf_make(CREDS_CONTAINER_URL_MAX), token = buf_make(TOKEN_FILE_MAX);
	struct metadata_ask ask = {
		.method = STR("GET"),
		.timeout_ms = CONTAINER_TIMEOUT_MS,
		.attempts = CONTAINER_ATTEMPTS,
		.pause_ms = CONTAINER_PAUSE_MS,
	};
	enum err_code code = creds_container_url(f->world->env, &url, e);

	if (code == ERR_OK)
		code = read_authorization(f, &token, e);
	ask.url = buf_str(&url);
	if (token.len > 0)
		ask.headers[ask.n_headers++] = (struct http_header){ STR("authorization"), str_trim(buf_str(&token)) };
	if (code == ERR_OK)
		code = metadata_send(f->world->loop, f->world->http, &ask, on_container, f, &f->container, e);
	buf_free(&url);
	buf_wipe(&token);
	return code;
}

/* ---- the instance ---- */

/* When AWS's side has trouble, IMDS goes on giving out a key whose end is over: then
 * services take it, too (facts/ecs.md, section 3). */
static struct creds *
extended(struct creds_fetch *f, struct creds *key)
{
	struct clk clk = loop_clk(f->world->loop);
	struct sigv4_key parts = creds_key(key);
	struct creds *longer = NULL;
	int64_t more = EXTENSION_MS + EXTENSION_LEAST_MS +
		       (int64_t)(((uint64_t)prng_next(f->world->rnd) * (uint64_t)EXTENSION_JITTER_MS) >> 32);

	if (creds_expires_ms(key) > clk_wall_ms(&clk))
		return key;
	if (creds_new(&parts, creds_source_name(key), clk_wall_ms(&clk) + more, &longer, NULL) != ERR_OK)
		return key;
	log_warn("aws", "the instance metadata service gives a key whose end is over; it is used on, as AWS wants it");
	creds_unref(key);
	return longer;
}

static void
on_instance(void *arg, struct str body, const struct err *failure)
{
	struct creds_fetch *f = arg;
	struct creds *key = NULL;
	struct err e = ERR_INIT;

	f->instance = NULL;
	if (failure != NULL) {
		end_failed(f, failure);
	} else if (creds_answer_read_json(body, f->recipe->base_name, &key, &e) == ERR_OK) {
		take_key(f, extended(f, key));
	} else {
		err_prefix(&e, "instance metadata");
		end_failed(f, &e);
	}
}

/* ---- the beginning ---- */

static enum err_code
ask_base(struct creds_fetch *f, struct err *e)
{
	const struct creds_recipe *r = f->recipe;
	enum err_code code;

	switch (r->kind) {
	case CREDS_RECIPE_KEY:
		code = creds_new(&r->key, r->n_roles > 0 ? r->base_name : r->name, INT64_MAX, &f->key, e);
		if (code != ERR_OK)
			return err_wrap(e, code, "%s", r->base_name);
		if (r->n_roles > 0)
			return assume_next(f, e);
		loop_timer_arm(f->timer, 0);
		return ERR_OK;
	case CREDS_RECIPE_WEB_IDENTITY:
		return ask_web_identity(f, e);
	case CREDS_RECIPE_CONTAINER:
		return ask_container(f, e);
	case CREDS_RECIPE_INSTANCE:
		return imds_get(
		    f->world->loop, f->world->http, f->world->env, IMDS_CREDENTIALS, on_instance, f, &f->instance, e);
	}
	return err_set(e, ERR_ARG, "a recipe without a kind");
}

enum err_code
creds_fetch_start(const struct creds_fetch_world *world, const struct creds_fetch_place *at,
    const struct creds_recipe *recipe, creds_fetch_done_fn *done, void *arg, struct creds_fetch **ret, struct err *e)
{
	struct creds_fetch *f = calloc(1, sizeof(*f));
	enum err_code code;

	if (f == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the AWS key");
	f->world = world;
	f->at = at;
	f->recipe = recipe;
	f->done = done;
	f->arg = arg;
	code = loop_timer_new(world->loop, on_timer, f, &f->timer, e);
	if (code == ERR_OK)
		code = ask_base(f, e);
	if (code != ERR_OK) {
		destroy(f);
		return code;
	}
	*ret = f;
	return ERR_OK;
}

void
creds_fetch_cancel(struct creds_fetch *f)
{
	if (f != NULL)
		destroy(f);
}
