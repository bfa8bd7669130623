/*
 * Labels: first a constraint in one line, then a label per line, "NAME=VALUE".  Laws:
 * whatever is taken is made of what HAProxy takes unquoted, there is never more of it than the
 * room says, notes are printable, a router that is kept out has a reason, and the section and
 * the map that come of it hold nothing but what they should.
 */
#include "config.h"

#include "conf/conf_policy.h"
#include "fuzz.h"
#include "hap/hap_map.h"
#include "hap/hap_render.h"
#include "label/label.h"
#include "label/label_constraint.h"
#include "label/label_text.h"
#include "label_lines.h"

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

/* ---- what HAProxy would be given ---- */

/* One section, of lines that stand as they are: nothing a label says begins another one. */
static void
check_text(struct arena *a, struct str text)
{
	struct hap_render_outline outline;
	struct str line;

	REQUIRE(hap_render_outline(a, text, &outline, NULL) == ERR_OK);
	REQUIRE(outline.n_sections == 1 && outline.n_servers == 1);
	while (str_next(&text, '\n', &line)) {
		bool is_known = line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '\t' ||
				str_has_prefix(line, STR("backend made from rollcall"));

		REQUIRE(is_known && line.len <= HAP_RENDER_LINE_MAX);
		for (size_t i = line.len > 0 && line.ptr[0] == '\t' ? 1 : 0; i < line.len; i++)
			REQUIRE(line.ptr[i] >= 0x20 && line.ptr[i] <= 0x7e);
	}
}

static void
check_render(struct arena *a, const struct label_endpoint *ep, unsigned major, unsigned minor)
{
	struct conf_policy policy = conf_policy_builtin();
	const struct conf_backend conf = {
		.name = STR("made"),
		.managed = true,
		.policy = (label_settings_overlay(&ep->settings, 0, &policy), policy),
		.retries_idempotent = ep->settings.is_idempotent,
	};
	const struct hap_render_server server = {
		.name = STR("rc_1_app_1"), .address = STR("10.0.0.1"), .port = 1, .policy = &policy, .weight = 1
	};
	const struct hap_render_backend backend = { &conf, &server, 1, 0 };
	const struct hap_render_file file = { STR("rollcall"), major, minor, &backend, 1, NULL, 0 };
	struct buf out = buf_make(HAP_RENDER_MAX);
	struct err e = ERR_INIT;

	if (hap_render(&file, &out, &e) == ERR_OK)
		check_text(a, buf_str(&out));
	else
		REQUIRE(out.len == 0 && e.msg[0] != '\0');
	buf_free(&out);
}

static void
check_map(struct arena *a, const struct label_router *r)
{
	struct hap_map_line *lines = ARENA_ARRAY(a, struct hap_map_line, r->n + 1);
	struct buf out = buf_make(HAP_MAP_MAX);
	struct hap_map map, again;

	REQUIRE(lines != NULL);
	for (size_t i = 0; i < r->n; i++) {
		const struct desired_route route = { .host = r->places[i].host,
			.path = r->places[i].path,
			.is_exact = r->places[i].is_exact,
			.backend = STR("made") };

		REQUIRE(hap_map_key(a, &route, &lines[i].key, NULL) == ERR_OK);
		lines[i].backend = route.backend;
	}
	map = (struct hap_map){ lines, hap_map_sort(lines, r->n) };
	hap_map_put_file(&map, &out);
	REQUIRE(hap_map_read_file(a, buf_str(&out), &again, NULL) == ERR_OK && hap_map_same(&map, &again));
	buf_free(&out);
}

static void
check_given(struct arena *a, const struct label_set *set)
{
	for (size_t i = 0; i < set->n_endpoints; i++) {
		check_render(a, &set->endpoints[i], 2, 6);
		check_render(a, &set->endpoints[i], 3, 4);
		for (size_t k = 0; k < set->endpoints[i].n_routers; k++)
			check_map(a, &set->endpoints[i].routers[k]);
	}
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
	struct taskdef_label labels[LABEL_LINES_MAX];
	struct str text = str_of(data, size), constraint = STR("");
	struct arena *a = arena_new((size_t)8 << 20);
	const struct label_set *set = NULL;
	struct label_router router;
	size_t n;

	REQUIRE(a != NULL);
	(void)str_next(&text, '\n', &constraint);
	n = label_lines_split(text, labels);
	if (constraint.len < 500) /* regcomp itself is not under test */
		try_constraint(constraint, labels, n);
	REQUIRE(label_read(a, &rules, labels, n, &set));
	check_set(set);
	check_given(a, set);
	REQUIRE(label_router_of_rule(a, &rules, constraint, &router));
	check_router(&router);
	arena_free(a);
	return 0;
}
