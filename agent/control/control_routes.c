/* /v1/routes and /v1/route: see control_routes.h. */
#include "config.h"

#include "control/control_routes.h"

#include "control/control_json.h"

#define SHOWN_MAX  120
#define OTHERS_MAX 64

/* A line of a map. */
struct live_route {
	struct str host, path; /* host "*": any */
	bool is_exact;         /* the path alone, not what begins with it */
	struct str key, backend;
};

/* KEY is HOST/PATH, perhaps with a `?`; a line of somebody else may be anything. */
static struct live_route
take_apart(const struct hap_map_line *line)
{
	struct live_route r = { .key = line->key, .backend = line->backend };
	size_t at = line->key.len;

	(void)str_find(line->key, '/', &at);
	r.host = str_first(line->key, at);
	r.path = str_skip(line->key, at);
	if (r.path.len > 1 && r.path.ptr[r.path.len - 1] == '?') {
		r.is_exact = true;
		r.path.len--;
	}
	return r;
}

/* What asks for it; null: nothing any more, or another has written it. */
static const struct desired_route *
find_desired(const struct desired *d, struct str entrypoint, const struct live_route *r)
{
	const struct desired_route want = {
		.entrypoint = entrypoint, .host = r->host, .path = r->path, .is_exact = r->is_exact
	};
	size_t low = 0, high = d != NULL ? d->n_routes : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = desired_route_cmp(&d->routes[mid], &want);

		if (order == 0)
			return &d->routes[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* why may be null. */
static void
put_asker(struct control_json *w, const struct desired_route *why)
{
	control_json_text(w, "service", why != NULL ? why->service : STR(""));
	control_json_text(w, "source_label", why != NULL ? why->source_label : STR(""));
	control_json_number(w, "priority", why != NULL ? why->priority : 0);
}

static void
put_route(struct control_json *w, const struct desired *d, struct str entrypoint, const struct hap_map_line *line)
{
	const struct live_route r = take_apart(line);
	const struct desired_route *why = find_desired(d, entrypoint, &r);

	control_json_object(w, NULL);
	control_json_text(w, "entrypoint", entrypoint);
	control_json_text(w, "host", r.host);
	control_json_text(w, "path", r.path);
	control_json_text(w, "backend", r.backend);
	put_asker(w, why);
	control_json_object_end(w);
}

/* False: there are more. */
static bool
put_map(struct control_slice *s, const struct desired *d, const struct control_route_map *m)
{
	const size_t n = m->live != NULL ? m->live->n : 0;

	while (s->inner < n && !control_slice_is_full(s))
		put_route(&s->w, d, m->entrypoint, &m->live->lines[s->inner++]);
	if (s->inner < n)
		return false;
	s->inner = 0;
	return true;
}

bool
control_routes_list(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	(void)ret;
	if (control_slice_begins(s))
		control_json_array(&s->w, NULL);
	for (; s->outer < f->n_route_maps; s->outer++)
		if (!put_map(s, f->desired, &f->route_maps[s->outer]))
			return false;
	control_json_array_end(&s->w);
	return true;
}

size_t
control_routes_count(const struct control_facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_route_maps; i++)
		n += f->route_maps[i].live != NULL ? f->route_maps[i].live->n : 0;
	return n;
}

/* ---- one call ---- */

struct call {
	struct str entrypoint, host, path;
};

static const struct hap_map *
find_map(const struct control_facts *f, struct str entrypoint)
{
	for (size_t i = 0; i < f->n_route_maps; i++)
		if (str_eq(f->route_maps[i].entrypoint, entrypoint))
			return f->route_maps[i].live;
	return NULL;
}

static size_t
put_ready_servers(struct control_json *w, const struct plan_backend *b)
{
	size_t n = 0;

	control_json_array(w, "servers");
	for (size_t i = 0; b != NULL && i < b->n_servers; i++) {
		if (b->servers[i].state != PLAN_STATE_UP)
			continue;
		control_json_format(
		    w, NULL, STR_FMT "/" STR_FMT, STR_ARG(b->name), STR_ARG(b->servers[i].actual->name));
		n++;
	}
	control_json_array_end(w);
	return n;
}

/* Who asks for it, too, and why it is not theirs. */
static void
put_others(struct control_json *w, const struct desired *d, const struct desired_route *won)
{
	size_t n = 0;

	control_json_array(w, "others");
	for (size_t i = 0; won != NULL && i < d->n_rivals && n < OTHERS_MAX; i++) {
		const struct desired_rival *o = &d->rivals[i];

		if (o->won != won)
			continue;
		control_json_object(w, NULL);
		control_json_text(w, "cluster", o->cluster);
		control_json_text(w, "service", o->service);
		control_json_text(w, "backend", o->backend);
		control_json_number(w, "priority", o->priority);
		control_json_text(w, "lost_by", o->lost_by);
		control_json_object_end(w);
		n++;
	}
	control_json_array_end(w);
}

static void
put_found(struct control_json *w, const struct control_facts *f, struct str entrypoint, const struct hap_map_line *line)
{
	const struct live_route r = take_apart(line);
	const struct plan_backend *b = f->plan != NULL ? plan_find(f->plan, r.backend) : NULL;
	const struct desired_route *why = find_desired(f->desired, entrypoint, &r);

	control_json_text(w, "key", r.key);
	control_json_text(w, "backend", r.backend);
	if (put_ready_servers(w, b) > 0)
		control_json_word(w, "reason", "");
	else if (b == NULL || !b->exists)
		control_json_format(
		    w, "reason", "HAProxy has no backend `" STR_FMT "`: calls get UNAVAILABLE", STR_ARG(r.backend));
	else
		control_json_format(w, "reason",
		    "no server of backend `" STR_FMT "` takes calls now: calls get UNAVAILABLE", STR_ARG(r.backend));
	put_asker(w, why);
	put_others(w, f->desired, why);
}

static void
put_none(struct control_json *w, const struct control_facts *f, const struct call *c)
{
	control_json_word(w, "key", "");
	control_json_word(w, "backend", "");
	control_json_array(w, "servers");
	control_json_array_end(w);
	control_json_format(w, "reason",
	    "no route of rollcall's leads from `" STR_FMT STR_FMT "` on entrypoint `" STR_FMT
	    "`: haproxy.cfg alone decides",
	    STR_ARG(str_first(c->host, SHOWN_MAX)), STR_ARG(str_first(c->path, SHOWN_MAX)),
	    STR_ARG(str_first(c->entrypoint, SHOWN_MAX)));
	put_asker(w, NULL);
	put_others(w, f->desired, NULL);
}

static bool
take_call(const struct control_query *q, struct call *ret)
{
	*ret = (struct call){ .entrypoint = STR("default"), .path = STR("/") };
	for (size_t i = 0; i < q->n; i++) {
		const struct str name = q->parameters[i].name, value = q->parameters[i].value;

		if (str_eq(name, STR("entrypoint")) && value.len > 0)
			ret->entrypoint = value;
		else if (str_eq(name, STR("host")))
			ret->host = value;
		else if (str_eq(name, STR("path")) && value.len > 0)
			ret->path = value;
	}
	return ret->host.len > 0;
}

void
control_routes_find(const struct control_facts *f, const struct control_query *q, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);
	const struct hap_map_line *line;
	const struct hap_map *m;
	struct call c;

	if (!take_call(q, &c)) {
		control_view_error(400, "bad_parameter",
		    STR("which host? `?host=NAME&path=/PATH`, and `entrypoint=` if not default"), ret);
		return;
	}
	m = find_map(f, c.entrypoint);
	control_json_object(&w, NULL);
	control_json_text(&w, "entrypoint", c.entrypoint);
	line = m != NULL ? hap_map_lookup(m, c.host, c.path) : NULL;
	if (line != NULL)
		put_found(&w, f, c.entrypoint, line);
	else
		put_none(&w, f, &c);
	control_json_object_end(&w);
}
