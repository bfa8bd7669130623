/*
 * An address and port as bytes, so that what ECS and HAProxy write in different
 * ways (IPv6 has many) compares equal, and compares fast.
 */
#ifndef PLAN_PLAN_ADDRESS_H
#define PLAN_PLAN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define PLAN_ADDRESS_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */

enum plan_address_family { PLAN_ADDRESS_NONE, PLAN_ADDRESS_V4, PLAN_ADDRESS_V6 };

struct plan_address { /* zeroed: no address */
	enum plan_address_family family;
	uint16_t port;
	unsigned char bytes[16];
};

/* False, and *ret is zeroed, unless text is one numeric address that a task can
 * have (not 0.0.0.0 or ::) and the port is not 0. */
bool plan_address_parse(struct str text, uint16_t port, struct plan_address *ret);
/* The address without its port, as inet_ntop writes it; a must not be NONE. */
void plan_address_text(const struct plan_address *a, char ret[PLAN_ADDRESS_TEXT_SIZE]);
int plan_address_cmp(const struct plan_address *a, const struct plan_address *b);

#endif
