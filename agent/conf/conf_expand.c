/* Variables in values: see conf_expand.h. */
#include "config.h"

#include "conf/conf_expand.h"

#include <string.h>

#include "base/buf.h"

#define NAME_MAX_BYTES 128

static bool
is_identifier(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return s.len > 0;
}

/* Somebody may have put the key itself into the braces. */
static bool
may_be_secret(struct str name)
{
	size_t at;

	return name.len >= 16 && !str_find(name, '_', &at);
}

static enum err_code
put_variable(struct str name, const struct env *env, struct buf *out, struct err *e)
{
	char cstr[NAME_MAX_BYTES + 1] = "";
	const char *value;

	if (!is_identifier(name) || name.len > NAME_MAX_BYTES)
		return err_set(e, ERR_CONF, "what stands in `${...}` is not the name of a variable");
	memcpy(cstr, name.ptr, name.len);
	value = env_get(env, cstr);
	if (value == NULL && may_be_secret(name))
		return err_set(e, ERR_CONF, "the variable in `${...}` is not defined");
	if (value == NULL)
		return err_set(e, ERR_CONF, "the variable `%s` is not defined (`$$` stands for a `$`)", cstr);
	buf_put(out, str_from_cstr(value));
	return ERR_OK;
}

/* rest begins with a `$`; takes what belongs to it. */
static enum err_code
take_dollar(struct str *rest, const struct env *env, struct buf *out, struct err *e)
{
	struct str name;
	size_t end;

	*rest = str_skip(*rest, 1);
	if (str_has_prefix(*rest, STR("$"))) {
		*rest = str_skip(*rest, 1);
	} else if (str_has_prefix(*rest, STR("{")) && str_find(*rest, '}', &end)) {
		name = str_skip(str_first(*rest, end), 1);
		*rest = str_skip(*rest, end + 1);
		return put_variable(name, env, out, e);
	}
	buf_put_u8(out, '$');
	return ERR_OK;
}

static enum err_code
expand(struct str rest, const struct env *env, struct buf *out, struct err *e)
{
	enum err_code code;
	size_t at;

	while (str_find(rest, '$', &at)) {
		buf_put(out, str_first(rest, at));
		rest = str_skip(rest, at);
		code = take_dollar(&rest, env, out, e);
		if (code != ERR_OK)
			return code;
	}
	buf_put(out, rest);
	code = buf_failed(out, NULL);
	if (code == ERR_LIMIT)
		return err_set(e, ERR_CONF, "a value is at most %zu bytes long", CONF_EXPAND_MAX);
	return code == ERR_OK ? ERR_OK : err_set(e, code, "expand a value");
}

enum err_code
conf_expand(struct arena *a, struct str raw, const struct env *env, struct str *ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf out = buf_make(CONF_EXPAND_MAX); /* it may be a key that a variable holds */
	enum err_code code;
	size_t at;

	if (!str_find(raw, '$', &at)) {
		*ret = raw;
		return ERR_OK;
	}
	code = expand(raw, env, &out, e);
	if (code == ERR_OK && !arena_str(a, buf_str(&out), ret))
		code = err_set(e, ERR_NOMEM, "expand a value");
	return code;
}
