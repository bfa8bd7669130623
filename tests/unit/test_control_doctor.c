/* What the doctor says of each fault, and what mends it: a world where all is well, with one thing made wrong in it. */
#include "config.h"

#include "conf/conf_policy.h"
#include "control/control_doctor.h"

#include "control_story.h"
#include "unit.h"

#define BACKENDS 2
#define SERVERS  2

/* Values that may be changed, and the facts that point to them. */
struct ward {
	struct control_story *s;
	struct control_facts f;
	struct conf conf;
	struct conf_backend entry;
	struct conf_source sources[2];
	struct str cluster_names[1];
	struct actual actual;
	struct actual_backend in_haproxy;
	struct actual_server servers[SERVERS];
	struct plan plan;
	struct plan_backend backend;
	struct plan_server planned[SERVERS];
	struct desired desired;
	struct desired_backend wanted;
	struct desired_endpoint endpoints[7];
	struct aws_caller_figures figures[2];
	struct creds_source_view keys[2];
	struct fault renewal, queue_fault, bind_fault;
	struct roster roster;
	struct roster_cluster cluster;
	struct roster_facts facts;
	struct roster_task tasks[7];
	struct taskdef definition;
	struct taskdef_container container, holder;
	struct control_probe probe;
	struct ecs_queue_view queue;
	struct spop_counts counts;
	struct spop_server_view spop;
	unsigned used;
	struct conf_note warning;
};

static void
fill_configuration(struct ward *w)
{
	w->entry = (struct conf_backend){ .name = STR("grpc"), .policy = conf_policy_builtin() };
	w->cluster_names[0] = STR("main");
	w->sources[0] = (struct conf_source){
		.name = STR("eu"),
		.region = STR("eu-west-1"),
		.refresh_ms = 60000,
		.clusters = { .items = w->cluster_names, .n = 1 },
	};
	w->conf = w->s->conf;
	w->conf.sources = w->sources;
	w->conf.n_sources = 1;
	w->conf.backends = &w->entry;
	w->conf.n_backends = 1;
	w->conf.haproxy.apply = true;
	w->f.conf = &w->conf;
	w->f.config_path = STR("/etc/rollcall/rollcall.yaml");
	w->f.in_step = w->f.connected = true;
}

static void
fill_haproxy(struct ward *w)
{
	for (size_t i = 0; i < SERVERS; i++) {
		w->servers[i] = (struct actual_server){
			.name = i == 0 ? STR("rc_1") : STR("rc_2"),
			.is_ours = true,
			.admin = ACTUAL_READY,
			.check = ACTUAL_CHECK_PASSED,
			.up = true,
			.weight = 256,
		};
		w->planned[i] =
		    (struct plan_server){ .backend = STR("grpc"), .actual = &w->servers[i], .state = PLAN_STATE_UP };
	}
	w->in_haproxy =
	    (struct actual_backend){ .name = STR("grpc"), .exists = true, .servers = w->servers, .n_servers = SERVERS };
	w->actual = (struct actual){
		.major = 3, .minor = 2, .version = STR("3.2.1"), .backends = &w->in_haproxy, .n_backends = 1
	};
	w->backend = (struct plan_backend){
		.name = STR("grpc"),
		.exists = true,
		.strategy = PLAN_STRATEGY_DYNAMIC,
		.servers = w->planned,
		.n_servers = SERVERS,
	};
	w->plan = (struct plan){ .backends = &w->backend, .n_backends = 1 };
	w->f.actual = &w->actual;
	w->f.plan = &w->plan;
}

static void
fill_ecs(struct ward *w)
{
	w->container = (struct taskdef_container){ .name = STR("app"), .held_by = &w->holder };
	w->definition = (struct taskdef){ .network = TASKDEF_AWSVPC, .containers = &w->container, .n_containers = 1 };
	for (size_t i = 0; i < N_OF(w->tasks); i++) {
		static const char *const services[] = { "a", "b", "c", "d", "e", "f", "g" };

		w->tasks[i] = (struct roster_task){
			.service = str_from_cstr(services[i]),
			.listed = true,
			.last_status = ROSTER_RUNNING,
			.definition = &w->definition,
		};
		w->endpoints[i] =
		    (struct desired_endpoint){ .task = &w->tasks[i], .container = STR("app"), .exposed = true };
	}
	w->facts = (struct roster_facts){ .tasks = w->tasks, .n_tasks = 1 };
	w->cluster = (struct roster_cluster){
		.source = STR("eu"),
		.name = STR("main"),
		.account = STR("123456789012"),
		.facts = &w->facts,
		.complete_wall_ms = CONTROL_STORY_WALL_MS,
		.complete_mono_ms = 490000,
	};
	w->roster = (struct roster){ .clusters = &w->cluster, .n_clusters = 1 };
	w->wanted = (struct desired_backend){ .name = STR("grpc"), .conf = &w->entry };
	w->desired = (struct desired){ .backends = &w->wanted,
		.n_backends = 1,
		.endpoints = w->endpoints,
		.n_endpoints = 1,
		.roster = &w->roster };
	w->f.roster = &w->roster;
	w->f.desired = &w->desired;
}

static void
fill_aws(struct ward *w)
{
	w->keys[0] =
	    (struct creds_source_view){ .name = "environment", .expires_wall_ms = INT64_MAX, .renewal = &w->renewal };
	w->probe = (struct control_probe){ .service = "ecs",
		.action = "DescribeTaskDefinition",
		.result = CONTROL_PROBE_ALLOWED,
		.at_mono_ms = 498000 };
	w->queue = (struct ecs_queue_view){
		.is_listening = true,
		.events = 5,
		.foreign = 1,
		.poison = 2,
		.last_wall_ms = CONTROL_STORY_WALL_MS - 7000,
		.fault = &w->queue_fault,
	};
	w->spop = (struct spop_server_view){ .bind_fault = &w->bind_fault, .counts = &w->counts };
	w->f.figures = w->figures;
	w->f.keys = w->keys;
	w->f.probes = &w->probe;
	w->f.n_probes = 1;
}

static struct ward *
ward_new(void)
{
	struct ward *w = test_calloc(1, sizeof(*w));

	w->s = control_story_new();
	w->f = (struct control_facts){ .wall_ms = CONTROL_STORY_WALL_MS, .mono_ms = 500000 };
	fill_configuration(w);
	fill_haproxy(w);
	fill_ecs(w);
	fill_aws(w);
	return w;
}

static void
ward_free(struct ward *w)
{
	control_story_free(w->s);
	test_free(w);
}

static void
raise(struct fault *f, const char *what)
{
	*f = (struct fault){ .on = true };
	(void)err_set(&f->err, ERR_IO, "%s", what);
}

/* ---- what may be wrong ---- */

static void
nothing(struct ward *w)
{
	(void)w;
}
static void
no_configuration(struct ward *w)
{
	w->f.conf = NULL;
}
static void
nothing_known(struct ward *w)
{
	w->f = (struct control_facts){ .wall_ms = CONTROL_STORY_WALL_MS };
}
static void
a_refused_file(struct ward *w)
{
	w->f.config_refused = STR("line 3");
}
static void
looking_on(struct ward *w)
{
	w->conf.haproxy.apply = false;
}
static void
out_of_step(struct ward *w)
{
	w->f.in_step = false;
}
static void
no_haproxy(struct ward *w)
{
	w->f.in_step = w->f.connected = false;
}
static void
an_old_haproxy(struct ward *w)
{
	w->actual.major = 2;
	w->actual.minor = 5;
}
static void
an_ancient_haproxy(struct ward *w)
{
	w->actual.major = 1;
	w->actual.minor = 9;
}
static void
haproxy_2_6(struct ward *w)
{
	w->actual.major = 2;
	w->actual.minor = 6;
}
static void
haproxy_2_8(struct ward *w)
{
	w->actual.major = 2;
	w->actual.minor = 8;
}
static void
http1_tasks(struct ward *w)
{
	w->entry.policy.proto = CONF_PROTO_H1;
}
static void
no_slots(struct ward *w)
{
	w->backend.strategy = PLAN_STRATEGY_NONE;
}
static void
too_few_slots(struct ward *w)
{
	w->backend.n_unplaced = 3;
}
static void
no_server(struct ward *w)
{
	w->backend.n_servers = 0;
}
static void
one_held(struct ward *w)
{
	w->servers[0].admin = ACTUAL_DRAIN;
	w->planned[0].state = PLAN_STATE_HELD;
}
static void
one_held_and_the_other_down(struct ward *w)
{
	one_held(w);
	w->servers[1].up = false;
	w->planned[1].state = PLAN_STATE_DOWN;
}
static void
nobody_called(struct ward *w)
{
	w->servers[0].weight = 0;
	w->servers[1].up = false;
	w->planned[1].state = PLAN_STATE_DOWN;
}
static void
one_weighed_and_both_down(struct ward *w)
{
	w->servers[0].up = w->servers[1].up = false;
	w->planned[0].state = PLAN_STATE_HELD;
	w->planned[1].state = PLAN_STATE_DOWN;
}
static void
no_such_backend(struct ward *w)
{
	w->backend.exists = false;
}
static void
servers_of_its_own(struct ward *w)
{
	w->servers[1].is_ours = false;
}
static void
no_plan(struct ward *w)
{
	w->f.plan = NULL;
}
static void
no_read_back(struct ward *w)
{
	w->f.actual = NULL;
}
static void
unchecked(struct ward *w)
{
	w->servers[0].check = ACTUAL_UNCHECKED;
}
static void
no_spop_view(struct ward *w)
{
	w->conf.has_spoe = true;
}
static void
tasks_by_machine(struct ward *w)
{
	w->definition.network = TASKDEF_HOST;
}
static void
tasks_without_network(struct ward *w)
{
	w->definition.network = TASKDEF_NONE;
}
static void
unlisted(struct ward *w)
{
	w->tasks[0].listed = false;
}
static void
pending(struct ward *w)
{
	w->tasks[0].last_status = ROSTER_PENDING;
}
static void
undefined(struct ward *w)
{
	w->tasks[0].definition = NULL;
}
static void
by_a_role(struct ward *w)
{
	w->sources[0].role_arn = STR("arn:aws:iam::1:role/x");
}
static void
no_account(struct ward *w)
{
	w->cluster.account = STR("");
}
static void
another_source(struct ward *w)
{
	w->cluster.source = STR("us");
}
static void
no_keys(struct ward *w)
{
	w->keys[0].expires_wall_ms = 0;
}
static void
keys_unknown(struct ward *w)
{
	w->f.keys = NULL;
}
static void
a_slow_clock(struct ward *w)
{
	w->figures[0].skew_ms = 30000;
}
static void
a_fast_clock(struct ward *w)
{
	w->figures[0].skew_ms = -240001;
}
static void
never_read(struct ward *w)
{
	w->cluster.complete_wall_ms = 0;
}
static void
long_unread(struct ward *w)
{
	w->f.mono_ms = 490000 + 240001;
}
static void
stale_of_nobody(struct ward *w)
{
	another_source(w);
	w->f.mono_ms = 490000 + 60001;
}
static void
not_quite_stale(struct ward *w)
{
	w->f.mono_ms = 490000 + 240000;
}
static void
often_read(struct ward *w)
{
	w->sources[0].refresh_ms = 1000;
	w->f.mono_ms = 490000 + 60001;
}
static void
an_empty_star(struct ward *w)
{
	w->facts.n_tasks = 0;
	w->cluster_names[0] = STR("*");
}
static void
an_empty_cluster(struct ward *w)
{
	w->facts.n_tasks = 0;
}
static void
facts_unknown(struct ward *w)
{
	w->cluster.facts = NULL;
}
static void
no_roster(struct ward *w)
{
	w->f.roster = NULL;
}
static void
used_up(struct ward *w)
{
	w->used = 90;
	w->f.budget_used_percent = &w->used;
}
static void
half_used(struct ward *w)
{
	w->used = 50;
	w->f.budget_used_percent = &w->used;
}
static void
with_events(struct ward *w)
{
	w->f.queues = &w->queue;
}
static void
without_queue(struct ward *w)
{
	with_events(w);
	w->queue.fault = NULL;
}
static void
not_listening(struct ward *w)
{
	with_events(w);
	w->queue.is_listening = false;
}
static void
no_event(struct ward *w)
{
	with_events(w);
	w->queue.events = 0;
}
static void
foreign_events(struct ward *w)
{
	with_events(w);
	w->queue.foreign = 5;
}
static void
a_broken_queue(struct ward *w)
{
	with_events(w);
	raise(&w->queue_fault, "AccessDenied");
}
static void
another_probe(struct ward *w)
{
	w->probe.action = "ListTasks";
	w->probe.cluster = STR("main");
}
static void
unheld(struct ward *w)
{
	w->container.held_by = NULL;
}
static void
hidden(struct ward *w)
{
	unheld(w);
	w->endpoints[0].exposed = false;
}
static void
undescribed(struct ward *w)
{
	unheld(w);
	undefined(w);
}

static void
a_warning(struct ward *w)
{
	w->warning = (struct conf_note){ .where = { .line = 7 }, .text = STR("`proto` has no effect on slots") };
	w->conf.warnings.notes = &w->warning;
	w->conf.warnings.n = 1;
}

static void
a_foreign_server_in_maintenance(struct ward *w)
{
	servers_of_its_own(w);
	w->servers[1].admin = ACTUAL_MAINT;
}

static void
a_managed_one_missing(struct ward *w)
{
	no_such_backend(w);
	w->entry.managed = true;
}

static void
an_unwanted_one_missing(struct ward *w)
{
	no_such_backend(w);
	w->f.desired = NULL;
}

static void
ejection_without_agents(struct ward *w)
{
	w->entry.policy.outlier.mode = CONF_OUTLIER_ENFORCE;
	w->backend.n_without_agent = 1;
}

static void
observation_without_agents(struct ward *w)
{
	ejection_without_agents(w);
	w->entry.policy.outlier.mode = CONF_OUTLIER_OBSERVE;
}

static void
forsaken(struct ward *w)
{
	w->backend.is_retired = true;
	w->entry.retired = true;
	w->desired.labels_are_known = true;
}

static void
perhaps_forsaken(struct ward *w)
{
	forsaken(w);
	w->desired.labels_are_known = false;
}

static void
forsaken_and_empty(struct ward *w)
{
	forsaken(w);
	w->backend.n_servers = 0;
}

static void
a_silent_haproxy(struct ward *w)
{
	no_haproxy(w);
	raise(&w->f.haproxy_fault, "connect: No such file or directory");
}

static void
spoe_at(struct ward *w, const char *at)
{
	w->conf.has_spoe = true;
	w->conf.spoe.address = str_from_cstr(at);
	w->f.spop = &w->spop;
}

static void
spoe_unused(struct ward *w)
{
	spoe_at(w, "abns@rollcall");
}
static void
spoe_by_path_unused(struct ward *w)
{
	spoe_at(w, "/run/spoe.sock");
}
static void
spoe_connected(struct ward *w)
{
	spoe_at(w, "abns@rollcall");
	w->spop.connections = 1;
}
static void
spoe_checked(struct ward *w)
{
	spoe_at(w, "abns@rollcall");
	w->counts.health_checks = 1;
}
static void
spoe_deaf(struct ward *w)
{
	spoe_at(w, "abns@rollcall");
	raise(&w->bind_fault, "address in use");
}

static void
tracing_by_path(struct ward *w)
{
	w->conf.has_tracing = true;
	w->conf.tracing_log_listen = STR("/run/trace.sock");
}

static void
tracing_by_port(struct ward *w)
{
	tracing_by_path(w);
	w->conf.tracing_log_listen = STR("127.0.0.1:5140");
}

static void
keys_not_renewed(struct ward *w)
{
	raise(&w->renewal, "the role may not be assumed");
}

static void
keys_neither_had_nor_renewed(struct ward *w)
{
	keys_not_renewed(w);
	no_keys(w);
}

static void
we_are_known(struct ward *w)
{
	w->probe.action = "GetCallerIdentity";
	(void)snprintf(w->probe.said, sizeof(w->probe.said), "arn:aws:iam::1:user/x");
}

static void
we_are_asked_elsewhere(struct ward *w)
{
	we_are_known(w);
	w->probe.source = 1;
	w->sources[1] = (struct conf_source){ .name = STR("us") };
	w->conf.n_sources = 2;
}

static void
we_may_not_ask_who_we_are(struct ward *w)
{
	we_are_known(w);
	w->probe.result = CONTROL_PROBE_DENIED;
}

static void
a_failing_cluster(struct ward *w)
{
	raise(&w->cluster.fault, "ListTasks: timed out");
}

static void
a_denied_cluster(struct ward *w)
{
	a_failing_cluster(w);
	w->cluster.fault_is_permanent = true;
}

static void
tasks_on_lost_machines(struct ward *w)
{
	w->facts.n_tasks = 3;
	tasks_by_machine(w);
	w->tasks[0].host_ipv4 = STR("10.0.0.1");
	w->tasks[1].host_ipv6 = STR("fd00::1");
}

static void
tasks_on_known_machines(struct ward *w)
{
	tasks_on_lost_machines(w);
	w->facts.n_tasks = 2;
}

static void
many_unheld(struct ward *w)
{
	unheld(w);
	w->tasks[1].service = STR("a"); /* one service, named once */
	w->tasks[2].service = STR("");
	w->tasks[2].family = STR("batch");
	w->desired.n_endpoints = 7;
}

/* ---- */

/* A line of the doctor, and the line that mends it; said: null is silence of that check about this. */
struct row {
	void (*change)(struct ward *w);
	const char *line;
	const char *fix; /* null: nothing is to be done */
};

static const struct row rows[] = {
	{ nothing, "ok       configuration: /etc/rollcall/rollcall.yaml is in use as it stands there", NULL },
	{ nothing, "ok       haproxy_socket: HAProxy answers at /run/haproxy/admin.sock", NULL },
	{ nothing, "ok       haproxy_version: HAProxy 3.2.1", NULL },
	{ nothing, "ok       haproxy_in_step: HAProxy holds what it should", NULL },
	{ nothing, "ok       backends: backend `grpc` has 2 servers", NULL },
	{ nothing,
	    "ok       haproxy_unseen: the limit of streams cannot be seen from here: check that haproxy.cfg has "
	    "`tune.h2.fe.max-concurrent-streams 1000`, or the 101st call of a client connection hangs",
	    NULL },
	{ nothing, "ok       credentials: source `eu`: keys from environment", NULL },
	{ nothing, "ok       identity: source `eu`: AWS account 123456789012 in eu-west-1", NULL },
	{ nothing, "ok       permissions: source `eu`: ecs:DescribeTaskDefinition is allowed (tried 2 s ago)", NULL },
	{ nothing, "ok       clock: source `eu`: AWS's clock is 0.000 s ahead of ours", NULL },
	{ nothing, "ok       clusters: cluster `main` of `eu` is read: 1 tasks", NULL },
	{ nothing, "ok       networks: cluster `main`: 1 tasks are reached on their own interface (awsvpc)", NULL },
	{ nothing, "ok       problems: nothing lasts that needs a hand", NULL },
	{ a_refused_file, "fault    configuration: the newest configuration was refused: line 3",
	    "rollcalld -c -f FILE" },
	{ a_warning, "warning  configuration: /etc/rollcall/rollcall.yaml:7: `proto` has no effect on slots",
	    "change that line" },
	{ no_haproxy,
	    "fault    haproxy_socket: HAProxy at /run/haproxy/admin.sock is not reached: it has not answered yet",
	    "stats socket PATH level admin" },
	{ a_silent_haproxy,
	    "fault    haproxy_socket: HAProxy at /run/haproxy/admin.sock is not reached: connect: No such file "
	    "or directory",
	    "start HAProxy" },
	{ nothing_known, "fault    haproxy_socket: HAProxy at  is not reached: it has not answered yet",
	    "start HAProxy" },
	{ an_old_haproxy, "fault    haproxy_version: HAProxy 3.2.1 is too old: rollcall is made for 2.6 and later",
	    "install HAProxy 2.6" },
	{ an_ancient_haproxy, "fault    haproxy_version: HAProxy 3.2.1 is too old: rollcall is made for 2.6 and later",
	    "install" },
	{ haproxy_2_6,
	    "warning  haproxy_version: HAProxy 3.2.1 only has as many servers as its `server-template` lines have "
	    "slots",
	    "HAProxy 3.0 or later" },
	{ looking_on, "warning  haproxy_in_step: haproxy.apply is false: rollcall looks on and changes nothing",
	    "haproxy.apply" },
	{ out_of_step, "warning  haproxy_in_step: HAProxy does not hold what it should yet", "`rollcall plan`" },
	{ no_such_backend, "fault    backends: HAProxy has no backend `grpc`", "add it to haproxy.cfg" },
	{ an_unwanted_one_missing, "fault    backends: HAProxy has no backend `grpc`",
	    "correct its name in `backends`" },
	{ a_managed_one_missing, "fault    backends: HAProxy has no backend `grpc`", "set haproxy.master_socket" },
	{ no_slots, "fault    backends: backend `grpc` has no slots, and this HAProxy adds no servers at run time",
	    "add `server-template rc_ 1-20" },
	{ too_few_slots, "fault    backends: backend `grpc`: 3 tasks find no free slot", "raise the count" },
	{ one_held, "ok       backends: backend `grpc` has 2 servers", NULL },
	{ one_held_and_the_other_down,
	    "warning  backends: no server of backend `grpc` takes calls, and 1 of its 2 are held: calls to it fail",
	    "`rollcall why SERVER`" },
	{ one_weighed_and_both_down,
	    "warning  backends: none of the 2 servers of backend `grpc` takes calls: calls to it fail",
	    "`rollcall servers`" },
	{ nobody_called, "warning  backends: none of the 2 servers of backend `grpc` takes calls: calls to it fail",
	    "`rollcall servers`" },
	{ no_server, "warning  backends: backend `grpc` has no server: calls to it fail", "rollcall why TASK" },
	{ servers_of_its_own,
	    "warning  backends: backend `grpc` also has servers of its own: rollcall's weigh up to 256, one "
	    "without `weight` 1",
	    "give its own `server` lines a `weight`" },
	{ unchecked,
	    "warning  backends: backend `grpc`: HAProxy does not check 1 of its servers: calls go to them before they "
	    "serve",
	    "write `check`" },
	{ ejection_without_agents,
	    "warning  backends: backend `grpc`: 1 of its servers have no agent-check: they are observed, "
	    "and never ejected",
	    "write `agent-check`" },
	{ forsaken,
	    "warning  backends: no entry and no label asks for backend `grpc` any more, and 2 servers of ours are in "
	    "it",
	    "`rollcall release`" },
	{ haproxy_2_6,
	    "ok       haproxy_unseen: the limit of streams cannot be seen from here: check that haproxy.cfg has "
	    "`tune.h2.max-concurrent-streams 1000`, or the 101st call of a client connection hangs",
	    NULL },
	{ haproxy_2_8,
	    "ok       haproxy_unseen: the limit of streams cannot be seen from here: check that haproxy.cfg has "
	    "`tune.h2.fe.max-concurrent-streams 1000`, or the 101st call of a client connection hangs",
	    NULL },
	{ tracing_by_path,
	    "ok       haproxy_unseen: `chroot` cannot be seen from here: check that /run/trace.sock lies inside of "
	    "it, or HAProxy's log lines get lost",
	    NULL },
	{ spoe_unused, "warning  spoe: no HAProxy has connected to SPOE at abns@rollcall yet",
	    "has a server with this address" },
	{ spoe_by_path_unused, "warning  spoe: no HAProxy has connected to SPOE at /run/spoe.sock yet",
	    "has `chroot`" },
	{ spoe_connected, "ok       spoe: HAProxy finds SPOE at abns@rollcall", NULL },
	{ spoe_checked, "ok       spoe: HAProxy finds SPOE at abns@rollcall", NULL },
	{ spoe_deaf, "fault    spoe: SPOE: address in use", "give `spoe.listen` an address" },
	{ no_keys, "fault    credentials: source `eu`: no AWS keys were found", "give rollcalld a task role" },
	{ keys_not_renewed, "warning  credentials: source `eu`: the role may not be assumed", "mend what it says" },
	{ keys_neither_had_nor_renewed, "fault    credentials: source `eu`: the role may not be assumed",
	    "mend what it says" },
	{ by_a_role,
	    "ok       identity: source `eu`: AWS account 123456789012 in eu-west-1, by the role arn:aws:iam::1:role/x",
	    NULL },
	{ no_account, "warning  identity: source `eu`: no answer has told its AWS account yet", "see the checks" },
	{ another_source, "warning  identity: source `eu`: no answer has told its AWS account yet", "see the checks" },
	{ no_roster, "warning  identity: source `eu`: no answer has told its AWS account yet", "see the checks" },
	{ we_are_known, "ok       identity: source `eu`: we are arn:aws:iam::1:user/x", NULL },
	{ we_are_asked_elsewhere, "ok       identity: source `us`: we are arn:aws:iam::1:user/x", NULL },
	{ we_may_not_ask_who_we_are, "ok       identity: source `eu`: AWS account 123456789012 in eu-west-1", NULL },
	{ another_probe, "ok       permissions: source `eu`: ecs:ListTasks in `main` is allowed (tried 2 s ago)",
	    NULL },
	{ another_probe, "warning  permissions: ecs:DescribeTaskDefinition was not tried: no task is known",
	    "ask again" },
	{ nothing_known, "warning  permissions: no action of AWS was tried yet", "ask again" },
	{ a_slow_clock, "warning  clock: source `eu`: AWS's clock is 30.000 s ahead of ours", "set the clock" },
	{ a_fast_clock, "fault    clock: source `eu`: AWS's clock is 240.001 s behind ours", "set the clock" },
	{ half_used, "ok       rate_limit: source `eu` uses 50 % of its rate_limit", NULL },
	{ used_up, "warning  rate_limit: source `eu` uses 90 % of its rate_limit: it is read less often than asked for",
	    "raise `rate_limit`" },
	{ with_events, "ok       events: source `eu`: 5 events came, the last 7 s ago; 2 messages were none", NULL },
	{ not_listening, "warning  events: source `eu`: the queue is not read yet", "ask again" },
	{ no_event, "warning  events: source `eu`: listening, and no event has come yet",
	    "is there an EventBridge rule" },
	{ foreign_events, "warning  events: source `eu`: 5 events came, all of other clusters",
	    "compare the rule's clusterArn" },
	{ a_broken_queue, "fault    events: source `eu`: AccessDenied; ECS is polled all the same",
	    "packaging/aws/events.yaml" },
	{ a_failing_cluster, "fault    clusters: cluster `main` of `eu`: ListTasks: timed out",
	    "tried again by itself" },
	{ a_denied_cluster, "fault    clusters: cluster `main` of `eu`: ListTasks: timed out", "correct its name" },
	{ never_read, "warning  clusters: cluster `main` was not read whole yet", "the first sweep" },
	{ not_quite_stale, "ok       clusters: cluster `main` of `eu` is read: 1 tasks", NULL },
	{ long_unread, "warning  clusters: cluster `main` was last read whole 240 s ago", "see the log" },
	{ stale_of_nobody, "warning  clusters: cluster `main` was last read whole 60 s ago", "see the log" },
	{ often_read, "warning  clusters: cluster `main` was last read whole 60 s ago", "see the log" },
	{ an_empty_cluster, "warning  clusters: cluster `main` of `eu` is read, and no task is in it",
	    "that you mean" },
	{ an_empty_star, "ok       clusters: cluster `main` of `eu` is read: 0 tasks", NULL },
	{ unlisted, "warning  clusters: cluster `main` of `eu` is read, and no task is in it", "that you mean" },
	{ facts_unknown, "ok       clusters: cluster `main` of `eu` is read", NULL },
	{ no_roster, "warning  clusters: no cluster was read yet", "wait for the first sweep" },
	{ tasks_on_lost_machines,
	    "warning  networks: cluster `main`: the machines of 1 bridge or host tasks are not known: these "
	    "are not reached",
	    "ec2:DescribeInstances" },
	{ tasks_on_known_machines,
	    "ok       networks: cluster `main`: the machines of its 2 bridge or host tasks are known", NULL },
	{ unheld,
	    "ok       head_start: ECS tells us of an end as it sends SIGTERM; these should serve on for some seconds, "
	    "or "
	    "have a hold container (docs/hold.md): `a`",
	    NULL },
	{ many_unheld,
	    "ok       head_start: ECS tells us of an end as it sends SIGTERM; these should serve on for some seconds, "
	    "or have a hold container (docs/hold.md): `a`, `batch`, `d`, `e`, `f` and others",
	    NULL },
};

/* The line after the one that begins at `at`, if it is a fix. */
static bool
is_mended_by(const char *at, const char *fix)
{
	const char *next = strchr(at, '\n') + 1;
	const bool has_fix = strncmp(next, "         ", 9) == 0 && next[9] != '\0';
	const char *found = fix != NULL ? strstr(next, fix) : NULL;

	return fix == NULL ? !has_fix : has_fix && found != NULL && found < strchr(next, '\n');
}

static bool
says(const char *text, const char *line, const char *fix)
{
	const char *at = strstr(text, line);

	while (at != NULL && at[strlen(line)] != '\n')
		at = strstr(at + 1, line);
	return at != NULL && (at == text || at[-1] == '\n') && is_mended_by(at, fix);
}

static bool
examine(void (*change)(struct ward *w), struct buf *out)
{
	struct ward *w = ward_new();
	bool is_well;

	change(w);
	is_well = control_doctor_print(&w->f, out);
	buf_put_u8(out, '\0');
	ward_free(w);
	return is_well;
}

static void
each_finding_is_a_line_and_what_mends_it_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf out = buf_make(1 << 16);
		const bool is_well = examine(rows[i].change, &out);

		if (!says((const char *)out.ptr, rows[i].line, rows[i].fix))
			fail_msg("row %zu: \"%s\" is not in:\n%s", i, rows[i].line, (const char *)out.ptr);
		CHECK_ROW(is_well == (strstr((const char *)out.ptr, "fault  ") == NULL), i, rows[i].line);
		buf_free(&out);
	}
}

static void
what_does_not_concern_is_not_mentioned(void **state)
{
	static const struct {
		void (*change)(struct ward *w);
		const char *never;
	} silent[] = {
		{ nothing, "warning" },
		{ nothing, "fault" },
		{ nothing, "rate_limit:" },
		{ nothing, "events:" },
		{ nothing, "spoe:" },
		{ nothing, "head_start:" },
		{ no_configuration, "configuration:" },
		{ no_configuration, "credentials:" },
		{ no_configuration, "permissions: source" },
		{ no_configuration, "haproxy_unseen:" },
		{ nothing_known, "haproxy_version:" },
		{ nothing_known, "haproxy_in_step:" },
		{ nothing_known, "networks:" },
		{ a_refused_file, "is in use as it stands there" },
		{ a_warning, "is in use as it stands there" },
		{ http1_tasks, "the limit of streams" },
		{ tracing_by_port, "haproxy_unseen: `chroot`" },
		{ a_foreign_server_in_maintenance, "servers of its own" },
		{ observation_without_agents, "have no agent-check" },
		{ perhaps_forsaken, "backends:" },
		{ forsaken_and_empty, "backends:" },
		{ no_plan, "backends:" },
		{ no_read_back, "backends:" },
		{ no_spop_view, "spoe:" },
		{ keys_unknown, "credentials:" },
		{ we_are_asked_elsewhere, "identity: source `eu`: we are" },
		{ without_queue, "events:" },
		{ unlisted, "networks:" },
		{ pending, "networks:" },
		{ undefined, "networks:" },
		{ tasks_without_network, "networks:" },
		{ facts_unknown, "networks:" },
		{ hidden, "head_start:" },
		{ undescribed, "head_start:" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(silent); i++) {
		struct buf out = buf_make(1 << 16);

		(void)examine(silent[i].change, &out);
		CHECK_ROW(strstr((const char *)out.ptr, silent[i].never) == NULL, i, silent[i].never);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_finding_is_a_line_and_what_mends_it_another),
		cmocka_unit_test(what_does_not_concern_is_not_mentioned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
