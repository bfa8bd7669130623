/* The acts of the control interface: see control_order.h. */
#include "config.h"

#include "control/control_order.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/conf_scalar.h"
#include "control/control_backends.h"
#include "control/control_json.h"

#define SHOWN_MAX 60  /* bytes of a bad value that an error shows */
#define NAME_MAX  255 /* of a backend or a server; HAProxy's own are shorter */

/* What the query may hold. */
enum takes { TAKES_FOR = 1, TAKES_WEIGHT = 2, TAKES_BACKEND = 4, TAKES_LEVEL = 8, TAKES_FORCE = 16 };

static const struct act {
	const char *path;
	enum control_order_kind order;
	enum reconcile_order_kind kind; /* of SYNC */
	unsigned takes;
} acts[] = {
	{ "/v1/servers/*/*/drain", CONTROL_ORDER_SYNC, RECONCILE_DRAIN_SERVER, TAKES_FOR },
	{ "/v1/servers/*/*/ready", CONTROL_ORDER_SYNC, RECONCILE_READY_SERVER, 0 },
	{ "/v1/servers/*/*/weight", CONTROL_ORDER_SYNC, RECONCILE_WEIGH_SERVER, TAKES_WEIGHT | TAKES_FOR },
	{ "/v1/servers/*/*/eject", CONTROL_ORDER_SYNC, RECONCILE_EJECT_SERVER, TAKES_FOR },
	{ "/v1/servers/*/*/uneject", CONTROL_ORDER_SYNC, RECONCILE_UNEJECT_SERVER, 0 },
	{ "/v1/pause", CONTROL_ORDER_SYNC, RECONCILE_PAUSE_BACKEND, TAKES_BACKEND | TAKES_FOR },
	{ "/v1/resume", CONTROL_ORDER_SYNC, RECONCILE_RESUME_BACKEND, TAKES_BACKEND },
	{ "/v1/refresh", CONTROL_ORDER_REFRESH, 0, 0 },
	{ "/v1/log", CONTROL_ORDER_LOG, 0, TAKES_LEVEL },
	{ "/v1/reload", CONTROL_ORDER_RELOAD, 0, TAKES_FORCE },
	{ "/v1/backends/*/release", CONTROL_ORDER_SYNC, RECONCILE_RELEASE_BACKEND, 0 },
};

static const struct parameter {
	const char *name;
	enum takes takes;
} parameters[] = {
	{ "for", TAKES_FOR },
	{ "weight", TAKES_WEIGHT },
	{ "backend", TAKES_BACKEND },
	{ "level", TAKES_LEVEL },
	{ "force", TAKES_FORCE },
};

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- from a request to an order ---- */

__attribute__((format(printf, 4, 5))) static bool
refuse(int status, const char *code, struct control_response *ret, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_view_error(status, code, str_from_cstr(text), ret);
	return false;
}

static bool
refuse_value(const char *name, struct str value, const char *why, struct control_response *ret)
{
	return refuse(
	    400, "bad_parameter", ret, "%s `" STR_FMT "` %s", name, STR_ARG(str_first(value, SHOWN_MAX)), why);
}

static bool
take_for(struct reconcile_order *o, struct str value, struct control_response *ret)
{
	struct err e = ERR_INIT;

	if (conf_scalar_duration(value, &o->for_ms, &e) != ERR_OK)
		return refuse_value("for", value, e.msg, ret);
	return o->for_ms > 0 || refuse_value("for", value, "is no time at all", ret);
}

static bool
take_weight(struct reconcile_order *o, struct str value, struct control_response *ret)
{
	o->weight_is_auto = str_eq(value, STR("auto"));
	if (o->weight_is_auto || conf_scalar_whole(value, 0, DESIRED_WEIGHT_MAX, &o->weight, NULL) == ERR_OK)
		return true;
	return refuse_value("weight", value, "is neither a whole number from 0 to 256 nor `auto`", ret);
}

/* Empty would be all of them. */
static bool
take_backend(struct reconcile_order *o, struct str value, struct control_response *ret)
{
	o->backend = value;
	return value.len > 0 || refuse_value("backend", value, "is no name: leave it out to mean all backends", ret);
}

static bool
take_level(struct control_order *o, struct str value, struct control_response *ret)
{
	return log_level_parse(value, &o->level) ||
	       refuse_value("level", value, "is none: error, warn, info or debug", ret);
}

static bool
take_force(struct control_order *o, struct str value, struct control_response *ret)
{
	if (str_eq(value, STR("1")) || str_eq(value, STR("0"))) {
		o->force = str_eq(value, STR("1"));
		return true;
	}
	return conf_scalar_bool(value, &o->force, NULL) == ERR_OK || refuse_value("force", value, "is not 1 or 0", ret);
}

static bool
take_value(enum takes what, struct control_order *o, struct str value, struct control_response *ret)
{
	switch (what) {
	case TAKES_FOR:
		return take_for(&o->what, value, ret);
	case TAKES_WEIGHT:
		return take_weight(&o->what, value, ret);
	case TAKES_BACKEND:
		return take_backend(&o->what, value, ret);
	case TAKES_LEVEL:
		return take_level(o, value, ret);
	case TAKES_FORCE:
		return take_force(o, value, ret);
	}
	return false;
}

static const struct parameter *
find_parameter(struct str name, unsigned takes)
{
	for (size_t i = 0; i < N_OF(parameters); i++)
		if ((parameters[i].takes & takes) != 0 && str_eq(str_from_cstr(parameters[i].name), name))
			return &parameters[i];
	return NULL;
}

static bool
take_query(unsigned takes, struct control_order *o, struct control_response *ret)
{
	const struct control_query *q = &o->query;
	unsigned taken = 0;

	for (size_t i = 0; i < q->n; i++) {
		struct str name = q->parameters[i].name;
		const struct parameter *p = find_parameter(name, takes);

		if (p == NULL)
			return refuse(400, "bad_parameter", ret, "there is no parameter `" STR_FMT "` here",
			    STR_ARG(str_first(name, SHOWN_MAX)));
		if ((taken & p->takes) != 0)
			return refuse(400, "bad_parameter", ret, "`%s` stands there twice", p->name);
		if (!take_value(p->takes, o, q->parameters[i].value, ret))
			return false;
		taken |= p->takes;
	}
	if ((takes & TAKES_WEIGHT) != 0 && (taken & TAKES_WEIGHT) == 0)
		return refuse(
		    400, "bad_parameter", ret, "which weight? `?weight=` with a number from 0 to 256, or `auto`");
	if ((takes & TAKES_LEVEL) != 0 && (taken & TAKES_LEVEL) == 0)
		return refuse(400, "bad_parameter", ret, "which level? `?level=` with error, warn, info or debug");
	if (o->what.weight_is_auto && (taken & TAKES_FOR) != 0)
		return refuse(400, "bad_parameter", ret, "`for` does not go with `weight=auto`: that ends a hold");
	return true;
}

/* HAProxy's alphabet of names; whatever else it is, it is no name of ours. */
static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_' && c != '.' && c != ':')
			return false;
	}
	return s.len <= NAME_MAX;
}

static bool
check_names(const struct reconcile_order *o, struct control_response *ret)
{
	if (!is_name(o->backend))
		return refuse(404, "not_found", ret, "no backend has such a name: `" STR_FMT "`",
		    STR_ARG(str_first(o->backend, SHOWN_MAX)));
	if (!is_name(o->server))
		return refuse(404, "not_found", ret, "no server has such a name: `" STR_FMT "`",
		    STR_ARG(str_first(o->server, SHOWN_MAX)));
	return true;
}

static bool
take_act(const struct act *act, const struct control_request *rq, const struct control_path_names *names,
    struct control_order *o, struct control_response *ret)
{
	o->kind = act->order;
	o->force = false;
	o->what = (struct reconcile_order){ .kind = act->kind, .backend = names->s[0], .server = names->s[1] };
	if (!str_eq(rq->method, STR("POST"))) {
		(void)refuse(405, "method_not_allowed", ret, "this path answers POST only");
		ret->allow = "POST";
		return false;
	}
	if (!control_path_parse_query(rq->query, &o->query))
		return refuse(400, "bad_parameter", ret,
		    "the query is too long, has too many parameters, or is not percent-encoded as it must be");
	return take_query(act->takes, o, ret) && check_names(&o->what, ret);
}

enum control_order_verdict
control_order_take(const struct control_request *rq, struct control_order *ret, struct control_response *ret_answer)
{
	struct control_path_names names;

	if (!control_path_parse(rq->path, &ret->path))
		return CONTROL_ORDER_NONE;
	for (size_t i = 0; i < N_OF(acts); i++)
		if (control_path_matches(acts[i].path, &ret->path, &names))
			return take_act(&acts[i], rq, &names, ret, ret_answer) ? CONTROL_ORDER_TAKEN
									       : CONTROL_ORDER_REFUSED;
	return CONTROL_ORDER_NONE;
}

/* ---- from its outcome to an answer ---- */

static void
answer_failure(enum err_code code, const struct err *e, struct control_response *ret)
{
	struct str message = str_from_cstr(e->msg);

	if (code == ERR_ARG)
		control_view_error(404, "not_found", message, ret);
	else if (code == ERR_REFUSED)
		control_view_error(409, "refused", message, ret);
	else if (code == ERR_LIMIT)
		control_view_error(409, "too_many", message, ret);
	else
		control_view_error(503, "unavailable", message, ret);
}

/* Into the object that the answer is, before its closing brace. */
static void
add_plan(const struct buf *plan, struct control_response *ret)
{
	if (plan->len == 0 || buf_failed(plan, NULL) != ERR_OK || ret->body.len == 0)
		return;
	ret->body.len--;
	buf_put(&ret->body, STR(",\"plan\":"));
	buf_put(&ret->body, buf_str(plan));
	buf_put_u8(&ret->body, '}');
	control_view_finish(ret);
}

static bool
put_done(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	const struct control_done *done = s->of;
	const struct reconcile_order *o = &done->order->what;
	bool is_first = !s->has_begun;

	if (is_first) {
		control_json_object(&s->w, NULL);
		control_json_text(&s->w, "done", buf_str(&done->outcome->said));
	}
	if (is_first && done->order->kind == CONTROL_ORDER_SYNC)
		control_json_time(&s->w, "until", o->for_ms > 0 ? f->wall_ms + o->for_ms : 0);
	if (done->order->kind == CONTROL_ORDER_SYNC && o->server.len > 0)
		control_backends_put_server(&s->w, "server", f, o->backend, o->server);
	else if (done->order->kind == CONTROL_ORDER_SYNC && !control_backends_put(s, "backends", f, o->backend))
		return false;
	control_json_object_end(&s->w);
	add_plan(&done->outcome->plan, ret);
	return true;
}

void
control_order_start(
    const struct control_done *done, enum err_code code, const struct err *e, struct control_making *ret)
{
	static const struct control_view view = { .slices = put_done };

	*ret = (struct control_making){ .view = NULL };
	if (code == ERR_OK) {
		ret->view = &view;
		ret->slice.of = done;
		return;
	}
	answer_failure(code, e, &ret->answer);
	add_plan(&done->outcome->plan, &ret->answer);
}
