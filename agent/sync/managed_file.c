/* What backends.cfg should say: see managed_file.h. */
#include "config.h"

#include "sync/managed_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "sync/managed.h"

#define SLOT_NAME_MAX 100

struct writer {
	const struct conf_backend *conf;
	const struct desired_backend *desired; /* null: none */
	const struct plan_backend *plan;       /* null: none */
	const struct hap_render_outline *before;
	const struct hap_render_section *section; /* of before; null: not there */
	struct arena *arena;
	struct hap_render_server *servers;
	size_t n;
	bool *is_in; /* by desired->servers */
};

static int
cmp_servers(const void *a, const void *b)
{
	const struct hap_render_server *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static bool
was_in(const struct writer *w, const struct desired_server *d)
{
	return d->want == DESIRED_SERVE && w->section != NULL && hap_render_names(w->before, w->section, d->name);
}

/* Should it stand in the file, and how? */
static bool
take_state(const struct writer *w, const struct plan_server *s, struct hap_render_server *ret)
{
	switch (s->state) {
	case PLAN_STATE_UP:
	case PLAN_STATE_EJECTED:
		return true;
	case PLAN_STATE_DOWN:
		ret->is_down = true;
		return true;
	case PLAN_STATE_HELD:
		ret->is_disabled = s->actual->admin == ACTUAL_MAINT;
		if (s->actual->admin == ACTUAL_DRAIN)
			ret->weight = 0;
		return true;
	case PLAN_STATE_JOINING:
		if (s->desired == NULL || !was_in(w, s->desired))
			return false;
		ret->weight = s->desired->weight;
		return true;
	case PLAN_STATE_DRAINING:
		return false;
	}
	return false;
}

/* A slot that no task explains has no name of its own once it is static: it must not
 * look like a slot. */
static bool
name_it(struct writer *w, const struct plan_server *s, struct str *ret)
{
	struct buf text = buf_make(SLOT_NAME_MAX);
	bool done;

	if (s->desired != NULL || !s->actual->is_slot) {
		*ret = s->desired != NULL ? s->desired->name : s->actual->name;
		return true;
	}
	buf_printf(
	    &text, STR_FMT "_" STR_FMT "_%u", STR_ARG(s->actual->name), STR_ARG(s->actual->address), s->actual->port);
	done = buf_failed(&text, NULL) == ERR_OK && arena_str(w->arena, buf_str(&text), ret);
	buf_free(&text);
	return done;
}

static bool
add_actual(struct writer *w, const struct plan_server *s)
{
	struct hap_render_server *to = &w->servers[w->n];

	*to = (struct hap_render_server){
		.address = s->actual->address,
		.port = s->actual->port,
		.policy = s->desired != NULL ? s->desired->policy : &w->conf->policy,
		.weight = s->actual->weight,
	};
	if (s->actual->address.len == 0 || s->actual->port == 0 || !take_state(w, s, to))
		return true;
	if (!name_it(w, s, &to->name))
		return false;
	if (s->desired != NULL)
		w->is_in[s->desired - w->desired->servers] = true;
	w->n++;
	return true;
}

/* HAProxy lacks it for the moment (another process, other settings on their way). */
static void
add_desired(struct writer *w, const struct desired_server *d)
{
	w->servers[w->n++] = (struct hap_render_server){
		.name = d->name,
		.address = d->address,
		.port = d->port,
		.policy = d->policy,
		.weight = d->weight,
	};
}

/* A name twice would stop HAProxy. */
static void
sort_once(struct writer *w)
{
	size_t n = 0;

	qsort(w->servers, w->n, sizeof(*w->servers), cmp_servers);
	for (size_t i = 0; i < w->n; i++)
		if (n == 0 || !str_eq(w->servers[n - 1].name, w->servers[i].name))
			w->servers[n++] = w->servers[i];
	w->n = n;
}

static enum err_code
collect(struct writer *w, struct err *e)
{
	size_t n_plan = w->plan != NULL ? w->plan->n_servers : 0;
	size_t n_desired = w->desired != NULL ? w->desired->n_servers : 0;

	w->servers = ARENA_ARRAY(w->arena, struct hap_render_server, n_plan + n_desired + 1);
	w->is_in = ARENA_ARRAY(w->arena, bool, n_desired + 1);
	if (w->servers == NULL || w->is_in == NULL)
		return err_set(e, ERR_NOMEM, "the servers of backends.cfg");
	for (size_t i = 0; i < n_plan; i++)
		if (!add_actual(w, &w->plan->servers[i]))
			return err_set(e, ERR_NOMEM, "the servers of backends.cfg");
	for (size_t i = 0; i < n_desired; i++)
		if (!w->is_in[i] && was_in(w, &w->desired->servers[i]))
			add_desired(w, &w->desired->servers[i]);
	sort_once(w);
	return ERR_OK;
}

/* Ahead of need, in steps that are rarely taken, and never back. */
static unsigned
slots(const struct writer *w, unsigned major)
{
	size_t serve = w->desired != NULL ? w->desired->n_serve : 0;
	unsigned n = w->section != NULL ? w->section->n_slots : 0;

	if (major >= 3)
		return 0;
	if (n < MANAGED_SLOTS_MIN || n > MANAGED_SLOTS_MAX)
		n = MANAGED_SLOTS_MIN;
	while (n < 2 * serve && n < MANAGED_SLOTS_MAX)
		n *= 2;
	return n < MANAGED_SLOTS_MAX ? n : MANAGED_SLOTS_MAX;
}

static bool
was_all_read(const struct roster *r)
{
	for (size_t i = 0; i < r->n_clusters; i++)
		if (!r->clusters[i].was_read)
			return false;
	return true;
}

/* Nothing asks for it any more, and nothing of it is left. */
static bool
is_over(const struct reconcile_view *v, const struct conf_backend *conf, const struct plan_backend *p)
{
	return conf->retired && p != NULL && (p->is_over || (!p->exists && v->desired->labels_are_known));
}

/* Nobody asks for it any more, and how its servers are reached is written in its section alone. */
static bool
is_left_as_written(const struct conf *conf, const struct desired_backend *d)
{
	return d->conf->retired && conf_backend_by_name(conf, d->name) == NULL;
}

/* "NAME ADDRESS:PORT ..." of a server that HAProxy has, and that does not leave.  In HAProxy it may have a
 * slot's name. */
static bool
serves_at(const struct plan_backend *p, struct str words)
{
	struct str name, place = STR("");

	(void)(str_next(&words, ' ', &name) && str_next(&words, ' ', &place));
	for (size_t i = 0; i < p->n_servers; i++) {
		const struct actual_server *a = p->servers[i].actual;
		const bool is_v6 = str_find(a->address, ':', &(size_t){ 0 });
		char text[80];

		(void)snprintf(text, sizeof(text), "%s" STR_FMT "%s:%u", is_v6 ? "[" : "", STR_ARG(a->address),
		    is_v6 ? "]" : "", a->port);
		if (p->servers[i].state != PLAN_STATE_DRAINING && str_eq(place, str_from_cstr(text)))
			return true;
	}
	return false;
}

/* p null: what HAProxy has of it was not asked. */
static void
put_section(const struct hap_render_section *s, const struct plan_backend *p, struct buf *out)
{
	struct str rest = str_trim(s->text), line;

	buf_put(out, STR("\n"));
	while (rest.len > 0 && str_next(&rest, '\n', &line)) {
		struct str words = str_trim(line);

		if (p != NULL && str_has_prefix(words, STR("server ")) && !serves_at(p, str_skip(words, 7)))
			continue;
		buf_put(out, line);
		buf_put(out, STR("\n"));
	}
}

/* Sections of which a cluster may still tell, and those with servers whose tasks may run. */
static enum err_code
keep_sections(const struct conf *conf, const struct reconcile_view *v, const struct hap_render_outline *before,
    struct buf *out, struct err *e)
{
	for (size_t i = 0; i < before->n_sections; i++) {
		const struct hap_render_section *s = &before->sections[i];
		const struct desired_backend *d = desired_find(v->desired, s->name);
		const struct plan_backend *p = plan_find(v->plan, s->name);

		if (d == NULL ? !was_all_read(v->desired->roster)
			      : is_left_as_written(conf, d) && !is_over(v, d->conf, p))
			put_section(s, p, out);
	}
	return buf_failed(out, e);
}

/* HAProxy is to make it at run time first: a name that it refuses must not stand in a file that it
 * starts from. */
static bool
is_only_asked_for(const struct reconcile_view *v, const struct writer *w)
{
	return w->section == NULL && (w->plan == NULL || !w->plan->exists) && plan_makes(v->plan, w->desired->name);
}

/* Without a section, and still in HAProxy: a daemon that is started now is to know it for its own. */
static bool
is_left(const struct reconcile_view *v, const struct writer *w)
{
	if (!w->conf->managed || !w->conf->retired || w->plan == NULL || !w->plan->exists)
		return false;
	return is_over(v, w->conf, w->plan) || (w->section == NULL && hap_render_is_left(w->before, w->desired->name));
}

enum err_code
managed_file_render(const struct conf *conf, const struct reconcile_view *v, const struct hap_render_outline *before,
    struct buf *out, struct err *e)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(PLAN_ARENA_MAX);
	struct hap_render_backend *backends;
	struct str *left;
	enum err_code code;
	struct hap_render_file file = {
		.defaults = conf->haproxy.managed_defaults,
		.major = v->actual->major,
		.minor = v->actual->minor,
	};

	if (a == NULL || (backends = ARENA_ARRAY(a, struct hap_render_backend, v->desired->n_backends + 1)) == NULL ||
	    (left = ARENA_ARRAY(a, struct str, v->desired->n_backends + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "backends.cfg");
	for (size_t i = 0; i < v->desired->n_backends; i++) {
		const struct desired_backend *d = &v->desired->backends[i];
		struct writer w = {
			.conf = d->conf,
			.desired = d,
			.plan = plan_find(v->plan, d->name),
			.before = before,
			.section = hap_render_find(before, d->name),
			.arena = a,
		};

		if (is_left(v, &w))
			left[file.n_left++] = w.conf->name;
		if (!w.conf->managed || is_only_asked_for(v, &w) || is_over(v, w.conf, w.plan) ||
		    is_left_as_written(conf, d))
			continue;
		if ((code = collect(&w, e)) != ERR_OK)
			return code;
		backends[file.n_backends++] =
		    (struct hap_render_backend){ w.conf, w.servers, w.n, slots(&w, file.major) };
	}
	file.backends = backends;
	file.left = left;
	code = hap_render(&file, out, e);
	if (code == ERR_OK)
		code = keep_sections(conf, v, before, out, e);
	return code;
}

/* ---- has anything changed? ---- */

static uint64_t
mix(uint64_t mark, uint64_t with)
{
	mark = (mark ^ with) * UINT64_C(0x9e3779b97f4a7c15);
	return mark ^ (mark >> 29);
}

static uint64_t
mix_text(uint64_t mark, struct str s)
{
	uint64_t word = 0;

	for (size_t i = 0; i < s.len; i++) {
		word = word << 8 | (unsigned char)s.ptr[i];
		if (i % 8 == 7)
			mark = mix(mark, word);
	}
	return mix(mix(mark, word), s.len);
}

static uint64_t
mix_plan(uint64_t mark, const struct plan_backend *p)
{
	mark = mix(mix(mix(mark, p->exists), p->strategy), p->n_unplaced * 2 + p->is_over);
	for (size_t i = 0; i < p->n_servers; i++) {
		const struct plan_server *s = &p->servers[i];

		mark = mix_text(mix_text(mark, s->actual->name), s->actual->address);
		mark = mix(mix(mark, s->actual->port), s->actual->weight);
		mark = mix(mix(mix(mark, s->actual->admin), s->state), s->desired != NULL);
		if (s->desired != NULL)
			mark = mix_text(mark, s->desired->name);
	}
	return mark;
}

static uint64_t
mix_desired(uint64_t mark, const struct desired_backend *d)
{
	mark = mix(mark, d->n_serve);
	for (size_t i = 0; i < d->n_servers; i++) {
		const struct desired_server *s = &d->servers[i];

		mark = mix_text(mix_text(mark, s->name), s->address);
		mark = mix(mix(mix(mark, s->port), s->want), s->weight);
		mark = mix(mix(mark, s->spec), s->policy->maxconn);
	}
	return mark;
}

/* Labels may change what the configuration never would. */
static uint64_t
mix_settings(uint64_t mark, const struct conf_backend *b)
{
	const struct conf_check *c = &b->policy.check;

	mark = mix_text(mix_text(mix_text(mark, b->name), c->service), c->path);
	mark = mix(mix(mix(mark, b->policy.balance), b->policy.set), b->retries_idempotent);
	mark = mix(mix(mix(mark, c->type), (uint64_t)c->inter_ms), (uint64_t)c->timeout_ms);
	return mix(mark, desired_spec(&b->policy));
}

uint64_t
managed_file_mark(const struct reconcile_view *v)
{
	uint64_t mark = mix(mix(v->actual->major, v->actual->minor), v->actual->pid);

	mark = mix(mix(mark, v->actual->start_time_s), was_all_read(v->desired->roster));
	mark = mix(mark, v->desired->labels_are_known);
	for (size_t i = 0; i < v->desired->n_backends; i++) {
		const struct desired_backend *d = &v->desired->backends[i];
		const struct plan_backend *p = plan_find(v->plan, d->name);
		const struct actual_backend *a = actual_find(v->actual, d->name);

		if (!d->conf->managed)
			continue;
		mark = mix(mix_settings(mark, d->conf), d->conf->retired);
		mark = mix(mark, a != NULL ? a->n_slots : 0);
		mark = p != NULL ? mix_plan(mark, p) : mark;
		mark = mix_desired(mark, d);
	}
	for (size_t i = 0; i < v->plan->n_steps; i++)
		if (v->plan->steps[i].kind == PLAN_BACKEND)
			mark = mix_text(mark, v->plan->steps[i].backend);
	return mark | 1; /* never 0 */
}
