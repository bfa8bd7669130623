/* /v1/routes and /v1/route: see control_routes.h. */
#include "config.h"

#include "control/control_routes.h"

#include "control/control_json.h"

#define SHOWN_MAX 120

void
control_routes_list(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);

	(void)arg;
	control_json_array(&w, NULL);
	for (size_t i = 0; i < f->n_routes; i++) {
		const struct control_route *r = &f->routes[i];

		control_json_object(&w, NULL);
		control_json_text(&w, "entrypoint", r->entrypoint);
		control_json_text(&w, "host", r->host);
		control_json_text(&w, "path", r->path);
		control_json_text(&w, "backend", r->backend);
		control_json_text(&w, "service", r->service);
		control_json_text(&w, "source_label", r->source_label);
		control_json_number(&w, "priority", r->priority);
		control_json_object_end(&w);
	}
	control_json_array_end(&w);
}

/* ---- one call ---- */

struct call {
	struct str entrypoint, host, path;
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
same_host(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

static const struct control_route *
longest(const struct control_facts *f, const struct call *c, struct str host)
{
	const struct control_route *best = NULL;

	for (size_t i = 0; i < f->n_routes; i++) {
		const struct control_route *r = &f->routes[i];

		if (str_eq(r->entrypoint, c->entrypoint) && same_host(r->host, host) &&
		    (r->is_exact ? str_eq(c->path, r->path) : str_has_prefix(c->path, r->path)) &&
		    (best == NULL || r->path.len + r->is_exact > best->path.len + best->is_exact))
			best = r;
	}
	return best;
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

static void
put_found(struct control_json *w, const struct control_facts *f, const struct control_route *r)
{
	const struct plan_backend *b = f->plan != NULL ? plan_find(f->plan, r->backend) : NULL;

	control_json_format(w, "key", STR_FMT STR_FMT "%s", STR_ARG(r->host), STR_ARG(r->path), r->is_exact ? "?" : "");
	control_json_text(w, "backend", r->backend);
	if (put_ready_servers(w, b) > 0)
		control_json_word(w, "reason", "");
	else if (b == NULL || !b->exists)
		control_json_format(
		    w, "reason", "HAProxy has no backend `" STR_FMT "`: calls get UNAVAILABLE", STR_ARG(r->backend));
	else
		control_json_format(w, "reason",
		    "no server of backend `" STR_FMT "` takes calls now: calls get UNAVAILABLE", STR_ARG(r->backend));
}

static void
put_none(struct control_json *w, const struct call *c)
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

/* "host:port" is asked for where a client was told so; the map knows names alone. */
static struct str
without_port(struct str host)
{
	size_t at;

	if (str_has_prefix(host, STR("[")))
		return str_find(host, ']', &at) ? str_first(host, at + 1) : host;
	if (!str_find(host, ':', &at))
		return host;
	return str_first(host, at);
}

void
control_routes_find(const struct control_facts *f, const struct control_query *q, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);
	const struct control_route *r;
	struct call c;

	if (!take_call(q, &c)) {
		control_view_error(400, "bad_parameter",
		    STR("which host? `?host=NAME&path=/PATH`, and `entrypoint=` if not default"), ret);
		return;
	}
	r = longest(f, &c, without_port(c.host));
	if (r == NULL)
		r = longest(f, &c, STR("*"));
	control_json_object(&w, NULL);
	control_json_text(&w, "entrypoint", c.entrypoint);
	if (r != NULL)
		put_found(&w, f, r);
	else
		put_none(&w, &c);
	control_json_object_end(&w);
}
