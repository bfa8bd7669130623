/* Memory that lives and dies together: see arena.h. */
#include "config.h"

#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK ((size_t)1024)
#define CHUNK_MAX   ((size_t)256 * 1024)

struct chunk {
	struct chunk *next;
	size_t used, cap;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct chunk *head; /* the one being filled */
	size_t taken;       /* bytes asked of malloc */
	size_t used;
	size_t limit;
};

struct arena *
arena_new(size_t limit)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->limit = limit;
	return a;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	while (a->head != NULL) {
		struct chunk *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	free(a);
}

void
arena_wipe(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct chunk *c = a->head; c != NULL; c = c->next)
		explicit_bzero(c->bytes, c->used);
	arena_free(a);
}

/* Chunks double up to CHUNK_MAX, so that a small snapshot is small and a large
 * one is few allocations. */
static size_t
chunk_size(const struct arena *a, size_t need)
{
	size_t size = a->head != NULL ? a->head->cap * 2 : FIRST_CHUNK;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	return size < need ? need : size;
}

/* A chunk that one piece fills goes behind the head, which has room left. */
static void
link_chunk(struct arena *a, struct chunk *c, bool is_filled)
{
	struct chunk **at = is_filled && a->head != NULL ? &a->head->next : &a->head;

	c->next = *at;
	*at = c;
}

static struct chunk *
add_chunk(struct arena *a, size_t need)
{
	size_t cap = chunk_size(a, need);
	struct chunk *c;

	if (need > a->limit - a->taken)
		return NULL;
	if (cap > a->limit - a->taken)
		cap = need;
	c = malloc(sizeof(*c) + cap);
	if (c == NULL)
		return NULL;
	c->cap = cap;
	c->used = 0;
	link_chunk(a, c, cap == need);
	a->taken += cap;
	return c;
}

/* As arena_alloc, with whatever is there. */
static void *
take(struct arena *a, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	size_t need;
	struct chunk *c = a->head;
	void *p;

	if (size != 0 && n > (SIZE_MAX - align - sizeof(*c)) / size)
		return NULL;
	need = (n * size + align - 1) / align * align;
	if (c == NULL || need > c->cap - c->used)
		c = add_chunk(a, need);
	if (c == NULL)
		return NULL;
	p = c->bytes + c->used;
	c->used += need;
	a->used += need;
	return p;
}

void *
arena_alloc(struct arena *a, size_t n, size_t size)
{
	void *p = take(a, n, size);

	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

const char *
arena_strdup(struct arena *a, struct str s)
{
	char *copy = take(a, s.len + 1, 1);

	if (copy == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool
arena_str(struct arena *a, struct str s, struct str *ret)
{
	const char *copy = arena_strdup(a, s);

	if (copy == NULL)
		return false;
	*ret = str_of(copy, s.len);
	return true;
}
