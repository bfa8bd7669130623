/*
 * A growing list of equal items, for what is counted only once it is made.
 *
 * A failed append leaves the list as it was and marks it, so that a run of appends
 * may be checked once, at the end (as with struct buf).  Pointers to items die at
 * the next append.
 */
#ifndef PLAN_PLAN_LIST_H
#define PLAN_PLAN_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct plan_list {
	void *items;
	size_t n, cap;
	size_t size; /* of one item */
	bool failed;
};

#define PLAN_LIST_OF(type) ((struct plan_list){ .size = sizeof(type) })

void *plan_list_add(struct plan_list *l); /* a zeroed item, or null */
void plan_list_free(struct plan_list *l); /* leaves it empty and usable */

#endif
