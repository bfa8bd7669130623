/*
 * The router of the control interface: from method and path to a view.
 *
 * A path is taken apart first and decoded then, segment by segment, so that an
 * encoded slash (a task's ARN has several) stays inside its segment.
 */
#include "config.h"

#include "control/control_view.h"

#include "control/control_backends.h"
#include "control/control_json.h"
#include "control/control_status.h"
#include "control/control_tasks.h"

#define SEGMENTS_MAX 8

/* arg: what stands where the route has "*", decoded; else empty. */
typedef void view_fn(const struct control_facts *f, struct str arg, struct control_response *ret);

struct route {
	const char *path;
	view_fn *view;
};

static const struct route routes[] = {
	{ "/live", control_status_live },
	{ "/ready", control_status_ready },
	{ "/v1/status", control_status_show },
	{ "/v1/backends", control_backends_list },
	{ "/v1/backends/*", control_backends_one },
	{ "/v1/tasks/*", control_tasks_one },
};

struct segments {
	struct str s[SEGMENTS_MAX];
	size_t n;
};

static void
answer_json(int status, struct control_response *ret)
{
	*ret = (struct control_response){
		.status = status,
		.content_type = "application/json",
		.body = buf_make(CONTROL_VIEW_BODY_MAX),
	};
}

void
control_view_error(int status, const char *code, struct str message, struct control_response *ret)
{
	struct control_json w;

	answer_json(status, ret);
	w = control_json_make(&ret->body);
	control_json_object(&w, NULL);
	control_json_object(&w, "error");
	control_json_word(&w, "code", code);
	control_json_text(&w, "message", message);
	control_json_object_end(&w);
	control_json_object_end(&w);
	/* Half an error would not be JSON: better the status alone. */
	if (buf_failed(&ret->body, NULL) != ERR_OK)
		buf_free(&ret->body);
}

static bool
hex_value(char c, unsigned *ret)
{
	if (c >= '0' && c <= '9')
		*ret = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*ret = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		*ret = (unsigned)(c - 'A') + 10;
	else
		return false;
	return true;
}

/* Takes the escape at the front of *s; an encoded NUL is none. */
static bool
take_escape(struct str *s, char *ret)
{
	unsigned high, low;

	if (s->len < 3 || !hex_value(s->ptr[1], &high) || !hex_value(s->ptr[2], &low))
		return false;
	if (high == 0 && low == 0)
		return false;
	*ret = (char)(high * 16 + low);
	*s = str_skip(*s, 3);
	return true;
}

/* Appends the decoded segment to to[*at..]; the caller has seen to the room. */
static bool
decode(struct str raw, char *to, size_t *at, struct str *ret)
{
	size_t start = *at;

	while (raw.len > 0) {
		if (raw.ptr[0] == '%') {
			if (!take_escape(&raw, &to[*at]))
				return false;
		} else {
			to[*at] = raw.ptr[0];
			raw = str_skip(raw, 1);
		}
		(*at)++;
	}
	*ret = str_of(to + start, *at - start);
	return true;
}

/* False: the path is not one.  More segments than any route has are counted as
 * SEGMENTS_MAX, which no route has either. */
static bool
take_apart(struct str path, char to[CONTROL_VIEW_PATH_MAX], struct segments *ret)
{
	struct str rest = str_skip(path, 1), raw, decoded;
	size_t at = 0;

	if (!str_has_prefix(path, STR("/")) || path.len > CONTROL_VIEW_PATH_MAX)
		return false;
	ret->n = 0;
	while (str_next(&rest, '/', &raw)) {
		if (!decode(raw, to, &at, &decoded))
			return false;
		if (ret->n < SEGMENTS_MAX)
			ret->s[ret->n++] = decoded;
	}
	return true;
}

static bool
route_matches(const struct route *route, const struct segments *path, struct str *ret_arg)
{
	struct str rest = str_skip(str_from_cstr(route->path), 1), want;
	size_t i = 0;

	*ret_arg = STR("");
	for (; str_next(&rest, '/', &want); i++) {
		if (i == path->n)
			return false;
		if (str_eq(want, STR("*")) && path->s[i].len > 0)
			*ret_arg = path->s[i];
		else if (!str_eq(want, path->s[i]))
			return false;
	}
	return i == path->n;
}

static const struct route *
find_route(const struct segments *path, struct str *ret_arg)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (route_matches(&routes[i], path, ret_arg))
			return &routes[i];
	return NULL;
}

static bool
is_reading(struct str method)
{
	return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"));
}

static void
run_view(const struct control_facts *f, view_fn *view, struct str arg, struct control_response *ret)
{
	answer_json(200, ret);
	view(f, arg, ret);
	if (buf_failed(&ret->body, NULL) == ERR_OK)
		return;
	buf_free(&ret->body);
	control_view_error(503, "unavailable", STR("no memory to answer this now: try again"), ret);
}

void
control_view_answer(const struct control_facts *f, const struct control_request *rq, struct control_response *ret)
{
	char decoded[CONTROL_VIEW_PATH_MAX];
	struct segments path;
	const struct route *route;
	struct str arg;

	if (!take_apart(rq->path, decoded, &path)) {
		control_view_error(
		    400, "bad_path", STR("the path is too long, or not percent-encoded as it must be"), ret);
		return;
	}
	route = find_route(&path, &arg);
	if (route == NULL) {
		control_view_error(404, "not_found", STR("no such path: GET /v1/status is a good start"), ret);
	} else if (!is_reading(rq->method)) {
		control_view_error(405, "method_not_allowed", STR("this path answers GET and HEAD only"), ret);
		ret->allow = "GET, HEAD";
	} else {
		run_view(f, route->view, arg, ret);
	}
}
