/*
 * AWS's answers: a byte that says which, then the JSON or XML.  Laws: what is refused has
 * one line that says why; what is accepted holds only addresses, ports, names and
 * ARNs that are what they claim, and survives being frozen.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "ecs/arn.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_answer_host.h"
#include "ecs/ecs_hosts.h"
#include "ecs/ecs_queue_text.h"
#include "ecs/ecs_self.h"
#include "fuzz.h"

static void
check_refusal(const struct err *e)
{
	REQUIRE(e->code == ERR_PARSE || e->code == ERR_LIMIT);
	REQUIRE(e->msg[0] != '\0' && strchr(e->msg, '\n') == NULL);
}

/* As libc sees it. */
static bool
is_of_a_server(const unsigned char bytes[16], int family)
{
	struct in6_addr v6;
	in_addr_t v4;

	memcpy(&v6, bytes, sizeof(v6));
	memcpy(&v4, bytes, sizeof(v4));
	v4 = ntohl(v4);
	if (family == AF_INET)
		return v4 >> 24 != 0 && v4 >> 16 != 0xa9fe && !IN_MULTICAST(v4) && v4 != INADDR_BROADCAST;
	return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_V4COMPAT(&v6) && !IN6_IS_ADDR_V4MAPPED(&v6) &&
	       !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_MULTICAST(&v6);
}

static void
check_address(struct str s, int family)
{
	char text[64] = "", again[64];
	unsigned char bytes[16] = { 0 };

	if (s.len == 0)
		return;
	REQUIRE(s.len < sizeof(text));
	memcpy(text, s.ptr, s.len);
	REQUIRE(inet_pton(family, text, bytes) == 1 && is_of_a_server(bytes, family));
	REQUIRE(inet_ntop(family, bytes, again, sizeof(again)) != NULL && strcmp(text, again) == 0);
}

static void
check_containers(const struct roster_task *t)
{
	for (size_t i = 0; i < t->n_containers; i++) {
		const struct roster_container *c = &t->containers[i];

		REQUIRE(arn_is_name(c->name));
		check_address(c->ipv4, AF_INET);
		check_address(c->ipv6, AF_INET6);
		for (size_t j = 0; j < c->n_bindings; j++)
			REQUIRE(c->bindings[j].container_port != 0 && c->bindings[j].host_port != 0 &&
				c->bindings[j].n > 0 && c->bindings[j].container_port + c->bindings[j].n <= 65536 &&
				c->bindings[j].host_port + c->bindings[j].n <= 65536);
		for (size_t j = 0; j < i; j++)
			REQUIRE(!str_eq(c->name, t->containers[j].name));
	}
}

static void
check_task(const struct roster_task *t)
{
	struct str cluster, id, family;
	struct arn arn;
	unsigned revision;

	REQUIRE(arn_parse_task(t->arn, &arn, &cluster, &id) && str_eq(id, t->id));
	REQUIRE(arn_parse_definition(t->definition_arn, &family, &revision));
	REQUIRE(str_eq(family, t->family) && revision == t->revision && revision > 0);
	REQUIRE(t->service.len == 0 || arn_is_name(t->service));
	REQUIRE(t->last_status <= ROSTER_DELETED && t->health <= ROSTER_UNHEALTHY);
	REQUIRE(t->desired_status == ROSTER_UNKNOWN || t->desired_status == ROSTER_RUNNING ||
		t->desired_status == ROSTER_STOPPED);
	REQUIRE(t->created_ms >= INT64_C(-86400000) && t->stopped_reason.len <= 1024);
	REQUIRE(t->definition == NULL && !t->listed && t->missing == 0 && t->ended_wall_ms == 0);
	REQUIRE(str_is_printable(t->zone) && str_is_printable(t->subnet));
	check_containers(t);
}

/* The same tasks frozen: found by ARN, and the same. */
static void
check_frozen(const struct ecs_answer_tasks *answer)
{
	struct roster_facts *f = NULL;

	if (roster_facts_make(answer->tasks, answer->n_tasks, ECS_ANSWER_ARENA_MAX, &f, NULL) != ERR_OK)
		return; /* one of them comes twice */
	for (size_t i = 0; i < answer->n_tasks; i++) {
		const struct roster_task *found = roster_facts_find(f, answer->tasks[i].arn);

		REQUIRE(found != NULL && roster_task_same(found, &answer->tasks[i]));
	}
	roster_facts_unref(f);
}

static void
try_list(struct arena *a, struct str json)
{
	struct ecs_answer_list list;
	struct err e = ERR_INIT;

	if (ecs_answer_list_tasks(a, json, &list, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		struct str cluster, id;
		struct arn arn;

		REQUIRE(arn_parse_task(list.arns[i], &arn, &cluster, &id));
	}
	REQUIRE(list.next_token.len <= ECS_ANSWER_TOKEN_MAX);
}

static void
try_tasks(struct arena *a, struct str json)
{
	struct ecs_answer_tasks answer;
	struct err e = ERR_INIT;

	if (ecs_answer_describe_tasks(a, json, &answer, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	for (size_t i = 0; i < answer.n_tasks; i++)
		check_task(&answer.tasks[i]);
	for (size_t i = 0; i < answer.n_malformed; i++)
		REQUIRE(answer.malformed[i].detail.len > 0);
	check_frozen(&answer);
}

static void
try_definition(struct str json)
{
	struct err e = ERR_INIT;
	struct taskdef *d;

	if (ecs_answer_task_definition(json, &d, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	REQUIRE(d->refs == 1 && d->revision > 0 && arn_is_name(d->family) && d->network <= TASKDEF_NONE);
	for (size_t i = 0; i < d->n_containers; i++) {
		const struct taskdef_container *c = &d->containers[i];

		REQUIRE(arn_is_name(c->name) && taskdef_container(d, c->name) == c);
		REQUIRE(c->stop_timeout_ms >= -1);
		for (size_t j = 0; j < c->n_ports; j++)
			REQUIRE(c->ports[j].container_port != 0 && c->ports[j].n > 0 &&
				c->ports[j].container_port + c->ports[j].n <= 65536);
		for (size_t j = 1; j < c->n_labels; j++)
			REQUIRE(str_cmp(c->labels[j - 1].name, c->labels[j].name) < 0);
	}
	taskdef_unref(d);
}

static void
try_clusters(struct arena *a, struct str json)
{
	struct ecs_answer_list list;
	struct err e = ERR_INIT;

	if (ecs_answer_list_clusters(a, json, &list, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		struct str name;
		struct arn arn;

		REQUIRE(arn_parse_cluster(list.arns[i], &arn, &name) && arn_is_name(name));
	}
}

static void
check_machine(struct str id)
{
	REQUIRE(arn_is_name(id) && id.len < ECS_HOSTS_ID_MAX);
}

static void
try_instances(struct arena *a, struct str json)
{
	struct ecs_answer_instances answer;
	struct err e = ERR_INIT;

	if (ecs_answer_container_instances(a, json, &answer, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	for (size_t i = 0; i < answer.n; i++) {
		struct arn arn;

		REQUIRE(arn_parse(answer.instances[i].arn, &arn));
		if (answer.instances[i].id.len > 0)
			check_machine(answer.instances[i].id);
	}
}

static void
try_machines(struct arena *a, struct str text, bool is_xml)
{
	struct ecs_answer_addresses answer;
	struct err e = ERR_INIT;
	enum err_code code =
	    is_xml ? ecs_answer_ec2_instances(a, text, &answer, &e) : ecs_answer_ssm_instances(a, text, &answer, &e);

	if (code != ERR_OK) {
		check_refusal(&e);
		return;
	}
	for (size_t i = 0; i < answer.n; i++) {
		check_machine(answer.addresses[i].id);
		check_address(answer.addresses[i].ipv4, AF_INET);
		check_address(answer.addresses[i].ipv6, AF_INET6);
		REQUIRE(answer.addresses[i].refused.len == 0 ||
			(answer.addresses[i].ipv4.len == 0 && answer.addresses[i].ipv6.len == 0));
		REQUIRE(str_is_printable(answer.addresses[i].refused));
	}
	REQUIRE(answer.next_token.len <= ECS_ANSWER_TOKEN_MAX);
}

static void
try_self(struct arena *a, struct str json)
{
	struct str cluster, id;
	struct roster_self who;
	struct err e = ERR_INIT;
	struct arn arn;

	if (ecs_self_read(a, json, &who, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	REQUIRE(arn_parse_task(who.task_arn, &arn, &cluster, &id) && str_eq(arn.region, who.region));
	REQUIRE(arn_is_name(arn_cluster_name(who.cluster)));
	REQUIRE(who.service.len == 0 || arn_is_name(who.service));
}

static void
try_services(struct arena *a, struct str json)
{
	struct ecs_answer_services answer;
	struct err e = ERR_INIT;

	if (ecs_answer_describe_services(a, json, &answer, &e) != ERR_OK) {
		check_refusal(&e);
		return;
	}
	for (size_t i = 0; i < answer.n; i++) {
		struct str name;
		struct arn arn;

		REQUIRE(arn_is_name(answer.services[i].name) && answer.services[i].created_ms >= 0);
		REQUIRE(answer.services[i].cluster_arn.len == 0 ||
			arn_parse_cluster(answer.services[i].cluster_arn, &arn, &name));
	}
}

/* Of SQS and SNS. */
static void
try_queue(struct arena *a, uint8_t kind, struct str text)
{
	struct ecs_queue_message messages[ECS_QUEUE_BATCH];
	struct str told = STR("");
	struct err e = ERR_INIT;
	enum err_code code;
	size_t n = 0;

	if (kind == 0)
		code = ecs_queue_text_read_messages(a, text, messages, &n, &e);
	else if (kind == 1)
		code = ecs_queue_text_read_url(a, text, &told, &e);
	else if (kind == 2)
		code = ecs_queue_text_read_arn(a, text, &told, &e);
	else if (kind == 3)
		code = ecs_queue_text_read_subscription(a, text, &told, &e);
	else
		code = ecs_queue_text_read_deleted(text, &n, &e);
	if (code != ERR_OK) {
		check_refusal(&e);
		return;
	}
	REQUIRE(n <= ECS_QUEUE_BATCH && str_is_printable(told));
	for (size_t i = 0; kind == 0 && i < n; i++)
		REQUIRE(messages[i].receipt.len > 0 && str_is_printable(messages[i].receipt));
}

static void
try_later_kinds(struct arena *a, uint8_t kind, struct str text)
{
	if (kind == 119) {
		try_services(a, text);
		return;
	}
	if (kind >= 120) {
		try_queue(a, (uint8_t)((kind - 120) % 5), text);
		return;
	}
	switch (kind % 5) {
	case 0:
		try_clusters(a, text);
		break;
	case 1:
		try_instances(a, text);
		break;
	case 2:
		try_machines(a, text, true);
		break;
	case 3:
		try_machines(a, text, false);
		break;
	default:
		try_self(a, text);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str json = str_skip(str_of(data, size), 1);
	struct arena *a;

	if (size == 0)
		return 0;
	a = arena_new(ECS_ANSWER_ARENA_MAX);
	REQUIRE(a != NULL);
	if (data[0] >= 128)
		try_later_kinds(a, data[0] - 128, json);
	else if (data[0] % 3 == 0)
		try_list(a, json);
	else if (data[0] % 3 == 1)
		try_tasks(a, json);
	else
		try_definition(json);
	arena_free(a);
	return 0;
}
