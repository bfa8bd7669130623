/* Numeric addresses in answers of AWS.  Pure. */
#ifndef ECS_ECS_ADDRESS_H
#define ECS_ECS_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* text as inet_ntop writes it, so that one address is always one text; family as of
 * inet_pton.  ERR_PARSE: it is none, or the one of all zeros. */
NODISCARD enum err_code ecs_address_read(struct arena *a, int family, struct str text, struct str *ret, struct err *e);

#endif
