/* A set of names: see name_set.h. */
#include "config.h"

#include "sync/name_set.h"

#include <stdlib.h>

bool
name_set_has(const struct name_set *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->names[i], name))
			return true;
	return false;
}

static bool
reserve(struct name_set *s)
{
	size_t cap = s->cap == 0 ? 16 : 2 * s->cap;
	struct str *bigger;

	if (s->n < s->cap)
		return true;
	bigger = realloc(s->names, cap * sizeof(*bigger));
	if (bigger == NULL)
		return false;
	s->names = bigger;
	s->cap = cap;
	return true;
}

bool
name_set_add(struct name_set *s, struct str name)
{
	char *copy;

	if (name_set_has(s, name))
		return true;
	if (s->n == NAME_SET_MAX || !reserve(s) || (copy = malloc(name.len + 1)) == NULL)
		return false;
	if (name.len > 0)
		memcpy(copy, name.ptr, name.len);
	copy[name.len] = '\0';
	s->names[s->n++] = str_of(copy, name.len);
	return true;
}

void
name_set_drop(struct name_set *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->names[i], name)) {
			free((char *)(uintptr_t)s->names[i].ptr);
			s->names[i] = s->names[--s->n];
			return;
		}
}

void
name_set_free(struct name_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free((char *)(uintptr_t)s->names[i].ptr);
	free(s->names);
	*s = (struct name_set){ .names = NULL };
}
