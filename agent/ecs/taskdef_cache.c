/*
 * Task definitions by ARN: a hash table of chains for finding, and a list from
 * the most to the least recently used for forgetting.
 */
#include "config.h"

#include "ecs/taskdef_cache.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

struct node {
	struct taskdef *definition; /* a reference; its ARN is the key */
	struct node *chain;         /* next of the same bucket */
	struct node *newer, *older;
};

struct taskdef_cache {
	struct node *newest, *oldest;
	size_t n, max;
	size_t n_buckets; /* a power of two */
	struct node *buckets[];
};

static size_t
bucket_count(size_t max)
{
	size_t n = 16;

	while (n < max && n <= SIZE_MAX / 4 / sizeof(struct node *))
		n *= 2;
	return n;
}

struct taskdef_cache *
taskdef_cache_new(size_t max)
{
	size_t n = bucket_count(max);
	struct taskdef_cache *c = calloc(1, sizeof(*c) + n * sizeof(struct node *));

	assert(max > 0);
	if (c == NULL)
		return NULL;
	c->max = max;
	c->n_buckets = n;
	return c;
}

void
taskdef_cache_free(struct taskdef_cache *c)
{
	if (c == NULL)
		return;
	while (c->newest != NULL) {
		struct node *older = c->newest->older;

		taskdef_unref(c->newest->definition);
		free(c->newest);
		c->newest = older;
	}
	free(c);
}

/* FNV-1a; ARNs come from AWS, and a bad day is a long chain, no more. */
static struct node **
bucket_of(struct taskdef_cache *c, struct str arn)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < arn.len; i++)
		hash = (hash ^ (uint8_t)arn.ptr[i]) * UINT64_C(0x100000001b3);
	return &c->buckets[(hash ^ hash >> 32) & (c->n_buckets - 1)];
}

/* Where the pointer to the node of arn is, or would be. */
static struct node **
slot_of(struct taskdef_cache *c, struct str arn)
{
	struct node **at = bucket_of(c, arn);

	while (*at != NULL && !str_eq((*at)->definition->arn, arn))
		at = &(*at)->chain;
	return at;
}

static void
link_as_newest(struct taskdef_cache *c, struct node *node)
{
	node->newer = NULL;
	node->older = c->newest;
	if (c->newest != NULL)
		c->newest->newer = node;
	else
		c->oldest = node;
	c->newest = node;
}

static void
unlink_node(struct taskdef_cache *c, struct node *node)
{
	if (node->newer != NULL)
		node->newer->older = node->older;
	else
		c->newest = node->older;
	if (node->older != NULL)
		node->older->newer = node->newer;
	else
		c->oldest = node->newer;
}

static void
forget_oldest(struct taskdef_cache *c)
{
	struct node *node = c->oldest;

	assert(node != NULL && node->definition != NULL);
	*slot_of(c, node->definition->arn) = node->chain;
	unlink_node(c, node);
	taskdef_unref(node->definition);
	free(node);
	c->n--;
}

struct taskdef *
taskdef_cache_get(struct taskdef_cache *c, struct str arn)
{
	struct node *node = *slot_of(c, arn);

	if (node == NULL)
		return NULL;
	unlink_node(c, node);
	link_as_newest(c, node);
	return node->definition;
}

enum err_code
taskdef_cache_put(struct taskdef_cache *c, struct taskdef *d, struct err *e)
{
	struct node *node;
	struct node **at;

	if (taskdef_cache_get(c, d->arn) != NULL)
		return ERR_OK; /* a revision never changes */
	node = calloc(1, sizeof(*node));
	if (node == NULL)
		return err_set(e, ERR_NOMEM, "remember a task definition: %s", err_text(ERR_NOMEM));
	if (c->n == c->max)
		forget_oldest(c);
	node->definition = taskdef_ref(d);
	at = bucket_of(c, d->arn);
	node->chain = *at;
	*at = node;
	link_as_newest(c, node);
	c->n++;
	return ERR_OK;
}
