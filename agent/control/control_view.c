/* The router of the control interface: from method and path to a view. */
#include "config.h"

#include "control/control_view.h"

#include <stdlib.h>

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

/* Those that look at the query. */
static control_view_slices find_route_of_call, show_events;

static const struct control_view views[] = {
	{ "/", control_page_show, NULL, false },
	{ "/live", control_status_live, NULL, false },
	{ "/ready", control_status_ready, NULL, false },
	{ "/metrics", NULL, control_metrics_show, false },
	{ "/v1/status", NULL, control_status_show, false },
	{ "/v1/backends", NULL, control_backends_list, false },
	{ "/v1/backends/*", NULL, control_backends_one, false },
	{ "/v1/tasks/*", control_tasks_one, NULL, false },
	{ "/v1/excluded", control_tasks_excluded, NULL, false },
	{ "/v1/routes", NULL, control_routes_list, false },
	{ "/v1/route", NULL, find_route_of_call, true },
	{ "/v1/doctor", control_doctor_show, NULL, false },
	{ "/v1/plan", NULL, control_plan_show, false },
	{ "/v1/events", NULL, show_events, true },
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

static const struct control_view *
find_view(const struct control_path *path, struct str *ret_arg)
{
	struct control_path_names names;

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (!control_path_matches(views[i].path, path, &names))
			continue;
		*ret_arg = names.s[0];
		return &views[i];
	}
	return NULL;
}

static void
refuse_path(struct control_response *ret)
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

static bool
show_events(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	struct control_events_query which;

	if (!control_view_events_query(f, &s->query, &which, ret))
		return true;
	if (control_slice_begins(s))
		control_json_array(&s->w, NULL);
	else
		which.after_id = s->after_id;
	while (control_events_put_next(&s->w, f->events, &which))
		if (control_slice_is_full(s)) {
			s->after_id = which.after_id;
			return false;
		}
	control_json_array_end(&s->w);
	return true;
}

static bool
find_route_of_call(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	control_routes_find(f, &s->query, ret);
	return true;
}

/* ---- a request ---- */

void
control_view_start(const struct control_request *rq, struct control_making *ret)
{
	const struct control_view *view;

	*ret = (struct control_making){ .view = NULL };
	if (!control_path_parse(rq->path, &ret->path)) {
		refuse_path(&ret->answer);
		return;
	}
	view = find_view(&ret->path, &ret->slice.arg);
	if (view == NULL) {
		control_view_error(404, "not_found", STR("no such path: GET /v1/status is a good start"), &ret->answer);
	} else if (!is_reading(rq->method)) {
		control_view_error(405, "method_not_allowed", STR("this path answers GET and HEAD only"), &ret->answer);
		ret->answer.allow = "GET, HEAD";
	} else if (view->takes_query && !control_path_parse_query(rq->query, &ret->slice.query)) {
		control_view_error(400, "bad_parameter",
		    STR("the query is too long, has too many parameters, or is not percent-encoded as it must be"),
		    &ret->answer);
	} else {
		ret->view = view;
	}
}

static void
begin(const struct control_facts *f, struct control_making *m)
{
	m->is_begun = true;
	m->version = f->version;
	control_view_begin(200, &m->answer);
	m->slice.w = control_json_make(&m->answer.body);
	m->slice.has_begun = false;
	m->slice.stage = m->slice.outer = m->slice.inner = 0;
}

static void
drop(struct control_making *m)
{
	buf_free(&m->answer.body);
	free(MOVE(m->slice.memo));
}

/* What there was told of another moment. */
static void
restart(const struct control_facts *f, struct control_making *m)
{
	drop(m);
	m->n_restarts++;
	begin(f, m);
}

bool
control_view_go_on(const struct control_facts *f, struct control_making *m)
{
	struct control_slice *s = &m->slice;
	bool is_whole = true;

	if (m->view == NULL)
		return true;
	if (!m->is_begun)
		begin(f, m);
	else if (m->version != f->version)
		restart(f, m);
	s->is_hurried = m->n_restarts >= CONTROL_VIEW_RESTARTS_MAX;
	s->until = s->is_hurried ? SIZE_MAX : m->answer.body.len + CONTROL_SLICE_SIZE;
	if (m->view->slices != NULL)
		is_whole = m->view->slices(f, s, &m->answer);
	else
		m->view->whole(f, s->arg, &m->answer);
	if (!is_whole && buf_failed(&m->answer.body, NULL) == ERR_OK)
		return false;
	free(MOVE(s->memo));
	m->view = NULL;
	control_view_finish(&m->answer);
	return true;
}

void
control_view_drop(struct control_making *m)
{
	drop(m);
	m->view = NULL;
}

void
control_view_make(const struct control_facts *f, struct control_making *m, struct control_response *ret)
{
	while (!control_view_go_on(f, m))
		;
	*ret = m->answer;
}

void
control_view_answer(const struct control_facts *f, const struct control_request *rq, struct control_response *ret)
{
	struct control_making m;

	control_view_start(rq, &m);
	control_view_make(f, &m, ret);
}
