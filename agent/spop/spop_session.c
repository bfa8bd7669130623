/* One SPOP connection without its socket: see spop_session.h. */
#include "config.h"

#include "spop/spop_session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OUR_VERSION  "2.0"
#define CAPABILITIES "pipelining"  /* and nothing else: facts/spoe.md, section 1.2 */
#define TEXT_MAX     ((size_t)200) /* of a DISCONNECT's message, in ours */
#define UNSET_VAR    2
#define SCOPE_TXN    2

enum phase { PHASE_HELLO, PHASE_OPEN, PHASE_OVER };

struct spop_session {
	struct spop_listener to;
	struct spop_counts *counts;
	enum phase phase;
	struct buf in;  /* the frame that has begun, its length included */
	struct buf out; /* answers that were not sent yet */
};

static const struct {
	const char *name, *hint;
	uint32_t status;
} reasons[SPOP_N_REASONS] = {
#define X(name, text, status, hint) [SPOP_##name] = { text, hint, status },
	SPOP_REASONS(X)
#undef X
};

const char *
spop_reason_name(enum spop_reason why)
{
	return reasons[why].name;
}

const char *
spop_reason_hint(enum spop_reason why)
{
	return reasons[why].hint;
}

uint64_t
spop_session_errors(const struct spop_counts *c)
{
	uint64_t n = c->disconnects;

	for (size_t i = 0; i < SPOP_N_REASONS; i++)
		n += c->refused[i];
	return n;
}

enum err_code
spop_session_new(const struct spop_listener *to, struct spop_counts *counts, struct spop_session **ret, struct err *e)
{
	struct spop_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a connection of HAProxy");
	s->to = *to;
	s->counts = counts;
	s->in = buf_make(SPOP_WIRE_LENGTH + SPOP_SESSION_FRAME_MAX);
	s->out = buf_make(SPOP_SESSION_PENDING_MAX);
	*ret = s;
	return ERR_OK;
}

void
spop_session_free(struct spop_session *s)
{
	if (s == NULL)
		return;
	buf_free(&s->in);
	buf_free(&s->out);
	free(s);
}

/* ---- what we say ---- */

/* The length is written over four bytes that were kept free. */
static size_t
begin_frame(struct spop_session *s, enum spop_wire_frame type, const struct spop_wire_head *of)
{
	size_t at = s->out.len;
	const struct spop_wire_head head = {
		.type = (uint8_t)type, .flags = SPOP_WIRE_FIN, .stream_id = of->stream_id, .frame_id = of->frame_id
	};

	spop_wire_put_u32(&s->out, 0);
	spop_wire_put_head(&s->out, &head);
	return at;
}

static void
end_frame(struct spop_session *s, size_t at)
{
	uint32_t n;

	if (s->out.failed != ERR_OK)
		return;
	n = (uint32_t)(s->out.len - at - SPOP_WIRE_LENGTH);
	for (size_t i = 0; i < SPOP_WIRE_LENGTH; i++)
		s->out.ptr[at + i] = (uint8_t)(n >> (24 - 8 * i));
}

static void
put_pair(struct spop_session *s, struct str name, const struct spop_wire_value *v)
{
	spop_wire_put_string(&s->out, name);
	spop_wire_put_value(&s->out, v);
}

static void
put_text(struct spop_session *s, struct str name, struct str text)
{
	put_pair(s, name, &(struct spop_wire_value){ .type = SPOP_WIRE_STRING, .text = text });
}

static void
put_number(struct spop_session *s, struct str name, uint32_t number)
{
	put_pair(s, name, &(struct spop_wire_value){ .type = SPOP_WIRE_UINT32, .number = number });
}

static void
say_hello(struct spop_session *s, uint32_t max_frame)
{
	static const struct spop_wire_head none = { .type = SPOP_WIRE_AGENT_HELLO };
	size_t at = begin_frame(s, SPOP_WIRE_AGENT_HELLO, &none);

	put_text(s, STR("version"), STR(OUR_VERSION));
	put_number(s, STR("max-frame-size"), max_frame);
	put_text(s, STR("capabilities"), STR(CAPABILITIES));
	end_frame(s, at);
}

/* An ACK without an action never reaches its stream in HAProxy 3.1.0 to 3.1.4: so
 * there is one that does nothing. */
static void
acknowledge(struct spop_session *s, const struct spop_wire_head *head)
{
	size_t at = begin_frame(s, SPOP_WIRE_ACK, head);

	buf_put_u8(&s->out, UNSET_VAR);
	buf_put_u8(&s->out, 2); /* of these: scope and name */
	buf_put_u8(&s->out, SCOPE_TXN);
	spop_wire_put_string(&s->out, STR("ack"));
	end_frame(s, at);
}

static void
say_disconnect(struct spop_session *s, uint32_t status, struct str text)
{
	static const struct spop_wire_head none = { .type = SPOP_WIRE_AGENT_DISCONNECT };
	size_t at = begin_frame(s, SPOP_WIRE_AGENT_DISCONNECT, &none);

	put_number(s, STR("status-code"), status);
	put_text(s, STR("message"), str_first(text, TEXT_MAX));
	end_frame(s, at);
	s->phase = PHASE_OVER;
}

void
spop_session_say_goodbye(struct spop_session *s)
{
	if (s->phase != PHASE_OVER)
		say_disconnect(s, 0, STR("rollcalld is stopping"));
}

static void
count_refusal(struct spop_session *s, enum spop_reason why, const struct err *e)
{
	s->counts->refused[why]++;
	if (s->to.refused != NULL)
		s->to.refused(s->to.arg, why, e);
}

static void
refuse(struct spop_session *s, enum spop_reason why, const struct err *e)
{
	say_disconnect(s, reasons[why].status, str_from_cstr(e->msg));
	count_refusal(s, why, e);
}

static void PRINTF_LIKE(3, 4) refuse_with(struct spop_session *s, enum spop_reason why, const char *fmt, ...);

static void
refuse_with(struct spop_session *s, enum spop_reason why, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	char text[sizeof(e.msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_fill(&e, ERR_PARSE, 0, "%s", text);
	refuse(s, why, &e);
}

/* ---- HELLO ---- */

struct hello {
	struct str versions;
	uint64_t max_frame;
	bool has_versions, has_max_frame, has_capabilities, is_health_check;
};

static void
note_pair(struct hello *h, struct str name, const struct spop_wire_value *v)
{
	if (str_eq(name, STR("supported-versions")) && v->type == SPOP_WIRE_STRING) {
		h->versions = v->text;
		h->has_versions = true;
	} else if (str_eq(name, STR("max-frame-size")) && spop_wire_is_integer(v)) {
		h->max_frame = v->number;
		h->has_max_frame = true;
	} else if (str_eq(name, STR("capabilities")) && v->type == SPOP_WIRE_STRING) {
		h->has_capabilities = true;
	} else if (str_eq(name, STR("healthcheck")) && v->type == SPOP_WIRE_BOOL) {
		h->is_health_check = v->boolean;
	}
}

static enum err_code
read_hello(struct str payload, struct hello *ret, struct err *e)
{
	while (payload.len > 0) {
		struct spop_wire_value v;
		struct str name;
		enum err_code code = spop_wire_take_string(&payload, &name, e);

		if (code == ERR_OK)
			code = spop_wire_take_value(&payload, &v, e);
		if (code != ERR_OK)
			return code;
		note_pair(ret, name, &v);
	}
	return ERR_OK;
}

/* "2.0", or a list of versions with commas between them. */
static bool
speaks_ours(struct str versions)
{
	struct str one;

	while (str_next(&versions, ',', &one))
		if (str_eq(str_trim(one), STR(OUR_VERSION)))
			return true;
	return false;
}

static void
greet(struct spop_session *s, const struct hello *h)
{
	if (!h->has_versions)
		refuse_with(s, SPOP_NO_VERSION, "HELLO without supported-versions");
	else if (!speaks_ours(h->versions))
		refuse_with(s, SPOP_VERSION, "unsupported version");
	else if (!h->has_max_frame)
		refuse_with(s, SPOP_NO_FRAME_SIZE, "HELLO without max-frame-size");
	else if (h->max_frame < SPOP_SESSION_FRAME_MIN || h->max_frame > UINT32_MAX)
		refuse_with(s, SPOP_FRAME_SIZE, "HELLO with max-frame-size %" PRIu64, h->max_frame);
	else if (!h->has_capabilities)
		refuse_with(s, SPOP_NO_CAPABILITIES, "HELLO without capabilities");
	else {
		say_hello(s, (uint32_t)h->max_frame);
		s->phase = h->is_health_check ? PHASE_OVER : PHASE_OPEN;
		s->counts->hellos += h->is_health_check ? 0 : 1;
		s->counts->health_checks += h->is_health_check ? 1 : 0;
	}
}

static void
on_hello(struct spop_session *s, struct str payload)
{
	struct hello h = { .versions = STR("") };
	struct err e = ERR_INIT;

	if (s->phase != PHASE_HELLO)
		refuse_with(s, SPOP_HELLO_TWICE, "a second HELLO");
	else if (read_hello(payload, &h, &e) != ERR_OK)
		refuse(s, SPOP_MALFORMED, &e);
	else
		greet(s, &h);
}

/* ---- NOTIFY ---- */

static enum err_code
skip_args(struct str *payload, unsigned n, struct err *e)
{
	enum err_code code = ERR_OK;

	for (unsigned i = 0; code == ERR_OK && i < n; i++) {
		struct spop_wire_value v;
		struct str name;

		code = spop_wire_take_string(payload, &name, e);
		if (code == ERR_OK)
			code = spop_wire_take_value(payload, &v, e);
	}
	return code;
}

static enum err_code
take_message(struct str *payload, struct spop_message *ret, struct err *e)
{
	enum err_code code = spop_wire_take_string(payload, &ret->name, e);
	struct str args;

	if (code != ERR_OK)
		return code;
	if (payload->len == 0)
		return err_set(e, ERR_PARSE, "a message is cut off");
	ret->n_args = (uint8_t)payload->ptr[0];
	args = *payload = str_skip(*payload, 1);
	code = skip_args(payload, ret->n_args, e);
	ret->args = str_first(args, args.len - payload->len);
	return code;
}

bool
spop_session_next_arg(struct str *args, struct str *ret_name, struct spop_wire_value *ret_value)
{
	return args->len > 0 && spop_wire_take_string(args, ret_name, NULL) == ERR_OK &&
	       spop_wire_take_value(args, ret_value, NULL) == ERR_OK;
}

/* The whole frame is read before it is acknowledged, and acknowledged before anybody
 * hears of it. */
static void
on_notify(struct spop_session *s, const struct spop_wire_head *head, struct str payload)
{
	struct spop_message m;
	struct err e = ERR_INIT;

	for (struct str rest = payload; rest.len > 0;)
		if (take_message(&rest, &m, &e) != ERR_OK) {
			refuse(s, SPOP_MALFORMED, &e);
			return;
		}
	acknowledge(s, head);
	s->counts->notifies++;
	while (payload.len > 0 && take_message(&payload, &m, NULL) == ERR_OK) {
		s->counts->messages++;
		if (s->to.message != NULL)
			s->to.message(s->to.arg, &m);
	}
}

/* ---- DISCONNECT ---- */

static void
on_disconnect(struct spop_session *s, struct str payload)
{
	uint64_t status = 0;
	struct str text = STR(""), name;
	struct spop_wire_value v;

	while (spop_session_next_arg(&payload, &name, &v)) {
		if (str_eq(name, STR("status-code")) && spop_wire_is_integer(&v))
			status = v.number;
		else if (str_eq(name, STR("message")) && v.type == SPOP_WIRE_STRING)
			text = v.text;
	}
	say_disconnect(s, 0, STR("bye"));
	s->counts->disconnects += status != 0 ? 1 : 0;
	if (s->to.disconnected != NULL)
		s->to.disconnected(s->to.arg, status, text);
}

/* ---- frames ---- */

static void
on_open_frame(struct spop_session *s, const struct spop_wire_head *head, struct str payload)
{
	struct err e = ERR_INIT;

	switch (head->type) {
	case SPOP_WIRE_HAPROXY_HELLO:
		on_hello(s, payload);
		return;
	case SPOP_WIRE_HAPROXY_DISCONNECT:
		on_disconnect(s, payload);
		return;
	case SPOP_WIRE_NOTIFY:
		on_notify(s, head, payload);
		return;
	case SPOP_WIRE_UNSET:
		refuse_with(s, SPOP_FRAGMENTED, "fragmentation not supported");
		return;
	default: /* not an enum: a byte from outside */
		err_fill(&e, ERR_PARSE, 0, "a frame of the unknown type %u", head->type);
		count_refusal(s, SPOP_UNKNOWN_TYPE, &e);
		return;
	}
}

static void
on_frame(struct spop_session *s, struct str frame)
{
	struct spop_wire_head head;
	struct err e = ERR_INIT;

	s->counts->frames++;
	if (spop_wire_take_head(&frame, &head, &e) != ERR_OK)
		refuse(s, SPOP_MALFORMED, &e);
	else if (s->phase == PHASE_HELLO && head.type != SPOP_WIRE_HAPROXY_HELLO)
		refuse_with(s, SPOP_NO_HELLO, "a frame of type %u instead of HELLO", head.type);
	else if ((head.flags & SPOP_WIRE_FIN) == 0)
		refuse_with(s, SPOP_FRAGMENTED, "fragmentation not supported");
	else
		on_open_frame(s, &head, frame);
}

static uint32_t
length_of(struct str bytes)
{
	uint32_t n = 0;

	for (size_t i = 0; i < SPOP_WIRE_LENGTH; i++)
		n = n << 8 | (uint8_t)bytes.ptr[i];
	return n;
}

/* Takes one frame off *bytes if all of it is there. */
static bool
take_frame(struct spop_session *s, struct str *bytes, struct str *ret)
{
	uint32_t n;

	if (bytes->len < SPOP_WIRE_LENGTH)
		return false;
	n = length_of(*bytes);
	if (n > SPOP_SESSION_FRAME_MAX) {
		refuse_with(s, SPOP_TOO_BIG, "a frame of %" PRIu32 " bytes, %" PRIu32 " are allowed", n,
		    SPOP_SESSION_FRAME_MAX);
		return false;
	}
	if (n < SPOP_WIRE_HEAD_MIN) {
		refuse_with(s, SPOP_TOO_SHORT, "a frame of %" PRIu32 " bytes", n);
		return false;
	}
	if (bytes->len - SPOP_WIRE_LENGTH < n)
		return false;
	*ret = str_first(str_skip(*bytes, SPOP_WIRE_LENGTH), n);
	*bytes = str_skip(*bytes, SPOP_WIRE_LENGTH + n);
	return true;
}

/* Frames of *bytes, one after the other; what is left is one that has begun. */
static void
take_frames(struct spop_session *s, struct str *bytes)
{
	struct str frame;

	while (s->phase != PHASE_OVER && take_frame(s, bytes, &frame))
		on_frame(s, frame);
}

/* How many bytes are missing to what has begun: its length first, then the rest. */
static size_t
missing(const struct spop_session *s)
{
	if (s->in.len < SPOP_WIRE_LENGTH)
		return SPOP_WIRE_LENGTH - s->in.len;
	return SPOP_WIRE_LENGTH + length_of(buf_str(&s->in)) - s->in.len;
}

/* A frame that came in pieces is put together; whole ones are read where they are. */
static void
complete(struct spop_session *s, struct str *bytes)
{
	while (s->phase != PHASE_OVER && s->in.len > 0 && bytes->len > 0) {
		struct str piece = str_first(*bytes, missing(s)), whole;

		buf_put(&s->in, piece);
		*bytes = str_skip(*bytes, piece.len);
		whole = buf_str(&s->in);
		take_frames(s, &whole);
		if (whole.len == 0)
			buf_reset(&s->in);
	}
}

bool
spop_session_feed(struct spop_session *s, struct str bytes)
{
	complete(s, &bytes);
	take_frames(s, &bytes);
	if (s->phase != PHASE_OVER && bytes.len > 0)
		buf_put(&s->in, bytes);
	/* Memory ran out, or HAProxy does not read its answers: the connection goes. */
	if (s->in.failed != ERR_OK || s->out.failed != ERR_OK)
		s->phase = PHASE_OVER;
	return s->phase != PHASE_OVER;
}

struct str
spop_session_pending(const struct spop_session *s)
{
	return buf_str(&s->out);
}

void
spop_session_sent(struct spop_session *s, size_t n)
{
	buf_drop_front(&s->out, n);
}

bool
spop_session_is_idle(const struct spop_session *s)
{
	return s->in.len == 0 && s->out.len == 0;
}
