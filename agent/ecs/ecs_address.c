/* Numeric addresses: see ecs_address.h. */
#include "config.h"

#include "ecs/ecs_address.h"

#include <arpa/inet.h>
#include <stdbool.h>

#define ADDRESS_MAX ((size_t)64)
#define N_OF(list)  (sizeof(list) / sizeof((list)[0]))

struct range {
	unsigned char first[sizeof(struct in6_addr)];
	unsigned bits;
};

static const struct range no_server_of_ipv4[] = {
	{ { 0 }, 8 },                   /* "this network" (RFC 6890): 0.0.0.0 would have HAProxy call itself */
	{ { 169, 254 }, 16 },           /* link-local (RFC 3927): the metadata services of EC2 and ECS are there */
	{ { 224 }, 4 },                 /* multicast (RFC 5771) */
	{ { 255, 255, 255, 255 }, 32 }, /* broadcast */
};

static const struct range no_server_of_ipv6[] = {
	{ { 0 }, 96 },                        /* ::, and IPv4-compatible (RFC 4291, 2.5.5.1), but for ::1 */
	{ { [10] = 0xff, [11] = 0xff }, 96 }, /* IPv4-mapped: a way around the table above */
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32 },   /* fd00:ec2::254 and its like are EC2's own services */
	{ { 0xfe, 0x80 }, 10 },               /* link-local: means nothing without an interface */
	{ { 0xff }, 8 },                      /* multicast */
};

static bool
is_within(const unsigned char *address, const struct range *r)
{
	const size_t whole = r->bits / 8;
	const unsigned char mask = (unsigned char)(0xff00u >> r->bits % 8);

	return memcmp(address, r->first, whole) == 0 &&
	       (r->bits % 8 == 0 || (address[whole] & mask) == (r->first[whole] & mask));
}

/* Loopback is let through, for HAProxy beside its tasks on one machine, and for tests; what that
 * leaves is in docs/security.md. */
static bool
can_be_a_server(int family, const unsigned char *address)
{
	const bool is_ipv4 = family == AF_INET;
	const struct range *r = is_ipv4 ? no_server_of_ipv4 : no_server_of_ipv6;
	const size_t n = is_ipv4 ? N_OF(no_server_of_ipv4) : N_OF(no_server_of_ipv6);

	if (!is_ipv4 && memcmp(address, &in6addr_loopback, sizeof(in6addr_loopback)) == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (is_within(address, &r[i]))
			return false;
	return true;
}

enum err_code
ecs_address_read(struct arena *a, int family, struct str s, struct str *ret, struct err *e)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char text[ADDRESS_MAX + 1] = "";

	if (s.len > 0 && s.len <= ADDRESS_MAX && memchr(s.ptr, '\0', s.len) == NULL)
		memcpy(text, s.ptr, s.len);
	if (inet_pton(family, text, bytes) != 1 || !can_be_a_server(family, bytes))
		return err_set(e, ERR_PARSE, "%s", ECS_ADDRESS_REFUSED);
	if (inet_ntop(family, bytes, text, sizeof(text)) == NULL || !arena_str(a, str_from_cstr(text), ret))
		return err_set(e, ERR_NOMEM, "read an address: %s", err_text(ERR_NOMEM));
	return ERR_OK;
}
