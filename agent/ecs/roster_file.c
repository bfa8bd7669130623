/* The last roster as text: see roster_file.h. */
#include "config.h"

#include "ecs/roster_file.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "ecs/arn.h"
#include "ecs/ecs_address.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_answer_task.h"
#include "ecs/ecs_json.h"
#include "ecs/taskdef_cache.h"

#define TEXT_VERSION   1
#define LINE_TEXT_MAX  ECS_ANSWER_MAX
#define HEX_SIZE       ((size_t)2 * SHA256_DIGEST_LENGTH)
#define SOURCE_MAX     ((size_t)255)
#define ADDRESS_MAX    ((size_t)64)
#define TIME_MAX_MS    INT64_C(253402300799999) /* the end of the year 9999 */
#define MS_PER_S       1000
#define FIRST_PRINTING 0x20

static const char *const networks[] = {
	[TASKDEF_AWSVPC] = "awsvpc",
	[TASKDEF_BRIDGE] = "bridge",
	[TASKDEF_HOST] = "host",
	[TASKDEF_NONE] = "none",
};

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "the last roster: %s", err_text(ERR_NOMEM));
}

static bool
hash(struct str body, char hex[HEX_SIZE + 1])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (EVP_Digest(body.len > 0 ? body.ptr : "", body.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	str_put_hex(digest, sizeof(digest), hex);
	hex[HEX_SIZE] = '\0';
	return true;
}

/* ---- writing: JSON ---- */

static bool
is_plain(char c)
{
	return (unsigned char)c >= FIRST_PRINTING && c != '"' && c != '\\';
}

/* Labels are anybody's text. */
static void
put_string(struct buf *out, struct str s)
{
	buf_put_u8(out, '"');
	while (s.len > 0) {
		size_t run = 0;

		while (run < s.len && is_plain(s.ptr[run]))
			run++;
		buf_put(out, str_first(s, run));
		if (run < s.len)
			buf_printf(out, "\\u%04x", (unsigned)(unsigned char)s.ptr[run]);
		s = str_skip(s, run + 1);
	}
	buf_put_u8(out, '"');
}

static void
put_key(struct buf *out, const char *key)
{
	buf_put(out, STR(",\""));
	buf_put(out, str_from_cstr(key));
	buf_put(out, STR("\":"));
}

static void
put_text(struct buf *out, const char *key, struct str text)
{
	if (text.len == 0)
		return;
	put_key(out, key);
	put_string(out, text);
}

static void
put_time(struct buf *out, const char *key, int64_t ms)
{
	if (ms > 0)
		buf_printf(out, ",\"%s\":%" PRId64 ".%03d", key, ms / MS_PER_S, (int)(ms % MS_PER_S));
}

/* A single port, or a range; 0: none. */
static void
put_ports(struct buf *out, const char *key, uint16_t first, uint16_t n)
{
	if (n == 1 && first != 0)
		buf_printf(out, ",\"%s\":%u", key, first);
	else if (n > 1)
		buf_printf(out, ",\"%sRange\":\"%u-%u\"", key, first, first + n - 1U);
}

/* ---- writing: a definition ---- */

static void
put_depends(struct buf *out, const struct taskdef *d, const struct taskdef_container *by)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_containers; i++) {
		if (d->containers[i].held_by != by)
			continue;
		buf_put(out, n++ == 0 ? STR(",\"dependsOn\":[{\"containerName\":") : STR(",{\"containerName\":"));
		put_string(out, d->containers[i].name);
		buf_put_u8(out, '}');
	}
	if (n > 0)
		buf_put_u8(out, ']');
}

static void
put_defined(struct buf *out, const struct taskdef *d, const struct taskdef_container *c)
{
	buf_put(out, STR("{\"name\":"));
	put_string(out, c->name);
	if (!c->essential)
		buf_put(out, STR(",\"essential\":false"));
	if (c->has_health_check)
		buf_put(out, STR(",\"healthCheck\":{}"));
	if (c->stop_timeout_ms >= 0)
		buf_printf(out, ",\"stopTimeout\":%" PRId64, c->stop_timeout_ms / MS_PER_S);
	put_depends(out, d, c);
	buf_put(out, STR(",\"portMappings\":["));
	for (size_t i = 0; i < c->n_ports; i++) {
		buf_printf(out, "%s{\"protocol\":\"%s\"", i > 0 ? "," : "", c->ports[i].tcp ? "tcp" : "udp");
		put_ports(out, "containerPort", c->ports[i].container_port, c->ports[i].n);
		put_ports(out, "hostPort", c->ports[i].host_port, 1);
		buf_put_u8(out, '}');
	}
	buf_put(out, STR("],\"dockerLabels\":{"));
	for (size_t i = 0; i < c->n_labels; i++) {
		buf_put(out, i > 0 ? STR(",") : STR(""));
		put_string(out, c->labels[i].name);
		buf_put_u8(out, ':');
		put_string(out, c->labels[i].value);
	}
	buf_put(out, STR("}}"));
}

static void
put_definition(struct buf *out, const struct taskdef *d)
{
	buf_put(out, STR("{\"taskDefinition\":{\"taskDefinitionArn\":"));
	put_string(out, d->arn);
	buf_printf(out, ",\"networkMode\":\"%s\",\"containerDefinitions\":[", networks[d->network]);
	for (size_t i = 0; i < d->n_containers; i++) {
		buf_put(out, i > 0 ? STR(",") : STR(""));
		put_defined(out, d, &d->containers[i]);
	}
	buf_put(out, STR("]}}\n"));
}

/* ---- writing: a task ---- */

static void
put_container(struct buf *out, const struct roster_container *c)
{
	buf_put(out, STR("{\"name\":"));
	put_string(out, c->name);
	if (c->ipv4.len > 0 || c->ipv6.len > 0) {
		buf_put(out, STR(",\"networkInterfaces\":[{\"attachmentId\":\"\""));
		put_text(out, "privateIpv4Address", c->ipv4);
		put_text(out, "ipv6Address", c->ipv6);
		buf_put(out, STR("}]"));
	}
	for (size_t i = 0; i < c->n_bindings; i++) {
		const struct roster_binding *b = &c->bindings[i];

		buf_put(out, i == 0 ? STR(",\"networkBindings\":[{") : STR(",{"));
		buf_printf(out, "\"bindIP\":\"%s\",\"protocol\":\"%s\"", b->on_ipv6 ? "::" : "0.0.0.0",
		    b->tcp ? "tcp" : "udp");
		put_ports(out, "containerPort", b->container_port, b->n);
		put_ports(out, "hostPort", b->host_port, b->n);
		buf_put(out, i + 1 == c->n_bindings ? STR("}]") : STR("}"));
	}
	buf_put_u8(out, '}');
}

static void
put_subnet(struct buf *out, struct str subnet)
{
	if (subnet.len == 0)
		return;
	buf_put(
	    out, STR(",\"attachments\":[{\"type\":\"ElasticNetworkInterface\",\"details\":[{\"name\":\"subnetId\""));
	put_text(out, "value", subnet);
	buf_put(out, STR("}]}]"));
}

static void
put_task(struct buf *out, const struct roster_task *t)
{
	buf_put(out, STR("{\"task\":{\"lastStatus\":\"RUNNING\",\"desiredStatus\":\"RUNNING\""));
	put_text(out, "healthStatus", str_from_cstr(roster_health_name(t->health)));
	put_text(out, "taskArn", t->arn);
	put_text(out, "taskDefinitionArn", t->definition_arn);
	put_text(out, "group", t->group);
	put_time(out, "createdAt", t->created_ms);
	put_time(out, "startedAt", t->started_ms);
	put_text(out, "availabilityZone", t->zone);
	put_text(out, "containerInstanceArn", t->container_instance_arn);
	if (t->version != 0)
		buf_printf(out, ",\"version\":%" PRIu64, t->version);
	put_subnet(out, t->subnet);
	buf_put(out, STR(",\"containers\":["));
	for (size_t i = 0; i < t->n_containers; i++) {
		buf_put(out, i > 0 ? STR(",") : STR(""));
		put_container(out, &t->containers[i]);
	}
	buf_printf(out, "]},\"described_ms\":%" PRId64, t->described_wall_ms);
	put_text(out, "host_ipv4", t->host_ipv4);
	put_text(out, "host_ipv6", t->host_ipv6);
	buf_put(out, STR("}\n"));
}

/* ---- writing: all of it ---- */

/* Whom a start without AWS may serve. */
static bool
is_worth_it(const struct roster_task *t)
{
	return t->last_status == ROSTER_RUNNING && t->desired_status == ROSTER_RUNNING &&
	       t->health != ROSTER_UNHEALTHY && t->missing == 0 && (t->listed || t->is_remembered);
}

struct writing {
	struct buf body;
	struct taskdef_cache *definitions; /* that are in it */
	size_t n_definitions, n_services;
};

/* What could not be read back is not written. */
static enum err_code
too_many(const char *what, struct err *e)
{
	return err_set(e, ERR_LIMIT, "the last roster: too many %s", what);
}

static enum err_code
put_new_definition(struct writing *w, struct taskdef *d, struct err *e)
{
	if (d == NULL || taskdef_cache_get(w->definitions, d->arn) != NULL)
		return ERR_OK;
	if (w->n_definitions++ == ROSTER_FILE_DEFINITIONS_MAX)
		return too_many("task definitions", e);
	put_definition(&w->body, d);
	return taskdef_cache_put(w->definitions, d, e);
}

/* Those that AWS told of; to forget the rest does no harm. */
static void
put_services(struct writing *w, const struct roster_file_cluster *c)
{
	struct buf *out = &w->body;
	size_t n = 0;

	for (size_t i = 0; i < c->n_services && w->n_services < ROSTER_SERVICES_MAX; i++) {
		if (c->services[i].created_ms <= 0)
			continue;
		buf_put(out, n++ == 0 ? STR(",\"services\":[{\"serviceName\":") : STR(",{\"serviceName\":"));
		put_string(out, c->services[i].name);
		put_time(out, "createdAt", c->services[i].created_ms);
		buf_put_u8(out, '}');
		w->n_services++;
	}
	if (n > 0)
		buf_put_u8(out, ']');
}

static enum err_code
put_cluster(struct writing *w, const struct roster_file_cluster *c, struct err *e)
{
	struct buf *out = &w->body;
	enum err_code code = ERR_OK;

	if (c->facts != NULL && c->facts->n_tasks > ROSTER_FILE_TASKS_MAX)
		return too_many("tasks of a cluster", e);
	buf_put(out, STR("{\"source\":"));
	put_string(out, c->source);
	put_text(out, "cluster", c->name);
	put_text(out, "arn", c->arn);
	put_text(out, "account", c->account);
	put_services(w, c);
	buf_printf(out, ",\"read_ms\":%" PRId64 "}\n", c->read_wall_ms);
	for (size_t i = 0; code == ERR_OK && c->facts != NULL && i < c->facts->n_tasks; i++) {
		const struct roster_task *t = &c->facts->tasks[i];

		if (!is_worth_it(t))
			continue;
		code = put_new_definition(w, t->definition, e);
		put_task(out, t);
	}
	return code;
}

static enum err_code
put_body(struct writing *w, const struct roster_file_cluster *clusters, size_t n, struct err *e)
{
	enum err_code code = ERR_OK;

	if (w->definitions == NULL)
		return out_of_memory(e);
	if (n > ROSTER_FILE_CLUSTERS_MAX)
		return too_many("clusters", e);
	for (size_t i = 0; code == ERR_OK && i < n; i++)
		code = put_cluster(w, &clusters[i], e);
	return code == ERR_OK ? buf_failed(&w->body, e) : code;
}

enum err_code
roster_file_write(
    const struct roster_file_cluster *clusters, size_t n, int64_t now_wall_ms, struct buf *out, struct err *e)
{
	struct writing w = {
		.body = buf_make(ROSTER_FILE_TEXT_MAX),
		.definitions = taskdef_cache_new(ROSTER_FILE_DEFINITIONS_MAX),
	};
	char hex[HEX_SIZE + 1];
	enum err_code code = put_body(&w, clusters, n, e);

	if (code == ERR_OK && !hash(buf_str(&w.body), hex))
		code = out_of_memory(e);
	if (code == ERR_OK) {
		buf_printf(out, "{\"rollcall_roster\":%d,\"saved_ms\":%" PRId64 ",\"sha256\":\"%s\"}\n", TEXT_VERSION,
		    now_wall_ms, hex);
		buf_put(out, buf_str(&w.body));
		code = buf_failed(out, e);
	}
	buf_free(&w.body);
	taskdef_cache_free(w.definitions);
	return code;
}

/* ---- reading ---- */

struct reading {
	struct roster_file *file;
	struct roster_file_cluster *clusters; /* as many as there may be; in the file's arena */
	struct taskdef_cache *definitions;
	size_t n_definitions, n_services;
	struct arena *scratch; /* of the tasks of a cluster */
	struct roster_task *tasks;
	size_t n_tasks, cap_tasks;
};

static enum err_code
read_ms(const struct ecs_json *o, const char *key, int64_t *ret, struct err *e)
{
	uint64_t ms = 0;
	enum err_code code = ecs_json_uint(o, key, 0, (uint64_t)TIME_MAX_MS, &ms, e);

	*ret = (int64_t)ms;
	return code;
}

/* The tasks so far are those of the cluster before. */
static enum err_code
end_cluster(struct reading *r, struct err *e)
{
	enum err_code code;

	if (r->file->n_clusters == 0)
		return ERR_OK;
	code = roster_facts_make(
	    r->tasks, r->n_tasks, ROSTER_FILE_ARENA_MAX, &r->clusters[r->file->n_clusters - 1].facts, e);
	arena_free(MOVE(r->scratch));
	r->n_tasks = 0;
	return code;
}

static bool
is_known(const struct reading *r, const struct roster_file_cluster *c)
{
	for (size_t i = 0; i < r->file->n_clusters; i++)
		if (str_eq(r->clusters[i].source, c->source) && str_eq(r->clusters[i].name, c->name))
			return true;
	return false;
}

static enum err_code
read_cluster_texts(const struct ecs_json *o, struct roster_file_cluster *c, struct err *e)
{
	struct str name;
	struct arn arn;
	enum err_code code = ecs_json_str(o, "source", SOURCE_MAX, &c->source, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, "cluster", ARN_MAX, &c->name, e);
	if (code == ERR_OK)
		code = ecs_json_word(o, "arn", ARN_MAX, &c->arn, e);
	if (code == ERR_OK)
		code = ecs_json_word(o, "account", ARN_MAX, &c->account, e);
	if (code == ERR_OK)
		code = read_ms(o, "read_ms", &c->read_wall_ms, e);
	if (code != ERR_OK)
		return code;
	if (c->source.len == 0 || !str_is_printable(c->source))
		return ecs_json_refuse(o, "source", e, "not a source's name");
	if (!arn_is_name(arn_cluster_name(c->name)))
		return ecs_json_refuse(o, "cluster", e, "not a cluster's name");
	if (c->arn.len > 0 && !arn_parse_cluster(c->arn, &arn, &name))
		return ecs_json_refuse(o, "arn", e, "not the ARN of a cluster");
	return ERR_OK;
}

static enum err_code
read_service(struct reading *r, const struct ecs_json *o, struct roster_service *ret, struct err *e)
{
	struct str name = STR("");
	enum err_code code = ecs_json_word(o, "serviceName", ARN_MAX, &name, e);

	if (code == ERR_OK)
		code = ecs_json_time(o, "createdAt", &ret->created_ms, e);
	if (code != ERR_OK)
		return code;
	if (!arn_is_name(name) || ret->created_ms <= 0)
		return ecs_json_refuse(o, NULL, e, "not a service and its age");
	return arena_str(r->file->arena, name, &ret->name) ? ERR_OK : out_of_memory(e);
}

/* In order, each once. */
static enum err_code
read_services(struct reading *r, const struct ecs_json *o, struct roster_file_cluster *c, struct err *e)
{
	struct roster_service *services;
	struct ecs_json list, item;
	size_t n;
	enum err_code code = ecs_json_list(o, "services", ROSTER_SERVICES_MAX - r->n_services, &list, &n, e);

	if (code != ERR_OK || n == 0)
		return code;
	services = ARENA_ARRAY(r->file->arena, struct roster_service, n);
	if (services == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < n; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_service(r, &item, &services[i], e);
		if (code != ERR_OK)
			return code;
		if (i > 0 && str_cmp(services[i - 1].name, services[i].name) >= 0)
			return ecs_json_refuse(&item, NULL, e, "not in order");
	}
	c->services = services;
	c->n_services = n;
	r->n_services += n;
	return ERR_OK;
}

static enum err_code
read_cluster(struct reading *r, const struct ecs_json *o, struct err *e)
{
	struct arena *a = r->file->arena;
	struct roster_file_cluster c = { .source = STR(""), .name = STR(""), .arn = STR(""), .account = STR("") };
	enum err_code code = read_cluster_texts(o, &c, e);

	if (code != ERR_OK)
		return code;
	if (is_known(r, &c))
		return ecs_json_refuse(o, "cluster", e, "a cluster twice");
	if (r->file->n_clusters == ROSTER_FILE_CLUSTERS_MAX)
		return ecs_json_refuse(o, "cluster", e, "too many clusters");
	code = end_cluster(r, e);
	if (code == ERR_OK)
		code = read_services(r, o, &c, e);
	if (code != ERR_OK)
		return code;
	if (!arena_str(a, c.source, &c.source) || !arena_str(a, c.name, &c.name) || !arena_str(a, c.arn, &c.arn) ||
	    !arena_str(a, c.account, &c.account))
		return out_of_memory(e);
	r->clusters[r->file->n_clusters++] = c;
	r->scratch = arena_new(ROSTER_FILE_ARENA_MAX);
	return r->scratch != NULL ? ERR_OK : out_of_memory(e);
}

static enum err_code
read_definition(struct reading *r, struct str line, struct err *e)
{
	struct taskdef *d CLEANUP(taskdef_unref_at) = NULL;
	enum err_code code = ecs_answer_task_definition(line, &d, e);

	if (code != ERR_OK)
		return code;
	/* Tasks borrow those before until their cluster ends: none may leave the cache. */
	if (r->n_definitions == ROSTER_FILE_DEFINITIONS_MAX || taskdef_cache_get(r->definitions, d->arn) != NULL)
		return err_set(e, ERR_PARSE, "a task definition twice, or too many");
	r->n_definitions++;
	return taskdef_cache_put(r->definitions, d, e);
}

static enum err_code
read_host(struct arena *a, const struct ecs_json *o, const char *key, int family, struct str *ret, struct err *e)
{
	struct str word = STR("");
	enum err_code code = ecs_json_word(o, key, ADDRESS_MAX, &word, e);

	if (code == ERR_OK && word.len > 0)
		code = ecs_address_read(a, family, word, ret, e);
	return code == ERR_PARSE ? (enum err_code)ecs_json_refuse(o, key, e, ECS_ADDRESS_REFUSED) : code;
}

/* Of the cluster that it stands under, and one that runs. */
static enum err_code
check_task(const struct reading *r, const struct ecs_json *o, const struct roster_task *t, struct err *e)
{
	const struct roster_file_cluster *c = &r->clusters[r->file->n_clusters - 1];
	struct str name, id;
	struct arn arn;

	if (!arn_parse_task(t->arn, &arn, &name, &id) || (c->account.len > 0 && !str_eq(arn.account, c->account)) ||
	    (name.len > 0 && !str_eq(name, arn_cluster_name(c->name))))
		return ecs_json_refuse(o, "taskArn", e, "not of this cluster");
	if (t->last_status != ROSTER_RUNNING || t->desired_status != ROSTER_RUNNING || t->health == ROSTER_UNHEALTHY)
		return ecs_json_refuse(o, "lastStatus", e, "not a task that may serve");
	return ERR_OK;
}

static bool
make_room(struct reading *r)
{
	size_t cap = r->cap_tasks * 2 + 64;
	struct roster_task *bigger;

	if (r->n_tasks < r->cap_tasks)
		return true;
	bigger = reallocarray(r->tasks, cap, sizeof(*bigger));
	if (bigger == NULL)
		return false;
	r->tasks = bigger;
	r->cap_tasks = cap;
	return true;
}

static enum err_code
read_task(struct reading *r, const struct ecs_json *root, const struct ecs_json *o, struct err *e)
{
	struct roster_task t = { .arn = STR("") };
	enum err_code code;

	if (r->file->n_clusters == 0 || r->n_tasks == ROSTER_FILE_TASKS_MAX)
		return ecs_json_refuse(o, NULL, e, "of no cluster, or one too many");
	code = ecs_answer_task(r->scratch, o, &t, e);
	if (code == ERR_OK)
		code = check_task(r, o, &t, e);
	if (code == ERR_OK)
		code = read_ms(root, "described_ms", &t.described_wall_ms, e);
	if (code == ERR_OK)
		code = read_host(r->scratch, root, "host_ipv4", AF_INET, &t.host_ipv4, e);
	if (code == ERR_OK)
		code = read_host(r->scratch, root, "host_ipv6", AF_INET6, &t.host_ipv6, e);
	if (code != ERR_OK)
		return code;
	t.is_remembered = true;
	t.definition = taskdef_cache_get(r->definitions, t.definition_arn);
	if (!make_room(r) || !roster_task_copy(r->scratch, &t, &r->tasks[r->n_tasks]))
		return out_of_memory(e);
	r->n_tasks++;
	return ERR_OK;
}

static enum err_code
read_line(struct reading *r, struct str line, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	enum err_code code = ecs_json_load(line, LINE_TEXT_MAX, &doc, e);
	struct ecs_json root, task;

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = ecs_json_object(&root, "task", &task, e);
	if (code != ERR_OK)
		return code;
	if (task.value != NULL)
		return read_task(r, &root, &task, e);
	return json_object_get(doc, "source") != NULL ? read_cluster(r, &root, e) : read_definition(r, line, e);
}

static enum err_code
read_header(struct str line, struct str body, struct roster_file *f, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	enum err_code code = ecs_json_load(line, LINE_TEXT_MAX, &doc, e);
	struct str told = STR("");
	char hex[HEX_SIZE + 1];
	uint64_t version = 0;
	struct ecs_json root;

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = ecs_json_uint(&root, "rollcall_roster", 1, INT64_MAX, &version, e);
	if (code == ERR_OK && version == 0)
		return ecs_json_refuse(&root, "rollcall_roster", e, "missing");
	if (code == ERR_OK && version != TEXT_VERSION)
		return err_set(e, ERR_REFUSED, "it is of version %" PRIu64 ", and not of %d", version, TEXT_VERSION);
	if (code == ERR_OK)
		code = read_ms(&root, "saved_ms", &f->saved_wall_ms, e);
	if (code == ERR_OK)
		code = ecs_json_str(&root, "sha256", HEX_SIZE, &told, e);
	if (code != ERR_OK)
		return code;
	if (!hash(body, hex))
		return out_of_memory(e);
	if (!str_eq(told, str_of(hex, HEX_SIZE)))
		return err_set(e, ERR_PARSE, "its checksum is that of another text");
	return ERR_OK;
}

/* Whatever was wrong inside: the file is damaged. */
static enum err_code
blame_line(enum err_code code, unsigned n, struct err *e)
{
	err_prefix(e, "line %u", n);
	if (code != ERR_NOMEM)
		code = ERR_PARSE;
	if (e != NULL)
		e->code = code;
	return code;
}

static enum err_code
read_lines(struct reading *r, struct str rest, struct err *e)
{
	unsigned n = 1;
	enum err_code code = ERR_OK;
	struct str line;

	while (code == ERR_OK && rest.len > 0 && str_next(&rest, '\n', &line)) {
		n++;
		code = read_line(r, line, e);
	}
	if (code == ERR_OK)
		code = end_cluster(r, e);
	return code == ERR_OK ? code : blame_line(code, n, e);
}

static enum err_code
read_all(struct reading *r, struct str text, struct err *e)
{
	struct str header = STR(""), rest = text;
	enum err_code code;

	if (text.len > ROSTER_FILE_TEXT_MAX || !str_next(&rest, '\n', &header))
		return err_set(e, ERR_PARSE, "empty, or too long");
	code = read_header(header, rest, r->file, e);
	if (code == ERR_OK)
		return read_lines(r, rest, e);
	return code == ERR_REFUSED ? code : blame_line(code, 1, e);
}

static void
free_reading(struct reading *r)
{
	taskdef_cache_free(r->definitions);
	arena_free(r->scratch);
	free(r->tasks);
	roster_file_free(r->file);
}

enum err_code
roster_file_read(struct str text, struct roster_file **ret, struct err *e)
{
	struct reading r CLEANUP(free_reading) = { .definitions = taskdef_cache_new(ROSTER_FILE_DEFINITIONS_MAX) };
	struct arena *a = arena_new(ROSTER_FILE_ARENA_MAX);
	enum err_code code;

	r.file = a != NULL ? ARENA_NEW(a, struct roster_file) : NULL;
	if (r.file == NULL) {
		arena_free(a);
		return out_of_memory(e);
	}
	r.file->arena = a;
	r.clusters = ARENA_ARRAY(a, struct roster_file_cluster, ROSTER_FILE_CLUSTERS_MAX);
	r.file->clusters = r.clusters;
	if (r.clusters == NULL || r.definitions == NULL)
		return out_of_memory(e);
	code = read_all(&r, text, e);
	if (code == ERR_OK)
		*ret = MOVE(r.file);
	return code;
}

void
roster_file_free(struct roster_file *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n_clusters; i++)
		roster_facts_unref(f->clusters[i].facts);
	arena_free(f->arena);
}
