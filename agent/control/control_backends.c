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
	const struct plan_held **held;
	size_t n;
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

/* Without memory for it the index is empty: a message less, and no fault. */
static struct held_index
index_held(const struct plan *p)
{
	struct held_index index = { 0 };

	if (p == NULL || p->n_held == 0)
		return index;
	index.held = calloc(p->n_held, sizeof(const struct plan_held *));
	if (index.held == NULL)
		return index;
	for (; index.n < p->n_held; index.n++)
		index.held[index.n] = &p->held[index.n];
	qsort(index.held, index.n, sizeof(const struct plan_held *), by_name);
	return index;
}

static const struct plan_held *
find_held(const struct held_index *index, struct str backend, struct str server)
{
	size_t low = 0, high = index->n;

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

static const char *
serving_text(const struct plan_server *s)
{
	if (s->desired == NULL)
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
		control_json_word(w, "reason", serving_text(s));
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

/* The hold that the plan knows, else one of its weight alone, or one so new that no
 * plan has it. */
static const struct overlay_hold *
find_hold(const struct control_facts *f, const struct plan_server *s)
{
	struct overlay_key key;

	if (s->hold != NULL || s->state == PLAN_STATE_DRAINING || s->desired == NULL || f->overlay == NULL)
		return s->hold;
	key = overlay_key_of(s->backend, s->desired);
	return overlay_find(f->overlay, &key);
}

static void
put_reason(
    struct control_json *w, const struct control_facts *f, const struct held_index *index, const struct plan_server *s)
{
	const struct plan_held *held = find_held(index, s->backend, s->actual->name);
	const struct overlay_hold *hold = find_hold(f, s);

	if (hold != NULL)
		put_hold(w, hold);
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
    const struct plan_server *s)
{
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
	control_json_number(w, "weight", s->actual->weight);
	control_json_number(w, "sessions", s->actual->sessions);
	control_json_time(w, "since", changed_at(f, s->actual));
	control_json_word(w, "evidence", evidence_name(s->evidence));
	put_reason(w, f, index, s);
	put_ejection(w, f, s);
	control_json_object_end(w);
}

/* ---- one backend ---- */

static void
put_servers(
    struct control_json *w, const struct control_facts *f, const struct held_index *index, const struct plan_backend *p)
{
	control_json_array(w, "servers");
	for (size_t i = 0; p != NULL && i < p->n_servers; i++)
		put_server(w, NULL, f, index, &p->servers[i]);
	control_json_array_end(w);
}

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

static void
put_backend(struct control_json *w, const struct control_facts *f, const struct held_index *index,
    const struct conf_backend *conf)
{
	const struct plan_backend *p = f->plan != NULL ? plan_find(f->plan, conf->name) : NULL;

	control_json_object(w, NULL);
	control_json_text(w, "name", conf->name);
	control_json_word(w, "kind", conf->managed ? "managed" : "declared");
	control_json_word(w, "strategy", p != NULL ? plan_strategy_name(p->strategy) : "");
	control_json_bool(w, "frozen", p != NULL && p->is_frozen);
	put_outlier(w, conf, p);
	put_pause(w, f, conf->name, p);
	put_shares(w, f->desired != NULL ? desired_find(f->desired, conf->name) : NULL);
	put_servers(w, f, index, p);
	control_json_object_end(w);
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

void
control_backends_put(struct control_json *w, const char *name, const struct control_facts *f, struct str backend)
{
	struct held_index index = index_held(f->plan);

	control_json_array(w, name);
	for (size_t i = 0; i < count_backends(f); i++) {
		const struct conf_backend *conf =
		    f->desired != NULL ? f->desired->backends[i].conf : &f->conf->backends[i];

		if (backend.len == 0 ? !is_over(f, conf) : str_eq(conf->name, backend))
			put_backend(w, f, &index, conf);
	}
	control_json_array_end(w);
	free(index.held);
}

void
control_backends_put_server(
    struct control_json *w, const char *name, const struct control_facts *f, struct str backend, struct str server)
{
	const struct plan_backend *p = f->plan != NULL ? plan_find(f->plan, backend) : NULL;
	struct held_index index;

	for (size_t i = 0; p != NULL && i < p->n_servers; i++) {
		if (!str_eq(p->servers[i].actual->name, server))
			continue;
		index = index_held(f->plan);
		put_server(w, name, f, &index, &p->servers[i]);
		free(index.held);
		return;
	}
	control_json_null(w, name);
}

void
control_backends_list(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);

	(void)arg;
	control_backends_put(&w, NULL, f, STR(""));
}

static void
say_no_backend(struct str name, struct control_response *ret)
{
	struct buf message = buf_make(CONTROL_VIEW_MESSAGE_MAX);

	buf_printf(&message, "no entry of `backends` is named `%.*s`", STR_ARG(str_first(name, 200)));
	control_view_error(404, "not_found", buf_str(&message), ret);
	buf_free(&message);
}

void
control_backends_one(const struct control_facts *f, struct str name, struct control_response *ret)
{
	const struct desired_backend *d = f->desired != NULL ? desired_find(f->desired, name) : NULL;
	const struct conf_backend *conf = f->conf != NULL ? conf_backend_by_name(f->conf, name) : NULL;
	struct control_json w = control_json_make(&ret->body);
	struct held_index index;

	if (d != NULL)
		conf = d->conf;
	if (conf == NULL) {
		say_no_backend(name, ret);
		return;
	}
	index = index_held(f->plan);
	put_backend(&w, f, &index, conf);
	free(index.held);
}
