/*
 * A DescribeTaskDefinition answer: what its containers publish and carry as
 * labels.  Labels are anybody's text; here they are bounded, nothing more.
 */
#include "config.h"

#include <stdlib.h>

#include "ecs/arn.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_json.h"
#include "ecs/ecs_ports.h"

#define TEXT_MAX         ((size_t)4096)
#define CONTAINERS_MAX   ((size_t)100)
#define PORTS_MAX        ((size_t)1024)
#define LABELS_MAX       ((size_t)1024) /* of one container */
#define LABEL_NAME_MAX   ((size_t)1024)
#define PORT_MAX         65535
#define STOP_TIMEOUT_MAX 86400 /* s */

static enum err_code
out_of_room(struct err *e)
{
	return err_set(e, ERR_NOMEM, "read a task definition: out of memory, or over %zu MiB", TASKDEF_ARENA_MAX >> 20);
}

/* ---- ports ---- */

static enum err_code
read_port(const struct ecs_json *o, struct taskdef_port *ret, struct err *e)
{
	uint64_t host_port = 0;
	struct str protocol = STR("tcp");
	struct taskdef_port p = { .n = 0 };
	enum err_code code = ecs_ports_read(o, "containerPort", "containerPortRange", &p.container_port, &p.n, e);

	if (code == ERR_OK)
		code = ecs_json_uint(o, "hostPort", 0, PORT_MAX, &host_port, e);
	if (code == ERR_OK)
		code = ecs_json_str(o, "protocol", TEXT_MAX, &protocol, e);
	if (code != ERR_OK)
		return code;
	p.host_port = (uint16_t)host_port;
	p.tcp = str_eq(protocol, STR("tcp"));
	*ret = p;
	return ERR_OK;
}

static enum err_code
read_ports(struct arena *a, const struct ecs_json *o, struct taskdef_container *c, struct err *e)
{
	struct taskdef_port *ports;
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(o, "portMappings", PORTS_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	ports = ARENA_ARRAY(a, struct taskdef_port, n);
	if (ports == NULL)
		return out_of_room(e);
	for (size_t i = 0; i < n; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_port(&item, &ports[c->n_ports], e);
		if (code != ERR_OK)
			return code;
		c->n_ports += ports[c->n_ports].n > 0;
	}
	c->ports = ports;
	return ERR_OK;
}

/* ---- labels ---- */

static int
by_name(const void *a, const void *b)
{
	const struct taskdef_label *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

/* Between characters: what is kept is UTF-8, too. */
static struct str
cut(struct str value)
{
	size_t n = TASKDEF_LABEL_KEPT;

	if (value.len <= n)
		return value;
	while (n > 0 && ((unsigned char)value.ptr[n] & 0xc0) == 0x80)
		n--;
	return str_first(value, n);
}

static enum err_code
read_label(struct arena *a, const struct ecs_json *map, const char *key, struct taskdef_label *ret, struct err *e)
{
	struct str name = str_from_cstr(key), value = STR("");
	enum err_code code;

	if (name.len > LABEL_NAME_MAX)
		return ecs_json_refuse(map, NULL, e, "a name is too long");
	code = ecs_json_str(map, key, SIZE_MAX, &value, e);
	if (code != ERR_OK)
		return code;
	if (!arena_str(a, name, &ret->name) || !arena_str(a, cut(value), &ret->value))
		return out_of_room(e);
	return ERR_OK;
}

static enum err_code
read_labels(struct arena *a, const struct ecs_json *o, struct taskdef_container *c, struct err *e)
{
	struct taskdef_label *labels;
	struct ecs_json map;
	const char *key;
	json_t *value;
	size_t n = 0;
	enum err_code code = ecs_json_object(o, "dockerLabels", &map, e);

	if (code != ERR_OK)
		return code;
	if (json_object_size(map.value) > LABELS_MAX)
		return ecs_json_refuse(&map, NULL, e, "too many labels");
	labels = ARENA_ARRAY(a, struct taskdef_label, json_object_size(map.value));
	if (labels == NULL)
		return out_of_room(e);
	json_object_foreach(map.value, key, value)
	{
		code = read_label(a, &map, key, &labels[n++], e);
		if (code != ERR_OK)
			return code;
	}
	if (n > 0)
		qsort(labels, n, sizeof(*labels), by_name);
	c->labels = labels;
	c->n_labels = n;
	return ERR_OK;
}

/* ---- containers ---- */

static enum err_code
read_name(struct arena *a, const struct ecs_json *o, struct taskdef_container *c, struct err *e)
{
	struct str name = STR("");
	enum err_code code = ecs_json_str(o, "name", TEXT_MAX, &name, e);

	if (code != ERR_OK)
		return code;
	if (!arn_is_name(name))
		return ecs_json_refuse(o, "name", e, "not a container's name");
	return arena_str(a, name, &c->name) ? ERR_OK : out_of_room(e);
}

static enum err_code
read_container(struct arena *a, const struct ecs_json *o, struct taskdef_container *c, struct err *e)
{
	struct ecs_json health_check;
	uint64_t stop_timeout = UINT64_MAX;
	enum err_code code = read_name(a, o, c, e);

	c->essential = true;
	if (code == ERR_OK)
		code = ecs_json_bool(o, "essential", &c->essential, e);
	if (code == ERR_OK)
		code = ecs_json_uint(o, "stopTimeout", 0, STOP_TIMEOUT_MAX, &stop_timeout, e);
	if (code == ERR_OK)
		code = ecs_json_object(o, "healthCheck", &health_check, e);
	if (code != ERR_OK)
		return code;
	c->has_health_check = health_check.value != NULL;
	c->stop_timeout_ms = stop_timeout == UINT64_MAX ? -1 : (int64_t)stop_timeout * 1000;
	code = read_ports(a, o, c, e);
	return code == ERR_OK ? read_labels(a, o, c, e) : code;
}

/* What container `by` depends on stops after it. */
static enum err_code
read_dependencies(const struct ecs_json *o, struct taskdef *d, struct taskdef_container *containers,
    const struct taskdef_container *by, struct err *e)
{
	struct ecs_json list, item;
	struct str name;
	size_t n;
	enum err_code code = ecs_json_list(o, "dependsOn", CONTAINERS_MAX, &list, &n, e);

	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		name = STR("");
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = ecs_json_str(&item, "containerName", TEXT_MAX, &name, e);
		for (size_t k = 0; k < d->n_containers && code == ERR_OK; k++)
			if (str_eq(containers[k].name, name) && containers[k].held_by == NULL && &containers[k] != by)
				containers[k].held_by = by;
	}
	return code;
}

static enum err_code
read_holds(const struct ecs_json *list, struct taskdef *d, struct taskdef_container *containers, struct err *e)
{
	struct ecs_json item;
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < d->n_containers && code == ERR_OK; i++) {
		code = ecs_json_item(list, i, &item, e);
		if (code == ERR_OK)
			code = read_dependencies(&item, d, containers, &containers[i], e);
	}
	return code;
}

static enum err_code
read_containers(const struct ecs_json *o, struct taskdef *d, struct err *e)
{
	struct taskdef_container *containers;
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(o, "containerDefinitions", CONTAINERS_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	/* Each has one: without, the answer is not whole, and would be kept for ever. */
	if (n == 0)
		return ecs_json_refuse(o, "containerDefinitions", e, "missing");
	containers = ARENA_ARRAY(d->arena, struct taskdef_container, n);
	if (containers == NULL)
		return out_of_room(e);
	d->containers = containers;
	for (size_t i = 0; i < n; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_container(d->arena, &item, &containers[i], e);
		if (code != ERR_OK)
			return code;
		if (taskdef_container(d, containers[i].name) != NULL)
			return ecs_json_refuse(&item, "name", e, "two containers have it");
		d->n_containers = i + 1;
	}
	return read_holds(&list, d, containers, e);
}

/* ---- the definition ---- */

static enum err_code
read_network(const struct ecs_json *o, struct taskdef *d, struct err *e)
{
	static const char *const modes[] = {
		[TASKDEF_AWSVPC] = "awsvpc",
		[TASKDEF_BRIDGE] = "bridge",
		[TASKDEF_HOST] = "host",
	};
	struct str mode = STR("bridge"); /* what ECS does on Linux if nothing is said */
	enum err_code code = ecs_json_str(o, "networkMode", TEXT_MAX, &mode, e);

	if (code != ERR_OK)
		return code;
	d->network = TASKDEF_NONE; /* likewise of a mode that is not invented yet: nothing we could reach */
	for (enum taskdef_network m = TASKDEF_AWSVPC; m < TASKDEF_NONE; m++)
		if (str_eq(mode, str_from_cstr(modes[m])))
			d->network = m;
	return ERR_OK;
}

static enum err_code
read_identity(const struct ecs_json *o, struct taskdef *d, struct err *e)
{
	struct str arn = STR("");
	enum err_code code = ecs_json_word(o, "taskDefinitionArn", ARN_MAX, &arn, e);

	if (code != ERR_OK)
		return code;
	if (!arena_str(d->arena, arn, &d->arn))
		return out_of_room(e);
	if (!arn_parse_definition(d->arn, &d->family, &d->revision))
		return ecs_json_refuse(o, "taskDefinitionArn", e, "not the ARN of a task definition");
	return ERR_OK;
}

static enum err_code
read_definition(const struct ecs_json *root, struct taskdef *d, struct err *e)
{
	struct ecs_json o;
	enum err_code code = ecs_json_object(root, "taskDefinition", &o, e);

	if (code != ERR_OK)
		return code;
	if (o.value == NULL)
		return ecs_json_refuse(&o, NULL, e, "missing");
	code = read_identity(&o, d, e);
	if (code == ERR_OK)
		code = read_network(&o, d, e);
	if (code == ERR_OK)
		code = read_containers(&o, d, e);
	return code;
}

enum err_code
ecs_answer_task_definition(struct str json, struct taskdef **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(TASKDEF_ARENA_MAX);
	struct taskdef *d = a != NULL ? ARENA_NEW(a, struct taskdef) : NULL;
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root;
	enum err_code code;

	if (d == NULL)
		return out_of_room(e);
	code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);
	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	d->arena = a;
	code = read_definition(&root, d, e);
	if (code != ERR_OK)
		return code;
	d->refs = 1;
	d->arena = MOVE(a);
	*ret = d;
	return ERR_OK;
}
