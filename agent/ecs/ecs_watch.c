/* All clusters of all sources, and the roster of them: see ecs_watch.h. */
#include "config.h"

#include "ecs/ecs_watch.h"

#include <stdlib.h>

#include "base/log.h"
#include "ecs/ecs_watch_cluster.h"
#include "io/loop.h"

#define STRETCH_MIN_MS INT64_C(1000)

struct ecs_watch {
	struct ecs_watch_listener to;
	struct taskdef_cache *definitions;
	struct ecs_hosts *hosts;
	struct ecs_watch_cluster **clusters; /* in the order of the configuration */
	struct roster_cluster *views;        /* as many; scratch */
	size_t n_clusters;
	unsigned *n_sharing; /* clusters of a source */
	const struct conf *conf;
};

/* Where no cluster is named, ECS itself takes the one of this name. */
static const struct str default_names[] = { { "default", 7 } };

static struct conf_list
names_of(const struct conf_source *source)
{
	if (source->clusters.n > 0)
		return source->clusters;
	return (struct conf_list){ .items = default_names, .n = 1 };
}

static size_t
count_clusters(const struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_sources; i++)
		n += names_of(&conf->sources[i]).n;
	return n;
}

/* ---- publishing ---- */

static void
publish(void *arg)
{
	struct ecs_watch *w = arg;
	struct err why = ERR_INIT;
	struct roster *r;

	for (size_t i = 0; i < w->n_clusters; i++)
		w->views[i] = ecs_watch_cluster_view(w->clusters[i]);
	if (roster_make(w->views, w->n_clusters, &r, &why) != ERR_OK) {
		log_error("ecs", "%s; nothing new is published, the next pass tries again", why.msg);
		return;
	}
	w->to.published(w->to.arg, r);
	roster_unref(r);
}

/* ---- making ---- */

static enum err_code
add_clusters(struct ecs_watch *w, const struct ecs_watch_cluster_start *of_source, struct err *e)
{
	struct conf_list names = names_of(of_source->source);
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < names.n && code == ERR_OK; i++) {
		struct ecs_watch_cluster_start start = *of_source;

		start.name = names.items[i];
		code = ecs_watch_cluster_new(&start, &w->clusters[w->n_clusters], e);
		w->n_clusters += code == ERR_OK;
	}
	return code;
}

static enum err_code
make_room(struct ecs_watch *w, size_t n, struct err *e)
{
	w->definitions = taskdef_cache_new(TASKDEF_CACHE_MAX);
	w->hosts = ecs_hosts_new(ECS_HOSTS_MAX);
	w->n_sharing = calloc(w->conf->n_sources + 1, sizeof(*w->n_sharing));
	w->clusters = calloc(n + 1, sizeof(struct ecs_watch_cluster *));
	w->views = calloc(n + 1, sizeof(*w->views));
	if (w->definitions == NULL || w->hosts == NULL || w->n_sharing == NULL || w->clusters == NULL ||
	    w->views == NULL)
		return err_set(e, ERR_NOMEM, "watch %zu clusters: %s", n, err_text(ERR_NOMEM));
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
	w->to = to;
	w->conf = conf;
	code = make_room(w, count_clusters(conf), e);
	for (size_t i = 0; i < conf->n_sources && code == ERR_OK; i++) {
		const struct ecs_watch_cluster_start of_source = {
			.loop = l,
			.source = &conf->sources[i],
			.callers = callers[i],
			.definitions = w->definitions,
			.hosts = w->hosts,
			.rnd = rnd,
			.n_sharing = &w->n_sharing[i],
			.is_held = to.is_held,
			.sought = to.sought,
			.held_arg = to.arg,
			.changed = publish,
			.arg = w,
		};

		w->n_sharing[i] = (unsigned)names_of(&conf->sources[i]).n;
		code = add_clusters(w, &of_source, e);
	}
	if (code != ERR_OK) {
		ecs_watch_close(w);
		return code;
	}
	*ret = w;
	return ERR_OK;
}

void
ecs_watch_start(struct ecs_watch *w)
{
	ecs_watch_poke(w);
}

void
ecs_watch_poke(struct ecs_watch *w)
{
	for (size_t i = 0; i < w->n_clusters; i++)
		ecs_watch_cluster_poke(w->clusters[i]);
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
		struct ecs_watch_pace pace = ecs_watch_cluster_pace(w->clusters[i]);

		if (!str_eq(ecs_watch_cluster_view(w->clusters[i]).source, s->name))
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
		ecs_watch_cluster_seek(w->clusters[i]);
}

void
ecs_watch_close(struct ecs_watch *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->n_clusters; i++)
		ecs_watch_cluster_close(w->clusters[i]);
	ecs_hosts_free(w->hosts);
	taskdef_cache_free(w->definitions);
	free(w->clusters);
	free(w->views);
	free(w->n_sharing);
	free(w);
}
