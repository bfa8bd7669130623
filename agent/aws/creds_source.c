/*
 * Keys that are simply there: in the configuration, or in the environment.
 *
 * The key is made at the first question and kept until somebody says that it is
 * no good.  Who asks is told from a timer, so that this source keeps the contract
 * of those that have to ask a network.
 */
#include "config.h"

#include "aws/creds_source.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"
#include "io/loop.h"

struct waiting {
	creds_source_done_fn *done; /* null: cancelled */
	void *arg;
};

struct static_source {
	struct creds_source base; /* first: the interface is a pointer to it */
	const struct env *env;
	struct buf access_key_id, secret, session_token; /* what the configuration says */
	struct creds *key;
	struct loop_timer *timer;
	struct waiting waiting[CREDS_SOURCE_WAITING_MAX];
	size_t n_waiting;
	bool telling, closed;
};

static enum err_code
make_configured(const struct static_source *s, struct creds **ret, struct err *e)
{
	struct sigv4_key key = {
		.access_key_id = buf_str(&s->access_key_id),
		.secret = buf_str(&s->secret),
		.session_token = buf_str(&s->session_token),
	};
	enum err_code rc = creds_new(&key, "configuration", INT64_MAX, ret, e);

	return rc == ERR_OK ? rc : err_wrap(e, rc, "access_key_id and secret_access_key of the configuration");
}

static enum err_code
make_from_env(const struct static_source *s, struct creds **ret, struct err *e)
{
	struct sigv4_key key = {
		.access_key_id = str_from_cstr(env_get(s->env, "AWS_ACCESS_KEY_ID")),
		.secret = str_from_cstr(env_get(s->env, "AWS_SECRET_ACCESS_KEY")),
		.session_token = str_from_cstr(env_get(s->env, "AWS_SESSION_TOKEN")),
	};
	enum err_code rc;

	if (key.access_key_id.len == 0 && key.secret.len == 0)
		return err_set(e, ERR_CONF,
		    "no AWS key: the configuration has no access_key_id, the environment no "
		    "AWS_ACCESS_KEY_ID");
	if (key.access_key_id.len == 0)
		return err_set(e, ERR_CONF, "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not");
	if (key.secret.len == 0)
		return err_set(e, ERR_CONF, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
	rc = creds_new(&key, "environment", INT64_MAX, ret, e);
	return rc == ERR_OK ? rc : err_wrap(e, rc, "AWS_* of the environment");
}

static enum err_code
make_key(const struct static_source *s, struct creds **ret, struct err *e)
{
	return s->access_key_id.len > 0 || s->secret.len > 0 ? make_configured(s, ret, e) : make_from_env(s, ret, e);
}

static void
destroy(struct static_source *s)
{
	creds_unref(s->key);
	buf_wipe(&s->access_key_id);
	buf_wipe(&s->secret);
	buf_wipe(&s->session_token);
	free(s);
}

static void
tell(const struct static_source *s, const struct waiting *w, const struct err *e)
{
	if (w->done == NULL)
		return;
	if (s->key == NULL) {
		w->done(w->arg, NULL, e);
	} else {
		/* Held here: the callback may expire or close the source. */
		struct creds *key CLEANUP(creds_unref_at) = creds_ref(s->key);

		w->done(w->arg, key, NULL);
	}
}

/* Who asks again while being told waits for the next round. */
static void
on_timer(void *arg)
{
	struct static_source *s = arg;
	size_t n = s->n_waiting;

	s->telling = true;
	for (size_t i = 0; i < n && !s->closed; i++) {
		struct waiting w = s->waiting[i];
		struct err e = ERR_INIT;

		s->waiting[i].done = NULL;
		if (w.done != NULL && s->key == NULL)
			(void)make_key(s, &s->key, &e);
		tell(s, &w, &e);
	}
	s->telling = false;
	if (s->closed) {
		destroy(s);
		return;
	}
	for (size_t i = n; i < s->n_waiting; i++)
		s->waiting[i - n] = s->waiting[i];
	s->n_waiting -= n;
	if (s->n_waiting > 0)
		loop_timer_arm(s->timer, 0);
}

static enum err_code
creds_source_get(struct creds_source *base, creds_source_done_fn *done, void *arg, struct err *e)
{
	struct static_source *s = (struct static_source *)base;

	if (s->n_waiting == CREDS_SOURCE_WAITING_MAX)
		return err_set(e, ERR_LIMIT, "more than %d wait for the AWS key", CREDS_SOURCE_WAITING_MAX);
	s->waiting[s->n_waiting++] = (struct waiting){ .done = done, .arg = arg };
	loop_timer_arm(s->timer, 0);
	return ERR_OK;
}

static void
creds_source_cancel(struct creds_source *base, void *arg)
{
	struct static_source *s = (struct static_source *)base;

	for (size_t i = 0; i < s->n_waiting; i++)
		if (s->waiting[i].arg == arg)
			s->waiting[i].done = NULL;
}

static void
creds_source_expire(struct creds_source *base)
{
	struct static_source *s = (struct static_source *)base;

	creds_unref(MOVE(s->key));
}

static void
creds_source_close(struct creds_source *base)
{
	struct static_source *s = (struct static_source *)base;

	s->closed = true;
	loop_timer_close(MOVE(s->timer));
	if (!s->telling)
		destroy(s);
}

static enum err_code
copy_config(struct static_source *s, const struct creds_source_config *config, struct err *e)
{
	enum err_code rc;

	buf_put(&s->access_key_id, config->access_key_id);
	buf_put(&s->secret, config->secret_access_key);
	buf_put(&s->session_token, config->session_token);
	rc = buf_failed(&s->access_key_id, e);
	if (rc == ERR_OK)
		rc = buf_failed(&s->secret, e);
	if (rc == ERR_OK)
		rc = buf_failed(&s->session_token, e);
	return rc == ERR_OK ? rc : err_wrap(e, rc, "the AWS key of the configuration");
}

enum err_code
creds_source_new(struct loop *l, const struct creds_source_config *config, const struct env *env,
    struct creds_source **ret, struct err *e)
{
	struct static_source *s = calloc(1, sizeof(*s));
	enum err_code rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the AWS key");
	s->base = (struct creds_source){
		.get = creds_source_get,
		.cancel = creds_source_cancel,
		.expire = creds_source_expire,
		.close = creds_source_close,
	};
	s->env = env;
	s->access_key_id = buf_make(CREDS_PART_MAX);
	s->secret = buf_make(CREDS_PART_MAX);
	s->session_token = buf_make(CREDS_PART_MAX);
	rc = copy_config(s, config, e);
	if (rc == ERR_OK)
		rc = loop_timer_new(l, on_timer, s, &s->timer, e);
	if (rc != ERR_OK) {
		destroy(s);
		return rc;
	}
	*ret = &s->base;
	return ERR_OK;
}
