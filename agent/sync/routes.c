/*
 * Route maps: see routes.h.
 *
 * Three maps of each entrypoint: `disk`, what its file says; `live`, what HAProxy showed
 * last, or was told since; and `want`.
 */
#include "config.h"

#include "sync/routes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX   ((size_t)64 << 20)
#define WAITING_MAX 1000
#define PLACE_MAX   ((size_t)16384) /* of its key */

struct held {                /* a map that owns its lines */
	struct arena *arena; /* null: not known */
	struct hap_map map;
};

struct waiting {        /* a new route whose backend does not serve yet */
	struct str key; /* of the arena of waits */
	int64_t since_ms;
};

struct entrypoint {
	struct held disk, live, want;
	bool disk_is_old;   /* its file says something else by now */
	bool want_is_blind; /* made of what stands in the file, which HAProxy may not hold */
	struct arena *waits_arena;
	struct waiting *waits;
	size_t n_waits;
	uint64_t pid, start_time_s; /* of the process that showed live */
	int64_t show_after_ms, swap_after_ms, write_after_ms;
	unsigned failed_shows, failed_swaps, failed_writes;
	struct fault fault, file_fault;
};

struct routes {
	const struct conf *conf;
	struct entrypoint *entrypoints;
	size_t n;
	uint64_t pid, start_time_s; /* of the last pass */
	bool may_act;               /* not while HAProxy goes down */
	bool is_asking, is_writing;
	size_t asked, writing; /* entrypoints */
	bool is_swapping;      /* what was asked */
	struct buf text;       /* being written */
};

/* ---- life ---- */

static void
held_free(struct held *h)
{
	arena_free(h->arena);
	*h = (struct held){ .arena = NULL };
}

static bool
held_copy(struct held *to, const struct hap_map *from)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct hap_map_line *lines = a != NULL ? ARENA_ARRAY(a, struct hap_map_line, from->n + 1) : NULL;

	for (size_t i = 0; lines != NULL && i < from->n; i++)
		if (!arena_str(a, from->lines[i].key, &lines[i].key) ||
		    !arena_str(a, from->lines[i].backend, &lines[i].backend))
			lines = NULL;
	if (lines == NULL) {
		arena_free(a);
		return false;
	}
	held_free(to);
	*to = (struct held){ .arena = a, .map = { lines, from->n } };
	return true;
}

static enum err_code
read_disk(struct entrypoint *p, struct str text, struct err *e)
{
	enum err_code code;

	p->disk.arena = arena_new(ARENA_MAX);
	if (p->disk.arena == NULL)
		return err_set(e, ERR_NOMEM, "route maps");
	code = hap_map_read_file(p->disk.arena, text, &p->disk.map, e);
	return code;
}

enum err_code
routes_new(const struct conf *conf, const struct str *texts, struct routes **ret, struct err *e)
{
	struct routes *r = calloc(1, sizeof(*r));
	enum err_code code = ERR_OK;

	if (r == NULL)
		return err_set(e, ERR_NOMEM, "route maps");
	r->conf = conf;
	r->text = buf_make(HAP_MAP_MAX);
	r->n = conf->haproxy.entrypoints.n;
	r->entrypoints = calloc(r->n + 1, sizeof(*r->entrypoints));
	if (r->entrypoints == NULL)
		code = err_set(e, ERR_NOMEM, "route maps");
	for (size_t i = 0; code == ERR_OK && i < r->n; i++)
		code = read_disk(&r->entrypoints[i], texts[i], e);
	if (code != ERR_OK) {
		routes_free(r);
		return code;
	}
	*ret = r;
	return ERR_OK;
}

void
routes_distrust(struct routes *r, size_t entrypoint)
{
	r->entrypoints[entrypoint].disk_is_old = true;
}

void
routes_free(struct routes *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; r->entrypoints != NULL && i < r->n; i++) {
		struct entrypoint *p = &r->entrypoints[i];

		held_free(&p->disk);
		held_free(&p->live);
		held_free(&p->want);
		arena_free(p->waits_arena);
	}
	free(r->entrypoints);
	buf_free(&r->text);
	free(r);
}

const struct hap_map *
routes_live(const struct routes *r, size_t entrypoint)
{
	return r->entrypoints[entrypoint].live.arena != NULL ? &r->entrypoints[entrypoint].live.map : NULL;
}

const struct fault *
routes_fault(const struct routes *r, size_t entrypoint)
{
	const struct entrypoint *p = &r->entrypoints[entrypoint];

	return p->fault.on ? &p->fault : &p->file_fault;
}

/* ---- what the operator reads ---- */

static void PRINTF_LIKE(3, 4) note(struct routes_actions *out, enum log_level level, const char *fmt, ...)
{
	struct reconcile_note *to = &out->notes[out->n_notes];
	va_list ap;

	if (out->n_notes == ROUTES_NOTES_MAX)
		return;
	to->level = level;
	to->backend = STR("");
	va_start(ap, fmt);
	(void)vsnprintf(to->text, sizeof(to->text), fmt, ap);
	va_end(ap);
	out->n_notes++;
}

static struct str
name_of(const struct routes *r, const struct entrypoint *p)
{
	return r->conf->haproxy.entrypoints.items[p - r->entrypoints].name;
}

static void
raise_fault(const struct routes *r, struct entrypoint *p, struct fault *f, int64_t now_ms, const struct err *e,
    const char *next, struct routes_actions *out)
{
	struct err named = *e;

	err_prefix(&named, "entrypoint `" STR_FMT "`", STR_ARG(name_of(r, p)));
	if (fault_raise(f, now_ms, &named))
		note(out, LOG_WARN, "%s; %s", named.msg, next);
}

static int64_t
grown(unsigned times)
{
	int64_t ms = ROUTES_RETRY_MS;

	while (times-- > 1 && ms < ROUTES_LAST_MS)
		ms *= 2;
	return ms < ROUTES_LAST_MS ? ms : ROUTES_LAST_MS;
}

/* ---- what a map should say ---- */

static bool
was_all_read(const struct roster *roster)
{
	for (size_t i = 0; i < roster->n_clusters; i++)
		if (!roster->clusters[i].was_read)
			return false;
	return true;
}

static bool
serves(const struct reconcile_view *v, struct str backend)
{
	const struct plan_backend *b = plan_find(v->plan, backend);

	for (size_t i = 0; b != NULL && b->exists && i < b->n_servers; i++)
		if (b->servers[i].state == PLAN_STATE_UP)
			return true;
	return false;
}

struct wanting {
	struct routes *routes;
	struct entrypoint *p;
	const struct reconcile_view *view;
	int64_t now_ms;
	struct arena *arena; /* of the new map */
	struct hap_map_line *lines;
	size_t n;
	struct waiting *waits; /* in waits_arena */
	struct arena *waits_arena;
	size_t n_waits;
	int64_t wake_ms;
};

static int64_t
waits_since(const struct wanting *w, struct str key)
{
	for (size_t i = 0; i < w->p->n_waits; i++)
		if (str_eq(w->p->waits[i].key, key))
			return w->p->waits[i].since_ms;
	return w->now_ms;
}

/* True: it is put off. */
static bool
put_off(struct wanting *w, struct str key)
{
	int64_t since_ms = waits_since(w, key);
	struct waiting *to = &w->waits[w->n_waits];

	if (w->now_ms - since_ms >= ROUTES_WAIT_MS || w->n_waits == WAITING_MAX ||
	    !arena_str(w->waits_arena, key, &to->key))
		return false;
	to->since_ms = since_ms;
	w->n_waits++;
	if (since_ms + ROUTES_WAIT_MS < w->wake_ms)
		w->wake_ms = since_ms + ROUTES_WAIT_MS;
	return true;
}

/* What stands in HAProxy; before it was read, what stands in its file. */
static const struct hap_map *
known(const struct entrypoint *p)
{
	return p->live.arena != NULL ? &p->live.map : &p->disk.map;
}

static void
add_line(struct wanting *w, struct str key, struct str backend)
{
	w->lines[w->n++] = (struct hap_map_line){ key, backend };
}

/* May somebody have a better claim to this place than who has it by what is known? */
static bool
is_undecided(const struct wanting *w, const struct desired_route *route, struct str now)
{
	return (!route->is_entrys && !roster_is_known(w->view->desired->roster)) ||
	       (route->is_open && !str_eq(route->led_to, now));
}

static enum err_code
want_route(struct wanting *w, const struct desired_route *route, struct err *e)
{
	const struct hap_map_line *now, *on_disk;
	struct str key;
	enum err_code code = hap_map_key(w->arena, route, &key, e);

	if (code != ERR_OK)
		return code;
	now = hap_map_find(known(w->p), key);
	on_disk = hap_map_find(&w->p->disk.map, key);
	if (now != NULL && !str_eq(now->backend, route->backend) && serves(w->view, now->backend) &&
	    (!serves(w->view, route->backend) || is_undecided(w, route, now->backend)))
		add_line(w, key, now->backend);
	else if (now != NULL || (on_disk != NULL && str_eq(on_disk->backend, route->backend)) ||
		 serves(w->view, route->backend) || !put_off(w, key))
		add_line(w, key, route->backend);
	return ERR_OK;
}

static bool
is_wanted(const struct wanting *w, size_t n_sorted, struct str key)
{
	const struct hap_map so_far = { w->lines, n_sorted };

	return hap_map_find(&so_far, key) != NULL;
}

/* Nobody asks for them as far as we know, but not all is known, or was looked at. */
static void
keep_others(struct wanting *w)
{
	const struct hap_map *now = known(w->p);
	size_t n_sorted = w->n = hap_map_sort(w->lines, w->n);

	if (was_all_read(w->view->desired->roster) && !w->view->desired->routes_are_cut)
		return;
	for (size_t i = 0; i < now->n; i++)
		if (!is_wanted(w, n_sorted, now->lines[i].key))
			add_line(w, now->lines[i].key, now->lines[i].backend);
	w->n = hap_map_sort(w->lines, w->n);
}

static enum err_code
fill(struct wanting *w, struct err *e)
{
	const struct desired *d = w->view->desired;
	struct str name = name_of(w->routes, w->p);
	enum err_code code = ERR_OK;

	w->lines = ARENA_ARRAY(w->arena, struct hap_map_line, d->n_routes + known(w->p)->n + 1);
	w->waits = w->waits_arena != NULL ? ARENA_ARRAY(w->waits_arena, struct waiting, WAITING_MAX + 1) : NULL;
	if (w->lines == NULL || w->waits == NULL)
		return err_set(e, ERR_NOMEM, "route maps");
	for (size_t i = 0; i < d->n_routes && code == ERR_OK; i++)
		if (str_eq(d->routes[i].entrypoint, name))
			code = want_route(w, &d->routes[i], e);
	if (code == ERR_OK)
		keep_others(w);
	return code;
}

static void
renew_want(
    struct routes *r, struct entrypoint *p, const struct reconcile_view *v, int64_t now_ms, struct routes_actions *out)
{
	struct wanting w = {
		.routes = r,
		.p = p,
		.view = v,
		.now_ms = now_ms,
		.arena = arena_new(ARENA_MAX),
		.waits_arena = arena_new(ARENA_MAX),
		.wake_ms = INT64_MAX,
	};
	struct err e = ERR_INIT;
	enum err_code code = w.arena != NULL ? fill(&w, &e) : err_set(&e, ERR_NOMEM, "route maps");
	struct hap_map map = { w.lines, w.n };

	if (code == ERR_OK && !held_copy(&p->want, &map))
		code = err_set(&e, ERR_NOMEM, "route maps");
	arena_free(w.arena);
	if (code != ERR_OK) {
		arena_free(w.waits_arena);
		raise_fault(r, p, &p->file_fault, now_ms, &e, "its routes stay as they are", out);
		return;
	}
	arena_free(p->waits_arena);
	p->waits_arena = w.waits_arena;
	p->waits = w.waits;
	p->n_waits = w.n_waits;
	p->want_is_blind = p->live.arena == NULL;
}

/* ---- what is due ---- */

static void
wake_at(struct routes_actions *out, int64_t now_ms, int64_t at_ms)
{
	int64_t in_ms = at_ms > now_ms ? at_ms - now_ms : 0;

	if (out->wake_in_ms < 0 || in_ms < out->wake_in_ms)
		out->wake_in_ms = in_ms;
}

/* Nothing was asked for, and nothing is. */
static bool
is_idle(const struct entrypoint *p)
{
	return p->want.arena == NULL || (p->want.map.n == 0 && p->disk.map.n == 0 && p->live.map.n == 0);
}

static bool
is_live(const struct routes *r, const struct entrypoint *p)
{
	return p->live.arena != NULL && p->pid == r->pid && p->start_time_s == r->start_time_s;
}

static void
ask_haproxy(struct routes *r, int64_t now_ms, struct routes_actions *out)
{
	for (size_t i = 0; i < r->n && !r->is_asking; i++) {
		struct entrypoint *p = &r->entrypoints[i];

		if (is_idle(p))
			continue;
		if (is_live(r, p) && now_ms < p->show_after_ms && !hap_map_same(&p->live.map, &p->want.map) &&
		    now_ms >= p->swap_after_ms && !p->want_is_blind) {
			out->swap = true;
			out->map = &p->want.map;
			out->pid = p->pid;
			out->start_time_s = p->start_time_s;
		} else if (now_ms >= p->show_after_ms || (!is_live(r, p) && p->failed_shows == 0)) {
			out->show = true;
		} else {
			wake_at(out, now_ms, p->show_after_ms);
			continue;
		}
		out->entrypoint = r->asked = i;
		r->is_swapping = out->swap;
		r->is_asking = true;
	}
}

static void
write_file(struct routes *r, int64_t now_ms, struct routes_actions *out)
{
	for (size_t i = 0; i < r->n && !r->is_writing; i++) {
		struct entrypoint *p = &r->entrypoints[i];

		if (p->want.arena == NULL || (hap_map_same(&p->want.map, &p->disk.map) && !p->disk_is_old) ||
		    (p->want_is_blind && p->failed_shows == 0))
			continue;
		if (now_ms < p->write_after_ms) {
			wake_at(out, now_ms, p->write_after_ms);
			continue;
		}
		buf_reset(&r->text);
		hap_map_put_file(&p->want.map, &r->text);
		if (buf_failed(&r->text, NULL) != ERR_OK || !held_copy(&p->disk, &p->want.map)) {
			p->write_after_ms = now_ms + ROUTES_RETRY_MS;
			continue;
		}
		p->disk_is_old = false;
		out->write = true;
		out->write_entrypoint = r->writing = i;
		out->text = buf_str(&r->text);
		r->is_writing = true;
	}
}

static bool
names(const struct hap_map *m, struct str backend)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->lines[i].backend, backend))
			return true;
	return false;
}

bool
routes_lead_to(const struct routes *r, struct str backend)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct entrypoint *p = &r->entrypoints[i];

		if (p->want.arena == NULL || (!is_idle(p) && !is_live(r, p)))
			return true;
		if (names(&p->want.map, backend) || names(&p->live.map, backend) || names(&p->disk.map, backend))
			return true;
	}
	return false;
}

struct str
routes_at(const struct routes *r, const struct desired_route *place)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(PLACE_MAX);
	const struct hap_map_line *line = NULL;
	struct str key;

	if (a == NULL || hap_map_key(a, place, &key, NULL) != ERR_OK)
		return STR("");
	for (size_t i = 0; line == NULL && i < r->n; i++) {
		const struct entrypoint *p = &r->entrypoints[i];

		if (!str_eq(name_of(r, p), place->entrypoint))
			continue;
		if (p->want.arena != NULL && !p->want_is_blind)
			line = hap_map_find(&p->want.map, key);
		if (line == NULL)
			line = hap_map_find(known(p), key);
	}
	return line != NULL ? line->backend : STR("");
}

/* ---- events ---- */

static void
on_passed(struct routes *r, const struct routes_event *ev, struct routes_actions *out)
{
	const struct reconcile_view *v = ev->view;

	if (v->actual == NULL || v->plan == NULL || v->desired == NULL)
		return;
	r->may_act = !v->actual->stopping && r->conf->haproxy.apply;
	r->pid = v->actual->pid;
	r->start_time_s = v->actual->start_time_s;
	for (size_t i = 0; i < r->n; i++)
		renew_want(r, &r->entrypoints[i], v, ev->mono_ms, out);
}

static bool
is_well(const struct routes_event *ev)
{
	return ev->err == NULL || ev->err->code == ERR_OK;
}

/* Nothing is known of what HAProxy holds. */
static void
fail_show(struct routes *r, struct entrypoint *p, const struct routes_event *ev, const struct err *e, const char *next,
    struct routes_actions *out)
{
	p->failed_shows++;
	p->show_after_ms = ev->mono_ms + grown(p->failed_shows);
	held_free(&p->live);
	raise_fault(r, p, &p->fault, ev->mono_ms, e, next, out);
}

/* Is what was made of the file good for what HAProxy shows?  Else the next pass decides who keeps what. */
static bool
was_foreseen(const struct entrypoint *p)
{
	bool takes_nothing = true;

	for (size_t i = 0; i < p->live.map.n && takes_nothing; i++) {
		const struct hap_map_line *line = hap_map_find(&p->want.map, p->live.map.lines[i].key);

		takes_nothing = line != NULL && str_eq(line->backend, p->live.map.lines[i].backend);
	}
	return takes_nothing || hap_map_same(&p->live.map, &p->disk.map);
}

static void
on_shown(struct routes *r, const struct routes_event *ev, struct routes_actions *out)
{
	struct entrypoint *p = &r->entrypoints[r->asked];
	struct err e = ERR_INIT;

	r->is_asking = false;
	if (!is_well(ev)) {
		fail_show(r, p, ev, ev->err,
		    "the routes of labels are not in force; its frontend must read the map, as in rollcall's "
		    "haproxy.cfg",
		    out);
		return;
	}
	if (!held_copy(&p->live, ev->map)) {
		err_fill(&e, ERR_NOMEM, 0, "its map: %s", err_text(ERR_NOMEM));
		fail_show(r, p, ev, &e, "trying again, less and less often", out);
		return;
	}
	p->failed_shows = 0;
	p->show_after_ms = ev->mono_ms + ROUTES_SHOW_EVERY_MS;
	p->want_is_blind = p->want_is_blind && !was_foreseen(p);
	p->pid = ev->pid;
	p->start_time_s = ev->start_time_s;
	if (hap_map_same(&p->live.map, &p->want.map) && fault_clear(&p->fault))
		note(out, LOG_INFO, "entrypoint `" STR_FMT "`: its routes are in force", STR_ARG(name_of(r, p)));
}

static void
note_change(const struct routes *r, const struct entrypoint *p, const struct hap_map *from, struct routes_actions *out)
{
	size_t gone = 0, fresh = 0, moved = 0;

	for (size_t i = 0; i < p->want.map.n; i++) {
		const struct hap_map_line *line = &p->want.map.lines[i], *was = hap_map_find(from, line->key);

		fresh += was == NULL ? 1 : 0;
		moved += was != NULL && !str_eq(was->backend, line->backend) ? 1 : 0;
	}
	for (size_t i = 0; i < from->n; i++)
		gone += hap_map_find(&p->want.map, from->lines[i].key) == NULL ? 1 : 0;
	note(out, LOG_INFO, "entrypoint `" STR_FMT "`: %zu routes, of which %zu new and %zu moved; %zu gone",
	    STR_ARG(name_of(r, p)), p->want.map.n, fresh, moved, gone);
}

static void
on_swapped(struct routes *r, const struct routes_event *ev, struct routes_actions *out)
{
	struct entrypoint *p = &r->entrypoints[r->asked];

	r->is_asking = false;
	p->show_after_ms = ev->mono_ms; /* read back */
	if (is_well(ev)) {
		p->failed_swaps = 0;
		note_change(r, p, &p->live.map, out);
		return;
	}
	p->failed_swaps++;
	p->swap_after_ms = ev->mono_ms + grown(p->failed_swaps);
	if (ev->err->code != ERR_CANCELLED)
		raise_fault(r, p, &p->fault, ev->mono_ms, ev->err, "trying again, less and less often", out);
}

static void
on_written(struct routes *r, const struct routes_event *ev, struct routes_actions *out)
{
	struct entrypoint *p = &r->entrypoints[r->writing];

	r->is_writing = false;
	if (is_well(ev)) {
		p->failed_writes = 0;
		if (fault_clear(&p->file_fault))
			note(out, LOG_INFO, "entrypoint `" STR_FMT "`: its map's file is written again",
			    STR_ARG(name_of(r, p)));
		return;
	}
	p->failed_writes++;
	p->write_after_ms = ev->mono_ms + grown(p->failed_writes);
	p->disk.map.n = 0; /* whatever stands there: it is written again, be it empty */
	p->disk_is_old = true;
	raise_fault(r, p, &p->file_fault, ev->mono_ms, ev->err,
	    "routes change at run time all the same, and a reload of HAProxy starts with the old ones", out);
}

void
routes_feed(struct routes *r, const struct routes_event *ev, struct routes_actions *ret)
{
	ret->show = ret->swap = ret->write = false;
	ret->wake_in_ms = -1;
	ret->n_notes = 0;
	switch (ev->kind) {
	case ROUTES_PASSED:
		on_passed(r, ev, ret);
		break;
	case ROUTES_SHOWN:
		on_shown(r, ev, ret);
		break;
	case ROUTES_SWAPPED:
		on_swapped(r, ev, ret);
		break;
	case ROUTES_WRITTEN:
		on_written(r, ev, ret);
		break;
	case ROUTES_TICK:
		break;
	}
	if (!r->may_act)
		return;
	ask_haproxy(r, ev->mono_ms, ret);
	write_file(r, ev->mono_ms, ret);
}
