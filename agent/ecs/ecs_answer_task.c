/*
 * One task of a DescribeTasks answer (facts/ecs.md, section 2: shapes).
 *
 * A task's address is that of its containers' network interfaces, or else of its
 * elastic network interface; a task of a bridge or of the host has none, but
 * ports of its container instance.  A task that has no address yet is fine.
 */
#include "config.h"

#include "ecs/ecs_answer_task.h"

#include <stddef.h>
#include <sys/socket.h>

#include "base/utf8.h"
#include "ecs/arn.h"
#include "ecs/ecs_address.h"
#include "ecs/ecs_ports.h"

#define TEXT_MAX        ((size_t)4096)
#define REASON_KEPT     ((size_t)1024) /* bytes of a stoppedReason; AWS's own bound */
#define WORD_MAX        ((size_t)255)
#define ADDRESS_MAX     ((size_t)64)
#define CONTAINERS_MAX  ((size_t)100)
#define BINDINGS_MAX    ((size_t)1024)
#define INTERFACES_MAX  ((size_t)64)
#define ATTACHMENTS_MAX ((size_t)64)
#define DETAILS_MAX     ((size_t)64)

struct address {
	struct str ipv4, ipv6; /* canonical, in the arena; or empty */
};

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "read a task: %s", err_text(ERR_NOMEM));
}

/* ---- addresses ---- */

static enum err_code
read_address(struct arena *a, const struct ecs_json *o, const char *key, int family, struct str *ret, struct err *e)
{
	struct str word = STR("");
	enum err_code code = ecs_json_word(o, key, ADDRESS_MAX, &word, e);

	if (code != ERR_OK || word.len == 0)
		return code;
	code = ecs_address_read(a, family, word, ret, e);
	return code == ERR_PARSE ? (enum err_code)ecs_json_refuse(o, key, e, ECS_ADDRESS_REFUSED) : code;
}

static enum err_code
read_interface(struct arena *a, const struct ecs_json *o, struct address *ret, struct err *e)
{
	struct address found = { .ipv4 = STR(""), .ipv6 = STR("") };
	enum err_code code = read_address(a, o, "privateIpv4Address", AF_INET, &found.ipv4, e);

	if (code == ERR_OK)
		code = read_address(a, o, "ipv6Address", AF_INET6, &found.ipv6, e);
	if (code != ERR_OK)
		return code;
	if (ret->ipv4.len == 0)
		ret->ipv4 = found.ipv4;
	if (ret->ipv6.len == 0)
		ret->ipv6 = found.ipv6;
	return ERR_OK;
}

/* The first address of each kind counts. */
static enum err_code
read_interfaces(struct arena *a, const struct ecs_json *o, struct address *ret, struct err *e)
{
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(o, "networkInterfaces", INTERFACES_MAX, &list, &n, e);

	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_interface(a, &item, ret, e);
	}
	return code;
}

/* ---- attachments ---- */

static enum err_code
read_detail(struct arena *a, const struct ecs_json *o, struct roster_task *t, struct address *ret, struct err *e)
{
	struct str name = STR("");
	enum err_code code = ecs_json_str(o, "name", TEXT_MAX, &name, e);

	if (code != ERR_OK)
		return code;
	if (str_eq(name, STR("subnetId")))
		return ecs_json_word(o, "value", WORD_MAX, &t->subnet, e);
	/* Not the spelling of networkInterfaces. */
	if (str_eq(name, STR("privateIPv4Address")))
		return read_address(a, o, "value", AF_INET, &ret->ipv4, e);
	if (str_eq(name, STR("ipv6Address")))
		return read_address(a, o, "value", AF_INET6, &ret->ipv6, e);
	return ERR_OK;
}

static enum err_code
read_attachment(struct arena *a, const struct ecs_json *o, struct roster_task *t, struct address *ret, struct err *e)
{
	struct str type = STR("");
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_str(o, "type", TEXT_MAX, &type, e);

	if (code == ERR_OK)
		code = ecs_json_list(o, "details", DETAILS_MAX, &list, &n, e);
	/* "eni" in events.  Others are block storage, Service Connect, and whatever comes next. */
	if (code != ERR_OK || !(str_eq(type, STR("ElasticNetworkInterface")) || str_eq(type, STR("eni"))))
		return code;
	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_detail(a, &item, t, ret, e);
	}
	return code;
}

static enum err_code
read_attachments(struct arena *a, const struct ecs_json *o, struct roster_task *t, struct address *ret, struct err *e)
{
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(o, "attachments", ATTACHMENTS_MAX, &list, &n, e);

	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_attachment(a, &item, t, ret, e);
	}
	return code;
}

/* ---- bindings ---- */

/* Both sides of a range go together port by port; neither is there: 0 of them. */
static enum err_code
read_binding(const struct ecs_json *o, struct roster_binding *ret, struct err *e)
{
	struct str protocol = STR("tcp"), ip = STR("");
	struct roster_binding b = { .n = 0 };
	uint16_t n_host = 0;
	size_t at;
	enum err_code code = ecs_ports_read(o, "containerPort", "containerPortRange", &b.container_port, &b.n, e);

	if (code == ERR_OK)
		code = ecs_ports_read(o, "hostPort", "hostPortRange", &b.host_port, &n_host, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "protocol", TEXT_MAX, &protocol, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "bindIP", TEXT_MAX, &ip, e);
	if (code != ERR_OK)
		return code;
	b.n = b.n < n_host ? b.n : n_host;
	b.tcp = str_eq(protocol, STR("tcp"));
	b.on_ipv6 = str_find(ip, ':', &at);
	*ret = b;
	return ERR_OK;
}

static enum err_code
read_bindings(struct arena *a, const struct ecs_json *o, struct roster_container *ret, struct err *e)
{
	struct roster_binding *bindings;
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(o, "networkBindings", BINDINGS_MAX, &list, &n, e);

	if (code != ERR_OK || n == 0)
		return code;
	bindings = ARENA_ARRAY(a, struct roster_binding, n);
	if (bindings == NULL)
		return out_of_memory(e);
	ret->bindings = bindings;
	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		struct roster_binding *b = &bindings[ret->n_bindings];

		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_binding(&item, b, e);
		ret->n_bindings += code == ERR_OK && b->n > 0;
	}
	return code;
}

/* ---- containers ---- */

static enum err_code
read_container(struct arena *a, const struct ecs_json *o, struct roster_container *ret, struct err *e)
{
	struct address found = { .ipv4 = STR(""), .ipv6 = STR("") };
	enum err_code code = ecs_json_word(o, "name", WORD_MAX, &ret->name, e);

	if (code != ERR_OK)
		return code;
	if (!arn_is_name(ret->name))
		return ecs_json_refuse(o, "name", e, "not a container's name");
	code = read_interfaces(a, o, &found, e);
	if (code == ERR_OK)
		code = read_bindings(a, o, ret, e);
	ret->ipv4 = found.ipv4;
	ret->ipv6 = found.ipv6;
	return code;
}

static bool
is_named_before(const struct roster_container *containers, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (str_eq(containers[j].name, containers[i].name))
			return true;
	return false;
}

static enum err_code
read_containers(struct arena *a, const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	struct ecs_json list, item;
	struct roster_container *containers;
	size_t n;
	enum err_code code = ecs_json_list(o, "containers", CONTAINERS_MAX, &list, &n, e);

	if (code != ERR_OK || n == 0)
		return code;
	containers = ARENA_ARRAY(a, struct roster_container, n);
	if (containers == NULL)
		return out_of_memory(e);
	t->containers = containers;
	t->n_containers = n;
	for (size_t i = 0; i < n; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_container(a, &item, &containers[i], e);
		if (code != ERR_OK)
			return code;
		if (is_named_before(containers, i))
			return ecs_json_refuse(&item, "name", e, "two containers have it");
	}
	return ERR_OK;
}

static bool
has_address(const struct roster_container *containers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (containers[i].ipv4.len > 0 || containers[i].ipv6.len > 0)
			return true;
	return false;
}

/* The containers of a task share one network namespace, so what the attachment
 * says holds for each of them; but only where the containers say nothing. */
static enum err_code
read_network(struct arena *a, const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	struct address attached = { .ipv4 = STR(""), .ipv6 = STR("") };
	struct roster_container *containers;
	enum err_code code = read_containers(a, o, t, e);

	if (code == ERR_OK)
		code = read_attachments(a, o, t, &attached, e);
	if (code != ERR_OK || t->n_containers == 0 || has_address(t->containers, t->n_containers))
		return code;
	containers = ARENA_ARRAY(a, struct roster_container, t->n_containers);
	if (containers == NULL)
		return out_of_memory(e);
	memcpy(containers, t->containers, t->n_containers * sizeof(*containers));
	for (size_t i = 0; i < t->n_containers; i++) {
		containers[i].ipv4 = attached.ipv4;
		containers[i].ipv6 = attached.ipv6;
	}
	t->containers = containers;
	return ERR_OK;
}

/* ---- the task itself ---- */

static enum roster_status
status_of(struct str text)
{
	for (enum roster_status s = ROSTER_UNKNOWN; s <= ROSTER_DELETED; s++)
		if (str_eq(text, str_from_cstr(roster_status_name(s))))
			return s;
	return ROSTER_UNKNOWN;
}

static enum err_code
read_state(const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	struct str last = STR(""), desired = STR(""), health = STR("");
	enum err_code code = ecs_json_str(o, "lastStatus", TEXT_MAX, &last, e);

	if (code == ERR_OK)
		code = ecs_json_str(o, "desiredStatus", TEXT_MAX, &desired, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "healthStatus", TEXT_MAX, &health, e);
	if (code != ERR_OK)
		return code;
	t->last_status = status_of(last);
	t->desired_status = status_of(desired);
	if (t->desired_status != ROSTER_RUNNING && t->desired_status != ROSTER_STOPPED)
		t->desired_status = ROSTER_UNKNOWN;
	t->health = str_eq(health, STR("HEALTHY"))     ? ROSTER_HEALTHY
		    : str_eq(health, STR("UNHEALTHY")) ? ROSTER_UNHEALTHY
						       : ROSTER_HEALTH_UNKNOWN;
	return ERR_OK;
}

static enum err_code
read_identity(const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	struct str cluster;
	struct arn arn;
	enum err_code code = ecs_json_word(o, "taskArn", ARN_MAX, &t->arn, e);

	if (code != ERR_OK)
		return code;
	if (!arn_parse_task(t->arn, &arn, &cluster, &t->id))
		return ecs_json_refuse(o, "taskArn", e, "not the ARN of a task");
	code = ecs_json_word(o, "taskDefinitionArn", ARN_MAX, &t->definition_arn, e);
	if (code != ERR_OK)
		return code;
	if (!arn_parse_definition(t->definition_arn, &t->family, &t->revision))
		return ecs_json_refuse(o, "taskDefinitionArn", e, "not the ARN of a task definition");
	return ERR_OK;
}

/* Whoever runs a task may name its group; what only looks like a service is none. */
static enum err_code
read_group(const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	enum err_code code = ecs_json_str(o, "group", TEXT_MAX, &t->group, e);
	struct str name;

	if (code != ERR_OK || !str_has_prefix(t->group, STR("service:")))
		return code;
	name = str_skip(t->group, STR("service:").len);
	if (arn_is_name(name))
		t->service = name;
	return ERR_OK;
}

static enum err_code
read_times(const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	enum err_code code = ecs_json_time(o, "createdAt", &t->created_ms, e);

	if (code == ERR_OK)
		code = ecs_json_time(o, "startedAt", &t->started_ms, e);
	if (code == ERR_OK)
		code = ecs_json_time(o, "stoppingAt", &t->stopping_ms, e);
	if (code == ERR_OK)
		code = ecs_json_time(o, "stoppedAt", &t->stopped_ms, e);
	return code;
}

/* For people only, so that a long one is cut rather than refused: that a task
 * stopped must not be lost for its explanation. */
static struct str
cut_text(struct str s)
{
	struct str rest = s, c;

	while (rest.len > 0) {
		(void)utf8_take(&rest, &c);
		if (s.len - rest.len > REASON_KEPT)
			return str_first(s, s.len - rest.len - c.len);
	}
	return s;
}

static enum err_code
read_rest(const struct ecs_json *o, struct roster_task *t, struct err *e)
{
	enum err_code code = ecs_json_word(o, "availabilityZone", WORD_MAX, &t->zone, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, "containerInstanceArn", ARN_MAX, &t->container_instance_arn, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "stopCode", TEXT_MAX, &t->stop_code, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "stoppedReason", SIZE_MAX, &t->stopped_reason, e);
	if (code == ERR_OK)
		code = ecs_json_uint(o, "version", 0, INT64_MAX, &t->version, e);
	t->stopped_reason = cut_text(t->stopped_reason);
	return code;
}

enum err_code
ecs_answer_task(struct arena *a, const struct ecs_json *o, struct roster_task *ret, struct err *e)
{
	struct roster_task t = { .arn = STR("") };
	enum err_code code = read_identity(o, &t, e);

	if (code == ERR_OK)
		code = read_group(o, &t, e);
	if (code == ERR_OK)
		code = read_state(o, &t, e);
	if (code == ERR_OK)
		code = read_times(o, &t, e);
	if (code == ERR_OK)
		code = read_rest(o, &t, e);
	if (code == ERR_OK)
		code = read_network(a, o, &t, e);
	if (code == ERR_OK)
		*ret = t;
	return code;
}
