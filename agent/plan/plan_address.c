/* Addresses as bytes: see plan_address.h. */
#include "config.h"

#include "plan/plan_address.h"

#include <arpa/inet.h>
#include <string.h>

static bool
is_unspecified(const struct plan_address *a)
{
	static const unsigned char zeros[sizeof(a->bytes)];

	return memcmp(a->bytes, zeros, sizeof(zeros)) == 0;
}

static enum plan_address_family
parse_bytes(const char *text, unsigned char ret[16])
{
	if (inet_pton(AF_INET, text, ret) == 1)
		return PLAN_ADDRESS_V4;
	if (inet_pton(AF_INET6, text, ret) == 1)
		return PLAN_ADDRESS_V6;
	return PLAN_ADDRESS_NONE;
}

bool
plan_address_parse(struct str text, uint16_t port, struct plan_address *ret)
{
	struct plan_address a = { .port = port };
	char copy[PLAN_ADDRESS_TEXT_SIZE];

	*ret = (struct plan_address){ .family = PLAN_ADDRESS_NONE };
	/* A NUL inside would end the text early for inet_pton. */
	if (port == 0 || text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	a.family = parse_bytes(copy, a.bytes);
	if (a.family == PLAN_ADDRESS_NONE || is_unspecified(&a))
		return false;
	*ret = a;
	return true;
}

void
plan_address_text(const struct plan_address *a, char ret[PLAN_ADDRESS_TEXT_SIZE])
{
	int family = a->family == PLAN_ADDRESS_V6 ? AF_INET6 : AF_INET;

	if (inet_ntop(family, a->bytes, ret, PLAN_ADDRESS_TEXT_SIZE) == NULL)
		ret[0] = '\0'; /* cannot happen: the text of either family fits */
}

int
plan_address_cmp(const struct plan_address *a, const struct plan_address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
