/*
 * The small languages of values: durations, percentages, numbers, modes, addresses.
 *
 * Each takes a whole text and says, when it can't be taken, what is allowed: e
 * holds the end of a sentence that begins with the key and the value ("needs a
 * unit: ms, s, m or h"), so that no value gets into a message here.
 */
#ifndef CONF_CONF_SCALAR_H
#define CONF_CONF_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

/* 500ms, 2s, 5m, 1h; at most a year. */
NODISCARD enum err_code conf_scalar_duration(struct str s, int64_t *ret_ms, struct err *e);
/* true yes on, false no off, in any letter case. */
NODISCARD enum err_code conf_scalar_bool(struct str s, bool *ret, struct err *e);
NODISCARD enum err_code conf_scalar_whole(struct str s, unsigned min, unsigned max, unsigned *ret, struct err *e);
/* 50% or 50. */
NODISCARD enum err_code conf_scalar_percent(struct str s, unsigned *ret, struct err *e);
/* 0.25 with three decimals is 250: *ret is the value times 10^decimals, within min..max. */
NODISCARD enum err_code conf_scalar_decimal(
    struct str s, unsigned decimals, unsigned min, unsigned max, unsigned *ret, struct err *e);
/* Octal: 0660, 660; no more than the nine permission bits. */
NODISCARD enum err_code conf_scalar_mode(struct str s, unsigned *ret, struct err *e);

enum conf_scalar_address_kind {
	CONF_SCALAR_PATH,     /* /run/x.sock */
	CONF_SCALAR_ABNS,     /* abns@NAME: a name in Linux's abstract space */
	CONF_SCALAR_TCP,      /* HOST:PORT, [::1]:80 */
	CONF_SCALAR_LOOPBACK, /* the same, 127.0.0.0/8 or ::1 by number */
};

struct conf_scalar_address {
	enum conf_scalar_address_kind kind;
	struct str name; /* the path, or NAME */
	struct str host; /* without brackets */
	uint16_t port;
};

/* False: not an address at all, or longer than a socket's name may be. */
NODISCARD bool conf_scalar_address(struct str s, struct conf_scalar_address *ret);

#define CONF_SCALAR_DURATION_SIZE 24
/* "1500ms", "2s", "1h": the shortest that says it. */
void conf_scalar_put_duration(int64_t ms, char ret[CONF_SCALAR_DURATION_SIZE]);

#endif
