/* The document of the task metadata endpoint: see task_metadata.h. */
#include "config.h"

#include "aws/task_metadata.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#define BODY_MAX ((size_t)64 << 10)

static bool
is_region(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '-'))
			return false;
	return s.len > 0 && s.len < TASK_METADATA_REGION_SIZE;
}

/* "arn:aws:ecs:REGION:ACCOUNT:..."; empty: it is none, or has none. */
static struct str
region_of(const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);
	struct str rest = str_of(json_string_value(value), json_string_length(value)), part = STR("");

	if (!str_has_prefix(rest, STR("arn:")))
		return STR("");
	for (int i = 0; i < 4; i++)
		if (!str_next(&rest, ':', &part))
			return STR("");
	return is_region(part) ? part : STR("");
}

enum err_code
task_metadata_region(struct str body, char ret[TASK_METADATA_REGION_SIZE], struct err *e)
{
	json_t *object = body.len > 0 && body.len <= BODY_MAX ? json_loadb(body.ptr, body.len, 0, NULL) : NULL;
	struct str region = region_of(object, "TaskARN");
	enum err_code code = ERR_OK;

	if (region.len == 0)
		region = region_of(object, "Cluster");
	if (region.len > 0) {
		memcpy(ret, region.ptr, region.len);
		ret[region.len] = '\0';
	} else {
		code = err_set(e, ERR_PARSE, "task metadata: neither TaskARN nor Cluster names a region");
	}
	json_decref(object);
	return code;
}
