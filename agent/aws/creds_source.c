/*
 * The key of one source of the configuration: kept, renewed ahead of its end, and given
 * to whoever asks (creds_source.h).
 *
 * Whoever asks is told from a timer, so that this keeps its contract whether or not
 * something has to be asked of a network first.  At most one fetch is on its way.
 */
#include "config.h"

#include "aws/creds_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/creds_fetch.h"
#include "aws/creds_files.h"
#include "aws/creds_recipe.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "io/loop.h"

#define ROOM           "aws"
#define NAME_MAX_BYTES ((size_t)8192)

struct waiting {
	creds_source_done_fn *done; /* null: cancelled */
	void *arg;
};

struct chain {
	struct creds_source base; /* first: the interface is a pointer to it */
	const struct creds_fetch_world *world;
	struct str called;
	const struct creds_recipe_config *config;
	const struct creds_fetch_place *at;
	struct clk clk;
	struct loop_timer *timer;

	struct creds *key;
	bool is_stale;          /* AWS does not take it */
	bool was_alive;         /* by our clock, when it came */
	int64_t renew_wall_ms;  /* from then on it is renewed ... */
	int64_t urgent_wall_ms; /* ... and from then on waited for */

	struct arena *arena; /* the recipe that is carried out; null: none */
	struct creds_recipe recipe;
	struct creds_fetch *fetch;
	bool is_awaited; /* files have changed: whoever asks wants what they say now */
	bool has_news;   /* a try has ended, and who waits has not been told yet */
	bool was_tried;
	int64_t tried_ms; /* monotonic: the last try's beginning, then its end */
	bool was_stale;
	int64_t stale_ms; /* monotonic: the last try because AWS refused the key */
	struct err why;   /* the last try failed, if it did */
	struct creds_files_stamp stamp;
	struct fault renewal;
	struct buf name; /* with a NUL; empty: not known yet */

	struct waiting waiting[CREDS_SOURCE_WAITING_MAX];
	size_t n_waiting;
	bool telling, closed;
};

/* ---- ending ---- */

static void
drop_recipe(struct chain *s)
{
	arena_wipe(s->arena);
	s->arena = NULL;
	s->recipe = (struct creds_recipe){ .kind = CREDS_RECIPE_KEY };
}

static void
destroy(struct chain *s)
{
	creds_unref(s->key);
	drop_recipe(s);
	buf_free(&s->name);
	free(s);
}

/* ---- what is known of the key ---- */

static bool
is_over(const struct chain *s)
{
	return s->was_alive && clk_wall_ms(&s->clk) >= creds_expires_ms(s->key);
}

/* Is it better than nothing? */
static bool
is_usable(const struct chain *s)
{
	return s->key != NULL && !s->is_stale && !is_over(s);
}

/* Jitter: many daemons that got their keys together do not come back together. */
static void
plan_renewal(struct chain *s)
{
	int64_t now = clk_wall_ms(&s->clk), end = creds_expires_ms(s->key), life = end - now;
	int64_t advisory = CREDS_SOURCE_ADVISORY_MS, mandatory = CREDS_SOURCE_MANDATORY_MS;

	s->was_alive = end > now;
	s->renew_wall_ms = end;
	s->urgent_wall_ms = end;
	if (end == INT64_MAX || life <= 0)
		return;
	advisory = advisory > life / 2 ? life / 2 : advisory;
	mandatory = mandatory > life / 4 ? life / 4 : mandatory;
	s->renew_wall_ms =
	    end - advisory + (int64_t)(((uint64_t)prng_next(s->world->rnd) * (uint64_t)(advisory / 5 + 1)) >> 32);
	s->urgent_wall_ms = end - mandatory;
}

static bool
has_passed(const struct chain *s, int64_t since_ms, int64_t pause_ms)
{
	return clk_mono_ms(&s->clk) - since_ms >= pause_ms;
}

static bool
has_new_files(const struct chain *s)
{
	struct creds_files_stamp now = creds_files_stamp(s->world->env);

	return !creds_files_is_same(&now, &s->stamp);
}

static bool
wants_fetch(const struct chain *s)
{
	if (s->fetch != NULL)
		return false;
	if (!s->was_tried)
		return true;
	if (s->key != NULL && s->is_stale && (!s->was_stale || has_passed(s, s->stale_ms, CREDS_SOURCE_STALE_MS)))
		return true;
	if (s->key == NULL || is_over(s))
		return has_passed(s, s->tried_ms, CREDS_SOURCE_URGENT_MS);
	if (!has_passed(s, s->tried_ms, CREDS_SOURCE_FLOOR_MS))
		return false;
	return clk_wall_ms(&s->clk) >= s->renew_wall_ms || has_new_files(s);
}

static bool
must_wait(const struct chain *s)
{
	if (s->fetch == NULL)
		return false;
	return s->is_awaited || !is_usable(s) || clk_wall_ms(&s->clk) >= s->urgent_wall_ms;
}

/* ---- what is said ---- */

static const char *
shown_name(const struct chain *s)
{
	return s->name.len > 0 ? (const char *)s->name.ptr : "the credentials";
}

static void
say_end(int64_t expires_ms, char *ret, size_t size)
{
	char time[RFC3339_SIZE];

	rfc3339_put(expires_ms, time);
	(void)snprintf(ret, size, expires_ms == INT64_MAX ? "without an end" : "until %s", time);
}

static void
tell_success(struct chain *s, bool was_none)
{
	char end[64];

	say_end(creds_expires_ms(s->key), end, sizeof(end));
	if (fault_clear(&s->renewal) || was_none)
		log_info(
		    ROOM, "source `" STR_FMT "`: the AWS key is from %s, %s", STR_ARG(s->called), shown_name(s), end);
	else
		log_debug(ROOM, "source `" STR_FMT "`: the AWS key is renewed from %s, %s", STR_ARG(s->called),
		    shown_name(s), end);
}

static void
tell_failure(struct chain *s)
{
	char end[64] = "";

	if (!fault_raise(&s->renewal, clk_mono_ms(&s->clk), &s->why))
		return;
	if (is_usable(s)) {
		say_end(creds_expires_ms(s->key), end, sizeof(end));
		log_warn(ROOM, "source `" STR_FMT "`: %s; the AWS key that is there is used on, %s", STR_ARG(s->called),
		    s->why.msg, end);
	} else {
		log_warn(ROOM,
		    "source `" STR_FMT "`: %s; without an AWS key nothing can be asked, HAProxy's servers stay",
		    STR_ARG(s->called), s->why.msg);
	}
}

/* ---- fetching ---- */

static void
keep_name(struct chain *s, const char *name)
{
	buf_reset(&s->name);
	buf_put(&s->name, str_of(name, strlen(name) + 1));
	if (buf_failed(&s->name, NULL) != ERR_OK)
		buf_reset(&s->name);
}

static void
take_failure(struct chain *s, const struct err *e)
{
	s->why = *e;
	if (!is_usable(s))
		creds_unref(MOVE(s->key));
	tell_failure(s);
}

static void
on_fetched(void *arg, struct creds *key, const struct err *e)
{
	struct chain *s = arg;
	bool was_none = s->key == NULL;

	s->fetch = NULL;
	s->has_news = true;
	s->tried_ms = clk_mono_ms(&s->clk);
	if (key == NULL) {
		take_failure(s, e);
	} else {
		creds_ref(key);
		creds_unref(s->key);
		s->key = key;
		s->is_stale = false;
		plan_renewal(s);
		tell_success(s, was_none);
	}
	drop_recipe(s);
	loop_timer_arm(s->timer, 0);
}

static enum err_code
make_recipe(struct chain *s, struct err *e)
{
	struct aws_profiles *profiles;
	enum err_code code;

	s->arena = arena_new(AWS_PROFILES_ARENA_MAX);
	if (s->arena == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the AWS key");
	code = aws_profiles_new(s->arena, &profiles, e);
	if (code == ERR_OK && creds_recipe_needs_profiles(s->config, s->world->env))
		code = creds_files_profiles(s->world->env, profiles, e);
	if (code == ERR_OK)
		code = creds_recipe_make(s->arena, s->config, s->world->env, profiles, &s->recipe, e);
	return code;
}

static void
begin_fetch(struct chain *s)
{
	struct err e = ERR_INIT;
	enum err_code code;

	if (s->is_stale) {
		s->was_stale = true;
		s->stale_ms = clk_mono_ms(&s->clk);
	}
	s->was_tried = true;
	s->tried_ms = clk_mono_ms(&s->clk);
	s->is_awaited = has_new_files(s);
	s->stamp = creds_files_stamp(s->world->env); /* before they are read */
	code = make_recipe(s, &e);
	if (code == ERR_OK) {
		keep_name(s, s->recipe.name);
		code = creds_fetch_start(s->world, s->at, &s->recipe, on_fetched, s, &s->fetch, &e);
	}
	if (code == ERR_OK)
		return;
	take_failure(s, &e);
	drop_recipe(s);
}

/* ---- telling ---- */

static void
tell(const struct chain *s, const struct waiting *w)
{
	if (w->done == NULL)
		return;
	if (s->key == NULL) {
		struct err e = s->why;

		w->done(w->arg, NULL, &e);
	} else {
		/* Held here: the callback may expire or close the source. */
		struct creds *key CLEANUP(creds_unref_at) = creds_ref(s->key);

		w->done(w->arg, key, NULL);
	}
}

/* Who asks again while being told waits for the next round. */
static void
tell_all(struct chain *s)
{
	size_t n = s->n_waiting;

	s->telling = true;
	for (size_t i = 0; i < n && !s->closed; i++) {
		struct waiting w = s->waiting[i];

		s->waiting[i].done = NULL;
		tell(s, &w);
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

static void
on_timer(void *arg)
{
	struct chain *s = arg;

	if (s->n_waiting > 0 && !s->has_news && wants_fetch(s))
		begin_fetch(s);
	s->has_news = false;
	if (!must_wait(s))
		tell_all(s);
}

/* ---- the interface ---- */

static enum err_code
creds_source_get(struct creds_source *base, creds_source_done_fn *done, void *arg, struct err *e)
{
	struct chain *s = (struct chain *)base;

	if (s->n_waiting == CREDS_SOURCE_WAITING_MAX)
		return err_set(e, ERR_LIMIT, "more than %d wait for the AWS key", CREDS_SOURCE_WAITING_MAX);
	s->waiting[s->n_waiting++] = (struct waiting){ .done = done, .arg = arg };
	loop_timer_arm(s->timer, 0);
	return ERR_OK;
}

static void
creds_source_cancel(struct creds_source *base, void *arg)
{
	struct chain *s = (struct chain *)base;

	for (size_t i = 0; i < s->n_waiting; i++)
		if (s->waiting[i].arg == arg)
			s->waiting[i].done = NULL;
}

static void
creds_source_expire(struct creds_source *base)
{
	struct chain *s = (struct chain *)base;

	s->is_stale = s->key != NULL;
}

static struct creds_source_view
creds_source_view(const struct creds_source *base)
{
	const struct chain *s = (const struct chain *)base;

	return (struct creds_source_view){
		.name = s->name.len > 0 ? (const char *)s->name.ptr : NULL,
		.expires_wall_ms = s->key != NULL ? creds_expires_ms(s->key) : 0,
		.renewal = &s->renewal,
	};
}

static void
creds_source_close(struct creds_source *base)
{
	struct chain *s = (struct chain *)base;

	s->closed = true;
	creds_fetch_cancel(MOVE(s->fetch));
	loop_timer_close(MOVE(s->timer));
	if (!s->telling)
		destroy(s);
}

enum err_code
creds_source_new(const struct creds_fetch_world *world, struct str called, const struct creds_recipe_config *config,
    const struct creds_fetch_place *at, struct creds_source **ret, struct err *e)
{
	struct chain *s = calloc(1, sizeof(*s));
	enum err_code rc;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the AWS key");
	s->base = (struct creds_source){
		.get = creds_source_get,
		.cancel = creds_source_cancel,
		.expire = creds_source_expire,
		.view = creds_source_view,
		.close = creds_source_close,
	};
	s->world = world;
	s->called = called;
	s->config = config;
	s->at = at;
	s->clk = loop_clk(world->loop);
	s->name = buf_make(NAME_MAX_BYTES);
	rc = loop_timer_new(world->loop, on_timer, s, &s->timer, e);
	if (rc != ERR_OK) {
		destroy(s);
		return rc;
	}
	*ret = &s->base;
	return ERR_OK;
}
