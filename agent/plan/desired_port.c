/* Ports and addresses of containers: see desired_port.h. */
#include "config.h"

#include "plan/desired_port.h"

#include <stdio.h>

#include "plan/desired_verdict.h"
#include "plan/plan_say.h"

#define PORTS_NAMED_MAX 6 /* in a message */

static bool
publishes(const struct taskdef_container *c, uint16_t port)
{
	for (size_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].tcp && c->ports[i].container_port == port)
			return true;
	return false;
}

static bool
is_published(const struct taskdef *d, uint16_t port)
{
	for (size_t i = 0; i < d->n_containers; i++)
		if (publishes(&d->containers[i], port))
			return true;
	return false;
}

static const struct taskdef_container *
only_essential(const struct taskdef *d)
{
	const struct taskdef_container *only = NULL;

	for (size_t i = 0; i < d->n_containers; i++) {
		if (!d->containers[i].essential)
			continue;
		if (only != NULL)
			return NULL;
		only = &d->containers[i];
	}
	return only;
}

/* ---- an entry with a port ---- */

static bool
choose_of_entry(struct arena *a, const struct conf_backend *entry, const struct taskdef *d, struct str container,
    struct desired_port *ret)
{
	const struct taskdef_container *c = taskdef_container(d, container);
	bool by_another = is_published(d, entry->port);

	if (c != NULL && (publishes(c, entry->port) || (!by_another && c == only_essential(d)))) {
		*ret = (struct desired_port){ .port = entry->port };
		return true;
	}
	if (by_another) {
		*ret = (struct desired_port){ .reason = REASON_NOT_SELECTED };
		return plan_say(a, &ret->message,
		    "container `" STR_FMT "` does not publish port %u: backends entry `" STR_FMT
		    "` takes the containers that do",
		    STR_ARG(container), (unsigned)entry->port, STR_ARG(entry->name));
	}
	*ret = (struct desired_port){ .reason = REASON_NO_PORT };
	return plan_say(a, &ret->message,
	    "no container of the task publishes port %u of backends entry `" STR_FMT "`, and `" STR_FMT
	    "` is not its only essential one: add the port to the portMappings of the container that listens on it",
	    (unsigned)entry->port, STR_ARG(entry->name), STR_ARG(container));
}

/* ---- an entry without: the container's only one ---- */

/* Is ports[i] the first TCP mapping of its container port? */
static bool
counts(const struct taskdef_container *c, size_t i)
{
	const struct taskdef_port *p = &c->ports[i];

	if (!p->tcp || p->container_port == 0)
		return false;
	for (size_t k = 0; k < i; k++)
		if (c->ports[k].tcp && c->ports[k].container_port == p->container_port)
			return false;
	return true;
}

static size_t
count_ports(const struct taskdef_container *c, uint16_t *ret_first)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_ports; i++) {
		if (!counts(c, i))
			continue;
		if (n++ == 0)
			*ret_first = c->ports[i].container_port;
	}
	return n;
}

static const char *
joint(size_t k, size_t named, size_t n)
{
	if (k == 0)
		return "";
	return k + 1 == named && named == n ? " and " : ", ";
}

/* "50051 and 8080"; "1, 2, 3, 4, 5, 6 and 20 more". */
static void
list_ports(const struct taskdef_container *c, size_t n, char *text, size_t size)
{
	size_t named = n < PORTS_NAMED_MAX ? n : PORTS_NAMED_MAX, k = 0, at = 0;

	for (size_t i = 0; i < c->n_ports && k < named; i++) {
		int wrote;

		if (!counts(c, i))
			continue;
		wrote =
		    snprintf(text + at, size - at, "%s%u", joint(k, named, n), (unsigned)c->ports[i].container_port);
		at += wrote > 0 ? (size_t)wrote : 0;
		k++;
	}
	if (n > named)
		(void)snprintf(text + at, size - at, " and %zu more", n - named);
}

static bool
say_several(
    struct arena *a, const struct conf_backend *entry, const struct taskdef_container *c, size_t n, struct str *ret)
{
	char ports[PORTS_NAMED_MAX * 12 + 40] = "";

	list_ports(c, n, ports, sizeof(ports));
	return plan_say(a, ret,
	    "container `" STR_FMT "` publishes ports %s: say which with `port:` in backends entry `" STR_FMT "`",
	    STR_ARG(c->name), ports, STR_ARG(entry->name));
}

static bool
choose_only(struct arena *a, const struct conf_backend *entry, const struct taskdef *d, struct str container,
    struct desired_port *ret)
{
	const struct taskdef_container *c = taskdef_container(d, container);
	uint16_t first = 0;
	size_t n = c != NULL ? count_ports(c, &first) : 0;

	if (n == 1) {
		*ret = (struct desired_port){ .port = first };
		return true;
	}
	if (n > 1) {
		*ret = (struct desired_port){ .reason = REASON_SEVERAL_PORTS };
		return say_several(a, entry, c, n, &ret->message);
	}
	*ret = (struct desired_port){ .reason = REASON_NO_PORT };
	return plan_say(a, &ret->message,
	    "container `" STR_FMT "` publishes no TCP port: add it to its portMappings, or say it with `port:` in "
	    "backends entry `" STR_FMT "`",
	    STR_ARG(container), STR_ARG(entry->name));
}

/* Without its definition a task can't enter.  That it is over is believed all the
 * same, so that the end of a task explains its server when the definition can't be
 * read any more. */
static bool
choose_unread(struct arena *a, const struct conf_backend *entry, const struct roster_task *t, struct desired_port *ret)
{
	if (entry->port != 0 && desired_verdict_is_over(t)) {
		*ret = (struct desired_port){ .port = entry->port };
		return true;
	}
	*ret = (struct desired_port){ .reason = REASON_NO_PORT };
	return plan_say(a, &ret->message, "its task definition is not read yet");
}

bool
desired_port_choose(struct arena *a, const struct conf_backend *entry, const struct roster_task *t,
    struct str container, struct desired_port *ret)
{
	if (t->definition == NULL)
		return choose_unread(a, entry, t, ret);
	if (entry->port != 0)
		return choose_of_entry(a, entry, t->definition, container, ret);
	return choose_only(a, entry, t->definition, container, ret);
}

/* awsvpc: the task has an interface of its own, and the container's port is open on
 * it.  Bridge and host tasks have no address here yet. */
bool
desired_port_reach(const struct roster_container *c, uint16_t port, struct plan_address *ret)
{
	return plan_address_parse(c->ipv4, port, ret) || plan_address_parse(c->ipv6, port, ret);
}

bool
desired_port_say_unreachable(struct arena *a, const struct roster_task *t, struct str container, struct str *ret)
{
	if (t->definition != NULL && t->definition->network != TASKDEF_AWSVPC)
		return plan_say(a, ret,
		    "ECS names no address for container `" STR_FMT "`: only tasks of network mode awsvpc are served",
		    STR_ARG(container));
	return plan_say(a, ret, "ECS names no address for container `" STR_FMT "`: its network interface is not there",
	    STR_ARG(container));
}
