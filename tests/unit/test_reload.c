/* What a new configuration takes away: which backends go on to be taken down, and how much
 * is too much. */
#include "config.h"

#include <stdlib.h>

#include "conf/conf_retire.h"
#include "control_story.h"
#include "sync/reload.h"
#include "unit.h"

static bool
is_named(void *arg, struct str backend)
{
	const struct str *name = arg;

	return str_eq(backend, *name);
}

static void
what_is_in_use_and_not_named_any_more_is_retired(void **state)
{
	struct conf_backend before[] = {
		{ .name = STR("kept"), .match = { .service = STR("*") } },
		{ .name = STR("used"), .match = { .service = STR("a*") }, .policy = { .tls_ca_file = STR("/ca.pem") } },
		{ .name = STR("idle") },
	};
	const struct conf_backend fresh[] = { { .name = STR("kept"), .match = { .service = STR("b") } } };
	const struct conf old = { .backends = before, .n_backends = 3 }, newer = { .backends = fresh, .n_backends = 1 };
	struct arena *a = arena_new(1 << 20);
	const struct conf *both = NULL;
	struct str used = STR("used");

	(void)state;
	assert_true(conf_retire(a, &newer, &old, is_named, &used, &both));
	assert_int_equal(both->n_backends, 2);
	assert_false(both->backends[0].retired);
	assert_str(both->backends[0].match.service, "b");
	assert_true(both->backends[1].retired);
	assert_str(both->backends[1].name, "used");
	assert_str(both->backends[1].match.service, "");
	memset(before, 'x', sizeof(before)); /* nothing of the old one is looked at again */
	assert_str(both->backends[1].policy.tls_ca_file, "/ca.pem");
	arena_free(a);
}

/* The story's grpc has one server that takes calls; the others of it join or drain. */
static void
a_backend_loses_what_the_new_configuration_does_not_expose(void **state)
{
	CLEANUP(control_story_free_at) struct control_story *s = control_story_new();
	struct conf_backend *backends;
	struct desired *next = NULL;
	struct reload_loss loss;
	struct conf conf = s->conf;

	(void)state;
	backends = calloc(conf.n_backends, sizeof(*backends));
	assert_non_null(backends);
	memcpy(backends, s->conf.backends, conf.n_backends * sizeof(*backends));
	conf.backends = backends;
	for (size_t i = 0; i < conf.n_backends; i++)
		backends[i].policy.removal_limit_percent = 50;

	assert_int_equal(desired_derive(&conf, s->roster, &next, NULL), ERR_OK);
	loss = reload_loss_of(s->facts.plan, 0, next, &conf);
	assert_int_equal(loss.serving, 1);
	assert_int_equal(loss.lost, 0);
	assert_false(reload_is_too_much(&loss));
	desired_free(next);

	backends[0].match.service = STR("another");
	assert_int_equal(desired_derive(&conf, s->roster, &next, NULL), ERR_OK);
	loss = reload_loss_of(s->facts.plan, 0, next, &conf);
	assert_str(loss.backend, "grpc");
	assert_int_equal(loss.lost, 1);
	assert_true(reload_is_too_much(&loss));
	backends[0].policy.removal_limit_percent = 100;
	loss = reload_loss_of(s->facts.plan, 0, next, &conf);
	assert_false(reload_is_too_much(&loss));
	desired_free(next);
	free(backends);
}

/* A server for another port, of another task or at another address is another server; one that leaves is none. */
static void
only_the_same_server_is_no_loss(void **state)
{
	static const struct roster_task a = { .arn = { "arn:a", 5 } }, b = { .arn = { "arn:b", 5 } };
	static const struct desired_server now = {
		.task = &a, .address = { "10.0.0.1", 8 }, .port = 80, .want = DESIRED_SERVE
	};
	static const struct {
		struct desired_server next;
		enum plan_state state;
		bool is_known, is_named;
		size_t serving, lost;
	} rows[] = {
		{ { .task = &a, .address = { "10.0.0.1", 8 }, .port = 80 }, PLAN_STATE_UP, true, true, 1, 0 },
		{ { .task = &b, .address = { "10.0.0.1", 8 }, .port = 80 }, PLAN_STATE_UP, true, true, 1, 1 },
		{ { .task = &a, .address = { "10.0.0.2", 8 }, .port = 80 }, PLAN_STATE_UP, true, true, 1, 1 },
		{ { .task = &a, .address = { "10.0.0.1", 8 }, .port = 81 }, PLAN_STATE_UP, true, true, 1, 1 },
		{ { .task = &a, .address = { "10.0.0.1", 8 }, .port = 80, .want = DESIRED_LEAVE }, PLAN_STATE_UP, true,
		    true, 1, 1 },
		{ { .task = &a, .address = { "10.0.0.1", 8 }, .port = 80 }, PLAN_STATE_UP, true, false, 1, 1 },
		{ { .task = &b, .address = { "10.0.0.1", 8 }, .port = 80 }, PLAN_STATE_DOWN, true, true, 0, 0 },
		{ { .task = &b, .address = { "10.0.0.1", 8 }, .port = 80 }, PLAN_STATE_UP, false, true, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct plan_server server = { .desired = rows[i].is_known ? &now : NULL, .state = rows[i].state };
		const struct plan_backend backend = { .name = STR("web"), .servers = &server, .n_servers = 1 };
		const struct plan plan = { .backends = &backend, .n_backends = 1 };
		const struct conf conf = { .defaults = { .removal_limit_percent = 33 } };
		const struct desired_backend wanted = {
			.name = rows[i].is_named ? STR("web") : STR("api"), .servers = &rows[i].next, .n_servers = 1
		};
		const struct desired next = { .backends = &wanted, .n_backends = 1 };
		const struct reload_loss loss = reload_loss_of(&plan, 0, &next, &conf);

		CHECK_ROW(loss.serving == rows[i].serving && loss.lost == rows[i].lost, i, "");
		CHECK_ROW(loss.limit == 33, i, "of no entry: that of defaults");
	}
}

static void
the_limit_itself_is_allowed(void **state)
{
	static const struct {
		size_t serving, lost;
		unsigned limit;
		bool too_much;
	} rows[] = {
		{ 0, 0, 0, false },
		{ 2, 1, 50, false },
		{ 3, 2, 50, true },
		{ 10, 0, 0, false },
		{ 10, 1, 0, true },
		{ 10, 10, 100, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct reload_loss loss = {
			.serving = rows[i].serving, .lost = rows[i].lost, .limit = rows[i].limit
		};

		CHECK_ROW(reload_is_too_much(&loss) == rows[i].too_much, i, "");
	}
}

/* Of what freezes a backend only the servers that no configuration exposes any more. */
static void
consent_to_a_reload_is_about_what_it_does_not_expose(void **state)
{
	static const struct desired_server gone = { .want = DESIRED_LEAVE }, stays = { .want = DESIRED_SERVE };
	struct actual_server slot = { .name = STR("rc_1"), .address = STR("10.0.0.1"), .port = 80 };
	const struct overlay_leave leave = {
		.backend = STR("grpc"), .server = slot.name, .address = slot.address, .port = slot.port
	};
	struct plan_server server = { .backend = STR("grpc"), .actual = &slot, .desired = &gone };
	struct plan_backend backend = { .name = STR("grpc"), .servers = &server, .n_servers = 1, .is_frozen = true };
	const struct plan p = { .backends = &backend, .n_backends = 1 };
	CLEANUP(overlay_free_at) struct overlay *o = NULL;

	(void)state;
	assert_int_equal(overlay_new(&o, NULL), ERR_OK);
	server.evidence = EVIDENCE_MISSING;
	assert_false(reload_holds_back(&p, o, backend.name));
	server.evidence = EVIDENCE_UNEXPOSED;
	assert_true(reload_holds_back(&p, o, backend.name));
	assert_false(reload_holds_back(&p, o, STR("other")));
	server.desired = &stays;
	assert_false(reload_holds_back(&p, o, backend.name));
	server.desired = NULL;
	server.is_orphan = true;
	assert_true(reload_holds_back(&p, o, backend.name));
	backend.is_frozen = false;
	assert_false(reload_holds_back(&p, o, backend.name));
	backend.is_frozen = true;
	assert_int_equal(overlay_note_leave(o, &leave, 1000, NULL), ERR_OK);
	assert_true(reload_holds_back(&p, o, backend.name));
	assert_int_equal(overlay_release(o, &leave, 1000, NULL), ERR_OK);
	assert_false(reload_holds_back(&p, o, backend.name));
	slot.admin = ACTUAL_MAINT;
	assert_false(reload_holds_back(&p, NULL, backend.name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_use_and_not_named_any_more_is_retired),
		cmocka_unit_test(a_backend_loses_what_the_new_configuration_does_not_expose),
		cmocka_unit_test(only_the_same_server_is_no_loss),
		cmocka_unit_test(the_limit_itself_is_allowed),
		cmocka_unit_test(consent_to_a_reload_is_about_what_it_does_not_expose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
