/*
 * What we last asked for: see applied.h.  This file is the value and its file; how it
 * goes from pass to pass is in applied_pass.c.
 */
#include "config.h"

#include "plan/applied.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plan/plan_address.h"
#include "plan/plan_json.h"

#define TEXT_VERSION 1
#define ADDRESS_MAX  ((size_t)64)
#define SPEC_DIGITS  ((size_t)16)

/* A clock that was set back a little is no reason for a gate. */
#define CLOCK_SLACK_MS INT64_C(5000)

static const char *const admin_names[] = {
	[ACTUAL_READY] = "ready",
	[ACTUAL_DRAIN] = "drain",
	[ACTUAL_MAINT] = "maint",
};
static const char *const intent_names[] = {
#define X(name, text) [APPLIED_##name] = text,
	APPLIED_INTENTS(X)
#undef X
};
static const char *const evidence_names[] = {
#define X(name, text, proven) [EVIDENCE_##name] = text,
	EVIDENCE_KINDS(X)
#undef X
};

#define N_OF(names) (sizeof(names) / sizeof((names)[0]))

/* ---- the value ---- */

void
applied_free(struct applied *a)
{
	if (a != NULL)
		arena_free(a->arena); /* a is in it */
}

bool
applied_is_of(const struct applied *a, const struct actual *actual)
{
	return a != NULL && a->pid == actual->pid && a->start_time_s == actual->start_time_s;
}

bool
applied_is_trusted(const struct applied *a, int64_t now_wall_ms)
{
	int64_t age_ms;

	if (a == NULL || a->seen_wall_ms <= 0 || now_wall_ms <= 0)
		return false;
	age_ms = now_wall_ms - a->seen_wall_ms;
	return age_ms <= APPLIED_TRUST_MS && age_ms >= -CLOCK_SLACK_MS;
}

static int
place_cmp(const void *a, const void *b)
{
	const struct applied_server *x = a, *y = b;
	int order = str_cmp(x->backend, y->backend);

	return order != 0 ? order : str_cmp(x->server, y->server);
}

static int
task_cmp(const struct applied_server *x, const struct applied_server *y)
{
	int order = str_cmp(x->backend, y->backend);

	if (order == 0)
		order = str_cmp(x->task_arn, y->task_arn);
	if (order == 0)
		order = str_cmp(x->container, y->container);
	return order != 0 ? order : (int)x->port - (int)y->port;
}

static int
intent_rank(enum applied_intent i)
{
	switch (i) {
	case APPLIED_SERVING:
		return 0;
	case APPLIED_DRAINING:
	case APPLIED_RENEWING:
		return 1; /* it served */
	case APPLIED_JOINING:
		break;
	}
	return 2;
}

/* Of several servers of one task the one that serves comes first, then who served. */
static int
by_task(const void *a, const void *b)
{
	const struct applied_server *x = *(const struct applied_server *const *)a;
	const struct applied_server *y = *(const struct applied_server *const *)b;
	int order = task_cmp(x, y);

	if (order == 0)
		order = intent_rank(x->intent) - intent_rank(y->intent);
	return order != 0 ? order : place_cmp(x, y);
}

/* Those of one backend stand together: its name is kept once, which also compares faster. */
bool
applied_keep_texts(struct arena *a, struct applied_server *s, const struct applied_server *earlier)
{
	if (earlier != NULL && str_eq(earlier->backend, s->backend))
		s->backend = earlier->backend;
	else if (!arena_str(a, s->backend, &s->backend))
		return false;
	return arena_str(a, s->server, &s->server) && arena_str(a, s->task_arn, &s->task_arn) &&
	       arena_str(a, s->container, &s->container) && arena_str(a, s->address, &s->address);
}

bool
applied_index(struct applied *a)
{
	const struct applied_server **list = ARENA_ARRAY(a->arena, const struct applied_server *, a->n_servers);

	if (list == NULL)
		return false;
	for (size_t i = 0; i < a->n_servers; i++)
		list[i] = &a->servers[i];
	if (a->n_servers > 0)
		qsort(list, a->n_servers, sizeof(*list), by_task);
	a->by_task = list;
	return true;
}

const struct applied_server *
applied_find(const struct applied *a, struct str backend, struct str server)
{
	const struct applied_server key = { .backend = backend, .server = server };

	if (a == NULL || a->n_servers == 0)
		return NULL;
	return bsearch(&key, a->servers, a->n_servers, sizeof(key), place_cmp);
}

const struct applied_server *
applied_find_task(const struct applied *a, const struct overlay_key *key)
{
	const struct applied_server wanted = {
		.backend = key->backend, .task_arn = key->task_arn, .container = key->container, .port = key->port
	};
	size_t low = 0, high = a != NULL && key->task_arn.len > 0 ? a->n_servers : 0;

	if (high == 0)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (task_cmp(a->by_task[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < a->n_servers && task_cmp(a->by_task[low], &wanted) == 0 ? a->by_task[low] : NULL;
}

static bool
server_differs(const struct applied_server *x, const struct applied_server *y)
{
	if (task_cmp(x, y) != 0 || !str_eq(x->server, y->server) || !str_eq(x->address, y->address))
		return true;
	if (x->spec != y->spec || x->was_admin != y->was_admin || x->admin != y->admin ||
	    x->was_weight != y->was_weight || x->weight != y->weight)
		return true;
	return x->auto_weight != y->auto_weight || x->intent != y->intent || x->evidence != y->evidence ||
	       x->drain_since_wall_ms != y->drain_since_wall_ms || x->wait_since_wall_ms != y->wait_since_wall_ms;
}

bool
applied_differs(const struct applied *a, const struct applied *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	if (a->pid != b->pid || a->start_time_s != b->start_time_s || a->n_servers != b->n_servers)
		return true;
	for (size_t i = 0; i < a->n_servers; i++)
		if (server_differs(&a->servers[i], &b->servers[i]))
			return true;
	return false;
}

/* ---- the file ---- */

static void
write_server(const struct applied_server *s, struct buf *out)
{
	buf_put(out, STR("{\"backend\":\""));
	buf_put(out, s->backend);
	buf_put_u8(out, '"');
	plan_json_put_text(out, PLAN_JSON_KEY("server"), s->server);
	plan_json_put_text(out, PLAN_JSON_KEY("task"), s->task_arn);
	plan_json_put_text(out, PLAN_JSON_KEY("container"), s->container);
	plan_json_put_text(out, PLAN_JSON_KEY("address"), s->address);
	plan_json_put_int(out, PLAN_JSON_KEY("port"), s->port);
	if (s->spec != 0)
		buf_printf(out, ",\"spec\":\"%016" PRIx64 "\"", s->spec);
	plan_json_put_bool(out, PLAN_JSON_KEY("confirmed"), s->is_confirmed);
	plan_json_put_text(out, PLAN_JSON_KEY("was_admin"), str_from_cstr(admin_names[s->was_admin]));
	plan_json_put_text(out, PLAN_JSON_KEY("admin"), str_from_cstr(admin_names[s->admin]));
	plan_json_put_int(out, PLAN_JSON_KEY("was_weight"), s->was_weight);
	plan_json_put_int(out, PLAN_JSON_KEY("weight"), s->weight);
	plan_json_put_int(out, PLAN_JSON_KEY("auto_weight"), s->auto_weight);
	plan_json_put_text(out, PLAN_JSON_KEY("intent"), str_from_cstr(intent_names[s->intent]));
	if (s->evidence != EVIDENCE_NONE)
		plan_json_put_text(out, PLAN_JSON_KEY("evidence"), str_from_cstr(evidence_names[s->evidence]));
	plan_json_put_int(out, PLAN_JSON_KEY("drain_since_ms"), s->drain_since_wall_ms);
	if (s->wait_since_wall_ms != 0)
		plan_json_put_int(out, PLAN_JSON_KEY("wait_since_ms"), s->wait_since_wall_ms);
	buf_put_u8(out, '}');
}

enum err_code
applied_write(const struct applied *a, struct buf *out, struct err *e)
{
	buf_printf(out, "{\"rollcall_applied\":%d,\"pid\":%" PRIu64 ",\"start_time_s\":%" PRIu64, TEXT_VERSION, a->pid,
	    a->start_time_s);
	plan_json_put_int(out, PLAN_JSON_KEY("seen_ms"), a->seen_wall_ms);
	buf_put(out, STR(",\n\"servers\":["));
	for (size_t i = 0; i < a->n_servers; i++) {
		buf_put(out, i > 0 ? STR(",\n") : STR("\n"));
		write_server(&a->servers[i], out);
	}
	buf_put(out, STR("]}\n"));
	return buf_failed(out, e);
}

static enum err_code
read_spec(const struct ecs_json *item, uint64_t *ret, struct err *e)
{
	struct str text = STR("");
	enum err_code code = ecs_json_str(item, "spec", SPEC_DIGITS, &text, e);
	uint64_t spec = 0;

	if (code != ERR_OK || text.len == 0)
		return code;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return ecs_json_refuse(item, "spec", e, "not a hexadecimal number");
		spec = spec << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = spec;
	return ERR_OK;
}

static enum err_code
read_place(const struct ecs_json *item, struct applied_server *s, struct err *e)
{
	struct plan_address address;
	enum err_code code = plan_json_name(item, "backend", &s->backend, e);

	if (code == ERR_OK)
		code = plan_json_name(item, "server", &s->server, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "task", PLAN_JSON_ARN_MAX, &s->task_arn, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "container", PLAN_JSON_CONTAINER_MAX, &s->container, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "address", ADDRESS_MAX, &s->address, e);
	if (code == ERR_OK)
		code = plan_json_port(item, "port", &s->port, e);
	if (code != ERR_OK)
		return code;
	if (!actual_is_ours(s->server) || s->backend.len == 0)
		return ecs_json_refuse(item, "server", e, "not a server of ours");
	if (!plan_address_parse(s->address, s->port, &address))
		return ecs_json_refuse(item, "address", e, "not an address and port");
	return ERR_OK;
}

static enum err_code
read_admins(const struct ecs_json *item, struct applied_server *s, struct err *e)
{
	unsigned was = ACTUAL_MAINT, now = ACTUAL_MAINT;
	enum err_code code = plan_json_choice(item, "was_admin", admin_names, N_OF(admin_names), &was, e);

	if (code == ERR_OK)
		code = plan_json_choice(item, "admin", admin_names, N_OF(admin_names), &now, e);
	if (code == ERR_OK)
		code = plan_json_weight(item, "was_weight", &s->was_weight, e);
	if (code == ERR_OK)
		code = plan_json_weight(item, "weight", &s->weight, e);
	if (code == ERR_OK)
		code = plan_json_weight(item, "auto_weight", &s->auto_weight, e);
	s->was_admin = (enum actual_admin)was;
	s->admin = (enum actual_admin)now;
	return code;
}

static enum err_code
read_intent(const struct ecs_json *item, struct applied_server *s, struct err *e)
{
	unsigned intent = APPLIED_JOINING, evidence = EVIDENCE_NONE;
	enum err_code code = plan_json_choice(item, "intent", intent_names, N_OF(intent_names), &intent, e);

	if (code == ERR_OK)
		code = plan_json_choice(item, "evidence", evidence_names, N_OF(evidence_names), &evidence, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "drain_since_ms", &s->drain_since_wall_ms, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "wait_since_ms", &s->wait_since_wall_ms, e);
	s->intent = (enum applied_intent)intent;
	s->evidence = (enum evidence)evidence;
	return code;
}

static enum err_code
read_server(struct arena *a, const struct ecs_json *item, struct applied_server *s, struct err *e)
{
	enum err_code code;

	s->backend = s->server = s->task_arn = s->container = s->address = STR("");
	code = read_place(item, s, e);
	if (code == ERR_OK)
		code = read_spec(item, &s->spec, e);
	if (code == ERR_OK)
		code = ecs_json_bool(item, "confirmed", &s->is_confirmed, e);
	if (code == ERR_OK)
		code = read_admins(item, s, e);
	if (code == ERR_OK)
		code = read_intent(item, s, e);
	if (code == ERR_OK && !applied_keep_texts(a, s, NULL))
		return err_set(e, ERR_NOMEM, "what was applied: %s", err_text(ERR_NOMEM));
	return code;
}

static enum err_code
read_servers(struct arena *a, const struct ecs_json *root, struct applied *ret, struct err *e)
{
	struct ecs_json list, item;
	struct applied_server *servers;
	size_t n = 0;
	enum err_code code = ecs_json_list(root, "servers", APPLIED_SERVERS_MAX, &list, &n, e);

	if (code != ERR_OK)
		return code;
	servers = ARENA_ARRAY(a, struct applied_server, n);
	if (servers == NULL)
		return err_set(e, ERR_NOMEM, "what was applied: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; code == ERR_OK && i < n; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_server(a, &item, &servers[i], e);
	}
	if (code == ERR_OK && n > 0)
		qsort(servers, n, sizeof(*servers), place_cmp);
	for (size_t i = 1; code == ERR_OK && i < n; i++)
		if (place_cmp(&servers[i - 1], &servers[i]) == 0)
			code = ecs_json_refuse(&list, NULL, e, "a server twice");
	ret->servers = servers;
	ret->n_servers = n;
	return code;
}

static enum err_code
read_process(const struct ecs_json *root, struct applied *ret, struct err *e)
{
	enum err_code code = ecs_json_uint(root, "pid", 1, INT64_MAX, &ret->pid, e);

	if (code == ERR_OK)
		code = ecs_json_uint(root, "start_time_s", 0, INT64_MAX, &ret->start_time_s, e);
	if (code == ERR_OK)
		code = plan_json_ms(root, "seen_ms", &ret->seen_wall_ms, e);
	if (code == ERR_OK && ret->pid == 0)
		code = ecs_json_refuse(root, "pid", e, "missing");
	return code;
}

enum err_code
applied_read(struct str text, struct applied **ret, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(APPLIED_ARENA_MAX);
	struct applied *made = a != NULL ? ARENA_NEW(a, struct applied) : NULL;
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_json root;
	enum err_code code;

	if (made == NULL)
		return err_set(e, ERR_NOMEM, "what was applied: %s", err_text(ERR_NOMEM));
	made->arena = a;
	code = plan_json_load(text, APPLIED_TEXT_MAX, "rollcall_applied", TEXT_VERSION, &doc, e);
	if (code == ERR_OK) {
		root = ecs_json_root(doc);
		code = read_process(&root, made, e);
	}
	if (code == ERR_OK)
		code = read_servers(a, &root, made, e);
	if (code == ERR_OK && !applied_index(made))
		code = err_set(e, ERR_NOMEM, "what was applied: %s", err_text(ERR_NOMEM));
	if (code != ERR_OK)
		return plan_json_refusal(code, e);
	(void)MOVE(a);
	*ret = made;
	return ERR_OK;
}
