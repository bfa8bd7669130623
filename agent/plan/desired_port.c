/* Ports and addresses of containers: see desired_port.h. */
#include "config.h"

#include "plan/desired_port.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/arena_say.h"
#include "plan/desired_verdict.h"

#define PORTS_NAMED_MAX 6 /* in a message */

static bool
publishes(const struct taskdef_container *c, uint16_t port)
{
	for (size_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].tcp && port >= c->ports[i].container_port &&
		    port - c->ports[i].container_port < c->ports[i].n)
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
		return arena_say(a, &ret->message,
		    "container `" STR_FMT "` does not publish port %u: backends entry `" STR_FMT
		    "` takes the containers that do",
		    STR_ARG(container), (unsigned)entry->port, STR_ARG(entry->name));
	}
	*ret = (struct desired_port){ .reason = REASON_NO_PORT };
	return arena_say(a, &ret->message,
	    "no container of the task publishes port %u of backends entry `" STR_FMT "`, and `" STR_FMT
	    "` is not its only essential one: add the port to the portMappings of the container that listens on it",
	    (unsigned)entry->port, STR_ARG(entry->name), STR_ARG(container));
}

/* ---- an entry without: the container's only one ---- */

/* Is ports[i] the first TCP mapping of its container port (or range)? */
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
		if (n == 0)
			*ret_first = c->ports[i].container_port;
		n += c->ports[i].n;
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

static size_t
count_mappings(const struct taskdef_container *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_ports; i++)
		n += counts(c, i);
	return n;
}

/* "50051 and 8080-8090"; "1, 2, 3, 4, 5, 6 and 20 more". */
static void
list_ports(const struct taskdef_container *c, char *text, size_t size)
{
	size_t n = count_mappings(c), named = n < PORTS_NAMED_MAX ? n : PORTS_NAMED_MAX, k = 0, at = 0;

	for (size_t i = 0; i < c->n_ports && k < named; i++) {
		unsigned first = c->ports[i].container_port, last = first + c->ports[i].n - 1;
		char range[8] = "";
		int wrote;

		if (!counts(c, i))
			continue;
		if (last > first)
			(void)snprintf(range, sizeof(range), "-%u", last & UINT16_MAX);
		wrote = snprintf(text + at, size - at, "%s%u%s", joint(k, named, n), first, range);
		at += wrote > 0 ? (size_t)wrote : 0;
		k++;
	}
	if (n > named)
		(void)snprintf(text + at, size - at, " and %zu more", n - named);
}

static bool
say_several(struct arena *a, const struct conf_backend *entry, const struct taskdef_container *c, struct str *ret)
{
	char ports[PORTS_NAMED_MAX * 18 + 40] = "";

	list_ports(c, ports, sizeof(ports));
	return arena_say(a, ret,
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
		return say_several(a, entry, c, &ret->message);
	}
	*ret = (struct desired_port){ .reason = REASON_NO_PORT };
	return arena_say(a, &ret->message,
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
	return arena_say(a, &ret->message, "its task definition is not read yet");
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

static uint16_t
lowest_port(const struct taskdef_container *c)
{
	uint16_t lowest = 0;

	for (size_t i = 0; i < c->n_ports; i++)
		if (counts(c, i) && (lowest == 0 || c->ports[i].container_port < lowest))
			lowest = c->ports[i].container_port;
	return lowest;
}

static bool
say_several_by_label(struct arena *a, const struct taskdef_container *c, struct str *ret)
{
	char ports[PORTS_NAMED_MAX * 12 + 40] = "";

	list_ports(c, ports, sizeof(ports));
	return arena_say(a, ret, "container `" STR_FMT "` publishes ports %s: say which with the label rollcall.port",
	    STR_ARG(c->name), ports);
}

bool
desired_port_choose_by_label(struct arena *a, uint16_t port, bool lowest, const struct roster_task *t,
    struct str container, struct desired_port *ret)
{
	const struct taskdef_container *c = t->definition != NULL ? taskdef_container(t->definition, container) : NULL;
	uint16_t first = 0;
	size_t n = c != NULL ? count_ports(c, &first) : 0;

	if (port == 0 && n > 1 && lowest)
		port = lowest_port(c);
	if (port == 0 && n == 1)
		port = first;
	*ret = (struct desired_port){ .port = port };
	if (port != 0)
		return true;
	ret->reason = n > 1 ? REASON_SEVERAL_PORTS : REASON_NO_PORT;
	if (n > 1)
		return say_several_by_label(a, c, &ret->message);
	return arena_say(a, &ret->message,
	    "container `" STR_FMT
	    "` publishes no TCP port: add it to its portMappings, or say it with the label rollcall.port",
	    STR_ARG(container));
}

/* ---- where it is reached ---- */

/* The port of the machine, or 0.  Docker binds a port on 0.0.0.0 and on ::, sometimes to two
 * different ports of the machine; each goes with the address of its family. */
static uint16_t
bound_port(const struct roster_container *c, uint16_t port, bool on_ipv6)
{
	uint16_t lowest = 0;

	for (size_t i = 0; i < c->n_bindings; i++) {
		const struct roster_binding *b = &c->bindings[i];
		uint16_t host_port = (uint16_t)(b->host_port + (port - b->container_port));

		if (!b->tcp || b->on_ipv6 != on_ipv6 || port < b->container_port || port - b->container_port >= b->n)
			continue;
		if (lowest == 0 || host_port < lowest)
			lowest = host_port;
	}
	return lowest;
}

/* What is bound to :: alone is tried by an IPv4 address as well, if there is no other. */
static bool
reach_bound(const struct roster_task *t, const struct roster_container *c, uint16_t port, struct plan_address *ret)
{
	uint16_t on_ipv4 = bound_port(c, port, false), on_ipv6 = bound_port(c, port, true);

	return plan_address_parse(t->host_ipv4, on_ipv4, ret) || plan_address_parse(t->host_ipv6, on_ipv6, ret) ||
	       plan_address_parse(t->host_ipv4, on_ipv6, ret) || plan_address_parse(t->host_ipv6, on_ipv4, ret);
}

/*
 * awsvpc: the task has an interface of its own, and the container's port is open on it.
 * host: the container's port is the machine's.  bridge: it is bound to some port of the
 * machine.
 */
bool
desired_port_reach(
    const struct roster_task *t, const struct roster_container *c, uint16_t port, struct plan_address *ret)
{
	if (plan_address_parse(c->ipv4, port, ret) || plan_address_parse(c->ipv6, port, ret))
		return true;
	if (!taskdef_is_on_host(t->definition))
		return false;
	if (t->definition->network == TASKDEF_BRIDGE)
		return reach_bound(t, c, port, ret);
	return plan_address_parse(t->host_ipv4, port, ret) || plan_address_parse(t->host_ipv6, port, ret);
}

static size_t
add_place(const struct roster_task *t, const struct roster_container *c, uint16_t first, uint16_t n_ports,
    struct plan_address *ret, size_t n, size_t max)
{
	for (unsigned i = 0; i < n_ports && n < max; i++)
		if (desired_port_reach(t, c, (uint16_t)(first + i), &ret[n]))
			n++;
	return n;
}

/* Many tasks share the address of a machine: there, only its own ports are a container's, and of
 * these the TCP ones: its UDP port leaves the TCP port of that number to another task. */
size_t
desired_port_places(const struct roster_task *t, const struct roster_container *c, struct plan_address *ret, size_t max)
{
	const struct taskdef_container *d;
	size_t n = 0;

	if (!taskdef_is_on_host(t->definition)) {
		if (max == 0 || !desired_port_reach(t, c, 1, &ret[0]))
			return 0;
		ret[0].port = 0;
		return 1;
	}
	for (size_t i = 0; i < c->n_bindings; i++)
		if (c->bindings[i].tcp)
			n = add_place(t, c, c->bindings[i].container_port, c->bindings[i].n, ret, n, max);
	d = t->definition->network == TASKDEF_HOST ? taskdef_container(t->definition, c->name) : NULL;
	for (size_t i = 0; d != NULL && i < d->n_ports; i++)
		if (d->ports[i].tcp)
			n = add_place(t, c, d->ports[i].container_port, d->ports[i].n, ret, n, max);
	return n;
}

static bool
is_loopback(const struct plan_address *at)
{
	if (at->family == PLAN_ADDRESS_V4)
		return at->bytes[0] == 127;
	return memcmp(at->bytes, &in6addr_loopback, sizeof(at->bytes)) == 0;
}

/* A path has no port.  Of loopback any address counts: the socket may be bound to more than one. */
static bool
is_socket_at(struct str socket, const struct plan_address *at)
{
	struct str port = str_after_last(socket, ':'), host;
	struct plan_address own;
	uint64_t number;

	if (str_has_prefix(socket, STR("/")) || port.len == socket.len || !str_to_u64(port, UINT16_MAX, &number) ||
	    number != at->port)
		return false;
	host = str_first(socket, socket.len - port.len - 1);
	if (str_has_prefix(host, STR("[")) && str_has_suffix(host, STR("]")))
		host = str_skip(str_first(host, host.len - 1), 1);
	return is_loopback(at) || (plan_address_parse(host, at->port, &own) && plan_address_cmp(&own, at) == 0);
}

bool
desired_port_is_of_haproxy(const struct conf_haproxy *h, const struct plan_address *at)
{
	return is_socket_at(h->socket, at) || is_socket_at(h->master_socket, at);
}

bool
desired_port_say_of_haproxy(struct arena *a, const struct plan_address *at, struct str *ret)
{
	char text[PLAN_ADDRESS_TEXT_SIZE];

	plan_address_text(at, text);
	return arena_say(a, ret,
	    "%s port %u is a socket of HAProxy's own, which takes orders and no calls: whoever says that this is the "
	    "task's place is wrong",
	    text, (unsigned)at->port);
}

static bool
say_unbound(
    struct arena *a, const struct roster_task *t, const struct roster_container *c, uint16_t port, struct str *ret)
{
	struct str instance = str_first(str_after_last(t->container_instance_arn, '/'), 64);

	if (t->container_instance_arn.len == 0)
		return arena_say(a, ret, "the task has no container instance yet");
	if (t->host_ipv4.len == 0 && t->host_ipv6.len == 0)
		return arena_say(a, ret,
		    "the address of its container instance " STR_FMT
		    " is not known: the error of its cluster in `rollcall status` says why",
		    STR_ARG(instance));
	return arena_say(a, ret,
	    "ECS names no port of container instance " STR_FMT " to which port %u of container `" STR_FMT
	    "` is bound: it has just started, or its portMappings lack the port",
	    STR_ARG(instance), (unsigned)port, STR_ARG(c->name));
}

bool
desired_port_say_unreachable(
    struct arena *a, const struct roster_task *t, const struct roster_container *c, uint16_t port, struct str *ret)
{
	if (taskdef_is_on_host(t->definition))
		return say_unbound(a, t, c, port, ret);
	if (t->definition != NULL && t->definition->network == TASKDEF_NONE)
		return arena_say(a, ret,
		    "its network mode is none, or one that rollcall does not know: container `" STR_FMT
		    "` cannot be reached",
		    STR_ARG(c->name));
	return arena_say(a, ret,
	    "ECS names no address for container `" STR_FMT "`: its network interface is not there (yet)",
	    STR_ARG(c->name));
}
