/* /v1/doctor: see control_doctor.h. */
#include "config.h"

#include "control/control_doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_json.h"
#include "control/control_status.h"

#define SKEW_WARNING_MS INT64_C(30000) /* AWS refuses signatures from 5 min on */
#define SKEW_FAULT_MS   INT64_C(240000)
#define BUDGET_WARNING  90u /* percent */
#define TEXT_MAX        1024
#define STALE_TIMES     4 /* refreshes without a complete sweep */
#define STALE_MIN_MS    INT64_C(60000)

enum result { OK, WARNING, FAULT };

/* What a check writes its findings to. */
struct doctor {
	struct control_json w;
	struct buf *lines; /* instead of JSON; null: JSON */
	const char *check;
	bool has_fault;
};

static const char *
result_name(enum result r)
{
	switch (r) {
	case OK:
		return "ok";
	case WARNING:
		return "warning";
	case FAULT:
		break;
	}
	return "fault";
}

static void
put_object(struct doctor *d, enum result r, const char *fix, const char *text)
{
	control_json_object(&d->w, NULL);
	control_json_word(&d->w, "check", d->check);
	control_json_word(&d->w, "result", result_name(r));
	control_json_word(&d->w, "message", text);
	control_json_word(&d->w, "fix", fix);
	control_json_object_end(&d->w);
}

static void
put_line(struct doctor *d, enum result r, const char *fix, const char *text)
{
	buf_printf(d->lines, "%-7s  %s: %s\n", result_name(r), d->check, text);
	if (fix[0] != '\0')
		buf_printf(d->lines, "         %s\n", fix);
}

/* fix: empty where nothing is to be done. */
__attribute__((format(printf, 4, 5))) static void
find(struct doctor *d, enum result r, const char *fix, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->has_fault = d->has_fault || r == FAULT;
	if (d->lines != NULL)
		put_line(d, r, fix, text);
	else
		put_object(d, r, fix, text);
}

/* ---- the configuration ---- */

static void
check_config(struct doctor *d, const struct control_facts *f)
{
	if (f->config_refused.len > 0)
		find(d, FAULT, "correct the file (`rollcalld -c -f FILE` checks it), then `rollcall reload`",
		    "the newest configuration was refused: " STR_FMT, STR_ARG(f->config_refused));
	if (f->conf == NULL)
		return;
	for (size_t i = 0; i < f->conf->warnings.n; i++)
		find(d, WARNING, "change that line, or know that it has no effect", STR_FMT ":%u: " STR_FMT,
		    STR_ARG(f->config_path), f->conf->warnings.notes[i].where.line,
		    STR_ARG(f->conf->warnings.notes[i].text));
	if (f->config_refused.len == 0 && f->conf->warnings.n == 0)
		find(d, OK, "", STR_FMT " is in use as it stands there", STR_ARG(f->config_path));
}

static void
check_problems(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; i < f->n_problems; i++)
		find(d, FAULT, "do as the message says", STR_FMT ": " STR_FMT, STR_ARG(f->problems[i].where),
		    STR_ARG(f->problems[i].message));
	if (f->n_problems == 0)
		find(d, OK, "", "nothing lasts that needs a hand");
}

/* ---- HAProxy ---- */

static void
check_socket(struct doctor *d, const struct control_facts *f)
{
	const struct str address = f->conf != NULL ? f->conf->haproxy.socket : STR("");

	if (f->connected)
		find(d, OK, "", "HAProxy answers at " STR_FMT, STR_ARG(address));
	else
		find(d, FAULT,
		    "start HAProxy, and give its configuration `stats socket PATH level admin mode 660 group rollcall`",
		    "HAProxy at " STR_FMT " is not reached: %s", STR_ARG(address),
		    f->haproxy_fault.on ? f->haproxy_fault.err.msg : "it has not answered yet");
}

static void
check_version(struct doctor *d, const struct control_facts *f)
{
	const struct actual *a = f->actual;

	if (a == NULL)
		return;
	if (a->major < 2 || (a->major == 2 && a->minor < 6))
		find(d, FAULT, "install HAProxy 2.6 or later",
		    "HAProxy " STR_FMT " is too old: rollcall is made for 2.6 and later", STR_ARG(a->version));
	else if (a->major == 2)
		find(d, WARNING, "HAProxy 3.0 or later adds servers at run time, without slots",
		    "HAProxy " STR_FMT " only has as many servers as its `server-template` lines have slots",
		    STR_ARG(a->version));
	else
		find(d, OK, "", "HAProxy " STR_FMT, STR_ARG(a->version));
}

static void
check_step(struct doctor *d, const struct control_facts *f)
{
	if (f->conf != NULL && !f->conf->haproxy.apply)
		find(d, WARNING, "set haproxy.apply to true once `rollcall plan` shows what you expect",
		    "haproxy.apply is false: rollcall looks on and changes nothing");
	else if (f->in_step)
		find(d, OK, "", "HAProxy holds what it should");
	else if (f->connected)
		find(d, WARNING, "`rollcall plan` shows what is left to do; it should be a matter of seconds",
		    "HAProxy does not hold what it should yet");
}

/* ---- its backends ---- */

static bool
has_foreign_servers(const struct actual_backend *a)
{
	for (size_t i = 0; a != NULL && i < a->n_servers; i++)
		if (!a->servers[i].is_ours && a->servers[i].admin == ACTUAL_READY)
			return true;
	return false;
}

/* Ours weigh up to 256, a `server` line without a weight 1. */
static void
check_mixed_weights(struct doctor *d, const struct plan_backend *b, const struct actual_backend *a)
{
	if (b->n_servers > 0 && has_foreign_servers(a))
		find(d, WARNING, "give its own `server` lines a `weight` on the same scale, or take them out",
		    "backend `" STR_FMT "` also has servers of its own: rollcall's weigh up to 256, one without "
		    "`weight` 1",
		    STR_ARG(b->name));
}

static void
check_unchecked(struct doctor *d, const struct plan_backend *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_servers; i++)
		n += b->servers[i].actual->check == ACTUAL_UNCHECKED;
	if (n > 0)
		find(d, WARNING, "write `check` on its `server-template` or `default-server` line",
		    "backend `" STR_FMT
		    "`: HAProxy does not check %zu of its servers: calls go to them before they serve",
		    STR_ARG(b->name), n);
}

/* Who wrote neither haproxy.cfg nor an entry for it can only let rollcall make it. */
static const char *
fix_of_missing(const struct control_facts *f, struct str backend)
{
	const struct desired_backend *b = f->desired != NULL ? desired_find(f->desired, backend) : NULL;

	if (b == NULL || !b->conf->managed)
		return "add it to haproxy.cfg, or correct its name in `backends`";
	return "it is made at run time by HAProxy 3.4, else with a reload: set haproxy.master_socket, and see that "
	       "HAProxy is started with `-f` on haproxy.managed.dir";
}

/* What ejects needs an agent-check, and there is no command that gives a slot one. */
static void
check_agent(struct doctor *d, const struct control_facts *f, const struct plan_backend *b)
{
	const struct conf_backend *conf = f->conf != NULL ? conf_backend_by_name(f->conf, b->name) : NULL;

	if (conf != NULL && conf->policy.outlier.mode == CONF_OUTLIER_ENFORCE && b->n_without_agent > 0)
		find(d, WARNING,
		    "write `agent-check` with `agent-addr`, `agent-port` and `agent-inter` on its `server-template` or "
		    "`default-server` line, as haproxy.cfg does, or set outlier.mode to observe",
		    "backend `" STR_FMT
		    "`: %zu of its servers have no agent-check: they are observed, and never ejected",
		    STR_ARG(b->name), b->n_without_agent);
}

static void
check_retired(struct doctor *d, const struct control_facts *f, const struct plan_backend *b)
{
	const struct desired_backend *of = f->desired != NULL ? desired_find(f->desired, b->name) : NULL;

	if (b->n_servers > 0 && of != NULL && desired_is_forsaken(f->desired, of))
		find(d, WARNING,
		    "name it in `backends` or in a label again, or let its servers go with `rollcall release`",
		    "no entry and no label asks for backend `" STR_FMT "` any more, and %zu servers of ours are in it",
		    STR_ARG(b->name), b->n_servers);
}

/* Whoever else may give orders on HAProxy's socket, or answers its agent-checks, can hold all of them. */
static void
check_servers(struct doctor *d, const struct plan_backend *b)
{
	size_t n_called = 0, n_held = 0;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct actual_server *s = b->servers[i].actual;

		n_called += s->admin == ACTUAL_READY && s->up && s->weight > 0 ? 1 : 0;
		n_held +=
		    b->servers[i].state == PLAN_STATE_HELD && (s->admin != ACTUAL_READY || s->weight == 0) ? 1 : 0;
	}
	if (n_called > 0)
		find(d, OK, "", "backend `" STR_FMT "` has %zu servers", STR_ARG(b->name), b->n_servers);
	else if (n_held > 0)
		find(d, WARNING, "`rollcall why SERVER` tells by whom; `rollcall ready SERVER` ends it",
		    "no server of backend `" STR_FMT "` takes calls, and %zu of its %zu are held: calls to it fail",
		    STR_ARG(b->name), n_held, b->n_servers);
	else
		find(d, WARNING, "`rollcall servers` tells their states; after a start it is a matter of seconds",
		    "none of the %zu servers of backend `" STR_FMT "` takes calls: calls to it fail", b->n_servers,
		    STR_ARG(b->name));
}

static void
check_backends(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->plan != NULL && f->actual != NULL && i < f->plan->n_backends; i++) {
		const struct plan_backend *b = &f->plan->backends[i];

		if (b->is_retired) {
			check_retired(d, f, b);
			continue;
		}
		if (!b->exists) {
			find(d, FAULT, fix_of_missing(f, b->name), "HAProxy has no backend `" STR_FMT "`",
			    STR_ARG(b->name));
			continue;
		}
		if (b->strategy == PLAN_STRATEGY_NONE)
			find(d, FAULT,
			    "add `server-template rc_ 1-20 0.0.0.0:0 check disabled` to it and reload HAProxy",
			    "backend `" STR_FMT "` has no slots, and this HAProxy adds no servers at run time",
			    STR_ARG(b->name));
		else if (b->n_unplaced > 0)
			find(d, FAULT, "raise the count of its `server-template rc_ ...` line and reload HAProxy",
			    "backend `" STR_FMT "`: %zu tasks find no free slot", STR_ARG(b->name), b->n_unplaced);
		else if (b->n_servers == 0)
			find(d, WARNING, "`rollcall why TASK` tells why a task has no server",
			    "backend `" STR_FMT "` has no server: calls to it fail", STR_ARG(b->name));
		else
			check_servers(d, b);
		check_mixed_weights(d, b, actual_find(f->actual, b->name));
		check_unchecked(d, b);
		check_agent(d, f, b);
	}
}

/* ---- what else its configuration must have ---- */

static const char spoe_by_path[] =
    "if haproxy.cfg has `chroot`, the path must lie inside of it: use `abns@NAME` or 127.0.0.1:PORT, in `spoe.listen` "
    "and in haproxy.cfg";
static const char spoe_by_name[] = "see that the SPOE backend of haproxy.cfg has a server with this address";

/* HAProxy connects from inside of its chroot.  That it did is the only proof. */
static void
check_spoe(struct doctor *d, const struct control_facts *f)
{
	const struct spop_server_view *v = f->spop;
	struct str at;

	if (f->conf == NULL || !f->conf->has_spoe || v == NULL)
		return;
	at = f->conf->spoe.address;
	if (v->bind_fault->on)
		find(d, FAULT, "give `spoe.listen` an address that rollcalld may listen at", "SPOE: %s",
		    v->bind_fault->err.msg);
	else if (v->connections > 0 || v->counts->hellos + v->counts->health_checks > 0)
		find(d, OK, "", "HAProxy finds SPOE at " STR_FMT, STR_ARG(at));
	else
		find(d, WARNING, str_has_prefix(at, STR("/")) ? spoe_by_path : spoe_by_name,
		    "no HAProxy has connected to SPOE at " STR_FMT " yet", STR_ARG(at));
}

static bool
has_h2(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_backends; i++)
		if (conf->backends[i].policy.proto == CONF_PROTO_H2)
			return true;
	return false;
}

/* Guessing helps nobody: what the runtime API does not tell is said. */
static void
check_unseen(struct doctor *d, const struct control_facts *f)
{
	const bool is_old = f->actual != NULL && f->actual->major == 2 && f->actual->minor < 8;

	if (f->conf != NULL && has_h2(f->conf))
		find(d, OK, "",
		    "the limit of streams cannot be seen from here: check that haproxy.cfg has "
		    "`tune.h2.%smax-concurrent-streams 1000`, or the 101st call of a client connection hangs",
		    is_old ? "" : "fe.");
	if (f->conf != NULL && f->conf->has_tracing && str_has_prefix(f->conf->tracing_log_listen, STR("/")))
		find(d, OK, "",
		    "`chroot` cannot be seen from here: check that " STR_FMT
		    " lies inside of it, or HAProxy's log lines get lost",
		    STR_ARG(f->conf->tracing_log_listen));
}

/* ---- AWS ---- */

static void
check_credentials(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->conf != NULL && f->keys != NULL && i < f->conf->n_sources; i++) {
		const struct str name = f->conf->sources[i].name;
		const struct creds_source_view *keys = &f->keys[i];
		const bool is_wrong = keys->renewal != NULL && keys->renewal->on;

		if (is_wrong)
			find(d, keys->expires_wall_ms != 0 ? WARNING : FAULT,
			    "mend what it says, or give rollcalld another source of keys", "source `" STR_FMT "`: %s",
			    STR_ARG(name), keys->renewal->err.msg);
		else if (keys->expires_wall_ms != 0)
			find(d, OK, "", "source `" STR_FMT "`: keys from %s", STR_ARG(name), keys->name);
		else
			find(d, FAULT, "give rollcalld a task role, an instance profile, a profile or keys",
			    "source `" STR_FMT "`: no AWS keys were found", STR_ARG(name));
	}
}

static const struct control_probe *
find_identity(const struct control_facts *f, size_t source)
{
	for (size_t i = 0; i < f->n_probes; i++)
		if (f->probes[i].source == source && f->probes[i].result == CONTROL_PROBE_ALLOWED &&
		    strcmp(f->probes[i].action, "GetCallerIdentity") == 0)
			return &f->probes[i];
	return NULL;
}

/* Keys of another account see other clusters of the same names. */
static void
check_identity(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->conf != NULL && i < f->conf->n_sources; i++) {
		const struct conf_source *s = &f->conf->sources[i];
		const struct str account = control_status_account(f->roster, s->name);
		const struct control_probe *who = find_identity(f, i);

		if (who != NULL)
			find(d, OK, "", "source `" STR_FMT "`: we are %s", STR_ARG(s->name), who->said);
		else if (account.len > 0)
			find(d, OK, "", "source `" STR_FMT "`: AWS account " STR_FMT " in " STR_FMT "%s" STR_FMT,
			    STR_ARG(s->name), STR_ARG(account), STR_ARG(s->region),
			    s->role_arn.len > 0 ? ", by the role " : "", STR_ARG(s->role_arn));
		else
			find(d, WARNING, "see the checks `credentials` and `clusters`",
			    "source `" STR_FMT "`: no answer has told its AWS account yet", STR_ARG(s->name));
	}
}

static void
tell_probe(struct doctor *d, const struct control_facts *f, const struct control_probe *p)
{
	char what[TEXT_MAX / 2];
	const int64_t age_s = (f->mono_ms - p->at_mono_ms) / 1000;

	(void)snprintf(what, sizeof(what), "source `" STR_FMT "`: %s:%s%s" STR_FMT "%s",
	    STR_ARG(f->conf->sources[p->source].name), p->service, p->action, p->cluster.len > 0 ? " in `" : "",
	    STR_ARG(p->cluster), p->cluster.len > 0 ? "`" : "");
	switch (p->result) {
	case CONTROL_PROBE_WAITING:
		find(d, WARNING, "ask again in a few seconds", "%s is being tried: no answer yet", what);
		break;
	case CONTROL_PROBE_ALLOWED:
		find(d, OK, "", "%s is allowed (tried %" PRId64 " s ago)", what, age_s);
		break;
	case CONTROL_PROBE_DENIED:
		find(d, p->is_spare ? WARNING : FAULT,
		    p->is_spare ? "nothing must be done: rollcalld works without; `rollcalld --iam` prints the policy"
				: "allow it: `rollcalld --iam` prints the policy",
		    "%s is denied (tried %" PRId64 " s ago): %s", what, age_s, p->said);
		break;
	case CONTROL_PROBE_FAILED:
		find(d, WARNING, "nothing, if it passes: ask again in a minute",
		    "%s could not be tried (%" PRId64 " s ago): %s", what, age_s, p->said);
		break;
	}
}

/* Each action, for real. */
static void
check_permissions(struct doctor *d, const struct control_facts *f)
{
	bool has_definition = false;

	for (size_t i = 0; f->conf != NULL && i < f->n_probes; i++) {
		tell_probe(d, f, &f->probes[i]);
		has_definition = has_definition || strcmp(f->probes[i].action, "DescribeTaskDefinition") == 0;
	}
	if (f->n_probes == 0)
		find(d, WARNING, "ask again in a few seconds", "no action of AWS was tried yet");
	else if (!has_definition)
		find(d, WARNING, "ask again once a task is known",
		    "ecs:DescribeTaskDefinition was not tried: no task is known");
}

static void
check_clock(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->conf != NULL && f->figures != NULL && i < f->conf->n_sources; i++) {
		const int64_t skew_ms = f->figures[i].skew_ms;
		const int64_t off_ms = skew_ms < 0 ? -skew_ms : skew_ms;
		const enum result r = off_ms >= SKEW_FAULT_MS ? FAULT : off_ms >= SKEW_WARNING_MS ? WARNING : OK;

		find(d, r,
		    r == OK ? "" : "set the clock (chrony, systemd-timesyncd): rollcall corrects for it meanwhile",
		    "source `" STR_FMT "`: AWS's clock is %" PRId64 ".%03" PRId64 " s %s ours",
		    STR_ARG(f->conf->sources[i].name), off_ms / 1000, off_ms % 1000,
		    skew_ms < 0 ? "behind" : "ahead of");
	}
}

static void
check_budget(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->conf != NULL && f->budget_used_percent != NULL && i < f->conf->n_sources; i++) {
		const unsigned used = f->budget_used_percent[i];

		if (used >= BUDGET_WARNING)
			find(d, WARNING, "raise `rate_limit`, or lengthen `watch` and `refresh`",
			    "source `" STR_FMT "` uses %u %% of its rate_limit: it is read less often than asked for",
			    STR_ARG(f->conf->sources[i].name), used);
		else
			find(d, OK, "", "source `" STR_FMT "` uses %u %% of its rate_limit",
			    STR_ARG(f->conf->sources[i].name), used);
	}
}

static void
check_queue(struct doctor *d, const struct conf_source *s, const struct ecs_queue_view *q, int64_t wall_ms)
{
	if (q->fault->on)
		find(d, FAULT,
		    "packaging/aws/events.yaml makes rule, topic, queue and their policies; `rollcalld --iam` prints "
		    "ours",
		    "source `" STR_FMT "`: %s; ECS is polled all the same", STR_ARG(s->name), q->fault->err.msg);
	else if (!q->is_listening)
		find(d, WARNING, "ask again in a few seconds", "source `" STR_FMT "`: the queue is not read yet",
		    STR_ARG(s->name));
	else if (q->events == 0)
		find(d, WARNING,
		    "if tasks have started or stopped since the start: is there an EventBridge rule (source aws.ecs, "
		    "\"ECS Task State Change\"), and may it send? See packaging/aws/events.yaml",
		    "source `" STR_FMT "`: listening, and no event has come yet", STR_ARG(s->name));
	else if (q->foreign == q->events)
		find(d, WARNING,
		    "compare the rule's clusterArn, and the account and region of the queue, with `clusters`",
		    "source `" STR_FMT "`: %" PRIu64 " events came, all of other clusters", STR_ARG(s->name),
		    q->events);
	else
		find(d, OK, "",
		    "source `" STR_FMT "`: %" PRIu64 " events came, the last %" PRId64 " s ago; %" PRIu64
		    " messages were none",
		    STR_ARG(s->name), q->events, (wall_ms - q->last_wall_ms) / 1000, q->poison);
}

static void
check_events(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->conf != NULL && f->queues != NULL && i < f->conf->n_sources; i++)
		if (f->queues[i].fault != NULL)
			check_queue(d, &f->conf->sources[i], &f->queues[i], f->wall_ms);
}

static const struct conf_source *
source_of(const struct conf *conf, struct str source)
{
	for (size_t i = 0; conf != NULL && i < conf->n_sources; i++)
		if (str_eq(conf->sources[i].name, source))
			return &conf->sources[i];
	return NULL;
}

/* By its name or ARN; not one that was found by "*", where an empty one is nothing special. */
static bool
is_asked_for(const struct conf_source *s, const struct roster_cluster *c)
{
	for (size_t i = 0; s != NULL && i < s->clusters.n; i++)
		if (str_eq(s->clusters.items[i], STR("*")))
			return false;
	return s != NULL && c->facts != NULL;
}

static size_t
n_listed(const struct roster_cluster *c)
{
	size_t n = 0;

	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++)
		n += c->facts->tasks[i].listed ? 1 : 0;
	return n;
}

static void
tell_read(struct doctor *d, const struct conf_source *s, const struct roster_cluster *c)
{
	const size_t n = n_listed(c);

	if (n == 0 && is_asked_for(s, c))
		find(d, WARNING,
		    "see that it is the cluster, region and account that you mean, and that its services run",
		    "cluster `" STR_FMT "` of `" STR_FMT "` is read, and no task is in it", STR_ARG(c->name),
		    STR_ARG(c->source));
	else if (c->facts == NULL)
		find(d, OK, "", "cluster `" STR_FMT "` of `" STR_FMT "` is read", STR_ARG(c->name), STR_ARG(c->source));
	else
		find(d, OK, "", "cluster `" STR_FMT "` of `" STR_FMT "` is read: %zu tasks", STR_ARG(c->name),
		    STR_ARG(c->source), n);
}

static void
check_cluster(struct doctor *d, const struct control_facts *f, const struct roster_cluster *c)
{
	const struct conf_source *s = source_of(f->conf, c->source);
	const int64_t stale_ms = s != NULL ? STALE_TIMES * s->refresh_ms : 0;
	const int64_t age_ms = f->mono_ms - c->complete_mono_ms;

	if (c->fault.on)
		find(d, FAULT,
		    c->fault_is_permanent ? "correct its name, or the permissions (`rollcalld --iam` prints the policy)"
					  : "nothing, if it passes: it is tried again by itself",
		    "cluster `" STR_FMT "` of `" STR_FMT "`: %s", STR_ARG(c->name), STR_ARG(c->source),
		    c->fault.err.msg);
	else if (c->complete_wall_ms == 0)
		find(d, WARNING, "nothing: the first sweep is under way",
		    "cluster `" STR_FMT "` was not read whole yet", STR_ARG(c->name));
	else if (age_ms > (stale_ms > STALE_MIN_MS ? stale_ms : STALE_MIN_MS))
		find(d, WARNING, "see the log: what is known is kept meanwhile",
		    "cluster `" STR_FMT "` was last read whole %" PRId64 " s ago", STR_ARG(c->name), age_ms / 1000);
	else
		tell_read(d, s, c);
}

static void
check_clusters(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->roster != NULL && i < f->roster->n_clusters; i++)
		check_cluster(d, f, &f->roster->clusters[i]);
	if (f->roster == NULL)
		find(d, WARNING, "wait for the first sweep, and see `rollcall status`", "no cluster was read yet");
}

/* ---- network modes ---- */

struct ways {
	size_t n_own, n_by_machine; /* tasks that are reached on their interface, on a port of their machine */
	size_t n_lost;              /* of the latter: nobody told the machine's address */
};

static void
count_task(const struct roster_task *t, struct ways *ret)
{
	if (!t->listed || t->last_status != ROSTER_RUNNING || t->definition == NULL)
		return;
	switch (t->definition->network) {
	case TASKDEF_AWSVPC:
		ret->n_own++;
		break;
	case TASKDEF_BRIDGE:
	case TASKDEF_HOST:
		ret->n_by_machine++;
		ret->n_lost += t->host_ipv4.len == 0 && t->host_ipv6.len == 0 ? 1 : 0;
		break;
	case TASKDEF_NONE:
		break;
	}
}

static void
check_network_of(struct doctor *d, const struct roster_cluster *c)
{
	struct ways ways = { .n_lost = 0 };

	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++)
		count_task(&c->facts->tasks[i], &ways);
	if (ways.n_lost > 0)
		find(d, WARNING,
		    "allow ecs:DescribeContainerInstances and ec2:DescribeInstances (on ECS Anywhere "
		    "ssm:DescribeInstanceInformation): `rollcalld --iam` prints the policy; the log tells what failed",
		    "cluster `" STR_FMT
		    "`: the machines of %zu bridge or host tasks are not known: these are not reached",
		    STR_ARG(c->name), ways.n_lost);
	else if (ways.n_by_machine > 0)
		find(d, OK, "", "cluster `" STR_FMT "`: the machines of its %zu bridge or host tasks are known",
		    STR_ARG(c->name), ways.n_by_machine);
	if (ways.n_own > 0)
		find(d, OK, "", "cluster `" STR_FMT "`: %zu tasks are reached on their own interface (awsvpc)",
		    STR_ARG(c->name), ways.n_own);
}

static void
check_networks(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; f->roster != NULL && i < f->roster->n_clusters; i++)
		check_network_of(d, &f->roster->clusters[i]);
}

/* ---- a head start ---- */

#define UNHELD_NAMED_MAX 5

static struct str
name_service(const struct roster_task *t)
{
	return t->service.len > 0 ? t->service : t->family;
}

static bool
is_unheld(const struct desired_endpoint *e)
{
	const struct taskdef_container *c =
	    e->exposed && e->task->definition != NULL ? taskdef_container(e->task->definition, e->container) : NULL;

	return c != NULL && c->held_by == NULL;
}

/* Each once, as far as there is room. */
static size_t
list_unheld(const struct desired *d, struct str names[UNHELD_NAMED_MAX], bool *ret_more)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_endpoints; i++) {
		struct str name = name_service(d->endpoints[i].task);
		bool is_named = !is_unheld(&d->endpoints[i]);

		for (size_t k = 0; k < n; k++)
			is_named = is_named || str_eq(names[k], name);
		if (is_named)
			continue;
		*ret_more = n == UNHELD_NAMED_MAX;
		if (*ret_more)
			return n;
		names[n++] = name;
	}
	return n;
}

/* That nothing in their definition holds them is no fault: they may serve on by themselves. */
static void
check_head_start(struct doctor *d, const struct control_facts *f)
{
	struct str names[UNHELD_NAMED_MAX];
	char text[TEXT_MAX / 2] = "";
	bool more = false;
	size_t n = f->desired != NULL ? list_unheld(f->desired, names, &more) : 0, at = 0;

	for (size_t i = 0; i < n && at < sizeof(text) / 2; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s`" STR_FMT "`", i > 0 ? ", " : "",
		    STR_ARG(str_first(names[i], 60)));
	if (n > 0)
		find(d, OK, "",
		    "ECS tells us of an end as it sends SIGTERM; these should serve on for some seconds, or have a "
		    "hold "
		    "container (docs/hold.md): %s%s",
		    text, more ? " and others" : "");
}

typedef void check_fn(struct doctor *d, const struct control_facts *f);

static const struct {
	const char *name;
	check_fn *fn;
} checks[] = {
	{ "configuration", check_config },
	{ "haproxy_socket", check_socket },
	{ "haproxy_version", check_version },
	{ "haproxy_in_step", check_step },
	{ "backends", check_backends },
	{ "haproxy_unseen", check_unseen },
	{ "spoe", check_spoe },
	{ "credentials", check_credentials },
	{ "identity", check_identity },
	{ "permissions", check_permissions },
	{ "clock", check_clock },
	{ "rate_limit", check_budget },
	{ "events", check_events },
	{ "clusters", check_clusters },
	{ "networks", check_networks },
	{ "head_start", check_head_start },
	{ "problems", check_problems },
};

static void
run_checks(struct doctor *d, const struct control_facts *f)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		d->check = checks[i].name;
		checks[i].fn(d, f);
	}
}

void
control_doctor_show(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	struct doctor d = { .w = control_json_make(&ret->body) };

	(void)arg;
	control_json_array(&d.w, NULL);
	run_checks(&d, f);
	control_json_array_end(&d.w);
}

bool
control_doctor_print(const struct control_facts *f, struct buf *out)
{
	struct doctor d = { .lines = out };

	run_checks(&d, f);
	return !d.has_fault;
}
