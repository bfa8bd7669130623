/* The last roster on disk: see app_roster.h. */
#include "config.h"

#include "app_roster.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "ecs/arn.h"
#include "ecs/roster_file.h"

#define ROSTER_FILE    "roster.json"
#define TEXTS_MAX      ((size_t)16384)   /* of one cluster */
#define SERVICES_MAX   ((size_t)1 << 20) /* likewise */
#define CLOCK_SLACK_MS INT64_C(5000)     /* a clock that was set back a little makes no file useless */

struct memory {                         /* of a cluster */
	struct arena *texts, *services; /* of known, the others and these */
	struct roster_file_cluster known;
	bool is_from_disk; /* not read since the start */
	bool is_told;
};

struct app_roster {
	struct clk clk;
	const struct app_state *state;
	loop_fn *due;
	void *arg;
	struct loop_timer *wait, *save_later;
	bool is_due;
	struct memory *clusters; /* sorted by source and name */
	size_t n_clusters, cap_clusters;
	bool has_news, is_fresher; /* than the file: other facts; the same, seen later */
	int64_t saved_ms;          /* monotonic; 0: not yet */
	struct fault save_fault, add_fault;
};

/* ---- what is known ---- */

static int
order(const struct roster_file_cluster *c, struct str source, struct str name)
{
	int by_source = str_cmp(c->source, source);

	return by_source != 0 ? by_source : str_cmp(c->name, name);
}

/* Where it is, or belongs. */
static size_t
place_of(const struct app_roster *a, struct str source, struct str name)
{
	size_t low = 0, high = a->n_clusters;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(&a->clusters[middle].known, source, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct memory *
find(const struct app_roster *a, struct str source, struct str name)
{
	size_t i = place_of(a, source, name);

	return i < a->n_clusters && order(&a->clusters[i].known, source, name) == 0 ? &a->clusters[i] : NULL;
}

/* Out of memory: they stay as they are. */
static bool
set_texts(struct memory *m, struct str source, struct str name, struct str arn, struct str account)
{
	struct roster_file_cluster k = m->known;
	struct arena *texts = arena_new(TEXTS_MAX);

	if (texts == NULL || !arena_str(texts, source, &k.source) || !arena_str(texts, name, &k.name) ||
	    !arena_str(texts, arn, &k.arn) || !arena_str(texts, account, &k.account)) {
		arena_free(texts);
		return false;
	}
	arena_free(m->texts);
	m->texts = texts;
	m->known = k;
	return true;
}

/* Likewise.  False: they are as they were. */
static bool
set_services(struct memory *m, const struct roster_service *services, size_t n)
{
	const struct roster_service *copies;
	struct arena *arena;

	if (roster_services_same(m->known.services, m->known.n_services, services, n))
		return false;
	arena = arena_new(SERVICES_MAX);
	if (arena == NULL || !roster_services_copy(arena, services, n, &copies)) {
		arena_free(arena);
		return false;
	}
	arena_free(m->services);
	m->services = arena;
	m->known.services = copies;
	m->known.n_services = n;
	return true;
}

static bool
make_room(struct app_roster *a)
{
	size_t cap = a->cap_clusters * 2 + 8;
	struct memory *bigger;

	if (a->n_clusters < a->cap_clusters)
		return true;
	bigger = reallocarray(a->clusters, cap, sizeof(*bigger));
	if (bigger == NULL)
		return false;
	a->clusters = bigger;
	a->cap_clusters = cap;
	return true;
}

/* Of none so far; null without memory for it. */
static struct memory *
add_memory(struct app_roster *a, struct str source, struct str name, struct str arn, struct str account)
{
	size_t at = place_of(a, source, name);
	struct memory m = { .texts = NULL };

	if (!make_room(a) || !set_texts(&m, source, name, arn, account))
		return NULL;
	memmove(&a->clusters[at + 1], &a->clusters[at], (a->n_clusters - at) * sizeof(m));
	a->clusters[at] = m;
	a->n_clusters++;
	return &a->clusters[at];
}

static void
note_facts(struct app_roster *a, struct memory *m, const struct roster_cluster *c)
{
	int64_t read_ms = c->complete_wall_ms != 0 ? c->complete_wall_ms : clk_wall_ms(&a->clk);

	m->is_from_disk = false;
	if (m->known.facts == c->facts) {
		a->is_fresher = a->is_fresher || m->known.read_wall_ms < read_ms;
	} else {
		roster_facts_unref(m->known.facts);
		m->known.facts = c->facts != NULL ? roster_facts_ref(c->facts) : NULL;
		a->has_news = true;
	}
	m->known.read_wall_ms = read_ms;
	if (set_services(m, c->services, c->n_services))
		a->has_news = true;
}

static void
note_cluster(struct app_roster *a, const struct roster_cluster *c)
{
	struct memory *m = find(a, c->source, c->name);

	if (m == NULL)
		m = add_memory(a, c->source, c->name, c->arn, c->account);
	else if (!str_eq(m->known.arn, c->arn) || !str_eq(m->known.account, c->account))
		(void)set_texts(m, c->source, c->name, c->arn, c->account);
	if (m != NULL)
		note_facts(a, m, c);
}

/* ---- writing ---- */

static bool
is_fresh(const struct app_roster *a, const struct roster_file_cluster *c)
{
	int64_t age_ms = clk_wall_ms(&a->clk) - c->read_wall_ms;

	return age_ms < APP_ROSTER_OLD_MS && age_ms >= -CLOCK_SLACK_MS;
}

static enum err_code
write_file(struct app_roster *a, struct err *e)
{
	struct roster_file_cluster *list = calloc(a->n_clusters + 1, sizeof(*list));
	struct buf text = buf_make(ROSTER_FILE_TEXT_MAX);
	enum err_code code = ERR_OK;
	size_t n = 0;

	if (list == NULL)
		return err_set(e, ERR_NOMEM, "state_dir: %s: %s", ROSTER_FILE, err_text(ERR_NOMEM));
	for (size_t i = 0; i < a->n_clusters; i++)
		if (is_fresh(a, &a->clusters[i].known))
			list[n++] = a->clusters[i].known;
	code = roster_file_write(list, n, clk_wall_ms(&a->clk), &text, e);
	if (code == ERR_OK)
		code = app_state_write(a->state, ROSTER_FILE, buf_str(&text), e);
	buf_free(&text);
	free(list);
	return code;
}

void
app_roster_save(struct app_roster *a)
{
	struct err e = ERR_INIT;

	if (a == NULL || (!a->has_news && !a->is_fresher))
		return;
	a->saved_ms = clk_mono_ms(&a->clk);
	if (write_file(a, &e) == ERR_OK) {
		a->has_news = a->is_fresher = false;
		if (fault_clear(&a->save_fault))
			log_info("ecs", "state_dir: %s is written again", ROSTER_FILE);
	} else if (fault_raise(&a->save_fault, a->saved_ms, &e)) {
		log_warn("ecs", "%s; a restart without AWS knows of no task that came since it was written", e.msg);
	}
}

static void
on_save_later(void *arg)
{
	app_roster_save(arg);
}

static void
save_in_time(struct app_roster *a)
{
	int64_t every_ms = a->has_news ? APP_ROSTER_SAVE_MS : APP_ROSTER_REFRESH_MS;
	int64_t wait_ms = a->saved_ms != 0 ? a->saved_ms + every_ms - clk_mono_ms(&a->clk) : 0;

	if (!a->has_news && !a->is_fresher)
		return;
	if (wait_ms <= 0)
		app_roster_save(a);
	else
		loop_timer_arm(a->save_later, wait_ms);
}

/* ---- adding ---- */

/* What the file has of c, if nothing was learnt of it yet; or null. */
static struct memory *
recall(const struct app_roster *a, const struct roster_cluster *c)
{
	struct memory *m = find(a, c->source, c->name);

	if (m == NULL || !m->is_from_disk || c->was_read || (c->facts != NULL && c->facts->n_tasks > 0))
		return NULL;
	return m;
}

/* A source may have moved to another region under its old name. */
static bool
is_of_source(const struct conf *conf, const struct roster_file_cluster *c)
{
	struct str name;
	struct arn arn;

	if (!arn_parse_cluster(c->arn, &arn, &name))
		return true;
	for (size_t i = 0; i < conf->n_sources; i++)
		if (str_eq(conf->sources[i].name, c->source))
			return conf->sources[i].region.len == 0 || str_eq(conf->sources[i].region, arn.region);
	return false;
}

static void
fill_in(struct app_roster *a, struct memory *m, struct roster_cluster *c)
{
	c->facts = m->known.facts;
	c->remembered_wall_ms = m->known.read_wall_ms;
	c->arn = c->arn.len > 0 ? c->arn : m->known.arn;
	c->account = c->account.len > 0 ? c->account : m->known.account;
	if (c->n_services == 0) {
		c->services = m->known.services;
		c->n_services = m->known.n_services;
	}
	if (m->is_told)
		return;
	m->is_told = true;
	log_warn("ecs",
	    "cluster `" STR_FMT "` of " STR_FMT " is not read yet: until it is, its %zu tasks that ran %" PRId64
	    " s ago (%s of the last run) may serve, and none is taken away for it",
	    STR_ARG(c->name), STR_ARG(c->source), c->facts != NULL ? c->facts->n_tasks : 0,
	    (clk_wall_ms(&a->clk) - c->remembered_wall_ms) / 1000, ROSTER_FILE);
}

static bool
is_listed(const struct roster *r, const struct roster_file_cluster *c)
{
	for (size_t i = 0; i < r->n_clusters; i++)
		if (str_eq(r->clusters[i].source, c->source) && str_eq(r->clusters[i].name, c->name))
			return true;
	return false;
}

/* The clusters of a "*" whose list is not known yet. */
static size_t
add_unlisted(struct app_roster *a, const struct conf *conf, const struct roster *r, size_t star,
    struct roster_cluster *list, size_t n)
{
	size_t first = n;

	for (size_t i = 0; i < a->n_clusters; i++) {
		struct memory *m = &a->clusters[i];

		if (!m->is_from_disk || !str_eq(m->known.source, list[star].source) || is_listed(r, &m->known) ||
		    !is_of_source(conf, &m->known))
			continue;
		list[n] = (struct roster_cluster){
			.source = m->known.source, .name = m->known.name, .arn = STR(""), .account = STR("")
		};
		fill_in(a, m, &list[n++]);
		list[star].remembered_wall_ms = m->known.read_wall_ms;
	}
	return n - first;
}

static void
add_listed(struct app_roster *a, const struct conf *conf, const struct roster *r, struct roster_cluster *list)
{
	for (size_t i = 0; i < r->n_clusters; i++)
		list[i] = r->clusters[i];
	for (size_t i = 0; i < r->n_clusters; i++) {
		struct memory *m = recall(a, &list[i]);

		if (m != NULL && is_of_source(conf, &m->known))
			fill_in(a, m, &list[i]);
	}
}

static enum err_code
make_roster(struct app_roster *a, const struct conf *conf, const struct roster *r, struct roster **ret, struct err *e)
{
	struct roster_cluster *list = calloc(r->n_clusters + a->n_clusters + 1, sizeof(*list));
	size_t n = r->n_clusters;
	enum err_code code;

	if (list == NULL)
		return err_set(e, ERR_NOMEM, "what %s adds: %s", ROSTER_FILE, err_text(ERR_NOMEM));
	add_listed(a, conf, r, list);
	for (size_t i = 0; i < r->n_clusters; i++)
		if (str_eq(list[i].name, STR("*")) && !list[i].was_read)
			n += add_unlisted(a, conf, r, i, list, n);
	code = roster_make(list, n, ret, e);
	free(list);
	if (code != ERR_OK || roster_set_self(*ret, &r->self))
		return code;
	roster_unref(*ret);
	return err_set(e, ERR_NOMEM, "what %s adds: %s", ROSTER_FILE, err_text(ERR_NOMEM));
}

static bool
has_some_from_disk(const struct app_roster *a)
{
	for (size_t i = 0; i < a->n_clusters; i++)
		if (a->clusters[i].is_from_disk)
			return true;
	return false;
}

struct roster *
app_roster_add(struct app_roster *a, const struct conf *conf, struct roster *r)
{
	struct roster *more = NULL;
	struct err e = ERR_INIT;

	if (a == NULL)
		return roster_ref(r);
	for (size_t i = 0; i < r->n_clusters; i++)
		if (r->clusters[i].was_read && !str_eq(r->clusters[i].name, STR("*")))
			note_cluster(a, &r->clusters[i]);
	save_in_time(a);
	if (!a->is_due || !has_some_from_disk(a))
		return roster_ref(r);
	if (make_roster(a, conf, r, &more, &e) == ERR_OK)
		return more;
	if (fault_raise(&a->add_fault, clk_mono_ms(&a->clk), &e))
		log_warn("ecs", "%s; only what was read since the start may serve", e.msg);
	return roster_ref(r);
}

const struct roster_service *
app_roster_services(
    const struct app_roster *a, const struct conf *conf, struct str source, struct str cluster, size_t *ret_n)
{
	const struct memory *m = a != NULL ? find(a, source, cluster) : NULL;

	*ret_n = 0;
	if (m == NULL || !is_of_source(conf, &m->known))
		return NULL;
	*ret_n = m->known.n_services;
	return m->known.services;
}

/* ---- life ---- */

static void
take(struct app_roster *a, const struct roster_file *f)
{
	size_t n_old = 0;

	for (size_t i = 0; i < f->n_clusters; i++) {
		const struct roster_file_cluster *c = &f->clusters[i];
		struct memory *m = is_fresh(a, c) ? add_memory(a, c->source, c->name, c->arn, c->account) : NULL;

		n_old += !is_fresh(a, c);
		if (m == NULL)
			continue;
		m->known.read_wall_ms = c->read_wall_ms;
		m->known.facts = roster_facts_ref(c->facts);
		(void)set_services(m, c->services, c->n_services);
		m->is_from_disk = true;
	}
	if (n_old > 0)
		log_info("ecs", "state_dir: what %s says of %zu cluster(s) is more than an hour old, and not used",
		    ROSTER_FILE, n_old);
}

static void
blame_file(const struct app_roster *a, const struct err *why)
{
	if (why->code == ERR_REFUSED)
		log_info("ecs", "state_dir: %s is not used: %s", ROSTER_FILE, why->msg);
	else if (why->code == ERR_PARSE && app_state_set_aside(a->state, ROSTER_FILE, NULL) == ERR_OK)
		log_warn("ecs", "state_dir: %s is damaged (%s): kept as %s.damaged, and begun anew", ROSTER_FILE,
		    why->msg, ROSTER_FILE);
	else
		log_warn("ecs", "state_dir: %s cannot be used (%s): begun anew", ROSTER_FILE, why->msg);
}

static void
read_file(struct app_roster *a)
{
	struct buf text = buf_make(ROSTER_FILE_TEXT_MAX);
	struct roster_file *f CLEANUP(roster_file_free_at) = NULL;
	struct err e = ERR_INIT;
	enum err_code code = app_state_read(a->state, ROSTER_FILE, &text, &e);

	if (code == ERR_OK && text.len > 0)
		code = roster_file_read(buf_str(&text), &f, &e);
	buf_free(&text);
	if (code != ERR_OK)
		blame_file(a, &e);
	else if (f != NULL)
		take(a, f);
}

static void
on_wait_over(void *arg)
{
	struct app_roster *a = arg;

	a->is_due = true;
	if (has_some_from_disk(a))
		a->due(a->arg);
}

enum err_code
app_roster_new(
    struct loop *l, const struct app_state *state, loop_fn *due, void *arg, struct app_roster **ret, struct err *e)
{
	struct app_roster *a = calloc(1, sizeof(*a));
	enum err_code code;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "the last roster");
	a->clk = loop_clk(l);
	a->state = state;
	a->due = due;
	a->arg = arg;
	code = loop_timer_new(l, on_wait_over, a, &a->wait, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_save_later, a, &a->save_later, e);
	if (code != ERR_OK) {
		app_roster_close(a);
		return code;
	}
	read_file(a);
	loop_timer_arm(a->wait, APP_ROSTER_WAIT_MS);
	*ret = a;
	return ERR_OK;
}

void
app_roster_close(struct app_roster *a)
{
	if (a == NULL)
		return;
	loop_timer_close(a->wait);
	loop_timer_close(a->save_later);
	for (size_t i = 0; i < a->n_clusters; i++) {
		arena_free(a->clusters[i].texts);
		arena_free(a->clusters[i].services);
		roster_facts_unref(a->clusters[i].known.facts);
	}
	free(a->clusters);
	free(a);
}
