/* Drives the route maps: see app_routes.h. */
#include "config.h"

#include "app_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hap/hap_files.h"
#include "hap/hap_maps.h"

#define PATH_MAX_LEN 1200

struct place { /* of an entrypoint's map */
	char path[PATH_MAX_LEN];
	const char *name; /* in its directory: the end of path */
	struct hap_files *files;
};

struct app_routes {
	struct clk clk;
	const struct conf *conf;
	struct app_events *events;
	struct routes *machine;
	struct hap_maps *maps;
	struct place *places;
	struct loop_timer *wake;
	struct routes_actions todo;
	struct control_route_map *shown; /* by entrypoint; `live` is of the last app_routes_maps */
	uint64_t n_shown;                /* times that HAProxy has shown a map */
};

static void feed(struct app_routes *r, struct routes_event ev);

/* ---- outcomes ---- */

static void
on_shown(void *arg, const struct hap_maps_shown *shown, const struct err *e)
{
	struct routes_event ev = { .kind = ROUTES_SHOWN, .err = e };
	struct app_routes *r = arg;

	if (shown != NULL) {
		ev.map = &shown->map;
		ev.pid = shown->pid;
		ev.start_time_s = shown->start_time_s;
	}
	r->n_shown++;
	feed(r, ev);
}

static void
on_swapped(void *arg, const struct err *e)
{
	feed(arg, (struct routes_event){ .kind = ROUTES_SWAPPED, .err = e });
}

static void
on_written(void *arg, const struct err *e)
{
	feed(arg, (struct routes_event){ .kind = ROUTES_WRITTEN, .err = e });
}

static void
on_wake(void *arg)
{
	feed(arg, (struct routes_event){ .kind = ROUTES_TICK });
}

/* ---- actions ---- */

static enum err_code
write_file(struct app_routes *r, const struct routes_actions *todo, struct err *e)
{
	struct place *p = &r->places[todo->write_entrypoint];
	const struct hap_files_change change = { .name = p->name, .text = todo->text };

	return hap_files_write(p->files, &change, 1, on_written, r, e);
}

static enum err_code
ask_haproxy(struct app_routes *r, const struct routes_actions *todo, struct err *e)
{
	struct str path = str_from_cstr(r->places[todo->entrypoint].path);

	if (todo->swap)
		return hap_maps_swap(r->maps, path, todo->map, todo->pid, todo->start_time_s, on_swapped, r, e);
	return hap_maps_show(r->maps, path, on_shown, r, e);
}

/* What can't even begin has failed, and is not tried again at once. */
static void
feed(struct app_routes *r, struct routes_event ev)
{
	struct routes_actions todo;
	struct err e = ERR_INIT, w = ERR_INIT;
	enum err_code asked = ERR_OK, written = ERR_OK;

	ev.mono_ms = clk_mono_ms(&r->clk);
	routes_feed(r->machine, &ev, &r->todo);
	todo = r->todo;
	for (size_t i = 0; i < todo.n_notes; i++)
		app_events_tell(r->events, todo.notes[i].level, "routes", STR(""), str_from_cstr(todo.notes[i].text));
	if (todo.wake_in_ms >= 0)
		loop_timer_arm(r->wake, todo.wake_in_ms);
	else
		loop_timer_disarm(r->wake);
	if (todo.show || todo.swap)
		asked = ask_haproxy(r, &todo, &e);
	if (todo.write)
		written = write_file(r, &todo, &w);
	if (asked != ERR_OK)
		feed(r, (struct routes_event){ .kind = todo.swap ? ROUTES_SWAPPED : ROUTES_SHOWN, .err = &e });
	if (written != ERR_OK)
		feed(r, (struct routes_event){ .kind = ROUTES_WRITTEN, .err = &w });
}

void
app_routes_passed(struct app_routes *r, const struct reconcile_view *v)
{
	if (r != NULL)
		feed(r, (struct routes_event){ .kind = ROUTES_PASSED, .view = v });
}

/* ---- views ---- */

const struct control_route_map *
app_routes_maps(struct app_routes *r, size_t *ret_n)
{
	*ret_n = r != NULL ? r->conf->haproxy.entrypoints.n : 0;
	for (size_t i = 0; i < *ret_n; i++)
		r->shown[i].live = routes_live(r->machine, i);
	return *ret_n > 0 ? r->shown : NULL;
}

uint64_t
app_routes_version(const struct app_routes *r)
{
	return r != NULL ? r->n_shown : 0;
}

bool
app_routes_lead_to(const struct app_routes *r, struct str backend)
{
	return r == NULL || routes_lead_to(r->machine, backend);
}

struct str
app_routes_at(const struct app_routes *r, const struct desired_route *place)
{
	return r != NULL ? routes_at(r->machine, place) : STR("");
}

const struct fault *
app_routes_fault(const struct app_routes *r)
{
	for (size_t i = 0; r != NULL && i < r->conf->haproxy.entrypoints.n; i++)
		if (routes_fault(r->machine, i)->on)
			return routes_fault(r->machine, i);
	return NULL;
}

/* ---- life ---- */

static enum err_code
open_place(struct app_routes *r, struct loop *l, struct str file, struct place *p, struct err *e)
{
	bool is_path = file.len > 0 && file.ptr[0] == '/';
	int n = is_path ? snprintf(p->path, sizeof(p->path), STR_FMT, STR_ARG(file))
			: snprintf(p->path, sizeof(p->path), STR_FMT "/" STR_FMT, STR_ARG(r->conf->haproxy.managed_dir),
			      STR_ARG(file));
	struct str path = str_from_cstr(p->path), name = str_after_last(path, '/');

	if (n < 0 || (size_t)n >= sizeof(p->path))
		return err_set(e, ERR_LIMIT, "haproxy.managed.entrypoints: a path is too long");
	p->name = name.ptr;
	return hap_files_new(l, str_first(path, path.len - name.len > 1 ? path.len - name.len - 1 : 1), &p->files, e);
}

/* What can't be read is as if it were not there, but for a word about it. */
static void
read_file(const struct place *p, struct buf *out)
{
	struct err e = ERR_INIT;
	bool is_there = false;

	if (hap_files_get(p->path, out, &is_there, &e) == ERR_OK)
		return;
	log_warn("routes", "%s; it is written anew", e.msg);
	buf_free(out);
}

static enum err_code
make_machine(struct app_routes *r, struct err *e)
{
	size_t n = r->conf->haproxy.entrypoints.n;
	struct str *texts = calloc(n + 1, sizeof(*texts));
	struct buf *bufs = calloc(n + 1, sizeof(*bufs));
	enum err_code code = texts != NULL && bufs != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "route maps");

	for (size_t i = 0; code == ERR_OK && i < n; i++) {
		bufs[i] = buf_make(HAP_MAP_MAX);
		read_file(&r->places[i], &bufs[i]);
		texts[i] = buf_str(&bufs[i]);
	}
	if (code == ERR_OK)
		code = routes_new(r->conf, texts, &r->machine, e);
	for (size_t i = 0; bufs != NULL && i < n; i++)
		buf_free(&bufs[i]);
	free(bufs);
	free(texts);
	return code;
}

enum err_code
app_routes_new(struct loop *l, const struct conf *conf, struct hap_link *link, struct app_events *events,
    struct app_routes **ret, struct err *e)
{
	struct app_routes *r = calloc(1, sizeof(*r));
	enum err_code code = ERR_OK;

	if (r == NULL)
		return err_set(e, ERR_NOMEM, "route maps");
	r->clk = loop_clk(l);
	r->conf = conf;
	r->events = events;
	r->places = calloc(conf->haproxy.entrypoints.n + 1, sizeof(*r->places));
	r->shown = calloc(conf->haproxy.entrypoints.n + 1, sizeof(*r->shown));
	if (r->places == NULL || r->shown == NULL)
		code = err_set(e, ERR_NOMEM, "route maps");
	for (size_t i = 0; code == ERR_OK && i < conf->haproxy.entrypoints.n; i++) {
		r->shown[i].entrypoint = conf->haproxy.entrypoints.items[i].name;
		code = open_place(r, l, conf->haproxy.entrypoints.items[i].value, &r->places[i], e);
	}
	if (code == ERR_OK)
		code = make_machine(r, e);
	if (code == ERR_OK)
		code = hap_maps_new(link, &r->maps, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_wake, r, &r->wake, e);
	if (code != ERR_OK) {
		app_routes_close(r);
		return code;
	}
	*ret = r;
	return ERR_OK;
}

static struct place *
find_place(struct app_routes *r, const char *path)
{
	for (size_t i = 0; i < r->conf->haproxy.entrypoints.n; i++)
		if (strcmp(r->places[i].path, path) == 0)
			return &r->places[i];
	return NULL;
}

void
app_routes_inherit(struct app_routes *r, struct app_routes *before)
{
	for (size_t i = 0; r != NULL && before != NULL && i < r->conf->haproxy.entrypoints.n; i++) {
		struct place *then = find_place(before, r->places[i].path);

		if (then != NULL && hap_files_follow(r->places[i].files, then->files))
			routes_distrust(r->machine, i);
	}
}

void
app_routes_close(struct app_routes *r)
{
	if (r == NULL)
		return;
	loop_timer_close(r->wake);
	hap_maps_close(r->maps);
	for (size_t i = 0; r->places != NULL && i < r->conf->haproxy.entrypoints.n; i++)
		hap_files_close(r->places[i].files);
	routes_free(r->machine);
	free(r->places);
	free(r->shown);
	free(r);
}
