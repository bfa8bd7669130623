/* How old services are: see ecs_ages.h. */
#include "config.h"

#include "ecs/ecs_ages.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_backoff.h"
#include "ecs/ecs_body.h"
#include "io/loop.h"

#define ROOM           "ecs"
#define ARENA_MAX      ((size_t)1 << 20) /* ROSTER_SERVICES_MAX names are a third of it, and as many recalled */
#define LASTING_TIMES  3                 /* so often in a row, and it is believed: rights take their time to arrive */
#define BACKOFF_MIN_MS INT64_C(500)

struct age {
	struct roster_service service;
	bool is_contesting;
	bool is_recalled; /* an earlier run was told */
	bool is_told;     /* so it is shown */
	bool is_asked;    /* by the call under way */
	int64_t due_ms;   /* when to ask, monotonic */
};

struct ecs_ages {
	struct ecs_ages_start start;
	struct clk clk;
	struct loop_timer *timer;
	struct aws_call *call; /* null: none is under way */
	bool is_wanted;        /* what is contested is known */
	struct arena *arena;   /* of what follows */
	struct age *items;     /* sorted by name */
	size_t n, n_contesting;
	struct roster_service *told; /* room for n */
	size_t n_told;
	int64_t not_before_ms;
	unsigned failures; /* in a row */
	struct fault fault;
};

static void ask(void *arg);

/* ---- what is known ---- */

static int
by_name(const void *a, const void *b)
{
	const struct age *x = a, *y = b;

	return str_cmp(x->service.name, y->service.name);
}

static struct age *
find(const struct ecs_ages *a, struct str name)
{
	const struct age key = { .service.name = name };

	return a->n > 0 ? bsearch(&key, a->items, a->n, sizeof(key), by_name) : NULL;
}

static void
show(struct ecs_ages *a)
{
	a->n_told = 0;
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].is_told)
			a->told[a->n_told++] = a->items[i].service;
}

/* Those of items, sorted, which are copied.  Out of memory: all is as it was. */
static bool
replace(struct ecs_ages *a, const struct age *items, size_t n)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct age *copies = arena != NULL ? ARENA_ARRAY(arena, struct age, n + 1) : NULL;
	struct roster_service *told = copies != NULL ? ARENA_ARRAY(arena, struct roster_service, n + 1) : NULL;
	bool ok = told != NULL;

	for (size_t i = 0; ok && i < n; i++) {
		copies[i] = items[i];
		ok = arena_str(arena, items[i].service.name, &copies[i].service.name);
	}
	if (!ok) {
		arena_free(arena);
		return false;
	}
	arena_free(a->arena);
	a->arena = arena;
	a->items = copies;
	a->n = n;
	a->n_contesting = 0;
	for (size_t i = 0; i < n; i++)
		a->n_contesting += items[i].is_contesting;
	a->told = told;
	show(a);
	return true;
}

static bool
take_before(struct ecs_ages *a)
{
	struct age *items = calloc(a->start.n_before + 1, sizeof(*items));
	size_t n = 0;
	bool ok;

	for (size_t i = 0; items != NULL && i < a->start.n_before; i++)
		if (a->start.before[i].created_ms != 0)
			items[n++] =
			    (struct age){ .service = a->start.before[i], .is_recalled = true, .is_told = true };
	ok = items != NULL && replace(a, items, n);
	free(items);
	a->start.before = NULL;
	return ok;
}

/* ---- making and ending ---- */

enum err_code
ecs_ages_new(const struct ecs_ages_start *start, struct ecs_ages **ret, struct err *e)
{
	struct ecs_ages *a = calloc(1, sizeof(*a));
	enum err_code code;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "the age of services: %s", err_text(ERR_NOMEM));
	a->start = *start;
	a->clk = loop_clk(start->loop);
	code = take_before(a) ? loop_timer_new(start->loop, ask, a, &a->timer, e)
			      : err_set(e, ERR_NOMEM, "the age of services: %s", err_text(ERR_NOMEM));
	if (code != ERR_OK) {
		ecs_ages_close(a);
		return code;
	}
	*ret = a;
	return ERR_OK;
}

void
ecs_ages_close(struct ecs_ages *a)
{
	if (a == NULL)
		return;
	if (a->call != NULL)
		aws_caller_cancel(a->start.caller, a->call);
	loop_timer_close(a->timer);
	arena_free(a->arena);
	free(a);
}

const struct roster_service *
ecs_ages_view(const struct ecs_ages *a, size_t *ret_n)
{
	*ret_n = a->n_told;
	return a->told;
}

const struct fault *
ecs_ages_fault(const struct ecs_ages *a)
{
	return &a->fault;
}

/* ---- who is asked about ---- */

static void
arm(struct ecs_ages *a)
{
	int64_t now = clk_mono_ms(&a->clk), due = INT64_MAX;

	if (a->call != NULL || !a->is_wanted)
		return;
	for (size_t i = 0; i < a->n; i++)
		due = a->items[i].is_contesting && a->items[i].due_ms < due ? a->items[i].due_ms : due;
	due = due < a->not_before_ms ? a->not_before_ms : due;
	if (a->n_contesting == 0)
		loop_timer_disarm(a->timer);
	else
		loop_timer_arm(a->timer, due > now ? due - now : 0);
}

static bool
is_ours(const struct ecs_ages *a, const struct ecs_contest_service *s)
{
	return str_eq(s->source, a->start.of->source) && str_eq(s->cluster, a->start.of->name);
}

/* A cluster or definition that is not read yet may be what contests with it. */
static size_t
keep_recalled(const struct ecs_contest *all, const struct age *known, struct age *ret)
{
	if (all->is_whole || !known->is_recalled)
		return 0;
	*ret = *known;
	ret->is_contesting = false;
	return 1;
}

/* As they are to be from now on; who is in it already stays as it is. */
static size_t
list_wanted(const struct ecs_ages *a, const struct ecs_contest *all, struct age *ret)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct str name = all->services[i].service;

		if (!is_ours(a, &all->services[i]))
			continue;
		for (; at < a->n && str_cmp(a->items[at].service.name, name) < 0; at++)
			n += keep_recalled(all, &a->items[at], &ret[n]);
		if (at < a->n && str_eq(a->items[at].service.name, name))
			ret[n] = a->items[at++];
		else
			ret[n] = (struct age){ .service.name = name };
		ret[n++].is_contesting = true;
	}
	for (; at < a->n; at++)
		n += keep_recalled(all, &a->items[at], &ret[n]);
	return n;
}

static bool
is_as_before(const struct ecs_ages *a, const struct age *items, size_t n)
{
	for (size_t i = 0; n == a->n && i < n; i++)
		if (items[i].is_contesting != a->items[i].is_contesting ||
		    !str_eq(items[i].service.name, a->items[i].service.name))
			return false;
	return n == a->n;
}

/* Nobody asks any more. */
static void
rest(struct ecs_ages *a)
{
	a->failures = 0;
	a->not_before_ms = 0;
	(void)fault_clear(&a->fault);
}

/* Without memory for it, the next plan brings it again. */
void
ecs_ages_renew(struct ecs_ages *a)
{
	const struct ecs_contest *all = a->start.contest != NULL ? a->start.contest(a->start.contest_arg) : NULL;
	struct age *items;
	size_t n;

	if (all == NULL)
		return;
	items = calloc(all->n + a->n + 1, sizeof(*items));
	if (items == NULL)
		return;
	n = list_wanted(a, all, items);
	if (is_as_before(a, items, n) || replace(a, items, n))
		a->is_wanted = true;
	free(items);
	if (a->n_contesting == 0)
		rest(a);
	arm(a);
}

/* ---- answers ---- */

/* True: that is new. */
static bool
settle(struct ecs_ages *a, struct age *x, int64_t created_ms)
{
	bool is_new = !x->is_told || (created_ms != 0 && created_ms != x->service.created_ms);

	x->is_asked = false;
	x->is_told = true;
	if (created_ms != 0)
		x->service.created_ms = created_ms;
	x->due_ms = clk_mono_ms(&a->clk) + (x->service.created_ms != 0 ? ECS_AGES_AGAIN_MS : ECS_AGES_UNTOLD_MS);
	return is_new;
}

/* Who will not be told by waiting is told as that; and tried again all the same. */
static bool
give_up(struct ecs_ages *a)
{
	bool is_new = false;

	for (size_t i = 0; i < a->n; i++) {
		is_new = is_new || !a->items[i].is_told;
		a->items[i].is_told = true;
	}
	return is_new;
}

static void
end_call(struct ecs_ages *a, bool is_new)
{
	for (size_t i = 0; i < a->n; i++)
		a->items[i].is_asked = false;
	show(a);
	arm(a);
	if (is_new)
		a->start.changed(a->start.arg);
}

/* is_new: the part that was told is. */
static void
fail(struct ecs_ages *a, const struct err *why, bool is_lasting, int64_t asked_wait_ms, bool is_new)
{
	int64_t now = clk_mono_ms(&a->clk);
	int64_t wait = ecs_backoff_ms(a->start.source, a->failures++, BACKOFF_MIN_MS, a->start.rnd);
	struct err e = *why;
	bool speak;

	wait = wait < asked_wait_ms ? asked_wait_ms : wait;
	is_lasting = is_lasting && a->failures >= LASTING_TIMES;
	if (is_lasting)
		is_new = give_up(a) || is_new;
	err_prefix(&e, "cluster `" STR_FMT "`: of services that claim one route it is not told which is older, %s",
	    STR_ARG(str_first(a->start.of->name, 100)),
	    is_lasting ? "so the order of names decides among these; `rollcalld --iam` prints the policy"
		       : "so whoever has the route keeps it");
	speak = fault_raise(&a->fault, now, &e);
	if (speak)
		log_warn(ROOM, "%s; next try in %" PRId64 " s", a->fault.err.msg, (wait + 999) / 1000);
	a->not_before_ms = now + wait;
	end_call(a, is_new || speak);
}

static void
succeed(struct ecs_ages *a, bool is_new)
{
	bool healed = fault_clear(&a->fault);

	if (healed)
		log_info(ROOM, "cluster `" STR_FMT "`: which service is older is told again",
		    STR_ARG(str_first(a->start.of->name, 100)));
	a->failures = 0;
	a->not_before_ms = 0;
	end_call(a, is_new || healed);
}

static bool
is_of_cluster(const struct ecs_ages *a, struct str arn)
{
	return arn.len == 0 || a->start.of->arn.len == 0 || str_eq(arn, a->start.of->arn);
}

static enum err_code
take_services(struct ecs_ages *a, const struct ecs_answer_services *answer, bool *is_new, struct err *e)
{
	for (size_t i = 0; i < answer->n; i++)
		if (!is_of_cluster(a, answer->services[i].cluster_arn))
			return err_set(e, ERR_PARSE, "DescribeServices: another cluster answers");
	for (size_t i = 0; i < answer->n; i++) {
		struct age *x = find(a, answer->services[i].name);

		if (x != NULL && x->is_asked)
			*is_new = settle(a, x, answer->services[i].created_ms) || *is_new;
	}
	for (size_t i = 0; i < answer->n_failures; i++) {
		const struct ecs_answer_failure *f = &answer->failures[i];
		struct age *x = find(a, str_after_last(f->arn, '/'));

		if (x != NULL && x->is_asked && str_eq(f->reason, STR("MISSING")))
			*is_new = settle(a, x, 0) || *is_new;
	}
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].is_asked)
			return err_set(e, ERR_PARSE, "DescribeServices: nothing is said of `" STR_FMT "`",
			    STR_ARG(a->items[i].service.name));
	return ERR_OK;
}

/* INVALID is what a proxy's own page is taken for, too. */
static bool
is_lasting(enum aws_error_class c)
{
	return c == AWS_ERROR_DENIED || c == AWS_ERROR_NOT_FOUND;
}

static void
answered(void *arg, struct str body, const struct aws_error *failure)
{
	struct arena *scratch CLEANUP(arena_free_at) = arena_new(ECS_ANSWER_ARENA_MAX);
	struct ecs_ages *a = arg;
	struct ecs_answer_services answer;
	struct err why = ERR_INIT;
	bool is_new = false;
	enum err_code code;

	a->call = NULL;
	if (a->n_contesting == 0) {
		end_call(a, false);
		return;
	}
	if (failure != NULL) {
		fail(a, &failure->err, is_lasting(failure->class_), failure->retry_after_ms, false);
		return;
	}
	code = scratch != NULL ? ecs_answer_describe_services(scratch, body, &answer, &why)
			       : (enum err_code)err_set(&why, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	if (code == ERR_OK)
		code = take_services(a, &answer, &is_new, &why);
	if (code == ERR_OK)
		succeed(a, is_new);
	else
		fail(a, &why, false, 0, is_new);
}

/* ---- calls ---- */

static size_t
put_body(struct ecs_ages *a, struct buf *out)
{
	int64_t now = clk_mono_ms(&a->clk);
	size_t n = 0;

	ecs_body_services_begin(out, a->start.name);
	for (size_t i = 0; i < a->n && n < ECS_BODY_SERVICES_MAX; i++) {
		struct age *x = &a->items[i];

		if (!x->is_contesting || x->due_ms > now)
			continue;
		x->is_asked = true;
		ecs_body_item(out, n++ == 0, x->service.name);
	}
	ecs_body_describe_end(out);
	return n;
}

static void
ask(void *arg)
{
	struct ecs_ages *a = arg;
	struct buf body = buf_make(ECS_BODY_MAX);
	struct err why = ERR_INIT;
	enum err_code code = ERR_OK;

	if (put_body(a, &body) > 0) {
		code = buf_failed(&body, &why);
		if (code == ERR_OK)
			code = aws_caller_send(
			    a->start.caller, "DescribeServices", buf_str(&body), answered, a, &a->call, &why);
	} else {
		arm(a);
	}
	buf_free(&body);
	if (code == ERR_OK)
		return;
	a->call = NULL;
	fail(a, &why, false, 0, false);
}
