/* What HAProxy holds: see actual.h. */
#include "config.h"

#include "plan/actual.h"

#define SLOT_DIGITS_MAX 6

static const struct str ours = { .ptr = "rc_", .len = 3 };

void
actual_free(struct actual *a)
{
	if (a != NULL)
		arena_free(a->arena); /* a is in it */
}

const struct actual_backend *
actual_find(const struct actual *a, struct str backend)
{
	for (size_t i = 0; i < a->n_backends; i++)
		if (str_eq(a->backends[i].name, backend))
			return &a->backends[i];
	return NULL;
}

bool
actual_is_at_least(const struct actual *a, unsigned major, unsigned minor)
{
	return a->major > major || (a->major == major && a->minor >= minor);
}

bool
actual_is_ours(struct str name)
{
	return str_has_prefix(name, ours);
}

bool
actual_slot_number(struct str name, unsigned *ret)
{
	struct str digits = str_skip(name, ours.len);
	uint64_t number;

	if (!actual_is_ours(name) || digits.len > SLOT_DIGITS_MAX || !str_to_u64(digits, UINT32_MAX, &number))
		return false;
	*ret = (unsigned)number;
	return true;
}

const char *
actual_admin_name(enum actual_admin a)
{
	static const char *const names[] = {
		[ACTUAL_READY] = "ready",
		[ACTUAL_DRAIN] = "drain",
		[ACTUAL_MAINT] = "maint",
	};

	return names[a];
}
