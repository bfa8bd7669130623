/*
 * The name that a task's port gets as a dynamic server: see desired.h.
 *
 * Container names come from AWS and are not trusted: what HAProxy does not allow in
 * a server's name becomes "_", and a long name is cut.  The id and the port are
 * whole, and alone make the name unique within a backend.
 */
#include "config.h"

#include <stdio.h>

#include "ecs/arn.h"
#include "plan/desired.h"

#define TASK_ID_MAX 64

static bool
is_alphanumeric(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_of_server_name(char c)
{
	return is_alphanumeric(c) || c == '_' || c == '.' || c == ':' || c == '-';
}

static bool
is_task_id(struct str id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!is_alphanumeric(id.ptr[i]) && id.ptr[i] != '-')
			return false;
	return id.len > 0 && id.len <= TASK_ID_MAX;
}

static void
replace_the_rest(char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_of_server_name(name[i]))
			name[i] = '_';
}

/* snprintf would stop at a NUL; container names are bytes. */
static size_t
put(char *to, struct str s)
{
	if (s.len > 0)
		memcpy(to, s.ptr, s.len);
	return s.len;
}

enum err_code
desired_server_name(
    struct arena *a, struct str task_id, struct str container, uint16_t port, struct str *ret, struct err *e)
{
	char name[DESIRED_NAME_MAX], digits[8];
	size_t n = 0, fixed;
	int n_digits = snprintf(digits, sizeof(digits), "_%u", (unsigned)port);

	if (!is_task_id(task_id) || n_digits < 0)
		return err_set(e, ERR_ARG, "a task id of %zu bytes that is not one", task_id.len);
	fixed = sizeof("rc__") - 1 + task_id.len + (size_t)n_digits;
	n += put(name, STR("rc_"));
	n += put(name + n, task_id);
	n += put(name + n, STR("_"));
	n += put(name + n, str_first(container, sizeof(name) - fixed));
	n += put(name + n, str_of(digits, (size_t)n_digits));
	replace_the_rest(name, n);
	if (!arena_str(a, str_of(name, n), ret))
		return err_set(e, ERR_NOMEM, "a server's name: %s", err_text(ERR_NOMEM));
	return ERR_OK;
}

bool
desired_server_id(struct str name, struct str *ret)
{
	struct str rest;
	size_t at;

	if (!str_has_prefix(name, STR("rc_")))
		return false;
	rest = str_skip(name, sizeof("rc_") - 1);
	if (!str_find(rest, '_', &at) || !arn_is_task_id(str_first(rest, at)))
		return false;
	*ret = str_first(rest, at);
	return true;
}
