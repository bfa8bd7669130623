/*
 * /v1/tasks/ID: one task, its containers, and for each of their endpoints where it
 * serves or why it does not.
 *
 * Desired says whether an endpoint may serve; whether HAProxy has a place for it
 * is known to the plan alone, so that the two are brought together here.
 */
#include "config.h"

#include "control/control_tasks.h"
#include "plan/desired_label.h"

struct match {
	const struct roster_cluster *cluster;
	const struct roster_task *task;
};

struct matches {
	struct match first[CONTROL_TASKS_MATCHES_MAX];
	size_t n; /* may be more than are in first */
};

/* ---- which task is meant ---- */

typedef bool meant_fn(const struct roster_task *t, struct str id);

static bool
is_arn(const struct roster_task *t, struct str id)
{
	return str_eq(t->arn, id);
}

static bool
is_id(const struct roster_task *t, struct str id)
{
	return str_eq(t->id, id);
}

static bool
begins_id(const struct roster_task *t, struct str id)
{
	return id.len >= CONTROL_TASKS_PREFIX_MIN && str_has_prefix(t->id, id);
}

/* Two sources may read one cluster: the task is the same. */
static bool
is_in(const struct matches *found, struct str arn)
{
	for (size_t i = 0; i < found->n && i < CONTROL_TASKS_MATCHES_MAX; i++)
		if (str_eq(found->first[i].task->arn, arn))
			return true;
	return false;
}

static struct matches
find_matches(const struct roster *r, struct str id, meant_fn *meant)
{
	struct matches found = { 0 };

	for (size_t c = 0; r != NULL && c < r->n_clusters; c++) {
		const struct roster_facts *facts = r->clusters[c].facts;

		for (size_t t = 0; facts != NULL && t < facts->n_tasks; t++) {
			if (!meant(&facts->tasks[t], id) || is_in(&found, facts->tasks[t].arn))
				continue;
			if (found.n < CONTROL_TASKS_MATCHES_MAX)
				found.first[found.n] =
				    (struct match){ .cluster = &r->clusters[c], .task = &facts->tasks[t] };
			found.n++;
		}
	}
	return found;
}

/* A whole id is never ambiguous because it begins another. */
static struct matches
find_tasks(const struct roster *r, struct str id)
{
	struct matches found;

	if (str_has_prefix(id, STR("arn:")))
		return find_matches(r, id, is_arn);
	found = find_matches(r, id, is_id);
	return found.n > 0 ? found : find_matches(r, id, begins_id);
}

static void
say_unknown(struct str id, struct control_response *ret)
{
	struct buf message = buf_make(CONTROL_VIEW_MESSAGE_MAX);
	struct str shown = str_first(id, 200);

	buf_printf(&message, "no task `%.*s` is known: ", STR_ARG(shown));
	if (id.len < CONTROL_TASKS_PREFIX_MIN)
		buf_printf(&message, "give its ARN, its id, or at least the first %d characters of it",
		    CONTROL_TASKS_PREFIX_MIN);
	else
		buf_put(&message, STR("it is in none of the clusters that are read, or ended more than an hour ago"));
	control_view_error(404, "not_found", buf_str(&message), ret);
	buf_free(&message);
}

static void
say_ambiguous(struct str id, const struct matches *found, struct control_response *ret)
{
	struct buf message = buf_make(CONTROL_VIEW_MESSAGE_MAX);
	bool by_prefix = !str_eq(id, found->first[0].task->id);

	buf_printf(&message, "`%.*s` stands for %zu tasks: ", STR_ARG(str_first(id, 200)), found->n);
	for (size_t i = 0; i < found->n && i < CONTROL_TASKS_MATCHES_MAX; i++) {
		const struct roster_task *t = found->first[i].task;

		buf_put(&message, i > 0 ? STR(", ") : STR(""));
		buf_put(&message, by_prefix ? t->id : t->arn);
	}
	if (found->n > CONTROL_TASKS_MATCHES_MAX)
		buf_printf(&message, " and %zu more", found->n - CONTROL_TASKS_MATCHES_MAX);
	control_view_error(409, "ambiguous", buf_str(&message), ret);
	buf_free(&message);
}

/* ---- its endpoints ---- */

/* What d says of this task, and of how many containers.  Its roster may be older than the
 * one that the task was found in, so that the task is looked up there again. */
static const struct desired_endpoint *
endpoints_of(const struct desired *d, const struct roster_task *task, size_t *ret_n)
{
	const struct desired_endpoint *now = d != NULL ? desired_endpoints_of(d, task, ret_n) : NULL;

	if (now != NULL)
		return now;
	*ret_n = 0;
	for (size_t i = 0; d != NULL && i < d->roster->n_clusters; i++) {
		const struct roster_facts *facts = d->roster->clusters[i].facts;
		const struct roster_task *then = facts != NULL ? roster_facts_find(facts, task->arn) : NULL;

		if (then != NULL)
			return desired_endpoints_of(d, then, ret_n);
	}
	return NULL;
}

static bool
stands_for(const struct desired_server *s, const struct desired_endpoint *e)
{
	return s != NULL && str_eq(s->task->arn, e->task->arn) && str_eq(s->container, e->container) &&
	       (e->port == 0 || s->port == e->port);
}

static bool
has_server(const struct plan_backend *b, const struct desired_endpoint *e)
{
	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (stands_for(b->servers[i].desired, e))
			return true;
	return false;
}

static bool
is_unplaced(const struct plan_backend *b, const struct desired_endpoint *e)
{
	for (size_t i = 0; b != NULL && i < b->n_unplaced; i++)
		if (stands_for(b->unplaced[i], e))
			return true;
	return false;
}

/* Nothing speaks against its taking calls, but no server stands for it: it has no slot
 * yet, or there is none for it. */
static enum reason
reason_of(const struct plan_backend *b, const struct desired_endpoint *e)
{
	if (!e->exposed)
		return e->reason;
	if (b != NULL && !b->exists)
		return REASON_NO_BACKEND;
	return has_server(b, e) ? REASON_NONE : REASON_NO_SLOT;
}

static void
put_no_slot(struct control_json *w, const struct control_facts *f, const struct plan_backend *b)
{
	const struct actual_backend *a = f->actual != NULL ? actual_find(f->actual, b->name) : NULL;
	size_t n_slots = a != NULL ? a->n_slots : 0;

	if (n_slots == 0)
		control_json_format(w, "message",
		    "backend `%.*s` of HAProxy has no slots: add a line such as "
		    "`server-template rc_ 1-20 0.0.0.0:0 check disabled` to it and reload HAProxy",
		    STR_ARG(b->name));
	else
		control_json_format(w, "message",
		    "backend `%.*s` of HAProxy has no free slot (%zu of %zu in use): raise the count of its "
		    "`server-template rc_ ...` line and reload HAProxy",
		    STR_ARG(b->name), n_slots - b->n_free_slots, n_slots);
}

static void
put_waiting(struct control_json *w, const struct control_facts *f)
{
	if (f->connected)
		control_json_word(w, "message", "HAProxy is about to be told of it");
	else if (f->haproxy_fault.on)
		control_json_format(w, "message", "HAProxy is not reached: %s", f->haproxy_fault.err.msg);
	else
		control_json_word(w, "message", "HAProxy has not answered yet");
}

static bool
is_managed(const struct control_facts *f, struct str backend)
{
	const struct desired_backend *d = desired_find(f->desired, backend);

	return d != NULL && d->conf->managed;
}

static void
put_message(struct control_json *w, const struct control_facts *f, const struct desired_endpoint *e,
    const struct plan_backend *b, enum reason reason)
{
	if (!e->exposed)
		control_json_text(w, "message", e->message);
	else if (reason == REASON_NO_SLOT && is_unplaced(b, e))
		put_no_slot(w, f, b);
	else if (reason == REASON_NO_SLOT)
		put_waiting(w, f);
	else if (reason == REASON_NO_BACKEND)
		control_json_format(w, "message",
		    is_managed(f, e->backend)
			? "HAProxy has no backend `%.*s` yet: it gets it at run time (3.4), or with its next reload"
			: "HAProxy has no backend `%.*s`: add it to haproxy.cfg, or correct its name in `backends`",
		    STR_ARG(e->backend));
	else
		control_json_word(w, "message", "");
}

/* "rc_ID_CONTAINER_PORT"; a slot does not say whose it is: then it is shown with the first. */
static bool
may_be_of(const struct actual_server *s, const struct desired_endpoint *e, bool is_first)
{
	struct str rest = str_skip(s->name, 3 + e->task->id.len + 1); /* "rc_", and "_" */
	struct str port = str_after_last(s->name, '_');

	if (s->is_slot)
		return is_first;
	return rest.len > port.len && str_has_prefix(e->container, str_first(rest, rest.len - port.len - 1));
}

/* HAProxy may still serve what nobody asks to be served. */
static void
put_orphans(struct control_json *w, const struct control_facts *f, const struct desired_endpoint *e, bool is_first)
{
	for (size_t i = 0; f->plan != NULL && i < f->plan->n_backends; i++) {
		const struct plan_backend *b = &f->plan->backends[i];

		for (size_t k = 0; k < b->n_servers; k++) {
			const struct plan_server *s = &b->servers[k];

			if (s->task != NULL && str_eq(s->task->arn, e->task->arn) &&
			    may_be_of(s->actual, e, is_first) && (e->backend.len == 0 || str_eq(e->backend, b->name)))
				control_json_format(w, NULL, "%.*s/%.*s", STR_ARG(b->name), STR_ARG(s->actual->name));
		}
	}
}

static void
put_servers(struct control_json *w, const struct control_facts *f, const struct plan_backend *b,
    const struct desired_endpoint *e, bool is_first)
{
	control_json_array(w, "servers");
	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (stands_for(b->servers[i].desired, e))
			control_json_format(
			    w, NULL, "%.*s/%.*s", STR_ARG(b->name), STR_ARG(b->servers[i].actual->name));
	if (!e->exposed)
		put_orphans(w, f, e, is_first);
	control_json_array_end(w);
}

/* HOST/PATH of what leads there by this service's labels, or by the configuration. */
static void
put_routes(struct control_json *w, const struct control_facts *f, const struct desired_endpoint *e)
{
	const struct roster_task *t = e->task;

	control_json_array(w, "routes");
	for (size_t i = 0; e->backend.len > 0 && i < f->desired->n_routes; i++) {
		const struct desired_route *r = &f->desired->routes[i];
		bool is_own =
		    t->service.len > 0 ? str_eq(r->service, t->service) : str_has_prefix(r->service, STR("family:"));

		if (str_eq(r->backend, e->backend) && (is_own || str_eq(r->source_label, STR("backends"))))
			control_json_format(
			    w, NULL, STR_FMT STR_FMT "%s", STR_ARG(r->host), STR_ARG(r->path), r->is_exact ? "?" : "");
	}
	control_json_array_end(w);
}

static void
put_endpoint(struct control_json *w, const struct control_facts *f, const struct desired_endpoint *e, bool is_first)
{
	const struct plan_backend *b = f->plan != NULL && e->backend.len > 0 ? plan_find(f->plan, e->backend) : NULL;
	enum reason reason = reason_of(b, e);

	control_json_object(w, NULL);
	control_json_text(w, "name", e->name);
	control_json_text(w, "backend", e->backend);
	if (e->port != 0)
		control_json_number(w, "port", e->port);
	else
		control_json_null(w, "port");
	control_json_bool(w, "exposed", e->exposed);
	control_json_word(w, "reason", reason_name(reason));
	put_message(w, f, e, b, reason);
	put_routes(w, f, e);
	put_servers(w, f, b, e, is_first);
	control_json_object_end(w);
}

/* ---- its containers ---- */

/* Every label that is not simply honoured, and what became of it. */
static void
put_ignored_labels(
    struct control_json *w, const struct desired *d, const struct desired_endpoint *any, struct str container)
{
	const struct desired_unit *u =
	    any != NULL ? desired_labels_find(d->labels, any->cluster, any->task, container) : NULL;

	control_json_array(w, "ignored_labels");
	for (size_t i = 0; u != NULL && i < u->set->n_notes; i++) {
		const struct label_note *note = &u->set->notes[i];

		control_json_object(w, NULL);
		control_json_text(w, "label", note->label);
		control_json_word(w, "outcome", label_fate_name(note->fate));
		control_json_text(w, "reason", note->reason);
		control_json_object_end(w);
	}
	control_json_array_end(w);
}

static void
put_container(struct control_json *w, const struct control_facts *f, const struct roster_task *task, struct str name)
{
	const struct taskdef_container *c = task->definition != NULL ? taskdef_container(task->definition, name) : NULL;
	const struct desired_endpoint *endpoints;
	size_t n;

	control_json_object(w, NULL);
	control_json_text(w, "name", name);
	control_json_object(w, "labels");
	for (size_t i = 0; c != NULL && i < c->n_labels; i++)
		control_json_pair(w, c->labels[i].name, c->labels[i].value);
	control_json_object_end(w);
	if (c != NULL)
		control_json_text(w, "held_by", c->held_by != NULL ? c->held_by->name : STR(""));
	else
		control_json_null(w, "held_by");
	endpoints = endpoints_of(f->desired, task, &n);
	put_ignored_labels(w, f->desired, n > 0 ? &endpoints[0] : NULL, name);
	control_json_array(w, "endpoints");
	for (size_t i = 0; i < n; i++)
		if (str_eq(endpoints[i].container, name))
			put_endpoint(w, f, &endpoints[i], i == 0);
	control_json_array_end(w);
	control_json_object_end(w);
}

/* Those of the definition in its order, then what only the task itself names. */
static void
put_containers(struct control_json *w, const struct control_facts *f, const struct roster_task *t)
{
	const struct taskdef *d = t->definition;

	control_json_array(w, "containers");
	for (size_t i = 0; d != NULL && i < d->n_containers; i++)
		put_container(w, f, t, d->containers[i].name);
	for (size_t i = 0; i < t->n_containers; i++)
		if (d == NULL || taskdef_container(d, t->containers[i].name) == NULL)
			put_container(w, f, t, t->containers[i].name);
	control_json_array_end(w);
}

void
control_tasks_put_service(struct control_json *w, const struct roster_task *task)
{
	if (task->service.len > 0)
		control_json_text(w, "service", task->service);
	else
		control_json_format(w, "service", "family:%.*s", STR_ARG(task->family));
}

static void
put_task(struct control_json *w, const struct control_facts *f, const struct match *m)
{
	const struct roster_task *t = m->task;

	control_json_object(w, NULL);
	control_json_text(w, "task", t->id);
	control_json_text(w, "task_arn", t->arn);
	control_json_text(w, "cluster", m->cluster->name);
	control_tasks_put_service(w, t);
	control_json_number(w, "revision", t->revision);
	control_json_word(w, "last_status", roster_status_name(t->last_status));
	control_json_word(w, "desired_status", roster_status_name(t->desired_status));
	control_json_word(w, "health", roster_health_name(t->health));
	put_containers(w, f, t);
	control_json_object_end(w);
}

void
control_tasks_one(const struct control_facts *f, struct str id, struct control_response *ret)
{
	struct matches found = find_tasks(f->roster, id);
	struct control_json w = control_json_make(&ret->body);

	if (found.n == 0)
		say_unknown(id, ret);
	else if (found.n > 1)
		say_ambiguous(id, &found, ret);
	else
		put_task(&w, f, &found.first[0]);
}

/* ---- all that take no calls ---- */

static void
put_excluded(struct control_json *w, const struct control_facts *f, const struct desired_endpoint *e,
    const struct plan_backend *b)
{
	const enum reason reason = b == NULL ? e->reason : b->exists ? REASON_NO_SLOT : REASON_NO_BACKEND;

	control_json_object(w, NULL);
	control_json_text(w, "task", e->task->id);
	control_json_text(w, "cluster", e->cluster->name);
	control_tasks_put_service(w, e->task);
	control_json_text(w, "container", e->container);
	control_json_text(w, "backend", e->backend);
	control_json_word(w, "reason", reason_name(reason));
	put_message(w, f, e, b, reason);
	control_json_object_end(w);
}

/* What has ended is no wonder. */
static size_t
put_unexposed(struct control_json *w, const struct control_facts *f, size_t at_most)
{
	size_t n = 0;

	for (size_t i = 0; f->desired != NULL && i < f->desired->n_endpoints && n < at_most; i++) {
		const struct desired_endpoint *e = &f->desired->endpoints[i];

		if (e->exposed || e->task->ended_wall_ms != 0)
			continue;
		put_excluded(w, f, e, NULL);
		n++;
	}
	return n;
}

const struct desired_endpoint *
control_tasks_exposed(const struct desired *d, const struct desired_server *s, struct str backend)
{
	size_t n;
	const struct desired_endpoint *e = endpoints_of(d, s->task, &n);

	for (size_t i = 0; i < n; i++)
		if (e[i].exposed && str_eq(e[i].backend, backend) && stands_for(s, &e[i]))
			return &e[i];
	return NULL;
}

/* Nothing speaks against them, and HAProxy has no place for them. */
static size_t
put_homeless(struct control_json *w, const struct control_facts *f, const struct plan_backend *b, size_t at_most)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_unplaced && n < at_most; i++) {
		const struct desired_endpoint *e = control_tasks_exposed(f->desired, b->unplaced[i], b->name);

		if (e == NULL)
			continue;
		put_excluded(w, f, e, b);
		n++;
	}
	return n;
}

void
control_tasks_excluded(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);
	size_t n;

	(void)arg;
	control_json_array(&w, NULL);
	n = put_unexposed(&w, f, CONTROL_TASKS_EXCLUDED_MAX);
	for (size_t i = 0; f->plan != NULL && f->desired != NULL && i < f->plan->n_backends; i++)
		n += put_homeless(&w, f, &f->plan->backends[i], CONTROL_TASKS_EXCLUDED_MAX - n);
	control_json_array_end(&w);
}
