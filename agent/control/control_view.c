/* The router of the control interface: from method and path to a view. */
#include "config.h"

#include "control/control_view.h"

#include "base/rfc3339.h"
#include "conf/conf_scalar.h"
#include "control/control_backends.h"
#include "control/control_doctor.h"
#include "control/control_events.h"
#include "control/control_json.h"
#include "control/control_metrics.h"
#include "control/control_page.h"
#include "control/control_path.h"
#include "control/control_plan.h"
#include "control/control_routes.h"
#include "control/control_status.h"
#include "control/control_tasks.h"

/* arg: what stands where the route has "*", decoded; else empty. */
typedef void view_fn(const struct control_facts *f, struct str arg, struct control_response *ret);
typedef void query_view_fn(const struct control_facts *f, const struct control_query *q, struct control_response *ret);

static query_view_fn show_events;

struct route {
	const char *path;
	view_fn *view;             /* looks at no query */
	query_view_fn *with_query; /* or this */
};

static const struct route routes[] = {
	{ "/", control_page_show, NULL },
	{ "/live", control_status_live, NULL },
	{ "/ready", control_status_ready, NULL },
	{ "/metrics", control_metrics_show, NULL },
	{ "/v1/status", control_status_show, NULL },
	{ "/v1/backends", control_backends_list, NULL },
	{ "/v1/backends/*", control_backends_one, NULL },
	{ "/v1/tasks/*", control_tasks_one, NULL },
	{ "/v1/excluded", control_tasks_excluded, NULL },
	{ "/v1/routes", control_routes_list, NULL },
	{ "/v1/route", NULL, control_routes_find },
	{ "/v1/doctor", control_doctor_show, NULL },
	{ "/v1/plan", control_plan_show, NULL },
	{ "/v1/events", NULL, show_events },
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

/* ---- events ---- */

/* A number of an event, a time, or how long ago. */
static bool
take_since(const struct control_facts *f, struct str value, struct control_events_query *ret)
{
	int64_t ago_ms;

	if (str_to_u64(value, INT64_MAX, &ret->after_id) || rfc3339_parse(value, &ret->since_wall_ms))
		return true;
	if (conf_scalar_duration(value, &ago_ms, NULL) != ERR_OK)
		return false;
	ret->since_wall_ms = f->wall_ms - ago_ms;
	return true;
}

bool
control_view_events_query(const struct control_facts *f, const struct control_query *q,
    struct control_events_query *ret, struct control_response *ret_refusal)
{
	*ret = (struct control_events_query){ 0 };
	for (size_t i = 0; i < q->n; i++) {
		const struct str name = q->parameters[i].name, value = q->parameters[i].value;

		if (str_eq(name, STR("backend"))) {
			ret->backend = value;
		} else if (str_eq(name, STR("since")) && !take_since(f, value, ret)) {
			control_view_error(400, "bad_parameter",
			    STR("`since` is the id of an event, a time such as 2026-11-23T02:40:46Z, or how long ago "
				"(5m)"),
			    ret_refusal);
			return false;
		}
	}
	return true;
}

static void
show_events(const struct control_facts *f, const struct control_query *q, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);
	struct control_events_query which;

	if (control_view_events_query(f, q, &which, ret))
		control_events_put(&w, f->events, &which);
}

/* ---- a request ---- */

static void
run_view(const struct control_facts *f, const struct route *route, struct str arg, const struct control_request *rq,
    struct control_response *ret)
{
	struct control_query q;

	if (route->with_query != NULL && !control_path_parse_query(rq->query, &q)) {
		control_view_error(400, "bad_parameter",
		    STR("the query is too long, has too many parameters, or is not percent-encoded as it must be"),
		    ret);
		return;
	}
	control_view_begin(200, ret);
	if (route->with_query != NULL)
		route->with_query(f, &q, ret);
	else
		route->view(f, arg, ret);
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
		run_view(f, route, arg, rq, ret);
	}
}
