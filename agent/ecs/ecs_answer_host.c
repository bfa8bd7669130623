/*
 * What AWS answers about machines: see ecs_answer_host.h.
 *
 * A container instance or machine that is malformed spoils the answer: there are few of
 * them in one, and each would be asked about again anyway.  But for an address that Systems
 * Manager tells: it comes from the machine itself, and is no neighbour's trouble.
 */
#include "config.h"

#include "ecs/ecs_answer_host.h"

#include <sys/socket.h>

#include "aws/aws_xml.h"
#include "ecs/arn.h"
#include "ecs/ecs_address.h"
#include "ecs/ecs_hosts.h"
#include "ecs/ecs_json.h"

#define TEXT_MAX    ((size_t)4096)
#define REFUSED_MAX ((size_t)46)   /* bytes of an address that is shown as it was told: the longest that SSM keeps */
#define LIST_MAX    ((size_t)1000) /* of one answer: the largest page of any of the three */

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "read about machines: %s", err_text(ERR_NOMEM));
}

/* "i-0123456789abcdef0", "mi-0123456789abcdef0" */
static bool
is_machine(struct str s)
{
	return s.len < ECS_HOSTS_ID_MAX && arn_is_name(s) && (str_has_prefix(s, STR("i-")) || ecs_hosts_is_external(s));
}

/* ---- container instances ---- */

static enum err_code
read_instance(struct arena *a, const struct ecs_json *o, struct ecs_answer_instance *ret, struct err *e)
{
	struct str arn = STR(""), id = STR("");
	struct arn parts;
	enum err_code code = ecs_json_word(o, "containerInstanceArn", ARN_MAX, &arn, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, "ec2InstanceId", TEXT_MAX, &id, e);
	if (code != ERR_OK)
		return code;
	if (!arn_parse(arn, &parts))
		return ecs_json_refuse(o, "containerInstanceArn", e, "not an ARN");
	if (id.len > 0 && !is_machine(id))
		return ecs_json_refuse(o, "ec2InstanceId", e, "not the id of a machine");
	return arena_str(a, arn, &ret->arn) && arena_str(a, id, &ret->id) ? ERR_OK : out_of_memory(e);
}

static enum err_code
read_failure(struct arena *a, const struct ecs_json *o, struct ecs_answer_failure *ret, struct err *e)
{
	struct str arn = STR(""), reason = STR("");
	enum err_code code = ecs_json_word(o, "arn", ARN_MAX, &arn, e);

	if (code == ERR_OK)
		code = ecs_json_str(o, "reason", TEXT_MAX, &reason, e);
	if (code != ERR_OK)
		return code;
	ret->detail = STR("");
	return arena_str(a, arn, &ret->arn) && arena_str(a, reason, &ret->reason) ? ERR_OK : out_of_memory(e);
}

static enum err_code
read_instances(struct arena *a, const struct ecs_json *root, struct ecs_answer_instances *ret, struct err *e)
{
	struct ecs_answer_instance *instances;
	struct ecs_json list, item;
	enum err_code code = ecs_json_list(root, "containerInstances", LIST_MAX, &list, &ret->n, e);

	if (code != ERR_OK)
		return code;
	if (list.value == NULL)
		return ecs_json_refuse(&list, NULL, e, "missing");
	instances = ARENA_ARRAY(a, struct ecs_answer_instance, ret->n);
	if (instances == NULL)
		return out_of_memory(e);
	ret->instances = instances;
	for (size_t i = 0; i < ret->n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_instance(a, &item, &instances[i], e);
	}
	return code;
}

static enum err_code
read_failures(struct arena *a, const struct ecs_json *root, struct ecs_answer_instances *ret, struct err *e)
{
	struct ecs_answer_failure *failures;
	struct ecs_json list, item;
	enum err_code code = ecs_json_list(root, "failures", LIST_MAX, &list, &ret->n_failures, e);

	if (code != ERR_OK)
		return code;
	failures = ARENA_ARRAY(a, struct ecs_answer_failure, ret->n_failures);
	if (failures == NULL)
		return out_of_memory(e);
	ret->failures = failures;
	for (size_t i = 0; i < ret->n_failures && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_failure(a, &item, &failures[i], e);
	}
	return code;
}

enum err_code
ecs_answer_container_instances(struct arena *a, struct str json, struct ecs_answer_instances *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_answer_instances answer = { .n = 0 };
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = read_instances(a, &root, &answer, e);
	if (code == ERR_OK)
		code = read_failures(a, &root, &answer, e);
	if (code == ERR_OK)
		*ret = answer;
	return code;
}

/* ---- Systems Manager ---- */

/* One field for both kinds: an IPv6 address has colons. */
static enum err_code
read_any_address(struct arena *a, struct str text, struct ecs_answer_address *ret, struct err *e)
{
	size_t at;

	if (str_find(text, ':', &at))
		return ecs_address_read(a, AF_INET6, text, &ret->ipv6, e);
	return ecs_address_read(a, AF_INET, text, &ret->ipv4, e);
}

static enum err_code
read_managed(struct arena *a, const struct ecs_json *o, struct ecs_answer_address *ret, struct err *e)
{
	struct str id = STR(""), address = STR("");
	enum err_code code = ecs_json_word(o, "InstanceId", TEXT_MAX, &id, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, "IPAddress", TEXT_MAX, &address, e);
	if (code != ERR_OK)
		return code;
	if (!is_machine(id))
		return ecs_json_refuse(o, "InstanceId", e, "not the id of a machine");
	*ret = (struct ecs_answer_address){ .ipv4 = STR(""), .ipv6 = STR(""), .refused = STR("") };
	if (!arena_str(a, id, &ret->id))
		return out_of_memory(e);
	if (address.len > 0)
		code = read_any_address(a, address, ret, e);
	if (code != ERR_PARSE)
		return code;
	return arena_str(a, str_first(address, REFUSED_MAX), &ret->refused) ? ERR_OK : out_of_memory(e);
}

static enum err_code
read_all_managed(struct arena *a, const struct ecs_json *root, struct ecs_answer_addresses *ret, struct err *e)
{
	struct ecs_answer_address *addresses;
	struct str token = STR("");
	struct ecs_json list, item;
	enum err_code code = ecs_json_list(root, "InstanceInformationList", LIST_MAX, &list, &ret->n, e);

	if (code == ERR_OK)
		code = ecs_json_str(root, "NextToken", ECS_ANSWER_TOKEN_MAX, &token, e);
	if (code != ERR_OK)
		return code;
	if (list.value == NULL)
		return ecs_json_refuse(&list, NULL, e, "missing");
	addresses = ARENA_ARRAY(a, struct ecs_answer_address, ret->n);
	if (addresses == NULL || !arena_str(a, token, &ret->next_token))
		return out_of_memory(e);
	ret->addresses = addresses;
	for (size_t i = 0; i < ret->n && code == ERR_OK; i++) {
		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_managed(a, &item, &addresses[i], e);
	}
	return code;
}

enum err_code
ecs_answer_ssm_instances(struct arena *a, struct str json, struct ecs_answer_addresses *ret, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	struct ecs_answer_addresses answer = { .n = 0 };
	struct ecs_json root;
	enum err_code code = ecs_json_load(json, ECS_ANSWER_MAX, &doc, e);

	if (code != ERR_OK)
		return code;
	root = ecs_json_root(doc);
	code = read_all_managed(a, &root, &answer, e);
	if (code == ERR_OK)
		*ret = answer;
	return code;
}

/* ---- EC2 ---- */

#define ROOT     "DescribeInstancesResponse"
#define INSTANCE ROOT "/reservationSet/item/instancesSet/item"

struct reading {
	struct arena *a;
	struct ecs_answer_address *addresses;
	struct ecs_answer_addresses answer;
	struct ecs_answer_address now; /* the machine whose elements are being read */
	bool has_root;
};

static enum err_code
end_machine(struct reading *r, struct err *e)
{
	if (r->now.id.len == 0)
		return err_set(e, ERR_PARSE, "EC2: an instance without an id");
	if (r->answer.n == LIST_MAX)
		return err_set(e, ERR_LIMIT, "EC2: more than %zu instances in one answer", LIST_MAX);
	r->addresses[r->answer.n++] = r->now;
	r->now = (struct ecs_answer_address){ .id = STR(""), .ipv4 = STR(""), .ipv6 = STR(""), .refused = STR("") };
	return ERR_OK;
}

static enum err_code
take_id(struct reading *r, struct str text, struct err *e)
{
	if (!is_machine(text))
		return err_set(e, ERR_PARSE, "EC2: an instanceId that is none");
	return arena_str(r->a, text, &r->now.id) ? ERR_OK : out_of_memory(e);
}

/* The first of a kind counts, which is the primary interface's. */
static enum err_code
take_address(struct reading *r, int family, struct str text, struct str *ret, struct err *e)
{
	enum err_code code = ERR_OK;

	if (ret->len == 0 && text.len > 0)
		code = ecs_address_read(r->a, family, text, ret, e);
	return code == ERR_OK ? code : err_wrap(e, code, "EC2: an address of an instance");
}

static enum err_code
take_token(struct reading *r, struct str text, struct err *e)
{
	if (text.len > ECS_ANSWER_TOKEN_MAX)
		return err_set(e, ERR_LIMIT, "EC2: a nextToken that is too long");
	return arena_str(r->a, text, &r->answer.next_token) ? ERR_OK : out_of_memory(e);
}

static enum err_code
take_element(void *arg, struct str path, struct str text, struct err *e)
{
	struct reading *r = arg;

	if (str_eq(path, STR(INSTANCE)))
		return end_machine(r, e);
	if (str_eq(path, STR(INSTANCE "/instanceId")))
		return take_id(r, text, e);
	if (str_eq(path, STR(INSTANCE "/privateIpAddress")))
		return take_address(r, AF_INET, text, &r->now.ipv4, e);
	if (str_eq(path, STR(INSTANCE "/ipv6Address")) ||
	    str_eq(path, STR(INSTANCE "/networkInterfaceSet/item/ipv6AddressesSet/item/ipv6Address")))
		return take_address(r, AF_INET6, text, &r->now.ipv6, e);
	if (str_eq(path, STR(ROOT "/nextToken")))
		return take_token(r, text, e);
	/* An answer to something else must not read as "there are none". */
	if (str_eq(path, STR(ROOT "/reservationSet")))
		r->has_root = true;
	return ERR_OK;
}

enum err_code
ecs_answer_ec2_instances(struct arena *a, struct str xml, struct ecs_answer_addresses *ret, struct err *e)
{
	struct reading r = {
		.a = a,
		.addresses = ARENA_ARRAY(a, struct ecs_answer_address, LIST_MAX),
		.answer = { .next_token = STR("") },
		.now = { .id = STR(""), .ipv4 = STR(""), .ipv6 = STR(""), .refused = STR("") },
	};
	enum err_code code;

	if (r.addresses == NULL)
		return out_of_memory(e);
	if (xml.len > ECS_ANSWER_MAX)
		return err_set(e, ERR_LIMIT, "EC2: an answer of more than %zu MiB", ECS_ANSWER_MAX >> 20);
	code = aws_xml_read(xml, take_element, &r, e);
	if (code != ERR_OK)
		return code;
	if (!r.has_root)
		return err_set(e, ERR_PARSE, "EC2: an answer without a reservationSet");
	r.answer.addresses = r.addresses;
	*ret = r.answer;
	return ERR_OK;
}
