/* The clusters of an account: see ecs_star.h. */
#include "config.h"

#include "ecs/ecs_star.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_backoff.h"
#include "ecs/ecs_body.h"
#include "ecs/ecs_sweep.h"
#include "io/loop.h"

#define ROOM           "ecs"
#define ARENA_MAX      ((size_t)16 << 20)
#define BACKOFF_MIN_MS INT64_C(500)

struct ecs_star {
	struct ecs_star_start start;
	struct clk clk;
	struct loop_timer *timer;
	struct aws_call *call; /* null: none is under way */
	struct arena *arena;   /* of the list that is being read */
	struct str *arns;
	size_t n;
	struct str token;
	unsigned pages, failures; /* failures in a row */
	struct roster_cluster known;
};

static void ask(struct ecs_star *s);
static void begin(void *arg);

enum err_code
ecs_star_new(const struct ecs_star_start *start, struct ecs_star **ret, struct err *e)
{
	struct ecs_star *s = calloc(1, sizeof(*s));
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "list clusters: %s", err_text(ERR_NOMEM));
	s->start = *start;
	s->clk = loop_clk(start->loop);
	s->known.source = start->source->name;
	s->known.name = STR("*");
	code = loop_timer_new(start->loop, begin, s, &s->timer, e);
	if (code != ERR_OK) {
		free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void
ecs_star_close(struct ecs_star *s)
{
	if (s == NULL)
		return;
	if (s->call != NULL)
		aws_caller_cancel(s->start.caller, s->call);
	loop_timer_close(s->timer);
	arena_free(s->arena);
	free(s);
}

void
ecs_star_poke(struct ecs_star *s)
{
	if (s->arena == NULL)
		loop_timer_arm(s->timer, 0);
}

struct roster_cluster
ecs_star_view(const struct ecs_star *s)
{
	return s->known;
}

/* ---- the end of a list ---- */

static void
end_list(struct ecs_star *s, int64_t next_ms)
{
	arena_free(MOVE(s->arena));
	loop_timer_arm(s->timer, next_ms);
}

static void
fail(struct ecs_star *s, const struct err *why, bool is_permanent, int64_t asked_wait_ms)
{
	int64_t wait = ecs_backoff_ms(s->start.source, s->failures++, BACKOFF_MIN_MS, s->start.rnd);
	bool was_permanent = s->known.fault_is_permanent;
	bool speak = fault_raise(&s->known.fault, clk_mono_ms(&s->clk), why);

	wait = wait < asked_wait_ms ? asked_wait_ms : wait;
	s->known.fault_is_permanent = is_permanent;
	if (speak)
		log_warn(ROOM,
		    "clusters of " STR_FMT ": %s; those that are known are read on, next try in %" PRId64 " s",
		    STR_ARG(s->known.source), s->known.fault.err.msg, (wait + 999) / 1000);
	end_list(s, wait);
	if (speak || was_permanent != is_permanent)
		s->start.changed(s->start.arg);
}

static int
by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

static size_t
sort_once(struct str *arns, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(arns, n, sizeof(*arns), by_text);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !str_eq(arns[kept - 1], arns[i]))
			arns[kept++] = arns[i];
	return kept;
}

static void
succeed(struct ecs_star *s)
{
	bool was_read = s->known.was_read;
	bool healed = fault_clear(&s->known.fault);

	s->n = sort_once(s->arns, s->n);
	s->failures = 0;
	s->known.fault_is_permanent = false;
	s->known.was_read = true;
	s->known.sweeps++;
	s->known.complete_wall_ms = clk_wall_ms(&s->clk);
	s->known.complete_mono_ms = clk_mono_ms(&s->clk);
	if (healed)
		log_info(ROOM, "clusters of " STR_FMT ": listed again", STR_ARG(s->known.source));
	s->start.listed(s->start.arg, s->arns, s->n);
	end_list(s, s->start.source->refresh_ms);
	if (!was_read || healed)
		s->start.changed(s->start.arg);
}

/* ---- pages ---- */

static enum err_code
keep_page(struct ecs_star *s, const struct ecs_answer_list *page, struct err *e)
{
	struct str *all = ARENA_ARRAY(s->arena, struct str, s->n + page->n);

	if (all == NULL)
		return err_set(e, ERR_NOMEM, "list clusters: out of memory, or too many");
	for (size_t i = 0; i < s->n; i++)
		all[i] = s->arns[i];
	for (size_t i = 0; i < page->n; i++)
		if (!arena_str(s->arena, page->arns[i], &all[s->n + i]))
			return err_set(e, ERR_NOMEM, "list clusters: out of memory, or too many");
	s->arns = all;
	s->n += page->n;
	if (page->next_token.len > 0 && str_eq(page->next_token, s->token))
		return err_set(e, ERR_PARSE, "ListClusters: a page after which comes the same");
	if (page->next_token.len > 0 && ++s->pages >= ECS_SWEEP_PAGES_MAX)
		return err_set(e, ERR_LIMIT, "ListClusters: more than %d pages", ECS_SWEEP_PAGES_MAX);
	return arena_str(s->arena, page->next_token, &s->token)
		   ? ERR_OK
		   : (enum err_code)err_set(e, ERR_NOMEM, "list clusters: %s", err_text(ERR_NOMEM));
}

static void
answered(void *arg, struct str body, const struct aws_error *failure)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ECS_ANSWER_ARENA_MAX);
	struct ecs_star *s = arg;
	struct ecs_answer_list page;
	struct err why = ERR_INIT;
	enum err_code code;

	s->call = NULL;
	if (failure != NULL) {
		fail(s, &failure->err, failure->class_ == AWS_ERROR_DENIED, failure->retry_after_ms);
		return;
	}
	code = a != NULL ? ecs_answer_list_clusters(a, body, &page, &why)
			 : (enum err_code)err_set(&why, ERR_NOMEM, "list clusters: %s", err_text(ERR_NOMEM));
	if (code == ERR_OK)
		code = keep_page(s, &page, &why);
	if (code != ERR_OK)
		fail(s, &why, false, 0);
	else if (s->token.len > 0)
		ask(s);
	else
		succeed(s);
}

static void
ask(struct ecs_star *s)
{
	struct buf body = buf_make(ECS_BODY_MAX);
	struct err why = ERR_INIT;
	enum err_code code;

	ecs_body_list_clusters(&body, s->token);
	code = buf_failed(&body, &why);
	if (code == ERR_OK)
		code = aws_caller_send(s->start.caller, "ListClusters", buf_str(&body), answered, s, &s->call, &why);
	buf_free(&body);
	if (code == ERR_OK)
		return;
	s->call = NULL;
	fail(s, &why, false, 0);
}

static void
begin(void *arg)
{
	struct ecs_star *s = arg;
	struct err why = ERR_INIT;

	s->arena = arena_new(ARENA_MAX);
	s->arns = NULL;
	s->n = 0;
	s->pages = 0;
	s->token = STR("");
	if (s->arena != NULL) {
		ask(s);
		return;
	}
	err_fill(&why, ERR_NOMEM, 0, "list clusters: %s", err_text(ERR_NOMEM));
	fail(s, &why, false, 0);
}
