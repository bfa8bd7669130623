/*
 * What a server's line says and HAProxy cannot change while the server lives, as one
 * number: see desired.h.  It is kept in state_dir/applied.json from run to run, so
 * neither the order nor the form of what is hashed may change without need: each server
 * would be taken out once, and added anew.
 */
#include "config.h"

#include "plan/desired.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t
put_number(uint64_t hash, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		hash = (hash ^ (value & 0xff)) * FNV_PRIME;
		value >>= 8;
	}
	return hash;
}

/* The length first: what follows cannot be taken for a part of it. */
static uint64_t
put_text(uint64_t hash, struct str text)
{
	hash = put_number(hash, text.len);
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.ptr[i]) * FNV_PRIME;
	return hash;
}

/* With TLS, proto is what ALPN asks for. */
static uint64_t
put_transport(uint64_t hash, const struct conf_policy *p)
{
	bool is_verified = p->tls_verify == CONF_TLS_VERIFY_REQUIRED;

	hash = put_number(hash, p->proto == CONF_PROTO_H2 ? 2 : 1);
	hash = put_number(hash, p->tls ? 1 : 0);
	if (!p->tls)
		return hash;
	hash = put_number(hash, is_verified ? 1 : 0);
	if (is_verified)
		hash = put_text(hash, p->tls_ca_file);
	return put_text(hash, p->tls_sni);
}

/* Type, service, path and timeout are the backend's, whatever they are; a server line
 * says whether it is checked, and how often. */
static uint64_t
put_checks(uint64_t hash, const struct conf_policy *p)
{
	const struct conf_check *c = &p->check;

	hash = put_number(hash, c->type != CONF_CHECK_OFF ? 1 : 0);
	if (c->type == CONF_CHECK_OFF)
		return hash;
	hash = put_number(hash, (uint64_t)c->inter_ms);
	hash = put_number(hash, c->rise);
	hash = put_number(hash, c->fall);
	hash = put_number(hash, (uint64_t)p->observe);
	if (p->observe == CONF_OBSERVE_OFF)
		return hash;
	hash = put_number(hash, p->observe_error_limit);
	return put_number(hash, (uint64_t)p->observe_on_error);
}

/* The agent-check that ejections need. */
static uint64_t
put_agent(uint64_t hash, const struct conf_policy *p)
{
	return conf_policy_has_agent(p) ? put_text(hash, p->outlier.agent) : hash;
}

uint64_t
desired_spec(const struct conf_policy *policy)
{
	uint64_t hash =
	    put_number(put_checks(put_transport(FNV_BASIS, policy), policy), (uint64_t)policy->slowstart_ms);

	hash = put_agent(hash, policy);
	return hash != 0 ? hash : 1;
}
