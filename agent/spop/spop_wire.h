/*
 * SPOP on the wire: varints, typed values, frame heads (facts/spoe.md, section 1.1).
 * Pure.
 *
 * A reader never moves before it has compared lengths, and a varint never has more
 * than SPOP_WIRE_VARINT_MAX bytes.
 */
#ifndef SPOP_SPOP_WIRE_H
#define SPOP_SPOP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SPOP_WIRE_VARINT_MAX 10
#define SPOP_WIRE_LENGTH     4 /* bytes before a frame: its length, without themselves */
#define SPOP_WIRE_HEAD_MIN   7 /* the shortest frame: type, flags, two ids of one byte */
#define SPOP_WIRE_FIN        UINT32_C(1)

enum spop_wire_frame {
	SPOP_WIRE_UNSET = 0, /* a fragment that goes on */
	SPOP_WIRE_HAPROXY_HELLO = 1,
	SPOP_WIRE_HAPROXY_DISCONNECT = 2,
	SPOP_WIRE_NOTIFY = 3,
	SPOP_WIRE_AGENT_HELLO = 101,
	SPOP_WIRE_AGENT_DISCONNECT = 102,
	SPOP_WIRE_ACK = 103
};

enum spop_wire_type {
	SPOP_WIRE_NULL = 0,
	SPOP_WIRE_BOOL,
	SPOP_WIRE_INT32,
	SPOP_WIRE_UINT32,
	SPOP_WIRE_INT64,
	SPOP_WIRE_UINT64,
	SPOP_WIRE_IPV4,
	SPOP_WIRE_IPV6,
	SPOP_WIRE_STRING,
	SPOP_WIRE_BINARY,
	/* must stay last */
	SPOP_WIRE_N_TYPES
};

struct spop_wire_value {
	enum spop_wire_type type;
	bool boolean;    /* BOOL */
	uint64_t number; /* the integers; signed ones in two's complement */
	struct str text; /* STRING, BINARY, IPV4 (4 bytes), IPV6 (16 bytes); borrows the frame */
};

struct spop_wire_head {
	uint8_t type; /* enum spop_wire_frame, or something else */
	uint32_t flags;
	uint64_t stream_id, frame_id;
};

/* Each takes from the front of *in, and leaves it as it was on ERR_PARSE. */
NODISCARD enum err_code spop_wire_take_varint(struct str *in, uint64_t *ret, struct err *e);
NODISCARD enum err_code spop_wire_take_string(struct str *in, struct str *ret, struct err *e);
NODISCARD enum err_code spop_wire_take_value(struct str *in, struct spop_wire_value *ret, struct err *e);
NODISCARD enum err_code spop_wire_take_head(struct str *in, struct spop_wire_head *ret, struct err *e);
bool spop_wire_is_integer(const struct spop_wire_value *v);

void spop_wire_put_u32(struct buf *out, uint32_t v); /* big endian */
void spop_wire_put_varint(struct buf *out, uint64_t v);
void spop_wire_put_string(struct buf *out, struct str s);
void spop_wire_put_value(struct buf *out, const struct spop_wire_value *v);
void spop_wire_put_head(struct buf *out, const struct spop_wire_head *h);

#endif
