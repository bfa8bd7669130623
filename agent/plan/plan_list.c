/* A growing list: see plan_list.h. */
#include "config.h"

#include "plan/plan_list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16

static bool
reserve(struct plan_list *l)
{
	size_t cap = l->cap == 0 ? FIRST_CAP : l->cap * 2;
	void *bigger;

	if (l->n < l->cap)
		return true;
	if (l->cap > SIZE_MAX / 2 / l->size)
		return false;
	bigger = realloc(l->items, cap * l->size);
	if (bigger == NULL)
		return false;
	l->items = bigger;
	l->cap = cap;
	return true;
}

void *
plan_list_add(struct plan_list *l)
{
	unsigned char *item;

	if (!reserve(l)) {
		l->failed = true;
		return NULL;
	}
	item = (unsigned char *)l->items + l->n++ * l->size;
	memset(item, 0, l->size);
	return item;
}

void
plan_list_free(struct plan_list *l)
{
	free(l->items);
	*l = (struct plan_list){ .size = l->size };
}
