/*
 * What the calls of each server did: see outlier_tally.h.
 *
 * One value per pass in an arena of its own; what is to be kept is copied from the
 * value before, by task.  Sorted by backend and server, as SPOE names them.
 */
#include "config.h"

#include "outlier/outlier_tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TALLY_ARENA_MAX ((size_t)64 << 20)
/* A read-back that comes a little early is no reason to wait for the next. */
#define WINDOW_SLACK_MS INT64_C(100)

struct count {
	uint64_t all, failed;
};

struct item {
	struct overlay_key key;
	struct str server;
	const struct conf_outlier *policy; /* of this pass */
	bool has_agent, is_ejected;
	bool has_base; /* the three that follow are of this process of HAProxy */
	uint64_t answers, answers_5xx, failures;
	struct count window, interval; /* since the last window, the last sweep */
};

struct group {
	struct str backend;
	size_t first, n;                   /* of items */
	const struct conf_outlier *policy; /* of its first server; null: it has none */
	int64_t swept_ms;
	bool is_swept; /* now */
	size_t n_loud; /* servers with enough calls for failure_percentage */
	size_t at;     /* outlier_tally_next goes on here */
};

struct table {
	struct arena *arena;
	struct item *items; /* sorted by backend and server, by group */
	size_t n_items;
	struct item **by_key;
	struct group *groups; /* as the plan's backends, sorted by name */
	size_t n_groups;
};

struct outlier_tally {
	struct table now;
	uint64_t pid, start_time_s;
	int64_t window_ms; /* when the window began */
	bool has_window;
};

struct outlier_tally *
outlier_tally_new(void)
{
	return calloc(1, sizeof(struct outlier_tally));
}

void
outlier_tally_free(struct outlier_tally *t)
{
	if (t != NULL)
		arena_free(t->now.arena);
	free(t);
}

bool
outlier_tally_counts(const struct plan_server *s)
{
	return s->desired != NULL && s->desired->want == DESIRED_SERVE && s->evidence != EVIDENCE_REPLACED &&
	       s->desired->policy->outlier.mode != CONF_OUTLIER_OFF;
}

/* ---- finding ---- */

static int
item_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return str_cmp(x->server, y->server);
}

static int
group_cmp(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return str_cmp(x->backend, y->backend);
}

static int
key_cmp(const struct overlay_key *a, const struct overlay_key *b)
{
	int order = str_cmp(a->task_arn, b->task_arn);

	if (order == 0)
		order = str_cmp(a->backend, b->backend);
	if (order == 0)
		order = str_cmp(a->container, b->container);
	return order != 0 ? order : (int)a->port - (int)b->port;
}

static int
by_key(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return key_cmp(&x->key, &y->key);
}

static struct group *
find_group(const struct table *t, struct str backend)
{
	const struct group key = { .backend = backend };

	return t->n_groups > 0 ? bsearch(&key, t->groups, t->n_groups, sizeof(key), group_cmp) : NULL;
}

static struct item *
find_server(const struct table *t, struct str backend, struct str server)
{
	const struct group *g = find_group(t, backend);
	const struct item key = { .server = server };

	return g != NULL && g->n > 0 ? bsearch(&key, t->items + g->first, g->n, sizeof(key), item_cmp) : NULL;
}

static struct item *
find_task(const struct table *t, const struct overlay_key *key)
{
	struct item like = { .key = *key }, *p = &like, **hit;

	if (t->n_items == 0)
		return NULL;
	hit = bsearch(&p, t->by_key, t->n_items, sizeof(struct item *), by_key);
	return hit != NULL ? *hit : NULL;
}

/* ---- events ---- */

bool
outlier_tally_fail(struct outlier_tally *t, struct str backend, struct str server)
{
	struct item *i = find_server(&t->now, backend, server);

	if (i == NULL)
		return false;
	i->window.failed++;
	i->interval.failed++;
	return true;
}

void
outlier_tally_begin_anew(struct outlier_tally *t, const struct overlay_key *key)
{
	struct item *i = find_task(&t->now, key);

	if (i != NULL)
		i->window = i->interval = (struct count){ .all = 0 };
}

/* ---- counters ---- */

/* Since the time before; 0 when they began anew. */
static uint64_t
grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : 0;
}

static void
add_growth(struct item *i, const struct actual_server *a)
{
	uint64_t answers = grown(a->answers, i->answers), failures = grown(a->failures, i->failures);
	uint64_t failed = grown(a->answers_5xx, i->answers_5xx) + failures;

	i->window.all += answers + failures;
	i->interval.all += answers + failures;
	i->window.failed += failed;
	i->interval.failed += failed;
}

static void
read_counters(struct item *i, const struct actual_server *a)
{
	bool began_anew = a->answers < i->answers || a->failures < i->failures;

	if (i->has_base && !began_anew)
		add_growth(i, a);
	i->answers = a->answers;
	i->answers_5xx = a->answers_5xx;
	i->failures = a->failures;
	i->has_base = true;
	i->has_agent = a->has_agent;
	i->is_ejected = a->agent_down;
}

/* ---- a table in the making ---- */

static bool
keep_texts(struct arena *a, struct item *i)
{
	return arena_str(a, i->key.task_arn, &i->key.task_arn) && arena_str(a, i->key.container, &i->key.container) &&
	       arena_str(a, i->server, &i->server);
}

static bool
add_server(struct table *t, const struct table *before, const struct group *g, const struct plan_server *s, bool same)
{
	struct overlay_key key = overlay_key_of(g->backend, s->desired);
	const struct item *was = find_task(before, &key);
	struct item *i = &t->items[t->n_items];

	*i = (struct item){ .has_base = false };
	if (was != NULL) {
		*i = *was;
		i->has_base = was->has_base && same && str_eq(was->server, s->actual->name);
	}
	i->key = key;
	i->server = s->actual->name;
	i->policy = &s->desired->policy->outlier;
	if (!keep_texts(t->arena, i))
		return false;
	read_counters(i, s->actual);
	t->n_items++;
	return true;
}

static bool
add_backend(struct table *t, const struct table *before, const struct plan_backend *b, int64_t mono_ms, bool same)
{
	struct group *g = &t->groups[t->n_groups];
	const struct group *was = find_group(before, b->name);

	*g = (struct group){ .first = t->n_items, .swept_ms = was != NULL ? was->swept_ms : mono_ms };
	if (!arena_str(t->arena, b->name, &g->backend))
		return false;
	for (size_t i = 0; i < b->n_servers; i++) {
		if (!outlier_tally_counts(&b->servers[i]))
			continue;
		if (!add_server(t, before, g, &b->servers[i], same))
			return false;
	}
	g->n = t->n_items - g->first;
	g->policy = g->n > 0 ? t->items[g->first].policy : NULL;
	if (g->n > 0)
		qsort(t->items + g->first, g->n, sizeof(*t->items), item_cmp);
	t->n_groups++;
	return true;
}

static size_t
count_servers(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_backends; i++)
		n += p->backends[i].n_servers;
	return n < OUTLIER_SERVERS_MAX ? n : OUTLIER_SERVERS_MAX;
}

static bool
fill(struct table *t, const struct table *before, const struct plan *p, int64_t mono_ms, bool same)
{
	size_t n = count_servers(p);

	t->items = ARENA_ARRAY(t->arena, struct item, n);
	t->by_key = ARENA_ARRAY(t->arena, struct item *, n);
	t->groups = ARENA_ARRAY(t->arena, struct group, p->n_backends);
	if (t->items == NULL || t->by_key == NULL || t->groups == NULL)
		return false;
	for (size_t i = 0; i < p->n_backends && t->n_items + p->backends[i].n_servers <= n; i++)
		if (!add_backend(t, before, &p->backends[i], mono_ms, same))
			return false;
	for (size_t i = 0; i < t->n_items; i++)
		t->by_key[i] = &t->items[i];
	if (t->n_items > 0)
		qsort(t->by_key, t->n_items, sizeof(struct item *), by_key);
	if (t->n_groups > 0)
		qsort(t->groups, t->n_groups, sizeof(*t->groups), group_cmp);
	return true;
}

/* ---- windows and sweeps ---- */

static void
forget_windows(struct table *t)
{
	for (size_t i = 0; i < t->n_items; i++)
		t->items[i].window = (struct count){ .all = 0 };
}

static bool
is_loud(const struct item *i)
{
	return !i->is_ejected && i->interval.all >= i->policy->failure_volume;
}

/* The servers of a sweep with enough calls. */
static void
begin_sweep(struct table *t, struct group *g, int64_t mono_ms)
{
	g->at = 0;
	g->is_swept = g->policy != NULL && mono_ms - g->swept_ms >= g->policy->interval_ms;
	g->n_loud = 0;
	if (!g->is_swept)
		return;
	g->swept_ms = mono_ms;
	for (size_t i = 0; i < g->n; i++)
		g->n_loud += is_loud(&t->items[g->first + i]) ? 1 : 0;
}

static void
end_sweeps(struct table *t)
{
	for (size_t i = 0; i < t->n_groups; i++)
		for (size_t j = 0; t->groups[i].is_swept && j < t->groups[i].n; j++)
			t->items[t->groups[i].first + j].interval = (struct count){ .all = 0 };
}

bool
outlier_tally_pass(struct outlier_tally *t, const struct actual *actual, const struct plan *p, int64_t mono_ms)
{
	struct table made = { .arena = arena_new(TALLY_ARENA_MAX) };
	bool same = t->pid == actual->pid && t->start_time_s == actual->start_time_s;

	if (made.arena == NULL || !fill(&made, &t->now, p, mono_ms, same)) {
		arena_free(made.arena);
		return false;
	}
	arena_free(t->now.arena);
	t->now = made;
	t->pid = actual->pid;
	t->start_time_s = actual->start_time_s;
	t->has_window = mono_ms - t->window_ms >= OUTLIER_EVERY_MS - WINDOW_SLACK_MS;
	if (!t->has_window)
		return false;
	t->window_ms = mono_ms;
	for (size_t i = 0; i < t->now.n_groups; i++)
		begin_sweep(&t->now, &t->now.groups[i], mono_ms);
	return true;
}

void
outlier_tally_end(struct outlier_tally *t)
{
	if (!t->has_window)
		return;
	forget_windows(&t->now);
	end_sweeps(&t->now);
	t->has_window = false;
}

const struct conf_outlier *
outlier_tally_swept(const struct outlier_tally *t, struct str backend)
{
	const struct group *g = find_group(&t->now, backend);

	return g != NULL && g->is_swept ? g->policy : NULL;
}

/* ---- findings ---- */

/* An event may be of a call that `show stat` counts a moment later: more failures than
 * calls are no success either. */
static bool
fails_all(const struct item *i, struct outlier_finding *ret)
{
	if (i->policy->consecutive_errors == 0 || i->window.failed < i->policy->consecutive_errors ||
	    i->window.all > i->window.failed)
		return false;
	ret->cause = OUTLIER_CONSECUTIVE_ERRORS;
	(void)snprintf(
	    ret->because, sizeof(ret->because), "%" PRIu64 " errors and no success within a second", i->window.failed);
	return true;
}

static bool
fails_often(const struct group *g, const struct item *i, struct outlier_finding *ret)
{
	const struct conf_outlier *policy = i->policy;
	uint64_t failed = i->interval.failed < i->interval.all ? i->interval.failed : i->interval.all;

	if (!g->is_swept || policy->failure_threshold_percent == 0 || !is_loud(i) || i->interval.all == 0 ||
	    g->n_loud < policy->failure_min_hosts || failed * 100 < i->interval.all * policy->failure_threshold_percent)
		return false;
	ret->cause = OUTLIER_FAILURE_PERCENTAGE;
	(void)snprintf(ret->because, sizeof(ret->because),
	    "%" PRIu64 " of %" PRIu64 " calls failed within %" PRId64 " s", failed, i->interval.all,
	    policy->interval_ms / 1000);
	return true;
}

bool
outlier_tally_next(struct outlier_tally *t, struct str backend, struct outlier_finding *ret)
{
	struct group *g = find_group(&t->now, backend);

	while (g != NULL && g->at < g->n) {
		const struct item *i = &t->now.items[g->first + g->at++];

		if (i->is_ejected || !(fails_all(i, ret) || fails_often(g, i, ret)))
			continue;
		ret->key = i->key;
		ret->server = i->server;
		ret->policy = i->policy;
		ret->has_agent = i->has_agent;
		return true;
	}
	if (g != NULL)
		g->at = 0;
	return false;
}
