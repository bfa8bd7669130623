/* Settings by labels: see label_settings.h. */
#include "config.h"

#include "label/label_settings.h"

#include "conf/conf_scalar.h"
#include "conf/conf_shape.h"
#include "label/label_text.h"

#define HOUR_MS     INT64_C(3600000)
#define WEIGHT_MAX  1000000u
#define MAXCONN_MAX 10000000u

typedef enum err_code take_fn(struct label_settings *s, struct str value, struct err *e);

static uint32_t
bit(enum conf_policy_key key)
{
	return UINT32_C(1) << key;
}

struct word {
	const char *text;
	int value;
};

static enum err_code
take_word(struct str value, const struct word *words, size_t n, int *ret, const char *wants, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!label_text_same(value, str_from_cstr(words[i].text)))
			continue;
		*ret = words[i].value;
		return ERR_OK;
	}
	return err_set(e, ERR_PARSE, "`%s` is not one of %s", label_text_quote(value).text, wants);
}

static enum err_code
quoted(struct str value, enum err_code code, struct err *e)
{
	return code == ERR_OK ? ERR_OK : err_wrap(e, code, "`%s`", label_text_quote(value).text);
}

static enum err_code
take_time(struct str value, int64_t min_ms, int64_t max_ms, int64_t *ret, struct err *e)
{
	int64_t ms = 0;
	enum err_code code = quoted(value, conf_scalar_duration(value, &ms, e), e);

	if (code == ERR_OK && (ms < min_ms || ms > max_ms))
		code = err_set(e, ERR_PARSE, "`%s` is out of range", label_text_quote(value).text);
	if (code == ERR_OK)
		*ret = ms;
	return code;
}

/* ---- the keys ---- */

static enum err_code
take_port(struct label_settings *s, struct str value, struct err *e)
{
	unsigned port = 0;
	enum err_code code = quoted(value, conf_scalar_whole(value, 1, 65535, &port, e), e);

	if (code == ERR_OK)
		s->port = (uint16_t)port;
	return code;
}

static enum err_code
take_backend(struct label_settings *s, struct str value, struct err *e)
{
	if (!label_text_name_ok(value))
		return err_set(e, ERR_PARSE, "`%s` is no backend's name: at most %d of A-Z a-z 0-9 _ . : -",
		    label_text_quote(value).text, LABEL_TEXT_NAME_MAX);
	s->backend = value;
	return ERR_OK;
}

static enum err_code
take_proto(struct label_settings *s, struct str value, struct err *e)
{
	static const struct word words[] = { { "h2", CONF_PROTO_H2 }, { "h1", CONF_PROTO_H1 } };
	int proto = 0;
	enum err_code code = take_word(value, words, 2, &proto, "h2, h1", e);

	if (code != ERR_OK)
		return code;
	s->policy.proto = (enum conf_proto)proto;
	s->policy.set |= bit(CONF_POLICY_PROTO);
	return ERR_OK;
}

static enum err_code
take_tls(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = quoted(value, conf_scalar_bool(value, &s->policy.tls, e), e);

	if (code == ERR_OK)
		s->policy.set |= bit(CONF_POLICY_TLS);
	return code;
}

static enum err_code
take_weight(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = quoted(value, conf_scalar_whole(value, 0, WEIGHT_MAX, &s->policy.weight, e), e);

	if (code == ERR_OK)
		s->policy.set |= bit(CONF_POLICY_WEIGHT);
	return code;
}

/* "10", "10%", "10% latest": the last of the running revision that was registered last. */
static enum err_code
take_share(struct label_settings *s, struct str value, struct err *e)
{
	struct str rest = str_trim(value), percent, revision;
	bool has_revision;
	enum err_code code;

	(void)str_next(&rest, ' ', &percent);
	revision = str_trim(rest);
	has_revision = rest.ptr != NULL && revision.len > 0;
	if (has_revision && !label_text_same(revision, STR("latest")))
		return err_set(
		    e, ERR_PARSE, "`%s`: after the percentage only `latest` may stand", label_text_quote(value).text);
	code = quoted(value, conf_scalar_percent(percent, &s->policy.share_percent, e), e);
	if (code != ERR_OK)
		return code;
	s->policy.share_latest = has_revision;
	s->policy.set |= bit(CONF_POLICY_SHARE);
	return ERR_OK;
}

static enum err_code
take_balance(struct label_settings *s, struct str value, struct err *e)
{
	static const struct word words[] = { { "roundrobin", CONF_BALANCE_ROUNDROBIN },
		{ "leastconn", CONF_BALANCE_LEASTCONN }, { "random", CONF_BALANCE_RANDOM } };
	int balance = 0;
	enum err_code code = take_word(value, words, 3, &balance, "roundrobin, leastconn, random", e);

	if (code != ERR_OK)
		return code;
	s->policy.balance = (enum conf_balance)balance;
	s->policy.set |= bit(CONF_POLICY_BALANCE);
	return ERR_OK;
}

static enum err_code
take_slowstart(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = take_time(value, 0, 24 * HOUR_MS, &s->policy.slowstart_ms, e);

	if (code == ERR_OK)
		s->policy.set |= bit(CONF_POLICY_SLOWSTART);
	return code;
}

static enum err_code
take_maxconn(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = quoted(value, conf_scalar_whole(value, 1, MAXCONN_MAX, &s->policy.maxconn, e), e);

	if (code == ERR_OK)
		s->policy.set |= bit(CONF_POLICY_MAXCONN);
	return code;
}

static enum err_code
took_check(struct label_settings *s, enum label_check_field field)
{
	s->check_set |= (unsigned)field;
	s->policy.set |= bit(CONF_POLICY_CHECK);
	return ERR_OK;
}

static enum err_code
take_check(struct label_settings *s, struct str value, struct err *e)
{
	static const struct word words[] = { { "inherit", CONF_CHECK_INHERIT }, { "off", CONF_CHECK_OFF },
		{ "false", CONF_CHECK_OFF }, { "no", CONF_CHECK_OFF }, { "tcp", CONF_CHECK_TCP },
		{ "http", CONF_CHECK_HTTP }, { "grpc", CONF_CHECK_GRPC } };
	int type = 0;
	enum err_code code =
	    take_word(value, words, sizeof(words) / sizeof(words[0]), &type, "inherit, off, tcp, http, grpc", e);

	if (code != ERR_OK)
		return code;
	s->policy.check.type = (enum conf_check_type)type;
	return took_check(s, LABEL_CHECK_TYPE);
}

static enum err_code
take_check_service(struct label_settings *s, struct str value, struct err *e)
{
	if (value.len > 0 && !conf_shape_grpc_service.is(value))
		return err_set(e, ERR_PARSE, "`%s` is not the name of a gRPC service", label_text_quote(value).text);
	s->policy.check.service = value;
	return took_check(s, LABEL_CHECK_SERVICE);
}

static enum err_code
take_check_path(struct label_settings *s, struct str value, struct err *e)
{
	if (!label_text_path_ok(value))
		return err_set(e, ERR_PARSE, "`%s` is no path", label_text_quote(value).text);
	s->policy.check.path = value;
	return took_check(s, LABEL_CHECK_PATH);
}

static enum err_code
take_check_inter(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = take_time(value, 10, HOUR_MS, &s->policy.check.inter_ms, e);

	return code == ERR_OK ? took_check(s, LABEL_CHECK_INTER) : code;
}

static enum err_code
take_check_timeout(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = take_time(value, 10, HOUR_MS, &s->policy.check.timeout_ms, e);

	return code == ERR_OK ? took_check(s, LABEL_CHECK_TIMEOUT) : code;
}

static enum err_code
take_drain_timeout(struct label_settings *s, struct str value, struct err *e)
{
	enum err_code code = ERR_OK;

	if (label_text_same(value, STR("auto")))
		s->policy.drain_timeout_ms = CONF_DRAIN_AUTO;
	else
		code = take_time(value, 0, 24 * HOUR_MS, &s->policy.drain_timeout_ms, e);
	if (code == ERR_OK)
		s->policy.set |= bit(CONF_POLICY_DRAIN_TIMEOUT);
	return code;
}

static enum err_code
take_retry(struct label_settings *s, struct str value, struct err *e)
{
	static const struct word words[] = { { "safe", 0 }, { "idempotent", 1 } };
	int idempotent = 0;
	enum err_code code = take_word(value, words, 2, &idempotent, "safe, idempotent", e);

	if (code != ERR_OK)
		return code;
	s->has_retry = true;
	s->is_idempotent = idempotent != 0;
	return ERR_OK;
}

static const struct {
	const char *key;
	take_fn *take;
} keys[] = {
	{ "port", take_port },
	{ "backend", take_backend },
	{ "proto", take_proto },
	{ "tls", take_tls },
	{ "weight", take_weight },
	{ "share", take_share },
	{ "balance", take_balance },
	{ "slowstart", take_slowstart },
	{ "maxconn", take_maxconn },
	{ "check", take_check },
	{ "check.service", take_check_service },
	{ "check.path", take_check_path },
	{ "check.inter", take_check_inter },
	{ "check.timeout", take_check_timeout },
	{ "drain_timeout", take_drain_timeout },
	{ "retry", take_retry },
};

static take_fn *
find(struct str key)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (label_text_same(key, str_from_cstr(keys[i].key)))
			return keys[i].take;
	return NULL;
}

bool
label_settings_knows(struct str key)
{
	return find(key) != NULL;
}

enum err_code
label_settings_take(struct label_settings *s, struct str key, struct str value, struct err *e)
{
	take_fn *take = find(key);

	return take != NULL ? take(s, str_trim(value), e) : err_set(e, ERR_ARG, "no key of labels");
}

/* "10", "10s", "1m30s" is refused: nobody writes it, and half a duration would be another one. */
enum err_code
label_settings_take_seconds(struct label_settings *s, struct str key, struct str value, struct err *e)
{
	char text[16];
	uint64_t seconds;

	value = str_trim(value);
	if (!str_to_u64(value, 86400, &seconds))
		return label_settings_take(s, key, value, e);
	for (size_t i = 0; i < value.len && i < sizeof(text) - 1; i++)
		text[i] = value.ptr[i];
	if (value.len >= sizeof(text))
		return err_set(e, ERR_PARSE, "`%s` is no duration", label_text_quote(value).text);
	text[value.len] = 's';
	return label_settings_take(s, key, str_of(text, value.len + 1), e);
}

/* ---- laid over ---- */

/* A service asks for a check by gRPC, a path for one by HTTP. */
static void
overlay_check(const struct label_settings *s, struct conf_check *under)
{
	const struct conf_check *over = &s->policy.check;

	if ((s->check_set & LABEL_CHECK_TYPE) != 0)
		under->type = over->type;
	else if ((s->check_set & LABEL_CHECK_SERVICE) != 0)
		under->type = CONF_CHECK_GRPC;
	else if ((s->check_set & LABEL_CHECK_PATH) != 0)
		under->type = CONF_CHECK_HTTP;
	if ((s->check_set & LABEL_CHECK_SERVICE) != 0)
		under->service = over->service;
	if ((s->check_set & LABEL_CHECK_PATH) != 0)
		under->path = over->path;
	if ((s->check_set & LABEL_CHECK_INTER) != 0)
		under->inter_ms = over->inter_ms;
	if ((s->check_set & LABEL_CHECK_TIMEOUT) != 0)
		under->timeout_ms = over->timeout_ms;
}

void
label_settings_overlay(const struct label_settings *s, uint32_t own, struct conf_policy *under)
{
	struct conf_policy over = s->policy;

	over.set &= ~own;
	if (conf_policy_has(&over, CONF_POLICY_CHECK)) {
		overlay_check(s, &under->check);
		under->set |= bit(CONF_POLICY_CHECK);
		over.set &= ~bit(CONF_POLICY_CHECK);
	}
	conf_policy_overlay(under, &over);
}
