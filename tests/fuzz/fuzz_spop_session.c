/*
 * A connection of anything at all.  The first byte says how the rest is cut.  Laws:
 * however it is cut, the same is answered, counted and told; answers are whole
 * frames; memory is bounded; each NOTIFY has its ACK.
 */
#include "config.h"

#include "fuzz.h"
#include "spop/spop_session.h"

struct told {
	uint64_t hash, n_messages;
};

static void
note(uint64_t *hash, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		*hash = (*hash ^ (uint8_t)s.ptr[i]) * UINT64_C(1099511628211);
}

static void
on_message(void *arg, const struct spop_message *m)
{
	struct told *t = arg;
	struct str args = m->args, name;
	struct spop_wire_value v;
	unsigned n = 0;

	t->n_messages++;
	note(&t->hash, m->name);
	for (; spop_session_next_arg(&args, &name, &v); n++) {
		note(&t->hash, name);
		note(&t->hash, v.text);
	}
	REQUIRE(n == m->n_args && args.len == 0);
}

static void
on_refused(void *arg, enum spop_reason why, const struct err *e)
{
	struct told *t = arg;

	REQUIRE(e->code != ERR_OK && str_is_printable(str_from_cstr(e->msg)));
	note(&t->hash, str_from_cstr(spop_reason_name(why)));
}

static uint64_t
count_acks(struct str out)
{
	uint64_t n = 0;

	while (out.len > 0) {
		size_t len = 0;

		REQUIRE(out.len > SPOP_WIRE_LENGTH);
		for (size_t i = 0; i < SPOP_WIRE_LENGTH; i++)
			len = len << 8 | (uint8_t)out.ptr[i];
		out = str_skip(out, SPOP_WIRE_LENGTH);
		REQUIRE(len <= out.len && len >= SPOP_WIRE_HEAD_MIN);
		n += out.ptr[0] == SPOP_WIRE_ACK ? 1 : 0;
		out = str_skip(out, len);
	}
	return n;
}

static struct told
run(struct str bytes, size_t chunk, uint64_t *ret_out)
{
	struct told t = { 0 };
	struct spop_counts counts = { 0 };
	const struct spop_listener to = { .message = on_message, .refused = on_refused, .arg = &t };
	struct spop_session *s;
	bool goes_on = true;

	REQUIRE(spop_session_new(&to, &counts, &s, NULL) == ERR_OK);
	while (goes_on && bytes.len > 0) {
		goes_on = spop_session_feed(s, str_first(bytes, chunk));
		bytes = str_skip(bytes, chunk);
	}
	*ret_out = 0;
	note(ret_out, spop_session_pending(s));
	REQUIRE(count_acks(spop_session_pending(s)) == counts.notifies);
	REQUIRE(t.n_messages == counts.messages);
	spop_session_free(s);
	return t;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told a, b;
	uint64_t out_a, out_b;

	if (size < 1 || size > 65536)
		return 0;
	a = run(str_of(data + 1, size - 1), size, &out_a);
	b = run(str_of(data + 1, size - 1), 1u + data[0], &out_b);
	REQUIRE(a.hash == b.hash && a.n_messages == b.n_messages && out_a == out_b);
	return 0;
}
