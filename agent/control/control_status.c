/*
 * /live, /ready and /v1/status: what an operator looks at first.
 *
 * Nothing is judged here: whether we are ready is a fact that comes in, and what
 * is said about it names what those facts lack.
 */
#include "config.h"

#include "control/control_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/control_json.h"
#include "ecs/arn.h"

#define MISSING_NAMED_MAX 5 /* clusters that an unready answer names */

#define DIGEST_SLICE 4000 /* servers: about a millisecond */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void
control_status_live(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);

	(void)f;
	(void)arg;
	control_json_object(&w, NULL);
	control_json_bool(&w, "live", true);
	control_json_object_end(&w);
}

/* ---- ready ---- */

static struct str
haproxy_address(const struct control_facts *f)
{
	return f->conf != NULL ? f->conf->haproxy.socket : STR("");
}

static const char *
fault_text(const struct fault *fault)
{
	return fault->on ? fault->err.msg : "";
}

static void
say_missing_cluster(struct buf *out, const struct roster_cluster *c)
{
	buf_printf(out, "cluster %.*s of %.*s has not been read whole yet", STR_ARG(c->name), STR_ARG(c->source));
	if (c->fault.on)
		buf_printf(out, " (%s)", c->fault.err.msg);
	buf_put(out, STR("; "));
}

static void
say_missing_clusters(struct buf *out, const struct roster *r)
{
	size_t missing = 0;

	for (size_t i = 0; r != NULL && i < r->n_clusters; i++) {
		const struct roster_cluster *c = &r->clusters[i];

		if (c->was_read || c->is_read_in_part || c->fault_is_permanent || c->remembered_wall_ms != 0)
			continue;
		if (missing++ < MISSING_NAMED_MAX)
			say_missing_cluster(out, c);
	}
	if (missing > MISSING_NAMED_MAX)
		buf_printf(out, "nor have %zu other clusters; ", missing - MISSING_NAMED_MAX);
	if (r == NULL)
		buf_put(out, STR("no cluster has been read yet; "));
}

static void
say_missing_haproxy(struct buf *out, const struct control_facts *f)
{
	struct str address = haproxy_address(f);

	if (!f->connected && f->haproxy_fault.on)
		buf_printf(out, "HAProxy at %.*s is not reached (%s); ", STR_ARG(address), f->haproxy_fault.err.msg);
	else if (!f->connected)
		buf_printf(out, "HAProxy at %.*s has not answered yet; ", STR_ARG(address));
	else if (!f->in_step)
		buf_put(out, STR("HAProxy is not in step yet: servers are being set, or wait for their first check; "));
}

void
control_status_ready(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	struct buf message = buf_make(CONTROL_VIEW_MESSAGE_MAX);
	struct control_json w = control_json_make(&ret->body);

	(void)arg;
	if (f->ready) {
		control_json_object(&w, NULL);
		control_json_bool(&w, "ready", true);
		control_json_object_end(&w);
		return;
	}
	say_missing_clusters(&message, f->roster);
	say_missing_haproxy(&message, f);
	if (message.len < 2)
		buf_put(&message, STR("starting; "));
	control_view_error(503, "not_ready", str_first(buf_str(&message), message.len - 2), ret);
	buf_free(&message);
}

/* ---- status ---- */

static void
put_fault(struct control_json *w, const char *name, const struct fault *fault)
{
	if (fault->on)
		control_json_word(w, name, fault->err.msg);
	else
		control_json_null(w, name);
}

static void
put_config(struct control_json *w, const struct control_facts *f)
{
	control_json_object(w, "config");
	control_json_text(w, "path", f->config_path);
	control_json_text(w, "hash", f->conf != NULL ? f->conf->hash : STR(""));
	control_json_time(w, "loaded_at", f->config_loaded_wall_ms);
	if (f->config_refused.len > 0)
		control_json_text(w, "refused", f->config_refused);
	else
		control_json_null(w, "refused");
	control_json_object_end(w);
}

static int64_t
count_running(const struct roster_facts *facts)
{
	int64_t n = 0;

	for (size_t i = 0; i < facts->n_tasks; i++)
		n += facts->tasks[i].ended_wall_ms == 0;
	return n;
}

static void
put_cluster(struct control_json *w, const struct control_facts *f, const struct roster_cluster *c)
{
	control_json_object(w, NULL);
	control_json_text(w, "name", c->name);
	control_json_text(w, "arn", c->arn);
	control_json_time(w, "complete_at", c->complete_wall_ms);
	if (c->complete_wall_ms != 0)
		control_json_number(w, "age_ms", f->mono_ms - c->complete_mono_ms);
	else
		control_json_null(w, "age_ms");
	if (c->facts != NULL)
		control_json_number(w, "tasks", count_running(c->facts));
	else
		control_json_null(w, "tasks");
	control_json_bool(w, "from_disk", c->remembered_wall_ms != 0);
	put_fault(w, "error", &c->fault);
	control_json_object_end(w);
}

/* Before the first answer there is only what the configuration names. */
static void
put_configured_cluster(struct control_json *w, const struct control_facts *f, struct str text)
{
	struct roster_cluster unknown = { .name = arn_cluster_name(text) };

	if (!str_eq(text, STR("*")))
		put_cluster(w, f, &unknown);
}

static void
put_clusters(struct control_json *w, const struct control_facts *f, const struct conf_source *source)
{
	size_t found = 0;

	control_json_array(w, "clusters");
	for (size_t i = 0; f->roster != NULL && i < f->roster->n_clusters; i++) {
		if (!str_eq(f->roster->clusters[i].source, source->name))
			continue;
		put_cluster(w, f, &f->roster->clusters[i]);
		found++;
	}
	for (size_t i = 0; found == 0 && i < source->clusters.n; i++)
		put_configured_cluster(w, f, source->clusters.items[i]);
	control_json_array_end(w);
}

struct str
control_status_account(const struct roster *r, struct str source)
{
	for (size_t i = 0; r != NULL && i < r->n_clusters; i++)
		if (str_eq(r->clusters[i].source, source) && r->clusters[i].account.len > 0)
			return r->clusters[i].account;
	return STR("");
}

static void
put_calls(struct control_json *w, const struct aws_caller_figures *figures)
{
	if (figures == NULL) {
		control_json_null(w, "calls");
		control_json_null(w, "throttles");
		return;
	}
	control_json_number(w, "calls", (int64_t)figures->calls);
	control_json_number(w, "throttles", (int64_t)figures->throttles);
}

static void
put_stretched(struct control_json *w, const struct control_stretch *s)
{
	if (s == NULL || !s->is_stretched) {
		control_json_null(w, "stretched");
		return;
	}
	control_json_object(w, "stretched");
	control_json_number(w, "watch_ms", s->watch_ms);
	control_json_number(w, "refresh_ms", s->refresh_ms);
	control_json_object_end(w);
}

static void
put_keys(struct control_json *w, const struct creds_source_view *keys)
{
	control_json_word(w, "credentials", keys != NULL ? keys->name : NULL);
	if (keys != NULL && keys->expires_wall_ms != INT64_MAX)
		control_json_time(w, "credentials_expire_at", keys->expires_wall_ms);
	else
		control_json_null(w, "credentials_expire_at");
	if (keys != NULL && keys->renewal != NULL)
		put_fault(w, "credentials_error", keys->renewal);
	else
		control_json_null(w, "credentials_error");
}

static void
put_events(struct control_json *w, const struct ecs_queue_view *q)
{
	if (q == NULL || q->fault == NULL) {
		control_json_null(w, "events");
		return;
	}
	control_json_object(w, "events");
	control_json_text(w, "queue", q->url);
	control_json_text(w, "topic", q->topic);
	control_json_bool(w, "listening", q->is_listening);
	control_json_number(w, "messages", (int64_t)q->messages);
	control_json_number(w, "task_events", (int64_t)q->events);
	control_json_number(w, "of_other_clusters", (int64_t)q->foreign);
	control_json_number(w, "dropped", (int64_t)q->poison);
	control_json_number(w, "deleted", (int64_t)q->deleted);
	control_json_time(w, "last_event_at", q->last_wall_ms);
	put_fault(w, "error", q->fault);
	control_json_object_end(w);
}

static void
put_source(struct control_json *w, const struct control_facts *f, size_t i)
{
	const struct conf_source *source = &f->conf->sources[i];
	const struct aws_caller_figures *figures = f->figures != NULL ? &f->figures[i] : NULL;

	control_json_object(w, NULL);
	control_json_text(w, "name", source->name);
	control_json_text(w, "region", source->region);
	control_json_text(w, "account", control_status_account(f->roster, source->name));
	put_keys(w, f->keys != NULL ? &f->keys[i] : NULL);
	put_clusters(w, f, source);
	put_calls(w, figures);
	if (f->budget_used_percent != NULL)
		control_json_number(w, "budget_used_percent", f->budget_used_percent[i]);
	else
		control_json_null(w, "budget_used_percent");
	put_stretched(w, f->stretches != NULL ? &f->stretches[i] : NULL);
	put_events(w, f->queues != NULL ? &f->queues[i] : NULL);
	control_json_object_end(w);
}

static void
put_sources(struct control_json *w, const struct control_facts *f)
{
	control_json_array(w, "sources");
	for (size_t i = 0; f->conf != NULL && i < f->conf->n_sources; i++)
		put_source(w, f, i);
	control_json_array_end(w);
}

static void
put_haproxy(struct control_json *w, const struct control_facts *f)
{
	control_json_object(w, "haproxy");
	control_json_text(w, "address", haproxy_address(f));
	control_json_text(w, "version", f->actual != NULL ? f->actual->version : STR(""));
	if (f->actual != NULL)
		control_json_number(w, "pid", (int64_t)f->actual->pid);
	else
		control_json_null(w, "pid");
	control_json_bool(w, "connected", f->connected);
	control_json_bool(w, "in_step", f->in_step);
	control_json_time(w, "last_sync_at", f->last_sync_wall_ms);
	put_fault(w, "last_error", &f->haproxy_fault);
	control_json_object_end(w);
}

static void
put_spoe_counts(struct control_json *w, const struct spop_server_view *v)
{
	control_json_number(w, "connections", v->connections);
	control_json_number(w, "frames", (int64_t)v->counts->frames);
	control_json_number(w, "notifies", (int64_t)v->counts->notifies);
	control_json_number(w, "dropped", (int64_t)(v->turned_away + v->stalled));
	control_json_number(w, "errors", (int64_t)spop_session_errors(v->counts));
	if (v->last_error_wall_ms != 0)
		control_json_word(w, "last_error", v->last_error->msg);
	else
		control_json_null(w, "last_error");
	control_json_time(w, "last_error_at", v->last_error_wall_ms);
}

/* The SPOE agent, which HAProxy tells of failed calls. */
static void
put_spoe(struct control_json *w, const struct control_facts *f)
{
	const struct spop_server_view *v = f->spop;

	if (v == NULL || f->conf == NULL) {
		control_json_null(w, "spoe");
		return;
	}
	control_json_object(w, "spoe");
	control_json_text(w, "address", f->conf->spoe.address);
	control_json_bool(w, "listening", !v->bind_fault->on);
	put_spoe_counts(w, v);
	control_json_object_end(w);
}

static int64_t
count_in_state(const struct plan *p, enum plan_state state)
{
	int64_t n = 0;

	for (size_t b = 0; p != NULL && b < p->n_backends; b++)
		for (size_t s = 0; s < p->backends[b].n_servers; s++)
			n += p->backends[b].servers[s].state == state;
	return n;
}

static void
put_counts(struct control_json *w, const struct control_facts *f)
{
	control_json_number(w, "backends", f->conf != NULL ? (int64_t)f->conf->n_backends : 0);
	control_json_object(w, "servers");
	for (size_t i = 0; i < PLAN_STATES; i++)
		control_json_number(
		    w, plan_state_name((enum plan_state)i), count_in_state(f->plan, (enum plan_state)i));
	control_json_object_end(w);
	control_json_number(w, "holds", f->overlay != NULL ? (int64_t)overlay_count(f->overlay) : 0);
	control_json_number(w, "pauses", f->overlay != NULL ? (int64_t)overlay_count_pauses(f->overlay) : 0);
	control_json_array(w, "frozen");
	for (size_t i = 0; f->plan != NULL && i < f->plan->n_backends; i++)
		if (f->plan->backends[i].is_frozen)
			control_json_text(w, NULL, f->plan->backends[i].name);
	control_json_array_end(w);
}

/* ---- the digest: do two rollcallds hold the same servers? ---- */

static int
by_line(const void *left, const void *right)
{
	const struct plan_server *a = *(const struct plan_server *const *)left;
	const struct plan_server *b = *(const struct plan_server *const *)right;
	int order = str_cmp(a->backend, b->backend);

	return order != 0 ? order : str_cmp(a->actual->name, b->actual->name);
}

static uint64_t
fnv1a(uint64_t hash, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.ptr[i]) * FNV_PRIME;
	return hash;
}

/* "BACKEND SERVER ADDRESS PORT STATE WEIGHT\n" */
static uint64_t
hash_line(uint64_t hash, const struct plan_server *s)
{
	char rest[64];

	hash = fnv1a(fnv1a(hash, s->backend), STR(" "));
	hash = fnv1a(fnv1a(hash, s->actual->name), STR(" "));
	hash = fnv1a(fnv1a(hash, s->actual->address), STR(" "));
	(void)snprintf(
	    rest, sizeof(rest), "%u %s %u\n", (unsigned)s->actual->port, plan_state_name(s->state), s->actual->weight);
	return fnv1a(hash, str_from_cstr(rest));
}

/* The servers in the order of their lines; hash is of those before `next`. */
struct digest {
	uint64_t hash;
	size_t n, next;
	const struct plan_server *servers[];
};

static size_t
count_servers(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_backends; i++)
		n += p->backends[i].n_servers;
	return n;
}

/* Null: no memory. */
static struct digest *
digest_new(const struct plan *p)
{
	const size_t n = count_servers(p);
	struct digest *d = malloc(sizeof(*d) + n * sizeof(d->servers[0]));

	if (d == NULL)
		return NULL;
	*d = (struct digest){ .hash = FNV_BASIS };
	for (size_t b = 0; b < p->n_backends; b++)
		for (size_t s = 0; s < p->backends[b].n_servers; s++)
			d->servers[d->n++] = &p->backends[b].servers[s];
	qsort(d->servers, n, sizeof(d->servers[0]), by_line);
	return d;
}

/* False: there are more. */
static bool
digest_some(struct digest *d, size_t at_most)
{
	const size_t end = d->n - d->next > at_most ? d->next + at_most : d->n;

	for (; d->next < end; d->next++)
		d->hash = hash_line(d->hash, d->servers[d->next]);
	return d->next == d->n;
}

/* False: there is more to do. */
static bool
digest(struct control_slice *s, const struct plan *p)
{
	if (p == NULL)
		return true;
	if (s->memo == NULL && (s->memo = digest_new(p)) == NULL) {
		s->w.out->failed = ERR_NOMEM;
		return true;
	}
	return digest_some(s->memo, s->is_hurried ? SIZE_MAX : DIGEST_SLICE);
}

static void
put_digest(struct control_json *w, const struct digest *d)
{
	if (d == NULL)
		control_json_word(w, "digest", "");
	else
		control_json_format(w, "digest", "%016" PRIx64, d->hash);
}

/* ---- problems ---- */

static void
put_problem(struct control_json *w, struct str message)
{
	control_json_text(w, "message", message);
	control_json_object_end(w);
}

static void
put_cluster_problems(struct control_json *w, const struct roster *r)
{
	for (size_t i = 0; r != NULL && i < r->n_clusters; i++) {
		const struct roster_cluster *c = &r->clusters[i];

		if (!c->fault.on)
			continue;
		control_json_object(w, NULL);
		control_json_format(w, "where", "cluster %.*s of %.*s", STR_ARG(c->name), STR_ARG(c->source));
		put_problem(w, str_from_cstr(c->fault.err.msg));
	}
}

static void
put_key_problems(struct control_json *w, const struct control_facts *f)
{
	for (size_t i = 0; f->keys != NULL && f->conf != NULL && i < f->conf->n_sources; i++) {
		const struct fault *renewal = f->keys[i].renewal;

		if (renewal == NULL || !renewal->on)
			continue;
		control_json_object(w, NULL);
		control_json_format(w, "where", "credentials of %.*s", STR_ARG(f->conf->sources[i].name));
		put_problem(w, str_from_cstr(renewal->err.msg));
	}
}

static void
put_problems(struct control_json *w, const struct control_facts *f)
{
	control_json_array(w, "problems");
	if (f->config_refused.len > 0) {
		control_json_object(w, NULL);
		control_json_text(w, "where", STR("configuration"));
		put_problem(w, f->config_refused);
	}
	if (f->haproxy_fault.on) {
		control_json_object(w, NULL);
		control_json_text(w, "where", STR("HAProxy"));
		put_problem(w, str_from_cstr(fault_text(&f->haproxy_fault)));
	}
	put_key_problems(w, f);
	put_cluster_problems(w, f->roster);
	for (size_t i = 0; i < f->n_problems; i++) {
		control_json_object(w, NULL);
		control_json_text(w, "where", f->problems[i].where);
		put_problem(w, f->problems[i].message);
	}
	control_json_array_end(w);
}

bool
control_status_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	struct control_json w = control_json_make(&ret->body);

	if (!digest(s, f->plan))
		return false;
	control_json_object(&w, NULL);
	control_json_word(&w, "version", PACKAGE_VERSION);
	control_json_number(&w, "uptime_ms", f->mono_ms - f->started_mono_ms);
	put_config(&w, f);
	put_sources(&w, f);
	put_haproxy(&w, f);
	put_spoe(&w, f);
	put_counts(&w, f);
	put_digest(&w, s->memo);
	put_problems(&w, f);
	control_json_object_end(&w);
	return true;
}
