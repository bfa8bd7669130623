/*
 * Managed backends: hostile names and policies into backends.cfg, any bytes as a
 * backends.cfg that stands there, and as what a master process answers.
 *
 * Laws: a text is refused, or every line of it is one that HAProxy reads as it stands
 * (plain ASCII, nothing to quote, short enough, one of the words below), and its
 * outline tells what went into it; the same input gives the same bytes.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf_policy.h"
#include "fuzz.h"
#include "hap/hap_master_text.h"
#include "hap/hap_render.h"

#define TEXT_MAX    ((size_t)1 << 20)
#define SERVERS_MAX 4

struct input {
	const uint8_t *ptr;
	size_t len;
};

static uint8_t
take(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->ptr++;
}

/* Mostly a text that is fine, so that the rest of the input matters. */
static struct str
take_text(struct input *in, const char *fine)
{
	size_t n = take(in);
	struct str text;

	if (n < 128)
		return str_from_cstr(fine);
	n = n - 128 < in->len ? n - 128 : in->len;
	text = str_of(in->ptr, n);
	in->ptr += n;
	in->len -= n;
	return text;
}

static struct conf_policy
take_policy(struct input *in)
{
	struct conf_policy p = conf_policy_builtin();

	p.set = take(in) % 2 == 0 ? 0 : UINT32_C(1) << CONF_POLICY_BALANCE;
	p.proto = take(in) % 2 == 0 ? CONF_PROTO_H2 : CONF_PROTO_H1;
	p.balance = (enum conf_balance)(take(in) % 3);
	p.check.type = (enum conf_check_type)(take(in) % 5);
	p.check.path = take_text(in, "/ready");
	p.check.service = take_text(in, "acme.v1.Orders");
	p.check.timeout_ms = take(in) * INT64_C(10) + 10;
	p.check.inter_ms = take(in) * INT64_C(10) + 10;
	p.tls = take(in) % 2 == 1;
	p.tls_verify = take(in) % 2 == 0 ? CONF_TLS_VERIFY_REQUIRED : CONF_TLS_VERIFY_NONE;
	p.tls_ca_file = take_text(in, "/etc/ca.pem");
	p.tls_sni = take_text(in, "tasks.internal");
	p.maxconn = take(in);
	p.slowstart_ms = take(in) * INT64_C(100);
	p.observe = (enum conf_observe)(take(in) % 3);
	p.observe_on_error = (enum conf_on_error)(take(in) % 4);
	return p;
}

static bool
begins_with_a_word_of_ours(struct str line)
{
	static const char *const words[] = { "#", "backend ", "\tmode http", "\tbalance ", "\toption ",
		"\thttp-check send ", "\ttcp-check ", "\ttimeout check ", "\tserver ", "\tserver-template rc_ 1-" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_has_prefix(line, str_from_cstr(words[i])))
			return true;
	return line.len == 0;
}

static void
check_lines(struct str text)
{
	struct str rest = text, line;

	REQUIRE(text.len > 0 && text.ptr[text.len - 1] == '\n');
	while (rest.len > 0 && str_next(&rest, '\n', &line)) {
		REQUIRE(line.len < 2048 && begins_with_a_word_of_ours(line));
		for (size_t i = 0; i < line.len; i++) {
			REQUIRE(line.ptr[i] == '\t' || (line.ptr[i] >= 0x20 && line.ptr[i] <= 0x7e));
			REQUIRE(strchr("\"'\\$", line.ptr[i]) == NULL);
			REQUIRE(line.ptr[i] != '#' || line.ptr[0] == '#');
		}
	}
}

static void
check_outline(const struct hap_render_file *f, struct str text)
{
	const struct hap_render_backend *b = &f->backends[0];
	struct arena *a = arena_new(TEXT_MAX);
	struct hap_render_outline o;

	REQUIRE(a != NULL && hap_render_outline(a, text, &o, NULL) == ERR_OK && o.n_sections == 1);
	REQUIRE(str_eq(o.sections[0].name, b->conf->name));
	REQUIRE(o.sections[0].n_servers == b->n_servers && o.sections[0].n_slots == b->n_slots);
	for (size_t i = 0; i < b->n_servers; i++)
		REQUIRE(hap_render_names(&o, &o.sections[0], b->servers[i].name));
	arena_free(a);
}

static void
render(struct input in)
{
	struct conf_backend conf = { .managed = true };
	struct hap_render_server servers[SERVERS_MAX] = { { .port = 0 } };
	struct hap_render_backend b = { .conf = &conf, .servers = servers };
	struct hap_render_file f = { .backends = &b, .n_backends = 1 };
	struct buf out = buf_make(TEXT_MAX), again = buf_make(TEXT_MAX);

	f.major = 2 + take(&in) % 2;
	f.minor = take(&in) % 8;
	f.defaults = take_text(&in, "rollcall");
	conf.name = take_text(&in, "grpc");
	conf.policy = take_policy(&in);
	b.n_slots = take(&in) * 4;
	b.n_servers = take(&in) % (SERVERS_MAX + 1);
	for (size_t i = 0; i < b.n_servers; i++)
		servers[i] = (struct hap_render_server){ .name = take_text(&in, "rc_0123456789abcdef_app_50051"),
			.address = take_text(&in, i % 2 == 0 ? "10.0.0.1" : "fd00::1"),
			.port = (uint16_t)(take(&in) * 257),
			.policy = &conf.policy,
			.weight = take(&in) + 10u,
			.is_disabled = take(&in) % 2 == 1,
			.is_down = take(&in) % 2 == 1 };
	if (hap_render(&f, &out, NULL) == ERR_OK) {
		check_lines(buf_str(&out));
		check_outline(&f, buf_str(&out));
		REQUIRE(hap_render(&f, &again, NULL) == ERR_OK && str_eq(buf_str(&out), buf_str(&again)));
	} else {
		REQUIRE(out.len == 0);
	}
	buf_free(&out);
	buf_free(&again);
}

static void
read_texts(struct str text)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct hap_render_outline o;
	struct hap_master_proc proc;
	struct err e = ERR_INIT;

	REQUIRE(a != NULL);
	if (hap_render_outline(a, text, &o, NULL) == ERR_OK)
		for (size_t i = 0; i < o.n_sections; i++)
			REQUIRE(o.sections[i].text.len <= text.len &&
				o.sections[i].first_server + o.sections[i].n_servers <= o.n_servers);
	arena_free(a);
	(void)hap_master_text_proc(text, &proc);
	(void)hap_master_text_reload(text, &e);
	REQUIRE(str_is_printable(str_from_cstr(e.msg)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[1];
	const uint8_t *bytes = size > 0 ? data : none;

	render((struct input){ bytes, size });
	read_texts(str_of(bytes, size));
	return 0;
}
