/*
 * Labels: first a constraint in one line, then a label per line, "NAME=VALUE".  Laws:
 * whatever is taken is made of what HAProxy takes unquoted, there is never more of it than the
 * room says, notes are printable, and a router that is kept out has a reason.
 */
#include "config.h"

#include "fuzz.h"
#include "label/label.h"
#include "label/label_constraint.h"
#include "label/label_text.h"

#define LABELS_MAX 150

static const struct str dialects[] = { { "rollcall", 8 }, { "traefik", 7 } };
static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } },
	{ { "web", 3 }, { "web.map", 7 } } };
static const struct str allowed[] = { { "*.middlewares", 13 }, { "rollcall.endpoints.a.rule", 25 } };

static bool
is_host(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!label_text_is_alnum(s.ptr[i]) && strchr("-_.:[]", s.ptr[i]) == NULL)
			return false;
	return s.len > 0 && s.len <= 253;
}

static void
check_router(const struct label_router *r)
{
	REQUIRE(r->n <= LABEL_PLACES_MAX && r->n_entrypoints <= LABEL_ENTRYPOINTS_MAX);
	REQUIRE(r->refusal.is_refused || r->n_entrypoints > 0);
	REQUIRE(!r->refusal.is_refused || str_is_printable(r->refusal.message));
	REQUIRE(r->refusal.is_refused || r->label.len == 0 || r->n > 0);
	for (size_t i = 0; i < r->n; i++) {
		REQUIRE(str_eq(r->places[i].host, STR("*")) || is_host(r->places[i].host));
		REQUIRE(label_text_path_ok(r->places[i].path));
		REQUIRE(i == 0 || label_place_cmp(&r->places[i - 1], &r->places[i]) < 0);
	}
}

static void
check_set(const struct label_set *set)
{
	REQUIRE(set->n_endpoints > 0 && set->n_endpoints <= LABEL_ENDPOINTS_MAX && set->n_notes <= LABEL_NOTES_MAX);
	for (size_t i = 0; i < set->n_notes; i++)
		REQUIRE(str_is_printable(set->notes[i].label) && str_is_printable(set->notes[i].reason));
	for (size_t i = 0; i < set->n_endpoints; i++) {
		const struct label_endpoint *ep = &set->endpoints[i];

		REQUIRE(ep->name.len == 0 || label_text_name_ok(ep->name));
		REQUIRE(ep->settings.backend.len == 0 || label_text_name_ok(ep->settings.backend));
		REQUIRE(ep->n_routers <= LABEL_ROUTERS_MAX);
		for (size_t k = 0; k < ep->n_routers; k++)
			check_router(&ep->routers[k]);
	}
}

static size_t
split(struct str text, struct taskdef_label *labels)
{
	struct str line;
	size_t n = 0, at;

	while (n < LABELS_MAX && str_next(&text, '\n', &line)) {
		if (!str_find(line, '=', &at))
			at = line.len;
		labels[n++] = (struct taskdef_label){ str_first(line, at), str_skip(line, at + 1) };
	}
	return n;
}

static void
try_constraint(struct str text, const struct taskdef_label *labels, size_t n)
{
	struct label_constraint *c = NULL;
	struct err e = ERR_INIT;

	if (label_constraint_make(text, &c, &e) == ERR_OK)
		(void)label_constraint_admits(c, labels, n);
	else
		REQUIRE(e.msg[0] != '\0');
	label_constraint_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct label_rules rules = { { dialects, 2 }, { allowed, 2 }, { entrypoints, 2 } };
	struct taskdef_label labels[LABELS_MAX];
	struct str text = str_of(data, size), constraint = STR("");
	struct arena *a = arena_new((size_t)8 << 20);
	const struct label_set *set = NULL;
	struct label_router router;
	size_t n;

	REQUIRE(a != NULL);
	(void)str_next(&text, '\n', &constraint);
	n = split(text, labels);
	if (constraint.len < 500) /* regcomp itself is not under test */
		try_constraint(constraint, labels, n);
	REQUIRE(label_read(a, &rules, labels, n, &set));
	check_set(set);
	REQUIRE(label_router_of_rule(a, &rules, constraint, &router));
	check_router(&router);
	arena_free(a);
	return 0;
}
