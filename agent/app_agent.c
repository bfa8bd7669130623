/* Nobody answers HAProxy's agent-checks: see app_agent.h. */
#include "config.h"

#include "app_agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/port_hold.h"

#define ADDRESS_SIZE 64

struct place {
	struct app_agent *agent;
	struct port_hold *hold; /* null: the place is free */
	char address[ADDRESS_SIZE];
	struct fault fault;
	bool is_wanted;
};

struct app_agent {
	struct loop *loop;
	struct clk clk;
	struct place places[APP_AGENT_MAX];
};

static void
on_look(void *arg, bool is_answered)
{
	struct place *p = arg;
	const int64_t now_ms = clk_mono_ms(&p->agent->clk);
	struct err e = ERR_INIT;

	if (!is_answered) {
		if (fault_clear(&p->fault))
			log_info("outlier", "nobody listens at %s (outlier.agent) any more", p->address);
		return;
	}
	(void)err_set(&e, ERR_IO,
	    "somebody listens at %s (outlier.agent), and HAProxy does as he says (drain, maint): end that program, or "
	    "move outlier.agent and haproxy.cfg's agent-port",
	    p->address);
	if (fault_raise(&p->fault, now_ms, &e))
		log_warn("outlier", "%s", e.msg);
}

static struct place *
find(struct app_agent *a, struct str address)
{
	struct place *unused = NULL;

	for (size_t i = 0; i < APP_AGENT_MAX; i++) {
		struct place *p = &a->places[i];

		if (p->hold != NULL && str_eq(str_from_cstr(p->address), address))
			return p;
		if (p->hold == NULL && unused == NULL)
			unused = p;
	}
	return unused;
}

static void
want(struct app_agent *a, const struct conf_policy *policy)
{
	const struct str address = policy->outlier.agent;
	struct place *p = find(a, address);
	struct err e = ERR_INIT;

	if (!conf_policy_has_agent(policy) || address.len >= ADDRESS_SIZE || p == NULL)
		return;
	if (p->hold == NULL) {
		*p = (struct place){ .agent = a };
		memcpy(p->address, address.ptr, address.len);
		if (port_hold_new(a->loop,
			&(struct port_hold_config){
			    address, .key = "outlier.agent", .look_ms = APP_AGENT_LOOK_MS, .fn = on_look, .arg = p },
			&p->hold, &e) != ERR_OK) {
			log_warn("outlier", "%s; nobody sees to it that it stays free", e.msg);
			p->hold = NULL;
		}
	}
	p->is_wanted = true;
}

void
app_agent_keep(struct app_agent *a, const struct conf *conf)
{
	for (size_t i = 0; i < APP_AGENT_MAX; i++)
		a->places[i].is_wanted = false;
	want(a, &conf->defaults);
	for (size_t i = 0; i < conf->n_backends; i++)
		want(a, &conf->backends[i].policy);
	for (size_t i = 0; i < APP_AGENT_MAX; i++)
		if (!a->places[i].is_wanted) {
			port_hold_close(a->places[i].hold);
			a->places[i] = (struct place){ .hold = NULL };
		}
}

enum err_code
app_agent_new(struct loop *l, struct app_agent **ret, struct err *e)
{
	struct app_agent *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "outlier.agent");
	a->loop = l;
	a->clk = loop_clk(l);
	*ret = a;
	return ERR_OK;
}

const struct fault *
app_agent_fault(const struct app_agent *a)
{
	for (size_t i = 0; i < APP_AGENT_MAX; i++)
		if (a->places[i].fault.on)
			return &a->places[i].fault;
	return NULL;
}

void
app_agent_close(struct app_agent *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < APP_AGENT_MAX; i++)
		port_hold_close(a->places[i].hold);
	free(a);
}
