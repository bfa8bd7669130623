/* The router of the control interface: from method and path to a view. */
#include "config.h"

#include "control/control_view.h"

#include "control/control_backends.h"
#include "control/control_json.h"
#include "control/control_path.h"
#include "control/control_status.h"
#include "control/control_tasks.h"

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

void
control_view_begin(int status, struct control_response *ret)
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

	control_view_begin(status, ret);
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

static const struct route *
find_route(const struct control_path *path, struct str *ret_arg)
{
	struct control_path_names names;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!control_path_matches(routes[i].path, path, &names))
			continue;
		*ret_arg = names.s[0];
		return &routes[i];
	}
	return NULL;
}

void
control_view_bad_path(struct control_response *ret)
{
	control_view_error(400, "bad_path", STR("the path is too long, or not percent-encoded as it must be"), ret);
}

static bool
is_reading(struct str method)
{
	return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"));
}

void
control_view_finish(struct control_response *ret)
{
	if (buf_failed(&ret->body, NULL) == ERR_OK)
		return;
	buf_free(&ret->body);
	control_view_error(503, "unavailable", STR("no memory to answer this now: try again"), ret);
}

static void
run_view(const struct control_facts *f, view_fn *view, struct str arg, struct control_response *ret)
{
	control_view_begin(200, ret);
	view(f, arg, ret);
	control_view_finish(ret);
}

void
control_view_answer(const struct control_facts *f, const struct control_request *rq, struct control_response *ret)
{
	struct control_path path;
	const struct route *route;
	struct str arg;

	if (!control_path_parse(rq->path, &path)) {
		control_view_bad_path(ret);
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
