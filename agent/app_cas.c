/* CA files, read and read again: see app_cas.h. */
#include "config.h"

#include "app_cas.h"

#include <stdlib.h>

#include "base/log.h"

struct app_cas {
	const struct conf *conf;
	struct hap_cas *now, *before;
};

static enum err_code
read_all(const struct conf *conf, const struct hap_cas *before, struct hap_cas **ret, struct err *e)
{
	struct str *paths = calloc(conf->n_backends + 1, sizeof(*paths)); /* the last: of backends that labels make */
	enum err_code code;

	if (paths == NULL)
		return err_set(e, ERR_NOMEM, "tls_ca_file: %s", err_text(ERR_NOMEM));
	for (size_t i = 0; i < conf->n_backends; i++)
		paths[i] = conf->backends[i].policy.tls_ca_file;
	paths[conf->n_backends] = conf->defaults.tls_ca_file;
	code = hap_ca_read(paths, conf->n_backends + 1, before, ret, e);
	free(paths);
	return code;
}

static void
log_faults(const struct hap_cas *cas)
{
	for (size_t i = 0; i < cas->n_faults; i++) {
		const struct hap_ca_fault *f = &cas->faults[i];

		log_warn("hap", "tls_ca_file " STR_FMT ": %s; %s", STR_ARG(f->path), f->err.msg,
		    hap_ca_find(cas, f->path) != NULL ? "servers are verified by what it held before"
						      : "servers that need it are left out until it can be read");
	}
}

static void
log_changes(const struct hap_cas *before, const struct hap_cas *now)
{
	for (size_t i = 0; i < now->n; i++) {
		const struct plan_ca *was = hap_ca_find(before, now->items[i].path);

		if (was == NULL || !str_eq(was->name, now->items[i].name))
			log_info("hap",
			    "tls_ca_file " STR_FMT
			    ": read again, it holds something else; servers take it up one after the other",
			    STR_ARG(now->items[i].path));
	}
}

enum err_code
app_cas_new(const struct conf *conf, struct app_cas **ret, struct err *e)
{
	struct app_cas *c = calloc(1, sizeof(*c));
	enum err_code code;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "tls_ca_file: %s", err_text(ERR_NOMEM));
	c->conf = conf;
	code = read_all(conf, NULL, &c->now, e);
	if (code != ERR_OK) {
		free(c);
		return code;
	}
	log_faults(c->now);
	*ret = c;
	return ERR_OK;
}

const struct hap_cas *
app_cas_now(const struct app_cas *c)
{
	return c->now;
}

bool
app_cas_refresh(struct app_cas *c)
{
	struct hap_cas *fresh;
	struct err e = ERR_INIT;

	hap_ca_free(MOVE(c->before));
	if (!hap_ca_is_outdated(c->now))
		return false;
	if (read_all(c->conf, c->now, &fresh, &e) != ERR_OK) {
		log_warn("hap", "%s; the CA files stay as they were read", e.msg);
		return false;
	}
	log_changes(c->now, fresh);
	log_faults(fresh);
	c->before = c->now;
	c->now = fresh;
	return true;
}

void
app_cas_free(struct app_cas *c)
{
	if (c == NULL)
		return;
	hap_ca_free(c->before);
	hap_ca_free(c->now);
	free(c);
}
