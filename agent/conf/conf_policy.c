/*
 * The keys that `defaults` and each backends entry share, and how one lies over
 * the other: see conf.h.  An entry is decoded over a copy of the defaults, so that
 * in a map such as `check` what it leaves out stays as the defaults have it.
 */
#include "config.h"

#include "conf/conf_policy.h"

#include "conf/conf_scalar.h"

#define IN(field)         offsetof(struct conf_policy, field)
#define IN_CHECK(field)   offsetof(struct conf_check, field)
#define IN_OUTLIER(field) offsetof(struct conf_outlier, field)

#define HOUR_MS INT64_C(3600000)

static const struct conf_span any_time = { 0, 24 * HOUR_MS };
static const struct conf_span check_time = { 10, HOUR_MS };
static const struct conf_span sweep_time = { 100, HOUR_MS };
static const struct conf_span ejection_time = { 1000, 24 * HOUR_MS };
static const struct conf_range any_count = { 1, 1000000 };
static const struct conf_range check_count = { 1, 1000 };
static const struct conf_range any_weight = { 0, 1000000 };
static const struct conf_range any_maxconn = { 0, 10000000 };

static const struct conf_choice proto_items[] = { { "h2", CONF_PROTO_H2 }, { "h1", CONF_PROTO_H1 } };
static const struct conf_choices protos = { proto_items, CONF_N(proto_items) };

static const struct conf_choice tls_verify_items[] = {
	{ "required", CONF_TLS_VERIFY_REQUIRED },
	{ "none", CONF_TLS_VERIFY_NONE },
};
static const struct conf_choices tls_verifies = { tls_verify_items, CONF_N(tls_verify_items) };

static const struct conf_choice balance_items[] = {
	{ "roundrobin", CONF_BALANCE_ROUNDROBIN },
	{ "leastconn", CONF_BALANCE_LEASTCONN },
	{ "random", CONF_BALANCE_RANDOM },
};
static const struct conf_choices balances = { balance_items, CONF_N(balance_items) };

static const struct conf_choice check_type_items[] = {
	{ "inherit", CONF_CHECK_INHERIT },
	{ "off", CONF_CHECK_OFF },
	{ "tcp", CONF_CHECK_TCP },
	{ "http", CONF_CHECK_HTTP },
	{ "grpc", CONF_CHECK_GRPC },
};
static const struct conf_choices check_types = { check_type_items, CONF_N(check_type_items) };

static const struct conf_choice observe_items[] = {
	{ "layer7", CONF_OBSERVE_LAYER7 },
	{ "layer4", CONF_OBSERVE_LAYER4 },
	{ "off", CONF_OBSERVE_OFF },
};
static const struct conf_choices observes = { observe_items, CONF_N(observe_items) };

static const struct conf_choice on_error_items[] = {
	{ "fastinter", CONF_ON_ERROR_FASTINTER },
	{ "fail-check", CONF_ON_ERROR_FAIL_CHECK },
	{ "sudden-death", CONF_ON_ERROR_SUDDEN_DEATH },
	{ "mark-down", CONF_ON_ERROR_MARK_DOWN },
};
static const struct conf_choices on_errors = { on_error_items, CONF_N(on_error_items) };

static const struct conf_choice outlier_mode_items[] = {
	{ "enforce", CONF_OUTLIER_ENFORCE },
	{ "observe", CONF_OUTLIER_OBSERVE },
	{ "off", CONF_OUTLIER_OFF },
};
static const struct conf_choices outlier_modes = { outlier_mode_items, CONF_N(outlier_mode_items) };

/* ---- share ---- */

static void
decode_revision(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	bool *latest = ret;
	struct str text;

	if (!conf_decode_scalar(d, key, value, &text))
		return;
	if (str_eq(text, STR("latest")))
		*latest = true;
	else
		conf_decode_refuse(d, key, value, "is not `latest`");
}

static void
check_share(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	(void)obj;
	if (!conf_decode_has(map, "percent"))
		conf_report_fault(&d->report, map->where, "`share` needs `percent`");
}

static const struct conf_key share_keys[] = {
	{ "percent", conf_decode_percent, IN(share_percent), NULL },
	{ "revision", decode_revision, IN(share_latest), NULL },
};
static const struct conf_map share_map = { .keys = share_keys, .n = CONF_N(share_keys), .check = check_share };
static const struct conf_key share_as_map = { .name = "share", .arg = &share_map };

static void
decode_share(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct conf_policy *p = ret;

	p->share_latest = false;
	p->share_percent = 0;
	if (value->kind == CONF_YAML_SCALAR)
		conf_decode_percent(d, key, value, &p->share_percent);
	else if (value->kind == CONF_YAML_LIST)
		conf_decode_wrong_kind(d, key, value, "a percentage, or {percent: 10, revision: latest}");
	else
		conf_decode_map(d, &share_as_map, value, p);
}

/* ---- maxconn, drain_timeout ---- */

static void
decode_maxconn(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	unsigned *maxconn = ret;

	if (value->kind == CONF_YAML_NULL)
		*maxconn = 0;
	else
		conf_decode_whole(d, key, value, ret);
}

static void
decode_drain_timeout(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	int64_t *ms = ret;

	if (value->kind == CONF_YAML_SCALAR && str_eq(value->text, STR("auto")))
		*ms = CONF_DRAIN_AUTO;
	else
		conf_decode_duration(d, key, value, ret);
}

/* ---- check ---- */

static void
check_check(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	const struct conf_check *c = obj;

	if (!conf_decode_sound(d, map, "type"))
		return;
	if (conf_decode_has(map, "service") && c->type != CONF_CHECK_GRPC)
		conf_report_warning(&d->report, conf_decode_where(map, "service"),
		    "`service` says nothing here: only a check of type grpc asks for a service");
	if (conf_decode_has(map, "path") && c->type != CONF_CHECK_HTTP)
		conf_report_warning(&d->report, conf_decode_where(map, "path"),
		    "`path` says nothing here: only a check of type http asks for a path");
}

static const struct conf_key check_keys[] = {
	{ "type", conf_decode_choice, IN_CHECK(type), &check_types },
	{ "service", conf_decode_text, IN_CHECK(service), &conf_shape_grpc_service },
	{ "path", conf_decode_text, IN_CHECK(path), &conf_shape_url_path },
	{ "inter", conf_decode_duration, IN_CHECK(inter_ms), &check_time },
	{ "timeout", conf_decode_duration, IN_CHECK(timeout_ms), &check_time },
	{ "rise", conf_decode_whole, IN_CHECK(rise), &check_count },
	{ "fall", conf_decode_whole, IN_CHECK(fall), &check_count },
};
static const struct conf_map check_map = { .keys = check_keys, .n = CONF_N(check_keys), .check = check_check };

/* ---- observe ---- */

static const struct conf_key observe_keys[] = {
	{ "mode", conf_decode_choice, IN(observe), &observes },
	{ "error_limit", conf_decode_whole, IN(observe_error_limit), &any_count },
	{ "on_error", conf_decode_choice, IN(observe_on_error), &on_errors },
};
static const struct conf_map observe_map = { .keys = observe_keys, .n = CONF_N(observe_keys) };
static const struct conf_key observe_as_map = { .name = "observe", .arg = &observe_map };

static void
decode_observe(struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret)
{
	struct conf_policy *p = ret;
	struct err e = ERR_INIT;
	bool on;

	if (value->kind == CONF_YAML_MAP) {
		p->observe = CONF_OBSERVE_LAYER7;
		conf_decode_map(d, &observe_as_map, value, p);
	} else if (value->kind == CONF_YAML_SCALAR && conf_scalar_bool(value->text, &on, &e) == ERR_OK && !on) {
		p->observe = CONF_OBSERVE_OFF;
	} else {
		conf_decode_wrong_kind(d, key, value, "off, or {mode: layer7, error_limit: 10, on_error: fastinter}");
	}
}

/* ---- outlier ---- */

static const struct conf_key failure_keys[] = {
	{ "threshold", conf_decode_percent, IN_OUTLIER(failure_threshold_percent), NULL },
	{ "volume", conf_decode_whole, IN_OUTLIER(failure_volume), &any_count },
	{ "min_hosts", conf_decode_whole, IN_OUTLIER(failure_min_hosts), &any_count },
};
static const struct conf_map failure_map = { .keys = failure_keys, .n = CONF_N(failure_keys) };

static void
check_outlier(struct conf_decode *d, const struct conf_yaml_node *map, void *obj)
{
	const struct conf_outlier *o = obj;
	const char *key = conf_decode_has(map, "max_ejection_time") ? "max_ejection_time" : "base_ejection_time";
	char base[CONF_SCALAR_DURATION_SIZE], max[CONF_SCALAR_DURATION_SIZE];

	if (o->max_ejection_ms >= o->base_ejection_ms || !conf_decode_sound(d, map, "max_ejection_time") ||
	    !conf_decode_sound(d, map, "base_ejection_time"))
		return;
	conf_scalar_put_duration(o->base_ejection_ms, base);
	conf_scalar_put_duration(o->max_ejection_ms, max);
	conf_report_fault(&d->report, conf_decode_where(map, key),
	    "`max_ejection_time` (%s) is shorter than `base_ejection_time` (%s)", max, base);
}

static const struct conf_address agent_address = {
	.loopback = true,
	.wants = "an address of this machine, 127.0.0.1:PORT or [::1]:PORT: nobody need listen there",
};

static const struct conf_key outlier_keys[] = {
	{ "mode", conf_decode_choice, IN_OUTLIER(mode), &outlier_modes },
	{ "agent", conf_decode_address, IN_OUTLIER(agent), &agent_address },
	{ "consecutive_errors", conf_decode_whole, IN_OUTLIER(consecutive_errors), &any_count },
	{ "failure_percentage", conf_decode_map, 0, &failure_map },
	{ "interval", conf_decode_duration, IN_OUTLIER(interval_ms), &sweep_time },
	{ "base_ejection_time", conf_decode_duration, IN_OUTLIER(base_ejection_ms), &ejection_time },
	{ "max_ejection_time", conf_decode_duration, IN_OUTLIER(max_ejection_ms), &ejection_time },
	{ "max_ejection_percent", conf_decode_percent, IN_OUTLIER(max_ejection_percent), NULL },
	{ "panic_threshold", conf_decode_percent, IN_OUTLIER(panic_threshold_percent), NULL },
};
static const struct conf_map outlier_map = { .keys = outlier_keys, .n = CONF_N(outlier_keys), .check = check_outlier };

/* ---- all of it ---- */

static const struct conf_key policy_keys[] = {
	{ "proto", conf_decode_choice, IN(proto), &protos },
	{ "tls", conf_decode_bool, IN(tls), NULL },
	{ "tls_verify", conf_decode_choice, IN(tls_verify), &tls_verifies },
	{ "tls_ca_file", conf_decode_text, IN(tls_ca_file), &conf_shape_optional_path },
	{ "tls_sni", conf_decode_text, IN(tls_sni), &conf_shape_host },
	{ "weight", conf_decode_whole, IN(weight), &any_weight },
	{ "share", decode_share, 0, NULL },
	{ "maxconn", decode_maxconn, IN(maxconn), &any_maxconn },
	{ "slowstart", conf_decode_duration, IN(slowstart_ms), &any_time },
	{ "balance", conf_decode_choice, IN(balance), &balances },
	{ "check", conf_decode_map, IN(check), &check_map },
	{ "observe", decode_observe, 0, NULL },
	{ "drain_timeout", decode_drain_timeout, IN(drain_timeout_ms), &any_time },
	{ "removal_limit", conf_decode_percent, IN(removal_limit_percent), NULL },
	{ "outlier", conf_decode_map, IN(outlier), &outlier_map },
};
_Static_assert(CONF_N(policy_keys) == CONF_N_POLICY_KEYS, "each key of a policy has a decoder");

const struct conf_map conf_policy_map = { .keys = policy_keys, .n = CONF_N(policy_keys) };

struct conf_policy
conf_policy_builtin(void)
{
	return (struct conf_policy){
		.proto = CONF_PROTO_H2,
		.tls_verify = CONF_TLS_VERIFY_REQUIRED,
		.tls_ca_file = STR(""),
		.tls_sni = STR(""),
		.weight = 100,
		.balance = CONF_BALANCE_ROUNDROBIN,
		.check = {
		    .type = CONF_CHECK_INHERIT,
		    .service = STR(""),
		    .path = STR(""),
		    .inter_ms = 2000,
		    .timeout_ms = CONF_CHECK_TIMEOUT_MS,
		    .rise = 2,
		    .fall = 3,
		},
		.observe = CONF_OBSERVE_OFF,
		.observe_error_limit = 10,
		.observe_on_error = CONF_ON_ERROR_FASTINTER,
		.drain_timeout_ms = CONF_DRAIN_AUTO,
		.removal_limit_percent = 50,
		.outlier = {
		    .mode = CONF_OUTLIER_ENFORCE,
		    .agent = STR("127.0.0.1:4320"),
		    .consecutive_errors = 5,
		    .failure_threshold_percent = 50,
		    .failure_volume = 20,
		    .failure_min_hosts = 2,
		    .interval_ms = 10000,
		    .base_ejection_ms = 30000,
		    .max_ejection_ms = 300000,
		    .max_ejection_percent = 33,
		    .panic_threshold_percent = 50,
		},
	};
}

const char *
conf_policy_key_name(enum conf_policy_key key)
{
	static const char *const names[CONF_N_POLICY_KEYS] = {
#define X(name, text) [CONF_POLICY_##name] = (text),
		CONF_POLICY_KEYS(X)
#undef X
	};

	return names[key];
}

static uint32_t
bit(enum conf_policy_key key)
{
	return UINT32_C(1) << key;
}

bool
conf_policy_has_agent(const struct conf_policy *p)
{
	return p->outlier.mode != CONF_OUTLIER_OFF && p->outlier.agent.len > 0;
}

bool
conf_policy_has(const struct conf_policy *p, enum conf_policy_key key)
{
	return (p->set & bit(key)) != 0;
}

uint32_t
conf_policy_note_keys(struct conf_policy *p, const struct conf_yaml_node *map)
{
	uint32_t written = 0, nulls = 0;

	for (enum conf_policy_key key = 0; key < CONF_N_POLICY_KEYS; key++) {
		const struct conf_yaml_node *value = conf_yaml_get(map, conf_policy_key_name(key));

		if (value != NULL && value->kind == CONF_YAML_NULL)
			nulls |= bit(key);
		else if (value != NULL)
			written |= bit(key);
	}
	p->set = (p->set | written) & ~nulls;
	return written;
}

static void
overlay_key(struct conf_policy *under, const struct conf_policy *over, enum conf_policy_key key)
{
	switch (key) {
	case CONF_POLICY_PROTO:
		under->proto = over->proto;
		break;
	case CONF_POLICY_TLS:
		under->tls = over->tls;
		break;
	case CONF_POLICY_TLS_VERIFY:
		under->tls_verify = over->tls_verify;
		break;
	case CONF_POLICY_TLS_CA_FILE:
		under->tls_ca_file = over->tls_ca_file;
		break;
	case CONF_POLICY_TLS_SNI:
		under->tls_sni = over->tls_sni;
		break;
	case CONF_POLICY_WEIGHT:
		under->weight = over->weight;
		break;
	case CONF_POLICY_SHARE:
		under->share_percent = over->share_percent;
		under->share_latest = over->share_latest;
		break;
	case CONF_POLICY_MAXCONN:
		under->maxconn = over->maxconn;
		break;
	case CONF_POLICY_SLOWSTART:
		under->slowstart_ms = over->slowstart_ms;
		break;
	case CONF_POLICY_BALANCE:
		under->balance = over->balance;
		break;
	case CONF_POLICY_CHECK:
		under->check = over->check;
		break;
	case CONF_POLICY_OBSERVE:
		under->observe = over->observe;
		under->observe_error_limit = over->observe_error_limit;
		under->observe_on_error = over->observe_on_error;
		break;
	case CONF_POLICY_DRAIN_TIMEOUT:
		under->drain_timeout_ms = over->drain_timeout_ms;
		break;
	case CONF_POLICY_REMOVAL_LIMIT:
		under->removal_limit_percent = over->removal_limit_percent;
		break;
	case CONF_POLICY_OUTLIER:
		under->outlier = over->outlier;
		break;
	case CONF_N_POLICY_KEYS:
		break;
	}
}

void
conf_policy_overlay(struct conf_policy *under, const struct conf_policy *over)
{
	for (enum conf_policy_key key = 0; key < CONF_N_POLICY_KEYS; key++)
		if (conf_policy_has(over, key))
			overlay_key(under, over, key);
	under->set |= over->set;
}
