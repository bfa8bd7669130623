/*
 * All dialects of one container: see label.h.
 *
 * rollcall's labels come first: where they have a rule, a port or a backend, Traefik's
 * routes do not count; where they only set values, these lie over Traefik's.
 */
#include "config.h"

#include "label/label.h"

#include "label/label_reader.h"
#include "label/label_text.h"

struct drafts {
	struct label_endpoint_draft *items; /* room for LABEL_ENDPOINTS_MAX */
	size_t n;
};

const char *
label_fate_name(enum label_fate fate)
{
	static const char *const names[] = {
#define X(name, text) [LABEL_##name] = (text),
		LABEL_FATES(X)
#undef X
	};

	return names[fate];
}

static bool
reads(const struct label_rules *rules, struct str dialect)
{
	for (size_t i = 0; i < rules->dialects.n; i++)
		if (str_eq(rules->dialects.items[i], dialect))
			return true;
	return false;
}

static bool
has_label(const struct taskdef_label *labels, size_t n, struct str prefix)
{
	for (size_t i = 0; i < n; i++)
		if (label_text_has_prefix(labels[i].name, prefix))
			return true;
	return false;
}

static bool
has_http(const struct taskdef_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (label_traefik_is_http(labels[i].name))
			return true;
	return false;
}

static void
read_traefik_enable(struct label_reader *r, const struct taskdef_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is_disabled = false;

		if (!label_text_same(labels[i].name, STR("traefik.enable")))
			continue;
		label_reader_enable(r, labels[i].name, labels[i].value, &is_disabled);
		if (r->enable != LABEL_ENABLE_NO)
			r->enable = is_disabled ? LABEL_ENABLE_NO : LABEL_ENABLE_YES;
	}
}

static bool
make_drafts(struct label_reader *r, struct drafts *ret)
{
	ret->items = ARENA_ARRAY(r->scratch, struct label_endpoint_draft, LABEL_ENDPOINTS_MAX);
	ret->n = 0;
	return ret->items != NULL;
}

/* Does it say which calls it takes, or where? */
static bool
routes(const struct drafts *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].n_routers > 0 || d->items[i].settings.port != 0 ||
		    d->items[i].settings.backend.len > 0 || d->items[i].name.len > 0)
			return true;
	return false;
}

static void
lay_over(struct label_endpoint_draft *under, const struct label_endpoint_draft *over)
{
	under->settings.check_set |= over->settings.check_set;
	label_settings_overlay(&over->settings, 0, &under->settings.policy);
	if (over->settings.has_retry) {
		under->settings.has_retry = true;
		under->settings.is_idempotent = over->settings.is_idempotent;
	}
	if (over->refusal.is_refused)
		under->refusal = over->refusal;
}

static void
combine(struct label_reader *r, struct drafts *ours, struct drafts *theirs, struct drafts *ret)
{
	if (theirs->n == 0 || (ours->n > 0 && routes(ours))) {
		if (theirs->n > 0)
			label_reader_note(
			    r, STR("traefik."), LABEL_IGNORED, "rollcall's labels say what the container serves");
		*ret = *ours;
		return;
	}
	for (size_t i = 0; ours->n > 0 && i < theirs->n; i++)
		lay_over(&theirs->items[i], &ours->items[0]);
	*ret = *theirs;
}

/* Both of Traefik's dialects leave their notes; only one of them makes endpoints. */
static bool
read_theirs(struct label_reader *r, const struct taskdef_label *labels, size_t n, struct drafts *ret)
{
	struct drafts v1;
	bool is_http = has_http(labels, n);

	if (!make_drafts(r, &v1))
		return false;
	read_traefik_enable(r, labels, n);
	ret->n = label_traefik_read(r, labels, n, ret->items);
	v1.n = label_traefik1_read(r, labels, n, is_http, v1.items);
	if (!is_http)
		*ret = v1;
	return true;
}

static bool
read_all(
    struct label_reader *r, const struct taskdef_label *labels, size_t n, struct label_set *set, struct drafts *ret)
{
	struct drafts ours, theirs;
	bool has_ours = reads(r->rules, STR("rollcall")) && has_label(labels, n, STR("rollcall."));
	bool has_theirs = reads(r->rules, STR("traefik")) && has_label(labels, n, STR("traefik."));

	if (!make_drafts(r, &ours) || !make_drafts(r, &theirs))
		return false;
	if (has_theirs && !read_theirs(r, labels, n, &theirs))
		return false;
	if (has_ours)
		ours.n = label_rollcall_read(r, labels, n, ours.items);
	set->is_empty = !has_ours && !has_theirs;
	set->is_traefik = has_theirs && !has_ours;
	combine(r, &ours, &theirs, ret);
	return true;
}

/* A container without labels of a dialect has one endpoint, too, for expose_by_default. */
static bool
finish(struct label_reader *r, struct drafts *d, struct label_set *set)
{
	struct label_endpoint *endpoints;

	if (d->n == 0)
		d->items[d->n++] = (struct label_endpoint_draft){ .name = STR("") };
	endpoints = ARENA_ARRAY(r->arena, struct label_endpoint, d->n);
	if (endpoints == NULL)
		return false;
	for (size_t i = 0; i < d->n; i++)
		label_reader_finish(r, &d->items[i], &endpoints[i]);
	set->endpoints = endpoints;
	set->n_endpoints = d->n;
	set->enable = r->enable;
	return !r->starved;
}

#define SCRATCH_MAX ((size_t)16 << 20)

static bool
begin(struct label_reader *r)
{
	r->notes = r->scratch != NULL ? ARENA_ARRAY(r->scratch, struct label_note, LABEL_NOTES_MAX) : NULL;
	return r->notes != NULL;
}

static bool
keep_notes(struct label_reader *r, struct label_set *set)
{
	struct label_note *kept = ARENA_ARRAY(r->arena, struct label_note, r->n_notes + 1);

	if (kept == NULL)
		return false;
	if (r->n_notes > 0)
		memcpy(kept, r->notes, r->n_notes * sizeof(*kept));
	set->notes = kept;
	set->n_notes = r->n_notes;
	memcpy(set->counts, r->counts, sizeof(set->counts));
	return true;
}

bool
label_read(struct arena *a, const struct label_rules *rules, const struct taskdef_label *labels, size_t n,
    const struct label_set **ret)
{
	CLEANUP(arena_free_at) struct arena *scratch = arena_new(SCRATCH_MAX);
	struct label_reader r = { .arena = a, .scratch = scratch, .rules = rules };
	struct label_set *set = ARENA_NEW(a, struct label_set);
	struct drafts all = { 0 };

	if (set == NULL || !begin(&r) || !read_all(&r, labels, n, set, &all) || !finish(&r, &all, set) ||
	    !keep_notes(&r, set))
		return false;
	*ret = set;
	return true;
}

bool
label_router_of_rule(struct arena *a, const struct label_rules *rules, struct str rule, struct label_router *ret)
{
	CLEANUP(arena_free_at) struct arena *scratch = arena_new(SCRATCH_MAX);
	struct label_reader r = { .arena = a, .scratch = scratch, .rules = rules };
	const struct label_router_draft draft = { .rule = { .label = STR("(default rule)"), .value = rule } };

	if (!begin(&r))
		return false;
	label_reader_finish_router(&r, &draft, ret);
	return !r.starved;
}
