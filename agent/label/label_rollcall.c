/* rollcall's own labels: rollcall.KEY, and rollcall.endpoints.NAME.KEY. */
#include "config.h"

#include "label/label_reader.h"
#include "label/label_text.h"

/* False: it is none of these. */
static bool
read_router_key(struct label_reader *r, struct label_endpoint_draft *d, const struct label_name *name, struct str value)
{
	struct label_text_ref ref = { .label = name->full, .value = value };
	bool is_rule = label_name_is(name, "rule"), is_entrypoints = label_name_is(name, "entrypoints");
	struct label_router_draft *router;

	if (!is_rule && !is_entrypoints && !label_name_is(name, "priority"))
		return false;
	router = label_reader_router(r, d);
	if (router == NULL)
		return true;
	if (is_rule)
		router->rule = ref;
	else if (is_entrypoints)
		router->entrypoints = ref;
	else
		label_reader_priority(r, router, name->full, value);
	return true;
}

static void
read_key(struct label_reader *r, struct label_endpoint_draft *d, const struct label_name *name, struct str value)
{
	char key[32];

	if (read_router_key(r, d, name, value))
		return;
	if (label_settings_knows(name->rest) && name->rest.len < sizeof(key)) {
		memcpy(key, name->rest.ptr, name->rest.len);
		key[name->rest.len] = '\0';
		label_reader_set(r, d, name->full, key, value);
	} else {
		label_reader_note(r, name->full, LABEL_IGNORED, "rollcall has no such label");
	}
}

static void
read_named(
    struct label_reader *r, struct label_endpoint_draft *drafts, size_t *n, struct label_name name, struct str value)
{
	struct label_endpoint_draft *d;
	struct str endpoint;

	if (!label_name_part(&name, &endpoint)) {
		label_reader_note(r, name.full, LABEL_IGNORED, "rollcall has no such label");
		return;
	}
	d = label_reader_endpoint(r, drafts, n, name.full, endpoint);
	if (d == NULL)
		return;
	if (label_name_is(&name, "enable"))
		label_reader_enable(r, name.full, value, &d->is_disabled);
	else
		read_key(r, d, &name, value);
}

static void
read_one(struct label_reader *r, struct label_endpoint_draft *drafts, size_t *n, const struct taskdef_label *l)
{
	struct label_name name = { .full = l->name, .rest = l->name };
	bool is_disabled = false;

	if (!label_name_skip(&name, "rollcall."))
		return;
	if (label_name_skip(&name, "endpoints.")) {
		read_named(r, drafts, n, name, l->value);
	} else if (label_name_is(&name, "enable")) {
		label_reader_enable(r, l->name, l->value, &is_disabled);
		if (r->enable != LABEL_ENABLE_NO)
			r->enable = is_disabled ? LABEL_ENABLE_NO : LABEL_ENABLE_YES;
	} else {
		read_key(r, &drafts[0], &name, l->value);
	}
}

/* What the container says of all its endpoints, one may say otherwise for itself. */
static void
inherit(struct label_endpoint_draft *d, const struct label_endpoint_draft *from)
{
	struct label_settings own = d->settings;

	d->settings = from->settings;
	d->settings.port = own.port;
	d->settings.backend = own.backend;
	if (own.has_retry) {
		d->settings.has_retry = true;
		d->settings.is_idempotent = own.is_idempotent;
	}
	label_settings_overlay(&own, 0, &d->settings.policy);
	d->settings.check_set |= own.check_set;
	if (!d->refusal.is_refused)
		d->refusal = from->refusal;
}

/* drafts[0] is the container itself: an endpoint unless only others have routes. */
size_t
label_rollcall_read(
    struct label_reader *r, const struct taskdef_label *labels, size_t n, struct label_endpoint_draft *drafts)
{
	size_t n_drafts = 1;
	struct label_endpoint_draft *own = &drafts[0];
	bool has_own;

	*own = (struct label_endpoint_draft){ .name = STR("") };
	for (size_t i = 0; i < n; i++)
		read_one(r, drafts, &n_drafts, &labels[i]);
	for (size_t i = 1; i < n_drafts; i++)
		inherit(&drafts[i], own);
	has_own = own->n_routers > 0 || own->settings.port != 0 || own->settings.backend.len > 0;
	if (n_drafts == 1 || has_own)
		return n_drafts;
	for (size_t i = 1; i < n_drafts; i++)
		drafts[i - 1] = drafts[i];
	return n_drafts - 1;
}
