/* Asking where machines are: see ecs_hosting.h. */
#include "config.h"

#include "ecs/ecs_hosting.h"

#include <assert.h>
#include <stdlib.h>

#include "aws/aws_query.h"
#include "base/arena.h"
#include "ecs/ecs_address.h"
#include "ecs/ecs_answer_host.h"
#include "ecs/ecs_body.h"

#define ARENA_MAX ((size_t)16 << 20)
/* EC2 takes 200 values of a filter, Systems Manager 100 but gives 50 a page. */
#define EC2_BATCH ((size_t)100)
#define EC2_PAGE  "1000"
#define SSM_BATCH ((size_t)50)

struct item {
	struct str arn, id; /* of the container instance; of its machine */
	bool told;
};

struct batch {
	const struct aws_service *to;
	size_t first, n;  /* of `order` */
	struct str token; /* of a page but the first */
	unsigned pages;
};

struct ecs_hosting {
	struct ecs_hosts *hosts;
	struct arena *arena;
	struct str cluster;
	int64_t mono_ms;
	struct item *items; /* sorted by ARN, each once, once begun */
	size_t n_items, cap_items;
	struct item **order; /* those that are asked about now */
	size_t n_order;
	struct batch *batches; /* the number of a call is its place */
	size_t n_batches, cap_batches, next_batch, n_open;
	bool is_placing; /* machines are asked for; before that, container instances */
	bool given_up;
	struct err starved; /* why something could not even be asked */
};

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "ask about machines: %s", err_text(ERR_NOMEM));
}

enum err_code
ecs_hosting_new(struct ecs_hosts *hosts, struct str cluster, int64_t mono_ms, struct ecs_hosting **ret, struct err *e)
{
	struct ecs_hosting *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return out_of_memory(e);
	h->hosts = hosts;
	h->mono_ms = mono_ms;
	h->arena = arena_new(ARENA_MAX);
	if (h->arena == NULL || !arena_str(h->arena, cluster, &h->cluster)) {
		ecs_hosting_free(h);
		return out_of_memory(e);
	}
	*ret = h;
	return ERR_OK;
}

void
ecs_hosting_free(struct ecs_hosting *h)
{
	if (h == NULL)
		return;
	free(h->items);
	free(h->order);
	free(h->batches);
	arena_free(h->arena);
	free(h);
}

/* ---- who is asked about ---- */

enum err_code
ecs_hosting_want(struct ecs_hosting *h, struct str arn, struct err *e)
{
	size_t cap = h->cap_items == 0 ? 64 : h->cap_items * 2;

	/* Tasks of one machine often stand together. */
	if (h->n_items > 0 && str_eq(h->items[h->n_items - 1].arn, arn))
		return ERR_OK;
	if (h->n_items == h->cap_items) {
		struct item *bigger = reallocarray(h->items, cap, sizeof(*bigger));

		if (bigger == NULL)
			return out_of_memory(e);
		h->items = bigger;
		h->cap_items = cap;
	}
	h->items[h->n_items++] = (struct item){ .arn = arn };
	return ERR_OK;
}

static int
by_arn(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return str_cmp(x->arn, y->arn);
}

/* With texts of their own from here on. */
static enum err_code
settle_items(struct ecs_hosting *h, struct err *e)
{
	size_t n = 0;

	if (h->n_items > 0)
		qsort(h->items, h->n_items, sizeof(*h->items), by_arn);
	for (size_t i = 0; i < h->n_items; i++) {
		if (n > 0 && str_eq(h->items[n - 1].arn, h->items[i].arn))
			continue;
		if (!arena_str(h->arena, h->items[i].arn, &h->items[n].arn))
			return out_of_memory(e);
		n++;
	}
	h->n_items = n;
	h->order = calloc(n + 1, sizeof(struct item *));
	return h->order != NULL ? ERR_OK : out_of_memory(e);
}

static bool
is_due(const struct ecs_hosting *h, const struct ecs_host *host)
{
	return host == NULL || host->due_ms <= h->mono_ms;
}

static enum err_code
add_batch(struct ecs_hosting *h, struct batch b, struct err *e)
{
	size_t cap = h->cap_batches == 0 ? 8 : h->cap_batches * 2;

	if (h->n_batches == h->cap_batches) {
		struct batch *bigger = reallocarray(h->batches, cap, sizeof(*bigger));

		if (bigger == NULL)
			return out_of_memory(e);
		h->batches = bigger;
		h->cap_batches = cap;
	}
	h->batches[h->n_batches++] = b;
	return ERR_OK;
}

static enum err_code
add_batches(struct ecs_hosting *h, const struct aws_service *to, size_t first, size_t max, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t at = first; at < h->n_order && code == ERR_OK; at += max) {
		size_t left = h->n_order - at;

		code = add_batch(h, (struct batch){ .to = to, .first = at, .n = left < max ? left : max }, e);
	}
	return code;
}

/* Those whose machine is not known. */
static enum err_code
order_unknown(struct ecs_hosting *h, struct err *e)
{
	for (size_t i = 0; i < h->n_items; i++) {
		const struct ecs_host *host = ecs_hosts_add(h->hosts, h->items[i].arn);

		if (host == NULL)
			return out_of_memory(e);
		if (host->id.len == 0 && is_due(h, host))
			h->order[h->n_order++] = &h->items[i];
	}
	return add_batches(h, &aws_service_ecs, 0, ECS_BODY_INSTANCES_MAX, e);
}

/* Those whose machine is known and of this kind. */
static enum err_code
order_placed_by(struct ecs_hosting *h, bool external, struct err *e)
{
	size_t first = h->n_order;

	for (size_t i = 0; i < h->n_items; i++) {
		struct item *item = &h->items[i];
		const struct ecs_host *host = ecs_hosts_find(h->hosts, item->arn);

		if (host == NULL || host->id.len == 0 || !is_due(h, host) ||
		    ecs_hosts_is_external(host->id) != external)
			continue;
		if (!arena_str(h->arena, host->id, &item->id))
			return out_of_memory(e);
		item->told = false;
		h->order[h->n_order++] = item;
	}
	return add_batches(
	    h, external ? &aws_service_ssm : &aws_service_ec2, first, external ? SSM_BATCH : EC2_BATCH, e);
}

static void
starve(struct ecs_hosting *h, const struct err *why)
{
	h->starved = *why;
	h->given_up = true;
}

static void
begin_placing(struct ecs_hosting *h)
{
	struct err why = ERR_INIT;

	h->is_placing = true;
	h->n_order = 0;
	if (order_placed_by(h, false, &why) != ERR_OK || order_placed_by(h, true, &why) != ERR_OK)
		starve(h, &why);
}

enum err_code
ecs_hosting_begin(struct ecs_hosting *h, struct err *e)
{
	enum err_code code = settle_items(h, e);

	return code == ERR_OK ? order_unknown(h, e) : code;
}

bool
ecs_hosting_has_more(struct ecs_hosting *h)
{
	if (!h->is_placing && !h->given_up && h->next_batch == h->n_batches && h->n_open == 0)
		begin_placing(h);
	return !h->given_up && h->next_batch < h->n_batches;
}

/* ---- asking ---- */

static const char *
write_instances(const struct ecs_hosting *h, const struct batch *b, struct buf *body)
{
	ecs_body_instances_begin(body, h->cluster);
	for (size_t i = 0; i < b->n; i++)
		ecs_body_item(body, i == 0, h->order[b->first + i]->arn);
	ecs_body_describe_end(body);
	return "DescribeContainerInstances";
}

/* By a filter, since one unknown InstanceId would fail the whole call; with the machines
 * of ECS Managed Instances, which are hidden otherwise (facts/ecs.md, section 2). */
static const char *
write_ec2(const struct ecs_hosting *h, const struct batch *b, struct buf *body)
{
	aws_query_begin(body, &aws_service_ec2, "DescribeInstances");
	aws_query_put(body, "Filter.1.Name", STR("instance-id"));
	for (size_t i = 0; i < b->n; i++)
		aws_query_put_nth(body, "Filter.1.Value", (unsigned)i + 1, h->order[b->first + i]->id);
	aws_query_put(body, "IncludeManagedResources", STR("true"));
	aws_query_put(body, "MaxResults", STR(EC2_PAGE));
	if (b->token.len > 0)
		aws_query_put(body, "NextToken", b->token);
	return "DescribeInstances";
}

static const char *
write_ssm(const struct ecs_hosting *h, const struct batch *b, struct buf *body)
{
	ecs_body_managed_begin(body);
	for (size_t i = 0; i < b->n; i++)
		ecs_body_item(body, i == 0, h->order[b->first + i]->id);
	ecs_body_managed_end(body, b->token);
	return "DescribeInstanceInformation";
}

bool
ecs_hosting_next(struct ecs_hosting *h, struct ecs_hosting_ask *ret, struct buf *body)
{
	const struct batch *b;

	if (!ecs_hosting_has_more(h))
		return false;
	b = &h->batches[h->next_batch];
	ret->call = h->next_batch++;
	ret->to = b->to;
	ret->action = b->to == &aws_service_ecs   ? write_instances(h, b, body)
		      : b->to == &aws_service_ec2 ? write_ec2(h, b, body)
						  : write_ssm(h, b, body);
	h->n_open++;
	return true;
}

/* ---- answers ---- */

static void
fail(struct ecs_hosting *h, const struct item *item, const struct err *why)
{
	ecs_hosts_fail(h->hosts, item->arn, why, h->mono_ms);
}

static void
fail_untold(struct ecs_hosting *h, const struct batch *b, const char *who)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct item *item = h->order[b->first + i];
		struct err why = ERR_INIT;

		if (item->told)
			continue;
		err_fill(&why, ERR_REMOTE, 0, "%s tells no address of " STR_FMT ", where tasks run", who,
		    STR_ARG(str_first(item->id.len > 0 ? item->id : str_after_last(item->arn, '/'), 64)));
		fail(h, item, &why);
	}
}

static enum err_code
take_instances(struct ecs_hosting *h, const struct batch *b, struct arena *a, struct str json, struct err *e)
{
	struct ecs_answer_instances answer;
	enum err_code code = ecs_answer_container_instances(a, json, &answer, e);

	for (size_t i = 0; code == ERR_OK && i < b->n; i++) {
		struct item *item = h->order[b->first + i];

		for (size_t k = 0; k < answer.n; k++) {
			if (answer.instances[k].id.len == 0 || !str_eq(answer.instances[k].arn, item->arn))
				continue;
			ecs_hosts_identify(h->hosts, item->arn, answer.instances[k].id);
			item->told = true;
		}
	}
	if (code == ERR_OK)
		fail_untold(h, b, "DescribeContainerInstances");
	return code;
}

static void
fail_refused(struct ecs_hosting *h, struct item *item, const struct ecs_answer_address *at)
{
	struct err why = ERR_INIT;

	err_fill(&why, ERR_REMOTE, 0, STR_FMT ", where tasks run, says of itself `" STR_FMT "`, which is %s",
	    STR_ARG(str_first(item->id, 64)), STR_ARG(at->refused), ECS_ADDRESS_REFUSED);
	fail(h, item, &why);
	item->told = true;
}

static void
take_addresses(struct ecs_hosting *h, const struct batch *b, const struct ecs_answer_addresses *answer)
{
	for (size_t i = 0; i < b->n; i++) {
		struct item *item = h->order[b->first + i];

		for (size_t k = 0; k < answer->n; k++) {
			const struct ecs_answer_address *at = &answer->addresses[k];

			if (!str_eq(at->id, item->id))
				continue;
			if (at->refused.len > 0)
				fail_refused(h, item, at);
			if (at->ipv4.len == 0 && at->ipv6.len == 0)
				continue;
			ecs_hosts_place(h->hosts, item->arn, at->ipv4, at->ipv6, h->mono_ms);
			item->told = true;
		}
	}
}

/* The next page of the same batch. */
static enum err_code
follow(struct ecs_hosting *h, struct batch b, struct str token, struct err *e)
{
	if (++b.pages >= ECS_HOSTING_PAGES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d pages of machines", ECS_HOSTING_PAGES_MAX);
	if (!arena_str(h->arena, token, &b.token))
		return out_of_memory(e);
	return add_batch(h, b, e);
}

static enum err_code
take_machines(struct ecs_hosting *h, struct batch b, struct arena *a, struct str text, struct err *e)
{
	bool is_ec2 = b.to == &aws_service_ec2;
	struct ecs_answer_addresses answer;
	enum err_code code =
	    is_ec2 ? ecs_answer_ec2_instances(a, text, &answer, e) : ecs_answer_ssm_instances(a, text, &answer, e);

	if (code != ERR_OK)
		return code;
	take_addresses(h, &b, &answer);
	if (answer.next_token.len > 0)
		return follow(h, b, answer.next_token, e);
	fail_untold(h, &b, is_ec2 ? "EC2 DescribeInstances" : "SSM DescribeInstanceInformation");
	return ERR_OK;
}

static void
fail_batch(struct ecs_hosting *h, struct batch b, const struct err *why)
{
	for (size_t i = 0; i < b.n; i++)
		if (!h->order[b.first + i]->told)
			fail(h, h->order[b.first + i], why);
}

enum err_code
ecs_hosting_answer(struct ecs_hosting *h, size_t call, struct str text, struct err *e)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new(ECS_ANSWER_ARENA_MAX);
	struct batch b = h->batches[call]; /* a copy: they may move */
	struct err why = ERR_INIT;
	enum err_code code;

	assert(h->n_open > 0);
	h->n_open--;
	if (a == NULL)
		code = out_of_memory(&why);
	else if (b.to == &aws_service_ecs)
		code = take_instances(h, &b, a, text, &why);
	else
		code = take_machines(h, b, a, text, &why);
	if (code != ERR_OK)
		fail_batch(h, b, &why);
	return code == ERR_OK ? code : err_set(e, code, "%s", why.msg);
}

void
ecs_hosting_failed(struct ecs_hosting *h, size_t call, const struct err *why)
{
	assert(h->n_open > 0);
	h->n_open--;
	fail_batch(h, h->batches[call], why);
}

void
ecs_hosting_give_up(struct ecs_hosting *h, const struct err *why)
{
	for (; h->next_batch < h->n_batches; h->next_batch++)
		fail_batch(h, h->batches[h->next_batch], why);
	h->given_up = true;
}

struct err
ecs_hosting_fault(struct ecs_hosting *h)
{
	if (h->starved.code != ERR_OK)
		return h->starved;
	for (size_t i = 0; i < h->n_items; i++) {
		const struct ecs_host *host = ecs_hosts_find(h->hosts, h->items[i].arn);

		if (host != NULL && host->failures > 0)
			return host->why;
	}
	return ERR_INIT;
}
