/* A small ECS for tests: see fake_ecs.h. */
#include "config.h"

#include "fake_ecs.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answering {
	struct fake_ecs *f;
	struct buf *out;
	const char *account, *cluster;
	enum fake_fault_kind fault;
};

void
fake_ecs_init(struct fake_ecs *f, size_t n)
{
	*f = (struct fake_ecs){ .n_tasks = n, .tasks = calloc(n > 0 ? n : 1, sizeof(*f->tasks)) };
	if (f->tasks == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		f->tasks[i] = (struct fake_task){ .last = "RUNNING",
			.desired = "RUNNING",
			.health = "HEALTHY",
			.version = 3,
			.definition = 1,
			.has_address = true };
		(void)snprintf(f->tasks[i].id, sizeof(f->tasks[i].id), "%08zx%024d", i * 2654435761u % 4294967291u, 0);
	}
}

void
fake_ecs_free(struct fake_ecs *f)
{
	free(f->tasks);
	f->tasks = NULL;
	f->n_tasks = 0;
}

void
fake_ecs_arn(const struct fake_task *t, char ret[128])
{
	(void)snprintf(ret, 128, FAKE_ECS_PREFIX "task/prod/%s", t->id);
}

static enum fake_fault_kind
fault_of(const struct fake_ecs *f, const char *action, unsigned nth)
{
	for (size_t i = 0; i < FAKE_ECS_FAULTS; i++) {
		const struct fake_fault *fault = &f->faults[i];

		if (fault->action != NULL && strcmp(fault->action, action) == 0 &&
		    (fault->nth == 0 || fault->nth == nth))
			return fault->kind;
	}
	return FAKE_NONE;
}

static void
put_arn(struct answering *a, const struct fake_task *t)
{
	buf_printf(a->out, "arn:aws:ecs:eu-west-1:%s:task/%s/%s", a->account, a->cluster, t->id);
}

/* ---- ListTasks ---- */

static bool
is_listed(const struct fake_task *t)
{
	return !t->unlisted && !t->forgotten && strcmp(t->desired, "RUNNING") == 0;
}

static void
list_tasks(struct answering *a, const json_t *body)
{
	const char *token = json_string_value(json_object_get(body, "nextToken"));
	size_t at = token != NULL ? strtoul(token + 1, NULL, 10) : 0, n = 0;
	size_t page = a->f->page_size > 0 ? a->f->page_size : 100, from = at;

	buf_put(a->out, STR("{\"taskArns\":["));
	for (; at < a->f->n_tasks && n < page && a->fault != FAKE_NOTHING; at++) {
		if (!is_listed(&a->f->tasks[at]))
			continue;
		buf_put(a->out, n++ > 0 ? STR(",\"") : STR("\""));
		put_arn(a, &a->f->tasks[at]);
		buf_put(a->out, STR("\""));
	}
	buf_put(a->out, STR("]"));
	if (a->fault == FAKE_TOKEN)
		buf_printf(a->out, ",\"nextToken\":\"t%zu\"", from > 0 ? from : 1);
	else if (n == page)
		buf_printf(a->out, ",\"nextToken\":\"t%zu\"", at);
	buf_put(a->out, STR("}"));
}

/* ---- ListClusters ---- */

static void
list_clusters(struct answering *a, const json_t *body)
{
	const char *token = json_string_value(json_object_get(body, "nextToken"));
	size_t at = token != NULL ? strtoul(token + 1, NULL, 10) : 0;

	buf_put(a->out, STR("{\"clusterArns\":["));
	if (a->f->clusters[at] != NULL)
		buf_printf(a->out, "\"arn:aws:ecs:eu-west-1:%s:cluster/%s\"", a->account, a->f->clusters[at]);
	buf_put(a->out, STR("]"));
	if (a->f->clusters[at] != NULL && a->f->clusters[at + 1] != NULL)
		buf_printf(a->out, ",\"nextToken\":\"t%zu\"", at + 1);
	buf_put(a->out, STR("}"));
}

static bool
is_empty_cluster(const json_t *body)
{
	const char *name = json_string_value(json_object_get(body, "cluster"));

	return name != NULL && (strstr(name, "empty") != NULL || strcmp(name, "default") == 0);
}

/* ---- DescribeTasks ---- */

static bool
is_ending(const struct fake_task *t)
{
	static const char *const words[] = { "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(t->last, words[i]) == 0)
			return true;
	return strcmp(t->desired, "STOPPED") == 0;
}

static void
put_task(struct answering *a, struct fake_task *t, const char *last, bool is_mangled)
{
	buf_put(a->out, STR("{\"taskArn\":\""));
	put_arn(a, t);
	buf_printf(a->out,
	    "\",\"clusterArn\":\"arn:aws:ecs:eu-west-1:%s:cluster/%s\",\"taskDefinitionArn\":\"" FAKE_ECS_PREFIX
	    "task-definition/shop:%u\",\"group\":\"service:shop\",\"availabilityZone\":\"eu-west-1a\",",
	    a->account, a->cluster, t->definition);
	buf_printf(a->out,
	    "\"lastStatus\":\"%s\",\"desiredStatus\":\"%s\",\"healthStatus\":\"%s\",\"version\":%s%u,"
	    "\"containers\":[{\"name\":\"web\",\"networkInterfaces\":[",
	    last, t->desired, t->health, is_mangled ? "-" : "", t->version);
	if (t->has_address)
		buf_put(a->out, STR("{\"privateIpv4Address\":\"10.0.0.1\"}"));
	buf_put(a->out, STR("]}]"));
	if (t->has_address)
		buf_put(a->out,
		    STR(",\"attachments\":[{\"type\":\"ElasticNetworkInterface\",\"details\":[{\"name\":\"subnetId\","
			"\"value\":\"subnet-1\"}]}]"));
	if (t->unreadable)
		buf_put(a->out, STR(",\"stoppedReason\":\"\\ud800\""));
	buf_put(a->out, STR("}"));
	t->told_ending = t->told_ending || (!is_mangled && is_ending(t));
}

/* Of an ARN, or the id itself: DescribeTasks takes both. */
static const char *
id_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash != NULL ? slash + 1 : name;
}

static struct fake_task *
find(struct fake_ecs *f, const char *name)
{
	for (size_t i = 0; i < f->n_tasks; i++)
		if (strcmp(f->tasks[i].id, id_of(name)) == 0)
			return &f->tasks[i];
	return NULL;
}

/* Where fake ARNs of one test are in order, this makes n lookups one walk. */
static struct fake_task *
find_near(struct fake_ecs *f, const char *arn, size_t *hint)
{
	struct fake_task *t;

	if (*hint < f->n_tasks && strcmp(f->tasks[*hint].id, id_of(arn)) == 0)
		return &f->tasks[(*hint)++];
	t = find(f, arn);
	if (t != NULL)
		*hint = (size_t)(t - f->tasks) + 1;
	return t;
}

static void
put_failure(struct buf *failures, struct fake_task *t, const char *arn, const char *reason)
{
	if (failures->len > 0)
		buf_put(failures, STR(","));
	buf_printf(failures, "{\"arn\":\"%s%s\",\"reason\":\"%s\"}",
	    strchr(arn, '/') != NULL ? "" : FAKE_ECS_PREFIX "task/prod/", arn, reason);
	if (t != NULL && strcmp(reason, "MISSING") == 0)
		t->told_ending = true;
}

static void
put_one(struct answering *a, struct buf *failures, struct fake_task *t, const char *arn, enum fake_fault_kind fault)
{
	struct fake_task stranger = *t;

	if (t->forgotten || fault == FAKE_MISSING) {
		put_failure(failures, t, arn, "MISSING");
		return;
	}
	if (fault == FAKE_TROUBLE) {
		put_failure(failures, t, arn, "TROUBLE");
		return;
	}
	if (fault == FAKE_OMIT)
		return;
	if (a->out->ptr[a->out->len - 1] != '[')
		buf_put(a->out, STR(","));
	put_task(a, t, t->last, fault == FAKE_MANGLE);
	if (fault == FAKE_TWICE) {
		buf_put(a->out, STR(","));
		put_task(a, t, "STOPPED", false);
	}
	if (fault == FAKE_STRANGER) {
		(void)snprintf(stranger.id, sizeof(stranger.id), "5712a46e5712a46e5712a46e5712a46e");
		buf_put(a->out, STR(","));
		put_task(a, &stranger, "RUNNING", false);
	}
}

static void
describe_tasks(struct answering *a, const json_t *body)
{
	const json_t *arns = json_object_get(body, "tasks");
	struct buf failures = buf_make((size_t)1 << 20);
	size_t n = json_array_size(arns), hint = 0;

	if (n == 0 || n > 100)
		abort();
	a->f->described += n;
	buf_put(a->out, STR("{\"tasks\":["));
	for (size_t i = 0; i < n && a->fault != FAKE_NOTHING; i++) {
		const char *arn = json_string_value(json_array_get(arns, i));
		struct fake_task *t = find_near(a->f, arn, &hint);

		if (t == NULL)
			put_failure(&failures, NULL, arn, "MISSING");
		else
			put_one(a, &failures, t, arn, i == 0 ? a->fault : FAKE_NONE);
	}
	buf_put(a->out, STR("],\"failures\":["));
	buf_put(a->out, buf_str(&failures));
	buf_put(a->out, STR("]}"));
	buf_free(&failures);
}

/* ---- DescribeTaskDefinition ---- */

static void
describe_definition(struct answering *a, const json_t *body)
{
	const char *arn = json_string_value(json_object_get(body, "taskDefinition"));

	a->f->defined_last = (unsigned)strtoul(strrchr(arn, ':') + 1, NULL, 10);
	buf_printf(a->out,
	    "{\"taskDefinition\":{\"taskDefinitionArn\":\"%s\",\"networkMode\":\"awsvpc\",\"containerDefinitions\":"
	    "[{\"name\":%s,\"healthCheck\":{},\"portMappings\":[{\"containerPort\":80}]}]}}",
	    a->fault == FAKE_TWICE ? FAKE_ECS_PREFIX "task-definition/other:1" : arn,
	    a->f->bad_definitions || a->fault == FAKE_MANGLE ? "7" : "\"web\"");
}

/* ---- DescribeClusters ---- */

static void
describe_clusters(struct answering *a)
{
	buf_put(a->out, STR("{\"clusters\":["));
	if (a->fault != FAKE_NOTHING)
		buf_printf(a->out, "{\"clusterArn\":\"arn:aws:ecs:eu-west-1:%s:cluster/%s\"}", a->account, a->cluster);
	buf_put(a->out, STR("],\"failures\":[]}"));
}

/* ---- DescribeServices ---- */

static const struct fake_service *
find_service(const struct fake_ecs *f, const char *name)
{
	for (size_t i = 0; i < f->n_services; i++)
		if (strcmp(f->services[i].name, name) == 0)
			return &f->services[i];
	return NULL;
}

static void
describe_services(struct answering *a, const json_t *body)
{
	const json_t *names = json_object_get(body, "services");
	struct buf failures = buf_make((size_t)1 << 20);
	size_t n = json_array_size(names);

	if (n == 0 || n > 10)
		abort();
	a->f->described_services += n;
	buf_put(a->out, STR("{\"services\":["));
	for (size_t i = 0; i < n && a->fault != FAKE_NOTHING; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		const struct fake_service *s = find_service(a->f, name);

		if (s == NULL)
			buf_printf(&failures,
			    "%s{\"arn\":\"" FAKE_ECS_PREFIX "service/prod/%s\",\"reason\":\"MISSING\"}",
			    failures.len > 0 ? "," : "", name);
		else
			buf_printf(a->out,
			    "%s{\"serviceName\":\"%s\",\"clusterArn\":\"arn:aws:ecs:eu-west-1:%s:cluster/%s\","
			    "\"createdAt\":%" PRId64 ".%03d}",
			    a->out->ptr[a->out->len - 1] != '[' ? "," : "", s->name, a->account, a->cluster,
			    s->created_ms / 1000, (int)(s->created_ms % 1000));
	}
	buf_put(a->out, STR("],\"failures\":["));
	buf_put(a->out, buf_str(&failures));
	buf_put(a->out, STR("]}"));
	buf_free(&failures);
}

/* ---- all ---- */

static void
put_answer(struct answering *a, const char *action, const json_t *body)
{
	if (a->fault == FAKE_EMPTY)
		buf_put(a->out, STR("{}"));
	else if (strcmp(action, "ListClusters") == 0)
		list_clusters(a, body);
	else if (is_empty_cluster(body))
		buf_put(a->out, STR("{\"taskArns\":[]}"));
	else if (strcmp(action, "ListTasks") == 0)
		list_tasks(a, body);
	else if (strcmp(action, "DescribeTasks") == 0)
		describe_tasks(a, body);
	else if (strcmp(action, "DescribeClusters") == 0)
		describe_clusters(a);
	else if (strcmp(action, "DescribeServices") == 0)
		describe_services(a, body);
	else
		describe_definition(a, body);
	if (a->fault == FAKE_CUT)
		a->out->len /= 2;
}

enum err_code
fake_ecs_answer(struct fake_ecs *f, const char *action, struct str text, struct buf *out, struct err *e)
{
	json_t *body = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	struct answering a = { .f = f, .out = out, .account = FAKE_ECS_ACCOUNT, .cluster = "prod" };
	unsigned nth = strcmp(action, "ListTasks") == 0          ? ++f->lists
		       : strcmp(action, "ListClusters") == 0     ? ++f->cluster_lists
		       : strcmp(action, "DescribeTasks") == 0    ? ++f->describes
		       : strcmp(action, "DescribeClusters") == 0 ? ++f->proofs
		       : strcmp(action, "DescribeServices") == 0 ? ++f->service_describes
								 : ++f->defines;

	a.fault = fault_of(f, action, nth);
	if (a.fault == FAKE_FOREIGN)
		a.account = "999999999999";
	if (a.fault == FAKE_ELSEWHERE)
		a.cluster = "test";
	if (body == NULL)
		abort();
	buf_reset(out);
	if (a.fault != FAKE_UNREACHABLE && a.fault != FAKE_DENIED)
		put_answer(&a, action, body);
	json_decref(body);
	if (a.fault == FAKE_DENIED)
		return err_set(e, ERR_AUTH, "AccessDeniedException: %s", action);
	if (a.fault == FAKE_UNREACHABLE)
		return err_set(e, ERR_REMOTE, "ServerException: %s", action);
	return ERR_OK;
}
