/*
 * Texts from outside, as the fuzz targets read them (tests/fuzz says what the first bytes
 * mean), while memory runs out.  What was read is written, too, where there is a writer.
 */
#include "config.h"

#include "../fuzz/label_lines.h"
#include "alloc.h"

#include <openssl/evp.h>

#include "aws/aws_profiles.h"
#include "aws/creds_answer.h"
#include "aws/creds_recipe.h"
#include "conf/conf.h"
#include "control/control_iam.h"
#include "ecs/ecs_answer.h"
#include "ecs/ecs_answer_host.h"
#include "ecs/ecs_queue_text.h"
#include "ecs/ecs_self.h"
#include "ecs/ecs_told.h"
#include "ecs/roster_file.h"
#include "hap/hap_map.h"
#include "hap/hap_pem.h"
#include "hap/hap_render.h"
#include "hap/hap_text.h"
#include "label/label.h"
#include "label/label_conf.h"
#include "label/label_constraint.h"
#include "outlier/outlier.h"
#include "plan/applied.h"
#include "plan/overlay.h"
#include "spop/spop_session.h"

#define WALL_MS  INT64_C(1700000000000)
#define TEXT_MAX ((size_t)1 << 20)

/* Of several steps: that memory ran out, before anything else; then the first failure. */
static enum err_code
first_of(enum err_code a, enum err_code b)
{
	if (a == ERR_NOMEM || b == ERR_NOMEM)
		return ERR_NOMEM;
	return a != ERR_OK ? a : b;
}

/* ---- the configuration ---- */

static const char *
get_variable(void *arg, const char *name)
{
	(void)arg;
	return str_eq(str_from_cstr(name), STR("AWS_REGION")) ? "eu-west-1" : NULL;
}

static enum err_code
read_conf(struct str text)
{
	const struct env env = { .get = get_variable };
	CLEANUP(arena_free_at) struct arena *a = arena_new(CONF_ARENA_MAX);
	struct buf policy = buf_make(TEXT_MAX);
	const struct conf *conf;
	struct conf_notes faults = { 0 };
	enum err_code code;

	if (a == NULL)
		return ERR_NOMEM;
	code = conf_parse(a, text, &env, &conf, &faults, NULL);
	if (code == ERR_OK) {
		control_iam_print(conf, &policy);
		code = first_of(label_conf_check(a, conf, &faults, NULL), buf_failed(&policy, NULL));
	}
	buf_free(&policy);
	return code;
}

/* ---- labels: a constraint or rule, then "NAME=VALUE" ---- */

static enum err_code
read_labels(struct str text)
{
	static const struct str dialects[] = { { "rollcall", 8 }, { "traefik", 7 } };
	static const struct str allowed[] = { { "*.middlewares", 13 }, { "rollcall.endpoints.a.rule", 25 } };
	static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };
	const struct label_rules rules = { { dialects, 2 }, { allowed, 2 }, { entrypoints, 1 } };
	CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)8 << 20);
	CLEANUP(label_constraint_free_at) struct label_constraint *constraint = NULL;
	struct taskdef_label labels[LABEL_LINES_MAX];
	const struct label_set *set;
	struct label_router router;
	struct str first = STR("");
	enum err_code code;
	size_t n;

	if (a == NULL)
		return ERR_NOMEM;
	(void)str_next(&text, '\n', &first);
	n = label_lines_split(text, labels);
	code = label_constraint_make(first, &constraint, NULL);
	if (code == ERR_OK)
		(void)label_constraint_admits(constraint, labels, n);
	if (!label_read(a, &rules, labels, n, &set) || !label_router_of_rule(a, &rules, first, &router))
		return ERR_NOMEM;
	return code;
}

/* ---- AWS ---- */

static enum err_code
read_queue_answer(struct arena *a, unsigned kind, struct str text)
{
	struct ecs_queue_message messages[ECS_QUEUE_BATCH];
	struct str told;
	size_t n;

	switch (kind % 5) {
	case 0:
		return ecs_queue_text_read_messages(a, text, messages, &n, NULL);
	case 1:
		return ecs_queue_text_read_url(a, text, &told, NULL);
	case 2:
		return ecs_queue_text_read_arn(a, text, &told, NULL);
	case 3:
		return ecs_queue_text_read_subscription(a, text, &told, NULL);
	default:
		return ecs_queue_text_read_deleted(text, &n, NULL);
	}
}

static enum err_code
read_machines(struct arena *a, unsigned kind, struct str text)
{
	struct ecs_answer_list list;
	struct ecs_answer_instances instances;
	struct ecs_answer_addresses addresses;
	struct ecs_answer_services services;
	struct roster_self self;

	if (kind == 119)
		return ecs_answer_describe_services(a, text, &services, NULL);
	switch (kind % 5) {
	case 0:
		return ecs_answer_list_clusters(a, text, &list, NULL);
	case 1:
		return ecs_answer_container_instances(a, text, &instances, NULL);
	case 2:
		return ecs_answer_ec2_instances(a, text, &addresses, NULL);
	case 3:
		return ecs_answer_ssm_instances(a, text, &addresses, NULL);
	default:
		return ecs_self_read(a, text, &self, NULL);
	}
}

static enum err_code
read_tasks(struct arena *a, unsigned kind, struct str text)
{
	CLEANUP(taskdef_unref_at) struct taskdef *definition = NULL;
	struct ecs_answer_list list;
	struct ecs_answer_tasks tasks;

	if (kind % 3 == 0)
		return ecs_answer_list_tasks(a, text, &list, NULL);
	return kind % 3 == 1 ? ecs_answer_describe_tasks(a, text, &tasks, NULL)
			     : ecs_answer_task_definition(text, &definition, NULL);
}

static enum err_code
read_ecs_answer(struct str text)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(ECS_ANSWER_ARENA_MAX);
	const unsigned kind = text.len > 0 ? (unsigned char)text.ptr[0] : 0;

	if (a == NULL)
		return ERR_NOMEM;
	text = str_skip(text, 1);
	if (kind >= 128 + 120)
		return read_queue_answer(a, kind - 128 - 120, text);
	return kind >= 128 ? read_machines(a, kind - 128, text) : read_tasks(a, kind, text);
}

/* To the facts of the task that it names, which runs so far. */
static enum err_code
apply_event(const struct ecs_event *event)
{
	struct roster_task task = event->task;
	struct roster_facts *before = NULL, *now = NULL;
	enum err_code code;

	task.last_status = task.desired_status = ROSTER_RUNNING;
	code = roster_facts_make(&task, 1, TEXT_MAX, &before, NULL);
	if (code == ERR_OK)
		code = ecs_told_apply(before, &event->task, 1, WALL_MS, &now, NULL);
	roster_facts_unref(before);
	roster_facts_unref(now);
	return code;
}

static enum err_code
read_event(struct str text)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
	struct ecs_event event;
	enum err_code code;

	if (a == NULL)
		return ERR_NOMEM;
	code = ecs_event_read(a, text, &event, NULL);
	return code == ERR_OK && event.is_of_task ? apply_event(&event) : code;
}

static enum err_code
read_creds(struct str text)
{
	CLEANUP(creds_unref_at) struct creds *c = NULL;
	struct creds_answer_identity who;
	const unsigned kind = text.len > 0 ? (unsigned char)text.ptr[0] : 0;

	text = str_skip(text, 1);
	if (kind % 4 == 0)
		return creds_answer_read_json(text, "torture", &c, NULL);
	return kind % 4 == 1 ? creds_answer_read_sts(text, "torture", &c, NULL)
			     : creds_answer_read_identity(text, &who, NULL);
}

static enum err_code
read_profiles(struct str text)
{
	const struct creds_recipe_config config = { .profile = STR("default") };
	const struct env env = { .get = get_variable };
	CLEANUP(arena_wipe_at) struct arena *a = arena_new(AWS_PROFILES_ARENA_MAX);
	struct aws_profiles *p;
	struct creds_recipe recipe;
	struct str first = STR("");
	enum err_code code;

	if (a == NULL)
		return ERR_NOMEM;
	code = aws_profiles_new(a, &p, NULL);
	if (code != ERR_OK)
		return code;
	(void)str_next(&text, '\0', &first);
	code = aws_profiles_add(p, AWS_PROFILES_CONFIG, first, NULL);
	if (code == ERR_OK)
		code = aws_profiles_add(p, AWS_PROFILES_CREDENTIALS, text, NULL);
	return first_of(code, creds_recipe_make(a, &config, &env, p, &recipe, NULL));
}

/* ---- what rollcalld keeps on disk ---- */

static enum err_code
read_roster_text(struct str text)
{
	CLEANUP(roster_file_free_at) struct roster_file *f = NULL;
	struct buf out = buf_make(ROSTER_FILE_TEXT_MAX);
	enum err_code code = roster_file_read(text, &f, NULL);

	if (code == ERR_OK)
		code = roster_file_write(f->clusters, f->n_clusters, WALL_MS, &out, NULL);
	buf_free(&out);
	return code;
}

/* As it is, and as what follows a header whose checksum is right. */
static enum err_code
read_roster_file(struct str text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	const bool was = torture_pause(true);
	struct buf whole = buf_make(TEXT_MAX);
	enum err_code code;
	unsigned n = 0;

	(void)EVP_Digest(text.len > 0 ? text.ptr : "", text.len, digest, &n, EVP_sha256(), NULL);
	buf_put(&whole, STR("{\"rollcall_roster\":1,\"saved_ms\":1700000000000,\"sha256\":\""));
	for (unsigned i = 0; i < n; i++)
		buf_printf(&whole, "%02x", digest[i]);
	buf_put(&whole, STR("\"}\n"));
	buf_put(&whole, text);
	(void)torture_pause(was);
	code = first_of(read_roster_text(text), read_roster_text(buf_str(&whole)));
	buf_free(&whole);
	return code;
}

static enum err_code
read_overlay(struct str text)
{
	CLEANUP(overlay_free_at) struct overlay *o = NULL;
	CLEANUP(overlay_free_at) struct overlay *copy = NULL;
	struct buf out = buf_make(OVERLAY_TEXT_MAX);
	enum err_code code = overlay_read(text, &o, NULL);

	if (code == ERR_OK)
		code = overlay_copy(o, &copy, NULL);
	if (code == ERR_OK)
		code = overlay_write(copy, &out, NULL);
	buf_free(&out);
	return code;
}

static enum err_code
read_applied(struct str text)
{
	CLEANUP(applied_free_at) struct applied *a = NULL;
	struct buf out = buf_make(APPLIED_TEXT_MAX);
	enum err_code code = applied_read(text, &a, NULL);

	if (code == ERR_OK)
		code = applied_write(a, &out, NULL);
	buf_free(&out);
	return code;
}

static enum err_code
read_outlier(struct str text)
{
	CLEANUP(outlier_free_at) struct outlier *o = NULL;
	struct buf out = buf_make(OUTLIER_TEXT_MAX);
	enum err_code code = outlier_new(&o, NULL);
	size_t n;

	if (code == ERR_OK)
		code = outlier_resume(o, text, 5, WALL_MS, &n, NULL);
	if (code == ERR_OK)
		code = outlier_write(o, WALL_MS, &out, NULL);
	buf_free(&out);
	return code;
}

static enum err_code
read_state(struct str text)
{
	return first_of(first_of(read_overlay(text), read_applied(text)), read_outlier(text));
}

/* ---- HAProxy ---- */

static enum err_code
read_backend(struct arena *a, struct str both)
{
	struct str stat = both, servers = STR("");
	struct hap_text_layout *layout = NULL;
	struct actual_backend b;

	(void)str_next(&stat, '\0', &servers);
	return hap_text_parse_backend(a, &layout, STR("slots"), servers, stat, &b, NULL);
}

static enum err_code
read_reply(struct str text)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)8 << 20);
	const unsigned kind = text.len > 0 ? (unsigned char)text.ptr[0] : 0;
	struct hap_text_info info;
	struct hap_map map;
	const struct str *cas;
	size_t n;

	if (a == NULL)
		return ERR_NOMEM;
	text = str_skip(text, 1);
	switch (kind % 7) {
	case 0:
		return hap_text_parse_info(a, text, &info, NULL);
	case 1:
		return read_backend(a, text);
	case 6:
		return hap_text_parse_cas(a, text, &cas, &n, NULL);
	default:
		return hap_map_parse(a, text, STR("/etc/routes.map"), &map, NULL);
	}
}

static enum err_code
read_outline(struct str text)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new((size_t)64 << 20);
	struct hap_render_outline o;
	struct hap_map map;

	if (a == NULL)
		return ERR_NOMEM;
	return first_of(hap_render_outline(a, text, &o, NULL), hap_map_read_file(a, text, &map, NULL));
}

static enum err_code
read_spop(struct str text)
{
	struct spop_counts counts = { 0 };
	const struct spop_listener nobody = { .message = NULL };
	struct spop_session *s;
	enum err_code code = spop_session_new(&nobody, &counts, &s, NULL);
	bool goes_on = true;

	if (code != ERR_OK)
		return code;
	text = str_skip(text, 1);
	while (goes_on && text.len > 0) {
		goes_on = spop_session_feed(s, str_first(text, 100));
		text = str_skip(text, 100);
	}
	spop_session_free(s);
	return ERR_OK;
}

const struct torture_text torture_texts[] = {
	{ "aws_profiles", read_profiles },
	{ "conf", read_conf },
	{ "creds_answer", read_creds },
	{ "ecs_answer", read_ecs_answer },
	{ "ecs_event", read_event },
	{ "hap_reply", read_reply },
	{ "label", read_labels },
	{ "managed", read_outline },
	{ "roster_file", read_roster_file },
	{ "spop_session", read_spop },
	{ "state", read_state },
};
const size_t torture_n_texts = sizeof(torture_texts) / sizeof(torture_texts[0]);
