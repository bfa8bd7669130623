/* Whom a request means: see control_host.h. */
#include "config.h"

#include "control/control_host.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define LOCALHOST "localhost"

static bool
is_of_any_name(struct str path)
{
	return str_eq(path, STR("/metrics")) || str_eq(path, STR("/live")) || str_eq(path, STR("/ready"));
}

static bool
parses(int family, struct str s)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN] = "";

	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.ptr, s.len);
	return inet_pton(family, text, bytes) == 1;
}

/* ":8080", ":", or nothing. */
static bool
is_port(struct str s)
{
	if (s.len > 0 && s.ptr[0] != ':')
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return true;
}

static bool
is_ipv6_literal(struct str host)
{
	size_t end;

	return str_has_prefix(host, STR("[")) && str_find(host, ']', &end) && is_port(str_skip(host, end + 1)) &&
	       parses(AF_INET6, str_skip(str_first(host, end), 1));
}

static bool
is_local_name(struct str name)
{
	return name.len == sizeof(LOCALHOST) - 1 && strncasecmp((const char *)name.ptr, LOCALHOST, name.len) == 0;
}

bool
control_host_admits(struct str host, struct str path)
{
	struct str name = host;
	size_t colon;

	if (is_of_any_name(path) || is_ipv6_literal(host))
		return true;
	if (str_find(host, ':', &colon))
		name = str_first(host, colon);
	return is_port(str_skip(host, name.len)) && (is_local_name(name) || parses(AF_INET, name));
}
