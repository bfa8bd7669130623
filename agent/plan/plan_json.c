/* Text of the files of state: see plan_json.h. */
#include "config.h"

#include "plan/plan_json.h"

#include <inttypes.h>

#include "plan/desired.h"

#define CHOICE_MAX ((size_t)32)

static bool
is_of_name(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == ':' || c == '-';
}

bool
plan_json_is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_of_name(s.ptr[i]))
			return false;
	return s.len > 0 && s.len <= PLAN_JSON_NAME_MAX;
}

bool
plan_json_is_word(struct str s, size_t max)
{
	size_t at;

	return s.len <= max && str_is_printable(s) && !str_find(s, ' ', &at);
}

/* ---- writing ---- */

static size_t
plain_run(struct str s)
{
	size_t n = s.len;

	(void)str_find(s, '"', &n);
	(void)str_find(str_first(s, n), '\\', &n);
	return n;
}

/* These are written for each server before a command is sent: without printf. */
void
plan_json_put_text(struct buf *out, struct str key, struct str text)
{
	if (text.len == 0)
		return;
	buf_put(out, key);
	buf_put_u8(out, '"');
	while (text.len > 0) {
		size_t run = plain_run(text);

		buf_put(out, str_first(text, run));
		if (run < text.len)
			buf_printf(out, "\\%c", text.ptr[run]);
		text = str_skip(text, run + 1);
	}
	buf_put_u8(out, '"');
}

void
plan_json_put_int(struct buf *out, struct str key, int64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	if (value == 0)
		return;
	for (; rest > 0; rest /= 10)
		digits[--at] = (char)('0' + rest % 10);
	buf_put(out, key);
	if (value < 0)
		buf_put_u8(out, '-');
	buf_put(out, str_of(digits + at, sizeof(digits) - at));
}

void
plan_json_put_bool(struct buf *out, struct str key, bool value)
{
	if (!value)
		return;
	buf_put(out, key);
	buf_put(out, STR("true"));
}

/* ---- reading ---- */

enum err_code
plan_json_load(struct str text, size_t max, const char *what, uint64_t version, json_t **ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	enum err_code code = ecs_json_load(text, max, &doc, e);
	struct ecs_json root;
	uint64_t found = 0;

	if (code == ERR_OK) {
		root = ecs_json_root(doc);
		code = ecs_json_uint(&root, what, 0, INT64_MAX, &found, e);
	}
	if (code != ERR_OK)
		return code;
	if (found != version)
		return err_set(
		    e, ERR_PARSE, "not a file of this kind and version (`%s` is not %" PRIu64 ")", what, version);
	*ret = MOVE(doc);
	return ERR_OK;
}

enum err_code
plan_json_refusal(enum err_code code, struct err *e)
{
	if (code != ERR_NOMEM)
		code = ERR_PARSE;
	if (e != NULL)
		e->code = code;
	return code;
}

enum err_code
plan_json_name(const struct ecs_json *o, const char *key, struct str *ret, struct err *e)
{
	struct str name = STR("");
	enum err_code code = ecs_json_str(o, key, PLAN_JSON_NAME_MAX, &name, e);

	if (code != ERR_OK)
		return code;
	if (name.len > 0 && !plan_json_is_name(name))
		return ecs_json_refuse(o, key, e, "not a name of HAProxy's");
	if (name.len > 0)
		*ret = name;
	return ERR_OK;
}

enum err_code
plan_json_port(const struct ecs_json *o, const char *key, uint16_t *ret, struct err *e)
{
	uint64_t port = *ret;
	enum err_code code = ecs_json_uint(o, key, 1, UINT16_MAX, &port, e);

	if (code == ERR_OK)
		*ret = (uint16_t)port;
	return code;
}

enum err_code
plan_json_weight(const struct ecs_json *o, const char *key, unsigned *ret, struct err *e)
{
	uint64_t weight = *ret;
	enum err_code code = ecs_json_uint(o, key, 0, DESIRED_WEIGHT_MAX, &weight, e);

	if (code == ERR_OK)
		*ret = (unsigned)weight;
	return code;
}

enum err_code
plan_json_ms(const struct ecs_json *o, const char *key, int64_t *ret, struct err *e)
{
	uint64_t ms = (uint64_t)*ret;
	enum err_code code = ecs_json_uint(o, key, 0, (uint64_t)PLAN_JSON_TIME_MAX_MS, &ms, e);

	if (code == ERR_OK)
		*ret = (int64_t)ms;
	return code;
}

enum err_code
plan_json_choice(
    const struct ecs_json *o, const char *key, const char *const *names, size_t n, unsigned *ret, struct err *e)
{
	struct str word = STR("");
	enum err_code code = ecs_json_str(o, key, CHOICE_MAX, &word, e);

	if (code != ERR_OK || word.len == 0)
		return code;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(word, str_from_cstr(names[i])))
			continue;
		*ret = (unsigned)i;
		return ERR_OK;
	}
	return ecs_json_refuse(o, key, e, "not a word that is known here");
}
