/*
 * Names: the one that a task's port gets as a dynamic server (desired.h), the one that a
 * container gets as a backend, and what names of ECS become in rules (desired_label.h).
 *
 * Container names come from AWS and are not trusted: what HAProxy does not allow in
 * a server's name becomes "_", and a long name is cut.  The id and the port are
 * whole, and alone make the name unique within a backend.
 */
#include "config.h"

#include <stdio.h>

#include "base/buf.h"
#include "ecs/arn.h"
#include "label/label_text.h"
#include "plan/desired_label.h"

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

/* ---- backends, and rules ---- */

static void
put_joined(char *name, size_t *n, struct str part)
{
	if (*n > 0 && *n < LABEL_TEXT_NAME_MAX)
		name[(*n)++] = '-';
	part = str_first(part, LABEL_TEXT_NAME_MAX - *n);
	*n += put(name + *n, part);
}

bool
desired_backend_name(
    struct arena *a, struct str cluster, struct str service, struct str container, struct str endpoint, struct str *ret)
{
	char name[LABEL_TEXT_NAME_MAX];
	size_t n = 0;

	put_joined(name, &n, cluster);
	put_joined(name, &n, service);
	put_joined(name, &n, container);
	if (endpoint.len > 0)
		put_joined(name, &n, endpoint);
	replace_the_rest(name, n);
	return arena_str(a, str_of(name, n), ret);
}

/* As Traefik's `normalize`: each run of what is neither letter nor digit is one hyphen. */
static void
put_normal(struct buf *out, struct str s)
{
	bool in_run = false;

	for (size_t i = 0; i < s.len; i++) {
		if (is_alphanumeric(s.ptr[i]))
			buf_put(out, str_of(s.ptr + i, 1));
		else if (!in_run)
			buf_put_u8(out, '-');
		in_run = !is_alphanumeric(s.ptr[i]);
	}
}

static void
put_traefik_name(struct buf *out, const struct desired_unit *u)
{
	if (!str_has_prefix(u->service, STR("family:")))
		buf_put(out, STR("service-"));
	put_normal(out, u->service);
	buf_put_u8(out, '-');
	put_normal(out, u->container->name);
}

/* False: no such name. */
static bool
put_placeholder(struct buf *out, struct str name, const struct desired_unit *u)
{
	if (str_eq(name, STR("cluster")))
		put_normal(out, arn_cluster_name(u->cluster->name));
	else if (str_eq(name, STR("service")))
		put_normal(out, u->service);
	else if (str_eq(name, STR("container")))
		put_normal(out, u->container->name);
	else if (str_eq(name, STR("family")))
		put_normal(out, u->definition->family);
	else if (str_eq(name, STR("name")))
		put_traefik_name(out, u);
	else
		return false;
	return true;
}

bool
desired_default_rule(struct arena *a, struct str rule, const struct desired_unit *u, struct str *ret)
{
	struct buf out = buf_make(LABEL_TEXT_VALUE_MAX);
	size_t len;
	bool ok;

	for (size_t i = 0; i < rule.len; i++) {
		struct str rest = str_skip(rule, i);

		if (rest.ptr[0] == '{' && str_find(rest, '}', &len) &&
		    put_placeholder(&out, str_of(rest.ptr + 1, len - 1), u))
			i += len;
		else
			buf_put_u8(&out, (uint8_t)rest.ptr[0]);
	}
	ok = arena_str(a, buf_str(&out), ret); /* cut short, it is a rule that is none */
	buf_free(&out);
	return ok;
}

bool
desired_traefik_rule(struct arena *a, const struct desired_unit *u, struct str *ret)
{
	return desired_default_rule(a, STR("Host(`{name}`)"), u, ret);
}
