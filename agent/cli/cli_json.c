/* Reading the daemon's documents: see cli_json.h. */
#include "config.h"

#include "cli/cli_json.h"

enum err_code
cli_json_parse(struct str text, json_t **ret, struct err *e)
{
	json_error_t problem;
	json_t *document = json_loadb(text.ptr, text.len, 0, &problem);

	if (document == NULL)
		return err_set(e, ERR_PARSE, "what answers there is not rollcalld: %s", problem.text);
	*ret = document;
	return ERR_OK;
}

struct str
cli_json_item_text(const json_t *item)
{
	return json_is_string(item) ? str_of(json_string_value(item), json_string_length(item)) : STR("");
}

struct str
cli_json_text(const json_t *object, const char *name)
{
	return cli_json_item_text(json_object_get(object, name));
}

bool
cli_json_number(const json_t *object, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value))
		return false;
	*ret = json_integer_value(value);
	return true;
}

int64_t
cli_json_count(const json_t *object, const char *name)
{
	int64_t n = 0;

	(void)cli_json_number(object, name, &n);
	return n;
}

bool
cli_json_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

struct str
cli_json_error(const json_t *document)
{
	return cli_json_text(json_object_get(document, "error"), "message");
}
