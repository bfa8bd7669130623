/* The `haproxy` section: see conf_haproxy.h. */
#include "config.h"

#include "conf/conf_haproxy.h"

#define IN(field) offsetof(struct conf_haproxy, field)

static const struct conf_address socket_address = {
	.path = true,
	.tcp = true,
	.wants = "the address of HAProxy's socket: a path that begins with /, or HOST:PORT",
};
static const struct conf_address master_address = {
	.path = true,
	.tcp = true,
	.may_be_empty = true,
	.wants = "the address of HAProxy's master socket: a path that begins with /, or HOST:PORT",
};

static const struct conf_choice mode_items[] = {
	{ "auto", CONF_MANAGED_AUTO },
	{ "off", CONF_MANAGED_OFF },
	{ "runtime", CONF_MANAGED_RUNTIME },
	{ "reload", CONF_MANAGED_RELOAD },
};
static const struct conf_choices modes = { mode_items, CONF_N(mode_items) };

static const struct conf_shape *const entrypoint_shapes[] = { &conf_shape_entrypoint, &conf_shape_map_file };

static const struct conf_key managed_keys[] = {
	{ "mode", conf_decode_choice, IN(managed_mode), &modes },
	{ "dir", conf_decode_text, IN(managed_dir), &conf_shape_path },
	{ "defaults", conf_decode_text, IN(managed_defaults), &conf_shape_proxy },
	{ "default_rule", conf_decode_text, IN(default_rule), &conf_shape_expression },
	{ "entrypoints", conf_decode_pairs, IN(entrypoints), entrypoint_shapes },
	{ "allow_hosts", conf_decode_list, IN(allow_hosts), &conf_shape_host_glob },
	{ "allow_backends", conf_decode_list, IN(allow_backends), &conf_shape_backend },
	{ "allow_unhonoured", conf_decode_list, IN(allow_unhonoured), &conf_shape_label },
};
static const struct conf_map managed_map = { .keys = managed_keys, .n = CONF_N(managed_keys) };

static const struct conf_key haproxy_keys[] = {
	{ "socket", conf_decode_address, IN(socket), &socket_address },
	{ "master_socket", conf_decode_address, IN(master_socket), &master_address },
	{ "apply", conf_decode_bool, IN(apply), NULL },
	{ "managed", conf_decode_map, 0, &managed_map },
};

static void
check_haproxy(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	struct conf_haproxy *h = obj;
	const struct conf_yaml_node *managed = conf_yaml_get(map, "managed");

	if (conf_decode_has(managed, "default_rule"))
		h->default_rule_where = conf_decode_where(managed, "default_rule");
	if (h->managed_mode == CONF_MANAGED_RELOAD && !conf_decode_has(map, "master_socket"))
		conf_report_fault(&d->report, conf_decode_where(managed, "mode"),
		    "`mode: reload` needs `haproxy.master_socket`: HAProxy is asked there to reload");
}

const struct conf_map conf_haproxy_map = { .keys = haproxy_keys, .n = CONF_N(haproxy_keys), .check = check_haproxy };

struct conf_haproxy
conf_haproxy_builtin(void)
{
	static const struct str any[] = { { "*", 1 } };
	static const struct conf_pair routes[] = { { { "default", 7 }, { "routes.map", 10 } } };

	return (struct conf_haproxy){
		.socket = STR("/run/haproxy/admin.sock"),
		.master_socket = STR(""),
		.apply = true,
		.managed_mode = CONF_MANAGED_AUTO,
		.managed_dir = STR("/var/lib/rollcall/haproxy"),
		.managed_defaults = STR("rollcall"),
		.default_rule = STR(""),
		.entrypoints = { routes, CONF_N(routes) },
		.allow_hosts = { any, CONF_N(any) },
	};
}
