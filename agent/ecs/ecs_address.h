/* Numeric addresses in answers of AWS.  Pure. */
#ifndef ECS_ECS_ADDRESS_H
#define ECS_ECS_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define ECS_ADDRESS_REFUSED "not an address that a server can have"

/* text as inet_ntop writes it, so that one address is always one text; family as of
 * inet_pton.  ERR_PARSE: it is none, or one at which no task and no machine can be, such as
 * a group's, or a metadata service's. */
NODISCARD enum err_code ecs_address_read(struct arena *a, int family, struct str text, struct str *ret, struct err *e);

#endif
