/*
 * SPOP's parts, one after the other.  Laws: what was taken is what the reader moved
 * by; what was read is written back as something that reads the same.
 */
#include "config.h"

#include "fuzz.h"
#include "spop/spop_wire.h"

static void
check_value(const struct spop_wire_value *v)
{
	struct buf out = buf_make((size_t)1 << 20);
	struct spop_wire_value again;
	struct str in;

	spop_wire_put_value(&out, v);
	in = buf_str(&out);
	REQUIRE(buf_failed(&out, NULL) == ERR_OK);
	REQUIRE(spop_wire_take_value(&in, &again, NULL) == ERR_OK && in.len == 0);
	REQUIRE(again.type == v->type && again.boolean == v->boolean && again.number == v->number);
	REQUIRE(str_eq(again.text, v->text));
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of(data, size), text;
	struct spop_wire_head head;
	struct spop_wire_value v;
	struct err e = ERR_INIT;
	uint64_t n;

	if (spop_wire_take_varint(&in, &n, &e) == ERR_OK)
		REQUIRE(size - in.len <= SPOP_WIRE_VARINT_MAX);
	else
		REQUIRE(e.code == ERR_PARSE && in.len == size);
	in = str_of(data, size);
	if (spop_wire_take_head(&in, &head, NULL) != ERR_OK)
		in = str_of(data, size);
	while (in.len > 0) {
		size_t before = in.len;

		if (spop_wire_take_string(&in, &text, NULL) == ERR_OK)
			REQUIRE(text.len < before);
		if (spop_wire_take_value(&in, &v, NULL) != ERR_OK)
			break;
		check_value(&v);
		REQUIRE(in.len < before);
	}
	return 0;
}
