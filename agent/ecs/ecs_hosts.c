/*
 * Machines by container instance: a sorted array of pointers, which is searched often
 * and grows rarely.  See ecs_hosts.h.
 */
#include "config.h"

#include "ecs/ecs_hosts.h"

#include <assert.h>
#include <stdlib.h>

#define ADDRESS_SIZE 46 /* INET6_ADDRSTRLEN */

struct node {
	struct ecs_host host; /* its texts are in here */
	uint64_t used;        /* the higher, the later */
	char id[ECS_HOSTS_ID_MAX], ipv4[ADDRESS_SIZE], ipv6[ADDRESS_SIZE];
	char arn[];
};

struct ecs_hosts {
	struct node **nodes; /* sorted by ARN */
	size_t n, cap, max;
	uint64_t clock;
};

struct ecs_hosts *
ecs_hosts_new(size_t max)
{
	struct ecs_hosts *h = calloc(1, sizeof(*h));

	assert(max > 0);
	if (h != NULL)
		h->max = max;
	return h;
}

void
ecs_hosts_free(struct ecs_hosts *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n; i++)
		free(h->nodes[i]);
	free(h->nodes);
	free(h);
}

/* Where it is (true), or belongs. */
static bool
seek(const struct ecs_hosts *h, struct str arn, size_t *ret)
{
	size_t from = 0, to = h->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = str_cmp(h->nodes[middle]->host.arn, arn);

		if (order == 0) {
			*ret = middle;
			return true;
		}
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	*ret = from;
	return false;
}

static struct node *
find(struct ecs_hosts *h, struct str arn)
{
	size_t at;

	if (!seek(h, arn, &at))
		return NULL;
	h->nodes[at]->used = ++h->clock;
	return h->nodes[at];
}

const struct ecs_host *
ecs_hosts_find(struct ecs_hosts *h, struct str arn)
{
	const struct node *node = find(h, arn);

	return node != NULL ? &node->host : NULL;
}

static void
forget_oldest(struct ecs_hosts *h)
{
	size_t oldest = 0;

	for (size_t i = 1; i < h->n; i++)
		if (h->nodes[i]->used < h->nodes[oldest]->used)
			oldest = i;
	free(h->nodes[oldest]);
	h->n--;
	memmove(h->nodes + oldest, h->nodes + oldest + 1, (h->n - oldest) * sizeof(struct node *));
}

static bool
make_room(struct ecs_hosts *h)
{
	size_t cap = h->cap == 0 ? 16 : h->cap * 2;
	struct node **bigger;

	if (h->n == h->max)
		forget_oldest(h);
	if (h->n < h->cap)
		return true;
	bigger = reallocarray(h->nodes, cap, sizeof(struct node *));
	if (bigger == NULL)
		return false;
	h->nodes = bigger;
	h->cap = cap;
	return true;
}

static struct node *
new_node(struct str arn)
{
	struct node *node = calloc(1, sizeof(*node) + arn.len + 1);

	if (node == NULL)
		return NULL;
	memcpy(node->arn, arn.ptr, arn.len);
	node->host.arn = str_of(node->arn, arn.len);
	node->host.id = node->host.ipv4 = node->host.ipv6 = STR("");
	return node;
}

const struct ecs_host *
ecs_hosts_add(struct ecs_hosts *h, struct str arn)
{
	struct node *node = find(h, arn);
	size_t at;

	assert(arn.len > 0);
	if (node != NULL)
		return &node->host;
	node = make_room(h) ? new_node(arn) : NULL;
	if (node == NULL)
		return NULL;
	(void)seek(h, arn, &at);
	memmove(h->nodes + at + 1, h->nodes + at, (h->n - at) * sizeof(struct node *));
	h->nodes[at] = node;
	h->n++;
	node->used = ++h->clock;
	return &node->host;
}

static void
keep(char *room, size_t size, struct str s, struct str *ret)
{
	assert(s.len < size);
	if (s.len > 0)
		memcpy(room, s.ptr, s.len);
	room[s.len] = '\0';
	*ret = str_of(room, s.len);
}

void
ecs_hosts_identify(struct ecs_hosts *h, struct str arn, struct str id)
{
	struct node *node = find(h, arn);

	if (node != NULL)
		keep(node->id, sizeof(node->id), id, &node->host.id);
}

bool
ecs_hosts_is_external(struct str id)
{
	return str_has_prefix(id, STR("mi-"));
}

void
ecs_hosts_place(struct ecs_hosts *h, struct str arn, struct str ipv4, struct str ipv6, int64_t mono_ms)
{
	struct node *node = find(h, arn);

	if (node == NULL)
		return;
	keep(node->ipv4, sizeof(node->ipv4), ipv4, &node->host.ipv4);
	keep(node->ipv6, sizeof(node->ipv6), ipv6, &node->host.ipv6);
	node->host.failures = 0;
	node->host.why = ERR_INIT;
	node->host.due_ms = ecs_hosts_is_external(node->host.id) ? mono_ms + ECS_HOSTS_EXTERNAL_MS : INT64_MAX;
}

/* An address that was known stays: that nobody tells it now is no evidence. */
void
ecs_hosts_fail(struct ecs_hosts *h, struct str arn, const struct err *why, int64_t mono_ms)
{
	struct node *node = find(h, arn);
	int64_t wait = ECS_HOSTS_RETRY_MS;

	if (node == NULL)
		return;
	for (unsigned i = 0; i < node->host.failures && wait < ECS_HOSTS_RETRY_CAP_MS; i++)
		wait *= 2;
	node->host.failures++;
	node->host.why = *why;
	node->host.due_ms = mono_ms + (wait < ECS_HOSTS_RETRY_CAP_MS ? wait : ECS_HOSTS_RETRY_CAP_MS);
}
