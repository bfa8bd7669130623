/* The IAM policy: see control_iam.h.  Which actions know resources or ecs:cluster is from
 * AWS's service authorization reference: ListTasks goes by ecs:cluster alone, Describe* of
 * ECS by ARN, DescribeTaskDefinition, ListClusters and what is asked of EC2 and SSM by
 * nothing. */
#include "config.h"

#include "control/control_iam.h"

#include <jansson.h>
#include <stdlib.h>

#include "aws/aws_endpoint.h"
#include "control/control_json.h"
#include "ecs/arn.h"

#define TEXT_MAX    ((size_t)16 << 20)
#define SID_MAX     ((size_t)1024)
#define ANY         STR("*")
#define ACCOUNT_LEN 12

struct policy {
	struct control_json w;
	const struct conf *conf;
	bool by_number; /* the names of the sources make no Sids that differ */
	/* of the source that is written now */
	const struct conf_source *source;
	struct str account; /* of clusters that are given by name */
	bool any_cluster;
};

/* ---- statements ---- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* A Sid may hold letters and digits only: "eu-west-1" becomes "EuWest1". */
static void
put_camel(struct buf *out, struct str name)
{
	bool begins = true;

	for (size_t i = 0; i < name.len; i++) {
		if (is_alnum(name.ptr[i]))
			buf_put_u8(out, (uint8_t)(begins ? upper(name.ptr[i]) : name.ptr[i]));
		begins = !is_alnum(name.ptr[i]);
	}
}

static bool
is_same_camel(struct str a, struct str b)
{
	struct buf one = buf_make(SID_MAX), other = buf_make(SID_MAX);
	bool same;

	put_camel(&one, a);
	put_camel(&other, b);
	same = buf_failed(&one, NULL) != ERR_OK || buf_failed(&other, NULL) != ERR_OK ||
	       str_eq(buf_str(&one), buf_str(&other));
	buf_free(&one);
	buf_free(&other);
	return same;
}

/* Sids of one document must differ, and no two names are one only as they were written. */
static bool
names_collide(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_sources; i++)
		for (size_t j = 0; j < i; j++)
			if (is_same_camel(conf->sources[i].name, conf->sources[j].name))
				return true;
	return false;
}

static void
put_sid(struct policy *p, const char *what)
{
	struct buf sid = buf_make(SID_MAX);

	buf_put(&sid, str_from_cstr(what));
	if (p->by_number)
		buf_printf(&sid, "Source%zu", (size_t)(p->source - p->conf->sources) + 1);
	else if (p->conf->n_sources > 1)
		put_camel(&sid, p->source->name);
	control_json_text(&p->w, "Sid", buf_str(&sid));
	buf_free(&sid);
}

/* Up to the resource, which the caller writes. */
static void
begin(struct policy *p, const char *sid, const char *const *actions)
{
	control_json_object(&p->w, NULL);
	put_sid(p, sid);
	control_json_word(&p->w, "Effect", "Allow");
	control_json_array(&p->w, "Action");
	for (; *actions != NULL; actions++)
		control_json_word(&p->w, NULL, *actions);
	control_json_array_end(&p->w);
}

static void
end(struct policy *p)
{
	control_json_object_end(&p->w);
}

#define ACTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
allow_anywhere(struct policy *p, const char *sid, const char *const *actions)
{
	begin(p, sid, actions);
	control_json_word(&p->w, "Resource", "*");
	end(p);
}

static void
allow_on(struct policy *p, const char *sid, const char *const *actions, struct str arn)
{
	begin(p, sid, actions);
	control_json_text(&p->w, "Resource", arn);
	end(p);
}

/* ---- clusters ---- */

/* cluster: a name, an ARN, or "*". */
static void
put_of_cluster(struct policy *p, const char *kind, struct str cluster, const char *below)
{
	struct arn a = {
		.partition = str_from_cstr(aws_endpoint_partition(p->source->region)),
		.region = p->source->region,
		.account = p->account,
	};
	struct str name = cluster;

	(void)arn_parse_cluster(cluster, &a, &name);
	control_json_format(&p->w, NULL, "arn:" STR_FMT ":ecs:" STR_FMT ":" STR_FMT ":%s/" STR_FMT "%s",
	    STR_ARG(a.partition), STR_ARG(a.region), STR_ARG(a.account), kind, STR_ARG(name),
	    str_eq(cluster, ANY) ? "" : below);
}

static void
put_of_clusters(struct policy *p, const char *name, const char *kind, const char *below)
{
	control_json_array(&p->w, name);
	if (p->any_cluster)
		put_of_cluster(p, kind, ANY, below);
	for (size_t i = 0; !p->any_cluster && i < p->source->clusters.n; i++)
		put_of_cluster(p, kind, p->source->clusters.items[i], below);
	control_json_array_end(&p->w);
}

static void
allow_in_clusters(struct policy *p, const char *sid, const char *const *actions, const char *kind, const char *below)
{
	begin(p, sid, actions);
	put_of_clusters(p, "Resource", kind, below);
	end(p);
}

static void
allow_list_tasks(struct policy *p)
{
	begin(p, "ListTasks", ACTIONS("ecs:ListTasks"));
	control_json_word(&p->w, "Resource", "*");
	control_json_object(&p->w, "Condition");
	control_json_object(&p->w, "ArnEquals");
	put_of_clusters(p, "ecs:cluster", "cluster", "");
	control_json_object_end(&p->w);
	control_json_object_end(&p->w);
	end(p);
}

static bool
has_star(const struct conf_source *s)
{
	for (size_t i = 0; i < s->clusters.n; i++)
		if (str_eq(s->clusters.items[i], ANY))
			return true;
	return false;
}

static void
allow_ecs(struct policy *p)
{
	const bool lists = has_star(p->source);

	/* Without any it is our own, whose name is only known where rollcalld runs. */
	p->any_cluster = lists || p->source->clusters.n == 0;
	if (lists)
		allow_anywhere(p, "ListClusters", ACTIONS("ecs:ListClusters"));
	allow_list_tasks(p);
	allow_in_clusters(p, "DescribeTasks", ACTIONS("ecs:DescribeTasks"), "task", "/*");
	allow_in_clusters(p, "DescribeClusters", ACTIONS("ecs:DescribeClusters"), "cluster", "");
	allow_anywhere(p, "DescribeTaskDefinition", ACTIONS("ecs:DescribeTaskDefinition"));
}

/* Asked only where two services claim one route: so it can be left out where names may decide. */
static void
allow_ages(struct policy *p)
{
	if (p->source->labels.n > 0)
		allow_in_clusters(p, "RoutesByLabelsOnly", ACTIONS("ecs:DescribeServices"), "service", "/*");
}

/* No configuration tells which network modes there are: the Sids tell what can be left out. */
static void
allow_machines(struct policy *p)
{
	allow_in_clusters(
	    p, "BridgeHostOrAnywhereOnly", ACTIONS("ecs:DescribeContainerInstances"), "container-instance", "/*");
	allow_anywhere(p, "BridgeOrHostOnly", ACTIONS("ec2:DescribeInstances"));
	allow_anywhere(p, "EcsAnywhereOnly", ACTIONS("ssm:DescribeInstanceInformation"));
}

/* ---- events ---- */

static bool
is_account(struct str s)
{
	uint64_t number;

	return s.len == ACCOUNT_LEN && str_to_u64(s, UINT64_MAX, &number);
}

/* https://sqs.REGION.amazonaws.com/ACCOUNT/NAME */
static void
allow_queue(struct policy *p, struct str url)
{
	const struct str name = str_after_last(url, '/');
	const struct str before = str_first(url, url.len - name.len - (name.len < url.len));
	const struct str account = str_after_last(before, '/');

	begin(p, "Events", ACTIONS("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"));
	control_json_format(&p->w, "Resource", "arn:%s:sqs:" STR_FMT ":" STR_FMT ":" STR_FMT,
	    aws_endpoint_partition(p->source->region), STR_ARG(p->source->region),
	    STR_ARG(is_account(account) ? account : ANY), STR_ARG(name));
	end(p);
}

/* A queue of our own hears the topic. */
static void
allow_topic(struct policy *p, struct str topic)
{
	struct arn a = { .account = ANY };

	(void)arn_parse(topic, &a);
	allow_on(p, "EventsTopic", ACTIONS("sns:Subscribe", "sns:Unsubscribe"), topic);
	begin(p, "EventsOwnQueue",
	    ACTIONS("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
		"sqs:DeleteMessage", "sqs:DeleteQueue"));
	control_json_format(&p->w, "Resource", "arn:%s:sqs:" STR_FMT ":" STR_FMT ":rollcall-*",
	    aws_endpoint_partition(p->source->region), STR_ARG(p->source->region), STR_ARG(a.account));
	end(p);
}

/* ---- all of it ---- */

static void
put_source(struct policy *p, const struct conf_source *s)
{
	struct arn role;

	p->source = s;
	p->account = s->role_arn.len > 0 && arn_parse(s->role_arn, &role) ? role.account : ANY;
	if (s->role_arn.len > 0)
		allow_on(p, "AssumeRole", ACTIONS("sts:AssumeRole"), s->role_arn);
	allow_ecs(p);
	allow_ages(p);
	allow_machines(p);
	if (s->events_queue.len > 0)
		allow_queue(p, s->events_queue);
	if (s->events_topic.len > 0)
		allow_topic(p, s->events_topic);
}

/* With line breaks, for people. */
static void
lay_out(struct str compact, struct buf *out)
{
	json_t *document = json_loadb(compact.ptr, compact.len, 0, NULL);
	char *text = document != NULL ? json_dumps(document, JSON_INDENT(2)) : NULL;

	if (text != NULL)
		buf_printf(out, "%s\n", text);
	else
		out->failed = ERR_NOMEM;
	free(text);
	json_decref(document);
}

void
control_iam_print(const struct conf *conf, struct buf *out)
{
	struct buf compact = buf_make(TEXT_MAX);
	struct policy p = { .w = control_json_make(&compact), .conf = conf, .by_number = names_collide(conf) };

	control_json_object(&p.w, NULL);
	control_json_word(&p.w, "Version", "2012-10-17");
	control_json_array(&p.w, "Statement");
	for (size_t i = 0; i < conf->n_sources; i++)
		put_source(&p, &conf->sources[i]);
	control_json_array_end(&p.w);
	control_json_object_end(&p.w);
	if (buf_failed(&compact, NULL) == ERR_OK)
		lay_out(buf_str(&compact), out);
	else
		out->failed = compact.failed;
	buf_free(&compact);
}
