/*
 * Certificates on their way to HAProxy's socket: PEM text as the payload of a
 * command.  Pure.
 *
 * A payload ends at an empty line; what follows would be a command.  So every line is
 * held against what PEM is made of, and nothing else leaves.  Up to 3.2 a command
 * with its payload must fit HAProxy's buffer (16384 bytes; 2.6 hangs on more, 3.x
 * closes): a bundle goes in pieces of whole certificates.
 */
#ifndef HAP_HAP_PEM_H
#define HAP_HAP_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define HAP_PEM_MAX       ((size_t)512 << 10) /* of a bundle; the 145 roots of Debian are 220 kB */
#define HAP_PEM_PIECE_MAX 12000

/* One certificate or more, "-----BEGIN CERTIFICATE-----", base64, "-----END
 * CERTIFICATE-----", each line ended by a newline, and nothing else; none larger than
 * a piece.  *ret_n_pieces: how often hap_pem_next will succeed; at least 1. */
NODISCARD enum err_code hap_pem_check(struct str pem, size_t *ret_n_pieces, struct err *e);
/* The next piece of a checked bundle, its newline included; false at its end. */
bool hap_pem_next(struct str *rest, struct str *ret_piece);

#endif
