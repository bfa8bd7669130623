/*
 * /v1/backends: each backend with the servers of ours that hold an address.
 *
 * Why a server is kept against the evidence is told by the plan, in a list of its
 * own; it is sorted once per answer, so that 10,000 servers stay one pass.
 */
#include "config.h"

#include "control/control_backends.h"

#include <stdlib.h>

#include "control/control_json.h"
#include "control/control_tasks.h"

/* What the plan keeps against the evidence, by backend and server. */
struct held_index {
	size_t n;
	const struct plan_held *held[];
};

static int
compare_names(struct str backend, struct str server, const struct plan_held *h)
{
	int order = str_cmp(backend, h->backend);

	return order != 0 ? order : str_cmp(server, h->server);
}

static int
by_name(const void *left, const void *right)
{
	const struct plan_held *a = *(const struct plan_held *const *)left;

	return compare_names(a->backend, a->server, *(const struct plan_held *const *)right);
}

/* To be freed.  Null if nothing is kept, or without memory: a message less, and no fault. */
static struct held_index *
index_held(const struct plan *p)
{
	struct held_index *index;

	if (p == NULL || p->n_held == 0)
		return NULL;
	index = malloc(sizeof(*index) + p->n_held * sizeof(index->held[0]));
	if (index == NULL)
		return NULL;
	for (index->n = 0; index->n < p->n_held; index->n++)
		index->held[index->n] = &p->held[index->n];
	qsort(index->held, index->n, sizeof(index->held[0]), by_name);
	return index;
}

static const struct plan_held *
find_held(const struct held_index *index, struct str backend, struct str server)
{
	size_t low = 0, high = index != NULL ? index->n : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_names(backend, server, index->held[middle]);

		if (order == 0)
			return index->held[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* ---- why it stands as it stands ---- */

const char *
control_backends_leaving_text(enum evidence ev)
{
	switch (ev) {
	case EVIDENCE_STOPPING:
		return "its task is stopping: calls in flight may end, new ones go elsewhere";
	case EVIDENCE_STOPPED:
		return "its task has stopped";
	case EVIDENCE_REPLACED:
		return "its address belongs to a newer task";
	case EVIDENCE_MISSING:
		return "ECS does not know its task any more";
	case EVIDENCE_UNHEALTHY:
		return "ECS calls its task UNHEALTHY";
	case EVIDENCE_UNEXPOSED:
		return "the configuration does not expose its task any more";
	case EVIDENCE_NONE:
	case EVIDENCE_RUNNING:
		break;
	}
	return "it leaves";
}

static bool
is_forsaken(const struct control_facts *f, struct str backend)
{
	const struct desired_backend *d = f->desired != NULL ? desired_find(f->desired, backend) : NULL;

	return d != NULL && desired_is_forsaken(f->desired, d);
}

static const char *
serving_text(const struct control_facts *f, const struct plan_server *s)
{
	if (s->desired == NULL && s->evidence == EVIDENCE_NONE && is_forsaken(f, s->backend))
		return "no entry and no label asks for this backend any more: kept until something proves that its "
		       "task is gone";
	if (s->desired == NULL && s->evidence == EVIDENCE_NONE)
		return "no task that is known explains it: kept until something proves that its task is gone";
	switch (s->evidence) {
	case EVIDENCE_NONE:
		return "nothing has been heard of its task lately: kept";
	case EVIDENCE_RUNNING:
		return s->is_stale ? "was added with other settings than the configuration has now" : "";
	case EVIDENCE_STOPPING:
	case EVIDENCE_STOPPED:
	case EVIDENCE_REPLACED:
	case EVIDENCE_MISSING:
	case EVIDENCE_UNHEALTHY:
	case EVIDENCE_UNEXPOSED:
		break;
	}
	return control_backends_leaving_text(s->evidence);
}

static void
put_down_reason(struct control_json *w, const struct actual_server *a)
{
	if (a->last_check.len > 0)
		control_json_format(w, "reason", "HAProxy's health check fails: %.*s", STR_ARG(a->last_check));
	else
		control_json_format(w, "reason", "HAProxy calls it %.*s", STR_ARG(a->status));
}

/* Null: it is no outlier, as far as we know. */
static const struct outlier_ejection *
find_ejection(const struct control_facts *f, const struct plan_server *s)
{
	struct overlay_key key;

	if (f->outlier == NULL || s->desired == NULL)
		return NULL;
	key = overlay_key_of(s->backend, s->desired);
	return outlier_find(f->outlier, &key);
}

static void
put_ejected_reason(struct control_json *w, const struct control_facts *f, const struct plan_server *s)
{
	const struct outlier_ejection *e = find_ejection(f, s);

	if (e != NULL)
		control_json_format(w, "reason", "ejected: %s", e->because);
	else
		control_json_word(w, "reason", "ejected, and about to be put back");
}

/* Who is observed only takes calls; its state is what it is. */
static void
put_ejection(struct control_json *w, const struct control_facts *f, const struct plan_server *s)
{
	const struct outlier_ejection *e = find_ejection(f, s);

	if (e == NULL) {
		control_json_null(w, "ejection");
		return;
	}
	control_json_object(w, "ejection");
	control_json_word(w, "cause", outlier_cause_name(e->cause));
	control_json_word(w, "message", e->because);
	control_json_bool(w, "observed", e->is_observed);
	control_json_number(w, "times", e->times);
	control_json_time(w, "since", e->since_wall_ms);
	control_json_time(w, "until", e->until_wall_ms);
	control_json_object_end(w);
}

static void
put_state_reason(struct control_json *w, const struct control_facts *f, const struct plan_server *s)
{
	switch (s->state) {
	case PLAN_STATE_JOINING:
		control_json_word(w, "reason", "takes calls once HAProxy's health check has passed");
		break;
	case PLAN_STATE_UP:
		control_json_word(w, "reason", serving_text(f, s));
		break;
	case PLAN_STATE_DOWN:
		put_down_reason(w, s->actual);
		break;
	case PLAN_STATE_DRAINING:
		control_json_word(w, "reason", control_backends_leaving_text(s->evidence));
		break;
	case PLAN_STATE_EJECTED:
		put_ejected_reason(w, f, s);
		break;
	case PLAN_STATE_HELD:
		control_json_format(w, "reason", "somebody set it to %s in HAProxy: left to that hand",
		    actual_admin_name(s->actual->admin));
		break;
	}
}

/* By whom, what and until when. */
static void
put_hold(struct control_json *w, const struct overlay_hold *hold)
{
	struct buf text = buf_make(CONTROL_VIEW_MESSAGE_MAX);

	overlay_say(hold, &text);
	control_json_text(w, "reason", buf_str(&text));
	buf_free(&text);
}

static const struct overlay_hold *
find_hold(const struct control_facts *f, const struct plan_server *s)
{
	struct overlay_key key;

	if (s->state == PLAN_STATE_DRAINING || s->desired == NULL || f->overlay == NULL)
		return s->hold;
	key = overlay_key_of(s->backend, s->desired);
	return overlay_find(f->overlay, &key);
}

/* An order is newer than the plan until the next pass: what is shown is what it makes of the server. */
static struct plan_server
as_ordered(const struct control_facts *f, const struct plan_server *s)
{
	struct plan_server now = *s;
	const bool is_at_work = s->actual->admin == ACTUAL_READY;
	const struct outlier_ejection *ejection = find_ejection(f, s);

	now.hold = find_hold(f, s);
	if (now.hold != NULL && s->state != PLAN_STATE_DRAINING)
		now.state = PLAN_STATE_HELD;
	else if (s->hold != NULL && now.hold == NULL)
		now.state = !is_at_work ? PLAN_STATE_JOINING : s->actual->up ? PLAN_STATE_UP : PLAN_STATE_DOWN;
	if (now.state == PLAN_STATE_UP && ejection != NULL && !ejection->is_observed)
		now.state = PLAN_STATE_EJECTED;
	return now;
}

static unsigned
weight_as_ordered(const struct plan_server *s, const struct overlay_hold *hold)
{
	const bool was_held = s->hold != NULL && s->hold->has_weight, is_held = hold != NULL && hold->has_weight;

	if (is_held && !(was_held && s->hold->weight == hold->weight))
		return hold->weight;
	return was_held && !is_held && s->desired != NULL ? s->desired->weight : s->actual->weight;
}

static void
put_reason(
    struct control_json *w, const struct control_facts *f, const struct held_index *index, const struct plan_server *s)
{
	const struct plan_held *held = find_held(index, s->backend, s->actual->name);

	if (s->hold != NULL)
		put_hold(w, s->hold);
	else if (held != NULL && held->message.len > 0)
		control_json_text(w, "reason", held->message);
	else
		put_state_reason(w, f, s);
}

/* ---- one server ---- */

static void
put_task(struct control_json *w, const struct desired_server *d)
{
	const struct roster_task *t = d->task;

	control_json_text(w, "task", t->id);
	control_json_text(w, "task_arn", t->arn);
	control_json_text(w, "source", d->cluster->source);
	control_json_text(w, "cluster", d->cluster->name);
	control_tasks_put_service(w, t);
	control_json_text(w, "family", t->family);
	control_json_number(w, "revision", t->revision);
	control_json_text(w, "container", d->container);
	control_json_text(w, "zone", t->zone);
}

static void
put_no_task(struct control_json *w)
{
	static const char *const texts[] = { "task", "task_arn", "source", "cluster", "service", "family" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		control_json_word(w, texts[i], "");
	control_json_null(w, "revision");
	control_json_word(w, "container", "");
	control_json_word(w, "zone", "");
}

/* HAProxy counts in whole seconds, and so does this. */
static int64_t
changed_at(const struct control_facts *f, const struct actual_server *a)
{
	int64_t read_ms = f->actual != NULL ? f->wall_ms - (f->mono_ms - f->actual->read_mono_ms) : f->wall_ms;

	return (read_ms / 1000 - a->changed_s) * 1000;
}

static void
put_server(struct control_json *w, const char *name, const struct control_facts *f, const struct held_index *index,
    const struct plan_server *planned)
{
	const struct plan_server now = as_ordered(f, planned), *s = &now;

	control_json_object(w, name);
	control_json_text(w, "name", s->actual->name);
	control_json_text(w, "backend", s->backend);
	if (s->desired != NULL)
		put_task(w, s->desired);
	else
		put_no_task(w);
	control_json_text(w, "address", s->actual->address);
	control_json_number(w, "port", s->actual->port);
	control_json_word(w, "state", plan_state_name(s->state));
	control_json_number(w, "weight", weight_as_ordered(planned, s->hold));
	control_json_number(w, "sessions", s->actual->sessions);
	control_json_number(w, "calls", (int64_t)(s->actual->answers + s->actual->failures));
	control_json_time(w, "since", changed_at(f, s->actual));
	control_json_word(w, "evidence", evidence_name(s->evidence));
	put_reason(w, f, index, s);
	put_ejection(w, f, s);
	control_json_object_end(w);
}

/* ---- one backend ---- */

static void
put_pause(struct control_json *w, const struct control_facts *f, struct str backend, const struct plan_backend *p)
{
	const struct overlay_pause *pause = f->overlay != NULL ? overlay_find_pause(f->overlay, backend) : NULL;

	control_json_bool(w, "paused", pause != NULL || (f->overlay == NULL && p != NULL && p->is_paused));
	control_json_time(w, "paused_until", pause != NULL ? pause->until_wall_ms : 0);
}

/* As configured, and as it is: without an agent-check nobody can be ejected. */
static void
put_outlier(struct control_json *w, const struct conf_backend *conf, const struct plan_backend *p)
{
	static const char *const modes[] = {
		[CONF_OUTLIER_ENFORCE] = "enforce", [CONF_OUTLIER_OBSERVE] = "observe", [CONF_OUTLIER_OFF] = "off"
	};
	enum conf_outlier_mode mode = conf->policy.outlier.mode;
	size_t n = p != NULL && mode != CONF_OUTLIER_OFF ? p->n_without_agent : 0;

	control_json_object(w, "outlier");
	control_json_word(w, "mode", modes[mode == CONF_OUTLIER_ENFORCE && n > 0 ? CONF_OUTLIER_OBSERVE : mode]);
	control_json_number(w, "without_agent_check", (int64_t)n);
	control_json_object_end(w);
}

/* What whole weights make of each share; thousandths of a percent are shown as such. */
static void
put_shares(struct control_json *w, const struct desired_backend *d)
{
	control_json_array(w, "shares");
	for (size_t i = 0; d != NULL && i < d->n_shares; i++) {
		const struct desired_share *s = &d->shares[i];

		control_json_object(w, NULL);
		control_json_text(w, "cluster", s->cluster->name);
		control_json_text(w, "service", s->service);
		if (s->revision != 0)
			control_json_number(w, "revision", s->revision);
		else
			control_json_null(w, "revision");
		control_json_number(w, "percent", s->percent);
		control_json_number(w, "reached_millipercent", s->reached_milli);
		control_json_object_end(w);
	}
	control_json_array_end(w);
}

/* What it says of itself, empty where it is as others are. */
static void
put_retired(struct control_json *w, const struct control_facts *f, const struct conf_backend *conf,
    const struct plan_backend *p)
{
	const bool retired = is_forsaken(f, conf->name) || (f->desired == NULL && conf->retired);

	control_json_bool(w, "retired", retired);
	if (!retired)
		control_json_word(w, "message", "");
	else if (p != NULL && p->is_frozen)
		control_json_format(w, "message",
		    "no entry and no label asks for this backend any more, and more than removal_limit of its tasks "
		    "may still run: `rollcall release %.*s` lets their servers go",
		    STR_ARG(conf->name));
	else
		control_json_word(w, "message",
		    "no entry and no label asks for this backend any more: nobody enters it, and its servers leave "
		    "as their tasks end, or within removal_limit");
}

static void
put_head(struct control_json *w, const struct control_facts *f, const struct conf_backend *conf,
    const struct plan_backend *p)
{
	control_json_object(w, NULL);
	control_json_text(w, "name", conf->name);
	control_json_word(w, "kind", conf->managed ? "managed" : "declared");
	control_json_word(w, "strategy", p != NULL ? plan_strategy_name(p->strategy) : "");
	control_json_bool(w, "frozen", p != NULL && p->is_frozen);
	put_retired(w, f, conf, p);
	put_outlier(w, conf, p);
	put_pause(w, f, conf->name, p);
	put_shares(w, f->desired != NULL ? desired_find(f->desired, conf->name) : NULL);
	control_json_array(w, "servers");
}

/* Its head, and its servers one by one, of which `inner` is how far we are.  False: there are more. */
static bool
put_backend(struct control_slice *s, const struct control_facts *f, const struct conf_backend *conf)
{
	const struct plan_backend *p = f->plan != NULL ? plan_find(f->plan, conf->name) : NULL;
	const size_t n = p != NULL ? p->n_servers : 0;

	if (s->inner == 0)
		put_head(&s->w, f, conf, p);
	while (s->inner < n) {
		put_server(&s->w, NULL, f, s->memo, &p->servers[s->inner++]);
		if (s->inner < n && control_slice_is_full(s))
			return false;
	}
	s->inner = 0;
	control_json_array_end(&s->w);
	control_json_object_end(&s->w);
	return true;
}

/* No entry names it any more, and it has no server left. */
static bool
is_over(const struct control_facts *f, const struct conf_backend *conf)
{
	const struct plan_backend *p = f->plan != NULL ? plan_find(f->plan, conf->name) : NULL;

	return conf->retired && p != NULL && p->n_servers == 0;
}

/* Those of the configuration, and those that labels made. */
static size_t
count_backends(const struct control_facts *f)
{
	if (f->desired != NULL)
		return f->desired->n_backends;
	return f->conf != NULL ? f->conf->n_backends : 0;
}

static const struct conf_backend *
backend_at(const struct control_facts *f, size_t i)
{
	return f->desired != NULL ? f->desired->backends[i].conf : &f->conf->backends[i];
}

bool
control_backends_put(struct control_slice *s, const char *name, const struct control_facts *f, struct str only)
{
	if (control_slice_begins(s)) {
		s->memo = index_held(f->plan);
		control_json_array(&s->w, name);
	}
	for (; s->outer < count_backends(f); s->outer++) {
		const struct conf_backend *conf = backend_at(f, s->outer);

		if (only.len == 0 ? is_over(f, conf) : !str_eq(conf->name, only))
			continue;
		if (!put_backend(s, f, conf))
			return false;
	}
	control_json_array_end(&s->w);
	return true;
}

void
control_backends_put_server(
    struct control_json *w, const char *name, const struct control_facts *f, struct str backend, struct str server)
{
	const struct plan_backend *p = f->plan != NULL ? plan_find(f->plan, backend) : NULL;
	struct held_index *index;

	for (size_t i = 0; p != NULL && i < p->n_servers; i++) {
		if (!str_eq(p->servers[i].actual->name, server))
			continue;
		index = index_held(f->plan);
		put_server(w, name, f, index, &p->servers[i]);
		free(index);
		return;
	}
	control_json_null(w, name);
}

bool
control_backends_list(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	(void)ret;
	return control_backends_put(s, NULL, f, STR(""));
}

static void
say_no_backend(struct str name, struct control_response *ret)
{
	struct buf message = buf_make(CONTROL_VIEW_MESSAGE_MAX);

	buf_printf(&message, "no entry of `backends` is named `%.*s`", STR_ARG(str_first(name, 200)));
	control_view_error(404, "not_found", buf_str(&message), ret);
	buf_free(&message);
}

bool
control_backends_one(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	const struct desired_backend *d = f->desired != NULL ? desired_find(f->desired, s->arg) : NULL;
	const struct conf_backend *conf = f->conf != NULL ? conf_backend_by_name(f->conf, s->arg) : NULL;

	if (d != NULL)
		conf = d->conf;
	if (conf == NULL) {
		say_no_backend(s->arg, ret);
		return true;
	}
	if (control_slice_begins(s))
		s->memo = index_held(f->plan);
	return put_backend(s, f, conf);
}
