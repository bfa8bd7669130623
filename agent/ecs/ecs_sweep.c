/*
 * The calls of one pass, in phases: the list, page after page; what is of interest
 * (ecs_interest.c), in batches that may all be under way at once; the definitions that
 * are new; and the machines (ecs_hosting.c) of those that need one.  The last three come
 * once for what is urgent, then for the rest.  What the answers prove is weighed in ecs_ledger.c.
 */
#include "config.h"

#include "ecs/ecs_sweep.h"

#include <assert.h>
#include <stdlib.h>

#include "ecs/ecs_answer.h"
#include "ecs/ecs_body.h"
#include "ecs/ecs_hosting.h"
#include "ecs/ecs_interest.h"
#include "ecs/ecs_ledger.h"
#include "ecs/ecs_origin.h"

#define ARENA_MAX ((size_t)64 << 20) /* names, tokens */

enum phase { LISTING, DESCRIBING, PROVING, DEFINING, HOSTING, OVER };

struct batch { /* of what is asked about in its phase */
	size_t first, n;
	bool is_part; /* of one whose answer could not be read */
};

struct call {
	bool open; /* asked, not answered */
	struct batch of;
	const struct aws_service *to;
	struct buf body;
};

struct need { /* a definition */
	struct str arn;
	bool asked;
	struct taskdef *definition; /* a reference; null: not read */
};

struct ecs_sweep {
	struct ecs_sweep_start start;
	struct arena *arena;
	struct ecs_ledger *ledger;
	struct ecs_origin origin;
	struct str cluster_arn;
	enum phase phase;

	bool page_due, proof_due, proof_asked;
	struct str *tokens; /* of every page but the first */
	size_t n_tokens;

	struct ecs_ledger_entry **wanted; /* to describe: what is ending, what WATCH asks for, the rest */
	size_t n_wanted, next_wanted, n_ending;
	struct batch halves[2 * ECS_SWEEP_HALVINGS_MAX]; /* to be asked for again */
	size_t n_halves;
	unsigned n_halvings;
	bool in_rest; /* what is urgent has been asked for, with all that belongs to it */
	bool told_news;
	struct str rest_after; /* see ecs_sweep_result */
	struct need *needs;    /* sorted by ARN */
	size_t n_needs, next_need;
	struct ecs_hosting *hosting; /* null: not begun */

	struct call *calls; /* id - 1 is the place of a call */
	size_t n_calls, cap_calls, n_open;
	unsigned failures_running;

	bool condemned;                  /* nothing of this pass counts */
	bool failed;                     /* a call did, other than for a definition */
	bool spoiled;                    /* something is known to be missing from the answers */
	size_t n_left_out, n_unreadable; /* tasks */
	size_t n_documents;              /* answers to DescribeTasks that were one */
	struct err err;
};

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "sweep a cluster: %s", err_text(ERR_NOMEM));
}

static enum err_code begin_describing(struct ecs_sweep *s, struct err *e);

/* ---- beginning and end ---- */

static bool
copy_strings(struct ecs_sweep *s, const struct ecs_sweep_start *start)
{
	return arena_str(s->arena, start->cluster, &s->start.cluster) &&
	       arena_str(s->arena, start->rest_after, &s->start.rest_after) &&
	       arena_str(s->arena, start->account, &s->start.account) &&
	       arena_str(s->arena, start->cluster_arn, &s->start.cluster_arn);
}

static enum err_code
start_sweep(struct ecs_sweep *s, const struct ecs_sweep_start *start, struct err *e)
{
	enum err_code code;

	s->start = *start;
	s->start.before = start->before != NULL ? roster_facts_ref(start->before) : NULL;
	s->page_due = true;
	s->arena = arena_new(ARENA_MAX);
	if (s->arena == NULL || !copy_strings(s, start))
		return out_of_memory(e);
	s->cluster_arn = s->start.cluster_arn;
	s->tokens = ARENA_ARRAY(s->arena, struct str, ECS_SWEEP_PAGES_MAX);
	if (s->tokens == NULL)
		return out_of_memory(e);
	code = ecs_origin_make(s->arena, start->cluster, start->account, start->cluster_arn, &s->origin, e);
	if (code == ERR_OK)
		code = ecs_ledger_new(start->before, &s->ledger, e);
	if (code != ERR_OK || start->kind != ECS_SWEEP_NAMED)
		return code;
	s->page_due = false;
	code = ecs_ledger_settle(s->ledger, false, start->named, e);
	return code == ERR_OK ? begin_describing(s, e) : code;
}

enum err_code
ecs_sweep_new(const struct ecs_sweep_start *start, struct ecs_sweep **ret, struct err *e)
{
	struct ecs_sweep *s = calloc(1, sizeof(*s));
	enum err_code code;

	if (s == NULL)
		return out_of_memory(e);
	code = start_sweep(s, start, e);
	if (code != ERR_OK) {
		ecs_sweep_free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void
ecs_sweep_free(struct ecs_sweep *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_calls; i++)
		buf_free(&s->calls[i].body);
	for (size_t i = 0; i < s->n_needs; i++)
		taskdef_unref(s->needs[i].definition);
	free(s->calls);
	free(s->needs);
	free(s->wanted);
	ecs_hosting_free(s->hosting);
	ecs_ledger_free(s->ledger);
	roster_facts_unref(s->start.before);
	arena_free(s->arena);
	free(s);
}

/* ---- failures ---- */

static void
note(struct ecs_sweep *s, const struct err *why)
{
	if (s->err.code == ERR_OK)
		s->err = *why;
}

/* From elsewhere, or we are out of memory: what was known stays, whole. */
static void
condemn(struct ecs_sweep *s, const struct err *why)
{
	if (!s->condemned)
		s->err = *why;
	s->condemned = true;
	s->failed = true;
	s->phase = OVER;
}

/* ---- from phase to phase ---- */

/* Entries of one kind of interest, in the order of their ARNs. */
static size_t
want(struct ecs_sweep *s, enum ecs_interest interest)
{
	size_t before = s->n_wanted;

	for (size_t i = 0; i < ecs_ledger_count(s->ledger); i++) {
		struct ecs_ledger_entry *entry = ecs_ledger_entry(s->ledger, i);

		if (ecs_interest_describe(&s->start, s->ledger, entry) == interest)
			s->wanted[s->n_wanted++] = entry;
	}
	return s->n_wanted - before;
}

/* The rest of a FULL pass, from where the last part ended. */
static void
want_rest(struct ecs_sweep *s)
{
	size_t max = s->start.rest_max > 0 ? s->start.rest_max * ECS_BODY_TASKS_MAX : SIZE_MAX, n = 0;
	struct str last = STR("");

	for (size_t i = 0; i < ecs_ledger_count(s->ledger); i++) {
		struct ecs_ledger_entry *entry = ecs_ledger_entry(s->ledger, i);

		if (ecs_interest_describe(&s->start, s->ledger, entry) != ECS_INTEREST_REST ||
		    (s->start.rest_after.len > 0 && str_cmp(entry->arn, s->start.rest_after) <= 0))
			continue;
		if (n++ == max) {
			s->rest_after = last;
			return;
		}
		s->wanted[s->n_wanted++] = entry;
		last = entry->arn;
	}
}

static enum err_code
begin_describing(struct ecs_sweep *s, struct err *e)
{
	size_t n = ecs_ledger_count(s->ledger);

	s->wanted = calloc(n > 0 ? n : 1, sizeof(struct ecs_ledger_entry *));
	if (s->wanted == NULL)
		return out_of_memory(e);
	s->n_ending = want(s, ECS_INTEREST_ENDING);
	(void)want(s, ECS_INTEREST_ENTERING);
	s->phase = DESCRIBING;
	s->failures_running = 0;
	return ERR_OK;
}

/* A cluster with tasks proves itself by them.  One without, where tasks are MISSING, may
 * be another account's of the same name: it is asked who it is. */
static void
begin_proving(struct ecs_sweep *s)
{
	bool is_missed = false, may_ask = s->start.kind == ECS_SWEEP_FULL && !s->proof_asked && !s->origin.proved;

	for (size_t i = 0; may_ask && i < ecs_ledger_count(s->ledger) && !is_missed; i++) {
		const struct ecs_ledger_entry *entry = ecs_ledger_entry(s->ledger, i);

		is_missed = entry->missing && (entry->before != NULL || entry->sought);
	}
	s->proof_due = is_missed && !s->failed;
	s->phase = PROVING;
	s->failures_running = 0;
}

static int
by_arn(const void *a, const void *b)
{
	const struct need *x = a, *y = b;

	return str_cmp(x->arn, y->arn);
}

static struct need *
find_among(struct need *needs, size_t n, struct str arn)
{
	struct need key = { .arn = arn };

	return n > 0 ? bsearch(&key, needs, n, sizeof(key), by_arn) : NULL;
}

static void
drop_repeats(struct ecs_sweep *s)
{
	size_t n = 0;

	if (s->n_needs == 0)
		return;
	qsort(s->needs, s->n_needs, sizeof(*s->needs), by_arn);
	for (size_t i = 0; i < s->n_needs; i++)
		if (n == 0 || !str_eq(s->needs[n - 1].arn, s->needs[i].arn))
			s->needs[n++] = s->needs[i];
	s->n_needs = n;
}

/* Whether it is not to be asked for; another cluster's pass may have read it meanwhile. */
static bool
look_up(struct ecs_sweep *s, struct need *need)
{
	struct taskdef *known;

	if (need->asked || need->definition != NULL)
		return true;
	known = taskdef_cache_get(s->start.definitions, need->arn);
	need->definition = known != NULL ? taskdef_ref(known) : NULL;
	return known != NULL;
}

/* What the rest needs comes to what the urgent needed; that is not asked for again. */
static enum err_code
begin_defining(struct ecs_sweep *s, struct err *e)
{
	size_t n = ecs_ledger_count(s->ledger), n_before = s->n_needs;
	struct need *needs = reallocarray(s->needs, n + n_before + 1, sizeof(*needs));

	if (needs == NULL)
		return out_of_memory(e);
	s->needs = needs;
	for (size_t i = 0; i < n; i++) {
		const struct ecs_ledger_entry *entry = ecs_ledger_entry(s->ledger, i);
		struct str arn;

		if (!ecs_interest_define(&s->start, entry))
			continue;
		arn = ecs_ledger_task(entry)->definition_arn;
		if (find_among(needs, n_before, arn) == NULL)
			needs[s->n_needs++] = (struct need){ .arn = arn };
	}
	drop_repeats(s);
	for (size_t i = 0; i < s->n_needs; i++)
		(void)look_up(s, &needs[i]);
	s->next_need = 0;
	s->phase = DEFINING;
	s->failures_running = 0;
	return ERR_OK;
}

static void
hand_out_definitions(struct ecs_sweep *s)
{
	for (size_t i = 0; i < ecs_ledger_count(s->ledger); i++) {
		struct ecs_ledger_entry *entry = ecs_ledger_entry(s->ledger, i);
		const struct roster_task *t = ecs_ledger_task(entry);
		const struct need *need = NULL;

		if (t != NULL && t->definition == NULL)
			need = find_among(s->needs, s->n_needs, t->definition_arn);
		if (need != NULL)
			entry->definition = need->definition;
	}
}

static void
skip_known_definitions(struct ecs_sweep *s)
{
	while (s->next_need < s->n_needs && look_up(s, &s->needs[s->next_need]))
		s->next_need++;
}

/* Is there something to ask in this phase, now? */
static bool
has_more(struct ecs_sweep *s)
{
	switch (s->phase) {
	case LISTING:
		return s->page_due;
	case DESCRIBING:
		return s->n_halves > 0 || s->next_wanted < s->n_wanted;
	case PROVING:
		return s->proof_due;
	case DEFINING:
		skip_known_definitions(s);
		return s->next_need < s->n_needs;
	case HOSTING:
		return ecs_hosting_has_more(s->hosting);
	case OVER:
		return false;
	}
	return false;
}

/* Its definition may have been read in this very pass. */
static const struct taskdef *
definition_of(const struct ecs_sweep *s, const struct roster_task *t)
{
	const struct need *need;

	if (t->definition != NULL)
		return t->definition;
	need = find_among(s->needs, s->n_needs, t->definition_arn);
	return need != NULL ? need->definition : NULL;
}

static enum err_code
want_hosts(struct ecs_sweep *s, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < ecs_ledger_count(s->ledger) && code == ERR_OK; i++) {
		const struct roster_task *t = ecs_ledger_task(ecs_ledger_entry(s->ledger, i));

		if (t != NULL && t->ended_wall_ms == 0 && t->container_instance_arn.len > 0 &&
		    taskdef_is_on_host(definition_of(s, t)))
			code = ecs_hosting_want(s->hosting, t->container_instance_arn, e);
	}
	return code;
}

static enum err_code
begin_hosting(struct ecs_sweep *s, struct err *e)
{
	enum err_code code;

	s->phase = HOSTING;
	s->failures_running = 0;
	ecs_hosting_free(MOVE(s->hosting));
	code = ecs_hosting_new(s->start.hosts, s->start.cluster, s->start.mono_ms, &s->hosting, e);
	if (code == ERR_OK)
		code = want_hosts(s, e);
	return code == ERR_OK ? ecs_hosting_begin(s->hosting, e) : code;
}

/* An address that is not known keeps the tasks of its machine out, and nobody else. */
static void
end_hosting(struct ecs_sweep *s)
{
	struct err fault = s->hosting != NULL ? ecs_hosting_fault(s->hosting) : ERR_INIT;

	if (fault.code == ERR_OK)
		return;
	s->spoiled = true;
	note(s, &fault);
}

static void
begin_rest(struct ecs_sweep *s)
{
	s->in_rest = true;
	want_rest(s);
	s->phase = s->next_wanted < s->n_wanted ? DESCRIBING : OVER;
	s->failures_running = 0;
}

static void
end_round(struct ecs_sweep *s)
{
	end_hosting(s);
	if (s->in_rest)
		s->phase = OVER;
	else
		begin_rest(s);
}

/* To be called whenever a call has ended: a phase is over when nothing is left to
 * ask and nothing is under way. */
static void
advance(struct ecs_sweep *s)
{
	struct err why = ERR_INIT;
	enum err_code code = ERR_OK;

	while (code == ERR_OK && s->phase != OVER && s->n_open == 0 && !has_more(s)) {
		if (s->phase == LISTING)
			code = begin_describing(s, &why);
		else if (s->phase == DESCRIBING)
			begin_proving(s);
		else if (s->phase == PROVING)
			code = begin_defining(s, &why);
		else if (s->phase == DEFINING && s->start.hosts != NULL)
			code = begin_hosting(s, &why);
		else
			end_round(s);
	}
	if (code != ERR_OK)
		condemn(s, &why);
}

/* No page comes any more. */
static void
end_list(struct ecs_sweep *s, bool whole)
{
	const struct ecs_sought *sought = NULL;
	struct err why = ERR_INIT;

	s->page_due = false;
	if (s->start.sought != NULL)
		sought = s->start.sought(s->start.sought_arg);
	if (ecs_ledger_settle(s->ledger, whole, sought, &why) != ERR_OK)
		condemn(s, &why);
}

/* ---- asking ---- */

static struct call *
add_call(struct ecs_sweep *s)
{
	if (s->n_calls == s->cap_calls) {
		size_t cap = s->cap_calls == 0 ? 8 : s->cap_calls * 2;
		struct call *bigger = reallocarray(s->calls, cap, sizeof(*bigger));

		if (bigger == NULL)
			return NULL;
		s->calls = bigger;
		s->cap_calls = cap;
	}
	s->calls[s->n_calls] = (struct call){ .to = &aws_service_ecs, .body = buf_make(ECS_BODY_MAX) };
	return &s->calls[s->n_calls++];
}

static const char *
write_page(struct ecs_sweep *s, struct call *c)
{
	s->page_due = false;
	ecs_body_list_tasks(&c->body, s->start.cluster, s->n_tokens > 0 ? s->tokens[s->n_tokens - 1] : STR(""));
	return "ListTasks";
}

static struct batch
next_batch(struct ecs_sweep *s)
{
	size_t left = s->n_wanted - s->next_wanted;
	struct batch b = { .first = s->next_wanted, .n = left < ECS_BODY_TASKS_MAX ? left : ECS_BODY_TASKS_MAX };

	if (s->n_halves > 0)
		return s->halves[--s->n_halves];
	s->next_wanted += b.n;
	return b;
}

static const char *
write_batch(struct ecs_sweep *s, struct call *c, unsigned id)
{
	c->of = next_batch(s);
	ecs_body_describe_begin(&c->body, s->start.cluster);
	for (size_t i = 0; i < c->of.n; i++) {
		struct ecs_ledger_entry *entry = s->wanted[c->of.first + i];

		entry->asked = id;
		ecs_body_item(&c->body, i == 0, entry->arn);
	}
	ecs_body_describe_end(&c->body);
	return "DescribeTasks";
}

static const char *
write_definition(struct ecs_sweep *s, struct call *c)
{
	c->of = (struct batch){ .first = s->next_need++, .n = 1 };
	s->needs[c->of.first].asked = true;
	ecs_body_task_definition(&c->body, s->needs[c->of.first].arn);
	return "DescribeTaskDefinition";
}

static const char *
write_hosting(struct ecs_sweep *s, struct call *c)
{
	struct ecs_hosting_ask ask;

	if (!ecs_hosting_next(s->hosting, &ask, &c->body))
		return NULL;
	c->of = (struct batch){ .first = ask.call, .n = 1 };
	c->to = ask.to;
	return ask.action;
}

static const char *
write_call(struct ecs_sweep *s, struct call *c, unsigned id)
{
	switch (s->phase) {
	case LISTING:
		return write_page(s, c);
	case DESCRIBING:
		return write_batch(s, c, id);
	case PROVING:
		s->proof_due = false;
		s->proof_asked = true;
		ecs_body_cluster(&c->body, s->start.cluster);
		return "DescribeClusters";
	case DEFINING:
		return write_definition(s, c);
	case HOSTING:
		return write_hosting(s, c);
	case OVER:
		break;
	}
	return NULL;
}

bool
ecs_sweep_next(struct ecs_sweep *s, struct ecs_sweep_ask *ret)
{
	struct err why = ERR_INIT;
	struct call *c;
	unsigned id;

	if (!has_more(s))
		return false;
	c = add_call(s);
	if (c == NULL) {
		(void)out_of_memory(&why);
		condemn(s, &why);
		return false;
	}
	id = (unsigned)s->n_calls;
	ret->action = write_call(s, c, id);
	if (buf_failed(&c->body, &why) != ERR_OK) {
		condemn(s, &why);
		return false;
	}
	c->open = true;
	s->n_open++;
	ret->id = id;
	ret->to = c->to;
	ret->body = buf_str(&c->body);
	return true;
}

/* ---- answers: the list ---- */

static bool
is_repeated(const struct ecs_sweep *s, struct str token)
{
	for (size_t i = 0; i < s->n_tokens; i++)
		if (str_eq(s->tokens[i], token))
			return true;
	return false;
}

static enum err_code
take_token(struct ecs_sweep *s, struct str token, struct err *e)
{
	if (is_repeated(s, token))
		return err_set(e, ERR_PARSE, "a page after which comes one that we have had");
	if (s->n_tokens + 1 >= ECS_SWEEP_PAGES_MAX)
		return err_set(e, ERR_LIMIT, "a list of more than %d pages", ECS_SWEEP_PAGES_MAX);
	if (!arena_str(s->arena, token, &s->tokens[s->n_tokens]))
		return out_of_memory(e);
	s->n_tokens++;
	s->page_due = true;
	return ERR_OK;
}

static enum err_code
accept_page(struct ecs_sweep *s, const struct ecs_answer_list *page, struct err *e)
{
	for (size_t i = 0; i < page->n; i++) {
		enum err_code code = ecs_origin_accept_task(&s->origin, s->arena, page->arns[i], e);

		if (code != ERR_OK) {
			condemn(s, e);
			return code;
		}
	}
	return ecs_ledger_list(s->ledger, page->arns, page->n, e);
}

static enum err_code
take_page(struct ecs_sweep *s, struct arena *a, struct str json, struct err *e)
{
	struct ecs_answer_list page;
	enum err_code code = ecs_answer_list_tasks(a, json, &page, e);

	if (code == ERR_OK)
		code = accept_page(s, &page, e);
	if (code == ERR_OK && page.next_token.len > 0)
		code = take_token(s, page.next_token, e);
	if (!s->page_due && !s->condemned)
		end_list(s, code == ERR_OK);
	return code;
}

/* ---- answers: tasks ---- */

/* Everything is held against the origin before anything is taken. */
static enum err_code
accept_tasks(struct ecs_sweep *s, const struct ecs_answer_tasks *answer, struct err *e)
{
	enum err_code code = ERR_OK;

	if (answer->several_clusters)
		code = err_set(e, ERR_REFUSED, "an answer of several clusters");
	else if (answer->cluster_arn.len > 0)
		code = ecs_origin_accept_cluster(&s->origin, s->arena, answer->cluster_arn, e);
	for (size_t i = 0; i < answer->n_tasks && code == ERR_OK; i++)
		code = ecs_origin_accept_task(&s->origin, s->arena, answer->tasks[i].arn, e);
	if (code == ERR_OK && s->cluster_arn.len == 0 && answer->cluster_arn.len > 0 &&
	    !arena_str(s->arena, answer->cluster_arn, &s->cluster_arn))
		code = out_of_memory(e);
	if (code != ERR_OK)
		condemn(s, e);
	return code;
}

/* To fill in, unless something stands there already; err functions take the null. */
static struct err *
unless_set(struct err *e)
{
	return e->code == ERR_OK ? e : NULL;
}

/* The entry that call id asked for by this ARN, and was not told of yet; or null. */
static struct ecs_ledger_entry *
find_asked(struct ecs_sweep *s, unsigned id, struct str arn)
{
	struct ecs_ledger_entry *entry = ecs_ledger_find(s->ledger, arn);

	return entry != NULL && entry->asked == id && !entry->described ? entry : NULL;
}

static void
take_descriptions(
    struct ecs_sweep *s, unsigned id, const struct ecs_answer_tasks *answer, int64_t wall_ms, struct err *first)
{
	for (size_t i = 0; i < answer->n_tasks; i++) {
		const struct roster_task *t = &answer->tasks[i];
		struct ecs_ledger_entry *entry = find_asked(s, id, t->arn);

		if (entry == NULL)
			err_fill(unless_set(first), ERR_PARSE, 0,
			    "DescribeTasks speaks of " STR_FMT ", for which nobody asked, or twice", STR_ARG(t->id));
		else if (ecs_ledger_describe(s->ledger, entry, t, wall_ms, unless_set(first)) != ERR_OK)
			break; /* the rest is untold, and stays as it was */
		else if (s->start.kind == ECS_SWEEP_NAMED && t->desired_status == ROSTER_RUNNING)
			entry->listed = true; /* as ListTasks would: it has all that are to run */
	}
}

static struct str
plain(struct str s)
{
	return str_is_printable(s) ? s : STR("something unprintable");
}

static void
take_failures(struct ecs_sweep *s, unsigned id, const struct ecs_answer_tasks *answer, struct err *first)
{
	for (size_t i = 0; i < answer->n_failures; i++) {
		const struct ecs_answer_failure *f = &answer->failures[i];
		struct ecs_ledger_entry *entry = find_asked(s, id, f->arn);

		if (entry != NULL && str_eq(f->reason, STR("MISSING")))
			entry->missing = true;
		else
			err_fill(unless_set(first), ERR_REMOTE, 0, "DescribeTasks says " STR_FMT " of " STR_FMT,
			    STR_ARG(plain(str_first(f->reason, 64))), STR_ARG(str_first(f->arn, 100)));
	}
}

static void
check_all_told(struct ecs_sweep *s, const struct call *c, size_t n_malformed, struct err *first)
{
	size_t untold = 0;

	for (size_t i = 0; i < c->of.n; i++) {
		const struct ecs_ledger_entry *entry = s->wanted[c->of.first + i];

		untold += !entry->described && !entry->missing;
	}
	s->n_unreadable += n_malformed;
	s->n_left_out += untold > n_malformed ? untold - n_malformed : 0;
	if (untold > 0)
		err_fill(
		    unless_set(first), ERR_REMOTE, 0, "DescribeTasks leaves out %zu of %zu tasks", untold, c->of.n);
}

/* True: the batch is asked for again, in two calls. */
static bool
halve(struct ecs_sweep *s, struct batch b)
{
	size_t half = b.n / 2;

	if (b.n < 2 || s->n_halvings >= ECS_SWEEP_HALVINGS_MAX)
		return false;
	s->n_halvings++;
	s->halves[s->n_halves++] = (struct batch){ .first = b.first + half, .n = b.n - half, .is_part = true };
	s->halves[s->n_halves++] = (struct batch){ .first = b.first, .n = half, .is_part = true };
	return true;
}

/* The answer is no document.  If that was not so of the batch that this task came
 * from, it is this task that makes it so: the others are seen, and nothing failed.  Where
 * no answer at all is one it is nobody's fault. */
static enum err_code
take_unreadable(struct ecs_sweep *s, struct batch b, enum err_code code, struct err *e)
{
	if (code == ERR_PARSE && halve(s, b))
		return ERR_OK;
	s->failed = s->failed || b.n > 1 || !b.is_part;
	s->n_unreadable += b.n;
	if (b.n > 1 || s->n_documents == 0)
		return code;
	return err_wrap(e, code, "task " STR_FMT, STR_ARG(str_first(str_after_last(s->wanted[b.first]->arn, '/'), 64)));
}

static enum err_code
take_tasks(struct ecs_sweep *s, unsigned id, struct arena *a, struct str json, int64_t wall_ms, struct err *e)
{
	struct ecs_answer_tasks answer;
	struct err first = ERR_INIT; /* thing that is wrong in it; none spoils the rest */
	const struct batch b = s->calls[id - 1].of;
	enum err_code code = ecs_answer_describe_tasks(a, json, &answer, e);

	if (code != ERR_OK)
		return take_unreadable(s, b, code, e);
	s->n_documents++;
	code = accept_tasks(s, &answer, e);
	if (code != ERR_OK) {
		s->failed = true;
		return code;
	}
	if (answer.n_malformed > 0)
		err_fill(&first, ERR_PARSE, 0, "malformed: " STR_FMT, STR_ARG(answer.malformed[0].detail));
	take_descriptions(s, id, &answer, wall_ms, &first);
	take_failures(s, id, &answer, &first);
	check_all_told(s, &s->calls[id - 1], answer.n_malformed, &first);
	if (first.code != ERR_OK)
		*e = first;
	return first.code;
}

/* ---- answers: the cluster ---- */

static enum err_code
take_proof(struct ecs_sweep *s, struct arena *a, struct str json, struct err *e)
{
	struct str arn = STR("");
	enum err_code code = ecs_answer_describe_cluster(a, json, &arn, e);

	if (code == ERR_OK && arn.len == 0)
		return err_set(e, ERR_REMOTE, "DescribeClusters does not know the cluster");
	if (code != ERR_OK)
		return code;
	code = ecs_origin_accept_cluster(&s->origin, s->arena, arn, e);
	if (code != ERR_OK)
		condemn(s, e);
	return code;
}

/* ---- answers: definitions ---- */

static enum err_code
take_definition(struct ecs_sweep *s, const struct call *c, struct str json, struct err *e)
{
	struct need *need = &s->needs[c->of.first];
	struct taskdef *d CLEANUP(taskdef_unref_at) = NULL;
	enum err_code code = ecs_answer_task_definition(json, &d, e);

	if (code != ERR_OK)
		return err_wrap(e, code, STR_FMT, STR_ARG(str_first(str_after_last(need->arn, '/'), 64)));
	if (!str_eq(d->arn, need->arn))
		return err_set(e, ERR_PARSE, "a definition that was not asked for, of family " STR_FMT,
		    STR_ARG(str_first(d->family, 64)));
	code = taskdef_cache_put(s->start.definitions, d, e);
	if (code == ERR_OK)
		need->definition = MOVE(d);
	return code;
}

/* ---- answers ---- */

static struct call *
close_call(struct ecs_sweep *s, unsigned id)
{
	struct call *c;

	assert(id > 0 && id <= s->n_calls);
	c = &s->calls[id - 1];
	assert(c->open);
	c->open = false;
	buf_free(&c->body);
	s->n_open--;
	return c;
}

static enum err_code
take_answer(struct ecs_sweep *s, unsigned id, const struct call *c, struct str json, int64_t wall_ms, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ECS_ANSWER_ARENA_MAX);
	enum err_code code;

	if (a == NULL)
		code = out_of_memory(e);
	else if (s->phase == LISTING)
		return take_page(s, a, json, e);
	else if (s->phase == DESCRIBING)
		return take_tasks(s, id, a, json, wall_ms, e);
	else if (s->phase == PROVING)
		return take_proof(s, a, json, e);
	else
		return take_definition(s, c, json, e);
	condemn(s, e);
	return code;
}

enum err_code
ecs_sweep_answer(struct ecs_sweep *s, unsigned id, struct str json, int64_t wall_ms, struct err *e)
{
	const struct call *c = close_call(s, id);
	bool is_page = s->phase == LISTING;
	struct err why = ERR_INIT;
	enum err_code code;

	if (s->phase == OVER)
		return ERR_OK; /* condemned while this was under way */
	s->failures_running = 0;
	if (s->phase == HOSTING) {
		code = ecs_hosting_answer(s->hosting, c->of.first, json, e);
		advance(s);
		return code;
	}
	code = take_answer(s, id, c, json, wall_ms, &why);
	if (code != ERR_OK) {
		s->failed = s->failed || is_page;
		s->spoiled = true;
		note(s, &why);
	}
	advance(s);
	return code == ERR_OK ? ERR_OK : err_set(e, code, "%s", why.msg);
}

/* A call that is refused for itself says nothing of the next; a service that is
 * unreachable or denies us does. */
static void
count_failure(struct ecs_sweep *s, const struct err *why)
{
	if (!err_is_transient(why->code) && why->code != ERR_AUTH) {
		s->failures_running = 0;
		return;
	}
	if (++s->failures_running < ECS_SWEEP_FAILURES_MAX)
		return;
	if (s->phase == DESCRIBING)
		s->next_wanted = s->n_wanted;
	if (s->phase == DEFINING)
		s->next_need = s->n_needs;
	if (s->phase == HOSTING)
		ecs_hosting_give_up(s->hosting, why);
}

void
ecs_sweep_failed(struct ecs_sweep *s, unsigned id, const struct err *why)
{
	const struct call *c = close_call(s, id);

	if (s->phase == OVER)
		return;
	/* A definition that cannot be read keeps its own tasks out, and without proof MISSING does
	 * not count.  That must not make us look less often for those that stop. */
	if (s->phase == HOSTING)
		ecs_hosting_failed(s->hosting, c->of.first, why); /* told when all are asked for */
	else if (s->phase == DEFINING || s->phase == PROVING)
		s->spoiled = true;
	else
		s->failed = true;
	if (s->phase != HOSTING)
		note(s, why);
	count_failure(s, why);
	if (s->phase == LISTING)
		end_list(s, false);
	advance(s);
}

/* ---- the result ---- */

bool
ecs_sweep_finished(const struct ecs_sweep *s)
{
	return s->phase == OVER && s->n_open == 0;
}

static enum err_code
make_facts(struct ecs_sweep *s, int64_t wall_ms, struct roster_facts **ret, struct err *e)
{
	/* Once for each sweep, however many parts it has. */
	bool ends_sweep = s->start.kind == ECS_SWEEP_FULL && s->phase == OVER && s->rest_after.len == 0;
	struct ecs_ledger_close close = {
		.counts_missing = ends_sweep && !s->failed,
		.origin = &s->origin,
		.wall_ms = wall_ms,
		.hosts = s->start.hosts,
		.is_held = s->start.is_held,
		.arg = s->start.arg,
	};

	if (s->condemned) {
		*ret = s->start.before != NULL ? roster_facts_ref(s->start.before) : NULL;
		return ERR_OK;
	}
	hand_out_definitions(s);
	return ecs_ledger_facts(s->ledger, &close, ret, e);
}

bool
ecs_sweep_has_news(struct ecs_sweep *s)
{
	if (s->told_news || !s->in_rest || s->phase != DESCRIBING)
		return false;
	for (size_t i = 0; i < s->n_ending && !s->told_news; i++)
		s->told_news = s->wanted[i]->now != NULL || s->wanted[i]->missing;
	return s->told_news;
}

enum err_code
ecs_sweep_news(struct ecs_sweep *s, int64_t wall_ms, struct roster_facts **ret, struct err *e)
{
	return make_facts(s, wall_ms, ret, e);
}

enum err_code
ecs_sweep_result(struct ecs_sweep *s, int64_t wall_ms, struct ecs_sweep_result *ret, struct err *e)
{
	struct roster_facts *facts = NULL;
	enum err_code code;

	assert(ecs_sweep_finished(s));
	code = make_facts(s, wall_ms, &facts, e);
	if (code != ERR_OK)
		return code;
	*ret = (struct ecs_sweep_result){
		.complete = !s->condemned && !s->failed && !s->spoiled,
		.answered = !s->failed,
		.left_out = s->n_left_out > 0 || s->n_unreadable > 1,
		.facts = facts,
		.account = s->condemned ? s->start.account : s->origin.account,
		.cluster_arn = s->condemned ? s->start.cluster_arn : s->cluster_arn,
		.rest_after = s->failed ? STR("") : s->rest_after,
		.err = s->err,
	};
	return ERR_OK;
}
