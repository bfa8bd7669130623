/* SPOP on the wire: see spop_wire.h. */
#include "config.h"

#include "spop/spop_wire.h"

#define TYPE_MASK 0x0fu
#define TRUE_FLAG 0x10u

static enum err_code
cut_off(const char *what, struct err *e)
{
	return err_set(e, ERR_PARSE, "%s is cut off", what);
}

static uint8_t
byte_at(struct str s, size_t i)
{
	return (uint8_t)s.ptr[i];
}

/* X < 240 is one byte.  Else 0xf0 and four bits, then seven bits a byte, each step
 * less what the bytes before could say. */
enum err_code
spop_wire_take_varint(struct str *in, uint64_t *ret, struct err *e)
{
	uint64_t value;
	unsigned shift = 4;

	if (in->len == 0)
		return cut_off("a number", e);
	value = byte_at(*in, 0);
	if (value < 240) {
		*ret = value;
		*in = str_skip(*in, 1);
		return ERR_OK;
	}
	for (size_t i = 1; i < SPOP_WIRE_VARINT_MAX; i++, shift += 7) {
		uint8_t byte;

		if (i == in->len)
			return cut_off("a number", e);
		byte = byte_at(*in, i);
		value += (uint64_t)byte << shift; /* wraps as HAProxy's does */
		if (byte < 128) {
			*ret = value;
			*in = str_skip(*in, i + 1);
			return ERR_OK;
		}
	}
	return err_set(e, ERR_PARSE, "a number has more than %d bytes", SPOP_WIRE_VARINT_MAX);
}

static enum err_code
take_bytes(struct str *in, size_t n, struct str *ret, struct err *e)
{
	if (in->len < n)
		return cut_off("a value", e);
	*ret = str_first(*in, n);
	*in = str_skip(*in, n);
	return ERR_OK;
}

enum err_code
spop_wire_take_string(struct str *in, struct str *ret, struct err *e)
{
	struct str rest = *in;
	uint64_t n;
	enum err_code code = spop_wire_take_varint(&rest, &n, e);

	if (code != ERR_OK)
		return code;
	if (n > rest.len)
		return cut_off("a string", e);
	*ret = str_first(rest, (size_t)n);
	*in = str_skip(rest, (size_t)n);
	return ERR_OK;
}

bool
spop_wire_is_integer(const struct spop_wire_value *v)
{
	return v->type >= SPOP_WIRE_INT32 && v->type <= SPOP_WIRE_UINT64;
}

static enum err_code
take_content(struct str *in, uint8_t first, struct spop_wire_value *v, struct err *e)
{
	switch (v->type) {
	case SPOP_WIRE_NULL:
		return ERR_OK;
	case SPOP_WIRE_BOOL:
		v->boolean = (first & TRUE_FLAG) != 0;
		return ERR_OK;
	case SPOP_WIRE_INT32:
	case SPOP_WIRE_UINT32:
	case SPOP_WIRE_INT64:
	case SPOP_WIRE_UINT64:
		return spop_wire_take_varint(in, &v->number, e);
	case SPOP_WIRE_IPV4:
		return take_bytes(in, 4, &v->text, e);
	case SPOP_WIRE_IPV6:
		return take_bytes(in, 16, &v->text, e);
	case SPOP_WIRE_STRING:
	case SPOP_WIRE_BINARY:
		return spop_wire_take_string(in, &v->text, e);
	case SPOP_WIRE_N_TYPES:
		break;
	}
	return err_set(e, ERR_PARSE, "a value of the unknown type %u", first & TYPE_MASK);
}

enum err_code
spop_wire_take_value(struct str *in, struct spop_wire_value *ret, struct err *e)
{
	struct spop_wire_value v = { .text = STR("") };
	struct str rest = *in;
	enum err_code code;
	uint8_t first;

	if (rest.len == 0)
		return cut_off("a value", e);
	first = byte_at(rest, 0);
	rest = str_skip(rest, 1);
	if ((first & TYPE_MASK) >= SPOP_WIRE_N_TYPES)
		return err_set(e, ERR_PARSE, "a value of the unknown type %u", first & TYPE_MASK);
	v.type = (enum spop_wire_type)(first & TYPE_MASK);
	code = take_content(&rest, first, &v, e);
	if (code != ERR_OK)
		return code;
	*ret = v;
	*in = rest;
	return ERR_OK;
}

enum err_code
spop_wire_take_head(struct str *in, struct spop_wire_head *ret, struct err *e)
{
	struct spop_wire_head h = { 0 };
	struct str rest = *in;
	enum err_code code;

	if (rest.len < SPOP_WIRE_HEAD_MIN)
		return cut_off("a frame's head", e);
	h.type = byte_at(rest, 0);
	for (size_t i = 1; i <= 4; i++)
		h.flags = h.flags << 8 | byte_at(rest, i);
	rest = str_skip(rest, 5);
	if ((code = spop_wire_take_varint(&rest, &h.stream_id, e)) != ERR_OK ||
	    (code = spop_wire_take_varint(&rest, &h.frame_id, e)) != ERR_OK)
		return code;
	*ret = h;
	*in = rest;
	return ERR_OK;
}

void
spop_wire_put_u32(struct buf *out, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_u8(out, (uint8_t)(v >> shift));
}

void
spop_wire_put_varint(struct buf *out, uint64_t v)
{
	if (v < 240) {
		buf_put_u8(out, (uint8_t)v);
		return;
	}
	buf_put_u8(out, (uint8_t)(v | 240));
	for (v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7)
		buf_put_u8(out, (uint8_t)(v | 128));
	buf_put_u8(out, (uint8_t)v);
}

void
spop_wire_put_string(struct buf *out, struct str s)
{
	spop_wire_put_varint(out, s.len);
	buf_put(out, s);
}

void
spop_wire_put_value(struct buf *out, const struct spop_wire_value *v)
{
	buf_put_u8(out, (uint8_t)(v->type | (v->type == SPOP_WIRE_BOOL && v->boolean ? TRUE_FLAG : 0)));
	if (spop_wire_is_integer(v))
		spop_wire_put_varint(out, v->number);
	else if (v->type == SPOP_WIRE_STRING || v->type == SPOP_WIRE_BINARY)
		spop_wire_put_string(out, v->text);
	else if (v->type == SPOP_WIRE_IPV4 || v->type == SPOP_WIRE_IPV6)
		buf_put(out, v->text);
}

void
spop_wire_put_head(struct buf *out, const struct spop_wire_head *h)
{
	buf_put_u8(out, h->type);
	spop_wire_put_u32(out, h->flags);
	spop_wire_put_varint(out, h->stream_id);
	spop_wire_put_varint(out, h->frame_id);
}
