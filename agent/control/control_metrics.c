/*
 * /metrics: see control_metrics.h.  A family is one function and one line of `families`.
 */
#include "config.h"

#include "control/control_metrics.h"

#include <stdio.h>

#include "control/control_events.h"
#include "control/control_metric.h"
#include "control/control_routes.h"
#include "control/control_tasks.h"
#include "control/control_track.h"
#include "plan/desired_label.h"

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))
#define LABEL_MAX   ((size_t)1024)

static void
put_plain(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	control_metric_family(out, name, type, help);
	control_metric_whole(out, name, NULL, 0, value);
}

static void
put_plain_ms(struct buf *out, const char *name, const char *type, const char *help, int64_t ms)
{
	control_metric_family(out, name, type, help);
	control_metric_milli(out, name, NULL, 0, ms);
}

/* ---- rollcalld itself ---- */

static void
put_build(struct buf *out, const struct control_facts *f)
{
	const struct control_metric_label label = { "version", STR(PACKAGE_VERSION) };

	(void)f;
	control_metric_family(out, "rollcall_build_info", "gauge", "The version of rollcalld; always 1.");
	control_metric_whole(out, "rollcall_build_info", &label, 1, 1);
}

static void
put_process(struct buf *out, const struct control_facts *f)
{
	const struct control_process *p = &f->process;

	put_plain_ms(out, "rollcall_start_time_seconds", "gauge", "When rollcalld started, in Unix time.",
	    f->wall_ms - (f->mono_ms - f->started_mono_ms));
	put_plain_ms(
	    out, "rollcall_loop_lag_seconds", "gauge", "How late the event loop's last tick was.", p->loop_lag_ms);
	put_plain_ms(out, "rollcall_loop_lag_max_seconds", "gauge", "The latest that a tick was in the last minute.",
	    p->loop_lag_max_ms);
	put_plain(
	    out, "rollcall_memory_resident_bytes", "gauge", "Memory of rollcalld that is resident.", p->resident_bytes);
	put_plain(out, "rollcall_memory_anonymous_bytes", "gauge", "The part of it that no file is behind.",
	    p->anonymous_bytes);
}

static void
put_config(struct buf *out, const struct control_facts *f)
{
	static const char name[] = "rollcall_config_reloads_total";
	const struct control_metric_label applied = { "result", STR("applied") },
					  refused = { "result", STR("refused") };

	put_plain_ms(out, "rollcall_config_loaded_time_seconds", "gauge",
	    "When the configuration in use was loaded, in Unix time.", f->config_loaded_wall_ms);
	put_plain(out, "rollcall_config_refused", "gauge", "1: a newer configuration was refused.",
	    f->config_refused.len > 0);
	control_metric_family(out, name, "counter", "Reloads of the configuration that were asked for.");
	control_metric_whole(out, name, &applied, 1, f->process.reloads_applied);
	control_metric_whole(out, name, &refused, 1, f->process.reloads_refused);
}

static void
put_health(struct buf *out, const struct control_facts *f)
{
	put_plain(out, "rollcall_ready", "gauge", "1: as /ready answers.", f->ready);
	put_plain(out, "rollcall_problems", "gauge", "Lasting problems that the status names, but for clusters.",
	    f->n_problems);
	put_plain(out, "rollcall_events_total", "counter", "Events, as /v1/events lists them.", f->process.events);
}

/* ---- AWS ---- */

/* Of each source one sample, taken from its figures. */
static void
put_of_sources(struct buf *out, const struct control_facts *f, const char *name, const char *type, const char *help,
    uint64_t (*get)(const struct aws_caller_figures *figures))
{
	control_metric_family(out, name, type, help);
	for (size_t i = 0; f->conf != NULL && f->figures != NULL && i < f->conf->n_sources; i++) {
		const struct control_metric_label label = { "source", f->conf->sources[i].name };

		control_metric_whole(out, name, &label, 1, get(&f->figures[i]));
	}
}

static uint64_t
get_calls(const struct aws_caller_figures *figures)
{
	return figures->calls;
}

static uint64_t
get_throttles(const struct aws_caller_figures *figures)
{
	return figures->throttles;
}

static uint64_t
get_failures(const struct aws_caller_figures *figures)
{
	return figures->failures;
}

static uint64_t
get_waiting(const struct aws_caller_figures *figures)
{
	return figures->waiting;
}

static void
put_calls(struct buf *out, const struct control_facts *f)
{
	put_of_sources(out, f, "rollcall_aws_calls_total", "counter", "Requests to ECS, retries included.", get_calls);
	put_of_sources(
	    out, f, "rollcall_aws_throttles_total", "counter", "Answers of AWS that said slow down.", get_throttles);
	put_of_sources(out, f, "rollcall_aws_failures_total", "counter", "Calls that ended in an error.", get_failures);
	put_of_sources(out, f, "rollcall_aws_calls_waiting", "gauge",
	    "Calls that wait for the rate limit, a key, or a retry's time.", get_waiting);
}

static void
put_source_gauges(struct buf *out, const struct control_facts *f)
{
	static const char budget[] = "rollcall_aws_budget_used_ratio", skew[] = "rollcall_aws_clock_skew_seconds";
	const size_t n = f->conf != NULL ? f->conf->n_sources : 0;

	control_metric_family(out, budget, "gauge", "How much of rate_limit is used, 0 to 1.");
	for (size_t i = 0; f->budget_used_percent != NULL && i < n; i++)
		control_metric_milli(out, budget, &(struct control_metric_label){ "source", f->conf->sources[i].name },
		    1, (int64_t)f->budget_used_percent[i] * 10);
	control_metric_family(out, skew, "gauge", "AWS's clock less ours, as corrected for.");
	for (size_t i = 0; f->figures != NULL && i < n; i++)
		control_metric_milli(out, skew, &(struct control_metric_label){ "source", f->conf->sources[i].name }, 1,
		    f->figures[i].skew_ms);
}

/* ---- the events queues ---- */

static uint64_t
get_listening(const struct ecs_queue_view *q)
{
	return q->is_listening;
}

static uint64_t
get_messages(const struct ecs_queue_view *q)
{
	return q->messages;
}

static uint64_t
get_task_events(const struct ecs_queue_view *q)
{
	return q->events;
}

static uint64_t
get_dropped(const struct ecs_queue_view *q)
{
	return q->poison;
}

/* Of each source that has events one sample. */
static void
put_of_queues(struct buf *out, const struct control_facts *f, const char *name, const char *type, const char *help,
    uint64_t (*get)(const struct ecs_queue_view *q))
{
	control_metric_family(out, name, type, help);
	for (size_t i = 0; f->conf != NULL && f->queues != NULL && i < f->conf->n_sources; i++) {
		const struct control_metric_label label = { "source", f->conf->sources[i].name };

		if (f->queues[i].fault != NULL)
			control_metric_whole(out, name, &label, 1, get(&f->queues[i]));
	}
}

static void
put_queues(struct buf *out, const struct control_facts *f)
{
	put_of_queues(out, f, "rollcall_ecs_events_listening", "gauge", "1: the events queue is read.", get_listening);
	put_of_queues(out, f, "rollcall_ecs_events_messages_total", "counter",
	    "Messages received from the events queue.", get_messages);
	put_of_queues(out, f, "rollcall_ecs_events_total", "counter",
	    "Messages that told of a task's change, those of other clusters included.", get_task_events);
	put_of_queues(out, f, "rollcall_ecs_events_dropped_total", "counter",
	    "Messages that were no event, and were dropped.", get_dropped);
}

/* ---- the roster ---- */

struct cluster_labels {
	struct control_metric_label l[2];
};

static struct cluster_labels
label_cluster(const struct roster_cluster *c)
{
	return (struct cluster_labels){ .l = { { "source", c->source }, { "cluster", c->name } } };
}

static uint64_t
count_running(const struct roster_facts *facts)
{
	uint64_t n = 0;

	for (size_t i = 0; facts != NULL && i < facts->n_tasks; i++)
		n += facts->tasks[i].ended_wall_ms == 0;
	return n;
}

static void
put_clusters(struct buf *out, const struct control_facts *f)
{
	static const char sweeps[] = "rollcall_cluster_sweeps_total", tasks[] = "rollcall_cluster_tasks",
			  fault[] = "rollcall_cluster_fault";
	const size_t n = f->roster != NULL ? f->roster->n_clusters : 0;

	control_metric_family(out, sweeps, "counter", "Complete full sweeps of a cluster.");
	for (size_t i = 0; i < n; i++)
		control_metric_whole(
		    out, sweeps, label_cluster(&f->roster->clusters[i]).l, 2, f->roster->clusters[i].sweeps);
	control_metric_family(out, tasks, "gauge", "Tasks of a cluster that have not ended, as far as is known.");
	for (size_t i = 0; i < n; i++)
		control_metric_whole(out, tasks, label_cluster(&f->roster->clusters[i]).l, 2,
		    count_running(f->roster->clusters[i].facts));
	control_metric_family(out, fault, "gauge", "1: the cluster is not read as it should be; the status says why.");
	for (size_t i = 0; i < n; i++)
		control_metric_whole(
		    out, fault, label_cluster(&f->roster->clusters[i]).l, 2, f->roster->clusters[i].fault.on);
}

/* None for a cluster that was never read whole: an age of 0 would be a lie. */
static void
put_ages(struct buf *out, const struct control_facts *f)
{
	static const char name[] = "rollcall_cluster_age_seconds";

	control_metric_family(out, name, "gauge", "How long ago a cluster was last read whole.");
	for (size_t i = 0; f->roster != NULL && i < f->roster->n_clusters; i++) {
		const struct roster_cluster *c = &f->roster->clusters[i];

		if (c->complete_wall_ms != 0)
			control_metric_milli(out, name, label_cluster(c).l, 2, f->mono_ms - c->complete_mono_ms);
	}
}

/* Nothing known of the task speaks against them: HAProxy has no place for them. */
static uint64_t
count_homeless(const struct desired *d, const struct plan_backend *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->n_unplaced; i++)
		n += control_tasks_exposed(d, b->unplaced[i], b->name) != NULL;
	return n;
}

/* By reason: the labels that could not be honoured are among them. */
static void
put_excluded(struct buf *out, const struct control_facts *f)
{
	static const char name[] = "rollcall_excluded_endpoints";
	static const enum reason reasons[] = {
#define X(reason, text) REASON_##reason,
		REASON_KINDS(X)
#undef X
	};
	uint64_t counts[N_OF(reasons)] = { 0 };

	for (size_t i = 0; f->desired != NULL && i < f->desired->n_endpoints; i++)
		counts[f->desired->endpoints[i].reason]++;
	for (size_t i = 0; f->desired != NULL && f->plan != NULL && i < f->plan->n_backends; i++)
		counts[f->plan->backends[i].exists ? REASON_NO_SLOT : REASON_NO_BACKEND] +=
		    count_homeless(f->desired, &f->plan->backends[i]);
	control_metric_family(out, name, "gauge", "Containers of tasks that take no calls, by reason.");
	for (size_t i = 0; i < N_OF(reasons); i++)
		if (reasons[i] != REASON_NONE)
			control_metric_whole(out, name,
			    &(struct control_metric_label){ "reason", str_from_cstr(reason_name(reasons[i])) }, 1,
			    counts[reasons[i]]);
}

/* By container of a revision whose tasks run, not by task. */
static void
put_labels(struct buf *out, const struct control_facts *f)
{
	static const char name[] = "rollcall_labels_not_honoured";

	control_metric_family(out, name, "gauge", "Labels that are not simply honoured, by what became of them.");
	for (enum label_fate fate = 0; fate < LABEL_N_FATES; fate++)
		control_metric_whole(out, name,
		    &(struct control_metric_label){ "outcome", str_from_cstr(label_fate_name(fate)) }, 1,
		    f->desired != NULL ? f->desired->labels->counts[fate] : 0);
}

static void
put_routes(struct buf *out, const struct control_facts *f)
{
	put_plain(out, "rollcall_routes", "gauge", "Routes in HAProxy's maps.", control_routes_count(f));
}

/* ---- HAProxy ---- */

static void
put_haproxy(struct buf *out, const struct control_facts *f)
{
	put_plain(
	    out, "rollcall_haproxy_connected", "gauge", "1: HAProxy answered when it was last asked.", f->connected);
	put_plain(out, "rollcall_haproxy_in_step", "gauge", "1: HAProxy holds what it should.", f->in_step);
	if (f->last_sync_wall_ms != 0)
		put_plain_ms(out, "rollcall_haproxy_last_sync_time_seconds", "gauge",
		    "When HAProxy was last seen in step, in Unix time.", f->last_sync_wall_ms);
}

static void
put_syncs(struct buf *out, const struct control_facts *f)
{
	const struct control_track_counts none = { 0 }, *c = f->counts != NULL ? f->counts : &none;

	put_plain(out, "rollcall_passes_total", "counter", "Times that HAProxy was read back and compared.", c->passes);
	put_plain(out, "rollcall_syncs_total", "counter", "Plans that HAProxy was told, well or not.", c->runs);
	put_plain(out, "rollcall_sync_failures_total", "counter",
	    "Of these, those that were cut short or met another HAProxy process.", c->failed_runs);
	put_plain_ms(out, "rollcall_sync_seconds_total", "counter",
	    "Time from the first command of a plan to the last answer, summed.", c->run_ms);
	put_plain(out, "rollcall_haproxy_commands_total", "counter", "Commands that HAProxy carried out.", c->commands);
	put_plain(out, "rollcall_haproxy_errors_total", "counter", "Commands that HAProxy refused.", c->refusals);
	put_plain(out, "rollcall_haproxy_reloads_total", "counter",
	    "Other HAProxy processes that were met: its reloads and restarts.", c->processes);
	put_plain(out, "rollcall_servers_added_total", "counter", "Servers that were added.", c->added);
	put_plain(out, "rollcall_freezes_total", "counter", "Times that a backend froze.", c->freezes);
}

static void
put_removals(struct buf *out, const struct control_facts *f)
{
	static const char name[] = "rollcall_servers_removed_total";
	static const enum evidence evidences[] = {
#define X(evidence, text, proven) EVIDENCE_##evidence,
		EVIDENCE_KINDS(X)
#undef X
	};

	control_metric_family(out, name, "counter", "Servers that were taken out of service, by evidence.");
	for (size_t i = 0; i < N_OF(evidences); i++)
		control_metric_whole(out, name,
		    &(struct control_metric_label){ "evidence", str_from_cstr(evidence_name(evidences[i])) }, 1,
		    f->counts != NULL ? f->counts->removals[evidences[i]] : 0);
}

static void
put_servers_of(struct buf *out, const char *name, const struct plan_backend *b)
{
	uint64_t counts[PLAN_STATES] = { 0 };

	for (size_t i = 0; i < b->n_servers; i++)
		counts[b->servers[i].state]++;
	for (size_t i = 0; i < PLAN_STATES; i++) {
		const struct control_metric_label labels[] = {
			{ "backend", b->name },
			{ "state", str_from_cstr(plan_state_name((enum plan_state)i)) },
		};

		control_metric_whole(out, name, labels, 2, counts[i]);
	}
}

static void
put_servers(struct buf *out, const struct control_facts *f)
{
	static const char name[] = "rollcall_backend_servers";

	control_metric_family(out, name, "gauge", "Servers of a backend, by state.");
	for (size_t i = 0; f->plan != NULL && i < f->plan->n_backends; i++)
		put_servers_of(out, name, &f->plan->backends[i]);
}

static void
put_of_backends(struct buf *out, const struct control_facts *f, const char *name, const char *help,
    uint64_t (*get)(const struct control_facts *f, const struct plan_backend *b))
{
	control_metric_family(out, name, "gauge", help);
	for (size_t i = 0; f->plan != NULL && i < f->plan->n_backends; i++) {
		const struct control_metric_label label = { "backend", f->plan->backends[i].name };

		control_metric_whole(out, name, &label, 1, get(f, &f->plan->backends[i]));
	}
}

static uint64_t
get_paused(const struct control_facts *f, const struct plan_backend *b)
{
	return f->overlay != NULL ? overlay_find_pause(f->overlay, b->name) != NULL : b->is_paused;
}

static uint64_t
get_frozen(const struct control_facts *f, const struct plan_backend *b)
{
	(void)f;
	return b->is_frozen;
}

static uint64_t
get_free_slots(const struct control_facts *f, const struct plan_backend *b)
{
	(void)f;
	return b->n_free_slots;
}

static uint64_t
get_unplaced(const struct control_facts *f, const struct plan_backend *b)
{
	(void)f;
	return b->n_unplaced;
}

static void
put_backends(struct buf *out, const struct control_facts *f)
{
	put_of_backends(out, f, "rollcall_backend_frozen",
	    "1: more is reported against this backend than removal_limit allows, and none of it goes.", get_frozen);
	put_of_backends(out, f, "rollcall_backend_paused", "1: an operator has paused this backend.", get_paused);
	put_of_backends(out, f, "rollcall_backend_free_slots", "Slots of a backend that no task has.", get_free_slots);
	put_of_backends(
	    out, f, "rollcall_backend_unplaced_tasks", "Tasks that should serve and find no slot.", get_unplaced);
	put_plain(out, "rollcall_holds", "gauge", "Servers that somebody's hand holds.",
	    f->overlay != NULL ? overlay_count(f->overlay) : 0);
}

static void
put_server_info(struct buf *out, const char *name, const struct plan_server *s)
{
	const struct roster_task *t = s->desired != NULL ? s->desired->task : NULL;
	char family[LABEL_MAX] = "", revision[16] = "";

	if (t != NULL && t->service.len == 0)
		(void)snprintf(family, sizeof(family), "family:" STR_FMT, STR_ARG(t->family));
	if (t != NULL)
		(void)snprintf(revision, sizeof(revision), "%u", t->revision);
	control_metric_whole(out, name,
	    (const struct control_metric_label[]){
		{ "backend", s->backend },
		{ "server", s->actual->name },
		{ "task", t != NULL ? t->id : STR("") },
		{ "service", t != NULL && t->service.len > 0 ? t->service : str_from_cstr(family) },
		{ "revision", str_from_cstr(revision) },
		{ "zone", t != NULL ? t->zone : STR("") },
	    },
	    6, 1);
}

/* False: there are more. */
static bool
put_server_infos(const struct control_facts *f, struct control_slice *s)
{
	static const char name[] = "rollcall_server_info";
	struct buf *out = s->w.out;

	if (s->outer == 0 && s->inner == 0)
		control_metric_family(out, name, "gauge", "Which task is behind a server of HAProxy; always 1.");
	for (; f->plan != NULL && s->outer < f->plan->n_backends; s->outer++, s->inner = 0) {
		const struct plan_backend *b = &f->plan->backends[s->outer];

		while (s->inner < b->n_servers) {
			if (control_slice_is_full(s))
				return false;
			put_server_info(out, name, &b->servers[s->inner++]);
		}
	}
	return true;
}

/* ---- traces ---- */

static void
put_traces(struct buf *out, const struct control_facts *f)
{
	static const char lost[] = "rollcall_trace_spans_lost_total";
	const struct trace_export_counts *c;

	if (f->trace == NULL)
		return;
	c = f->trace->counts;
	put_plain(out, "rollcall_trace_spans_received_total", "counter", "Log lines that were spans.", c->received);
	put_plain(out, "rollcall_trace_spans_exported_total", "counter", "Spans that the collector took.", c->exported);
	put_plain(
	    out, "rollcall_trace_spans_queued", "gauge", "Spans that wait, or are on their way.", f->trace->queued);
	put_plain(out, "rollcall_trace_retries_total", "counter", "Batches that were sent again.", c->retries);
	control_metric_family(out, lost, "counter", "Spans that the collector never got, by reason.");
	for (size_t i = 0; i < 5; i++) {
		const char *const reasons[] = { "malformed", "kernel", "queue_full", "export_failed", "rejected" };
		const uint64_t counts[] = { c->malformed, c->lost_by_kernel, c->dropped_full, c->dropped_failed,
			c->rejected };
		const struct control_metric_label label = { "reason", str_from_cstr(reasons[i]) };

		control_metric_whole(out, lost, &label, 1, counts[i]);
	}
}

/* ---- outliers and SPOE ---- */

static void
put_causes(struct buf *out, const char *name, const char *help, const uint64_t counts[OUTLIER_N_CAUSES])
{
	control_metric_family(out, name, "counter", help);
	for (size_t i = 0; i < OUTLIER_N_CAUSES; i++) {
		const struct control_metric_label label = { "cause",
			str_from_cstr(outlier_cause_name((enum outlier_cause)i)) };

		control_metric_whole(out, name, &label, 1, counts[i]);
	}
}

static void
put_outliers(struct buf *out, const struct control_facts *f)
{
	const struct outlier_counts *c;

	if (f->outlier == NULL)
		return;
	c = outlier_counts(f->outlier);
	put_causes(out, "rollcall_outlier_detections_total",
	    "Servers whose calls failed as that key of `outlier` says, ejected or not.", c->detected);
	put_causes(out, "rollcall_outlier_ejections_total", "Servers that were ejected.", c->ejected);
	put_plain(out, "rollcall_outlier_overflows_total", "counter",
	    "Servers that were not ejected, as too many others were or too few are left.", c->overflow);
	put_plain(out, "rollcall_outlier_returns_total", "counter", "Servers that were put back.", c->returned);
	put_plain(out, "rollcall_outlier_events_total", "counter", "Failed calls that SPOE told of.", c->events);
}

static void
put_spoe(struct buf *out, const struct control_facts *f)
{
	static const char refused[] = "rollcall_spoe_refused_frames_total";
	const struct spop_server_view *v = f->spop;

	if (v == NULL)
		return;
	put_plain(out, "rollcall_spoe_listening", "gauge", "Whether spoe.listen is bound.", v->bind_fault->on ? 0 : 1);
	put_plain(out, "rollcall_spoe_connections", "gauge", "Connections of HAProxy's SPOE.", v->connections);
	put_plain(out, "rollcall_spoe_frames_total", "counter", "Frames of HAProxy, of every kind.", v->counts->frames);
	put_plain(out, "rollcall_spoe_notifies_total", "counter", "Frames that brought messages.", v->counts->notifies);
	put_plain(out, "rollcall_spoe_connections_refused_total", "counter",
	    "Connections that were turned away, or closed as they stood still.", v->turned_away + v->stalled);
	put_plain(out, "rollcall_spoe_disconnects_total", "counter",
	    "Connections that HAProxy ended with an error of SPOP.", v->counts->disconnects);
	control_metric_family(out, refused, "counter", "Frames that were refused, by reason.");
	for (size_t i = 0; i < SPOP_N_REASONS; i++) {
		const struct control_metric_label label = { "reason",
			str_from_cstr(spop_reason_name((enum spop_reason)i)) };

		control_metric_whole(out, refused, &label, 1, v->counts->refused[i]);
	}
}

typedef void family_fn(struct buf *out, const struct control_facts *f);

/* Then comes rollcall_server_info. */
static family_fn *const families[] = {
	put_build,
	put_process,
	put_config,
	put_health,
	put_calls,
	put_source_gauges,
	put_queues,
	put_clusters,
	put_ages,
	put_excluded,
	put_labels,
	put_routes,
	put_haproxy,
	put_syncs,
	put_removals,
	put_servers,
	put_backends,
	put_outliers,
	put_spoe,
	put_traces,
};

bool
control_metrics_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret)
{
	ret->content_type = CONTROL_METRICS_TYPE;
	for (; s->stage < N_OF(families); s->stage++) {
		if (control_slice_is_full(s))
			return false;
		families[s->stage](&ret->body, f);
	}
	return put_server_infos(f, s);
}
