/* The operator's hand as state_dir/overlay.json holds it: see overlay.h. */
#include "config.h"

#include "plan/overlay.h"

#include "ecs/ecs_json.h"
#include "plan/plan_address.h"
#include "plan/plan_json.h"

#define TEXT_VERSION 1

/* ---- writing ---- */

static const char *const admin_names[] = {
	[OVERLAY_FREE] = "free",
	[OVERLAY_DRAIN] = "drain",
	[OVERLAY_MAINT] = "maint",
};
static const char *const hand_names[] = {
	[OVERLAY_BY_ROLLCALL] = "rollcall",
	[OVERLAY_BY_HAPROXY] = "haproxy",
};

static void
write_hold(const struct overlay_hold *h, struct buf *out)
{
	buf_printf(out, "{\"backend\":\"" STR_FMT "\"", STR_ARG(h->key.backend));
	plan_json_put_text(out, PLAN_JSON_KEY("task"), h->key.task_arn);
	plan_json_put_text(out, PLAN_JSON_KEY("container"), h->key.container);
	plan_json_put_int(out, PLAN_JSON_KEY("port"), h->key.port);
	plan_json_put_int(out, PLAN_JSON_KEY("since_ms"), h->since_wall_ms);
	if (h->admin != OVERLAY_FREE) {
		plan_json_put_text(out, PLAN_JSON_KEY("admin"), str_from_cstr(admin_names[h->admin]));
		plan_json_put_text(out, PLAN_JSON_KEY("admin_by"), str_from_cstr(hand_names[h->admin_by]));
		plan_json_put_int(out, PLAN_JSON_KEY("admin_until_ms"), h->admin_until_wall_ms);
	}
	if (h->has_weight) {
		buf_printf(out, ",\"weight\":%u", h->weight);
		plan_json_put_text(out, PLAN_JSON_KEY("weight_by"), str_from_cstr(hand_names[h->weight_by]));
		plan_json_put_int(out, PLAN_JSON_KEY("weight_until_ms"), h->weight_until_wall_ms);
	}
	buf_put_u8(out, '}');
}

static void
write_pause(const struct overlay_pause *p, struct buf *out)
{
	buf_printf(out, "{\"backend\":\"" STR_FMT "\"", STR_ARG(p->backend));
	plan_json_put_int(out, PLAN_JSON_KEY("since_ms"), p->since_wall_ms);
	plan_json_put_int(out, PLAN_JSON_KEY("until_ms"), p->until_wall_ms);
	buf_put_u8(out, '}');
}

static void
write_leave(const struct overlay_leave *l, struct buf *out)
{
	buf_printf(out, "{\"backend\":\"" STR_FMT "\"", STR_ARG(l->backend));
	plan_json_put_text(out, PLAN_JSON_KEY("server"), l->server);
	plan_json_put_text(out, PLAN_JSON_KEY("address"), l->address);
	plan_json_put_int(out, PLAN_JSON_KEY("port"), l->port);
	plan_json_put_int(out, PLAN_JSON_KEY("at_ms"), l->at_wall_ms);
	plan_json_put_bool(out, PLAN_JSON_KEY("released"), l->is_released);
	buf_put_u8(out, '}');
}

static void
begin_item(struct buf *out, size_t i)
{
	buf_put(out, i > 0 ? STR(",\n") : STR("\n"));
}

enum err_code
overlay_write(const struct overlay *o, struct buf *out, struct err *e)
{
	buf_printf(out, "{\"rollcall_overlay\":%d,\"holds\":[", TEXT_VERSION);
	for (size_t i = 0; i < overlay_count(o); i++) {
		begin_item(out, i);
		write_hold(overlay_at(o, i), out);
	}
	buf_put(out, STR("],\n\"pauses\":["));
	for (size_t i = 0; i < overlay_count_pauses(o); i++) {
		begin_item(out, i);
		write_pause(overlay_pause_at(o, i), out);
	}
	buf_put(out, STR("],\n\"leaves\":["));
	for (size_t i = 0; i < overlay_count_leaves(o); i++) {
		begin_item(out, i);
		write_leave(overlay_leave_at(o, i), out);
	}
	buf_put(out, STR("]}\n"));
	return buf_failed(out, e);
}

/* ---- reading ---- */

static enum err_code
read_key(const struct ecs_json *item, struct overlay_key *ret, struct err *e)
{
	enum err_code code = plan_json_name(item, "backend", &ret->backend, e);

	if (code == ERR_OK)
		code = ecs_json_word(item, "task", PLAN_JSON_ARN_MAX, &ret->task_arn, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "container", PLAN_JSON_CONTAINER_MAX, &ret->container, e);
	if (code == ERR_OK)
		code = plan_json_port(item, "port", &ret->port, e);
	return code;
}

struct say {
	unsigned value, by;
	int64_t until_wall_ms;
};

static enum err_code
read_admin(const struct ecs_json *item, struct say *ret, struct err *e)
{
	enum err_code code = plan_json_choice(item, "admin", admin_names, 3, &ret->value, e);

	if (code == ERR_OK)
		code = plan_json_choice(item, "admin_by", hand_names, 2, &ret->by, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "admin_until_ms", &ret->until_wall_ms, e);
	return code;
}

static enum err_code
read_weight(const struct ecs_json *item, struct say *ret, struct err *e)
{
	enum err_code code = plan_json_weight(item, "weight", &ret->value, e);

	if (code == ERR_OK)
		code = plan_json_choice(item, "weight_by", hand_names, 2, &ret->by, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "weight_until_ms", &ret->until_wall_ms, e);
	return code;
}

static enum err_code
read_hold(struct overlay *o, const struct ecs_json *item, struct err *e)
{
	struct overlay_key key = { .backend = STR("") };
	struct say admin = { .value = OVERLAY_FREE }, weight = { .value = UINT32_MAX };
	int64_t since_ms = 0;
	enum err_code code = read_key(item, &key, e);

	if (code == ERR_OK)
		code = plan_json_ms(item, "since_ms", &since_ms, e);
	if (code == ERR_OK)
		code = read_admin(item, &admin, e);
	if (code == ERR_OK)
		code = read_weight(item, &weight, e);
	if (code == ERR_OK && admin.value != OVERLAY_FREE)
		code = overlay_set_admin(o, &key, (enum overlay_admin)admin.value, (enum overlay_hand)admin.by,
		    since_ms, admin.until_wall_ms, e);
	if (code == ERR_OK && weight.value != UINT32_MAX)
		code = overlay_set_weight(
		    o, &key, weight.value, (enum overlay_hand)weight.by, since_ms, weight.until_wall_ms, e);
	return code;
}

static enum err_code
read_pause(struct overlay *o, const struct ecs_json *item, struct err *e)
{
	struct overlay_pause p = { .backend = STR("") };
	enum err_code code = plan_json_name(item, "backend", &p.backend, e);

	if (code == ERR_OK)
		code = plan_json_ms(item, "since_ms", &p.since_wall_ms, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "until_ms", &p.until_wall_ms, e);
	if (code == ERR_OK)
		code = overlay_pause(o, p.backend, p.since_wall_ms, p.until_wall_ms, e);
	return code;
}

static enum err_code
read_leave(struct overlay *o, const struct ecs_json *item, struct err *e)
{
	struct overlay_leave l = { .backend = STR(""), .server = STR(""), .address = STR("") };
	enum err_code code = plan_json_name(item, "backend", &l.backend, e);

	if (code == ERR_OK)
		code = plan_json_name(item, "server", &l.server, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "address", PLAN_ADDRESS_TEXT_SIZE, &l.address, e);
	if (code == ERR_OK)
		code = plan_json_port(item, "port", &l.port, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "at_ms", &l.at_wall_ms, e);
	if (code == ERR_OK)
		code = ecs_json_bool(item, "released", &l.is_released, e);
	if (code != ERR_OK)
		return code;
	return l.is_released ? overlay_release(o, &l, l.at_wall_ms, e) : overlay_note_leave(o, &l, l.at_wall_ms, e);
}

typedef enum err_code read_item_fn(struct overlay *o, const struct ecs_json *item, struct err *e);

static enum err_code
read_list(
    struct overlay *o, const struct ecs_json *root, const char *key, size_t max, read_item_fn *read_item, struct err *e)
{
	struct ecs_json list, item;
	size_t n = 0;
	enum err_code code = ecs_json_list(root, key, max, &list, &n, e);

	for (size_t i = 0; code == ERR_OK && i < n; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_item(o, &item, e);
	}
	return code;
}

enum err_code
overlay_read(struct str text, struct overlay **ret, struct err *e)
{
	struct overlay *o CLEANUP(overlay_free_at) = NULL;
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	enum err_code code = plan_json_load(text, OVERLAY_TEXT_MAX, "rollcall_overlay", TEXT_VERSION, &doc, e);
	struct ecs_json root;

	if (code == ERR_OK)
		code = overlay_new(&o, e);
	if (code == ERR_OK) {
		root = ecs_json_root(doc);
		code = read_list(o, &root, "holds", OVERLAY_HOLDS_MAX, read_hold, e);
	}
	if (code == ERR_OK)
		code = read_list(o, &root, "pauses", OVERLAY_PAUSES_MAX, read_pause, e);
	if (code == ERR_OK)
		code = read_list(o, &root, "leaves", OVERLAY_LEAVES_MAX, read_leave, e);
	if (code != ERR_OK)
		return plan_json_refusal(code, e);
	*ret = MOVE(o);
	return ERR_OK;
}
