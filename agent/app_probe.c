/* The doctor's own calls: see app_probe.h. */
#include "config.h"

#include "app_probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/aws_query.h"
#include "aws/creds_answer.h"
#include "base/arena.h"
#include "ecs/ecs_body.h"
#include "ecs/ecs_hosts.h"
#include "label/label_text.h"

/* As long as ids are, and of nobody: MISSING is an answer, too. */
#define NO_TASK     STR("00000000000000000000000000000000")
#define NO_INSTANCE STR("i-00000000000000000")
/* GetCallerIdentity, ListClusters, DescribeTaskDefinition, DescribeInstances,
 * DescribeInstanceInformation; and of each cluster ListTasks, DescribeTasks,
 * DescribeClusters, DescribeServices, DescribeContainerInstances. */
#define SOURCE_PROBES  5
#define CLUSTER_PROBES 5

enum kind {
	WHO,
	LIST_CLUSTERS,
	LIST_TASKS,
	DESCRIBE_TASKS,
	DESCRIBE_CLUSTERS,
	DESCRIBE_SERVICES,
	DESCRIBE_DEFINITION,
	DESCRIBE_MACHINES,
	DESCRIBE_INSTANCES,
	DESCRIBE_MANAGED
};

static const char *const actions[] = {
	[WHO] = "GetCallerIdentity",
	[LIST_CLUSTERS] = "ListClusters",
	[LIST_TASKS] = "ListTasks",
	[DESCRIBE_TASKS] = "DescribeTasks",
	[DESCRIBE_CLUSTERS] = "DescribeClusters",
	[DESCRIBE_SERVICES] = "DescribeServices",
	[DESCRIBE_DEFINITION] = "DescribeTaskDefinition",
	[DESCRIBE_MACHINES] = "DescribeContainerInstances",
	[DESCRIBE_INSTANCES] = "DescribeInstances",
	[DESCRIBE_MANAGED] = "DescribeInstanceInformation",
};

struct probe { /* one call */
	struct app_probe *of;
	size_t at; /* in shown */
	enum kind kind;
	/* arn: of what is described; of a machine of ECS Anywhere its id, of a service its name */
	struct str cluster, arn;
	struct aws_call *call;
};

struct app_probe {
	struct clk clk;
	const struct conf *conf;
	const struct app_probe_callers *callers;
	size_t max;
	struct probe *probes;
	struct control_probe *shown; /* of probes[i] */
	size_t n, n_waiting;
	int64_t started_mono_ms;
	struct arena *arena; /* texts of probes and shown */
};

enum err_code
app_probe_new(const struct clk *clk, const struct conf *conf, const struct app_probe_callers *callers,
    struct app_probe **ret, struct err *e)
{
	struct app_probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "starting: %s", err_text(ERR_NOMEM));
	p->clk = *clk;
	p->conf = conf;
	p->callers = callers;
	p->max = conf->n_sources * (SOURCE_PROBES + CLUSTER_PROBES * APP_PROBE_CLUSTERS_MAX);
	p->probes = calloc(p->max, sizeof(*p->probes));
	p->shown = calloc(p->max, sizeof(*p->shown));
	if (p->probes == NULL || p->shown == NULL) {
		app_probe_close(p);
		return err_set(e, ERR_NOMEM, "starting: %s", err_text(ERR_NOMEM));
	}
	*ret = p;
	return ERR_OK;
}

/* ---- what is asked ---- */

static const char *
service_of(enum kind kind)
{
	switch (kind) {
	case WHO:
		return "sts";
	case DESCRIBE_INSTANCES:
		return "ec2";
	case DESCRIBE_MANAGED:
		return "ssm";
	case LIST_CLUSTERS:
	case LIST_TASKS:
	case DESCRIBE_TASKS:
	case DESCRIBE_CLUSTERS:
	case DESCRIBE_SERVICES:
	case DESCRIBE_DEFINITION:
	case DESCRIBE_MACHINES:
		break;
	}
	return "ecs";
}

static void
add(struct app_probe *p, size_t source, enum kind kind, struct str cluster, struct str arn)
{
	struct probe *made = &p->probes[p->n];
	struct control_probe *shown = &p->shown[p->n];

	if (p->n >= p->max)
		return;
	*made = (struct probe){ .of = p, .at = p->n, .kind = kind };
	if (!arena_str(p->arena, cluster, &made->cluster) || !arena_str(p->arena, arn, &made->arn))
		return;
	*shown = (struct control_probe){
		.source = source,
		.action = actions[kind],
		.service = service_of(kind),
		.cluster = made->cluster,
		.is_spare = kind == DESCRIBE_CLUSTERS || kind == DESCRIBE_SERVICES || kind == WHO,
	};
	p->n++;
}

static bool
is_on_machine(const struct roster_task *t)
{
	return t->definition != NULL && t->container_instance_arn.len > 0 &&
	       (t->definition->network == TASKDEF_BRIDGE || t->definition->network == TASKDEF_HOST);
}

static const struct roster_task *
find_on_machine(const struct roster_cluster *c)
{
	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++)
		if (is_on_machine(&c->facts->tasks[i]))
			return &c->facts->tasks[i];
	return NULL;
}

/* The machines of a source, by who knows their addresses. */
struct machines {
	bool any_of_ec2;     /* or nobody told yet what one is */
	struct str external; /* the id of one of ECS Anywhere; empty: there is none */
};

static void
note_machines(const struct ecs_watch *w, const struct roster_cluster *c, struct machines *m)
{
	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++) {
		const struct roster_task *t = &c->facts->tasks[i];
		struct str id = STR("");

		if (!is_on_machine(t))
			continue;
		if (w != NULL)
			id = ecs_watch_machine(w, t->container_instance_arn);
		if (ecs_hosts_is_external(id))
			m->external = id;
		else
			m->any_of_ec2 = true;
	}
}

static struct str
find_definition(const struct roster_cluster *c)
{
	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++)
		if (c->facts->tasks[i].definition_arn.len > 0)
			return c->facts->tasks[i].definition_arn;
	return STR("");
}

/* "rollcall.rule" is of dialect "rollcall". */
static bool
is_of_dialect(struct str label, struct str dialect)
{
	return label_text_has_prefix(label, dialect) && str_has_prefix(str_skip(label, dialect.len), STR("."));
}

static bool
is_labelled(const struct conf_source *s, const struct taskdef_container *c)
{
	for (size_t i = 0; i < c->n_labels; i++)
		for (size_t k = 0; k < s->labels.n; k++)
			if (is_of_dialect(c->labels[i].name, s->labels.items[k]))
				return true;
	return false;
}

/* One that may claim a route, so that how old it is may be asked; empty: there is none. */
static struct str
find_labelled(const struct conf_source *s, const struct roster_cluster *c)
{
	for (size_t i = 0; c->facts != NULL && i < c->facts->n_tasks; i++) {
		const struct roster_task *t = &c->facts->tasks[i];

		for (size_t k = 0; t->service.len > 0 && t->definition != NULL && k < t->definition->n_containers; k++)
			if (is_labelled(s, &t->definition->containers[k]))
				return t->service;
	}
	return STR("");
}

static void
add_cluster(struct app_probe *p, size_t source, const struct roster_cluster *c)
{
	const struct roster_task *t = find_on_machine(c);
	const struct str service = find_labelled(&p->conf->sources[source], c);

	add(p, source, LIST_TASKS, c->name, STR(""));
	add(p, source, DESCRIBE_TASKS, c->name, STR(""));
	add(p, source, DESCRIBE_CLUSTERS, c->name, STR(""));
	if (service.len > 0)
		add(p, source, DESCRIBE_SERVICES, c->name, service);
	if (t != NULL)
		add(p, source, DESCRIBE_MACHINES, c->name, t->container_instance_arn);
}

/* The roster shows the list itself only while it is not known. */
static bool
lists_clusters(const struct conf_source *s)
{
	for (size_t i = 0; i < s->clusters.n; i++)
		if (str_eq(s->clusters.items[i], STR("*")))
			return true;
	return false;
}

static void
add_source(struct app_probe *p, size_t source, const struct roster *r, const struct ecs_watch *w)
{
	const struct conf_source *s = &p->conf->sources[source];
	struct str definition = STR("");
	struct machines machines = { .external = STR("") };
	unsigned n = 0;

	add(p, source, WHO, STR(""), STR(""));
	if (lists_clusters(s))
		add(p, source, LIST_CLUSTERS, STR(""), STR(""));
	for (size_t i = 0; r != NULL && i < r->n_clusters; i++) {
		const struct roster_cluster *c = &r->clusters[i];

		if (!str_eq(c->source, s->name) || str_eq(c->name, STR("*"))) /* a list that is not known */
			continue;
		if (definition.len == 0)
			definition = find_definition(c);
		note_machines(w, c, &machines);
		if (n++ < APP_PROBE_CLUSTERS_MAX)
			add_cluster(p, source, c);
	}
	if (definition.len > 0)
		add(p, source, DESCRIBE_DEFINITION, STR(""), definition);
	if (machines.any_of_ec2)
		add(p, source, DESCRIBE_INSTANCES, STR(""), STR(""));
	if (machines.external.len > 0)
		add(p, source, DESCRIBE_MANAGED, STR(""), machines.external);
}

/* ---- calls ---- */

static void
put_body(const struct probe *x, struct buf *out)
{
	switch (x->kind) {
	case WHO:
		aws_query_begin(out, &aws_service_sts, actions[x->kind]);
		break;
	case LIST_CLUSTERS:
		ecs_body_list_clusters(out, STR(""));
		break;
	case LIST_TASKS:
		ecs_body_list_tasks(out, x->cluster, STR(""));
		break;
	case DESCRIBE_TASKS:
		ecs_body_describe_begin(out, x->cluster);
		ecs_body_item(out, true, NO_TASK);
		ecs_body_describe_end(out);
		break;
	case DESCRIBE_CLUSTERS:
		ecs_body_describe_clusters(out, x->cluster);
		break;
	case DESCRIBE_SERVICES:
		ecs_body_services_begin(out, x->cluster);
		ecs_body_item(out, true, x->arn);
		ecs_body_describe_end(out);
		break;
	case DESCRIBE_DEFINITION:
		ecs_body_task_definition(out, x->arn);
		break;
	case DESCRIBE_MACHINES:
		ecs_body_instances_begin(out, x->cluster);
		ecs_body_item(out, true, x->arn);
		ecs_body_describe_end(out);
		break;
	case DESCRIBE_INSTANCES:
		aws_query_begin(out, &aws_service_ec2, actions[x->kind]);
		aws_query_put(out, "Filter.1.Name", STR("instance-id"));
		aws_query_put_nth(out, "Filter.1.Value", 1, NO_INSTANCE);
		break;
	case DESCRIBE_MANAGED: /* Systems Manager may refuse an id that it does not know */
		ecs_body_managed_begin(out);
		ecs_body_item(out, true, x->arn);
		ecs_body_managed_end(out, STR(""));
		break;
	}
}

static struct aws_caller *
caller_of(const struct probe *x)
{
	const struct app_probe_callers *c = &x->of->callers[x->of->shown[x->at].source];

	switch (x->kind) {
	case WHO:
		return c->sts;
	case DESCRIBE_INSTANCES:
		return c->ec2;
	case DESCRIBE_MANAGED:
		return c->ssm;
	case LIST_CLUSTERS:
	case LIST_TASKS:
	case DESCRIBE_TASKS:
	case DESCRIBE_CLUSTERS:
	case DESCRIBE_SERVICES:
	case DESCRIBE_DEFINITION:
	case DESCRIBE_MACHINES:
		break;
	}
	return c->ecs;
}

static void
conclude(struct probe *x, enum control_probe_result result, const char *said)
{
	struct control_probe *shown = &x->of->shown[x->at];

	x->call = NULL;
	x->of->n_waiting--;
	shown->result = result;
	shown->at_mono_ms = clk_mono_ms(&x->of->clk);
	(void)snprintf(shown->said, sizeof(shown->said), "%s", said);
}

static void
conclude_identity(struct probe *x, struct str body)
{
	struct creds_answer_identity who;
	struct err why = ERR_INIT;
	char said[CONTROL_PROBE_SAID_SIZE];

	if (creds_answer_read_identity(body, &who, &why) != ERR_OK) {
		conclude(x, CONTROL_PROBE_FAILED, why.msg);
		return;
	}
	(void)snprintf(said, sizeof(said), "%s, account %s", who.arn, who.account);
	conclude(x, CONTROL_PROBE_ALLOWED, said);
}

/* That something is not there is told to those only who may ask for it. */
static void
answered(void *arg, struct str body, const struct aws_error *failure)
{
	struct probe *x = arg;

	if (failure == NULL && x->kind == WHO)
		conclude_identity(x, body);
	else if (failure == NULL || failure->class_ == AWS_ERROR_NOT_FOUND)
		conclude(x, CONTROL_PROBE_ALLOWED, "");
	else
		conclude(x, failure->class_ == AWS_ERROR_DENIED ? CONTROL_PROBE_DENIED : CONTROL_PROBE_FAILED,
		    failure->err.msg);
}

static void
ask(struct probe *x)
{
	struct buf body = buf_make(ECS_BODY_MAX);
	struct err why = ERR_INIT;
	enum err_code code;

	put_body(x, &body);
	code = buf_failed(&body, &why);
	if (code == ERR_OK)
		code = aws_caller_send(caller_of(x), actions[x->kind], buf_str(&body), answered, x, &x->call, &why);
	buf_free(&body);
	if (code != ERR_OK)
		conclude(x, CONTROL_PROBE_FAILED, why.msg);
}

void
app_probe_start(struct app_probe *p, const struct roster *r, const struct ecs_watch *w)
{
	const int64_t now_ms = clk_mono_ms(&p->clk);

	if (p->n_waiting > 0 || (p->n > 0 && now_ms - p->started_mono_ms < APP_PROBE_AGAIN_MS))
		return;
	arena_free(p->arena);
	p->n = 0;
	p->started_mono_ms = now_ms;
	p->arena = arena_new(APP_PROBE_ARENA_MAX);
	if (p->arena == NULL)
		return;
	for (size_t i = 0; i < p->conf->n_sources; i++)
		add_source(p, i, r, w);
	p->n_waiting = p->n;
	for (size_t i = 0; i < p->n; i++)
		ask(&p->probes[i]);
}

bool
app_probe_is_busy(const struct app_probe *p)
{
	return p->n_waiting > 0;
}

const struct control_probe *
app_probe_list(const struct app_probe *p, size_t *ret_n)
{
	*ret_n = p->n;
	return p->shown;
}

void
app_probe_close(struct app_probe *p)
{
	if (p == NULL)
		return;
	arena_free(p->arena);
	free(p->probes);
	free(p->shown);
	free(p);
}
