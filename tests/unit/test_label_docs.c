/* What docs/labels.md and docs/traefik.md say of labels, tried: each that they name, each example. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/buf.h"
#include "ecs/ecs_answer.h"
#include "label/label.h"
#include "label/label_constraint.h"
#include "unit.h"

#define ARENA_MAX ((size_t)4 << 20)
#define TEXT_MAX  ((size_t)1 << 20)
#define CELLS_MAX 4
#define CODE_MAX  200

static const struct str both[] = { { "rollcall", 8 }, { "traefik", 7 } };
static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };
static const struct label_rules plain = { .dialects = { both, 2 }, .entrypoints = { entrypoints, 1 } };

struct doc {
	struct arena *arena;
	struct buf text;
};

static struct doc
doc_open(const char *name)
{
	struct doc d = { .arena = arena_new(ARENA_MAX), .text = buf_make(TEXT_MAX) };
	const char *top = getenv("top_srcdir");
	char path[500], bytes[4096];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/docs/%s", top != NULL ? top : ".", name);
	f = fopen(path, "r");
	if (f == NULL || d.arena == NULL)
		fail_msg("cannot read %s", path);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		buf_put(&d.text, str_of(bytes, n));
	(void)fclose(f);
	assert_int_equal(buf_failed(&d.text, NULL), ERR_OK);
	return d;
}

static void
doc_close(struct doc *d)
{
	arena_free(d->arena);
	buf_free(&d->text);
}

/* From the line that begins with head to the next heading of any kind. */
static struct str
section(const struct doc *d, const char *head)
{
	struct str rest = buf_str(&d->text), line, from = STR("");
	bool is_in = false;

	while (str_next(&rest, '\n', &line)) {
		if (is_in && str_has_prefix(line, STR("#")))
			return str_of(from.ptr, (size_t)(line.ptr - from.ptr));
		if (!str_has_prefix(line, str_from_cstr(head)))
			continue;
		is_in = true;
		from = rest;
	}
	if (!is_in)
		fail_msg("no section %s", head);
	return from;
}

/* ---- code in a text ---- */

/* `x`, or ``x`` with single ones in it: what stands between them, and *rest behind it. */
static bool
next_code(struct str *rest, struct str *ret)
{
	size_t at, end;
	bool is_double;

	if (!str_find(*rest, '`', &at))
		return false;
	*rest = str_skip(*rest, at + 1);
	is_double = str_has_prefix(*rest, STR("`"));
	*rest = str_skip(*rest, is_double ? 1 : 0);
	for (end = 0; end < rest->len; end++)
		if (rest->ptr[end] == '`' && (!is_double || (end + 1 < rest->len && rest->ptr[end + 1] == '`')))
			break;
	/* ``Host(`a`)``: three at the end, of which the first is the text's. */
	while (is_double && end + 2 < rest->len && rest->ptr[end + 2] == '`')
		end++;
	*ret = str_first(*rest, end);
	*rest = str_skip(*rest, end + (is_double ? 2 : 1));
	return true;
}

static size_t
list_codes(struct str text, struct str ret[static CODE_MAX])
{
	size_t n = 0;

	while (n < CODE_MAX && next_code(&text, &ret[n]))
		n++;
	return n;
}

/* "| a | b |": what stands between; a `\|` in a cell is no border. */
static size_t
list_cells(struct str line, struct str ret[static CELLS_MAX])
{
	size_t n = 0, from = 2;

	if (!str_has_prefix(line, STR("| ")) || str_has_prefix(line, STR("| ---")))
		return 0;
	for (size_t i = 2; i < line.len && n < CELLS_MAX; i++)
		if (line.ptr[i] == '|' && line.ptr[i - 1] != '\\') {
			ret[n++] = str_trim(str_of(line.ptr + from, i - from));
			from = i + 1;
		}
	return n;
}

/* ---- labels ---- */

static struct taskdef_label
label_of(struct arena *a, struct str name, struct str value)
{
	struct taskdef_label l;

	assert_true(arena_str(a, name, &l.name) && arena_str(a, value, &l.value));
	return l;
}

static const struct label_note *
note_of(const struct label_set *set, struct str label)
{
	for (size_t i = 0; i < set->n_notes; i++)
		if (str_eq(set->notes[i].label, label))
			return &set->notes[i];
	return NULL;
}

static bool
keeps_out(const struct label_set *set)
{
	for (size_t i = 0; i < set->n_endpoints; i++) {
		const struct label_endpoint *ep = &set->endpoints[i];

		if (ep->refusal.is_refused)
			return true;
		for (size_t k = 0; k < ep->n_routers; k++)
			if (ep->routers[k].refusal.is_refused)
				return true;
	}
	return false;
}

static const struct label_set *
read_labels(struct arena *a, const struct taskdef_label *labels, size_t n)
{
	const struct label_set *set = NULL;

	assert_true(label_read(a, &plain, labels, n, &set));
	return set;
}

struct sample { /* what a label's value may be */
	const char *label, *value;
};

static const char *
sample_of(const struct sample *samples, size_t n, struct str label)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(label, str_from_cstr(samples[i].label)))
			return samples[i].value;
	fail_msg("the document names `" STR_FMT "`, of which this test knows no value", STR_ARG(label));
	return "";
}

/* How many of the last parts of a name ".a.b" takes the place of. */
static size_t
count_parts(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == '.' ? 1 : 0;
	return n;
}

/* ".b" behind "x.y.a" is x.y.b; "….a" is of a service. */
static struct str
whole_name(struct arena *a, struct str before, struct str said)
{
	struct buf out = buf_make(500);
	struct str ret;

	if (str_has_prefix(said, STR("…"))) {
		buf_put(&out, STR("traefik.http.services.S.loadbalancer"));
		buf_put(&out, str_skip(said, strlen("…")));
	} else if (str_has_prefix(said, STR("."))) {
		for (size_t n = count_parts(said); n > 0; n--)
			before = str_first(before, before.len - str_after_last(before, '.').len - 1);
		buf_put(&out, before);
		buf_put(&out, said);
	} else {
		buf_put(&out, said);
	}
	assert_int_equal(buf_failed(&out, NULL), ERR_OK);
	assert_true(arena_str(a, buf_str(&out), &ret));
	buf_free(&out);
	return ret;
}

/* ---- docs/labels.md ---- */

static const struct sample own_samples[] = {
	{ "rollcall.enable", "true" },
	{ "rollcall.rule", "Host(`a`)" },
	{ "rollcall.entrypoints", "default" },
	{ "rollcall.priority", "7" },
	{ "rollcall.backend", "shop" },
	{ "rollcall.port", "50051" },
	{ "rollcall.proto", "h2" },
	{ "rollcall.tls", "on" },
	{ "rollcall.weight", "5" },
	{ "rollcall.share", "10" },
	{ "rollcall.balance", "random" },
	{ "rollcall.slowstart", "5s" },
	{ "rollcall.drain_timeout", "5s" },
	{ "rollcall.maxconn", "100" },
	{ "rollcall.check", "grpc" },
	{ "rollcall.check.service", "rng.Rng" },
	{ "rollcall.check.path", "/healthz" },
	{ "rollcall.check.inter", "2s" },
	{ "rollcall.check.timeout", "1s" },
	{ "rollcall.retry", "safe" },
	{ "rollcall.endpoints.NAME.KEY", NULL },
};

static void
check_own(struct arena *a, struct str name, struct str value)
{
	const struct taskdef_label labels[] = { label_of(a, name, value) };
	const struct label_set *set = read_labels(a, labels, 1);

	if (set->is_empty || set->n_notes > 0 || keeps_out(set))
		fail_msg("`" STR_FMT "` with `" STR_FMT "`: " STR_FMT, STR_ARG(name), STR_ARG(value),
		    STR_ARG(set->n_notes > 0 ? set->notes[0].reason : STR("it is not taken")));
}

static void
check_own_row(struct arena *a, const struct str *cells)
{
	struct str names[CODE_MAX], values[CODE_MAX], name = STR("");
	size_t n = list_codes(cells[0], names), n_values = list_codes(cells[1], values);

	for (size_t i = 0; i < n; i++) {
		const char *sample;

		name = whole_name(a, name, names[i]);
		sample = sample_of(own_samples, N_OF(own_samples), name);
		if (sample == NULL)
			continue;
		check_own(a, name, str_from_cstr(sample));
		for (size_t k = 0; k < n_values; k++)
			if (!str_has_prefix(values[k], STR("haproxy.")))
				check_own(a, name, values[k]);
	}
}

static void
each_label_of_the_table_takes_each_value_that_stands_beside_it(void **state)
{
	struct doc d = doc_open("labels.md");
	struct str rest = section(&d, "## rollcall's labels"), line, cells[CELLS_MAX];
	size_t n = 0;

	(void)state;
	while (str_next(&rest, '\n', &line))
		if (list_cells(line, cells) == 3 && str_has_prefix(cells[0], STR("`"))) {
			check_own_row(d.arena, cells);
			n++;
		}
	assert_true(n >= 17);
	doc_close(&d);
}

/* And each that is read is in the table. */
static void
no_label_is_read_that_the_table_does_not_name(void **state)
{
	struct doc d = doc_open("labels.md");
	struct str table = section(&d, "## rollcall's labels");

	(void)state;
	for (size_t i = 0; i < N_OF(own_samples); i++) {
		struct str last = str_after_last(str_from_cstr(own_samples[i].label), '.'), rest = table, code;
		bool found = false;

		while (!found && next_code(&rest, &code))
			found = str_eq(str_after_last(code, '.'), last);
		CHECK_ROW(found, i, own_samples[i].label);
	}
	doc_close(&d);
}

/* The indented lines of the introduction, as a container of a definition. */
static void
the_first_example_is_a_route(void **state)
{
	struct doc d = doc_open("labels.md");
	struct str rest = section(&d, "# Labels"), line;
	struct buf json = buf_make(TEXT_MAX);
	struct taskdef *def = NULL;
	const struct label_set *set;

	(void)state;
	buf_put(&json, STR("{\"taskDefinition\":{\"taskDefinitionArn\":\"arn:aws:ecs:eu-west-1:123456789012:"
			   "task-definition/rng:1\",\"containerDefinitions\":[{\"name\":\"rng\","));
	while (str_next(&rest, '\n', &line))
		if (str_has_prefix(line, STR("    ")))
			buf_put(&json, line);
	buf_put(&json, STR("}]}}"));
	assert_int_equal(ecs_answer_task_definition(buf_str(&json), &def, NULL), ERR_OK);
	set = read_labels(d.arena, def->containers[0].labels, def->containers[0].n_labels);
	assert_int_equal(set->n_notes, 0);
	assert_int_equal(set->n_endpoints, 1);
	assert_int_equal(set->endpoints[0].settings.port, 50051);
	assert_int_equal(set->endpoints[0].n_routers, 1);
	assert_int_equal(set->endpoints[0].routers[0].n, 1);
	assert_str(set->endpoints[0].routers[0].places[0].host, "rng.example.com");
	assert_str(set->endpoints[0].routers[0].places[0].path, "/rng.Rng/");
	taskdef_unref(def);
	buf_free(&json);
	doc_close(&d);
}

static void
check_rule(struct doc *d, const char *before, struct str text, const char *after, bool is_honoured)
{
	struct label_rule rule = { .unhonoured = STR("") };
	struct buf out = buf_make(500);
	struct err e = ERR_INIT;
	struct str kept;

	buf_printf(&out, "%s" STR_FMT "%s", before, STR_ARG(text), after);
	assert_true(arena_str(d->arena, buf_str(&out), &kept));
	buf_free(&out);
	if (label_rule_parse(d->arena, d->arena, kept, false, &rule, &e) != ERR_OK)
		fail_msg(STR_FMT ": %s", STR_ARG(kept), e.msg);
	if ((rule.unhonoured.len == 0) != is_honoured)
		fail_msg(STR_FMT " is%s honoured", STR_ARG(kept), is_honoured ? " not" : "");
}

static bool
is_one_of(struct str s, const char *words)
{
	struct str rest = str_from_cstr(words), word;

	while (str_next(&rest, ' ', &word))
		if (str_eq(s, word))
			return true;
	return false;
}

static void
each_rule_is_taken_and_each_matcher_that_restricts_is_not(void **state)
{
	struct doc d = doc_open("labels.md");
	struct str codes[CODE_MAX];
	size_t n = list_codes(section(&d, "### Rules"), codes), rules = 0, matchers = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (is_one_of(codes[i], "Method ClientIP PathRegexp Header !")) {
			const char *after = str_eq(codes[i], STR("!")) ? "Path(`/x`)" : "(`x`)";

			check_rule(&d, "Host(`a`) && ", codes[i],
			    str_eq(codes[i], STR("Header")) ? "(`x`, `y`)" : after, false);
			matchers++;
		} else if (str_has_prefix(codes[i], STR("Host(")) || str_has_prefix(codes[i], STR("Path"))) {
			check_rule(&d, "", codes[i], "", true);
			rules++;
		} else if (str_has_prefix(codes[i], STR("^")) || str_eq(codes[i], STR(".+"))) {
			check_rule(&d, "HostRegexp(`", codes[i], "`)", true);
			rules++;
		}
	}
	assert_int_equal(rules, 7);
	assert_int_equal(matchers, 5);
	doc_close(&d);
}

static void
the_example_of_constraints_is_one(void **state)
{
	struct doc d = doc_open("labels.md");
	struct label_constraint *c = NULL;
	struct str codes[CODE_MAX];
	size_t n = list_codes(section(&d, "## Constraints"), codes), tried = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (!str_has_prefix(codes[i], STR("Label(")))
			continue;
		assert_int_equal(label_constraint_make(codes[i], &c, NULL), ERR_OK);
		label_constraint_free(c);
		tried++;
	}
	assert_int_equal(tried, 1);
	doc_close(&d);
}

/* ---- docs/traefik.md ---- */

static const struct sample traefik_samples[] = {
	{ "traefik.enable", "true" },
	{ "traefik.frontend.rule", "Host:a,b;PathPrefix:/x" },
	{ "traefik.frontend.entryPoints", "default" },
	{ "traefik.frontend.priority", "7" },
	{ "traefik.backend", "shop" },
	{ "traefik.port", "50051" },
	{ "traefik.weight", "5" },
	{ "traefik.protocol", "h2c" },
	{ "traefik.backend.loadbalancer.method", "wrr" },
	{ "traefik.backend.maxconn.amount", "10" },
	{ "traefik.backend.healthcheck.path", "/healthz" },
	{ "traefik.backend.healthcheck.interval", "5s" },
	{ "traefik.backend.healthcheck.timeout", "1s" },
	{ "traefik.SEGMENT.…", "50051" },
	{ "traefik.frontend.passHostHeader", "true" },
	{ "traefik.frontend.errors.*", "x" },
	{ "traefik.backend.loadbalancer.sticky*", "true" },
	{ "traefik.backend.circuitbreaker.*", "x" },
	{ "traefik.backend.buffering.*", "x" },
	{ "traefik.tags", "x" },
	{ "traefik.domain", "x" },
	{ "traefik.frontend.auth.*", "x" },
	{ "traefik.frontend.whiteList.*", "x" },
	{ "traefik.frontend.rateLimit.*", "x" },
	{ "traefik.frontend.redirect.*", "x" },
	{ "traefik.frontend.headers.*", "x" },
	{ "traefik.http.routers.R.rule", "Host(`a`) || (Path(`/x`) && HostRegexp(`.+`))" },
	{ "traefik.http.routers.R.entrypoints", "default" },
	{ "traefik.http.routers.R.priority", "7" },
	{ "traefik.http.routers.R.service", "S" },
	{ "traefik.http.routers.R.middlewares", "auth@file" },
	{ "traefik.http.routers.R.tls.options", "x" },
	{ "traefik.http.routers.R.tls", "true" },
	{ "traefik.http.routers.R.tls.certresolver", "x" },
	{ "traefik.http.routers.R.tls.domains", "x" },
	{ "traefik.http.routers.R.ruleSyntax", "v3" },
	{ "traefik.http.routers.R.observability.*", "x" },
	{ "traefik.http.services.S.loadbalancer.server.port", "50051" },
	{ "traefik.http.services.S.loadbalancer.server.weight", "5" },
	{ "traefik.http.services.S.loadbalancer.server.scheme", "h2c" },
	{ "traefik.http.services.S.loadbalancer.healthcheck.path", "/healthz" },
	{ "traefik.http.services.S.loadbalancer.healthcheck.interval", "5s" },
	{ "traefik.http.services.S.loadbalancer.healthcheck.timeout", "1s" },
	{ "traefik.http.services.S.loadbalancer.healthcheck.mode", "grpc" },
	{ "traefik.http.services.S.loadbalancer.strategy", "wrr" },
	{ "traefik.http.services.S.loadbalancer.server.url", "http://a" },
	{ "traefik.http.services.S.loadbalancer.sticky.*", "x" },
	{ "traefik.http.services.S.loadbalancer.serverstransport", "x" },
	{ "traefik.http.services.S.loadbalancer.responseforwarding.*", "x" },
	{ "traefik.http.services.S.loadbalancer.passivehealthcheck.*", "x" },
	{ "traefik.http.middlewares.*", "x" },
	{ "traefik.tcp.*", "x" },
	{ "traefik.udp.*", "x" },
	{ "traefik.tls.*", "x" },
};

/* A name that fits what the document says of many. */
static struct str
one_of(struct arena *a, struct str pattern)
{
	struct buf out = buf_make(500);
	struct str ret;

	if (str_eq(pattern, STR("traefik.SEGMENT.…")))
		pattern = STR("traefik.seg.port");
	for (size_t i = 0; i < pattern.len; i++)
		buf_put(&out, pattern.ptr[i] == '*' ? STR("x") : str_of(pattern.ptr + i, 1));
	assert_true(arena_str(a, buf_str(&out), &ret));
	buf_free(&out);
	return ret;
}

static void
check_traefik(struct arena *a, bool is_v1, struct str pattern, struct str verdict)
{
	struct str name = one_of(a, pattern),
		   value = str_from_cstr(sample_of(traefik_samples, N_OF(traefik_samples), pattern));
	const struct taskdef_label others[] = {
		is_v1 ? label_of(a, STR("traefik.frontend.rule"), STR("Host:a"))
		      : label_of(a, STR("traefik.http.routers.R.rule"), STR("Host(`a`)")),
		label_of(a, STR("traefik.http.services.S.loadbalancer.server.port"), STR("50051")),
	};
	struct taskdef_label labels[1 + N_OF(others)] = { label_of(a, name, value) };
	const struct label_set *set;
	const struct label_note *note;
	size_t n = 1;
	bool is_well;

	for (size_t i = 0; i < (is_v1 ? 1u : 2u); i++)
		if (!str_eq(others[i].name, name))
			labels[n++] = others[i];
	set = read_labels(a, labels, n);
	note = note_of(set, name);
	if (str_eq(verdict, STR("honoured")))
		is_well = note == NULL && !keeps_out(set);
	else if (str_eq(verdict, STR("reported")))
		is_well = note != NULL && note->fate == LABEL_IGNORED && !keeps_out(set);
	else
		is_well = str_eq(verdict, STR("keeps out")) && keeps_out(set);
	if (!is_well)
		fail_msg("`" STR_FMT "` is not " STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(verdict),
		    STR_ARG(note != NULL ? note->reason : STR("nothing is said of it")));
}

static void
check_traefik_row(struct arena *a, bool is_v1, const struct str *cells)
{
	struct str names[CODE_MAX], name = STR("");
	size_t n = list_codes(cells[0], names);

	for (size_t i = 0; i < n; i++) {
		if (str_eq(names[i], STR("frontend"))) /* "anything else of it" */
			continue;
		name = whole_name(a, name, names[i]);
		check_traefik(a, is_v1, name, cells[1]);
	}
}

static void
each_label_of_traefik_is_what_the_tables_say(void **state)
{
	struct doc d = doc_open("traefik.md");
	struct str rest = section(&d, "# From Traefik"), line, cells[CELLS_MAX];
	bool is_v1 = true;
	size_t rows[2] = { 0, 0 };

	(void)state;
	while (str_next(&rest, '\n', &line)) {
		if (str_has_prefix(line, STR("| v2")))
			is_v1 = false;
		if (list_cells(line, cells) != 3 || str_find(cells[1], '-', &(size_t){ 0 }))
			continue;
		if (!str_find(cells[0], '`', &(size_t){ 0 }))
			continue;
		check_traefik_row(d.arena, is_v1, cells);
		rows[is_v1 ? 0 : 1]++;
	}
	assert_true(rows[0] >= 13 && rows[1] >= 12);
	doc_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_example_is_a_route),
		cmocka_unit_test(each_label_of_the_table_takes_each_value_that_stands_beside_it),
		cmocka_unit_test(no_label_is_read_that_the_table_does_not_name),
		cmocka_unit_test(each_rule_is_taken_and_each_matcher_that_restricts_is_not),
		cmocka_unit_test(the_example_of_constraints_is_one),
		cmocka_unit_test(each_label_of_traefik_is_what_the_tables_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
