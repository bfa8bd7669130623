/* Amazon Resource Names: see arn.h. */
#include "config.h"

#include "ecs/arn.h"

#include <stdint.h>

#define NAME_MAX_LEN 255 /* of a cluster or a family */
#define ID_MAX_LEN   64

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_made_of(struct str s, size_t max, const char *besides)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && (s.ptr[i] == '\0' || strchr(besides, s.ptr[i]) == NULL))
			return false;
	return true;
}

bool
arn_is_name(struct str s)
{
	return is_made_of(s, NAME_MAX_LEN, "-_");
}

bool
arn_is_task_id(struct str s)
{
	return (s.len == 32 || s.len == 36) && is_made_of(s, ID_MAX_LEN, "-");
}

/* What comes before the next colon; false if there is none. */
static bool
take_field(struct str *rest, struct str *ret)
{
	size_t at;

	if (!str_find(*rest, ':', &at))
		return false;
	*ret = str_first(*rest, at);
	*rest = str_skip(*rest, at + 1);
	return true;
}

/* Region and account may be empty (global resources) and are otherwise compared,
 * never interpreted; so any printable text will do. */
bool
arn_parse(struct str text, struct arn *ret)
{
	struct arn a = { .resource = text };
	struct str scheme;
	size_t at;

	if (text.len > ARN_MAX || !str_is_printable(text) || str_find(text, ' ', &at))
		return false;
	if (!take_field(&a.resource, &scheme) || !str_eq(scheme, STR("arn")))
		return false;
	if (!take_field(&a.resource, &a.partition) || !take_field(&a.resource, &a.service) ||
	    !take_field(&a.resource, &a.region) || !take_field(&a.resource, &a.account))
		return false;
	if (a.partition.len == 0 || a.service.len == 0 || a.resource.len == 0)
		return false;
	*ret = a;
	return true;
}

/* Takes "KIND/" off the resource of an ECS ARN that names its region and account. */
static bool
parse_ecs(struct str text, struct str kind, struct arn *ret, struct str *ret_rest)
{
	struct arn a;

	if (!arn_parse(text, &a) || !str_eq(a.service, STR("ecs")) || a.region.len == 0 || a.account.len == 0)
		return false;
	if (!str_has_prefix(a.resource, kind))
		return false;
	*ret = a;
	*ret_rest = str_skip(a.resource, kind.len);
	return true;
}

bool
arn_parse_task(struct str text, struct arn *ret, struct str *ret_cluster, struct str *ret_id)
{
	struct str id, cluster = STR("");
	struct arn a;
	size_t at;

	if (!parse_ecs(text, STR("task/"), &a, &id))
		return false;
	if (str_find(id, '/', &at)) {
		cluster = str_first(id, at);
		id = str_skip(id, at + 1);
		if (!arn_is_name(cluster))
			return false;
	}
	if (!is_made_of(id, ID_MAX_LEN, "-"))
		return false;
	*ret = a;
	*ret_cluster = cluster;
	*ret_id = id;
	return true;
}

bool
arn_parse_definition(struct str text, struct str *ret_family, unsigned *ret_revision)
{
	struct str rest, family;
	uint64_t revision;
	struct arn a;

	if (!parse_ecs(text, STR("task-definition/"), &a, &rest) || !take_field(&rest, &family))
		return false;
	if (!arn_is_name(family) || !str_to_u64(rest, UINT32_MAX, &revision) || revision == 0)
		return false;
	*ret_family = family;
	*ret_revision = (unsigned)revision;
	return true;
}

bool
arn_parse_cluster(struct str text, struct arn *ret, struct str *ret_name)
{
	struct str name;
	struct arn a;

	if (!parse_ecs(text, STR("cluster/"), &a, &name) || !arn_is_name(name))
		return false;
	*ret = a;
	*ret_name = name;
	return true;
}

struct str
arn_cluster_name(struct str text)
{
	struct str name;
	struct arn a;

	return arn_parse_cluster(text, &a, &name) ? name : text;
}
