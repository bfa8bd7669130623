/* Numeric addresses: see ecs_address.h. */
#include "config.h"

#include "ecs/ecs_address.h"

#include <arpa/inet.h>
#include <stdbool.h>

#define ADDRESS_MAX ((size_t)64)

/* An address of all zeros parses, and would have HAProxy call itself. */
static bool
is_nowhere(const unsigned char *address, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (address[i] != 0)
			return false;
	return true;
}

enum err_code
ecs_address_read(struct arena *a, int family, struct str s, struct str *ret, struct err *e)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	size_t n = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	char text[ADDRESS_MAX + 1] = "";

	if (s.len > 0 && s.len <= ADDRESS_MAX && memchr(s.ptr, '\0', s.len) == NULL)
		memcpy(text, s.ptr, s.len);
	if (inet_pton(family, text, bytes) != 1 || is_nowhere(bytes, n))
		return err_set(e, ERR_PARSE, "not an address");
	if (inet_ntop(family, bytes, text, sizeof(text)) == NULL || !arena_str(a, str_from_cstr(text), ret))
		return err_set(e, ERR_NOMEM, "read an address: %s", err_text(ERR_NOMEM));
	return ERR_OK;
}
