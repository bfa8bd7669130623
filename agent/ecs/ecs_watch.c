/* All clusters of all sources, and the roster of them: see ecs_watch.h. */
#include "config.h"

#include "ecs/ecs_watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "ecs/arn.h"
#include "ecs/ecs_self.h"
#include "ecs/ecs_star.h"
#include "ecs/ecs_watch_cluster.h"
#include "io/loop.h"

#define STRETCH_MIN_MS INT64_C(1000)

/* What events tell is published with pauses of so many times what publishing took. */
#define PUBLISH_APART_X 4

#define CLUSTERS_MAX 2000 /* of a source, found by "*" */

struct cluster {
	struct ecs_watch_cluster *watch;
	size_t source;
	char *found; /* its ARN, if it was found by "*"; else null */
};

struct source {
	struct ecs_watch *watch;
	size_t index;
	unsigned n_clusters; /* that share its rate limit */
	struct ecs_star *star;
	bool is_as_before;          /* asked at the same place, with the same credentials */
	bool is_listening;          /* to its events */
	bool waits_for_self;        /* its cluster is our own, which is not known yet */
	struct roster_cluster lost; /* what is shown of it then */
};

struct ecs_watch {
	struct loop *loop;
	const struct conf *conf;
	struct ecs_watch_callers *callers;
	struct prng *rnd;
	struct ecs_watch_listener to;
	struct taskdef_cache *definitions;
	struct ecs_hosts *hosts;
	struct source *sources; /* as many as conf has */
	struct cluster *clusters;
	size_t n_clusters, cap_clusters;
	bool started;

	struct ecs_self *asking; /* null: we are no task of ECS, as far as the environment says */
	struct arena *self_arena;
	struct roster_self self;
	bool self_is_settled; /* known, or not to be had soon */

	struct loop_timer *publish_timer; /* for what events told too soon after the last */
	bool publish_waits;
	int64_t published_ns, publish_took_ns; /* by events; the loop's clock is too coarse */

	struct roster *before; /* of an earlier configuration, until we have started; null: nothing */
};

/* Where no cluster is named and we are no task, ECS itself takes the one of this name. */
static const struct str default_name = { "default", 7 };

/* ---- publishing ---- */

/* A list of clusters is shown only while it is not known, or something is wrong with it. */
static size_t
view_source(const struct ecs_watch *w, size_t i, struct roster_cluster *views)
{
	const struct source *s = &w->sources[i];
	size_t n = 0;

	for (size_t k = 0; k < w->n_clusters; k++)
		if (w->clusters[k].source == i)
			views[n++] = ecs_watch_cluster_view(w->clusters[k].watch);
	if (s->star != NULL)
		views[n] = ecs_star_view(s->star);
	if (s->star != NULL && (!views[n].was_read || views[n].fault.on))
		n++;
	if (s->waits_for_self)
		views[n++] = s->lost;
	return n;
}

static enum err_code
make_roster(const struct ecs_watch *w, struct roster **ret, struct err *e)
{
	size_t max = w->n_clusters + 2 * w->conf->n_sources, n = 0;
	struct roster_cluster *views = calloc(max + 1, sizeof(*views));
	enum err_code code;

	if (views == NULL)
		return err_set(e, ERR_NOMEM, "a roster of %zu clusters: %s", max, err_text(ERR_NOMEM));
	for (size_t i = 0; i < w->conf->n_sources; i++)
		n += view_source(w, i, views + n);
	code = roster_make(views, n, ret, e);
	free(views);
	if (code != ERR_OK || roster_set_self(*ret, &w->self))
		return code;
	roster_unref(*ret);
	return err_set(e, ERR_NOMEM, "a roster: %s", err_text(ERR_NOMEM));
}

static void
publish(void *arg)
{
	struct ecs_watch *w = arg;
	struct err why = ERR_INIT;
	struct roster *r;

	if (make_roster(w, &r, &why) != ERR_OK) {
		log_error("ecs", "%s; nothing new is published, the next pass tries again", why.msg);
		return;
	}
	w->to.published(w->to.arg, r);
	roster_unref(r);
}

void
ecs_watch_publish(struct ecs_watch *w)
{
	if (w->started)
		publish(w);
}

/* ---- what events tell ---- */

static int64_t
now_ns(void)
{
	struct timespec now = { .tv_sec = 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
publish_told(void *arg)
{
	struct ecs_watch *w = arg;
	int64_t began = now_ns();

	w->publish_waits = false;
	ecs_watch_publish(w);
	w->published_ns = now_ns();
	w->publish_took_ns = w->published_ns - began;
}

static void
publish_soon(struct ecs_watch *w)
{
	int64_t wait = w->published_ns + w->publish_took_ns * PUBLISH_APART_X - now_ns();

	if (w->publish_waits)
		return;
	if (wait <= 0) {
		publish_told(w);
		return;
	}
	w->publish_waits = true;
	loop_timer_arm(w->publish_timer, (wait + 999999) / 1000000);
}

void
ecs_watch_listening(struct ecs_watch *w, size_t source, bool is_listening)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		if (w->clusters[i].source == source)
			ecs_watch_cluster_listening(w->clusters[i].watch, is_listening);
	w->sources[source].is_listening = is_listening;
}

bool
ecs_watch_told(struct ecs_watch *w, size_t source, const struct ecs_event *event)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		if (w->clusters[i].source == source && ecs_watch_cluster_told(w->clusters[i].watch, event))
			return true;
	return false;
}

void
ecs_watch_take_told(struct ecs_watch *w, size_t source)
{
	bool news = false;

	for (size_t i = 0; i < w->n_clusters; i++)
		if (w->clusters[i].source == source)
			news = ecs_watch_cluster_take_told(w->clusters[i].watch) || news;
	if (news)
		publish_soon(w);
}

/* ---- what was known before ---- */

static bool
is_asked_alike(const struct conf_source *a, const struct conf_source *b)
{
	return str_eq(a->name, b->name) && str_eq(a->region, b->region) && str_eq(a->endpoint, b->endpoint) &&
	       str_eq(a->access_key_id, b->access_key_id) && str_eq(a->secret_access_key, b->secret_access_key) &&
	       str_eq(a->session_token, b->session_token) && str_eq(a->profile, b->profile) &&
	       str_eq(a->role_arn, b->role_arn) && str_eq(a->external_id, b->external_id);
}

static bool
was_asked_alike(const struct conf *before, const struct conf_source *s)
{
	for (size_t i = 0; i < before->n_sources; i++)
		if (is_asked_alike(&before->sources[i], s))
			return true;
	return false;
}

/* By its name or its ARN, as it is asked for; or null. */
static const struct roster_cluster *
find_before(const struct ecs_watch *w, size_t source, struct str name, struct str shown)
{
	size_t n = w->before != NULL && w->sources[source].is_as_before ? w->before->n_clusters : 0;

	for (size_t i = 0; i < n; i++) {
		const struct roster_cluster *c = &w->before->clusters[i];

		/* What a file remembers of it comes again from there. */
		if (c->remembered_wall_ms == 0 && str_eq(c->source, w->conf->sources[source].name) &&
		    (str_eq(c->name, shown) || (c->arn.len > 0 && str_eq(c->arn, name))))
			return c;
	}
	return NULL;
}

static enum err_code
take_over(struct ecs_watch *w, const struct ecs_watch_before *before, struct err *e)
{
	enum err_code code;

	if (before->roster == NULL)
		return ERR_OK;
	code = roster_make(before->roster->clusters, before->roster->n_clusters, &w->before, e);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < w->conf->n_sources; i++)
		w->sources[i].is_as_before = was_asked_alike(before->conf, &w->conf->sources[i]);
	if (!roster_self_copy(w->self_arena, &before->roster->self, &w->self))
		return err_set(e, ERR_NOMEM, "watch ECS: %s", err_text(ERR_NOMEM));
	w->self_is_settled = w->self.task_arn.len > 0;
	return ERR_OK;
}

/* ---- clusters ---- */

static struct cluster *
make_room(struct ecs_watch *w)
{
	size_t cap = w->cap_clusters == 0 ? 8 : w->cap_clusters * 2;
	struct cluster *bigger;

	if (w->n_clusters < w->cap_clusters)
		return &w->clusters[w->n_clusters];
	bigger = reallocarray(w->clusters, cap, sizeof(*bigger));
	if (bigger == NULL)
		return NULL;
	w->clusters = bigger;
	w->cap_clusters = cap;
	return &w->clusters[w->n_clusters];
}

/* found: null, or name as a string of its own, which goes with the cluster. */
static enum err_code
add_cluster(struct ecs_watch *w, size_t source, struct str name, struct str shown, char *found, struct err *e)
{
	struct ecs_watch_cluster_start start = {
		.loop = w->loop,
		.source = &w->conf->sources[source],
		.name = name,
		.shown = shown,
		.callers = w->callers[source],
		.definitions = w->definitions,
		.hosts = w->hosts,
		.rnd = w->rnd,
		.n_sharing = &w->sources[source].n_clusters,
		.is_held = w->to.is_held,
		.sought = w->to.sought,
		.contest = w->to.contest,
		.held_arg = w->to.arg,
		.before = find_before(w, source, name, shown),
		.changed = publish,
		.arg = w,
	};
	struct cluster *c = make_room(w);
	enum err_code code;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "watch a cluster: %s", err_text(ERR_NOMEM));
	if (w->to.services != NULL)
		start.services = w->to.services(w->to.arg, start.source->name, shown, &start.n_services);
	code = ecs_watch_cluster_new(&start, &c->watch, e);
	if (code != ERR_OK)
		return code;
	c->source = source;
	c->found = found;
	ecs_watch_cluster_listening(c->watch, w->sources[source].is_listening);
	w->n_clusters++;
	w->sources[source].n_clusters++;
	if (w->started)
		ecs_watch_cluster_poke(c->watch);
	return ERR_OK;
}

static void
drop_cluster(struct ecs_watch *w, size_t i)
{
	ecs_watch_cluster_close(w->clusters[i].watch);
	free(w->clusters[i].found);
	w->sources[w->clusters[i].source].n_clusters--;
	w->n_clusters--;
	memmove(&w->clusters[i], &w->clusters[i + 1], (w->n_clusters - i) * sizeof(w->clusters[0]));
}

/* ---- "*" ---- */

static bool
is_watched(const struct ecs_watch *w, size_t source, struct str arn)
{
	for (size_t i = 0; i < w->n_clusters; i++) {
		struct roster_cluster view;

		if (w->clusters[i].source != source)
			continue;
		view = ecs_watch_cluster_view(w->clusters[i].watch);
		if (w->clusters[i].found != NULL ? str_eq(str_from_cstr(w->clusters[i].found), arn)
						 : str_eq(arn_cluster_name(view.name), arn_cluster_name(arn)))
			return true;
	}
	return false;
}

static void
add_found(struct ecs_watch *w, size_t source, struct str arn)
{
	char *found = strndup(arn.ptr, arn.len);
	struct err why = ERR_INIT;
	enum err_code code = ERR_NOMEM;

	if (w->sources[source].n_clusters >= CLUSTERS_MAX)
		err_fill(&why, ERR_LIMIT, 0, "more than %d clusters", CLUSTERS_MAX);
	else if (found == NULL)
		err_fill(&why, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
	else
		code =
		    add_cluster(w, source, str_from_cstr(found), arn_cluster_name(str_from_cstr(found)), found, &why);
	if (code == ERR_OK) {
		log_info("ecs", "cluster `" STR_FMT "` of " STR_FMT " is there, and watched from now on",
		    STR_ARG(arn_cluster_name(arn)), STR_ARG(w->conf->sources[source].name));
		return;
	}
	free(found);
	log_warn("ecs", "cluster `" STR_FMT "` of " STR_FMT " is not watched: %s; the next list tries again",
	    STR_ARG(arn_cluster_name(arn)), STR_ARG(w->conf->sources[source].name), why.msg);
}

static bool
has_tasks(const struct ecs_watch_cluster *c)
{
	const struct roster_facts *facts = ecs_watch_cluster_view(c).facts;

	for (size_t i = 0; facts != NULL && i < facts->n_tasks; i++)
		if (facts->tasks[i].ended_wall_ms == 0)
			return true;
	return false;
}

static int
by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

/* That a list lacks a cluster is no evidence about its tasks: as long as one is not known to
 * be over, the cluster is watched on. */
static void
drop_unlisted(struct ecs_watch *w, size_t source, const struct str *arns, size_t n)
{
	for (size_t i = w->n_clusters; i-- > 0;) {
		struct str arn = str_from_cstr(w->clusters[i].found);

		if (w->clusters[i].source != source || arn.len == 0 || has_tasks(w->clusters[i].watch) ||
		    (n > 0 && bsearch(&arn, arns, n, sizeof(arn), by_text) != NULL))
			continue;
		log_info("ecs", "cluster `" STR_FMT "` of " STR_FMT " is gone, and had no tasks: not watched any more",
		    STR_ARG(arn_cluster_name(arn)), STR_ARG(w->conf->sources[source].name));
		drop_cluster(w, i);
	}
}

/* Those found before are watched while the list cannot be had. */
static void
add_found_before(struct ecs_watch *w, size_t source)
{
	size_t n = w->before != NULL && w->sources[source].is_as_before ? w->before->n_clusters : 0;

	for (size_t i = 0; i < n; i++) {
		const struct roster_cluster *c = &w->before->clusters[i];

		if (str_eq(c->source, w->conf->sources[source].name) && c->arn.len > 0 && c->facts != NULL &&
		    !is_watched(w, source, c->arn))
			add_found(w, source, c->arn);
	}
}

static void
on_listed(void *arg, const struct str *arns, size_t n)
{
	struct source *s = arg;
	struct ecs_watch *w = s->watch;
	size_t before = w->n_clusters;

	drop_unlisted(w, s->index, arns, n);
	for (size_t i = 0; i < n; i++)
		if (!is_watched(w, s->index, arns[i]))
			add_found(w, s->index, arns[i]);
	if (w->n_clusters != before)
		publish(w);
}

static void
on_star_changed(void *arg)
{
	const struct source *s = arg;

	publish(s->watch);
}

/* ---- our own cluster ---- */

static bool
is_own_region(const struct ecs_watch *w, size_t source)
{
	return str_eq(w->self.region, w->conf->sources[source].region);
}

/* A source that names no cluster has our own, if that is in its region; else the default. */
static void
add_own(struct ecs_watch *w, size_t source)
{
	bool own = w->self.cluster.len > 0 && is_own_region(w, source);
	struct str name = own ? w->self.cluster : default_name;
	struct err why = ERR_INIT;

	if (add_cluster(w, source, name, arn_cluster_name(name), NULL, &why) != ERR_OK)
		log_error("ecs", "%s", why.msg);
	else
		w->sources[source].waits_for_self = false;
}

static void
lose_own(struct ecs_watch *w, struct source *s, const struct err *why)
{
	struct err e = ERR_INIT;

	err_fill(&e, why->code, 0, "our own cluster is not known: %s", why->msg);
	s->lost.source = w->conf->sources[s->index].name;
	s->lost.name = default_name;
	(void)fault_raise(&s->lost.fault, 0, &e);
}

static void start_all(struct ecs_watch *w);

static void
on_self(void *arg, const struct roster_self *who, const struct err *why)
{
	struct ecs_watch *w = arg;

	if (who != NULL && !roster_self_copy(w->self_arena, who, &w->self)) {
		log_error("ecs", "our own task: %s", err_text(ERR_NOMEM));
		w->self = (struct roster_self){ .task_arn = STR("") };
	}
	for (size_t i = 0; i < w->conf->n_sources; i++) {
		if (!w->sources[i].waits_for_self)
			continue;
		if (who != NULL)
			add_own(w, i);
		else
			lose_own(w, &w->sources[i], why);
	}
	if (!w->self_is_settled)
		start_all(w);
	w->self_is_settled = true;
	publish(w);
}

/* ---- making ---- */

static enum err_code
add_star(struct ecs_watch *w, size_t i, struct err *e)
{
	const struct ecs_star_start start = {
		.loop = w->loop,
		.source = &w->conf->sources[i],
		.caller = w->callers[i].ecs,
		.rnd = w->rnd,
		.listed = on_listed,
		.changed = on_star_changed,
		.arg = &w->sources[i],
	};

	return ecs_star_new(&start, &w->sources[i].star, e);
}

static enum err_code
add_source(struct ecs_watch *w, size_t i, struct err *e)
{
	const struct conf_list names = w->conf->sources[i].clusters;
	enum err_code code = ERR_OK;

	if (names.n == 0 && w->to.metadata_uri.len > 0) {
		w->sources[i].waits_for_self = true;
		if (w->self_is_settled)
			add_own(w, i);
		return ERR_OK;
	}
	if (names.n == 0)
		return add_cluster(w, i, default_name, default_name, NULL, e);
	for (size_t k = 0; k < names.n && code == ERR_OK; k++)
		code = str_eq(names.items[k], STR("*")) ? add_star(w, i, e)
							: add_cluster(w, i, names.items[k], names.items[k], NULL, e);
	if (code == ERR_OK && w->sources[i].star != NULL)
		add_found_before(w, i);
	return code;
}

static enum err_code
make_parts(struct ecs_watch *w, const struct ecs_watch_callers *callers, struct err *e)
{
	size_t n = w->conf->n_sources;

	w->definitions = taskdef_cache_new(TASKDEF_CACHE_MAX);
	w->hosts = ecs_hosts_new(ECS_HOSTS_MAX);
	w->sources = calloc(n + 1, sizeof(*w->sources));
	w->callers = calloc(n + 1, sizeof(*w->callers));
	w->self_arena = arena_new(ECS_SELF_ANSWER_MAX);
	if (w->definitions == NULL || w->hosts == NULL || w->sources == NULL || w->callers == NULL ||
	    w->self_arena == NULL)
		return err_set(e, ERR_NOMEM, "watch ECS: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < n; i++) {
		w->callers[i] = callers[i];
		w->sources[i].watch = w;
		w->sources[i].index = i;
	}
	return ERR_OK;
}

enum err_code
ecs_watch_new(struct loop *l, const struct conf *conf, const struct ecs_watch_callers *callers, struct prng *rnd,
    struct ecs_watch_listener to, struct ecs_watch **ret, struct err *e)
{
	struct ecs_watch *w = calloc(1, sizeof(*w));
	enum err_code code;

	if (w == NULL)
		return err_set(e, ERR_NOMEM, "watch ECS: %s", err_text(ERR_NOMEM));
	w->loop = l;
	w->conf = conf;
	w->rnd = rnd;
	w->to = to;
	code = make_parts(w, callers, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, publish_told, w, &w->publish_timer, e);
	if (code == ERR_OK)
		code = take_over(w, &to.before, e);
	for (size_t i = 0; code == ERR_OK && i < conf->n_sources; i++)
		code = add_source(w, i, e);
	if (code != ERR_OK) {
		ecs_watch_close(w);
		return code;
	}
	*ret = w;
	return ERR_OK;
}

static void
start_all(struct ecs_watch *w)
{
	bool knows_some = w->before != NULL;

	roster_unref(MOVE(w->before)); /* a cluster that comes later is not what was there once */
	w->started = true;
	ecs_watch_poke(w);
	if (knows_some)
		publish(w);
}

/* Nobody is published before we know whom to keep out, or that we cannot know it soon. */
void
ecs_watch_start(struct ecs_watch *w)
{
	struct err why = ERR_INIT;

	if (w->to.metadata_uri.len == 0 || w->self_is_settled) {
		start_all(w);
		return;
	}
	if (ecs_self_new(w->loop, w->to.http, w->to.metadata_uri, on_self, w, &w->asking, &why) == ERR_OK)
		return;
	log_warn("ecs", "%s; our own task and service are not kept out", why.msg);
	for (size_t i = 0; i < w->conf->n_sources; i++)
		if (w->sources[i].waits_for_self)
			lose_own(w, &w->sources[i], &why);
	start_all(w);
}

void
ecs_watch_poke(struct ecs_watch *w)
{
	if (!w->started)
		return;
	for (size_t i = 0; i < w->n_clusters; i++)
		ecs_watch_cluster_poke(w->clusters[i].watch);
	for (size_t i = 0; i < w->conf->n_sources; i++)
		if (w->sources[i].star != NULL)
			ecs_star_poke(w->sources[i].star);
}

/* A look takes its calls' time, too, which is no stretching yet. */
static bool
is_stretched(int64_t real_ms, int64_t wanted_ms)
{
	return real_ms > wanted_ms + wanted_ms / 2 + STRETCH_MIN_MS;
}

bool
ecs_watch_stretched(const struct ecs_watch *w, size_t source, struct ecs_watch_pace *ret)
{
	const struct conf_source *s = &w->conf->sources[source];

	*ret = (struct ecs_watch_pace){ .watch_ms = s->watch_ms, .refresh_ms = s->refresh_ms };
	for (size_t i = 0; i < w->n_clusters; i++) {
		struct ecs_watch_pace pace = ecs_watch_cluster_pace(w->clusters[i].watch);

		if (w->clusters[i].source != source)
			continue;
		ret->watch_ms = pace.watch_ms > ret->watch_ms ? pace.watch_ms : ret->watch_ms;
		ret->refresh_ms = pace.refresh_ms > ret->refresh_ms ? pace.refresh_ms : ret->refresh_ms;
	}
	return is_stretched(ret->watch_ms, s->watch_ms) || is_stretched(ret->refresh_ms, s->refresh_ms);
}

void
ecs_watch_seek(struct ecs_watch *w)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		ecs_watch_cluster_seek(w->clusters[i].watch);
}

void
ecs_watch_contest(struct ecs_watch *w)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		ecs_watch_cluster_contest(w->clusters[i].watch);
}

const struct fault *
ecs_watch_contest_fault(const struct ecs_watch *w)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		if (ecs_watch_cluster_contest_fault(w->clusters[i].watch)->on)
			return ecs_watch_cluster_contest_fault(w->clusters[i].watch);
	return NULL;
}

struct str
ecs_watch_machine(const struct ecs_watch *w, struct str container_instance_arn)
{
	const struct ecs_host *host = ecs_hosts_find(w->hosts, container_instance_arn);

	return host != NULL ? host->id : STR("");
}

void
ecs_watch_close(struct ecs_watch *w)
{
	if (w == NULL)
		return;
	ecs_self_close(w->asking);
	for (size_t i = 0; i < w->n_clusters; i++) {
		ecs_watch_cluster_close(w->clusters[i].watch);
		free(w->clusters[i].found);
	}
	for (size_t i = 0; w->sources != NULL && i < w->conf->n_sources; i++)
		ecs_star_close(w->sources[i].star);
	loop_timer_close(w->publish_timer);
	roster_unref(w->before);
	ecs_hosts_free(w->hosts);
	taskdef_cache_free(w->definitions);
	arena_free(w->self_arena);
	free(w->clusters);
	free(w->callers);
	free(w->sources);
	free(w);
}
