/* Doors: see conf_listen.h.  What listens is local: a file, an abstract name or loopback. */
#include "config.h"

#include "conf/conf_listen.h"

#define IN(field) offsetof(struct conf, field)

static const struct conf_address spoe_address = {
	.path = true,
	.abns = true,
	.loopback = true,
	.wants = "where to listen: a path that begins with /, abns@NAME, or 127.0.0.1:PORT",
};
static const struct conf_address log_address = {
	.loopback = true,
	.wants = "where to listen for log lines: 127.0.0.1:PORT or [::1]:PORT",
};
static const struct conf_address control_address = {
	.path = true,
	.wants = "the path of a socket: one that begins with / and has at most 107 characters",
};
static const struct conf_address readonly_address = {
	.path = true,
	.abns = true,
	.loopback = true,
	.may_be_empty = true,
	.wants = "where to listen: a path that begins with /, abns@NAME, or 127.0.0.1:PORT",
};

static const struct conf_key spoe_keys[] = {
	{ "listen", conf_decode_address, IN(spoe.address), &spoe_address },
	{ "mode", conf_decode_mode, IN(spoe.mode), NULL },
	{ "group", conf_decode_text, IN(spoe.group), &conf_shape_group },
};
static const struct conf_map spoe_map = { .keys = spoe_keys, .n = CONF_N(spoe_keys) };

void
conf_listen_decode_spoe(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_key section = { .name = key->name, .arg = &spoe_map };
	struct conf *c = ret;

	c->has_spoe = true;
	c->spoe = (struct conf_listen){ .address = STR("/run/rollcall/spoe.sock"), .mode = 0660, .group = STR("") };
	conf_decode_map(d, &section, value, c);
}

static const struct conf_decimals any_sample = { .decimals = 6, .min = 0, .max = 1000000 };
static const struct conf_shape *const header_shapes[] = { &conf_shape_header_name, &conf_shape_header_value };

static const struct conf_key tracing_keys[] = {
	{ "log_listen", conf_decode_address, IN(tracing_log_listen), &log_address },
	{ "endpoint", conf_decode_text, IN(tracing_endpoint), &conf_shape_url },
	{ "sample", conf_decode_decimal, IN(tracing_sample_ppm), &any_sample },
	{ "headers", conf_decode_pairs, IN(tracing_headers), header_shapes },
};
static const struct conf_map tracing_map = { .keys = tracing_keys, .n = CONF_N(tracing_keys) };

void
conf_listen_decode_tracing(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_key section = { .name = key->name, .arg = &tracing_map };
	struct conf *c = ret;

	c->has_tracing = true;
	c->tracing_log_listen = STR("127.0.0.1:4319");
	c->tracing_endpoint = STR("");
	c->tracing_sample_ppm = 1000000;
	conf_decode_map(d, &section, value, c);
}

static const struct conf_key control_keys[] = {
	{ "socket", conf_decode_address, IN(control.address), &control_address },
	{ "mode", conf_decode_mode, IN(control.mode), NULL },
	{ "group", conf_decode_text, IN(control.group), &conf_shape_group },
	{ "listen", conf_decode_address, IN(control_readonly), &readonly_address },
};
static const struct conf_map control_map = { .keys = control_keys, .n = CONF_N(control_keys) };

void
conf_listen_decode_control(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	const struct conf_key section = { .name = key->name, .arg = &control_map };

	conf_decode_map(d, &section, value, ret);
}

void
conf_listen_builtin(struct conf *c)
{
	c->control =
	    (struct conf_listen){ .address = STR("/run/rollcall/control.sock"), .mode = 0660, .group = STR("") };
	c->control_readonly = STR("");
}
